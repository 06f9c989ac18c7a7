/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding things on a tape.  A partition is a list of stretches, a stretch is written in a map, a map is pages of runs:
 * three bisections give what lies at an object or at a byte of the stream.  A search for anything else that grows along
 * the tape (filemarks, bytes, the size of an image) halves objects, page by page.
 *
 * The head is believed, not the pages: what a page holds behind the end of its stretch is not there.
 */
#include "tape/volume_index.h"

#include <errno.h>
#include <inttypes.h>

static uint64_t page_first(const struct page *p)
{
	return tally_measure(&p->from, p->kind);
}

static uint64_t page_end(const struct page *p)
{
	return tally_measure(&p->end, p->kind);
}

static bool page_holds(const struct page *p, uint64_t measure)
{
	return page_first(p) <= measure && measure < page_end(p);
}

/* ---- pages that were read --------------------------------------------------------------------------------------- */

void page_cache_fini(struct page_cache *c)
{
	for (unsigned i = 0; i < PAGE_CACHE_MAX; i++)
		c->page[i] = page_free(c->page[i]);
}

/* Takes @p. */
static void page_cache_put(struct page_cache *c, struct page *p)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < PAGE_CACHE_MAX && c->page[oldest]; i++)
		if (!c->page[i] || c->page[i]->stamp < c->page[oldest]->stamp)
			oldest = i;
	page_free(c->page[oldest]);
	c->page[oldest] = p;
	p->stamp = ++c->clock;
}

void page_cache_forget(struct page_cache *c, enum page_kind kind, uint64_t map)
{
	for (unsigned i = 0; i < PAGE_CACHE_MAX; i++)
		if (c->page[i] && c->page[i]->map == map && c->page[i]->kind == kind)
			c->page[i] = page_free(c->page[i]);
}

static struct page **page_cache_find(struct page_cache *c, enum page_kind kind, uint64_t map, uint64_t measure)
{
	for (unsigned i = 0; i < PAGE_CACHE_MAX; i++) {
		struct page *p = c->page[i];

		if (p && p->map == map && p->kind == kind && page_holds(p, measure))
			return &c->page[i];
	}
	return NULL;
}

static int page_read(struct kv *kv, enum page_kind kind, uint64_t map, uint64_t measure, struct page **out)
{
	struct map_key key = key_page(kind, map, measure), pages = key_pages(kind, map);
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	CLEANUP(page_freep) struct page *p = NULL;
	const uint8_t *k, *v;
	size_t klen, vlen;
	uint64_t first;
	int r = kv_iter_new(kv, KV_MAP, &it);

	if (r)
		return r;
	kv_iter_seek_back(it, key.b, key.len);
	if (!kv_iter_in(it, pages.b, pages.len)) {
		r = kv_iter_error(it);
		return r ? r : err_explain(-EUCLEAN, "map %016" PRIx64 " has no page for %" PRIu64, map, measure);
	}
	k = kv_iter_key(it, &klen);
	v = kv_iter_value(it, &vlen);
	r = key_tail_number(k, klen, &first);
	r = r ? r : page_unpack(v, vlen, kind, map, first, &p);
	if (r)
		return r;
	if (!page_holds(p, measure))
		return err_explain(-EUCLEAN, "map %016" PRIx64 " ends before %" PRIu64, map, measure);
	*out = STEAL(p);
	return 0;
}

/* ---- pages that are being written ------------------------------------------------------------------------------- */

static void tail_forget_gone(struct tail *t)
{
	while (t->gone) {
		struct page *p = t->gone;

		t->gone = p->gone;
		page_free(p);
	}
}

void tail_fini(struct tail *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		page_free(t->page[i]);
	tail_forget_gone(t);
	free(t->page);
	*t = (struct tail){ 0 };
}

static int tail_push(struct tail *t, struct page *p)
{
	if (t->count == t->room) {
		uint32_t room = t->room ? 2 * t->room : 4;
		struct page **more = reallocarray(t->page, room, sizeof(struct page *));

		if (!more)
			return err_origin(-ENOMEM);
		t->page = more;
		t->room = room;
	}
	t->page[t->count++] = p;
	return 0;
}

int tail_start(struct tail *t, struct page *p)
{
	int r = tail_push(t, p);

	if (r)
		page_free(p);
	t->whole = false;
	return r;
}

/* The page that the next run goes to. */
static int tail_page(struct tail *t, struct page **out)
{
	struct page *last = t->page[t->count - 1], *p;
	int r;

	*out = last;
	if (!page_full(last))
		return 0;
	p = page_new(last->kind, last->map, &last->end);
	if (!p)
		return err_origin(-ENOMEM);
	r = tail_push(t, p);
	if (r)
		page_free(p);
	else
		*out = p;
	return r;
}

/* The last run of a full page still takes more of the same: a long run of equal records is one run. */
int tail_add_objects(struct tail *t, uint32_t len, uint64_t count)
{
	struct page *p = t->page[t->count - 1];
	int r = 0;

	if (!p->runs || p->object[p->runs - 1].len != len)
		r = tail_page(t, &p);
	return r ? r : page_add_object(p, len, count);
}

int tail_add_chunk(struct tail *t, const struct chunk_run *run)
{
	struct page *p;
	int r = tail_page(t, &p);

	r = r ? r : page_add_chunk(p, run, t->whole);
	if (!r)
		t->whole = true;
	return r;
}

void tail_clip(struct tail *t, const struct tape_tally *at)
{
	while (t->count > 1 && page_first(t->page[t->count - 1]) >= tally_measure(at, t->page[0]->kind)) {
		struct page *p = t->page[--t->count];

		p->gone = t->gone;
		t->gone = p;
	}
	page_clip(t->page[t->count - 1], at);
	t->whole = false;
}

void tail_settle(struct tail *t, const struct tape_tally *committed, struct page_cache *cache)
{
	uint32_t settled = 0;

	tail_forget_gone(t);
	if (!t->count)
		return;
	while (settled + 1 < t->count &&
	       page_end(t->page[settled]) <= tally_measure(committed, t->page[settled]->kind))
		page_cache_put(cache, t->page[settled++]);
	t->count -= settled;
	memmove(t->page, t->page + settled, t->count * sizeof(struct page *));
}

/* ---- look-ups --------------------------------------------------------------------------------------------------- */

/* Stretches that hold nothing begin where the next one begins; the last of them is the one that holds @measure. */
uint32_t lookup_stretch(const struct lookup *x, enum page_kind kind, uint64_t measure)
{
	uint32_t lo = 0, hi = x->head->stretches;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (tally_measure(&x->head->stretch[mid].from, kind) <= measure)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* Where stretch @s ends. */
static const struct tape_tally *stretch_end(const struct lookup *x, uint32_t s)
{
	return s + 1 < x->head->stretches ? &x->head->stretch[s + 1].from : &x->head->end;
}

static struct page *tail_find(const struct tail *t, uint64_t map, uint64_t measure)
{
	uint32_t lo = 0, hi = t->count;

	if (!t->count || t->page[0]->map != map || measure < page_first(t->page[0]))
		return NULL;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (page_first(t->page[mid]) <= measure)
			lo = mid;
		else
			hi = mid;
	}
	return t->page[lo];
}

/* The page of stretch @s that holds @measure; borrowed until the next call.  -EBADMSG or -EUCLEAN if a chunk page is
 * damaged or gone; of objects it is a page that is .lost. */
static int lookup_page(const struct lookup *x, enum page_kind kind, uint32_t s, uint64_t measure, struct page **out)
{
	uint64_t map = x->head->stretch[s].map;
	struct page *p = tail_find(kind == PAGE_OBJECTS ? x->objects : x->chunks, map, measure);
	struct page **cached;
	int r;

	if (p) {
		*out = p;
		return page_holds(p, measure) ? 0 : err_fold(1);
	}
	cached = page_cache_find(x->cache, kind, map, measure);
	if (cached) {
		(*cached)->stamp = ++x->cache->clock;
		*out = *cached;
		return 0;
	}
	r = page_read(x->kv, kind, map, measure, &p);
	if (kind == PAGE_OBJECTS && (r == -EBADMSG || r == -EUCLEAN))
		r = lookup_hole(x, s, measure, &p);
	if (r)
		return r;
	page_cache_put(x->cache, p);
	*out = p;
	return 0;
}

int lookup_take_tail(const struct lookup *x, enum page_kind kind, struct page **out)
{
	uint32_t s = x->head->stretches - 1;
	uint64_t map = x->head->stretch[s].map, end = tally_measure(&x->head->end, kind);
	struct page **cached, *p;
	int r;

	while (s > 0 && x->head->stretch[s - 1].map == map)
		s--;
	if (end == tally_measure(&x->head->stretch[s].from, kind)) {
		*out = page_new(kind, map, &x->head->end);
		return *out ? 0 : err_origin(-ENOMEM);
	}
	cached = page_cache_find(x->cache, kind, map, end - 1);
	if (cached && !(*cached)->lost) {
		*out = STEAL(*cached);
	} else {
		r = page_read(x->kv, kind, map, end - 1, &p);
		if (r)
			return r;
		*out = p;
	}
	page_clip(*out, &x->head->end);
	return 0;
}

static int told_lost(const struct page *p)
{
	return err_explain(-EBADMSG, "objects %" PRIu64 " to %" PRIu64 " cannot be told: the map is damaged there",
			   p->from.objects, p->end.objects - 1);
}

/* The run that holds @object, and how many objects of it lie before @object. */
static int lookup_run(const struct lookup *x, uint64_t object, struct object_run *run, uint64_t *k, uint32_t *stretch)
{
	uint32_t s = lookup_stretch(x, PAGE_OBJECTS, object);
	struct page *p;
	int r = lookup_page(x, PAGE_OBJECTS, s, object, &p);

	if (r)
		return r;
	if (p->lost)
		return told_lost(p);
	*run = p->object[page_seek(p, object)];
	*k = object - run->at.objects;
	*stretch = s;
	return 0;
}

int lookup_tally(const struct lookup *x, uint64_t object, struct tape_tally *out)
{
	const struct object_run *run;
	struct page *p;
	int r;

	if (object == x->head->end.objects) {
		*out = x->head->end;
		return 0;
	}
	r = lookup_page(x, PAGE_OBJECTS, lookup_stretch(x, PAGE_OBJECTS, object), object, &p);
	if (r)
		return r;
	if (p->from.objects == object) {
		*out = p->from;
		return 0;
	}
	if (p->lost)
		return told_lost(p);
	run = &p->object[page_seek(p, object)];
	*out = object_run_tally(run, object - run->at.objects);
	return 0;
}

int lookup_object(const struct lookup *x, uint64_t object, struct tape_object *out)
{
	struct object_run run;
	uint64_t k, left, end;
	uint32_t s;
	int r = lookup_run(x, object, &run, &k, &s);

	if (r)
		return r;
	left = run.count - k;
	end = stretch_end(x, s)->objects;
	*out = (struct tape_object){
		.mark = run.len == 0,
		.len = run.len,
		.run = left < end - object ? left : end - object,
	};
	return 0;
}

struct search {
	bool (*before)(const struct tape_tally *t, void *ctx);
	void *ctx;
};

/* The last object between @lo and @hi, both in page @p, for which it is before: it is at @lo, it is not at @hi. */
static struct tape_tally page_search(const struct page *p, const struct search *q, const struct tape_tally *lo,
				     const struct tape_tally *hi)
{
	uint32_t a = page_seek(p, lo->objects), b = page_seek(p, hi->objects - 1) + 1;
	const struct object_run *run;
	uint64_t first, end;

	while (b - a > 1) {
		uint32_t mid = a + (b - a) / 2;

		if (q->before(&p->object[mid].at, q->ctx))
			a = mid;
		else
			b = mid;
	}
	run = &p->object[a];
	first = run->at.objects < lo->objects ? lo->objects - run->at.objects : 0;
	end = run->at.objects + run->count < hi->objects ? run->count : hi->objects - run->at.objects;
	while (end - first > 1) {
		uint64_t mid = first + (end - first) / 2;
		struct tape_tally t = object_run_tally(run, mid);

		if (q->before(&t, q->ctx))
			first = mid;
		else
			end = mid;
	}
	return object_run_tally(run, first);
}

/* The same between two places of one stretch. */
static int stretch_search(const struct lookup *x, uint32_t s, const struct search *q, struct tape_tally lo,
			  struct tape_tally hi, struct tape_tally *out)
{
	while (hi.objects - lo.objects > 1) {
		struct page *p;
		int r = lookup_page(x, PAGE_OBJECTS, s, lo.objects + (hi.objects - lo.objects) / 2, &p);

		if (r)
			return r;
		if (p->from.objects > lo.objects && !q->before(&p->from, q->ctx)) {
			hi = p->from;
		} else if (p->end.objects < hi.objects && q->before(&p->end, q->ctx)) {
			lo = p->end;
		} else if (p->lost) {
			*out = p->end.objects < hi.objects ? p->end : hi;
			return told_lost(p);
		} else {
			*out = page_search(p, q, p->from.objects > lo.objects ? &p->from : &lo,
					   p->end.objects < hi.objects ? &p->end : &hi);
			return 0;
		}
	}
	*out = lo;
	return 0;
}

int lookup_find(const struct lookup *x, bool (*before)(const struct tape_tally *t, void *ctx), void *ctx,
	       struct tape_tally *out)
{
	const struct search q = { before, ctx };
	uint32_t lo = 0, hi = x->head->stretches;

	if (before(&x->head->end, ctx)) {
		*out = x->head->end;
		return 0;
	}
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (before(&x->head->stretch[mid].from, ctx))
			lo = mid;
		else
			hi = mid;
	}
	return stretch_search(x, lo, &q, x->head->stretch[lo].from, *stretch_end(x, lo), out);
}

int lookup_extent(const struct lookup *x, uint64_t offset, uint64_t stored, struct chunk_extent *out, uint64_t *start)
{
	uint32_t s = lookup_stretch(x, PAGE_CHUNKS, offset);
	const struct chunk_run *run;
	struct page *p;
	uint64_t end;
	int r = lookup_page(x, PAGE_CHUNKS, s, offset, &p);

	if (r)
		return r;
	run = &p->chunk[page_seek(p, offset)];
	end = s + 1 < x->head->stretches ? x->head->stretch[s + 1].from.bytes : stored;
	*out = (struct chunk_extent){
		.pack = run->pack, .slot = run->slot, .slots = run->slots,
		.len = run->bytes < end - run->at ? run->bytes : end - run->at,
	};
	*start = run->at;
	return 0;
}
