/* SPDX-License-Identifier: BSD-2-Clause */
/* tarball_stream: one member's bytes, of archives that are compressed or not. */
#include "unit/tarball/archives.h"

#define ROOM (8u << 20)

static int number_of(void *ctx, const struct tarball_member *m)
{
	unsigned **next = ctx;

	*(*next)++ = *m->path == 'm' ? (unsigned)strtoul(m->path + 1, NULL, 10) : UINT32_MAX;
	return 0;
}

/* All of it, in pieces of an odd size. */
static void check(const struct tarball_source *src, uint64_t skip, unsigned i)
{
	uint8_t p[7001];
	struct tarball_stream *s;
	uint64_t at = 0;
	size_t got;

	assert_int_equal(tarball_stream_new(src, 0, skip, &s), 0);
	do {
		assert_int_equal(tarball_stream_read(s, p, sizeof(p), &got), 0);
		assert_true(data_is(p, got, i, at));
		at += got;
	} while (got);
	assert_int_equal(at, size_of(i));
	tarball_stream_free(s);
}

static void members_are_counted_as_they_were_told(void **state)
{
	static const struct { const char *format; int filter; } kinds[] = {
		{ "pax", ARCHIVE_FILTER_NONE },	   { "gnutar", ARCHIVE_FILTER_GZIP },
		{ "ustar", ARCHIVE_FILTER_BZIP2 }, { "gnutar", ARCHIVE_FILTER_XZ },
		{ "gnutar", ARCHIVE_FILTER_ZSTD }, { "gnutar", ARCHIVE_FILTER_LZ4 },
		{ "gnutar", ARCHIVE_FILTER_LZIP }, { "ustar", ARCHIVE_FILTER_COMPRESS },
		{ "newc", ARCHIVE_FILTER_ZSTD },   { "arsvr4", ARCHIVE_FILTER_NONE },
		{ "zip", ARCHIVE_FILTER_NONE },	   { "iso9660", ARCHIVE_FILTER_NONE },
	};

	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		unsigned numbers[3 * ARCHIVE_FILES], *next = numbers, told = 0;
		struct tarball_source src;
		struct tarball_stream *s;
		struct bytes b;

		make_members(&b, kinds[k].format, kinds[k].filter);
		src = source_of(&b);
		assert_int_equal(tarball_each(&src, NULL, NULL, number_of, &next), 0);
		for (unsigned i = 0; i < next - numbers; i++) {
			told += numbers[i] != UINT32_MAX;
			if (numbers[i] != UINT32_MAX)
				check(&src, i, numbers[i]);
		}
		assert_int_equal(told, ARCHIVE_FILES);
		assert_int_equal(tarball_stream_new(&src, 0, (uint64_t)(next - numbers), &s), TARBALL_E_NONE);
		bytes_fini(&b);
	}
}

static void a_stream_that_is_skipped_goes_on_behind(void **state)
{
	struct tarball_source src;
	struct tarball_stream *s;
	struct bytes b;
	uint8_t p[500];
	uint64_t some;
	size_t got;

	make_members(&b, "gnutar", ARCHIVE_FILTER_GZIP);
	src = source_of(&b);
	assert_int_equal(tarball_stream_new(&src, 0, 11, &s), 0);
	assert_int_equal(tarball_stream_skip(s, 100003, &some), 0);
	assert_int_equal(some, 100003);
	assert_int_equal(tarball_stream_read(s, p, sizeof(p), &got), 0);
	assert_true(got == sizeof(p) && data_is(p, got, 11, 100003));
	assert_int_equal(tarball_stream_skip(s, UINT64_MAX, &some), 0);
	assert_int_equal(some, size_of(11) - 100503);
	assert_int_equal(tarball_stream_read(s, p, sizeof(p), &got), 0);
	assert_int_equal(got, 0);
	tarball_stream_free(s);
	bytes_fini(&b);
}

static void damage_gives_what_came_before_it_and_then_an_error(void **state)
{
	struct tarball_source src;
	struct tarball_stream *s;
	struct bytes b;
	uint8_t *p = malloc(ROOM);
	size_t got;

	make_members(&b, "gnutar", ARCHIVE_FILTER_GZIP);
	b.n = b.n * 95 / 100;
	src = source_of(&b);
	check(&src, 5, 5);
	assert_int_equal(tarball_stream_new(&src, 0, 11, &s), 0);
	assert_int_equal(tarball_stream_read(s, p, ROOM, &got), 0);
	assert_true(got > 0 && got < size_of(11));
	assert_true(data_is(p, got, 11, 0));
	assert_int_equal(tarball_stream_read(s, p, ROOM, &got), -EBADMSG);
	assert_int_equal(got, 0);
	assert_non_null(strstr(err_text(-EBADMSG), "damaged"));
	tarball_stream_free(s);
	b.n /= 2;
	src = source_of(&b);
	assert_int_equal(tarball_stream_new(&src, 0, 11, &s), -EBADMSG);
	bytes_fini(&b);
	free(p);
}

static void the_errors_of_the_source_are_told(void **state)
{
	struct tarball_source src;
	struct tarball_stream *s;
	struct bytes b;
	uint8_t *p = malloc(ROOM);
	size_t got;

	for (unsigned i = 0; i < 2; i++) {
		make_members(&b, "gnutar", i ? ARCHIVE_FILTER_GZIP : ARCHIVE_FILTER_NONE);
		src = source_of(&b);
		assert_int_equal(tarball_stream_new(&src, 0, 11, &s), 0);
		b.error = -ESTALE;
		assert_true(tarball_stream_read(s, p, ROOM, &got) == 0 && got < size_of(11));
		assert_int_equal(tarball_stream_read(s, p, ROOM, &got), -ESTALE);
		tarball_stream_free(s);
		assert_int_equal(tarball_stream_new(&src, 0, 0, &s), -ESTALE);
		bytes_fini(&b);
	}
	free(p);
}

static void where_no_archive_is_there_is_none(void **state)
{
	struct bytes b = bytes_new(100000);
	struct tarball_source src;
	struct tarball_stream *s;

	b.n = 100000;
	data_fill(b.p, b.n, 1, 0);
	src = source_of(&b);
	assert_int_equal(tarball_stream_new(&src, 0, 0, &s), TARBALL_E_NONE);
	assert_int_equal(tarball_stream_new(&src, 512, 0, &s), TARBALL_E_NONE);
	assert_int_equal(tarball_stream_new(&src, 1ull << 63, 0, &s), TARBALL_E_NONE);
	bytes_fini(&b);
}

/* A map of holes that goes back, or beyond the end. */
static void a_map_of_holes_that_cannot_be_is_damage(void **state)
{
	static const char head[] = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n28 GNU.sparse.realsize=4000\n";
	static const char *maps[] = { "2\n1000\n500\n0\n524\n", "1\n3999\n1024\n", "2\n0\n512\n256\n512\n" };

	for (unsigned i = 0; i < ARRAY_LEN(maps); i++) {
		struct bytes b = bytes_new(ROOM);
		struct tarball_source src;
		struct tarball_stream *s;
		uint8_t p[5000];
		size_t got = 1;
		int r;

		tar_header(&b, 'x', "pax", sizeof(head) - 1);
		tar_text(&b, head, sizeof(head) - 1);
		memcpy(tar_header(&b, '0', "holes", 1536) + 257, "ustar\0" "00", 8);
		tar_sum(b.p + b.n - 512);
		tar_text(&b, maps[i], strlen(maps[i]));
		tar_data(&b, 1024, 1);
		tar_zeros(&b, 1024);
		src = source_of(&b);
		r = tarball_stream_new(&src, 0, 0, &s);
		assert_int_equal(r, 0);
		for (unsigned k = 0; !r && got && k < 5; k++)
			r = tarball_stream_read(s, p, sizeof(p), &got);
		assert_int_equal(r, -EBADMSG);
		tarball_stream_free(s);
		bytes_fini(&b);
	}
}

/* A place of the tape that cannot be read, and with it no read that touches it. */
struct hurt_bytes { struct bytes b; uint64_t hurt; };

static int read_hurt(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	struct hurt_bytes *h = ctx;

	return offset <= h->hurt && h->hurt < offset + n ? -EBADMSG : read_bytes(&h->b, offset, buf, n, got);
}

static uint64_t length_of(const struct tarball_source *src, unsigned i)
{
	struct tarball_stream *s;
	uint64_t all = 0;
	uint8_t p[1000];
	size_t got;
	int r = tarball_stream_new(src, 0, i, &s);

	if (r)
		return 0;
	while (!(r = tarball_stream_read(s, p, sizeof(p), &got)) && got) {
		assert_true(data_is(p, got, i, all));
		all += got;
	}
	assert_true(!r || r == -EBADMSG);
	tarball_stream_free(s);
	return all;
}

static void all_that_lies_before_a_hurt_place_of_the_tape_is_given(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD };

	for (unsigned k = 0; k < ARRAY_LEN(filters); k++) {
		struct hurt_bytes h;
		struct tarball_source hurt = { read_hurt, &h, 0 }, cut;
		uint64_t whole = 0, at_hand = 0;

		make_members(&h.b, "ustar", filters[k]);
		hurt.size = h.b.n;
		h.hurt = h.b.n * 2 / 3 / 512 * 512;
		for (unsigned i = 0; i < ARCHIVE_FILES; i++)
			whole += length_of(&hurt, i);
		h.b.n = h.hurt;
		cut = source_of(&h.b);
		for (unsigned i = 0; i < ARCHIVE_FILES; i++)
			at_hand += length_of(&cut, i);
		assert_true(at_hand > ROOM / 100);
		assert_int_equal(whole, at_hand);
		bytes_fini(&h.b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_counted_as_they_were_told),
		cmocka_unit_test(a_stream_that_is_skipped_goes_on_behind),
		cmocka_unit_test(damage_gives_what_came_before_it_and_then_an_error),
		cmocka_unit_test(the_errors_of_the_source_are_told),
		cmocka_unit_test(where_no_archive_is_there_is_none),
		cmocka_unit_test(a_map_of_holes_that_cannot_be_is_damage),
		cmocka_unit_test(all_that_lies_before_a_hurt_place_of_the_tape_is_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
