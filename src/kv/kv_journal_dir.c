/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal's folder on a disk, and the names in it.  A thin layer over system calls, so that the twin in memory can
 * stand in its place and fail; which file is synced when is decided above.
 */
#include "kv/kv_journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct disk_dir {
	struct jdir dir;
	int fd;
};

struct disk_file {
	struct jfile file;
	int fd;
	char *path;
};

static struct disk_file *disk_file_of(struct jfile *f)
{
	return (struct disk_file *)f;
}

static int dir_fd(struct jdir *d)
{
	return ((struct disk_dir *)d)->fd;
}

/* ---- a file ---- */

static int tell(struct jfile *f, int r, const char *doing)
{
	return r ? err_explain(r, "%s: cannot %s: %s", disk_file_of(f)->path, doing, strerror(-r)) : 0;
}

static int disk_pread(struct jfile *f, void *buf, size_t len, uint64_t off)
{
	return tell(f, io_pread_full(disk_file_of(f)->fd, buf, len, off), "read");
}

static int disk_pwrite(struct jfile *f, const void *buf, size_t len, uint64_t off)
{
	return tell(f, io_pwrite_full(disk_file_of(f)->fd, buf, len, off), "write");
}

static int disk_cut(struct jfile *f, uint64_t len)
{
	return tell(f, ftruncate(disk_file_of(f)->fd, (off_t)len) ? -errno : 0, "cut");
}

static int disk_sync(struct jfile *f)
{
	return tell(f, fdatasync(disk_file_of(f)->fd) ? -errno : 0, "sync");
}

static void disk_begin_sync(struct jfile *f)
{
	sync_file_range(disk_file_of(f)->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static void disk_forget(struct jfile *f)
{
	posix_fadvise(disk_file_of(f)->fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int disk_size(struct jfile *f, uint64_t *out)
{
	struct stat st;

	if (fstat(disk_file_of(f)->fd, &st))
		return tell(f, -errno, "look at");
	*out = (uint64_t)st.st_size;
	return 0;
}

static void disk_file_close(struct jfile *f)
{
	close(disk_file_of(f)->fd);
	free(disk_file_of(f)->path);
	free(f);
}

static const struct jfile_ops disk_file_ops = {
	.pread = disk_pread,
	.pwrite = disk_pwrite,
	.cut = disk_cut,
	.sync = disk_sync,
	.begin_sync = disk_begin_sync,
	.forget = disk_forget,
	.size = disk_size,
	.close = disk_file_close,
};

static int disk_file_open(struct jdir *d, const char *name, int flags, struct jfile **out)
{
	struct disk_file *f = calloc(1, sizeof(*f));
	int r;

	if (!f || asprintf(&f->path, "%s/%s", d->path, name) < 0) {
		free(f);
		return err_origin(-ENOMEM);
	}
	f->file.ops = &disk_file_ops;
	f->fd = openat(dir_fd(d), name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* A journal that may only be read can still be replayed. */
	if (f->fd < 0 && flags == O_RDWR && (errno == EROFS || errno == EACCES))
		f->fd = openat(dir_fd(d), name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (f->fd >= 0) {
		*out = &f->file;
		return 0;
	}
	r = err_explain(-errno, "%s: cannot open: %s", f->path, strerror(errno));
	free(f->path);
	free(f);
	return r;
}

/* ---- the folder ---- */

static int disk_list(struct jdir *d, int (*each)(void *ctx, const char *name), void *ctx)
{
	struct dirent *e;
	int r = 0;
	DIR *dir;

	dir = opendir(d->path);
	if (!dir)
		return err_explain(-errno, "%s: cannot open the folder: %s", d->path, strerror(errno));
	while (!r && (errno = 0, e = readdir(dir)))
		r = each(ctx, e->d_name);
	if (!r && errno)
		r = err_explain(-errno, "%s: cannot read the folder: %s", d->path, strerror(errno));
	closedir(dir);
	return r;
}

static int disk_create(struct jdir *d, const char *name, struct jfile **out)
{
	return disk_file_open(d, name, O_RDWR | O_CREAT | O_EXCL, out);
}

static int disk_open(struct jdir *d, const char *name, struct jfile **out)
{
	return disk_file_open(d, name, O_RDWR, out);
}

static int disk_rename(struct jdir *d, const char *from, const char *to)
{
	if (renameat(dir_fd(d), from, dir_fd(d), to))
		return err_explain(-errno, "%s/%s: cannot rename to %s: %s", d->path, from, to, strerror(errno));
	return 0;
}

static int disk_remove(struct jdir *d, const char *name)
{
	if (unlinkat(dir_fd(d), name, 0) && errno != ENOENT)
		return err_explain(-errno, "%s/%s: cannot remove: %s", d->path, name, strerror(errno));
	return 0;
}

static int disk_dir_sync(struct jdir *d)
{
	if (fsync(dir_fd(d)))
		return err_explain(-errno, "%s: cannot sync the folder: %s", d->path, strerror(errno));
	return 0;
}

/* Half of what the store keeps back for commits, for closing tapes and for collecting, and never used by a writer. */
#define KEPT_BYTES (128ull << 20)
#define KEPT_PART 40u

static int disk_room(struct jdir *d, uint64_t bytes)
{
	uint64_t left, kept;
	struct statvfs st;
	char text[16];

	if (fstatvfs(dir_fd(d), &st))
		return 0;	/* the write will tell */
	left = (uint64_t)st.f_bavail * st.f_frsize;
	kept = (uint64_t)st.f_blocks * st.f_frsize / KEPT_PART;
	if (kept > KEPT_BYTES)
		kept = KEPT_BYTES;
	if (left >= kept && left - kept >= bytes)
		return 0;
	return err_explain(-ENOSPC, "%s: %s are left on the disk, too little for a checkpoint", d->path,
			   format_size(left, text));
}

static uint64_t disk_bytes(struct jdir *d)
{
	DIR *dir = opendir(d->path);
	struct dirent *e;
	uint64_t sum = 0;
	struct stat st;

	while (dir && (e = readdir(dir)))
		if (!fstatat(dir_fd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	if (dir)
		closedir(dir);
	return sum;
}

static void disk_close(struct jdir *d)
{
	if (dir_fd(d) >= 0)
		close(dir_fd(d));
	free(d->path);
	free(d);
}

static const struct jdir_ops disk_dir_ops = {
	.list = disk_list,
	.create = disk_create,
	.open = disk_open,
	.rename = disk_rename,
	.remove = disk_remove,
	.sync = disk_dir_sync,
	.disk_bytes = disk_bytes,
	.room = disk_room,
	.close = disk_close,
};

/* The folder's own name must be on disk before anything in it counts. */
static int make(const char *path)
{
	char parent[PATH_MAX];
	int r;

	/* One that is there may be of a process that was killed at this line. */
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_explain(-errno, "%s: cannot make the folder: %s", path, strerror(errno));
	r = io_path(parent, sizeof(parent), "%s/..", path);
	return r ? r : io_fsync_dir(parent);
}

int jdir_open(const char *path, bool create, struct jdir **out)
{
	CLEANUP(jdir_closep) struct jdir *d = NULL;
	struct disk_dir *dd;
	int r = create ? make(path) : 0;

	if (r)
		return r;
	dd = calloc(1, sizeof(*dd));
	if (!dd)
		return err_origin(-ENOMEM);
	dd->fd = -1;
	dd->dir.ops = &disk_dir_ops;
	dd->dir.background = true;
	d = &dd->dir;
	d->path = strdup(path);
	if (!d->path)
		return err_origin(-ENOMEM);
	dd->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dd->fd < 0)
		return err_explain(-errno, "%s: cannot open the folder: %s", path, strerror(errno));
	*out = STEAL(d);
	return 0;
}

struct jdir *jdir_close(struct jdir *d)
{
	if (d)
		d->ops->close(d);
	return NULL;
}

void jdir_closep(struct jdir **d)
{
	*d = jdir_close(*d);
}

struct jfile *jfile_close(struct jfile *f)
{
	if (f)
		f->ops->close(f);
	return NULL;
}

void jfile_closep(struct jfile **f)
{
	*f = jfile_close(*f);
}

/* ---- names ---- */

static const char *const suffix[] = { [JOURNAL_LOG] = ".log", [JOURNAL_CHECKPOINT] = ".checkpoint" };

void journal_name(enum journal_kind kind, uint64_t number, char out[JOURNAL_NAME_MAX])
{
	snprintf(out, JOURNAL_NAME_MAX, "%016llx%s", (unsigned long long)number, suffix[kind]);
}

static int add_number(struct journal_numbers *n, uint64_t number)
{
	uint64_t *of;

	if (n->count % 16 == 0) {
		of = realloc(n->of, (n->count + 16) * sizeof(*of));
		if (!of)
			return err_origin(-ENOMEM);
		n->of = of;
	}
	n->of[n->count++] = number;
	return 0;
}

/* Other names are not ours to judge. */
static int add_name(void *ctx, const char *name)
{
	struct journal_list *l = ctx;
	char again[JOURNAL_NAME_MAX];
	uint64_t number = strtoull(name, NULL, 16);

	if (number > JOURNAL_NUMBER_MAX)
		return 0;
	journal_name(JOURNAL_LOG, number, again);
	if (!strcmp(name, again))
		return add_number(&l->logs, number);
	journal_name(JOURNAL_CHECKPOINT, number, again);
	return strcmp(name, again) ? 0 : add_number(&l->checkpoints, number);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int journal_list_read(struct jdir *d, struct journal_list *out)
{
	int r;

	*out = (struct journal_list){ 0 };
	r = d->ops->list(d, add_name, out);
	if (r) {
		journal_list_fini(out);
		return r;
	}
	if (out->logs.count)
		qsort(out->logs.of, out->logs.count, sizeof(uint64_t), by_number);
	if (out->checkpoints.count)
		qsort(out->checkpoints.of, out->checkpoints.count, sizeof(uint64_t), by_number);
	return 0;
}

void journal_list_fini(struct journal_list *l)
{
	free(l->logs.of);
	free(l->checkpoints.of);
	*l = (struct journal_list){ 0 };
}
