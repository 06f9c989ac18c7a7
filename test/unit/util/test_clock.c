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

static void the_retention_clock_runs_with_the_machine(void **state)
{
	const uint8_t boot[16] = "some boot";

	clock_set(12345);
	assert_int_equal(clock_retention_ns(), 12345);	/* until it is set */
	clock_boot_set(boot, 1000);
	clock_retention_set(777);
	assert_int_equal(clock_retention_ns(), 777);
	clock_set(99999999);
	assert_int_equal(clock_retention_ns(), 777);
	clock_boot_set(boot, 1500);
	assert_int_equal(clock_retention_ns(), 1277);
	clock_retention_set(0);
	assert_int_equal(clock_retention_ns(), 99999999);
	clock_boot_set(NULL, 0);
	clock_set(0);
}

static void a_boot_has_a_name(void **state)
{
	const uint8_t none[16] = { 0 }, boot[16] = "some boot";
	uint8_t a[16], b[16];

	assert_true(clock_boot_id(a));
	assert_true(clock_boot_id(b));
	assert_memory_equal(a, b, 16);
	assert_memory_not_equal(a, none, 16);
	clock_boot_set(boot, 1);
	assert_true(clock_boot_id(a));
	assert_memory_equal(a, boot, 16);
	clock_boot_set(NULL, 0);
	assert_true(clock_boot_id(a));
	assert_memory_equal(a, b, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wall_clock_stands_still_when_told),
		cmocka_unit_test(the_other_clock_only_goes_forward),
		cmocka_unit_test(the_retention_clock_runs_with_the_machine),
		cmocka_unit_test(a_boot_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
