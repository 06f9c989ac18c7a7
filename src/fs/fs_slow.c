/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_slow: a queue of jobs, some threads that do them, and one more that takes out of the queue what nobody waits for:
 * the others may all be busy for minutes, and a program that was killed is not gone before its read is answered.
 *
 * Jobs are as many as programs that read at once, and small; so the queue has no limit, and is walked.
 */
#include "fs/slow.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define WATCH_NS 100000000ll	/* so often it is asked whether anybody waits */

struct slow_thread {
	struct slow *slow;
	pthread_t thread;
	const void *of;			/* of what it does something; NULL: it waits.  Never looked into */
};

/* While @lock is held only given_up() of jobs is called. */
struct slow {
	pthread_mutex_t lock;		/* what follows */
	pthread_cond_t changed;
	struct slow_job *first, **last;
	struct slow_thread threads[SLOW_THREADS];
	unsigned count;			/* that were started */
	pthread_t watcher;
	bool watched;
	atomic_bool ending;		/* set under the lock, read without */
};

/* ---- the queue; all of this with the lock held ------------------------------------------------------------------ */

static bool is_busy_with(const struct slow *s, const void *of)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->threads[i].of == of)
			return true;
	return false;
}

static struct slow_job *take(struct slow *s, struct slow_job **at)
{
	struct slow_job *j = *at;

	*at = j->next;
	if (!*at)
		s->last = at;
	return j;
}

static struct slow_job *take_next(struct slow *s)
{
	for (struct slow_job **at = &s->first; *at; at = &(*at)->next)
		if (!is_busy_with(s, (*at)->of))
			return take(s, at);
	return NULL;
}

/* All that nobody waits for, as a list. */
static struct slow_job *take_given_up(struct slow *s)
{
	struct slow_job **at = &s->first, *out = NULL, *j;

	while (*at) {
		if (!(*at)->given_up(*at)) {
			at = &(*at)->next;
			continue;
		}
		j = take(s, at);
		j->next = out;
		out = j;
	}
	return out;
}

/* ---- the threads ------------------------------------------------------------------------------------------------ */

static void *work(void *arg)
{
	struct slow_thread *me = arg;
	struct slow *s = me->slow;
	struct slow_job *j;

	pthread_mutex_lock(&s->lock);
	while (!s->ending) {
		j = take_next(s);
		if (!j) {
			pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		me->of = j->of;
		pthread_mutex_unlock(&s->lock);
		j->run(j, j->given_up(j) ? -EINTR : 0);
		pthread_mutex_lock(&s->lock);
		me->of = NULL;
		/* Another of the same thing may have waited for this. */
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void run_all(struct slow_job *list, int r)
{
	struct slow_job *next;

	for (; list; list = next) {
		next = list->next;
		list->run(list, r);
	}
}

static void watch_wait(struct slow *s)
{
	struct timespec until;

	if (!s->first) {
		pthread_cond_wait(&s->changed, &s->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (until.tv_nsec + WATCH_NS) / 1000000000;
	until.tv_nsec = (until.tv_nsec + WATCH_NS) % 1000000000;
	pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

static void *watch(void *arg)
{
	struct slow *s = arg;
	struct slow_job *list;

	pthread_mutex_lock(&s->lock);
	while (!s->ending) {
		watch_wait(s);
		list = take_given_up(s);
		if (!list)
			continue;
		pthread_mutex_unlock(&s->lock);
		run_all(list, -EINTR);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static int start(struct slow *s)
{
	struct slow_thread *t;

	if (!s->watched)
		s->watched = !pthread_create(&s->watcher, NULL, watch, s);
	while (s->watched && s->count < SLOW_THREADS) {
		t = &s->threads[s->count];
		t->slow = s;
		if (pthread_create(&t->thread, NULL, work, t))
			break;
		s->count++;
	}
	return s->count ? 0 : err_explain(-EAGAIN, "there is no thread to read an archive");
}

/* Signals are for the threads that asked for them. */
static int start_deaf(struct slow *s)
{
	sigset_t all, before;
	int r;

	if (s->count)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = start(s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* ---- from outside ----------------------------------------------------------------------------------------------- */

int slow_put(struct slow *s, struct slow_job *j)
{
	int r;

	assert(j->of && j->given_up && j->run);
	LOCK_SCOPE(&s->lock);
	r = s->ending ? err_origin(-ENOTCONN) : start_deaf(s);
	if (r)
		return r;
	j->slow = s;
	j->next = NULL;
	*s->last = j;
	s->last = &j->next;
	pthread_cond_broadcast(&s->changed);
	return 0;
}

bool slow_given_up(struct slow_job *j)
{
	return atomic_load(&j->slow->ending) || j->given_up(j);
}

int slow_new(struct slow **out)
{
	struct slow *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;

	if (!s)
		return err_origin(-ENOMEM);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	s->last = &s->first;
	*out = s;
	return 0;
}

struct slow *slow_free(struct slow *s)
{
	if (!s)
		return NULL;
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->ending, true);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->count; i++)
		pthread_join(s->threads[i].thread, NULL);
	if (s->watched)
		pthread_join(s->watcher, NULL);
	run_all(s->first, -ENOTCONN);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return NULL;
}
