/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packs as files of a folder: DIR/NNNNNNNNN/NNNNNNNNNNNN.pack, the number in hex, 4096 packs to a subfolder.
 *
 * A file is safe only when its bytes and its name are: the first sync of a file syncs the subfolder too, and the folder
 * above it if this process has not done so since it last met another subfolder.  Space is never allocated ahead of the
 * bytes: a crash would leave a tail of blocks that nobody wrote.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pack/backing.h"

#define NAME_BYTES 32
#define NO_FOLDER UINT64_MAX
#define INODES_KEPT 32u	/* for folders, and for what the database makes when it tidies up */

struct folder {
	struct packs base;
	int fd;
	pthread_mutex_t lock; /* guards @safe; held during the sync of a folder, so that nobody overtakes it */
	uint64_t safe;	      /* the subfolder whose own name was last made safe */
};

struct file {
	struct pack_file base;
	struct folder *folder;
	uint64_t number;
	int fd;
	pthread_mutex_t lock; /* guards @name_safe; taken before the folder's */
	bool name_safe;
	struct window *direct;	/* PACK_FILE_DIRECT: what was read from the disk last; NULL: of another mode */
};

/* A direct read begins and ends where sectors do: this much at once, and callers take from it what they want. */
#define WINDOW_BYTES (1u << 20)
#define SECTOR_BYTES 4096u
struct window {
	bool cached;		/* this file system has no direct reads: its cache is dropped before and after */
	uint64_t at;
	size_t n;
	uint8_t *bytes;
};

static const struct packs_ops files_ops;
static struct pack_file *file_release(struct pack_file *pf);

static struct folder *folder_of(struct packs *ps)
{
	return (struct folder *)ps;
}

static struct file *file_of(struct pack_file *f)
{
	return (struct file *)f;
}

static void name_of_folder(uint64_t number, char out[NAME_BYTES])
{
	snprintf(out, NAME_BYTES, "%09llx", (unsigned long long)(number >> PACK_FOLDER_BITS));
}

static void name_of_file(uint64_t number, char out[NAME_BYTES])
{
	snprintf(out, NAME_BYTES, "%09llx/%012llx.pack", (unsigned long long)(number >> PACK_FOLDER_BITS),
		 (unsigned long long)number);
}

/* errno as a result, with words: what was tried with which pack. */
static int failed(const char *what, uint64_t number)
{
	int r = -errno;

	return err_explain(r, "%s pack %012llx: %s", what, (unsigned long long)number, strerror(-r));
}

int packs_open(const char *dir, struct packs **out)
{
	struct folder *fo = calloc(1, sizeof(*fo));

	if (!fo)
		return err_origin(-ENOMEM);
	fo->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fo->fd < 0) {
		int r = -errno;

		free(fo);
		return err_explain(r, "open the folder of packs %s: %s", dir, strerror(-r));
	}
	fo->base.ops = &files_ops;
	fo->safe = NO_FOLDER;
	pthread_mutex_init(&fo->lock, NULL);
	*out = &fo->base;
	return 0;
}

static struct packs *files_close(struct packs *ps)
{
	struct folder *fo = folder_of(ps);

	close(fo->fd);
	pthread_mutex_destroy(&fo->lock);
	free(fo);
	return NULL;
}

/* A file system that has no inodes left is as full as one without blocks: each stands for a whole pack.  Those that
 * make inodes as they need them say that they have none at all. */
static uint64_t room_of_inodes(const struct statvfs *v)
{
	if (v->f_files == 0)
		return UINT64_MAX;
	return v->f_favail > INODES_KEPT ? (v->f_favail - INODES_KEPT) * (uint64_t)PACK_BYTES_MAX : 0;
}

static int files_space(struct packs *ps, uint64_t *avail, uint64_t *total)
{
	struct statvfs v;

	if (fstatvfs(folder_of(ps)->fd, &v) != 0)
		return err_origin(-errno);
	*avail = (uint64_t)v.f_bavail * v.f_frsize;
	if (*avail > room_of_inodes(&v))
		*avail = room_of_inodes(&v);
	*total = (uint64_t)v.f_blocks * v.f_frsize;
	return 0;
}

static bool files_exists(struct packs *ps, uint64_t number)
{
	char name[NAME_BYTES];

	name_of_file(number, name);
	return faccessat(folder_of(ps)->fd, name, F_OK, 0) == 0;
}

static int sync_subfolder(struct folder *fo, uint64_t number)
{
	CLEANUP(fd_closep) int fd = -1;
	char name[NAME_BYTES];

	name_of_folder(number, name);
	fd = openat(fo->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		return failed("sync the folder of", number);
	return 0;
}

static int sync_folder(struct folder *fo, uint64_t number)
{
	LOCK_SCOPE(&fo->lock);

	if (fo->safe == number >> PACK_FOLDER_BITS)
		return 0;
	if (fsync(fo->fd) != 0)
		return failed("sync the folder above", number);
	fo->safe = number >> PACK_FOLDER_BITS;
	return 0;
}

static int files_unlink(struct packs *ps, uint64_t number)
{
	struct folder *fo = folder_of(ps);
	char name[NAME_BYTES];

	name_of_file(number, name);
	if (unlinkat(fo->fd, name, 0) != 0)
		return errno == ENOENT ? 0 : failed("remove", number);
	return sync_subfolder(fo, number);
}

/* ---- which packs are there ------------------------------------------------------------------------------------- */

/* Exactly @digits hexadecimal digits as we write them, and @rest behind them. */
static bool read_name(const char *name, size_t digits, const char *rest, uint64_t *out)
{
	static const char hex[] = "0123456789abcdef";
	uint64_t v = 0;

	for (size_t i = 0; i < digits; i++) {
		const char *at = name[i] ? strchr(hex, name[i]) : NULL;

		if (!at)
			return false;
		v = v << 4 | (uint64_t)(at - hex);
	}
	*out = v;
	return strcmp(name + digits, rest) == 0;
}

/* The names below @fd, which it takes, that are numbers of this form. */
static int read_names(int fd, size_t digits, const char *rest, struct pack_numbers *out)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	uint64_t number;
	int r = 0;

	if (!d) {
		r = -errno;
		close(fd);
		return err_origin(r);
	}
	errno = 0;
	while (!r && (e = readdir(d))) {
		if (read_name(e->d_name, digits, rest, &number))
			r = pack_numbers_add(out, number);
		errno = 0;
	}
	if (!r && errno)
		r = err_explain(-errno, "read a folder of packs: %s", strerror(errno));
	closedir(d);
	return r;
}

static int files_folders(struct packs *ps, struct pack_numbers *out)
{
	int fd = openat(folder_of(ps)->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_origin(-errno) : read_names(fd, 9, "", out);
}

static int files_list(struct packs *ps, uint64_t folder, struct pack_numbers *out)
{
	char name[NAME_BYTES];
	int fd;

	name_of_folder(folder << PACK_FOLDER_BITS, name);
	fd = openat(folder_of(ps)->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : failed("list the folder of",
									folder << PACK_FOLDER_BITS);
	return read_names(fd, 12, ".pack", out);
}

/* ---- one file -------------------------------------------------------------------------------------------------- */

static int file_new(struct folder *fo, uint64_t number, int fd, struct pack_file **out)
{
	struct file *f = calloc(1, sizeof(*f));

	if (!f) {
		close(fd);
		return err_origin(-ENOMEM);
	}
	f->base.ops = &files_ops;
	f->folder = fo;
	f->number = number;
	f->fd = fd;
	pthread_mutex_init(&f->lock, NULL);
	*out = &f->base;
	return 0;
}

static int create_fd(struct folder *fo, uint64_t number)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
	char name[NAME_BYTES], sub[NAME_BYTES];
	int fd;

	name_of_file(number, name);
	fd = openat(fo->fd, name, flags, 0600);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	name_of_folder(number, sub);
	if (mkdirat(fo->fd, sub, 0700) != 0 && errno != EEXIST)
		return -1;
	return openat(fo->fd, name, flags, 0600);
}

static int files_create(struct packs *ps, uint64_t number, const void *head, size_t n, struct pack_file **out)
{
	struct folder *fo = folder_of(ps);
	char name[NAME_BYTES];
	int fd, r;

	fd = create_fd(fo, number);
	if (fd < 0)
		return failed("create", number);
	r = io_pwrite_full(fd, head, n, 0);
	if (r)
		close(fd);
	else
		r = file_new(fo, number, fd, out);
	if (r) {
		name_of_file(number, name);
		unlinkat(fo->fd, name, 0);
	}
	return r;
}

/* Pages that are not written yet stay, which is right: they are not on the disk. */
static void drop_cache(const struct file *f)
{
	if (f->direct->cached)
		(void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* If it fails, @f is gone. */
static int window_new(struct file *f, bool cached)
{
	void *bytes = NULL;

	f->direct = calloc(1, sizeof(*f->direct));
	if (!f->direct || posix_memalign(&bytes, SECTOR_BYTES, WINDOW_BYTES)) {
		file_release(&f->base);
		return err_origin(-ENOMEM);
	}
	f->direct->bytes = bytes;
	f->direct->cached = cached;
	drop_cache(f);
	return 0;
}

static void window_free(struct file *f)
{
	if (!f->direct)
		return;
	drop_cache(f);
	free(f->direct->bytes);
	free(f->direct);
}

/* The sectors from the one that has @off on, @n bytes of the file or what it has. */
static int window_fill(struct file *f, uint64_t off, size_t n)
{
	struct window *w = f->direct;
	ssize_t got;

	w->n = 0;
	w->at = off / SECTOR_BYTES * SECTOR_BYTES;
	do {
		got = pread(f->fd, w->bytes, n, (off_t)w->at);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return failed("read", f->number);
	w->n = (size_t)got;
	return 0;
}

/* A bad sector costs those that need it, and not its neighbours in the window. */
static int window_pread(struct file *f, uint8_t *buf, size_t n, uint64_t off)
{
	struct window *w = f->direct;

	while (n) {
		uint64_t skip = off - w->at;
		size_t some;
		int r = 0;

		if (off < w->at || skip >= w->n) {
			r = window_fill(f, off, WINDOW_BYTES);
			if (r)
				r = window_fill(f, off, SECTOR_BYTES);
			skip = off - w->at;
		}
		if (r)
			return r;
		if (skip >= w->n)
			return err_explain(-EUCLEAN, "pack %012llx ends before its byte %llu",
					   (unsigned long long)f->number, (unsigned long long)off);
		some = w->n - skip < n ? (size_t)(w->n - skip) : n;
		memcpy(buf, w->bytes + skip, some);
		buf += some;
		off += some;
		n -= some;
	}
	return 0;
}

static int files_open(struct packs *ps, uint64_t number, enum pack_file_mode mode, struct pack_file **out)
{
	const int flags = (mode == PACK_FILE_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC;
	struct folder *fo = folder_of(ps);
	bool cached = false;
	char name[NAME_BYTES];
	int fd, r;

	name_of_file(number, name);
	fd = openat(fo->fd, name, flags | (mode == PACK_FILE_DIRECT ? O_DIRECT : 0));
	if (fd < 0 && errno == EINVAL && mode == PACK_FILE_DIRECT) {
		cached = true;
		fd = openat(fo->fd, name, flags);
	}
	if (fd < 0)
		return failed("open", number);
	r = file_new(fo, number, fd, out);
	if (!r && mode == PACK_FILE_DIRECT)
		r = window_new(file_of(*out), cached);
	return r;
}

static struct pack_file *file_release(struct pack_file *pf)
{
	struct file *f = file_of(pf);

	window_free(f);
	close(f->fd);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}

static int file_size(struct pack_file *pf, uint64_t *out)
{
	struct stat st;

	if (fstat(file_of(pf)->fd, &st) != 0)
		return failed("stat", file_of(pf)->number);
	*out = (uint64_t)st.st_size;
	return 0;
}

static int file_pread(struct pack_file *pf, void *buf, size_t n, uint64_t off)
{
	struct file *f = file_of(pf);

	return f->direct ? window_pread(f, buf, n, off) : io_pread_full(f->fd, buf, n, off);
}

/* One system call as a rule; a short write is finished span by span. */
static int file_write(struct pack_file *pf, uint64_t off, const void *a, size_t an, const void *b, size_t bn)
{
	const struct iovec iov[2] = { { (void *)(uintptr_t)a, an }, { (void *)(uintptr_t)b, bn } };
	int fd = file_of(pf)->fd, r;
	ssize_t got;
	size_t done;

	do {
		got = pwritev(fd, iov, 2, (off_t)off);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return failed("write to", file_of(pf)->number);

	done = (size_t)got;
	if (done < an) {
		r = io_pwrite_full(fd, (const uint8_t *)a + done, an - done, off + done);
		if (r)
			return r;
		done = an;
	}
	return done == an + bn ? 0 : io_pwrite_full(fd, (const uint8_t *)b + (done - an), an + bn - done, off + done);
}

static int file_truncate(struct pack_file *pf, uint64_t len)
{
	if (ftruncate(file_of(pf)->fd, (off_t)len) != 0)
		return failed("cut", file_of(pf)->number);
	return 0;
}

static int file_sync(struct pack_file *pf)
{
	struct file *f = file_of(pf);
	int r;

	if (fdatasync(f->fd) != 0)
		return failed("sync", f->number);

	LOCK_SCOPE(&f->lock);
	if (f->name_safe)
		return 0;
	r = sync_subfolder(f->folder, f->number);
	if (r)
		return r;
	r = sync_folder(f->folder, f->number);
	if (r)
		return r;
	f->name_safe = true;
	return 0;
}

/* What a disk says later the kernel keeps for the next fdatasync(); not always what a file system says at once, for
 * want of space or because it is ill.  Any other error is of the hint and not of the bytes. */
static int file_push(struct pack_file *pf, uint64_t off, uint64_t n)
{
	if (!sync_file_range(file_of(pf)->fd, (off_t)off, (off_t)n, SYNC_FILE_RANGE_WRITE))
		return 0;
	return errno == EIO || errno == ENOSPC || errno == EDQUOT ? failed("write out", file_of(pf)->number) : 0;
}

static const struct packs_ops files_ops = {
	.close = files_close,
	.space = files_space,
	.exists = files_exists,
	.unlink = files_unlink,
	.folders = files_folders,
	.list = files_list,
	.create = files_create,
	.open = files_open,
	.release = file_release,
	.size = file_size,
	.pread = file_pread,
	.write = file_write,
	.truncate = file_truncate,
	.sync = file_sync,
	.push = file_push,
};
