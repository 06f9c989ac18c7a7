/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The retention clock's row.  Locks and keep times are measured on a clock that goes forward as fast as the machine
 * counts (CLOCK_BOOTTIME), so whoever sets the wall clock ends no lock.
 *
 * Only the time that the machine was off is not counted by anybody but the wall clock, which may be wrong.  So after
 * another boot there is a gap: while it is open, and the wall clock is ahead, the retention clock catches up with it,
 * at 24 times the speed of time at most.  A machine that is on for an hour a day does not fall behind; a lock of 30
 * days lasts more than a day of running, whatever the wall clock was set to.  The gap is closed once both agree, and
 * from then on until the next boot the wall clock is not asked.
 *
 * Guarantees: the clock never goes backwards while the store is open, and by no more than what was not yet written
 * (a minute) over a crash and another boot.
 */
#include "catalog/catalog_private.h"

#include <errno.h>

#define SECOND_NS 1000000000ull
#define CATCH_UP 23u				/* beside the time that passes: 24 times its speed */
#define FAR_NS (3600ull * SECOND_NS)		/* told when the wall clock is farther away than this */

uint64_t clock_later_lock(uint64_t was_ns, uint64_t now_ns)
{
	return was_ns > now_ns && was_ns > clock_retention_ns() ? was_ns : now_ns;
}

static int clock_write(struct catalog *c)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_clock();
	int r = clock_encode(&c->clock, &row);

	return r ? r : row_write(c, &key, row.data, row.len);
}

/* _NONE also for a row that is damaged: a store that cannot tell its time has no more than the wall clock's. */
static int clock_read(struct catalog *c, struct clock_row *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_clock();
	int r;

	r = row_get(c, &key, &row);
	if (!r)
		r = clock_decode(row.data, row.len, out);
	if (r != -EUCLEAN)
		return r;
	catalog_event(c, EVENT_CLOCK, "", "the retention clock's row is damaged; it begins anew at the wall clock");
	return CATALOG_E_NONE;
}

/* The kernel has counted since @then: the same boot, unless the machine was put back to an earlier moment of it. */
static bool same_boot(const struct clock_row *then, const struct clock_row *now)
{
	static const uint8_t unknown[16];

	return memcmp(now->boot, unknown, 16) && !memcmp(then->boot, now->boot, 16) && then->boot_ns <= now->boot_ns;
}

int clock_begin(struct catalog *c)
{
	struct clock_row was, now = { .boot_ns = clock_boot_ns() };
	bool write = true;
	int r;

	clock_boot_id(now.boot);
	r = clock_read(c, &was);
	if (r && r != CATALOG_E_NONE)
		return r;
	if (r) {
		now.time_ns = clock_now_ns();
	} else if (same_boot(&was, &now)) {
		now.time_ns = was.time_ns + (now.boot_ns - was.boot_ns);
		now.gap = was.gap;
		now.told = was.told;
		write = false;	/* the row tells just that */
	} else {
		now.time_ns = was.time_ns;
		now.gap = true;
		now.told = was.told;
	}
	clock_retention_set(now.time_ns);
	c->clock = now;
	return write ? clock_write(c) : 0;
}

/* By how much the clock may follow the wall clock after @elapsed_ns; closes the gap once they agree. */
static uint64_t clock_catch_up(struct clock_row *k, uint64_t wall_ns, uint64_t elapsed_ns)
{
	uint64_t step = 0;

	if (!k->gap)
		return 0;
	if (wall_ns > k->time_ns) {
		step = wall_ns - k->time_ns;
		if (step > CATCH_UP * elapsed_ns)
			return CATCH_UP * elapsed_ns;
	} else if (k->time_ns - wall_ns > FAR_NS) {
		return 0;	/* a clock that was never set (1970) closes no gap */
	}
	k->gap = false;
	return step;
}

static void clock_tell(struct catalog *c, struct clock_row *k, uint64_t wall_ns)
{
	bool ahead = wall_ns > k->time_ns;
	uint64_t by_ns = ahead ? wall_ns - k->time_ns : k->time_ns - wall_ns;
	char time[32];

	if (by_ns <= FAR_NS) {
		k->told = false;
		return;
	}
	if (k->told)
		return;
	k->told = true;
	catalog_event(c, EVENT_CLOCK, "", "the wall clock is %llu hours %s the retention clock, which says %s%s",
		      (unsigned long long)(by_ns / FAR_NS), ahead ? "ahead of" : "behind",
		      format_time(k->time_ns, time),
		      k->gap && ahead ? " and follows at 24 times the speed of time" : " and does not follow");
}

int catalog_clock_tick(struct catalog *c)
{
	uint64_t wall_ns = clock_now_ns(), boot_ns, step;

	LOCK_SCOPE(&c->clock_lock);
	c->clock.time_ns = clock_retention_ns();
	boot_ns = clock_boot_ns();
	step = clock_catch_up(&c->clock, wall_ns, boot_ns - c->clock.boot_ns);
	if (step) {
		c->clock.time_ns += step;
		clock_retention_set(c->clock.time_ns);
	}
	c->clock.boot_ns = boot_ns;
	clock_tell(c, &c->clock, wall_ns);
	return clock_write(c);
}

/* A store that was open for a moment has nothing to write: the row and the kernel's count tell the time. */
void clock_end(struct catalog *c)
{
	if (clock_boot_ns() - c->clock.boot_ns > SECOND_NS && catalog_clock_tick(c))
		log_warn("catalog: the retention clock is not written");
}
