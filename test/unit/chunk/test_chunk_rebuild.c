/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_rebuild: the index from the packs alone, or with what a journal brought back. */
#include "chunk/store.h"
#include "unit/pack/raw.h"
#include "rig.h"

#define BYTES (1u << 20)

static int gone(void **state) { return (*state = rig_free(*state)) != NULL; }

/* Three closed packs, of which the third shares with the first, and their maps. */
struct three {
	struct rig *g;
	uint8_t *data[3];
	struct map m[3];
};
static struct three three;

static int filled_store(void **state)
{
	three.g = *state = rig_new(0);
	for (unsigned i = 0; i < 3; i++) {
		three.data[i] = filled(BYTES, i);
		three.m[i] = (struct map){ NULL };
		if (i == 2)
			memcpy(three.data[2], three.data[0], BYTES / 2);
		rig_store(three.g, three.data[i], BYTES, CHUNK_LZ4, &three.m[i]);
		rig_reopen(three.g);
	}
	return 0;
}

static int emptied(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		free(three.data[i]);
		map_fini(&three.m[i]);
	}
	return gone(state);
}

static uint64_t pack_of(unsigned i)
{
	return three.m[i].places[three.m[i].count - 1].ref.pack;
}

static void found(void *ctx, const char *what, bool repaired)
{
	++*(unsigned *)ctx;
	assert_true(what[0]);
	assert_false(repaired);
}

/* The database gone but for the rows of these kinds. */
static void lose_database(struct rig *g, const char *kinds)
{
	struct kv_batch *b;
	struct kv_iter *it;
	struct kv *kv;

	g->cs = chunk_store_close(g->cs);
	OK(kv_mem_new(&kv));
	OK(kv_batch_new(&b));
	OK(kv_iter_new(g->kv, KV_PACK, &it));
	for (kv_iter_seek(it, "", 0); kv_iter_valid(it); kv_iter_next(it)) {
		size_t n, len;
		const uint8_t *key = kv_iter_key(it, &n), *value = kv_iter_value(it, &len);

		if (strchr(kinds, key[0]))
			OK(kv_batch_put(b, KV_PACK, key, n, value, len));
	}
	kv_iter_free(it);
	OK(kv_write(kv, b, true));
	kv_batch_free(b);
	kv_close(g->kv);
	g->kv = kv;
}

static struct chunk_rebuilt rebuild(struct rig *g, unsigned *told)
{
	struct chunk_check_config cfg = { .found = found, .ctx = told };
	struct chunk_rebuilt out = { 0 };

	*told = 0;
	OK(chunk_store_rebuild(g->kv, g->packs, &cfg, &out));
	rig_open(g);
	return out;
}

static void assert_sound(struct rig *g)
{
	unsigned faults = 0;
	struct chunk_check_config cfg = { .data = true, .found = found, .ctx = &faults };
	struct chunk_checked out;

	OK(chunk_store_check(g->cs, &cfg, &out));
	assert_int_equal(faults, 0);
}

static void assert_read(struct rig *g, unsigned i)
{
	rig_check(g, &three.m[i], three.data[i], BYTES, 65536);
}

static void put(struct rig *g, const void *key, size_t n, const void *value, size_t len)
{
	struct kv_batch *b;

	OK(kv_batch_new(&b));
	OK(value ? kv_batch_put(b, KV_PACK, key, n, value, len) : kv_batch_delete(b, KV_PACK, key, n));
	OK(kv_write(g->kv, b, true));
	kv_batch_free(b);
}

static void a_store_without_rows_does_not_open(void **state)
{
	struct rig *g = *state;
	unsigned told;

	lose_database(g, "");
	assert_int_equal(chunk_store_open(g->kv, g->packs, g->workers, &g->cfg, &g->cs), -EUCLEAN);
	rebuild(g, &told);
}

static void everything_comes_back_from_the_packs_alone(void **state)
{
	struct rig *g = *state;
	struct chunk_totals before, after;
	struct chunk_rebuilt done;
	struct map again = { NULL };
	uint8_t key[PACK_KEY_LEN];
	struct buf row = BUF_INIT, row_again = BUF_INIT;
	uint64_t highest = pack_of(2);
	size_t rows = index_rows(g);
	unsigned told;

	chunk_store_totals(g->cs, &before);
	pack_key_pack(key, PACK_KEY_SEALED, pack_of(1));
	OK(kv_get(g->kv, KV_PACK, key, sizeof(key), &row));
	lose_database(g, "");
	done = rebuild(g, &told);
	assert_int_equal(told, 0);
	assert_int_equal(done.packs, before.packs);
	assert_int_equal(done.chunks, before.chunks);
	assert_int_equal(done.unreadable, 0);
	chunk_store_totals(g->cs, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(index_rows(g), rows);
	OK(kv_get(g->kv, KV_PACK, key, sizeof(key), &row_again));
	assert_int_equal(row.len, row_again.len);
	assert_memory_equal(row.data, row_again.data, row.len);
	buf_fini(&row);
	buf_fini(&row_again);
	assert_sound(g);
	for (unsigned i = 0; i < 3; i++)
		assert_read(g, i);
	/* What is there is shared, and a new pack has a number that none ever had. */
	rig_store(g, three.data[1], BYTES, CHUNK_LZ4, &again);
	assert_int_equal(again.stored, 0);
	map_fini(&again);
	three.data[1][0]++;
	rig_store(g, three.data[1], BYTES, CHUNK_LZ4, &again);
	three.data[1][0]--;
	assert_true(again.places[0].ref.pack > highest + (1u << 20));
	map_fini(&again);
	rig_reopen(g);
	assert_sound(g);
}

/* The row that says which numbers are taken is older than a pack that is gone. */
static void numbers_that_only_rows_speak_of_are_not_used_again(void **state)
{
	struct rig *g = *state;
	struct map m = { NULL };
	uint8_t key[PACK_KEY_LEN];
	unsigned told;

	pack_key_pack(key, PACK_KEY_OPEN, 1ull << 40);
	put(g, key, sizeof(key), "", 0);
	lose_database(g, "PO");
	rebuild(g, &told);
	three.data[1][0]++;
	rig_store(g, three.data[1], BYTES, CHUNK_LZ4, &m);
	three.data[1][0]--;
	assert_true(m.places[0].ref.pack > 1ull << 40);
	map_fini(&m);
}

static void packs_that_were_being_written_are_finished(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 9);
	struct map m = { NULL }, again = { NULL };
	struct packs *packs;
	unsigned told;

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	OK(packs_mem_cut(g->packs, 0, &packs));
	g->cs = chunk_store_close(g->cs);
	packs_close(g->packs);
	g->packs = packs;
	lose_database(g, "");
	assert_int_equal(rebuild(g, &told).packs, 4);
	assert_int_equal(told, 0);
	rig_check(g, &m, data, BYTES, 65536);
	rig_store(g, data, BYTES, CHUNK_LZ4, &again);
	assert_int_equal(again.stored, 0);
	assert_sound(g);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

static void what_was_known_to_be_bad_stays_so(void **state)
{
	struct rig *g = *state;
	struct pack_ref ref = three.m[1].places[6].ref;
	struct map again = { NULL };
	uint8_t key[BAD_KEY_LEN];
	unsigned told;

	bad_key_pack(key, ref);
	put(g, key, sizeof(key), "", 0);
	lose_database(g, "PBNT");
	rebuild(g, &told);
	assert_true(chunk_store_is_bad(g->cs, ref));
	rig_store(g, three.data[1], BYTES, CHUNK_LZ4, &again);
	assert_true(again.stored > 0);
	assert_false(chunk_store_is_bad(g->cs, ref));
	map_fini(&again);
}

struct bad_list { struct pack_ref ref[8]; unsigned count; };

static int add_bad(void *ctx, struct pack_ref ref, bool healed)
{
	struct bad_list *l = ctx;

	assert_false(healed);
	assert_true(l->count < 8);
	l->ref[l->count++] = ref;
	return 0;
}

static void a_missing_pack_is_known_to_be_lost(void **state)
{
	struct rig *g = *state;
	struct bad_list l = { .count = 0 };
	struct chunk_rebuilt done;
	unsigned told;

	lose_database(g, "PNT");
	OK(pack_unlink(g->packs, pack_of(1)));
	done = rebuild(g, &told);
	assert_int_equal(told, 1);
	assert_int_equal(done.packs, 2);
	assert_int_equal(done.unreadable, 1);
	OK(chunk_store_each_bad(g->cs, add_bad, &l));
	assert_int_equal(l.count, 1);
	assert_int_equal(l.ref[0].pack, pack_of(1));
	assert_int_equal(l.ref[0].slot, CHUNK_EVERY_SLOT);
	assert_true(chunk_store_is_bad(g->cs, three.m[1].places[3].ref));
	assert_read(g, 0);
	assert_read(g, 2);
}

static void a_pack_that_cannot_be_read_costs_only_itself(void **state)
{
	struct rig *g = *state;
	uint8_t zeros[5000] = { 0 };
	struct chunk_rebuilt done;
	unsigned told;

	lose_database(g, "");
	raw_set(g->packs, pack_of(1), zeros, sizeof(zeros));
	/* All zeros was never synced; a wrong header was. */
	zeros[0] = 1;
	raw_set(g->packs, pack_of(1), zeros, sizeof(zeros));
	done = rebuild(g, &told);
	assert_int_equal(told, 1);
	assert_int_equal(done.packs, 2);
	assert_int_equal(done.unreadable, 1);
	assert_read(g, 0);
	assert_read(g, 2);
}

/* Half of it, and that with a destroyed header of an entry: what comes before is served. */
static void what_can_be_read_of_a_damaged_pack_is_indexed(void **state)
{
	struct rig *g = *state;
	struct buf b = BUF_INIT;
	struct pack_entry e;
	struct pack *p;
	unsigned told, n;

	OK(pack_open(g->packs, pack_of(1), &p));
	OK(pack_entry(p, 5, &e));
	pack_release(p);
	lose_database(g, "PNT");
	raw_get(g->packs, pack_of(1), &b);
	memset(b.data + e.offset - 40, 0, 40);
	raw_set(g->packs, pack_of(1), b.data, b.len / 2);
	assert_int_equal(rebuild(g, &told).packs, 3);
	assert_int_equal(told, 1);
	for (n = 0; n < three.m[1].count; n++)
		if (three.m[1].places[n].ref.slot < 5)
			assert_false(chunk_store_is_bad(g->cs, three.m[1].places[n].ref));
	assert_read(g, 0);
	buf_fini(&b);
}

static void of_two_places_the_newer_gets_the_row(void **state)
{
	struct rig *g = *state;
	struct pack *from;
	struct kv_iter *it;
	struct index_value v;
	size_t n, of_copy = 0;
	unsigned told;

	OK(pack_open(g->packs, pack_of(1), &from));
	lose_database(g, "");
	rig_remake(g, from, 9999, 0, INJURY_NONE);
	n = pack_count(from);
	pack_release(from);
	rebuild(g, &told);
	OK(kv_iter_new(g->kv, KV_INDEX, &it));
	for (kv_iter_seek(it, "", 0); kv_iter_valid(it); kv_iter_next(it)) {
		size_t len;
		const uint8_t *value = kv_iter_value(it, &len);

		OK(index_value_unpack(value, len, &v));
		of_copy += v.ref.pack == 9999;
	}
	kv_iter_free(it);
	assert_int_equal(of_copy, n);
	assert_sound(g);
	assert_read(g, 1);
}

static void a_pack_about_to_be_removed_goes(void **state)
{
	struct rig *g = *state;
	uint8_t key[PACK_KEY_LEN];
	unsigned told;

	pack_key_pack(key, PACK_KEY_SEALED, pack_of(1));
	put(g, key, sizeof(key), NULL, 0);
	pack_key_pack(key, PACK_KEY_DOOMED, pack_of(1));
	put(g, key, sizeof(key), "", 0);
	lose_database(g, "PDNT");
	assert_int_equal(rebuild(g, &told).packs, 2);
	assert_false(pack_exists(g->packs, pack_of(1)));
	assert_sound(g);
}

static int stop_at_two(void *ctx, uint64_t done, uint64_t all)
{
	(void)ctx;
	assert_int_equal(all, 3);
	return done == 2 ? -EINTR : 0;
}

static void stopped_it_begins_again(void **state)
{
	struct rig *g = *state;
	struct chunk_check_config cfg = { .progress = stop_at_two };
	struct chunk_rebuilt out;
	unsigned told;

	lose_database(g, "");
	assert_int_equal(chunk_store_rebuild(g->kv, g->packs, &cfg, &out), -EINTR);
	assert_int_equal(rebuild(g, &told).packs, 3);
	assert_sound(g);
	for (unsigned i = 0; i < 3; i++)
		assert_read(g, i);
}

int main(void)
{
#define with_three(t) cmocka_unit_test_setup_teardown(t, filled_store, emptied)
	const struct CMUnitTest tests[] = {
		with_three(a_store_without_rows_does_not_open),
		with_three(everything_comes_back_from_the_packs_alone),
		with_three(numbers_that_only_rows_speak_of_are_not_used_again),
		with_three(packs_that_were_being_written_are_finished),
		with_three(what_was_known_to_be_bad_stays_so),
		with_three(a_missing_pack_is_known_to_be_lost),
		with_three(a_pack_that_cannot_be_read_costs_only_itself),
		with_three(what_can_be_read_of_a_damaged_pack_is_indexed),
		with_three(of_two_places_the_newer_gets_the_row),
		with_three(a_pack_about_to_be_removed_goes),
		with_three(stopped_it_begins_again),
	};

	return cmocka_run_group_tests_name("chunk_rebuild", tests, NULL, NULL);
}
