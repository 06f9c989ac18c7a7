/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which chunks of some packs are in use: the maps that use them are walked, each page once, and every chunk that a head
 * needs gets its bit.  What is not committed yet is not seen: such packs are pinned by their writers, and stay.
 */
#include "tape/tape_gc.h"

/* Slots of which nobody knows how long they are take no bytes, so that rather too many get their bit. */
static void mark_run(struct round_pack *rp, const struct chunk_run *run, uint64_t bytes)
{
	for (uint32_t i = 0; i < run->slots && bytes && run->slot + i < rp->slots; i++) {
		uint32_t slot = run->slot + i, len = rp->len[slot];

		rp->live[slot / 8] |= (uint8_t)(1u << slot % 8);
		bytes -= bytes < len ? bytes : len;
	}
}

/* A run may have more slots than it has bytes for (it was cut), and go on behind the end. */
static void mark_page(struct round *r, const struct page *p, uint64_t end)
{
	for (uint32_t i = 0; i < p->runs && p->chunk[i].at < end; i++) {
		const struct chunk_run *run = &p->chunk[i];
		struct round_pack *rp = round_find(r, run->pack);

		if (rp)
			mark_run(rp, run, run->bytes < end - run->at ? run->bytes : end - run->at);
	}
}

static int mark_map(struct gc *g, struct round *r, const struct gc_map *m)
{
	CLEANUP(walk_fini) struct walk w = { .kv = g->kv, .map = m->map, .end = m->end };
	struct page *p;
	int e;

	while ((e = walk_next(&w, &p)) == 0) {
		mark_page(r, p, m->end);
		page_free(p);
		e = gc_step(g);
		if (e)
			return e;
	}
	return e == WALK_E_END ? 0 : e;
}

int mark_round(struct gc *g, struct round *r)
{
	CLEANUP(gc_maps_fini) struct gc_maps maps = { 0 };
	int e = gc_maps_of(g, r, &maps);

	for (size_t i = 0; !e && i < maps.count; i++)
		if (maps.map[i].end)
			e = gc_pass_over(g, mark_map(g, r, &maps.map[i]));
	return e;
}
