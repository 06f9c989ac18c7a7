/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From packs to the maps that use them, and through their chunk pages.
 *
 * Use rows lead from a pack to maps.  How far a map is needed only heads tell, and nothing leads from a map to its
 * volume, so all heads are walked, once a round.  A map that no head has is left alone: a drop row speaks of it.
 */
#include "tape/tape_gc.h"
#include "tape/volume_heads.h"

#include <errno.h>

/* ---- the packs of a round ---------------------------------------------------------------------------------------- */

void round_drop_last(struct round *r)
{
	const struct round_pack *last = &r->pack[--r->count];

	r->slots -= last->slots;
	free(last->len);
	free(last->live);
}

void round_fini(struct round *r)
{
	while (r->count)
		round_drop_last(r);
	free(r->pack);
	*r = (struct round){ 0 };
}

static int round_reserve(struct round *r)
{
	size_t room = r->room ? 2 * r->room : 64;
	struct round_pack *more;

	if (r->count < r->room)
		return 0;
	more = reallocarray(r->pack, room, sizeof(*more));
	if (!more)
		return err_origin(-ENOMEM);
	r->pack = more;
	r->room = room;
	return 0;
}

int round_add(struct gc *g, struct round *r, uint64_t pack)
{
	CLEANUP(buf_fini) struct buf lens = BUF_INIT;
	struct round_pack rp = { .pack = pack };
	int e = round_reserve(r);

	e = e ? e : (r->counts ? chunk_pack_row_lens : chunk_pack_lens)(g->cs, pack, &lens);
	if (e == -ENOMEM)
		return e;
	if (e)
		lens.len = 0;
	rp.slots = (uint32_t)(lens.len / sizeof(*rp.len));
	rp.live = calloc(rp.slots / 8 + 1, 1);
	if (!rp.live)
		return err_origin(-ENOMEM);
	rp.len = (uint32_t *)STEAL(lens.data);
	r->pack[r->count++] = rp;
	r->slots += rp.slots;
	return 0;
}

uint32_t round_len(struct gc *g, const struct round_pack *rp, uint32_t slot)
{
	uint32_t len;

	if (rp->slots)
		return slot < rp->slots ? rp->len[slot] : 0;
	return chunk_slot_len(g->cs, (struct pack_ref){ rp->pack, slot }, &len) ? 0 : len;
}

bool round_full(const struct round *r)
{
	return r->count >= ROUND_PACKS || r->slots >= ROUND_SLOTS;
}

static int by_pack(const void *a, const void *b)
{
	const struct round_pack *x = a, *y = b;

	return (x->pack > y->pack) - (x->pack < y->pack);
}

void round_sort(struct round *r)
{
	if (r->count)
		qsort(r->pack, r->count, sizeof(*r->pack), by_pack);
}

struct round_pack *round_find(const struct round *r, uint64_t pack)
{
	const struct round_pack key = { .pack = pack };

	return r->count ? bsearch(&key, r->pack, r->count, sizeof(*r->pack), by_pack) : NULL;
}

/* ---- the maps that use them -------------------------------------------------------------------------------------- */

void gc_maps_fini(struct gc_maps *ms)
{
	free(ms->map);
	*ms = (struct gc_maps){ 0 };
}

static int by_map(const void *a, const void *b)
{
	const struct gc_map *x = a, *y = b;

	return (x->map > y->map) - (x->map < y->map);
}

/* In the order of their numbers, each once. */
static void maps_settle(struct gc_maps *ms)
{
	size_t kept = 0;

	if (!ms->count)
		return;
	qsort(ms->map, ms->count, sizeof(*ms->map), by_map);
	for (size_t i = 1; i < ms->count; i++)
		if (ms->map[i].map != ms->map[kept].map)
			ms->map[++kept] = ms->map[i];
	ms->count = kept + 1;
}

/* Neighbouring packs are used by the same maps: doubles are put together before the list grows. */
static int maps_add(struct gc_maps *ms, uint64_t map)
{
	if (ms->count == ms->room)
		maps_settle(ms);
	if (ms->count >= ms->room / 2 + ms->room / 4) {
		size_t room = ms->room ? 2 * ms->room : 64;
		struct gc_map *more = reallocarray(ms->map, room, sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		ms->map = more;
		ms->room = room;
	}
	ms->map[ms->count++] = (struct gc_map){ .map = map };
	return 0;
}

static int maps_of_pack(struct kv_iter *it, struct round_pack *rp, struct gc_maps *ms)
{
	struct map_key uses = key_uses(rp->pack);
	int r = 0;

	for (kv_iter_seek(it, uses.b, uses.len); !r && kv_iter_in(it, uses.b, uses.len); kv_iter_next(it)) {
		size_t klen, vlen;
		const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
		uint64_t map, bytes;

		r = key_tail_number(k, klen, &map);
		r = r ? r : use_unpack(v, vlen, &bytes);
		r = r ? r : maps_add(ms, map);
		rp->used += r ? 0 : bytes;
	}
	return r ? r : kv_iter_error(it);
}

/* ---- whose they are, and how far they are needed ----------------------------------------------------------------- */

static void volume_tells(struct gc_maps *ms, uint64_t volume, const struct extents *xs)
{
	for (size_t i = 0; ms->count && i < xs->count; i++) {
		const struct extent *x = &xs->extent[i];
		const struct gc_map key = { .map = x->map };
		struct gc_map *m = bsearch(&key, ms->map, ms->count, sizeof(key), by_map);

		if (m && m->end < x->to.bytes)
			*m = (struct gc_map){ x->map, volume, i, x->to.bytes, x->to.bytes };
	}
}

static int by_volume(const void *a, const void *b)
{
	const struct tape_gc_ended *x = a, *y = b;

	return (x->volume > y->volume) - (x->volume < y->volume);
}

/* A dry run leaves out generations that would be dropped.  @damaged: one of them cannot be read. */
static int extents_of_heads(struct gc *g, uint64_t volume, struct heads *hs, int damaged, struct extents *out)
{
	const struct tape_gc_ended key = { .volume = volume }, *ended = NULL;
	int r = 0;

	if (g->cfg->ended_count)
		ended = bsearch(&key, g->cfg->ended, g->cfg->ended_count, sizeof(key), by_volume);
	if (!(ended && heads_choose_ended(hs, ended->ended_ns)) && damaged)
		return damaged;
	for (size_t i = 0; !r && i < hs->count; i++)
		if (!hs->row[i].goes)
			r = extents_add_head(out, &hs->row[i].head);
	return r;
}

static int extents_of(struct gc *g, uint64_t volume, struct extents *out)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	int r = heads_read(g->kv, volume, &hs);

	return r ? r : extents_of_heads(g, volume, &hs, 0, out);
}

static int heads_tell(struct gc *g, struct gc_maps *ms)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key heads = key_all_heads();
	int r = kv_iter_new(g->kv, KV_MAP, &it);

	if (r)
		return r;
	kv_iter_seek(it, heads.b, heads.len);
	do {
		CLEANUP(extents_fini) struct extents xs = { 0 };
		CLEANUP(heads_fini) struct heads hs = { 0 };
		uint64_t volume;
		int damaged;

		r = heads_walk(it, &volume, &hs, &damaged);
		if (r)
			return r == KV_E_NONE ? 0 : r;
		r = extents_of_heads(g, volume, &hs, damaged, &xs);
		if (!r)
			volume_tells(ms, volume, &xs);
		r = gc_pass_over(g, r);
		r = r ? r : gc_step(g);
	} while (!r);
	return r;
}

/* Asked after the heads: what they need no more by then is in a drop row, and nobody but us takes those away. */
static int drops_tell(struct gc *g, struct gc_map *m)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key drops = key_drop(m->map, 0);
	int r = kv_iter_new(g->kv, KV_MAP, &it);

	if (r)
		return r;
	drops.len = 9;
	for (kv_iter_seek(it, drops.b, drops.len); !r && kv_iter_in(it, drops.b, drops.len); kv_iter_next(it)) {
		size_t klen, vlen;
		const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
		struct drop d;
		uint64_t map;

		r = drop_unpack(k, klen, v, vlen, &map, &d);
		if (!r && m->counted < d.to)
			m->counted = d.to;
	}
	return r ? r : kv_iter_error(it);
}

static int by_tape(const void *a, const void *b)
{
	const struct gc_map *x = a, *y = b;

	if (x->volume != y->volume)
		return (x->volume > y->volume) - (x->volume < y->volume);
	return (x->order > y->order) - (x->order < y->order);
}

int gc_maps_of(struct gc *g, struct round *r, struct gc_maps *out)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	int e = kv_iter_new(g->kv, KV_MAP, &it);

	for (size_t i = 0; !e && i < r->count; i++) {
		r->pack[i].used = 0;
		e = maps_of_pack(it, &r->pack[i], out);
	}
	maps_settle(out);
	e = e ? e : heads_tell(g, out);
	for (size_t i = 0; !e && i < out->count; i++)
		e = drops_tell(g, &out->map[i]);
	if (!e && out->count)
		qsort(out->map, out->count, sizeof(*out->map), by_tape);
	return e;
}

int gc_map_still_ends(struct gc *g, const struct gc_map *m, bool *so)
{
	CLEANUP(extents_fini) struct extents xs = { 0 };
	struct gc_map now = { .map = m->map };
	const struct extent *x;
	int r = extents_of(g, m->volume, &xs);

	if (r && r != -ENOENT)
		return r;
	x = r ? NULL : extents_find(&xs, m->map);
	now.counted = x ? x->to.bytes : 0;
	r = drops_tell(g, &now);
	*so = now.counted == m->counted;
	return r;
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

int page_of_row(struct kv_iter *it, enum page_kind kind, uint64_t map, struct page **out)
{
	size_t klen, vlen;
	const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
	uint64_t first;
	int r = key_tail_number(k, klen, &first);

	return r ? r : page_unpack(v, vlen, kind, map, first, out);
}

static int walk_on(struct walk *w)
{
	struct map_key next = key_page(PAGE_CHUNKS, w->map, w->at);
	int r;

	if (w->it) {
		kv_iter_next(w->it);
		return 0;
	}
	r = kv_iter_new(w->kv, KV_MAP, &w->it);
	if (!r)
		kv_iter_seek(w->it, next.b, next.len);
	return r;
}

int walk_next(struct walk *w, struct page **out)
{
	struct map_key pages = key_pages(PAGE_CHUNKS, w->map);
	CLEANUP(page_freep) struct page *p = NULL;
	int r = walk_on(w);

	if (r)
		return r;
	if (!kv_iter_in(w->it, pages.b, pages.len)) {
		r = kv_iter_error(w->it);
		return r ? r : WALK_E_END;
	}
	r = page_of_row(w->it, PAGE_CHUNKS, w->map, &p);
	if (r)
		return r;
	if (p->from.bytes >= w->end)
		return WALK_E_END;
	w->at = p->end.bytes > p->from.bytes ? p->end.bytes : p->from.bytes + 1;
	*out = STEAL(p);
	return 0;
}

void walk_renew(struct walk *w)
{
	w->it = kv_iter_free(w->it);
}

void walk_fini(struct walk *w)
{
	walk_renew(w);
}
