/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices where there is no kernel that has them; with one they are tried in the virtual machine (vm/scsi-restart.sh). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>

#include <vtape/tcmu.h>

static int never(void *ctx, void *memory, size_t len, struct scsi_unit **out)
{
	fail_msg("a unit is made for nothing");
	return 0;
}

static void a_backstore_that_does_not_come_is_waited_for_and_told(void **state)
{
	const struct tcmu_device_config cfg = { .name = "vtape-never", .memory_path = "/tmp/vtape-test-never",
						.memory_len = SCSI_MEMORY_MIN };
	struct tcmu_device *d = NULL;
	uint64_t began = clock_mono_ns();

	assert_int_equal(tcmu_device_start(&cfg, 200, never, NULL, &d), -ENODEV);
	assert_non_null(strstr(err_text(-ENODEV), "user_0/vtape-never"));
	assert_true(clock_mono_ns() - began >= 200000000);
	assert_null(d);
	assert_int_equal(access(cfg.memory_path, F_OK), -1);
}

static void nothing_is_stopped(void **state)
{
	assert_null(tcmu_device_stop(NULL, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backstore_that_does_not_come_is_waited_for_and_told),
		cmocka_unit_test(nothing_is_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
