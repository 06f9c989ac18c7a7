/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs about volumes. */
#include "cli/cli.h"

#include <errno.h>

static const struct column list_columns[] = {
	{ "NAME", "name", COL_TEXT },
	{ "POOL", "pool", COL_TEXT },
	{ "STATE", "state", COL_TEXT },
	{ "SIZE", "size_bytes", COL_SIZE },
	{ "STORED", "stored_bytes", COL_SIZE },
	{ "FILES", "files", COL_COUNT },
	{ "RECORDS", "records", COL_COUNT },
	{ "LOADED", "loaded", COL_TEXT },
	{ "WRITTEN", "written_ns", COL_TIME },
	{ "LOCKED UNTIL", "locked_until_ns", COL_TIME },
	{ "EXPIRES", "expires_ns", COL_TIME },
	{ "ACCESS", "access", COL_TEXT },
	{ "SITE", "site", COL_TEXT },
};

static const struct column show_columns[] = {
	{ "name", "name", COL_TEXT },
	{ "pool", "pool", COL_TEXT },
	{ "state", "state", COL_TEXT },
	{ "error", "error", COL_TEXT },
	{ "access", "access", COL_TEXT },
	{ "site", "site", COL_TEXT },
	{ "site's generation", "site_generation", COL_COUNT },
	{ "site last wrote it", "site_written_ns", COL_TIME },
	{ "serial", "serial", COL_TEXT },
	{ "loaded in", "loaded", COL_TEXT },
	{ "protected", "protect", COL_FLAG },
	{ "write once", "worm", COL_FLAG },
	{ "locked until", "locked_until_ns", COL_TIME },
	{ "assigned", "assigned_ns", COL_TIME },
	{ "expires", "expires_ns", COL_TIME },
	{ "expires by", "expires_by", COL_TEXT },
	{ "capacity", "capacity_bytes", COL_LIMIT },
	{ "record size", "record_bytes", COL_LIMIT },
	{ "partitions", "partitions", COL_COUNT },
	{ "size", "size_bytes", COL_SIZE },
	{ "unique", "unique_bytes", COL_SIZE },
	{ "stored", "stored_bytes", COL_SIZE },
	{ "tape files", "files", COL_COUNT },
	{ "records", "records", COL_COUNT },
	{ "generation", "generation", COL_COUNT },
	{ "created", "created_ns", COL_TIME },
	{ "begun", "begun_ns", COL_TIME },
	{ "written", "written_ns", COL_TIME },
};

static const struct column history_columns[] = {
	{ "GENERATION", "generation", COL_COUNT },
	{ "SIZE", "size_bytes", COL_SIZE },
	{ "STORED", "stored_bytes", COL_SIZE },
	{ "FILES", "files", COL_COUNT },
	{ "RECORDS", "records", COL_COUNT },
	{ "BEGUN", "begun_ns", COL_TIME },
	{ "WRITTEN", "written_ns", COL_TIME },
	{ "ENDED", "ended_ns", COL_TIME },
	{ "ERROR", "error", COL_TEXT },
};

/* ---- looking ------------------------------------------------------------------------------------------- */

int verb_volume_list(const struct args *a)
{
	return listing_of(a, json_pack("{s:s, s:o, s:s?, s:s?}", "verb", "volume.list", "names",
				       json_words(a->operand, a->operands), "pool", a->value[OPT_POOL], "state",
				       a->value[OPT_STATE]),
			  list_columns, ARRAY_LEN(list_columns));
}

/* What does not apply is left out: an error that there is none of, a record size that is the pool's. */
static void show_one(const json_t *row)
{
	struct column shown[ARRAY_LEN(show_columns)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(show_columns); i++) {
		const json_t *v = member(row, show_columns[i].path);
		bool may_be_0 =
			strcmp(show_columns[i].path, "record_bytes") && strncmp(show_columns[i].path, "site_", 5);
		bool none = !v || (!may_be_0 && json_integer_value(v) == 0);
		if (!none)
			shown[n++] = show_columns[i];
	}
	print_object(row, shown, n);
}

static int show_row(void *ctx, const char *key, json_t *value)
{
	bool *first = ctx;

	if (strcmp(key, "row") != 0)
		return 0;
	if (!*first)
		putchar('\n');
	*first = false;
	show_one(value);
	return 0;
}

int verb_volume_show(const struct args *a)
{
	json_t *request = json_pack("{s:s, s:o}", "verb", "volume.list", "names", json_words(a->operand, a->operands));
	bool first = true;

	if (args_has(a, OPT_JSON))
		return listing_of(a, request, list_columns, ARRAY_LEN(list_columns));
	return store_ask(a, request, show_row, &first, NULL);
}

int verb_volume_history(const struct args *a)
{
	return listing_of(a, json_pack("{s:s, s:s}", "verb", "volume.history", "name", a->operand[0]), history_columns,
			  ARRAY_LEN(history_columns));
}

int verb_volume_restore(const struct args *a)
{
	const char *word = a->operand[1];
	unsigned long long generation;
	json_t *ok = NULL;
	char *end;
	int r;

	errno = 0;
	generation = strtoull(word, &end, 10);
	if (word[0] < '0' || word[0] > '9' || *end || errno || generation > INT64_MAX)
		return err_explain(-EINVAL, "\"%s\" is no number of a generation; `vtape volume history %s` lists them",
				   word, a->operand[0]);
	r = store_ask(a, json_pack("{s:s, s:s, s:I}", "verb", "volume.restore", "name", a->operand[0], "generation",
				   (json_int_t)generation), NULL, NULL, &ok);
	if (!r)
		printf("%s holds again what it held as generation %llu; that is now its generation %lld\n",
		       a->operand[0], generation, (long long)json_integer_value(json_object_get(ok, "generation")));
	json_decref(ok);
	return r;
}

/* ---- changing ------------------------------------------------------------------------------------------ */

/* How much would go. */
struct loss {
	uint64_t volumes, with_data, bytes;
	char name[BARCODE_MAX + 1];	/* of the last of them */
	bool history;			/* older generations go as well */
};

static int count_loss(void *ctx, const char *key, json_t *value)
{
	struct loss *loss = ctx;
	uint64_t objects;

	if (strcmp(key, "row") != 0)
		return 0;
	objects = (uint64_t)json_integer_value(json_object_get(value, "records")) +
		  (uint64_t)json_integer_value(json_object_get(value, "files"));
	snprintf(loss->name, sizeof(loss->name), "%s", json_string_value(json_object_get(value, "name")));
	loss->volumes++;
	loss->bytes += (uint64_t)json_integer_value(json_object_get(value, "size_bytes"));
	/* One that cannot be read may well have data. */
	if (objects || json_object_get(value, "error") ||
	    (loss->history && json_integer_value(json_object_get(value, "generation")) > 1))
		loss->with_data++;
	return 0;
}

static int change_after_asking(const struct args *a, const char *verb, const char *question, const char *what,
			       bool history)
{
	struct loss loss = { .history = history };
	json_t *names = json_words(a->operand, a->operands);
	struct store s;
	char size[16];
	int r;

	r = store_open(a, &s);
	if (!r)
		r = store_call(&s, json_pack("{s:s, s:O}", "verb", "volume.list", "names", names), -1, count_loss,
			       &loss, NULL);
	format_size(loss.bytes, size);
	if (!r && loss.with_data && loss.volumes == 1)
		r = confirm(a, "%s volume %s, %s of data", question, loss.name, size);
	else if (!r && loss.with_data)
		r = confirm(a, "%s %llu volumes, %llu of them with data (%s)", question,
			    (unsigned long long)loss.volumes, (unsigned long long)loss.with_data, size);
	if (!r)
		r = progress_call(&s, a, what, json_pack("{s:s, s:O}", "verb", verb, "names", names), -1, NULL);
	json_decref(names);
	store_close(&s);
	return r;
}

int verb_volume_erase(const struct args *a)
{
	return change_after_asking(a, "volume.erase", "Erase", "erasing", false);
}

int verb_volume_delete(const struct args *a)
{
	return change_after_asking(a, "volume.delete", "Delete", "deleting", true);
}

int verb_volume_move(const struct args *a)
{
	int n = a->operands - 1;

	return progress_ask(a, "moving", json_pack("{s:s, s:o, s:s}", "verb", "volume.move", "names",
						   json_words(a->operand, n), "pool", a->operand[n]), -1, NULL);
}

int verb_volume_rename(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s, s:s}", "verb", "volume.rename", "name", a->operand[0], "to",
				      a->operand[1]), NULL, NULL, NULL);
}

static json_t *properties(char **word, int n, int *r)
{
	json_t *all = json_array();
	char *out = NULL;

	for (int i = 0; !*r && i < n; i++) {
		*r = when_property(word[i], &out);
		if (!*r)
			json_array_append_new(all, json_string(out));
		freep(&out);
		out = NULL;
	}
	return all;
}

/* Volumes first, then assignments: a name cannot hold a '='. */
int verb_volume_set(const struct args *a)
{
	int names = 0, r = 0;
	bool takes = false;
	json_t *set;

	while (names < a->operands && !strchr(a->operand[names], '='))
		names++;
	for (int i = names; i < a->operands; i++)
		if (!strchr(a->operand[i], '='))
			return err_explain(-EINVAL, "volume set: \"%s\" stands behind a PROPERTY=VALUE and is none",
					   a->operand[i]);
	if (names == 0 || names == a->operands)
		return err_explain(-EINVAL, "volume set: volumes and then PROPERTY=VALUE are needed");
	set = properties(a->operand + names, a->operands - names, &r);
	if (!r)
		r = takeover_ask(a, "volume", a->operand, names, a->operands, &takes);
	if (r) {
		json_decref(set);
		return r;
	}
	return progress_ask(a, "setting", json_pack("{s:s, s:o, s:o, s:b}", "verb", "volume.set", "names",
						    json_words(a->operand, names), "set", set, "takeover", takes), -1,
			    NULL);
}
