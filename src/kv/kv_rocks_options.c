/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How RocksDB is set up.  Three things decide: a look-up of a digest that is not there must not read the disk (filters,
 * kept in memory in parts); the whole database must live in a small, fixed amount of memory (one block cache, one limit
 * for all memtables); and features of 7.8 in which data was lost are not used (atomic flush, WAL compression, recycled
 * WALs, WAL off).
 */
#include "kv/kv_rocks.h"

#define MIB (1024 * 1024)
#define MEMTABLES_BYTES (48 * MIB)	/* of all spaces together */
#define OPEN_FILES 512

const char *const rocks_family_names[ROCKS_FAMILIES] = {
	[KV_CATALOG] = "catalog", [KV_INDEX] = "index", [KV_MAP] = "map", [KV_PACK] = "pack",
	[KV_CONTENTS] = "contents", [KV_SPACES] = "default",
};

struct tuning {
	size_t memtable_bytes, block_bytes;
	int compression;
	bool point_lookups;	/* filters, and a hash in each block */
};

/* Index rows are digests, which no codec shrinks.  Map rows are read one after the other, the catalog is small. */
static const struct tuning tunings[ROCKS_FAMILIES] = {
	[KV_CATALOG] = { 8 * MIB, 16384, rocksdb_lz4_compression, false },
	[KV_INDEX] = { 16 * MIB, 4096, rocksdb_no_compression, true },
	[KV_MAP] = { 16 * MIB, 16384, rocksdb_lz4_compression, false },
	[KV_PACK] = { 4 * MIB, 16384, rocksdb_lz4_compression, false },
	[KV_CONTENTS] = { 16 * MIB, 16384, rocksdb_lz4_compression, false },
	[KV_SPACES] = { 1 * MIB, 4096, rocksdb_no_compression, false },
};

/* Filters and index blocks are cut into parts and live in the cache like any block, the top of each tree pinned: memory
 * stays what the cache may have, and what is hot stays in it. */
static rocksdb_block_based_table_options_t *table_options(const struct tuning *t, rocksdb_cache_t *cache)
{
	rocksdb_block_based_table_options_t *b = rocksdb_block_based_options_create();

	rocksdb_block_based_options_set_block_cache(b, cache);
	rocksdb_block_based_options_set_block_size(b, t->block_bytes);
	rocksdb_block_based_options_set_format_version(b, 5);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(b, 1);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(b, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(b, 1);
	rocksdb_block_based_options_set_pin_top_level_index_and_filter(b, 1);
	if (!t->point_lookups)
		return b;

	/* Bloom for the short-lived files of level 0, Ribbon (a third smaller, slower to build) below. */
	rocksdb_block_based_options_set_filter_policy(b, rocksdb_filterpolicy_create_ribbon_hybrid(10, 1));
	rocksdb_block_based_options_set_whole_key_filtering(b, 1);
	rocksdb_block_based_options_set_index_type(b, rocksdb_block_based_table_index_type_two_level_index_search);
	rocksdb_block_based_options_set_partition_filters(b, 1);
	rocksdb_block_based_options_set_metadata_block_size(b, 4096);
	rocksdb_block_based_options_set_data_block_index_type(
		b, rocksdb_block_based_table_data_block_index_type_binary_search_and_hash);
	rocksdb_block_based_options_set_data_block_hash_ratio(b, 0.75);
	return b;
}

static rocksdb_options_t *family_options(const struct tuning *t, rocksdb_cache_t *cache)
{
	rocksdb_block_based_table_options_t *b = table_options(t, cache);
	rocksdb_options_t *o = rocksdb_options_create();

	rocksdb_options_set_block_based_table_factory(o, b);
	rocksdb_block_based_options_destroy(b);
	rocksdb_options_set_write_buffer_size(o, t->memtable_bytes);
	rocksdb_options_set_max_write_buffer_number(o, 3);
	rocksdb_options_set_compression(o, t->compression);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
	rocksdb_options_set_target_file_size_base(o, 32 * MIB);
	rocksdb_options_set_max_bytes_for_level_base(o, 128 * MIB);
	return o;
}

static rocksdb_options_t *db_options(void)
{
	rocksdb_options_t *o = rocksdb_options_create();

	rocksdb_options_set_paranoid_checks(o, 1);
	rocksdb_options_set_wal_recovery_mode(o, rocksdb_point_in_time_recovery);
	rocksdb_options_set_recycle_log_file_num(o, 0);
	rocksdb_options_set_db_write_buffer_size(o, MEMTABLES_BYTES);
	/* Bounds how much a start after a crash has to replay. */
	rocksdb_options_set_max_total_wal_size(o, 64 * MIB);
	rocksdb_options_set_max_manifest_file_size(o, 16 * MIB);
	rocksdb_options_set_max_open_files(o, OPEN_FILES);
	rocksdb_options_set_max_background_jobs(o, 2);
	/* A flush of 16 MiB in one go would hold up the syncs of packs. */
	rocksdb_options_set_bytes_per_sync(o, MIB);
	rocksdb_options_set_wal_bytes_per_sync(o, MIB / 2);
	/* Opening must not read every table's statistics. */
	rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_stats_persist_period_sec(o, 0);
	rocksdb_options_set_keep_log_file_num(o, 4);
	rocksdb_options_set_max_log_file_size(o, MIB);
	/* Nothing but the header, which is written when it is opened: RocksDB 7.8 as Debian builds it asserts, and so ends
	 * the process, if it has something to say after its log met the end of the disk.  We tell its errors. */
	rocksdb_options_set_info_log_level(o, 5);
	return o;
}

void rocks_options_init(struct rocks_options *o, size_t cache_bytes)
{
	o->cache = rocksdb_cache_create_lru(cache_bytes);
	o->db = db_options();
	for (int f = 0; f < ROCKS_FAMILIES; f++)
		o->family[f] = family_options(&tunings[f], o->cache);
}

void rocks_options_fini(struct rocks_options *o)
{
	for (int f = 0; f < ROCKS_FAMILIES; f++)
		rocksdb_options_destroy(o->family[f]);
	rocksdb_options_destroy(o->db);
	rocksdb_cache_destroy(o->cache);
}
