/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The maps are told where their chunks are now: steps 2 to 5 of a move (tape_move.c).  Each map gets one batch with all
 * its pages that wait, while nobody else changes it; a page that is not what it was when it was copied from stays as it
 * is, and its copies are for the next collection to find.
 */
#include "tape/tape_move.h"
#include "tape/volume.h"
#include "tape/volume_use.h"

/* Is the row what it was? */
static int row_is(struct gc *g, const struct map_key *key, const struct buf *row, bool *same)
{
	CLEANUP(buf_fini) struct buf now = BUF_INIT;
	int r = kv_get(g->kv, KV_MAP, key->b, key->len, &now);

	*same = !r && now.len == row->len && !memcmp(now.data, row->data, now.len);
	return r == KV_E_NONE ? 0 : r;
}

static int put_page(struct kv_batch *b, const struct page *p)
{
	struct map_key key = key_page(p->kind, p->map, p->from.bytes);
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	int r = page_pack(p, &value);

	return r ? r : kv_batch_put(b, KV_MAP, key.b, key.len, value.data, value.len);
}

struct change { struct kv_batch *b; struct uses more, less; };

/* Nothing happens to a page that is not what it was: the next collection comes by. */
static int tell_page(struct gc *g, struct volume *v, const struct rewrite *rw, struct change *c)
{
	struct map_key key = key_page(PAGE_CHUNKS, rw->map->map, rw->before->from.bytes);
	bool same = false;
	int r = 0;

	if (!v || volume_may_move(v, rw->map->map, rw->before->end.bytes))
		r = row_is(g, &key, &rw->row, &same);
	/* What a crash left behind the end was cut off; that holds if the end is where it was. */
	if (!r && same && rw->clipped)
		r = gc_map_still_ends(g, rw->map, &same);
	if (r || !same) {
		g->left = true;
		return r;
	}
	r = uses_add_page(&c->less, rw->before, 0, UINT64_MAX);
	for (size_t i = 0; !r && i < rw->count; i++) {
		r = put_page(c->b, rw->after[i]);
		r = r ? r : uses_add_page(&c->more, rw->after[i], 0, UINT64_MAX);
	}
	return r;
}

/* The pages of one map: @rw and those behind it.  Nobody else changes them. */
static int tell_pages(struct gc *g, struct volume *v, const struct rewrite *rw, size_t count)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct change c = { 0 };
	int r = kv_batch_new(&b);

	c.b = b;
	for (size_t i = 0; !r && i < count; i++)
		r = tell_page(g, v, &rw[i], &c);
	r = r ? r : uses_put(&c.more, &c.less, g->kv, b, rw->map->map);
	if (!r && kv_batch_count(b))
		r = kv_write(g->kv, b, false);
	uses_fini(&c.more);
	uses_fini(&c.less);
	return r;
}

static int tell_map(struct gc *g, const struct rewrite *rw, size_t count)
{
	struct volume *v = shelf_hold(g->shelf, rw->map->map);
	int r;

	if (v) {
		pthread_mutex_lock(&v->writing);
		volume_alone(v);
	}
	r = tell_pages(g, v, rw, count);
	if (v) {
		/* A batch that failed may be kept all the same. */
		volume_moved(v, rw->map->map);
		pthread_mutex_unlock(&v->writing);
	}
	shelf_release(g->shelf, v);
	return r;
}

static int tell_index(struct move *m)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = kv_batch_new(&b);

	r = r ? r : chunk_copier_begin_commit(m->copier, b);
	return r || !kv_batch_count(b) ? r : kv_write(m->g->kv, b, false);
}

void group_fini(struct move *m)
{
	for (size_t i = 0; i < m->count; i++)
		rewrite_fini(&m->rewrite[i]);
	m->count = 0;
	m->pages = 0;
	m->bytes = 0;
}

int commit_group(struct move *m)
{
	int r = m->count ? tell_index(m) : 0;
	bool written = r == 0;

	for (size_t i = 0, n; !r && i < m->count; i += n) {
		for (n = 1; i + n < m->count && m->rewrite[i + n].map == m->rewrite[i].map; n++)
			;
		r = tell_map(m->g, &m->rewrite[i], n);
	}
	if (m->count)
		chunk_copier_end_commit(m->copier, written);
	group_fini(m);
	return r;
}
