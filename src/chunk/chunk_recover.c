/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_recover: what a store does before it is open.  None of it grows with what the store holds.
 *
 * After an orderly close there is nothing to do.  Otherwise packs that were being written are finished and indexed:
 * those whose numbers were reserved last, and those with a row 'O'.  Nobody's map names their last chunks, perhaps, but
 * they can be shared by the next backup, and the collector finds the pack.
 *
 * What such a pack holds was promised if its row 'O' says so, or an index row: they come with the commit, behind the
 * sync.  A promised chunk that is damaged stays in its slot, known to be bad; what was not promised may go.  If
 * promised chunks are missing, or lie behind a destroyed header, where they cannot be counted, the pack is closed as it
 * is: it is one that has lost a part of its table, or all of it, and heals like that.  Then
 *  1. its row 'P' comes, which counts what was promised, and its row 'O' stays;
 *  2. the loss is written down (chunk_damage.c), which may walk over the index;
 *  3. row 'O' goes.  A cut before leaves rows 'P' and 'O': the next open does 2 again.
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

struct recovery {
	struct chunk_store *cs;
	struct kv_batch *b;
	uint64_t last;			/* whose row 'O' was seen last; no pack is number 0 */
	struct pack_set damaged;	/* packs with a row 'P' whose loss is to be written down */
};

static void recovery_fini(struct recovery *rc)
{
	kv_batch_free(rc->b);
	pack_set_fini(&rc->damaged);
}

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
		   !memcmp(row.mac, d->b + INDEX_KEY_LEN, INDEX_MAC_LEN) && row.ref.pack == u->number;

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
	store_tell(u->cs, ref, d);
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

int store_promised(struct kv *kv, uint64_t number, uint32_t *slots)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	uint8_t prefix[PACK_KEY_LEN];
	bool any = false;
	int r = kv_iter_new(kv, KV_PACK, &it);

	*slots = 0;
	if (r)
		return r;
	pack_key_pack(prefix, PACK_KEY_OPEN, number);
	for (kv_iter_seek(it, prefix, sizeof(prefix)); kv_iter_in(it, prefix, sizeof(prefix)); kv_iter_next(it)) {
		size_t n;
		const uint8_t *key = kv_iter_key(it, &n);
		uint64_t same;
		uint32_t upto;

		any = true;
		if (!open_key_unpack(key, n, &same, &upto) && upto > *slots && upto <= SLOTS_MAX)
			*slots = upto;
	}
	r = kv_iter_error(it);
	return r ? r : any ? 0 : LOOKUP_NONE;
}

/* Rows 'O' go. */
static int forget_open(uint64_t number, struct kv_batch *b)
{
	uint8_t key[PACK_KEY_LEN];

	pack_key_pack(key, PACK_KEY_OPEN, number);
	return kv_batch_delete_prefix(b, KV_PACK, key, sizeof(key));
}

int store_tally_least(struct pack *p, uint32_t least, struct buf *lens, struct pack_tally *out)
{
	static const uint8_t unknown[LEN_BYTES];
	struct pack_tally t = { 0 };
	int r = p ? store_tally_of(p, lens, &t) : 0;

	for (; t.chunks < least && !r; t.chunks++)
		r = buf_append(lens, unknown, sizeof(unknown));
	t.lens = lens->data;
	if (!r)
		*out = t;
	return r;
}

/* A disk that is not there is no loss. */
static bool packs_are_there(struct chunk_store *cs)
{
	CLEANUP(pack_walk_freep) struct pack_walk *w = NULL;
	uint64_t number;

	return !cs->sealed.packs || (!pack_walk_new(cs->packs, 0, &w) && !pack_walk_next(w, &number));
}

/* Step 1; steps 2 and 3 follow when it is written.  One chunk more than are known makes the loss seen. */
static int close_damaged(struct recovery *rc, uint64_t number, uint32_t least, int why)
{
	struct chunk_store *cs = rc->cs;
	CLEANUP(pack_releasep) struct pack *p = NULL;
	CLEANUP(buf_fini) struct buf lens = BUF_INIT;
	struct pack_tally tally;
	int r = pack_open(cs->packs, number, &p);

	if (r == -ENOENT || r == -EUCLEAN || r == -EBADMSG)
		r = least && packs_are_there(cs) ? 0 : r;
	else
		r = r ? r : pack_sync(p);
	if (!r && p && pack_count(p) >= least)
		least = pack_count(p) + 1;
	r = r ? r : store_tally_least(p, least, &lens, &tally);
	r = r ? r : pack_set_add(&rc->damaged, number);
	if (r)
		return r == -ENOMEM ? r : leave_pack(number, why, rc->b);
	totals_change(&cs->sealed, SUMS_MORE, &tally);
	log_error("pack %012llx was being written and has been closed as it is: %s", (unsigned long long)number,
		  err_text(why));
	return store_sealed_rows(number, &tally, rc->b);
}

/* 0: as it should be, or there is none; LOOKUP_NONE: it has lost what was promised, or it is not it; < 0. */
static int recover_file(struct recovery *rc, uint64_t number, uint32_t least, int *why)
{
	struct unfinished u = { rc->cs, number, rc->b, 0 };
	int r = -ENOENT;

	if (pack_exists(rc->cs->packs, number))
		r = pack_recover(rc->cs->packs, number,
				 &(struct pack_recovery){ was_promised, is_bad, &u, least });
	*why = r;
	if (r == -ENOENT || r == -EUCLEAN)
		return least ? LOOKUP_NONE : r;
	return r == -EBADMSG ? LOOKUP_NONE : r ? r : u.error;
}

/* It was closed, and a promise is left: by a commit that came at the same moment, or because of a loss. */
static int look_again(struct recovery *rc, uint64_t number)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	int r = pack_open(rc->cs->packs, number, &p);

	if (r == -ENOMEM)
		return r;
	return r || !pack_whole(p) ? pack_set_add(&rc->damaged, number) : forget_open(number, rc->b);
}

/* @open: it has a row 'O', which promises @least slots. */
static int finish_pack(struct recovery *rc, uint64_t number, bool open, uint32_t least)
{
	struct chunk_store *cs = rc->cs;
	int r = has_row(cs, number), why;

	if (r <= 0)
		return r || !open ? r : look_again(rc, number);
	r = recover_file(rc, number, least, &why);
	if (r == LOOKUP_NONE)
		return close_damaged(rc, number, least, why);
	if (!r || r == -ENOENT)
		why = open ? forget_open(number, rc->b) : 0;
	if (r == -ENOENT)
		return why;
	if (!r)
		r = why ? why : index_recovered(cs, number, rc->b);
	if (r && r != -ENOMEM)
		return leave_pack(number, r, rc->b);
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

static uint64_t first_probed(const struct chunk_store *cs)
{
	return cs->reserved > FIRST_NUMBER + NUMBER_STEP ? cs->reserved - NUMBER_STEP : FIRST_NUMBER;
}

static int finish(struct recovery *rc, uint64_t number)
{
	uint32_t least;
	int r = store_promised(rc->cs->kv, number, &least);

	return r < 0 ? r : finish_pack(rc, number, !r, least);
}

/* Numbers in the last step are probed anyway. */
static int finish_old(struct chunk_store *cs, struct cursor key, struct cursor value, void *ctx)
{
	struct recovery *rc = ctx;
	uint64_t number;
	uint32_t slots;
	int r = open_key_unpack(key.p, cursor_left(&key), &number, &slots);

	if (r)
		return pass_over(r);
	if (number == rc->last || (number >= first_probed(cs) && number < cs->reserved))
		return 0;
	rc->last = number;
	return finish(rc, number);
}

static int finish_last(struct recovery *rc)
{
	int r = 0;

	for (uint64_t n = first_probed(rc->cs); n < rc->cs->reserved && !r; n++)
		r = finish(rc, n);
	return r;
}

/* Steps 2 and 3.  Who asks for damage later is told of these, too. */
static int write_losses(struct recovery *rc)
{
	int r = 0;

	kv_batch_clear(rc->b);
	for (size_t i = 0; i < rc->damaged.cap && !r; i++) {
		CLEANUP(pack_releasep) struct pack *p = NULL;
		uint64_t number = rc->damaged.cells[i] - 1;

		if (!rc->damaged.cells[i])
			continue;
		if (pack_open(rc->cs->packs, number, &p))
			p = NULL;
		store_lost(rc->cs, number, p);
		if (p || index_is_bad(&rc->cs->index, (struct pack_ref){ number, CHUNK_EVERY_SLOT }))
			r = forget_open(number, rc->b);
	}
	return !r && kv_batch_count(rc->b) ? kv_write(rc->cs->kv, rc->b, true) : r;
}

int store_recover(struct chunk_store *cs)
{
	CLEANUP(recovery_fini) struct recovery rc = { .cs = cs };
	int r = kv_batch_new(&rc.b);

	if (!r)
		r = load_reserved(cs);
	if (!r)
		r = load_totals(cs);
	if (!r)
		r = each_row(cs, PACK_KEY_BAD, load_bad, NULL);
	if (!r)
		r = each_row(cs, PACK_KEY_DOOMED, remove_doomed, rc.b);
	if (!r)
		r = each_row(cs, PACK_KEY_OPEN, finish_old, &rc);
	if (!r)
		r = finish_last(&rc);
	if (!r && kv_batch_count(rc.b)) {
		r = totals_put(&cs->sealed, rc.b);
		r = r ? r : kv_write(cs->kv, rc.b, true);
	}
	cs->sums = cs->sealed;
	return r || !rc.damaged.count ? r : write_losses(&rc);
}
