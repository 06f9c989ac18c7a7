/* SPDX-License-Identifier: BSD-2-Clause */
/* volume_history: volumes as wholes, and their generations. */
#include "unit/tape/tape_store.h"

#define OTHER 8u

struct seen { unsigned count; struct volume_stat st[16]; };

static int see(void *ctx, const struct volume_stat *st)
{
	struct seen *seen = ctx;

	seen->st[seen->count++] = *st;
	return seen->count == ARRAY_LEN(seen->st);
}

static struct seen history(struct store *s)
{
	struct seen seen = { 0 };

	assert_int_equal(volume_history(s->kv, VOLUME, see, &seen), 0);
	return seen;
}

/* Generation after generation, written at times 100, 200, ... */
static void generations(struct store *s, uint64_t n)
{
	for (uint64_t g = 1; g <= n; g++) {
		clock_set(g * 100);
		rewind_tape(s);
		put(s, g, 1000 * g);
		mark(s);
	}
	clock_set(0);
}

static uint64_t drop(struct store *s, uint64_t ended_ns)
{
	struct kv_batch *b;
	uint64_t dropped = 99;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_drop_generations(s->kv, b, VOLUME, ended_ns, &dropped), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	return dropped;
}

static void a_created_volume_is_blank(void **state)
{
	struct store *s = *state;
	struct volume_stat st;

	create(s, OTHER);
	assert_int_equal(volume_peek(s->kv, OTHER, &st), 0);
	assert_int_equal(st.generation, 1);
	assert_int_equal(st.partitions, 1);
	assert_int_equal(st.end.objects, 0);
	assert_true(st.begun_ns > 0);
	assert_int_equal(st.ended_ns, 0);
}

static void a_peek_sees_what_is_committed(void **state)
{
	struct store *s = *state;
	struct volume_stat st;

	put(s, 1, 1000);
	assert_int_equal(volume_peek(s->kv, VOLUME, &st), 0);
	assert_int_equal(st.end.objects, 0);
	mark(s);
	assert_int_equal(volume_peek(s->kv, VOLUME, &st), 0);
	assert_int_equal(st.end.objects, 2);
	assert_int_equal(st.end.bytes, 1000);
}

static void history_goes_from_the_newest_back(void **state)
{
	struct store *s = *state;
	struct seen seen;

	generations(s, 4);
	seen = history(s);
	assert_int_equal(seen.count, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(seen.st[i].generation, 4 - i);
		assert_int_equal(seen.st[i].end.bytes, 1000 * (4 - i));
		assert_int_equal(seen.st[i].written_ns, 100 * (4 - i));
		assert_int_equal(seen.st[i].ended_ns, i ? 100 * (5 - i) : 0);
	}
	/* Each may stop it. */
	seen = (struct seen){ .count = ARRAY_LEN(seen.st) - 1 };
	assert_int_equal(volume_history(s->kv, VOLUME, see, &seen), 1);
	assert_int_equal(seen.st[ARRAY_LEN(seen.st) - 1].generation, 4);
}

static void generations_are_dropped_by_the_time_they_ended(void **state)
{
	struct store *s = *state;

	generations(s, 4);	/* ended at 200, 300, 400, never */
	assert_int_equal(drop(s, 199), 0);
	assert_int_equal(drop(s, 300), 2);
	assert_int_equal(history(s).count, 2);
	load_generation(s, 3);
	assert_record(s, 3, 3000);
	assert_int_equal(drop(s, UINT64_MAX), 1);
	assert_int_equal(history(s).count, 1);	/* never the current one */
	reload(s);
	assert_record(s, 4, 4000);
}

static void destroying_leaves_only_drops_for_the_collector(void **state)
{
	struct store *s = *state;
	struct kv_batch *b;

	generations(s, 3);
	assert_int_equal(unload(s), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_destroy(s->kv, b, VOLUME), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	assert_int_equal(rows(s, 'H'), 0);
	assert_int_equal(rows(s, 'D'), 3);
	kv_batch_clear(b);
	assert_int_equal(volume_destroy(s->kv, b, VOLUME), -ENOENT);
	kv_batch_free(b);
	create(s, VOLUME);
	load(s);
}

static void replacing_makes_a_generation_and_the_source_is_gone(void **state)
{
	struct store *s = *state;
	struct volume_stat st;
	struct kv_batch *b;

	put(s, 1, 5000);
	mark(s);
	assert_int_equal(unload(s), 0);
	create(s, OTHER);
	s->attr.id = OTHER;
	load(s);
	put(s, 8, 100);		/* an older generation of the source, which goes */
	mark(s);
	rewind_tape(s);
	put(s, 2, 7000);
	mark(s);
	assert_int_equal(unload(s), 0);
	s->attr.id = VOLUME;
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_replace(s->kv, b, VOLUME, OTHER), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_clear(b);
	assert_int_equal(volume_replace(s->kv, b, VOLUME, OTHER), -ENOENT);
	kv_batch_free(b);
	assert_int_equal(volume_peek(s->kv, OTHER, &st), -ENOENT);
	assert_int_equal(rows(s, 'D'), 1);
	load(s);
	assert_int_equal(generation(s), 2);
	assert_record(s, 2, 7000);
	assert_mark(s);
	/* It goes on as any tape. */
	put(s, 3, 100);
	mark(s);
	restart(s);
	locate(s, 2);
	assert_record(s, 3, 100);
	load_generation(s, 1);
	assert_record(s, 1, 5000);
}

/* ---- restoring -------------------------------------------------------------------------------------------------- */

static int try_restore(struct store *s, uint64_t g)
{
	struct kv_batch *b;
	int r, closed = unload(s);

	assert_int_equal(closed, 0);
	assert_int_equal(kv_batch_new(&b), 0);
	r = volume_restore(s->kv, b, VOLUME, g);
	if (!r)
		assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	load(s);
	return r;
}

static void restore(struct store *s, uint64_t g)
{
	assert_int_equal(try_restore(s, g), 0);
}

static void check_is_clean(struct store *s)
{
	const struct tape_check_config cfg = { 0 };
	struct tape_checked done;

	assert_int_equal(tape_check(s->shelf, &cfg, &done), 0);
	assert_int_equal(done.faults, 0);
}

static uint64_t stretch(struct store *s, uint64_t object)
{
	uint64_t number;

	assert_int_equal(volume_stretch(s->vol, 0, object, &number), 0);
	return number;
}

/* As a new generation, and what was there is an old one; nothing is copied. */
static void a_generation_is_restored_as_a_new_one(void **state)
{
	struct store *s = *state;
	struct seen before, after;
	uint64_t pages, bytes;

	generations(s, 3);
	pages = rows(s, 'O') + rows(s, 'C');
	bytes = used(s);
	before = history(s);
	clock_set(1000);
	restore(s, 1);
	clock_set(0);
	after = history(s);
	assert_int_equal(after.count, 4);
	assert_int_equal(after.st[0].generation, 4);
	assert_int_equal(after.st[0].begun_ns, 1000);
	assert_int_equal(after.st[0].ended_ns, 0);
	assert_int_equal(after.st[1].ended_ns, 1000);
	assert_memory_equal(&after.st[0].end, &before.st[2].end, sizeof(struct tape_tally));
	assert_int_equal(after.st[0].written_ns, before.st[2].written_ns);
	assert_int_equal(after.st[0].unique_bytes, before.st[2].unique_bytes);
	assert_int_equal(after.st[2].generation, before.st[1].generation);
	assert_int_equal(after.st[2].ended_ns, before.st[1].ended_ns);
	assert_int_equal(rows(s, 'O') + rows(s, 'C'), pages);
	assert_int_equal(used(s), bytes);
	assert_int_equal(rows(s, 'D'), 0);
	assert_record(s, 1, 1000);
	assert_mark(s);
	assert_eod(s);
	check_is_clean(s);
	load_generation(s, 3);
	assert_record(s, 3, 3000);
}

static void what_is_appended_then_is_in_no_other_generation(void **state)
{
	struct store *s = *state;

	generations(s, 2);
	restore(s, 1);
	assert_int_equal(drive_space_eod(s->drive), 0);
	put(s, 9, 500);
	mark(s);
	assert_int_equal(generation(s), 3);	/* the same generation goes on */
	/* Twice the same one: they part where it ended. */
	restore(s, 1);
	assert_int_equal(drive_space_eod(s->drive), 0);
	put(s, 10, 600);
	mark(s);
	restart(s);
	check_is_clean(s);
	assert_int_equal(generation(s), 4);
	assert_record(s, 1, 1000);
	assert_mark(s);
	assert_record(s, 10, 600);
	load_generation(s, 3);
	assert_record(s, 1, 1000);
	assert_mark(s);
	assert_record(s, 9, 500);
	load_generation(s, 1);
	assert_record(s, 1, 1000);
	assert_mark(s);
	assert_eod(s);
}

/* A mark at the end of a restored tape is not cut off in place: an older generation has it, too. */
static void a_mark_of_the_restored_tape_is_cut_off_in_a_new_generation(void **state)
{
	struct store *s = *state;

	generations(s, 2);
	restore(s, 1);
	locate(s, 1);
	put(s, 5, 100);
	mark(s);
	assert_int_equal(generation(s), 4);
	check_is_clean(s);
	load_generation(s, 1);
	assert_record(s, 1, 1000);
	assert_mark(s);
	assert_eod(s);
}

/* Who remembers a stretch finds it again with the content, and only with it. */
static void names_of_stretches_come_back_with_what_they_name(void **state)
{
	struct store *s = *state;
	uint64_t first, second, behind;

	put(s, 1, 1000);
	mark(s);
	first = stretch(s, 1);
	behind = stretch(s, 2);
	rewind_tape(s);
	put(s, 2, 2000);
	mark(s);
	second = stretch(s, 1);
	assert_true(first != second);
	restore(s, 1);
	assert_int_equal(stretch(s, 1), first);
	/* What comes behind it now is another thing than what came behind it then. */
	assert_true(stretch(s, 2) != behind && stretch(s, 2) != second);
	behind = stretch(s, 2);
	restore(s, 1);
	assert_int_equal(stretch(s, 1), first);
	assert_true(stretch(s, 2) != behind);
	restore(s, 2);
	assert_int_equal(stretch(s, 1), second);
}

/* The restored generation holds what it has, whichever of those that share it go. */
static void dropping_what_a_restored_one_shares_keeps_it(void **state)
{
	struct store *s = *state;
	const struct tape_gc_config cfg = { 0 };
	struct tape_gc_report done;

	generations(s, 2);
	restore(s, 1);
	assert_int_equal(drop(s, UINT64_MAX), 2);
	assert_int_equal(rows(s, 'D'), 1);
	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	check_is_clean(s);
	restart(s);
	assert_record(s, 1, 1000);
	assert_mark(s);
	assert_eod(s);
	assert_int_equal(drop(s, UINT64_MAX), 0);
	/* Overwritten and dropped, it is gone as well. */
	rewind_tape(s);
	put(s, 7, 100);
	mark(s);
	assert_int_equal(drop(s, UINT64_MAX), 1);
	restart(s);
	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
	assert_int_equal(used(s), 100);
	check_is_clean(s);
}

static void what_cannot_be_restored_is_refused_with_words(void **state)
{
	struct store *s = *state;

	generations(s, 2);
	assert_int_equal(try_restore(s, 3), -ENOENT);
	assert_non_null(strstr(err_text(-ENOENT), "generation 3"));
	assert_int_equal(try_restore(s, 2), -EINVAL);
	assert_int_equal(drop(s, UINT64_MAX), 1);
	assert_int_equal(try_restore(s, 1), -ENOENT);
	assert_int_equal(history(s).count, 1);
}

static void partitions_are_restored_together(void **state)
{
	struct store *s = *state;

	assert_int_equal(drive_format(s->drive, 2), 0);
	put(s, 1, 100);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	put(s, 2, 200);
	mark(s);
	assert_int_equal(drive_locate(s->drive, 0, 0), 0);
	assert_int_equal(drive_format(s->drive, 1), 0);
	restore(s, 1);
	assert_int_equal(volume_partitions(s->vol), 2);
	assert_record(s, 1, 100);
	assert_int_equal(drive_space_eod(s->drive), 0);
	put(s, 3, 300);
	mark(s);
	restart(s);
	locate(s, 1);
	assert_record(s, 3, 300);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	assert_record(s, 2, 200);
	assert_mark(s);
	check_is_clean(s);
}

/* A blank tape is content like any other. */
static void a_blank_tape_is_put_aside_and_restored(void **state)
{
	struct store *s = *state;

	put(s, 1, 100);
	mark(s);
	rewind_tape(s);
	assert_int_equal(drive_erase(s->drive), 0);
	restore(s, 1);
	assert_record(s, 1, 100);
	restore(s, 2);
	assert_int_equal(objects(s), 0);
	assert_int_equal(generation(s), 4);
	put(s, 2, 100);
	mark(s);
	check_is_clean(s);
}

/* From outside of a closed volume, as one batch: what was on it is a generation that can be had again. */
static void a_closed_tape_is_cleared_and_what_was_on_it_stays(void **state)
{
	struct store *s = *state;
	struct kv_batch *b;
	struct seen after;
	int closed;

	put(s, 1, 100);
	mark(s);
	closed = unload(s);
	assert_int_equal(closed, 0);
	assert_int_equal(kv_batch_new(&b), 0);
	clock_set(1000);
	assert_int_equal(volume_clear(s->kv, b, VOLUME), 0);
	clock_set(0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	assert_int_equal(volume_clear(s->kv, b, VOLUME + 1), -ENOENT);
	kv_batch_free(b);
	load(s);
	assert_int_equal(objects(s), 0);
	after = history(s);
	assert_int_equal(after.count, 2);
	assert_int_equal(after.st[0].generation, 2);
	assert_int_equal(after.st[0].partitions, 1);
	assert_int_equal(after.st[0].begun_ns, 1000);
	assert_int_equal(after.st[1].ended_ns, 1000);
	put(s, 2, 200);
	mark(s);
	restart(s);
	assert_record(s, 2, 200);
	check_is_clean(s);
	load_generation(s, 1);
	assert_record(s, 1, 100);
}

/* That the newest head is damaged is no reason to refuse. */
static void an_older_generation_helps_when_the_newest_head_is_damaged(void **state)
{
	struct store *s = *state;
	struct map_key k = key_head(VOLUME, 2);
	struct kv_batch *b;

	generations(s, 2);
	assert_int_equal(unload(s), 0);
	flip_row(s, &k);
	assert_int_equal(volume_open(s->shelf, &s->attr, &s->vol), -EBADMSG);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_restore(s->kv, b, VOLUME, 1), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	load(s);
	assert_int_equal(generation(s), 3);
	assert_record(s, 1, 1000);
}

static void a_damaged_generation_hides_no_other(void **state)
{
	struct store *s = *state;
	struct map_key k = key_head(VOLUME, 2);
	struct seen seen;

	generations(s, 3);
	assert_int_equal(unload(s), 0);
	flip_row(s, &k);
	seen = history(s);
	assert_int_equal(seen.count, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(seen.st[i].generation, 3 - i);
		assert_int_equal(seen.st[i].damaged, i == 1);
		assert_int_equal(seen.st[i].end.bytes, i == 1 ? 0 : 1000 * (3 - i));
	}
	load(s);
}

/* Generation 1 ended at 200, 2 at 300, which 3 tells; the damaged one may share what 1 has. */
static void a_damaged_generation_goes_in_its_time_and_keeps_what_it_may_share(void **state)
{
	struct store *s = *state;
	struct map_key k = key_head(VOLUME, 2);
	struct seen seen;

	generations(s, 4);
	assert_int_equal(unload(s), 0);
	flip_row(s, &k);
	assert_int_equal(drop(s, 200), 0);
	assert_int_equal(drop(s, 299), 0);
	assert_int_equal(history(s).count, 4);
	assert_int_equal(rows(s, 'D'), 0);
	assert_int_equal(drop(s, 300), 2);
	seen = history(s);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.st[1].generation, 3);
	load(s);
	assert_record(s, 4, 4000);
}

static void under_a_damaged_newest_head_nothing_goes(void **state)
{
	struct store *s = *state;
	struct map_key k = key_head(VOLUME, 3);
	struct kv_batch *b;

	generations(s, 3);
	assert_int_equal(unload(s), 0);
	flip_row(s, &k);
	assert_int_equal(drop(s, UINT64_MAX), 0);
	assert_int_equal(history(s).count, 3);
	/* What helps is one of the others; then the damaged one is as old as that. */
	assert_int_equal(kv_batch_new(&b), 0);
	clock_set(1000);
	assert_int_equal(volume_restore(s->kv, b, VOLUME, 2), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	clock_set(0);
	assert_int_equal(drop(s, 999), 0);
	assert_int_equal(drop(s, 1000), 3);
	load(s);
	assert_int_equal(generation(s), 4);
	assert_record(s, 2, 2000);
}

static void a_volume_with_damaged_heads_can_be_destroyed(void **state)
{
	struct store *s = *state;
	struct map_key k = key_head(VOLUME, 2), newest = key_head(VOLUME, 3);
	struct kv_batch *b;

	generations(s, 3);
	assert_int_equal(unload(s), 0);
	flip_row(s, &k);
	flip_row(s, &newest);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_destroy(s->kv, b, VOLUME), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	assert_int_equal(rows(s, 'H'), 0);
	assert_int_equal(rows(s, 'D'), 1);
	create(s, VOLUME);
	load(s);
}

static void a_volume_whose_head_is_damaged_can_be_replaced(void **state)
{
	struct store *s = *state;
	struct map_key k = key_head(VOLUME, 2);
	struct seen seen;
	struct kv_batch *b;

	generations(s, 2);
	assert_int_equal(unload(s), 0);
	flip_row(s, &k);
	create(s, OTHER);
	s->attr.id = OTHER;
	load(s);
	put(s, 9, 900);
	mark(s);
	assert_int_equal(unload(s), 0);
	s->attr.id = VOLUME;
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_replace(s->kv, b, VOLUME, OTHER), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	seen = history(s);
	assert_int_equal(seen.count, 3);
	assert_true(seen.st[1].damaged);
	load(s);
	assert_record(s, 9, 900);
}

/* What is kept by time is not fooled by who sets the wall clock. */
static void generations_end_on_the_retention_clock(void **state)
{
	const uint64_t year = 365ull * 86400 * 1000000000;
	struct store *s = *state;
	struct seen seen;

	put(s, 1, 100);
	mark(s);
	clock_retention_set(10 * year);
	clock_set(90 * year);
	rewind_tape(s);
	put(s, 2, 100);
	mark(s);
	seen = history(s);
	assert_true(seen.st[1].ended_ns >= 10 * year && seen.st[1].ended_ns < 11 * year);
	assert_int_equal(seen.st[0].written_ns, 90 * year);
	clock_set(1);
	restore(s, 1);
	seen = history(s);
	assert_true(seen.st[1].ended_ns >= 10 * year && seen.st[1].ended_ns < 11 * year);
	clock_set(0);
	clock_retention_set(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_created_volume_is_blank),
		with_store(a_peek_sees_what_is_committed),
		with_store(history_goes_from_the_newest_back),
		with_store(generations_are_dropped_by_the_time_they_ended),
		with_store(destroying_leaves_only_drops_for_the_collector),
		with_store(replacing_makes_a_generation_and_the_source_is_gone),
		with_store(a_generation_is_restored_as_a_new_one),
		with_store(what_is_appended_then_is_in_no_other_generation),
		with_store(a_mark_of_the_restored_tape_is_cut_off_in_a_new_generation),
		with_store(names_of_stretches_come_back_with_what_they_name),
		with_store(dropping_what_a_restored_one_shares_keeps_it),
		with_store(what_cannot_be_restored_is_refused_with_words),
		with_store(partitions_are_restored_together),
		with_store(a_blank_tape_is_put_aside_and_restored),
		with_store(a_closed_tape_is_cleared_and_what_was_on_it_stays),
		with_store(an_older_generation_helps_when_the_newest_head_is_damaged),
		with_store(a_damaged_generation_hides_no_other),
		with_store(a_damaged_generation_goes_in_its_time_and_keeps_what_it_may_share),
		with_store(under_a_damaged_newest_head_nothing_goes),
		with_store(a_volume_with_damaged_heads_can_be_destroyed),
		with_store(a_volume_whose_head_is_damaged_can_be_replaced),
		with_store(generations_end_on_the_retention_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
