/* SPDX-License-Identifier: BSD-2-Clause */
/* ssc_move: REWIND, SPACE, LOCATE and READ POSITION as bytes.  The tape is written through the engine. */
#include "tape/drive.h"
#include "unit/scsi/rig.h"

#define REWIND 0x01, 0, 0, 0, 0, 0
#define BE24(n) (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n)
#define BE32(n) (uint8_t)((n) >> 24), BE24(n)
#define BE64(n) BE32((uint64_t)(n) >> 32), BE32((uint32_t)(n))
#define SPACE_6(code, n) 0x11, code, BE24((uint32_t)(n)), 0
#define SPACE_16(code, n) 0x91, code, 0, 0, BE64((int64_t)(n)), 0, 0, 0, 0
#define LOCATE_10(how, object, partition) 0x2b, how, 0, BE32(object), 0, partition, 0
#define LOCATE_16(how, partition, id) 0x92, how, 0, partition, BE64(id), 0, 0, 0, 0
#define BLOCKS 0
#define MARKS 1
#define END 3

/* Records of 100 bytes and filemarks, one for each 'r' and 'm', in partition @p from its beginning. */
static void tape(struct rig *g, uint32_t p, const char *objects)
{
	struct drive *d;

	GOOD(g, 0, LOCATE_16(0x02, (uint8_t)p, 0));
	d = g->u->ssc.drive;
	assert_non_null(d);
	for (; *objects; objects++)
		assert_int_equal(*objects == 'r' ? drive_write_record(d, g->data, 100) :
						   drive_write_filemarks(d, 1, true), 0);
}

static int loaded(void **state)
{
	rig_loaded(state, NULL);
	return 0;
}

static struct tape_pos at(struct rig *g)
{
	struct library_drive info;

	assert_int_equal(library_drive_info(g->store->lib, 0, &info), 0);
	assert_true(info.loaded);
	return info.pos;
}

static bool valid(struct rig *g) { return g->t.sense[0] & 0x80; }
static int32_t information(struct rig *g) { return (int32_t)get_be32(g->t.sense + 3); }
static unsigned stream(struct rig *g) { return g->t.sense[2] & 0xe0; }	/* FILEMARK, EOM, ILI */

/* ---- REWIND ----------------------------------------------------------------------------------------------------- */

static void rewind_goes_to_the_beginning_of_its_partition_and_gives_the_drive_back(void **state)
{
	struct rig *g = rig_of(state);
	struct drive *d;

	GOOD(g, 0, SPACE_6(END, 0));
	assert_int_equal(drive_format(g->u->ssc.drive, 2), 0);
	tape(g, 1, "rrm");
	GOOD(g, 0, REWIND);
	assert_int_equal(at(g).partition, 1);
	assert_int_equal(at(g).object, 0);
	assert_null(g->u->ssc.drive);
	assert_int_equal(library_drive_open(g->store->lib, 0, false, &d), 0);
	/* Meanwhile it is somebody else's. */
	assert_int_equal(CMD(g, 0, REWIND), SCSI_BUSY);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	GOOD(g, 0, 0x01, 0x01, 0, 0, 0, 0);
}

static void what_was_written_is_on_disk_before_the_head_moves(void **state)
{
	struct rig *g = rig_of(state);
	struct volume_stat st;

	tape(g, 0, "rrr");
	GOOD(g, 0, SPACE_6(BLOCKS, -1));
	assert_int_equal(volume_peek(g->store->kv, g->u->ssc.volume, &st), 0);
	assert_int_equal(st.end.objects, 3);
}

/* The store fails: what was told is written is not, so it is a deferred error, and the command moves nothing. */
static void a_motion_tells_that_what_was_written_is_lost(void **state)
{
	static const struct { int error; enum sense_key key; uint16_t code; uint8_t bits; } rows[] = {
		{ -EIO, MEDIUM_ERROR, ASC_WRITE_ERROR, 0 }, { -ENOSPC, VOLUME_OVERFLOW, ASC_END_OF_MEDIUM, 0x40 }
	};
	struct rig *g = rig_of(state);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t errors = g->u->ssc.count.write_errors;

		tape(g, 0, "rrrm");
		kv_mem_plan_fault(g->store->kv, 1, rows[i].error);
		CHECKED(g, rows[i].key, rows[i].code, 0, SPACE_6(BLOCKS, -1));
		assert_int_equal(g->t.sense[0], 0x71);
		assert_int_equal(stream(g), rows[i].bits);
		assert_int_equal(g->u->ssc.count.write_errors, errors + 1);
		kv_mem_plan_fault(g->store->kv, 0, -EIO);
		GOOD(g, 0, REWIND);
	}
}

/* ---- SPACE ------------------------------------------------------------------------------------------------------ */

static void blocks_end_behind_a_filemark_with_what_is_left_of_the_count(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rrmrr");
	GOOD(g, 0, REWIND);
	GOOD(g, 0, SPACE_6(BLOCKS, 2));
	assert_int_equal(at(g).object, 2);
	CHECKED(g, NO_SENSE, ASC_FILEMARK, 0, SPACE_6(BLOCKS, 5));
	assert_int_equal(stream(g), 0x80);
	assert_true(valid(g));
	assert_int_equal(information(g), 5);
	assert_int_equal(at(g).object, 3);
	GOOD(g, 0, SPACE_6(BLOCKS, 1));
	/* Back: on the side of the beginning of that mark, the count is left as a positive number. */
	CHECKED(g, NO_SENSE, ASC_FILEMARK, 0, SPACE_6(BLOCKS, -4));
	assert_int_equal(stream(g), 0x80);
	assert_true(valid(g));
	assert_int_equal(information(g), 3);
	assert_int_equal(at(g).object, 2);
	assert_int_equal(at(g).file, 0);
}

static void blocks_end_at_the_end_of_data(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rrr");
	GOOD(g, 0, REWIND);
	CHECKED(g, BLANK_CHECK, ASC_END_OF_DATA, 0, SPACE_6(BLOCKS, 10));
	assert_int_equal(stream(g), 0);
	assert_true(valid(g));
	assert_int_equal(information(g), 7);
	assert_int_equal(at(g).object, 3);
}

static void blocks_end_at_the_beginning_of_the_partition(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rrr");
	CHECKED(g, NO_SENSE, ASC_BEGINNING_OF_MEDIUM, 0, SPACE_6(BLOCKS, -10));
	assert_int_equal(stream(g), 0x40);
	assert_true(valid(g));
	assert_int_equal(information(g), 7);
	assert_int_equal(at(g).object, 0);
}

static void filemarks_are_counted_in_both_directions(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rmrmmr");
	GOOD(g, 0, REWIND);
	GOOD(g, 0, SPACE_6(MARKS, 2));
	assert_int_equal(at(g).object, 4);
	assert_int_equal(at(g).file, 2);
	CHECKED(g, BLANK_CHECK, ASC_END_OF_DATA, 0, SPACE_6(MARKS, 9));
	assert_int_equal(information(g), 8);
	assert_int_equal(at(g).object, 6);
	/* Backwards it ends before the mark. */
	GOOD(g, 0, SPACE_6(MARKS, -2));
	assert_int_equal(at(g).object, 3);
	CHECKED(g, NO_SENSE, ASC_BEGINNING_OF_MEDIUM, 0, SPACE_6(MARKS, -5));
	assert_int_equal(stream(g), 0x40);
	assert_int_equal(information(g), 4);
	assert_int_equal(at(g).object, 0);
}

static void a_count_of_nothing_moves_nothing(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rmr");
	GOOD(g, 0, SPACE_6(BLOCKS, 0));
	GOOD(g, 0, SPACE_6(MARKS, 0));
	GOOD(g, 0, SPACE_16(BLOCKS, 0));
	assert_int_equal(at(g).object, 3);
}

static void counts_have_24_bits_and_a_sign(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rr");
	CHECKED(g, NO_SENSE, ASC_BEGINNING_OF_MEDIUM, 0, SPACE_6(BLOCKS, 0x800000));
	assert_int_equal(information(g), 0x800000 - 2);
	CHECKED(g, BLANK_CHECK, ASC_END_OF_DATA, 0, SPACE_6(BLOCKS, 0x7fffff));
	assert_int_equal(information(g), 0x7fffff - 2);
}

static void counts_of_64_bits(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rrmr");
	GOOD(g, 0, REWIND);
	GOOD(g, 0, SPACE_16(MARKS, 1));
	GOOD(g, 0, SPACE_16(BLOCKS, 1));
	assert_int_equal(at(g).object, 4);
	GOOD(g, 0, SPACE_16(MARKS, -1));
	assert_int_equal(at(g).object, 2);
	/* A residual that the field does not hold is none. */
	CHECKED(g, NO_SENSE, ASC_BEGINNING_OF_MEDIUM, 0, SPACE_16(BLOCKS, INT64_MIN));
	assert_false(valid(g));
	assert_int_equal(at(g).object, 0);
	CHECKED(g, BLANK_CHECK, ASC_END_OF_DATA, 0, SPACE_16(MARKS, INT64_MAX));
	assert_false(valid(g));
	assert_int_equal(at(g).object, 4);
	CHECKED(g, NO_SENSE, ASC_BEGINNING_OF_MEDIUM, 0, SPACE_16(MARKS, -3));
	assert_true(valid(g));
	assert_int_equal(information(g), 2);
}

static void space_to_the_end_of_data(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rrmr");
	GOOD(g, 0, REWIND);
	GOOD(g, 0, SPACE_6(END, 0));
	assert_int_equal(at(g).object, 4);
	GOOD(g, 0, REWIND);
	/* The count means nothing then. */
	GOOD(g, 0, SPACE_16(END, -7));
	assert_int_equal(at(g).object, 4);
}

static void sequential_filemarks_and_setmarks_are_refused(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rr");
	for (uint8_t code = 2; code < 16; code++) {
		if (code == END)
			continue;
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, SPACE_6(code, 1));
		assert_int_equal(get_be16(g->t.sense + 16), 1);
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, SPACE_16(code, 1));
	}
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0x11, 0x10, 0, 0, 1, 0);
	assert_int_equal(at(g).object, 2);
}

/* ---- LOCATE ----------------------------------------------------------------------------------------------------- */

static void locate_finds_an_object(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rrmrr");
	GOOD(g, 0, LOCATE_10(0, 4, 0));
	assert_int_equal(at(g).object, 4);
	/* BT and IMMED */
	GOOD(g, 0, LOCATE_10(0x05, 1, 0));
	assert_int_equal(at(g).object, 1);
	GOOD(g, 0, LOCATE_16(0x01, 0, 3));
	assert_int_equal(at(g).object, 3);
	assert_int_equal(at(g).file, 1);
}

static void locate_behind_the_end_of_data_ends_there(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rrm");
	GOOD(g, 0, LOCATE_10(0, 3, 0));
	GOOD(g, 0, REWIND);
	CHECKED(g, BLANK_CHECK, ASC_END_OF_DATA, 0, LOCATE_10(0, 4, 0));
	assert_int_equal(at(g).object, 3);
	GOOD(g, 0, REWIND);
	/* What LTFS does to find the end. */
	CHECKED(g, BLANK_CHECK, ASC_END_OF_DATA, 0, LOCATE_16(0, 0, UINT64_MAX));
	assert_int_equal(at(g).object, 3);
	GOOD(g, 0, REWIND);
	CHECKED(g, BLANK_CHECK, ASC_END_OF_DATA, 0, LOCATE_16(0x01 << 3, 0, 2));
	assert_int_equal(at(g).object, 3);
}

static void locate_finds_a_file_and_the_end(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rrmrmr");
	GOOD(g, 0, LOCATE_16(0x01 << 3, 0, 1));
	assert_int_equal(at(g).object, 3);
	GOOD(g, 0, LOCATE_16(0x01 << 3, 0, 2));
	assert_int_equal(at(g).object, 5);
	GOOD(g, 0, LOCATE_16(0x01 << 3, 0, 0));
	assert_int_equal(at(g).object, 0);
	GOOD(g, 0, LOCATE_16(0x03 << 3, 0, 0));
	assert_int_equal(at(g).object, 6);
	for (uint8_t kind = 0; kind < 8; kind++)
		if (kind != 0 && kind != 1 && kind != 3)
			CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, LOCATE_16((uint8_t)(kind << 3), 0, 0));
	/* BAM: explicit addresses are no address of ours. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0x92, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(at(g).object, 6);
}

static void locate_changes_the_partition_only_if_so_asked(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, SPACE_6(END, 0));
	assert_int_equal(drive_format(g->u->ssc.drive, 2), 0);
	tape(g, 0, "rrr");
	tape(g, 1, "rm");
	GOOD(g, 0, LOCATE_10(0, 1, 0));
	assert_int_equal(at(g).partition, 1);
	GOOD(g, 0, LOCATE_10(0x02, 2, 0));
	assert_int_equal(at(g).partition, 0);
	assert_int_equal(at(g).object, 2);
	GOOD(g, 0, LOCATE_16(0, 1, 1));
	assert_int_equal(at(g).partition, 0);
	GOOD(g, 0, LOCATE_16(0x02 | 0x03 << 3, 1, 0));
	assert_int_equal(at(g).partition, 1);
	assert_int_equal(at(g).object, 2);
	CHECKED(g, BLANK_CHECK, ASC_END_OF_DATA, 0, LOCATE_16(0x02, 0, UINT64_MAX));
	assert_int_equal(at(g).partition, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, LOCATE_10(0x02, 0, 2));
	assert_int_equal(get_be16(g->t.sense + 16), 8);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, LOCATE_16(0x02, 2, 0));
	assert_int_equal(get_be16(g->t.sense + 16), 3);
	assert_int_equal(at(g).partition, 0);
}

/* ---- READ POSITION ---------------------------------------------------------------------------------------------- */

#define POSITION(form, alloc) 0x34, form, 0, 0, 0, 0, 0, (alloc) >> 8, (alloc) & 0xff, 0

static void the_short_form(void **state)
{
	struct rig *g = rig_of(state);
	static const uint8_t zero[20];

	GOOD(g, 20, POSITION(0, 0));
	assert_int_equal(g->t.data_in, 20);
	assert_int_equal(g->data[0], 0x80);
	assert_memory_equal(g->data + 1, zero, 19);
	tape(g, 0, "rrmr");
	for (uint8_t form = 0; form < 2; form++) {
		memset(g->data, 0xaa, 32);
		GOOD(g, 32, POSITION(form, 0));
		assert_int_equal(g->t.data_in, 20);
		assert_int_equal(g->data[0], 0);
		assert_int_equal(g->data[1], 0);
		assert_int_equal(get_be32(g->data + 4), 4);
		assert_int_equal(get_be32(g->data + 8), 4);
		assert_memory_equal(g->data + 12, zero, 8);
	}
}

static void the_long_form_knows_the_file(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, SPACE_6(END, 0));
	assert_int_equal(drive_format(g->u->ssc.drive, 2), 0);
	tape(g, 1, "rrmrmm");
	GOOD(g, 32, POSITION(6, 0));
	assert_int_equal(g->t.data_in, 32);
	assert_int_equal(g->data[0], 0);
	assert_int_equal(get_be32(g->data + 4), 1);
	assert_int_equal(get_be64(g->data + 8), 6);
	assert_int_equal(get_be64(g->data + 16), 3);
	assert_int_equal(get_be64(g->data + 24), 0);
	GOOD(g, 0, REWIND);
	GOOD(g, 32, POSITION(6, 0));
	assert_int_equal(g->data[0], 0x80);
	assert_int_equal(get_be32(g->data + 4), 1);
}

static void the_extended_form_is_cut_to_its_allocation(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "rrm");
	GOOD(g, 64, POSITION(8, 64));
	assert_int_equal(g->t.data_in, 32);
	assert_int_equal(g->data[0], 0);
	assert_int_equal(get_be16(g->data + 2), 0x1c);
	assert_int_equal(get_be64(g->data + 8), 3);
	assert_int_equal(get_be64(g->data + 16), 3);
	memset(g->data, 0xaa, 64);
	GOOD(g, 64, POSITION(8, 10));
	assert_int_equal(g->t.data_in, 10);
	assert_int_equal(g->data[10], 0xaa);
	GOOD(g, 4, POSITION(8, 32));
	assert_int_equal(g->t.data_in, 4);
	GOOD(g, 0, POSITION(8, 0));
	assert_int_equal(g->t.data_in, 0);
}

static void other_forms_are_refused(void **state)
{
	struct rig *g = rig_of(state);

	for (uint8_t form = 0; form < 32; form++)
		if (form != 0 && form != 1 && form != 6 && form != 8)
			CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 32, POSITION(form, 0));
	/* Only the extended form has an allocation length. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 32, POSITION(0, 20));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 32, POSITION(6, 32));
}

static void a_short_form_says_that_32_bits_do_not_hold_the_place(void **state)
{
	struct rig *g = rig_of(state);

	tape(g, 0, "r");
	/* Nobody waits for a tape of so many objects to be written; READ POSITION looks at nothing but the head. */
	g->u->ssc.drive->at.objects = UINT32_MAX;
	GOOD(g, 20, POSITION(0, 0));
	assert_int_equal(g->data[0], 0);
	assert_int_equal(get_be32(g->data + 4), UINT32_MAX);
	g->u->ssc.drive->at.objects = 1ull << 32;
	GOOD(g, 20, POSITION(0, 0));
	assert_int_equal(g->data[0], 0x06);
	assert_int_equal(get_be32(g->data + 4), 0);
	GOOD(g, 32, POSITION(6, 0));
	assert_int_equal(g->data[0], 0);
	assert_int_equal(get_be64(g->data + 8), 1ull << 32);
	GOOD(g, 32, POSITION(8, 32));
	assert_int_equal(g->data[0], 0);
	assert_int_equal(get_be64(g->data + 8), 1ull << 32);
	g->u->ssc.drive->at.objects = 1;
}

static void resize(struct catalog_volume *v, void *ctx)
{
	v->capacity_bytes = *(uint64_t *)ctx;
}

/* EOP from the early warning on, BPEW so many megabytes before. */
static void the_end_is_near(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t capacity = 10000000;

	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, resize, &capacity), 0);
	tape(g, 0, "r");
	g->u->ssc.mode.pews_mb = 2;
	for (int mb = 1; mb <= 9; mb++) {
		int r = drive_write_record(g->u->ssc.drive, g->data, mb == 1 ? 999900 : 1000000);

		assert_true(r == 0 || r == TAPE_E_EARLY_WARNING);
		for (uint8_t form = 0; form <= 8; form += form == 0 ? 6 : 2) {
			GOOD(g, 32, POSITION(form, form == 8 ? 32 : 0));
			assert_int_equal(g->data[0] & 0x41, (mb >= 9 ? 0x40 : 0) | (mb >= 7 ? 0x01 : 0));
		}
	}
	g->u->ssc.mode.pews_mb = 0;
	GOOD(g, 32, POSITION(0, 0));
	assert_int_equal(g->data[0], 0x40);
	/* It is where the head is that counts. */
	g->u->ssc.mode.pews_mb = 2;
	GOOD(g, 0, LOCATE_10(0, 7, 0));
	GOOD(g, 32, POSITION(0, 0));
	assert_int_equal(g->data[0], 0x00);
	GOOD(g, 0, LOCATE_10(0, 8, 0));
	GOOD(g, 32, POSITION(0, 0));
	assert_int_equal(g->data[0], 0x01);
}

static void without_a_medium_nothing_moves(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, REWIND);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
	rig_settle(g);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, REWIND);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, SPACE_6(BLOCKS, 1));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, SPACE_16(BLOCKS, 1));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, LOCATE_10(0, 0, 0));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, LOCATE_16(0, 0, 0));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 20, POSITION(0, 0));
	assert_int_equal(g->t.data_in, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, loaded, rig_free)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(rewind_goes_to_the_beginning_of_its_partition_and_gives_the_drive_back),
		T(what_was_written_is_on_disk_before_the_head_moves),
		T(a_motion_tells_that_what_was_written_is_lost),
		T(blocks_end_behind_a_filemark_with_what_is_left_of_the_count),
		T(blocks_end_at_the_end_of_data),
		T(blocks_end_at_the_beginning_of_the_partition),
		T(filemarks_are_counted_in_both_directions),
		T(a_count_of_nothing_moves_nothing),
		T(counts_have_24_bits_and_a_sign),
		T(counts_of_64_bits),
		T(space_to_the_end_of_data),
		T(sequential_filemarks_and_setmarks_are_refused),
		T(locate_finds_an_object),
		T(locate_behind_the_end_of_data_ends_there),
		T(locate_finds_a_file_and_the_end),
		T(locate_changes_the_partition_only_if_so_asked),
		T(the_short_form),
		T(the_long_form_knows_the_file),
		T(the_extended_form_is_cut_to_its_allocation),
		T(other_forms_are_refused),
		T(a_short_form_says_that_32_bits_do_not_hold_the_place),
		T(the_end_is_near),
		T(without_a_medium_nothing_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
