/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * configfs: the objects of the kernel's SCSI target, made and removed.
 *
 * A backstore (core/user_<hba>/<name>) is set up before it is enabled, and before anything exports it: later the
 * kernel takes no timeout for commands.  None it gets: a command waits for a daemon that comes again.  A loopback
 * target is made from above (fabric, target, portal group, nexus, LUN), each unit with its own, because a LUN that
 * comes into a group in use, or a host in recovery, disturbs the others.  What is there already is taken; what fails
 * is undone as far as it was made here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vtape/tcmu.h>

#include "tcmu/nodes.h"

#define PATH_BYTES 512
#define PAGES_PER_BLOCK 64u	/* of the data area: 256 KiB, so that records lie in one piece */

/* ---- files and folders ------------------------------------------------------------------------------------------ */

/* What is written is one setting: one write, as the kernel wants it. */
static int put(const char *dir, const char *attribute, const char *value)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[PATH_BYTES];
	int r = io_path(path, sizeof(path), "%s/%s", dir, attribute);

	if (r)
		return r;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

/* As text without the end of line; "" if it cannot be read. */
static void get(const char *dir, const char *attribute, char *out, size_t cap)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[PATH_BYTES];
	ssize_t n;

	*out = 0;
	if (io_path(path, sizeof(path), "%s/%s", dir, attribute))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, out, cap - 1);
	out[n < 0 ? 0 : n] = 0;
	out[strcspn(out, "\n")] = 0;
}

static bool there(const char *path)
{
	return !access(path, F_OK);
}

/* *made is added to if it was not there. */
static int folder(const char *path, unsigned *made)
{
	if (!mkdir(path, 0755)) {
		++*made;
		return 0;
	}
	return errno == EEXIST ? 0 : -errno;
}

/* 0 also if it is not there. */
static int no_folder(const char *path)
{
	return rmdir(path) && errno != ENOENT ? -errno : 0;
}

static const char *words(int r)
{
	switch (r) {
	case -EACCES:
	case -EPERM:
		return "only root may do that";
	case -EBUSY:
		return "it is in use";
	default:
		return strerror(-r);
	}
}

/* ---- modules ---------------------------------------------------------------------------------------------------- */

extern char **environ;

static void modprobe(const char *module)
{
	char program[256], dir[PATH_BYTES];
	char *argv[] = { program, (char *)(uintptr_t)"-q", (char *)(uintptr_t)module, NULL };
	pid_t pid;

	if (!io_path(dir, sizeof(dir), "/sys/module/%s", module) && there(dir))
		return;
	get("/proc/sys/kernel", "modprobe", program, sizeof(program));
	if (program[0] && !posix_spawn(&pid, program, NULL, NULL, argv, environ))
		waitpid(pid, NULL, 0);
}

/* Of the kernel's own configfs; another one is a test's. */
static int modules(const char *configfs)
{
	char path[PATH_BYTES];

	if (!strcmp(configfs, TCMU_CONFIGFS)) {
		if (!there("/sys/kernel/config"))
			modprobe("configfs");
		modprobe("target_core_user");
		if (!there(configfs))
			mount("configfs", "/sys/kernel/config", "configfs", 0, NULL);
	}
	if (io_path(path, sizeof(path), "%s/core", configfs) || !there(path))
		return err_explain(-ENOTSUP, "this kernel has no SCSI target (%s): it takes the modules "
				   "target_core_user and tcm_loop, configfs, and root", configfs);
	return 0;
}

/* The kernel writes down who is registered for persistent reservations, and without the folder for it refuses
 * PERSISTENT RESERVE OUT (target_core_pr.c), which LTFS begins with.  Nobody else makes it but targetcli's
 * package. */
static void reservations_folder(const char *configfs)
{
	char root[PATH_BYTES], path[PATH_BYTES];
	unsigned made = 0;
	int r;

	get(configfs, "dbroot", root, sizeof(root));
	if (root[0] != '/')
		return;
	r = io_path(path, sizeof(path), "%s/pr", root);
	r = r ? r : folder(root, &made);
	r = r ? r : folder(path, &made);
	if (r)
		log_warn("%s/pr cannot be made (%s): hosts cannot reserve the drives", root, words(r));
}

/* ---- a backstore ------------------------------------------------------------------------------------------------ */

/* Settings in their order.  One that is not @must may be unknown to an older kernel. */
static int settings(const char *dir, const struct tcmu_backstore *b)
{
	char text[300], area[40], pages[40];
	const struct { const char *attribute, *value; bool must; } set[] = {
		{ "control", text, true },
		{ "control", "nl_reply_supported=-1\n", true },	/* nobody answers by netlink: do not wait for it */
		{ "control", area, true },
		{ "control", pages, false },
		{ "attrib/cmd_time_out", "0\n", true },
		{ "attrib/tmr_notification", "1\n", false },
		{ "enable", "1\n", true },
	};
	int r = 0;

	if (io_path(text, sizeof(text), "dev_config=%s\n", b->config))
		return err_explain(-EINVAL, "the configuration of backstore %s is too long", b->name);
	snprintf(area, sizeof(area), "max_data_area_mb=%u\n", b->data_area_mb);
	snprintf(pages, sizeof(pages), "data_pages_per_blk=%u\n", PAGES_PER_BLOCK);
	for (unsigned i = 0; i < ARRAY_LEN(set); i++) {
		r = put(dir, set[i].attribute, set[i].value);
		if (r && set[i].must)
			return err_explain(r, "the backstore %s cannot be set up (%s, %.*s): %s", b->name,
					   set[i].attribute, (int)strcspn(set[i].value, "\n"), set[i].value, words(r));
	}
	return 0;
}

int tcmu_backstore_make(const char *configfs, const struct tcmu_backstore *b, bool *found)
{
	char hba[PATH_BYTES], dir[PATH_BYTES], enabled[8];
	unsigned made = 0, hba_made = 0;
	int r = modules(configfs);

	r = r ? r : io_path(hba, sizeof(hba), "%s/core/user_%u", configfs, b->hba);
	r = r ? r : io_path(dir, sizeof(dir), "%s/%s", hba, b->name);
	if (r)
		return r;
	get(dir, "enable", enabled, sizeof(enabled));
	*found = !strcmp(enabled, "1");
	if (*found)
		return 0;
	reservations_folder(configfs);
	r = folder(hba, &hba_made);
	r = r ? r : folder(dir, &made);
	if (r)
		return err_explain(r, "the backstore %s cannot be made: %s", b->name, words(r));
	r = settings(dir, b);
	if (r) {
		/* Half of one is of no use, whoever made it. */
		no_folder(dir);
		if (hba_made)
			no_folder(hba);
	}
	return r;
}

int tcmu_backstore_remove(const char *configfs, unsigned hba, const char *name)
{
	char above[PATH_BYTES], dir[PATH_BYTES];
	int r = io_path(above, sizeof(above), "%s/core/user_%u", configfs, hba);

	r = r ? r : io_path(dir, sizeof(dir), "%s/%s", above, name);
	if (r)
		return r;
	r = no_folder(dir);
	if (r)
		return err_explain(r, "the backstore %s cannot be removed: %s", name,
				   r == -EBUSY || r == -ENOTEMPTY ? "a target still exports it" : words(r));
	no_folder(above);	/* others may be in it */
	return 0;
}

/* ---- a loopback target ------------------------------------------------------------------------------------------ */

/* From the top; what is removed goes the other way. */
struct loopback { char fabric[PATH_BYTES], target[PATH_BYTES], group[PATH_BYTES], lun[PATH_BYTES], link[PATH_BYTES]; };

static int loopback_paths(const char *configfs, uint64_t naa, struct loopback *l)
{
	int r = io_path(l->fabric, PATH_BYTES, "%s/loopback", configfs);

	r = r ? r : io_path(l->target, PATH_BYTES, "%s/naa.%016llx", l->fabric, (unsigned long long)naa);
	r = r ? r : io_path(l->group, PATH_BYTES, "%s/tpgt_1", l->target);
	r = r ? r : io_path(l->lun, PATH_BYTES, "%s/lun/lun_0", l->group);
	return r ? r : io_path(l->link, PATH_BYTES, "%s/lnk", l->lun);
}

/* The initiator's name must be another one than the target's. */
static int nexus(const struct loopback *l, uint64_t naa)
{
	char name[32];

	get(l->group, "nexus", name, sizeof(name));
	if (name[0])
		return 0;
	snprintf(name, sizeof(name), "naa.%016llx\n", (unsigned long long)(naa ^ 1ull << 47));
	return put(l->group, "nexus", name);
}

static int loopback_undo(const struct loopback *l)
{
	const char *const folders[] = { l->lun, l->group, l->target };
	int r = unlink(l->link) && errno != ENOENT ? -errno : 0;

	for (unsigned i = 0; !r && i < ARRAY_LEN(folders); i++)
		r = no_folder(folders[i]);
	return r;
}

/* The link is there: is it to that backstore? */
static int loopback_is(const struct loopback *l, const char *backstore)
{
	char *is = realpath(l->link, NULL), *want = realpath(backstore, NULL);
	int r = 0;

	if (!is || !want || strcmp(is, want))
		r = err_explain(-EEXIST, "the loopback target %s exports something else (%s)", l->target,
				is ? is : "gone");
	free(is);
	free(want);
	return r;
}

int tcmu_loopback_make(const char *configfs, unsigned hba, const char *name, uint64_t naa, bool *found)
{
	char backstore[PATH_BYTES];
	struct loopback l;
	unsigned made = 0;
	struct stat st;
	int r = loopback_paths(configfs, naa, &l);

	r = r ? r : io_path(backstore, sizeof(backstore), "%s/core/user_%u/%s", configfs, hba, name);
	if (r)
		return r;
	*found = !lstat(l.link, &st);
	if (*found)
		return loopback_is(&l, backstore);
	if (!strcmp(configfs, TCMU_CONFIGFS)) {
		modprobe("tcm_loop");
		/* Where no udev loads them when a device comes up. */
		modprobe("st");
		modprobe("sg");
		modprobe("ch");
	}
	r = folder(l.fabric, &made);
	if (r)
		return err_explain(r, "the kernel has no loopback target (module tcm_loop): %s", words(r));
	r = folder(l.target, &made);
	r = r ? r : folder(l.group, &made);
	r = r ? r : nexus(&l, naa);
	r = r ? r : folder(l.lun, &made);
	if (!r && symlink(backstore, l.link))
		r = -errno;
	if (r) {
		loopback_undo(&l);
		return err_explain(r, "the loopback target %s of backstore %s cannot be made: %s", l.target, name,
				   words(r));
	}
	return 0;
}

int tcmu_loopback_remove(const char *configfs, uint64_t naa)
{
	struct loopback l;
	int r = loopback_paths(configfs, naa, &l);

	if (r)
		return r;
	r = loopback_undo(&l);
	return r ? err_explain(r, "the loopback target %s cannot be removed: %s", l.target, words(r)) : 0;
}

/* ---- what the kernel made of it --------------------------------------------------------------------------------- */

/* The name in @dir that is @prefix and a number: "st0", not "st0l". */
static void node_in(const char *dir, const char *prefix, char out[16])
{
	DIR *d = opendir(dir);
	size_t n = strlen(prefix);
	struct dirent *e;

	*out = 0;
	while (d && !*out && (e = readdir(d))) {
		const char *number = e->d_name + n;

		if (!strncmp(e->d_name, prefix, n) && *number && !number[strspn(number, "0123456789")])
			snprintf(out, 16, "%.15s", e->d_name);
	}
	if (d)
		closedir(d);
}

int tcmu_nodes_in(const char *configfs, const char *scsi_devices, uint64_t naa, struct tcmu_nodes *out)
{
	char address[16], dir[PATH_BYTES];
	struct loopback l;
	int r = loopback_paths(configfs, naa, &l);

	*out = (struct tcmu_nodes){ .st = "" };
	if (r)
		return r;
	get(l.group, "address", address, sizeof(address));	/* host:channel:target */
	if (!address[0])
		return 0;
	snprintf(out->address, sizeof(out->address), "%s:0", address);
	r = io_path(dir, sizeof(dir), "%s/%s/device/scsi_tape", scsi_devices, out->address);
	if (!r)
		node_in(dir, "st", out->st);
	r = r ? r : io_path(dir, sizeof(dir), "%s/%s/device/scsi_generic", scsi_devices, out->address);
	if (!r)
		node_in(dir, "sg", out->sg);
	r = r ? r : io_path(dir, sizeof(dir), "%s/%s/device/scsi_changer", scsi_devices, out->address);
	if (!r)
		node_in(dir, "sch", out->sch);
	return r;
}

int tcmu_nodes(uint64_t naa, struct tcmu_nodes *out)
{
	return tcmu_nodes_in(TCMU_CONFIGFS, "/sys/class/scsi_device", naa, out);
}
