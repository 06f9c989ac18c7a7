/* SPDX-License-Identifier: BSD-2-Clause */
/* A locked tape at the doors of the mount: what would change it is EPERM and an event, and changes nothing. */
#include "mount.h"

#define DAY_NS (24ull * 3600 * 1000000000ull)

/* default/TAPE has "first" and "second" and is locked; in default/OTHER and else/FREE is "free". */
static const uint8_t an_image[] = { 2, 0, 0, 0, 'h', 'i', 2, 0, 0, 0, 0, 0, 0, 0 };

static uint64_t id_of(struct mount *m, const char *name)
{
	struct catalog_volume v;

	assert_int_equal(catalog_volume_get(m->store.cat, name, &v), 0);
	return v.id;
}

static void fill(struct mount *m)
{
	assert_int_equal(library_pool_create(m->store.lib, "else", NULL, NULL), 0);
	assert_int_equal(write_file(m, "tapes/default/TAPE", 0, "first", 5, 5), 0);
	assert_int_equal(write_file(m, "tapes/default/TAPE", FILE_APPEND, "second", 6, 6), 0);
	assert_int_equal(write_file(m, "tapes/default/OTHER", 0, "free", 4, 4), 0);
	assert_int_equal(write_file(m, "tapes/else/FREE", 0, "free", 4, 4), 0);
	assert_int_equal(library_volume_lock(m->store.lib, id_of(m, "TAPE"), clock_retention_ns() + DAY_NS), 0);
}

static int write_tape(struct mount *m) { return write_file(m, "tapes/default/TAPE", 0, "evil", 4, 4); }
static int write_truncated(struct mount *m) { return write_file(m, "tapes/default/TAPE", FILE_TRUNC, "evil", 4, 4); }
static int unlink_tape(struct mount *m) { return remove_path(m, "tapes/default/TAPE"); }
static int unlink_image(struct mount *m) { return remove_path(m, "images/default/TAPE.tap"); }

static int remove_dir(struct mount *m, const char *path)
{
	struct node dir, n;
	char name[256];
	int r = walk(m, path, &dir, name, &n);

	return r ? r : tree_rmdir(&m->fs, &dir, name);
}
static int rename_onto(struct mount *m) { return rename_path(m, "tapes/default/OTHER", "tapes/default/TAPE"); }
static int rename_over_another(struct mount *m) { return rename_path(m, "tapes/default/TAPE", "tapes/default/OTHER"); }
static int rename_out(struct mount *m) { return rename_path(m, "tapes/default/TAPE", "tapes/else/TAPE"); }
static int image_out(struct mount *m) { return rename_path(m, "images/default/TAPE.tap", "images/else/TAPE.tap"); }
static int image_onto(struct mount *m) { return rename_path(m, "images/default/OTHER.tap", "images/default/TAPE.tap"); }

static int image_written(struct mount *m)
{
	return write_file(m, "images/default/TAPE.tap", FILE_TRUNC, an_image, sizeof(an_image), 100);
}

static int image_in_place(struct mount *m)
{
	return write_file(m, "images/default/TAPE.tap", 0, an_image, sizeof(an_image), 100);
}

static int image_cut(struct mount *m)
{
	struct file *f = must_open(m, "images/default/TAPE.tap", FILE_WRITE);
	int r = f->ops->truncate(f, 14), closed = close_file(f);

	return r ? r : closed;
}

/* As rsync does it. */
static int image_arrives(struct mount *m)
{
	int r = write_file(m, "images/default/.TAPE.tap.x1", 0, an_image, sizeof(an_image), 100);

	return r ? r : rename_path(m, "images/default/.TAPE.tap.x1", "images/default/TAPE.tap");
}

static int in_drive(struct mount *m, int op, int count)
{
	struct file *f;
	int r;

	assert_int_equal(library_load(m->store.lib, 0, id_of(m, "TAPE")), 0);
	f = must_open(m, "drives/nst0", FILE_READ | FILE_WRITE);
	assert_int_equal(f->ops->op(f, MTSETDRVBUFFER, MT_ST_SETBOOLEANS | MT_ST_CAN_PARTITIONS, true), 0);
	r = op < 0 ? put(f, "evil", 4, 0) : f->ops->op(f, op, count, true);
	file_release(f);
	assert_int_equal(library_unload(m->store.lib, 0), 0);
	return r;
}

static int drive_write(struct mount *m) { return in_drive(m, -1, 0); }
static int drive_mark(struct mount *m) { return in_drive(m, MTWEOF, 1); }
static int drive_blank(struct mount *m) { return in_drive(m, MTERASE, 1); }
static int drive_parted(struct mount *m) { return in_drive(m, MTMKPART, 1); }

static const struct { const char *name; int (*act)(struct mount *m); } acts[] = {
	{ "write", write_tape }, { "write, truncated", write_truncated }, { "rm", unlink_tape },
	{ "rm of the image", unlink_image }, { "rename onto it", rename_onto }, { "rename it over", rename_over_another },
	{ "mv to another pool", rename_out }, { "mv of the image", image_out }, { "mv onto the image", image_onto },
	{ "cp to the image", image_written }, { "cp in place", image_in_place }, { "cut the image", image_cut },
	{ "rsync", image_arrives }, { "dd to the drive", drive_write }, { "mt weof", drive_mark }, { "mt erase", drive_blank },
	{ "mt mkpartition", drive_parted },
};

struct refusals { unsigned count; };
static int count_refused(void *ctx, const struct catalog_event *e)
{
	((struct refusals *)ctx)->count += e->number == EVENT_LOCK_REFUSED && !strcmp(e->about, "default/TAPE");
	return 0;
}

static void nothing_changes_a_locked_tape(void **state)
{
	static const uint8_t whole[] = {
		5, 0, 0, 0, 'f', 'i', 'r', 's', 't', 0, 5, 0, 0, 0, 0, 0, 0, 0,
		6, 0, 0, 0, 's', 'e', 'c', 'o', 'n', 'd', 6, 0, 0, 0, 0, 0, 0, 0,
	};

	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		struct refusals told = { 0 };
		uint8_t got[256];
		struct mount *m;
		int r;

		mount_new(state);
		m = *state;
		fill(m);
		r = acts[i].act(m);
		if (r != -EPERM)
			fail_msg("%s: %d", acts[i].name, r);
		assert_int_equal(catalog_event_each(m->store.cat, 0, count_refused, &told), 0);
		if (told.count != 1)
			fail_msg("%s: told %u times", acts[i].name, told.count);
		mount_cut(m);
		assert_int_equal(read_file(m, "images/default/TAPE.tap", got, sizeof(got)), sizeof(whole));
		assert_memory_equal(got, whole, sizeof(whole));
		assert_int_equal(stat_path(m, "tapes/default/OTHER").st_size, 4);
		mount_free(state);
	}
}

static void a_folder_of_a_locked_tape_is_not_empty(void **state)
{
	struct mount *m = *state;

	fill(m);
	assert_int_equal(remove_dir(m, "files/default/TAPE"), -ENOTEMPTY);
}

/* Reading, appending at every door, renaming within the pool: all that a tape needs to go on living. */
static void a_locked_tape_can_be_read_and_appended_to(void **state)
{
	static const uint8_t more[] = { 2, 0, 0, 0, 'h', 'i', 2, 0, 0, 0, 0, 0, 0, 0 };
	struct mount *m = *state;
	struct file *f;
	uint64_t size;

	fill(m);
	assert_int_equal(write_file(m, "tapes/default/TAPE", FILE_APPEND, "third", 5, 5), 0);
	assert_int_equal(write_file(m, "files/default/TAPE/fourth", 0, "fourth", 6, 6), 0);
	size = (uint64_t)stat_path(m, "images/default/TAPE.tap").st_size;
	f = must_open(m, "images/default/TAPE.tap", FILE_WRITE);
	assert_int_equal(put(f, more, sizeof(more), size), 0);
	assert_int_equal(close_file(f), 0);
	assert_int_equal(rename_path(m, "tapes/default/TAPE", "tapes/default/NAME"), 0);
	assert_int_equal(stat_path(m, "tapes/default/NAME").st_size, 5 + 6 + 5 + 6 + 2);
	assert_int_equal(remove_path(m, "tapes/default/NAME"), -EPERM);
}

static void a_locked_pool_is_not_removed(void **state)
{
	struct mount *m = *state;
	uint64_t until = clock_retention_ns() + DAY_NS;

	assert_int_equal(library_pool_create(m->store.lib, "empty", NULL, NULL), 0);
	assert_int_equal(library_pool_create(m->store.lib, "vault", NULL, NULL), 0);
	assert_int_equal(library_pool_lock(m->store.lib, "vault", until), 0);
	assert_int_equal(remove_dir(m, "tapes/vault"), -EPERM);
	assert_int_equal(rename_path(m, "tapes/empty", "tapes/vault"), -EPERM);
	assert_int_equal(rename_path(m, "tapes/vault", "tapes/safe"), 0);
	assert_int_equal(remove_dir(m, "tapes/safe"), -EPERM);
}

#define ON_A_MOUNT(test) cmocka_unit_test_setup_teardown(test, mount_new, mount_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_changes_a_locked_tape),
		ON_A_MOUNT(a_folder_of_a_locked_tape_is_not_empty),
		ON_A_MOUNT(a_locked_tape_can_be_read_and_appended_to),
		ON_A_MOUNT(a_locked_pool_is_not_removed),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
