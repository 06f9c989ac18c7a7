/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs about sites: which there are, labels that two of them have, volumes of others, taking over what is theirs. */
#include "cli/cli.h"

#include <errno.h>

static const struct column site_columns[] = {
	{ "NAME", "name", COL_TEXT },	     { "OURS", "ours", COL_FLAG },   { "ID", "id", COL_TEXT },
	{ "CLASHES", "clashes", COL_COUNT }, { "ADDED", "added_ns", COL_TIME }, { "HEARD", "heard_ns", COL_TIME },
	{ "NOTE", "note", COL_TEXT },
};

static const struct column clash_columns[] = {
	{ "LABEL", "name", COL_TEXT }, { "SERIAL HERE", "serial", COL_TEXT }, { "SITE", "site", COL_TEXT },
	{ "SERIAL THERE", "their_serial", COL_TEXT }, { "FOUND", "found_ns", COL_TIME },
};

int verb_site_list(const struct args *a)
{
	return listing_of(a, json_pack("{s:s, s:o}", "verb", "site.list", "names", json_words(a->operand, a->operands)),
			  site_columns, ARRAY_LEN(site_columns));
}

int verb_site_clashes(const struct args *a)
{
	return listing_of(a, json_pack("{s:s}", "verb", "site.clashes"), clash_columns, ARRAY_LEN(clash_columns));
}

int verb_site_add(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s, s:o}", "verb", "site.add", "name", a->operand[0], "set",
				      json_words(a->operand + 1, a->operands - 1)), NULL, NULL, NULL);
}

int verb_site_set(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s, s:o}", "verb", "site.set", "name", a->operand[0], "set",
				      json_words(a->operand + 1, a->operands - 1)), NULL, NULL, NULL);
}

int verb_site_rename(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s, s:s}", "verb", "site.rename", "name", a->operand[0], "to",
				      a->operand[1]), NULL, NULL, NULL);
}

int verb_site_remove(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s}", "verb", "site.remove", "name", a->operand[0]), NULL, NULL, NULL);
}

int verb_site_settle(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s, s:s}", "verb", "site.settle", "site", a->operand[0], "name",
				      a->operand[1]), NULL, NULL, NULL);
}

/* ---- volumes of others --------------------------------------------------------------------------------- */

int verb_volume_register(const struct args *a)
{
	uint64_t generation = 0, written_ns = 0;
	int r;

	if (!args_has(a, OPT_SITE))
		return err_explain(-EINVAL, "volume register: whose volume is it? --site SITE is needed");
	r = args_number(a, OPT_GENERATION, INT64_MAX, &generation);
	if (!r && args_has(a, OPT_WRITTEN))
		r = when_parse_past(a->value[OPT_WRITTEN], &written_ns);
	if (r)
		return r;
	return store_ask(a, json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:I, s:I}", "verb", "volume.register", "name",
				      a->operand[0], "site", a->value[OPT_SITE], "access", a->value[OPT_ACCESS],
				      "serial", a->value[OPT_SERIAL], "pool", a->value[OPT_POOL], "generation",
				      (json_int_t)generation, "written_ns", (json_int_t)written_ns), NULL, NULL, NULL);
}

/* ---- taking over --------------------------------------------------------------------------------------- */

struct theirs { uint64_t count; char name[BARCODE_MAX + 1], site[BARCODE_MAX + 1]; };

/* A volume has its access itself, a pool among its properties. */
static int count_theirs(void *ctx, const char *key, json_t *value)
{
	const json_t *of = json_object_get(value, "properties");
	const char *access, *name, *site;
	struct theirs *t = ctx;

	if (strcmp(key, "row") != 0)
		return 0;
	of = of ? of : value;
	access = json_string_value(json_object_get(of, "access"));
	name = json_string_value(json_object_get(value, "name"));
	site = json_string_value(json_object_get(of, "site"));
	if (!access || !strcmp(access, "primary"))
		return 0;
	t->count++;
	snprintf(t->name, sizeof(t->name), "%s", name ? name : "?");
	snprintf(t->site, sizeof(t->site), "%s", site ? site : "?");
	return 0;
}

int takeover_ask(const struct args *a, const char *noun, char **words, int names, int n, bool *takes)
{
	struct theirs t = { .count = 0 };
	bool asked = false;
	char list[32];
	int r;

	*takes = false;
	for (int i = names; i < n; i++)
		asked |= !strcmp(words[i], "access=primary");
	if (!asked)
		return 0;
	snprintf(list, sizeof(list), "%s.list", noun);
	r = store_ask(a, json_pack("{s:s, s:o}", "verb", list, "names", json_words(words, names)), count_theirs, &t,
		      NULL);
	if (r || !t.count)
		return r;
	*takes = true;
	if (t.count == 1)
		return confirm(a, "Take over %s %s, which site %s must not write any more then", noun, t.name, t.site);
	return confirm(a, "Take over %llu %ss, which other sites must not write any more then",
		       (unsigned long long)t.count, noun);
}
