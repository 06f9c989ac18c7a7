/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_pool: pools made, renamed and destroyed.  A pool goes with its volumes only if every one of them may go, as
 * far as can be seen before the first is deleted.
 */
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

int library_pool(struct library *lib, const char *name, struct catalog_pool *out)
{
	int r = catalog_pool_get(lib->cat, name, out);

	return r == CATALOG_E_NONE ? err_explain(-ENOENT, "there is no pool %s", name) : err_fold(r);
}

struct catalog_perm library_perm(const struct catalog_perm *perm, uint32_t mode)
{
	struct catalog_perm p = { .mode = mode };

	if (perm)
		p = *perm;
	if (!p.ctime_ns)
		p.ctime_ns = clock_now_ns();
	if (!p.mtime_ns)
		p.mtime_ns = p.ctime_ns;
	return p;
}

static int pool_check_name(const char *name)
{
	if (parse_is_name(name))
		return 0;
	return err_explain(-EINVAL, "\"%s\" is no name for a pool: 1 to %d of A-Z a-z 0-9 . _ - +", name, BARCODE_MAX);
}

int library_pool_create(struct library *lib, const char *name, const struct catalog_perm *perm,
			struct catalog_pool *out)
{
	struct catalog_perm p = library_perm(perm, 0755);
	struct catalog_pool pool;
	int r;

	r = pool_check_name(name);
	if (r)
		return r;
	r = catalog_pool_create(lib->cat, name, &p, &pool);
	if (r == CATALOG_E_EXISTS)
		return err_explain(-EEXIST, "there is a pool %s already", name);
	if (r)
		return err_fold(r);
	catalog_event(lib->cat, EVENT_POOL_CREATED, name, "pool %s", name);
	if (out)
		*out = pool;
	return 0;
}

struct naming { const char *name; struct buf ids; };

static int add_if_named(void *ctx, const struct catalog_pool *p)
{
	struct naming *n = ctx;

	return strcmp(p->scratch, n->name) ? 0 : buf_append(&n->ids, &p->id, sizeof(p->id));
}

/* With `change`: those whose scratch pool was called @from. */
static int scratch_renamed(struct library *lib, const char *from, const char *to)
{
	struct naming n = { from, BUF_INIT };
	struct catalog_pool p;
	uint32_t id;
	int r = err_fold(catalog_pool_each(lib->cat, add_if_named, &n));

	for (size_t at = 0; !r && at < n.ids.len; at += sizeof(id)) {
		memcpy(&id, n.ids.data + at, sizeof(id));
		r = err_fold(catalog_pool_by_id(lib->cat, id, &p));
		if (r)
			break;
		snprintf(p.scratch, sizeof(p.scratch), "%s", to);
		r = err_fold(catalog_pool_put(lib->cat, &p));
	}
	buf_fini(&n.ids);
	return r;
}

int library_pool_rename(struct library *lib, const char *from, const char *to)
{
	struct catalog_pool pool;
	int r;

	r = pool_check_name(to);
	if (r)
		return r;
	LOCK_SCOPE(&lib->change);
	r = library_pool(lib, from, &pool);
	if (r)
		return r;
	snprintf(pool.name, sizeof(pool.name), "%s", to);
	r = catalog_pool_put(lib->cat, &pool);
	if (r == CATALOG_E_EXISTS)
		return err_explain(-EEXIST, "there is a pool %s already", to);
	if (r)
		return err_fold(r);
	catalog_event(lib->cat, EVENT_POOL_CHANGED, to, "was %s", from);
	return scratch_renamed(lib, from, to);
}

static int pool_edit(struct library *lib, const char *name, int (*change)(struct catalog_pool *p, void *ctx), void *ctx,
		     struct catalog_pool *was_out, struct catalog_pool *out)
{
	struct catalog_pool was, pool;
	int r;

	LOCK_SCOPE(&lib->change);
	r = library_pool(lib, name, &was);
	if (r)
		return r;
	pool = was;
	r = change(&pool, ctx);
	if (r)
		return r;
	pool.id = was.id;
	memcpy(pool.name, was.name, sizeof(pool.name));
	pool.locked_until_ns = was.locked_until_ns;
	if (pool.scratch[0] && strcmp(pool.scratch, was.scratch)) {
		r = library_pool(lib, pool.scratch, &(struct catalog_pool){ .id = 0 });
		if (r)
			return r;
	}
	r = site_pool_becomes(&was, &pool);
	if (r)
		return r;
	*was_out = was;
	*out = pool;
	return err_fold(catalog_pool_put(lib->cat, &pool));
}

int library_pool_change(struct library *lib, const char *name, int (*change)(struct catalog_pool *p, void *ctx),
			void *ctx)
{
	struct catalog_pool was, pool;
	int r = pool_edit(lib, name, change, ctx, &was, &pool);

	if (r)
		return r;
	if (pool.contents != was.contents)
		watch_tell(lib, LIBRARY_EVERY_VOLUME, WATCH_CHANGED);
	return pool.access == was.access ? 0 : site_pool_became(lib, &was, &pool);
}

struct ids { uint64_t *id; size_t count, cap; };

static int ids_add(void *ctx, const struct catalog_volume *v)
{
	struct ids *ids = ctx;
	uint64_t *more;

	if (ids->count == ids->cap) {
		size_t cap = ids->cap ? 2 * ids->cap : 64;

		more = reallocarray(ids->id, cap, sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		ids->id = more;
		ids->cap = cap;
	}
	ids->id[ids->count++] = v->id;
	return 0;
}

/* Every volume of it, or none if one of them cannot be deleted as far as the catalog knows. */
static int pool_empty(struct library *lib, const struct catalog_pool *pool)
{
	struct ids ids = { NULL, 0, 0 };
	struct catalog_volume row;
	size_t i;
	int r;

	r = catalog_volume_each(lib->cat, pool->id, "", ids_add, &ids);
	for (i = 0; !r && i < ids.count; i++) {
		r = library_row(lib, ids.id[i], &row);
		if (!r)
			r = site_allows_delete(lib, &row);
	}
	for (i = 0; !r && i < ids.count; i++)
		r = library_volume_delete(lib, ids.id[i]);
	free(ids.id);
	return r;
}

/* It may have been locked since we asked. */
static int pool_destroy_row(struct library *lib, uint32_t id)
{
	struct catalog_pool pool;
	int r;

	LOCK_SCOPE(&lib->change);
	r = catalog_pool_by_id(lib->cat, id, &pool);
	if (!r)
		r = lock_allows_pool(lib, &pool, "destroyed");
	return r ? r : catalog_pool_destroy(lib->cat, id);
}

int library_pool_destroy(struct library *lib, const char *name, bool with_volumes)
{
	struct catalog_pool pool;
	int r;

	r = library_pool(lib, name, &pool);
	if (!r)
		r = lock_allows_pool(lib, &pool, "destroyed");
	if (r)
		return r;
	if (with_volumes) {
		r = pool_empty(lib, &pool);
		if (r)
			return r;
	}
	r = pool_destroy_row(lib, pool.id);
	if (r == CATALOG_E_NOT_EMPTY)
		return err_explain(-ENOTEMPTY, "pool %s has volumes", name);
	if (r)
		return err_fold(r);
	catalog_event(lib->cat, EVENT_POOL_DESTROYED, name, "pool %s", name);
	return 0;
}
