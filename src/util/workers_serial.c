/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial twin of the workers: a job is run and finished inside lane_submit(), by the thread that submits it.  It
 * is the definition of what the threads have to give: same input, same bytes out.
 *
 * A lane's lock keeps done() one at a time and in order even if two threads submit to it.
 */
#include <errno.h>

#include "util/workers_kind.h"

struct serial_lane {
	struct lane lane;
	pthread_mutex_t lock;	/* held while a job of this lane runs and is finished */
};

static int serial_lane_new(struct workers *w, unsigned depth, struct lane **out)
{
	struct serial_lane *sl = calloc(1, sizeof(*sl));

	(void)depth;
	if (!sl)
		return err_origin(-ENOMEM);
	sl->lane.workers = w;
	pthread_mutex_init(&sl->lock, NULL);
	*out = &sl->lane;
	return 0;
}

static void serial_lane_wait_empty(struct lane *l)
{
	struct serial_lane *sl = (struct serial_lane *)l;

	LOCK_SCOPE(&sl->lock);
}

static struct lane *serial_lane_free(struct lane *l)
{
	struct serial_lane *sl = (struct serial_lane *)l;

	serial_lane_wait_empty(l);
	pthread_mutex_destroy(&sl->lock);
	free(sl);
	return NULL;
}

static void serial_lane_submit(struct lane *l, struct job *j)
{
	struct serial_lane *sl = (struct serial_lane *)l;

	j->next = NULL;
	j->lane = l;
	LOCK_SCOPE(&sl->lock);
	j->run(j);
	j->done(j);
}

static struct workers *serial_free(struct workers *w)
{
	free(w);
	return NULL;
}

static const struct workers_kind serial_kind = {
	.free = serial_free,
	.lane_new = serial_lane_new,
	.lane_free = serial_lane_free,
	.lane_submit = serial_lane_submit,
	.lane_wait_empty = serial_lane_wait_empty,
};

int workers_serial_new(struct workers **out)
{
	struct workers *w = calloc(1, sizeof(*w));

	if (!w)
		return err_origin(-ENOMEM);
	w->kind = &serial_kind;
	*out = w;
	return 0;
}
