/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_damage: what is no longer as it was written, and how it is written down, so that it can heal (chunk_heal.c).
 *
 * A chunk whose stored bytes fail their check is marked (row 'B') and is no target any more, so the next backup of the
 * same data stores it anew.  Its index row stays until then: to take it away would be a race with that backup.  A
 * reader that comes to the marked chunk looks for its digest and delivers the other one.
 *
 * A pack that is gone, or that has lost a part of its table of contents, does not tell the digests of its chunks.  The
 * index does, as long as nobody has stored them anew: so at the first notice, whose ever it is, they are written down.
 *
 *  1. A walk over KV_INDEX writes a row 'L' for every chunk of the pack.  A cut leaves some of them; the next to notice
 *     begins again.
 *  2. One synced row 'B' for the pack.  From here on its chunks are looked for by their rows 'L'.
 * Who noticed waits for 2, writers too, so nobody overwrites an index row because the pack is lost before it was
 * copied.  The walk takes half a minute a TiB of chunks, so all packs that are missing share one; and if none is left,
 * that is a disk that is not there and not a loss.
 *
 * A pack that comes back (an operator found it) is as it was: it is tried first, always.
 */
#include <errno.h>

#include "chunk/store.h"

#define GATHER_ROWS 1000u	/* rows of a batch */
#define FEW_PACKS 16u

static const struct pack_ref *every_slot(uint64_t pack, struct pack_ref *ref)
{
	*ref = (struct pack_ref){ pack, CHUNK_EVERY_SLOT };
	return ref;
}

static bool known_lost(struct chunk_store *cs, uint64_t pack)
{
	LOCK_SCOPE(&cs->lock);
	struct pack_ref ref;

	return index_is_bad(&cs->index, *every_slot(pack, &ref));
}

void store_tell(struct chunk_store *cs, struct pack_ref ref, const struct digest *d)
{
	void (*damaged)(void *ctx, struct pack_ref ref, const struct digest *d);
	void *ctx;

	pthread_mutex_lock(&cs->lock);
	damaged = cs->damaged;
	ctx = cs->damaged_ctx;
	if (!damaged && cs->untold_count < ARRAY_LEN(cs->untold)) {
		cs->untold[cs->untold_count].ref = ref;
		cs->untold[cs->untold_count++].digest = *d;
	}
	pthread_mutex_unlock(&cs->lock);
	if (damaged)
		damaged(ctx, ref, d);
}

void chunk_store_on_damage(struct chunk_store *cs,
			   void (*damaged)(void *ctx, struct pack_ref ref, const struct digest *d), void *ctx)
{
	unsigned untold;

	pthread_mutex_lock(&cs->lock);
	cs->damaged = damaged;
	cs->damaged_ctx = ctx;
	untold = damaged ? cs->untold_count : 0;
	cs->untold_count -= untold;
	pthread_mutex_unlock(&cs->lock);
	/* Only while nobody was told are there more. */
	for (unsigned i = 0; i < untold; i++)
		damaged(ctx, cs->untold[i].ref, &cs->untold[i].digest);
}

/* ---- one chunk --------------------------------------------------------------------------------------------------- */

static int put_bad(struct kv_batch *b, struct pack_ref ref)
{
	uint8_t key[BAD_KEY_LEN];

	bad_key_pack(key, ref);
	return kv_batch_put(b, KV_PACK, key, sizeof(key), NULL, 0);
}

/* All that is known of a chunk if the index told of another one with its digest when the pack was lost. */
static int len_by_row(struct chunk_store *cs, struct pack_ref ref, struct lost_chunk *out)
{
	struct buf value = BUF_INIT;
	uint8_t key[PACK_KEY_LEN];
	int r;

	pack_key_pack(key, PACK_KEY_SEALED, ref.pack);
	r = kv_get(cs->kv, KV_PACK, key, sizeof(key), &value);
	*out = (struct lost_chunk){ .raw_len = r ? 0 : pack_tally_len(value.data, value.len, ref.slot) };
	buf_fini(&value);
	return r < 0 ? r : out->raw_len ? 0 : LOOKUP_NONE;
}

static int put_lost(struct kv_batch *b, struct pack_ref ref, const struct lost_chunk *l)
{
	uint8_t key[BAD_KEY_LEN], value[LOST_LEN];

	lost_key_pack(key, ref);
	lost_chunk_pack(value, l);
	return kv_batch_put(b, KV_PACK, key, sizeof(key), value, sizeof(value));
}

/* What it was, too: when it is stored anew the index forgets this place, and then the pack may be lost. */
static int write_damage(struct chunk_store *cs, struct pack_ref ref, const struct digest *d)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct lost_chunk l;
	int r = kv_batch_new(&b);

	r = r ? r : put_bad(b, ref);
	if (!r && !len_by_row(cs, ref, &l)) {
		memcpy(l.part, d->b, LOST_PART_LEN);
		r = put_lost(b, ref, &l);
	}
	return r ? r : kv_write(cs->kv, b, true);
}

void store_damaged(struct chunk_store *cs, struct pack_ref ref, const struct digest *d)
{
	bool news;
	int r;

	pthread_mutex_lock(&cs->lock);
	r = index_mark_bad(&cs->index, ref, &news);
	pthread_mutex_unlock(&cs->lock);
	if (!news)
		return;
	log_error("chunk %u of pack %012llx is damaged and no longer shared", ref.slot, (unsigned long long)ref.pack);
	r = r ? r : write_damage(cs, ref, d);
	if (r)
		log_error("that it is damaged could not be written down: %s", strerror(-r));
	store_tell(cs, ref, d);
}

/* ---- a pack ------------------------------------------------------------------------------------------------------ */

int store_tally(struct kv *kv, uint64_t number, struct pack_tally *out)
{
	struct buf value = BUF_INIT;
	uint8_t key[PACK_KEY_LEN];
	int r;

	pack_key_pack(key, PACK_KEY_SEALED, number);
	r = kv_get(kv, KV_PACK, key, sizeof(key), &value);
	if (r == KV_E_NONE)
		r = LOOKUP_NONE;
	else if (!r)
		r = pack_tally_unpack(value.data, value.len, out);
	buf_fini(&value);
	return r;
}

bool store_is_sealed(struct chunk_store *cs, uint64_t pack)
{
	struct pack_tally row;

	return !store_tally(cs->kv, pack, &row);
}

static bool has_gap(struct pack *p, uint32_t chunks)
{
	struct pack_entry e;

	for (uint32_t i = 0; i < chunks; i++)
		if (pack_entry(p, i, &e))
			return true;
	return false;
}

/* All packs whose files are missing and that nobody removed: the collector takes the row away first. */
static int add_missing(struct chunk_store *cs, struct pack_set *lost)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	static const uint8_t prefix = PACK_KEY_SEALED;
	uint32_t all = 0, missing = 0;
	int r = kv_iter_new(cs->kv, KV_PACK, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, &prefix, 1); !r && kv_iter_in(it, &prefix, 1); kv_iter_next(it)) {
		size_t n;
		const uint8_t *key = kv_iter_key(it, &n);
		uint64_t number;

		r = pack_key_unpack(key, n, PACK_KEY_SEALED, &number);
		all++;
		if (r || pack_exists(cs->packs, number) || !store_is_sealed(cs, number))
			continue;
		missing++;
		if (!known_lost(cs, number))
			r = pack_set_add(lost, number);
	}
	r = r ? r : kv_iter_error(it);
	if (!r && missing == all && all > FEW_PACKS)
		r = err_explain(-EIO, "none of %u packs is there", all);
	return r;
}

/* As put_lost(); batches do not grow with what is lost. */
static int put_many(struct chunk_store *cs, struct kv_batch *b, struct pack_ref ref, const struct lost_chunk *l)
{
	int r = put_lost(b, ref, l);

	if (!r && kv_batch_count(b) >= GATHER_ROWS) {
		r = kv_write(cs->kv, b, false);
		kv_batch_clear(b);
	}
	return r;
}

/* What the index knows of their chunks. */
static int gather(struct chunk_store *cs, const struct pack_set *lost, struct kv_batch *b)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	int r = kv_iter_new(cs->kv, KV_INDEX, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, "", 0); !r && kv_iter_valid(it); kv_iter_next(it)) {
		size_t klen, vlen;
		const uint8_t *key = kv_iter_key(it, &klen), *value = kv_iter_value(it, &vlen);
		struct index_value row;
		struct lost_chunk l;

		if (klen != INDEX_KEY_LEN || index_value_unpack(value, vlen, &row) || !pack_set_has(lost, row.ref.pack))
			continue;
		memcpy(l.part, key, INDEX_KEY_LEN);
		memcpy(l.part + INDEX_KEY_LEN, row.mac, INDEX_MAC_LEN);
		l.raw_len = row.raw_len;
		r = put_many(cs, b, row.ref, &l);
	}
	return r ? r : kv_iter_error(it);
}

/* What memory still has of the table of one of them goes the same way, and then away. */
static int gather_table(struct chunk_store *cs, uint64_t number, struct kv_batch *b)
{
	LOCK_SCOPE(&cs->lock);
	struct table *t = index_table(&cs->index, number);
	const struct segment *s = t ? t->first : NULL;
	int r = 0;

	if (!t || t->state != TABLE_SEALED)
		return 0;
	for (uint32_t i = 0; i < t->count && !r; i++) {
		const struct slot *slot = &s->slots[i % SEGMENT_SLOTS];
		struct lost_chunk l = { .raw_len = slot->raw_len };

		if (i % SEGMENT_SLOTS == SEGMENT_SLOTS - 1)
			s = s->next;
		memcpy(l.part, slot->digest.b, LOST_PART_LEN);
		if (l.raw_len)
			r = put_many(cs, b, (struct pack_ref){ number, i }, &l);
	}
	index_remove_table(&cs->index, t);
	table_free(t);
	return r;
}

static int mark_lost(struct chunk_store *cs, uint64_t number)
{
	LOCK_SCOPE(&cs->lock);
	struct pack_ref ref;
	bool news;

	cs->removals++;		/* a table that is being read is not to be kept */
	return index_mark_bad(&cs->index, *every_slot(number, &ref), &news);
}

static int write_down(struct chunk_store *cs, const struct pack_set *lost)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = kv_batch_new(&b);

	r = r ? r : gather(cs, lost, b);
	for (size_t i = 0; i < lost->cap && !r; i++)
		if (lost->cells[i])
			r = gather_table(cs, lost->cells[i] - 1, b);
	for (size_t i = 0; i < lost->cap && !r; i++) {
		struct pack_ref ref;

		if (lost->cells[i])
			r = put_bad(b, *every_slot(lost->cells[i] - 1, &ref));
	}
	r = r ? r : kv_write(cs->kv, b, true);
	for (size_t i = 0; i < lost->cap && !r; i++)
		if (lost->cells[i])
			r = mark_lost(cs, lost->cells[i] - 1);
	return r;
}

/* @p: what is left of it, or NULL.  @lost: the packs that became known. */
static int take_notice(struct chunk_store *cs, uint64_t number, struct pack *p, struct pack_set *lost)
{
	LOCK_SCOPE(&cs->losing);
	struct pack_tally row;
	int r = known_lost(cs, number) ? LOOKUP_NONE : store_tally(cs->kv, number, &row);

	if (r)
		return r;
	if (p && !has_gap(p, row.chunks))
		return LOOKUP_NONE;
	r = p ? 0 : add_missing(cs, lost);
	r = r ? r : pack_set_add(lost, number);
	return r ? r : write_down(cs, lost);
}

void store_lost(struct chunk_store *cs, uint64_t number, struct pack *p)
{
	struct pack_set lost = { NULL };
	const struct digest none = { .b = { 0 } };
	int r = take_notice(cs, number, p, &lost);

	if (r < 0)
		log_error("pack %012llx is lost, and that could not be written down: %s", (unsigned long long)number,
			  err_text(r));
	for (size_t i = 0; i < lost.cap && !r; i++) {
		struct pack_ref ref;

		if (!lost.cells[i])
			continue;
		every_slot(lost.cells[i] - 1, &ref);
		log_error("pack %012llx is %s", (unsigned long long)ref.pack,
			  p ? "damaged: a part of its table is lost" : "lost");
		store_tell(cs, ref, &none);
	}
	pack_set_fini(&lost);
}

/* How many slots of a pack that no row tells of had a row in the index. */
static int count_indexed(struct chunk_store *cs, uint64_t number, uint32_t *slots)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	int r = kv_iter_new(cs->kv, KV_INDEX, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, "", 0); kv_iter_valid(it); kv_iter_next(it)) {
		size_t n;
		const uint8_t *value = kv_iter_value(it, &n);
		struct index_value row;

		if (!index_value_unpack(value, n, &row) && row.ref.pack == number && row.ref.slot >= *slots &&
		    row.ref.slot < SLOTS_MAX)
			*slots = row.ref.slot + 1;
	}
	return kv_iter_error(it);
}

static int give_row(struct chunk_store *cs, uint64_t number, uint32_t slots)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct pack_tally tally = { .chunks = slots };
	struct pack_tally row;
	int r = store_tally(cs->kv, number, &row);

	if (r != LOOKUP_NONE)
		return r;
	r = count_indexed(cs, number, &tally.chunks);
	r = r ? r : kv_batch_new(&b);
	r = r ? r : store_sealed_rows(number, &tally, b);
	r = r ? r : store_write_sums(cs, b, SUMS_MORE, &tally, true);
	if (r)
		return r;
	LOCK_SCOPE(&cs->lock);
	totals_change(&cs->sealed, SUMS_MORE, &tally);
	return 0;
}

void store_lost_named(struct chunk_store *cs, uint64_t number, uint32_t slots)
{
	int r;

	pthread_mutex_lock(&cs->losing);
	r = slots > SLOTS_MAX ? -EUCLEAN : give_row(cs, number, slots);
	pthread_mutex_unlock(&cs->losing);
	if (!r)
		store_lost(cs, number, NULL);
	else if (r < 0)
		log_error("pack %012llx is lost, and that could not be written down: %s", (unsigned long long)number,
			  strerror(-r));
}

void store_returned(struct chunk_store *cs, uint64_t number)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	uint8_t key[BAD_KEY_LEN];
	struct pack_ref ref;
	int r = kv_batch_new(&b);

	LOCK_SCOPE(&cs->losing);
	bad_key_pack(key, *every_slot(number, &ref));
	r = r ? r : kv_batch_delete(b, KV_PACK, key, sizeof(key));
	lost_key_pack(key, ref);
	r = r ? r : kv_batch_delete_prefix(b, KV_PACK, key, PACK_KEY_LEN);
	r = r ? r : kv_write(cs->kv, b, true);
	if (r) {
		log_error("that pack %012llx is there again could not be written down: %s", (unsigned long long)number,
			  err_text(r));
		return;
	}
	log_info("pack %012llx is there again", (unsigned long long)number);
	LOCK_SCOPE(&cs->lock);
	index_unmark_bad(&cs->index, ref);
}

int store_lost_chunk(struct chunk_store *cs, struct pack_ref ref, struct lost_chunk *out)
{
	struct buf value = BUF_INIT;
	uint8_t key[BAD_KEY_LEN];
	int r;

	lost_key_pack(key, ref);
	r = kv_get(cs->kv, KV_PACK, key, sizeof(key), &value);
	if (r == KV_E_NONE)
		r = len_by_row(cs, ref, out);
	else if (!r)
		r = lost_chunk_unpack(value.data, value.len, out);
	buf_fini(&value);
	return r;
}
