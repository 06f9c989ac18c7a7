/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_damage: what is told, what is delivered all the same, and how what comes again heals what was lost. */
#include "kv/kv_twin.h"
#include "rig.h"

#define N (2u << 20)

static int serial(void **state) { return (*state = rig_new(0)) == NULL; }
static int threads(void **state) { return (*state = rig_new(3)) == NULL; }
static int gone(void **state) { return (*state = rig_free(*state)) != NULL; }

static int nobody(void *ctx, uint64_t pack) { (void)ctx; (void)pack; return 0; }

struct bad_list { struct pack_ref ref[64]; bool healed[64]; unsigned count; };

static int add_bad(void *ctx, struct pack_ref ref, bool healed)
{
	struct bad_list *l = ctx;

	assert_true(l->count < ARRAY_LEN(l->ref));
	l->ref[l->count] = ref;
	l->healed[l->count++] = healed;
	return 0;
}

static struct bad_list bad_of(struct rig *g)
{
	struct bad_list l = { .count = 0 };

	OK(chunk_store_each_bad(g->cs, add_bad, &l));
	return l;
}

static size_t rows_of(struct rig *g, const char *kind)
{
	struct kv_iter *it;
	size_t n = 0;

	OK(kv_iter_new(g->kv, KV_PACK, &it));
	for (kv_iter_seek(it, kind, 1); kv_iter_in(it, kind, 1); kv_iter_next(it))
		n++;
	kv_iter_free(it);
	return n;
}

static int read_place(struct rig *g, struct map *m, size_t k, const uint8_t *data)
{
	struct chunk_reader *r;
	uint8_t *got = malloc(m->places[k].len);
	uint64_t at = 0;
	int e;

	for (size_t i = 0; i < k; i++)
		at += m->places[i].len;
	OK(chunk_reader_new(g->cs, map_source, m, &r));
	e = chunk_reader_read(r, at, got, m->places[k].len);
	if (!e)
		assert_memory_equal(got, data + at, m->places[k].len);
	chunk_reader_free(r);
	free(got);
	return e;
}

/* A sealed pack with @n bytes. */
static void store_sealed(struct rig *g, const uint8_t *data, size_t n, struct map *m)
{
	rig_store(g, data, n, CHUNK_LZ4, m);
	rig_reopen(g);
}

static void a_damaged_chunk_is_read_from_another_pack(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 1);
	struct map m = { NULL }, again = { NULL };
	struct bad_list l;
	uint64_t freed;

	store_sealed(g, data, N, &m);
	rig_injure(g, m.places[7].ref, INJURY_BYTES);
	assert_int_equal(read_place(g, &m, 7, data), -EBADMSG);
	assert_int_equal(g->damages, 1);
	l = bad_of(g);
	assert_int_equal(l.count, 1);
	assert_int_equal(l.ref[0].slot, m.places[7].ref.slot);
	assert_false(l.healed[0]);
	assert_true(chunk_store_is_bad(g->cs, m.places[7].ref));
	assert_false(chunk_store_is_bad(g->cs, m.places[8].ref));

	/* Not committed, committed, and after a restart. */
	rig_store(g, data, N, CHUNK_LZ4, &again);
	assert_int_equal(again.stored, again.places[7].stored);
	rig_check(g, &m, data, N, 65536);
	rig_cut(g, 1);
	rig_check(g, &m, data, N, 4096);
	l = bad_of(g);
	assert_int_equal(l.count, 1);
	assert_true(l.healed[0]);
	assert_false(chunk_store_is_bad(g->cs, m.places[7].ref));
	assert_int_equal(g->damages, 1);

	/* With the other it goes again. */
	rig_reopen(g);
	OK(chunk_gc_pack(g->cs, again.places[7].ref.pack, nobody, NULL, &freed));
	assert_int_equal(read_place(g, &m, 7, data), -EBADMSG);
	assert_true(chunk_store_is_bad(g->cs, m.places[7].ref));
	map_fini(&m);
	map_fini(&again);
	free(data);
}

static void the_other_one_may_be_damaged_too(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 2);
	struct map m = { NULL }, again = { NULL }, third = { NULL };

	store_sealed(g, data, N, &m);
	rig_injure(g, m.places[3].ref, INJURY_BYTES);
	assert_int_equal(read_place(g, &m, 3, data), -EBADMSG);
	store_sealed(g, data, N, &again);
	rig_injure(g, again.places[3].ref, INJURY_BYTES);
	assert_int_equal(read_place(g, &m, 3, data), -EBADMSG);
	assert_int_equal(g->damages, 2);
	assert_int_equal(bad_of(g).count, 2);
	store_sealed(g, data, N, &third);
	rig_check(g, &m, data, N, 65536);
	rig_check(g, &again, data, N, 65536);
	assert_true(bad_of(g).healed[0] && bad_of(g).healed[1]);
	map_fini(&m);
	map_fini(&again);
	map_fini(&third);
	free(data);
}

static void check_lost_and_back(struct rig *g, uint8_t *data, struct map *m)
{
	struct map again = { NULL };
	struct bad_list l;

	rig_store_places(g, data, m, 0, m->count, &again);
	assert_true(again.stored > 0);
	rig_check(g, m, data, N, 65536);
	assert_int_equal(g->damages, 1);
	assert_int_equal(g->damaged.slot, CHUNK_EVERY_SLOT);
	rig_cut(g, 0);
	rig_check(g, m, data, N, 7000);
	l = bad_of(g);
	assert_int_equal(l.count, 1);
	assert_int_equal(l.ref[0].pack, m->places[0].ref.pack);
	assert_int_equal(l.ref[0].slot, CHUNK_EVERY_SLOT);
	assert_true(l.healed[0]);
	assert_false(chunk_store_is_bad(g->cs, m->places[9].ref));
	map_fini(&again);
}

static void a_lost_pack_is_told_once_and_heals(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 3);
	struct map m = { NULL };
	struct bad_list l;

	store_sealed(g, data, N, &m);
	rig_lose(g, m.places[0].ref.pack);
	for (size_t i = 0; i < m.count; i += 5)
		assert_int_equal(read_place(g, &m, i, data), -EIO);
	assert_int_equal(g->damages, 1);
	l = bad_of(g);
	assert_int_equal(l.count, 1);
	assert_false(l.healed[0]);
	assert_true(chunk_store_is_bad(g->cs, m.places[9].ref));
	assert_int_equal(rows_of(g, "L"), m.count);
	check_lost_and_back(g, data, &m);
	map_fini(&m);
	free(data);
}

/* Nobody read it: the writer that comes to an index row of it notices, before it overwrites the row. */
static void a_writer_that_meets_a_lost_pack_notices(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 4);
	struct map m = { NULL };

	store_sealed(g, data, N, &m);
	rig_lose(g, m.places[0].ref.pack);
	check_lost_and_back(g, data, &m);
	map_fini(&m);
	free(data);
}

static void of_a_lost_pack_exactly_what_came_again_is_read(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 5);
	struct map m = { NULL }, again = { NULL };
	struct chunk_reader *r;
	uint8_t got[512];
	size_t at = 0;

	store_sealed(g, data, N, &m);
	rig_lose(g, m.places[0].ref.pack);
	for (size_t i = 0; i < m.count; i += 3)
		rig_store_places(g, data, &m, i, 1, &again);
	for (size_t i = 0; i < m.count; i++) {
		assert_int_equal(read_place(g, &m, i, data), i % 3 ? -EIO : 0);
		assert_int_equal(chunk_store_is_bad(g->cs, m.places[i].ref), i % 3 != 0);
	}
	assert_false(bad_of(g).healed[0]);
	/* The same by one reader from front to back, with its look-ahead. */
	OK(chunk_reader_new(g->cs, map_source, &m, &r));
	for (size_t i = 0; i < m.count; at += m.places[i++].len)
		for (size_t part = 0; part + 512 <= m.places[i].len; part += 512)
			assert_int_equal(chunk_reader_read(r, at + part, got, 512), i % 3 ? -EIO : 0);
	chunk_reader_free(r);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

static void a_pack_that_comes_back_is_as_it_was(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 6);
	struct map m = { NULL };
	struct pack *p;

	store_sealed(g, data, N, &m);
	OK(pack_open(g->packs, m.places[0].ref.pack, &p));
	rig_lose(g, m.places[0].ref.pack);
	assert_int_equal(read_place(g, &m, 0, data), -EIO);
	assert_int_equal(bad_of(g).count, 1);
	rig_remake(g, p, m.places[0].ref.pack, 0, INJURY_NONE);
	pack_release(p);
	rig_check(g, &m, data, N, 65536);
	assert_int_equal(bad_of(g).count, 0);
	assert_int_equal(rows_of(g, "L"), 0);
	assert_int_equal(rows_of(g, "B"), 0);
	map_fini(&m);
	free(data);
}

static void a_pack_cut_short_loses_what_was_behind(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 7);
	struct map m = { NULL }, again = { NULL };

	store_sealed(g, data, N, &m);
	rig_injure(g, m.places[20].ref, INJURY_CUT);
	for (size_t i = 0; i < m.count; i++)
		assert_int_equal(read_place(g, &m, i, data) != 0, i >= 20);
	assert_int_equal(g->damages, 1);
	assert_int_equal(g->damaged.slot, CHUNK_EVERY_SLOT);
	assert_false(chunk_store_is_bad(g->cs, m.places[19].ref));
	assert_true(chunk_store_is_bad(g->cs, m.places[20].ref));
	/* What is there is shared, the rest is stored anew. */
	rig_store_places(g, data, &m, 0, m.count, &again);
	for (size_t i = 0; i < m.count; i++)
		assert_int_equal(again.places[i].stored > 0, i >= 20);
	rig_check(g, &m, data, N, 65536);
	assert_true(bad_of(g).healed[0]);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

/* That a pack was sealed comes to the disk with the next synced write of anybody. */
static void sync_rows(struct rig *g)
{
	struct kv_batch *b;

	OK(kv_batch_new(&b));
	OK(kv_batch_put(b, KV_CATALOG, "x", 1, NULL, 0));
	OK(kv_write(g->kv, b, true));
	kv_batch_free(b);
}

/* More chunks than go into one batch. */
static void store_many(struct rig *g, const uint8_t *data, size_t n, struct map *m)
{
	struct chunk_writer *w = rig_writer(g, CHUNK_LZ4, m);

	for (size_t at = 0; at < n; at += 100) {
		OK(chunk_writer_append(w, data + at, 100));
		OK(chunk_writer_flush(w));
	}
	OK(rig_commit(g, w));
	chunk_writer_free(w);
	rig_reopen(g);
	assert_true(m->count > 1000);
}

/* Both steps of noticing, and the batches of the first: from number @n on nothing is written, then the power is cut. */
static void a_cut_at_any_step_of_noticing_leaves_it_to_the_next(void **state)
{
	const size_t much = 120000;
	uint8_t *data = filled(much, 8);

	(void)state;
	for (uint64_t n = 1; n <= 3; n++)
		for (uint64_t seed = 0; seed < 3; seed++) {
			struct rig *g = rig_new(0);
			struct map m = { NULL }, again = { NULL };
			struct kv *kv;

			store_many(g, data, much, &m);
			sync_rows(g);
			rig_lose(g, m.places[0].ref.pack);
			kv_mem_plan_faults(g->kv, n, 1000, -EIO);
			assert_int_equal(read_place(g, &m, 0, data), -EIO);
			assert_int_equal(g->damages, n == 3);
			OK(kv_mem_cut_torn(g->kv, seed, &kv));
			assert_null(chunk_store_close(g->cs));
			kv_close(g->kv);
			g->kv = kv;
			rig_open(g);
			rig_store_places(g, data, &m, 0, m.count, &again);
			rig_check(g, &m, data, much, 1 << 20);
			/* If it was written down after all, the cut came before it was told. */
			assert_true(g->damages <= 1);
			assert_int_equal(bad_of(g).count, 1);
			assert_true(bad_of(g).healed[0]);
			map_fini(&m);
			map_fini(&again);
			rig_free(g);
		}
	free(data);
}

static void many_small_packs(struct rig *g, uint8_t *data, struct map m[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		m[i] = (struct map){ NULL };
		store_sealed(g, data + i * 20000, 20000, &m[i]);
	}
}

static void what_is_missing_is_found_in_one_walk(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(20 * 20000, 9);
	struct map m[20];

	many_small_packs(g, data, m, 20);
	for (unsigned i = 0; i < 19; i++)
		rig_lose(g, m[i].places[0].ref.pack);
	assert_int_equal(read_place(g, &m[5], 0, data + 5 * 20000), -EIO);
	assert_int_equal(g->damages, 19);
	assert_int_equal(bad_of(g).count, 19);
	rig_check(g, &m[19], data + 19 * 20000, 20000, 20000);
	for (unsigned i = 0; i < 20; i++)
		map_fini(&m[i]);
	free(data);
}

static void a_folder_without_any_pack_is_a_disk_that_is_not_there(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(20 * 20000, 10);
	struct pack *p[20];
	struct map m[20];

	many_small_packs(g, data, m, 20);
	for (unsigned i = 0; i < 20; i++) {
		OK(pack_open(g->packs, m[i].places[0].ref.pack, &p[i]));
		rig_lose(g, m[i].places[0].ref.pack);
	}
	assert_int_equal(read_place(g, &m[5], 0, data + 5 * 20000), -EIO);
	assert_int_equal(g->damages, 0);
	assert_int_equal(bad_of(g).count, 0);
	assert_int_equal(rows_of(g, "L"), 0);
	for (unsigned i = 0; i < 20; i++) {
		rig_remake(g, p[i], m[i].places[0].ref.pack, 0, INJURY_NONE);
		pack_release(p[i]);
		rig_check(g, &m[i], data + i * 20000, 20000, 20000);
		map_fini(&m[i]);
	}
	free(data);
}

static void the_collector_takes_everything_of_a_lost_pack(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 11);
	struct map m = { NULL };
	struct chunk_totals totals;
	uint64_t freed;

	for (unsigned noticed = 0; noticed < 2; noticed++) {
		store_sealed(g, data, N, &m);
		rig_lose(g, m.places[0].ref.pack);
		if (noticed)
			assert_int_equal(read_place(g, &m, 0, data), -EIO);
		OK(chunk_gc_pack(g->cs, m.places[0].ref.pack, nobody, NULL, &freed));
		assert_int_equal(index_rows(g), 0);
		assert_int_equal(rows_of(g, "L") + rows_of(g, "B") + rows_of(g, "P") + rows_of(g, "D"), 0);
		assert_int_equal(bad_of(g).count, 0);
		chunk_store_totals(g->cs, &totals);
		assert_int_equal(totals.packs + totals.stored_bytes, 0);
		map_fini(&m);
	}
	free(data);
}

/* What was fetched ahead failed before it was healed. */
static void a_reader_does_not_remember_a_failure(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 14), got[4096];
	struct map m = { NULL }, again = { NULL };
	struct chunk_reader *r;
	size_t at = 0;

	store_sealed(g, data, N, &m);
	rig_injure(g, m.places[12].ref, INJURY_BYTES);
	OK(chunk_reader_new(g->cs, map_source, &m, &r));
	for (; at < 4 * sizeof(got); at += sizeof(got))
		OK(chunk_reader_read(r, at, got, sizeof(got)));
	while (!bad_of(g).count)	/* the look-ahead comes to it by itself */
		;
	rig_store_places(g, data, &m, 12, 1, &again);
	for (; at < N; at += sizeof(got)) {
		OK(chunk_reader_read(r, at, got, sizeof(got)));
		assert_memory_equal(got, data + at, sizeof(got));
	}
	chunk_reader_free(r);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

/* The index told of another place when the pack was lost, so nobody knows what it was: but how long. */
static void a_chunk_that_nobody_knows_costs_itself_only(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 15);
	struct map m = { NULL }, again = { NULL };
	struct pack_entry e;
	struct pack *p;

	store_sealed(g, data, N, &m);
	OK(pack_open(g->packs, m.places[4].ref.pack, &p));
	OK(pack_entry(p, m.places[4].ref.slot, &e));
	pack_release(p);
	rig_index(g, &e.digest, (struct pack_ref){ 999, 9 }, e.raw_len);
	rig_lose(g, m.places[0].ref.pack);
	rig_store_places(g, data, &m, 0, m.count, &again);
	for (size_t i = 0; i < m.count; i++)
		assert_int_equal(read_place(g, &m, i, data), i == 4 ? -EIO : 0);
	assert_true(chunk_store_is_bad(g->cs, m.places[4].ref));
	assert_false(bad_of(g).healed[0]);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

/* Damaged, healed and then lost with its pack: it was written down what it was. */
static void a_healed_chunk_stays_healed_when_its_pack_is_lost(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 16);
	struct map m = { NULL }, again = { NULL };

	store_sealed(g, data, N, &m);
	rig_injure(g, m.places[4].ref, INJURY_BYTES);
	assert_int_equal(read_place(g, &m, 4, data), -EBADMSG);
	rig_store_places(g, data, &m, 4, 1, &again);
	rig_lose(g, m.places[0].ref.pack);
	assert_int_equal(read_place(g, &m, 4, data), 0);
	assert_int_equal(read_place(g, &m, 5, data), -EIO);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

/* XXH3 alone is no identity: a chunk with the same first half and another MAC does not stand in. */
static void a_forgery_does_not_stand_in_for_a_lost_chunk(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(8000, 12), *other = filled(8000, 13);
	struct map m = { NULL };
	struct pack_entry e = { .raw_len = 8000, .stored_len = 8000 };
	struct digester *d;
	struct pack *p;
	uint32_t slot;

	store_sealed(g, data, 8000, &m);
	rig_lose(g, m.places[0].ref.pack);
	assert_int_equal(read_place(g, &m, 0, data), -EIO);
	OK(digester_new(g->cfg.key, &d));
	OK(digest_of(d, data, 8000, &e.digest));
	digester_free(d);
	e.digest.b[16] ^= 1;
	OK(pack_create(g->packs, 40, &p));
	OK(pack_append(p, &e, other, &slot));
	OK(pack_seal(p));
	pack_release(p);
	rig_index(g, &e.digest, (struct pack_ref){ 40, 0 }, 8000);
	assert_int_equal(read_place(g, &m, 0, data), -EIO);
	assert_true(chunk_store_is_bad(g->cs, m.places[0].ref));
	map_fini(&m);
	free(data);
	free(other);
}

#define BOTH(f) cmocka_unit_test_setup_teardown(f, serial, gone), cmocka_unit_test_setup_teardown(f, threads, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_damaged_chunk_is_read_from_another_pack),
		BOTH(the_other_one_may_be_damaged_too),
		BOTH(a_lost_pack_is_told_once_and_heals),
		BOTH(a_writer_that_meets_a_lost_pack_notices),
		BOTH(of_a_lost_pack_exactly_what_came_again_is_read),
		BOTH(a_pack_that_comes_back_is_as_it_was),
		BOTH(a_pack_cut_short_loses_what_was_behind),
		BOTH(a_reader_does_not_remember_a_failure),
		BOTH(a_chunk_that_nobody_knows_costs_itself_only),
		BOTH(a_healed_chunk_stays_healed_when_its_pack_is_lost),
		cmocka_unit_test(a_cut_at_any_step_of_noticing_leaves_it_to_the_next),
		cmocka_unit_test_setup_teardown(what_is_missing_is_found_in_one_walk, serial, gone),
		cmocka_unit_test_setup_teardown(a_folder_without_any_pack_is_a_disk_that_is_not_there, serial, gone),
		cmocka_unit_test_setup_teardown(the_collector_takes_everything_of_a_lost_pack, serial, gone),
		cmocka_unit_test_setup_teardown(a_forgery_does_not_stand_in_for_a_lost_chunk, serial, gone),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
