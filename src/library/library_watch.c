/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_watch: who wants to know what happens to contents, and who wrote a volume last.  The watcher is called
 * under a lock that only the watch takes, so that once it is taken back it does not run, nor will it.
 *
 * Of writers the last one of each volume is known, for as many volumes as the table has room for: who asks does so soon
 * after they wrote, and what was forgotten is "unknown".
 */
#include "library/holding.h"

const char *library_door_name(enum library_door d)
{
	static const char *const names[] = {
		[LIBRARY_DOOR_UNKNOWN] = "unknown", [LIBRARY_DOOR_TAPES] = "tapes", [LIBRARY_DOOR_FILES] = "files",
		[LIBRARY_DOOR_IMAGES] = "images", [LIBRARY_DOOR_DRIVE] = "drive", [LIBRARY_DOOR_SCSI] = "scsi",
		[LIBRARY_DOOR_COMMAND] = "command",
	};

	return (size_t)d < ARRAY_LEN(names) ? names[d] : names[LIBRARY_DOOR_UNKNOWN];
}

void library_watch(struct library *lib, void (*tell)(void *ctx, uint64_t volume, enum library_watch what), void *ctx)
{
	LOCK_SCOPE(&lib->watch.lock);
	lib->watch.tell = tell;
	lib->watch.ctx = ctx;
}

void watch_tell(struct library *lib, uint64_t volume, enum library_watch what)
{
	LOCK_SCOPE(&lib->watch.lock);
	if (lib->watch.tell)
		lib->watch.tell(lib->watch.ctx, volume, what);
}

/* ---- who wrote it ---------------------------------------------------------------------------------------------- */

static const struct library_writer nobody = { .door = LIBRARY_DOOR_UNKNOWN, .uid = UINT32_MAX, .drive = -1 };

/* With the watch's lock. */
static struct watch_writer *writer_slot(struct library *lib, uint64_t volume)
{
	return &lib->watch.writers[volume % LIBRARY_WRITERS];
}

static void writer_put(struct library *lib, uint64_t volume, const struct library_writer *w)
{
	LOCK_SCOPE(&lib->watch.lock);
	*writer_slot(lib, volume) = (struct watch_writer){ volume, *w };
}

/* The program that has the drive writes whatever comes into it. */
static void writer_has_drive(struct library *lib, const struct library_writer *w)
{
	LOCK_SCOPE(&lib->lock);

	if (w->drive >= 0 && (unsigned)w->drive < lib->drives && lib->bay[w->drive].open)
		lib->bay[w->drive].writer = *w;
}

void library_writer_is(struct library *lib, uint64_t volume, const struct library_writer *w)
{
	writer_has_drive(lib, w);
	if (volume)
		writer_put(lib, volume, w);
}

void library_writer(struct library *lib, uint64_t volume, struct library_writer *out)
{
	const struct watch_writer *s;

	LOCK_SCOPE(&lib->watch.lock);
	s = writer_slot(lib, volume);
	*out = s->volume == volume ? s->who : nobody;
}

void watch_writer_next(struct library *lib, const struct bay *s, uint64_t volume)
{
	struct library_writer w;

	pthread_mutex_lock(&lib->lock);
	w = s->writer;
	pthread_mutex_unlock(&lib->lock);
	if (w.door != LIBRARY_DOOR_UNKNOWN)
		writer_put(lib, volume, &w);
}

void watch_writer_moves(struct library *lib, uint64_t to, uint64_t from)
{
	struct library_writer w;

	library_writer(lib, from, &w);
	writer_put(lib, to, &w);
}

void watch_writer_forget(struct library *lib, uint64_t volume)
{
	writer_put(lib, volume, &nobody);
}
