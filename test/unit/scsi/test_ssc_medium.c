/* SPDX-License-Identifier: BSD-2-Clause */
/* ssc_medium: loading, locking, erasing, formatting, capacity.  The tape is written through the engine. */
#include <pthread.h>

#include "unit/scsi/rig.h"

#define READY 0, 0, 0, 0, 0, 0
#define LOAD_UNLOAD(how) 0x1b, 0, 0, 0, how, 0
#define PREVENT(how) 0x1e, 0, 0, 0, how, 0
#define ERASE(how) 0x19, how, 0, 0, 0, 0
#define FORMAT(how) 0x04, 0, how, 0, 0, 0
#define SET_CAPACITY(n) 0x0b, 0, 0, (uint8_t)((n) >> 8), (uint8_t)(n), 0
#define LOCATE(partition, object) 0x2b, 0x02, 0, 0, 0, 0, object, 0, partition, 0
#define REWIND 0x01, 0, 0, 0, 0, 0

static int loaded(void **state)
{
	rig_loaded(state, "ibm-lto7");
	return 0;
}

/* @n records at the end of partition 0. */
static void write_records(struct rig *g, unsigned n)
{
	GOOD(g, 0, 0x11, 3, 0, 0, 0, 0);
	while (n--)
		assert_int_equal(drive_write_record(g->u->ssc.drive, g->data, 100), 0);
}

/* Mode page 11h, as LTFS sets it: so many partitions more, the first as large as can be. */
static void want(struct rig *g, uint8_t more)
{
	uint8_t *page = g->data + 16;
	uint8_t len;

	GOOD(g, 255, 0x5a, 0, 0x11, 0, 0, 0, 0, 0, 255, 0);
	len = (uint8_t)g->t.data_in;
	assert_int_equal(page[0] & 0x3f, 0x11);
	put_be16(g->data, 0);
	page[3] = more;
	page[4] = 0x20 | (page[4] & 0x1f);
	page[6] = 9;
	for (int i = 0; i * 2 + 1 < page[1] - 6; i++)
		put_be16(page + 8 + 2 * i, i ? 1 : 0xffff);
	GOOD(g, len, 0x55, 0x10, 0, 0, 0, 0, 0, 0, len, 0);
}

static struct library_drive info(struct rig *g)
{
	struct library_drive out;

	assert_int_equal(library_drive_info(g->store->lib, 0, &out), 0);
	return out;
}

static struct volume_stat tape_stat(struct rig *g)
{
	struct volume_stat st;

	assert_int_equal(library_stat(g->store->lib, g->u->ssc.volume, &st), 0);
	return st;
}

static void resize(struct catalog_volume *v, void *ctx) { v->capacity_bytes = *(uint64_t *)ctx; }
static struct catalog_volume row(struct rig *g) { return row_of(g->store, g->u->ssc.volume); }

/* ---- LOAD UNLOAD ------------------------------------------------------------------------------------------------ */

static void unload_commits_and_leaves_the_drive_empty(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t volume = g->u->ssc.volume;
	struct volume_stat st;

	write_records(g, 3);
	GOOD(g, 0, LOAD_UNLOAD(0));
	assert_false(info(g).loaded);
	assert_int_equal(volume_peek(g->store->kv, volume, &st), 0);
	assert_int_equal(st.end.objects, 3);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, READY);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, READY);
	/* As it is wanted already. */
	GOOD(g, 0, LOAD_UNLOAD(0));
}

static void load_brings_back_what_was_unloaded(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t volume = g->u->ssc.volume;

	write_records(g, 3);
	GOOD(g, 0, LOAD_UNLOAD(0));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, READY);
	GOOD(g, 0, 0x1b, 1, 0, 0, 0x01, 0);
	assert_true(info(g).loaded);
	assert_int_equal(info(g).volume, volume);
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, READY);
	GOOD(g, 0, READY);
	GOOD(g, 20, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(g->data[0], 0x80);
}

/* Without a robot a stacker is one: the next tape is there, and that it is another is told. */
static void an_unload_brings_the_next_tape_of_a_stacker(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t volume = g->u->ssc.volume, next = make(g->store, "NEXT");
	struct catalog_stacker s = { STACKER_SCRATCH, row_of(g->store, volume).pool };

	assert_int_equal(catalog_stacker_put(g->store->cat, 0, &s), 0);
	write_records(g, 3);
	GOOD(g, 0, LOAD_UNLOAD(0));
	assert_true(info(g).loaded);
	assert_int_equal(info(g).volume, next);
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, READY);
	GOOD(g, 0, READY);
	write_records(g, 2);
	GOOD(g, 0, LOAD_UNLOAD(0));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, READY);
	assert_int_equal(stat_of(g->store, volume).end.objects, 3);
	assert_int_equal(stat_of(g->store, next).end.objects, 2);
}

static void load_of_a_loaded_tape_goes_to_the_beginning_of_partition_0(void **state)
{
	struct rig *g = rig_of(state);

	write_records(g, 0);
	assert_int_equal(drive_format(g->u->ssc.drive, 2), 0);
	GOOD(g, 0, LOCATE(1, 0));
	assert_int_equal(drive_write_record(g->u->ssc.drive, g->data, 100), 0);
	GOOD(g, 0, LOAD_UNLOAD(0x03));
	assert_int_equal(info(g).pos.partition, 0);
	assert_int_equal(info(g).pos.object, 0);
	assert_false(info(g).open);
	GOOD(g, 0, READY);
	GOOD(g, 20, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(g->data[0], 0x80);
	assert_int_equal(g->data[1], 0);
}

static void load_with_nothing_to_load(void **state)
{
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_DRIVE, NULL);
	rig_settle(g);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, LOAD_UNLOAD(1));
	GOOD(g, 0, LOAD_UNLOAD(0));
}

static void what_was_deleted_meanwhile_does_not_come_back(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t volume = g->u->ssc.volume;

	GOOD(g, 0, LOAD_UNLOAD(0));
	assert_int_equal(library_volume_delete(g->store->lib, volume), 0);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, LOAD_UNLOAD(1));
}

static void load_unload_with_bits_that_make_no_sense(void **state)
{
	struct rig *g = rig_of(state);

	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, LOAD_UNLOAD(0x05));
	assert_int_equal(g->t.sense[15], 0xca);
	assert_int_equal(get_be16(g->t.sense + 16), 4);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, LOAD_UNLOAD(0x09));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, LOAD_UNLOAD(0x10));
	assert_true(info(g).loaded);
	/* Retension, at the end, held: an unload. */
	GOOD(g, 0, LOAD_UNLOAD(0x0e));
	assert_false(info(g).loaded);
}

static void a_program_in_the_mount_keeps_the_tape(void **state)
{
	struct rig *g = rig_of(state);
	struct drive *d;

	assert_int_equal(library_drive_open(g->store->lib, 0, true, &d), 0);
	assert_int_equal(CMD(g, 0, LOAD_UNLOAD(0)), SCSI_BUSY);
	assert_int_equal(CMD(g, 0, LOAD_UNLOAD(1)), SCSI_BUSY);
	assert_true(info(g).loaded);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	GOOD(g, 0, LOAD_UNLOAD(0));
}

/* Slots: so there is a robot, and the tape waits in the drive for it. */
static void where_there_is_a_robot_the_tape_waits_in_the_drive(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t volume = g->u->ssc.volume;
	struct library_place at;

	assert_int_equal(library_places_set(g->store->lib, 4, 0), 0);
	write_records(g, 3);
	GOOD(g, 0, LOAD_UNLOAD(0));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, READY);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, REWIND);
	GOOD(g, 0, LOAD_UNLOAD(0));
	assert_int_equal(library_where(g->store->lib, volume, &at), 0);
	assert_int_equal(at.kind, LIBRARY_DRIVE);
	assert_true(info(g).out);
	GOOD(g, 0, LOAD_UNLOAD(1));
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, READY);
	GOOD(g, 20, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(g->data[0], 0x80);
	/* And the robot finds it there. */
	GOOD(g, 0, LOAD_UNLOAD(0));
	assert_int_equal(library_move(g->store->lib, (struct library_place){ LIBRARY_DRIVE, 0 },
				      (struct library_place){ LIBRARY_SLOT, 2 }), 0);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, READY);
	assert_int_equal(library_move(g->store->lib, (struct library_place){ LIBRARY_SLOT, 2 },
				      (struct library_place){ LIBRARY_DRIVE, 0 }), 0);
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, READY);
	GOOD(g, 0, READY);
}

/* As if the robot had put it away and brought it back: the engine asks who wrote the marks at a WORM tape's end. */
static void marks_on_a_worm_tape_stay_when_it_was_unloaded_and_is_loaded_again(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, set_worm, ON), 0);
	assert_int_equal(library_places_set(g->store->lib, 4, 0), 0);
	write_records(g, 1);
	GOOD(g, 0, 0x10, 0, 0, 0, 2);
	GOOD(g, 0, LOAD_UNLOAD(0));
	GOOD(g, 0, LOAD_UNLOAD(1));
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, READY);
	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, 2);
	CHECKED(g, DATA_PROTECT, ASC_APPEND_POSITION, 1, 0x0a, 0, 0, 0, 1);
	CHECKED(g, DATA_PROTECT, ASC_APPEND_POSITION, 0, 0x10, 0, 0, 0, 1);
	GOOD(g, 0, 0x11, 3);
	GOOD(g, 1, 0x0a, 0, 0, 0, 1);
}

static void a_tape_that_is_out_stays_so_over_a_kill(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(library_places_set(g->store->lib, 4, 0), 0);
	GOOD(g, 0, LOAD_UNLOAD(0));
	rig_kill(g, SCSI_DRIVE, "ibm-lto7");
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, READY);
	assert_true(info(g).out);
	GOOD(g, 0, LOAD_UNLOAD(1));
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, READY);
	GOOD(g, 0, READY);
}

static void what_a_program_opens_in_the_mount_is_loaded_again(void **state)
{
	struct rig *g = rig_of(state);
	struct drive *d;

	assert_int_equal(library_places_set(g->store->lib, 4, 0), 0);
	GOOD(g, 0, LOAD_UNLOAD(0));
	assert_int_equal(library_drive_open(g->store->lib, 0, false, &d), 0);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, READY);
	GOOD(g, 0, READY);
}

static void a_robot_that_comes_for_the_tape_gets_it(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t volume = g->u->ssc.volume;
	struct volume_stat st;

	assert_int_equal(library_places_set(g->store->lib, 4, 0), 0);
	write_records(g, 3);
	assert_true(info(g).open);
	assert_int_equal(library_drive_ask(g->store->lib, 0), 0);
	assert_false(info(g).open);
	assert_int_equal(volume_peek(g->store->kv, volume, &st), 0);
	assert_int_equal(st.end.objects, 3);
	/* It did not come after all: the head is where it was. */
	GOOD(g, 20, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(get_be32(g->data + 4), 3);
	/* A kill behind it finds a drive that is nobody's. */
	assert_int_equal(library_drive_ask(g->store->lib, 0), 0);
	rig_kill(g, SCSI_DRIVE, "ibm-lto7");
	GOOD(g, 0, READY);
	assert_false(info(g).open);
}

/* The process is killed when the tape is out and nobody has been told yet: the command comes again. */
static void an_unload_that_is_done_again_finds_it_done(void **state)
{
	struct rig *g = rig_of(state);

	write_records(g, 3);
	GOOD(g, 0, REWIND);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
	rig_kill(g, SCSI_DRIVE, "ibm-lto7");
	GOOD(g, 0, LOAD_UNLOAD(0));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, READY);
}

static void *robot(void *ctx)
{
	struct rig *g = ctx;

	for (int i = 0; i < 200; i++)
		assert_int_equal(library_drive_ask(g->store->lib, 0), 0);
	return NULL;
}

/* From another thread, between any two commands: the host does not notice. */
static void a_robot_asks_while_commands_run(void **state)
{
	struct rig *g = rig_of(state);
	pthread_t thread;

	write_records(g, 1);
	assert_int_equal(pthread_create(&thread, NULL, robot, g), 0);
	for (uint32_t i = 2; i < 100; i++) {
		GOOD(g, 100, 0x0a, 0, 0, 0, 100, 0);
		GOOD(g, 20, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0);
		assert_int_equal(get_be32(g->data + 4), i);
	}
	pthread_join(thread, NULL);
	GOOD(g, 0, LOAD_UNLOAD(0));
}

/* ---- PREVENT ALLOW ---------------------------------------------------------------------------------------------- */

static void what_is_prevented_does_not_come_out(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, PREVENT(1));
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, LOAD_UNLOAD(0));
	assert_true(info(g).loaded);
	assert_true(info(g).locked);
	/* Nor through the other doors. */
	assert_int_equal(library_unload(g->store->lib, 0), -EBUSY);
	GOOD(g, 0, LOAD_UNLOAD(1));
	GOOD(g, 0, PREVENT(0));
	assert_false(info(g).locked);
	GOOD(g, 0, LOAD_UNLOAD(0));
	/* Without a medium, too. */
	GOOD(g, 0, PREVENT(1));
	GOOD(g, 0, PREVENT(0));
}

static void what_is_prevented_stays_so_over_a_kill(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, PREVENT(1));
	rig_kill(g, SCSI_DRIVE, "ibm-lto7");
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, LOAD_UNLOAD(0));
	GOOD(g, 0, PREVENT(0));
	GOOD(g, 0, LOAD_UNLOAD(0));
}

static void a_lock_of_the_mount_holds_as_well(void **state)
{
	struct rig *g = rig_of(state);

	library_drive_lock(g->store->lib, 0, true);
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, LOAD_UNLOAD(0));
	library_drive_lock(g->store->lib, 0, false);
	GOOD(g, 0, LOAD_UNLOAD(0));
}

static void a_changer_s_door_is_none_of_a_drive(void **state)
{
	struct rig *g = rig_of(state);

	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, PREVENT(2));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, PREVENT(3));
	assert_false(info(g).locked);
}

static void a_reset_lets_go(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, PREVENT(1));
	scsi_reset(g->u, SCSI_LUN_RESET);
	rig_settle(g);
	GOOD(g, 0, LOAD_UNLOAD(0));
}

/* ---- ERASE ------------------------------------------------------------------------------------------------------ */

static void erase_makes_the_end_of_data_here(void **state)
{
	struct rig *g = rig_of(state);

	for (uint8_t how = 0; how < 4; how++) {
		GOOD(g, 0, REWIND);
		write_records(g, 3);
		GOOD(g, 0, LOCATE(0, 1));
		GOOD(g, 0, ERASE(how));
		assert_int_equal(tape_stat(g).end.objects, 1);
		assert_int_equal(info(g).pos.object, 1);
		GOOD(g, 0, REWIND);
		GOOD(g, 0, ERASE(how));
		assert_int_equal(tape_stat(g).end.objects, 0);
	}
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, ERASE(4));
}

static void make_worm(struct catalog_volume *v, void *ctx) { v->worm = true; }
static void protect(struct catalog_volume *v, void *ctx) { v->protect = true; }

static void what_may_not_be_written_is_not_erased_or_formatted(void **state)
{
	static const struct { void (*how)(struct catalog_volume *, void *); uint16_t code; } rows[] = {
		{ protect, ASC_WRITE_PROTECTED }, { make_worm, ASC_WORM_OVERWRITE }
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig *g = rig_of(state);

		if (i) {
			assert_int_equal(library_unload(g->store->lib, 0), 0);
			assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, "A00002L7")), 0);
			rig_settle(g);
		}
		write_records(g, 3);
		GOOD(g, 0, REWIND);
		assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, rows[i].how, NULL), 0);
		CHECKED(g, DATA_PROTECT, rows[i].code, 0, ERASE(0));
		CHECKED(g, DATA_PROTECT, rows[i].code, 0, ERASE(1));
		CHECKED(g, DATA_PROTECT, rows[i].code, 0, FORMAT(0));
		CHECKED(g, DATA_PROTECT, rows[i].code, 0, SET_CAPACITY(0x8000));
		assert_int_equal(tape_stat(g).end.objects, 3);
		GOOD(g, 0, REWIND);
	}
}

static void a_cartridge_that_is_only_read_is_not_erased_or_formatted(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, LOAD_UNLOAD(0));
	assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, "A00001L5")), 0);
	rig_settle(g);
	CHECKED(g, DATA_PROTECT, 0x3005, 0, ERASE(0));
	CHECKED(g, DATA_PROTECT, 0x3005, 0, FORMAT(0));
	CHECKED(g, DATA_PROTECT, 0x3005, 0, SET_CAPACITY(65535));
}

static void a_locked_volume_is_not_erased(void **state)
{
	struct rig *g = rig_of(state);

	write_records(g, 3);
	GOOD(g, 0, REWIND);
	assert_int_equal(library_volume_lock(g->store->lib, g->u->ssc.volume, clock_retention_ns() + 3600000000000ull),
			 0);
	CHECKED(g, DATA_PROTECT, ASC_WRITE_PROTECTED, 0, ERASE(0));
	CHECKED(g, DATA_PROTECT, ASC_WRITE_PROTECTED, 0, FORMAT(1));
	assert_int_equal(tape_stat(g).end.objects, 3);
}

/* ---- FORMAT MEDIUM ---------------------------------------------------------------------------------------------- */

static void format_makes_as_many_partitions_as_the_mode_page_wants(void **state)
{
	struct rig *g = rig_of(state);

	for (uint8_t how = 1; how <= 2; how++) {
		want(g, 1);
		write_records(g, 2);
		GOOD(g, 0, REWIND);
		GOOD(g, 0, FORMAT(how));
		assert_int_equal(tape_stat(g).partitions, 2);
		assert_int_equal(tape_stat(g).end.objects, 0);
		GOOD(g, 0, LOCATE(1, 0));
		assert_int_equal(drive_write_record(g->u->ssc.drive, g->data, 100), 0);
		GOOD(g, 0, LOCATE(0, 0));
	}
	want(g, 3);
	GOOD(g, 0, 0x04, 0x03, 1, 0, 0, 0);
	assert_int_equal(tape_stat(g).partitions, 4);
	/* The default format has one, whatever the page says. */
	GOOD(g, 0, FORMAT(0));
	assert_int_equal(tape_stat(g).partitions, 1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, LOCATE(1, 0));
}

/* Of 5 GB; the size of the first is what is left. */
static void partitions_are_as_large_as_the_mode_page_wants(void **state)
{
	static const struct { uint8_t flags, unit; uint16_t want[3]; uint64_t mb[3]; } rows[] = {
		{ 0x3c, 9, { 0xffff, 1 }, { 4000, 1000 } },
		{ 0x3c, 9, { 1, 0xffff }, { 1000, 4000 } },
		{ 0x3c, 6, { 0xffff, 1 }, { 4900, 100 } },		/* no less than a fiftieth */
		{ 0x34, 0, { 0xffff, 700 }, { 4300, 700 } },		/* megabytes, as st has it */
		{ 0x2c, 0, { 0xffff, 65000 }, { 4900, 100 } },		/* kilobytes */
		{ 0x3c, 9, { 2, 1 }, { 4000, 1000 } },			/* the largest has the rest */
		{ 0x3c, 8, { 10, 0xffff, 5 }, { 1000, 3500, 500 } },
		{ 0x3c, 15, { 0xffff, 9999 }, { 2500, 2500 } },		/* does not fit: equal */
		{ 0x3c, 9, { 0xffff, 5 }, { 2500, 2500 } },
		{ 0x5c, 9, { 0xffff, 1 }, { 2500, 2500 } },		/* SDP: the drive chooses */
	};
	struct rig *g = rig_of(state);
	uint64_t bytes = 5000000000, all, left;

	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, resize, &bytes), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned partitions = rows[i].mb[2] ? 3 : 2;
		uint8_t *page = g->data + 16;
		uint8_t len;

		GOOD(g, 255, 0x5a, 0, 0x11, 0, 0, 0, 0, 0, 255, 0);
		len = (uint8_t)g->t.data_in;
		put_be16(g->data, 0);
		page[3] = (uint8_t)(partitions - 1);
		page[4] = rows[i].flags;
		page[6] = rows[i].unit;
		for (unsigned p = 0; p < partitions; p++)
			put_be16(page + 8 + 2 * p, rows[i].want[p]);
		GOOD(g, len, 0x55, 0x10, 0, 0, 0, 0, 0, 0, len, 0);
		GOOD(g, 0, LOCATE(0, 0));
		GOOD(g, 0, FORMAT(1));
		for (unsigned p = 0; p < partitions; p++) {
			assert_int_equal(ssc_capacity(g->u, p, &all, &left), 0);
			assert_int_equal(all, rows[i].mb[p] * 1000000);
		}
		/* They are told back. */
		GOOD(g, 255, 0x5a, 0, 0x11, 0, 0, 0, 0, 0, 255, 0);
		for (unsigned p = 0; p < partitions; p++)
			assert_int_equal(get_be16(page + 8 + 2 * p), rows[i].mb[p]);
	}
}

static void format_begins_at_the_beginning(void **state)
{
	struct rig *g = rig_of(state);

	want(g, 1);
	GOOD(g, 0, LOCATE(0, 0));
	GOOD(g, 0, FORMAT(1));
	write_records(g, 2);
	CHECKED(g, ILLEGAL_REQUEST, ASC_POSITION_PAST_BOM, 0, FORMAT(0));
	CHECKED(g, ILLEGAL_REQUEST, ASC_POSITION_PAST_BOM, 0, SET_CAPACITY(65535));
	GOOD(g, 0, LOCATE(1, 0));
	CHECKED(g, ILLEGAL_REQUEST, ASC_POSITION_PAST_BOM, 0, FORMAT(0));
	CHECKED(g, ILLEGAL_REQUEST, ASC_POSITION_PAST_BOM, 0, SET_CAPACITY(65535));
	assert_int_equal(tape_stat(g).partitions, 2);
	assert_int_equal(tape_stat(g).end.objects, 2);
	GOOD(g, 0, LOCATE(0, 0));
	GOOD(g, 0, FORMAT(0));
}

static void formats_that_there_are_not(void **state)
{
	struct rig *g = rig_of(state);

	for (uint8_t how = 3; how < 32; how++)
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, FORMAT(how));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0x04, 0, 0, 0, 1, 0);
}

/* Another drive, and that tape in it. */
static void put_into(struct rig *g, const char *model, const char *name)
{
	GOOD(g, 0, LOAD_UNLOAD(0));
	g->u = scsi_unit_free(g->u, false);
	rig_plug(g, SCSI_DRIVE, model);
	assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, name)), 0);
	rig_settle(g);
}

static void a_cartridge_of_two_partitions_does_not_get_more(void **state)
{
	struct rig *g = rig_of(state);

	put_into(g, "ibm-lto6", "A00001L5");
	/* In the mount it got more; without a wish they stay as they are. */
	GOOD(g, 0, LOCATE(0, 0));
	assert_int_equal(drive_format(g->u->ssc.drive, 4), 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, FORMAT(1));
	want(g, 1);
	GOOD(g, 0, FORMAT(1));
	assert_int_equal(tape_stat(g).partitions, 2);
	GOOD(g, 0, FORMAT(2));
	assert_int_equal(tape_stat(g).partitions, 2);
}

/* The page tells of three more, takes three, and each partition of what is made can be written and read. */
static void from_lto_6_on_there_are_four_partitions(void **state)
{
	struct rig *g = rig_of(state);

	put_into(g, "ibm-lto6", "A00001L6");
	want(g, 3);
	GOOD(g, 255, 0x5a, 0, 0x11, 0, 0, 0, 0, 0, 255, 0);
	assert_int_equal(g->data[16 + 2], 3);
	assert_int_equal(g->data[16 + 3], 3);
	GOOD(g, 0, LOCATE(0, 0));
	GOOD(g, 0, FORMAT(1));
	assert_int_equal(tape_stat(g).partitions, 4);
	for (uint8_t p = 0; p < 4; p++) {
		GOOD(g, 0, LOCATE(p, 0));
		memset(g->data, 'a' + p, 100);
		GOOD(g, 100, 0x0a, 0, 0, 0, 100, 0);
	}
	for (uint8_t p = 0; p < 4; p++) {
		GOOD(g, 0, LOCATE(p, 0));
		GOOD(g, 100, 0x08, 0, 0, 0, 100, 0);
		assert_int_equal(g->t.data_in, 100);
		assert_int_equal(g->data[99], 'a' + p);
	}
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, LOCATE(4, 0));
}

static void a_kill_behind_a_format_of_a_blank_tape_is_not_seen(void **state)
{
	struct rig *g = rig_of(state);

	want(g, 1);
	GOOD(g, 0, LOCATE(0, 0));
	GOOD(g, 0, FORMAT(1));
	rig_kill(g, SCSI_DRIVE, "ibm-lto7");
	GOOD(g, 0, READY);
	GOOD(g, 0, LOCATE(1, 0));
	assert_int_equal(tape_stat(g).partitions, 2);
}

/* ---- SET CAPACITY ----------------------------------------------------------------------------------------------- */

static void a_proportion_of_the_capacity_and_the_whole_again(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t bytes = 6553500000;

	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, resize, &bytes), 0);
	write_records(g, 2);
	GOOD(g, 0, REWIND);
	GOOD(g, 0, SET_CAPACITY(0x4000));
	assert_int_equal(row(g).capacity_bytes, 0x4000 * 100000ull);
	assert_int_equal(tape_stat(g).end.objects, 0);
	/* It is a proportion of the whole and not of what is left of it. */
	GOOD(g, 0, SET_CAPACITY(0x8000));
	assert_int_equal(row(g).capacity_bytes, 0x8000 * 100000ull);
	/* It stays when the tape comes out. */
	GOOD(g, 0, LOAD_UNLOAD(0));
	GOOD(g, 0, LOAD_UNLOAD(1));
	rig_settle(g);
	assert_int_equal(row(g).capacity_bytes, 0x8000 * 100000ull);
	GOOD(g, 0, SET_CAPACITY(0xffff));
	assert_int_equal(row(g).capacity_bytes, bytes);
	/* As little as there is. */
	GOOD(g, 0, SET_CAPACITY(0));
	assert_int_equal(row(g).capacity_bytes, bytes / 20);
	/* Behind a capacity that an operator sets, that is the whole. */
	bytes = 1310700;
	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, resize, &bytes), 0);
	GOOD(g, 0, SET_CAPACITY(0xffff));
	assert_int_equal(row(g).capacity_bytes, bytes);
	GOOD(g, 0, SET_CAPACITY(0x1000));
	assert_int_equal(row(g).capacity_bytes, 0x1000 * 20);
}

static void an_unlimited_volume_has_what_a_cartridge_has(void **state)
{
	struct rig *g = rig_of(state);

	want(g, 1);
	GOOD(g, 0, LOCATE(0, 0));
	GOOD(g, 0, FORMAT(1));
	GOOD(g, 0, SET_CAPACITY(0xffff));
	assert_int_equal(row(g).capacity_bytes, 0);
	/* It is a new tape, of one partition. */
	assert_int_equal(tape_stat(g).partitions, 1);
	GOOD(g, 0, SET_CAPACITY(0x3333));
	assert_int_equal(row(g).capacity_bytes, 6000000000000ull / 5);
	GOOD(g, 0, SET_CAPACITY(0xffff));
	assert_int_equal(row(g).capacity_bytes, 0);
}

static void a_new_capacity_counts_at_once(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t bytes = 655350, all, left;

	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, resize, &bytes), 0);
	GOOD(g, 0, SET_CAPACITY(0x8000));
	assert_int_equal(ssc_capacity(g->u, 0, &all, &left), 0);
	assert_int_equal(all, 327680);
	memset(g->data, 1, 400000);
	GOOD(g, 0, LOCATE(0, 0));
	assert_int_equal(drive_write_record(g->u->ssc.drive, g->data, 400000), TAPE_E_FULL);
}

/* ---- READ MEDIA SERIAL NUMBER ----------------------------------------------------------------------------------- */

static void the_serial_number_is_the_cartridge_s(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 64, 0xab, 0x01, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0);
	assert_int_equal(g->t.data_in, 20);
	assert_int_equal(get_be32(g->data), 16);
	assert_memory_equal(g->data + 4, row(g).serial, 16);
	GOOD(g, 64, 0xab, 0x01, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0);
	assert_int_equal(g->t.data_in, 6);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0xab, 0x02, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0);
	GOOD(g, 0, LOAD_UNLOAD(0));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 64, 0xab, 0x01, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, loaded, rig_free)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(unload_commits_and_leaves_the_drive_empty),
		T(load_brings_back_what_was_unloaded),
		T(an_unload_brings_the_next_tape_of_a_stacker),
		T(load_of_a_loaded_tape_goes_to_the_beginning_of_partition_0),
		cmocka_unit_test_setup_teardown(load_with_nothing_to_load, rig_new, rig_free),
		T(what_was_deleted_meanwhile_does_not_come_back),
		T(load_unload_with_bits_that_make_no_sense),
		T(a_program_in_the_mount_keeps_the_tape),
		T(where_there_is_a_robot_the_tape_waits_in_the_drive),
		T(marks_on_a_worm_tape_stay_when_it_was_unloaded_and_is_loaded_again),
		T(a_tape_that_is_out_stays_so_over_a_kill),
		T(what_a_program_opens_in_the_mount_is_loaded_again),
		T(a_robot_that_comes_for_the_tape_gets_it),
		T(an_unload_that_is_done_again_finds_it_done),
		T(a_robot_asks_while_commands_run),
		T(what_is_prevented_does_not_come_out),
		T(what_is_prevented_stays_so_over_a_kill),
		T(a_lock_of_the_mount_holds_as_well),
		T(a_changer_s_door_is_none_of_a_drive),
		T(a_reset_lets_go),
		T(erase_makes_the_end_of_data_here),
		T(what_may_not_be_written_is_not_erased_or_formatted),
		T(a_cartridge_that_is_only_read_is_not_erased_or_formatted),
		T(a_locked_volume_is_not_erased),
		T(format_makes_as_many_partitions_as_the_mode_page_wants),
		T(partitions_are_as_large_as_the_mode_page_wants),
		T(format_begins_at_the_beginning),
		T(formats_that_there_are_not),
		T(a_cartridge_of_two_partitions_does_not_get_more),
		T(from_lto_6_on_there_are_four_partitions),
		T(a_kill_behind_a_format_of_a_blank_tape_is_not_seen),
		T(a_proportion_of_the_capacity_and_the_whole_again),
		T(an_unlimited_volume_has_what_a_cartridge_has),
		T(a_new_capacity_counts_at_once),
		T(the_serial_number_is_the_cartridge_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
