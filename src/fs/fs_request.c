/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_request: what the kernel asks, as calls on the tree and on open files: the table of it, and here names, attributes
 * and extended attributes.  Folders are fs_request_dir.c's, open files fs_request_file.c's.  Each function decodes its
 * arguments, makes one call, and replies exactly once.  Nothing here knows a rule of tapes.
 */
#include "fs/request.h"

#include <errno.h>

/* ---- the answer -------------------------------------------------------------------------------------------------- */

void request_done(fuse_req_t req, int r)
{
	if (r && r != -ENOENT && r != -ENODATA)
		log_debug("mount: %s", err_text(r));
	fuse_reply_err(req, -r);
	err_clear();
}

struct tree_who request_who(fuse_req_t req, mode_t mode)
{
	const struct fuse_ctx *c = fuse_req_ctx(req);

	return (struct tree_who){ mode, c->uid, c->gid };
}

/* ---- names and attributes ---------------------------------------------------------------------------------------- */

/* How long the kernel may believe a name and its attributes: tapes change by other doors and by the command line.  A
 * name that went away behind its back gives ESTALE, upon which the kernel looks again. */
static const struct { double name_s, attr_s; } trust[NODE_KINDS] = {
	[NODE_ROOT] = { 3600, 3600 }, [NODE_DOOR] = { 3600, 3600 }, [NODE_DRIVE] = { 3600, 3600 },
	[NODE_POOL] = { 1, 1 }, [NODE_TAPE] = { 1, 0 }, [NODE_VOLUME] = { 1, 0 },
	[NODE_ARCHIVE] = { 1, 1 },
	/* These never change, only go.  So long as it takes to read a large folder and then to look at all in it. */
	[NODE_FOLDER] = { 10, 10 }, [NODE_MEMBER] = { 10, 10 },
};

struct fuse_entry_param entry_of(const struct node *n)
{
	return (struct fuse_entry_param){ .ino = node_ino(n), .entry_timeout = trust[n->kind].name_s,
					  .attr_timeout = trust[n->kind].attr_s };
}

int entry_make(struct fs *fs, const struct node *n, struct fuse_entry_param *e)
{
	*e = entry_of(n);
	return e->ino ? tree_attr(fs, n, &e->attr) : -EOVERFLOW;
}

void request_entry(fuse_req_t req, const struct node *n)
{
	struct fuse_entry_param e;
	int r = entry_make(fs_of(req), n, &e);

	if (r)
		request_done(req, r == -ESTALE ? -ENOENT : r);
	else
		fuse_reply_entry(req, &e);
}

static void lookup_member(fuse_req_t req, const struct node *dir, const char *name)
{
	struct fuse_entry_param e;
	struct stat attr;
	struct node n;
	int r = archive_lookup(fs_of(req), dir, name, &n, &attr);

	if (r) {
		request_done(req, r);
		return;
	}
	e = entry_of(&n);
	e.attr = attr;
	fuse_reply_entry(req, &e);
}

static void request_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node dir, n;
	int r = node_of(parent, &dir);

	if (!r && (dir.kind == NODE_ARCHIVE || dir.kind == NODE_FOLDER)) {
		lookup_member(req, &dir, name);
		return;
	}
	if (!r)
		r = tree_lookup(fs_of(req), &dir, name, &n);
	if (r)
		request_done(req, r);
	else
		request_entry(req, &n);
}

static void reply_attr(fuse_req_t req, const struct node *n)
{
	struct stat s;
	int r = tree_attr(fs_of(req), n, &s);

	if (r)
		request_done(req, r);
	else
		fuse_reply_attr(req, &s, trust[n->kind].attr_s);
}

static void request_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node n;
	int r = node_of(ino, &n);

	if (r)
		request_done(req, r);
	else
		reply_attr(req, &n);
}

static int set_size(struct fs *fs, const struct node *n, uint64_t size, struct fuse_file_info *fi)
{
	struct file *f = fi ? file_in_use(fi) : NULL;

	if (f)
		return f->ops->truncate ? f->ops->truncate(f, size) : 0;
	if (n->kind == NODE_IMAGE)
		return image_truncate(fs, n, size);
	/* A tape is cut by writing to it; open(O_TRUNC) and truncate(2) leave that to the first write. */
	return n->kind == NODE_FILE ? -EPERM : 0;
}

static uint64_t ns_of(struct timespec t)
{
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void request_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct catalog_perm perm = { attr->st_mode, attr->st_uid, attr->st_gid, ns_of(attr->st_mtim), 0 };
	unsigned what = 0;
	struct node n;
	int r = node_of(ino, &n);

	if (!r && node_is_archived(&n))
		r = -EROFS;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		perm.mtime_ns = clock_now_ns();
	what |= to_set & FUSE_SET_ATTR_MODE ? TREE_MODE : 0;
	what |= to_set & FUSE_SET_ATTR_UID ? TREE_UID : 0;
	what |= to_set & FUSE_SET_ATTR_GID ? TREE_GID : 0;
	/* With a new size comes the time of it, which is ours to say. */
	if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW) && !(to_set & FUSE_SET_ATTR_SIZE))
		what |= TREE_MTIME;
	if (!r && (to_set & FUSE_SET_ATTR_SIZE))
		r = set_size(fs_of(req), &n, (uint64_t)attr->st_size, fi);
	if (!r && what)
		r = tree_setattr(fs_of(req), &n, what, &perm);
	if (r)
		request_done(req, r);
	else
		reply_attr(req, &n);
}

static void request_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs s;
	int r = tree_statfs(fs_of(req), &s);

	if (r)
		request_done(req, r);
	else
		fuse_reply_statfs(req, &s);
}

static void request_readlink(fuse_req_t req, fuse_ino_t ino)
{
	CLEANUP(buf_fini) struct buf target = BUF_INIT;
	struct node n;
	int r = node_of(ino, &n);

	if (!r)
		r = archive_readlink(fs_of(req), &n, &target);
	if (r)
		request_done(req, r);
	else
		fuse_reply_readlink(req, (const char *)target.data);
}

/* ---- extended attributes ----------------------------------------------------------------------------------------- */

#define XATTR_PREFIX "user.vtape."

/* @size 0 asks for the length only. */
static void reply_xattr(fuse_req_t req, int r, const struct buf *b, size_t size)
{
	if (r)
		request_done(req, r);
	else if (!size)
		fuse_reply_xattr(req, b->len);
	else if (size < b->len)
		request_done(req, -ERANGE);
	else
		fuse_reply_buf(req, (const char *)b->data, b->len);
}

static bool xattr_ours(const char **name)
{
	if (strncmp(*name, XATTR_PREFIX, strlen(XATTR_PREFIX)))
		return false;
	*name += strlen(XATTR_PREFIX);
	return true;
}

static void request_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct node n;
	int r = xattr_ours(&name) ? node_of(ino, &n) : -ENODATA;

	if (!r)
		r = xattr_get(fs_of(req), &n, name, &b);
	reply_xattr(req, r, &b, size);
}

static void request_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct node n;
	int r = node_of(ino, &n);

	if (!r)
		r = xattr_list(fs_of(req), &n, &b);
	reply_xattr(req, r, &b, size);
}

static void request_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
			     int flags)
{
	struct node n;
	int r = xattr_ours(&name) ? node_of(ino, &n) : -EOPNOTSUPP;

	request_done(req, r ? r : xattr_set(fs_of(req), &n, name, value, size));
}

static void request_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	request_done(req, xattr_ours(&name) ? -EPERM : -ENODATA);
}

/* ---- the session ------------------------------------------------------------------------------------------------- */

static void request_init(void *userdata, struct fuse_conn_info *conn)
{
	conn->max_write = 1u << 20;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	conn->time_gran = 1;
	conn->want |= conn->capable & FUSE_CAP_ATOMIC_O_TRUNC;
	/* A write must be acknowledged by the tape, not by the page cache. */
	conn->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
	/* Where it costs nothing, entries come with their attributes: find, cp and rsync read a folder, then ask. */
	conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	/* What is unpacked on the way must be asked for in order.  Only members of archives are read ahead. */
	conn->want &= ~(unsigned)FUSE_CAP_ASYNC_READ;
	/* Requests come into one buffer as they are; through a pipe they would be copied once more. */
	conn->want &= ~(unsigned)FUSE_CAP_SPLICE_READ;
}

const struct fuse_lowlevel_ops fs_requests = {
	.init = request_init,
	.lookup = request_lookup,
	.getattr = request_getattr,
	.setattr = request_setattr,
	.statfs = request_statfs,
	.readlink = request_readlink,
	.opendir = request_opendir,
	.readdir = request_readdir,
	.readdirplus = request_readdirplus,
	.releasedir = request_releasedir,
	.mkdir = request_mkdir,
	.rmdir = request_rmdir,
	.unlink = request_unlink,
	.rename = request_rename,
	.mknod = request_mknod,
	.symlink = request_symlink,
	.link = request_link,
	.open = request_open,
	.create = request_create,
	.read = request_read,
	.write = request_write,
	.flush = request_flush,
	.release = request_release,
	.fsync = request_fsync,
	.ioctl = request_ioctl,
	.copy_file_range = request_copy_file_range,
	.getxattr = request_getxattr,
	.listxattr = request_listxattr,
	.setxattr = request_setxattr,
	.removexattr = request_removexattr,
};
