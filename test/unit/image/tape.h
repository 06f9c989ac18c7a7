/* SPDX-License-Identifier: BSD-2-Clause */
/* tape: one volume in a store in memory, to frame, to read and to import into. */
#ifndef TEST_IMAGE_TAPE_H
#define TEST_IMAGE_TAPE_H

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/chance.h"
#include "objects.h"

struct tape {
	struct kv *kv;
	struct packs *packs;
	struct workers *workers;
	struct chunk_store *cs;
	struct shelf *shelf;
	struct volume *v;
};

/* @capacity 0: unlimited. */
static inline void tape_up(struct tape *t, uint64_t capacity)
{
	struct chunk_store_config cfg = { chunk_params_of(CHUNK_AVG_DEFAULT), { 1, 2, 3 }, 0 };
	struct volume_attr attr = { .id = 1, .barcode = "A00001", .capacity_bytes = capacity };
	struct kv_batch *b;

	attr.store.codec = CHUNK_LZ4;
	assert_int_equal(kv_mem_new(&t->kv), 0);
	assert_int_equal(packs_mem_new(&t->packs), 0);
	assert_int_equal(workers_serial_new(&t->workers), 0);
	assert_int_equal(chunk_store_open(t->kv, t->packs, t->workers, &cfg, &t->cs), 0);
	assert_int_equal(shelf_new(t->kv, t->cs, &t->shelf), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_create(b, 1), 0);
	assert_int_equal(kv_write(t->kv, b, true), 0);
	kv_batch_free(b);
	assert_int_equal(volume_open(t->shelf, &attr, &t->v), 0);
}

static inline void tape_down(struct tape *t)
{
	t->v = volume_close(t->v, NULL);
	t->shelf = shelf_free(t->shelf);
	t->cs = chunk_store_close(t->cs);
	t->workers = workers_free(t->workers);
	t->packs = packs_close(t->packs);
	t->kv = kv_close(t->kv);
}

static inline void add_record(struct tape *t, struct image_framer *fr, struct buf *image, size_t n, uint64_t i)
{
	uint8_t *p = malloc(n);

	chance_fill(p, n, i);
	assert_int_equal(volume_append_record(t->v, 0, p, n), 0);
	assert_int_equal(image_frame_record(fr, p, n, image), 0);
	free(p);
}

static inline void add_mark(struct tape *t, struct image_framer *fr, struct buf *image)
{
	assert_int_equal(volume_append_filemark(t->v, 0), 0);
	assert_int_equal(image_frame_mark(fr, image), 0);
}

/* A tape with runs and changes, odd and even, short and long; the image that it must give goes to @image. */
static inline void tape_fill(struct tape *t, enum image_format f, struct buf *image, uint64_t seed)
{
	struct image_framer *fr;
	uint64_t i = 0;

	assert_int_equal(image_framer_new(f, &fr), 0);
	for (int group = 0; group < 40; group++) {
		bool is_long = chance_below(&seed, 5) == 0;
		size_t len = 1 + (is_long ? 30000 : 0) + chance_below(&seed, is_long ? 100000 : 2000);
		uint64_t run = chance_below(&seed, 4) == 0 ? 1 : chance_below(&seed, 12);

		for (uint64_t k = 0; k < run; k++)
			add_record(t, fr, image, len, ++i);
		for (uint64_t k = chance_below(&seed, 3); k > 0; k--)
			add_mark(t, fr, image);
	}
	assert_int_equal(image_frame_end(fr, image), 0);
	image_framer_free(fr);
}

#endif
