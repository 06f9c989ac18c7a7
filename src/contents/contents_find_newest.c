/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of all members of one name the newest of each path: a table by path.  It holds so many paths and no more; for a
 * name with more of them the postings are gone through several times, each time for a part of all paths.
 */
#include "contents/find.h"

#include <errno.h>

#define SLOTS 65536u
#define ENTRIES_MAX (SLOTS / 4 * 3)

struct newest {
	struct contents *c;
	struct paths *paths;
	struct newest_entry *slot;	/* .content 0: empty */
	size_t count;
	uint64_t parts, part;
	bool packed;			/* newest_all() moved them together */
	struct contents_member m;
	struct buf path;
};

int newest_new(struct contents *c, struct paths *paths, struct newest **out)
{
	struct newest *n = calloc(1, sizeof(*n));

	if (n)
		n->slot = calloc(SLOTS, sizeof(*n->slot));
	if (!n || !n->slot) {
		newest_free(n);
		return err_origin(-ENOMEM);
	}
	n->c = c;
	n->paths = paths;
	n->parts = 1;
	*out = n;
	return 0;
}

struct newest *newest_free(struct newest *n)
{
	if (n) {
		contents_member_fini(&n->m);
		buf_fini(&n->path);
		free(n->slot);
		free(n);
	}
	return NULL;
}

void newest_begin(struct newest *n, uint64_t parts, uint64_t part)
{
	if (n->packed)
		memset(n->slot, 0, n->count * sizeof(*n->slot));
	else if (n->count)
		memset(n->slot, 0, SLOTS * sizeof(*n->slot));
	n->count = 0;
	n->packed = false;
	n->parts = parts;
	n->part = part;
}

/* 0: it is; CONTENTS_E_NONE: it has another path. */
static int has_path(struct newest *n, const struct newest_entry *e, const char *path)
{
	int r = contents_member(n->c, e->content, e->number, &n->m);

	if (!r)
		r = paths_of(n->paths, &n->m, &n->path);
	if (!r && strcmp((const char *)n->path.data, path))
		r = CONTENTS_E_NONE;
	return r;
}

static bool is_newer(const struct newest_entry *a, const struct newest_entry *b)
{
	if (a->written_ns != b->written_ns)
		return a->written_ns > b->written_ns;
	return a->content != b->content ? a->content > b->content : a->number > b->number;
}

int newest_add(struct newest *n, const struct contents_member *m, const char *path, uint64_t written_ns)
{
	const struct newest_entry new = { sum64(path, strlen(path)), written_ns, m->content, m->number };
	size_t i = new.hash % SLOTS;
	int r;

	if ((new.hash >> 20 & (n->parts - 1)) != n->part)
		return 0;
	for (; n->slot[i].content; i = (i + 1) % SLOTS) {
		if (n->slot[i].hash != new.hash)
			continue;
		r = has_path(n, &n->slot[i], path);
		if (r < 0)
			return r;
		if (r)
			continue;
		if (is_newer(&new, &n->slot[i]))
			n->slot[i] = new;
		return 0;
	}
	if (n->count == ENTRIES_MAX)
		return CONTENTS_E_NONE;
	n->slot[i] = new;
	n->count++;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct newest_entry *x = a, *y = b;

	if (x->content != y->content)
		return x->content < y->content ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

const struct newest_entry *newest_all(struct newest *n, size_t *count)
{
	size_t to = 0;

	for (size_t i = 0; i < SLOTS && to < n->count; i++) {
		struct newest_entry e = n->slot[i];

		n->slot[i].content = 0;
		if (e.content)
			n->slot[to++] = e;
	}
	n->packed = true;
	qsort(n->slot, n->count, sizeof(*n->slot), by_place);
	*count = n->count;
	return n->slot;
}
