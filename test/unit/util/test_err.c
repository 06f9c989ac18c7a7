/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <vtape/util.h>

static void without_words_the_text_is_the_error_s_name(void **state)
{
	err_clear();
	assert_string_equal(err_text(-ENOENT), "No such file or directory");
	assert_int_equal(err_origin(-EIO), -EIO);
	assert_string_equal(err_text(-EIO), "Input/output error");
}

static void words_stay_until_another_failure(void **state)
{
	assert_int_equal(err_explain(-EIO, "volume %s: block %d", "A1", 7), -EIO);
	assert_string_equal(err_text(-EIO), "volume A1: block 7");
	/* On the way up nobody says less. */
	assert_int_equal(err_origin(-EIO), -EIO);
	assert_string_equal(err_text(-EIO), "volume A1: block 7");
	/* Words for one failure are not shown for another. */
	assert_string_equal(err_text(-ENOENT), "No such file or directory");
	assert_int_equal(err_origin(-EPERM), -EPERM);
	assert_string_equal(err_text(-EPERM), "Operation not permitted");
	err_clear();
	assert_string_equal(err_text(-EPERM), "Operation not permitted");
}

static void words_may_build_on_the_words_before(void **state)
{
	err_explain(-EIO, "disk gone");
	err_explain(-EIO, "volume A1: %s", err_text(-EIO));
	assert_string_equal(err_text(-EIO), "volume A1: disk gone");
}

static void words_that_are_too_long_are_cut(void **state)
{
	err_explain(-EIO, "%2000d", 1);
	assert_int_equal(strlen(err_text(-EIO)), 511);
}

static void a_condition_that_cannot_happen_becomes_fatal(void **state)
{
	assert_int_equal(err_fold(0), 0);
	assert_int_equal(err_fold(-EIO), -EIO);
	assert_int_equal(err_fold(3), -ENOTRECOVERABLE);
	assert_non_null(strstr(err_text(-ENOTRECOVERABLE), "condition 3"));
}

static void errno_is_left_alone(void **state)
{
	errno = EXDEV;
	err_origin(-EIO);
	err_explain(-EIO, "words");
	assert_int_equal(errno, EXDEV);
}

static void *other_thread(void *arg)
{
	err_explain(-EIO, "the other's");
	return NULL;
}

static void each_thread_has_its_own_words(void **state)
{
	pthread_t t;

	err_explain(-EIO, "mine");
	pthread_create(&t, NULL, other_thread, NULL);
	pthread_join(t, NULL);
	assert_string_equal(err_text(-EIO), "mine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_words_the_text_is_the_error_s_name),
		cmocka_unit_test(words_stay_until_another_failure),
		cmocka_unit_test(words_may_build_on_the_words_before),
		cmocka_unit_test(words_that_are_too_long_are_cut),
		cmocka_unit_test(a_condition_that_cannot_happen_becomes_fatal),
		cmocka_unit_test(errno_is_left_alone),
		cmocka_unit_test(each_thread_has_its_own_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
