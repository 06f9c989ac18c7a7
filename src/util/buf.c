/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growing buffers, and cursors over bytes that somebody else wrote.  A put is all or nothing: when memory runs out the
 * buffer is as it was.  A cursor never reads past its end, whatever the bytes say, and once bad it stays bad, so that a
 * decoder is a row of gets with one check behind it.
 */
#include <vtape/util.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

int buf_reserve(struct buf *b, size_t more)
{
	size_t need, cap;
	uint8_t *data;

	if (__builtin_add_overflow(b->len, more, &need))
		return err_origin(-ENOMEM);
	if (need <= b->cap)
		return 0;
	/* Doubling keeps a row of small puts linear. */
	cap = b->cap > SIZE_MAX / 2 ? need : b->cap * 2;
	if (cap < need)
		cap = need;
	if (cap < 64)
		cap = 64;
	data = realloc(b->data, cap);
	if (!data)
		return err_origin(-ENOMEM);
	b->data = data;
	b->cap = cap;
	return 0;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
	int r = buf_reserve(b, n);

	if (r)
		return r;
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	return 0;
}

int buf_put_u8(struct buf *b, uint8_t v)
{
	return buf_append(b, &v, 1);
}

int buf_put_le16(struct buf *b, uint16_t v)
{
	uint8_t t[2];

	put_le16(t, v);
	return buf_append(b, t, sizeof(t));
}

int buf_put_le32(struct buf *b, uint32_t v)
{
	uint8_t t[4];

	put_le32(t, v);
	return buf_append(b, t, sizeof(t));
}

int buf_put_le64(struct buf *b, uint64_t v)
{
	uint8_t t[8];

	put_le64(t, v);
	return buf_append(b, t, sizeof(t));
}

int buf_put_be64(struct buf *b, uint64_t v)
{
	uint8_t t[8];

	put_be64(t, v);
	return buf_append(b, t, sizeof(t));
}

int buf_put_varint(struct buf *b, uint64_t v)
{
	uint8_t t[10];
	size_t n = 0;

	while (v >= 0x80) {
		t[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	t[n++] = (uint8_t)v;
	return buf_append(b, t, n);
}

int buf_put_string(struct buf *b, const char *s)
{
	size_t n = s ? strlen(s) : 0, was = b->len;
	int r;

	r = buf_put_varint(b, n);
	if (r)
		return r;
	r = buf_append(b, s, n);
	if (r)
		b->len = was;
	return r;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return err_origin(-EINVAL);
	r = buf_reserve(b, (size_t)n + 1);
	if (r)
		return r;
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

const uint8_t *cursor_bytes(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || n > cursor_left(c)) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	return p;
}

uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 1);

	return p ? *p : 0;
}

uint16_t cursor_le16(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 2);

	return p ? get_le16(p) : 0;
}

uint32_t cursor_le32(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 4);

	return p ? get_le32(p) : 0;
}

uint64_t cursor_le64(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 8);

	return p ? get_le64(p) : 0;
}

uint64_t cursor_be64(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 8);

	return p ? get_be64(p) : 0;
}

/* One number has one encoding: an overlong one is malformed, as is one beyond 64 bits. */
uint64_t cursor_varint(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t byte = cursor_u8(c);

		if (c->bad || (shift == 63 && byte > 1) || (shift && byte == 0))
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	c->bad = true;
	return 0;
}

int cursor_string(struct cursor *c, char *out, size_t cap)
{
	uint64_t n = cursor_varint(c);
	const uint8_t *p;

	out[0] = '\0';
	if (n >= cap) {
		c->bad = true;
		return err_origin(-EUCLEAN);
	}
	p = cursor_bytes(c, (size_t)n);
	if (!p || memchr(p, 0, (size_t)n)) {
		c->bad = true;
		return err_origin(-EUCLEAN);
	}
	memcpy(out, p, (size_t)n);
	out[n] = '\0';
	return 0;
}
