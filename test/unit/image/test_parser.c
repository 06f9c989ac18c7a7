/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parser makes of foreign bytes: good ones in pieces of any size, and every way of being broken. */
#include <errno.h>
#include <stdio.h>

#include "objects.h"

#define BYTES(...) ((const uint8_t[]){ __VA_ARGS__ }), sizeof((const uint8_t[]){ __VA_ARGS__ })
#define TAP_HELLO 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o', 0, 5, 0, 0, 0
#define TAP_MARK 0, 0, 0, 0
#define TAP_GAP 0xfe, 0xff, 0xff, 0xff

static const uint8_t tap[] = {
	TAP_HELLO, 2, 0, 0, 0, 'a', 'b', 2, 0, 0, 0, TAP_MARK, TAP_HELLO, TAP_MARK, TAP_MARK,
};
static const char tap_objects[] = "r5:hello r2:ab m r5:hello m m ";

static const uint8_t aws[] = {
	5, 0, 0, 0, 0xa0, 0, 'h', 'e', 'l', 'l', 'o',	/* a whole record */
	2, 0, 5, 0, 0x80, 0, 'a', 'b',			/* one in three segments */
	1, 0, 2, 0, 0x00, 0, 'c',
	3, 0, 1, 0, 0x20, 0, 'd', 'e', 'f',
	0, 0, 3, 0, 0x40, 0,
	1, 0, 0, 0, 0xa0, 0, 'x',
	0, 0, 1, 0, 0x40, 0, 0, 0, 0, 0, 0x40, 0,
};
static const char aws_objects[] = "r5:hello r6:abcdef m r1:x m m ";

static void check(enum image_format f, const uint8_t *bytes, size_t n, int want, const char *text)
{
	for (size_t piece = 1; piece <= n + 1; piece++) {
		struct objects o = { BUF_INIT };
		int r = objects_parse(&o, f, bytes, n, piece);

		if (r != want || strcmp(objects_text(&o), text))
			fail_msg("pieces of %zu: %d \"%s\", not %d \"%s\"", piece, r, objects_text(&o), want, text);
		buf_fini(&o.text);
	}
}

static void pieces_of_any_size_give_the_same_tape(void **state)
{
	check(IMAGE_TAP, tap, sizeof(tap), 0, tap_objects);
	check(IMAGE_AWS, aws, sizeof(aws), 0, aws_objects);
	check(IMAGE_TAP, tap, 0, 0, "");
	check(IMAGE_AWS, aws, 0, 0, "");
}

/* Wherever an image is cut off: whole objects before are given, and it is broken unless the cut is between two. */
static void an_image_that_breaks_off_is_told_from_a_whole_one(void **state)
{
	static const size_t tap_whole[] = { 0, 14, 24, 28, 42, 46, 50 };
	static const size_t aws_whole[] = { 0, 11, 35, 41, 48, 54, 60 };

	for (size_t n = 0; n <= sizeof(tap); n++) {
		struct objects o = { BUF_INIT };
		bool whole = false;

		for (size_t i = 0; i < ARRAY_LEN(tap_whole); i++)
			whole |= tap_whole[i] == n;
		assert_int_equal(objects_parse(&o, IMAGE_TAP, tap, n, 7), whole ? 0 : -EUCLEAN);
		assert_memory_equal(objects_text(&o), tap_objects, o.text.len);
		buf_fini(&o.text);
	}
	for (size_t n = 0; n <= sizeof(aws); n++) {
		struct objects o = { BUF_INIT };
		bool whole = false;

		for (size_t i = 0; i < ARRAY_LEN(aws_whole); i++)
			whole |= aws_whole[i] == n;
		assert_int_equal(objects_parse(&o, IMAGE_AWS, aws, n, 7), whole ? 0 : -EUCLEAN);
		assert_memory_equal(objects_text(&o), aws_objects, o.text.len);
		buf_fini(&o.text);
	}
}

static void after_the_end_of_medium_nothing_counts(void **state)
{
	check(IMAGE_TAP, BYTES(TAP_HELLO, 0xff, 0xff, 0xff, 0xff, 'n', 'o', 't', 'a', 'p', 'e'), 0, "r5:hello e ");
}

static void gaps_are_skipped(void **state)
{
	check(IMAGE_TAP, BYTES(TAP_GAP, TAP_HELLO, TAP_GAP, TAP_GAP, TAP_MARK), 0, "r5:hello m ");
}

static void a_record_read_in_error_is_taken_as_it_is(void **state)
{
	check(IMAGE_TAP, BYTES(2, 0, 0, 0x80, 'a', 'b', 2, 0, 0, 0x80, TAP_MARK), 0, "r2:ab m ");
}

static void a_record_in_error_without_data_is_left_out(void **state)
{
	check(IMAGE_TAP, BYTES(TAP_HELLO, 0, 0, 0, 0x80, 0, 0, 0, 0x80, TAP_MARK), 0, "r5:hello m ");
}

static void lengths_that_differ_are_broken(void **state)
{
	check(IMAGE_TAP, BYTES(TAP_HELLO, 2, 0, 0, 0, 'a', 'b', 3, 0, 0, 0, TAP_MARK), -EUCLEAN, "r5:hello ");
	assert_non_null(strstr(err_text(-EUCLEAN), "at byte 20"));
	/* The class is part of the word. */
	check(IMAGE_TAP, BYTES(2, 0, 0, 0x80, 'a', 'b', 2, 0, 0, 0), -EUCLEAN, "");
	/* An odd record without padding, as another simulator writes it. */
	check(IMAGE_TAP, BYTES(1, 0, 0, 0, 'a', 1, 0, 0, 0, TAP_MARK), -EUCLEAN, "");
}

static void other_classes_are_refused(void **state)
{
	check(IMAGE_TAP, BYTES(2, 0, 0, 0x10, 'a', 'b', 2, 0, 0, 0x10), -EUCLEAN, "");
	check(IMAGE_TAP, BYTES(0, 0, 0, 0x01, 'a', 'b'), -EUCLEAN, "");
	check(IMAGE_TAP, BYTES(0xff, 0xff, 0xfe, 0xff), -EUCLEAN, "");
	check(IMAGE_TAP, BYTES(0xfd, 0xff, 0xff, 0xff), -EUCLEAN, "");
}

static void compressed_blocks_are_refused_by_name(void **state)
{
	check(IMAGE_AWS, BYTES(4, 0, 0, 0, 0xa1, 0, 0x78, 0x9c, 0x01, 0x02), -EPROTONOSUPPORT, "");
	assert_non_null(strstr(err_text(-EPROTONOSUPPORT), "HET"));
	check(IMAGE_AWS, BYTES(4, 0, 0, 0, 0xa2, 0, 0x78, 0x9c), -EPROTONOSUPPORT, "");
	check(IMAGE_AWS, BYTES(4, 0, 0, 0, 0xa0, 0x80, 0x78, 0x9c, 0, 0), -EPROTONOSUPPORT, "");
}

static void headers_of_aws_must_make_sense(void **state)
{
	static const struct { const char *why; uint8_t b[24]; size_t n; } bad[] = {
		{ "an unknown flag", { 1, 0, 0, 0, 0xa4, 0, 'x' }, 7 },
		{ "a second byte of flags", { 1, 0, 0, 0, 0xa0, 1, 'x' }, 7 },
		{ "no data", { 0, 0, 0, 0, 0xa0, 0 }, 6 },
		{ "a mark with data", { 1, 0, 0, 0, 0x40, 0, 'x' }, 7 },
		{ "a mark that is a record", { 0, 0, 0, 0, 0xe0, 0 }, 6 },
		{ "does not begin", { 1, 0, 0, 0, 0x20, 0, 'x' }, 7 },
		{ "goes on with nothing before", { 1, 0, 0, 0, 0x00, 0, 'x' }, 7 },
		{ "begins twice", { 1, 0, 0, 0, 0x80, 0, 'x', 1, 0, 1, 0, 0xa0, 0, 'y' }, 14 },
		{ "a mark inside a record", { 1, 0, 0, 0, 0x80, 0, 'x', 0, 0, 1, 0, 0x40, 0 }, 13 },
		{ "the first has one before it", { 1, 0, 9, 0, 0xa0, 0, 'x' }, 7 },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		check(IMAGE_AWS, bad[i].b, bad[i].n, -EUCLEAN, "");
	check(IMAGE_AWS, BYTES(1, 0, 0, 0, 0xa0, 0, 'x', 1, 0, 2, 0, 0xa0, 0, 'y'), -EUCLEAN, "r1:x ");
	assert_non_null(strstr(err_text(-EUCLEAN), "at byte 7"));
}

static void a_writer_that_leaves_the_length_before_empty_is_read(void **state)
{
	check(IMAGE_AWS, BYTES(1, 0, 0, 0, 0xa0, 0, 'x', 1, 0, 0, 0, 0xa0, 0, 'y'), 0, "r1:x r1:y ");
}

static size_t put_aws(uint8_t *p, size_t len, size_t before, uint8_t flags)
{
	put_le16(p, (uint16_t)len);
	put_le16(p + 2, (uint16_t)before);
	p[4] = flags;
	p[5] = 0;
	memset(p + 6, flags, len);
	return 6 + len;
}

static void an_aws_record_may_not_outgrow_a_tape_record(void **state)
{
	/* 256 segments of 65535 bytes are 256 short of 16 MiB: 255 more fit, 256 do not. */
	for (size_t last = 255; last <= 256; last++) {
		uint8_t *image = malloc(257 * 65541u);
		struct objects o = { BUF_INIT };
		size_t n = 0;
		char want[32];
		int r;

		for (int i = 0; i < 256; i++)
			n += put_aws(image + n, 65535, i ? 65535 : 0, i ? 0 : 0x80);
		n += put_aws(image + n, last, 65535, 0x20);
		r = objects_parse(&o, IMAGE_AWS, image, n, 1u << 20);
		assert_int_equal(r, last == 255 ? 0 : -EUCLEAN);
		snprintf(want, sizeof(want), "r%u#", TAPE_RECORD_MAX);
		assert_true(r ? !o.seen : !strncmp(objects_text(&o), want, strlen(want)));
		free(image);
		buf_fini(&o.text);
	}
}

static void the_longest_tap_record_is_read(void **state)
{
	uint8_t *image = calloc(1, 2 * 4 + TAPE_RECORD_MAX + 1);
	struct objects o = { BUF_INIT };
	char want[32];

	put_le32(image, TAPE_RECORD_MAX);
	put_le32(image + 4 + TAPE_RECORD_MAX + 1, TAPE_RECORD_MAX);
	assert_int_equal(objects_parse(&o, IMAGE_TAP, image, 2 * 4 + TAPE_RECORD_MAX + 1, 100000), 0);
	snprintf(want, sizeof(want), "r%u#", TAPE_RECORD_MAX);
	assert_memory_equal(objects_text(&o), want, strlen(want));
	free(image);
	buf_fini(&o.text);
}

static void what_stops_the_receiver_stops_the_parser_for_ever(void **state)
{
	struct objects o = { BUF_INIT, .stop_at = 3, .stop_with = 77 };
	struct image_parser *p;

	assert_int_equal(image_parser_new(IMAGE_TAP, &objects_events, &o, &p), 0);
	assert_int_equal(image_parser_feed(p, tap, sizeof(tap)), 77);
	assert_int_equal(image_parser_feed(p, tap, sizeof(tap)), 77);
	assert_int_equal(image_parser_finish(p), 77);
	assert_string_equal(objects_text(&o), "r5:hello r2:ab ");
	image_parser_free(p);
	buf_fini(&o.text);
}

static void the_tail_is_what_is_no_object_yet(void **state)
{
	struct objects o = { BUF_INIT };
	struct image_parser *p;
	size_t n;

	assert_int_equal(image_parser_new(IMAGE_TAP, &objects_events, &o, &p), 0);
	for (size_t i = 0; i < sizeof(tap); i++) {
		static const size_t start[] = { 0, 14, 24, 28, 42, 46, 50 };
		size_t from = 0;
		const uint8_t *tail;

		assert_int_equal(image_parser_feed(p, tap + i, 1), 0);
		for (size_t k = 0; k < ARRAY_LEN(start); k++)
			if (start[k] <= i + 1)
				from = start[k];
		tail = image_parser_tail(p, &n);
		assert_int_equal(n, i + 1 - from);
		if (n)
			assert_memory_equal(tail, tap + from, n);
	}
	image_parser_free(p);

	/* Given to another parser, the rest of the image goes on from there. */
	o.text.len = 0;
	assert_int_equal(image_parser_new(IMAGE_TAP, &objects_events, &o, &p), 0);
	assert_int_equal(image_parser_feed(p, tap + 14, 3), 0);
	assert_int_equal(image_parser_feed(p, tap + 17, sizeof(tap) - 17), 0);
	assert_int_equal(image_parser_finish(p), 0);
	assert_string_equal(objects_text(&o), "r2:ab m r5:hello m m ");
	image_parser_free(p);
	buf_fini(&o.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_give_the_same_tape),
		cmocka_unit_test(an_image_that_breaks_off_is_told_from_a_whole_one),
		cmocka_unit_test(after_the_end_of_medium_nothing_counts),
		cmocka_unit_test(gaps_are_skipped),
		cmocka_unit_test(a_record_read_in_error_is_taken_as_it_is),
		cmocka_unit_test(a_record_in_error_without_data_is_left_out),
		cmocka_unit_test(lengths_that_differ_are_broken),
		cmocka_unit_test(other_classes_are_refused),
		cmocka_unit_test(compressed_blocks_are_refused_by_name),
		cmocka_unit_test(headers_of_aws_must_make_sense),
		cmocka_unit_test(a_writer_that_leaves_the_length_before_empty_is_read),
		cmocka_unit_test(an_aws_record_may_not_outgrow_a_tape_record),
		cmocka_unit_test(the_longest_tap_record_is_read),
		cmocka_unit_test(what_stops_the_receiver_stops_the_parser_for_ever),
		cmocka_unit_test(the_tail_is_what_is_no_object_yet),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
