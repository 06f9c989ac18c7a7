/* SPDX-License-Identifier: BSD-2-Clause */
/* ls, and contents.*: the tape files of a volume, what is in a folder of an archive, how far the keeper is. */
#include "daemon/serve_member.h"

#include <errno.h>

#define BATCH 256u	/* members taken at once; then they are sent, and nothing is held meanwhile */

/* ---- the tape files of a volume --------------------------------------------------------------------------------- */

static json_t *label_json(const struct contents_label *l)
{
	json_t *o;

	if (l->kind == LABEL_NONE)
		return json_null();
	o = json_pack("{s:s, s:I, s:I, s:I}", "kind", l->kind == LABEL_IBM ? "ibm" : "ansi", "section",
		      (json_int_t)l->section, "sequence", (json_int_t)l->sequence, "generation",
		      (json_int_t)l->generation);
	if (!o || ctl_put_bytes(o, "volume", "volume_raw", l->volume) ||
	    ctl_put_bytes(o, "owner", "owner_raw", l->owner) ||
	    ctl_put_bytes(o, "file_id", "file_id_raw", l->file_id) ||
	    ctl_put_bytes(o, "set_id", "set_id_raw", l->set_id))
		goto bad;
	if (l->created_ns)
		json_object_set_new(o, "created_ns", json_integer((json_int_t)l->created_ns));
	if (l->expires_ns == LABEL_NEVER)
		json_object_set_new(o, "expires", json_string("never"));
	else if (l->expires_ns)
		json_object_set_new(o, "expires_ns", json_integer((json_int_t)l->expires_ns));
	if (l->format) {
		char format[2] = { l->format, 0 };
		ctl_put_bytes(o, "format", "format_raw", format);
		json_object_set_new(o, "block_bytes", json_integer(l->block_bytes));
		json_object_set_new(o, "record_bytes", json_integer(l->record_bytes));
	}
	return o;
bad:
	json_decref(o);
	return NULL;
}

static json_t *writer_json(const struct library_writer *w)
{
	json_t *o = json_pack("{s:s}", "door", library_door_name(w->door));

	if (o && w->uid != UINT32_MAX)
		json_object_set_new(o, "uid", json_integer(w->uid));
	if (o && w->drive >= 0)
		json_object_set_new(o, "drive", json_integer(w->drive));
	if (o && w->program[0] && ctl_put_bytes(o, "program", "program_raw", w->program)) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *magic_json(const struct contents_file *f)
{
	char hex[2 * sizeof(f->magic) + 1] = "";

	for (size_t i = 0; i < f->magic_len && i < sizeof(f->magic); i++)
		snprintf(hex + 2 * i, 3, "%02x", f->magic[i]);
	return json_string(hex);
}

/* The name that it has in files/, "" if none is good any more. */
#define FILE_NAME_MAX sizeof(((struct catalog_file *)0)->name)
static void name_of(struct call *c, const struct contents_file *f, char out[FILE_NAME_MAX])
{
	struct catalog_file row;

	out[0] = '\0';
	if (f->closed && !f->partition && !catalog_file_get(c->s->cat, f->volume, f->file, &row) &&
	    row.mark_object == f->last && row.stretch == f->stretch)
		snprintf(out, FILE_NAME_MAX, "%s", row.name);
}

static json_t *file_json(struct call *c, const char *volume, const struct contents_file *f)
{
	char name[FILE_NAME_MAX];
	json_t *row = json_pack("{s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:o, s:o, s:o}",
				"volume", volume, "file", (json_int_t)f->file + 1,
				"partition", (json_int_t)f->partition, "how", contents_how_name(f->how),
				"members", (json_int_t)f->members,
				"size_bytes", (json_int_t)f->bytes, "records", (json_int_t)f->records,
				"record_bytes", (json_int_t)f->record_bytes, "first_object", (json_int_t)f->first,
				"offset", (json_int_t)f->offset, "written_ns", (json_int_t)f->written_ns,
				"closed", f->closed, "compressed", f->compressed, "writer", writer_json(&f->writer),
				"label", label_json(&f->label), "magic", magic_json(f));
	int r = row ? 0 : -ENOMEM;

	name_of(c, f, name);
	if (!r && f->format[0])
		r = ctl_put_bytes(row, "format", "format_raw", f->format);
	if (!r && name[0])
		r = ctl_put_bytes(row, "name", "name_raw", name);
	if (!r)
		return row;
	json_decref(row);
	return NULL;
}

struct files {
	struct contents_file batch[BATCH];
	unsigned n;
	uint64_t next;		/* to go on from */
};

static int take_file(void *ctx, const struct contents_file *f)
{
	struct files *b = ctx;

	b->batch[b->n++] = *f;
	b->next = f->file + 1;
	return b->n == BATCH;
}

static int list_files(struct call *c, const struct catalog_volume *v)
{
	CLEANUP(freep) struct files *b = calloc(1, sizeof(*b));
	int r = b ? 0 : err_origin(-ENOMEM);

	while (!r) {
		b->n = 0;
		r = contents_files(c->s->contents, v->id, b->next, take_file, b);
		if (r < 0)
			return r;
		for (unsigned i = 0; (r >= 0) && i < b->n; i++)
			r = call_row(c, file_json(c, v->name, &b->batch[i]));
		if (r || b->n < BATCH)
			break;
	}
	return r;
}

/* ---- what is in an archive -------------------------------------------------------------------------------------- */

/* One folder after the other: those that are still to be listed, a stack. */
struct listing {
	struct call *c;
	const struct place *p;
	bool recursive;
	uint32_t *dir;
	size_t dirs, cap;
	uint32_t number[BATCH];
	unsigned n;
};

static int push_dir(struct listing *l, uint32_t number)
{
	if (l->dirs == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		uint32_t *more = reallocarray(l->dir, cap, sizeof(*l->dir));
		if (!more)
			return err_origin(-ENOMEM);
		l->dir = more;
		l->cap = cap;
	}
	l->dir[l->dirs++] = number;
	return 0;
}

static int take_number(void *ctx, const struct contents_member *m)
{
	struct listing *l = ctx;

	l->number[l->n++] = m->number;
	return l->n == BATCH;
}

static int list_member(struct listing *l, const struct contents_member *m, struct buf *path)
{
	int r;

	path->len = 0;
	r = contents_path(l->c->s->contents, m, path);
	if (!r)
		r = call_row(l->c, member_json(l->p->volume.name, &l->p->file, m, (const char *)path->data));
	return r == CONTENTS_E_NONE ? 0 : r;
}

static int list_batch(struct listing *l, struct buf *path)
{
	struct contents_member m = { 0 };
	size_t below = l->dirs;
	int r = 0;

	for (unsigned i = 0; !r && i < l->n; i++) {
		r = contents_member(l->c->s->contents, l->p->file.content, l->number[i], &m);
		if (r == CONTENTS_E_NONE) {
			r = 0;
			continue;
		}
		if (!r)
			r = list_member(l, &m, path);
		if (!r && l->recursive && m.type == 'd')
			r = push_dir(l, m.number);
	}
	/* The first of them is the next to be taken. */
	for (size_t a = below, b = l->dirs; a + 1 < b; a++, b--) {
		uint32_t other = l->dir[a];
		l->dir[a] = l->dir[b - 1];
		l->dir[b - 1] = other;
	}
	contents_member_fini(&m);
	return r;
}

static int list_folder(struct listing *l, uint32_t dir)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT;
	uint32_t after = 0;
	int r;

	do {
		l->n = 0;
		r = contents_children(l->c->s->contents, l->p->file.content, dir, after, take_number, l);
		if (r < 0)
			return r;
		if (l->n)
			after = l->number[l->n - 1];
		r = list_batch(l, &path);
	} while (!r && l->n == BATCH);
	return r;
}

static int list_members(struct call *c, const struct place *p)
{
	struct listing l = { .c = c, .p = p, .recursive = call_flag(c, "recursive") };
	CLEANUP(buf_fini) struct buf path = BUF_INIT;
	int r = place_is_archive(p);

	if (!r && p->member.number && (p->member.type != 'd' || call_flag(c, "folder")))
		return list_member(&l, &p->member, &path);
	if (!r)
		r = push_dir(&l, p->member.number);
	while (!r && l.dirs)
		r = list_folder(&l, l.dir[--l.dirs]);
	free(l.dir);
	return r;
}

int serve_ls(struct call *c)
{
	struct contents_status pending = { 0 };
	struct place p;
	int r;

	r = place_find(c, c->req, &p);
	if (!r)
		r = p.has_file ? list_members(c, &p) : list_files(c, &p.volume);
	if (!r)
		r = contents_pending(c->s->contents, &pending);
	if (!r)
		r = call_answer(c, json_pack("{s:o}", "pending", contents_status_json(c, &pending)));
	place_fini(&p);
	return r;
}

/* ---- the keeper ------------------------------------------------------------------------------------------------- */

int serve_contents_status(struct call *c)
{
	struct contents_status s = { 0 };
	int r = contents_pending(c->s->contents, &s);

	return r ? r : call_answer(c, contents_status_json(c, &s));
}

struct settling {
	struct call *c;
	uint64_t most;		/* bytes that were to be looked at */
};

static int settle_step(void *ctx, const struct contents_status *s)
{
	struct settling *t = ctx;

	if (s->bytes > t->most)
		t->most = s->bytes;
	return call_progress(t->c, json_pack("{s:I, s:I}", "done_bytes", (json_int_t)(t->most - s->bytes),
					     "total_bytes", (json_int_t)t->most));
}

int serve_contents_settle(struct call *c)
{
	struct settling t = { .c = c };
	struct selection sel = { 0 };
	bool forget = call_flag(c, "forget");
	int r;

	if (!call_has(c, "names")) {
		r = contents_settle(c->s->contents, 0, forget, settle_step, &t);
	} else {
		r = selection_make(c, json_object_get(c->req, "names"), NULL, &sel);
		for (size_t i = 0; !r && i < sel.n; i++)
			r = contents_settle(c->s->contents, sel.id[i], forget, settle_step, &t);
		selection_fini(&sel);
	}
	return r ? r : serve_contents_status(c);
}
