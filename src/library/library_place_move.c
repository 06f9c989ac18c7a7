/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_place_move: what a robot does.  A move or an exchange is one or two legs, and all of it or nothing: first
 * everything that can be in the way is asked and the places that will be filled are kept free, then the tapes leave
 * their drives, then they enter others, and last all rows change in one batch.  What fails before that is undone.
 */
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

#define LEGS 2

struct leg {
	struct library_place from, to;
	uint64_t volume;
	bool kept;		/* @to is kept free */
	bool busy_from, busy_to;	/* drives that are ours */
	bool out, in;		/* of a drive, into one */
	bool was_out;		/* library_drive_out(), before */
	struct library_place source;	/* for a drive: where the tape came from */
};

struct journey {
	struct library *lib;
	struct leg leg[LEGS];
	unsigned legs;
};

static bool same(struct library_place a, struct library_place b)
{
	return a.kind == b.kind && a.number == b.number;
}

static struct bay *bay_at(struct library *lib, struct library_place at)
{
	return at.kind == LIBRARY_DRIVE ? &lib->bay[at.number] : NULL;
}

/* Another leg than @but begins there. */
static bool begins_at(const struct journey *j, struct library_place at, const struct leg *but)
{
	for (const struct leg *l = j->leg; l < j->leg + j->legs; l++)
		if (l != but && same(l->from, at))
			return true;
	return false;
}

static bool ends_at(const struct journey *j, struct library_place at, const struct leg *but)
{
	for (const struct leg *l = j->leg; l < j->leg + j->legs; l++)
		if (l != but && same(l->to, at))
			return true;
	return false;
}

/* ---- asked beforehand ------------------------------------------------------------------------------------------ */

/* With `place`. */
static int leg_plan(const struct journey *j, struct leg *l)
{
	struct library *lib = j->lib;
	char name[32];

	if (!place_exists(lib, l->from) || !place_exists(lib, l->to))
		return err_explain(-EINVAL, "there is no %s",
				   place_name(place_exists(lib, l->from) ? l->to : l->from, name));
	l->volume = place_at(lib, l->from);
	if (!l->volume || l->volume == PLACE_COMING)
		return err_explain(-ENOENT, "%s is empty", place_name(l->from, name));
	if (ends_at(j, l->to, l) || (place_at(lib, l->to) && !begins_at(j, l->to, l)))
		return err_explain(-EEXIST, "%s has a volume in it", place_name(l->to, name));
	return 0;
}

static int journey_plan(struct journey *j)
{
	int r = 0;

	LOCK_SCOPE(&j->lib->places.lock);
	for (struct leg *l = j->leg; !r && l < j->leg + j->legs; l++)
		r = leg_plan(j, l);
	for (struct leg *l = j->leg; !r && l < j->leg + j->legs; l++) {
		if (l->to.kind == LIBRARY_DRIVE || place_at(j->lib, l->to))
			continue;
		place_set(j->lib, l->to, PLACE_COMING);
		l->kept = true;
	}
	return r;
}

/* The drive is ours; @has: the tape that shall be in it, 0: none. */
static int bay_engage(struct library *lib, struct bay *s, uint64_t has, bool leaves)
{
	bool as_planned;
	int r = bay_lock_idle(lib, s, leaves);

	if (r)
		return r;
	as_planned = has == (s->held ? s->held->id : 0);
	if (as_planned)
		s->busy = true;
	pthread_mutex_unlock(&lib->lock);
	return as_planned ? 0 : err_explain(-EBUSY, "drive nst%u has been loaded or unloaded just now",
					    bay_number(lib, s));
}

static int journey_engage(struct journey *j)
{
	struct library *lib = j->lib;
	struct bay *s;
	int r = 0;

	for (struct leg *l = j->leg; !r && l < j->leg + j->legs; l++) {
		s = bay_at(lib, l->from);
		if (s) {
			r = bay_engage(lib, s, l->volume, true);
			l->busy_from = !r;
		}
		s = bay_at(lib, l->to);
		if (!r && s && !begins_at(j, l->to, l)) {
			r = bay_engage(lib, s, 0, false);
			l->busy_to = !r;
		}
	}
	return r;
}

/* ---- done, and undone ------------------------------------------------------------------------------------------ */

static bool bay_is_out(struct library *lib, struct bay *s)
{
	LOCK_SCOPE(&lib->lock);
	return s->out;
}

static int journey_carry(struct journey *j)
{
	struct library *lib = j->lib;
	int r = 0;

	for (struct leg *l = j->leg; !r && l < j->leg + j->legs; l++) {
		if (l->from.kind != LIBRARY_DRIVE)
			continue;
		l->was_out = bay_is_out(lib, bay_at(lib, l->from));
		r = bay_remove(lib, bay_at(lib, l->from));
		l->out = true;
	}
	for (struct leg *l = j->leg; !r && l < j->leg + j->legs; l++) {
		if (l->to.kind != LIBRARY_DRIVE)
			continue;
		r = bay_insert(lib, bay_at(lib, l->to), l->volume);
		l->in = !r;
	}
	return r;
}

/* What does not go back into its drive goes where an unload takes it. */
static void journey_undo(struct journey *j)
{
	struct library *lib = j->lib;
	struct bay *s;
	int r;

	for (struct leg *l = j->leg; l < j->leg + j->legs; l++)
		if (l->in)
			bay_remove(lib, bay_at(lib, l->to));
	for (struct leg *l = j->leg; l < j->leg + j->legs; l++) {
		if (!l->out)
			continue;
		s = bay_at(lib, l->from);
		r = bay_insert(lib, s, l->volume);
		if (!r) {
			library_drive_out(lib, bay_number(lib, s), l->was_out);
			continue;
		}
		log_error("drive nst%u: volume number %llu does not go back into it: %s", bay_number(lib, s),
			  (unsigned long long)l->volume, err_text(r));
		if (!place_leave(lib, bay_number(lib, s), l->volume))
			bay_tell(lib, s, l->volume, EVENT_UNLOADED);
		s->last = l->volume;
	}
}

/* With `place`: while the drives were busy, a hand may have taken a tape out of its slot or port. */
static int leg_stage(const struct journey *j, struct leg *l, struct kv_batch *b)
{
	int r = 0;

	if (place_at(j->lib, l->from) != l->volume)
		return err_explain(-EBUSY, "volume number %llu has been taken elsewhere just now",
				   (unsigned long long)l->volume);
	l->source = l->from.kind == LIBRARY_DRIVE ? j->lib->places.drive[l->from.number].source : l->from;
	if (l->from.kind == LIBRARY_DRIVE && !ends_at(j, l->from, l))
		r = catalog_drive_stage(b, l->from.number, 0);
	if (r)
		return r;
	return l->to.kind == LIBRARY_DRIVE ? catalog_drive_stage(b, l->to.number, l->volume) :
					     place_stage(b, l->volume, l->to);
}

static int journey_write(struct journey *j)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct places *p = &j->lib->places;
	int r;

	LOCK_SCOPE(&p->lock);
	r = kv_batch_new(&b);
	for (struct leg *l = j->leg; !r && l < j->leg + j->legs; l++)
		r = leg_stage(j, l, b);
	if (!r)
		r = catalog_write(j->lib->cat, b);
	if (r)
		return err_fold(r);
	for (struct leg *l = j->leg; l < j->leg + j->legs; l++)
		place_set(j->lib, l->from, 0);
	for (struct leg *l = j->leg; l < j->leg + j->legs; l++) {
		place_set(j->lib, l->to, l->volume);
		l->kept = false;
		if (l->to.kind == LIBRARY_DRIVE)
			p->drive[l->to.number].source = l->source;
	}
	p->changes++;
	return 0;
}

static void journey_tell(struct journey *j)
{
	struct library *lib = j->lib;

	for (struct leg *l = j->leg; l < j->leg + j->legs; l++) {
		if (!l->out)
			continue;
		bay_tell(lib, bay_at(lib, l->from), l->volume, EVENT_UNLOADED);
		bay_at(lib, l->from)->last = l->volume;
	}
	for (struct leg *l = j->leg; l < j->leg + j->legs; l++)
		if (l->in)
			bay_tell(lib, bay_at(lib, l->to), l->volume, EVENT_LOADED);
}

static void journey_end(struct journey *j)
{
	for (struct leg *l = j->leg; l < j->leg + j->legs; l++) {
		if (l->busy_from)
			bay_done(j->lib, bay_at(j->lib, l->from));
		if (l->busy_to)
			bay_done(j->lib, bay_at(j->lib, l->to));
	}
	LOCK_SCOPE(&j->lib->places.lock);
	for (struct leg *l = j->leg; l < j->leg + j->legs; l++)
		if (l->kept)
			place_set(j->lib, l->to, 0);
}

static int journey_go(struct journey *j)
{
	int r;

	LOCK_SCOPE(&j->lib->places.arm);
	r = journey_plan(j);
	if (!r)
		r = journey_engage(j);
	if (!r) {
		r = journey_carry(j);
		if (!r)
			r = journey_write(j);
		if (r)
			journey_undo(j);
		else
			journey_tell(j);
	}
	journey_end(j);
	return r;
}

int library_move(struct library *lib, struct library_place from, struct library_place to)
{
	struct journey j = { .lib = lib, .leg = { { .from = from, .to = to } }, .legs = 1 };

	return journey_go(&j);
}

int library_exchange(struct library *lib, struct library_place a, struct library_place b, struct library_place c)
{
	struct journey j = { .lib = lib, .leg = { { .from = a, .to = b }, { .from = b, .to = c } }, .legs = 2 };

	if (same(a, b))
		return err_explain(-EINVAL, "nothing is exchanged with itself");
	return journey_go(&j);
}
