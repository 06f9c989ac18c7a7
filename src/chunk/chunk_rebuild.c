/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_rebuild: KV_INDEX and KV_PACK from the packs, after the database was lost.  What a journal brought back of
 * KV_PACK may be older or newer than the packs.
 *
 * Order: 1. the number from which packs are made, far beyond all that are known, on disk before anything else; 2. rows
 * of the old index go; 3. pack by pack, in the order of numbers, its index rows and row 'P'; 4. packs that have a row
 * and no file are written down as lost; 5. totals, and all of it synced.  Stopped between, it begins again.
 *
 * A chunk that is in several packs gets the row of the newest, which is where the collector moved it or a backup healed
 * it; one that is known to be bad gets none.  Memory: one pack's table.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "chunk/check.h"

#define HEX(n) ((unsigned long long)(n))
/*
 * Maps may name packs that are gone and that no row tells of any more, newer than every file: their numbers must not
 * come again.  So many packs hold 512 TiB, and there are 16 million times as many numbers.
 */
#define NUMBERS_LEFT_OUT (1ull << 24)
#define ROWS_A_WRITE 4096u

struct rebuild {
	struct kv *kv;
	struct packs *packs;
	const struct chunk_check_config *cfg;
	struct kv_batch *b;
	struct chunk_rebuilt sums;
	uint64_t highest;	/* number that anything speaks of */
	uint64_t done, all;	/* pack files */
};

static void tell(struct rebuild *rb, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void tell(struct rebuild *rb, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	log_warn("%s", what);
	if (rb->cfg->found)
		rb->cfg->found(rb->cfg->ctx, what, false);
}

static int write_rows(struct rebuild *rb, bool sync)
{
	int r = kv_batch_count(rb->b) || sync ? kv_write(rb->kv, rb->b, sync) : 0;

	kv_batch_clear(rb->b);
	return r;
}

static int put_pack_row(struct rebuild *rb, enum pack_key kind, const void *value, size_t n)
{
	uint8_t key = (uint8_t)kind;

	return kv_batch_put(rb->b, KV_PACK, &key, 1, value, n);
}

static int has_row(struct rebuild *rb, const void *key, size_t n)
{
	int r = kv_any(rb->kv, KV_PACK, key, n);

	return r == KV_E_NONE ? LOOKUP_NONE : r;
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

static void heard_of(struct rebuild *rb, uint64_t number)
{
	if (number <= PACK_NUMBER_MAX && number > rb->highest)
		rb->highest = number;
}

static int next_file(struct rebuild *rb, struct pack_walk *w, uint64_t *number, bool say)
{
	int r;

	while ((r = pack_walk_next(w, number)) < 0 && store_is_loss(r))
		if (say)
			tell(rb, "a folder of packs cannot be read: %s", err_text(r));
	return r;
}

static int hear_of_files(struct rebuild *rb)
{
	CLEANUP(pack_walk_freep) struct pack_walk *w = NULL;
	uint64_t number;
	int r = pack_walk_new(rb->packs, 0, &w);

	while (!r) {
		r = next_file(rb, w, &number, true);
		if (r)
			break;
		heard_of(rb, number);
		rb->all++;
	}
	return r < 0 ? r : 0;
}

/* Rows 'P', 'O', 'D', 'B' and 'L' have the number behind their letter; row 'N' has one as its value. */
static int hear_of_rows(struct rebuild *rb)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	int r = kv_iter_new(rb->kv, KV_PACK, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, "", 0); kv_iter_valid(it); kv_iter_next(it)) {
		size_t n, len;
		const uint8_t *key = kv_iter_key(it, &n), *value = kv_iter_value(it, &len);

		if (n >= PACK_KEY_LEN)
			heard_of(rb, get_be64(key + 1));
		else if (n == 1 && key[0] == PACK_KEY_NEXT && len == 8)
			heard_of(rb, get_le64(value));
	}
	return kv_iter_error(it);
}

static int put_next(struct rebuild *rb)
{
	uint8_t value[8];
	int r = hear_of_files(rb);

	r = r ? r : hear_of_rows(rb);
	if (r)
		return r;
	if (rb->highest > PACK_NUMBER_MAX - NUMBERS_LEFT_OUT - NUMBER_STEP)
		return err_explain(-EUCLEAN, "pack %012llx is too near to the last number there is", HEX(rb->highest));
	put_le64(value, rb->highest + 1 + NUMBERS_LEFT_OUT);
	r = put_pack_row(rb, PACK_KEY_NEXT, value, sizeof(value));
	return r ? r : write_rows(rb, true);
}

/* ---- what was there -------------------------------------------------------------------------------------------- */

static int clear_rows(struct rebuild *rb)
{
	static const uint8_t totals = PACK_KEY_TOTALS;
	int r = kv_batch_delete(rb->b, KV_PACK, &totals, 1);

	for (unsigned first = 0; first < 256 && !r; first++) {
		uint8_t prefix = (uint8_t)first;

		r = kv_batch_delete_prefix(rb->b, KV_INDEX, &prefix, 1);
	}
	return r ? r : write_rows(rb, false);
}

/* A pack that was not sealed gets a row that counts what was promised of it.  Once that is written row 'O' may go; the
 * pack's own tally takes its place if there is more. */
static int keep_promise(struct rebuild *rb, const uint8_t *key, size_t n)
{
	CLEANUP(buf_fini) struct buf lens = BUF_INIT;
	struct pack_tally t;
	uint64_t number;
	uint32_t upto, least;
	int r = open_key_unpack(key, n, &number, &upto);

	if (!r && upto) {
		r = store_promised(rb->kv, number, &least);
		r = r ? r : store_tally(rb->kv, number, &t);
		if (r == LOOKUP_NONE || r == -EUCLEAN) {
			r = store_tally_least(NULL, least, &lens, &t);
			r = r ? r : store_sealed_rows(number, &t, rb->b);
		}
	}
	if (r < 0 && r != -EUCLEAN)
		return r;
	return kv_batch_delete(rb->b, KV_PACK, key, n);
}

static int keep_promises(struct rebuild *rb)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	static const uint8_t prefix = PACK_KEY_OPEN;
	int r = kv_iter_new(rb->kv, KV_PACK, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, &prefix, 1); !r && kv_iter_in(it, &prefix, 1); kv_iter_next(it)) {
		size_t n;
		const uint8_t *key = kv_iter_key(it, &n);

		r = keep_promise(rb, key, n);
	}
	r = r ? r : kv_iter_error(it);
	return r ? r : write_rows(rb, false);
}

/* ---- one pack -------------------------------------------------------------------------------------------------- */

static int put_index_row(struct rebuild *rb, struct pack_ref ref, const struct pack_entry *e)
{
	uint8_t value[INDEX_VALUE_LEN];
	int r;

	index_value_pack(value, ref, e->raw_len, &e->digest);
	r = kv_batch_put(rb->b, KV_INDEX, e->digest.b, INDEX_KEY_LEN, value, sizeof(value));
	if (!r && kv_batch_count(rb->b) >= ROWS_A_WRITE)
		r = write_rows(rb, false);
	return r;
}

/* May the chunk have the row?  Not if it is bad; and a pack that is not whole takes none from others. */
static int may_have_row(struct rebuild *rb, struct pack *p, uint32_t slot, const struct pack_entry *e, bool any_bad)
{
	uint8_t key[BAD_KEY_LEN];
	int r = LOOKUP_NONE;

	bad_key_pack(key, (struct pack_ref){ pack_number(p), slot });
	if (any_bad)
		r = has_row(rb, key, sizeof(key));
	if (r == LOOKUP_NONE && !pack_whole(p)) {
		r = kv_any(rb->kv, KV_INDEX, e->digest.b, INDEX_KEY_LEN);
		r = r == KV_E_NONE ? LOOKUP_NONE : r;
	}
	return r == LOOKUP_NONE ? 0 : r < 0 ? r : LOOKUP_NONE;
}

static int put_index_rows(struct rebuild *rb, struct pack *p)
{
	uint8_t prefix[PACK_KEY_LEN];
	struct pack_entry e;
	bool any_bad;
	int r;

	pack_key_pack(prefix, PACK_KEY_BAD, pack_number(p));
	r = has_row(rb, prefix, sizeof(prefix));
	if (r < 0)
		return r;
	any_bad = r == 0;
	r = 0;
	for (uint32_t slot = 0; slot < pack_count(p) && r >= 0; slot++) {
		r = pack_entry(p, slot, &e) ? LOOKUP_NONE : 0;
		r = r ? r : may_have_row(rb, p, slot, &e, any_bad);
		r = r ? r : put_index_row(rb, (struct pack_ref){ pack_number(p), slot }, &e);
	}
	return r < 0 ? r : 0;
}

/* All that was known of it is how many chunks it had. */
static int put_promised(struct rebuild *rb, struct pack *p, uint32_t least)
{
	CLEANUP(buf_fini) struct buf lens = BUF_INIT;
	struct pack_tally t;
	int r = store_tally_least(p, least, &lens, &t);

	return r ? r : store_sealed_rows(pack_number(p), &t, rb->b);
}

/* What a row from the journal knows of a pack that is not whole any more is more than the pack does. */
static int put_tally(struct rebuild *rb, struct pack *p, const struct pack_tally *t)
{
	struct pack_tally row;
	int r = pack_whole(p) ? LOOKUP_NONE : store_tally(rb->kv, pack_number(p), &row);

	if (r < 0 && r != -EUCLEAN)
		return r;
	if (r)
		return store_sealed_rows(pack_number(p), t, rb->b);
	return row.file_bytes ? 0 : put_promised(rb, p, row.chunks);
}

static int put_pack(struct rebuild *rb, struct pack *p)
{
	CLEANUP(buf_fini) struct buf lens = BUF_INIT;
	struct pack_tally t;
	int r = put_index_rows(rb, p);

	r = r ? r : store_tally_of(p, &lens, &t);
	r = r ? r : put_tally(rb, p, &t);
	r = r ? r : write_rows(rb, false);
	if (r)
		return r;
	rb->sums.packs++;
	rb->sums.chunks += t.chunks;
	return 0;
}

struct bad_slots {
	struct rebuild *rb;
	uint64_t number;
	int error;
};

static void put_bad(void *ctx, uint32_t slot, const struct digest *d)
{
	struct bad_slots *bs = ctx;
	uint8_t key[BAD_KEY_LEN];
	int r;

	bad_key_pack(key, (struct pack_ref){ bs->number, slot });
	r = kv_batch_put(bs->rb->b, KV_PACK, key, sizeof(key), NULL, 0);
	bs->error = bs->error ? bs->error : r;
}

/* Whole, or finished as after a crash, or what can be read of it, and that safe. */
static int open_pack(struct rebuild *rb, uint64_t number, struct pack **out)
{
	struct bad_slots bs = { rb, number, 0 };
	struct pack_tally row;
	struct pack *p;
	int r = pack_open(rb->packs, number, &p), r2;

	if (r && !store_is_loss(r))
		return r;
	if (!r && pack_whole(p)) {
		*out = p;
		return 0;
	}
	if (!r)
		pack_release(p);
	r2 = store_tally(rb->kv, number, &row);
	if (r2 < 0 && r2 != -EUCLEAN)
		return r2;
	r2 = pack_recover(rb->packs, number,
			  &(struct pack_recovery){ NULL, put_bad, &bs, r2 ? 0 : row.chunks });
	if (r2 == -ENOENT || r2 == -ENOMEM || bs.error)
		return bs.error ? bs.error : r2;
	r = write_rows(rb, false);
	r = r ? r : pack_open(rb->packs, number, &p);
	if (r)
		return r2 ? r2 : r;
	if (r2)
		tell(rb, "pack %012llx is damaged: %u chunks of it can be read: %s", HEX(number), pack_count(p),
		     err_text(r2));
	r = pack_whole(p) ? 0 : pack_sync(p);
	if (r)
		pack_release(p);
	else
		*out = p;
	return r;
}

/* Gone, with all that was in it. */
static int put_lost(struct rebuild *rb, uint64_t number)
{
	uint8_t key[BAD_KEY_LEN];

	rb->sums.unreadable++;
	bad_key_pack(key, (struct pack_ref){ number, CHUNK_EVERY_SLOT });
	return kv_batch_put(rb->b, KV_PACK, key, sizeof(key), NULL, 0);
}

static int rebuild_pack(struct rebuild *rb, uint64_t number)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	uint8_t key[PACK_KEY_LEN];
	int r;

	/* The collector was about to remove it; the next start does. */
	pack_key_pack(key, PACK_KEY_DOOMED, number);
	r = has_row(rb, key, sizeof(key));
	if (r != LOOKUP_NONE)
		return r;
	r = open_pack(rb, number, &p);
	if (!r)
		return put_pack(rb, p);
	if (r == -ENOENT && !pack_exists(rb->packs, number))
		return 0; /* it was empty */
	if (!store_is_loss(r) && r != -EPROTONOSUPPORT)
		return r;
	tell(rb, "pack %012llx cannot be read: %s", HEX(number), err_text(r));
	r = put_lost(rb, number);
	return r ? r : write_rows(rb, false);
}

static int rebuild_packs(struct rebuild *rb)
{
	CLEANUP(pack_walk_freep) struct pack_walk *w = NULL;
	uint64_t number;
	int r = pack_walk_new(rb->packs, 0, &w);

	while (!r) {
		r = next_file(rb, w, &number, false);
		if (r)
			break;
		r = rebuild_pack(rb, number);
		rb->done++;
		if (rb->all < rb->done)
			rb->all = rb->done;
		if (!r && rb->cfg->progress)
			r = rb->cfg->progress(rb->cfg->ctx, rb->done, rb->all);
		if (r)
			return r;
	}
	return r == PACK_E_NONE ? 0 : r;
}

/* ---- rows without a pack, and the sum -------------------------------------------------------------------------- */

static int check_row(struct rebuild *rb, const uint8_t *key, size_t n, const uint8_t *value, size_t len,
		     struct chunk_totals *sums)
{
	struct pack_tally t;
	uint64_t number;
	int r;

	if (pack_key_unpack(key, n, PACK_KEY_SEALED, &number) || pack_tally_unpack(value, len, &t))
		return kv_batch_delete(rb->b, KV_PACK, key, n);
	totals_change(sums, SUMS_MORE, &t);
	if (pack_exists(rb->packs, number))
		return 0;
	tell(rb, "pack %012llx is missing, with %u chunks", HEX(number), t.chunks);
	r = put_lost(rb, number);
	if (!r && kv_batch_count(rb->b) >= ROWS_A_WRITE)
		r = write_rows(rb, false);
	return r;
}

static int put_totals(struct rebuild *rb)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	static const uint8_t prefix = PACK_KEY_SEALED;
	struct chunk_totals sums = { 0 };
	int r = kv_iter_new(rb->kv, KV_PACK, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, &prefix, 1); !r && kv_iter_in(it, &prefix, 1); kv_iter_next(it)) {
		size_t n, len;
		const uint8_t *key = kv_iter_key(it, &n), *value = kv_iter_value(it, &len);

		r = check_row(rb, key, n, value, len, &sums);
	}
	r = r ? r : kv_iter_error(it);
	r = r ? r : totals_put(&sums, rb->b);
	return r ? r : write_rows(rb, true);
}

int chunk_store_rebuild(struct kv *kv, struct packs *packs, const struct chunk_check_config *cfg,
			struct chunk_rebuilt *out)
{
	struct rebuild rb = { .kv = kv, .packs = packs, .cfg = cfg };
	int r = kv_batch_new(&rb.b);

	r = r ? r : put_next(&rb);
	r = r ? r : clear_rows(&rb);
	r = r ? r : keep_promises(&rb);
	r = r ? r : rebuild_packs(&rb);
	r = r ? r : put_totals(&rb);
	kv_batch_free(rb.b);
	if (!r)
		*out = rb.sums;
	return r;
}
