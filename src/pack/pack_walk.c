/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pack_walk: every pack file, in the order of numbers.  A folder is listed when the walk comes to it and not again, so
 * a walk over all packs costs one listing a folder.  A folder that cannot be listed is told and passed over.
 */
#include <errno.h>

#include "pack/backing.h"

struct pack_walk {
	struct packs *ps;
	uint64_t from;			  /* numbers below are not wanted */
	struct pack_numbers folders, in; /* the subfolders; the packs of the one before folders.of[@folder] */
	size_t folder, at;		  /* what comes next of either */
};

int pack_numbers_add(struct pack_numbers *n, uint64_t number)
{
	if (n->count == n->cap) {
		size_t cap = n->cap ? 2 * n->cap : 64;
		uint64_t *more = realloc(n->of, cap * sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		n->of = more;
		n->cap = cap;
	}
	n->of[n->count++] = number;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void sort(struct pack_numbers *n)
{
	if (n->count)
		qsort(n->of, n->count, sizeof(*n->of), by_number);
}

int pack_walk_new(struct packs *ps, uint64_t from, struct pack_walk **out)
{
	CLEANUP(pack_walk_freep) struct pack_walk *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_origin(-ENOMEM);
	w->ps = ps;
	w->from = from;
	r = ps->ops->folders(ps, &w->folders);
	if (r)
		return r;
	sort(&w->folders);
	while (w->folder < w->folders.count && w->folders.of[w->folder] < from >> PACK_FOLDER_BITS)
		w->folder++;
	*out = STEAL(w);
	return 0;
}

struct pack_walk *pack_walk_free(struct pack_walk *w)
{
	if (w) {
		free(w->folders.of);
		free(w->in.of);
		free(w);
	}
	return NULL;
}

void pack_walk_freep(struct pack_walk **w)
{
	*w = pack_walk_free(*w);
}

static int list_next_folder(struct pack_walk *w)
{
	int r;

	w->at = w->in.count = 0;
	r = w->ps->ops->list(w->ps, w->folders.of[w->folder++], &w->in);
	sort(&w->in);
	return r;
}

/* Is @number in the folder that is being walked?  A file in another's is passed over: nobody would open it there. */
static bool belongs(const struct pack_walk *w, uint64_t number)
{
	return number >= w->from && number >> PACK_FOLDER_BITS == w->folders.of[w->folder - 1];
}

int pack_walk_next(struct pack_walk *w, uint64_t *number)
{
	int r;

	for (;;) {
		while (w->at < w->in.count) {
			uint64_t n = w->in.of[w->at++];

			if (!belongs(w, n))
				continue;
			*number = n;
			return 0;
		}
		if (w->folder == w->folders.count)
			return PACK_E_NONE;
		r = list_next_folder(w);
		if (r)
			return r;
	}
}
