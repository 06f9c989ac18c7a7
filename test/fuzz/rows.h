/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drivers of several parsers: the first byte of the input is the letter of one, the rest is what it takes, in memory of
 * just that length.  The top bit asks that the sum in the last eight bytes be made right before, since a fuzzer does
 * not find it by itself.
 */
#ifndef FUZZ_ROWS_H
#define FUZZ_ROWS_H

#include <string.h>

#include <vtape/util.h>

#include "fuzz/fuzz.h"

struct fuzz_row { char letter; void (*try)(const uint8_t *p, size_t n); bool summed; };

static inline int fuzz_one_row(const struct fuzz_row *rows, size_t count, const uint8_t *data, size_t size)
{
	CLEANUP(freep) uint8_t *row = NULL;
	size_t n = size - 1;

	if (size < 1)
		return 0;
	log_set_level(LOG_LEVEL_ERROR);
	row = malloc(n ? n : 1);
	fuzz_require(row);
	memcpy(row, data + 1, n);
	for (size_t i = 0; i < count; i++) {
		if (rows[i].letter != (char)(data[0] & 0x7f))
			continue;
		if ((data[0] & 0x80) && rows[i].summed && n >= 8)
			put_le64(row + n - 8, sum64(row, n - 8));
		rows[i].try(row, n);
	}
	return 0;
}

#endif
