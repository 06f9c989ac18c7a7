/* SPDX-License-Identifier: BSD-2-Clause */
/* tape_rig: one volume in a drive behind a struct st, all in memory. */
#ifndef TEST_FS_TAPE_RIG_H
#define TEST_FS_TAPE_RIG_H

#include <errno.h>
#include <linux/mtio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "fs/st.h"

struct rig {
	struct kv *kv;
	struct packs *packs;
	struct workers *workers;
	struct chunk_store *cs;
	struct shelf *shelf;
	struct volume_attr attr;
	struct volume *vol;
	struct drive *drive;
	struct st *st;
};

static inline void rig_load(struct rig *g)
{
	assert_int_equal(volume_open(g->shelf, &g->attr, &g->vol), 0);
	assert_int_equal(drive_load(g->drive, g->vol), 0);
}

static inline int rig_new(void **state)
{
	static struct rig g;
	struct chunk_store_config cfg = { chunk_params_of(CHUNK_AVG_DEFAULT), { 1, 2, 3 }, 0 };
	struct kv_batch *b = NULL;

	g = (struct rig){ .attr = { .id = 1, .barcode = "T1" } };
	assert_int_equal(kv_mem_new(&g.kv), 0);
	assert_int_equal(packs_mem_new(&g.packs), 0);
	assert_int_equal(workers_serial_new(&g.workers), 0);
	assert_int_equal(chunk_store_open(g.kv, g.packs, g.workers, &cfg, &g.cs), 0);
	assert_int_equal(shelf_new(g.kv, g.cs, &g.shelf), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_create(b, 1), 0);
	assert_int_equal(kv_write(g.kv, b, true), 0);
	kv_batch_free(b);
	assert_int_equal(drive_new(&g.drive), 0);
	assert_int_equal(st_new(&g.st), 0);
	rig_load(&g);
	*state = &g;
	return 0;
}

static inline int rig_free(void **state)
{
	struct rig *g = *state;

	g->st = st_free(g->st);
	g->drive = drive_free(g->drive);
	g->vol = volume_close(g->vol, NULL);
	g->shelf = shelf_free(g->shelf);
	g->cs = chunk_store_close(g->cs);
	g->workers = workers_free(g->workers);
	g->packs = packs_close(g->packs);
	g->kv = kv_close(g->kv);
	return 0;
}

static inline void open_st(struct rig *g, unsigned flags)
{
	assert_int_equal(st_open(g->st, g->drive, NULL, flags), 0);
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
