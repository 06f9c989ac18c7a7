/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_keep: the keeper, a thread that looks after what takes no time but must not be late: the retention clock, the
 * space that is left, damage that a reader came across, a scrub that is due.  What takes long has a thread of its own.
 *
 * Damage is reported by a thread that reads, with the store's locks held; which tapes it hurts is found out here.
 */
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

#define SECOND_NS 1000000000ull
#define TICK_NS (60ull * SECOND_NS)		/* of the retention clock */
#define LOOK_NS (10ull * SECOND_NS)		/* how often the space is looked at, at least */
#define LOOK_SOON_NS (SECOND_NS / 5)
#define FAST_BYTES (2ull << 30)			/* a second: no disk of ours fills up faster */
#define LOW_PART 20u				/* low: less than a 20th is free */
#define LOW_MIN (96ull << 20)			/* and more than where early warning begins */
#define LOW_TELL_NS (24ull * 3600ull * SECOND_NS)
#define DAMAGE_GATHER_NS (SECOND_NS / 2)	/* a disk that dies hurts many chunks at once */

/* ---- space --------------------------------------------------------------------------------------------------- */

static uint64_t low_mark(uint64_t total)
{
	uint64_t low = total / LOW_PART;

	return low > LOW_MIN ? low : LOW_MIN;
}

/* What is left is looked at before a fast writer can have used it up. */
static uint64_t next_look_ns(uint64_t avail, uint64_t low)
{
	uint64_t ns;

	if (avail <= low)
		return LOOK_NS;
	ns = (avail - low) / (FAST_BYTES / SECOND_NS + 1);
	return ns < LOOK_SOON_NS ? LOOK_SOON_NS : ns > LOOK_NS ? LOOK_NS : ns;
}

/* Low until a quarter more than that is free again: a store at the edge tells it once, not every minute.  True: it is
 * to be told. */
static bool space_changes(struct keeper *k, uint64_t avail, uint64_t low, bool *now_low)
{
	LOCK_SCOPE(&k->lock);
	uint64_t now = clock_mono_ns();
	bool was = k->low;

	k->low = *now_low = avail < low + (was ? low / 4 : 0);
	if (!k->low || (was && now - k->low_told_ns < LOW_TELL_NS))
		return false;
	k->low_told_ns = now;
	return true;
}

uint64_t keeper_look_at_space(struct library *lib)
{
	uint64_t avail, total, low;
	char left[16], size[16];
	bool is_low;

	if (chunk_store_space(lib->cs, &avail, &total))
		return LOOK_NS;
	low = low_mark(total);
	if (space_changes(&lib->keeper, avail, low, &is_low))
		catalog_event(lib->cat, EVENT_NO_SPACE, "", "space is low: %s are left for writers, on a disk of %s",
			      format_size(avail, left), format_size(total, size));
	collector_low(lib, is_low);
	return next_look_ns(avail, low);
}

/* Tapes have ends of their own, which are no news; the disk's is near when less than this is left. */
#define END_BYTES (64ull << 20)
#define FULL_BIT (1ull << 62)	/* in the table of what was told */

void library_no_space(struct library *lib, uint64_t volume)
{
	char about[LIBRARY_ABOUT_MAX], left[16];
	struct catalog_volume row;
	uint64_t avail, total;

	if (chunk_store_space(lib->cs, &avail, &total) || avail > END_BYTES || library_row(lib, volume, &row) ||
	    !library_worth_telling(lib, FULL_BIT | volume))
		return;
	catalog_event(lib->cat, EVENT_NO_SPACE, library_about(lib, &row, about),
		      "its writer met the end of the disk: %s are left for writers", format_size(avail, left));
}

int library_has_room(struct library *lib, const char *name)
{
	uint64_t avail, total;
	int r = chunk_store_space(lib->cs, &avail, &total);

	if (r || avail)
		return r;
	return err_explain(-ENOSPC, "volume %s is not made: the store's disk is full but for what is kept back", name);
}

/* ---- damage -------------------------------------------------------------------------------------------------- */

/* From any thread, under any lock: only noted here.  What finds no room is counted. */
void keeper_damaged(void *ctx, struct pack_ref ref, const struct digest *d)
{
	struct keeper *k = &((struct library *)ctx)->keeper;

	(void)d;
	LOCK_SCOPE(&k->lock);
	if (k->hurts == KEEPER_HURTS)
		k->hurts_more++;
	else
		k->hurt[k->hurts++] = ref;
	if (k->hurts == 1)
		pthread_cond_signal(&k->wake);
}

/* ---- the thread ---------------------------------------------------------------------------------------------- */

/* With the keeper's lock: until @until_ns, or there is damage to be told, or all ends. */
static void keeper_sleep(struct keeper *k, uint64_t until_ns)
{
	struct timespec ts = { (time_t)(until_ns / SECOND_NS), (long)(until_ns % SECOND_NS) };

	while (!k->stop && !k->hurts && clock_mono_ns() < until_ns)
		pthread_cond_timedwait(&k->wake, &k->lock, &ts);
}

/* With the keeper's lock, given up meanwhile. */
static void keeper_tell_damage(struct library *lib)
{
	struct keeper *k = &lib->keeper;
	struct pack_ref refs[KEEPER_HURTS];
	uint64_t more = k->hurts_more;
	unsigned n = k->hurts;

	memcpy(refs, k->hurt, n * sizeof(*refs));
	k->hurts = 0;
	k->hurts_more = 0;
	pthread_mutex_unlock(&k->lock);
	damage_tell(lib, refs, n, more);
	pthread_mutex_lock(&k->lock);
}

/* With the keeper's lock: what comes in a row is told together. */
static void keeper_gather(struct library *lib)
{
	struct keeper *k = &lib->keeper;
	uint64_t until = clock_mono_ns() + DAMAGE_GATHER_NS;
	struct timespec ts = { (time_t)(until / SECOND_NS), (long)(until % SECOND_NS) };

	while (!k->stop && clock_mono_ns() < until)
		pthread_cond_timedwait(&k->wake, &k->lock, &ts);
	keeper_tell_damage(lib);
}

static void *keeper_run(void *ctx)
{
	struct library *lib = ctx;
	struct keeper *k = &lib->keeper;
	uint64_t tick = clock_mono_ns() + TICK_NS, look = 0;

	pthread_mutex_lock(&k->lock);
	while (!k->stop) {
		pthread_mutex_unlock(&k->lock);
		if (clock_mono_ns() >= look)
			look = clock_mono_ns() + keeper_look_at_space(lib);
		if (clock_mono_ns() >= tick) {
			if (catalog_clock_tick(lib->cat))
				log_warn("the retention clock is not written");
			scrub_begin_if_due(lib);
			tick = clock_mono_ns() + TICK_NS;
		}
		pthread_mutex_lock(&k->lock);
		keeper_sleep(k, look < tick ? look : tick);
		if (k->hurts)
			keeper_gather(lib);
	}
	if (k->hurts)
		keeper_tell_damage(lib);
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

void keeper_init(struct keeper *k)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->wake, &attr);
	pthread_condattr_destroy(&attr);
}

int keeper_start(struct library *lib)
{
	LOCK_SCOPE(&lib->keeper.lock);
	int r = pthread_create(&lib->keeper.thread, NULL, keeper_run, lib);

	lib->keeper.running = !r;
	return r ? err_origin(-r) : 0;
}

void keeper_stop(struct library *lib)
{
	struct keeper *k = &lib->keeper;

	if (!k->running)
		return;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	k->running = false;
}

void keeper_fini(struct keeper *k)
{
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
}
