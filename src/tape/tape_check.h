/* SPDX-License-Identifier: BSD-2-Clause */
/* A check of the maps, for the files tape_check*.c. */
#ifndef TAPE_CHECK_H
#define TAPE_CHECK_H

#include "tape/volume_heads.h"
#include "tape/volume_use.h"

/* A map that was come across: 24 bytes each is all that is kept of it. */
struct seen_map {
	uint64_t map, volume;
	uint32_t rows;		/* use rows that it should have and has */
	uint32_t found;		/* use rows that there are of it */
};

/*
 * Everything is read through one iterator: KV_MAP as it was at one moment, between two commits of whoever writes.  So
 * what does not fit in it is a fault, whatever goes on meanwhile.  Packs are not removed while the collector waits.
 */
struct check {
	struct shelf *sh;
	const struct tape_check_config *cfg;
	struct tape_checked sum;
	struct kv_iter *it;
	struct seen_map *seen;
	size_t seen_count, seen_room;
	size_t seen_sorted;		/* the first so many are in order */
	bool may_free;			/* every head can be read: what none of them needs is garbage */
	uint64_t queued;		/* the last map of which such was queued to be freed */
};

/* What is said of a map: how far heads need it, and what of it waits to be freed. */
struct map_span {
	uint64_t map;
	uint64_t volume, generation;	/* the newest that needs most of it; volume 0: nobody does */
	uint32_t partition;
	struct tape_tally from, to;	/* needed; the same if nobody does */
	bool dropped;
	struct drop drop;		/* if @dropped: from the first object to the last byte that wait */
	bool orphan;			/* pages that nobody speaks of: all of them count */
	bool unsure;			/* a head of the volume cannot be read: it may need more */
	bool open;			/* what is appended to the tape goes there */
};

/* Bytes of the stream that use rows speak of. */
static inline uint64_t map_span_bytes(const struct map_span *m)
{
	if (m->orphan)
		return UINT64_MAX;
	return m->dropped && m->drop.to > m->to.bytes ? m->drop.to : m->to.bytes;
}

/* ---- tape_check.c ----------------------------------------------------------------------------------------------- */

void tape_check_fault(struct check *k, const struct map_span *m, bool repaired, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* What heads and drop rows say now of a map, by @it.  A volume that is gone: nobody needs it. */
int map_span_load(struct kv_iter *it, uint64_t volume, uint64_t map, struct map_span *out);

/* ---- tape_check_map.c ------------------------------------------------------------------------------------------- */

/* A place on the tape that a head speaks of; @points are in order. */
int check_map_objects(struct check *k, const struct map_span *m, const struct tape_tally *point, size_t points);
int check_map_chunks(struct check *k, const struct map_span *m);

/* ---- tape_check_use.c ------------------------------------------------------------------------------------------- */

/* The use rows that the map's pages ask for; the map is seen. */
int check_map_uses(struct check *k, const struct map_span *m);
/* What is behind all that is needed of the map (an orphan: all of it) is queued to be freed; false: not so. */
bool check_map_free_rest(struct check *k, const struct map_span *m);
/* Every use row is one of those; and what the collector remembers of packs can be read. */
int check_use_rows(struct check *k);
struct seen_map *check_seen(struct check *k, uint64_t map);	/* of those that are sorted; NULL */
void check_sort_seen(struct check *k);

#endif
