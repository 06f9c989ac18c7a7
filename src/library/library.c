/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library: opening and closing of it all, and what several of its files need.  Everything that is loaded is put back
 * where it was; a volume that cannot be put back stays out of its drive, with a line in the log, and stops nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "library/holding.h"

bool library_wait(struct library *lib, uint64_t deadline_ns)
{
	struct timespec ts = { (time_t)(deadline_ns / 1000000000ull), (long)(deadline_ns % 1000000000ull) };

	if (!deadline_ns) {
		pthread_cond_wait(&lib->turned, &lib->lock);
		return true;
	}
	return pthread_cond_timedwait(&lib->turned, &lib->lock, &ts) != ETIMEDOUT;
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
	a.protect = row->protect || row->access != ACCESS_PRIMARY;
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

/* "MONDAY, TUESDAY and 3 more", as far as a text of an event goes. */
struct hurt {
	struct library *lib;
	char names[160];
	unsigned more;
};

static int hurt_add(void *ctx, uint64_t volume)
{
	struct hurt *h = ctx;
	struct catalog_volume row;
	size_t used = strlen(h->names);
	int r = catalog_volume_by_id(h->lib->cat, volume, &row);

	if (r)
		return r < 0 ? r : 0;
	if (used + strlen(row.name) + 3 > sizeof(h->names))
		h->more++;
	else
		snprintf(h->names + used, sizeof(h->names) - used, "%s%s", used ? ", " : "", row.name);
	return 0;
}

static void damaged(void *ctx, struct pack_ref ref, const struct digest *d)
{
	struct hurt hurt = { .lib = ctx };
	char more[32] = "";
	int r;

	r = volume_each_in_pack(hurt.lib->kv, ref.pack, hurt_add, &hurt);
	if (r < 0)
		log_error("which tapes have data in pack %llx is not known: %s", (unsigned long long)ref.pack, err_text(r));
	if (hurt.more)
		snprintf(more, sizeof(more), " and %u more", hurt.more);
	catalog_event(hurt.lib->cat, EVENT_CHUNK_DAMAGED, "",
		      "chunk %02x%02x%02x%02x fails its check: pack %llx, slot %u, which has data of %s%s",
		      d->b[0], d->b[1], d->b[2], d->b[3], (unsigned long long)ref.pack, ref.slot,
		      hurt.names[0] ? hurt.names : "no tape", more);
}

static int library_restore(struct library *lib)
{
	uint64_t id;
	unsigned n;
	int r;

	for (n = 0; n < lib->drives; n++) {
		r = catalog_drive_get(lib->cat, n, &id);
		if (r < 0)
			return r;
		if (r || !id)
			continue;
		r = library_load(lib, n, id);
		if (!r)
			continue;
		log_warn("drive nst%u: volume number %llu cannot be loaded again: %s", n, (unsigned long long)id,
			 err_text(r));
		r = catalog_drive_put(lib->cat, n, 0);
		if (r < 0)
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
	pthread_mutex_init(&lib->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&lib->turned, &attr);
	pthread_condattr_destroy(&attr);
	for (n = 0; n < lib->drives; n++) {
		r = drive_new(&lib->slot[n].drive);
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
	if (!r)
		r = library_restore(lib);
	if (!r)
		r = collector_start(lib);
	if (r) {
		library_close(lib);
		return r;
	}
	chunk_store_on_damage(cs, damaged, lib);
	*out = lib;
	return 0;
}

/* The tapes stay in the drives: what the catalog says of them is not touched. */
static void library_empty_drives(struct library *lib)
{
	struct slot *s;
	int r;

	for (s = lib->slot; s < lib->slot + lib->drives; s++) {
		if (!s->drive)
			continue;
		r = drive_unload(s->drive);
		if (r)
			log_error("drive nst%u: %s", (unsigned)(s - lib->slot), err_text(err_fold(r)));
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
			free(h);
		}
	}
	lib->shelf = shelf_free(lib->shelf);
	pthread_cond_destroy(&lib->turned);
	pthread_mutex_destroy(&lib->lock);
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
