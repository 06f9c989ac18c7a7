/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of KV_MAP: what a volume is made of, and its bytes.  The table of keys is at the head of volume_format.c. */
#ifndef TAPE_VOLUME_FORMAT_H
#define TAPE_VOLUME_FORMAT_H

#include <vtape/tape.h>

/* ---- heads: what there is --------------------------------------------------------------------------------------- */

/* From @from on, up to the next stretch or the end of data, the partition is written in @map. */
struct stretch {
	uint64_t map;
	uint64_t number;	/* of this stretch: never the same again once something in it was written over */
	struct tape_tally from;
};

struct head_partition {
	struct tape_tally end;
	struct stretch *stretch;	/* in the order of the tape; none: blank */
	uint32_t stretches, room;
};

struct head {
	uint64_t generation;
	uint64_t begun_ns, written_ns, ended_ns;
	uint64_t unique_bytes, stored_bytes;
	uint32_t partitions;
	struct head_partition part[TAPE_PARTITIONS_MAX];
	uint64_t size[TAPE_PARTITIONS_MAX];	/* bytes of records that it may have; 0: a part of what is left */
};

void head_fini(struct head *h);			/* frees; @h is all zero and usable again */
int head_copy(const struct head *from, struct head *out);
int head_pack(const struct head *h, struct buf *out);
int head_unpack(const void *p, size_t n, uint64_t generation, struct head *out);
void head_stat(const struct head *h, struct volume_stat *out);
int head_partition_reserve(struct head_partition *p);	/* the next push cannot fail */
int head_partition_push(struct head_partition *p, const struct stretch *s);
/* From the end of data on it is another stretch, in a map that nobody else has. */
int head_partition_new_map(struct head_partition *p);
uint64_t head_new_number(void);			/* of a map or a stretch: never the same twice */

/* ---- pages: runs of equal things -------------------------------------------------------------------------------- */

enum page_kind { PAGE_OBJECTS = 'O', PAGE_CHUNKS = 'C' };

struct object_run {
	struct tape_tally at;	/* what lies before its first object */
	uint64_t count;
	uint32_t len;		/* of each record; 0: filemarks */
};

struct chunk_run {
	uint64_t at;		/* offset in the stream of its first byte */
	uint64_t bytes;
	uint64_t pack;
	uint32_t slot, slots;
};

/* Measures a place on the tape as the keys of pages do: by object, or by offset in the stream. */
static inline uint64_t tally_measure(const struct tape_tally *t, enum page_kind kind)
{
	return kind == PAGE_OBJECTS ? t->objects : t->bytes;
}

/* A page's row has 4 KiB or so, decoded at most 24. */
#define PAGE_RUNS_MAX 512u
#define PAGE_WEIGHT_MAX 4000u

/*
 * A page in memory.
 * 1. Its runs lie one behind the other, from @from to @end, without a gap.  Of a chunk page's tallies only .bytes
 *    counts.
 * 2. It is found under (kind, map, measure of @from), which never changes.
 */
struct page {
	enum page_kind kind;
	uint64_t map;
	struct tape_tally from, end;
	uint32_t runs, room;
	uint32_t weight;	/* about how many bytes its runs take when packed */
	bool dirty;		/* differs from its row */
	bool stored;		/* may have a row: one was written, or a write of one failed */
	bool lost;		/* stands for rows that are damaged or gone (volume_hole.c): it has no runs */
	uint64_t stamp;		/* when it was last used */
	struct page *gone;	/* the next one on a tail's list of such */
	union {
		void *run;
		struct object_run *object;
		struct chunk_run *chunk;
	};
};

struct page *page_new(enum page_kind kind, uint64_t map, const struct tape_tally *from);
struct page *page_free(struct page *p);		/* NULL is fine; returns NULL */
void page_freep(struct page **p);
/* Extends the last run if it can (@join for chunks: if the place is the neighbour of the last one), or adds one. */
int page_add_object(struct page *p, uint32_t len, uint64_t count);
int page_add_chunk(struct page *p, const struct chunk_run *r, bool join);
bool page_full(const struct page *p);
/* Everything at and behind the measure of @at goes. */
void page_clip(struct page *p, const struct tape_tally *at);
/* The run that holds @measure, which is inside the page. */
uint32_t page_seek(const struct page *p, uint64_t measure);
/* What lies before object number @k of the run. */
struct tape_tally object_run_tally(const struct object_run *r, uint64_t k);

int page_pack(const struct page *p, struct buf *out);
int page_unpack(const void *p, size_t n, enum page_kind kind, uint64_t map, uint64_t first, struct page **out);

/* ---- keys ------------------------------------------------------------------------------------------------------- */

struct map_key { uint8_t b[17]; size_t len; };
struct map_key key_all_heads(void);					/* prefix */
struct map_key key_heads(uint64_t volume);				/* prefix */
struct map_key key_head(uint64_t volume, uint64_t generation);
struct map_key key_pages(enum page_kind kind, uint64_t map);		/* prefix */
struct map_key key_page(enum page_kind kind, uint64_t map, uint64_t first);
struct map_key key_uses(uint64_t pack);					/* prefix */
struct map_key key_use(uint64_t pack, uint64_t map);
struct map_key key_all_looks(void);					/* prefix */
struct map_key key_look(uint64_t pack);
struct map_key key_all_moves(void);					/* prefix */
struct map_key key_move(uint64_t pack);
struct map_key key_drops(void);						/* prefix */
struct map_key key_drop(uint64_t map, uint64_t object);
/* The number in the last eight bytes of a key. */
int key_tail_number(const uint8_t *key, size_t len, uint64_t *out);

/* ---- small rows ------------------------------------------------------------------------------------------------- */

/* The part of a map that nobody needs any more: objects from @object on, bytes of the stream from @from on.  Use rows
 * speak of those before @to. */
struct drop { uint64_t object, from, to; };
int drop_pack(const struct drop *d, struct buf *out);		/* all but .object, which is in the key */
int drop_unpack(const uint8_t *key, size_t klen, const uint8_t *p, size_t n, uint64_t *map, struct drop *out);
int use_pack(uint64_t bytes, struct buf *out);
int use_unpack(const void *p, size_t n, uint64_t *bytes);
/* What the collector found when it looked at a pack: bytes of its chunks in use, and of all; its use rows in sum. */
struct look { uint64_t live, all, used; };
int look_pack(const struct look *l, struct buf *out);
int look_unpack(const void *p, size_t n, struct look *out);

#endif
