/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_load: which volume is in which drive, and which program has the drive.  The catalog remembers what is
 * loaded (library_place.c), so that a restart finds every tape where it was; who has a drive open is forgotten with the
 * process.  A drive on its way (bay.busy) is nobody's; a tape in a drive is kept open, and is claimed only while a
 * program has the drive.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

#define DRIVE_NAME_MAX 16

unsigned bay_number(const struct library *lib, const struct bay *s)
{
	return (unsigned)(s - lib->bay);
}

static char *bay_name(const struct library *lib, const struct bay *s, char out[DRIVE_NAME_MAX])
{
	snprintf(out, DRIVE_NAME_MAX, "nst%u", bay_number(lib, s));
	return out;
}

static enum claim bay_claim(const struct bay *s)
{
	return s->write ? CLAIM_WRITE : CLAIM_READ;
}

static int bay_find(struct library *lib, unsigned n, struct bay **out)
{
	if (n >= lib->drives)
		return err_explain(-ENOENT, "there is no drive nst%u: this library has %u", n, lib->drives);
	*out = &lib->bay[n];
	return 0;
}

/* Without `lock`, from a drive that is busy.  It may have been deleted since: then there is nothing to tell. */
void bay_tell(struct library *lib, struct bay *s, uint64_t volume, enum event_number what)
{
	char about[LIBRARY_ABOUT_MAX], name[DRIVE_NAME_MAX];
	struct catalog_volume row;

	if (!library_row(lib, volume, &row))
		catalog_event(lib->cat, what, bay_name(lib, s, name), "%s", library_about(lib, &row, about));
}

/* With `lock`: the volume is this drive's, open, claimed for the program that has the drive.  Nothing else yet. */
static int bay_acquire(struct library *lib, struct bay *s, uint64_t volume, struct holding **out,
			struct held_by_whom *whom)
{
	struct holding *h = held_get(lib, volume);
	int r;

	if (!h)
		return err_origin(-ENOMEM);
	*whom = held_await(lib, h, bay_claim(s), (int)bay_number(lib, s));
	if (whom->by != HELD_BY_NOBODY) {
		held_put(lib, h);
		return -EBUSY;	/* the words come from held_busy(), without the lock */
	}
	h->drive = (int)bay_number(lib, s);
	if (s->open)
		held_mark(h, bay_claim(s));
	r = held_open(lib, h);
	if (r) {
		h->drive = -1;
		if (s->open)
			held_unmark(h, bay_claim(s));
		pthread_cond_broadcast(&lib->turned);
		held_put(lib, h);
		return r;
	}
	*out = h;
	return 0;
}

static int bay_abandon(struct library *lib, struct bay *s, struct holding *h)
{
	int r;

	h->drive = -1;
	if (s->open)
		held_unmark(h, bay_claim(s));
	r = held_close_if_unused(lib, h);
	held_put(lib, h);
	return r;
}

int bay_insert(struct library *lib, struct bay *s, uint64_t volume)
{
	struct held_by_whom whom = { HELD_BY_NOBODY, -1 };
	struct holding *h = NULL;
	int r;

	pthread_mutex_lock(&lib->lock);
	r = bay_acquire(lib, s, volume, &h, &whom);
	pthread_mutex_unlock(&lib->lock);
	if (!h)
		return whom.by != HELD_BY_NOBODY ? held_busy(lib, volume, whom) : r;
	if (s->open && s->write) {
		watch_writer_next(lib, s, volume);
		r = held_begin_write(lib, h);
	}
	if (!r)
		r = err_fold(drive_load(s->drive, h->vol));
	if (r && s->open && s->write)
		watch_tell(lib, volume, WATCH_WRITTEN);
	LOCK_SCOPE(&lib->lock);
	if (!r)
		s->held = h;
	else
		bay_abandon(lib, s, h);
	return r;
}

int bay_remove(struct library *lib, struct bay *s)
{
	struct holding *h = s->held;
	int r, settled = 0, closed;

	r = err_fold(drive_unload(s->drive));
	if (s->open && s->write)
		settled = held_end_write(lib, h);
	LOCK_SCOPE(&lib->lock);
	s->held = NULL;
	s->out = false;
	closed = bay_abandon(lib, s, h);
	return r ? r : settled ? settled : closed;
}

void bay_done(struct library *lib, struct bay *s)
{
	LOCK_SCOPE(&lib->lock);
	s->busy = false;
	pthread_cond_broadcast(&lib->turned);
}

/* With `lock` and an empty drive that is not busy; gives up the lock for good. */
static int bay_load(struct library *lib, struct bay *s, uint64_t volume)
{
	bool news = false;
	int r;

	assert(!s->held);
	s->busy = true;
	pthread_mutex_unlock(&lib->lock);
	r = bay_insert(lib, s, volume);
	if (!r) {
		r = place_enter(lib, bay_number(lib, s), volume, &news);
		if (r)
			bay_remove(lib, s);
	}
	if (news)
		bay_tell(lib, s, volume, EVENT_LOADED);
	bay_done(lib, s);
	return r;
}

/* With `lock` and a loaded drive that is not busy; gives up the lock for good.  The tape is out even if it fails. */
static int bay_unload(struct library *lib, struct bay *s)
{
	uint64_t volume = s->held->id;
	int r, placed;

	s->busy = true;
	pthread_mutex_unlock(&lib->lock);
	r = bay_remove(lib, s);
	placed = place_leave(lib, bay_number(lib, s), volume);
	if (!placed)
		bay_tell(lib, s, volume, EVENT_UNLOADED);
	s->last = volume;
	bay_done(lib, s);
	return r ? r : placed;
}

/* With `lock`: waits while it is on its way, and with patience while a program has it.  False: it still has. */
static bool bay_await(struct library *lib, struct bay *s)
{
	uint64_t deadline = clock_mono_ns() + LIBRARY_PATIENCE_NS;
	bool patient = true;

	for (;;) {
		if (s->busy)
			library_wait(lib, 0);
		else if (!s->open)
			return true;
		else if (!patient)
			return false;
		else
			patient = library_wait(lib, deadline);
	}
}

int bay_lock_idle(struct library *lib, struct bay *s, bool leaves)
{
	bool open, locked;

	pthread_mutex_lock(&lib->lock);
	open = !bay_await(lib, s);
	locked = leaves && s->locked;
	if (!open && !locked)
		return 0;
	pthread_mutex_unlock(&lib->lock);
	if (open)
		return err_explain(-EBUSY, "drive nst%u is in use by a program", bay_number(lib, s));
	return err_explain(-EBUSY, "drive nst%u is locked (mt unlock lets go of the tape)", bay_number(lib, s));
}

unsigned library_drives(const struct library *lib)
{
	return lib->drives;
}

int library_drive_info(struct library *lib, unsigned n, struct library_drive *out)
{
	struct library_drive info = { .number = n };
	struct bay *s = NULL;
	int r;

	r = bay_find(lib, n, &s);
	if (r)
		return r;
	pthread_mutex_lock(&lib->lock);
	info.open = s->open;
	info.locked = s->locked;
	info.loaded = s->held && !s->busy;
	info.out = info.loaded && s->out;
	info.volume = s->held ? s->held->id : 0;
	pthread_mutex_unlock(&lib->lock);
	/* It may have gone meanwhile: then it is empty. */
	if (info.loaded && drive_position(s->drive, &info.pos))
		info.loaded = false;
	if (!info.loaded)
		info.volume = 0;
	*out = info;
	return 0;
}

int library_load(struct library *lib, unsigned n, uint64_t volume)
{
	struct catalog_volume row;
	struct bay *s = NULL;
	uint64_t other;
	int r;

	r = bay_find(lib, n, &s);
	if (r)
		return r;
	r = library_row(lib, volume, &row);
	if (r)
		return r;
	if (row.state == STATE_INCOMING)
		return err_explain(-EBUSY, "volume %s is an image that is still being written", row.name);
	r = bay_lock_idle(lib, s, false);
	if (r)
		return r;
	if (!s->held)
		return bay_load(lib, s, volume);
	other = s->held->id;
	pthread_mutex_unlock(&lib->lock);
	r = library_row(lib, other, &row);
	return r ? r : err_explain(-EBUSY, "drive nst%u has volume %s in it", n, row.name);
}

int library_unload(struct library *lib, unsigned n)
{
	struct bay *s = NULL;
	int r;

	r = bay_find(lib, n, &s);
	if (!r)
		r = bay_lock_idle(lib, s, true);
	if (r)
		return r;
	if (s->held)
		return bay_unload(lib, s);
	pthread_mutex_unlock(&lib->lock);
	return 0;
}

/* ---- from the program that has it ------------------------------------------------------------------------------ */

int library_drive_open(struct library *lib, unsigned n, bool write, struct drive **drive)
{
	struct held_by_whom whom = { HELD_BY_NOBODY, -1 };
	struct holding *h = NULL;
	struct bay *s = NULL;
	int r;

	r = bay_find(lib, n, &s);
	if (r)
		return r;
	r = bay_lock_idle(lib, s, false);
	if (r)
		return r;
	s->open = true;
	s->write = write;
	s->writer = (struct library_writer){ .door = LIBRARY_DOOR_UNKNOWN };
	h = s->held;
	/* It is in this drive, so only readers elsewhere can be in the way. */
	if (h)
		whom = held_await(lib, h, bay_claim(s), (int)n);
	if (whom.by != HELD_BY_NOBODY) {
		s->open = s->write = false;
		pthread_cond_broadcast(&lib->turned);
		pthread_mutex_unlock(&lib->lock);
		return held_busy(lib, h->id, whom);
	}
	if (h)
		held_mark(h, bay_claim(s));
	s->out = false;
	pthread_mutex_unlock(&lib->lock);
	if (h && write)
		r = held_begin_write(lib, h);
	if (r) {
		library_drive_close(lib, n);
		return r;
	}
	*drive = s->drive;
	return 0;
}

/* Takes `lock` if there is such a drive; the caller is the program that has it open. */
static int bay_lock_open(struct library *lib, unsigned n, struct bay **out)
{
	int r = bay_find(lib, n, out);

	if (r)
		return r;
	pthread_mutex_lock(&lib->lock);
	assert((*out)->open && !(*out)->busy);
	return 0;
}

int library_drive_close(struct library *lib, unsigned n)
{
	struct holding *h;
	struct bay *s = NULL;
	int r, settled = 0;

	r = bay_lock_open(lib, n, &s);
	if (r)
		return r;
	h = s->held;
	s->busy = true;
	pthread_mutex_unlock(&lib->lock);
	if (h && s->write) {
		r = err_fold(drive_flush(s->drive));
		settled = held_end_write(lib, h);
	}
	pthread_mutex_lock(&lib->lock);
	if (h)
		held_unmark(h, bay_claim(s));
	s->open = s->write = s->busy = false;
	pthread_cond_broadcast(&lib->turned);
	pthread_mutex_unlock(&lib->lock);
	return r ? r : settled;
}

int bay_load_open(struct library *lib, unsigned n, uint64_t volume)
{
	struct bay *s = NULL;
	int r = bay_lock_open(lib, n, &s);

	return r ? r : bay_load(lib, s, volume);
}

int bay_unload_open(struct library *lib, unsigned n)
{
	struct bay *s = NULL;
	int r = bay_lock_open(lib, n, &s);

	return r ? r : bay_unload(lib, s);
}

uint64_t bay_last(struct library *lib, unsigned n)
{
	LOCK_SCOPE(&lib->lock);
	return lib->bay[n].last;
}

/* What was in it is out, whether or not something comes in. */
static int bay_eject(struct library *lib, struct bay *s)
{
	int r = bay_unload(lib, s), next;

	next = stack_next(lib, bay_number(lib, s), true);
	if (next < 0)
		log_warn("drive nst%u: its stacker loads nothing: %s", bay_number(lib, s), err_text(next));
	return r;
}

int library_drive_eject(struct library *lib, unsigned n)
{
	struct bay *s = NULL;
	bool locked;
	int r = bay_lock_open(lib, n, &s);

	if (r)
		return r;
	locked = s->locked;
	if (s->held && !locked)
		return bay_eject(lib, s);
	pthread_mutex_unlock(&lib->lock);
	return locked ? err_explain(-EIO, "drive nst%u is locked", n) : 0;
}

int library_drive_reload(struct library *lib, unsigned n)
{
	struct bay *s = NULL;
	bool held;
	int r = bay_lock_open(lib, n, &s);

	if (r)
		return r;
	held = s->held;
	pthread_mutex_unlock(&lib->lock);
	if (held)
		return 0;
	r = stack_next(lib, n, true);
	if (r == -ENOENT)
		return err_explain(-EIO, "drive nst%u: its stacker has no volume for it", n);
	if (r != CATALOG_E_NONE)
		return r;
	pthread_mutex_lock(&lib->lock);
	if (s->last)
		return bay_load(lib, s, s->last);
	pthread_mutex_unlock(&lib->lock);
	return err_explain(-EIO, "drive nst%u: no volume was in it before", n);
}

void library_drive_lock(struct library *lib, unsigned n, bool locked)
{
	struct bay *s = NULL;

	if (bay_find(lib, n, &s))
		return;
	LOCK_SCOPE(&lib->lock);
	s->locked = locked;
}

void library_drive_out(struct library *lib, unsigned n, bool out)
{
	struct bay *s = NULL;

	if (bay_find(lib, n, &s))
		return;
	LOCK_SCOPE(&lib->lock);
	s->out = out && s->held;
	/* A robot would have put it away: what is on it is of an earlier time for whoever comes next. */
	if (s->out && !s->busy)
		volume_session_ends(s->held->vol);
}

/* ---- one who can be asked to let go ---------------------------------------------------------------------------- */

void library_drive_lender(struct library *lib, unsigned n, int (*let_go)(void *ctx), void *ctx)
{
	struct bay *s = NULL;

	if (bay_find(lib, n, &s))
		return;
	LOCK_SCOPE(&lib->lending);
	s->let_go = let_go;
	s->lender = ctx;
}

int library_drive_ask(struct library *lib, unsigned n)
{
	struct bay *s = NULL;
	int r = bay_find(lib, n, &s);

	if (r)
		return r;
	LOCK_SCOPE(&lib->lending);
	return s->let_go ? s->let_go(s->lender) : 0;
}
