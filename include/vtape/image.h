/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image: a whole tape as one flat file, in the formats that others read: SIMH .tap and AWS (Hercules, P/390).
 * Reading foreign bytes: a push parser, fed in pieces of any size, gives objects; no byte is trusted.
 * Writing: framing for one object; and, for .tap, any byte of the image at random, from a volume (MNT/images).
 *
 * .tap: record = le32 length, data padded to even, le32 length; 0 = filemark; 0xffffffff = end of medium;
 * 0xfffffffe = gap, skipped; the top byte of a length is a class (0 good; 8: read in error, taken as it is with a
 * warning); others -EUCLEAN.
 * AWS: 6 byte header: le16 length of this block, le16 length of the previous one, flags (0xa0 whole record, 0x80
 * begins, 0x20 ends, 0x40 filemark).  HET-compressed blocks are refused with words (-EPROTONOSUPPORT).
 */
#ifndef VTAPE_IMAGE_H
#define VTAPE_IMAGE_H

#include <vtape/tape.h>
#include <vtape/util.h>

enum image_format { IMAGE_TAP, IMAGE_AWS };
int image_format_parse(const char *name, enum image_format *out);	/* "tap", "aws"; -EINVAL */
const char *image_format_name(enum image_format f);
/* By the file's name (may be NULL), or else by the first bytes (at least 8 if the file has them). */
enum image_format image_guess(const void *head, size_t n, const char *name);

/* What the parser calls, in tape order.  Non-zero stops and is returned. */
struct image_events {
	int (*record)(void *ctx, const void *p, size_t n);	/* a whole record, 1..TAPE_RECORD_MAX bytes, borrowed */
	int (*mark)(void *ctx);
	int (*end)(void *ctx);					/* end of medium; what follows in the file is ignored */
};
struct image_parser;
int image_parser_new(enum image_format f, const struct image_events *ev, void *ctx, struct image_parser **out);
struct image_parser *image_parser_free(struct image_parser *p);
int image_parser_feed(struct image_parser *p, const void *bytes, size_t n);	/* -EUCLEAN with words and the offset */
int image_parser_finish(struct image_parser *p);	/* -EUCLEAN with words if it stops inside a record */
/* Bytes since the last whole object: what would be lost if it stopped here. Borrowed. */
const uint8_t *image_parser_tail(struct image_parser *p, size_t *n);

/* Framing of one object, appended to @out, a record's data with it. */
struct image_framer;	/* AWS needs the previous length; .tap needs nothing */
int image_framer_new(enum image_format f, struct image_framer **out);
struct image_framer *image_framer_free(struct image_framer *fr);
int image_frame_record(struct image_framer *fr, const void *p, size_t n, struct buf *out);
int image_frame_mark(struct image_framer *fr, struct buf *out);
int image_frame_end(struct image_framer *fr, struct buf *out);		/* AWS: two marks unless it ends with one */

/* Random access to a volume's .tap, partition 0.  @eom: an end of medium word behind it. One thread at a time. */
uint64_t image_tap_size(const struct tape_tally *end, bool eom);
struct image_tap;
int image_tap_new(struct volume *v, bool eom, struct image_tap **out);	/* @v borrowed */
struct image_tap *image_tap_free(struct image_tap *t);
/* Up to @n bytes from @offset; *got < n only at the end. */
int image_tap_read(struct image_tap *t, uint64_t offset, void *buf, size_t n, size_t *got);

/* ---- a whole image through a descriptor (a pipe is fine), a mebibyte at a time ---------------------------------- */

/* Told now and then; may be NULL.  @done_bytes of the image.  Non-zero stops and is returned. */
struct image_progress { int (*step)(void *ctx, uint64_t done_bytes, uint64_t objects); void *ctx; };

/* Appends to partition 0 of @v, which the caller made blank or cut.  Everything is on disk when this returns 0.
 * -EUCLEAN and -EPROTONOSUPPORT as the parser, -ENOSPC when the tape is full, -EROFS, all with words; what came before
 * stays appended. */
int image_import(int fd, enum image_format f, struct volume *v, const struct image_progress *pr);
/* Partition 0 of @v. */
int image_export(struct volume *v, enum image_format f, int fd, const struct image_progress *pr);

#endif
