/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where zstd data end.  Programs fill the last record on tape up with zeros.  The other readers of libarchive see that
 * these are no more of theirs; that of zstd fails for it, and loses what it had unpacked.  So the frames are walked
 * along, from header to header (RFC 8878, 3.1), and what is behind the last is kept from it.
 */
#include "tarball/tarball_zstd.h"

#include <vtape/util.h>

#define MAGIC 0xfd2fb528u
#define MAGIC_SKIPPABLE 0x184d2a50u	/* and the 15 behind it */

/* Bytes that the state needs to go on; of a frame's header by what its first byte says. */
static unsigned needed(const struct zstd_walk *z)
{
	static const unsigned dictionary[] = { 0, 1, 2, 4 }, size[] = { 0, 2, 4, 8 };
	uint8_t d = z->head[0];
	bool single = d & 0x20;

	switch (z->state) {
	case ZSTD_HEAD:
		if (z->skippable)
			return 4;
		return !z->have ? 1 : 1 + !single + dictionary[d & 3] + (d >> 6 ? size[d >> 6] : single);
	case ZSTD_BLOCK: return 3;
	default: return 4;
	}
}

/* The next header is here: what it says. */
static void step(struct zstd_walk *z)
{
	uint32_t word = get_le32(z->head);

	z->have = 0;
	switch (z->state) {
	case ZSTD_FIRST:
	case ZSTD_FRAME:
		z->skippable = (word & ~15u) == MAGIC_SKIPPABLE;
		z->state = word == MAGIC || z->skippable ? ZSTD_HEAD : z->state == ZSTD_FIRST ? ZSTD_NONE : ZSTD_END;
		break;
	case ZSTD_HEAD:
		z->sum = z->head[0] & 4;
		z->pass = z->skippable ? word : 0;
		z->state = z->skippable ? ZSTD_FRAME : ZSTD_BLOCK;
		break;
	case ZSTD_BLOCK:
		word &= 0xffffff;
		z->last = word & 1;
		z->pass = (word >> 1 & 3) == 1 ? 1 : word >> 3;
		z->state = !z->last ? ZSTD_BLOCK : z->sum ? ZSTD_SUM : ZSTD_FRAME;
		break;
	case ZSTD_SUM:
		z->state = ZSTD_FRAME;
		break;
	default:
		break;
	}
}

size_t zstd_walk_take(struct zstd_walk *z, const uint8_t *p, size_t n)
{
	size_t at = 0, frame = 0;	/* frame: where one may begin, if that is here */

	while (at < n && z->state != ZSTD_NONE && z->state != ZSTD_END) {
		if (z->pass) {
			size_t some = z->pass < n - at ? (size_t)z->pass : n - at;
			z->pass -= some;
			at += some;
			continue;
		}
		if (z->state == ZSTD_FRAME && !z->have)
			frame = at;
		z->head[z->have++] = p[at++];
		if (z->have == needed(z))
			step(z);
	}
	if (z->state == ZSTD_END)
		return frame;
	/* The next frame's beginning is seen whole, so that none of what is not one was taken. */
	if (z->state == ZSTD_FRAME && z->have) {
		z->have = 0;
		return frame;
	}
	return z->state == ZSTD_NONE ? n : at;
}
