/* SPDX-License-Identifier: BSD-2-Clause */
/* find: members of the archives on all tapes, sent one by one as they are found. */
#include "daemon/serve_member.h"

#include <errno.h>

void asked_fini(struct asked *a)
{
	buf_fini(&a->pattern);
	selection_fini(&a->volumes);
}

static int ask_number(const json_t *words, const char *key, int64_t least, int64_t *out)
{
	const json_t *n = json_object_get(words, key);

	if (!n || json_is_null(n))
		return 0;
	if (!json_is_integer(n) || json_integer_value(n) < least)
		return err_explain(-EINVAL, "the request's \"%s\" is no number", key);
	*out = json_integer_value(n);
	return 0;
}

static int ask_match(const json_t *words, enum contents_match *out)
{
	static const char *const names[] = { [MATCH_GLOB] = "glob", [MATCH_REGEX] = "regex", [MATCH_EXACT] = "exact" };
	const char *word = json_string_value(json_object_get(words, "match"));

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!word || !strcmp(word, names[i])) {
			*out = (enum contents_match)i;
			return 0;
		}
	}
	return err_explain(-EINVAL, "\"%s\" is no way to match (glob, regex, exact)", word);
}

static int ask_where(struct call *c, const json_t *words, struct asked *a)
{
	const char *name = json_string_value(json_object_get(words, "pool"));
	const json_t *volumes = json_object_get(words, "volumes");
	struct catalog_pool pool;
	int r = 0;

	if (name) {
		r = call_pool(c, name, &pool);
		if (r)
			return r;
		a->q.pool = pool.id;
	}
	if (json_array_size(volumes))
		r = selection_make(c, volumes, name, &a->volumes);
	a->q.volumes = a->volumes.n ? a->volumes.id : NULL;
	a->q.volume_count = a->volumes.n;
	return r;
}

int asked_parse(struct call *c, const json_t *words, struct asked *out)
{
	int64_t size_min = 0, size_max = 0, limit = 0;
	struct contents_query *q = &out->q;
	int r;

	memset(out, 0, sizeof(*out));
	r = ctl_get_bytes(words, "pattern", "pattern_raw", &out->pattern);
	if (!r)
		r = ask_match(words, &q->match);
	if (!r)
		r = ask_number(words, "size_min", 0, &size_min);
	if (!r)
		r = ask_number(words, "size_max", 0, &size_max);
	if (!r)
		r = ask_number(words, "mtime_from", INT64_MIN, &q->mtime_from);
	if (!r)
		r = ask_number(words, "mtime_to", INT64_MIN, &q->mtime_to);
	if (!r)
		r = ask_number(words, "limit", 0, &limit);
	if (r)
		return r;
	if (!json_object_get(words, "mtime_from"))
		q->mtime_from = INT64_MIN;
	q->pattern = (const char *)out->pattern.data;
	q->ignore_case = json_is_true(json_object_get(words, "ignore_case"));
	q->newest = json_is_true(json_object_get(words, "newest"));
	q->size_min = (uint64_t)size_min;
	q->size_max = (uint64_t)size_max;
	q->limit = (uint64_t)limit;
	q->owner = json_string_value(json_object_get(words, "owner"));
	q->types = json_string_value(json_object_get(words, "types"));
	return ask_where(c, words, out);
}

struct finding {
	struct call *c;
	const struct contents_query *q;
	struct names names;
	uint64_t found;
};

static int find_row(void *ctx, const struct contents_hit *hit)
{
	struct finding *f = ctx;

	if (!hit)
		return call_progress(f->c,
				     json_pack("{s:I, s:I}", "done", (json_int_t)f->found, "total", (json_int_t)0));
	/* Of a folder that is only part of other paths nobody said how old it is, or whose. */
	if (hit->member->implied && (f->q->owner || f->q->mtime_to || f->q->mtime_from != INT64_MIN))
		return 0;
	f->found++;
	return call_row(f->c, member_json(volume_name(f->c, &f->names, hit->file->volume), hit->file, hit->member,
					  hit->path));
}

int serve_find(struct call *c)
{
	struct contents_status pending = { 0 };
	struct asked a;
	struct finding f = { .c = c, .q = &a.q };
	int r;

	r = asked_parse(c, c->req, &a);
	if (!r)
		r = contents_find(c->s->contents, &a.q, find_row, &f);
	asked_fini(&a);
	if (!r)
		r = contents_pending(c->s->contents, &pending);
	return r ? r : call_answer(c, json_pack("{s:I, s:o}", "found", (json_int_t)f.found, "pending",
						contents_status_json(c, &pending)));
}
