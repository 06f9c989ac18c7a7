/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi/mam.h: what a cartridge's memory knows of its life, for MAM's attributes and the log pages.
 *
 * Kept in the catalog beside the attributes of hosts (catalog_mam, partition 0), so it goes where the volume goes:
 *   0009h  the volume change reference: u32 value, u64 fingerprint of the content that it was told of
 *   0C00h  the history: struct mam_history, as history_encode() has it
 *
 * The volume change reference, SSC-4's rules: one value for all partitions; it never comes again; it is 0 while nothing
 * was ever written.  Steps, and what a cut behind each leaves:
 *  1. the value grows, durably, with the fingerprint of before	the tape is as it was: it does not match or it does; at
 *								the next load it may grow once more
 *  2. the tape is changed, as often as one likes	the fingerprint does not match: it grows at the next load
 *  3. the tape is committed					as 2
 *  4. the fingerprint of what is there now, durably		nothing grows until something changes
 * Step 1 comes again with the first change after 4, after the value was read, and with every overwriting.  A tape that
 * was changed through another door does not match its fingerprint.
 */
#ifndef SCSI_MAM_H
#define SCSI_MAM_H

#include "scsi/unit.h"

#define MAM_DEVICES 4u
#define MAM_DEVICE_BYTES 40u	/* vendor (8) and serial number (32), ASCII, padded */
#define MAM_BYTES (16u << 10)	/* what the memory holds: attributes of hosts, and 5 bytes each */

struct mam_traffic { uint64_t written_bytes, read_bytes, write_errors, read_errors; };
struct mam_history {
	uint64_t loads, formats;	/* by SCSI units; through other doors nothing is counted */
	/* Of all loads before this one; of this or the last one; of the one before that. */
	struct mam_traffic before, load, previous;
	uint64_t alerts, alerts_previous;	/* TapeAlert flags that were set in this load, in the one before */
	uint8_t devices[MAM_DEVICES][MAM_DEVICE_BYTES];	/* the last to load it first; zeros: none */
};
/* Of the loaded volume, up to now. */
int mam_history(struct scsi_unit *u, struct mam_history *out);
/* Who had these alerts was told, and they are not active any more. */
int mam_alerted(struct scsi_unit *u, uint64_t flags);
/* Errors of this load count as those of loads before: the unit begins anew with 0. */
int mam_errors_reset(struct scsi_unit *u);
/* The volume change reference; the next change makes it grow. */
int mam_reference(struct scsi_unit *u, uint32_t *out);
/* The drive is about to be another's, and everything is on disk: counters and fingerprint are kept.  What cannot be
 * kept is logged: the change reference grows once more for it. */
void mam_settled(struct scsi_unit *u);
/* A row of the loaded tape; CATALOG_E_NONE also if it is damaged, which is logged once for each load. */
int mam_row(struct scsi_unit *u, uint32_t partition, uint16_t id, enum catalog_mam_format *format, struct buf *out);
/* Before a FORMAT MEDIUM: the reference grows, the partitions' attributes go.  As mam_modify(). */
int mam_format(struct scsi_unit *u);

#endif
