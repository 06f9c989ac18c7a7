/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's objects, in a temporary folder.  The calls that make and remove folders are the test's own, and do what
 * the kernel's configfs does: attributes come and go with a folder, and what is written is noted in its order.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include <vtape/tcmu.h>

#include "tcmu/nodes.h"

static char root[64], notes[8192];
static const char *refused;		/* a note that begins so ends with refused_errno */
static int refused_errno;

static void note(const char *what, const char *path, const char *value)
{
	size_t n = strlen(notes);

	path += strncmp(path, root, strlen(root)) ? 0 : strlen(root) + 1;
	snprintf(notes + n, sizeof(notes) - n, "%s%s%s%s\n", what, path, *value ? "=" : "", value);
}

static bool refuses(const char *what, const char *path)
{
	char line[512];

	snprintf(line, sizeof(line), "%s%s", what, path + strlen(root) + 1);
	if (!refused || strncmp(line, refused, strlen(refused)))
		return false;
	errno = refused_errno;
	return true;
}

static void attribute(const char *dir, const char *name, const char *value)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(syscall(SYS_write, fd, value, strlen(value)), strlen(value));
	close(fd);
}

static void folder(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(syscall(SYS_mkdirat, AT_FDCWD, path, 0755), 0);
}

/* What the kernel gives a new folder, and takes with it. */
static const struct { const char *above, *name, *value; } attributes[] = {
	{ "user_", "control", "" }, { "user_", "enable", "0\n" }, { "user_", "attrib", NULL },
	{ "user_", "attrib/cmd_time_out", "30\n" }, { "user_", "attrib/tmr_notification", "0\n" },
	{ "naa.", "nexus", "" }, { "naa.", "address", "4:0:1\n" }, { "naa.", "lun", NULL },
};

static bool belongs(const char *path, size_t i)
{
	char above[512];
	char *slash;

	snprintf(above, sizeof(above), "%s", path);
	slash = strrchr(above, '/');
	*slash = 0;
	slash = strrchr(above, '/');
	return slash && !strncmp(slash + 1, attributes[i].above, strlen(attributes[i].above));
}

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
	if (refuses("mkdir ", path))
		return -1;
	if (syscall(SYS_mkdirat, AT_FDCWD, path, mode))
		return -1;
	note("mkdir ", path, "");
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		if (!belongs(path, i))
			continue;
		if (attributes[i].value)
			attribute(path, attributes[i].name, attributes[i].value);
		else
			folder(path, attributes[i].name);
	}
	return 0;
}

int __wrap_rmdir(const char *path);
int __wrap_rmdir(const char *path)
{
	char sub[512];

	if (refuses("rmdir ", path))
		return -1;
	for (size_t i = ARRAY_LEN(attributes); i-- > 0; ) {
		if (!belongs(path, i))
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, attributes[i].name);
		syscall(SYS_unlinkat, AT_FDCWD, sub, attributes[i].value ? 0 : AT_REMOVEDIR);
	}
	if (syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR))
		return -1;
	note("rmdir ", path, "");
	return 0;
}

int __wrap_symlink(const char *to, const char *path);
int __wrap_symlink(const char *to, const char *path)
{
	if (refuses("link ", path))
		return -1;
	note("link ", path, to + strlen(root) + 1);
	return (int)syscall(SYS_symlinkat, to, AT_FDCWD, path);
}

int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
	if (syscall(SYS_unlinkat, AT_FDCWD, path, 0))
		return -1;
	note("unlink ", path, "");
	return 0;
}

ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
	char link[32], path[512], value[128];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len <= 0 || (path[len] = 0, strncmp(path, root, strlen(root))))
		return syscall(SYS_write, fd, p, n);
	if (refuses("", path))
		return -1;
	snprintf(value, sizeof(value), "%.*s", (int)n, (const char *)p);
	value[strcspn(value, "\n")] = 0;
	note("", path, value);
	return syscall(SYS_write, fd, p, n);
}

static int begin(void **state)
{
	snprintf(root, sizeof(root), "/tmp/vtape-configfs.XXXXXX");
	assert_non_null(mkdtemp(root));
	folder(root, "core");
	notes[0] = 0;
	refused = NULL;
	return 0;
}

static int each_gone(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, type == FTW_DP ? AT_REMOVEDIR : 0);
}

static int end(void **state)
{
	refused = NULL;
	return nftw(root, each_gone, 8, FTW_DEPTH | FTW_PHYS);
}

static bool is_there(const char *path)
{
	char full[512];
	struct stat st;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	return !lstat(full, &st);
}

static const struct tcmu_backstore tape = { 0, "vtape-1-nst0", "nst0", 64 };
#define NAA 0x3102030405060700ull
#define LOOP "loopback/naa.3102030405060700"

static void make_tape(bool want_found)
{
	bool found;

	assert_int_equal(tcmu_backstore_make(root, &tape, &found), 0);
	assert_int_equal(found, want_found);
}

static void make_loop(bool want_found)
{
	bool found;

	assert_int_equal(tcmu_loopback_make(root, 0, tape.name, NAA, &found), 0);
	assert_int_equal(found, want_found);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void a_backstore_is_set_up_before_it_is_enabled(void **state)
{
	make_tape(false);
	assert_string_equal(notes, "mkdir core/user_0\n"
			    "mkdir core/user_0/vtape-1-nst0\n"
			    "core/user_0/vtape-1-nst0/control=dev_config=nst0\n"
			    "core/user_0/vtape-1-nst0/control=nl_reply_supported=-1\n"
			    "core/user_0/vtape-1-nst0/control=max_data_area_mb=64\n"
			    "core/user_0/vtape-1-nst0/control=data_pages_per_blk=64\n"
			    "core/user_0/vtape-1-nst0/attrib/cmd_time_out=0\n"
			    "core/user_0/vtape-1-nst0/attrib/tmr_notification=1\n"
			    "core/user_0/vtape-1-nst0/enable=1\n");
}

static void a_backstore_that_is_there_is_taken(void **state)
{
	make_tape(false);
	notes[0] = 0;
	make_tape(true);
	assert_string_equal(notes, "");
}

/* One before us was killed while it made it. */
static void a_backstore_that_is_half_made_is_finished(void **state)
{
	bool found;

	make_tape(false);
	attribute(root, "core/user_0/vtape-1-nst0/enable", "0\n");
	notes[0] = 0;
	assert_int_equal(tcmu_backstore_make(root, &tape, &found), 0);
	assert_false(found);
	assert_non_null(strstr(notes, "enable=1"));
	assert_null(strstr(notes, "mkdir"));
}

static void what_an_older_kernel_does_not_know_it_goes_without(void **state)
{
	refused = "core/user_0/vtape-1-nst0/attrib/tmr_notification";
	refused_errno = ENOENT;
	make_tape(false);
	assert_non_null(strstr(notes, "enable=1"));
}

static void what_fails_leaves_nothing(void **state)
{
	static const char *const at[] = { "core/user_0/vtape-1-nst0/control",
		"core/user_0/vtape-1-nst0/attrib/cmd_time_out", "core/user_0/vtape-1-nst0/enable" };
	bool found;

	for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
		refused = at[i];
		refused_errno = EINVAL;
		assert_int_equal(tcmu_backstore_make(root, &tape, &found), -EINVAL);
		assert_non_null(strstr(err_text(-EINVAL), tape.name));
		assert_false(is_there("core/user_0"));
	}
}

static void without_the_module_there_are_words(void **state)
{
	bool found;

	assert_int_equal(tcmu_backstore_make("/proc/nothing", &tape, &found), -ENOTSUP);
	assert_non_null(strstr(err_text(-ENOTSUP), "target_core_user"));
}

static void without_root_there_are_words(void **state)
{
	bool found;

	refused = "mkdir";
	refused_errno = EACCES;
	assert_int_equal(tcmu_backstore_make(root, &tape, &found), -EACCES);
	assert_non_null(strstr(err_text(-EACCES), "root"));
}

static void a_loopback_is_made_from_above_and_linked_last(void **state)
{
	make_tape(false);
	notes[0] = 0;
	make_loop(false);
	assert_string_equal(notes, "mkdir loopback\n"
			    "mkdir " LOOP "\n"
			    "mkdir " LOOP "/tpgt_1\n"
			    LOOP "/tpgt_1/nexus=naa.3102830405060700\n"
			    "mkdir " LOOP "/tpgt_1/lun/lun_0\n"
			    "link " LOOP "/tpgt_1/lun/lun_0/lnk=core/user_0/vtape-1-nst0\n");
	notes[0] = 0;
	make_loop(true);
	assert_string_equal(notes, "");
}

static void a_loopback_that_is_half_made_is_finished(void **state)
{
	char path[512];

	make_tape(false);
	make_loop(false);
	snprintf(path, sizeof(path), "%s/" LOOP "/tpgt_1/lun/lun_0/lnk", root);
	assert_int_equal(unlink(path), 0);
	notes[0] = 0;
	make_loop(false);
	assert_string_equal(notes, "link " LOOP "/tpgt_1/lun/lun_0/lnk=core/user_0/vtape-1-nst0\n");
}

static void a_target_of_another_backstore_is_left_alone(void **state)
{
	const struct tcmu_backstore other = { 0, "other", "x", 1 };
	bool found;

	make_tape(false);
	make_loop(false);
	assert_int_equal(tcmu_backstore_make(root, &other, &found), 0);
	assert_int_equal(tcmu_loopback_make(root, 0, "other", NAA, &found), -EEXIST);
	assert_true(is_there(LOOP "/tpgt_1/lun/lun_0/lnk"));
}

static void a_loopback_that_fails_leaves_nothing(void **state)
{
	bool found;

	make_tape(false);
	refused = "link ";
	refused_errno = EBUSY;
	assert_int_equal(tcmu_loopback_make(root, 0, tape.name, NAA, &found), -EBUSY);
	assert_false(is_there(LOOP));
	refused = LOOP "/tpgt_1/nexus";
	assert_int_equal(tcmu_loopback_make(root, 0, tape.name, NAA, &found), -EBUSY);
	assert_false(is_there(LOOP));
}

static void all_goes_in_reverse(void **state)
{
	make_tape(false);
	make_loop(false);
	notes[0] = 0;
	assert_int_equal(tcmu_loopback_remove(root, NAA), 0);
	assert_int_equal(tcmu_backstore_remove(root, 0, tape.name), 0);
	assert_string_equal(notes, "unlink " LOOP "/tpgt_1/lun/lun_0/lnk\n"
			    "rmdir " LOOP "/tpgt_1/lun/lun_0\n"
			    "rmdir " LOOP "/tpgt_1\n"
			    "rmdir " LOOP "\n"
			    "rmdir core/user_0/vtape-1-nst0\n"
			    "rmdir core/user_0\n");
	notes[0] = 0;
	assert_int_equal(tcmu_loopback_remove(root, NAA), 0);
	assert_int_equal(tcmu_backstore_remove(root, 0, tape.name), 0);
	assert_string_equal(notes, "");
}

static void other_backstores_stay(void **state)
{
	const struct tcmu_backstore other = { 0, "other", "x", 1 };
	bool found;

	make_tape(false);
	assert_int_equal(tcmu_backstore_make(root, &other, &found), 0);
	assert_int_equal(tcmu_backstore_remove(root, 0, tape.name), 0);
	assert_true(is_there("core/user_0/other"));
}

static void one_that_is_exported_is_not_removed(void **state)
{
	make_tape(false);
	refused = "rmdir core/user_0/vtape-1-nst0";
	refused_errno = EBUSY;
	assert_int_equal(tcmu_backstore_remove(root, 0, tape.name), -EBUSY);
	assert_non_null(strstr(err_text(-EBUSY), "exports"));
}

static void nodes_are_found_by_the_address(void **state)
{
	struct tcmu_nodes n;
	char devices[128];

	make_tape(false);
	make_loop(false);
	snprintf(devices, sizeof(devices), "%s/scsi_device", root);
	assert_int_equal(tcmu_nodes_in(root, devices, NAA, &n), 0);
	assert_string_equal(n.address, "4:0:1:0");
	assert_string_equal(n.st, "");
	folder(root, "scsi_device");
	folder(devices, "4:0:1:0");
	folder(devices, "4:0:1:0/device");
	folder(devices, "4:0:1:0/device/scsi_tape");
	folder(devices, "4:0:1:0/device/scsi_generic");
	folder(devices, "4:0:1:0/device/scsi_generic/sg12");
	folder(devices, "4:0:1:0/device/scsi_tape/nst3");
	folder(devices, "4:0:1:0/device/scsi_tape/st3a");
	folder(devices, "4:0:1:0/device/scsi_tape/st3");
	assert_int_equal(tcmu_nodes_in(root, devices, NAA, &n), 0);
	assert_string_equal(n.st, "st3");
	assert_string_equal(n.sg, "sg12");
	assert_string_equal(n.sch, "");
	assert_int_equal(tcmu_nodes_in(root, devices, NAA + 1, &n), 0);
	assert_string_equal(n.address, "");
	assert_string_equal(n.sg, "");
}

#define HERE(f) cmocka_unit_test_setup_teardown(f, begin, end)
static void the_kernel_has_where_to_write_down_reservations(void **state)
{
	const struct tcmu_backstore b = { 0, "nst0", "vtape", 64 };
	char db[128];
	bool found;

	snprintf(db, sizeof(db), "%s/db", root);
	attribute(root, "dbroot", db);
	notes[0] = 0;
	assert_int_equal(tcmu_backstore_make(root, &b, &found), 0);
	assert_non_null(strstr(notes, "mkdir db\nmkdir db/pr\n"));
	/* If it cannot be had there is a drive all the same. */
	assert_int_equal(tcmu_backstore_remove(root, 0, "nst0"), 0);
	refused = "mkdir db";
	refused_errno = EROFS;
	assert_int_equal(tcmu_backstore_make(root, &b, &found), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HERE(a_backstore_is_set_up_before_it_is_enabled),
		HERE(a_backstore_that_is_there_is_taken),
		HERE(a_backstore_that_is_half_made_is_finished),
		HERE(what_an_older_kernel_does_not_know_it_goes_without),
		HERE(what_fails_leaves_nothing),
		HERE(without_the_module_there_are_words),
		HERE(without_root_there_are_words),
		HERE(a_loopback_is_made_from_above_and_linked_last),
		HERE(a_loopback_that_is_half_made_is_finished),
		HERE(a_target_of_another_backstore_is_left_alone),
		HERE(a_loopback_that_fails_leaves_nothing),
		HERE(all_goes_in_reverse),
		HERE(other_backstores_stay),
		HERE(one_that_is_exported_is_not_removed),
		HERE(nodes_are_found_by_the_address),
		HERE(the_kernel_has_where_to_write_down_reservations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
