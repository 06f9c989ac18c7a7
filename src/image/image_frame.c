/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_frame: one object after the other becomes bytes of an image.  A record that is longer than a block of AWS may
 * be goes into several, the first and the last of them marked.
 */
#include <errno.h>

#include <vtape/image.h>

#include "image/layout.h"

struct image_framer {
	enum image_format format;
	uint32_t before;	/* AWS: length of the last block */
	bool mark;		/* the last object was one */
};

int image_framer_new(enum image_format f, struct image_framer **out)
{
	struct image_framer *fr = calloc(1, sizeof(*fr));

	if (!fr)
		return err_origin(-ENOMEM);
	fr->format = f;
	*out = fr;
	return 0;
}

struct image_framer *image_framer_free(struct image_framer *fr)
{
	free(fr);
	return NULL;
}

static int aws_put_header(struct image_framer *fr, uint32_t len, uint8_t flags, struct buf *out)
{
	uint8_t h[AWS_HEADER] = { 0 };

	put_le16(h, (uint16_t)len);
	put_le16(h + 2, (uint16_t)fr->before);
	h[4] = flags;
	fr->before = len;
	return buf_append(out, h, sizeof(h));
}

static int aws_put_record(struct image_framer *fr, const uint8_t *p, size_t n, struct buf *out)
{
	uint8_t flags = AWS_BEGIN;
	int r = 0;

	while (n && !r) {
		size_t len = n < AWS_SEGMENT_MAX ? n : AWS_SEGMENT_MAX;

		if (len == n)
			flags |= AWS_END;
		r = aws_put_header(fr, (uint32_t)len, flags, out);
		if (!r)
			r = buf_append(out, p, len);
		flags = 0;
		p += len;
		n -= len;
	}
	return r;
}

static int tap_put_record(const uint8_t *p, size_t n, struct buf *out)
{
	int r;

	r = buf_put_le32(out, (uint32_t)n);
	if (!r)
		r = buf_append(out, p, n);
	if (!r && (n & 1))
		r = buf_put_u8(out, 0);
	return r ? r : buf_put_le32(out, (uint32_t)n);
}

int image_frame_record(struct image_framer *fr, const void *p, size_t n, struct buf *out)
{
	if (!n || n > TAPE_RECORD_MAX)
		return err_origin(-EINVAL);
	fr->mark = false;
	return fr->format == IMAGE_TAP ? tap_put_record(p, n, out) : aws_put_record(fr, p, n, out);
}

int image_frame_mark(struct image_framer *fr, struct buf *out)
{
	fr->mark = true;
	return fr->format == IMAGE_TAP ? buf_put_le32(out, TAP_MARK) : aws_put_header(fr, 0, AWS_MARK, out);
}

int image_frame_end(struct image_framer *fr, struct buf *out)
{
	int r;

	if (fr->format == IMAGE_TAP || fr->mark)
		return 0;
	r = image_frame_mark(fr, out);
	return r ? r : image_frame_mark(fr, out);
}
