/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Space comes back.  The steps of a collection; each may stop at any moment, for all that counts is in rows:
 *
 * 1. What drop rows tell is swept (tape_sweep.c): use rows shrink.
 * 2. Packs without a use row, whatever left them there (a dropped map, a write that failed, a crash), are removed
 *    (tape_survey.c); but before the first, maps that name damaged chunks come to name the whole ones (tape_heal.c).
 * 3. Packs that are not known to be used well enough are looked at (tape_mark.c).  What is found is kept in a row:
 *    bytes in use, at least; they can only grow until a use row of that pack shrinks, and then the row goes.  So a pack
 *    is looked at once, and again when something was taken from it.
 * 4. Packs with too little in use, the sparsest first, and small ones when there are many, are copied forward
 *    (tape_move.c).  They have no use rows then, and are removed.
 *
 * Memory: 40 bytes for a pack that is a candidate or was never looked at, twice over: 3 MiB for a TiB in the worst
 * case, the first look at a store.  A round of 1024 packs or a million slots takes 4 to 8 MiB, its copier 8 to 16, the
 * pages that wait to be written 5; and 40 bytes for each map that uses packs of the round.  16 bytes for each chunk
 * that is damaged and healed.  test/bench/bench_gc.c measures it.
 *
 * Between the last change of use rows and a removal lies a synced write: no pack goes before the rows that named it are
 * gone for good; and chunk_gc_pack() asks again for use rows while no writer can share from it.
 */
#include "tape/tape_gc.h"

#include <errno.h>

#define SMALL_MANY 16u		/* packs that are made one */

int gc_step(struct gc *g)
{
	return g->cfg->progress && g->cfg->progress(g->cfg->ctx, &g->report) ? GC_E_STOP : 0;
}

int gc_pass_over(struct gc *g, int r)
{
	if (r != -EBADMSG && r != -EUCLEAN && r != -EPROTONOSUPPORT)
		return r;
	if (!g->failed) {
		g->failed = r;
		log_error("a collection passes over what is damaged: %s", err_text(r));
	}
	return 0;
}

/* ---- removing packs ---------------------------------------------------------------------------------------------- */

int gc_pack_in_use(void *ctx, uint64_t pack)
{
	struct map_key uses = key_uses(pack);
	int r = kv_any(ctx, KV_MAP, uses.b, uses.len);

	if (r < 0)
		return r;
	return r == 0;
}

/* Everything written so far is on disk; the row is there and gone at once. */
static int sync_rows(struct kv *kv)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct map_key none = key_drop(0, 0);
	int r = kv_batch_new(&b);

	r = r ? r : kv_batch_delete(b, KV_MAP, none.b, none.len);
	return r ? r : kv_write(kv, b, true);
}

int gc_ready(struct gc *g)
{
	int r = g->healed ? 0 : heal_maps(g);

	g->healed = g->healed || !r;
	return r ? r : sync_rows(g->kv);
}

int gc_free_pack(struct gc *g, uint64_t pack, bool *gone)
{
	uint64_t freed = 0;
	int r = chunk_gc_pack(g->cs, pack, gc_pack_in_use, g->kv, &freed);

	*gone = r == 0;
	if (r)
		return r == CHUNK_E_IN_USE ? 0 : r;
	g->report.freed_packs++;
	g->report.freed_bytes += freed;
	return 0;
}

static int ask_only(void *asked, uint64_t pack)
{
	(void)pack;
	*(bool *)asked = true;
	return 1;
}

bool gc_is_pinned(struct gc *g, uint64_t pack)
{
	bool asked = false;
	uint64_t none;

	chunk_gc_pack(g->cs, pack, ask_only, &asked, &none);
	return !asked;
}

/* ---- copying forward --------------------------------------------------------------------------------------------- */

/* By their share in use. */
static int by_share(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	uint64_t left = x->live * y->all, right = y->live * x->all;

	return left != right ? (left > right) - (left < right) : (x->pack > y->pack) - (x->pack < y->pack);
}

static unsigned small_many(const struct gc *g)
{
	return g->cfg->merge_packs ? g->cfg->merge_packs : SMALL_MANY;
}

static int choose(struct survey *s)
{
	size_t smalls = s->small.len / sizeof(struct candidate), count, kept = 0;
	struct candidate *c;
	int r = 0;

	if (s->g->cfg->live_percent && smalls >= small_many(s->g))
		r = buf_append(&s->sparse, s->small.data, s->small.len);
	c = candidates(&s->sparse, &count);
	for (size_t i = 0; !r && i < count; i++)
		if (!gc_is_pinned(s->g, c[i].pack))
			c[kept++] = c[i];
	s->sparse.len = kept * sizeof(*c);
	for (size_t i = 0; !r && i < kept; i++) {
		s->g->report.candidates++;
		s->g->report.garbage_bytes += c[i].live ? c[i].all - c[i].live : c[i].file_bytes;
		s->g->report.copy_bytes += c[i].live;
	}
	if (kept)
		qsort(c, kept, sizeof(*c), by_share);
	return r;
}

static int free_round(struct gc *g, const struct round *r)
{
	bool synced = false, gone;
	int e = 0;

	for (size_t i = 0; !e && i < r->count; i++) {
		e = gc_pack_in_use(g->kv, r->pack[i].pack);
		if (e > 0) {
			e = 0;
			continue;
		}
		e = e || synced ? e : gc_ready(g);
		e = e ? e : gc_free_pack(g, r->pack[i].pack, &gone);
		synced = true;
	}
	return e;
}

/* The sparsest that were not tried yet, with at most @budget bytes to copy, or one. */
static int choose_round(struct survey *s, uint64_t budget, struct round *r)
{
	size_t count;
	struct candidate *c = candidates(&s->sparse, &count);
	uint64_t bytes = 0;
	int e = 0;

	for (size_t i = 0; !e && i < count && !round_full(r); i++) {
		if (c[i].tried)
			continue;
		if (r->count && bytes + c[i].live > budget)
			break;
		c[i].tried = true;
		e = round_add(s->g, r, c[i].pack);
		bytes += c[i].live;
	}
	round_sort(r);
	return e;
}

/* A round may need as much again as it copies before it gives anything back; the reserve has room for a pack or two. */
static int budget_of(struct gc *g, uint64_t *out)
{
	uint64_t avail, total;
	int r = chunk_store_space(g->cs, &avail, &total);

	*out = avail / 2 > PACK_BYTES_MAX ? avail / 2 : PACK_BYTES_MAX;
	return r;
}

/* Those of the round that are still there may be tried again. */
static int try_again(struct survey *s, const struct round *r)
{
	size_t count;
	struct candidate *c = candidates(&s->sparse, &count);
	int e = 0;

	for (size_t i = 0; e >= 0 && i < count; i++) {
		if (!round_find(r, c[i].pack))
			continue;
		e = gc_pack_in_use(s->g->kv, c[i].pack);
		c[i].tried = e <= 0;
	}
	return e < 0 ? e : 0;
}

static int one_round(struct survey *s, bool one_pack, struct round *r)
{
	uint64_t budget = 0;
	int e = one_pack ? 0 : budget_of(s->g, &budget);

	e = e ? e : choose_round(s, budget, r);
	return e || !r->count ? e : move_round(s->g, r, free_round);
}

/* If the disk is full in the middle of a round, what it began is ended pack by pack; if even one does not fit, that is
 * all, since the others are no sparser. */
static int copy_forward(struct survey *s)
{
	bool one_pack = false;
	int e = s->sparse.len ? gc_ready(s->g) : 0;

	while (!e) {
		CLEANUP(round_fini) struct round r = { 0 };

		e = one_round(s, one_pack, &r);
		if (!r.count)
			break;
		if (e == -ENOSPC && !one_pack) {
			one_pack = true;
			e = try_again(s, &r);
		}
	}
	return e;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int collect(struct survey *s)
{
	struct gc *g = s->g;
	int r;

	if (g->cfg->dry_run) {
		r = sweep_foresee(g);
	} else {
		r = sweep_drops(g);
		r = r ? r : chunk_store_seal_idle(g->cs);
	}
	r = r ? r : survey(s);
	r = r ? r : choose(s);
	return r || g->cfg->dry_run ? r : copy_forward(s);
}

int tape_gc(struct shelf *sh, const struct tape_gc_config *cfg, struct tape_gc_report *out)
{
	struct gc g = { .shelf = sh, .kv = sh->kv, .cs = sh->cs, .cfg = cfg };
	struct survey s = { .g = &g };
	int r;

	LOCK_SCOPE(&sh->gc);
	r = collect(&s);
	survey_fini(&s);
	buf_fini(&g.dropped);
	if (r == GC_E_STOP)
		r = 0;
	r = r ? r : g.failed;
	if (!r)
		*out = g.report;
	return r;
}
