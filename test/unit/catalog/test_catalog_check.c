/* SPDX-License-Identifier: BSD-2-Clause */
/* Each row is hurt in turn: the check finds it, mends what another row tells, and finds nothing after that. */
#include "catalog_fixture.h"

static unsigned found_count;
static char found_all[8192];

static void found(void *ctx, const char *what, bool repaired)
{
	found_count++;
	snprintf(found_all + strlen(found_all), sizeof(found_all) - strlen(found_all), "%s\n", what);
}

static int has_head(void *ctx, uint64_t volume) { return volume == *(uint64_t *)ctx; }

static struct catalog_checked check(void **state, bool repair, uint64_t headless)
{
	const struct catalog_check_config cfg = { repair, has_head, found, &headless };
	struct catalog_checked done;

	found_count = 0;
	found_all[0] = 0;
	assert_int_equal(catalog_check(cat_of(state), &cfg, &done), 0);
	assert_int_equal(done.faults, found_count);
	return done;
}

static void raw_delete(void **state, const struct row_key *key)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_delete(b, KV_CATALOG, key->b, key->len), 0);
	assert_int_equal(kv_write(kv_of(state), b, true), 0);
}

static void put_place(void **state, uint64_t volume, enum catalog_place_kind kind, uint32_t number)
{
	const struct catalog_place p = { kind, number, false };

	assert_int_equal(catalog_place_put(cat_of(state), volume, &p), 0);
}

/* A pool, two volumes, a named tape file, a tail, a drive, an event, properties; places, an attribute, SCSI units. */
static uint64_t fill(void **state)
{
	struct catalog_file f = { .file = 3, .mark_object = 7, .stretch = 8, .name = "etc.tar" };
	const struct catalog_scsi scsi = { .slots = 10, .ports = 2 };
	const struct catalog_unit drive = { .number = 0, .model = "m" };
	const struct catalog_unit changer = { .number = CATALOG_UNIT_CHANGER, .model = "m" };
	const struct catalog_mam mam = { 0, 0x0801, MAM_ASCII };
	struct catalog_store s;
	uint64_t id = add_volume(state, default_pool(state), "A1");

	add_volume(state, default_pool(state), "B1");
	/* A1 is in a drive: that it came from where B1 is now is no fault. */
	put_place(state, 1, PLACE_SLOT, 4);
	put_place(state, 2, PLACE_SLOT, 4);
	assert_int_equal(catalog_scsi_put(cat_of(state), &scsi), 0);
	assert_int_equal(catalog_unit_put(cat_of(state), &drive), 0);
	assert_int_equal(catalog_unit_put(cat_of(state), &changer), 0);
	assert_int_equal(catalog_mam_put(cat_of(state), id, &mam, "app", 3), 0);
	assert_int_equal(catalog_file_put(cat_of(state), id, &f), 0);
	assert_int_equal(catalog_tail_put(cat_of(state), id, "x", 1), 0);
	assert_int_equal(catalog_drive_put(cat_of(state), 0, id), 0);
	catalog_event(cat_of(state), EVENT_LOADED, "nst0", "default/A1");
	assert_int_equal(catalog_store_get(cat_of(state), &s), 0);
	assert_int_equal(catalog_store_put(cat_of(state), &s), 0);
	assert_int_equal(catalog_work_put(cat_of(state), "scrub", "here", 4), 0);
	return id;
}

/* Nobody knows whether it was off. */
static void nothing_is_collected_once_the_store_s_properties_were_lost(void **state)
{
	const struct row_key key = key_store();
	struct catalog_store s;

	fill(state);
	raw_put(state, &key, "x", 1);
	assert_int_equal(check(state, true, 0).repaired, 1);
	assert_int_equal(catalog_store_get(cat_of(state), &s), 0);
	assert_true(s.gc_off && s.gc_live_percent == 70);
	assert_int_equal(check(state, false, 0).faults, 0);
}

static void a_whole_catalog_has_no_faults(void **state)
{
	struct catalog_checked done;

	fill(state);
	done = check(state, true, 0);
	assert_int_equal(done.faults, 0);
	assert_int_equal(done.pools, 1);
	assert_int_equal(done.volumes, 2);
	assert_int_equal(done.files, 1);
	assert_int_equal(done.events, 1);
}

/* What is done to a row, and whether another one tells what it was. */
struct hurt {
	struct row_key key;
	const char *row;	/* NULL: it goes */
	size_t len;
	bool mended;
	const char *words;
};

static void every_row_that_is_hurt_is_found(void **state)
{
	const struct hurt hurts[] = {
		{ key_pool_name("default"), NULL, 0, true, "default" },
		{ key_pool_name("default"), "\0\0\0\x09", 4, true, "default" },
		{ key_pool_name("default"), "x", 1, true, "default" },
		{ key_pool_name("nobody"), "\0\0\0\x01", 4, true, "nobody" },
		{ key_pool(1), "x", 1, false, "pool number 1" },
		{ key_volume_name("A1"), NULL, 0, true, "A1" },
		{ key_volume_name("A1"), "\0\0\0\0\0\0\0\x02", 8, true, "A1" },
		{ key_volume_name("A9"), "\0\0\0\0\0\0\0\x02", 8, true, "A9" },
		{ key_member(1, "A1"), NULL, 0, true, "A1" },
		{ key_member(1, "A9"), "\0\0\0\0\0\0\0\x01", 8, true, "A9" },
		{ key_member(7, "A1"), "\0\0\0\0\0\0\0\x01", 8, true, "A1" },
		{ key_volume(1), "x", 1, false, "volume number 1" },
		{ key_file(1, 3), "x", 1, false, "tape file 3" },
		{ key_file(1, 3), NULL, 0, true, "etc.tar" },
		{ key_file_name(1, "etc.tar", 3), NULL, 0, true, "etc.tar" },
		{ key_file_name(1, "usr.tar", 3), "", 0, true, "usr.tar" },
		{ key_tail(77), "x", 1, true, "77" },
		{ key_drive(0), "x", 1, true, "nst0" },
		{ key_drive(1), "\0\0\0\0\0\0\0\x4d", 8, true, "nst1" },
		{ key_event(1), "x", 1, true, "event 1" },
		{ key_store(), "x", 1, true, "properties" },
		{ key_clock(), "x", 1, true, "clock" },
		{ key_place(2), "x", 1, true, "place of volume number 2" },
		{ key_place(2), "\x01\x01\0\x0a\0\0\0", 7, true, "volume number 2 is in slot 10, which" },
		{ key_place(2), "\x01\x02\0\x02\0\0\0", 7, true, "volume number 2 is in port 2, which" },
		{ key_place(2), "\x01\x01\0\x60\xea\0\0", 7, true, "place of volume number 2" },
		{ key_place(77), "\x01\x01\0\0\0\0\0", 7, true, "77" },
		{ key_drive(0), NULL, 0, true, "1 and 2 are both in slot 4" },
		{ key_mam(1, 0, 0x0801), "x", 1, true, "attribute" },
		{ key_mam(77, 0, 0x0801), "\x01\x01x", 3, true, "77" },
		{ key_mams(1), "\x01\x01x", 3, true, "attribute" },
		{ key_unit(0), "x", 1, true, "nst0" },
		{ key_unit(CATALOG_UNIT_CHANGER), "x", 1, true, "changer" },
		{ key_scsi(), "x", 1, true, "it takes 5 and 0" },
		{ key_scsi(), NULL, 0, true, "it takes 5 and 0" },
		{ key_unit(UINT32_MAX - 1), "x", 1, false, "no kind" },
		{ key_place(NUMBER_MAX + 1), "\x01\x01\0\x09\0\0\0", 7, false, "no kind" },
		{ key_number(NUMBER_VOLUME), NULL, 0, true, "volumes" },
		{ key_number(NUMBER_POOL), "\x01\x01\0\0\0\0\0\0\0", 9, true, "pools" },
		{ key_number(NUMBER_EVENT), "x", 1, true, "events" },
		{ { .b = "Z", .len = 1 }, "x", 1, false, "no kind" },
		{ { .b = "V123", .len = 4 }, "x", 1, false, "no kind" },
		{ key_event(UINT64_MAX), "x", 1, false, "no kind" },
		{ key_volume(NUMBER_MAX + 1), "x", 1, false, "no kind" },
		{ key_pool(UINT32_MAX), "x", 1, false, "no kind" },
	};

	for (size_t i = 0; i < ARRAY_LEN(hurts); i++) {
		struct catalog_checked done;

		fixture_setup(state);
		assert_int_equal(fill(state), 1);
		if (hurts[i].row)
			raw_put(state, &hurts[i].key, hurts[i].row, hurts[i].len);
		else
			raw_delete(state, &hurts[i].key);
		done = check(state, false, 0);
		if (!done.faults || !strstr(found_all, hurts[i].words))
			fail_msg("hurt %zu: %lu faults, \"%s\"", i, (unsigned long)done.faults, found_all);
		assert_int_equal(done.repaired, 0);
		check(state, true, 0);
		done = check(state, true, 0);
		if ((done.faults == 0) != hurts[i].mended)
			fail_msg("hurt %zu: after mending: \"%s\"", i, found_all);
		fixture_teardown(state);
	}
}

static void a_volume_row_that_is_gone_takes_its_names_with_it(void **state)
{
	struct row_key key = key_volume(1);
	struct catalog_pool p;

	fill(state);
	raw_delete(state, &key);
	assert_true(check(state, true, 0).faults >= 8);	/* name, member, count, file, tail, drive, place, attribute */
	while (check(state, true, 0).repaired)
		;
	assert_int_equal(check(state, false, 0).faults, 0);
	assert_int_equal(catalog_pool_get(cat_of(state), "default", &p), 0);
	assert_int_equal(p.volumes, 1);
}

static void a_wrong_count_is_put_right(void **state)
{
	struct catalog_pool p;
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_pool(1);

	fill(state);
	assert_int_equal(catalog_pool_get(cat_of(state), "default", &p), 0);
	p.volumes = 99;
	assert_int_equal(pool_encode(&p, &row), 0);
	raw_put(state, &key, row.data, row.len);
	assert_int_equal(check(state, true, 0).repaired, 1);
	assert_int_equal(catalog_pool_get(cat_of(state), "default", &p), 0);
	assert_int_equal(p.volumes, 2);
}

static void a_volume_without_a_tape_is_told(void **state)
{
	fill(state);
	assert_int_equal(check(state, true, 2).faults, 1);
	assert_non_null(strstr(found_all, "B1"));
}

static void a_number_is_not_given_out_again_after_its_row_was_lost(void **state)
{
	struct row_key key = key_number(NUMBER_VOLUME);
	uint64_t id;

	fill(state);
	raw_delete(state, &key);
	restart(state, true);
	assert_int_equal(check(state, true, 0).repaired, 1);
	assert_int_equal(catalog_volume_new_id(cat_of(state), &id), 0);
	assert_int_equal(id, 3);
}

/* As a damaged key would have it.  Numbers go on from the last one that there can be, and so no further. */
static void a_number_that_nobody_can_have_leaves_those_that_follow_alone(void **state)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	const struct catalog_event e = { .text = "far away" };
	struct row_key impossible = key_event(UINT64_MAX), last = key_event(NUMBER_MAX), torn = { .b = "E12", .len = 3 };

	fill(state);
	assert_int_equal(event_encode(&e, &row), 0);
	raw_put(state, &impossible, row.data, row.len);
	raw_put(state, &torn, row.data, row.len);
	restart(state, false);
	assert_int_equal(catalog_event_last(cat_of(state)), 1);
	catalog_event(cat_of(state), EVENT_LOADED, "nst0", "default/A1");
	assert_int_equal(catalog_event_last(cat_of(state)), 2);

	raw_put(state, &last, row.data, row.len);
	restart(state, false);
	assert_int_equal(check(state, true, 0).repaired, 1);
	assert_int_equal(check(state, true, 0).repaired, 0);
	catalog_event(cat_of(state), EVENT_LOADED, "nst0", "default/A1");
	assert_int_equal(catalog_event_last(cat_of(state)), NUMBER_MAX);
	restart(state, false);
}

static void a_name_that_does_not_end_is_found(void **state)
{
	const struct catalog_hook h = { .name = "mine", .program = "/bin/true", .timeout_s = 1 };
	struct row_key keys[] = { key_hook("mine"), key_volume_name("A1"), key_pool_name("default"),
				  key_member(default_pool(state), "A1"), key_number(NUMBER_VOLUME) };

	fill(state);
	assert_int_equal(catalog_hook_put(cat_of(state), &h), 0);
	assert_int_equal(check(state, false, 0).faults, 0);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		CLEANUP(buf_fini) struct buf row = BUF_INIT;

		assert_int_equal(kv_get(kv_of(state), KV_CATALOG, keys[i].b, keys[i].len, &row), 0);
		keys[i].b[keys[i].len++] = 0;
		raw_put(state, &keys[i], row.data, row.len);
		assert_true(check(state, false, 0).faults > 0);
		assert_non_null(strstr(found_all, "is of no kind"));
		raw_delete(state, &keys[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CATALOG(a_whole_catalog_has_no_faults),
		ON_CATALOG(nothing_is_collected_once_the_store_s_properties_were_lost),
		cmocka_unit_test(every_row_that_is_hurt_is_found),
		ON_CATALOG(a_volume_row_that_is_gone_takes_its_names_with_it),
		ON_CATALOG(a_wrong_count_is_put_right),
		ON_CATALOG(a_name_that_does_not_end_is_found),
		ON_CATALOG(a_volume_without_a_tape_is_told),
		ON_CATALOG(a_number_is_not_given_out_again_after_its_row_was_lost),
		ON_CATALOG(a_number_that_nobody_can_have_leaves_those_that_follow_alone),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
