/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a pack, packed and unpacked (pack/format.h has the tables).  What has been unpacked is a struct of ours:
 * its lengths are in range and its sum was right.  Whether the parts of a pack fit together is left to pack_read.c and
 * pack_scan.c.
 */
#include <errno.h>

#include "pack/format.h"

static const char header_magic[8] = { 'V', 'T', 'A', 'P', 'E', 'P', 'K', '1' };
static const char trailer_magic[8] = { 'V', 'T', 'A', 'P', 'E', 'P', 'K', 'T' };

static void put_sum(uint8_t *p)
{
	put_le64(p + PACK_SUMMED_BYTES, sum64(p, PACK_SUMMED_BYTES));
}

static bool sum_fits(const uint8_t *p)
{
	return get_le64(p + PACK_SUMMED_BYTES) == sum64(p, PACK_SUMMED_BYTES);
}

static bool length_fits(uint32_t len)
{
	return len >= 1 && len <= PACK_CHUNK_MAX;
}

void pack_header_pack(const struct pack_header *h, uint8_t out[PACK_HEADER_BYTES])
{
	memset(out, 0, PACK_HEADER_BYTES);
	memcpy(out, header_magic, sizeof(header_magic));
	put_le32(out + 8, PACK_FORMAT_VERSION);
	put_le64(out + 16, h->number);
	put_le64(out + 24, h->created_ns);
	put_sum(out);
}

int pack_header_unpack(const uint8_t in[PACK_HEADER_BYTES], struct pack_header *h)
{
	struct cursor c = cursor_of(in + 8, PACK_SUMMED_BYTES - 8);
	struct pack_header got;

	if (memcmp(in, header_magic, sizeof(header_magic)) != 0)
		return -EUCLEAN;
	if (!sum_fits(in))
		return -EBADMSG;
	if (cursor_le32(&c) != PACK_FORMAT_VERSION)
		return -EPROTONOSUPPORT;
	if (cursor_le32(&c) != 0)
		return -EUCLEAN;
	got.number = cursor_le64(&c);
	got.created_ns = cursor_le64(&c);
	*h = got;
	return 0;
}

void pack_entry_pack(const struct pack_entry *e, uint64_t stored_sum, uint8_t out[PACK_ENTRY_BYTES])
{
	memset(out, 0, PACK_ENTRY_BYTES);
	put_le32(out, PACK_ENTRY_MAGIC);
	out[4] = e->codec;
	put_le32(out + 8, e->raw_len);
	put_le32(out + 12, e->stored_len);
	memcpy(out + 16, e->digest.b, sizeof(e->digest.b));
	put_le64(out + 48, stored_sum);
	put_sum(out);
}

int pack_entry_unpack(const uint8_t in[PACK_ENTRY_BYTES], struct pack_entry *e, uint64_t *stored_sum)
{
	struct cursor c = cursor_of(in, PACK_SUMMED_BYTES);
	struct pack_entry got = { 0 };

	if (cursor_le32(&c) != PACK_ENTRY_MAGIC)
		return -EUCLEAN;
	if (!sum_fits(in))
		return -EBADMSG;
	got.codec = cursor_u8(&c);
	if (cursor_u8(&c) != 0 || cursor_le16(&c) != 0)
		return -EUCLEAN;
	got.raw_len = cursor_le32(&c);
	got.stored_len = cursor_le32(&c);
	if (!length_fits(got.raw_len) || !length_fits(got.stored_len))
		return -EUCLEAN;
	memcpy(got.digest.b, in + 16, sizeof(got.digest.b));
	*stored_sum = get_le64(in + 48);
	*e = got;
	return 0;
}

void pack_row_pack(const struct pack_entry *e, uint8_t out[PACK_ROW_BYTES])
{
	memcpy(out, e->digest.b, sizeof(e->digest.b));
	put_le32(out + 32, e->stored_len);
	put_le32(out + 36, e->raw_len | (uint32_t)e->codec << 24);
}

int pack_row_unpack(const uint8_t in[PACK_ROW_BYTES], struct pack_entry *e)
{
	struct cursor c = cursor_of(in + 32, 8);
	struct pack_entry got = { 0 };
	uint32_t raw_and_codec;

	got.stored_len = cursor_le32(&c);
	raw_and_codec = cursor_le32(&c);
	got.raw_len = raw_and_codec & 0xffffff;
	got.codec = (uint8_t)(raw_and_codec >> 24);
	if (!length_fits(got.raw_len) || !length_fits(got.stored_len))
		return -EUCLEAN;
	memcpy(got.digest.b, in, sizeof(got.digest.b));
	*e = got;
	return 0;
}

void pack_trailer_pack(const struct pack_trailer *t, uint8_t out[PACK_TRAILER_BYTES])
{
	memset(out, 0, PACK_TRAILER_BYTES);
	memcpy(out, trailer_magic, sizeof(trailer_magic));
	put_le32(out + 8, PACK_FORMAT_VERSION);
	put_le32(out + 12, t->count);
	put_le64(out + 16, t->table_offset);
	put_le64(out + 24, t->raw_bytes);
	put_le64(out + 32, t->number);
	put_le64(out + 40, t->table_sum);
	put_sum(out);
}

int pack_trailer_unpack(const uint8_t in[PACK_TRAILER_BYTES], struct pack_trailer *t)
{
	struct cursor c = cursor_of(in + 8, PACK_SUMMED_BYTES - 8);
	struct pack_trailer got;

	if (memcmp(in, trailer_magic, sizeof(trailer_magic)) != 0)
		return -EUCLEAN;
	if (!sum_fits(in))
		return -EBADMSG;
	if (cursor_le32(&c) != PACK_FORMAT_VERSION)
		return -EPROTONOSUPPORT;
	got.count = cursor_le32(&c);
	got.table_offset = cursor_le64(&c);
	got.raw_bytes = cursor_le64(&c);
	got.number = cursor_le64(&c);
	got.table_sum = cursor_le64(&c);
	*t = got;
	return 0;
}

bool pack_mend_bit(uint8_t block[PACK_SUMMED_BYTES + 8])
{
	uint64_t is = sum64(block, PACK_SUMMED_BYTES), want = get_le64(block + PACK_SUMMED_BYTES);

	if (__builtin_popcountll(is ^ want) <= 1) {
		put_sum(block);
		return true;
	}
	for (unsigned bit = 0; bit < PACK_SUMMED_BYTES * 8; bit++) {
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (sum_fits(block))
			return true;
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	return false;
}
