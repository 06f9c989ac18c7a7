/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_restore: an older generation becomes the content again.  The tape's rows and the catalog's word of it are one
 * batch.  Names of tape files need nothing: they hold for the stretches of the tape that they were given to, and those
 * come back with it.
 */
#include <errno.h>

#include "library/holding.h"

/* The generation, if it is blank, and the newest; the row of the tape that it comes back to. */
struct restore { uint64_t generation, newest; bool blank; struct catalog_volume row; };

static int restore_found(void *ctx, const struct volume_stat *st)
{
	struct restore *re = ctx;

	if (st->generation > re->newest)
		re->newest = st->generation;
	if (st->generation == re->generation)
		re->blank = !st->end.objects;
	return 0;
}

/* A tape whose head is damaged is one to be restored: that its end of medium word is forgotten is all it costs. */
static int restore_look(struct library *lib, uint64_t volume, struct restore *re)
{
	int r = volume_history(lib->kv, volume, restore_found, re);

	if (r != -EBADMSG && r != -EUCLEAN)
		return err_fold(r);
	re->newest = 0;
	re->blank = false;
	return 0;
}

/* Nobody has it. */
static int volume_restore_rows(struct library *lib, uint64_t volume, void *ctx)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct restore *re = ctx;
	struct catalog_volume *row = &re->row;
	int r;

	LOCK_SCOPE(&lib->change);
	r = library_row(lib, volume, row);
	if (!r && row->state == STATE_INCOMING)
		r = err_explain(-EBUSY, "volume %s is an image that is still being written", row->name);
	if (!r)
		r = library_content_may_go(lib, row, "restored over");
	if (!r)
		r = restore_look(lib, volume, re);
	if (!r)
		r = kv_batch_new(&b);
	if (!r)
		r = volume_restore(lib->kv, b, volume, re->generation);
	if (r)
		return err_fold(r);
	row_become(row, re->blank ? STATE_SCRATCH : STATE_ASSIGNED);
	row_forget_date(row);
	row->image_eom = re->newest && row->image_eom && row->image_eom_generation == re->generation;
	row->image_eom_generation = re->newest + 1;
	return err_fold(catalog_volume_put(lib->cat, row, b));
}

int library_volume_restore(struct library *lib, uint64_t volume, uint64_t generation)
{
	struct restore re = { .generation = generation };
	char about[LIBRARY_ABOUT_MAX];
	int r = held_as_whole(lib, volume, volume_restore_rows, &re);

	if (r)
		return r;
	watch_writer_forget(lib, volume);
	watch_tell(lib, volume, WATCH_CHANGED);
	catalog_event(lib->cat, EVENT_VOLUME_RESTORED, library_about(lib, &re.row, about),
		      "to generation %llu; the content before stays as a generation", (unsigned long long)generation);
	return 0;
}
