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
	uint32_t offset; /* of the stored bytes; a pack is no longer than PACK_BYTES_MAX */
	uint32_t stored_len;
	uint32_t raw_len : 24;
	uint32_t codec : 8;
};
static_assert(sizeof(struct pack_row) == 44, "the memory that a held pack is promised to take");

/*
 * While @lock is not held:
 * 1. Rows 0..@count-1 describe whole entries of the file, one behind the other; the last ends at @end.
 * 2. @sealed: table and trailer follow @end, the file has @bytes, all of it is safe, nothing changes any more.
 * 3. Not @sealed: @bytes == @end, unless @broken.
 * Only the one appending thread changes anything but @refs and @broken, so it may read without the lock.  No lock is
 * held during a transfer.
 */
struct pack {
	struct pack_file *file;
	uint64_t number;
	atomic_uint refs;

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
/* Reads the trailer and the table into @p, which has no rows.  Errors as pack_open(). */
int pack_state_load(struct pack *p);
/* The trailer of a file of @size bytes; -EUCLEAN if there is none, -EBADMSG if it is damaged or cannot be right. */
int pack_trailer_read(struct pack *p, uint64_t size, struct pack_trailer *out);

/* -EINVAL beyond PACK_NUMBER_MAX. */
int pack_number_check(uint64_t number);

#endif
