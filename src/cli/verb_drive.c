/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs about drives. */
#include "cli/cli.h"

static const struct column drive_columns[] = {
	{ "DRIVE", "drive", COL_TEXT },	 { "VOLUME", "volume", COL_TEXT }, { "POOL", "pool", COL_TEXT },
	{ "OPEN", "open", COL_FLAG },	 { "LOCKED", "locked", COL_FLAG }, { "PARTITION", "partition", COL_COUNT },
	{ "FILE", "file", COL_COUNT },	 { "BLOCK", "block", COL_COUNT },
};

int verb_drive_list(const struct args *a)
{
	return listing_of(a, json_pack("{s:s}", "verb", "drive.list"), drive_columns, ARRAY_LEN(drive_columns));
}

int verb_drive_load(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s, s:s}", "verb", "drive.load", "drive", a->operand[0], "volume",
				      a->operand[1]), NULL, NULL, NULL);
}

int verb_drive_unload(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s}", "verb", "drive.unload", "drive", a->operand[0]), NULL, NULL, NULL);
}
