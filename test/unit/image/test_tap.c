/* SPDX-License-Identifier: BSD-2-Clause */
/* Any byte of a volume's .tap is the byte that writing it out would give. */
#include "tape.h"

static void check(struct image_tap *t, const struct buf *want, uint64_t offset, size_t n)
{
	uint8_t *got = malloc(n + 1);
	size_t len = 0, expect = offset < want->len ? want->len - offset : 0;

	if (expect > n)
		expect = n;
	assert_int_equal(image_tap_read(t, offset, got, n, &len), 0);
	if (len != expect || (len && memcmp(got, want->data + offset, len)))
		fail_msg("%zu bytes from %llu: got %zu, or others", n, (unsigned long long)offset, len);
	free(got);
}

static void any_byte_in_any_order(void **state)
{
	for (unsigned seed = 1; seed <= 6; seed++) {
		struct tape t;
		struct buf want = BUF_INIT;
		struct image_tap *tap;
		struct tape_tally end;
		uint64_t s = seed;
		bool eom = seed % 2;

		tape_up(&t, 0);
		tape_fill(&t, IMAGE_TAP, &want, seed);
		if (eom)
			buf_put_le32(&want, 0xffffffff);
		assert_int_equal(volume_end(t.v, 0, &end), 0);
		assert_int_equal(image_tap_size(&end, eom), want.len);
		assert_int_equal(image_tap_new(t.v, eom, &tap), 0);
		for (size_t piece = 1; piece <= 4096; piece = piece * 7 + 3)
			for (uint64_t at = 0; at < want.len + piece && at < 400 * piece; at += piece)
				check(tap, &want, at, piece);
		check(tap, &want, 0, want.len + 100);
		for (int i = 0; i < 1000; i++)
			check(tap, &want, chance_below(&s, want.len + 20), 1 + chance_below(&s, 9000));
		image_tap_free(tap);
		buf_fini(&want);
		tape_down(&t);
	}
}

static void every_byte_alone(void **state)
{
	struct tape t;
	struct buf want = BUF_INIT;
	struct image_framer *fr;
	struct image_tap *tap;

	tape_up(&t, 0);
	assert_int_equal(image_framer_new(IMAGE_TAP, &fr), 0);
	add_mark(&t, fr, &want);
	add_record(&t, fr, &want, 1, 1);
	add_record(&t, fr, &want, 1, 2);
	add_record(&t, fr, &want, 2, 3);
	add_mark(&t, fr, &want);
	add_mark(&t, fr, &want);
	add_record(&t, fr, &want, 5, 4);
	buf_put_le32(&want, 0xffffffff);
	assert_int_equal(image_tap_new(t.v, true, &tap), 0);
	for (size_t n = 1; n <= 6; n++) {
		for (size_t i = 0; i <= want.len + 1; i++)
			check(tap, &want, i, n);
		for (size_t i = want.len + 2; i > 0; i--)
			check(tap, &want, i - 1, n);
	}
	image_tap_free(tap);
	image_framer_free(fr);
	buf_fini(&want);
	tape_down(&t);
}

static void a_blank_tape_has_an_empty_image(void **state)
{
	struct tape t;
	struct buf want = BUF_INIT;
	struct image_tap *tap;

	tape_up(&t, 0);
	assert_int_equal(image_tap_new(t.v, false, &tap), 0);
	check(tap, &want, 0, 100);
	check(tap, &want, 1000, 100);
	image_tap_free(tap);
	buf_put_le32(&want, 0xffffffff);
	assert_int_equal(image_tap_new(t.v, true, &tap), 0);
	check(tap, &want, 0, 100);
	check(tap, &want, 2, 1);
	image_tap_free(tap);
	buf_fini(&want);
	tape_down(&t);
}

/* Where a reader stands when the tape under it is written over is forgotten. */
static void a_tape_written_over_is_read_anew(void **state)
{
	struct tape t;
	struct buf want = BUF_INIT;
	struct image_framer *fr;
	struct image_tap *tap;

	tape_up(&t, 0);
	assert_int_equal(image_framer_new(IMAGE_TAP, &fr), 0);
	for (unsigned i = 0; i < 10; i++)
		add_record(&t, fr, &want, 100, i);
	assert_int_equal(volume_commit(t.v), 0);
	assert_int_equal(image_tap_new(t.v, false, &tap), 0);
	check(tap, &want, 0, 550);
	assert_int_equal(volume_truncate(t.v, 0, 2), 0);
	want.len = 2 * 108;
	for (unsigned i = 0; i < 10; i++)
		add_record(&t, fr, &want, 61, 100 + i);
	check(tap, &want, 550, 300);
	check(tap, &want, 0, 5000);
	assert_int_equal(volume_truncate(t.v, 0, 0), 0);
	want.len = 0;
	check(tap, &want, 300, 10);
	image_tap_free(tap);
	image_framer_free(fr);
	buf_fini(&want);
	tape_down(&t);
}

static void the_longest_record_is_read_in_pieces(void **state)
{
	struct tape t;
	struct buf want = BUF_INIT;
	struct image_framer *fr;
	struct image_tap *tap;

	tape_up(&t, 0);
	assert_int_equal(image_framer_new(IMAGE_TAP, &fr), 0);
	add_record(&t, fr, &want, TAPE_RECORD_MAX, 1);
	add_record(&t, fr, &want, 3, 2);
	assert_int_equal(image_tap_new(t.v, false, &tap), 0);
	for (uint64_t at = 0; at < want.len; at += 999983)
		check(tap, &want, at, 999983);
	check(tap, &want, want.len - 30, 30);
	image_tap_free(tap);
	image_framer_free(fr);
	buf_fini(&want);
	tape_down(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_byte_in_any_order),
		cmocka_unit_test(every_byte_alone),
		cmocka_unit_test(a_blank_tape_has_an_empty_image),
		cmocka_unit_test(a_tape_written_over_is_read_anew),
		cmocka_unit_test(the_longest_record_is_read_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
