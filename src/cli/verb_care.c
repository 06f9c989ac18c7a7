/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verbs that look after a store and take long: gc, scrub, check.  Each can be interrupted: what it has done by then is
 * told, and stays.
 */
#include "cli/cli.h"

#include <errno.h>
#include <unistd.h>

/* A call under way. */
struct watch {
	struct progress progress;
	json_t *last;		/* the last progress that came; NULL: none */
	json_t *findings;	/* rows; NULL: they are printed as they come */
	char room[16];		/* of the findings that are being printed */
};

static int64_t number(const json_t *o, const char *path)
{
	return json_integer_value(member(o, path));
}

static int keep_last(struct watch *w, json_t *value)
{
	json_decref(w->last);
	w->last = json_incref(value);
	return 0;
}

/* ---- gc ------------------------------------------------------------------------------------------------ */

static const struct column gc_columns[] = {
	{ "generations dropped", "dropped_generations", COL_COUNT },
	{ "packs looked at", "packs", COL_COUNT },
	{ "too little in use", "candidates", COL_COUNT },
	{ "garbage in those", "garbage_bytes", COL_SIZE },
	{ "in use, to be copied", "copy_bytes", COL_SIZE },
	{ "copied", "copied_bytes", COL_SIZE },
	{ "packs removed", "freed_packs", COL_COUNT },
	{ "freed", "freed_bytes", COL_SIZE },
};

static const struct column gc_dry_columns[] = {
	{ "generations to drop", "dropped_generations", COL_COUNT },
	{ "packs looked at", "packs", COL_COUNT },
	{ "too little in use", "candidates", COL_COUNT },
	{ "to be copied", "copy_bytes", COL_SIZE },
	{ "to be freed", "garbage_bytes", COL_SIZE },
};

static int gc_each(void *ctx, const char *key, json_t *value)
{
	struct watch *w = ctx;

	if (!strcmp(key, "progress"))
		keep_last(w, value);
	return progress_each(&w->progress, key, value);
}

static void gc_tell(const struct args *a, const json_t *report)
{
	if (!report)
		return;
	if (args_has(a, OPT_JSON))
		print_json(report);
	else if (args_has(a, OPT_DRY_RUN))
		print_object(report, gc_dry_columns, ARRAY_LEN(gc_dry_columns));
	else
		print_object(report, gc_columns, ARRAY_LEN(gc_columns));
}

static int gc_request(const struct args *a, json_t **out)
{
	uint64_t live = UINT64_MAX;
	json_t *rate;
	int r;

	r = args_number(a, OPT_LIVE, 100, &live);
	if (!r)
		r = args_size(a, OPT_RATE, &rate);
	if (r)
		return r;
	*out = json_pack("{s:s, s:b, s:o*}", "verb", "gc", "dry_run", args_has(a, OPT_DRY_RUN), "rate_bytes", rate);
	if (live <= 100)
		json_object_set_new(*out, "live_percent", json_integer((json_int_t)live));
	return 0;
}

int verb_gc(const struct args *a)
{
	struct watch w = { 0 };
	json_t *request = NULL, *report = NULL;
	struct store s = STORE_CLOSED;
	int r;

	r = gc_request(a, &request);
	if (!r)
		r = store_open(a, &s);
	if (r) {
		json_decref(request);
		store_close(&s);
		return r;
	}
	progress_begin(&w.progress, a, "collecting");
	interrupt_catch(&s);
	r = store_call(&s, request, -1, gc_each, &w, &report);
	progress_end(&w.progress);
	store_close(&s);
	if (interrupt_came()) {
		fputs("vtape: interrupted; so far:\n", stderr);
		gc_tell(a, w.last);
	} else if (!r) {
		gc_tell(a, report);
	}
	json_decref(report);
	json_decref(w.last);
	interrupt_obey();
	return r;
}

/* ---- scrub --------------------------------------------------------------------------------------------- */

static const struct column scrub_columns[] = {
	{ "scrub", "state", COL_TEXT },		    { "begun", "started_ns", COL_TIME },
	{ "finished", "finished_ns", COL_TIME },    { "read", "done_bytes", COL_SIZE },
	{ "of", "all_bytes", COL_SIZE },	    { "packs", "done_packs", COL_COUNT },
	{ "of", "all_packs", COL_COUNT },	    { "chunks", "chunks", COL_COUNT },
	{ "damaged", "damaged", COL_COUNT },	    { "at most, a second", "rate_bytes", COL_SIZE },
};

static void scrub_tell(const struct args *a, const json_t *st)
{
	if (args_has(a, OPT_JSON))
		print_json(st);
	else
		print_object(st, scrub_columns, ARRAY_LEN(scrub_columns));
}

static int scrub_simple(struct store *s, const char *verb, json_t *rate, json_t **st)
{
	return store_call(s, json_pack("{s:s, s:o*}", "verb", verb, "rate_bytes", rate), -1, NULL, NULL, st);
}

/* Until it is finished, or stopped by somebody. */
static int scrub_watch(const struct args *a, struct store *s, json_t **st)
{
	struct progress p;
	bool ours = s->child != 0;
	int r;

	progress_begin(&p, a, "scrubbing");
	interrupt_catch(s);
	r = store_call(s, json_pack("{s:s}", "verb", "scrub.wait"), -1, progress_each, &p, st);
	progress_end(&p);
	store_close(s);
	if (interrupt_came())
		fprintf(stderr, "vtape: %s\n",
			ours ? "interrupted; the next scrub goes on from here"
			     : "the scrub goes on; `vtape scrub stop` stops it");
	interrupt_obey();
	return r;
}

static int scrub_ended(const json_t *st)
{
	const char *state = json_string_value(json_object_get(st, "state"));

	if (!state || strcmp(state, "finished") != 0)
		return err_explain(-ECANCELED, "the scrub was stopped before it was finished");
	return number(st, "damaged") ? EXIT_FAULTS : EXIT_DONE;
}

static int scrub_start(const struct args *a, struct store *s, json_t **st)
{
	json_t *rate;
	int r;

	r = args_size(a, OPT_RATE, &rate);
	if (!r)
		r = scrub_simple(s, "scrub.start", rate, NULL);
	if (r)
		return r;
	/* Where nobody stays to do it, we do. */
	if (s->child || args_has(a, OPT_WAIT)) {
		r = scrub_watch(a, s, st);
		if (!r)
			scrub_tell(a, *st);
		return r ? r : scrub_ended(*st);
	}
	if (args_has(a, OPT_JSON))
		r = scrub_simple(s, "scrub.status", NULL, st);
	else
		puts("the scrub has begun; `vtape scrub status` tells how far it is");
	if (*st)
		print_json(*st);
	return r;
}

int verb_scrub(const struct args *a)
{
	const char *what = a->operands ? a->operand[0] : "start";
	struct store s = STORE_CLOSED;
	json_t *st = NULL;
	int r;

	if (strcmp(what, "start") && strcmp(what, "stop") && strcmp(what, "status"))
		return err_explain(-EINVAL, "scrub %s? It is one of start, stop, status", what);
	r = store_open(a, &s);
	if (!r && !strcmp(what, "start"))
		r = scrub_start(a, &s, &st);
	else if (!r && !strcmp(what, "stop"))
		r = scrub_simple(&s, "scrub.stop", NULL, NULL);
	else if (!r)
		r = scrub_simple(&s, "scrub.status", NULL, &st);
	if (!r && !strcmp(what, "status"))
		scrub_tell(a, st);
	json_decref(st);
	store_close(&s);
	return r;
}

/* ---- check --------------------------------------------------------------------------------------------- */

static void print_finding(struct watch *w, const json_t *row)
{
	const char *room = json_string_value(json_object_get(row, "room"));
	const char *about = json_string_value(json_object_get(row, "about"));
	struct buf what = BUF_INIT;

	progress_end(&w->progress);
	if (room && strcmp(w->room, room) != 0) {
		snprintf(w->room, sizeof(w->room), "%s", room);
		printf("%s:\n", room);
	}
	cell_text(json_object_get(row, "what"), COL_TEXT, false, &what);
	printf("  %s%s%.*s%s\n", about ? about : "", about && *about ? ": " : "", (int)what.len,
	       (const char *)what.data, json_is_true(json_object_get(row, "repaired")) ? " (mended)" : "");
	buf_fini(&what);
}

static int check_each(void *ctx, const char *key, json_t *value)
{
	struct watch *w = ctx;
	const char *room = json_string_value(json_object_get(value, "room"));
	char what[sizeof(w->room) + 16];

	if (!strcmp(key, "row") && w->findings)
		return json_array_append(w->findings, value) ? err_origin(-ENOMEM) : 0;
	if (!strcmp(key, "row")) {
		print_finding(w, value);
		return 0;
	}
	snprintf(what, sizeof(what), "checking %.15s", room ? room : "");
	w->progress.what = what;
	int r = progress_each(&w->progress, key, value);
	w->progress.what = "checking";
	return r;
}

/* What is damaged is no fault of the structure, but who asks whether all is well is to know of it. */
static void check_summary(const json_t *sum, int64_t faults, int64_t repaired, int64_t damaged)
{
	printf("%lld pools, %lld volumes with %lld generations, %lld packs with %lld chunks were checked: ",
	       (long long)number(sum, "catalog.pools"), (long long)number(sum, "tape.volumes"),
	       (long long)number(sum, "tape.generations"), (long long)number(sum, "chunk.packs"),
	       (long long)number(sum, "chunk.chunks"));
	if (faults && faults == repaired)
		printf("%lld faults, all of them mended\n", (long long)faults);
	else if (faults)
		printf("%lld faults, %lld of them mended\n", (long long)faults, (long long)repaired);
	else
		puts(damaged ? "the structure is whole" : "nothing is wrong");
	if (number(sum, "chunk.unindexed"))
		printf("%lld chunks are not in the index and will not be shared; --repair puts them there\n",
		       (long long)number(sum, "chunk.unindexed"));
	if (damaged)
		printf("%lld chunks and %lld whole packs are damaged; `vtape damage` tells what that costs\n",
		       (long long)number(sum, "damage.chunks"), (long long)number(sum, "damage.packs"));
}

static int check_tell(const struct args *a, json_t *findings, json_t *sum)
{
	int64_t faults = number(sum, "faults"), repaired = number(sum, "repaired");
	int64_t damaged = number(sum, "damage.chunks") + number(sum, "damage.packs");

	if (args_has(a, OPT_JSON)) {
		json_object_set(sum, "findings", findings);
		print_json(sum);
	} else {
		check_summary(sum, faults, repaired, damaged);
	}
	if (damaged || faults > repaired)
		return EXIT_FAULTS;
	return faults ? EXIT_MENDED : EXIT_DONE;
}

int verb_check(const struct args *a)
{
	struct watch w = { .findings = args_has(a, OPT_JSON) ? json_array() : NULL };
	struct store s = STORE_CLOSED;
	json_t *sum = NULL;
	int r;

	r = store_open(a, &s);
	if (r) {
		json_decref(w.findings);
		store_close(&s);
		return r;
	}
	progress_begin(&w.progress, a, "checking");
	interrupt_catch(&s);
	r = store_call(&s, json_pack("{s:s, s:b, s:b}", "verb", "check", "data", args_has(a, OPT_DATA), "repair",
				     args_has(a, OPT_REPAIR)), -1, check_each, &w, &sum);
	progress_end(&w.progress);
	store_close(&s);
	if (interrupt_came())
		fputs("vtape: interrupted; what was not looked at is not known\n", stderr);
	else if (!r)
		r = check_tell(a, w.findings, sum);
	json_decref(sum);
	json_decref(w.findings);
	interrupt_obey();
	return r;
}
