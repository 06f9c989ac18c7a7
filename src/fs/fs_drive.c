/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_drive: drives/nstN and drives/stN, two names of one drive of the library.  One program at a time; the modes of a
 * drive (block size, options) stay as they were set, as long as the mount lives.
 */
#include <errno.h>

#include "fs/fs_errno.h"
#include "fs/state.h"

static struct st *drive_st(struct file *f)
{
	return f->fs->st[f->node.drive];
}

static int drive_file_read(struct file *f, void *buf, size_t n, uint64_t off, size_t *got)
{
	return st_read(drive_st(f), buf, n, got);
}

/* For what is in the drive. */
static int drive_refused(struct file *f, int r)
{
	struct library_drive info;

	if ((r != -EACCES && r != -ENOSPC) || library_drive_info(f->fs->lib, f->node.drive, &info) || !info.loaded)
		return r;
	return file_refused(f, info.volume, r);
}

static int drive_file_write(struct file *f, const void *buf, size_t n, uint64_t off, size_t *done)
{
	return drive_refused(f, st_write(drive_st(f), buf, n, done));
}

static int drive_file_flush(struct file *f)
{
	return st_flush(drive_st(f));
}

static int drive_file_sync(struct file *f)
{
	return st_sync(drive_st(f));
}

static int drive_file_op(struct file *f, int op, int count, bool root)
{
	return drive_refused(f, st_op(drive_st(f), op, count, root));
}

static int drive_file_get(struct file *f, struct mtget *out)
{
	return st_get(drive_st(f), out);
}

static int drive_file_pos(struct file *f, struct mtpos *out)
{
	return st_pos(drive_st(f), out);
}

static void drive_file_release(struct file *f)
{
	int r = st_close(drive_st(f)), r2 = library_drive_close(f->fs->lib, f->node.drive);

	if (r || r2)
		log_warn("closing drive nst%u: %s", f->node.drive, err_text(r ? r : r2));
}

static const struct file_ops drive_file_ops = {
	.read = drive_file_read, .write = drive_file_write, .flush = drive_file_flush, .sync = drive_file_sync,
	.op = drive_file_op, .get = drive_file_get, .pos = drive_file_pos, .release = drive_file_release,
};

/* ---- what only the library can do ---- */

static int host_eject(void *ctx)
{
	struct file *f = ctx;

	return library_drive_eject(f->fs->lib, f->node.drive);
}

static int host_load(void *ctx)
{
	struct file *f = ctx;

	return library_drive_reload(f->fs->lib, f->node.drive);
}

static void host_lock(void *ctx, bool locked)
{
	struct file *f = ctx;

	library_drive_lock(f->fs->lib, f->node.drive, locked);
}

static unsigned st_flags_of(const struct node *n, unsigned flags)
{
	return (n->rewinds ? ST_OPEN_REWIND : 0) | (flags & FILE_WRITE ? ST_OPEN_WRITE : 0) |
	       (flags & FILE_NONBLOCK ? ST_OPEN_NONBLOCK : 0);
}

int drive_node_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out)
{
	struct file *f = calloc(1, sizeof(*f));
	struct st_host host = { f, host_eject, host_load, host_lock };
	struct drive *d = NULL;
	int r;

	if (!f)
		return err_origin(-ENOMEM);
	*f = (struct file){ .ops = &drive_file_ops, .fs = fs, .node = *n, .write = flags & FILE_WRITE };
	f->sequential = true;
	r = fs_errno(library_drive_open(fs->lib, n->drive, f->write, &d));
	if (!r) {
		r = st_open(fs->st[n->drive], d, &host, st_flags_of(n, flags));
		if (r)
			library_drive_close(fs->lib, n->drive);
	}
	if (r) {
		free(f);
		return r;
	}
	*out = f;
	return 0;
}
