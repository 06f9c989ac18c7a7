/* SPDX-License-Identifier: BSD-2-Clause */
/* tarball_each: the members of archives, whole and damaged, and how little of an archive is read for them. */
#include "unit/tarball/archives.h"

#define MEMBERS 40u
#define MEMBER_BYTES 100000u
#define ARCHIVE_BYTES (8u << 20)

static void make(struct bytes *b, const char *format, int filter, const char *prefix)
{
	struct archive *a = make_begin(b, ARCHIVE_BYTES, format, filter);
	char path[300];

	for (unsigned i = 0; i < MEMBERS; i++) {
		snprintf(path, sizeof(path), "%smember-%02u", prefix, i);
		make_add(a, make_entry(path, AE_IFREG, MEMBER_BYTES), i);
	}
	make_end(a);
}

static struct seen seen;

static void members_of_a_tar_follow_each_other_to_its_end(void **state)
{
	static const char *formats[] = { "ustar", "pax",
				       "gnutar", "odc" };

	for (unsigned f = 0; f < ARRAY_LEN(formats); f++) {
		struct tarball_info info;
		struct bytes b;

		make(&b, formats[f], ARCHIVE_FILTER_NONE, "a/");
		assert_int_equal(list(&b, &info, &seen), 0);
		assert_int_equal(seen.count, MEMBERS);
		assert_false(info.compressed || info.broken);
		assert_true(info.format[0]);
		for (unsigned i = 0; i < MEMBERS; i++) {
			assert_int_equal(seen.m[i].from, i ? seen.m[i - 1].to : 0);
			assert_true(seen.m[i].to - seen.m[i].from >= MEMBER_BYTES);
		}
		/* What ends the archive is nobody's. */
		assert_int_equal(seen.m[MEMBERS - 1].to - seen.m[MEMBERS - 1].from, seen.m[1].to - seen.m[1].from);
		assert_true(seen.m[MEMBERS - 1].to < b.n);
		free(b.p);
	}
}

static void long_names_belong_to_the_member_they_name(void **state)
{
	char prefix[220];
	struct bytes b;

	memset(prefix, 'x', sizeof(prefix) - 2);
	prefix[sizeof(prefix) - 2] = '/';
	prefix[sizeof(prefix) - 1] = '\0';
	make(&b, "pax", ARCHIVE_FILTER_NONE, prefix);
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_int_equal(seen.count, MEMBERS);
	assert_int_equal(seen.m[0].from, 0);
	for (unsigned i = 1; i < MEMBERS; i++)
		assert_int_equal(seen.m[i].from, seen.m[i - 1].to);
	free(b.p);
}

static void only_the_headers_are_read(void **state)
{
	struct bytes b;

	/* With members longer than the window most of the archive is passed over. */
	make(&b, "ustar", ARCHIVE_FILTER_NONE, "");
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_true(b.read < b.n * 3 / 4);
	free(b.p);
}

static void a_compressed_archive_is_said_to_be_one(void **state)
{
	struct tarball_info info;
	struct bytes b;

	make(&b, "ustar", ARCHIVE_FILTER_GZIP, "");
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_int_equal(seen.count, MEMBERS);
	assert_true(info.compressed);
	for (unsigned i = 1; i < MEMBERS; i++)
		assert_true(seen.m[i].from >= seen.m[i - 1].from);
	free(b.p);
}

static void a_damaged_header_costs_its_own_member_alone(void **state)
{
	struct tarball_info info;
	struct bytes b;
	uint64_t at;

	make(&b, "ustar", ARCHIVE_FILTER_NONE, "");
	assert_int_equal(list(&b, &info, &seen), 0);
	at = seen.m[10].from;
	memset(b.p + at, 0xff, 512);
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_true(info.broken);
	assert_int_equal(seen.count, MEMBERS - 1);
	assert_true(seen_find(&seen, "member-09") && seen_find(&seen, "member-11") && !seen_find(&seen, "member-10"));
	free(b.p);
}

static void damaged_data_hide_no_member(void **state)
{
	struct tarball_info info;
	struct bytes b;

	make(&b, "ustar", ARCHIVE_FILTER_NONE, "");
	memset(b.p + 4096, 0xff, 60000);
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_int_equal(seen.count, MEMBERS);
	assert_false(info.broken);
	free(b.p);
}

static void what_is_no_archive_is_none(void **state)
{
	struct bytes b = { .p = calloc(1, 100000), .n = 100000 };

	assert_int_equal(list(&b, NULL, &seen), TARBALL_E_NONE);
	for (size_t i = 0; i < b.n; i++)
		b.p[i] = (uint8_t)(i * 2654435761u >> 13);
	assert_int_equal(list(&b, NULL, &seen), TARBALL_E_NONE);
	b.n = 0;
	assert_int_equal(list(&b, NULL, &seen), TARBALL_E_NONE);
	assert_int_equal(seen.count, 0);
	free(b.p);
}

static void errors_and_wishes_to_stop_are_passed_on(void **state)
{
	struct tarball_source src = { read_bytes, NULL, 0 };
	struct bytes b;

	make(&b, "ustar", ARCHIVE_FILTER_NONE, "");
	src.ctx = &b;
	src.size = b.n;
	seen_fini(&seen);
	seen.stop_at = 3;
	assert_int_equal(tarball_each(&src, NULL, NULL, see, &seen), 7);
	assert_int_equal(seen.count, 3);
	seen.stop_at = 0;
	b.error = -EIO;
	assert_int_equal(list(&b, NULL, &seen), -EIO);
	free(b.p);
}

static void an_archive_cut_short_gives_what_is_there(void **state)
{
	struct tarball_info info;
	struct bytes b;

	make(&b, "ustar", ARCHIVE_FILTER_NONE, "");
	b.n = 20 * 101376 + 700;
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_true(seen.count >= 20);
	free(b.p);
}

static int free_seen(void **state)
{
	seen_fini(&seen);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_of_a_tar_follow_each_other_to_its_end),
		cmocka_unit_test(long_names_belong_to_the_member_they_name),
		cmocka_unit_test(only_the_headers_are_read),
		cmocka_unit_test(a_compressed_archive_is_said_to_be_one),
		cmocka_unit_test(a_damaged_header_costs_its_own_member_alone),
		cmocka_unit_test(damaged_data_hide_no_member),
		cmocka_unit_test(what_is_no_archive_is_none),
		cmocka_unit_test(errors_and_wishes_to_stop_are_passed_on),
		cmocka_unit_test(an_archive_cut_short_gives_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, free_seen);
}
