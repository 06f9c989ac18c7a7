/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Choosing volumes by words.  A word with * ? or [ is a pattern; otherwise, if a volume is called so, it is that one
 * (names may look like ranges); otherwise it is a range.
 *
 * Only numbers are kept (8 bytes a volume), and every step asks the catalog again: a volume that went in between is
 * simply not there.
 */
#include "daemon/serve_call.h"

#include <errno.h>
#include <fnmatch.h>

void selection_fini(struct selection *sel)
{
	free(sel->id);
	*sel = (struct selection){ 0 };
}

static int selection_add(struct selection *sel, uint64_t id)
{
	if (sel->n == sel->cap) {
		size_t cap = sel->cap ? 2 * sel->cap : 64;
		uint64_t *more = realloc(sel->id, cap * sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		sel->id = more;
		sel->cap = cap;
	}
	sel->id[sel->n++] = id;
	return 0;
}

/* ---- patterns ------------------------------------------------------------------------------------------ */

struct matching {
	struct catalog *cat;
	struct selection *sel;
	const char *pattern;	/* NULL: all */
};

static int match_volume(void *ctx, const struct catalog_volume *v)
{
	struct matching *m = ctx;

	if (m->pattern && fnmatch(m->pattern, v->name, 0) != 0)
		return 0;
	return selection_add(m->sel, v->id);
}

static int each_pool_id(void *ctx, const struct catalog_pool *p)
{
	return selection_add(ctx, p->id);
}

static int select_matching(struct matching *m, const struct catalog_pool *pool)
{
	struct selection pools = { 0 };
	int r;

	if (pool)
		return catalog_volume_each(m->cat, pool->id, "", match_volume, m);
	/* The pools first and then, outside of that walk, what is in them. */
	r = catalog_pool_each(m->cat, each_pool_id, &pools);
	for (size_t i = 0; !r && i < pools.n; i++)
		r = catalog_volume_each(m->cat, (uint32_t)pools.id[i], "", match_volume, m);
	selection_fini(&pools);
	return r;
}

/* ---- words --------------------------------------------------------------------------------------------- */

static int select_one(const struct call *c, const char *name, const struct catalog_pool *pool, struct selection *sel)
{
	struct catalog_volume v;
	int r;

	r = call_volume(c, name, &v);
	if (r)
		return r;
	if (pool && v.pool != pool->id)
		return err_explain(-ENOENT, "there is no volume \"%s\" in pool \"%s\"", name, pool->name);
	return selection_add(sel, v.id);
}

static int select_range(const struct call *c, const struct name_range *range, const struct catalog_pool *pool,
			struct selection *sel)
{
	char name[BARCODE_MAX + 1];
	int r = 0;

	for (uint64_t i = 0; !r && i < range->count; i++) {
		r = parse_range_name(range, i, name);
		if (!r)
			r = select_one(c, name, pool, sel);
	}
	return r;
}

static int select_word(const struct call *c, const char *word, const struct catalog_pool *pool, struct selection *sel)
{
	struct matching m = { c->s->cat, sel, word };
	struct catalog_volume v;
	struct name_range range;
	size_t before = sel->n;
	int r;

	if (strpbrk(word, "*?[")) {
		r = select_matching(&m, pool);
		return r || sel->n > before ? r : err_explain(-ENOENT, "no volume fits \"%s\"", word);
	}
	r = catalog_volume_get(c->s->cat, word, &v);
	if (r == CATALOG_E_NONE && parse_range(word, &range) == 0 && range.count > 1)
		return select_range(c, &range, pool, sel);
	return select_one(c, word, pool, sel);
}

struct numbered { uint64_t id; size_t at; };

static int numbered_order(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Several words may mean the same volume; the first mention stays. */
static int selection_unique(struct selection *sel)
{
	CLEANUP(freep) struct numbered *all = calloc(sel->n + 1, sizeof(*all));
	size_t kept = 0;

	if (!all)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < sel->n; i++)
		all[i] = (struct numbered){ sel->id[i], i };
	qsort(all, sel->n, sizeof(*all), numbered_order);
	for (size_t i = 1; i < sel->n; i++)
		if (all[i].id == all[i - 1].id)
			sel->id[all[i].at] = 0; /* no volume has the number 0 */
	for (size_t i = 0; i < sel->n; i++)
		if (sel->id[i])
			sel->id[kept++] = sel->id[i];
	sel->n = kept;
	return 0;
}

int selection_make(const struct call *c, const json_t *words, const char *pool, struct selection *sel)
{
	struct matching all = { c->s->cat, sel, NULL };
	struct catalog_pool p;
	const json_t *word;
	size_t i;
	int r;

	if (pool) {
		r = call_pool(c, pool, &p);
		if (r)
			return r;
	}
	if (json_array_size(words) == 0)
		return select_matching(&all, pool ? &p : NULL);
	json_array_foreach(words, i, word) {
		if (!json_is_string(word))
			return err_explain(-EINVAL, "a volume's name is no word");
		r = select_word(c, json_string_value(word), pool ? &p : NULL, sel);
		if (r)
			return r;
	}
	return json_array_size(words) > 1 ? selection_unique(sel) : 0;
}
