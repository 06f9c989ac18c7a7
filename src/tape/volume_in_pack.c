/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a pack back to the tapes: who is hurt if it is damaged.  Use rows lead from the pack to maps, heads from volumes
 * to maps; nothing leads from a map to its volume, so all heads are looked at.  That is for the rare bad day only.
 */
#include "tape/volume.h"

#include <errno.h>

struct maps {
	uint64_t *map;
	size_t count, room;
};

static void maps_fini(struct maps *m)
{
	free(m->map);
}

static int maps_add(struct maps *m, uint64_t map)
{
	if (m->count == m->room) {
		size_t room = m->room ? 2 * m->room : 16;
		uint64_t *more = reallocarray(m->map, room, sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		m->map = more;
		m->room = room;
	}
	m->map[m->count++] = map;
	return 0;
}

/* In the order of their numbers, as the rows are. */
static int maps_of_pack(struct kv *kv, uint64_t pack, struct maps *out)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key uses = key_uses(pack);
	uint64_t map;
	size_t len;
	int r = kv_iter_new(kv, KV_MAP, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, uses.b, uses.len); !r && kv_iter_in(it, uses.b, uses.len); kv_iter_next(it)) {
		const uint8_t *key = kv_iter_key(it, &len);

		r = key_tail_number(key, len, &map);
		r = r ? r : maps_add(out, map);
	}
	return r ? r : kv_iter_error(it);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool head_has(const struct head *h, const struct maps *m)
{
	for (uint32_t p = 0; p < h->partitions; p++)
		for (uint32_t i = 0; i < h->part[p].stretches; i++)
			if (bsearch(&h->part[p].stretch[i].map, m->map, m->count, sizeof(*m->map), compare))
				return true;
	return false;
}

static int head_of_row(struct kv_iter *it, uint64_t *volume, struct head *h)
{
	size_t klen, vlen;
	const uint8_t *key = kv_iter_key(it, &klen), *value = kv_iter_value(it, &vlen);
	struct cursor c = cursor_of(key, klen);
	uint64_t generation;

	cursor_u8(&c);
	*volume = cursor_be64(&c);
	generation = cursor_be64(&c);
	return c.bad ? err_explain(-EUCLEAN, "a key of the heads has %zu bytes", klen) :
		       head_unpack(value, vlen, generation, h);
}

int volume_each_in_pack(struct kv *kv, uint64_t pack, int (*each)(void *ctx, uint64_t volume), void *ctx)
{
	CLEANUP(maps_fini) struct maps maps = { 0 };
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key heads = key_all_heads();
	uint64_t volume, told = 0;
	int r = maps_of_pack(kv, pack, &maps);

	if (r || !maps.count)
		return r;
	r = kv_iter_new(kv, KV_MAP, &it);
	if (r)
		return r;
	for (kv_iter_seek(it, heads.b, heads.len); !r && kv_iter_in(it, heads.b, heads.len); kv_iter_next(it)) {
		CLEANUP(head_fini) struct head h = { 0 };

		r = head_of_row(it, &volume, &h);
		if (!r && volume != told && head_has(&h, &maps)) {
			told = volume;
			r = each(ctx, volume);
		}
	}
	return r ? r : kv_iter_error(it);
}
