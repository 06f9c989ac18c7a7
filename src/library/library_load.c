/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_load: which volume is in which drive, and which program has the drive.  The catalog remembers what is
 * loaded, so that a restart finds every tape where it was; who has a drive open is forgotten with the process. A
 * drive on its way (slot.busy) is nobody's; a tape in a drive is kept open, and is claimed only while a program has
 * the drive.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

#define DRIVE_NAME_MAX 16

static unsigned slot_number(const struct library *lib, const struct slot *s)
{
	return (unsigned)(s - lib->slot);
}

static char *slot_name(const struct library *lib, const struct slot *s, char out[DRIVE_NAME_MAX])
{
	snprintf(out, DRIVE_NAME_MAX, "nst%u", slot_number(lib, s));
	return out;
}

static enum claim slot_claim(const struct slot *s)
{
	return s->write ? CLAIM_WRITE : CLAIM_READ;
}

static int slot_find(struct library *lib, unsigned n, struct slot **out)
{
	if (n >= lib->drives)
		return err_explain(-ENOENT, "there is no drive nst%u: this library has %u", n, lib->drives);
	*out = &lib->slot[n];
	return 0;
}

/* Without `lock`, from a drive that is busy. */
static int slot_tell(struct library *lib, struct slot *s, uint64_t volume, bool loaded)
{
	char about[LIBRARY_ABOUT_MAX], name[DRIVE_NAME_MAX];
	struct catalog_volume row;
	uint64_t was = 0;
	int r;

	/* Found there by a start: nothing has changed. */
	if (loaded && !catalog_drive_get(lib->cat, slot_number(lib, s), &was) && was == volume)
		return 0;
	r = catalog_drive_put(lib->cat, slot_number(lib, s), loaded ? volume : 0);
	if (r)
		return err_fold(r);
	r = library_row(lib, volume, &row);
	if (r)
		return r;
	catalog_event(lib->cat, loaded ? EVENT_LOADED : EVENT_UNLOADED, slot_name(lib, s, name), "%s",
		      library_about(lib, &row, about));
	return 0;
}

/* With `lock`: the volume is this drive's, open, claimed for the program that has the drive.  Nothing else yet. */
static int slot_acquire(struct library *lib, struct slot *s, uint64_t volume, struct holding **out,
			struct held_by_whom *whom)
{
	struct holding *h = held_get(lib, volume);
	int r;

	if (!h)
		return err_origin(-ENOMEM);
	*whom = held_await(lib, h, slot_claim(s), (int)slot_number(lib, s));
	if (whom->by != HELD_BY_NOBODY) {
		held_put(lib, h);
		return -EBUSY;	/* the words come from held_busy(), without the lock */
	}
	h->drive = (int)slot_number(lib, s);
	if (s->open)
		held_mark(h, slot_claim(s));
	r = held_open(lib, h);
	if (r) {
		h->drive = -1;
		if (s->open)
			held_unmark(h, slot_claim(s));
		pthread_cond_broadcast(&lib->turned);
		held_put(lib, h);
		return r;
	}
	*out = h;
	return 0;
}

static int slot_abandon(struct library *lib, struct slot *s, struct holding *h)
{
	int r;

	h->drive = -1;
	if (s->open)
		held_unmark(h, slot_claim(s));
	r = held_close_if_unused(lib, h);
	held_put(lib, h);
	return r;
}

/* Without `lock`: the volume is the drive's, now the drive gets it. */
static int slot_put_in(struct library *lib, struct slot *s, struct holding *h)
{
	int r = 0;

	if (s->open && s->write)
		r = held_begin_write(lib, h);
	if (!r)
		r = err_fold(drive_load(s->drive, h->vol));
	if (!r)
		r = slot_tell(lib, s, h->id, true);
	if (r)
		drive_unload(s->drive);
	return r;
}

/* With `lock` and an empty drive that is not busy; gives up the lock for good. */
static int slot_load(struct library *lib, struct slot *s, uint64_t volume)
{
	struct held_by_whom whom = { HELD_BY_NOBODY, -1 };
	struct holding *h = NULL;
	int r;

	s->busy = true;
	r = slot_acquire(lib, s, volume, &h, &whom);
	pthread_mutex_unlock(&lib->lock);
	if (h)
		r = slot_put_in(lib, s, h);
	else if (whom.by != HELD_BY_NOBODY)
		r = held_busy(lib, volume, whom);

	pthread_mutex_lock(&lib->lock);
	if (!r)
		s->held = h;
	else if (h)
		slot_abandon(lib, s, h);
	s->busy = false;
	pthread_cond_broadcast(&lib->turned);
	pthread_mutex_unlock(&lib->lock);
	return r;
}

/* With `lock` and a loaded drive that is not busy; gives up the lock for good.  The tape is out even if it fails. */
static int slot_unload(struct library *lib, struct slot *s)
{
	struct holding *h = s->held;
	uint64_t volume = h->id;
	int r, settled = 0, told, closed;

	s->busy = true;
	pthread_mutex_unlock(&lib->lock);
	r = err_fold(drive_unload(s->drive));
	if (s->open && s->write)
		settled = held_end_write(lib, h);
	told = slot_tell(lib, s, volume, false);

	pthread_mutex_lock(&lib->lock);
	s->held = NULL;
	s->last = volume;
	closed = slot_abandon(lib, s, h);
	s->busy = false;
	pthread_cond_broadcast(&lib->turned);
	pthread_mutex_unlock(&lib->lock);
	return r ? r : settled ? settled : told ? told : closed;
}

/* With `lock`: waits while the drive is on its way, and with patience while a program has it. False: it still has. */
static bool slot_await(struct library *lib, struct slot *s)
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

unsigned library_drives(const struct library *lib)
{
	return lib->drives;
}

int library_drive_info(struct library *lib, unsigned n, struct library_drive *out)
{
	struct library_drive info = { .number = n };
	struct slot *s = NULL;
	int r;

	r = slot_find(lib, n, &s);
	if (r)
		return r;
	pthread_mutex_lock(&lib->lock);
	info.open = s->open;
	info.locked = s->locked;
	info.loaded = s->held && !s->busy;
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
	struct slot *s = NULL;
	uint64_t other;
	int r;

	r = slot_find(lib, n, &s);
	if (r)
		return r;
	r = library_row(lib, volume, &row);
	if (r)
		return r;
	if (row.state == STATE_INCOMING)
		return err_explain(-EBUSY, "volume %s is an image that is still being written", row.name);
	pthread_mutex_lock(&lib->lock);
	if (!slot_await(lib, s)) {
		pthread_mutex_unlock(&lib->lock);
		return err_explain(-EBUSY, "drive nst%u is in use by a program", n);
	}
	if (!s->held)
		return slot_load(lib, s, volume);
	other = s->held->id;
	pthread_mutex_unlock(&lib->lock);
	r = library_row(lib, other, &row);
	return r ? r : err_explain(-EBUSY, "drive nst%u has volume %s in it", n, row.name);
}

int library_unload(struct library *lib, unsigned n)
{
	struct slot *s = NULL;
	bool open, locked;
	int r;

	r = slot_find(lib, n, &s);
	if (r)
		return r;
	pthread_mutex_lock(&lib->lock);
	open = !slot_await(lib, s);
	locked = s->locked;
	if (!open && !locked && s->held)
		return slot_unload(lib, s);
	pthread_mutex_unlock(&lib->lock);
	if (open)
		return err_explain(-EBUSY, "drive nst%u is in use by a program", n);
	if (locked)
		return err_explain(-EBUSY, "drive nst%u is locked (mt unlock lets go of the tape)", n);
	return 0;
}

/* ---- from the program that has it ------------------------------------------------------------------------------ */

int library_drive_open(struct library *lib, unsigned n, bool write, struct drive **drive)
{
	struct held_by_whom whom = { HELD_BY_NOBODY, -1 };
	struct holding *h = NULL;
	struct slot *s = NULL;
	int r;

	r = slot_find(lib, n, &s);
	if (r)
		return r;
	pthread_mutex_lock(&lib->lock);
	if (!slot_await(lib, s)) {
		pthread_mutex_unlock(&lib->lock);
		return err_explain(-EBUSY, "drive nst%u is in use by another program", n);
	}
	s->open = true;
	s->write = write;
	h = s->held;
	/* It is in this drive, so only readers elsewhere can be in the way. */
	if (h)
		whom = held_await(lib, h, slot_claim(s), (int)n);
	if (whom.by != HELD_BY_NOBODY) {
		s->open = s->write = false;
		pthread_cond_broadcast(&lib->turned);
		pthread_mutex_unlock(&lib->lock);
		return held_busy(lib, h->id, whom);
	}
	if (h)
		held_mark(h, slot_claim(s));
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

int library_drive_close(struct library *lib, unsigned n)
{
	struct holding *h;
	struct slot *s = NULL;
	int r, settled = 0;

	r = slot_find(lib, n, &s);
	if (r)
		return r;
	pthread_mutex_lock(&lib->lock);
	assert(s->open && !s->busy);
	h = s->held;
	s->busy = true;
	pthread_mutex_unlock(&lib->lock);
	if (h && s->write) {
		r = err_fold(drive_flush(s->drive));
		settled = held_end_write(lib, h);
	}
	pthread_mutex_lock(&lib->lock);
	if (h)
		held_unmark(h, slot_claim(s));
	s->open = s->write = s->busy = false;
	pthread_cond_broadcast(&lib->turned);
	pthread_mutex_unlock(&lib->lock);
	return r ? r : settled;
}

int library_drive_eject(struct library *lib, unsigned n)
{
	struct slot *s = NULL;
	bool locked;
	int r;

	r = slot_find(lib, n, &s);
	if (r)
		return r;
	pthread_mutex_lock(&lib->lock);
	assert(s->open && !s->busy);
	locked = s->locked;
	if (s->held && !locked)
		return slot_unload(lib, s);
	pthread_mutex_unlock(&lib->lock);
	return locked ? err_explain(-EIO, "drive nst%u is locked", n) : 0;
}

int library_drive_reload(struct library *lib, unsigned n)
{
	struct slot *s = NULL;
	bool held;
	int r;

	r = slot_find(lib, n, &s);
	if (r)
		return r;
	pthread_mutex_lock(&lib->lock);
	assert(s->open && !s->busy);
	held = s->held;
	if (!held && s->last)
		return slot_load(lib, s, s->last);
	pthread_mutex_unlock(&lib->lock);
	return held ? 0 : err_explain(-EIO, "drive nst%u: no volume was in it before", n);
}

void library_drive_lock(struct library *lib, unsigned n, bool locked)
{
	struct slot *s = NULL;

	if (slot_find(lib, n, &s))
		return;
	LOCK_SCOPE(&lib->lock);
	s->locked = locked;
}
