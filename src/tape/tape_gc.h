/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a collection, for the files tape_*.c that are its parts. */
#ifndef TAPE_GC_H
#define TAPE_GC_H

#include "tape/shelf.h"
#include "tape/volume_format.h"

struct gc {
	struct shelf *shelf;
	struct kv *kv;
	struct chunk_store *cs;
	const struct tape_gc_config *cfg;
	struct tape_gc_report report;
	uint64_t begun_ns;	/* clock_mono_ns() when copying began; 0: not yet */
	int failed;		/* the first damage that was passed over: told at the end */
	struct buf dropped;	/* of uint64_t, in order: dry_run only, packs that drops take from or would take from */
	bool healed;		/* heal_maps() has been */
	bool left;		/* a page was not told where its chunks are, since it is another by now */
};

enum { GC_E_STOP = 1 };		/* who asked for the collection wants it to end */
int gc_step(struct gc *g);	/* between any two steps: 0, GC_E_STOP */
/* What is damaged does not hold up the rest: it is remembered, 0.  Any other @r is returned. */
int gc_pass_over(struct gc *g, int r);

int gc_pack_in_use(void *kv, uint64_t pack);	/* is there a use row?  1, 0; < 0 */
bool gc_is_pinned(struct gc *g, uint64_t pack);	/* a writer holds on to it: copying would not free it */
/* To be called before a pack is removed: all rows that named it are gone for good, and nobody needs it to heal. */
int gc_ready(struct gc *g);
int gc_free_pack(struct gc *g, uint64_t pack, bool *gone);

/* ---- tape_sweep.c: what drop rows tell -------------------------------------------------------------------------- */

int sweep_drops(struct gc *g);		/* pages, their use, and the rows themselves go */
int sweep_foresee(struct gc *g);	/* the same for dry_run: only g->dropped, and of cfg->ended too */

/* ---- tape_maps.c: which maps use these packs, and their pages ---------------------------------------------------- */

/* A pack that this round of a collection is about. */
struct round_pack {
	uint64_t pack;
	uint64_t used;		/* the sum of its use rows */
	uint32_t slots;		/* by its table; none: it is lost */
	uint32_t *len;		/* raw bytes of each; 0: nobody knows */
	uint8_t *live;		/* a bit for each */
};
struct round {
	struct round_pack *pack;	/* in order */
	size_t count, room;
	uint64_t slots;
	bool counts;		/* nothing is taken apart by .len: rows are good enough */
	const struct buf *only;	/* of struct pack_ref, in order: only these chunks are moved; NULL: all of them */
};
/* A round has at most so many packs and slots. */
#define ROUND_PACKS 1024u
#define ROUND_SLOTS (1u << 20)
void round_fini(struct round *r);
int round_add(struct gc *g, struct round *r, uint64_t pack);
uint32_t round_len(struct gc *g, const struct round_pack *rp, uint32_t slot);	/* 0: nobody knows */
void round_drop_last(struct round *r);
bool round_full(const struct round *r);
void round_sort(struct round *r);
struct round_pack *round_find(const struct round *r, uint64_t pack);	/* NULL; @r is sorted */

/* A map that uses packs of a round. */
struct gc_map {
	uint64_t map;
	uint64_t volume;	/* whose it is */
	uint64_t order;		/* in the order of the tape, within its volume */
	uint64_t end;		/* bytes of its stream that a head needs; 0: no head has it */
	uint64_t counted;	/* and those that use rows speak of: a drop may have come since */
};
struct gc_maps {
	struct gc_map *map;	/* in the order of volumes and tapes */
	size_t count, room;
};
void gc_maps_fini(struct gc_maps *ms);
int gc_maps_of(struct gc *g, struct round *r, struct gc_maps *out);	/* sets .used of the packs, too */
/* Do use rows still speak of the map exactly up to @m->counted? */
int gc_map_still_ends(struct gc *g, const struct gc_map *m, bool *so);

/* The chunk pages of a map, in order, up to a byte of its stream. */
struct walk {
	struct kv *kv;
	uint64_t map, at, end;
	struct kv_iter *it;
};
enum { WALK_E_END = 1 };
int walk_next(struct walk *w, struct page **out);	/* the caller's */
void walk_renew(struct walk *w);			/* goes on with the rows as they are then */
void walk_fini(struct walk *w);
int page_of_row(struct kv_iter *it, enum page_kind kind, uint64_t map, struct page **out);

/* ---- tape_mark.c, tape_move.c ------------------------------------------------------------------------------------ */

int mark_round(struct gc *g, struct round *r);		/* sets .live of its packs */
/* Chunks of the round that maps name are copied, and the maps name the copies; then @moved, unless it is NULL, while
 * nobody shares chunks of the round's packs.  Whatever ends it early, what was copied is not lost.  -ENOSPC: also if
 * @moved was called. */
int move_round(struct gc *g, struct round *r, int (*moved)(struct gc *g, const struct round *r));

/* ---- tape_heal.c ------------------------------------------------------------------------------------------------- */

/* Maps that name damaged chunks come to name whole ones with the same digest.  GC_E_STOP: not all, since tapes were
 * written meanwhile: nothing is to be removed now. */
int heal_maps(struct gc *g);

/* ---- tape_survey.c ----------------------------------------------------------------------------------------------- */

/* A pack that may be worth copying. */
struct candidate {
	uint64_t pack, file_bytes;
	uint64_t live, all;	/* of its chunks, headers included */
	bool tried;
};
struct candidate *candidates(struct buf *b, size_t *count);

struct survey {
	struct gc *g;
	struct kv_iter *uses, *looks, *packs;
	struct buf unknown, sparse, small;	/* of struct candidate */
	struct buf begun;	/* of uint64_t, in order: packs with which an earlier collection did not end */
	struct buf healed;	/* the same: packs that are lost, and nothing with them */
	bool synced;		/* gc_ready() has been */
};
int survey(struct survey *s);	/* removes what is unused; leaves @sparse and @small */
void survey_fini(struct survey *s);

#endif
