/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members as bytes: 64 of them in a row B, packed, since an archive has millions.  What a member has in common with
 * the one before it in the block is not told again, and numbers are told by how far they are from those, so that a
 * member costs about twenty bytes and its name.
 *
 *   members  u8 version, varint count, then that many
 *   member   varint flags:      1 same folder   2 same owner   4 same type and mode   8 with nanoseconds   16 with link
 *                               32 its bytes do not lie there as they are   64 the next one of the archive
 *                               128 implied   256 odd   512 with a device's numbers   1024 a part of a file
 *            varint             number - dir                                   if not 1
 *            varint, string     how much of the name before it begins with, the rest
 *            u8 type, varint mode                                              if not 4
 *            varint uid, varint gid, string user, string group                 if not 2
 *            varint             size
 *            zigzag             mtime_s - that of the one before
 *            varint             mtime_ns                                       if 8
 *            zigzag             nth - that of the one before                   if not 64
 *            zigzag, varint     from - "to" of the one before, to - from
 *            varint             data - from                                    if not 32
 *            varint, varint     major and minor number of the device           if 512
 *            varint, varint     bytes on the tapes before, bytes that are missing   if 1024
 *            string             target of the link                             if 16
 *            string             the path as the archive has it                 if 256
 *   told     u8 version, varint at, a member; its folder is not told, its name is "-"
 *
 * Before the first of a block all is 0, "" and '-'.  A zigzag is a varint of a difference modulo 2^64, whose lowest
 * bit is the sign.
 */
#include "contents/format.h"

#include <errno.h>

#define ROW_VERSION 1
#define NS_PER_S 1000000000u

enum {
	SAME_DIR = 1, SAME_OWNER = 2, SAME_MODE = 4, HAS_NS = 8, HAS_LINK = 16, NO_PLACE = 32, IS_NEXT = 64,
	IMPLIED = 128, ODD = 256, HAS_DEVICE = 512, IS_PART = 1024, ALL_FLAGS = 2047,
};

static uint64_t zigzag(uint64_t difference)
{
	return difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0);
}

static uint64_t cursor_zigzag(struct cursor *c)
{
	uint64_t v = cursor_varint(c);

	return v >> 1 ^ (v & 1 ? UINT64_MAX : 0);
}

static uint32_t cursor_varint32(struct cursor *c)
{
	uint64_t v = cursor_varint(c);

	if (v > UINT32_MAX)
		c->bad = true;
	return (uint32_t)v;
}

/* Into one of the same size. */
static void copy_words(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
}

static void before_begin(struct block_before *b)
{
	b->dir = b->mode = b->uid = b->gid = 0;
	b->to = b->nth = 0;
	b->mtime_s = 0;
	b->type = '-';
	b->name[0] = b->user[0] = b->group[0] = 0;
}

/* @name, @user and @group of @b are done elsewhere: they are compared first. */
static void before_move(struct block_before *b, const struct contents_member *m)
{
	b->dir = m->dir;
	b->mode = m->mode;
	b->uid = m->uid;
	b->gid = m->gid;
	b->to = m->to;
	b->nth = m->nth;
	b->mtime_s = m->mtime_s;
	b->type = m->type;
	copy_words(b->name, m->name);
	copy_words(b->user, m->user);
	copy_words(b->group, m->group);
}

/* ---- writing ---- */

void block_begin(struct block_writer *w, uint32_t first)
{
	w->bytes.len = 0;
	w->first = first;
	w->count = 0;
	before_begin(&w->before);
}

static unsigned flags_of(const struct block_before *b, const struct contents_member *m)
{
	unsigned flags = 0;

	flags |= m->dir == b->dir ? SAME_DIR : 0;
	flags |= m->uid == b->uid && m->gid == b->gid && !strcmp(m->user, b->user) && !strcmp(m->group, b->group)
			 ? SAME_OWNER : 0;
	flags |= m->type == b->type && m->mode == b->mode ? SAME_MODE : 0;
	flags |= m->mtime_ns ? HAS_NS : 0;
	flags |= m->link.len ? HAS_LINK : 0;
	flags |= m->data == TARBALL_NO_PLACE ? NO_PLACE : 0;
	flags |= m->nth == b->nth + 1 ? IS_NEXT : 0;
	flags |= m->implied ? IMPLIED : 0;
	flags |= m->odd ? ODD : 0;
	flags |= m->dev_major || m->dev_minor ? HAS_DEVICE : 0;
	flags |= m->before || m->missing ? IS_PART : 0;
	return flags;
}

static size_t shared(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

static void put_bytes(struct buf *out, const struct buf *b)
{
	buf_put_varint(out, b->len);
	buf_append(out, b->data, b->len);
}

/* There is room for all of it. */
static void put_member(struct buf *out, const struct block_before *b, const struct contents_member *m)
{
	unsigned flags = flags_of(b, m);
	size_t n = shared(b->name, m->name);

	buf_put_varint(out, flags);
	if (!(flags & SAME_DIR))
		buf_put_varint(out, m->number - m->dir);
	buf_put_varint(out, n);
	buf_put_string(out, m->name + n);
	if (!(flags & SAME_MODE)) {
		buf_put_u8(out, (uint8_t)m->type);
		buf_put_varint(out, m->mode);
	}
	if (!(flags & SAME_OWNER)) {
		buf_put_varint(out, m->uid);
		buf_put_varint(out, m->gid);
		buf_put_string(out, m->user);
		buf_put_string(out, m->group);
	}
	buf_put_varint(out, m->size);
	buf_put_varint(out, zigzag((uint64_t)m->mtime_s - (uint64_t)b->mtime_s));
	if (flags & HAS_NS)
		buf_put_varint(out, m->mtime_ns);
	if (!(flags & IS_NEXT))
		buf_put_varint(out, zigzag(m->nth - b->nth));
	buf_put_varint(out, zigzag(m->from - b->to));
	buf_put_varint(out, m->to - m->from);
	if (!(flags & NO_PLACE))
		buf_put_varint(out, m->data - m->from);
	if (flags & HAS_DEVICE) {
		buf_put_varint(out, m->dev_major);
		buf_put_varint(out, m->dev_minor);
	}
	if (flags & IS_PART) {
		buf_put_varint(out, m->before);
		buf_put_varint(out, m->missing);
	}
	if (flags & HAS_LINK)
		put_bytes(out, &m->link);
	if (flags & ODD)
		put_bytes(out, &m->raw);
}

int block_add(struct block_writer *w, const struct contents_member *m)
{
	int r = buf_reserve(&w->bytes, 256 + CONTENTS_NAME_MAX + sizeof(m->user) + sizeof(m->group) + m->link.len +
					       m->raw.len);

	if (r)
		return r;
	put_member(&w->bytes, &w->before, m);
	before_move(&w->before, m);
	w->count++;
	return 0;
}

int block_row(const struct block_writer *w, struct buf *out)
{
	int r;

	out->len = 0;
	r = buf_reserve(out, 16 + w->bytes.len);
	if (r)
		return r;
	buf_put_u8(out, ROW_VERSION);
	buf_put_varint(out, w->count);
	return buf_append(out, w->bytes.data, w->bytes.len);
}

/* ---- reading ---- */

static int damaged(uint32_t content)
{
	return err_explain(-EUCLEAN, "contents: members of list %u are damaged or of a version that is not known",
			   content);
}

int block_read(struct block_reader *r, uint32_t content, uint32_t first, const void *row, size_t len)
{
	uint64_t count;
	uint8_t version;

	r->c = cursor_of(row, len);
	version = cursor_u8(&r->c);
	count = cursor_varint(&r->c);
	if (version != ROW_VERSION || r->c.bad || !count || count > CONTENTS_BLOCK ||
	    first > UINT32_MAX - CONTENTS_BLOCK)
		return damaged(content);
	r->content = content;
	r->number = first;
	r->left = (unsigned)count;
	before_begin(&r->before);
	return 0;
}

/* Onto what is left of the name before it. */
static void cursor_name(struct cursor *c, char name[CONTENTS_NAME_MAX + 1])
{
	uint64_t n = cursor_varint(c);

	if (n > strlen(name)) {
		c->bad = true;
		return;
	}
	cursor_string(c, name + n, CONTENTS_NAME_MAX + 1 - n);
	if (!name[0] || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		c->bad = true;
}

/* A path or the target of a link, NUL behind. */
static int cursor_buf(struct cursor *c, bool there, struct buf *out)
{
	uint64_t n = there ? cursor_varint(c) : 0;
	const uint8_t *p;
	int r;

	out->len = 0;
	if (!there)
		return 0;
	p = n <= cursor_left(c) ? cursor_bytes(c, n) : NULL;
	if (!p || !n || memchr(p, 0, n)) {
		c->bad = true;
		return 0;
	}
	r = buf_reserve(out, n + 1);
	if (r)
		return r;
	memcpy(out->data, p, n);
	out->data[n] = 0;
	out->len = n;
	return 0;
}

static void cursor_attributes(struct cursor *c, struct block_before *b, unsigned flags)
{
	if (!(flags & SAME_MODE)) {
		b->type = (char)cursor_u8(c);
		b->mode = cursor_varint32(c);
	}
	if (!(flags & SAME_OWNER)) {
		b->uid = cursor_varint32(c);
		b->gid = cursor_varint32(c);
		cursor_string(c, b->user, sizeof(b->user));
		cursor_string(c, b->group, sizeof(b->group));
	}
	if (!b->type || !strchr("-dlhcbps", b->type) || b->mode > 07777)
		c->bad = true;
}

static void cursor_place(struct cursor *c, struct block_before *b, unsigned flags, struct contents_member *m)
{
	b->nth += flags & IS_NEXT ? 1 : cursor_zigzag(c);
	m->nth = b->nth;
	m->from = b->to + cursor_zigzag(c);
	m->to = m->from + cursor_varint(c);
	m->data = flags & NO_PLACE ? TARBALL_NO_PLACE : m->from + cursor_varint(c);
	b->to = m->to;
	m->dev_major = flags & HAS_DEVICE ? cursor_varint32(c) : 0;
	m->dev_minor = flags & HAS_DEVICE ? cursor_varint32(c) : 0;
	m->before = flags & IS_PART ? cursor_varint(c) : 0;
	m->missing = flags & IS_PART ? cursor_varint(c) : 0;
	if (m->missing > m->size || m->before > UINT64_MAX - m->size)
		c->bad = true;
}

static void member_from(struct contents_member *m, const struct block_before *b)
{
	m->dir = b->dir;
	m->type = b->type;
	m->mode = b->mode;
	m->uid = b->uid;
	m->gid = b->gid;
	m->mtime_s = b->mtime_s;
	copy_words(m->name, b->name);
	copy_words(m->user, b->user);
	copy_words(m->group, b->group);
}

static int get_member(struct cursor *c, struct block_before *b, uint32_t number, struct contents_member *m)
{
	uint64_t flags = cursor_varint(c);
	int r;

	if (flags & ~(uint64_t)ALL_FLAGS)
		c->bad = true;
	if (!(flags & SAME_DIR))
		b->dir = number - cursor_varint32(c);
	if (b->dir >= number)
		c->bad = true;	/* a folder comes before what is in it: so every way up ends */
	cursor_name(c, b->name);
	cursor_attributes(c, b, (unsigned)flags);
	m->size = cursor_varint(c);
	b->mtime_s = (int64_t)((uint64_t)b->mtime_s + cursor_zigzag(c));
	m->mtime_ns = flags & HAS_NS ? cursor_varint32(c) : 0;
	if (m->mtime_ns >= NS_PER_S)
		c->bad = true;
	cursor_place(c, b, (unsigned)flags, m);
	m->implied = flags & IMPLIED;
	m->odd = flags & ODD;
	r = cursor_buf(c, flags & HAS_LINK, &m->link);
	return r ? r : cursor_buf(c, m->odd, &m->raw);
}

int block_next(struct block_reader *r, struct contents_member *m)
{
	int result;

	if (!r->left)
		return cursor_left(&r->c) ? damaged(r->content) : CONTENTS_E_NONE;
	result = get_member(&r->c, &r->before, r->number, m);
	if (result)
		return result;
	if (r->c.bad)
		return damaged(r->content);
	member_from(m, &r->before);
	m->content = r->content;
	m->number = r->number++;
	r->left--;
	return 0;
}

/* ---- told later ---- */

int told_encode(const struct contents_member *m, uint32_t at, struct buf *out)
{
	struct contents_member told = *m;
	struct block_before before;
	int r;

	before_begin(&before);
	told.number = 1;
	told.dir = 0;
	copy_words(told.name, "-");
	out->len = 0;
	r = buf_reserve(out, 256 + sizeof(m->user) + sizeof(m->group) + m->link.len + m->raw.len);
	if (r)
		return r;
	buf_put_u8(out, ROW_VERSION);
	buf_put_varint(out, at);
	put_member(out, &before, &told);
	return 0;
}

int told_decode(const void *row, size_t len, struct contents_member *m, uint32_t *at)
{
	struct cursor c = cursor_of(row, len);
	struct block_before before;
	int r;

	before_begin(&before);
	if (cursor_u8(&c) != ROW_VERSION)
		c.bad = true;
	*at = cursor_varint32(&c);
	r = get_member(&c, &before, 1, m);
	if (r)
		return r;
	if (c.bad || cursor_left(&c) || before.type != 'd' || strcmp(before.name, "-"))
		return damaged(m->content);
	before.dir = m->dir;
	copy_words(before.name, m->name);
	member_from(m, &before);
	return 0;
}
