/* SPDX-License-Identifier: BSD-2-Clause */
/* volume_reader: any byte of the stream, whoever wrote it when. */
#include "unit/tape/tape_store.h"

/* Byte @i of the stream of @records records of @n bytes. */
static void stream_fill(uint8_t *out, unsigned records, size_t n)
{
	for (unsigned i = 0; i < records; i++)
		chance_fill(out + i * n, n, i);
}

static void any_span_of_the_stream_is_read(void **state)
{
	struct store *s = *state;
	static uint8_t want[100 * 777], got[sizeof(want)];
	struct volume_reader *r;
	uint64_t chance = 1;

	stream_fill(want, 100, 777);
	for (unsigned i = 0; i < 100; i++) {
		put(s, i, 777);
		if (i % 10 == 0)
			mark_immed(s);
	}
	assert_int_equal(volume_reader_new(s->vol, 0, &r), 0);
	for (int i = 0; i < 2000; i++) {
		size_t at = chance_below(&chance, sizeof(want)), n = chance_below(&chance, sizeof(want) - at + 1);

		assert_int_equal(volume_reader_read(r, at, got, n), 0);
		assert_memory_equal(got, want + at, n);
	}
	volume_reader_free(r);
}

static void behind_the_end_there_is_nothing(void **state)
{
	struct store *s = *state;
	struct volume_reader *r;
	uint8_t b[101];

	assert_int_equal(volume_reader_new(s->vol, 1, &r), -EINVAL);
	assert_int_equal(volume_reader_new(s->vol, 0, &r), 0);
	assert_int_equal(volume_reader_read(r, 0, b, 0), 0);
	assert_int_equal(volume_reader_read(r, 0, b, 1), -ERANGE);
	put(s, 1, 100);
	assert_int_equal(volume_reader_read(r, 0, b, 100), 0);
	assert_int_equal(volume_reader_read(r, 0, b, 101), -ERANGE);
	assert_int_equal(volume_reader_read(r, 101, b, 0), -ERANGE);
	assert_int_equal(volume_reader_read(r, UINT64_MAX, b, 2), -ERANGE);
	volume_reader_free(r);
}

/* What it read ahead before the cut is not what is there after it. */
static void a_reader_forgets_when_the_tape_is_cut(void **state)
{
	struct store *s = *state;
	static uint8_t want[50000], got[50000];
	struct volume_reader *r;

	for (unsigned i = 0; i < 5; i++)
		put(s, i, 10000);
	mark(s);
	assert_int_equal(volume_reader_new(s->vol, 0, &r), 0);
	for (size_t at = 0; at < 10000; at += 1000)
		assert_int_equal(volume_reader_read(r, at, got, 1000), 0);
	locate(s, 1);
	for (unsigned i = 6; i < 10; i++)
		put(s, i, 10000);
	mark(s);
	chance_fill(want, 10000, 0);
	for (unsigned i = 6; i < 10; i++)
		chance_fill(want + (i - 5) * 10000, 10000, i);
	for (size_t at = 0; at < 50000; at += 1000)
		assert_int_equal(volume_reader_read(r, at, got + at, 1000), 0);
	assert_memory_equal(got, want, 50000);
	volume_reader_free(r);
}

/* Pages of the map damaged in the database are an error with words, not wrong bytes. */
static void a_damaged_map_is_told(void **state)
{
	struct store *s = *state;
	struct kv_iter *it;
	struct kv_batch *b;
	struct volume_reader *r;
	uint8_t got[100], bad[64];
	size_t n;

	put(s, 1, 100);
	mark(s);
	assert_int_equal(unload(s), 0);
	assert_int_equal(kv_iter_new(s->kv, KV_MAP, &it), 0);
	kv_iter_seek(it, "C", 1);
	const uint8_t *v = kv_iter_value(it, &n);
	memcpy(bad, v, n);
	bad[n / 2] ^= 4;
	const uint8_t *k = kv_iter_key(it, &n);
	size_t vlen;
	kv_iter_value(it, &vlen);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, k, n, bad, vlen), 0);
	kv_iter_free(it);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	load(s);
	assert_int_equal(volume_reader_new(s->vol, 0, &r), 0);
	assert_int_equal(volume_reader_read(r, 0, got, 100), -EBADMSG);
	assert_non_null(strstr(err_text(-EBADMSG), "checksum"));
	volume_reader_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(any_span_of_the_stream_is_read),
		with_store(behind_the_end_there_is_nothing),
		with_store(a_reader_forgets_when_the_tape_is_cut),
		with_store(a_damaged_map_is_told),
		cmocka_unit_test_setup_teardown(any_span_of_the_stream_is_read, store_new_threads, store_free),
		cmocka_unit_test_setup_teardown(a_reader_forgets_when_the_tape_is_cut, store_new_threads, store_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
