/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vtape/util.h>

static char dir[64];

static int setup(void **state)
{
	strcpy(dir, "/tmp/vtape-test-io-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Writes a pipe in pieces, slower than the reader reads. */
static void *write_in_pieces(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 10; i++) {
		usleep(2000);
		if (write(fd, "0123456789", 10) != 10)
			break;
	}
	close(fd);
	return NULL;
}

static void a_read_goes_on_until_all_is_there(void **state)
{
	char b[200];
	size_t got;
	pthread_t t;
	int p[2];

	assert_int_equal(pipe(p), 0);
	pthread_create(&t, NULL, write_in_pieces, &p[1]);
	assert_int_equal(io_read_full(p[0], b, 95, &got), 0);
	assert_int_equal(got, 95);
	assert_int_equal(b[94], '4');
	assert_int_equal(io_read_full(p[0], b, 200, &got), 0);
	assert_int_equal(got, 5);
	pthread_join(t, NULL);
	close(p[0]);
	assert_int_equal(io_read_full(p[0], b, 1, &got), -EBADF);
}

static void a_read_at_a_place_wants_all_of_it(void **state)
{
	CLEANUP(fd_closep) int fd = open(in_dir("f"), O_RDWR | O_CREAT, 0600);
	char b[10];

	assert_int_equal(io_pwrite_full(fd, "hello", 5, 3), 0);
	assert_int_equal(io_pread_full(fd, b, 8, 0), 0);
	assert_memory_equal(b, "\0\0\0hello", 8);
	assert_int_equal(io_pread_full(fd, b, 9, 0), -EUCLEAN);
	assert_int_equal(io_pread_full(fd, b, 1, 1000), -EUCLEAN);
	assert_int_equal(io_pread_full(fd, b, 0, 1000), 0);
}

static void a_write_to_nobody_is_an_error(void **state)
{
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(p), 0);
	close(p[0]);
	assert_int_equal(io_write_full(p[1], "x", 1), -EPIPE);
	close(p[1]);
}

static void a_file_is_read_whole_up_to_its_limit(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	static char big[200000];

	memset(big, 'x', sizeof(big));
	assert_int_equal(io_replace(in_dir("f"), big, sizeof(big), 0600), 0);
	assert_int_equal(io_read_file(in_dir("f"), sizeof(big), &b), 0);
	assert_int_equal(b.len, sizeof(big));
	assert_memory_equal(b.data, big, sizeof(big));
	assert_int_equal(io_read_file(in_dir("f"), sizeof(big) - 1, &b), -EFBIG);
	assert_int_equal(io_read_file(in_dir("none"), 1, &b), -ENOENT);
	assert_non_null(strstr(err_text(-ENOENT), in_dir("none")));
	/* A file whose size says nothing. */
	assert_int_equal(io_read_file("/proc/self/status", 1 << 20, &b), 0);
	assert_true(b.len > 100);
}

static void a_replaced_file_has_its_bytes_and_mode(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct stat st;

	umask(077);
	assert_int_equal(io_replace(in_dir("f"), "old and long", 12, 0644), 0);
	assert_int_equal(io_replace(in_dir("f"), "new", 3, 0640), 0);
	assert_int_equal(io_read_file(in_dir("f"), 100, &b), 0);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "new", 3);
	assert_int_equal(stat(in_dir("f"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(access(in_dir("f.new"), F_OK), -1);
}

static void what_a_power_cut_left_is_in_nobodys_way(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	int fd = open(in_dir("f.new"), O_WRONLY | O_CREAT, 0400);

	assert_int_equal(io_write_full(fd, "half of something longer", 24), 0);
	close(fd);
	assert_int_equal(io_replace(in_dir("f"), "whole", 5, 0600), 0);
	assert_int_equal(io_read_file(in_dir("f"), 100, &b), 0);
	assert_int_equal(b.len, 5);
}

static void a_replace_that_fails_leaves_the_old_file(void **state)
{
	assert_int_equal(mkdir(in_dir("d"), 0700), 0);
	assert_true(io_replace(in_dir("d"), "x", 1, 0600) < 0);
	assert_int_equal(access(in_dir("d.new"), F_OK), -1);
	assert_int_equal(io_replace(in_dir("no/such/folder"), "x", 1, 0600), -ENOENT);
}

static void a_folder_is_synced_and_nothing_else(void **state)
{
	assert_int_equal(io_fsync_dir(dir), 0);
	assert_int_equal(io_fsync_dir(in_dir("none")), -ENOENT);
	assert_int_equal(io_replace(in_dir("f"), "x", 1, 0600), 0);
	assert_int_equal(io_fsync_dir(in_dir("f")), -ENOTDIR);
}

static void a_path_too_long_is_refused(void **state)
{
	char out[8];

	assert_int_equal(io_path(out, sizeof(out), "%s/%d", "abc", 123), 0);
	assert_string_equal(out, "abc/123");
	assert_int_equal(io_path(out, sizeof(out), "%s/%d", "abc", 1234), -ENAMETOOLONG);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(a_read_goes_on_until_all_is_there),
		IN_DIR(a_read_at_a_place_wants_all_of_it),
		IN_DIR(a_write_to_nobody_is_an_error),
		IN_DIR(a_file_is_read_whole_up_to_its_limit),
		IN_DIR(a_replaced_file_has_its_bytes_and_mode),
		IN_DIR(what_a_power_cut_left_is_in_nobodys_way),
		IN_DIR(a_replace_that_fails_leaves_the_old_file),
		IN_DIR(a_folder_is_synced_and_nothing_else),
		IN_DIR(a_path_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
