/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk over all packs: order, other files, what comes and goes, and what it costs. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/pack/raw.h"

static void make(struct packs *ps, uint64_t number)
{
	pack_release(new_pack(ps, number, 0));
}

static void assert_walk(struct packs *ps, uint64_t from, const uint64_t *want, unsigned n)
{
	struct pack_walk *w;
	uint64_t number = 77;

	assert_int_equal(pack_walk_new(ps, from, &w), 0);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(pack_walk_next(w, &number), 0);
		assert_int_equal(number, want[i]);
	}
	assert_int_equal(pack_walk_next(w, &number), PACK_E_NONE);
	assert_int_equal(pack_walk_next(w, &number), PACK_E_NONE);
	assert_null(pack_walk_free(w));
}

static void packs_come_in_the_order_of_their_numbers(void **state)
{
	static const uint64_t sorted[] = { 1, 2, 0xfff, 0x1000, 0x1fff, 0x3000, 0x12345678, PACK_NUMBER_MAX };
	static const unsigned made[] = { 5, 0, 7, 3, 2, 6, 1, 4 };
	struct fixture *f = *state;

	assert_walk(f->ps, 0, NULL, 0);
	for (unsigned i = 0; i < ARRAY_LEN(made); i++)
		make(f->ps, sorted[made[i]]);
	assert_walk(f->ps, 0, sorted, 8);
	for (unsigned i = 0; i < 8; i++) {
		assert_walk(f->ps, sorted[i], sorted + i, 8 - i);
		assert_walk(f->ps, sorted[i] + 1, sorted + i + 1, 7 - i);
	}
	assert_null(pack_walk_free(NULL));
}

static void walk_goes_on_while_packs_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct pack_walk *w;
	uint64_t number, seen = 0;

	for (uint64_t i = 0; i < 3000; i++)
		make(f->ps, i * 7);
	assert_int_equal(pack_walk_new(f->ps, 0, &w), 0);
	while (pack_walk_next(w, &number) == 0) {
		if (number % 7 == 0 && number < 21000)
			seen++;
		assert_int_equal(pack_unlink(f->ps, number), 0);
		make(f->ps, 30000 + number);
		if (number > 100000)
			break;
	}
	pack_walk_free(w);
	assert_int_equal(seen, 3000);
}

static void touch(const struct fixture *f, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void other_files_are_passed_over(void **state)
{
	static const uint64_t want[] = { 5 };
	struct fixture *f = *state;
	char path[256];

	make(f->ps, 5);
	snprintf(path, sizeof(path), "%s/lost+found", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	touch(f, "000000007");				/* no folder */
	touch(f, "000000000/000000000006.pack~");
	touch(f, "000000000/00000000000G.pack");
	touch(f, "000000000/00000000000A.pack");	/* not as we write it */
	touch(f, "000000000/6.pack");
	touch(f, "000000000/000000001000.pack");	/* belongs elsewhere */
	touch(f, "000000000/.000000000006.pack");
	touch(f, "000000000/000000000006");
	assert_walk(f->ps, 0, want, 1);
}

static void folder_that_cannot_be_read_is_told_and_passed_over(void **state)
{
	struct fixture *f = *state;
	struct packs *faulty;
	struct pack_walk *w;
	uint64_t number = 0;

	make(f->ps, 1);
	make(f->ps, 0x1000);
	make(f->ps, 0x2000);
	assert_int_equal(packs_faulty_new(f->ps, &faulty), 0);
	packs_faulty_plan(faulty, &(struct packs_fault){ .kinds = PACKS_LIST, .step = 2, .error = EIO });
	assert_int_equal(pack_walk_new(faulty, 0, &w), 0);
	assert_int_equal(pack_walk_next(w, &number), 0);
	assert_int_equal(number, 1);
	assert_int_equal(pack_walk_next(w, &number), -EIO);
	assert_int_equal(pack_walk_next(w, &number), 0);
	assert_int_equal(number, 0x2000);
	assert_int_equal(pack_walk_next(w, &number), PACK_E_NONE);
	pack_walk_free(w);
	packs_close(faulty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_both(packs_come_in_the_order_of_their_numbers),
		test_both(walk_goes_on_while_packs_come_and_go),
		test_files(other_files_are_passed_over),
		test_both(folder_that_cannot_be_read_is_told_and_passed_over),
	};

	return cmocka_run_group_tests_name("pack_walk", tests, NULL, NULL);
}
