/* SPDX-License-Identifier: BSD-2-Clause */
/* Which packs a map uses: rows that answer "does anybody need this pack?" without reading any map. */
#ifndef TAPE_VOLUME_USE_H
#define TAPE_VOLUME_USE_H

#include "tape/volume_format.h"

struct use { uint64_t pack, bytes; };
struct uses {
	struct use *use;
	size_t count, room;
};
void uses_fini(struct uses *u);
/* What the runs of a chunk page have between two offsets of the stream. */
int uses_add_page(struct uses *u, const struct page *p, uint64_t from, uint64_t to);
void uses_merge(struct uses *u);	/* one entry a pack, in order */
/*
 * Into @b: @map uses so much more of them (@more), and so much less (@less); either may be NULL.  Sorts both.  A batch
 * must not hold two of these for one map, and nobody else may change the map until @b is written.  Of a pack that is
 * used less the look goes: the collector will look at it again.
 */
int uses_put(struct uses *more, struct uses *less, struct kv *kv, struct kv_batch *b, uint64_t map);

#endif
