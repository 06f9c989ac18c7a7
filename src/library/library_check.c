/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_check: one room after the other proves that what it keeps is whole, and that it fits what the room below
 * says.  Nothing is collected meanwhile; tapes are written and read as ever.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "library/holding.h"

struct check {
	struct library *lib;
	const struct library_check_config *cfg;
	struct library_checked *done;
	const char *room;
	bool stopped;
	bool headless;		/* there is a volume without its tape: pages may be all that is left of it */
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

	if (r == -ENOENT) {
		k->headless = true;
		return 1;
	}
	return r == -EBADMSG || r == -EUCLEAN ? 0 : r;
}

/* ---- tapes that the catalog has lost ---------------------------------------------------------------------------- */

static int default_pool(struct library *lib, struct catalog_pool *p)
{
	int r = catalog_pool_get(lib->cat, CATALOG_POOL_DEFAULT, p);

	return err_fold(r == CATALOG_E_NONE ? library_pool_create(lib, CATALOG_POOL_DEFAULT, NULL, p) : r);
}

/* Protected and in error, so that its generations stay: nobody knows what it was kept for, or until when it was locked;
 * and root's alone. */
static int give_row(struct library *lib, uint64_t volume, struct catalog_volume *row)
{
	struct catalog_pool p;
	int r;

	*row = (struct catalog_volume){ .id = volume, .state = STATE_ERROR, .protect = true };
	r = default_pool(lib, &p);
	if (r)
		return r;
	row->pool = p.id;
	row->perm = library_perm(NULL, 0600);
	row->created_ns = clock_now_ns();
	snprintf(row->name, sizeof(row->name), "LOST-%" PRIu64, volume);
	r = place_volume_add(lib, row, NULL);
	for (unsigned n = 2; r == CATALOG_E_EXISTS && n < 100; n++) {
		snprintf(row->name, sizeof(row->name), "LOST-%" PRIu64 "-%u", volume, n);
		r = place_volume_add(lib, row, NULL);
	}
	return err_fold(r);
}

/* Head and row come and go together: if the head is there still, the row did not go in between. */
static int check_row(struct check *k, uint64_t volume)
{
	char about[LIBRARY_ABOUT_MAX] = "", what[128];
	struct catalog_volume row;
	struct volume_stat st;
	bool given = false;
	int r;

	r = catalog_volume_by_id(k->lib->cat, volume, &row);
	if (r != CATALOG_E_NONE)
		return r == -EUCLEAN ? 0 : r;	/* a damaged row the catalog tells of */
	r = volume_peek(k->lib->kv, volume, &st);
	if (r)
		st = (struct volume_stat){ 0 };
	if (r == -ENOENT)
		return 0;
	if (k->cfg->repair) {
		r = give_row(k->lib, volume, &row);
		if (r)
			log_error("tape number %" PRIu64 " gets no name: %s", volume, err_text(r));
		given = !r;
	}
	if (given)
		catalog_event(k->lib->cat, EVENT_VOLUME_CREATED, library_about(k->lib, &row, about),
			      "a tape that the catalog had lost, number %" PRIu64 "; serial %s", volume, row.serial);
	snprintf(what, sizeof(what), "tape number %" PRIu64 ", %" PRIu64 " bytes in %" PRIu64 " tape files, is "
		 "no volume's", volume, st.end.bytes, st.end.marks);
	found(k, about, what, given);
	return 0;
}

static int check_rows(struct check *k)
{
	uint64_t volume = 0;
	int r;

	do {
		r = volume_next(k->lib->kv, volume, &volume);
		if (!r)
			r = check_row(k, volume);
	} while (!r && volume++ != UINT64_MAX);
	return r == -ENOENT ? 0 : r;
}

/* ---- the rooms ------------------------------------------------------------------------------------------------- */

static int check_database(struct check *k)
{
	return kv_check(k->lib->kv, found_by_kv, k);
}

static int check_catalog(struct check *k)
{
	const struct catalog_check_config cfg = { k->cfg->repair, has_head, found_by_room, k };

	int r;

	/* First, so that what it adds is looked at as well: numbers that could be given out again. */
	r = check_rows(k);
	return r ? r : catalog_check(k->lib->cat, &cfg, &k->done->catalog);
}

/* When the database was made anew with losses, packs and pages may be all that there is of some tape. */
static bool may_free_garbage(struct check *k)
{
	struct catalog_store s;

	return !k->headless && !catalog_store_get(k->lib->cat, &s) && !s.gc_off;
}

static int check_tapes(struct check *k)
{
	const struct tape_check_config cfg = {
		.repair = k->cfg->repair, .free_garbage = may_free_garbage(k),
		.found = found_by_tape, .progress = progress_of_tapes, .ctx = k,
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
