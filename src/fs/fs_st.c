/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_st: open, read, write and close of an emulated tape device.  Behaviour follows st(4) and the notes on the
 * kernel's driver in its README; where a name of that driver is known to its users (EOD, FM) it is used here too.
 *
 * The kernel's driver remembers a filemark that it ran into with data in hand, and pretends not to have crossed it;
 * here the drive steps back over it, which is free, so position and pretence never differ.
 */
#include <errno.h>

#include "fs/fs_errno.h"
#include "fs/st_state.h"

int st_new(struct st **out)
{
	struct st *st = calloc(1, sizeof(*st));

	if (!st)
		return err_origin(-ENOMEM);
	pthread_mutex_init(&st->lock, NULL);
	st->buffering = 1;
	st->options = MT_ST_BUFFER_WRITES | MT_ST_ASYNC_WRITES | MT_ST_READ_AHEAD | MT_ST_CAN_BSR;
	*out = st;
	return 0;
}

struct st *st_free(struct st *st)
{
	if (!st)
		return NULL;
	pthread_mutex_destroy(&st->lock);
	free(st->rest);
	free(st);
	return NULL;
}

bool st_ready(const struct st *st)
{
	return st->d && !st->offline && drive_volume(st->d);
}

bool st_protected(const struct st *st)
{
	struct volume *v = st->d ? drive_volume(st->d) : NULL;

	return v && volume_attr(v)->protect;
}

void st_drop_rest(struct st *st)
{
	st->rest_at = st->rest_len = 0;
}

void st_new_session(struct st *st)
{
	st->eof = ST_NOEOF;
	st->rw = ST_IDLE;
	st->partition = 0;
	memset(st->visited, 0, sizeof(st->visited));
	st_drop_rest(st);
}

/* The same tape where the last program left it?  If not, what we remember of it is void. */
static void st_recognise(struct st *st)
{
	struct tape_pos pos;

	if (!st_ready(st) || drive_position(st->d, &pos)) {
		st_new_session(st);
		return;
	}
	if (st->volume != volume_attr(drive_volume(st->d))->id || pos.partition != st->left.partition ||
	    pos.object != st->left.object)
		st_new_session(st);
	st->partition = pos.partition;
}

static int st_check_open(struct st *st)
{
	if (st->flags & ST_OPEN_NONBLOCK)
		return 0;
	if (!st_ready(st))
		return -ENOMEDIUM;
	if ((st->flags & ST_OPEN_WRITE) && st_protected(st))
		return -EROFS;
	return 0;
}

int st_open(struct st *st, struct drive *d, const struct st_host *host, unsigned flags)
{
	LOCK_SCOPE(&st->lock);
	int r;

	st->d = d;
	st->host = host ? *host : (struct st_host){ 0 };
	st->flags = flags;
	st->offline = false;
	st->rw = ST_IDLE;
	st->marks = 0;
	st->unsynced = false;
	st_drop_rest(st);
	st_recognise(st);
	r = st_check_open(st);
	if (!r && (flags & ST_OPEN_APPEND)) {
		st->eof = ST_NOEOF;
		r = fs_errno(drive_space_eod(d));
	}
	if (r)
		st->d = NULL;
	return r;
}

int st_switch_partition(struct st *st)
{
	struct tape_pos pos;
	int r = drive_position(st->d, &pos);

	if (r || pos.partition == st->partition)
		return fs_errno(r);
	st->visited[pos.partition] = pos.object;
	st->eof = ST_NOEOF;
	st->rw = ST_IDLE;
	return fs_errno(drive_locate(st->d, st->partition, st->visited[st->partition]));
}

/* ---- close, and closes that were not the last ------------------------------------------------------------------ */

/* Two marks: the head stands between them, ready to write over the second. */
static int st_write_closing_marks(struct st *st)
{
	unsigned n = st->options & MT_ST_TWO_FM ? 2 : 1;
	int64_t done;
	int r = fs_errno(drive_write_filemarks(st->d, n, false));

	if (r)
		return r;
	st->marks = n;
	if (n == 2)
		r = fs_errno(drive_space_filemarks(st->d, -1, &done));
	return r;
}

static int st_flush_locked(struct st *st)
{
	int r = 0;

	if (!st_ready(st))
		return 0;
	if (st->rw == ST_WRITING && !st->marks)
		r = st_write_closing_marks(st);
	else if (st->unsynced)
		r = fs_errno(drive_flush(st->d));
	if (!r)
		st->unsynced = false;
	return r;
}

int st_flush(struct st *st)
{
	LOCK_SCOPE(&st->lock);

	return st_flush_locked(st);
}

int st_sync(struct st *st)
{
	LOCK_SCOPE(&st->lock);
	int r;

	if (!st_ready(st) || !st->unsynced)
		return 0;
	r = fs_errno(drive_flush(st->d));
	if (!r)
		st->unsynced = false;
	return r;
}

/* The program goes on after a flush: its marks were too early. A mark that will not go stays, and is a mark like
 * others. */
static int st_take_marks_back(struct st *st)
{
	unsigned n = st->marks;
	int64_t done;
	int r = 0;

	st->marks = 0;
	if (n == 2)
		r = drive_space_filemarks(st->d, 1, &done);
	while (!r && n-- > 0)
		r = drive_retract_filemark(st->d);
	st->unsynced = true;
	return fs_errno(r);
}

int st_begin(struct st *st)
{
	if (!st_ready(st))
		return -ENOMEDIUM;
	if (st->marks)
		return st_take_marks_back(st);
	return 0;
}

/* System V: a program that read part of a file and closes leaves the tape behind that file. BSD, the default:
 * where it is. */
static void st_leave_reading(struct st *st)
{
	int64_t done;

	if (!(st->options & MT_ST_SYSV) || st->rw != ST_READING || st->eof != ST_NOEOF)
		return;
	if (!drive_space_filemarks(st->d, 1, &done))
		st->eof = ST_FM;
}

static void st_remember(struct st *st)
{
	struct volume *v = drive_volume(st->d);

	st->volume = v ? volume_attr(v)->id : 0;
	if (drive_position(st->d, &st->left))
		st->volume = 0;
}

int st_close(struct st *st)
{
	LOCK_SCOPE(&st->lock);
	int r = st_flush_locked(st), r2;

	if (st->marks)
		st->eof = ST_FM;
	/* A change of partition that no operation has carried out yet. */
	if (st_ready(st)) {
		r2 = st_switch_partition(st);
		r = r ? r : r2;
	}
	if (st_ready(st) && (st->flags & ST_OPEN_REWIND)) {
		r2 = fs_errno(drive_rewind(st->d));
		st->eof = ST_NOEOF;
		r = r ? r : r2;
	} else if (st_ready(st)) {
		st_leave_reading(st);
	}
	st_remember(st);
	st->rw = ST_IDLE;
	st->marks = 0;
	st_drop_rest(st);
	st->d = NULL;
	return r;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

/*
 * What a read with nothing in hand says.  The end of data is 0 bytes only right behind a filemark (so after the last
 * file a program sees 0 twice), and then EIO; without a mark before it, EIO at once, as the kernel's driver has it.
 */
static int st_nothing_read(struct st *st, int r)
{
	if (r == TAPE_E_FILEMARK) {
		st->eof = ST_FM;
		return 0;
	}
	if (r == TAPE_E_EOD) {
		bool silent = st->eof == ST_FM || (st->flags & ST_OPEN_GENTLE);

		st->eof = ST_EOD;
		return silent ? 0 : -EIO;
	}
	return fs_errno(r);
}

static int st_read_variable(struct st *st, void *buf, size_t n, size_t *got)
{
	size_t len = 0, cap = n > TAPE_RECORD_MAX ? TAPE_RECORD_MAX : n;
	int r = drive_read_record(st->d, buf, cap, &len);

	if (r) {
		*got = 0;
		return st_nothing_read(st, r);
	}
	if (st->eof == ST_FM)
		st->eof = ST_NOEOF;
	*got = len;
	return 0;
}

static size_t st_take_rest(struct st *st, uint8_t *buf, size_t n)
{
	size_t k = st->rest_len < n ? st->rest_len : n;

	memcpy(buf, st->rest + st->rest_at, k);
	st->rest_at += k;
	st->rest_len -= k;
	return k;
}

/* One block into @buf, or into the rest if the program wants less than a block. */
static int st_read_block(struct st *st, uint8_t *buf, size_t n, size_t *got)
{
	bool whole = n >= st->block;
	size_t len = 0;
	int64_t done;
	int r = drive_read_record(st->d, whole ? buf : st->rest, st->block, &len);

	if (r == TAPE_E_LENGTH || (!r && len != st->block)) {
		/* Not a block of ours: stand before it, as the driver does after an incorrect length. */
		drive_space_records(st->d, -1, &done);
		return -EIO;
	}
	if (r)
		return r;
	*got = st->block;
	if (!whole) {
		st->rest_at = 0;
		st->rest_len = st->block;
		*got = st_take_rest(st, buf, n);
	}
	return 0;
}

/* With blocks in hand, what stopped us is for the next read: stand before it again. */
static void st_step_back(struct st *st, int r)
{
	int64_t done;

	if (r == TAPE_E_FILEMARK)
		drive_space_filemarks(st->d, -1, &done);
	else if (r == -EBADMSG)
		drive_space_records(st->d, -1, &done);
}

static int st_read_fixed(struct st *st, uint8_t *buf, size_t n, size_t *got)
{
	size_t total = st_take_rest(st, buf, n), k = 0;
	int r = 0;

	while (total < n) {
		r = st_read_block(st, buf + total, n - total, &k);
		if (r)
			break;
		total += k;
	}
	*got = total;
	if (total) {
		st_step_back(st, r);
		if (st->eof == ST_FM)
			st->eof = ST_NOEOF;
		return 0;
	}
	return st_nothing_read(st, r);
}

int st_read(struct st *st, void *buf, size_t n, size_t *got)
{
	LOCK_SCOPE(&st->lock);
	int r = st_begin(st);

	*got = 0;
	if (r || !n)
		return r;
	r = st_switch_partition(st);
	if (r)
		return r;
	st->rw = ST_READING;
	if (!st->rest_len && st->eof == ST_EOD)
		return -EIO;
	if (!st->block)
		return st_read_variable(st, buf, n, got);
	if (n % st->block && !(st->options & MT_ST_READ_AHEAD))
		return -EINVAL;
	return st_read_fixed(st, buf, n, got);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static int st_check_write(struct st *st, size_t n)
{
	if (st->block ? n % st->block : n > ST_RECORD_MAX)
		return -EINVAL;
	if (!(st->flags & ST_OPEN_WRITE) || st_protected(st))
		return -EACCES;
	/* README of st: the write that meets early warning succeeds; the next one is refused, the one after it
	 * allowed so that a trailer can be written; and so in turns until the medium ends. */
	if (st->eof == ST_EOM_OK) {
		st->eof = ST_EOM_WARNED;
		return -ENOSPC;
	}
	return st->eof == ST_EOM_ERROR ? -EIO : 0;
}

/* As many records as @n has.  *warned: early warning. */
static int st_write_records(struct st *st, const uint8_t *buf, size_t n, size_t *done, bool *warned)
{
	size_t each = st->block ? st->block : n;
	int r;

	for (*done = 0; *done < n; *done += each) {
		r = drive_write_record(st->d, buf + *done, each);
		if (r == TAPE_E_EARLY_WARNING)
			*warned = true;
		else if (r)
			return r;
	}
	return 0;
}

int st_write(struct st *st, const void *buf, size_t n, size_t *done)
{
	LOCK_SCOPE(&st->lock);
	bool warned = false;
	int r = st_begin(st);

	*done = 0;
	if (r || !n)
		return r;
	r = st_switch_partition(st);
	if (!r)
		r = st_check_write(st, n);
	if (r)
		return r;
	st_drop_rest(st);
	r = st_write_records(st, buf, n, done, &warned);
	/* Refused is not written: no mark is due for it, which would be refused as well and keep the tape in the
	 * drive. */
	if (*done || r != TAPE_E_PROTECTED) {
		st->rw = ST_WRITING;
		st->unsynced = true;
	}
	if (warned || r == TAPE_E_FULL || (!r && st->eof == ST_EOM_WARNED))
		st->eof = ST_EOM_OK;
	else if (!r)
		st->eof = ST_NOEOF;
	if (!r && !st->buffering)
		r = drive_flush(st->d);
	return *done && r == TAPE_E_FULL ? 0 : fs_errno(r);
}
