/* SPDX-License-Identifier: BSD-2-Clause */
/* READ, WRITE and their kin as bytes: status, sense, residuals, data, position. */
#include "unit/library/injure.h"
#include "unit/scsi/rig.h"

/* ---- a drive with a tape ---------------------------------------------------------------------------------------- */

struct tape { const char *name; uint64_t capacity; bool worm; };

static void set_capacity(struct catalog_volume *row, void *ctx)
{
	row->capacity_bytes = *(uint64_t *)ctx;
}

static uint64_t insert(struct rig *g, const char *name, uint64_t capacity)
{
	uint64_t v = rig_volume(g, name);

	if (capacity)
		assert_int_equal(library_volume_change(g->store->lib, v, set_capacity, &capacity), 0);
	assert_int_equal(library_load(g->store->lib, 0, v), 0);
	return v;
}

static int with_tape(void **state)
{
	struct rig *g;

	rig_new(state);
	g = *state;
	insert(g, "A00001", 0);
	rig_plug(g, SCSI_DRIVE, NULL);
	rig_settle(g);
	return 0;
}

static int with_small_tape(void **state)
{
	struct rig *g;

	rig_new(state);
	g = *state;
	insert(g, "A00001", 1 << 20);
	rig_plug(g, SCSI_DRIVE, NULL);
	rig_settle(g);
	return 0;
}

#define ON_A_TAPE(test) cmocka_unit_test_setup_teardown(test, with_tape, rig_free)
#define ON_A_SMALL_TAPE(test) cmocka_unit_test_setup_teardown(test, with_small_tape, rig_free)

#define N24(n) (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n)
#define WRITE(g, n) CMD(g, n, 0x0a, 0, N24(n), 0)
#define READ(g, n) CMD(g, n, 0x08, 0, N24(n), 0)
#define READ_SILI(g, n) CMD(g, n, 0x08, 2, N24(n), 0)
#define WRITE_FIXED(g, bytes, count) CMD(g, bytes, 0x0a, 1, N24(count), 0)
#define READ_FIXED(g, bytes, count) CMD(g, bytes, 0x08, 1, N24(count), 0)
#define MARKS(g, n) CMD(g, 0, 0x10, 0, N24(n), 0)
#define REWIND(g) GOOD(g, 0, 0x01, 0, 0, 0, 0, 0)

static void fill(struct rig *g, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		g->data[i] = (uint8_t)(i * 7 + seed * 13 + (i >> 8));
}

static void assert_filled(struct rig *g, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		if (g->data[i] != (uint8_t)(i * 7 + seed * 13 + (i >> 8)))
			fail_msg("byte %zu of %zu is not of record %u", i, n, seed);
}

static void write_record(struct rig *g, size_t n, unsigned seed)
{
	fill(g, n, seed);
	assert_int_equal(WRITE(g, n), SCSI_GOOD);
}

static void read_record(struct rig *g, size_t n, unsigned seed)
{
	memset(g->data, 0xee, n);
	assert_int_equal(READ(g, n), SCSI_GOOD);
	assert_int_equal(g->t.data_in, n);
	assert_filled(g, n, seed);
}

enum { FILEMARK = 0x80, EOM = 0x40, ILI = 0x20 };
/* CHECK CONDITION: byte 2 of fixed sense data, its code, INFORMATION (VALID is on). */
static void assert_sense_at(struct rig *g, unsigned flags_and_key, uint16_t code, int32_t info, int line)
{
	const uint8_t *s = g->t.sense;

	if (g->t.status != SCSI_CHECK_CONDITION || s[0] != 0xf0 || s[2] != flags_and_key || get_be16(s + 12) != code ||
	    (int32_t)get_be32(s + 3) != info)
		fail_msg("line %d: status %02x, sense %02x %02x, code %04x, info %d", line, g->t.status, s[0], s[2],
			 get_be16(s + 12), (int32_t)get_be32(s + 3));
}
#define assert_sense(g, flags_and_key, code, info) assert_sense_at(g, flags_and_key, code, info, __LINE__)

static struct tape_pos at(struct rig *g)
{
	struct tape_pos pos;

	assert_non_null(g->u->ssc.drive);
	assert_int_equal(drive_position(g->u->ssc.drive, &pos), 0);
	return pos;
}

static void assert_bad_cdb(struct rig *g, unsigned byte)
{
	assert_int_equal(g->t.status, SCSI_CHECK_CONDITION);
	assert_int_equal(g->t.sense[2] & 0x0f, ILLEGAL_REQUEST);
	assert_int_equal(get_be16(g->t.sense + 12), 0x2400);
	assert_int_equal(get_be16(g->t.sense + 16), byte);
}

/* ---- variable length -------------------------------------------------------------------------------------------- */

static void a_record_comes_back(void **state)
{
	struct rig *g = rig_of(state);

	write_record(g, 1, 1);
	write_record(g, 100, 2);
	write_record(g, 1 << 20, 3);
	write_record(g, 65537, 4);
	assert_int_equal(at(g).object, 4);
	REWIND(g);
	read_record(g, 1, 1);
	read_record(g, 100, 2);
	read_record(g, 1 << 20, 3);
	read_record(g, 65537, 4);
}

static void a_shorter_record_is_told_with_what_was_not_needed(void **state)
{
	struct rig *g = rig_of(state);

	write_record(g, 100, 1);
	REWIND(g);
	READ(g, 300);
	assert_sense(g, ILI, 0x0000, 200);
	assert_int_equal(g->t.data_in, 100);
	assert_filled(g, 100, 1);
	assert_int_equal(at(g).object, 1);
}

static void a_longer_record_is_told_with_a_negative_number(void **state)
{
	struct rig *g = rig_of(state);

	write_record(g, 300, 1);
	write_record(g, 50, 2);
	REWIND(g);
	READ(g, 100);
	assert_sense(g, ILI, 0x0000, -200);
	assert_int_equal(g->t.data_in, 100);
	assert_filled(g, 100, 1);
	assert_int_equal(at(g).object, 1);
	read_record(g, 50, 2);
}

static void sili_keeps_short_records_quiet(void **state)
{
	struct rig *g = rig_of(state);

	write_record(g, 100, 1);
	REWIND(g);
	assert_int_equal(READ_SILI(g, 300), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 100);
	assert_filled(g, 100, 1);
}

static void sili_keeps_long_records_quiet_only_without_a_block_length(void **state)
{
	struct rig *g = rig_of(state);

	write_record(g, 100, 1);
	write_record(g, 100, 2);
	REWIND(g);
	assert_int_equal(READ_SILI(g, 60), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 60);
	g->u->ssc.mode.block_len = 512;
	READ_SILI(g, 60);
	assert_sense(g, ILI, 0x0000, -40);
}

static void nothing_is_asked_for_and_nothing_moves(void **state)
{
	struct rig *g = rig_of(state);

	write_record(g, 100, 1);
	REWIND(g);
	GOOD(g, 0, 0x08, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x08, 2, 0, 0, 0, 0);
	GOOD(g, 0, 0x0a, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x13, 0, 0, 0, 0, 0);
	assert_int_equal(at(g).object, 0);
	read_record(g, 100, 1);
}

static void a_filemark_is_told_and_passed(void **state)
{
	struct rig *g = rig_of(state);

	write_record(g, 100, 1);
	assert_int_equal(MARKS(g, 1), SCSI_GOOD);
	write_record(g, 50, 2);
	REWIND(g);
	read_record(g, 100, 1);
	READ(g, 64);
	assert_sense(g, FILEMARK, 0x0001, 64);
	assert_int_equal(g->t.data_in, 0);
	assert_int_equal(at(g).object, 2);
	read_record(g, 50, 2);
}

static void the_end_of_data_is_a_blank_check(void **state)
{
	struct rig *g = rig_of(state);

	write_record(g, 100, 1);
	REWIND(g);
	read_record(g, 100, 1);
	READ(g, 64);
	assert_sense(g, BLANK_CHECK, 0x0005, 64);
	READ_SILI(g, 64);
	assert_sense(g, BLANK_CHECK, 0x0005, 64);
	assert_int_equal(at(g).object, 1);
}

static void writing_in_the_middle_makes_an_end_there(void **state)
{
	struct rig *g = rig_of(state);

	write_record(g, 100, 1);
	write_record(g, 100, 2);
	write_record(g, 100, 3);
	REWIND(g);
	read_record(g, 100, 1);
	write_record(g, 70, 4);
	READ(g, 64);
	assert_sense(g, BLANK_CHECK, 0x0005, 64);
	REWIND(g);
	read_record(g, 100, 1);
	read_record(g, 70, 4);
	READ(g, 64);
	assert_sense(g, BLANK_CHECK, 0x0005, 64);
}

/* ---- fixed length ----------------------------------------------------------------------------------------------- */

static void fixed_records_go_in_and_out(void **state)
{
	struct rig *g = rig_of(state);

	g->u->ssc.mode.block_len = 512;
	fill(g, 5120, 1);
	assert_int_equal(WRITE_FIXED(g, 5120, 10), SCSI_GOOD);
	assert_int_equal(at(g).object, 10);
	REWIND(g);
	memset(g->data, 0, 5120);
	assert_int_equal(READ_FIXED(g, 5120, 10), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 5120);
	assert_filled(g, 5120, 1);
	REWIND(g);
	read_record(g, 512, 1);
}

static void fixed_reads_count_records(void **state)
{
	struct rig *g = rig_of(state);

	g->u->ssc.mode.block_len = 100;
	fill(g, 400, 1);
	assert_int_equal(WRITE_FIXED(g, 400, 4), SCSI_GOOD);
	assert_int_equal(MARKS(g, 1), SCSI_GOOD);
	REWIND(g);
	READ_FIXED(g, 1000, 10);
	assert_sense(g, FILEMARK, 0x0001, 6);
	assert_int_equal(g->t.data_in, 400);
	assert_filled(g, 400, 1);
	assert_int_equal(at(g).object, 5);
	READ_FIXED(g, 1000, 10);
	assert_sense(g, BLANK_CHECK, 0x0005, 10);
}

static void a_record_of_another_length_is_passed_and_not_counted(void **state)
{
	struct rig *g = rig_of(state);

	g->u->ssc.mode.block_len = 100;
	fill(g, 200, 1);
	assert_int_equal(WRITE_FIXED(g, 200, 2), SCSI_GOOD);
	write_record(g, 70, 2);
	write_record(g, 170, 3);
	fill(g, 100, 4);
	assert_int_equal(WRITE_FIXED(g, 100, 1), SCSI_GOOD);
	REWIND(g);
	READ_FIXED(g, 500, 5);
	assert_sense(g, ILI, 0x0000, 3);
	assert_int_equal(g->t.data_in, 200);
	assert_int_equal(at(g).object, 3);
	READ_FIXED(g, 500, 5);
	assert_sense(g, ILI, 0x0000, 5);
	assert_int_equal(at(g).object, 4);
	assert_int_equal(READ_FIXED(g, 100, 1), SCSI_GOOD);
	assert_filled(g, 100, 4);
}

static void fixed_with_sili_is_refused(void **state)
{
	struct rig *g = rig_of(state);

	g->u->ssc.mode.block_len = 100;
	CMD(g, 100, 0x08, 3, N24(1), 0);
	assert_bad_cdb(g, 1);
}

static void fixed_without_a_block_length_is_refused(void **state)
{
	struct rig *g = rig_of(state);

	WRITE_FIXED(g, 100, 1);
	assert_bad_cdb(g, 1);
	READ_FIXED(g, 100, 1);
	assert_bad_cdb(g, 1);
	CMD(g, 0, 0x13, 1, N24(1), 0);
	assert_bad_cdb(g, 1);
}

/* ---- what the transport says ------------------------------------------------------------------------------------ */

static void a_transport_that_has_less_is_told(void **state)
{
	struct rig *g = rig_of(state);

	CHECKED(g, ABORTED_COMMAND, 0x4b00, 99, 0x0a, 0, N24(100), 0);
	assert_int_equal(at(g).object, 0);
	write_record(g, 100, 1);
	REWIND(g);
	CHECKED(g, ABORTED_COMMAND, 0x4b00, 99, 0x08, 0, N24(100), 0);
	assert_int_equal(at(g).object, 0);
	g->u->ssc.mode.block_len = 1 << 20;
	CHECKED(g, ABORTED_COMMAND, 0x4b00, 100, 0x0a, 1, N24(0xffffff), 0);
	CHECKED(g, ABORTED_COMMAND, 0x4b00, 100, 0x08, 1, N24(0xffffff), 0);
}

static void the_longest_record_is_what_block_limits_says(void **state)
{
	struct rig *g = rig_of(state);
	uint32_t max;

	GOOD(g, 6, 0x05, 0, 0, 0, 0, 0);
	assert_int_equal(g->t.data_in, 6);
	assert_int_equal(g->data[0], 0);
	assert_int_equal(get_be16(g->data + 4), 1);
	max = get_be32(g->data) & 0xffffff;
	assert_int_equal(max, SCSI_TRANSFER_MAX);
	write_record(g, max, 1);
	CMD(g, max + 1, 0x0a, 0, N24(max + 1), 0);
	assert_bad_cdb(g, 2);
	REWIND(g);
	read_record(g, max, 1);
}

static void block_limits_know_the_transport_and_objects(void **state)
{
	struct rig *g = rig_of(state);

	g->u->cfg.transfer_max = 1 << 20;
	GOOD(g, 6, 0x05, 0, 0, 0, 0, 0);
	assert_int_equal(get_be32(g->data), 1 << 20);
	GOOD(g, 20, 0x05, 1, 0, 0, 0, 0);
	assert_int_equal(g->t.data_in, 20);
	assert_int_equal(get_be64(g->data + 12), UINT64_MAX - 1);
}

/* ---- filemarks -------------------------------------------------------------------------------------------------- */

static void setmarks_are_refused(void **state)
{
	struct rig *g = rig_of(state);

	CMD(g, 0, 0x10, 2, N24(1), 0);
	assert_bad_cdb(g, 1);
}

static void filemarks_are_on_disk_when_they_are_answered(void **state)
{
	struct rig *g = rig_of(state);
	struct volume_stat st;

	write_record(g, 100, 1);
	assert_int_equal(MARKS(g, 2), SCSI_GOOD);
	assert_int_equal(at(g).object, 3);
	memset(g->memory, 0, sizeof(g->memory));
	rig_kill(g, SCSI_DRIVE, NULL);
	assert_int_equal(volume_peek(g->store->kv, g->u->ssc.volume, &st), 0);
	assert_int_equal(st.end.objects, 3);
	assert_int_equal(st.end.marks, 2);
}

static void no_filemarks_are_a_barrier(void **state)
{
	struct rig *g = rig_of(state);
	struct volume_stat st;

	write_record(g, 100, 1);
	assert_int_equal(volume_peek(g->store->kv, g->u->ssc.volume, &st), 0);
	assert_int_equal(st.end.objects, 0);
	GOOD(g, 0, 0x10, 1, 0, 0, 0, 0);
	assert_int_equal(volume_peek(g->store->kv, g->u->ssc.volume, &st), 0);
	assert_int_equal(st.end.objects, 0);
	GOOD(g, 0, 0x10, 0, 0, 0, 0, 0);
	assert_int_equal(volume_peek(g->store->kv, g->u->ssc.volume, &st), 0);
	assert_int_equal(st.end.objects, 1);
	assert_int_equal(st.end.marks, 0);
}

static void filemarks_with_immed_are_there_at_once(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, 0x10, 1, N24(3), 0);
	assert_int_equal(at(g).file, 3);
	REWIND(g);
	READ(g, 10);
	assert_sense(g, FILEMARK, 0x0001, 10);
}

/* ---- the end of the tape ---------------------------------------------------------------------------------------- */

static void early_warning_is_told_and_the_record_is_written(void **state)
{
	struct rig *g = rig_of(state);

	for (unsigned i = 0; i < 9; i++)
		write_record(g, 100000, i);
	fill(g, 100000, 9);
	WRITE(g, 100000);
	assert_sense(g, EOM, 0x0002, 0);
	assert_int_equal(at(g).object, 10);
	fill(g, 40000, 10);
	WRITE(g, 40000);
	assert_sense(g, EOM, 0x0002, 0);
	MARKS(g, 1);
	assert_sense(g, EOM, 0x0002, 0);
	assert_int_equal(at(g).object, 12);
	REWIND(g);
	for (unsigned i = 0; i < 10; i++)
		read_record(g, 100000, i);
	read_record(g, 40000, 10);
}

static void the_end_is_told_with_the_bytes_that_are_not_written(void **state)
{
	struct rig *g = rig_of(state);

	for (unsigned i = 0; i < 9; i++)
		write_record(g, 100000, i);
	WRITE(g, 100000);
	WRITE(g, 100000);
	assert_sense(g, EOM | VOLUME_OVERFLOW, 0x0002, 100000);
	assert_int_equal(at(g).object, 10);
	fill(g, 40000, 77);
	WRITE(g, 40000);
	assert_sense(g, EOM, 0x0002, 0);
	REWIND(g);
	GOOD(g, 0, 0x11, 0, N24(10), 0);
	read_record(g, 40000, 77);
	READ(g, 10);
	assert_sense(g, EOM | BLANK_CHECK, 0x0005, 10);
}

static void the_end_is_told_with_the_records_that_are_not_written(void **state)
{
	struct rig *g = rig_of(state);

	g->u->ssc.mode.block_len = 100000;
	fill(g, 1200000, 5);
	WRITE_FIXED(g, 900000, 9);
	assert_int_equal(g->t.status, SCSI_GOOD);
	WRITE_FIXED(g, 300000, 3);
	assert_sense(g, EOM | VOLUME_OVERFLOW, 0x0002, 2);
	assert_int_equal(at(g).object, 10);
}

static void several_fixed_records_behind_early_warning_are_all_written(void **state)
{
	struct rig *g = rig_of(state);

	g->u->ssc.mode.block_len = 10000;
	fill(g, 1000000, 5);
	WRITE_FIXED(g, 1000000, 100);
	assert_sense(g, EOM, 0x0002, 0);
	assert_int_equal(at(g).object, 100);
}

static void programmable_early_warning_is_told_once(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t capacity = 40 << 20;

	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, set_capacity, &capacity), 0);
	g->u->ssc.mode.pews_mb = 20;
	/* 40 MiB less 4 MiB of early warning less 20 MB: behind 17.7 MB. */
	for (unsigned i = 0; i < 17; i++)
		write_record(g, 1000000, i);
	fill(g, 1000000, 17);
	WRITE(g, 1000000);
	assert_sense(g, EOM, 0x0007, 0);
	write_record(g, 1000000, 18);
	REWIND(g);
	write_record(g, 1000000, 19);
	for (unsigned i = 0; i < 16; i++)
		write_record(g, 1000000, i);
	WRITE(g, 1000000);
	assert_sense(g, EOM, 0x0007, 0);
}

static void a_full_disk_is_the_end_of_the_tape(void **state)
{
	struct rig *g = rig_of(state);
	unsigned n = 0;
	uint64_t noise = 99;

	packs_mem_set_space(g->store->packs, 40 << 20, 1ull << 40);
	do {
		chance_bytes(&noise, g->data, 1 << 20);
		WRITE(g, 1 << 20);
		if (++n > 60)
			fail_msg("it never ends");
	} while (g->t.status == SCSI_GOOD || (g->t.sense[2] == EOM && get_be16(g->t.sense + 12) == 0x0002));
	assert_sense(g, EOM | VOLUME_OVERFLOW, 0x0002, 1 << 20);
	assert_int_equal(at(g).object, n - 1);
	MARKS(g, 1);
	assert_int_equal(at(g).object, n);
	assert_true(events(g->store, EVENT_NO_SPACE, NULL) > 0);
	packs_mem_set_space(g->store->packs, 1ull << 40, 1ull << 40);
	assert_int_equal(WRITE(g, 1 << 20), SCSI_GOOD);
}

/* ---- an explicit position --------------------------------------------------------------------------------------- */

#define AT16(op, how, partition, object, n) \
	op, how, 0, partition, 0, 0, 0, 0, 0, 0, 0, object, N24(n), 0

static void reads_and_writes_go_where_they_are_told(void **state)
{
	struct rig *g = rig_of(state);

	for (unsigned i = 0; i < 4; i++) {
		fill(g, 100, i);
		GOOD(g, 100, AT16(0x8a, 0, 0, i, 100));
	}
	GOOD(g, 0, AT16(0x80, 0, 0, 4, 1));
	GOOD(g, 100, AT16(0x88, 0, 0, 2, 100));
	assert_filled(g, 100, 2);
	GOOD(g, 100, AT16(0x88, 0, 0, 1, 100));
	assert_filled(g, 100, 1);
	CMD(g, 100, AT16(0x88, 0, 0, 4, 100));
	assert_sense(g, FILEMARK, 0x0001, 100);
	CMD(g, 100, AT16(0x88, 0, 0, 9, 100));
	assert_sense(g, BLANK_CHECK, 0x0005, 100);
	CMD(g, 100, AT16(0x88, 0, 1, 0, 100));
	assert_bad_cdb(g, 3);
	GOOD(g, 0, AT16(0x8f, 0, 0, 3, 100));
	assert_int_equal(at(g).object, 4);
}

/* ---- VERIFY ----------------------------------------------------------------------------------------------------- */

static void three_files(struct rig *g)
{
	for (unsigned f = 0; f < 3; f++) {
		write_record(g, 100, f);
		write_record(g, 200, f + 10);
		assert_int_equal(MARKS(g, 1), SCSI_GOOD);
	}
	REWIND(g);
}

static void verify_reads_without_giving(void **state)
{
	struct rig *g = rig_of(state);

	three_files(g);
	GOOD(g, 0, 0x13, 0, N24(100), 0);
	assert_int_equal(g->t.data_in, 0);
	assert_int_equal(at(g).object, 1);
	CMD(g, 0, 0x13, 0, N24(150), 0);
	assert_sense(g, ILI, 0x0000, -50);
	CMD(g, 0, 0x13, 0, N24(150), 0);
	assert_sense(g, FILEMARK, 0x0001, 150);
	g->u->ssc.mode.block_len = 100;
	CMD(g, 0, 0x13, 1, N24(5), 0);
	assert_sense(g, ILI, 0x0000, 4);
}

static void verify_goes_over_filemarks(void **state)
{
	struct rig *g = rig_of(state);

	three_files(g);
	GOOD(g, 0, 0x13, 0x08, N24(2), 0);
	assert_int_equal(at(g).file, 2);
	assert_int_equal(at(g).block, 0);
	CMD(g, 0, 0x13, 0x08, N24(4), 0);
	assert_sense(g, BLANK_CHECK, 0x0005, 3);
}

static void verify_goes_to_the_end_of_data(void **state)
{
	struct rig *g = rig_of(state);

	three_files(g);
	GOOD(g, 0, 0x13, 0x20, 0, 0, 0, 0);
	assert_int_equal(at(g).object, 9);
	GOOD(g, 0, 0x13, 0x20, 0, 0, 0, 0);
	/* A wrong length ends it, and nothing was counted. */
	g->u->ssc.mode.block_len = 100;
	REWIND(g);
	CMD(g, 0, 0x13, 0x21, 0, 0, 0, 0);
	assert_int_equal(g->t.sense[0], 0x70);
	assert_int_equal(g->t.sense[2], ILI);
	assert_int_equal(at(g).object, 2);
	CMD(g, 0, 0x13, 0x28, N24(1), 0);
	assert_bad_cdb(g, 1);
	CMD(g, 100, 0x13, 0x22, N24(1), 0);
	assert_bad_cdb(g, 1);
}

static void verify_compares_bytes(void **state)
{
	struct rig *g = rig_of(state);

	three_files(g);
	fill(g, 100, 0);
	GOOD(g, 100, 0x13, 0x02, N24(100), 0);
	fill(g, 200, 10);
	g->data[199] ^= 1;
	CMD(g, 200, 0x13, 0x02, N24(200), 0);
	assert_sense(g, MISCOMPARE, 0x1d00, 200);
	assert_int_equal(at(g).object, 2);
	CHECKED(g, ABORTED_COMMAND, 0x4b00, 10, 0x13, 0x02, N24(200), 0);
}

/* ---- checksums on the wire -------------------------------------------------------------------------------------- */

static void protect_blocks(struct rig *g, unsigned method)
{
	g->u->ssc.mode.lbp_method = (uint8_t)method;
	g->u->ssc.mode.lbp_write = g->u->ssc.mode.lbp_read = 1;
}

static void checksums_come_and_go_with_records(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t crc[4];

	for (unsigned method = 1; method <= 2; method++) {
		protect_blocks(g, method);
		fill(g, 100, 1);
		lbp_put(method, g->data, 100, crc);
		memcpy(g->data + 100, crc, 4);
		assert_int_equal(WRITE(g, 104), SCSI_GOOD);
		REWIND(g);
		memset(g->data, 0, 104);
		assert_int_equal(READ(g, 104), SCSI_GOOD);
		assert_int_equal(g->t.data_in, 104);
		assert_filled(g, 100, 1);
		assert_memory_equal(g->data + 100, crc, 4);
		REWIND(g);
		READ(g, 200);
		assert_sense(g, ILI, 0x0000, 96);
		assert_int_equal(g->t.data_in, 104);
		REWIND(g);
		READ(g, 102);
		assert_sense(g, ILI, 0x0000, -2);
		assert_memory_equal(g->data + 100, crc, 2);
		REWIND(g);
		READ(g, 50);
		assert_sense(g, ILI, 0x0000, -54);
		g->u->ssc.mode.lbp_read = 0;
		REWIND(g);
		read_record(g, 100, 1);
		REWIND(g);
	}
}

static void a_wrong_checksum_is_not_written(void **state)
{
	struct rig *g = rig_of(state);

	protect_blocks(g, 2);
	fill(g, 104, 1);
	WRITE(g, 104);
	assert_sense(g, HARDWARE_ERROR, 0x1001, 104);
	assert_int_equal(at(g).object, 0);
	WRITE(g, 4);
	assert_bad_cdb(g, 2);
	g->u->ssc.mode.block_len = 54;
	for (unsigned i = 0; i < 3; i++) {
		fill(g, 0, 0);
		lbp_put(2, g->data + i * 54, 50, g->data + i * 54 + 50);
	}
	g->data[2 * 54] ^= 1;
	WRITE_FIXED(g, 162, 3);
	assert_sense(g, HARDWARE_ERROR, 0x1001, 1);
	assert_int_equal(at(g).object, 2);
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static void use_key(struct rig *g, uint8_t key, enum crypt_decrypt how)
{
	struct crypt *c = &g->u->ssc.crypt;

	c->encrypt = key ? ENCRYPT_ON : ENCRYPT_OFF;
	c->decrypt = how;
	c->has_key = key;
	memset(c->key, key, sizeof(c->key));
}

static void sealed_records_open_with_their_key(void **state)
{
	struct rig *g = rig_of(state);

	use_key(g, 1, DECRYPT_ON);
	write_record(g, 100, 1);
	write_record(g, 5, 2);
	write_record(g, 100000, 3);
	REWIND(g);
	read_record(g, 100, 1);
	READ(g, 20);
	assert_sense(g, ILI, 0x0000, 15);
	assert_int_equal(g->t.data_in, 5);
	assert_filled(g, 5, 2);
	READ(g, 100);
	assert_sense(g, ILI, 0x0000, -99900);
	assert_filled(g, 100, 3);
	REWIND(g);
	READ(g, 3);
	assert_sense(g, ILI, 0x0000, -97);
	assert_filled(g, 3, 1);
	assert_int_equal(at(g).object, 1);
}

static void without_its_key_a_record_stays_ahead(void **state)
{
	struct rig *g = rig_of(state);

	use_key(g, 1, DECRYPT_ON);
	write_record(g, 100, 1);
	REWIND(g);
	use_key(g, 0, DECRYPT_OFF);
	READ(g, 100);
	assert_sense(g, DATA_PROTECT, 0x7401, 100);
	assert_int_equal(g->t.data_in, 0);
	assert_int_equal(at(g).object, 0);
	use_key(g, 2, DECRYPT_ON);
	READ(g, 1000);
	assert_sense(g, DATA_PROTECT, 0x7403, 1000);
	assert_int_equal(at(g).object, 0);
	READ(g, 10);
	assert_sense(g, DATA_PROTECT, 0x7403, 10);
	assert_int_equal(at(g).object, 0);
	use_key(g, 1, DECRYPT_MIXED);
	read_record(g, 100, 1);
}

static void clear_records_are_refused_where_sealed_ones_are_wanted(void **state)
{
	struct rig *g = rig_of(state);

	write_record(g, 100, 1);
	REWIND(g);
	use_key(g, 1, DECRYPT_ON);
	READ(g, 100);
	assert_sense(g, DATA_PROTECT, 0x7402, 100);
	assert_int_equal(at(g).object, 0);
	use_key(g, 1, DECRYPT_MIXED);
	read_record(g, 100, 1);
}

static void a_clear_record_that_looks_sealed_comes_back(void **state)
{
	struct rig *g = rig_of(state);
	static uint8_t sealed[1000];
	struct drive *d;
	size_t n = 0;

	use_key(g, 1, DECRYPT_ON);
	write_record(g, 100, 1);
	REWIND(g);
	assert_int_equal(library_drive_open(g->store->lib, 0, false, &d), 0);
	assert_int_equal(drive_read_record(d, sealed, sizeof(sealed), &n), 0);
	library_drive_close(g->store->lib, 0);
	use_key(g, 0, DECRYPT_OFF);
	memcpy(g->data, sealed, n);
	assert_int_equal(WRITE(g, n), SCSI_GOOD);
	REWIND(g);
	memset(g->data, 0, n);
	assert_int_equal(READ(g, n), SCSI_GOOD);
	assert_memory_equal(g->data, sealed, n);
}

/* ---- damage ----------------------------------------------------------------------------------------------------- */

/* Files are chunked by themselves, so a flipped bit is in one of them. */
static void a_damaged_record_alone_is_lost(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t noise = 12345;

	for (unsigned i = 0; i < 3; i++) {
		chance_bytes(&noise, g->data, 1 << 20);
		assert_int_equal(WRITE(g, 1 << 20), SCSI_GOOD);
		assert_int_equal(MARKS(g, 1), SCSI_GOOD);
	}
	g->u = scsi_unit_free(g->u, false);
	store_restart(g->store);
	flip(g->store, first_pack(g->store, 0), (3 << 19) + 1000);
	rig_plug(g, SCSI_DRIVE, NULL);
	rig_settle(g);
	assert_int_equal(READ(g, 1 << 20), SCSI_GOOD);
	READ(g, 10);
	READ(g, 1 << 20);
	assert_sense(g, MEDIUM_ERROR, 0x1100, 1 << 20);
	assert_int_equal(at(g).object, 3);
	READ(g, 10);
	assert_sense(g, FILEMARK, 0x0001, 10);
	assert_int_equal(READ(g, 1 << 20), SCSI_GOOD);
}

enum { HURT_BLOCK = 64 << 10, HURT_BLOCKS = 16 };

static void write_noise(struct rig *g)
{
	uint64_t noise = 999;

	chance_bytes(&noise, g->data, HURT_BLOCK * HURT_BLOCKS);
	assert_int_equal(WRITE_FIXED(g, HURT_BLOCK * HURT_BLOCKS, HURT_BLOCKS), SCSI_GOOD);
	assert_int_equal(MARKS(g, 1), SCSI_GOOD);
}

static uint64_t the_tape(struct rig *g)
{
	struct catalog_volume v;

	assert_int_equal(catalog_volume_get(g->store->cat, "A00001", &v), 0);
	return v.id;
}

static int first_hurt(void *ctx, const struct tape_hurt *h)
{
	uint64_t *hurt = ctx;

	hurt[0] = hurt[0] < h->first_object ? hurt[0] : h->first_object;
	hurt[1] = hurt[1] > h->last_object ? hurt[1] : h->last_object;
	return 0;
}

/* A tape of 16 blocks, of which hurt[0] to hurt[1] cannot be read. */
static void hurt_tape(struct rig *g, uint64_t hurt[2])
{
	uint64_t id = the_tape(g);

	g->u->ssc.mode.block_len = HURT_BLOCK;
	write_noise(g);
	g->u = scsi_unit_free(g->u, false);
	store_restart(g->store);
	flip(g->store, first_pack(g->store, 0), HURT_BLOCK * HURT_BLOCKS / 2);
	assert_true(read_all(g->store, id) > 0);
	hurt[0] = UINT64_MAX;
	hurt[1] = 0;
	assert_int_equal(library_each_hurt(g->store->lib, id, first_hurt, hurt), 0);
	assert_true(hurt[0] > 2 && hurt[0] <= hurt[1] && hurt[1] < HURT_BLOCKS - 2);
	rig_plug(g, SCSI_DRIVE, NULL);
	rig_settle(g);
	g->u->ssc.mode.block_len = HURT_BLOCK;
}

/* Several blocks at once: those before it come, the rest of what was asked for is told, and the head is behind it. */
static void a_damaged_block_ends_a_read_of_many(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t want[HURT_BLOCK];
	uint64_t hurt[2], noise = 999;
	const uint32_t all = HURT_BLOCK * HURT_BLOCKS;

	hurt_tape(g, hurt);
	READ_FIXED(g, all, HURT_BLOCKS);
	assert_sense(g, MEDIUM_ERROR, 0x1100, (int32_t)(HURT_BLOCKS - hurt[0]));
	assert_int_equal(g->t.data_in, hurt[0] * HURT_BLOCK);
	for (uint64_t i = 0; i < hurt[0]; i++) {
		chance_bytes(&noise, want, HURT_BLOCK);
		assert_memory_equal(g->data + i * HURT_BLOCK, want, HURT_BLOCK);
	}
	assert_int_equal(at(g).object, hurt[0] + 1);
	for (uint64_t i = hurt[0] + 1; i <= hurt[1]; i++) {
		READ_FIXED(g, HURT_BLOCK, 1);
		assert_sense(g, MEDIUM_ERROR, 0x1100, 1);
	}
	assert_int_equal(READ_FIXED(g, all, HURT_BLOCKS - (uint32_t)hurt[1] - 1), SCSI_GOOD);
	assert_int_equal(at(g).object, HURT_BLOCKS);
	READ_FIXED(g, HURT_BLOCK, 1);
	assert_int_equal(g->t.sense[2], FILEMARK);
}

/* VERIFY reads; spacing and locating do not, so they go over it and to it. */
static void what_does_not_read_goes_over_a_damaged_block(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t hurt[2];

	hurt_tape(g, hurt);
	CMD(g, 0, 0x13, 1, N24(HURT_BLOCKS), 0);
	assert_sense(g, MEDIUM_ERROR, 0x1100, (int32_t)(HURT_BLOCKS - hurt[0]));
	assert_int_equal(at(g).object, hurt[0] + 1);
	REWIND(g);
	GOOD(g, 0, 0x11, 0, N24((uint32_t)hurt[1] + 1), 0);
	assert_int_equal(READ_FIXED(g, HURT_BLOCK, 1), SCSI_GOOD);
	GOOD(g, 0, 0x11, 0, N24(0xffffff & -(int)(HURT_BLOCKS / 2)), 0);
	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, (uint8_t)hurt[0], 0, 0, 0);
	assert_int_equal(at(g).object, hurt[0]);
	READ_FIXED(g, HURT_BLOCK, 1);
	assert_sense(g, MEDIUM_ERROR, 0x1100, 1);
	GOOD(g, 0, 0x11, 1, N24(1), 0);
	assert_int_equal(at(g).object, HURT_BLOCKS + 1);
	GOOD(g, 0, 0x11, 1, N24(0xffffff), 0);
	assert_int_equal(at(g).object, HURT_BLOCKS);
}

/* The next backup of the same, whatever tape it goes to. */
static void a_damaged_block_is_healed_by_the_same_written_again(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t want[HURT_BLOCK];
	uint64_t hurt[2], noise = 999, id = the_tape(g);

	hurt_tape(g, hurt);
	g->u = scsi_unit_free(g->u, false);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
	insert(g, "A00002", 0);
	rig_plug(g, SCSI_DRIVE, NULL);
	rig_settle(g);
	g->u->ssc.mode.block_len = HURT_BLOCK;
	write_noise(g);
	g->u = scsi_unit_free(g->u, false);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
	assert_int_equal(library_load(g->store->lib, 0, id), 0);
	rig_plug(g, SCSI_DRIVE, NULL);
	rig_settle(g);
	g->u->ssc.mode.block_len = HURT_BLOCK;
	assert_int_equal(READ_FIXED(g, HURT_BLOCK * HURT_BLOCKS, HURT_BLOCKS), SCSI_GOOD);
	for (unsigned i = 0; i < HURT_BLOCKS; i++) {
		chance_bytes(&noise, want, HURT_BLOCK);
		assert_memory_equal(g->data + i * HURT_BLOCK, want, HURT_BLOCK);
	}
}

/* With a log as long as a drive's, a thread of the unit's own commits beside the commands. */
static void records_are_committed_while_others_come(void **state)
{
	enum { RECORD = 256 << 10, RECORDS = 320, MEMORY = 40 << 20 };
	static uint8_t want[RECORD];
	struct rig *g = *state;
	struct scsi_unit_config cfg = g->u->cfg;
	void *memory = calloc(1, MEMORY);
	uint64_t n;

	assert_non_null(memory);
	g->u = scsi_unit_free(g->u, false);
	cfg.memory = memory;
	cfg.memory_len = MEMORY;
	assert_int_equal(scsi_unit_new(&cfg, &g->u), 0);
	rig_settle(g);
	for (unsigned i = 0; i < RECORDS; i++) {
		chance_fill(g->data, RECORD, i);
		assert_int_equal(WRITE(g, RECORD), SCSI_GOOD);
	}
	assert_non_null(g->u->ssc.behind);
	ssc_behind_wait(&g->u->ssc);
	n = volume_committed(drive_volume(g->u->ssc.drive), 0);
	assert_true(n > RECORDS / 8);
	/* A unit that is killed now, and one that comes after it. */
	g->u = scsi_unit_free(g->u, true);
	assert_int_equal(scsi_unit_new(&cfg, &g->u), 0);
	REWIND(g);
	for (unsigned i = 0; i < RECORDS; i++) {
		assert_int_equal(READ(g, RECORD), SCSI_GOOD);
		chance_fill(want, RECORD, i);
		if (memcmp(g->data, want, RECORD))
			fail_msg("record %u", i);
	}
	g->u = scsi_unit_free(g->u, false);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_TAPE(a_record_comes_back),
		ON_A_TAPE(records_are_committed_while_others_come),
		ON_A_TAPE(a_shorter_record_is_told_with_what_was_not_needed),
		ON_A_TAPE(a_longer_record_is_told_with_a_negative_number),
		ON_A_TAPE(sili_keeps_short_records_quiet),
		ON_A_TAPE(sili_keeps_long_records_quiet_only_without_a_block_length),
		ON_A_TAPE(nothing_is_asked_for_and_nothing_moves),
		ON_A_TAPE(a_filemark_is_told_and_passed),
		ON_A_TAPE(the_end_of_data_is_a_blank_check),
		ON_A_TAPE(writing_in_the_middle_makes_an_end_there),
		ON_A_TAPE(fixed_records_go_in_and_out),
		ON_A_TAPE(fixed_reads_count_records),
		ON_A_TAPE(a_record_of_another_length_is_passed_and_not_counted),
		ON_A_TAPE(fixed_with_sili_is_refused),
		ON_A_TAPE(fixed_without_a_block_length_is_refused),
		ON_A_TAPE(a_transport_that_has_less_is_told),
		ON_A_TAPE(the_longest_record_is_what_block_limits_says),
		ON_A_TAPE(block_limits_know_the_transport_and_objects),
		ON_A_TAPE(setmarks_are_refused),
		ON_A_TAPE(filemarks_are_on_disk_when_they_are_answered),
		ON_A_TAPE(no_filemarks_are_a_barrier),
		ON_A_TAPE(filemarks_with_immed_are_there_at_once),
		ON_A_SMALL_TAPE(early_warning_is_told_and_the_record_is_written),
		ON_A_SMALL_TAPE(the_end_is_told_with_the_bytes_that_are_not_written),
		ON_A_SMALL_TAPE(the_end_is_told_with_the_records_that_are_not_written),
		ON_A_SMALL_TAPE(several_fixed_records_behind_early_warning_are_all_written),
		ON_A_TAPE(a_full_disk_is_the_end_of_the_tape),
		ON_A_TAPE(programmable_early_warning_is_told_once),
		ON_A_TAPE(reads_and_writes_go_where_they_are_told),
		ON_A_TAPE(verify_reads_without_giving),
		ON_A_TAPE(verify_goes_over_filemarks),
		ON_A_TAPE(verify_goes_to_the_end_of_data),
		ON_A_TAPE(verify_compares_bytes),
		ON_A_TAPE(checksums_come_and_go_with_records),
		ON_A_TAPE(a_wrong_checksum_is_not_written),
		ON_A_TAPE(sealed_records_open_with_their_key),
		ON_A_TAPE(without_its_key_a_record_stays_ahead),
		ON_A_TAPE(clear_records_are_refused_where_sealed_ones_are_wanted),
		ON_A_TAPE(a_clear_record_that_looks_sealed_comes_back),
		ON_A_TAPE(a_damaged_record_alone_is_lost),
		ON_A_TAPE(a_damaged_block_ends_a_read_of_many),
		ON_A_TAPE(what_does_not_read_goes_over_a_damaged_block),
		ON_A_TAPE(a_damaged_block_is_healed_by_the_same_written_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
