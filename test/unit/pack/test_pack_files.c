/* SPDX-License-Identifier: BSD-2-Clause */
/* The folder of packs: names, errors of the file system, writes that are cut short. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/pack/raw.h"

static void assert_file(struct fixture *f, const char *name, bool there)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(access(path, F_OK), there ? 0 : -1);
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
	assert_int_equal(pack_recover(f->ps, 6), 0);
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
	assert_int_equal(pack_recover(f->ps, 1), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_files(names_are_hex_and_4096_share_a_subfolder),
		test_files(packs_outlive_the_process),
		test_files(missing_folder_is_an_error),
		test_files(space_is_that_of_the_file_system),
		test_files(write_cut_short_is_taken_back),
		test_files(length_of_the_file_is_what_pack_bytes_says),
		test_files(sparse_giant_is_refused),
	};

	return cmocka_run_group_tests_name("pack_files", tests, NULL, NULL);
}
