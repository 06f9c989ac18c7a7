/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper: which volumes are to be looked at, and the thread that does.  The library's watch tells it of volumes;
 * those that are being written are asked once a second whether a tape file more is closed.  A start begins with one
 * pass over all volumes, in the background, which finds what was written while nobody watched.  Of each volume one
 * file is looked at in its turn.  Who waits for a volume (contents_settle()) looks at it himself, beside the thread.
 *
 * It gives way: the thread has the lowest priority, and while any tape grows it works a sixteenth of the time, in
 * steps of some milliseconds.
 *
 * What rows guarantee at every moment is written down in contents_agree.c; nothing here needs to survive.  Locks: the
 * keeper's is taken last, under the watch's; nothing is called while it is held.
 */
#include <assert.h>
#include <errno.h>
#include <linux/ioprio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "contents/keeper.h"

#define SECOND_NS KEEPER_SECOND_NS
#define POLL_NS SECOND_NS
#define BUSY_NS (3 * SECOND_NS)			/* a tape that grew is being written for so long */
#define RETRY_NS (60 * SECOND_NS)		/* after a failure that may pass */
#define FULL_TELL_NS (3600 * SECOND_NS)
#define REST_TIMES 15u				/* as long as it worked, while somebody writes */
#define REST_MAX_NS (SECOND_NS / 2)
#define SWEEP_ROWS 2000u
#define POLLED_MAX 256u				/* written at the same time, and asked */

/* ---- the queue: with the lock ----------------------------------------------------------------------------------- */

static struct work *work_find(struct keeper *k, uint64_t volume)
{
	struct work *w = k->work[volume % KEEPER_BUCKETS];

	while (w && w->volume != volume)
		w = w->next;
	return w;
}

/* NULL: no memory; then all volumes are gone over again. */
struct work *work_get(struct keeper *k, uint64_t volume)
{
	struct work *w = work_find(k, volume);

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w) {
		k->scan = SCAN_TAPES;
		k->scan_next = 0;
		return NULL;
	}
	w->volume = w->v.id = volume;
	w->next = k->work[volume % KEEPER_BUCKETS];
	k->work[volume % KEEPER_BUCKETS] = w;
	return w;
}

void work_queue(struct keeper *k, struct work *w)
{
	if (w->queued)
		return;
	w->queued = true;
	w->behind = NULL;
	if (k->last)
		k->last->behind = w;
	else
		k->first = w;
	k->last = w;
	pthread_cond_broadcast(&k->turned);
}

void work_unqueue(struct keeper *k, struct work *w)
{
	struct work **p = &k->first, *before = NULL;

	if (!w->queued)
		return;
	for (; *p != w; p = &(*p)->behind)
		before = *p;
	*p = w->behind;
	if (k->last == w)
		k->last = before;
	w->queued = false;
}

void work_put(struct keeper *k, struct work *w)
{
	struct work **p = &k->work[w->volume % KEEPER_BUCKETS];

	if (w->queued || w->claimed || w->writing || w->awaited || w->retry_ns)
		return;
	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	free(w);
}

struct work *work_next(struct keeper *k)
{
	struct work *w = k->first;

	while (w && w->claimed)
		w = w->behind;
	return w;
}

static void keeper_told(void *ctx, uint64_t volume, enum library_watch what)
{
	struct keeper *k = ctx;
	struct work *w;

	LOCK_SCOPE(&k->lock);
	if (volume == LIBRARY_EVERY_VOLUME) {
		k->scan = SCAN_TAPES;
		k->scan_next = 0;
		pthread_cond_broadcast(&k->turned);
		return;
	}
	w = work_get(k, volume);
	if (!w)
		return;
	w->wrote |= what == WATCH_WRITING || what == WATCH_WRITTEN;
	w->writing = what == WATCH_WRITING || (w->writing && what != WATCH_WRITTEN);
	if (what == WATCH_DELETED)
		w->writing = false;
	/* Who has begun is about to write, and who has written often goes on with the next. */
	if (what == WATCH_WRITING || what == WATCH_WRITTEN)
		k->busy_until_ns = clock_mono_ns() + BUSY_NS;
	w->dropped |= what == WATCH_DROPPED;
	w->deleted |= what == WATCH_DELETED;
	if (what != WATCH_WRITING)
		work_queue(k, w);
}

/* ---- one volume ------------------------------------------------------------------------------------------------- */

void work_claim(struct keeper *k, struct work *w)
{
	work_unqueue(k, w);
	w->claimed = true;
	w->retry_ns = 0;
	k->claims++;
}

/* What was told of it since the last step; with the lock. */
struct told { bool forget, deleted, dropped; };
static struct told work_take(struct keeper *k, struct work *w)
{
	const struct told t = { w->forget, w->deleted, w->dropped };

	w->forget = w->deleted = w->dropped = false;
	w->v.wrote = !t.forget && (w->v.wrote || w->wrote);
	w->wrote = false;
	w->v.writing = w->writing;
	w->v.seen = w->v.seen || k->scanned;
	return t;
}

/* Without the lock. */
static int work_do(struct contents *c, struct work *w, const struct told *t, struct look *l)
{
	int r = 0;

	if (t->forget || t->deleted) {
		w->v.known = false;
		r = contents_forget(c, w->volume);
	}
	if (!r && t->dropped && !t->deleted)
		r = look_dropped(c, w->volume);
	return r ? r : t->deleted ? LOOK_DONE : look_step(l, &w->v);
}

/* Once for all volumes that wait for it, and while it lasts now and then. */
static void keeper_tell_full(struct keeper *k)
{
	uint64_t now = clock_mono_ns();

	if (k->full_told_ns && now - k->full_told_ns < FULL_TELL_NS)
		return;
	k->full_told_ns = now;
	log_warn("contents: %s", err_text(-ENOSPC));
}

/* With the lock: what is to be done about @r.  True: the volume wants another step. */
static bool work_judge(struct keeper *k, struct work *w, int r)
{
	w->files = w->v.files;
	w->bytes = w->v.bytes;
	w->behind_writer = w->v.behind;
	if (r == LOOK_MORE || r == -ECANCELED)
		return true;
	if (r >= 0)
		return w->queued;
	/* Damage does not pass; what else fails does, or a start tries again. */
	if (r != -EBADMSG && r != -EUCLEAN)
		w->retry_ns = clock_mono_ns() + RETRY_NS;
	if (r == -ENOSPC)
		keeper_tell_full(k);
	else
		log_warn("contents of volume number %llu: %s", (unsigned long long)w->volume, err_text(r));
	return false;
}

/* With the lock, given up meanwhile; @w is claimed.  What is told meanwhile queues it again. */
int work_step(struct keeper *k, struct work *w, struct look *l, bool *more)
{
	const struct told t = work_take(k, w);
	int r;

	pthread_mutex_unlock(&k->lock);
	r = work_do(k->c, w, &t, l);
	pthread_mutex_lock(&k->lock);
	k->sweep = true;
	if (r < 0) {
		w->forget |= t.forget;
		w->deleted |= t.deleted;
		w->dropped |= t.dropped;
	}
	*more = work_judge(k, w, r);
	return r < 0 ? r : 0;
}

void work_unclaim(struct keeper *k, struct work *w, bool more)
{
	w->claimed = false;
	k->claims--;
	if (more)
		work_queue(k, w);
	pthread_cond_broadcast(&k->turned);
}

/* ---- those that are written ------------------------------------------------------------------------------------- */

struct polled { uint64_t volume, bytes, marks; };

static unsigned poll_which(struct keeper *k, struct polled out[POLLED_MAX])
{
	uint64_t now = clock_mono_ns();
	struct work *w;
	unsigned n = 0;

	for (unsigned i = 0; i < KEEPER_BUCKETS; i++)
		for (w = k->work[i]; w; w = w->next) {
			if (w->retry_ns && w->retry_ns <= now && !w->claimed) {
				w->retry_ns = 0;
				work_queue(k, w);
			}
			if (w->writing && n < POLLED_MAX)
				out[n++].volume = w->volume;
		}
	return n;
}

static void poll_judge(struct keeper *k, const struct polled *p)
{
	struct work *w = work_find(k, p->volume);

	if (!w || !w->writing)
		return;
	if (p->bytes != w->bytes_seen)
		k->busy_until_ns = clock_mono_ns() + BUSY_NS;
	if (p->marks != w->marks_seen || w->behind_writer)
		work_queue(k, w);
	w->bytes_seen = p->bytes;
	w->marks_seen = p->marks;
}

/* With the lock, given up meanwhile. */
static void keeper_poll(struct keeper *k)
{
	struct polled p[POLLED_MAX];
	struct volume_stat st;
	unsigned n;

	if (clock_mono_ns() < k->poll_ns)
		return;
	k->poll_ns = clock_mono_ns() + POLL_NS;
	n = poll_which(k, p);
	pthread_mutex_unlock(&k->lock);
	for (unsigned i = 0; i < n; i++) {
		if (library_stat(k->c->lib, p[i].volume, &st))
			st = (struct volume_stat){ 0 };
		p[i].bytes = st.end.bytes;
		p[i].marks = st.end.marks;
	}
	pthread_mutex_lock(&k->lock);
	for (unsigned i = 0; i < n; i++)
		poll_judge(k, &p[i]);
}

/* ---- what there is to do ---------------------------------------------------------------------------------------- */

static void keeper_sweep(struct keeper *k)
{
	bool more = false;
	int r;

	k->sweep = false;
	k->claims++;
	pthread_mutex_unlock(&k->lock);
	r = look_room(k->c, false);	/* deleting takes rows, too; the next step of a volume sweeps again */
	if (!r)
		r = contents_sweep(k->c, SWEEP_ROWS, &more);
	if (r && r != -ENOSPC)
		log_warn("contents: lists that nobody needs are not deleted: %s", err_text(r));
	pthread_mutex_lock(&k->lock);
	k->claims--;
	k->sweep = k->sweep || (!r && more);
	pthread_cond_broadcast(&k->turned);
}

/* With the lock, given up meanwhile.  False: there is nothing to do. */
bool keeper_work(struct keeper *k, struct look *l)
{
	struct work *w;
	bool more;

	keeper_poll(k);
	w = work_next(k);
	if (w) {
		work_claim(k, w);
		k->now = w->volume;
		work_step(k, w, l, &more);
		k->now = 0;
		work_unclaim(k, w, more);
		work_put(k, w);
	} else if (k->scan) {
		keeper_scan(k);
	} else if (k->sweep) {
		keeper_sweep(k);
	} else {
		return false;
	}
	return true;
}

void keeper_wait(struct keeper *k, uint64_t ns)
{
	uint64_t until = clock_mono_ns() + ns;
	struct timespec ts = { (time_t)(until / SECOND_NS), (long)(until % SECOND_NS) };

	pthread_cond_timedwait(&k->turned, &k->lock, &ts);
}

/* ---- the thread ------------------------------------------------------------------------------------------------- */

/* With the lock: a rest that is cut short by nothing but the end of it all, or somebody who waits. */
static void keeper_rest(struct keeper *k, uint64_t ns)
{
	uint64_t until = clock_mono_ns() + (ns < REST_MAX_NS ? ns : REST_MAX_NS);
	uint64_t now;

	while (!k->stop && !k->hurry && (now = clock_mono_ns()) < until)
		keeper_wait(k, until - now);
}

/* With the lock, given up meanwhile. */
static void keeper_breathe(struct keeper *k)
{
	uint64_t now = clock_mono_ns();

	keeper_poll(k);
	if (now < k->busy_until_ns)
		keeper_rest(k, REST_TIMES * (now - k->slice_ns));
	k->slice_ns = clock_mono_ns();
}

static int keeper_pace(void *ctx)
{
	struct keeper *k = ctx;

	LOCK_SCOPE(&k->lock);
	keeper_breathe(k);
	return k->stop ? -ECANCELED : 0;
}

static void *keeper_run(void *ctx)
{
	struct keeper *k = ctx;
	struct look l = { .c = k->c, .pace = keeper_pace, .ctx = k };

	setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
	pthread_mutex_lock(&k->lock);
	while (!k->stop) {
		k->slice_ns = l.since_ns = clock_mono_ns();
		if (keeper_work(k, &l))
			keeper_breathe(k);
		else
			keeper_wait(k, POLL_NS);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

struct keeper *keeper_free(struct keeper *k)
{
	struct work *w, *next;

	for (unsigned i = 0; i < KEEPER_BUCKETS; i++)
		for (w = k->work[i]; w; w = next) {
			next = w->next;
			free(w);
		}
	pthread_cond_destroy(&k->turned);
	pthread_mutex_destroy(&k->lock);
	free(k);
	return NULL;
}

int keeper_new(struct contents *c, struct keeper **out)
{
	struct keeper *k = calloc(1, sizeof(*k));
	pthread_condattr_t attr;

	if (!k)
		return err_origin(-ENOMEM);
	k->c = c;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->turned, &attr);
	pthread_condattr_destroy(&attr);
	*out = k;
	return 0;
}

int contents_start(struct contents *c)
{
	struct keeper *k = NULL;
	int r = keeper_new(c, &k);

	if (r)
		return r;
	assert(!c->keeper);
	k->scan = SCAN_TAPES;
	k->sweep = true;	/* what a crash left */
	library_watch(c->lib, keeper_told, k);
	r = pthread_create(&k->thread, NULL, keeper_run, k);
	if (r) {
		library_watch(c->lib, NULL, NULL);
		keeper_free(k);
		return err_origin(-r);
	}
	c->keeper = k;
	return 0;
}

void contents_stop(struct contents *c)
{
	struct keeper *k = c ? c->keeper : NULL;

	if (!k)
		return;
	library_watch(c->lib, NULL, NULL);
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_cond_broadcast(&k->turned);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	c->keeper = keeper_free(k);
}
