/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is durable when: the four steps beside struct volume, and what happens when one of them fails.
 *
 * A commit may cover less than was appended (a prefix, while the writer's pipeline is full).  Then it tells the end of
 * the last object whose bytes are all stored.  Of a map's pages only those go to rows that begin before that end, so
 * that no row ever lies behind the end of its map: a page begun there after a crash may have another first object.
 */
#include "tape/volume.h"
#include "tape/volume_use.h"

#include <errno.h>
#include <inttypes.h>

/* What a commit makes durable, a partition each. */
struct commit {
	struct kv_batch *batch;
	struct tape_tally to[TAPE_PARTITIONS_MAX];
	uint64_t sunk;
};

static bool stored_before(const struct tape_tally *t, void *stored)
{
	return t->bytes <= *(uint64_t *)stored;
}

/* The last object that is stored with all before it. */
static int commit_point(struct volume *v, uint32_t p, struct tape_tally *to)
{
	struct lookup x = volume_lookup(v, p);

	return lookup_find(&x, stored_before, &v->partition[p].stored, to);
}

static int commit_points(struct volume *v, struct commit *c)
{
	LOCK_SCOPE(&v->lock);
	int r = 0;

	for (uint32_t p = 0; !r && p < v->head.partitions; p++)
		r = commit_point(v, p, &c->to[p]);
	c->sunk = v->sunk;
	return r;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static int put_page(struct kv_batch *b, struct page *p)
{
	struct map_key key = key_page(p->kind, p->map, tally_measure(&p->from, p->kind));
	struct buf value = BUF_INIT;
	int r = page_pack(p, &value);

	r = r ? r : kv_batch_put(b, KV_MAP, key.b, key.len, value.data, value.len);
	buf_fini(&value);
	p->dirty = false;
	p->stored = true;
	return r;
}

static int delete_page(struct kv_batch *b, const struct page *p)
{
	struct map_key key = key_page(p->kind, p->map, tally_measure(&p->from, p->kind));

	return p->stored ? kv_batch_delete(b, KV_MAP, key.b, key.len) : 0;
}

/* First what is gone, for a page of today may lie under the same key. */
static int put_tail(struct kv_batch *b, const struct tail *t, const struct tape_tally *to)
{
	int r = 0;

	for (const struct page *p = t->gone; !r && p; p = p->gone)
		r = delete_page(b, p);
	for (uint32_t i = 0; !r && i < t->count; i++) {
		struct page *p = t->page[i];

		/* A page that filemarks were cut from until nothing was left: its place may become the middle of
		 * the page before it. */
		if (!p->runs)
			r = delete_page(b, p);
		else if (p->dirty && tally_measure(&p->from, p->kind) < tally_measure(to, p->kind))
			r = put_page(b, p);
	}
	return r;
}

static int put_uses(struct volume *v, struct kv_batch *b, uint32_t p, const struct tape_tally *to)
{
	const struct tail *t = &v->partition[p].chunks;
	CLEANUP(uses_fini) struct uses uses = { 0 };
	int r = 0;

	for (uint32_t i = 0; !r && i < t->count; i++)
		r = uses_add_page(&uses, t->page[i], v->partition[p].committed.bytes, to->bytes);
	return r || !t->count ? r : uses_put(&uses, NULL, v->kv, b, t->page[0]->map);
}

static int put_head(struct volume *v, struct commit *c)
{
	CLEANUP(head_fini) struct head h = { 0 };
	int r = head_copy(&v->head, &h);

	if (r)
		return r;
	for (uint32_t p = 0; p < h.partitions; p++)
		h.part[p].end = c->to[p];
	r = head_write(c->batch, v->attr.id, &h);
	if (!r && v->before.generation)
		r = head_write(c->batch, v->attr.id, &v->before);
	return r;
}

static int put_rows(struct volume *v, struct commit *c)
{
	LOCK_SCOPE(&v->lock);
	int r = 0;

	for (uint32_t p = 0; !r && p < v->head.partitions; p++) {
		r = put_tail(c->batch, &v->partition[p].objects, &c->to[p]);
		r = r ? r : put_tail(c->batch, &v->partition[p].chunks, &c->to[p]);
		r = r ? r : put_uses(v, c->batch, p, &c->to[p]);
	}
	return r ? r : put_head(v, c);
}

/* ---- after the batch -------------------------------------------------------------------------------------------- */

static void tail_is_dirty(struct tail *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		t->page[i]->dirty = true;
}

static void settle(struct volume *v, const struct commit *c, bool written)
{
	LOCK_SCOPE(&v->lock);
	bool all = true;

	for (uint32_t p = 0; p < v->head.partitions; p++) {
		struct partition *part = &v->partition[p];

		if (!written) {
			tail_is_dirty(&part->objects);
			tail_is_dirty(&part->chunks);
			continue;
		}
		part->committed = c->to[p];
		tail_settle(&part->objects, &c->to[p], &v->cache);
		tail_settle(&part->chunks, &c->to[p], &v->cache);
		all = all && c->to[p].objects == v->head.part[p].end.objects;
	}
	if (written) {
		v->fresh = false;
		head_fini(&v->before);
		v->dirty = !all;
		v->sunk_committed = c->sunk;
	}
}

/* ---- commit ----------------------------------------------------------------------------------------------------- */

int volume_flush(struct volume *v)
{
	int r = v->writer ? chunk_writer_flush(v->writer) : 0;

	return r ? volume_roll_back(v, r) : 0;
}

/* Of a record whose end is not stored yet no row tells.  It is whole by the next commit: that comes after many more
 * bytes than a record has, or after a flush. */
static bool covers_all(struct volume *v, const struct commit *c)
{
	LOCK_SCOPE(&v->lock);

	return v->partition[v->writing_in].stored == c->to[v->writing_in].bytes;
}

/* Steps 2 to 4, with @committing.  @w is the volume's writer as it was when the caller had @writing. */
static int commit_steps(struct volume *v, struct chunk_writer *w)
{
	CLEANUP(kv_batch_freep) struct kv_batch *batch = NULL;
	struct commit c = { 0 };
	int r = kv_batch_new(&batch);

	c.batch = batch;
	r = r ? r : commit_points(v, &c);
	if (r)
		return r;
	r = w ? chunk_writer_begin_commit(w, batch) : 0;
	if (r)
		return r;
	if (w && !covers_all(v, &c))
		chunk_writer_keep(w);
	r = put_rows(v, &c);
	r = r ? r : kv_write(v->kv, batch, true);
	if (w)
		chunk_writer_end_commit(w, r == 0);
	settle(v, &c, r == 0);
	return r;
}

int volume_commit_stored(struct volume *v)
{
	LOCK_SCOPE(&v->committing);

	return commit_steps(v, v->writer);
}

void volume_alone(struct volume *v)
{
	LOCK_SCOPE(&v->committing);
}

static bool is_dirty(struct volume *v)
{
	LOCK_SCOPE(&v->lock);

	return v->dirty;
}

int volume_commit_beside(struct volume *v)
{
	struct chunk_writer *w;
	int r;

	pthread_mutex_lock(&v->writing);
	pthread_mutex_lock(&v->committing);
	w = v->writer;
	pthread_mutex_unlock(&v->writing);
	r = w && is_dirty(v) ? commit_steps(v, w) : 0;
	pthread_mutex_unlock(&v->committing);
	return r;
}

uint64_t volume_committed(struct volume *v, uint32_t partition)
{
	LOCK_SCOPE(&v->lock);

	return partition < v->head.partitions && !v->fresh ? v->partition[partition].committed.objects : 0;
}

int volume_commit_all(struct volume *v)
{
	int r;

	if (!is_dirty(v))
		return 0;
	r = volume_flush(v);
	if (r == TAPE_E_FULL)
		return 0;	/* rolled back, and what was appended before is committed */
	return r ? r : volume_commit_stored(v);
}

/* ---- when storing failed ---------------------------------------------------------------------------------------- */

/* Everything behind the last commit goes. */
static uint64_t drop_uncommitted(struct volume *v, uint32_t p)
{
	LOCK_SCOPE(&v->lock);
	struct partition *part = &v->partition[p];
	const struct tape_tally committed = part->committed;
	uint64_t lost = v->head.part[p].end.objects - committed.objects;

	if (part->objects.count && (lost || part->stored != committed.bytes))
		volume_cut_tail(v, p, &committed);
	return lost;
}

/* Of every partition: the writer knew which packs its places are in, for all of them, and nobody else does. */
int volume_roll_back(struct volume *v, int r)
{
	uint64_t lost = 0;
	uint32_t in = 0;

	if (volume_commit_stored(v))
		log_debug("%s: nothing behind the last commit could be kept", v->attr.barcode);
	v->writer = chunk_writer_free(v->writer);
	for (uint32_t p = 0; p < v->head.partitions; p++) {
		uint64_t n = drop_uncommitted(v, p);

		in = n ? p : in;
		lost += n;
	}
	if (!lost)
		return r == -ENOSPC ? TAPE_E_FULL : r;
	return err_explain(r,
			   "%s: %" PRIu64 " objects behind object %" PRIu64 " of partition %u could not be stored: %s",
			   v->attr.barcode, lost, v->partition[in].committed.objects, in, strerror(-r));
}
