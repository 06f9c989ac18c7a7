/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks: who hears of an event puts it into queues, and no more.  A runner, one for each hook, takes from its queue and
 * runs its program, one at a time.  A program that fails is told as an event that no hook gets, once a minute at most
 * for each hook; a program whose own doings are events again is held to one run a second after the first hundred.
 *
 * Locks: `change` (one reading of the rows at a time), then the catalog's, then `lock`, which is the innermost: it is
 * taken by whoever tells an event, with whatever he holds, and nothing is called while it is held.
 */
#include "daemon/hooks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define SECOND_NS UINT64_C(1000000000)
#define TELL_EVERY_NS (60 * SECOND_NS)
#define LOG_LINES 10u

struct runner {
	struct runner *next;
	struct hooks *all;
	pthread_t thread;
	atomic_bool stop;		/* what it runs is ended, and it comes to its end */
	pthread_cond_t wake;		/* with all->lock, as what follows */
	struct catalog_hook hook;
	struct catalog_event *ring;	/* HOOKS_QUEUE */
	unsigned first, n;
	struct hook_state state;
	/* The thread's own. */
	uint64_t tokens_ns;		/* so many seconds' worth of runs are free, at... */
	uint64_t tokens_at_ns;
	uint64_t told_ns, untold, untold_dropped;	/* failures and lost events since the last that was told */
};

struct hooks {
	struct catalog *cat;
	const char *store;
	pthread_mutex_t change, lock;	/* lock: the list, the queues, ending */
	pthread_cond_t idle;		/* a runner has nothing to do */
	bool ending;
	struct runner *first;
};

/* ---- telling that one failed: only from its runner ---- */

/* The beginning of what a program wrote, line by line. */
static void log_output(const char *name, const struct hook_result *res)
{
	const char *p = res->output, *end = res->output + res->len;

	for (unsigned i = 0; i < LOG_LINES && p < end; i++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);

		log_warn("hook %s: %.*s", name, (int)(n > 200 ? 200 : n), p);
		p += n + 1;
	}
}

static void tell_failure(struct runner *run, const char *name, const char *words)
{
	uint64_t now = clock_mono_ns();
	char more[96] = "";

	if (run->told_ns && now - run->told_ns < TELL_EVERY_NS) {
		run->untold++;
		log_warn("hook %s: %s", name, words);
		return;
	}
	if (run->untold)
		snprintf(more, sizeof(more), "; it failed %" PRIu64 " times more since that was told last",
			 run->untold);
	catalog_event(run->all->cat, EVENT_HOOK_FAILED, name, "%s%s", words, more);
	run->told_ns = now;
	run->untold = 0;
}

static void tell_dropped(struct runner *run, const char *name, uint64_t dropped)
{
	char words[96];

	run->untold_dropped += dropped;
	if (!run->untold_dropped || (run->told_ns && clock_mono_ns() - run->told_ns < TELL_EVERY_NS))
		return;
	snprintf(words, sizeof(words), "%" PRIu64 " events were dropped: more of them came than it could take",
		 run->untold_dropped);
	run->untold_dropped = 0;
	tell_failure(run, name, words);
}

/* ---- one run ---- */

static void run_once(struct runner *run, const struct catalog_hook *hook, const struct catalog_event *e)
{
	struct hook_result res;
	char words[96];
	int r = hook_run(hook, e, run->all->store, &run->stop, &res);
	bool failed = r < 0 || res.status || res.late || res.stopped;

	if (failed && !res.stopped)
		tell_failure(run, hook->name, r < 0 ? err_text(r) : hook_words(hook, &res, words));
	if (failed && r >= 0)
		log_output(hook->name, &res);
	LOCK_SCOPE(&run->all->lock);
	run->state.runs++;
	run->state.failed += failed;
	run->state.last_status = r < 0 ? -1 : res.status;
	run->state.last_ns = clock_now_ns();
}

static void cond_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t mono_ns)
{
	struct timespec ts = { (time_t)(mono_ns / SECOND_NS), (long)(mono_ns % SECOND_NS) };

	pthread_cond_timedwait(cond, lock, &ts);
}

/* With the lock, given up meanwhile: until it may run once more. */
static void pace(struct runner *run)
{
	uint64_t now;

	for (;;) {
		now = clock_mono_ns();
		run->tokens_ns += now - run->tokens_at_ns;
		run->tokens_at_ns = now;
		if (run->tokens_ns > HOOKS_BURST * SECOND_NS)
			run->tokens_ns = HOOKS_BURST * SECOND_NS;
		if (run->tokens_ns >= SECOND_NS || atomic_load(&run->stop))
			break;
		cond_until(&run->wake, &run->all->lock, now + SECOND_NS - run->tokens_ns);
	}
	run->tokens_ns -= run->tokens_ns >= SECOND_NS ? SECOND_NS : run->tokens_ns;
}

static void *runner_run(void *ctx)
{
	struct runner *run = ctx;
	struct hooks *h = run->all;
	uint64_t dropped_seen = 0;

	pthread_mutex_lock(&h->lock);
	while (!atomic_load(&run->stop)) {
		if (!run->n) {
			run->state.running = false;
			pthread_cond_broadcast(&h->idle);
			if (h->ending)
				break;
			pthread_cond_wait(&run->wake, &h->lock);
			continue;
		}
		run->state.running = true;
		pace(run);
		if (!run->n || atomic_load(&run->stop))	/* it was turned off meanwhile */
			continue;
		struct catalog_event e = run->ring[run->first];
		struct catalog_hook hook = run->hook;
		uint64_t dropped = run->state.dropped - dropped_seen;
		dropped_seen = run->state.dropped;
		run->first = (run->first + 1) % HOOKS_QUEUE;
		run->n--;
		pthread_mutex_unlock(&h->lock);
		tell_dropped(run, hook.name, dropped);
		run_once(run, &hook, &e);
		pthread_mutex_lock(&h->lock);
	}
	if (run->n)
		log_warn("hook %s: %u events that still waited are dropped", run->hook.name, run->n);
	run->n = 0;
	run->state.running = false;
	pthread_cond_broadcast(&h->idle);
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* ---- hearing of events ---- */

static void put_event(struct runner *run, const struct catalog_event *e)
{
	if (run->n == HOOKS_QUEUE) {
		run->first = (run->first + 1) % HOOKS_QUEUE;
		run->n--;
		run->state.dropped++;
	}
	run->ring[(run->first + run->n++) % HOOKS_QUEUE] = *e;
	run->state.running = true;	/* soon: nobody finds it idle in between */
	pthread_cond_signal(&run->wake);
}

static void hear(void *ctx, const struct catalog_event *e)
{
	struct hooks *h = ctx;

	LOCK_SCOPE(&h->lock);
	for (struct runner *run = h->first; run; run = run->next)
		if (catalog_hook_wants(&run->hook, e))
			put_event(run, e);
}

/* ---- the list ---- */

static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

static void runner_free(struct runner *run)
{
	pthread_cond_destroy(&run->wake);
	free(run->ring);
	free(run);
}

static int runner_new(struct hooks *h, const struct catalog_hook *hook)
{
	struct runner *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return err_origin(-ENOMEM);
	run->all = h;
	run->hook = *hook;
	run->tokens_ns = HOOKS_BURST * SECOND_NS;
	run->tokens_at_ns = clock_mono_ns();
	cond_init(&run->wake);
	run->ring = calloc(HOOKS_QUEUE, sizeof(*run->ring));
	r = run->ring ? -pthread_create(&run->thread, NULL, runner_run, run) : -ENOMEM;
	if (r) {
		runner_free(run);
		return err_origin(r);
	}
	LOCK_SCOPE(&h->lock);
	run->next = h->first;
	h->first = run;
	return 0;
}

static struct runner *runner_find(struct hooks *h, const char *name)
{
	struct runner *run = h->first;

	while (run && strcmp(run->hook.name, name) != 0)
		run = run->next;
	return run;
}

static int take_row(void *ctx, const struct catalog_hook *hook)
{
	struct hooks *h = ctx;
	struct runner *run;

	pthread_mutex_lock(&h->lock);
	run = runner_find(h, hook->name);
	if (run) {
		run->hook = *hook;
		if (hook->off)
			run->n = 0;
	}
	pthread_mutex_unlock(&h->lock);
	return run ? 0 : runner_new(h, hook);
}

/* Out of the list, so that it hears nothing more. */
static struct runner *unlink_runner(struct hooks *h, const char *name)
{
	struct runner *run;

	LOCK_SCOPE(&h->lock);
	for (struct runner **p = &h->first; (run = *p); p = &run->next)
		if (!strcmp(run->hook.name, name)) {
			*p = run->next;
			run->n = 0;
			atomic_store(&run->stop, true);
			pthread_cond_signal(&run->wake);
			return run;
		}
	return NULL;
}

static void drop_runner(struct hooks *h, const char *name)
{
	struct runner *run = unlink_runner(h, name);

	if (run) {
		pthread_join(run->thread, NULL);
		runner_free(run);
	}
}

/* Those without a row that can be read.  The list changes only with `change`, which we have. */
static void drop_gone(struct hooks *h)
{
	struct catalog_hook row;
	struct runner *run, *next;

	for (run = h->first; run; run = next) {
		next = run->next;
		if (catalog_hook_get(h->cat, run->hook.name, &row))
			drop_runner(h, run->hook.name);
	}
}

int hooks_reload(struct hooks *h)
{
	LOCK_SCOPE(&h->change);
	drop_gone(h);
	return catalog_hook_each(h->cat, take_row, h);
}

int hooks_new(struct catalog *cat, const char *store, struct hooks **out)
{
	struct hooks *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return err_origin(-ENOMEM);
	h->cat = cat;
	h->store = store;
	pthread_mutex_init(&h->change, NULL);
	pthread_mutex_init(&h->lock, NULL);
	cond_init(&h->idle);
	r = hooks_reload(h);
	if (r) {
		hooks_free(h, 0);
		return r;
	}
	catalog_event_listen(cat, hear, h);
	*out = h;
	return 0;
}

/* With the lock. */
static bool all_idle(const struct hooks *h)
{
	for (const struct runner *run = h->first; run; run = run->next)
		if (run->n || run->state.running)
			return false;
	return true;
}

struct hooks *hooks_free(struct hooks *h, uint64_t patience_ns)
{
	uint64_t deadline = clock_mono_ns() + patience_ns;

	if (!h)
		return NULL;
	catalog_event_listen(h->cat, NULL, NULL);
	pthread_mutex_lock(&h->lock);
	h->ending = true;
	for (struct runner *run = h->first; run; run = run->next)
		pthread_cond_signal(&run->wake);
	while (!all_idle(h) && clock_mono_ns() < deadline)
		cond_until(&h->idle, &h->lock, deadline);
	for (struct runner *run = h->first; run; run = run->next) {
		atomic_store(&run->stop, true);
		pthread_cond_signal(&run->wake);
	}
	pthread_mutex_unlock(&h->lock);
	while (h->first) {
		struct runner *run = h->first;

		h->first = run->next;
		pthread_join(run->thread, NULL);
		runner_free(run);
	}
	pthread_cond_destroy(&h->idle);
	pthread_mutex_destroy(&h->lock);
	pthread_mutex_destroy(&h->change);
	free(h);
	return NULL;
}

bool hooks_state(struct hooks *h, const char *name, struct hook_state *out)
{
	struct runner *run;

	LOCK_SCOPE(&h->lock);
	run = runner_find(h, name);
	if (run) {
		*out = run->state;
		out->waiting = run->n;
	}
	return run;
}
