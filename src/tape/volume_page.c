/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One page of a map in memory: runs of equal things with what lies before each, so that every look-up is a bisection.
 * It knows nothing of rows, caches and locks: volume_format.c packs it, volume_index.c keeps it.
 */
#include "tape/volume_format.h"

#include <errno.h>

struct page *page_new(enum page_kind kind, uint64_t map, const struct tape_tally *from)
{
	struct page *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->kind = kind;
	p->map = map;
	p->from = p->end = *from;
	return p;
}

struct page *page_free(struct page *p)
{
	if (p)
		free(p->run);
	free(p);
	return NULL;
}

void page_freep(struct page **p)
{
	page_free(*p);
}

static size_t run_size(const struct page *p)
{
	return p->kind == PAGE_OBJECTS ? sizeof(*p->object) : sizeof(*p->chunk);
}

/* Room for one run more, not filled; NULL: no memory. */
static void *page_push(struct page *p)
{
	if (p->runs == p->room) {
		uint32_t room = p->room ? 2 * p->room : 4;
		void *more = reallocarray(p->run, room, run_size(p));

		if (!more)
			return NULL;
		p->run = more;
		p->room = room;
	}
	return (char *)p->run + p->runs++ * run_size(p);
}

static uint32_t varint_bytes(uint64_t v)
{
	uint32_t n = 1;

	while (v >>= 7)
		n++;
	return n;
}

bool page_full(const struct page *p)
{
	return p->runs == PAGE_RUNS_MAX || p->weight >= PAGE_WEIGHT_MAX;
}

struct tape_tally object_run_tally(const struct object_run *r, uint64_t k)
{
	return (struct tape_tally){
		.objects = r->at.objects + k,
		.marks = r->at.marks + (r->len ? 0 : k),
		.bytes = r->at.bytes + k * r->len,
		.odd = r->at.odd + (r->len & 1 ? k : 0),
	};
}

int page_add_object(struct page *p, uint32_t len, uint64_t count)
{
	struct object_run *last = p->runs ? &p->object[p->runs - 1] : NULL;

	if (!last || last->len != len) {
		last = page_push(p);
		if (!last)
			return err_origin(-ENOMEM);
		*last = (struct object_run){ .at = p->end, .len = len };
		p->weight += varint_bytes(len) + 2;
	}
	last->count += count;
	p->end = object_run_tally(last, last->count);
	p->dirty = true;
	return 0;
}

static bool neighbours(const struct chunk_run *a, const struct chunk_run *b)
{
	return a->pack == b->pack && a->slot + a->slots == b->slot;
}

int page_add_chunk(struct page *p, const struct chunk_run *r, bool join)
{
	struct chunk_run *last = p->runs ? &p->chunk[p->runs - 1] : NULL;

	if (join && last && neighbours(last, r)) {
		last->slots += r->slots;
		last->bytes += r->bytes;
	} else {
		uint64_t before = last ? last->pack : 0;

		last = page_push(p);
		if (!last)
			return err_origin(-ENOMEM);
		*last = *r;
		last->at = p->end.bytes;
		p->weight += varint_bytes((r->pack - before) ^ (0 - (r->pack < before))) + varint_bytes(r->slot) + 7;
	}
	p->end.bytes += r->bytes;
	p->dirty = true;
	return 0;
}

static uint64_t run_at(const struct page *p, uint32_t i)
{
	return p->kind == PAGE_OBJECTS ? p->object[i].at.objects : p->chunk[i].at;
}

uint32_t page_seek(const struct page *p, uint64_t measure)
{
	uint32_t lo = 0, hi = p->runs;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (run_at(p, mid) <= measure)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

void page_clip(struct page *p, const struct tape_tally *at)
{
	uint64_t measure = tally_measure(at, p->kind);

	if (tally_measure(&p->end, p->kind) <= measure)
		return;
	while (p->runs && run_at(p, p->runs - 1) >= measure)
		p->runs--;
	if (p->runs && p->kind == PAGE_OBJECTS)
		p->object[p->runs - 1].count = measure - run_at(p, p->runs - 1);
	else if (p->runs)
		p->chunk[p->runs - 1].bytes = measure - run_at(p, p->runs - 1);
	p->end = *at;
	p->dirty = true;
}
