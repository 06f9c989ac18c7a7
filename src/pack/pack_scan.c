/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a pack entry by entry, without its table: pack_recover() finishes what a crash left, pack_check() looks for
 * damage.
 *
 * Recovery only ever cuts off what was never promised: bytes behind the first entry that is not whole.  A trailer says
 * that everything before it was safe once, so if the entries do not lead up to it, that is damage and not a torn end;
 * then nothing is changed and pack_check() can say what is wrong.
 */
#include <errno.h>

#include "pack/state.h"

#define NUMBER(p) ((unsigned long long)(p)->number)

/* The bytes as they are: no rows, nothing believed. */
static int open_bare(struct packs *ps, uint64_t number, bool writable, struct pack **out, uint64_t *size)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	struct pack_file *f;
	int r;

	r = ps->ops->open(ps, number, writable, &f);
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

/* ---- recovery --------------------------------------------------------------------------------------------- */

enum { SCAN_E_TORN = 1 };

/* The entry whose header stands at @offset, its sum right.  @buf: PACK_CHUNK_MAX bytes. */
static int read_entry(struct pack *p, uint64_t offset, uint64_t size, uint8_t *buf, struct pack_entry *e)
{
	uint8_t head[PACK_ENTRY_BYTES];
	uint64_t sum;
	int r;

	if (size - offset < sizeof(head))
		return SCAN_E_TORN;
	r = p->file->ops->pread(p->file, head, sizeof(head), offset);
	if (r)
		return r;
	if (pack_entry_unpack(head, e, &sum) != 0 || size - offset - sizeof(head) < e->stored_len)
		return SCAN_E_TORN;
	r = p->file->ops->pread(p->file, buf, e->stored_len, offset + sizeof(head));
	if (r)
		return r;
	return sum64(buf, e->stored_len) == sum ? 0 : SCAN_E_TORN;
}

/* A row for each whole entry up to the first that is not; < 0 only if reading or memory failed. */
static int scan(struct pack *p, uint64_t size)
{
	CLEANUP(freep) uint8_t *buf = malloc(PACK_CHUNK_MAX);
	struct pack_entry e;
	int r;

	if (!buf)
		return err_origin(-ENOMEM);
	while (p->end <= size) {
		r = read_entry(p, p->end, size, buf, &e);
		if (r)
			return r == SCAN_E_TORN ? 0 : r;
		if (!pack_state_has_room(p, &e))
			return 0;
		r = pack_state_reserve(p);
		if (r)
			return r;
		pack_state_add(p, &e);
	}
	return 0;
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

/* A trailer was written after a sync of the entries, so they must lead up to it. */
static int check_promise(struct pack *p, uint64_t size)
{
	struct pack_trailer t;

	if (pack_trailer_read(p, size, &t) != 0 || (t.table_offset == p->end && t.count == p->count))
		return 0;
	return err_explain(-EBADMSG,
			   "pack %012llx was sealed with %u chunks, only %u are whole before the first damage",
			   NUMBER(p), t.count, p->count);
}

static int write_header(struct pack *p)
{
	struct pack_header h = { .number = p->number, .created_ns = clock_now_ns() };
	uint8_t head[PACK_HEADER_BYTES];

	pack_header_pack(&h, head);
	return p->file->ops->write(p->file, 0, head, sizeof(head), NULL, 0);
}

/* The rows are in @p; make the file what they say. */
static int finish(struct pack *p, uint64_t size, bool header_lost)
{
	int r;

	if (size > p->end)
		log_info("pack %012llx: %u whole chunks; %llu bytes behind them go", NUMBER(p), p->count,
			 (unsigned long long)(size - p->end));
	if (header_lost) {
		r = write_header(p);
		if (r)
			return r;
	}
	r = p->file->ops->truncate(p->file, p->end);
	if (r)
		return r;
	return pack_seal(p);
}

int pack_recover(struct packs *ps, uint64_t number)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	uint64_t size;
	int header, r;

	r = pack_open(ps, number, &p);
	if (r != -EUCLEAN && r != -EBADMSG)
		return r;
	r = open_bare(ps, number, true, &p, &size);
	if (r)
		return r;
	header = check_header(p, size);
	if (header < 0)
		return header;
	r = scan(p, size);
	if (r)
		return r;
	r = check_promise(p, size);
	if (r)
		return r;

	if (p->count > 0)
		return finish(p, size, header != 0);
	if (header == HEADER_E_DAMAGED)
		return err_explain(-EUCLEAN, "pack %012llx: not a pack", (unsigned long long)number);
	r = pack_unlink(ps, number);
	return r ? r : -ENOENT;
}

/* ---- check ------------------------------------------------------------------------------------------------ */

struct check {
	struct pack *p;	      /* with rows, if the table can be right */
	bool has_table;
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
	if (row && (!digest_equal(&row->digest, &e->digest) || row->raw_len != e->raw_len ||
		    row->stored_len != e->stored_len || row->codec != e->codec))
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

int pack_check(struct packs *ps, uint64_t number, void (*bad)(void *ctx, uint32_t slot, const char *what), void *ctx)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	struct check c = { .bad = bad, .ctx = ctx };
	int r;

	r = pack_number_check(number);
	if (r)
		return r;
	r = open_bare(ps, number, false, &p, &c.size);
	if (r)
		return r;
	c.p = p;
	check_head(&c);
	check_table(&c);
	return check_slots(&c);
}
