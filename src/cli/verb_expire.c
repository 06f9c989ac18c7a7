/* SPDX-License-Identifier: BSD-2-Clause */
/* vtape pool expire: for a timer, and for who wants to know what it would do. */
#include "cli/cli.h"

#include <errno.h>

static const struct column columns[] = {
	{ "VOLUME", "volume", COL_TEXT },     { "POOL", "pool", COL_TEXT },  { "STATE", "state", COL_TEXT },
	{ "EXPIRED", "expires_ns", COL_TIME }, { "SIZE", "size_bytes", COL_SIZE }, { "BECOMES", "what", COL_TEXT },
	{ "WHY", "why", COL_TEXT },
};

static long long number(const json_t *ok, const char *key)
{
	return (long long)json_integer_value(json_object_get(ok, key));
}

/* To standard error where standard output is for programs. */
static void say(const struct args *a, const json_t *ok)
{
	bool scripts = args_has(a, OPT_JSON) || args_has(a, OPT_NO_HEADER);
	char size[16];

	fprintf(scripts ? stderr : stdout, "%lld of %lld volumes %s scratch (%s), %lld expired and kept, %lld failed\n",
		number(ok, "scratched"), number(ok, "volumes"), args_has(a, OPT_DRY_RUN) ? "would become" : "became",
		format_size((uint64_t)number(ok, "bytes"), size), number(ok, "kept"), number(ok, "failed"));
}

/* A volume that failed is told in its row; what runs this from a timer sees it by the exit status. */
int verb_pool_expire(const struct args *a)
{
	struct listing *l = NULL;
	json_t *ok = NULL;
	int r;

	r = listing_new(a, columns, ARRAY_LEN(columns), false, &l);
	if (!r)
		r = store_ask(a, json_pack("{s:s, s:o, s:b}", "verb", "pool.expire", "names",
					   json_words(a->operand, a->operands), "dry_run", args_has(a, OPT_DRY_RUN)),
			      listing_row, l, &ok);
	listing_free(l);
	if (!r)
		say(a, ok);
	if (!r && number(ok, "failed"))
		r = EXIT_FAILED;
	json_decref(ok);
	return r;
}
