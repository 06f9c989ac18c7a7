/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_parser: foreign bytes in, objects out.  Bytes come in pieces of any size; an object that lies whole in one
 * piece is handed on from where it is, any other is put together in `tail`, which never holds more than one
 * object.  Every length is checked against its second copy (.tap) or its successor (AWS) before anything is handed
 * on.  What went wrong is told with the offset in the image; after that the parser gives the same answer for ever.
 */
#include <errno.h>

#include <vtape/image.h>

#include "image/layout.h"

/*
 * How far the object under way is understood: its first @known bytes have been looked at, and @need bytes are needed
 * to go on.  It is whole when @whole; then @need is its length.
 */
struct scan {
	size_t known, need;
	bool whole;
	enum { SCAN_RECORD, SCAN_MARK, SCAN_END, SCAN_SKIP } what;
	uint32_t len;		/* of the record */
	unsigned segments;	/* AWS */
};

struct image_parser {
	enum image_format format;
	const struct image_events *ev;
	void *ctx;
	uint64_t offset;	/* in the image, of the object under way */
	struct buf tail;	/* its bytes so far */
	struct scan scan;
	uint32_t before;	/* AWS: length of the block before this object */
	struct buf record;	/* AWS: put together from its segments */
	uint64_t bad, first_bad;	/* .tap: records that were read in error, where the first is */
	bool ended;
	int failed;
};

static int broken(const struct image_parser *p, size_t at, const char *what)
{
	return err_explain(-EUCLEAN, "no %s image, or a damaged one: at byte %llu, %s", image_format_name(p->format),
			   (unsigned long long)(p->offset + at), what);
}

/* ---- .tap ------------------------------------------------------------------------------------------------------ */

static int tap_head(struct image_parser *p, const uint8_t *b)
{
	uint32_t word = get_le32(b);
	struct scan *s = &p->scan;

	s->known = TAP_WORD;
	s->whole = true;
	if (word == TAP_MARK)
		s->what = SCAN_MARK;
	else if (word == TAP_END)
		s->what = SCAN_END;
	else if (word == TAP_GAP)
		s->what = SCAN_SKIP;
	else if (TAP_CLASS(word) != TAP_CLASS_GOOD && TAP_CLASS(word) != TAP_CLASS_BAD)
		return broken(p, 0, "a word that is no length of a record");
	else
		s->whole = false;
	if (s->whole)
		return 0;
	s->len = TAP_LEN(word);
	s->need = tap_record_bytes(s->len);
	/* The drive that the image was made with read nothing there. */
	s->what = s->len ? SCAN_RECORD : SCAN_SKIP;
	if (TAP_CLASS(word) == TAP_CLASS_BAD && !p->bad++)
		p->first_bad = p->offset;
	return 0;
}

static int tap_scan(struct image_parser *p, const uint8_t *b, size_t n)
{
	struct scan *s = &p->scan;
	int r;

	if (!s->known) {
		s->need = TAP_WORD;
		if (n < s->need)
			return 0;
		r = tap_head(p, b);
		if (r || s->whole)
			return r;
	}
	if (n < s->need)
		return 0;
	if (memcmp(b, b + s->need - TAP_WORD, TAP_WORD))
		return broken(p, s->need - TAP_WORD, "a length behind a record that is not the one before it");
	s->whole = true;
	return 0;
}

/* ---- AWS ------------------------------------------------------------------------------------------------------- */

static int aws_header(struct image_parser *p, const uint8_t *b, size_t at, uint32_t len)
{
	uint32_t before = get_le16(b + 2), flags = b[4];
	const struct scan *s = &p->scan;

	if ((flags & AWS_COMPRESSED) || (b[5] & AWS_COMPRESSED_2))
		return err_explain(-EPROTONOSUPPORT, "at byte %llu a block that is compressed (HET): only uncompressed "
				   "AWS images are read; hetupd -d makes one", (unsigned long long)(p->offset + at));
	if ((flags & ~(AWS_BEGIN | AWS_MARK | AWS_END)) || b[5])
		return broken(p, at, "flags that mean nothing");
	/* Writers that never read backwards leave it 0. */
	if (before && before != p->before)
		return broken(p, at, "a header that has another length for the block before it");
	if (flags & AWS_MARK)
		return len || flags != AWS_MARK || s->segments ? broken(p, at, "a mark with data or in a record") : 0;
	if (!len)
		return broken(p, at, "a block of no bytes");
	if ((flags & AWS_BEGIN) && s->segments)
		return broken(p, at, "a record that begins inside another");
	if (!(flags & AWS_BEGIN) && !s->segments)
		return broken(p, at, "a record that does not begin");
	if (s->len + len > TAPE_RECORD_MAX)
		return broken(p, at, "a record longer than 16 MiB - 1");
	return 0;
}

static int aws_scan(struct image_parser *p, const uint8_t *b, size_t n)
{
	struct scan *s = &p->scan;
	uint32_t len;
	int r;

	/* known: where the next header is; need: the end of that, or of its block. */
	while (!s->whole) {
		s->need = s->known + AWS_HEADER;
		if (n < s->need)
			return 0;
		len = get_le16(b + s->known);
		r = aws_header(p, b + s->known, s->known, len);
		if (r)
			return r;
		s->need += len;
		if (n < s->need)
			return 0;
		s->what = b[s->known + 4] & AWS_MARK ? SCAN_MARK : SCAN_RECORD;
		s->whole = b[s->known + 4] & (AWS_MARK | AWS_END);
		s->segments++;
		s->len += len;
		s->known = s->need;
		p->before = len;
	}
	return 0;
}

/* The record without the headers between its segments; borrowed until the next. */
static int aws_record(struct image_parser *p, const uint8_t *b, const uint8_t **out)
{
	const struct scan *s = &p->scan;
	size_t at = 0;
	int r = 0;

	*out = b + AWS_HEADER;
	if (s->segments == 1)
		return 0;
	p->record.len = 0;
	while (at < s->need && !r) {
		uint32_t len = get_le16(b + at);

		r = buf_append(&p->record, b + at + AWS_HEADER, len);
		at += AWS_HEADER + len;
	}
	*out = p->record.data;
	return r;
}

/* ---- both ------------------------------------------------------------------------------------------------------ */

static int parser_emit(struct image_parser *p, const uint8_t *b)
{
	const uint8_t *data = b + TAP_WORD;
	int r;

	switch (p->scan.what) {
	case SCAN_MARK:
		return p->ev->mark(p->ctx);
	case SCAN_END:
		p->ended = true;
		return p->ev->end(p->ctx);
	case SCAN_SKIP:
		return 0;
	case SCAN_RECORD:
		break;
	}
	if (p->format == IMAGE_AWS) {
		r = aws_record(p, b, &data);
		if (r)
			return r;
	}
	return p->ev->record(p->ctx, data, p->scan.len);
}

/* The object at @b; hands it on if it is whole there. */
static int parser_object(struct image_parser *p, const uint8_t *b, size_t n, size_t *used)
{
	int r = p->format == IMAGE_TAP ? tap_scan(p, b, n) : aws_scan(p, b, n);

	*used = 0;
	if (r || !p->scan.whole)
		return r;
	*used = p->scan.need;
	r = parser_emit(p, b);
	p->offset += *used;
	p->scan = (struct scan){ 0 };
	return r;
}

/* The object in the tail gets what it needs to be understood further. */
static int parser_fill(struct image_parser *p, const uint8_t **b, size_t *n)
{
	size_t more = p->scan.need - p->tail.len, used;
	int r;

	if (more > *n)
		more = *n;
	r = buf_append(&p->tail, *b, more);
	if (r)
		return r;
	*b += more;
	*n -= more;
	r = parser_object(p, p->tail.data, p->tail.len, &used);
	if (used)
		p->tail.len = 0;
	return r;
}

int image_parser_feed(struct image_parser *p, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;
	size_t used;

	while (n && !p->ended && !p->failed) {
		if (p->tail.len) {
			p->failed = parser_fill(p, &b, &n);
			continue;
		}
		p->failed = parser_object(p, b, n, &used);
		b += used;
		n -= used;
		if (used || p->failed)
			continue;
		p->failed = buf_append(&p->tail, b, n);
		n = 0;
	}
	return p->failed;
}

int image_parser_finish(struct image_parser *p)
{
	if (p->failed)
		return p->failed;
	if (p->tail.len)
		return p->failed = broken(p, p->tail.len, "it ends inside a record");
	return 0;
}

const uint8_t *image_parser_tail(struct image_parser *p, size_t *n)
{
	*n = p->tail.len;
	return p->tail.data;
}

int image_parser_new(enum image_format f, const struct image_events *ev, void *ctx, struct image_parser **out)
{
	struct image_parser *p = calloc(1, sizeof(*p));

	if (!p)
		return err_origin(-ENOMEM);
	p->format = f;
	p->ev = ev;
	p->ctx = ctx;
	*out = p;
	return 0;
}

struct image_parser *image_parser_free(struct image_parser *p)
{
	if (!p)
		return NULL;
	if (p->bad)
		log_warn("image: %llu records were read in error when it was made, the first at byte %llu; taken as "
			 "they are", (unsigned long long)p->bad, (unsigned long long)p->first_bad);
	buf_fini(&p->tail);
	buf_fini(&p->record);
	free(p);
	return NULL;
}
