/* SPDX-License-Identifier: BSD-2-Clause */
/* A store in memory with one volume in it and a drive that has it loaded; the power can fail. */
#ifndef TEST_TAPE_STORE_H
#define TEST_TAPE_STORE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <vtape/tape.h>

#include "lib/chance.h"
#include "lib/twins.h"
#include "tape/volume.h"

#define VOLUME 7u

struct store {
	struct kv *kv;
	struct packs *packs;
	struct workers *workers;
	struct chunk_store *cs;
	struct shelf *shelf;
	struct volume_attr attr;
	struct volume *vol;
	struct drive *drive;
	bool threads;		/* real workers, not their twin */
};

static inline void store_up(struct store *s)
{
	const struct chunk_store_config cfg = { .params = chunk_params_of(8 << 10), .key = { 1 } };

	assert_int_equal(s->threads ? workers_new(2, &s->workers) : workers_serial_new(&s->workers), 0);
	assert_int_equal(chunk_store_open(s->kv, s->packs, s->workers, &cfg, &s->cs), 0);
	assert_int_equal(shelf_new(s->kv, s->cs, &s->shelf), 0);
}

static inline void store_down(struct store *s)
{
	s->shelf = shelf_free(s->shelf);
	s->cs = chunk_store_close(s->cs);
	s->workers = workers_free(s->workers);
}

static inline void load(struct store *s)
{
	assert_int_equal(volume_open(s->shelf, &s->attr, &s->vol), 0);
	assert_int_equal(drive_load(s->drive, s->vol), 0);
}

static inline int unload(struct store *s)
{
	int r = drive_unload(s->drive), closed;

	s->vol = volume_close(s->vol, &closed);
	return r ? r : closed;
}

static inline void reload(struct store *s)
{
	assert_int_equal(unload(s), 0);
	load(s);
}

/* The same with the whole store: packs are sealed by it. */
static inline void restart(struct store *s)
{
	assert_int_equal(unload(s), 0);
	store_down(s);
	store_up(s);
	load(s);
}

/* The power fails now; then it is switched on again. */
static inline void power_cut(struct store *s)
{
	struct twins left = twins_cut(s->kv, s->packs, 1);

	unload(s);
	store_down(s);
	twins_replace(&s->kv, &s->packs, left);
	store_up(s);
	load(s);
}

static inline void create(struct store *s, uint64_t id)
{
	struct kv_batch *b;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_create(b, id), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
}

static inline int store_new_with(void **state, bool threads)
{
	struct store *s = calloc(1, sizeof(*s));

	log_set_level(LOG_LEVEL_ERROR);
	s->threads = threads;
	s->attr = (struct volume_attr){ .id = VOLUME, .barcode = "A00001", .store = { .codec = CHUNK_LZ4 } };
	assert_int_equal(kv_mem_new(&s->kv), 0);
	assert_int_equal(packs_mem_new(&s->packs), 0);
	assert_int_equal(drive_new(&s->drive), 0);
	store_up(s);
	create(s, VOLUME);
	load(s);
	*state = s;
	return 0;
}

static inline int store_new(void **state)
{
	return store_new_with(state, false);
}

static inline int store_new_threads(void **state)
{
	return store_new_with(state, true);
}

static inline int store_free(void **state)
{
	struct store *s = *state;

	unload(s);
	store_down(s);
	drive_free(s->drive);
	packs_close(s->packs);
	kv_close(s->kv);
	free(s);
	return 0;
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, store_new, store_free)

/* ---- content: the bytes of a record follow from a number -------------------------------------------------------- */

static inline int try_put(struct store *s, uint64_t seed, size_t n)
{
	uint8_t *p = malloc(n);
	int r;

	chance_fill(p, n, seed);
	r = drive_write_record(s->drive, p, n);
	free(p);
	return r;
}

static inline void put(struct store *s, uint64_t seed, size_t n)
{
	assert_int_equal(try_put(s, seed, n), 0);
}

static inline void mark(struct store *s)
{
	assert_int_equal(drive_write_filemarks(s->drive, 1, false), 0);
}

static inline void mark_immed(struct store *s)
{
	assert_int_equal(drive_write_filemarks(s->drive, 1, true), 0);
}

/* The next object is that record. */
#define assert_record(s, seed, n) assert_record_at(s, seed, n, __LINE__)
static inline void assert_record_at(struct store *s, uint64_t seed, size_t n, int line)
{
	uint8_t *want = malloc(n), *got = malloc(n + 1);
	size_t len = 0;
	int r = drive_read_record(s->drive, got, n + 1, &len);

	chance_fill(want, n, seed);
	if (r || len != n || memcmp(want, got, n))
		fail_msg("line %d: not record %d of %zu bytes: %d, %zu bytes; %s", line, (int)seed, n, r, len,
			 r < 0 ? err_text(r) : "");
	free(want);
	free(got);
}

static inline int read_any(struct store *s)
{
	static uint8_t buf[TAPE_RECORD_MAX];
	size_t len;

	return drive_read_record(s->drive, buf, sizeof(buf), &len);
}

#define assert_mark(s) assert_int_equal(read_any(s), TAPE_E_FILEMARK)
#define assert_eod(s) assert_int_equal(read_any(s), TAPE_E_EOD)

static inline void rewind_tape(struct store *s)
{
	assert_int_equal(drive_rewind(s->drive), 0);
}

static inline void locate(struct store *s, uint64_t object)
{
	assert_int_equal(drive_locate(s->drive, 0, object), 0);
}

static inline uint64_t generation(struct store *s)
{
	struct volume_stat st;

	volume_stat(s->vol, &st);
	return st.generation;
}

static inline uint64_t objects(struct store *s)
{
	struct tape_tally end;

	assert_int_equal(volume_end(s->vol, 0, &end), 0);
	return end.objects;
}

static inline uint64_t position(struct store *s)
{
	struct tape_pos pos;

	assert_int_equal(drive_position(s->drive, &pos), 0);
	return pos.object;
}

/* Rows of KV_MAP whose keys begin with @kind. */
static inline unsigned rows(struct store *s, char kind)
{
	struct kv_iter *it;
	unsigned n = 0;

	assert_int_equal(kv_iter_new(s->kv, KV_MAP, &it), 0);
	for (kv_iter_seek(it, &kind, 1); kv_iter_in(it, &kind, 1); kv_iter_next(it))
		n++;
	kv_iter_free(it);
	return n;
}

/* All bytes that use rows tell. */
static inline uint64_t used(struct store *s)
{
	struct kv_iter *it;
	uint64_t sum = 0;

	assert_int_equal(kv_iter_new(s->kv, KV_MAP, &it), 0);
	for (kv_iter_seek(it, "U", 1); kv_iter_in(it, "U", 1); kv_iter_next(it)) {
		size_t n;
		const uint8_t *v = kv_iter_value(it, &n);
		uint64_t bytes;

		assert_int_equal(use_unpack(v, n, &bytes), 0);
		sum += bytes;
	}
	kv_iter_free(it);
	return sum;
}

/* The drive now has generation @g of the volume, through a copy of its head as another volume. */
static inline void load_generation(struct store *s, uint64_t g)
{
	struct map_key from = key_head(VOLUME, g), to = key_head(VOLUME + 100 + g, g);
	struct buf head = BUF_INIT;
	struct kv_batch *b;

	assert_int_equal(unload(s), 0);
	assert_int_equal(kv_get(s->kv, KV_MAP, from.b, from.len, &head), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, to.b, to.len, head.data, head.len), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	buf_fini(&head);
	s->attr.id = VOLUME + 100 + g;
	load(s);
	s->attr.id = VOLUME;
}

/* ---- damage ----------------------------------------------------------------------------------------------------- */

/* The chunk that has byte @offset of partition @p. */
static inline struct pack_ref chunk_at(struct store *s, uint32_t p, uint64_t offset)
{
	struct lookup x = volume_lookup(s->vol, p);
	struct chunk_extent run;
	uint64_t start;
	uint32_t len, slot;

	assert_int_equal(lookup_extent(&x, offset, s->vol->partition[p].stored, &run, &start), 0);
	for (slot = run.slot;; slot++, start += len) {
		assert_int_equal(chunk_slot_len(s->cs, (struct pack_ref){ run.pack, slot }, &len), 0);
		if (offset < start + len)
			return (struct pack_ref){ run.pack, slot };
	}
}

/* The stored bytes of one chunk become others, behind everybody's back. */
static inline void injure(struct store *s, struct pack_ref ref)
{
	uint8_t *bytes = malloc(PACK_CHUNK_MAX);
	struct pack *from, *to;
	uint32_t slot;

	assert_int_equal(unload(s), 0);
	store_down(s);
	assert_int_equal(pack_open(s->packs, ref.pack, &from), 0);
	assert_int_equal(pack_unlink(s->packs, ref.pack), 0);
	assert_int_equal(pack_create(s->packs, ref.pack, &to), 0);
	for (uint32_t i = 0; i < pack_count(from); i++) {
		struct pack_entry e;

		assert_int_equal(pack_entry(from, i, &e), 0);
		assert_int_equal(pack_pread(from, bytes, e.stored_len, e.offset), 0);
		bytes[e.stored_len / 2] ^= i == ref.slot;
		assert_int_equal(pack_append(to, &e, bytes, &slot), 0);
	}
	assert_int_equal(pack_seal(to), 0);
	pack_release(to);
	pack_release(from);
	free(bytes);
	store_up(s);
	load(s);
}

static inline void lose(struct store *s, uint64_t pack)
{
	assert_int_equal(unload(s), 0);
	store_down(s);
	assert_int_equal(pack_unlink(s->packs, pack), 0);
	store_up(s);
	load(s);
}

/* The row under @k becomes @n bytes of @p; NULL: it goes. */
static inline void put_row(struct store *s, const struct map_key *k, const void *p, size_t n)
{
	struct kv_batch *b;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(p ? kv_batch_put(b, KV_MAP, k->b, k->len, p, n) : kv_batch_delete(b, KV_MAP, k->b, k->len), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
}

/* One bit in the middle of the row under @k is another. */
static inline void flip_row(struct store *s, const struct map_key *k)
{
	struct buf value = BUF_INIT;

	assert_int_equal(kv_get(s->kv, KV_MAP, k->b, k->len, &value), 0);
	value.data[value.len / 2] ^= 1;
	put_row(s, k, value.data, value.len);
	buf_fini(&value);
}

#endif
