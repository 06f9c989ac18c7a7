/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk: the deduplicating store.  A stream of bytes goes in at a writer and is cut where its content says so; a chunk
 * that is there already is shared, a new one is compressed and appended to the writer's own pack.  Out comes, chunk by
 * chunk and in order, the place where each lies.  A reader turns places back into the stream, looking ahead.
 *
 * Who remembers places is the caller (tape/ keeps them in the map of a volume).  Who decides that a pack is no longer
 * used is the caller too.  This room keeps KV_INDEX and KV_PACK.
 *
 * Commit order (design.md): 1. chunk_writer_begin_commit() syncs every pack that holds a chunk handed to the sink and
 * puts index rows into the caller's batch; 2. the caller adds its own rows and writes the batch synced; 3.
 * chunk_writer_end_commit().  After a cut between 1 and 2 there are packs with entries that nobody knows: the next
 * chunk_store_open() finishes unsealed packs (bounded by the number of writers at the time of the cut) and
 * indexes them.
 */
#ifndef VTAPE_CHUNK_H
#define VTAPE_CHUNK_H

#include <vtape/kv.h>
#include <vtape/pack.h>
#include <vtape/util.h>

/* Where to cut: part of the store's format, two profiles share nothing.
 * min = avg/2, max = 4 avg (chunk_params_of()). */
struct chunk_params { uint32_t min, avg, max; };
#define CHUNK_AVG_DEFAULT (32u << 10)
struct chunk_params chunk_params_of(uint32_t avg);		/* avg: a power of two, 8 KiB..256 KiB */

enum chunk_codec { CHUNK_PLAIN, CHUNK_LZ4, CHUNK_ZSTD };	/* numbers are part of the format */
int chunk_codec_parse(const char *name, enum chunk_codec *out);	/* "none", "lz4", "zstd"; -EINVAL */
const char *chunk_codec_name(enum chunk_codec c);

/* Cut points of a whole span; the definition that every faster way must agree with. Returns the length of the next
 * chunk, 0 if @n bytes hold no end of chunk yet and @last is false. */
struct chunker;
int chunker_new(const struct chunk_params *p, const uint8_t key[32], struct chunker **out);
struct chunker *chunker_free(struct chunker *c);
size_t chunker_next(const struct chunker *c, const uint8_t *p, size_t n, bool last);

struct chunk_store;
struct chunk_store_config {
	struct chunk_params params;
	uint8_t key[32];	/* the store's secret: digests and the chunker's table come from it */
	uint64_t reserve_bytes;	/* space that writers may not use: appends fail with -ENOSPC before it is touched */
};

/* @kv, @packs, @workers: borrowed, outlive the store.  Finishes the packs that a crash left open; one that
 * cannot be finished (-EIO) is told and tried again by the next open, and what is in it cannot be read until then. */
int chunk_store_open(struct kv *kv, struct packs *packs, struct workers *workers,
		     const struct chunk_store_config *cfg, struct chunk_store **out);
unsigned chunk_store_finished(const struct chunk_store *cs);	/* how many packs that were */
struct chunk_store *chunk_store_close(struct chunk_store *cs);	/* seals open packs; all writers and readers are gone */

/*
 * Damage.  A chunk whose stored bytes fail their check is never delivered and never shared again; a reader that comes
 * to it delivers another whole chunk with the same digest if the store has one: what a later backup brings again heals
 * every stream that shares it.  A pack whose file is gone, or cannot be opened, has all its chunks damaged; their
 * digests are known from the index and written down, so it heals in the same way.
 */
#define CHUNK_EVERY_SLOT UINT32_MAX	/* of a struct pack_ref: the whole pack */
/* Called when stored bytes failed their check, after the chunk stopped being a target for deduplication. */
void chunk_store_on_damage(struct chunk_store *cs,
			   void (*damaged)(void *ctx, struct pack_ref ref, const struct digest *d), void *ctx);

/* Everything known to be damaged, in order; a pack that is lost or unreadable once, with CHUNK_EVERY_SLOT.  @healed:
 * another whole chunk has its bytes (of all its slots). */
int chunk_store_each_bad(struct chunk_store *cs, int (*each)(void *ctx, struct pack_ref ref, bool healed), void *ctx);
/* Is this very chunk damaged and not healed?  Cheap for packs without damage. */
bool chunk_store_is_bad(struct chunk_store *cs, struct pack_ref ref);

enum { CHUNK_E_END = 1 };

struct chunk_totals {
	uint64_t packs, chunks;		/* in the store */
	uint64_t unique_bytes;		/* raw bytes of them */
	uint64_t stored_bytes;		/* bytes of packs on disk */
};
void chunk_store_totals(struct chunk_store *cs, struct chunk_totals *out);
/* The first closed pack with a number >= @from, and the size of its file; CHUNK_E_END.  For walks over the store. */
int chunk_store_next_pack(struct chunk_store *cs, uint64_t from, uint64_t *number, uint64_t *bytes);
/* The same many times over, for a walk that passes packs over: @it is over their rows as they are when it is made, and
 * @from only grows. */
int chunk_packs_iter(struct chunk_store *cs, struct kv_iter **out);
int chunk_packs_at(struct kv_iter *it, uint64_t from, uint64_t *number, uint64_t *bytes);
/* What a writer may still add before -ENOSPC: file system space less the reserve. */
int chunk_store_space(struct chunk_store *cs, uint64_t *avail, uint64_t *total);

/* ---- writing: one writer a stream, used by one thread at a time ------------------------------------------------- */

/* Where the next @len bytes of the stream lie. */
struct chunk_place {
	struct pack_ref ref;
	uint32_t len;		/* raw bytes */
	uint32_t stored;	/* bytes added to a pack for it; 0: it was there already */
};
/* Called in stream order, one at a time, from any thread; must not call the writer. < 0 fails the writer. */
typedef int (*chunk_sink)(void *ctx, const struct chunk_place *place);

struct chunk_writer;
struct chunk_writer_config {
	enum chunk_codec codec;
	int level;		/* 0: the codec's default (zstd 1) */
	bool verify;		/* compare bytes as well before sharing a chunk */
	bool use_reserve;	/* may use the reserve: for who gives more back */
};
int chunk_writer_new(struct chunk_store *cs, const struct chunk_writer_config *cfg, chunk_sink sink, void *ctx,
		     struct chunk_writer **out);
/* Waits for what is under way; anything not committed may be lost.  Its pack is kept for the next writer. */
struct chunk_writer *chunk_writer_free(struct chunk_writer *w);

/* Copies @n bytes into the bounded buffer (about 1 MiB a worker and 4 MiB, at most 16 MiB), waits if it is full.
 * Return: 0; -ENOSPC when the reserve would be touched: nothing was taken, and the same call succeeds once there is
 * space; the first error of anything under way (-EIO, also -ENOSPC from the disk itself), and then always. */
int chunk_writer_append(struct chunk_writer *w, const void *p, size_t n);
/* Cut here; when it returns, the sink has seen every byte appended. */
int chunk_writer_flush(struct chunk_writer *w);
/* Covers every place handed to the sink before the call.  May run beside append by another thread. */
int chunk_writer_begin_commit(struct chunk_writer *w, struct kv_batch *b);
/* Between the two: the caller's batch does not name every place that it covers; the next one will.  Until that is
 * written the packs of all of them stay, whatever the maps say. */
void chunk_writer_keep(struct chunk_writer *w);
void chunk_writer_end_commit(struct chunk_writer *w, bool written);

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* A run of neighbouring slots of one pack, @len raw bytes of the stream from the first byte of @slot. */
struct chunk_extent { uint64_t pack; uint32_t slot, slots; uint64_t len; };
/* The extent that holds byte @offset of the stream and the offset at which it starts; CHUNK_E_END behind the last.
 * @fresh: not from memory.  A pack that was named before is not there: the collector may have moved its chunks, then
 * the map on disk says where to, now. */
typedef int (*chunk_source)(void *ctx, uint64_t offset, bool fresh, struct chunk_extent *out, uint64_t *start);

struct chunk_reader;	/* one position, one thread at a time; looks ahead once reads follow each other */
int chunk_reader_new(struct chunk_store *cs, chunk_source source, void *ctx, struct chunk_reader **out);
struct chunk_reader *chunk_reader_free(struct chunk_reader *r);
/* Exactly @n bytes.  0; CHUNK_E_END if the stream ends before; -EBADMSG if stored bytes fail their digest (never
 * delivered), -EIO if they are lost, and there is no other chunk with that digest.  Before it fails it asks the source
 * afresh and tries once more. */
int chunk_reader_read(struct chunk_reader *r, uint64_t offset, void *buf, size_t n);
void chunk_reader_forget(struct chunk_reader *r);	/* the stream changed: drop what was read ahead */

/* ---- giving space back ------------------------------------------------------------------------------------------ */

enum { CHUNK_E_IN_USE = 1 };
/* Removes @pack, its index rows and its file, unless a writer has touched it since its last commit or @in_use says that
 * somebody's map names it (> 0; < 0 is an error).  While it is asked, no writer shares chunks of it.  0, also if it was
 * gone; CHUNK_E_IN_USE. */
int chunk_gc_pack(struct chunk_store *cs, uint64_t pack, int (*in_use)(void *ctx, uint64_t pack), void *ctx,
		  uint64_t *freed_bytes);
/* Seals the packs that wait for a next writer, so that chunk_store_next_pack() shows them.  One that cannot be closed
 * now (told in the log) waits on. */
int chunk_store_seal_idle(struct chunk_store *cs);

/* The bytes of @pack that the slots set in @live (bit slot % 8 of byte slot / 8; @n bytes, beyond them none is set)
 * take with their headers, and those of all its slots; lost ones count nothing.  -ENOENT, -EUCLEAN... if its table
 * cannot be read. */
int chunk_pack_live(struct chunk_store *cs, uint64_t pack, const uint8_t *live, size_t n, uint64_t *live_bytes,
		    uint64_t *all_bytes);

/* Raw bytes of @slots chunks of @pack from @slot on, by its table.  -EUCLEAN: it has no such chunks; -ENOENT, ...: its
 * table cannot be read. */
int chunk_pack_span(struct chunk_store *cs, uint64_t pack, uint32_t slot, uint32_t slots, uint64_t *raw_bytes);
/* The same for one chunk, and known of most chunks of a lost pack, too. */
int chunk_slot_len(struct chunk_store *cs, struct pack_ref ref, uint32_t *raw_bytes);
/* Raw bytes of each chunk of @pack, a uint32_t a slot, behind what @out has; 0: nobody knows.  -ENOENT, ...: its table
 * cannot be read. */
int chunk_pack_lens(struct chunk_store *cs, uint64_t pack, struct buf *out);
/* The same by the pack's row, if that tells: good enough to reckon with, and nothing is read from the disk of packs. */
int chunk_pack_row_lens(struct chunk_store *cs, uint64_t pack, struct buf *out);

/*
 * A copier moves chunks out of packs that hold little of use, into packs of its own, in the order in which it is asked.
 * From chunk_copier_new() on, writers do not share chunks of @packs any more; until chunk_copier_free().  Stored bytes
 * are copied as they are, checked against their digest first.  One thread at a time.
 *
 * Rows go as with a writer: chunk_copier_begin_commit() syncs what was copied and puts index rows (the new place of
 * each chunk) into the caller's batch; the caller adds the maps that name the new places; writes; _end_commit().  The
 * old packs are not touched: once no map names them, chunk_gc_pack() removes them.
 */
struct chunk_copier;
/* @packs: copied; in order, each once.  Places in them that writers gave to their sinks before, and that are in no map
 * yet, are none of the copier's business: chunk_gc_pack() leaves such a pack alone.  Takes 8 to 16 bytes a slot of
 * packs that chunks were moved out of: as much as the caller gives it at once. */
int chunk_copier_new(struct chunk_store *cs, const uint64_t *packs, size_t count, struct chunk_copier **out);
struct chunk_copier *chunk_copier_free(struct chunk_copier *c);
/* Where the chunk at @from is to be found from now on: a copy, made once however often it is asked; or, for one that is
 * damaged, another chunk with its digest.  *copied: stored bytes that were written, 0 if it had been before.
 * -ENOSPC: not even the reserve has room (a quarter of it is the database's); -EBADMSG, -EIO, -ENOENT, -EUCLEAN:
 * damaged, and there is no other.  -EINVAL: not of the copier's packs. */
int chunk_copier_move(struct chunk_copier *c, struct pack_ref from, struct pack_ref *to, uint32_t *copied);
int chunk_copier_begin_commit(struct chunk_copier *c, struct kv_batch *b);
void chunk_copier_end_commit(struct chunk_copier *c, bool written);

/* ---- looking after it -------------------------------------------------------------------------------------------- */

/* Reads a pack from the disk, past the caches, and checks every chunk in it against its digest; what fails is dealt
 * with as a reader would.  0 also if chunks failed, or all because the pack is gone; CHUNK_E_END if there is no such
 * pack any more.  Takes 3 MiB; the system's cache keeps nothing of what was read. */
struct chunk_scrubbed { uint64_t bytes; uint32_t chunks, damaged; };	/* damaged: and not healed */
int chunk_scrub_pack(struct chunk_store *cs, uint64_t pack, struct chunk_scrubbed *out);

/* Proves that packs, their rows, the index and the totals tell the same story.  @data: reads every chunk and every
 * header as well; what fails is dealt with as a reader would.  @found gets words about each fault and whether it was
 * mended;
 * @repair mends what loses nothing: rows of the index and of packs, totals, tables of contents, headers; never a chunk.
 * Chunks that are whole in the file of a pack, but that its table does not tell of any more, it stores again.
 * Runs beside writers and readers, not beside chunk_gc_pack().  Takes 30 MiB whatever the size of the store. */
struct chunk_checked {
	uint64_t packs, chunks, bytes, faults, repaired;
	/* Chunks that no row of the index leads to: they are not shared.  No fault: of a chunk that is in two packs
	 * the row leads to one, and goes when that is removed.  @repair gives them one. */
	uint64_t unindexed;
};
struct chunk_check_config {
	bool data, repair;
	void (*found)(void *ctx, const char *what, bool repaired);
	int (*progress)(void *ctx, uint64_t done_packs, uint64_t all_packs);	/* non-zero stops and is returned */
	void *ctx;
};
int chunk_store_check(struct chunk_store *cs, const struct chunk_check_config *cfg, struct chunk_checked *out);

/* Makes KV_INDEX anew, and KV_PACK as far as packs tell it, before the store is opened: from the packs alone.  What a
 * journal brought back of KV_PACK (damaged chunks, packs that are missing) is kept.  Packs that were not sealed are
 * finished.  Numbers of packs go on far beyond those known.  @unreadable: packs that are missing or of which nothing
 * can be read; @found is told, and of those that can be read in part.  Of @cfg nothing else but @progress counts.  If
 * it was stopped it must be done again before the store is opened. */
struct chunk_rebuilt { uint64_t packs, chunks, unreadable; };
int chunk_store_rebuild(struct kv *kv, struct packs *packs, const struct chunk_check_config *cfg,
			struct chunk_rebuilt *out);

#endif
