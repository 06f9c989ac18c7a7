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
		if (pack_set_has(&p->touched, pack) || pack_set_has(&p->committing, pack))
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

/* Deletes the index row of a chunk if it points to this pack. */
static int delete_index_row(struct chunk_store *cs, const struct digest *d, uint64_t pack, struct kv_batch *b)
{
	struct buf value = BUF_INIT;
	struct index_value row;
	int r = kv_get(cs->kv, KV_INDEX, d->b, INDEX_KEY_LEN, &value);
	bool here = !r && !index_value_unpack(value.data, value.len, &row) && row.ref.pack == pack;

	buf_fini(&value);
	if (r < 0)
		return r;
	return here ? kv_batch_delete(b, KV_INDEX, d->b, INDEX_KEY_LEN) : 0;
}

/* A pack that cannot be read leaves rows behind that no slot will confirm. */
static int delete_index_rows(struct chunk_store *cs, uint64_t pack, struct kv_batch *b)
{
	struct pack_entry e;
	struct pack *p;
	int r = 0;

	if (pack_open(cs->packs, pack, &p))
		return 0;
	for (uint32_t i = 0; i < pack_count(p) && !r; i++) {
		r = pack_entry(p, i, &e);
		if (!r)
			r = delete_index_row(cs, &e.digest, pack, b);
	}
	pack_release(p);
	return r;
}

/* *known: the pack had its row with sums, *t. */
static int delete_pack_rows(struct chunk_store *cs, uint64_t pack, struct kv_batch *b, bool *known,
			    struct pack_tally *t)
{
	struct buf value = BUF_INIT;
	uint8_t key[PACK_KEY_LEN];
	int r;

	pack_key_pack(key, PACK_KEY_SEALED, pack);
	r = kv_get(cs->kv, KV_PACK, key, sizeof(key), &value);
	*known = !r && !pack_tally_unpack(value.data, value.len, t);
	buf_fini(&value);
	if (r < 0)
		return r;
	r = kv_batch_delete(b, KV_PACK, key, sizeof(key));
	pack_key_pack(key, PACK_KEY_OPEN, pack);
	if (!r)
		r = kv_batch_delete(b, KV_PACK, key, sizeof(key));
	pack_key_pack(key, PACK_KEY_BAD, pack);
	if (!r)
		r = kv_batch_delete_prefix(b, KV_PACK, key, sizeof(key));
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

static int remove_pack(struct chunk_store *cs, uint64_t pack, uint64_t *freed)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct pack_tally tally = { 0 };
	uint8_t key[PACK_KEY_LEN];
	bool known;
	int r = kv_batch_new(&b);

	if (!r)
		r = delete_index_rows(cs, pack, b);
	if (!r)
		r = delete_pack_rows(cs, pack, b, &known, &tally);
	if (!r && !known && !pack_exists(cs->packs, pack)) {
		*freed = 0;
		return 0;
	}
	if (!r)
		r = known ? store_write_sums(cs, b, SUMS_LESS, &tally, true) : kv_write(cs->kv, b, true);
	if (r)
		return r;
	forget(cs, pack, known ? &tally : NULL);
	r = pack_unlink(cs->packs, pack);
	if (r)
		return r;
	kv_batch_clear(b);
	pack_key_pack(key, PACK_KEY_DOOMED, pack);
	r = kv_batch_delete(b, KV_PACK, key, sizeof(key));
	if (!r)
		r = kv_write(cs->kv, b, false);
	if (!r)
		*freed = tally.file_bytes;
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
