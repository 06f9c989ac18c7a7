/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collections beside tapes at work, with real workers, files and database: two that write on and on, and two on which
 * something is read while the packs that it lies in become sparse.  Every byte is checked.  And one that comes to a
 * tape whose rows are about to be written.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include <vtape/tape.h>

#include "lib/chance.h"
#include "tape/volume.h"

#define RUN_NS 3000000000ull
#define RUN_MAX_NS 60000000000ull	/* on a slow machine, until a pack was freed */
#define RECORD 30000u
#define RECORDS 60u

static char dir[] = "/tmp/vtape-gc-XXXXXX";
static struct kv *kv;
static struct packs *packs;
static struct workers *workers;
static struct chunk_store *cs;
static struct shelf *shelf;
static uint64_t until, until_at_most;
static bool freed;		/* atomic */

#define CHECK(c) check((c), #c, __LINE__)
static void check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	printf("line %d: %s; last words: %s\n", line, what, err_text(-EIO));
	fflush(stdout);
	abort();
}

static struct volume *open_new(uint64_t id)
{
	const struct volume_attr attr = { .id = id, .barcode = "T00001", .store = { .codec = CHUNK_LZ4 } };
	struct kv_batch *b;
	struct volume *v;

	CHECK(kv_batch_new(&b) == 0 && volume_create(b, id) == 0 && kv_write(kv, b, true) == 0);
	kv_batch_free(b);
	CHECK(volume_open(shelf, &attr, &v) == 0);
	return v;
}

static void drop_old(struct volume *v)
{
	struct kv_batch *b;
	uint64_t dropped;

	CHECK(kv_batch_new(&b) == 0);
	CHECK(volume_drop_generations(kv, b, volume_attr(v)->id, UINT64_MAX, &dropped) == 0);
	CHECK(kv_write(kv, b, true) == 0);
	kv_batch_free(b);
}

static void append(struct volume *v, uint64_t seed)
{
	uint8_t p[RECORD];

	chance_fill(p, RECORD, seed);
	CHECK(volume_append_record(v, 0, p, sizeof(p)) == 0);
}

static void assert_reads(struct volume_reader *r, uint64_t record, uint64_t seed)
{
	uint8_t want[RECORD], got[RECORD];

	chance_fill(want, RECORD, seed);
	CHECK(volume_reader_read(r, record * RECORD, got, sizeof(got)) == 0);
	CHECK(!memcmp(want, got, sizeof(got)));
}

static bool time_is_up(void)
{
	uint64_t now = clock_mono_ns();

	return now > until_at_most || (now > until && __atomic_load_n(&freed, __ATOMIC_RELAXED));
}

/* Record @i of a tape in its round @round; every third is on all tapes. */
static uint64_t seed_of(uint64_t tape, uint64_t round, uint64_t i)
{
	return i % 3 ? tape * 1000000 + round * 1000 + i : i;
}

/* Writes, commits now and then, reads what it has, begins again. */
static void *write_on(void *ctx)
{
	uint64_t tape = *(uint64_t *)ctx;
	struct volume *v = open_new(tape);

	for (uint64_t round = 0; !time_is_up(); round++) {
		struct volume_reader *r;

		CHECK(volume_truncate(v, 0, 0) == 0);
		for (uint64_t i = 0; i < RECORDS; i++) {
			append(v, seed_of(tape, round, i));
			if (i % 7 == 0)
				CHECK(volume_commit(v) == 0);
		}
		CHECK(volume_commit(v) == 0);
		drop_old(v);
		CHECK(volume_reader_new(v, 0, &r) == 0);
		for (uint64_t i = 0; i < RECORDS; i++)
			assert_reads(r, i, seed_of(tape, round, i));
		volume_reader_free(r);
		if (round % 4 == 3) {
			const struct volume_attr attr = *volume_attr(v);
			int error;

			volume_close(v, &error);
			CHECK(error == 0);
			CHECK(volume_open(shelf, &attr, &v) == 0);
		}
	}
	volume_close(v, NULL);
	return NULL;
}

/* Every fifth record of another tape comes to this one too; then it goes from the other, and this one is read. */
static void *read_on(void *ctx)
{
	uint64_t tape = *(uint64_t *)ctx;
	struct volume *v = open_new(tape), *other = open_new(tape + 100);

	for (uint64_t round = 0; !time_is_up(); round++) {
		struct volume_reader *r[2];

		CHECK(volume_truncate(other, 0, 0) == 0 && volume_truncate(v, 0, 0) == 0);
		for (uint64_t i = 0; i < RECORDS; i++)
			append(other, seed_of(tape, round, i));
		CHECK(volume_commit(other) == 0);
		for (uint64_t i = 0; i < RECORDS; i += 5)
			append(v, seed_of(tape, round, i));
		CHECK(volume_commit(v) == 0);
		CHECK(volume_truncate(other, 0, 0) == 0 && volume_append_filemark(other, 0) == 0);
		CHECK(volume_commit(other) == 0);
		drop_old(other);
		drop_old(v);
		for (int i = 0; i < 2; i++)
			CHECK(volume_reader_new(v, 0, &r[i]) == 0);
		for (unsigned pass = 0; pass < 20; pass++)
			for (uint64_t i = 0; i < RECORDS / 5; i++) {
				assert_reads(r[0], i, seed_of(tape, round, i * 5));
				assert_reads(r[1], RECORDS / 5 - 1 - i, seed_of(tape, round, RECORDS - 5 - i * 5));
			}
		for (int i = 0; i < 2; i++)
			volume_reader_free(r[i]);
	}
	volume_close(v, NULL);
	volume_close(other, NULL);
	return NULL;
}

static void *collect(void *ctx)
{
	struct tape_gc_report *sum = ctx;

	for (unsigned i = 0; !time_is_up(); i++) {
		const struct tape_gc_config cfg = { .live_percent = i % 4 ? 70 : 100, .merge_packs = 4 };
		struct tape_gc_report done;

		CHECK(tape_gc(shelf, &cfg, &done) == 0);
		sum->freed_packs += done.freed_packs;
		sum->copied_bytes += done.copied_bytes;
		__atomic_store_n(&freed, sum->freed_packs && sum->copied_bytes, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void found_fault(void *ctx, uint64_t volume, const char *what, bool repaired)
{
	(void)ctx;
	(void)repaired;
	printf("volume %llu: %s\n", (unsigned long long)volume, what);
}

static void tapes_are_written_and_read_beside_the_collector(void **state)
{
	uint64_t tapes[4] = { 1, 2, 3, 4 };
	const struct tape_check_config cfg = { .found = found_fault };
	struct tape_gc_report sum = { 0 };
	struct tape_checked checked;
	pthread_t t[5];

	(void)state;
	until = clock_mono_ns() + RUN_NS;
	until_at_most = clock_mono_ns() + RUN_MAX_NS;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, i < 2 ? write_on : read_on, &tapes[i]), 0);
	assert_int_equal(pthread_create(&t[4], NULL, collect, &sum), 0);
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(tape_check(shelf, &cfg, &checked), 0);
	assert_int_equal(checked.faults, 0);
	printf("%llu packs freed, %llu bytes copied\n", (unsigned long long)sum.freed_packs,
	       (unsigned long long)sum.copied_bytes);
	assert_true(sum.freed_packs > 0 && sum.copied_bytes > 0);
}

/* ---- a tape that is being committed ------------------------------------------------------------------------------ */

static struct volume *committing;
static pthread_barrier_t meet;

static void page_rows(struct buf *out)
{
	struct kv_iter *it;

	CHECK(kv_iter_new(kv, KV_MAP, &it) == 0);
	for (kv_iter_seek(it, "C", 1); kv_iter_in(it, "C", 1); kv_iter_next(it)) {
		size_t n;
		const uint8_t *value = kv_iter_value(it, &n);

		CHECK(buf_append(out, value, n) == 0);
	}
	kv_iter_free(it);
}

/* As a commit does: nobody changes pages and use rows of the tape's maps until it is done. */
static void *hold_rows(void *ctx)
{
	const struct timespec a_while = { .tv_nsec = 300 * 1000 * 1000 };
	struct buf before = BUF_INIT, after = BUF_INIT;

	(void)ctx;
	pthread_barrier_wait(&meet);
	pthread_mutex_lock(&committing->writing);
	page_rows(&before);
	pthread_barrier_wait(&meet);
	nanosleep(&a_while, NULL);
	page_rows(&after);
	CHECK(before.len == after.len && !memcmp(before.data, after.data, after.len));
	pthread_mutex_unlock(&committing->writing);
	buf_fini(&before);
	buf_fini(&after);
	return NULL;
}

/* Chunks were copied, and the maps are about to be told. */
static int meet_once(void *ctx, const struct tape_gc_report *so_far)
{
	bool *met = ctx;

	if (so_far->copied_bytes && !*met) {
		*met = true;
		pthread_barrier_wait(&meet);
		pthread_barrier_wait(&meet);
	}
	return 0;
}

static void the_collector_waits_for_a_commit(void **state)
{
	struct volume *other = open_new(110);
	struct volume_reader *r;
	bool met = false;
	const struct tape_gc_config cfg = { .live_percent = 70, .merge_packs = 99, .progress = meet_once, .ctx = &met };
	struct tape_gc_report done;
	pthread_t t;

	(void)state;
	committing = open_new(10);
	for (uint64_t i = 0; i < RECORDS; i++)
		append(other, 9000 + i);
	CHECK(volume_commit(other) == 0);
	for (uint64_t i = 0; i < RECORDS; i += 5)
		append(committing, 9000 + i);
	CHECK(volume_commit(committing) == 0);
	CHECK(volume_truncate(other, 0, 0) == 0);
	CHECK(volume_commit(other) == 0);
	drop_old(other);
	volume_close(other, NULL);
	pthread_barrier_init(&meet, NULL, 2);
	assert_int_equal(pthread_create(&t, NULL, hold_rows, NULL), 0);
	CHECK(tape_gc(shelf, &cfg, &done) == 0);
	assert_true(met);
	pthread_join(t, NULL);
	assert_true(done.freed_packs > 0);
	CHECK(volume_reader_new(committing, 0, &r) == 0);
	for (uint64_t i = 0; i < RECORDS / 5; i++)
		assert_reads(r, i, 9000 + 5 * i);
	volume_reader_free(r);
	volume_close(committing, NULL);
	pthread_barrier_destroy(&meet);
}

static int up(void **state)
{
	const struct chunk_store_config cfg = { .params = chunk_params_of(8 << 10), .key = { 1 } };
	char path[64];

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/kv", dir);
	assert_int_equal(kv_open(path, true, 8 << 20, &kv), 0);
	assert_int_equal(packs_open(dir, &packs), 0);
	assert_int_equal(workers_new(2, &workers), 0);
	assert_int_equal(chunk_store_open(kv, packs, workers, &cfg, &cs), 0);
	return shelf_new(kv, cs, &shelf);
}

static int down(void **state)
{
	char command[80];

	(void)state;
	shelf_free(shelf);
	chunk_store_close(cs);
	workers_free(workers);
	packs_close(packs);
	kv_close(kv);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_collector_waits_for_a_commit),
		cmocka_unit_test(tapes_are_written_and_read_beside_the_collector),
	};

	return cmocka_run_group_tests(tests, up, down);
}
