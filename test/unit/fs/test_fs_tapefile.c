/* SPDX-License-Identifier: BSD-2-Clause */
/* files/POOL/VOLUME: the files of a tape by number and by name, anywhere in them, and one more at the end. */
#include "mount.h"

static void put_file(struct mount *m, const char *name, const char *text)
{
	char path[300];

	snprintf(path, sizeof(path), "files/default/A/%s", name);
	assert_int_equal(write_file(m, path, 0, text, strlen(text), 4), 0);
}

static void assert_file(struct mount *m, const char *name, const char *text)
{
	char got[200] = "", path[300];

	snprintf(path, sizeof(path), "files/default/A/%s", name);
	read_file(m, path, got, sizeof(got) - 1);
	assert_string_equal(got, text);
}

static void make_tape(struct mount *m)
{
	assert_int_equal(close_file(must_open(m, "tapes/default/A", FILE_WRITE)), 0);
}

static void tape_files_are_numbered_from_one(void **state)
{
	struct mount *m = *state;
	struct node n = { NODE_ROOT };

	assert_int_equal(write_file(m, "tapes/default/A", 0, "first", 5, 2), 0);
	assert_int_equal(write_file(m, "tapes/default/A", FILE_APPEND, "second", 6, 6), 0);
	assert_string_equal(list(m, "files/default/A", 1), "0001 0002");
	assert_file(m, "0001", "first");
	assert_file(m, "0002", "second");
	assert_int_equal(stat_path(m, "files/default/A/0002").st_size, 6);
	assert_int_equal(stat_path(m, "files/default/A/0002").st_mode, S_IFREG | 0440);
	assert_int_equal(find(m, "files/default/A/0000", &n), -ENOENT);
	assert_int_equal(find(m, "files/default/A/0003", &n), -ENOENT);
	assert_int_equal(find(m, "files/default/A/1", &n), -ENOENT);
	assert_int_equal(find(m, "files/default/A/00001", &n), -ENOENT);
}

static void a_file_without_a_mark_is_one_too(void **state)
{
	struct mount *m = *state;
	struct volume *v;
	struct node n = { NODE_ROOT };

	make_tape(m);
	assert_int_equal(find(m, "tapes/default/A", &n), 0);
	assert_int_equal(library_claim(m->store.lib, n.volume, CLAIM_WRITE, &v), 0);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	assert_int_equal(volume_append_record(v, 0, "tail", 4), 0);
	assert_int_equal(library_release(m->store.lib, n.volume, CLAIM_WRITE), 0);
	assert_string_equal(list(m, "files/default/A", 9), "0001 0002");
	assert_file(m, "0001", "");
	assert_file(m, "0002", "tail");
	put_file(m, "next", "next");
	assert_file(m, "0002", "tail");
	assert_file(m, "0003", "next");
}

static void a_byte_anywhere_can_be_read(void **state)
{
	struct mount *m = *state;
	uint8_t data[5000], got[5000];
	struct file *f;
	size_t n;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 ^ i >> 5);
	assert_int_equal(write_file(m, "tapes/default/A", 0, data, sizeof(data), 333), 0);
	f = must_open(m, "files/default/A/0001", FILE_READ);
	assert_false(f->sequential);
	for (size_t off = 0; off < sizeof(data); off += 611) {
		assert_int_equal(f->ops->read(f, got, 1000, off, &n), 0);
		assert_int_equal(n, sizeof(data) - off < 1000 ? sizeof(data) - off : 1000);
		assert_memory_equal(got, data + off, n);
	}
	assert_int_equal(f->ops->read(f, got, 1, sizeof(data), &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(f->ops->read(f, got, 1, UINT64_MAX, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(close_file(f), 0);
}

static void a_file_made_is_appended_in_records_of_the_pools_size(void **state)
{
	struct mount *m = *state;
	struct catalog_pool p;
	struct volume_stat st;
	struct node n = { NODE_ROOT };

	make_tape(m);
	assert_int_equal(catalog_pool_get(m->store.cat, "default", &p), 0);
	p.record_bytes = 10;
	assert_int_equal(catalog_pool_put(m->store.cat, &p), 0);
	put_file(m, "a.txt", "0123456789abcdefghijklmno");
	assert_int_equal(find(m, "tapes/default/A", &n), 0);
	assert_int_equal(library_stat(m->store.lib, n.volume, &st), 0);
	assert_int_equal(st.end.objects, 4);
	assert_int_equal(st.end.marks, 1);
	assert_file(m, "a.txt", "0123456789abcdefghijklmno");
	assert_file(m, "0001", "0123456789abcdefghijklmno");
	assert_int_equal(stat_path(m, "files/default/A/a.txt").st_mode, S_IFREG | 0640);
	assert_int_equal(stat_path(m, "files/default/A/a.txt").st_uid, 11);
}

static void names_are_shown_and_numbers_always_work(void **state)
{
	struct mount *m = *state;

	make_tape(m);
	put_file(m, "a", "AA");
	put_file(m, "0002", "BB");
	put_file(m, "c", "CC");
	assert_string_equal(list(m, "files/default/A", 2), "a 0002 c");
	assert_file(m, "0001", "AA");
	assert_file(m, "0003", "CC");
	assert_int_equal(write_file(m, "files/default/A/0009", 0, "x", 1, 1), -EINVAL);
	assert_string_equal(list(m, "files/default/A", 2), "a 0002 c");
}

static void a_name_is_void_once_its_file_was_written_over(void **state)
{
	struct mount *m = *state;
	struct node n = { NODE_ROOT };

	make_tape(m);
	put_file(m, "a", "AA");
	assert_int_equal(write_file(m, "tapes/default/A", 0, "ZZ", 2, 2), 0);
	assert_string_equal(list(m, "files/default/A", 9), "0001");
	assert_int_equal(find(m, "files/default/A/a", &n), -ENOENT);
	put_file(m, "a", "new");
	assert_string_equal(list(m, "files/default/A", 9), "0001 a");
	assert_file(m, "a", "new");
}

static void of_two_files_of_one_name_the_later_has_it(void **state)
{
	struct mount *m = *state;

	make_tape(m);
	put_file(m, "a", "one");
	put_file(m, "b", "two");
	assert_int_equal(rename_path(m, "files/default/A/b", "files/default/A/a"), 0);
	assert_string_equal(list(m, "files/default/A", 9), "0001 a");
	assert_file(m, "a", "two");
	/* The later one goes: the name is the earlier one's again. */
	assert_int_equal(rename_path(m, "files/default/A/a", "files/default/A/c"), 0);
	assert_string_equal(list(m, "files/default/A", 9), "a c");
	assert_file(m, "a", "one");
}

static void a_file_is_renamed_within_its_tape(void **state)
{
	struct mount *m = *state;

	make_tape(m);
	put_file(m, ".tmp.xyz", "one");
	assert_int_equal(rename_path(m, "files/default/A/.tmp.xyz", "files/default/A/final"), 0);
	assert_string_equal(list(m, "files/default/A", 9), "final");
	assert_int_equal(rename_path(m, "files/default/A/final", "files/default/A/0007"), -EINVAL);
	assert_int_equal(rename_path(m, "files/default/A/final", "files/default/A/0001"), 0);
	assert_string_equal(list(m, "files/default/A", 9), "0001");
	assert_int_equal(rename_path(m, "files/default/A/0001", "files/default/A/named"), 0);
	assert_file(m, "named", "one");
}

static void what_is_on_the_tape_stays(void **state)
{
	struct mount *m = *state;
	struct file *f;

	make_tape(m);
	put_file(m, "a", "AA");
	assert_int_equal(remove_path(m, "files/default/A/a"), -EPERM);
	assert_int_equal(open_file(m, "files/default/A/a", FILE_WRITE, &f), -EPERM);
}

static void a_file_is_written_front_to_back_and_holes_are_zeros(void **state)
{
	struct mount *m = *state;
	struct file *f;

	make_tape(m);
	f = must_open(m, "files/default/A/a", FILE_WRITE);
	assert_int_equal(put(f, "abc", 3, 0), 0);
	assert_int_equal(put(f, "x", 1, 2), -EINVAL);
	assert_int_equal(put(f, "d", 1, 5), 0);
	assert_int_equal(f->ops->truncate(f, 8), 0);
	assert_int_equal(f->ops->truncate(f, 7), -EINVAL);
	assert_int_equal(close_file(f), 0);
	assert_int_equal(stat_path(m, "files/default/A/a").st_size, 8);
	f = must_open(m, "files/default/A/a", FILE_READ);
	char got[8];
	size_t n;
	assert_int_equal(f->ops->read(f, got, 8, 0, &n), 0);
	assert_memory_equal(got, "abc\0\0d\0\0", 8);
	assert_int_equal(close_file(f), 0);
}

static void a_close_that_was_not_the_last_makes_no_second_file(void **state)
{
	struct mount *m = *state;
	struct file *f;

	make_tape(m);
	f = must_open(m, "files/default/A/a", FILE_WRITE);
	assert_int_equal(file_flush(f), 0);
	assert_int_equal(put(f, "abc", 3, 0), 0);
	assert_int_equal(file_flush(f), 0);
	assert_int_equal(put(f, "def", 3, 3), 0);
	assert_int_equal(close_file(f), 0);
	assert_string_equal(list(m, "files/default/A", 9), "a");
	assert_file(m, "a", "abcdef");
}

static void a_file_being_written_can_be_looked_at(void **state)
{
	struct mount *m = *state;
	struct stat s;
	struct file *f;

	make_tape(m);
	f = must_open(m, "files/default/A/a", FILE_WRITE);
	assert_int_equal(tree_attr(&m->fs, &f->node, &s), 0);
	assert_int_equal(s.st_size, 0);
	assert_int_equal(put(f, "abc", 3, 0), 0);
	assert_int_equal(tree_attr(&m->fs, &f->node, &s), 0);
	assert_int_equal(s.st_size, 3);
	assert_int_equal(close_file(f), 0);
}

static void times_and_modes_are_kept(void **state)
{
	struct mount *m = *state;
	struct catalog_perm p = { 0604, 21, 22, 1000000000000000000ull, 0 };
	struct file *f;
	struct stat s;
	struct node n = { NODE_ROOT };

	make_tape(m);
	f = must_open(m, "files/default/A/a", FILE_WRITE);
	assert_int_equal(put(f, "abc", 3, 0), 0);
	assert_int_equal(tree_setattr(&m->fs, &f->node, TREE_MTIME | TREE_MODE, &p), 0);
	assert_int_equal(close_file(f), 0);
	s = stat_path(m, "files/default/A/a");
	assert_int_equal(s.st_mode & 07777, 0604);
	assert_int_equal(s.st_mtim.tv_sec, 1000000000);
	assert_int_equal(s.st_uid, 11);
	assert_int_equal(find(m, "files/default/A/a", &n), 0);
	assert_int_equal(tree_setattr(&m->fs, &n, TREE_UID, &p), 0);
	s = stat_path(m, "files/default/A/a");
	assert_int_equal(s.st_uid, 21);
	assert_int_equal(s.st_mtim.tv_sec, 1000000000);
	/* A file that has no name can have modes. */
	assert_int_equal(write_file(m, "tapes/default/A", FILE_APPEND, "x", 1, 1), 0);
	assert_int_equal(find(m, "files/default/A/0002", &n), 0);
	assert_int_equal(tree_setattr(&m->fs, &n, TREE_MODE, &p), 0);
	assert_int_equal(stat_path(m, "files/default/A/0002").st_mode & 07777, 0604);
	assert_string_equal(list(m, "files/default/A", 9), "a 0002");
}

static void a_full_tape_says_so_and_keeps_what_was_there(void **state)
{
	struct mount *m = *state;
	static char data[4096];
	struct file *f;
	struct node n = { NODE_ROOT };
	uint64_t off = 0;
	int r;

	make_tape(m);
	put_file(m, "a", "AA");
	assert_int_equal(find(m, "tapes/default/A", &n), 0);
	f = must_open(m, "files/default/A/b", FILE_WRITE);
	packs_mem_set_space(m->store.packs, 0, 1 << 30);
	memset(data, 'x', sizeof(data));
	while (!(r = put(f, data, sizeof(data), off)) && off < (64 << 20)) {
		data[off / sizeof(data) % sizeof(data)]++;
		off += sizeof(data);
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(close_file(f), -ENOSPC);
	assert_file(m, "a", "AA");
}

static void what_finds_no_more_room_has_an_end_and_a_name(void **state)
{
	struct mount *m = *state;
	static char data[1 << 18];
	uint64_t seed = 3, off = 0;
	struct file *f;
	struct stat st;
	int r = 0;

	make_tape(m);
	put_file(m, "a", "AA");
	f = must_open(m, "files/default/A/b", FILE_WRITE);
	packs_mem_set_space(m->store.packs, 30u << 20, 1u << 30);
	while (!r && off < (64u << 20)) {
		chance_bytes(&seed, data, sizeof(data));
		r = put(f, data, sizeof(data), off);
		off += r ? 0 : sizeof(data);
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(off > 8u << 20);
	assert_int_equal(put(f, data, 1, off), -ENOSPC);
	assert_int_equal(close_file(f), -ENOSPC);
	assert_string_equal(list(m, "files/default/A", 9), "a b");
	st = stat_path(m, "files/default/A/b");
	assert_int_equal(st.st_size, off);
	assert_int_equal(stat_of(&m->store, 1).end.marks, 2);
	/* Of the next there is nothing, and then there is one behind it. */
	f = must_open(m, "files/default/A/c", FILE_WRITE);
	assert_int_equal(put(f, data, sizeof(data), 0), -ENOSPC);
	assert_int_equal(close_file(f), -ENOSPC);
	assert_string_equal(list(m, "files/default/A", 9), "a b");
	packs_mem_set_space(m->store.packs, 1ull << 40, 1ull << 40);
	put_file(m, "c", "CC");
	assert_file(m, "c", "CC");
	assert_string_equal(list(m, "files/default/A", 9), "a b c");
}

#define MOUNTED(f) cmocka_unit_test_setup_teardown(f, mount_new, mount_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNTED(tape_files_are_numbered_from_one),
		MOUNTED(a_file_without_a_mark_is_one_too),
		MOUNTED(a_byte_anywhere_can_be_read),
		MOUNTED(a_file_made_is_appended_in_records_of_the_pools_size),
		MOUNTED(names_are_shown_and_numbers_always_work),
		MOUNTED(a_name_is_void_once_its_file_was_written_over),
		MOUNTED(of_two_files_of_one_name_the_later_has_it),
		MOUNTED(a_file_is_renamed_within_its_tape),
		MOUNTED(what_is_on_the_tape_stays),
		MOUNTED(a_file_is_written_front_to_back_and_holes_are_zeros),
		MOUNTED(a_close_that_was_not_the_last_makes_no_second_file),
		MOUNTED(a_file_being_written_can_be_looked_at),
		MOUNTED(times_and_modes_are_kept),
		MOUNTED(a_full_tape_says_so_and_keeps_what_was_there),
		MOUNTED(what_finds_no_more_room_has_an_end_and_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
