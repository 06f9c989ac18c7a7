/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request for what is damaged: which tapes, which of their tape files, and which members of the archives there.
 * What is hurt is collected first; then each tape file with damage is asked once for the members there
 * (damage_names.c).  Only of the current generation are these known; of older ones the place is told.
 */
#include "daemon/damage_names.h"

#include <errno.h>

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
	for (size_t i = 0; i < all->n; i++)
		hurt_fini(&all->h[i]);
	free(all->h);
}

static bool same_file(const struct tape_hurt *a, const struct tape_hurt *b)
{
	return a->volume == b->volume && a->generation == b->generation && a->partition == b->partition &&
	       a->file == b->file;
}

static json_t *archive_json(const struct hurt_file *f, const struct hurt *h)
{
	json_t *a;

	if (!f->archive)
		return json_null();
	a = json_pack("{s:s, s:b, s:b, s:b, s:O*, s:O*, s:I}", "format", f->format, "compressed", f->compressed,
		      "rest_lost", f->rest_lost, "broken", f->broken, "members", h->members, "behind", h->behind,
		      "more", (json_int_t)h->more);
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

/* A tape that cannot be opened is told of all the same. */
static json_t *file_name(struct call *c, const struct tape_hurt *h)
{
	json_t *name = NULL;
	struct volume *v;

	if (h->current && !h->partition && !library_look(c->s->lib, h->volume, &v)) {
		name = name_json(c, v, h);
		library_look_end(c->s->lib, h->volume);
	}
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
		name = file_name(c, &f.h->at);
		damage_names(c, &f);
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
