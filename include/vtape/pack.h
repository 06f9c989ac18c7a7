/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pack: files of chunks.  A pack is appended to, closed by a table of contents, and never changed again.  Every entry
 * carries its own digest and lengths, so a pack says what is in it without any index (vtape-format(5), "Packs").
 *
 * Durability: what pack_append() took is safe after pack_sync() returns 0.  pack_seal() writes the table and syncs.
 * A pack that was never sealed is finished by pack_recover(): its whole entries up to the first torn one.
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
/* Bytes that an ordinary writer may still use in the file system of the packs, and its size. */
int packs_space(struct packs *ps, uint64_t *avail, uint64_t *total);

/* Twin in memory.  Faults: append number @fail_append (1 is the next, 0 none; writing the table of contents counts as
 * one) fails with @error after storing a part; sync number @fail_sync likewise (pack_seal() syncs twice). */
int packs_mem_new(struct packs **out);
void packs_mem_plan_fault(struct packs *ps, uint64_t fail_append, int error);
void packs_mem_plan_sync_fault(struct packs *ps, uint64_t fail_sync, int error);
/* @avail shrinks with what is written; an append that does not fit stores a part and fails with -ENOSPC. */
void packs_mem_set_space(struct packs *ps, uint64_t avail, uint64_t total);
/* The twin after a power cut: unsynced bytes are gone (@seed 0), or a random part of them is left, sectors missing. */
int packs_mem_cut(struct packs *ps, uint64_t seed, struct packs **out);

int pack_create(struct packs *ps, uint64_t number, struct pack **out);	/* -EEXIST if it is there */
/* Reads the table of contents.  -ENOENT; -EUCLEAN if it is not sealed or not a pack; -EBADMSG if the table is damaged;
 * -EPROTONOSUPPORT if another version of vtape wrote it. */
int pack_open(struct packs *ps, uint64_t number, struct pack **out);
struct pack *pack_hold(struct pack *p);		/* one more reference; returns @p */
struct pack *pack_release(struct pack *p);	/* one less; an unsealed pack stays on disk as it is.  Returns NULL */
void pack_releasep(struct pack **p);

uint64_t pack_number(const struct pack *p);
uint32_t pack_count(struct pack *p);
uint64_t pack_bytes(struct pack *p);		/* of the file so far */
bool pack_sealed(struct pack *p);

/* Appends one chunk.  0, *slot its number from 0; PACK_E_FULL if it must go to another pack; -ENOSPC and other errors
 * leave the pack as it was. */
int pack_append(struct pack *p, const struct pack_entry *e, const void *stored, uint32_t *slot);
/* Everything appended before the call is on disk.  Any thread, also beside an append.  A failed sync is final: from
 * then on append, sync and seal fail with the same error. */
int pack_sync(struct pack *p);
/* Syncs, writes the table of contents, syncs; 0 if it was sealed.  Further appends fail with -EROFS.  By the thread
 * that appends.  If it fails, the pack is unsealed as before. */
int pack_seal(struct pack *p);

int pack_entry(struct pack *p, uint32_t slot, struct pack_entry *out);	/* -EUCLEAN if there is no such slot */
/* The slot with this digest, all 32 bytes; 0 or -ENOENT.  Linear; the caller has an index. */
int pack_find(struct pack *p, const struct digest *d, uint32_t *slot);
/* @n bytes from @offset of the file.  Stored bytes of neighbouring slots lie one behind the other with PACK_ENTRY_GAP
 * bytes of header between, so a run of slots is one read. */
#define PACK_ENTRY_GAP 64u
int pack_pread(struct pack *p, void *buf, size_t n, uint64_t offset);

/* Finish a pack left unsealed by a crash: keeps the whole, valid entries, cuts the rest, seals.  An empty one is
 * removed: -ENOENT.  A sealed one is left alone: 0.  A damaged table or header is written anew if every chunk is whole;
 * if one of a once sealed pack is not, nothing is changed: -EBADMSG.  -EUCLEAN if it is not a pack or another one. */
int pack_recover(struct packs *ps, uint64_t number);
bool pack_exists(struct packs *ps, uint64_t number);
/* The first pack file with a number >= @from, in order; PACK_E_NONE.  Other files in the folders are passed over. */
int pack_next(struct packs *ps, uint64_t from, uint64_t *number);
int pack_unlink(struct packs *ps, uint64_t number);		/* safe when it returns; 0 also if it was not there */
/* Offline check of one pack, trusting nothing: headers, sums of stored bytes, table.  @bad is called for each fault,
 * also for one that was not sealed; 0 if it could be looked at, -ENOENT, ... */
int pack_check(struct packs *ps, uint64_t number, void (*bad)(void *ctx, uint32_t slot, const char *what), void *ctx);

#endif
