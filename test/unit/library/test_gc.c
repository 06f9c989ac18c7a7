/* SPDX-License-Identifier: BSD-2-Clause */
/* Space comes back: after the keep time, after deletions, and never while somebody may want it. */
#include "store.h"

#define MINUTE_NS (60ull * 1000000000ull)
#define DAY_NS (24ull * 60 * MINUTE_NS)

static int count_generation(void *ctx, const struct volume_stat *st) { (*(unsigned *)ctx)++; return 0; }

static unsigned generations(struct store *s, uint64_t id)
{
	unsigned n = 0;

	assert_int_equal(volume_history(s->kv, id, count_generation, &n), 0);
	return n;
}

static uint64_t collect(struct store *s)
{
	const struct tape_gc_config cfg = { 0 };
	struct library_gc_report done = { 0 };
	int r = library_gc(s->lib, &cfg, &done);

	if (r)
		fail_msg("gc: %s", err_text(r));
	return done.tape.freed_bytes;
}

/* 4 MiB that no two @seed share. */
static void write_noise(struct store *s, uint64_t id, uint64_t seed)
{
	struct volume *v = claim(s, id, CLAIM_WRITE);
	static uint8_t noise[1 << 18];

	assert_int_equal(volume_truncate(v, 0, 0), 0);
	for (int i = 0; i < 16; i++) {
		chance_bytes(&seed, noise, sizeof(noise));
		assert_int_equal(volume_append_record(v, 0, noise, sizeof(noise)), 0);
	}
	release(s, id, CLAIM_WRITE);
}

static uint64_t stored(struct store *s)
{
	struct chunk_totals t;

	chunk_store_totals(s->cs, &t);
	return t.stored_bytes;
}

static void an_overwritten_tape_is_kept_for_its_time(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), t = 1000 * DAY_NS;

	clock_retention_set(t);
	write_noise(s, a, 1);
	write_noise(s, a, 2);
	assert_int_equal(generations(s, a), 2);
	clock_retention_set(t + 7 * DAY_NS - MINUTE_NS);
	collect(s);
	assert_int_equal(generations(s, a), 2);
	/* The clock on the wall may say what it likes. */
	clock_set(t + 700 * DAY_NS);
	collect(s);
	assert_int_equal(generations(s, a), 2);
	clock_set(0);
	clock_retention_set(t + 7 * DAY_NS + MINUTE_NS);
	collect(s);
	assert_int_equal(generations(s, a), 1);
}

static void the_space_of_a_deleted_tape_comes_back(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), b = make(s, "A00002"), before;

	write_noise(s, a, 1);
	store_restart(s);
	write_noise(s, b, 2);
	store_restart(s);
	before = stored(s);
	assert_true(before > 8u << 20);
	assert_int_equal(library_volume_delete(s->lib, a), 0);
	assert_true(collect(s) >= 4u << 20);
	assert_true(stored(s) <= before - (4u << 20));
	assert_true(events(s, EVENT_SPACE_FREED, NULL) >= 1);
	/* The other one is whole, now and after the power fails. */
	store_cut(s);
	assert_int_equal(stat_of(s, b).end.bytes, 4u << 20);
	collect(s);
	claim(s, b, CLAIM_READ);
	release(s, b, CLAIM_READ);
}

static uint64_t on_disk(struct store *s)
{
	uint64_t number = 0, bytes, sum = 0;

	for (; chunk_store_next_pack(s->cs, number, &number, &bytes) == 0; number++)
		sum += bytes;
	return sum;
}

/* Generations past their time, one of a locked tape, and a tape that was deleted. */
static void what_a_dry_run_tells_is_what_a_run_gives(void **state)
{
	struct tape_gc_config cfg = { .live_percent = 100, .dry_run = true };
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), b = make(s, "A00002"), c = make(s, "A00003"), t = 1000 * DAY_NS, before, gives;
	struct library_gc_report dry = { 0 }, done = { 0 };

	clock_retention_set(t);
	write_noise(s, a, 1);
	write_noise(s, b, 2);
	write_noise(s, c, 3);
	write_noise(s, a, 4);
	write_noise(s, b, 5);
	assert_int_equal(library_volume_lock(s->lib, b, clock_now_ns() + DAY_NS), 0);
	assert_int_equal(library_volume_delete(s->lib, c), 0);
	store_restart(s);
	clock_retention_set(t + 8 * DAY_NS);
	before = on_disk(s);
	assert_int_equal(library_gc(s->lib, &cfg, &dry), 0);
	assert_int_equal(dry.dropped_generations, 1);
	assert_int_equal(generations(s, a), 2);
	assert_int_equal(on_disk(s), before);
	cfg.dry_run = false;
	assert_int_equal(library_gc(s->lib, &cfg, &done), 0);
	assert_int_equal(done.dropped_generations, 1);
	assert_int_equal(done.tape.garbage_bytes, dry.tape.garbage_bytes);
	assert_int_equal(done.tape.copy_bytes, dry.tape.copy_bytes);
	assert_int_equal(done.tape.candidates, dry.tape.candidates);
	store_restart(s);
	gives = before - on_disk(s);
	assert_in_range(gives, 8u << 20, 9u << 20);
	assert_in_range(dry.tape.garbage_bytes, gives - gives / 20, gives + gives / 20);
	assert_int_equal(generations(s, a), 1);
	assert_int_equal(generations(s, b), 2);
}

static void what_two_tapes_share_stays_with_the_other(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), b = make(s, "A00002");
	static uint8_t got[1 << 18], want[1 << 18];
	struct volume_reader *r;
	struct volume *v;
	uint64_t seed = 7;

	write_noise(s, a, 7);
	write_noise(s, b, 7);
	assert_int_equal(library_volume_delete(s->lib, a), 0);
	collect(s);
	store_restart(s);
	v = claim(s, b, CLAIM_READ);
	assert_int_equal(volume_reader_new(v, 0, &r), 0);
	for (int i = 0; i < 16; i++) {
		chance_bytes(&seed, want, sizeof(want));
		assert_int_equal(volume_reader_read(r, (uint64_t)i * sizeof(got), got, sizeof(got)), 0);
		assert_memory_equal(got, want, sizeof(got));
	}
	volume_reader_free(r);
	release(s, b, CLAIM_READ);
}

static void keep_nothing(struct store *s)
{
	struct catalog_pool p;

	assert_int_equal(catalog_pool_get(s->cat, CATALOG_POOL_DEFAULT, &p), 0);
	p.keep_s = 0;
	assert_int_equal(catalog_pool_put(s->cat, &p), 0);
}

static void a_tape_that_is_being_written_loses_nothing(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v;

	keep_nothing(s);
	write_noise(s, a, 1);
	v = claim(s, a, CLAIM_WRITE);
	assert_int_equal(volume_truncate(v, 0, 8), 0);
	assert_int_equal(volume_append_record(v, 0, "hello", 5), 0);
	collect(s);
	assert_int_equal(volume_append_record(v, 0, "again", 5), 0);
	release(s, a, CLAIM_WRITE);
	collect(s);
	assert_int_equal(generations(s, a), 1);
	store_cut(s);
	assert_int_equal(stat_of(s, a).end.bytes, 8 * (1u << 18) + 10);
	collect(s);
	claim(s, a, CLAIM_READ);
	release(s, a, CLAIM_READ);
}

/* A crash between the commit of the first write and the catalog's word of it. */
static void a_written_tape_does_not_stay_scratch(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v = claim(s, a, CLAIM_WRITE);

	assert_int_equal(volume_append_record(v, 0, "hello", 5), 0);
	assert_int_equal(volume_commit(v), 0);
	release(s, a, CLAIM_WRITE);
	struct catalog_volume row = row_of(s, a);
	row.state = STATE_SCRATCH;
	assert_int_equal(catalog_volume_put(s->cat, &row, NULL), 0);
	store_restart(s);
	collect(s);
	assert_int_equal(row_of(s, a).state, STATE_ASSIGNED);
}

static void deletions_are_collected_by_the_thread(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), before;

	write_noise(s, a, 1);
	store_restart(s);
	before = stored(s);
	assert_int_equal(library_volume_delete(s->lib, a), 0);
	for (int i = 0; i < 80 && stored(s) >= before; i++)
		usleep(100000);
	assert_true(stored(s) < before);
}

static void nothing_is_freed_while_gc_is_off(void **state)
{
	const struct tape_gc_config real = { 0 }, dry = { .dry_run = true };
	struct store *s = *state;
	struct catalog_store props;
	struct library_gc_report done;
	uint64_t a = make(s, "A00001");

	write_noise(s, a, 1);
	assert_int_equal(library_volume_delete(s->lib, a), 0);
	assert_int_equal(catalog_store_get(s->cat, &props), 0);
	props.gc_off = true;
	assert_int_equal(catalog_store_put(s->cat, &props), 0);
	assert_refused(library_gc(s->lib, &real, &done), -EPERM, "gc=on");
	assert_int_equal(library_gc(s->lib, &dry, &done), 0);
	assert_true(stored(s) >= 4 << 20);
	props.gc_off = false;
	assert_int_equal(catalog_store_put(s->cat, &props), 0);
	assert_true(collect(s) >= 4 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(an_overwritten_tape_is_kept_for_its_time),
		ON_A_STORE(nothing_is_freed_while_gc_is_off),
		ON_A_STORE(the_space_of_a_deleted_tape_comes_back),
		ON_A_STORE(what_a_dry_run_tells_is_what_a_run_gives),
		ON_A_STORE(what_two_tapes_share_stays_with_the_other),
		ON_A_STORE(a_tape_that_is_being_written_loses_nothing),
		ON_A_STORE(a_written_tape_does_not_stay_scratch),
		ON_A_STORE(deletions_are_collected_by_the_thread),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
