/* SPDX-License-Identifier: BSD-2-Clause */
/* volume_commit: what is durable when, the power cut at each step, and what happens when storing fails. */
#include "unit/tape/tape_store.h"

#include <pthread.h>

static void a_filemark_is_a_promise(void **state)
{
	struct store *s = *state;

	put(s, 1, 5000);
	mark(s);
	put(s, 2, 5000);
	power_cut(s);
	assert_int_equal(objects(s), 2);
	assert_record(s, 1, 5000);
	assert_mark(s);
}

static void an_immediate_filemark_is_none(void **state)
{
	struct store *s = *state;

	put(s, 1, 5000);
	mark_immed(s);
	power_cut(s);
	assert_int_equal(objects(s), 0);
}

static void no_filemarks_at_all_are_a_flush(void **state)
{
	struct store *s = *state;

	put(s, 1, 5000);
	assert_int_equal(drive_write_filemarks(s->drive, 0, false), 0);
	power_cut(s);
	assert_int_equal(objects(s), 1);
	assert_record(s, 1, 5000);
}

static void flush_rewind_erase_and_unload_are_promises(void **state)
{
	struct store *s = *state;

	put(s, 1, 100);
	assert_int_equal(drive_flush(s->drive), 0);
	power_cut(s);
	assert_int_equal(objects(s), 1);
	assert_int_equal(drive_space_eod(s->drive), 0);
	put(s, 2, 100);
	rewind_tape(s);
	power_cut(s);
	assert_int_equal(objects(s), 2);
	assert_int_equal(drive_space_eod(s->drive), 0);
	put(s, 3, 100);
	assert_int_equal(drive_unload(s->drive), 0);
	assert_int_equal(drive_load(s->drive, s->vol), 0);
	power_cut(s);
	assert_int_equal(objects(s), 3);
	locate(s, 1);
	assert_int_equal(drive_erase(s->drive), 0);
	power_cut(s);
	assert_int_equal(objects(s), 1);
}

static void a_commit_of_nothing_writes_nothing(void **state)
{
	struct store *s = *state;

	put(s, 1, 100);
	mark(s);
	kv_mem_plan_fault(s->kv, 1, -EIO);
	packs_mem_plan_sync_fault(s->packs, 1, -EIO);
	for (int i = 0; i < 3; i++)
		assert_int_equal(volume_commit(s->vol), 0);
	rewind_tape(s);
	assert_int_equal(drive_write_filemarks(s->drive, 0, false), 0);
	kv_mem_plan_fault(s->kv, 0, -EIO);
	packs_mem_plan_sync_fault(s->packs, 0, -EIO);
}

/* ---- the power fails at a numbered step ------------------------------------------------------------------------- */

/* Between 2 and 3: packs are synced, the batch never was. */
static void cut_before_the_batch_is_the_last_commit(void **state)
{
	struct store *s = *state;

	put(s, 1, 5000);
	mark(s);
	put(s, 2, 50000);
	kv_mem_plan_fault(s->kv, 1, -EIO);
	assert_int_equal(drive_flush(s->drive), -EIO);
	power_cut(s);
	assert_int_equal(objects(s), 2);
	assert_record(s, 1, 5000);
	assert_mark(s);
	assert_eod(s);
}

/* The batch failed and the next one does not: nothing was lost by it. */
static void a_commit_that_failed_can_be_tried_again(void **state)
{
	struct store *s = *state;

	put(s, 1, 50000);
	mark(s);
	put(s, 2, 50000);
	for (unsigned i = 0; i < 3; i++) {
		kv_mem_plan_fault(s->kv, 1, -EIO);
		assert_int_equal(drive_flush(s->drive), -EIO);
		assert_int_equal(objects(s), 3);
	}
	put(s, 3, 50000);
	assert_int_equal(drive_flush(s->drive), 0);
	power_cut(s);
	assert_record(s, 1, 50000);
	assert_mark(s);
	assert_record(s, 2, 50000);
	assert_record(s, 3, 50000);
	assert_eod(s);
}

/* Nobody knows what a write left that failed (kv.h).  Pages that it may have left and that are cut off then must not be
 * found in the middle of what is written later. */
static void pages_of_a_failed_commit_do_not_come_back(void **state)
{
	struct store *s = *state;
	struct map_key ghost;
	struct kv_batch *b;
	uint64_t map;

	put(s, 0, 10);
	mark(s);
	for (uint64_t i = 2; i < 3 * PAGE_RUNS_MAX; i++)
		put(s, i, 1 + i % 2);
	kv_mem_plan_fault(s->kv, 1, -EIO);
	assert_int_equal(drive_flush(s->drive), -EIO);
	/* The failed batch left this page, as it were. */
	map = s->vol->head.part[0].stretch[0].map;
	ghost = key_page(PAGE_OBJECTS, map, PAGE_RUNS_MAX);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, ghost.b, ghost.len, "ghost", 5), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	locate(s, 3);
	for (uint64_t i = 3; i < 2 * PAGE_RUNS_MAX; i++)
		put(s, i, 20);
	mark(s);
	restart(s);
	assert_int_equal(generation(s), 1);
	/* From the end, so that no page that is in memory already hides a row. */
	for (uint64_t i = 2 * PAGE_RUNS_MAX; i-- > 3;) {
		locate(s, i);
		assert_record(s, i, 20);
	}
	locate(s, 2 * PAGE_RUNS_MAX);
	assert_mark(s);
	assert_eod(s);
}

/* Between 1 and 2: the sync fails.  What it was to make safe is gone from the tape, and whoever asked is told. */
static void a_failed_sync_moves_the_end_back_to_the_last_commit(void **state)
{
	struct store *s = *state;

	put(s, 1, 5000);
	mark(s);
	put(s, 2, 50000);
	put(s, 3, 50000);
	packs_mem_plan_sync_fault(s->packs, 1, -EIO);
	assert_int_equal(drive_flush(s->drive), -EIO);
	if (objects(s) > 2)	/* it may be tried again, but then what is promised must be true */
		assert_int_not_equal(drive_flush(s->drive), 0);
	power_cut(s);
	assert_int_equal(objects(s), 2);
	assert_record(s, 1, 5000);
}

/* ---- storing fails ---------------------------------------------------------------------------------------------- */

/* Told once, by the next operation; then writing goes on behind the last whole object that is stored. */
static void a_deferred_error_is_told_once(void **state)
{
	struct store *s = *state;
	uint64_t left;
	int r = 0;

	put(s, 1, 5000);
	mark(s);
	packs_mem_plan_fault(s->packs, 30, -EIO);
	for (uint64_t i = 2; i < 5000 && !r; i++)
		r = try_put(s, i, 5000);
	assert_int_equal(r, -EIO);
	left = objects(s);
	assert_in_range(left, 2, 200);
	assert_int_equal(position(s), left);
	put(s, 1000, 5000);
	mark(s);
	power_cut(s);
	assert_int_equal(objects(s), left + 2);
	assert_record(s, 1, 5000);
	assert_mark(s);
	for (uint64_t i = 2; i < left; i++)
		assert_record(s, i, 5000);
	assert_record(s, 1000, 5000);
	assert_mark(s);
	assert_eod(s);
}

/* What another partition was given, and no commit has covered, lies in the same pack. */
static void a_failed_sync_promises_nothing_in_another_partition(void **state)
{
	struct store *s = *state;
	struct tape_tally end;

	rewind_tape(s);
	assert_int_equal(drive_format(s->drive, 2), 0);
	put(s, 1, 50000);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	put(s, 2, 100);
	packs_mem_plan_fault(s->packs, 1, -EIO);
	packs_mem_plan_sync_fault(s->packs, 1, -EIO);
	put(s, 3, 50000);
	assert_int_equal(drive_flush(s->drive), -EIO);
	put(s, 4, 50000);
	mark(s);
	assert_int_equal(volume_end(s->vol, 0, &end), 0);
	assert_int_equal(end.objects, 0);
	power_cut(s);
	assert_int_equal(volume_end(s->vol, 0, &end), 0);
	assert_int_equal(end.objects, 0);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	assert_record(s, 4, 50000);
	assert_mark(s);
	assert_eod(s);
}

static void a_commit_beside_covers_what_is_stored(void **state)
{
	struct store *s = *state;

	assert_int_equal(volume_commit_beside(s->vol), 0);
	put(s, 1, 5000);
	mark_immed(s);
	put(s, 2, 5000);
	assert_int_equal(volume_committed(s->vol, 0), 0);
	assert_int_equal(volume_commit_beside(s->vol), 0);
	assert_int_equal(volume_committed(s->vol, 0), 2);
	assert_int_equal(volume_committed(s->vol, 7), 0);
	power_cut(s);
	assert_int_equal(objects(s), 2);
	assert_int_equal(volume_committed(s->vol, 0), 2);
	assert_record(s, 1, 5000);
	assert_mark(s);
}

struct beside { struct volume *vol; bool stop; int r; };

static void *commits_beside(void *ctx)
{
	struct beside *b = ctx;

	while (!b->r && !__atomic_load_n(&b->stop, __ATOMIC_RELAXED))
		b->r = volume_commit_beside(b->vol);
	return NULL;
}

/* Appends go on between a commit's steps; what is cut off, another partition and another format wait for it. */
static void commits_beside_change_nothing(void **state)
{
	struct store *s = *state;
	struct beside b = { .vol = s->vol };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, commits_beside, &b), 0);
	for (unsigned round = 0; round < 30; round++) {
		rewind_tape(s);
		assert_int_equal(drive_format(s->drive, 1 + round % 2), 0);
		for (unsigned i = 0; i < 40; i++) {
			put(s, round * 100 + i, 100 + i * 1500);
			if (i % 9 == 0)
				mark_immed(s);
		}
		locate(s, 20);
		put(s, 7, 50000);
		if (round % 2) {
			assert_int_equal(drive_locate(s->drive, 1, 0), 0);
			put(s, 8, 50000);
			assert_int_equal(drive_locate(s->drive, 0, 21), 0);
		}
		mark_immed(s);
		put(s, 9, 50000);
		assert_int_equal(objects(s), 23);
	}
	mark(s);
	__atomic_store_n(&b.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(b.r, 0);
	power_cut(s);
	assert_int_equal(objects(s), 24);
	assert_record(s, 29 * 100, 100);
	assert_mark(s);
	assert_int_equal(drive_locate(s->drive, 0, 20), 0);
	assert_record(s, 7, 50000);
	assert_mark(s);
	assert_record(s, 9, 50000);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	assert_record(s, 8, 50000);
}

static void a_filemark_tells_a_deferred_error(void **state)
{
	struct store *s = *state;

	put(s, 1, 200000);
	packs_mem_plan_fault(s->packs, 3, -ENOSPC);
	assert_int_equal(drive_write_filemarks(s->drive, 1, false), -ENOSPC);
	assert_non_null(strstr(err_text(-ENOSPC), "A00001"));
	assert_int_equal(objects(s), 0);
	assert_int_equal(position(s), 0);
	mark(s);
	assert_int_equal(objects(s), 1);
}

/* A reader that waits for bytes under way may be the one who learns it. */
static void a_read_finds_the_head_at_the_end_after_a_failure(void **state)
{
	struct store *s = *state;

	put(s, 1, 5000);
	mark(s);
	put(s, 2, 100000);
	put(s, 3, 100000);
	locate(s, 3);
	packs_mem_plan_fault(s->packs, 2, -EIO);
	assert_int_equal(read_any(s), -EIO);
	assert_int_equal(objects(s), 2);
	assert_int_equal(position(s), 2);
	assert_eod(s);
}

/* ---- commits on the way ----------------------------------------------------------------------------------------- */

static void a_long_backup_is_committed_on_the_way(void **state)
{
	struct store *s = *state;
	size_t n = 4u << 20;
	uint8_t *p = malloc(n);
	struct tape_tally end;

	/* The same bytes again and again, so that it costs no memory; 300 MiB. */
	chance_fill(p, n, 1);
	for (int i = 0; i < 75; i++)
		assert_int_equal(drive_write_record(s->drive, p, n), 0);
	free(p);
	power_cut(s);
	assert_int_equal(volume_end(s->vol, 0, &end), 0);
	assert_true(end.bytes >= 256u << 20);
	assert_int_equal(end.bytes % n, 0);
	assert_record(s, 1, n);
	locate(s, end.objects - 1);
	assert_record(s, 1, n);
	assert_eod(s);
}

/* Records that do not repeat make many pages: they do not pile up in memory. */
static void many_pages_are_committed_on_the_way(void **state)
{
	struct store *s = *state;
	const uint64_t records = 200000;
	uint64_t left;

	for (uint64_t i = 0; i < records; i++)
		put(s, 0, 1 + (i * 7) % 5);
	power_cut(s);
	left = objects(s);
	assert_in_range(left, records / 2, records);
	for (uint64_t i = left - 10; i < left; i++) {
		locate(s, i);
		assert_record(s, 0, 1 + (i * 7) % 5);
	}
	assert_eod(s);
	/* It goes on behind what is left, and nothing of what was lost comes back. */
	put(s, 1, 77);
	mark(s);
	restart(s);
	locate(s, left);
	assert_record(s, 1, 77);
	assert_mark(s);
	assert_eod(s);
}

/* A commit on the way tells the last object that is stored.  What its pages hold behind that, and pages behind that,
 * are not there after a power cut, and what is appended then is found. */
static void a_commit_of_a_prefix_is_a_prefix(void **state)
{
	struct store *s = *state;
	const uint64_t big = PAGE_RUNS_MAX + 100;
	struct volume_stat st;
	uint64_t left;

	for (uint64_t i = 0; i < 5 * PAGE_RUNS_MAX; i++)
		put(s, i, i == big ? 3 << 19 : 1 + i % 2);
	pthread_mutex_lock(&s->vol->writing);
	assert_int_equal(volume_commit_stored(s->vol), 0);
	pthread_mutex_unlock(&s->vol->writing);
	assert_int_equal(objects(s), 5 * PAGE_RUNS_MAX);
	power_cut(s);
	left = objects(s);
	assert_in_range(left, big, big + 1);	/* the end of it, or what is behind it, was in no pack */
	assert_int_equal(drive_space_eod(s->drive), 0);
	for (uint64_t i = left; i < 6 * PAGE_RUNS_MAX; i++)
		put(s, i, 5 + i / 2 % 3);
	mark(s);
	restart(s);
	for (uint64_t i = 6 * PAGE_RUNS_MAX; i-- > left;) {
		locate(s, i);
		assert_record(s, i, 5 + i / 2 % 3);
	}
	locate(s, 6 * PAGE_RUNS_MAX);
	assert_mark(s);
	assert_eod(s);
	volume_stat(s->vol, &st);
	assert_int_equal(used(s), st.end.bytes);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

struct reading {
	struct store *s;
	uint64_t records;
};

/* NULL, or what went wrong. */
static void *read_behind_the_writer(void *ctx)
{
	static char no_reader[] = "no reader", no_end[] = "no end", wrong[] = "not what was written";
	struct reading *g = ctx;
	struct volume_reader *r;
	uint8_t want[3000], got[3000];
	uint64_t done = 0;
	struct tape_tally end;

	if (volume_reader_new(g->s->vol, 0, &r))
		return no_reader;
	while (done < g->records) {
		if (volume_end(g->s->vol, 0, &end))
			return no_end;
		for (; done < tape_tally_records(&end); done++) {
			chance_fill(want, sizeof(want), done);
			if (volume_reader_read(r, done * 3000, got, 3000) || memcmp(want, got, 3000))
				return wrong;
		}
	}
	volume_reader_free(r);
	return NULL;
}

static void a_reader_follows_a_writer(void **state)
{
	struct store *s = *state;
	struct reading g = { s, 3000 };
	pthread_t thread;
	void *why;

	assert_int_equal(pthread_create(&thread, NULL, read_behind_the_writer, &g), 0);
	for (uint64_t i = 0; i < g.records; i++) {
		put(s, i, 3000);
		if (i % 500 == 499)
			mark(s);
	}
	pthread_join(thread, &why);
	if (why)
		fail_msg("%s", (char *)why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_commit_beside_covers_what_is_stored),
		with_store(commits_beside_change_nothing),
		with_store(a_filemark_is_a_promise),
		with_store(an_immediate_filemark_is_none),
		with_store(no_filemarks_at_all_are_a_flush),
		with_store(flush_rewind_erase_and_unload_are_promises),
		with_store(a_commit_of_nothing_writes_nothing),
		with_store(cut_before_the_batch_is_the_last_commit),
		with_store(a_commit_that_failed_can_be_tried_again),
		with_store(pages_of_a_failed_commit_do_not_come_back),
		with_store(a_failed_sync_moves_the_end_back_to_the_last_commit),
		with_store(a_failed_sync_promises_nothing_in_another_partition),
		with_store(a_deferred_error_is_told_once),
		with_store(a_filemark_tells_a_deferred_error),
		with_store(a_read_finds_the_head_at_the_end_after_a_failure),
		with_store(a_long_backup_is_committed_on_the_way),
		with_store(many_pages_are_committed_on_the_way),
		with_store(a_commit_of_a_prefix_is_a_prefix),
		cmocka_unit_test_setup_teardown(a_reader_follows_a_writer, store_new_threads, store_free),
		cmocka_unit_test_setup_teardown(a_deferred_error_is_told_once, store_new_threads, store_free),
		cmocka_unit_test_setup_teardown(a_long_backup_is_committed_on_the_way, store_new_threads, store_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
