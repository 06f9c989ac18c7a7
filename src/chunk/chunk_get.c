/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_get: the reader.  Bytes are fetched in spans, runs of neighbouring slots of one pack: one pread, then every
 * chunk expanded and checked against its digest.  A single read fetches the chunks that it touches, in the caller's
 * thread.  Reads that follow each other fetch spans of about a mebibyte ahead of the position, on the reader's lane,
 * more of them the longer it goes on.
 *
 * A chunk that fails is dealt with by the store (store_damaged()), whether anybody reads it or it was only fetched
 * ahead.  If the store has another one with its digest, that is delivered.  If not, it is known by its place in the
 * span: reads beside it are served, reads of it fail.  A chunk that its pack cannot tell of makes a span of its own:
 * the store knows how long it was, and may find another.
 *
 * A pack may go while we hold a map that names it: the collector moved what was in use.  So before a read fails, it
 * forgets what was planned and fetched, asks the source afresh and tries once more.
 */
#include <assert.h>
#include <errno.h>

#include "chunk/store.h"

#define SPAN_BYTES PACK_CHUNK_MAX
#define SPAN_CHUNKS 256u
#define STORED_MAX (SPAN_BYTES + SPAN_CHUNKS * PACK_ENTRY_GAP)
#define AHEAD_FIRST (2u << 20)
#define AHEAD_MAX (8u << 20)
#define IDLE_MAX 10u		/* spans kept for later: the look-ahead of a stream in order */
#define SPANS_MAX 64u		/* a scattered stream has a span a chunk; each takes 20 KiB beside its bytes */

/* A part of the stream: @chunks slots from @slot, the first byte of which is byte @start of the stream. */
struct span {
	struct job job;
	struct chunk_reader *r;
	struct span *next;
	uint64_t start, len;			/* len may end within the last chunk */
	uint64_t number;			/* of the pack */
	struct pack *pack;			/* NULL if that cannot be opened */
	bool lost;				/* one chunk, of which no more is known than this */
	struct lost_chunk what;
	uint32_t slot, chunks;
	struct pack_entry entries[SPAN_CHUNKS];
	uint32_t at[SPAN_CHUNKS];		/* where in @raw */
	int result[SPAN_CHUNKS];
	bool abandoned;				/* nobody waits any more */
	bool ready;				/* guarded by the reader's lock */
	uint8_t *raw;
	size_t raw_cap;
};

/* Where planning stands: the slot in @extent that begins at byte @at of the stream. */
struct plan {
	bool valid;
	struct chunk_extent extent;
	uint64_t start;				/* of the extent */
	uint32_t slot;
	uint64_t at;
};

struct chunk_reader {
	struct chunk_store *cs;
	chunk_source source;
	void *ctx;
	struct lane *lane;

	/* The reading thread's.  Spans first..last lie one behind the other in the stream. */
	struct span *first, *last, *idle;
	unsigned spans, idles;
	uint64_t expected;			/* where the next read begins if they follow each other */
	uint64_t ahead;				/* bytes to have at hand; 0: only what is read */
	bool no_more;				/* nothing was found behind the last span */
	bool afresh;				/* what is remembered of the map did not do */
	struct plan plan;

	pthread_mutex_t lock;			/* guards what follows */
	pthread_cond_t came;			/* a span became ready */
	uint8_t *scratch[SPANS_MAX + 1];	/* STORED_MAX each, as many as ever ran at once */
	unsigned scratches;
};

/* ---- fetching -------------------------------------------------------------------------------------------------- */

static uint8_t *scratch_take(struct chunk_reader *r)
{
	uint8_t *p = NULL;

	pthread_mutex_lock(&r->lock);
	if (r->scratches)
		p = r->scratch[--r->scratches];
	pthread_mutex_unlock(&r->lock);
	return p ? p : malloc(STORED_MAX);
}

static void scratch_give(struct chunk_reader *r, uint8_t *p)
{
	LOCK_SCOPE(&r->lock);
	r->scratch[r->scratches++] = p;
}

/* @scratch may be used again.  What is not found stays as it is. */
static void span_heal(struct span *s, uint8_t *scratch)
{
	for (uint32_t i = 0; i < s->chunks; i++)
		if (s->result[i] && s->result[i] != -ENOMEM &&
		    !store_heal(s->r->cs, &s->entries[i].digest, s->entries[i].raw_len, s->raw + s->at[i], scratch))
			s->result[i] = 0;
}

static void span_find(struct span *s, uint8_t *scratch)
{
	struct digest d;
	int r = store_lost_digest(s->r->cs, &s->what, &d);

	r = r ? r : store_heal(s->r->cs, &d, s->what.raw_len, s->raw, scratch);
	s->result[0] = r == LOOKUP_NONE ? -EIO : r;
}

static void span_fetch(struct span *s, uint8_t *scratch)
{
	const struct pack_entry *first = &s->entries[0], *last = &s->entries[s->chunks - 1];
	uint64_t n = last->offset + last->stored_len - first->offset;
	int whole = pack_pread(s->pack, scratch, n, first->offset);

	for (uint32_t i = 0; i < s->chunks; i++) {
		const struct pack_entry *e = &s->entries[i];
		struct pack_ref ref = { pack_number(s->pack), s->slot + i };

		/* If the run cannot be read, the one that is at fault is found by reading each. */
		if (whole)
			s->result[i] = store_fetch(s->r->cs, s->pack, ref.slot, e, s->raw + s->at[i], scratch);
		else
			s->result[i] = store_check(s->r->cs, ref, e, scratch + (e->offset - first->offset),
						   s->raw + s->at[i]);
	}
	span_heal(s, scratch);
}

static void span_run(struct job *j)
{
	struct span *s = (struct span *)j;
	uint8_t *scratch;

	if (__atomic_load_n(&s->abandoned, __ATOMIC_RELAXED))
		return;
	scratch = scratch_take(s->r);
	if (scratch) {
		if (s->lost)
			span_find(s, scratch);
		else
			span_fetch(s, scratch);
		scratch_give(s->r, scratch);
		return;
	}
	for (uint32_t i = 0; i < s->chunks; i++)
		s->result[i] = err_origin(-ENOMEM);
}

static void span_done(struct job *j)
{
	struct span *s = (struct span *)j;

	LOCK_SCOPE(&s->r->lock);
	s->ready = true;
	pthread_cond_signal(&s->r->came);
}

/* ---- planning: which slots make the next span -------------------------------------------------------------------- */

static struct span *span_take(struct chunk_reader *r)
{
	struct span *s = r->idle;

	if (s) {
		r->idle = s->next;
		r->idles--;
	} else {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		s->job.run = span_run;
		s->job.done = span_done;
		s->r = r;
	}
	s->next = NULL;
	s->ready = s->abandoned = s->lost = false;
	s->chunks = 0;
	return s;
}

static struct span *span_free(struct span *s)
{
	pack_release(s->pack);
	free(s->raw);
	free(s);
	return NULL;
}

static void span_give(struct chunk_reader *r, struct span *s)
{
	if (r->idles == IDLE_MAX) {
		span_free(s);
		return;
	}
	s->pack = pack_release(s->pack);
	s->next = r->idle;
	r->idle = s;
	r->idles++;
}

static int span_room(struct span *s, size_t n)
{
	uint8_t *raw;

	if (s->raw_cap >= n)
		return 0;
	raw = malloc(n);
	if (!raw)
		return err_origin(-ENOMEM);
	free(s->raw);
	s->raw = raw;
	s->raw_cap = n;
	return 0;
}

static int seek_extent(struct chunk_reader *r, uint64_t offset)
{
	struct plan *p = &r->plan;
	int e;

	if (p->valid && offset >= p->at && offset < p->start + p->extent.len)
		return 0;
	p->valid = false;
	e = r->source(r->ctx, offset, r->afresh, &p->extent, &p->start);
	if (e)
		return e;
	if (offset < p->start || offset - p->start >= p->extent.len)
		return err_explain(-EUCLEAN, "the map has no place for byte %llu", (unsigned long long)offset);
	p->slot = p->extent.slot;
	p->at = p->start;
	p->valid = true;
	return 0;
}

/* What is known of a slot: its entry; or (lost) the length in it and what finds another. */
struct at_hand {
	struct pack_entry e;
	bool lost;
	struct lost_chunk what;
};

/* @why: the pack cannot be opened. */
static int slot_at_hand(struct chunk_reader *r, struct pack *pack, int why, struct at_hand *x)
{
	const struct plan *p = &r->plan;
	int known;

	if (p->slot - p->extent.slot >= p->extent.slots)
		return err_explain(-EUCLEAN, "the map has more bytes than %u chunks of pack %012llx", p->extent.slots,
				   (unsigned long long)p->extent.pack);
	why = pack ? pack_entry(pack, p->slot, &x->e) : why;
	x->lost = why != 0;
	if (!why)
		return 0;
	known = store_lost_chunk(r->cs, (struct pack_ref){ p->extent.pack, p->slot }, &x->what);
	if (known == LOOKUP_NONE)
		return why == -ENOENT ? err_explain(-EIO, "pack %012llx is missing",
						    (unsigned long long)p->extent.pack) : why;
	x->e.raw_len = x->what.raw_len;
	return known;
}

/* Does @e go into the span beside what is there? */
static bool fits(const struct span *s, const struct pack_entry *e, uint64_t raw)
{
	const struct pack_entry *first = s->entries, *last = s->entries + (s->chunks ? s->chunks - 1 : 0);

	if (!s->chunks)
		return true;
	return s->chunks < SPAN_CHUNKS && raw + e->raw_len <= SPAN_BYTES &&
	       e->offset >= last->offset + last->stored_len &&
	       e->offset + e->stored_len - first->offset <= STORED_MAX;
}

static void span_add(struct span *s, const struct plan *p, const struct at_hand *x, uint64_t raw)
{
	if (!s->chunks) {
		s->number = p->extent.pack;
		s->slot = p->slot;
		s->start = p->at;
		s->lost = x->lost;
		s->what = x->what;
	}
	s->at[s->chunks] = (uint32_t)raw;
	s->entries[s->chunks++] = x->e;
}

/* From the slot at hand on, which is not behind @offset.  A chunk that is lost ends what is before it, and is alone. */
static int fill_span(struct chunk_reader *r, uint64_t offset, uint64_t want, int why, struct span *s)
{
	struct plan *p = &r->plan;
	uint64_t end = p->start + p->extent.len, raw = 0;

	while (p->at < end && !s->lost && (!s->chunks || p->at < offset + want)) {
		struct at_hand x = { .lost = false };
		int err = slot_at_hand(r, s->pack, why, &x);

		if (err && !s->chunks)
			return err;
		if (err || (s->chunks && x.lost))
			break;
		if (p->at + x.e.raw_len > offset) {
			if (!fits(s, &x.e, raw))
				break;
			span_add(s, p, &x, raw);
			raw += x.e.raw_len;
		}
		p->at += x.e.raw_len;
		p->slot++;
	}
	s->len = s->start + raw < end ? raw : end - s->start;
	return span_room(s, raw);
}

/*
 * The pack at byte @offset; *why: not to be had.  When it is lost is decided by the map as it is after the pack was
 * looked for in vain, since the collector writes maps, synced, before it removes what they named.  It may have come in
 * between: then the map names another.
 */
static int open_planned(struct chunk_reader *r, uint64_t offset, struct pack **out, int *why)
{
	const struct chunk_extent *x = &r->plan.extent;
	uint64_t tried;
	int err;

	do {
		err = seek_extent(r, offset);
		if (err)
			return err;
		tried = x->pack;
		*why = store_pack(r->cs, tried, out);
		if (!r->afresh || !store_is_loss(*why))
			return 0;
		r->plan.valid = false;
		err = seek_extent(r, offset);
	} while (!err && x->pack != tried);
	if (!err)
		store_lost_named(r->cs, tried, x->slot + x->slots);
	return err;
}

/* Fills @s with the chunk that holds byte @offset and those behind it, until @want bytes from @offset are covered, the
 * extent ends or the span is full. */
static int plan_span(struct chunk_reader *r, uint64_t offset, uint64_t want, struct span *s)
{
	int why, err = open_planned(r, offset, &s->pack, &why);

	if (err)
		return err;
	if (why && !r->afresh)
		return why;
	return why == -ENOMEM ? why : fill_span(r, offset, want, why, s);
}

/* ---- the spans at hand ------------------------------------------------------------------------------------------- */

static void span_wait(struct span *s)
{
	LOCK_SCOPE(&s->r->lock);
	while (!s->ready)
		pthread_cond_wait(&s->r->came, &s->r->lock);
}

static void drop_first(struct chunk_reader *r)
{
	struct span *s = r->first;

	r->first = s->next;
	if (!r->first)
		r->last = NULL;
	r->spans--;
	span_give(r, s);
}

static void drop_all(struct chunk_reader *r)
{
	for (struct span *s = r->first; s; s = s->next)
		__atomic_store_n(&s->abandoned, true, __ATOMIC_RELAXED);
	lane_wait_empty(r->lane);
	while (r->first)
		drop_first(r);
	r->no_more = false;
}

/* One more span behind the last, or at @offset if there is none. */
static int add_span(struct chunk_reader *r, uint64_t offset, uint64_t want, bool at_once)
{
	struct span *s = span_take(r);
	int e = s ? plan_span(r, offset, want, s) : err_origin(-ENOMEM);

	if (e) {
		if (s)
			span_give(r, s);
		r->plan.valid = false;
		return e;
	}
	if (r->last)
		r->last->next = s;
	else
		r->first = s;
	r->last = s;
	r->spans++;
	if (at_once) {
		span_run(&s->job);
		span_done(&s->job);
	} else {
		lane_submit(r->lane, &s->job);
	}
	return 0;
}

/* An error found here is told by the read that comes to it. */
static void look_ahead(struct chunk_reader *r, uint64_t offset)
{
	while (r->last && !r->no_more && r->spans < SPANS_MAX && r->last->start + r->last->len < offset + r->ahead)
		r->no_more = add_span(r, r->last->start + r->last->len, SPAN_BYTES, false) != 0;
}

/* Makes r->first the span that holds byte @offset.  Spans before it go; if none holds it, all go. */
static int come_to(struct chunk_reader *r, uint64_t offset, size_t n)
{
	if (r->last && (offset < r->first->start || offset > r->last->start + r->last->len))
		drop_all(r);
	while (r->first && offset >= r->first->start + r->first->len) {
		span_wait(r->first);
		drop_first(r);
	}
	if (!r->first) {
		int e;

		r->no_more = false;
		e = add_span(r, offset, r->ahead ? SPAN_BYTES : n, !r->ahead);
		if (e)
			return e;
	}
	if (r->ahead)
		look_ahead(r, offset);
	span_wait(r->first);
	return 0;
}

/* strerror() says "Bad message" of a chunk that fails its digest. */
static const char *fault_words(int r)
{
	return r == -EBADMSG ? "its stored bytes are damaged" : strerror(-r);
}

/* Copies what the first span has of the stream from @offset. */
static int take(struct chunk_reader *r, uint64_t offset, uint8_t *buf, size_t n, size_t *taken)
{
	struct span *s = r->first;
	uint64_t from = offset - s->start;
	size_t end = s->len - from < n ? s->len : from + n;

	for (uint32_t i = 0; i < s->chunks && s->at[i] < end; i++) {
		if (s->at[i] + s->entries[i].raw_len <= from || !s->result[i])
			continue;
		return err_explain(s->result[i], "chunk %u of pack %012llx cannot be read: %s", s->slot + i,
				   (unsigned long long)s->number, fault_words(s->result[i]));
	}
	memcpy(buf, s->raw + from, end - from);
	*taken = end - from;
	return 0;
}

/* ---- the reader -------------------------------------------------------------------------------------------------- */

void chunk_reader_forget(struct chunk_reader *r)
{
	drop_all(r);
	r->plan.valid = false;
}

/* What was read ahead may have failed before it was healed, or moved; this read sees how things are now. */
static void begin_afresh(struct chunk_reader *r)
{
	chunk_reader_forget(r);
	r->afresh = true;
	r->ahead = 0;
}

int chunk_reader_read(struct chunk_reader *r, uint64_t offset, void *buf, size_t n)
{
	uint8_t *to = buf;
	size_t part = 0;
	int e = 0;

	/* The second read in a row begins the look-ahead, each further one doubles it. */
	if (offset != r->expected)
		r->ahead = 0;
	else if (offset > 0)
		r->ahead = !r->ahead ? AHEAD_FIRST : r->ahead < AHEAD_MAX ? r->ahead * 2 : AHEAD_MAX;
	while (n > 0) {
		e = come_to(r, offset, n);
		if (!e)
			e = take(r, offset, to, n, &part);
		if (e < 0 && !r->afresh) {
			begin_afresh(r);
			continue;
		}
		if (e)
			break;
		to += part;
		offset += part;
		n -= part;
	}
	r->afresh = false;
	if (!e)
		r->expected = offset;
	return e;
}

int chunk_reader_new(struct chunk_store *cs, chunk_source source, void *ctx, struct chunk_reader **out)
{
	struct chunk_reader *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return err_origin(-ENOMEM);
	r->cs = cs;
	r->source = source;
	r->ctx = ctx;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->came, NULL);
	e = lane_new(cs->workers, SPANS_MAX, &r->lane);
	if (e) {
		pthread_cond_destroy(&r->came);
		pthread_mutex_destroy(&r->lock);
		free(r);
		return e;
	}
	*out = r;
	return 0;
}

struct chunk_reader *chunk_reader_free(struct chunk_reader *r)
{
	if (!r)
		return NULL;
	drop_all(r);
	lane_free(r->lane);
	while (r->idle) {
		struct span *s = r->idle;

		r->idle = s->next;
		span_free(s);
	}
	while (r->scratches)
		free(r->scratch[--r->scratches]);
	pthread_cond_destroy(&r->came);
	pthread_mutex_destroy(&r->lock);
	free(r);
	return NULL;
}
