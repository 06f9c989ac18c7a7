/* SPDX-License-Identifier: BSD-2-Clause */
/* rebuild-index: a vtaped that has the store but not open does it, and tells us how far it is. */
#include "cli/cli.h"

#include <errno.h>
#include <unistd.h>

struct rebuilding {
	struct progress progress;
	bool quiet;		/* findings are kept for the JSON */
	json_t *findings;
};

static int rebuild_each(void *ctx, const char *key, json_t *value)
{
	struct rebuilding *re = ctx;
	const char *step = json_string_value(json_object_get(value, "step"));

	if (!strcmp(key, "row")) {
		progress_end(&re->progress);
		if (!re->quiet)
			printf("%s\n", json_string_value(json_object_get(value, "what")));
		return json_array_append(re->findings, value) ? err_origin(-ENOMEM) : 0;
	}
	re->progress.what = step ? step : "rebuilding";
	int r = progress_each(&re->progress, key, value);
	re->progress.what = "rebuilding";
	return r;
}

static long long number(const json_t *o, const char *path)
{
	return (long long)json_integer_value(member(o, path));
}

static void rebuild_tell(const json_t *ok)
{
	const char *old = json_string_value(json_object_get(ok, "old_database"));
	const char *source = json_string_value(json_object_get(ok, "source"));
	const char *from = !strcmp(source, "database") ? "the old database" :
			   !strcmp(source, "journal")  ? "the journal" : "nothing";

	printf("the database was made anew: %lld rows and %lld later changes from %s, %lld chunks in %lld packs\n",
	       number(ok, "rows"), number(ok, "batches"), from, number(ok, "chunks"),
	       number(ok, "packs"));
	printf("%lld volumes with %lld generations were checked: ", number(ok, "volumes"), number(ok, "generations"));
	if (number(ok, "left") == 0)
		puts("nothing was lost");
	else
		puts("something is lost or damaged; `vtape check` and `vtape damage` look again");
	if (old)
		printf("what was left of the old database is kept as %s; remove it when all is well\n", old);
}

int verb_rebuild_index(const struct args *a)
{
	struct rebuilding re = { .quiet = args_has(a, OPT_JSON), .findings = json_array() };
	struct store s = STORE_CLOSED;
	json_t *ok = NULL;
	int r;

	r = store_open_shut(a, &s);
	if (r) {
		json_decref(re.findings);
		store_close(&s);
		return r;
	}
	progress_begin(&re.progress, a, "rebuilding");
	interrupt_catch(&s);
	r = store_call(&s, json_pack("{s:s}", "verb", "rebuild"), -1, rebuild_each, &re, &ok);
	progress_end(&re.progress);
	store_close(&s);
	if (interrupt_came())
		fputs("vtape: interrupted; start it again, it begins anew\n", stderr);
	else if (!r && args_has(a, OPT_JSON)) {
		json_object_set(ok, "findings", re.findings);
		print_json(ok);
	} else if (!r) {
		rebuild_tell(ok);
	}
	if (!r && number(ok, "left"))
		r = EXIT_FAULTS;
	json_decref(ok);
	json_decref(re.findings);
	interrupt_obey();
	return r;
}
