/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi/mode.h: a drive's mode pages, between the commands (ssc_mode.c) and the table of pages (ssc_mode_pages.c).
 */
#ifndef SCSI_MODE_H
#define SCSI_MODE_H

#include "scsi/unit.h"

#define MODE_PAGE_MAX 32u
#define MODE_PARTITION_SHIFT 8u		/* where page 11h has its sizes */

/* What MODE SELECT would make of the mode parameters, and do. */
struct mode_change {
	struct ssc_mode mode;
	bool test;			/* page 1Ch: an alert is to be set or cleared */
	int32_t test_flag;
};
struct mode_fault { unsigned byte; int bit; };	/* in the page */

struct mode_page {
	uint8_t code, subpage;
	uint8_t len;			/* all of it; page 11h: at most */
	uint8_t dialects;		/* bits, 1 << enum drive_dialect; 0: all */
	const uint8_t *changeable;	/* @len bytes behind the header; NULL: nothing is */
	/* Behind the header; the bytes are 0 before. */
	void (*put)(struct scsi_unit *u, const struct ssc_mode *m, uint8_t *p);
	/* Only what may be changed was.  False: @fault is wrong. */
	bool (*take)(struct scsi_unit *u, const uint8_t *p, size_t len, struct mode_change *c,
		     struct mode_fault *fault);
};
const struct mode_page *mode_pages(size_t *count);
bool mode_page_has(const struct scsi_unit *u, const struct mode_page *page);
/* As MODE SENSE gives it, of @m or (NULL) what is changeable; its bytes. */
size_t mode_page_put(struct scsi_unit *u, const struct mode_page *page, const struct ssc_mode *m,
		     uint8_t out[MODE_PAGE_MAX]);
/* The @len bytes at @p, of that page.  False: @fault says which of them is wrong. */
bool mode_page_take(struct scsi_unit *u, const struct mode_page *page, const uint8_t *p, size_t len,
		    struct mode_change *c, struct mode_fault *fault);

/* Nothing may be written: the volume is protected, another site's, or of a kind that this drive only reads. */
bool ssc_protected(struct scsi_unit *u);
/* TapeAlert flags stay when the log page with them is read (TAPLSD). */
bool ssc_alerts_stay(const struct scsi_unit *u);
/* Additional partitions that FORMAT MEDIUM is to make: as page 11h was set, or as many as there are. */
unsigned ssc_partitions_wanted(struct scsi_unit *u);
/* The tape has been formatted, or is another: page 11h is what it is now. */
void ssc_partitions_done(struct scsi_unit *u);

#endif
