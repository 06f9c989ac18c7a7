/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slow: threads of their own for reads that may take long, so that who reads and writes tapes never waits for one.
 * Nothing of FUSE, nothing of files: a job is what its functions do.
 */
#ifndef FS_SLOW_H
#define FS_SLOW_H

#include <vtape/util.h>

#define SLOW_THREADS 8u

struct slow;
struct slow_job {
	struct slow_job *next;		/* what begins with next is slow's */
	struct slow *slow;
	const void *of;			/* of one thing one job is done at a time, in the order in which they came */
	/* Does nobody wait for it any more?  Asked while it waits, and by who does it: slow_given_up(). */
	bool (*given_up)(struct slow_job *j);
	/* Once for each job, which is the function's to free.  @r 0: it is to be done; else not, and this is why:
	 * -EINTR it was given up, -ENOTCONN the end came. */
	void (*run)(struct slow_job *j, int r);
};

/* No thread before the first job. */
int slow_new(struct slow **out);
/* What is done is given up, what waits is not done any more. */
struct slow *slow_free(struct slow *s);
/* < 0: there is no thread to do it, and @j is the caller's. */
int slow_put(struct slow *s, struct slow_job *j);
/* Is it time to end @j, which is being done? */
bool slow_given_up(struct slow_job *j);

#endif
