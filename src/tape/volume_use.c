/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The use of packs by maps, one row for each pair.  A row is written in the batch that writes the pages it speaks of,
 * and taken back in the batch that deletes them, so it is always true: the bytes of committed stream in that pack.
 */
#include "tape/volume_use.h"

#include <errno.h>
#include <inttypes.h>

void uses_fini(struct uses *u)
{
	free(u->use);
	*u = (struct uses){ 0 };
}

static int uses_push(struct uses *u, uint64_t pack, uint64_t bytes)
{
	if (u->count && u->use[u->count - 1].pack == pack) {
		u->use[u->count - 1].bytes += bytes;
		return 0;
	}
	if (u->count == u->room) {
		size_t room = u->room ? 2 * u->room : 16;
		struct use *more = reallocarray(u->use, room, sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		u->use = more;
		u->room = room;
	}
	u->use[u->count++] = (struct use){ pack, bytes };
	return 0;
}

int uses_add_page(struct uses *u, const struct page *p, uint64_t from, uint64_t to)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < p->runs; i++) {
		const struct chunk_run *run = &p->chunk[i];
		uint64_t a = run->at < from ? from : run->at;
		uint64_t b = run->at + run->bytes > to ? to : run->at + run->bytes;

		if (a < b)
			r = uses_push(u, run->pack, b - a);
	}
	return r;
}

static int by_pack(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	return x->pack < y->pack ? -1 : x->pack > y->pack;
}

/* One entry a pack. */
static void uses_merge(struct uses *u)
{
	size_t kept = 0;

	if (!u->count)
		return;
	qsort(u->use, u->count, sizeof(*u->use), by_pack);
	for (size_t i = 1; i < u->count; i++)
		if (u->use[i].pack == u->use[kept].pack)
			u->use[kept].bytes += u->use[i].bytes;
		else
			u->use[++kept] = u->use[i];
	u->count = kept + 1;
}

/* What the row says now; 0 if there is none. */
static int used_now(struct kv *kv, const struct map_key *key, uint64_t *bytes)
{
	struct buf value = BUF_INIT;
	int r = kv_get(kv, KV_MAP, key->b, key->len, &value);

	if (r == 0) {
		r = use_unpack(value.data, value.len, bytes);
	} else if (r == KV_E_NONE) {
		*bytes = 0;
		r = 0;
	}
	buf_fini(&value);
	return r;
}

static int put_use(struct kv_batch *b, const struct map_key *key, uint64_t bytes)
{
	struct buf value = BUF_INIT;
	int r = use_pack(bytes, &value);

	r = r ? r : kv_batch_put(b, KV_MAP, key->b, key->len, value.data, value.len);
	buf_fini(&value);
	return r;
}

int uses_put(struct uses *u, struct kv *kv, struct kv_batch *b, uint64_t map)
{
	int r = 0;

	uses_merge(u);
	for (size_t i = 0; !r && i < u->count; i++) {
		struct map_key key = key_use(u->use[i].pack, map);
		uint64_t used;

		r = used_now(kv, &key, &used);
		r = r ? r : put_use(b, &key, used + u->use[i].bytes);
	}
	return r;
}

int uses_take(struct uses *u, struct kv *kv, struct kv_batch *b, uint64_t map)
{
	int r = 0;

	uses_merge(u);
	for (size_t i = 0; !r && i < u->count; i++) {
		struct map_key key = key_use(u->use[i].pack, map);
		uint64_t used;

		r = used_now(kv, &key, &used);
		if (!r && used < u->use[i].bytes)
			log_warn("pack %" PRIu64 ": map %016" PRIx64 " uses more of it than its row tells",
				 u->use[i].pack, map);
		if (!r)
			r = used > u->use[i].bytes ? put_use(b, &key, used - u->use[i].bytes) :
						     kv_batch_delete(b, KV_MAP, key.b, key.len);
	}
	return r;
}
