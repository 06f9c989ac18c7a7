/* SPDX-License-Identifier: BSD-2-Clause */
/* Databases to test with: RocksDB in a scratch folder, and the twin in memory. */
#ifndef TEST_KV_TWINS_H
#define TEST_KV_TWINS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vtape/kv.h>

#define TEST_CACHE_BYTES (8u << 20)

struct scratch {
	char dir[64];	/* of the test */
	char db[80];	/* the database's, below it */
};

static inline int scratch_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void scratch_make(struct scratch *s)
{
	strcpy(s->dir, "/tmp/vtape-test-kv-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->db, sizeof(s->db), "%s/db", s->dir);
}

static inline void scratch_remove(struct scratch *s)
{
	nftw(s->dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Rows as words. */
static inline void put(struct kv_batch *b, enum kv_space s, const char *key, const char *val)
{
	assert_int_equal(kv_batch_put(b, s, key, strlen(key), val, strlen(val)), 0);
}

static inline void write_one(struct kv *kv, enum kv_space s, const char *key, const char *val, bool sync)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;

	assert_int_equal(kv_batch_new(&b), 0);
	put(b, s, key, val);
	assert_int_equal(kv_write(kv, b, sync), 0);
}

static inline void assert_row(struct kv *kv, enum kv_space s, const char *key, const char *want)
{
	struct buf value = BUF_INIT;
	int r = kv_get(kv, s, key, strlen(key), &value);

	if (!want) {
		assert_int_equal(r, KV_E_NONE);
	} else {
		assert_int_equal(r, 0);
		assert_int_equal(value.len, strlen(want));
		assert_memory_equal(value.data, want, value.len);
	}
	buf_fini(&value);
}

#endif
