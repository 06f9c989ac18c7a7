/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a move, for the files tape_move*.c: pages that were copied from and wait until the maps are told. */
#ifndef TAPE_MOVE_H
#define TAPE_MOVE_H

#include "tape/tape_gc.h"

/* A page that was copied from: its row then, and the pages that take its place. */
struct rewrite {
	struct gc_map *map;
	struct page *before;
	struct buf row;
	bool clipped;			/* the row went on behind the end of the map */
	struct page **after;
	size_t count, room;
};

struct move {
	struct gc *g;
	struct round *r;
	struct chunk_copier *copier;
	struct rewrite *rewrite;	/* of pages that wait for the commit, in the order of the walk */
	size_t count, room;
	size_t pages;			/* in all of them */
	uint64_t bytes;			/* copied for them */
};

/* tape_move_page.c: @m->copier takes what @rw->before names of the round, and @rw->after names the copies. */
int rewrite_page(struct move *m, struct rewrite *rw);
void rewrite_fini(struct rewrite *rw);
bool page_hits(const struct round *r, const struct page *p);	/* does it name a pack of the round? */
bool page_names(const struct page *p, const struct page *other);	/* the same places? */

/* tape_move_tell.c: steps 2 to 5 for what waits; then nothing does. */
int commit_group(struct move *m);
void group_fini(struct move *m);

#endif
