/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal from inside: its bytes (kv_journal_format.c), the folder they are in (kv_journal_dir.c, and in memory
 * kv_journal_mem.c), reading them (kv_journal_read.c), and the database with a journal (the other kv_journal*.c).
 */
#ifndef VTAPE_KV_JOURNAL_H
#define VTAPE_KV_JOURNAL_H

#include "kv/kv_twin.h"

#include <stdatomic.h>

/* ---- kv_journal_format.c: bytes on disk, vtape-format(5) "Journal" ---- */

#define JOURNAL_NUMBER_MAX (UINT64_MAX / 2)
#define JOURNAL_HEADER_BYTES 64u
#define JOURNAL_FRAME_BYTES 48u
#define JOURNAL_END_BYTES 32u
#define JOURNAL_ROW_BYTES 33u
#define JOURNAL_PAYLOAD_MAX (1u << 30)		/* of a batch */
#define JOURNAL_BLOCK_BYTES (256u << 10)	/* of rows, before a checkpoint begins the next block */

enum journal_kind { JOURNAL_LOG, JOURNAL_CHECKPOINT };
enum journal_frame_kind { JOURNAL_BATCH, JOURNAL_ROWS, JOURNAL_END, JOURNAL_FRAME_KINDS };

struct journal_header {
	enum journal_kind kind;
	uint64_t number;	/* log: of its first batch; checkpoint: of the last batch that is in it */
	uint64_t follows;	/* log: the last batch before it that counts; what logs before have beyond is void */
	uint64_t previous;	/* log: number of the log before it; 0: it was the first */
	uint64_t id;		/* random; stands in each frame, so that nothing else passes for one */
};

struct journal_frame {
	enum journal_frame_kind kind;
	uint32_t len;		/* of the payload */
	uint64_t number;	/* of the batch; of the block, from 1 */
	uint64_t id;
	uint64_t synced;	/* batches up to this one were on disk when this was written */
	uint64_t sum;		/* sum64 of the payload */
};

/* How far the database is: a row of its own, written with each batch. */
struct journal_row {
	uint64_t number;	/* of the batch */
	uint64_t log, end;	/* where it ends in the journal; log 0: nowhere */
	uint64_t synced;	/* so much of that log was on disk when it was written */
};

void journal_header_pack(const struct journal_header *h, uint8_t out[JOURNAL_HEADER_BYTES]);
/* KV_E_NONE: it is none; -EUCLEAN: written by a newer vtape. */
int journal_header_unpack(const uint8_t *p, enum journal_kind kind, struct journal_header *out);
void journal_frame_pack(const struct journal_frame *f, uint8_t out[JOURNAL_FRAME_BYTES]);
bool journal_frame_unpack(const uint8_t *p, struct journal_frame *out);
void journal_row_pack(const struct journal_row *row, uint8_t out[JOURNAL_ROW_BYTES]);
int journal_row_unpack(const uint8_t *p, size_t len, struct journal_row *out);

/* Payloads. */
int journal_op_pack(struct buf *b, const struct kv_op *op);
/* Appends the changes to @to, without those of KV_INDEX if @index is false.  -EUCLEAN if it is no payload. */
int journal_payload_unpack(const uint8_t *p, size_t len, bool index, struct kv_batch *to);

/* ---- the folder ---- */

#define JOURNAL_NAME_MAX 32
#define JOURNAL_TMP_NAME "checkpoint.new"

struct jfile;
struct jfile_ops {
	int (*pread)(struct jfile *f, void *buf, size_t len, uint64_t off);	/* all of it, or an error */
	int (*pwrite)(struct jfile *f, const void *buf, size_t len, uint64_t off);
	int (*cut)(struct jfile *f, uint64_t len);
	int (*sync)(struct jfile *f);
	void (*begin_sync)(struct jfile *f);	/* so that a later sync has less to do */
	void (*forget)(struct jfile *f);	/* what is cached of it, so that it is read from the disk */
	int (*size)(struct jfile *f, uint64_t *out);
	void (*close)(struct jfile *f);
};
struct jfile {
	const struct jfile_ops *ops;
};

/* Names are those of files in the folder. */
struct jdir;
struct jdir_ops {
	int (*list)(struct jdir *d, int (*each)(void *ctx, const char *name), void *ctx);
	int (*create)(struct jdir *d, const char *name, struct jfile **out);	/* -EEXIST */
	int (*open)(struct jdir *d, const char *name, struct jfile **out);
	int (*rename)(struct jdir *d, const char *from, const char *to);
	int (*remove)(struct jdir *d, const char *name);
	int (*sync)(struct jdir *d);
	uint64_t (*disk_bytes)(struct jdir *d);
	/* May what can wait take @bytes more?  -ENOSPC with words: commits may need what is left. */
	int (*room)(struct jdir *d, uint64_t bytes);
	int (*cut)(struct jdir *d, struct kv *base, uint64_t seed, struct jdir **out);	/* in memory only */
	void (*close)(struct jdir *d);
};
struct jdir {
	const struct jdir_ops *ops;
	char *path;		/* for words */
	bool background;	/* checkpoints are made by a thread */
};

int jdir_open(const char *path, bool create, struct jdir **out);	/* -ENOENT */
int jdir_mem_new(struct kv *base, struct jdir **out);
struct jdir *jdir_close(struct jdir *d);
void jdir_closep(struct jdir **d);
struct jfile *jfile_close(struct jfile *f);
void jfile_closep(struct jfile **f);

struct journal_numbers {
	uint64_t *of;
	size_t count;
};
struct journal_list {
	struct journal_numbers logs, checkpoints;	/* from low to high */
};
void journal_name(enum journal_kind kind, uint64_t number, char out[JOURNAL_NAME_MAX]);
int journal_list_read(struct jdir *d, struct journal_list *out);
void journal_list_fini(struct journal_list *l);

/* ---- kv_journal_read.c ---- */

/* A damaged place, or a gap: words, and how many parts.  Not 0: stop, and return this. */
typedef int journal_damage_fn(void *ctx, uint64_t parts, const char *what);

struct journal_reading {
	struct jdir *dir;
	/* A batch or a block of rows, and where it ends; 0, or < 0.  -EUCLEAN counts as damage. */
	int (*payload)(void *ctx, const struct journal_frame *f, const uint8_t *p, uint64_t log, uint64_t end);
	journal_damage_fn *damage;
	void *ctx;
	const char *name;	/* of a checkpoint that has not got its own yet; else NULL */
};

struct journal_log_part {
	uint64_t log;
	uint64_t from;		/* offset to begin at; 0: behind the header */
	uint64_t bytes;		/* that count; UINT64_MAX: all */
	uint64_t until;		/* the last batch that counts; UINT64_MAX: all */
	bool last;		/* there is no later log, so it may have a torn end */
};
/* The batches of one log behind @have, which moves on; @end: where the last whole one ends, @whole: there is nothing
 * behind it and nothing damaged before. */
int journal_read_log(const struct journal_reading *r, const struct journal_log_part *part, uint64_t *have,
		     uint64_t *end, bool *whole);
int journal_read_checkpoint(const struct journal_reading *r, uint64_t number);
/* 0; KV_E_NONE: not the header of a file of this kind and number. */
int journal_read_header(struct jdir *d, enum journal_kind kind, uint64_t number, struct journal_header *out,
			uint64_t *size);

/* ---- kv_journal_replay.c: the whole journal ---- */

/*
 * The newest whole checkpoint (the newest, if none is) and the logs behind it.  Damage is passed over and told to @bad.
 * While the journal is in use, of log @live_log only @live_bytes and nothing behind.
 */
struct journal_walk {
	struct jdir *dir;
	const struct journal_list *list;
	/* As in struct journal_reading: a batch, a block of rows, or a checkpoint's end. */
	int (*payload)(void *ctx, const struct journal_frame *f, const uint8_t *p);
	void *ctx;
	uint64_t live_log, live_bytes;	/* 0: all */
	kv_bad_fn *bad;
	void *bad_ctx;
	uint64_t have, lost;		/* the last batch; parts that were damaged */
};
int journal_walk(struct journal_walk *w);
int journal_replay_dir(struct jdir *d, struct kv *into, kv_bad_fn *bad, void *ctx, struct kv_replayed *out);
int journal_row_read(struct kv *base, struct journal_row *out);	/* KV_E_NONE */
struct kv_op journal_row_op(const uint8_t row[JOURNAL_ROW_BYTES]);

/* ---- kv_journal.c, kv_journal_open.c, kv_journal_checkpoint.c: a database with a journal ---- */

/*
 * Locks, in the order in which they are taken: checkpointing, lock, sync_lock.
 * While @lock is not held:
 * 1. The database has all batches up to @have but those that failed, and if the journal lacks some, then @wished.
 * 2. @log ends at @end with batch @have, or has none yet, or @rotate.
 */
struct journal { /* NOLINT(clang-analyzer-optin.performance.Padding): by lock; a store has one */
	struct kv kv;
	struct kv *base;
	struct jdir *dir;

	pthread_mutex_t lock;		/* what follows: the order of the log is the order of the database */
	struct jfile *log;		/* NULL: the first write makes it */
	uint64_t log_number, log_id;
	uint64_t end;			/* of what is in @log; changed with @sync_lock held too */
	uint64_t have;			/* changed with @sync_lock held too */
	uint64_t next;			/* number of the next batch; never given twice */
	bool rotate;			/* nothing may be appended to @log */
	uint64_t bytes;			/* of logs behind the last checkpoint */
	uint64_t checkpoint_bytes;	/* of the last checkpoint */
	bool wished;			/* a checkpoint, at once */

	pthread_mutex_t sync_lock;	/* what follows */
	pthread_cond_t sync_done;
	bool syncing;			/* somebody is, for everybody */
	uint64_t synced, synced_end;	/* batches up to this one are on disk, and where it ends in @log */
	int poison;			/* a sync failed: nothing is written any more */

	pthread_mutex_t checkpointing;	/* held by who makes one, or reads all */
	pthread_t thread;
	bool has_thread;
	pthread_cond_t wake;		/* with @lock: @wished, @bytes, @stop */
	_Atomic bool stop, hurry;
};

int journal_open(struct kv *base, struct jdir *dir, struct kv **out);	/* takes both, also if it fails */
int journal_new(struct kv *base, struct jdir *dir, struct journal **out);	/* the same; nothing is read yet */
struct journal *journal_of(struct kv *kv);
/* A new log, in which the next batch comes first; all before it is on disk.  With @lock held. */
int journal_rotate(struct journal *j);
int journal_checkpoint(struct journal *j);
bool journal_checkpoint_due(const struct journal *j);	/* with @lock held */
int journal_checkpoint_start(struct journal *j);	/* the thread */
void journal_checkpoint_stop(struct journal *j);
int journal_check(struct kv *kv, kv_bad_fn *bad, void *ctx);

#endif
