/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Volumes as wholes, without opening them: created, destroyed, replaced, and their generations.
 *
 * Generations share maps, each up to its own end in it.  When heads go away, what only they had of a map is queued as a
 * drop row in the same batch; tape_gc() frees it later.  So a head that is gone never leaves a page behind, and a page
 * that a head needs is never touched.
 */
#include "tape/volume_heads.h"

#include <errno.h>
#include <inttypes.h>

/* ---- heads ------------------------------------------------------------------------------------------------------ */

/* The clock that it is kept by: nobody sets it forward. */
static int end_generation(struct kv_batch *b, uint64_t volume, struct head *h)
{
	h->ended_ns = clock_retention_ns();
	return head_write(b, volume, h);
}

static int head_delete(struct kv_batch *b, uint64_t volume, const struct head *h)
{
	struct map_key key = key_head(volume, h->generation);

	return kv_batch_delete(b, KV_MAP, key.b, key.len);
}

/* ---- drops ------------------------------------------------------------------------------------------------------ */

static int queue_drop(void *batch, uint64_t map, const struct drop *d)
{
	struct map_key key = key_drop(map, d->object);
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	int r = drop_pack(d, &value);

	return r ? r : kv_batch_put(batch, KV_MAP, key.b, key.len, value.data, value.len);
}

/* What all of them have of maps, and what those have that stay. */
static int extents_of(const struct heads *hs, struct extents *all, struct extents *stays)
{
	int r = 0;

	for (size_t i = 0; !r && i < hs->count; i++) {
		r = extents_add_head(all, &hs->row[i].head);
		if (!r && !hs->row[i].goes)
			r = extents_add_head(stays, &hs->row[i].head);
	}
	return r;
}

/* Parts of one map are dropped from the end on, each up to where the one before it began: they do not overlap. */
int heads_each_drop(const struct heads *hs, int (*each)(void *ctx, uint64_t map, const struct drop *d), void *ctx)
{
	CLEANUP(extents_fini) struct extents all = { 0 }, stays = { 0 };
	int r = extents_of(hs, &all, &stays);

	for (size_t i = 0; !r && i < all.count; i++) {
		const struct extent *x = &all.extent[i], *left = extents_find(&stays, x->map);
		const struct tape_tally *from = left ? &left->to : &x->from;
		const struct drop d = { .object = from->objects, .from = from->bytes, .to = x->to.bytes };

		if (from->objects < x->to.objects)
			r = each(ctx, x->map, &d);
	}
	return r;
}

/* Heads that shall go do, with what only they use of maps. */
static int drop_heads(struct kv_batch *b, uint64_t volume, const struct heads *hs)
{
	int r = 0;

	for (size_t i = 0; !r && i < hs->count; i++)
		if (hs->row[i].goes)
			r = head_delete(b, volume, &hs->row[i].head);
	return r ? r : heads_each_drop(hs, queue_drop, b);
}

/* ---- the public face -------------------------------------------------------------------------------------------- */

int volume_create(struct kv_batch *b, uint64_t id)
{
	const struct head h = {
		.generation = 1, .begun_ns = clock_retention_ns(), .written_ns = clock_now_ns(), .partitions = 1,
	};

	return head_write(b, id, &h);
}

int volume_destroy(struct kv *kv, struct kv_batch *b, uint64_t id)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	int r = heads_read_all(kv, id, &hs);

	for (size_t i = 0; i < hs.count; i++)
		hs.row[i].goes = true;
	return r ? r : drop_heads(b, id, &hs);
}

static int head_of_generation(struct kv *kv, uint64_t volume, uint64_t generation, struct head *out)
{
	struct map_key key = key_head(volume, generation);
	struct buf value = BUF_INIT;
	int r = kv_get(kv, KV_MAP, key.b, key.len, &value);

	if (!r)
		r = head_unpack(value.data, value.len, generation, out);
	else if (r == KV_E_NONE)
		r = err_explain(-ENOENT, "there is no generation %" PRIu64 " of it", generation);
	buf_fini(&value);
	return r;
}

/* The volume as it is becomes an old generation.  One whose head is damaged is left as it is: that it cannot be read is
 * a reason to put another content there, and none to refuse. */
static int put_aside(struct kv *kv, struct kv_batch *b, uint64_t volume, uint64_t generation)
{
	CLEANUP(head_fini) struct head now = { 0 };
	int r = head_of_generation(kv, volume, generation, &now);

	if (r == -EBADMSG || r == -EUCLEAN) {
		log_warn("volume %" PRIu64 ": generation %" PRIu64 ": %s", volume, generation, err_text(r));
		return 0;
	}
	return r ? r : end_generation(b, volume, &now);
}

/* @from's current head moves, its maps as they are; its older ones are dropped. */
int volume_replace(struct kv *kv, struct kv_batch *b, uint64_t to, uint64_t from)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	struct head *moved;
	uint64_t newest;
	int r = head_newest(kv, to, &newest);

	r = r ? r : heads_read(kv, from, &hs);
	if (r)
		return r;
	for (size_t i = 1; i < hs.count; i++)
		hs.row[i].goes = true;
	moved = &hs.row[0].head;
	r = drop_heads(b, from, &hs);
	r = r ? r : head_delete(b, from, moved);
	r = r ? r : put_aside(kv, b, to, newest);
	if (r)
		return r;
	moved->generation = newest + 1;
	return head_write(b, to, moved);
}

/* Its maps are shared with the old generation, up to the end; from there on it has maps of its own. */
int volume_restore(struct kv *kv, struct kv_batch *b, uint64_t id, uint64_t generation)
{
	CLEANUP(head_fini) struct head h = { 0 };
	uint64_t newest;
	int r = head_newest(kv, id, &newest);

	if (!r && generation == newest)
		r = err_explain(-EINVAL, "generation %" PRIu64 " is what the volume has now", generation);
	r = r ? r : head_of_generation(kv, id, generation, &h);
	r = r ? r : put_aside(kv, b, id, newest);
	for (uint32_t p = 0; !r && p < h.partitions; p++) {
		const struct tape_tally end = h.part[p].end;

		r = head_partition_fork(&h.part[p], &end);
	}
	if (r)
		return r;
	h.generation = newest + 1;
	h.begun_ns = clock_retention_ns();
	h.ended_ns = 0;
	return head_write(b, id, &h);
}

int volume_clear(struct kv *kv, struct kv_batch *b, uint64_t id)
{
	struct head h = { .begun_ns = clock_retention_ns(), .written_ns = clock_now_ns(), .partitions = 1 };
	int r = head_newest(kv, id, &h.generation);

	r = r ? r : put_aside(kv, b, id, h.generation);
	h.generation++;
	return r ? r : head_write(b, id, &h);
}

int volume_peek(struct kv *kv, uint64_t id, struct volume_stat *out)
{
	CLEANUP(head_fini) struct head h = { 0 };
	int r = head_read(kv, id, &h);

	if (!r)
		head_stat(&h, out);
	return r;
}

int volume_next(struct kv *kv, uint64_t from, uint64_t *volume)
{
	int r = heads_next_volume(kv, from, volume);

	return r == KV_E_NONE ? -ENOENT : r;
}

int volume_history(struct kv *kv, uint64_t id, int (*each)(void *ctx, const struct volume_stat *st), void *ctx)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	int r = heads_read_all(kv, id, &hs);

	for (size_t i = 0; !r && i < hs.count; i++) {
		struct volume_stat st = { 0 };

		head_stat(&hs.row[i].head, &st);
		st.damaged = hs.row[i].damaged;
		r = each(ctx, &st);
	}
	return r;
}

uint64_t heads_choose_ended(struct heads *hs, uint64_t ended_ns)
{
	uint64_t next_began = UINT64_MAX, count = 0;
	bool sure = true;

	for (size_t i = 0; i < hs->count; i++) {
		struct head_row *row = &hs->row[i];
		uint64_t ended = row->damaged ? next_began : row->head.ended_ns;

		row->goes = i && ended <= ended_ns && ended != UINT64_MAX;
		count += row->goes;
		sure = sure && (row->goes || !row->damaged);
		if (!row->damaged)
			next_began = row->head.begun_ns;
	}
	/* A damaged one stays. */
	for (size_t i = 0; !sure && i < hs->count; i++)
		hs->row[i].goes = false;
	return sure ? count : 0;
}

int volume_drop_generations(struct kv *kv, struct kv_batch *b, uint64_t id, uint64_t ended_ns, uint64_t *dropped)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	uint64_t count = 0;
	int r = heads_read_all(kv, id, &hs);

	if (!r)
		count = heads_choose_ended(&hs, ended_ns);
	if (!r && count)
		r = drop_heads(b, id, &hs);
	if (!r)
		*dropped = count;
	return r;
}
