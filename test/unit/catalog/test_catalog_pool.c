/* SPDX-License-Identifier: BSD-2-Clause */
#include "catalog_fixture.h"

static struct catalog_pool make(void **state, const char *name)
{
	struct catalog_pool p;

	assert_int_equal(catalog_pool_create(cat_of(state), name, &some_perm, &p), 0);
	return p;
}

static void a_pool_is_found_by_name_and_number(void **state)
{
	struct catalog_pool made = make(state, "full"), p;

	restart(state, true);
	assert_int_equal(catalog_pool_get(cat_of(state), "full", &p), 0);
	assert_same_pool(&p, &made);
	assert_int_equal(catalog_pool_by_id(cat_of(state), made.id, &p), 0);
	assert_string_equal(p.name, "full");
	assert_memory_equal(&p.perm, &some_perm, sizeof(some_perm));
	assert_int_equal(catalog_pool_get(cat_of(state), "ful", &p), CATALOG_E_NONE);
	assert_int_equal(catalog_pool_get(cat_of(state), "", &p), CATALOG_E_NONE);
	assert_int_equal(catalog_pool_by_id(cat_of(state), 999, &p), CATALOG_E_NONE);
}

static void a_pool_needs_a_free_and_proper_name(void **state)
{
	struct catalog_pool p;

	assert_int_equal(catalog_pool_create(cat_of(state), "default", &some_perm, &p), CATALOG_E_EXISTS);
	assert_int_equal(catalog_pool_create(cat_of(state), "", &some_perm, &p), -EINVAL);
	assert_int_equal(catalog_pool_create(cat_of(state), "../x", &some_perm, &p), -EINVAL);
	assert_int_equal(catalog_pool_create(cat_of(state), "a b", &some_perm, &p), -EINVAL);
	assert_non_null(strstr(err_text(-EINVAL), "\"a b\""));
}

static void a_renamed_pool_keeps_its_number(void **state)
{
	struct catalog_pool p = make(state, "old"), q;

	make(state, "taken");
	strcpy(p.name, "taken");
	assert_int_equal(catalog_pool_put(cat_of(state), &p), CATALOG_E_EXISTS);
	strcpy(p.name, "bad/name");
	assert_int_equal(catalog_pool_put(cat_of(state), &p), -EINVAL);
	strcpy(p.name, "new");
	assert_int_equal(catalog_pool_put(cat_of(state), &p), 0);
	restart(state, true);
	assert_int_equal(catalog_pool_get(cat_of(state), "new", &q), 0);
	assert_int_equal(q.id, p.id);
	assert_int_equal(catalog_pool_get(cat_of(state), "old", &q), CATALOG_E_NONE);
	make(state, "old");
	p.id = 999;
	assert_int_equal(catalog_pool_put(cat_of(state), &p), CATALOG_E_NONE);
}

static void a_put_does_not_change_the_count_of_volumes(void **state)
{
	struct catalog_pool p = make(state, "pool"), q;

	add_volume(state, p.id, "A1");
	p.volumes = 77;
	p.perm.mode = 0700;
	assert_int_equal(catalog_pool_put(cat_of(state), &p), 0);
	assert_int_equal(catalog_pool_by_id(cat_of(state), p.id, &q), 0);
	assert_int_equal(q.volumes, 1);
	assert_int_equal(q.perm.mode, 0700);
}

static void only_an_empty_pool_is_destroyed(void **state)
{
	struct catalog_pool p = make(state, "pool"), q;
	uint64_t id = add_volume(state, p.id, "A1");

	assert_int_equal(catalog_pool_destroy(cat_of(state), p.id), CATALOG_E_NOT_EMPTY);
	assert_int_equal(catalog_volume_remove(cat_of(state), id, NULL), 0);
	assert_int_equal(catalog_pool_destroy(cat_of(state), p.id), 0);
	assert_int_equal(catalog_pool_destroy(cat_of(state), p.id), CATALOG_E_NONE);
	assert_int_equal(catalog_pool_get(cat_of(state), "pool", &q), CATALOG_E_NONE);
	/* Its name may come again, its number not. */
	q = make(state, "pool");
	assert_int_not_equal(q.id, p.id);
}

static int collect(void *ctx, const struct catalog_pool *p)
{
	strcat(ctx, p->name);
	strcat(ctx, " ");
	return !strcmp(p->name, "stop") ? 42 : 0;
}

static void pools_are_listed_by_name(void **state)
{
	char names[200] = "";

	make(state, "b");
	make(state, "a");
	make(state, "c");
	assert_int_equal(catalog_pool_each(cat_of(state), collect, names), 0);
	assert_string_equal(names, "a b c default ");
	make(state, "stop");
	make(state, "z");
	names[0] = '\0';
	assert_int_equal(catalog_pool_each(cat_of(state), collect, names), 42);
	assert_string_equal(names, "a b c default stop ");
}

static void a_failed_write_leaves_the_pools_as_they_were(void **state)
{
	struct catalog_pool p = make(state, "pool"), q;

	kv_mem_plan_fault(kv_of(state), 1, -EIO);
	assert_int_equal(catalog_pool_destroy(cat_of(state), p.id), -EIO);
	assert_int_equal(catalog_pool_get(cat_of(state), "pool", &q), 0);
	kv_mem_plan_fault(kv_of(state), 1, -EIO);
	strcpy(p.name, "new");
	assert_int_equal(catalog_pool_put(cat_of(state), &p), -EIO);
	assert_int_equal(catalog_pool_get(cat_of(state), "pool", &q), 0);
	assert_int_equal(catalog_pool_get(cat_of(state), "new", &q), CATALOG_E_NONE);
	/* The number is one write, the pool another. */
	kv_mem_plan_fault(kv_of(state), 2, -EIO);
	assert_int_equal(catalog_pool_create(cat_of(state), "more", &some_perm, &q), -EIO);
	assert_int_equal(catalog_pool_get(cat_of(state), "more", &q), CATALOG_E_NONE);
}

/* ---- properties ---- */

static void assert_prop(const struct catalog_pool *p, const char *prop, const char *want)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;

	assert_int_equal(catalog_pool_prop_get(p, prop, &text), 0);
	assert_string_equal((char *)text.data, want);
}

static void each_property_is_set_and_shown(void **state)
{
	static const struct {
		const char *prop, *value, *shown;	/* shown NULL: refused */
	} cases[] = {
		{ "compression", "none", "none" },
		{ "compression", "lz4", "lz4" },
		{ "compression", "zstd", "zstd" },
		{ "compression", "gzip", NULL },
		{ "compression", "", NULL },
		{ "level", "0", "0" },
		{ "level", "19", "19" },
		{ "level", "20", NULL },
		{ "level", "-1", NULL },
		{ "level", " 3", NULL },
		{ "level", "3x", NULL },
		{ "level", "99999999999999999999", NULL },
		{ "verify", "on", "on" },
		{ "verify", "off", "off" },
		{ "verify", "yes", "on" },
		{ "verify", "false", "off" },
		{ "verify", "maybe", NULL },
		{ "worm", "on", "on" },
		{ "worm", "no", "off" },
		{ "worm", "1", NULL },
		{ "record_size", "64K", "64K" },
		{ "record_size", "10240", "10K" },
		{ "record_size", "1", "1" },
		{ "record_size", "16777215", "16777215" },
		{ "record_size", "16M", NULL },
		{ "record_size", "0", NULL },
		{ "record_size", "big", NULL },
		{ "capacity", "1.5T", "1536G" },
		{ "capacity", "none", "none" },
		{ "capacity", "0", "none" },
		{ "capacity", "1M", "1M" },
		{ "capacity", "1000000", NULL },
		{ "capacity", "99E", NULL },
		{ "keep", "1w", "7d" },
		{ "keep", "36h", "36h" },
		{ "keep", "90s", "90s" },
		{ "keep", "0", "0" },
		{ "keep", "soon", NULL },
		{ "contents", "off", "off" },
		{ "contents", "on", "on" },
		{ "contents", "some", NULL },
		{ "expire", "30d", "30d" },
		{ "expire", "1y", "365d" },
		{ "expire", "none", "none" },
		{ "expire", "0", NULL },
		{ "expire", "0d", NULL },
		{ "expire", "never", NULL },
		{ "expire-label", "on", "on" },
		{ "expire-label", "2", NULL },
		{ "scratch", "free", "free" },
		{ "scratch", "a/b", NULL },
		{ "scratch", "none", "none" },
		{ "scratch", "", NULL },
		{ "barcode", "A00001L8", "A00001L8" },
		{ "barcode", "VT001", "VT001" },
		{ "barcode", "ABC", NULL },
		{ "barcode", "AL8", "AL8" },
		{ "barcode", "A 1", NULL },
		{ "barcode", "A12345678901234567890123456789012345678901234567890123456789012345678901", NULL },
		{ "barcode", "none", "none" },
	};
	struct catalog_pool p = make(state, "pool");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_fini) struct buf before = BUF_INIT;
		struct catalog_pool again = p;

		assert_int_equal(catalog_pool_prop_get(&p, cases[i].prop, &before), 0);
		assert_int_equal(catalog_pool_prop_set(&p, cases[i].prop, cases[i].value),
				 cases[i].shown ? 0 : -EINVAL);
		if (!cases[i].shown) {
			assert_non_null(strstr(err_text(-EINVAL), cases[i].prop));
			assert_prop(&p, cases[i].prop, (char *)before.data);
			continue;
		}
		assert_prop(&p, cases[i].prop, cases[i].shown);
		/* What is shown can be set, and means the same. */
		assert_int_equal(catalog_pool_prop_set(&again, cases[i].prop, cases[i].shown), 0);
		assert_same_pool(&again, &p);
	}
}

static void every_property_of_the_table_can_be_read(void **state)
{
	struct catalog_pool p = make(state, "pool");
	const struct catalog_prop *props;
	size_t n;

	props = catalog_pool_props(&n);
	assert_true(n >= 12);
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_fini) struct buf text = BUF_INIT;

		assert_true(props[i].values[0] && props[i].help[0]);
		assert_int_equal(catalog_pool_prop_get(&p, props[i].name, &text), 0);
		assert_true(text.len > 0);
	}
}

static void an_unknown_property_is_told_by_name(void **state)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct catalog_pool p = make(state, "pool");

	assert_int_equal(catalog_pool_prop_get(&p, "colour", &text), -ENOENT);
	assert_int_equal(catalog_pool_prop_set(&p, "colour", "red"), -ENOENT);
	assert_non_null(strstr(err_text(-ENOENT), "colour"));
}

static void properties_survive_a_restart(void **state)
{
	struct catalog_pool p = make(state, "pool"), q;

	catalog_pool_prop_set(&p, "compression", "lz4");
	catalog_pool_prop_set(&p, "level", "7");
	catalog_pool_prop_set(&p, "verify", "on");
	catalog_pool_prop_set(&p, "worm", "on");
	catalog_pool_prop_set(&p, "record_size", "64K");
	catalog_pool_prop_set(&p, "capacity", "100G");
	catalog_pool_prop_set(&p, "keep", "1y");
	catalog_pool_prop_set(&p, "contents", "off");
	catalog_pool_prop_set(&p, "expire", "30d");
	catalog_pool_prop_set(&p, "expire-label", "on");
	catalog_pool_prop_set(&p, "scratch", "free");
	catalog_pool_prop_set(&p, "barcode", "A00001L8");
	assert_int_equal(catalog_pool_put(cat_of(state), &p), 0);
	restart(state, true);
	assert_int_equal(catalog_pool_get(cat_of(state), "pool", &q), 0);
	assert_same_pool(&p, &q);
}

static int count_pool(void *ctx, const struct catalog_pool *p)
{
	++*(unsigned *)ctx;
	return 0;
}

static void a_damaged_row_hides_no_other_pool(void **state)
{
	struct catalog_pool p, q;
	struct row_key row, name = key_pool_name("second");
	unsigned n = 0;

	assert_int_equal(catalog_pool_create(cat_of(state), "first", &some_perm, &p), 0);
	assert_int_equal(catalog_pool_create(cat_of(state), "second", &some_perm, &q), 0);
	assert_int_equal(catalog_pool_create(cat_of(state), "third", &some_perm, &q), 0);
	row = key_pool(p.id);
	raw_put(state, &row, "damaged", 7);
	raw_put(state, &name, "bad", 3);
	assert_int_equal(catalog_pool_each(cat_of(state), count_pool, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(catalog_pool_get(cat_of(state), "first", &p), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CATALOG(a_pool_is_found_by_name_and_number),
		ON_CATALOG(a_pool_needs_a_free_and_proper_name),
		ON_CATALOG(a_renamed_pool_keeps_its_number),
		ON_CATALOG(a_put_does_not_change_the_count_of_volumes),
		ON_CATALOG(only_an_empty_pool_is_destroyed),
		ON_CATALOG(pools_are_listed_by_name),
		ON_CATALOG(a_failed_write_leaves_the_pools_as_they_were),
		ON_CATALOG(each_property_is_set_and_shown),
		ON_CATALOG(every_property_of_the_table_can_be_read),
		ON_CATALOG(an_unknown_property_is_told_by_name),
		ON_CATALOG(properties_survive_a_restart),
		ON_CATALOG(a_damaged_row_hides_no_other_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
