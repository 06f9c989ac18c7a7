/* SPDX-License-Identifier: BSD-2-Clause */
/* What a kill leaves of a store, and damage done to it before the next start. */
#ifndef TEST_CHUNK_KILL_H
#define TEST_CHUNK_KILL_H

#include "unit/pack/raw.h"
#include "rig.h"

/* As kill -9 leaves it: what was written is there, synced or not; the store is closed. */
static inline void rig_kill(struct rig *g)
{
	struct packs *packs;
	struct pack_walk *w;
	uint64_t number;
	struct buf b = BUF_INIT;
	struct kv *kv;

	OK(packs_mem_new(&packs));
	OK(pack_walk_new(g->packs, 0, &w));
	while (pack_walk_next(w, &number) == 0) {
		raw_get(g->packs, number, &b);
		raw_set(packs, number, b.data, b.len);
	}
	pack_walk_free(w);
	OK(kv_mem_cut(g->kv, &kv));
	g->cs = chunk_store_close(g->cs);
	packs_close(g->packs);
	kv_close(g->kv);
	g->packs = packs;
	g->kv = kv;
	buf_fini(&b);
}

static inline void injure(struct rig *g, uint64_t number, uint64_t at, size_t n)
{
	struct buf b = BUF_INIT;

	raw_get(g->packs, number, &b);
	for (size_t i = 0; i < n; i++)
		b.data[at + i] ^= 0xff;
	raw_set(g->packs, number, b.data, b.len);
	buf_fini(&b);
}

static inline struct pack_entry entry_of(struct rig *g, struct pack_ref ref)
{
	struct pack_entry e;
	struct pack *p;

	OK(pack_open(g->packs, ref.pack, &p));
	OK(pack_entry(p, ref.slot, &e));
	pack_release(p);
	return e;
}

#endif
