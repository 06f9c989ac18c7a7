/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading at the head.  A record whose bytes cannot be given back intact is stepped past, so that a reader that goes on
 * gets the next one, and so is what the map cannot tell any more; any other failure leaves the head where it was, so
 * that the read can be tried again.
 */
#include "tape/drive.h"

#include <errno.h>

static int read_bytes(struct drive *d, void *buf, size_t n)
{
	int r = d->reader ? 0 : volume_reader_new(d->vol, d->partition, &d->reader);

	return r ? r : volume_reader_read(d->reader, d->at.bytes, buf, n);
}

static bool up_to(const struct tape_tally *t, void *object)
{
	return t->objects <= *(uint64_t *)object;
}

/* What is here cannot be told: the head stands behind all that cannot. */
static int pass_over_hole(struct drive *d, int error)
{
	struct tape_tally behind = { 0 };
	int r = volume_find(d->vol, d->partition, up_to, &d->at.objects, &behind);

	if (r == -EBADMSG && behind.objects > d->at.objects)
		r = drive_stand(d, d->partition, &behind);
	return r < 0 && r != -EBADMSG ? r : error;
}

int drive_read_record(struct drive *d, void *buf, size_t cap, size_t *len)
{
	LOCK_SCOPE(&d->lock);
	struct tape_object o;
	int r;

	if (!d->vol)
		return TAPE_E_NO_MEDIUM;
	if (cap < 1 || cap > TAPE_RECORD_MAX)
		return err_explain(-EINVAL, "a read asks for 1 to %u bytes, not %zu", TAPE_RECORD_MAX, cap);
	r = drive_next(d, &o);
	if (r == -EBADMSG)
		return pass_over_hole(d, r);
	if (r)
		return r;
	if (o.mark) {
		drive_step(d, &o, 1);
		return TAPE_E_FILEMARK;
	}

	r = read_bytes(d, buf, o.len < cap ? o.len : cap);
	if (r && r != -EBADMSG)
		return drive_stand_back(d, r);
	drive_step(d, &o, 1);
	if (r)
		return r;
	*len = o.len;
	return o.len > cap ? TAPE_E_LENGTH : 0;
}
