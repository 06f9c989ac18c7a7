/* SPDX-License-Identifier: BSD-2-Clause */
/* drive*.c beyond the table of test/conform: loading, positions, filemarks taken back, records that cannot be read. */
#include "unit/pack/raw.h"
#include "unit/tape/tape_store.h"

#define assert_position(s, p, o, f, b) assert_position_at(s, p, o, f, b, __LINE__)
static void assert_position_at(struct store *s, uint32_t partition, uint64_t object, uint64_t file, uint64_t block,
			       int line)
{
	struct tape_pos pos;

	assert_int_equal(drive_position(s->drive, &pos), 0);
	if (pos.partition != partition || pos.object != object || pos.file != file || pos.block != block)
		fail_msg("line %d: partition %u object %d file %d block %d", line, pos.partition, (int)pos.object,
			 (int)pos.file, (int)pos.block);
}

static void an_empty_drive_does_nothing(void **state)
{
	struct store *s = *state;
	struct tape_pos pos;
	int64_t done;

	assert_int_equal(drive_unload(s->drive), 0);
	assert_int_equal(drive_unload(s->drive), 0);
	assert_null(drive_volume(s->drive));
	assert_int_equal(drive_position(s->drive, &pos), TAPE_E_NO_MEDIUM);
	assert_int_equal(read_any(s), TAPE_E_NO_MEDIUM);
	assert_int_equal(try_put(s, 1, 10), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_write_filemarks(s->drive, 1, false), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_write_filemarks(s->drive, 0, false), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_retract_filemark(s->drive), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_flush(s->drive), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_space_records(s->drive, 1, &done), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_space_filemarks(s->drive, 1, &done), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_space_eod(s->drive), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_rewind(s->drive), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_locate(s->drive, 0, 0), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_locate_file(s->drive, 0, 0), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_erase(s->drive), TAPE_E_NO_MEDIUM);
	assert_int_equal(drive_format(s->drive, 1), TAPE_E_NO_MEDIUM);
	assert_false(drive_at_eod(s->drive));
	assert_false(drive_at_early_warning(s->drive));
}

/* A mark is no work of its own: 24 bits of them, as SCSI may ask, are one run of the map. */
static void millions_of_filemarks_are_one_step(void **state)
{
	enum { MANY = 16000000 };
	struct store *s = *state;
	int64_t done;

	put(s, 1, 10);
	assert_int_equal(drive_write_filemarks(s->drive, MANY, false), 0);
	assert_position(s, 0, MANY + 1, MANY, 0);
	put(s, 2, 10);
	assert_position(s, 0, MANY + 2, MANY, 1);
	assert_int_equal(drive_space_filemarks(s->drive, -MANY, &done), 0);
	assert_position(s, 0, 1, 0, 1);
	assert_int_equal(drive_locate_file(s->drive, 0, MANY), 0);
	assert_position(s, 0, MANY + 1, MANY, 0);
}

static void a_drive_holds_one_volume(void **state)
{
	struct store *s = *state;

	assert_ptr_equal(drive_volume(s->drive), s->vol);
	assert_int_equal(drive_load(s->drive, s->vol), -EBUSY);
	assert_non_null(strstr(err_text(-EBUSY), "A00001"));
}

static void loading_stands_at_the_beginning_of_partition_0(void **state)
{
	struct store *s = *state;

	assert_int_equal(drive_format(s->drive, 2), 0);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	put(s, 1, 100);
	assert_int_equal(drive_unload(s->drive), 0);
	assert_int_equal(drive_load(s->drive, s->vol), 0);
	assert_position(s, 0, 0, 0, 0);
	assert_true(drive_at_eod(s->drive));
}

static void rewinding_stays_in_the_partition(void **state)
{
	struct store *s = *state;

	assert_int_equal(drive_format(s->drive, 2), 0);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	put(s, 1, 100);
	rewind_tape(s);
	assert_position(s, 1, 0, 0, 0);
	assert_record(s, 1, 100);
	assert_int_equal(drive_locate(s->drive, 2, 0), -EINVAL);
	assert_int_equal(drive_locate_file(s->drive, 2, 0), -EINVAL);
	assert_int_equal(position(s), 1);
}

static void a_record_longer_than_the_buffer_gives_its_beginning(void **state)
{
	struct store *s = *state;
	uint8_t want[100], got[60];
	size_t len;

	put(s, 1, 100);
	mark(s);
	rewind_tape(s);
	chance_fill(want, sizeof(want), 1);
	assert_int_equal(drive_read_record(s->drive, got, sizeof(got), &len), TAPE_E_LENGTH);
	assert_int_equal(len, 100);
	assert_memory_equal(got, want, sizeof(got));
	assert_int_equal(position(s), 1);
}

static void buffers_and_records_have_a_length(void **state)
{
	struct store *s = *state;
	uint8_t b[10];
	size_t len;

	assert_int_equal(drive_read_record(s->drive, b, 0, &len), -EINVAL);
	assert_int_equal(drive_read_record(s->drive, b, TAPE_RECORD_MAX + 1ul, &len), -EINVAL);
	assert_int_equal(drive_write_record(s->drive, b, 0), -EINVAL);
	assert_int_equal(drive_write_record(s->drive, b, TAPE_RECORD_MAX + 1ul), -EINVAL);
	assert_int_equal(objects(s), 0);
}

static void a_refused_length_cuts_nothing(void **state)
{
	struct store *s = *state;

	put(s, 1, 100);
	mark(s);
	rewind_tape(s);
	assert_int_equal(drive_write_record(s->drive, "", 0), -EINVAL);
	s->attr.capacity_bytes = 50;
	volume_set_attr(s->vol, &s->attr);
	assert_int_equal(try_put(s, 2, 60), TAPE_E_FULL);
	assert_int_equal(objects(s), 2);
	assert_record(s, 1, 100);
}

static void only_a_mark_of_this_drive_at_the_end_is_taken_back(void **state)
{
	struct store *s = *state;

	assert_int_equal(drive_retract_filemark(s->drive), -EINVAL);	/* blank */
	put(s, 1, 100);
	assert_int_equal(drive_retract_filemark(s->drive), -EINVAL);	/* a record */
	mark(s);
	mark(s);
	assert_int_equal(drive_retract_filemark(s->drive), 0);
	assert_int_equal(drive_retract_filemark(s->drive), 0);
	assert_int_equal(drive_retract_filemark(s->drive), -EINVAL);
	assert_int_equal(objects(s), 1);
	mark(s);
	rewind_tape(s);
	assert_int_equal(drive_retract_filemark(s->drive), -EINVAL);	/* not here */
	reload(s);
	assert_int_equal(drive_space_eod(s->drive), 0);
	assert_int_equal(drive_retract_filemark(s->drive), -EINVAL);	/* another session's */
	mark(s);
	assert_int_equal(drive_retract_filemark(s->drive), 0);
	assert_int_equal(objects(s), 2);
}

static void spacing_by_nothing_stays(void **state)
{
	struct store *s = *state;
	int64_t done = 5;

	put(s, 1, 100);
	mark(s);
	assert_int_equal(drive_space_records(s->drive, 0, &done), 0);
	assert_int_equal(done, 0);
	assert_int_equal(drive_space_filemarks(s->drive, 0, &done), 0);
	assert_int_equal(done, 0);
	assert_int_equal(position(s), 2);
}

static void spacing_tells_how_far_it_came(void **state)
{
	struct store *s = *state;
	int64_t done;

	for (int i = 0; i < 3; i++) {
		put(s, 1, 100);
		put(s, 1, 100);
		mark_immed(s);
	}
	assert_int_equal(drive_space_filemarks(s->drive, INT64_MIN, &done), TAPE_E_BOP);
	assert_int_equal(done, -3);
	assert_int_equal(drive_space_filemarks(s->drive, INT64_MAX, &done), TAPE_E_EOD);
	assert_int_equal(done, 3);
	assert_int_equal(drive_space_records(s->drive, INT64_MIN, &done), TAPE_E_FILEMARK);
	assert_int_equal(done, 0);
	assert_int_equal(drive_space_records(s->drive, INT64_MIN, &done), TAPE_E_FILEMARK);
	assert_int_equal(done, -2);
	rewind_tape(s);
	assert_int_equal(drive_space_records(s->drive, INT64_MAX, &done), TAPE_E_FILEMARK);
	assert_int_equal(done, 2);
}

static void a_file_is_located_in_any_partition(void **state)
{
	struct store *s = *state;

	assert_int_equal(drive_format(s->drive, 2), 0);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	for (uint64_t i = 0; i < 5; i++) {
		put(s, i, 100);
		put(s, i, 100);
		mark_immed(s);
	}
	assert_int_equal(drive_locate(s->drive, 0, 0), 0);
	assert_int_equal(drive_locate_file(s->drive, 1, 3), 0);
	assert_position(s, 1, 9, 3, 0);
	assert_record(s, 3, 100);
	assert_int_equal(drive_locate_file(s->drive, 1, 6), TAPE_E_EOD);
	assert_int_equal(position(s), 15);
	assert_int_equal(drive_locate_file(s->drive, 0, 0), 0);
}

/* The only pack of the store, with a byte changed in the middle of its first chunk. */
static void damage_first_chunk(struct store *s)
{
	uint64_t number = 0, size;
	struct buf bytes = BUF_INIT;

	assert_int_equal(chunk_store_next_pack(s->cs, 0, &number, &size), 0);
	assert_int_equal(unload(s), 0);
	store_down(s);
	raw_get(s->packs, number, &bytes);
	bytes.data[2000] ^= 1;
	raw_set(s->packs, number, bytes.data, bytes.len);
	buf_fini(&bytes);
	store_up(s);
	load(s);
}

/* It says so, steps past it, and gives the next one. */
static void a_damaged_record_is_stepped_past(void **state)
{
	struct store *s = *state;

	put(s, 1, 8000);
	mark(s);
	put(s, 2, 8000);
	mark(s);
	restart(s);
	damage_first_chunk(s);
	assert_int_equal(read_any(s), -EBADMSG);
	assert_position(s, 0, 1, 0, 1);
	assert_mark(s);
	assert_record(s, 2, 8000);
	rewind_tape(s);
	assert_int_equal(read_any(s), -EBADMSG);
}

/* Written again, it is stored again: what is damaged is no target for sharing. */
static void a_backup_that_comes_again_heals(void **state)
{
	struct store *s = *state;

	put(s, 1, 8000);
	mark(s);
	restart(s);
	damage_first_chunk(s);
	assert_int_equal(read_any(s), -EBADMSG);
	rewind_tape(s);
	put(s, 1, 8000);
	mark(s);
	restart(s);
	assert_record(s, 1, 8000);
}

/* Sequential reading must not look up a page per record. */
static void reading_many_equal_records(void **state)
{
	struct store *s = *state;

	for (uint64_t i = 0; i < 3000; i++)
		put(s, i, 64);
	mark(s);
	rewind_tape(s);
	for (uint64_t i = 0; i < 3000; i++) {
		assert_record(s, i, 64);
		if (i == 1500) {	/* writing in between and coming back */
			assert_int_equal(drive_space_eod(s->drive), 0);
			put(s, 9999, 64);
			locate(s, 1501);
		}
	}
	assert_mark(s);
	assert_record(s, 9999, 64);
	assert_eod(s);
}

/* The first has 1 MB, the second what it leaves of 10 MB; each ends by itself. */
static void partitions_may_have_sizes_of_their_own(void **state)
{
	static const uint64_t bytes[TAPE_PARTITIONS_MAX] = { 1000000 };
	static uint8_t record[500000];
	struct store *s = *state;
	struct volume_attr attr = *volume_attr(s->vol);
	int r, n = 0;

	attr.capacity_bytes = 10000000;
	volume_set_attr(s->vol, &attr);
	assert_int_equal(drive_format_sized(s->drive, 2, bytes), 0);
	assert_int_equal(volume_capacity(s->vol, 0), 1000000);
	assert_int_equal(volume_capacity(s->vol, 1), 9000000);
	assert_int_equal(volume_capacity(s->vol, 2), 0);
	for (n = 0; (r = drive_write_record(s->drive, record, sizeof(record))) != TAPE_E_FULL; n++)
		assert_true(r == 0 || r == TAPE_E_EARLY_WARNING);
	assert_int_equal(n, 2);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	for (n = 0; (r = drive_write_record(s->drive, record, sizeof(record))) != TAPE_E_FULL; n++)
		assert_true(r == 0 || r == TAPE_E_EARLY_WARNING);
	assert_int_equal(n, 18);
	/* The volume's capacity has the last word; nothing left is no room. */
	attr.capacity_bytes = 1000;
	volume_set_attr(s->vol, &attr);
	assert_int_equal(volume_capacity(s->vol, 0), 1000);
	assert_int_equal(volume_capacity(s->vol, 1), 1);
	attr.capacity_bytes = 0;
	volume_set_attr(s->vol, &attr);
	assert_int_equal(volume_capacity(s->vol, 0), 1000000);
	assert_int_equal(volume_capacity(s->vol, 1), 0);
	/* Formatted without sizes they are equal again. */
	attr.capacity_bytes = 9000;
	volume_set_attr(s->vol, &attr);
	assert_int_equal(drive_locate(s->drive, 0, 0), 0);
	assert_int_equal(drive_format(s->drive, 3), 0);
	for (uint32_t p = 0; p < 3; p++)
		assert_int_equal(volume_capacity(s->vol, p), 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(an_empty_drive_does_nothing),
		with_store(millions_of_filemarks_are_one_step),
		with_store(a_drive_holds_one_volume),
		with_store(loading_stands_at_the_beginning_of_partition_0),
		with_store(rewinding_stays_in_the_partition),
		with_store(a_record_longer_than_the_buffer_gives_its_beginning),
		with_store(buffers_and_records_have_a_length),
		with_store(a_refused_length_cuts_nothing),
		with_store(only_a_mark_of_this_drive_at_the_end_is_taken_back),
		with_store(spacing_by_nothing_stays),
		with_store(spacing_tells_how_far_it_came),
		with_store(a_file_is_located_in_any_partition),
		with_store(partitions_may_have_sizes_of_their_own),
		with_store(a_damaged_record_is_stepped_past),
		with_store(a_backup_that_comes_again_heals),
		with_store(reading_many_equal_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
