/* SPDX-License-Identifier: BSD-2-Clause */
/* What kv.h promises, once through each twin and through a journal; then random operations on both, compared. */
#include "kv_twins.h"

#include <errno.h>
#include <pthread.h>

struct fixture {
	struct kv *kv;
	struct scratch scratch;
	bool rocks;
};

static int setup_mem(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(kv_mem_new(&f->kv), 0);
	*state = f;
	return 0;
}

static int setup_rocks(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->rocks = true;
	scratch_make(&f->scratch);
	assert_int_equal(kv_open(f->scratch.db, true, TEST_CACHE_BYTES, &f->kv), 0);
	*state = f;
	return 0;
}

static int setup_journal(void **state)
{
	struct fixture *f;

	setup_mem(state);
	f = *state;
	assert_int_equal(kv_journal_mem_open(f->kv, &f->kv), 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->kv = kv_close(f->kv);
	if (f->rocks)
		scratch_remove(&f->scratch);
	free(f);
	return 0;
}

static struct kv *kv_of(void **state)
{
	return ((struct fixture *)*state)->kv;
}

static void an_absent_key_is_a_condition(void **state)
{
	struct buf value = BUF_INIT;

	assert_int_equal(buf_append(&value, "old", 3), 0);
	assert_int_equal(kv_get(kv_of(state), KV_INDEX, "k", 1, &value), KV_E_NONE);
	assert_int_equal(value.len, 3);
	assert_int_equal(kv_any(kv_of(state), KV_INDEX, "k", 1), KV_E_NONE);
	assert_int_equal(kv_any(kv_of(state), KV_INDEX, NULL, 0), KV_E_NONE);
	buf_fini(&value);
}

static void a_row_is_read_as_it_was_put(void **state)
{
	write_one(kv_of(state), KV_MAP, "key", "value", false);
	assert_row(kv_of(state), KV_MAP, "key", "value");
	write_one(kv_of(state), KV_MAP, "key", "", true);
	assert_row(kv_of(state), KV_MAP, "key", "");
	assert_row(kv_of(state), KV_MAP, "ke", NULL);
	assert_row(kv_of(state), KV_MAP, "key2", NULL);
}

static void spaces_are_apart(void **state)
{
	for (int s = 0; s < KV_SPACES; s++)
		write_one(kv_of(state), s, "key", (const char *[]){ "a", "b", "c", "d", "e" }[s], false);
	for (int s = 0; s < KV_SPACES; s++)
		assert_row(kv_of(state), s, "key", (const char *[]){ "a", "b", "c", "d", "e" }[s]);
}

static void bytes_of_any_value_make_a_key(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct buf value = BUF_INIT;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_INDEX, "\0\0", 2, "\0", 1), 0);
	assert_int_equal(kv_batch_put(b, KV_INDEX, "\0", 1, "\0\0\0", 3), 0);
	assert_int_equal(kv_batch_put(b, KV_INDEX, "\xff\xff", 2, "x", 1), 0);
	assert_int_equal(kv_write(kv_of(state), b, false), 0);
	assert_int_equal(kv_get(kv_of(state), KV_INDEX, "\0", 1, &value), 0);
	assert_int_equal(value.len, 3);
	assert_int_equal(kv_get(kv_of(state), KV_INDEX, "\0\0", 2, &value), 0);
	assert_int_equal(value.len, 1);
	assert_int_equal(kv_get(kv_of(state), KV_INDEX, "\xff\xff", 2, &value), 0);
	buf_fini(&value);
}

static void the_longest_key_is_kept_and_a_longer_one_refused(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	char key[KV_KEY_MAX + 1];
	struct buf value = BUF_INIT;

	memset(key, 0xff, sizeof(key));
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, key, KV_KEY_MAX + 1, "v", 1), -EINVAL);
	assert_int_equal(kv_batch_count(b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, key, KV_KEY_MAX, "v", 1), 0);
	assert_int_equal(kv_write(kv_of(state), b, false), 0);
	assert_int_equal(kv_get(kv_of(state), KV_MAP, key, KV_KEY_MAX, &value), 0);
	assert_int_equal(kv_any(kv_of(state), KV_MAP, key, KV_KEY_MAX), 0);
	assert_int_equal(kv_any(kv_of(state), KV_MAP, key, KV_KEY_MAX + 1), KV_E_NONE);

	/* Deleting everything reaches it. */
	kv_batch_clear(b);
	assert_int_equal(kv_batch_delete_prefix(b, KV_MAP, NULL, 0), 0);
	assert_int_equal(kv_write(kv_of(state), b, false), 0);
	assert_int_equal(kv_any(kv_of(state), KV_MAP, NULL, 0), KV_E_NONE);
	buf_fini(&value);
}

static void a_later_change_in_a_batch_wins(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;

	write_one(kv_of(state), KV_MAP, "p/old", "1", false);
	assert_int_equal(kv_batch_new(&b), 0);
	put(b, KV_MAP, "p/a", "1");
	put(b, KV_MAP, "p/a", "2");
	put(b, KV_MAP, "gone", "1");
	assert_int_equal(kv_batch_delete(b, KV_MAP, "gone", 4), 0);
	put(b, KV_MAP, "q/lost", "1");
	assert_int_equal(kv_batch_delete_prefix(b, KV_MAP, "q/", 2), 0);
	put(b, KV_MAP, "q/kept", "1");
	assert_int_equal(kv_batch_delete(b, KV_MAP, "never was", 9), 0);
	assert_int_equal(kv_batch_count(b), 8);
	assert_int_equal(kv_write(kv_of(state), b, true), 0);
	assert_row(kv_of(state), KV_MAP, "p/a", "2");
	assert_row(kv_of(state), KV_MAP, "p/old", "1");
	assert_row(kv_of(state), KV_MAP, "gone", NULL);
	assert_row(kv_of(state), KV_MAP, "q/lost", NULL);
	assert_row(kv_of(state), KV_MAP, "q/kept", "1");
}

static void deleting_a_prefix_spares_its_neighbours(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;

	assert_int_equal(kv_batch_new(&b), 0);
	put(b, KV_MAP, "a", "1");
	put(b, KV_MAP, "a\xff", "2");
	put(b, KV_MAP, "a\xff\xff", "3");
	put(b, KV_MAP, "a\xff\xffz", "4");
	put(b, KV_MAP, "b", "5");
	put(b, KV_CATALOG, "a\xff", "6");
	assert_int_equal(kv_write(kv_of(state), b, false), 0);
	kv_batch_clear(b);
	assert_int_equal(kv_batch_count(b), 0);
	assert_int_equal(kv_batch_delete_prefix(b, KV_MAP, "a\xff", 2), 0);
	assert_int_equal(kv_write(kv_of(state), b, false), 0);
	assert_row(kv_of(state), KV_MAP, "a", "1");
	assert_row(kv_of(state), KV_MAP, "a\xff", NULL);
	assert_row(kv_of(state), KV_MAP, "a\xff\xff", NULL);
	assert_row(kv_of(state), KV_MAP, "a\xff\xffz", NULL);
	assert_row(kv_of(state), KV_MAP, "b", "5");
	assert_row(kv_of(state), KV_CATALOG, "a\xff", "6");
	assert_int_equal(kv_any(kv_of(state), KV_MAP, "a\xff", 2), KV_E_NONE);
	assert_int_equal(kv_any(kv_of(state), KV_MAP, "a", 1), 0);
	assert_int_equal(kv_any(kv_of(state), KV_MAP, "", 0), 0);
}

static void assert_key(struct kv_iter *it, const char *want)
{
	const uint8_t *key;
	size_t len;

	assert_int_equal(kv_iter_error(it), 0);
	assert_int_equal(kv_iter_valid(it), want != NULL);
	if (!want)
		return;
	key = kv_iter_key(it, &len);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(key, want, len);
}

static void an_iterator_walks_both_ways(void **state)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	const uint8_t *val;
	size_t len;

	write_one(kv_of(state), KV_PACK, "b", "2", false);
	write_one(kv_of(state), KV_PACK, "a", "1", false);
	write_one(kv_of(state), KV_PACK, "d", "4", false);
	write_one(kv_of(state), KV_PACK, "ab", "1b", false);
	assert_int_equal(kv_iter_new(kv_of(state), KV_PACK, &it), 0);

	kv_iter_seek(it, NULL, 0);
	assert_key(it, "a");
	kv_iter_next(it);
	assert_key(it, "ab");
	val = kv_iter_value(it, &len);
	assert_int_equal(len, 2);
	assert_memory_equal(val, "1b", 2);
	kv_iter_next(it);
	kv_iter_next(it);
	assert_key(it, "d");
	kv_iter_prev(it);
	assert_key(it, "b");
	kv_iter_next(it);
	kv_iter_next(it);
	assert_key(it, NULL);

	kv_iter_seek(it, "b", 1);
	assert_key(it, "b");
	kv_iter_seek(it, "c", 1);
	assert_key(it, "d");
	kv_iter_seek(it, "e", 1);
	assert_key(it, NULL);
	kv_iter_seek_back(it, "c", 1);
	assert_key(it, "b");
	kv_iter_seek_back(it, "b", 1);
	assert_key(it, "b");
	kv_iter_seek_back(it, "A", 1);
	assert_key(it, NULL);
	kv_iter_seek_back(it, "a", 1);
	assert_key(it, "a");
	kv_iter_prev(it);
	assert_key(it, NULL);
}

/* Whether it is near or far. */
static void seeking_on_finds_what_seeking_finds(void **state)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	char key[8];

	for (int i = 0; i < 40; i += 2) {
		snprintf(key, sizeof(key), "k%02d", i);
		write_one(kv_of(state), KV_PACK, key, "", false);
	}
	for (int step = 1; step < 30; step += 3) {
		it = kv_iter_free(it);
		assert_int_equal(kv_iter_new(kv_of(state), KV_PACK, &it), 0);
		for (int i = 0; i < 50; i += step) {
			snprintf(key, sizeof(key), "k%02d", i);
			kv_iter_seek_on(it, key, 3);
			snprintf(key, sizeof(key), "k%02d", i + i % 2);
			assert_key(it, i < 39 ? key : NULL);
		}
	}
	it = kv_iter_free(it);
	assert_int_equal(kv_iter_new(kv_of(state), KV_PACK, &it), 0);
	kv_iter_seek_on(it, "k1", 2);
	assert_key(it, "k10");
	kv_iter_seek_on(it, "k1", 2);
	assert_key(it, "k10");
}

static void rows_of_a_prefix_go_be_they_few_or_many(void **state)
{
	for (int n = 0; n < 200; n = 3 * n + 1) {
		CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
		char key[8];

		write_one(kv_of(state), KV_MAP, "a", "", false);
		write_one(kv_of(state), KV_MAP, "c", "", false);
		for (int i = 0; i < n; i++) {
			snprintf(key, sizeof(key), "b%03d", i);
			write_one(kv_of(state), KV_MAP, key, "", false);
		}
		assert_int_equal(kv_batch_new(&b), 0);
		assert_int_equal(kv_batch_delete_rows(b, kv_of(state), KV_MAP, "b", 1), 0);
		assert_int_equal(kv_batch_count(b), n > 64 ? 65 : n);
		assert_int_equal(kv_write(kv_of(state), b, false), 0);
		assert_int_equal(kv_any(kv_of(state), KV_MAP, "b", 1), KV_E_NONE);
		assert_int_equal(kv_any(kv_of(state), KV_MAP, "a", 1), 0);
		assert_int_equal(kv_any(kv_of(state), KV_MAP, "c", 1), 0);
	}
}

static void an_iterator_knows_its_prefix(void **state)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	int n = 0;

	write_one(kv_of(state), KV_MAP, "v1", "", false);
	write_one(kv_of(state), KV_MAP, "v2a", "", false);
	write_one(kv_of(state), KV_MAP, "v2b", "", false);
	write_one(kv_of(state), KV_MAP, "v3", "", false);
	assert_int_equal(kv_iter_new(kv_of(state), KV_MAP, &it), 0);
	for (kv_iter_seek(it, "v2", 2); kv_iter_in(it, "v2", 2); kv_iter_next(it))
		n++;
	assert_int_equal(n, 2);
	assert_true(kv_iter_in(it, NULL, 0));
	assert_false(kv_iter_in(it, "v3x", 3));
}

static void an_iterator_sees_the_moment_it_was_made(void **state)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	const uint8_t *val;
	size_t len;

	write_one(kv_of(state), KV_MAP, "a", "1", false);
	write_one(kv_of(state), KV_MAP, "b", "2", false);
	assert_int_equal(kv_iter_new(kv_of(state), KV_MAP, &it), 0);
	write_one(kv_of(state), KV_MAP, "a", "changed", false);
	write_one(kv_of(state), KV_MAP, "aa", "new", false);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_delete_prefix(b, KV_MAP, "b", 1), 0);
	assert_int_equal(kv_write(kv_of(state), b, true), 0);
	kv_iter_seek(it, "a", 1);
	val = kv_iter_value(it, &len);
	assert_int_equal(len, 1);
	assert_memory_equal(val, "1", 1);
	kv_iter_next(it);
	assert_key(it, "b");
}

static void an_empty_batch_is_written(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_write(kv_of(state), b, false), 0);
	assert_int_equal(kv_write(kv_of(state), b, true), 0);
}

static void usage_grows_with_what_is_stored(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	static char big[100000];
	struct kv_usage before, after;

	assert_int_equal(kv_usage(kv_of(state), &before), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, "k", 1, big, sizeof(big)), 0);
	assert_int_equal(kv_write(kv_of(state), b, true), 0);
	assert_int_equal(kv_usage(kv_of(state), &after), 0);
	assert_true(after.memory_bytes > before.memory_bytes);
}

/* Two threads move the same amount to and fro between rows; a reader's sum never changes. */
struct mover { struct kv *kv; unsigned me; };

static void *move(void *arg)
{
	struct mover *m = arg;

	for (unsigned i = 0; i < 500; i++) {
		CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
		char left[8], right[8], key[2][8];

		snprintf(key[0], 8, "l%u", m->me);
		snprintf(key[1], 8, "r%u", m->me);
		snprintf(left, 8, "%u", i % 100);
		snprintf(right, 8, "%u", 100 - i % 100);
		kv_batch_new(&b);
		kv_batch_put(b, KV_MAP, key[0], strlen(key[0]), left, strlen(left));
		kv_batch_put(b, KV_MAP, key[1], strlen(key[1]), right, strlen(right));
		if (kv_write(m->kv, b, false))
			return m;
	}
	return NULL;
}

static void a_batch_is_never_seen_in_part(void **state)
{
	struct mover m[2] = { { kv_of(state), 0 }, { kv_of(state), 1 } };
	pthread_t t[2];
	void *result;

	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, move, &m[i]);
	for (int n = 0; n < 300; n++) {
		CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
		int sum = 0, rows = 0;

		assert_int_equal(kv_iter_new(kv_of(state), KV_MAP, &it), 0);
		for (kv_iter_seek(it, NULL, 0); kv_iter_valid(it); kv_iter_next(it), rows++) {
			char text[8] = "";
			size_t len;
			const uint8_t *val = kv_iter_value(it, &len);

			memcpy(text, val, len);
			sum += atoi(text);
		}
		assert_int_equal(rows % 2, 0);
		assert_int_equal(sum, rows * 50);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], &result);
		assert_null(result);
	}
}

#define ALL(test) \
	{ "mem: " #test, test, setup_mem, teardown, NULL }, { "rocks: " #test, test, setup_rocks, teardown, NULL }, \
	{ "journal: " #test, test, setup_journal, teardown, NULL }

/* ---- random operations, compared ---- */

static uint32_t roll(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Few, short keys with the bytes at the edges, so that they meet and are prefixes of each other. */
static size_t random_key(uint32_t *seed, uint8_t key[4])
{
	static const uint8_t alphabet[] = { 0, 1, 'a', 0xfe, 0xff };
	size_t n = roll(seed) % 4;

	for (size_t i = 0; i < n; i++)
		key[i] = alphabet[roll(seed) % sizeof(alphabet)];
	return n;
}

static void random_batch(uint32_t *seed, struct kv_batch *b)
{
	for (unsigned n = roll(seed) % 6; n > 0; n--) {
		enum kv_space s = roll(seed) % KV_SPACES;
		uint8_t key[4];
		size_t klen = random_key(seed, key);
		uint32_t val = roll(seed);

		switch (roll(seed) % 8) {
		case 0:
			assert_int_equal(kv_batch_delete_prefix(b, s, key, klen), 0);
			break;
		case 1:
		case 2:
			assert_int_equal(kv_batch_delete(b, s, key, klen), 0);
			break;
		default:
			assert_int_equal(kv_batch_put(b, s, key, klen, &val, val % 5), 0);
		}
	}
}

static void assert_same_place(struct kv_iter *a, struct kv_iter *b)
{
	const uint8_t *p, *q;
	size_t m, n;

	assert_int_equal(kv_iter_valid(a), kv_iter_valid(b));
	if (!kv_iter_valid(a))
		return;
	p = kv_iter_key(a, &m);
	q = kv_iter_key(b, &n);
	assert_int_equal(m, n);
	assert_memory_equal(p, q, m);
	p = kv_iter_value(a, &m);
	q = kv_iter_value(b, &n);
	assert_int_equal(m, n);
	assert_memory_equal(p, q, m);
}

static void assert_same_walk(uint32_t *seed, struct kv *a, struct kv *b)
{
	CLEANUP(kv_iter_freep) struct kv_iter *i = NULL;
	CLEANUP(kv_iter_freep) struct kv_iter *j = NULL;
	enum kv_space s = roll(seed) % KV_SPACES;
	uint8_t key[4];
	size_t klen = random_key(seed, key);

	assert_int_equal(kv_any(a, s, key, klen), kv_any(b, s, key, klen));
	assert_int_equal(kv_iter_new(a, s, &i), 0);
	assert_int_equal(kv_iter_new(b, s, &j), 0);
	kv_iter_seek_back(i, key, klen);
	kv_iter_seek_back(j, key, klen);
	assert_same_place(i, j);
	kv_iter_seek(i, key, klen);
	kv_iter_seek(j, key, klen);
	assert_same_place(i, j);
	for (unsigned n = roll(seed) % 20; n > 0 && kv_iter_valid(i); n--) {
		void (*step)(struct kv_iter *) = roll(seed) % 4 ? kv_iter_next : kv_iter_prev;

		step(i);
		step(j);
		assert_same_place(i, j);
	}
}

static void random_operations_end_the_same_in_both(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	uint32_t seed = (uint32_t)clock_now_ns();
	struct scratch scratch;
	struct kv *mem, *rocks;

	print_message("seed %u\n", seed);
	scratch_make(&scratch);
	assert_int_equal(kv_mem_new(&mem), 0);
	assert_int_equal(kv_open(scratch.db, true, TEST_CACHE_BYTES, &rocks), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	for (int n = 0; n < 3000; n++) {
		kv_batch_clear(b);
		random_batch(&seed, b);
		assert_int_equal(kv_write(mem, b, false), 0);
		assert_int_equal(kv_write(rocks, b, false), 0);
		assert_same_walk(&seed, mem, rocks);
		if (n % 1000 == 999) {
			rocks = kv_close(rocks);
			assert_int_equal(kv_open(scratch.db, false, TEST_CACHE_BYTES, &rocks), 0);
		}
	}
	kv_close(rocks);
	kv_close(mem);
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL(an_absent_key_is_a_condition),
		ALL(a_row_is_read_as_it_was_put),
		ALL(spaces_are_apart),
		ALL(bytes_of_any_value_make_a_key),
		ALL(the_longest_key_is_kept_and_a_longer_one_refused),
		ALL(a_later_change_in_a_batch_wins),
		ALL(deleting_a_prefix_spares_its_neighbours),
		ALL(an_iterator_walks_both_ways),
		ALL(seeking_on_finds_what_seeking_finds),
		ALL(rows_of_a_prefix_go_be_they_few_or_many),
		ALL(an_iterator_knows_its_prefix),
		ALL(an_iterator_sees_the_moment_it_was_made),
		ALL(an_empty_batch_is_written),
		ALL(usage_grows_with_what_is_stored),
		ALL(a_batch_is_never_seen_in_part),
		cmocka_unit_test(random_operations_end_the_same_in_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
