/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a shelf: which volumes are open. */
#ifndef TAPE_SHELF_H
#define TAPE_SHELF_H

#include <vtape/tape.h>

/* Locks: @gc, then @lock, then a volume's own. */
struct shelf {
	struct kv *kv;			/* borrowed */
	struct chunk_store *cs;		/* borrowed */
	pthread_mutex_t gc;		/* one collection at a time: two would take the same bytes off a row twice */
	pthread_mutex_t lock;		/* guards what follows */
	struct volume *open;
};

void shelf_add(struct shelf *sh, struct volume *v);
void shelf_remove(struct shelf *sh, struct volume *v);

#endif
