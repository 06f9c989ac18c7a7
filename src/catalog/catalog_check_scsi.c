/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of what the SCSI face keeps.  A place that cannot be read or that is not there goes, and the volume gets a
 * slot with the next start; an attribute or a unit that cannot be read goes, and is as if it had never been written:
 * its host, or whoever set the units up, does so again.
 */
#include "catalog/catalog_check.h"

#include <errno.h>
#include <inttypes.h>

/* ---- row by row ------------------------------------------------------------------------------------------------ */

int check_place(struct check *k, const struct at *at)
{
	struct catalog_volume v;
	struct catalog_place p;
	int r = catalog_place_get(k->c, at->number, &p);

	if (r == CATALOG_E_NONE)
		return 0;
	if (r == -EUCLEAN) {
		check_tell(k, check_removed(k, &at->key), "the place of volume number %" PRIu64 " is damaged",
			   at->number);
		return 0;
	}
	if (!r)
		r = catalog_volume_by_id(k->c, at->number, &v);
	if (r == CATALOG_E_NONE)
		check_tell(k, check_removed(k, &at->key), "the place of volume number %" PRIu64 ", which is gone",
			   at->number);
	else if (!r && v.state == STATE_INCOMING)
		check_tell(k, check_removed(k, &at->key), "%s has a place and is an image that is still being written",
			   v.name);
	return r == -EUCLEAN || r > 0 ? 0 : r;
}

int check_mam(struct check *k, const struct at *at)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	enum catalog_mam_format format;
	const uint8_t *p;
	size_t n;
	int r = row_get(k->c, &at->key, &row);

	if (r)
		return r < 0 ? r : 0;
	if (at->key.len != 15 || mam_decode(row.data, row.len, &format, &p, &n)) {
		check_tell(k, check_removed(k, &at->key),
			   "volume number %" PRIu64 ": an attribute of its memory is damaged", at->number);
		return 0;
	}
	r = check_volume_is_there(k, at->number);
	if (r == 0)
		check_tell(k, check_removed(k, &at->key), "an attribute of volume number %" PRIu64 ", which is gone",
			   at->number);
	return r < 0 ? r : 0;
}

int check_unit(struct check *k, const struct at *at)
{
	bool changer = at->key.len == 1;
	struct catalog_unit u;
	int r = catalog_unit_get(k->c, changer ? CATALOG_UNIT_CHANGER : (uint32_t)at->number, &u);

	if (r == -EUCLEAN && changer)
		check_tell(k, check_removed(k, &at->key), "what the changer is called is damaged");
	else if (r == -EUCLEAN)
		check_tell(k, check_removed(k, &at->key), "what drive nst%" PRIu64 " is called is damaged", at->number);
	return r == -EUCLEAN || r > 0 ? 0 : r;
}

/* ---- all together ---------------------------------------------------------------------------------------------- */

struct placed {
	uint64_t volume;
	struct catalog_place place;
};

/* Those in slots and ports; not those in drives, whose row says where they came from. */
struct all_places {
	struct check *k;
	struct placed *placed;
	size_t count, cap;
	uint64_t *loaded;
	size_t loaded_count;
	uint32_t slots, ports;	/* that it takes for these rows */
};

static int each_drive(struct all_places *all, bool store)
{
	struct row_key prefix = key_of('D');
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK(&prefix);
	size_t n = 0;

	while (row_walk_next(all->k->c, &w)) {
		if (w.row_len != 8)
			continue;
		if (store)
			all->loaded[n] = get_be64(w.row);
		n++;
	}
	all->loaded_count = n;
	return w.error;
}

static int collect_drives(struct all_places *all)
{
	int r = each_drive(all, false);

	if (r || !all->loaded_count)
		return r;
	all->loaded = calloc(all->loaded_count, sizeof(*all->loaded));
	return all->loaded ? each_drive(all, true) : err_origin(-ENOMEM);
}

static int collect_place(void *ctx, uint64_t volume, const struct catalog_place *p)
{
	struct all_places *all = ctx;
	uint32_t *many = p->kind == PLACE_SLOT ? &all->slots : &all->ports;
	struct placed *more;

	if (p->kind == PLACE_OUTSIDE || volume > NUMBER_MAX)
		return 0;
	if (p->number >= *many)
		*many = p->number + 1;
	for (size_t i = 0; i < all->loaded_count; i++)
		if (all->loaded[i] == volume)
			return 0;
	if (all->count == all->cap) {
		size_t cap = all->cap ? 2 * all->cap : 64;

		more = reallocarray(all->placed, cap, sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		all->placed = more;
		all->cap = cap;
	}
	all->placed[all->count++] = (struct placed){ volume, *p };
	return 0;
}

/* How many slots and ports there are; if that is lost, as many as it takes. */
static int check_scsi(struct all_places *all, struct catalog_scsi *s)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_scsi();
	int r = row_get(all->k->c, &key, &row);

	if (!r)
		r = scsi_decode(row.data, row.len, s);
	if (r == 0 || (r == CATALOG_E_NONE && !all->slots && !all->ports) || (r < 0 && r != -EUCLEAN)) {
		if (r > 0)
			*s = (struct catalog_scsi){ .up = false };
		return r < 0 ? r : 0;
	}
	*s = (struct catalog_scsi){ .slots = all->slots, .ports = all->ports };
	r = scsi_encode(s, &row);
	if (!r)
		check_tell(all->k, check_mended(all->k, &key, row.data, row.len),
			   "how many slots and ports there are is lost: it takes %u and %u", s->slots, s->ports);
	return r;
}

static int by_place(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->place.kind != y->place.kind)
		return x->place.kind < y->place.kind ? -1 : 1;
	if (x->place.number != y->place.number)
		return x->place.number < y->place.number ? -1 : 1;
	return x->volume < y->volume ? -1 : x->volume > y->volume;
}

static void check_in_order(struct all_places *all, const struct catalog_scsi *s)
{
	static const char *const kinds[] = { [PLACE_SLOT] = "slot", [PLACE_PORT] = "port" };
	struct check *k = all->k;
	const struct placed *p, *last = NULL;

	if (!all->count)
		return;
	for (p = all->placed; p < all->placed + all->count; p++) {
		struct row_key key = key_place(p->volume);

		if (p->place.number >= (p->place.kind == PLACE_SLOT ? s->slots : s->ports)) {
			check_tell(k, check_removed(k, &key),
				   "volume number %" PRIu64 " is in %s %u, which there is not", p->volume,
				   kinds[p->place.kind], p->place.number);
			continue;
		}
		if (last && last->place.kind == p->place.kind && last->place.number == p->place.number)
			check_tell(k, check_removed(k, &key),
				   "volumes number %" PRIu64 " and %" PRIu64 " are both in %s %u", last->volume,
				   p->volume, kinds[p->place.kind], p->place.number);
		else
			last = p;
	}
}

static int check_collected(struct all_places *all)
{
	struct catalog_scsi s;
	int r = collect_drives(all);

	if (!r)
		r = catalog_place_each(all->k->c, collect_place, all);
	if (!r)
		r = check_scsi(all, &s);
	if (r)
		return r;
	if (all->count)
		qsort(all->placed, all->count, sizeof(*all->placed), by_place);
	check_in_order(all, &s);
	return 0;
}

int check_places(struct check *k)
{
	struct all_places all = { .k = k };
	int r;

	LOCK_SCOPE(&k->c->lock);
	r = check_collected(&all);
	free(all.loaded);
	free(all.placed);
	return r;
}
