/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What both drivers of image formats do.  The first byte of the input is the size of the pieces in which the rest is
 * fed. Promised: pieces of any size give the same objects and the same answer; a record has 1 to TAPE_RECORD_MAX
 * bytes; what is left over at a point is a tail of what was fed; an image that was taken can be framed again, and
 * gives the same objects.
 */
#ifndef FUZZ_IMAGE_H
#define FUZZ_IMAGE_H

#include <errno.h>

#include <vtape/image.h>

#include "fuzz/fuzz.h"

struct seen { struct image_framer *fr; struct buf framed; unsigned objects; bool ended; };

static inline int seen_record(void *ctx, const void *p, size_t n)
{
	struct seen *s = ctx;

	fuzz_require(n >= 1 && n <= TAPE_RECORD_MAX && !s->ended);
	s->objects++;
	return image_frame_record(s->fr, p, n, &s->framed);
}

static inline int seen_mark(void *ctx)
{
	struct seen *s = ctx;

	fuzz_require(!s->ended);
	s->objects++;
	return image_frame_mark(s->fr, &s->framed);
}

static inline int seen_end(void *ctx)
{
	struct seen *s = ctx;

	fuzz_require(!s->ended);
	s->ended = true;
	return 0;
}

/* What was seen comes framed, in the same format. */
static inline int parse(enum image_format f, const uint8_t *p, size_t n, size_t piece, struct seen *s)
{
	static const struct image_events events = { seen_record, seen_mark, seen_end };
	struct image_parser *parser;
	const uint8_t *tail;
	size_t fed = 0, part, left;
	int r = 0;

	*s = (struct seen){ NULL, BUF_INIT, 0, false };
	fuzz_require(image_framer_new(f, &s->fr) == 0);
	fuzz_require(image_parser_new(f, &events, s, &parser) == 0);
	while (fed < n && !r) {
		part = n - fed < piece ? n - fed : piece;
		r = image_parser_feed(parser, p + fed, part);
		fed += part;
		tail = image_parser_tail(parser, &left);
		fuzz_require(left <= fed && (r || s->ended || !left || !memcmp(tail, p + fed - left, left)));
	}
	if (!r)
		r = image_parser_finish(parser);
	fuzz_require(r == 0 || r == -EUCLEAN || r == -EPROTONOSUPPORT);
	fuzz_require(image_parser_finish(parser) == r);
	image_parser_free(parser);
	image_framer_free(s->fr);
	return r;
}

static inline void fuzz_image(enum image_format f, const uint8_t *data, size_t size)
{
	struct seen whole, pieces, again;
	int r;

	log_set_level(LOG_LEVEL_ERROR);
	if (size < 1)
		return;
	image_guess(data + 1, size - 1, NULL);
	r = parse(f, data + 1, size - 1, size, &whole);
	fuzz_require(parse(f, data + 1, size - 1, data[0] + 1u, &pieces) == r);
	fuzz_require(whole.objects == pieces.objects && whole.framed.len == pieces.framed.len);
	fuzz_require(!whole.framed.len || !memcmp(whole.framed.data, pieces.framed.data, whole.framed.len));
	fuzz_require(parse(f, whole.framed.data, whole.framed.len, 4096, &again) == 0);
	fuzz_require(again.objects == whole.objects && again.framed.len == whole.framed.len);
	fuzz_require(!whole.framed.len || !memcmp(whole.framed.data, again.framed.data, whole.framed.len));
	buf_fini(&whole.framed);
	buf_fini(&pieces.framed);
	buf_fini(&again.framed);
}

#endif
