/* SPDX-License-Identifier: BSD-2-Clause */
/* MTIOCTOP: what every operation does to the position, to the status, and to a tape that was being written. */
#include "tape_rig.h"

/* On two files of 2 and 1 records (objects: r r F r F). @from: where it begins (MTSEEK). */
static const struct {
	const char *what;
	int from, op, count, result, object;
	unsigned long bits;		/* of GMT_EOF, GMT_BOT, GMT_EOD */
} motions[] = {
	{ "rewind", 4, MTREW, 1, 0, 0, 0x40000000 },
	{ "retension", 4, MTRETEN, 1, 0, 0, 0x40000000 },
	{ "fsf", 0, MTFSF, 1, 0, 3, 0x80000000 },
	{ "fsf 2", 1, MTFSF, 2, 0, 5, 0x80000000 },
	{ "fsf too far", 0, MTFSF, 3, -EIO, 5, 0x88000000 },
	{ "fsf 0", 1, MTFSF, 0, 0, 1, 0 },
	{ "fsf backwards", 5, MTFSF, -1, 0, 4, 0 },
	{ "bsf", 4, MTBSF, 1, 0, 2, 0 },
	{ "bsf 2", 5, MTBSF, 2, 0, 2, 0 },
	{ "bsf to the beginning", 1, MTBSF, 1, -EIO, 0, 0x40000000 },
	{ "fsfm", 0, MTFSFM, 1, 0, 2, 0 },
	{ "bsfm", 4, MTBSFM, 1, 0, 3, 0x80000000 },
	{ "fsr", 0, MTFSR, 1, 0, 1, 0 },
	{ "fsr over a mark", 1, MTFSR, 2, -EIO, 3, 0x80000000 },
	{ "fsr to the end", 5, MTFSR, 1, -EIO, 5, 0x88000000 },
	{ "bsr", 2, MTBSR, 1, 0, 1, 0 },
	{ "bsr over a mark", 4, MTBSR, 2, -EIO, 2, 0 },
	{ "bsr to the beginning", 1, MTBSR, 2, -EIO, 0, 0x40000000 },
	{ "eom", 0, MTEOM, 1, 0, 5, 0x88000000 },
	{ "seek", 0, MTSEEK, 4, 0, 4, 0 },
	{ "seek to the end", 0, MTSEEK, 5, 0, 5, 0x80000000 },
	{ "seek too far", 0, MTSEEK, 6, -EIO, 5, 0x88000000 },
	{ "seek before the beginning", 1, MTSEEK, -1, -EINVAL, 1, 0 },
	{ "nop", 1, MTNOP, 1, 0, 1, 0 },
	{ "setmarks", 1, MTFSS, 1, -EIO, 1, 0 },
	{ "write setmarks", 1, MTWSM, 1, -EIO, 1, 0 },
	{ "reset", 1, MTRESET, 1, -ENOSYS, 1, 0 },
	{ "tell", 1, MTTELL, 1, -ENOSYS, 1, 0 },
	{ "self test", 1, MTRAS1, 1, -ENOSYS, 1, 0 },
	{ "no operation", 1, 99, 1, -ENOSYS, 1, 0 },
	{ "negative operation", 1, -1, 1, -ENOSYS, 1, 0 },
	{ "compression", 1, MTCOMPRESSION, 1, 0, 1, 0 },
	{ "its own density", 1, MTSETDENSITY, ST_DENSITY, 0, 1, 0 },
	{ "default density", 1, MTSETDENSITY, 0, 0, 1, 0 },
	{ "another density", 1, MTSETDENSITY, 0x24, -EIO, 1, 0 },
	{ "lock", 1, MTLOCK, 1, 0, 1, 0 },
	{ "unlock", 1, MTUNLOCK, 1, 0, 1, 0 },
	{ "partition", 1, MTSETPART, 0, -EINVAL, 1, 0 },
	{ "make partitions", 1, MTMKPART, 1, -EINVAL, 1, 0 },
	{ "marks backwards", 1, MTWEOF, -1, -EINVAL, 1, 0 },
	{ "block size too large", 1, MTSETBLK, ST_RECORD_MAX + 1, -EINVAL, 1, 0 },
};

static void every_motion_ends_where_st_says(void **state)
{
	struct rig *g = *state;
	struct mtpos pos;

	two_files(g);
	open_st(g, ST_OPEN_WRITE);
	for (size_t i = 0; i < ARRAY_LEN(motions); i++) {
		int r;

		assert_int_equal(op(g, MTREW, 1), 0);
		assert_int_equal(op(g, MTSEEK, motions[i].from), 0);
		r = op(g, motions[i].op, motions[i].count);
		assert_int_equal(st_pos(g->st, &pos), 0);
		if (r != motions[i].result || pos.mt_blkno != motions[i].object)
			fail_msg("%s: result %d at object %ld", motions[i].what, r, pos.mt_blkno);
		if ((status(g).mt_gstat & 0xc8000000ul) != motions[i].bits)
			fail_msg("%s: status %lx", motions[i].what, status(g).mt_gstat);
	}
	close_st(g);
}

static void status_says_what_mt_shows(void **state)
{
	struct rig *g = *state;
	struct mtget m;

	two_files(g);
	open_st(g, 0);
	m = status(g);
	assert_int_equal(m.mt_type, MT_ISSCSI2);
	assert_int_equal(m.mt_dsreg, (long)ST_DENSITY << 24);
	assert_int_equal(m.mt_resid, 0);
	assert_true(GMT_ONLINE(m.mt_gstat));
	assert_true(GMT_IM_REP_EN(m.mt_gstat));
	assert_false(GMT_WR_PROT(m.mt_gstat));
	assert_false(GMT_DR_OPEN(m.mt_gstat));
	close_st(g);
}

/* After a write: does it leave the mark that closes the file, and where does a program count from? */
static const struct { int op, count; unsigned marks; } after_writing[] = {
	{ MTREW, 1, 1 }, { MTSEEK, 0, 1 }, { MTBSF, 0, 1 },
	{ MTFSR, 0, 0 }, { MTBSR, 1, 0 }, { MTEOM, 1, 0 }, { MTRETEN, 1, 0 },
	{ MTNOP, 1, 1 }, { MTSETBLK, 0, 1 }, { MTWEOF, 1, 1 }, { MTWEOF, 2, 2 }, { MTWEOFI, 1, 1 }, { MTWEOF, 0, 0 },
};

static void leaving_the_end_after_a_write_leaves_a_mark_where_st_does(void **state)
{
	struct rig *g = *state;
	struct tape_tally end;

	for (size_t i = 0; i < ARRAY_LEN(after_writing); i++) {
		open_st(g, ST_OPEN_WRITE);
		assert_int_equal(op(g, MTREW, 1), 0);
		assert_int_equal(op(g, MTERASE, 0), 0);
		assert_int_equal(write_n(g, 10, 'x'), 10);
		assert_int_equal(op(g, after_writing[i].op, after_writing[i].count), 0);
		close_st(g);
		assert_int_equal(volume_end(g->tape->vol, 0, &end), 0);
		if (end.marks != after_writing[i].marks)
			fail_msg("operation %d: %llu marks", after_writing[i].op, (unsigned long long)end.marks);
	}
}

static void backspacing_files_after_a_write_counts_without_its_mark(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(op(g, MTEOM, 1), 0);
	assert_int_equal(write_n(g, 10, 'x'), 10);
	assert_int_equal(op(g, MTBSF, 1), 0);
	assert_at(g, 1, 1);
	close_st(g);
}

static void operations_after_an_early_close_see_no_mark(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(op(g, MTEOM, 1), 0);
	assert_int_equal(write_n(g, 10, 'x'), 10);
	assert_int_equal(st_flush(g->st), 0);
	assert_at(g, 2, 1);
	assert_int_equal(st_flush(g->st), 0);
	assert_int_equal(op(g, MTBSR, 1), 0);
	assert_at(g, 2, 0);
	close_st(g);
}

static void erase_makes_the_end_of_data_here(void **state)
{
	struct rig *g = *state;
	struct tape_tally end;

	two_files(g);
	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(op(g, MTSEEK, 1), 0);
	assert_int_equal(op(g, MTERASE, 1), 0);
	close_st(g);
	assert_int_equal(volume_end(g->tape->vol, 0, &end), 0);
	assert_int_equal(end.objects, 1);
}

static void a_tape_of_its_own_is_out_of_reach_after_offline(void **state)
{
	struct rig *g = *state;

	two_files(g);
	open_st(g, 0);
	assert_int_equal(op(g, MTOFFL, 1), 0);
	assert_true(GMT_DR_OPEN(status(g).mt_gstat));
	assert_int_equal(read_n(g, 10, 0), -ENOMEDIUM);
	assert_int_equal(op(g, MTLOAD, 1), 0);
	assert_int_equal(read_n(g, 1000, 'a'), 100);
	close_st(g);
}

struct asked { int ejected, loaded, locked; };

static int asked_eject(void *ctx)
{
	return ((struct asked *)ctx)->locked ? -EIO : (((struct asked *)ctx)->ejected++, 0);
}

static int asked_load(void *ctx)
{
	((struct asked *)ctx)->loaded++;
	return 0;
}

static void asked_lock(void *ctx, bool locked)
{
	((struct asked *)ctx)->locked = locked;
}

static void the_cartridge_is_the_hosts_matter(void **state)
{
	struct rig *g = *state;
	struct asked a = { 0 };
	struct st_host host = { &a, asked_eject, asked_load, asked_lock };

	assert_int_equal(st_open(g->st, g->tape->drive, &host, 0), 0);
	assert_int_equal(op(g, MTLOCK, 1), 0);
	assert_int_equal(a.locked, 1);
	assert_int_equal(op(g, MTUNLOAD, 1), -EIO);
	assert_int_equal(op(g, MTOFFL, 1), 0);		/* opens the door itself */
	assert_int_equal(a.locked, 0);
	assert_int_equal(a.ejected, 1);
	assert_int_equal(op(g, MTLOAD, 1), 0);
	assert_int_equal(a.loaded, 1);
	close_st(g);
}

static void options_are_for_root(void **state)
{
	struct rig *g = *state;

	open_st(g, 0);
	assert_int_equal(st_op(g->st, MTSETDRVBUFFER, 1, false), -EPERM);
	assert_int_equal(op(g, MTSETDRVBUFFER, 0), 0);
	assert_false(GMT_IM_REP_EN(status(g).mt_gstat));
	assert_int_equal(op(g, MTSETDRVBUFFER, 1), 0);
	assert_int_equal(op(g, MTSETDRVBUFFER, 3), -EIO);
	assert_int_equal(op(g, MTSETDRVBUFFER, (int)(MT_ST_SET_TIMEOUT | 100)), 0);
	assert_int_equal(op(g, MTSETDRVBUFFER, (int)(MT_ST_WRITE_THRESHOLD | 100)), 0);
	assert_int_equal(op(g, MTSETDRVBUFFER, (int)MT_ST_DEF_DENSITY), 0);
	assert_int_equal(op(g, MTSETDRVBUFFER, (int)0xf0000000), -EIO);
	close_st(g);
}

static void partitions_keep_their_positions(void **state)
{
	struct rig *g = *state;

	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(op(g, MTSETDRVBUFFER, (int)(MT_ST_SETBOOLEANS | MT_ST_CAN_PARTITIONS)), 0);
	assert_int_equal(op(g, MTMKPART, 100), 0);
	assert_int_equal(write_n(g, 10, 'p'), 10);
	assert_int_equal(op(g, MTWEOF, 1), 0);
	assert_int_equal(op(g, MTSETPART, 2), -EINVAL);
	assert_int_equal(op(g, MTSETPART, 1), 0);
	assert_int_equal(write_n(g, 20, 'q'), 20);
	assert_int_equal(op(g, MTWEOF, 1), 0);
	assert_int_equal(status(g).mt_resid, 1);
	assert_int_equal(op(g, MTSETPART, 0), 0);
	assert_at(g, 1, 0);
	assert_int_equal(status(g).mt_resid, 0);
	assert_int_equal(op(g, MTSETPART, 1), 0);
	assert_int_equal(op(g, MTREW, 1), 0);
	assert_int_equal(read_n(g, 100, 'q'), 20);
	assert_int_equal(op(g, MTSETPART, 0), 0);
	assert_int_equal(op(g, MTSEEK, 0), 0);
	assert_int_equal(read_n(g, 100, 'p'), 10);
	/* A change that nothing followed is made by the close. */
	assert_int_equal(op(g, MTSETPART, 1), 0);
	close_st(g);
	open_st(g, 0);
	assert_int_equal(status(g).mt_resid, 1);
	assert_at(g, 0, 1);
	assert_int_equal(op(g, MTSETPART, 0), 0);
	assert_at(g, 0, 1);
	close_st(g);
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, rig_new, rig_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIGGED(every_motion_ends_where_st_says),
		RIGGED(status_says_what_mt_shows),
		RIGGED(leaving_the_end_after_a_write_leaves_a_mark_where_st_does),
		RIGGED(backspacing_files_after_a_write_counts_without_its_mark),
		RIGGED(operations_after_an_early_close_see_no_mark),
		RIGGED(erase_makes_the_end_of_data_here),
		RIGGED(a_tape_of_its_own_is_out_of_reach_after_offline),
		RIGGED(the_cartridge_is_the_hosts_matter),
		RIGGED(options_are_for_root),
		RIGGED(partitions_keep_their_positions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
