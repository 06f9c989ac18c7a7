/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs about pools. */
#include "cli/cli.h"

#include <errno.h>

static const struct column pool_columns[] = {
	{ "NAME", "name", COL_TEXT },
	{ "VOLUMES", "volumes", COL_COUNT },
	{ "SIZE", "size_bytes", COL_SIZE },
	{ "STORED", "stored_bytes", COL_SIZE },
	{ "COMPRESSION", "properties.compression", COL_TEXT },
	{ "CAPACITY", "properties.capacity", COL_TEXT },
	{ "KEEP", "properties.keep", COL_TEXT },
};

int verb_pool_list(const struct args *a)
{
	return listing_of(a, json_pack("{s:s, s:o}", "verb", "pool.list", "names", json_words(a->operand, a->operands)),
			  pool_columns, ARRAY_LEN(pool_columns));
}

int verb_pool_get(const struct args *a)
{
	return listing_of_props(a, json_pack("{s:s, s:s, s:o}", "verb", "pool.get", "name", a->operand[0], "props",
					     json_words(a->operand + 1, a->operands - 1)));
}

int verb_pool_create(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s, s:o}", "verb", "pool.create", "name", a->operand[0], "set",
				      json_words(a->operand + 1, a->operands - 1)), NULL, NULL, NULL);
}

int verb_pool_set(const struct args *a)
{
	bool takes;
	int r = takeover_ask(a, "pool", a->operand, 1, a->operands, &takes);

	return r ? r
		 : store_ask(a,
			     json_pack("{s:s, s:s, s:o, s:b}", "verb", "pool.set", "name", a->operand[0], "set",
				       json_words(a->operand + 1, a->operands - 1), "takeover", takes),
			     NULL, NULL, NULL);
}

int verb_pool_rename(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:s, s:s}", "verb", "pool.rename", "name", a->operand[0], "to",
				      a->operand[1]), NULL, NULL, NULL);
}

static int pool_row_kept(void *ctx, const char *key, json_t *value)
{
	json_t **row = ctx;

	if (!strcmp(key, "row")) {
		json_decref(*row);
		*row = json_incref(value);
	}
	return 0;
}

int verb_pool_destroy(const struct args *a)
{
	const char *name = a->operand[0];
	struct store s;
	json_t *row = NULL;
	int r;

	r = store_open(a, &s);
	if (!r)
		r = store_call(&s, json_pack("{s:s, s:[s]}", "verb", "pool.list", "names", name), -1, pool_row_kept,
			       &row, NULL);
	if (!r && args_has(a, OPT_WITH_VOLUMES)) {
		json_int_t volumes = json_integer_value(json_object_get(row, "volumes"));
		char size[16];
		format_size((uint64_t)json_integer_value(json_object_get(row, "size_bytes")), size);
		if (volumes)
			r = confirm(a, "Destroy pool %s with its %lld volumes, %s of data", name, (long long)volumes,
				    size);
	}
	if (!r)
		r = store_call(&s, json_pack("{s:s, s:s, s:b}", "verb", "pool.destroy", "name", name, "volumes",
					     args_has(a, OPT_WITH_VOLUMES)), -1, NULL, NULL, NULL);
	json_decref(row);
	store_close(&s);
	return r;
}
