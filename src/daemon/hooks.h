/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hooks at work: each has a thread and a queue of its own, so none of them holds up another, nor whoever tells an
 * event.  vtape-events(7), "Hooks".
 */
#ifndef DAEMON_HOOKS_H
#define DAEMON_HOOKS_H

#include "daemon/hook_run.h"

#define HOOKS_QUEUE 256u	/* events that wait for one hook; beyond that the oldest is dropped */
#define HOOKS_BURST 100u	/* runs in a row; then one a second */
#define HOOKS_PATIENCE_NS 10000000000ull	/* for what still waits when all ends */

struct hooks;
/* Listens to @cat from now on.  Both borrowed. */
int hooks_new(struct catalog *cat, const char *store, struct hooks **out);
/* What waits is still run, for so long at most; then what runs is ended, and the rest is dropped. */
struct hooks *hooks_free(struct hooks *h, uint64_t patience_ns);
int hooks_reload(struct hooks *h);	/* the catalog's rows have changed */

/* Since the start. */
struct hook_state {
	uint64_t runs, failed, dropped;
	uint64_t last_ns;	/* wall clock, of the end of the last run; 0: none */
	int last_status;	/* as hook_result has it; -1: it could not be started */
	unsigned waiting;
	bool running;
};
bool hooks_state(struct hooks *h, const char *name, struct hook_state *out);	/* false: there is none */

#endif
