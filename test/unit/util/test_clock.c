/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>
#include <vtape/util.h>

static void the_wall_clock_stands_still_when_told(void **state)
{
	uint64_t real;

	clock_set(12345);
	assert_int_equal(clock_now_ns(), 12345);
	assert_int_equal(clock_now_ns(), 12345);
	clock_set(0);
	real = clock_now_ns();
	assert_true(real / 1000000000u + 2 >= (uint64_t)time(NULL));
	assert_true(real / 1000000000u <= (uint64_t)time(NULL) + 1);	/* time(2) reads a coarser clock */
}

static void the_other_clock_only_goes_forward(void **state)
{
	uint64_t last = clock_mono_ns();

	clock_set(1);
	for (int i = 0; i < 10000; i++) {
		uint64_t now = clock_mono_ns();

		assert_true(now >= last);
		last = now;
	}
	clock_set(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wall_clock_stands_still_when_told),
		cmocka_unit_test(the_other_clock_only_goes_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
