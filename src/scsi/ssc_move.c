/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_move: where the head goes, and where it is.  REWIND, SPACE, LOCATE, READ POSITION.
 *
 * A real drive writes what is in its buffer before it moves away from there; so do we: what was accepted is on disk
 * before the head moves; if that fails it is a deferred error, and nothing moves.  A motion of ours is a look into a
 * map, over before a status could be given, so IMMED changes nothing: the answer is always the whole one, and no error
 * comes later.
 *
 * What a motion meets is told as SSC-4 has it.  INFORMATION is what is left of the count, never negative: st(4) and its
 * kin count with it in both directions.
 */
#include "scsi/ssc_io.h"

static bool written_out(struct scsi_unit *u, struct scsi_task *t)
{
	int r = err_fold(drive_flush(u->ssc.drive));

	if (r)
		ssc_writes_lost(u, t, r);
	else
		ssc_committed(u);
	return !r;
}

/* ---- REWIND ----------------------------------------------------------------------------------------------------- */

/* To the beginning of the partition that it is in.  From there somebody else may have the drive. */
static void rewind_tape(struct scsi_unit *u, struct scsi_task *t)
{
	int r;

	if (!written_out(u, t))
		return;
	r = err_fold(drive_rewind(u->ssc.drive));
	r = r ? r : ssc_give_back(u);
	if (r)
		task_failed(t, r);
}

/* ---- SPACE ------------------------------------------------------------------------------------------------------ */

enum { SPACE_BLOCKS, SPACE_FILEMARKS, SPACE_SEQUENTIAL_FILEMARKS, SPACE_END_OF_DATA };

/* The motion ended with @r behind @done of @count. */
static void space_ended(struct scsi_task *t, int r, int64_t count, int64_t done)
{
	/* Two's complement, so that the most negative count has a distance, too. */
	uint64_t left = count < 0 ? (uint64_t)done - (uint64_t)count : (uint64_t)count - (uint64_t)done;
	struct sense s = { .valid = left <= INT64_MAX, .info = (int64_t)left };

	switch (r) {
	case 0:
		return;
	case TAPE_E_FILEMARK:
		s.filemark = true;
		s.code = ASC_FILEMARK;
		break;
	case TAPE_E_BOP:
		s.eom = true;
		s.code = ASC_BEGINNING_OF_MEDIUM;
		break;
	case TAPE_E_EOD:
		s.key = BLANK_CHECK;
		s.code = ASC_END_OF_DATA;
		break;
	default:
		task_failed(t, err_fold(r));
		return;
	}
	task_sense(t, &s);
}

/* Sequential filemarks are refused, as LTO drives do; and setmarks (4, 5) have gone with SSC-3. */
static void space(struct scsi_unit *u, struct scsi_task *t, int64_t count)
{
	struct drive *d = u->ssc.drive;
	unsigned code = t->cdb[1] & 0x0f;
	int64_t done = 0;
	int r;

	if (code == SPACE_SEQUENTIAL_FILEMARKS || code > SPACE_END_OF_DATA) {
		task_bad_cdb(t, 1, 3);
		return;
	}
	if (!written_out(u, t))
		return;
	if (code == SPACE_BLOCKS)
		r = drive_space_records(d, count, &done);
	else if (code == SPACE_FILEMARKS)
		r = drive_space_filemarks(d, count, &done);
	else
		r = drive_space_eod(d);
	space_ended(t, r, count, done);
}

static void space_6(struct scsi_unit *u, struct scsi_task *t)
{
	uint32_t count = get_be32(t->cdb + 1) & 0xffffff;

	space(u, t, count & 0x800000 ? (int64_t)count - 0x1000000 : (int64_t)count);
}

static void space_16(struct scsi_unit *u, struct scsi_task *t)
{
	space(u, t, (int64_t)get_be64(t->cdb + 4));
}

/* ---- LOCATE ----------------------------------------------------------------------------------------------------- */

enum { LOCATE_OBJECT = 0, LOCATE_FILE = 1, LOCATE_END_OF_DATA = 3 };

/* @cp: change to the partition that byte @at of the CDB names; else stay. */
static void locate(struct scsi_unit *u, struct scsi_task *t, unsigned what, uint64_t id, bool cp, unsigned at)
{
	struct drive *d = u->ssc.drive;
	struct tape_pos pos;
	uint32_t partition;
	int r;

	if (cp && t->cdb[at] >= volume_partitions(drive_volume(d))) {
		task_bad_cdb(t, at, 7);
		return;
	}
	if (!written_out(u, t))
		return;
	r = drive_position(d, &pos);
	partition = cp ? t->cdb[at] : pos.partition;
	if (!r && what == LOCATE_FILE)
		r = drive_locate_file(d, partition, id);
	else if (!r)
		r = drive_locate(d, partition, what == LOCATE_OBJECT ? id : UINT64_MAX);
	/* To the end of data is where one who asks for it wants to be. */
	if (r == TAPE_E_EOD && what == LOCATE_END_OF_DATA)
		r = 0;
	if (r == TAPE_E_EOD)
		task_check(t, BLANK_CHECK, ASC_END_OF_DATA);
	else if (r)
		task_failed(t, err_fold(r));
}

/* With BT an address is the device's own; ours are those of logical objects. */
static void locate_10(struct scsi_unit *u, struct scsi_task *t)
{
	locate(u, t, LOCATE_OBJECT, get_be32(t->cdb + 3), t->cdb[1] & 0x02, 8);
}

static void locate_16(struct scsi_unit *u, struct scsi_task *t)
{
	unsigned what = t->cdb[1] >> 3 & 0x07;

	if (what != LOCATE_OBJECT && what != LOCATE_FILE && what != LOCATE_END_OF_DATA)
		task_bad_cdb(t, 1, 5);
	else
		locate(u, t, what, get_be64(t->cdb + 4), t->cdb[1] & 0x02, 3);
}

/* ---- READ POSITION ---------------------------------------------------------------------------------------------- */

enum { BOP = 0x80, EOP = 0x40, LOLU = 0x04, PERR = 0x02, BPEW = 0x01 };

struct place {
	struct tape_pos pos;
	uint8_t bits;
};

/* Is the programmable early warning (mode page 10h, 01h) behind the head?  It lies so many megabytes before the early
 * warning of the tape, which comes with a tenth of the capacity, at most 64 MiB (tape.h).  Without one: never. */
int ssc_beyond_programmable(struct scsi_unit *u, const struct tape_pos *pos, bool *beyond)
{
	struct volume *v = drive_volume(u->ssc.drive);
	uint64_t all = 0, left = 0, early, programmed = u->ssc.mode.pews_mb * 1000000ull;
	struct tape_tally at, end;
	int r;

	*beyond = false;
	if (!programmed)
		return 0;
	r = ssc_capacity(u, pos->partition, &all, &left);
	r = r ? r : volume_end(v, pos->partition, &end);
	r = r ? r : volume_tally(v, pos->partition, pos->object, &at);
	if (r)
		return r;
	early = all / 10 < (64u << 20) ? all / 10 : 64u << 20;
	/* What is left counts from the end of data. */
	*beyond = left + (end.bytes - at.bytes) <= early + programmed;
	return 0;
}

static bool place_find(struct scsi_unit *u, struct scsi_task *t, struct place *p)
{
	bool beyond;
	int r = drive_position(u->ssc.drive, &p->pos);

	r = r ? r : ssc_beyond_programmable(u, &p->pos, &beyond);
	if (r) {
		task_failed(t, err_fold(r));
		return false;
	}
	p->bits = (uint8_t)((p->pos.object ? 0 : BOP) | (drive_at_early_warning(u->ssc.drive) ? EOP : 0) |
			    (beyond ? BPEW : 0));
	return true;
}

/*
 * 20 bytes.  The first object is the next that goes between host and drive, the last the next between buffer and
 * medium: the same, for no object that a host could ask about waits in between.  A place that 32 bits do not hold is
 * told as an overflow (PERR) and not known (LOLU, at which st(4) stops).
 */
static void position_short(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t b[20] = { 0 };
	struct place p;

	if (!place_find(u, t, &p))
		return;
	b[0] = p.bits;
	b[1] = (uint8_t)p.pos.partition;
	if (p.pos.object > UINT32_MAX) {
		b[0] |= LOLU | PERR;
	} else {
		put_be32(b + 4, (uint32_t)p.pos.object);
		put_be32(b + 8, (uint32_t)p.pos.object);
	}
	task_put(t, b, sizeof(b), sizeof(b));
}

/* 32 bytes.  Object and file are always known: LONU and MPU stay 0. */
static void position_long(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t b[32] = { 0 };
	struct place p;

	if (!place_find(u, t, &p))
		return;
	b[0] = p.bits;
	put_be32(b + 4, p.pos.partition);
	put_be64(b + 8, p.pos.object);
	put_be64(b + 16, p.pos.file);
	task_put(t, b, sizeof(b), sizeof(b));
}

static void position_extended(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t b[32] = { 0 };
	struct place p;

	if (!place_find(u, t, &p))
		return;
	b[0] = p.bits;
	b[1] = (uint8_t)p.pos.partition;
	put_be16(b + 2, sizeof(b) - 4);
	put_be64(b + 8, p.pos.object);
	put_be64(b + 16, p.pos.object);
	task_put(t, b, sizeof(b), get_be16(t->cdb + 7));
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

#define ON_TAPE (OP_MEDIUM | OP_TAPE)
static const struct op ops[] = {
	{ 0x01, -1, "REWIND", { 0x01, 0x01 }, 900, ON_TAPE, rewind_tape },
	{ 0x11, -1, "SPACE(6)", { 0x11, 0x0f, 0xff, 0xff, 0xff }, 1800, ON_TAPE, space_6 },
	{ 0x2b, -1, "LOCATE(10)", { 0x2b, 0x07, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff }, 1800, ON_TAPE, locate_10 },
	{ 0x34, 0x00, "READ POSITION (short form)", { 0x34, 0x1f }, 60, ON_TAPE, position_short },
	{ 0x34, 0x01, "READ POSITION (short form, vendor-specific)", { 0x34, 0x1f }, 60, ON_TAPE, position_short },
	{ 0x34, 0x06, "READ POSITION (long form)", { 0x34, 0x1f }, 60, ON_TAPE, position_long },
	{ 0x34, 0x08, "READ POSITION (extended form)", { 0x34, 0x1f, 0, 0, 0, 0, 0, 0xff, 0xff }, 60, ON_TAPE,
	  position_extended },
	{ 0x91, -1, "SPACE(16)", { 0x91, 0x0f, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 1800,
	  ON_TAPE, space_16 },
	{ 0x92, -1, "LOCATE(16)", { 0x92, 0x3b, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 1800,
	  ON_TAPE, locate_16 },
};

const struct op_group ssc_move_group = OP_GROUP(ops);
