/* SPDX-License-Identifier: BSD-2-Clause */
/* mount: a store in memory and the tree on it, without FUSE: what the kernel would ask is asked by the test. */
#ifndef TEST_FS_MOUNT_H
#define TEST_FS_MOUNT_H

#include "fs/tree.h"
#include "unit/library/store.h"

struct mount {
	struct store store;
	struct contents *contents;
	struct fs fs;
};

/* On a store that is up. */
static inline void mount_begin(struct mount *m)
{
	struct store *s = &m->store;
	pthread_condattr_t attr;

	assert_int_equal(contents_open(s->kv, s->cat, s->lib, &m->contents), 0);
	m->fs = (struct fs){ .lib = s->lib, .cat = s->cat, .contents = m->contents, .uid = 7, .gid = 8,
			     .mounted_ns = 1000000000 };
	pthread_mutex_init(&m->fs.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->fs.released, &attr);
	pthread_condattr_destroy(&attr);
	for (unsigned i = 0; i < library_drives(s->lib); i++)
		assert_int_equal(st_new(&m->fs.st[i]), 0);
}

static inline void mount_end(struct mount *m)
{
	file_release_all(&m->fs);
	for (unsigned i = 0; i < LIBRARY_DRIVES_MAX; i++)
		m->fs.st[i] = st_free(m->fs.st[i]);
	pthread_mutex_destroy(&m->fs.lock);
	pthread_cond_destroy(&m->fs.released);
	m->contents = contents_close(m->contents);
}

static inline int mount_new(void **state)
{
	static struct mount m;

	store_init(&m.store);
	mount_begin(&m);
	*state = &m;
	return 0;
}

static inline int mount_free(void **state)
{
	struct mount *m = *state;

	mount_end(m);
	store_fini(&m->store);
	return 0;
}

static inline void mount_restart(struct mount *m)
{
	mount_end(m);
	store_restart(&m->store);
	mount_begin(m);
}

/* The power fails and comes back. */
static inline void mount_cut(struct mount *m)
{
	struct twins left = twins_cut(m->store.kv, m->store.packs, 1);

	mount_end(m);
	store_down(&m->store);
	twins_replace(&m->store.kv, &m->store.packs, left);
	store_up(&m->store);
	mount_begin(m);
}

/* ---- paths, as the kernel walks them ---- */

static inline int walk(struct mount *m, const char *path, struct node *dir, char name[256], struct node *out)
{
	struct node n = { .kind = NODE_ROOT };
	char copy[512], *at = copy, *part;
	int r = 0;

	snprintf(copy, sizeof(copy), "%s", path);
	while (!r && (part = strsep(&at, "/"))) {
		*dir = n;
		snprintf(name, 256, "%s", part);
		r = tree_lookup(&m->fs, dir, name, &n);
		if (r && at)
			return r;
	}
	if (!r)
		*out = n;
	return r;
}

static inline int find(struct mount *m, const char *path, struct node *out)
{
	struct node dir;
	char name[256];

	return walk(m, path, &dir, name, out);
}

static const struct tree_who somebody = { 0640, 11, 12 };

static inline int open_file(struct mount *m, const char *path, unsigned flags, struct file **out)
{
	struct node dir, n;
	char name[256];
	int r = walk(m, path, &dir, name, &n);

	if (!r)
		return file_open(&m->fs, &n, flags, out);
	return flags & FILE_WRITE && r == -ENOENT ? file_create(&m->fs, &dir, name, &somebody, flags, true, out) : r;
}

static inline struct file *must_open(struct mount *m, const char *path, unsigned flags)
{
	struct file *f = NULL;
	int r = open_file(m, path, flags, &f);

	if (r)
		fail_msg("open %s: %d (%s)", path, r, err_text(r));
	return f;
}

static inline int close_file(struct file *f)
{
	int r = file_flush(f);

	file_release(f);
	return r;
}

static inline int put(struct file *f, const void *p, size_t n, uint64_t off)
{
	size_t done = 0;
	int r;

	atomic_store(&f->closing, false);
	r = f->ops->write(f, p, n, off, &done);
	if (!r)
		assert_int_equal(done, n);
	return r;
}

/* A whole file in pieces of @each. */
static inline int write_file(struct mount *m, const char *path, unsigned flags, const void *p, size_t n, size_t each)
{
	struct file *f = NULL;
	int r = open_file(m, path, flags | FILE_WRITE, &f), closed;

	if (r)
		return r;
	for (size_t at = 0; !r && at < n; at += each)
		r = put(f, (const uint8_t *)p + at, n - at < each ? n - at : each, at);
	closed = close_file(f);
	return r ? r : closed;
}

static inline size_t read_file(struct mount *m, const char *path, void *p, size_t cap)
{
	struct file *f = must_open(m, path, FILE_READ);
	size_t at = 0, got = 1;

	while (got && at < cap) {
		assert_int_equal(f->ops->read(f, (uint8_t *)p + at, cap - at, at, &got), 0);
		at += got;
	}
	assert_int_equal(close_file(f), 0);
	return at;
}

static inline struct stat stat_path(struct mount *m, const char *path)
{
	struct stat s = { 0 };
	struct node n;
	int r = find(m, path, &n);

	if (r)
		fail_msg("look up %s: %d", path, r);
	assert_int_equal(tree_attr(&m->fs, &n, &s), 0);
	return s;
}

/* Names of a folder, space between, in pages of @page entries. */
struct names { char text[4096]; unsigned left; uint64_t next; };

static inline bool names_add(void *ctx, const char *name, const struct node *n, const struct stat *attr,
			     uint64_t next)
{
	struct names *l = ctx;

	if (!l->left)
		return false;
	l->left--;
	l->next = next;
	snprintf(l->text + strlen(l->text), sizeof(l->text) - strlen(l->text), "%s%s", l->text[0] ? " " : "", name);
	return true;
}

static inline const char *list(struct mount *m, const char *path, unsigned page)
{
	static struct names l;
	struct tree_walk w = { .fs = &m->fs };

	l = (struct names){ .next = 0 };
	w.dir.kind = NODE_ROOT;
	if (*path)
		assert_int_equal(find(m, path, &w.dir), 0);
	do {
		l.left = page;
		assert_int_equal(tree_list(&w, l.next, names_add, &l), 0);
	} while (!l.left);
	return l.text;
}

static inline int remove_path(struct mount *m, const char *path)
{
	struct node dir, n;
	char name[256];
	int r = walk(m, path, &dir, name, &n);

	return r ? r : tree_unlink(&m->fs, &dir, name);
}

static inline int rename_path(struct mount *m, const char *from, const char *to)
{
	struct node dir, to_dir, n;
	char name[256], to_name[256];
	int r = walk(m, from, &dir, name, &n);

	if (r)
		return r;
	r = walk(m, to, &to_dir, to_name, &n);
	if (r && r != -ENOENT)
		return r;
	return tree_rename(&m->fs, &dir, name, &to_dir, to_name, false);
}

#endif
