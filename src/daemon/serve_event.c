/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request for events.  They are taken from the catalog a batch at a time, so that a client that reads slowly holds
 * up nobody who has an event to tell.
 */
#include "daemon/event_json.h"
#include "daemon/serve_call.h"

#include <errno.h>

#define BATCH 256u

struct reading {
	enum event_severity least;
	uint64_t since_ns;
	const char *events, *about;		/* "": any; about a pool's name, also its volumes */
	uint64_t matches;			/* seen so far */
	struct catalog_event *batch;		/* NULL: only count */
	unsigned n;
};

/* "default" is also about "default/A00001". */
static bool is_about(const char *about, const char *wanted)
{
	size_t n = strlen(wanted);

	return !n || (!strncmp(about, wanted, n) && (!about[n] || about[n] == '/'));
}

/* Non-zero stops: the batch is full. */
static int take_event(void *ctx, const struct catalog_event *e)
{
	struct reading *rd = ctx;

	if (e->severity < rd->least || e->time_ns < rd->since_ns || !event_list_has(rd->events, e->number) ||
	    !is_about(e->about, rd->about))
		return 0;
	rd->matches++;
	if (!rd->batch)
		return 0;
	rd->batch[rd->n++] = *e;
	return rd->n == BATCH;
}

/* From @since on, without the first @skip of those that match. */
static int send_events(struct call *c, struct reading *rd, uint64_t since, uint64_t skip)
{
	int r;

	do {
		rd->n = 0;
		r = catalog_event_each(c->s->cat, since, take_event, rd);
		if (r < 0)
			return r;
		for (unsigned i = 0; i < rd->n; i++) {
			since = rd->batch[i].seq + 1;
			if (skip) {
				skip--;
				continue;
			}
			r = call_row(c, event_json(&rd->batch[i]));
			if (r)
				return r;
		}
	} while (rd->n == BATCH);
	return 0;
}

static int reading_of_request(const struct call *c, struct reading *rd)
{
	int r = 0;

	*rd = (struct reading){ .least = EVENT_INFO, .events = call_string_or(c, "events", ""),
				.about = call_string_or(c, "about", "") };
	if (call_has(c, "since_ns"))
		r = call_u64(c, "since_ns", &rd->since_ns);
	if (!r && call_has(c, "severity"))
		r = event_severity_parse(call_string_or(c, "severity", ""), &rd->least);
	return r ? r : event_list_check(rd->events);
}

int serve_events(struct call *c)
{
	uint64_t since = 1, last = 0, skip = 0, end;
	struct reading rd;
	int r = reading_of_request(c, &rd);

	if (!r && call_has(c, "since"))
		r = call_u64(c, "since", &since);
	if (!r && call_has(c, "last"))
		r = call_u64(c, "last", &last);
	if (r)
		return r;

	/* The last that there is now: where a client that follows asks next. */
	end = catalog_event_last(c->s->cat);
	if (last) {
		r = catalog_event_each(c->s->cat, since, take_event, &rd);
		if (r)
			return r;
		skip = rd.matches > last ? rd.matches - last : 0;
	}
	rd.batch = calloc(BATCH, sizeof(*rd.batch));
	if (!rd.batch)
		return err_origin(-ENOMEM);
	r = send_events(c, &rd, since, skip);
	free(rd.batch);
	return r ? r : call_answer(c, json_pack("{s:I}", "last", (json_int_t)end));
}
