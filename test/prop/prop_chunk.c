/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random operations on a store against a model: what was committed to a volume reads back, whatever else happened:
 * sessions side by side, given up or failed half-way, chunks copied forward and packs removed under readers with old
 * maps, the store closed, the power cut.  Packs are injured too: then what is read is right or fails, fails only where
 * something is hurt, and reads again once the same data was written again.
 *
 *	prop_chunk [SEED [STEPS]]	without a seed a few fixed ones are run; the one that fails is printed
 */
#include "unit/chunk/rig.h"

#define VOLUMES 6
#define PALETTE (3u << 20)
#define COPIED_PACKS 16
#define WOUNDS 64

/* The model: the bytes on disk for sure, and those of the session that is open. */
struct volume {
	struct buf bytes;
	struct map map;
	struct map seen;		/* what its reader remembers of it */
	struct chunk_reader *r;
	struct chunk_writer *w;		/* a session is open */
	struct buf fresh;		/* appended in it */
	struct map fresh_map;
};

struct world {
	struct rig *g;
	struct volume volumes[VOLUMES];
	uint8_t *palette;		/* contents are taken from it, so that there is something to share */
	uint64_t chance;
	struct chunk_copier *copier;
	uint64_t packs[COPIED_PACKS];	/* of the copier */
	size_t packs_count;
	struct wound { uint64_t pack; uint32_t from, to; bool gap; } wounds[WOUNDS];	/* slots; gap: not in a table */
	size_t wounds_count;
	bool injuries;
	unsigned long reads, shared, stored, removed, cuts, failed, moved, denied, healed, beyond;
};

static uint64_t dice(struct world *w, uint64_t sides)
{
	return chance_below(&w->chance, sides);
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

/* ---- what is hurt ------------------------------------------------------------------------------------------------ */

static bool is_hurt(const struct world *w, struct pack_ref ref, bool *gap)
{
	bool hurt = false;

	*gap = false;
	for (size_t i = 0; i < w->wounds_count; i++) {
		const struct wound *x = &w->wounds[i];

		if (x->pack != ref.pack || ref.slot < x->from || ref.slot >= x->to)
			continue;
		hurt = true;
		*gap = *gap || x->gap;
	}
	return hurt;
}

/* Nobody knows what the slot held: the index told of another chunk with that digest when the pack was lost. */
static bool is_beyond(struct world *w, struct pack_ref ref)
{
	struct buf value = BUF_INIT;
	uint8_t key[BAD_KEY_LEN];
	bool gap, beyond;

	if (!is_hurt(w, ref, &gap) || !gap)
		return false;
	lost_key_pack(key, ref);
	beyond = kv_get(w->g->kv, KV_PACK, key, sizeof(key), &value) != 0;
	buf_fini(&value);
	return beyond;
}

/* May a read of these bytes fail, and does it for good? */
static bool may_fail(struct world *w, const struct map *m, uint64_t at, uint64_t n, bool *beyond)
{
	uint64_t start = 0;
	bool hurt = false, gap;

	*beyond = false;
	for (size_t i = 0; i < m->count; start += m->places[i++].len) {
		if (start >= at + n || start + m->places[i].len <= at)
			continue;
		hurt = hurt || is_hurt(w, m->places[i].ref, &gap);
		*beyond = *beyond || is_beyond(w, m->places[i].ref);
	}
	return hurt;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void map_copy(struct map *to, const struct map *from)
{
	map_fini(to);
	for (size_t i = 0; i < from->count; i++)
		OK(map_add(to, &from->places[i]));
}

/* As a tape's reader: it goes on with the map that it knows until that does not do. */
static int remembering_source(void *ctx, uint64_t offset, bool fresh, struct chunk_extent *out, uint64_t *start)
{
	struct volume *v = ctx;

	if (fresh || offset >= v->seen.bytes)
		map_copy(&v->seen, &v->map);
	return map_source(&v->seen, offset, fresh, out, start);
}

static int read_at(struct world *w, struct volume *v, struct chunk_reader *r, size_t at, size_t n)
{
	uint8_t *got = malloc(n + 1);
	bool beyond;
	int e = chunk_reader_read(r, at, got, n);

	w->reads++;
	if (e) {
		assert_true(e < 0);
		assert_true(may_fail(w, &v->map, at, n, &beyond));
		w->denied++;
	} else {
		assert_memory_equal(got, v->bytes.data + at, n);
	}
	free(got);
	return e;
}

static void read_all(struct world *w, struct volume *v, size_t step)
{
	struct chunk_reader *r;

	OK(chunk_reader_new(w->g->cs, map_source, &v->map, &r));
	for (size_t at = 0; at < v->bytes.len; at += step)
		read_at(w, v, r, at, v->bytes.len - at < step ? v->bytes.len - at : step);
	chunk_reader_free(r);
}

static void volume_read(struct world *w, struct volume *v)
{
	if (!v->r)
		OK(chunk_reader_new(w->g->cs, remembering_source, v, &v->r));
	for (unsigned i = 0; i < 6 && v->bytes.len; i++) {
		size_t at = dice(w, v->bytes.len);

		read_at(w, v, v->r, at, dice(w, v->bytes.len - at + 1));
	}
	if (dice(w, 3) == 0)
		read_all(w, v, 1 + dice(w, 400000));
}

static void reader_fini(struct volume *v)
{
	v->r = chunk_reader_free(v->r);
	map_fini(&v->seen);
}

/* Every place by itself; how many cannot be read that could be. */
static unsigned read_places(struct world *w, struct volume *v)
{
	struct chunk_reader *r;
	unsigned failed = 0;
	size_t at = 0;

	OK(chunk_reader_new(w->g->cs, map_source, &v->map, &r));
	for (size_t i = 0; i < v->map.count; at += v->map.places[i++].len) {
		bool beyond;

		if (!read_at(w, v, r, at, v->map.places[i].len))
			continue;
		may_fail(w, &v->map, at, v->map.places[i].len, &beyond);
		w->beyond += beyond;
		failed += !beyond;
	}
	chunk_reader_free(r);
	return failed;
}

/* The same data comes again, cut where it was; false if a fault hit that. */
static bool store_again(struct world *w, struct volume *v)
{
	struct map m = { NULL };
	struct chunk_writer *c = rig_writer(w->g, CHUNK_LZ4, &m);
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; i < v->map.count && !r; at += v->map.places[i++].len) {
		r = chunk_writer_append(c, v->bytes.data + at, v->map.places[i].len);
		r = r ? r : chunk_writer_flush(c);
	}
	r = r ? r : rig_commit(w->g, c);
	chunk_writer_free(c);
	map_fini(&m);
	w->failed += r != 0;
	return !r;
}

/* A backup may be shared with chunks of which nobody has noticed yet that they are damaged: reading finds those. */
static void volume_heal(struct world *w, struct volume *v)
{
	unsigned failed = read_places(w, v);

	w->healed += failed;
	for (unsigned round = 0; failed; round++) {
		assert_true(round < 8);
		if (!store_again(w, v))
			return;
		failed = read_places(w, v);
	}
}

static void volume_drop(struct volume *v)
{
	fresh_fini(v);
	reader_fini(v);
	buf_fini(&v->bytes);
	map_fini(&v->map);
}

/* ---- space ------------------------------------------------------------------------------------------------------- */

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

static void copier_begin(struct world *w)
{
	uint64_t number, bytes;

	w->packs_count = 0;
	for (uint64_t from = 0; !chunk_store_next_pack(w->g->cs, from, &number, &bytes); from = number + 1)
		if (w->packs_count < COPIED_PACKS && dice(w, 2))
			w->packs[w->packs_count++] = number;
	OK(chunk_copier_new(w->g->cs, w->packs, w->packs_count, &w->copier));
}

static bool is_copied(const struct world *w, uint64_t pack)
{
	for (size_t i = 0; i < w->packs_count; i++)
		if (w->packs[i] == pack)
			return true;
	return false;
}

/* One volume; a chunk that cannot be moved stays where it is. */
static void copier_work(struct world *w, struct volume *v)
{
	struct map moved = { NULL };
	struct kv_batch *b;
	int r = 0;

	for (size_t i = 0; i < v->map.count; i++) {
		struct chunk_place p = v->map.places[i];
		struct pack_ref to;
		uint32_t copied;

		if (is_copied(w, p.ref.pack) && !chunk_copier_move(w->copier, p.ref, &to, &copied)) {
			p.ref = to;
			w->moved++;
		}
		OK(map_add(&moved, &p));
	}
	OK(kv_batch_new(&b));
	r = chunk_copier_begin_commit(w->copier, b);
	r = r ? r : kv_write(w->g->kv, b, true);
	chunk_copier_end_commit(w->copier, r == 0);
	kv_batch_free(b);
	if (r) {
		map_fini(&moved);
		w->copier = chunk_copier_free(w->copier);
		w->failed++;
		return;
	}
	map_fini(&v->map);
	v->map = moved;
}

static void copy_forward(struct world *w, struct volume *v)
{
	unsigned d = (unsigned)dice(w, 6);

	if (!w->copier)
		copier_begin(w);
	else if (d == 0)
		w->copier = chunk_copier_free(w->copier);
	else
		copier_work(w, v);
	if (d == 1)
		collect(w);
}

/* ---- the bad day ------------------------------------------------------------------------------------------------- */

/* A pack that is on disk with all its rows. */
static bool pick_pack(struct world *w, struct pack_ref *out)
{
	uint64_t number, bytes;
	struct pack *p;
	uint32_t n;
	bool found = false;

	for (uint64_t from = 0; !chunk_store_next_pack(w->g->cs, from, &number, &bytes); from = number + 1) {
		if ((found && dice(w, 3)) || pack_open(w->g->packs, number, &p))
			continue;
		n = pack_count(p);
		if (pack_whole(p) && n) {
			*out = (struct pack_ref){ number, (uint32_t)dice(w, n) };
			found = true;
		}
		pack_release(p);
	}
	return found;
}

static void injure(struct world *w)
{
	struct pack_ref ref;
	unsigned d = (unsigned)dice(w, 3);

	if (w->wounds_count == WOUNDS || !pick_pack(w, &ref))
		return;
	if (d == 0) {
		rig_injure(w->g, ref, INJURY_BYTES);
		w->wounds[w->wounds_count++] = (struct wound){ ref.pack, ref.slot, ref.slot + 1, false };
	} else if (d == 1) {
		rig_injure(w->g, ref, INJURY_CUT);
		w->wounds[w->wounds_count++] = (struct wound){ ref.pack, ref.slot, UINT32_MAX, true };
	} else {
		rig_lose(w->g, ref.pack);
		w->wounds[w->wounds_count++] = (struct wound){ ref.pack, 0, UINT32_MAX, true };
	}
}

/* That packs were sealed comes to the disk with the next synced write: what is injured here is on disk. */
static void sync_rows(struct world *w)
{
	struct kv_batch *b;

	OK(kv_batch_new(&b));
	OK(kv_batch_put(b, KV_CATALOG, "x", 1, NULL, 0));
	OK(kv_write(w->g->kv, b, true));
	kv_batch_free(b);
}

static void close_or_cut(struct world *w, bool cut)
{
	w->copier = chunk_copier_free(w->copier);
	for (unsigned i = 0; i < VOLUMES; i++) {
		fresh_fini(&w->volumes[i]);
		reader_fini(&w->volumes[i]);
	}
	packs_mem_plan_fault(w->g->packs, 0, -EIO);
	packs_mem_plan_sync_fault(w->g->packs, 0, -EIO);
	kv_mem_plan_fault(w->g->kv, 0, -EIO);
	if (cut)
		rig_cut(w->g, dice(w, 1000));
	else
		rig_reopen(w->g);
	w->cuts += cut;
	if (w->injuries && dice(w, 2)) {
		sync_rows(w);
		injure(w);
	}
}

static void step(struct world *w)
{
	struct volume *v = &w->volumes[dice(w, VOLUMES)];

	unsigned d = (unsigned)dice(w, 44);

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
	} else if (d == 15 && v->map.count && w->wounds_count) {
		volume_heal(w, v);
	} else if (d < 20) {
		copy_forward(w, v);
	} else {
		if (!v->w)
			session_begin(w, v);
		session_append(w, v);
	}
}

static void run(uint64_t seed, unsigned steps, bool injuries)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->g = rig_new(seed % 3 == 2 ? 0 : seed % 3 == 1 ? 1 : 3);
	w->palette = filled(PALETTE, 99);
	w->chance = seed;
	w->injuries = injuries;
	print_message("seed %llu%s: ", (unsigned long long)seed, injuries ? " with injuries" : "");
	for (unsigned i = 0; i < steps; i++)
		step(w);
	close_or_cut(w, true);
	for (unsigned i = 0; i < VOLUMES; i++)
		read_all(w, &w->volumes[i], 1 << 20);
	if (!injuries)
		assert_int_equal(w->g->damages + w->denied, 0);
	print_message("%lu reads, %lu chunks shared, %lu stored, %lu moved, %lu packs removed, %lu cuts, ", w->reads,
		      w->shared, w->stored, w->moved, w->removed, w->cuts);
	print_message("%lu sessions failed; %zu wounds, %lu reads denied, %lu places healed, %lu beyond that\n",
		      w->failed, w->wounds_count, w->denied, w->healed, w->beyond);
	for (unsigned i = 0; i < VOLUMES; i++)
		volume_drop(&w->volumes[i]);
	rig_free(w->g);
	free(w->palette);
	free(w);
}

static uint64_t given_seed;
static unsigned given_steps = 1500;

static void committed_bytes_read_back_whatever_happens(void **state)
{
	(void)state;
	if (given_seed)
		run(given_seed, given_steps, false);
	for (uint64_t seed = 1; seed <= 6 && !given_seed; seed++)
		run(seed, given_steps, false);
}

static void what_is_injured_is_never_wrong_and_heals(void **state)
{
	(void)state;
	if (given_seed)
		run(given_seed, given_steps, true);
	for (uint64_t seed = 1; seed <= 6 && !given_seed; seed++)
		run(seed, given_steps, true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(committed_bytes_read_back_whatever_happens),
		cmocka_unit_test(what_is_injured_is_never_wrong_and_heals),
	};

	if (argc > 1)
		given_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		given_steps = (unsigned)strtoul(argv[2], NULL, 0);
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
