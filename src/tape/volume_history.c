/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Volumes as wholes, without opening them: created, destroyed, replaced, and their generations.
 *
 * Generations share maps, each up to its own end in it.  When heads go away, what only they had of a map is queued as a
 * drop row in the same batch; tape_gc() frees it later.  So a head that is gone never leaves a page behind, and a page
 * that a head needs is never touched.
 */
#include "tape/volume.h"

#include <errno.h>
#include <inttypes.h>

/* ---- heads ------------------------------------------------------------------------------------------------------ */

int head_write(struct kv_batch *b, uint64_t volume, const struct head *h)
{
	struct map_key key = key_head(volume, h->generation);
	struct buf value = BUF_INIT;
	int r = head_pack(h, &value);

	r = r ? r : kv_batch_put(b, KV_MAP, key.b, key.len, value.data, value.len);
	buf_fini(&value);
	return r;
}

static int head_delete(struct kv_batch *b, uint64_t volume, const struct head *h)
{
	struct map_key key = key_head(volume, h->generation);

	return kv_batch_delete(b, KV_MAP, key.b, key.len);
}

static int head_at(struct kv_iter *it, struct head *out)
{
	size_t klen, vlen;
	const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
	uint64_t generation;
	int r = key_tail_number(k, klen, &generation);

	return r ? r : head_unpack(v, vlen, generation, out);
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

/* All heads of a volume, newest first, and which of them shall go. */
struct row { struct head head; bool goes; };
struct heads {
	struct row *row;
	size_t count, room;
};

static void heads_fini(struct heads *hs)
{
	for (size_t i = 0; i < hs->count; i++)
		head_fini(&hs->row[i].head);
	free(hs->row);
}

static int heads_push(struct heads *hs, struct head *h)
{
	if (hs->count == hs->room) {
		size_t room = hs->room ? 2 * hs->room : 8;
		struct row *more = reallocarray(hs->row, room, sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		hs->row = more;
		hs->room = room;
	}
	hs->row[hs->count++] = (struct row){ .head = *h };
	memset(h, 0, sizeof(*h));
	return 0;
}

static int heads_read(struct kv *kv, uint64_t volume, struct heads *out)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key heads = key_heads(volume);
	int r = heads_begin(kv, volume, &it);

	for (; !r && kv_iter_in(it, heads.b, heads.len); kv_iter_prev(it)) {
		CLEANUP(head_fini) struct head h = { 0 };

		r = head_at(it, &h);
		r = r ? r : heads_push(out, &h);
	}
	if (r)
		return r;
	r = kv_iter_error(it);
	return r || out->count ? r : err_explain(-ENOENT, "there is no volume %" PRIu64, volume);
}

/* ---- what of which maps heads use ------------------------------------------------------------------------------- */

/* From where on a map is written, and how far anybody needs it. */
struct extent { uint64_t map; struct tape_tally from, to; };
struct extents {
	struct extent *extent;
	size_t count, room;
	size_t next;		/* behind the last that was found: heads have their stretches in one order */
};

static void extents_fini(struct extents *xs)
{
	free(xs->extent);
}

static struct extent *extents_find(struct extents *xs, uint64_t map)
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

static int extents_add_head(struct extents *xs, const struct head *h)
{
	int r = 0;

	for (uint32_t p = 0; p < h->partitions; p++) {
		const struct head_partition *part = &h->part[p];

		for (uint32_t s = 0; !r && s < part->stretches; s++)
			r = extents_add(xs, &part->stretch[s],
					s + 1 < part->stretches ? &part->stretch[s + 1].from : &part->end);
	}
	return r;
}

/* ---- drops ------------------------------------------------------------------------------------------------------ */

/* Parts of one map are dropped from the end on, each up to where the one before it began: their rows do not overlap. */
static int queue_drop(struct kv_batch *b, uint64_t map, const struct drop *d)
{
	struct map_key key = key_drop(map, d->object);
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	int r = drop_pack(d, &value);

	return r ? r : kv_batch_put(b, KV_MAP, key.b, key.len, value.data, value.len);
}

/* What @before has of maps and @after has not. */
static int queue_drops(struct kv_batch *b, const struct extents *before, struct extents *after)
{
	int r = 0;

	for (size_t i = 0; !r && i < before->count; i++) {
		const struct extent *x = &before->extent[i], *left = extents_find(after, x->map);
		const struct tape_tally *from = left ? &left->to : &x->from;
		const struct drop d = { .object = from->objects, .from = from->bytes, .to = x->to.bytes };

		if (from->objects < x->to.objects)
			r = queue_drop(b, x->map, &d);
	}
	return r;
}

/* Heads that shall go do, with what only they use of maps. */
static int drop_heads(struct kv_batch *b, uint64_t volume, const struct heads *hs)
{
	CLEANUP(extents_fini) struct extents before = { 0 }, after = { 0 };
	int r = 0;

	for (size_t i = 0; !r && i < hs->count; i++) {
		const struct row *row = &hs->row[i];

		r = extents_add_head(&before, &row->head);
		if (!r && !row->goes)
			r = extents_add_head(&after, &row->head);
		if (!r && row->goes)
			r = head_delete(b, volume, &row->head);
	}
	return r ? r : queue_drops(b, &before, &after);
}

/* ---- the public face -------------------------------------------------------------------------------------------- */

int volume_create(struct kv_batch *b, uint64_t id)
{
	const uint64_t now = clock_now_ns();
	const struct head h = { .generation = 1, .begun_ns = now, .written_ns = now, .partitions = 1 };

	return head_write(b, id, &h);
}

int volume_destroy(struct kv *kv, struct kv_batch *b, uint64_t id)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	int r = heads_read(kv, id, &hs);

	for (size_t i = 0; i < hs.count; i++)
		hs.row[i].goes = true;
	return r ? r : drop_heads(b, id, &hs);
}

/* @from's current head moves, its maps as they are; its older ones are dropped. */
int volume_replace(struct kv *kv, struct kv_batch *b, uint64_t to, uint64_t from)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	CLEANUP(head_fini) struct head old = { 0 };
	struct head *moved;
	int r = head_read(kv, to, &old);

	r = r ? r : heads_read(kv, from, &hs);
	if (r)
		return r;
	for (size_t i = 1; i < hs.count; i++)
		hs.row[i].goes = true;
	moved = &hs.row[0].head;
	r = drop_heads(b, from, &hs);
	r = r ? r : head_delete(b, from, moved);
	if (r)
		return r;
	old.ended_ns = clock_now_ns();
	moved->generation = old.generation + 1;
	r = head_write(b, to, &old);
	return r ? r : head_write(b, to, moved);
}

int volume_peek(struct kv *kv, uint64_t id, struct volume_stat *out)
{
	CLEANUP(head_fini) struct head h = { 0 };
	int r = head_read(kv, id, &h);

	if (!r)
		head_stat(&h, out);
	return r;
}

int volume_history(struct kv *kv, uint64_t id, int (*each)(void *ctx, const struct volume_stat *st), void *ctx)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	int r = heads_read(kv, id, &hs);

	for (size_t i = 0; !r && i < hs.count; i++) {
		struct volume_stat st;

		head_stat(&hs.row[i].head, &st);
		r = each(ctx, &st);
	}
	return r;
}

int volume_drop_generations(struct kv *kv, struct kv_batch *b, uint64_t id, uint64_t ended_ns, uint64_t *dropped)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	uint64_t count = 0;
	int r = heads_read(kv, id, &hs);

	for (size_t i = 1; i < hs.count; i++) {
		hs.row[i].goes = hs.row[i].head.ended_ns <= ended_ns;
		count += hs.row[i].goes;
	}
	if (!r && count)
		r = drop_heads(b, id, &hs);
	if (!r)
		*dropped = count;
	return r;
}
