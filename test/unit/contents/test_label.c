/* SPDX-License-Identifier: BSD-2-Clause */
/* label_parse and label_format: labels as other systems write them, and as they are given back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "contents/rows.h"

#define DAY 86400000000000ull

/* 80 columns, blanks to the end. */
static const uint8_t *card(const char *text)
{
	static uint8_t bytes[80];

	memset(bytes, ' ', sizeof(bytes));
	memcpy(bytes, text, strlen(text));
	return bytes;
}

static int parse(const char *text, struct contents_label *out)
{
	char name[5];

	*out = (struct contents_label){ 0 };
	return label_parse(card(text), 80, name, out);
}

/* As ANSI X3.27 has it; columns counted:    5     11                           38             52 */
static const char vol1[] = "VOL1A00001                           OPERATIONS    ";

static void a_volume_label_names_the_volume_and_its_owner(void **state)
{
	struct contents_label l = { 0 };
	uint8_t record[2048];
	char name[5];

	assert_int_equal(label_parse(card(vol1), 80, name, &l), 0);
	assert_string_equal(name, "VOL1");
	assert_int_equal(l.kind, LABEL_ANSI);
	assert_string_equal(l.volume, "A00001");
	assert_string_equal(l.owner, "OPERATIONS");
	/* A record may be longer, not shorter. */
	memset(record, 0xff, sizeof(record));
	memcpy(record, card(vol1), 80);
	assert_int_equal(label_parse(record, sizeof(record), name, &l), 0);
	assert_int_equal(label_parse(record, 79, name, &l), CONTENTS_E_NONE);
	assert_int_equal(label_parse("", 0, name, &l), CONTENTS_E_NONE);
}

static void a_header_label_tells_file_place_and_dates(void **state)
{
	struct contents_label l;

	assert_int_equal(parse("HDR1PAYROLL.DATA     A00001000100120003000099001 990021000042DECFILE11A   ", &l), 0);
	assert_string_equal(l.file_id, "PAYROLL.DATA");
	assert_string_equal(l.set_id, "A00001");
	assert_int_equal(l.section, 1);
	assert_int_equal(l.sequence, 12);
	assert_int_equal(l.generation, 3);
	assert_int_equal(parse("HDR2D0200000512", &l), 0);
	assert_int_equal(l.format, 'D');
	assert_int_equal(l.block_bytes, 2000);
	assert_int_equal(l.record_bytes, 512);
}

static void labels_add_to_what_is_known(void **state)
{
	struct contents_label l = { 0 };
	char name[5];

	assert_int_equal(label_parse(card(vol1), 80, name, &l), 0);
	assert_int_equal(label_parse(card("HDR1FILE             SET   00010001"), 80, name, &l), 0);
	assert_string_equal(name, "HDR1");
	assert_int_equal(label_parse(card("HDR2F3276000080"), 80, name, &l), 0);
	assert_int_equal(label_parse(card("UHLAanything"), 80, name, &l), 0);
	assert_string_equal(name, "UHLA");
	assert_string_equal(l.volume, "A00001");
	assert_string_equal(l.file_id, "FILE");
	assert_int_equal(l.block_bytes, 32760);
	/* Those at the end say the same. */
	l = (struct contents_label){ 0 };
	assert_int_equal(label_parse(card("EOF1FILE             SET   00020001"), 80, name, &l), 0);
	assert_int_equal(l.section, 2);
	assert_int_equal(label_parse(card("EOV2U32760"), 80, name, &l), 0);
	assert_string_equal(name, "EOV2");
	assert_int_equal(l.format, 'U');
}

static void what_is_no_label_is_none(void **state)
{
	static const char *none[] = { "VOLX", "HDR0FILE", "vol1A00001", "HELLO", "", "EOF FILE", "UHX1", "VOL", "HDR",
				      "VOL1A\x07", "HDR1F\xc3\xbcR", "HDR1\x7f" };
	static const char *known[] = { "VOL2", "HDR3", "HDR9", "EOF3", "EOV9", "UHL1", "UTLZ", "UVL1" };
	uint8_t zeros[80] = { 0 }, bytes[80];
	struct contents_label l;
	char name[5];

	for (unsigned i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(parse(none[i], &l), CONTENTS_E_NONE);
	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		assert_int_equal(parse(known[i], &l), 0);
	assert_int_equal(label_parse(zeros, 80, name, &l), CONTENTS_E_NONE);
	/* One byte that does not print, wherever. */
	for (unsigned i = 0; i < 80; i++) {
		memcpy(bytes, card(vol1), 80);
		bytes[i] = 0;
		assert_int_equal(label_parse(bytes, 80, name, &l), CONTENTS_E_NONE);
	}
}

static void dates_are_days_of_a_year_of_a_century(void **state)
{
	static const struct { const char *date; uint64_t created, expires; } dates[] = {
		{ " 70001", 0, 0 },
		{ " 70002", DAY, DAY },
		{ " 99001", 10592 * DAY, 10592 * DAY },
		{ "000001", 10957 * DAY, 10957 * DAY },
		{ "000366", 11322 * DAY, 11322 * DAY },	/* 2000 was a leap year */
		{ "001366", 0, 0 },			/* 2001 was none */
		{ "026326", 20779 * DAY, 20779 * DAY },
		{ "100365", 47846 * DAY, 47846 * DAY },	/* 2100-12-31 */
		{ "100366", 0, 0 },
		{ " 99365", 10956 * DAY, LABEL_NEVER },
		{ " 99366", 0, LABEL_NEVER },
		{ " 99999", 0, LABEL_NEVER },
		{ "099999", 0, LABEL_NEVER },
		{ "099365", 47481 * DAY, 47481 * DAY },	/* 2099-12-31 */
		{ " 00000", 0, 0 },
		{ "000000", 0, 0 },
		{ "      ", 0, 0 },
		{ " 69365", 0, 0 },
		{ " 99000", 0, 0 },
		{ "ABCDEF", 0, 0 },
		{ "/00001", 0, 0 },
		{ "900001", 0, 0 },
		{ "599001", 0, 0 },			/* 2599 has no nanoseconds */
	};
	struct contents_label l;
	char text[81];

	for (unsigned i = 0; i < ARRAY_LEN(dates); i++) {
		snprintf(text, sizeof(text), "HDR1%-37s%s%s", "FILE", dates[i].date, dates[i].date);
		assert_int_equal(parse(text, &l), 0);
		assert_int_equal(l.created_ns, dates[i].created);
		assert_int_equal(l.expires_ns, dates[i].expires);
	}
}

static void numbers_that_are_none_are_not_said(void **state)
{
	struct contents_label l;

	assert_int_equal(parse("HDR1FILE             SET   A00100-10X21", &l), 0);
	assert_true(!l.section && !l.sequence && !l.generation);
	assert_int_equal(parse("HDR2?9999999999", &l), 0);
	assert_int_equal(l.format, 'U');
	assert_int_equal(l.block_bytes, 99999);
}

/* The first label of a tape that z/OS wrote, in code page 037: VOL1, T00042, owner PROD. */
static void labels_of_ibm_are_in_ebcdic(void **state)
{
	uint8_t b[80];
	struct contents_label l = { 0 };
	char name[5];

	memset(b, 0x40, sizeof(b));
	memcpy(b, "\xe5\xd6\xd3\xf1\xe3\xf0\xf0\xf0\xf4\xf2", 10);
	memcpy(b + 41, "\xd7\xd9\xd6\xc4", 4);
	assert_int_equal(label_parse(b, 80, name, &l), 0);
	assert_string_equal(name, "VOL1");
	assert_int_equal(l.kind, LABEL_IBM);
	assert_string_equal(l.volume, "T00042");
	assert_string_equal(l.owner, "PROD");
	/* HDR1 SYS1.A-B/C(1) */
	memset(b, 0x40, sizeof(b));
	memcpy(b, "\xc8\xc4\xd9\xf1\xe2\xe8\xe2\xf1\x4b\xc1\x60\xc2\x61\xc3\x4d\xf1\x5d", 17);
	memcpy(b + 41, "\xf0\xf2\xf6\xf3\xf2\xf6\x40\xf9\xf9\xf3\xf6\xf5", 12);
	assert_int_equal(label_parse(b, 80, name, &l), 0);
	assert_string_equal(l.file_id, "SYS1.A-B/C(1)");
	assert_int_equal(l.created_ns, 20779 * DAY);
	assert_int_equal(l.expires_ns, LABEL_NEVER);
	b[79] = 0x00;
	assert_int_equal(label_parse(b, 80, name, &l), CONTENTS_E_NONE);
}

static struct contents_label full(enum contents_label_kind kind)
{
	return (struct contents_label){ .kind = kind, .volume = "A00001", .owner = "BACKUP-CO.",
		.file_id = "HOME.2026/11(A)", .set_id = "A00001", .section = 2, .sequence = 17, .generation = 9,
		.created_ns = 20779 * DAY, .expires_ns = 47846 * DAY, .format = 'F', .block_bytes = 65536, .record_bytes = 512 };
}

static void what_is_written_is_read_again(void **state)
{
	static const char *names[3][3] = { { "VOL1", "HDR1", "HDR2" },
					   { "VOL1", "EOF1", "EOF2" },
					   { "VOL1", "EOV1", "EOV2" } };

	for (unsigned kind = LABEL_ANSI; kind <= LABEL_IBM; kind++) {
		for (unsigned set = 0; set < 3; set++) {
			struct contents_label l = full(kind), got = { 0 };

			for (unsigned i = 0; i < 3; i++) {
				uint8_t b[80];
				char told[5];
				assert_int_equal(label_format(names[set][i], &l, 12345, b), 0);
				assert_int_equal(label_parse(b, 80, told, &got), 0);
				assert_string_equal(told, names[set][i]);
			}
			assert_int_equal(got.kind, l.kind);
			assert_string_equal(got.volume, l.volume);
			assert_string_equal(got.owner, l.owner);
			assert_string_equal(got.file_id, l.file_id);
			assert_string_equal(got.set_id, l.set_id);
			assert_true(got.section == 2 && got.sequence == 17 && got.generation == 9);
			assert_int_equal(got.created_ns, l.created_ns);
			assert_int_equal(got.expires_ns, l.expires_ns);
			assert_true(got.format == 'F' && got.block_bytes == 65536 && got.record_bytes == 512);
		}
	}
}

static void dates_that_are_written_are_read_again(void **state)
{
	for (uint64_t day = 1; day < 213000; day += 17) {
		struct contents_label l = { .kind = LABEL_ANSI, .created_ns = day * DAY, .expires_ns = day * DAY };
		struct contents_label got = { 0 };
		uint8_t b[80];
		char name[5];

		assert_int_equal(label_format("HDR1", &l, 0, b), 0);
		assert_int_equal(label_parse(b, 80, name, &got), 0);
		assert_int_equal(got.created_ns, l.created_ns);
		assert_int_equal(got.expires_ns, l.expires_ns);
	}
}

static void never_is_written_as_the_last_day_of_1999(void **state)
{
	struct contents_label l = { .kind = LABEL_ANSI, .expires_ns = LABEL_NEVER }, got = { 0 };
	uint8_t b[80];
	char name[5];

	assert_int_equal(label_format("HDR1", &l, 0, b), 0);
	assert_memory_equal(b + 41, " 00000 99365", 12);
	assert_int_equal(label_parse(b, 80, name, &got), 0);
	assert_int_equal(got.expires_ns, LABEL_NEVER);
	l.expires_ns = 10956 * DAY;
	assert_int_equal(label_format("HDR1", &l, 0, b), -EINVAL);
}

static void large_blocks_fit_labels_of_ibm_only(void **state)
{
	struct contents_label l = { .kind = LABEL_IBM, .format = 'U', .block_bytes = 1u << 20 }, got = { 0 };
	uint8_t b[80];
	char name[5];

	assert_int_equal(label_format("HDR2", &l, 0, b), 0);
	assert_int_equal(label_parse(b, 80, name, &got), 0);
	assert_int_equal(got.block_bytes, 1u << 20);
	l.kind = LABEL_ANSI;
	assert_int_equal(label_format("HDR2", &l, 0, b), -EINVAL);
}

static void a_name_that_does_not_fit_is_refused(void **state)
{
	struct contents_label l = full(LABEL_IBM);
	uint8_t b[80];

	strcpy(l.owner, "ELEVENCHARS");
	assert_int_equal(label_format("VOL1", &l, 0, b), -EINVAL);
	l.kind = LABEL_ANSI;
	assert_int_equal(label_format("VOL1", &l, 0, b), 0);
	strcpy(l.owner, "lower");
	assert_int_equal(label_format("VOL1", &l, 0, b), -EINVAL);
	assert_non_null(strstr(err_text(-EINVAL), "capital"));
	l = full(LABEL_ANSI);
	l.volume[0] = '\0';
	assert_int_equal(label_format("VOL1", &l, 0, b), -EINVAL);
	strcpy(l.file_id, "A\tB");
	assert_int_equal(label_format("HDR1", &l, 0, b), -EINVAL);
	assert_int_equal(label_format("UHL1", &l, 0, b), -EINVAL);
	assert_int_equal(label_format("HDR3", &l, 0, b), -EINVAL);
	assert_int_equal(label_format("", &l, 0, b), -EINVAL);
}

static void the_blocks_behind_are_counted_in_six_digits(void **state)
{
	struct contents_label l = full(LABEL_ANSI);
	uint8_t b[80];

	assert_int_equal(label_format("HDR1", &l, 0, b), 0);
	assert_memory_equal(b + 54, "000000", 6);
	assert_int_equal(label_format("EOF1", &l, 4711, b), 0);
	assert_memory_equal(b + 54, "004711", 6);
	assert_int_equal(label_format("EOV1", &l, 7654321, b), 0);
	assert_memory_equal(b + 54, "654321", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_label_names_the_volume_and_its_owner),
		cmocka_unit_test(a_header_label_tells_file_place_and_dates),
		cmocka_unit_test(labels_add_to_what_is_known),
		cmocka_unit_test(what_is_no_label_is_none),
		cmocka_unit_test(dates_are_days_of_a_year_of_a_century),
		cmocka_unit_test(numbers_that_are_none_are_not_said),
		cmocka_unit_test(labels_of_ibm_are_in_ebcdic),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(dates_that_are_written_are_read_again),
		cmocka_unit_test(never_is_written_as_the_last_day_of_1999),
		cmocka_unit_test(large_blocks_fit_labels_of_ibm_only),
		cmocka_unit_test(a_name_that_does_not_fit_is_refused),
		cmocka_unit_test(the_blocks_behind_are_counted_in_six_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
