/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_gc: removing a pack that nobody's map names.
 *
 * A writer may be about to share a chunk of the pack while the maps are asked.  So the pack is condemned first: no
 * chunk of it is shared from then on.  Writers that shared one before have it pinned until their places are in a map on
 * disk; then the maps say so.
 *
 * Order: 1. condemn; 2. ask the maps; 3. one synced batch: the index rows that point there, the pack's own rows, and a
 * row that dooms it; 4. unlink; 5. delete that row.  A cut between 3 and 5 leaves work that the next open does.
 */
#include <errno.h>

#include "chunk/store.h"

static bool is_pinned(const struct chunk_store *cs, uint64_t pack)
{
	for (const struct pins *p = cs->pins; p; p = p->next)
		if (pack_set_has(&p->touched, pack) || pack_set_has(&p->committing, pack) ||
		    pack_set_has(&p->earlier, pack))
			return true;
	return false;
}

static bool being_removed(const struct chunk_store *cs, uint64_t pack)
{
	for (size_t i = 0; i < cs->condemned_count; i++)
		if (cs->condemned[i] == pack)
			return true;
	return false;
}

static int condemn(struct chunk_store *cs, uint64_t pack)
{
	LOCK_SCOPE(&cs->lock);
	struct table *t = index_table(&cs->index, pack);

	if ((t && t->state != TABLE_SEALED) || being_removed(cs, pack) || is_pinned(cs, pack))
		return CHUNK_E_IN_USE;
	if (cs->condemned_count == cs->condemned_cap) {
		size_t cap = cs->condemned_cap ? cs->condemned_cap * 2 : 4;
		uint64_t *more = realloc(cs->condemned, cap * sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		cs->condemned = more;
		cs->condemned_cap = cap;
	}
	cs->condemned[cs->condemned_count++] = pack;
	if (t)
		t->shunned = true;
	return 0;
}

static void absolve(struct chunk_store *cs, uint64_t pack)
{
	LOCK_SCOPE(&cs->lock);
	struct table *t = index_table(&cs->index, pack);
	size_t i = 0;

	while (cs->condemned[i] != pack)
		i++;
	cs->condemned[i] = cs->condemned[--cs->condemned_count];
	if (t)
		t->shunned = store_is_condemned(cs, pack);
}

/* ---- index rows -------------------------------------------------------------------------------------------------- */

/* What goes: the batch, and of each digest whose row it deletes the part that a row knows. */
struct removal {
	struct chunk_store *cs;
	uint64_t pack;
	struct kv_batch *b;
	struct buf parts;
};

static void removal_fini(struct removal *rm)
{
	kv_batch_free(rm->b);
	buf_fini(&rm->parts);
}

/* Deletes the index row of a chunk if it points to this pack. */
static int delete_index_row(struct removal *rm, const uint8_t *part)
{
	struct buf value = BUF_INIT;
	struct index_value row;
	int r = kv_get(rm->cs->kv, KV_INDEX, part, INDEX_KEY_LEN, &value);
	bool here = !r && !index_value_unpack(value.data, value.len, &row) && row.ref.pack == rm->pack;

	buf_fini(&value);
	if (r < 0 || !here)
		return r < 0 ? r : 0;
	r = buf_append(&rm->parts, part, LOST_PART_LEN);
	return r ? r : kv_batch_delete(rm->b, KV_INDEX, part, INDEX_KEY_LEN);
}

static int delete_rows_of_table(struct removal *rm, struct pack *p)
{
	struct pack_entry e;
	int r = 0;

	for (uint32_t i = 0; i < pack_count(p) && !r; i++)
		if (!pack_entry(p, i, &e))
			r = delete_index_row(rm, e.digest.b);
	return r;
}

/* Of the chunks that the table does not tell of. */
static int delete_rows_of_lost(struct removal *rm)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	uint8_t prefix[PACK_KEY_LEN];
	int r = kv_iter_new(rm->cs->kv, KV_PACK, &it);

	if (r)
		return r;
	pack_key_pack(prefix, PACK_KEY_LOST, rm->pack);
	for (kv_iter_seek(it, prefix, sizeof(prefix)); !r && kv_iter_in(it, prefix, sizeof(prefix)); kv_iter_next(it)) {
		struct lost_chunk l;
		size_t n;
		const uint8_t *value = kv_iter_value(it, &n);

		if (!lost_chunk_unpack(value, n, &l))
			r = delete_index_row(rm, l.part);
	}
	return r ? r : kv_iter_error(it);
}

/*
 * A writer that stored a chunk anew may have written its row between our look at the row and the batch that deletes it.
 * It has the chunk in memory still: what is there and synced gets its row again (a row is a promise to recovery).  What
 * is not synced yet gets its row later, and then the same.
 */
static void put_rows_again(struct removal *rm)
{
	uint8_t value[INDEX_VALUE_LEN];
	int r = 0;

	kv_batch_clear(rm->b);
	pthread_mutex_lock(&rm->cs->lock);
	for (size_t i = 0; i < rm->parts.len && !r; i += LOST_PART_LEN) {
		const struct slot *s = index_find_readable(&rm->cs->index, rm->parts.data + i, LOST_PART_LEN);

		if (!s || s->number >= s->table->synced)
			continue;
		index_value_pack(value, (struct pack_ref){ s->table->number, s->number }, s->raw_len, &s->digest);
		r = kv_batch_put(rm->b, KV_INDEX, s->digest.b, INDEX_KEY_LEN, value, sizeof(value));
	}
	pthread_mutex_unlock(&rm->cs->lock);
	if (!r && kv_batch_count(rm->b))
		r = kv_write(rm->cs->kv, rm->b, false);
	if (r)
		log_warn("index rows of chunks stored anew were not written: %s", strerror(-r));
}

/* ---- the pack ---------------------------------------------------------------------------------------------------- */

/* Most packs have none; and what reads a database goes through every prefix that was deleted of late. */
static int delete_rows(struct chunk_store *cs, enum pack_key kind, uint64_t pack, struct kv_batch *b)
{
	uint8_t key[PACK_KEY_LEN];
	int r;

	pack_key_pack(key, kind, pack);
	r = kv_any(cs->kv, KV_PACK, key, sizeof(key));
	if (r)
		return r == KV_E_NONE ? 0 : r;
	return kv_batch_delete_prefix(b, KV_PACK, key, sizeof(key));
}

/* *known: the pack had its row with sums, *t. */
static int delete_pack_rows(struct chunk_store *cs, uint64_t pack, struct kv_batch *b, bool *known,
			    struct pack_tally *t)
{
	uint8_t key[PACK_KEY_LEN];
	int r = store_tally(cs->kv, pack, t);

	*known = !r;
	if (r < 0 && r != -EUCLEAN)
		return r;
	pack_key_pack(key, PACK_KEY_SEALED, pack);
	r = kv_batch_delete(b, KV_PACK, key, sizeof(key));
	r = r ? r : delete_rows(cs, PACK_KEY_OPEN, pack, b);
	r = r ? r : delete_rows(cs, PACK_KEY_BAD, pack, b);
	r = r ? r : delete_rows(cs, PACK_KEY_LOST, pack, b);
	pack_key_pack(key, PACK_KEY_DOOMED, pack);
	return r ? r : kv_batch_put(b, KV_PACK, key, sizeof(key), NULL, 0);
}

static void forget(struct chunk_store *cs, uint64_t pack, const struct pack_tally *t)
{
	LOCK_SCOPE(&cs->lock);
	struct table *table = index_table(&cs->index, pack);

	if (table) {
		index_remove_table(&cs->index, table);
		table_free(table);
	}
	store_drop_pack(cs, pack);
	index_forget_bad(&cs->index, pack);
	cs->removals++;
	if (t)
		totals_change(&cs->sealed, SUMS_LESS, t);
}

/* Step 3.  *freed: 0 if it was gone. */
static int remove_rows(struct removal *rm, struct pack *p, uint64_t *freed)
{
	struct chunk_store *cs = rm->cs;
	struct pack_tally tally = { 0 };
	bool known;
	int r = p ? delete_rows_of_table(rm, p) : 0;

	r = r ? r : delete_rows_of_lost(rm);
	r = r ? r : delete_pack_rows(cs, rm->pack, rm->b, &known, &tally);
	if (!r && !known && !pack_exists(cs->packs, rm->pack)) {
		*freed = 0;
		return 0;
	}
	if (!r)
		r = known ? store_write_sums(cs, rm->b, SUMS_LESS, &tally, true) : kv_write(cs->kv, rm->b, true);
	if (r)
		return r;
	forget(cs, rm->pack, known ? &tally : NULL);
	put_rows_again(rm);
	*freed = tally.file_bytes;
	return 0;
}

/* Steps 4 and 5. */
static int remove_file(struct removal *rm)
{
	uint8_t key[PACK_KEY_LEN];
	int r = pack_unlink(rm->cs->packs, rm->pack);

	if (r)
		return r;
	kv_batch_clear(rm->b);
	pack_key_pack(key, PACK_KEY_DOOMED, rm->pack);
	r = kv_batch_delete(rm->b, KV_PACK, key, sizeof(key));
	return r ? r : kv_write(rm->cs->kv, rm->b, false);
}

static int remove_pack(struct chunk_store *cs, uint64_t pack, uint64_t *freed_bytes)
{
	CLEANUP(removal_fini) struct removal rm = { .cs = cs, .pack = pack, .parts = BUF_INIT };
	CLEANUP(pack_releasep) struct pack *p = NULL;
	uint64_t freed;
	int r = kv_batch_new(&rm.b);

	if (r)
		return r;
	/* If that is lost and nobody noticed, its index rows are known when this returns. */
	if (store_pack(cs, pack, &p))
		p = NULL;
	LOCK_SCOPE(&cs->losing);
	r = remove_rows(&rm, p, &freed);
	r = r ? r : remove_file(&rm);
	if (!r)
		*freed_bytes = freed;
	return r;
}

int chunk_gc_pack(struct chunk_store *cs, uint64_t pack, int (*in_use)(void *ctx, uint64_t pack), void *ctx,
		  uint64_t *freed_bytes)
{
	int r = condemn(cs, pack);

	if (r)
		return r;
	r = in_use(ctx, pack);
	if (r > 0)
		r = CHUNK_E_IN_USE;
	if (!r)
		r = remove_pack(cs, pack, freed_bytes);
	absolve(cs, pack);
	return r;
}
