/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_request_dir: folders as the kernel asks for them: what is in them, page by page, and what is made, renamed and
 * taken away in them.
 */
#include "fs/request.h"

#include <errno.h>
#include <linux/fs.h>

/* ---- what is in them --------------------------------------------------------------------------------------------- */

#define COOKIE_OWN 2	/* "." and ".." come before the entries of the tree */

void request_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree_walk *w = calloc(1, sizeof(*w));
	int r = w ? node_of(ino, &w->dir) : -ENOMEM;

	if (!r && !node_is_dir(&w->dir))
		r = -ENOTDIR;
	if (r) {
		free(w);
		request_done(req, r);
		return;
	}
	w->fs = fs_of(req);
	fi->fh = (uintptr_t)w;
	if (fuse_reply_open(req, fi))
		free(w);
}

void request_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	free((void *)(uintptr_t)fi->fh);
	request_done(req, 0);
}

struct page {
	fuse_req_t req;
	char *data;
	size_t len, cap;
	bool plus;		/* each entry with what a look-up says */
};

/* @e without a number: the kernel asks if it wants to know. */
static bool page_put(struct page *p, const char *name, const struct fuse_entry_param *e, uint64_t next)
{
	char *to = p->data + p->len;
	size_t left = p->cap - p->len, n;

	if (p->plus)
		n = fuse_add_direntry_plus(p->req, to, left, name, e, (off_t)next);
	else
		n = fuse_add_direntry(p->req, to, left, name, &e->attr, (off_t)next);
	if (n > left)
		return false;
	p->len += n;
	return true;
}

static bool page_put_dir(struct page *p, const char *name, uint64_t ino, uint64_t next)
{
	struct fuse_entry_param e = { .attr = { .st_ino = ino, .st_mode = S_IFDIR } };

	return page_put(p, name, &e, next);
}

static bool page_emit(void *ctx, const char *name, const struct node *n, const struct stat *attr, uint64_t next)
{
	struct fuse_entry_param e = { .ino = 0 };

	if (attr) {
		e = entry_of(n);
		e.attr = *attr;
	} else {
		e.attr.st_ino = node_ino(n);
		e.attr.st_mode = node_is_dir(n) ? S_IFDIR : S_IFREG;
	}
	return page_put(ctx, name, &e, next + COOKIE_OWN);
}

static void read_folder(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi, bool plus)
{
	struct tree_walk *w = (struct tree_walk *)(uintptr_t)fi->fh;
	CLEANUP(freep) char *data = malloc(size);
	struct page p = { req, data, 0, size, plus };
	uint64_t from = (uint64_t)off;
	int r = 0;

	if (!data) {
		request_done(req, -ENOMEM);
		return;
	}
	if (from == 0 && page_put_dir(&p, ".", ino, 1))
		from = 1;
	if (from == 1 && page_put_dir(&p, "..", FUSE_ROOT_ID, COOKIE_OWN))
		from = COOKIE_OWN;
	if (from >= COOKIE_OWN)
		r = tree_list(w, from - COOKIE_OWN, page_emit, &p);
	if (r)
		request_done(req, r);
	else
		fuse_reply_buf(req, data, p.len);
}

void request_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_folder(req, ino, size, off, fi, false);
}

void request_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_folder(req, ino, size, off, fi, true);
}

/* ---- what is made and taken away in them ------------------------------------------------------------------------- */

void request_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct tree_who who = request_who(req, mode);
	struct node dir, n;
	int r = node_of(parent, &dir);

	if (!r)
		r = tree_mkdir(fs_of(req), &dir, name, &who, &n);
	if (r)
		request_done(req, r);
	else
		request_entry(req, &n);
}

void request_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node dir;
	int r = node_of(parent, &dir);

	request_done(req, r ? r : tree_rmdir(fs_of(req), &dir, name));
}

void request_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node dir;
	int r = node_of(parent, &dir);

	request_done(req, r ? r : tree_unlink(fs_of(req), &dir, name));
}

void request_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent, const char *to_name,
		    unsigned flags)
{
	struct node dir, to_dir;
	int r = node_of(parent, &dir);

	if (!r)
		r = node_of(to_parent, &to_dir);
	if (!r && (flags & ~(unsigned)RENAME_NOREPLACE))
		r = -EINVAL;
	if (!r)
		r = tree_rename(fs_of(req), &dir, name, &to_dir, to_name, flags & RENAME_NOREPLACE);
	request_done(req, r);
}

/* What no folder of the tree can have made in it. */
static void refuse_in(fuse_req_t req, fuse_ino_t parent)
{
	struct node dir;
	int r = node_of(parent, &dir);

	request_done(req, r ? r : node_is_archived(&dir) ? -EROFS : -EPERM);
}

void request_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	refuse_in(req, parent);
}

void request_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	refuse_in(req, parent);
}

void request_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	refuse_in(req, parent);
}
