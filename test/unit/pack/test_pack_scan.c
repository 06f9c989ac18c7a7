/* SPDX-License-Identifier: BSD-2-Clause */
/* Recovery and check: every torn end, every damaged byte. */
#include <errno.h>

#include "unit/pack/hurt.h"

#define N 7u /* pieces in the small pack that is hurt at every byte */

/* The bytes of a pack of N pieces, number 1. */
static void small_pack(struct packs *ps, bool sealed, struct buf *out)
{
	struct pack *p = new_pack(ps, 1, N);

	if (sealed)
		assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	raw_get(ps, 1, out);
}

/* Pack 1 holds exactly the first @n pieces, sealed and without fault. */
static void assert_recovered(struct packs *ps, uint32_t n)
{
	struct pack *p = opened(ps, 1);

	assert_pieces(p, n);
	pack_release(p);
	assert_int_equal(checked(ps, 1).count, 0);
}

static void unsealed_pack_is_finished(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;

	small_pack(f->ps, false, &b);
	assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
	assert_recovered(f->ps, N);
	assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
	assert_recovered(f->ps, N);
	assert_int_equal(pack_recover(f->ps, 2, NULL), -ENOENT);
	buf_fini(&b);
}

static void sealed_pack_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;

	small_pack(f->ps, true, &b);
	assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
	assert_raw(f->ps, 1, &b);
	buf_fini(&b);
}

/* The table is there, but whoever wrote it was stopped before it was safe. */
static void sealed_pack_is_safe_after_recovery(void **state)
{
	struct fixture *f = *state;
	struct packs *after;
	struct buf b = BUF_INIT;

	small_pack(f->ps, true, &b);
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
	assert_int_equal(packs_mem_cut(f->ps, 0, &after), 0);
	assert_recovered(after, N);
	packs_close(after);
	buf_fini(&b);
}

static void empty_pack_is_removed(void **state)
{
	struct fixture *f = *state;
	uint8_t zeros[1000] = { 0 };

	pack_release(new_pack(f->ps, 1, 0));
	assert_int_equal(pack_recover(f->ps, 1, NULL), -ENOENT);
	assert_false(pack_exists(f->ps, 1));
	for (size_t n = 0; n <= sizeof(zeros); n += 20) {
		raw_set(f->ps, 1, zeros, n);
		assert_int_equal(pack_recover(f->ps, 1, NULL), -ENOENT);
		assert_false(pack_exists(f->ps, 1));
	}
}

static void torn_end_of_any_length_leaves_the_whole_chunks(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;
	struct pack *q = NULL;

	small_pack(f->ps, true, &b);
	for (size_t len = 0; len < b.len; len++) {
		uint32_t whole = whole_pieces(len, N);

		raw_set(f->ps, 1, b.data, len);
		assert_int_equal(pack_open(f->ps, 1, &q), whole ? 0 : -EUCLEAN);
		if (whole) {
			assert_false(pack_whole(q));
			assert_pieces(q, whole);
		}
		q = pack_release(q);
		assert_true(checked(f->ps, 1).count > 0);
		assert_int_equal(pack_recover(f->ps, 1, NULL), whole ? 0 : -ENOENT);
		if (whole)
			assert_recovered(f->ps, whole);
		else
			assert_false(pack_exists(f->ps, 1));
	}
	buf_fini(&b);
}

/* What ext4 leaves behind the last synced byte: the length is there, the bytes are not. */
static void zeros_behind_the_end_are_cut(void **state)
{
	struct fixture *f = *state;
	struct buf good = BUF_INIT, b = BUF_INIT;

	small_pack(f->ps, false, &good);
	for (size_t len = 64; len < good.len; len++) {
		size_t lost = len;
		uint32_t whole;

		/* Bytes that were zero anyway are no loss. */
		while (lost < good.len && good.data[lost] == 0)
			lost++;
		whole = whole_pieces(lost, N);
		b.len = 0;
		buf_append(&b, good.data, good.len);
		memset(b.data + len, 0, b.len - len);
		raw_set(f->ps, 1, b.data, b.len);
		assert_int_equal(pack_recover(f->ps, 1, NULL), whole ? 0 : -ENOENT);
		if (whole)
			assert_recovered(f->ps, whole);
	}
	buf_fini(&b);
	buf_fini(&good);
}

/* One damaged byte costs a sealed pack nothing but that byte: its check tells, and no wrong entry is ever shown. */
static void any_damaged_byte_of_a_sealed_pack_is_found(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;
	uint64_t table;

	small_pack(f->ps, true, &b);
	table = piece_offset(N);
	for (size_t at = 0; at < b.len; at++) {
		struct pack *p;
		struct faults faults;

		b.data[at] ^= (uint8_t)(1u << at % 8);
		raw_set(f->ps, 1, b.data, b.len);
		faults = checked(f->ps, 1);
		assert_true(faults.count > 0);
		if (at >= 64 && at < table)
			assert_int_equal(faults.first_slot, whole_pieces(at, N));
		else
			assert_int_equal(faults.first_slot, PACK_NO_SLOT);

		p = opened(f->ps, 1);
		assert_int_equal(pack_whole(p), at < table);
		for (uint32_t i = 0; i < N; i++)
			if (at < piece_offset(i) + 64 || at >= piece_offset(i + 1))
				assert_piece(p, i, i);
		assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
		pack_release(p);
		p = opened(f->ps, 1);
		assert_int_equal(pack_count(p), N);
		for (uint32_t i = 0; i < N; i++)
			if (at < piece_offset(i) || at >= piece_offset(i + 1))
				assert_piece(p, i, i);
		pack_release(p);
		if (at >= table)
			assert_recovered(f->ps, N);
		b.data[at] ^= (uint8_t)(1u << at % 8);
	}
	buf_fini(&b);
}

struct judge {
	uint32_t promised; /* slots below are */
	uint32_t asked, bad, last_bad;
};

static bool judge_promised(void *ctx, uint32_t slot, const struct digest *d)
{
	struct judge *j = ctx;
	uint8_t bytes[PIECE_MAX];

	j->asked++;
	for (uint32_t i = 0; i < j->promised; i++) {
		struct pack_entry e = piece(i, bytes);

		if ((slot == i || slot == PACK_NO_SLOT) && digest_equal(&e.digest, d))
			return true;
	}
	return false;
}

static void judge_bad(void *ctx, uint32_t slot, const struct digest *d)
{
	struct judge *j = ctx;

	j->bad++;
	j->last_bad = slot;
}

static int judged(struct packs *ps, struct judge *j)
{
	return pack_recover(ps, 1, &(struct pack_recovery){ judge_promised, judge_bad, j });
}

/* Recovered with @n slots, of which @hurt has wrong bytes. */
static void assert_all_but(struct packs *ps, uint32_t n, uint32_t hurt_slot)
{
	struct pack *p = opened(ps, 1);

	assert_true(pack_whole(p));
	assert_int_equal(pack_count(p), n);
	for (uint32_t i = 0; i < n; i++)
		if (i != hurt_slot)
			assert_piece(p, i, i);
	pack_release(p);
}

/* A torn end, as far as anybody knows: it goes. */
static void what_was_not_promised_ends_at_the_first_damage(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;

	small_pack(f->ps, false, &b);
	for (size_t at = 64; at < b.len; at++) {
		uint32_t whole = whole_pieces(at, N);
		struct judge j = { .promised = whole };

		b.data[at] ^= 0xff;
		raw_set(f->ps, 1, b.data, b.len);
		assert_true(checked(f->ps, 1).count > 1);
		assert_int_equal(judged(f->ps, &j), whole ? 0 : -ENOENT);
		assert_int_equal(j.bad, 0);
		if (whole)
			assert_recovered(f->ps, whole);
		b.data[at] ^= 0xff;
	}
	buf_fini(&b);
}

/* The same damage in what was promised: the chunk is bad, those behind it stay; a header that is gone cannot be
 * counted over, so then nothing is changed. */
static void what_was_promised_is_never_cut(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;

	small_pack(f->ps, false, &b);
	for (size_t at = 64; at < piece_offset(N - 1); at++) {
		uint32_t slot = whole_pieces(at, N);
		struct judge j = { .promised = N };

		b.data[at] ^= 0xff;
		raw_set(f->ps, 1, b.data, b.len);
		if (at < piece_offset(slot) + 64) {
			assert_int_equal(judged(f->ps, &j), -EBADMSG);
			assert_raw(f->ps, 1, &b);
		} else {
			assert_int_equal(judged(f->ps, &j), 0);
			assert_int_equal(j.bad, 1);
			assert_int_equal(j.last_bad, slot);
			assert_all_but(f->ps, N, slot);
		}
		b.data[at] ^= 0xff;
	}
	buf_fini(&b);
}

/* Nobody can say what was promised: whole chunks stay. */
static void where_nobody_knows_whole_chunks_stay(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;

	small_pack(f->ps, false, &b);
	for (size_t at = 64; at < b.len; at++) {
		uint32_t slot = whole_pieces(at, N);
		bool header = at < piece_offset(slot) + 64;

		b.data[at] ^= 0xff;
		raw_set(f->ps, 1, b.data, b.len);
		if (slot < N - 1 && header) {
			assert_int_equal(pack_recover(f->ps, 1, NULL), -EBADMSG);
			assert_raw(f->ps, 1, &b);
		} else {
			assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
			assert_all_but(f->ps, slot < N - 1 ? N : N - 1, slot);
		}
		b.data[at] ^= 0xff;
	}
	buf_fini(&b);
}

/* Or it could be another pack under this name. */
static void open_pack_without_a_header_is_believed_only_by_its_promises(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;
	struct judge some = { .promised = 2 }, none = { 0 };

	small_pack(f->ps, false, &b);
	for (size_t at = 0; at < 64; at++) {
		/* One bit is as if it were right. */
		b.data[at] ^= 1;
		raw_set(f->ps, 1, b.data, b.len);
		assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
		assert_recovered(f->ps, N);
		b.data[at] ^= 0x80;
		raw_set(f->ps, 1, b.data, b.len);
		assert_int_equal(pack_recover(f->ps, 1, NULL), -EUCLEAN);
		assert_int_equal(judged(f->ps, &none), -EUCLEAN);
		assert_raw(f->ps, 1, &b);
		assert_int_equal(judged(f->ps, &some), 0);
		assert_recovered(f->ps, N);
		b.data[at] ^= 0x81;
	}
	buf_fini(&b);
}

/* The trailer is a promise that the chunks were safe, so nothing may be cut. */
static void once_sealed_pack_is_never_cut(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;
	struct judge j = { 0 };

	small_pack(f->ps, true, &b);
	b.data[piece_offset(N)] ^= 1;
	b.data[piece_offset(3)] ^= 0xff;
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(judged(f->ps, &j), -EBADMSG);
	assert_raw(f->ps, 1, &b);
	assert_int_equal(checked(f->ps, 1).count, 2);

	/* Every header is there: the table can be written anew, and a chunk that is bad is told. */
	b.data[piece_offset(3)] ^= 0xff;
	b.data[piece_offset(3) + 80] ^= 1;
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(checked(f->ps, 1).count, 2);
	assert_int_equal(judged(f->ps, &j), 0);
	assert_int_equal(j.bad, 1);
	assert_int_equal(j.last_bad, 3);
	assert_all_but(f->ps, N, 3);
	assert_int_equal(checked(f->ps, 1).count, 1);
	buf_fini(&b);
}

/* The trailer is gone, but a table where a table must be says the same. */
static void table_without_a_trailer_is_a_promise_too(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;
	struct judge j = { 0 };

	small_pack(f->ps, true, &b);
	memset(b.data + b.len - 64, 0x5a, 64);
	b.data[piece_offset(N - 1) + 80] ^= 1;
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(judged(f->ps, &j), 0);
	assert_int_equal(j.bad, 1);
	assert_all_but(f->ps, N, N - 1);
	buf_fini(&b);
}

/* One bit of any header: written as it was. */
static void headers_of_a_sealed_pack_are_mended(void **state)
{
	struct fixture *f = *state;
	struct buf good = BUF_INIT, b = BUF_INIT;

	small_pack(f->ps, true, &good);
	for (size_t at = 0; at < piece_offset(N); at++) {
		uint32_t slot = whole_pieces(at, N);

		if (at >= 64 && at >= piece_offset(slot) + 64)
			continue;
		b.len = 0;
		buf_append(&b, good.data, good.len);
		b.data[at] ^= 0x10;
		raw_set(f->ps, 1, b.data, b.len);
		assert_int_equal(checked(f->ps, 1).count, 1);
		assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
		assert_recovered(f->ps, N);
		if (at >= 64)
			assert_raw(f->ps, 1, &good);
	}
	/* Another pack's is no better than a damaged one; of another version, nobody knows what it means. */
	for (int version = 0; version < 2; version++) {
		b.len = 0;
		buf_append(&b, good.data, good.len);
		b.data[version ? 8 : 16] = 3;
		raw_resum(b.data);
		raw_set(f->ps, 1, b.data, b.len);
		assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
		assert_int_equal(checked(f->ps, 1).count, version);
	}
	buf_fini(&b);
	buf_fini(&good);
}

static bool is_piece(void *ctx, uint32_t slot, const struct pack_entry *e, const void *stored)
{
	const uint8_t *p = stored;

	for (uint32_t at = 0; at < e->stored_len; at++)
		if (p[at] != piece_byte(slot, at))
			return false;
	return true;
}

static const struct pack_recovery by_digest = { .whole = is_piece };

/* Three of them: the table and the stored bytes say all that they said. */
static void destroy_headers(struct fixture *f, const struct buf *good, struct buf *b)
{
	b->len = 0;
	buf_append(b, good->data, good->len);
	for (unsigned slot = 1; slot < 4; slot++)
		memset(b->data + piece_offset(slot), 0xa0 + (int)slot, 64);
	raw_set(f->ps, 1, b->data, b->len);
}

static void destroyed_headers_of_a_sealed_pack_are_written_anew(void **state)
{
	struct fixture *f = *state;
	struct buf good = BUF_INIT, b = BUF_INIT;

	small_pack(f->ps, true, &good);
	destroy_headers(f, &good, &b);
	assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
	assert_int_equal(checked(f->ps, 1).count, 3);
	assert_int_equal(pack_recover(f->ps, 1, &by_digest), 0);
	assert_raw(f->ps, 1, &good);
	/* Of bytes that do not fit their digest nothing is said. */
	destroy_headers(f, &good, &b);
	b.data[piece_offset(2) + 64] ^= 1;
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_recover(f->ps, 1, &by_digest), 0);
	assert_int_equal(checked(f->ps, 1).count, 1);
	buf_fini(&b);
	buf_fini(&good);
}

/* Whatever step fails, what is in the pack can be read, and the next time it is mended. */
static void headers_that_are_half_written_cost_nothing(void **state)
{
	struct fixture *f = *state;
	struct buf good = BUF_INIT, b = BUF_INIT;
	struct packs *faulty;
	bool met = true;

	small_pack(f->ps, true, &good);
	for (uint64_t step = 1; met; step++) {
		struct packs_fault fault = { PACKS_WRITE | PACKS_SYNC, step, true, PACKS_PARTLY, -EIO };
		struct pack *p;
		int r;

		destroy_headers(f, &good, &b);
		assert_int_equal(packs_faulty_new(f->ps, &faulty), 0);
		packs_faulty_plan(faulty, &fault);
		r = pack_recover(faulty, 1, &by_digest);
		met = packs_faulty_met(faulty);
		assert_int_equal(r, met ? -EIO : 0);
		packs_close(faulty);
		p = opened(f->ps, 1);
		assert_pieces(p, N);
		pack_release(p);
		assert_int_equal(pack_recover(f->ps, 1, &by_digest), 0);
		assert_raw(f->ps, 1, &good);
		assert_true(step <= 6);
	}
	buf_fini(&b);
	buf_fini(&good);
}

static void check_without_data_reads_no_stored_bytes(void **state)
{
	struct fixture *f = *state;
	struct faults faults = { 0 };
	struct buf b = BUF_INIT;

	small_pack(f->ps, true, &b);
	b.data[piece_offset(2) + 80] ^= 1;
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_check(f->ps, 1, false, count_fault, &faults), 0);
	assert_int_equal(faults.count, 0);
	assert_int_equal(checked(f->ps, 1).first_slot, 2);
	b.data[piece_offset(4) + 20] ^= 1;
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_check(f->ps, 1, false, count_fault, &faults), 0);
	assert_int_equal(faults.count, 1);
	assert_int_equal(faults.first_slot, 4);
	buf_fini(&b);
}

struct seen {
	uint32_t n, slot[8];
};

static void see(void *ctx, uint32_t slot, const char *what)
{
	struct seen *s = ctx;

	assert_true(s->n < ARRAY_LEN(s->slot));
	s->slot[s->n++] = slot;
}

static void check_goes_on_behind_a_fault(void **state)
{
	struct fixture *f = *state;
	struct seen seen = { 0 };
	struct buf b = BUF_INIT;

	small_pack(f->ps, true, &b);
	b.data[3] ^= 1;			       /* the header */
	b.data[piece_offset(1) + 12] ^= 1;     /* a length */
	b.data[piece_offset(2) + 64] ^= 1;     /* a stored byte */
	b.data[piece_offset(N) - 1] ^= 1;      /* the last one */
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_check(f->ps, 1, true, see, &seen), 0);
	assert_int_equal(seen.n, 4);
	assert_int_equal(seen.slot[0], PACK_NO_SLOT);
	assert_int_equal(seen.slot[1], 1);
	assert_int_equal(seen.slot[2], 2);
	assert_int_equal(seen.slot[3], N - 1);
	assert_int_equal(pack_check(f->ps, 2, true, see, &seen), -ENOENT);
	buf_fini(&b);
}

/* Both sums right, and yet the table speaks of another chunk. */
static void check_compares_table_and_entries(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;
	struct faults faults;

	small_pack(f->ps, true, &b);
	b.data[piece_offset(N) + 2 * 40 + 5] ^= 1;
	put_le64(b.data + b.len - 64 + 40, sum64(b.data + piece_offset(N), N * 40));
	raw_resum(b.data + b.len - 64);
	raw_set(f->ps, 1, b.data, b.len);
	faults = checked(f->ps, 1);
	assert_int_equal(faults.count, 1);
	assert_int_equal(faults.first_slot, 2);
	buf_fini(&b);
}

static void other_packs_and_versions_are_not_touched(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;

	for (int sealed = 0; sealed < 2; sealed++) {
		assert_int_equal(pack_unlink(f->ps, 1), 0);
		small_pack(f->ps, sealed, &b);
		raw_set(f->ps, 2, b.data, b.len);
		assert_int_equal(pack_recover(f->ps, 2, NULL), -EUCLEAN);
		assert_raw(f->ps, 2, &b);
		b.data[8] = 2;
		raw_resum(b.data);
		if (sealed) {
			b.data[b.len - 64 + 8] = 2;
			raw_resum(b.data + b.len - 64);
		}
		raw_set(f->ps, 1, b.data, b.len);
		assert_int_equal(pack_recover(f->ps, 1, NULL), -EPROTONOSUPPORT);
		assert_raw(f->ps, 1, &b);
		assert_true(checked(f->ps, 1).count > 0);
	}
	b.len = 0;
	for (unsigned i = 0; i < 5000; i++)
		buf_put_u8(&b, piece_byte(3, i));
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_recover(f->ps, 1, NULL), -EUCLEAN);
	assert_raw(f->ps, 1, &b);
	buf_fini(&b);
}

/* A recovery that runs out of space can be repeated. */
static void failed_recovery_can_be_repeated(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;

	small_pack(f->ps, false, &b);
	packs_mem_set_space(f->ps, 10, 100);
	assert_int_equal(pack_recover(f->ps, 1, NULL), -ENOSPC);
	packs_mem_set_space(f->ps, 1000, 1000);
	packs_mem_plan_sync_fault(f->ps, 2, EIO);
	assert_int_equal(pack_recover(f->ps, 1, NULL), -EIO);
	assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
	assert_recovered(f->ps, N);
	buf_fini(&b);
}

/* Not ours: an entry where the table would have to be.  What is left can be sealed and opened. */
static void pack_longer_than_any_of_ours_is_cut_to_length(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 0);
	struct pack_entry e = { .raw_len = PACK_CHUNK_MAX, .stored_len = PACK_CHUNK_MAX };
	uint8_t *bytes = calloc(1, PACK_CHUNK_MAX), head[PACK_ENTRY_BYTES];
	struct buf b = BUF_INIT;
	uint32_t slot, n = 0;

	while (pack_append(p, &e, bytes, &slot) == 0)
		n++;
	pack_release(p);
	raw_get(f->ps, 1, &b);
	pack_entry_pack(&e, sum64(bytes, PACK_CHUNK_MAX), head);
	for (int more = 0; more < 3; more++) {
		buf_append(&b, head, sizeof(head));
		buf_append(&b, bytes, PACK_CHUNK_MAX);
	}
	raw_set(f->ps, 1, b.data, b.len);
	assert_int_equal(pack_recover(f->ps, 1, NULL), 0);
	p = opened(f->ps, 1);
	assert_int_equal(pack_count(p), n);
	pack_release(p);
	buf_fini(&b);
	free(bytes);
}

static int pread_hurts(struct pack_file *f, void *buf, size_t n, uint64_t off)
{
	return ++hurt_calls == hurt_at ? -EIO : well->pread(f, buf, n, off);
}

/* A byte that cannot be read now is not a byte that was never written. */
static void read_error_stops_recovery_and_cuts_nothing(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;
	unsigned reads = 0;
	int r;

	small_pack(f->ps, false, &b);
	do {
		begin_hurt(f->ps);
		hurt.pread = pread_hurts;
		hurt_at = ++reads;
		r = pack_recover(f->ps, 1, NULL);
		heal(f->ps);
		if (r) {
			assert_int_equal(r, -EIO);
			assert_raw(f->ps, 1, &b);
		}
	} while (r);
	/* The trailer; header, trailer, last rows; the header; the entries; their headers.  One more failed nothing. */
	assert_int_equal(reads, 1 + 3 + 1 + 2 * N + N + 1);
	assert_recovered(f->ps, N);
	buf_fini(&b);
}

static void read_error_is_a_fault_of_its_slot(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;
	struct faults faults;

	small_pack(f->ps, true, &b);
	for (unsigned at = 1; at <= 4 + 2 * N; at++) {
		begin_hurt(f->ps);
		hurt.pread = pread_hurts;
		hurt_at = at;
		faults = checked(f->ps, 1);
		heal(f->ps);
		assert_true(faults.count > 0);
		/* Read are the header, the trailer twice, the table, and of each slot header and bytes. */
		assert_int_equal(faults.first_slot, at <= 4 ? PACK_NO_SLOT : (at - 5) / 2);
	}
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_both(unsealed_pack_is_finished),
		test_both(sealed_pack_is_left_alone),
		test_mem(sealed_pack_is_safe_after_recovery),
		test_both(empty_pack_is_removed),
		test_mem(torn_end_of_any_length_leaves_the_whole_chunks),
		test_mem(zeros_behind_the_end_are_cut),
		test_mem(any_damaged_byte_of_a_sealed_pack_is_found),
		test_mem(what_was_not_promised_ends_at_the_first_damage),
		test_mem(what_was_promised_is_never_cut),
		test_mem(where_nobody_knows_whole_chunks_stay),
		test_mem(open_pack_without_a_header_is_believed_only_by_its_promises),
		test_both(once_sealed_pack_is_never_cut),
		test_both(table_without_a_trailer_is_a_promise_too),
		test_mem(headers_of_a_sealed_pack_are_mended),
		test_both(destroyed_headers_of_a_sealed_pack_are_written_anew),
		test_mem(headers_that_are_half_written_cost_nothing),
		test_both(check_without_data_reads_no_stored_bytes),
		test_both(check_goes_on_behind_a_fault),
		test_both(check_compares_table_and_entries),
		test_both(other_packs_and_versions_are_not_touched),
		test_mem(failed_recovery_can_be_repeated),
		test_mem(pack_longer_than_any_of_ours_is_cut_to_length),
		test_mem(read_error_stops_recovery_and_cuts_nothing),
		test_mem(read_error_is_a_fault_of_its_slot),
	};

	return cmocka_run_group_tests_name("pack_scan", tests, NULL, NULL);
}
