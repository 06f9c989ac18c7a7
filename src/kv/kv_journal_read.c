/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the journal.  Its bytes are foreign: damaged ones are passed over and told, and what cannot be read from the
 * disk counts as damaged.  A frame's head has a sum of its own, so a damaged payload is stepped over by its length;
 * only behind a damaged head the next one is searched for.  Memory: one window, or one frame if that is longer.
 *
 * The end of the last log is special.  A power cut may leave of what nobody had synced the later parts without the
 * earlier ones; that is no damage, the log ends before the hole.  It is damage if what is behind the hole says that the
 * missing batches were on disk already when it was written.
 */
#include "kv/kv_journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define WINDOW_BYTES (256u << 10)
#define SECTOR_BYTES 4096u

enum { NEXT_END = 1, NEXT_DAMAGED };

struct reader {
	struct jfile *f;
	uint64_t id;		/* of its frames; 0: the first frame's */
	uint64_t at, size;	/* the next byte to look at; how many there are */
	uint64_t win_at;	/* the window: bytes of the file from here on */
	struct buf win;
};

static void reader_fini(struct reader *r)
{
	jfile_close(r->f);
	buf_fini(&r->win);
}

/* What the disk does not give is zeros, which fit no sum. */
static int read_or_zero(struct reader *r, uint8_t *to, size_t len, uint64_t off)
{
	int result = r->f->ops->pread(r->f, to, len, off);

	if (result != -EIO)
		return result;
	for (size_t done = 0, n; done < len; done += n) {
		n = SECTOR_BYTES - (off + done) % SECTOR_BYTES;
		if (n > len - done)
			n = len - done;
		result = r->f->ops->pread(r->f, to + done, n, off + done);
		if (result == -EIO)
			memset(to + done, 0, n);
		else if (result)
			return result;
	}
	return 0;
}

/* @len bytes from @off on, which the file has; borrowed until the next call. */
static int window(struct reader *r, uint64_t off, size_t len, const uint8_t **out)
{
	uint64_t want = len > WINDOW_BYTES ? len : WINDOW_BYTES;
	int result;

	if (off < r->win_at || off + len > r->win_at + r->win.len) {
		if (want > r->size - off)
			want = r->size - off;
		r->win.len = 0;
		result = buf_reserve(&r->win, want);
		if (!result)
			result = read_or_zero(r, r->win.data, want, off);
		if (result)
			return result;
		r->win_at = off;
		r->win.len = want;
	}
	*out = r->win.data + (off - r->win_at);
	return 0;
}

/* Is there a head at @at?  0, NEXT_DAMAGED. */
static int head_at(struct reader *r, uint64_t at, struct journal_frame *f)
{
	const uint8_t *p;
	int result;

	if (r->size - at < JOURNAL_FRAME_BYTES)
		return NEXT_DAMAGED;
	result = window(r, at, JOURNAL_FRAME_BYTES, &p);
	if (result)
		return result;
	if (!journal_frame_unpack(p, f) || (r->id && f->id != r->id))
		return NEXT_DAMAGED;
	return 0;
}

static int search_head(struct reader *r)
{
	struct journal_frame f;
	int result = NEXT_DAMAGED;

	while (result == NEXT_DAMAGED && r->at < r->size)
		result = head_at(r, ++r->at, &f);
	return result < 0 ? result : NEXT_DAMAGED;
}

/* The next frame and its payload, borrowed until the next call.  NEXT_END; NEXT_DAMAGED: something was passed over. */
static int next(struct reader *r, struct journal_frame *f, const uint8_t **payload)
{
	int result;

	if (r->at >= r->size)
		return NEXT_END;
	result = head_at(r, r->at, f);
	if (result == NEXT_DAMAGED)
		return search_head(r);
	if (result)
		return result;
	if (f->len > r->size - r->at - JOURNAL_FRAME_BYTES) {
		r->at = r->size;
		return NEXT_DAMAGED;
	}
	result = window(r, r->at + JOURNAL_FRAME_BYTES, f->len, payload);
	if (result)
		return result;
	r->at += JOURNAL_FRAME_BYTES + f->len;
	if (f->sum != sum64(*payload, f->len))
		return NEXT_DAMAGED;
	r->id = f->id;
	return 0;
}

/* ---- headers ---- */

static int open_file(struct jdir *d, enum journal_kind kind, uint64_t number, const char *name, struct reader *r,
		     struct journal_header *h)
{
	char own[JOURNAL_NAME_MAX];
	const uint8_t *p;
	int result;

	*r = (struct reader){ 0 };
	journal_name(kind, number, own);
	result = d->ops->open(d, name ? name : own, &r->f);
	if (!result)
		result = r->f->ops->size(r->f, &r->size);
	if (!result && r->size < JOURNAL_HEADER_BYTES)
		return KV_E_NONE;
	if (!result)
		result = window(r, 0, JOURNAL_HEADER_BYTES, &p);
	if (result)
		return result;
	r->at = JOURNAL_HEADER_BYTES;
	result = journal_header_unpack(p, kind, h);
	if (!result && h->number != number)
		result = KV_E_NONE;
	if (!result)
		r->id = h->id;
	return result;
}

int journal_read_header(struct jdir *d, enum journal_kind kind, uint64_t number, struct journal_header *out,
			uint64_t *size)
{
	CLEANUP(reader_fini) struct reader r;
	int result;

	result = open_file(d, kind, number, NULL, &r, out);
	*size = r.size;
	return result;
}

/* ---- telling ---- */

static int tell(const struct journal_reading *r, enum journal_kind kind, uint64_t number, uint64_t parts,
		const char *fmt, ...) PRINTF_LIKE(5, 6);

static int tell(const struct journal_reading *r, enum journal_kind kind, uint64_t number, uint64_t parts,
		const char *fmt, ...)
{
	char name[JOURNAL_NAME_MAX], what[128];
	struct buf text = BUF_INIT;
	va_list ap;
	int result;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	journal_name(kind, number, name);
	result = buf_printf(&text, "%s/%s: %s", r->dir->path, name, what);
	if (!result)
		result = r->damage(r->ctx, parts, (const char *)text.data);
	buf_fini(&text);
	return result;
}

static int tell_missing(const struct journal_reading *r, uint64_t log, uint64_t from, uint64_t to)
{
	return tell(r, JOURNAL_LOG, log, to - from + 1, "batches %llu to %llu are damaged or missing",
		    (unsigned long long)from, (unsigned long long)to);
}

/* ---- a log ---- */

/* Without a header nothing tells what is void in the log before. */
static int log_begin(const struct journal_reading *r, const struct journal_log_part *part, struct reader *rd,
		     uint64_t *have)
{
	struct journal_header h;
	int result;

	result = open_file(r->dir, JOURNAL_LOG, part->log, NULL, rd, &h);
	if (result == KV_E_NONE && rd->size <= JOURNAL_HEADER_BYTES) {
		rd->at = rd->size;	/* its making was cut off: no batch was ever in it */
		return 0;
	}
	if (result == KV_E_NONE)
		return tell(r, JOURNAL_LOG, part->log, 1, "its header is damaged");
	if (result)
		return result;
	if (h.follows > *have) {
		result = tell_missing(r, part->log, *have + 1, h.follows);
		*have = h.follows;
	}
	return result;
}

int journal_read_log(const struct journal_reading *r, const struct journal_log_part *part, uint64_t *have,
		     uint64_t *end, bool *whole)
{
	CLEANUP(reader_fini) struct reader rd;
	uint64_t expected, size;
	struct journal_frame f;
	const uint8_t *p;
	bool hole = false, holes = false;
	int result;

	result = log_begin(r, part, &rd, have);
	if (result)
		return result;
	size = rd.size;
	if (rd.size > part->bytes)
		rd.size = part->bytes;
	if (part->from)
		rd.at = part->from;
	*end = rd.at;
	expected = *have + 1 > part->log ? *have + 1 : part->log;

	while ((result = next(&rd, &f, &p)) != NEXT_END) {
		if (result < 0)
			return result;
		if (result == NEXT_DAMAGED) {
			hole = true;
			continue;
		}
		if (f.kind != JOURNAL_BATCH || f.number > part->until)
			break;
		if (f.number > expected) {
			if (hole && part->last && f.synced < expected)
				break;
			result = tell_missing(r, part->log, expected, f.number - 1);
			if (result)
				return result;
		}
		holes = holes || hole;
		hole = false;
		*end = rd.at;
		if (f.number < expected)
			continue;
		*have = f.number;
		expected = f.number + 1;
		result = r->payload(r->ctx, &f, p, part->log, rd.at);
		if (result == -EUCLEAN)
			result = tell(r, JOURNAL_LOG, part->log, 1, "batch %llu makes no sense",
				      (unsigned long long)f.number);
		if (result)
			return result;
	}
	*whole = *end == size && !holes;
	return 0;
}

/* ---- a checkpoint ---- */

/* The blocks up to @number were expected, @expected is the first that is not there. */
static int blocks_missing(const struct journal_reading *r, uint64_t checkpoint, uint64_t expected, uint64_t number)
{
	if (number <= expected)
		return 0;
	return tell(r, JOURNAL_CHECKPOINT, checkpoint, number - expected,
		    "%llu blocks of rows from %llu on are damaged", (unsigned long long)(number - expected),
		    (unsigned long long)expected);
}

int journal_read_checkpoint(const struct journal_reading *r, uint64_t number)
{
	CLEANUP(reader_fini) struct reader rd;
	struct journal_frame f = { .kind = JOURNAL_ROWS };
	uint64_t expected = 1;
	struct journal_header h;
	const uint8_t *p = NULL;
	int result;

	result = open_file(r->dir, JOURNAL_CHECKPOINT, number, r->name, &rd, &h);
	if (result == KV_E_NONE)
		result = tell(r, JOURNAL_CHECKPOINT, number, 1, "its header is damaged");
	if (result)
		return result;
	while ((result = next(&rd, &f, &p)) != NEXT_END) {
		if (result < 0)
			return result;
		if (result == NEXT_DAMAGED || f.kind == JOURNAL_BATCH || f.number < expected)
			continue;
		result = blocks_missing(r, number, expected, f.number);
		if (!result)
			result = r->payload(r->ctx, &f, p, 0, rd.at);
		if (result == -EUCLEAN)
			result = tell(r, JOURNAL_CHECKPOINT, number, 1, "block %llu makes no sense",
				      (unsigned long long)f.number);
		if (result)
			return result;
		expected = f.number + 1;
		if (f.kind == JOURNAL_END)
			return 0;
	}
	return tell(r, JOURNAL_CHECKPOINT, number, 1, "its end is missing");
}
