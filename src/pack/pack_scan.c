/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a pack entry by entry, without its table: pack_recover() finishes what a crash left, pack_check() looks for
 * damage.
 *
 * Recovery only ever cuts off what was never promised.  What a crash tears is behind the last sync; so entries at the
 * end that are torn go, unless somebody was told that they are safe: then it is damage, and the entry stays, known to
 * be bad.  A trailer, or a table where one must be, says that everything before it was safe; if the entries do not
 * lead up to it, nothing is changed.
 *
 * What counts is what the disk has.  Pages that could not be written stay in the system's cache as if they were, and
 * outlive the process that was told; so recovery syncs, and then reads past the cache.
 */
#include <errno.h>

#include "pack/state.h"

#define NUMBER(p) ((unsigned long long)(p)->number)

/* ---- recovery --------------------------------------------------------------------------------------------- */

struct recovery {
	struct pack *p; /* a row for each entry that the headers lead to; its file is read from the disk */
	struct pack_file *to; /* the same, to write to */
	const struct pack_recovery *how;
	struct pack_look look;
	uint64_t size;
	int header;   /* HEADER_E_*, or 0 */
	uint8_t *buf; /* PACK_CHUNK_MAX */
	bool *torn;   /* a flag a row: its stored bytes are not the right ones */
	uint32_t torn_cap;
	bool hurt;    /* one of the headers is not as it was: they are gone over again */
};

static int note_torn(struct recovery *c, uint32_t slot, bool torn)
{
	if (slot >= c->torn_cap) {
		uint32_t cap = c->torn_cap ? 2 * c->torn_cap : 64;
		bool *more = realloc(c->torn, cap * sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		c->torn = more;
		c->torn_cap = cap;
	}
	c->torn[slot] = torn;
	return 0;
}

/* Are the stored bytes of the entry at @offset the right ones? */
static int check_bytes(struct recovery *c, uint64_t offset, const struct pack_entry *e, uint64_t sum, bool *fit)
{
	int r = c->p->file->ops->pread(c->p->file, c->buf, e->stored_len, offset + PACK_ENTRY_BYTES);

	*fit = !r && sum64(c->buf, e->stored_len) == sum;
	return r;
}

/* Is the block at @offset as it was written?  It was read a moment ago. */
static int look_at_block(struct recovery *c, uint64_t offset)
{
	uint8_t b[PACK_ENTRY_BYTES];
	int r = c->p->file->ops->pread(c->p->file, b, sizeof(b), offset);

	c->hurt |= !r && get_le64(b + PACK_SUMMED_BYTES) != sum64(b, PACK_SUMMED_BYTES);
	return r;
}

/* A row for each entry with a whole header, up to the first without. */
static int scan(struct recovery *c)
{
	struct pack *p = c->p;
	struct pack_entry e;
	uint64_t sum;
	bool fit;
	int r;

	for (;;) {
		r = pack_entry_read(p, p->end, c->look.limit, &e, &sum);
		if (r || !pack_state_has_room(p, &e))
			return r == BLOCK_E_DAMAGED ? 0 : r;
		r = look_at_block(c, p->end);
		if (!r)
			r = check_bytes(c, p->end, &e, sum, &fit);
		if (!r)
			r = note_torn(c, p->count, !fit);
		if (!r)
			r = pack_state_reserve(p);
		if (r)
			return r;
		pack_state_add(p, &e);
	}
}

enum { HEADER_E_ABSENT = 1, HEADER_E_DAMAGED };

/* HEADER_E_ABSENT: the file was never synced.  -EUCLEAN: it is another pack, under a wrong name. */
static int check_header(struct pack *p, uint64_t size)
{
	static const uint8_t zero[PACK_HEADER_BYTES];
	uint8_t head[PACK_HEADER_BYTES];
	struct pack_header h;
	int r;

	if (size < sizeof(head))
		return HEADER_E_ABSENT;
	r = p->file->ops->pread(p->file, head, sizeof(head), 0);
	if (r)
		return r;
	r = pack_header_unpack(head, &h);
	if (r == -EPROTONOSUPPORT)
		return err_explain(r, "pack %012llx was written by another version", NUMBER(p));
	if (r)
		return memcmp(head, zero, sizeof(head)) == 0 ? HEADER_E_ABSENT : HEADER_E_DAMAGED;
	if (h.number != p->number)
		return err_explain(-EUCLEAN, "pack %012llx calls itself %012llx", NUMBER(p),
				   (unsigned long long)h.number);
	return 0;
}

/* @slot PACK_NO_SLOT: whichever it has.  Where nobody knows, what is whole is promised. */
static bool is_promised(struct recovery *c, uint32_t slot, const struct digest *d)
{
	if (slot < c->how->least)
		return true;
	if (c->how->promised)
		return c->how->promised(c->how->ctx, slot, d);
	return slot == PACK_NO_SLOT || !c->torn[slot];
}

/* How many of the entries found are to stay. */
static uint32_t count_kept(struct recovery *c)
{
	uint32_t kept = 0;

	while (kept < c->p->count && !c->torn[kept])
		kept++;
	for (uint32_t slot = kept; slot < c->p->count; slot++)
		if (is_promised(c, slot, &c->p->rows[slot].digest))
			kept = slot + 1;
	return kept;
}

/* Does a whole entry begin at @offset that must not be cut? */
static bool is_owed(struct recovery *c, uint64_t offset)
{
	struct pack_entry e;
	uint64_t sum;
	bool fit;

	return pack_entry_read(c->p, offset, c->look.limit, &e, &sum) == 0 &&
	       check_bytes(c, offset, &e, sum, &fit) == 0 && fit && is_promised(c, PACK_NO_SLOT, &e.digest);
}

/* Among the @n bytes at @b, which stand at @at of the file, does an entry begin that must not be cut? */
static bool owes(struct recovery *c, const uint8_t *b, size_t n, uint64_t at)
{
	const uint8_t *hit = b;
	uint8_t magic[4];

	put_le32(magic, PACK_ENTRY_MAGIC);
	while ((hit = memmem(hit, n - (size_t)(hit - b), magic, sizeof(magic)))) {
		if (is_owed(c, at + (uint64_t)(hit - b)))
			return true;
		hit++;
	}
	return false;
}

/* Behind the last header that was found: is there an entry that must not be cut, and cannot be counted either? */
static int check_rest(struct recovery *c)
{
	CLEANUP(freep) uint8_t *b = malloc(PACK_CHUNK_MAX);
	uint64_t at = c->p->end;

	if (!b)
		return err_origin(-ENOMEM);
	while (at + PACK_ENTRY_BYTES < c->look.limit) {
		size_t n = c->look.limit - at < PACK_CHUNK_MAX ? (size_t)(c->look.limit - at) : PACK_CHUNK_MAX;
		int r = c->p->file->ops->pread(c->p->file, b, n, at);

		if (r)
			return r;
		if (owes(c, b, n, at))
			return err_explain(-EBADMSG, "pack %012llx: damaged at chunk %u, and others follow",
					   NUMBER(c->p), c->p->count);
		at += n - PACK_ENTRY_BYTES;
	}
	return 0;
}

static void keep_rows(struct pack *p, uint32_t n)
{
	p->raw_bytes = 0;
	for (uint32_t i = 0; i < n; i++)
		p->raw_bytes += p->rows[i].raw_len;
	p->end = p->bytes = n ? (uint64_t)p->rows[n - 1].offset + p->rows[n - 1].stored_len : PACK_HEADER_BYTES;
	p->count = n;
}

/* A trailer was written after a sync of the entries, so they must lead up to it. */
static int check_promise(struct recovery *c)
{
	struct pack *p = c->p;

	if (p->count == c->look.count && p->end == c->look.limit)
		return 0;
	return err_explain(-EBADMSG, "pack %012llx was sealed once; only %u chunks of it come before the first damage",
			   NUMBER(p), p->count);
}

/* Leaves the rows that are to stay. */
static int choose(struct recovery *c)
{
	uint32_t kept;
	int r;

	if (c->look.sealed)
		return check_promise(c);
	kept = count_kept(c);
	if (!c->look.known && c->header == HEADER_E_DAMAGED &&
	    !(kept && (c->how->promised || c->how->least) && is_promised(c, 0, &c->p->rows[0].digest)))
		return err_explain(-EUCLEAN, "pack %012llx: not a pack, or its header is destroyed", NUMBER(c->p));
	r = check_rest(c);
	if (!r && kept < c->how->least)
		r = err_explain(-EBADMSG, "pack %012llx: %u chunks of it were safe once, and %u are there",
				NUMBER(c->p), c->how->least, kept);
	if (!r)
		keep_rows(c->p, kept);
	return r;
}

static int write_header(const struct pack *p, struct pack_file *to)
{
	struct pack_header h = { .number = p->number, .created_ns = clock_now_ns() };
	uint8_t head[PACK_HEADER_BYTES];

	pack_header_pack(&h, head);
	return to->ops->write(to, 0, head, sizeof(head), NULL, 0);
}

/* The block at @offset is written as it was, if one bit of it is wrong. */
static int mend_block(struct pack *p, struct pack_file *to, uint64_t offset)
{
	uint8_t b[PACK_ENTRY_BYTES];
	int r = p->file->ops->pread(p->file, b, sizeof(b), offset);

	if (r || get_le64(b + PACK_SUMMED_BYTES) == sum64(b, PACK_SUMMED_BYTES) || !pack_mend_bit(b))
		return r;
	return to->ops->write(to, offset, b, sizeof(b), NULL, 0);
}

static bool same_entry(const struct pack_entry *row, const struct pack_entry *e)
{
	return digest_equal(&row->digest, &e->digest) && row->raw_len == e->raw_len &&
	       row->stored_len == e->stored_len && row->codec == e->codec;
}

/* What a destroyed header said is in the table, but for the sum of the stored bytes: that is made of bytes that fit
 * their digest. */
static int mend_entry(struct pack *p, struct pack_file *to, const struct pack_recovery *how, uint32_t slot,
		      uint8_t *buf)
{
	uint8_t b[PACK_ENTRY_BYTES];
	struct pack_entry row, e;
	uint64_t sum;
	int r = pack_entry(p, slot, &row);

	r = r ? r : p->file->ops->pread(p->file, b, sizeof(b), row.offset - sizeof(b));
	if (r || (pack_mend_bit(b) && !pack_entry_unpack(b, &e, &sum) && same_entry(&row, &e)))
		return r;
	if (p->file->ops->pread(p->file, buf, row.stored_len, row.offset) || !how->whole(how->ctx, slot, &row, buf))
		return 0;
	pack_entry_pack(&row, sum64(buf, row.stored_len), b);
	return to->ops->write(to, row.offset - sizeof(b), b, sizeof(b), NULL, 0);
}

static int mend_entries(struct pack *p, struct pack_file *to, const struct pack_recovery *how)
{
	CLEANUP(freep) uint8_t *buf = malloc(PACK_CHUNK_MAX);
	int r = buf ? 0 : err_origin(-ENOMEM);

	for (uint32_t i = 0; i < p->count && !r; i++)
		r = mend_entry(p, to, how, i, buf);
	return r;
}

/* The table does without them, but if one day it is damaged they are needed.  And whoever sealed the pack may have been
 * stopped before the table was safe. */
static int mend_headers(struct pack *p, struct pack_file *to, const struct pack_recovery *how)
{
	int r = check_header(p, p->bytes);

	/* Trailer and table have proven which pack it is. */
	if (r == HEADER_E_ABSENT || r == HEADER_E_DAMAGED || r == -EUCLEAN)
		r = write_header(p, to);
	else if (r == -EPROTONOSUPPORT)
		r = 0;
	for (uint32_t i = 0; i < p->count && !r; i++)
		r = mend_block(p, to, p->rows[i].offset - PACK_ENTRY_BYTES);
	if (!r && how->whole)
		r = mend_entries(p, to, how);
	return r ? r : to->ops->sync(to);
}

/* From here on nothing is read any more. */
static int seal(struct recovery *c)
{
	struct pack_file *from = c->p->file;

	c->p->file = c->to;
	c->to = from;
	return pack_seal(c->p);
}

/* The rows are in @p; make the file what they say. */
static int finish(struct recovery *c)
{
	struct pack *p = c->p;
	int r = 0;

	log_info("pack %012llx: %u chunks; %llu bytes behind them are written anew or go", NUMBER(p), p->count,
		 (unsigned long long)(c->size - p->end));
	for (uint32_t i = 0; c->hurt && i < p->count && !r; i++)
		r = mend_block(p, c->to, p->rows[i].offset - PACK_ENTRY_BYTES);
	if (!r && c->header)
		r = write_header(p, c->to);
	if (!r)
		r = c->to->ops->truncate(c->to, p->end);
	if (!r)
		r = seal(c);
	for (uint32_t i = 0; i < p->count && !r && c->how->bad; i++)
		if (c->torn[i])
			c->how->bad(c->how->ctx, i, &p->rows[i].digest);
	return r;
}

static int recover(struct packs *ps, struct recovery *c)
{
	int r = pack_look_init(&c->look, c->p, c->size);

	if (!r)
		r = c->look.unread;
	if (r)
		return r;
	c->header = check_header(c->p, c->size);
	if (c->header < 0)
		return c->header;
	c->buf = malloc(PACK_CHUNK_MAX);
	if (!c->buf)
		return err_origin(-ENOMEM);
	r = scan(c);
	if (!r)
		r = choose(c);
	if (r)
		return r;
	if (c->p->count > 0)
		return finish(c);
	r = pack_unlink(ps, c->p->number);
	return r ? r : -ENOENT;
}

/* What a killed process has written, and nobody asked to be synced, counts if it gets to the disk now. */
static int open_both(struct packs *ps, uint64_t number, struct recovery *c)
{
	int r = ps->ops->open(ps, number, PACK_FILE_WRITE, &c->to);

	r = r ? r : c->to->ops->sync(c->to);
	return r ? r : pack_open_bare(ps, number, PACK_FILE_DIRECT, &c->p, &c->size);
}

static int load_or_recover(struct packs *ps, struct recovery *c)
{
	int r = pack_state_load(c->p);

	if (!r)
		return mend_headers(c->p, c->to, c->how);
	if (r != -EUCLEAN && r != -EBADMSG)
		return r;
	pack_state_empty(c->p);
	r = recover(ps, c);
	pack_look_fini(&c->look);
	free(c->buf);
	free(c->torn);
	return r;
}

int pack_recover(struct packs *ps, uint64_t number, const struct pack_recovery *how)
{
	static const struct pack_recovery alone;
	struct recovery c = { .how = how ? how : &alone };
	int r = pack_number_check(number);

	r = r ? r : open_both(ps, number, &c);
	r = r ? r : load_or_recover(ps, &c);
	pack_release(c.p);
	if (c.to)
		c.to->ops->release(c.to);
	return r;
}

/* ---- check ------------------------------------------------------------------------------------------------ */

struct check {
	struct pack *p;	      /* with rows, if the table can be right */
	bool has_table, data;
	uint64_t size, limit; /* of the file; where entries must end */
	void (*bad)(void *ctx, uint32_t slot, const char *what);
	void *ctx;
};

static void check_head(struct check *c)
{
	int r = check_header(c->p, c->size);

	if (r == -EUCLEAN)
		c->bad(c->ctx, PACK_NO_SLOT, "the header names another pack");
	else if (r == -EPROTONOSUPPORT)
		c->bad(c->ctx, PACK_NO_SLOT, "the header is of another version");
	else if (r)
		c->bad(c->ctx, PACK_NO_SLOT, r < 0 ? "the header cannot be read" : "the header is damaged");
}

static void check_table(struct check *c)
{
	struct pack_trailer t;
	int r;

	c->limit = c->size;
	r = pack_trailer_read(c->p, c->size, &t);
	if (r) {
		c->bad(c->ctx, PACK_NO_SLOT,
		       r == -EUCLEAN ? "not sealed, or the trailer is lost" : "the trailer is damaged");
		return;
	}
	c->limit = t.table_offset;
	c->has_table = pack_state_load(c->p) == 0;
	if (!c->has_table)
		c->bad(c->ctx, PACK_NO_SLOT, "the table of contents is damaged");
}

static const char *entry_fault(const struct check *c, uint64_t offset, const struct pack_entry *row,
			       const struct pack_entry *e)
{
	if (row && !same_entry(row, e))
		return "entry and table disagree";
	if (e->stored_len > c->limit - offset - PACK_ENTRY_BYTES)
		return "the entry is torn";
	return NULL;
}

/* The slot whose header stands at @offset: NULL or what is wrong.  *next: where the one behind it stands, set as soon
 * as it is known. */
static const char *check_slot(struct check *c, uint64_t offset, const struct pack_entry *row, uint8_t *buf,
			      uint64_t *next)
{
	uint8_t head[PACK_ENTRY_BYTES];
	const char *fault;
	struct pack_entry e;
	uint64_t sum;

	if (c->limit - offset < sizeof(head))
		return "the entry is torn";
	if (c->p->file->ops->pread(c->p->file, head, sizeof(head), offset) != 0)
		return "the entry cannot be read";
	if (pack_entry_unpack(head, &e, &sum) != 0)
		return row ? "the entry's header is damaged" : "no entry begins here: what follows is not checked";
	fault = entry_fault(c, offset, row, &e);
	if (fault)
		return fault;
	*next = offset + sizeof(head) + e.stored_len;
	if (!c->data)
		return NULL;
	if (c->p->file->ops->pread(c->p->file, buf, e.stored_len, offset + sizeof(head)) != 0)
		return "the stored bytes cannot be read";
	return sum64(buf, e.stored_len) == sum ? NULL : "the stored bytes are damaged";
}

/* With a table every slot is looked at; without one, as far as the headers lead. */
static int check_slots(struct check *c)
{
	CLEANUP(freep) uint8_t *buf = malloc(PACK_CHUNK_MAX);
	uint64_t at = PACK_HEADER_BYTES, next;
	struct pack_entry row;
	int r;

	if (!buf)
		return err_origin(-ENOMEM);
	for (uint32_t slot = 0; at && at < c->limit; slot++, at = next) {
		const char *fault;

		next = 0;
		if (c->has_table) {
			r = pack_entry(c->p, slot, &row);
			if (r)
				return r;
			next = row.offset + row.stored_len;
		}
		fault = check_slot(c, at, c->has_table ? &row : NULL, buf, &next);
		if (fault)
			c->bad(c->ctx, slot, fault);
	}
	return 0;
}

int pack_check(struct packs *ps, uint64_t number, bool data, void (*bad)(void *ctx, uint32_t slot, const char *what),
	       void *ctx)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	struct check c = { .data = data, .bad = bad, .ctx = ctx };
	int r;

	r = pack_open_bare(ps, number, PACK_FILE_DIRECT, &p, &c.size);
	if (r)
		return r;
	c.p = p;
	check_head(&c);
	check_table(&c);
	return check_slots(&c);
}
