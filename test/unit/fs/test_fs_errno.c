/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <vtape/catalog.h>
#include <vtape/tape.h>

#include "fs/fs_errno.h"

static void conditions_of_a_tape_are_what_st_gives(void **state)
{
	assert_int_equal(fs_errno(0), 0);
	assert_int_equal(fs_errno(TAPE_E_EARLY_WARNING), 0);
	assert_int_equal(fs_errno(TAPE_E_EOD), -EIO);
	assert_int_equal(fs_errno(TAPE_E_BOP), -EIO);
	assert_int_equal(fs_errno(TAPE_E_FILEMARK), -EIO);
	assert_int_equal(fs_errno(TAPE_E_FULL), -ENOSPC);
	assert_int_equal(fs_errno(TAPE_E_LENGTH), -ENOMEM);
	assert_int_equal(fs_errno(TAPE_E_PROTECTED), -EACCES);
	assert_int_equal(fs_errno(TAPE_E_NO_MEDIUM), -ENOMEDIUM);
}

static void what_only_means_something_inside_is_eio(void **state)
{
	assert_int_equal(fs_errno(-EBADMSG), -EIO);
	assert_int_equal(fs_errno(-EUCLEAN), -EIO);
	assert_int_equal(fs_errno(-ENOTRECOVERABLE), -EIO);
	assert_int_equal(fs_errno(4711), -EIO);
}

static void what_a_person_can_mend_passes(void **state)
{
	assert_int_equal(fs_errno(-EBUSY), -EBUSY);
	assert_int_equal(fs_errno(-EROFS), -EROFS);
	assert_int_equal(fs_errno(-EPERM), -EPERM);	/* WORM, or a lock */
	assert_int_equal(fs_errno(-ENOSPC), -ENOSPC);
}

static void the_catalog_has_a_table_of_its_own(void **state)
{
	assert_int_equal(fs_errno_catalog(CATALOG_E_NONE), -ENOENT);
	assert_int_equal(fs_errno_catalog(CATALOG_E_EXISTS), -EEXIST);
	assert_int_equal(fs_errno_catalog(CATALOG_E_NOT_EMPTY), -ENOTEMPTY);
	assert_int_equal(fs_errno_catalog(-EBADMSG), -EIO);
	assert_int_equal(fs_errno_catalog(99), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions_of_a_tape_are_what_st_gives),
		cmocka_unit_test(what_only_means_something_inside_is_eio),
		cmocka_unit_test(what_a_person_can_mend_passes),
		cmocka_unit_test(the_catalog_has_a_table_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
