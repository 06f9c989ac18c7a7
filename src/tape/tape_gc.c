/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Space comes back.  Two walks, both of which may stop at any moment and begin again:
 *
 * 1. Every drop row: the pages of the dropped part of a map, from its end backwards, one batch a page.  It takes the
 *    page away (or cuts it where the part begins) and its bytes off the use rows, so use rows are true to the pages at
 *    any moment and nothing is counted twice.
 * 2. Every pack that has no use row at all, whatever left it there: a dropped map, a write that failed, a crash.
 *    chunk_gc_pack() asks again for use rows while no writer can share from it.
 *
 * Between the two lies a synced write: no pack goes before the rows that named it are gone for good.
 */
#include "tape/shelf.h"
#include "tape/volume_use.h"

#include <errno.h>

#define DELETES_MAX 1000u	/* a batch of deletes holds so many */

/* ---- a dropped part of a map ------------------------------------------------------------------------------------ */

struct sweep {
	struct kv *kv;
	uint64_t map;
	struct drop drop;
};

/* One chunk page: its part behind drop.from goes. */
static int sweep_page(const struct sweep *s, struct page *p)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(uses_fini) struct uses uses = { 0 };
	struct map_key key = key_page(PAGE_CHUNKS, s->map, p->from.bytes);
	const struct tape_tally from = { .bytes = s->drop.from };
	int r = kv_batch_new(&b);

	r = r ? r : uses_add_page(&uses, p, s->drop.from, s->drop.to);
	r = r ? r : uses_take(&uses, s->kv, b, s->map);
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

static int page_at(struct kv_iter *it, enum page_kind kind, uint64_t map, struct page **out)
{
	size_t klen, vlen;
	const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
	uint64_t first;
	int r = key_tail_number(k, klen, &first);

	return r ? r : page_unpack(v, vlen, kind, map, first, out);
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

		r = page_at(it, PAGE_CHUNKS, s->map, &p);
		if (r)
			return r;
		if (p->end.bytes <= s->drop.from && p->from.bytes < s->drop.from)
			return 0;
		r = sweep_page(s, p);
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

static int sweep_drop(struct kv *kv, struct kv_iter *it)
{
	struct sweep s = { .kv = kv };
	size_t klen, vlen;
	const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
	int r = drop_unpack(k, klen, v, vlen, &s.map, &s.drop);

	r = r ? r : sweep_chunks(&s);
	return r ? r : sweep_objects(&s);
}

/* Backwards: of two parts of one map the later one goes first, so that the page between them is still there for it.  A
 * part that cannot be freed (a damaged page) does not hold up the others; the first failure is told at the end. */
static int sweep_drops(struct kv *kv)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key drops = key_drops(), last = key_drop(UINT64_MAX, UINT64_MAX);
	int r = kv_iter_new(kv, KV_MAP, &it), failed = 0;

	if (r)
		return r;
	for (kv_iter_seek_back(it, last.b, last.len); kv_iter_in(it, drops.b, drops.len); kv_iter_prev(it)) {
		r = sweep_drop(kv, it);
		if (r && !failed)
			failed = r;
	}
	r = kv_iter_error(it);
	return r ? r : failed;
}

/* ---- packs ------------------------------------------------------------------------------------------------------ */

static int pack_in_use(void *ctx, uint64_t pack)
{
	struct map_key uses = key_uses(pack);
	int r = kv_any(ctx, KV_MAP, uses.b, uses.len);

	if (r < 0)
		return r;
	return r == 0;
}

/* Everything written so far is on disk; the row is there and gone at once. */
static int sync_rows(struct kv *kv)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct map_key none = key_drop(0, 0);
	int r = kv_batch_new(&b);

	r = r ? r : kv_batch_delete(b, KV_MAP, none.b, none.len);
	return r ? r : kv_write(kv, b, true);
}

static int free_pack(struct kv *kv, struct chunk_store *cs, uint64_t pack, uint64_t *packs, uint64_t *bytes)
{
	uint64_t freed = 0;
	int r = chunk_gc_pack(cs, pack, pack_in_use, kv, &freed);

	if (r)
		return r == CHUNK_E_IN_USE ? 0 : r;
	*packs += 1;
	*bytes += freed;
	return 0;
}

static int free_packs(struct kv *kv, struct chunk_store *cs, uint64_t *packs, uint64_t *bytes)
{
	bool synced = false;
	uint64_t pack = 0, size;
	int r;

	for (; (r = chunk_store_next_pack(cs, pack, &pack, &size)) == 0; pack++) {
		r = pack_in_use(kv, pack);
		if (r > 0)
			continue;
		r = r || synced ? r : sync_rows(kv);
		r = r ? r : free_pack(kv, cs, pack, packs, bytes);
		if (r)
			return r;
		synced = true;
	}
	return r == CHUNK_E_END ? 0 : r;
}

int tape_gc(struct shelf *sh, const struct tape_gc_config *cfg, struct tape_gc_report *out)
{
	struct tape_gc_report done = { 0 };
	int swept, r;

	(void)cfg;
	LOCK_SCOPE(&sh->gc);
	swept = sweep_drops(sh->kv);
	r = free_packs(sh->kv, sh->cs, &done.freed_packs, &done.freed_bytes);
	r = r ? r : swept;
	if (!r)
		*out = done;
	return r;
}
