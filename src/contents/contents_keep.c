/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper: which volumes are to be looked at, and the thread that does.  The library's watch tells it of volumes; those
 * that are being written are asked once a second whether a tape file more is closed.  A start begins with one pass over all
 * volumes, in the background, which finds what was written while nobody watched.  Of each volume one file is looked at in its
 * turn.  Who waits for a volume (contents_settle()) looks at it himself, beside the thread.
 *
 * It gives way: the thread has the lowest priority, and while any tape grows it works a sixteenth of the time, in steps of some
 * milliseconds.
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

#include "contents/format.h"
#include "contents/keep.h"

#define SECOND_NS 1000000000ull
#define POLL_NS SECOND_NS
#define WAIT_NS (SECOND_NS / 5)			/* how often who waits tells that he does */
#define BUSY_NS (3 * SECOND_NS)			/* a tape that grew is being written for so long */
#define RETRY_NS (60 * SECOND_NS)		/* after a failure that may pass */
#define REST_TIMES 15u				/* as long as it worked, while somebody writes */
#define REST_MAX_NS (SECOND_NS / 2)
#define SCAN_AT_ONCE 64u			/* volumes that need nothing */
#define SWEEP_ROWS 2000u
#define BUCKETS 1024u
#define POLLED_MAX 256u				/* written at the same time; more of them are asked in later turns */

/* A volume with something to be done.  Guarded by the keeper's lock, but for @v, which is whose @claimed is. */
struct work {
	struct work *next;		/* in its bucket */
	struct work *behind;		/* in the queue */
	uint64_t volume;
	bool queued, claimed;
	bool wrote, writing, dropped, deleted, forget;
	bool behind_writer;		/* look_volume.behind, when it was looked at last */
	unsigned awaited;		/* by so many who settle it */
	uint64_t retry_ns;		/* 0: it did not fail */
	uint64_t bytes_seen, marks_seen;
	uint64_t files, bytes;		/* waiting */
	struct look_volume v;
};

enum scan { SCAN_NOTHING, SCAN_TAPES, SCAN_ROWS };

struct keeper {
	struct contents *c;
	pthread_t thread;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t turned;		/* there is work, or some is done */
	bool stop;
	struct work *work[BUCKETS];
	struct work *first, *last;	/* queue */
	unsigned claims;
	enum scan scan;
	uint64_t scan_next;		/* volume */
	bool scanned;			/* once since the start */
	bool scan_forget;
	bool sweep;			/* lists may be queued to be deleted */
	unsigned hurry;			/* so many wait: no rest */
	uint64_t poll_ns, busy_until_ns;
	uint64_t now;			/* the thread looks at this volume */
	uint64_t slice_ns;		/* the thread's: since when it works */
};

/* ---- the queue: with the lock ----------------------------------------------------------------------------------- */

static struct work *work_find(struct keeper *k, uint64_t volume)
{
	struct work *w = k->work[volume % BUCKETS];

	while (w && w->volume != volume)
		w = w->next;
	return w;
}

/* NULL: no memory; then all volumes are gone over again. */
static struct work *work_get(struct keeper *k, uint64_t volume)
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
	w->next = k->work[volume % BUCKETS];
	k->work[volume % BUCKETS] = w;
	return w;
}

static void work_queue(struct keeper *k, struct work *w)
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

static void work_unqueue(struct keeper *k, struct work *w)
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

static void work_put(struct keeper *k, struct work *w)
{
	struct work **p = &k->work[w->volume % BUCKETS];

	if (w->queued || w->claimed || w->writing || w->awaited || w->retry_ns)
		return;
	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	free(w);
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

static void work_claim(struct keeper *k, struct work *w)
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
	log_warn("contents of volume number %llu: %s", (unsigned long long)w->volume, err_text(r));
	return false;
}

/* With the lock, given up meanwhile; @w is claimed.  What is told meanwhile queues it again. */
static int work_step(struct keeper *k, struct work *w, struct look *l, bool *more)
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

static void work_unclaim(struct keeper *k, struct work *w, bool more)
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

	for (unsigned i = 0; i < BUCKETS; i++)
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

/* ---- the pass over all volumes ----------------------------------------------------------------------------------- */

/* Without the lock. */
static int scan_judge(struct contents *c, uint64_t volume, bool *due, bool *dropped)
{
	struct catalog_volume row;
	struct volume_row v = { .generation = 0 };
	struct volume_stat st;
	int r = truth_volume_row(c, volume, &v);

	if (r < 0)
		return r;
	*due = r || library_stat(c->lib, volume, &st) || !truth_agrees(&v, &st) || !v.done ||
	       (v.off && !catalog_volume_by_id(c->cat, volume, &row) && contents_wanted(c, &row));
	*dropped = !r && v.oldest != look_oldest(c, volume);
	*due = *due || *dropped;
	return 0;
}

static int next_tape(struct contents *c, uint64_t from, uint64_t *volume)
{
	int r = volume_next(c->kv, from, volume);

	return r == -ENOENT ? CONTENTS_E_NONE : r;
}

/* The next volume that rows with this letter tell of. */
static int next_of(struct kv_iter *it, char letter, uint64_t from, uint64_t *volume)
{
	struct ckey key = ckey_of_volume(letter, from);
	const uint8_t *p;
	size_t len;

	kv_iter_seek(it, key.b, key.len);
	if (!kv_iter_in(it, &letter, 1))
		return kv_iter_error(it);
	p = kv_iter_key(it, &len);
	if (len >= 9 && get_be64(p + 1) < *volume)
		*volume = get_be64(p + 1);
	return 0;
}

int keeper_next_in_rows(struct contents *c, uint64_t from, uint64_t *volume)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	uint64_t next = UINT64_MAX;
	int r = kv_iter_new(c->kv, KV_CONTENTS, &it);

	for (const char *letter = "VFO"; !r && *letter; letter++)
		r = next_of(it, *letter, from, &next);
	if (!r && next == UINT64_MAX)
		return CONTENTS_E_NONE;
	*volume = next;
	return r;
}

/* Is there no tape of that number? */
static bool is_gone(struct contents *c, uint64_t volume)
{
	struct volume_stat st;

	return volume_peek(c->kv, volume, &st) == -ENOENT;
}

struct found { uint64_t volume; bool due, dropped, deleted; };

/* Without the lock; CONTENTS_E_NONE: there is no further one. */
static int scan_look(struct contents *c, enum scan scan, uint64_t from, struct found *out)
{
	struct found f = { 0 };
	int r = scan == SCAN_TAPES ? next_tape(c, from, &f.volume) : keeper_next_in_rows(c, from, &f.volume);

	if (!r && scan == SCAN_TAPES)
		r = scan_judge(c, f.volume, &f.due, &f.dropped);
	else if (!r)
		f.due = f.deleted = is_gone(c, f.volume);
	*out = f;
	return r;
}

static void scan_turn(struct keeper *k)
{
	if (k->scan == SCAN_TAPES) {
		k->scan = SCAN_ROWS;
		k->scan_next = 0;
		return;
	}
	k->scan = SCAN_NOTHING;
	k->scanned = true;
	k->scan_forget = false;
	pthread_cond_broadcast(&k->turned);
}

static void scan_found(struct keeper *k, const struct found *f)
{
	bool forget = k->scan_forget && k->scan == SCAN_TAPES;
	struct work *w = f->due || forget ? work_get(k, f->volume) : NULL;

	if (!w)
		return;
	w->dropped |= f->dropped;
	w->deleted |= f->deleted;
	w->forget |= forget;
	work_queue(k, w);
}

static struct work *next_work(struct keeper *k)
{
	struct work *w = k->first;

	while (w && w->claimed)
		w = w->behind;
	return w;
}

/* With the lock, given up meanwhile; up to the next one that wants something. */
static void keeper_scan(struct keeper *k)
{
	for (unsigned i = 0; i < SCAN_AT_ONCE && k->scan && !next_work(k); i++) {
		uint64_t from = k->scan_next;
		enum scan scan = k->scan;
		struct found f;
		int r;

		pthread_mutex_unlock(&k->lock);
		r = scan_look(k->c, scan, from, &f);
		pthread_mutex_lock(&k->lock);
		if (k->scan != scan || k->scan_next != from)
			continue;	/* it was begun again meanwhile */
		k->scan_next = f.volume + 1;
		if (r < 0)
			log_warn("contents: volumes from number %llu on are not looked at: %s", (unsigned long long)from,
				 err_text(r));
		if (r)
			scan_turn(k);
		else
			scan_found(k, &f);
	}
}

/* ---- what there is to do ---------------------------------------------------------------------------------------- */

static void keeper_sweep(struct keeper *k)
{
	bool more = false;
	int r;

	k->sweep = false;
	k->claims++;
	pthread_mutex_unlock(&k->lock);
	r = contents_sweep(k->c, SWEEP_ROWS, &more);
	if (r)
		log_warn("contents: lists that nobody needs are not deleted: %s", err_text(r));
	pthread_mutex_lock(&k->lock);
	k->claims--;
	k->sweep = k->sweep || (!r && more);
	pthread_cond_broadcast(&k->turned);
}

/* With the lock, given up meanwhile.  False: there is nothing to do. */
static bool keeper_work(struct keeper *k, struct look *l)
{
	struct work *w;
	bool more;

	keeper_poll(k);
	w = next_work(k);
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

static bool keeper_is_idle(const struct keeper *k)
{
	return !k->first && !k->claims && !k->scan && !k->sweep;
}

static void keeper_wait(struct keeper *k, uint64_t ns)
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

static struct keeper *keeper_free(struct keeper *k)
{
	struct work *w, *next;

	for (unsigned i = 0; i < BUCKETS; i++)
		for (w = k->work[i]; w; w = next) {
			next = w->next;
			free(w);
		}
	pthread_cond_destroy(&k->turned);
	pthread_mutex_destroy(&k->lock);
	free(k);
	return NULL;
}

static int keeper_new(struct contents *c, struct keeper **out)
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

/* ---- what others ask -------------------------------------------------------------------------------------------- */

/* With the lock. */
static void keeper_status(const struct keeper *k, struct contents_status *out)
{
	const struct work *w;

	for (unsigned i = 0; i < BUCKETS; i++)
		for (w = k->work[i]; w; w = w->next) {
			out->volumes += w->queued || w->claimed;
			out->files += w->files;
			out->bytes += w->bytes;
		}
	if (k->scan && !out->volumes)
		out->volumes = 1;	/* at least: nobody has counted them */
	out->volume = k->now;
}

int contents_pending(struct contents *c, struct contents_status *out)
{
	*out = (struct contents_status){ 0 };
	if (c->keeper) {
		LOCK_SCOPE(&c->keeper->lock);
		keeper_status(c->keeper, out);
	}
	return contents_counts(c, &out->lists, &out->members);
}

/* Somebody waits for something. */
struct settler {
	struct keeper *k;
	int (*progress)(void *ctx, const struct contents_status *s);
	void *ctx;
	uint64_t told_ns;
	int stopped;			/* what @progress said */
};

/* Without the lock. */
static int settler_tells(struct settler *s)
{
	struct contents_status st = { 0 };
	int r;

	if (s->stopped || !s->progress || clock_mono_ns() - s->told_ns < WAIT_NS)
		return s->stopped ? -ECANCELED : 0;
	pthread_mutex_lock(&s->k->lock);
	keeper_status(s->k, &st);
	pthread_mutex_unlock(&s->k->lock);
	r = contents_counts(s->k->c, &st.lists, &st.members);
	if (!r)
		s->stopped = s->progress(s->ctx, &st);
	s->told_ns = clock_mono_ns();
	return r ? r : s->stopped ? -ECANCELED : 0;
}

/* With the lock, given up meanwhile. */
static int settler_tells_unlocked(struct settler *s)
{
	int r;

	pthread_mutex_unlock(&s->k->lock);
	r = settler_tells(s);
	pthread_mutex_lock(&s->k->lock);
	return r;
}

static int settler_pace(void *ctx)
{
	return settler_tells(ctx);
}

/* With the lock. */
static int settle_volume(struct settler *s, struct work *w)
{
	struct look l = { .c = s->k->c, .pace = settler_pace, .ctx = s, .since_ns = clock_mono_ns() };
	bool more = true;
	int r = 0;

	while (!r && w->claimed) {
		keeper_wait(s->k, WAIT_NS);
		r = settler_tells_unlocked(s);
	}
	if (r)
		return r;
	work_claim(s->k, w);
	while (!r && more) {
		work_unqueue(s->k, w);
		r = work_step(s->k, w, &l, &more);
		if (!r)
			r = settler_tells_unlocked(s);
	}
	work_unclaim(s->k, w, more);
	return r;
}

static int settle_one(struct settler *s, uint64_t volume, bool forget)
{
	struct work *w;
	int r;

	LOCK_SCOPE(&s->k->lock);
	w = work_get(s->k, volume);
	if (!w)
		return err_origin(-ENOMEM);
	w->forget |= forget;
	w->awaited++;
	s->k->hurry++;
	pthread_cond_broadcast(&s->k->turned);
	r = settle_volume(s, w);
	s->k->hurry--;
	w->awaited--;
	work_put(s->k, w);
	return r;
}

int keeper_hold(struct contents *c, uint64_t volume, int (*look)(void *ctx), void *ctx)
{
	struct keeper *k = c->keeper;
	struct work *w;
	int r;

	if (!k)
		return look(ctx);
	LOCK_SCOPE(&k->lock);
	w = work_get(k, volume);
	if (!w)
		return err_origin(-ENOMEM);
	w->awaited++;
	k->hurry++;
	while (w->claimed)
		keeper_wait(k, WAIT_NS);
	w->claimed = true;
	k->claims++;
	k->hurry--;
	pthread_mutex_unlock(&k->lock);
	r = look(ctx);
	pthread_mutex_lock(&k->lock);
	work_unclaim(k, w, w->queued);
	w->awaited--;
	work_put(k, w);
	return r;
}

int keeper_forget(struct contents *c, uint64_t volume)
{
	struct keeper *k = c->keeper;
	struct work *w;

	if (!k)
		return contents_forget(c, volume);
	LOCK_SCOPE(&k->lock);
	w = work_get(k, volume);
	if (!w)
		return err_origin(-ENOMEM);
	w->forget = true;
	work_queue(k, w);
	return 0;
}

/* The writers' volumes too, as far as they have files that are closed. */
static void queue_written(struct keeper *k)
{
	struct work *w;

	for (unsigned i = 0; i < BUCKETS; i++)
		for (w = k->work[i]; w; w = w->next)
			if (w->writing)
				work_queue(k, w);
}

static int settle_all(struct settler *s, bool forget)
{
	struct keeper *k = s->k;
	struct look l = { .c = k->c, .pace = settler_pace, .ctx = s, .since_ns = clock_mono_ns() };
	bool mine = k->c->keeper != k;	/* there is no thread */
	int r = 0;

	LOCK_SCOPE(&k->lock);
	if (forget || mine) {
		k->scan = SCAN_TAPES;
		k->scan_next = 0;
		k->scan_forget = forget;
	}
	queue_written(k);
	k->hurry++;
	pthread_cond_broadcast(&k->turned);
	while (!r && !keeper_is_idle(k)) {
		if (!mine)
			keeper_wait(k, WAIT_NS);
		else if (!keeper_work(k, &l))
			break;
		r = settler_tells_unlocked(s);
	}
	k->hurry--;
	return r;
}

int contents_settle(struct contents *c, uint64_t volume, bool forget,
		    int (*progress)(void *ctx, const struct contents_status *s), void *ctx)
{
	struct settler s = { .k = c->keeper, .progress = progress, .ctx = ctx };
	struct keeper *mine = NULL;
	int r = s.k ? 0 : keeper_new(c, &mine);

	if (r)
		return r;
	s.k = s.k ? s.k : mine;
	r = volume ? settle_one(&s, volume, forget) : settle_all(&s, forget);
	if (mine)
		keeper_free(mine);
	return s.stopped ? s.stopped : r;
}
