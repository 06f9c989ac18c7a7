/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of a file that tar -M has put on several tapes.  A part says no more of the one before it than the path,
 * the size of the file and how many of its bytes are there; last week's tapes may end at the same byte of a file of the
 * same size.  So time decides: two parts belong together if of all that fit neither has one that was written nearer to
 * it.  Of two that are as near nobody knows which it is, and there is none.
 */
#include "daemon/restore_parts.h"

#include <errno.h>

#define NAME_MAX_M 100u	/* bytes of a path that the header of a later part has room for; of a longer one, the first */
#define NAME_LOST_M 2u		/* of these, that the catalog may leave out: "./" */
#define CLOCK_SLACK_NS 60000000000ull	/* a tape may be seen to be written after the next one was begun */

void parts_fini(struct parts *p)
{
	free(p->part);
	*p = (struct parts){ 0 };
}

/* ---- all that there are ------------------------------------------------------------------------------------------ */

struct gathering {
	struct call *c;
	const char *path;		/* that is asked for */
	bool later;			/* only later parts */
	const struct contents_member *wanted;
	struct parts all;
};

/* The tape's own time is not forgotten with the catalog's, but later parts of the tape move it on. */
static int written(struct call *c, const struct contents_file *f, uint64_t *out)
{
	struct volume_stat st;
	int r = volume_peek(c->s->kv, f->volume, &st);

	*out = f->written_ns;
	if (!r && st.written_ns && st.written_ns < *out)
		*out = st.written_ns;
	return r == -ENOENT ? 0 : r;
}

static int part_add(struct gathering *g, const struct contents_file *f, const struct contents_member *m)
{
	struct parts *all = &g->all;
	struct part *p;

	if (all->n == all->cap) {
		size_t cap = all->cap ? 2 * all->cap : 16;
		struct part *more = reallocarray(all->part, cap, sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		all->part = more;
		all->cap = cap;
	}
	p = &all->part[all->n++];
	*p = (struct part){ .file = *f, .number = m->number, .from = m->from, .to = m->to, .nth = m->nth,
			    .before = m->before, .bytes = m->size - m->missing, .size = m->before + m->size };
	return written(g->c, f, &p->time_ns);
}

static int take_hit(void *ctx, const struct contents_hit *hit)
{
	struct gathering *g = ctx;
	const struct contents_member *m = hit ? hit->member : NULL, *w = g->wanted;

	if (!m)
		return call_progress(g->c,
				     json_pack("{s:I, s:I}", "done", (json_int_t)g->all.n, "total", (json_int_t)0));
	if (m->type != '-' || !(m->before || m->missing) || m->before + m->size != w->before + w->size ||
	    hit->file->compressed || strcmp(hit->path, g->path) != 0 || (g->later && !m->before) ||
	    (m->content == w->content && m->number == w->number))
		return 0;
	return part_add(g, hit->file, m);
}

/* ---- which belong together --------------------------------------------------------------------------------------- */

static bool fits(const struct part *a, const struct part *b)
{
	return a->before < b->before && a->before + a->bytes == b->before &&
	       a->time_ns <= b->time_ns + CLOCK_SLACK_NS &&
	       (a->file.volume != b->file.volume || a->file.file != b->file.file);
}

static uint64_t apart(const struct part *a, const struct part *b)
{
	return a->time_ns < b->time_ns ? b->time_ns - a->time_ns : a->time_ns - b->time_ns;
}

/* The nearest that may come before @p, or (@behind) behind it. */
static const struct part *nearest(const struct parts *all, const struct part *p, bool behind)
{
	const struct part *best = NULL;
	bool tied = false;

	for (size_t i = 0; i < all->n; i++) {
		const struct part *q = &all->part[i];
		if (!(behind ? fits(p, q) : fits(q, p)))
			continue;
		tied = best && apart(p, q) == apart(p, best);
		if (!best || apart(p, q) < apart(p, best))
			best = q;
	}
	return tied ? NULL : best;
}

static const struct part *next_to(const struct parts *all, const struct part *p, bool behind)
{
	const struct part *q = nearest(all, p, behind);

	return q && nearest(all, q, !behind) == p ? q : NULL;
}

static int chain(const struct parts *all, const struct part *p, struct parts *out)
{
	const struct part *before;

	while ((before = next_to(all, p, false)))
		p = before;
	out->part = calloc(all->n, sizeof(*out->part));
	if (!out->part)
		return err_origin(-ENOMEM);
	/* Each begins behind the one before it, so none comes twice. */
	for (; p; p = next_to(all, p, true))
		out->part[out->n++] = *p;
	return 0;
}

static int gather(struct gathering *g, const char *path, size_t n, bool later)
{
	CLEANUP(buf_fini) struct buf pattern = BUF_INIT;
	struct contents_query q = { .match = MATCH_EXACT };
	int r = buf_printf(&pattern, "/%.*s", (int)n, path);

	if (r)
		return r;
	q.pattern = (const char *)pattern.data;
	g->path = q.pattern + 1;
	g->later = later;
	return contents_find(g->c->s->contents, &q, take_hit, g);
}

int parts_find(struct call *c, const struct contents_file *f, const struct contents_member *m, const char *path,
	       struct parts *out)
{
	struct gathering g = { .c = c, .wanted = m };
	size_t n = strlen(path);
	int r = part_add(&g, f, m);

	*out = (struct parts){ 0 };
	if (!r)
		r = gather(&g, path, n, false);
	for (size_t lost = 0; !r && !m->before && n > NAME_MAX_M - lost && lost <= NAME_LOST_M; lost++)
		r = gather(&g, path, NAME_MAX_M - lost, true);
	if (!r)
		r = chain(&g.all, &g.all.part[0], out);
	parts_fini(&g.all);
	return r;
}
