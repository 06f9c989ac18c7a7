/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making, recognising and locking a store.  vtape.store is written last when a store is made, so a folder that has one
 * is whole.  The lock is flock(2)'s: the kernel gives it back however the process ends, so there is never a stale one.
 */
#include "daemon/store.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nothing can be read without the secret in it, so there are two. */
static const char *const head_names[] = { "vtape.store", "vtape.store.copy" };

static bool is_head_name(const char *name)
{
	return !strcmp(name, head_names[0]) || !strcmp(name, head_names[1]);
}

/* ---- making one ------------------------------------------------------------------------------------------------- */

/* 0 if @path is a folder without entries, -ENOENT if there is nothing, -ENOTEMPTY, -EEXIST if it is a store. */
static int store_folder_is_free(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int r = 0;

	if (!d)
		return -errno;
	while (r != -EEXIST && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		r = is_head_name(e->d_name) ? -EEXIST : -ENOTEMPTY;
	}
	closedir(d);
	return r;
}

static int head_write(const char *path, int which, const uint8_t bytes[STORE_HEAD_LEN])
{
	char p[PATH_MAX];
	int r = io_path(p, sizeof(p), "%s/%s", path, head_names[which]);

	return r ? r : io_replace(p, bytes, STORE_HEAD_LEN, 0600);
}

static int store_mkdir(const char *path, const char *sub)
{
	char p[PATH_MAX];
	int r = io_path(p, sizeof(p), "%s/%s", path, sub);

	if (r < 0)
		return r;
	return mkdir(p, 0700) < 0 ? err_explain(-errno, "cannot make %s: %s", p, strerror(errno)) : 0;
}

int store_init(const char *path, uint32_t chunk_avg)
{
	struct store_head h = { .created_ns = clock_now_ns(), .chunk_avg = chunk_avg };
	uint8_t bytes[STORE_HEAD_LEN];
	int r;

	if (chunk_avg < (8u << 10) || chunk_avg > (256u << 10) || (chunk_avg & (chunk_avg - 1)))
		return err_explain(-EINVAL, "the average chunk must be a power of two from 8K to 256K");

	r = store_folder_is_free(path);
	if (r == -EEXIST)
		return err_explain(r, "%s is a vtape store already", path);
	if (r == -ENOTEMPTY)
		return err_explain(r, "%s is not empty; a store wants a folder of its own", path);
	if (r == -ENOENT && mkdir(path, 0700) < 0)
		r = -errno;
	else if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return err_explain(r, "cannot make a store at %s: %s", path, strerror(-r));

	r = random_bytes(h.uuid, sizeof(h.uuid));
	if (!r)
		r = random_bytes(h.key, sizeof(h.key));
	if (!r)
		r = store_mkdir(path, "packs");
	if (!r)
		r = store_mkdir(path, "db");
	if (r < 0)
		return r;

	/* The head last: with it the folder is a store. */
	store_head_pack(&h, bytes);
	r = head_write(path, 1, bytes);
	r = r ? r : head_write(path, 0, bytes);
	return r ? r : io_fsync_parent(path);
}

/* ---- entering one ----------------------------------------------------------------------------------------------- */

static int store_lock(const char *path, int *lock_fd)
{
	CLEANUP(fd_closep) int fd = -1;
	char p[PATH_MAX], who[32] = "";
	ssize_t n;
	int r = io_path(p, sizeof(p), "%s/lock", path);

	if (r < 0)
		return r;
	fd = open(p, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_explain(-errno, "cannot open %s: %s", p, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		n = pread(fd, who, sizeof(who) - 1, 0);
		who[n > 0 ? strcspn(who, "\n") : 0] = '\0';
		return err_explain(-EBUSY, "the store %s is in use by process %s", path, who[0] ? who : "(unknown)");
	}
	snprintf(who, sizeof(who), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, who, strlen(who), 0) < 0)
		log_debug("cannot note the process id in %s", p); /* only the words of a later -EBUSY suffer */
	*lock_fd = fd;
	fd = -1;
	return 0;
}

/* One of the two heads, as it is on disk. */
struct head_file {
	int r;				/* of reading and unpacking it */
	uint8_t bytes[STORE_HEAD_LEN];
	struct store_head head;		/* if !r */
};

static void head_read(const char *path, int which, struct head_file *out)
{
	CLEANUP(buf_fini) struct buf bytes = BUF_INIT;
	char p[PATH_MAX];

	out->r = io_path(p, sizeof(p), "%s/%s", path, head_names[which]);
	if (!out->r)
		out->r = io_read_file(p, 4096, &bytes);
	if (out->r == -EFBIG)
		out->r = -EMEDIUMTYPE;
	if (!out->r)
		out->r = store_head_unpack(&out->head, bytes.data, bytes.len);
	if (!out->r)
		memcpy(out->bytes, bytes.data, sizeof(out->bytes));
}

/* Neither can be used. */
static int no_head(const char *path, const struct head_file h[2])
{
	int r = h[0].r;

	if ((r == -ENOENT || r == -ENOTDIR) && h[1].r == r)
		return err_explain(r, "%s is not a vtape store; `vtape init %s` makes one", path, path);
	if (r == -EMEDIUMTYPE && h[1].r == -ENOENT)
		return err_explain(r, "%s: not a vtape store (vtape.store does not begin as one)", path);
	return err_explain(-EBADMSG,
			   "%s: vtape.store and vtape.store.copy are both damaged or lost, and without the secret in "
			   "them the store cannot be opened; put one of them back from a backup",
			   path);
}

/* Which of the two tells the truth: 0 or 1; *bad: the other one is to be made anew. */
static int head_choose(const char *path, const struct head_file h[2], bool *bad)
{
	*bad = true;
	/* One of a newer vtape, or that we may not read, is not damaged. */
	for (int i = 0; i < 2; i++) {
		if (h[i].r == -EPROTO)
			return h[i].r;
		if (h[i].r == -EACCES || h[i].r == -EPERM)
			return err_explain(h[i].r, "cannot read %s/%s: %s", path, head_names[i], strerror(-h[i].r));
	}
	if (h[0].r && h[1].r)
		return no_head(path, h);
	if (h[0].r || h[1].r)
		return h[0].r ? 1 : 0;
	*bad = false;
	if (memcmp(h[0].bytes, h[1].bytes, STORE_HEAD_LEN) != 0)
		return err_explain(-EUCLEAN,
				   "%s: vtape.store and vtape.store.copy are of two different stores; remove the one "
				   "that does not belong here",
				   path);
	return 0;
}

static void head_mend(const char *path, int good, const struct head_file *h, char told[STORE_TOLD_MAX])
{
	int bad = !good, r = head_write(path, bad, h[good].bytes);

	snprintf(told, STORE_TOLD_MAX, "%s was %s and was%s made anew from %s", head_names[bad],
		 h[bad].r == -ENOENT ? "lost" : "damaged", r ? " not" : "", head_names[good]);
}

int store_enter(const char *path, struct store_head *head, int *lock_fd, char told[STORE_TOLD_MAX])
{
	CLEANUP(fd_closep) int fd = -1;
	struct head_file h[2] = { { 0 } };
	bool bad = false;
	int good, r;

	told[0] = '\0';
	/* Look before locking: the lock is a file, and nothing is created in a folder that is no store. */
	head_read(path, 1, &h[1]);
	head_read(path, 0, &h[0]);
	good = head_choose(path, h, &bad);
	if (good < 0)
		return good;
	r = store_lock(path, &fd);
	if (r < 0)
		return r;
	if (bad)
		head_mend(path, good, h, told);
	*head = h[good].head;
	*lock_fd = fd;
	fd = -1;
	return 0;
}
