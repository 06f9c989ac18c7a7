/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drop rows: the pages of the dropped part of a map, from its end backwards, one batch a page.  It takes the page away
 * (or cuts it where the part begins) and its bytes off the use rows, so use rows are true to the pages at any moment
 * and nothing is counted twice.  It may stop at any moment and begin again.
 *
 * Nobody else changes a dropped part, so no lock is needed: no head names it, and a map in which a volume is being
 * written on is in no drop row (struct volume, invariant 3).  What of it the collector moved is still named by its
 * pages.
 */
#include "tape/tape_gc.h"
#include "tape/volume_heads.h"
#include "tape/volume_use.h"

#include <errno.h>

#define DELETES_MAX 1000u	/* a batch of deletes holds so many */

struct sweep {
	struct gc *g;
	struct kv *kv;
	uint64_t map;
	struct drop drop;
	int (*page)(const struct sweep *s, struct page *p);	/* for each chunk page, last first */
};

/* One chunk page: its part behind drop.from goes. */
static int sweep_page(const struct sweep *s, struct page *p)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(uses_fini) struct uses less = { 0 };
	struct map_key key = key_page(PAGE_CHUNKS, s->map, p->from.bytes);
	const struct tape_tally from = { .bytes = s->drop.from };
	int r = kv_batch_new(&b);

	r = r ? r : uses_add_page(&less, p, s->drop.from, s->drop.to);
	r = r ? r : uses_put(NULL, &less, s->kv, b, s->map);
	if (r)
		return r;
	if (p->from.bytes >= s->drop.from) {
		r = kv_batch_delete(b, KV_MAP, key.b, key.len);
	} else {
		CLEANUP(buf_fini) struct buf value = BUF_INIT;

		page_clip(p, &from);
		r = page_pack(p, &value);
		r = r ? r : kv_batch_put(b, KV_MAP, key.b, key.len, value.data, value.len);
	}
	return r ? r : kv_write(s->kv, b, false);
}

static int sweep_chunks(const struct sweep *s)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key last = key_page(PAGE_CHUNKS, s->map, UINT64_MAX), pages = key_pages(PAGE_CHUNKS, s->map);
	int r = kv_iter_new(s->kv, KV_MAP, &it);

	if (r)
		return r;
	for (kv_iter_seek_back(it, last.b, last.len); kv_iter_in(it, pages.b, pages.len); kv_iter_prev(it)) {
		CLEANUP(page_freep) struct page *p = NULL;

		r = gc_step(s->g);
		r = r ? r : page_of_row(it, PAGE_CHUNKS, s->map, &p);
		if (r)
			return r;
		if (p->end.bytes <= s->drop.from && p->from.bytes < s->drop.from)
			return 0;
		r = s->page(s, p);
		if (r)
			return r;
	}
	return kv_iter_error(it);
}

/* The object pages, and with the last of them the drop row. */
static int sweep_objects(const struct sweep *s)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct map_key first = key_page(PAGE_OBJECTS, s->map, s->drop.object), pages = key_pages(PAGE_OBJECTS, s->map);
	struct map_key row = key_drop(s->map, s->drop.object);
	int r = kv_iter_new(s->kv, KV_MAP, &it);

	r = r ? r : kv_batch_new(&b);
	if (r)
		return r;
	for (kv_iter_seek(it, first.b, first.len); !r && kv_iter_in(it, pages.b, pages.len); kv_iter_next(it)) {
		size_t len;
		const uint8_t *key = kv_iter_key(it, &len);

		r = kv_batch_delete(b, KV_MAP, key, len);
		if (!r && kv_batch_count(b) >= DELETES_MAX) {
			r = kv_write(s->kv, b, false);
			kv_batch_clear(b);
		}
	}
	r = r ? r : kv_iter_error(it);
	r = r ? r : kv_batch_delete(b, KV_MAP, row.b, row.len);
	return r ? r : kv_write(s->kv, b, false);
}

static int drop_of_row(struct kv_iter *it, struct sweep *s)
{
	size_t klen, vlen;
	const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);

	return drop_unpack(k, klen, v, vlen, &s->map, &s->drop);
}

/* Backwards: of two parts of one map the later one goes first, so that the page between them is still there for it.  A
 * part that cannot be freed (a damaged page) does not hold up the others. */
static int each_drop(struct gc *g, int (*page)(const struct sweep *s, struct page *p), bool objects)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key drops = key_drops(), last = key_drop(UINT64_MAX, UINT64_MAX);
	int r = kv_iter_new(g->kv, KV_MAP, &it);

	if (r)
		return r;
	kv_iter_seek_back(it, last.b, last.len);
	for (; !r && kv_iter_in(it, drops.b, drops.len); kv_iter_prev(it)) {
		struct sweep s = { .g = g, .kv = g->kv, .page = page };

		r = drop_of_row(it, &s);
		r = r ? r : sweep_chunks(&s);
		r = r || !objects ? r : sweep_objects(&s);
		r = gc_pass_over(g, r);
	}
	return r ? r : kv_iter_error(it);
}

int sweep_drops(struct gc *g)
{
	return each_drop(g, sweep_page, true);
}

/* ---- what it would take from ------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* In order, each once. */
static void settle_numbers(struct buf *b)
{
	uint64_t *n = (uint64_t *)b->data;
	size_t count = b->len / sizeof(*n), kept = 0;

	if (!count)
		return;
	qsort(n, count, sizeof(*n), by_number);
	for (size_t i = 1; i < count; i++)
		if (n[i] != n[kept])
			n[++kept] = n[i];
	b->len = (kept + 1) * sizeof(*n);
}

static int foresee_page(const struct sweep *s, struct page *p)
{
	CLEANUP(uses_fini) struct uses less = { 0 };
	struct buf *b = &s->g->dropped;
	int r = uses_add_page(&less, p, s->drop.from, s->drop.to);

	/* Doubles are put together whenever it would grow, so it is not much longer than there are packs. */
	if (!r && b->len + less.count * sizeof(uint64_t) > b->cap)
		settle_numbers(b);
	for (size_t i = 0; !r && i < less.count; i++)
		r = buf_append(b, &less.use[i].pack, sizeof(less.use[i].pack));
	return r;
}

static int foresee_drop(void *ctx, uint64_t map, const struct drop *d)
{
	struct gc *g = ctx;
	const struct sweep s = { .g = g, .kv = g->kv, .map = map, .drop = *d, .page = foresee_page };

	return gc_pass_over(g, sweep_chunks(&s));
}

/* Generations that would be dropped before the collection. */
static int foresee_ended(struct gc *g, const struct tape_gc_ended *ended)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	int r = heads_read_all(g->kv, ended->volume, &hs);

	if (r == -ENOENT)
		return 0;
	if (!r && heads_choose_ended(&hs, ended->ended_ns))
		r = heads_each_drop(&hs, foresee_drop, g);
	return r;
}

int sweep_foresee(struct gc *g)
{
	int r = each_drop(g, foresee_page, false);

	for (size_t i = 0; !r && i < g->cfg->ended_count; i++)
		r = foresee_ended(g, &g->cfg->ended[i]);
	settle_numbers(&g->dropped);
	return r;
}
