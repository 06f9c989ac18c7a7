/* SPDX-License-Identifier: BSD-2-Clause */
/* mkdir, rm, mv, chmod, touch on pools and tapes; opening tapes and drives through the tree. */
#include "mount.h"

static int make_dir(struct mount *m, const char *path)
{
	struct node dir, n;
	char name[256];
	int r = walk(m, path, &dir, name, &n);

	return r == -ENOENT ? tree_mkdir(&m->fs, &dir, name, &somebody, &n) : r ? r : -EEXIST;
}

static int remove_dir(struct mount *m, const char *path)
{
	struct node dir, n;
	char name[256];
	int r = walk(m, path, &dir, name, &n);

	return r ? r : tree_rmdir(&m->fs, &dir, name);
}

static void put_tape(struct mount *m, const char *path, const char *text)
{
	assert_int_equal(write_file(m, path, 0, text, strlen(text), 100), 0);
}

static void assert_tape(struct mount *m, const char *path, const char *text)
{
	char got[200] = "";

	read_file(m, path, got, sizeof(got) - 1);
	assert_string_equal(got, text);
}

static void a_folder_made_is_a_pool(void **state)
{
	struct mount *m = *state;

	assert_int_equal(make_dir(m, "tapes/one"), 0);
	assert_int_equal(make_dir(m, "images/two"), 0);
	assert_int_equal(make_dir(m, "files/two"), -EEXIST);
	assert_string_equal(list(m, "tapes", 9), "default one two");
	assert_int_equal(stat_path(m, "files/one").st_uid, 11);
	assert_int_equal(make_dir(m, "tapes/one/deeper"), -EPERM);
	assert_int_equal(make_dir(m, "drives/x"), -EPERM);
	assert_int_equal(make_dir(m, "x"), -EPERM);
	assert_int_equal(make_dir(m, "tapes/.x"), -EINVAL);
}

static void below_files_a_folder_made_is_a_volume(void **state)
{
	struct mount *m = *state;

	assert_int_equal(make_dir(m, "files/default/V"), 0);
	assert_string_equal(list(m, "tapes/default", 9), "V");
	assert_int_equal(remove_dir(m, "files/default/V"), 0);
	assert_string_equal(list(m, "tapes/default", 9), "");
}

static void only_empty_folders_can_be_removed(void **state)
{
	struct mount *m = *state;

	assert_int_equal(make_dir(m, "tapes/one"), 0);
	put_tape(m, "tapes/one/A", "a");
	assert_int_equal(remove_dir(m, "tapes/one"), -ENOTEMPTY);
	assert_int_equal(remove_dir(m, "files/one/A"), -ENOTEMPTY);
	assert_int_equal(remove_dir(m, "tapes/one/A"), -ENOTDIR);
	assert_int_equal(remove_dir(m, "tapes"), -EPERM);
	assert_int_equal(remove_path(m, "tapes/one"), -EISDIR);
	assert_int_equal(remove_path(m, "tapes/one/A"), 0);
	assert_int_equal(remove_dir(m, "tapes/one"), 0);
}

static void a_tape_moves_to_a_free_name(void **state)
{
	struct mount *m = *state;

	assert_int_equal(make_dir(m, "tapes/one"), 0);
	put_tape(m, "tapes/default/A", "a");
	assert_int_equal(rename_path(m, "tapes/default/A", "tapes/one/B"), 0);
	assert_string_equal(list(m, "tapes/default", 9), "");
	assert_tape(m, "tapes/one/B", "a");
	assert_int_equal(rename_path(m, "tapes/one/B", "tapes/B"), -EPERM);
	assert_int_equal(rename_path(m, "tapes/one/B", "images/default/B.tap"), -EPERM);
	assert_int_equal(rename_path(m, "tapes/one/B", "tapes/one/not a name"), -EINVAL);
}

static void a_tape_moved_over_another_is_its_new_content(void **state)
{
	struct mount *m = *state;
	struct node dir;

	put_tape(m, "tapes/default/A", "a");
	put_tape(m, "tapes/default/B", "b");
	assert_int_equal(find(m, "tapes/default", &dir), 0);
	assert_int_equal(tree_rename(&m->fs, &dir, "A", &dir, "B", true), -EEXIST);
	assert_int_equal(rename_path(m, "tapes/default/A", "tapes/default/B"), 0);
	assert_string_equal(list(m, "tapes/default", 9), "B");
	assert_tape(m, "tapes/default/B", "a");
}

static void a_pool_is_renamed(void **state)
{
	struct mount *m = *state;

	assert_int_equal(make_dir(m, "tapes/one"), 0);
	put_tape(m, "tapes/one/A", "a");
	assert_int_equal(rename_path(m, "tapes/one", "tapes/two"), 0);
	assert_tape(m, "tapes/two/A", "a");
	assert_int_equal(make_dir(m, "tapes/three"), 0);
	assert_int_equal(rename_path(m, "tapes/two", "tapes/three"), 0);
	assert_tape(m, "tapes/three/A", "a");
	assert_int_equal(rename_path(m, "tapes/default", "tapes/three"), -ENOTEMPTY);
}

static void modes_owners_and_times_are_kept(void **state)
{
	struct mount *m = *state;
	struct catalog_perm p = { 0604, 21, 22, 1234567890123456789ull, 0 };
	struct node n;
	struct stat s;

	put_tape(m, "tapes/default/A", "a");
	assert_int_equal(find(m, "tapes/default/A", &n), 0);
	assert_int_equal(tree_setattr(&m->fs, &n, TREE_MODE | TREE_UID | TREE_GID | TREE_MTIME, &p), 0);
	s = stat_path(m, "images/default/A.tap");
	assert_int_equal(s.st_mode & 07777, 0604);
	assert_int_equal(s.st_uid, 21);
	assert_int_equal(s.st_gid, 22);
	assert_int_equal(s.st_mtim.tv_sec, 1234567890);
	assert_int_equal(s.st_mtim.tv_nsec, 123456789);
	assert_int_equal(find(m, "tapes/default", &n), 0);
	assert_int_equal(tree_setattr(&m->fs, &n, TREE_MODE, &p), 0);
	assert_int_equal(stat_path(m, "files/default").st_mode & 07777, 0604);
	assert_int_equal(find(m, "drives/nst0", &n), 0);
	assert_int_equal(tree_setattr(&m->fs, &n, TREE_MODE, &p), -EPERM);
	assert_int_equal(tree_setattr(&m->fs, &n, TREE_MTIME, &p), 0);
}

static void a_time_set_before_close_survives_the_mark_of_close(void **state)
{
	struct mount *m = *state;
	struct catalog_perm p = { .mtime_ns = 1000000000000000000ull };
	struct file *f = must_open(m, "tapes/default/A", FILE_WRITE);

	assert_int_equal(put(f, "a", 1, 0), 0);
	assert_int_equal(tree_setattr(&m->fs, &f->node, TREE_MTIME, &p), 0);
	assert_int_equal(close_file(f), 0);
	assert_int_equal(stat_path(m, "tapes/default/A").st_mtim.tv_sec, 1000000000);
}

static void a_write_after_it_makes_the_time_new(void **state)
{
	struct mount *m = *state;
	struct catalog_perm p = { .mtime_ns = 1000000000000000000ull };
	struct node n;

	put_tape(m, "tapes/default/A", "a");
	assert_int_equal(find(m, "tapes/default/A", &n), 0);
	assert_int_equal(tree_setattr(&m->fs, &n, TREE_MTIME, &p), 0);
	put_tape(m, "tapes/default/A", "b");
	assert_true(stat_path(m, "tapes/default/A").st_mtim.tv_sec > 1000000000);
}

/* ---- tapes as files -------------------------------------------------------------------------------------------- */

static void a_tape_begins_at_its_beginning_and_appends_at_its_end(void **state)
{
	struct mount *m = *state;
	char got[100] = "";
	struct file *f;
	size_t n;

	put_tape(m, "tapes/default/A", "one");
	assert_int_equal(write_file(m, "tapes/default/A", FILE_APPEND, "two", 3, 3), 0);
	f = must_open(m, "tapes/default/A", FILE_READ);
	assert_true(f->sequential);
	assert_int_equal(f->ops->read(f, got, 100, 0, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(f->ops->read(f, got, 100, 0, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(f->ops->read(f, got, 100, 0, &n), 0);
	assert_memory_equal(got, "two", 3);
	assert_int_equal(close_file(f), 0);
}

static void opening_truncated_without_a_write_cuts_nothing(void **state)
{
	struct mount *m = *state;

	put_tape(m, "tapes/default/A", "one");
	assert_int_equal(close_file(must_open(m, "tapes/default/A", FILE_WRITE | FILE_TRUNC)), 0);
	assert_tape(m, "tapes/default/A", "one");
	put_tape(m, "tapes/default/A", "x");
	assert_tape(m, "tapes/default/A", "x");
}

static void a_blank_tape_reads_as_an_empty_file(void **state)
{
	struct mount *m = *state;

	assert_int_equal(close_file(must_open(m, "tapes/default/A", FILE_WRITE)), 0);
	assert_tape(m, "tapes/default/A", "");
}

static void a_writer_has_a_tape_alone(void **state)
{
	struct mount *m = *state;
	struct file *f = must_open(m, "tapes/default/A", FILE_WRITE), *g;

	assert_int_equal(put(f, "abc", 3, 0), 0);
	assert_int_equal(open_file(m, "tapes/default/A", FILE_READ, &g), -EBUSY);
	assert_int_equal(open_file(m, "files/default/A/new", FILE_WRITE, &g), -EBUSY);
	assert_int_equal(remove_path(m, "tapes/default/A"), -EBUSY);
	assert_int_equal(close_file(f), 0);
	f = must_open(m, "tapes/default/A", FILE_READ);
	g = must_open(m, "tapes/default/A", FILE_READ);
	assert_int_equal(close_file(f), 0);
	assert_int_equal(close_file(g), 0);
}

struct late { struct file *f; pthread_t thread; };

static void *release_late(void *arg)
{
	struct late *l = arg;

	nanosleep(&(struct timespec){ 0, 400 * 1000 * 1000 }, NULL);
	file_release(l->f);
	return NULL;
}

/* RELEASE comes when it comes; the next open waits for it, longer than the library would. */
static void an_open_waits_for_a_file_that_was_closed(void **state)
{
	struct mount *m = *state;
	struct late l;

	l.f = must_open(m, "tapes/default/A", FILE_WRITE);
	assert_int_equal(put(l.f, "abc", 3, 0), 0);
	assert_int_equal(file_flush(l.f), 0);
	assert_int_equal(pthread_create(&l.thread, NULL, release_late, &l), 0);
	assert_tape(m, "tapes/default/A", "abc");
	pthread_join(l.thread, NULL);
	l.f = must_open(m, "drives/nst0", FILE_NONBLOCK | FILE_READ);
	assert_int_equal(file_flush(l.f), 0);
	assert_int_equal(pthread_create(&l.thread, NULL, release_late, &l), 0);
	assert_int_equal(close_file(must_open(m, "drives/st0", FILE_NONBLOCK | FILE_READ)), 0);
	pthread_join(l.thread, NULL);
}

static void unmounting_writes_open_tapes_out(void **state)
{
	struct mount *m = *state;
	struct file *f = must_open(m, "tapes/default/A", FILE_WRITE);

	assert_int_equal(put(f, "abc", 3, 0), 0);
	file_release_all(&m->fs);
	mount_cut(m);
	assert_tape(m, "tapes/default/A", "abc");
}

static void what_close_returned_for_is_there_after_a_power_cut(void **state)
{
	struct mount *m = *state;

	put_tape(m, "tapes/default/A", "one");
	mount_cut(m);
	assert_tape(m, "tapes/default/A", "one");
	assert_int_equal(stat_path(m, "images/default/A.tap").st_size, 4 + 4 + 4 + 4);
}

/* ---- drives ---------------------------------------------------------------------------------------------------- */

static void load(struct mount *m, const char *name)
{
	struct catalog_volume v;

	assert_int_equal(catalog_volume_get(m->store.cat, name, &v), 0);
	assert_int_equal(library_load(m->store.lib, 0, v.id), 0);
}

static void a_drive_is_used_by_one_program_at_a_time(void **state)
{
	struct mount *m = *state;
	struct file *f, *g;

	assert_int_equal(open_file(m, "drives/nst0", FILE_READ, &f), -ENOMEDIUM);
	put_tape(m, "tapes/default/A", "one");
	load(m, "A");
	f = must_open(m, "drives/nst0", FILE_READ);
	assert_int_equal(open_file(m, "drives/nst0", FILE_READ, &g), -EBUSY);
	assert_int_equal(open_file(m, "drives/st0", FILE_READ, &g), -EBUSY);
	assert_int_equal(close_file(f), 0);
	assert_int_equal(close_file(must_open(m, "drives/st0", FILE_READ)), 0);
}

static void a_drive_and_a_file_are_one_tape(void **state)
{
	struct mount *m = *state;
	struct file *f, *g;
	char got[10];
	size_t n;

	put_tape(m, "tapes/default/A", "one");
	load(m, "A");
	assert_int_equal(open_file(m, "tapes/default/A", FILE_WRITE, &g), -EBUSY);
	assert_tape(m, "tapes/default/A", "one");
	f = must_open(m, "drives/nst0", FILE_READ | FILE_WRITE);
	assert_int_equal(f->ops->read(f, got, 10, 0, &n), 0);
	assert_memory_equal(got, "one", 3);
	assert_int_equal(f->ops->op(f, MTEOM, 1, false), 0);
	assert_int_equal(put(f, "two", 3, 0), 0);
	assert_int_equal(close_file(f), 0);
	assert_string_equal(list(m, "files/default/A", 9), "0001 0002");
}

static void a_tape_goes_out_of_a_drive_and_in_again(void **state)
{
	struct mount *m = *state;
	struct file *f;
	struct mtget st;

	put_tape(m, "tapes/default/A", "one");
	load(m, "A");
	f = must_open(m, "drives/nst0", FILE_READ | FILE_WRITE);
	assert_int_equal(f->ops->op(f, MTEOM, 1, false), 0);
	assert_int_equal(put(f, "two", 3, 0), 0);
	assert_int_equal(f->ops->op(f, MTOFFL, 1, false), 0);
	assert_int_equal(f->ops->op(f, MTREW, 1, false), -ENOMEDIUM);
	assert_tape(m, "tapes/default/A", "one");
	assert_int_equal(f->ops->op(f, MTLOAD, 1, false), 0);
	assert_int_equal(f->ops->get(f, &st), 0);
	assert_int_equal(st.mt_fileno, 0);
	assert_int_equal(close_file(f), 0);
	assert_string_equal(list(m, "files/default/A", 9), "0001 0002");
}

#define MOUNTED(f) cmocka_unit_test_setup_teardown(f, mount_new, mount_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNTED(a_folder_made_is_a_pool),
		MOUNTED(below_files_a_folder_made_is_a_volume),
		MOUNTED(only_empty_folders_can_be_removed),
		MOUNTED(a_tape_moves_to_a_free_name),
		MOUNTED(a_tape_moved_over_another_is_its_new_content),
		MOUNTED(a_pool_is_renamed),
		MOUNTED(modes_owners_and_times_are_kept),
		MOUNTED(a_time_set_before_close_survives_the_mark_of_close),
		MOUNTED(a_write_after_it_makes_the_time_new),
		MOUNTED(a_tape_begins_at_its_beginning_and_appends_at_its_end),
		MOUNTED(opening_truncated_without_a_write_cuts_nothing),
		MOUNTED(a_blank_tape_reads_as_an_empty_file),
		MOUNTED(a_writer_has_a_tape_alone),
		MOUNTED(an_open_waits_for_a_file_that_was_closed),
		MOUNTED(unmounting_writes_open_tapes_out),
		MOUNTED(what_close_returned_for_is_there_after_a_power_cut),
		MOUNTED(a_drive_is_used_by_one_program_at_a_time),
		MOUNTED(a_drive_and_a_file_are_one_tape),
		MOUNTED(a_tape_goes_out_of_a_drive_and_in_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
