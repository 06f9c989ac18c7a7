/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit statuses: the promise of vtape(1), "EXIT STATUS", to scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <vtape/ctl.h>

#include <errno.h>

static void statuses_are_those_of_the_manual(void **state)
{
	assert_int_equal(ctl_exit_status(0), 0);
	assert_int_equal(ctl_exit_status(-EINVAL), 2);
	assert_int_equal(ctl_exit_status(-ENOENT), 3);
	assert_int_equal(ctl_exit_status(-EBUSY), 4);
	assert_int_equal(ctl_exit_status(-EEXIST), 4);
	assert_int_equal(ctl_exit_status(-EROFS), 5);
	assert_int_equal(ctl_exit_status(-EPERM), 5);
	assert_int_equal(ctl_exit_status(-EACCES), 5);
	assert_int_equal(ctl_exit_status(-ENOSPC), 6);
	assert_int_equal(ctl_exit_status(-EBADMSG), 7);
	assert_int_equal(ctl_exit_status(-EUCLEAN), 7);
}

static void every_other_failure_is_1(void **state)
{
	for (int e = 1; e < 4096; e++)
		assert_in_range(ctl_exit_status(-e), 1, 7);
	assert_int_equal(ctl_exit_status(-EIO), 1);
	assert_int_equal(ctl_exit_status(-4000), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses_are_those_of_the_manual),
		cmocka_unit_test(every_other_failure_is_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
