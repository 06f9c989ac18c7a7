/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_lock: retention locks.  One place says whether a volume is locked; whoever is about to change a volume as a
 * whole asks here, and the tape itself refuses what would write over it (volume_attr.locked_until_ns).  Each refusal is
 * an event, one for each volume and minute.
 */
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

#define TOLD_EVERY_NS (60ull * 1000000000ull)
#define POOL_BIT (1ull << 63)	/* pools and volumes in one table of what was told */

/* ---- is it --------------------------------------------------------------------------------------------------- */

/* What is still arriving is no tape yet, and its pool's lock is not for it. */
static int locked_until(struct library *lib, const struct catalog_volume *row, uint64_t *until)
{
	struct catalog_pool pool;
	int r;

	*until = 0;
	if (row->state == STATE_INCOMING)
		return 0;
	r = catalog_pool_by_id(lib->cat, row->pool, &pool);
	if (r)
		return err_fold(r);
	*until = row->locked_until_ns > pool.locked_until_ns ? row->locked_until_ns : pool.locked_until_ns;
	if (*until <= clock_retention_ns())
		*until = 0;
	return 0;
}

/* A pool that cannot be read may be locked for ever. */
uint64_t library_locked_until(struct library *lib, const struct catalog_volume *v)
{
	uint64_t until;

	return locked_until(lib, v, &until) ? UINT64_MAX : until;
}

static bool pool_is_locked(const struct catalog_pool *pool)
{
	return pool->locked_until_ns > clock_retention_ns();
}

/* ---- refusals ------------------------------------------------------------------------------------------------ */

/* Has nobody heard of it for a while?  Two on one place of the table are told more often, which is no harm. */
bool library_worth_telling(struct library *lib, uint64_t who)
{
	struct refusal *r = &lib->refused[who % LIBRARY_REFUSALS];
	uint64_t now = clock_mono_ns();

	LOCK_SCOPE(&lib->lock);
	if (r->who == who && now - r->told_ns < TOLD_EVERY_NS)
		return false;
	*r = (struct refusal){ who, now };
	return true;
}

static int refused(struct library *lib, const struct catalog_volume *row, uint64_t until, const char *done)
{
	char about[LIBRARY_ABOUT_MAX], time[32];

	format_time(until, time);
	if (library_worth_telling(lib, row->id))
		catalog_event(lib->cat, EVENT_LOCK_REFUSED, library_about(lib, row, about),
			      "locked until %s: it was not %s", time, done);
	return err_explain(-EPERM, "volume %s is locked until %s: it cannot be %s", row->name, time, done);
}

int lock_allows(struct library *lib, const struct catalog_volume *row, const char *done)
{
	uint64_t until;
	int r = locked_until(lib, row, &until);

	return r || !until ? r : refused(lib, row, until, done);
}

int lock_allows_pool(struct library *lib, const struct catalog_pool *pool, const char *done)
{
	char time[32];

	if (!pool_is_locked(pool))
		return 0;
	format_time(pool->locked_until_ns, time);
	if (library_worth_telling(lib, POOL_BIT | pool->id))
		catalog_event(lib->cat, EVENT_LOCK_REFUSED, pool->name, "locked until %s: it was not %s", time, done);
	return err_explain(-EPERM, "pool %s is locked until %s: it cannot be %s", pool->name, time, done);
}

int library_refused(struct library *lib, uint64_t volume, const char *done)
{
	struct catalog_volume row;
	int r = library_row(lib, volume, &row);

	/* The switch on the cartridge is asked first, by a tape too. */
	if (r || row.protect || library_access(lib, &row) != ACCESS_PRIMARY)
		return r;
	return lock_allows(lib, &row, done);
}

/* ---- locking ------------------------------------------------------------------------------------------------- */

/* 1: there is nothing to do. */
static int check_until(const char *what, const char *name, uint64_t was_ns, uint64_t until_ns)
{
	uint64_t now = clock_retention_ns();
	char was[32], is[32];

	if (until_ns < was_ns && was_ns > now)
		return err_explain(-EPERM, "%s %s is locked until %s: a lock only gets longer", what, name,
				   format_time(was_ns, was));
	if (until_ns <= now)
		return err_explain(-EINVAL, "%s %s cannot be locked until %s: on the retention clock it is %s", what,
				   name, format_time(until_ns, was), format_time(now, is));
	return until_ns == was_ns;
}

int library_volume_lock(struct library *lib, uint64_t volume, uint64_t until_ns)
{
	char about[LIBRARY_ABOUT_MAX], time[32];
	struct catalog_volume row;
	int r;

	pthread_mutex_lock(&lib->change);
	r = library_row(lib, volume, &row);
	if (!r && row.state == STATE_INCOMING)
		r = err_explain(-EBUSY, "volume %s is an image that is still being written", row.name);
	if (!r)
		r = check_until("volume", row.name, row.locked_until_ns, until_ns);
	if (!r) {
		row.locked_until_ns = until_ns;
		r = err_fold(catalog_volume_put(lib->cat, &row, NULL));
	} else if (r == -EPERM && library_worth_telling(lib, row.id)) {
		catalog_event(lib->cat, EVENT_LOCK_REFUSED, library_about(lib, &row, about),
			      "locked until %s: the lock was not made shorter", format_time(row.locked_until_ns, time));
	}
	pthread_mutex_unlock(&lib->change);
	if (r)
		return r < 0 ? r : 0;
	r = held_refresh(lib, volume);
	catalog_event(lib->cat, EVENT_LOCKED, library_about(lib, &row, about), "until %s", format_time(until_ns, time));
	return r;
}

/* Every volume that somebody has hears of it; one that is opened later reads the pool's row. */
int held_refresh_all(struct library *lib)
{
	CLEANUP(buf_fini) struct buf ids = BUF_INIT;
	int r = 0, failed = 0;

	pthread_mutex_lock(&lib->lock);
	for (unsigned i = 0; i < LIBRARY_BUCKETS; i++)
		for (const struct holding *h = lib->held[i]; h && !r; h = h->next)
			r = buf_append(&ids, &h->id, sizeof(h->id));
	pthread_mutex_unlock(&lib->lock);
	if (r)
		return r;
	for (size_t at = 0; at < ids.len; at += sizeof(uint64_t)) {
		uint64_t id;

		memcpy(&id, ids.data + at, sizeof(id));
		r = held_refresh(lib, id);
		if (r && r != -ENOENT)
			failed = r;
	}
	return failed;
}

int library_pool_lock(struct library *lib, const char *name, uint64_t until_ns)
{
	struct catalog_pool pool;
	char time[32];
	int r;

	pthread_mutex_lock(&lib->change);
	r = library_pool(lib, name, &pool);
	if (!r)
		r = check_until("pool", name, pool.locked_until_ns, until_ns);
	if (!r) {
		pool.locked_until_ns = until_ns;
		r = err_fold(catalog_pool_put(lib->cat, &pool));
	} else if (r == -EPERM && library_worth_telling(lib, POOL_BIT | pool.id)) {
		catalog_event(lib->cat, EVENT_LOCK_REFUSED, name, "locked until %s: the lock was not made shorter",
			      format_time(pool.locked_until_ns, time));
	}
	pthread_mutex_unlock(&lib->change);
	if (r)
		return r < 0 ? r : 0;
	r = held_refresh_all(lib);
	catalog_event(lib->cat, EVENT_LOCKED, name, "every volume of it, until %s", format_time(until_ns, time));
	return r;
}
