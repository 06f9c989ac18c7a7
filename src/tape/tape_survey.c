/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which packs are there, and how much of each is in use.
 *
 * Packs that nobody uses are removed as they are met.  Of the others a row tells what was found when they were last
 * looked at; those of which none does, or which may have more in use since, are looked at, many together (tape_mark.c).
 * Two iterators go along with the walk, one over use rows and one over those rows.
 */
#include "tape/tape_gc.h"

/* A pack of less than this was closed before it was full: writers come and go.  So many of them are made one. */
#define SMALL_BYTES (PACK_BYTES_MAX / 8)
/* A row that is wanted is often near: so many are passed over before a search begins at the top. */
#define STEPS_MAX 4u

struct candidate *candidates(struct buf *b, size_t *count)
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

/* ---- which packs are there --------------------------------------------------------------------------------------- */

static int survey_unused(struct survey *s, uint64_t pack, uint64_t file_bytes)
{
	struct gc *g = s->g;
	bool gone = false;
	int r = 0;

	if (g->cfg->dry_run) {
		gone = !gc_is_pinned(g, pack);
	} else {
		r = s->synced ? 0 : gc_ready(g);
		r = r ? r : gc_free_pack(g, pack, &gone);
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

static int walk_packs(struct survey *s)
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

int survey(struct survey *s)
{
	int r = read_moves(s);

	r = r ? r : chunk_store_each_bad(s->g->cs, add_healed, &s->healed);
	r = r ? r : walk_packs(s);
	return r ? r : look(s);
}

void survey_fini(struct survey *s)
{
	kv_iter_free(s->uses);
	kv_iter_free(s->looks);
	buf_fini(&s->unknown);
	buf_fini(&s->sparse);
	buf_fini(&s->small);
	buf_fini(&s->begun);
	buf_fini(&s->healed);
}
