/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening a pack whose trailer or table is damaged or missing: nothing is written, and what is still proven is found.
 *
 * What a slot holds is said twice, in its row of the table and in the header of its entry.  A header has a sum of its
 * own; rows are believed only if the sum of the whole table fits, otherwise they are hints as to where the next header
 * stands.  Wrong bytes come from a wrong number as well as from a wrong row, so
 * 1. the file must prove which pack it is, by its header or its trailer;
 * 2. a slot's number is counted from the first entry without a gap; or after a gap confirmed by its header and what is
 *    left of its row; or it comes right before one that is.
 * A slot that fails both is lost: it keeps its number, nobody can tell what was in it.
 */
#include <errno.h>

#include "pack/state.h"

#define NUMBER(p) ((unsigned long long)(p)->number)
#define ROWS_AT_ONCE 256u

/* The block of 64 bytes at @offset, mended if need be.  BLOCK_E_DAMAGED if more than a bit is wrong. */
static int pack_block_read(struct pack *p, uint64_t offset, uint8_t out[PACK_ENTRY_BYTES])
{
	int r = p->file->ops->pread(p->file, out, PACK_ENTRY_BYTES, offset);

	return r ? r : pack_mend_bit(out) ? 0 : BLOCK_E_DAMAGED;
}

int pack_entry_read(struct pack *p, uint64_t offset, uint64_t limit, struct pack_entry *out, uint64_t *stored_sum)
{
	uint8_t head[PACK_ENTRY_BYTES];
	struct pack_entry e;
	int r;

	if (offset > limit || limit - offset < sizeof(head))
		return BLOCK_E_DAMAGED;
	r = pack_block_read(p, offset, head);
	if (r)
		return r;
	if (pack_entry_unpack(head, &e, stored_sum) != 0 || limit - offset - sizeof(head) < e.stored_len)
		return BLOCK_E_DAMAGED;
	*out = e;
	return 0;
}

/* ---- which pack is it ------------------------------------------------------------------------------------------- */

static int another(const struct pack_look *l, uint64_t number)
{
	return err_explain(-EUCLEAN, "pack %012llx calls itself %012llx", NUMBER(l->p), (unsigned long long)number);
}

static int other_version(const struct pack_look *l)
{
	return err_explain(-EPROTONOSUPPORT, "pack %012llx was written by another version", NUMBER(l->p));
}

/* Reads for what the file says of itself; false if it cannot be read. */
static bool look_at(struct pack_look *l, void *buf, size_t n, uint64_t offset)
{
	int r = l->p->file->ops->pread(l->p->file, buf, n, offset);

	if (r && !l->unread)
		l->unread = r;
	return r == 0;
}

static int ask_header(struct pack_look *l)
{
	uint8_t b[PACK_HEADER_BYTES];
	struct pack_header h;
	int r;

	if (l->size < sizeof(b) || !look_at(l, b, sizeof(b), 0) || !pack_mend_bit(b))
		return 0;
	r = pack_header_unpack(b, &h);
	if (r)
		return r == -EPROTONOSUPPORT ? other_version(l) : 0;
	if (h.number != l->p->number)
		return another(l, h.number);
	l->known = true;
	return 0;
}

static int ask_trailer(struct pack_look *l)
{
	uint8_t b[PACK_TRAILER_BYTES] = { 0 };
	struct pack_trailer t;
	uint64_t at = l->size - sizeof(b);
	int r;

	if (l->size < PACK_HEADER_BYTES + sizeof(b) || l->size > PACK_BYTES_MAX)
		return 0;
	if (!look_at(l, b, sizeof(b), at) || !pack_mend_bit(b)) {
		l->table_sum = get_le64(b + 40);
		return 0;
	}
	r = pack_trailer_unpack(b, &t);
	if (r)
		return r == -EPROTONOSUPPORT ? other_version(l) : 0;
	if (t.number != l->p->number)
		return another(l, t.number);
	l->known = l->sealed = true;
	l->table_sum = t.table_sum;
	if (t.table_offset >= PACK_HEADER_BYTES && t.table_offset <= at &&
	    t.table_offset + (uint64_t)t.count * PACK_ROW_BYTES == at) {
		l->limit = t.table_offset;
		l->count = t.count;
	}
	return 0;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

void pack_look_fini(struct pack_look *l)
{
	free(l->rows);
	l->rows = NULL;
}

/* Without a trailer: rows are as long as the file is when they and their entries fill it exactly.  Each row more makes
 * them longer, so there is one such number of rows at most; bytes that are no rows seldom get far. */
static uint32_t count_rows(struct pack_look *l)
{
	uint64_t table_end = l->size - PACK_TRAILER_BYTES, filled = PACK_HEADER_BYTES + PACK_TRAILER_BYTES;
	uint8_t rows[ROWS_AT_ONCE * PACK_ROW_BYTES];
	uint32_t n = 0, left = 0;
	struct pack_entry e;

	while (filled < l->size) {
		if (left == 0) {
			uint64_t most = (table_end - PACK_HEADER_BYTES) / PACK_ROW_BYTES - n;

			left = most < ROWS_AT_ONCE ? (uint32_t)most : ROWS_AT_ONCE;
			if (left == 0 ||
			    !look_at(l, rows, left * PACK_ROW_BYTES, table_end - (n + left) * PACK_ROW_BYTES))
				return PACK_NO_SLOT;
		}
		if (pack_row_unpack(rows + --left * PACK_ROW_BYTES, &e) != 0)
			return PACK_NO_SLOT;
		filled += PACK_ROW_BYTES + PACK_ENTRY_BYTES + e.stored_len;
		n++;
	}
	return filled == l->size && n ? n : PACK_NO_SLOT;
}

static int find_table(struct pack_look *l)
{
	size_t n;

	if (l->count == PACK_NO_SLOT && l->size > PACK_HEADER_BYTES + PACK_TRAILER_BYTES && l->size <= PACK_BYTES_MAX) {
		l->count = count_rows(l);
		if (l->count != PACK_NO_SLOT) {
			l->limit = l->size - PACK_TRAILER_BYTES - (uint64_t)l->count * PACK_ROW_BYTES;
			l->sealed = true;
		}
	}
	if (l->count == PACK_NO_SLOT || l->count == 0)
		return 0;
	n = (size_t)l->count * PACK_ROW_BYTES; /* bounded: it lies in the file */
	l->rows = malloc(n);
	if (!l->rows)
		return err_origin(-ENOMEM);
	if (!look_at(l, l->rows, n, l->limit))
		pack_look_fini(l);
	return 0;
}

static bool row_of(const struct pack_look *l, uint32_t slot, struct pack_entry *out)
{
	return l->rows && pack_row_unpack(l->rows + (size_t)slot * PACK_ROW_BYTES, out) == 0;
}

/* Are all rows right, as the sum says and their lengths? */
static bool table_is_whole(const struct pack_look *l)
{
	uint64_t at = PACK_HEADER_BYTES;
	struct pack_entry e;

	if (!l->rows || sum64(l->rows, (size_t)l->count * PACK_ROW_BYTES) != l->table_sum)
		return false;
	for (uint32_t i = 0; i < l->count; i++) {
		if (!row_of(l, i, &e))
			return false;
		at += PACK_ENTRY_BYTES + e.stored_len;
	}
	return at == l->limit;
}

/* ---- the slots --------------------------------------------------------------------------------------------------- */

static int add(struct pack *p, uint64_t at, const struct pack_entry *e)
{
	int r = pack_state_reserve(p);

	if (r)
		return r;
	p->end = at;
	pack_state_add(p, e);
	return 0;
}

static int add_lost(struct pack *p)
{
	int r = pack_state_reserve(p);

	if (!r)
		p->rows[p->count++] = (struct pack_row){ .offset = 0 };
	return r;
}

static int take_rows(struct pack_look *l)
{
	struct pack_entry e;
	int r = 0;

	for (uint32_t i = 0; i < l->count && !r; i++)
		r = row_of(l, i, &e) ? add(l->p, l->p->end, &e) : err_origin(-ENOTRECOVERABLE);
	return r;
}

/* The first of the slots from which on every row can be right, and where the entry of that one stands if they are. */
static uint32_t count_back(const struct pack_look *l, uint64_t *at)
{
	uint32_t slot = l->count;
	struct pack_entry row;

	*at = l->limit;
	while (slot > 0 && row_of(l, slot - 1, &row) && *at >= PACK_HEADER_BYTES + PACK_ENTRY_BYTES + row.stored_len) {
		*at -= PACK_ENTRY_BYTES + row.stored_len;
		slot--;
	}
	return slot;
}

/* Differ they more than a damaged row would?  Then one of them is of another pack, or slot. */
static bool contradict(const struct pack_entry *row, const struct pack_entry *e)
{
	return !digest_equal(&row->digest, &e->digest) &&
	       (row->stored_len != e->stored_len || row->raw_len != e->raw_len);
}

static bool entry_is(struct pack_look *l, uint64_t at, const struct pack_entry *row, struct pack_entry *out)
{
	uint64_t sum;

	return pack_entry_read(l->p, at, l->limit, out, &sum) == 0 && !contradict(row, out);
}

/* Where taking slots from their entries stands. */
struct taking {
	struct pack_look *l;
	uint64_t at, back;  /* where the next entry is, by those before it; by the rows behind it, or 0 */
	uint64_t before;    /* where the slot before it may be, which was not found; 0: it was */
	bool counted;	    /* there is no gap before the next */
	bool has_row;
	struct pack_entry row; /* of the next, if its bytes can be a row */
};

static bool find_entry(struct taking *t, struct pack_entry *e)
{
	uint64_t sum;

	if (t->counted)
		return pack_entry_read(t->l->p, t->at, t->l->limit, e, &sum) == 0 &&
		       !(t->has_row && contradict(&t->row, e));
	/* Behind a gap: where the rows in front of it, or those behind it, say that the entry is. */
	if (t->has_row && entry_is(t->l, t->at, &t->row, e))
		return true;
	/* Rows that count back into what is known already are not all right. */
	if (!t->has_row || t->back < t->l->p->end || !entry_is(t->l, t->back, &t->row, e))
		return false;
	t->at = t->back;
	return true;
}

/* The slot before @at, which is known now: is there an entry that ends here? */
static void find_before(struct taking *t, uint32_t slot, uint64_t at)
{
	struct pack_entry e;
	uint64_t sum;

	if (!t->before || pack_entry_read(t->l->p, t->before, at, &e, &sum) != 0 ||
	    t->before + PACK_ENTRY_BYTES + e.stored_len != at)
		return;
	t->l->p->rows[slot - 1] = (struct pack_row){ .digest = e.digest,
						     .offset = (uint32_t)t->before + PACK_ENTRY_BYTES,
						     .stored_len = e.stored_len,
						     .raw_len = e.raw_len & 0xffffff,
						     .codec = e.codec };
}

static int take_entry(struct taking *t, uint32_t slot)
{
	struct pack_entry e;
	bool found = find_entry(t, &e);
	int r = found ? add(t->l->p, t->at, &e) : add_lost(t->l->p);

	if (r)
		return r;
	if (found && !t->counted)
		find_before(t, slot, t->at);
	t->before = found ? 0 : t->at;
	t->at += PACK_ENTRY_BYTES + (found ? e.stored_len : t->row.stored_len);
	t->counted = found;
	return 0;
}

static int take_entries(struct pack_look *l)
{
	struct taking t = { .l = l, .at = PACK_HEADER_BYTES, .counted = true };
	uint64_t back = 0;
	uint32_t back_from = l->rows ? count_back(l, &back) : PACK_NO_SLOT;
	int r = 0;

	for (uint32_t slot = 0; slot < l->count && !r && (t.counted || l->rows); slot++) {
		t.row = (struct pack_entry){ 0 };
		t.has_row = row_of(l, slot, &t.row);
		t.back = slot >= back_from ? back : 0;
		r = take_entry(&t, slot);
		back += slot >= back_from ? PACK_ENTRY_BYTES + t.row.stored_len : 0;
	}
	if (!l->rows && !t.counted && !r && l->count == PACK_NO_SLOT)
		l->p->count--; /* nobody says that there was one more */
	if (!r && l->rows && !t.counted)
		find_before(&t, l->count, l->limit);
	return r;
}

static uint32_t found_slots(const struct pack *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->count; i++)
		n += p->rows[i].offset != 0;
	return n;
}

static int finish(struct pack_look *l)
{
	if (!found_slots(l->p))
		return err_explain(l->sealed ? -EBADMSG : -EUCLEAN, "nothing in pack %012llx can be believed",
				   NUMBER(l->p));
	l->p->salvaged = l->p->sealed = true;
	l->p->bytes = l->size;
	return 0;
}

static void tell(struct packs *ps, const struct pack_look *l)
{
	uint32_t found = found_slots(l->p), all = l->count == PACK_NO_SLOT ? found : l->count;

	if (atomic_exchange(&ps->told, l->p->number + 1) == l->p->number + 1)
		return;
	if (l->sealed)
		log_warn("pack %012llx: table of contents or trailer damaged; %u of %u chunks are known by other means",
			 NUMBER(l->p), found, all);
	else
		log_info("pack %012llx is not sealed; %u chunks are known", NUMBER(l->p), found);
}

int pack_look_init(struct pack_look *l, struct pack *p, uint64_t size)
{
	int r;

	*l = (struct pack_look){ .p = p, .size = size, .count = PACK_NO_SLOT };
	l->limit = size < PACK_BYTES_MAX ? size : PACK_BYTES_MAX;
	r = ask_header(l);
	if (!r)
		r = ask_trailer(l);
	return r ? r : find_table(l);
}

int pack_salvage(struct packs *ps, struct pack *p)
{
	struct pack_look l = { .rows = NULL };
	uint64_t size;
	int r;

	pack_state_empty(p);
	r = p->file->ops->size(p->file, &size);
	if (!r)
		r = pack_look_init(&l, p, size);
	if (!r && !l.known)
		r = err_explain(-EUCLEAN, "pack %012llx: neither header nor trailer says that it is this pack",
				NUMBER(p));
	if (!r)
		r = table_is_whole(&l) ? take_rows(&l) : take_entries(&l);
	if (!r)
		r = finish(&l);
	if (!r)
		tell(ps, &l);
	pack_look_fini(&l);
	return r;
}
