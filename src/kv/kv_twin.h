/* SPDX-License-Identifier: BSD-2-Clause */
/* What the twins and the journal over them give behind kv.h, and the batch as they read it. */
#ifndef VTAPE_KV_TWIN_H
#define VTAPE_KV_TWIN_H

#include <vtape/kv.h>

/* One space more than kv.h tells of: the journal's, for the row that says how far the database is. */
#define KV_OWN KV_SPACES
#define KV_ALL_SPACES (KV_SPACES + 1)

struct kv_op;

typedef void kv_bad_fn(void *ctx, const char *what);

struct kv_ops {
	void (*close)(struct kv *kv);
	int (*get)(struct kv *kv, enum kv_space s, const void *key, size_t klen, struct buf *value);
	int (*any)(struct kv *kv, enum kv_space s, const void *prefix, size_t plen);
	/* @also: one change more, behind those of @b; NULL: none. */
	int (*write)(struct kv *kv, const struct kv_batch *b, const struct kv_op *also, bool sync);
	int (*iter_new)(struct kv *kv, enum kv_space s, struct kv_iter **out);
	int (*usage)(struct kv *kv, struct kv_usage *out);
	int (*check)(struct kv *kv, kv_bad_fn *bad, void *ctx);
	int (*checkpoint)(struct kv *kv);					/* NULL: nothing to do */
	/* For tests; NULL where there is a real disk. */
	void (*plan_fault)(struct kv *kv, uint64_t after, uint64_t count, int error);
	int (*cut)(struct kv *kv, uint64_t seed, struct kv **out);
};

struct kv_iter_ops {
	void (*free)(struct kv_iter *it);
	void (*seek)(struct kv_iter *it, const void *key, size_t klen);
	void (*seek_back)(struct kv_iter *it, const void *key, size_t klen);
	void (*next)(struct kv_iter *it);
	void (*prev)(struct kv_iter *it);
	bool (*valid)(struct kv_iter *it);
	const uint8_t *(*key)(struct kv_iter *it, size_t *len);
	const uint8_t *(*value)(struct kv_iter *it, size_t *len);
	int (*error)(struct kv_iter *it);
};

/* First member of a twin's own struct. */
struct kv {
	const struct kv_ops *ops;
};

struct kv_iter {
	const struct kv_iter_ops *ops;
};

/* ---- kv_batch.c ---- */

enum kv_change { KV_PUT, KV_DELETE, KV_DELETE_PREFIX };

struct kv_op {
	enum kv_change change;
	enum kv_space space;
	const uint8_t *key, *val;	/* borrowed from the batch */
	size_t klen, vlen;
};

/* Walks the operations in the order in which they were added; *at starts at 0.  False at the end. */
bool kv_batch_next(const struct kv_batch *b, size_t *at, struct kv_op *op);
int kv_batch_add(struct kv_batch *b, const struct kv_op *op);

/* ---- kv_mem.c: more than kv.h lets a test do ---- */

/* As kv_mem_plan_fault(), but @count steps fail one after the other. */
void kv_mem_plan_faults(struct kv *kv, uint64_t after, uint64_t count, int error);
/* As kv_mem_cut(), but as a disk does it that wrote some of what nobody had synced.  Of a database: all writes up to
 * one of the last few, or one that failed.  Of a journal: any of the sectors.  @seed decides; 0 is kv_mem_cut(). */
int kv_mem_cut_torn(struct kv *kv, uint64_t seed, struct kv **out);
/* One step of what goes on around @kv, a twin in memory: the planned fault, if it is due, else 0. */
int kv_mem_step(struct kv *kv);

#endif
