/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_index and pack_set: found, dropped, bounded; damaged chunks in order. */
#include "rig.h"

#include "chunk/index.h"
#include "chunk/pack_set.h"

static struct pack_entry entry_of(uint64_t n)
{
	struct pack_entry e = { .raw_len = 100, .stored_len = 50 };

	for (unsigned i = 0; i < 4; i++)
		put_le64(e.digest.b + 8 * i, (n + i) * 0x9e3779b97f4a7c15u);
	return e;
}

static struct table *table_of(uint64_t number, uint32_t count)
{
	struct table *t = table_new(number, TABLE_SEALED);

	assert_non_null(t);
	for (uint32_t i = 0; i < count; i++) {
		struct pack_entry e = entry_of(number * 1000000 + i);

		OK(table_reserve(t));
		OK(table_reserve(t));	/* asking twice makes room once */
		table_add(t, &e, false);
	}
	return t;
}

static struct slot *find(struct index *ix, uint64_t n)
{
	struct pack_entry e = entry_of(n);

	return index_find(ix, &e.digest);
}

static void chunks_are_found_while_their_table_is_there(void **state)
{
	struct index ix;
	struct table *a = table_of(1, 700), *b = table_of(1 + INDEX_TABLE_BUCKETS, 300);

	OK(index_init(&ix));
	index_add_table(&ix, a);
	index_add_table(&ix, b);
	for (uint32_t i = 0; i < 700; i++) {
		struct slot *s = find(&ix, 1000000 + i);

		assert_non_null(s);
		assert_ptr_equal(s->table, a);
		assert_int_equal(s->number, i);
	}
	assert_null(find(&ix, 1000000 + 700));
	assert_ptr_equal(index_table(&ix, 1), a);
	assert_ptr_equal(index_table(&ix, 1 + INDEX_TABLE_BUCKETS), b);
	assert_null(index_table(&ix, 2));
	index_remove_table(&ix, a);
	table_free(a);
	assert_null(find(&ix, 1000000));
	assert_non_null(find(&ix, (1 + INDEX_TABLE_BUCKETS) * 1000000ull + 299));
	assert_int_equal(ix.cached, 300);
	index_fini(&ix);
}

static void half_a_digest_is_no_hit(void **state)
{
	struct index ix;
	struct pack_entry e = entry_of(1000000);

	OK(index_init(&ix));
	index_add_table(&ix, table_of(1, 1));
	for (unsigned i = 0; i < 32; i++) {
		e.digest.b[i] ^= 0x80;
		assert_null(index_find(&ix, &e.digest));
		e.digest.b[i] ^= 0x80;
	}
	assert_non_null(index_find(&ix, &e.digest));
	index_fini(&ix);
}

static void memory_is_bounded_and_the_least_used_goes(void **state)
{
	struct index ix;
	unsigned there = 0;

	OK(index_init(&ix));
	for (uint64_t n = 1; n <= 100; n++) {
		index_add_table(&ix, table_of(n, 5000));
		/* Table 1 is hit all the time. */
		assert_non_null(find(&ix, 1000000));
		assert_true(ix.cached <= INDEX_SLOTS_MAX);
	}
	for (uint64_t n = 1; n <= 100; n++)
		there += index_table(&ix, n) != NULL;
	assert_int_equal(there, INDEX_SLOTS_MAX / 5000);
	assert_non_null(index_table(&ix, 1));
	assert_null(index_table(&ix, 2));
	assert_non_null(index_table(&ix, 100));
	index_fini(&ix);
}

static void a_shunned_table_is_no_target(void **state)
{
	struct index ix;
	struct table *old = table_of(1, 10), *t = table_new(2, TABLE_SEALED);
	struct pack_entry e = entry_of(1000003);

	OK(index_init(&ix));
	index_add_table(&ix, old);
	OK(table_reserve(t));
	table_add(t, &e, false);
	index_add_table(&ix, t);
	/* The newest place wins; if it must not be shared, the older one does. */
	assert_ptr_equal(find(&ix, 1000003)->table, t);
	t->shunned = true;
	assert_ptr_equal(find(&ix, 1000003)->table, old);
	old->shunned = true;
	assert_null(find(&ix, 1000003));
	index_fini(&ix);
}

static void a_damaged_chunk_is_no_target_even_in_a_table_read_later(void **state)
{
	struct index ix;
	bool news;

	OK(index_init(&ix));
	index_add_table(&ix, table_of(1, 600));
	for (uint32_t i = 0; i < 600; i += 7) {
		OK(index_mark_bad(&ix, (struct pack_ref){ 1, 599 - i }, &news));
		assert_true(news);
		OK(index_mark_bad(&ix, (struct pack_ref){ 3, i }, &news));
		assert_true(news);
		OK(index_mark_bad(&ix, (struct pack_ref){ 1, 599 - i }, &news));
		assert_false(news);
	}
	index_add_table(&ix, table_of(3, 600));
	index_add_table(&ix, table_of(2, 600));
	for (uint32_t i = 0; i < 600; i++) {
		assert_int_equal(find(&ix, 1000000 + i) == NULL, (599 - i) % 7 == 0);
		assert_int_equal(find(&ix, 3000000 + i) == NULL, i % 7 == 0);
		assert_non_null(find(&ix, 2000000 + i));
	}
	index_forget_bad(&ix, 1);
	assert_false(index_is_bad(&ix, (struct pack_ref){ 1, 599 }));
	assert_true(index_is_bad(&ix, (struct pack_ref){ 3, 0 }));
	index_fini(&ix);
}

static void a_set_holds_what_was_put_in(void **state)
{
	struct pack_set s = { NULL, 0, 0 }, t = { NULL, 0, 0 };

	assert_false(pack_set_has(&s, 0));
	for (uint64_t n = 0; n < 5000; n++) {
		OK(pack_set_add(&s, n * n));
		OK(pack_set_add(&s, n * n));
	}
	assert_int_equal(s.count, 5000);
	OK(pack_set_add(&t, 3));
	OK(pack_set_merge(&t, &s));
	assert_int_equal(t.count, 5001);
	for (uint64_t n = 0; n < 5000; n++) {
		assert_true(pack_set_has(&t, n * n));
		assert_false(pack_set_has(&s, n * n + 2 * n + 2));
	}
	pack_set_fini(&s);
	assert_false(pack_set_has(&s, 4));
	pack_set_fini(&t);
}

static void rows_come_back_as_they_were(void **state)
{
	uint8_t value[INDEX_VALUE_LEN], key[PACK_KEY_LEN], bad[BAD_KEY_LEN], tally[PACK_TALLY_LEN], totals[TOTALS_LEN];
	struct pack_ref ref = { 0xabcdef012345, 0x12345678 }, got;
	struct digest d = { .b = { [15] = 1, [16] = 2, [17] = 3, [20] = 4, [21] = 5 } };
	struct lost_chunk l = { .part = { [20] = 9 }, .raw_len = 0x0a0b0c }, l2;
	struct index_value v;
	uint8_t lost[LOST_LEN];
	struct pack_tally t = { 7, 1ull << 40, 3 }, t2;
	struct chunk_totals a = { 1, 2, 3, 4 }, a2;
	uint64_t number;
	uint32_t slots;

	index_value_pack(value, ref, 0x0a0b0c, &d);
	assert_memory_equal(value, "\x45\x23\x01\xef\xcd\xab\x78\x56\x34\x12\x0c\x0b\x0a\x02\x03\0\0\x04", 18);
	OK(index_value_unpack(value, sizeof(value), &v));
	assert_int_equal(v.ref.pack, ref.pack);
	assert_int_equal(v.ref.slot, ref.slot);
	assert_int_equal(v.raw_len, 0x0a0b0c);
	assert_memory_equal(v.mac, d.b + 16, INDEX_MAC_LEN);
	pack_key_pack(key, PACK_KEY_OPEN, 0x1234);
	assert_memory_equal(key, "O\0\0\0\0\0\0\x12\x34", 9);
	OK(pack_key_unpack(key, sizeof(key), PACK_KEY_OPEN, &number));
	assert_int_equal(number, 0x1234);
	assert_int_equal(pack_key_unpack(key, sizeof(key), PACK_KEY_SEALED, &number), -EUCLEAN);
	OK(open_key_unpack(key, sizeof(key), &number, &slots));
	assert_int_equal(slots, 0);
	open_key_pack(bad, 0x1234, 7);
	assert_memory_equal(bad, "O\0\0\0\0\0\0\x12\x34\0\0\0\x07", 13);
	OK(open_key_unpack(bad, sizeof(bad), &number, &slots));
	assert_int_equal(number, 0x1234);
	assert_int_equal(slots, 7);
	assert_int_equal(open_key_unpack(bad, sizeof(bad) - 1, &number, &slots), -EUCLEAN);
	bad_key_pack(bad, ref);
	OK(bad_key_unpack(bad, sizeof(bad), &got));
	assert_int_equal(got.pack, ref.pack);
	assert_int_equal(got.slot, ref.slot);
	lost_key_pack(bad, ref);
	OK(lost_key_unpack(bad, sizeof(bad), &got));
	assert_int_equal(got.slot, ref.slot);
	assert_int_equal(bad_key_unpack(bad, sizeof(bad), &got), -EUCLEAN);
	lost_chunk_pack(lost, &l);
	assert_memory_equal(lost + 20, "\x09\x0c\x0b\x0a", 4);
	OK(lost_chunk_unpack(lost, sizeof(lost), &l2));
	assert_memory_equal(l.part, l2.part, sizeof(l.part));
	assert_int_equal(l2.raw_len, l.raw_len);
	pack_tally_pack(tally, &t);
	OK(pack_tally_unpack(tally, sizeof(tally), &t2));
	assert_int_equal(t2.chunks, 7);
	assert_int_equal(t2.raw_bytes, 1ull << 40);
	assert_int_equal(t2.file_bytes, 3);
	totals_pack(totals, &a);
	OK(totals_unpack(totals, sizeof(totals), &a2));
	assert_memory_equal(&a, &a2, sizeof(a));
}

static void the_row_of_a_pack_may_have_lengths(void **state)
{
	struct pack_tally t = { 2, 66000, 500 }, t2;
	uint8_t row[PACK_TALLY_LEN + 7] = { 0 };

	pack_tally_pack(row, &t);
	memcpy(row + PACK_TALLY_LEN, "\x01\x02\x03\xff\xff\xff", 6);
	OK(pack_tally_unpack(row, PACK_TALLY_LEN + 6, &t2));
	assert_int_equal(t2.chunks, 2);
	assert_int_equal(pack_tally_len(row, PACK_TALLY_LEN + 6, 0), 0x030201);
	assert_int_equal(pack_tally_len(row, PACK_TALLY_LEN + 6, 1), 0);	/* longer than a chunk can be */
	assert_int_equal(pack_tally_len(row, PACK_TALLY_LEN + 6, 2), 0);
	assert_int_equal(pack_tally_len(row, PACK_TALLY_LEN, 0), 0);
	assert_int_equal(pack_tally_unpack(row, PACK_TALLY_LEN + 5, &t2), -EUCLEAN);
	assert_int_equal(pack_tally_unpack(row, PACK_TALLY_LEN + 7, &t2), -EUCLEAN);
}

static void malformed_rows_are_refused(void **state)
{
	uint8_t bytes[64] = { 0 };
	struct index_value v;
	struct pack_ref ref;
	struct pack_tally t;
	struct chunk_totals a;
	uint64_t number;

	for (size_t n = 0; n < sizeof(bytes); n++) {
		/* A chunk of no bytes, version 0 and kind 0 are nobody's, at any length. */
		assert_int_equal(index_value_unpack(bytes, n, &v), -EUCLEAN);
		assert_int_equal(pack_key_unpack(bytes, n, PACK_KEY_SEALED, &number), -EUCLEAN);
		assert_int_equal(bad_key_unpack(bytes, n, &ref), -EUCLEAN);
		assert_int_equal(lost_key_unpack(bytes, n, &ref), -EUCLEAN);
		assert_int_equal(lost_chunk_unpack(bytes, n, &(struct lost_chunk){ .raw_len = 0 }), -EUCLEAN);
		assert_int_equal(pack_tally_unpack(bytes, n, &t), -EUCLEAN);
		assert_int_equal(totals_unpack(bytes, n, &a), -EUCLEAN);
	}
	bytes[0] = 'P';
	bytes[1] = 1;	/* beyond 2^48 */
	assert_int_equal(pack_key_unpack(bytes, PACK_KEY_LEN, PACK_KEY_SEALED, &number), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_are_found_while_their_table_is_there),
		cmocka_unit_test(half_a_digest_is_no_hit),
		cmocka_unit_test(memory_is_bounded_and_the_least_used_goes),
		cmocka_unit_test(a_shunned_table_is_no_target),
		cmocka_unit_test(a_damaged_chunk_is_no_target_even_in_a_table_read_later),
		cmocka_unit_test(a_set_holds_what_was_put_in),
		cmocka_unit_test(rows_come_back_as_they_were),
		cmocka_unit_test(the_row_of_a_pack_may_have_lengths),
		cmocka_unit_test(malformed_rows_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
