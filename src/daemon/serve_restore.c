/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * restore: what was chosen, as a tar archive through the descriptor that came with the request.  The archives are read
 * in the order of tapes, and of each no more than the chosen members and the headers around them, if it is not
 * compressed.  Names are those of the catalog, so none leads out of the folder that they are unpacked in.
 */
#include "daemon/restore_choose.h"
#include "daemon/restore_parts.h"

#include <errno.h>

#define RUN_GAP 8u

struct restore {
	struct call *c;
	struct choice ch;
	bool versions, dry_run;
	uint64_t strip;
	uint64_t members, total_bytes, done_bytes, read_bytes, damaged, joined;
	struct tarball_writer *to;

	/* Of the archive that is read now. */
	const struct chosen *a;
	struct contents_source *src;
	struct tarball_source view;	/* of it */
	struct tarball_copier *copier;
	uint64_t until;			/* of the archive: what is wanted now ends there */
	char volume[BARCODE_MAX + 1];
	struct contents_member m;
	struct buf path, first, link;
};

/* ---- names ------------------------------------------------------------------------------------------------------ */

/* @path without its first parts, below its tape file's folder.  > 0: nothing is left of it. */
static int put_name(const struct restore *t, const char *path, struct buf *out)
{
	for (uint64_t i = 0; i < t->strip; i++) {
		path = strchr(path, '/');
		if (!path)
			return 1;
		path++;
	}
	out->len = 0;
	if (t->versions)
		return buf_printf(out, "%s/%04llu/%s", t->volume, (unsigned long long)t->a->file.file + 1, path);
	return buf_printf(out, "%s", path);
}

/* Where a hard link leads that the archive has no member for: cleaned as the catalog's names are. */
static int put_target(const struct restore *t, const char *target, struct buf *out)
{
	CLEANUP(buf_fini) struct buf clean = BUF_INIT;
	int r = 0;

	while (*target && !r) {
		size_t n = strcspn(target, "/");
		bool part = n && !(n == 1 && target[0] == '.') && !(n == 2 && target[0] == '.' && target[1] == '.');
		if (part)
			r = buf_printf(&clean, "%s%.*s", clean.len ? "/" : "", (int)n, target);
		target += n + (target[n] == '/');
	}
	if (!clean.len)
		return r ? r : 1;
	return put_name(t, (const char *)clean.data, out);
}

/* Member @number into .m, its name into @out.  > 0: it is not there, or nothing is left of its name. */
static int member_name(struct restore *t, uint32_t number, struct buf *out)
{
	struct buf whole = BUF_INIT;
	int r = contents_member(t->c->s->contents, t->a->file.content, number, &t->m);

	if (!r)
		r = contents_path(t->c->s->contents, &t->m, &whole);
	if (!r)
		r = put_name(t, (const char *)whole.data, out);
	buf_fini(&whole);
	return r;
}

/* ---- counting, and telling what would be done ------------------------------------------------------------------- */

static int count_pick(struct restore *t, const struct pick *p, bool first)
{
	uint64_t size = 0;
	char volume[BARCODE_MAX + 1];
	int r = 0;

	if (first && p->source && p->source != p->as) {
		r = contents_member(t->c->s->contents, t->a->file.content, p->source, &t->m);
		size = r ? 0 : t->m.before + t->m.size;
	}
	r = r ? r : member_name(t, p->as, &t->path);
	if (r)
		return r < 0 ? r : 0;
	if (p->source == p->as)
		size = t->m.before + t->m.size;
	t->members++;
	t->total_bytes += first ? size : 0;
	memcpy(volume, t->volume, sizeof(volume));
	if (!t->dry_run)
		return 0;
	return call_row(t->c, member_json(volume, &t->a->file, &t->m, (const char *)t->path.data));
}

static int count_archive(struct restore *t)
{
	int r = 0;

	for (size_t i = 0; !r && i < t->a->n; i++) {
		const struct pick *p = &t->a->pick[i];
		r = count_pick(t, p, !i || !p->source || p[-1].source != p->source);
	}
	return r;
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

static int tell_progress(struct restore *t)
{
	return call_progress(t->c, json_pack("{s:I, s:I}", "done_bytes", (json_int_t)t->done_bytes, "total_bytes",
					     (json_int_t)t->total_bytes));
}

static int send_bytes(void *ctx, const void *p, size_t n)
{
	struct restore *t = ctx;
	int r = io_write_full(t->c->fd, p, n);

	t->done_bytes += r ? 0 : n;
	return r ? r : tell_progress(t);
}

/* Is somebody still waiting for it? */
static int read_source(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	struct restore *t = ctx;
	const struct tarball_source *src = contents_source(t->src);
	int r = tell_progress(t);

	*got = 0;
	if (offset >= t->until)
		return r;
	n = n < t->until - offset ? n : (size_t)(t->until - offset);
	return r ? r : src->read(src->ctx, offset, buf, n, got);
}

static int tell_damage(struct restore *t, const char *path, const char *why, const struct tarball_copied *copied)
{
	json_t *row = json_pack("{s:s, s:I, s:I, s:I, s:b}", "volume", t->volume,
				"file", (json_int_t)t->a->file.file + 1,
				"size_bytes", (json_int_t)copied->size, "good_bytes", (json_int_t)copied->bytes,
				"restored", copied->size > 0);

	t->damaged++;
	if (!row || ctl_put_bytes(row, "path", "raw", path) || ctl_put_bytes(row, "text", "text_raw", why)) {
		json_decref(row);
		return err_origin(-ENOMEM);
	}
	return call_row(t->c, row);
}

struct joining { struct restore *t; const struct parts *parts; size_t i; };

static void part_end(struct restore *t)
{
	if (t->src)
		t->read_bytes += contents_source_read(t->src);
	t->src = contents_source_free(t->src);
}

static int next_part(void *ctx, struct tarball_part *out)
{
	struct joining *j = ctx;
	struct restore *t = j->t;
	const struct part *p;
	int r;

	part_end(t);
	if (j->i == j->parts->n)
		return 1;
	p = &j->parts->part[j->i++];
	r = contents_source_new(t->c->s->contents, &p->file, &t->src);
	if (r)
		return err_fold(r);
	t->until = p->to;
	contents_source_until(t->src, p->to);
	*out = (struct tarball_part){ .src = { read_source, t, p->file.bytes }, .from = p->from, .nth = p->nth,
				      .bytes = p->bytes };
	return 0;
}

static int join_parts(struct restore *t, const struct parts *parts, struct tarball_copied *copied)
{
	struct joining j = { t, parts, 0 };
	struct contents_source *src = t->src;
	uint64_t until = t->until;
	int r;

	if (parts->part[0].before) {
		*copied = (struct tarball_copied){ 0 };
		err_explain(-EBADMSG, "its first %llu bytes are on the tape before, which is not here, or has it with "
			    "holes or a longer name",
			    (unsigned long long)parts->part[0].before);
		return TARBALL_E_NONE;
	}
	t->src = NULL;
	r = tarball_join(t->to, (const char *)t->path.data, parts->part[0].size, next_part, &j, copied);
	part_end(t);
	t->src = src;
	t->until = until;
	t->joined += !r && copied->whole;
	return r;
}

/* .m is a part of a file that goes on on another tape. */
static int copy_joined(struct restore *t, struct tarball_copied *copied)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT;
	CLEANUP(parts_fini) struct parts parts = { 0 };
	int r = contents_path(t->c->s->contents, &t->m, &path);

	if (!r)
		r = parts_find(t->c, &t->a->file, &t->m, (const char *)path.data, &parts);
	return r ? err_fold(r) : join_parts(t, &parts, copied);
}

static int copy_one(struct restore *t, struct tarball_copied *copied)
{
	const struct tarball_pick at = { .from = t->a->file.compressed ? 0 : t->m.from, .nth = t->m.nth,
					 .path = (const char *)t->path.data };

	return tarball_copy(t->copier, &at, copied);
}

/* The bytes of @source under the name in .path.  > 0: there are none, that was told. */
static int send_member(struct restore *t, const struct pick *p)
{
	struct tarball_copied copied = { 0 };
	char why[256];
	int r;

	if (p->source != p->as)
		r = contents_member(t->c->s->contents, t->a->file.content, p->source, &t->m);
	else
		r = 0;
	if (r)
		return r;
	r = (t->m.before || t->m.missing) && t->m.type == '-' && !t->a->file.compressed ?
		    copy_joined(t, &copied) : copy_one(t, &copied);
	if (r < 0 || (!r && copied.whole))
		return r;
	snprintf(why, sizeof(why), "%s", err_text(-EBADMSG));
	err_clear();
	if (r)
		copied = (struct tarball_copied){ 0 };
	r = tell_damage(t, (const char *)t->path.data, why, &copied);
	return r ? r : copied.size == 0;
}

static int send_link(struct restore *t)
{
	int r = t->m.link.len ? put_target(t, (const char *)t->m.link.data, &t->link) : 1;

	return r ? r : tarball_writer_link(t->to, (const char *)t->path.data, (const char *)t->link.data);
}

static int send_pick(struct restore *t, const struct pick *p, uint32_t *first_source)
{
	int r = member_name(t, p->as, &t->path);

	if (!r && !p->source)
		return send_link(t);
	if (!r && *first_source == p->source)
		return tarball_writer_link(t->to, (const char *)t->path.data, (const char *)t->first.data);
	if (!r)
		r = send_member(t, p);
	if (r)
		return r;
	*first_source = p->source;
	t->first.len = 0;
	return buf_append(&t->first, t->path.data, t->path.len + 1);
}

/* Members near each other are read in one go; for it the archive ends behind the last of them. */
static int begin_run(struct restore *t, size_t i, size_t *run)
{
	const struct pick *p = t->a->pick;
	uint64_t until = t->a->file.bytes;
	size_t last = i;
	int r = 0;

	while (last + 1 < t->a->n && p[last + 1].source - p[last].source <= RUN_GAP)
		last++;
	*run = last + 1 - i;
	if (!t->a->file.compressed && !t->a->all && p[last].source) {
		r = contents_member(t->c->s->contents, t->a->file.content, p[last].source, &t->m);
		if (!r && t->m.to > t->m.from)
			until = t->m.to;
	}
	if (r)
		return r;
	if (t->copier && until == t->until)
		return 0;
	t->until = until;
	contents_source_until(t->src, until);
	t->copier = tarball_copier_free(t->copier);
	return tarball_copier_new(&t->view, t->to, &t->copier);
}

static int send_archive(struct restore *t)
{
	uint32_t first_source = 0;
	size_t run = 0;
	int r = contents_source_new(t->c->s->contents, &t->a->file, &t->src);

	t->view = (struct tarball_source){ read_source, t, t->a->file.bytes };
	for (size_t i = 0; r >= 0 && i < t->a->n; i++, run--) {
		if (!run)
			r = begin_run(t, i, &run);
		if (!r)
			r = send_pick(t, &t->a->pick[i], &first_source);
		r = r > 0 ? 0 : r;
	}
	t->copier = tarball_copier_free(t->copier);
	if (t->src)
		t->read_bytes += contents_source_read(t->src);
	t->src = contents_source_free(t->src);
	return r;
}

static int each_archive(struct restore *t, int (*work)(struct restore *t))
{
	struct names names = { 0 };
	int r = 0;

	for (size_t i = 0; !r && i < t->ch.n; i++) {
		t->a = &t->ch.archive[i];
		snprintf(t->volume, sizeof(t->volume), "%s", volume_name(t->c, &names, t->a->file.volume));
		r = work(t);
	}
	return r;
}

static int send_all(struct restore *t)
{
	int r = tarball_writer_new(send_bytes, t, &t->to);

	if (!r)
		r = each_archive(t, send_archive);
	if (!r)
		r = tarball_writer_end(t->to);
	t->to = tarball_writer_free(t->to);
	return r;
}

/* ---- the request ------------------------------------------------------------------------------------------------ */

static int choose(struct restore *t)
{
	const json_t *places = json_object_get(t->c->req, "from"), *find = json_object_get(t->c->req, "find"), *words;
	struct place p;
	size_t i;
	int r = 0;

	if (!json_array_size(places) && !json_array_size(find))
		return err_explain(-EINVAL, "the request lacks \"from\" or \"find\"");
	json_array_foreach(places, i, words) {
		r = place_find(t->c, words, &p);
		if (!r)
			r = choose_place(t->c, &p, &t->ch);
		place_fini(&p);
		if (r)
			return r;
	}
	if (json_array_size(find))
		r = choose_found(t->c, find, t->versions, &t->ch);
	return r ? r : choice_finish(t->c, &t->ch, t->versions);
}

static int answer(struct restore *t)
{
	return call_answer(t->c, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
					   "members", (json_int_t)t->members, "bytes", (json_int_t)t->total_bytes,
					   "archives", (json_int_t)t->ch.n,
					   "read_bytes", (json_int_t)t->read_bytes, "damaged", (json_int_t)t->damaged,
					   "joined", (json_int_t)t->joined,
					   "waiting", (json_int_t)t->ch.waiting, "others", (json_int_t)t->ch.others));
}

int serve_restore(struct call *c)
{
	struct restore t = { .c = c, .versions = call_flag(c, "versions"), .dry_run = call_flag(c, "dry_run") };
	int r = 0;

	if (call_has(c, "strip"))
		r = call_u64(c, "strip", &t.strip);
	if (!r && c->fd < 0 && !t.dry_run)
		r = err_explain(-EINVAL, "restore: no file came with the request");
	if (!r)
		r = choose(&t);
	if (!r)
		r = each_archive(&t, count_archive);
	if (!r && !t.dry_run)
		r = send_all(&t);
	if (!r)
		r = answer(&t);
	choice_fini(&t.ch);
	contents_member_fini(&t.m);
	buf_fini(&t.path);
	buf_fini(&t.first);
	buf_fini(&t.link);
	return r;
}
