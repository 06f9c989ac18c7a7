/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount and umount.  mount returns when the tree is there; umount when everything is on disk and the daemon has gone,
 * which is when the lock on the store is free.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define UMOUNT_WAIT_S 120u
#define POLL_US 20000u
#define BUSY_WAIT_NS 10000000000ull
#define PATIENCE_NS 1000000000ull	/* after this long we say what is waited for */

/* ---- which mount --------------------------------------------------------------------------------------- */

struct wanted {
	const char *mountpoint, *store;	/* either may be NULL */
	struct mount found;		/* the last that fits: it lies on top */
	bool any;
};

static int look_for(void *ctx, const struct mount *m)
{
	struct wanted *w = ctx;

	if ((w->mountpoint && !strcmp(w->mountpoint, m->mountpoint)) || (w->store && !strcmp(w->store, m->store))) {
		w->found = *m;
		w->any = true;
	}
	return 0;
}

/* Where a dead daemon's mount was, realpath(3) cannot go; its folder can. */
static int mountpoint_path(const char *word, char out[PATH_MAX])
{
	char copy[PATH_MAX], parent[PATH_MAX];
	char *slash;
	int r;

	if (realpath(word, out))
		return 0;
	if (errno != ENOTCONN && errno != EACCES && errno != EIO)
		return err_explain(-errno, "%s: %s", word, strerror(errno));
	r = io_path(copy, sizeof(copy), "%s", word);
	if (r)
		return r;
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (!realpath(!slash ? "." : slash == copy ? "/" : copy, parent))
		return err_explain(-errno, "%s: %s", word, strerror(errno));
	return io_path(out, PATH_MAX, "%s/%s", strcmp(parent, "/") ? parent : "", slash ? slash + 1 : copy);
}

/* ---- who has the store --------------------------------------------------------------------------------- */

/* 0: whoever had the store has closed it. */
static int store_is_free(const char *store)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[PATH_MAX];

	if (io_path(path, sizeof(path), "%s/lock", store))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	return flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK ? -EBUSY : 0;
}

/* A daemon that is just ending, or another command: they are done soon.  Whoever is not, vtaped will name. */
static void give_others_time(const char *store)
{
	uint64_t give_up = clock_mono_ns() + BUSY_WAIT_NS;

	while (store_is_free(store) != 0 && clock_mono_ns() < give_up)
		usleep(POLL_US);
}

/* ---- mount --------------------------------------------------------------------------------------------- */

static int unmount(const char *mountpoint, bool lazy)
{
	const char *argv[] = { "fusermount3", "-u", lazy ? "-z" : "-q", "--", mountpoint, NULL };
	int r;

	if (umount2(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	/* Not root: FUSE's own helper may.  It does not say why it could not; being in use is by far the commonest. */
	r = spawn_wait(argv);
	if (r == 127)
		return -ENOSYS;
	return r > 0 ? -EBUSY : r;
}

/* A daemon that was killed leaves a mount that answers ENOTCONN to whatever must ask it: take it away.  stat(2) may not
 * have to ask, the kernel remembers; opening does. */
static int clear_dead_mount(const char *mountpoint)
{
	CLEANUP(fd_closep) int fd = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct wanted w = { .mountpoint = mountpoint };
	int r;

	if (fd >= 0 || errno != ENOTCONN)
		return 0;
	mounts_each(look_for, &w);
	if (!w.any)
		return 0;
	r = unmount(mountpoint, true);
	if (r)
		return err_explain(r, "%s: cannot take away the mount of a dead daemon: %s", mountpoint, strerror(-r));
	return 0;
}

/* What can be told before vtaped is started, with an exit status of its own. */
static int mount_check(const char *store, const char *mountpoint)
{
	struct wanted on = { .mountpoint = mountpoint }, of = { .store = store };
	struct stat st;

	if (stat(mountpoint, &st) < 0)
		return err_explain(-errno, "mount point %s: %s", mountpoint, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return err_explain(-ENOTDIR, "mount point %s is not a folder", mountpoint);
	if (path_is_below(mountpoint, store))
		return err_explain(-EBUSY, "the mount point %s is in the store itself", mountpoint);
	mounts_each(look_for, &on);
	if (on.any)
		return err_explain(-EBUSY, "the store %s is mounted on %s already", on.found.store, mountpoint);
	mounts_each(look_for, &of);
	if (of.any)
		return err_explain(-EBUSY, "the store %s is mounted already, on %s", store, of.found.mountpoint);
	return 0;
}

static int run_vtaped(const struct args *a, const char *store, const char *mountpoint)
{
	const char *argv[16];
	char program[PATH_MAX];
	int n = 0, r;

	r = vtaped_find(program);
	if (r)
		return r;
	argv[n++] = program;
	argv[n++] = "--store";
	argv[n++] = store;
	argv[n++] = "--mount";
	argv[n++] = mountpoint;
	n = args_pass(a, OPT_DRIVES, "--drives", argv, n);
	n = args_pass(a, OPT_MOUNT_OPTIONS, "-o", argv, n);
	n = args_pass(a, OPT_ALLOW_OTHER, "--allow-other", argv, n);
	n = args_pass(a, OPT_FOREGROUND, "--foreground", argv, n);
	argv[n] = NULL;
	if (!args_has(a, OPT_FOREGROUND))
		return spawn_wait(argv);
	execv(program, (char *const *)(uintptr_t)argv);
	return err_explain(-errno, "cannot run %s: %s", program, strerror(errno));
}

int verb_mount(const struct args *a)
{
	char store[PATH_MAX], mountpoint[PATH_MAX];
	struct args with = *a;
	uint64_t drives = 0;
	int r;

	if (a->operands == 2) {
		if (args_has(a, OPT_STORE))
			return err_explain(-EINVAL, "mount: the store is named twice");
		with.value[OPT_STORE] = a->operand[0];
	}
	r = args_number(a, OPT_DRIVES, 64, &drives);
	if (!r)
		r = store_find(&with, store);
	if (!r)
		r = mountpoint_path(a->operand[a->operands - 1], mountpoint);
	if (!r)
		r = clear_dead_mount(mountpoint);
	if (!r)
		r = mount_check(store, mountpoint);
	if (r)
		return r;
	give_others_time(store);
	return run_vtaped(&with, store, mountpoint);
}

/* ---- umount -------------------------------------------------------------------------------------------- */

static int umount_target(const struct args *a, struct mount *out)
{
	struct wanted w = { 0 };
	char path[PATH_MAX];
	int r;

	r = a->operands ? mountpoint_path(a->operand[0], path) : store_find(a, path);
	if (r)
		return r;
	w.mountpoint = w.store = path;
	mounts_each(look_for, &w);
	if (!w.any)
		return err_explain(-ENOENT, "%s is not a mounted store, nor is one mounted there", path);
	*out = w.found;
	return 0;
}

/* "nst0 (A00001) is open": the drives that programs have, as far as the daemon answers. */
static void tell_users(const struct mount *m)
{
	CLEANUP(fd_closep) int sock = -1;
	char path[PATH_MAX];
	json_t *ask, *st = NULL, *d;
	size_t i;

	if (io_path(path, sizeof(path), "%s/ctl.sock", m->store) || ctl_connect(path, &sock))
		return;
	ask = json_pack("{s:s}", "verb", "status");
	if (ctl_call(sock, ask, -1, NULL, NULL, &st) == 0) {
		json_array_foreach(json_object_get(st, "drives"), i, d) {
			const char *volume = json_string_value(json_object_get(d, "volume"));
			if (json_is_true(json_object_get(d, "open")))
				fprintf(stderr, "vtape: a program has drive nst%lld open%s%s\n",
					(long long)json_integer_value(json_object_get(d, "drive")),
					volume ? ", with volume " : "", volume ? volume : "");
		}
	}
	json_decref(ask);
	json_decref(st);
}

static int wait_until_free(const char *store, uint64_t seconds)
{
	uint64_t begun = clock_mono_ns();
	bool said = false;

	while (store_is_free(store) != 0) {
		uint64_t waited = clock_mono_ns() - begun;
		if (waited >= seconds * 1000000000ull)
			return err_explain(-ETIMEDOUT,
					   "unmounted, but the daemon still has the store %s open after %llu s", store,
					   (unsigned long long)seconds);
		if (!said && waited > PATIENCE_NS && isatty(STDERR_FILENO)) {
			fprintf(stderr, "vtape: unmounted; waiting until everything is on disk\n");
			said = true;
		}
		usleep(POLL_US);
	}
	return 0;
}

int verb_umount(const struct args *a)
{
	uint64_t seconds = UMOUNT_WAIT_S;
	struct mount m;
	int r;

	if (args_has(a, OPT_TIMEOUT)) {
		r = parse_duration(a->value[OPT_TIMEOUT], &seconds);
		if (r)
			return r;
	}
	r = umount_target(a, &m);
	if (r)
		return r;
	r = unmount(m.mountpoint, false);
	if (r == -EBUSY) {
		tell_users(&m);
		return err_explain(r, "%s is in use: a tape or a folder of it is open (`fuser -vm %s` shows by whom)",
				   m.mountpoint, m.mountpoint);
	}
	if (r)
		return err_explain(r, "%s: %s", m.mountpoint, strerror(-r));
	return wait_until_free(m.store, seconds);
}
