/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library: opening and closing of it all, and what several of its files need.  Everything that is loaded is put back
 * where it was; a volume that cannot be put back stays out of its drive, with a line in the log, and stops nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "library/holding.h"

bool library_wait_for(struct library *lib, pthread_cond_t *cond, uint64_t deadline_ns)
{
	struct timespec ts = { (time_t)(deadline_ns / 1000000000ull), (long)(deadline_ns % 1000000000ull) };

	if (!deadline_ns) {
		pthread_cond_wait(cond, &lib->lock);
		return true;
	}
	return pthread_cond_timedwait(cond, &lib->lock, &ts) != ETIMEDOUT;
}

bool library_wait(struct library *lib, uint64_t deadline_ns)
{
	return library_wait_for(lib, &lib->turned, deadline_ns);
}

int library_row(struct library *lib, uint64_t id, struct catalog_volume *out)
{
	int r = catalog_volume_by_id(lib->cat, id, out);

	if (r == CATALOG_E_NONE)
		return err_explain(-ENOENT, "volume number %llu is not there any more", (unsigned long long)id);
	return err_fold(r);
}

int library_attr(struct library *lib, const struct catalog_volume *row, struct volume_attr *out)
{
	struct volume_attr a = { .id = row->id, .capacity_bytes = row->capacity_bytes, .worm = row->worm };
	struct catalog_pool pool;
	int r = catalog_pool_by_id(lib->cat, row->pool, &pool);

	if (r == CATALOG_E_NONE)
		return err_explain(-EUCLEAN, "volume %s: its pool, number %u, is not there", row->name, row->pool);
	if (r)
		return err_fold(r);
	snprintf(a.barcode, sizeof(a.barcode), "%s", row->name);
	/* A copy that another site keeps is for reading. */
	a.protect = row->protect || catalog_access_of(row, &pool) != ACCESS_PRIMARY;
	/* What is still arriving is no tape yet. */
	if (row->state != STATE_INCOMING)
		a.locked_until_ns = row->locked_until_ns > pool.locked_until_ns ? row->locked_until_ns :
										  pool.locked_until_ns;
	a.store.codec = pool.codec;
	a.store.level = pool.level;
	a.store.verify = pool.verify;
	*out = a;
	return 0;
}

char *library_about(struct library *lib, const struct catalog_volume *row, char out[LIBRARY_ABOUT_MAX])
{
	struct catalog_pool pool;

	if (catalog_pool_by_id(lib->cat, row->pool, &pool))
		snprintf(pool.name, sizeof(pool.name), "?");
	snprintf(out, LIBRARY_ABOUT_MAX, "%s/%s", pool.name, row->name);
	return out;
}

/* By the rows of drives, which library_place.c has read. */
static int library_restore(struct library *lib)
{
	uint64_t id;
	unsigned n;
	int r;

	for (n = 0; n < lib->drives; n++) {
		id = lib->places.drive[n].volume;
		if (!id)
			continue;
		r = library_load(lib, n, id);
		if (!r)
			continue;
		log_warn("drive nst%u: volume number %llu cannot be loaded again: %s", n, (unsigned long long)id,
			 err_text(r));
		r = place_leave(lib, n, id);
		if (r)
			return r;
	}
	return 0;
}

static int library_init(struct library *lib)
{
	pthread_condattr_t attr;
	unsigned n;
	int r;

	pthread_mutex_init(&lib->gc, NULL);
	pthread_mutex_init(&lib->change, NULL);
	pthread_mutex_init(&lib->lending, NULL);
	pthread_mutex_init(&lib->lock, NULL);
	pthread_mutex_init(&lib->watch.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&lib->turned, &attr);
	pthread_cond_init(&lib->wished, &attr);
	pthread_condattr_destroy(&attr);
	keeper_init(&lib->keeper);
	scrub_init(lib);
	places_init(lib);
	for (n = 0; n < lib->drives; n++) {
		r = drive_new(&lib->bay[n].drive);
		if (r)
			return r;
	}
	return 0;
}

int library_open(struct catalog *cat, struct kv *kv, struct chunk_store *cs, unsigned drives, struct library **out)
{
	struct library *lib;
	int r;

	if (drives > LIBRARY_DRIVES_MAX)
		return err_explain(-EINVAL, "%u drives: at most %u", drives, LIBRARY_DRIVES_MAX);
	lib = calloc(1, sizeof(*lib));
	if (!lib)
		return err_origin(-ENOMEM);
	lib->cat = cat;
	lib->kv = kv;
	lib->cs = cs;
	lib->drives = drives;
	r = library_init(lib);
	if (!r)
		r = shelf_new(kv, cs, &lib->shelf);
	if (!r) {
		chunk_store_on_damage(cs, keeper_damaged, lib);
		r = places_load(lib);
	}
	if (!r)
		r = library_restore(lib);
	if (!r)
		r = places_fill(lib);
	if (!r)
		r = collector_start(lib);
	if (!r)
		r = keeper_start(lib);
	if (r) {
		library_close(lib);
		return r;
	}
	*out = lib;
	return 0;
}

/* The tapes stay in the drives: what the catalog says of them is not touched. */
static void library_empty_drives(struct library *lib)
{
	struct bay *s;
	int r;

	for (s = lib->bay; s < lib->bay + lib->drives; s++) {
		if (!s->drive)
			continue;
		r = drive_unload(s->drive);
		if (r)
			log_error("drive nst%u: %s", (unsigned)(s - lib->bay), err_text(err_fold(r)));
		drive_free(s->drive);
	}
}

struct library *library_close(struct library *lib)
{
	struct holding *h, *next;
	unsigned i;
	int error;

	if (!lib)
		return NULL;
	keeper_stop(lib);
	scrub_end(lib);
	collector_stop(lib);
	chunk_store_on_damage(lib->cs, NULL, NULL);
	library_empty_drives(lib);
	for (i = 0; i < LIBRARY_BUCKETS; i++) {
		for (h = lib->held[i]; h; h = next) {
			next = h->next;
			error = 0;
			volume_close(h->vol, &error);
			if (error)
				log_error("volume number %llu: %s", (unsigned long long)h->id, err_text(error));
			held_free(h);
		}
	}
	lib->shelf = shelf_free(lib->shelf);
	keeper_fini(&lib->keeper);
	places_fini(lib);
	pthread_cond_destroy(&lib->turned);
	pthread_cond_destroy(&lib->wished);
	pthread_mutex_destroy(&lib->watch.lock);
	pthread_mutex_destroy(&lib->lock);
	pthread_mutex_destroy(&lib->lending);
	pthread_mutex_destroy(&lib->change);
	pthread_mutex_destroy(&lib->gc);
	free(lib);
	return NULL;
}

struct catalog *library_catalog(struct library *lib)
{
	return lib->cat;
}

struct chunk_store *library_chunks(struct library *lib)
{
	return lib->cs;
}
