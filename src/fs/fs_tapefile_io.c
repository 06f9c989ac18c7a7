/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_tapefile_io: reading a tape file anywhere, and writing a new one at the end of the tape.  A writer collects
 * bytes into records of the volume's record size; close writes the last one and the filemark, and only then the file
 * has its name.  If the same open file writes on after a close (a descriptor that was dup'ed), the mark is taken
 * back.
 */
#include <errno.h>
#include <stdio.h>

#include "fs/fs_errno.h"
#include "fs/tapefile.h"
#include "fs/tree.h"

/* ---- reading --------------------------------------------------------------------------------------------------- */

struct reading {
	struct file file;
	pthread_mutex_t lock;		/* a volume_reader serves one thread at a time */
	struct volume_reader *reader;
	struct tapefile_extent extent;
};

static int reading_read(struct file *f, void *buf, size_t n, uint64_t off, size_t *got)
{
	struct reading *t = (struct reading *)f;
	uint64_t left = off < t->extent.size ? t->extent.size - off : 0;
	int r;

	*got = 0;
	if (n > left)
		n = left;
	if (!n)
		return 0;
	LOCK_SCOPE(&t->lock);
	r = fs_errno(volume_reader_read(t->reader, t->extent.offset + off, buf, n));
	if (!r)
		*got = n;
	return r;
}

static int nothing_to_flush(struct file *f)
{
	return 0;
}

static void reading_release(struct file *f)
{
	struct reading *t = (struct reading *)f;

	t->reader = volume_reader_free(t->reader);
	pthread_mutex_destroy(&t->lock);
	library_release(f->fs->lib, f->node.volume, CLAIM_READ);
}

static const struct file_ops reading_ops = {
	.read = reading_read, .flush = nothing_to_flush, .release = reading_release,
};

int tapefile_open(struct fs *fs, const struct node *n, unsigned flags, struct file **out)
{
	struct reading *t;
	struct volume *v;
	int r;

	/* What is on a tape is not written over through files/. */
	if (flags & FILE_WRITE)
		return -EPERM;
	r = fs_errno(library_claim(fs->lib, n->volume, CLAIM_READ, &v));
	if (r)
		return r;
	t = calloc(1, sizeof(*t));
	r = t ? tapefile_extent(v, n->file, &t->extent) : err_origin(-ENOMEM);
	if (!r)
		r = fs_errno(volume_reader_new(v, 0, &t->reader));
	if (r) {
		free(t);
		library_release(fs->lib, n->volume, CLAIM_READ);
		return r;
	}
	pthread_mutex_init(&t->lock, NULL);
	t->file = (struct file){ .ops = &reading_ops, .fs = fs, .node = *n };
	*out = &t->file;
	return 0;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

struct writing {
	struct file file;
	struct catalog_file row;	/* guarded by fs->lock: stat and chmod come beside a write */
	pthread_mutex_t lock;		/* guards what follows; but two may be read without it */
	struct drive *drive;
	uint8_t *record;
	size_t fill, record_bytes;
	_Atomic uint64_t written;	/* by the program */
	atomic_bool marked;		/* its filemark is the last object */
	int error;			/* the tape took no more */
};

static int write_record(struct writing *t)
{
	int r = 0;

	if (t->fill)
		r = drive_write_record(t->drive, t->record, t->fill);
	t->fill = 0;
	return t->error = file_refused(&t->file, t->file.node.volume, fs_errno(r));
}

/* @buf NULL: zeros. */
static int append(struct writing *t, const uint8_t *buf, uint64_t n)
{
	uint64_t done;
	size_t k;
	int r = t->marked ? fs_errno(drive_retract_filemark(t->drive)) : 0;

	t->marked = false;
	for (done = 0; !r && done < n; done += k) {
		k = t->record_bytes - t->fill < n - done ? t->record_bytes - t->fill : (size_t)(n - done);
		if (buf)
			memcpy(t->record + t->fill, buf + done, k);
		else
			memset(t->record + t->fill, 0, k);
		t->fill += k;
		if (t->fill == t->record_bytes)
			r = write_record(t);
	}
	if (!r)
		t->written += n;
	return r;
}

static int writing_write(struct file *f, const void *buf, size_t n, uint64_t off, size_t *done)
{
	struct writing *t = (struct writing *)f;
	int r;

	LOCK_SCOPE(&t->lock);
	if (t->error)
		return t->error;
	if (off < t->written)
		return -EINVAL;	/* a tape is written front to back */
	r = append(t, NULL, off - t->written);
	if (!r)
		r = append(t, buf, n);
	if (!r)
		*done = n;
	return r;
}

static int writing_sync(struct file *f)
{
	struct writing *t = (struct writing *)f;
	int r;

	LOCK_SCOPE(&t->lock);
	r = t->error ? t->error : write_record(t);
	return r ? r : fs_errno(drive_flush(t->drive));
}

/* Its end, and its name. */
static int writing_close(struct writing *t)
{
	struct fs *fs = t->file.fs;
	struct catalog_file row;
	int r = fs_errno(drive_write_filemarks(t->drive, 1, false));

	if (r)
		return t->error = r;
	t->marked = true;
	pthread_mutex_lock(&fs->lock);
	row = t->row;
	pthread_mutex_unlock(&fs->lock);
	row.perm.ctime_ns = clock_now_ns();
	return tapefile_put(fs, drive_volume(t->drive), t->file.node.volume, &row);
}

/* Are whole records of it on the tape? */
static bool has_begun(struct writing *t)
{
	struct tape_pos pos;

	return !drive_position(t->drive, &pos) && pos.block;
}

/* What found no more room is a tape file all the same, as far as it goes: it has an end, and its name. */
static int writing_flush(struct file *f)
{
	struct writing *t = (struct writing *)f;
	int r;

	LOCK_SCOPE(&t->lock);
	if (!t->marked && !t->error)
		write_record(t);
	if (t->marked || (t->error && (t->error != -ENOSPC || !has_begun(t))))
		return t->error;
	r = writing_close(t);
	return t->error ? t->error : r;
}

static void writing_attr(struct file *f, struct stat *out)
{
	struct writing *t = (struct writing *)f;

	out->st_size = (off_t)t->written;
	out->st_mode = S_IFREG | (t->row.perm.mode & 07777);
	out->st_uid = t->row.perm.uid;
	out->st_gid = t->row.perm.gid;
}

static int writing_truncate(struct file *f, uint64_t size)
{
	struct writing *t = (struct writing *)f;

	LOCK_SCOPE(&t->lock);
	if (t->error || size == t->written)
		return t->error;
	return size < t->written ? -EINVAL : append(t, NULL, size - t->written);
}

static int writing_read(struct file *f, void *buf, size_t n, uint64_t off, size_t *got)
{
	return -EBADF;
}

static void writing_free(struct writing *t)
{
	t->drive = drive_free(t->drive);
	free(t->record);
	pthread_mutex_destroy(&t->lock);
}

static void writing_release(struct file *f)
{
	struct writing *t = (struct writing *)f;
	int r = writing_flush(f), r2;

	writing_free(t);
	r2 = library_release(f->fs->lib, f->node.volume, CLAIM_WRITE);
	if (r || r2)
		log_warn("closing a tape file: %s", err_text(r ? r : r2));
}

static const struct file_ops writing_ops = {
	.read = writing_read, .write = writing_write, .flush = writing_flush, .sync = writing_sync,
	.truncate = writing_truncate, .attr = writing_attr, .release = writing_release,
};

bool tapefile_setattr_open(struct fs *fs, const struct node *n, unsigned what, const struct catalog_perm *perm)
{
	bool found = false;

	LOCK_SCOPE(&fs->lock);
	for (struct file *f = fs->files; f; f = f->next) {
		struct writing *t = (struct writing *)f;

		if (f->ops != &writing_ops || node_ino(&f->node) != node_ino(n) || t->marked)
			continue;
		tapefile_change_perm(&t->row.perm, what, perm);
		found = true;
	}
	return found;
}

static int record_size(struct fs *fs, uint64_t volume, size_t *out)
{
	struct catalog_volume v;
	struct catalog_pool p;
	uint64_t n;
	int r = tree_volume(fs, volume, &v);

	if (!r)
		r = tree_pool(fs, v.pool, &p);
	if (r)
		return r;
	n = v.record_bytes ? v.record_bytes : p.record_bytes;
	*out = n > TAPE_RECORD_MAX ? TAPE_RECORD_MAX : n ? (size_t)n : 1;
	return 0;
}

/* To the end of data; a file there that has no mark yet (a crash, another door) gets one. */
static int go_to_end(struct writing *t, struct volume *v, uint64_t *file)
{
	struct tape_pos pos = { 0 };
	int r;

	r = drive_new(&t->drive);
	if (!r)
		r = drive_load(t->drive, v);
	if (!r)
		r = drive_space_eod(t->drive);
	if (!r)
		r = drive_position(t->drive, &pos);
	if (!r && pos.block) {
		r = drive_write_filemarks(t->drive, 1, true);
		pos.file++;
	}
	if (!fs_errno(r))
		*file = pos.file;
	return fs_errno(r);
}

static int writing_begin(struct writing *t, struct volume *v, const char *name, struct node *n)
{
	uint64_t number;
	int r;

	r = record_size(t->file.fs, n->volume, &t->record_bytes);
	if (!r && !(t->record = malloc(t->record_bytes)))
		r = err_origin(-ENOMEM);
	if (!r)
		r = go_to_end(t, v, &n->file);
	if (r)
		return r;
	t->row.file = n->file;
	/* A number is the name of one place: cp -r of a whole tape gives them in order. */
	if (tapefile_number(name, &number) && number != n->file)
		return -EINVAL;
	snprintf(t->row.name, sizeof(t->row.name), "%s", name);
	return 0;
}

int tapefile_create(struct fs *fs, uint64_t volume, const char *name, const struct tree_who *who, struct file **out)
{
	struct node n = { .kind = NODE_FILE, .volume = volume };
	struct writing *t;
	struct volume *v;
	int r;

	r = fs_errno(library_claim(fs->lib, volume, CLAIM_WRITE, &v));
	if (r)
		return r;
	t = calloc(1, sizeof(*t));
	if (!t) {
		library_release(fs->lib, volume, CLAIM_WRITE);
		return err_origin(-ENOMEM);
	}
	t->file = (struct file){ .ops = &writing_ops, .fs = fs, .write = true };
	t->row.perm = (struct catalog_perm){ who->mode & 07777, who->uid, who->gid, clock_now_ns(), 0 };
	pthread_mutex_init(&t->lock, NULL);
	r = writing_begin(t, v, name, &n);
	if (r) {
		writing_free(t);
		free(t);
		library_release(fs->lib, volume, CLAIM_WRITE);
		return r;
	}
	t->file.node = n;
	*out = &t->file;
	return 0;
}
