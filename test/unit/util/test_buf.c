/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <vtape/util.h>

static void numbers_are_put_in_their_byte_order(void **state)
{
	static const uint8_t want[] = { 1, 0x03, 0x02, 7,    6,	   5,	 4,    15,   14,   13, 12,
					11, 10, 9,    8,    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08 };
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	buf_put_u8(&b, 1);
	buf_put_le16(&b, 0x0203);
	buf_put_le32(&b, 0x04050607);
	buf_put_le64(&b, 0x08090a0b0c0d0e0f);
	buf_put_be64(&b, 0x0102030405060708);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
}

static void inline_numbers_come_back_at_any_address(void **state)
{
	uint8_t b[16];

	for (size_t at = 0; at < 8; at++) {
		put_le64(b + at, 0x8182838485868788);
		assert_int_equal(get_le64(b + at), 0x8182838485868788);
		assert_int_equal(get_le32(b + at), 0x85868788);
		assert_int_equal(get_le16(b + at), 0x8788);
		assert_int_equal(get_be64(b + at), 0x8887868584838281);
		assert_int_equal(get_be32(b + at), 0x88878685);
		assert_int_equal(get_be16(b + at), 0x8887);
		put_be32(b + at, 0xf1f2f3f4);
		assert_int_equal(b[at], 0xf1);
		put_be16(b + at, 0xe1e2);
		assert_int_equal(b[at], 0xe1);
		put_be64(b + at, 1);
		assert_int_equal(b[at + 7], 1);
	}
}

static void a_cursor_reads_what_was_put(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	char s[6];
	struct cursor c;

	buf_put_u8(&b, 0xfe);
	buf_put_le16(&b, 0xfedc);
	buf_put_le32(&b, 0xfedcba98);
	buf_put_le64(&b, 0xfedcba9876543210);
	buf_put_be64(&b, 0xfedcba9876543211);
	buf_put_string(&b, "hello");
	buf_put_string(&b, NULL);
	buf_append(&b, "xyz", 3);
	c = cursor_of(b.data, b.len);
	assert_int_equal(cursor_u8(&c), 0xfe);
	assert_int_equal(cursor_le16(&c), 0xfedc);
	assert_int_equal(cursor_le32(&c), 0xfedcba98);
	assert_int_equal(cursor_le64(&c), 0xfedcba9876543210);
	assert_int_equal(cursor_be64(&c), 0xfedcba9876543211);
	assert_int_equal(cursor_string(&c, s, sizeof(s)), 0);
	assert_string_equal(s, "hello");
	assert_int_equal(cursor_string(&c, s, sizeof(s)), 0);
	assert_string_equal(s, "");
	assert_memory_equal(cursor_bytes(&c, 3), "xyz", 3);
	assert_int_equal(cursor_left(&c), 0);
	assert_false(c.bad);
}

static void past_the_end_every_get_is_zero_and_bad_stays(void **state)
{
	static const uint8_t b[] = { 1, 2, 3 };
	struct cursor c = cursor_of(b, sizeof(b));

	assert_int_equal(cursor_le32(&c), 0);
	assert_true(c.bad);
	/* There would be a byte, but what it means is unknown by now. */
	assert_int_equal(cursor_u8(&c), 0);
	assert_null(cursor_bytes(&c, 0));
	assert_int_equal(cursor_varint(&c), 0);
	assert_true(c.bad);

	c = cursor_of(NULL, 0);
	assert_int_equal(cursor_u8(&c), 0);
	assert_true(c.bad);
	c = cursor_of(b, sizeof(b));
	assert_null(cursor_bytes(&c, SIZE_MAX));
	assert_true(c.bad);
}

static void a_varint_has_one_to_ten_bytes(void **state)
{
	static const struct {
		uint64_t v;
		size_t len;
	} cases[] = { { 0, 1 },		 { 127, 1 },	    { 128, 2 },
		      { 16383, 2 },	 { 16384, 3 },	    { UINT32_MAX, 5 },
		      { 1ull << 62, 9 }, { 1ull << 63, 10 }, { UINT64_MAX, 10 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT;
		struct cursor c;

		assert_int_equal(buf_put_varint(&b, cases[i].v), 0);
		assert_int_equal(b.len, cases[i].len);
		c = cursor_of(b.data, b.len);
		assert_int_equal(cursor_varint(&c), cases[i].v);
		assert_false(c.bad);
		c = cursor_of(b.data, b.len - 1);
		assert_int_equal(cursor_varint(&c), 0);
		assert_true(c.bad);
	}
}

static void a_malformed_varint_is_bad(void **state)
{
	static const struct {
		size_t len;
		uint8_t b[12];
	} cases[] = {
		{ 2, { 0x80, 0x00 } },	/* longer than it need be */
		{ 3, { 0xff, 0x80, 0x00 } },
		{ 10, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 } }, /* 65 bits */
		{ 11, { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x01 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cursor c = cursor_of(cases[i].b, cases[i].len);

		assert_int_equal(cursor_varint(&c), 0);
		assert_true(c.bad);
	}
}

static void a_string_must_fit_and_hold_no_nul(void **state)
{
	static const uint8_t nul[] = { 3, 'a', 0, 'b' }, cut_off[] = { 5, 'a', 'b' };
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a' };
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct cursor c;
	char s[6];

	buf_put_string(&b, "sixsix");
	c = cursor_of(b.data, b.len);
	assert_true(cursor_string(&c, s, sizeof(s)) < 0);
	assert_true(c.bad);
	assert_string_equal(s, "");
	c = cursor_of(nul, sizeof(nul));
	assert_true(cursor_string(&c, s, sizeof(s)) < 0);
	assert_true(c.bad);
	c = cursor_of(cut_off, sizeof(cut_off));
	assert_true(cursor_string(&c, s, sizeof(s)) < 0);
	c = cursor_of(huge, sizeof(huge));
	assert_true(cursor_string(&c, s, sizeof(s)) < 0);
	assert_true(cursor_string(&c, s, sizeof(s)) < 0);
}

static void printing_appends_text_and_keeps_a_nul(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(b.len, 0);
	assert_string_equal((char *)b.data, "");
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_printf(&b, "%d,", i % 10), 0);
	assert_int_equal(b.len, 2000);
	assert_int_equal(strlen((char *)b.data), 2000);
	buf_fini(&b);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_printf(&b, "again"), 0);
	assert_string_equal((char *)b.data, "again");
}

static void a_reserve_beyond_memory_leaves_the_buffer(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	assert_int_equal(buf_append(&b, "abc", 3), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "abc", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_put_in_their_byte_order),
		cmocka_unit_test(inline_numbers_come_back_at_any_address),
		cmocka_unit_test(a_cursor_reads_what_was_put),
		cmocka_unit_test(past_the_end_every_get_is_zero_and_bad_stays),
		cmocka_unit_test(a_varint_has_one_to_ten_bytes),
		cmocka_unit_test(a_malformed_varint_is_bad),
		cmocka_unit_test(a_string_must_fit_and_hold_no_nul),
		cmocka_unit_test(printing_appends_text_and_keeps_a_nul),
		cmocka_unit_test(a_reserve_beyond_memory_leaves_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
