/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tarball: the archives that lie on tapes.  Names the members of one and where each lies, with libarchive, whatever kind
 * of archive it is (tar, cpio, compressed or not).  It reads headers and skips what lies between them.
 */
#ifndef VTAPE_TARBALL_H
#define VTAPE_TARBALL_H

#include <vtape/util.h>

enum { TARBALL_E_NONE = 1 };	/* not an archive of any kind that is known */

/* Where an archive is read from.  @read: up to @n bytes from @offset, *got 0 at the end; < 0 ends the reading.  Where
 * bytes are damaged it gives others that are not zero: a block of zeros would be the end of a tar archive. */
struct tarball_source {
	int (*read)(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got);
	void *ctx;
	uint64_t size;
};

struct tarball_member {
	const char *path;	/* as the archive has it, in UTF-8 if it can be had; borrowed */
	char type;		/* as ls(1) shows it: '-', 'd', 'l', 'h' (hard link), 'c', 'b', 'p', 's' */
	uint64_t size;		/* of its data, 0 if it has none */
	uint64_t from, to;	/* bytes of the archive that it takes, headers included.  Of a compressed archive: those
				 * that had to be read to come to its beginning, and to its end */
};
struct tarball_info {
	char format[64];	/* libarchive's words: "GNU tar format", "POSIX cpio", ... */
	bool compressed;	/* to read one byte of it, all before is read */
	bool broken;		/* it could not be read to its end */
};
/* Members in the order of the archive; non-zero from @each ends it and is returned.  Damaged headers are passed over where
 * the format allows it.  @info is true when it returns, and may be NULL. */
int tarball_each(const struct tarball_source *src, struct tarball_info *info,
		 int (*each)(void *ctx, const struct tarball_member *m), void *ctx);

#endif
