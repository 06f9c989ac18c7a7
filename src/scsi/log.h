/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi/log.h: a drive's log pages, between the commands (ssc_log.c) and the table of pages (ssc_log_pages.c).
 */
#ifndef SCSI_LOG_H
#define SCSI_LOG_H

#include "scsi/unit.h"

/* A page while it is made: its parameters, those below @from left out.  An error sticks. */
struct log {
	struct scsi_unit *u;
	struct buf b;
	uint16_t from;
	int r;
	bool zero;			/* counters have their default, 0 */
};

struct log_page {
	uint8_t code;
	bool counters;			/* data counters: PAGE CONTROL counts; else lists, which are what they are */
	void (*put)(struct log *l);
	void (*reset)(struct scsi_unit *u);	/* PCR; NULL: what it has is not ours to forget */
};
const struct log_page *log_pages(size_t *count);	/* in the order of codes; without 00h */
#define LOG_TAPE_ALERT 0x2e

/* Parameter control bytes: data counter; binary or ASCII list, not saved, or kept with the cartridge. */
enum log_control { COUNTER = 0x40, LIST = 0x43, TEXT = 0x41, KEPT_LIST = 0x03, KEPT_TEXT = 0x01 };
void log_put(struct log *l, uint16_t code, enum log_control control, const void *p, size_t n);
/* In @bytes bytes, 1 to 8; the largest that fits if it does not. */
void log_number(struct log *l, uint16_t code, enum log_control control, unsigned bytes, uint64_t n);
/* In @n bytes, 32 at most. */
void log_text(struct log *l, uint16_t code, enum log_control control, size_t n, const char *s);
#define MEGA 1000000u

/* ssc_log_tape.c */
void log_sequential(struct log *l);
void log_volume(struct log *l);
void log_usage(struct log *l);
void log_capacity(struct log *l);

#endif
