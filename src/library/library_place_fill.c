/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_place_fill: the tables of places made from the rows, how many places there are, and a slot for what has never
 * had one.  Rows that contradict each other are mended here (struct places says how); those that cannot be read are
 * left to the check, and their volumes are outside meanwhile.
 */
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

#define FILL_ROWS 1024u		/* in one batch */

void places_init(struct library *lib)
{
	pthread_mutex_init(&lib->places.arm, NULL);
	pthread_mutex_init(&lib->places.lock, NULL);
}

void places_fini(struct library *lib)
{
	free(lib->places.slot);
	free(lib->places.free);
	pthread_mutex_destroy(&lib->places.lock);
	pthread_mutex_destroy(&lib->places.arm);
}

/* ---- how many -------------------------------------------------------------------------------------------------- */

/* All of them empty. */
static int slots_new(uint32_t slots, uint64_t **slot, uint64_t **freed)
{
	*slot = calloc(slots + 1u, sizeof(**slot));
	*freed = calloc(slots / 64 + 1u, sizeof(**freed));
	if (!*slot || !*freed) {
		free(*slot);
		free(*freed);
		return err_origin(-ENOMEM);
	}
	for (uint32_t n = 0; n < slots; n++)
		(*freed)[n / 64] |= 1ull << n % 64;
	return 0;
}

static void slots_adopt(struct library *lib, const struct catalog_scsi *s, uint64_t *slot, uint64_t *freed)
{
	struct places *p = &lib->places;
	uint64_t *was = p->slot;
	uint32_t keep = s->slots < p->slots ? s->slots : p->slots;

	free(p->free);
	p->slot = slot;
	p->free = freed;
	p->slots = s->slots;
	p->ports = s->ports;
	p->first_free = 0;
	for (uint32_t n = 0; n < keep; n++)
		place_set(lib, (struct library_place){ LIBRARY_SLOT, n }, was[n]);
	free(was);
}

/* With `place`. */
static int places_are_empty(struct library *lib, enum library_place_kind kind, uint32_t from, uint32_t to)
{
	struct catalog_volume row;
	char name[32];
	uint64_t id;

	for (; from < to; from++) {
		struct library_place at = { kind, from };

		id = place_at(lib, at);
		if (!id)
			continue;
		if (id == PLACE_COMING || catalog_volume_by_id(lib->cat, id, &row))
			snprintf(row.name, sizeof(row.name), "number %llu", (unsigned long long)id);
		return err_explain(-EBUSY, "%s cannot go: volume %s is in it", place_name(at, name), row.name);
	}
	return 0;
}

/* With `place`. */
static int places_resize(struct library *lib, uint32_t slots, uint32_t ports)
{
	struct places *p = &lib->places;
	uint64_t *slot, *freed;
	struct catalog_scsi s;
	int r;

	r = places_are_empty(lib, LIBRARY_SLOT, slots, p->slots);
	if (!r)
		r = places_are_empty(lib, LIBRARY_PORT, ports, p->ports);
	if (!r)
		r = err_fold(catalog_scsi_get(lib->cat, &s));
	if (r)
		return r;
	s.slots = slots;
	s.ports = ports;
	r = slots_new(slots, &slot, &freed);
	if (r)
		return r;
	r = err_fold(catalog_scsi_put(lib->cat, &s));
	if (r) {
		free(slot);
		free(freed);
		return r;
	}
	slots_adopt(lib, &s, slot, freed);
	p->changes++;
	return 0;
}

int library_places_set(struct library *lib, uint32_t slots, uint32_t ports)
{
	int r = 0;

	if (slots > LIBRARY_SLOTS_MAX || ports > LIBRARY_PORTS_MAX)
		return err_explain(-EINVAL, "a library has at most %u slots and %u ports", LIBRARY_SLOTS_MAX,
				   LIBRARY_PORTS_MAX);
	pthread_mutex_lock(&lib->places.lock);
	if (slots != lib->places.slots || ports != lib->places.ports)
		r = places_resize(lib, slots, ports);
	pthread_mutex_unlock(&lib->places.lock);
	return r ? r : places_fill(lib);
}

/* ---- from the rows --------------------------------------------------------------------------------------------- */

struct loading {
	struct library *lib;
	struct kv_batch *mend;
	uint64_t *displaced;	/* whose place has another, or is none */
	size_t count, cap;
};

/* A drive that is no more, or that has what another one has, has nothing. */
static int load_drives(struct loading *l)
{
	struct library *lib = l->lib;
	struct places *p = &lib->places;
	struct library_place at;
	uint64_t id;
	int r = 0;

	for (unsigned n = 0; !r && n < LIBRARY_DRIVES_MAX; n++) {
		id = 0;
		r = catalog_drive_get(lib->cat, n, &id);
		if (r == -EUCLEAN)
			r = 0;
		if (r || !id)
			continue;
		r = place_of(lib, id, &at);
		if (r)
			continue;
		if (n < lib->drives && at.kind != LIBRARY_DRIVE)
			p->drive[n].volume = id;
		else
			r = catalog_drive_stage(l->mend, n, 0);
	}
	return r;
}

static int displace(struct loading *l, uint64_t volume)
{
	uint64_t *more;

	if (l->count == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;

		more = reallocarray(l->displaced, cap, sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		l->displaced = more;
		l->cap = cap;
	}
	l->displaced[l->count++] = volume;
	return 0;
}

/* In the order of volumes' numbers. */
static int load_place(void *ctx, uint64_t volume, const struct catalog_place *row)
{
	struct loading *l = ctx;
	struct library *lib = l->lib;
	struct library_place at = { row->kind == PLACE_SLOT ? LIBRARY_SLOT : LIBRARY_PORT, row->number };
	struct catalog_volume v;
	int r;

	if (row->kind == PLACE_OUTSIDE)
		return 0;
	for (unsigned n = 0; n < lib->drives; n++) {
		if (lib->places.drive[n].volume == volume) {
			lib->places.drive[n].source = at;
			return 0;
		}
	}
	r = catalog_volume_by_id(lib->cat, volume, &v);
	if (r == CATALOG_E_NONE || (!r && v.state == STATE_INCOMING))
		return 0;	/* the check's */
	if (r < 0 && r != -EUCLEAN)
		return r;
	if (!place_exists(lib, at) || place_at(lib, at))
		return displace(l, volume);
	place_set(lib, at, volume);
	if (at.kind == LIBRARY_PORT)
		lib->places.port[at.number].imported = row->imported;
	return 0;
}

/* Those for whom there is no slot keep their row: it may be the number of slots that is damaged. */
static int load_displaced(struct loading *l)
{
	struct library_place to;
	char name[32];
	size_t i;
	int r = 0;

	for (i = 0; !r && i < l->count; i++) {
		to = place_first_free(l->lib);
		if (to.kind == LIBRARY_OUTSIDE)
			break;
		log_warn("volume number %llu is not where it was: it is in %s now", (unsigned long long)l->displaced[i],
			 place_name(to, name));
		r = place_stage(l->mend, l->displaced[i], to);
		if (!r)
			place_set(l->lib, to, l->displaced[i]);
	}
	if (!r && i < l->count)
		log_warn("%zu volumes have no slot: they are outside", l->count - i);
	return r;
}

static int load_rows(struct loading *l)
{
	uint64_t *slot, *freed;
	struct catalog_scsi s;
	int r = catalog_scsi_get(l->lib->cat, &s);

	if (r == -EUCLEAN) {
		log_error("how many slots there are cannot be read (vtape check --repair): no tape is in one");
		s = (struct catalog_scsi){ .up = false };
		r = 0;
	}
	if (!r)
		r = slots_new(s.slots, &slot, &freed);
	if (r)
		return r;
	slots_adopt(l->lib, &s, slot, freed);
	r = load_drives(l);
	if (!r)
		r = catalog_place_each(l->lib->cat, load_place, l);
	if (!r)
		r = load_displaced(l);
	if (!r && kv_batch_count(l->mend))
		r = catalog_write(l->lib->cat, l->mend);
	return err_fold(r);
}

int places_load(struct library *lib)
{
	struct loading l = { .lib = lib };
	int r;

	LOCK_SCOPE(&lib->places.lock);
	r = kv_batch_new(&l.mend);
	if (!r)
		r = load_rows(&l);
	kv_batch_free(l.mend);
	free(l.displaced);
	return r;
}

/* ---- what has no place yet ------------------------------------------------------------------------------------- */

struct filling {
	struct library *lib;
	struct kv_batch *b;
	uint64_t volumes, rows;
};

static int count_row(void *ctx, uint64_t volume, const struct catalog_place *p)
{
	((struct filling *)ctx)->rows++;
	return 0;
}

static int count_volumes(void *ctx, const struct catalog_pool *p)
{
	((struct filling *)ctx)->volumes += p->volumes;
	return 0;
}

/* 1: no slot is left. */
static int fill_volume(void *ctx, const struct catalog_volume *v)
{
	struct filling *f = ctx;
	struct library_place to, at;
	struct catalog_place row;
	int r;

	if (v->state == STATE_INCOMING)
		return 0;
	r = catalog_place_get(f->lib->cat, v->id, &row);
	if (r == 0 || (r < 0 && r != -EUCLEAN))
		return r;
	r = place_of(f->lib, v->id, &at);
	if (r || at.kind == LIBRARY_DRIVE)
		return r;
	to = place_first_free(f->lib);
	if (to.kind == LIBRARY_OUTSIDE)
		return 1;
	r = place_stage(f->b, v->id, to);
	if (r)
		return r;
	place_set(f->lib, to, v->id);
	f->lib->places.changes++;
	if (kv_batch_count(f->b) < FILL_ROWS)
		return 0;
	r = catalog_write(f->lib->cat, f->b);
	kv_batch_clear(f->b);
	return r;
}

static int fill_pool(void *ctx, const struct catalog_pool *p)
{
	struct filling *f = ctx;

	return catalog_volume_each(f->lib->cat, p->id, "", fill_volume, f);
}

/* Each volume has one row at most, so where there are as many there is nobody without: mostly that is so. */
static int fill(struct filling *f)
{
	int r = catalog_pool_each(f->lib->cat, count_volumes, f);

	if (!r)
		r = catalog_place_each(f->lib->cat, count_row, f);
	if (!r && f->volumes > f->rows)
		r = catalog_pool_each(f->lib->cat, fill_pool, f);
	if (r >= 0 && kv_batch_count(f->b))
		r = catalog_write(f->lib->cat, f->b);
	return r < 0 ? r : 0;
}

int places_fill(struct library *lib)
{
	struct filling f = { .lib = lib };
	int r;

	LOCK_SCOPE(&lib->places.lock);
	if (place_first_free(lib).kind == LIBRARY_OUTSIDE)
		return 0;
	r = kv_batch_new(&f.b);
	if (!r)
		r = fill(&f);
	kv_batch_free(f.b);
	return r;
}
