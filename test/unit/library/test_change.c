/* SPDX-License-Identifier: BSD-2-Clause */
/* Volumes and pools as wholes: made, renamed, erased, replaced, deleted, and what is never done to them. */
#include "store.h"

static int no_more(void *ctx, const struct catalog_volume *v) { (*(unsigned *)ctx)++; return 0; }

static unsigned volumes_in(struct store *s, const char *pool)
{
	struct catalog_pool p;
	unsigned n = 0;

	assert_int_equal(catalog_pool_get(s->cat, pool, &p), 0);
	assert_int_equal(catalog_volume_each(s->cat, p.id, "", no_more, &n), 0);
	return n;
}

/* ---- making ---------------------------------------------------------------------------------------------------- */

static void set_pool_worm(struct store *s, const char *name)
{
	struct catalog_pool p;

	assert_int_equal(catalog_pool_get(s->cat, name, &p), 0);
	p.worm = true;
	p.capacity_bytes = 1 << 20;
	assert_int_equal(catalog_pool_put(s->cat, &p), 0);
}

static void a_new_volume_is_blank_and_has_its_pools_properties(void **state)
{
	struct store *s = *state;
	struct catalog_volume row;

	clock_set(1000);
	assert_int_equal(library_pool_create(s->lib, "vault", NULL, NULL), 0);
	set_pool_worm(s, "vault");
	assert_int_equal(library_volume_create(s->lib, "vault", "A00001", NULL, false, &row), 0);
	assert_int_equal(row.state, STATE_SCRATCH);
	assert_true(row.worm);
	assert_int_equal(row.capacity_bytes, 1 << 20);
	assert_int_equal(row.perm.mode & 0777, 0644);
	assert_int_equal(row.perm.mtime_ns, 1000);
	assert_int_equal(strlen(row.serial), 16);
	assert_int_equal(stat_of(s, row.id).end.objects, 0);
	assert_int_equal(events(s, EVENT_VOLUME_CREATED, "vault/A00001"), 1);
	clock_set(0);
}

static void names_are_checked(void **state)
{
	struct store *s = *state;

	make(s, "A00001");
	assert_refused(library_volume_create(s->lib, "default", "A00001", NULL, false, NULL), -EEXIST, "A00001");
	assert_refused(library_volume_create(s->lib, "nowhere", "A00002", NULL, false, NULL), -ENOENT, "nowhere");
	assert_refused(library_volume_create(s->lib, "default", ".hidden", NULL, false, NULL), -EINVAL, ".hidden");
	assert_refused(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, "a/b", NULL, true, NULL), -EINVAL, "a/b");
	assert_refused(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, "", NULL, true, NULL), -EINVAL, "name");
	assert_refused(library_pool_create(s->lib, "", NULL, NULL), -EINVAL, "name");
	assert_refused(library_pool_create(s->lib, CATALOG_POOL_DEFAULT, NULL, NULL), -EEXIST, CATALOG_POOL_DEFAULT);
	assert_int_equal(volumes_in(s, CATALOG_POOL_DEFAULT), 1);
}

/* ---- erase and delete ------------------------------------------------------------------------------------------ */

static int count_generation(void *ctx, const struct volume_stat *st) { (*(unsigned *)ctx)++; return 0; }

static void erasing_keeps_what_was_there_as_a_generation(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	unsigned generations = 0;

	write_text(s, a, "hello");
	assert_int_equal(library_volume_erase(s->lib, a), 0);
	assert_text(s, a, "");
	assert_int_equal(row_of(s, a).state, STATE_SCRATCH);
	assert_int_equal(volume_history(s->kv, a, count_generation, &generations), 0);
	assert_int_equal(generations, 2);
	assert_int_equal(events(s, EVENT_VOLUME_ERASED, "default/A00001"), 1);
	/* A blank one stays as it is. */
	assert_int_equal(library_volume_erase(s->lib, a), 0);
	generations = 0;
	assert_int_equal(volume_history(s->kv, a, count_generation, &generations), 0);
	assert_int_equal(generations, 2);
}

static void a_deleted_volume_is_gone_and_its_name_free(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume_stat st;

	write_text(s, a, "hello");
	assert_int_equal(library_volume_delete(s->lib, a), 0);
	assert_int_equal(library_stat(s->lib, a, &st), -ENOENT);
	assert_refused(library_volume_delete(s->lib, a), -ENOENT, "not there");
	assert_int_not_equal(make(s, "A00001"), a);
	assert_int_equal(events(s, EVENT_VOLUME_DELETED, "default/A00001"), 1);
}

static void what_is_in_use_is_neither_erased_nor_deleted_nor_replaced(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), b = make(s, "A00002");

	claim(s, a, CLAIM_READ);
	assert_refused(library_volume_erase(s->lib, a), -EBUSY, "A00001 is being read");
	assert_refused(library_volume_delete(s->lib, a), -EBUSY, "A00001 is being read");
	assert_refused(library_volume_replace(s->lib, a, b), -EBUSY, "A00001 is being read");
	assert_refused(library_volume_replace(s->lib, b, a), -EBUSY, "A00001 is being read");
	release(s, a, CLAIM_READ);
	assert_int_equal(library_load(s->lib, 1, a), 0);
	assert_refused(library_volume_replace(s->lib, a, b), -EBUSY, "A00001 is loaded in drive nst1");
	assert_int_equal(library_unload(s->lib, 1), 0);
	assert_int_equal(library_volume_delete(s->lib, a), 0);
}

static void what_is_protected_stays(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), b = make(s, "A00002");

	write_text(s, a, "hello");
	assert_int_equal(library_volume_change(s->lib, a, set_protect, ON), 0);
	assert_refused(library_volume_erase(s->lib, a), -EROFS, "A00001 is write protected");
	assert_refused(library_volume_delete(s->lib, a), -EROFS, "A00001 is write protected");
	assert_refused(library_volume_replace(s->lib, a, b), -EROFS, "A00001 is write protected");
	assert_refused(library_volume_replace(s->lib, b, a), -EROFS, "A00001 is write protected");
	assert_refused(library_pool_destroy(s->lib, CATALOG_POOL_DEFAULT, true), -EROFS, "A00001 is write protected");
	assert_int_equal(volumes_in(s, CATALOG_POOL_DEFAULT), 2);
	assert_text(s, a, "hello");
}

static void a_worm_tape_with_data_stays(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), blank = make(s, "A00002"), b = make(s, "A00003");
	struct volume *v;

	assert_int_equal(library_volume_change(s->lib, a, set_worm, ON), 0);
	assert_int_equal(library_volume_change(s->lib, blank, set_worm, ON), 0);
	v = claim(s, a, CLAIM_WRITE);
	assert_int_equal(volume_append_record(v, 0, "hello", 5), 0);
	assert_int_equal(volume_truncate(v, 0, 0), TAPE_E_PROTECTED);
	release(s, a, CLAIM_WRITE);
	assert_refused(library_volume_erase(s->lib, a), -EPERM, "A00001 is WORM");
	assert_refused(library_volume_delete(s->lib, a), -EPERM, "A00001 is WORM");
	assert_refused(library_volume_replace(s->lib, a, b), -EPERM, "A00001 is WORM");
	assert_refused(library_volume_change(s->lib, a, set_worm, OFF), -EPERM, "A00001 is WORM");
	assert_text(s, a, "hello");
	/* One with nothing on it has nothing to keep. */
	assert_int_equal(library_volume_erase(s->lib, blank), 0);
	assert_refused(library_volume_change(s->lib, blank, set_worm, OFF), -EPERM, "A00002 is WORM");
	assert_int_equal(library_volume_delete(s->lib, blank), 0);
}

/* ---- moving and replacing -------------------------------------------------------------------------------------- */

static void a_volume_moves_while_it_is_used(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v = claim(s, a, CLAIM_WRITE);

	make(s, "TAKEN");
	assert_int_equal(library_pool_create(s->lib, "vault", NULL, NULL), 0);
	assert_refused(library_volume_move(s->lib, a, "vault", "TAKEN"), -EEXIST, "TAKEN");
	assert_refused(library_volume_move(s->lib, a, "nowhere", "B1"), -ENOENT, "nowhere");
	assert_refused(library_volume_move(s->lib, a, "vault", "b b"), -EINVAL, "b b");
	assert_refused(library_volume_move(s->lib, 4711, "vault", "B1"), -ENOENT, "4711");
	assert_int_equal(library_volume_move(s->lib, a, "vault", "B1"), 0);
	assert_string_equal(row_of(s, a).name, "B1");
	assert_string_equal(volume_attr(v)->barcode, "B1");
	assert_int_equal(volume_append_record(v, 0, "hello", 5), 0);
	release(s, a, CLAIM_WRITE);
	assert_int_equal(volumes_in(s, "vault"), 1);
	assert_text(s, a, "hello");
	assert_int_equal(events(s, EVENT_VOLUME_MOVED, "vault/B1"), 1);
}

static void an_arriving_image_becomes_a_tape_by_its_name(void **state)
{
	struct store *s = *state;
	struct catalog_volume row;

	set_pool_worm(s, CATALOG_POOL_DEFAULT);
	assert_int_equal(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, ".A1.tap.x~", NULL, true, &row), 0);
	assert_false(row.worm);
	write_text(s, row.id, "one");
	write_text(s, row.id, "two");
	assert_int_equal(row_of(s, row.id).state, STATE_INCOMING);
	assert_int_equal(library_volume_move(s->lib, row.id, CATALOG_POOL_DEFAULT, ".A1.tap.y~"), 0);
	assert_int_equal(row_of(s, row.id).state, STATE_INCOMING);
	assert_int_equal(library_volume_move(s->lib, row.id, CATALOG_POOL_DEFAULT, "A1"), 0);
	row = row_of(s, row.id);
	assert_int_equal(row.state, STATE_ASSIGNED);
	assert_true(row.worm);
	assert_int_equal(row.capacity_bytes, 1 << 20);
	assert_text(s, row.id, "two");
	assert_int_equal(events(s, EVENT_VOLUME_IMPORTED, "default/A1"), 1);
	assert_int_equal(events(s, EVENT_VOLUME_MOVED, NULL), 0);
}

static void set_mtime(struct catalog_volume *row, void *ctx) { row->perm.mtime_ns = *(uint64_t *)ctx; }

static void set_eom(struct catalog_volume *row, void *ctx)
{
	row->image_eom = true;
	row->image_eom_generation = *(uint64_t *)ctx;
}

static uint64_t mtime_of(struct store *s, uint64_t id)
{
	struct catalog_volume row = row_of(s, id);
	struct volume_stat st = stat_of(s, id);

	return library_mtime_ns(&row, &st);
}

static void replacing_takes_content_and_times_and_keeps_the_cartridge(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), generation, old_time = 12345;
	unsigned generations = 0;
	struct catalog_volume in, was;

	write_text(s, a, "old");
	was = row_of(s, a);
	assert_int_equal(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, ".A1.tap.x~", NULL, true, &in), 0);
	write_text(s, in.id, "new");
	generation = stat_of(s, in.id).generation;
	assert_int_equal(library_volume_change(s->lib, in.id, set_mtime, &old_time), 0);
	assert_int_equal(library_volume_change(s->lib, in.id, set_eom, &generation), 0);

	assert_int_equal(library_volume_replace(s->lib, a, in.id), 0);
	assert_text(s, a, "new");
	assert_int_equal(mtime_of(s, a), old_time);
	assert_string_equal(row_of(s, a).serial, was.serial);
	assert_string_equal(row_of(s, a).name, "A00001");
	assert_int_equal(row_of(s, a).state, STATE_ASSIGNED);
	assert_true(row_of(s, a).image_eom);
	assert_int_equal(row_of(s, a).image_eom_generation, stat_of(s, a).generation);
	assert_int_equal(catalog_volume_by_id(s->cat, in.id, &in), CATALOG_E_NONE);
	assert_int_equal(volume_history(s->kv, a, count_generation, &generations), 0);
	assert_int_equal(generations, 2);
	assert_int_equal(events(s, EVENT_VOLUME_REPLACED, "default/A00001"), 1);
	store_cut(s);
	assert_text(s, a, "new");
	assert_int_equal(mtime_of(s, a), old_time);
}

static void set_capacity(struct catalog_volume *row, void *ctx) { row->capacity_bytes = *(uint64_t *)ctx; }

static void an_image_that_is_too_long_for_the_tape_is_refused(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), four = 4;
	struct catalog_volume in;
	struct catalog_pool p;

	assert_int_equal(library_volume_change(s->lib, a, set_capacity, &four), 0);
	assert_int_equal(library_volume_create(s->lib, "default", ".in~", NULL, true, &in), 0);
	write_text(s, in.id, "hello");
	assert_refused(library_volume_replace(s->lib, a, in.id), -ENOSPC, "A00001");
	assert_text(s, a, "");
	assert_int_equal(catalog_pool_get(s->cat, "default", &p), 0);
	p.capacity_bytes = 4;
	assert_int_equal(catalog_pool_put(s->cat, &p), 0);
	assert_refused(library_volume_move(s->lib, in.id, "default", "A2"), -ENOSPC, "A2");
	assert_int_equal(row_of(s, in.id).state, STATE_INCOMING);
	four = 5;
	assert_int_equal(library_volume_change(s->lib, a, set_capacity, &four), 0);
	assert_int_equal(library_volume_replace(s->lib, a, in.id), 0);
	assert_text(s, a, "hello");
}

/* ---- what the catalog says ------------------------------------------------------------------------------------- */

static void set_mode(struct catalog_volume *row, void *ctx) { row->perm.mode = 0600; }

static void the_time_set_by_hand_is_shown_until_the_tape_is_written(void **state)
{
	struct store *s = *state;
	uint64_t a, by_hand = 777;

	clock_set(1000000);
	a = make(s, "A00001");
	write_text(s, a, "one");
	assert_int_equal(mtime_of(s, a), 1000000);
	clock_set(2000000);
	assert_int_equal(library_volume_change(s->lib, a, set_mtime, &by_hand), 0);
	assert_int_equal(mtime_of(s, a), 777);
	assert_int_equal(row_of(s, a).perm.ctime_ns, 2000000);
	clock_set(3000000);
	write_text(s, a, "two");
	assert_int_equal(mtime_of(s, a), 3000000);
	/* A change of mode is no change of the content's time. */
	clock_set(4000000);
	assert_int_equal(library_volume_change(s->lib, a, set_mode, NULL), 0);
	assert_int_equal(mtime_of(s, a), 3000000);
	assert_int_equal(row_of(s, a).perm.ctime_ns, 4000000);
	clock_set(0);
}

static void rename_behind_our_back(struct catalog_volume *row, void *ctx)
{
	strcpy(row->name, "EVIL");
	strcpy(row->serial, "0000000000000000");
	row->id = 99;
	row->pool = 99;
	row->protect = true;
}

static void a_change_cannot_change_who_it_is(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct catalog_volume was = row_of(s, a), row;

	assert_int_equal(library_volume_change(s->lib, a, rename_behind_our_back, NULL), 0);
	row = row_of(s, a);
	assert_string_equal(row.name, "A00001");
	assert_string_equal(row.serial, was.serial);
	assert_int_equal(row.pool, was.pool);
	assert_true(row.protect);
	assert_int_equal(events(s, EVENT_VOLUME_CHANGED, "default/A00001"), 1);
}

static void times_and_modes_are_no_events(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), t = 5;

	assert_int_equal(library_volume_change(s->lib, a, set_mode, NULL), 0);
	assert_int_equal(library_volume_change(s->lib, a, set_mtime, &t), 0);
	assert_int_equal(events(s, EVENT_VOLUME_CHANGED, NULL), 0);
}

static void a_pools_compression_holds_for_the_next_write(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct catalog_pool p;
	struct volume *v;

	v = claim(s, a, CLAIM_READ);
	assert_int_equal(catalog_pool_get(s->cat, CATALOG_POOL_DEFAULT, &p), 0);
	p.codec = p.codec == CHUNK_LZ4 ? CHUNK_PLAIN : CHUNK_LZ4;
	assert_int_equal(catalog_pool_put(s->cat, &p), 0);
	release(s, a, CLAIM_READ);
	assert_int_equal(library_load(s->lib, 0, a), 0);
	p.codec = p.codec == CHUNK_LZ4 ? CHUNK_PLAIN : CHUNK_LZ4;
	assert_int_equal(catalog_pool_put(s->cat, &p), 0);
	assert_int_equal(library_drive_open(s->lib, 0, true, &(struct drive *){ NULL }), 0);
	assert_int_equal(library_look(s->lib, a, &v), 0);
	assert_int_equal(volume_attr(v)->store.codec, p.codec);
	assert_int_equal(library_look_end(s->lib, a), 0);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
}

/* ---- pools ----------------------------------------------------------------------------------------------------- */

static void a_pool_with_volumes_goes_only_with_them(void **state)
{
	struct store *s = *state;
	struct catalog_pool p;

	assert_int_equal(library_pool_create(s->lib, "vault", NULL, NULL), 0);
	assert_int_equal(library_volume_create(s->lib, "vault", "V1", NULL, false, NULL), 0);
	assert_int_equal(library_volume_create(s->lib, "vault", "V2", NULL, false, NULL), 0);
	assert_refused(library_pool_destroy(s->lib, "vault", false), -ENOTEMPTY, "vault has volumes");
	assert_int_equal(library_pool_destroy(s->lib, "vault", true), 0);
	assert_int_equal(catalog_pool_get(s->cat, "vault", &p), CATALOG_E_NONE);
	assert_refused(library_pool_destroy(s->lib, "vault", true), -ENOENT, "vault");
	assert_int_equal(events(s, EVENT_POOL_DESTROYED, "vault"), 1);
}

static void a_pool_is_renamed(void **state)
{
	struct store *s = *state;

	assert_int_equal(library_pool_create(s->lib, "one", NULL, NULL), 0);
	assert_int_equal(library_pool_create(s->lib, "two", NULL, NULL), 0);
	assert_int_equal(library_volume_create(s->lib, "one", "V1", NULL, false, NULL), 0);
	assert_refused(library_pool_rename(s->lib, "one", "two"), -EEXIST, "two");
	assert_refused(library_pool_rename(s->lib, "none", "three"), -ENOENT, "none");
	assert_refused(library_pool_rename(s->lib, "one", "a/b"), -EINVAL, "a/b");
	assert_int_equal(library_pool_rename(s->lib, "one", "three"), 0);
	assert_int_equal(volumes_in(s, "three"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(a_new_volume_is_blank_and_has_its_pools_properties),
		ON_A_STORE(names_are_checked),
		ON_A_STORE(erasing_keeps_what_was_there_as_a_generation),
		ON_A_STORE(a_deleted_volume_is_gone_and_its_name_free),
		ON_A_STORE(what_is_in_use_is_neither_erased_nor_deleted_nor_replaced),
		ON_A_STORE(what_is_protected_stays),
		ON_A_STORE(a_worm_tape_with_data_stays),
		ON_A_STORE(a_volume_moves_while_it_is_used),
		ON_A_STORE(an_arriving_image_becomes_a_tape_by_its_name),
		ON_A_STORE(replacing_takes_content_and_times_and_keeps_the_cartridge),
		ON_A_STORE(an_image_that_is_too_long_for_the_tape_is_refused),
		ON_A_STORE(the_time_set_by_hand_is_shown_until_the_tape_is_written),
		ON_A_STORE(a_change_cannot_change_who_it_is),
		ON_A_STORE(times_and_modes_are_no_events),
		ON_A_STORE(a_pools_compression_holds_for_the_next_write),
		ON_A_STORE(a_pool_with_volumes_goes_only_with_them),
		ON_A_STORE(a_pool_is_renamed),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
