/* SPDX-License-Identifier: BSD-2-Clause */
/* tape_gc: space comes back, what is used stays, and it may be stopped anywhere. */
#include <limits.h>

#include "unit/tape/tape_store.h"

static uint64_t gc(struct store *s)
{
	const struct tape_gc_config cfg = { 0 };
	struct tape_gc_report done;

	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	return done.freed_packs;
}

/* Every pack of a test is small: merging has tests of its own. */
#define NEVER UINT_MAX

static struct tape_gc_report gc_live(struct store *s, unsigned percent)
{
	const struct tape_gc_config cfg = { .live_percent = percent, .merge_packs = NEVER };
	struct tape_gc_report done;

	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	return done;
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

/* A commit in the middle of a long write covers whole records.  What is stored of the one behind it may lie in a pack
 * that nobody else uses: it stays. */
static void what_a_commit_does_not_reach_is_not_freed(void **state)
{
	const size_t n = 4 << 20;
	struct store *s = *state;

	put(s, 1, n);
	mark(s);
	restart(s);
	locate(s, 0);
	for (unsigned i = 0; i <= 64; i++)
		put(s, i == 64, n);
	assert_int_equal(generation(s), 2);
	drop_old(s);
	gc(s);
	mark(s);
	gc(s);
	restart(s);
	for (unsigned i = 0; i <= 64; i++)
		assert_record(s, i == 64, n);
}

/* ---- copying forward --------------------------------------------------------------------------------------------- */

static void assert_records(struct store *s, uint64_t seed, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_record(s, seed + i, 20000);
}

static uint64_t stored(struct store *s)
{
	uint64_t number = 0, bytes, sum = 0;

	for (; chunk_store_next_pack(s->cs, number, &number, &bytes) == 0; number++)
		sum += bytes;
	return sum;
}

/* 40 records, of which the first @keep stay: their pack is sparse. */
static void write_sparse_as(struct store *s, uint64_t seed, unsigned keep)
{
	write_generation(s, 0, seed, 40);
	write_generation(s, keep, seed + 100, 5);
	drop_old(s);
}

static void write_sparse(struct store *s, unsigned keep)
{
	write_sparse_as(s, 100, keep);
}

static void a_sparse_pack_is_copied_forward_and_removed(void **state)
{
	struct store *s = *state;
	struct tape_gc_report done;

	write_sparse(s, 5);
	done = gc_live(s, 50);
	assert_int_equal(done.packs, 2);
	assert_int_equal(done.candidates, 1);
	assert_int_equal(done.freed_packs, 1);
	/* Chunks do not end where records do: one more or less. */
	assert_in_range(done.copy_bytes, 5 * 20000, 5 * 20000 + 40000);
	assert_int_equal(done.copied_bytes, done.copy_bytes);
	assert_in_range(done.garbage_bytes, 34 * 20000, 36 * 20000);
	assert_int_equal(used(s), 10 * 20000);
	rewind_tape(s);
	assert_records(s, 100, 5);
	assert_records(s, 200, 5);
	restart(s);
	assert_records(s, 100, 5);
	assert_records(s, 200, 5);
	assert_in_range(stored(s), 10 * 20000, 10 * 20000 + 50000);
}

static void a_pack_with_enough_in_use_stays(void **state)
{
	struct store *s = *state;
	struct tape_gc_report done;

	write_sparse(s, 30);
	done = gc_live(s, 50);
	assert_int_equal(done.candidates, 0);
	assert_int_equal(packs_left(s), 2);
	done = gc_live(s, 90);
	assert_int_equal(done.candidates, 1);
	assert_int_equal(done.freed_packs, 1);
	rewind_tape(s);
	assert_records(s, 100, 30);
}

/* What was found is remembered: nobody looks again until something is taken from the pack. */
static void a_pack_is_looked_at_once(void **state)
{
	struct store *s = *state;

	write_sparse(s, 30);
	gc_live(s, 50);
	assert_int_equal(rows(s, 'L'), 2);
	write_generation(s, 10, 300, 1);
	drop_old(s);
	assert_int_equal(rows(s, 'L'), 2);
	gc(s);
	assert_int_equal(rows(s, 'L'), 0);
	assert_int_equal(gc_live(s, 50).freed_packs, 1);
	assert_int_equal(rows(s, 'L'), 1);
}

/* Its table of contents was not read to find that. */
static void a_large_pack_all_in_use_is_looked_at_again_when_something_is_taken(void **state)
{
	struct store *s = *state;

	write_generation(s, 0, 100, 300);
	assert_int_equal(gc_live(s, 100).candidates, 0);
	assert_int_equal(rows(s, 'L'), 1);
	assert_int_equal(gc_live(s, 100).candidates, 0);
	write_generation(s, 100, 900, 1);
	drop_old(s);
	assert_int_equal(gc_live(s, 50).freed_packs, 1);
	restart(s);
	assert_in_range(stored(s), 101 * 20000, 101 * 20000 + 50000);
	rewind_tape(s);
	assert_records(s, 100, 100);
	assert_records(s, 900, 1);
}

static int count_rows(struct store *s)
{
	return (int)(rows(s, 'H') + rows(s, 'O') + rows(s, 'C') + rows(s, 'U') + rows(s, 'D') + rows(s, 'L') +
		     rows(s, 'M'));
}

static void a_dry_run_tells_the_same_and_changes_nothing(void **state)
{
	struct store *s = *state;
	const struct tape_gc_config cfg = { .live_percent = 50, .merge_packs = NEVER, .dry_run = true };
	struct tape_gc_report dry, done;
	int before;

	write_generation(s, 0, 500, 10);
	write_sparse(s, 5);
	before = count_rows(s);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tape_gc(s->shelf, &cfg, &dry), 0);
		assert_int_equal(count_rows(s), before);
		assert_int_equal(packs_left(s), 3);
		assert_int_equal(dry.freed_packs + dry.freed_bytes + dry.copied_bytes, 0);
	}
	done = gc_live(s, 50);
	assert_int_equal(dry.candidates, 2);
	assert_int_equal(dry.candidates, done.candidates);
	assert_int_equal(dry.garbage_bytes, done.garbage_bytes);
	assert_int_equal(dry.copy_bytes, done.copy_bytes);
	assert_int_equal(done.freed_packs, 2);
}

/* Also of generations that nobody dropped yet: those that go as a whole, and parts of packs that others share. */
static void a_dry_run_foresees_what_generations_would_give(void **state)
{
	struct store *s = *state;
	const struct tape_gc_ended ended[] = { { 3, UINT64_MAX }, { VOLUME, UINT64_MAX }, { 99, UINT64_MAX } };
	const struct tape_gc_config cfg = { .live_percent = 50, .merge_packs = NEVER, .dry_run = true,
					    .ended = ended, .ended_count = ARRAY_LEN(ended) };
	struct tape_gc_report dry, done;
	int before;

	write_generation(s, 0, 500, 10);
	write_generation(s, 0, 100, 40);
	write_generation(s, 5, 200, 20);
	write_generation(s, 18, 300, 3);
	before = count_rows(s);
	assert_int_equal(tape_gc(s->shelf, &cfg, &dry), 0);
	assert_int_equal(count_rows(s), before);
	assert_int_equal(dry.candidates, 2);
	drop_old(s);
	done = gc_live(s, 50);
	assert_int_equal(dry.candidates, done.candidates);
	assert_int_equal(dry.garbage_bytes, done.garbage_bytes);
	assert_int_equal(dry.copy_bytes, done.copy_bytes);
	assert_int_equal(done.copied_bytes, done.copy_bytes);
	rewind_tape(s);
	assert_records(s, 100, 5);
	assert_records(s, 200, 13);
	assert_records(s, 300, 3);
}

/* Two volumes, three generations, one pack: it is copied once, and they share the copy. */
static void what_is_shared_is_copied_once(void **state)
{
	struct store *s = *state;
	struct tape_gc_report done;

	write_generation(s, 0, 100, 40);
	assert_int_equal(unload(s), 0);
	create(s, 8);
	s->attr.id = 8;
	load(s);
	write_generation(s, 0, 100, 5);
	write_generation(s, 3, 700, 1);
	assert_int_equal(unload(s), 0);
	s->attr.id = VOLUME;
	load(s);
	write_generation(s, 4, 200, 1);
	drop_old(s);
	done = gc_live(s, 50);
	assert_int_equal(done.freed_packs, 1);
	assert_in_range(done.copied_bytes, 5 * 20000 - 10000, 5 * 20000 + 40000);
	rewind_tape(s);
	assert_records(s, 100, 4);
	assert_records(s, 200, 1);
	s->attr.id = 8;
	reload(s);
	assert_records(s, 100, 3);
	assert_records(s, 700, 1);
	s->attr.id = VOLUME;
}

/* Small packs, all in use: many make one. */
static void many_small_packs_become_one(void **state)
{
	struct store *s = *state;
	const struct tape_gc_config cfg = { .live_percent = 50 };
	struct tape_gc_report done;

	for (unsigned i = 0; i < 15; i++) {
		assert_int_equal(drive_space_eod(s->drive), 0);
		put(s, i, 20000);
		restart(s);
	}
	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	assert_int_equal(done.freed_packs, 0);
	assert_int_equal(drive_space_eod(s->drive), 0);
	put(s, 15, 20000);
	restart(s);
	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	assert_int_equal(done.freed_packs, 16);
	restart(s);
	assert_int_equal(packs_left(s), 1);
	assert_records(s, 0, 16);
}

static void a_page_may_become_many(void **state)
{
	struct store *s = *state;
	unsigned pages;

	/* In this order they are one run; tape 2 has them in another, and comes first. */
	for (unsigned i = 0; i < 601; i++) {
		put(s, 100 + i, 20000);
		mark_immed(s);
	}
	restart(s);
	assert_int_equal(unload(s), 0);
	create(s, 2);
	s->attr.id = 2;
	load(s);
	for (unsigned i = 0; i < 600; i++) {
		put(s, 100 + i * 7 % 600, 20000);
		mark_immed(s);
	}
	restart(s);
	pages = rows(s, 'C');
	assert_int_equal(gc_live(s, 100).freed_packs, 0);
	/* One record of the pack is not needed any more: all of it is copied, in the order of volume 2. */
	s->attr.id = VOLUME;
	reload(s);
	locate(s, 1200);
	mark(s);
	drop_old(s);
	assert_int_equal(gc_live(s, 100).freed_packs, 1);
	assert_in_range(rows(s, 'C'), pages + 1, pages + 5);
	rewind_tape(s);
	for (unsigned i = 0; i < 600; i++) {
		assert_record(s, 100 + i, 20000);
		assert_mark(s);
	}
	s->attr.id = 2;
	reload(s);
	for (unsigned i = 0; i < 600; i++) {
		assert_record(s, 100 + i * 7 % 600, 20000);
		assert_mark(s);
	}
	s->attr.id = VOLUME;
}

/* 40 records of another tape that is destroyed then; of five of them the page of ours tells that is written on. */
static void share_sparse(struct store *s)
{
	struct kv_batch *b;

	create(s, 8);
	assert_int_equal(unload(s), 0);
	s->attr.id = 8;
	load(s);
	write_generation(s, 0, 100, 40);
	assert_int_equal(unload(s), 0);
	s->attr.id = VOLUME;
	load(s);
	for (unsigned i = 0; i < 5; i++)
		put(s, 100 + i, 20000);
	mark(s);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_destroy(s->kv, b, 8), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
}

/* Its last page is in memory, to be written on. */
static void an_open_tape_is_written_on_after_its_pages_changed(void **state)
{
	struct store *s = *state;

	share_sparse(s);
	assert_int_equal(gc_live(s, 50).freed_packs, 1);
	put(s, 300, 20000);
	mark(s);
	for (int i = 0; i < 2; i++) {
		rewind_tape(s);
		assert_records(s, 100, 5);
		assert_mark(s);
		assert_records(s, 300, 1);
		assert_mark(s);
		assert_eod(s);
		assert_int_equal(used(s), 6 * 20000);
		restart(s);
	}
}

static void a_tape_that_is_not_committed_is_committed_first(void **state)
{
	struct store *s = *state;

	share_sparse(s);
	put(s, 300, 20000);
	mark_immed(s);
	put(s, 301, 10);
	assert_int_equal(gc_live(s, 50).freed_packs, 1);
	power_cut(s);
	assert_records(s, 100, 5);
	assert_mark(s);
	assert_records(s, 300, 1);
	assert_mark(s);
	assert_record(s, 301, 10);
	assert_eod(s);
}

/* If that fails, its writer is told, not the collector; and what is not changed stays true. */
static void a_tape_that_cannot_be_committed_stays_as_it_is(void **state)
{
	struct store *s = *state;

	share_sparse(s);
	for (unsigned i = 0; i < 200; i++)
		put(s, 300 + i, 20000);
	packs_mem_plan_sync_fault(s->packs, 1, -EIO);
	assert_int_equal(gc_live(s, 50).freed_packs, 0);
	packs_mem_plan_sync_fault(s->packs, 0, -EIO);
	assert_true(drive_flush(s->drive) < 0);
	assert_true(unload(s) < 0);
	load(s);
	for (unsigned i = 0; i < 2; i++) {
		rewind_tape(s);
		assert_records(s, 100, 5);
		assert_mark(s);
		assert_eod(s);
		assert_int_equal(gc_live(s, 50).freed_packs > 0, i == 0);
	}
}

static void readers_find_what_was_moved(void **state)
{
	struct store *s = *state;
	uint8_t want[20000], got[20000];
	struct volume_reader *r[3];

	write_sparse(s, 15);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(volume_reader_new(s->vol, 0, &r[i]), 0);
		for (unsigned k = 0; k < 1 + 2 * i; k++)
			assert_int_equal(volume_reader_read(r[i], k * 20000, got, sizeof(got)), 0);
	}
	assert_int_equal(gc_live(s, 90).freed_packs, 1);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned k = 0; k < 15; k++) {
			unsigned at = i == 1 ? 14 - k : k;

			chance_fill(want, sizeof(want), 100 + at);
			assert_int_equal(volume_reader_read(r[i], at * 20000, got, sizeof(got)), 0);
			assert_memory_equal(want, got, sizeof(got));
		}
		volume_reader_free(r[i]);
	}
}

static int stop_at_once(void *ctx, const struct tape_gc_report *so_far)
{
	unsigned *left = ctx;

	(void)so_far;
	return (*left)-- == 0;
}

static void it_stops_when_asked(void **state)
{
	struct store *s = *state;
	struct tape_gc_config cfg = { .live_percent = 50, .merge_packs = NEVER, .progress = stop_at_once };
	struct tape_gc_report done = { 0 };
	unsigned left, n;

	write_sparse(s, 5);
	for (n = 0; !done.freed_packs; n++) {
		left = n;
		cfg.ctx = &left;
		assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
		rewind_tape(s);
		assert_records(s, 100, 5);
		assert_records(s, 200, 5);
	}
	assert_true(n > 5);
}

static int stop_when_copied(void *ctx, const struct tape_gc_report *so_far)
{
	(void)ctx;
	return so_far->copied_bytes > 0;
}

/* Two tapes share all of a pack but for its end.  Stopped between them, their chunks are there twice, and of the old
 * pack enough is in use; all the same the next collection goes on, and copies nothing again. */
static void what_was_begun_is_ended(void **state)
{
	struct store *s = *state;
	const struct tape_gc_config cfg = { .live_percent = 100, .merge_packs = NEVER, .progress = stop_when_copied };
	struct tape_gc_report done;

	write_generation(s, 0, 100, 42);
	assert_int_equal(unload(s), 0);
	create(s, 2);
	s->attr.id = 2;
	load(s);
	write_generation(s, 0, 100, 40);
	s->attr.id = VOLUME;
	assert_int_equal(unload(s), 0);
	load(s);
	write_generation(s, 40, 200, 1);
	drop_old(s);
	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	assert_true(done.copied_bytes > 0);
	assert_int_equal(done.freed_packs, 0);
	restart(s);
	assert_true(stored(s) > 80 * 20000);
	assert_true(rows(s, 'M') > 0);
	done = gc_live(s, 50);
	assert_in_range(done.copied_bytes, 0, 20000);	/* where they part */
	assert_int_equal(done.freed_packs, 1);
	assert_int_equal(rows(s, 'M'), 0);
	assert_in_range(stored(s), 41 * 20000, 41 * 20000 + 60000);
	assert_records(s, 100, 40);
	assert_records(s, 200, 1);
}

static void copying_keeps_to_its_rate(void **state)
{
	struct store *s = *state;
	const struct tape_gc_config cfg = { .live_percent = 90, .merge_packs = NEVER, .rate_bytes = 200000 };
	struct tape_gc_report done;
	uint64_t began = clock_mono_ns();

	write_sparse(s, 5);
	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	assert_int_equal(done.freed_packs, 1);
	assert_true(clock_mono_ns() - began > 400000000);
}

/* Ten packs with a fifth in use each, and room for less than what is copied of one of them: then for a bit more. */
static void a_full_disk_is_emptied_pack_by_pack(void **state)
{
	const struct tape_gc_config cfg = { .live_percent = 50, .merge_packs = NEVER };
	struct store *s = *state;
	struct tape_gc_report done;

	for (unsigned i = 0; i < 10; i++) {
		locate(s, 8 * i);
		for (unsigned k = 0; k < 40; k++)
			put(s, 1000 * i + k, 20000);
		mark(s);
		restart(s);
	}
	drop_old(s);
	gc(s);
	assert_int_equal(packs_left(s), 10);
	packs_mem_set_space(s->packs, 100000, 1 << 30);
	assert_int_equal(tape_gc(s->shelf, &cfg, &done), -ENOSPC);
	assert_int_equal(packs_left(s), 10);
	packs_mem_set_space(s->packs, 400000, 1 << 30);
	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	rewind_tape(s);
	for (unsigned i = 0; i < 9; i++)
		assert_records(s, 1000 * i, 8);
	assert_records(s, 9000, 40);
	restart(s);
	assert_in_range(stored(s), 112 * 20000, 112 * 20000 + 100000);
}

/* A commit in the middle of a long write, then a crash: the page goes on behind the end of the tape.  Made here by
 * taking back the head and what is said of the use of the pack. */
static void what_lies_behind_the_end_is_left_behind(void **state)
{
	struct store *s = *state;
	struct map_key head = key_head(VOLUME, 1);
	struct buf was = BUF_INIT, use = BUF_INIT;
	struct kv_batch *b;
	struct kv_iter *it;
	size_t n;

	for (unsigned i = 0; i < 5; i++)
		put(s, 100 + i, 20000);
	mark(s);
	assert_int_equal(kv_get(s->kv, KV_MAP, head.b, head.len, &was), 0);
	for (unsigned i = 5; i < 60; i++)
		put(s, 100 + i, 20000);
	restart(s);
	assert_int_equal(kv_iter_new(s->kv, KV_MAP, &it), 0);
	kv_iter_seek(it, "U", 1);
	assert_int_equal(use_pack(5 * 20000, &use), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, kv_iter_key(it, &n), 17, use.data, use.len), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, head.b, head.len, was.data, was.len), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_iter_free(it);
	kv_batch_free(b);
	buf_fini(&was);
	buf_fini(&use);
	reload(s);
	assert_int_equal(gc_live(s, 50).freed_packs, 1);
	assert_int_equal(used(s), 5 * 20000);
	for (int i = 0; i < 2; i++) {
		rewind_tape(s);
		assert_records(s, 100, 5);
		assert_mark(s);
		if (i == 0)
			assert_eod(s);
		else
			assert_records(s, 700, 40);
		if (i == 0)
			for (unsigned k = 0; k < 40; k++)
				put(s, 700 + k, 20000);
		restart(s);
	}
}

static void drop_if_healed(struct store *s, bool healed)
{
	unsigned before = packs_left(s);

	gc_live(s, 50);
	assert_int_equal(packs_left(s), before - healed);
}

/* The file of a pack is lost; a later backup brings its chunks again: maps come to name those, and the loss is over. */
static void a_lost_pack_that_was_healed_goes(void **state)
{
	struct store *s = *state;
	uint64_t pack = 0, bytes;

	write_generation(s, 0, 100, 20);
	assert_int_equal(chunk_store_next_pack(s->cs, 0, &pack, &bytes), 0);
	write_generation(s, 0, 500, 1);
	assert_int_equal(packs_left(s), 2);
	assert_int_equal(pack_unlink(s->packs, pack), 0);
	restart(s);
	load_generation(s, 1);
	assert_true(read_any(s) < 0);
	reload(s);
	drop_if_healed(s, false);
	write_generation(s, 0, 100, 20);
	drop_if_healed(s, true);
	load_generation(s, 1);
	assert_records(s, 100, 20);
}

/* Every write fails in turn, every append and every sync: then the power goes, and it begins again. */
static int gc_with_fault(struct store *s, int kind, unsigned at)
{
	const struct tape_gc_config cfg = { .live_percent = 50, .merge_packs = NEVER };
	struct tape_gc_report done;
	int r;

	if (kind == 0)
		kv_mem_plan_fault(s->kv, at, -EIO);
	else if (kind == 1)
		packs_mem_plan_fault(s->packs, at, -EIO);
	else
		packs_mem_plan_sync_fault(s->packs, at, -EIO);
	r = tape_gc(s->shelf, &cfg, &done);
	kv_mem_plan_fault(s->kv, 0, -EIO);
	packs_mem_plan_fault(s->packs, 0, -EIO);
	packs_mem_plan_sync_fault(s->packs, 0, -EIO);
	return r;
}

static void assert_sparse(struct store *s, uint64_t seed)
{
	rewind_tape(s);
	assert_records(s, seed, 5);
	assert_records(s, seed + 100, 5);
}

static void copying_may_be_cut_anywhere(void **state)
{
	struct store *s = *state;
	uint64_t seed = 1000;

	for (int kind = 0; kind < 3; kind++) {
		unsigned failed = 0;

		for (unsigned at = 1; at < 30; at++, seed += 1000) {
			write_sparse_as(s, seed, 5);
			failed += gc_with_fault(s, kind, at) != 0;
			assert_sparse(s, seed);
			power_cut(s);
			assert_sparse(s, seed);
			gc_live(s, 50);
			assert_sparse(s, seed);
			restart(s);
			assert_sparse(s, seed);
			assert_int_equal(used(s), 10 * 20000);
			assert_in_range(stored(s), 10 * 20000, 10 * 20000 + 50000);
			drop_old(s);
		}
		/* And there are fewer steps than faults that were tried. */
		assert_in_range(failed, 1, 28);
	}
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
		with_store(what_a_commit_does_not_reach_is_not_freed),
		with_store(a_sparse_pack_is_copied_forward_and_removed),
		with_store(a_pack_with_enough_in_use_stays),
		with_store(a_pack_is_looked_at_once),
		with_store(a_large_pack_all_in_use_is_looked_at_again_when_something_is_taken),
		with_store(a_dry_run_tells_the_same_and_changes_nothing),
		with_store(a_dry_run_foresees_what_generations_would_give),
		with_store(what_is_shared_is_copied_once),
		with_store(many_small_packs_become_one),
		with_store(a_page_may_become_many),
		with_store(an_open_tape_is_written_on_after_its_pages_changed),
		with_store(a_tape_that_is_not_committed_is_committed_first),
		with_store(a_tape_that_cannot_be_committed_stays_as_it_is),
		with_store(readers_find_what_was_moved),
		with_store(it_stops_when_asked),
		with_store(what_was_begun_is_ended),
		with_store(copying_keeps_to_its_rate),
		with_store(a_full_disk_is_emptied_pack_by_pack),
		with_store(what_lies_behind_the_end_is_left_behind),
		with_store(a_lost_pack_that_was_healed_goes),
		with_store(copying_may_be_cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
