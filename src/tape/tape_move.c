/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copying forward: what maps name in the packs of a round is copied to where it lies in the order of the tapes, and the
 * maps come to name the copies.
 *
 * Order, and what a cut between two steps leaves:
 *  0. a row for each pack of the round                           packs that the next collection goes on with
 *  1. chunks of some pages are copied                            copies that nobody names
 *  2. chunk_copier_begin_commit(): the copies are synced         the same
 *  3. a batch: index rows                                        copies that are shared from, and that no map names
 *  4. for each map, nobody changing it meanwhile: if its pages are what they were when they were copied from, a batch:
 *     pages, use rows                                            each map names old or new places: either are there
 *  5. chunk_copier_end_commit()                                  the same
 *  6. after the last page of the round a synced write, and only then old packs without use rows are removed
 *  7. when all maps were walked, the rows of 0 go
 * None of 0, 3 and 4 need be synced: what is removed in 6 waits for them.  A copy that no map names has no use row, or
 * lies in a pack with a low share in use: the next collection finds it.  One that some maps name while others name the
 * old one would be there twice for ever, if the old pack is used well enough without: hence 0, unless the round is
 * about single chunks.  Going on copies nothing again: the copier finds the copies.
 *
 * Who else is about: a reader finds old or new places in rows, page cache or its own memory; old packs go last, then it
 * asks anew (volume_reader.c).  A closed volume may be opened, replaced, destroyed, or lose generations: a drop row
 * speaks of offsets, which do not change, and use rows follow the pages in one batch whoever has the map.  An open
 * volume is held while its pages are changed (volume_moved.c).
 */
#include "tape/tape_gc.h"
#include "tape/volume.h"
#include "tape/volume_use.h"

#include <errno.h>
#include <inttypes.h>

/* What is copied before the maps are told; with a rate, about a second's. */
#define GROUP_BYTES (32ull << 20)
#define GROUP_PAGES 256u	/* of 16 KiB in memory, those that will be and those that are */

/* A page that was copied from: its row then, and the pages that take its place. */
struct rewrite {
	struct gc_map *map;
	struct page *before;
	struct buf row;
	bool clipped;			/* the row went on behind the end of the map */
	struct page **after;
	size_t count, room;
};

struct move {
	struct gc *g;
	struct round *r;
	struct chunk_copier *copier;
	struct rewrite *rewrite;	/* of pages that wait for the commit, in the order of the walk */
	size_t count, room;
	size_t pages;			/* in all of them */
	uint64_t bytes;			/* copied for them */
};

/* ---- a page ------------------------------------------------------------------------------------------------------ */

static void rewrite_fini(struct rewrite *rw)
{
	page_free(rw->before);
	buf_fini(&rw->row);
	for (size_t i = 0; i < rw->count; i++)
		page_free(rw->after[i]);
	free(rw->after);
	*rw = (struct rewrite){ 0 };
}

static int rewrite_push(struct rewrite *rw, const struct tape_tally *from)
{
	if (rw->count == rw->room) {
		size_t room = rw->room ? 2 * rw->room : 2;
		struct page **more = reallocarray(rw->after, room, sizeof(struct page *));

		if (!more)
			return err_origin(-ENOMEM);
		rw->after = more;
		rw->room = room;
	}
	rw->after[rw->count] = page_new(PAGE_CHUNKS, rw->map->map, from);
	if (!rw->after[rw->count])
		return err_origin(-ENOMEM);
	rw->count++;
	return 0;
}

/* A page that is full is followed by another: look-ups find the last one that begins at or before a byte. */
static int rewrite_add(struct rewrite *rw, const struct chunk_run *run, bool join)
{
	struct page *last = rw->after[rw->count - 1];
	int r = page_full(last) ? rewrite_push(rw, &last->end) : 0;

	return r ? r : page_add_chunk(rw->after[rw->count - 1], run, join);
}

/* An -EIO may as well come from where it was to be copied to. */
static bool is_damaged(struct move *m, struct pack_ref from, int r)
{
	return r == -EBADMSG || r == -ENOENT || r == -EUCLEAN || (r == -EIO && chunk_store_is_bad(m->g->cs, from));
}

static int by_ref(const void *a, const void *b)
{
	const struct pack_ref *x = a, *y = b;

	if (x->pack != y->pack)
		return (x->pack > y->pack) - (x->pack < y->pack);
	return (x->slot > y->slot) - (x->slot < y->slot);
}

static bool has_ref(const struct buf *refs, struct pack_ref ref)
{
	return refs->len && bsearch(&ref, refs->data, refs->len / sizeof(ref), sizeof(ref), by_ref);
}

/* Is it one of those that the round is about? */
static bool is_wanted(const struct round *r, struct pack_ref ref)
{
	return !r->only || has_ref(r->only, ref) || has_ref(r->only, (struct pack_ref){ ref.pack, CHUNK_EVERY_SLOT });
}

/* Where a chunk is from now on; if it is damaged, where it is.  To name a whole one needs no space; what can still be
 * read of a lost pack stays if there is none. */
static int move_chunk(struct move *m, struct pack_ref from, struct pack_ref *to)
{
	uint32_t copied = 0;
	int r = 0;

	*to = from;
	if (is_wanted(m->r, from))
		r = chunk_copier_move(m->copier, from, to, &copied);
	if (is_damaged(m, from, r) || (r == -ENOSPC && m->r->only)) {
		*to = from;
		return 0;
	}
	m->bytes += copied;
	m->g->report.copied_bytes += r ? 0 : copied;
	return r;
}

/* Chunk by chunk; if nobody knows how long one is, the rest stays.  *@whole: what was added last ends with its last
 * chunk, so a neighbour may join it. */
static int move_run(struct move *m, struct rewrite *rw, const struct round_pack *rp, struct chunk_run run, bool *whole)
{
	int r = 0;

	while (!r && run.bytes && run.slots) {
		const struct pack_ref from = { run.pack, run.slot };
		struct chunk_run one = { .slots = 1 };
		struct pack_ref to;
		uint32_t len = round_len(m->g, rp, run.slot);

		if (!len)
			break;
		r = move_chunk(m, from, &to);
		if (r)
			return r;
		one.pack = to.pack;
		one.slot = to.slot;
		one.bytes = run.bytes < len ? run.bytes : len;
		r = rewrite_add(rw, &one, *whole);
		*whole = one.bytes == len;
		run.bytes -= one.bytes;
		run.slot++;
		run.slots--;
	}
	if (r || !run.bytes)
		return r;
	*whole = false;
	return run.slots ? rewrite_add(rw, &run, false) :
			   err_explain(-EUCLEAN, "map %016" PRIx64 " has more bytes than chunks of pack %012" PRIx64,
				       rw->map->map, rp->pack);
}

static int rewrite_page(struct move *m, struct rewrite *rw)
{
	bool whole = false;
	int r = rewrite_push(rw, &rw->before->from);

	for (uint32_t i = 0; !r && i < rw->before->runs; i++) {
		const struct chunk_run *run = &rw->before->chunk[i];
		const struct round_pack *rp = round_find(m->r, run->pack);

		if (rp) {
			r = move_run(m, rw, rp, *run, &whole);
		} else {
			r = rewrite_add(rw, run, false);
			whole = false;
		}
	}
	return r;
}

static bool page_hits(const struct round *r, const struct page *p)
{
	for (uint32_t i = 0; i < p->runs; i++)
		if (round_find(r, p->chunk[i].pack))
			return true;
	return false;
}

static bool page_names(const struct page *p, const struct page *other)
{
	if (p->runs != other->runs)
		return false;
	for (uint32_t i = 0; i < p->runs; i++)
		if (p->chunk[i].pack != other->chunk[i].pack || p->chunk[i].slot != other->chunk[i].slot)
			return false;
	return true;
}

/* ---- the maps are told ------------------------------------------------------------------------------------------- */

/* Is the row what it was? */
static int row_is(struct gc *g, const struct map_key *key, const struct buf *row, bool *same)
{
	CLEANUP(buf_fini) struct buf now = BUF_INIT;
	int r = kv_get(g->kv, KV_MAP, key->b, key->len, &now);

	*same = !r && now.len == row->len && !memcmp(now.data, row->data, now.len);
	return r == KV_E_NONE ? 0 : r;
}

static int put_page(struct kv_batch *b, const struct page *p)
{
	struct map_key key = key_page(p->kind, p->map, p->from.bytes);
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	int r = page_pack(p, &value);

	return r ? r : kv_batch_put(b, KV_MAP, key.b, key.len, value.data, value.len);
}

struct change { struct kv_batch *b; struct uses more, less; };

/* Nothing happens to a page that is not what it was: the next collection comes by. */
static int tell_page(struct gc *g, struct volume *v, const struct rewrite *rw, struct change *c)
{
	struct map_key key = key_page(PAGE_CHUNKS, rw->map->map, rw->before->from.bytes);
	bool same = false;
	int r = 0;

	if (!v || volume_may_move(v, rw->map->map, rw->before->end.bytes))
		r = row_is(g, &key, &rw->row, &same);
	/* What a crash left behind the end was cut off; that holds if the end is where it was. */
	if (!r && same && rw->clipped)
		r = gc_map_still_ends(g, rw->map, &same);
	if (r || !same) {
		g->left = true;
		return r;
	}
	r = uses_add_page(&c->less, rw->before, 0, UINT64_MAX);
	for (size_t i = 0; !r && i < rw->count; i++) {
		r = put_page(c->b, rw->after[i]);
		r = r ? r : uses_add_page(&c->more, rw->after[i], 0, UINT64_MAX);
	}
	return r;
}

/* The pages of one map: @rw and those behind it.  Nobody else changes them. */
static int tell_pages(struct gc *g, struct volume *v, const struct rewrite *rw, size_t count)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct change c = { 0 };
	int r = kv_batch_new(&b);

	c.b = b;
	for (size_t i = 0; !r && i < count; i++)
		r = tell_page(g, v, &rw[i], &c);
	r = r ? r : uses_put(&c.more, &c.less, g->kv, b, rw->map->map);
	if (!r && kv_batch_count(b))
		r = kv_write(g->kv, b, false);
	uses_fini(&c.more);
	uses_fini(&c.less);
	return r;
}

static int tell_map(struct gc *g, const struct rewrite *rw, size_t count)
{
	struct volume *v = shelf_hold(g->shelf, rw->map->map);
	int r;

	if (v) {
		pthread_mutex_lock(&v->writing);
		volume_alone(v);
	}
	r = tell_pages(g, v, rw, count);
	if (v) {
		/* A batch that failed may be kept all the same. */
		volume_moved(v, rw->map->map);
		pthread_mutex_unlock(&v->writing);
	}
	shelf_release(g->shelf, v);
	return r;
}

static int tell_index(struct move *m)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = kv_batch_new(&b);

	r = r ? r : chunk_copier_begin_commit(m->copier, b);
	return r || !kv_batch_count(b) ? r : kv_write(m->g->kv, b, false);
}

static void group_fini(struct move *m)
{
	for (size_t i = 0; i < m->count; i++)
		rewrite_fini(&m->rewrite[i]);
	m->count = 0;
	m->pages = 0;
	m->bytes = 0;
}

static int commit_group(struct move *m)
{
	int r = m->count ? tell_index(m) : 0;
	bool written = r == 0;

	for (size_t i = 0, n; !r && i < m->count; i += n) {
		for (n = 1; i + n < m->count && m->rewrite[i + n].map == m->rewrite[i].map; n++)
			;
		r = tell_map(m->g, &m->rewrite[i], n);
	}
	if (m->count)
		chunk_copier_end_commit(m->copier, written);
	group_fini(m);
	return r;
}

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

static int group_add(struct move *m, struct rewrite *rw)
{
	if (m->count == m->room) {
		size_t room = m->room ? 2 * m->room : 16;
		struct rewrite *more = reallocarray(m->rewrite, room, sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		m->rewrite = more;
		m->room = room;
	}
	m->pages += 1 + rw->count;
	m->rewrite[m->count++] = *rw;
	*rw = (struct rewrite){ 0 };
	return 0;
}

/* @rw has the page and its row.  What lies behind the end of the map is none of anybody's: it is cut off, so that no
 * new page begins there. */
static int take_page(struct move *m, struct rewrite *rw)
{
	const struct tape_tally end = { .bytes = rw->map->counted };
	int r;

	rw->clipped = rw->before->end.bytes > end.bytes;
	page_clip(rw->before, &end);
	r = rewrite_page(m, rw);
	if (r || (rw->count == 1 && page_names(rw->before, rw->after[0])))
		return r;
	return group_add(m, rw);
}

/* Waits as long as @rate_bytes says. */
static int pace(struct gc *g)
{
	const struct timespec slice = { .tv_nsec = 50 * 1000 * 1000 };
	uint64_t rate = g->cfg->rate_bytes, due;
	int r = gc_step(g);

	due = rate ? g->begun_ns + (uint64_t)((double)g->report.copied_bytes / (double)rate * 1e9) : 0;
	while (!r && clock_mono_ns() < due) {
		nanosleep(&slice, NULL);
		r = gc_step(g);
	}
	return r;
}

static int group_full(struct move *m, struct walk *w)
{
	uint64_t rate = m->g->cfg->rate_bytes;
	int r;

	if (m->bytes < (rate && rate < GROUP_BYTES ? rate : GROUP_BYTES) && m->pages < GROUP_PAGES)
		return 0;
	r = commit_group(m);
	walk_renew(w);
	return r ? r : pace(m->g);
}

/* The page that the end of data is in may be written on: then its volume commits first. */
static bool settle_end(struct move *m, struct gc_map *map)
{
	struct volume *v = shelf_hold(m->g->shelf, map->map);
	uint64_t end = 0;

	if (v) {
		LOCK_SCOPE(&v->writing);

		volume_settle(v, map->map, &end);
	}
	shelf_release(m->g->shelf, v);
	if (end <= map->counted)
		return false;
	map->end = map->counted = end;
	return true;
}

static int row_of_walk(struct walk *w, struct buf *row)
{
	size_t len;
	const uint8_t *value = kv_iter_value(w->it, &len);

	return buf_append(row, value, len);
}

static int move_page(struct move *m, struct gc_map *map, struct walk *w, struct page *p)
{
	CLEANUP(rewrite_fini) struct rewrite rw = { .map = map, .before = p };
	int r;

	if (!page_hits(m->r, p))
		return 0;
	if (p->end.bytes >= map->counted && settle_end(m, map)) {
		w->at = p->from.bytes;
		w->end = map->counted;
		walk_renew(w);
		return 0;
	}
	r = row_of_walk(w, &rw.row);
	r = r ? r : take_page(m, &rw);
	return r ? r : group_full(m, w);
}

static int move_map(struct move *m, struct gc_map *map)
{
	CLEANUP(walk_fini) struct walk w = { .kv = m->g->kv, .map = map->map, .end = map->counted };
	struct page *p;
	int r;

	while ((r = walk_next(&w, &p)) == 0) {
		r = move_page(m, map, &w, p);
		r = r ? r : gc_step(m->g);
		if (r)
			return r;
	}
	return r == WALK_E_END ? 0 : r;
}

/* Tape after tape. */
static int move_maps(struct move *m, struct gc_maps *maps)
{
	int r = 0, last;

	for (size_t i = 0; !r && i < maps->count; i++)
		if (maps->map[i].end)
			r = gc_pass_over(m->g, move_map(m, &maps->map[i]));
	/* Asked to stop, or the disk is full: what is in the new packs already shall serve. */
	last = r == 0 || r == GC_E_STOP || r == -ENOSPC ? commit_group(m) : 0;
	return last ? last : r;
}

/* The round has begun; or it has ended. */
static int note_round(struct gc *g, const struct round *r, bool begins)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int e = kv_batch_new(&b);

	for (size_t i = 0; !e && i < r->count; i++) {
		struct map_key key = key_move(r->pack[i].pack);

		e = begins ? kv_batch_put(b, KV_MAP, key.b, key.len, NULL, 0) :
			     kv_batch_delete(b, KV_MAP, key.b, key.len);
	}
	return e ? e : kv_write(g->kv, b, false);
}

static int copier_of(struct gc *g, const struct round *r, struct chunk_copier **out)
{
	uint64_t *packs = calloc(r->count + 1, sizeof(*packs));
	int e;

	if (!packs)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < r->count; i++)
		packs[i] = r->pack[i].pack;
	e = chunk_copier_new(g->cs, packs, r->count, out);
	free(packs);
	return e;
}

int move_round(struct gc *g, struct round *r, int (*moved)(struct gc *g, const struct round *r))
{
	CLEANUP(gc_maps_fini) struct gc_maps maps = { 0 };
	struct move m = { .g = g, .r = r };
	int e, last;

	if (!g->begun_ns)
		g->begun_ns = clock_mono_ns();
	e = copier_of(g, r, &m.copier);
	if (e)
		return e;
	e = gc_maps_of(g, r, &maps);
	e = e || r->only ? e : note_round(g, r, true);
	e = e ? e : move_maps(&m, &maps);
	last = moved && (e == 0 || e == GC_E_STOP || e == -ENOSPC) ? moved(g, r) : 0;
	if (!e && !last && !r->only)
		last = note_round(g, r, false);
	group_fini(&m);
	free(m.rewrite);
	chunk_copier_free(m.copier);
	return last || e ? (last ? last : e) : pace(g);
}
