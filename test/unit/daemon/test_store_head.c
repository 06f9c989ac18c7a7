/* SPDX-License-Identifier: BSD-2-Clause */
/* The store's head: what it says comes back, damage is damage, and a newer vtape's is left alone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/store.h"

static const struct store_head truth = { .uuid = { 1, 2, 3 }, .created_ns = 77, .chunk_avg = 32768, .key = { 9 } };

static int unpack(const uint8_t *p, size_t n)
{
	struct store_head h;

	return store_head_unpack(&h, p, n);
}

static void what_is_packed_comes_back(void **state)
{
	uint8_t bytes[STORE_HEAD_LEN];
	struct store_head h;

	store_head_pack(&truth, bytes);
	assert_int_equal(store_head_unpack(&h, bytes, sizeof(bytes)), 0);
	assert_memory_equal(h.uuid, truth.uuid, sizeof(h.uuid));
	assert_memory_equal(h.key, truth.key, sizeof(h.key));
	assert_int_equal(h.created_ns, truth.created_ns);
	assert_int_equal(h.chunk_avg, truth.chunk_avg);
}

static void every_flipped_bit_is_damage_and_no_newer_format(void **state)
{
	uint8_t bytes[STORE_HEAD_LEN];

	store_head_pack(&truth, bytes);
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(unpack(bytes, sizeof(bytes)), bit < 64 ? -EMEDIUMTYPE : -EBADMSG);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void a_newer_format_is_refused(void **state)
{
	uint8_t bytes[STORE_HEAD_LEN + 40] = { 0 };

	store_head_pack(&truth, bytes);
	put_le32(bytes + 8, STORE_FORMAT + 1);
	put_le64(bytes + 120, sum64(bytes, 120));
	assert_int_equal(unpack(bytes, STORE_HEAD_LEN), -EPROTO);
	assert_int_equal(unpack(bytes, sizeof(bytes)), -EPROTO);
	put_le32(bytes + 8, 0);
	put_le64(bytes + 120, sum64(bytes, 120));
	assert_int_equal(unpack(bytes, STORE_HEAD_LEN), -EBADMSG);
}

static void a_head_of_another_length_is_damaged(void **state)
{
	uint8_t bytes[STORE_HEAD_LEN + 1] = { 0 };

	store_head_pack(&truth, bytes);
	for (size_t n = 8; n < STORE_HEAD_LEN; n++)
		assert_true(unpack(bytes, n) < 0);
	assert_int_equal(unpack(bytes, sizeof(bytes)), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_packed_comes_back),
		cmocka_unit_test(every_flipped_bit_is_damage_and_no_newer_format),
		cmocka_unit_test(a_newer_format_is_refused),
		cmocka_unit_test(a_head_of_another_length_is_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
