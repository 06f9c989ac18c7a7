/* SPDX-License-Identifier: BSD-2-Clause */
/* volume.c, volume_append.c: what is where, and who may append how much. */
#include "unit/tape/tape_store.h"

static void look_ups_agree_with_what_was_written(void **state)
{
	struct store *s = *state;
	struct tape_object o;
	struct tape_tally t;

	for (int i = 0; i < 10; i++)
		put(s, 1, 1001);
	mark(s);
	put(s, 2, 20);
	assert_int_equal(volume_object(s->vol, 0, 3, &o), 0);
	assert_false(o.mark);
	assert_int_equal(o.len, 1001);
	assert_int_equal(o.run, 7);
	assert_int_equal(volume_object(s->vol, 0, 10, &o), 0);
	assert_true(o.mark);
	assert_int_equal(o.run, 1);
	assert_int_equal(volume_object(s->vol, 0, 12, &o), TAPE_E_EOD);
	assert_int_equal(volume_tally(s->vol, 0, 11, &t), 0);
	assert_memory_equal(&t, (&(struct tape_tally){ 11, 1, 10010, 10 }), sizeof(t));
	assert_int_equal(volume_tally(s->vol, 0, 12, &t), 0);
	assert_int_equal(volume_tally(s->vol, 0, 13, &t), -ERANGE);
	assert_int_equal(volume_tally(s->vol, 1, 0, &t), -EINVAL);
}

static void a_partition_that_is_not_there_is_refused_everywhere(void **state)
{
	static const uint32_t no[] = { 1, 3, 4, 1000, UINT32_MAX };
	struct store *s = *state;
	struct volume_reader *r;
	struct tape_object o;
	struct tape_tally t;
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		assert_int_equal(volume_end(s->vol, no[i], &t), -EINVAL);
		assert_int_equal(volume_tally(s->vol, no[i], 0, &t), -EINVAL);
		assert_int_equal(volume_object(s->vol, no[i], 0, &o), -EINVAL);
		assert_int_equal(volume_find_file(s->vol, no[i], 0, &t), -EINVAL);
		assert_int_equal(volume_stretch(s->vol, no[i], 0, &n), -EINVAL);
		assert_int_equal(volume_append_record(s->vol, no[i], "x", 1), -EINVAL);
		assert_int_equal(volume_append_filemark(s->vol, no[i]), -EINVAL);
		assert_int_equal(volume_truncate(s->vol, no[i], 0), -EINVAL);
		assert_int_equal(volume_reader_new(s->vol, no[i], &r), -EINVAL);
		assert_int_equal(drive_locate(s->drive, no[i], 0), -EINVAL);
	}
}

static bool odd_below(const struct tape_tally *t, void *ctx)
{
	return t->odd < *(uint64_t *)ctx;
}

static bool never(const struct tape_tally *t, void *ctx)
{
	return t->objects == 0;
}

static bool always(const struct tape_tally *t, void *ctx)
{
	return true;
}

/* Over many pages, some in rows, some in memory, some cut off. */
static void a_search_finds_every_place(void **state)
{
	struct store *s = *state;
	struct tape_tally t;

	for (uint32_t i = 0; i < 6000; i++) {
		put(s, i, 1 + i % 7);
		if (i == 2000)
			mark(s);
		if (i == 4000) {
			reload(s);
			assert_int_equal(drive_space_eod(s->drive), 0);
		}
	}
	assert_int_equal(volume_find(s->vol, 0, never, NULL, &t), 0);
	assert_int_equal(t.objects, 0);
	assert_int_equal(volume_find(s->vol, 0, always, NULL, &t), 0);
	assert_int_equal(t.objects, 6001);
	for (uint64_t odd = 1; odd < 3000; odd += 17) {
		struct tape_tally here, next;

		assert_int_equal(volume_find(s->vol, 0, odd_below, &odd, &t), 0);
		assert_int_equal(volume_tally(s->vol, 0, t.objects, &here), 0);
		assert_int_equal(volume_tally(s->vol, 0, t.objects + 1, &next), 0);
		assert_memory_equal(&t, &here, sizeof(t));
		assert_true(here.odd < odd && next.odd == odd);
	}
}

static void files_are_found_by_number(void **state)
{
	struct store *s = *state;
	struct tape_tally t;

	for (int i = 0; i < 50; i++) {
		for (int j = 0; j <= i; j++)
			put(s, 0, 10);
		mark_immed(s);
	}
	for (uint64_t i = 0; i <= 50; i++) {
		assert_int_equal(volume_find_file(s->vol, 0, i, &t), 0);
		assert_int_equal(t.marks, i);
		assert_int_equal(t.objects, i * (i + 1) / 2 + i);
		assert_int_equal(t.bytes, 10 * (i * (i + 1) / 2));
	}
	assert_int_equal(volume_find_file(s->vol, 0, 51, &t), TAPE_E_EOD);
}

static void opening_reads_the_same_however_long_the_tape(void **state)
{
	struct store *s = *state;

	for (uint32_t i = 0; i < 5000; i++)
		put(s, 0, 1 + i % 3);
	assert_int_equal(unload(s), 0);
	assert_true(rows(s, 'O') > 5);
	/* With every page gone it still opens: nothing but the head is read. */
	struct kv_batch *b;
	assert_int_equal(kv_batch_new(&b), 0);
	kv_batch_delete_prefix(b, KV_MAP, "O", 1);
	kv_batch_delete_prefix(b, KV_MAP, "C", 1);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	load(s);
	assert_int_equal(objects(s), 5000);
	assert_int_equal(read_any(s), -EBADMSG);
	assert_non_null(strstr(err_text(-EBADMSG), "cannot be told"));
}

static void there_is_no_volume_that_was_not_created(void **state)
{
	struct store *s = *state;
	struct volume_attr attr = { .id = 12345 };
	struct volume_stat st;
	struct volume *v;

	assert_int_equal(volume_open(s->shelf, &attr, &v), -ENOENT);
	assert_int_equal(volume_peek(s->kv, 12345, &st), -ENOENT);
}

static void a_record_has_1_byte_to_16_mebibytes_less_one(void **state)
{
	struct store *s = *state;
	uint8_t *p = calloc(1, TAPE_RECORD_MAX + 1);

	assert_int_equal(volume_append_record(s->vol, 0, p, 0), -EINVAL);
	assert_int_equal(volume_append_record(s->vol, 0, p, TAPE_RECORD_MAX + 1), -EINVAL);
	assert_int_equal(volume_append_record(s->vol, 0, p, TAPE_RECORD_MAX), 0);
	assert_int_equal(volume_append_record(s->vol, 0, p, 1), 0);
	assert_int_equal(volume_append_record(s->vol, 1, p, 1), -EINVAL);
	free(p);
	assert_int_equal(objects(s), 2);
}

static void capacity(struct store *s, uint64_t bytes)
{
	s->attr.capacity_bytes = bytes;
	volume_set_attr(s->vol, &s->attr);
}

static void early_warning_comes_with_a_tenth_left(void **state)
{
	struct store *s = *state;

	capacity(s, 1000);
	put(s, 0, 899);
	assert_false(drive_at_early_warning(s->drive) && objects(s) != 1);
	put(s, 0, 1);
	assert_true(drive_at_early_warning(s->drive));
	assert_int_equal(try_put(s, 0, 50), TAPE_E_EARLY_WARNING);
	assert_int_equal(drive_write_filemarks(s->drive, 1, false), TAPE_E_EARLY_WARNING);
	assert_int_equal(try_put(s, 0, 51), TAPE_E_FULL);
	assert_int_equal(try_put(s, 0, 50), TAPE_E_EARLY_WARNING);
	assert_int_equal(try_put(s, 0, 1), TAPE_E_FULL);
	assert_int_equal(drive_write_filemarks(s->drive, 1, false), TAPE_E_EARLY_WARNING);
	assert_int_equal(objects(s), 6);
}

static void of_a_large_tape_no_more_than_64_mebibytes_are_warned_of(void **state)
{
	struct store *s = *state;
	const uint64_t tib = 1ull << 40;
	const struct tape_tally before = { 1, 0, tib - (64u << 20) - 1, 0 }, behind = { 1, 0, tib - (64u << 20), 0 };

	capacity(s, tib);
	assert_int_equal(volume_room(s->vol, 0, &before, 1), 0);
	assert_int_equal(volume_room(s->vol, 0, &behind, 1), TAPE_E_EARLY_WARNING);
}

static void partitions_share_the_capacity(void **state)
{
	struct store *s = *state;

	capacity(s, 1000);
	assert_int_equal(drive_format(s->drive, 2), 0);
	assert_int_equal(try_put(s, 0, 501), TAPE_E_FULL);
	assert_int_equal(try_put(s, 0, 500), TAPE_E_EARLY_WARNING);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	put(s, 0, 450);
}

/* Before anything is acknowledged that could not be stored. */
static void a_full_disk_is_a_full_tape(void **state)
{
	struct store *s = *state;

	packs_mem_set_space(s->packs, 24u << 20, 1u << 30);
	assert_int_equal(try_put(s, 1, 100), TAPE_E_EARLY_WARNING);
	packs_mem_set_space(s->packs, 10u << 20, 1u << 30);
	assert_int_equal(try_put(s, 2, 100), TAPE_E_FULL);
	assert_int_equal(objects(s), 1);
	/* What was written can be finished. */
	assert_int_equal(drive_write_filemarks(s->drive, 1, false), 0);
	packs_mem_set_space(s->packs, 1u << 30, 1u << 30);
	put(s, 3, 100);
}

static void a_protected_volume_takes_nothing_and_loses_nothing(void **state)
{
	struct store *s = *state;

	put(s, 1, 100);
	mark(s);
	s->attr.protect = true;
	volume_set_attr(s->vol, &s->attr);
	assert_int_equal(try_put(s, 2, 10), TAPE_E_PROTECTED);
	assert_int_equal(drive_write_filemarks(s->drive, 1, false), TAPE_E_PROTECTED);
	rewind_tape(s);
	assert_int_equal(try_put(s, 2, 10), TAPE_E_PROTECTED);
	assert_int_equal(drive_erase(s->drive), TAPE_E_PROTECTED);
	assert_int_equal(drive_format(s->drive, 2), TAPE_E_PROTECTED);
	assert_int_equal(volume_truncate(s->vol, 0, 0), TAPE_E_PROTECTED);
	assert_int_equal(objects(s), 2);
	assert_record(s, 1, 100);
}

static void another_compression_begins_with_the_next_record(void **state)
{
	struct store *s = *state;

	put(s, 1, 50000);
	s->attr.store.codec = CHUNK_ZSTD;
	volume_set_attr(s->vol, &s->attr);
	put(s, 2, 50000);
	mark(s);
	rewind_tape(s);
	assert_record(s, 1, 50000);
	assert_record(s, 2, 50000);
}

static void the_costs_of_a_tape_are_told(void **state)
{
	struct store *s = *state;
	struct volume_stat st;

	for (int i = 0; i < 2; i++) {	/* the same file twice: new once */
		put(s, 1, 60000);
		put(s, 2, 60000);
		mark(s);
	}
	volume_stat(s->vol, &st);
	assert_int_equal(st.end.bytes, 240000);
	assert_int_equal(st.end.marks, 2);
	assert_int_equal(st.unique_bytes, 120000);
	assert_in_range(st.stored_bytes, 120000, 130000);	/* random bytes, and headers */
	assert_true(st.begun_ns && st.written_ns >= st.begun_ns && !st.ended_ns);
}

static void equal_records_cost_one_run(void **state)
{
	struct store *s = *state;

	for (int i = 0; i < 20000; i++)
		put(s, i % 2, 10);
	mark(s);
	assert_int_equal(rows(s, 'O'), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(look_ups_agree_with_what_was_written),
		with_store(a_partition_that_is_not_there_is_refused_everywhere),
		with_store(a_search_finds_every_place),
		with_store(files_are_found_by_number),
		with_store(opening_reads_the_same_however_long_the_tape),
		with_store(there_is_no_volume_that_was_not_created),
		with_store(a_record_has_1_byte_to_16_mebibytes_less_one),
		with_store(early_warning_comes_with_a_tenth_left),
		with_store(of_a_large_tape_no_more_than_64_mebibytes_are_warned_of),
		with_store(partitions_share_the_capacity),
		with_store(a_full_disk_is_a_full_tape),
		with_store(a_protected_volume_takes_nothing_and_loses_nothing),
		with_store(another_compression_begins_with_the_next_record),
		with_store(the_costs_of_a_tape_are_told),
		with_store(equal_records_cost_one_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
