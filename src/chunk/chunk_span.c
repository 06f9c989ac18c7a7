/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_span: how long chunks are, by the pack's own table of contents.  For who proves maps, for who tells which bytes
 * of a stream a damaged chunk is, and for who takes a run of them apart.  And by the pack's row, for who only counts.
 */
#include <errno.h>

#include "chunk/store.h"

static int sum_slots(struct pack *p, uint32_t slot, uint32_t slots, uint64_t *raw_bytes)
{
	uint64_t sum = 0;
	int r = 0;

	for (uint32_t i = 0; !r && i < slots; i++) {
		struct pack_entry e;

		r = pack_entry(p, slot + i, &e);
		if (!r)
			sum += e.raw_len;
	}
	if (!r)
		*raw_bytes = sum;
	return r;
}

int chunk_pack_span(struct chunk_store *cs, uint64_t pack, uint32_t slot, uint32_t slots, uint64_t *raw_bytes)
{
	struct pack *p;
	uint32_t count;
	int r = store_pack(cs, pack, &p);

	if (r)
		return r;
	count = pack_count(p);
	if (slot > count || slots > count - slot)
		r = err_explain(-EUCLEAN, "pack %012llx has %u chunks, not %llu", (unsigned long long)pack, count,
				(unsigned long long)slot + slots);
	else
		r = sum_slots(p, slot, slots, raw_bytes);
	pack_release(p);
	return r;
}

/* Also by what was written down of a pack when it was lost. */
int chunk_slot_len(struct chunk_store *cs, struct pack_ref ref, uint32_t *raw_bytes)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	struct pack_entry e;
	struct lost_chunk l;
	int r = store_pack(cs, ref.pack, &p);

	r = r ? r : pack_entry(p, ref.slot, &e);
	if (!r)
		*raw_bytes = e.raw_len;
	else if (r != -ENOMEM && !store_lost_chunk(cs, ref, &l))
		*raw_bytes = l.raw_len;
	else
		return r;
	return 0;
}

int chunk_pack_lens(struct chunk_store *cs, uint64_t pack, struct buf *out)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	int r = store_pack(cs, pack, &p);

	for (uint32_t i = 0; !r && i < pack_count(p); i++) {
		struct pack_entry e;
		struct lost_chunk l;

		if (pack_entry(p, i, &e))
			e.raw_len = store_lost_chunk(cs, (struct pack_ref){ pack, i }, &l) ? 0 : l.raw_len;
		r = buf_append(out, &e.raw_len, sizeof(e.raw_len));
	}
	return r;
}

int chunk_pack_row_lens(struct chunk_store *cs, uint64_t pack, struct buf *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	uint8_t key[PACK_KEY_LEN];
	struct pack_tally t;
	int r;

	pack_key_pack(key, PACK_KEY_SEALED, pack);
	r = kv_get(cs->kv, KV_PACK, key, sizeof(key), &row);
	if (r < 0)
		return r;
	if (r || pack_tally_unpack(row.data, row.len, &t) || row.len == PACK_TALLY_LEN)
		return chunk_pack_lens(cs, pack, out);
	for (uint32_t i = 0; !r && i < t.chunks; i++) {
		uint32_t len = pack_tally_len(row.data, row.len, i);

		r = buf_append(out, &len, sizeof(len));
	}
	return r;
}
