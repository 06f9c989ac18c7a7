/* SPDX-License-Identifier: BSD-2-Clause */
/* Where zstd data end. */
#ifndef TARBALL_ZSTD_H
#define TARBALL_ZSTD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zstd_walk {
	enum { ZSTD_FIRST, ZSTD_FRAME, ZSTD_HEAD, ZSTD_BLOCK, ZSTD_SUM, ZSTD_NONE, ZSTD_END } state;
	uint8_t head[16];	/* what is needed to go on, and how much of it is here */
	unsigned have;
	uint64_t pass;		/* bytes that say nothing, before the next that do */
	bool sum, last, skippable;
};

/* How many of the next @n bytes belong to zstd frames: all of them, or up to a frame's end, and 0 if nothing more does.
 * Bytes that do not begin a frame in the first place are all taken. */
size_t zstd_walk_take(struct zstd_walk *z, const uint8_t *p, size_t n);

#endif
