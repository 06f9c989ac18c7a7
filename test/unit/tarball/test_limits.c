/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile and strange archives: what they may cost, and that they end. */
#include "unit/tarball/archives.h"

#include <sys/resource.h>

#define ROOM (8u << 20)
#define MIB (1ull << 20)

static struct seen seen;

static const struct tarball_limits some_limits = { .members = 100, .unpacked_bytes = 100 * MIB, .unpacked_ratio = 200 };

/* A tar of one member of @mib MiB of zeros, and one behind it, in @filters. */
static void make_bomb(struct bytes *b, const int *filters, unsigned count, unsigned mib)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = make_entry("zeros", AE_IFREG, mib * MIB);
	uint8_t *zeros = calloc(1, MIB);

	*b = bytes_new(ROOM);
	assert_int_equal(archive_write_set_format_by_name(a, "ustar"), ARCHIVE_OK);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(archive_write_add_filter(a, filters[i]), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(a, b->p, ROOM, &b->n), ARCHIVE_OK);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	for (unsigned i = 0; i < mib; i++)
		assert_int_equal(archive_write_data(a, zeros, MIB), MIB);
	archive_entry_free(e);
	make_add(a, make_entry("behind", AE_IFREG, 10), 1);
	make_end(a);
	free(zeros);
}

static void what_unpacks_to_too_much_is_left(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4,
				       ARCHIVE_FILTER_BZIP2 };

	for (unsigned i = 0; i < ARRAY_LEN(filters); i++) {
		const struct tarball_limits bytes = { .unpacked_bytes = 50 * MIB }, ratio = { .unpacked_ratio = 50 };
		struct tarball_info info;
		struct bytes b;

		make_bomb(&b, &filters[i], 1, 140);
		assert_int_equal(list(&b, &info, &seen), 0);
		assert_true(info.compressed && !info.broken && !info.limited && seen.count == 2);
		assert_true(info.filter[0]);
		assert_int_equal(list_limited(&b, &bytes, &info, &seen), 0);
		assert_true(info.broken && info.limited && seen.count == 1);
		assert_int_equal(list_limited(&b, &ratio, &info, &seen), 0);
		assert_true(info.broken && info.limited && seen.count == 1);
		bytes_fini(&b);
	}
}

static void what_is_compressed_twice_is_left(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_GZIP };
	struct tarball_info info;
	struct bytes b;

	make_bomb(&b, filters, 2, 2);
	assert_int_equal(list(&b, &info, &seen), TARBALL_E_NONE);
	assert_true(info.broken && info.limited);
	assert_int_equal(seen.count, 0);
	bytes_fini(&b);
}

static void members_are_counted(void **state)
{
	struct tarball_limits limits = { .members = 100 };
	struct bytes b = bytes_new(ROOM);
	struct tarball_info info;
	char name[16];

	for (unsigned i = 0; i < 101; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		tar_header(&b, '0', name, 0);
	}
	tar_zeros(&b, 1024);
	assert_int_equal(list_limited(&b, &limits, &info, &seen), 0);
	assert_true(info.broken && info.limited && seen.count == 100);
	limits.members = 101;
	assert_int_equal(list_limited(&b, &limits, &info, &seen), 0);
	assert_true(!info.broken && !info.limited && seen.count == 101);
	bytes_fini(&b);
}

static void a_size_that_cannot_be_ends_the_archive(void **state)
{
	static const uint64_t sizes[] = { 1ull << 33, 1ull << 40, 1ull << 62, INT64_MAX, INT64_MAX - 511,
					  1ull << 63, UINT64_MAX };

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		struct bytes b = bytes_new(ROOM);
		struct tarball_info info;

		tar_header(&b, '0', "before", 600);
		tar_data(&b, 600, 1);
		tar_header(&b, '0', "large", sizes[i]);
		tar_data(&b, 100000, 2);
		tar_header(&b, '0', "behind", 0);
		tar_zeros(&b, 1024);
		assert_int_equal(list(&b, &info, &seen), 0);
		assert_true(info.broken);
		assert_true(seen.count >= 1 && seen.count <= 2);
		assert_string_equal(seen.m[0].path, "before");
		if (seen.count == 2)
			assert_int_equal(seen.m[1].data, TARBALL_NO_PLACE);
		assert_true(b.read < 500000);
		bytes_fini(&b);
	}
}

/* Long names, pax headers, volume headers: each of them is about the next, and there is none. */
static void headers_about_headers_do_not_go_on_for_ever(void **state)
{
	static const char types[] = "LKxgVN";

	for (unsigned t = 0; types[t]; t++) {
		struct bytes b = bytes_new(ROOM);
		struct tarball_info info;

		for (unsigned i = 0; i < 7000; i++) {
			tar_header(&b, types[t], "about", types[t] == 'V' ? 0 : 20);
			if (types[t] != 'V')
				tar_text(&b, "20 comment=otherwise\n", 20);
		}
		tar_header(&b, '0', "one", 0);
		tar_zeros(&b, 1024);
		list_limited(&b, &some_limits, &info, &seen);
		assert_true(seen.count <= 100);
		bytes_fini(&b);
	}
}

static void a_long_name_has_an_end(void **state)
{
	static const uint64_t sizes[] = { 3u << 20, 1ull << 40, 1ull << 63 };

	for (unsigned i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		struct bytes b = bytes_new(ROOM);

		tar_header(&b, i % 2 ? 'L' : 'x', "name", sizes[i / 2]);
		memset(b.p + b.n, 'n', 5u << 20);
		b.n += 5u << 20;
		list(&b, NULL, &seen);
		assert_true(seen.count <= 1);
		assert_true(b.read <= 6u << 20);
		bytes_fini(&b);
	}
}

/* Nothing where a tool's own memory, some times that of the program, is counted in. */
static long peak_kib(void)
{
	struct rusage u;
#ifdef __SANITIZE_THREAD__
	bool counts = false;
#else
	bool counts = !getenv("LD_PRELOAD") || !strstr(getenv("LD_PRELOAD"), "vgpreload");
#endif

	getrusage(RUSAGE_SELF, &u);
	return counts ? u.ru_maxrss : 0;
}

/* Each pair of four bytes becomes a part of a sparse file in memory. */
static void a_map_of_holes_has_an_end(void **state)
{
	static const char map[] = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n33 GNU.sparse.realsize=123456789\n";
	struct bytes b = bytes_new(40u << 20);
	struct tarball_info info;
	long before;

	tar_header(&b, 'x', "pax", sizeof(map) - 1);
	tar_text(&b, map, sizeof(map) - 1);
	memcpy(tar_header(&b, '0', "holes", 39u << 20) + 257, "ustar\0" "00", 8);
	tar_sum(b.p + b.n - 512);
	memcpy(b.p + b.n, "9000000\n", 8);
	for (size_t i = 8; i < 39u << 20; i += 2)
		memcpy(b.p + b.n + i, "0\n", 2);
	b.n += 39u << 20;
	before = peak_kib();
	assert_int_equal(list(&b, &info, &seen), TARBALL_E_NONE);
	assert_true(info.broken && info.limited);
	assert_true(b.read < 6u << 20);
	assert_true(peak_kib() - before < 200 << 10);
	bytes_fini(&b);
}

static void zeros_behind_an_archive_are_not_all_read(void **state)
{
	struct bytes b = bytes_new(64u << 20);
	struct tarball_info info;

	tar_header(&b, '0', "one", 600);
	tar_data(&b, 600, 1);
	b.n = 64u << 20;
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_true(!info.broken && seen.count == 1);
	assert_int_equal(seen.m[0].to, 1536);
	assert_true(b.read < 6u << 20);
	bytes_fini(&b);
}

/* Programs fill the last record up.  (What compress writes has no end: there zeros are more data.) */
static void zeros_behind_a_compressed_archive_break_nothing(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ,
				       ARCHIVE_FILTER_LZIP, ARCHIVE_FILTER_LZMA, ARCHIVE_FILTER_ZSTD,
				       ARCHIVE_FILTER_LZ4 };

	for (unsigned i = 0; i < ARRAY_LEN(filters); i++) {
		struct bytes b;
		struct archive *a = make_begin(&b, ROOM, "ustar", filters[i]);
		struct tarball_info info;

		make_add(a, make_entry("one", AE_IFREG, 5000), 1);
		make_add(a, make_entry("two", AE_IFREG, 5000), 2);
		make_end(a);
		tar_zeros(&b, 65536 - b.n);
		assert_int_equal(list(&b, &info, &seen), 0);
		assert_true(info.compressed);
		assert_int_equal(seen.count, 2);
		assert_false(info.broken);
		bytes_fini(&b);
	}
}

static void a_compressed_archive_that_breaks_off_tells_what_came_before(void **state)
{
	struct bytes b;
	struct archive *a = make_begin(&b, ROOM, "ustar", ARCHIVE_FILTER_GZIP);
	struct tarball_info info;

	for (unsigned i = 0; i < 20; i++)
		make_add(a, make_entry("member", AE_IFREG, 50000), i);
	make_end(a);
	b.n /= 2;
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_true(info.broken && !info.limited);
	assert_true(seen.count >= 8 && seen.count <= 11);
	bytes_fini(&b);
}

static void zip_and_iso9660_tell_their_members(void **state)
{
	static const char *formats[] = { "zip", "iso9660" };

	for (unsigned f = 0; f < ARRAY_LEN(formats); f++) {
		struct bytes b;
		struct archive *a = make_begin(&b, ROOM, formats[f], ARCHIVE_FILTER_NONE);
		struct tarball_info info;
		char path[16];

		for (unsigned i = 0; i < 20; i++) {
			snprintf(path, sizeof(path), "m%u", i);
			make_add(a, make_entry(path, AE_IFREG, 50000), i);
		}
		make_end(a);
		assert_int_equal(list_limited(&b, &some_limits, &info, &seen), 0);
		assert_true(info.compressed && !info.broken && !info.filter[0]);
		for (unsigned i = 0; i < 20; i++) {
			const struct tarball_member *m;
			snprintf(path, sizeof(path), "m%u", i);
			m = seen_find(&seen, path);
			assert_non_null(m);
			assert_int_equal(m->size, 50000);
			assert_int_equal(m->data, TARBALL_NO_PLACE);
		}
		assert_true(b.read < b.n);
		bytes_fini(&b);
	}
}

/* What would keep tables on an archive's word, start a program, or takes any text. */
static void other_kinds_are_no_archives_here(void **state)
{
	static const char *formats[] = { "7zip", "xar", "mtree", "shar", "warc" };

	for (unsigned f = 0; f < ARRAY_LEN(formats); f++) {
		struct bytes b;
		struct archive *a = make_begin(&b, ROOM, formats[f], ARCHIVE_FILTER_NONE);

		make_add(a, make_entry("one", AE_IFREG, 5000), 1);
		make_end(a);
		assert_int_equal(list(&b, NULL, &seen), TARBALL_E_NONE);
		bytes_fini(&b);
	}
}

static void programs_are_not_started_for_a_filter(void **state)
{
	static const char *begins[] = { "\x89LZO\0\r\n\x1a\n\x10\x30", "LRZI\0\6xxxxxxxxxxxxxxxxxx", "GRZipII\0\2\4:)",
					"begin 644 x\n#0V%T\n`\nend\n", "begin-base64 644 x\nQ2F0\n====\n" };

	for (unsigned i = 0; i < ARRAY_LEN(begins); i++) {
		struct bytes b = bytes_new(ROOM);

		memcpy(b.p, begins[i], 12);
		b.n = 20000;
		assert_int_equal(list(&b, NULL, &seen), TARBALL_E_NONE);
		bytes_fini(&b);
	}
}

/* Two reads for each member of some size, not more of each than is around its header; one for many small ones. */
static void little_is_read_for_a_member(void **state)
{
	static const struct { unsigned members, bytes; uint64_t read_per_member; unsigned reads; } cases[] = {
		{ 20, 300000, 9000, 30 }, { 200, 30000, 9000, 210 }, { 200, 1000, 1700, 30 }, { 200, 0, 700, 20 } };

	for (unsigned c = 0; c < ARRAY_LEN(cases); c++) {
		struct bytes b;
		struct archive *a = make_begin(&b, ROOM, "gnutar", ARCHIVE_FILTER_NONE);

		for (unsigned i = 0; i < cases[c].members; i++)
			make_add(a, make_entry("member", AE_IFREG, cases[c].bytes), i);
		make_end(a);
		assert_int_equal(list(&b, NULL, &seen), 0);
		assert_int_equal(seen.count, cases[c].members);
		print_message("members of %u bytes: %llu bytes in %.2f reads each\n", cases[c].bytes,
			      (unsigned long long)b.read / cases[c].members, (double)b.reads / cases[c].members);
		assert_true(b.read / cases[c].members <= cases[c].read_per_member);
		assert_true(b.reads <= cases[c].reads);
		bytes_fini(&b);
	}
}

static int free_seen(void **state)
{
	seen_fini(&seen);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_unpacks_to_too_much_is_left),
		cmocka_unit_test(what_is_compressed_twice_is_left),
		cmocka_unit_test(members_are_counted),
		cmocka_unit_test(a_size_that_cannot_be_ends_the_archive),
		cmocka_unit_test(headers_about_headers_do_not_go_on_for_ever),
		cmocka_unit_test(a_long_name_has_an_end),
		cmocka_unit_test(a_map_of_holes_has_an_end),
		cmocka_unit_test(zeros_behind_an_archive_are_not_all_read),
		cmocka_unit_test(zeros_behind_a_compressed_archive_break_nothing),
		cmocka_unit_test(a_compressed_archive_that_breaks_off_tells_what_came_before),
		cmocka_unit_test(zip_and_iso9660_tell_their_members),
		cmocka_unit_test(other_kinds_are_no_archives_here),
		cmocka_unit_test(programs_are_not_started_for_a_filter),
		cmocka_unit_test(little_is_read_for_a_member),
	};

	return cmocka_run_group_tests(tests, NULL, free_seen);
}
