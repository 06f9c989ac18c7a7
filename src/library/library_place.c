/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_place: which volume is in which slot, port or drive.  The tables and the rows that they are made from change
 * together, in the order that stands beside struct places; what a robot does is library_place_move.c's, what a start
 * makes of the rows library_place_fill.c's.
 */
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

static const struct library_place outside = { LIBRARY_OUTSIDE, 0 };

/* ---- the tables: with `place` ---------------------------------------------------------------------------------- */

bool place_exists(const struct library *lib, struct library_place at)
{
	switch (at.kind) {
	case LIBRARY_SLOT:
		return at.number < lib->places.slots;
	case LIBRARY_PORT:
		return at.number < lib->places.ports;
	case LIBRARY_DRIVE:
		return at.number < lib->drives;
	default:
		return false;
	}
}

uint64_t place_at(const struct library *lib, struct library_place at)
{
	switch (at.kind) {
	case LIBRARY_SLOT:
		return lib->places.slot[at.number];
	case LIBRARY_PORT:
		return lib->places.port[at.number].volume;
	case LIBRARY_DRIVE:
		return lib->places.drive[at.number].volume;
	default:
		return 0;
	}
}

static void slot_set(struct places *p, uint32_t n, uint64_t volume)
{
	uint64_t bit = 1ull << n % 64;

	p->slot[n] = volume;
	if (volume) {
		p->free[n / 64] &= ~bit;
	} else {
		p->free[n / 64] |= bit;
		if (n < p->first_free)
			p->first_free = n;
	}
}

void place_set(struct library *lib, struct library_place at, uint64_t volume)
{
	struct places *p = &lib->places;

	if (at.kind == LIBRARY_SLOT) {
		slot_set(p, at.number, volume);
	} else if (at.kind == LIBRARY_PORT) {
		p->port[at.number].volume = volume;
		p->port[at.number].imported = false;
	} else if (at.kind == LIBRARY_DRIVE) {
		p->drive[at.number].volume = volume;
	}
}

/* 64 slots at a time from the lowest that may be free: at most 938 steps, and mostly one. */
struct library_place place_first_free(struct library *lib)
{
	struct places *p = &lib->places;
	uint32_t word;

	for (word = p->first_free / 64; word < (p->slots + 63) / 64; word++) {
		if (!p->free[word])
			continue;
		p->first_free = 64 * word + (uint32_t)__builtin_ctzll(p->free[word]);
		return (struct library_place){ LIBRARY_SLOT, p->first_free };
	}
	p->first_free = p->slots;
	return outside;
}

const char *place_name(struct library_place at, char out[32])
{
	static const char *const kinds[] = { "outside", "slot ", "port ", "drive nst" };

	if (at.kind == LIBRARY_OUTSIDE)
		return "outside";
	snprintf(out, 32, "%s%u", kinds[at.kind], at.number);
	return out;
}

/* ---- the rows: with `place` ------------------------------------------------------------------------------------ */

static struct library_place place_of_row(const struct catalog_place *p)
{
	if (p->kind == PLACE_OUTSIDE)
		return outside;
	return (struct library_place){ p->kind == PLACE_SLOT ? LIBRARY_SLOT : LIBRARY_PORT, p->number };
}

int place_stage(struct kv_batch *b, uint64_t volume, struct library_place at)
{
	struct catalog_place p = { .kind = PLACE_OUTSIDE };

	if (at.kind != LIBRARY_OUTSIDE)
		p = (struct catalog_place){ at.kind == LIBRARY_SLOT ? PLACE_SLOT : PLACE_PORT, at.number, false };
	return err_fold(catalog_place_stage(b, volume, &p));
}

/* What its row says; a damaged one says nothing.  !*is: it has never been put anywhere. */
static int row_of_place(struct library *lib, uint64_t volume, struct catalog_place *out, bool *is)
{
	int r = catalog_place_get(lib->cat, volume, out);

	*is = !r;
	if (r)
		*out = (struct catalog_place){ .kind = PLACE_OUTSIDE };
	return r < 0 && r != -EUCLEAN ? r : 0;
}

static bool same_place(struct library_place a, struct library_place b)
{
	return a.kind == b.kind && (a.kind == LIBRARY_OUTSIDE || a.number == b.number);
}

int place_of(struct library *lib, uint64_t volume, struct library_place *out)
{
	struct library_place at;
	struct catalog_place row;
	bool is;
	int r;

	for (unsigned n = 0; n < lib->drives; n++) {
		if (lib->places.drive[n].volume == volume) {
			*out = (struct library_place){ LIBRARY_DRIVE, n };
			return 0;
		}
	}
	r = row_of_place(lib, volume, &row, &is);
	at = place_of_row(&row);
	if (!r)
		*out = place_exists(lib, at) && place_at(lib, at) == volume ? at : outside;
	return r;
}

/* ---- drives ---------------------------------------------------------------------------------------------------- */

int place_enter(struct library *lib, unsigned n, uint64_t volume, bool *news)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct places *p = &lib->places;
	struct library_place from;
	int r;

	LOCK_SCOPE(&p->lock);
	/* Found there by a start: nothing has changed. */
	if (p->drive[n].volume == volume)
		return 0;
	r = place_of(lib, volume, &from);
	if (!r)
		r = kv_batch_new(&b);
	if (!r)
		r = catalog_drive_stage(b, n, volume);
	if (!r)
		r = catalog_write(lib->cat, b);
	if (r)
		return err_fold(r);
	place_set(lib, from, 0);
	p->drive[n].volume = volume;
	p->drive[n].source = from;
	p->changes++;
	*news = true;
	return 0;
}

struct leaving {
	struct library_place to;
	bool new_row;		/* it does not go back */
	bool imported;		/* it does, into a port, and was */
};

/* Where the tape of drive @n goes.  Without a slot, what has never been put anywhere stays so. */
static int leave_stage(struct library *lib, unsigned n, uint64_t volume, struct kv_batch *b, struct leaving *l)
{
	struct catalog_place row;
	bool is;
	int r = row_of_place(lib, volume, &row, &is);

	if (r)
		return r;
	l->to = lib->places.drive[n].source;
	if (!place_exists(lib, l->to) || place_at(lib, l->to))
		l->to = place_first_free(lib);
	l->new_row = is ? !same_place(place_of_row(&row), l->to) : l->to.kind != LIBRARY_OUTSIDE;
	l->imported = !l->new_row && row.imported;
	return l->new_row ? place_stage(b, volume, l->to) : 0;
}

int place_leave(struct library *lib, unsigned n, uint64_t volume)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct places *p = &lib->places;
	struct leaving l = { outside, false, false };
	struct catalog_volume row;
	int r;

	LOCK_SCOPE(&p->lock);
	if (p->drive[n].volume != volume)
		return 0;
	r = kv_batch_new(&b);
	if (!r)
		r = catalog_drive_stage(b, n, 0);
	/* Deleted: found by a start. */
	if (!r && catalog_volume_by_id(lib->cat, volume, &row) != CATALOG_E_NONE)
		r = leave_stage(lib, n, volume, b, &l);
	if (!r)
		r = catalog_write(lib->cat, b);
	/* The tape is out, whatever the rows say: where they have it, or nowhere. */
	p->drive[n].volume = 0;
	if (!r || !l.new_row) {
		place_set(lib, l.to, volume);
		if (l.to.kind == LIBRARY_PORT)
			p->port[l.to.number].imported = l.imported;
	}
	p->changes++;
	return err_fold(r);
}

/* ---- with the rows of volumes ---------------------------------------------------------------------------------- */

/* With `place`: the first free slot, if there is one, for a volume that is none yet. */
static int slot_stage(struct library *lib, const struct catalog_volume *row, struct kv_batch *b,
		      struct library_place *to)
{
	*to = row->state == STATE_INCOMING ? outside : place_first_free(lib);
	return to->kind == LIBRARY_OUTSIDE ? 0 : place_stage(b, row->id, *to);
}

static void slot_taken(struct library *lib, struct library_place to, uint64_t volume)
{
	if (to.kind == LIBRARY_OUTSIDE)
		return;
	place_set(lib, to, volume);
	lib->places.changes++;
}

int place_volume_add(struct library *lib, struct catalog_volume *row, struct kv_batch *with)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct library_place to;
	int r;

	r = kv_batch_new(&b);
	if (!r && with)
		r = kv_batch_append(b, with);
	if (r)
		return r;
	LOCK_SCOPE(&lib->places.lock);
	r = slot_stage(lib, row, b, &to);
	if (!r)
		r = catalog_volume_add(lib->cat, row, b);
	if (!r)
		slot_taken(lib, to, row->id);
	return r;
}

int place_volume_put(struct library *lib, const struct catalog_volume *was, const struct catalog_volume *row)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct library_place to;
	int r;

	if (was->state != STATE_INCOMING || row->state == STATE_INCOMING)
		return catalog_volume_put(lib->cat, row, NULL);
	r = kv_batch_new(&b);
	if (r)
		return r;
	LOCK_SCOPE(&lib->places.lock);
	r = slot_stage(lib, row, b, &to);
	if (!r)
		r = catalog_volume_put(lib->cat, row, b);
	if (!r)
		slot_taken(lib, to, row->id);
	return r;
}

int place_volume_remove(struct library *lib, uint64_t volume, struct kv_batch *with)
{
	struct library_place at;
	int r;

	LOCK_SCOPE(&lib->places.lock);
	r = place_of(lib, volume, &at);
	if (!r)
		r = catalog_volume_remove(lib->cat, volume, with);
	if (r || at.kind == LIBRARY_OUTSIDE)
		return r;
	place_set(lib, at, 0);
	lib->places.changes++;
	return 0;
}

/* ---- who asks -------------------------------------------------------------------------------------------------- */

void library_places(struct library *lib, uint32_t *slots, uint32_t *ports)
{
	LOCK_SCOPE(&lib->places.lock);
	*slots = lib->places.slots;
	*ports = lib->places.ports;
}

static int no_such_place(struct library_place at)
{
	char name[32];

	if (at.kind == LIBRARY_OUTSIDE)
		return err_explain(-EINVAL, "outside is no place of the library's");
	return err_explain(-EINVAL, "there is no %s", place_name(at, name));
}

int library_element(struct library *lib, struct library_place at, struct library_element *out)
{
	struct library_element e = { .volume = 0 };
	struct places *p = &lib->places;
	struct catalog_volume row;
	int r;

	{
		LOCK_SCOPE(&p->lock);
		if (!place_exists(lib, at))
			return no_such_place(at);
		e.volume = place_at(lib, at);
		if (e.volume && at.kind == LIBRARY_DRIVE) {
			e.source = p->drive[at.number].source;
			e.has_source = place_exists(lib, e.source);
		}
		e.imported = at.kind == LIBRARY_PORT && p->port[at.number].imported;
	}
	r = e.volume && e.volume != PLACE_COMING ? catalog_volume_by_id(lib->cat, e.volume, &row) : CATALOG_E_NONE;
	if (r < 0)
		return r;
	if (r)	/* empty, or deleted just now */
		e = (struct library_element){ .volume = 0 };
	else
		snprintf(e.name, sizeof(e.name), "%s", row.name);
	*out = e;
	return 0;
}

int library_where(struct library *lib, uint64_t volume, struct library_place *out)
{
	struct catalog_volume row;
	int r = library_row(lib, volume, &row);

	if (r)
		return r;
	LOCK_SCOPE(&lib->places.lock);
	return place_of(lib, volume, out);
}

void library_place_changes(struct library *lib, uint64_t *all, uint64_t *ports)
{
	LOCK_SCOPE(&lib->places.lock);
	*all = lib->places.changes;
	*ports = lib->places.port_changes;
}

uint64_t library_ports_print(struct library *lib)
{
	uint64_t row[LIBRARY_PORTS_MAX];

	LOCK_SCOPE(&lib->places.lock);
	for (uint32_t n = 0; n < LIBRARY_PORTS_MAX; n++)
		row[n] = lib->places.port[n].volume << 1 | lib->places.port[n].imported;
	return sum64(row, sizeof(row));
}

/* ---- by hand --------------------------------------------------------------------------------------------------- */

void library_ports_lock(struct library *lib, bool locked)
{
	LOCK_SCOPE(&lib->places.lock);
	lib->places.locked = locked;
}

/* With `place`. */
static int ports_open(const struct library *lib)
{
	if (!lib->places.locked)
		return 0;
	return err_explain(-EBUSY, "the ports are locked by a host that uses the changer (sg_prevent --allow lets go)");
}

/* With `place`. */
static int import_allowed(struct library *lib, const struct catalog_volume *row, struct library_place port)
{
	struct library_place at;
	char name[32];
	int r;

	if (!place_exists(lib, port))
		return no_such_place(port);
	if (row->state == STATE_INCOMING)
		return err_explain(-EBUSY, "volume %s is an image that is still being written", row->name);
	if (place_at(lib, port))
		return err_explain(-EEXIST, "%s has a volume in it", place_name(port, name));
	r = ports_open(lib);
	if (r)
		return r;
	r = place_of(lib, row->id, &at);
	if (!r && at.kind != LIBRARY_OUTSIDE)
		r = err_explain(-ENOENT, "volume %s is not outside: it is in %s", row->name, place_name(at, name));
	return r;
}

int library_import(struct library *lib, uint64_t volume, uint32_t port)
{
	const struct catalog_place place = { PLACE_PORT, port, true };
	struct library_place at = { LIBRARY_PORT, port };
	struct catalog_volume row;
	int r;

	LOCK_SCOPE(&lib->places.lock);
	r = library_row(lib, volume, &row);
	if (!r)
		r = import_allowed(lib, &row, at);
	if (!r)
		r = err_fold(catalog_place_put(lib->cat, volume, &place));
	if (r)
		return r;
	place_set(lib, at, volume);
	lib->places.port[port].imported = true;
	lib->places.changes++;
	lib->places.port_changes++;
	return 0;
}

int library_export(struct library *lib, uint32_t port)
{
	const struct catalog_place place = { .kind = PLACE_OUTSIDE };
	struct library_place at = { LIBRARY_PORT, port };
	uint64_t volume;
	char name[32];
	int r;

	LOCK_SCOPE(&lib->places.lock);
	if (!place_exists(lib, at))
		return no_such_place(at);
	volume = place_at(lib, at);
	if (!volume || volume == PLACE_COMING)
		return err_explain(-ENOENT, "%s is empty", place_name(at, name));
	r = ports_open(lib);
	if (!r)
		r = err_fold(catalog_place_put(lib->cat, volume, &place));
	if (r)
		return r;
	place_set(lib, at, 0);
	lib->places.changes++;
	lib->places.port_changes++;
	return 0;
}
