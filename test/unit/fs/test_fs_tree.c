/* SPDX-License-Identifier: BSD-2-Clause */
/* What is where, and what stat says of it. */
#include "mount.h"

static uint64_t make_volume(struct mount *m, const char *name)
{
	struct catalog_volume v;

	assert_int_equal(library_volume_create(m->store.lib, "default", name, NULL, false, &v), 0);
	return v.id;
}

static void the_root_has_four_doors(void **state)
{
	assert_string_equal(list(*state, "", 100), "tapes files images drives");
}

static void every_drive_has_two_names(void **state)
{
	struct mount *m = *state;
	struct node n = { NODE_ROOT };

	assert_string_equal(list(m, "drives", 100), "nst0 st0 nst1 st1");
	assert_int_equal(find(m, "drives/st1", &n), 0);
	assert_int_equal(n.drive, 1);
	assert_true(n.rewinds);
	assert_int_equal(find(m, "drives/nst1", &n), 0);
	assert_false(n.rewinds);
	assert_int_equal(find(m, "drives/nst2", &n), -ENOENT);
	assert_int_equal(find(m, "drives/nst01", &n), -ENOENT);
	assert_int_equal(find(m, "drives/nst", &n), -ENOENT);
	assert_int_equal(find(m, "drives/nst0x", &n), -ENOENT);
}

static void a_volume_is_behind_three_doors(void **state)
{
	struct mount *m = *state;

	make_volume(m, "A");
	make_volume(m, "B");
	assert_string_equal(list(m, "tapes", 100), "default");
	assert_string_equal(list(m, "tapes/default", 100), "A B");
	assert_string_equal(list(m, "files/default", 100), "A B");
	assert_string_equal(list(m, "images/default", 100), "A.tap B.tap");
	assert_string_equal(list(m, "files/default/A", 100), "");
}

static void a_long_folder_comes_in_pages(void **state)
{
	struct mount *m = *state;
	char name[16], want[4096] = "";

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "V%03d", i);
		make_volume(m, name);
		snprintf(want + strlen(want), sizeof(want) - strlen(want), "%s%s", i ? " " : "", name);
	}
	assert_string_equal(list(m, "tapes/default", 1000), want);
	assert_string_equal(list(m, "tapes/default", 7), want);
	assert_string_equal(list(m, "tapes/default", 1), want);
}

static bool take_two(void *ctx, const char *name, const struct node *n, const struct stat *attr, uint64_t next)
{
	struct names *l = ctx;

	return names_add(l, name, n, attr, next);
}

static void a_folder_can_be_read_from_any_place_again(void **state)
{
	struct mount *m = *state;
	struct tree_walk w = { .fs = &m->fs };
	struct names l = { .left = 2 };

	make_volume(m, "A");
	make_volume(m, "B");
	make_volume(m, "C");
	assert_int_equal(find(m, "tapes/default", &w.dir), 0);
	assert_int_equal(tree_list(&w, 0, take_two, &l), 0);
	assert_string_equal(l.text, "A B");
	l = (struct names){ .left = 2 };
	assert_int_equal(tree_list(&w, 1, take_two, &l), 0);
	assert_string_equal(l.text, "B C");
	l = (struct names){ .left = 9 };
	assert_int_equal(tree_list(&w, 0, take_two, &l), 0);
	assert_string_equal(l.text, "A B C");
}

static void a_tape_is_as_large_as_its_data(void **state)
{
	struct mount *m = *state;
	char data[1000] = "x";
	struct stat s;

	assert_int_equal(write_file(m, "tapes/default/A", 0, data, 1000, 300), 0);
	s = stat_path(m, "tapes/default/A");
	assert_int_equal(s.st_size, 1000);
	assert_true(S_ISREG(s.st_mode));
	assert_int_equal(s.st_mode & 07777, 0640);
	assert_int_equal(s.st_uid, 11);
	assert_int_equal(s.st_gid, 12);
	assert_true(s.st_blocks * 512 >= 1000);	/* or cp takes it for a file with holes */
	assert_int_equal(stat_path(m, "files/default/A").st_mode, S_IFDIR | 0750);
	assert_int_equal(stat_path(m, "images/default/A.tap").st_size, 1000 + 4 * 8 + 4);
}

static void a_tape_that_is_gone_is_stale(void **state)
{
	struct mount *m = *state;
	struct node n, image;
	struct stat s;

	make_volume(m, "A");
	assert_int_equal(find(m, "tapes/default/A", &n), 0);
	assert_int_equal(find(m, "images/default/A.tap", &image), 0);
	assert_int_equal(remove_path(m, "tapes/default/A"), 0);
	assert_int_equal(tree_attr(&m->fs, &n, &s), -ESTALE);
	assert_int_equal(tree_attr(&m->fs, &image, &s), -ESTALE);
	assert_int_equal(find(m, "tapes/default/A", &n), -ENOENT);
}

static void below_a_file_there_is_nothing(void **state)
{
	struct mount *m = *state;
	struct node n;

	make_volume(m, "A");
	assert_int_equal(find(m, "tapes/default/A/x", &n), -ENOTDIR);
	assert_int_equal(find(m, "tapes/nowhere", &n), -ENOENT);
	assert_int_equal(find(m, "nowhere", &n), -ENOENT);
}

static void statfs_tells_the_space_of_the_store(void **state)
{
	struct mount *m = *state;
	struct statvfs s;

	packs_mem_set_space(m->store.packs, 40960, 81920);
	assert_int_equal(tree_statfs(&m->fs, &s), 0);
	assert_int_equal(s.f_bavail, 10);
	assert_int_equal(s.f_blocks, 20);
}

static void attributes_tell_what_is_known_of_a_tape(void **state)
{
	struct mount *m = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct node n;

	assert_int_equal(write_file(m, "tapes/default/A", 0, "abc", 3, 3), 0);
	assert_int_equal(find(m, "tapes/default/A", &n), 0);
	assert_int_equal(xattr_get(&m->fs, &n, "barcode", &b), 0);
	assert_string_equal((char *)b.data, "A");
	b.len = 0;
	assert_int_equal(xattr_get(&m->fs, &n, "logical", &b), 0);
	assert_string_equal((char *)b.data, "3");
	b.len = 0;
	assert_int_equal(xattr_get(&m->fs, &n, "state", &b), 0);
	assert_string_equal((char *)b.data, "assigned");
	b.len = 0;
	assert_int_equal(xattr_get(&m->fs, &n, "nonsense", &b), -ENODATA);
	assert_int_equal(library_load(m->store.lib, 1, n.volume), 0);
	assert_int_equal(xattr_get(&m->fs, &n, "loaded", &b), 0);
	assert_string_equal((char *)b.data, "nst1");
}

static void every_attribute_listed_can_be_read(void **state)
{
	struct mount *m = *state;
	CLEANUP(buf_fini) struct buf names = BUF_INIT, value = BUF_INIT;
	const char *at, *prefix = "user.vtape.";
	struct node n;
	int count = 0;

	make_volume(m, "A");
	assert_int_equal(find(m, "tapes/default/A", &n), 0);
	assert_int_equal(xattr_list(&m->fs, &n, &names), 0);
	for (at = (char *)names.data; at < (char *)names.data + names.len; at += strlen(at) + 1, count++) {
		assert_memory_equal(at, prefix, strlen(prefix));
		assert_int_equal(xattr_get(&m->fs, &n, at + strlen(prefix), &value), 0);
	}
	assert_true(count > 10);
}

static void a_tape_is_protected_through_its_attribute(void **state)
{
	struct mount *m = *state;
	struct file *f;
	struct node n;

	make_volume(m, "A");
	assert_int_equal(find(m, "tapes/default/A", &n), 0);
	assert_int_equal(xattr_set(&m->fs, &n, "protect", "on", 2), 0);
	assert_int_equal(open_file(m, "tapes/default/A", FILE_WRITE, &f), -EROFS);
	assert_int_equal(xattr_set(&m->fs, &n, "protect", "maybe", 5), -EINVAL);
	assert_int_equal(xattr_set(&m->fs, &n, "protect", "0", 1), 0);
	assert_int_equal(xattr_set(&m->fs, &n, "serial", "1", 1), -EPERM);
	assert_int_equal(write_file(m, "tapes/default/A", 0, "abc", 3, 3), 0);
}

#define MOUNTED(f) cmocka_unit_test_setup_teardown(f, mount_new, mount_free)

/* One row of the database is nonsense: that tape is shown as what it is, and all else goes on. */
static void a_tape_that_cannot_be_opened_hides_no_other(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	struct mount *m = *state;
	struct catalog_volume v;
	uint8_t key[17] = { 'H' };
	struct file *f;
	struct node n;

	assert_int_equal(write_file(m, "tapes/default/BAD", 0, "bad", 3, 3), 0);
	assert_int_equal(write_file(m, "tapes/default/GOOD", 0, "good", 4, 4), 0);
	assert_int_equal(catalog_volume_get(m->store.cat, "BAD", &v), 0);
	put_be64(key + 1, v.id);
	put_be64(key + 9, 1);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, key, sizeof(key), "nonsense", 8), 0);
	assert_int_equal(kv_write(m->store.kv, b, true), 0);
	mount_cut(m);

	assert_int_equal(stat_path(m, "tapes/default/BAD").st_size, 0);
	assert_int_equal(stat_path(m, "images/default/BAD.tap").st_nlink, 1);
	assert_int_equal(stat_path(m, "files/default/BAD").st_nlink, 2);
	assert_int_equal(stat_path(m, "tapes/default/GOOD").st_size, 4);
	assert_int_equal(find(m, "tapes/default/BAD", &n), 0);
	assert_int_equal(xattr_get(&m->fs, &n, "state", &text), 0);
	assert_string_equal((const char *)text.data, "error");
	assert_int_equal(open_file(m, "tapes/default/BAD", FILE_READ, &f), -EIO);
	assert_int_equal(open_file(m, "images/default/BAD.tap", FILE_READ, &f) < 0, 1);
	assert_int_equal(library_volume_move(m->store.lib, v.id, "default", "WORSE"), 0);
	assert_int_equal(write_file(m, "tapes/default/NEW", 0, "new", 3, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNTED(the_root_has_four_doors),
		MOUNTED(every_drive_has_two_names),
		MOUNTED(a_volume_is_behind_three_doors),
		MOUNTED(a_long_folder_comes_in_pages),
		MOUNTED(a_folder_can_be_read_from_any_place_again),
		MOUNTED(a_tape_is_as_large_as_its_data),
		MOUNTED(a_tape_that_is_gone_is_stale),
		MOUNTED(below_a_file_there_is_nothing),
		MOUNTED(statfs_tells_the_space_of_the_store),
		MOUNTED(attributes_tell_what_is_known_of_a_tape),
		MOUNTED(every_attribute_listed_can_be_read),
		MOUNTED(a_tape_is_protected_through_its_attribute),
		MOUNTED(a_tape_that_cannot_be_opened_hides_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
