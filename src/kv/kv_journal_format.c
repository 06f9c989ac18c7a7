/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of the journal: headers of files, frames, payloads, and the row that says how far the database is.  What is
 * unpacked is foreign; what comes out is within its limits, whether it makes sense is for the reader.
 */
#include "kv/kv_journal.h"

#include <assert.h>
#include <errno.h>

#define VERSION 1

static const char header_magic[][9] = { [JOURNAL_LOG] = "VTAPEJL1", [JOURNAL_CHECKPOINT] = "VTAPEJC1" };

static const uint32_t frame_magic[JOURNAL_FRAME_KINDS] = {
	[JOURNAL_BATCH] = 0x5441424a,	/* "JBAT" */
	[JOURNAL_ROWS] = 0x574f524a,	/* "JROW" */
	[JOURNAL_END] = 0x444e454a,	/* "JEND" */
};

void journal_header_pack(const struct journal_header *h, uint8_t out[JOURNAL_HEADER_BYTES])
{
	memset(out, 0, JOURNAL_HEADER_BYTES);
	memcpy(out, header_magic[h->kind], 8);
	put_le32(out + 8, VERSION);
	put_le64(out + 16, h->number);
	put_le64(out + 24, h->follows);
	put_le64(out + 32, h->previous);
	put_le64(out + 40, h->id);
	put_le64(out + 48, clock_now_ns());
	put_le64(out + 56, sum64(out, 56));
}

int journal_header_unpack(const uint8_t *p, enum journal_kind kind, struct journal_header *out)
{
	if (memcmp(p, header_magic[kind], 8) || get_le64(p + 56) != sum64(p, 56) ||
	    get_le64(p + 16) > JOURNAL_NUMBER_MAX || get_le64(p + 24) > JOURNAL_NUMBER_MAX)
		return KV_E_NONE;
	if (get_le32(p + 8) != VERSION)
		return err_explain(-EUCLEAN, "journal: written by a newer vtape");
	*out = (struct journal_header){
		.kind = kind,
		.number = get_le64(p + 16),
		.follows = get_le64(p + 24),
		.previous = get_le64(p + 32),
		.id = get_le64(p + 40),
	};
	return 0;
}

void journal_frame_pack(const struct journal_frame *f, uint8_t out[JOURNAL_FRAME_BYTES])
{
	put_le32(out, frame_magic[f->kind]);
	put_le32(out + 4, f->len);
	put_le64(out + 8, f->number);
	put_le64(out + 16, f->id);
	put_le64(out + 24, f->synced);
	put_le64(out + 32, f->sum);
	put_le64(out + 40, sum64(out, 40));
}

bool journal_frame_unpack(const uint8_t *p, struct journal_frame *out)
{
	uint32_t magic = get_le32(p);
	int kind = 0;

	while (kind < JOURNAL_FRAME_KINDS && magic != frame_magic[kind])
		kind++;
	if (kind == JOURNAL_FRAME_KINDS || get_le64(p + 40) != sum64(p, 40) || get_le64(p + 8) > JOURNAL_NUMBER_MAX)
		return false;
	*out = (struct journal_frame){
		.kind = kind,
		.len = get_le32(p + 4),
		.number = get_le64(p + 8),
		.id = get_le64(p + 16),
		.synced = get_le64(p + 24),
		.sum = get_le64(p + 32),
	};
	return true;
}

void journal_row_pack(const struct journal_row *row, uint8_t out[JOURNAL_ROW_BYTES])
{
	out[0] = VERSION;
	put_le64(out + 1, row->number);
	put_le64(out + 9, row->log);
	put_le64(out + 17, row->end);
	put_le64(out + 25, row->synced);
}

int journal_row_unpack(const uint8_t *p, size_t len, struct journal_row *out)
{
	if (len != JOURNAL_ROW_BYTES || p[0] != VERSION || get_le64(p + 1) > JOURNAL_NUMBER_MAX)
		return err_explain(-EUCLEAN, "journal: the database's row about it makes no sense");
	*out = (struct journal_row){ get_le64(p + 1), get_le64(p + 9), get_le64(p + 17), get_le64(p + 25) };
	return 0;
}

/* ---- payloads ---- */

/* The numbers of vtape-format(5), which are those of the enums. */
static_assert(KV_PUT == 0 && KV_DELETE == 1 && KV_DELETE_PREFIX == 2, "changes on disk");
static_assert(KV_CATALOG == 0 && KV_INDEX == 1 && KV_MAP == 2 && KV_PACK == 3 && KV_CONTENTS == 4, "spaces on disk");

int journal_op_pack(struct buf *b, const struct kv_op *op)
{
	int r = buf_reserve(b, 2 + 10 + op->klen + 10 + op->vlen);

	if (r)
		return r;
	buf_put_u8(b, (uint8_t)op->change);
	buf_put_u8(b, (uint8_t)op->space);
	buf_put_varint(b, op->klen);
	buf_append(b, op->key, op->klen);
	if (op->change == KV_PUT) {
		buf_put_varint(b, op->vlen);
		buf_append(b, op->val, op->vlen);
	}
	return 0;
}

static int unpack_op(struct cursor *c, struct kv_op *op)
{
	uint8_t change = cursor_u8(c), space = cursor_u8(c);
	uint64_t klen = cursor_varint(c), vlen = 0;

	*op = (struct kv_op){ .change = change, .space = space };
	if (change > KV_DELETE_PREFIX || space >= KV_SPACES || klen > KV_KEY_MAX)
		return -EUCLEAN;
	op->klen = klen;
	op->key = cursor_bytes(c, klen);
	if (change == KV_PUT)
		vlen = cursor_varint(c);
	if (vlen > KV_VALUE_MAX)
		return -EUCLEAN;
	op->vlen = vlen;
	op->val = cursor_bytes(c, vlen);
	return c->bad ? -EUCLEAN : 0;
}

int journal_payload_unpack(const uint8_t *p, size_t len, bool index, struct kv_batch *to)
{
	struct cursor c = cursor_of(p, len);
	struct kv_op op;
	int r;

	while (cursor_left(&c)) {
		r = unpack_op(&c, &op);
		if (r)
			return r;
		if (op.space == KV_CONTENTS || (op.space == KV_INDEX && !index))
			continue;
		r = kv_batch_add(to, &op);
		if (r)
			return r;
	}
	return 0;
}
