/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole transfers, and files that survive a power cut.  Interrupted and partial system calls are carried on here, so
 * that nobody else has a loop around read or write.  Which file to sync when is the caller's plan.
 */
#include <vtape/util.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void freep(void *p)
{
	void **pp = p;

	free(*pp);
	*pp = NULL;
}

int io_read_full(int fd, void *buf, size_t len, size_t *got)
{
	uint8_t *p = buf;
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, p + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_origin(-errno);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*got = done;
	return 0;
}

int io_pread_full(int fd, void *buf, size_t len, uint64_t off)
{
	uint8_t *p = buf;
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, p + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_origin(-errno);
		if (n == 0)
			return err_origin(-EUCLEAN);
		done += (size_t)n;
	}
	return 0;
}

int io_write_full(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, p + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_origin(-errno);
		done += (size_t)n;
	}
	return 0;
}

int io_pwrite_full(int fd, const void *buf, size_t len, uint64_t off)
{
	const uint8_t *p = buf;
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, p + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_origin(-errno);
		done += (size_t)n;
	}
	return 0;
}

/* Reads to the end instead of trusting st_size: files in /proc and /sys say 0. */
int io_read_file(const char *path, size_t max, struct buf *out)
{
	CLEANUP(fd_closep) int fd = -1;
	size_t got = 0;
	int r;

	out->len = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_explain(-errno, "%s: cannot open: %s", path, strerror(errno));

	do {
		r = buf_reserve(out, 65536);
		if (r)
			return r;
		r = io_read_full(fd, out->data + out->len, 65536, &got);
		if (r)
			return r;
		out->len += got;
		if (out->len > max)
			return err_explain(-EFBIG, "%s: longer than %zu bytes", path, max);
	} while (got == 65536);
	return 0;
}

int io_fsync_dir(const char *dir)
{
	CLEANUP(fd_closep) int fd = -1;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_explain(-errno, "%s: cannot open the folder: %s", dir, strerror(errno));
	if (fsync(fd))
		return err_explain(-errno, "%s: cannot sync the folder: %s", dir, strerror(errno));
	return 0;
}

int io_fsync_parent(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int r;

	if (!slash)
		return io_fsync_dir(".");
	r = io_path(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return r ? r : io_fsync_dir(dir);
}

static int write_synced(const char *path, const void *buf, size_t len, mode_t mode)
{
	CLEANUP(fd_closep) int fd = -1;
	int r;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return err_explain(-errno, "%s: cannot create: %s", path, strerror(errno));
	if (fchmod(fd, mode))
		return err_explain(-errno, "%s: cannot set the mode: %s", path, strerror(errno));
	r = io_write_full(fd, buf, len);
	if (r)
		return r;
	if (fsync(fd))
		return err_explain(-errno, "%s: cannot sync: %s", path, strerror(errno));
	return 0;
}

/* The temporary name is fixed, so what a power cut leaves is overwritten by the next try; callers who replace the same
 * file must not do so at the same time. */
int io_replace(const char *path, const void *buf, size_t len, mode_t mode)
{
	char tmp[PATH_MAX];
	int r;

	r = io_path(tmp, sizeof(tmp), "%s.new", path);
	if (r)
		return r;
	r = write_synced(tmp, buf, len, mode);
	if (r)
		goto err;
	if (rename(tmp, path)) {
		r = err_explain(-errno, "%s: cannot rename to %s: %s", tmp, path, strerror(errno));
		goto err;
	}
	return io_fsync_parent(path);
err:
	unlink(tmp);
	return r;
}

int io_path(char *out, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, cap, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= cap)
		return err_origin(-ENAMETOOLONG);
	return 0;
}
