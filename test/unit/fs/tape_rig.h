/* SPDX-License-Identifier: BSD-2-Clause */
/* tape_rig: one volume in a drive behind a struct st, all in memory. */
#ifndef TEST_FS_TAPE_RIG_H
#define TEST_FS_TAPE_RIG_H

#include <linux/mtio.h>

#include "fs/st.h"
#include "unit/tape/tape_store.h"

struct rig {
	struct store *tape;
	struct st *st;
};

static inline int rig_new(void **state)
{
	static struct rig g;
	void *tape;

	assert_int_equal(store_new(&tape), 0);
	g.tape = tape;
	assert_int_equal(st_new(&g.st), 0);
	*state = &g;
	return 0;
}

static inline int rig_free(void **state)
{
	struct rig *g = *state;
	void *tape = g->tape;

	g->st = st_free(g->st);
	return store_free(&tape);
}

static inline void open_st(struct rig *g, unsigned flags)
{
	assert_int_equal(st_open(g->st, g->tape->drive, NULL, flags), 0);
}

static inline void close_st(struct rig *g)
{
	assert_int_equal(st_flush(g->st), 0);
	assert_int_equal(st_close(g->st), 0);
}

/* A record whose bytes are its length and @seed. */
static inline int write_n(struct rig *g, size_t n, uint8_t seed)
{
	uint8_t *p = test_malloc(n);
	size_t done = 0;
	int r;

	memset(p, seed, n);
	r = st_write(g->st, p, n, &done);
	test_free(p);
	return r ? r : (int)done;
}

/* Bytes read, or -errno.  Every byte must be @seed. */
static inline int read_n(struct rig *g, size_t cap, uint8_t seed)
{
	uint8_t *p = test_malloc(cap);
	size_t got = 0;
	int r = st_read(g->st, p, cap, &got);

	for (size_t i = 0; !r && i < got; i++)
		assert_int_equal(p[i], seed);
	test_free(p);
	return r ? r : (int)got;
}

static inline int op(struct rig *g, int what, int count)
{
	return st_op(g->st, what, count, true);
}

static inline struct mtget status(struct rig *g)
{
	struct mtget m = { 0 };

	assert_int_equal(st_get(g->st, &m), 0);
	return m;
}

static inline void assert_at(struct rig *g, int file, int block)
{
	struct mtget m = status(g);

	assert_int_equal(m.mt_fileno, file);
	assert_int_equal(m.mt_blkno, block);
}

/* Two files: records of 100 and 200 bytes ('a'), one of 300 ('b'); rewound and closed. */
static inline void two_files(struct rig *g)
{
	open_st(g, ST_OPEN_WRITE);
	assert_int_equal(write_n(g, 100, 'a'), 100);
	assert_int_equal(write_n(g, 200, 'a'), 200);
	close_st(g);
	open_st(g, ST_OPEN_WRITE | ST_OPEN_REWIND);
	assert_int_equal(write_n(g, 300, 'b'), 300);
	close_st(g);
}

#endif
