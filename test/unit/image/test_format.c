/* SPDX-License-Identifier: BSD-2-Clause */
/* Which format it is: by word, by name, by bytes. */
#include <errno.h>

#include "objects.h"

static void words_are_known_or_refused(void **state)
{
	enum image_format f;

	assert_int_equal(image_format_parse("aws", &f), 0);
	assert_int_equal(f, IMAGE_AWS);
	assert_int_equal(image_format_parse("tap", &f), 0);
	assert_int_equal(f, IMAGE_TAP);
	assert_int_equal(image_format_parse("het", &f), -EINVAL);
	assert_non_null(strstr(err_text(-EINVAL), "het"));
	assert_string_equal(image_format_name(IMAGE_TAP), "tap");
	assert_string_equal(image_format_name(IMAGE_AWS), "aws");
}

static void the_suffix_decides(void **state)
{
	static const uint8_t aws[] = { 1, 0, 0, 0, 0xa0, 0, 'x', 0, 0, 1, 0, 0x40, 0 };

	assert_int_equal(image_guess(aws, sizeof(aws), "x.tap"), IMAGE_TAP);
	assert_int_equal(image_guess("", 0, "dir.tap/X.AWS"), IMAGE_AWS);
	assert_int_equal(image_guess("", 0, "x.het"), IMAGE_AWS);
	assert_int_equal(image_guess("", 0, "tap"), IMAGE_TAP);
}

static void bytes_decide_where_the_name_does_not(void **state)
{
	static const uint8_t aws[] = { 80, 0, 0, 0, 0xa0, 0, 'V', 'O' }, mark[] = { 0, 0, 0, 0, 0x40, 0, 0, 0 };
	static const uint8_t tap[] = { 80, 0, 0, 0, 'V', 'O', 'L', '1' }, tap_mark[] = { 0, 0, 0, 0, 80, 0, 0, 0 };
	/* Data that looks like flags, but the chain of a .tap goes on. */
	static const uint8_t tricky[] = { 2, 0, 0, 0, 0xa0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 'x', 'y', 2, 0, 0, 0 };

	assert_int_equal(image_guess(aws, 8, NULL), IMAGE_AWS);
	assert_int_equal(image_guess(mark, 8, "x.img"), IMAGE_AWS);
	assert_int_equal(image_guess(tap, 8, NULL), IMAGE_TAP);
	assert_int_equal(image_guess(tap_mark, 8, NULL), IMAGE_TAP);
	assert_int_equal(image_guess(tricky, sizeof(tricky), NULL), IMAGE_TAP);
	assert_int_equal(image_guess("", 0, NULL), IMAGE_TAP);
	for (size_t n = 0; n < 8; n++)
		image_guess(aws, n, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_known_or_refused),
		cmocka_unit_test(the_suffix_decides),
		cmocka_unit_test(bytes_decide_where_the_name_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
