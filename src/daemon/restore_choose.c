/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Choosing what is restored.  A member takes 8 bytes here while the restore lasts, and 16 more for a moment if several
 * archives may have the same path.
 *
 * Hard links: the bytes of a file stand with one of its names, mostly the first (tar), sometimes the last (cpio, new
 * formats).  Whichever names are chosen, the first of these gets the bytes and the others become links to it.
 */
#include "daemon/restore_choose.h"

#include <errno.h>

#define LINKS_MAX 8u

void choice_fini(struct choice *ch)
{
	for (size_t i = 0; i < ch->n; i++)
		free(ch->archive[i].pick);
	free(ch->archive);
	*ch = (struct choice){ 0 };
}

/* ---- archives and members --------------------------------------------------------------------------------------- */

/* Named twice it is there twice, until choice_finish(). */
static int archive_add(struct choice *ch, const struct contents_file *f, struct chosen **out)
{
	if (ch->n == ch->cap) {
		size_t cap = ch->cap ? 2 * ch->cap : 16;
		struct chosen *more = reallocarray(ch->archive, cap, sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		ch->archive = more;
		ch->cap = cap;
	}
	ch->archive[ch->n] = (struct chosen){ .file = *f, .nth = ch->n };
	*out = &ch->archive[ch->n++];
	return 0;
}

static int pick_add(struct chosen *a, uint32_t number)
{
	if (a->n == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 64;
		struct pick *more = reallocarray(a->pick, cap, sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		a->pick = more;
		a->cap = cap;
	}
	a->pick[a->n++] = (struct pick){ number, number };
	return 0;
}

static int pick_order(const void *a, const void *b)
{
	const struct pick *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return x->as < y->as ? -1 : x->as > y->as;
}

static void picks_sort(struct chosen *a)
{
	size_t kept = 0;

	if (!a->n)
		return;
	qsort(a->pick, a->n, sizeof(*a->pick), pick_order);
	for (size_t i = 0; i < a->n; i++)
		if (!kept || pick_order(&a->pick[kept - 1], &a->pick[i]) != 0)
			a->pick[kept++] = a->pick[i];
	a->n = kept;
}

/* ---- by name ---------------------------------------------------------------------------------------------------- */

struct below {
	struct chosen *to;
	uint32_t *dir;
	size_t dirs, cap;
	int error;
};

static int take_child(void *ctx, const struct contents_member *m)
{
	struct below *b = ctx;

	b->error = pick_add(b->to, m->number);
	if (b->error || m->type != 'd')
		return b->error;
	if (b->dirs == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 64;
		uint32_t *more = reallocarray(b->dir, cap, sizeof(*more));
		if (!more)
			return b->error = err_origin(-ENOMEM);
		b->dir = more;
		b->cap = cap;
	}
	b->dir[b->dirs++] = m->number;
	return 0;
}

static int choose_below(struct call *c, struct chosen *a, const struct contents_member *m)
{
	struct below b = { .to = a };
	int r = take_child(&b, m);

	while (!r && b.dirs)
		r = contents_children(c->s->contents, a->file.content, b.dir[--b.dirs], 0, take_child, &b);
	free(b.dir);
	return r;
}

struct volume_files { struct choice *ch; uint64_t archives; };

static int choose_file(void *ctx, const struct contents_file *f)
{
	struct volume_files *v = ctx;
	struct chosen *a;
	int r;

	if (f->how == CONTENTS_WAITING)
		v->ch->waiting++;
	else if (f->how != CONTENTS_LABELS && f->how != CONTENTS_LISTED && f->how != CONTENTS_BROKEN)
		v->ch->others++;
	if (!f->content)
		return 0;
	r = archive_add(v->ch, f, &a);
	if (!r)
		a->all = true;
	v->archives++;
	return r;
}

int choose_place(struct call *c, const struct place *p, struct choice *ch)
{
	struct volume_files files = { .ch = ch };
	struct chosen *a;
	int r;

	if (!p->has_file) {
		r = contents_files(c->s->contents, p->volume.id, 0, choose_file, &files);
		if (!r && !files.archives)
			r = err_explain(-ENODATA, "volume \"%s\" has no archive that is known", p->volume.name);
		return r;
	}
	r = place_is_archive(p);
	if (!r)
		r = archive_add(ch, &p->file, &a);
	if (r)
		return r;
	if (p->member.number)
		return choose_below(c, a, &p->member);
	a->all = true;
	return 0;
}

/* ---- by pattern ------------------------------------------------------------------------------------------------- */

struct hits {
	struct call *c;
	struct pick *hit;	/* .source: the list, .as: the member */
	size_t n, cap;
};

static int take_hit(void *ctx, const struct contents_hit *hit)
{
	struct hits *h = ctx;

	if (!hit)
		return call_progress(h->c, json_pack("{s:I, s:I}", "done", (json_int_t)h->n, "total", (json_int_t)0));
	if (h->n == h->cap) {
		size_t cap = h->cap ? 2 * h->cap : 1024;
		struct pick *more = reallocarray(h->hit, cap, sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		h->hit = more;
		h->cap = cap;
	}
	h->hit[h->n++] = (struct pick){ hit->file->content, hit->member->number };
	return 0;
}

static int group_hits(struct hits *h, struct choice *ch)
{
	struct contents_file f;
	struct chosen *a = NULL;
	int r = 0;

	for (size_t i = 0; !r && i < h->n; i++) {
		if (i == 0 || h->hit[i].source != h->hit[i - 1].source) {
			a = NULL;
			r = contents_file_of(h->c->s->contents, h->hit[i].source, &f);
			if (!r)
				r = archive_add(ch, &f, &a);
			r = r > 0 ? 0 : r;	/* written over since it was found */
		}
		if (!r && a)
			r = pick_add(a, h->hit[i].as);
	}
	return r;
}

int choose_found(struct call *c, const json_t *queries, bool versions, struct choice *ch)
{
	struct hits h = { .c = c };
	const json_t *query;
	struct asked asked;
	size_t i;
	int r = 0;

	json_array_foreach(queries, i, query) {
		r = asked_parse(c, query, &asked);
		asked.q.newest = !versions;
		if (!r)
			r = contents_find(c->s->contents, &asked.q, take_hit, &h);
		asked_fini(&asked);
		if (r)
			break;
	}
	if (h.n)
		qsort(h.hit, h.n, sizeof(*h.hit), pick_order);
	if (!r)
		r = group_hits(&h, ch);
	free(h.hit);
	return r;
}

/* ---- of one path the last --------------------------------------------------------------------------------------- */

static int take_number(void *ctx, const struct contents_member *m)
{
	return m->implied ? 0 : pick_add(ctx, m->number);
}

/* Does it count, as far as its own archive says? */
static int member_counts(struct call *c, const struct contents_member *m, bool doubles, bool *yes)
{
	struct contents_member last = { 0 };
	int r;

	*yes = !m->implied;
	if (!doubles || m->type == 'd' || !*yes)
		return 0;
	r = contents_lookup(c->s->contents, m->content, m->dir, m->name, &last);
	*yes = r || last.number == m->number;
	contents_member_fini(&last);
	return r < 0 ? r : 0;
}

/* Two paths of one sum would lose one of them: 2^-64 for each pair. */
static int path_seen(struct call *c, const struct contents_member *m, struct sumset *seen, struct buf *path, bool *was)
{
	int r;

	*was = false;
	path->len = 0;
	r = contents_path(c->s->contents, m, path);
	return r ? (r < 0 ? r : 0) : sumset_add(seen, sum64(path->data, path->len), was);
}

/* @seen NULL: no other archive's paths matter. */
static int keep_last(struct call *c, struct chosen *a, struct sumset *seen)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT;
	struct contents_member m = { 0 };
	bool doubles = true, counts, was = false;
	size_t kept = 0;
	int r;

	r = contents_doubles(c->s->contents, a->file.content, &doubles);
	if (!r && a->all) {
		a->n = 0;
		r = contents_each(c->s->contents, a->file.content, 0, take_number, a);
		if (!doubles && !seen)
			return r;
	}
	for (size_t i = 0; r >= 0 && i < a->n; i++) {
		r = contents_member(c->s->contents, a->file.content, a->pick[i].as, &m);
		if (r)
			continue;
		r = member_counts(c, &m, doubles, &counts);
		if (!r && counts && seen)
			r = path_seen(c, &m, seen, &path, &was);
		if (counts && !was)
			a->pick[kept++] = a->pick[i];
	}
	a->n = kept;
	contents_member_fini(&m);
	return r < 0 ? r : 0;
}

/* ---- hard links ------------------------------------------------------------------------------------------------- */

/* The member that a hard link leads to, 0 if the archive has none. */
static int link_root(struct call *c, uint32_t content, const struct contents_member *link, struct contents_member *at,
		     uint32_t *root)
{
	CLEANUP(buf_fini) struct buf target = BUF_INIT;
	int r = buf_append(&target, link->link.data, link->link.len ? link->link.len + 1 : 0);

	*root = 0;
	for (unsigned i = 0; !r && i < LINKS_MAX && target.len; i++) {
		r = contents_resolve(c->s->contents, content, (const char *)target.data, at);
		if (r)
			return r < 0 ? r : 0;
		if (at->type != 'h') {
			*root = at->type == '-' ? at->number : 0;
			return 0;
		}
		target.len = 0;
		r = buf_append(&target, at->link.data, at->link.len ? at->link.len + 1 : 0);
	}
	return r;
}

/* Which names have their bytes with another one. .source: the file, .as: the link that has its bytes. */
struct late {
	struct call *c;
	struct contents_member at;
	struct chosen list;
	uint32_t content;
};

static int take_late(void *ctx, const struct contents_member *m)
{
	struct late *l = ctx;
	uint32_t root;
	int r;

	if (m->type != 'h' || !m->size)
		return 0;
	r = link_root(l->c, l->content, m, &l->at, &root);
	if (!r && root)
		r = pick_add(&l->list, root);
	if (!r && root)
		l->list.pick[l->list.n - 1].as = m->number;
	return r;
}

static uint32_t bytes_of(const struct late *l, uint32_t root)
{
	size_t lo = 0, hi = l->list.n;

	/* The last with this root. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (l->list.pick[mid].source <= root)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && l->list.pick[lo - 1].source == root ? l->list.pick[lo - 1].as : root;
}

static int follow_link(struct call *c, struct late *late, struct pick *p, struct contents_member *m)
{
	uint32_t root = p->as;
	int r = contents_member(c->s->contents, late->content, p->as, m);

	if (r)
		return r < 0 ? r : 0;
	if (m->type == 'h') {
		r = link_root(c, late->content, m, &late->at, &root);
		if (!root && m->size)
			root = p->as;
	}
	if (!r)
		p->source = root && (m->type == 'h' || m->type == '-') ? bytes_of(late, root) : root;
	return r;
}

static int find_links(struct call *c, struct chosen *a)
{
	struct late late = { .c = c, .content = a->file.content };
	struct contents_member m = { 0 };
	int r = 0;

	/* Only there can bytes come late; of all other formats the rows need not be walked. */
	if (strstr(a->file.format, "cpio"))
		r = contents_each(c->s->contents, a->file.content, 0, take_late, &late);
	picks_sort(&late.list);
	for (size_t i = 0; !r && i < a->n; i++)
		r = follow_link(c, &late, &a->pick[i], &m);
	picks_sort(a);
	contents_member_fini(&m);
	contents_member_fini(&late.at);
	free(late.list.pick);
	return r;
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

static int archive_order(const void *a, const void *b)
{
	const struct contents_file *x = &((const struct chosen *)a)->file, *y = &((const struct chosen *)b)->file;

	if (x->volume != y->volume)
		return x->volume < y->volume ? -1 : 1;
	return x->file < y->file ? -1 : x->file > y->file;
}

static int content_order(const void *a, const void *b)
{
	const struct chosen *x = a, *y = b;

	if (x->file.content != y->file.content)
		return x->file.content < y->file.content ? -1 : 1;
	return x->nth < y->nth ? -1 : x->nth > y->nth;
}

static int chosen_order(const void *a, const void *b)
{
	const struct chosen *x = a, *y = b;

	return x->nth < y->nth ? -1 : x->nth > y->nth;
}

static int take_over(struct chosen *to, struct chosen *from)
{
	int r = 0;

	to->all = to->all || from->all;
	for (size_t i = 0; !r && i < from->n; i++)
		r = pick_add(to, from->pick[i].as);
	free(from->pick);
	return r;
}

/* Archives that were named several times are one, where they were named first. */
static int merge_archives(struct choice *ch)
{
	size_t kept = 0;
	int r = 0;

	if (!ch->n)
		return 0;
	qsort(ch->archive, ch->n, sizeof(*ch->archive), content_order);
	for (size_t i = 0; i < ch->n; i++) {
		bool again = kept && ch->archive[kept - 1].file.content == ch->archive[i].file.content;
		if (again)
			r = take_over(&ch->archive[kept - 1], &ch->archive[i]) ? -ENOMEM : r;
		else
			ch->archive[kept++] = ch->archive[i];
	}
	ch->n = kept;
	qsort(ch->archive, ch->n, sizeof(*ch->archive), chosen_order);
	return r ? err_origin(r) : 0;
}

int choice_finish(struct call *c, struct choice *ch, bool versions)
{
	bool several = ch->n > 1 && !versions;
	struct sumset seen = { 0 };
	int r = merge_archives(ch);

	several = several && ch->n > 1;
	for (size_t i = ch->n; !r && i-- > 0;) {
		picks_sort(&ch->archive[i]);
		r = keep_last(c, &ch->archive[i], several ? &seen : NULL);
		if (!r)
			r = find_links(c, &ch->archive[i]);
		if (!r)
			r = call_progress(c, json_pack("{s:I, s:I}", "done", (json_int_t)(ch->n - i), "total",
						       (json_int_t)ch->n));
	}
	sumset_fini(&seen);
	if (ch->n)
		qsort(ch->archive, ch->n, sizeof(*ch->archive), archive_order);
	return r;
}
