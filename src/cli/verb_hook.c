/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs about hooks: the programs that the daemon runs for events. */
#include "cli/cli.h"

#include <errno.h>

static const struct column hook_columns[] = {
	{ "NAME", "name", COL_TEXT },	      { "ON", "on", COL_FLAG },
	{ "EVENTS", "events", COL_TEXT },     { "SEVERITY", "severity", COL_TEXT },
	{ "TIMEOUT", "timeout_s", COL_COUNT }, { "RUNS", "runs", COL_COUNT },
	{ "FAILED", "failed", COL_COUNT },    { "DROPPED", "dropped", COL_COUNT },
	{ "WAITING", "waiting", COL_COUNT },  { "LAST", "last_ns", COL_TIME },
	{ "PROGRAM", "program", COL_TEXT },
};

int verb_hook_list(const struct args *a)
{
	return listing_of(a, json_pack("{s:s, s:o}", "verb", "hook.list", "names", json_words(a->operand, a->operands)),
			  hook_columns, ARRAY_LEN(hook_columns));
}

/* The program and its arguments as one line: what has a space in it could not be told from two. */
static int join_words(char **word, int n, struct buf *out)
{
	int r = 0;

	for (int i = 0; i < n && !r; i++) {
		if (!word[i][0] || strpbrk(word[i], " \t\n"))
			return err_explain(
				-EINVAL,
				"hook set: \"%s\" is empty or has a space in it, which neither a program nor its "
				"arguments may; put it into a script",
				word[i]);
		r = buf_printf(out, "%s%s", i ? " " : "", word[i]);
	}
	return r;
}

int verb_hook_set(const struct args *a)
{
	CLEANUP(buf_fini) struct buf program = BUF_INIT;
	uint64_t timeout_s = 0;
	json_t *request;
	int r = join_words(a->operand + 1, a->operands - 1, &program);

	if (!r && args_has(a, OPT_TIMEOUT))
		r = parse_duration(a->value[OPT_TIMEOUT], &timeout_s);
	if (!r && timeout_s > INT64_MAX)
		r = err_explain(-ERANGE, "--timeout: \"%s\" is too long", a->value[OPT_TIMEOUT]);
	if (r)
		return r;
	request = json_pack("{s:s, s:s, s:s%, s:s?, s:s?}", "verb", "hook.set", "name", a->operand[0], "program",
			    (const char *)program.data, program.len, "events", a->value[OPT_EVENT], "severity",
			    a->value[OPT_SEVERITY]);
	if (args_has(a, OPT_TIMEOUT))
		json_object_set_new(request, "timeout_s", json_integer((json_int_t)timeout_s));
	return store_ask(a, request, NULL, NULL, NULL);
}

static int ask_about_one(const struct args *a, const char *verb, json_t **ok)
{
	return store_ask(a, json_pack("{s:s, s:s}", "verb", verb, "name", a->operand[0]), NULL, NULL, ok);
}

int verb_hook_remove(const struct args *a)
{
	return ask_about_one(a, "hook.remove", NULL);
}

int verb_hook_on(const struct args *a)
{
	return ask_about_one(a, "hook.on", NULL);
}

int verb_hook_off(const struct args *a)
{
	return ask_about_one(a, "hook.off", NULL);
}

/* Our exit status is 0 only if the program's was. */
int verb_hook_test(const struct args *a)
{
	const json_t *output;
	json_t *ok = NULL;
	int r = ask_about_one(a, "hook.test", &ok), status;

	if (r)
		return r;
	output = json_object_get(ok, "output");
	status = (int)json_integer_value(json_object_get(ok, "status"));
	if (args_has(a, OPT_JSON)) {
		print_json(ok);
	} else {
		fwrite(json_string_value(output), 1, json_string_length(output), stdout);
		fflush(stdout);
		fprintf(stderr, "vtape: hook %s: %s after %.2f s\n", a->operand[0],
			json_string_value(json_object_get(ok, "words")),
			(double)json_integer_value(json_object_get(ok, "took_ns")) / 1e9);
	}
	json_decref(ok);
	return status ? EXIT_FAILED : 0;
}
