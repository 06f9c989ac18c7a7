/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pack in memory: opened from its table of contents, counted, looked at, read.  What pack_open() gives back fits
 * together: the rows fill the file from its header to its table without a gap, unless pack_salvage.c had to find them.
 * That stored bytes are the right ones is left to the reader, who has the digest.
 *
 * The header of a pack is not needed for a whole table: the trailer has the number and the version, so a header that
 * went bad costs nobody's data.  pack_check() reports it.
 */
#include <errno.h>

#include "pack/state.h"

#define NUMBER(p) ((unsigned long long)(p)->number)

int pack_state_new(uint64_t number, struct pack_file *f, struct pack **out)
{
	struct pack *p = calloc(1, sizeof(*p));

	if (!p) {
		f->ops->release(f);
		return err_origin(-ENOMEM);
	}
	p->file = f;
	p->number = number;
	p->end = p->bytes = PACK_HEADER_BYTES;
	atomic_init(&p->refs, 1);
	pthread_mutex_init(&p->syncing, NULL);
	pthread_mutex_init(&p->lock, NULL);
	*out = p;
	return 0;
}

void pack_state_empty(struct pack *p)
{
	LOCK_SCOPE(&p->lock);

	free(p->rows);
	p->rows = NULL;
	p->count = p->cap = 0;
	p->raw_bytes = 0;
	p->end = p->bytes = PACK_HEADER_BYTES;
}

int pack_state_reserve(struct pack *p)
{
	uint32_t cap = p->cap ? 2 * p->cap : 64;
	struct pack_row *rows;

	if (p->count < p->cap)
		return 0;
	LOCK_SCOPE(&p->lock);
	rows = realloc(p->rows, cap * sizeof(*rows));
	if (!rows)
		return err_origin(-ENOMEM);
	p->rows = rows;
	p->cap = cap;
	return 0;
}

void pack_state_add(struct pack *p, const struct pack_entry *e)
{
	LOCK_SCOPE(&p->lock);

	p->rows[p->count++] = (struct pack_row){ .digest = e->digest,
						 .offset = (uint32_t)(p->end + PACK_ENTRY_BYTES),
						 .stored_len = e->stored_len,
						 .raw_len = e->raw_len & 0xffffff,
						 .codec = e->codec };
	p->end += PACK_ENTRY_BYTES + e->stored_len;
	p->bytes = p->end;
	p->raw_bytes += e->raw_len;
}

int pack_trailer_read(struct pack *p, uint64_t size, struct pack_trailer *out)
{
	uint8_t bytes[PACK_TRAILER_BYTES];
	struct pack_trailer t;
	int r;

	if (size < PACK_HEADER_BYTES + PACK_TRAILER_BYTES || size > PACK_BYTES_MAX)
		return err_explain(-EUCLEAN, "pack %012llx has %llu bytes: not a sealed pack", NUMBER(p),
				   (unsigned long long)size);
	r = p->file->ops->pread(p->file, bytes, sizeof(bytes), size - sizeof(bytes));
	if (r)
		return r;
	r = pack_trailer_unpack(bytes, &t);
	if (r)
		return err_explain(r, r == -EUCLEAN	     ? "pack %012llx is not sealed" :
				      r == -EPROTONOSUPPORT ? "pack %012llx was written by another version" :
							       "pack %012llx: trailer damaged", NUMBER(p));
	if (t.number != p->number)
		return err_explain(-EUCLEAN, "pack %012llx calls itself %012llx", NUMBER(p),
				   (unsigned long long)t.number);
	if (t.table_offset < PACK_HEADER_BYTES || t.table_offset > size ||
	    t.table_offset + (uint64_t)t.count * PACK_ROW_BYTES + PACK_TRAILER_BYTES != size)
		return err_explain(-EBADMSG, "pack %012llx: trailer and length disagree", NUMBER(p));
	*out = t;
	return 0;
}

static int load_rows(struct pack *p, const struct pack_trailer *t, const uint8_t *table)
{
	struct pack_entry e;
	int r;

	p->rows = malloc((t->count ? t->count : 1) * sizeof(*p->rows));
	if (!p->rows)
		return err_origin(-ENOMEM);
	p->cap = t->count;
	for (uint32_t i = 0; i < t->count; i++) {
		r = pack_row_unpack(table + (size_t)i * PACK_ROW_BYTES, &e);
		if (r)
			return err_explain(-EBADMSG, "pack %012llx: row %u of the table cannot be right", NUMBER(p), i);
		pack_state_add(p, &e);
	}
	if (p->end != t->table_offset || p->raw_bytes != t->raw_bytes)
		return err_explain(-EBADMSG, "pack %012llx: table and trailer disagree", NUMBER(p));
	return 0;
}

int pack_state_load(struct pack *p)
{
	CLEANUP(freep) uint8_t *table = NULL;
	struct pack_trailer t;
	uint64_t size;
	size_t n;
	int r;

	r = p->file->ops->size(p->file, &size);
	if (r)
		return r;
	r = pack_trailer_read(p, size, &t);
	if (r)
		return r;

	/* Bounded by PACK_BYTES_MAX, because it lies in the file. */
	n = (size_t)t.count * PACK_ROW_BYTES;
	table = malloc(n ? n : 1);
	if (!table)
		return err_origin(-ENOMEM);
	r = p->file->ops->pread(p->file, table, n, t.table_offset);
	if (r)
		return r;
	if (sum64(table, n) != t.table_sum)
		return err_explain(-EBADMSG, "pack %012llx: table of contents damaged", NUMBER(p));
	r = load_rows(p, &t, table);
	if (r)
		return r;
	p->sealed = true;
	p->bytes = size;
	return 0;
}

int pack_open_bare(struct packs *ps, uint64_t number, enum pack_file_mode mode, struct pack **out, uint64_t *size)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	struct pack_file *f;
	int r;

	r = pack_number_check(number);
	if (r)
		return r;
	r = ps->ops->open(ps, number, mode, &f);
	if (r)
		return r;
	r = pack_state_new(number, f, &p);
	if (r)
		return r;
	r = p->file->ops->size(p->file, size);
	if (r)
		return r;
	*out = STEAL(p);
	return 0;
}

static int open_as(struct packs *ps, uint64_t number, enum pack_file_mode mode, struct pack **out)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	uint64_t size;
	int r;

	r = pack_open_bare(ps, number, mode, &p, &size);
	if (r)
		return r;
	r = pack_state_load(p);
	if (r == -EUCLEAN || r == -EBADMSG || r == -EIO)
		r = pack_salvage(ps, p);
	if (r)
		return r;
	*out = STEAL(p);
	return 0;
}

int pack_open(struct packs *ps, uint64_t number, struct pack **out)
{
	return open_as(ps, number, PACK_FILE_READ, out);
}

int pack_open_direct(struct packs *ps, uint64_t number, struct pack **out)
{
	return open_as(ps, number, PACK_FILE_DIRECT, out);
}

struct pack *pack_hold(struct pack *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

struct pack *pack_release(struct pack *p)
{
	if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) > 1)
		return NULL;
	p->file->ops->release(p->file);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->syncing);
	free(p->rows);
	free(p);
	return NULL;
}

void pack_releasep(struct pack **p)
{
	*p = pack_release(*p);
}

uint64_t pack_number(const struct pack *p)
{
	return p->number;
}

uint32_t pack_count(struct pack *p)
{
	LOCK_SCOPE(&p->lock);
	return p->count;
}

uint64_t pack_bytes(struct pack *p)
{
	LOCK_SCOPE(&p->lock);
	return p->bytes;
}

bool pack_sealed(struct pack *p)
{
	LOCK_SCOPE(&p->lock);
	return p->sealed;
}

bool pack_whole(const struct pack *p)
{
	return !p->salvaged;
}

int pack_entry(struct pack *p, uint32_t slot, struct pack_entry *out)
{
	LOCK_SCOPE(&p->lock);

	if (slot >= p->count)
		return err_explain(-EUCLEAN, "pack %012llx has no slot %u, it has %u", NUMBER(p), slot, p->count);
	if (!p->rows[slot].offset)
		return err_explain(-EBADMSG, "what slot %u of pack %012llx was is lost", slot, NUMBER(p));
	*out = (struct pack_entry){ .digest = p->rows[slot].digest,
				    .raw_len = p->rows[slot].raw_len,
				    .stored_len = p->rows[slot].stored_len,
				    .codec = (uint8_t)p->rows[slot].codec,
				    .offset = p->rows[slot].offset };
	return 0;
}

int pack_find(struct pack *p, const struct digest *d, uint32_t *slot)
{
	LOCK_SCOPE(&p->lock);

	for (uint32_t i = 0; i < p->count; i++) {
		if (!p->rows[i].offset || !digest_equal(&p->rows[i].digest, d))
			continue;
		*slot = i;
		return 0;
	}
	return -ENOENT;
}

/* No lock: what pack_entry() told of is in the file and stays as it is. */
int pack_pread(struct pack *p, void *buf, size_t n, uint64_t offset)
{
	return p->file->ops->pread(p->file, buf, n, offset);
}

/* ---- the folder of packs, whatever it lies in ------------------------------------------------------------- */

struct packs *packs_close(struct packs *ps)
{
	return ps ? ps->ops->close(ps) : NULL;
}

int packs_space(struct packs *ps, uint64_t *avail, uint64_t *total)
{
	return ps->ops->space(ps, avail, total);
}

bool pack_exists(struct packs *ps, uint64_t number)
{
	return number <= PACK_NUMBER_MAX && ps->ops->exists(ps, number);
}

int pack_unlink(struct packs *ps, uint64_t number)
{
	int r = pack_number_check(number);

	return r ? r : ps->ops->unlink(ps, number);
}
