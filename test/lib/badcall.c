/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For LD_PRELOAD: calls that change a disk are counted, and one of them is the last or fails.
 *   BADCALL_KILL=N      the process is killed before the N-th of them
 *   BADCALL_SYNC=FILE   when FILE is there, it has a number N: the N-th fsync(2) or fdatasync(2) from then on of a file
 *                       of packs or of the journal fails with EIO, and FILE is removed.  What was written to that file
 *                       since it was synced last is lost: zeros.
 */
/* Both names of a call are to be had. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

static void changes(void)
{
	const char *n = getenv("BADCALL_KILL");

	if (n && atomic_fetch_add(&calls, 1) + 1 == atol(n))
		kill(getpid(), SIGKILL);
}

/* How much of a file was synced when that was last done, or was there when it was opened. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { ino_t ino; off_t safe; } files[4096];

static off_t *safe_of(const struct stat *st)
{
	for (int i = 0; i < 4096; i++) {
		if (!files[i].ino) {
			files[i].ino = st->st_ino;
			files[i].safe = st->st_size;
		}
		if (files[i].ino == st->st_ino)
			return &files[i].safe;
	}
	abort();
}

/* Of a file of the kinds that are meant. */
static int is_ours(int fd, struct stat *st)
{
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || fstat(fd, st) || !S_ISREG(st->st_mode))
		return 0;
	path[n] = '\0';
	return strstr(path, "/packs/") || strstr(path, "/journal/");
}

static int opened(int fd)
{
	struct stat st;

	if (fd >= 0 && getenv("BADCALL_SYNC") && is_ours(fd, &st)) {
		pthread_mutex_lock(&lock);
		safe_of(&st);
		pthread_mutex_unlock(&lock);
	}
	return fd;
}

/* Is it this one?  With the lock held. */
static int is_due(const char *path)
{
	static long left;
	char text[24];
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (!left)
		left = atol(text);
	if (--left)
		return 0;
	syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	return 1;
}

static void lose(int fd, off_t from, off_t to)
{
	static const char zeros[4096];

	for (long n; from < to; from += n) {
		n = to - from < 4096 ? to - from : 4096;
		if (syscall(SYS_pwrite64, fd, zeros, n, from) != n)
			abort();
	}
}

static int bad_sync(int fd, long number)
{
	const char *path = getenv("BADCALL_SYNC");
	struct stat st;
	off_t *safe;
	int bad, r;

	if (!path || !is_ours(fd, &st))
		return (int)syscall(number, fd);
	pthread_mutex_lock(&lock);
	safe = safe_of(&st);
	bad = is_due(path);
	if (bad)
		lose(fd, *safe < st.st_size ? *safe : st.st_size, st.st_size);
	r = (int)syscall(number, fd);
	if (bad) {
		errno = EIO;
		r = -1;
	} else {
		*safe = st.st_size;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

#define OPEN(name)                                                     \
	int name(const char *path, int flags, ...)                     \
	{                                                              \
		va_list ap;                                            \
		mode_t mode = 0;                                       \
                                                                       \
		va_start(ap, flags);                                   \
		if (flags & O_CREAT) {                                 \
			mode = va_arg(ap, mode_t);                     \
			changes();                                     \
		}                                                      \
		va_end(ap);                                            \
		return opened((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode)); \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                   \
	int name(int at, const char *path, int flags, ...)             \
	{                                                              \
		va_list ap;                                            \
		mode_t mode = 0;                                       \
                                                                       \
		va_start(ap, flags);                                   \
		if (flags & O_CREAT) {                                 \
			mode = va_arg(ap, mode_t);                     \
			changes();                                     \
		}                                                      \
		va_end(ap);                                            \
		return opened((int)syscall(SYS_openat, at, path, flags, mode)); \
	}
OPENAT(openat)
OPENAT(openat64)

#define CALL(type, name, params, ...)                       \
	type name params;                                   \
	type name params                                    \
	{                                                   \
		changes();                                  \
		return (type)syscall(__VA_ARGS__);          \
	}
CALL(int, mkdir, (const char *path, mode_t mode), SYS_mkdirat, AT_FDCWD, path, mode)
CALL(int, mkdirat, (int at, const char *path, mode_t mode), SYS_mkdirat, at, path, mode)
CALL(int, rename, (const char *a, const char *b), SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 0)
CALL(int, renameat, (int x, const char *a, int y, const char *b), SYS_renameat2, x, a, y, b, 0)
CALL(int, unlink, (const char *path), SYS_unlinkat, AT_FDCWD, path, 0)
CALL(int, unlinkat, (int at, const char *path, int flags), SYS_unlinkat, at, path, flags)
CALL(int, rmdir, (const char *path), SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR)
CALL(int, ftruncate, (int fd, off_t n), SYS_ftruncate, fd, n)
CALL(int, ftruncate64, (int fd, off64_t n), SYS_ftruncate, fd, n)
CALL(ssize_t, write, (int fd, const void *p, size_t n), SYS_write, fd, p, n)
CALL(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), SYS_pwrite64, fd, p, n, at)
CALL(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t at), SYS_pwrite64, fd, p, n, at)
CALL(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), SYS_pwritev, fd, v, n, at, 0)
CALL(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t at), SYS_pwritev, fd, v, n, at, 0)

#define SYNC(name, number)                                  \
	int name(int fd)                                    \
	{                                                   \
		changes();                                  \
		return bad_sync(fd, number);                \
	}
SYNC(fsync, SYS_fsync)
SYNC(fdatasync, SYS_fdatasync)
