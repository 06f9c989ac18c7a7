/* SPDX-License-Identifier: BSD-2-Clause */
/* sumset.c: what was added is there, what was not is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <vtape/util.h>

static void what_was_added_is_there(void **state)
{
	struct sumset s = { 0 };
	bool was;

	assert_false(sumset_has(&s, 7));
	for (uint64_t i = 0; i < 100000; i++) {
		assert_int_equal(sumset_add(&s, i * 1024, &was), 0);
		assert_false(was && i > 0);
	}
	for (uint64_t i = 1; i < 100000; i++) {
		assert_true(sumset_has(&s, i * 1024));
		assert_false(sumset_has(&s, i * 1024 + 3));
	}
	assert_int_equal(sumset_add(&s, 1024, &was), 0);
	assert_true(was);
	sumset_fini(&s);
	assert_false(sumset_has(&s, 1024));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_added_is_there) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
