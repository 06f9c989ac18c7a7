/* SPDX-License-Identifier: BSD-2-Clause */
#include "catalog_fixture.h"

struct seen {
	struct catalog_event first, last;
	uint64_t count, stop_at;
};

static int see(void *ctx, const struct catalog_event *e)
{
	struct seen *s = ctx;

	if (!s->count++)
		s->first = *e;
	else if (e->seq <= s->last.seq)
		return -EINVAL;
	s->last = *e;
	return e->seq == s->stop_at ? 42 : 0;
}

static struct seen see_from(void **state, uint64_t since)
{
	struct seen s = { .count = 0 };

	assert_int_equal(catalog_event_each(cat_of(state), since, see, &s), 0);
	return s;
}

static void an_event_is_numbered_and_kept(void **state)
{
	struct seen s;

	assert_int_equal(catalog_event_last(cat_of(state)), 0);
	clock_set(99);
	catalog_event(cat_of(state), EVENT_LOADED, "default/A1", "volume %s in %s", "A1", "nst0");
	catalog_event(cat_of(state), EVENT_RECOVERED, NULL, "after a crash");
	clock_set(0);
	assert_int_equal(catalog_event_last(cat_of(state)), 2);
	s = see_from(state, 0);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.first.seq, 1);
	assert_int_equal(s.first.time_ns, 99);
	assert_int_equal(s.first.number, EVENT_LOADED);
	assert_int_equal(s.first.severity, EVENT_INFO);
	assert_string_equal(s.first.about, "default/A1");
	assert_string_equal(s.first.text, "volume A1 in nst0");
	assert_int_equal(s.last.severity, EVENT_WARNING);
	assert_string_equal(s.last.about, "");
	assert_int_equal(see_from(state, 2).count, 1);
	assert_int_equal(see_from(state, 3).count, 0);
}

static void a_walk_over_events_can_be_stopped(void **state)
{
	struct seen s = { .stop_at = 3 };

	for (int i = 0; i < 5; i++)
		catalog_event(cat_of(state), EVENT_LOADED, "", "%d", i);
	assert_int_equal(catalog_event_each(cat_of(state), 2, see, &s), 42);
	assert_int_equal(s.count, 2);
}

static void a_text_too_long_is_cut(void **state)
{
	struct seen s;

	catalog_event(cat_of(state), EVENT_LOADED, "", "%1000d", 1);
	s = see_from(state, 0);
	assert_int_equal(s.count, 1);
	assert_int_equal(strlen(s.last.text), sizeof(s.last.text) - 1);
}

static void numbers_go_on_after_an_orderly_end(void **state)
{
	catalog_event(cat_of(state), EVENT_LOADED, "", "1");
	restart(state, false);
	assert_int_equal(catalog_event_last(cat_of(state)), 1);
	catalog_event(cat_of(state), EVENT_LOADED, "", "2");
	assert_int_equal(catalog_event_last(cat_of(state)), 2);
	assert_int_equal(see_from(state, 0).count, 2);
}

/* Lost events leave a gap: a reader who had seen them misses none of those that follow. */
static void a_number_is_never_used_again_after_a_crash(void **state)
{
	uint64_t last;

	for (int i = 0; i < 10; i++)
		catalog_event(cat_of(state), EVENT_LOADED, "", "%d", i);
	last = catalog_event_last(cat_of(state));
	restart(state, true);
	assert_true(see_from(state, 0).count < 10);
	catalog_event(cat_of(state), EVENT_LOADED, "", "after");
	assert_true(catalog_event_last(cat_of(state)) > last);
	assert_int_equal(see_from(state, last + 1).count, 1);
}

static void an_event_that_cannot_be_stored_is_no_error(void **state)
{
	catalog_event(cat_of(state), EVENT_LOADED, "", "1");
	kv_mem_plan_fault(kv_of(state), 1, -ENOSPC);
	log_set_level(LOG_LEVEL_ERROR);
	catalog_event(cat_of(state), EVENT_LOADED, "", "2");
	log_set_level(LOG_LEVEL_WARN);
	assert_int_equal(catalog_event_last(cat_of(state)), 1);
	catalog_event(cat_of(state), EVENT_LOADED, "", "3");
	assert_int_equal(catalog_event_last(cat_of(state)), 3);
	assert_int_equal(see_from(state, 0).count, 2);
}

static void hear(void *ctx, const struct catalog_event *e)
{
	struct seen *s = ctx;

	s->count++;
	s->last = *e;
}

static void who_listens_hears_of_each_also_of_one_that_is_not_stored(void **state)
{
	struct seen s = { .count = 0 };

	catalog_event_listen(cat_of(state), hear, &s);
	catalog_event(cat_of(state), EVENT_LOADED, "nst0", "1");
	assert_int_equal(s.count, 1);
	assert_int_equal(s.last.seq, 1);
	assert_string_equal(s.last.about, "nst0");
	kv_mem_plan_fault(kv_of(state), 1, -ENOSPC);
	log_set_level(LOG_LEVEL_ERROR);
	catalog_event(cat_of(state), EVENT_UNLOADED, "nst0", "2");
	log_set_level(LOG_LEVEL_WARN);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.last.seq, 0);
	assert_int_equal(s.last.number, EVENT_UNLOADED);
	catalog_event_listen(cat_of(state), NULL, NULL);
	catalog_event(cat_of(state), EVENT_LOADED, "nst0", "3");
	assert_int_equal(s.count, 2);
}

#define KEPT 100000u

static void fill_to(void **state, uint64_t last)
{
	while (catalog_event_last(cat_of(state)) < last)
		catalog_event(cat_of(state), EVENT_LOADED, "", "x");
}

static void the_oldest_make_room(void **state)
{
	struct seen s;

	fill_to(state, KEPT);
	assert_int_equal(see_from(state, 0).count, KEPT);
	fill_to(state, KEPT + 5);
	s = see_from(state, 0);
	assert_int_equal(s.count, KEPT);
	assert_int_equal(s.first.seq, 6);

	/* A crash jumps over numbers; nothing that should be gone stays. */
	restart(state, true);
	catalog_event(cat_of(state), EVENT_LOADED, "", "after");
	s = see_from(state, 0);
	assert_int_equal(s.last.seq, catalog_event_last(cat_of(state)));
	assert_true(s.last.seq > KEPT + 5);
	assert_true(s.first.seq > s.last.seq - KEPT);
}

static void every_number_has_a_name(void **state)
{
	static const unsigned numbers[] = {
		EVENT_STORE_CREATED, EVENT_MOUNTED, EVENT_UNMOUNTED, EVENT_RECOVERED, EVENT_POOL_CREATED,
		EVENT_POOL_CHANGED, EVENT_POOL_DESTROYED, EVENT_VOLUME_CREATED, EVENT_VOLUME_CHANGED,
		EVENT_VOLUME_ERASED, EVENT_VOLUME_DELETED, EVENT_VOLUME_MOVED, EVENT_VOLUME_OVERWRITTEN,
		EVENT_VOLUME_IMPORTED, EVENT_VOLUME_REPLACED, EVENT_LOADED, EVENT_UNLOADED, EVENT_SCSI_FAILED, EVENT_WRITE_FAILED,
		EVENT_CHUNK_DAMAGED, EVENT_NO_SPACE, EVENT_SPACE_FREED,
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		assert_string_not_equal(event_name(numbers[i]), "unknown");
	assert_string_equal(event_name(1), "unknown");
	assert_string_equal(event_severity_name(EVENT_WARNING), "warning");
	assert_string_equal(event_severity_name((enum event_severity)77), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CATALOG(an_event_is_numbered_and_kept),
		ON_CATALOG(a_walk_over_events_can_be_stopped),
		ON_CATALOG(a_text_too_long_is_cut),
		ON_CATALOG(numbers_go_on_after_an_orderly_end),
		ON_CATALOG(a_number_is_never_used_again_after_a_crash),
		ON_CATALOG(an_event_that_cannot_be_stored_is_no_error),
		ON_CATALOG(who_listens_hears_of_each_also_of_one_that_is_not_stored),
		ON_CATALOG(the_oldest_make_room),
		cmocka_unit_test(every_number_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
