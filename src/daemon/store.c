/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making, recognising and locking a store.  Its heads are written last when a store is made, so a folder that has
 * one is whole.  The lock is flock(2)'s: the kernel gives it back however the process ends, so there is never a stale
 * one.
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

/* ---- having it to oneself --------------------------------------------------------------------------------------- */

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

/* ---- making one ------------------------------------------------------------------------------------------------- */

/*
 * Steps, and what a cut behind each leaves:
 *  1. the folder, in it the lock		no store; what is in it tells who may use it: the next making
 *  2. vtape.store.new, empty, its name synced	the same
 *  3. what was left by a making before goes	the same
 *  4. packs/, db/, the caller's database	the same
 *  5. vtape.store.copy				a store
 *  6. vtape.store, of the name of 2		the same
 */
#define MAKING "vtape.store.new"

/* What may lie in a folder beside MAKING, if it was made by steps 1 to 4. */
static const char *const made_names[] = { "lock", MAKING, "vtape.store.copy.new", "packs", "db", "journal" };

enum { FOLDER_E_BEGUN = 1 };

static bool is_made_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(made_names); i++)
		if (!strcmp(name, made_names[i]))
			return true;
	return false;
}

/* May a store be made here?  0: yes, -ENOENT: so may the folder; FOLDER_E_BEGUN: one was begun; -EEXIST: it is one;
 * -ENOTEMPTY. */
static int folder_look(const char *path)
{
	bool begun = false, other = false, head = false, any = false;
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		head |= is_head_name(e->d_name);
		begun |= !strcmp(e->d_name, MAKING);
		other |= !is_made_name(e->d_name);
		any |= strcmp(e->d_name, "lock") != 0;
	}
	closedir(d);
	if (head)
		return -EEXIST;
	if (!any)
		return 0;
	return begun && !other ? FOLDER_E_BEGUN : -ENOTEMPTY;
}

static int folder_words(const char *path, int r)
{
	if (r == -EEXIST)
		return err_explain(r, "%s is a vtape store already", path);
	if (r == -ENOTEMPTY)
		return err_explain(r, "%s is not empty; a store wants a folder of its own", path);
	return r < 0 ? err_explain(r, "cannot make a store at %s: %s", path, strerror(-r)) : r;
}

/* What lies in STORE/@sub goes, and itself; nothing that has folders in it: packs that hold something are no
 * leftovers. */
static int remove_left(const char *path, const char *sub)
{
	char p[PATH_MAX];
	struct dirent *e;
	int r = io_path(p, sizeof(p), "%s/%s", path, sub);
	DIR *d = r ? NULL : opendir(p);

	if (!d)
		return r || errno == ENOENT ? r : err_explain(-errno, "cannot read %s: %s", p, strerror(errno));
	while (!r && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlinkat(dirfd(d), e->d_name, 0) < 0)
			r = err_explain(-ENOTEMPTY, "%s/%s is not of a store that was being made; nothing is done", p,
					e->d_name);
	closedir(d);
	if (!r && rmdir(p) < 0)
		r = err_explain(-errno, "cannot remove %s: %s", p, strerror(errno));
	return r;
}

/* Packs first: if there are any, nothing else goes. */
static int remove_begun(const char *path)
{
	static const char *const subs[] = { "packs", "journal", "db" };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(subs); i++)
		r = remove_left(path, subs[i]);
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

/* Step 2. */
static int mark_begun(const char *path)
{
	CLEANUP(fd_closep) int fd = -1;
	char p[PATH_MAX];
	int r = io_path(p, sizeof(p), "%s/" MAKING, path);

	if (r)
		return r;
	fd = open(p, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_explain(-errno, "cannot make %s: %s", p, strerror(errno));
	return io_fsync_dir(path);
}

/* Steps 1 to 4. */
static int make_folders(const char *path, int *lock_fd)
{
	char real[PATH_MAX];
	int r;

	if (!realpath(path, real))
		return folder_words(path, -errno);
	r = io_fsync_parent(real);
	r = r ? r : store_lock(real, lock_fd);
	/* Somebody else may have been faster. */
	r = r ? r : folder_words(path, folder_look(real));
	if (r < 0)
		return r;
	if (r == FOLDER_E_BEGUN)
		log_info("%s: the making of a store did not end here; it begins anew", real);
	r = r ? remove_begun(real) : 0;
	r = r ? r : mark_begun(real);
	r = r ? r : store_mkdir(real, "packs");
	return r ? r : store_mkdir(real, "db");
}

int store_begin(const char *path, uint32_t chunk_avg, struct store_head *head, int *lock_fd)
{
	struct store_head h = { .created_ns = clock_now_ns(), .chunk_avg = chunk_avg };
	CLEANUP(fd_closep) int fd = -1;
	int r;

	if (chunk_avg < (8u << 10) || chunk_avg > (256u << 10) || (chunk_avg & (chunk_avg - 1)))
		return err_explain(-EINVAL, "the average chunk must be a power of two from 8K to 256K");
	r = folder_look(path);
	if (r == -ENOENT)
		r = mkdir(path, 0700) < 0 ? -errno : 0;
	if (r < 0)
		return folder_words(path, r);
	r = make_folders(path, &fd);
	r = r ? r : random_bytes(h.uuid, sizeof(h.uuid));
	r = r ? r : random_bytes(h.key, sizeof(h.key));
	if (r)
		return r;
	*head = h;
	*lock_fd = fd;
	fd = -1;
	return 0;
}

/* The head itself last: its name takes the mark's place. */
int store_finish(const char *path, const struct store_head *head)
{
	uint8_t bytes[STORE_HEAD_LEN];
	int r;

	store_head_pack(head, bytes);
	r = head_write(path, 1, bytes);
	return r ? r : head_write(path, 0, bytes);
}

/* ---- entering one ----------------------------------------------------------------------------------------------- */

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

	if (r == -ENOENT && h[1].r == r && folder_look(path) == FOLDER_E_BEGUN)
		return err_explain(r, "%s: the making of this store did not end; `vtape init %s` begins anew", path,
				   path);
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
