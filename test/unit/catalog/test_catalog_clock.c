/* SPDX-License-Identifier: BSD-2-Clause */
/* The retention clock: what somebody who sets the wall clock, switches the machine off or stops the store gets from it. */
#include "catalog_fixture.h"

#define MINUTE_NS (60ull * 1000000000ull)
#define HOUR_NS (60ull * MINUTE_NS)
#define DAY_NS (24ull * HOUR_NS)
#define T0 (20000ull * DAY_NS)

static const uint8_t boot_a[16] = "boot a", boot_b[16] = "boot b";

/* What the machine and its clock on the wall say. */
static void machine(const uint8_t boot[16], uint64_t up_ns, uint64_t wall_ns)
{
	clock_boot_set(boot, up_ns);
	clock_set(wall_ns);
}

static int setup(void **state)
{
	machine(boot_a, HOUR_NS, T0);
	return fixture_setup(state);
}

static int teardown(void **state)
{
	int r = fixture_teardown(state);

	machine(NULL, 0, 0);
	clock_retention_set(0);
	return r;
}

/* The store is closed (or the power fails), and opened again when the machine says this. */
static void closed_until(void **state, bool crash, const uint8_t boot[16], uint64_t up_ns, uint64_t wall_ns)
{
	struct fixture *f = *state;
	struct kv *cut = NULL;

	if (crash)
		assert_int_equal(kv_mem_cut(f->kv, &cut), 0);
	f->cat = catalog_close(f->cat);
	if (crash) {
		kv_close(f->kv);
		f->kv = cut;
	}
	machine(boot, up_ns, wall_ns);
	assert_int_equal(catalog_open(f->kv, &f->cat), 0);
}

static void tick(void **state)
{
	assert_int_equal(catalog_clock_tick(cat_of(state)), 0);
}

/* A store that runs: a tick a minute. */
static void run(void **state, const uint8_t boot[16], uint64_t from_ns, uint64_t to_ns, int64_t wall_ahead_ns)
{
	for (uint64_t up = from_ns; up <= to_ns; up += MINUTE_NS) {
		machine(boot, up, T0 + up + (uint64_t)wall_ahead_ns);
		tick(state);
	}
}

static int count_clock(void *ctx, const struct catalog_event *e)
{
	*(unsigned *)ctx += e->number == EVENT_CLOCK;
	return 0;
}

static unsigned told(void **state)
{
	unsigned n = 0;

	assert_int_equal(catalog_event_each(cat_of(state), 0, count_clock, &n), 0);
	return n;
}

static void a_new_store_begins_at_the_wall_clock(void **state)
{
	assert_int_equal(clock_retention_ns(), T0);
	assert_int_equal(told(state), 0);
}

static void setting_the_wall_clock_changes_nothing_while_the_store_runs(void **state)
{
	run(state, boot_a, HOUR_NS, 2 * HOUR_NS, 0);
	assert_int_equal(clock_retention_ns(), T0 + HOUR_NS);
	run(state, boot_a, 2 * HOUR_NS, 3 * HOUR_NS, (int64_t)(400 * DAY_NS));
	assert_int_equal(clock_retention_ns(), T0 + 2 * HOUR_NS);
	run(state, boot_a, 3 * HOUR_NS, 4 * HOUR_NS, -(int64_t)(400 * DAY_NS));
	assert_int_equal(clock_retention_ns(), T0 + 3 * HOUR_NS);
}

static void setting_it_while_the_store_is_closed_changes_nothing_either(void **state)
{
	closed_until(state, false, boot_a, 2 * HOUR_NS, T0 + 400 * DAY_NS);
	assert_int_equal(clock_retention_ns(), T0 + HOUR_NS);
	tick(state);
	closed_until(state, true, boot_a, 3 * HOUR_NS, T0 - 400 * DAY_NS);
	assert_int_equal(clock_retention_ns(), T0 + 2 * HOUR_NS);
}

/* The time between counts, however short the store is open. */
static void a_store_that_is_open_for_a_minute_a_day_keeps_time(void **state)
{
	for (uint64_t day = 1; day <= 30; day++) {
		closed_until(state, day % 2, boot_a, HOUR_NS + day * DAY_NS, T0 + day * DAY_NS);
		machine(boot_a, HOUR_NS + day * DAY_NS + MINUTE_NS, T0 + day * DAY_NS + MINUTE_NS);
		tick(state);
		assert_int_equal(clock_retention_ns(), T0 + day * DAY_NS + MINUTE_NS);
	}
	assert_int_equal(told(state), 0);
}

static void after_another_boot_it_goes_on_from_the_row_and_catches_up(void **state)
{
	/* Off for two days, minus the hours that it is up. */
	closed_until(state, false, boot_b, MINUTE_NS, T0 + 2 * DAY_NS);
	assert_int_equal(clock_retention_ns(), T0);
	for (uint64_t m = 2; m <= 61; m++) {
		machine(boot_b, m * MINUTE_NS, T0 + 2 * DAY_NS + (m - 1) * MINUTE_NS);
		tick(state);
		assert_int_equal(clock_retention_ns(), T0 + 24 * (m - 1) * MINUTE_NS);
	}
	for (uint64_t m = 62; m <= 200; m++) {
		machine(boot_b, m * MINUTE_NS, T0 + 2 * DAY_NS + (m - 1) * MINUTE_NS);
		tick(state);
	}
	assert_int_equal(clock_retention_ns(), clock_now_ns());
	/* Both agreed: from now on the wall clock is not asked until the next boot. */
	machine(boot_b, 201 * MINUTE_NS, T0 + 400 * DAY_NS);
	tick(state);
	assert_int_equal(clock_retention_ns(), T0 + 2 * DAY_NS + 200 * MINUTE_NS);
}

/* The attack that is left: another boot, the wall clock a year ahead.  A lock of 30 days lasts for more than a day. */
static void a_wrong_clock_at_the_boot_gains_at_most_24_times_the_time(void **state)
{
	closed_until(state, false, boot_b, MINUTE_NS, T0 + 365 * DAY_NS);
	for (uint64_t up = 2 * MINUTE_NS; up <= DAY_NS; up += MINUTE_NS) {
		machine(boot_b, up, T0 + 365 * DAY_NS + up);
		tick(state);
	}
	assert_true(clock_retention_ns() <= T0 + 24 * DAY_NS);
	assert_int_equal(told(state), 1);
	/* Closing and opening again gives no more: time while the store is closed is never multiplied. */
	closed_until(state, false, boot_b, 2 * DAY_NS, T0 + 366 * DAY_NS);
	assert_true(clock_retention_ns() <= T0 + 25 * DAY_NS);
	tick(state);
	assert_true(clock_retention_ns() <= T0 + 25 * DAY_NS);
}

static void a_clock_that_is_behind_after_a_boot_stops_nothing(void **state)
{
	closed_until(state, false, boot_b, MINUTE_NS, DAY_NS);	/* 1970 */
	assert_int_equal(clock_retention_ns(), T0);
	machine(boot_b, 2 * MINUTE_NS, DAY_NS);
	tick(state);
	assert_int_equal(clock_retention_ns(), T0 + MINUTE_NS);
	assert_int_equal(told(state), 1);
	/* Then it is set: the time that the machine was off is made up for. */
	machine(boot_b, 3 * MINUTE_NS, T0 + 30 * MINUTE_NS);
	tick(state);
	assert_int_equal(clock_retention_ns(), T0 + 25 * MINUTE_NS);
	machine(boot_b, 4 * MINUTE_NS, T0 + 31 * MINUTE_NS);
	tick(state);
	assert_int_equal(clock_retention_ns(), T0 + 31 * MINUTE_NS);
}

/* A virtual machine that is put back to an earlier moment has the same boot, but not the time since. */
static void a_machine_that_is_put_back_does_not_turn_the_clock_back(void **state)
{
	run(state, boot_a, HOUR_NS, 5 * HOUR_NS, 0);
	closed_until(state, true, boot_a, 2 * HOUR_NS, T0 + HOUR_NS);
	assert_int_equal(clock_retention_ns(), T0 + 4 * HOUR_NS);
}

static void a_boot_that_has_no_name_is_another_one(void **state)
{
	const uint8_t none[16] = { 0 };

	closed_until(state, false, none, 2 * HOUR_NS, T0);
	assert_int_equal(clock_retention_ns(), T0);
	closed_until(state, true, none, 9 * HOUR_NS, T0);
	assert_int_equal(clock_retention_ns(), T0);
}

static void a_wall_clock_that_is_far_away_is_told_once_a_finding(void **state)
{
	run(state, boot_a, HOUR_NS, HOUR_NS + 5 * MINUTE_NS, (int64_t)DAY_NS);
	assert_int_equal(told(state), 1);
	restart(state, true);
	run(state, boot_a, HOUR_NS + 6 * MINUTE_NS, HOUR_NS + 9 * MINUTE_NS, (int64_t)DAY_NS);
	assert_int_equal(told(state), 1);
	run(state, boot_a, HOUR_NS + 10 * MINUTE_NS, HOUR_NS + 11 * MINUTE_NS, -(int64_t)HOUR_NS);
	run(state, boot_a, HOUR_NS + 12 * MINUTE_NS, HOUR_NS + 13 * MINUTE_NS, -(int64_t)DAY_NS);
	assert_int_equal(told(state), 2);
}

static void a_damaged_row_is_told_and_stops_nothing(void **state)
{
	struct row_key key = key_clock();

	raw_put(state, &key, "xyz", 3);
	closed_until(state, true, boot_a, HOUR_NS + 1, T0 + 5 * DAY_NS);
	assert_int_equal(clock_retention_ns(), T0 + 5 * DAY_NS);
	assert_int_equal(told(state), 1);
}

/* ---- the catalog's own guard ------------------------------------------------------------------------------------ */

static void a_lock_that_lasts_is_not_shortened_by_an_old_copy_of_the_row(void **state)
{
	struct catalog_volume v, stale;
	struct catalog_pool p, stale_pool;
	uint64_t id = add_volume(state, default_pool(state), "A1");

	assert_int_equal(catalog_volume_by_id(cat_of(state), id, &stale), 0);
	v = stale;
	v.locked_until_ns = T0 + DAY_NS;
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), 0);
	assert_int_equal(catalog_volume_put(cat_of(state), &stale, NULL), 0);
	assert_int_equal(catalog_volume_by_id(cat_of(state), id, &v), 0);
	assert_int_equal(v.locked_until_ns, T0 + DAY_NS);

	assert_int_equal(catalog_pool_get(cat_of(state), "default", &stale_pool), 0);
	p = stale_pool;
	p.locked_until_ns = T0 + DAY_NS;
	assert_int_equal(catalog_pool_put(cat_of(state), &p), 0);
	assert_int_equal(catalog_pool_put(cat_of(state), &stale_pool), 0);
	assert_int_equal(catalog_pool_get(cat_of(state), "default", &p), 0);
	assert_int_equal(p.locked_until_ns, T0 + DAY_NS);
	/* Once it is over it may go. */
	clock_retention_set(T0 + DAY_NS);
	assert_int_equal(catalog_pool_put(cat_of(state), &stale_pool), 0);
	assert_int_equal(catalog_pool_get(cat_of(state), "default", &p), 0);
	assert_int_equal(p.locked_until_ns, 0);
}

#define ON_A_MACHINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_MACHINE(a_new_store_begins_at_the_wall_clock),
		ON_A_MACHINE(setting_the_wall_clock_changes_nothing_while_the_store_runs),
		ON_A_MACHINE(setting_it_while_the_store_is_closed_changes_nothing_either),
		ON_A_MACHINE(a_store_that_is_open_for_a_minute_a_day_keeps_time),
		ON_A_MACHINE(after_another_boot_it_goes_on_from_the_row_and_catches_up),
		ON_A_MACHINE(a_wrong_clock_at_the_boot_gains_at_most_24_times_the_time),
		ON_A_MACHINE(a_clock_that_is_behind_after_a_boot_stops_nothing),
		ON_A_MACHINE(a_machine_that_is_put_back_does_not_turn_the_clock_back),
		ON_A_MACHINE(a_boot_that_has_no_name_is_another_one),
		ON_A_MACHINE(a_wall_clock_that_is_far_away_is_told_once_a_finding),
		ON_A_MACHINE(a_damaged_row_is_told_and_stops_nothing),
		ON_A_MACHINE(a_lock_that_lasts_is_not_shortened_by_an_old_copy_of_the_row),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
