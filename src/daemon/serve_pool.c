/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about pools.  Properties travel as the words of catalog/'s table; their meaning is not known here. */
#include "daemon/serve_call.h"

#include <errno.h>
#include <stdio.h>

/* ---- looking ------------------------------------------------------------------------------------------- */

/* To the catalog a site is a number. */
static json_t *site_text(const struct call *c, const struct catalog_pool *p)
{
	struct catalog_site s;

	return catalog_site_by_number(c->s->cat, p->site, &s) ? NULL : json_string(s.name);
}

static json_t *prop_text(const struct call *c, const struct catalog_pool *p, const char *prop)
{
	struct buf text = BUF_INIT;
	json_t *j = NULL;

	if (!strcmp(prop, "site"))
		return site_text(c, p);
	if (catalog_pool_prop_get(p, prop, &text) == 0)
		j = json_stringn((const char *)text.data, text.len);
	buf_fini(&text);
	return j;
}

/* Every property as its word. */
static json_t *props_json(const struct call *c, const struct catalog_pool *p)
{
	size_t n;
	const struct catalog_prop *props = catalog_pool_props(&n);
	json_t *all = json_object();

	for (size_t i = 0; i < n; i++)
		json_object_set_new(all, props[i].name, prop_text(c, p, props[i].name));
	return all;
}

/* 0 once it is over. */
static uint64_t lock_of(const struct catalog_pool *p)
{
	return p->locked_until_ns > clock_retention_ns() ? p->locked_until_ns : 0;
}

static int pool_row(struct call *c, const struct catalog_pool *p)
{
	struct selection sel = { 0 };
	uint64_t size = 0, stored = 0;
	int r;

	r = selection_make(c, NULL, p->name, &sel);
	for (size_t i = 0; !r && i < sel.n; i++) {
		struct volume_stat st;
		if (library_stat(c->s->lib, sel.id[i], &st) == 0) { /* of one that cannot be read volume.list tells */
			size += st.end.bytes;
			stored += st.stored_bytes;
		}
	}
	selection_fini(&sel);
	if (r)
		return r;
	return call_row(c, json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "name", p->name, "volumes",
				     (json_int_t)p->volumes, "size_bytes", (json_int_t)size,
				     "stored_bytes", (json_int_t)stored, "locked_until_ns", (json_int_t)lock_of(p),
				     "properties", props_json(c, p)));
}

static int collect_name(void *ctx, const struct catalog_pool *p)
{
	return json_array_append_new(ctx, json_string(p->name));
}

int serve_pool_list(struct call *c)
{
	json_t *names = json_object_get(c->req, "names"), *name;
	struct catalog_pool p;
	size_t i;
	int r = 0;

	if (json_array_size(names)) {
		json_incref(names);
	} else {
		names = json_array();
		r = catalog_pool_each(c->s->cat, collect_name, names);
	}
	json_array_foreach(names, i, name) {
		if (r)
			break;
		r = json_is_string(name) ? call_pool(c, json_string_value(name), &p)
					 : err_explain(-EINVAL, "a pool's name is no word");
		if (!r)
			r = pool_row(c, &p);
	}
	json_decref(names);
	return r;
}

static int prop_row(struct call *c, const struct catalog_pool *p, const struct catalog_prop *prop)
{
	json_t *text = prop_text(c, p, prop->name);

	return call_row(c, json_pack("{s:s, s:s, s:o, s:s, s:s}", "pool", p->name, "property", prop->name, "value",
				     text ? text : json_null(), "values", prop->values, "help", prop->help));
}

/* Shown beside the properties, but not one: it is set by pool.lock only, and never back. */
static int lock_row(struct call *c, const struct catalog_pool *p)
{
	char when[32];

	format_time(lock_of(p), when);
	return call_row(c, json_pack("{s:s, s:s, s:s, s:s, s:s}", "pool", p->name, "property", "locked", "value",
				     lock_of(p) ? when : "off", "values", "by `vtape pool lock`", "help",
				     "until when nobody can destroy what is in it"));
}

static const struct catalog_prop *prop_named(const char *name)
{
	size_t n;
	const struct catalog_prop *props = catalog_pool_props(&n);

	for (size_t i = 0; name && i < n; i++)
		if (!strcmp(props[i].name, name))
			return &props[i];
	return NULL;
}

int serve_pool_get(struct call *c)
{
	const json_t *wanted = json_object_get(c->req, "props"), *word;
	struct catalog_pool p;
	const char *name;
	size_t i, n;
	int r;

	r = call_string(c, "name", &name);
	if (!r)
		r = call_pool(c, name, &p);
	if (r)
		return r;
	if (json_array_size(wanted) == 0) {
		const struct catalog_prop *props = catalog_pool_props(&n);
		for (i = 0; !r && i < n; i++)
			r = prop_row(c, &p, &props[i]);
		return r ? r : lock_row(c, &p);
	}
	json_array_foreach(wanted, i, word) {
		if (json_is_string(word) && !strcmp(json_string_value(word), "locked")) {
			r = lock_row(c, &p);
			if (r)
				return r;
			continue;
		}
		const struct catalog_prop *prop = prop_named(json_string_value(word));
		if (!prop)
			return err_explain(-ENOENT, "there is no property \"%s\"; `vtape pool get %s` lists them",
					   json_is_string(word) ? json_string_value(word) : "?", p.name);
		r = prop_row(c, &p, prop);
		if (r)
			return r;
	}
	return 0;
}

/* ---- changing ------------------------------------------------------------------------------------------ */

/* .pool: a copy, so if a word is wrong nobody saw it.  .told: "compression=lz4 keep=7d". */
struct pool_changes {
	const struct call *c;
	const json_t *set;
	struct catalog_pool *pool;
	struct buf told;
};

static int site_apply(const struct call *c, struct catalog_pool *p, const char *name)
{
	struct catalog_site s;
	int r = call_fold(catalog_site_get(c->s->cat, name, &s), "site", name);

	if (!r)
		p->site = s.number;
	return r;
}

static int prop_apply(void *ctx, const char *prop, const char *value)
{
	struct pool_changes *ch = ctx;
	int r;

	if (!strcmp(prop, "site"))
		r = site_apply(ch->c, ch->pool, value);
	else
		r = catalog_pool_prop_set(ch->pool, prop, value);
	return r ? r : buf_printf(&ch->told, "%s%s=%s", ch->told.len ? " " : "", prop, value);
}

static int pool_apply(struct catalog_pool *p, void *ctx)
{
	enum catalog_access was = p->access;
	struct pool_changes *ch = ctx;
	int r;

	ch->pool = p;
	r = call_assignments(ch->set, prop_apply, ch);
	if (!r && was != ACCESS_PRIMARY && p->access == ACCESS_PRIMARY && !call_flag(ch->c, "takeover"))
		r = err_explain(-EPERM, "pool %s is another site's; to take it over, say so (--yes)", p->name);
	return r;
}

static int pool_change(struct call *c, const char *name, const json_t *set)
{
	struct pool_changes ch = { c, set, NULL, BUF_INIT };
	int r;

	r = call_fold(library_pool_change(c->s->lib, name, pool_apply, &ch), "pool", name);
	if (!r)
		catalog_event(c->s->cat, EVENT_POOL_CHANGED, name, "%s", (const char *)ch.told.data);
	buf_fini(&ch.told);
	return r;
}

int serve_pool_set(struct call *c)
{
	const char *name;
	const json_t *set;
	int r;

	r = call_string(c, "name", &name);
	if (!r)
		r = call_strings(c, "set", &set);
	return r ? r : pool_change(c, name, set);
}

/* Wrong properties are found before there is a pool: tried on a copy of nothing. */
static int props_try(const struct call *c, const json_t *set)
{
	struct catalog_pool nobody = { .name = "" };
	struct pool_changes ch = { c, set, &nobody, BUF_INIT };
	int r = call_assignments(set, prop_apply, &ch);

	buf_fini(&ch.told);
	return r || !nobody.scratch[0] ? r : call_pool(c, nobody.scratch, &(struct catalog_pool){ .id = 0 });
}

int serve_pool_create(struct call *c)
{
	const json_t *set = json_object_get(c->req, "set");
	struct catalog_perm perm = call_perm(0755);
	struct catalog_pool p;
	const char *name;
	int r;

	r = call_string(c, "name", &name);
	if (!r)
		r = props_try(c, set);
	if (!r)
		r = library_pool_create(c->s->lib, name, &perm, &p);
	if (!r && json_array_size(set))
		r = pool_change(c, name, set);
	return call_fold(r, "pool", name);
}

int serve_pool_rename(struct call *c)
{
	const char *name, *to;
	int r;

	r = call_string(c, "name", &name);
	if (!r)
		r = call_string(c, "to", &to);
	return r ? r : err_fold(library_pool_rename(c->s->lib, name, to));
}

int serve_pool_destroy(struct call *c)
{
	const char *name;
	int r;

	r = call_string(c, "name", &name);
	return r ? r : err_fold(library_pool_destroy(c->s->lib, name, call_flag(c, "volumes")));
}
