/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon sends for a restore, a tar archive, into the current folder, with libarchive.  It is not trusted
 * more than a tape: nothing is made outside of the folder, whatever names and links say, and what is there stays
 * unless the options say otherwise.  Folders are the exception: one that is there is gone into and stays as it is, but
 * one that was made on the way here gets what the archive says of it.
 */
#include "cli/members.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSIDE (ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT | \
		ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS)
#define METADATA (ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR | \
		  ARCHIVE_EXTRACT_FFLAGS)
#define PIPE_BLOCK (256u << 10)

/* A folder whose mode and times have to wait until all is in it. */
struct late { char *path; mode_t mode; struct timespec times[2]; };

struct extraction {
	struct extract *x;
	struct archive *from, *disk;
	struct sumset made;		/* folders, by us, without being told of them yet */
	struct sumset refused;		/* so links to them are refused too */
	char parent[PATH_MAX];		/* that is known to be there */
	struct late *late;
	size_t lates, late_cap;
};

static uint64_t sum_of(const char *path, size_t n)
{
	while (n && path[n - 1] == '/')
		n--;
	return sum64(path, n);
}

static void say(const char *path, const char *why)
{
	fprintf(stderr, "%svtape: %s: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", path,
		why ? why : "no reason is known");
}

static int fail(struct extraction *e, int r, const char *why)
{
	e->x->error = r;
	snprintf(e->x->why, sizeof(e->x->why), "%s", why ? why : strerror(-r));
	return r;
}

/* ---- what is there already -------------------------------------------------------------------------------------- */

/* Folders on the way to @path that are not there will be made: by us. */
static int note_parents(struct extraction *e, const char *path)
{
	const char *end = strrchr(path, '/');
	char parent[PATH_MAX];
	struct stat st;
	bool was;
	int r = 0;

	if (!end || (size_t)(end - path) >= sizeof(parent))
		return 0;
	snprintf(parent, sizeof(parent), "%.*s", (int)(end - path), path);
	if (!strcmp(parent, e->parent))
		return 0;
	memcpy(e->parent, parent, sizeof(parent));
	while (!r && parent[0] && lstat(parent, &st) < 0) {
		char *slash = strrchr(parent, '/');
		r = sumset_add(&e->made, sum_of(parent, strlen(parent)), &was);
		*(slash ? slash : parent) = '\0';
	}
	return r;
}

enum verdict { MAKE, SETTLE /* a folder that is there, and gets what is said of it */, LEAVE, REFUSE };

static enum verdict judge(const struct extraction *e, struct archive_entry *entry, const char *path)
{
	const struct extract *x = e->x;
	const char *link = archive_entry_hardlink(entry);
	bool folder = archive_entry_filetype(entry) == AE_IFDIR;
	struct stat st;

	if (link && sumset_has(&e->refused, sum_of(link, strlen(link))))
		return REFUSE;
	if (lstat(path, &st) < 0)
		return MAKE;
	if (folder && S_ISDIR(st.st_mode))
		return x->overwrite || sumset_has(&e->made, sum_of(path, strlen(path))) ? SETTLE : LEAVE;
	if (x->keep_newer && !link && !S_ISDIR(st.st_mode))
		return st.st_mtim.tv_sec > archive_entry_mtime(entry) ||
				       (st.st_mtim.tv_sec == archive_entry_mtime(entry) &&
					st.st_mtim.tv_nsec >= archive_entry_mtime_nsec(entry)) ?
			       LEAVE : MAKE;
	return x->overwrite || x->keep_newer ? MAKE : REFUSE;
}

static int refuse(struct extraction *e, const char *path)
{
	bool was;

	say(path, "is there already; --overwrite replaces it, --keep-newer if it is older");
	e->x->refused++;
	return sumset_add(&e->refused, sum_of(path, strlen(path)), &was);
}

/* ---- one member ------------------------------------------------------------------------------------------------- */

/* 0, or the reading or writing has failed: *why. */
static int copy_bytes(struct extraction *e, uint64_t *bytes, const char **why)
{
	const void *p;
	la_int64_t offset;
	size_t n;
	int got;

	*bytes = 0;
	while ((got = archive_read_data_block(e->from, &p, &n, &offset)) == ARCHIVE_OK || got == ARCHIVE_WARN) {
		if (n && archive_write_data_block(e->disk, p, n, offset) < ARCHIVE_WARN) {
			*why = archive_error_string(e->disk);
			return -EIO;
		}
		*bytes = (uint64_t)offset + n;
		e->x->bytes += n;
	}
	if (got == ARCHIVE_EOF)
		return 0;
	return fail(e, -EPIPE, "what was to be restored has broken off");
}

static bool is_whole(struct archive_entry *entry, const char *path)
{
	struct stat st;

	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
		return true;
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == archive_entry_size(entry);
}

static void set_options(struct extraction *e, bool later)
{
	int metadata = later ? METADATA & ~(ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM) : METADATA;

	/* As root also whose it is, and devices. */
	archive_write_disk_set_options(e->disk, INSIDE | metadata | (geteuid() == 0 ? ARCHIVE_EXTRACT_OWNER : 0));
}

/* libarchive does so itself for folders that it makes. */
static int settle_later(struct extraction *e, struct archive_entry *entry, const char *path)
{
	struct timespec now = { .tv_nsec = UTIME_NOW }, mtime = now, atime;

	if (e->lates == e->late_cap) {
		size_t cap = e->late_cap ? 2 * e->late_cap : 64;
		struct late *more = reallocarray(e->late, cap, sizeof(*more));
		if (!more)
			return fail(e, -ENOMEM, NULL);
		e->late = more;
		e->late_cap = cap;
	}
	if (archive_entry_mtime_is_set(entry))
		mtime = (struct timespec){ archive_entry_mtime(entry), archive_entry_mtime_nsec(entry) };
	atime = mtime;
	if (archive_entry_atime_is_set(entry))
		atime = (struct timespec){ archive_entry_atime(entry), archive_entry_atime_nsec(entry) };
	e->late[e->lates] = (struct late){ strdup(path), archive_entry_perm(entry), { atime, mtime } };
	return e->late[e->lates++].path ? 0 : fail(e, -ENOMEM, NULL);
}

static void settle_folders(struct extraction *e)
{
	for (size_t i = 0; i < e->lates; i++) {
		const struct late *l = &e->late[i];
		int fd = l->path ? open(l->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
		if (fd < 0 || fchmod(fd, l->mode) < 0 || futimens(fd, l->times) < 0)
			say(l->path ? l->path : "?", strerror(errno));
		fd_closep(&fd);
		free(l->path);
	}
	free(e->late);
}

/* @path is a copy: libarchive may change its own. */
static int make(struct extraction *e, struct archive_entry *entry, const char *path, bool later)
{
	const char *why = NULL;
	uint64_t bytes = 0;
	int got, r = 0;

	set_options(e, later);
	got = archive_write_header(e->disk, entry);
	if (got == ARCHIVE_FATAL)
		return fail(e, -EIO, archive_error_string(e->disk));
	if (got != ARCHIVE_OK)
		say(path, archive_error_string(e->disk));
	if (got < ARCHIVE_WARN) {
		e->x->failed++;
		return 0;
	}
	if (archive_entry_size(entry) > 0 && !archive_entry_hardlink(entry))
		r = copy_bytes(e, &bytes, &why);
	got = archive_write_finish_entry(e->disk);
	if (!r && got != ARCHIVE_OK)
		say(path, archive_error_string(e->disk));
	if (r || got < ARCHIVE_WARN || !is_whole(entry, path)) {
		if (r)
			unlink(path);	/* better none than half of one */
		say(path, why ? why : "is not whole");
		e->x->failed++;
		return e->x->error;
	}
	e->x->restored++;
	if (e->x->names)
		puts(path);
	return 0;
}

static int take_member(struct extraction *e, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);
	char path[PATH_MAX];
	int r;

	if (!name || !*name || strlen(name) >= sizeof(path)) {
		say(name ? name : "?", strerror(ENAMETOOLONG));
		e->x->failed++;
		return 0;
	}
	snprintf(path, sizeof(path), "%s", name);
	r = note_parents(e, path);
	if (r)
		return fail(e, r, NULL);
	switch (judge(e, entry, path)) {
	case REFUSE:
		r = refuse(e, path);
		return r ? fail(e, r, NULL) : 0;
	case LEAVE:
		e->x->kept++;
		return 0;
	case SETTLE:
		r = settle_later(e, entry, path);
		return r ? r : make(e, entry, path, true);
	default:
		return make(e, entry, path, false);
	}
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

static int take_all(struct extraction *e)
{
	struct archive_entry *entry;
	int got, r = 0;

	if (archive_read_open_fd(e->from, e->x->fd, PIPE_BLOCK) != ARCHIVE_OK)
		return fail(e, -EIO, archive_error_string(e->from));
	while (!r && (got = archive_read_next_header(e->from, &entry)) != ARCHIVE_EOF) {
		if (got < ARCHIVE_WARN)
			return fail(e, -EPIPE, archive_error_string(e->from));
		r = take_member(e, entry);
	}
	return r;
}

void extract_run(struct extract *x)
{
	struct extraction *e = calloc(1, sizeof(*e));

	if (!e) {
		x->error = -ENOMEM;
		return;
	}
	e->x = x;
	e->from = archive_read_new();
	e->disk = archive_write_disk_new();
	if (!e->from || !e->disk || archive_read_support_format_tar(e->from) != ARCHIVE_OK) {
		fail(e, -ENOMEM, NULL);
	} else {
		archive_write_disk_set_standard_lookup(e->disk);
		take_all(e);
		/* Now folders get their times and modes. */
		if (archive_write_close(e->disk) != ARCHIVE_OK)
			say("folders", archive_error_string(e->disk));
		settle_folders(e);
	}
	archive_read_free(e->from);
	archive_write_free(e->disk);
	sumset_fini(&e->made);
	sumset_fini(&e->refused);
	free(e);
}
