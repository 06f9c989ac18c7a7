/* SPDX-License-Identifier: BSD-2-Clause */
/* volume_format: what is packed comes back; what is damaged or made up is refused. */
#include "unit/tape/tape_store.h"

static void put_stretch(struct head_partition *p, uint64_t objects, uint64_t bytes)
{
	const struct stretch s = { objects + 11, objects + 12, { objects, 0, bytes, 0 } };

	assert_int_equal(head_partition_push(p, &s), 0);
}

static struct head a_head(void)
{
	struct head h = { .generation = 3, .begun_ns = 1, .written_ns = 2, .ended_ns = 4,
			  .unique_bytes = 5, .stored_bytes = 6, .partitions = 2 };

	put_stretch(&h.part[0], 0, 0);
	put_stretch(&h.part[0], 10, 1000);
	h.part[0].end = (struct tape_tally){ 20, 4, 3000, 1 };
	return h;
}

static void a_head_comes_back(void **state)
{
	struct head h = a_head(), got = { 0 };
	struct buf b = BUF_INIT;

	assert_int_equal(head_pack(&h, &b), 0);
	assert_int_equal(head_unpack(b.data, b.len, 3, &got), 0);
	assert_int_equal(got.generation, 3);
	assert_int_equal(got.ended_ns, 4);
	assert_int_equal(got.stored_bytes, 6);
	assert_int_equal(got.partitions, 2);
	assert_int_equal(got.part[0].stretches, 2);
	assert_memory_equal(got.part[0].stretch, h.part[0].stretch, 2 * sizeof(struct stretch));
	assert_memory_equal(&got.part[0].end, &h.part[0].end, sizeof(struct tape_tally));
	assert_int_equal(got.part[1].stretches, 0);
	head_fini(&got);
	head_fini(&h);
	buf_fini(&b);
}

static void sizes_of_partitions_come_back_if_one_counts(void **state)
{
	struct head h = a_head(), got = { 0 };
	struct buf plain = BUF_INIT, b = BUF_INIT;

	assert_int_equal(head_pack(&h, &plain), 0);
	h.size[1] = 1ull << 40;
	assert_int_equal(head_pack(&h, &b), 0);
	assert_int_equal(b.len, plain.len + 16);
	assert_int_equal(head_unpack(b.data, b.len, 3, &got), 0);
	assert_int_equal(got.size[0], 0);
	assert_int_equal(got.size[1], 1ull << 40);
	head_fini(&got);
	/* None that counts: such a head is never written. */
	memset(b.data + b.len - 24, 0, 16);
	put_le64(b.data + b.len - 8, sum64(b.data, b.len - 8));
	assert_int_equal(head_unpack(b.data, b.len, 3, &got), -EUCLEAN);
	head_fini(&h);
	buf_fini(&plain);
	buf_fini(&b);
}

static void a_damaged_head_is_refused_wherever_the_damage_is(void **state)
{
	struct head h = a_head(), got = { 0 };
	struct buf b = BUF_INIT;

	assert_int_equal(head_pack(&h, &b), 0);
	for (size_t i = 0; i < b.len; i++) {
		b.data[i] ^= 0x10;
		assert_int_equal(head_unpack(b.data, b.len, 3, &got), -EBADMSG);
		b.data[i] ^= 0x10;
		assert_true(head_unpack(b.data, i, 3, &got) < 0);
	}
	head_fini(&h);
	buf_fini(&b);
}

/* The sum is right, the content is not. */
static void a_head_that_contradicts_itself_is_refused(void **state)
{
	static const struct { struct tape_tally from, end; unsigned partitions; } bad[] = {
		{ { 1, 0, 1, 0 }, { 5, 0, 50, 0 }, 1 },		/* does not begin at the beginning */
		{ { 0, 0, 0, 0 }, { 5, 6, 50, 0 }, 1 },		/* more marks than objects */
		{ { 0, 0, 0, 0 }, { 5, 0, 4, 0 }, 1 },		/* fewer bytes than records */
		{ { 0, 0, 0, 0 }, { 5, 0, 50, 6 }, 1 },		/* more odd records than records */
		{ { 0, 0, 0, 0 }, { 1, 0, 1u << 24, 0 }, 1 },	/* a record too long */
		{ { 0, 0, 0, 0 }, { 5, 0, 50, 0 }, 0 },
		{ { 0, 0, 0, 0 }, { 5, 0, 50, 0 }, 5 },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct head h = { .partitions = bad[i].partitions }, got = { 0 };
		struct stretch s = { 1, 2, bad[i].from };
		struct buf b = BUF_INIT;

		assert_int_equal(head_partition_push(&h.part[0], &s), 0);
		h.part[0].end = bad[i].end;
		h.partitions = bad[i].partitions > TAPE_PARTITIONS_MAX ? 1 : bad[i].partitions;
		assert_int_equal(head_pack(&h, &b), 0);
		if (bad[i].partitions > TAPE_PARTITIONS_MAX) {
			uint64_t sum;

			b.data[1 + 5 * 8] = (uint8_t)bad[i].partitions;
			sum = sum64(b.data, b.len - 8);
			b.len -= 8;
			assert_int_equal(buf_put_le64(&b, sum), 0);
		}
		assert_int_equal(head_unpack(b.data, b.len, 1, &got), -EUCLEAN);
		head_fini(&h);
		buf_fini(&b);
	}
}

static struct page *a_page_of_objects(void)
{
	struct page *p = page_new(PAGE_OBJECTS, 99, &(struct tape_tally){ 100, 10, 9000, 3 });

	assert_int_equal(page_add_object(p, 0, 1), 0);
	assert_int_equal(page_add_object(p, TAPE_RECORD_MAX, 1u << 20), 0);
	assert_int_equal(page_add_object(p, 1, 7), 0);
	return p;
}

static struct page *a_page_of_chunks(void)
{
	struct page *p = page_new(PAGE_CHUNKS, 99, &(struct tape_tally){ .bytes = 1ull << 40 });
	const struct chunk_run runs[] = {
		{ .pack = 5, .slot = 0, .slots = 3, .bytes = 9000 },
		{ .pack = PACK_NUMBER_MAX, .slot = 70000, .slots = 1, .bytes = PACK_CHUNK_MAX },
		{ .pack = 4, .slot = 9, .slots = 2, .bytes = 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		assert_int_equal(page_add_chunk(p, &runs[i], true), 0);
	return p;
}

static void pages_come_back(void **state)
{
	struct page *page[] = { a_page_of_objects(), a_page_of_chunks() }, *got;

	for (size_t i = 0; i < ARRAY_LEN(page); i++) {
		struct page *p = page[i];
		uint64_t first = tally_measure(&p->from, p->kind);
		struct buf b = BUF_INIT;

		assert_int_equal(page_pack(p, &b), 0);
		assert_int_equal(page_unpack(b.data, b.len, p->kind, 99, first, &got), 0);
		assert_int_equal(got->runs, 3);
		assert_memory_equal(&got->from, &p->from, sizeof(p->from));
		assert_memory_equal(&got->end, &p->end, sizeof(p->end));
		if (p->kind == PAGE_OBJECTS)
			assert_memory_equal(got->object, p->object, 3 * sizeof(*p->object));
		else
			assert_memory_equal(got->chunk, p->chunk, 3 * sizeof(*p->chunk));
		assert_false(got->dirty);
		page_free(got);
		/* Under another key it is another page's. */
		assert_int_equal(page_unpack(b.data, b.len, p->kind, 98, first, &got), -EUCLEAN);
		assert_int_equal(page_unpack(b.data, b.len, p->kind, 99, first + 1, &got), -EUCLEAN);
		for (size_t at = 0; at < b.len; at++) {
			b.data[at] ^= 1;
			assert_true(page_unpack(b.data, b.len, p->kind, 99, first, &got) < 0);
			b.data[at] ^= 1;
		}
		page_free(p);
		buf_fini(&b);
	}
}

/* A page of one run, sealed as a page is, made of these numbers. */
static int unpack_made_up(enum page_kind kind, const uint64_t *run, size_t n, uint64_t runs)
{
	struct buf b = BUF_INIT;
	struct page *p;
	int r;

	buf_put_u8(&b, 1);
	buf_put_le64(&b, 99);
	for (int i = 0; i < (kind == PAGE_OBJECTS ? 4 : 1); i++)
		buf_put_varint(&b, 0);
	buf_put_varint(&b, runs);
	for (size_t i = 0; i < n; i++)
		buf_put_varint(&b, run[i]);
	buf_put_le64(&b, sum64(b.data, b.len));
	r = page_unpack(b.data, b.len, kind, 99, 0, &p);
	if (!r)
		page_free(p);
	buf_fini(&b);
	return r;
}

static void pages_that_cannot_be_are_refused(void **state)
{
	static const uint64_t objects_bad[][2] = {
		{ 1u << 24, 1 },		/* a record too long */
		{ 5, 0 },			/* no records */
		{ 1u << 23, 1ull << 50 },	/* more bytes than a number holds */
		{ 0, UINT64_MAX },		/* fine once, not twice: see below */
	};
	static const uint64_t chunks_bad[][4] = {
		{ 2ull << 48, 0, 1, 10 },		/* no pack has this number */
		{ 2, 1ull << 32, 1, 10 },		/* no slot */
		{ 2, 0, 0, 10 },			/* bytes without chunks */
		{ 2, 0, 1, 0 },				/* a chunk without bytes */
		{ 2, 0, 1, 2u << 20 },			/* more than a chunk holds */
		{ 2, 5, 0xffffffff, 10 },		/* slots behind the last number */
	};

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(unpack_made_up(PAGE_OBJECTS, objects_bad[i], 2, 1), -EUCLEAN);
	assert_int_equal(unpack_made_up(PAGE_OBJECTS, (uint64_t[]){ 0, UINT64_MAX, 7, 1 }, 4, 2), -EUCLEAN);
	for (size_t i = 0; i < ARRAY_LEN(chunks_bad); i++)
		assert_int_equal(unpack_made_up(PAGE_CHUNKS, chunks_bad[i], 4, 1), -EUCLEAN);
	assert_int_equal(unpack_made_up(PAGE_OBJECTS, (uint64_t[]){ 5, 1 }, 2, 1), 0);
	assert_int_equal(unpack_made_up(PAGE_OBJECTS, (uint64_t[]){ 5, 1 }, 2, 2), -EUCLEAN);	/* ends too early */
	assert_int_equal(unpack_made_up(PAGE_OBJECTS, (uint64_t[]){ 5, 1 }, 2, 0), -EUCLEAN);	/* too late */
	assert_int_equal(unpack_made_up(PAGE_OBJECTS, (uint64_t[]){ 5, 1 }, 2, 1u << 30), -EUCLEAN);
}

static void keys_sort_as_numbers_do(void **state)
{
	struct map_key a = key_page(PAGE_OBJECTS, 5, 255), b = key_page(PAGE_OBJECTS, 5, 256);
	struct map_key c = key_page(PAGE_OBJECTS, 256, 0);
	uint64_t number;

	assert_true(memcmp(a.b, b.b, a.len) < 0);
	assert_true(memcmp(b.b, c.b, b.len) < 0);
	assert_int_equal(key_tail_number(b.b, b.len, &number), 0);
	assert_int_equal(number, 256);
	assert_int_equal(key_tail_number(b.b, 8, &number), -EUCLEAN);
}

static void drops_and_uses_come_back(void **state)
{
	const struct drop d = { .object = 5, .from = 1000, .to = 1ull << 50 };
	struct map_key key = key_drop(77, 5);
	struct buf b = BUF_INIT;
	struct drop got;
	uint64_t map, bytes;

	assert_int_equal(drop_pack(&d, &b), 0);
	assert_int_equal(drop_unpack(key.b, key.len, b.data, b.len, &map, &got), 0);
	assert_int_equal(map, 77);
	assert_memory_equal(&d, &got, sizeof(d));
	assert_int_equal(drop_unpack(key.b, key.len - 1, b.data, b.len, &map, &got), -EUCLEAN);
	b.data[1] ^= 1;
	assert_int_equal(drop_unpack(key.b, key.len, b.data, b.len, &map, &got), -EBADMSG);
	b.len = 0;
	assert_int_equal(use_pack(123, &b), 0);
	assert_int_equal(use_unpack(b.data, b.len, &bytes), 0);
	assert_int_equal(bytes, 123);
	assert_int_equal(use_unpack(b.data, 7, &bytes), -EUCLEAN);
	buf_fini(&b);
}

static void looks_come_back(void **state)
{
	const struct look l = { .live = 1000, .all = 1ull << 25, .used = 1ull << 40 };
	struct buf b = BUF_INIT;
	struct look got;

	assert_int_equal(look_pack(&l, &b), 0);
	assert_int_equal(look_unpack(b.data, b.len, &got), 0);
	assert_memory_equal(&l, &got, sizeof(l));
	for (size_t i = 0; i < b.len; i++) {
		b.data[i] ^= 4;
		assert_int_equal(look_unpack(b.data, b.len, &got), -EBADMSG);
		b.data[i] ^= 4;
	}
	b.len = 0;
	assert_int_equal(look_pack(&(struct look){ .live = 2, .all = 1 }, &b), 0);
	assert_int_equal(look_unpack(b.data, b.len, &got), -EUCLEAN);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_comes_back),
		cmocka_unit_test(sizes_of_partitions_come_back_if_one_counts),
		cmocka_unit_test(a_damaged_head_is_refused_wherever_the_damage_is),
		cmocka_unit_test(a_head_that_contradicts_itself_is_refused),
		cmocka_unit_test(pages_come_back),
		cmocka_unit_test(pages_that_cannot_be_are_refused),
		cmocka_unit_test(keys_sort_as_numbers_do),
		cmocka_unit_test(drops_and_uses_come_back),
		cmocka_unit_test(looks_come_back),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
