/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving the head.  Every motion finds its goal in the volume's maps, O(log n) of the objects, and then stands there;
 * none of them walks.  A motion that meets the end of data or the beginning of the partition stops there and says so.
 */
#include "tape/drive.h"

#include <errno.h>

/* ---- records ---------------------------------------------------------------------------------------------------- */

static int forward_records(struct drive *d, uint64_t n, int64_t *done)
{
	struct tape_tally stop;
	int at_stop = volume_find_file(d->vol, d->partition, d->at.marks + 1, &stop), r;
	uint64_t before;

	if (at_stop < 0)
		return at_stop;
	/* The records ahead of the next filemark, or of the end of data. */
	r = at_stop ? drive_end(d, &stop) : 0;
	if (r)
		return r;
	before = stop.objects - d->at.objects - (at_stop ? 0 : 1);
	if (n <= before) {
		r = drive_stand_at(d, d->partition, d->at.objects + n);
		if (!r)
			*done = (int64_t)n;
		return r;
	}
	r = drive_stand(d, d->partition, &stop);
	if (r)
		return r;
	*done = (int64_t)before;
	return at_stop ? TAPE_E_EOD : TAPE_E_FILEMARK;
}

static int backward_records(struct drive *d, uint64_t n, int64_t *done)
{
	uint64_t before = d->at.objects - d->file_start;
	bool mark = d->at.marks > 0;
	int r;

	if (n <= before)
		r = drive_stand_at(d, d->partition, d->at.objects - n);
	else
		r = drive_stand_at(d, d->partition, d->file_start - mark);
	if (r)
		return r;
	*done = -(int64_t)(n <= before ? n : before);
	if (n <= before)
		return 0;
	return mark ? TAPE_E_FILEMARK : TAPE_E_BOP;
}

int drive_space_records(struct drive *d, int64_t n, int64_t *done)
{
	LOCK_SCOPE(&d->lock);

	if (!d->vol)
		return TAPE_E_NO_MEDIUM;
	return n < 0 ? backward_records(d, 0 - (uint64_t)n, done) : forward_records(d, (uint64_t)n, done);
}

/* ---- filemarks -------------------------------------------------------------------------------------------------- */

static int forward_filemarks(struct drive *d, uint64_t n, int64_t *done)
{
	struct tape_tally to;
	uint64_t from = d->at.marks, file = n > UINT64_MAX - from ? UINT64_MAX : from + n;
	int found = n ? volume_find_file(d->vol, d->partition, file, &to) : 0, r;

	if (found < 0)
		return found;
	if (!n) {
		*done = 0;
		return 0;
	}
	r = found ? drive_end(d, &to) : 0;
	r = r ? r : drive_stand(d, d->partition, &to);
	if (r)
		return r;
	*done = (int64_t)(to.marks - from);
	return found;
}

/* Ends before the mark: where the mark comes next. */
static int backward_filemarks(struct drive *d, uint64_t n, int64_t *done)
{
	uint64_t from = d->at.marks;
	struct tape_tally behind;
	int r;

	if (n > from) {
		r = drive_stand_at(d, d->partition, 0);
		if (r)
			return r;
		*done = -(int64_t)from;
		return TAPE_E_BOP;
	}
	r = volume_find_file(d->vol, d->partition, from - n + 1, &behind);
	r = r ? err_fold(r) : drive_stand_at(d, d->partition, behind.objects - 1);
	if (!r)
		*done = -(int64_t)n;
	return r;
}

int drive_space_filemarks(struct drive *d, int64_t n, int64_t *done)
{
	LOCK_SCOPE(&d->lock);

	if (!d->vol)
		return TAPE_E_NO_MEDIUM;
	return n < 0 ? backward_filemarks(d, 0 - (uint64_t)n, done) : forward_filemarks(d, (uint64_t)n, done);
}

/* ---- to a place ------------------------------------------------------------------------------------------------- */

static int stand_at_end(struct drive *d, uint32_t partition)
{
	struct tape_tally end;
	int r = volume_end(d->vol, partition, &end);

	return r ? r : drive_stand(d, partition, &end);
}

int drive_space_eod(struct drive *d)
{
	LOCK_SCOPE(&d->lock);

	return d->vol ? stand_at_end(d, d->partition) : TAPE_E_NO_MEDIUM;
}

int drive_rewind(struct drive *d)
{
	LOCK_SCOPE(&d->lock);
	int committed, r;

	if (!d->vol)
		return TAPE_E_NO_MEDIUM;
	committed = volume_commit(d->vol);
	r = drive_stand_at(d, d->partition, 0);
	return committed ? committed : r;
}

/* A goal that is behind the end of data leaves the head at the end of data. */
int drive_locate(struct drive *d, uint32_t partition, uint64_t object)
{
	LOCK_SCOPE(&d->lock);
	struct tape_tally end;
	int r = d->vol ? volume_end(d->vol, partition, &end) : TAPE_E_NO_MEDIUM;

	if (r)
		return r;
	if (object <= end.objects)
		return drive_stand_at(d, partition, object);
	r = drive_stand(d, partition, &end);
	return r ? r : TAPE_E_EOD;
}

int drive_locate_file(struct drive *d, uint32_t partition, uint64_t file)
{
	LOCK_SCOPE(&d->lock);
	struct tape_tally to;
	int found = d->vol ? volume_find_file(d->vol, partition, file, &to) : TAPE_E_NO_MEDIUM, r;

	if (found && found != TAPE_E_EOD)
		return found;
	r = found ? stand_at_end(d, partition) : drive_stand(d, partition, &to);
	return r ? r : found;
}
