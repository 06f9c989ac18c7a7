/* SPDX-License-Identifier: BSD-2-Clause */
/* tape_gc: space comes back, what is used stays, and it may be stopped anywhere. */
#include "unit/tape/tape_store.h"

static uint64_t gc(struct store *s)
{
	const struct tape_gc_config cfg = { 0 };
	struct tape_gc_report done;

	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	return done.freed_packs;
}

static unsigned packs_left(struct store *s)
{
	uint64_t number = 0, bytes;
	unsigned n = 0;

	for (; chunk_store_next_pack(s->cs, number, &number, &bytes) == 0; number++)
		n++;
	return n;
}

static void drop_old(struct store *s)
{
	struct kv_batch *b;
	uint64_t dropped;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_drop_generations(s->kv, b, VOLUME, UINT64_MAX, &dropped), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
}

/* In a pack of their own each. */
static void write_generation(struct store *s, uint64_t from, uint64_t seed, unsigned records)
{
	locate(s, from);
	for (unsigned i = 0; i < records; i++)
		put(s, seed + i, 20000);
	mark(s);
	restart(s);
}

static void what_is_used_is_not_touched(void **state)
{
	struct store *s = *state;

	write_generation(s, 0, 100, 10);
	write_generation(s, 5, 200, 10);
	assert_int_equal(gc(s), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_record(s, 100 + i, 20000);
	load_generation(s, 1);
	for (unsigned i = 0; i < 10; i++)
		assert_record(s, 100 + i, 20000);
}

static void a_dropped_generation_gives_its_packs_back(void **state)
{
	struct store *s = *state;

	write_generation(s, 0, 100, 10);
	write_generation(s, 0, 200, 10);
	assert_int_equal(packs_left(s), 2);
	drop_old(s);
	assert_int_equal(gc(s), 1);
	assert_int_equal(packs_left(s), 1);
	assert_int_equal(rows(s, 'D'), 0);
	assert_int_equal(rows(s, 'U'), 1);
	assert_int_equal(gc(s), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_record(s, 200 + i, 20000);
}

/* The new generation shares the beginning: only the part behind where they part is freed. */
static void a_shared_beginning_stays(void **state)
{
	struct store *s = *state;

	write_generation(s, 0, 100, 10);
	write_generation(s, 5, 200, 3);
	drop_old(s);
	gc(s);
	assert_int_equal(used(s), 8 * 20000);
	assert_int_equal(packs_left(s), 2);
	rewind_tape(s);
	for (unsigned i = 0; i < 5; i++)
		assert_record(s, 100 + i, 20000);
	for (unsigned i = 0; i < 3; i++)
		assert_record(s, 200 + i, 20000);
	/* And again, further to the front. */
	write_generation(s, 2, 300, 1);
	drop_old(s);
	gc(s);
	assert_int_equal(used(s), 3 * 20000);
	rewind_tape(s);
	assert_record(s, 100, 20000);
	assert_record(s, 101, 20000);
	assert_record(s, 300, 20000);
	assert_mark(s);
}

/* Two parts of one map, freed in one go: the later one first. */
static void two_drops_of_one_map_are_counted_once_each(void **state)
{
	struct store *s = *state;

	write_generation(s, 0, 100, 10);
	write_generation(s, 7, 200, 1);
	drop_old(s);
	write_generation(s, 3, 300, 1);
	drop_old(s);
	assert_true(rows(s, 'D') >= 3);
	gc(s);
	assert_int_equal(rows(s, 'D'), 0);
	assert_int_equal(used(s), 4 * 20000);
}

/* The same drop queued by two at once: the second finds nothing more to take. */
static void a_drop_that_comes_twice_takes_nothing_twice(void **state)
{
	struct store *s = *state;
	struct kv_batch *b[2];
	uint64_t dropped;

	write_generation(s, 0, 100, 10);
	write_generation(s, 5, 200, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kv_batch_new(&b[i]), 0);
		assert_int_equal(volume_drop_generations(s->kv, b[i], VOLUME, UINT64_MAX, &dropped), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kv_write(s->kv, b[i], true), 0);
		gc(s);
		kv_batch_free(b[i]);
	}
	assert_int_equal(used(s), 6 * 20000);
	rewind_tape(s);
	for (unsigned i = 0; i < 5; i++)
		assert_record(s, 100 + i, 20000);
}

static void what_another_volume_shares_stays(void **state)
{
	struct store *s = *state;
	struct kv_batch *b;

	write_generation(s, 0, 100, 10);
	assert_int_equal(unload(s), 0);
	create(s, 8);
	s->attr.id = 8;
	load(s);
	write_generation(s, 0, 100, 10);
	s->attr.id = VOLUME;
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_destroy(s->kv, b, VOLUME), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	assert_int_equal(gc(s), 0);
	rewind_tape(s);
	for (unsigned i = 0; i < 10; i++)
		assert_record(s, 100 + i, 20000);
	create(s, VOLUME);
}

/* Packs of a write that a power cut took: nobody's map ever named them. */
static void what_a_crash_left_is_freed(void **state)
{
	struct store *s = *state;

	write_generation(s, 0, 100, 3);
	assert_int_equal(drive_space_eod(s->drive), 0);
	for (unsigned i = 0; i < 10; i++)
		put(s, 500 + i, 20000);
	kv_mem_plan_fault(s->kv, 2, -EIO);
	(void)drive_flush(s->drive);
	power_cut(s);
	restart(s);
	gc(s);
	assert_int_equal(packs_left(s), 1);
	rewind_tape(s);
	for (unsigned i = 0; i < 3; i++)
		assert_record(s, 100 + i, 20000);
}

/* It fails at every write in turn, the power goes, and it begins again: in the end the same. */
static void it_may_be_stopped_anywhere(void **state)
{
	struct store *s = *state;
	const struct tape_gc_config cfg = { 0 };
	struct tape_gc_report done;
	int r = -EIO;

	write_generation(s, 0, 100, 40);
	write_generation(s, 20, 200, 40);
	write_generation(s, 30, 300, 3);
	drop_old(s);
	for (unsigned at = 1; r && at < 100; at++) {
		kv_mem_plan_fault(s->kv, at, -EIO);
		r = tape_gc(s->shelf, &cfg, &done);
		kv_mem_plan_fault(s->kv, 0, -EIO);
		power_cut(s);
	}
	assert_int_equal(r, 0);
	gc(s);
	assert_int_equal(used(s), 33 * 20000);
	assert_int_equal(rows(s, 'D'), 0);
	rewind_tape(s);
	for (unsigned i = 0; i < 20; i++)
		assert_record(s, 100 + i, 20000);
	for (unsigned i = 0; i < 10; i++)
		assert_record(s, 200 + i, 20000);
	for (unsigned i = 0; i < 3; i++)
		assert_record(s, 300 + i, 20000);
}

static void a_writer_at_work_is_not_disturbed(void **state)
{
	struct store *s = *state;

	write_generation(s, 0, 100, 10);
	for (unsigned round = 0; round < 10; round++) {
		rewind_tape(s);
		for (unsigned i = 0; i < 10; i++) {
			put(s, 1000 * (round % 3) + i, 20000);
			gc(s);
		}
		mark(s);
		drop_old(s);
		gc(s);
		rewind_tape(s);
		for (unsigned i = 0; i < 10; i++)
			assert_record(s, 1000 * (round % 3) + i, 20000);
	}
}

/* A damaged page in one drop: the others are freed all the same, and the failure is told. */
static void damage_in_one_drop_does_not_hold_up_the_others(void **state)
{
	struct store *s = *state;
	struct kv_iter *it;
	struct kv_batch *b;
	const struct tape_gc_config cfg = { 0 };
	struct tape_gc_report done;
	size_t n;

	for (uint64_t i = 1; i <= 4; i++)
		write_generation(s, 0, 100 * i, 5);
	drop_old(s);
	assert_int_equal(kv_iter_new(s->kv, KV_MAP, &it), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	for (kv_iter_seek(it, "D", 1); kv_iter_in(it, "D", 1); kv_iter_next(it)) {
		const uint8_t *drop = kv_iter_key(it, &n);
		uint8_t page[17] = "C";

		memcpy(page + 1, drop + 1, 8);
		assert_int_equal(kv_batch_put(b, KV_MAP, page, sizeof(page), "bad", 3), 0);
		break;
	}
	kv_iter_free(it);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	assert_true(tape_gc(s->shelf, &cfg, &done) < 0);
	assert_int_equal(rows(s, 'D'), 1);
	assert_int_equal(packs_left(s), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(what_is_used_is_not_touched),
		with_store(a_dropped_generation_gives_its_packs_back),
		with_store(a_shared_beginning_stays),
		with_store(two_drops_of_one_map_are_counted_once_each),
		with_store(a_drop_that_comes_twice_takes_nothing_twice),
		with_store(what_another_volume_shares_stays),
		with_store(what_a_crash_left_is_freed),
		with_store(it_may_be_stopped_anywhere),
		with_store(a_writer_at_work_is_not_disturbed),
		with_store(damage_in_one_drop_does_not_hold_up_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
