/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_volume: tapes/POOL/VOLUME.  Opening one is like loading it in a rewinding drive of its own: a private struct
 * drive on the claimed volume, behind the same struct st as the drives in drives/.
 */
#include <errno.h>

#include "fs/fs_errno.h"
#include "fs/state.h"

struct tape {
	struct file file;
	enum claim how;
	struct drive *drive;
	struct st *st;
};

static struct tape *tape_of(struct file *f)
{
	return (struct tape *)f;
}

static int tape_read(struct file *f, void *buf, size_t n, uint64_t off, size_t *got)
{
	return st_read(tape_of(f)->st, buf, n, got);
}

static int tape_write(struct file *f, const void *buf, size_t n, uint64_t off, size_t *done)
{
	return file_refused(f, f->node.volume, st_write(tape_of(f)->st, buf, n, done));
}

static int tape_flush(struct file *f)
{
	return st_flush(tape_of(f)->st);
}

static int tape_sync(struct file *f)
{
	return st_sync(tape_of(f)->st);
}

static int tape_op(struct file *f, int op, int count, bool root)
{
	return file_refused(f, f->node.volume, st_op(tape_of(f)->st, op, count, root));
}

static int tape_get(struct file *f, struct mtget *out)
{
	return st_get(tape_of(f)->st, out);
}

static int tape_pos(struct file *f, struct mtpos *out)
{
	return st_pos(tape_of(f)->st, out);
}

static void tape_release(struct file *f)
{
	struct tape *t = tape_of(f);
	int r = st_close(t->st), r2;

	t->drive = drive_free(t->drive);
	t->st = st_free(t->st);
	r2 = library_release(f->fs->lib, f->node.volume, t->how);
	if (r || r2)
		log_warn("closing a tape: %s", err_text(r ? r : r2));
}

static const struct file_ops tape_ops = {
	.read = tape_read, .write = tape_write, .flush = tape_flush, .sync = tape_sync,
	.op = tape_op, .get = tape_get, .pos = tape_pos, .release = tape_release,
};

static unsigned st_flags_of(unsigned flags)
{
	return ST_OPEN_REWIND | ST_OPEN_GENTLE | (flags & FILE_WRITE ? ST_OPEN_WRITE : 0) |
	       (flags & FILE_APPEND && flags & FILE_WRITE ? ST_OPEN_APPEND : 0);
}

/* The volume is claimed. */
static int tape_load(struct tape *t, struct volume *vol, unsigned flags)
{
	int r;

	r = drive_new(&t->drive);
	if (!r)
		r = drive_load(t->drive, vol);
	if (!r)
		r = st_new(&t->st);
	if (!r)
		r = st_open(t->st, t->drive, NULL, st_flags_of(flags));
	if (!r)
		return 0;
	t->st = st_free(t->st);
	t->drive = drive_free(t->drive);
	return fs_errno(r);
}

int tape_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out)
{
	struct tape *t = calloc(1, sizeof(*t));
	struct volume *vol = NULL;
	int r;

	if (!t)
		return err_origin(-ENOMEM);
	t->how = flags & FILE_WRITE ? CLAIM_WRITE : CLAIM_READ;
	t->file = (struct file){ .ops = &tape_ops, .fs = fs, .node = *n, .write = flags & FILE_WRITE };
	t->file.sequential = true;
	r = fs_errno(library_claim(fs->lib, n->volume, t->how, &vol));
	if (!r) {
		r = tape_load(t, vol, flags);
		if (r)
			library_release(fs->lib, n->volume, t->how);
	}
	if (r) {
		free(t);
		return r;
	}
	*out = &t->file;
	return 0;
}
