/* SPDX-License-Identifier: BSD-2-Clause */
/* All heads of a volume, its generations, and what they need of which maps.  For who works on volumes that are closed,
 * or on what of them is committed. */
#ifndef TAPE_VOLUME_HEADS_H
#define TAPE_VOLUME_HEADS_H

#include "tape/volume_format.h"

int head_read(struct kv *kv, uint64_t volume, struct head *out);	/* the current one; -ENOENT */
int head_newest(struct kv *kv, uint64_t volume, uint64_t *generation);	/* its number; -ENOENT */
int head_write(struct kv_batch *b, uint64_t volume, const struct head *h);
/* The partition ends at @at, and what is appended there goes to a map that nobody else has.  A blank one gets its map
 * with its first object. */
int head_partition_fork(struct head_partition *p, const struct tape_tally *at);

/* Newest first: row[0] is current. */
struct head_row { struct head head; bool goes, damaged; };	/* @damaged: of @head only the generation is known */
struct heads {
	struct head_row *row;
	size_t count, room;
};
void heads_fini(struct heads *hs);
int heads_read(struct kv *kv, uint64_t volume, struct heads *out);	/* -ENOENT; fails if one is damaged */
/* The same, but damaged ones are rows, too. */
int heads_read_all(struct kv *kv, uint64_t volume, struct heads *out);

/* Of the volume whose head @it is at; then it is at the next one's.  *damaged: 0, or what is wrong with one of them.
 * KV_E_NONE.  For walks over all: a tenth of the time of the next function with heads_read(). */
int heads_walk(struct kv_iter *it, uint64_t *volume, struct heads *out, int *damaged);
/* The next volume, in order, that has a head; KV_E_NONE. */
int heads_next_volume(struct kv *kv, uint64_t from, uint64_t *volume);

/* From where on a map is written, and how far anybody needs it: heads share maps from their beginnings on. */
struct extent { uint64_t map; struct tape_tally from, to; };
struct extents {
	struct extent *extent;
	size_t count, room;
	size_t next;		/* behind the last that was found: heads have their stretches in one order */
};
void extents_fini(struct extents *xs);
struct extent *extents_find(struct extents *xs, uint64_t map);		/* NULL; borrowed until one is added */
int extents_add_head(struct extents *xs, const struct head *h);

/* Older ones that ended by then shall go, as volume_drop_generations() has it; how many. */
uint64_t heads_choose_ended(struct heads *hs, uint64_t ended_ns);
/* What only those need that go: parts of maps that do not overlap. */
int heads_each_drop(const struct heads *hs, int (*each)(void *ctx, uint64_t map, const struct drop *d), void *ctx);

/* Where stretch @s of a partition ends. */
static inline const struct tape_tally *stretch_end(const struct head_partition *p, uint32_t s)
{
	return s + 1 < p->stretches ? &p->stretch[s + 1].from : &p->end;
}

#endif
