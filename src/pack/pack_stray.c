/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries that nobody can count: behind a header that is destroyed, in a pack without a whole table, they are whole by
 * their own sums, but which slots they are is not known.  What they hold can be stored again.  Linear in the file.
 */
#include <errno.h>

#include "pack/state.h"

static bool is_slot(struct pack *p, uint64_t offset)
{
	LOCK_SCOPE(&p->lock);

	for (uint32_t i = 0; i < p->count; i++)
		if (p->rows[i].offset == offset)
			return true;
	return false;
}

/* Is there one whose header stands at @at?  @room: PACK_CHUNK_MAX. */
static bool stray_at(struct pack *p, uint64_t at, struct pack_entry *out, uint8_t *room)
{
	struct pack_entry e;
	uint64_t sum;

	if (pack_entry_read(p, at, p->bytes, &e, &sum) || is_slot(p, at + PACK_ENTRY_BYTES) ||
	    pack_pread(p, room, e.stored_len, at + PACK_ENTRY_BYTES) || sum64(room, e.stored_len) != sum)
		return false;
	*out = e;
	out->offset = at + PACK_ENTRY_BYTES;
	return true;
}

/* The first place from @at on, before @end, where the first bytes of a header stand; @end: there is none. */
static uint64_t next_magic(struct pack *p, uint64_t at, uint64_t end)
{
	uint8_t b[4096], magic[4];
	const uint8_t *hit;

	put_le32(magic, PACK_ENTRY_MAGIC);
	while (at + sizeof(magic) <= end) {
		size_t n = end - at < sizeof(b) ? (size_t)(end - at) : sizeof(b);

		hit = pack_pread(p, b, n, at) ? NULL : memmem(b, n, magic, sizeof(magic));
		if (hit)
			return at + (uint64_t)(hit - b);
		at += n - (sizeof(magic) - 1);
	}
	return end;
}

int pack_stray(struct pack *p, uint64_t *from, struct pack_entry *out)
{
	CLEANUP(freep) uint8_t *room = malloc(PACK_CHUNK_MAX);
	uint64_t at = *from < PACK_HEADER_BYTES ? PACK_HEADER_BYTES : *from;
	uint64_t end = p->bytes < PACK_BYTES_MAX ? p->bytes : PACK_BYTES_MAX;

	if (!room)
		return err_origin(-ENOMEM);
	while ((at = next_magic(p, at, end)) < end) {
		if (stray_at(p, at, out, room)) {
			*from = out->offset + out->stored_len;
			return 0;
		}
		at++;
	}
	return PACK_E_NONE;
}
