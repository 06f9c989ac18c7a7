/* SPDX-License-Identifier: BSD-2-Clause */
/* Between kv_rocks.c and kv_rocks_options.c: how RocksDB is set up. */
#ifndef VTAPE_KV_ROCKS_H
#define VTAPE_KV_ROCKS_H

#include <rocksdb/c.h>
#include <vtape/kv.h>

#define ROCKS_FAMILIES (KV_SPACES + 1)	/* RocksDB insists on "default"; it stays empty */

struct rocks_options {
	rocksdb_cache_t *cache;		/* one for all spaces */
	rocksdb_options_t *db;
	rocksdb_options_t *family[ROCKS_FAMILIES];
};

extern const char *const rocks_family_names[ROCKS_FAMILIES];	/* [space] */

void rocks_options_init(struct rocks_options *o, size_t cache_bytes);
void rocks_options_fini(struct rocks_options *o);

#endif
