/* SPDX-License-Identifier: BSD-2-Clause */
#include "catalog_fixture.h"

static struct catalog_hook some_hook(const char *name)
{
	struct catalog_hook h = { .least = EVENT_WARNING, .timeout_s = 60, .events = "clash,no-space",
				  .program = "/bin/true -x y" };

	snprintf(h.name, sizeof(h.name), "%s", name);
	return h;
}

static void a_hook_is_kept_over_a_restart(void **state)
{
	struct catalog_hook h = some_hook("mail"), got;

	h.off = true;
	assert_int_equal(catalog_hook_put(cat_of(state), &h), 0);
	restart(state, true);
	assert_int_equal(catalog_hook_get(cat_of(state), "mail", &got), 0);
	assert_string_equal(got.name, "mail");
	assert_string_equal(got.program, h.program);
	assert_string_equal(got.events, h.events);
	assert_int_equal(got.least, EVENT_WARNING);
	assert_int_equal(got.timeout_s, 60);
	assert_true(got.off);
	assert_int_equal(catalog_hook_remove(cat_of(state), "mail"), 0);
	assert_int_equal(catalog_hook_get(cat_of(state), "mail", &got), CATALOG_E_NONE);
	assert_int_equal(catalog_hook_remove(cat_of(state), "mail"), CATALOG_E_NONE);
}

static void the_longest_hook_fits_its_row(void **state)
{
	struct catalog_hook h = some_hook("mail"), got;

	memset(h.program + 1, 'x', sizeof(h.program) - 2);
	h.program[sizeof(h.program) - 1] = '\0';
	while (strlen(h.events) + 10 < sizeof(h.events))
		strcat(h.events, ",no-space");
	assert_int_equal(catalog_hook_put(cat_of(state), &h), 0);
	assert_int_equal(catalog_hook_get(cat_of(state), "mail", &got), 0);
	assert_string_equal(got.program, h.program);
	assert_string_equal(got.events, h.events);
}

static void what_cannot_be_a_hook_is_refused(void **state)
{
	struct catalog_hook h;

	h = some_hook("a b");
	assert_int_equal(catalog_hook_put(cat_of(state), &h), -EINVAL);
	h = some_hook("a");
	strcpy(h.program, "bin/true");
	assert_int_equal(catalog_hook_put(cat_of(state), &h), -EINVAL);
	h = some_hook("a");
	h.timeout_s = 0;
	assert_int_equal(catalog_hook_put(cat_of(state), &h), -EINVAL);
	h.timeout_s = CATALOG_HOOK_TIMEOUT_MAX_S + 1;
	assert_int_equal(catalog_hook_put(cat_of(state), &h), -EINVAL);
	for (const char **p = (const char *[]){ "clahs", "clash,", ",clash", "clash,,clock", "clash clock", NULL }; *p; p++) {
		h = some_hook("a");
		strcpy(h.events, *p);
		assert_int_equal(catalog_hook_put(cat_of(state), &h), -EINVAL);
	}
	assert_int_equal(raw_count(state, 'H'), 0);
}

static bool wants(struct catalog_hook h, unsigned number, enum event_severity severity)
{
	struct catalog_event e = { .number = (uint16_t)number, .severity = severity };

	return catalog_hook_wants(&h, &e);
}

static void a_hook_wants_what_it_was_set_for(void **state)
{
	struct catalog_hook h = some_hook("a");

	assert_true(wants(h, EVENT_CLASH, EVENT_ERROR));
	assert_true(wants(h, EVENT_NO_SPACE, EVENT_WARNING));
	assert_false(wants(h, EVENT_NO_SPACE, EVENT_INFO));
	assert_false(wants(h, EVENT_CLOCK, EVENT_ERROR));
	h.events[0] = '\0';
	assert_true(wants(h, EVENT_CLOCK, EVENT_ERROR));
	h.off = true;
	assert_false(wants(h, EVENT_CLOCK, EVENT_ERROR));
}

static void no_hook_wants_the_failure_of_a_hook(void **state)
{
	struct catalog_hook h = some_hook("a");

	strcpy(h.events, "hook-failed");
	assert_false(wants(h, EVENT_HOOK_FAILED, EVENT_ERROR));
	h.events[0] = '\0';
	assert_false(wants(h, EVENT_HOOK_FAILED, EVENT_ERROR));
}

static int count(void *ctx, const struct catalog_hook *h)
{
	++*(unsigned *)ctx;
	return 0;
}

static void a_damaged_row_hides_no_other_hook_and_is_told(void **state)
{
	struct catalog_check_config cfg = { .repair = true };
	struct catalog_hook h = some_hook("b"), got;
	struct row_key key = key_hook("a");
	struct catalog_checked done;
	unsigned n = 0;

	assert_int_equal(catalog_hook_put(cat_of(state), &h), 0);
	raw_put(state, &key, "\1rubbish", 8);
	assert_int_equal(catalog_hook_each(cat_of(state), count, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(catalog_hook_get(cat_of(state), "a", &got), -EUCLEAN);
	assert_int_equal(catalog_check(cat_of(state), &cfg, &done), 0);
	assert_int_equal(done.faults, 1);
	assert_int_equal(done.repaired, 1);
	assert_int_equal(catalog_hook_get(cat_of(state), "a", &got), CATALOG_E_NONE);
	assert_int_equal(catalog_hook_get(cat_of(state), "b", &got), 0);
}

static void there_is_an_end_to_hooks(void **state)
{
	char name[16];

	for (unsigned i = 0; i <= CATALOG_HOOKS_MAX; i++) {
		snprintf(name, sizeof(name), "h%u", i);
		struct catalog_hook h = some_hook(name);
		assert_int_equal(catalog_hook_put(cat_of(state), &h), i < CATALOG_HOOKS_MAX ? 0 : -ENOSPC);
	}
	struct catalog_hook again = some_hook("h0");
	assert_int_equal(catalog_hook_put(cat_of(state), &again), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CATALOG(a_hook_is_kept_over_a_restart),
		ON_CATALOG(the_longest_hook_fits_its_row),
		ON_CATALOG(what_cannot_be_a_hook_is_refused),
		cmocka_unit_test(a_hook_wants_what_it_was_set_for),
		cmocka_unit_test(no_hook_wants_the_failure_of_a_hook),
		ON_CATALOG(a_damaged_row_hides_no_other_hook_and_is_told),
		ON_CATALOG(there_is_an_end_to_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
