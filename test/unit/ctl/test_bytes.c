/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_bytes.c: names that need not be UTF-8, in JSON and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <vtape/ctl.h>

static void check(const char *bytes, const char *shown, bool raw)
{
	json_t *o = json_object();
	struct buf back = BUF_INIT, message = BUF_INIT;

	assert_int_equal(ctl_put_bytes(o, "path", "raw", bytes), 0);
	assert_string_equal(json_string_value(json_object_get(o, "path")), shown);
	assert_int_equal(json_object_get(o, "raw") != NULL, raw);
	assert_int_equal(ctl_encode(o, &message), 0);
	assert_int_equal(ctl_get_bytes(o, "path", "raw", &back), 0);
	assert_string_equal((char *)back.data, bytes);
	assert_int_equal(back.len, strlen(bytes));
	buf_fini(&message);
	buf_fini(&back);
	json_decref(o);
}

static void any_bytes_come_back_as_they_were(void **state)
{
	check("", "", false);
	check("etc/passwd", "etc/passwd", false);
	check("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\n", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\n", false);
	check("a\xff", "a?", true);
	check("\xc3", "?", true);			/* cut off */
	check("\xc0\xaf", "??", true);			/* longer than need be */
	check("\xed\xa0\x80", "???", true);		/* half of a pair */
	check("\xf4\x90\x80\x80", "????", true);	/* beyond the last */
	check("\x80x\xfe", "?x?", true);
}

static void hex_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = { "6", "6g", "00", "6100", "ZZ" };
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *o = json_pack("{s:s}", "raw", bad[i]);
		assert_int_equal(ctl_get_bytes(o, "path", "raw", &out), -EINVAL);
		json_decref(o);
	}
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_come_back_as_they_were),
		cmocka_unit_test(hex_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
