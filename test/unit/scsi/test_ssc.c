/* SPDX-License-Identifier: BSD-2-Clause */
/* A drive: who has it, what is loaded, what may be written, what is left. */
#include "unit/scsi/rig.h"

#define N24(n) (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n)
#define WRITE(g, n) 0x0a, 0, N24(n)
#define TEST_UNIT_READY 0x00, 0, 0, 0, 0, 0
#define REWIND 0x01, 0, 0, 0, 0, 0

static int start_model(void **state, const char *model, const char *volume)
{
	struct rig *g;

	rig_new(state);
	g = *state;
	assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, volume)), 0);
	rig_plug(g, SCSI_DRIVE, model);
	rig_settle(g);
	return 0;
}

static int start(void **state) { return start_model(state, NULL, "A00001"); }

static int start_empty(void **state)
{
	rig_new(state);
	rig_plug(*state, SCSI_DRIVE, NULL);
	return 0;
}

#define WITH_A_TAPE(test) cmocka_unit_test_setup_teardown(test, start, rig_free)
#define EMPTY(test) cmocka_unit_test_setup_teardown(test, start_empty, rig_free)

static uint64_t object(struct rig *g)
{
	struct tape_pos pos;

	assert_non_null(g->u->ssc.drive);
	assert_int_equal(drive_position(g->u->ssc.drive, &pos), 0);
	return pos.object;
}

/* ---- what is loaded --------------------------------------------------------------------------------------------- */

static void a_tape_that_comes_is_told_once(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t v = rig_volume(g, "A00001");

	CHECKED(g, UNIT_ATTENTION, 0x2900, 0, TEST_UNIT_READY);
	CHECKED(g, NOT_READY, 0x3a00, 0, TEST_UNIT_READY);
	CHECKED(g, NOT_READY, 0x3a00, 100, WRITE(g, 100));
	assert_int_equal(library_load(g->store->lib, 0, v), 0);
	GOOD(g, 96, 0x12, 0, 0, 0, 96, 0);
	CHECKED(g, UNIT_ATTENTION, 0x2800, 0, TEST_UNIT_READY);
	GOOD(g, 0, TEST_UNIT_READY);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
	CHECKED(g, NOT_READY, 0x3a00, 0, TEST_UNIT_READY);
	assert_int_equal(library_load(g->store->lib, 0, v), 0);
	CHECKED(g, UNIT_ATTENTION, 0x2800, 0, REWIND);
	GOOD(g, 0, REWIND);
}

static void counters_begin_anew_with_each_load(void **state)
{
	struct rig *g = rig_of(state);
	struct ssc_counters *c;

	GOOD(g, 100, WRITE(g, 100));
	GOOD(g, 100, WRITE(g, 100));
	GOOD(g, 0, REWIND);
	GOOD(g, 100, 0x08, 0, N24(100));
	c = &g->u->ssc.count;
	assert_int_equal(c->written_records, 2);
	assert_int_equal(c->written_bytes, 200);
	assert_int_equal(c->read_bytes, 100);
	assert_int_equal(c->loads, 1);
	GOOD(g, 0, REWIND);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
	assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, "A00002")), 0);
	rig_settle(g);
	assert_int_equal(c->written_records, 0);
	assert_int_equal(c->loads, 2);
	assert_int_equal(c->all_written_bytes, 200);
}

static void a_cartridge_is_what_its_barcode_says(void **state)
{
	struct rig *g;

	start_model(state, "ibm-lto7", "A00001L7");
	g = rig_of(state);
	if (!g->u->ssc.medium)
		fail_msg("no medium");
	assert_string_equal(g->u->ssc.medium->suffix, "L7");
}

static void a_cartridge_that_it_only_reads_is_not_written(void **state)
{
	struct rig *g;

	start_model(state, "ibm-lto7", "A00001L5");
	g = rig_of(state);
	assert_non_null(g->u->ssc.medium);
	CHECKED(g, BLANK_CHECK, 0x0005, 100, 0x08, 0, N24(100));
	CHECKED(g, DATA_PROTECT, 0x3005, 100, WRITE(g, 100));
}

/* ---- who has it ------------------------------------------------------------------------------------------------- */

static void a_program_has_it_and_it_is_busy(void **state)
{
	struct rig *g = rig_of(state);
	struct drive *d;

	assert_int_equal(library_drive_open(g->store->lib, 0, true, &d), 0);
	GOOD(g, 0, TEST_UNIT_READY);
	assert_int_equal(CMD(g, 100, WRITE(g, 100)), SCSI_BUSY);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	GOOD(g, 100, WRITE(g, 100));
}

static void it_has_it_until_it_is_rewound(void **state)
{
	struct rig *g = rig_of(state);
	struct drive *d;

	GOOD(g, 100, WRITE(g, 100));
	assert_int_equal(library_drive_open(g->store->lib, 0, false, &d), -EBUSY);
	assert_int_equal(library_unload(g->store->lib, 0), -EBUSY);
	GOOD(g, 0, REWIND);
	assert_int_equal(library_drive_open(g->store->lib, 0, false, &d), 0);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
}

static void who_only_looked_changes_nothing(void **state)
{
	struct rig *g = rig_of(state);
	struct drive *d;

	memcpy(g->data, "one", 3);
	GOOD(g, 3, WRITE(g, 3));
	GOOD(g, 3, WRITE(g, 3));
	GOOD(g, 0, REWIND);
	assert_int_equal(library_drive_open(g->store->lib, 0, false, &d), 0);
	assert_int_equal(drive_space_eod(d), 0);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	GOOD(g, 3, 0x08, 0, N24(3));
	assert_int_equal(object(g), 1);
}

static void what_somebody_else_wrote_is_another_medium(void **state)
{
	struct rig *g = rig_of(state);
	struct drive *d;

	GOOD(g, 3, WRITE(g, 3));
	GOOD(g, 0, REWIND);
	assert_int_equal(library_drive_open(g->store->lib, 0, true, &d), 0);
	assert_int_equal(drive_write_record(d, "other", 5), 0);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	CHECKED(g, UNIT_ATTENTION, 0x2800, 5, 0x08, 0, N24(5));
	GOOD(g, 5, 0x08, 0, N24(5));
	assert_memory_equal(g->data, "other", 5);
}

static void while_it_is_read_elsewhere_it_can_only_be_read(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t v = g->u->ssc.volume;

	GOOD(g, 100, WRITE(g, 100));
	GOOD(g, 0, REWIND);
	claim(g->store, v, CLAIM_READ);
	GOOD(g, 100, 0x08, 0, N24(100));
	assert_false(g->u->ssc.writes);
	assert_int_equal(CMD(g, 100, WRITE(g, 100)), SCSI_BUSY);
	release(g->store, v, CLAIM_READ);
	GOOD(g, 100, WRITE(g, 100));
	assert_true(g->u->ssc.writes);
	assert_int_equal(object(g), 2);
}

/* ---- may it be written ------------------------------------------------------------------------------------------ */

static void a_protected_tape_is_not_written(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 100, WRITE(g, 100));
	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, set_protect, ON), 0);
	CHECKED(g, DATA_PROTECT, 0x2700, 100, WRITE(g, 100));
	CHECKED(g, DATA_PROTECT, 0x2700, 0, 0x10, 0, N24(1));
	GOOD(g, 0, 0x10, 0, 0, 0, 0);
	assert_int_equal(object(g), 1);
	assert_true(g->u->ssc.alerts & 1ull << 8);
}

static void set_secondary(struct catalog_volume *row, void *ctx) { row->access = ACCESS_SECONDARY; }

static void a_copy_of_another_site_is_not_written(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, set_secondary, NULL), 0);
	CHECKED(g, DATA_PROTECT, 0x2700, 100, WRITE(g, 100));
}

static int give_pool_away(struct catalog_pool *p, void *site)
{
	p->access = ACCESS_SECONDARY;
	p->site = *(uint32_t *)site;
	return 0;
}

/* From one command to the next, and MODE SENSE says so. */
static void a_tape_of_another_site_s_pool_is_not_written(void **state)
{
	struct catalog_site site = { .number = UINT32_MAX, .name = "munich" };
	struct rig *g = rig_of(state);

	GOOD(g, 100, WRITE(g, 100));
	assert_int_equal(catalog_site_put(g->store->cat, &site), 0);
	assert_int_equal(library_pool_change(g->store->lib, CATALOG_POOL_DEFAULT, give_pool_away, &site.number), 0);
	CHECKED(g, DATA_PROTECT, 0x2700, 100, WRITE(g, 100));
	GOOD(g, 12, 0x1a, 0, 0, 0, 12, 0);
	assert_int_equal(g->data[2] & 0x80, 0x80);
	GOOD(g, 0, REWIND);
	GOOD(g, 100, 0x08, 0, N24(100));
}

static void a_locked_tape_is_appended_to(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t until = clock_retention_ns() + 3600 * 1000000000ull;

	GOOD(g, 100, WRITE(g, 100));
	GOOD(g, 0, REWIND);
	assert_int_equal(library_volume_lock(g->store->lib, g->u->ssc.volume, until), 0);
	CHECKED(g, DATA_PROTECT, 0x2700, 100, WRITE(g, 100));
	assert_int_equal(events(g->store, EVENT_LOCK_REFUSED, NULL), 1);
	GOOD(g, 100, 0x08, 0, N24(100));
	GOOD(g, 100, WRITE(g, 100));
	assert_int_equal(object(g), 2);
}

static void a_worm_tape_tells_overwriting_from_a_wrong_place(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t v = g->u->ssc.volume;

	assert_int_equal(library_volume_change(g->store->lib, v, set_worm, ON), 0);
	GOOD(g, 100, WRITE(g, 100));
	GOOD(g, 0, 0x10, 0, N24(2));
	GOOD(g, 0, REWIND);
	CHECKED(g, DATA_PROTECT, 0x300c, 100, WRITE(g, 100));
	assert_true(g->u->ssc.alerts & 1ull << 59);
	CHECKED(g, DATA_PROTECT, 0x300c, 0, 0x10, 0, N24(1));
	assert_int_equal(object(g), 0);
	/* Out and in: the marks are of another time now. */
	GOOD(g, 0, REWIND);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
	assert_int_equal(library_load(g->store->lib, 0, v), 0);
	rig_settle(g);
	GOOD(g, 0, 0x2b, 0, 0, 0, N24(2));
	CHECKED(g, DATA_PROTECT, 0x5001, 100, WRITE(g, 100));
	GOOD(g, 0, 0x11, 3);
	GOOD(g, 100, WRITE(g, 100));
	assert_int_equal(object(g), 4);
}

static void append_only_wants_to_be_asked(void **state)
{
	struct rig *g = rig_of(state);

	g->u->ssc.mode.append_only = 1;
	GOOD(g, 100, WRITE(g, 100));
	GOOD(g, 100, WRITE(g, 100));
	GOOD(g, 0, 0x2b, 0, 0, 0, N24(1));
	CHECKED(g, DATA_PROTECT, 0x300c, 100, WRITE(g, 100));
	/* Not there, not in that partition, and then there. */
	CHECKED(g, ILLEGAL_REQUEST, 0x3b00, 0, 0x82, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2);
	CHECKED(g, ILLEGAL_REQUEST, 0x3b00, 0, 0x82, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1);
	CHECKED(g, ILLEGAL_REQUEST, 0x2400, 0, 0x82, 0, 3);
	CHECKED(g, DATA_PROTECT, 0x300c, 100, WRITE(g, 100));
	GOOD(g, 0, 0x82, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	GOOD(g, 0, 0x82, 0, 0);
	CHECKED(g, DATA_PROTECT, 0x300c, 100, WRITE(g, 100));
	GOOD(g, 0, 0x82, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	GOOD(g, 50, WRITE(g, 50));
	GOOD(g, 50, WRITE(g, 50));
	GOOD(g, 0, 0x2b, 0, 0, 0, N24(1));
	CHECKED(g, DATA_PROTECT, 0x300c, 100, WRITE(g, 100));
	/* For FORMAT MEDIUM only. */
	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, 0);
	CHECKED(g, DATA_PROTECT, 0x300c, 0, 0x04, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x82, 0, 2);
	CHECKED(g, DATA_PROTECT, 0x300c, 50, WRITE(g, 50));
	GOOD(g, 0, 0x82, 0, 2);
	GOOD(g, 0, 0x04, 0, 0, 0, 0, 0);
}

/* Partition 0 is blank: there is no end of data to be behind of, and all of partition 1 to lose. */
static void append_only_keeps_other_partitions_from_a_format(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, 0);
	assert_int_equal(drive_format(g->u->ssc.drive, 2), 0);
	GOOD(g, 0, 0x2b, 2, 0, 0, N24(0), 0, 1, 0);
	GOOD(g, 100, WRITE(g, 100));
	GOOD(g, 0, 0x2b, 2, 0, 0, N24(0), 0, 0, 0);
	g->u->ssc.mode.append_only = 1;
	CHECKED(g, DATA_PROTECT, 0x300c, 0, 0x04, 0, 0, 0, 0, 0);
	CHECKED(g, DATA_PROTECT, 0x300c, 0, 0x0b, 0, 0, 0xff, 0xff, 0);
	/* Leave to write over what lies here is none to make the tape anew. */
	GOOD(g, 0, 0x82, 0, 1);
	CHECKED(g, DATA_PROTECT, 0x300c, 0, 0x04, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x2b, 2, 0, 0, N24(0), 0, 1, 0);
	GOOD(g, 100, 0x08, 0, N24(100), 0);
	GOOD(g, 0, 0x2b, 2, 0, 0, N24(0), 0, 0, 0);
	GOOD(g, 0, 0x82, 0, 2);
	GOOD(g, 0, 0x04, 0, 0, 0, 0, 0);
	/* A blank tape has nothing to lose. */
	GOOD(g, 0, 0x04, 0, 0, 0, 0, 0);
}

/* A lock, and all that is on the tape lies in partition 1. */
static void a_format_that_is_refused_leaves_the_cartridge_s_memory(void **state)
{
	static const uint8_t label[] = { 0, 0, 0, 21, 0x08, 0x09, 1, 0, 16, 'i', 'n', 'd', 'e', 'x', ' ', ' ', ' ', ' ', ' ',
					 ' ', ' ', ' ', ' ', ' ', ' ' };
	struct rig *g = rig_of(state);

	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, 0);
	assert_int_equal(drive_format(g->u->ssc.drive, 2), 0);
	GOOD(g, 0, 0x2b, 2, 0, 0, N24(0), 0, 1, 0);
	GOOD(g, 100, WRITE(g, 100));
	GOOD(g, 0, 0x2b, 2, 0, 0, N24(0), 0, 0, 0);
	memcpy(g->data, label, sizeof(label));
	GOOD(g, sizeof(label), 0x8d, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, sizeof(label), 0, 0);
	assert_int_equal(library_volume_lock(g->store->lib, g->u->ssc.volume, clock_retention_ns() + 3600000000000), 0);
	CHECKED(g, DATA_PROTECT, 0x2700, 0, 0x04, 0, 0, 0, 0, 0);
	CHECKED(g, DATA_PROTECT, 0x2700, 0, 0x0b, 0, 0, 0xff, 0xff, 0);
	GOOD(g, 255, 0x8c, 0, 0, 0, 0, 0, 0, 1, 0x08, 0x09, 0, 0, 0, 255, 0, 0);
	assert_memory_equal(g->data + 4, label + 4, sizeof(label) - 4);
}

static void compression_off_is_off(void **state)
{
	struct rig *g = rig_of(state);
	struct volume_stat st;

	memset(g->data, 'x', 1 << 20);
	g->u->ssc.mode.compression = 0;
	GOOD(g, 1 << 20, WRITE(g, 1 << 20));
	GOOD(g, 0, 0x10, 0, 0, 0, 0);
	assert_int_equal(volume_attr(drive_volume(g->u->ssc.drive))->store.codec, CHUNK_PLAIN);
	assert_int_equal(volume_peek(g->store->kv, g->u->ssc.volume, &st), 0);
	assert_true(st.stored_bytes >= st.unique_bytes);
	g->u->ssc.mode.compression = 1;
	memset(g->data, 'y', 1 << 20);
	GOOD(g, 1 << 20, WRITE(g, 1 << 20));
	assert_int_not_equal(volume_attr(drive_volume(g->u->ssc.drive))->store.codec, CHUNK_PLAIN);
	g->u->ssc.mode.compression = 0;
	GOOD(g, 1 << 20, WRITE(g, 1 << 20));
	GOOD(g, 0, REWIND);
	g->u->ssc.mode.compression = 1;
	GOOD(g, 1 << 20, 0x08, 0, N24(1 << 20));
	assert_int_not_equal(volume_attr(drive_volume(g->u->ssc.drive))->store.codec, CHUNK_PLAIN);
}

/* ---- how much --------------------------------------------------------------------------------------------------- */

static void set_mib(struct catalog_volume *row, void *ctx) { row->capacity_bytes = (uint64_t)(uintptr_t)ctx << 20; }

static void capacity_is_told_with_what_is_left(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t all, left;

	assert_int_equal(ssc_capacity(g->u, 0, &all, &left), 0);
	assert_int_equal(all, left);
	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, set_mib, (void *)10), 0);
	assert_int_equal(ssc_capacity(g->u, 0, &all, &left), 0);
	assert_int_equal(all, 10 << 20);
	assert_int_equal(left, all);
	GOOD(g, 1 << 20, WRITE(g, 1 << 20));
	assert_int_equal(ssc_capacity(g->u, 0, &all, &left), 0);
	assert_int_equal(left, 9 << 20);
	GOOD(g, 0, REWIND);
	assert_null(g->u->ssc.drive);
	assert_int_equal(ssc_capacity(g->u, 0, &all, &left), 0);
	assert_int_equal(left, 9 << 20);
	assert_true(ssc_capacity(g->u, 3, &all, &left) < 0);
}

/* ---- resets ----------------------------------------------------------------------------------------------------- */

static void a_reset_leaves_the_tape_and_nothing_that_was_set(void **state)
{
	struct rig *g = rig_of(state);
	struct ssc *s = &g->u->ssc;

	GOOD(g, 100, WRITE(g, 100));
	s->mode.block_len = 512;
	s->crypt.has_key = true;
	GOOD(g, 0, 0x1e, 0, 0, 0, 1, 0);
	scsi_reset(g->u, SCSI_NEXUS_LOST);
	assert_int_equal(s->mode.block_len, 512);
	assert_false(s->prevented);
	CHECKED(g, UNIT_ATTENTION, 0x2907, 0, REWIND);
	scsi_reset(g->u, SCSI_LUN_RESET);
	assert_int_equal(s->mode.block_len, 0);
	assert_false(s->crypt.has_key);
	CHECKED(g, UNIT_ATTENTION, 0x2903, 0, REWIND);
	GOOD(g, 100, WRITE(g, 100));
	assert_int_equal(object(g), 2);
	scsi_reset(g->u, SCSI_POWER_ON);
	assert_null(s->drive);
	CHECKED(g, UNIT_ATTENTION, 0x2900, 0, REWIND);
	GOOD(g, 100, 0x08, 0, N24(100));
	assert_int_equal(object(g), 1);
}

#define BARE(test) cmocka_unit_test_teardown(test, rig_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EMPTY(a_tape_that_comes_is_told_once),
		WITH_A_TAPE(counters_begin_anew_with_each_load),
		BARE(a_cartridge_is_what_its_barcode_says),
		BARE(a_cartridge_that_it_only_reads_is_not_written),
		WITH_A_TAPE(a_program_has_it_and_it_is_busy),
		WITH_A_TAPE(it_has_it_until_it_is_rewound),
		WITH_A_TAPE(who_only_looked_changes_nothing),
		WITH_A_TAPE(what_somebody_else_wrote_is_another_medium),
		WITH_A_TAPE(while_it_is_read_elsewhere_it_can_only_be_read),
		WITH_A_TAPE(a_protected_tape_is_not_written),
		WITH_A_TAPE(a_tape_of_another_site_s_pool_is_not_written),
		WITH_A_TAPE(a_copy_of_another_site_is_not_written),
		WITH_A_TAPE(a_locked_tape_is_appended_to),
		WITH_A_TAPE(a_worm_tape_tells_overwriting_from_a_wrong_place),
		WITH_A_TAPE(append_only_wants_to_be_asked),
		WITH_A_TAPE(append_only_keeps_other_partitions_from_a_format),
		WITH_A_TAPE(a_format_that_is_refused_leaves_the_cartridge_s_memory),
		WITH_A_TAPE(compression_off_is_off),
		WITH_A_TAPE(capacity_is_told_with_what_is_left),
		WITH_A_TAPE(a_reset_leaves_the_tape_and_nothing_that_was_set),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
