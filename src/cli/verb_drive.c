/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs about drives. */
#include "cli/cli.h"

#include <errno.h>

static const struct column drive_columns[] = {
	{ "DRIVE", "drive", COL_TEXT },	 { "VOLUME", "volume", COL_TEXT }, { "POOL", "pool", COL_TEXT },
	{ "OPEN", "open", COL_FLAG },	 { "LOCKED", "locked", COL_FLAG }, { "PARTITION", "partition", COL_COUNT },
	{ "FILE", "file", COL_COUNT },	 { "BLOCK", "block", COL_COUNT },  { "STACKER", "stacker", COL_TEXT },
};

int verb_drive_list(const struct args *a)
{
	return listing_of(a, json_pack("{s:s}", "verb", "drive.list"), drive_columns, ARRAY_LEN(drive_columns));
}

/* Which one it was is the answer. */
static int load_scratch(const struct args *a)
{
	json_t *ok = NULL;
	int r = store_ask(a,
			  json_pack("{s:s, s:s, s:b, s:s?}", "verb", "drive.load", "drive", a->operand[0], "scratch", 1,
				    "pool", a->operand[1]),
			  NULL, NULL, &ok);

	if (!r)
		printf("%s\n", json_string_value(json_object_get(ok, "volume")));
	json_decref(ok);
	return r;
}

int verb_drive_load(const struct args *a)
{
	if (args_has(a, OPT_SCRATCH))
		return load_scratch(a);
	if (a->operands < 2)
		return err_explain(-EINVAL, "drive load: which volume?  --scratch takes the next scratch one");
	return store_ask(a, json_pack("{s:s, s:s, s:s}", "verb", "drive.load", "drive", a->operand[0], "volume",
				      a->operand[1]), NULL, NULL, NULL);
}

int verb_drive_set(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s, s:o}", "verb", "drive.set", "drive", a->operand[0], "set",
				      json_words(a->operand + 1, a->operands - 1)), NULL, NULL, NULL);
}

int verb_drive_unload(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s}", "verb", "drive.unload", "drive", a->operand[0]), NULL, NULL, NULL);
}
