/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing at the head: what follows is cut off, then the object is appended.  Whether we may is asked before anything
 * is cut, so a write that is refused changes nothing.  After a failed write the head stands at the end of data, which
 * is where the last object that was stored ends.
 */
#include "tape/drive.h"

#include <errno.h>

#include "tape/volume.h"

static int truncate_at(struct drive *d, uint64_t object)
{
	int r = volume_truncate(d->vol, d->partition, object);

	return r < 0 ? drive_stand_back(d, r) : r;
}

/* Something lies ahead: if an object of @n bytes (0: a filemark) may be written here, it is cut off.  0 or the
 * refusal. */
static int cut_ahead(struct drive *d, uint64_t n)
{
	int r = volume_may_cut(d->vol, d->partition, d->at.objects);

	r = r ? r : volume_room(d->vol, d->partition, &d->at, n);
	if (r && r != TAPE_E_EARLY_WARNING)
		return r;
	return truncate_at(d, d->at.objects);
}

static int begin_write(struct drive *d, uint64_t n)
{
	struct tape_tally end;
	int r = d->vol ? drive_end(d, &end) : TAPE_E_NO_MEDIUM;

	if (!r && d->at.objects != end.objects)
		r = cut_ahead(d, n);
	if (!r)
		drive_cut_here(d);
	return r;
}

/* The outcome @r of appending @n times @o here.  Early warning is a success. */
static int end_write(struct drive *d, int r, const struct tape_object *o, unsigned n)
{
	if (r < 0)
		return drive_stand_back(d, r);
	if (r == 0 || r == TAPE_E_EARLY_WARNING)
		drive_step(d, o, n);
	return r;
}

static int write_filemarks(struct drive *d, unsigned n)
{
	const struct tape_object mark = { .mark = true };
	int r = begin_write(d, 0);

	return r ? r : end_write(d, volume_append_filemarks(d->vol, d->partition, n), &mark, n);
}

static int commit(struct drive *d)
{
	int r = volume_commit(d->vol);

	return r < 0 ? drive_stand_back(d, r) : r;
}

int drive_write_record(struct drive *d, const void *buf, size_t len)
{
	LOCK_SCOPE(&d->lock);
	const struct tape_object record = { .len = (uint32_t)len };
	int r;

	if (len < 1 || len > TAPE_RECORD_MAX)
		return err_explain(-EINVAL, "a record has 1 to %u bytes, not %zu", TAPE_RECORD_MAX, len);
	r = begin_write(d, len);
	return r ? r : end_write(d, volume_append_record(d->vol, d->partition, buf, len), &record, 1);
}

int drive_write_filemarks(struct drive *d, unsigned n, bool immed)
{
	LOCK_SCOPE(&d->lock);
	int warning, r = d->vol ? 0 : TAPE_E_NO_MEDIUM;

	if (!r && n)
		r = write_filemarks(d, n);
	if (r && r != TAPE_E_EARLY_WARNING)
		return r;
	warning = r;
	/* A filemark is a promise: make it true before we answer.  The warning comes last, for all that was asked is
	 * done. */
	r = immed ? 0 : commit(d);
	return r ? r : warning;
}

int drive_retract_filemark(struct drive *d)
{
	LOCK_SCOPE(&d->lock);
	struct tape_tally end;
	struct tape_object o;
	int r;

	if (!d->vol)
		return TAPE_E_NO_MEDIUM;
	r = drive_end(d, &end);
	if (r)
		return r;
	if (d->at.objects != end.objects || !end.objects || end.objects - 1 < d->own_from)
		return err_explain(-EINVAL, "there is no filemark of this drive's to take back");
	r = volume_object(d->vol, d->partition, end.objects - 1, &o);
	if (r)
		return err_fold(r);
	if (!o.mark)
		return err_explain(-EINVAL, "the last object is no filemark");
	r = truncate_at(d, end.objects - 1);
	return r ? r : drive_stand_at(d, d->partition, end.objects - 1);
}

int drive_flush(struct drive *d)
{
	LOCK_SCOPE(&d->lock);

	return d->vol ? commit(d) : TAPE_E_NO_MEDIUM;
}

int drive_erase(struct drive *d)
{
	LOCK_SCOPE(&d->lock);
	int r;

	if (!d->vol)
		return TAPE_E_NO_MEDIUM;
	r = volume_may_cut(d->vol, d->partition, d->at.objects);
	r = r ? r : truncate_at(d, d->at.objects);
	if (r)
		return r;
	drive_cut_here(d);
	return commit(d);
}

int drive_format(struct drive *d, uint32_t partitions)
{
	return drive_format_sized(d, partitions, (const uint64_t[TAPE_PARTITIONS_MAX]){ 0 });
}

int drive_format_sized(struct drive *d, uint32_t partitions, const uint64_t bytes[TAPE_PARTITIONS_MAX])
{
	LOCK_SCOPE(&d->lock);
	int r;

	if (!d->vol)
		return TAPE_E_NO_MEDIUM;
	if (d->partition || d->at.objects)
		return err_explain(-EINVAL, "a tape is formatted at its beginning");
	r = volume_format_sized(d->vol, partitions, bytes);
	if (r)
		return r;
	drive_cut_here(d);
	return commit(d);
}

bool drive_at_early_warning(struct drive *d)
{
	LOCK_SCOPE(&d->lock);
	int r = d->vol ? volume_room(d->vol, d->partition, &d->at, 1) : 0;

	return r == TAPE_E_EARLY_WARNING || r == TAPE_E_FULL;
}
