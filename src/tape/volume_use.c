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

void uses_merge(struct uses *u)
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

/* One pack: @more and @less of it.  A row that tells less than is taken from it is wrong; it goes. */
static int change_use(struct kv *kv, struct kv_batch *b, uint64_t map, uint64_t pack, uint64_t more, uint64_t less)
{
	struct map_key key = key_use(pack, map), look = key_look(pack);
	uint64_t used;
	int r = more == less ? 0 : used_now(kv, &key, &used);

	if (r || more == less)
		return r;
	if (more > less)
		return put_use(b, &key, used + (more - less));
	less -= more;
	if (used < less)
		log_warn("pack %" PRIu64 ": map %016" PRIx64 " uses more of it than its row tells", pack, map);
	r = used > less ? put_use(b, &key, used - less) : kv_batch_delete(b, KV_MAP, key.b, key.len);
	return r ? r : kv_batch_delete(b, KV_MAP, look.b, look.len);
}

int uses_put(struct uses *more, struct uses *less, struct kv *kv, struct kv_batch *b, uint64_t map)
{
	struct uses none = { 0 };
	size_t i = 0, k = 0;
	int r = 0;

	more = more ? more : &none;
	less = less ? less : &none;
	uses_merge(more);
	uses_merge(less);
	while (!r && (i < more->count || k < less->count)) {
		uint64_t a = i < more->count ? more->use[i].pack : UINT64_MAX;
		uint64_t c = k < less->count ? less->use[k].pack : UINT64_MAX;
		uint64_t pack = a < c ? a : c;
		bool adds = i < more->count && a == pack, takes = k < less->count && c == pack;

		r = change_use(kv, b, map, pack, adds ? more->use[i].bytes : 0, takes ? less->use[k].bytes : 0);
		i += adds;
		k += takes;
	}
	return r;
}
