/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.  --follow asks the daemon again and again for what is newer than the last it saw; when no daemon runs it
 * waits for one, since nobody else writes to the store meanwhile, and leaves the store alone.
 */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define LAST_DEFAULT 50u
#define FOLLOW_EVERY_MS 500

static const struct column event_columns[] = {
	{ "NUMBER", "seq", COL_COUNT },	    { "TIME", "time_ns", COL_TIME }, { "SEVERITY", "severity", COL_TEXT },
	{ "EVENT", "name", COL_TEXT },	    { "ABOUT", "about", COL_TEXT },  { "TEXT", "text", COL_TEXT },
};

struct following {
	const struct args *args;
	struct listing *listing;
	uint64_t next;		/* the event to ask for */
	uint64_t since_ns;
};

static json_t *request_of(const struct following *f, uint64_t last)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:s?, s:s?, s:s?}", "verb", "events", "since", (json_int_t)f->next,
			 "since_ns", (json_int_t)f->since_ns, "last", (json_int_t)last, "severity",
			 f->args->value[OPT_SEVERITY], "events", f->args->value[OPT_EVENT], "about",
			 f->args->value[OPT_ABOUT]);
}

/* While following, each line is printed as it comes: a table's widths cannot be waited for. */
static int follow_row(void *ctx, const char *key, json_t *value)
{
	struct following *f = ctx;

	if (strcmp(key, "row") != 0)
		return 0;
	if (args_has(f->args, OPT_JSON) || args_has(f->args, OPT_NO_HEADER)) {
		int r = listing_row(f->listing, key, value);
		if (r)
			return r;
	} else {
		char when[32];
		const char *about = json_string_value(json_object_get(value, "about"));
		struct buf text = BUF_INIT;
		cell_text(json_object_get(value, "text"), COL_TEXT, false, &text);
		printf("%s  %-7s  %s%s%.*s\n",
		       format_time((uint64_t)json_integer_value(json_object_get(value, "time_ns")), when),
		       json_string_value(json_object_get(value, "severity")), about && *about ? about : "",
		       about && *about ? ": " : "", (int)text.len, (const char *)text.data);
		buf_fini(&text);
	}
	return fflush(stdout) ? err_explain(-errno, "cannot write the output: %s", strerror(errno)) : 0;
}

static int follow_once(struct following *f, struct store *s, uint64_t last)
{
	json_t *ok = NULL;
	int r;

	r = store_call(s, request_of(f, last), -1, follow_row, f, &ok);
	if (r)
		return r;
	uint64_t end = (uint64_t)json_integer_value(json_object_get(ok, "last"));
	if (end >= f->next)
		f->next = end + 1;
	json_decref(ok);
	return 0;
}

/* Half a second; false if nobody reads what we print any more. */
static bool still_read(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = 0 };

	return !(poll(&p, 1, FOLLOW_EVERY_MS) > 0 && (p.revents & (POLLERR | POLLNVAL)));
}

static int follow(struct following *f, uint64_t last)
{
	char sock[PATH_MAX];
	struct store s;
	int r;

	r = store_open(f->args, &s);
	if (!r)
		r = io_path(sock, sizeof(sock), "%s/ctl.sock", s.path);
	if (!r)
		r = follow_once(f, &s, last);
	if (r || s.child)
		store_close(&s);	/* a server of our own would keep the store from everybody else */
	while (!r && still_read()) {
		if (s.sock < 0 && ctl_connect(sock, &s.sock) < 0)
			continue;
		r = follow_once(f, &s, 0);
		if (r == -EPIPE || r == -ENOTCONN) {	/* the daemon ended: wait for the next */
			fd_closep(&s.sock);
			r = 0;
		}
	}
	store_close(&s);
	return r;
}

/* A number alone is an event's; everything else is a time. */
static int since_parse(const struct args *a, struct following *f)
{
	const char *s = a->value[OPT_SINCE];

	if (!s)
		return 0;
	return s[0] && strspn(s, "0123456789") == strlen(s) ? args_number(a, OPT_SINCE, INT64_MAX, &f->next)
							     : when_parse_past(s, &f->since_ns);
}

int verb_events(const struct args *a)
{
	struct following f = { .args = a, .next = 1 };
	uint64_t last = args_has(a, OPT_SINCE) ? 0 : LAST_DEFAULT;
	int r;

	r = since_parse(a, &f);
	if (!r)
		r = args_number(a, OPT_COUNT, INT64_MAX, &last);
	if (!r)
		r = listing_new(a, event_columns, ARRAY_LEN(event_columns), true, &f.listing);
	if (r)
		return r;
	if (args_has(a, OPT_FOLLOW))
		r = follow(&f, last);
	else
		r = store_ask(a, request_of(&f, last), listing_row, f.listing, NULL);
	listing_free(f.listing);
	return r;
}
