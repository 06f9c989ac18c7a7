/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is hurt.  For people: a paragraph for each range of a tape that cannot be read, with the names of what was in
 * it.
 * For scripts: with -H a line for each name, "-" where none is known.
 */
#include "cli/cli.h"

static const struct column damage_columns[] = {
	{ "VOLUME", "volume", COL_TEXT },      { "GENERATION", "generation", COL_COUNT },
	{ "FILE", "file", COL_COUNT },	       { "NAME", "name", COL_TEXT },
	{ "FROM", "from_bytes", COL_COUNT },   { "BYTES", "bytes", COL_COUNT },
	{ "FIRST", "first_record", COL_COUNT }, { "LAST", "last_record", COL_COUNT },
	{ "MEMBER", "member", COL_TEXT },
};

struct telling {
	struct listing *listing;	/* NULL: paragraphs */
	uint64_t rows;
};

static unsigned long long number(const json_t *row, const char *path)
{
	return (unsigned long long)json_integer_value(member(row, path));
}

static void print_text(const char *before, const json_t *text, const char *behind)
{
	struct buf clean = BUF_INIT;

	cell_text(text, COL_TEXT, false, &clean);
	printf("%s%.*s%s", before, (int)clean.len, (const char *)clean.data, behind);
	buf_fini(&clean);
}

static void print_members(const json_t *archive)
{
	const json_t *members = json_object_get(archive, "members"), *behind = json_object_get(archive, "behind");
	bool compressed = json_is_true(json_object_get(archive, "compressed"));
	bool rest = json_is_true(json_object_get(archive, "rest_lost"));
	const json_t *name;
	size_t i;

	print_text("  in an archive, ", json_object_get(archive, "format"), compressed ? ", compressed" : "");
	if (json_array_size(members))
		puts(rest ? "; everything is lost from here on:" : ":");
	else if (behind)
		print_text(rest ? "; everything is lost behind: " : ", behind: ", behind, "\n");
	else
		puts(", at its beginning");
	json_array_foreach(members, i, name)
		print_text("    ", name, "\n");
	if (number(archive, "more"))
		printf("    and %llu more\n", number(archive, "more"));
	if (!rest && json_is_true(json_object_get(archive, "broken")))
		puts("    and perhaps members whose names cannot be read");
}

static void print_paragraph(const json_t *row)
{
	const json_t *archive = json_object_get(row, "archive"), *name = json_object_get(row, "name");
	char size[16];

	print_text("", json_object_get(row, "pool"), "/");
	print_text("", json_object_get(row, "volume"), "");
	if (!json_is_true(json_object_get(row, "current")))
		printf(", older generation %llu", number(row, "generation"));
	if (number(row, "partition"))
		printf(", partition %llu", number(row, "partition"));
	printf(", tape file %04llu", number(row, "file") + 1);
	if (json_is_string(name))
		print_text(" \"", name, "\"");
	printf(": %s from byte %llu on, records %llu to %llu of the tape\n", format_size(number(row, "bytes"), size),
	       number(row, "from_bytes"), number(row, "first_record"), number(row, "last_record"));
	if (json_is_object(archive))
		print_members(archive);
}

/* The same row once for each member. */
static int list_members(struct listing *l, json_t *row)
{
	json_t *members = member(row, "archive.members"), *name;
	size_t i;
	int r = 0;

	if (json_array_size(members) == 0)
		return listing_row(l, "row", row);
	json_array_foreach(members, i, name) {
		json_object_set(row, "member", name);
		r = listing_row(l, "row", row);
		if (r)
			break;
	}
	return r;
}

static int damage_each(void *ctx, const char *key, json_t *value)
{
	struct telling *t = ctx;

	if (strcmp(key, "row") != 0)
		return 0;
	t->rows++;
	if (t->listing)
		return list_members(t->listing, value);
	print_paragraph(value);
	return 0;
}

int verb_damage(const struct args *a)
{
	json_t *request = json_pack("{s:s, s:o}", "verb", "damage", "names", json_words(a->operand, a->operands));
	bool table = args_has(a, OPT_JSON) || args_has(a, OPT_NO_HEADER);
	struct telling t = { 0 };
	json_t *ok = NULL;
	int r = table ? listing_new(a, damage_columns, ARRAY_LEN(damage_columns), false, &t.listing) : 0;

	if (r) {
		json_decref(request);
		return r;
	}
	if (args_has(a, OPT_JSON))
		r = store_ask(a, request, listing_row, t.listing, &ok);
	else
		r = store_ask(a, request, damage_each, &t, &ok);
	listing_free(t.listing);
	if (!r && !table && !t.rows && number(ok, "chunks") + number(ok, "packs") == 0)
		puts("nothing is known to be damaged; `vtape scrub` reads everything");
	else if (!r && !table && !t.rows)
		puts("what is damaged is on none of these tapes");
	else if (!r && !table)
		puts("What is written again, to any tape, as the next backup of the same does, can be read again.");
	if (!r && json_is_true(json_object_get(ok, "hurt")))
		r = EXIT_FAULTS;
	json_decref(ok);
	return r;
}
