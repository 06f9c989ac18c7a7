/* SPDX-License-Identifier: BSD-2-Clause */
/* The store's own properties, and where walks stand. */
#include "catalog_fixture.h"

static void assert_word(const struct catalog_store *s, const char *prop, const char *want)
{
	struct buf text = BUF_INIT;

	assert_int_equal(catalog_store_prop_get(s, prop, &text), 0);
	assert_string_equal((const char *)text.data, want);
	buf_fini(&text);
}

static void a_store_has_properties_before_any_is_set(void **state)
{
	struct catalog_store s;

	assert_int_equal(catalog_store_get(cat_of(state), &s), 0);
	assert_word(&s, "scrub-every", "30d");
	assert_word(&s, "scrub-rate", "32M");
	assert_word(&s, "gc-rate", "64M");
	assert_word(&s, "gc-live", "70");
	assert_word(&s, "gc", "on");
}

static void what_is_set_stays_and_what_is_shown_can_be_set(void **state)
{
	static const char *const good[][2] = {
		{ "scrub-every", "0" }, { "scrub-every", "12h" }, { "scrub-rate", "1M" }, { "gc-rate", "0" },
		{ "gc-rate", "2G" }, { "gc-live", "0" }, { "gc-live", "100" }, { "gc", "off" }, { "gc", "on" },
	};
	static const char *const bad[][2] = {
		{ "scrub-every", "often" }, { "scrub-rate", "0" }, { "scrub-rate", "1K" }, { "gc-rate", "1" },
		{ "gc", "maybe" }, { "gc-live", "101" }, { "gc-live", "" }, { "gc-live", "-1" }, { "gc-live", "7x" },
	};
	struct catalog_store s;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(catalog_store_get(cat_of(state), &s), 0);
		assert_int_equal(catalog_store_prop_set(&s, good[i][0], good[i][1]), 0);
		assert_int_equal(catalog_store_put(cat_of(state), &s), 0);
		restart(state, true);
		assert_int_equal(catalog_store_get(cat_of(state), &s), 0);
		assert_word(&s, good[i][0], good[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(catalog_store_prop_set(&s, bad[i][0], bad[i][1]), -EINVAL);
		assert_non_null(strstr(err_text(-EINVAL), bad[i][0]));
	}
	assert_int_equal(catalog_store_prop_set(&s, "colour", "red"), -ENOENT);
}

static void every_property_is_shown(void **state)
{
	const struct catalog_prop *props;
	struct catalog_store s;
	size_t n;

	assert_int_equal(catalog_store_get(cat_of(state), &s), 0);
	props = catalog_store_props(&n);
	assert_int_equal(n, 5);
	for (size_t i = 0; i < n; i++) {
		struct buf text = BUF_INIT;

		assert_int_equal(catalog_store_prop_get(&s, props[i].name, &text), 0);
		assert_int_equal(catalog_store_prop_set(&s, props[i].name, (const char *)text.data), 0);
		buf_fini(&text);
	}
}

static void where_a_walk_stands_survives_a_crash(void **state)
{
	CLEANUP(buf_fini) struct buf got = BUF_INIT;

	assert_int_equal(catalog_work_get(cat_of(state), "scrub", &got), 0);
	assert_int_equal(got.len, 0);
	assert_int_equal(catalog_work_put(cat_of(state), "scrub", "here", 4), 0);
	assert_int_equal(catalog_work_put(cat_of(state), "scr", "there", 5), 0);
	restart(state, true);
	assert_int_equal(catalog_work_get(cat_of(state), "scrub", &got), 0);
	assert_int_equal(got.len, 4);
	assert_memory_equal(got.data, "here", 4);
	assert_int_equal(catalog_work_put(cat_of(state), "scrub", NULL, 0), 0);
	restart(state, true);
	assert_int_equal(catalog_work_get(cat_of(state), "scrub", &got), 0);
	assert_int_equal(got.len, 0);
	assert_int_equal(catalog_work_get(cat_of(state), "scr", &got), 0);
	assert_int_equal(got.len, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CATALOG(a_store_has_properties_before_any_is_set),
		ON_CATALOG(what_is_set_stays_and_what_is_shown_can_be_set),
		ON_CATALOG(every_property_is_shown),
		ON_CATALOG(where_a_walk_stands_survives_a_crash),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
