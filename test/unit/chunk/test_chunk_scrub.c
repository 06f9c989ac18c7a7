/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_scrub: damage is found before anybody reads it, told once, and costs what it must. */
#include "chunk/store.h"
#include "unit/pack/raw.h"
#include "rig.h"

#define BYTES (3u << 20)

static int serial(void **state) { return (*state = rig_new(0)) == NULL; }
static int gone(void **state) { return (*state = rig_free(*state)) != NULL; }

static struct chunk_scrubbed scrub(struct rig *g, uint64_t pack)
{
	struct chunk_scrubbed s = { .damaged = 999 };

	OK(chunk_scrub_pack(g->cs, pack, &s));
	return s;
}

static void flip(struct rig *g, uint64_t number, uint64_t at)
{
	struct buf b = BUF_INIT;

	raw_get(g->packs, number, &b);
	b.data[at] ^= 2;
	raw_set(g->packs, number, b.data, b.len);
	buf_fini(&b);
}

static struct pack_entry entry_at(struct rig *g, struct pack_ref ref)
{
	struct pack_entry e;
	struct pack *p;

	OK(pack_open(g->packs, ref.pack, &p));
	OK(pack_entry(p, ref.slot, &e));
	pack_release(p);
	return e;
}

static void a_whole_pack_has_no_damage(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1);
	struct map m = { NULL };
	struct chunk_totals t;
	struct chunk_scrubbed s;

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	/* Not closed yet: nothing to do. */
	assert_int_equal(chunk_scrub_pack(g->cs, 1, &s), CHUNK_E_END);
	rig_reopen(g);
	s = scrub(g, 1);
	chunk_store_totals(g->cs, &t);
	assert_int_equal(s.bytes, t.stored_bytes);
	assert_int_equal(s.chunks, t.chunks);
	assert_int_equal(s.damaged, 0);
	assert_int_equal(g->damages, 0);
	assert_int_equal(chunk_scrub_pack(g->cs, 2, &s), CHUNK_E_END);
	map_fini(&m);
	free(data);
}

static void damage_is_found_told_once_and_healed_by_the_next_backup(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1);
	struct map m = { NULL }, again = { NULL };
	struct pack_ref first, last;
	struct chunk_scrubbed s;

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	rig_reopen(g);
	first = m.places[0].ref;
	last = m.places[m.count - 1].ref;
	flip(g, 1, entry_at(g, first).offset);
	flip(g, 1, entry_at(g, last).offset + entry_at(g, last).stored_len - 1);
	s = scrub(g, 1);
	assert_int_equal(s.chunks, last.slot + 1);
	assert_int_equal(s.damaged, 2);
	assert_int_equal(g->damages, 2);
	assert_true(chunk_store_is_bad(g->cs, first));
	assert_true(chunk_store_is_bad(g->cs, last));
	assert_int_equal(scrub(g, 1).damaged, 2);
	assert_int_equal(g->damages, 2);
	rig_reopen(g);
	assert_int_equal(scrub(g, 1).damaged, 2);
	rig_store(g, data, BYTES, CHUNK_LZ4, &again);
	assert_true(again.stored > 0);
	rig_check(g, &m, data, BYTES, 65536);
	assert_int_equal(scrub(g, 1).damaged, 0);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

/* One sector that cannot be read costs its chunk: what lies in the same run is read by itself. */
static void unreadable_sector_costs_one_chunk(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1);
	struct packs *under = g->packs;
	struct map m = { NULL };
	struct chunk_scrubbed s;

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	g->cs = chunk_store_close(g->cs);
	OK(packs_faulty_new(under, &g->packs));
	rig_open(g);
	/* A trailer and a table; then a run, then its first chunk. */
	packs_faulty_plan(g->packs, &(struct packs_fault){ .kinds = PACKS_READ, .step = 3, .error = EIO });
	assert_int_equal(scrub(g, 1).damaged, 0);
	packs_faulty_plan(g->packs, &(struct packs_fault){ .kinds = PACKS_READ, .step = 3, .error = EIO,
							   .lasting = true });
	s = scrub(g, 1);
	assert_int_equal(s.damaged, s.chunks);
	packs_faulty_plan(g->packs, NULL);
	g->cs = chunk_store_close(g->cs);
	packs_close(g->packs);
	g->packs = under;
	rig_open(g);
	map_fini(&m);
	free(data);
}

static void a_missing_pack_is_lost_and_one_that_comes_back_is_not(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1);
	struct map m = { NULL };
	struct buf b = BUF_INIT;
	struct chunk_scrubbed s;

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	rig_reopen(g);
	raw_get(g->packs, 1, &b);
	OK(pack_unlink(g->packs, 1));
	s = scrub(g, 1);
	assert_int_equal(s.bytes, 0);
	assert_int_equal(s.damaged, m.places[m.count - 1].ref.slot + 1);
	assert_int_equal(g->damages, 1);
	assert_int_equal(g->damaged.slot, CHUNK_EVERY_SLOT);
	raw_set(g->packs, 1, b.data, b.len);
	assert_int_equal(scrub(g, 1).damaged, 0);
	rig_check(g, &m, data, BYTES, 65536);
	/* Half of it is there: the other half is lost. */
	raw_set(g->packs, 1, b.data, b.len / 2);
	s = scrub(g, 1);
	assert_true(s.chunks > 0 && s.chunks < m.places[m.count - 1].ref.slot);
	assert_int_equal(s.chunks + s.damaged, m.places[m.count - 1].ref.slot + 1);
	buf_fini(&b);
	map_fini(&m);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_whole_pack_has_no_damage, serial, gone),
		cmocka_unit_test_setup_teardown(damage_is_found_told_once_and_healed_by_the_next_backup, serial, gone),
		cmocka_unit_test_setup_teardown(unreadable_sector_costs_one_chunk, serial, gone),
		cmocka_unit_test_setup_teardown(a_missing_pack_is_lost_and_one_that_comes_back_is_not, serial, gone),
	};

	return cmocka_run_group_tests_name("chunk_scrub", tests, NULL, NULL);
}
