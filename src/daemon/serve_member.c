/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tape files and members as requests name them and as answers tell of them.  Tape files are counted from 1, as files/
 * shows them.
 */
#include "daemon/serve_member.h"

#include <errno.h>

/* ---- named by a request ----------------------------------------------------------------------------------------- */

void place_fini(struct place *p)
{
	contents_member_fini(&p->member);
}

/* A name is believed while the mark that closed its file is the one that was written then. */
static int file_is_named(struct call *c, const struct catalog_file *row, bool *yes, struct contents_file *out)
{
	struct volume *vol;
	uint64_t stretch;
	int r;

	*yes = false;
	r = contents_file(c->s->contents, out->volume, row->file, out);
	if (r)
		return r == CONTENTS_E_NONE ? 0 : r;
	if (!out->closed || out->last != row->mark_object)
		return 0;
	r = library_look(c->s->lib, out->volume, &vol);
	if (r)
		return err_fold(r);
	*yes = volume_stretch(vol, 0, row->mark_object, &stretch) == 0 && stretch == row->stretch;
	return library_look_end(c->s->lib, out->volume);
}

static int file_by_name(struct call *c, const struct catalog_volume *v, const char *name, struct contents_file *out)
{
	struct catalog_file row = { .file = UINT64_MAX };
	bool found = false;
	int r;

	do {
		r = catalog_file_find_before(c->s->cat, v->id, name, row.file, &row);
		if (r == CATALOG_E_NONE)
			return err_explain(-ENOENT, "volume \"%s\" has no tape file \"%s\"", v->name, name);
		out->volume = v->id;
		if (!r)
			r = file_is_named(c, &row, &found, out);
	} while (!r && !found);
	return err_fold(r);
}

static int file_find(struct call *c, const struct catalog_volume *v, const char *word, struct contents_file *out)
{
	unsigned long long n;
	char *end;
	int r;

	errno = 0;
	n = strtoull(word, &end, 10);
	if (word[0] < '0' || word[0] > '9' || *end)
		return file_by_name(c, v, word, out);
	r = errno || n == 0 ? CONTENTS_E_NONE : contents_file(c->s->contents, v->id, n - 1, out);
	if (r == CONTENTS_E_NONE)
		return err_explain(-ENOENT, "volume \"%s\" has no tape file %s; `vtape ls %s` lists them", v->name,
				   word, v->name);
	return r;
}

int place_is_archive(const struct place *p)
{
	unsigned long long n = (unsigned long long)p->file.file + 1;

	switch (p->file.how) {
	case CONTENTS_LISTED:
	case CONTENTS_BROKEN:
		return 0;
	case CONTENTS_WAITING:
		return err_explain(-EAGAIN,
				   "%s:%llu has not been looked at yet; `vtape contents settle %s` waits for it",
				   p->volume.name, n, p->volume.name);
	case CONTENTS_OFF:
		return err_explain(-ENODATA, "%s:%llu has not been looked at: its pool's property contents is off",
				   p->volume.name, n);
	default:
		return err_explain(-ENODATA, "%s:%llu is no archive that is known", p->volume.name, n);
	}
}

static int member_find(struct call *c, const char *path, struct place *p)
{
	int r = place_is_archive(p);

	if (r)
		return r;
	if (!path[strspn(path, "/.")] && !strstr(path, "..."))
		return 0;	/* "", "/", ".": the top */
	r = contents_resolve(c->s->contents, p->file.content, path, &p->member);
	if (r == CONTENTS_E_NONE)
		return err_explain(-ENOENT, "%s:%llu has no member \"%s\"", p->volume.name,
				   (unsigned long long)p->file.file + 1, path);
	return r;
}

int place_find(struct call *c, const json_t *words, struct place *out)
{
	const char *volume = json_string_value(json_object_get(words, "volume"));
	const char *file = json_string_value(json_object_get(words, "file"));
	CLEANUP(buf_fini) struct buf path = BUF_INIT;
	int r;

	memset(out, 0, sizeof(*out));
	if (!volume)
		return err_explain(-EINVAL, "the request lacks \"volume\"");
	r = call_volume(c, volume, &out->volume);
	if (r || !file)
		return r;
	out->has_file = true;
	r = file_find(c, &out->volume, file, &out->file);
	if (!json_object_get(words, "path") && !json_object_get(words, "path_raw"))
		return r;
	out->has_path = true;
	if (!r)
		r = ctl_get_bytes(words, "path", "path_raw", &path);
	return r ? r : member_find(c, (const char *)path.data, out);
}

/* ---- told by an answer ------------------------------------------------------------------------------------------ */

const char *volume_name(struct call *c, struct names *n, uint64_t volume)
{
	struct catalog_volume v;

	if (n->volume != volume) {
		n->volume = volume;
		if (catalog_volume_by_id(c->s->cat, volume, &v))
			snprintf(v.name, sizeof(v.name), "?");	/* deleted at this moment */
		memcpy(n->name, v.name, sizeof(n->name));
	}
	return n->name;
}

/* As find(1) has it: "f" for what ls(1) shows as '-'. */
static char type_letter(const struct contents_member *m)
{
	return m->type == '-' ? 'f' : m->type;
}

/* As far as nanoseconds reach. */
static json_int_t mtime_ns(const struct contents_member *m)
{
	json_int_t ns;

	if (__builtin_mul_overflow((json_int_t)m->mtime_s, 1000000000, &ns) ||
	    __builtin_add_overflow(ns, (json_int_t)m->mtime_ns, &ns))
		return m->mtime_s < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

json_t *member_json(const char *volume, const struct contents_file *f, const struct contents_member *m,
		    const char *path)
{
	char type[2] = { type_letter(m), 0 };
	json_t *row = json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I}", "volume", volume,
				"file", (json_int_t)f->file + 1, "type", type, "size_bytes", (json_int_t)m->size,
				"mtime_ns", mtime_ns(m), "mode", (json_int_t)m->mode, "uid", (json_int_t)m->uid,
				"gid", (json_int_t)m->gid);
	int r = row ? 0 : -ENOMEM;

	if (!r && m->user[0])
		r = ctl_put_bytes(row, "user", "user_raw", m->user);
	if (!r && m->group[0])
		r = ctl_put_bytes(row, "group", "group_raw", m->group);
	if (!r)
		r = ctl_put_bytes(row, "path", "raw", path);
	if (!r && m->link.len)
		r = ctl_put_bytes(row, "link", "link_raw", (const char *)m->link.data);
	if (!r && m->odd && m->raw.len)
		r = ctl_put_bytes(row, "archive_path", "archive_raw", (const char *)m->raw.data);
	if (!r && m->implied)
		r = json_object_set_new(row, "implied", json_true());
	if (!r && (m->type == 'c' || m->type == 'b'))
		r = json_object_set_new(row, "device", json_sprintf("%u:%u", m->dev_major, m->dev_minor));
	if (!r && m->before)
		r = json_object_set_new(row, "before", json_integer((json_int_t)m->before));
	if (!r && m->missing)
		r = json_object_set_new(row, "missing", json_integer((json_int_t)m->missing));
	if (!r && m->data != TARBALL_NO_PLACE)
		r = json_object_set_new(row, "data_offset", json_integer((json_int_t)m->data));
	if (!r)
		return row;
	json_decref(row);
	return NULL;
}

json_t *contents_status_json(struct call *c, const struct contents_status *s)
{
	struct names n = { 0 };

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:s?}", "volumes", (json_int_t)s->volumes, "files",
			 (json_int_t)s->files, "bytes", (json_int_t)s->bytes, "lists", (json_int_t)s->lists, "members",
			 (json_int_t)s->members, "volume", s->volume ? volume_name(c, &n, s->volume) : NULL);
}
