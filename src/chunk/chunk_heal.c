/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_heal: another chunk in place of one that is damaged or lost, and the list of those that have none.
 *
 * What is known of a chunk is its digest, by its pack's table; or 21 bytes of it (row 'L'); or only how long it was
 * (row
 * 'P').  Another is found in memory or by its index row, and is what its own table says with all 32 bytes; the bytes
 * that are delivered fit that.  Nothing here is remembered: a chunk is healed as long as the other one is there.
 */
#include <errno.h>

#include "chunk/store.h"

#define HEAL_TRIES 8u		/* places of one chunk that turn out to be damaged while it is looked for */

/* ---- finding another --------------------------------------------------------------------------------------------- */

static int index_row(struct chunk_store *cs, const uint8_t *key, struct index_value *out)
{
	struct buf value = BUF_INIT;
	int r = kv_get(cs->kv, KV_INDEX, key, INDEX_KEY_LEN, &value);

	if (r == KV_E_NONE || (!r && index_value_unpack(value.data, value.len, out)))
		r = LOOKUP_NONE;
	buf_fini(&value);
	return r;
}

/* The entry of a chunk, if its pack can tell it.  What cannot be read is not there. */
static int entry_at(struct chunk_store *cs, struct pack_ref ref, struct pack_entry *e)
{
	struct pack *p;
	int r = store_pack(cs, ref.pack, &p);

	if (r)
		return r == -ENOMEM ? r : LOOKUP_NONE;
	r = pack_entry(p, ref.slot, e);
	pack_release(p);
	return r ? LOOKUP_NONE : 0;
}

int store_lost_digest(struct chunk_store *cs, const struct lost_chunk *l, struct digest *d)
{
	struct pack_entry e;
	struct index_value row;
	struct slot *s;
	int r;

	pthread_mutex_lock(&cs->lock);
	s = index_find_readable(&cs->index, l->part, LOST_PART_LEN);
	if (s)
		*d = s->digest;
	pthread_mutex_unlock(&cs->lock);
	if (s)
		return 0;
	r = index_row(cs, l->part, &row);
	r = r ? r : entry_at(cs, row.ref, &e);
	if (r)
		return r;
	if (memcmp(e.digest.b, l->part, LOST_PART_LEN) || e.raw_len != l->raw_len)
		return LOOKUP_NONE;
	*d = e.digest;
	return 0;
}

int store_whole(struct chunk_store *cs, const struct digest *d, struct pack_ref *out)
{
	struct index_value row;
	struct pack_entry e;
	struct slot *s;
	bool bad;
	int r;

	pthread_mutex_lock(&cs->lock);
	s = index_find_readable(&cs->index, d->b, sizeof(d->b));
	if (s)
		*out = (struct pack_ref){ s->table->number, s->number };
	pthread_mutex_unlock(&cs->lock);
	if (s)
		return 0;
	r = index_row(cs, d->b, &row);
	r = r ? r : entry_at(cs, row.ref, &e);
	if (r)
		return r;
	pthread_mutex_lock(&cs->lock);
	bad = index_is_bad(&cs->index, row.ref);
	pthread_mutex_unlock(&cs->lock);
	if (bad || !digest_equal(&e.digest, d))
		return LOOKUP_NONE;
	*out = row.ref;
	return 0;
}

static int fetch_from(struct chunk_store *cs, struct pack_ref ref, const struct digest *d, uint32_t raw_len, void *raw,
		      void *scratch)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	struct pack_entry e;
	int r = store_pack(cs, ref.pack, &p);

	r = r ? r : pack_entry(p, ref.slot, &e);
	if (!r && (!digest_equal(&e.digest, d) || e.raw_len != raw_len))
		r = LOOKUP_NONE;
	return r ? r : store_fetch(cs, p, ref.slot, &e, raw, scratch);
}

/* Each try that fails has marked a chunk or lost a pack, and does not come to that again. */
int store_heal(struct chunk_store *cs, const struct digest *d, uint32_t raw_len, void *raw, void *scratch)
{
	struct pack_ref ref;

	for (unsigned i = 0; i < HEAL_TRIES; i++) {
		int r = store_whole(cs, d, &ref);

		r = r ? r : fetch_from(cs, ref, d, raw_len, raw, scratch);
		if (!r || r == -ENOMEM || r == LOOKUP_NONE)
			return r;
	}
	return LOOKUP_NONE;
}

/* ---- what is known to be damaged --------------------------------------------------------------------------------- */

/* *readable: by the pack's own table. */
static int digest_at(struct chunk_store *cs, struct pack_ref ref, struct digest *d, bool *readable)
{
	struct pack_entry e;
	struct lost_chunk l;
	int r = entry_at(cs, ref, &e);

	*readable = !r;
	if (!r)
		*d = e.digest;
	if (r == LOOKUP_NONE) {
		r = store_lost_chunk(cs, ref, &l);
		r = r ? r : store_lost_digest(cs, &l, d);
	}
	return r;
}

bool chunk_store_is_bad(struct chunk_store *cs, struct pack_ref ref)
{
	struct pack_ref place;
	struct digest d;
	bool bad, lost, readable;
	int r;

	pthread_mutex_lock(&cs->lock);
	bad = index_is_bad(&cs->index, ref);
	lost = index_is_bad(&cs->index, (struct pack_ref){ ref.pack, CHUNK_EVERY_SLOT });
	pthread_mutex_unlock(&cs->lock);
	if (!bad && !lost)
		return false;
	r = digest_at(cs, ref, &d, &readable);
	if (!r && readable && !bad)
		return false;
	return r || store_whole(cs, &d, &place);
}

static bool pack_is_healed(struct chunk_store *cs, uint64_t number)
{
	struct pack_tally row;

	if (store_tally(cs->kv, number, &row))
		return false;
	for (uint32_t i = 0; i < row.chunks; i++)
		if (chunk_store_is_bad(cs, (struct pack_ref){ number, i }))
			return false;
	return true;
}

/* The next one behind @after; by bisection each time, since the list may change between. */
static bool next_bad(struct chunk_store *cs, const struct pack_ref *after, struct pack_ref *out)
{
	LOCK_SCOPE(&cs->lock);

	return index_next_bad(&cs->index, after, out);
}

int chunk_store_each_bad(struct chunk_store *cs, int (*each)(void *ctx, struct pack_ref ref, bool healed), void *ctx)
{
	struct pack_ref ref;
	bool more = next_bad(cs, NULL, &ref);
	int r = 0;

	for (; more && !r; more = next_bad(cs, &ref, &ref)) {
		bool every = ref.slot == CHUNK_EVERY_SLOT;

		r = each(ctx, ref, every ? pack_is_healed(cs, ref.pack) : !chunk_store_is_bad(cs, ref));
	}
	return r;
}
