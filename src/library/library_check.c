/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_check: one room after the other proves that what it keeps is whole, and that it fits what the room below says.
 * Nothing is collected meanwhile; tapes are written and read as ever.
 */
#include <errno.h>

#include "library/holding.h"

struct check {
	struct library *lib;
	const struct library_check_config *cfg;
	struct library_checked *done;
	const char *room;
	bool stopped;
};

static void found(struct check *k, const char *about, const char *what, bool repaired)
{
	k->done->faults++;
	k->done->repaired += repaired;
	if (k->cfg->found)
		k->cfg->found(k->cfg->ctx, k->room, about, what, repaired);
}

static void found_by_room(void *ctx, const char *what, bool repaired)
{
	found(ctx, "", what, repaired);
}

static void found_by_kv(void *ctx, const char *what)
{
	found(ctx, "", what, false);
}

static void found_by_tape(void *ctx, uint64_t volume, const char *what, bool repaired)
{
	struct check *k = ctx;
	char about[LIBRARY_ABOUT_MAX] = "";
	struct catalog_volume row;

	if (volume && !catalog_volume_by_id(k->lib->cat, volume, &row))
		library_about(k->lib, &row, about);
	found(k, about, what, repaired);
}

static int progress(struct check *k, uint64_t done, uint64_t all)
{
	int r = k->cfg->progress ? k->cfg->progress(k->cfg->ctx, k->room, done, all) : 0;

	k->stopped |= r != 0;
	return r;
}

static int progress_of_packs(void *ctx, uint64_t done, uint64_t all)
{
	return progress(ctx, done, all);
}

static int progress_of_tapes(void *ctx, uint64_t done)
{
	struct check *k = ctx;

	return progress(k, done, k->done->catalog.volumes);
}

/* A head that is damaged is one; the tapes' own check tells of it. */
static int has_head(void *ctx, uint64_t volume)
{
	struct check *k = ctx;
	struct volume_stat st;
	int r = volume_peek(k->lib->kv, volume, &st);

	if (r == -ENOENT)
		return 1;
	return r == -EBADMSG || r == -EUCLEAN ? 0 : r;
}

/* ---- the rooms ------------------------------------------------------------------------------------------------- */

static int check_database(struct check *k)
{
	return kv_check(k->lib->kv, found_by_kv, k);
}

static int check_catalog(struct check *k)
{
	const struct catalog_check_config cfg = { k->cfg->repair, has_head, found_by_room, k };

	return catalog_check(k->lib->cat, &cfg, &k->done->catalog);
}

static int check_tapes(struct check *k)
{
	const struct tape_check_config cfg = {
		.repair = k->cfg->repair, .found = found_by_tape, .progress = progress_of_tapes, .ctx = k,
	};

	return tape_check(k->lib->shelf, &cfg, &k->done->tape);
}

static int check_packs(struct check *k)
{
	const struct chunk_check_config cfg = { k->cfg->data, k->cfg->repair, found_by_room, progress_of_packs, k };

	return chunk_store_check(k->lib->cs, &cfg, &k->done->chunk);
}

/* From the bottom of what is trusted to the top of what is large. */
static const struct {
	const char *name;
	int (*check)(struct check *k);
} rooms[] = {
	{ "database", check_database },
	{ "catalog", check_catalog },
	{ "tapes", check_tapes },
	{ "packs", check_packs },
};

static void tell(struct library *lib, const struct library_checked *done)
{
	catalog_event(lib->cat, done->faults > done->repaired ? EVENT_CHECK_FAILED : EVENT_CHECKED, "",
		      "%llu volumes, %llu generations, %llu packs, %llu chunks; faults: %llu, repaired: %llu",
		      (unsigned long long)done->catalog.volumes, (unsigned long long)done->tape.generations,
		      (unsigned long long)done->chunk.packs, (unsigned long long)done->chunk.chunks,
		      (unsigned long long)done->faults, (unsigned long long)done->repaired);
}

/* A room that cannot be looked at at all is a fault of it, and no reason to leave out the others; but who stopped us
 * wants no more. */
int library_check(struct library *lib, const struct library_check_config *cfg, struct library_checked *out)
{
	struct library_checked done = { 0 };
	struct check k = { .lib = lib, .cfg = cfg, .done = &done };
	size_t i;
	int r;

	LOCK_SCOPE(&lib->gc);
	for (i = 0; i < ARRAY_LEN(rooms); i++) {
		k.room = rooms[i].name;
		r = progress(&k, 0, 0);
		if (!r)
			r = rooms[i].check(&k);
		if (!k.stopped && (r == -EBADMSG || r == -EUCLEAN || r == -EIO))
			found(&k, "", err_text(r), false);
		else if (r)
			return r;
	}
	tell(lib, &done);
	*out = done;
	return 0;
}
