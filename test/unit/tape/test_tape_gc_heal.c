/* SPDX-License-Identifier: BSD-2-Clause */
/* tape_gc and damage: what was healed stays healed, whatever is freed. */
#include <limits.h>

#include "unit/tape/tape_store.h"

#define OTHER 8u
#define RECORD 50000u
#define RECORDS 10u

static struct tape_gc_report gc_live(struct store *s, unsigned percent, bool dry_run)
{
	const struct tape_gc_config cfg = { .live_percent = percent, .merge_packs = UINT_MAX, .dry_run = dry_run };
	struct tape_gc_report done;

	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	return done;
}

static void write_records(struct store *s, uint64_t seed, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put(s, seed + i, RECORD);
	mark(s);
	restart(s);
}

static void assert_records(struct store *s, uint64_t seed, unsigned n)
{
	rewind_tape(s);
	for (unsigned i = 0; i < n; i++)
		assert_record(s, seed + i, RECORD);
}

static void change_tape(struct store *s, uint64_t id)
{
	assert_int_equal(unload(s), 0);
	s->attr.id = id;
	load(s);
}

static void destroy(struct store *s, uint64_t id)
{
	struct kv_batch *b;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_destroy(s->kv, b, id), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
}

static void start_again(struct store *s)
{
	assert_int_equal(unload(s), 0);
	destroy(s, VOLUME);
	gc_live(s, 0, false);
	create(s, VOLUME);
	load(s);
}

/* Whoever reads it notices. */
static void notice(struct store *s)
{
	int r = 0;

	rewind_tape(s);
	for (unsigned i = 0; i < RECORDS; i++)
		r |= read_any(s);
	assert_true(r < 0);
}

/* The same records on another tape: it brings the damaged chunks anew, and nothing else. */
static void heal(struct store *s)
{
	create(s, OTHER);
	change_tape(s, OTHER);
	write_records(s, 100, RECORDS);
	change_tape(s, VOLUME);
	assert_records(s, 100, RECORDS);
}

static void damage_some(struct store *s)
{
	write_records(s, 100, RECORDS);
	injure(s, chunk_at(s, 0, 3 * RECORD));
	injure(s, chunk_at(s, 0, 7 * RECORD));
	notice(s);
}

static void lose_all(struct store *s)
{
	write_records(s, 100, RECORDS);
	lose(s, chunk_at(s, 0, 0).pack);
	notice(s);
}

static unsigned packs_left(struct store *s)
{
	uint64_t number = 0, bytes;
	unsigned n = 0;

	for (; chunk_store_next_pack(s->cs, number, &number, &bytes) == 0; number++)
		n++;
	return n;
}

/* In each way to be damaged, for each kind of collection. */
static void stays_healed(struct store *s, void (*damage)(struct store *s), unsigned percent)
{
	damage(s);
	heal(s);
	destroy(s, OTHER);
	gc_live(s, percent, true);
	assert_records(s, 100, RECORDS);
	gc_live(s, percent, false);
	assert_records(s, 100, RECORDS);
	restart(s);
	assert_records(s, 100, RECORDS);
	gc_live(s, percent, false);
	assert_records(s, 100, RECORDS);
}

static void what_a_deleted_tape_healed_stays_healed(void **state)
{
	stays_healed(*state, damage_some, 0);
}

static void what_a_deleted_tape_healed_stays_healed_where_packs_are_copied(void **state)
{
	stays_healed(*state, damage_some, 90);
}

static void a_lost_pack_stays_healed(void **state)
{
	stays_healed(*state, lose_all, 0);
}

static void a_lost_pack_stays_healed_where_packs_are_copied(void **state)
{
	stays_healed(*state, lose_all, 90);
}

/* The tape that heals has other things too: most of its pack is garbage once it was cut, and is not all copied. */
static void what_healed_outlives_its_sparse_pack(void **state)
{
	struct store *s = *state;
	uint64_t dropped;
	struct kv_batch *b;

	damage_some(s);
	create(s, OTHER);
	change_tape(s, OTHER);
	for (unsigned i = 0; i < 20; i++)
		put(s, 500 + i, RECORD);
	write_records(s, 100, RECORDS);
	locate(s, 5);
	mark(s);
	restart(s);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_drop_generations(s->kv, b, OTHER, UINT64_MAX, &dropped), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	change_tape(s, VOLUME);
	assert_true(gc_live(s, 50, false).freed_packs > 0);
	assert_records(s, 100, RECORDS);
	change_tape(s, OTHER);
	assert_records(s, 500, 5);
	change_tape(s, VOLUME);
}

/* Only what is damaged goes elsewhere, and that is there already. */
static void healing_copies_nothing(void **state)
{
	struct store *s = *state;
	struct pack_ref hurt;
	struct tape_gc_report done;

	damage_some(s);
	hurt = chunk_at(s, 0, 3 * RECORD);
	heal(s);
	destroy(s, OTHER);
	done = gc_live(s, 0, false);
	assert_int_equal(done.copied_bytes, 0);
	assert_int_equal(packs_left(s), 2);
	restart(s);
	assert_true(chunk_at(s, 0, 3 * RECORD).pack != hurt.pack);
	assert_int_equal(chunk_at(s, 0, 5 * RECORD).pack, hurt.pack);
}

/* Nothing is there in its place: it stays as it is, and does not hold up the rest. */
static void what_cannot_be_healed_holds_up_nothing(void **state)
{
	struct store *s = *state;

	damage_some(s);
	create(s, OTHER);
	change_tape(s, OTHER);
	write_records(s, 500, RECORDS);
	change_tape(s, VOLUME);
	destroy(s, OTHER);
	assert_int_equal(gc_live(s, 0, false).freed_packs, 1);
	notice(s);
}

/* The tape is committed for it.  If that fails, nothing is removed this time. */
static void a_tape_that_is_written_on_stays_healed(void **state)
{
	struct store *s = *state;

	for (unsigned fails = 0; fails < 2; fails++) {
		damage_some(s);
		heal(s);
		assert_mark(s);
		put(s, 300, RECORD);
		destroy(s, OTHER);
		if (fails)
			packs_mem_plan_sync_fault(s->packs, 1, -EIO);
		assert_int_equal(gc_live(s, 0, false).freed_packs, 0);
		packs_mem_plan_sync_fault(s->packs, 0, -EIO);
		if (fails) {
			assert_true(unload(s) < 0);
			load(s);
		} else {
			power_cut(s);
		}
		assert_records(s, 100, RECORDS);
		assert_int_equal(gc_live(s, 0, false).freed_packs, 0);
		assert_records(s, 100, RECORDS);
		start_again(s);
	}
}

/* Every write fails in turn; then the power goes. */
static void healing_may_be_cut_anywhere(void **state)
{
	struct store *s = *state;
	const struct tape_gc_config cfg = { .live_percent = 0 };
	struct tape_gc_report done;
	bool failed = true;

	for (unsigned at = 1; failed; at++) {
		damage_some(s);
		heal(s);
		destroy(s, OTHER);
		kv_mem_plan_fault(s->kv, at, -EIO);
		failed = tape_gc(s->shelf, &cfg, &done) != 0;
		kv_mem_plan_fault(s->kv, 0, -EIO);
		power_cut(s);
		assert_records(s, 100, RECORDS);
		gc_live(s, 0, false);
		assert_records(s, 100, RECORDS);
		start_again(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(what_a_deleted_tape_healed_stays_healed),
		with_store(what_a_deleted_tape_healed_stays_healed_where_packs_are_copied),
		with_store(a_lost_pack_stays_healed),
		with_store(a_lost_pack_stays_healed_where_packs_are_copied),
		with_store(what_healed_outlives_its_sparse_pack),
		with_store(healing_copies_nothing),
		with_store(what_cannot_be_healed_holds_up_nothing),
		with_store(a_tape_that_is_written_on_stays_healed),
		with_store(healing_may_be_cut_anywhere),
	};

	return cmocka_run_group_tests_name("tape_gc_heal", tests, NULL, NULL);
}
