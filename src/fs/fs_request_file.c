/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_request_file: open files as the kernel asks for them: opened, read, written and closed, and the ioctls of a
 * drive.  What each means is the file's own (file_ops); a read that may take long is done by another thread.
 */
#include "fs/request.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mtio.h>

/* ---- open and create --------------------------------------------------------------------------------------------- */

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

void request_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct file *f = NULL;
	struct node n;
	int r = node_of(ino, &n);

	if (!r)
		r = file_open(fs_of(req), &n, file_flags_of(fi->flags), &f);
	if (r) {
		request_done(req, r);
		return;
	}
	file_said_by(f, fuse_req_ctx(req)->uid, fuse_req_ctx(req)->pid);
	set_open(fi, f);
	if (fuse_reply_open(req, fi))
		file_release(f);	/* the program was interrupted: there will be no RELEASE */
}

void request_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct tree_who who = request_who(req, mode);
	struct fuse_entry_param e;
	struct file *f = NULL;
	struct node dir, n;
	int r = node_of(parent, &dir);

	if (!r)
		r = file_create(fs, &dir, name, &who, file_flags_of(fi->flags), fi->flags & O_EXCL, &f);
	if (r) {
		request_done(req, r);
		return;
	}
	n = f->node;
	r = entry_make(fs, &n, &e);
	if (r) {
		file_release(f);
		request_done(req, r);
		return;
	}
	file_said_by(f, fuse_req_ctx(req)->uid, fuse_req_ctx(req)->pid);
	set_open(fi, f);
	if (fuse_reply_create(req, &e, fi))
		file_release(f);
}

/* ---- reading, writing and the end -------------------------------------------------------------------------------- */

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
		request_done(req, r);
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
		request_done(req, r);
	}
}

void request_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct file *f = file_in_use(fi);

	if (f->slow)
		read_slowly(req, f, size, (uint64_t)off);
	else
		read_now(req, f, size, (uint64_t)off);
}

void request_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off,
		   struct fuse_file_info *fi)
{
	struct file *f = file_in_use(fi);
	size_t done = 0;
	int r = f->ops->write ? f->ops->write(f, data, size, (uint64_t)off, &done) : -EBADF;

	if (r) {
		request_done(req, r);
		return;
	}
	atomic_store(&f->mtime_set, false);
	fuse_reply_write(req, done);
}

void request_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	request_done(req, file_flush(file_of(fi)));
}

void request_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	file_release(file_of(fi));
	request_done(req, 0);
}

void request_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct file *f = file_in_use(fi);

	request_done(req, f->ops->sync ? f->ops->sync(f) : 0);
}

/* Copying inside the kernel would cut records at pages.  EINVAL, unlike ENOSYS, sends cp back to read and write. */
void request_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in, struct fuse_file_info *fi_in,
			     fuse_ino_t ino_out, off_t off_out, struct fuse_file_info *fi_out, size_t len, int flags)
{
	request_done(req, -EINVAL);
}

/* ---- ioctls ------------------------------------------------------------------------------------------------------ */

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

void request_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi, unsigned flags,
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
		request_done(req, r);
	else
		fuse_reply_ioctl(req, 0, out, out_len);
}
