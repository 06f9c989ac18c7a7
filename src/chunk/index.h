/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index: where a chunk lies.  Tables of contents of packs are held in memory: those of packs that are written, and
 * those of packs that were hit lately, since the neighbours of a hit come next.  Behind them stands KV_INDEX.
 *
 * Everything here is called with the store's lock held unless it says otherwise.
 */
#ifndef CHUNK_INDEX_H
#define CHUNK_INDEX_H

#include "chunk/chunk_index_format.h"

#define INDEX_SLOTS_MAX (256u << 10)	/* of packs that are not being written; 56 bytes each */
#define INDEX_BUCKETS (256u << 10)
#define INDEX_TABLE_BUCKETS 1024u
#define SEGMENT_SLOTS 256u

struct slot {
	struct digest digest;
	uint32_t raw_len;
	uint32_t number;
	bool bad;		/* failed its check: no target any more */
	bool alone;		/* its index key is that of another place: no row */
	struct slot *next;	/* of the bucket */
	struct table *table;
};

struct segment {
	struct segment *next;
	struct slot slots[SEGMENT_SLOTS];
};

enum table_state {
	TABLE_OPEN,		/* a writer appends, or the pack waits for the next writer */
	TABLE_SEALING,		/* with the sealer */
	TABLE_FULL,		/* sealing failed and is tried again */
	TABLE_SEALED		/* safe and in KV_INDEX: may be dropped from memory */
};

/* While the store's lock is not held: indexed <= synced <= count, and a table that is not TABLE_SEALED has a pack. */
struct table {
	uint64_t number;
	struct pack *pack;		/* held unless TABLE_SEALED */
	enum table_state state;
	bool owned;			/* TABLE_OPEN: a writer has it */
	bool shunned;			/* no target: its sync failed, or it is condemned (store_is_condemned()) */
	uint32_t count, room;		/* slots; slots that the segments hold */
	uint32_t synced, indexed;	/* slots below are on disk; have rows in KV_INDEX */
	uint64_t raw_bytes;
	struct segment *first, *last;
	uint64_t used;			/* tick of the last hit */
	struct table *by_number;	/* next of the bucket */
	struct table *newer, *older;	/* list of all */
};

struct index {
	struct slot **buckets;
	struct table *tables[INDEX_TABLE_BUCKETS];
	struct table *newest;
	uint32_t cached;		/* slots of TABLE_SEALED tables */
	uint64_t tick;
	struct pack_ref *bad;		/* every damaged chunk and lost pack (CHUNK_EVERY_SLOT) known, in order */
	size_t bad_count, bad_cap;
};
int index_init(struct index *ix);
void index_fini(struct index *ix);

struct table *table_new(uint64_t number, enum table_state state);	/* NULL: no memory */
struct table *table_free(struct table *t);				/* not of the index any more */
int table_reserve(struct table *t);					/* room for one more slot; -ENOMEM */
/* Room was made; the index does not know @t yet. */
void table_add(struct table *t, const struct pack_entry *e, bool alone);
void table_add_lost(struct table *t);					/* a slot that nobody knows anything of */

void index_add_table(struct index *ix, struct table *t);		/* its slots too; drops the least used ones */
void index_remove_table(struct index *ix, struct table *t);
struct table *index_table(const struct index *ix, uint64_t number);
void index_append(struct index *ix, struct table *t, const struct pack_entry *e, bool alone);	/* room was made */
void index_sealed(struct index *ix, struct table *t);			/* the state of @t becomes TABLE_SEALED */

/* The newest place of a chunk that may be shared, or NULL. */
struct slot *index_find(struct index *ix, const struct digest *d);
/* Any place whose bytes are worth reading, also in a pack that may not be shared; @n bytes of the digest, 20 or more,
 * are known. */
struct slot *index_find_readable(struct index *ix, const uint8_t *digest, size_t n);
int index_mark_bad(struct index *ix, struct pack_ref ref, bool *news);
bool index_is_bad(const struct index *ix, struct pack_ref ref);
void index_unmark_bad(struct index *ix, struct pack_ref ref);		/* of a pack without a table in memory */
/* The one behind @after; NULL: the first. */
bool index_next_bad(const struct index *ix, const struct pack_ref *after, struct pack_ref *out);
void index_forget_bad(struct index *ix, uint64_t pack);

#endif
