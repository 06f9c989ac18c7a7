/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_gc: space comes back.  Generations past their pool's keep time are dropped, then the store frees the packs
 * that no volume names any more and takes the rest out of those that hold little.  A thread does it once an hour, soon
 * after something was deleted, and when the disk is nearly full. Dropping is written to disk before a pack is freed: a
 * crash never leaves a map that names a pack that is gone.
 */
#include <errno.h>

#include "library/holding.h"

#define COLLECT_EVERY_NS (3600ull * 1000000000ull)
#define COLLECT_SOON_NS (2ull * 1000000000ull)		/* many deletions make one collection */
#define COLLECT_LOW_PAUSE_NS (300ull * 1000000000ull)	/* where nothing can be freed, searching is no help */

/* What a walk over the catalog finds; the catalog may hold its lock during the walk, so the work comes after. */
struct candidate { uint64_t id; bool scratch; };

static int found_pool(void *ctx, const struct catalog_pool *p)
{
	return buf_append(ctx, &p->id, sizeof(p->id));
}

static int found_volume(void *ctx, const struct catalog_volume *v)
{
	const struct candidate c = { v->id, v->state == STATE_SCRATCH };

	return buf_append(ctx, &c, sizeof(c));
}

/* What cannot be read of one pool is not in the way of the others. */
static int walk_catalog(struct library *lib, struct buf *out)
{
	CLEANUP(buf_fini) struct buf pools = BUF_INIT;
	int r = err_fold(catalog_pool_each(lib->cat, found_pool, &pools));
	uint32_t pool;

	for (size_t at = 0; at < pools.len; at += sizeof(pool)) {
		int failed;

		memcpy(&pool, pools.data + at, sizeof(pool));
		failed = err_fold(catalog_volume_each(lib->cat, pool, "", found_volume, out));
		r = r ? r : failed;
	}
	return r;
}

/* Generations that ended by then are not kept any more, by the pool that the volume is in now. */
static int kept_since(struct library *lib, const struct catalog_volume *row, uint64_t *since_ns)
{
	uint64_t now = clock_retention_ns(), keep_ns;
	struct catalog_pool pool;
	int r = err_fold(catalog_pool_by_id(lib->cat, row->pool, &pool));

	if (r)
		return r;
	*since_ns = __builtin_mul_overflow(pool.keep_s, 1000000000ull, &keep_ns) || now < keep_ns ? 0 : now - keep_ns;
	return 0;
}

/* What goes, or would go: counted, and for who only asks the volume and the moment. */
struct dropping {
	bool dry_run;
	uint64_t dropped;
	struct buf ended;	/* of struct tape_gc_ended, with @dry_run */
};

static void dropping_fini(struct dropping *d)
{
	buf_fini(&d->ended);
}

/* A lock, another site, an operator who has said that something is wrong with it: nothing of it goes. */
static bool keeps_all(struct library *lib, const struct catalog_volume *row)
{
	return row->state == STATE_ERROR || library_locked_until(lib, row) ||
	       library_access(lib, row) != ACCESS_PRIMARY;
}

/* Of a deleted one they are gone.  @dry_run: only counted. */
static int drop_generations(struct library *lib, uint64_t volume, struct dropping *d)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	uint64_t n = 0, since_ns = 0;
	struct catalog_volume row;
	int r;

	LOCK_SCOPE(&lib->change);
	r = library_row(lib, volume, &row);
	if (r == -ENOENT || (!r && keeps_all(lib, &row)))
		return 0;
	if (!r)
		r = kept_since(lib, &row, &since_ns);
	if (!r)
		r = kv_batch_new(&b);
	if (!r)
		r = volume_drop_generations(lib->kv, b, volume, since_ns, &n);
	if (r == -ENOENT)
		return 0;
	if (!r && n)
		r = d->dry_run ? buf_append(&d->ended, &(struct tape_gc_ended){ volume, since_ns },
					    sizeof(struct tape_gc_ended)) :
				 kv_write(lib->kv, b, true);
	d->dropped += n;
	return r;
}

static void assign(struct catalog_volume *row, void *ctx)
{
	if (row->state == STATE_SCRATCH)
		row_become(row, STATE_ASSIGNED);
}

/* A crash may have come between the first write and the catalog's word of it. */
static int assign_if_written(struct library *lib, const struct candidate *c)
{
	struct volume_stat st;

	if (library_stat(lib, c->id, &st) || !st.end.objects)
		return 0;
	return library_volume_change(lib, c->id, assign, NULL);
}

/* One tape that cannot be read does not keep the space of all others: the first failure is told at the end. */
static int drop_all(struct library *lib, struct dropping *d)
{
	CLEANUP(buf_fini) struct buf found = BUF_INIT;
	struct candidate *c, *end;
	int r, failed;

	failed = walk_catalog(lib, &found);
	c = (struct candidate *)found.data;
	for (end = c + found.len / sizeof(*c); c < end; c++) {
		uint64_t before = d->dropped;

		r = c->scratch && !d->dry_run ? assign_if_written(lib, c) : 0;
		if (!r)
			r = drop_generations(lib, c->id, d);
		if (!r && !d->dry_run && d->dropped > before)
			watch_tell(lib, c->id, WATCH_DROPPED);
		if (r && !failed)
			failed = r;
		if (r)
			log_warn("volume number %llu: its old generations stay: %s", (unsigned long long)c->id,
				 err_text(r));
	}
	return failed;
}

static int by_volume(const void *a, const void *b)
{
	const struct tape_gc_ended *x = a, *y = b;

	return (x->volume > y->volume) - (x->volume < y->volume);
}

/* @ended: what only was to be counted is looked at as if it was done. */
static int free_space(struct library *lib, const struct tape_gc_config *cfg, struct buf *ended,
		      struct tape_gc_report *out)
{
	struct tape_gc_config c = *cfg;

	c.ended_count = ended->len / sizeof(*c.ended);
	if (c.ended_count)
		qsort(ended->data, c.ended_count, sizeof(*c.ended), by_volume);
	c.ended = (const struct tape_gc_ended *)ended->data;
	return err_fold(tape_gc(lib->shelf, &c, out));
}

static void tell_freed(struct library *lib, const char *why, const struct library_gc_report *done)
{
	char freed[16], copied[16];

	catalog_event(lib->cat, EVENT_SPACE_FREED, "", "%llu generations dropped, %llu packs freed, %s, %s copied; %s",
		      (unsigned long long)done->dropped_generations, (unsigned long long)done->tape.freed_packs,
		      format_size(done->tape.freed_bytes, freed), format_size(done->tape.copied_bytes, copied), why);
}

/* @why: for the event. */
static int gc_for(struct library *lib, const struct tape_gc_config *cfg, const char *why, struct library_gc_report *out)
{
	CLEANUP(dropping_fini) struct dropping d = { .dry_run = cfg->dry_run };
	struct library_gc_report done = { 0 };
	struct catalog_store props;
	int failed, r;

	LOCK_SCOPE(&lib->gc);
	r = err_fold(catalog_store_get(lib->cat, &props));
	if (r)
		return r;
	if (props.gc_off && !cfg->dry_run)
		return err_explain(
			-EPERM,
			"nothing is freed as long as the store's property gc is off: packs may hold "
			"what a lost database knew of; `vtape set gc=on` when nothing more is to be had from them");
	failed = drop_all(lib, &d);
	done.dropped_generations = d.dropped;
	r = free_space(lib, cfg, &d.ended, &done.tape);
	if (!cfg->dry_run && (done.tape.freed_packs || done.dropped_generations))
		tell_freed(lib, why, &done);
	*out = done;
	return failed ? failed : r;
}

int library_gc(struct library *lib, const struct tape_gc_config *cfg, struct library_gc_report *out)
{
	return gc_for(lib, cfg, "asked for", out);
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

/* The end of the library ends it between any two steps. */
static int collect_on(void *ctx, const struct tape_gc_report *so_far)
{
	struct library *lib = ctx;
	(void)so_far;
	LOCK_SCOPE(&lib->lock);
	return lib->stop;
}

static void collect(struct library *lib, const char *why)
{
	struct tape_gc_config cfg = { .progress = collect_on, .ctx = lib };
	struct library_gc_report done;
	struct catalog_store props;
	int r;

	r = err_fold(catalog_store_get(lib->cat, &props));
	if (!r && !props.gc_off) {
		cfg.live_percent = props.gc_live_percent;
		cfg.rate_bytes = props.gc_rate_bytes;
		r = gc_for(lib, &cfg, why, &done);
	}
	if (r)
		log_error("collecting free space: %s", err_text(r));
}

/* With `lock`; until the hour is over, somebody wishes a collection, space is low, or all ends. */
static void collector_sleep(struct library *lib, uint64_t last)
{
	uint64_t hour = last + COLLECT_EVERY_NS, low, soon;

	for (;;) {
		low = last + COLLECT_LOW_PAUSE_NS;
		if (lib->stop || lib->wish || !library_wait_for(lib, &lib->wished, lib->low && low < hour ? low : hour))
			break;
	}
	soon = clock_mono_ns() + COLLECT_SOON_NS;
	while (!lib->stop && lib->wish && library_wait_for(lib, &lib->wished, soon))
		;
}

/* With `lock`. */
static const char *collector_reason(struct library *lib, const char *first)
{
	if (lib->low)
		return "space is low";
	return lib->wish ? first : "as every hour";
}

static void *collector_run(void *ctx)
{
	struct library *lib = ctx;
	const char *first = "after a start", *why;
	uint64_t last = clock_mono_ns();

	pthread_mutex_lock(&lib->lock);
	lib->wish = true;	/* what a crash left is finished */
	while (!lib->stop) {
		collector_sleep(lib, last);
		why = collector_reason(lib, first);
		lib->wish = false;
		if (lib->stop)
			break;
		pthread_mutex_unlock(&lib->lock);
		collect(lib, why);
		first = "after something was deleted";
		last = clock_mono_ns();
		pthread_mutex_lock(&lib->lock);
	}
	pthread_mutex_unlock(&lib->lock);
	return NULL;
}

int collector_start(struct library *lib)
{
	LOCK_SCOPE(&lib->lock);
	int r = pthread_create(&lib->collector, NULL, collector_run, lib);

	lib->collecting = !r;
	return r ? err_origin(-r) : 0;
}

void collector_stop(struct library *lib)
{
	if (!lib->collecting)
		return;
	pthread_mutex_lock(&lib->lock);
	lib->stop = true;
	pthread_cond_broadcast(&lib->wished);
	pthread_mutex_unlock(&lib->lock);
	pthread_join(lib->collector, NULL);
	lib->collecting = false;
}

void collector_wake(struct library *lib)
{
	LOCK_SCOPE(&lib->lock);
	lib->wish = true;
	pthread_cond_broadcast(&lib->wished);
}

void collector_low(struct library *lib, bool low)
{
	LOCK_SCOPE(&lib->lock);
	if (lib->low == low)
		return;
	/* The first time at once; while it lasts, the collector looks again by itself. */
	lib->low = low;
	lib->wish |= low;
	pthread_cond_broadcast(&lib->wished);
}
