/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_commit and chunk_recover: what a power cut leaves at each step, and what opening makes of it. */
#include "rig.h"

#define N (2u << 20)

static int serial(void **state) { return (*state = rig_new(0)) == NULL; }
static int threads(void **state) { return (*state = rig_new(3)) == NULL; }
static int gone(void **state) { return (*state = rig_free(*state)) != NULL; }

static void what_is_committed_survives_a_cut(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 1);

	for (uint64_t seed = 0; seed < 4; seed++) {
		struct map m = { NULL }, again = { NULL };

		data[0] = (uint8_t)seed;
		rig_store(g, data, N, CHUNK_LZ4, &m);
		rig_cut(g, seed);
		rig_check(g, &m, data, N, 65536);
		rig_store(g, data, N, CHUNK_LZ4, &again);
		assert_int_equal(again.stored, 0);
		map_fini(&m);
		map_fini(&again);
	}
	free(data);
}

/* The pack's bytes are in memory only: nothing of them, or any part, may be left. */
static void what_is_not_committed_may_be_lost_but_does_not_hurt(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 2), *more = filled(N, 3);

	for (uint64_t seed = 0; seed < 12; seed++) {
		struct map m = { NULL }, lost = { NULL }, again = { NULL };
		struct chunk_writer *w = rig_writer(g, CHUNK_LZ4, &m);
		struct chunk_totals before, after;

		data[0] = more[0] = (uint8_t)seed;
		OK(chunk_writer_append(w, data, N));
		OK(chunk_writer_flush(w));
		OK(rig_commit(g, w));
		chunk_writer_free(w);
		chunk_store_totals(g->cs, &before);
		w = rig_writer(g, CHUNK_LZ4, &lost);
		OK(chunk_writer_append(w, more, N));
		OK(chunk_writer_flush(w));
		chunk_writer_free(w);
		rig_cut(g, seed);
		rig_check(g, &m, data, N, 65536);
		chunk_store_totals(g->cs, &after);
		assert_true(after.chunks >= before.chunks);
		assert_true(after.unique_bytes >= before.unique_bytes);
		/* The same bytes go in again, shared with what was left or not; they come out. */
		rig_store(g, more, N, CHUNK_LZ4, &again);
		rig_check(g, &again, more, N, 65536);
		map_fini(&m);
		map_fini(&lost);
		map_fini(&again);
	}
	free(data);
	free(more);
}

/* Until then it can be read, and nothing is shared with it: nobody knows whether it is safe. */
static void a_pack_that_cannot_be_finished_is_tried_again(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 12);
	struct map m = { NULL };
	struct kv *kv;
	struct packs *packs;

	rig_store(g, data, N, CHUNK_LZ4, &m);
	OK(kv_mem_cut(g->kv, &kv));
	OK(packs_mem_cut(g->packs, 0, &packs));
	chunk_store_close(g->cs);
	packs_close(g->packs);
	kv_close(g->kv);
	g->kv = kv;
	g->packs = packs;
	for (unsigned i = 0; i < 3; i++) {
		packs_mem_plan_sync_fault(packs, 1, -EIO);
		rig_open(g);
		assert_int_equal(chunk_store_finished(g->cs), 0);
		rig_check(g, &m, data, N, 65536);
		/* The store is in use all the same. */
		if (i == 1) {
			struct map other = { NULL };

			rig_store(g, data, N, CHUNK_LZ4, &other);
			assert_int_equal(other.stored, m.stored);
			rig_check(g, &other, data, N, 65536);
			map_fini(&other);
		}
		chunk_store_close(g->cs);
	}
	rig_open(g);
	rig_check(g, &m, data, N, 65536);
	map_fini(&m);
	free(data);
}

/* Between step 1 and step 2: the packs are synced, the batch is not written. */
static void packs_synced_without_a_batch_are_indexed_by_the_next_open(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 4);
	struct map m = { NULL }, again = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_ZSTD, &m);
	struct kv_batch *b;

	OK(chunk_writer_append(w, data, N));
	OK(chunk_writer_flush(w));
	OK(kv_batch_new(&b));
	OK(chunk_writer_begin_commit(w, b));
	assert_true(kv_batch_count(b) >= m.count);
	kv_batch_free(b);
	chunk_writer_end_commit(w, false);
	assert_int_equal(index_rows(g), 0);
	chunk_writer_free(w);
	assert_int_equal(chunk_store_finished(g->cs), 0);
	rig_cut(g, 0);
	assert_int_equal(chunk_store_finished(g->cs), 1);
	assert_int_equal(index_rows(g), m.count);
	rig_store(g, data, N, CHUNK_ZSTD, &again);
	assert_int_equal(again.stored, 0);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

static void a_commit_that_was_not_written_is_made_up_for_by_the_next(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 5);
	struct map m = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_ZSTD, &m);

	OK(chunk_writer_append(w, data, N));
	OK(chunk_writer_flush(w));
	kv_mem_plan_fault(g->kv, 1, -EIO);
	assert_int_equal(rig_commit(g, w), -EIO);
	assert_int_equal(index_rows(g), 0);
	OK(rig_commit(g, w));
	assert_int_equal(index_rows(g), m.count);
	/* Nothing is written twice. */
	struct kv_batch *b;

	OK(kv_batch_new(&b));
	OK(chunk_writer_begin_commit(w, b));
	assert_int_equal(kv_batch_count(b), 0);
	chunk_writer_end_commit(w, true);
	kv_batch_free(b);
	chunk_writer_free(w);
	map_fini(&m);
	free(data);
}

/* Two share a chunk that is not on disk: whoever commits first is safe by that alone. */
static void a_shared_chunk_is_safe_with_whoever_commits_first(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 6);

	for (unsigned second = 0; second < 2; second++) {
		struct map a = { NULL }, b = { NULL };
		struct chunk_writer *wa = rig_writer(g, CHUNK_LZ4, &a), *wb = rig_writer(g, CHUNK_LZ4, &b);

		data[0] = (uint8_t)second;
		OK(chunk_writer_append(wa, data, N));
		OK(chunk_writer_flush(wa));
		OK(chunk_writer_append(wb, data, N));
		OK(chunk_writer_flush(wb));
		assert_int_equal(b.stored, 0);
		OK(rig_commit(g, second ? wb : wa));
		chunk_writer_free(wa);
		chunk_writer_free(wb);
		rig_cut(g, 0);
		rig_check(g, second ? &b : &a, data, N, 65536);
		map_fini(&a);
		map_fini(&b);
	}
	free(data);
}

static void a_failed_sync_fails_every_commit_that_needs_it(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 7);
	struct map a = { NULL }, b = { NULL }, c = { NULL };
	struct chunk_writer *wa = rig_writer(g, CHUNK_LZ4, &a), *wb = rig_writer(g, CHUNK_LZ4, &b);

	OK(chunk_writer_append(wa, data, N));
	OK(chunk_writer_flush(wa));
	OK(chunk_writer_append(wb, data, N));
	OK(chunk_writer_flush(wb));
	packs_mem_plan_sync_fault(g->packs, 1, -EIO);
	assert_int_equal(rig_commit(g, wa), -EIO);
	assert_int_equal(rig_commit(g, wb), -EIO);
	assert_int_equal(rig_commit(g, wa), -EIO);
	chunk_writer_free(wa);
	chunk_writer_free(wb);
	/* What may be lost is no target: the next session stores it again, in another pack. */
	rig_store(g, data, N, CHUNK_LZ4, &c);
	assert_true(c.stored > 0);
	assert_int_not_equal(c.places[0].ref.pack, a.places[0].ref.pack);
	rig_cut(g, 0);
	rig_check(g, &c, data, N, 65536);
	map_fini(&a);
	map_fini(&b);
	map_fini(&c);
	free(data);
}

/* Takes a number for a pack that never gets a chunk. */
static void waste_a_number(struct rig *g, const uint8_t *data)
{
	struct map m = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_PLAIN, &m);

	packs_mem_plan_fault(g->packs, 1, -EIO);
	chunk_writer_append(w, data, 1000);
	assert_int_equal(chunk_writer_flush(w), -EIO);
	chunk_writer_free(w);
	map_fini(&m);
}

static void a_pack_left_open_for_long_is_found_after_a_cut(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(50000, 8), *other = filled(1000, 9);
	struct map m = { NULL }, again = { NULL };
	struct chunk_writer *first = rig_writer(g, CHUNK_PLAIN, &m);
	struct kv_batch *b;

	/* @first appends to pack 1 and waits, while numbers go on beyond what is probed. */
	OK(chunk_writer_append(first, data, 50000));
	OK(chunk_writer_flush(first));
	for (unsigned i = 0; i < 150; i++)
		waste_a_number(g, other);
	OK(kv_batch_new(&b));
	OK(chunk_writer_begin_commit(first, b));
	kv_batch_free(b);
	chunk_writer_end_commit(first, false);
	assert_int_equal(m.places[0].ref.pack, 1);
	chunk_writer_free(first);
	rig_cut(g, 0);
	rig_store(g, data, 50000, CHUNK_PLAIN, &again);
	assert_int_equal(again.stored, 0);
	assert_int_equal(again.places[0].ref.pack, 1);
	/* Packs that got no chunk left no file. */
	for (uint64_t n = 2; n < 160; n++)
		assert_false(pack_exists(g->packs, n));
	map_fini(&m);
	map_fini(&again);
	free(data);
	free(other);
}

static void totals_are_right_after_a_close_and_after_a_cut(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 9);
	struct chunk_totals want, got;
	struct map m = { NULL };

	chunk_store_totals(g->cs, &got);
	assert_int_equal(got.packs, 0);
	rig_store(g, data, N, CHUNK_LZ4, &m);
	chunk_store_totals(g->cs, &want);
	assert_int_equal(want.packs, 1);
	assert_int_equal(want.chunks, m.count);
	assert_int_equal(want.unique_bytes, N);
	rig_cut(g, 0);
	chunk_store_totals(g->cs, &got);
	assert_int_equal(got.packs, 1);
	assert_int_equal(got.chunks, m.count);
	assert_int_equal(got.unique_bytes, N);
	want = got;
	for (unsigned i = 0; i < 3; i++) {
		rig_reopen(g);
		chunk_store_totals(g->cs, &got);
		assert_memory_equal(&got, &want, sizeof(got));
	}
	/* Opened and cut without a write in between: the row is still right. */
	rig_cut(g, 0);
	chunk_store_totals(g->cs, &got);
	assert_memory_equal(&got, &want, sizeof(got));
	map_fini(&m);
	free(data);
}

/* A close that wrote nothing leaves no empty pack behind. */
static void an_empty_open_pack_is_taken_away(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 10);
	struct map m = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_LZ4, &m);

	packs_mem_plan_fault(g->packs, 1, -ENOSPC);
	chunk_writer_append(w, data, N);
	assert_int_equal(chunk_writer_flush(w), -ENOSPC);
	chunk_writer_free(w);
	rig_reopen(g);
	rig_store(g, data, N, CHUNK_LZ4, &m);
	rig_check(g, &m, data, N, 65536);
	map_fini(&m);
	free(data);
}

/* The sealing of a full pack fails; it is tried again and nothing is lost. */
static void a_pack_that_cannot_be_sealed_is_sealed_later(void **state)
{
	struct rig *g = *state;
	size_t n = 70u << 20;
	uint8_t *data = malloc(n);
	struct map m = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_PLAIN, &m);
	struct chunk_totals t;

	OK(random_bytes(data, n));
	OK(chunk_writer_append(w, data, 30 << 20));
	OK(chunk_writer_flush(w));
	kv_mem_plan_fault(g->kv, 1, -EIO);	/* the sealer's rows */
	OK(chunk_writer_append(w, data + (30 << 20), 5 << 20));
	OK(chunk_writer_flush(w));
	OK(rig_commit(g, w));
	OK(chunk_writer_append(w, data + (35 << 20), 35 << 20));
	OK(chunk_writer_flush(w));
	OK(rig_commit(g, w));
	chunk_writer_free(w);
	rig_check(g, &m, data, n, 1 << 20);
	rig_reopen(g);
	chunk_store_totals(g->cs, &t);
	assert_int_equal(t.packs, 3);
	assert_int_equal(t.unique_bytes, n);
	rig_check(g, &m, data, n, 1 << 20);
	map_fini(&m);
	free(data);
}

static void numbers_are_not_used_twice(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(20000, 11);
	uint64_t last = 0;

	for (unsigned i = 0; i < 10; i++) {
		struct map m = { NULL };

		data[0] = (uint8_t)i;
		rig_store(g, data, 20000, CHUNK_LZ4, &m);
		assert_true(m.places[0].ref.pack > last);
		last = m.places[0].ref.pack;
		if (i % 2)
			rig_cut(g, i);
		else
			rig_reopen(g);
		map_fini(&m);
	}
	free(data);
}

#define BOTH(f) cmocka_unit_test_setup_teardown(f, serial, gone), cmocka_unit_test_setup_teardown(f, threads, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(what_is_committed_survives_a_cut),
		BOTH(what_is_not_committed_may_be_lost_but_does_not_hurt),
		BOTH(packs_synced_without_a_batch_are_indexed_by_the_next_open),
		BOTH(a_commit_that_was_not_written_is_made_up_for_by_the_next),
		BOTH(a_shared_chunk_is_safe_with_whoever_commits_first),
		BOTH(a_failed_sync_fails_every_commit_that_needs_it),
		BOTH(totals_are_right_after_a_close_and_after_a_cut),
		BOTH(an_empty_open_pack_is_taken_away),
		BOTH(numbers_are_not_used_twice),
		BOTH(a_pack_that_cannot_be_finished_is_tried_again),
		BOTH(a_pack_left_open_for_long_is_found_after_a_cut),
		cmocka_unit_test_setup_teardown(a_pack_that_cannot_be_sealed_is_sealed_later, serial, gone),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
