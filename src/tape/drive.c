/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The drive: what is loaded, and where its head stands.  Keeps the four invariants beside struct drive; reading,
 * writing and moving are in the files next to this one.  Who may use the drive, and which volume goes into it, is
 * library/'s.
 */
#include "tape/drive.h"

#include <errno.h>

int drive_new(struct drive **out)
{
	struct drive *d = calloc(1, sizeof(*d));

	if (!d)
		return err_origin(-ENOMEM);
	pthread_mutex_init(&d->lock, NULL);
	*out = d;
	return 0;
}

struct drive *drive_free(struct drive *d)
{
	if (!d)
		return NULL;
	drive_unload(d);
	pthread_mutex_destroy(&d->lock);
	free(d);
	return NULL;
}

int drive_load(struct drive *d, struct volume *vol)
{
	LOCK_SCOPE(&d->lock);

	if (d->vol)
		return err_explain(-EBUSY, "the drive has %s", volume_attr(d->vol)->barcode);
	d->vol = vol;
	d->partition = 0;
	d->at = (struct tape_tally){ 0 };
	d->file_start = 0;
	d->own_from = UINT64_MAX;
	d->ahead = 0;
	return 0;
}

int drive_unload(struct drive *d)
{
	LOCK_SCOPE(&d->lock);
	int r;

	if (!d->vol)
		return 0;
	r = volume_commit(d->vol);
	d->reader = volume_reader_free(d->reader);
	d->vol = NULL;
	return r;
}

struct volume *drive_volume(struct drive *d)
{
	LOCK_SCOPE(&d->lock);

	return d->vol;
}

int drive_position(struct drive *d, struct tape_pos *out)
{
	LOCK_SCOPE(&d->lock);

	if (!d->vol)
		return TAPE_E_NO_MEDIUM;
	*out = (struct tape_pos){ d->partition, d->at.objects, d->at.marks, d->at.objects - d->file_start };
	return 0;
}

bool drive_at_eod(struct drive *d)
{
	LOCK_SCOPE(&d->lock);
	struct tape_tally end;

	return d->vol && !drive_end(d, &end) && d->at.objects == end.objects;
}

/* ---- where the head stands -------------------------------------------------------------------------------------- */

int drive_end(struct drive *d, struct tape_tally *out)
{
	return volume_end(d->vol, d->partition, out);
}

int drive_stand(struct drive *d, uint32_t partition, const struct tape_tally *at)
{
	struct tape_tally file = { 0 };
	int r = volume_find_file(d->vol, partition, at->marks, &file);

	/* If the mark is in a damaged part of the map, blocks are counted from the end of that. */
	if (r && r != -EBADMSG)
		return err_fold(r);
	if (d->partition != partition) {
		d->reader = volume_reader_free(d->reader);
		d->own_from = UINT64_MAX;
	}
	d->partition = partition;
	d->at = *at;
	d->file_start = file.objects;
	d->ahead = 0;
	return 0;
}

int drive_stand_at(struct drive *d, uint32_t partition, uint64_t object)
{
	struct tape_tally at;
	int r = volume_tally(d->vol, partition, object, &at);

	return r ? r : drive_stand(d, partition, &at);
}

int drive_stand_back(struct drive *d, int error)
{
	struct tape_tally end;
	int r = drive_end(d, &end);

	if (!r && d->at.objects > end.objects)
		r = drive_stand(d, d->partition, &end);
	else
		d->ahead = 0;
	if (r)
		log_warn("after a failed write the position is not known: %s", err_text(r));
	return error;
}

int drive_next(struct drive *d, struct tape_object *out)
{
	int r;

	if (!d->ahead) {
		r = volume_object(d->vol, d->partition, d->at.objects, &d->next);
		if (r)
			return r;
		d->ahead = d->next.run;
	}
	*out = d->next;
	out->run = d->ahead;
	return 0;
}

void drive_step(struct drive *d, const struct tape_object *o, unsigned n)
{
	d->at.objects += n;
	d->at.bytes += (uint64_t)o->len * n;
	d->at.odd += (uint64_t)(o->len & 1) * n;
	if (o->mark) {
		d->at.marks += n;
		d->file_start = d->at.objects;
	}
	d->ahead -= d->ahead < n ? d->ahead : n;
}

void drive_cut_here(struct drive *d)
{
	d->ahead = 0;
	if (d->own_from > d->at.objects)
		d->own_from = d->at.objects;
}
