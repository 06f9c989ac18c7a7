/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is healed must stay healed.  A damaged chunk is read from another one with its digest, wherever that is; no use
 * row speaks of it, so its pack may look unused while an old tape lives by it.  Hence before a collection removes its
 * first pack, the maps that name such chunks come to name the others, and those are in use from then on.
 *
 * It is a round (tape_move.c) of the packs in which chunks are damaged, so it costs a walk over the maps that use them;
 * nothing is copied, but for what can be read of a pack that has lost a part of its table.  The packs stay.  Chunks
 * that nobody can heal stay where they are, and so does what a damaged page names: that cannot be read anyway.
 *
 * Not seen is what an open tape shared before the damage was found and has not committed since.
 */
#include "tape/tape_gc.h"

#define HEAL_TRIES 4u		/* pages of tapes that are written on may change meanwhile */

struct healing {
	struct gc *g;
	struct buf refs;	/* of struct pack_ref, in order */
	size_t at;
};

/* Of a lost pack some chunks may be healed and others not. */
static int add_healed(void *ctx, struct pack_ref ref, bool healed)
{
	struct healing *h = ctx;

	return healed || ref.slot == CHUNK_EVERY_SLOT ? buf_append(&h->refs, &ref, sizeof(ref)) : 0;
}

/* The pack of the reference at @at, which goes behind its last one. */
static bool next_pack(struct healing *h, uint64_t *pack)
{
	const struct pack_ref *ref = (const struct pack_ref *)h->refs.data;
	size_t count = h->refs.len / sizeof(*ref);

	if (h->at == count)
		return false;
	*pack = ref[h->at].pack;
	while (h->at < count && ref[h->at].pack == *pack)
		h->at++;
	return true;
}

static int heal_round(struct healing *h)
{
	CLEANUP(round_fini) struct round r = { .only = &h->refs };
	uint64_t pack;
	int e = 0;

	while (!e && !round_full(&r) && next_pack(h, &pack)) {
		e = gc_pack_in_use(h->g->kv, pack);
		e = e > 0 ? round_add(h->g, &r, pack) : e;
	}
	return e || !r.count ? e : move_round(h->g, &r, NULL);
}

static int heal_all(struct healing *h)
{
	size_t end = h->refs.len / sizeof(struct pack_ref);
	int r = 0;

	h->g->left = false;
	for (h->at = 0; !r && h->at < end;)
		r = heal_round(h);
	return r;
}

int heal_maps(struct gc *g)
{
	struct healing h = { .g = g };
	int r = chunk_store_each_bad(g->cs, add_healed, &h);

	for (unsigned i = 0; !r && i < HEAL_TRIES; i++) {
		r = heal_all(&h);
		if (!g->left)
			break;
	}
	buf_fini(&h.refs);
	if (r || !g->left)
		return r;
	log_info("tapes with damaged chunks are being written on: the next collection goes on");
	return GC_E_STOP;
}
