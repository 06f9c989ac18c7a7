/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs about SCSI units and the places of the library, vtape-scsi(8). */
#include "cli/cli.h"

static const struct column unit_columns[] = {
	{ "UNIT", "unit", COL_TEXT },	  { "STATE", "state", COL_TEXT },    { "SG", "sg", COL_TEXT },
	{ "DEVICE", "device", COL_TEXT }, { "MODEL", "model", COL_TEXT },    { "SERIAL", "serial", COL_TEXT },
	{ "IN USE", "in_use", COL_FLAG }, { "READ", "read_bytes", COL_SIZE }, { "WRITTEN", "written_bytes", COL_SIZE },
};

static const struct column model_columns[] = {
	{ "KIND", "kind", COL_TEXT },	    { "MODEL", "model", COL_TEXT }, { "VENDOR", "vendor", COL_TEXT },
	{ "PRODUCT", "product", COL_TEXT }, { "", "words", COL_TEXT },
};

static const struct column place_columns[] = {
	{ "PLACE", "place", COL_TEXT }, { "VOLUME", "volume", COL_TEXT }, { "FROM", "from", COL_TEXT },
	{ "IMPORTED", "imported", COL_FLAG },
};

static int ask(const struct args *a, json_t *request)
{
	return store_ask(a, request, NULL, NULL, NULL);
}

int verb_scsi_up(const struct args *a)
{
	return ask(a, json_pack("{s:s, s:o}", "verb", "scsi.up", "set", json_words(a->operand, a->operands)));
}

int verb_scsi_down(const struct args *a)
{
	return ask(a, json_pack("{s:s}", "verb", "scsi.down"));
}

int verb_scsi_status(const struct args *a)
{
	return listing_of(a, json_pack("{s:s}", "verb", "scsi.status"), unit_columns, ARRAY_LEN(unit_columns));
}

int verb_scsi_models(const struct args *a)
{
	return listing_of(a, json_pack("{s:s}", "verb", "scsi.models"), model_columns, ARRAY_LEN(model_columns));
}

int verb_scsi_set(const struct args *a)
{
	return ask(a, json_pack("{s:s, s:s, s:o}", "verb", "scsi.set", "unit", a->operand[0], "set",
				json_words(a->operand + 1, a->operands - 1)));
}

int verb_changer_list(const struct args *a)
{
	return listing_of(a, json_pack("{s:s}", "verb", "changer.list"), place_columns, ARRAY_LEN(place_columns));
}

int verb_changer_move(const struct args *a)
{
	return ask(a, json_pack("{s:s, s:s, s:s}", "verb", "changer.move", "from", a->operand[0], "to", a->operand[1]));
}

int verb_changer_import(const struct args *a)
{
	return ask(a, json_pack("{s:s, s:s, s:s*}", "verb", "changer.import", "volume", a->operand[0], "port",
				a->operands > 1 ? a->operand[1] : NULL));
}

int verb_changer_export(const struct args *a)
{
	return ask(a, json_pack("{s:s, s:s}", "verb", "changer.export", "from", a->operand[0]));
}
