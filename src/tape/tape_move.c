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
 *
 * Here are the round and the walk over its maps; tape_move_page.c takes pages apart, tape_move_tell.c tells the maps.
 */
#include "tape/tape_move.h"
#include "tape/volume.h"

#include <errno.h>

/* What is copied before the maps are told; with a rate, about a second's. */
#define GROUP_BYTES (32ull << 20)
#define GROUP_PAGES 256u	/* of 16 KiB in memory, those that will be and those that are */

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
