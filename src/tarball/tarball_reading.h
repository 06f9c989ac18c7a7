/* SPDX-License-Identifier: BSD-2-Clause */
/* What naming members and reading one have in common: an archive of foreign bytes, opened and walked. */
#ifndef TARBALL_READING_H
#define TARBALL_READING_H

#include <vtape/tarball.h>

#include "tarball/tarball_zstd.h"

#include <archive.h>
#include <archive_entry.h>

#define WINDOW_AHEAD (8u << 10)		/* read at once where nothing says that more is wanted */
#define WINDOW_LISTING (32u << 10)	/* grows to this while headers follow each other closely */
#define WINDOW_BYTES (128u << 10)	/* and to this where all is read anyway */
/*
 * Headers of one member, a map of holes, names of a folder: libarchive keeps them in memory, some twenty times as
 * large.  An archive that has more of them between two members is not read on.  zip and iso9660 have a table of all.
 */
#define HEADER_BYTES_MAX (4u << 20)
#define TABLE_BYTES_MAX (16u << 20)

/* A window on the source: it may skip and seek, and looks ahead the further the longer it is read in one go. */
struct window {
	const struct tarball_source *src;
	uint64_t base;		/* where the archive begins in the source; what follows counts from there */
	uint64_t at;		/* the next byte to hand out */
	uint64_t from;		/* of the bytes held */
	size_t held, ahead, ahead_max;
	uint64_t read;		/* from the source, in all */
	int error;		/* of the source: < 0 */
	uint8_t *bytes;
};

/*
 * Two readers of libarchive, one behind the other: @filter takes the compression off, @a knows members.  Between them
 * every unpacked byte comes by, so that what an archive costs is seen, and ended, here.
 */
struct reading {
	struct window w;
	struct zstd_walk zstd;
	struct archive *filter;		/* NULL: the archive lies as it is */
	struct archive *a;
	struct archive_entry *entry[2];	/* the last two, in turn: what was said of one holds until the next but one */
	unsigned turn;
	struct tarball_limits limits;
	bool linear;			/* tar, cpio, ar: headers and data follow each other as they are told */
	bool in_headers;
	bool broken, limited;
	unsigned bad;			/* damaged headers in a row */
	uint64_t end;			/* of what was handed to @a, in its own bytes */
	uint64_t zeros;			/* how many of the last of these are zero */
	uint64_t in_header;		/* of them, since the last member */
	uint64_t pulled;		/* unpacked by @a itself */
};

/* @from: where in the source; not 0 only for archives that can be begun at any member.  TARBALL_E_NONE: no archive. */
int reading_init(struct reading *r, const struct tarball_source *src, uint64_t from,
		 const struct tarball_limits *limits);
void reading_fini(struct reading *r);

/* The next member, its strings good until the second call from now.  TARBALL_E_NONE: there is no more, .broken says if
 * that is for damage, then .limited if for a limit. */
int reading_next(struct reading *r, struct archive_entry **out);
/* Passes over the bytes of the member that reading_next() gave.  False: it is not whole, and nothing is behind it. */
bool reading_skip(struct reading *r);
/* What kind of member it is, as tarball_member says it, and how many bytes it has. */
#define MEMBER_SIZE_UNKNOWN UINT64_MAX
char member_type(struct archive_entry *e);
uint64_t member_size(struct archive_entry *e);
/* Why it cannot be read on: the source's own error, or -EBADMSG with libarchive's words. */
int reading_error(const struct reading *r);

/* The block before where it is now, of an archive that is not compressed: a header, mostly. False: not to be had. */
bool reading_block(const struct reading *r, uint8_t out[512]);

bool reading_compressed(const struct reading *r);
const char *reading_filter(const struct reading *r);	/* its name; "" if there is none */
/* Where the last reading_next() began to look for a header, and where it left off.  Of what is not linear: bytes of the
 * source that were needed to come here. */
uint64_t reading_header(const struct reading *r);
uint64_t reading_here(const struct reading *r);

#endif
