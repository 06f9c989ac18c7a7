/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which packs are there, and how much of each is in use.
 *
 * Packs that nobody uses are removed as they are met.  Of the others a row tells what was found when they were last
 * looked at; those of which none does, or which may have more in use since, are looked at, many together (tape_mark.c).
 *
 * The walk goes along use rows, with an iterator over rows of looks beside it, and an iterator over rows of packs is
 * brought to where there is something to do: in the gaps between packs that are used, and at packs that are to be
 * looked at or may be copied.  Rows of packs are a hundred times as long as the others, with the lengths of all chunks:
 * a round with nothing to do reads next to none of them.
 */
#include "tape/tape_gc.h"

#include <errno.h>

/* A pack of less than this was closed before it was full: writers come and go.  So many of them are made one. */
#define SMALL_BYTES (PACK_BYTES_MAX / 8)

struct candidate *candidates(struct buf *b, size_t *count)
{
	*count = b->len / sizeof(struct candidate);
	return (struct candidate *)b->data;
}

static bool is_sparse(const struct gc *g, const struct candidate *c)
{
	return !c->live || c->live * 100 < c->all * (g->cfg->live_percent < 100 ? g->cfg->live_percent : 100);
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
	kv_iter_seek_on(s->looks, key.b, key.len);
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

static bool is_begun(const struct survey *s, const struct candidate *c)
{
	return s->g->cfg->live_percent && has_number(&s->begun, c->pack);
}

/* Would consider() take it?  Its file is no smaller than its chunks. */
static bool may_be_wanted(const struct survey *s, const struct candidate *c)
{
	return is_sparse(s->g, c) || is_begun(s, c) || c->all < SMALL_BYTES;
}

static int consider(struct survey *s, const struct candidate *c)
{
	if (is_sparse(s->g, c) || is_begun(s, c))
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

/* Its row, which is long, is only asked for if something is to be done about it.  *there: it is closed. */
static int size_of(struct survey *s, struct candidate *c, bool *there)
{
	uint64_t number = 0;
	int r = chunk_packs_at(s->packs, c->pack, &number, &c->file_bytes);

	*there = r == 0 && number == c->pack;
	return r == CHUNK_E_END ? 0 : r;
}

/* What was found may be less than is in use now, if more came since: then it is looked at again before it is copied. */
static int still_so(struct survey *s, const struct candidate *c, const struct look *look, bool *known)
{
	uint64_t used;
	int r = 0;

	if (is_sparse(s->g, c)) {
		r = sum_of_uses(s, c->pack, &used);
		*known = !r && used == look->used;
	}
	return r;
}

static int survey_used(struct survey *s, uint64_t pack)
{
	bool healed = has_number(&s->healed, pack), dropped = has_number(&s->g->dropped, pack);
	struct candidate c = { .pack = pack };
	bool known = false, there = false;
	struct look look;
	int r = 0;

	if (!s->g->cfg->live_percent && !dropped)
		return 0;
	if (!healed && !dropped)
		r = known_of(s, pack, &look, &known);
	if (!r && known) {
		c.live = look.live;
		c.all = look.all;
		r = still_so(s, &c, &look, &known);
	}
	if (r || (known && !may_be_wanted(s, &c)))
		return r;
	r = size_of(s, &c, &there);
	if (r || !there)
		return r;
	/* The maps of a healed one can name the others, which costs nothing. */
	return healed || known ? consider(s, &c) : buf_append(&s->unknown, &c, sizeof(c));
}

/* Those from @from up to @to that have a row, and no use row. */
static int survey_gap(struct survey *s, uint64_t from, uint64_t to)
{
	uint64_t number, bytes;
	int r = 0;

	while (!r && from < to) {
		r = chunk_packs_at(s->packs, from, &number, &bytes);
		if (r || number >= to)
			break;
		r = survey_unused(s, number, bytes);
		r = r ? r : gc_step(s->g);
		from = number + 1;
	}
	return r == CHUNK_E_END ? 0 : r;
}

/* The first pack from @from on that has a use row; UINT64_MAX: none. */
static int next_used(struct survey *s, uint64_t from, uint64_t *pack)
{
	struct map_key uses = key_uses(from);
	const uint8_t *key;
	size_t len;

	*pack = UINT64_MAX;
	kv_iter_seek_on(s->uses, uses.b, uses.len);
	if (!kv_iter_in(s->uses, uses.b, 1))
		return kv_iter_error(s->uses);
	key = kv_iter_key(s->uses, &len);
	if (len != uses.len + 8)
		return err_explain(-EUCLEAN, "the key of a use row has %zu bytes", len);
	*pack = get_be64(key + 1);
	return 0;
}

static int walk_packs(struct survey *s)
{
	uint64_t pack, from = 0;
	int r = 0;

	do {
		r = next_used(s, from, &pack);
		r = r || pack == from ? r : survey_gap(s, from, pack);
		if (r || pack == UINT64_MAX)
			return r;
		r = survey_used(s, pack);
		r = r ? r : gc_step(s->g);
		from = pack + 1;
	} while (!r);
	return r;
}

static int each_pack(struct survey *s)
{
	struct chunk_totals totals;
	int r = kv_iter_new(s->g->kv, KV_MAP, &s->uses);

	r = r ? r : kv_iter_new(s->g->kv, KV_MAP, &s->looks);
	r = r ? r : chunk_packs_iter(s->g->cs, &s->packs);
	if (r)
		return r;
	chunk_store_totals(s->g->cs, &totals);
	s->g->report.packs = totals.packs;
	r = walk_packs(s);
	s->uses = kv_iter_free(s->uses);
	s->looks = kv_iter_free(s->looks);
	s->packs = kv_iter_free(s->packs);
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

static uint32_t slots_in_use(const struct round_pack *rp)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rp->slots; i++)
		n += rp->live[i / 8] >> i % 8 & 1;
	return n;
}

/* Of a pack that is all in use, or not at all, the table of contents tells no more; but a small one may be copied. */
static int weigh(struct survey *s, const struct round_pack *rp, struct candidate *c)
{
	uint32_t used = slots_in_use(rp);

	if (used && (used < rp->slots || c->file_bytes < SMALL_BYTES))
		return chunk_pack_live(s->g->cs, rp->pack, rp->live, rp->slots / 8 + 1, &c->live, &c->all);
	c->all = c->file_bytes;
	c->live = used ? c->all : 0;
	return 0;
}

/* What was found is told of each. */
static int tell_looks(struct survey *s, const struct round *r, struct candidate *c, size_t count)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int e = kv_batch_new(&b);

	for (size_t i = 0; !e && i < count; i++) {
		const struct round_pack *rp = round_find(r, c[i].pack);

		if (!rp || weigh(s, rp, &c[i]))
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
		CLEANUP(round_fini) struct round r = { .counts = true };

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
	r = r ? r : each_pack(s);
	return r ? r : look(s);
}

void survey_fini(struct survey *s)
{
	kv_iter_free(s->uses);
	kv_iter_free(s->looks);
	kv_iter_free(s->packs);
	buf_fini(&s->unknown);
	buf_fini(&s->sparse);
	buf_fini(&s->small);
	buf_fini(&s->begun);
	buf_fini(&s->healed);
}
