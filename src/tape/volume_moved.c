/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an open volume does when the collector changes pages of its maps in their rows (tape_move.c).
 *
 * A page says the same before and after, in other places; both are there while the change is made.  So nobody who reads
 * needs to wait: rows, the cache and what readers have in memory may differ for a while.  Who writes must not: use rows
 * are read, changed and written back, and the page that the end of data is in is in memory, to be written out again.
 * Hence @writing is held; and that page is changed only when everything is committed, and forgotten then: the next
 * append reads it as after opening.
 */
#include "tape/volume.h"

static bool partition_has_map(const struct head_partition *p, uint64_t map)
{
	for (uint32_t i = 0; i < p->stretches; i++)
		if (p->stretch[i].map == map)
			return true;
	return false;
}

bool volume_has_map(struct volume *v, uint64_t map)
{
	LOCK_SCOPE(&v->lock);

	for (uint32_t p = 0; p < v->head.partitions; p++)
		if (partition_has_map(&v->head.part[p], map))
			return true;
	return false;
}

static bool tail_is_of(const struct tail *t, uint64_t map)
{
	return t->count && t->page[0]->map == map;
}

bool volume_may_move(struct volume *v, uint64_t map, uint64_t end)
{
	LOCK_SCOPE(&v->lock);

	for (uint32_t p = 0; v->dirty && p < v->head.partitions; p++) {
		const struct tail *t = &v->partition[p].chunks;

		if (tail_is_of(t, map) && t->page[0]->from.bytes < end)
			return false;
	}
	return true;
}

/* The partition whose end is written in @map, or NULL.  @lock is held. */
static struct partition *partition_in(struct volume *v, uint64_t map)
{
	for (uint32_t p = 0; p < v->head.partitions; p++) {
		const struct head_partition *h = &v->head.part[p];

		if (h->stretches && h->stretch[h->stretches - 1].map == map)
			return &v->partition[p];
	}
	return NULL;
}

static bool is_written_on(struct volume *v, uint64_t map)
{
	LOCK_SCOPE(&v->lock);

	return v->dirty && partition_in(v, map);
}

void volume_settle(struct volume *v, uint64_t map, uint64_t *end)
{
	volume_alone(v);
	/* If the writer failed, the next append or commit finds the same error, and tells it to who wrote. */
	if (is_written_on(v, map) && (!v->writer || chunk_writer_flush(v->writer) == 0) && volume_commit_stored(v))
		log_debug("%s: not committed for the collection", v->attr.barcode);

	LOCK_SCOPE(&v->lock);
	const struct partition *part = partition_in(v, map);

	*end = part ? part->committed.bytes : 0;
}

void volume_moved(struct volume *v, uint64_t map)
{
	LOCK_SCOPE(&v->lock);

	page_cache_forget(&v->cache, PAGE_CHUNKS, map);
	for (uint32_t p = 0; !v->dirty && p < v->head.partitions; p++)
		if (tail_is_of(&v->partition[p].chunks, map)) {
			tail_fini(&v->partition[p].chunks);
			tail_fini(&v->partition[p].objects);
		}
}
