/* SPDX-License-Identifier: BSD-2-Clause */
/* The folder of packs: names, errors of the file system, writes that are cut short. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "unit/pack/raw.h"

static void assert_file(struct fixture *f, const char *name, bool there)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(access(path, F_OK), there ? 0 : -1);
}

/* The program's own fsync() and fdatasync(), in front of libc's: what was synced, and when it fails. */
static unsigned files_synced, folders_synced, sync_fails_at;

static int watched_sync(int fd, long call)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (S_ISDIR(st.st_mode))
		folders_synced++;
	else
		files_synced++;
	if (files_synced + folders_synced == sync_fails_at) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(call, fd);
}

int fsync(int fd)
{
	return watched_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return watched_sync(fd, SYS_fdatasync);
}

/* pwritev() that takes no more than so many bytes, and is interrupted first. */
static size_t takes_at_most = SIZE_MAX;
static bool interrupted;

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	struct iovec part[2];
	size_t left = takes_at_most;

	if (takes_at_most != SIZE_MAX && (interrupted = !interrupted)) {
		errno = EINTR;
		return -1;
	}
	assert_in_range(n, 1, 2);
	for (int i = 0; i < n; i++) {
		part[i] = iov[i];
		if (part[i].iov_len > left)
			part[i].iov_len = left;
		left -= part[i].iov_len;
	}
	return syscall(SYS_pwritev, fd, part, n, (long)off, 0L);
}

/* openat() that knows no O_DIRECT, and pread() that cannot read one sector. */
static bool no_direct;
static off_t bad_sector = -1;

int openat(int fd, const char *name, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (no_direct && flags & O_DIRECT) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_openat, fd, name, flags, mode);
}

ssize_t pread(int fd, void *buf, size_t n, off_t off)
{
	if (bad_sector >= off && bad_sector < off + (off_t)n) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, buf, n, (long)off);
}

static void assert_synced(unsigned files, unsigned folders)
{
	assert_int_equal(files_synced, files);
	assert_int_equal(folders_synced, folders);
	files_synced = folders_synced = 0;
}

static void names_are_hex_and_4096_share_a_subfolder(void **state)
{
	struct fixture *f = *state;

	pack_release(new_pack(f->ps, 0, 1));
	assert_file(f, "000000000/000000000000.pack", true);
	pack_release(new_pack(f->ps, 0xfff, 1));
	assert_file(f, "000000000/000000000fff.pack", true);
	pack_release(new_pack(f->ps, 0x1000, 1));
	assert_file(f, "000000001/000000001000.pack", true);
	pack_release(new_pack(f->ps, 0xabcdef012345, 1));
	assert_file(f, "abcdef012/abcdef012345.pack", true);
	assert_int_equal(pack_unlink(f->ps, 0xfff), 0);
	assert_file(f, "000000000/000000000fff.pack", false);
	assert_file(f, "000000000/000000000000.pack", true);
}

static void packs_outlive_the_process(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 5, 30);

	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	pack_release(new_pack(f->ps, 6, 20));
	f->ps = packs_close(f->ps);
	assert_null(f->ps);
	assert_int_equal(packs_open(f->dir, &f->ps), 0);
	assert_true(pack_exists(f->ps, 5));
	assert_true(pack_exists(f->ps, 6));
	assert_false(pack_exists(f->ps, 7));
	p = opened(f->ps, 5);
	assert_pieces(p, 30);
	pack_release(p);
	assert_int_equal(pack_recover(f->ps, 6, NULL), 0);
	p = opened(f->ps, 6);
	assert_pieces(p, 20);
	pack_release(p);
}

static void missing_folder_is_an_error(void **state)
{
	struct packs *ps = NULL;

	assert_int_equal(packs_open("/nonexistent/packs", &ps), -ENOENT);
	assert_int_equal(packs_open("/dev/null", &ps), -ENOTDIR);
	assert_null(ps);
}

static void space_is_that_of_the_file_system(void **state)
{
	struct fixture *f = *state;
	uint64_t avail = 0, total = 0;

	assert_int_equal(packs_space(f->ps, &avail, &total), 0);
	assert_true(total > 0);
	assert_true(avail <= total);
}

/* A limit on the size of files: the first write call gives a part, the next none at all. */
static void write_cut_short_is_taken_back(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 4);
	struct rlimit old, limit;
	uint64_t bytes = pack_bytes(p);
	uint32_t slot;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (uint64_t more = 0; more < 64 + 100; more += 9) {
		limit = (struct rlimit){ bytes + more, old.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		assert_int_equal(try_append(p, 4, &slot), -EFBIG);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(pack_bytes(p), bytes);
		assert_pieces(p, 4);
	}
	append_pieces(p, 4, 10);
	limit = (struct rlimit){ pack_bytes(p) + 100, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(pack_seal(p), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_false(pack_sealed(p));
	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	assert_int_equal(checked(f->ps, 1).count, 0);
	p = opened(f->ps, 1);
	assert_pieces(p, 10);
	pack_release(p);
	signal(SIGXFSZ, SIG_DFL);
}

static void short_write_is_carried_on(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 0);

	for (uint32_t i = 0; i < 200; i++) {
		takes_at_most = i;
		append_pieces(p, i, i + 1);
	}
	assert_int_equal(pack_seal(p), 0);
	takes_at_most = SIZE_MAX;
	pack_release(p);
	assert_int_equal(checked(f->ps, 1).count, 0);
	p = opened(f->ps, 1);
	assert_pieces(p, 200);
	pack_release(p);
}

/* Several windows long, and read in an order that jumps. */
static void direct_reading_gives_the_same_bytes(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 0);

	append_pieces(p, 0, 6000);
	assert_true(pack_bytes(p) > 2u << 20);
	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	for (int without = 0; without < 2; without++) {
		no_direct = without;
		assert_int_equal(pack_open_direct(f->ps, 1, &p), 0);
		assert_pieces(p, 6000);
		for (uint32_t i = 0; i < 6000; i++)
			assert_piece(p, i * 7 % 6000, i * 7 % 6000);
		pack_release(p);
		assert_int_equal(checked(f->ps, 1).count, 0);
	}
	no_direct = false;
}

static void bad_sector_costs_direct_readers_what_lies_on_it(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 100);
	struct pack_entry e;
	uint8_t *bytes = malloc(PACK_CHUNK_MAX);
	unsigned hurt = 0;

	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	assert_int_equal(pack_open_direct(f->ps, 1, &p), 0);
	assert_int_equal(pack_entry(p, 50, &e), 0);
	bad_sector = (off_t)e.offset;
	for (uint32_t i = 0; i < 100; i++) {
		uint64_t first, last;

		assert_int_equal(pack_entry(p, i, &e), 0);
		first = e.offset / 4096;
		last = (e.offset + e.stored_len - 1) / 4096;
		if (first <= (uint64_t)bad_sector / 4096 && last >= (uint64_t)bad_sector / 4096) {
			assert_int_equal(pack_pread(p, bytes, e.stored_len, e.offset), -EIO);
			hurt++;
		} else {
			assert_int_equal(pack_pread(p, bytes, e.stored_len, e.offset), 0);
		}
	}
	assert_in_range(hurt, 1, 50);
	bad_sector = -1;
	pack_release(p);
	free(bytes);
}

static void length_of_the_file_is_what_pack_bytes_says(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 10);
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/000000000/000000000001.pack", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, pack_bytes(p));
	assert_int_equal(pack_seal(p), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, pack_bytes(p));
	assert_int_equal(st.st_mode & 07777, 0600);
	pack_release(p);
}

/* A file of a terabyte under a pack's name costs neither memory nor time. */
static void sparse_giant_is_refused(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 0);
	char path[128];

	pack_release(p);
	snprintf(path, sizeof(path), "%s/000000000/000000000001.pack", f->dir);
	assert_int_equal(truncate(path, 1ll << 40), 0);
	assert_int_equal(pack_open(f->ps, 1, &p), -EUCLEAN);
	assert_true(checked(f->ps, 1).count > 0);
	assert_int_equal(pack_recover(f->ps, 1, NULL), -ENOENT);
}

/* A new file is safe when its bytes, its name, and the name of its folder are. */
static void first_sync_makes_the_name_safe_too(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 0x5000, 1), *q = new_pack(f->ps, 0x5001, 1), *r = new_pack(f->ps, 0x6000, 1);

	files_synced = folders_synced = 0;
	assert_int_equal(pack_sync(p), 0);
	assert_synced(1, 2);
	assert_int_equal(pack_sync(p), 0);
	assert_synced(1, 0);
	assert_int_equal(pack_sync(q), 0);
	assert_synced(1, 1);
	assert_int_equal(pack_seal(r), 0);
	assert_synced(2, 2);
	assert_int_equal(pack_unlink(f->ps, 0x6000), 0);
	assert_synced(0, 1);
	pack_release(p);
	pack_release(q);
	pack_release(r);

	/* Whoever finds a file after a crash does not know whether its name is safe, nor what of it is on the disk. */
	assert_int_equal(pack_recover(f->ps, 0x5000, NULL), 0);
	assert_synced(3, 2);
}

static void failed_sync_of_file_or_folder_is_final(void **state)
{
	struct fixture *f = *state;

	for (unsigned at = 1; at <= 3; at++) {
		struct pack *p = new_pack(f->ps, at << 12, 3);

		files_synced = folders_synced = 0;
		sync_fails_at = at;
		assert_int_equal(pack_sync(p), -EIO);
		sync_fails_at = 0;
		assert_int_equal(pack_sync(p), -EIO);
		assert_int_equal(pack_seal(p), -EIO);
		pack_release(p);
		assert_int_equal(pack_recover(f->ps, at << 12, NULL), 0);
	}
}

static void no_room_for_a_header_is_no_pack(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, limit;
	struct pack *p = NULL;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){ 63, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(pack_create(f->ps, 1, &p), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_null(p);
	assert_false(pack_exists(f->ps, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_files(names_are_hex_and_4096_share_a_subfolder),
		test_files(packs_outlive_the_process),
		test_files(missing_folder_is_an_error),
		test_files(space_is_that_of_the_file_system),
		test_files(write_cut_short_is_taken_back),
		test_files(short_write_is_carried_on),
		test_files(direct_reading_gives_the_same_bytes),
		test_files(bad_sector_costs_direct_readers_what_lies_on_it),
		test_files(length_of_the_file_is_what_pack_bytes_says),
		test_files(sparse_giant_is_refused),
		test_files(first_sync_makes_the_name_safe_too),
		test_files(failed_sync_of_file_or_folder_is_final),
		test_files(no_room_for_a_header_is_no_pack),
	};

	return cmocka_run_group_tests_name("pack_files", tests, NULL, NULL);
}
