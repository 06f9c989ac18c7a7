/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tarball: the archives that lie on tapes.  Names the members of one and where each lies, with libarchive: tar of all
 * kinds, cpio, ar, each as it is or compressed with gzip, bzip2, xz, lzma, lzip, zstd, lz4 or compress, but not twice;
 * zip and iso9660.  It reads headers and skips what lies between them.
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

#define TARBALL_NO_PLACE UINT64_MAX
struct tarball_member {
	const char *path;	/* as the archive has it, in UTF-8 if it can be had; borrowed, as all words here */
	char type;		/* as ls(1) shows it: '-', 'd', 'l', 'h' (hard link), 'c', 'b', 'p', 's' */
	uint64_t size;		/* of its data, 0 if it has none.  'h' may have some (cpio, pax): the file's, then */
	uint64_t from, to;	/* bytes of the archive that it takes, headers and padding included.  Of a compressed
				 * archive: those that had to be read to come to its beginning, and to its end */
	uint64_t data;		/* where its bytes begin, one behind the other and all there; TARBALL_NO_PLACE: they
				 * do not lie there as they are (compressed, sparse, cut off), or it has none */
	/* Of GNU tar -M, which goes on on another tape: how many bytes of the file are on those before, .size is the
	 * rest; and how many of .size are not there, because the archive ends before.  Only of bytes that lie as they
	 * are. */
	uint64_t before, missing;
	uint32_t mode, uid, gid;	/* mode: permission bits */
	const char *user, *group;	/* NULL: not said */
	const char *link;		/* target of 'l' and 'h'; NULL: none */
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t dev_major, dev_minor;
};
struct tarball_info {
	char format[64];	/* libarchive's words: "GNU tar format", "POSIX cpio", ... */
	char filter[32];	/* "gzip", ...; "" if it is not compressed */
	bool compressed;	/* by a filter or, as zip and iso9660, by its kind: no member can be begun at .from */
	bool broken;		/* it could not be read to its end */
	bool limited;		/* and that for a limit: then it is broken too */
};

/* What a hostile archive may cost. 0: no limit. */
struct tarball_limits {
	uint64_t members;
	uint64_t unpacked_bytes;	/* of a compressed one, that are unpacked on the way */
	uint64_t unpacked_ratio;	/* and so many times what was read, beyond the first 64 MiB */
};
/* Members in the order of the archive; non-zero from @each ends it and is returned.  Damaged headers are passed over
 * where the format allows it.  @info is true when it returns, and may be NULL; so may @limits. */
int tarball_each(const struct tarball_source *src, const struct tarball_limits *limits, struct tarball_info *info,
		 int (*each)(void *ctx, const struct tarball_member *m), void *ctx);

/*
 * One member's bytes, read forward.  @from: a byte of the archive at which a member begins (tarball_member.from of one
 * that is not compressed, nor ar), or 0; of what comes from there, member @skip is it, counted as tarball_each() tells
 * them.  TARBALL_E_NONE: there is none.  -EBADMSG with words if the archive is damaged.  Borrows what @src names.
 */
struct tarball_stream;
int tarball_stream_new(const struct tarball_source *src, uint64_t from, uint64_t skip, struct tarball_stream **out);
struct tarball_stream *tarball_stream_free(struct tarball_stream *s);
int tarball_stream_read(struct tarball_stream *s, void *buf, size_t n, size_t *got);	/* *got 0: its end */
/* As if @n bytes were read, but holes cost nothing. */
int tarball_stream_skip(struct tarball_stream *s, uint64_t n, uint64_t *got);

/*
 * Members as another archive: a pax stream, with all that was said of each (extended attributes, ACLs, holes too),
 * under the names that the caller gives.  They are asked for in the order of the archive, else it is begun again and
 * again.
 * @write: 0, < 0 ends it.  Zeros stand for what is damaged, so that what follows is whole.
 */
struct tarball_writer;
int tarball_writer_new(int (*write)(void *ctx, const void *p, size_t n), void *ctx, struct tarball_writer **out);
int tarball_writer_end(struct tarball_writer *w);	/* all is written */
struct tarball_writer *tarball_writer_free(struct tarball_writer *w);
/* One more name of it. */
int tarball_writer_link(struct tarball_writer *w, const char *path, const char *target);

struct tarball_copier;
int tarball_copier_new(const struct tarball_source *src, struct tarball_writer *to, struct tarball_copier **out);
struct tarball_copier *tarball_copier_free(struct tarball_copier *c);
struct tarball_pick {
	uint64_t from, nth;		/* @from: as in tarball_stream_new(); @nth: members of the archive before it */
	const char *path;
};
struct tarball_copied {
	uint64_t size, bytes;		/* of the member; how many of them, from the first on, could be read */
	bool whole;
};
/* TARBALL_E_NONE, with words for -EBADMSG or -ENOTSUP: nothing was written, its header is damaged, or it is of a kind
 * that tar has not. */
int tarball_copy(struct tarball_copier *c, const struct tarball_pick *p, struct tarball_copied *out);

/* A file of @size bytes that is in parts in several archives, as one member.  @next gives them in their order, > 0
 * behind the last; what the first says of the file counts.  For the rest as tarball_copy(). */
struct tarball_part {
	struct tarball_source src;	/* borrowed until @next is called again, or it returns */
	uint64_t from, nth;		/* as in tarball_pick */
	uint64_t bytes;			/* that are taken of it */
};
int tarball_join(struct tarball_writer *to, const char *path, uint64_t size,
		 int (*next)(void *ctx, struct tarball_part *out), void *ctx, struct tarball_copied *out);

#endif
