/* SPDX-License-Identifier: BSD-2-Clause */
/* find and ls: what is in the archives on tapes.  cat: its bytes. */
#include "cli/members.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* Request, rows as they come, a word if the answer is not whole yet. */
static int ask(const struct args *a, json_t *request, enum members_form form)
{
	struct members m;
	json_t *ok = NULL;
	int r;

	members_begin(&m, a, form);
	r = store_ask(a, request, members_row, &m, &ok);
	members_end(&m, r != 0);
	if (!r)
		pending_tell(ok);
	json_decref(ok);
	return r;
}

int verb_find(const struct args *a)
{
	json_t *request;
	int r = query_words(a, a->operands ? a->operand[0] : NULL, &request);

	if (r)
		return r;
	json_object_set_new(request, "verb", json_string("find"));
	return ask(a, request, MEMBERS_TABLE);
}

/* ---- ls --------------------------------------------------------------------------------------------------------- */

static const struct column file_columns[] = {
	{ "FILE", "file", COL_COUNT },
	{ "NAME", "shown_name", COL_TEXT },
	{ "WHAT", "what", COL_TEXT },
	{ "MEMBERS", "members", COL_COUNT },
	{ "SIZE", "size_bytes", COL_SIZE },
	{ "RECORDS", "records", COL_COUNT },
	{ "WRITTEN", "written_ns", COL_TIME },
	{ "BY", "by", COL_TEXT },
};

/* Columns that are made of several members of the row. */
static void make_columns(json_t *row)
{
	const json_t *writer = json_object_get(row, "writer");
	const char *how = json_string_value(json_object_get(row, "how"));
	const char *format = json_string_value(json_object_get(row, "format"));
	const char *door = json_string_value(json_object_get(writer, "door"));
	const char *program = json_string_value(json_object_get(writer, "program"));
	const char *name = json_string_value(json_object_get(row, "name"));
	const json_t *uid = json_object_get(writer, "uid");
	char user[24] = "";

	if (!name)
		name = json_string_value(member(row, "label.file_id"));
	if (!how)
		how = "unknown";
	json_object_set_new(row, "shown_name", json_string(name ? name : ""));
	if (format && !strcmp(how, "archive"))
		json_object_set_new(row, "what", json_string(format));
	else
		json_object_set_new(row, "what", json_sprintf("%s%s%s", how, format ? ": " : "", format ? format : ""));
	if (uid)
		snprintf(user, sizeof(user), ", user %lld", (long long)json_integer_value(uid));
	if (door && strcmp(door, "unknown") != 0)
		json_object_set_new(row, "by",
				    json_sprintf("%s%s%s%s", door, program ? ": " : "", program ? program : "", user));
}

static int file_row(void *listing, const char *key, json_t *row)
{
	if (!strcmp(key, "row"))
		make_columns(row);
	return listing_row(listing, key, row);
}

static int list_files(const struct args *a, json_t *request)
{
	struct listing *l = NULL;
	json_t *ok = NULL;
	int r = listing_new(a, file_columns, ARRAY_LEN(file_columns), false, &l);

	if (r) {
		json_decref(request);
		return r;
	}
	r = store_ask(a, request, args_has(a, OPT_JSON) ? listing_row : file_row, l, &ok);
	listing_free(l);
	if (!r)
		pending_tell(ok);
	json_decref(ok);
	return r;
}

int verb_ls(const struct args *a)
{
	json_t *request = place_words(a->operand[0]);

	if (!request)
		return err_explain(-EINVAL, "the command line is not UTF-8");
	json_object_set_new(request, "verb", json_string("ls"));
	json_object_set_new(request, "recursive", json_boolean(args_has(a, OPT_RECURSIVE)));
	if (!json_object_get(request, "file"))
		return list_files(a, request);
	return ask(a, request, args_has(a, OPT_LONG) ? MEMBERS_LONG : MEMBERS_SHORT);
}

/* ---- cat -------------------------------------------------------------------------------------------------------- */

int verb_cat(const struct args *a)
{
	json_t *request = place_words(a->operand[0]), *ok = NULL;
	struct store s = STORE_CLOSED;
	char bytes[16], taken[16];
	int r;

	if (!request)
		return err_explain(-EINVAL, "the command line is not UTF-8");
	json_object_set_new(request, "verb", json_string("cat"));
	r = store_open(a, &s);
	if (r)
		json_decref(request);
	else
		r = store_call(&s, request, STDOUT_FILENO, NULL, NULL, &ok);
	store_close(&s);
	if (r == -EPIPE) {
		/* Whoever read us has enough: end as everything in a pipeline does. */
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	if (!r && args_has(a, OPT_VERBOSE))
		fprintf(stderr, "%s written, %s read from the tape\n",
			format_size((uint64_t)json_integer_value(json_object_get(ok, "bytes")), bytes),
			format_size((uint64_t)json_integer_value(json_object_get(ok, "read_bytes")), taken));
	json_decref(ok);
	return r;
}
