/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A batch is a list of changes that nobody has carried out yet, in the order in which they were asked for: a later one
 * wins.  It belongs to no database, so a room can fill one and hand it to another room that writes it.
 * One allocation however many changes: they lie one behind the other in a buffer, fixed head first.
 */
#include "kv/kv_twin.h"

#include <errno.h>

struct kv_batch {
	struct buf ops;
	size_t count;
};

struct op_head {
	uint32_t klen, vlen;
	uint8_t change, space;
};

int kv_batch_new(struct kv_batch **out)
{
	struct kv_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return err_origin(-ENOMEM);
	*out = b;
	return 0;
}

struct kv_batch *kv_batch_free(struct kv_batch *b)
{
	if (b) {
		buf_fini(&b->ops);
		free(b);
	}
	return NULL;
}

void kv_batch_freep(struct kv_batch **b)
{
	*b = kv_batch_free(*b);
}

int kv_batch_add(struct kv_batch *b, const struct kv_op *op)
{
	struct op_head head = {
		.klen = (uint32_t)op->klen,
		.vlen = (uint32_t)op->vlen,
		.change = (uint8_t)op->change,
		.space = (uint8_t)op->space,
	};
	int r;

	if (op->klen > KV_KEY_MAX || op->vlen > KV_VALUE_MAX)
		return err_explain(-EINVAL, "a row of %zu bytes under a key of %zu is too long", op->vlen, op->klen);
	r = buf_reserve(&b->ops, sizeof(head) + op->klen + op->vlen);
	if (r)
		return r;
	buf_append(&b->ops, &head, sizeof(head));
	buf_append(&b->ops, op->key, op->klen);
	buf_append(&b->ops, op->val, op->vlen);
	b->count++;
	return 0;
}

int kv_batch_put(struct kv_batch *b, enum kv_space s, const void *key, size_t klen, const void *val, size_t vlen)
{
	return kv_batch_add(b, &(struct kv_op){ KV_PUT, s, key, val, klen, vlen });
}

int kv_batch_delete(struct kv_batch *b, enum kv_space s, const void *key, size_t klen)
{
	return kv_batch_add(b, &(struct kv_op){ KV_DELETE, s, key, NULL, klen, 0 });
}

int kv_batch_delete_prefix(struct kv_batch *b, enum kv_space s, const void *prefix, size_t plen)
{
	return kv_batch_add(b, &(struct kv_op){ KV_DELETE_PREFIX, s, prefix, NULL, plen, 0 });
}

int kv_batch_append(struct kv_batch *b, const struct kv_batch *from)
{
	int r = buf_append(&b->ops, from->ops.data, from->ops.len);

	if (!r)
		b->count += from->count;
	return r;
}

size_t kv_batch_count(const struct kv_batch *b)
{
	return b->count;
}

void kv_batch_clear(struct kv_batch *b)
{
	b->ops.len = 0;
	b->count = 0;
}

bool kv_batch_next(const struct kv_batch *b, size_t *at, struct kv_op *op)
{
	struct op_head head;
	const uint8_t *p;

	if (*at == b->ops.len)
		return false;
	p = b->ops.data + *at;
	memcpy(&head, p, sizeof(head));
	p += sizeof(head);
	*op = (struct kv_op){
		.change = head.change,
		.space = head.space,
		.key = p,
		.val = p + head.klen,
		.klen = head.klen,
		.vlen = head.vlen,
	};
	*at += sizeof(head) + head.klen + head.vlen;
	return true;
}
