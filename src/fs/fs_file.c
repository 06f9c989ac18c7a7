/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_file: the list of open files, and what all doors share: waiting for a file that is on its way out, and keeping a
 * time that the user set although closing writes to the tape after it (cp -p sets times before it closes).
 */
#include <errno.h>
#include <time.h>

#include "fs/fs_errno.h"
#include "fs/tree.h"

/* RELEASE follows close(2) at once unless the machine is very busy.  It does not come if the close was of a descriptor
 * that had been dup'ed; then this is how long EBUSY takes. */
#define AWAIT_S 2

static bool same_thing(const struct node *a, const struct node *b)
{
	if (a->kind == NODE_DRIVE || b->kind == NODE_DRIVE)
		return a->kind == b->kind && a->drive == b->drive;
	return a->volume == b->volume;
}

static bool in_the_way(const struct file *f, const struct node *n, bool write)
{
	/* All that have an image open share one claim, and a new writer takes over from the last. */
	if (f->node.kind == NODE_IMAGE && n->kind == NODE_IMAGE)
		return false;
	return same_thing(&f->node, n) && (f->write || write || n->kind == NODE_DRIVE) && atomic_load(&f->closing);
}

void file_await(struct fs *fs, const struct node *n, bool write)
{
	struct timespec until;
	struct file *f;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += AWAIT_S;
	LOCK_SCOPE(&fs->lock);
	for (;;) {
		for (f = fs->files; f; f = f->next)
			if (in_the_way(f, n, write))
				break;
		if (!f || pthread_cond_timedwait(&fs->released, &fs->lock, &until) == ETIMEDOUT)
			return;
	}
}

static void file_link(struct fs *fs, struct file *f)
{
	LOCK_SCOPE(&fs->lock);
	f->fs = fs;
	f->next = fs->files;
	fs->files = f;
}

static void file_unlink(struct file *f)
{
	LOCK_SCOPE(&f->fs->lock);
	struct file **p = &f->fs->files;

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	pthread_cond_broadcast(&f->fs->released);
}

int file_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out)
{
	struct file *f = NULL;
	int r;

	file_await(fs, n, flags & FILE_WRITE);
	switch (n->kind) {
	case NODE_TAPE:
		r = tape_open(fs, n, flags, &f);
		break;
	case NODE_DRIVE:
		r = drive_node_open(fs, n, flags, &f);
		break;
	case NODE_FILE:
		r = tapefile_open(fs, n, flags, &f);
		break;
	case NODE_IMAGE:
		r = image_open(fs, n, flags, &f);
		break;
	case NODE_MEMBER:
		r = member_open(fs, n, flags, &f);
		break;
	default:
		r = -EISDIR;
		break;
	}
	/* It had been looked up: the kernel's name for it is old, and at ESTALE it looks again. */
	if (r)
		return r == -ENOENT ? -ESTALE : r;
	file_link(fs, f);
	*out = f;
	return 0;
}

int file_create(struct fs *fs, const struct node *dir, const char *name, const struct tree_who *who, unsigned flags,
		bool excl, struct file **out)
{
	struct node n;
	int r = tree_lookup(fs, dir, name, &n);

	if (!r)
		return excl ? -EEXIST : file_open(fs, &n, flags, out);
	if (r != -ENOENT)
		return r;
	if (dir->kind == NODE_VOLUME) {
		/* A tape file has no place on the tape before something is written: it begins as an open file. */
		file_await(fs, dir, true);
		r = tapefile_create(fs, dir->volume, name, who, out);
		if (!r)
			file_link(fs, *out);
		return r;
	}
	r = tree_create(fs, dir, name, who, &n);
	return r ? r : file_open(fs, &n, flags | FILE_CREATED, out);
}

static void touch_ctime(struct catalog_volume *v, void *ctx)
{
	v->perm.ctime_ns = clock_now_ns();
	v->perm.mtime_ns = *(uint64_t *)ctx;
}

/* The marks and commits of the close made the tape younger than the time that the user gave it. */
static int keep_mtime(struct file *f, uint64_t mtime_ns)
{
	return fs_errno(library_volume_change(f->fs->lib, f->node.volume, touch_ctime, &mtime_ns));
}

int file_flush(struct file *f)
{
	struct catalog_volume v;
	bool keep = f->node.kind == NODE_TAPE && f->write && atomic_load(&f->mtime_set);
	int r;

	if (keep && catalog_volume_by_id(f->fs->cat, f->node.volume, &v))
		keep = false;
	r = f->ops->flush(f);
	if (!r && keep)
		r = keep_mtime(f, v.perm.mtime_ns);
	atomic_store(&f->closing, true);
	return r;
}

void file_release(struct file *f)
{
	/* Out of the list only when its claims are given back: until then a new open has to wait for it. */
	f->ops->release(f);
	file_unlink(f);
	free(f);
}

void file_release_all(struct fs *fs)
{
	struct file *f, *next;
	int r;

	for (f = fs->files; f; f = next) {
		next = f->next;
		r = f->write ? f->ops->flush(f) : 0;
		if (r)
			log_warn("an open tape could not be written out at unmount: %s", err_text(r));
		file_release(f);
	}
}

void file_mtime_set(struct fs *fs, const struct node *n)
{
	LOCK_SCOPE(&fs->lock);
	for (struct file *f = fs->files; f; f = f->next)
		if (f->write && node_ino(&f->node) == node_ino(n))
			atomic_store(&f->mtime_set, true);
}

void file_attr(struct fs *fs, const struct node *n, struct stat *out)
{
	LOCK_SCOPE(&fs->lock);
	for (struct file *f = fs->files; f; f = f->next)
		if (f->write && f->ops->attr && node_ino(&f->node) == node_ino(n))
			f->ops->attr(f, out);
}

bool file_is_open(struct fs *fs, const struct node *n)
{
	LOCK_SCOPE(&fs->lock);
	for (struct file *f = fs->files; f; f = f->next)
		if (node_ino(&f->node) == node_ino(n))
			return true;
	return false;
}

int file_refused(const struct file *f, uint64_t volume, int r)
{
	if (r == -ENOSPC)
		library_no_space(f->fs->lib, volume);
	/* A file that is not open for writing is refused for that alone. */
	if (r != -EACCES || !f->write)
		return r;
	return library_refused(f->fs->lib, volume, "written over") == -EPERM ? -EPERM : r;
}
