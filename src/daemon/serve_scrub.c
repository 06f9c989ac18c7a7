/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about scrubs.  A scrub is the daemon's own: who waits for it may go away. */
#include "daemon/serve_call.h"

#include <errno.h>
#include <unistd.h>

#define SCRUB_LOOK_US 100000u

static const char *scrub_state(const struct library_scrub *s)
{
	if (s->running)
		return "running";
	if (!s->started_ns)
		return "never";
	return s->finished_ns >= s->started_ns ? "finished" : "stopped";
}

json_t *scrub_json(const struct library_scrub *s)
{
	/* What came to the store since the last one ended is not its business. */
	bool over = !s->running && s->finished_ns >= s->started_ns;

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "state", scrub_state(s),
			 "rate_bytes", (json_int_t)s->rate_bytes, "started_ns", (json_int_t)s->started_ns,
			 "finished_ns", (json_int_t)s->finished_ns, "done_packs", (json_int_t)s->done_packs,
			 "all_packs", (json_int_t)(over ? s->done_packs : s->all_packs),
			 "done_bytes", (json_int_t)s->done_bytes,
			 "all_bytes", (json_int_t)(over ? s->done_bytes : s->all_bytes),
			 "chunks", (json_int_t)s->chunks, "damaged", (json_int_t)s->damaged);
}

int serve_scrub_start(struct call *c)
{
	uint64_t rate = 0;
	int r = call_has(c, "rate_bytes") ? call_u64(c, "rate_bytes", &rate) : 0;

	/* Also what was written just now is read: only closed packs are. */
	if (!r)
		r = chunk_store_seal_idle(c->s->cs);
	return r ? r : err_fold(library_scrub_start(c->s->lib, rate));
}

int serve_scrub_stop(struct call *c)
{
	return err_fold(library_scrub_stop(c->s->lib));
}

int serve_scrub_status(struct call *c)
{
	struct library_scrub s;
	int r = err_fold(library_scrub_status(c->s->lib, &s));

	return r ? r : call_answer(c, scrub_json(&s));
}

/* Until none is running. */
int serve_scrub_wait(struct call *c)
{
	struct library_scrub s;
	int r;

	for (;;) {
		r = err_fold(library_scrub_status(c->s->lib, &s));
		if (r)
			return r;
		if (!s.running)
			return call_answer(c, scrub_json(&s));
		r = call_progress(c, json_pack("{s:I, s:I}", "done_bytes", (json_int_t)s.done_bytes, "total_bytes",
					       (json_int_t)s.all_bytes));
		if (r)
			return r;
		usleep(SCRUB_LOOK_US);
	}
}
