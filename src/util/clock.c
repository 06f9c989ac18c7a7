/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What time it is.  Everything that is stored or compared with a stored time asks here, so that a test can say what
 * time it is.  The wall clock may go backwards and forwards as somebody likes; what must not be fooled by that asks the
 * retention clock, which is a moment once set and the time that the machine has counted since.
 */
#include <vtape/util.h>

#include <stdatomic.h>
#include <time.h>

static _Atomic uint64_t stopped_at;
static _Atomic uint64_t retention_ahead;	/* of CLOCK_BOOTTIME; wraps round; 0: not set */

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	uint64_t t = atomic_load(&stopped_at);

	return t ? t : read_clock(CLOCK_REALTIME);
}

uint64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

uint64_t clock_retention_ns(void)
{
	uint64_t ahead = atomic_load(&retention_ahead);

	return ahead ? clock_boot_ns() + ahead : clock_now_ns();
}

void clock_retention_set(uint64_t now_ns)
{
	atomic_store(&retention_ahead, now_ns ? now_ns - clock_boot_ns() : 0);
}

void clock_set(uint64_t now_ns)
{
	atomic_store(&stopped_at, now_ns);
}
