/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about retention: locks, and bringing back an older generation.  What may be is library/'s to say. */
#include "daemon/serve_call.h"

#include <errno.h>

/* @until_ns or @for_s of the request, as a moment on the retention clock. */
static int call_until(const struct call *c, uint64_t *until_ns)
{
	uint64_t now = clock_retention_ns(), seconds;
	int r;

	if (call_has(c, "for_s")) {
		r = call_u64(c, "for_s", &seconds);
		if (!r && seconds > ((uint64_t)INT64_MAX - now) / 1000000000u)
			r = err_explain(-ERANGE, "nothing can be locked for so long");
		if (!r)
			*until_ns = now + seconds * 1000000000u;
		return r;
	}
	r = call_u64(c, "until_ns", until_ns);
	if (!r && *until_ns <= now)
		r = err_explain(-EINVAL, "a lock cannot end before it begins");
	return r;
}

static int locked_row(struct call *c, const char *name, uint64_t until_ns)
{
	return call_row(c, json_pack("{s:s, s:I}", "name", name, "locked_until_ns", (json_int_t)until_ns));
}

static int lock_volume(struct call *c, uint64_t id, uint64_t until_ns)
{
	struct catalog_volume v;
	int r;

	r = err_fold(library_volume_lock(c->s->lib, id, until_ns));
	if (!r)
		r = call_fold(catalog_volume_by_id(c->s->cat, id, &v), "volume", "?");
	return r ? r : locked_row(c, v.name, library_locked_until(c->s->lib, &v));
}

int serve_volume_lock(struct call *c)
{
	struct selection sel = { 0 };
	const json_t *names;
	uint64_t until_ns;
	int r;

	r = call_until(c, &until_ns);
	if (!r)
		r = call_strings(c, "names", &names);
	if (!r)
		r = selection_make(c, names, NULL, &sel);
	for (size_t i = 0; !r && i < sel.n; i++)
		r = lock_volume(c, sel.id[i], until_ns);
	selection_fini(&sel);
	return r;
}

int serve_pool_lock(struct call *c)
{
	struct catalog_pool p;
	const char *name;
	uint64_t until_ns;
	int r;

	r = call_until(c, &until_ns);
	if (!r)
		r = call_string(c, "name", &name);
	if (!r)
		r = err_fold(library_pool_lock(c->s->lib, name, until_ns));
	if (!r)
		r = call_pool(c, name, &p);
	return r ? r : locked_row(c, name, p.locked_until_ns);
}

int serve_volume_restore(struct call *c)
{
	struct catalog_volume v;
	struct volume_stat st;
	uint64_t generation;
	const char *name;
	int r;

	r = call_string(c, "name", &name);
	if (!r)
		r = call_u64(c, "generation", &generation);
	if (!r)
		r = call_volume(c, name, &v);
	if (!r)
		r = err_fold(library_volume_restore(c->s->lib, v.id, generation));
	if (!r)
		r = err_fold(library_stat(c->s->lib, v.id, &st));
	return r ? r : call_answer(c, json_pack("{s:I}", "generation", (json_int_t)st.generation));
}
