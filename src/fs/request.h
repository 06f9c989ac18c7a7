/* SPDX-License-Identifier: BSD-2-Clause */
/* request: FUSE requests, for the session; and what the files of them share. */
#ifndef FS_REQUEST_H
#define FS_REQUEST_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "fs/tree.h"

extern const struct fuse_lowlevel_ops fs_requests;

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct file *file_of(struct fuse_file_info *fi)
{
	return (struct file *)(uintptr_t)fi->fh;
}

/* A file on which something else than a close is done is not on its way out. */
static inline struct file *file_in_use(struct fuse_file_info *fi)
{
	struct file *f = file_of(fi);

	atomic_store(&f->closing, false);
	return f;
}

/* ---- fs_request.c ---- */

/* The reply that says only how it went; 0 or -errno. */
void request_done(fuse_req_t req, int r);
/* Who asks, for what is made with @mode. */
struct tree_who request_who(fuse_req_t req, mode_t mode);
/* The reply that is a name and its attributes. */
void request_entry(fuse_req_t req, const struct node *n);
/* The same as data: without its attributes, and with them; 0 or -errno. */
struct fuse_entry_param entry_of(const struct node *n);
int entry_make(struct fs *fs, const struct node *n, struct fuse_entry_param *e);

/* ---- fs_request_dir.c ---- */

void request_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void request_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void request_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void request_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void request_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void request_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void request_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void request_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent, const char *to_name,
		    unsigned flags);
void request_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void request_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name);
void request_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);

/* ---- fs_request_file.c ---- */

void request_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void request_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void request_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void request_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
		   struct fuse_file_info *fi);
void request_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void request_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void request_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void request_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in, struct fuse_file_info *fi_in,
			     fuse_ino_t ino_out, off_t off_out, struct fuse_file_info *fi_out, size_t len, int flags);
void request_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi, unsigned flags,
		   const void *in, size_t in_len, size_t out_len);

#endif
