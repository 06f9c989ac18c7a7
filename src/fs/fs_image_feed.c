/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_image_feed: the bytes of a writing session, front to back, through a parser that turns them into objects as they
 * come: so nothing is kept twice and a broken image is known by its first wrong byte.  What nobody wrote comes from the
 * old image, or is a hole.  And how the image reads while it is being written.
 */
#include <errno.h>

#include "fs/fs_errno.h"
#include "fs/image_session.h"

#define COPY_BYTES (1u << 20)

static int on_record(void *ctx, const void *p, size_t n)
{
	return fs_errno(volume_append_record(((struct image_session *)ctx)->vol, 0, p, n));
}

static int on_mark(void *ctx)
{
	return fs_errno(volume_append_filemark(((struct image_session *)ctx)->vol, 0));
}

static int on_end(void *ctx)
{
	((struct image_session *)ctx)->eom = true;
	return 0;
}

static const struct image_events events = { on_record, on_mark, on_end };

int image_feed(struct image_session *s, const void *p, size_t n)
{
	int r = s->error;

	if (!r)
		r = image_parser_feed(s->parser, p, n);
	if (r) {
		s->error = r == -EUCLEAN || r == -EPROTONOSUPPORT ? -EINVAL : fs_errno(r);
		return s->error;
	}
	s->pos += n;
	return 0;
}

/* Up to @end, from the old image. */
static int feed_source(struct image *img, uint64_t end, uint8_t *buf)
{
	struct image_session *s = img->session;
	size_t n, got = 0;
	int r = 0;

	while (!r && s->pos < end) {
		n = end - s->pos < COPY_BYTES ? (size_t)(end - s->pos) : COPY_BYTES;
		r = image_source_read(img, s->pos, buf, n, &got);
		if (!r)
			r = got ? image_feed(s, buf, got) : err_origin(-EUCLEAN);
	}
	return fs_errno(r);
}

/* Up to @end, zeros: cp leaves out those that a record of zeros has. */
static int feed_zeros(struct image_session *s, uint64_t end, uint8_t *buf)
{
	size_t n;
	int r = 0;

	if (end - s->pos > HOLE_MAX)
		return -EINVAL;
	memset(buf, 0, COPY_BYTES);
	while (!r && s->pos < end) {
		n = end - s->pos < COPY_BYTES ? (size_t)(end - s->pos) : COPY_BYTES;
		r = image_feed(s, buf, n);
	}
	return r;
}

/* What nobody wrote up to @end: the old bytes as far as they go, then a hole. */
int image_feed_gap(struct image *img, uint64_t end)
{
	struct image_session *s = img->session;
	uint64_t old = s->has_source ? image_source_size(img) : 0;
	uint8_t *buf;
	int r;

	if (s->pos >= end)
		return 0;
	buf = malloc(COPY_BYTES);
	if (!buf)
		return err_origin(-ENOMEM);
	r = feed_source(img, old < end ? old : end, buf);
	if (!r && s->pos < end)
		r = feed_zeros(s, end, buf);
	free(buf);
	return r;
}

void image_session_free(struct image_session *s)
{
	image_tap_free(s->tap);
	image_parser_free(s->parser);
	free(s);
}

int image_session_new(enum session_kind kind, bool incoming, struct image_session **out)
{
	struct image_session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_origin(-ENOMEM);
	s->kind = kind;
	s->incoming = incoming;
	r = image_parser_new(IMAGE_TAP, &events, s, &s->parser);
	if (r)
		free(s);
	else
		*out = s;
	return r;
}

uint64_t image_session_size(const struct image *img)
{
	const struct image_session *s = img->session;
	uint64_t old = s->has_source ? image_source_size(img) : 0;

	if (s->final_set)
		return s->final;
	return s->pos > old ? s->pos : old;
}

/* What has been written, then the old bytes behind it. */
int image_session_read(struct image *img, uint64_t off, void *buf, size_t n, size_t *got)
{
	struct image_session *s = img->session;
	struct tape_tally end;
	const uint8_t *tail;
	uint64_t in_tap;
	size_t len;
	int r;

	*got = 0;
	if (off >= s->pos)
		return s->has_source ? image_source_read(img, off, buf, n, got) : 0;
	if (n > s->pos - off)
		n = (size_t)(s->pos - off);
	r = fs_errno(volume_end(s->vol, 0, &end));
	if (r)
		return r;
	in_tap = image_tap_size(&end, false);
	if (off < in_tap)
		return fs_errno(image_tap_read(s->tap, off, buf, n, got));
	tail = image_parser_tail(s->parser, &len);
	off -= in_tap;
	if (off < len) {
		*got = len - off < n ? len - (size_t)off : n;
		memcpy(buf, tail + off, *got);
	} else if (s->eom) {
		*got = n < 4 ? n : 4;
		memset(buf, 0xff, *got);
	}
	return 0;
}
