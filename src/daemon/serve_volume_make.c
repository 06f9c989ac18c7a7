/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request that makes volumes: by names, or so many by their pool's barcode, which counts on.  All names are looked
 * at before the first volume is made: one that cannot be is told, and none is.
 */
#include "daemon/serve_call.h"

#include <errno.h>
#include <stdio.h>

/* What `volume create` was told beyond the pool's properties. */
struct creation {
	const char *pool;
	bool has_capacity, worm, protect;
	uint64_t capacity_bytes;
	uint64_t created;
	char first[BARCODE_MAX + 1], last[BARCODE_MAX + 1];
};

/* ---- names --------------------------------------------------------------------------------------------- */

/* Words that came from a file are told by their lines. */
static int at_line(const struct call *c, size_t i, int r)
{
	const json_t *line = json_array_get(json_object_get(c->req, "lines"), i);
	char words[512];

	if (r >= 0 || !json_is_integer(line))
		return r;
	snprintf(words, sizeof(words), "%s", err_text(r));
	return err_explain(r, "line %lld: %s", (long long)json_integer_value(line), words);
}

/* Calls @each with every name that @words mean. */
static int each_new_name(struct call *c, const json_t *words, int (*each)(struct call *c, const char *name, void *ctx),
			 void *ctx)
{
	const json_t *word;
	size_t i;
	int r;

	json_array_foreach(words, i, word) {
		struct name_range range = { .count = 0 };
		char name[BARCODE_MAX + 1];

		/* What is on a line is one name, also if it looks like a range. */
		r = call_has(c, "lines") ? each(c, json_string_value(word), ctx)
					 : parse_range(json_string_value(word), &range);
		for (uint64_t k = 0; !r && k < range.count; k++) {
			r = parse_range_name(&range, k, name);
			if (!r)
				r = each(c, name, ctx);
		}
		if (r)
			return at_line(c, i, r);
	}
	return 0;
}

/* @seen: the names so far, or NULL where they cannot come twice. */
static int must_be_free(struct call *c, const char *name, void *seen)
{
	if (seen && json_object_get(seen, name))
		return err_explain(-EINVAL, "volume \"%s\" is named twice", name);
	if (seen && json_object_set_new(seen, name, json_true()))
		return err_origin(-ENOMEM);
	return library_label_free(c->s->lib, name);
}

/* Within one range no name comes twice. */
static int names_are_new(struct call *c, const json_t *names)
{
	json_t *seen = json_array_size(names) > 1 ? json_object() : NULL;
	int r = each_new_name(c, names, must_be_free, seen);

	json_decref(seen);
	return r;
}

/* ---- making -------------------------------------------------------------------------------------------- */

static void creation_apply(struct catalog_volume *v, void *ctx)
{
	const struct creation *how = ctx;

	if (how->has_capacity)
		v->capacity_bytes = how->capacity_bytes;
	v->worm |= how->worm;
	v->protect |= how->protect;
}

static int create_one(struct call *c, const char *name, void *ctx)
{
	struct creation *how = ctx;
	struct catalog_perm perm = call_perm(0644);
	struct catalog_volume v;
	int r;

	r = call_fold(library_volume_create(c->s->lib, how->pool, name, &perm, false, &v), "volume", name);
	if (!r && (how->has_capacity || how->worm || how->protect))
		r = err_fold(library_volume_change(c->s->lib, v.id, creation_apply, how));
	if (r)
		return r;
	snprintf(how->created++ ? how->last : how->first, sizeof(how->first), "%s", name);
	return ctl_reply_progress(c->reply, json_pack("{s:I}", "done", (json_int_t)how->created));
}

/* ---- by the pool's barcode ----------------------------------------------------------------------------- */

#define COUNT_MAX 1000000u

/* The name at @at that is free, and where it is; names that somebody else took are passed over. */
static int next_free(struct call *c, const struct name_range *range, uint64_t *at, char name[BARCODE_MAX + 1])
{
	struct catalog_clash clash;
	struct catalog_volume v;
	int r;

	for (;; ++*at) {
		r = parse_range_name(range, *at, name);
		if (!r)
			r = catalog_volume_get(c->s->cat, name, &v);
		if (r == CATALOG_E_NONE)
			r = catalog_clash_find(c->s->cat, name, &clash);
		if (r)
			return r == CATALOG_E_NONE ? 0 : err_fold(r);
	}
}

static int barcode_range(const struct catalog_pool *pool, struct name_range *range)
{
	char counted[BARCODE_MAX + 16];

	if (!pool->barcode[0])
		return err_explain(-EINVAL,
				   "pool %s has no barcode to count on from: `vtape pool set %s barcode=A00001L8`",
				   pool->name, pool->name);
	snprintf(counted, sizeof(counted), "%s+%u", pool->barcode, COUNT_MAX);
	return parse_range(counted, range);
}

static int put_barcode(struct catalog_pool *p, void *ctx)
{
	snprintf(p->barcode, sizeof(p->barcode), "%s", (const char *)ctx);
	return 0;
}

/* All names are found before the first is made.  The next one is the one behind the last; without that word, which a
 * crash may lose, those that are taken are passed over the next time. */
static int create_counted(struct call *c, const struct catalog_pool *pool, uint64_t count, struct creation *how)
{
	json_t *names = json_array();
	char name[BARCODE_MAX + 1];
	struct name_range range;
	uint64_t at = 0;
	int r;

	r = barcode_range(pool, &range);
	for (uint64_t i = 0; !r && i < count; i++, at++) {
		r = next_free(c, &range, &at, name);
		if (!r && json_array_append_new(names, json_string(name)))
			r = err_origin(-ENOMEM);
	}
	for (size_t i = 0; !r && i < count; i++)
		r = create_one(c, json_string_value(json_array_get(names, i)), how);
	json_decref(names);
	if (!r && !parse_range_name(&range, at, name))
		r = err_fold(library_pool_change(c->s->lib, pool->name, put_barcode, name));
	return r;
}

/* ---- the request --------------------------------------------------------------------------------------- */

static int create_named(struct call *c, struct creation *how)
{
	const json_t *names;
	int r;

	r = call_strings(c, "names", &names);
	if (!r)
		r = names_are_new(c, names);
	return r ? r : each_new_name(c, names, create_one, how);
}

int serve_volume_create(struct call *c)
{
	struct creation how = { .pool = call_string_or(c, "pool", CATALOG_POOL_DEFAULT), .worm = call_flag(c, "worm"),
				.protect = call_flag(c, "protect"), .has_capacity = call_has(c, "capacity") };
	struct catalog_pool pool;
	uint64_t count = 0;
	json_t *ok;
	int r = 0;

	if (how.has_capacity)
		r = call_pool_word("capacity", call_string_or(c, "capacity", ""), &pool);
	if (!r && how.has_capacity)
		how.capacity_bytes = pool.capacity_bytes;
	if (!r && call_has(c, "count"))
		r = call_u64(c, "count", &count);
	if (!r && count > COUNT_MAX)
		r = err_explain(-ERANGE, "at most %u volumes at a time", COUNT_MAX);
	if (!r)
		r = call_pool(c, how.pool, &pool);
	if (!r)
		r = count ? create_counted(c, &pool, count, &how) : create_named(c, &how);
	if (r)
		return r;
	ok = json_pack("{s:I}", "created", (json_int_t)how.created);
	if (ok && count)
		json_object_update_new(ok, json_pack("{s:s, s:s}", "first", how.first, "last",
						     how.created > 1 ? how.last : how.first));
	return call_answer(c, ok);
}
