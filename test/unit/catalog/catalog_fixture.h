/* SPDX-License-Identifier: BSD-2-Clause */
/* A fresh catalog on the twin in memory, for each test. */
#ifndef TEST_CATALOG_FIXTURE_H
#define TEST_CATALOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <vtape/catalog.h>

#include "catalog/catalog_rows.h"

struct fixture {
	struct kv *kv;
	struct catalog *cat;
};

static const struct catalog_perm some_perm = { 0750, 12, 34, 5000, 6000 };

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(kv_mem_new(&f->kv), 0);
	assert_int_equal(catalog_open(f->kv, &f->cat), 0);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	catalog_close(f->cat);
	kv_close(f->kv);
	free(f);
	return 0;
}

static inline struct catalog *cat_of(void **state)
{
	return ((struct fixture *)*state)->cat;
}

static inline struct kv *kv_of(void **state)
{
	return ((struct fixture *)*state)->kv;
}

/* The process ends and starts again; @crash: what was not synced is lost. */
static inline void restart(void **state, bool crash)
{
	struct fixture *f = *state;
	struct kv *cut;

	if (crash) {
		assert_int_equal(kv_mem_cut(f->kv, &cut), 0);
		f->cat = catalog_close(f->cat);
		kv_close(f->kv);
		f->kv = cut;
	} else {
		f->cat = catalog_close(f->cat);
	}
	assert_int_equal(catalog_open(f->kv, &f->cat), 0);
}

static inline void raw_put(void **state, const struct row_key *key, const void *row, size_t len)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_CATALOG, key->b, key->len, row, len), 0);
	assert_int_equal(kv_write(kv_of(state), b, true), 0);
}

/* Rows whose key begins with this letter. */
static inline unsigned raw_count(void **state, char letter)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	unsigned n = 0;

	assert_int_equal(kv_iter_new(kv_of(state), KV_CATALOG, &it), 0);
	for (kv_iter_seek(it, &letter, 1); kv_iter_in(it, &letter, 1); kv_iter_next(it))
		n++;
	return n;
}

static inline uint32_t default_pool(void **state)
{
	struct catalog_pool p;

	assert_int_equal(catalog_pool_get(cat_of(state), CATALOG_POOL_DEFAULT, &p), 0);
	return p.id;
}

static inline uint64_t add_volume(void **state, uint32_t pool, const char *name)
{
	struct catalog_volume v = { .pool = pool, .perm = some_perm };

	strcpy(v.name, name);
	assert_int_equal(catalog_volume_new_id(cat_of(state), &v.id), 0);
	assert_int_equal(catalog_volume_add(cat_of(state), &v, NULL), 0);
	return v.id;
}

/* By their bytes on disk: structs have padding. */
static inline void assert_same_rows(struct buf *a, struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->data, b->data, a->len);
	buf_fini(a);
	buf_fini(b);
}

static inline void assert_same_pool(const struct catalog_pool *p, const struct catalog_pool *q)
{
	struct buf a = BUF_INIT, b = BUF_INIT;

	assert_int_equal(pool_encode(p, &a), 0);
	assert_int_equal(pool_encode(q, &b), 0);
	assert_same_rows(&a, &b);
}

static inline void assert_same_volume(const struct catalog_volume *v, const struct catalog_volume *w)
{
	struct buf a = BUF_INIT, b = BUF_INIT;

	assert_int_equal(volume_encode(v, &a), 0);
	assert_int_equal(volume_encode(w, &b), 0);
	assert_same_rows(&a, &b);
}

#define ON_CATALOG(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

#endif
