/* SPDX-License-Identifier: BSD-2-Clause */
/* images/POOL/VOLUME.tap: read anywhere, written as cp and rsync write, and never a broken tape. */
#include "mount.h"

/* Three images: `whole` (two records, a mark), `other` (another first record), both 40 bytes long. */
static const uint8_t whole[] = {
	5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o', 0, 5, 0, 0, 0,
	0, 0, 0, 0,
	6, 0, 0, 0, 'w', 'o', 'r', 'l', 'd', 's', 6, 0, 0, 0,
	0, 0, 0, 0,
	0, 0, 0, 0,
};
static const uint8_t other[] = {
	5, 0, 0, 0, 'H', 'E', 'L', 'L', 'O', 0, 5, 0, 0, 0,
	0, 0, 0, 0,
	6, 0, 0, 0, 'w', 'o', 'r', 'l', 'd', 's', 6, 0, 0, 0,
	0, 0, 0, 0,
	0, 0, 0, 0,
};
static const uint8_t with_end[] = { 2, 0, 0, 0, 'h', 'i', 2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };

#define A_TAP "images/default/A.tap"

static void put_image(struct mount *m, const char *path, const void *p, size_t n, size_t each)
{
	int r = write_file(m, path, 0, p, n, each);

	if (r)
		fail_msg("%s: %d (%s)", path, r, err_text(r));
}

static void assert_image(struct mount *m, const char *path, const void *p, size_t n)
{
	uint8_t got[256];
	size_t len = read_file(m, path, got, sizeof(got));

	assert_int_equal(stat_path(m, path).st_size, n);
	assert_int_equal(len, n);
	assert_memory_equal(got, p, n);
}

static uint64_t generation(struct mount *m, const char *path)
{
	struct volume_stat st;
	struct node n = { NODE_ROOT };

	assert_int_equal(find(m, path, &n), 0);
	assert_int_equal(library_stat(m->store.lib, n.volume, &st), 0);
	return st.generation;
}

static void an_image_copied_in_is_a_tape(void **state)
{
	struct mount *m = *state;
	char got[10];
	size_t n;
	struct file *f;

	for (size_t each = 1; each <= sizeof(whole); each += 7) {
		put_image(m, A_TAP, whole, sizeof(whole), each);
		assert_image(m, A_TAP, whole, sizeof(whole));
		f = must_open(m, "tapes/default/A", FILE_READ);
		assert_int_equal(f->ops->read(f, got, 10, 0, &n), 0);
		assert_int_equal(n, 5);
		assert_memory_equal(got, "hello", 5);
		assert_int_equal(close_file(f), 0);
		assert_int_equal(remove_path(m, A_TAP), 0);
	}
}

static void a_byte_anywhere_can_be_read(void **state)
{
	struct mount *m = *state;
	uint8_t got[64];
	struct file *f;
	size_t n;

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	f = must_open(m, A_TAP, FILE_READ);
	for (size_t off = 0; off <= sizeof(whole); off++) {
		assert_int_equal(f->ops->read(f, got, 9, off, &n), 0);
		assert_int_equal(n, sizeof(whole) - off < 9 ? sizeof(whole) - off : 9);
		assert_memory_equal(got, whole + off, n);
	}
	assert_int_equal(close_file(f), 0);
}

static void the_end_of_medium_word_is_kept(void **state)
{
	struct mount *m = *state;

	put_image(m, A_TAP, with_end, sizeof(with_end), 5);
	assert_image(m, A_TAP, with_end, sizeof(with_end));
	assert_int_equal(write_file(m, "tapes/default/A", 0, "x", 1, 1), 0);
	assert_int_equal(stat_path(m, A_TAP).st_size, 10 + 4);
}

static void an_image_cut_short_stays_as_far_as_it_goes(void **state)
{
	struct mount *m = *state;
	struct node n = { NODE_ROOT };

	for (size_t len = 1; len < sizeof(whole); len++) {
		bool ends_an_object = len == 14 || len == 18 || len == 32 || len == 36;
		int r = write_file(m, A_TAP, 0, whole, len, 10);

		assert_int_equal(r, ends_an_object ? 0 : -EINVAL);
		assert_image(m, A_TAP, whole, len);
		assert_int_equal(find(m, "tapes/default/A", &n), ends_an_object ? 0 : -ENOENT);
		assert_string_equal(list(m, "images/default", 9), "A.tap");
		assert_int_equal(remove_path(m, A_TAP), 0);
	}
}

static void what_arrived_can_be_gone_on_with(void **state)
{
	struct mount *m = *state;
	struct file *f;

	for (size_t len = 1; len < sizeof(whole); len++) {
		write_file(m, A_TAP, 0, whole, len, 10);
		f = must_open(m, A_TAP, FILE_WRITE);
		assert_int_equal(put(f, whole + len, sizeof(whole) - len, len), 0);
		assert_int_equal(close_file(f), 0);
		assert_image(m, A_TAP, whole, sizeof(whole));
		assert_string_equal(list(m, "tapes/default", 9), "A");
		assert_int_equal(remove_path(m, A_TAP), 0);
	}
}

static void what_arrived_survives_a_power_cut(void **state)
{
	struct mount *m = *state;

	assert_int_equal(write_file(m, A_TAP, 0, whole, 25, 10), -EINVAL);
	mount_cut(m);
	assert_image(m, A_TAP, whole, 25);
}

static void what_arrived_can_be_corrected_in_place(void **state)
{
	struct mount *m = *state;
	struct file *f;

	/* The first record is wrong, and the end is missing: the rest is kept from what is there. */
	assert_int_equal(write_file(m, A_TAP, 0, other, 25, 10), -EINVAL);
	f = must_open(m, A_TAP, FILE_WRITE);
	assert_int_equal(put(f, whole + 4, 5, 4), 0);
	assert_int_equal(put(f, whole + 25, sizeof(whole) - 25, 25), 0);
	assert_int_equal(close_file(f), 0);
	assert_image(m, A_TAP, whole, sizeof(whole));
	assert_string_equal(list(m, "tapes/default", 9), "A");
	/* And if it still is not whole, it still is no tape. */
	assert_int_equal(write_file(m, "images/default/B.tap", 0, other, 25, 10), -EINVAL);
	f = must_open(m, "images/default/B.tap", FILE_WRITE);
	assert_int_equal(put(f, whole + 4, 5, 4), 0);
	assert_int_equal(close_file(f), -EINVAL);
	assert_image(m, "images/default/B.tap", whole, 25);
	assert_string_equal(list(m, "tapes/default", 9), "A");
}

static void a_broken_image_is_refused_at_its_first_wrong_byte(void **state)
{
	struct mount *m = *state;
	uint8_t broken[sizeof(whole)];
	struct file *f;

	memcpy(broken, whole, sizeof(whole));
	broken[10] = 6;
	f = must_open(m, A_TAP, FILE_WRITE);
	assert_int_equal(put(f, broken, 9, 0), 0);
	assert_int_equal(put(f, broken + 9, 20, 9), -EINVAL);
	assert_int_equal(put(f, broken + 29, 1, 29), -EINVAL);
	assert_int_equal(close_file(f), -EINVAL);
	assert_string_equal(list(m, "tapes/default", 9), "");
}

static void a_broken_image_never_replaces_a_tape(void **state)
{
	struct mount *m = *state;
	uint8_t broken[sizeof(whole)];

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	assert_int_equal(write_file(m, A_TAP, FILE_TRUNC, other, 20, 10), -EINVAL);
	assert_image(m, A_TAP, whole, sizeof(whole));
	memcpy(broken, other, sizeof(other));
	broken[0] = 99;
	assert_int_equal(write_file(m, A_TAP, FILE_TRUNC, broken, sizeof(broken), 10), -EINVAL);
	assert_image(m, A_TAP, whole, sizeof(whole));
	assert_int_equal(write_file(m, A_TAP, 0, broken, 4, 4), -EINVAL);
	assert_image(m, A_TAP, whole, sizeof(whole));
	assert_int_equal(generation(m, A_TAP), 1);
	assert_string_equal(list(m, "images/default", 9), "A.tap");
}

static void a_new_image_is_a_new_generation(void **state)
{
	struct mount *m = *state;
	struct node before, after;

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	assert_int_equal(find(m, A_TAP, &before), 0);
	assert_int_equal(write_file(m, A_TAP, FILE_TRUNC, other, sizeof(other), 10), 0);
	assert_image(m, A_TAP, other, sizeof(other));
	assert_int_equal(find(m, A_TAP, &after), 0);
	assert_int_equal(node_ino(&before), node_ino(&after));
	assert_int_equal(generation(m, A_TAP), 2);
	assert_string_equal(list(m, "images/default", 9), "A.tap");
}

static void a_change_in_place_keeps_what_is_not_written(void **state)
{
	struct mount *m = *state;
	struct file *f;

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	f = must_open(m, A_TAP, FILE_WRITE);
	assert_int_equal(put(f, other + 4, 3, 4), 0);
	assert_int_equal(put(f, other + 8, 1, 8), 0);
	assert_int_equal(close_file(f), 0);
	uint8_t want[sizeof(whole)];
	memcpy(want, whole, sizeof(whole));
	memcpy(want + 4, other + 4, 3);
	want[8] = other[8];
	assert_image(m, A_TAP, want, sizeof(want));
	assert_int_equal(generation(m, A_TAP), 2);
}

static void while_it_is_changed_new_bytes_show_before_and_old_ones_behind(void **state)
{
	struct mount *m = *state;
	struct file *w, *r;
	uint8_t got[64];
	size_t n;

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	r = must_open(m, A_TAP, FILE_READ);
	w = must_open(m, A_TAP, FILE_WRITE);
	for (size_t len = 1; len <= 20; len++) {
		assert_int_equal(put(w, other + len - 1, 1, len - 1), 0);
		assert_int_equal(r->ops->read(r, got, 64, 0, &n), 0);
		assert_int_equal(n, sizeof(whole));
		assert_memory_equal(got, other, len);
		assert_memory_equal(got + len, whole + len, sizeof(whole) - len);
		assert_int_equal(stat_path(m, A_TAP).st_size, sizeof(whole));
	}
	assert_int_equal(close_file(w), 0);
	/* The reader is not in the way, and goes on with what is there now. */
	assert_int_equal(r->ops->read(r, got, 64, 0, &n), 0);
	assert_int_equal(n, sizeof(other));
	assert_memory_equal(got, other, n);
	assert_int_equal(close_file(r), 0);
}

static void a_shorter_image_is_cut_by_ftruncate(void **state)
{
	struct mount *m = *state;
	struct file *f;

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	f = must_open(m, A_TAP, FILE_WRITE);
	assert_int_equal(put(f, other, 18, 0), 0);
	assert_int_equal(f->ops->truncate(f, 18), 0);
	assert_int_equal(close_file(f), 0);
	assert_image(m, A_TAP, other, 18);
	/* Without a write, and by name. */
	put_image(m, "images/default/B.tap", whole, sizeof(whole), 64);
	struct node n = { NODE_ROOT };
	assert_int_equal(find(m, "images/default/B.tap", &n), 0);
	assert_int_equal(image_truncate(&m->fs, &n, 20), -EINVAL);
	assert_image(m, "images/default/B.tap", whole, sizeof(whole));
	assert_int_equal(image_truncate(&m->fs, &n, 18), 0);
	assert_image(m, "images/default/B.tap", whole, 18);
	assert_int_equal(image_truncate(&m->fs, &n, 18), 0);
	assert_int_equal(generation(m, "images/default/B.tap"), 2);
}

static void what_is_written_at_the_end_goes_onto_the_same_tape(void **state)
{
	struct mount *m = *state;
	struct file *f;

	put_image(m, A_TAP, whole, 18, 64);
	f = must_open(m, A_TAP, FILE_WRITE);
	assert_int_equal(put(f, whole + 18, sizeof(whole) - 18, 18), 0);
	assert_int_equal(close_file(f), 0);
	assert_image(m, A_TAP, whole, sizeof(whole));
	assert_int_equal(generation(m, A_TAP), 1);
}

static void an_append_cut_short_keeps_its_whole_records(void **state)
{
	struct mount *m = *state;
	struct file *f;

	put_image(m, A_TAP, whole, 18, 64);
	f = must_open(m, A_TAP, FILE_WRITE);
	assert_int_equal(put(f, whole + 18, 16, 18), 0);
	assert_int_equal(close_file(f), -EINVAL);
	assert_image(m, A_TAP, whole, 32);
}

static void a_broken_append_leaves_the_tape_as_it_was(void **state)
{
	struct mount *m = *state;
	struct file *f;

	put_image(m, A_TAP, whole, 18, 64);
	f = must_open(m, A_TAP, FILE_WRITE);
	assert_int_equal(put(f, whole + 18, 18, 18), 0);
	assert_int_equal(put(f, "\1\2\3\4\5\6\7\x70", 8, 36), -EINVAL);
	assert_int_equal(close_file(f), -EINVAL);
	assert_image(m, A_TAP, whole, 18);
}

static void half_a_change_does_not_replace_a_tape(void **state)
{
	struct mount *m = *state;
	struct file *f;

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	f = must_open(m, A_TAP, FILE_WRITE);
	assert_int_equal(put(f, other + 6, 1, 6), 0);
	assert_int_equal(put(f, other + 4, 1, 4), -EINVAL);
	assert_int_equal(close_file(f), -EINVAL);
	assert_image(m, A_TAP, whole, sizeof(whole));
}

static void an_image_has_one_writer(void **state)
{
	struct mount *m = *state;
	struct file *f = must_open(m, A_TAP, FILE_WRITE), *g = must_open(m, A_TAP, FILE_WRITE);

	assert_int_equal(put(f, whole, 10, 0), 0);
	assert_int_equal(put(g, whole, 10, 0), -EBUSY);
	assert_int_equal(g->ops->truncate(g, 4), -EBUSY);
	assert_int_equal(close_file(g), 0);
	assert_int_equal(put(f, whole + 10, sizeof(whole) - 10, 10), 0);
	assert_int_equal(close_file(f), 0);
	assert_image(m, A_TAP, whole, sizeof(whole));
	assert_string_equal(list(m, "tapes/default", 9), "A");
}

static void holes_are_zeros(void **state)
{
	struct mount *m = *state;
	uint8_t image[8 + 6000 + 4] = { 0x70, 0x17, 0, 0, 'x' };
	uint8_t got[sizeof(image)];
	struct file *f;

	image[6004] = 0x70;
	image[6005] = 0x17;
	f = must_open(m, A_TAP, FILE_WRITE);
	assert_int_equal(put(f, image, 5, 0), 0);
	assert_int_equal(put(f, image + 6004, 2, 6004), 0);
	assert_int_equal(f->ops->truncate(f, sizeof(image)), 0);
	assert_int_equal(close_file(f), 0);
	assert_int_equal(read_file(m, A_TAP, got, sizeof(got)), sizeof(image));
	assert_memory_equal(got, image, sizeof(image));
	f = must_open(m, A_TAP, FILE_WRITE);
	assert_int_equal(put(f, "x", 1, 1ull << 40), -EINVAL);
	close_file(f);
	assert_int_equal(read_file(m, A_TAP, got, sizeof(got)), sizeof(image));
}

/* ---- rsync's way: another name first --------------------------------------------------------------------------- */

static void rsync_writes_a_temporary_name_and_renames_it(void **state)
{
	struct mount *m = *state;
	struct catalog_perm p = { 0604, 11, 12, 1000000000000000000ull, 0 };
	struct node n = { NODE_ROOT };
	struct stat s;

	put_image(m, "images/default/.A.tap.Xy12Ab", whole, sizeof(whole), 10);
	assert_string_equal(list(m, "tapes/default", 9), "");
	assert_int_equal(find(m, "images/default/.A.tap.Xy12Ab", &n), 0);
	assert_int_equal(tree_setattr(&m->fs, &n, TREE_MODE | TREE_MTIME, &p), 0);
	assert_int_equal(rename_path(m, "images/default/.A.tap.Xy12Ab", A_TAP), 0);
	assert_string_equal(list(m, "tapes/default", 9), "A");
	assert_image(m, A_TAP, whole, sizeof(whole));
	s = stat_path(m, A_TAP);
	assert_int_equal(s.st_mtim.tv_sec, 1000000000);
	assert_int_equal(s.st_mode & 07777, 0604);
	/* Over a tape that is there: its next generation. */
	p.mtime_ns *= 2;
	put_image(m, "images/default/.A.tap.Xy12Ac", with_end, sizeof(with_end), 10);
	assert_int_equal(find(m, "images/default/.A.tap.Xy12Ac", &n), 0);
	assert_int_equal(tree_setattr(&m->fs, &n, TREE_MTIME, &p), 0);
	assert_int_equal(rename_path(m, "images/default/.A.tap.Xy12Ac", A_TAP), 0);
	assert_image(m, A_TAP, with_end, sizeof(with_end));
	assert_int_equal(stat_path(m, A_TAP).st_mtim.tv_sec, 2000000000);
	assert_int_equal(generation(m, A_TAP), 2);
	assert_string_equal(list(m, "images/default", 9), "A.tap");
}

static void a_broken_temporary_is_not_renamed(void **state)
{
	struct mount *m = *state;

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	put_image(m, "images/default/.tmp", other, 21, 64);	/* cut short, but no tape's name yet */
	assert_int_equal(rename_path(m, "images/default/.tmp", A_TAP), -EINVAL);
	assert_int_equal(rename_path(m, "images/default/.tmp", "images/default/B.tap"), -EINVAL);
	assert_image(m, A_TAP, whole, sizeof(whole));
	assert_image(m, "images/default/.tmp", other, 21);
	assert_int_equal(rename_path(m, "images/default/.tmp", "images/default/.other"), 0);
	assert_int_equal(remove_path(m, "images/default/.other"), 0);
}

static void an_image_is_renamed_and_renamed_over(void **state)
{
	struct mount *m = *state;

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	assert_int_equal(rename_path(m, A_TAP, "images/default/B.tap"), 0);
	assert_string_equal(list(m, "tapes/default", 9), "B");
	assert_int_equal(rename_path(m, "images/default/B.tap", "images/default/B"), -EINVAL);
	assert_int_equal(rename_path(m, "images/default/B.tap", "images/default/.B"), -EINVAL);
	put_image(m, A_TAP, other, sizeof(other), 64);
	assert_int_equal(rename_path(m, A_TAP, "images/default/B.tap"), 0);
	assert_image(m, "images/default/B.tap", other, sizeof(other));
	/* Over one that has begun to arrive. */
	assert_int_equal(write_file(m, A_TAP, 0, whole, 5, 5), -EINVAL);
	assert_int_equal(rename_path(m, "images/default/B.tap", A_TAP), 0);
	assert_image(m, A_TAP, other, sizeof(other));
	assert_string_equal(list(m, "images/default", 9), "A.tap");
}

static void names_of_the_mounts_own_cannot_be_used(void **state)
{
	struct mount *m = *state;
	struct file *f;

	assert_int_equal(open_file(m, "images/default/~x", FILE_WRITE, &f), -EINVAL);
	put_image(m, "images/default/.tmp", whole, sizeof(whole), 64);
	assert_int_equal(rename_path(m, "images/default/.tmp", "images/default/~x"), -EINVAL);
	assert_int_equal(rename_path(m, "images/default/.tmp", "images/default/plain"), -EINVAL);
}

static void a_name_is_a_tapes_in_one_pool_only(void **state)
{
	struct mount *m = *state;
	struct catalog_pool p;
	struct file *f;

	assert_int_equal(library_pool_create(m->store.lib, "two", NULL, &p), 0);
	put_image(m, A_TAP, whole, sizeof(whole), 64);
	assert_int_equal(open_file(m, "images/two/A.tap", FILE_WRITE, &f), -EEXIST);
	put_image(m, "images/two/.tmp", other, sizeof(other), 64);
	assert_int_equal(rename_path(m, "images/two/.tmp", "images/two/A.tap"), -EEXIST);
	assert_image(m, A_TAP, whole, sizeof(whole));
}

/* ---- and the rest ---------------------------------------------------------------------------------------------- */

static void an_empty_image_is_a_blank_tape(void **state)
{
	struct mount *m = *state;

	assert_int_equal(close_file(must_open(m, A_TAP, FILE_WRITE)), 0);
	assert_string_equal(list(m, "tapes/default", 9), "A");
	assert_int_equal(stat_path(m, A_TAP).st_size, 0);
}

static void a_close_before_the_first_write_means_nothing(void **state)
{
	struct mount *m = *state;
	struct file *f;

	put_image(m, A_TAP, other, sizeof(other), 64);
	f = must_open(m, A_TAP, FILE_WRITE | FILE_TRUNC);
	assert_int_equal(file_flush(f), 0);
	assert_image(m, A_TAP, other, sizeof(other));
	assert_int_equal(put(f, whole, 18, 0), 0);
	assert_int_equal(file_flush(f), 0);
	assert_image(m, A_TAP, whole, 18);
	assert_int_equal(put(f, whole + 18, sizeof(whole) - 18, 18), 0);
	assert_int_equal(close_file(f), 0);
	assert_image(m, A_TAP, whole, sizeof(whole));
}

static void a_time_set_before_close_is_kept(void **state)
{
	struct mount *m = *state;
	struct catalog_perm p = { 0604, 0, 0, 1000000000000000000ull, 0 };
	struct file *f;

	put_image(m, A_TAP, other, sizeof(other), 64);
	f = must_open(m, A_TAP, FILE_WRITE | FILE_TRUNC);
	assert_int_equal(put(f, whole, sizeof(whole), 0), 0);
	assert_int_equal(tree_setattr(&m->fs, &f->node, TREE_MODE | TREE_MTIME, &p), 0);
	assert_int_equal(close_file(f), 0);
	assert_int_equal(stat_path(m, A_TAP).st_mtim.tv_sec, 1000000000);
	assert_int_equal(stat_path(m, A_TAP).st_mode & 07777, 0604);
	put_image(m, "images/default/B.tap", whole, sizeof(whole), 64);
	f = must_open(m, "images/default/N.tap", FILE_WRITE);
	assert_int_equal(put(f, whole, sizeof(whole), 0), 0);
	assert_int_equal(tree_setattr(&m->fs, &f->node, TREE_MODE | TREE_MTIME, &p), 0);
	assert_int_equal(close_file(f), 0);
	assert_int_equal(stat_path(m, "images/default/N.tap").st_mtim.tv_sec, 1000000000);
}

static void a_protected_tape_is_not_replaced(void **state)
{
	struct mount *m = *state;
	struct file *f;
	struct node n = { NODE_ROOT };

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	assert_int_equal(find(m, A_TAP, &n), 0);
	assert_int_equal(xattr_set(&m->fs, &n, "protect", "on", 2), 0);
	assert_int_equal(open_file(m, A_TAP, FILE_WRITE, &f), -EROFS);
	put_image(m, "images/default/.tmp", other, sizeof(other), 64);
	assert_int_equal(rename_path(m, "images/default/.tmp", A_TAP), -EROFS);
	assert_image(m, A_TAP, whole, sizeof(whole));
}

static void a_tape_in_use_elsewhere_is_not_replaced(void **state)
{
	struct mount *m = *state;
	struct file *t;

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	t = must_open(m, "tapes/default/A", FILE_READ);
	assert_int_equal(write_file(m, A_TAP, FILE_TRUNC, other, sizeof(other), 64), -EBUSY);
	assert_int_equal(close_file(t), 0);
	assert_image(m, A_TAP, whole, sizeof(whole));
	assert_string_equal(list(m, "images/default", 9), "A.tap");
}

static void what_a_crash_left_of_a_copy_is_swept_away(void **state)
{
	struct mount *m = *state;
	struct catalog_volume v;
	struct file *f;

	put_image(m, A_TAP, whole, sizeof(whole), 64);
	f = must_open(m, A_TAP, FILE_WRITE | FILE_TRUNC);
	assert_int_equal(put(f, other, 20, 0), 0);
	assert_int_equal(f->ops->sync(f), 0);
	mount_cut(m);
	assert_image(m, A_TAP, whole, sizeof(whole));
	assert_string_equal(list(m, "images/default", 9), "A.tap");
	image_sweep(&m->fs);
	assert_int_equal(catalog_volume_get(m->store.cat, "~1", &v), CATALOG_E_NONE);
}

#define MOUNTED(f) cmocka_unit_test_setup_teardown(f, mount_new, mount_free)

static void an_image_moves_to_another_pool(void **state)
{
	struct mount *m = *state;
	struct node n;

	assert_int_equal(library_pool_create(m->store.lib, "else", NULL, NULL), 0);
	put_image(m, A_TAP, whole, sizeof(whole), 64);
	assert_int_equal(rename_path(m, A_TAP, "images/else/A.tap"), 0);
	assert_int_equal(find(m, A_TAP, &n), -ENOENT);
	assert_image(m, "images/else/A.tap", whole, sizeof(whole));
	assert_int_equal(rename_path(m, "images/else/A.tap", "images/else/A.tap"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNTED(an_image_copied_in_is_a_tape),
		MOUNTED(a_byte_anywhere_can_be_read),
		MOUNTED(the_end_of_medium_word_is_kept),
		MOUNTED(an_image_cut_short_stays_as_far_as_it_goes),
		MOUNTED(what_arrived_can_be_gone_on_with),
		MOUNTED(what_arrived_survives_a_power_cut),
		MOUNTED(what_arrived_can_be_corrected_in_place),
		MOUNTED(a_broken_image_is_refused_at_its_first_wrong_byte),
		MOUNTED(a_broken_image_never_replaces_a_tape),
		MOUNTED(a_new_image_is_a_new_generation),
		MOUNTED(a_change_in_place_keeps_what_is_not_written),
		MOUNTED(while_it_is_changed_new_bytes_show_before_and_old_ones_behind),
		MOUNTED(a_shorter_image_is_cut_by_ftruncate),
		MOUNTED(what_is_written_at_the_end_goes_onto_the_same_tape),
		MOUNTED(an_append_cut_short_keeps_its_whole_records),
		MOUNTED(a_broken_append_leaves_the_tape_as_it_was),
		MOUNTED(half_a_change_does_not_replace_a_tape),
		MOUNTED(an_image_has_one_writer),
		MOUNTED(holes_are_zeros),
		MOUNTED(rsync_writes_a_temporary_name_and_renames_it),
		MOUNTED(a_broken_temporary_is_not_renamed),
		MOUNTED(an_image_is_renamed_and_renamed_over),
		MOUNTED(names_of_the_mounts_own_cannot_be_used),
		MOUNTED(a_name_is_a_tapes_in_one_pool_only),
		MOUNTED(an_empty_image_is_a_blank_tape),
		MOUNTED(a_close_before_the_first_write_means_nothing),
		MOUNTED(a_time_set_before_close_is_kept),
		MOUNTED(a_protected_tape_is_not_replaced),
		MOUNTED(a_tape_in_use_elsewhere_is_not_replaced),
		MOUNTED(what_a_crash_left_of_a_copy_is_swept_away),
		MOUNTED(an_image_moves_to_another_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
