/* SPDX-License-Identifier: BSD-2-Clause */
/* pack/state.h: a pack in memory, for the files of this room. */
#ifndef PACK_STATE_H
#define PACK_STATE_H

#include <stdatomic.h>

#include "pack/backing.h"
#include "pack/format.h"

/* 44 bytes a slot: a pack of 32 MiB with 32 KiB chunks keeps 44 KiB. */
struct pack_row {
	struct digest digest;
	uint32_t offset; /* of the stored bytes; a pack is no longer than PACK_BYTES_MAX.  0: what was here is lost */
	uint32_t stored_len;
	uint32_t raw_len : 24;
	uint32_t codec : 8;
};
static_assert(sizeof(struct pack_row) == 44, "the memory that a held pack is promised to take");

/*
 * While @lock is not held:
 * 1. Rows 0..@count-1 describe whole entries of the file, one behind the other; the last ends at @end.  If @salvaged,
 *    some may be lost, and what they describe need not be safe.
 * 2. @sealed: table and trailer follow @end, the file has @bytes, all of it is safe, nothing changes any more.
 * 3. Not @sealed: @bytes == @end, unless @broken.
 * Only the one appending thread changes anything but @refs and @broken, so it may read without the lock.  @lock is
 * not held during a transfer.
 */
struct pack {
	struct pack_file *file;
	uint64_t number;
	atomic_uint refs;
	bool salvaged; /* opened without a whole table; from then on as a sealed one */

	pthread_mutex_t syncing; /* held during a sync, before @lock: the kernel tells a failure to one caller only */
	pthread_mutex_t lock; /* guards what follows; no other lock is taken under it */
	struct pack_row *rows;
	uint32_t count, cap;
	uint64_t raw_bytes;
	uint64_t end;
	uint64_t bytes;
	bool sealed;
	int broken; /* a sync failed, or a torn append could not be taken back: every later change fails with this */

	uint64_t pushed; /* write-out was begun up to here; the appending thread's */
};

/* Takes @f also on failure.  No rows, @end behind the header. */
int pack_state_new(uint64_t number, struct pack_file *f, struct pack **out);
/* Would the pack, its table included, still be no longer than PACK_BYTES_MAX? */
bool pack_state_has_room(struct pack *p, const struct pack_entry *e);
/* Makes room for one more row; -ENOMEM. */
int pack_state_reserve(struct pack *p);
/* Adds the entry whose header stands at @end.  Room was made. */
void pack_state_add(struct pack *p, const struct pack_entry *e);
/* Reads the trailer and the table into @p, which has no rows.  -EUCLEAN if it is not sealed or not this pack, -EBADMSG
 * if trailer or table is damaged, -EPROTONOSUPPORT. */
int pack_state_load(struct pack *p);
/* Forgets all rows: as pack_state_new() left it. */
void pack_state_empty(struct pack *p);
/* The file as it is, no rows, nothing believed. */
int pack_open_bare(struct packs *ps, uint64_t number, enum pack_file_mode mode, struct pack **out, uint64_t *size);

/* ---- pack_salvage.c: without a whole table ---------------------------------------------------------------- */

/* After pack_state_load() failed: what can be proven all the same.  Errors as pack_open(). */
int pack_salvage(struct packs *ps, struct pack *p);

enum { BLOCK_E_DAMAGED = 1 };
/* The entry whose header stands at @offset.  BLOCK_E_DAMAGED also if it has none or does not end at @limit at the
 * latest. */
int pack_entry_read(struct pack *p, uint64_t offset, uint64_t limit, struct pack_entry *out, uint64_t *stored_sum);

/* What a file says of itself. */
struct pack_look {
	struct pack *p;
	uint64_t size;
	bool known;	    /* header or trailer say that it is this pack */
	bool sealed;	    /* it was, once: its trailer is whole, or its table lies where it must */
	uint32_t count;	    /* slots that it was sealed with; PACK_NO_SLOT: not known */
	uint64_t limit;	    /* where entries end, at the latest; with @count, where the table begins */
	uint8_t *rows;	    /* the table, whole or not; NULL: none was found */
	uint64_t table_sum; /* as the trailer has it, whole or not */
	int unread;	    /* the first error of a read; what could not be read counts as damaged */
};
/* -EUCLEAN if it is another pack, -EPROTONOSUPPORT.  pack_look_fini() in any case. */
int pack_look_init(struct pack_look *l, struct pack *p, uint64_t size);
void pack_look_fini(struct pack_look *l);

/* The trailer of a file of @size bytes; -EUCLEAN if there is none, -EBADMSG if it is damaged or cannot be right. */
int pack_trailer_read(struct pack *p, uint64_t size, struct pack_trailer *out);

/* -EINVAL beyond PACK_NUMBER_MAX. */
int pack_number_check(uint64_t number);

#endif
