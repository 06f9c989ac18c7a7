/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing a pack: create, append, sync, seal.
 *
 * What is safe when: an append is in the page cache, and its write-out begins every PUSH_BYTES so that a sync finds
 * little left to do.  pack_sync() makes entries and the name of the file safe.  pack_seal() syncs the entries first and
 * writes the table after that: a trailer found on disk is a promise that the entries before it are there too.
 *
 * A failed sync is final for the pack: the kernel reports it once and may have dropped the pages, so that a second
 * attempt would succeed without meaning it.
 */
#include <errno.h>

#include "pack/state.h"

/* Measured with 1 GiB in chunks of 40 KiB: 1.3 GB/s and 10 ms to seal; twice as much takes 14 ms and is slower. */
#define PUSH_BYTES (4u << 20)

int pack_number_check(uint64_t number)
{
	if (number > PACK_NUMBER_MAX)
		return err_explain(-EINVAL, "there is no pack number %llu", (unsigned long long)number);
	return 0;
}

int pack_create(struct packs *ps, uint64_t number, struct pack **out)
{
	struct pack_header h = { .number = number, .created_ns = clock_now_ns() };
	uint8_t head[PACK_HEADER_BYTES];
	struct pack_file *f;
	int r;

	r = pack_number_check(number);
	if (r)
		return r;
	pack_header_pack(&h, head);
	r = ps->ops->create(ps, number, head, sizeof(head), &f);
	if (r)
		return r;
	return pack_state_new(number, f, out);
}

static int broken(struct pack *p, int r)
{
	LOCK_SCOPE(&p->lock);

	if (!p->broken)
		p->broken = r;
	return r;
}

static int why_not_changed(struct pack *p)
{
	LOCK_SCOPE(&p->lock);

	if (p->broken)
		return p->broken;
	return p->sealed ? err_explain(-EROFS, "pack %012llx is sealed", (unsigned long long)p->number) : 0;
}

static uint64_t bytes_of_table(uint64_t rows)
{
	return rows * PACK_ROW_BYTES + PACK_TRAILER_BYTES;
}

bool pack_state_has_room(struct pack *p, const struct pack_entry *e)
{
	return p->end + PACK_ENTRY_BYTES + e->stored_len + bytes_of_table(p->count + 1ull) <= PACK_BYTES_MAX;
}

/* Back to the last whole entry.  If even that fails, what follows @end is garbage that a later, shorter entry would
 * not cover: no more appends. */
static int take_back(struct pack *p, int r)
{
	int r2 = p->file->ops->truncate(p->file, p->end);

	if (r2)
		broken(p, r2);
	return r;
}

/* Who syncs is told if it fails. */
static void push(struct pack *p)
{
	int r;

	if (p->end - p->pushed < PUSH_BYTES)
		return;
	r = p->file->ops->push(p->file, p->pushed, p->end - p->pushed);
	if (r)
		broken(p, r);
	p->pushed = p->end;
}

int pack_append(struct pack *p, const struct pack_entry *e, const void *stored, uint32_t *slot)
{
	uint8_t head[PACK_ENTRY_BYTES];
	int r;

	if (e->raw_len < 1 || e->raw_len > PACK_CHUNK_MAX || e->stored_len < 1 || e->stored_len > PACK_CHUNK_MAX)
		return err_explain(-EINVAL, "a chunk of %u bytes, %u stored, does not go into a pack", e->raw_len,
				   e->stored_len);
	r = why_not_changed(p);
	if (r)
		return r;
	if (!pack_state_has_room(p, e))
		return PACK_E_FULL;
	r = pack_state_reserve(p);
	if (r)
		return r;

	pack_entry_pack(e, sum64(stored, e->stored_len), head);
	r = p->file->ops->write(p->file, p->end, head, sizeof(head), stored, e->stored_len);
	if (r)
		return take_back(p, r);
	pack_state_add(p, e);
	push(p);
	*slot = p->count - 1;
	return 0;
}

/* One at a time: of two that sync at once the kernel tells one only, and the other must not take that for success. */
int pack_sync(struct pack *p)
{
	LOCK_SCOPE(&p->syncing);
	int r;

	pthread_mutex_lock(&p->lock);
	r = p->broken;
	pthread_mutex_unlock(&p->lock);
	if (r)
		return r;
	r = p->file->ops->sync(p->file);
	return r ? broken(p, r) : 0;
}

static int write_table(struct pack *p)
{
	struct pack_trailer t = { .count = p->count, .table_offset = p->end, .raw_bytes = p->raw_bytes,
				  .number = p->number };
	size_t n = (size_t)p->count * PACK_ROW_BYTES;
	uint8_t trailer[PACK_TRAILER_BYTES];
	CLEANUP(freep) uint8_t *table = malloc(n ? n : 1);

	if (!table)
		return err_origin(-ENOMEM);
	for (uint32_t i = 0; i < p->count; i++) {
		const struct pack_row *row = &p->rows[i];

		pack_row_pack(&(struct pack_entry){ .digest = row->digest, .raw_len = row->raw_len,
						    .stored_len = row->stored_len, .codec = (uint8_t)row->codec },
			      table + (size_t)i * PACK_ROW_BYTES);
	}
	t.table_sum = sum64(table, n);
	pack_trailer_pack(&t, trailer);
	return p->file->ops->write(p->file, p->end, table, n, trailer, sizeof(trailer));
}

int pack_seal(struct pack *p)
{
	int r;

	r = why_not_changed(p);
	if (r)
		return r == -EROFS ? 0 : r;
	r = pack_sync(p);
	if (r)
		return r;
	r = write_table(p);
	if (r)
		return take_back(p, r);
	r = pack_sync(p);
	if (r)
		return take_back(p, r);

	LOCK_SCOPE(&p->lock);
	p->sealed = true;
	p->bytes = p->end + bytes_of_table(p->count);
	return 0;
}
