/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening what is damaged: each part by itself, both sources of a slot by turns, and hundreds of random injuries. */
#include <errno.h>

#include "lib/chance.h"
#include "unit/pack/raw.h"

#define N 9u

static uint64_t table_at;

static void sealed_pack(struct packs *ps, uint64_t number, uint32_t n, struct buf *out)
{
	struct pack *p = new_pack(ps, number, n);

	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	raw_get(ps, number, out);
	table_at = piece_offset(n);
}

static void copy(struct buf *to, const struct buf *from)
{
	to->len = 0;
	assert_int_equal(buf_append(to, from->data, from->len), 0);
}

/* Opens pack 1 made of @b: all of the N pieces but those in @lost (a bit each) are right. */
static void assert_opens(struct packs *ps, const struct buf *b, unsigned lost)
{
	struct pack *p;
	struct pack_entry e;

	raw_set(ps, 1, b->data, b->len);
	p = opened(ps, 1);
	assert_false(pack_whole(p));
	assert_true(pack_sealed(p));
	assert_int_equal(pack_count(p), N);
	for (uint32_t i = 0; i < N; i++) {
		uint8_t bytes[PIECE_MAX];
		uint32_t slot = 99;
		struct digest d = piece(i, bytes).digest;

		if (lost & 1u << i) {
			assert_int_equal(pack_entry(p, i, &e), -EBADMSG);
			assert_int_equal(pack_find(p, &d, &slot), -ENOENT);
		} else {
			assert_piece(p, i, i);
			assert_int_equal(pack_find(p, &d, &slot), 0);
			assert_int_equal(slot, i);
		}
	}
	assert_int_equal(pack_entry(p, N, &e), -EUCLEAN);
	pack_release(p);
	assert_raw(ps, 1, b);
}

static void trailer_or_table_destroyed_costs_nothing(void **state)
{
	struct fixture *f = *state;
	struct buf good = BUF_INIT, b = BUF_INIT;

	sealed_pack(f->ps, 1, N, &good);
	/* The trailer. */
	copy(&b, &good);
	memset(b.data + b.len - 64, 0xa5, 64);
	assert_opens(f->ps, &b, 0);
	/* Cut off. */
	copy(&b, &good);
	b.len -= 64;
	assert_opens(f->ps, &b, 0);
	/* The table. */
	copy(&b, &good);
	memset(b.data + table_at, 0, N * 40);
	assert_opens(f->ps, &b, 0);
	/* Both. */
	memset(b.data + b.len - 64, 0, 64);
	assert_opens(f->ps, &b, 0);
	/* And more behind. */
	copy(&b, &good);
	for (unsigned i = 0; i < 1000; i++)
		buf_put_u8(&b, 7);
	assert_opens(f->ps, &b, 0);
	buf_fini(&b);
	buf_fini(&good);
}

/* Every slot is known by one of two; which one is told by the bits of @i. */
static void each_slot_is_taken_from_whichever_is_whole(void **state)
{
	struct fixture *f = *state;
	struct buf good = BUF_INIT, b = BUF_INIT;

	sealed_pack(f->ps, 1, N, &good);
	for (unsigned entries = 0; entries < 1u << N; entries += 5)
		for (unsigned rows = 0; rows < 3; rows++) {
			unsigned row = rows ? (entries * 7 + rows) % N : N, lost = 0;

			/* Headers of entries are destroyed, and one row is: then the sum of the table is wrong. */
			copy(&b, &good);
			for (unsigned i = 0; i < N; i++)
				if (entries & 1u << i)
					memset(b.data + piece_offset(i), 0xee, 20);
			if (row == N)
				memset(b.data + b.len - 64 + 8, 0xee, 30); /* not the sum of the table */
			else
				b.data[table_at + row * 40 + 32] ^= 0x15; /* the stored length */
			if (row < N)
				lost = entries; /* rows are hints, no more */
			if (lost == (1u << N) - 1)
				continue;
			assert_opens(f->ps, &b, lost);
		}
	buf_fini(&b);
	buf_fini(&good);
}

/* A row without a right sum may say anything: a wrong raw length would move all bytes behind it. */
static void row_without_a_sum_is_not_believed(void **state)
{
	struct fixture *f = *state;
	struct buf good = BUF_INIT, b = BUF_INIT;

	sealed_pack(f->ps, 1, N, &good);
	copy(&b, &good);
	memset(b.data + piece_offset(4), 0, 64);
	b.data[table_at + 4 * 40 + 36] ^= 1; /* raw length */
	assert_opens(f->ps, &b, 1u << 4);
	/* The slot behind may not be the next one that is found, either. */
	memset(b.data + piece_offset(5), 0, 64);
	assert_opens(f->ps, &b, 3u << 4);
	buf_fini(&b);
	buf_fini(&good);
}

/* A pack of packs: bytes that are entries themselves, behind a header that is gone. */
static void entries_within_stored_bytes_are_not_taken(void **state)
{
	struct fixture *f = *state;
	struct buf inner = BUF_INIT, b = BUF_INIT;
	struct pack_entry e = { .digest = { .b = { 9 } } };
	struct pack *p;
	uint32_t slot;

	sealed_pack(f->ps, 2, 3, &inner);
	assert_int_equal(pack_create(f->ps, 1, &p), 0);
	append_pieces(p, 0, 2);
	e.raw_len = e.stored_len = (uint32_t)inner.len - 64;
	assert_int_equal(pack_append(p, &e, inner.data + 64, &slot), 0);
	append_pieces(p, 2, 4);
	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	raw_get(f->ps, 1, &b);
	memset(b.data + piece_offset(2), 0, 64);
	memset(b.data + b.len - 64 - 5 * 40 + 2 * 40, 0, 40);
	raw_set(f->ps, 1, b.data, b.len);
	p = opened(f->ps, 1);
	assert_int_equal(pack_count(p), 5);
	assert_piece(p, 0, 0);
	assert_piece(p, 1, 1);
	assert_int_equal(pack_entry(p, 2, &e), -EBADMSG);
	assert_piece(p, 3, 2);
	assert_piece(p, 4, 3);
	pack_release(p);
	buf_fini(&b);
	buf_fini(&inner);
}

static void file_that_cannot_prove_its_number_is_refused(void **state)
{
	struct fixture *f = *state;
	struct buf one = BUF_INIT, two = BUF_INIT, b = BUF_INIT;
	struct pack *q = NULL;

	sealed_pack(f->ps, 1, N, &one);
	sealed_pack(f->ps, 2, N, &two);
	/* Another one under this name, whole, without a trailer, without a header. */
	raw_set(f->ps, 1, two.data, two.len);
	assert_int_equal(pack_open(f->ps, 1, &q), -EUCLEAN);
	raw_set(f->ps, 1, two.data, two.len - 64);
	assert_int_equal(pack_open(f->ps, 1, &q), -EUCLEAN);
	copy(&b, &two);
	memset(b.data, 0, 64);
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_open(f->ps, 1, &q), -EUCLEAN);
	/* Header and trailer gone: this could be any pack. */
	copy(&b, &one);
	memset(b.data, 0, 64);
	memset(b.data + b.len - 64, 0, 64);
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_open(f->ps, 1, &q), -EUCLEAN);
	/* One of them is proof. */
	memcpy(b.data, one.data, 64);
	assert_opens(f->ps, &b, 0);
	assert_null(q);
	buf_fini(&one);
	buf_fini(&two);
	buf_fini(&b);
}

static void another_version_is_refused(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;
	struct pack *q = NULL;

	sealed_pack(f->ps, 1, N, &b);
	b.data[b.len - 64 + 8] = 2;
	raw_resum(b.data + b.len - 64);
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_open(f->ps, 1, &q), -EPROTONOSUPPORT);
	assert_null(q);
	buf_fini(&b);
}

static void nothing_left_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct buf good = BUF_INIT, b = BUF_INIT;
	struct pack *q = NULL;

	sealed_pack(f->ps, 1, N, &good);
	copy(&b, &good);
	memset(b.data + 64, 0, b.len - 64 - 64);
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_open(f->ps, 1, &q), -EBADMSG);
	raw_set(f->ps, 1, good.data, 64 + 64);
	assert_int_equal(pack_open(f->ps, 1, &q), -EUCLEAN);
	assert_null(q);
	buf_fini(&b);
	buf_fini(&good);
}

static void any_single_bit_costs_at_most_its_chunk(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;

	sealed_pack(f->ps, 1, N, &b);
	for (size_t at = 0; at < b.len; at++) {
		uint32_t hurt = at < table_at && at >= 64 ? whole_pieces(at, N) : N;
		bool stored = hurt < N && at >= piece_offset(hurt) + 64;
		struct pack *p;

		b.data[at] ^= (uint8_t)(1u << at % 8);
		raw_set(f->ps, 1, b.data, b.len);
		p = opened(f->ps, 1);
		assert_int_equal(pack_count(p), N);
		for (uint32_t i = 0; i < N; i++)
			if (i != hurt || !stored)
				assert_piece(p, i, i);
		pack_release(p);
		b.data[at] ^= (uint8_t)(1u << at % 8);
	}
	buf_fini(&b);
}

/* ---- at random ------------------------------------------------------------------------------------------------- */

static uint64_t chance;

static uint32_t dice(uint32_t n)
{
	return (uint32_t)chance_below(&chance, n);
}

/* @other: bytes that may be put in their place. */
static void injure(struct buf *b, const struct buf *other)
{
	uint32_t at = dice((uint32_t)b->len ? (uint32_t)b->len : 1), n = 1 + dice(700);

	if (!b->len)
		return;
	if (n > b->len - at)
		n = (uint32_t)b->len - at;
	switch (dice(7)) {
	case 0:
		b->data[at] ^= (uint8_t)(1u << dice(8));
		break;
	case 1:
		b->data[at] = (uint8_t)dice(256);
		break;
	case 2:
		b->len = at;
		break;
	case 3:
		memset(b->data + at, 0, n);
		break;
	case 4:
		for (uint32_t i = 0; i < n; i++)
			b->data[at + i] = (uint8_t)dice(256);
		break;
	case 5: /* a part of another pack: its offsets, its headers */
		if (other && at + n <= other->len)
			memcpy(b->data + at, other->data + at, n);
		break;
	default: /* moved by some bytes */
		memmove(b->data + at, b->data + at + n / 2, n / 2);
		break;
	}
}

/* Whatever a slot says that it is, it is the chunk of that slot, or its bytes do not fit its digest.  A digest here is
 * made from the number, so that is seen by the whole of what piece() tells. */
static void assert_no_lie(struct pack *p, uint32_t slot)
{
	uint8_t bytes[PIECE_MAX];
	struct pack_entry want = piece(slot, bytes), e;

	if (pack_entry(p, slot, &e))
		return;
	assert_memory_equal(e.digest.b, want.digest.b, sizeof(e.digest.b));
	assert_int_equal(e.raw_len, want.raw_len);
	assert_int_equal(e.stored_len, want.stored_len);
	assert_int_equal(e.codec, want.codec);
	assert_int_equal(e.offset, piece_offset(slot) + 64);
}

static void random_injuries_never_make_a_slot_another(void **state)
{
	struct fixture *f = *state;
	struct buf good = BUF_INIT, other = BUF_INIT, b = BUF_INIT;
	struct pack *p = new_pack(f->ps, 2, 0);
	unsigned opened_some = 0, refused = 0, lost_some = 0;

	sealed_pack(f->ps, 1, N, &good);
	append_pieces(p, 50, 50 + N);
	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	raw_get(f->ps, 2, &other);
	for (unsigned i = 0; i < 4000; i++) {
		chance = i;
		copy(&b, &good);
		for (uint32_t all = 1 + dice(3), n = 0; n < all; n++)
			injure(&b, all == 1 ? &other : NULL);
		raw_set(f->ps, 1, b.data, b.len);
		if (pack_open(f->ps, 1, &p)) {
			refused++;
			continue;
		}
		opened_some++;
		lost_some += pack_count(p) < N;
		assert_true(pack_count(p) <= N);
		for (uint32_t slot = 0; slot < pack_count(p); slot++)
			assert_no_lie(p, slot);
		pack_release(p);
		/* And what recovery makes of it tells no lies either. */
		if (pack_recover(f->ps, 1, NULL) || pack_open(f->ps, 1, &p))
			continue;
		for (uint32_t slot = 0; slot < pack_count(p); slot++)
			assert_no_lie(p, slot);
		pack_release(p);
	}
	assert_true(opened_some > 2000 && refused > 10 && lost_some > 100);
	buf_fini(&good);
	buf_fini(&other);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_both(trailer_or_table_destroyed_costs_nothing),
		test_mem(each_slot_is_taken_from_whichever_is_whole),
		test_mem(row_without_a_sum_is_not_believed),
		test_mem(entries_within_stored_bytes_are_not_taken),
		test_both(file_that_cannot_prove_its_number_is_refused),
		test_mem(another_version_is_refused),
		test_mem(nothing_left_is_an_error),
		test_mem(any_single_bit_costs_at_most_its_chunk),
		test_mem(random_injuries_never_make_a_slot_another),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("pack_salvage", tests, NULL, NULL);
}
