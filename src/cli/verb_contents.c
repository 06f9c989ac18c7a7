/* SPDX-License-Identifier: BSD-2-Clause */
/* contents: how far what is on the tapes is known, waiting for it, looking again. */
#include "cli/cli.h"

static const struct column status_columns[] = {
	{ "looked at now", "volume", COL_TEXT },
	{ "volumes to look at", "volumes", COL_COUNT },
	{ "tape files to look at", "files", COL_COUNT },
	{ "bytes of them", "bytes", COL_SIZE },
	{ "archives known", "lists", COL_COUNT },
	{ "members known", "members", COL_COUNT },
};

static int print_status(const struct args *a, json_t *ok)
{
	if (args_has(a, OPT_JSON))
		print_json(ok);
	else
		print_object(ok, status_columns, ARRAY_LEN(status_columns));
	json_decref(ok);
	return 0;
}

int verb_contents_status(const struct args *a)
{
	json_t *ok = NULL;
	int r = store_ask(a, json_pack("{s:s}", "verb", "contents.status"), NULL, NULL, &ok);

	return r ? r : print_status(a, ok);
}

static int settle(const struct args *a, bool forget)
{
	json_t *request = json_pack("{s:s, s:b}", "verb", "contents.settle", "forget", forget), *ok = NULL;
	int r;

	if (request && a->operands)
		json_object_set_new(request, "names", json_words(a->operand, a->operands));
	r = progress_ask(a, "looking", request, -1, &ok);
	return r ? r : print_status(a, ok);
}

int verb_contents_settle(const struct args *a)
{
	return settle(a, false);
}

int verb_contents_forget(const struct args *a)
{
	return settle(a, true);
}
