/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_gc: space comes back.  Generations past their pool's keep time are dropped, then the store frees the packs
 * that no volume names any more.  A thread does it once an hour, soon after something was deleted, and when the disk
 * is nearly full. Dropping is written to disk before a pack is freed: a crash never leaves a map that names a pack
 * that is gone.
 */
#include <errno.h>

#include "library/holding.h"

#define COLLECT_EVERY_NS (3600ull * 1000000000ull)
#define COLLECT_SOON_NS (2ull * 1000000000ull)		/* many deletions make one collection */
#define COLLECT_LOOK_NS (10ull * 1000000000ull)		/* how often the free space is looked at */
#define COLLECT_LOW_PAUSE_NS (300ull * 1000000000ull)	/* where nothing can be freed, searching is no help */
#define COLLECT_LOW_PART 20u				/* low: less than a 20th is free */

/* What a walk over the catalog finds; the catalog may hold its lock during the walk, so the work comes after. */
struct candidate { uint64_t id, ended_ns; bool scratch; };
struct walk {
	struct library *lib;
	struct buf found;	/* of struct candidate */
	struct buf pools;	/* of struct catalog_pool */
	uint64_t now_ns, keep_s;
};

static int found_pool(void *ctx, const struct catalog_pool *p)
{
	struct walk *w = ctx;

	return buf_append(&w->pools, p, sizeof(*p));
}

static int found_volume(void *ctx, const struct catalog_volume *v)
{
	struct walk *w = ctx;
	uint64_t keep_ns = w->keep_s > UINT64_MAX / 1000000000ull ? UINT64_MAX : w->keep_s * 1000000000ull;
	struct candidate c = { v->id, w->now_ns > keep_ns ? w->now_ns - keep_ns : 0, v->state == STATE_SCRATCH };

	return buf_append(&w->found, &c, sizeof(c));
}

static int walk_catalog(struct walk *w)
{
	struct catalog_pool *p, *end;
	int r;

	r = catalog_pool_each(w->lib->cat, found_pool, w);
	if (r)
		return err_fold(r);
	p = (struct catalog_pool *)w->pools.data;
	for (end = p + w->pools.len / sizeof(*p); p < end && !r; p++) {
		w->keep_s = p->keep_s;
		r = err_fold(catalog_volume_each(w->lib->cat, p->id, "", found_volume, w));
	}
	return r;
}

static int drop_generations(struct library *lib, const struct candidate *c, uint64_t *dropped)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	uint64_t n = 0;
	int r;

	LOCK_SCOPE(&lib->change);
	r = kv_batch_new(&b);
	if (!r)
		r = volume_drop_generations(lib->kv, b, c->id, c->ended_ns, &n);
	if (r == -ENOENT)
		return 0;	/* deleted since the walk */
	if (!r && n)
		r = kv_write(lib->kv, b, true);
	*dropped += n;
	return r;
}

static void assign(struct catalog_volume *row, void *ctx)
{
	if (row->state == STATE_SCRATCH)
		row->state = STATE_ASSIGNED;
}

/* A crash may have come between the first write and the catalog's word of it. */
static int assign_if_written(struct library *lib, const struct candidate *c)
{
	struct volume_stat st;

	if (library_stat(lib, c->id, &st) || !st.end.objects)
		return 0;
	return library_volume_change(lib, c->id, assign, NULL);
}

int library_gc(struct library *lib, const struct tape_gc_config *cfg, struct library_gc_report *out)
{
	struct walk w = { .lib = lib, .found = BUF_INIT, .pools = BUF_INIT, .now_ns = clock_now_ns() };
	struct library_gc_report done = { 0 };
	struct candidate *c, *end;
	char size[32];
	int r;

	LOCK_SCOPE(&lib->gc);
	r = walk_catalog(&w);
	c = (struct candidate *)w.found.data;
	for (end = c + w.found.len / sizeof(*c); c < end && !r; c++) {
		if (c->scratch)
			r = assign_if_written(lib, c);
		if (!r)
			r = drop_generations(lib, c, &done.dropped_generations);
	}
	buf_fini(&w.found);
	buf_fini(&w.pools);
	if (!r)
		r = err_fold(tape_gc(lib->shelf, cfg, &done.tape));
	if (done.tape.freed_packs || done.dropped_generations)
		catalog_event(lib->cat, EVENT_SPACE_FREED, "", "%llu generations dropped, %llu packs freed, %s",
			      (unsigned long long)done.dropped_generations, (unsigned long long)done.tape.freed_packs,
			      format_size(done.tape.freed_bytes, size));
	if (r)
		return r;
	*out = done;
	return 0;
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

static bool space_is_low(struct library *lib)
{
	uint64_t avail, total;

	return !chunk_store_space(lib->cs, &avail, &total) && avail < total / COLLECT_LOW_PART;
}

static void collect(struct library *lib, bool low)
{
	const struct tape_gc_config cfg = { 0 };
	struct library_gc_report done;
	int r;

	if (low)
		catalog_event(lib->cat, EVENT_NO_SPACE, "", "less than one part in %u of the disk is free",
			      COLLECT_LOW_PART);
	r = library_gc(lib, &cfg, &done);
	if (r)
		log_error("collecting free space: %s", err_text(r));
}

/* With `lock`; until it is time to look again, somebody wishes a collection, or all ends. */
static void collector_sleep(struct library *lib)
{
	uint64_t until = clock_mono_ns() + COLLECT_LOOK_NS;

	while (!lib->stop && !lib->wish && library_wait(lib, until))
		;
	until = clock_mono_ns() + COLLECT_SOON_NS;
	while (!lib->stop && lib->wish && library_wait(lib, until))
		;
}

static void *collector_run(void *ctx)
{
	struct library *lib = ctx;
	uint64_t last = clock_mono_ns(), since;
	bool low, wish;

	pthread_mutex_lock(&lib->lock);
	lib->wish = true;	/* what a crash left is finished */
	while (!lib->stop) {
		collector_sleep(lib);
		wish = lib->wish;
		lib->wish = false;
		if (lib->stop)
			break;
		pthread_mutex_unlock(&lib->lock);
		since = clock_mono_ns() - last;
		low = since > COLLECT_LOW_PAUSE_NS && space_is_low(lib);
		if (low || wish || since > COLLECT_EVERY_NS) {
			collect(lib, low);
			last = clock_mono_ns();
		}
		pthread_mutex_lock(&lib->lock);
	}
	pthread_mutex_unlock(&lib->lock);
	return NULL;
}

int collector_start(struct library *lib)
{
	int r = pthread_create(&lib->collector, NULL, collector_run, lib);

	if (r)
		return err_origin(-r);
	lib->collecting = true;
	return 0;
}

void collector_stop(struct library *lib)
{
	if (!lib->collecting)
		return;
	pthread_mutex_lock(&lib->lock);
	lib->stop = true;
	pthread_cond_broadcast(&lib->turned);
	pthread_mutex_unlock(&lib->lock);
	pthread_join(lib->collector, NULL);
	lib->collecting = false;
}

void collector_wake(struct library *lib)
{
	LOCK_SCOPE(&lib->lock);
	lib->wish = true;
	pthread_cond_broadcast(&lib->turned);
}
