/* SPDX-License-Identifier: BSD-2-Clause */
/* files/POOL/VOLUME/0001.d: the members of an archive as a tree that cannot be changed. */
#include <sys/sysmacros.h>

#include "mount.h"

/* ---- archives -------------------------------------------------------------------------------------------------- */

struct entry {
	const char *name, *link, *data;
	char type;			/* as in a tar header: '0' file, '1' hard link, '2' symbolic link, ... */
	unsigned mode, uid, gid;
	long mtime;
	unsigned dev_major, dev_minor;
	size_t size;			/* 0: that of @data */
};

static void put_block(struct buf *tar, const void *p, size_t n)
{
	static const uint8_t zeros[512];

	assert_int_equal(buf_append(tar, p, n), 0);
	if (n % 512)
		assert_int_equal(buf_append(tar, zeros, 512 - n % 512), 0);
}

static void put_header(struct buf *tar, const struct entry *e, size_t size)
{
	char h[513] = "";
	unsigned sum = 0;

	snprintf(h, 101, "%s", e->name);
	snprintf(h + 100, 413, "%07o", e->mode ? e->mode : 0644);
	snprintf(h + 108, 405, "%07o", e->uid);
	snprintf(h + 116, 397, "%07o", e->gid);
	snprintf(h + 124, 389, "%011lo", (unsigned long)size);
	snprintf(h + 136, 377, "%011lo", (unsigned long)e->mtime);
	memset(h + 148, ' ', 8);
	h[156] = e->type;
	snprintf(h + 157, 101, "%s", e->link ? e->link : "");
	memcpy(h + 257, "ustar  ", 8);
	snprintf(h + 329, 184, "%07o", e->dev_major);
	snprintf(h + 337, 176, "%07o", e->dev_minor);
	for (int i = 0; i < 512; i++)
		sum += (uint8_t)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	put_block(tar, h, 512);
}

static void put_entry(struct buf *tar, const struct entry *e)
{
	size_t size = e->size ? e->size : e->data ? strlen(e->data) : 0;

	if (strlen(e->name) > 100) {
		put_header(tar, &(struct entry){ .name = "././@LongLink", .type = 'L' }, strlen(e->name) + 1);
		put_block(tar, e->name, strlen(e->name) + 1);
	}
	put_header(tar, e, size);
	if (e->data && size)
		put_block(tar, e->data, size < strlen(e->data) ? size : strlen(e->data));
}

static void settle(struct mount *m)
{
	assert_int_equal(contents_settle(m->contents, 0, false, NULL, NULL), 0);
}

/* Written to @path in records, looked at. */
static void pack_to(struct mount *m, const char *path, unsigned flags, const struct entry *e, size_t count)
{
	CLEANUP(buf_fini) struct buf tar = BUF_INIT;
	static const uint8_t end[1024];

	for (size_t i = 0; i < count; i++)
		put_entry(&tar, &e[i]);
	assert_int_equal(buf_append(&tar, end, sizeof(end)), 0);
	assert_int_equal(write_file(m, path, flags, tar.data, tar.len, 10240), 0);
	settle(m);
}

static const struct entry some[] = {
	{ .name = "dir/", .type = '5', .mode = 0750, .uid = 3, .gid = 4, .mtime = 1000000000 },
	{ .name = "dir/a", .type = '0', .data = "the bytes of a", .mode = 04711, .uid = 5, .gid = 6, .mtime = 1234567890 },
	{ .name = "dir/sub/b", .type = '0', .data = "b" },
	{ .name = "link", .type = '2', .link = "dir/a" },
	{ .name = "null", .type = '3', .dev_major = 1, .dev_minor = 3, .mode = 0666 },
	{ .name = "pipe", .type = '6' },
	{ .name = "same", .type = '1', .link = "dir/a" },
	{ .name = "empty", .type = '0' },
};

static void pack_some(struct mount *m)
{
	pack_to(m, "tapes/default/A", 0, some, ARRAY_LEN(some));
}

#define D "files/default/A/0001.d"

static void assert_reads(struct mount *m, const char *path, const char *want)
{
	char got[200] = "";

	read_file(m, path, got, sizeof(got) - 1);
	assert_string_equal(got, want);
}

/* ---- the tree -------------------------------------------------------------------------------------------------- */

static void the_members_of_an_archive_are_a_tree(void **state)
{
	struct mount *m = *state;
	struct node n = { NODE_ROOT };

	pack_some(m);
	assert_int_equal(write_file(m, "tapes/default/A", FILE_APPEND, "no archive", 10, 10), 0);
	settle(m);
	assert_string_equal(list(m, "files/default/A", 9), "0001 0001.d 0002");
	assert_string_equal(list(m, "files/default/A", 1), "0001 0001.d 0002");
	assert_string_equal(list(m, D, 99), "dir link null pipe same empty");
	assert_string_equal(list(m, D, 1), "dir link null pipe same empty");
	assert_string_equal(list(m, D "/dir", 99), "a sub");
	assert_string_equal(list(m, D "/dir/sub", 99), "b");
	assert_reads(m, D "/dir/a", "the bytes of a");
	assert_reads(m, D "/dir/sub/b", "b");
	assert_reads(m, D "/empty", "");
	assert_int_equal(find(m, "files/default/A/0002.d", &n), -ENOENT);
	assert_int_equal(find(m, "files/default/A/0003.d", &n), -ENOENT);
	assert_int_equal(find(m, D "/nothing", &n), -ENOENT);
	assert_int_equal(find(m, D "/dir/a/b", &n), -ENOTDIR);
	assert_int_equal(find(m, D "/..", &n), -ENOENT);
}

static void members_have_the_metadata_of_the_archive(void **state)
{
	struct mount *m = *state;
	struct stat s;

	pack_some(m);
	s = stat_path(m, D "/dir");
	assert_int_equal(s.st_mode, S_IFDIR | 0750);
	assert_int_equal(s.st_uid, 3);
	assert_int_equal(s.st_gid, 4);
	assert_int_equal(s.st_mtim.tv_sec, 1000000000);
	s = stat_path(m, D "/dir/a");
	assert_int_equal(s.st_mode, S_IFREG | 04711);
	assert_int_equal(s.st_uid, 5);
	assert_int_equal(s.st_gid, 6);
	assert_int_equal(s.st_mtim.tv_sec, 1234567890);
	assert_int_equal(s.st_size, 14);
	assert_int_equal(s.st_blocks, 1);
	assert_int_equal(stat_path(m, D "/dir/sub").st_mode & S_IFMT, S_IFDIR);
	s = stat_path(m, D "/null");
	assert_int_equal(s.st_mode, S_IFCHR | 0666);
	assert_int_equal(s.st_rdev, makedev(1, 3));
	assert_int_equal(stat_path(m, D "/pipe").st_mode & S_IFMT, S_IFIFO);
}

static void a_symbolic_link_says_where_it_leads(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct mount *m = *state;
	struct node n = { NODE_ROOT };
	struct stat s;

	pack_some(m);
	s = stat_path(m, D "/link");
	assert_int_equal(s.st_mode, S_IFLNK | 0777);
	assert_int_equal(s.st_size, 5);
	assert_int_equal(find(m, D "/link", &n), 0);
	assert_int_equal(archive_readlink(&m->fs, &n, &b), 0);
	assert_string_equal((char *)b.data, "dir/a");
	assert_int_equal(find(m, D "/dir/a", &n), 0);
	assert_int_equal(archive_readlink(&m->fs, &n, &b), -EINVAL);
}

static void a_hard_link_is_its_target(void **state)
{
	struct mount *m = *state;

	pack_some(m);
	assert_int_equal(stat_path(m, D "/same").st_ino, stat_path(m, D "/dir/a").st_ino);
	assert_reads(m, D "/same", "the bytes of a");
}

static void a_hard_link_to_nothing_cannot_be_opened(void **state)
{
	static const struct entry lost[] = {
		{ .name = "one", .type = '1', .link = "elsewhere" }, { .name = "two", .type = '1', .link = "three" },
		{ .name = "three", .type = '1', .link = "two" },
	};
	struct mount *m = *state;
	struct file *f;

	pack_to(m, "tapes/default/A", 0, lost, ARRAY_LEN(lost));
	assert_int_equal(stat_path(m, D "/one").st_mode & S_IFMT, S_IFREG);
	assert_int_equal(open_file(m, D "/one", FILE_READ, &f), -EIO);
	assert_int_equal(open_file(m, D "/two", FILE_READ, &f), -EIO);
}

static void of_two_members_of_one_path_the_later_counts(void **state)
{
	static const struct entry twice[] = {
		{ .name = "a", .type = '0', .data = "old" }, { .name = "b", .type = '0', .data = "b" },
		{ .name = "a", .type = '0', .data = "new" },
	};
	struct mount *m = *state;

	pack_to(m, "tapes/default/A", 0, twice, ARRAY_LEN(twice));
	assert_string_equal(list(m, D, 99), "b a");
	assert_reads(m, D "/a", "new");
}

static void the_folder_has_the_name_of_its_file(void **state)
{
	struct mount *m = *state;

	pack_some(m);
	assert_int_equal(rename_path(m, "files/default/A/0001", "files/default/A/etc.tar"), 0);
	assert_string_equal(list(m, "files/default/A", 9), "etc.tar etc.tar.d");
	assert_reads(m, "files/default/A/etc.tar.d/dir/a", "the bytes of a");
	assert_reads(m, D "/dir/a", "the bytes of a");
	/* A tape file's name goes before that. */
	assert_int_equal(write_file(m, "files/default/A/x", 0, "x", 1, 1), 0);
	assert_int_equal(rename_path(m, "files/default/A/x", "files/default/A/etc.tar.d"), 0);
	assert_string_equal(list(m, "files/default/A", 9), "etc.tar 0001.d etc.tar.d");
	assert_reads(m, "files/default/A/etc.tar.d", "x");
	assert_reads(m, D "/dir/a", "the bytes of a");
}

static void folders_can_be_left_out_of_listings(void **state)
{
	struct mount *m = *state;

	pack_some(m);
	m->fs.archives_hidden = true;
	assert_string_equal(list(m, "files/default/A", 9), "0001");
	assert_reads(m, D "/dir/a", "the bytes of a");
}

static void who_may_not_read_the_tape_file_may_not_enter(void **state)
{
	struct catalog_perm p = { .mode = 0600, .uid = 21, .gid = 22 };
	struct mount *m = *state;
	struct node n = { NODE_ROOT };
	struct stat s;

	pack_some(m);
	assert_int_equal(stat_path(m, D).st_mode, S_IFDIR | 0550);
	assert_int_equal(find(m, "files/default/A/0001", &n), 0);
	assert_int_equal(tree_setattr(&m->fs, &n, TREE_MODE | TREE_UID | TREE_GID, &p), 0);
	s = stat_path(m, D);
	assert_int_equal(s.st_mode, S_IFDIR | 0500);
	assert_int_equal(s.st_uid, 21);
	assert_int_equal(s.st_gid, 22);
}

static void a_long_name_is_cut_and_can_be_opened(void **state)
{
	char one[301], two[301], path[400];
	const struct entry e[] = {
		{ .name = one, .type = '0', .data = "one" }, { .name = two, .type = '0', .data = "two" },
	};
	struct mount *m = *state;
	char *names[2], *copy;
	struct node n = { NODE_ROOT };

	memset(one, 'n', 300);
	one[300] = 0;
	for (int i = 0; i < 300; i += 2)	/* letters of two bytes */
		memcpy(one + i, "\303\244", 2);
	memcpy(two, one, 301);
	two[299]++;
	pack_to(m, "tapes/default/A", 0, e, 2);
	copy = strdup(list(m, D, 9));
	names[1] = copy;
	for (int i = 0; i < 2; i++) {
		names[i] = strsep(&names[1], " ");
		assert_in_range(strlen(names[i]), 250, 255);
		assert_int_equal(names[i][strcspn(names[i], "~") - 1], (char)0xa4);
		snprintf(path, sizeof(path), D "/%s", names[i]);
		assert_reads(m, path, i ? "two" : "one");
		path[strlen(path) - 1]++;
		assert_int_equal(find(m, path, &n), i ? -ENOENT : 0);
	}
	free(copy);
}

static void a_large_folder_comes_in_pages(void **state)
{
	static struct entry e[300];
	static char name[300][8];
	struct mount *m = *state;
	char want[4096] = "";

	for (unsigned i = 0; i < 300; i++) {
		snprintf(name[i], sizeof(name[i]), "%s%03u", i % 3 ? "" : "in/", i);
		e[i] = (struct entry){ .name = name[i], .type = '0' };
		if (!i)
			strcat(want, "in");
		if (i % 3)
			snprintf(want + strlen(want), sizeof(want) - strlen(want), " %03u", i);
	}
	pack_to(m, "tapes/default/A", 0, e, 300);
	assert_string_equal(list(m, D, 1000), want);
	assert_string_equal(list(m, D, 7), want);
	assert_string_equal(list(m, D, 1), want);
}

static bool take_some(void *ctx, const char *name, const struct node *n, const struct stat *attr, uint64_t next)
{
	return names_add(ctx, name, n, attr, next);
}

static void a_folder_can_be_read_from_any_place_again(void **state)
{
	struct mount *m = *state;
	struct tree_walk w = { .fs = &m->fs };
	struct names l = { .left = 2 };
	uint64_t there;

	pack_some(m);
	assert_int_equal(find(m, D, &w.dir), 0);
	assert_int_equal(tree_list(&w, 0, take_some, &l), 0);
	assert_string_equal(l.text, "dir link");
	there = l.next;
	l = (struct names){ .left = 9 };
	assert_int_equal(tree_list(&w, 0, take_some, &l), 0);
	l = (struct names){ .left = 9 };
	assert_int_equal(tree_list(&w, there, take_some, &l), 0);
	assert_string_equal(l.text, "null pipe same empty");
	assert_int_equal(tree_list(&w, UINT64_MAX / 2, take_some, &l), 0);
}

struct seen { struct mount *m; char types[16]; };

static bool note_type(void *ctx, const char *name, const struct node *n, const struct stat *attr, uint64_t next)
{
	struct seen *seen = ctx;
	mode_t type = attr->st_mode;
	struct stat s;

	strcat(seen->types, S_ISDIR(type) ? "d" : S_ISLNK(type) ? "l" : S_ISCHR(type) ? "c" : S_ISFIFO(type) ? "p" : "-");
	assert_int_equal(node_is_dir(n), S_ISDIR(type));
	assert_int_equal(tree_attr(&seen->m->fs, n, &s), 0);
	assert_memory_equal(&s, attr, sizeof(s));
	return true;
}

static void a_listing_tells_what_stat_does(void **state)
{
	struct mount *m = *state;
	struct tree_walk w = { .fs = &m->fs };
	struct seen seen = { .m = m };

	pack_some(m);
	assert_int_equal(find(m, D, &w.dir), 0);
	assert_int_equal(tree_list(&w, 0, note_type, &seen), 0);
	assert_string_equal(seen.types, "dlcp--");
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static void a_byte_anywhere_can_be_read(void **state)
{
	static char data[50001];
	const struct entry e[] = {
		{ .name = "before", .type = '0', .data = "x" }, { .name = "a", .type = '0', .data = data },
	};
	struct mount *m = *state;
	char got[3000];
	struct file *f;
	size_t n;

	for (size_t i = 0; i < 50000; i++)
		data[i] = (char)('a' + (i * 7 ^ i >> 5) % 26);
	pack_to(m, "tapes/default/A", 0, e, 2);
	f = must_open(m, D "/a", FILE_READ);
	assert_false(f->sequential);
	assert_true(f->lasting);
	for (size_t off = 49000, i = 0; i < 60; off = (off + 31417) % 50000, i++) {
		assert_int_equal(f->ops->read(f, got, 3000, off, &n), 0);
		assert_int_equal(n, 50000 - off < 3000 ? 50000 - off : 3000);
		assert_memory_equal(got, data + off, n);
	}
	assert_int_equal(f->ops->read(f, got, 1, 50000, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(f->ops->read(f, got, 1, UINT64_MAX, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(close_file(f), 0);
}

static void a_member_that_is_cut_off_is_no_short_file(void **state)
{
	CLEANUP(buf_fini) struct buf tar = BUF_INIT;
	struct mount *m = *state;
	struct file *f;
	char got[4000];
	size_t n;

	put_entry(&tar, &(struct entry){ .name = "whole", .type = '0', .data = "whole" });
	put_entry(&tar, &(struct entry){ .name = "cut", .type = '0', .data = "begin", .size = 3000 });
	assert_int_equal(write_file(m, "tapes/default/A", 0, tar.data, tar.len, 10240), 0);
	settle(m);
	assert_string_equal(list(m, "files/default/A", 9), "0001 0001.d");
	assert_reads(m, D "/whole", "whole");
	assert_int_equal(stat_path(m, D "/cut").st_size, 3000);
	f = must_open(m, D "/cut", FILE_READ);
	assert_int_equal(f->ops->read(f, got, 5, 0, &n), 0);
	assert_memory_equal(got, "begin", 5);
	assert_int_equal(f->ops->read(f, got, 4000, 0, &n), -EIO);
	assert_int_equal(close_file(f), 0);
}

/* ---- the tape goes on ------------------------------------------------------------------------------------------ */

static void an_open_member_is_in_nobodys_way(void **state)
{
	struct mount *m = *state;
	struct file *f;
	char got[20];
	size_t n;

	pack_some(m);
	f = must_open(m, D "/dir/a", FILE_READ);
	pack_to(m, "tapes/default/A", FILE_APPEND, some, 3);
	assert_int_equal(f->ops->read(f, got, 20, 0, &n), 0);
	assert_memory_equal(got, "the bytes of a", 14);
	assert_int_equal(close_file(f), 0);
	assert_string_equal(list(m, "files/default/A", 9), "0001 0001.d 0002 0002.d");
	assert_string_equal(list(m, "files/default/A/0002.d/dir", 9), "a sub");
}

static void a_tape_that_is_written_over_makes_members_stale(void **state)
{
	static const struct entry other[] = { { .name = "dir/other", .type = '0', .data = "other" } };
	struct mount *m = *state;
	struct tree_walk w = { .fs = &m->fs };
	struct names l = { .left = 9 };
	struct node dir = { NODE_ROOT }, a = { NODE_ROOT }, n = { NODE_ROOT }, top = { NODE_ROOT };
	struct file *f;
	struct stat s;
	char got[20];
	size_t k;

	pack_some(m);
	f = must_open(m, D "/dir/a", FILE_READ);
	assert_int_equal(find(m, D, &top), 0);
	assert_int_equal(find(m, D "/dir", &dir), 0);
	assert_int_equal(find(m, D "/dir/a", &a), 0);
	pack_to(m, "tapes/default/A", 0, other, 1);
	assert_int_equal(f->ops->read(f, got, 20, 0, &k), -ESTALE);
	assert_int_equal(close_file(f), 0);
	assert_int_equal(tree_attr(&m->fs, &a, &s), -ESTALE);
	assert_int_equal(tree_attr(&m->fs, &dir, &s), -ESTALE);
	assert_int_equal(tree_lookup(&m->fs, &dir, "a", &n), -ESTALE);
	assert_int_equal(file_open(&m->fs, &a, FILE_READ, &f), -ESTALE);
	w.dir = dir;
	assert_int_equal(tree_list(&w, 0, names_add, &l), -ESTALE);
	assert_int_equal(tree_lookup(&m->fs, &top, "link", &n), -ENOENT);
	assert_string_equal(list(m, D "/dir", 9), "other");
	assert_reads(m, D "/dir/other", "other");
	/* And with what is no archive, the folder is gone. */
	assert_int_equal(write_file(m, "tapes/default/A", 0, "data", 4, 4), 0);
	assert_int_equal(tree_attr(&m->fs, &top, &s), -ESTALE);
	assert_int_equal(find(m, D, &n), -ENOENT);
	assert_string_equal(list(m, "files/default/A", 9), "0001");
}

static void a_tape_that_is_deleted_makes_members_stale(void **state)
{
	struct mount *m = *state;
	struct node a = { NODE_ROOT };
	struct file *f;
	struct stat s;
	char got[20];
	size_t n;

	pack_some(m);
	f = must_open(m, D "/dir/a", FILE_READ);
	assert_int_equal(find(m, D "/dir/a", &a), 0);
	assert_int_equal(remove_path(m, "tapes/default/A"), 0);
	assert_int_equal(f->ops->read(f, got, 20, 0, &n), -ESTALE);
	assert_int_equal(close_file(f), 0);
	assert_int_equal(tree_attr(&m->fs, &a, &s), -ESTALE);
	assert_int_equal(file_open(&m->fs, &a, FILE_READ, &f), -ESTALE);
}

static void numbers_mean_the_same_after_a_restart(void **state)
{
	struct mount *m = *state;
	struct node a = { NODE_ROOT };
	uint64_t ino;
	struct stat s;

	pack_some(m);
	ino = stat_path(m, D "/dir/a").st_ino;
	mount_restart(m);
	assert_int_equal(node_of(ino, &a), 0);
	assert_int_equal(tree_attr(&m->fs, &a, &s), 0);
	assert_int_equal(s.st_size, 14);
	assert_int_equal(stat_path(m, D "/dir/a").st_ino, ino);
}

static void nothing_can_be_changed(void **state)
{
	struct catalog_perm p = { .mode = 0600 };
	struct mount *m = *state;
	struct node top = { NODE_ROOT }, dir = { NODE_ROOT }, a = { NODE_ROOT }, vol = { NODE_ROOT }, n;
	struct file *f;

	pack_some(m);
	assert_int_equal(find(m, "files/default/A", &vol), 0);
	assert_int_equal(find(m, D, &top), 0);
	assert_int_equal(find(m, D "/dir", &dir), 0);
	assert_int_equal(find(m, D "/dir/a", &a), 0);
	assert_int_equal(tree_mkdir(&m->fs, &top, "new", &somebody, &n), -EROFS);
	assert_int_equal(tree_mkdir(&m->fs, &dir, "new", &somebody, &n), -EROFS);
	assert_int_equal(tree_rmdir(&m->fs, &dir, "sub"), -EROFS);
	assert_int_equal(tree_rmdir(&m->fs, &vol, "0001.d"), -EROFS);
	assert_int_equal(tree_unlink(&m->fs, &dir, "a"), -EROFS);
	assert_int_equal(tree_rename(&m->fs, &dir, "a", &dir, "b", false), -EROFS);
	assert_int_equal(tree_rename(&m->fs, &dir, "a", &vol, "b", false), -EROFS);
	assert_int_equal(tree_rename(&m->fs, &vol, "0001", &dir, "b", false), -EROFS);
	assert_int_equal(tree_rename(&m->fs, &vol, "0001.d", &vol, "b", false), -EROFS);
	assert_int_equal(file_create(&m->fs, &dir, "new", &somebody, FILE_WRITE, false, &f), -EROFS);
	assert_int_equal(file_open(&m->fs, &a, FILE_WRITE, &f), -EROFS);
	assert_int_equal(tree_setattr(&m->fs, &a, TREE_MODE, &p), -EROFS);
	assert_int_equal(tree_setattr(&m->fs, &top, TREE_MTIME, &p), -EROFS);
	assert_int_equal(xattr_set(&m->fs, &a, "protect", "on", 2), -EROFS);
	assert_string_equal(list(m, D "/dir", 9), "a sub");
}

static void without_contents_there_are_no_archives(void **state)
{
	struct mount *m = *state;
	struct node a = { NODE_ROOT }, n;
	struct file *f;
	struct stat s;

	pack_some(m);
	assert_int_equal(find(m, D "/dir/a", &a), 0);
	m->fs.contents = NULL;
	assert_string_equal(list(m, "files/default/A", 9), "0001");
	assert_int_equal(find(m, D, &n), -ENOENT);
	assert_int_equal(tree_attr(&m->fs, &a, &s), -ESTALE);
	assert_int_equal(file_open(&m->fs, &a, FILE_READ, &f), -ESTALE);
}

#define MOUNTED(f) cmocka_unit_test_setup_teardown(f, mount_new, mount_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNTED(the_members_of_an_archive_are_a_tree),
		MOUNTED(members_have_the_metadata_of_the_archive),
		MOUNTED(a_symbolic_link_says_where_it_leads),
		MOUNTED(a_hard_link_is_its_target),
		MOUNTED(a_hard_link_to_nothing_cannot_be_opened),
		MOUNTED(of_two_members_of_one_path_the_later_counts),
		MOUNTED(the_folder_has_the_name_of_its_file),
		MOUNTED(folders_can_be_left_out_of_listings),
		MOUNTED(who_may_not_read_the_tape_file_may_not_enter),
		MOUNTED(a_long_name_is_cut_and_can_be_opened),
		MOUNTED(a_large_folder_comes_in_pages),
		MOUNTED(a_folder_can_be_read_from_any_place_again),
		MOUNTED(a_listing_tells_what_stat_does),
		MOUNTED(a_byte_anywhere_can_be_read),
		MOUNTED(a_member_that_is_cut_off_is_no_short_file),
		MOUNTED(an_open_member_is_in_nobodys_way),
		MOUNTED(a_tape_that_is_written_over_makes_members_stale),
		MOUNTED(a_tape_that_is_deleted_makes_members_stale),
		MOUNTED(numbers_mean_the_same_after_a_restart),
		MOUNTED(nothing_can_be_changed),
		MOUNTED(without_contents_there_are_no_archives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
