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
	KV_CONTENTS,	/* what is on the tapes: can be had again from them, so not in the journal, never synced */
	KV_SPACES
};

#define KV_KEY_MAX 1024			/* bytes; a batch refuses more */
#define KV_VALUE_MAX (64u << 20)

struct kv;
struct kv_batch;
struct kv_iter;

/*
 * kv_open() - open the database below @dir @create:       make it; -EEXIST if there is one.  Otherwise -ENOENT if
 * there is none. @cache_bytes:  memory for blocks read, filters included Return: 0; -EBADMSG or -EUCLEAN with words
 * (err_text) if RocksDB finds it damaged; -EBUSY if another process has it.
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
/* The same for keys that are in @kv now, of which nobody puts one meanwhile: one by one while they are few.  Every
 * read goes through all prefixes that were deleted of late, so what is done ten thousand times is done with this. */
int kv_batch_delete_rows(struct kv_batch *b, struct kv *kv, enum kv_space s, const void *prefix, size_t plen);
int kv_batch_append(struct kv_batch *b, const struct kv_batch *from);	/* all changes of @from behind those of @b */
size_t kv_batch_count(const struct kv_batch *b);
void kv_batch_clear(struct kv_batch *b);
/* All of @b or nothing; with @sync it is on disk when this returns, and everything written before it.  @b stays as
 * it is.  -ENOSPC with words when the disk is full: reads go on, and writes too, once there is space again.  A
 * write that failed may be found whole after a restart. */
int kv_write(struct kv *kv, struct kv_batch *b, bool sync);

/* A walk over one space as it was when the iterator was made. */
int kv_iter_new(struct kv *kv, enum kv_space s, struct kv_iter **out);
struct kv_iter *kv_iter_free(struct kv_iter *it);
void kv_iter_freep(struct kv_iter **it);
void kv_iter_seek(struct kv_iter *it, const void *key, size_t klen);		/* to the first key >= key */
/* The same for an iterator that is new, or stands before that key or at it; often that is near. */
void kv_iter_seek_on(struct kv_iter *it, const void *key, size_t klen);
void kv_iter_seek_back(struct kv_iter *it, const void *key, size_t klen);	/* to the last key <= key */
void kv_iter_next(struct kv_iter *it);
void kv_iter_prev(struct kv_iter *it);
bool kv_iter_valid(struct kv_iter *it);
bool kv_iter_in(struct kv_iter *it, const void *prefix, size_t plen);		/* valid, and the key starts so */
const uint8_t *kv_iter_key(struct kv_iter *it, size_t *len);			/* borrowed until the next move */
const uint8_t *kv_iter_value(struct kv_iter *it, size_t *len);
int kv_iter_error(struct kv_iter *it);						/* why it is not valid: 0 at the end */

/* ---- the journal: what outlives the database -------------------------------------------------------------------- */

/*
 * A database with a journal beside it: every batch is appended there first, and that is what a synced write waits
 * for; the database itself is written without waiting.  So one sync a commit, and a second, independent copy of
 * everything but KV_INDEX and KV_CONTENTS: the rows are in plain files, a checkpoint and the batches since then,
 * from which a lost or damaged database is made anew (kv_journal_replay(); vtape-format(5), "Journal").
 *
 * Batches of KV_CONTENTS alone go past the journal: to the database, and are not waited for, whatever @sync says.
 * A power cut takes back the last of them, each whole, in their order; which of other spaces' it leaves beside them
 * is not said. A batch that has both is refused: -EINVAL.
 *
 * A write, and what a power cut leaves behind each step:
 *  1. appended to the journal                       nothing of it, or all of it: as after step 2
 *  2. written to the database, not synced           nothing of it, or all of it; never answered, so both are right
 *  3. the journal synced (with @sync), then 0       all of it: the next open writes to the database what it lacks
 * If 1 fails the journal is cut back to where it was; if 2 fails what was appended is void, and its number is never
 * used again; if 3 fails the journal takes no more until the store is opened again (the same error from every
 * write).
 *
 * Checkpoints are written in the background, when the journal since the last one is longer than it and than 64 MiB,
 * so a row is written to it a bounded number of times; also when the journal is found to lack something.
 */
/* Takes @base (also if it fails).  @dir is made if it is not there.  Opening costs what the last crash left
 * undone. -EBADMSG: the database lacks a batch that the journal has, but damaged; -EUCLEAN: it ends before the
 * journal begins. Both with words; kv_journal_replay() into a new one takes what there is. */
int kv_journal_open(struct kv *base, const char *dir, struct kv **out);
/* The same in memory.  kv_mem_cut() and the planned faults see all three steps of it, each counts as one write. */
int kv_journal_mem_open(struct kv *base, struct kv **out);
/* A checkpoint now; returns when it is on disk.  0 for a database without a journal. */
int kv_checkpoint(struct kv *kv);

struct kv_replayed {
	uint64_t rows, batches;		/* of the checkpoint; behind it */
	uint64_t lost;			/* parts that were damaged: rows of them may be missing */
};
/* Into a new database: everything that the journal in @dir has.  Damage is passed over and counted, @bad (may be
 * NULL) gets words about each.  -ENOENT: there is no journal. */
int kv_journal_replay(const char *dir, struct kv *into, void (*bad)(void *ctx, const char *what), void *ctx,
		      struct kv_replayed *out);
/* Reads every block of the database and every byte of the journal, past all caches.  @bad gets words about each
 * fault; 0 if it could be looked at.  Runs beside everything else. */
int kv_check(struct kv *kv, void (*bad)(void *ctx, const char *what), void *ctx);

/* Bytes of memory (memtables, caches, filters) and on disk, for `vtape stats`. */
struct kv_usage { uint64_t memory_bytes, disk_bytes; };
int kv_usage(struct kv *kv, struct kv_usage *out);

#endif
