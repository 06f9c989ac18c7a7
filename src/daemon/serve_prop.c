/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about the properties of the store.  They travel as the words of catalog/'s table. */
#include "daemon/serve_call.h"

#include <errno.h>

/* Read, changed and written back: by one request at a time. */
static pthread_mutex_t change_lock = PTHREAD_MUTEX_INITIALIZER;

static int prop_row(struct call *c, const struct catalog_store *s, const struct catalog_prop *prop)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	int r = catalog_store_prop_get(s, prop->name, &text);

	return r ? r : call_row(c, json_pack("{s:s, s:s#, s:s, s:s}", "property", prop->name, "value",
					     (const char *)text.data, (int)text.len, "values", prop->values, "help",
					     prop->help));
}

static int prop_row_named(struct call *c, const struct catalog_store *s, const char *name)
{
	size_t n;
	const struct catalog_prop *props = catalog_store_props(&n);

	for (size_t i = 0; name && i < n; i++)
		if (!strcmp(props[i].name, name))
			return prop_row(c, s, &props[i]);
	return err_explain(-ENOENT, "there is no property \"%s\"; `vtape get` lists them", name ? name : "?");
}

int serve_get(struct call *c)
{
	const json_t *wanted = json_object_get(c->req, "props"), *word;
	struct catalog_store s;
	size_t i, n;
	int r = err_fold(catalog_store_get(c->s->cat, &s));

	if (!r && json_array_size(wanted) == 0) {
		const struct catalog_prop *props = catalog_store_props(&n);
		for (i = 0; !r && i < n; i++)
			r = prop_row(c, &s, &props[i]);
		return r;
	}
	json_array_foreach(wanted, i, word) {
		if (!r)
			r = prop_row_named(c, &s, json_string_value(word));
	}
	return r;
}

static int prop_set(void *ctx, const char *prop, const char *value)
{
	return catalog_store_prop_set(ctx, prop, value);
}

int serve_set(struct call *c)
{
	struct catalog_store s;
	const json_t *set;
	int r;

	r = call_strings(c, "set", &set);
	if (r)
		return r;
	LOCK_SCOPE(&change_lock);
	r = err_fold(catalog_store_get(c->s->cat, &s));
	if (!r)
		r = call_assignments(set, prop_set, &s);
	return r ? r : err_fold(catalog_store_put(c->s->cat, &s));
}
