/* SPDX-License-Identifier: BSD-2-Clause */
/* A store on the twins, and a map as a caller of chunk/ keeps it: places in stream order, runs for the reader. */
#ifndef TEST_CHUNK_RIG_H
#define TEST_CHUNK_RIG_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "chunk/chunk_index_format.h"
#include "lib/chance.h"
#include "lib/twins.h"

#define OK(x) assert_int_equal((x), 0)

struct map {
	struct chunk_place *places;
	struct run { struct chunk_extent extent; uint64_t start; } *runs;
	size_t count, runs_count, cap;
	uint64_t bytes;
	uint64_t stored;
	int refuse;			/* the sink's answer */
	unsigned source_calls, fresh_calls;
};

static inline int map_add(void *ctx, const struct chunk_place *p)
{
	struct map *m = ctx;
	struct run *last;

	if (m->refuse)
		return m->refuse;
	if (m->count == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->places = realloc(m->places, m->cap * sizeof(*m->places));
		m->runs = realloc(m->runs, m->cap * sizeof(*m->runs));
	}
	m->places[m->count++] = *p;
	last = m->runs_count ? &m->runs[m->runs_count - 1] : NULL;
	if (last && last->extent.pack == p->ref.pack && last->extent.slot + last->extent.slots == p->ref.slot) {
		last->extent.slots++;
		last->extent.len += p->len;
	} else {
		m->runs[m->runs_count++] = (struct run){ { p->ref.pack, p->ref.slot, 1, p->len }, m->bytes };
	}
	m->bytes += p->len;
	m->stored += p->stored;
	return 0;
}

static inline int map_source(void *ctx, uint64_t offset, bool fresh, struct chunk_extent *out, uint64_t *start)
{
	struct map *m = ctx;
	size_t low = 0, high = m->runs_count;

	m->source_calls++;
	m->fresh_calls += fresh;
	if (offset >= m->bytes)
		return CHUNK_E_END;
	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (m->runs[mid].start <= offset)
			low = mid;
		else
			high = mid;
	}
	*out = m->runs[low].extent;
	*start = m->runs[low].start;
	return 0;
}

static inline int map_names(void *ctx, uint64_t pack)
{
	const struct map *m = ctx;

	for (size_t i = 0; i < m->count; i++)
		if (m->places[i].ref.pack == pack)
			return 1;
	return 0;
}

static inline void map_fini(struct map *m)
{
	free(m->places);
	free(m->runs);
	*m = (struct map){ NULL };
}

/* Bytes of which half compress well, that repeat only with @seed. */
static inline void fill(uint8_t *p, size_t n, uint64_t seed)
{
	chance_fill(p, n, seed);
	for (size_t i = 0; i < n; i++)
		if (i & 64)
			p[i] = 0;
}

static inline uint8_t *filled(size_t n, uint64_t seed)
{
	uint8_t *p = malloc(n);

	assert_non_null(p);
	fill(p, n, seed);
	return p;
}

struct rig {
	struct kv *kv;
	struct packs *packs;
	struct workers *workers;
	struct chunk_store *cs;
	struct chunk_store_config cfg;
	unsigned damages;
	struct pack_ref damaged;
};

static inline void rig_damaged(void *ctx, struct pack_ref ref, const struct digest *d)
{
	struct rig *g = ctx;

	(void)d;
	g->damages++;
	g->damaged = ref;
}

static inline void rig_open(struct rig *g)
{
	OK(chunk_store_open(g->kv, g->packs, g->workers, &g->cfg, &g->cs));
	chunk_store_on_damage(g->cs, rig_damaged, g);
}

static inline void rig_reopen(struct rig *g)
{
	assert_null(chunk_store_close(g->cs));
	rig_open(g);
}

static inline struct rig *rig_new(unsigned threads)
{
	struct rig *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	g->cfg.params = chunk_params_of(8 << 10);
	memcpy(g->cfg.key, "the secret of a store in a test.", 32);
	OK(kv_mem_new(&g->kv));
	OK(packs_mem_new(&g->packs));
	OK(threads ? workers_new(threads, &g->workers) : workers_serial_new(&g->workers));
	rig_open(g);
	return g;
}

static inline struct rig *rig_free(struct rig *g)
{
	chunk_store_close(g->cs);
	workers_free(g->workers);
	packs_close(g->packs);
	kv_close(g->kv);
	free(g);
	return NULL;
}

/* The store as a power cut now would leave it.  Writers and readers are gone; what the close writes is for the dead. */
static inline void rig_cut(struct rig *g, uint64_t seed)
{
	struct twins left = twins_cut(g->kv, g->packs, seed);

	chunk_store_close(g->cs);
	twins_replace(&g->kv, &g->packs, left);
	rig_open(g);
}

static inline struct chunk_writer *rig_writer(struct rig *g, enum chunk_codec codec, struct map *m)
{
	struct chunk_writer_config cfg = { .codec = codec };
	struct chunk_writer *w;

	OK(chunk_writer_new(g->cs, &cfg, map_add, m, &w));
	return w;
}

static inline int rig_commit(struct rig *g, struct chunk_writer *w)
{
	struct kv_batch *b;
	int r;

	OK(kv_batch_new(&b));
	r = chunk_writer_begin_commit(w, b);
	if (!r)
		r = kv_write(g->kv, b, true);
	chunk_writer_end_commit(w, r == 0);
	kv_batch_free(b);
	return r;
}

/* A whole session: write, flush, commit. */
static inline void rig_store(struct rig *g, const uint8_t *p, size_t n, enum chunk_codec codec, struct map *m)
{
	struct chunk_writer *w = rig_writer(g, codec, m);

	OK(chunk_writer_append(w, p, n));
	OK(chunk_writer_flush(w));
	OK(rig_commit(g, w));
	chunk_writer_free(w);
}

static inline void rig_check(struct rig *g, struct map *m, const uint8_t *want, size_t n, size_t step)
{
	struct chunk_reader *r;
	uint8_t *got = malloc(step);

	assert_int_equal(m->bytes, n);
	OK(chunk_reader_new(g->cs, map_source, m, &r));
	for (size_t at = 0; at < n; at += step) {
		size_t part = n - at < step ? n - at : step;

		OK(chunk_reader_read(r, at, got, part));
		assert_memory_equal(got, want + at, part);
	}
	assert_int_equal(chunk_reader_read(r, n, got, 1), CHUNK_E_END);
	chunk_reader_free(r);
	free(got);
}

/* A row of the index, written by hand. */
static inline void rig_index(struct rig *g, const struct digest *d, struct pack_ref ref, uint32_t raw_len)
{
	uint8_t value[INDEX_VALUE_LEN];
	struct kv_batch *b;

	index_value_pack(value, ref, raw_len, d);
	OK(kv_batch_new(&b));
	OK(kv_batch_put(b, KV_INDEX, d->b, INDEX_KEY_LEN, value, sizeof(value)));
	OK(kv_write(g->kv, b, true));
	kv_batch_free(b);
}

static inline size_t index_rows(struct rig *g)
{
	struct kv_iter *it;
	size_t n = 0;

	OK(kv_iter_new(g->kv, KV_INDEX, &it));
	for (kv_iter_seek(it, "", 0); kv_iter_valid(it); kv_iter_next(it))
		n++;
	kv_iter_free(it);
	return n;
}

/* ---- damage ----------------------------------------------------------------------------------------------------- */

enum injury {
	INJURY_BYTES,		/* the stored bytes of the slot are others, under the same digest */
	INJURY_CUT,		/* the file ends before the slot */
	INJURY_NONE,		/* the same pack once more */
};

/* Pack @number made anew from @from, which stays as it was, and injured at @slot. */
static inline void rig_remake(struct rig *g, struct pack *from, uint64_t number, uint32_t slot, enum injury how)
{
	uint32_t n = how == INJURY_CUT ? slot : pack_count(from), got;
	uint8_t *bytes = malloc(PACK_CHUNK_MAX);
	struct pack *to;

	OK(pack_create(g->packs, number, &to));
	for (uint32_t i = 0; i < n; i++) {
		struct pack_entry e;

		OK(pack_entry(from, i, &e));
		OK(pack_pread(from, bytes, e.stored_len, e.offset));
		if (how == INJURY_BYTES && i == slot)
			bytes[e.stored_len / 2] ^= 4;
		OK(pack_append(to, &e, bytes, &got));
	}
	OK(how == INJURY_CUT ? pack_sync(to) : pack_seal(to));
	pack_release(to);
	free(bytes);
}

/* While the store is closed. */
static inline void rig_injure(struct rig *g, struct pack_ref ref, enum injury how)
{
	struct pack *from;

	assert_null(chunk_store_close(g->cs));
	OK(pack_open(g->packs, ref.pack, &from));
	OK(pack_unlink(g->packs, ref.pack));
	rig_remake(g, from, ref.pack, ref.slot, how);
	pack_release(from);
	rig_open(g);
}

static inline void rig_lose(struct rig *g, uint64_t pack)
{
	assert_null(chunk_store_close(g->cs));
	OK(pack_unlink(g->packs, pack));
	rig_open(g);
}

/* The same chunks again, by a new writer: cut where they were. */
static inline void rig_store_places(struct rig *g, const uint8_t *data, const struct map *like, size_t from,
				    size_t count, struct map *m)
{
	struct chunk_writer *w = rig_writer(g, CHUNK_LZ4, m);
	size_t at = 0;

	for (size_t i = 0; i < from + count; at += like->places[i++].len)
		if (i >= from) {
			OK(chunk_writer_append(w, data + at, like->places[i].len));
			OK(chunk_writer_flush(w));
		}
	OK(rig_commit(g, w));
	chunk_writer_free(w);
}

#endif
