/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of KV_MAP of foreign bytes.  The first byte of the input says which row it is, the rest is the value.
 *
 * What is taken must hold together, and must come back the same when it is packed again.
 */
#include "fuzz/rows.h"
#include "tape/volume_format.h"

#define MAP 0x6d6170

static void try_head(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf again = BUF_INIT;
	CLEANUP(head_fini) struct head h = { 0 }, twice = { 0 };

	if (head_unpack(p, n, 1, &h))
		return;
	fuzz_require(h.partitions >= 1 && h.partitions <= TAPE_PARTITIONS_MAX);
	for (uint32_t i = 0; i < h.partitions; i++)
		for (uint32_t s = 0; s < h.part[i].stretches; s++)
			fuzz_require(h.part[i].stretch[s].from.objects <= h.part[i].end.objects);
	fuzz_require(head_pack(&h, &again) == 0);
	fuzz_require(head_unpack(again.data, again.len, 1, &twice) == 0);
}

static void walk_page(struct page *p)
{
	uint64_t at = tally_measure(&p->from, p->kind);

	for (uint32_t i = 0; i < p->runs; i++) {
		uint64_t first = p->kind == PAGE_OBJECTS ? p->object[i].at.objects : p->chunk[i].at;

		fuzz_require(first == at);
		fuzz_require(page_seek(p, at) == i);
		at += p->kind == PAGE_OBJECTS ? p->object[i].count : p->chunk[i].bytes;
	}
	fuzz_require(at == tally_measure(&p->end, p->kind));
}

static void try_page(enum page_kind kind, const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf again = BUF_INIT;
	CLEANUP(page_freep) struct page *page = NULL, *twice = NULL;
	struct tape_tally half;

	if (page_unpack(p, n, kind, MAP, 0, &page))
		return;
	walk_page(page);
	fuzz_require(page_pack(page, &again) == 0);
	fuzz_require(page_unpack(again.data, again.len, kind, MAP, 0, &twice) == 0);
	fuzz_require(!memcmp(&page->end, &twice->end, sizeof(page->end)));
	if (kind == PAGE_OBJECTS && page->runs) {
		half = object_run_tally(&page->object[page->runs / 2], page->object[page->runs / 2].count / 2);
		page_clip(page, &half);
		walk_page(page);
	}
}

static void try_drop(const uint8_t *p, size_t n)
{
	struct map_key key = key_drop(MAP, 5);
	struct drop d;
	uint64_t map;

	if (!drop_unpack(key.b, key.len, p, n, &map, &d))
		fuzz_require(map == MAP && d.object == 5 && d.from <= d.to);
}

static void try_look(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf again = BUF_INIT;
	struct look l, twice;

	if (look_unpack(p, n, &l))
		return;
	fuzz_require(l.live <= l.all);
	fuzz_require(look_pack(&l, &again) == 0);
	fuzz_require(look_unpack(again.data, again.len, &twice) == 0);
	fuzz_require(twice.live == l.live && twice.all == l.all && twice.used == l.used);
}

static void try_use(const uint8_t *p, size_t n)
{
	uint64_t bytes;

	fuzz_require((use_unpack(p, n, &bytes) == 0) == (n == 8));
}

static void try_objects(const uint8_t *p, size_t n)
{
	try_page(PAGE_OBJECTS, p, n);
}

static void try_chunks(const uint8_t *p, size_t n)
{
	try_page(PAGE_CHUNKS, p, n);
}

static const struct fuzz_row rows[] = {
	{ 'h', try_head, true }, { 'O', try_objects, true }, { 'C', try_chunks, true }, { 'D', try_drop, true },
	{ 'L', try_look, true }, { 'U', try_use, true },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_one_row(rows, ARRAY_LEN(rows), data, size);
}
