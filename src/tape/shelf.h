/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a shelf: which volumes are open, and how the collector meets them. */
#ifndef TAPE_SHELF_H
#define TAPE_SHELF_H

#include <vtape/tape.h>

/* Locks: @gc, then @lock, then a volume's @lock; its @writing is taken while it is held (shelf_hold()), not @lock. */
struct shelf {
	struct kv *kv;			/* borrowed */
	struct chunk_store *cs;		/* borrowed */
	pthread_mutex_t gc;		/* one collection at a time: two would take the same bytes off a row twice */
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t let_go;		/* somebody holds a volume no more */
	struct volume *open;
};

void shelf_add(struct shelf *sh, struct volume *v);
void shelf_remove(struct shelf *sh, struct volume *v);	/* waits until nobody holds it */

/*
 * So that rows of @map's pages can be changed: the open volume whose current generation has the map, which is not
 * closed until it is released; who takes its @writing then is alone with the map.  Or NULL: no open volume has it, and
 * until release none is opened; so it is for short.
 */
struct volume *shelf_hold(struct shelf *sh, uint64_t map);
void shelf_release(struct shelf *sh, struct volume *v);		/* what shelf_hold() returned */

#endif
