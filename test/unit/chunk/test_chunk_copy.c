/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_copy: what moves and how often, who shares with whom meanwhile, and a cut between any two steps. */
#include <unistd.h>

#include "rig.h"

#define N (2u << 20)

static int serial(void **state) { return (*state = rig_new(0)) == NULL; }
static int threads(void **state) { return (*state = rig_new(3)) == NULL; }
static int gone(void **state) { return (*state = rig_free(*state)) != NULL; }

static int nobody(void *ctx, uint64_t pack) { (void)ctx; (void)pack; return 0; }

static struct chunk_copier *copier_of(struct rig *g, uint64_t pack)
{
	struct chunk_copier *c;

	OK(chunk_copier_new(g->cs, &pack, 1, &c));
	return c;
}

/* The map as it is once its chunks of the copier's packs have moved. */
static uint32_t move_map(struct chunk_copier *c, const struct map *from, size_t first, size_t count, struct map *to)
{
	uint32_t sum = 0, copied;

	for (size_t i = first; i < first + count; i++) {
		struct chunk_place p = from->places[i];

		OK(chunk_copier_move(c, from->places[i].ref, &p.ref, &copied));
		sum += copied;
		OK(map_add(to, &p));
	}
	return sum;
}

static size_t bytes_of(const struct map *m, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += m->places[i].len;
	return n;
}

static int commit_copier(struct rig *g, struct chunk_copier *c)
{
	struct kv_batch *b;
	int r;

	OK(kv_batch_new(&b));
	r = chunk_copier_begin_commit(c, b);
	r = r ? r : kv_write(g->kv, b, true);
	chunk_copier_end_commit(c, r == 0);
	kv_batch_free(b);
	return r;
}

static void store_sealed(struct rig *g, const uint8_t *data, size_t n, enum chunk_codec codec, struct map *m)
{
	rig_store(g, data, n, codec, m);
	rig_reopen(g);
}

static uint32_t stored_bytes(struct rig *g, struct pack_ref ref, uint8_t *codec)
{
	struct pack_entry e;
	struct pack *p;

	OK(pack_open(g->packs, ref.pack, &p));
	OK(pack_entry(p, ref.slot, &e));
	pack_release(p);
	*codec = e.codec;
	return e.stored_len;
}

static void what_is_in_use_moves_and_the_pack_goes(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 1), codec;
	struct map m = { NULL }, moved = { NULL }, again = { NULL };
	struct chunk_copier *c;
	uint64_t freed, old;
	size_t half;
	uint32_t sum;

	store_sealed(g, data, N, CHUNK_ZSTD, &m);
	old = m.places[0].ref.pack;
	half = m.count / 2;
	c = copier_of(g, old);
	sum = move_map(c, &m, 0, half, &moved);
	for (size_t i = 0; i < half; i++) {
		sum -= m.places[i].stored;
		/* In the order in which it was asked for. */
		assert_int_equal(moved.places[i].ref.pack, moved.places[0].ref.pack);
		assert_int_equal(moved.places[i].ref.slot, i);
	}
	assert_int_equal(sum, 0);
	OK(commit_copier(g, c));
	chunk_copier_free(c);
	OK(chunk_gc_pack(g->cs, old, map_names, &moved, &freed));
	assert_true(freed > 0);
	assert_false(pack_exists(g->packs, old));
	rig_check(g, &moved, data, moved.bytes, 65536);
	rig_cut(g, 0);
	rig_check(g, &moved, data, moved.bytes, 65536);
	assert_int_equal(index_rows(g), half);
	/* Stored bytes were copied as they were, and are shared in their new place. */
	assert_int_equal(stored_bytes(g, moved.places[1].ref, &codec) + PACK_ENTRY_GAP, m.places[1].stored);
	assert_int_equal(codec, CHUNK_ZSTD);
	rig_store(g, data, moved.bytes, CHUNK_PLAIN, &again);
	assert_int_equal(again.stored, 0);
	assert_int_equal(g->damages, 0);
	map_fini(&m);
	map_fini(&moved);
	map_fini(&again);
	free(data);
}

static void a_chunk_is_copied_once(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 2);
	struct map m = { NULL }, moved = { NULL };
	struct chunk_copier *c;
	struct pack_ref to;
	uint32_t copied;

	store_sealed(g, data, N, CHUNK_LZ4, &m);
	c = copier_of(g, m.places[0].ref.pack);
	assert_true(move_map(c, &m, 0, m.count, &moved) > 0);
	for (unsigned twice = 0; twice < 2; twice++) {
		for (size_t i = 0; i < m.count; i++) {
			OK(chunk_copier_move(c, m.places[i].ref, &to, &copied));
			assert_int_equal(to.pack, moved.places[i].ref.pack);
			assert_int_equal(to.slot, moved.places[i].ref.slot);
			assert_int_equal(copied, 0);
		}
		OK(commit_copier(g, c));
	}
	/* What is not the copier's, or not there. */
	assert_int_equal(chunk_copier_move(c, (struct pack_ref){ 999, 0 }, &to, &copied), -EINVAL);
	assert_int_equal(chunk_copier_move(c, (struct pack_ref){ m.places[0].ref.pack, 99999 }, &to, &copied),
			 -EUCLEAN);
	chunk_copier_free(c);
	map_fini(&m);
	map_fini(&moved);
	free(data);
}

static void its_packs_are_no_targets_while_it_lives(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 3);
	struct map m = { NULL }, cold = { NULL }, after = { NULL };
	struct chunk_copier *c;
	uint64_t freed;

	for (unsigned warm = 0; warm < 2; warm++) {
		struct map before = { NULL }, during = { NULL };

		store_sealed(g, data, N, CHUNK_LZ4, &m);
		if (warm)	/* with its table in memory */
			rig_store(g, data, N, CHUNK_LZ4, &before);
		assert_int_equal(before.stored, 0);
		c = copier_of(g, m.places[0].ref.pack);
		rig_store(g, data, 200000, CHUNK_LZ4, &during);
		assert_true(during.stored > 0);
		assert_false(map_names(&during, m.places[0].ref.pack));
		/* Also behind a collector that found it in use. */
		assert_int_equal(chunk_gc_pack(g->cs, m.places[0].ref.pack, map_names, &m, &freed), CHUNK_E_IN_USE);
		rig_store(g, data + N / 2, N / 2, CHUNK_LZ4, &cold);
		assert_false(map_names(&cold, m.places[0].ref.pack));
		chunk_copier_free(c);
		rig_store(g, data, N, CHUNK_LZ4, &after);
		assert_true(map_names(&after, m.places[0].ref.pack));
		rig_reopen(g);
		OK(chunk_gc_pack(g->cs, m.places[0].ref.pack, nobody, NULL, &freed));
		for (uint64_t n = 1; n < 2000; n++)
			OK(chunk_gc_pack(g->cs, n, nobody, NULL, &freed));
		map_fini(&m);
		map_fini(&before);
		map_fini(&during);
		map_fini(&cold);
		map_fini(&after);
	}
	free(data);
}

/* It was given places in the pack before, and writes its map after the copier went through all maps. */
static void a_writer_that_shared_before_keeps_the_pack(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 4);
	struct map m = { NULL }, late = { NULL }, moved = { NULL };
	struct chunk_copier *c;
	struct chunk_writer *w;
	uint64_t freed, old;
	size_t half;

	store_sealed(g, data, N, CHUNK_LZ4, &m);
	old = m.places[0].ref.pack;
	half = bytes_of(&m, m.count / 2);
	w = rig_writer(g, CHUNK_LZ4, &late);
	OK(chunk_writer_append(w, data, half));
	OK(chunk_writer_flush(w));
	assert_int_equal(late.stored, 0);
	c = copier_of(g, old);
	OK(chunk_writer_append(w, data + half, N - half));
	OK(chunk_writer_flush(w));
	assert_true(late.stored > 0);
	move_map(c, &m, 0, m.count, &moved);
	OK(commit_copier(g, c));
	assert_int_equal(chunk_gc_pack(g->cs, old, map_names, &moved, &freed), CHUNK_E_IN_USE);
	OK(rig_commit(g, w));
	chunk_writer_free(w);
	assert_int_equal(chunk_gc_pack(g->cs, old, map_names, &late, &freed), CHUNK_E_IN_USE);
	rig_check(g, &late, data, N, 65536);
	/* The next round moves its places too, and copies nothing again. */
	map_fini(&m);
	m = late;
	late = (struct map){ NULL };
	for (size_t i = 0; i < m.count; i++) {
		struct chunk_place p = m.places[i];
		uint32_t copied = 0;

		if (p.ref.pack == old)
			OK(chunk_copier_move(c, p.ref, &p.ref, &copied));
		assert_int_equal(copied, 0);
		OK(map_add(&late, &p));
	}
	OK(commit_copier(g, c));
	OK(chunk_gc_pack(g->cs, old, map_names, &late, &freed));
	rig_check(g, &late, data, N, 65536);
	rig_check(g, &moved, data, N, 65536);
	chunk_copier_free(c);
	map_fini(&m);
	map_fini(&late);
	map_fini(&moved);
	free(data);
}

/* A writer shares what was copied before the copier commits, and its own commit makes that safe. */
static void writers_share_the_new_place_at_once(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 5);
	struct map m = { NULL }, moved = { NULL }, shared = { NULL };
	struct chunk_copier *c;

	store_sealed(g, data, N, CHUNK_LZ4, &m);
	c = copier_of(g, m.places[0].ref.pack);
	move_map(c, &m, 0, m.count, &moved);
	rig_store(g, data, N, CHUNK_LZ4, &shared);
	assert_int_equal(shared.stored, 0);
	assert_false(map_names(&shared, m.places[0].ref.pack));
	chunk_copier_free(c);
	rig_cut(g, 0);
	rig_check(g, &shared, data, N, 65536);
	map_fini(&m);
	map_fini(&moved);
	map_fini(&shared);
	free(data);
}

static void what_is_elsewhere_already_is_not_copied(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 6);
	struct map m = { NULL }, other = { NULL }, moved = { NULL };
	struct chunk_copier *c;

	store_sealed(g, data, N, CHUNK_LZ4, &m);
	c = copier_of(g, m.places[0].ref.pack);
	rig_store(g, data, N, CHUNK_PLAIN, &other);
	assert_true(other.stored > 0);
	assert_int_equal(move_map(c, &m, 0, m.count, &moved), 0);
	assert_int_equal(moved.places[3].ref.pack, other.places[3].ref.pack);
	OK(commit_copier(g, c));
	chunk_copier_free(c);
	rig_check(g, &moved, data, N, 65536);
	map_fini(&m);
	map_fini(&other);
	map_fini(&moved);
	free(data);
}

static void a_damaged_chunk_is_not_copied(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 7);
	struct map m = { NULL }, again = { NULL }, moved = { NULL };
	uint64_t packs[2], freed;
	struct chunk_copier *c;
	struct pack_ref to;
	uint32_t copied;

	store_sealed(g, data, N, CHUNK_LZ4, &m);
	rig_injure(g, m.places[5].ref, INJURY_BYTES);
	c = copier_of(g, m.places[0].ref.pack);
	move_map(c, &m, 0, 5, &moved);
	assert_int_equal(chunk_copier_move(c, m.places[5].ref, &to, &copied), -EBADMSG);
	assert_int_equal(g->damages, 1);
	move_map(c, &m, 6, m.count - 6, &moved);
	OK(commit_copier(g, c));
	chunk_copier_free(c);
	map_fini(&moved);

	/* There is another now: it is moved instead, be it in a pack that goes as well. */
	rig_store_places(g, data, &m, 5, 1, &again);
	assert_true(again.stored > 0);
	rig_reopen(g);
	packs[0] = m.places[5].ref.pack;
	packs[1] = again.places[0].ref.pack;
	OK(chunk_copier_new(g->cs, packs, packs[0] == packs[1] ? 1 : 2, &c));
	move_map(c, &m, 0, m.count, &moved);
	OK(commit_copier(g, c));
	chunk_copier_free(c);
	OK(chunk_gc_pack(g->cs, packs[0], map_names, &moved, &freed));
	OK(chunk_gc_pack(g->cs, packs[1], map_names, &moved, &freed));
	rig_check(g, &moved, data, N, 65536);
	assert_int_equal(g->damages, 1);
	map_fini(&m);
	map_fini(&again);
	map_fini(&moved);
	free(data);
}

static void the_chunks_of_a_lost_pack_move_when_they_came_again(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 8);
	struct map m = { NULL }, again = { NULL }, moved = { NULL };
	struct chunk_copier *c;
	struct pack_ref to;
	uint64_t freed;
	uint32_t copied;

	store_sealed(g, data, N, CHUNK_LZ4, &m);
	rig_lose(g, m.places[0].ref.pack);
	c = copier_of(g, m.places[0].ref.pack);
	assert_int_equal(chunk_copier_move(c, m.places[0].ref, &to, &copied), -ENOENT);
	assert_int_equal(g->damages, 1);
	rig_store(g, data, N, CHUNK_LZ4, &again);
	assert_int_equal(move_map(c, &m, 0, m.count, &moved), 0);
	OK(commit_copier(g, c));
	chunk_copier_free(c);
	OK(chunk_gc_pack(g->cs, m.places[0].ref.pack, map_names, &moved, &freed));
	rig_check(g, &moved, data, N, 65536);
	map_fini(&m);
	map_fini(&again);
	map_fini(&moved);
	free(data);
}

static void the_reserve_is_for_copying_but_for_a_quarter(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 9), *more = filled(N, 10);
	struct map m = { NULL }, moved = { NULL }, w0 = { NULL }, w1 = { NULL };
	struct chunk_writer_config cfg = { .codec = CHUNK_PLAIN, .use_reserve = true };
	struct chunk_writer *w;
	struct chunk_copier *c;
	struct pack_ref to;
	uint32_t copied;

	store_sealed(g, data, N, CHUNK_PLAIN, &m);
	g->cfg.reserve_bytes = 4 * N;
	rig_reopen(g);
	packs_mem_set_space(g->packs, 4 * N, 100 * N);
	w = rig_writer(g, CHUNK_PLAIN, &w0);
	assert_int_equal(chunk_writer_append(w, more, N), -ENOSPC);
	c = copier_of(g, m.places[0].ref.pack);
	move_map(c, &m, 0, m.count / 2, &moved);
	packs_mem_set_space(g->packs, N, 100 * N);
	usleep(210000);		/* what was asked of the file system counts for a fifth of a second */
	assert_int_equal(chunk_copier_move(c, m.places[m.count - 1].ref, &to, &copied), -ENOSPC);
	/* Nothing is spoilt by that. */
	packs_mem_set_space(g->packs, 3 * N, 100 * N);
	move_map(c, &m, m.count / 2, m.count - m.count / 2, &moved);
	OK(commit_copier(g, c));
	rig_check(g, &moved, data, N, 65536);
	chunk_copier_free(c);
	chunk_writer_free(w);

	packs_mem_set_space(g->packs, 4 * N, 100 * N);
	OK(chunk_writer_new(g->cs, &cfg, map_add, &w1, &w));
	OK(chunk_writer_append(w, more, N / 2));
	OK(chunk_writer_flush(w));
	OK(rig_commit(g, w));
	chunk_writer_free(w);
	map_fini(&m);
	map_fini(&moved);
	map_fini(&w0);
	map_fini(&w1);
	free(data);
	free(more);
}

/* 0: something is copied; 1: and synced; 2: and the batch is written; 3: and the old pack removed. */
static void cut_at(unsigned step, uint64_t seed, unsigned codec)
{
	struct rig *g = rig_new(0);
	uint8_t *data = filled(N, 11);
	struct map m = { NULL }, moved = { NULL }, again = { NULL };
	struct chunk_copier *c;
	struct kv_batch *b;
	uint64_t freed;

	store_sealed(g, data, N, codec, &m);
	c = copier_of(g, m.places[0].ref.pack);
	move_map(c, &m, 0, m.count, &moved);
	OK(kv_batch_new(&b));
	if (step >= 1)
		OK(chunk_copier_begin_commit(c, b));
	if (step >= 2) {
		OK(kv_write(g->kv, b, true));
		chunk_copier_end_commit(c, true);
	}
	if (step >= 3)
		OK(chunk_gc_pack(g->cs, m.places[0].ref.pack, map_names, &moved, &freed));
	chunk_copier_free(c);
	kv_batch_free(b);
	rig_cut(g, seed);
	/* Before the batch the maps name the old places, after it the new ones. */
	if (step < 3)
		rig_check(g, &m, data, N, 65536);
	if (step >= 2)
		rig_check(g, &moved, data, N, 65536);
	rig_store(g, data, N, CHUNK_PLAIN, &again);
	assert_int_equal(again.stored, 0);
	rig_check(g, &again, data, N, 65536);
	assert_int_equal(g->damages, 0);
	map_fini(&m);
	map_fini(&moved);
	map_fini(&again);
	rig_free(g);
	free(data);
}

static void a_cut_between_any_two_steps_loses_nothing(void **state)
{
	(void)state;
	for (unsigned step = 0; step <= 3; step++)
		for (uint64_t seed = 0; seed < 6; seed++)
			cut_at(step, seed, seed % 2 ? CHUNK_LZ4 : CHUNK_ZSTD);
}

static void what_fails_leaves_the_old_places(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 12);
	struct map m = { NULL }, moved = { NULL };
	struct chunk_copier *c;
	struct pack_ref to;
	uint32_t copied;

	store_sealed(g, data, N, CHUNK_LZ4, &m);
	c = copier_of(g, m.places[0].ref.pack);
	packs_mem_plan_fault(g->packs, 3, -EIO);
	OK(chunk_copier_move(c, m.places[0].ref, &to, &copied));
	OK(chunk_copier_move(c, m.places[1].ref, &to, &copied));
	assert_int_equal(chunk_copier_move(c, m.places[2].ref, &to, &copied), -EIO);
	/* A batch that is not written: in the next commit. */
	move_map(c, &m, 0, m.count, &moved);
	kv_mem_plan_fault(g->kv, 1, -ENOSPC);
	assert_int_equal(commit_copier(g, c), -ENOSPC);
	rig_check(g, &m, data, N, 65536);
	OK(commit_copier(g, c));
	chunk_copier_free(c);
	rig_cut(g, 0);
	rig_check(g, &moved, data, N, 65536);
	map_fini(&m);
	map_fini(&moved);
	free(data);
}

static void how_much_of_a_pack_is_live(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 13), live[2] = { 0x81, 0x01 };
	struct map m = { NULL };
	uint64_t in_use, all;

	store_sealed(g, data, N, CHUNK_LZ4, &m);
	OK(chunk_pack_live(g->cs, m.places[0].ref.pack, live, sizeof(live), &in_use, &all));
	assert_int_equal(all, m.stored);
	assert_int_equal(in_use, (uint64_t)m.places[0].stored + m.places[7].stored + m.places[8].stored);
	OK(chunk_pack_live(g->cs, m.places[0].ref.pack, live, 0, &in_use, &all));
	assert_int_equal(in_use, 0);
	assert_int_equal(chunk_pack_live(g->cs, 999, live, 2, &in_use, &all), -ENOENT);
	map_fini(&m);
	free(data);
}

static void packs_that_wait_are_sealed_when_asked(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 14);
	struct map m = { NULL }, mine = { NULL };
	struct chunk_writer *w;
	uint64_t number, bytes;

	rig_store(g, data, N / 2, CHUNK_LZ4, &m);
	assert_int_equal(chunk_store_next_pack(g->cs, 0, &number, &bytes), CHUNK_E_END);
	OK(chunk_store_seal_idle(g->cs));
	OK(chunk_store_next_pack(g->cs, 0, &number, &bytes));
	assert_int_equal(number, m.places[0].ref.pack);
	/* That of a writer is its own. */
	w = rig_writer(g, CHUNK_LZ4, &mine);
	OK(chunk_writer_append(w, data + N / 2, N / 2));
	OK(chunk_writer_flush(w));
	OK(chunk_store_seal_idle(g->cs));
	assert_int_equal(chunk_store_next_pack(g->cs, number + 1, &number, &bytes), CHUNK_E_END);
	OK(rig_commit(g, w));
	chunk_writer_free(w);
	rig_check(g, &mine, data + N / 2, N / 2, 65536);
	map_fini(&m);
	map_fini(&mine);
	free(data);
}

/* ---- readers meanwhile ------------------------------------------------------------------------------------------ */

/* A tape's map: what a reader remembers of it, and what is on disk. */
struct two_maps { struct map *seen, *disk; };

static int remembering_source(void *ctx, uint64_t offset, bool fresh, struct chunk_extent *out, uint64_t *start)
{
	struct two_maps *t = ctx;

	if (fresh)
		t->seen = t->disk;
	return map_source(t->seen, offset, fresh, out, start);
}

static void a_reader_with_an_old_map_asks_again(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 15), *got = malloc(N);
	struct map m = { NULL }, moved = { NULL };
	struct two_maps maps = { &m, &moved };
	struct chunk_copier *c;
	struct chunk_reader *r;
	uint64_t freed;

	store_sealed(g, data, N, CHUNK_LZ4, &m);
	OK(chunk_reader_new(g->cs, remembering_source, &maps, &r));
	OK(chunk_reader_read(r, 5000, got, 4096));
	assert_memory_equal(got, data + 5000, 4096);
	c = copier_of(g, m.places[0].ref.pack);
	move_map(c, &m, 0, m.count, &moved);
	OK(commit_copier(g, c));
	chunk_copier_free(c);
	OK(chunk_gc_pack(g->cs, m.places[0].ref.pack, map_names, &moved, &freed));
	assert_int_equal(m.fresh_calls + moved.fresh_calls, 0);
	for (size_t at = N / 4; at < N / 2; at += 4096) {
		OK(chunk_reader_read(r, at, got, 4096));
		assert_memory_equal(got, data + at, 4096);
	}
	OK(chunk_reader_read(r, N / 2, got, N / 2));
	assert_memory_equal(got, data + N / 2, N / 2);
	assert_int_equal(moved.fresh_calls, 1);
	assert_int_equal(g->damages, 0);
	/* If the map on disk names it too, also when it is asked behind that, it is lost, whatever rows say. */
	maps.disk = maps.seen = &m;
	chunk_reader_forget(r);
	assert_int_equal(chunk_reader_read(r, 0, got, 10), -EIO);
	assert_int_equal(m.fresh_calls, 2);
	assert_int_equal(g->damages, 1);
	chunk_reader_free(r);
	map_fini(&m);
	map_fini(&moved);
	free(data);
	free(got);
}

#define BOTH(f) cmocka_unit_test_setup_teardown(f, serial, gone), cmocka_unit_test_setup_teardown(f, threads, gone)

/* Copies that a cut left uncommitted are finished with their pack, and the collector takes them away again. */
static void copies_that_no_map_names_take_no_row_along(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 15);
	struct map m = { NULL }, moved = { NULL }, again = { NULL };
	struct chunk_copier *c;
	struct kv_batch *b;
	uint64_t freed, old, number;

	store_sealed(g, data, N, CHUNK_LZ4, &m);
	old = m.places[0].ref.pack;
	c = copier_of(g, old);
	move_map(c, &m, 0, m.count, &moved);
	number = moved.places[0].ref.pack;
	/* The copies are on disk, what names them is not. */
	OK(kv_batch_new(&b));
	OK(chunk_copier_begin_commit(c, b));
	chunk_copier_end_commit(c, false);
	kv_batch_free(b);
	chunk_copier_free(c);
	rig_cut(g, 0);
	assert_int_equal(chunk_store_finished(g->cs), 1);
	OK(chunk_gc_pack(g->cs, number, map_names, &m, &freed));
	assert_false(pack_exists(g->packs, number));
	assert_int_equal(index_rows(g), m.count);
	rig_check(g, &m, data, N, 65536);
	rig_reopen(g);
	rig_store(g, data, N, CHUNK_LZ4, &again);
	assert_int_equal(again.stored, 0);
	map_fini(&m);
	map_fini(&moved);
	map_fini(&again);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(what_is_in_use_moves_and_the_pack_goes),
		BOTH(a_chunk_is_copied_once),
		BOTH(its_packs_are_no_targets_while_it_lives),
		BOTH(a_writer_that_shared_before_keeps_the_pack),
		BOTH(writers_share_the_new_place_at_once),
		BOTH(what_is_elsewhere_already_is_not_copied),
		BOTH(a_damaged_chunk_is_not_copied),
		BOTH(the_chunks_of_a_lost_pack_move_when_they_came_again),
		cmocka_unit_test_setup_teardown(the_reserve_is_for_copying_but_for_a_quarter, serial, gone),
		cmocka_unit_test(a_cut_between_any_two_steps_loses_nothing),
		cmocka_unit_test_setup_teardown(what_fails_leaves_the_old_places, serial, gone),
		BOTH(how_much_of_a_pack_is_live),
		BOTH(packs_that_wait_are_sealed_when_asked),
		BOTH(a_reader_with_an_old_map_asks_again),
		BOTH(copies_that_no_map_names_take_no_row_along),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
