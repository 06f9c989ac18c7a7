/* SPDX-License-Identifier: BSD-2-Clause */
/* The request to give space back.  A client that goes away stops it, and what was done stays done. */
#include "daemon/serve_call.h"

#include <errno.h>

static json_t *gc_json(const struct tape_gc_report *t)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "packs", (json_int_t)t->packs, "candidates",
			 (json_int_t)t->candidates, "garbage_bytes", (json_int_t)t->garbage_bytes, "copy_bytes",
			 (json_int_t)t->copy_bytes, "freed_packs", (json_int_t)t->freed_packs, "freed_bytes",
			 (json_int_t)t->freed_bytes, "copied_bytes", (json_int_t)t->copied_bytes);
}

static int gc_progress(void *ctx, const struct tape_gc_report *so_far)
{
	json_t *p = gc_json(so_far);

	/* What is copied takes the time. */
	json_object_set_new(p, "done_bytes", json_integer((json_int_t)so_far->copied_bytes));
	json_object_set_new(p, "total_bytes", json_integer((json_int_t)so_far->copy_bytes));
	return call_progress(ctx, p);
}

int serve_gc(struct call *c)
{
	struct tape_gc_config cfg = { .dry_run = call_flag(c, "dry_run"), .progress = gc_progress, .ctx = c };
	struct catalog_store props;
	struct library_gc_report done;
	uint64_t live;
	json_t *ok;
	int r;

	r = err_fold(catalog_store_get(c->s->cat, &props));
	if (r)
		return r;
	cfg.rate_bytes = props.gc_rate_bytes;
	live = props.gc_live_percent;
	if (call_has(c, "rate_bytes"))
		r = call_u64(c, "rate_bytes", &cfg.rate_bytes);
	if (!r && call_has(c, "live_percent"))
		r = call_u64(c, "live_percent", &live);
	if (!r && live > 100)
		r = err_explain(-EINVAL, "%llu is no percentage", (unsigned long long)live);
	cfg.live_percent = (unsigned)live;
	/* A pack that waits for a next writer is not looked at: so a dry run sees what the other would. */
	if (!r && cfg.dry_run)
		r = chunk_store_seal_idle(c->s->cs);
	if (!r)
		r = err_fold(library_gc(c->s->lib, &cfg, &done));
	if (r)
		return r;
	ok = gc_json(&done.tape);
	json_object_set_new(ok, "dropped_generations", json_integer((json_int_t)done.dropped_generations));
	return call_answer(c, ok);
}
