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

#endif
