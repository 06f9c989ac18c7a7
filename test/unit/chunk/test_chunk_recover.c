/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_recover: opening after a crash when something is damaged as well, and what opening costs. */
#include "chunk/store.h"
#include "kill.h"

#define BYTES (1u << 20)

static int serial(void **state) { return (*state = rig_new(0)) == NULL; }
static int gone(void **state) { return (*state = rig_free(*state)) != NULL; }

/* Bytes of the places before and behind number @k; the reads of that one fail unless @healed. */
static void assert_all_but(struct rig *g, struct map *m, const uint8_t *data, size_t k, bool healed)
{
	struct chunk_reader *r;
	uint8_t *got = malloc(PACK_CHUNK_MAX);
	uint64_t at = 0;

	OK(chunk_reader_new(g->cs, map_source, m, &r));
	for (size_t i = 0; i < m->count; at += m->places[i++].len) {
		int e = chunk_reader_read(r, at, got, m->places[i].len);

		assert_int_equal(e == 0, i != k || healed);
		if (!e)
			assert_memory_equal(got, data + at, m->places[i].len);
	}
	chunk_reader_free(r);
	free(got);
}

static void damaged_chunk_of_an_open_pack_costs_only_itself(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1);

	/* In the middle, and the last one. */
	for (unsigned last = 0; last < 2; last++) {
		struct map m = { NULL }, again = { NULL };
		struct pack_entry e;
		size_t k;

		data[0]++;
		fill(data, BYTES, 7 + last);
		rig_store(g, data, BYTES, CHUNK_LZ4, &m);
		rig_kill(g);
		k = last ? m.count - 1 : 5;
		e = entry_of(g, m.places[k].ref);
		injure(g, m.places[k].ref.pack, e.offset + 3, 2);
		rig_open(g);
		assert_int_equal(chunk_store_finished(g->cs), 1);
		assert_true(chunk_store_is_bad(g->cs, m.places[k].ref));
		assert_all_but(g, &m, data, k, false);
		rig_reopen(g);
		assert_true(chunk_store_is_bad(g->cs, m.places[k].ref));
		rig_store(g, data, BYTES, CHUNK_LZ4, &again);
		assert_true(again.stored > 0);
		assert_false(chunk_store_is_bad(g->cs, m.places[k].ref));
		assert_all_but(g, &m, data, k, true);
		map_fini(&m);
		map_fini(&again);
		rig_reopen(g);
	}
	free(data);
}

/* Chunks lie behind it that cannot be counted any more: the file stays as it is, what is before is served, and the next
 * backup brings back the rest. */
static void destroyed_header_of_an_open_pack_heals_like_a_lost_table(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1), *got = malloc(BYTES);
	struct map m = { NULL }, again = { NULL };
	struct buf before = BUF_INIT;
	struct chunk_reader *r;
	struct pack_entry e;
	uint64_t good = 0;

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	for (unsigned i = 0; i < 9; i++)
		good += m.places[i].len;
	rig_kill(g);
	e = entry_of(g, m.places[9].ref);
	injure(g, m.places[9].ref.pack, e.offset - 64, 30);
	raw_get(g->packs, m.places[9].ref.pack, &before);
	for (unsigned i = 0; i < 2; i++) {
		rig_open(g);
		assert_int_equal(chunk_store_finished(g->cs), 0);
		assert_raw(g->packs, m.places[9].ref.pack, &before);
		OK(chunk_reader_new(g->cs, map_source, &m, &r));
		OK(chunk_reader_read(r, 0, got, good));
		assert_memory_equal(got, data, good);
		assert_true(chunk_reader_read(r, good, got, 100) < 0);
		chunk_reader_free(r);
		assert_true(chunk_store_is_bad(g->cs, m.places[20].ref));
		g->cs = chunk_store_close(g->cs);
	}
	rig_open(g);
	rig_store(g, data, BYTES, CHUNK_LZ4, &again);
	assert_true(again.stored > 0 && again.stored < m.stored);
	rig_check(g, &again, data, BYTES, 65536);
	rig_check(g, &m, data, BYTES, 65536);
	rig_reopen(g);
	rig_check(g, &m, data, BYTES, 65536);
	map_fini(&m);
	map_fini(&again);
	buf_fini(&before);
	free(data);
	free(got);
}

/* The packs of @g below a layer that fails as planned, and back. */
static void with_faults(struct rig *g, struct packs **under, struct packs_fault fault)
{
	*under = g->packs;
	OK(packs_faulty_new(*under, &g->packs));
	packs_faulty_plan(g->packs, &fault);
}

static void without_faults(struct rig *g, struct packs *under)
{
	packs_close(g->packs);
	g->packs = under;
}

static void unreadable_open_pack_is_finished_by_a_later_start(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1);
	struct map m = { NULL };
	struct packs *under;

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	rig_kill(g);
	with_faults(g, &under, (struct packs_fault){ .kinds = PACKS_READ, .step = 1, .error = EIO, .lasting = true });
	rig_open(g);
	assert_true(packs_faulty_met(g->packs));
	assert_int_equal(chunk_store_finished(g->cs), 0);
	g->cs = chunk_store_close(g->cs);
	without_faults(g, under);
	rig_open(g);
	assert_int_equal(chunk_store_finished(g->cs), 1);
	rig_check(g, &m, data, BYTES, 65536);
	map_fini(&m);
	free(data);
}

static void put(struct rig *g, const void *key, size_t n, const void *value, size_t len)
{
	struct kv_batch *b;

	OK(kv_batch_new(&b));
	OK(kv_batch_put(b, KV_PACK, key, n, value, len));
	OK(kv_write(g->kv, b, true));
	kv_batch_free(b);
}

static void pack_that_cannot_be_removed_does_not_matter(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1), key[PACK_KEY_LEN];
	struct map m = { NULL };
	struct packs *under;
	struct pack *p;

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	g->cs = chunk_store_close(g->cs);
	OK(pack_create(g->packs, 900, &p));
	pack_release(p);
	pack_key_pack(key, PACK_KEY_DOOMED, 900);
	put(g, key, sizeof(key), "", 0);
	with_faults(g, &under, (struct packs_fault){ .kinds = PACKS_UNLINK, .step = 1, .error = EIO });
	rig_open(g);
	assert_true(packs_faulty_met(g->packs));
	assert_true(pack_exists(g->packs, 900));
	rig_check(g, &m, data, BYTES, 65536);
	g->cs = chunk_store_close(g->cs);
	without_faults(g, under);
	rig_open(g);
	assert_false(pack_exists(g->packs, 900));
	map_fini(&m);
	free(data);
}

static void malformed_rows_do_not_matter(void **state)
{
	static const char *const rows[] = { "B", "Bx", "Dshort", "Oshort", "Plonger than any", "?", "Lost" };
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1);
	struct map m = { NULL };

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	g->cs = chunk_store_close(g->cs);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		put(g, rows[i], strlen(rows[i]), "x", 1);
	put(g, "T", 1, "x", 1);
	rig_open(g);
	rig_check(g, &m, data, BYTES, 65536);
	g->cs = chunk_store_close(g->cs);
	/* But for this one. */
	put(g, "N", 1, "x", 1);
	assert_int_equal(chunk_store_open(g->kv, g->packs, g->workers, &g->cfg, &g->cs), -EUCLEAN);
	put(g, "N", 1, "\0\1\0\0\0\0\0\0", 8);
	rig_open(g);
	map_fini(&m);
	free(data);
}

/* After an orderly stop no pack is opened, read or listed, however many there are. */
static void opening_does_not_look_at_closed_packs(void **state)
{
	struct rig *g = *state;
	struct packs *under;

	for (unsigned i = 0; i < 20; i++) {
		uint8_t *data = filled(BYTES / 8, i);
		struct map m = { NULL };

		rig_store(g, data, BYTES / 8, CHUNK_LZ4, &m);
		rig_reopen(g);
		map_fini(&m);
		free(data);
	}
	g->cs = chunk_store_close(g->cs);
	with_faults(g, &under, (struct packs_fault){ .kinds = PACKS_OPEN | PACKS_READ | PACKS_LIST, .step = 1,
						     .error = EIO });
	rig_open(g);
	assert_false(packs_faulty_met(g->packs));
	g->cs = chunk_store_close(g->cs);
	without_faults(g, under);
	rig_open(g);
}

int main(void)
{
#define test(t) cmocka_unit_test_setup_teardown(t, serial, gone)
	const struct CMUnitTest tests[] = {
		test(damaged_chunk_of_an_open_pack_costs_only_itself),
		test(destroyed_header_of_an_open_pack_heals_like_a_lost_table),
		test(unreadable_open_pack_is_finished_by_a_later_start),
		test(pack_that_cannot_be_removed_does_not_matter),
		test(malformed_rows_do_not_matter),
		test(opening_does_not_look_at_closed_packs),
	};

	return cmocka_run_group_tests_name("chunk_recover", tests, NULL, NULL);
}
