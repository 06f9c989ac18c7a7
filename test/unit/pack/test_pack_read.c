/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading packs: what pack_open() believes, finding, runs of slots, references, and readers beside a writer. */
#include <errno.h>

#include "unit/pack/raw.h"

static void digest_is_found_and_only_all_of_it(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 50);
	uint8_t bytes[PIECE_MAX];
	struct digest d;
	uint32_t slot = 99;

	for (uint32_t i = 0; i < 50; i++) {
		d = piece(i, bytes).digest;
		assert_int_equal(pack_find(p, &d, &slot), 0);
		assert_int_equal(slot, i);
	}
	d.b[31] ^= 1;
	assert_int_equal(pack_find(p, &d, &slot), -ENOENT);
	pack_release(p);
}

static void slot_beyond_the_last_is_no_slot(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 3);
	struct pack_entry e;

	assert_int_equal(pack_entry(p, 3, &e), -EUCLEAN);
	assert_int_equal(pack_entry(p, UINT32_MAX, &e), -EUCLEAN);
	pack_release(p);
}

static void run_of_slots_is_one_read(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 40);
	struct pack_entry first, last, e;
	uint8_t want[PIECE_MAX], *run;
	size_t n;

	assert_int_equal(pack_seal(p), 0);
	pack_entry(p, 10, &first);
	pack_entry(p, 29, &last);
	n = (size_t)(last.offset + last.stored_len - first.offset);
	run = malloc(n);
	assert_int_equal(pack_pread(p, run, n, first.offset), 0);
	for (uint32_t i = 10, at = 0; i < 30; i++) {
		e = piece(i, want);
		assert_memory_equal(run + at, want, e.stored_len);
		at += e.stored_len + PACK_ENTRY_GAP;
	}
	free(run);
	pack_release(p);
}

static void reading_past_the_end_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 3);
	uint8_t b[16];

	assert_int_equal(pack_pread(p, b, 16, pack_bytes(p) - 16), 0);
	assert_int_equal(pack_pread(p, b, 16, pack_bytes(p) - 15), -EUCLEAN);
	assert_int_equal(pack_pread(p, b, 16, 1ull << 40), -EUCLEAN);
	pack_release(p);
}

static void missing_packs_do_not_open(void **state)
{
	struct fixture *f = *state;
	struct pack *q = NULL;

	assert_int_equal(pack_open(f->ps, 2, &q), -ENOENT);
	assert_int_equal(pack_open(f->ps, PACK_NUMBER_MAX + 1, &q), -EINVAL);
	assert_null(q);
}

static void unsealed_pack_opens_by_its_entries(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 3), *q = opened(f->ps, 1);
	uint32_t slot;

	assert_true(pack_whole(p));
	assert_false(pack_whole(q));
	assert_pieces(q, 3);
	assert_int_equal(try_append(q, 3, &slot), -EROFS);
	pack_release(q);
	/* What is appended meanwhile is there the next time. */
	append_pieces(p, 3, 5);
	q = opened(f->ps, 1);
	assert_pieces(q, 5);
	pack_release(q);
	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	q = opened(f->ps, 1);
	assert_true(pack_whole(q));
	pack_release(q);
}

static void held_pack_outlives_its_file(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 10), *q;

	assert_int_equal(pack_seal(p), 0);
	q = pack_hold(p);
	assert_ptr_equal(p, q);
	assert_true(pack_exists(f->ps, 1));
	assert_int_equal(pack_unlink(f->ps, 1), 0);
	assert_false(pack_exists(f->ps, 1));
	assert_int_equal(pack_unlink(f->ps, 1), 0);
	assert_null(pack_release(p));
	assert_pieces(q, 10);
	pack_releasep(&q);
	assert_null(q);
	assert_null(pack_release(NULL));
}

/* Sums that are right over a table that is wrong: a pack made by somebody who means harm. */
static void table_that_cannot_be_right_is_not_believed(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 5);
	struct buf good = BUF_INIT, b = BUF_INIT;
	uint8_t *table, *trailer;
	struct pack *q = NULL;

	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	raw_get(f->ps, 1, &good);
	for (int kind = 0; kind < 9; kind++) {
		b.len = 0;
		buf_append(&b, good.data, good.len);
		trailer = b.data + b.len - 64;
		table = trailer - 5 * 40;
		switch (kind) {
		case 0: /* a sum that wraps */
			put_le32(trailer + 12, UINT32_MAX);
			put_le64(trailer + 16, good.len - 64 - UINT32_MAX * 40ull);
			break;
		case 1: /* the table begins in the header */
			put_le32(trailer + 12, (uint32_t)(good.len - 64) / 40);
			put_le64(trailer + 16, (good.len - 64) % 40);
			break;
		case 2: /* one row less */
			put_le32(trailer + 12, 4);
			break;
		case 3: /* one row less, and it fits */
			put_le32(trailer + 12, 4);
			put_le64(trailer + 16, get_le64(trailer + 16) + 40);
			put_le64(trailer + 40, sum64(table + 40, 4 * 40));
			break;
		case 4: /* rows lead past the table */
			put_le32(table + 4 * 40 + 32, get_le32(table + 4 * 40 + 32) + 1);
			break;
		case 5: /* rows end before it */
			put_le32(table + 32, get_le32(table + 32) + 1);
			put_le32(table + 40 + 32, get_le32(table + 40 + 32) - 2);
			break;
		case 6: /* no length */
			put_le32(table + 32, 0);
			break;
		case 7: /* another total */
			put_le64(trailer + 24, get_le64(trailer + 24) + 1);
			break;
		case 8: /* raw length beyond the longest */
			put_le32(table + 36, PACK_CHUNK_MAX + 1);
			break;
		}
		if (kind > 3)
			put_le64(trailer + 40, sum64(table, 5 * 40));
		raw_resum(trailer);
		raw_set(f->ps, 1, b.data, b.len);
		if (kind == 3) { /* rows and entries tell of different chunks, all of them */
			assert_int_equal(pack_open(f->ps, 1, &q), -EBADMSG);
			continue;
		}
		q = opened(f->ps, 1);
		assert_false(pack_whole(q));
		assert_pieces(q, 5);
		pack_release(q);
		assert_true(checked(f->ps, 1).count > 0);
	}
	buf_fini(&b);
	buf_fini(&good);
}

static void pack_under_a_wrong_name_is_refused(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 5), *q = NULL;
	struct buf b = BUF_INIT;

	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	raw_get(f->ps, 1, &b);
	raw_set(f->ps, 2, b.data, b.len);
	assert_int_equal(pack_open(f->ps, 2, &q), -EUCLEAN);
	assert_true(checked(f->ps, 2).count > 0);
	buf_fini(&b);
}

static void file_that_is_no_pack_is_refused(void **state)
{
	struct fixture *f = *state;
	struct pack *q = NULL;
	uint8_t b[500] = { 0 };

	for (size_t n = 0; n <= sizeof(b); n += 50) {
		raw_set(f->ps, 1, b, n);
		assert_int_equal(pack_open(f->ps, 1, &q), -EUCLEAN);
		assert_true(checked(f->ps, 1).count > 0);
	}
	assert_null(q);
}

struct race {
	struct pack *p;
	_Atomic bool over;
};

/* Every slot that pack_count() tells of can be read at once. */
static void *read_along(void *arg)
{
	struct race *r = arg;
	uint32_t from = 0, n = 0;
	bool over;

	do {
		over = r->over;
		n = pack_count(r->p);
		for (uint32_t i = from; i < n; i++)
			assert_piece(r->p, i, i);
		from = n;
	} while (!over);
	assert_true(n == 3000);
	return NULL;
}

static void *sync_along(void *arg)
{
	struct race *r = arg;

	while (!r->over)
		assert_int_equal(pack_sync(r->p), 0);
	return NULL;
}

static void readers_and_syncs_run_beside_a_writer(void **state)
{
	struct fixture *f = *state;
	struct race r = { .p = new_pack(f->ps, 1, 0) };
	pthread_t t[3];

	pthread_create(&t[0], NULL, read_along, &r);
	pthread_create(&t[1], NULL, read_along, &r);
	pthread_create(&t[2], NULL, sync_along, &r);
	append_pieces(r.p, 0, 3000);
	assert_int_equal(pack_seal(r.p), 0);
	r.over = true;
	for (unsigned i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	pack_release(r.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_both(digest_is_found_and_only_all_of_it),
		test_both(slot_beyond_the_last_is_no_slot),
		test_both(run_of_slots_is_one_read),
		test_both(reading_past_the_end_is_an_error),
		test_both(missing_packs_do_not_open),
		test_both(unsealed_pack_opens_by_its_entries),
		test_both(held_pack_outlives_its_file),
		test_both(table_that_cannot_be_right_is_not_believed),
		test_both(pack_under_a_wrong_name_is_refused),
		test_both(file_that_is_no_pack_is_refused),
		test_both(readers_and_syncs_run_beside_a_writer),
	};

	return cmocka_run_group_tests_name("pack_read", tests, NULL, NULL);
}
