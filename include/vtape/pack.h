/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pack: files of chunks.  A pack is appended to, closed by a table of contents, and never changed again.  Every entry
 * carries its own digest and lengths, so a pack says what is in it without any index (vtape-format(5), "Packs").
 *
 * Durability: what pack_append() took is safe after pack_sync() returns 0.  pack_seal() writes the table and syncs.
 * A pack that was never sealed is finished by pack_recover(): its whole entries up to the first torn one.
 *
 * Damage: what is said twice, in the table and in the entries, is believed from either if its sum is right, so a
 * damaged table, header, trailer or entry header costs nobody's data.  Neither is believed of a file that cannot prove
 * its number.  Blocks of 64 bytes (headers, trailer) in which one bit is wrong are read as if it were not.
 */
#ifndef VTAPE_PACK_H
#define VTAPE_PACK_H

#include <vtape/util.h>

#define PACK_BYTES_MAX (32u << 20)	/* a pack is sealed before an append would take it beyond this */
#define PACK_CHUNK_MAX (1u << 20)	/* longest chunk, raw or stored */
#define PACK_NUMBER_MAX ((1ull << 48) - 1)

struct pack_ref { uint64_t pack; uint32_t slot; };

/* One chunk in a pack. */
struct pack_entry {
	struct digest digest;
	uint32_t raw_len;	/* 1..PACK_CHUNK_MAX */
	uint32_t stored_len;	/* 1..PACK_CHUNK_MAX */
	uint8_t codec;		/* chunk/'s business: how stored bytes become raw ones */
	uint64_t offset;	/* of the stored bytes in the pack; set by pack/, ignored by pack_append() */
};

enum { PACK_E_FULL = 1, PACK_E_NONE };
#define PACK_NO_SLOT UINT32_MAX	/* pack_check(): the fault is in the header, the table or the trailer */

struct packs;		/* the folder of packs, or its twin in memory */
/* One pack: open for appending or sealed.  One thread appends; any thread reads.  Counted references. */
struct pack;

/* @dir exists.  Packs lie in subfolders of 4096: number 0xf3a2 is "dir/00000000f/00000000f3a2.pack". */
int packs_open(const char *dir, struct packs **out);
struct packs *packs_close(struct packs *ps);
/* Bytes that an ordinary writer may still use in the file system of the packs, and its size; no more than it has inodes
 * for. */
int packs_space(struct packs *ps, uint64_t *avail, uint64_t *total);

/* Every pack file from @from on, in order; other files are passed over.  What comes or goes meanwhile may be missed.
 * Memory: eight bytes for each subfolder and for each pack of one of them. */
struct pack_walk;
int pack_walk_new(struct packs *ps, uint64_t from, struct pack_walk **out);
struct pack_walk *pack_walk_free(struct pack_walk *w);
void pack_walk_freep(struct pack_walk **w);
/* PACK_E_NONE behind the last; < 0 if a subfolder cannot be read: the next call goes on behind it. */
int pack_walk_next(struct pack_walk *w, uint64_t *number);

/* Twin in memory.  Faults: append number @fail_append (1 is the next, 0 none; writing the table of contents counts as
 * one) fails with @error after storing a part; sync number @fail_sync likewise (pack_seal() syncs twice). */
int packs_mem_new(struct packs **out);
void packs_mem_plan_fault(struct packs *ps, uint64_t fail_append, int error);
void packs_mem_plan_sync_fault(struct packs *ps, uint64_t fail_sync, int error);
/* @avail shrinks with what is written; an append that does not fit stores a part and fails with -ENOSPC. */
void packs_mem_set_space(struct packs *ps, uint64_t avail, uint64_t total);
/* The twin after a power cut: unsynced bytes are gone (@seed 0), or a random part of them is left, sectors missing. */
int packs_mem_cut(struct packs *ps, uint64_t seed, struct packs **out);

/*
 * A layer that fails as planned, over any other packs (borrowed).  Operations of the kinds in @kinds are counted from
 * 1; number @step fails, and with @lasting all behind it.
 */
enum packs_step {
	PACKS_CREATE = 1, PACKS_OPEN = 2, PACKS_READ = 4, PACKS_WRITE = 8, PACKS_SYNC = 16, PACKS_TRUNCATE = 32,
	PACKS_UNLINK = 64, PACKS_LIST = 128
};
enum packs_failure {
	PACKS_REFUSED,		/* nothing was done */
	PACKS_PARTLY,		/* a write stored a part; a sync lost what was written since the last */
	PACKS_STALE,		/* a sync lost the same, but the cache has it still: only the disk shows it */
	PACKS_FLIPPED		/* a read gives one wrong bit and no error */
};
struct packs_fault { unsigned kinds; uint64_t step; bool lasting; enum packs_failure how; int error; };
int packs_faulty_new(struct packs *under, struct packs **out);
void packs_faulty_plan(struct packs *ps, const struct packs_fault *f);	/* NULL: none; the count begins anew */
bool packs_faulty_met(struct packs *ps);				/* since it was planned */

int pack_create(struct packs *ps, uint64_t number, struct pack **out);	/* -EEXIST if it is there */
/* Reads the table of contents; if that is damaged, what table and entries still prove (logged once, nothing is
 * written), also of a pack that was never sealed.  -ENOENT; -EUCLEAN if it is not a pack or another one; -EBADMSG if
 * nothing in it can be believed; -EPROTONOSUPPORT if another version of vtape wrote it. */
int pack_open(struct packs *ps, uint64_t number, struct pack **out);
/* The same by the disk alone: neither is the system's cache believed, nor does reading change what it holds (as far as
 * the file system can).  For one thread. */
int pack_open_direct(struct packs *ps, uint64_t number, struct pack **out);
struct pack *pack_hold(struct pack *p);		/* one more reference; returns @p */
struct pack *pack_release(struct pack *p);	/* one less; an unsealed pack stays on disk as it is.  Returns NULL */
void pack_releasep(struct pack **p);

uint64_t pack_number(const struct pack *p);
uint32_t pack_count(struct pack *p);
uint64_t pack_bytes(struct pack *p);		/* of the file so far */
bool pack_sealed(struct pack *p);
/* False: opened without a whole table.  Slots may be missing, in it (lost: pack_entry() says -EBADMSG) or behind the
 * last, and it may never have been synced. */
bool pack_whole(const struct pack *p);

/* Appends one chunk.  0, *slot its number from 0; PACK_E_FULL if it must go to another pack; -ENOSPC and other errors
 * leave the pack as it was. */
int pack_append(struct pack *p, const struct pack_entry *e, const void *stored, uint32_t *slot);
/* Everything appended before the call is on disk.  Any thread, also beside an append.  A failed sync is final: from
 * then on append, sync and seal fail with the same error. */
int pack_sync(struct pack *p);
/* Syncs, writes the table of contents, syncs; 0 if it was sealed.  Further appends fail with -EROFS.  By the thread
 * that appends.  If it fails, the pack is unsealed as before. */
int pack_seal(struct pack *p);

/* -EUCLEAN if there is no such slot, -EBADMSG if nobody can tell any more what was in it. */
int pack_entry(struct pack *p, uint32_t slot, struct pack_entry *out);
/* The slot with this digest, all 32 bytes; 0 or -ENOENT.  Linear; the caller has an index. */
int pack_find(struct pack *p, const struct digest *d, uint32_t *slot);
/* Of a pack without a whole table: the next entry from byte *@from of the file on that is whole by its own sums, and is
 * none of the slots that are known; *@from is behind it then.  PACK_E_NONE: there is none. */
int pack_stray(struct pack *p, uint64_t *from, struct pack_entry *out);
/* @n bytes from @offset of the file.  Stored bytes of neighbouring slots lie one behind the other with PACK_ENTRY_GAP
 * bytes of header between, so a run of slots is one read. */
#define PACK_ENTRY_GAP 64u
int pack_pread(struct pack *p, void *buf, size_t n, uint64_t offset);

/*
 * pack_recover() - finish a pack left unsealed by a crash, or write a damaged table or header anew
 * @promised:  whether anybody was told that this entry is safe; asked of those from the first damaged one on.  NULL:
 *             nobody knows
 * @bad:       told of each slot that stays although its stored bytes are damaged.  May be NULL
 * @least:     so many entries were safe once, whatever they are
 * @whole:     are these the stored bytes of this entry, by its digest?  Without its header nothing else can tell.  Asked
 *             where a whole table says what the header was: that is written anew then, and read by nobody as long as
 *             the table is whole, so a cut costs nothing.  May be NULL
 *
 * Entries up to the last that is promised stay, and whole ones up to the first that is not; behind them is what a crash
 * tore, it is cut.  If nobody knows, all up to the last whole one stay.  A pack without a chunk is removed: -ENOENT.
 * Headers in which one bit is wrong are written as they were, the pack's own in any case, and with @whole also those of
 * entries that are destroyed; otherwise a pack that was sealed and has its table is left as it is, and synced: 0.
 * Return: 0; -EBADMSG, nothing changed, if entries that were safe once or are whole would go; -EUCLEAN if it is not a
 * pack or another one; -EPROTONOSUPPORT.
 */
struct pack_recovery {
	bool (*promised)(void *ctx, uint32_t slot, const struct digest *d);
	void (*bad)(void *ctx, uint32_t slot, const struct digest *d);
	void *ctx;
	uint32_t least;
	bool (*whole)(void *ctx, uint32_t slot, const struct pack_entry *e, const void *stored);
};
int pack_recover(struct packs *ps, uint64_t number, const struct pack_recovery *how);
bool pack_exists(struct packs *ps, uint64_t number);
int pack_unlink(struct packs *ps, uint64_t number);		/* safe when it returns; 0 also if it was not there */
/* Check of one pack, trusting nothing: headers and table, and with @data the sums of stored bytes.  @bad is called for
 * each fault, also for one that was not sealed; 0 if it could be looked at, -ENOENT, ... */
int pack_check(struct packs *ps, uint64_t number, bool data, void (*bad)(void *ctx, uint32_t slot, const char *what),
	       void *ctx);

#endif
