/* SPDX-License-Identifier: BSD-2-Clause */
/* Between kv_rocks.c, kv_rocks_check.c and kv_rocks_options.c: a database of RocksDB, and how it is set up. */
#ifndef VTAPE_KV_ROCKS_H
#define VTAPE_KV_ROCKS_H

#include <rocksdb/c.h>
#include <stdatomic.h>

#include "kv/kv_twin.h"

#define ROCKS_FAMILIES (KV_SPACES + 1)	/* RocksDB insists on "default"; the journal's own row is in it */

struct rocks_options {
	rocksdb_cache_t *cache;		/* one for all spaces */
	rocksdb_options_t *db;
	rocksdb_options_t *family[ROCKS_FAMILIES];
};

struct rocks {
	struct kv kv;
	char *dir;
	struct rocks_options options;
	rocksdb_readoptions_t *read;
	rocksdb_writeoptions_t *write, *write_sync;
	pthread_rwlock_t lock;		/* guards db and family: held shared to use them, alone to reopen */
	rocksdb_t *db;			/* NULL: closed, and could not be opened again */
	rocksdb_column_family_handle_t *family[ROCKS_FAMILIES];
	uint64_t reopened_ns;		/* when last tried, clock_mono_ns(); with the lock held alone */
	atomic_uint iters;		/* alive; RocksDB cannot be closed under them */
};

/* The longest bound there is: one byte more than any key. */
struct key_bytes {
	uint8_t b[KV_KEY_MAX + 1];
	size_t len;
};

extern const char *const rocks_family_names[ROCKS_FAMILIES];	/* [space] */

void rocks_options_init(struct rocks_options *o, size_t cache_bytes);
void rocks_options_fini(struct rocks_options *o);

/* Between the two db and family stay what they are. */
int rocks_use_begin(struct rocks *rk);
void rocks_use_end(struct rocks *rk);
/* What RocksDB says went wrong, as a result of ours.  Takes @err. */
int rocks_failed(const struct rocks *rk, const char *doing, char *err);

/* kv_rocks_check.c */
int rocks_check(struct kv *kv, kv_bad_fn *bad, void *ctx);

#endif
