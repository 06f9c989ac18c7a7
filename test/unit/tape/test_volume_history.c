/* SPDX-License-Identifier: BSD-2-Clause */
/* volume_history: volumes as wholes, and their generations. */
#include "unit/tape/tape_store.h"

#define OTHER 8u

struct seen { unsigned count; struct volume_stat st[16]; };

static int see(void *ctx, const struct volume_stat *st)
{
	struct seen *seen = ctx;

	seen->st[seen->count++] = *st;
	return seen->count == ARRAY_LEN(seen->st);
}

static struct seen history(struct store *s)
{
	struct seen seen = { 0 };

	assert_int_equal(volume_history(s->kv, VOLUME, see, &seen), 0);
	return seen;
}

/* Generation after generation, written at times 100, 200, ... */
static void generations(struct store *s, uint64_t n)
{
	for (uint64_t g = 1; g <= n; g++) {
		clock_set(g * 100);
		rewind_tape(s);
		put(s, g, 1000 * g);
		mark(s);
	}
	clock_set(0);
}

static uint64_t drop(struct store *s, uint64_t ended_ns)
{
	struct kv_batch *b;
	uint64_t dropped = 99;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_drop_generations(s->kv, b, VOLUME, ended_ns, &dropped), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	return dropped;
}

static void a_created_volume_is_blank(void **state)
{
	struct store *s = *state;
	struct volume_stat st;

	create(s, OTHER);
	assert_int_equal(volume_peek(s->kv, OTHER, &st), 0);
	assert_int_equal(st.generation, 1);
	assert_int_equal(st.partitions, 1);
	assert_int_equal(st.end.objects, 0);
	assert_true(st.begun_ns > 0);
	assert_int_equal(st.ended_ns, 0);
}

static void a_peek_sees_what_is_committed(void **state)
{
	struct store *s = *state;
	struct volume_stat st;

	put(s, 1, 1000);
	assert_int_equal(volume_peek(s->kv, VOLUME, &st), 0);
	assert_int_equal(st.end.objects, 0);
	mark(s);
	assert_int_equal(volume_peek(s->kv, VOLUME, &st), 0);
	assert_int_equal(st.end.objects, 2);
	assert_int_equal(st.end.bytes, 1000);
}

static void history_goes_from_the_newest_back(void **state)
{
	struct store *s = *state;
	struct seen seen;

	generations(s, 4);
	seen = history(s);
	assert_int_equal(seen.count, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(seen.st[i].generation, 4 - i);
		assert_int_equal(seen.st[i].end.bytes, 1000 * (4 - i));
		assert_int_equal(seen.st[i].written_ns, 100 * (4 - i));
		assert_int_equal(seen.st[i].ended_ns, i ? 100 * (5 - i) : 0);
	}
	/* Each may stop it. */
	seen = (struct seen){ .count = ARRAY_LEN(seen.st) - 1 };
	assert_int_equal(volume_history(s->kv, VOLUME, see, &seen), 1);
	assert_int_equal(seen.st[ARRAY_LEN(seen.st) - 1].generation, 4);
}

static void generations_are_dropped_by_the_time_they_ended(void **state)
{
	struct store *s = *state;

	generations(s, 4);	/* ended at 200, 300, 400, never */
	assert_int_equal(drop(s, 199), 0);
	assert_int_equal(drop(s, 300), 2);
	assert_int_equal(history(s).count, 2);
	load_generation(s, 3);
	assert_record(s, 3, 3000);
	assert_int_equal(drop(s, UINT64_MAX), 1);
	assert_int_equal(history(s).count, 1);	/* never the current one */
	reload(s);
	assert_record(s, 4, 4000);
}

static void destroying_leaves_only_drops_for_the_collector(void **state)
{
	struct store *s = *state;
	struct kv_batch *b;

	generations(s, 3);
	assert_int_equal(unload(s), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_destroy(s->kv, b, VOLUME), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	assert_int_equal(rows(s, 'H'), 0);
	assert_int_equal(rows(s, 'D'), 3);
	kv_batch_clear(b);
	assert_int_equal(volume_destroy(s->kv, b, VOLUME), -ENOENT);
	kv_batch_free(b);
	create(s, VOLUME);
	load(s);
}

static void replacing_makes_a_generation_and_the_source_is_gone(void **state)
{
	struct store *s = *state;
	struct volume_stat st;
	struct kv_batch *b;

	put(s, 1, 5000);
	mark(s);
	assert_int_equal(unload(s), 0);
	create(s, OTHER);
	s->attr.id = OTHER;
	load(s);
	put(s, 8, 100);		/* an older generation of the source, which goes */
	mark(s);
	rewind_tape(s);
	put(s, 2, 7000);
	mark(s);
	assert_int_equal(unload(s), 0);
	s->attr.id = VOLUME;
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_replace(s->kv, b, VOLUME, OTHER), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_clear(b);
	assert_int_equal(volume_replace(s->kv, b, VOLUME, OTHER), -ENOENT);
	kv_batch_free(b);
	assert_int_equal(volume_peek(s->kv, OTHER, &st), -ENOENT);
	assert_int_equal(rows(s, 'D'), 1);
	load(s);
	assert_int_equal(generation(s), 2);
	assert_record(s, 2, 7000);
	assert_mark(s);
	/* It goes on as any tape. */
	put(s, 3, 100);
	mark(s);
	restart(s);
	locate(s, 2);
	assert_record(s, 3, 100);
	load_generation(s, 1);
	assert_record(s, 1, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_created_volume_is_blank),
		with_store(a_peek_sees_what_is_committed),
		with_store(history_goes_from_the_newest_back),
		with_store(generations_are_dropped_by_the_time_they_ended),
		with_store(destroying_leaves_only_drops_for_the_collector),
		with_store(replacing_makes_a_generation_and_the_source_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
