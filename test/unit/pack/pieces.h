/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of packs are made of: chunk number i, whose bytes, lengths, codec and digest follow from i alone, and
 * a fixture with an empty folder of packs, on disk or in memory.
 */
#ifndef PIECES_H
#define PIECES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <vtape/pack.h>

struct fixture {
	struct packs *ps;
	char dir[64]; /* "" in memory */
};

static inline int setup_mem(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(packs_mem_new(&f->ps), 0);
	*state = f;
	return 0;
}

static inline int setup_files(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/vtape-test-pack-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(packs_open(f->dir, &f->ps), 0);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[128];
	int r = 0;

	packs_close(f->ps);
	if (f->dir[0]) {
		snprintf(cmd, sizeof(cmd), "rm -r '%s'", f->dir);
		r = system(cmd);
	}
	free(f);
	return r;
}

#define test_mem(t) cmocka_unit_test_setup_teardown(t, setup_mem, teardown)
#define test_files(t) cmocka_unit_test_setup_teardown(t, setup_files, teardown)
#define test_both(t) \
	{ #t " (in memory)", t, setup_mem, teardown, NULL }, { #t " (in files)", t, setup_files, teardown, NULL }

#define PIECE_MAX 900u

static inline uint8_t piece_byte(uint32_t i, uint32_t at)
{
	uint64_t x = ((uint64_t)i << 32 | at) * 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
	return (uint8_t)(x >> 56);
}

static inline struct pack_entry piece(uint32_t i, uint8_t bytes[PIECE_MAX])
{
	struct pack_entry e = { .stored_len = 1 + i * 131u % PIECE_MAX, .codec = (uint8_t)(i % 3) };

	e.raw_len = e.stored_len + 7 * i;
	for (uint32_t k = 0; k < sizeof(e.digest.b); k++)
		e.digest.b[k] = piece_byte(i, 1u << 20 | k);
	for (uint32_t k = 0; k < e.stored_len; k++)
		bytes[k] = piece_byte(i, k);
	return e;
}

static inline int try_append(struct pack *p, uint32_t i, uint32_t *slot)
{
	uint8_t bytes[PIECE_MAX];
	struct pack_entry e = piece(i, bytes);

	return pack_append(p, &e, bytes, slot);
}

/* Pieces @from..@to-1, each in the slot that is due. */
static inline void append_pieces(struct pack *p, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		uint32_t due = pack_count(p), slot = UINT32_MAX;

		assert_int_equal(try_append(p, i, &slot), 0);
		assert_int_equal(slot, due);
	}
}

static inline void assert_piece(struct pack *p, uint32_t slot, uint32_t i)
{
	uint8_t want[PIECE_MAX], got[PIECE_MAX];
	struct pack_entry e = piece(i, want), found;

	assert_int_equal(pack_entry(p, slot, &found), 0);
	assert_memory_equal(found.digest.b, e.digest.b, sizeof(e.digest.b));
	assert_int_equal(found.raw_len, e.raw_len);
	assert_int_equal(found.stored_len, e.stored_len);
	assert_int_equal(found.codec, e.codec);
	assert_int_equal(pack_pread(p, got, found.stored_len, found.offset), 0);
	assert_memory_equal(got, want, found.stored_len);
}

/* Slots 0..@n-1 hold pieces 0..@n-1 and there are no more. */
static inline void assert_pieces(struct pack *p, uint32_t n)
{
	assert_int_equal(pack_count(p), n);
	for (uint32_t i = 0; i < n; i++)
		assert_piece(p, i, i);
}

static inline struct pack *new_pack(struct packs *ps, uint64_t number, uint32_t n)
{
	struct pack *p = NULL;

	assert_int_equal(pack_create(ps, number, &p), 0);
	append_pieces(p, 0, n);
	return p;
}

static inline struct pack *opened(struct packs *ps, uint64_t number)
{
	struct pack *p = NULL;

	assert_int_equal(pack_open(ps, number, &p), 0);
	return p;
}

/* pack_check()'s faults, counted. */
struct faults {
	uint32_t count, first_slot;
};

static inline void count_fault(void *ctx, uint32_t slot, const char *what)
{
	struct faults *f = ctx;

	assert_non_null(what);
	if (f->count++ == 0)
		f->first_slot = slot;
}

static inline struct faults checked(struct packs *ps, uint64_t number)
{
	struct faults f = { 0 };

	assert_int_equal(pack_check(ps, number, true, count_fault, &f), 0);
	return f;
}

#endif
