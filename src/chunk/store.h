/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store: what writers, readers and the collector of packs share.
 *
 * Locks, in this order: a writer's own; losing; numbers_lock; sums_lock; lock.  None is held while bytes are read,
 * written or synced, but for losing, under which a loss is written down and a pack is removed, numbers_lock, under
 * which a new pack is made, and sums_lock, under which rows with sums are written.
 */
#ifndef CHUNK_STORE_H
#define CHUNK_STORE_H

#include "chunk/codec.h"
#include "chunk/index.h"
#include "chunk/pack_set.h"

#define NUMBER_STEP 64u		/* pack numbers reserved by one synced row, and probed after a crash */
#define SLOTS_MAX (PACK_BYTES_MAX / PACK_ENTRY_GAP)	/* no pack has more: maps and rows are foreign */
#define HELD_PACKS 32u		/* sealed packs kept open for readers */

/*
 * The packs that somebody, a writer or a copier, was given places in which no map on disk can name yet: they must stay.
 * Guarded by the store's lock.
 */
struct pins {
	struct pins *next;
	struct pack_set touched;	/* since the last begin_commit */
	uint64_t touched_last;		/* + 1 */
	struct pack_set committing;	/* since then, until end_commit */
	struct pack_set earlier;	/* of the last commit, if it did not name all places: until the next */
	bool keep;			/* the commit under way does not */
	struct synced_table { uint64_t number; uint32_t upto; } *syncing;
	size_t syncing_count;
};

struct held_pack {
	struct pack *pack;	/* NULL: free */
	uint64_t used;
};

/*
 * While @lock is not held:
 * 1. Every pack that is not sealed and written down (row 'P') has a table in @index that is not TABLE_SEALED.
 * 2. Such a pack has a number in [reserved - NUMBER_STEP, reserved), or a row 'O'; and if @indexed is not 0, a row 'O'
 *    that promises so many slots.
 * 3. @sealed are the sums of the packs that are sealed; @sums those of the packs that have a row 'P', and row 'T' has
 *    them.
 */
struct chunk_store {
	struct kv *kv;
	struct packs *packs;
	struct workers *workers;
	struct chunk_store_config cfg;
	struct digester *digester;
	struct chunker *chunker;
	struct codecs *codecs;
	struct workers *sealer;		/* one thread: syncing must not hold up those that compress */
	struct lane *seal_lane;

	pthread_mutex_t losing;		/* one at a time finds out what is lost; nothing is removed meanwhile */

	pthread_mutex_t numbers_lock;	/* guards the next two; held while a pack is made */
	uint64_t next_number, reserved;

	unsigned finished;		/* packs that the opening finished; not changed later */

	pthread_mutex_t sums_lock;	/* guards the next */
	struct chunk_totals sums;

	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t settled;		/* a table has left TABLE_SEALING */
	struct index index;
	struct pins *pins;		/* of every writer and copier */
	struct chunk_copier *copiers;
	uint64_t *condemned;		/* packs that chunk_gc_pack() is at */
	size_t condemned_count, condemned_cap;
	uint64_t removals;		/* packs removed so far: a table read meanwhile may be of one of them */
	struct chunk_totals sealed;
	struct held_pack held[HELD_PACKS];
	uint64_t held_tick;
	void (*damaged)(void *ctx, struct pack_ref ref, const struct digest *d);
	void *damaged_ctx;
	/* Damage found before there was anybody to tell. */
	struct { struct pack_ref ref; struct digest digest; } untold[16];
	unsigned untold_count;
	uint64_t space_avail, space_checked_ns, space_taken;	/* as last asked; bytes appended since */
};

/* chunk_store.c ---- */

/* A pack to append to: one that waits, or a new one. */
int store_take_table(struct chunk_store *cs, struct table **out);
void store_give_table(struct chunk_store *cs, struct table *t);		/* for the next writer */
void store_seal_table(struct chunk_store *cs, struct table *t);		/* in the background; if empty, it goes */
/* -ENOSPC if @n more bytes would touch the reserve; @reserve: or, for who may use that, the part of it that is left for
 * the database. */
int store_has_room(struct chunk_store *cs, uint64_t n, bool reserve);
/* Rows for the slots of @t that have none yet, up to @upto.  Lock held. */
int store_index_rows(const struct table *t, uint32_t upto, struct kv_batch *b);
/* Raw lengths of its chunks, for the row of the pack.  Lock held. */
int store_lens(const struct table *t, struct buf *out);
/* The rows that make a sealed pack known.  Lock held. */
int store_sealed_rows(uint64_t number, const struct pack_tally *tally, struct kv_batch *b);

/* Writes @b, in which a pack's row comes or goes, together with the row of the sums after that. */
enum sums_change { SUMS_MORE, SUMS_LESS };
int store_write_sums(struct chunk_store *cs, struct kv_batch *b, enum sums_change change, const struct pack_tally *t,
		     bool sync);
void totals_change(struct chunk_totals *sums, enum sums_change change, const struct pack_tally *t);
int totals_put(const struct chunk_totals *sums, struct kv_batch *b);

/* chunk_lookup.c ---- */

/* The table of contents of a sealed pack, not of the index yet. */
int table_read(struct pack *p, struct table **out);
/* Does this error of pack_open() say that a pack is gone or cannot be read, and not that the machine is busy? */
bool store_is_loss(int r);
/* A sealed or open pack to read from; release it.  Slots may be missing; if so, or if it cannot be opened, the loss has
 * been written down when this returns. */
int store_pack(struct chunk_store *cs, uint64_t number, struct pack **out);
void store_drop_pack(struct chunk_store *cs, uint64_t number);		/* the reader's hold on it.  Lock held */
/*
 * Where a chunk lies, by all 32 bytes, in memory or else by KV_INDEX.
 * *alone: not found, because another chunk with the same key is there.
 * Return: 0 or LOOKUP_NONE; < 0.
 */
enum { LOOKUP_NONE = 1 };
int store_lookup(struct chunk_store *cs, const struct digest *d, struct pack_ref *out, bool *alone);
/* Stored bytes to raw ones that fit the digest; damage is dealt with and -EBADMSG. */
int store_check(struct chunk_store *cs, struct pack_ref ref, const struct pack_entry *e, const void *stored, void *raw);
/* The same for a chunk that is read alone; bytes that cannot be read are damage too.  @scratch: PACK_CHUNK_MAX. */
int store_fetch(struct chunk_store *cs, struct pack *p, uint32_t slot, const struct pack_entry *e, void *raw,
		void *scratch);
/* By the collector, which is about to remove it, or by a copier.  Lock held. */
bool store_is_condemned(const struct chunk_store *cs, uint64_t pack);
/* Are these the bytes of the chunk at @ref?  0, LOOKUP_NONE also if it cannot be read; -ENOMEM. */
int store_compare(struct chunk_store *cs, struct pack_ref ref, const void *raw, size_t n);

/* chunk_put.c ---- */

/* Appends to *@table, or when that is full to the next that it becomes, and pins it.  The index knows the chunk. */
int store_append(struct chunk_store *cs, struct table **table, struct pins *pins, const struct pack_entry *e,
		 const void *stored, bool alone, struct pack_ref *out);

/* chunk_commit.c ---- */

void pins_enlist(struct chunk_store *cs, struct pins *p);
void pins_fini(struct chunk_store *cs, struct pins *p);		/* off the list, too */
/* The collector must leave this pack alone until the places given away are in somebody's map.  Lock held. */
int pins_add(struct pins *p, uint64_t number);
int pins_begin_commit(struct chunk_store *cs, struct pins *p, struct kv_batch *b);
void pins_end_commit(struct chunk_store *cs, struct pins *p, bool written);

/* chunk_copy.c ---- */
bool copiers_have(const struct chunk_store *cs, uint64_t pack);		/* lock held */

/* chunk_damage.c ---- */

/* Stored bytes of @ref failed: no target any more, for ever. */
void store_damaged(struct chunk_store *cs, struct pack_ref ref, const struct digest *d);
/* @p, or if that is NULL the whole pack, has not got all the chunks that its row tells of.  No news if it was known, or
 * if it has no row: then it was removed, or never closed. */
void store_lost(struct chunk_store *cs, uint64_t number, struct pack *p);
/* The same of a pack that was not there when a map was asked that names it, @slots of it at least: whatever rows there
 * are, it is lost, because maps are rewritten before the collector removes a pack. */
void store_lost_named(struct chunk_store *cs, uint64_t number, uint32_t slots);
void store_returned(struct chunk_store *cs, uint64_t number);
/* To whoever asked, or asks later. */
void store_tell(struct chunk_store *cs, struct pack_ref ref, const struct digest *d);
/* The row of a pack.  0; LOOKUP_NONE; -EUCLEAN if it is malformed; < 0. */
int store_tally(struct kv *kv, uint64_t number, struct pack_tally *out);
bool store_is_sealed(struct chunk_store *cs, uint64_t pack);		/* it has a row that says so */
/* What is known of a chunk that its pack cannot tell of; if only its length is, the part of the digest is zeros.
 * 0, LOOKUP_NONE; < 0. */
int store_lost_chunk(struct chunk_store *cs, struct pack_ref ref, struct lost_chunk *out);

/* chunk_heal.c ---- */

/* Its digest, if there is another one.  0, LOOKUP_NONE; < 0. */
int store_lost_digest(struct chunk_store *cs, const struct lost_chunk *l, struct digest *d);
/* A place, not known to be damaged, of a chunk, be it one that may be shared or not.  0, LOOKUP_NONE; < 0. */
int store_whole(struct chunk_store *cs, const struct digest *d, struct pack_ref *out);
/* The raw bytes of such a one, checked.  @scratch: PACK_CHUNK_MAX.  0, LOOKUP_NONE; < 0. */
int store_heal(struct chunk_store *cs, const struct digest *d, uint32_t raw_len, void *raw, void *scratch);

/* chunk_recover.c ---- */
int store_recover(struct chunk_store *cs);

/* ---- the writer -------------------------------------------------------------------------------------------------- */

struct piece {
	uint32_t offset, len;		/* in the raw buffer */
	struct digest digest;
	bool seen;			/* the index has it; checked bytewise if the writer verifies */
	struct pack_ref ref;		/* where, if seen */
	bool alone;			/* to be stored without a row */
	bool packed;			/* bytes to store are ready */
	enum chunk_codec codec;
	uint32_t packed_at, packed_len;	/* in the packed buffer, unless CHUNK_PLAIN */
};

/* About a mebibyte of the stream on its way.  @raw keeps room in front for what the job before could not cut. */
struct put_job {
	struct job job;
	struct chunk_writer *w;
	struct put_job *next_idle;
	uint8_t *raw, *packed;
	size_t begin, fill;		/* of the bytes in @raw */
	size_t packed_fill;
	bool last;			/* cut to the end */
	struct piece *pieces;
	size_t count;
};

struct chunk_writer {
	struct chunk_store *cs;
	struct chunk_writer_config cfg;
	chunk_sink sink;
	void *ctx;
	struct lane *cutting, *putting;	/* each job goes through both */
	size_t ahead, raw_bytes;	/* where appended bytes begin in a job's buffer; its length */
	size_t pieces_cap;
	struct put_job *filling;	/* the appending thread's */
	uint64_t room;			/* bytes to take before the space is looked at again; the appending thread's */
	uint8_t *tail;			/* bytes behind the last cut; done() of @cutting */
	size_t tail_len;
	struct table *table;		/* our open pack; done() of @putting */

	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t idle_came;
	struct put_job *idle;
	unsigned jobs, jobs_max;
	int error;			/* the first; then nothing is done any more */

	struct pins pins;
};

#endif
