/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Space comes back.  The steps of a collection; each may stop at any moment, for all that counts is in rows:
 *
 * 1. What drop rows tell is swept (tape_sweep.c): use rows shrink.
 * 2. Packs without a use row, whatever left them there (a dropped map, a write that failed, a crash), are removed.
 * 3. Packs that are not known to be used well enough are looked at (tape_mark.c).  What is found is kept in a row: bytes
 *    in use, at least; they can only grow until a use row of that pack shrinks, and then the row goes.  So a pack is
 *    looked at once, and again when something was taken from it.
 * 4. Packs with too little in use, the sparsest first, and small ones when there are many, are copied forward
 *    (tape_move.c).  They have no use rows then, and are removed.
 *
 * Memory: 40 bytes for a pack that is a candidate or was never looked at, twice over: 3 MiB for a TiB in the worst case,
 * the first look at a store.  A round of 1024 packs or a million slots takes 4 to 8 MiB, its copier 8 to 16, the pages
 * that wait to be written 5; and 40 bytes for each map that uses packs of the round.
 *
 * Between the last change of use rows and a removal lies a synced write: no pack goes before the rows that named it are
 * gone for good; and chunk_gc_pack() asks again for use rows while no writer can share from it.
 */
#include "tape/tape_gc.h"

#include <errno.h>

/* A pack of less than this was closed before it was full: writers come and go.  So many of them are made one. */
#define SMALL_BYTES (PACK_BYTES_MAX / 8)
#define SMALL_MANY 16u
/* A row that is wanted is often near: so many are passed over before a search begins at the top. */
#define STEPS_MAX 4u

/* A pack that may be worth copying. */
struct candidate {
	uint64_t pack, file_bytes;
	uint64_t live, all;	/* of its chunks, headers included */
	bool tried;
};

struct survey {
	struct gc *g;
	struct kv_iter *uses, *looks;
	struct buf unknown, sparse, small;	/* of struct candidate */
	struct buf begun;		/* of uint64_t, in order: packs with which an earlier collection did not end */
	struct buf healed;		/* the same: packs that are lost, and nothing with them */
	bool synced;			/* all rows that named what is unused now are gone for good */
};

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

static int pack_in_use(void *ctx, uint64_t pack)
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

static int free_pack(struct gc *g, uint64_t pack, bool *gone)
{
	uint64_t freed = 0;
	int r = chunk_gc_pack(g->cs, pack, pack_in_use, g->kv, &freed);

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

/* Does a writer hold on to it?  Then copying would not free it. */
static bool is_pinned(struct gc *g, uint64_t pack)
{
	bool asked = false;
	uint64_t none;

	chunk_gc_pack(g->cs, pack, ask_only, &asked, &none);
	return !asked;
}

/* ---- what is known of packs -------------------------------------------------------------------------------------- */

static struct candidate *candidates(struct buf *b, size_t *count)
{
	*count = b->len / sizeof(struct candidate);
	return (struct candidate *)b->data;
}

static bool is_sparse(const struct gc *g, const struct candidate *c)
{
	return !c->live || c->live * 100 < c->all * (g->cfg->live_percent < 100 ? g->cfg->live_percent : 100);
}

/* To the first row at or behind @key. */
static void come_to(struct kv_iter *it, const struct map_key *key)
{
	for (unsigned steps = 0; kv_iter_valid(it); steps++) {
		size_t len;
		const uint8_t *k = kv_iter_key(it, &len);
		int order = memcmp(k, key->b, len < key->len ? len : key->len);

		if (order > 0 || (order == 0 && len >= key->len))
			return;
		if (steps == STEPS_MAX)
			break;
		kv_iter_next(it);
	}
	kv_iter_seek(it, key->b, key->len);
}

static bool has_number(const struct buf *numbers, uint64_t pack)
{
	const uint64_t *n = (const uint64_t *)numbers->data;
	size_t low = 0, high = numbers->len / sizeof(*n);

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (n[mid] < pack)
			low = mid + 1;
		else
			high = mid;
	}
	return low < numbers->len / sizeof(*n) && n[low] == pack;
}

/* The row of what was found in it, if there is one. */
static int known_of(struct survey *s, uint64_t pack, struct look *out, bool *known)
{
	struct map_key key = key_look(pack);
	const uint8_t *value;
	size_t len;
	int r;

	*known = false;
	come_to(s->looks, &key);
	if (!kv_iter_in(s->looks, key.b, key.len))
		return kv_iter_error(s->looks);
	value = kv_iter_value(s->looks, &len);
	r = look_unpack(value, len, out);
	*known = r == 0;
	/* It is only a note: one that is damaged is made anew. */
	return 0;
}

/* Of the pack that the walk over use rows is at. */
static int sum_of_uses(struct survey *s, uint64_t pack, uint64_t *sum)
{
	struct map_key uses = key_uses(pack);

	for (*sum = 0; kv_iter_in(s->uses, uses.b, uses.len); kv_iter_next(s->uses)) {
		size_t len;
		const uint8_t *value = kv_iter_value(s->uses, &len);
		uint64_t bytes;
		int r = use_unpack(value, len, &bytes);

		if (r)
			return r;
		*sum += bytes;
	}
	return kv_iter_error(s->uses);
}

static int consider(struct survey *s, const struct candidate *c)
{
	if (is_sparse(s->g, c) || (s->g->cfg->live_percent && has_number(&s->begun, c->pack)))
		return buf_append(&s->sparse, c, sizeof(*c));
	return c->file_bytes < SMALL_BYTES ? buf_append(&s->small, c, sizeof(*c)) : 0;
}

/* ---- the survey: which packs are there --------------------------------------------------------------------------- */

static int survey_unused(struct survey *s, uint64_t pack, uint64_t file_bytes)
{
	struct gc *g = s->g;
	bool gone = false;
	int r = 0;

	if (g->cfg->dry_run) {
		gone = !is_pinned(g, pack);
	} else {
		r = s->synced ? 0 : sync_rows(g->kv);
		r = r ? r : free_pack(g, pack, &gone);
		s->synced = true;
	}
	if (r || !gone)
		return r;
	g->report.candidates++;
	g->report.garbage_bytes += file_bytes;
	return 0;
}

/* What was found may be less than is in use now, if more came since: then it is looked at again before it is copied. */
static int survey_used(struct survey *s, uint64_t pack, uint64_t file_bytes)
{
	struct candidate c = { .pack = pack, .file_bytes = file_bytes };
	bool known = false, dropped = has_number(&s->g->dropped, pack);
	struct look look;
	uint64_t used;
	int r;

	if (!s->g->cfg->live_percent && !dropped)
		return 0;
	/* Its maps can name the others, which costs nothing. */
	if (has_number(&s->healed, pack))
		return consider(s, &c);
	r = dropped ? 0 : known_of(s, pack, &look, &known);
	if (!r && known) {
		c.live = look.live;
		c.all = look.all;
		if (is_sparse(s->g, &c)) {
			r = sum_of_uses(s, pack, &used);
			known = !r && used == look.used;
		}
	}
	if (r)
		return r;
	return known ? consider(s, &c) : buf_append(&s->unknown, &c, sizeof(c));
}

static int survey_pack(void *ctx, uint64_t pack, uint64_t file_bytes)
{
	struct survey *s = ctx;
	struct map_key uses = key_uses(pack);
	int r;

	s->g->report.packs++;
	come_to(s->uses, &uses);
	if (kv_iter_in(s->uses, uses.b, uses.len))
		r = survey_used(s, pack, file_bytes);
	else
		r = kv_iter_error(s->uses) ? kv_iter_error(s->uses) : survey_unused(s, pack, file_bytes);
	return r ? r : gc_step(s->g);
}

static int survey(struct survey *s)
{
	struct map_key uses = key_uses(0), looks = key_all_looks();
	int r = kv_iter_new(s->g->kv, KV_MAP, &s->uses);

	r = r ? r : kv_iter_new(s->g->kv, KV_MAP, &s->looks);
	if (r)
		return r;
	kv_iter_seek(s->uses, uses.b, uses.len);
	kv_iter_seek(s->looks, looks.b, looks.len);
	r = chunk_store_each_pack(s->g->cs, survey_pack, s);
	s->uses = kv_iter_free(s->uses);
	s->looks = kv_iter_free(s->looks);
	return r;
}

/* ---- looking at packs -------------------------------------------------------------------------------------------- */

static int put_look(struct kv_batch *b, const struct round_pack *rp, const struct candidate *c)
{
	const struct look look = { .live = c->live, .all = c->all, .used = rp->used };
	struct map_key key = key_look(c->pack);
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	int r = look_pack(&look, &value);

	return r ? r : kv_batch_put(b, KV_MAP, key.b, key.len, value.data, value.len);
}

/* What was found is told of each. */
static int tell_looks(struct survey *s, const struct round *r, struct candidate *c, size_t count)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int e = kv_batch_new(&b);

	for (size_t i = 0; !e && i < count; i++) {
		const struct round_pack *rp = round_find(r, c[i].pack);

		if (!rp || chunk_pack_live(s->g->cs, rp->pack, rp->live, rp->slots / 8 + 1, &c[i].live, &c[i].all))
			continue;
		e = put_look(b, rp, &c[i]);
		e = e ? e : consider(s, &c[i]);
	}
	return e || s->g->cfg->dry_run || !kv_batch_count(b) ? e : kv_write(s->g->kv, b, false);
}

/* In the order of packs: what was written at one time is used by few maps. */
static int look(struct survey *s)
{
	size_t count;
	struct candidate *c = candidates(&s->unknown, &count);
	int e = 0;

	for (size_t i = 0, first; !e && i < count;) {
		CLEANUP(round_fini) struct round r = { 0 };

		for (first = i; !e && i < count && !round_full(&r); i++) {
			e = round_add(s->g, &r, c[i].pack);
			if (!e && !r.pack[r.count - 1].slots)
				round_drop_last(&r);
		}
		e = e ? e : mark_round(s->g, &r);
		e = e ? e : tell_looks(s, &r, c + first, i - first);
	}
	return e;
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
		if (!is_pinned(s->g, c[i].pack))
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
		e = pack_in_use(g->kv, r->pack[i].pack);
		if (e > 0) {
			e = 0;
			continue;
		}
		e = e || synced ? e : sync_rows(g->kv);
		e = e ? e : free_pack(g, r->pack[i].pack, &gone);
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
		e = pack_in_use(s->g->kv, c[i].pack);
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
	int e = 0;

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

static int add_healed(void *numbers, struct pack_ref ref, bool healed)
{
	return healed && ref.slot == CHUNK_EVERY_SLOT ? buf_append(numbers, &ref.pack, sizeof(ref.pack)) : 0;
}

/* Packs with which a round began that did not end.  One that was removed then has no pack any more: its row goes. */
static int read_moves(struct survey *s)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct map_key moves = key_all_moves();
	int r = kv_iter_new(s->g->kv, KV_MAP, &it);

	r = r ? r : kv_batch_new(&b);
	if (r)
		return r;
	for (kv_iter_seek(it, moves.b, moves.len); !r && kv_iter_in(it, moves.b, moves.len); kv_iter_next(it)) {
		uint64_t pack, next, bytes;
		size_t len;
		const uint8_t *key = kv_iter_key(it, &len);

		r = key_tail_number(key, len, &pack);
		r = r ? r : buf_append(&s->begun, &pack, sizeof(pack));
		if (!r && (chunk_store_next_pack(s->g->cs, pack, &next, &bytes) || next != pack))
			r = kv_batch_delete(b, KV_MAP, key, len);
	}
	r = r ? r : kv_iter_error(it);
	return r || s->g->cfg->dry_run || !kv_batch_count(b) ? r : kv_write(s->g->kv, b, false);
}

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
	r = r ? r : read_moves(s);
	r = r ? r : chunk_store_each_bad(g->cs, add_healed, &s->healed);
	r = r ? r : survey(s);
	r = r ? r : look(s);
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
	kv_iter_free(s.uses);
	kv_iter_free(s.looks);
	buf_fini(&s.unknown);
	buf_fini(&s.sparse);
	buf_fini(&s.small);
	buf_fini(&s.begun);
	buf_fini(&s.healed);
	buf_fini(&g.dropped);
	if (r == GC_E_STOP)
		r = 0;
	r = r ? r : g.failed;
	if (!r)
		*out = g.report;
	return r;
}
