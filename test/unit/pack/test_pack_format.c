/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of a pack: what was packed is unpacked, each byte stands where vtape-format(5) says, damage is seen. */
#include <errno.h>

#include "pack/format.h"
#include "unit/pack/pieces.h"

static const struct pack_entry sample = {
	.digest = { { 0xd0, 0xd1, [31] = 0xdf } }, .raw_len = 0x01020, .stored_len = 0x0304, .codec = 2
};

static void header_stands_where_the_format_says(void **state)
{
	struct pack_header h = { 0x0000a1a2a3a4a5a6, 0xb1b2b3b4b5b6b7b8 }, back;
	uint8_t b[PACK_HEADER_BYTES];

	pack_header_pack(&h, b);
	assert_memory_equal(b, "VTAPEPK1\1\0\0\0\0\0\0\0\xa6\xa5\xa4\xa3\xa2\xa1\0\0"
			       "\xb8\xb7\xb6\xb5\xb4\xb3\xb2\xb1", 32);
	assert_int_equal(get_le64(b + 56), sum64(b, 56));
	assert_int_equal(pack_header_unpack(b, &back), 0);
	assert_int_equal(back.number, h.number);
	assert_int_equal(back.created_ns, h.created_ns);
}

static void entry_stands_where_the_format_says(void **state)
{
	struct pack_entry back;
	uint8_t b[PACK_ENTRY_BYTES];
	uint64_t sum;

	pack_entry_pack(&sample, 0x1122334455667788, b);
	assert_memory_equal(b, "CHNK\2\0\0\0\x20\x10\0\0\x04\x03\0\0\xd0\xd1", 18);
	assert_int_equal(b[47], 0xdf);
	assert_int_equal(get_le64(b + 48), 0x1122334455667788);
	assert_int_equal(get_le64(b + 56), sum64(b, 56));
	assert_int_equal(pack_entry_unpack(b, &back, &sum), 0);
	assert_int_equal(sum, 0x1122334455667788);
	assert_memory_equal(&back.digest, &sample.digest, 32);
	assert_int_equal(back.raw_len, sample.raw_len);
	assert_int_equal(back.stored_len, sample.stored_len);
	assert_int_equal(back.codec, sample.codec);
}

static void row_stands_where_the_format_says(void **state)
{
	struct pack_entry back;
	uint8_t b[PACK_ROW_BYTES];

	pack_row_pack(&sample, b);
	assert_memory_equal(b, sample.digest.b, 32);
	assert_memory_equal(b + 32, "\x04\x03\0\0\x20\x10\0\2", 8);
	assert_int_equal(pack_row_unpack(b, &back), 0);
	assert_memory_equal(&back.digest, &sample.digest, 32);
	assert_int_equal(back.raw_len, sample.raw_len);
	assert_int_equal(back.stored_len, sample.stored_len);
	assert_int_equal(back.codec, sample.codec);
}

static void trailer_stands_where_the_format_says(void **state)
{
	struct pack_trailer t = { 7, 0x1a2b3c, 0x99887766, 0xabcdef, 0x0102030405060708 }, back;
	uint8_t b[PACK_TRAILER_BYTES];

	pack_trailer_pack(&t, b);
	assert_memory_equal(b, "VTAPEPKT\1\0\0\0\7\0\0\0\x3c\x2b\x1a\0\0\0\0\0\x66\x77\x88\x99\0\0\0\0"
			       "\xef\xcd\xab\0\0\0\0\0\x08\x07\x06\x05\x04\x03\x02\x01\0\0\0\0\0\0\0\0", 56);
	assert_int_equal(get_le64(b + 56), sum64(b, 56));
	assert_int_equal(pack_trailer_unpack(b, &back), 0);
	assert_int_equal(back.count, t.count);
	assert_int_equal(back.table_offset, t.table_offset);
	assert_int_equal(back.raw_bytes, t.raw_bytes);
	assert_int_equal(back.number, t.number);
	assert_int_equal(back.table_sum, t.table_sum);
}

static void longest_lengths_survive_a_row(void **state)
{
	struct pack_entry e = { .raw_len = PACK_CHUNK_MAX, .stored_len = PACK_CHUNK_MAX, .codec = 255 }, back;
	uint8_t b[PACK_ROW_BYTES];

	pack_row_pack(&e, b);
	assert_int_equal(pack_row_unpack(b, &back), 0);
	assert_int_equal(back.raw_len, PACK_CHUNK_MAX);
	assert_int_equal(back.stored_len, PACK_CHUNK_MAX);
	assert_int_equal(back.codec, 255);
}

/* Each of the 512 bits. */
static void no_flipped_bit_passes_a_sum(void **state)
{
	uint8_t header[64], entry[64], trailer[64];
	struct pack_trailer t = { 1, 200, 3, 4, 5 };
	struct pack_header h = { 1, 2 };
	struct pack_entry e;
	uint64_t sum;

	pack_header_pack(&h, header);
	pack_entry_pack(&sample, 1, entry);
	pack_trailer_pack(&t, trailer);
	for (unsigned bit = 0; bit < 512; bit++) {
		uint8_t mask = (uint8_t)(1u << bit % 8);

		header[bit / 8] ^= mask;
		entry[bit / 8] ^= mask;
		trailer[bit / 8] ^= mask;
		assert_true(pack_header_unpack(header, &h) < 0);
		assert_true(pack_entry_unpack(entry, &e, &sum) < 0);
		assert_true(pack_trailer_unpack(trailer, &t) < 0);
		header[bit / 8] ^= mask;
		entry[bit / 8] ^= mask;
		trailer[bit / 8] ^= mask;
	}
}

static void resum(uint8_t b[64])
{
	put_le64(b + 56, sum64(b, 56));
}

/* A right sum is no excuse. */
static void lengths_out_of_range_are_refused(void **state)
{
	static const uint32_t bad[] = { 0, PACK_CHUNK_MAX + 1, 1u << 24, UINT32_MAX };
	struct pack_entry e;
	uint8_t b[64], row[PACK_ROW_BYTES];
	uint64_t sum;

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		pack_entry_pack(&sample, 1, b);
		put_le32(b + 8, bad[i]);
		resum(b);
		assert_int_equal(pack_entry_unpack(b, &e, &sum), -EUCLEAN);
		pack_entry_pack(&sample, 1, b);
		put_le32(b + 12, bad[i]);
		resum(b);
		assert_int_equal(pack_entry_unpack(b, &e, &sum), -EUCLEAN);
		pack_row_pack(&sample, row);
		put_le32(row + 32, bad[i]);
		assert_int_equal(pack_row_unpack(row, &e), -EUCLEAN);
	}
	pack_row_pack(&sample, row);
	put_le32(row + 36, PACK_CHUNK_MAX + 1);
	assert_int_equal(pack_row_unpack(row, &e), -EUCLEAN);
}

static void reserved_bytes_must_be_zero(void **state)
{
	struct pack_entry e;
	uint64_t sum;
	uint8_t b[64];

	for (unsigned at = 5; at < 8; at++) {
		pack_entry_pack(&sample, 1, b);
		b[at] = 1;
		resum(b);
		assert_int_equal(pack_entry_unpack(b, &e, &sum), -EUCLEAN);
	}
}

static void another_version_is_told_from_damage(void **state)
{
	struct pack_header h = { 1, 2 };
	struct pack_trailer t = { 1, 200, 3, 4, 5 };
	uint8_t b[64];

	pack_header_pack(&h, b);
	b[8] = 2;
	assert_int_equal(pack_header_unpack(b, &h), -EBADMSG);
	resum(b);
	assert_int_equal(pack_header_unpack(b, &h), -EPROTONOSUPPORT);
	pack_trailer_pack(&t, b);
	b[8] = 2;
	resum(b);
	assert_int_equal(pack_trailer_unpack(b, &t), -EPROTONOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_stands_where_the_format_says),
		cmocka_unit_test(entry_stands_where_the_format_says),
		cmocka_unit_test(row_stands_where_the_format_says),
		cmocka_unit_test(trailer_stands_where_the_format_says),
		cmocka_unit_test(longest_lengths_survive_a_row),
		cmocka_unit_test(no_flipped_bit_passes_a_sum),
		cmocka_unit_test(lengths_out_of_range_are_refused),
		cmocka_unit_test(reserved_bytes_must_be_zero),
		cmocka_unit_test(another_version_is_told_from_damage),
	};

	return cmocka_run_group_tests_name("pack_format", tests, NULL, NULL);
}
