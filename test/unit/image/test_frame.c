/* SPDX-License-Identifier: BSD-2-Clause */
/* The framer's bytes, one by one, and that the parser reads them back. */
#include <errno.h>
#include <stdio.h>

#include "objects.h"

static struct buf framed(enum image_format f, const char *objects)
{
	struct image_framer *fr;
	struct buf out = BUF_INIT;

	assert_int_equal(image_framer_new(f, &fr), 0);
	for (; *objects; objects++) {
		int r = *objects == 'm' ? image_frame_mark(fr, &out)
					: image_frame_record(fr, "hello", (size_t)(*objects - '0'), &out);

		assert_int_equal(r, 0);
	}
	assert_int_equal(image_frame_end(fr, &out), 0);
	image_framer_free(fr);
	return out;
}

static void expect(struct buf b, const void *want, size_t n)
{
	assert_int_equal(b.len, n);
	if (n)
		assert_memory_equal(b.data, want, n);
	buf_fini(&b);
}
#define EXPECT(b, ...) expect(b, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void tap_pads_odd_records(void **state)
{
	EXPECT(framed(IMAGE_TAP, "5"), 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o', 0, 5, 0, 0, 0);
	EXPECT(framed(IMAGE_TAP, "2"), 2, 0, 0, 0, 'h', 'e', 2, 0, 0, 0);
}

static void tap_ends_without_a_word(void **state)
{
	EXPECT(framed(IMAGE_TAP, "1m"), 1, 0, 0, 0, 'h', 0, 1, 0, 0, 0, 0, 0, 0, 0);
	expect(framed(IMAGE_TAP, ""), NULL, 0);
}

static void aws_blocks_know_the_one_before(void **state)
{
	EXPECT(framed(IMAGE_AWS, "2m1m"), 2, 0, 0, 0, 0xa0, 0, 'h', 'e', 0, 0, 2, 0, 0x40, 0,
	       1, 0, 0, 0, 0xa0, 0, 'h', 0, 0, 1, 0, 0x40, 0);
}

static void aws_without_a_mark_at_its_end_gets_two(void **state)
{
	EXPECT(framed(IMAGE_AWS, "1"), 1, 0, 0, 0, 0xa0, 0, 'h', 0, 0, 1, 0, 0x40, 0, 0, 0, 0, 0, 0x40, 0);
	EXPECT(framed(IMAGE_AWS, ""), 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0x40, 0);
}

static void a_long_record_becomes_several_blocks(void **state)
{
	static const uint8_t first[6] = { 0xff, 0xff, 0, 0, 0x80, 0 }, middle[6] = { 0xff, 0xff, 0xff, 0xff, 0, 0 };
	static const uint8_t last[6] = { 7, 0, 0xff, 0xff, 0x20, 0 };
	size_t n = 2 * 65535 + 7;
	uint8_t *p = calloc(1, n);
	struct image_framer *fr;
	struct buf out = BUF_INIT;

	assert_int_equal(image_framer_new(IMAGE_AWS, &fr), 0);
	assert_int_equal(image_frame_record(fr, p, n, &out), 0);
	assert_int_equal(out.len, n + 18);
	assert_memory_equal(out.data, first, 6);
	assert_memory_equal(out.data + 65541, middle, 6);
	assert_memory_equal(out.data + 2 * 65541, last, 6);
	/* Exactly one block long: no empty one behind it. */
	out.len = 0;
	assert_int_equal(image_frame_record(fr, p, 65535, &out), 0);
	assert_int_equal(out.len, 65541);
	assert_int_equal(out.data[4], 0xa0);
	image_framer_free(fr);
	buf_fini(&out);
	free(p);
}

static void lengths_that_no_tape_has_are_refused(void **state)
{
	struct image_framer *fr;
	struct buf out = BUF_INIT;

	for (int f = IMAGE_TAP; f <= IMAGE_AWS; f++) {
		assert_int_equal(image_framer_new(f, &fr), 0);
		assert_int_equal(image_frame_record(fr, "", 0, &out), -EINVAL);
		assert_int_equal(image_frame_record(fr, "", TAPE_RECORD_MAX + 1ul, &out), -EINVAL);
		assert_int_equal(out.len, 0);
		image_framer_free(fr);
	}
}

static void what_is_framed_is_parsed_back(void **state)
{
	static const size_t lengths[] = {
		1, 2, 511, 512, 65534, 65535, 65536, 131070, 131071, 1000003, TAPE_RECORD_MAX,
	};
	uint8_t *p = malloc(TAPE_RECORD_MAX);

	for (size_t i = 0; i < TAPE_RECORD_MAX; i++)
		p[i] = (uint8_t)(i * 2654435761u >> 24);
	for (int f = IMAGE_TAP; f <= IMAGE_AWS; f++) {
		struct objects o = { BUF_INIT };
		struct buf out = BUF_INIT, want = BUF_INIT;
		struct image_framer *fr;

		assert_int_equal(image_framer_new(f, &fr), 0);
		for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
			assert_int_equal(image_frame_record(fr, p, lengths[i], &out), 0);
			assert_int_equal(image_frame_mark(fr, &out), 0);
			if (lengths[i] <= 16)
				buf_printf(&want, "r%zu:%.*s m ", lengths[i], (int)lengths[i], (char *)p);
			else
				buf_printf(&want, "r%zu#%llx m ", lengths[i], (unsigned long long)sum64(p, lengths[i]));
		}
		assert_int_equal(objects_parse(&o, f, out.data, out.len, 70001), 0);
		assert_string_equal(objects_text(&o), (char *)want.data);
		image_framer_free(fr);
		buf_fini(&out);
		buf_fini(&want);
		buf_fini(&o.text);
	}
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tap_pads_odd_records),
		cmocka_unit_test(tap_ends_without_a_word),
		cmocka_unit_test(aws_blocks_know_the_one_before),
		cmocka_unit_test(aws_without_a_mark_at_its_end_gets_two),
		cmocka_unit_test(a_long_record_becomes_several_blocks),
		cmocka_unit_test(lengths_that_no_tape_has_are_refused),
		cmocka_unit_test(what_is_framed_is_parsed_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
