/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <vtape/util.h>

#define K 1024ull

static void sizes_are_read_in_powers_of_1024(void **state)
{
	static const struct {
		const char *word;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "17B", 17 },
		{ "256K", 256 * K },
		{ "256k", 256 * K },
		{ "256KB", 256 * K },
		{ "256KiB", 256 * K },
		{ "256 KiB", 256 * K },
		{ "1.5G", 3 * K * K * K / 2 },
		{ "0.5K", 512 },
		{ "2TiB", 2 * K * K * K * K },
		{ "1.25T", 5 * K * K * K * K / 4 },
		{ "1P", K * K * K * K * K },
		{ "15E", 15 * K * K * K * K * K * K },
		{ "15.5E", 31 * (K * K * K * K * K * K / 2) },
		{ "18446744073709551615", UINT64_MAX },
		{ "1.0000000000000K", 1024 },
		{ "0.1K", 102 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t v = 99;

		assert_int_equal(parse_size(cases[i].word, &v), 0);
		assert_int_equal(v, cases[i].bytes);
	}
}

static void what_is_no_size_is_refused(void **state)
{
	static const char *const bad[] = { "", "K", "-1", "+1", " 1", "1 ", "1  K", "1X", "1KX", "1KiBs", "1.5", "1.5B",
					   "1.", "1.K", ".5K", "0x10", "1e3", "1,5G", "1.2.3K", "12 34" };
	static const char *const large[] = { "18446744073709551616", "16E", "99999999999999999999999K", "16384P",
					     "17179869184G" };
	uint64_t v = 99;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse_size(bad[i], &v), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(large); i++)
		assert_int_equal(parse_size(large[i], &v), -ERANGE);
	assert_int_equal(v, 99);
	assert_non_null(strstr(err_text(-ERANGE), "17179869184G"));
}

static void times_have_a_unit(void **state)
{
	static const struct {
		const char *word;
		uint64_t s;
	} cases[] = { { "0", 0 },	   { "0s", 0 },	      { "90s", 90 },	     { "15m", 900 },
		      { "12h", 43200 },	   { "7d", 604800 },  { "2w", 1209600 },     { "1y", 31536000 } };
	static const char *const bad[] = { "", "s", "90", "1.5h", "-1s", "1 h", "1hh", "7D", "1x", "s7" };
	uint64_t v = 99;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse_duration(bad[i], &v), -EINVAL);
	assert_int_equal(parse_duration("18446744073709551616s", &v), -ERANGE);
	assert_int_equal(parse_duration("9999999999999999999y", &v), -ERANGE);
	assert_int_equal(v, 99);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse_duration(cases[i].word, &v), 0);
		assert_int_equal(v, cases[i].s);
	}
}

static void names_are_barcodes(void **state)
{
	char longest[BARCODE_MAX + 2];

	memset(longest, 'A', sizeof(longest));
	longest[BARCODE_MAX] = '\0';
	assert_true(parse_is_name("A00001L8"));
	assert_true(parse_is_name("a.b_c-d+e"));
	assert_true(parse_is_name("_"));
	assert_true(parse_is_name("7"));
	assert_true(parse_is_name(longest));
	longest[BARCODE_MAX] = 'A';
	longest[BARCODE_MAX + 1] = '\0';
	assert_false(parse_is_name(longest));
	assert_false(parse_is_name(""));
	assert_false(parse_is_name(".hidden"));
	assert_false(parse_is_name(".."));
	assert_false(parse_is_name("-option"));
	assert_false(parse_is_name("a/b"));
	assert_false(parse_is_name("a b"));
	assert_false(parse_is_name("a\n"));
	assert_false(parse_is_name("\xc3\xa4"));
}

static void ranges_count_the_number_in_a_name(void **state)
{
	static const struct {
		const char *word;
		uint64_t count;
		const char *first, *last;
	} cases[] = {
		{ "A00001", 1, "A00001", "A00001" },
		{ "default", 1, "default", "default" },
		{ "A00001-A00100", 100, "A00001", "A00100" },
		{ "A00001+100", 100, "A00001", "A00100" },
		{ "A00001+1", 1, "A00001", "A00001" },
		{ "A00001L8-A00012L8", 12, "A00001L8", "A00012L8" },
		{ "A00001L8+12", 12, "A00001L8", "A00012L8" },
		{ "A00001L8", 1, "A00001L8", "A00001L8" },
		{ "T1L1+9", 9, "T1L1", "T9L1" },
		{ "L1+3", 3, "L1", "L3" },
		{ "1-3", 3, "1", "3" },
		{ "A1-A20", 20, "A1", "A20" },
		{ "A8+5", 5, "A8", "A12" },
		{ "A-1-A-3", 3, "A-1", "A-3" },
		{ "VOL5X-VOL7X", 3, "VOL5X", "VOL7X" },
		{ "A1B1-A2B1", 2, "A1B1", "A2B1" },
		{ "A0+1000000", 1000000, "A0", "A999999" },
		/* Names, though there is a '-' or a '+' in them. */
		{ "A-1", 1, "A-1", "A-1" },
		{ "2024-01", 1, "2024-01", "2024-01" },
		{ "2024-11-21", 1, "2024-11-21", "2024-11-21" },
		{ "A01-B02", 1, "A01-B02", "A01-B02" },
		{ "one+2", 1, "one+2", "one+2" },
		{ "A+", 1, "A+", "A+" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[BARCODE_MAX + 1];
		struct name_range r;

		assert_int_equal(parse_range(cases[i].word, &r), 0);
		assert_int_equal(r.count, cases[i].count);
		assert_int_equal(parse_range_name(&r, 0, name), 0);
		assert_string_equal(name, cases[i].first);
		assert_int_equal(parse_range_name(&r, r.count - 1, name), 0);
		assert_string_equal(name, cases[i].last);
		assert_int_equal(parse_range_name(&r, r.count, name), -EINVAL);
	}
}

static void ranges_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		const char *word;
		int error;
	} cases[] = {
		{ "", -EINVAL },
		{ "a b", -EINVAL },
		{ "../x", -EINVAL },
		{ "A5-A1", -EINVAL },
		{ "A1+0", -ERANGE },
		{ "A1+1000001", -ERANGE },
		{ "A0000001-A2000000", -ERANGE },
		{ "A1+99999999999999999999", -ERANGE },
		{ "A1234567890123456789+2", -ERANGE },
		{ ".1+5", -EINVAL },
		{ "a/1+5", -EINVAL },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA9+2", -EINVAL },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA9+2", -ERANGE },
	};
	struct name_range r;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(parse_range(cases[i].word, &r), cases[i].error);
}

static void sizes_are_shown_short(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 17, "17 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536 * K * K, "1.5 GiB" },
		{ 100 * K, "100 KiB" },
		{ K * K - 1, "1.0 MiB" },
		{ 1023 * K, "1023 KiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[16];

		assert_string_equal(format_size(cases[i].bytes, out), cases[i].text);
	}
}

static void times_are_shown_in_local_time(void **state)
{
	char out[32];

	setenv("TZ", "UTC-2", 1);
	tzset();
	assert_string_equal(format_time(0, out), "-");
	assert_string_equal(format_time(1795292103999999999u, out), "2026-11-21 22:15:03");
	assert_true(strlen(format_time(UINT64_MAX, out)) < 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_in_powers_of_1024),
		cmocka_unit_test(what_is_no_size_is_refused),
		cmocka_unit_test(times_have_a_unit),
		cmocka_unit_test(names_are_barcodes),
		cmocka_unit_test(ranges_count_the_number_in_a_name),
		cmocka_unit_test(ranges_that_make_no_sense_are_refused),
		cmocka_unit_test(sizes_are_shown_short),
		cmocka_unit_test(times_are_shown_in_local_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
