/* SPDX-License-Identifier: BSD-2-Clause */
/* Where is what on a tape: pages of a volume's maps, those being written and those read.  Under the volume's lock. */
#ifndef TAPE_VOLUME_INDEX_H
#define TAPE_VOLUME_INDEX_H

#include "tape/volume_format.h"

#define PAGE_CACHE_MAX 64u

/* Pages that were read, the least recently used go first.  Of a page that is in a tail there may be no copy here. */
struct page_cache {
	struct page *page[PAGE_CACHE_MAX];
	uint64_t clock;
};
void page_cache_fini(struct page_cache *c);
void page_cache_forget(struct page_cache *c, enum page_kind kind, uint64_t map);

/*
 * The pages at the end of the map that a partition is being written in.
 * 1. Together they hold everything behind the committed end of data, and the page that the committed end is in.
 * 2. Only the first has a row, so that a map never has rows behind the end that its head tells.  If a commit failed,
 *    nobody knows which of them have: then whatever is cut off is @gone, and has none after the next commit.
 */
struct tail {
	struct page **page;
	uint32_t count, room;	/* 0: nothing was appended since the volume was opened or cut */
	struct page *gone;	/* cut off, but may have rows, which the next commit deletes */
	bool whole;		/* the last chunk run ends with its last chunk, so a neighbour may join it */
};
void tail_fini(struct tail *t);
int tail_start(struct tail *t, struct page *p);		/* takes @p; @t is empty */
int tail_add_objects(struct tail *t, uint32_t len, uint64_t count);
int tail_add_chunk(struct tail *t, const struct chunk_run *r);
/* Everything from @at on goes; @at is not before the first page. */
void tail_clip(struct tail *t, const struct tape_tally *at);
/* What is @gone is gone for good; what is in rows up to @committed moves to the cache; the page with the end of it
 * stays. */
void tail_settle(struct tail *t, const struct tape_tally *committed, struct page_cache *cache);

/* One partition as look-ups see it. All of this borrowed. */
struct lookup {
	struct kv *kv;
	struct page_cache *cache;
	const struct head_partition *head;
	const struct tail *objects, *chunks;
};

/* The last stretch that begins at or before a measure; the partition has stretches. */
uint32_t lookup_stretch(const struct lookup *x, enum page_kind kind, uint64_t measure);
/* Reads the page that the end of data is in, to go on writing in it: the caller's. */
int lookup_take_tail(const struct lookup *x, enum page_kind kind, struct page **out);
int lookup_tally(const struct lookup *x, uint64_t object, struct tape_tally *out);	/* @object <= end */
int lookup_object(const struct lookup *x, uint64_t object, struct tape_object *out);	/* @object < end */
/* -EBADMSG: it is in a part of the map that is damaged; then *out is where that part ends. */
int lookup_find(const struct lookup *x, bool (*before)(const struct tape_tally *t, void *ctx), void *ctx,
	       struct tape_tally *out);
/* A page in memory, the caller's, for the objects around @object that no page tells of. */
int lookup_hole(const struct lookup *x, uint32_t s, uint64_t object, struct page **out);
/* Where the byte at @offset lies; @offset < @stored, which is how far chunks are known. */
int lookup_extent(const struct lookup *x, uint64_t offset, uint64_t stored, struct chunk_extent *out, uint64_t *start);

#endif
