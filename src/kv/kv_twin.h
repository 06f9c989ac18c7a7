/* SPDX-License-Identifier: BSD-2-Clause */
/* What both twins give behind kv.h, and the batch as both read it. */
#ifndef VTAPE_KV_TWIN_H
#define VTAPE_KV_TWIN_H

#include <vtape/kv.h>

struct kv_ops {
	void (*close)(struct kv *kv);
	int (*get)(struct kv *kv, enum kv_space s, const void *key, size_t klen, struct buf *value);
	int (*any)(struct kv *kv, enum kv_space s, const void *prefix, size_t plen);
	int (*write)(struct kv *kv, const struct kv_batch *b, bool sync);
	int (*iter_new)(struct kv *kv, enum kv_space s, struct kv_iter **out);
	int (*usage)(struct kv *kv, struct kv_usage *out);
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

#endif
