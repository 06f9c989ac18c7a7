/* SPDX-License-Identifier: BSD-2-Clause */
/* What st(4) promises to a program that opens, reads, writes and closes a tape device. */
#include "tape_rig.h"

/* ---- reading --------------------------------------------------------------------------------------------------- */

static void a_read_gives_one_record(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, 0);
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	assert_int_equal(read_n(g, 1000, 'a'), 200);
	close_st(g);
}

static void a_filemark_reads_as_nothing_and_the_next_read_goes_on(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, 0);
	assert_int_equal(op(g, MTFSR, 2), 0);
	assert_int_equal(read_n(g, 1000, 'a'), 0);
	assert_at(g, 1, 0);
	assert_int_equal(read_n(g, 1000, 'b'), 300);
	close_st(g);
}

static void the_end_of_data_reads_as_nothing_after_a_mark_and_then_fails(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, 0);
	assert_int_equal(op(g, MTFSF, 1), 0);
	assert_int_equal(read_n(g, 1000, 'b'), 300);
	assert_int_equal(read_n(g, 1000, 0), 0);
	assert_int_equal(read_n(g, 1000, 0), 0);
	assert_true(GMT_EOD(status(g).mt_gstat));
	assert_int_equal(read_n(g, 1000, 0), -EIO);
	assert_int_equal(read_n(g, 1000, 0), -EIO);
	assert_int_equal(op(g, MTREW, 1), 0);
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	close_st(g);
}

static void the_end_of_data_without_a_mark_fails_at_once(void **state)
{
	struct rig *g = *state;

	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(read_n(g, 1000, 0), -EIO);
	assert_int_equal(write_n(g, 10, 'x'), 10);
	assert_int_equal(read_n(g, 1000, 0), -EIO);
	close_st(g);
}

static void a_gentle_tape_ends_with_nothing_even_without_a_mark(void **state)
{
	struct rig *g = *state;

	open_st(g, ST_OPEN_GENTLE);
	assert_int_equal(read_n(g, 1000, 0), 0);
	assert_int_equal(read_n(g, 1000, 0), -EIO);
	close_st(g);
}

static void a_record_longer_than_the_buffer_is_enomem_and_passed_over(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, 0);
	assert_int_equal(read_n(g, 99, 0), -ENOMEM);
	assert_at(g, 0, 1);
	assert_int_equal(read_n(g, 200, 'a'), 200);
	close_st(g);
}

static void reading_nothing_moves_nothing(void **state)
{
	struct rig *g = *state;
	size_t got = 9;

	two_files(g);
	open_st(g, 0);
	assert_int_equal(st_read(g->st, NULL, 0, &got), 0);
	assert_int_equal(got, 0);
	assert_at(g, 0, 0);
	close_st(g);
}

/* ---- fixed blocks ---------------------------------------------------------------------------------------------- */

static void fixed_blocks(struct rig *g)
{
	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(op(g, MTSETBLK, 50), 0);
	assert_int_equal(write_n(g, 200, 'f'), 200);
	close_st(g);
	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(op(g, MTREW, 1), 0);
}

static void a_fixed_write_is_as_many_records(void **state)
{
	struct rig *g = *state;

	fixed_blocks(g);
	assert_int_equal(op(g, MTSETBLK, 0), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(read_n(g, 1000, 'f'), 50);
	assert_int_equal(read_n(g, 1000, 'f'), 0);
	close_st(g);
}

static void a_fixed_write_is_whole_blocks(void **state)
{
	struct rig *g = *state;

	fixed_blocks(g);
	assert_int_equal(write_n(g, 75, 'x'), -EINVAL);
	assert_at(g, 0, 0);
	close_st(g);
}

static void a_fixed_read_gives_what_is_there_and_then_the_mark(void **state)
{
	struct rig *g = *state;

	fixed_blocks(g);
	assert_int_equal(read_n(g, 500, 'f'), 200);
	assert_at(g, 0, 4);
	assert_int_equal(read_n(g, 500, 'f'), 0);
	assert_at(g, 1, 0);
	close_st(g);
}

static void a_fixed_read_may_split_a_block(void **state)
{
	struct rig *g = *state;

	fixed_blocks(g);
	assert_int_equal(read_n(g, 70, 'f'), 70);
	assert_int_equal(read_n(g, 70, 'f'), 70);
	assert_int_equal(read_n(g, 70, 'f'), 60);
	assert_int_equal(read_n(g, 70, 'f'), 0);
	close_st(g);
}

static void without_read_ahead_a_fixed_read_is_whole_blocks(void **state)
{
	struct rig *g = *state;

	fixed_blocks(g);
	assert_int_equal(op(g, MTSETDRVBUFFER, (int)(MT_ST_CLEARBOOLEANS | MT_ST_READ_AHEAD)), 0);
	assert_int_equal(read_n(g, 70, 'f'), -EINVAL);
	assert_int_equal(read_n(g, 100, 'f'), 100);
	close_st(g);
}

static void a_block_of_another_size_fails_and_the_tape_stands_before_it(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, 0);
	assert_int_equal(op(g, MTSETBLK, 100), 0);
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	assert_int_equal(read_n(g, 1000, 'a'), -EIO);
	assert_at(g, 0, 1);
	assert_int_equal(op(g, MTSETBLK, 200), 0);
	assert_int_equal(read_n(g, 1000, 'a'), 200);
	close_st(g);
}

static void the_block_size_outlasts_a_close(void **state)
{
	struct rig *g = *state;

	fixed_blocks(g);
	close_st(g);
	open_st(g, 0);
	assert_int_equal(status(g).mt_dsreg & MT_ST_BLKSIZE_MASK, 50);
	close_st(g);
}

/* ---- writing and closing --------------------------------------------------------------------------------------- */

static void close_after_a_write_leaves_one_mark(void **state)
{
	struct rig *g = *state;
	struct tape_tally end;

	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(write_n(g, 10, 'x'), 10);
	close_st(g);
	assert_int_equal(volume_end(g->tape->vol, 0, &end), 0);
	assert_int_equal(end.objects, 2);
	assert_int_equal(end.marks, 1);
}

static void a_close_that_was_not_the_last_leaves_no_mark_behind(void **state)
{
	struct rig *g = *state;
	struct tape_tally end;

	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(write_n(g, 10, 'x'), 10);
	assert_int_equal(st_flush(g->st), 0);
	assert_int_equal(st_flush(g->st), 0);
	assert_int_equal(write_n(g, 10, 'y'), 10);
	close_st(g);
	assert_int_equal(volume_end(g->tape->vol, 0, &end), 0);
	assert_int_equal(end.objects, 3);
	assert_int_equal(end.marks, 1);
}

static void a_mark_written_after_a_close_that_was_not_the_last_is_the_only_one(void **state)
{
	struct rig *g = *state;
	struct tape_tally end;

	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(write_n(g, 10, 'x'), 10);
	assert_int_equal(st_flush(g->st), 0);
	assert_int_equal(op(g, MTWEOF, 1), 0);
	close_st(g);
	assert_int_equal(volume_end(g->tape->vol, 0, &end), 0);
	assert_int_equal(end.marks, 1);
}

static void two_marks_if_wanted_and_the_tape_stands_between_them(void **state)
{
	struct rig *g = *state;
	struct tape_tally end;

	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(op(g, MTSETDRVBUFFER, (int)(MT_ST_SETBOOLEANS | MT_ST_TWO_FM)), 0);
	assert_int_equal(write_n(g, 10, 'x'), 10);
	assert_int_equal(st_flush(g->st), 0);
	assert_int_equal(write_n(g, 10, 'x'), 10);
	close_st(g);
	assert_int_equal(volume_end(g->tape->vol, 0, &end), 0);
	assert_int_equal(end.objects, 4);
	assert_int_equal(end.marks, 2);
	open_st(g, ST_OPEN_WRITE);
	assert_at(g, 1, 0);
	assert_int_equal(write_n(g, 10, 'y'), 10);
	close_st(g);
	assert_int_equal(volume_end(g->tape->vol, 0, &end), 0);
	assert_int_equal(end.objects, 6);
	assert_int_equal(end.marks, 3);
}

static void close_after_reading_leaves_the_tape_where_it_is(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, 0);
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	close_st(g);
	open_st(g, 0);
	assert_at(g, 0, 1);
	close_st(g);
}

static void with_system_v_close_after_reading_goes_behind_the_file(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, 0);
	assert_int_equal(op(g, MTSETDRVBUFFER, (int)(MT_ST_SETBOOLEANS | 0x1000)), 0);
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	close_st(g);
	open_st(g, 0);
	assert_at(g, 1, 0);
	close_st(g);
}

static void the_rewinding_device_rewinds(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, ST_OPEN_REWIND);
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	close_st(g);
	open_st(g, 0);
	assert_at(g, 0, 0);
	assert_true(GMT_BOT(status(g).mt_gstat));
	close_st(g);
}

static void writing_in_the_middle_cuts_off_what_follows(void **state)
{
	struct rig *g = *state;
	struct tape_tally end;

	two_files(g);
	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	assert_int_equal(write_n(g, 5, 'c'), 5);
	close_st(g);
	assert_int_equal(volume_end(g->tape->vol, 0, &end), 0);
	assert_int_equal(end.objects, 3);
	assert_int_equal(end.bytes, 105);
}

static void appending_begins_at_the_end_of_data(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, ST_OPEN_WRITE | ST_OPEN_APPEND);
	assert_at(g, 2, 0);
	close_st(g);
}

static void a_reader_may_not_write(void **state)
{
	struct rig *g = *state;

	open_st(g, 0);
	assert_int_equal(write_n(g, 5, 'c'), -EACCES);
	assert_int_equal(op(g, MTWEOF, 1), -EACCES);
	assert_int_equal(op(g, MTERASE, 0), -EACCES);
	close_st(g);
}

static void a_record_is_at_most_what_passes_in_one_piece(void **state)
{
	struct rig *g = *state;

	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(write_n(g, ST_RECORD_MAX + 1, 'c'), -EINVAL);
	assert_int_equal(write_n(g, ST_RECORD_MAX, 'c'), ST_RECORD_MAX);
	close_st(g);
}

static void a_protected_tape(void **state)
{
	struct rig *g = *state;

	two_files(g);
	g->tape->attr.protect = true;
	volume_set_attr(g->tape->vol, &g->tape->attr);
	assert_int_equal(st_open(g->st, g->tape->drive, NULL, ST_OPEN_WRITE), -EROFS);
	open_st(g, ST_OPEN_WRITE | ST_OPEN_NONBLOCK);
	assert_true(GMT_WR_PROT(status(g).mt_gstat));
	assert_int_equal(write_n(g, 5, 'c'), -EACCES);
	assert_int_equal(op(g, MTWEOF, 1), -EACCES);
	assert_int_equal(op(g, MTERASE, 1), -EACCES);
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	close_st(g);
}

/* What never came to be written needs no mark. */
static void a_write_that_the_tape_refuses_leaves_nothing_to_close(void **state)
{
	struct rig *g = *state;
	struct mtget was;

	two_files(g);
	g->tape->attr.locked_until_ns = clock_retention_ns() + 3600000000000ull;
	volume_set_attr(g->tape->vol, &g->tape->attr);
	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(op(g, MTREW, 1), 0);
	was = status(g);
	assert_int_equal(write_n(g, 5, 'c'), -EACCES);
	assert_int_equal(op(g, MTBSF, 1), -EIO);
	assert_int_equal(write_n(g, 5, 'c'), -EACCES);
	assert_int_equal(op(g, MTREW, 1), 0);
	assert_int_equal(write_n(g, 5, 'c'), -EACCES);
	assert_int_equal(status(g).mt_gstat, was.mt_gstat);
	close_st(g);
	open_st(g, 0);
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	close_st(g);
}

static void what_was_written_before_a_refused_write_has_its_mark(void **state)
{
	struct rig *g = *state;

	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(write_n(g, 5, 'c'), 5);
	g->tape->attr.protect = true;
	volume_set_attr(g->tape->vol, &g->tape->attr);
	assert_int_equal(write_n(g, 6, 'c'), -EACCES);
	g->tape->attr.protect = false;
	volume_set_attr(g->tape->vol, &g->tape->attr);
	assert_int_equal(st_flush(g->st), 0);
	assert_int_equal(status(g).mt_fileno, 0);
	close_st(g);
	open_st(g, 0);
	assert_int_equal(op(g, MTREW, 1), 0);
	assert_int_equal(read_n(g, 100, 'c'), 5);
	close_st(g);
}

/* ---- the end of the tape --------------------------------------------------------------------------------------- */

/* README of st: the write that meets early warning succeeds, then writes are refused and done in turns. */
static void early_warning_refuses_every_other_write(void **state)
{
	struct rig *g = *state;
	int r, before = 0, refused = 0, after = 0;

	g->tape->attr.capacity_bytes = 100000;
	volume_set_attr(g->tape->vol, &g->tape->attr);
	open_st(g, ST_OPEN_WRITE);
	while ((r = write_n(g, 1000, 'x')) == 1000)
		before++;
	assert_int_equal(r, -ENOSPC);
	assert_true(before > 80 && before < 95);
	while ((r = write_n(g, 1000, 'x')) == 1000) {
		after++;
		assert_int_equal(write_n(g, 1000, 'x'), -ENOSPC);
		refused++;
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(before + after, 100);
	assert_int_equal(refused, after);
	assert_true(GMT_EOT(status(g).mt_gstat));
	close_st(g);
}

static void a_mark_can_be_written_behind_early_warning(void **state)
{
	struct rig *g = *state;

	g->tape->attr.capacity_bytes = 100000;
	volume_set_attr(g->tape->vol, &g->tape->attr);
	open_st(g, ST_OPEN_WRITE);
	while (write_n(g, 1000, 'x') == 1000)
		;
	assert_int_equal(op(g, MTWEOF, 1), 0);
	assert_int_equal(write_n(g, 1000, 'y'), 1000);
	close_st(g);
}

static void a_fixed_write_that_does_not_fit_is_short(void **state)
{
	struct rig *g = *state;
	int r, total = 0;

	g->tape->attr.capacity_bytes = 10500;
	volume_set_attr(g->tape->vol, &g->tape->attr);
	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(op(g, MTSETBLK, 1000), 0);
	for (int i = 0; i < 10; i++) {
		r = write_n(g, 4000, 'x');
		total += r > 0 ? r : 0;
	}
	assert_int_equal(total, 10000);
	close_st(g);
}

/* ---- no tape --------------------------------------------------------------------------------------------------- */

static void without_a_tape_only_a_nonblocking_open_succeeds(void **state)
{
	struct rig *g = *state;
	struct mtpos pos;
	struct mtget m;

	assert_int_equal(drive_unload(g->tape->drive), 0);
	assert_int_equal(st_open(g->st, g->tape->drive, NULL, 0), -ENOMEDIUM);
	open_st(g, ST_OPEN_NONBLOCK | ST_OPEN_WRITE);
	assert_int_equal(read_n(g, 10, 0), -ENOMEDIUM);
	assert_int_equal(write_n(g, 10, 0), -ENOMEDIUM);
	assert_int_equal(op(g, MTREW, 1), -ENOMEDIUM);
	assert_int_equal(st_pos(g->st, &pos), -EIO);
	m = status(g);
	assert_true(GMT_DR_OPEN(m.mt_gstat));
	assert_false(GMT_ONLINE(m.mt_gstat));
	assert_int_equal(m.mt_fileno, -1);
	assert_int_equal(m.mt_blkno, -1);
	close_st(g);
}

static void what_is_remembered_of_a_tape_is_forgotten_with_it(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, 0);
	assert_int_equal(op(g, MTEOM, 1), 0);
	close_st(g);
	reload(g->tape);
	open_st(g, 0);
	assert_false(GMT_EOD(status(g).mt_gstat));
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	close_st(g);
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, rig_new, rig_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIGGED(a_read_gives_one_record),
		RIGGED(a_filemark_reads_as_nothing_and_the_next_read_goes_on),
		RIGGED(the_end_of_data_reads_as_nothing_after_a_mark_and_then_fails),
		RIGGED(the_end_of_data_without_a_mark_fails_at_once),
		RIGGED(a_gentle_tape_ends_with_nothing_even_without_a_mark),
		RIGGED(a_record_longer_than_the_buffer_is_enomem_and_passed_over),
		RIGGED(reading_nothing_moves_nothing),
		RIGGED(a_fixed_write_is_as_many_records),
		RIGGED(a_fixed_write_is_whole_blocks),
		RIGGED(a_fixed_read_gives_what_is_there_and_then_the_mark),
		RIGGED(a_fixed_read_may_split_a_block),
		RIGGED(without_read_ahead_a_fixed_read_is_whole_blocks),
		RIGGED(a_block_of_another_size_fails_and_the_tape_stands_before_it),
		RIGGED(the_block_size_outlasts_a_close),
		RIGGED(close_after_a_write_leaves_one_mark),
		RIGGED(a_close_that_was_not_the_last_leaves_no_mark_behind),
		RIGGED(a_mark_written_after_a_close_that_was_not_the_last_is_the_only_one),
		RIGGED(two_marks_if_wanted_and_the_tape_stands_between_them),
		RIGGED(close_after_reading_leaves_the_tape_where_it_is),
		RIGGED(with_system_v_close_after_reading_goes_behind_the_file),
		RIGGED(the_rewinding_device_rewinds),
		RIGGED(writing_in_the_middle_cuts_off_what_follows),
		RIGGED(appending_begins_at_the_end_of_data),
		RIGGED(a_reader_may_not_write),
		RIGGED(a_record_is_at_most_what_passes_in_one_piece),
		RIGGED(a_protected_tape),
		RIGGED(a_write_that_the_tape_refuses_leaves_nothing_to_close),
		RIGGED(what_was_written_before_a_refused_write_has_its_mark),
		RIGGED(early_warning_refuses_every_other_write),
		RIGGED(a_mark_can_be_written_behind_early_warning),
		RIGGED(a_fixed_write_that_does_not_fit_is_short),
		RIGGED(without_a_tape_only_a_nonblocking_open_succeeds),
		RIGGED(what_is_remembered_of_a_tape_is_forgotten_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
