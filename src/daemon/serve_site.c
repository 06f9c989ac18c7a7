/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about sites, clashes of labels, volumes of other sites.  What may be is catalog/'s and library/'s to say. */
#include "daemon/serve_call.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static int call_site(const struct call *c, const char *key, struct catalog_site *out)
{
	const char *name;
	int r = call_string(c, key, &name);

	return r ? r : call_fold(catalog_site_get(c->s->cat, name, out), "site", name);
}

static int copy_word(char *out, size_t cap, const char *word, const char *what)
{
	if (strlen(word) >= cap)
		return err_explain(-EINVAL, "%s is too long: %zu bytes at most", what, cap - 1);
	memcpy(out, word, strlen(word) + 1);
	return 0;
}

/* ---- looking ------------------------------------------------------------------------------------------- */

/* Ours is the store's own number. */
static void id_of(const struct call *c, const struct catalog_site *s, char out[33])
{
	memcpy(out, s->id, sizeof(s->id));
	for (int i = 0; !s->number && c->s->uuid && i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", c->s->uuid[i]);
}

struct count { uint32_t site; json_int_t clashes; };

static int count_clash(void *ctx, const struct catalog_clash *k)
{
	struct count *n = ctx;

	n->clashes += k->site == n->site;
	return 0;
}

static int site_row(void *ctx, const struct catalog_site *s)
{
	struct count n = { .site = s->number };
	struct call *c = ctx;
	char id[33];
	int r = catalog_clash_each(c->s->cat, count_clash, &n);

	if (r)
		return r;
	id_of(c, s, id);
	return call_row(c, json_pack("{s:s, s:I, s:b, s:s, s:s, s:I, s:I, s:I}", "name", s->name, "number",
				     (json_int_t)s->number, "ours", !s->number, "id", id, "note", s->note, "added_ns",
				     (json_int_t)s->added_ns, "heard_ns", (json_int_t)s->heard_ns, "clashes",
				     n.clashes));
}

int serve_site_list(struct call *c)
{
	const json_t *names = json_object_get(c->req, "names"), *name;
	struct catalog_site s;
	size_t i;
	int r = 0;

	if (json_array_size(names) == 0)
		return catalog_site_each(c->s->cat, site_row, c);
	json_array_foreach(names, i, name) {
		const char *word = json_is_string(name) ? json_string_value(name) : "?";
		if (!r)
			r = call_fold(catalog_site_get(c->s->cat, word, &s), "site", word);
		if (!r)
			r = site_row(c, &s);
	}
	return r;
}

/* One that was renamed here has no serial beside it: the label stays theirs until the other site settles it too. */
static int clash_row(void *ctx, const struct catalog_clash *k)
{
	struct call *c = ctx;
	struct catalog_volume v;
	struct catalog_site s;
	int r = catalog_volume_get(c->s->cat, k->name, &v);
	bool here = !r && strcmp(v.serial, k->serial) != 0;

	if (r < 0)
		return r;
	r = catalog_site_by_number(c->s->cat, k->site, &s);
	if (r < 0)
		return r;
	return call_row(c, json_pack("{s:s, s:s?, s:s, s:s, s:I}", "name", k->name, "serial", here ? v.serial : NULL,
				     "site", r ? "?" : s.name, "their_serial", k->serial, "found_ns",
				     (json_int_t)k->found_ns));
}

int serve_site_clashes(struct call *c)
{
	return catalog_clash_each(c->s->cat, clash_row, c);
}

/* ---- changing ------------------------------------------------------------------------------------------ */

static int site_prop_set(void *ctx, const char *prop, const char *value)
{
	struct catalog_site *s = ctx;
	int r;

	if (!strcmp(prop, "note"))
		return copy_word(s->note, sizeof(s->note), value, "a site's note");
	if (strcmp(prop, "id") != 0)
		return err_explain(-ENOENT, "a site has no property \"%s\"; it has id and note", prop);
	if (!s->number)
		return err_explain(-EPERM, "this site's id is the store's and does not change");
	r = copy_word(s->id, sizeof(s->id), value, "a site's id");
	for (char *p = s->id; !r && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return r;
}

/* Two sites with one id would be one site. */
static int site_put(struct call *c, struct catalog_site *s)
{
	char ours[33] = "";

	id_of(c, &(struct catalog_site){ .number = 0 }, ours);
	if (s->number && s->id[0] && !strcmp(s->id, ours))
		return err_explain(-EEXIST, "the id %s is this site's own", s->id);
	return call_fold(catalog_site_put(c->s->cat, s), "site", s->name);
}

int serve_site_add(struct call *c)
{
	struct catalog_site s = { .number = UINT32_MAX, .added_ns = clock_now_ns() };
	const char *name;
	int r = call_string(c, "name", &name);

	if (!r)
		r = copy_word(s.name, sizeof(s.name), name, "a site's name");
	if (!r)
		r = call_assignments(json_object_get(c->req, "set"), site_prop_set, &s);
	if (!r)
		r = site_put(c, &s);
	if (!r)
		catalog_event(c->s->cat, EVENT_SITE_ADDED, s.name, "id %s", s.id[0] ? s.id : "not known yet");
	return r;
}

int serve_site_set(struct call *c)
{
	struct catalog_site s;
	const json_t *set;
	int r = call_site(c, "name", &s);

	if (!r)
		r = call_strings(c, "set", &set);
	if (!r)
		r = call_assignments(set, site_prop_set, &s);
	if (!r)
		r = site_put(c, &s);
	if (!r)
		catalog_event(c->s->cat, EVENT_SITE_CHANGED, s.name, "id %s; %s", s.id[0] ? s.id : "not known yet",
			      s.note);
	return r;
}

int serve_site_rename(struct call *c)
{
	char was[BARCODE_MAX + 1];
	struct catalog_site s;
	const char *to;
	int r = call_site(c, "name", &s);

	if (!r)
		r = call_string(c, "to", &to);
	if (r)
		return r;
	memcpy(was, s.name, sizeof(was));
	r = copy_word(s.name, sizeof(s.name), to, "a site's name");
	if (!r)
		r = site_put(c, &s);
	if (!r)
		catalog_event(c->s->cat, EVENT_SITE_CHANGED, s.name, "was %s", was);
	return r;
}

int serve_site_remove(struct call *c)
{
	struct catalog_site s;
	int r = call_site(c, "name", &s);

	if (r)
		return r;
	r = catalog_site_remove(c->s->cat, s.number);
	if (r == CATALOG_E_NOT_EMPTY)
		return err_explain(-ENOTEMPTY, "volumes or pools of site %s are known here", s.name);
	r = call_fold(r, "site", s.name);
	if (!r)
		catalog_event(c->s->cat, EVENT_SITE_REMOVED, s.name, "id %s", s.id[0] ? s.id : "never known");
	return r;
}

int serve_site_settle(struct call *c)
{
	struct catalog_site s;
	const char *name;
	int r = call_site(c, "site", &s);

	if (!r)
		r = call_string(c, "name", &name);
	if (r)
		return r;
	r = catalog_clash_remove(c->s->cat, s.number, name);
	if (r == CATALOG_E_NONE)
		return err_explain(-ENOENT, "there is no clash of the label %s with site %s", name, s.name);
	return err_fold(r);
}

/* ---- volumes of others --------------------------------------------------------------------------------- */

int serve_volume_register(struct call *c)
{
	struct library_registration reg = { .pool = call_string_or(c, "pool", CATALOG_POOL_DEFAULT),
					    .access = ACCESS_RESTRICTED };
	struct catalog_site s;
	int r = call_site(c, "site", &s);

	if (!r)
		r = call_string(c, "name", &reg.name);
	if (!r && call_has(c, "access"))
		r = catalog_access_parse(call_string_or(c, "access", ""), &reg.access);
	if (!r)
		r = copy_word(reg.serial, sizeof(reg.serial), call_string_or(c, "serial", ""), "a cartridge's serial");
	for (char *p = reg.serial; !r && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	if (!r && call_has(c, "generation"))
		r = call_u64(c, "generation", &reg.generation);
	if (!r && call_has(c, "written_ns"))
		r = call_u64(c, "written_ns", &reg.written_ns);
	if (r)
		return r;
	reg.site = s.number;
	return library_volume_register(c->s->lib, &reg, NULL);
}
