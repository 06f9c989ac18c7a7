/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * restore: members of archives on tapes, as files with all that was said of them.  The daemon sends them through a
 * pipe; a thread here unpacks them, with the rights of whoever types.
 */
#include "cli/members.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct restoring {
	const struct args *a;
	struct extract x;
	struct progress progress;
	struct members listed;		/* with --dry-run */
	bool dry_run;
	uint64_t damaged;
};

/* ---- the request ------------------------------------------------------------------------------------------------ */

static const enum opt only_with_find[] = { OPT_REGEX, OPT_EXACT, OPT_IGNORE_CASE, OPT_SIZE, OPT_NEWER, OPT_OLDER,
					   OPT_OWNER, OPT_TYPE, OPT_POOL, OPT_VOLUME };

static int put_places(const struct args *a, json_t *request)
{
	json_t *from = json_array();

	for (size_t i = 0; i < ARRAY_LEN(only_with_find); i++) {
		if (args_has(a, only_with_find[i])) {
			json_decref(from);
			return err_explain(-EINVAL, "restore: --%s is of use only with --find",
					   options[only_with_find[i]].name);
		}
	}
	if (!a->operands) {
		json_decref(from);
		return err_explain(-EINVAL, "restore: what? VOLUME, VOLUME:FILE, VOLUME:FILE:PATH or --find PATTERN");
	}
	for (int i = 0; i < a->operands; i++)
		if (json_array_append_new(from, place_words(a->operand[i])) < 0) {
			json_decref(from);
			return err_explain(-EINVAL, "the command line is not UTF-8");
		}
	return json_object_set_new(request, "from", from) ? -ENOMEM : 0;
}

static int put_queries(const struct args *a, json_t *request)
{
	json_t *find = json_array(), *query;
	int r = 0;

	for (int i = 0; !r && (i < a->operands || i == 0); i++) {
		r = query_words(a, a->operands ? a->operand[i] : NULL, &query);
		if (!r && json_array_append_new(find, query) < 0)
			r = -ENOMEM;
	}
	if (r || json_object_set(request, "find", find) < 0)
		r = r ? r : -ENOMEM;
	json_decref(find);
	return r;
}

static int make_request(const struct args *a, json_t **out)
{
	json_t *request = json_pack("{s:s, s:b, s:b}", "verb", "restore", "versions", args_has(a, OPT_ALL_VERSIONS),
				    "dry_run", args_has(a, OPT_DRY_RUN));
	uint64_t strip = 0;
	int r = request ? args_number(a, OPT_STRIP, 1000, &strip) : err_origin(-ENOMEM);

	if (!r && args_has(a, OPT_OVERWRITE) && args_has(a, OPT_KEEP_NEWER))
		r = err_explain(-EINVAL, "--overwrite and --keep-newer: one of them");
	if (!r && strip)
		r = json_object_set_new(request, "strip", json_integer((json_int_t)strip)) ? -ENOMEM : 0;
	if (!r)
		r = args_has(a, OPT_FIND) ? put_queries(a, request) : put_places(a, request);
	if (r) {
		json_decref(request);
		return r;
	}
	*out = request;
	return 0;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static long long number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

/* A member that is damaged on the tape. */
static void tell_damage(struct restoring *t, const json_t *row)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT;
	const char *text = json_string_value(json_object_get(row, "text"));

	t->damaged++;
	if (ctl_get_bytes(row, "path", "raw", &path))
		return;
	progress_end(&t->progress);
	if (json_is_true(json_object_get(row, "restored")))
		fprintf(stderr, "vtape: %s: damaged: zeros from byte %lld on (%s)\n", (const char *)path.data,
			number(row, "good_bytes"), text ? text : "");
	else
		fprintf(stderr, "vtape: %s: not restored: %s\n", (const char *)path.data, text ? text : "damaged");
}

static int take_answer(void *ctx, const char *key, json_t *value)
{
	struct restoring *t = ctx;

	if (t->dry_run)
		return members_row(&t->listed, key, value);
	if (!strcmp(key, "row"))
		tell_damage(t, value);
	return progress_each(&t->progress, key, value);
}

static void *extract_main(void *extract)
{
	struct extract *x = extract;

	extract_run(x);
	fd_closep(&x->fd);	/* the daemon finds nobody there, if it was not the end */
	return NULL;
}

/* The call, with somebody at the other end of the pipe. */
static int call_and_extract(struct restoring *t, struct store *s, json_t *request, json_t **ok)
{
	pthread_t thread;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		json_decref(request);
		return err_origin(-errno);
	}
	t->x.fd = ends[0];
	r = pthread_create(&thread, NULL, extract_main, &t->x);
	if (r) {
		json_decref(request);
		close(ends[0]);
		close(ends[1]);
		return err_origin(-r);
	}
	interrupt_catch(s);
	progress_begin(&t->progress, t->a, "restoring");
	r = store_call(s, request, ends[1], take_answer, t, ok);
	close(ends[1]);
	pthread_join(thread, NULL);
	progress_end(&t->progress);
	/* Who hung up first has the better words. */
	if (t->x.error && (!r || r == -EPIPE) && !interrupt_came())
		r = err_explain(t->x.error, "%s", t->x.why);
	return r;
}

/* ---- telling ---------------------------------------------------------------------------------------------------- */

static void tell_left_out(const json_t *ok)
{
	if (number(ok, "waiting"))
		fprintf(stderr, "vtape: %lld tape files have not been looked at yet and were left out\n",
			number(ok, "waiting"));
	if (number(ok, "others"))
		fprintf(stderr, "vtape: %lld tape files are no archives and were left out\n", number(ok, "others"));
}

static void tell(const struct restoring *t, const json_t *ok)
{
	char bytes[16], taken[16];

	format_size((uint64_t)number(ok, "bytes"), bytes);
	format_size((uint64_t)number(ok, "read_bytes"), taken);
	if (t->dry_run) {
		fprintf(stderr, "%lld members of %lld archives would be restored, %s\n", number(ok, "members"),
			number(ok, "archives"), bytes);
		return;
	}
	if (!isatty(STDERR_FILENO) && !args_has(t->a, OPT_VERBOSE))
		return;
	fprintf(stderr, "restored %llu of %lld members, %s; read %s from the tapes", (unsigned long long)t->x.restored,
		number(ok, "members"), bytes, taken);
	if (number(ok, "joined"))
		fprintf(stderr, "; %lld were joined from several tapes", number(ok, "joined"));
	if (t->x.refused || t->x.kept || t->x.failed)
		fprintf(stderr, "; %llu were there already, %llu left as they are, %llu could not be made",
			(unsigned long long)t->x.refused, (unsigned long long)t->x.kept,
			(unsigned long long)t->x.failed);
	fputc('\n', stderr);
}

static void tell_json(const struct restoring *t, json_t *ok)
{
	json_object_set_new(ok, "restored", json_integer((json_int_t)t->x.restored));
	json_object_set_new(ok, "refused", json_integer((json_int_t)t->x.refused));
	json_object_set_new(ok, "kept", json_integer((json_int_t)t->x.kept));
	json_object_set_new(ok, "failed", json_integer((json_int_t)t->x.failed));
	print_json(ok);
}

static int outcome(const struct restoring *t, const json_t *ok)
{
	if (!number(ok, "members"))
		return err_explain(-ENOENT, "nothing was found to restore");
	if (t->damaged)
		return err_explain(-EBADMSG, "%llu members are damaged", (unsigned long long)t->damaged);
	if (t->x.failed)
		return err_explain(-EIO, "%llu members could not be restored as they are",
				   (unsigned long long)t->x.failed);
	if (t->x.refused)
		return err_explain(-EEXIST, "%llu members were there already and were not restored",
				   (unsigned long long)t->x.refused);
	return 0;
}

static int go_there(const struct args *a)
{
	const char *folder = a->value[OPT_DIRECTORY];

	if (folder && chdir(folder) < 0)
		return err_explain(-errno, "%s: %s", folder, strerror(errno));
	return 0;
}

int verb_restore(const struct args *a)
{
	struct restoring t = { .a = a, .dry_run = args_has(a, OPT_DRY_RUN) };
	json_t *request = NULL, *ok = NULL;
	struct store s = STORE_CLOSED;
	int r;

	t.x = (struct extract){ .fd = -1, .overwrite = args_has(a, OPT_OVERWRITE),
				.keep_newer = args_has(a, OPT_KEEP_NEWER),
				.names = args_has(a, OPT_VERBOSE) && !args_has(a, OPT_JSON) };
	r = make_request(a, &request);
	if (!r)
		r = store_open(a, &s);
	if (!r && !t.dry_run)
		r = go_there(a);
	if (r) {
		json_decref(request);
	} else if (t.dry_run) {
		members_begin(&t.listed, a, MEMBERS_TABLE);
		r = store_call(&s, request, -1, take_answer, &t, &ok);
		members_end(&t.listed, r != 0);
	} else {
		r = call_and_extract(&t, &s, request, &ok);
	}
	store_close(&s);
	if (!r) {
		tell_left_out(ok);
		tell(&t, ok);
		if (!t.dry_run && args_has(a, OPT_JSON))
			tell_json(&t, ok);
		r = outcome(&t, ok);
	}
	json_decref(ok);
	if (interrupt_came()) {
		fprintf(stderr, "vtape: interrupted; %llu members were restored\n", (unsigned long long)t.x.restored);
		interrupt_obey();
	}
	return r;
}
