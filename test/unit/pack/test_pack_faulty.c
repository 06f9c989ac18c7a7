/* SPDX-License-Identifier: BSD-2-Clause */
/* The layer that fails: each kind of step, once or from then on, and what is left below. */
#include <errno.h>

#include "unit/pack/raw.h"

static struct packs *faulty_over(struct fixture *f)
{
	struct packs *ps;

	assert_int_equal(packs_faulty_new(f->ps, &ps), 0);
	return ps;
}

static void without_a_plan_nothing_fails(void **state)
{
	struct fixture *f = *state;
	struct packs *ps = faulty_over(f);
	struct pack *p = new_pack(ps, 1, 20);
	uint64_t avail, total;

	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	p = opened(ps, 1);
	assert_pieces(p, 20);
	pack_release(p);
	assert_int_equal(pack_open_direct(ps, 1, &p), 0);
	assert_pieces(p, 20);
	pack_release(p);
	assert_int_equal(checked(ps, 1).count, 0);
	assert_int_equal(packs_space(ps, &avail, &total), 0);
	assert_true(pack_exists(ps, 1));
	assert_int_equal(pack_unlink(ps, 1), 0);
	assert_false(pack_exists(f->ps, 1));
	assert_false(packs_faulty_met(ps));
	packs_close(ps);
}

static void step_number_n_fails_and_no_other(void **state)
{
	struct fixture *f = *state;
	struct packs *ps = faulty_over(f);
	struct pack *p = new_pack(ps, 1, 0);
	uint32_t slot;

	packs_faulty_plan(ps, &(struct packs_fault){ .kinds = PACKS_WRITE, .step = 3, .error = EIO });
	append_pieces(p, 0, 2);
	assert_false(packs_faulty_met(ps));
	assert_int_equal(try_append(p, 2, &slot), -EIO);
	assert_true(packs_faulty_met(ps));
	append_pieces(p, 2, 5);
	assert_int_equal(pack_seal(p), 0);
	assert_pieces(p, 5);
	pack_release(p);
	packs_close(ps);
}

static void lasting_fault_lasts(void **state)
{
	struct fixture *f = *state;
	struct packs *ps = faulty_over(f);
	struct pack *p = new_pack(ps, 1, 2);
	uint32_t slot;

	packs_faulty_plan(ps, &(struct packs_fault){ .kinds = PACKS_WRITE, .step = 1, .error = ENOSPC, .lasting = true,
						     .how = PACKS_PARTLY });
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(try_append(p, 2, &slot), -ENOSPC);
	packs_faulty_plan(ps, NULL);
	append_pieces(p, 2, 3);
	assert_pieces(p, 3);
	pack_release(p);
	packs_close(ps);
}

static void part_of_a_write_is_left_when_it_cannot_be_taken_back(void **state)
{
	struct fixture *f = *state;
	struct packs *ps = faulty_over(f);
	struct pack *p = new_pack(ps, 1, 2);
	struct buf b = BUF_INIT;
	uint32_t slot;

	packs_faulty_plan(ps, &(struct packs_fault){ .kinds = PACKS_WRITE | PACKS_TRUNCATE, .step = 1, .error = EIO,
						     .lasting = true, .how = PACKS_PARTLY });
	assert_int_equal(try_append(p, 2, &slot), -EIO);
	assert_int_equal(try_append(p, 2, &slot), -EIO);
	pack_release(p);
	raw_get(f->ps, 1, &b);
	assert_in_range(b.len, piece_offset(2) + 64, piece_offset(3) - 1);
	p = opened(f->ps, 1);
	assert_pieces(p, 2);
	pack_release(p);
	packs_close(ps);
	buf_fini(&b);
}

static void failed_sync_can_lose_what_was_written(void **state)
{
	struct fixture *f = *state;
	struct packs *ps = faulty_over(f);
	struct pack *p = new_pack(ps, 1, 5);

	assert_int_equal(pack_sync(p), 0);
	append_pieces(p, 5, 9);
	packs_faulty_plan(ps, &(struct packs_fault){ .kinds = PACKS_SYNC, .step = 1, .error = EIO,
						     .how = PACKS_PARTLY });
	assert_int_equal(pack_sync(p), -EIO);
	assert_int_equal(pack_sync(p), -EIO);
	assert_int_equal(pack_seal(p), -EIO);
	pack_release(p);
	assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
	p = opened(f->ps, 1);
	assert_pieces(p, 5);
	pack_release(p);
	packs_close(ps);
}

/* A restart without another boot finds in the cache what the disk does not have. */
static void recovery_keeps_nothing_that_only_the_cache_has(void **state)
{
	struct fixture *f = *state;
	struct packs *ps = faulty_over(f);
	struct pack *p = new_pack(ps, 1, 5);

	assert_int_equal(pack_sync(p), 0);
	append_pieces(p, 5, 9);
	packs_faulty_plan(ps, &(struct packs_fault){ .kinds = PACKS_SYNC, .step = 1, .error = EIO, .how = PACKS_STALE });
	assert_int_equal(pack_sync(p), -EIO);
	pack_release(p);
	p = opened(ps, 1);
	assert_pieces(p, 9);
	pack_release(p);
	assert_int_equal(pack_recover(ps, 1, NULL), 0);
	for (int disk = 0; disk < 2; disk++) {
		p = opened(disk ? f->ps : ps, 1);
		assert_pieces(p, 5);
		pack_release(p);
	}
	packs_close(ps);
}

static void reads_fail_or_lie(void **state)
{
	struct fixture *f = *state;
	struct packs *ps = faulty_over(f);
	struct pack *p = new_pack(ps, 1, 5), *q = NULL;
	uint8_t good[100], bad[100];

	assert_int_equal(pack_pread(p, good, sizeof(good), 0), 0);
	packs_faulty_plan(ps, &(struct packs_fault){ .kinds = PACKS_READ, .step = 1, .how = PACKS_FLIPPED });
	assert_int_equal(pack_pread(p, bad, sizeof(bad), 0), 0);
	assert_memory_not_equal(good, bad, sizeof(good));
	assert_int_equal(pack_pread(p, bad, sizeof(bad), 0), 0);
	assert_memory_equal(good, bad, sizeof(good));
	packs_faulty_plan(ps, &(struct packs_fault){ .kinds = PACKS_READ, .step = 1, .error = EIO });
	assert_int_equal(pack_pread(p, bad, sizeof(bad), 0), -EIO);
	packs_faulty_plan(ps, &(struct packs_fault){ .kinds = PACKS_OPEN, .step = 1, .error = EMFILE });
	assert_int_equal(pack_open(ps, 1, &q), -EMFILE);
	packs_faulty_plan(ps, &(struct packs_fault){ .kinds = PACKS_CREATE, .step = 1, .error = ENOSPC });
	assert_int_equal(pack_create(ps, 2, &q), -ENOSPC);
	assert_false(pack_exists(ps, 2));
	packs_faulty_plan(ps, &(struct packs_fault){ .kinds = PACKS_UNLINK, .step = 1, .error = EIO });
	assert_int_equal(pack_unlink(ps, 1), -EIO);
	assert_true(pack_exists(ps, 1));
	assert_null(q);
	pack_release(p);
	packs_close(ps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_both(without_a_plan_nothing_fails),
		test_both(step_number_n_fails_and_no_other),
		test_both(lasting_fault_lasts),
		test_both(part_of_a_write_is_left_when_it_cannot_be_taken_back),
		test_both(failed_sync_can_lose_what_was_written),
		test_both(recovery_keeps_nothing_that_only_the_cache_has),
		test_both(reads_fail_or_lie),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("pack_faulty", tests, NULL, NULL);
}
