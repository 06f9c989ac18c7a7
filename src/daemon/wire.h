/* SPDX-License-Identifier: BSD-2-Clause */
/* The one place that sees all the rooms at once: builds them bottom-up, tears them down top-down. */
#ifndef DAEMON_WIRE_H
#define DAEMON_WIRE_H

#include "daemon/store.h"

#include <vtape/catalog.h>
#include <vtape/contents.h>
#include <vtape/library.h>

struct wire {
	char path[4096];	/* the store's folder, absolute */
	struct store_head head;
	char told[STORE_TOLD_MAX];	/* what store_enter() mended; it becomes an event */
	int lock_fd;
	struct kv *kv;
	struct packs *packs;
	struct workers *workers;
	struct chunk_store *chunks;
	struct catalog *catalog;
	struct library *library;
	struct contents *contents;	/* no thread runs: contents_start() is the caller's */
};

/* @w: zeroed.  On failure everything that was built is gone again. */
int wire_open(struct wire *w, const char *store, unsigned drives);
/* The same in two steps: the store is ours, but nothing in it is open (path, head and lock_fd are set); all is
 * built. */
int wire_enter(struct wire *w, const char *store);
int wire_build(struct wire *w, bool create, unsigned drives);
/* Of wire_build() the part above the database and below the library: @w has path, head and kv. */
int wire_build_rooms(struct wire *w);
/* The first opening of a store: its database is made and the pool "default" gets @compression (NULL: zstd). */
int wire_init(const char *store, uint32_t chunk_avg, const char *compression);
void wire_close(struct wire *w);

#endif
