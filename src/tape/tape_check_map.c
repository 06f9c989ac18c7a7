/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages of one map: does one begin where the one before it ends, from the map's beginning to where heads need it,
 * do the tallies agree with what heads say, and is every run of chunks in its pack?
 *
 * Behind what heads need there may be the rest of the last page (a crash left it, the next append cuts it off) and
 * what waits to be freed, in whatever order that is freed.
 */
#include "tape/shelf.h"
#include "tape/tape_check.h"

#include <errno.h>
#include <inttypes.h>

/* A walk along the pages of a kind. */
struct walk {
	struct check *k;
	const struct map_span *m;
	enum page_kind kind;
	struct tape_tally expected;	/* where the next page should begin */
	bool blind;			/* the page before could not be read: nobody knows */
	bool stray;			/* it was told that pages are nobody's */
	uint64_t bad_pack;		/* told already; PACK_NUMBER_MAX + 1: none */
};

static const char *what_of(enum page_kind kind)
{
	return kind == PAGE_OBJECTS ? "objects" : "bytes";
}

static bool same_tally(const struct tape_tally *a, const struct tape_tally *b)
{
	return a->objects == b->objects && a->marks == b->marks && a->bytes == b->bytes && a->odd == b->odd;
}

/* Is there anybody for a page that begins here? */
static bool is_somebodys(const struct walk *w, uint64_t first)
{
	const struct map_span *m = w->m;
	uint64_t needed = tally_measure(&m->to, w->kind);
	uint64_t dropped = w->kind == PAGE_OBJECTS ? m->drop.object : m->drop.from;

	return m->orphan || m->unsure || first < needed || (m->dropped && first >= dropped);
}

static void check_begin(struct walk *w, const struct page *p)
{
	uint64_t first = tally_measure(&p->from, w->kind), expected = tally_measure(&w->expected, w->kind);

	if (w->blind || first >= tally_measure(&w->m->to, w->kind))
		return;
	if (first > expected)
		tape_check_fault(w->k, w->m, false, "%s %" PRIu64 " to %" PRIu64 " are in no page", what_of(w->kind),
			    expected, first - 1);
	else if (first < expected)
		tape_check_fault(w->k, w->m, false, "%s %" PRIu64 " to %" PRIu64 " are in two pages", what_of(w->kind),
				 first, expected - 1);
	else if (w->kind == PAGE_OBJECTS && !same_tally(&p->from, &w->expected))
		tape_check_fault(w->k, w->m, false,
				 "the page of object %" PRIu64 " counts otherwise than the one before it", first);
}

/* The next row as a page; NULL if it is none, which is told. */
static int next_page(struct walk *w, struct page **out)
{
	size_t klen, vlen;
	const uint8_t *k = kv_iter_key(w->k->it, &klen), *v = kv_iter_value(w->k->it, &vlen);
	uint64_t first;
	int r = key_tail_number(k, klen, &first);

	*out = NULL;
	w->k->sum.pages++;
	r = r ? r : page_unpack(v, vlen, w->kind, w->m->map, first, out);
	if (!r && !is_somebodys(w, first) && !w->stray) {
		tape_check_fault(w->k, w->m, check_map_free_rest(w->k, w->m),
				 "what is behind %s %" PRIu64 " of its map is nobody's", what_of(w->kind), first);
		w->stray = true;
	}
	if (!r || r == -ENOMEM)
		return r;
	/* An object page that waits to be freed is freed unread. */
	if (w->kind == PAGE_CHUNKS || first < tally_measure(&w->m->to, w->kind) || !is_somebodys(w, first))
		tape_check_fault(w->k, w->m, false, "from %s %" PRIu64 " on: %s", what_of(w->kind), first, err_text(r));
	w->blind = true;
	return 0;
}

static void walk_end(struct walk *w)
{
	uint64_t reached = tally_measure(&w->expected, w->kind), needed = tally_measure(&w->m->to, w->kind);

	if (!w->blind && reached < needed)
		tape_check_fault(w->k, w->m, false, "%s %" PRIu64 " to %" PRIu64 " are in no page", what_of(w->kind),
			    reached, needed - 1);
}

static int walk_pages(struct walk *w, int (*look)(struct walk *w, const struct page *p, void *ctx), void *ctx)
{
	struct map_key pages = key_pages(w->kind, w->m->map);
	struct kv_iter *it = w->k->it;
	int r = 0;

	w->expected = w->m->from;
	for (kv_iter_seek(it, pages.b, pages.len); !r && kv_iter_in(it, pages.b, pages.len); kv_iter_next(it)) {
		CLEANUP(page_freep) struct page *p = NULL;

		r = next_page(w, &p);
		if (r || !p)
			continue;
		check_begin(w, p);
		w->blind = false;
		w->expected = p->end;
		r = look(w, p, ctx);
	}
	r = r ? r : kv_iter_error(it);
	if (!r)
		walk_end(w);
	return r;
}

/* ---- objects ---------------------------------------------------------------------------------------------------- */

struct points {
	const struct tape_tally *point;
	size_t count, next;
};

static struct tape_tally tally_in(const struct page *p, uint64_t object)
{
	const struct object_run *run;

	if (object == p->end.objects)
		return p->end;
	run = &p->object[page_seek(p, object)];
	return object_run_tally(run, object - run->at.objects);
}

/* What heads say of places in this page. */
static int check_points(struct walk *w, const struct page *p, void *ctx)
{
	struct points *q = ctx;

	for (; q->next < q->count && q->point[q->next].objects <= p->end.objects; q->next++) {
		const struct tape_tally *said = &q->point[q->next];
		struct tape_tally is;

		if (said->objects < p->from.objects)
			continue;
		is = tally_in(p, said->objects);
		if (!same_tally(said, &is))
			tape_check_fault(w->k, w->m, false,
				    "before object %" PRIu64 " are %" PRIu64 " filemarks and %" PRIu64
				    " bytes by the head, %" PRIu64 " and %" PRIu64 " by the map",
				    said->objects, said->marks, said->bytes, is.marks, is.bytes);
	}
	return 0;
}

int check_map_objects(struct check *k, const struct map_span *m, const struct tape_tally *point, size_t points)
{
	struct walk w = { .k = k, .m = m, .kind = PAGE_OBJECTS };
	struct points q = { point, points, 0 };

	return walk_pages(&w, check_points, &q);
}

/* ---- chunks ----------------------------------------------------------------------------------------------------- */

static bool any_bad(struct check *k, const struct chunk_run *run)
{
	for (uint32_t i = 0; i < run->slots; i++)
		if (chunk_store_is_bad(k->sh->cs, (struct pack_ref){ run->pack, run->slot + i }))
			return true;
	return false;
}

/* The bytes of the run's chunks, until they are enough.  What a crash left of a run may name chunks behind those that
 * were safe: nobody asks for them.  A pack that is lost is none here if all of its chunks were healed. */
static int run_bytes(struct check *k, const struct chunk_run *run, uint64_t enough, uint64_t *bytes)
{
	uint64_t sum = 0;
	int r = chunk_pack_span(k->sh->cs, run->pack, run->slot, run->slots, bytes);

	if (!r || (r != -EUCLEAN && any_bad(k, run)))
		return r;
	for (uint32_t i = 0; i < run->slots && sum < enough; i++) {
		uint32_t len;

		r = chunk_slot_len(k->sh->cs, (struct pack_ref){ run->pack, run->slot + i }, &len);
		if (r)
			return r;
		sum += len;
	}
	*bytes = sum;
	return 0;
}

/* A run may have more than is used of it: what was behind a cut. */
static void check_run(struct walk *w, const struct chunk_run *run)
{
	uint64_t limit = map_span_bytes(w->m), bytes, enough;
	int r;

	if (run->pack == w->bad_pack || run->at >= limit)
		return;
	enough = run->bytes < limit - run->at ? run->bytes : limit - run->at;
	r = run_bytes(w->k, run, enough, &bytes);
	if (r) {
		tape_check_fault(w->k, w->m, false, "from byte %" PRIu64 " on, chunk %u of pack %012" PRIx64 ": %s",
				 run->at, run->slot, run->pack, err_text(r));
		if (r != -EUCLEAN)
			w->bad_pack = run->pack;
	} else if (bytes < enough) {
		tape_check_fault(w->k, w->m, false,
			    "from byte %" PRIu64 " on, %u chunks of pack %012" PRIx64 " from %u on have %" PRIu64
			    " bytes, not %" PRIu64,
			    run->at, run->slots, run->pack, run->slot, bytes, enough);
	}
}

static int check_runs(struct walk *w, const struct page *p, void *ctx)
{
	(void)ctx;
	for (uint32_t i = 0; i < p->runs; i++)
		check_run(w, &p->chunk[i]);
	return 0;
}

int check_map_chunks(struct check *k, const struct map_span *m)
{
	struct walk w = { .k = k, .m = m, .kind = PAGE_CHUNKS, .bad_pack = PACK_NUMBER_MAX + 1 };

	return walk_pages(&w, check_runs, NULL);
}
