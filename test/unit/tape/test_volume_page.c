/* SPDX-License-Identifier: BSD-2-Clause */
/* volume_page: runs join, are found, are cut. */
#include "unit/tape/tape_store.h"

static const struct tape_tally start = { 0 };

static void equal_objects_are_one_run(void **state)
{
	struct page *p = page_new(PAGE_OBJECTS, 1, &start);

	for (int i = 0; i < 100000; i++)
		assert_int_equal(page_add_object(p, 4096, 1), 0);
	assert_int_equal(p->runs, 1);
	assert_int_equal(page_add_object(p, 0, 2), 0);
	assert_int_equal(page_add_object(p, 4095, 1), 0);
	assert_int_equal(p->runs, 3);
	assert_int_equal(p->end.objects, 100003);
	assert_int_equal(p->end.marks, 2);
	assert_int_equal(p->end.bytes, 100000 * 4096ull + 4095);
	assert_int_equal(p->end.odd, 1);
	page_free(p);
}

static void every_object_is_found_in_its_run(void **state)
{
	struct page *p = page_new(PAGE_OBJECTS, 1, &(struct tape_tally){ 50, 5, 500, 5 });

	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(page_add_object(p, i % 3, 1 + i % 4), 0);
	for (uint64_t o = 50; o < p->end.objects; o++) {
		const struct object_run *run = &p->object[page_seek(p, o)];

		assert_true(run->at.objects <= o && o < run->at.objects + run->count);
	}
	page_free(p);
}

static void neighbouring_chunks_join_unless_told_otherwise(void **state)
{
	struct page *p = page_new(PAGE_CHUNKS, 1, &start);
	struct chunk_run run = { .pack = 3, .slot = 7, .slots = 1, .bytes = 100 };

	assert_int_equal(page_add_chunk(p, &run, true), 0);
	run.slot = 8;
	assert_int_equal(page_add_chunk(p, &run, true), 0);
	assert_int_equal(p->runs, 1);
	assert_int_equal(p->chunk[0].slots, 2);
	run.slot = 9;
	assert_int_equal(page_add_chunk(p, &run, false), 0);
	assert_int_equal(p->runs, 2);
	run.slot = 11;
	assert_int_equal(page_add_chunk(p, &run, true), 0);
	run.slot = 12;
	run.pack = 4;
	assert_int_equal(page_add_chunk(p, &run, true), 0);
	assert_int_equal(p->runs, 4);
	assert_int_equal(p->end.bytes, 500);
	page_free(p);
}

static void a_clip_cuts_inside_a_run(void **state)
{
	struct page *p = page_new(PAGE_OBJECTS, 1, &start);
	struct tape_tally at;

	page_add_object(p, 10, 5);
	page_add_object(p, 0, 5);
	page_add_object(p, 20, 5);
	p->dirty = false;
	at = object_run_tally(&p->object[1], 2);
	page_clip(p, &at);
	assert_int_equal(p->runs, 2);
	assert_int_equal(p->object[1].count, 2);
	assert_memory_equal(&p->end, &at, sizeof(at));
	assert_true(p->dirty);
	/* It goes on where it was cut. */
	page_add_object(p, 0, 1);
	assert_int_equal(p->object[1].count, 3);
	page_clip(p, &start);
	assert_int_equal(p->runs, 0);
	page_free(p);
}

static void a_clip_behind_the_end_changes_nothing(void **state)
{
	struct page *p = page_new(PAGE_OBJECTS, 1, &start);

	page_add_object(p, 10, 5);
	p->dirty = false;
	page_clip(p, &(struct tape_tally){ 5, 0, 50, 0 });
	page_clip(p, &(struct tape_tally){ 9, 0, 90, 0 });
	assert_int_equal(p->end.objects, 5);
	assert_false(p->dirty);
	page_free(p);
}

static void a_full_page_packs_into_some_four_kibibytes(void **state)
{
	struct page *p = page_new(PAGE_CHUNKS, 1, &start);
	struct buf b = BUF_INIT;

	for (uint64_t i = 0; !page_full(p); i++) {
		struct chunk_run run = { .pack = (i * 2654435761u) % PACK_NUMBER_MAX, .slot = (uint32_t)i * 7919,
					 .slots = 1, .bytes = PACK_CHUNK_MAX };

		assert_int_equal(page_add_chunk(p, &run, true), 0);
	}
	assert_int_equal(page_pack(p, &b), 0);
	assert_in_range(b.len, 2000, 4200);
	assert_true(p->runs <= PAGE_RUNS_MAX);
	page_free(p);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_objects_are_one_run),
		cmocka_unit_test(every_object_is_found_in_its_run),
		cmocka_unit_test(neighbouring_chunks_join_unless_told_otherwise),
		cmocka_unit_test(a_clip_cuts_inside_a_run),
		cmocka_unit_test(a_clip_behind_the_end_changes_nothing),
		cmocka_unit_test(a_full_page_packs_into_some_four_kibibytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
