/* SPDX-License-Identifier: BSD-2-Clause */
/* volume_cut: what goes away when something is written over, and what does not. */
#include "unit/tape/tape_store.h"

/* Records 1, 2 and 3 of 5000 bytes and a mark, on disk. */
static void three(struct store *s)
{
	for (uint64_t i = 1; i <= 3; i++)
		put(s, i, 5000);
	mark(s);
}

static uint64_t stretch(struct store *s, uint64_t object)
{
	uint64_t n;

	assert_int_equal(volume_stretch(s->vol, 0, object, &n), 0);
	return n;
}

static void writing_over_what_is_durable_keeps_it_as_a_generation(void **state)
{
	struct store *s = *state;

	three(s);
	locate(s, 1);
	put(s, 9, 6000);
	mark(s);
	assert_int_equal(generation(s), 2);
	rewind_tape(s);
	assert_record(s, 1, 5000);
	assert_record(s, 9, 6000);
	assert_mark(s);
	assert_eod(s);
	load_generation(s, 1);
	for (uint64_t i = 1; i <= 3; i++)
		assert_record(s, i, 5000);
	assert_mark(s);
	assert_eod(s);
}

/* Though it was this very session that wrote it: somebody rewound in between. */
static void the_old_generation_has_what_was_not_committed_yet_too(void **state)
{
	struct store *s = *state;

	three(s);
	put(s, 4, 5000);
	put(s, 5, 5000);
	locate(s, 0);
	put(s, 9, 6000);
	mark(s);
	assert_int_equal(generation(s), 2);
	load_generation(s, 1);
	locate(s, 4);
	assert_record(s, 4, 5000);
	assert_record(s, 5, 5000);
	assert_eod(s);
}

static void what_was_never_committed_is_written_over_in_place(void **state)
{
	struct store *s = *state;

	three(s);
	put(s, 4, 5000);
	put(s, 5, 5000);
	locate(s, 5);
	put(s, 6, 700);
	mark(s);
	assert_int_equal(generation(s), 1);
	locate(s, 4);
	assert_record(s, 4, 5000);
	assert_record(s, 6, 700);
	assert_mark(s);
	assert_eod(s);
}

static void filemarks_are_taken_back_in_place(void **state)
{
	struct store *s = *state;

	three(s);
	mark(s);
	restart(s);
	locate(s, 3);
	put(s, 4, 5000);
	mark(s);
	assert_int_equal(generation(s), 1);
	restart(s);
	assert_int_equal(objects(s), 5);
	locate(s, 2);
	assert_record(s, 3, 5000);
	assert_record(s, 4, 5000);
	assert_mark(s);
	assert_eod(s);
}

/* A row of the page would come to life again in the middle of the page before it. */
static void a_page_that_was_emptied_does_not_come_back(void **state)
{
	struct store *s = *state;
	uint32_t i = 0;

	/* The first page is full, its last run takes more of the same; the second has a mark. */
	while (i < PAGE_RUNS_MAX) {
		put(s, i, 1 + i % 2);
		i++;
	}
	mark(s);
	assert_int_equal(rows(s, 'O'), 2);
	restart(s);
	locate(s, i);
	assert_int_equal(drive_erase(s->drive), 0);
	restart(s);
	assert_int_equal(drive_space_eod(s->drive), 0);
	put(s, 5, 2);
	mark_immed(s);
	put(s, 6, 3);
	restart(s);
	assert_int_equal(generation(s), 1);
	locate(s, i);
	assert_record(s, 5, 2);
	assert_mark(s);
	assert_record(s, 6, 3);
	assert_eod(s);
}

static void a_generation_begins_once_until_it_is_committed(void **state)
{
	struct store *s = *state;

	three(s);
	for (uint64_t i = 3; i-- > 0;) {
		locate(s, i);
		put(s, 10 + i, 100);
	}
	assert_int_equal(generation(s), 2);
	mark(s);
	locate(s, 0);
	put(s, 20, 100);
	assert_int_equal(generation(s), 3);
	mark(s);
	rewind_tape(s);
	assert_record(s, 20, 100);
	assert_mark(s);
	assert_eod(s);
	load_generation(s, 2);
	assert_record(s, 10, 100);
	assert_mark(s);
	assert_eod(s);
}

static void a_cut_that_was_not_committed_is_not_there_after_a_power_cut(void **state)
{
	struct store *s = *state;

	three(s);
	locate(s, 0);
	put(s, 9, 100);
	assert_int_equal(generation(s), 2);
	power_cut(s);
	assert_int_equal(generation(s), 1);
	assert_record(s, 1, 5000);
	assert_int_equal(objects(s), 4);
}

/* The cut lies inside a chunk: the old map's chunk is used in part. */
static void a_cut_inside_a_chunk_reads_back_up_to_there(void **state)
{
	struct store *s = *state;

	for (uint64_t i = 0; i < 50; i++)
		put(s, i, 1000);
	mark(s);
	for (uint64_t i = 40; i > 1; i -= 13) {
		locate(s, i);
		put(s, 100 + i, 500);
		mark(s);
		restart(s);
		for (uint64_t j = 0; j < i; j++)
			assert_record(s, j, 1000);
		assert_record(s, 100 + i, 500);
		assert_mark(s);
		assert_eod(s);
	}
	assert_int_equal(generation(s), 4);
	load_generation(s, 1);
	for (uint64_t i = 0; i < 50; i++)
		assert_record(s, i, 1000);
}

static void a_stretch_keeps_its_number_until_it_is_written_over(void **state)
{
	struct store *s = *state;
	uint64_t zero, mark_of_three;

	three(s);
	zero = stretch(s, 0);
	mark_of_three = stretch(s, 3);
	put(s, 4, 100);
	mark(s);
	restart(s);
	assert_int_equal(stretch(s, 0), zero);
	assert_int_equal(stretch(s, 3), mark_of_three);

	/* A filemark is taken back: from there on it is another stretch, before it the same. */
	locate(s, 5);
	assert_int_equal(volume_truncate(s->vol, 0, 5), 0);
	locate(s, 4);
	assert_int_equal(volume_truncate(s->vol, 0, 4), 0);
	put(s, 5, 100);
	mark(s);
	assert_int_equal(stretch(s, 3), mark_of_three);
	assert_true(stretch(s, 4) != zero && stretch(s, 5) != zero);

	locate(s, 2);
	put(s, 3, 5000);
	assert_int_equal(stretch(s, 1), zero);
	assert_true(stretch(s, 2) != zero && stretch(s, 2) != mark_of_three);
}

static void very_many_marks_taken_back_do_not_make_the_head_long(void **state)
{
	struct store *s = *state;
	struct map_key key = key_head(VOLUME, 1);
	struct buf head = BUF_INIT;
	uint64_t zero;

	put(s, 0, 10);
	zero = stretch(s, 0);
	for (uint64_t i = 1; i < 1000; i++) {
		mark_immed(s);
		assert_int_equal(drive_retract_filemark(s->drive), 0);
		put(s, i, 10);
	}
	mark(s);
	assert_int_equal(kv_get(s->kv, KV_MAP, key.b, key.len, &head), 0);
	assert_true(head.len < 10000);
	buf_fini(&head);
	assert_true(stretch(s, 0) != zero);	/* merged: an old number is never true again */
	rewind_tape(s);
	for (uint64_t i = 0; i < 1000; i++)
		assert_record(s, i, 10);
	assert_mark(s);
}

static void worm(struct store *s)
{
	s->attr.worm = true;
	volume_set_attr(s->vol, &s->attr);
}

static void worm_is_append_only(void **state)
{
	struct store *s = *state;

	worm(s);
	three(s);
	put(s, 4, 100);
	rewind_tape(s);
	assert_int_equal(try_put(s, 9, 10), TAPE_E_PROTECTED);
	assert_int_equal(drive_write_filemarks(s->drive, 1, false), TAPE_E_PROTECTED);
	assert_int_equal(drive_erase(s->drive), TAPE_E_PROTECTED);
	assert_int_equal(drive_format(s->drive, 1), TAPE_E_PROTECTED);
	locate(s, 4);
	assert_int_equal(try_put(s, 9, 10), TAPE_E_PROTECTED);	/* not even what is not committed */
	assert_int_equal(drive_space_eod(s->drive), 0);
	put(s, 5, 100);
	mark(s);
	assert_int_equal(objects(s), 7);
	assert_int_equal(generation(s), 1);
}

static void a_mark_that_close_left_is_taken_back_on_worm_too(void **state)
{
	struct store *s = *state;

	worm(s);
	put(s, 1, 100);
	mark(s);
	assert_int_equal(drive_retract_filemark(s->drive), 0);
	put(s, 2, 100);
	mark(s);
	reload(s);
	/* Now it is from an earlier session. */
	locate(s, 2);
	assert_int_equal(drive_erase(s->drive), TAPE_E_PROTECTED);
	rewind_tape(s);
	assert_record(s, 1, 100);
	assert_record(s, 2, 100);
	assert_mark(s);
}

static void marks_of_an_earlier_session_stay_though_the_volume_is_open(void **state)
{
	struct store *s = *state;

	worm(s);
	put(s, 1, 100);
	mark(s);
	volume_session_ends(s->vol);
	locate(s, 1);
	assert_int_equal(drive_erase(s->drive), TAPE_E_PROTECTED);
	assert_int_equal(try_put(s, 9, 10), TAPE_E_PROTECTED);
	assert_int_equal(drive_space_eod(s->drive), 0);
	put(s, 2, 100);
	mark(s);
	mark(s);
	/* What came since then is this session's. */
	locate(s, 4);
	put(s, 3, 100);
	rewind_tape(s);
	assert_record(s, 1, 100);
	assert_mark(s);
	assert_record(s, 2, 100);
	assert_mark(s);
	assert_record(s, 3, 100);
}

/* Everything that would change what is written is refused, whoever asks. */
static void assert_only_grows(struct store *s)
{
	uint64_t end = objects(s), g = generation(s);

	for (uint64_t object = 0; object < end; object++) {
		locate(s, object);
		assert_int_equal(try_put(s, 9, 10), TAPE_E_PROTECTED);
		assert_int_equal(drive_write_filemarks(s->drive, 1, false), TAPE_E_PROTECTED);
		assert_int_equal(drive_erase(s->drive), TAPE_E_PROTECTED);
		assert_int_equal(volume_truncate(s->vol, 0, object), TAPE_E_PROTECTED);
	}
	rewind_tape(s);
	assert_int_equal(drive_format(s->drive, 2), TAPE_E_PROTECTED);
	assert_int_equal(volume_format(s->vol, 1), TAPE_E_PROTECTED);
	assert_int_equal(drive_space_eod(s->drive), 0);
	assert_int_equal(drive_retract_filemark(s->drive), -EINVAL);
	assert_int_equal(drive_erase(s->drive), 0);	/* there is nothing to erase */
	assert_int_equal(volume_truncate(s->vol, 0, end), 0);
	assert_int_equal(objects(s), end);
	assert_int_equal(generation(s), g);
}

static void lock(struct store *s, uint64_t until)
{
	s->attr.locked_until_ns = until;
	volume_set_attr(s->vol, &s->attr);
}

static void a_locked_tape_only_grows_until_its_time(void **state)
{
	struct store *s = *state;

	clock_set(1000);
	three(s);
	reload(s);
	lock(s, 2000);
	assert_only_grows(s);
	put(s, 4, 100);
	mark(s);
	reload(s);
	assert_only_grows(s);
	clock_set(1999);
	assert_only_grows(s);
	/* It is over while the tape is open. */
	clock_set(2000);
	rewind_tape(s);
	put(s, 5, 50);
	mark(s);
	assert_int_equal(generation(s), 2);
	clock_set(0);
}

/* A lock begins while the tape is open: what is not committed stays as well, marks of this session may go. */
static void a_lock_begins_while_the_tape_is_open(void **state)
{
	struct store *s = *state;

	clock_set(1000);
	put(s, 1, 100);
	put(s, 2, 100);
	mark_immed(s);
	lock(s, 2000);
	locate(s, 1);
	assert_int_equal(try_put(s, 9, 10), TAPE_E_PROTECTED);
	assert_int_equal(drive_erase(s->drive), TAPE_E_PROTECTED);
	assert_int_equal(drive_space_eod(s->drive), 0);
	assert_int_equal(drive_retract_filemark(s->drive), 0);
	put(s, 3, 100);
	mark(s);
	reload(s);
	assert_record(s, 1, 100);
	assert_record(s, 2, 100);
	assert_record(s, 3, 100);
	assert_mark(s);
	assert_only_grows(s);
	clock_set(0);
}

static void the_wall_clock_does_not_open_a_lock(void **state)
{
	const uint64_t year = 365ull * 86400 * 1000000000;
	struct store *s = *state;

	three(s);
	clock_retention_set(50 * year);
	lock(s, 51 * year);
	clock_set(99 * year);
	reload(s);
	assert_only_grows(s);
	clock_set(1);
	assert_only_grows(s);
	clock_set(0);
	clock_retention_set(0);
}

/* Faults, and the power: nothing that was durable is gone afterwards. */
static void faults_take_nothing_from_a_worm_tape(void **state)
{
	struct store *s = *state;

	worm(s);
	three(s);
	for (unsigned n = 1; n < 30; n++) {
		uint64_t end = objects(s);

		assert_int_equal(drive_space_eod(s->drive), 0);
		if (n % 2)
			packs_mem_plan_fault(s->packs, n / 2, n % 4 == 1 ? -ENOSPC : -EIO);
		else
			kv_mem_plan_fault(s->kv, 1 + n / 10, -EIO);
		for (unsigned i = 0; i < 3; i++)
			if (try_put(s, 100 * n + i, 20000) || drive_write_filemarks(s->drive, 1, i < 2))
				break;
		packs_mem_plan_fault(s->packs, 0, -EIO);
		kv_mem_plan_fault(s->kv, 0, -EIO);
		if (n % 3 == 0)
			power_cut(s);
		else
			reload(s);
		assert_true(objects(s) >= end);
		assert_int_equal(generation(s), 1);
		rewind_tape(s);
		assert_record(s, 1, 5000);
		assert_int_equal(drive_space_eod(s->drive), 0);
	}
	assert_only_grows(s);
}

/* Two partitions: what was written in one of them keeps the other from being formatted away. */
static void a_worm_tape_is_formatted_only_while_it_is_blank(void **state)
{
	struct store *s = *state;

	worm(s);
	assert_int_equal(drive_format(s->drive, 2), 0);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	put(s, 1, 10);
	assert_int_equal(drive_locate(s->drive, 0, 0), 0);
	assert_int_equal(drive_format(s->drive, 1), TAPE_E_PROTECTED);
	assert_int_equal(volume_truncate(s->vol, 1, 0), TAPE_E_PROTECTED);
	reload(s);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	assert_record(s, 1, 10);
}

/* Marks of this session at the end may be written over, not the record before them; a record behind a mark keeps it. */
static void what_may_be_written_over_on_worm(void **state)
{
	struct store *s = *state;

	worm(s);
	put(s, 1, 100);
	assert_int_equal(drive_write_filemarks(s->drive, 2, false), 0);
	locate(s, 2);
	put(s, 2, 100);		/* over the second of two marks */
	mark(s);
	locate(s, 1);
	assert_int_equal(try_put(s, 3, 100), TAPE_E_PROTECTED);
	locate(s, 0);
	assert_int_equal(try_put(s, 3, 100), TAPE_E_PROTECTED);
	reload(s);
	assert_only_grows(s);
	rewind_tape(s);
	assert_record(s, 1, 100);
	assert_mark(s);
	assert_record(s, 2, 100);
	assert_mark(s);
	assert_eod(s);
}

static void formatting_makes_blank_partitions_and_a_generation(void **state)
{
	struct store *s = *state;
	struct volume_stat st;

	three(s);
	assert_int_equal(drive_format(s->drive, 2), -EINVAL);	/* not at the beginning */
	rewind_tape(s);
	assert_int_equal(drive_format(s->drive, 0), -EINVAL);
	assert_int_equal(drive_format(s->drive, 5), -EINVAL);
	assert_int_equal(drive_format(s->drive, 4), 0);
	assert_int_equal(volume_partitions(s->vol), 4);
	assert_int_equal(generation(s), 2);
	for (uint32_t p = 0; p < 4; p++) {
		assert_int_equal(drive_locate(s->drive, p, 0), 0);
		assert_eod(s);
		put(s, p, 5000);
	}
	mark(s);
	restart(s);
	volume_stat(s->vol, &st);
	assert_int_equal(st.partitions, 4);
	assert_int_equal(st.end.bytes, 20000);
	for (uint32_t p = 0; p < 4; p++) {
		assert_int_equal(drive_locate(s->drive, p, 0), 0);
		assert_record(s, p, 5000);
	}
	load_generation(s, 1);
	assert_int_equal(volume_partitions(s->vol), 1);
	assert_record(s, 1, 5000);
}

static void formatting_a_blank_tape_makes_no_generation(void **state)
{
	struct store *s = *state;

	assert_int_equal(drive_format(s->drive, 2), 0);
	assert_int_equal(generation(s), 1);
	reload(s);
	assert_int_equal(volume_partitions(s->vol), 2);
}

/* The other partition is shared with the old generation up to where they part, and is not written in its map. */
static void cutting_one_partition_leaves_the_others_of_the_old_generation_alone(void **state)
{
	struct store *s = *state;

	assert_int_equal(drive_format(s->drive, 2), 0);
	three(s);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	three(s);
	assert_int_equal(drive_locate(s->drive, 0, 0), 0);
	put(s, 9, 100);
	mark(s);
	assert_int_equal(drive_locate(s->drive, 1, 3), 0);
	put(s, 8, 100);		/* over a filemark that the old generation has too */
	mark(s);
	restart(s);
	assert_int_equal(drive_locate(s->drive, 1, 2), 0);
	assert_record(s, 3, 5000);
	assert_record(s, 8, 100);
	load_generation(s, 1);
	assert_record(s, 1, 5000);
	assert_int_equal(drive_locate(s->drive, 1, 3), 0);
	assert_mark(s);
	assert_eod(s);
}

static void a_cut_behind_the_end_is_none(void **state)
{
	struct store *s = *state;

	three(s);
	assert_int_equal(volume_truncate(s->vol, 0, 4), 0);
	assert_int_equal(volume_truncate(s->vol, 0, 5), -ERANGE);
	assert_int_equal(volume_truncate(s->vol, 1, 0), -EINVAL);
	assert_int_equal(generation(s), 1);
}

static void what_a_tape_cost_follows_what_is_left_of_it(void **state)
{
	struct store *s = *state;
	struct volume_stat st;

	for (uint64_t i = 0; i < 4; i++)
		put(s, i, 50000);
	mark(s);
	locate(s, 1);
	assert_int_equal(drive_erase(s->drive), 0);
	volume_stat(s->vol, &st);
	assert_int_equal(st.unique_bytes, 50000);
	locate(s, 0);
	assert_int_equal(drive_erase(s->drive), 0);
	volume_stat(s->vol, &st);
	assert_int_equal(st.unique_bytes, 0);
	assert_int_equal(st.stored_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(writing_over_what_is_durable_keeps_it_as_a_generation),
		with_store(the_old_generation_has_what_was_not_committed_yet_too),
		with_store(what_was_never_committed_is_written_over_in_place),
		with_store(filemarks_are_taken_back_in_place),
		with_store(a_page_that_was_emptied_does_not_come_back),
		with_store(a_generation_begins_once_until_it_is_committed),
		with_store(a_cut_that_was_not_committed_is_not_there_after_a_power_cut),
		with_store(a_cut_inside_a_chunk_reads_back_up_to_there),
		with_store(a_stretch_keeps_its_number_until_it_is_written_over),
		with_store(very_many_marks_taken_back_do_not_make_the_head_long),
		with_store(worm_is_append_only),
		with_store(a_mark_that_close_left_is_taken_back_on_worm_too),
		with_store(marks_of_an_earlier_session_stay_though_the_volume_is_open),
		with_store(a_locked_tape_only_grows_until_its_time),
		with_store(a_lock_begins_while_the_tape_is_open),
		with_store(the_wall_clock_does_not_open_a_lock),
		with_store(faults_take_nothing_from_a_worm_tape),
		with_store(a_worm_tape_is_formatted_only_while_it_is_blank),
		with_store(what_may_be_written_over_on_worm),
		with_store(formatting_makes_blank_partitions_and_a_generation),
		with_store(formatting_a_blank_tape_makes_no_generation),
		with_store(cutting_one_partition_leaves_the_others_of_the_old_generation_alone),
		with_store(a_cut_behind_the_end_is_none),
		with_store(what_a_tape_cost_follows_what_is_left_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
