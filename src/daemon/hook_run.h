/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of a hook's program, from its start to its end. */
#ifndef DAEMON_HOOK_RUN_H
#define DAEMON_HOOK_RUN_H

#include <stdatomic.h>
#include <vtape/catalog.h>

#define HOOK_OUTPUT_MAX 4096u
#define HOOK_TERM_NS 5000000000ull	/* between SIGTERM and SIGKILL, once its time is over */
#define HOOK_STOP_NS 1000000000ull	/* the same, when we are to end */

struct hook_result {
	int status;		/* its exit status; 128 + the number of the signal that ended it */
	bool late, stopped;	/* ended by us: at its time limit; because of @stop */
	uint64_t took_ns;
	size_t len;
	char output[HOOK_OUTPUT_MAX + 1];	/* the first bytes of what it wrote, a NUL behind them */
};
/* Can this be run: a file that is there, that we may execute, and that not everybody may write?  -EINVAL, -ENOENT,
 * -EACCES, -EPERM with words. */
int hook_check_program(const struct catalog_hook *h);
/* Until it has ended.  @stop (may be NULL): once true, it is ended soon.  < 0: it could not be started, with words. */
int hook_run(const struct catalog_hook *h, const struct catalog_event *e, const char *store, const atomic_bool *stop,
	     struct hook_result *out);
/* "exit status 3", "ended by signal 9", "took longer than 60 s and was ended". */
char *hook_words(const struct catalog_hook *h, const struct hook_result *r, char out[96]);

#endif
