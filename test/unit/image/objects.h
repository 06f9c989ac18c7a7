/* SPDX-License-Identifier: BSD-2-Clause */
/* objects: what a parser gave, written down as text: "r5:hello m e" and the like. Long records are told by length and
 * sum. */
#ifndef TEST_IMAGE_OBJECTS_H
#define TEST_IMAGE_OBJECTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <vtape/image.h>

struct objects { struct buf text; int stop_at, seen, stop_with; };

static inline int objects_add(struct objects *o, const char *what, const void *p, size_t n)
{
	if (++o->seen == o->stop_at)
		return o->stop_with;
	if (n && n <= 16)
		return buf_printf(&o->text, "%s%zu:%.*s ", what, n, (int)n, (const char *)p);
	if (n)
		return buf_printf(&o->text, "%s%zu#%llx ", what, n, (unsigned long long)sum64(p, n));
	return buf_printf(&o->text, "%s ", what);
}
static inline int objects_record(void *ctx, const void *p, size_t n) { return objects_add(ctx, "r", p, n); }
static inline int objects_mark(void *ctx) { return objects_add(ctx, "m", NULL, 0); }
static inline int objects_end(void *ctx) { return objects_add(ctx, "e", NULL, 0); }
static const struct image_events objects_events = { objects_record, objects_mark, objects_end };

/* Feeds @n bytes in pieces of @piece, and finishes. */
static inline int objects_parse(struct objects *o, enum image_format f, const void *bytes, size_t n, size_t piece)
{
	struct image_parser *p;
	const uint8_t *b = bytes;
	int r = image_parser_new(f, &objects_events, o, &p);

	assert_int_equal(r, 0);
	while (n && !r) {
		size_t part = n < piece ? n : piece;

		r = image_parser_feed(p, b, part);
		b += part;
		n -= part;
	}
	if (!r)
		r = image_parser_finish(p);
	image_parser_free(p);
	return r;
}

static inline const char *objects_text(struct objects *o)
{
	return o->text.len ? (const char *)o->text.data : "";
}

#endif
