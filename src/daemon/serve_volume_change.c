/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that change volumes.  Whether a change is allowed is library/'s to say.  A request that names several
 * volumes stops at the first that cannot be changed; those before it have been.
 */
#include "daemon/serve_call.h"

#include <errno.h>
#include <stdio.h>

/* Runs @change on each chosen volume. */
static int for_each_named(struct call *c, int (*change)(struct call *c, uint64_t id, const void *arg), const void *arg)
{
	struct selection sel = { 0 };
	const json_t *names;
	int r;

	r = call_strings(c, "names", &names);
	if (!r)
		r = selection_make(c, names, NULL, &sel);
	for (size_t i = 0; !r && i < sel.n; i++) {
		r = err_fold(change(c, sel.id[i], arg));
		if (!r)
			r = ctl_reply_progress(c->reply, json_pack("{s:I, s:I}", "done", (json_int_t)i + 1, "total",
								   (json_int_t)sel.n));
	}
	selection_fini(&sel);
	return r;
}

/* A word as the property of that name of a pool would take it: the rules are catalog/'s. */
static int parse_as_pool(const char *prop, const char *value, struct catalog_pool *out)
{
	*out = (struct catalog_pool){ .id = 0 };
	return catalog_pool_prop_set(out, prop, value);
}

/* ---- making -------------------------------------------------------------------------------------------- */

/* Calls @each with every name that @words mean. */
static int each_new_name(struct call *c, const json_t *words, int (*each)(struct call *c, const char *name, void *ctx),
			 void *ctx)
{
	const json_t *word;
	size_t i;
	int r;

	json_array_foreach(words, i, word) {
		struct name_range range;
		char name[BARCODE_MAX + 1];
		r = parse_range(json_string_value(word), &range);
		for (uint64_t k = 0; !r && k < range.count; k++) {
			r = parse_range_name(&range, k, name);
			if (!r)
				r = each(c, name, ctx);
		}
		if (r)
			return r;
	}
	return 0;
}

/* @seen: the names so far, or NULL where they cannot come twice. */
static int must_be_free(struct call *c, const char *name, void *seen)
{
	struct catalog_volume v;
	int r;

	if (seen && json_object_get(seen, name))
		return err_explain(-EINVAL, "volume \"%s\" is named twice", name);
	if (seen && json_object_set_new(seen, name, json_true()))
		return err_origin(-ENOMEM);
	r = catalog_volume_get(c->s->cat, name, &v);
	if (r == 0)
		return call_fold(CATALOG_E_EXISTS, "volume", name);
	return r == CATALOG_E_NONE ? 0 : r;
}

/* All of them or none: looked at before the first is made.  Within one range no name comes twice. */
static int names_are_new(struct call *c, const json_t *names)
{
	json_t *seen = json_array_size(names) > 1 ? json_object() : NULL;
	int r = each_new_name(c, names, must_be_free, seen);

	json_decref(seen);
	return r;
}

/* What `volume create` was told beyond the pool's properties. */
struct creation {
	const char *pool;
	bool has_capacity, worm, protect;
	uint64_t capacity_bytes;
	uint64_t created;
};

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
	how->created++;
	return ctl_reply_progress(c->reply, json_pack("{s:I}", "done", (json_int_t)how->created));
}

int serve_volume_create(struct call *c)
{
	struct creation how = { .pool = call_string_or(c, "pool", CATALOG_POOL_DEFAULT), .worm = call_flag(c, "worm"),
				.protect = call_flag(c, "protect"), .has_capacity = call_has(c, "capacity") };
	struct catalog_pool pool;
	const json_t *names;
	int r;

	r = call_strings(c, "names", &names);
	if (!r && how.has_capacity)
		r = parse_as_pool("capacity", call_string_or(c, "capacity", ""), &pool);
	if (!r && how.has_capacity)
		how.capacity_bytes = pool.capacity_bytes;
	if (!r)
		r = call_pool(c, how.pool, &pool);
	if (!r)
		r = names_are_new(c, names);
	if (!r)
		r = each_new_name(c, names, create_one, &how);
	return r ? r : call_answer(c, json_pack("{s:I}", "created", (json_int_t)how.created));
}

/* ---- changing wholes ----------------------------------------------------------------------------------- */

static int erase_one(struct call *c, uint64_t id, const void *arg)
{
	return library_volume_erase(c->s->lib, id);
}

int serve_volume_erase(struct call *c)
{
	return for_each_named(c, erase_one, NULL);
}

static int delete_one(struct call *c, uint64_t id, const void *arg)
{
	return library_volume_delete(c->s->lib, id);
}

int serve_volume_delete(struct call *c)
{
	return for_each_named(c, delete_one, NULL);
}

static int move_one(struct call *c, uint64_t id, const void *pool)
{
	struct catalog_volume v;
	struct catalog_pool p;
	int r;

	r = call_fold(catalog_volume_by_id(c->s->cat, id, &v), "volume", "?");
	if (!r)
		r = call_pool(c, pool, &p);
	if (r || v.pool == p.id)
		return r;
	return library_volume_move(c->s->lib, id, pool, v.name);
}

int serve_volume_move(struct call *c)
{
	const char *pool;
	int r = call_string(c, "pool", &pool);

	return r ? r : for_each_named(c, move_one, pool);
}

int serve_volume_rename(struct call *c)
{
	struct catalog_volume v;
	struct catalog_pool pool;
	const char *name, *to;
	int r;

	r = call_string(c, "name", &name);
	if (!r)
		r = call_string(c, "to", &to);
	if (!r)
		r = call_volume(c, name, &v);
	if (!r)
		r = call_fold(catalog_pool_by_id(c->s->cat, v.pool, &pool), "pool", "?");
	return r ? r : call_fold(library_volume_move(c->s->lib, v.id, pool.name, to), "volume", to);
}

/* ---- properties ---------------------------------------------------------------------------------------- */

struct volume_changes {
	bool protect_set, worm_set, capacity_set, record_set;
	bool protect, worm;
	uint64_t capacity_bytes, record_bytes;
};

static void set_protect(struct volume_changes *ch, const struct catalog_pool *as)
{
	ch->protect_set = true;
	ch->protect = as->worm;
}

static void set_worm(struct volume_changes *ch, const struct catalog_pool *as)
{
	ch->worm_set = true;
	ch->worm = as->worm;
}

static void set_capacity(struct volume_changes *ch, const struct catalog_pool *as)
{
	ch->capacity_set = true;
	ch->capacity_bytes = as->capacity_bytes;
}

static void set_record_size(struct volume_changes *ch, const struct catalog_pool *as)
{
	ch->record_set = true;
	ch->record_bytes = as->record_bytes;
}

static const struct {
	const char *name;
	const char *as;		/* the pool's property whose words it takes */
	void (*set)(struct volume_changes *ch, const struct catalog_pool *as);
} volume_props[] = {
	{ "protect", "worm", set_protect },
	{ "capacity", "capacity", set_capacity },
	{ "record_size", "record_size", set_record_size },
	{ "worm", "worm", set_worm },
};

static int change_parse(const char *word, struct volume_changes *ch)
{
	struct catalog_pool as = { .id = 0 };
	const char *value;
	char prop[64];
	int r = call_assignment(word, prop, sizeof(prop), &value);

	if (r)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(volume_props); i++) {
		if (strcmp(volume_props[i].name, prop) != 0)
			continue;
		/* "inherit" is a volume's own word: no record size but the pool's. */
		if (volume_props[i].set != set_record_size || strcmp(value, "inherit") != 0)
			r = parse_as_pool(volume_props[i].as, value, &as);
		if (!r)
			volume_props[i].set(ch, &as);
		return r;
	}
	return err_explain(-ENOENT, "a volume has no property \"%s\"; it has protect, capacity, record_size and worm",
			   prop);
}

static void changes_apply(struct catalog_volume *v, void *ctx)
{
	const struct volume_changes *ch = ctx;

	if (ch->protect_set)
		v->protect = ch->protect;
	if (ch->worm_set)
		v->worm = ch->worm;
	if (ch->capacity_set)
		v->capacity_bytes = ch->capacity_bytes;
	if (ch->record_set)
		v->record_bytes = ch->record_bytes;
}

static int set_one(struct call *c, uint64_t id, const void *arg)
{
	struct volume_changes ch = *(const struct volume_changes *)arg;
	struct catalog_volume v;
	struct volume_stat st;
	int r;

	r = call_fold(catalog_volume_by_id(c->s->cat, id, &v), "volume", "?");
	if (!r && ch.worm_set && ch.worm != v.worm) {
		r = err_fold(library_stat(c->s->lib, id, &st));
		if (!r && st.end.objects)
			r = err_explain(-EPERM,
					"volume \"%s\" is not blank: whether it is write once can no longer be changed",
					v.name);
	}
	return r ? r : library_volume_change(c->s->lib, id, changes_apply, &ch);
}

int serve_volume_set(struct call *c)
{
	struct volume_changes ch = { 0 };
	const json_t *set, *word;
	size_t i;
	int r;

	r = call_strings(c, "set", &set);
	if (r)
		return r;
	json_array_foreach(set, i, word) {
		r = change_parse(json_string_value(word), &ch);
		if (r)
			return r;
	}
	return for_each_named(c, set_one, &ch);
}
