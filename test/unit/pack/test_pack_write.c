/* SPDX-License-Identifier: BSD-2-Clause */
/* Appending to a pack, sealing it, and every way in which that can fail. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "unit/pack/hurt.h"

static void pieces_are_read_back_while_the_pack_is_open(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 100);

	assert_false(pack_sealed(p));
	assert_int_equal(pack_number(p), 1);
	assert_pieces(p, 100);
	pack_release(p);
}

static void sealed_pack_is_what_was_appended(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 0xabcdef012, 300);
	uint64_t bytes;

	assert_int_equal(pack_seal(p), 0);
	assert_true(pack_sealed(p));
	assert_pieces(p, 300);
	bytes = pack_bytes(p);
	pack_release(p);

	p = opened(f->ps, 0xabcdef012);
	assert_true(pack_sealed(p));
	assert_int_equal(pack_bytes(p), bytes);
	assert_int_equal(pack_number(p), 0xabcdef012);
	assert_pieces(p, 300);
	pack_release(p);
	assert_int_equal(checked(f->ps, 0xabcdef012).count, 0);
}

static void sealed_pack_takes_no_more(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 3);
	uint32_t slot = 77;

	assert_int_equal(pack_seal(p), 0);
	assert_int_equal(pack_seal(p), 0);
	assert_int_equal(try_append(p, 3, &slot), -EROFS);
	assert_int_equal(slot, 77);
	pack_release(p);
	p = opened(f->ps, 1);
	assert_int_equal(try_append(p, 3, &slot), -EROFS);
	assert_int_equal(pack_seal(p), 0);
	assert_pieces(p, 3);
	pack_release(p);
}

static void empty_pack_can_be_sealed(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 0);

	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	p = opened(f->ps, 1);
	assert_int_equal(pack_count(p), 0);
	assert_int_equal(pack_bytes(p), 128);
	pack_release(p);
	assert_int_equal(checked(f->ps, 1).count, 0);
}

static void number_is_given_once(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 4095, 2), *q = NULL;

	assert_int_equal(pack_create(f->ps, 4095, &q), -EEXIST);
	assert_null(q);
	assert_pieces(p, 2);
	pack_release(p);
	pack_release(new_pack(f->ps, 4096, 2));
	assert_int_equal(pack_create(f->ps, PACK_NUMBER_MAX + 1, &q), -EINVAL);
	pack_release(new_pack(f->ps, PACK_NUMBER_MAX, 1));
	assert_true(pack_exists(f->ps, PACK_NUMBER_MAX));
}

static void lengths_out_of_range_are_refused(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 1);
	struct pack_entry e = { .raw_len = 1, .stored_len = 0 };
	uint32_t slot;

	assert_int_equal(pack_append(p, &e, "", &slot), -EINVAL);
	e = (struct pack_entry){ .raw_len = 0, .stored_len = 1 };
	assert_int_equal(pack_append(p, &e, "x", &slot), -EINVAL);
	e = (struct pack_entry){ .raw_len = PACK_CHUNK_MAX + 1, .stored_len = 1 };
	assert_int_equal(pack_append(p, &e, "x", &slot), -EINVAL);
	assert_pieces(p, 1);
	pack_release(p);
}

/* Longest chunks: 31 fit, and the file, its table included, is never longer than promised. */
static void full_pack_says_so_and_can_be_sealed(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 0);
	struct pack_entry e = { .raw_len = PACK_CHUNK_MAX, .stored_len = PACK_CHUNK_MAX };
	uint8_t *bytes = calloc(1, PACK_CHUNK_MAX);
	uint32_t slot, n = 0;
	int r;

	while ((r = pack_append(p, &e, bytes, &slot)) == 0)
		n++;
	assert_int_equal(r, PACK_E_FULL);
	assert_int_equal(n, 31);
	e.stored_len = PACK_BYTES_MAX - (uint32_t)pack_bytes(p) - 64 - 32 * 40 - 64;
	assert_true(e.stored_len < PACK_CHUNK_MAX);
	e.stored_len++;
	assert_int_equal(pack_append(p, &e, bytes, &slot), PACK_E_FULL);
	e.stored_len--;
	assert_int_equal(pack_append(p, &e, bytes, &slot), 0);
	assert_int_equal(try_append(p, 0, &slot), PACK_E_FULL);
	assert_int_equal(pack_seal(p), 0);
	assert_int_equal(pack_bytes(p), PACK_BYTES_MAX);
	pack_release(p);
	p = opened(f->ps, 1);
	assert_int_equal(pack_count(p), 32);
	pack_release(p);
	free(bytes);
}

static void failed_append_leaves_the_pack_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 5);
	uint64_t bytes = pack_bytes(p);
	uint32_t slot = 77;

	packs_mem_plan_fault(f->ps, 2, -EIO);
	append_pieces(p, 5, 6);
	bytes = pack_bytes(p);
	assert_int_equal(try_append(p, 6, &slot), -EIO);
	assert_int_equal(slot, 77);
	assert_int_equal(pack_bytes(p), bytes);
	assert_pieces(p, 6);
	append_pieces(p, 6, 9);
	assert_pieces(p, 9);
	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	assert_int_equal(checked(f->ps, 1).count, 0);
}

static void full_disk_leaves_whole_chunks_and_room_comes_back(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 0);
	uint64_t avail, total;
	uint32_t slot, n = 0;
	int r;

	packs_mem_set_space(f->ps, 20000, 50000);
	while ((r = try_append(p, n, &slot)) == 0)
		n++;
	assert_int_equal(r, -ENOSPC);
	assert_pieces(p, n);
	assert_int_equal(packs_space(f->ps, &avail, &total), 0);
	assert_int_equal(avail, 20000 - (pack_bytes(p) - 64));
	assert_int_equal(total, 50000);

	packs_mem_set_space(f->ps, 10, 50000);
	assert_int_equal(pack_seal(p), -ENOSPC);
	assert_false(pack_sealed(p));
	assert_pieces(p, n);
	packs_mem_set_space(f->ps, 1 << 20, 1 << 20);
	append_pieces(p, n, n + 1);
	assert_int_equal(pack_seal(p), 0);
	assert_pieces(p, n + 1);
	pack_release(p);
}

static void no_room_for_a_header_is_no_pack(void **state)
{
	struct fixture *f = *state;
	struct pack *p = NULL;

	packs_mem_set_space(f->ps, 63, 100);
	assert_int_equal(pack_create(f->ps, 1, &p), -ENOSPC);
	assert_false(pack_exists(f->ps, 1));
}

/* The kernel reports a lost page once; a second sync would lie. */
static void failed_sync_is_final(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 5);
	uint32_t slot;

	packs_mem_plan_sync_fault(f->ps, 1, -EIO);
	assert_int_equal(pack_sync(p), -EIO);
	assert_int_equal(pack_sync(p), -EIO);
	assert_int_equal(try_append(p, 5, &slot), -EIO);
	assert_int_equal(pack_seal(p), -EIO);
	assert_false(pack_sealed(p));
	assert_pieces(p, 5);
	pack_release(p);
}

static sem_t sync_begun;
static atomic_uint syncs;

/* As a kernel does it: the first to ask is told, whoever asks meanwhile is not. */
static int sync_fails_slowly(struct pack_file *f)
{
	if (atomic_fetch_add(&syncs, 1))
		return 0;
	sem_post(&sync_begun);
	usleep(50000);
	return -EIO;
}

static void *sync_in_a_thread(void *p)
{
	assert_int_equal(pack_sync(p), -EIO);
	return NULL;
}

static void failed_sync_is_told_to_all_who_sync_at_once(void **state)
{
	struct fixture *f = *state;
	struct pack *p;
	pthread_t t;

	begin_hurt(f->ps);
	hurt.sync = sync_fails_slowly;
	p = new_pack(f->ps, 1, 5);
	atomic_store(&syncs, 0);
	sem_init(&sync_begun, 0, 0);
	pthread_create(&t, NULL, sync_in_a_thread, p);
	sem_wait(&sync_begun);
	assert_int_equal(pack_sync(p), -EIO);
	pthread_join(t, NULL);
	sem_destroy(&sync_begun);
	pack_release(p);
	heal(f->ps);
}

static void failed_seal_leaves_a_pack_to_recover(void **state)
{
	struct fixture *f = *state;

	for (uint64_t fail = 0; fail < 3; fail++) {
		struct pack *p = new_pack(f->ps, fail, 20), *q;

		packs_mem_plan_fault(f->ps, fail == 0 ? 1 : 0, -ENOSPC);
		packs_mem_plan_sync_fault(f->ps, fail, -EIO);
		assert_int_equal(pack_seal(p), fail == 0 ? -ENOSPC : -EIO);
		assert_false(pack_sealed(p));
		assert_pieces(p, 20);
		pack_release(p);
		q = opened(f->ps, fail);
		assert_false(pack_whole(q));
		pack_release(q);
		assert_int_equal(pack_recover(f->ps, fail, NULL), 0);
		q = opened(f->ps, fail);
		assert_pieces(q, 20);
		pack_release(q);
	}
}

static uint64_t synced_at[4]; /* bytes the file had at each sync */

static int sync_is_watched(struct pack_file *f)
{
	assert_true(hurt_calls < ARRAY_LEN(synced_at));
	assert_int_equal(f->ops->size(f, &synced_at[hurt_calls++]), 0);
	return well->sync(f);
}

/* Otherwise a power cut could leave a table over chunks that are not there. */
static void table_is_written_after_the_chunks_are_safe(void **state)
{
	struct fixture *f = *state;
	struct pack *p;
	uint64_t end;

	begin_hurt(f->ps);
	hurt.sync = sync_is_watched;
	p = new_pack(f->ps, 1, 20);
	end = pack_bytes(p);
	assert_int_equal(pack_seal(p), 0);
	assert_int_equal(hurt_calls, 2);
	assert_int_equal(synced_at[0], end);
	assert_int_equal(synced_at[1], pack_bytes(p));
	pack_release(p);
	heal(f->ps);
}

static int truncate_hurts(struct pack_file *f, uint64_t len)
{
	return -EIO;
}

/* A later, shorter chunk would leave the rest of the torn one behind it. */
static void torn_append_that_cannot_be_taken_back_is_the_last(void **state)
{
	struct fixture *f = *state;
	struct pack *p;
	uint32_t slot;

	begin_hurt(f->ps);
	hurt.truncate = truncate_hurts;
	p = new_pack(f->ps, 1, 5);
	packs_mem_plan_fault(f->ps, 1, ENOSPC);
	assert_int_equal(try_append(p, 5, &slot), -ENOSPC);
	assert_int_equal(try_append(p, 5, &slot), -EIO);
	assert_int_equal(pack_seal(p), -EIO);
	assert_pieces(p, 5);
	pack_release(p);
	heal(f->ps);
	assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
	p = opened(f->ps, 1);
	assert_pieces(p, 5);
	pack_release(p);
}

static uint64_t pushed;

static int push_is_watched(struct pack_file *f, uint64_t off, uint64_t n)
{
	assert_int_equal(off, pushed);
	pushed = off + n;
	return ++hurt_calls == hurt_at ? -EIO : 0;
}

/* Each byte is pushed at most once, in order, and never much is left for the sync. */
static void write_out_begins_early(void **state)
{
	struct fixture *f = *state;
	struct pack_entry e = { .raw_len = 1u << 16, .stored_len = 1u << 16 };
	uint8_t *bytes = calloc(1, 1u << 16);
	struct pack *p;
	uint32_t slot;

	pushed = 0;
	begin_hurt(f->ps);
	hurt.push = push_is_watched;
	p = new_pack(f->ps, 1, 0);
	while (pack_append(p, &e, bytes, &slot) == 0)
		assert_true(pack_bytes(p) - pushed < 4u << 20);
	assert_in_range(hurt_calls, 7, 8);
	pack_release(p);
	heal(f->ps);
	free(bytes);
}

static void write_out_that_fails_is_told_by_the_sync(void **state)
{
	struct fixture *f = *state;
	struct pack_entry e = { .raw_len = 1u << 16, .stored_len = 1u << 16 };
	uint8_t *bytes = calloc(1, 1u << 16);
	struct pack *p;
	uint32_t slot;
	int r = 0;

	pushed = 0;
	begin_hurt(f->ps);
	hurt.push = push_is_watched;
	hurt_at = 2;
	p = new_pack(f->ps, 1, 0);
	while (!r)
		r = pack_append(p, &e, bytes, &slot);
	assert_int_equal(r, -EIO);
	assert_int_equal(hurt_calls, 2);
	assert_int_equal(pack_sync(p), -EIO);
	pack_release(p);
	heal(f->ps);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_both(pieces_are_read_back_while_the_pack_is_open),
		test_both(sealed_pack_is_what_was_appended),
		test_both(sealed_pack_takes_no_more),
		test_both(empty_pack_can_be_sealed),
		test_both(number_is_given_once),
		test_both(lengths_out_of_range_are_refused),
		test_both(full_pack_says_so_and_can_be_sealed),
		test_mem(failed_append_leaves_the_pack_as_it_was),
		test_mem(full_disk_leaves_whole_chunks_and_room_comes_back),
		test_mem(no_room_for_a_header_is_no_pack),
		test_mem(failed_sync_is_final),
		test_mem(failed_sync_is_told_to_all_who_sync_at_once),
		test_mem(failed_seal_leaves_a_pack_to_recover),
		test_mem(table_is_written_after_the_chunks_are_safe),
		test_mem(torn_append_that_cannot_be_taken_back_is_the_last),
		test_mem(write_out_begins_early),
		test_mem(write_out_that_fails_is_told_by_the_sync),
	};

	return cmocka_run_group_tests_name("pack_write", tests, NULL, NULL);
}
