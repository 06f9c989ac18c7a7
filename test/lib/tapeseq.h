/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sequence of objects (records and filemarks) that follows from a seed: what a tape should hold can be made again, and
 * compared, without a copy.
 */
#ifndef TEST_TAPESEQ_H
#define TEST_TAPESEQ_H

#include "chance.h"

#define RECORD_MAX (300u << 10)

/* Object @i of the sequence: length of the record, 0 for a filemark.  One in 12 is a mark, never two in a row: for a
 * reader that would be the end of data. */
static inline size_t object_len(uint64_t seed, uint64_t i)
{
	uint64_t r = chance_mix(seed * 1000003 + i);

	if (i % 2 && r % 6 == 0)
		return 0;
	return r % 7 == 0 ? 1 + r / 7 % 100 : 1 + r / 7 % (r % 7 < 4 ? RECORD_MAX / 8 : RECORD_MAX);
}

/* A third of the records repeat what other seeds have at the same place, so that writers share chunks. */
static inline void object_fill(uint64_t seed, uint64_t i, uint8_t *p, size_t n)
{
	uint64_t s = chance_mix(i % 3 == 0 ? i : seed * 7919 + i), v;

	for (size_t k = 0; k < n; k += 8) {
		v = k % 64 < 32 ? chance_mix(s + k) : s;	/* half random, half compressible */
		memcpy(p + k, &v, n - k < 8 ? n - k : 8);
	}
}

#endif
