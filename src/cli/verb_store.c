/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs about the store as a whole. */
#include "cli/cli.h"

#include <errno.h>

#define CLOCK_SLACK_NS 60000000000ull	/* a minute: what a wall clock is set by now and then */

int verb_version(const struct args *a)
{
	puts("vtape " VTAPE_VERSION);
	return 0;
}

int verb_init(const struct args *a)
{
	const char *argv[12];
	char program[PATH_MAX], at[PATH_MAX];
	int n = 0, r;

	if (store_is(a->operand[0]))
		return err_explain(-EEXIST, "%s is a store already", a->operand[0]);
	r = vtaped_find(program);
	if (r)
		return r;
	argv[n++] = program;
	argv[n++] = "--store";
	argv[n++] = a->operand[0];
	argv[n++] = "--init";
	n = args_pass(a, OPT_CHUNK_AVG, "--chunk-avg", argv, n);
	n = args_pass(a, OPT_COMPRESSION, "--compression", argv, n);
	argv[n] = NULL;
	r = spawn_wait(argv);
	if (r)
		return r;
	printf("made the store %s; `vtape mount %s FOLDER` mounts it\n",
	       realpath(a->operand[0], at) ? at : a->operand[0], a->operand[0]);
	return 0;
}

/* ---- status -------------------------------------------------------------------------------------------- */

static const struct column status_columns[] = {
	{ "store", "store", COL_TEXT },
	{ "mounted on", "mountpoint", COL_TEXT },
	{ "volumes", "volumes", COL_COUNT },
	{ "pools", "pools", COL_COUNT },
	{ "unique data", "unique_bytes", COL_SIZE },
	{ "stored", "stored_bytes", COL_SIZE },
	{ "database", "database.disk_bytes", COL_SIZE },
	{ "space left", "space.available_bytes", COL_SIZE },
	{ "space", "space.total_bytes", COL_SIZE },
};

/* What was found out by scrubs and reads, and what time it is for locks if that is not what the wall says. */
static void print_care(const json_t *st)
{
	json_int_t damaged = json_integer_value(member(st, "damage.chunks"));
	json_int_t packs = json_integer_value(member(st, "damage.packs"));
	uint64_t wall = (uint64_t)json_integer_value(member(st, "clock.wall_ns"));
	uint64_t locks = (uint64_t)json_integer_value(member(st, "clock.locks_ns"));
	const char *state = json_string_value(member(st, "scrub.state"));
	char when[32];

	if (state)
		printf("%-11s  %s%s%s\n", "last scrub", state, strcmp(state, "finished") ? "" : " ",
		       strcmp(state, "finished") ? "" :
			       format_time((uint64_t)json_integer_value(member(st, "scrub.finished_ns")), when));
	if (damaged || packs)
		printf("%-11s  %lld chunks, %lld whole packs; `vtape damage` says what is hurt\n", "damage",
		       (long long)damaged, (long long)packs);
	else
		printf("%-11s  none is known\n", "damage");
	if (json_is_false(member(st, "gc")))
		printf("%-11s  off: no space is freed; `vtape set gc=on` changes that\n", "gc");
	if (locks + CLOCK_SLACK_NS < wall || wall + CLOCK_SLACK_NS < locks)
		printf("%-11s  %s\n", "locks' time", format_time(locks, when));
}

static void print_daemon(const json_t *st, bool daemon)
{
	json_int_t pid = json_integer_value(json_object_get(st, "pid"));
	json_int_t started = json_integer_value(json_object_get(st, "started_ns"));
	char when[32];

	if (!daemon)
		printf("%-11s  none runs (version %s)\n", "daemon", VTAPE_VERSION);
	else if (started)
		printf("%-11s  process %lld since %s, version %s\n", "daemon", (long long)pid,
		       format_time((uint64_t)started, when), json_string_value(json_object_get(st, "version")));
	else
		printf("%-11s  process %lld, version %s\n", "daemon", (long long)pid,
		       json_string_value(json_object_get(st, "version")));
}

static void print_scsi(const json_t *st)
{
	json_int_t up, failed;

	if (json_unpack((json_t *)st, "{s:{s:I, s:I}}", "scsi", "up", &up, "failed", &failed) || !up)
		return;
	printf("%-11s  %lld units up", "scsi", (long long)up);
	if (failed)
		printf(", %lld not served: `vtape scsi status`", (long long)failed);
	putchar('\n');
}

static void print_drives(const json_t *st)
{
	const json_t *drives = json_object_get(st, "drives"), *d;
	size_t i;

	json_array_foreach(drives, i, d) {
		const char *volume = json_string_value(json_object_get(d, "volume"));
		char name[24];
		snprintf(name, sizeof(name), "nst%lld", (long long)json_integer_value(json_object_get(d, "drive")));
		printf("%-11s  %s%s%s%s\n", name, volume ? volume : "-",
		       json_is_true(json_object_get(d, "open")) ? ", open" : "",
		       json_is_true(json_object_get(d, "locked")) ? ", locked" : "",
		       json_is_true(json_object_get(d, "out"))
			       ? ", unloaded by its host, for the changer to fetch" : "");
	}
}

int verb_status(const struct args *a)
{
	struct store s;
	json_t *st = NULL;
	bool daemon;
	int r;

	r = store_open(a, &s);
	if (!r)
		r = store_call(&s, json_pack("{s:s}", "verb", "status"), -1, NULL, NULL, &st);
	daemon = s.child == 0;
	store_close(&s);
	if (r)
		return r;
	if (args_has(a, OPT_JSON)) {
		/* The server that we started is gone by now: it is nobody's business. */
		if (!daemon) {
			json_object_set_new(st, "pid", json_null());
			json_object_set_new(st, "started_ns", json_null());
			json_object_set_new(st, "uptime_ns", json_null());
		}
		print_json(st);
	} else {
		print_object(st, status_columns, ARRAY_LEN(status_columns));
		print_care(st);
		print_daemon(st, daemon);
		print_scsi(st);
		print_drives(st);
	}
	json_decref(st);
	return 0;
}

/* ---- stats --------------------------------------------------------------------------------------------- */

static const struct column stats_columns[] = {
	{ "volumes", "volumes", COL_COUNT },   { "tape files", "files", COL_COUNT },
	{ "records", "records", COL_COUNT },   { "logical", "logical_bytes", COL_SIZE },
	{ "history", "history_bytes", COL_SIZE }, { "unique", "unique_bytes", COL_SIZE },
	{ "stored", "stored_bytes", COL_SIZE },	  { "dedup", "dedup", COL_TEXT },
	{ "compression", "compression", COL_TEXT },
};

/* One question, one object. */
static int ask_object(const struct args *a, json_t *request, json_t **out)
{
	int r = store_ask(a, request, NULL, NULL, out);

	if (!r && args_has(a, OPT_JSON))
		print_json(*out);
	return r;
}

int verb_stats(const struct args *a)
{
	json_t *st = NULL;
	int r;

	r = ask_object(a, json_pack("{s:s, s:s?}", "verb", "stats", "name", a->operand[0]), &st);
	if (!r && !args_has(a, OPT_JSON))
		print_object(st, stats_columns, ARRAY_LEN(stats_columns));
	json_decref(st);
	return r;
}

/* ---- properties ---------------------------------------------------------------------------------------- */

int verb_get(const struct args *a)
{
	return listing_of_props(a, json_pack("{s:s, s:o}", "verb", "get",
					     "props", json_words(a->operand, a->operands)));
}

int verb_set(const struct args *a)
{
	return store_ask(a, json_pack("{s:s, s:o}", "verb", "set", "set", json_words(a->operand, a->operands)), NULL,
			 NULL, NULL);
}
