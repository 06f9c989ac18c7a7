/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths of members that are found, which come from anywhere: the folders that were met last are kept, so that most
 * paths cost one look at a table.  Bounded memory: so many folders, and none with a path that is too long.
 */
#include "contents/list.h"
#include "contents/find.h"

#include <errno.h>

#define KEPT 1024u
#define KEPT_BYTES 4096u

struct kept {
	uint32_t content, number;	/* 0: nothing */
	char *path;
};

struct paths {
	struct contents *c;
	struct kept of[KEPT];
	uint32_t content;		/* the last list, and its row; 0: none yet */
	struct list_row row;
	struct contents_member m;
	struct buf names;		/* of folders that are not kept, from the last on, each with a NUL */
	uint32_t numbers[CONTENTS_DEPTH_MAX + 1];
};

int paths_new(struct contents *c, struct paths **out)
{
	struct paths *p = calloc(1, sizeof(*p));

	if (!p)
		return err_origin(-ENOMEM);
	p->c = c;
	*out = p;
	return 0;
}

struct paths *paths_free(struct paths *p)
{
	if (p) {
		for (unsigned i = 0; i < KEPT; i++)
			free(p->of[i].path);
		contents_member_fini(&p->m);
		buf_fini(&p->names);
		free(p);
	}
	return NULL;
}

static struct kept *slot_of(struct paths *p, uint32_t content, uint32_t number)
{
	return &p->of[(content * 0x9e3779b1u ^ number * 0x85ebca6bu) >> 16 & (KEPT - 1)];
}

static const char *kept_path(struct paths *p, uint32_t content, uint32_t number)
{
	struct kept *k = slot_of(p, content, number);

	return k->path && k->content == content && k->number == number ? k->path : NULL;
}

static void keep(struct paths *p, uint32_t content, uint32_t number, const struct buf *path)
{
	struct kept *k = slot_of(p, content, number);
	char *copy = path->len < KEPT_BYTES ? strndup((const char *)path->data, path->len) : NULL;

	if (!copy)
		return;
	free(k->path);
	*k = (struct kept){ content, number, copy };
}

static int read_folder(struct paths *p, uint32_t content, uint32_t dir)
{
	int r = 0;

	if (p->content != content) {
		p->content = 0;
		r = list_row_get(p->c, content, &p->row);
		if (!r)
			p->content = content;
	}
	return r ? r : contents_member_of(p->c, content, &p->row, dir, &p->m);
}

/* Up from folder @dir to one that is kept, or the root: @out gets that path, the rest is in @p. */
static int climb(struct paths *p, uint32_t content, uint32_t dir, unsigned *depth, struct buf *out)
{
	const char *path = NULL;
	int r;

	p->names.len = 0;
	for (*depth = 0; dir && !(path = kept_path(p, content, dir)); dir = p->m.dir) {
		if (*depth > CONTENTS_DEPTH_MAX)
			return err_explain(-EUCLEAN, "contents: folder %u of list %u is too deep", dir, content);
		p->numbers[(*depth)++] = dir;
		r = read_folder(p, content, dir);
		if (!r)
			r = buf_append(&p->names, p->m.name, strlen(p->m.name) + 1);
		if (r)
			return r;
	}
	out->len = 0;
	return path ? buf_append(out, path, strlen(path)) : 0;
}

static int add_name(struct buf *out, const char *name)
{
	size_t n = strlen(name);
	int r = buf_reserve(out, n + 2);

	if (r)
		return r;
	if (out->len)
		buf_put_u8(out, '/');
	buf_append(out, name, n);
	out->data[out->len] = 0;
	return 0;
}

int paths_of(struct paths *p, const struct contents_member *m, struct buf *out)
{
	const char *names;
	unsigned depth;
	size_t at;
	int r;

	r = climb(p, m->content, m->dir, &depth, out);
	names = (const char *)p->names.data;
	for (at = p->names.len; !r && depth-- > 0;) {
		for (at--; at && names[at - 1];)
			at--;
		r = add_name(out, names + at);
		if (!r)
			keep(p, m->content, p->numbers[depth], out);
	}
	return r ? r : add_name(out, m->name);
}
