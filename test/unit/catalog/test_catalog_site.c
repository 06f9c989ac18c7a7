/* SPDX-License-Identifier: BSD-2-Clause */
#include "catalog_fixture.h"

#define ID "00112233445566778899aabbccddeeff"

static struct catalog_site add_site(void **state, const char *name)
{
	struct catalog_site s = { .number = UINT32_MAX, .added_ns = 5 };

	snprintf(s.name, sizeof(s.name), "%s", name);
	assert_int_equal(catalog_site_put(cat_of(state), &s), 0);
	return s;
}

static void ours_is_there_from_the_beginning(void **state)
{
	struct catalog_site s;

	assert_int_equal(catalog_site_get(cat_of(state), CATALOG_SITE_LOCAL, &s), 0);
	assert_int_equal(s.number, 0);
	strcpy(s.name, "berlin");
	assert_int_equal(catalog_site_put(cat_of(state), &s), 0);
	restart(state, true);
	assert_int_equal(catalog_site_by_number(cat_of(state), 0, &s), 0);
	assert_string_equal(s.name, "berlin");
	assert_int_equal(catalog_site_get(cat_of(state), CATALOG_SITE_LOCAL, &s), CATALOG_E_NONE);
	assert_int_equal(catalog_site_remove(cat_of(state), 0), -EINVAL);
}

static void a_site_is_kept_and_found(void **state)
{
	struct catalog_site s = add_site(state, "munich"), got;

	assert_int_equal(s.number, 1);
	strcpy(s.id, ID);
	strcpy(s.note, "the second hall");
	s.heard_ns = 77;
	assert_int_equal(catalog_site_put(cat_of(state), &s), 0);
	restart(state, true);
	assert_int_equal(catalog_site_get(cat_of(state), "MUNICH", &got), 0);
	assert_int_equal(got.number, 1);
	assert_string_equal(got.id, ID);
	assert_string_equal(got.note, "the second hall");
	assert_int_equal(got.added_ns, 5);
	assert_int_equal(got.heard_ns, 77);
}

static void two_sites_have_neither_a_name_nor_an_id_in_common(void **state)
{
	struct catalog_site a = add_site(state, "a"), b = { .number = UINT32_MAX };

	strcpy(a.id, ID);
	assert_int_equal(catalog_site_put(cat_of(state), &a), 0);
	strcpy(b.name, "A");
	assert_int_equal(catalog_site_put(cat_of(state), &b), CATALOG_E_EXISTS);
	strcpy(b.name, "local");
	assert_int_equal(catalog_site_put(cat_of(state), &b), CATALOG_E_EXISTS);
	strcpy(b.name, "b");
	strcpy(b.id, ID);
	assert_int_equal(catalog_site_put(cat_of(state), &b), CATALOG_E_EXISTS);
	strcpy(b.id, "short");
	assert_int_equal(catalog_site_put(cat_of(state), &b), -EINVAL);
	strcpy(b.id, "");
	strcpy(b.name, "../b");
	assert_int_equal(catalog_site_put(cat_of(state), &b), -EINVAL);
	assert_int_equal(raw_count(state, 'K'), 1);
}

static void a_site_with_volumes_or_pools_is_not_forgotten(void **state)
{
	struct catalog_site s = add_site(state, "munich");
	struct catalog_volume v;
	struct catalog_pool p;

	assert_int_equal(catalog_volume_by_id(cat_of(state), add_volume(state, default_pool(state), "A1"), &v), 0);
	v.site = s.number;
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), 0);
	assert_int_equal(catalog_site_remove(cat_of(state), s.number), CATALOG_E_NOT_EMPTY);
	v.site = 0;
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), 0);
	assert_int_equal(catalog_pool_get(cat_of(state), "default", &p), 0);
	p.site = s.number;
	p.access = ACCESS_SECONDARY;
	assert_int_equal(catalog_pool_put(cat_of(state), &p), 0);
	assert_int_equal(catalog_site_remove(cat_of(state), s.number), CATALOG_E_NOT_EMPTY);
	p.site = 0;
	assert_int_equal(catalog_pool_put(cat_of(state), &p), 0);
	assert_int_equal(catalog_site_remove(cat_of(state), s.number), 0);
	assert_int_equal(catalog_site_remove(cat_of(state), s.number), CATALOG_E_NONE);
}

static struct catalog_clash clash_of(uint32_t site, const char *name)
{
	struct catalog_clash k = { .site = site, .found_ns = 9, .serial = "0123456789ABCDEF" };

	snprintf(k.name, sizeof(k.name), "%s", name);
	return k;
}

static int take(void *ctx, const struct catalog_clash *k)
{
	struct catalog_clash *last = ctx;

	*last = *k;
	return 0;
}

static void a_clash_is_kept_and_goes_with_its_site(void **state)
{
	struct catalog_site a = add_site(state, "a"), b = add_site(state, "b");
	struct catalog_clash k = clash_of(a.number, "A1"), got = { .site = 0 };

	assert_int_equal(catalog_clash_put(cat_of(state), &k), 0);
	k = clash_of(b.number, "A1");
	assert_int_equal(catalog_clash_put(cat_of(state), &k), 0);
	restart(state, true);
	assert_int_equal(catalog_clash_each(cat_of(state), take, &got), 0);
	assert_string_equal(got.name, "A1");
	assert_string_equal(got.serial, "0123456789ABCDEF");
	assert_int_equal(got.site, b.number);
	assert_int_equal(got.found_ns, 9);
	assert_int_equal(catalog_site_remove(cat_of(state), a.number), 0);
	assert_int_equal(raw_count(state, 'C'), 1);
	assert_int_equal(catalog_clash_remove(cat_of(state), b.number, "A1"), 0);
	assert_int_equal(catalog_clash_remove(cat_of(state), b.number, "A1"), CATALOG_E_NONE);
	assert_int_equal(catalog_clash_find(cat_of(state), "A1", &got), CATALOG_E_NONE);
}

/* "A1" and "A10" are two labels. */
static void a_label_that_another_site_has_is_not_free(void **state)
{
	struct catalog_site s = add_site(state, "munich");
	struct catalog_clash k = clash_of(s.number, "A10"), got;
	struct catalog_volume v = { .pool = default_pool(state), .perm = some_perm };

	assert_int_equal(catalog_clash_put(cat_of(state), &k), 0);
	assert_int_equal(catalog_clash_find(cat_of(state), "A1", &got), CATALOG_E_NONE);
	add_volume(state, default_pool(state), "A1");
	assert_int_equal(catalog_volume_new_id(cat_of(state), &v.id), 0);
	strcpy(v.name, "A10");
	assert_int_equal(catalog_volume_add(cat_of(state), &v, NULL), CATALOG_E_EXISTS);
	assert_int_equal(catalog_volume_get(cat_of(state), "A1", &v), 0);
	strcpy(v.name, "A10");
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), CATALOG_E_EXISTS);
}

static uint64_t faults(void **state)
{
	struct catalog_check_config cfg = { .repair = false };
	struct catalog_checked done;

	assert_int_equal(catalog_check(cat_of(state), &cfg, &done), 0);
	return done.faults;
}

static void a_clash_is_a_fault_until_one_is_renamed(void **state)
{
	struct catalog_site s = add_site(state, "munich");
	struct catalog_clash k = clash_of(s.number, "A1");
	struct catalog_volume v;

	assert_int_equal(catalog_volume_by_id(cat_of(state), add_volume(state, default_pool(state), "A1"), &v), 0);
	assert_int_equal(faults(state), 0);
	assert_int_equal(catalog_clash_put(cat_of(state), &k), 0);
	assert_int_equal(faults(state), 1);
	strcpy(v.name, "A2");
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), 0);
	assert_int_equal(faults(state), 0);
}

static void what_is_of_a_site_that_is_not_known_is_a_fault(void **state)
{
	struct catalog_volume v;

	assert_int_equal(catalog_volume_by_id(cat_of(state), add_volume(state, default_pool(state), "A1"), &v), 0);
	v.site = 12;
	assert_int_equal(catalog_volume_put(cat_of(state), &v, NULL), 0);
	assert_int_equal(faults(state), 1);
}

static void damaged_rows_are_told(void **state)
{
	struct row_key site = key_site(3), clash = key_clash("A1", 1), bad = key_of('C');

	raw_put(state, &site, "\1x", 2);
	raw_put(state, &clash, "\1\3abc12345678", 13);
	key_text(&bad, "no number");
	raw_put(state, &bad, "", 0);
	assert_int_equal(faults(state), 3);
}

static void access_is_parsed_back(void **state)
{
	enum catalog_access a;

	for (enum catalog_access i = ACCESS_PRIMARY; i <= ACCESS_RESTRICTED; i++) {
		assert_int_equal(catalog_access_parse(catalog_access_name(i), &a), 0);
		assert_int_equal(a, i);
	}
	assert_int_equal(catalog_access_parse("tertiary", &a), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CATALOG(ours_is_there_from_the_beginning),
		ON_CATALOG(a_site_is_kept_and_found),
		ON_CATALOG(two_sites_have_neither_a_name_nor_an_id_in_common),
		ON_CATALOG(a_site_with_volumes_or_pools_is_not_forgotten),
		ON_CATALOG(a_clash_is_kept_and_goes_with_its_site),
		ON_CATALOG(a_label_that_another_site_has_is_not_free),
		ON_CATALOG(a_clash_is_a_fault_until_one_is_renamed),
		ON_CATALOG(what_is_of_a_site_that_is_not_known_is_a_fault),
		ON_CATALOG(damaged_rows_are_told),
		cmocka_unit_test(access_is_parsed_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
