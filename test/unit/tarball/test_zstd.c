/* SPDX-License-Identifier: BSD-2-Clause */
/* zstd_walk: where zstd data end, in whatever pieces they come. */
#include "tarball/tarball_zstd.h"
#include "unit/tarball/archives.h"

#define ROOM (4u << 20)

/* A frame of @n bytes of @seed, in the pieces that libarchive gives it. */
static void add_frame(struct bytes *b, size_t n, unsigned seed)
{
	struct bytes one;
	struct archive *a = make_begin(&one, ROOM, "raw", ARCHIVE_FILTER_ZSTD);

	make_add(a, make_entry("data", AE_IFREG, n), seed);
	make_end(a);
	memcpy(b->p + b->n, one.p, one.n);
	b->n += one.n;
	bytes_fini(&one);
}

static void add_skippable(struct bytes *b, uint32_t n)
{
	put_le32(b->p + b->n, 0x184d2a53);
	put_le32(b->p + b->n + 4, n);
	memset(b->p + b->n + 8, 0, n);
	b->n += 8 + n;
}

/* As a reader asks: pieces of @piece bytes, the next from where the last was taken to. */
static size_t walk(const struct bytes *b, size_t piece)
{
	struct zstd_walk z = { 0 };
	size_t at = 0;

	while (at < b->n) {
		size_t n = b->n - at < piece ? b->n - at : piece, some = zstd_walk_take(&z, b->p + at, n);
		assert_true(some <= n);
		if (!some)
			break;
		at += some;
	}
	return at;
}

static const size_t pieces[] = { 4, 5, 7, 8, 13, 64, 511, 512, 8192, 131072, ROOM };

static void check(struct bytes *b)
{
	static const char *tails[] = { "", "\0", "\0\0\0", "\0\0\0\0\0\0\0\0", "\x28\xb5\x2f\0", "\x28\xb5", "no frame" };
	static const size_t lens[] = { 0, 1, 3, 8, 4, 2, 8 };
	size_t end = b->n;

	for (unsigned t = 0; t < ARRAY_LEN(tails); t++) {
		memcpy(b->p + end, tails[t], lens[t]);
		b->n = end + lens[t];
		for (unsigned i = 0; i < ARRAY_LEN(pieces); i++)
			assert_int_equal(walk(b, pieces[i]), end);
	}
}

static void one_frame_ends_where_it_ends(void **state)
{
	static const size_t sizes[] = { 0, 1, 255, 256, 70000, 300000 };

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		struct bytes b = bytes_new(ROOM);

		add_frame(&b, sizes[i], i);
		check(&b);
		bytes_fini(&b);
	}
}

static void frames_follow_each_other(void **state)
{
	struct bytes b = bytes_new(ROOM);

	add_frame(&b, 1000, 1);
	add_skippable(&b, 0);
	add_frame(&b, 200000, 2);
	add_skippable(&b, 777);
	add_frame(&b, 0, 3);
	check(&b);
	bytes_fini(&b);
}

/* By hand: one segment with a size, no sum, a block of one byte again and again. */
static void a_frame_without_a_sum_ends_with_its_last_block(void **state)
{
	static const uint8_t frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 200, (200 << 3 | 1 << 1 | 1) & 0xff, 200 >> 5, 0, 'x' };
	struct bytes b = bytes_new(ROOM);

	memcpy(b.p, frame, sizeof(frame));
	b.n = sizeof(frame);
	check(&b);
	bytes_fini(&b);
}

static void what_is_no_zstd_is_all_taken(void **state)
{
	struct bytes b = bytes_new(100000);

	b.n = 100000;
	for (unsigned i = 0; i < ARRAY_LEN(pieces); i++)
		assert_int_equal(walk(&b, pieces[i]), b.n);
	bytes_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_frame_ends_where_it_ends),
		cmocka_unit_test(frames_follow_each_other),
		cmocka_unit_test(a_frame_without_a_sum_ends_with_its_last_block),
		cmocka_unit_test(what_is_no_zstd_is_all_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
