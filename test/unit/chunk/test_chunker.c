/* SPDX-License-Identifier: BSD-2-Clause */
/* chunker: golden cut points, and what a cut may depend on. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include <vtape/chunk.h>

static const uint8_t key[32] = "a key of thirty-two bytes, fixed";

/* Not those of lib/chance.h: what these bytes are cut into is known since the first store. */
static void fill(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = (uint8_t)(seed >> 56);
	}
}

static struct chunker *chunker_of(uint32_t avg, const uint8_t *k)
{
	struct chunk_params p = chunk_params_of(avg);
	struct chunker *c;

	assert_int_equal(chunker_new(&p, k, &c), 0);
	return c;
}

/* All cuts of a span; returns how many. */
static size_t cuts_of(const struct chunker *c, const uint8_t *p, size_t n, size_t *at, size_t cap)
{
	size_t pos = 0, count = 0;

	while (pos < n) {
		pos += chunker_next(c, p + pos, n - pos, true);
		if (count < cap)
			at[count] = pos;
		count++;
	}
	return count;
}

/* A store on disk depends on these for ever: new cuts share nothing with old chunks. */
static void cut_points_never_change(void **state)
{
	static uint8_t data[1 << 20];
	static const size_t golden[] = {
		36481,	81842,	116724, 135597, 164648, 198352, 243789, 285377, 320430, 346308,
		396610, 436647, 473645, 506564, 546105, 579315, 603737, 632089, 675215, 714360,
		748664, 782675, 822018, 857989, 897861, 938871, 973802, 1011649, 1044967, 1048576,
	};
	struct chunker *c = chunker_of(32 << 10, key);
	size_t at[64], n;

	fill(data, sizeof(data), 42);
	n = cuts_of(c, data, sizeof(data), at, ARRAY_LEN(at));
	if (n != ARRAY_LEN(golden) || memcmp(at, golden, sizeof(golden)))
		for (size_t i = 0; i < n; i++)
			print_message("%zu, ", at[i]);
	assert_int_equal(n, ARRAY_LEN(golden));
	assert_memory_equal(at, golden, sizeof(golden));
	chunker_free(c);
}

static void lengths_stay_between_min_and_max(void **state)
{
	static uint8_t data[8 << 20];

	fill(data, sizeof(data), 7);
	for (uint32_t avg = 8 << 10; avg <= 256 << 10; avg *= 2) {
		struct chunker *c = chunker_of(avg, key);
		size_t pos = 0, n = 0, len;

		for (; pos < sizeof(data); pos += len, n++) {
			len = chunker_next(c, data + pos, sizeof(data) - pos, true);
			assert_true(len <= avg * 4);
			assert_true(len > avg / 2 || pos + len == sizeof(data));
		}
		/* Normalising puts the mean a little above the middle. */
		assert_in_range(sizeof(data) / n, avg * 9 / 10, avg * 3 / 2);
		chunker_free(c);
	}
}

static void an_end_of_chunk_is_awaited_unless_it_is_the_last(void **state)
{
	static uint8_t data[256 << 10];
	struct chunker *c = chunker_of(32 << 10, key);
	size_t len;

	fill(data, sizeof(data), 9);
	len = chunker_next(c, data, sizeof(data), false);
	assert_true(len > 0);
	/* However little is there, the answer is the same cut or none. */
	for (size_t n = 0; n < len; n += 1 + n / 50)
		assert_int_equal(chunker_next(c, data, n, false), 0);
	assert_int_equal(chunker_next(c, data, len - 1, false), 0);
	for (size_t n = len; n < sizeof(data); n += 4999)
		assert_int_equal(chunker_next(c, data, n, false), len);
	assert_int_equal(chunker_next(c, data, 100, true), 100);
	assert_int_equal(chunker_next(c, data, len - 1, true), len - 1);
	assert_int_equal(chunker_next(c, data, 0, true), 0);
	chunker_free(c);
}

static void zeros_are_cut_at_the_greatest_length(void **state)
{
	static uint8_t zeros[512 << 10];
	struct chunker *c = chunker_of(32 << 10, key);
	size_t at[8];

	assert_int_equal(cuts_of(c, zeros, sizeof(zeros), at, 8), 4);
	assert_int_equal(at[0], 128 << 10);
	assert_int_equal(chunker_next(c, zeros, 128 << 10, false), 128 << 10);
	assert_int_equal(chunker_next(c, zeros, (128 << 10) - 1, false), 0);
	chunker_free(c);
}

/* The point of it all: bytes put in front move the cuts with the contents. */
static void cuts_follow_the_contents(void **state)
{
	static uint8_t plain[4 << 20], shifted[(4 << 20) + 1000];
	static size_t a[512], b[512];
	struct chunker *c = chunker_of(32 << 10, key);
	size_t na, nb, common = 0;

	fill(plain, sizeof(plain), 11);
	fill(shifted, 1000, 12);
	memcpy(shifted + 1000, plain, sizeof(plain));
	na = cuts_of(c, plain, sizeof(plain), a, ARRAY_LEN(a));
	nb = cuts_of(c, shifted, sizeof(shifted), b, ARRAY_LEN(b));
	for (size_t i = 0, j = 0; i < na && j < nb;)
		if (a[i] + 1000 == b[j]) {
			common++;
			i++;
			j++;
		} else if (a[i] + 1000 < b[j]) {
			i++;
		} else {
			j++;
		}
	assert_true(common > na * 8 / 10);
	chunker_free(c);
}

static void another_key_cuts_elsewhere(void **state)
{
	static uint8_t data[1 << 20];
	uint8_t other[32];
	size_t a[64], b[64];
	struct chunker *c = chunker_of(32 << 10, key), *d;

	memcpy(other, key, 32);
	other[31] ^= 1;
	d = chunker_of(32 << 10, other);
	fill(data, sizeof(data), 13);
	cuts_of(c, data, sizeof(data), a, 64);
	cuts_of(d, data, sizeof(data), b, 64);
	assert_int_not_equal(a[0], b[0]);
	assert_int_not_equal(a[1], b[1]);
	chunker_free(c);
	chunker_free(d);
}

static void senseless_parameters_are_refused(void **state)
{
	static const struct chunk_params bad[] = {
		{ 2 << 10, 4 << 10, 16 << 10 },    { 256 << 10, 512 << 10, 2 << 20 }, { 15000, 30000, 120000 },
		{ 16 << 10, 32 << 10, 64 << 10 }, { 0, 32 << 10, 128 << 10 },	       { 0, 0, 0 },
	};
	struct chunker *c;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(chunker_new(&bad[i], key, &c), -EINVAL);
	assert_null(chunker_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_points_never_change),
		cmocka_unit_test(lengths_stay_between_min_and_max),
		cmocka_unit_test(an_end_of_chunk_is_awaited_unless_it_is_the_last),
		cmocka_unit_test(zeros_are_cut_at_the_greatest_length),
		cmocka_unit_test(cuts_follow_the_contents),
		cmocka_unit_test(another_key_cuts_elsewhere),
		cmocka_unit_test(senseless_parameters_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
