/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What others ask of the keeper: how much is still to be looked at, and that something be looked at now.  Who waits
 * for one volume looks at it himself, at his own priority; who waits for all waits for the thread, or works if there
 * is none.
 */
#include <errno.h>

#include "contents/keeper.h"

/* With the lock. */
static void keeper_status(const struct keeper *k, struct contents_status *out)
{
	const struct work *w;

	for (unsigned i = 0; i < KEEPER_BUCKETS; i++)
		for (w = k->work[i]; w; w = w->next) {
			out->volumes += w->queued || w->claimed || w->retry_ns;
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

	if (s->stopped || !s->progress || clock_mono_ns() - s->told_ns < KEEPER_WAIT_NS)
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
		keeper_wait(s->k, KEEPER_WAIT_NS);
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
		keeper_wait(k, KEEPER_WAIT_NS);
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

static bool keeper_is_idle(const struct keeper *k)
{
	return !k->first && !k->claims && !k->scan && !k->sweep;
}

/* The writers' volumes too, as far as they have files that are closed; and those that wait for another try. */
static void queue_all(struct keeper *k)
{
	struct work *w;

	for (unsigned i = 0; i < KEEPER_BUCKETS; i++)
		for (w = k->work[i]; w; w = w->next)
			if (w->writing || w->retry_ns)
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
	queue_all(k);
	k->hurry++;
	pthread_cond_broadcast(&k->turned);
	while (!r && !keeper_is_idle(k)) {
		if (!mine)
			keeper_wait(k, KEEPER_WAIT_NS);
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
