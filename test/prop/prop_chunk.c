/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random operations on a store against a model: what was committed to a volume reads back, whatever else happened:
 * sessions side by side, given up or failed half-way, packs removed, the store closed, the power cut.
 *
 *	prop_chunk [SEED [STEPS]]	without a seed a few fixed ones are run; the one that fails is printed
 */
#include "unit/chunk/rig.h"

#define VOLUMES 6
#define PALETTE (3u << 20)

/* The model: the bytes on disk for sure, and those of the session that is open. */
struct volume {
	struct buf bytes;
	struct map map;
	struct chunk_writer *w;		/* a session is open */
	struct buf fresh;		/* appended in it */
	struct map fresh_map;
};

struct world {
	struct rig *g;
	struct volume volumes[VOLUMES];
	uint8_t *palette;		/* contents are taken from it, so that there is something to share */
	uint64_t seed;
	unsigned long reads, shared, stored, removed, cuts, failed;
};

static uint64_t dice(struct world *w, uint64_t sides)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (w->seed >> 33) % sides;
}

static void fresh_fini(struct volume *v)
{
	v->w = chunk_writer_free(v->w);
	buf_fini(&v->fresh);
	map_fini(&v->fresh_map);
}

static void session_begin(struct world *w, struct volume *v)
{
	struct chunk_writer_config cfg = { .codec = (enum chunk_codec)dice(w, 3), .verify = dice(w, 6) == 0 };

	OK(chunk_writer_new(w->g->cs, &cfg, map_add, &v->fresh_map, &v->w));
}

/* A failed session is given up, as a caller would. */
static void session_append(struct world *w, struct volume *v)
{
	size_t n = 1 + dice(w, dice(w, 4) ? 300000 : 3000), at = dice(w, PALETTE - n);
	int r = chunk_writer_append(v->w, w->palette + at, n);

	if (!r)
		OK(buf_append(&v->fresh, w->palette + at, n));
	if (!r && dice(w, 3) == 0)
		r = chunk_writer_flush(v->w);
	if (r) {
		w->failed++;
		fresh_fini(v);
	}
}

static void session_commit(struct world *w, struct volume *v)
{
	struct kv_batch *b;
	int r = chunk_writer_flush(v->w);

	OK(kv_batch_new(&b));
	if (!r)
		r = chunk_writer_begin_commit(v->w, b);
	/* The caller's map goes into the same batch: from here on the model has it. */
	if (!r)
		r = kv_write(w->g->kv, b, true);
	if (!r) {
		assert_int_equal(v->fresh_map.bytes, v->fresh.len);
		for (size_t i = 0; i < v->fresh_map.count; i++) {
			OK(map_add(&v->map, &v->fresh_map.places[i]));
			w->shared += !v->fresh_map.places[i].stored;
			w->stored += v->fresh_map.places[i].stored > 0;
		}
		OK(buf_append(&v->bytes, v->fresh.data, v->fresh.len));
	}
	chunk_writer_end_commit(v->w, r == 0);
	kv_batch_free(b);
	w->failed += r != 0;
	fresh_fini(v);
}

static void volume_read(struct world *w, struct volume *v)
{
	struct chunk_reader *r;
	uint8_t *got = malloc(v->bytes.len + 1);

	OK(chunk_reader_new(w->g->cs, map_source, &v->map, &r));
	for (unsigned i = 0; i < 6 && v->bytes.len; i++) {
		size_t at = dice(w, v->bytes.len), n = dice(w, v->bytes.len - at + 1);

		OK(chunk_reader_read(r, at, got, n));
		assert_memory_equal(got, v->bytes.data + at, n);
		w->reads++;
	}
	chunk_reader_free(r);
	free(got);
	if (dice(w, 3) == 0)
		rig_check(w->g, &v->map, v->bytes.data, v->bytes.len, 1 + dice(w, 400000));
}

static void volume_drop(struct volume *v)
{
	fresh_fini(v);
	buf_fini(&v->bytes);
	map_fini(&v->map);
}

static int named(void *ctx, uint64_t pack)
{
	struct world *w = ctx;
	int r = 0;

	for (unsigned i = 0; i < VOLUMES && !r; i++)
		r = map_names(&w->volumes[i].map, pack);
	return r;
}

static void collect(struct world *w)
{
	uint64_t number, bytes, freed;

	for (uint64_t from = 0; !chunk_store_next_pack(w->g->cs, from, &number, &bytes); from = number + 1) {
		int r = chunk_gc_pack(w->g->cs, number, named, w, &freed);

		assert_true(r == 0 || r == CHUNK_E_IN_USE || r == -EIO);
		w->removed += r == 0;
	}
}

static void close_or_cut(struct world *w, bool cut)
{
	for (unsigned i = 0; i < VOLUMES; i++)
		fresh_fini(&w->volumes[i]);
	packs_mem_plan_fault(w->g->packs, 0, -EIO);
	packs_mem_plan_sync_fault(w->g->packs, 0, -EIO);
	kv_mem_plan_fault(w->g->kv, 0, -EIO);
	if (cut)
		rig_cut(w->g, dice(w, 1000));
	else
		rig_reopen(w->g);
	w->cuts += cut;
}

static void step(struct world *w)
{
	struct volume *v = &w->volumes[dice(w, VOLUMES)];

	unsigned d = (unsigned)dice(w, 40);

	if (d == 0) {
		volume_drop(v);
	} else if (d == 1) {
		collect(w);
	} else if (d == 2 || d == 3) {
		close_or_cut(w, d == 3);
	} else if (d == 4) {
		if (dice(w, 3))
			packs_mem_plan_fault(w->g->packs, 1 + dice(w, 30), dice(w, 2) ? -EIO : -ENOSPC);
		else
			packs_mem_plan_sync_fault(w->g->packs, 1 + dice(w, 5), -EIO);
	} else if (d == 5) {
		kv_mem_plan_fault(w->g->kv, 1 + dice(w, 5), -EIO);
	} else if (d < 10) {
		volume_read(w, v);
	} else if (d < 14 && v->w) {
		session_commit(w, v);
	} else if (d == 14) {
		fresh_fini(v);
	} else {
		if (!v->w)
			session_begin(w, v);
		session_append(w, v);
	}
}

static void run(uint64_t seed, unsigned steps)
{
	struct world w = { .g = rig_new(seed % 3 == 2 ? 0 : seed % 3 == 1 ? 1 : 3), .palette = filled(PALETTE, 99),
			   .seed = seed };

	print_message("seed %llu: ", (unsigned long long)seed);
	for (unsigned i = 0; i < steps; i++)
		step(&w);
	close_or_cut(&w, true);
	for (unsigned i = 0; i < VOLUMES; i++)
		rig_check(w.g, &w.volumes[i].map, w.volumes[i].bytes.data, w.volumes[i].bytes.len, 1 << 20);
	assert_int_equal(w.g->damages, 0);
	print_message("%lu reads, %lu chunks shared, %lu stored, %lu packs removed, %lu cuts, %lu sessions failed\n",
		      w.reads, w.shared, w.stored, w.removed, w.cuts, w.failed);
	for (unsigned i = 0; i < VOLUMES; i++)
		volume_drop(&w.volumes[i]);
	rig_free(w.g);
	free(w.palette);
}

static uint64_t given_seed;
static unsigned given_steps = 1500;

static void committed_bytes_read_back_whatever_happens(void **state)
{
	(void)state;
	if (given_seed) {
		run(given_seed, given_steps);
		return;
	}
	for (uint64_t seed = 1; seed <= 6; seed++)
		run(seed, given_steps);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(committed_bytes_read_back_whatever_happens) };

	if (argc > 1)
		given_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		given_steps = (unsigned)strtoul(argv[2], NULL, 0);
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
