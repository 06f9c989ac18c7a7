/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * workers: a pool of threads, and lanes on it whose jobs run at once and finish in order.
 *
 * Guarantees: of one lane, done() is called in the order of submission and never twice at a time; lanes with work take
 * turns, so that no stream starves another; a lane never holds more unfinished jobs than its depth.
 * Leaves to the caller: never to submit to a full lane from a job that this lane waits for.
 *
 * One mutex for the pool and all its lanes: a job is about a mebibyte of work, so the lock is taken a few thousand
 * times a second.
 */
#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "util/workers_kind.h"

enum { JOB_QUEUED, JOB_RUNNING, JOB_RAN };

/*
 * Jobs that are not finished hang in their lane in order: first .. last.  While the pool's lock is not held:
 * 1. the jobs before @unrun are running or have run, @unrun and those behind it are queued;
 * 2. the lane is in the pool's ring exactly if @unrun is not NULL;
 * 3. submitted - finished <= depth.
 */
struct thread_lane {
	struct lane lane;
	unsigned depth;
	bool finishing;			/* a thread is calling done() for this lane */
	struct job *first, *last, *unrun;
	uint64_t submitted, finished;
	pthread_cond_t moved;		/* finished has grown */
	struct thread_lane *ring_next;
};

struct thread_pool {
	struct workers workers;
	pthread_mutex_t lock;		/* guards what follows, and every lane */
	pthread_cond_t work;		/* a lane has come to the ring, or stop */
	bool stop;
	struct thread_lane *ring_first, *ring_last;	/* lanes with jobs that nobody runs yet */
	pthread_t *threads;
};

static struct thread_pool *pool_of(struct lane *l)
{
	return (struct thread_pool *)l->workers;
}

static void ring_append(struct thread_pool *tp, struct thread_lane *tl)
{
	tl->ring_next = NULL;
	if (tp->ring_last)
		tp->ring_last->ring_next = tl;
	else
		tp->ring_first = tl;
	tp->ring_last = tl;
}

/* The next job of the next lane; the lane goes to the end of the ring if it has more. */
static struct job *ring_take(struct thread_pool *tp)
{
	struct thread_lane *tl = tp->ring_first;
	struct job *j = tl->unrun;

	tp->ring_first = tl->ring_next;
	if (!tp->ring_first)
		tp->ring_last = NULL;
	tl->unrun = j->next;
	if (tl->unrun)
		ring_append(tp, tl);
	j->state = JOB_RUNNING;
	return j;
}

/* Finish what can be finished in order.  One thread a lane does this; others only leave their job behind as run. */
static void lane_finish(struct thread_pool *tp, struct thread_lane *tl)
{
	if (tl->finishing)
		return;
	tl->finishing = true;
	while (tl->first && tl->first->state == JOB_RAN) {
		struct job *j = tl->first;

		tl->first = j->next;
		if (!tl->first)
			tl->last = NULL;
		pthread_mutex_unlock(&tp->lock);
		j->done(j);
		pthread_mutex_lock(&tp->lock);
		tl->finished++;
		pthread_cond_broadcast(&tl->moved);
	}
	tl->finishing = false;
}

static void *worker_main(void *arg)
{
	struct thread_pool *tp = arg;

	LOCK_SCOPE(&tp->lock);
	for (;;) {
		while (!tp->ring_first && !tp->stop)
			pthread_cond_wait(&tp->work, &tp->lock);
		if (!tp->ring_first)
			return NULL;

		struct job *j = ring_take(tp);

		pthread_mutex_unlock(&tp->lock);
		j->run(j);
		pthread_mutex_lock(&tp->lock);
		j->state = JOB_RAN;
		lane_finish(tp, (struct thread_lane *)j->lane);
	}
}

static int threads_lane_new(struct workers *w, unsigned depth, struct lane **out)
{
	struct thread_lane *tl = calloc(1, sizeof(*tl));

	if (!tl)
		return err_origin(-ENOMEM);
	tl->lane.workers = w;
	tl->depth = depth;
	pthread_cond_init(&tl->moved, NULL);
	*out = &tl->lane;
	return 0;
}

static void threads_lane_wait_empty(struct lane *l)
{
	struct thread_pool *tp = pool_of(l);
	struct thread_lane *tl = (struct thread_lane *)l;

	LOCK_SCOPE(&tp->lock);
	uint64_t until = tl->submitted;

	while (tl->finished < until)
		pthread_cond_wait(&tl->moved, &tp->lock);
}

static struct lane *threads_lane_free(struct lane *l)
{
	struct thread_lane *tl = (struct thread_lane *)l;

	/* Whoever finished the last job counted it under the lock and does not come back to the lane. */
	threads_lane_wait_empty(l);
	pthread_cond_destroy(&tl->moved);
	free(tl);
	return NULL;
}

static void threads_lane_submit(struct lane *l, struct job *j)
{
	struct thread_pool *tp = pool_of(l);
	struct thread_lane *tl = (struct thread_lane *)l;

	j->next = NULL;
	j->lane = l;
	j->state = JOB_QUEUED;

	LOCK_SCOPE(&tp->lock);
	while (tl->submitted - tl->finished >= tl->depth)
		pthread_cond_wait(&tl->moved, &tp->lock);
	tl->submitted++;
	if (tl->last)
		tl->last->next = j;
	else
		tl->first = j;
	tl->last = j;
	if (!tl->unrun) {
		tl->unrun = j;
		ring_append(tp, tl);
	}
	pthread_cond_signal(&tp->work);
}

/* Also for a pool of which only some threads could be started. */
static struct workers *threads_free(struct workers *w)
{
	struct thread_pool *tp = (struct thread_pool *)w;

	pthread_mutex_lock(&tp->lock);
	assert(!tp->ring_first);
	tp->stop = true;
	pthread_cond_broadcast(&tp->work);
	pthread_mutex_unlock(&tp->lock);
	for (unsigned i = 0; i < w->threads; i++)
		pthread_join(tp->threads[i], NULL);
	pthread_cond_destroy(&tp->work);
	pthread_mutex_destroy(&tp->lock);
	free(tp->threads);
	free(tp);
	return NULL;
}

static const struct workers_kind threads_kind = {
	.free = threads_free,
	.lane_new = threads_lane_new,
	.lane_free = threads_lane_free,
	.lane_submit = threads_lane_submit,
	.lane_wait_empty = threads_lane_wait_empty,
};

int workers_new(unsigned threads, struct workers **out)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	struct thread_pool *tp = calloc(1, sizeof(*tp));
	int e;

	if (!threads)
		threads = online > 0 ? (unsigned)online : 1;
	if (!tp)
		return err_origin(-ENOMEM);
	tp->workers.kind = &threads_kind;
	pthread_mutex_init(&tp->lock, NULL);
	pthread_cond_init(&tp->work, NULL);
	tp->threads = calloc(threads, sizeof(*tp->threads));
	if (!tp->threads) {
		threads_free(&tp->workers);
		return err_origin(-ENOMEM);
	}
	while (tp->workers.threads < threads) {
		e = pthread_create(&tp->threads[tp->workers.threads], NULL, worker_main, tp);
		if (e) {
			threads_free(&tp->workers);
			return err_explain(-e, "cannot start a worker thread: %s", strerror(e));
		}
		tp->workers.threads++;
	}
	*out = &tp->workers;
	return 0;
}

struct workers *workers_free(struct workers *w)
{
	return w ? w->kind->free(w) : NULL;
}

unsigned workers_threads(const struct workers *w)
{
	return w->threads;
}

int lane_new(struct workers *w, unsigned depth, struct lane **out)
{
	assert(depth > 0);
	return w->kind->lane_new(w, depth, out);
}

struct lane *lane_free(struct lane *l)
{
	return l ? l->workers->kind->lane_free(l) : NULL;
}

void lane_submit(struct lane *l, struct job *j)
{
	l->workers->kind->lane_submit(l, j);
}

void lane_wait_empty(struct lane *l)
{
	l->workers->kind->lane_wait_empty(l);
}
