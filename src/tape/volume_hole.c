/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A part of a map that is damaged or gone in the database.  What lies in it is not known; what lies before it and
 * behind it is, by the pages next to it and by the head.  So it becomes one page without runs, and every look-up that
 * need not know what is in it goes on: the rest of the tape can be read, found and written.
 */
#include "tape/volume_index.h"

#include <errno.h>
#include <inttypes.h>

/* From where to where the map of stretch @s is the head's: exact, whatever is damaged. */
static void map_bounds(const struct lookup *x, uint32_t s, struct tape_tally *from, struct tape_tally *to)
{
	const struct stretch *stretch = x->head->stretch;
	uint32_t first = s, last = s;

	while (first > 0 && stretch[first - 1].map == stretch[s].map)
		first--;
	while (last + 1 < x->head->stretches && stretch[last + 1].map == stretch[s].map)
		last++;
	*from = stretch[first].from;
	*to = last + 1 < x->head->stretches ? stretch[last + 1].from : x->head->end;
	/* Pages in memory are whole. */
	if (x->objects->count && x->objects->page[0]->map == stretch[s].map &&
	    x->objects->page[0]->from.objects < to->objects)
		*to = x->objects->page[0]->from;
}

/* NULL: the row is damaged. */
static int page_at(struct kv_iter *it, uint64_t map, struct page **out)
{
	size_t klen, vlen;
	const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
	uint64_t first;
	int r = key_tail_number(k, klen, &first);

	*out = NULL;
	r = r ? r : page_unpack(v, vlen, PAGE_OBJECTS, map, first, out);
	return r == -ENOMEM ? r : 0;
}

/* The end of the last whole page before @object. */
static int hole_begin(struct kv_iter *it, uint64_t map, uint64_t object, struct tape_tally *from)
{
	struct map_key key = key_page(PAGE_OBJECTS, map, object), pages = key_pages(PAGE_OBJECTS, map);
	int r = 0;

	kv_iter_seek_back(it, key.b, key.len);
	for (; !r && kv_iter_in(it, pages.b, pages.len); kv_iter_prev(it)) {
		CLEANUP(page_freep) struct page *p = NULL;

		r = page_at(it, map, &p);
		if (p) {
			if (p->end.objects > from->objects)
				*from = p->end;
			return 0;
		}
	}
	return r ? r : kv_iter_error(it);
}

/* The beginning of the first whole page behind @object. */
static int hole_end(struct kv_iter *it, uint64_t map, uint64_t object, struct tape_tally *to)
{
	struct map_key key = key_page(PAGE_OBJECTS, map, object + 1), pages = key_pages(PAGE_OBJECTS, map);
	int r = 0;

	for (kv_iter_seek(it, key.b, key.len); !r && kv_iter_in(it, pages.b, pages.len); kv_iter_next(it)) {
		CLEANUP(page_freep) struct page *p = NULL;

		r = page_at(it, map, &p);
		if (p) {
			if (p->from.objects < to->objects)
				*to = p->from;
			return 0;
		}
	}
	return r ? r : kv_iter_error(it);
}

int lookup_hole(const struct lookup *x, uint32_t s, uint64_t object, struct page **out)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	uint64_t map = x->head->stretch[s].map;
	struct tape_tally from, to;
	struct page *p;
	int r = kv_iter_new(x->kv, KV_MAP, &it);

	map_bounds(x, s, &from, &to);
	r = r ? r : hole_begin(it, map, object, &from);
	r = r ? r : hole_end(it, map, object, &to);
	if (r)
		return r;
	if (from.objects > object || to.objects <= object || from.marks > to.marks || from.bytes > to.bytes)
		return err_explain(-EUCLEAN, "map %016" PRIx64 " does not hold together around object %" PRIu64, map,
				   object);
	p = page_new(PAGE_OBJECTS, map, &from);
	if (!p)
		return err_origin(-ENOMEM);
	p->end = to;
	p->lost = true;
	log_error("map %016" PRIx64 ": objects %" PRIu64 " to %" PRIu64 " cannot be told: its pages are damaged", map,
		  from.objects, to.objects - 1);
	*out = p;
	return 0;
}
