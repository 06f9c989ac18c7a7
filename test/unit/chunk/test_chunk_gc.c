/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_gc: what is removed, what is left alone and why, and a cut in the middle. */
#include "rig.h"

#define N (1u << 20)

static int serial(void **state) { return (*state = rig_new(0)) == NULL; }
static int gone(void **state) { return (*state = rig_free(*state)) != NULL; }

static int nobody(void *ctx, uint64_t pack) { (void)ctx; (void)pack; return 0; }
static int broken(void *ctx, uint64_t pack) { (void)ctx; (void)pack; return -EIO; }

static void a_pack_that_nobody_names_goes_with_its_rows(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 1);
	struct map m = { NULL };
	struct chunk_totals before, after;
	uint64_t freed = 0, number, bytes;

	rig_store(g, data, N, CHUNK_LZ4, &m);
	rig_reopen(g);
	chunk_store_totals(g->cs, &before);
	OK(chunk_gc_pack(g->cs, 1, nobody, NULL, &freed));
	assert_int_equal(freed, before.stored_bytes);
	assert_false(pack_exists(g->packs, 1));
	assert_int_equal(index_rows(g), 0);
	chunk_store_totals(g->cs, &after);
	assert_int_equal(after.packs, 0);
	assert_int_equal(after.chunks, 0);
	assert_int_equal(after.stored_bytes, 0);
	assert_int_equal(chunk_store_next_pack(g->cs, 0, &number, &bytes), CHUNK_E_END);
	/* Once more is no error and frees nothing. */
	freed = 77;
	OK(chunk_gc_pack(g->cs, 1, nobody, NULL, &freed));
	assert_int_equal(freed, 0);
	rig_cut(g, 0);
	chunk_store_totals(g->cs, &after);
	assert_int_equal(after.packs, 0);
	map_fini(&m);
	/* What comes again is stored again. */
	rig_store(g, data, N, CHUNK_LZ4, &m);
	assert_true(m.stored > 0);
	rig_check(g, &m, data, N, 65536);
	map_fini(&m);
	free(data);
}

static void a_pack_that_a_map_names_stays(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 2);
	struct map m = { NULL }, again = { NULL };
	uint64_t freed = 0;

	rig_store(g, data, N, CHUNK_LZ4, &m);
	rig_reopen(g);
	assert_int_equal(chunk_gc_pack(g->cs, 1, map_names, &m, &freed), CHUNK_E_IN_USE);
	assert_int_equal(chunk_gc_pack(g->cs, 1, broken, NULL, &freed), -EIO);
	assert_int_equal(freed, 0);
	rig_check(g, &m, data, N, 65536);
	/* And it is a target as before. */
	rig_store(g, data, N, CHUNK_LZ4, &again);
	assert_int_equal(again.stored, 0);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

static void a_pack_being_written_stays(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 3);
	struct map m = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_LZ4, &m);
	uint64_t freed = 0;

	OK(chunk_writer_append(w, data, N));
	OK(chunk_writer_flush(w));
	assert_int_equal(chunk_gc_pack(g->cs, 1, nobody, NULL, &freed), CHUNK_E_IN_USE);
	OK(rig_commit(g, w));
	chunk_writer_free(w);
	assert_int_equal(chunk_gc_pack(g->cs, 1, nobody, NULL, &freed), CHUNK_E_IN_USE);
	rig_check(g, &m, data, N, 65536);
	map_fini(&m);
	free(data);
}

/* A writer has told its caller of a chunk in the pack, but no map on disk can name it yet. */
static void a_pack_touched_since_the_last_commit_stays(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 4);
	struct map m = { NULL }, again = { NULL };
	struct chunk_writer *w;
	struct kv_batch *b;
	uint64_t freed = 0;

	rig_store(g, data, N, CHUNK_LZ4, &m);
	rig_reopen(g);
	w = rig_writer(g, CHUNK_LZ4, &again);
	OK(chunk_writer_append(w, data, N));
	OK(chunk_writer_flush(w));
	assert_int_equal(again.stored, 0);
	assert_int_equal(chunk_gc_pack(g->cs, 1, nobody, NULL, &freed), CHUNK_E_IN_USE);
	OK(kv_batch_new(&b));
	OK(chunk_writer_begin_commit(w, b));
	assert_int_equal(chunk_gc_pack(g->cs, 1, nobody, NULL, &freed), CHUNK_E_IN_USE);
	chunk_writer_end_commit(w, false);
	assert_int_equal(chunk_gc_pack(g->cs, 1, nobody, NULL, &freed), CHUNK_E_IN_USE);
	OK(rig_commit(g, w));
	/* From here on the maps are asked, and ours names it. */
	assert_int_equal(chunk_gc_pack(g->cs, 1, map_names, &again, &freed), CHUNK_E_IN_USE);
	OK(chunk_gc_pack(g->cs, 1, nobody, NULL, &freed));
	chunk_writer_free(w);
	kv_batch_free(b);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

struct rival { struct rig *g; const uint8_t *data; struct map m; int gc_again; };

/* While the maps are asked, another stream brings the same data. */
static int write_the_same(void *ctx, uint64_t pack)
{
	struct rival *v = ctx;
	uint64_t freed;

	rig_store(v->g, v->data, N, CHUNK_LZ4, &v->m);
	v->gc_again = chunk_gc_pack(v->g->cs, pack, nobody, NULL, &freed);
	return 0;
}

static void condemned_and_written_again(struct rig *g, bool in_memory)
{
	struct rival v = { .g = g };
	uint8_t *data = filled(N, 5);
	struct map m = { NULL };
	uint64_t freed = 0;

	v.data = data;
	rig_store(v.g, data, N, CHUNK_LZ4, &m);
	rig_reopen(v.g);
	if (in_memory) {
		struct map warm = { NULL };

		rig_store(v.g, data, N, CHUNK_LZ4, &warm);
		map_fini(&warm);
	}
	OK(chunk_gc_pack(v.g->cs, 1, write_the_same, &v, &freed));
	assert_true(freed > 0);
	assert_int_equal(v.gc_again, CHUNK_E_IN_USE);
	assert_true(v.m.stored > 0);
	assert_int_not_equal(v.m.places[0].ref.pack, 1);
	rig_check(v.g, &v.m, data, N, 65536);
	/* The rows that the rival wrote are its own and stay. */
	assert_int_equal(index_rows(v.g), v.m.count);
	map_fini(&m);
	map_fini(&v.m);
	free(data);
}

static void a_condemned_pack_is_no_target(void **state)
{
	condemned_and_written_again(*state, false);
}

static void a_condemned_pack_is_no_target_with_its_table_in_memory(void **state)
{
	condemned_and_written_again(*state, true);
}

/* A writer's row comes between our look at the row and the batch that deletes it: as if we had seen the old one. */
static void the_row_of_a_chunk_stored_anew_is_not_lost(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 8);
	struct map m = { NULL }, anew = { NULL }, again = { NULL };
	struct chunk_copier *c;
	uint64_t old, freed = 0;
	struct pack_entry e;
	struct pack *p;

	rig_store(g, data, N, CHUNK_LZ4, &m);
	rig_reopen(g);
	old = m.places[0].ref.pack;
	OK(chunk_copier_new(g->cs, &old, 1, &c));
	rig_store(g, data, N, CHUNK_LZ4, &anew);
	chunk_copier_free(c);
	OK(pack_open(g->packs, old, &p));
	OK(pack_entry(p, 3, &e));
	pack_release(p);
	rig_index(g, &e.digest, (struct pack_ref){ old, 3 }, e.raw_len);
	OK(chunk_gc_pack(g->cs, old, nobody, NULL, &freed));
	assert_int_equal(index_rows(g), m.count);
	rig_reopen(g);
	rig_store(g, data, N, CHUNK_LZ4, &again);
	assert_int_equal(again.stored, 0);
	map_fini(&m);
	map_fini(&anew);
	map_fini(&again);
	free(data);
}

static void a_cut_before_the_unlink_is_made_up_for(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 6);
	struct map m = { NULL };
	struct kv_batch *b;
	static const uint8_t doomed[9] = { 'D', 0, 0, 0, 0, 0, 0, 0, 1 };

	rig_store(g, data, N, CHUNK_LZ4, &m);
	rig_reopen(g);
	OK(kv_batch_new(&b));
	OK(kv_batch_put(b, KV_PACK, doomed, sizeof(doomed), NULL, 0));
	OK(kv_write(g->kv, b, true));
	kv_batch_free(b);
	assert_true(pack_exists(g->packs, 1));
	rig_cut(g, 0);
	assert_false(pack_exists(g->packs, 1));
	assert_int_equal(kv_any(g->kv, KV_PACK, "D", 1), KV_E_NONE);
	map_fini(&m);
	free(data);
}

static void a_batch_that_cannot_be_written_leaves_everything(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 7);
	struct map m = { NULL }, again = { NULL };
	uint64_t freed = 0;

	rig_store(g, data, N, CHUNK_LZ4, &m);
	rig_reopen(g);
	kv_mem_plan_fault(g->kv, 1, -ENOSPC);
	assert_int_equal(chunk_gc_pack(g->cs, 1, nobody, NULL, &freed), -ENOSPC);
	rig_check(g, &m, data, N, 65536);
	rig_store(g, data, N, CHUNK_LZ4, &again);
	assert_int_equal(again.stored, 0);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pack_that_nobody_names_goes_with_its_rows, serial, gone),
		cmocka_unit_test_setup_teardown(a_pack_that_a_map_names_stays, serial, gone),
		cmocka_unit_test_setup_teardown(a_pack_being_written_stays, serial, gone),
		cmocka_unit_test_setup_teardown(a_pack_touched_since_the_last_commit_stays, serial, gone),
		cmocka_unit_test_setup_teardown(a_condemned_pack_is_no_target, serial, gone),
		cmocka_unit_test_setup_teardown(a_condemned_pack_is_no_target_with_its_table_in_memory, serial, gone),
		cmocka_unit_test_setup_teardown(the_row_of_a_chunk_stored_anew_is_not_lost, serial, gone),
		cmocka_unit_test_setup_teardown(a_cut_before_the_unlink_is_made_up_for, serial, gone),
		cmocka_unit_test_setup_teardown(a_batch_that_cannot_be_written_leaves_everything, serial, gone),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
