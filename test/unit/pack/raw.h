/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of a pack, taken out, damaged and put back, on disk or in memory. */
#ifndef RAW_H
#define RAW_H

#include "pack/backing.h"
#include "pack/format.h"
#include "unit/pack/pieces.h"

static inline void raw_get(struct packs *ps, uint64_t number, struct buf *out)
{
	struct pack_file *f;
	uint64_t size;

	assert_int_equal(ps->ops->open(ps, number, false, &f), 0);
	assert_int_equal(f->ops->size(f, &size), 0);
	out->len = 0;
	assert_int_equal(buf_reserve(out, size), 0);
	assert_int_equal(f->ops->pread(f, out->data, size, 0), 0);
	out->len = size;
	f->ops->release(f);
}

static inline void raw_set(struct packs *ps, uint64_t number, const void *bytes, size_t n)
{
	struct pack_file *f;

	assert_int_equal(pack_unlink(ps, number), 0);
	assert_int_equal(ps->ops->create(ps, number, bytes, n, &f), 0);
	f->ops->release(f);
}

static inline void assert_raw(struct packs *ps, uint64_t number, const struct buf *want)
{
	struct buf got = BUF_INIT;

	raw_get(ps, number, &got);
	assert_int_equal(got.len, want->len);
	assert_memory_equal(got.data, want->data, want->len);
	buf_fini(&got);
}

/* After damage with intent: the sum of a header, an entry's header or a trailer made right again. */
static inline void raw_resum(uint8_t *p)
{
	put_le64(p + PACK_SUMMED_BYTES, sum64(p, PACK_SUMMED_BYTES));
}

/* Where the header of slot @i of a pack of pieces stands; for the number of slots, where the entries end. */
static inline uint64_t piece_offset(uint32_t i)
{
	uint8_t bytes[PIECE_MAX];
	uint64_t at = PACK_HEADER_BYTES;

	for (uint32_t k = 0; k < i; k++)
		at += PACK_ENTRY_BYTES + piece(k, bytes).stored_len;
	return at;
}

static inline uint32_t whole_pieces(uint64_t len, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && piece_offset(i + 1) <= len)
		i++;
	return i;
}

#endif
