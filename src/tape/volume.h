/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a volume, for the files volume_*.c; and what the drive asks beyond vtape/tape.h. */
#ifndef TAPE_VOLUME_H
#define TAPE_VOLUME_H

#include "tape/volume_format.h"
#include "tape/volume_heads.h"
#include "tape/volume_index.h"

/* One partition in memory, beside its head: head.part[i].end is where the next object goes. */
struct partition {
	struct tail objects, chunks;
	struct tape_tally committed;	/* what a power cut leaves of the current generation */
	uint64_t stored;		/* bytes of the stream that lie in packs and in the tail of chunks */
	uint64_t own_from;		/* objects from here on were appended since it was opened, or
					 * volume_session_ends() */
	uint64_t cuts;			/* how often something at its end went away: readers forget */
};

/*
 * An open volume.  While @lock is not held:
 * 1. head.part[p].end counts every object whose append was answered with success.
 * 2. committed.bytes <= stored; and end.bytes <= stored in every partition but @writing_in.
 * 3. The last stretch of a partition with a tail is written in a map that no other generation has.
 * 4. Who holds @writing changes the head, the tails and @writer; the sink too adds to the tail of chunks.
 *
 * A commit, and what a power cut leaves behind each step:
 *  1. flush: what was appended lies in packs and in the tails    the last commit
 *  2. chunk_writer_begin_commit(): those packs are synced        the last commit, and chunks that nobody names
 *  3. one synced batch: index rows, pages, use of packs, head    the last commit or this one, nothing between
 *  4. chunk_writer_end_commit(), and only then the answer        this commit
 * The head tells an end that step 1 reached.  Its pages may hold more; for a reader that is not there.
 *
 * volume_commit_beside() holds @committing without @writing, so appends go on between its steps; the partition that is
 * written, the writer, pages in rows and what is cut off do not change before it has ended: who is about to change
 * them holds @writing and calls volume_alone().
 */
struct volume {
	pthread_mutex_t writing;	/* one append, cut, commit at a time; taken before @lock, held while waiting */
	pthread_mutex_t committing;	/* a commit from its first step to its last; taken behind @writing */
	pthread_mutex_t lock;		/* guards everything below but @writer; never held while waiting for a writer */
	struct shelf *shelf;		/* borrowed, with the next three */
	struct volume *next_open;	/* guarded by the shelf's lock, with the next */
	unsigned holds;			/* the collector is at it: it stays open */
	struct kv *kv;
	struct chunk_store *cs;
	struct volume_attr attr;
	struct head head;
	struct head before;		/* if @fresh and it has a generation: it ends when @head is first written */
	bool fresh;			/* the current generation has no row yet */
	bool dirty;			/* the rows do not tell what @head tells */
	struct partition partition[TAPE_PARTITIONS_MAX];
	struct page_cache cache;

	struct chunk_writer *writer;	/* NULL until something is appended */
	uint32_t writing_in;		/* the partition that it feeds */
	bool config_changed;		/* attr.store is not what @writer was made with */
	uint64_t sunk, sunk_committed;	/* bytes that the sink has seen: ever, and at the last commit */
	uint64_t space, space_spent;	/* chunk_store_space() when last asked; asked to append since */
};

/* @p is one of the volume's partitions; volume_look() asks. */
static inline struct lookup volume_lookup(struct volume *v, uint32_t p)
{
	return (struct lookup){ v->kv, &v->cache, &v->head.part[p], &v->partition[p].objects, &v->partition[p].chunks };
}

/* ---- volume.c: @lock is held ------------------------------------------------------------------------------------ */

int volume_look(struct volume *v, uint32_t p, struct lookup *out);	/* -EINVAL: there is no such partition */

/* ---- volume_append.c -------------------------------------------------------------------------------------------- */

/* May a record of @n bytes (0: a filemark) be written behind @at?  0, TAPE_E_EARLY_WARNING, TAPE_E_FULL,
 * TAPE_E_PROTECTED. */
int volume_room(struct volume *v, uint32_t p, const struct tape_tally *at, uint64_t n);
/* The pages that the end of data is in come into memory, to be written on; a cut finds room in the head.  @lock is
 * held. */
int volume_prepare(struct volume *v, uint32_t p);

/* ---- volume_cut.c ----------------------------------------------------------------------------------------------- */

/* May everything from @object on be cut off?  0 or TAPE_E_PROTECTED. */
int volume_may_cut(struct volume *v, uint32_t p, uint64_t object);
/* Within the tail, which keeps the generation.  @lock is held. */
void volume_cut_tail(struct volume *v, uint32_t p, const struct tape_tally *at);

/* ---- volume_moved.c: for who changes pages in rows; @writing is held --------------------------------------------- */

bool volume_has_map(struct volume *v, uint64_t map);	/* in its head; the only one without @writing */
/* May the page of chunks that ends at @end be changed in rows, or is it being written on in memory? */
bool volume_may_move(struct volume *v, uint64_t map, uint64_t end);
/* If @map is being written on: commits, so that nothing of it is in memory only.  *end: of it, committed. */
void volume_settle(struct volume *v, uint64_t map, uint64_t *end);
/* Pages of chunks of @map changed in rows. */
void volume_moved(struct volume *v, uint64_t map);

/* ---- volume_commit.c: @writing is held, @lock is not ------------------------------------------------------------ */

int volume_flush(struct volume *v);		/* step 1; a failure is rolled back already */
void volume_alone(struct volume *v);		/* no commit is under way; none begins while @writing is held */
int volume_commit_stored(struct volume *v);	/* steps 2 to 4, for what is stored: a prefix of what was appended */
int volume_commit_all(struct volume *v);	/* steps 1 to 4 */
/* After the writer failed with @r: what was stored is committed if it can be, the rest goes.  Returns @r; or
 * TAPE_E_FULL if the disk is full and nothing that was acknowledged is lost. */
int volume_roll_back(struct volume *v, int r);

#endif
