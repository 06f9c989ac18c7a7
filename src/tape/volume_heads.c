/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heads of volumes as rows: read, written, walked; and what of which maps they need.  What they are is
 * volume_format.c's; which of them come and go volume_history.c's and volume_commit.c's.
 */
#include "tape/volume_heads.h"

#include <errno.h>
#include <inttypes.h>

int head_write(struct kv_batch *b, uint64_t volume, const struct head *h)
{
	struct map_key key = key_head(volume, h->generation);
	struct buf value = BUF_INIT;
	int r = head_pack(h, &value);

	r = r ? r : kv_batch_put(b, KV_MAP, key.b, key.len, value.data, value.len);
	buf_fini(&value);
	return r;
}

/* Of one that is damaged out->generation is known all the same. */
static int head_at(struct kv_iter *it, struct head *out)
{
	size_t klen, vlen;
	const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
	uint64_t generation;
	int r = key_tail_number(k, klen, &generation);

	if (r)
		return r;
	r = head_unpack(v, vlen, generation, out);
	out->generation = generation;
	return r;
}

/* At the newest head of @volume, going back from there. */
static int heads_begin(struct kv *kv, uint64_t volume, struct kv_iter **out)
{
	struct map_key last = key_head(volume, UINT64_MAX);
	int r = kv_iter_new(kv, KV_MAP, out);

	if (!r)
		kv_iter_seek_back(*out, last.b, last.len);
	return r;
}

int head_read(struct kv *kv, uint64_t volume, struct head *out)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key heads = key_heads(volume);
	int r = heads_begin(kv, volume, &it);

	if (r)
		return r;
	if (kv_iter_in(it, heads.b, heads.len))
		return head_at(it, out);
	r = kv_iter_error(it);
	return r ? r : err_explain(-ENOENT, "there is no volume %" PRIu64, volume);
}

int head_newest(struct kv *kv, uint64_t volume, uint64_t *generation)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key heads = key_heads(volume);
	const uint8_t *key;
	size_t len;
	int r = heads_begin(kv, volume, &it);

	if (r)
		return r;
	if (kv_iter_in(it, heads.b, heads.len)) {
		key = kv_iter_key(it, &len);
		return key_tail_number(key, len, generation);
	}
	r = kv_iter_error(it);
	return r ? r : err_explain(-ENOENT, "there is no volume %" PRIu64, volume);
}

/* ---- all of a volume's ------------------------------------------------------------------------------------------- */

void heads_fini(struct heads *hs)
{
	for (size_t i = 0; i < hs->count; i++)
		head_fini(&hs->row[i].head);
	free(hs->row);
}

static int heads_push(struct heads *hs, struct head *h, bool damaged)
{
	if (hs->count == hs->room) {
		size_t room = hs->room ? 2 * hs->room : 8;
		struct head_row *more = reallocarray(hs->row, room, sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		hs->row = more;
		hs->room = room;
	}
	hs->row[hs->count++] = (struct head_row){ .head = *h, .damaged = damaged };
	memset(h, 0, sizeof(*h));
	return 0;
}

static int read_all(struct kv *kv, uint64_t volume, bool damaged, struct heads *out)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key heads = key_heads(volume);
	int r = heads_begin(kv, volume, &it);

	for (; !r && kv_iter_in(it, heads.b, heads.len); kv_iter_prev(it)) {
		CLEANUP(head_fini) struct head h = { 0 };
		int bad = head_at(it, &h);

		if (bad && (!damaged || !h.generation || (bad != -EBADMSG && bad != -EUCLEAN)))
			return bad;
		r = heads_push(out, &h, bad);
	}
	r = r ? r : kv_iter_error(it);
	if (r)
		return r;
	return out->count ? 0 : err_explain(-ENOENT, "there is no volume %" PRIu64, volume);
}

int heads_read(struct kv *kv, uint64_t volume, struct heads *out)
{
	return read_all(kv, volume, false, out);
}

int heads_read_all(struct kv *kv, uint64_t volume, struct heads *out)
{
	return read_all(kv, volume, true, out);
}

static int volume_of_key(struct kv_iter *it, uint64_t *volume)
{
	struct map_key heads = key_all_heads();
	const uint8_t *key;
	size_t len;

	if (!kv_iter_in(it, heads.b, heads.len)) {
		int r = kv_iter_error(it);

		return r ? r : KV_E_NONE;
	}
	key = kv_iter_key(it, &len);
	if (len < 9)
		return err_explain(-EUCLEAN, "a key of the heads has %zu bytes", len);
	*volume = get_be64(key + 1);
	return 0;
}

/* Rows are in the order of generations. */
static void newest_first(struct heads *hs)
{
	for (size_t i = 0, k = hs->count; i + 1 < k; i++) {
		struct head_row row = hs->row[i];

		hs->row[i] = hs->row[--k];
		hs->row[k] = row;
	}
}

int heads_walk(struct kv_iter *it, uint64_t *volume, struct heads *out, int *damaged)
{
	int r = volume_of_key(it, volume);
	struct map_key heads = key_heads(r ? 0 : *volume);

	*damaged = 0;
	for (; !r && kv_iter_in(it, heads.b, heads.len); kv_iter_next(it)) {
		CLEANUP(head_fini) struct head h = { 0 };
		int bad = head_at(it, &h);

		if (bad == -ENOMEM)
			return bad;
		*damaged = *damaged ? *damaged : bad;
		r = heads_push(out, &h, bad);
	}
	newest_first(out);
	return r ? r : kv_iter_error(it);
}

int heads_next_volume(struct kv *kv, uint64_t from, uint64_t *volume)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key first = key_heads(from);
	int r = kv_iter_new(kv, KV_MAP, &it);

	if (r)
		return r;
	kv_iter_seek(it, first.b, first.len);
	return volume_of_key(it, volume);
}

int head_partition_fork(struct head_partition *p, const struct tape_tally *at)
{
	while (p->stretches && p->stretch[p->stretches - 1].from.objects >= at->objects)
		p->stretches--;
	p->end = *at;
	return p->stretches ? head_partition_new_map(p) : 0;
}

/* ---- what of which maps heads need ------------------------------------------------------------------------------- */

void extents_fini(struct extents *xs)
{
	free(xs->extent);
}

struct extent *extents_find(struct extents *xs, uint64_t map)
{
	for (size_t n = 0; n < xs->count; n++) {
		size_t i = (xs->next + n) % xs->count;

		if (xs->extent[i].map == map) {
			xs->next = i + 1;
			return &xs->extent[i];
		}
	}
	return NULL;
}

static int extents_add(struct extents *xs, const struct stretch *s, const struct tape_tally *to)
{
	struct extent *x = extents_find(xs, s->map);

	if (x) {
		if (x->to.objects < to->objects)
			x->to = *to;
		return 0;
	}
	if (xs->count == xs->room) {
		size_t room = xs->room ? 2 * xs->room : 8;
		struct extent *more = reallocarray(xs->extent, room, sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		xs->extent = more;
		xs->room = room;
	}
	xs->extent[xs->count++] = (struct extent){ s->map, s->from, *to };
	return 0;
}

int extents_add_head(struct extents *xs, const struct head *h)
{
	int r = 0;

	for (uint32_t p = 0; p < h->partitions; p++) {
		const struct head_partition *part = &h->part[p];

		for (uint32_t s = 0; !r && s < part->stretches; s++)
			r = extents_add(xs, &part->stretch[s], stretch_end(part, s));
	}
	return r;
}
