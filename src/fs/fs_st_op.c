/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_st_op: MTIOCTOP, MTIOCGET and MTIOCPOS.  A table says for every operation what st does before it (a mark after
 * writing, forgetting that the program was writing) and which function carries it out.
 */
#include <errno.h>

#include "fs/fs_errno.h"
#include "fs/st_state.h"

enum {
	OP_MARKS = 1,		/* if the program was writing, a filemark is written first */
	OP_KEEPS = 2,		/* a close after it still writes the mark of a write before it */
	OP_CHANGES = 4,		/* refused on a protected tape and to a reader */
	OP_ANYTIME = 8,		/* also without a tape */
	OP_SAME_PARTITION = 16,	/* does not carry out a pending change of the partition */
};

struct st_operation {
	unsigned how;
	int (*run)(struct st *st, int64_t n);
};

/* ---- motion ---------------------------------------------------------------------------------------------------- */

static int op_files(struct st *st, int64_t n)
{
	int64_t done;
	int r = drive_space_filemarks(st->d, n, &done);

	if (r == TAPE_E_EOD)
		st->eof = ST_EOD;
	else
		st->eof = !r && n > 0 ? ST_FM : ST_NOEOF;
	return fs_errno(r);
}

static int op_fsf(struct st *st, int64_t n)
{
	return op_files(st, n);
}

static int op_bsf(struct st *st, int64_t n)
{
	return op_files(st, -n);
}

static int op_fsfm(struct st *st, int64_t n)
{
	int r = op_files(st, n);

	return r ? r : op_files(st, -1);
}

static int op_bsfm(struct st *st, int64_t n)
{
	int r = op_files(st, -n);

	return r ? r : op_files(st, 1);
}

static int op_records(struct st *st, int64_t n)
{
	int64_t done;
	int r = drive_space_records(st->d, n, &done);

	if (r == TAPE_E_EOD)
		st->eof = ST_EOD;
	else
		st->eof = r == TAPE_E_FILEMARK && n > 0 ? ST_FM : ST_NOEOF;
	return fs_errno(r);
}

static int op_fsr(struct st *st, int64_t n)
{
	return op_records(st, n);
}

static int op_bsr(struct st *st, int64_t n)
{
	return op_records(st, -n);
}

static int op_rewind(struct st *st, int64_t n)
{
	st->eof = ST_NOEOF;
	return fs_errno(drive_rewind(st->d));
}

static int op_eom(struct st *st, int64_t n)
{
	st->eof = ST_EOD;
	return fs_errno(drive_space_eod(st->d));
}

/* Also carries out a change of partition, and then remembers where the other one was left. */
static int op_seek(struct st *st, int64_t n)
{
	struct tape_pos pos;
	int r;

	if (n < 0)
		return -EINVAL;
	r = fs_errno(drive_position(st->d, &pos));
	if (r)
		return r;
	st->visited[pos.partition] = pos.object;
	r = drive_locate(st->d, st->partition, (uint64_t)n);
	st->eof = r == TAPE_E_EOD ? ST_EOD : ST_NOEOF;
	return fs_errno(r);
}

static int op_nop(struct st *st, int64_t n)
{
	return st->unsynced ? fs_errno(drive_flush(st->d)) : 0;
}

/* ---- what changes the tape ------------------------------------------------------------------------------------- */

static int st_marks(struct st *st, int64_t n, bool immed)
{
	int r;

	if (n < 0)
		return -EINVAL;
	r = drive_write_filemarks(st->d, (unsigned)n, immed);
	st->eof = ST_NOEOF;
	st->unsynced = immed || r > 0;
	/* Marks behind early warning are written, and that is success (st: "EOF(s) written successfully at EOM"). */
	return fs_errno(r);
}

static int op_weof(struct st *st, int64_t n)
{
	return st_marks(st, n, false);
}

static int op_weofi(struct st *st, int64_t n)
{
	return st_marks(st, n, true);
}

static int op_erase(struct st *st, int64_t n)
{
	int r = drive_erase(st->d);

	st->eof = ST_NOEOF;
	st->unsynced = true;
	return fs_errno(r);
}

/* Setmarks are gone since SSC-3; drives reject them. */
static int op_setmarks(struct st *st, int64_t n)
{
	return -EIO;
}

static int op_setpart(struct st *st, int64_t n)
{
	if (!(st->options & MT_ST_CAN_PARTITIONS) || n < 0 || n >= volume_partitions(drive_volume(st->d)))
		return -EINVAL;
	st->partition = (uint32_t)n;
	return 0;
}

/* Partitions are of equal size here, whatever size is asked for. */
static int op_mkpart(struct st *st, int64_t n)
{
	int r;

	if (!(st->options & MT_ST_CAN_PARTITIONS))
		return -EINVAL;
	r = drive_locate(st->d, 0, 0);
	if (!r)
		r = drive_format(st->d, n ? 2 : 1);
	st_new_session(st);
	st->unsynced = true;
	return fs_errno(r);
}

/* ---- the cartridge --------------------------------------------------------------------------------------------- */

static int op_unload(struct st *st, int64_t n)
{
	int r;

	if (!st_ready(st))
		return -ENOMEDIUM;
	if (st->host.eject) {
		r = st->host.eject(st->host.ctx);
	} else {
		r = drive_rewind(st->d);
		st->offline = true;
	}
	if (!r)
		st_new_session(st);
	return fs_errno(r);
}

static int op_lock(struct st *st, int64_t n)
{
	if (st->host.lock)
		st->host.lock(st->host.ctx, true);
	return 0;
}

static int op_unlock(struct st *st, int64_t n)
{
	if (st->host.lock)
		st->host.lock(st->host.ctx, false);
	return 0;
}

/* MTOFFL opens a locked door first; MTUNLOAD does not. */
static int op_offline(struct st *st, int64_t n)
{
	op_unlock(st, 0);
	return op_unload(st, n);
}

static int op_load(struct st *st, int64_t n)
{
	int r = st->host.load ? st->host.load(st->host.ctx) : drive_rewind(st->d);

	if (r)
		return r < 0 ? -EIO : fs_errno(r);
	st->offline = false;
	st_new_session(st);
	return 0;
}

/* ---- modes ----------------------------------------------------------------------------------------------------- */

static int op_setblk(struct st *st, int64_t n)
{
	uint32_t block = (uint32_t)n & MT_ST_BLKSIZE_MASK;
	uint8_t *rest = NULL;

	if (n < 0 || block > ST_RECORD_MAX)
		return -EINVAL;
	if (block) {
		rest = malloc(block);
		if (!rest)
			return err_origin(-ENOMEM);
	}
	free(st->rest);
	st->rest = rest;
	st->block = block;
	return 0;
}

static int op_setdensity(struct st *st, int64_t n)
{
	return n == 0 || n == ST_DENSITY ? 0 : -EIO;
}

/* What a block costs on disk is the pool's business; the switch is there and does nothing, as for data that is
 * compressed. */
static int op_compression(struct st *st, int64_t n)
{
	return 0;
}

static int op_setdrvbuffer(struct st *st, int64_t n)
{
	uint32_t arg = (uint32_t)n, bits = arg & ~(uint32_t)MT_ST_OPTIONS;

	switch (arg & MT_ST_OPTIONS) {
	case 0:
		if (bits > 2)
			return -EIO;
		st->buffering = bits;
		return 0;
	case MT_ST_BOOLEANS:
		st->options = bits;
		return 0;
	case MT_ST_SETBOOLEANS:
		st->options |= bits;
		return 0;
	case MT_ST_CLEARBOOLEANS:
		st->options &= ~bits;
		return 0;
	case MT_ST_DEF_BLKSIZE:
		return bits == (uint32_t)~MT_ST_OPTIONS ? 0 : op_setblk(st, bits);
	case MT_ST_WRITE_THRESHOLD:
	case MT_ST_TIMEOUTS:
	case MT_ST_DEF_OPTIONS:
	case MT_ST_SET_CLN:
		return 0;	/* settings of hardware that is not there */
	default:
		return -EIO;
	}
}

static const struct st_operation operations[] = {
	[MTFSF] = { 0, op_fsf },
	[MTBSF] = { OP_MARKS, op_bsf },
	[MTFSR] = { 0, op_fsr },
	[MTBSR] = { 0, op_bsr },
	[MTWEOF] = { OP_CHANGES, op_weof },
	[MTREW] = { OP_MARKS, op_rewind },
	[MTOFFL] = { OP_MARKS | OP_SAME_PARTITION, op_offline },
	[MTNOP] = { OP_KEEPS, op_nop },
	[MTRETEN] = { 0, op_rewind },
	[MTBSFM] = { OP_MARKS, op_bsfm },
	[MTFSFM] = { 0, op_fsfm },
	[MTEOM] = { 0, op_eom },
	[MTERASE] = { OP_CHANGES, op_erase },
	[MTSETBLK] = { OP_KEEPS, op_setblk },
	[MTSETDENSITY] = { OP_KEEPS, op_setdensity },
	[MTSEEK] = { OP_MARKS | OP_SAME_PARTITION, op_seek },
	[MTSETDRVBUFFER] = { OP_KEEPS | OP_ANYTIME | OP_SAME_PARTITION, op_setdrvbuffer },
	[MTFSS] = { 0, op_setmarks },
	[MTBSS] = { 0, op_setmarks },
	[MTWSM] = { OP_KEEPS | OP_CHANGES, op_setmarks },
	[MTLOCK] = { OP_SAME_PARTITION, op_lock },
	[MTUNLOCK] = { OP_SAME_PARTITION, op_unlock },
	[MTLOAD] = { OP_ANYTIME | OP_SAME_PARTITION, op_load },
	[MTUNLOAD] = { OP_SAME_PARTITION, op_unload },
	[MTCOMPRESSION] = { 0, op_compression },
	[MTSETPART] = { OP_KEEPS | OP_SAME_PARTITION, op_setpart },
	[MTMKPART] = { OP_CHANGES | OP_SAME_PARTITION, op_mkpart },
	[MTWEOFI] = { OP_CHANGES, op_weofi },
};

/* What st does to a tape that was being written before the program's operation moves away from the end. */
static int st_finish_writing(struct st *st, const struct st_operation *o, int op, int64_t *n)
{
	int r;

	if (st->rw != ST_WRITING || !(o->how & OP_MARKS))
		return 0;
	r = fs_errno(drive_write_filemarks(st->d, 1, false));
	if (r)
		return r;
	/* The mark is ours: the program counts without it. */
	if (op == MTBSF || op == MTBSFM)
		++*n;
	return 0;
}

static int st_prepare(struct st *st, const struct st_operation *o, int op, int64_t *n)
{
	int r;

	st_drop_rest(st);
	r = st_begin(st);
	if (r)
		return r;
	r = st_finish_writing(st, o, op, n);
	if (r)
		return r;
	if (!(o->how & OP_KEEPS))
		st->rw = ST_IDLE;
	if ((o->how & OP_CHANGES) && (!(st->flags & ST_OPEN_WRITE) || st_protected(st)))
		return -EACCES;
	return o->how & OP_SAME_PARTITION ? 0 : st_switch_partition(st);
}

int st_op(struct st *st, int op, int count, bool root)
{
	LOCK_SCOPE(&st->lock);
	const struct st_operation *o = operations + op;
	int64_t n = count;
	int r = 0;

	if (op < 0 || op >= (int)ARRAY_LEN(operations) || !o->run)
		return -ENOSYS;
	if (op == MTSETDRVBUFFER && !root)
		return -EPERM;
	if (!(o->how & OP_ANYTIME) || st_ready(st))
		r = st_prepare(st, o, op, &n);
	return r ? r : o->run(st, n);
}

/* ---- status ---------------------------------------------------------------------------------------------------- */

static long st_status_bits(struct st *st, const struct mtget *g)
{
	long bits = GMT_ONLINE(~0ul);

	if (st_protected(st))
		bits |= GMT_WR_PROT(~0ul);
	if (!g->mt_blkno)
		bits |= g->mt_fileno ? GMT_EOF(~0ul) : GMT_BOT(~0ul);
	if (st->eof == ST_EOM_OK || st->eof == ST_EOM_ERROR)
		bits |= GMT_EOT(~0ul);
	else if (st->eof > ST_EOM_OK)
		bits |= GMT_EOD(~0ul);
	if (st->buffering)
		bits |= GMT_IM_REP_EN(~0ul);
	return bits;
}

int st_get(struct st *st, struct mtget *out)
{
	LOCK_SCOPE(&st->lock);
	struct mtget g = { .mt_type = MT_ISSCSI2, .mt_fileno = -1, .mt_blkno = -1 };
	struct tape_pos pos;
	int r;

	st_drop_rest(st);
	if (!st_ready(st)) {
		g.mt_gstat = GMT_DR_OPEN(~0ul);
		if (st->buffering)
			g.mt_gstat |= GMT_IM_REP_EN(~0ul);
		*out = g;
		return 0;
	}
	r = st_begin(st);
	if (!r)
		r = st_switch_partition(st);
	if (!r)
		r = fs_errno(drive_position(st->d, &pos));
	if (r)
		return r;
	g.mt_dsreg = (long)ST_DENSITY << MT_ST_DENSITY_SHIFT | st->block;
	g.mt_resid = pos.partition;
	g.mt_fileno = (__kernel_daddr_t)pos.file;
	g.mt_blkno = (__kernel_daddr_t)pos.block;
	g.mt_gstat = st_status_bits(st, &g);
	*out = g;
	return 0;
}

int st_pos(struct st *st, struct mtpos *out)
{
	LOCK_SCOPE(&st->lock);
	struct tape_pos pos;
	int r = st_ready(st) ? st_begin(st) : -EIO;

	st_drop_rest(st);
	if (!r)
		r = st_switch_partition(st);
	if (!r)
		r = fs_errno(drive_position(st->d, &pos));
	if (!r)
		out->mt_blkno = (long)pos.object;
	return r;
}
