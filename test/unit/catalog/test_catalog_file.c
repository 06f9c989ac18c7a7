/* SPDX-License-Identifier: BSD-2-Clause */
#include "catalog_fixture.h"

static void put_file(void **state, uint64_t volume, uint64_t file, const char *name)
{
	struct catalog_file f = { .file = file, .mark_object = file * 10, .stretch = file * 100, .perm = some_perm };

	snprintf(f.name, sizeof(f.name), "%s", name);
	assert_int_equal(catalog_file_put(cat_of(state), volume, &f), 0);
}

static int find_last(void **state, uint64_t volume, const char *name, struct catalog_file *out)
{
	return catalog_file_find_before(cat_of(state), volume, name, UINT64_MAX, out);
}

static void a_tape_file_keeps_its_name(void **state)
{
	struct catalog_file f;

	put_file(state, 7, 3, "etc.tar");
	restart(state, true);
	assert_int_equal(catalog_file_get(cat_of(state), 7, 3, &f), 0);
	assert_string_equal(f.name, "etc.tar");
	assert_int_equal(f.file, 3);
	assert_int_equal(f.mark_object, 30);
	assert_int_equal(f.stretch, 300);
	assert_memory_equal(&f.perm, &some_perm, sizeof(some_perm));
	assert_int_equal(catalog_file_get(cat_of(state), 7, 4, &f), CATALOG_E_NONE);
	assert_int_equal(catalog_file_get(cat_of(state), 8, 3, &f), CATALOG_E_NONE);
}

static void the_last_of_a_name_is_found_and_then_the_one_before(void **state)
{
	struct catalog_file f;

	put_file(state, 7, 1, "a");
	put_file(state, 7, 2, "b");
	put_file(state, 7, 300, "a");
	put_file(state, 7, 4, "aa");
	put_file(state, 8, 999, "a");
	assert_int_equal(find_last(state, 7, "a", &f), 0);
	assert_int_equal(f.file, 300);
	assert_int_equal(catalog_file_find_before(cat_of(state), 7, "a", 300, &f), 0);
	assert_int_equal(f.file, 1);
	assert_int_equal(catalog_file_find_before(cat_of(state), 7, "a", 1, &f), CATALOG_E_NONE);
	assert_int_equal(catalog_file_find_before(cat_of(state), 7, "a", 0, &f), CATALOG_E_NONE);
	assert_int_equal(find_last(state, 7, "aa", &f), 0);
	assert_int_equal(f.file, 4);
	assert_int_equal(find_last(state, 7, "c", &f), CATALOG_E_NONE);
	assert_int_equal(find_last(state, 6, "a", &f), CATALOG_E_NONE);
	assert_int_equal(find_last(state, 7, "", &f), CATALOG_E_NONE);
}

static void a_new_name_replaces_the_old_one(void **state)
{
	struct catalog_file f;

	put_file(state, 7, 1, "old");
	put_file(state, 7, 1, "new");
	assert_int_equal(find_last(state, 7, "old", &f), CATALOG_E_NONE);
	assert_int_equal(find_last(state, 7, "new", &f), 0);
	put_file(state, 7, 1, "new");
	assert_int_equal(find_last(state, 7, "new", &f), 0);
	assert_int_equal(raw_count(state, 'F'), 1);
	assert_int_equal(raw_count(state, 'G'), 1);
}

static void a_name_is_what_a_folder_can_show(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/" };
	struct catalog_file f = { .file = 1 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		strcpy(f.name, bad[i]);
		assert_int_equal(catalog_file_put(cat_of(state), 7, &f), -EINVAL);
	}
	memset(f.name, 0xff, 255);
	f.name[255] = '\0';
	assert_int_equal(catalog_file_put(cat_of(state), 7, &f), 0);
	assert_int_equal(find_last(state, 7, f.name, &f), 0);
	assert_int_equal(f.file, 1);
}

static void a_name_longer_than_any_is_not_found(void **state)
{
	struct catalog_file f;
	char longest[255 + 1], longer[600];

	memset(longest, 'x', 255);
	longest[255] = '\0';
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	put_file(state, 7, 1, longest);
	assert_int_equal(find_last(state, 7, longer, &f), CATALOG_E_NONE);
}

static void a_tail_is_kept_until_it_is_removed(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	static uint8_t big[1 << 20];

	assert_int_equal(buf_append(&b, "old", 3), 0);
	assert_int_equal(catalog_tail_get(cat_of(state), 7, &b), 0);
	assert_int_equal(b.len, 0);
	memset(big, 7, sizeof(big));
	assert_int_equal(catalog_tail_put(cat_of(state), 7, big, sizeof(big)), 0);
	assert_int_equal(catalog_tail_put(cat_of(state), 8, "x", 1), 0);
	restart(state, true);
	assert_int_equal(catalog_tail_get(cat_of(state), 7, &b), 0);
	assert_int_equal(b.len, sizeof(big));
	assert_memory_equal(b.data, big, sizeof(big));
	assert_int_equal(catalog_tail_put(cat_of(state), 7, NULL, 0), 0);
	restart(state, true);
	assert_int_equal(catalog_tail_get(cat_of(state), 7, &b), 0);
	assert_int_equal(b.len, 0);
	assert_int_equal(catalog_tail_get(cat_of(state), 8, &b), 0);
	assert_int_equal(b.len, 1);
}

static void removing_no_tail_writes_nothing(void **state)
{
	kv_mem_plan_fault(kv_of(state), 1, -EIO);
	assert_int_equal(catalog_tail_put(cat_of(state), 7, NULL, 0), 0);
	kv_mem_plan_fault(kv_of(state), 0, -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CATALOG(a_tape_file_keeps_its_name),
		ON_CATALOG(the_last_of_a_name_is_found_and_then_the_one_before),
		ON_CATALOG(a_new_name_replaces_the_old_one),
		ON_CATALOG(a_name_is_what_a_folder_can_show),
		ON_CATALOG(a_name_longer_than_any_is_not_found),
		ON_CATALOG(a_tail_is_kept_until_it_is_removed),
		ON_CATALOG(removing_no_tail_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
