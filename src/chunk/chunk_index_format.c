/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of KV_INDEX and KV_PACK, to and from bytes.  What comes from disk is checked here and nowhere else. */
#include <errno.h>

#include "chunk/chunk_index_format.h"

#define ROW_VERSION 1

static int unpacked(const struct cursor *c, bool sane, const char *what)
{
	if (c->bad || cursor_left(c) || !sane)
		return err_explain(-EUCLEAN, "the index holds a malformed row (%s)", what);
	return 0;
}

void index_value_pack(uint8_t out[INDEX_VALUE_LEN], struct pack_ref ref, uint32_t raw_len, const struct digest *d)
{
	put_le16(out, (uint16_t)ref.pack);
	put_le32(out + 2, (uint32_t)(ref.pack >> 16));
	put_le32(out + 6, ref.slot);
	put_le16(out + 10, (uint16_t)raw_len);
	out[12] = (uint8_t)(raw_len >> 16);
	memcpy(out + 13, d->b + INDEX_KEY_LEN, INDEX_MAC_LEN);
}

int index_value_unpack(const void *p, size_t n, struct index_value *out)
{
	struct cursor c = cursor_of(p, n);
	struct index_value v;
	const uint8_t *mac;
	int r;

	v.ref.pack = cursor_le16(&c);
	v.ref.pack |= (uint64_t)cursor_le32(&c) << 16;
	v.ref.slot = cursor_le32(&c);
	v.raw_len = cursor_le16(&c);
	v.raw_len |= (uint32_t)cursor_u8(&c) << 16;
	mac = cursor_bytes(&c, INDEX_MAC_LEN);
	r = unpacked(&c, v.raw_len >= 1 && v.raw_len <= PACK_CHUNK_MAX, "place of a chunk");
	if (r)
		return r;
	memcpy(v.mac, mac, INDEX_MAC_LEN);
	*out = v;
	return 0;
}

void pack_key_pack(uint8_t out[PACK_KEY_LEN], enum pack_key kind, uint64_t number)
{
	out[0] = (uint8_t)kind;
	put_be64(out + 1, number);
}

int pack_key_unpack(const void *p, size_t n, enum pack_key kind, uint64_t *number)
{
	struct cursor c = cursor_of(p, n);
	uint8_t first = cursor_u8(&c);
	uint64_t v = cursor_be64(&c);
	int r = unpacked(&c, first == kind && v <= PACK_NUMBER_MAX, "number of a pack");

	if (!r)
		*number = v;
	return r;
}

static void slot_key_pack(uint8_t out[BAD_KEY_LEN], enum pack_key kind, struct pack_ref ref)
{
	pack_key_pack(out, kind, ref.pack);
	put_be32(out + PACK_KEY_LEN, ref.slot);
}

static int slot_key_unpack(const void *p, size_t n, enum pack_key kind, const char *what, struct pack_ref *ref)
{
	struct cursor c = cursor_of(p, n);
	uint8_t first = cursor_u8(&c);
	uint64_t number = cursor_be64(&c);
	const uint8_t *slot = cursor_bytes(&c, 4);
	int r = unpacked(&c, first == kind && number <= PACK_NUMBER_MAX, what);

	if (!r)
		*ref = (struct pack_ref){ number, get_be32(slot) };
	return r;
}

void open_key_pack(uint8_t out[BAD_KEY_LEN], uint64_t number, uint32_t slots)
{
	slot_key_pack(out, PACK_KEY_OPEN, (struct pack_ref){ number, slots });
}

int open_key_unpack(const void *p, size_t n, uint64_t *number, uint32_t *slots)
{
	struct pack_ref ref = { 0 };
	int r = n == PACK_KEY_LEN ? pack_key_unpack(p, n, PACK_KEY_OPEN, &ref.pack) :
				    slot_key_unpack(p, n, PACK_KEY_OPEN, "promise of a pack", &ref);

	if (r)
		return r;
	*number = ref.pack;
	*slots = ref.slot;
	return 0;
}

void bad_key_pack(uint8_t out[BAD_KEY_LEN], struct pack_ref ref)
{
	slot_key_pack(out, PACK_KEY_BAD, ref);
}

int bad_key_unpack(const void *p, size_t n, struct pack_ref *ref)
{
	return slot_key_unpack(p, n, PACK_KEY_BAD, "damaged chunk", ref);
}

void lost_key_pack(uint8_t out[BAD_KEY_LEN], struct pack_ref ref)
{
	slot_key_pack(out, PACK_KEY_LOST, ref);
}

int lost_key_unpack(const void *p, size_t n, struct pack_ref *ref)
{
	return slot_key_unpack(p, n, PACK_KEY_LOST, "chunk of a lost pack", ref);
}

void lost_chunk_pack(uint8_t out[LOST_LEN], const struct lost_chunk *l)
{
	memcpy(out, l->part, LOST_PART_LEN);
	put_le16(out + LOST_PART_LEN, (uint16_t)l->raw_len);
	out[LOST_PART_LEN + 2] = (uint8_t)(l->raw_len >> 16);
}

int lost_chunk_unpack(const void *p, size_t n, struct lost_chunk *out)
{
	struct cursor c = cursor_of(p, n);
	const uint8_t *part = cursor_bytes(&c, LOST_PART_LEN);
	uint32_t raw_len = cursor_le16(&c);
	int r;

	raw_len |= (uint32_t)cursor_u8(&c) << 16;
	r = unpacked(&c, raw_len >= 1 && raw_len <= PACK_CHUNK_MAX, "what is known of a chunk");
	if (r)
		return r;
	memcpy(out->part, part, LOST_PART_LEN);
	out->raw_len = raw_len;
	return 0;
}

void pack_tally_pack(uint8_t out[PACK_TALLY_LEN], const struct pack_tally *t)
{
	out[0] = ROW_VERSION;
	put_le32(out + 1, t->chunks);
	put_le64(out + 5, t->raw_bytes);
	put_le64(out + 13, t->file_bytes);
}

int pack_tally_unpack(const void *p, size_t n, struct pack_tally *out)
{
	struct cursor c = cursor_of(p, n);
	uint8_t version = cursor_u8(&c);
	struct pack_tally t;
	int r;

	t.chunks = cursor_le32(&c);
	t.raw_bytes = cursor_le64(&c);
	t.file_bytes = cursor_le64(&c);
	t.lens = NULL;
	if (cursor_left(&c))
		cursor_bytes(&c, (size_t)t.chunks * LEN_BYTES);
	r = unpacked(&c, version == ROW_VERSION, "a pack's sums");
	if (!r)
		*out = t;
	return r;
}

uint32_t pack_tally_len(const void *p, size_t n, uint32_t slot)
{
	const uint8_t *len = (const uint8_t *)p + PACK_TALLY_LEN + (size_t)slot * LEN_BYTES;
	struct pack_tally t;
	uint32_t v;

	if (pack_tally_unpack(p, n, &t) || n == PACK_TALLY_LEN || slot >= t.chunks)
		return 0;
	v = get_le16(len) | (uint32_t)len[2] << 16;
	return v <= PACK_CHUNK_MAX ? v : 0;
}

void totals_pack(uint8_t out[TOTALS_LEN], const struct chunk_totals *t)
{
	out[0] = ROW_VERSION;
	put_le64(out + 1, t->packs);
	put_le64(out + 9, t->chunks);
	put_le64(out + 17, t->unique_bytes);
	put_le64(out + 25, t->stored_bytes);
}

int totals_unpack(const void *p, size_t n, struct chunk_totals *out)
{
	struct cursor c = cursor_of(p, n);
	uint8_t version = cursor_u8(&c);
	struct chunk_totals t;
	int r;

	t.packs = cursor_le64(&c);
	t.chunks = cursor_le64(&c);
	t.unique_bytes = cursor_le64(&c);
	t.stored_bytes = cursor_le64(&c);
	r = unpacked(&c, version == ROW_VERSION, "totals");
	if (!r)
		*out = t;
	return r;
}
