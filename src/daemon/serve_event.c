/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request for events.  They are taken from the catalog a batch at a time, so that a client that reads slowly holds
 * up nobody who has an event to tell.
 */
#include "daemon/serve_call.h"

#include <errno.h>

#define BATCH 256u

struct reading {
	enum event_severity least;
	uint64_t matches;			/* seen so far */
	struct catalog_event *batch;		/* NULL: only count */
	unsigned n;
};

/* Non-zero stops: the batch is full. */
static int take_event(void *ctx, const struct catalog_event *e)
{
	struct reading *rd = ctx;

	if (e->severity < rd->least)
		return 0;
	rd->matches++;
	if (!rd->batch)
		return 0;
	rd->batch[rd->n++] = *e;
	return rd->n == BATCH;
}

static int event_row(struct call *c, const struct catalog_event *e)
{
	return call_row(c, json_pack("{s:I, s:I, s:i, s:s, s:s, s:s, s:s}", "seq", (json_int_t)e->seq, "time_ns",
				     (json_int_t)e->time_ns, "number", (int)e->number, "name", event_name(e->number),
				     "severity", event_severity_name(e->severity), "about", e->about, "text", e->text));
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
			r = event_row(c, &rd->batch[i]);
			if (r)
				return r;
		}
	} while (rd->n == BATCH);
	return 0;
}

static int parse_severity(const char *word, enum event_severity *out)
{
	for (enum event_severity s = EVENT_INFO; s <= EVENT_ERROR; s++)
		if (!strcmp(word, event_severity_name(s))) {
			*out = s;
			return 0;
		}
	return err_explain(-EINVAL, "\"%s\" is not a severity (info, warning, error)", word);
}

int serve_events(struct call *c)
{
	struct reading rd = { .least = EVENT_INFO };
	uint64_t since = 1, last = 0, skip = 0, end;
	int r = 0;

	if (call_has(c, "since"))
		r = call_u64(c, "since", &since);
	if (!r && call_has(c, "last"))
		r = call_u64(c, "last", &last);
	if (!r && call_has(c, "severity"))
		r = parse_severity(call_string_or(c, "severity", ""), &rd.least);
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
