/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members read: by number, by name in a folder, by path, all of a folder, all in order, by place in the archive.  A
 * question about one reads one row of 64; about a folder, the rows that have its children.  Nothing here asks
 * whether a tape still has the archive.
 */
#include "contents/list.h"

#include <errno.h>

/* A list as it is while one question is answered. */
struct view {
	struct contents *c;
	uint32_t content;
	struct list_row row;
	struct buf bytes;		/* of the last row */
};

static int view_init(struct view *v, struct contents *c, uint32_t content)
{
	*v = (struct view){ .c = c, .content = content };
	return list_row_get(c, content, &v->row);
}

static void view_fini(struct view *v)
{
	buf_fini(&v->bytes);
}

void contents_member_fini(struct contents_member *m)
{
	buf_fini(&m->link);
	buf_fini(&m->raw);
}

static uint32_t block_of(uint32_t number)
{
	return (number - 1) / CONTENTS_BLOCK;
}

static int open_block(struct view *v, uint32_t block, struct block_reader *r)
{
	struct ckey key = ckey_block(v->content, block);
	int result = contents_row_get(v->c, &key, &v->bytes);

	if (result == CONTENTS_E_NONE)
		return err_explain(-EUCLEAN, "contents: list %u lacks row %u of its members", v->content, block);
	return result ? result : block_read(r, v->content, block * CONTENTS_BLOCK + 1, v->bytes.data, v->bytes.len);
}

/* ---- what was told later of a folder ---- */

/* *at: how many members there were then.  CONTENTS_E_NONE: nothing was. */
static int read_told(struct view *v, struct contents_member *m, uint32_t *at)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct ckey key = ckey_told(v->content, m->number);
	int r;

	if (!v->row.told)
		return CONTENTS_E_NONE;
	r = contents_row_get(v->c, &key, &row);
	return r ? r : told_decode(row.data, row.len, m, at);
}

static int tell_later(struct view *v, struct contents_member *m)
{
	uint32_t at;
	int r = m->type == 'd' ? read_told(v, m, &at) : 0;

	return r == CONTENTS_E_NONE ? 0 : r;
}

static int read_root(struct view *v, struct contents_member *m)
{
	uint32_t at;

	m->content = v->content;
	m->number = m->dir = 0;
	m->name[0] = 0;
	return read_told(v, m, &at);
}

static int read_member(struct view *v, uint32_t number, struct contents_member *m)
{
	struct block_reader block;
	int r;

	if (number > v->row.members)
		return CONTENTS_E_NONE;
	r = open_block(v, block_of(number), &block);
	while (!r) {
		r = block_next(&block, m);
		if (!r && m->number == number)
			return 0;
	}
	if (r == CONTENTS_E_NONE)
		r = err_explain(-EUCLEAN, "contents: list %u lacks member %u", v->content, number);
	return r;
}

int contents_member_of(struct contents *c, uint32_t content, const struct list_row *row, uint32_t number,
		       struct contents_member *out)
{
	CLEANUP(view_fini) struct view v = { .c = c, .content = content, .row = *row };
	int r;

	if (!number)
		return read_root(&v, out);
	r = read_member(&v, number, out);
	return r ? r : tell_later(&v, out);
}

int contents_member(struct contents *c, uint32_t content, uint32_t number, struct contents_member *out)
{
	struct list_row row;
	int r = list_row_get(c, content, &row);

	return r ? r : contents_member_of(c, content, &row, number, out);
}

/* ---- names ---- */

int contents_named(struct contents *c, uint32_t content, uint32_t dir, const char *name, bool folder, uint32_t *out)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct ckey all = ckey_name_in(name, content, dir);
	struct posting p;
	const uint8_t *key;
	size_t len;
	int r;

	*out = 0;
	r = kv_iter_new(c->kv, KV_CONTENTS, &it);
	if (r)
		return r;
	for (kv_iter_seek(it, all.b, all.len); kv_iter_in(it, all.b, all.len); kv_iter_next(it)) {
		kv_iter_value(it, &len);
		if (folder && !len)
			continue;
		key = kv_iter_key(it, &len);
		if (posting_of(key, len, &p))
			*out = p.number;
	}
	return kv_iter_error(it);
}

/* Of all members of one path the one that was told of last: that of the highest number, if no folder of that path was
 * told of again behind it. */
static int find_last(struct view *v, uint32_t dir, const char *name, uint32_t *out)
{
	CLEANUP(contents_member_fini) struct contents_member m = { .content = v->content };
	uint32_t at;
	int r;

	r = contents_named(v->c, v->content, dir, name, false, out);
	if (r || !v->row.doubles || !v->row.told)
		return r;
	r = contents_named(v->c, v->content, dir, name, true, &m.number);
	if (r || !m.number || m.number == *out)
		return r;
	r = read_told(v, &m, &at);
	if (!r && at >= *out)
		*out = m.number;
	return r == CONTENTS_E_NONE ? 0 : r;
}

int contents_lookup(struct contents *c, uint32_t content, uint32_t dir, const char *name, struct contents_member *out)
{
	CLEANUP(view_fini) struct view v;
	uint32_t number;
	int r;

	r = view_init(&v, c, content);
	if (!r)
		r = find_last(&v, dir, name, &number);
	if (!r && !number)
		r = CONTENTS_E_NONE;
	if (!r)
		r = read_member(&v, number, out);
	return r ? r : tell_later(&v, out);
}

int contents_resolve(struct contents *c, uint32_t content, const char *path, struct contents_member *out)
{
	char name[CONTENTS_NAME_MAX + 1];
	bool any = false;
	int r;

	for (const char *p = path; *p; p += *p == '/') {
		size_t len = strcspn(p, "/");
		const char *part = p;

		p += len;
		if (!len || (len == 1 && part[0] == '.'))
			continue;
		if (len > CONTENTS_NAME_MAX || (any && out->type != 'd'))
			return CONTENTS_E_NONE;
		memcpy(name, part, len);
		name[len] = 0;
		r = contents_lookup(c, content, any ? out->number : 0, name, out);
		if (r)
			return r;
		any = true;
	}
	return any ? 0 : CONTENTS_E_NONE;
}

/* ---- paths ---- */

/* @names: each with a NUL, the last part of the path first. */
static int join_names(const struct buf *names, struct buf *out)
{
	const char *begin = (const char *)names->data, *p = begin + names->len;
	int r;

	out->len = 0;
	r = buf_reserve(out, names->len);
	while (!r && p > begin) {
		const char *name = p - 1;

		while (name > begin && name[-1])
			name--;
		buf_append(out, name, (size_t)(p - 1 - name));
		p = name;
		buf_put_u8(out, p > begin ? '/' : 0);
	}
	if (!r)
		out->len--;
	return r;
}

int contents_path(struct contents *c, const struct contents_member *m, struct buf *out)
{
	CLEANUP(contents_member_fini) struct contents_member up = { 0 };
	CLEANUP(buf_fini) struct buf names = BUF_INIT;
	CLEANUP(view_fini) struct view v;
	uint32_t dir = m->dir;
	int r;

	r = view_init(&v, c, m->content);
	if (!r)
		r = buf_append(&names, m->name, strlen(m->name) + 1);
	for (unsigned depth = 0; !r && dir; depth++, dir = up.dir) {
		if (depth > CONTENTS_DEPTH_MAX)
			return err_explain(-EUCLEAN, "contents: member %u of list %u is too deep", m->number,
					   m->content);
		r = read_member(&v, dir, &up);
		if (!r)
			r = buf_append(&names, up.name, strlen(up.name) + 1);
	}
	return r ? r : join_names(&names, out);
}

/* ---- many ---- */

struct walk {
	struct view v;
	struct contents_member m;
	int (*each)(void *ctx, const struct contents_member *m);
	void *ctx;
	bool stopped;		/* by @each, whose word may be any number: that of a condition, too */
};

static void walk_fini(struct walk *w)
{
	view_fini(&w->v);
	contents_member_fini(&w->m);
}

static int give(struct walk *w)
{
	int r = tell_later(&w->v, &w->m);

	if (r)
		return r;
	r = w->each(w->ctx, &w->m);
	w->stopped = r;
	return r;
}

static int given(const struct walk *w, int result)
{
	return result == CONTENTS_E_NONE && !w->stopped ? 0 : result;
}

static int give_block(struct walk *w, uint32_t block, uint32_t from)
{
	struct block_reader r;
	int result = open_block(&w->v, block, &r);

	while (!result) {
		result = block_next(&r, &w->m);
		if (!result && w->m.number >= from)
			result = give(w);
	}
	return given(w, result);
}

int contents_each(struct contents *c, uint32_t content, uint32_t from,
		  int (*each)(void *ctx, const struct contents_member *m), void *ctx)
{
	CLEANUP(walk_fini) struct walk w = { .each = each, .ctx = ctx };
	int r = view_init(&w.v, c, content);

	from = from ? from : 1;
	if (r || from > w.v.row.members)
		return r;
	for (uint32_t block = block_of(from); !r && block <= block_of(w.v.row.members); block++)
		r = give_block(&w, block, from);
	return r;
}

/* Of those in @dir each name once. */
static int give_children(struct walk *w, uint32_t block, uint32_t dir, uint32_t after)
{
	struct block_reader r;
	uint32_t last;
	int result = open_block(&w->v, block, &r);

	while (!result) {
		result = block_next(&r, &w->m);
		if (result || w->m.dir != dir || w->m.number <= after)
			continue;
		last = w->m.number;
		if (w->v.row.doubles)
			result = find_last(&w->v, dir, w->m.name, &last);
		if (!result && last == w->m.number)
			result = give(w);
	}
	return given(w, result);
}

int contents_children(struct contents *c, uint32_t content, uint32_t dir, uint32_t after,
		      int (*each)(void *ctx, const struct contents_member *m), void *ctx)
{
	CLEANUP(walk_fini) struct walk w = { .each = each, .ctx = ctx };
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct ckey all = ckey_dirs(content, dir), from = ckey_dir(content, dir, after / CONTENTS_BLOCK);
	const uint8_t *key;
	size_t len;
	int r;

	r = view_init(&w.v, c, content);
	if (!r)
		r = kv_iter_new(c->kv, KV_CONTENTS, &it);
	if (r)
		return r;
	for (kv_iter_seek(it, from.b, from.len); kv_iter_in(it, all.b, all.len); kv_iter_next(it)) {
		key = kv_iter_key(it, &len);
		r = len == all.len + 4 ? give_children(&w, get_be32(key + all.len), dir, after) : 0;
		if (r)
			return r;
	}
	return kv_iter_error(it);
}

/* ---- by place ---- */

/* The last block that begins at or before @at; 0 also if none does. */
static int find_block(struct view *v, uint64_t at, uint32_t *out)
{
	CLEANUP(contents_member_fini) struct contents_member m = { 0 };
	uint32_t low = 0, high = block_of(v->row.members), middle;
	struct block_reader block;
	int r;

	while (low < high) {
		middle = low + (high - low + 1) / 2;
		r = open_block(v, middle, &block);
		if (!r)
			r = block_next(&block, &m);
		if (r)
			return err_fold(r);
		if (m.from <= at)
			low = middle;
		else
			high = middle - 1;
	}
	*out = low;
	return 0;
}

static int last_before(struct view *v, uint32_t block, uint64_t at, uint32_t *out)
{
	CLEANUP(contents_member_fini) struct contents_member m = { 0 };
	struct block_reader reader;
	int r = open_block(v, block, &reader);

	*out = 0;
	while (!r) {
		r = block_next(&reader, &m);
		if (!r && !m.implied && m.from <= at)
			*out = m.number;
	}
	return r == CONTENTS_E_NONE ? 0 : r;
}

int contents_at(struct contents *c, uint32_t content, uint64_t at, struct contents_member *out)
{
	CLEANUP(view_fini) struct view v;
	uint32_t block = 0, number = 0;
	int r;

	r = view_init(&v, c, content);
	if (!r && !v.row.members)
		r = CONTENTS_E_NONE;
	if (!r)
		r = find_block(&v, at, &block);
	if (r)
		return r;
	r = last_before(&v, block, at, &number);
	while (!r && !number && block)
		r = last_before(&v, --block, at, &number);
	if (!r && !number)
		r = CONTENTS_E_NONE;
	return r ? r : read_member(&v, number, out);
}

int contents_doubles(struct contents *c, uint32_t content, bool *yes)
{
	struct list_row row;
	int r = list_row_get(c, content, &row);

	if (!r)
		*yes = row.doubles;
	return r;
}
