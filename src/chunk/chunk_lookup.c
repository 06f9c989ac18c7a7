/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_lookup: from a digest to a place, from a place to bytes that fit the digest.
 *
 * A row of KV_INDEX is a hint: it has half a digest, and its pack may be gone.  Only a slot in a pack's table of
 * contents, with all 32 bytes, is a hit.  What cannot be read is no hit and no error: the chunk is stored again.
 * Whoever opens a pack notices here that it is lost (chunk_damage.c).
 */
#include <assert.h>
#include <errno.h>

#include "chunk/store.h"

bool store_is_condemned(const struct chunk_store *cs, uint64_t pack)
{
	for (size_t i = 0; i < cs->condemned_count; i++)
		if (cs->condemned[i] == pack)
			return true;
	return copiers_have(cs, pack);
}

/* ---- packs to read from ------------------------------------------------------------------------------------------ */

static struct pack *held_pack(struct chunk_store *cs, uint64_t number)
{
	struct table *t = index_table(&cs->index, number);

	if (t && t->pack)
		return pack_hold(t->pack);
	for (size_t i = 0; i < HELD_PACKS; i++)
		if (cs->held[i].pack && pack_number(cs->held[i].pack) == number) {
			cs->held[i].used = ++cs->held_tick;
			return pack_hold(cs->held[i].pack);
		}
	return NULL;
}

/* Keeps @p for the next reader; returns the pack that it displaces. */
static struct pack *keep_pack(struct chunk_store *cs, struct pack *p)
{
	struct held_pack *least = &cs->held[0];
	struct pack *old;

	for (size_t i = 1; i < HELD_PACKS && least->pack; i++)
		if (!cs->held[i].pack || cs->held[i].used < least->used)
			least = &cs->held[i];
	old = least->pack;
	*least = (struct held_pack){ pack_hold(p), ++cs->held_tick };
	return old;
}

bool store_is_loss(int r)
{
	return r == -ENOENT || r == -EUCLEAN || r == -EBADMSG || r == -EIO;
}

int store_pack(struct chunk_store *cs, uint64_t number, struct pack **out)
{
	struct pack *p, *displaced;
	bool lost;
	int r;

	pthread_mutex_lock(&cs->lock);
	p = held_pack(cs, number);
	lost = index_is_bad(&cs->index, (struct pack_ref){ number, CHUNK_EVERY_SLOT });
	pthread_mutex_unlock(&cs->lock);
	if (!p) {
		r = pack_open(cs->packs, number, &p);
		if (store_is_loss(r))
			store_lost(cs, number, NULL);
		if (r)
			return r;
		if (!pack_whole(p))
			store_lost(cs, number, p);
		else if (lost)
			store_returned(cs, number);
		pthread_mutex_lock(&cs->lock);
		displaced = keep_pack(cs, p);
		pthread_mutex_unlock(&cs->lock);
		pack_release(displaced);
	}
	*out = p;
	return 0;
}

void store_drop_pack(struct chunk_store *cs, uint64_t number)
{
	for (size_t i = 0; i < HELD_PACKS; i++)
		if (cs->held[i].pack && pack_number(cs->held[i].pack) == number)
			cs->held[i].pack = pack_release(cs->held[i].pack);
}

/* ---- look up ----------------------------------------------------------------------------------------------------- */

int table_read(struct pack *p, struct table **out)
{
	struct table *t = table_new(pack_number(p), TABLE_SEALED);
	uint32_t count = pack_count(p);
	struct pack_entry e;
	int r = t ? 0 : err_origin(-ENOMEM);

	while (!r && t->count < count) {
		r = table_reserve(t);
		if (r)
			break;
		if (pack_entry(p, t->count, &e))
			table_add_lost(t);
		else
			table_add(t, &e, false);
	}
	if (r) {
		table_free(t);
		return r;
	}
	t->synced = t->indexed = count;
	*out = t;
	return 0;
}

/* Brings the table of a sealed pack into memory, unless it is there or the pack is on its way out. */
static int load_table(struct chunk_store *cs, uint64_t number)
{
	struct table *t = NULL;
	struct pack *p;
	uint64_t removals;
	bool there;
	int r;

	pthread_mutex_lock(&cs->lock);
	there = index_table(&cs->index, number) || store_is_condemned(cs, number);
	removals = cs->removals;
	pthread_mutex_unlock(&cs->lock);
	if (there)
		return 0;
	r = store_pack(cs, number, &p);
	if (r)
		return r;
	if (!pack_whole(p) && !store_is_sealed(cs, number))
		r = -EUCLEAN;	/* a crash left it, and it was not finished: nobody knows whether it is safe */
	r = r ? r : table_read(p, &t);
	pack_release(p);
	if (r)
		return r;

	pthread_mutex_lock(&cs->lock);
	if (cs->removals == removals && !store_is_condemned(cs, number) && !index_table(&cs->index, number))
		index_add_table(&cs->index, STEAL(t));
	pthread_mutex_unlock(&cs->lock);
	table_free(t);
	return 0;
}

/* Is there another chunk with the same key at @ref?  Lock held. */
static bool is_namesake(struct chunk_store *cs, struct pack_ref ref, const struct digest *d)
{
	struct table *t = index_table(&cs->index, ref.pack);
	const struct segment *s = t && ref.slot < t->count ? t->first : NULL;
	const struct slot *slot;

	for (uint32_t i = ref.slot / SEGMENT_SLOTS; s && i; i--)
		s = s->next;
	if (!s)
		return false;
	slot = &s->slots[ref.slot % SEGMENT_SLOTS];
	return !slot->bad && !memcmp(slot->digest.b, d->b, INDEX_KEY_LEN) && !digest_equal(&slot->digest, d);
}

static bool find(struct chunk_store *cs, const struct digest *d, struct pack_ref *out)
{
	LOCK_SCOPE(&cs->lock);
	struct slot *s = index_find(&cs->index, d);

	if (s)
		*out = (struct pack_ref){ s->table->number, s->number };
	return s != NULL;
}

int store_lookup(struct chunk_store *cs, const struct digest *d, struct pack_ref *out, bool *alone)
{
	struct buf value = BUF_INIT;
	struct index_value row;
	int r;

	*alone = false;
	if (find(cs, d, out))
		return 0;
	r = kv_get(cs->kv, KV_INDEX, d->b, INDEX_KEY_LEN, &value);
	if (!r && index_value_unpack(value.data, value.len, &row))
		r = KV_E_NONE;
	buf_fini(&value);
	if (r)
		return r < 0 ? r : LOOKUP_NONE;
	if (load_table(cs, row.ref.pack))
		return LOOKUP_NONE;
	if (find(cs, d, out))
		return 0;
	pthread_mutex_lock(&cs->lock);
	*alone = is_namesake(cs, row.ref, d);
	pthread_mutex_unlock(&cs->lock);
	return LOOKUP_NONE;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

int store_check(struct chunk_store *cs, struct pack_ref ref, const struct pack_entry *e, const void *stored, void *raw)
{
	int r = codec_expand(cs->codecs, e->codec, stored, e->stored_len, raw, e->raw_len);

	if (!r && !digest_fits(&e->digest, raw, e->raw_len))
		r = err_explain(-EBADMSG, "chunk %u of pack %012llx fails its checksum", ref.slot,
				(unsigned long long)ref.pack);
	if (r == -EBADMSG)
		store_damaged(cs, ref, &e->digest);
	return r;
}

int store_fetch(struct chunk_store *cs, struct pack *p, uint32_t slot, const struct pack_entry *e, void *raw,
		void *scratch)
{
	struct pack_ref ref = { pack_number(p), slot };
	int r = pack_pread(p, scratch, e->stored_len, e->offset);

	if (!r)
		return store_check(cs, ref, e, scratch, raw);
	store_damaged(cs, ref, &e->digest);
	return r;
}

/* @room: for the raw bytes of a chunk and as many behind them for the stored ones. */
static bool bytes_are(struct chunk_store *cs, struct pack_ref ref, const void *raw, size_t n, uint8_t *room)
{
	struct pack_entry e;
	struct pack *p;
	bool same;

	if (store_pack(cs, ref.pack, &p))
		return false;
	same = !pack_entry(p, ref.slot, &e) && e.raw_len == n &&
	       !store_fetch(cs, p, ref.slot, &e, room, room + PACK_CHUNK_MAX) && !memcmp(room, raw, n);
	pack_release(p);
	return same;
}

int store_compare(struct chunk_store *cs, struct pack_ref ref, const void *raw, size_t n)
{
	CLEANUP(freep) uint8_t *room = malloc(2 * PACK_CHUNK_MAX);

	if (!room)
		return err_origin(-ENOMEM);
	return bytes_are(cs, ref, raw, n, room) ? 0 : LOOKUP_NONE;
}
