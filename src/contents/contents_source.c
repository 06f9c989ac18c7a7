/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tape file as an archive is read from.  The tape is looked at (library_look()), never claimed: so this is in
 * nobody's way, and the tape may be written over at any moment.  Therefore every read is followed by the question
 * whether the tape still has the file (its last object in its stretch): if so, what was read is of that file, for a
 * stretch that is gone does not come back while the tape is looked at.
 *
 * Bytes are fetched by the thread that asks, so at its priority; the store's own reading ahead, which other threads
 * do, is not used.  Reads that follow each other fetch a block at a time.
 */
#include "contents/keep.h"

#include <errno.h>

#define BLOCK_BYTES (512u << 10)
#define HURT_MAX 65536u		/* ranges of one file that are known to be damaged */
#define ASKED_MAX 64u		/* it walks maps; what is found later takes a whole read with it */

struct hurt { uint64_t from, to; };	/* of the tape file */

struct contents_source {
	struct contents *c;
	struct contents_file f;
	struct tarball_source src;
	uint64_t read_bytes;
	bool (*stop)(void *ctx);	/* NULL: nobody is asked */
	void *stop_ctx;

	struct volume *vol;		/* NULL: not looked at */
	struct volume_reader *reader;
	bool lists;			/* contents_source_lists() */

	uint64_t until;			/* nothing behind is read ahead */
	uint8_t *block;
	uint64_t block_at, next;	/* next: where the last read ended */
	size_t block_len;

	struct hurt *hurt;		/* in order */
	size_t hurts;
	unsigned asked;			/* so often what is damaged */
	bool failed;			/* what was not known to be */
};

/* ---- looking --------------------------------------------------------------------------------------------------- */

void contents_source_let_go(struct contents_source *s)
{
	if (!s->vol)
		return;
	s->reader = volume_reader_free(s->reader);
	s->vol = NULL;
	library_look_end(s->c->lib, s->f.volume);
}

static int gone(const struct contents_source *s)
{
	return err_explain(-ESTALE, "file %llu of volume number %llu is not on the tape any more",
			   (unsigned long long)s->f.file, (unsigned long long)s->f.volume);
}

static int source_look(struct contents_source *s)
{
	struct volume *v = NULL;
	int r = s->vol ? 0 : library_look(s->c->lib, s->f.volume, &v);

	if (r == -ENOENT)
		return gone(s);
	if (!r && v) {
		s->vol = v;
		r = tape_has(v, &s->f) ? volume_reader_new(v, s->f.partition, &s->reader) : gone(s);
	}
	if (r)
		contents_source_let_go(s);
	return r;
}

/* Is what was read, with result @r, what it should be? */
static int source_proves(struct contents_source *s, int r)
{
	return tape_has(s->vol, &s->f) ? r : gone(s);
}

/* ---- what is damaged ------------------------------------------------------------------------------------------- */

static int hurt_add(void *ctx, const struct tape_hurt *h)
{
	struct contents_source *s = ctx;
	uint64_t end = s->f.offset + s->f.bytes;
	struct hurt *more;

	if (!h->current || h->partition != s->f.partition || h->to <= s->f.offset || h->from >= end ||
	    s->hurts == HURT_MAX)
		return 0;
	if ((s->hurts & (s->hurts - 1)) == 0) {
		more = reallocarray(s->hurt, s->hurts ? 2 * s->hurts : 1, sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		s->hurt = more;
	}
	s->hurt[s->hurts++] = (struct hurt){ h->from > s->f.offset ? h->from - s->f.offset : 0,
					     (h->to < end ? h->to : end) - s->f.offset };
	return 0;
}

/* The store knows by now: whoever comes across damage reports it. */
static int hurt_ask(struct contents_source *s)
{
	contents_source_let_go(s);
	s->hurts = 0;
	s->asked++;
	return err_fold(library_each_hurt(s->c->lib, s->f.volume, hurt_add, s));
}

/* How many bytes from @at on, at most @n, are all damaged or all not; *hurt says which. */
static size_t part_at(const struct contents_source *s, uint64_t at, size_t n, bool *hurt)
{
	size_t lo = 0, hi = s->hurts;
	uint64_t end;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->hurt[mid].to <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	*hurt = lo < s->hurts && s->hurt[lo].from <= at;
	if (lo == s->hurts)
		return n;
	end = *hurt ? s->hurt[lo].to : s->hurt[lo].from;
	return end - at < n ? (size_t)(end - at) : n;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static int fetch_whole(struct contents_source *s, uint64_t offset, uint8_t *p, size_t n)
{
	int r = source_look(s);

	if (r)
		return r;
	r = source_proves(s, volume_reader_read(s->reader, s->f.offset + offset, p, n));
	if (!r)
		s->read_bytes += n;
	return r;
}

/* Letters where it is damaged: a block of zeros would be the end of a tar archive. */
static int fetch_around(struct contents_source *s, uint64_t offset, uint8_t *p, size_t n)
{
	size_t some;
	bool hurt;
	int r = 0;

	for (; !r && n; p += some, offset += some, n -= some) {
		some = part_at(s, offset, n, &hurt);
		if (!hurt)
			r = fetch_whole(s, offset, p, some);
		if (r == -EBADMSG)
			s->failed = true;
		if (hurt || r == -EBADMSG) {
			memset(p, 'x', some);
			r = 0;
		}
	}
	return r;
}

static int fetch(struct contents_source *s, uint64_t offset, uint8_t *p, size_t n)
{
	int r;

	if (!s->lists)
		return fetch_whole(s, offset, p, n);
	s->failed = false;
	r = fetch_around(s, offset, p, n);
	if (r || !s->failed || s->asked == ASKED_MAX)
		return r;
	r = hurt_ask(s);
	return r ? r : fetch_around(s, offset, p, n);
}

/* Something of the block, if it has @offset. */
static size_t from_block(struct contents_source *s, uint64_t offset, void *buf, size_t n)
{
	size_t at, some;

	if (offset < s->block_at || offset >= s->block_at + s->block_len)
		return 0;
	at = (size_t)(offset - s->block_at);
	some = s->block_len - at < n ? s->block_len - at : n;
	memcpy(buf, s->block + at, some);
	return some;
}

static int fill_block(struct contents_source *s, uint64_t offset)
{
	uint64_t left = (offset < s->until ? s->until : s->f.bytes) - offset;
	size_t n = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
	int r;

	s->block_len = 0;
	if (!s->block)
		s->block = malloc(BLOCK_BYTES);
	if (!s->block)
		return err_origin(-ENOMEM);
	r = fetch(s, offset, s->block, n);
	if (!r) {
		s->block_at = offset;
		s->block_len = n;
	}
	return r;
}

/* What a block gives was proved when it was read; it is again, so that nobody gets old bytes long after. */
static int read_block(struct contents_source *s, uint64_t offset, void *buf, size_t n, size_t *got)
{
	int r = 0;

	*got = from_block(s, offset, buf, n);
	if (*got) {
		r = source_look(s);
		return r ? r : source_proves(s, 0);
	}
	r = fill_block(s, offset);
	if (!r)
		*got = from_block(s, offset, buf, n);
	return r;
}

static int source_read(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	struct contents_source *s = ctx;
	uint64_t left = offset < s->f.bytes ? s->f.bytes - offset : 0;
	bool follows = offset == s->next && offset;
	int r = 0;

	*got = 0;
	n = n < left ? n : (size_t)left;
	if (!n)
		return 0;
	if (s->stop && s->stop(s->stop_ctx))
		return err_explain(-EINTR, "a read of an archive was given up");
	if ((follows && n < BLOCK_BYTES) || (offset >= s->block_at && offset < s->block_at + s->block_len)) {
		r = read_block(s, offset, buf, n, got);
	} else {
		r = fetch(s, offset, buf, n);
		*got = r ? 0 : n;
	}
	/* A block that cannot be read as a whole may have what was asked for. */
	if (r == -EBADMSG && follows) {
		r = fetch(s, offset, buf, n);
		*got = r ? 0 : n;
	}
	s->next = offset + *got;
	if (!s->lists)
		contents_source_let_go(s);
	return r;
}

int contents_source_record(struct contents_source *s, uint64_t n, void *buf, size_t cap, size_t *len)
{
	struct tape_object o;
	struct tape_tally at;
	int r;

	if (n >= s->f.records)
		return CONTENTS_E_NONE;
	r = source_look(s);
	if (!r)
		r = err_fold(volume_tally(s->vol, s->f.partition, s->f.first + n, &at));
	if (!r)
		r = err_fold(volume_object(s->vol, s->f.partition, s->f.first + n, &o));
	if (!r)
		r = source_proves(s, 0);
	if (r)
		return r;
	*len = o.len < cap ? o.len : cap;
	return o.mark ? CONTENTS_E_NONE : fetch(s, at.bytes - s->f.offset, buf, *len);
}

/* ---- made and gone --------------------------------------------------------------------------------------------- */

int contents_source_new(struct contents *c, const struct contents_file *f, struct contents_source **out)
{
	struct contents_source *s = calloc(1, sizeof(*s));

	if (!s)
		return err_origin(-ENOMEM);
	s->c = c;
	s->f = *f;
	s->src = (struct tarball_source){ source_read, s, f->bytes };
	s->until = f->bytes;
	*out = s;
	return 0;
}

void contents_source_until(struct contents_source *s, uint64_t until)
{
	s->until = until < s->f.bytes ? until : s->f.bytes;
}

void contents_source_lists(struct contents_source *s)
{
	s->lists = true;
}

void contents_source_stop(struct contents_source *s, bool (*stop)(void *ctx), void *ctx)
{
	s->stop = stop;
	s->stop_ctx = ctx;
}

struct contents_source *contents_source_free(struct contents_source *s)
{
	if (!s)
		return NULL;
	contents_source_let_go(s);
	free(s->hurt);
	free(s->block);
	free(s);
	return NULL;
}

const struct tarball_source *contents_source(struct contents_source *s)
{
	return &s->src;
}

uint64_t contents_source_read(const struct contents_source *s)
{
	return s->read_bytes;
}
