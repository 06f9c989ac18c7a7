/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv: ordered keys and values with atomic, durable batches.  The index, the maps and the catalog live here.
 * Two of them: RocksDB below a folder, and an in-memory twin with planned faults for tests.  Safe from any thread.
 */
#ifndef VTAPE_KV_H
#define VTAPE_KV_H

#include <vtape/util.h>

enum { KV_E_NONE = 1 };		/* no such key */

/* Spaces are separate key orders, tuned for what is in them (RocksDB: one column family each). */
enum kv_space {
	KV_CATALOG,	/* pools, volumes, drives, events, the store's own numbers */
	KV_INDEX,	/* digest -> place of a chunk: random 16 byte keys, mostly looked up in vain */
	KV_MAP,		/* volumes: heads, object pages, chunk pages, use of packs */
	KV_PACK,	/* one row per pack */
	KV_SPACES
};

#define KV_KEY_MAX 1024			/* bytes; a batch refuses more */
#define KV_VALUE_MAX (64u << 20)

struct kv;
struct kv_batch;
struct kv_iter;

/*
 * kv_open() - open the database below @dir
 * @create:       make it; -EEXIST if there is one.  Otherwise -ENOENT if there is none.
 * @cache_bytes:  memory for blocks read, filters included
 * Return: 0; -EBADMSG or -EUCLEAN with words (err_text) if RocksDB finds it damaged; -EBUSY if another process has it.
 */
int kv_open(const char *dir, bool create, size_t cache_bytes, struct kv **out);
struct kv *kv_close(struct kv *kv);		/* waits for background work; NULL is fine */

/* The twin.  @fail_after: the kv_write() that fails with @error (< 0) and leaves nothing behind, counted from 1;
 * 0: none. */
int kv_mem_new(struct kv **out);
void kv_mem_plan_fault(struct kv *kv, uint64_t fail_after, int error);
/* The twin as a power cut would leave it: only what synced writes (and writes before them) held. */
int kv_mem_cut(struct kv *kv, struct kv **out);

/* What @value held is replaced; KV_E_NONE. */
int kv_get(struct kv *kv, enum kv_space s, const void *key, size_t klen, struct buf *value);
/* Is any key with this prefix there?  0 or KV_E_NONE. */
int kv_any(struct kv *kv, enum kv_space s, const void *prefix, size_t plen);

int kv_batch_new(struct kv_batch **out);
struct kv_batch *kv_batch_free(struct kv_batch *b);
void kv_batch_freep(struct kv_batch **b);
int kv_batch_put(struct kv_batch *b, enum kv_space s, const void *key, size_t klen, const void *val, size_t vlen);
int kv_batch_delete(struct kv_batch *b, enum kv_space s, const void *key, size_t klen);
/* Every key that starts with @prefix.  One row in the database, however many keys. */
int kv_batch_delete_prefix(struct kv_batch *b, enum kv_space s, const void *prefix, size_t plen);
int kv_batch_append(struct kv_batch *b, const struct kv_batch *from);	/* all changes of @from behind those of @b */
size_t kv_batch_count(const struct kv_batch *b);
void kv_batch_clear(struct kv_batch *b);
/* All of @b or nothing; with @sync it is on disk when this returns, and everything written before it.  @b stays as it
 * is.  -ENOSPC with words when the disk is full: reads go on, and writes too, once there is space again.  A write that
 * failed may be found whole after a restart. */
int kv_write(struct kv *kv, struct kv_batch *b, bool sync);

/* A walk over one space as it was when the iterator was made. */
int kv_iter_new(struct kv *kv, enum kv_space s, struct kv_iter **out);
struct kv_iter *kv_iter_free(struct kv_iter *it);
void kv_iter_freep(struct kv_iter **it);
void kv_iter_seek(struct kv_iter *it, const void *key, size_t klen);		/* to the first key >= key */
void kv_iter_seek_back(struct kv_iter *it, const void *key, size_t klen);	/* to the last key <= key */
void kv_iter_next(struct kv_iter *it);
void kv_iter_prev(struct kv_iter *it);
bool kv_iter_valid(struct kv_iter *it);
bool kv_iter_in(struct kv_iter *it, const void *prefix, size_t plen);		/* valid, and the key starts so */
const uint8_t *kv_iter_key(struct kv_iter *it, size_t *len);			/* borrowed until the next move */
const uint8_t *kv_iter_value(struct kv_iter *it, size_t *len);
int kv_iter_error(struct kv_iter *it);						/* why it is not valid: 0 at the end */

/* Bytes of memory (memtables, caches, filters) and on disk, for `vtape stats`. */
struct kv_usage { uint64_t memory_bytes, disk_bytes; };
int kv_usage(struct kv *kv, struct kv_usage *out);

#endif
