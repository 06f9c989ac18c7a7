/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pack of foreign bytes: opened, checked, recovered.  The first byte of the input says which sums to make right
 * before, since a fuzzer does not find them by itself; the rest is the file.
 *
 *	1 header   2 entries' headers   4 stored bytes   8 table   16 trailer
 *
 * 32: recovery is told of promises.
 */
#include <errno.h>

#include "fuzz/fuzz.h"
#include "pack/backing.h"
#include "pack/format.h"

#define NUMBER 1

static void resum(uint8_t *p)
{
	put_le64(p + PACK_SUMMED_BYTES, sum64(p, PACK_SUMMED_BYTES));
}

static void resum_entries(uint8_t *p, size_t n, unsigned which)
{
	size_t at = PACK_HEADER_BYTES;

	while (n - at > PACK_ENTRY_BYTES) {
		uint32_t len = get_le32(p + at + 12);

		if (len < 1 || len > n - at - PACK_ENTRY_BYTES)
			return;
		if (which & 4)
			put_le64(p + at + 48, sum64(p + at + PACK_ENTRY_BYTES, len));
		if (which & 2)
			resum(p + at);
		at += PACK_ENTRY_BYTES + len;
	}
}

static void make_sums_right(uint8_t *p, size_t n, unsigned which)
{
	uint8_t *trailer = p + n - PACK_TRAILER_BYTES;

	if (n < PACK_HEADER_BYTES + PACK_TRAILER_BYTES)
		return;
	if (which & 1)
		resum(p);
	if (which & 6)
		resum_entries(p, n, which);
	if (which & 8) {
		uint64_t rows = get_le32(trailer + 12), offset = get_le64(trailer + 16);

		if (offset <= n && rows * PACK_ROW_BYTES <= n - offset)
			put_le64(trailer + 40, sum64(p + offset, (size_t)rows * PACK_ROW_BYTES));
	}
	if (which & 16)
		resum(trailer);
}

/* What a pack says of itself once it is open: slots lie in the file, one behind the other, and can be read.  Without a
 * whole table some may be lost, and between them may be gaps. */
static void look_at(struct pack *p)
{
	CLEANUP(freep) uint8_t *buf = malloc(PACK_CHUNK_MAX);
	uint64_t end = PACK_HEADER_BYTES;
	struct pack_entry e;
	uint32_t slot, known = 0;

	fuzz_require(buf && pack_sealed(p));
	for (uint32_t i = 0; i < pack_count(p); i++) {
		int r = pack_entry(p, i, &e);

		fuzz_require(r == 0 || (r == -EBADMSG && !pack_whole(p)));
		if (r)
			continue;
		known++;
		fuzz_require(e.offset == end + PACK_ENTRY_GAP || (e.offset > end && !pack_whole(p)));
		fuzz_require(e.raw_len >= 1 && e.raw_len <= PACK_CHUNK_MAX);
		fuzz_require(e.stored_len >= 1 && e.stored_len <= PACK_CHUNK_MAX);
		fuzz_require(pack_pread(p, buf, e.stored_len, e.offset) == 0);
		fuzz_require(pack_find(p, &e.digest, &slot) == 0 && slot <= i);
		end = e.offset + e.stored_len;
	}
	fuzz_require(end <= pack_bytes(p) && (known > 0 || pack_whole(p)));
	fuzz_require(pack_entry(p, pack_count(p), &e) == -EUCLEAN);
}

static void count(void *ctx, uint32_t slot, const char *what)
{
	++*(unsigned *)ctx;
}

static bool every_other(void *ctx, uint32_t slot, const struct digest *d)
{
	return slot % 2;
}

static void count_bad(void *ctx, uint32_t slot, const struct digest *d)
{
	++*(unsigned *)ctx;
}

static void try_pack(struct packs *ps, bool promises)
{
	CLEANUP(pack_releasep) struct pack *p = NULL, *again = NULL;
	unsigned faults = 0, bad = 0;
	struct pack_recovery how = { promises ? every_other : NULL, count_bad, &bad };
	bool whole;
	int opened, r;

	opened = pack_open(ps, NUMBER, &p);
	if (opened == 0)
		look_at(p);
	whole = opened == 0 && pack_whole(p);
	fuzz_require(pack_check(ps, NUMBER, false, count, &faults) == 0);
	fuzz_require(whole || faults > 0);
	fuzz_require(pack_check(ps, NUMBER, true, count, &faults) == 0);

	r = pack_recover(ps, NUMBER, &how);
	fuzz_require(r <= 0 && (!whole || r == 0));
	fuzz_require((r == -ENOENT) == !pack_exists(ps, NUMBER));
	if (r)
		return;
	fuzz_require(pack_open(ps, NUMBER, &again) == 0 && pack_whole(again));
	look_at(again);
	faults = 0;
	fuzz_require(pack_check(ps, NUMBER, true, count, &faults) == 0);
	fuzz_require(whole || faults >= bad);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pack_file *f;
	struct packs *ps;
	uint8_t *file;

	if (size < 1)
		return 0;
	log_set_level(LOG_LEVEL_ERROR);
	file = malloc(size);
	fuzz_require(file);
	memcpy(file, data + 1, size - 1);
	make_sums_right(file, size - 1, data[0]);
	fuzz_require(packs_mem_new(&ps) == 0);
	fuzz_require(ps->ops->create(ps, NUMBER, file, size - 1, &f) == 0);
	f->ops->release(f);
	free(file);
	try_pack(ps, data[0] & 32);
	packs_close(ps);
	return 0;
}
