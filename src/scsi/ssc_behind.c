/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_behind: what was written goes to the disk while commands go on.  A commit takes as long as the disk does, and
 * the log (ssc_keep.c) has room for what comes meanwhile.
 *
 * A thread for a unit, from the first time that it is needed.  Nobody learns of an error here: nothing is lost by it,
 * the log keeps what it has, and when that is full the command commits itself.
 */
#include <signal.h>

#include "scsi/unit.h"

struct ssc_behind {
	pthread_t thread;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t changed;
	struct volume *volume;		/* to be committed or being committed; NULL: none */
	bool stop;
};

static void *behind(void *ctx)
{
	struct ssc_behind *b = ctx;

	pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		struct volume *v = b->volume;

		if (!v) {
			pthread_cond_wait(&b->changed, &b->lock);
			continue;
		}
		pthread_mutex_unlock(&b->lock);
		if (volume_commit_beside(v))
			log_debug("%s: not committed behind the commands", volume_attr(v)->barcode);
		pthread_mutex_lock(&b->lock);
		b->volume = NULL;
		pthread_cond_broadcast(&b->changed);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

static struct ssc_behind *behind_free(struct ssc_behind *b)
{
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->lock);
	free(b);
	return NULL;
}

/* NULL: then commands commit themselves. */
static struct ssc_behind *behind_new(void)
{
	struct ssc_behind *b = calloc(1, sizeof(*b));
	sigset_t all, before;
	int r;

	if (!b)
		return NULL;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->changed, NULL);
	/* Signals are for the threads that asked for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&b->thread, NULL, behind, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r ? behind_free(b) : b;
}

void ssc_behind_commit(struct ssc *s)
{
	if (!s->behind)
		s->behind = behind_new();
	if (!s->behind)
		return;
	LOCK_SCOPE(&s->behind->lock);

	if (s->behind->volume)
		return;
	s->behind->volume = drive_volume(s->drive);
	pthread_cond_broadcast(&s->behind->changed);
}

void ssc_behind_wait(struct ssc *s)
{
	if (!s->behind)
		return;
	LOCK_SCOPE(&s->behind->lock);

	while (s->behind->volume)
		pthread_cond_wait(&s->behind->changed, &s->behind->lock);
}

void ssc_behind_stop(struct ssc *s)
{
	if (!s->behind)
		return;
	ssc_behind_wait(s);
	pthread_mutex_lock(&s->behind->lock);
	s->behind->stop = true;
	pthread_cond_broadcast(&s->behind->changed);
	pthread_mutex_unlock(&s->behind->lock);
	pthread_join(s->behind->thread, NULL);
	s->behind = behind_free(s->behind);
}
