/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_holding: the table of volumes that somebody has, one struct volume each.  Readers share, a writer is alone,
 * what is loaded in a drive is not written elsewhere, and a change of the volume as a whole is in everybody's way.
 * A volume is opened with its first user and closed with its last.  Rules and errors are decided under the library's
 * lock; opening and closing happen outside of it.  What a claim, a drive or a change is for is the callers'.
 */
#include <assert.h>
#include <errno.h>

#include "library/holding.h"

static bool held_is_used(const struct holding *h)
{
	return h->readers || h->writer || h->pins || h->drive >= 0;
}

struct holding *held_find(struct library *lib, uint64_t id)
{
	struct holding *h = lib->held[id % LIBRARY_BUCKETS];

	while (h && h->id != id)
		h = h->next;
	return h;
}

struct holding *held_get(struct library *lib, uint64_t id)
{
	struct holding *h = held_find(lib, id);

	if (!h) {
		h = calloc(1, sizeof(*h));
		if (!h)
			return NULL;
		pthread_mutex_init(&h->refresh, NULL);
		h->id = id;
		h->drive = -1;
		h->next = lib->held[id % LIBRARY_BUCKETS];
		lib->held[id % LIBRARY_BUCKETS] = h;
	}
	h->refs++;
	return h;
}

void held_free(struct holding *h)
{
	pthread_mutex_destroy(&h->refresh);
	free(h);
}

void held_put(struct library *lib, struct holding *h)
{
	struct holding **p = &lib->held[h->id % LIBRARY_BUCKETS];

	assert(h->refs);
	if (--h->refs)
		return;
	assert(!h->vol);
	while (*p != h)
		p = &(*p)->next;
	*p = h->next;
	held_free(h);
}

static int held_open_volume(struct library *lib, uint64_t id, struct volume **out)
{
	struct catalog_volume row;
	struct volume_attr attr;
	int r;

	r = library_row(lib, id, &row);
	if (r)
		return r;
	r = library_attr(lib, &row, &attr);
	if (r)
		return r;
	return volume_open(lib->shelf, &attr, out);
}

int held_open(struct library *lib, struct holding *h)
{
	struct volume *vol = NULL;
	int r;

	if (h->vol)
		return 0;
	h->busy = true;
	pthread_mutex_unlock(&lib->lock);
	r = held_open_volume(lib, h->id, &vol);
	pthread_mutex_lock(&lib->lock);
	h->vol = vol;
	h->busy = false;
	pthread_cond_broadcast(&lib->turned);
	return err_fold(r);
}

int held_close_if_unused(struct library *lib, struct holding *h)
{
	struct volume *vol = h->vol;
	int error = 0;

	pthread_cond_broadcast(&lib->turned);
	if (held_is_used(h) || !vol || h->busy)
		return 0;
	h->busy = true;
	pthread_mutex_unlock(&lib->lock);
	volume_close(vol, &error);
	pthread_mutex_lock(&lib->lock);
	h->vol = NULL;
	h->busy = false;
	pthread_cond_broadcast(&lib->turned);
	return error;
}

int held_busy(struct library *lib, uint64_t id, struct held_by_whom whom)
{
	struct catalog_volume row;
	int r = library_row(lib, id, &row);

	if (r)
		return r;
	if (whom.by == HELD_BY_DRIVE)
		return err_explain(-EBUSY, "volume %s is loaded in drive nst%d", row.name, whom.drive);
	if (whom.by == HELD_BY_WRITER && whom.drive >= 0)
		return err_explain(-EBUSY, "volume %s is being written in drive nst%d", row.name, whom.drive);
	if (whom.by == HELD_BY_WRITER)
		return err_explain(-EBUSY, "volume %s is being written", row.name);
	return err_explain(-EBUSY, "volume %s is being read", row.name);
}

/*
 * Who is in the way of @how, for @drive (-1: for nobody's drive).  A tape in one drive is read elsewhere, but neither
 * written nor loaded; a pin is in nobody's way.
 */
static struct held_by_whom held_against(const struct holding *h, enum claim how, int drive)
{
	struct held_by_whom whom = { HELD_BY_NOBODY, h->drive };

	if (h->drive >= 0 && h->drive != drive && (how == CLAIM_WRITE || drive >= 0))
		whom.by = HELD_BY_DRIVE;
	else if (h->writer)
		whom.by = HELD_BY_WRITER;
	else if (how == CLAIM_WRITE && h->readers)
		whom.by = HELD_BY_READER;
	return whom;
}

struct held_by_whom held_now(struct library *lib, uint64_t id)
{
	LOCK_SCOPE(&lib->lock);
	const struct holding *h = held_find(lib, id);

	return h ? held_against(h, CLAIM_WRITE, -1) : (struct held_by_whom){ HELD_BY_NOBODY, -1 };
}

/* Nobody waits for a tape to leave a drive: that takes a person. */
struct held_by_whom held_await(struct library *lib, struct holding *h, enum claim how, int drive)
{
	uint64_t deadline = clock_mono_ns() + LIBRARY_PATIENCE_NS;
	struct held_by_whom whom;
	bool patient = true;

	for (;;) {
		whom = held_against(h, how, drive);
		if (h->busy)
			library_wait(lib, 0);
		else if (whom.by == HELD_BY_NOBODY || whom.by == HELD_BY_DRIVE || !patient)
			return whom;
		else
			patient = library_wait(lib, deadline);
	}
}

void held_mark(struct holding *h, enum claim how)
{
	if (how == CLAIM_WRITE)
		h->writer = true;
	else
		h->readers++;
}

void held_unmark(struct holding *h, enum claim how)
{
	if (how == CLAIM_WRITE) {
		assert(h->writer);
		h->writer = false;
	} else {
		assert(h->readers);
		h->readers--;
	}
}

/* ---- as a whole ------------------------------------------------------------------------------------------------ */

/* Closed, and nobody gets it until held_free_again(). */
static int held_take_whole(struct library *lib, uint64_t id, struct holding **out)
{
	struct held_by_whom whom;
	struct holding *h;

	pthread_mutex_lock(&lib->lock);
	h = held_get(lib, id);
	if (!h) {
		pthread_mutex_unlock(&lib->lock);
		return err_origin(-ENOMEM);
	}
	for (;;) {
		whom = held_await(lib, h, CLAIM_WRITE, -1);
		if (whom.by != HELD_BY_NOBODY || !(h->pins || h->vol))
			break;
		library_wait(lib, 0);	/* a pin is only for a moment */
	}
	if (whom.by == HELD_BY_NOBODY)
		h->busy = true;
	else
		held_put(lib, h);
	pthread_mutex_unlock(&lib->lock);
	if (whom.by != HELD_BY_NOBODY)
		return held_busy(lib, id, whom);
	*out = h;
	return 0;
}

static void held_free_again(struct library *lib, struct holding *h)
{
	LOCK_SCOPE(&lib->lock);
	h->busy = false;
	pthread_cond_broadcast(&lib->turned);
	held_put(lib, h);
}

int held_as_whole(struct library *lib, uint64_t id, held_change change, void *ctx)
{
	struct holding *h = NULL;
	int r = held_take_whole(lib, id, &h);

	if (r)
		return r;
	r = change(lib, id, ctx);
	held_free_again(lib, h);
	return r;
}
