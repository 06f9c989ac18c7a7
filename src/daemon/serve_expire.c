/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request that lets volumes expire.  Rows are sent as it goes: what was told has been done, also if the client goes
 * away.
 */
#include "daemon/serve_call.h"

#include <errno.h>

static const char *const what_names[] = {
	[EXPIRE_SCRATCHED] = "scratch", [EXPIRE_KEPT] = "kept", [EXPIRE_FAILED] = "failed",
};

/* Never is no number. */
json_t *expires_json(uint64_t expires_ns)
{
	return expires_ns && expires_ns <= INT64_MAX ? json_integer((json_int_t)expires_ns) : json_null();
}

static int expired_row(void *ctx, const struct library_expired *e)
{
	return call_row(ctx, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:I}", "volume", e->volume->name,
				       "pool", e->pool, "state", catalog_state_name(e->volume->state),
				       "what", what_names[e->what],
				       "why", e->why, "expires_ns", expires_json(e->expires_ns),
				       "size_bytes", (json_int_t)e->bytes));
}

/* What is on the tape must have been looked at to the end; where nobody looks nobody knows. */
static int label_date(void *ctx, uint64_t volume, uint64_t *expires_ns)
{
	const struct call *c = ctx;
	struct contents *contents = c->s->contents;
	int r = contents_expires(contents, volume, expires_ns);

	if (r == CONTENTS_E_NONE) {
		r = contents_settle(contents, volume, false, NULL, NULL);
		r = r ? r : contents_expires(contents, volume, expires_ns);
	}
	if (r == CONTENTS_E_NONE)
		return err_explain(-EAGAIN,
				   "the dates in its labels are not known: is the pool's property contents off?");
	return err_fold(r);
}

/* The numbers of the pools named; none named: *ids stays empty. */
static int call_pool_ids(struct call *c, struct buf *ids)
{
	const json_t *names = json_object_get(c->req, "names"), *name;
	struct catalog_pool p;
	size_t i;
	int r;

	json_array_foreach(names, i, name) {
		r = json_is_string(name) ? call_pool(c, json_string_value(name), &p)
					 : err_explain(-EINVAL, "a pool's name is no word");
		if (!r)
			r = buf_append(ids, &p.id, sizeof(p.id));
		if (r)
			return r;
	}
	return 0;
}

int serve_pool_expire(struct call *c)
{
	CLEANUP(buf_fini) struct buf ids = BUF_INIT;
	struct library_expire_config cfg = { .dry_run = call_flag(c, "dry_run"), .label_expires = label_date,
					     .each = expired_row, .ctx = c };
	struct library_expire_report done;
	int r;

	r = call_pool_ids(c, &ids);
	if (r)
		return r;
	cfg.pools = (const uint32_t *)ids.data;
	cfg.pool_count = ids.len / sizeof(uint32_t);
	r = library_expire(c->s->lib, &cfg, &done);
	if (r)
		return r;
	return call_answer(c, json_pack("{s:I, s:I, s:I, s:I, s:I}", "volumes", (json_int_t)done.volumes,
					"scratched", (json_int_t)done.scratched, "kept", (json_int_t)done.kept,
					"failed", (json_int_t)done.failed, "bytes", (json_int_t)done.bytes));
}
