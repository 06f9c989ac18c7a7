/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_request: what the kernel asks, as calls on the tree and on open files.  Each function decodes its arguments,
 * makes one call, and replies exactly once.  Nothing here knows a rule of tapes.
 */
#include "fs/request.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/mtio.h>
#include <stdio.h>

#include "fs/tree.h"

static struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static void reply(fuse_req_t req, int r)
{
	if (r && r != -ENOENT && r != -ENODATA)
		log_debug("mount: %s", err_text(r));
	fuse_reply_err(req, -r);
	err_clear();
}

static struct file *file_of(struct fuse_file_info *fi)
{
	return (struct file *)(uintptr_t)fi->fh;
}

/* A file on which something else than a close is done is not on its way out. */
static struct file *file_in_use(struct fuse_file_info *fi)
{
	struct file *f = file_of(fi);

	atomic_store(&f->closing, false);
	return f;
}

/* ---- names and attributes -------------------------------------------------------------------------------------- */

/* How long the kernel may believe a name and its attributes: tapes change by other doors and by the command line.  A
 * name that went away behind its back gives ESTALE, upon which the kernel looks again. */
static const struct { double name_s, attr_s; } trust[NODE_KINDS] = {
	[NODE_ROOT] = { 3600, 3600 }, [NODE_DOOR] = { 3600, 3600 }, [NODE_DRIVE] = { 3600, 3600 },
	[NODE_POOL] = { 1, 1 }, [NODE_TAPE] = { 1, 0 }, [NODE_VOLUME] = { 1, 0 },
	[NODE_ARCHIVE] = { 1, 1 },
	/* These never change, only go.  So long as it takes to read a large folder and then to look at all in it. */
	[NODE_FOLDER] = { 10, 10 }, [NODE_MEMBER] = { 10, 10 },
};

static struct fuse_entry_param entry_of(const struct node *n)
{
	return (struct fuse_entry_param){ .ino = node_ino(n), .entry_timeout = trust[n->kind].name_s,
					  .attr_timeout = trust[n->kind].attr_s };
}

static int make_entry(struct fs *fs, const struct node *n, struct fuse_entry_param *e)
{
	*e = entry_of(n);
	return e->ino ? tree_attr(fs, n, &e->attr) : -EOVERFLOW;
}

static void reply_entry(fuse_req_t req, const struct node *n)
{
	struct fuse_entry_param e;
	int r = make_entry(fs_of(req), n, &e);

	if (r)
		reply(req, r == -ESTALE ? -ENOENT : r);
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
		reply(req, r);
		return;
	}
	e = entry_of(&n);
	e.attr = attr;
	fuse_reply_entry(req, &e);
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
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
		reply(req, r);
	else
		reply_entry(req, &n);
}

static void reply_attr(fuse_req_t req, const struct node *n)
{
	struct stat s;
	int r = tree_attr(fs_of(req), n, &s);

	if (r)
		reply(req, r);
	else
		fuse_reply_attr(req, &s, trust[n->kind].attr_s);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node n;
	int r = node_of(ino, &n);

	if (r)
		reply(req, r);
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

static void do_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
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
		reply(req, r);
	else
		reply_attr(req, &n);
}

static void do_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs s;
	int r = tree_statfs(fs_of(req), &s);

	if (r)
		reply(req, r);
	else
		fuse_reply_statfs(req, &s);
}

/* ---- folders --------------------------------------------------------------------------------------------------- */

#define COOKIE_OWN 2	/* "." and ".." come before the entries of the tree */

static void do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct tree_walk *w = calloc(1, sizeof(*w));
	int r = w ? node_of(ino, &w->dir) : -ENOMEM;

	if (!r && !node_is_dir(&w->dir))
		r = -ENOTDIR;
	if (r) {
		free(w);
		reply(req, r);
		return;
	}
	w->fs = fs_of(req);
	fi->fh = (uintptr_t)w;
	if (fuse_reply_open(req, fi))
		free(w);
}

static void do_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	free((void *)(uintptr_t)fi->fh);
	reply(req, 0);
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
		reply(req, -ENOMEM);
		return;
	}
	if (from == 0 && page_put_dir(&p, ".", ino, 1))
		from = 1;
	if (from == 1 && page_put_dir(&p, "..", FUSE_ROOT_ID, COOKIE_OWN))
		from = COOKIE_OWN;
	if (from >= COOKIE_OWN)
		r = tree_list(w, from - COOKIE_OWN, page_emit, &p);
	if (r)
		reply(req, r);
	else
		fuse_reply_buf(req, data, p.len);
}

static void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_folder(req, ino, size, off, fi, false);
}

static void do_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	read_folder(req, ino, size, off, fi, true);
}

static struct tree_who who_of(fuse_req_t req, mode_t mode)
{
	const struct fuse_ctx *c = fuse_req_ctx(req);

	return (struct tree_who){ mode, c->uid, c->gid };
}

static void do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct tree_who who = who_of(req, mode);
	struct node dir, n;
	int r = node_of(parent, &dir);

	if (!r)
		r = tree_mkdir(fs_of(req), &dir, name, &who, &n);
	if (r)
		reply(req, r);
	else
		reply_entry(req, &n);
}

static void do_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node dir;
	int r = node_of(parent, &dir);

	reply(req, r ? r : tree_rmdir(fs_of(req), &dir, name));
}

static void do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node dir;
	int r = node_of(parent, &dir);

	reply(req, r ? r : tree_unlink(fs_of(req), &dir, name));
}

static void do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent, const char *to_name,
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
	reply(req, r);
}

/* What no folder of the tree can have made in it. */
static void refuse_in(fuse_req_t req, fuse_ino_t parent)
{
	struct node dir;
	int r = node_of(parent, &dir);

	reply(req, r ? r : node_is_archived(&dir) ? -EROFS : -EPERM);
}

static void do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	refuse_in(req, parent);
}

static void do_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	refuse_in(req, parent);
}

static void do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	refuse_in(req, parent);
}

static void do_readlink(fuse_req_t req, fuse_ino_t ino)
{
	CLEANUP(buf_fini) struct buf target = BUF_INIT;
	struct node n;
	int r = node_of(ino, &n);

	if (!r)
		r = archive_readlink(fs_of(req), &n, &target);
	if (r)
		reply(req, r);
	else
		fuse_reply_readlink(req, (const char *)target.data);
}

/* ---- open files ------------------------------------------------------------------------------------------------ */

static unsigned file_flags_of(int flags)
{
	int mode = flags & O_ACCMODE;

	return (mode != O_WRONLY ? FILE_READ : 0) | (mode != O_RDONLY ? FILE_WRITE : 0) |
	       (flags & O_APPEND ? FILE_APPEND : 0) | (flags & O_TRUNC && mode != O_RDONLY ? FILE_TRUNC : 0) |
	       (flags & O_NONBLOCK ? FILE_NONBLOCK : 0);
}

/* Every read and write reaches us as it was made: a record is one of them, and sizes change behind the kernel's
 * back.  But not what lasts: its pages are the kernel's to keep, from one open to the next, and a close of it says
 * nothing. */
static void set_open(struct fuse_file_info *fi, struct file *f)
{
	fi->fh = (uintptr_t)f;
	fi->direct_io = !f->lasting;
	fi->keep_cache = f->lasting;
	fi->noflush = f->lasting;
	fi->nonseekable = f->sequential;
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct file *f = NULL;
	struct node n;
	int r = node_of(ino, &n);

	if (!r)
		r = file_open(fs_of(req), &n, file_flags_of(fi->flags), &f);
	if (r) {
		reply(req, r);
		return;
	}
	file_said_by(f, fuse_req_ctx(req)->uid, fuse_req_ctx(req)->pid);
	set_open(fi, f);
	if (fuse_reply_open(req, fi))
		file_release(f);	/* the program was interrupted: there will be no RELEASE */
}

static void do_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct tree_who who = who_of(req, mode);
	struct fuse_entry_param e;
	struct file *f = NULL;
	struct node dir, n;
	int r = node_of(parent, &dir);

	if (!r)
		r = file_create(fs, &dir, name, &who, file_flags_of(fi->flags), fi->flags & O_EXCL, &f);
	if (r) {
		reply(req, r);
		return;
	}
	n = f->node;
	r = make_entry(fs, &n, &e);
	if (r) {
		file_release(f);
		reply(req, r);
		return;
	}
	file_said_by(f, fuse_req_ctx(req)->uid, fuse_req_ctx(req)->pid);
	set_open(fi, f);
	if (fuse_reply_create(req, &e, fi))
		file_release(f);
}

/* One per thread, kept: a megabyte that is mapped anew for every request costs more than the copy into it. */
static _Thread_local struct buf read_buffer;
static pthread_key_t read_buffer_key;
static pthread_once_t read_buffer_once = PTHREAD_ONCE_INIT;

static void read_buffer_drop(void *b)
{
	buf_fini(b);
}

static void read_buffer_init(void)
{
	pthread_key_create(&read_buffer_key, read_buffer_drop);
}

static uint8_t *read_buffer_get(size_t size)
{
	pthread_once(&read_buffer_once, read_buffer_init);
	if (size > read_buffer.cap) {
		if (buf_reserve(&read_buffer, size))
			return NULL;
		pthread_setspecific(read_buffer_key, &read_buffer);
	}
	return read_buffer.data;
}

/* With the answer @f may be gone. */
static void read_now(fuse_req_t req, struct file *f, size_t size, uint64_t off)
{
	uint8_t *data = read_buffer_get(size);
	size_t got = 0;
	int r = data ? f->ops->read(f, data, size, off, &got) : -ENOMEM;

	if (r)
		reply(req, r);
	else
		fuse_reply_buf(req, (const char *)data, got);
}

/* A signal that comes in this time does not end a read: few programs expect EINTR of a file, and a short read is done
 * as soon. */
#define GIVEN_UP_NS 200000000ull

struct slow_read {
	struct slow_job job;
	fuse_req_t req;
	struct file *f;
	size_t size;
	uint64_t off, since_ns;
};

static bool slow_read_given_up(struct slow_job *j)
{
	struct slow_read *s = (struct slow_read *)j;

	return fuse_req_interrupted(s->req) && clock_mono_ns() - s->since_ns > GIVEN_UP_NS;
}

static void slow_read_run(struct slow_job *j, int r)
{
	struct slow_read *s = (struct slow_read *)j;

	if (r) {
		fuse_reply_err(s->req, -r);
	} else {
		s->f->job = j;
		read_now(s->req, s->f, s->size, s->off);
	}
	free(s);
}

static void read_slowly(fuse_req_t req, struct file *f, size_t size, uint64_t off)
{
	struct slow_read *s = malloc(sizeof(*s));
	int r = -ENOMEM;

	if (s) {
		*s = (struct slow_read){ { .of = f, .given_up = slow_read_given_up, .run = slow_read_run },
					 req, f, size, off, clock_mono_ns() };
		r = slow_put(fs_of(req)->slow, &s->job);
	}
	if (r) {
		free(s);
		reply(req, r);
	}
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct file *f = file_in_use(fi);

	if (f->slow)
		read_slowly(req, f, size, (uint64_t)off);
	else
		read_now(req, f, size, (uint64_t)off);
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct file *f = file_in_use(fi);
	size_t done = 0;
	int r = f->ops->write ? f->ops->write(f, data, size, (uint64_t)off, &done) : -EBADF;

	if (r) {
		reply(req, r);
		return;
	}
	atomic_store(&f->mtime_set, false);
	fuse_reply_write(req, done);
}

static void do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	reply(req, file_flush(file_of(fi)));
}

static void do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	file_release(file_of(fi));
	reply(req, 0);
}

static void do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct file *f = file_in_use(fi);

	reply(req, f->ops->sync ? f->ops->sync(f) : 0);
}

/* Copying inside the kernel would cut records at pages.  EINVAL, unlike ENOSYS, sends cp back to read and write. */
static void do_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in, struct fuse_file_info *fi_in,
			       fuse_ino_t ino_out, off_t off_out, struct fuse_file_info *fi_out, size_t len, int flags)
{
	reply(req, -EINVAL);
}

/* ---- ioctls ---------------------------------------------------------------------------------------------------- */

/* On a regular file the kernel takes direction and size from the number itself: exactly that many bytes come and
 * go. */

/* Options of a drive are root's to set (st: CAP_SYS_ADMIN); who mounted the drives is their root. */
static bool is_root(fuse_req_t req)
{
	uid_t uid = fuse_req_ctx(req)->uid;

	return uid == 0 || uid == fs_of(req)->uid;
}

static int ioctl_op(fuse_req_t req, struct file *f, const void *in, size_t len)
{
	struct mtop op;

	if (len != sizeof(op))
		return -EINVAL;
	memcpy(&op, in, sizeof(op));
	return f->ops->op(f, op.mt_op, op.mt_count, is_root(req));
}

/* What a program built for 32 bits asks for: the same fields, each an int. */
struct mtget_32 { int32_t type, resid, dsreg, gstat, erreg, fileno, blkno; };

static int ioctl_get(struct file *f, size_t want, void *out)
{
	struct mtget g;
	struct mtget_32 g32;
	int r;

	if (want != sizeof(g) && want != sizeof(g32))
		return -EINVAL;
	r = f->ops->get(f, &g);
	if (r)
		return r;
	g32 = (struct mtget_32){ (int32_t)g.mt_type, (int32_t)g.mt_resid, (int32_t)g.mt_dsreg, (int32_t)g.mt_gstat,
				 (int32_t)g.mt_erreg, (int32_t)g.mt_fileno, (int32_t)g.mt_blkno };
	memcpy(out, want == sizeof(g) ? (void *)&g : (void *)&g32, want);
	return 0;
}

static int ioctl_pos(struct file *f, size_t want, void *out)
{
	struct mtpos p;
	int32_t p32;
	int r;

	if (want != sizeof(p) && want != sizeof(p32))
		return -EINVAL;
	r = f->ops->pos(f, &p);
	if (r)
		return r;
	p32 = (int32_t)p.mt_blkno;
	memcpy(out, want == sizeof(p) ? (void *)&p : (void *)&p32, want);
	return 0;
}

static void do_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi, unsigned flags,
		     const void *in, size_t in_len, size_t out_len)
{
	struct file *f = flags & FUSE_IOCTL_DIR ? NULL : file_in_use(fi);
	uint8_t out[sizeof(struct mtget)];
	int r = -ENOTTY;

	if (f && f->ops->op && _IOC_TYPE(cmd) == _IOC_TYPE(MTIOCTOP)) {
		if (_IOC_NR(cmd) == _IOC_NR(MTIOCTOP))
			r = ioctl_op(req, f, in, in_len);
		else if (_IOC_NR(cmd) == _IOC_NR(MTIOCGET))
			r = ioctl_get(f, out_len, out);
		else if (_IOC_NR(cmd) == _IOC_NR(MTIOCPOS))
			r = ioctl_pos(f, out_len, out);
	}
	if (r)
		reply(req, r);
	else
		fuse_reply_ioctl(req, 0, out, out_len);
}

/* ---- extended attributes --------------------------------------------------------------------------------------- */

#define XATTR_PREFIX "user.vtape."

/* @size 0 asks for the length only. */
static void reply_xattr(fuse_req_t req, int r, const struct buf *b, size_t size)
{
	if (r)
		reply(req, r);
	else if (!size)
		fuse_reply_xattr(req, b->len);
	else if (size < b->len)
		reply(req, -ERANGE);
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

static void do_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct node n;
	int r = xattr_ours(&name) ? node_of(ino, &n) : -ENODATA;

	if (!r)
		r = xattr_get(fs_of(req), &n, name, &b);
	reply_xattr(req, r, &b, size);
}

static void do_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct node n;
	int r = node_of(ino, &n);

	if (!r)
		r = xattr_list(fs_of(req), &n, &b);
	reply_xattr(req, r, &b, size);
}

static void do_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct node n;
	int r = xattr_ours(&name) ? node_of(ino, &n) : -EOPNOTSUPP;

	reply(req, r ? r : xattr_set(fs_of(req), &n, name, value, size));
}

static void do_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	reply(req, xattr_ours(&name) ? -EPERM : -ENODATA);
}

/* ---- the session ----------------------------------------------------------------------------------------------- */

static void do_init(void *userdata, struct fuse_conn_info *conn)
{
	conn->max_write = 1u << 20;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	conn->time_gran = 1;
	conn->want |= conn->capable & FUSE_CAP_ATOMIC_O_TRUNC;
	/* A write must be acknowledged by the tape, not by the page cache. */
	conn->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
	/* Where it costs nothing, entries come with their attributes; find, cp and rsync read a folder before they ask. */
	conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	/* What is unpacked on the way must be asked for in order.  Only members of archives are read ahead. */
	conn->want &= ~(unsigned)FUSE_CAP_ASYNC_READ;
	/* Requests come into one buffer as they are; through a pipe they would be copied once more. */
	conn->want &= ~(unsigned)FUSE_CAP_SPLICE_READ;
}

const struct fuse_lowlevel_ops fs_requests = {
	.init = do_init,
	.lookup = do_lookup,
	.getattr = do_getattr,
	.setattr = do_setattr,
	.statfs = do_statfs,
	.readlink = do_readlink,
	.opendir = do_opendir,
	.readdir = do_readdir,
	.readdirplus = do_readdirplus,
	.releasedir = do_releasedir,
	.mkdir = do_mkdir,
	.rmdir = do_rmdir,
	.unlink = do_unlink,
	.rename = do_rename,
	.mknod = do_mknod,
	.symlink = do_symlink,
	.link = do_link,
	.open = do_open,
	.create = do_create,
	.read = do_read,
	.write = do_write,
	.flush = do_flush,
	.release = do_release,
	.fsync = do_fsync,
	.ioctl = do_ioctl,
	.copy_file_range = do_copy_file_range,
	.getxattr = do_getxattr,
	.listxattr = do_listxattr,
	.setxattr = do_setxattr,
	.removexattr = do_removexattr,
};
