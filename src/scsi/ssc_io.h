/* SPDX-License-Identifier: BSD-2-Clause */
/* scsi/ssc_io.h: what the files ssc_io.c, ssc_read.c and ssc_write.c share. */
#ifndef SCSI_SSC_IO_H
#define SCSI_SSC_IO_H

#include "scsi/unit.h"

#define LBP_BYTES 4u	/* of a checksum behind a record on the wire, where logical block protection is on */

/*
 * What a CDB asks to have transferred: so many records of so many bytes on the wire.  Lengths on the wire, in a CDB, in
 * the mode parameters' block length and in INFORMATION, include a record's checksum.
 */
struct transfer {
	bool fixed;
	uint32_t count;
	size_t wire;
	uint32_t length;	/* as the CDB has it: records if @fixed, bytes otherwise */
};
/* False: answered (FIXED without a block length). */
bool transfer_of(struct scsi_unit *u, struct scsi_task *t, uint32_t length, struct transfer *x);
/* What is not transferred if all but the first @done records are not. */
int64_t transfer_left(const struct transfer *x, uint32_t done);
/* The transport has @x in full; false: B/4B00 has been answered. */
bool transfer_fits(struct scsi_task *t, const struct transfer *x);
/* The commands with 16 bytes say where: the head goes there.  False: answered. */
bool transfer_go(struct scsi_unit *u, struct scsi_task *t, int64_t left);
uint32_t transfer_record_max(const struct scsi_unit *u);

/* The tape could not store what earlier commands were told is written (@r < 0): @t ends with a deferred error. */
void ssc_writes_lost(struct scsi_unit *u, struct scsi_task *t, int r);

void ssc_read_6(struct scsi_unit *u, struct scsi_task *t);
void ssc_read_16(struct scsi_unit *u, struct scsi_task *t);
void ssc_verify_6(struct scsi_unit *u, struct scsi_task *t);
void ssc_verify_16(struct scsi_unit *u, struct scsi_task *t);
void ssc_write_6(struct scsi_unit *u, struct scsi_task *t);
void ssc_write_16(struct scsi_unit *u, struct scsi_task *t);
void ssc_write_filemarks_6(struct scsi_unit *u, struct scsi_task *t);
void ssc_write_filemarks_16(struct scsi_unit *u, struct scsi_task *t);

#endif
