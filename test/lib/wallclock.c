/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For LD_PRELOAD: a wall clock that somebody has set wrong.  CLOCK_REALTIME and time(2) are WALLCLOCK_S seconds ahead (or
 * behind); the clocks that nobody can set are left alone.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *ts)
{
	const char *s = getenv("WALLCLOCK_S");
	int r = (int)syscall(SYS_clock_gettime, id, ts);

	if (r == 0 && id == CLOCK_REALTIME && s)
		ts->tv_sec += atol(s);
	return r;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
