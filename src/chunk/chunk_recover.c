/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_recover: what a store does before it is open.  None of it grows with what the store holds.
 *
 * After an orderly close there is nothing to do.  Otherwise packs that were being written are finished and indexed:
 * those whose numbers were reserved last, and those with a row 'O'.  Nobody's map names their last chunks, perhaps, but
 * they can be shared by the next backup, and the collector finds the pack.
 *
 * What such a pack holds was promised if it has an index row: rows come with the commit, behind the sync.  (The row may
 * lead to another pack where two writers stored a chunk at once.)  A promised chunk that is damaged stays in its slot,
 * known to be bad; what was not promised may go.  If promised chunks lie behind a destroyed header, where they cannot
 * be counted, the pack is closed as it is: it is one that has lost a part of its table, and heals like that.
 *
 * Nothing that is wrong with one pack or one row keeps the store from opening.  What does: not to know which numbers
 * were given away.
 */
#include <errno.h>

#include "chunk/check.h"

#define FIRST_NUMBER 1u		/* no pack is number 0: a zeroed reference points nowhere */

/* Every row of one kind; @each < 0 ends the walk. */
static int each_row(struct chunk_store *cs, enum pack_key kind,
		    int (*each)(struct chunk_store *cs, struct cursor key, struct cursor value, void *ctx), void *ctx)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	uint8_t prefix = (uint8_t)kind;
	int r = kv_iter_new(cs->kv, KV_PACK, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, &prefix, 1); !r && kv_iter_in(it, &prefix, 1); kv_iter_next(it)) {
		size_t klen, vlen;
		const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);

		r = each(cs, cursor_of(k, klen), cursor_of(v, vlen), ctx);
	}
	return r ? r : kv_iter_error(it);
}

/* A row that cannot be read is chunk_store_check()'s business. */
static int pass_over(int r)
{
	if (r == -EUCLEAN)
		log_error("%s: passed over", err_text(r));
	return r == -EUCLEAN ? 0 : r;
}

/* The first number is written down before the first file is made, so a store without this row has none. */
static int check_new(struct chunk_store *cs)
{
	CLEANUP(pack_walk_freep) struct pack_walk *w = NULL;
	uint64_t number;
	int r = pack_walk_new(cs->packs, 0, &w);

	if (!r)
		r = pack_walk_next(w, &number);
	if (r == PACK_E_NONE)
		return 0;
	return r ? r : err_explain(-EUCLEAN, "there are packs, but the index of them is lost: rebuild it");
}

static int load_reserved(struct chunk_store *cs)
{
	static const uint8_t key = PACK_KEY_NEXT;
	struct buf value = BUF_INIT;
	int r = kv_get(cs->kv, KV_PACK, &key, 1, &value);

	cs->reserved = FIRST_NUMBER;
	if (!r && (value.len != 8 || get_le64(value.data) > PACK_NUMBER_MAX))
		r = err_explain(-EUCLEAN, "the index does not say which pack numbers are in use");
	else if (!r)
		cs->reserved = get_le64(value.data);
	buf_fini(&value);
	cs->next_number = cs->reserved;
	return r == KV_E_NONE ? check_new(cs) : r;
}

static int load_bad(struct chunk_store *cs, struct cursor key, struct cursor value, void *ctx)
{
	struct pack_ref ref;
	bool news;
	int r = bad_key_unpack(key.p, cursor_left(&key), &ref);

	return r ? pass_over(r) : index_mark_bad(&cs->index, ref, &news);
}

/* The collector was about to remove these.  If that fails, the next open tries again. */
static int remove_doomed(struct chunk_store *cs, struct cursor key, struct cursor value, void *ctx)
{
	uint64_t number;
	int r = pack_key_unpack(key.p, cursor_left(&key), PACK_KEY_DOOMED, &number);

	if (r)
		return pass_over(r);
	r = pack_unlink(cs->packs, number);
	if (r) {
		log_error("pack %012llx is not needed and cannot be removed: %s", (unsigned long long)number,
			  err_text(r));
		return 0;
	}
	return kv_batch_delete(ctx, KV_PACK, key.p, cursor_left(&key));
}

static int load_totals(struct chunk_store *cs)
{
	static const uint8_t key = PACK_KEY_TOTALS;
	struct buf value = BUF_INIT;
	int r = kv_get(cs->kv, KV_PACK, &key, 1, &value);

	if (!r)
		r = pass_over(totals_unpack(value.data, value.len, &cs->sealed));
	buf_fini(&value);
	return r < 0 ? r : 0;	/* none: the store has no pack yet */
}

/* ---- packs that were being written ------------------------------------------------------------------------------- */

static int has_row(struct chunk_store *cs, uint64_t number)
{
	uint8_t key[PACK_KEY_LEN];

	pack_key_pack(key, PACK_KEY_SEALED, number);
	return kv_any(cs->kv, KV_PACK, key, sizeof(key));
}

struct unfinished {
	struct chunk_store *cs;
	uint64_t number;
	struct kv_batch *b;
	int error;
};

static bool was_promised(void *ctx, uint32_t slot, const struct digest *d)
{
	struct unfinished *u = ctx;
	struct buf value = BUF_INIT;
	struct index_value row;
	int r = kv_get(u->cs->kv, KV_INDEX, d->b, INDEX_KEY_LEN, &value);
	bool yes = !r && !index_value_unpack(value.data, value.len, &row) &&
		   !memcmp(row.mac, d->b + INDEX_KEY_LEN, INDEX_MAC_LEN) &&
		   (slot != PACK_NO_SLOT || row.ref.pack == u->number);

	buf_fini(&value);
	if (r < 0)
		u->error = r;
	return yes || r < 0;
}

static void is_bad(void *ctx, uint32_t slot, const struct digest *d)
{
	struct unfinished *u = ctx;
	struct pack_ref ref = { u->number, slot };
	uint8_t key[BAD_KEY_LEN];
	bool news;
	int r = index_mark_bad(&u->cs->index, ref, &news);

	log_error("chunk %u of pack %012llx is damaged and no longer shared", slot, (unsigned long long)u->number);
	bad_key_pack(key, ref);
	if (!r)
		r = kv_batch_put(u->b, KV_PACK, key, sizeof(key), NULL, 0);
	if (r)
		u->error = r;
}

/* Does a row lead to this chunk in another pack, one that is there?  < 0 is an error. */
static int is_elsewhere(struct chunk_store *cs, uint64_t number, const struct slot *s)
{
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	struct index_value row;
	int r = kv_get(cs->kv, KV_INDEX, s->digest.b, INDEX_KEY_LEN, &value);

	if (r)
		return r < 0 ? r : 0;
	return !index_value_unpack(value.data, value.len, &row) && row.ref.pack != number &&
	       row.raw_len == s->raw_len && !memcmp(row.mac, s->digest.b + INDEX_KEY_LEN, INDEX_MAC_LEN) &&
	       !index_is_bad(&cs->index, row.ref) &&
	       !index_is_bad(&cs->index, (struct pack_ref){ row.ref.pack, CHUNK_EVERY_SLOT }) &&
	       pack_exists(cs->packs, row.ref.pack);
}

/*
 * Chunks that are elsewhere get no row.  They are copies that the collector was about to commit, or what two writers
 * stored at once: a map may name the other place, and none names this one.  So the collector will take this pack away,
 * and a row that led here would go with it.
 */
static int leave_rows(struct chunk_store *cs, struct table *t)
{
	struct segment *s = t->first;
	int r = 0;

	for (uint32_t i = 0; i < t->count && r >= 0; i++) {
		struct slot *slot = &s->slots[i % SEGMENT_SLOTS];

		r = slot->bad ? 0 : is_elsewhere(cs, t->number, slot);
		slot->alone = r > 0;
		if (i % SEGMENT_SLOTS == SEGMENT_SLOTS - 1)
			s = s->next;
	}
	return r < 0 ? r : 0;
}

/* Its table stays in memory: what was written last is met again soon. */
static int index_recovered(struct chunk_store *cs, uint64_t number, struct kv_batch *b)
{
	CLEANUP(buf_fini) struct buf lens = BUF_INIT;
	struct pack_tally tally;
	struct pack *p;
	struct table *t;
	int r = pack_open(cs->packs, number, &p);

	if (r)
		return r;
	r = table_read(p, &t);
	if (!r) {
		index_add_table(&cs->index, t);
		t->indexed = 0;
		r = leave_rows(cs, t);
		r = r ? r : store_lens(t, &lens);
		tally = (struct pack_tally){ t->count, t->raw_bytes, pack_bytes(p), lens.data };
		r = r ? r : store_index_rows(t, t->count, b);
		t->indexed = t->count;
		if (!r)
			r = store_sealed_rows(number, &tally, b);
		totals_change(&cs->sealed, SUMS_MORE, &tally);
	}
	pack_release(p);
	return r;
}

/* What cannot be finished does not keep the store from opening: it is told, and a row has the next open try again. */
static int leave_pack(uint64_t number, int why, struct kv_batch *b)
{
	uint8_t key[PACK_KEY_LEN];

	log_error("pack %012llx was being written and cannot be finished: %s", (unsigned long long)number,
		  err_text(why));
	pack_key_pack(key, PACK_KEY_OPEN, number);
	return kv_batch_put(b, KV_PACK, key, sizeof(key), NULL, 0);
}

/* At least one chunk more than are known makes the loss seen by whoever opens it. */
static int close_damaged(struct chunk_store *cs, uint64_t number, int why, struct kv_batch *b)
{
	static const uint8_t unknown[LEN_BYTES];
	CLEANUP(pack_releasep) struct pack *p = NULL;
	CLEANUP(buf_fini) struct buf lens = BUF_INIT;
	struct pack_tally tally;
	int r = pack_open(cs->packs, number, &p);

	r = r ? r : pack_sync(p);
	r = r ? r : store_tally_of(p, &lens, &tally);
	r = r ? r : buf_append(&lens, unknown, sizeof(unknown));
	if (r)
		return r == -ENOMEM ? r : leave_pack(number, why, b);
	tally.chunks++;
	tally.lens = lens.data;
	totals_change(&cs->sealed, SUMS_MORE, &tally);
	log_error("pack %012llx was being written and has been closed as it is: %s", (unsigned long long)number,
		  err_text(why));
	return store_sealed_rows(number, &tally, b);
}

static int finish_pack(struct chunk_store *cs, uint64_t number, struct kv_batch *b)
{
	struct unfinished u = { cs, number, b, 0 };
	int r = has_row(cs, number);

	if (r <= 0)
		return r;
	if (!pack_exists(cs->packs, number))
		return 0;
	r = pack_recover(cs->packs, number, &(struct pack_recovery){ was_promised, is_bad, &u });
	if (r == -ENOENT)
		return 0;
	if (!r)
		r = u.error;
	if (r == -EBADMSG)
		return close_damaged(cs, number, r, b);
	if (!r)
		r = index_recovered(cs, number, b);
	if (r && r != -ENOMEM)
		return leave_pack(number, r, b);
	if (r)
		return r;
	log_info("pack %012llx was being written and has been finished", (unsigned long long)number);
	cs->finished++;
	return 0;
}

unsigned chunk_store_finished(const struct chunk_store *cs)
{
	return cs->finished;
}

/* Numbers in the last step are probed anyway. */
static int finish_old(struct chunk_store *cs, struct cursor key, struct cursor value, void *ctx)
{
	uint64_t number;
	int r = pack_key_unpack(key.p, cursor_left(&key), PACK_KEY_OPEN, &number);

	if (r)
		return pass_over(r);
	r = kv_batch_delete(ctx, KV_PACK, key.p, cursor_left(&key));
	if (!r && number + NUMBER_STEP < cs->reserved)
		r = finish_pack(cs, number, ctx);
	return r;
}

static int finish_last(struct chunk_store *cs, struct kv_batch *b)
{
	uint64_t n = cs->reserved > FIRST_NUMBER + NUMBER_STEP ? cs->reserved - NUMBER_STEP : FIRST_NUMBER;
	int r = 0;

	for (; n < cs->reserved && !r; n++)
		r = finish_pack(cs, n, b);
	return r;
}

int store_recover(struct chunk_store *cs)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = kv_batch_new(&b);

	if (!r)
		r = load_reserved(cs);
	if (!r)
		r = load_totals(cs);
	if (!r)
		r = each_row(cs, PACK_KEY_BAD, load_bad, NULL);
	if (!r)
		r = each_row(cs, PACK_KEY_DOOMED, remove_doomed, b);
	if (!r)
		r = each_row(cs, PACK_KEY_OPEN, finish_old, b);
	if (!r)
		r = finish_last(cs, b);
	if (!r && kv_batch_count(b)) {
		r = totals_put(&cs->sealed, b);
		r = r ? r : kv_write(cs->kv, b, true);
	}
	cs->sums = cs->sealed;
	return r;
}
