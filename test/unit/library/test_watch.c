/* SPDX-License-Identifier: BSD-2-Clause */
/* Who watches is told of everything that happens to contents, and who wrote them last is known. */
#include "unit/library/store.h"

struct told { uint64_t volume; enum library_watch what; };
static struct told told[64];
static unsigned count;

static void tell(void *ctx, uint64_t volume, enum library_watch what)
{
	assert_true(count < ARRAY_LEN(told));
	told[count++] = (struct told){ volume, what };
}

static bool was_told(uint64_t volume, enum library_watch what)
{
	for (unsigned i = 0; i < count; i++)
		if (told[i].volume == volume && told[i].what == what)
			return true;
	return false;
}

/* The last thing that was told. */
static void assert_last(uint64_t volume, enum library_watch what)
{
	assert_true(count > 0);
	assert_int_equal(told[count - 1].volume, volume);
	assert_int_equal(told[count - 1].what, what);
}

static void watch(struct store *s)
{
	count = 0;
	library_watch(s->lib, tell, NULL);
}

static void a_writer_is_told_when_he_comes_and_when_he_is_gone(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A00001");

	watch(s);
	claim(s, id, CLAIM_WRITE);
	assert_last(id, WATCH_WRITING);
	release(s, id, CLAIM_WRITE);
	assert_last(id, WATCH_WRITTEN);
	claim(s, id, CLAIM_READ);
	release(s, id, CLAIM_READ);
	assert_int_equal(count, 2);
	library_watch(s->lib, NULL, NULL);
	write_text(s, id, "unwatched");
	assert_int_equal(count, 2);
}

static void a_drive_that_is_open_for_writing_is_a_writer(void **state)
{
	struct store *s = *state;
	uint64_t one = make(s, "A00001"), two = make(s, "A00002");
	struct drive *d;

	watch(s);
	assert_int_equal(library_load(s->lib, 0, one), 0);
	assert_int_equal(count, 0);
	assert_int_equal(library_drive_open(s->lib, 0, false, &d), 0);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(count, 0);
	assert_int_equal(library_drive_open(s->lib, 0, true, &d), 0);
	assert_last(one, WATCH_WRITING);
	assert_int_equal(library_drive_eject(s->lib, 0), 0);
	assert_last(one, WATCH_WRITTEN);
	assert_int_equal(library_drive_reload(s->lib, 0), 0);
	assert_last(one, WATCH_WRITING);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_last(one, WATCH_WRITTEN);
	assert_false(was_told(two, WATCH_WRITING));
}

static int turn_contents(struct catalog_pool *p, void *ctx)
{
	p->contents = ctx != NULL;
	return 0;
}

static void what_changes_contents_is_told(void **state)
{
	struct store *s = *state;
	uint64_t one = make(s, "A00001"), two = make(s, "A00002");
	const struct tape_gc_config cfg = { 0 };
	struct library_gc_report done;
	struct catalog_pool pool;

	write_text(s, one, "one");
	write_text(s, two, "two");
	watch(s);
	assert_int_equal(library_volume_erase(s->lib, one), 0);
	assert_last(one, WATCH_CHANGED);
	assert_int_equal(library_volume_restore(s->lib, one, 1), 0);
	assert_last(one, WATCH_CHANGED);
	assert_int_equal(library_pool_create(s->lib, "other", NULL, &pool), 0);
	count = 0;
	assert_int_equal(library_volume_move(s->lib, one, CATALOG_POOL_DEFAULT, "A00003"), 0);
	assert_int_equal(count, 0);
	assert_int_equal(library_volume_move(s->lib, one, "other", "A00003"), 0);
	assert_last(one, WATCH_CHANGED);
	assert_int_equal(library_volume_replace(s->lib, one, two), 0);
	assert_true(was_told(two, WATCH_DELETED) && was_told(one, WATCH_CHANGED));
	assert_int_equal(library_pool_change(s->lib, "other", turn_contents, NULL), 0);
	assert_last(LIBRARY_EVERY_VOLUME, WATCH_CHANGED);
	pool.keep_s = 0;
	pool.contents = false;
	assert_int_equal(catalog_pool_put(s->cat, &pool), 0);
	count = 0;
	assert_int_equal(library_gc(s->lib, &cfg, &done), 0);
	assert_true(done.dropped_generations > 0 && was_told(one, WATCH_DROPPED));
	assert_int_equal(library_volume_delete(s->lib, one), 0);
	assert_last(one, WATCH_DELETED);
}

static enum library_door door(struct store *s, uint64_t id)
{
	struct library_writer w;

	library_writer(s->lib, id, &w);
	return w.door;
}

static void the_last_writer_is_known(void **state)
{
	struct store *s = *state;
	uint64_t one = make(s, "A00001"), two = make(s, "A00002");
	const struct library_writer tar = { LIBRARY_DOOR_TAPES, 1000, "tar", -1 };
	const struct library_writer dd = { LIBRARY_DOOR_DRIVE, 0, "dd", 0 };
	struct library_writer w;
	struct drive *d;

	assert_int_equal(door(s, one), LIBRARY_DOOR_UNKNOWN);
	library_writer_is(s->lib, one, &tar);
	library_writer(s->lib, one, &w);
	assert_string_equal(w.program, "tar");
	assert_int_equal(w.uid, 1000);
	assert_int_equal(door(s, two), LIBRARY_DOOR_UNKNOWN);

	/* Who has the drive writes what comes into it. */
	assert_int_equal(library_drive_open(s->lib, 0, true, &d), 0);
	library_writer_is(s->lib, 0, &dd);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(library_load(s->lib, 0, one), 0);
	assert_int_equal(library_drive_open(s->lib, 0, true, &d), 0);
	library_writer_is(s->lib, one, &dd);
	assert_int_equal(door(s, one), LIBRARY_DOOR_DRIVE);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(library_unload(s->lib, 0), 0);

	write_text(s, one, "one");
	write_text(s, one, "again");
	assert_int_equal(library_volume_restore(s->lib, one, 1), 0);
	assert_int_equal(door(s, one), LIBRARY_DOOR_UNKNOWN);
	library_writer_is(s->lib, two, &tar);
	write_text(s, two, "two");
	assert_int_equal(library_volume_replace(s->lib, one, two), 0);
	assert_int_equal(door(s, one), LIBRARY_DOOR_TAPES);
}

static void doors_have_names(void **state)
{
	assert_string_equal(library_door_name(LIBRARY_DOOR_SCSI), "scsi");
	assert_string_equal(library_door_name((enum library_door)77), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(a_writer_is_told_when_he_comes_and_when_he_is_gone),
		ON_A_STORE(a_drive_that_is_open_for_writing_is_a_writer),
		ON_A_STORE(what_changes_contents_is_told),
		ON_A_STORE(the_last_writer_is_known),
		cmocka_unit_test(doors_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
