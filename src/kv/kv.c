/* SPDX-License-Identifier: BSD-2-Clause */
/* The door of the room: sends each call to the twin that the database or the iterator belongs to. */
#include "kv/kv_twin.h"

#include <assert.h>

struct kv *kv_close(struct kv *kv)
{
	if (kv)
		kv->ops->close(kv);
	return NULL;
}

int kv_get(struct kv *kv, enum kv_space s, const void *key, size_t klen, struct buf *value)
{
	return kv->ops->get(kv, s, key, klen, value);
}

int kv_any(struct kv *kv, enum kv_space s, const void *prefix, size_t plen)
{
	return kv->ops->any(kv, s, prefix, plen);
}

#define FEW 64u

int kv_batch_delete_rows(struct kv_batch *b, struct kv *kv, enum kv_space s, const void *prefix, size_t plen)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	const uint8_t *key;
	unsigned n = 0;
	size_t len;
	int r = kv_iter_new(kv, s, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, prefix, plen); !r && kv_iter_in(it, prefix, plen); kv_iter_next(it)) {
		if (n++ == FEW)
			return kv_batch_delete_prefix(b, s, prefix, plen);
		key = kv_iter_key(it, &len);
		r = kv_batch_delete(b, s, key, len);
	}
	return r ? r : kv_iter_error(it);
}

int kv_write(struct kv *kv, struct kv_batch *b, bool sync)
{
	return kv->ops->write(kv, b, NULL, sync);
}

int kv_usage(struct kv *kv, struct kv_usage *out)
{
	return kv->ops->usage(kv, out);
}

int kv_checkpoint(struct kv *kv)
{
	return kv->ops->checkpoint ? kv->ops->checkpoint(kv) : 0;
}

int kv_check(struct kv *kv, void (*bad)(void *ctx, const char *what), void *ctx)
{
	return kv->ops->check(kv, bad, ctx);
}

void kv_mem_plan_faults(struct kv *kv, uint64_t after, uint64_t count, int error)
{
	assert(kv->ops->plan_fault && error < 0);
	kv->ops->plan_fault(kv, after, count, error);
}

void kv_mem_plan_fault(struct kv *kv, uint64_t fail_after, int error)
{
	kv_mem_plan_faults(kv, fail_after, 1, error);
}

int kv_mem_cut_torn(struct kv *kv, uint64_t seed, struct kv **out)
{
	assert(kv->ops->cut);
	return kv->ops->cut(kv, seed, out);
}

int kv_mem_cut(struct kv *kv, struct kv **out)
{
	return kv_mem_cut_torn(kv, 0, out);
}

int kv_iter_new(struct kv *kv, enum kv_space s, struct kv_iter **out)
{
	return kv->ops->iter_new(kv, s, out);
}

struct kv_iter *kv_iter_free(struct kv_iter *it)
{
	if (it)
		it->ops->free(it);
	return NULL;
}

void kv_iter_freep(struct kv_iter **it)
{
	*it = kv_iter_free(*it);
}

void kv_iter_seek(struct kv_iter *it, const void *key, size_t klen)
{
	it->ops->seek(it, key, klen);
}

void kv_iter_seek_back(struct kv_iter *it, const void *key, size_t klen)
{
	it->ops->seek_back(it, key, klen);
}

void kv_iter_next(struct kv_iter *it)
{
	it->ops->next(it);
}

void kv_iter_prev(struct kv_iter *it)
{
	it->ops->prev(it);
}

bool kv_iter_valid(struct kv_iter *it)
{
	return it->ops->valid(it);
}

/* So many steps cost as much as a search from the top. */
#define NEAR_STEPS 4u

void kv_iter_seek_on(struct kv_iter *it, const void *key, size_t klen)
{
	for (unsigned steps = 0; kv_iter_valid(it); steps++) {
		size_t len;
		const uint8_t *k = kv_iter_key(it, &len);
		int order = memcmp(k, key, len < klen ? len : klen);

		if (order > 0 || (order == 0 && len >= klen))
			return;
		if (steps == NEAR_STEPS)
			break;
		kv_iter_next(it);
	}
	kv_iter_seek(it, key, klen);
}

bool kv_iter_in(struct kv_iter *it, const void *prefix, size_t plen)
{
	const uint8_t *key;
	size_t klen;

	if (!it->ops->valid(it))
		return false;
	key = it->ops->key(it, &klen);
	return klen >= plen && (!plen || !memcmp(key, prefix, plen));
}

const uint8_t *kv_iter_key(struct kv_iter *it, size_t *len)
{
	return it->ops->key(it, len);
}

const uint8_t *kv_iter_value(struct kv_iter *it, size_t *len)
{
	return it->ops->value(it, len);
}

int kv_iter_error(struct kv_iter *it)
{
	return it->ops->error(it);
}
