/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request for what is damaged: which tapes, which of their tape files, and which members of the archives there.
 * What is hurt is collected first; then each tape file with damage is looked at once, by its archive's headers, around
 * the bytes that cannot be read.  Only the current generation can be looked at; of older ones the place is told.
 */
#include "daemon/serve_call.h"

#include <vtape/tarball.h>

#include <errno.h>

/* Names of the members in one range, in bytes: a message holds a mebibyte. */
#define NAMES_BYTES_MAX (256u << 10)

/* An archive may unpack to far more than it is worth to name its members. */
static const struct tarball_limits limits = { .unpacked_bytes = 8ull << 40, .unpacked_ratio = 2000 };

enum { ENOUGH = TARBALL_E_NONE + 1 };	/* no more is hurt: the rest of the archive need not be read */

/* A range of a tape that cannot be read, and what is in it. */
struct hurt {
	struct tape_hurt at;
	json_t *members;
	size_t names_bytes;
	uint64_t more;		/* members that found no room in @members */
	json_t *behind;		/* the last member that ends before it; NULL: none */
};
struct hurts { struct hurt *h; size_t n, cap; };

static int hurts_add(void *ctx, const struct tape_hurt *h)
{
	struct hurts *all = ctx;

	if (all->n == all->cap) {
		size_t cap = all->cap ? 2 * all->cap : 64;
		struct hurt *more = realloc(all->h, cap * sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		all->h = more;
		all->cap = cap;
	}
	all->h[all->n++] = (struct hurt){ .at = *h };
	return 0;
}

static void hurts_fini(struct hurts *all)
{
	for (size_t i = 0; i < all->n; i++) {
		json_decref(all->h[i].members);
		json_decref(all->h[i].behind);
	}
	free(all->h);
}

static bool same_file(const struct tape_hurt *a, const struct tape_hurt *b)
{
	return a->volume == b->volume && a->generation == b->generation && a->partition == b->partition &&
	       a->file == b->file;
}

/* ---- the archive in a tape file -------------------------------------------------------------------------------- */

/* All the ranges of one tape file, in order, and a reader that stands on it. */
struct hurt_file {
	struct hurt *h;
	size_t n;
	struct volume_reader *reader;
	struct hurt *next;	/* those before it end before the member that is being told */
	struct tarball_info info;
	int kind;		/* tarball_each()'s result */
};

/* How many bytes from @at on, at most @n, are all to be read or all hurt; *hurt says which. */
static size_t stretch_at(const struct hurt_file *f, uint64_t at, size_t n, bool *hurt)
{
	const struct hurt *h = f->h;
	uint64_t end;

	while (h < f->h + f->n && h->at.to <= at)
		h++;
	*hurt = h < f->h + f->n && h->at.from <= at;
	if (h == f->h + f->n)
		return n;
	end = *hurt ? h->at.to : h->at.from;
	return end - at < n ? (size_t)(end - at) : n;
}

/* What cannot be read becomes letters: zeros would be the end of a tar archive. */
static int source_read(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	const struct hurt_file *f = ctx;
	uint64_t at = f->h->at.file_from + offset;
	uint8_t *p = buf, *end;
	bool hurt;
	int r = 0;

	*got = 0;
	if (at >= f->h->at.file_to)
		return 0;
	*got = n < f->h->at.file_to - at ? n : (size_t)(f->h->at.file_to - at);
	for (end = p + *got; p < end && r == 0;) {
		size_t some = stretch_at(f, at, (size_t)(end - p), &hurt);
		if (!hurt)
			r = volume_reader_read(f->reader, at, p, some);
		if (hurt || r == -EBADMSG || r == -EIO) {
			memset(p, 'x', some);
			r = 0;
		}
		p += some;
		at += some;
	}
	return r;
}

/* A path that is not UTF-8 is shown with what is not ASCII as '?'. */
static json_t *path_json(const char *path)
{
	json_t *j = json_string(path);
	CLEANUP(freep) char *copy = j ? NULL : strdup(path);

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p > 0x7e)
			*p = '?';
	return j ? j : copy ? json_string(copy) : NULL;
}

static void hurt_take(struct hurt *h, const struct tarball_member *m)
{
	size_t bytes = strlen(m->path) + 8;

	if (h->names_bytes + bytes > NAMES_BYTES_MAX) {
		h->more++;
		return;
	}
	h->names_bytes += bytes;
	if (!h->members)
		h->members = json_array();
	json_array_append_new(h->members, path_json(m->path));
}

static int member_seen(void *ctx, const struct tarball_member *m)
{
	struct hurt_file *f = ctx;
	const struct hurt *end = f->h + f->n;
	uint64_t base = f->h->at.file_from;

	while (f->next < end && f->next->at.to - base <= m->from)
		f->next++;
	if (f->next == end)
		return ENOUGH;
	for (struct hurt *h = f->next; h < end && h->at.from - base < m->to; h++)
		hurt_take(h, m);
	if (f->next->at.from - base >= m->to) {
		json_decref(f->next->behind);
		f->next->behind = path_json(m->path);
	}
	return 0;
}

static json_t *archive_json(const struct hurt_file *f, const struct hurt *h)
{
	json_t *a;

	if (f->kind == TARBALL_E_NONE)
		return json_null();
	a = json_pack("{s:s, s:b, s:b, s:O*, s:O*, s:I}", "format", f->info.format, "compressed", f->info.compressed,
		      "broken", f->info.broken, "members", h->members, "behind", h->behind, "more",
		      (json_int_t)h->more);
	return a ? a : json_null();
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

/* The name that files/ shows, as long as it is still that tape file's (catalog.h, struct catalog_file). */
static json_t *name_json(const struct call *c, struct volume *v, const struct tape_hurt *h)
{
	struct catalog_file row;
	struct tape_tally behind;
	uint64_t stretch;

	if (volume_find_file(v, 0, h->file + 1, &behind) || catalog_file_get(c->s->cat, h->volume, h->file, &row) ||
	    row.mark_object + 1 != behind.objects || volume_stretch(v, 0, row.mark_object, &stretch) ||
	    stretch != row.stretch)
		return json_null();
	return json_string(row.name);
}

/* What is in the file, if it can be looked at; a tape that cannot be opened is told of all the same. */
static json_t *look_into(struct call *c, struct hurt_file *f)
{
	const struct tape_hurt *h = &f->h->at;
	const struct tarball_source src = { source_read, f, h->file_to - h->file_from };
	struct volume *v;
	json_t *name;

	f->kind = TARBALL_E_NONE;
	if (!h->current || h->partition || library_look(c->s->lib, h->volume, &v))
		return json_null();
	name = name_json(c, v, h);
	f->next = f->h;
	if (volume_reader_new(v, 0, &f->reader) == 0) {
		f->kind = tarball_each(&src, &limits, &f->info, member_seen, f);
		if (f->kind < 0)
			log_warn("the archive in tape file %llu of volume number %llu: %s", (unsigned long long)h->file,
				 (unsigned long long)h->volume, err_text(f->kind));
		f->reader = volume_reader_free(f->reader);
	}
	library_look_end(c->s->lib, h->volume);
	return name ? name : json_null();
}

static int hurt_row(struct call *c, const struct hurt_file *f, const struct hurt *h, json_t *name)
{
	struct catalog_volume v = { .name = "?" };
	struct catalog_pool p = { .name = "?" };

	if (catalog_volume_by_id(c->s->cat, h->at.volume, &v) == 0)
		catalog_pool_by_id(c->s->cat, v.pool, &p);
	return call_row(c, json_pack("{s:s, s:s, s:I, s:b, s:i, s:I, s:O, s:I, s:I, s:I, s:I, s:o}", "volume", v.name,
				     "pool", p.name, "generation", (json_int_t)h->at.generation, "current",
				     h->at.current, "partition", (int)h->at.partition, "file", (json_int_t)h->at.file,
				     "name", name, "from_bytes", (json_int_t)(h->at.from - h->at.file_from), "bytes",
				     (json_int_t)(h->at.to - h->at.from), "first_record",
				     (json_int_t)h->at.first_object, "last_record", (json_int_t)h->at.last_object,
				     "archive", archive_json(f, h)));
}

static int send_rows(struct call *c, struct hurts *all)
{
	int r = 0;

	for (size_t i = 0; !r && i < all->n;) {
		struct hurt_file f = { .h = &all->h[i] };
		json_t *name;
		while (i < all->n && same_file(&f.h->at, &all->h[i].at)) {
			f.n++;
			i++;
		}
		name = look_into(c, &f);
		for (size_t k = 0; !r && k < f.n; k++)
			r = hurt_row(c, &f, &f.h[k], name);
		json_decref(name);
	}
	return r;
}

static int count_bad(void *ctx, struct pack_ref ref, bool healed)
{
	struct damage *d = ctx;

	if (healed)
		return 0;
	if (ref.slot == CHUNK_EVERY_SLOT)
		d->packs++;
	else
		d->chunks++;
	return 0;
}

int damage_count(const struct call *c, struct damage *out)
{
	*out = (struct damage){ 0 };
	return err_fold(chunk_store_each_bad(c->s->cs, count_bad, out));
}

int serve_damage(struct call *c)
{
	const json_t *names = json_object_get(c->req, "names");
	CLEANUP(hurts_fini) struct hurts all = { 0 };
	struct selection sel = { 0 };
	struct damage d;
	int r = damage_count(c, &d);

	if (!r && json_array_size(names) == 0) {
		r = err_fold(library_each_hurt(c->s->lib, 0, hurts_add, &all));
	} else if (!r) {
		r = selection_make(c, names, NULL, &sel);
		for (size_t i = 0; !r && i < sel.n; i++)
			r = err_fold(library_each_hurt(c->s->lib, sel.id[i], hurts_add, &all));
		selection_fini(&sel);
	}
	if (!r)
		r = send_rows(c, &all);
	return r ? r : call_answer(c, json_pack("{s:I, s:I, s:b}", "chunks", (json_int_t)d.chunks, "packs",
						(json_int_t)d.packs, "hurt", all.n > 0));
}
