/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_io: commands that read and write, their table and what they have in common; READ BLOCK LIMITS, ALLOW OVERWRITE.
 * ssc_read.c reads and verifies, ssc_write.c writes.
 */
#include <errno.h>

#include "scsi/ssc_io.h"

/* ---- what a CDB asks for ---------------------------------------------------------------------------------------- */

uint32_t transfer_record_max(const struct scsi_unit *u)
{
	uint32_t max = u->drive_model->record_max;

	if (max > u->cfg.transfer_max)
		max = u->cfg.transfer_max;
	return max > TAPE_RECORD_MAX ? TAPE_RECORD_MAX : max;
}

bool transfer_of(struct scsi_unit *u, struct scsi_task *t, uint32_t length, struct transfer *x)
{
	*x = (struct transfer){ .fixed = t->cdb[1] & 0x01, .length = length };
	if (!x->fixed) {
		x->count = 1;
		x->wire = length;
		return true;
	}
	if (!u->ssc.mode.block_len) {
		task_bad_cdb(t, 1, 0);
		return false;
	}
	x->count = length;
	x->wire = u->ssc.mode.block_len;
	return true;
}

int64_t transfer_left(const struct transfer *x, uint32_t done)
{
	return x->fixed ? (int64_t)x->count - done : done ? 0 : (int64_t)x->wire;
}

bool transfer_fits(struct scsi_task *t, const struct transfer *x)
{
	if (t->data_len / x->wire >= x->count)
		return true;
	task_check(t, ABORTED_COMMAND, ASC_DATA_PHASE);
	return false;
}

bool transfer_go(struct scsi_unit *u, struct scsi_task *t, int64_t left)
{
	struct drive *d = u->ssc.drive;
	uint64_t object = get_be64(t->cdb + 4);
	uint32_t partition = t->cdb[3];
	struct tape_pos at;
	int r;

	if (partition >= volume_partitions(drive_volume(d))) {
		task_bad_cdb(t, 3, 7);
		return false;
	}
	r = drive_position(d, &at);
	if (!r && at.partition == partition && at.object == object)
		return true;
	/* As every motion: what was accepted is on disk before the head moves. */
	r = r ? r : drive_flush(d);
	if (!r) {
		ssc_committed(u);
		r = drive_locate(d, partition, object);
	}
	if (r == TAPE_E_EOD)
		task_sense(t, &(struct sense){ .key = BLANK_CHECK, .code = ASC_END_OF_DATA, .valid = true,
					       .info = left });
	else if (r)
		task_failed(t, err_fold(r));
	return !r;
}

/* ---- READ BLOCK LIMITS ------------------------------------------------------------------------------------------ */

/* Records of any length from one byte on.  MLOI: the largest object identifier instead, SSC-4. */
static void read_block_limits(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t b[20] = { 0 };

	if (t->cdb[1] & 0x01) {
		put_be64(b + 12, UINT64_MAX - 1);
		task_put(t, b, 20, 20);
		return;
	}
	put_be32(b, transfer_record_max(u));	/* 24 bits; GRANULARITY, the byte before, is 0 */
	put_be16(b + 4, 1);
	task_put(t, b, 6, 6);
}

/* ---- ALLOW OVERWRITE -------------------------------------------------------------------------------------------- */

enum { OVERWRITE_NONE, OVERWRITE_HERE, OVERWRITE_FORMAT };

static void allow_overwrite(struct scsi_unit *u, struct scsi_task *t)
{
	struct ssc *s = &u->ssc;
	unsigned what = t->cdb[2] & 0x0f;
	struct tape_pos at;
	int r = drive_position(s->drive, &at);

	s->overwrite_allowed = false;
	if (r) {
		task_failed(t, err_fold(r));
	} else if (what > OVERWRITE_FORMAT) {
		task_bad_cdb(t, 2, 3);
	} else if (what == OVERWRITE_HERE && (t->cdb[3] != at.partition || get_be64(t->cdb + 4) != at.object)) {
		task_check(t, ILLEGAL_REQUEST, ASC_SEQUENTIAL_POSITIONING);
	} else if (what != OVERWRITE_NONE) {
		s->overwrite_partition = at.partition;
		s->overwrite_object = what == OVERWRITE_HERE ? at.object : UINT64_MAX;
		s->overwrite_allowed = true;
	}
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

#define ON_TAPE (OP_MEDIUM | OP_TAPE)
#define WHERE 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff	/* of 16 bytes */
static const struct op ops[] = {
	{ 0x05, -1, "READ BLOCK LIMITS", { 0x05, 0x01 }, 60, 0, read_block_limits },
	{ 0x08, -1, "READ(6)", { 0x08, 0x03, 0xff, 0xff, 0xff }, 1500, ON_TAPE, ssc_read_6 },
	{ 0x0a, -1, "WRITE(6)", { 0x0a, 0x01, 0xff, 0xff, 0xff }, 1500, ON_TAPE | OP_OUT, ssc_write_6 },
	{ 0x10, -1, "WRITE FILEMARKS(6)", { 0x10, 0x01, 0xff, 0xff, 0xff }, 1800, ON_TAPE, ssc_write_filemarks_6 },
	{ 0x13, -1, "VERIFY(6)", { 0x13, 0x3f, 0xff, 0xff, 0xff }, 20000, ON_TAPE | OP_OUT, ssc_verify_6 },
	{ 0x80, -1, "WRITE FILEMARKS(16)", { 0x80, 0x0d, WHERE }, 1800, ON_TAPE, ssc_write_filemarks_16 },
	{ 0x82, -1, "ALLOW OVERWRITE", { 0x82, 0, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 60,
	  ON_TAPE, allow_overwrite },
	{ 0x88, -1, "READ(16)", { 0x88, 0x03, WHERE }, 1500, ON_TAPE, ssc_read_16 },
	{ 0x8a, -1, "WRITE(16)", { 0x8a, 0x0d, WHERE }, 1500, ON_TAPE | OP_OUT, ssc_write_16 },
	{ 0x8f, -1, "VERIFY(16)", { 0x8f, 0x3f, WHERE }, 20000, ON_TAPE | OP_OUT, ssc_verify_16 },
};

const struct op_group ssc_io_group = OP_GROUP(ops);
