/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening, numbers, drives. */
#include "catalog_fixture.h"

#include <unistd.h>

static void an_empty_store_gets_the_default_pool(void **state)
{
	struct catalog_pool p;

	clock_set(777);
	restart(state, false);
	assert_int_equal(catalog_pool_get(cat_of(state), "default", &p), 0);
	assert_int_equal(p.perm.mode, 0755);
	assert_int_equal(p.perm.uid, geteuid());
	assert_int_equal(p.perm.gid, getegid());
	assert_true(p.perm.mtime_ns && p.perm.mtime_ns == p.perm.ctime_ns);
	assert_int_equal(p.record_bytes, 256 << 10);
	assert_int_equal(p.keep_s, 7 * 86400);
	assert_int_equal(p.volumes, 0);
	clock_set(0);
}

static void opening_again_changes_nothing(void **state)
{
	struct catalog_pool before, after;

	assert_int_equal(catalog_pool_get(cat_of(state), "default", &before), 0);
	restart(state, true);
	assert_int_equal(catalog_pool_get(cat_of(state), "default", &after), 0);
	assert_same_pool(&before, &after);
	assert_int_equal(raw_count(state, 'P'), 1);
	assert_int_equal(raw_count(state, 'Q'), 1);
}

static void a_newer_schema_is_refused_with_words(void **state)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_schema();
	struct catalog *c;

	assert_int_equal(schema_encode(CATALOG_SCHEMA + 1, &row), 0);
	raw_put(state, &key, row.data, row.len);
	assert_int_equal(catalog_open(kv_of(state), &c), -EPROTO);
	assert_non_null(strstr(err_text(-EPROTO), "schema 2"));
	raw_put(state, &key, "\x01", 1);
	assert_int_equal(catalog_open(kv_of(state), &c), -EUCLEAN);
}

/* The first opening may stop at each of its writes; the next one completes it. */
static void an_opening_that_was_cut_off_is_completed(void **state)
{
	for (uint64_t stop = 1; stop <= 5; stop++) {
		struct catalog_pool p;
		struct catalog *c;
		struct kv *kv, *cut;
		int r;

		assert_int_equal(kv_mem_new(&kv), 0);
		kv_mem_plan_fault(kv, stop, -EIO);
		r = catalog_open(kv, &c);
		if (!r)
			catalog_close(c);
		assert_int_equal(r, stop <= 4 ? -EIO : 0);
		assert_int_equal(kv_mem_cut(kv, &cut), 0);
		assert_int_equal(catalog_open(cut, &c), 0);
		assert_int_equal(catalog_pool_get(c, "default", &p), 0);
		catalog_close(c);
		kv_close(cut);
		kv_close(kv);
	}
}

static void a_volume_number_is_given_out_once(void **state)
{
	uint64_t id, last = 0;

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(catalog_volume_new_id(cat_of(state), &id), 0);
		assert_true(id > last);
		last = id;
		if (i % 300 == 299)
			restart(state, i % 600 == 599);
	}
	/* An orderly end leaves no gap. */
	restart(state, false);
	assert_int_equal(catalog_volume_new_id(cat_of(state), &id), 0);
	assert_int_equal(id, last + 1);
}

static void a_number_that_cannot_be_reserved_is_not_given_out(void **state)
{
	uint64_t id = 99;

	kv_mem_plan_fault(kv_of(state), 1, -ENOSPC);
	assert_int_equal(catalog_volume_new_id(cat_of(state), &id), -ENOSPC);
	assert_int_equal(id, 99);
	assert_int_equal(catalog_volume_new_id(cat_of(state), &id), 0);
	assert_int_equal(id, 1);
}

static void a_drive_keeps_its_volume_over_a_crash(void **state)
{
	uint64_t volume = 99;

	assert_int_equal(catalog_drive_get(cat_of(state), 0, &volume), 0);
	assert_int_equal(volume, 0);
	assert_int_equal(catalog_drive_put(cat_of(state), 0, 17), 0);
	assert_int_equal(catalog_drive_put(cat_of(state), 256, 18), 0);
	restart(state, true);
	assert_int_equal(catalog_drive_get(cat_of(state), 0, &volume), 0);
	assert_int_equal(volume, 17);
	assert_int_equal(catalog_drive_put(cat_of(state), 0, 0), 0);
	restart(state, true);
	assert_int_equal(catalog_drive_get(cat_of(state), 0, &volume), 0);
	assert_int_equal(volume, 0);
	assert_int_equal(catalog_drive_get(cat_of(state), 256, &volume), 0);
	assert_int_equal(volume, 18);
}

static void a_damaged_drive_row_is_an_error(void **state)
{
	struct row_key key = key_drive(3);
	uint64_t volume;

	raw_put(state, &key, "1234567", 7);
	assert_int_equal(catalog_drive_get(cat_of(state), 3, &volume), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CATALOG(an_empty_store_gets_the_default_pool),
		ON_CATALOG(opening_again_changes_nothing),
		ON_CATALOG(a_newer_schema_is_refused_with_words),
		cmocka_unit_test(an_opening_that_was_cut_off_is_completed),
		ON_CATALOG(a_volume_number_is_given_out_once),
		ON_CATALOG(a_number_that_cannot_be_reserved_is_not_given_out),
		ON_CATALOG(a_drive_keeps_its_volume_over_a_crash),
		ON_CATALOG(a_damaged_drive_row_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
