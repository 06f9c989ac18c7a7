/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check: what scrubbing, checking and rebuilding have in common.  They believe files and rows, and of memory only which
 * packs are being written.
 */
#ifndef CHUNK_CHECK_H
#define CHUNK_CHECK_H

#include "chunk/store.h"

/* chunk_scrub.c ---- */

/* What the row of a pack is to say.  @lens: filled, and borrowed by @out; 0 for what is lost. */
int store_tally_of(struct pack *p, struct buf *lens, struct pack_tally *out);
/* chunk_recover.c: the same with at least so many chunks; @p: NULL if nothing of it can be read. */
int store_tally_least(struct pack *p, uint32_t least, struct buf *lens, struct pack_tally *out);
/* By rows 'O', how many slots of it were safe and named.  0; LOOKUP_NONE: it has no such row; < 0. */
int store_promised(struct kv *kv, uint64_t number, uint32_t *slots);
/* Writes down that a pack is back, or that it is not whole any more. */
void store_notice(struct chunk_store *cs, struct pack *p);
/* Reads every chunk; those that are not as they should be are dealt with as by a reader, and if nothing heals them
 * told. Adds to @out. */
int store_prove(struct chunk_store *cs, struct pack *p, void (*bad)(void *ctx, uint32_t slot, int why), void *ctx,
		struct chunk_scrubbed *out);

/* chunk_rescue.c ---- */

/* What is whole in the file of @p, is in none of its slots and nowhere else, is stored again; how many chunks. */
int chunk_rescue(struct chunk_store *cs, struct pack *p, unsigned *count);

/* ---- a check under way ------------------------------------------------------------------------------------------- */

#define CHECK_PACKS 32u		/* kept open, to look where rows lead */

struct check {
	struct chunk_store *cs;
	const struct chunk_check_config *cfg;
	struct chunk_checked sums;
	uint64_t done, all;		/* packs, for progress */
	struct kv_batch *b;		/* rows to mend, written after each pack */
	struct pack *open[CHECK_PACKS];	/* by number, the number's remainder */
};

/* chunk_check.c ---- */

/* Tells a fault. */
void chunk_check_fault(struct check *c, bool repaired, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Writes what was gathered to mend.  With @sync if it must not be lost. */
int chunk_check_write(struct check *c, bool sync);
int chunk_check_progress(struct check *c);
/* Is a writer at this pack, or the sealer? */
bool chunk_check_is_open(struct chunk_store *cs, uint64_t number);
/* A pack by its file; borrowed until the next call.  @fresh: as it is now. */
int chunk_check_pack(struct check *c, uint64_t number, bool fresh, struct pack **out);
int chunk_check_has(struct kv *kv, enum pack_key kind, uint64_t number);		/* 0, LOOKUP_NONE; < 0 */

/* chunk_check_index.c ---- */
int chunk_check_slots(struct check *c, struct pack *p);	/* every slot of it has its row */
int chunk_check_index(struct check *c);			/* every row leads to a slot */

/* chunk_check_rows.c ---- */
int chunk_check_rows(struct check *c);			/* KV_PACK: kinds, numbers, totals */

#endif
