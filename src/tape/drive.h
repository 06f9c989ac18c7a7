/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a drive, for the files drive*.c. */
#ifndef TAPE_DRIVE_H
#define TAPE_DRIVE_H

#include <vtape/tape.h>

/*
 * A loaded volume and where the head stands.  While @lock is not held and @vol is not NULL:
 * 1. @at is what lies before the object that comes next; @at.objects <= the end of data of @partition.
 * 2. @file_start is the object right behind the filemark before @at: 0 if there is none.
 * 3. Objects from @own_from up to the end of data were appended by this drive since the volume was loaded.
 * 4. The @ahead objects from @at on are all like @next.
 */
struct drive {
	pthread_mutex_t lock;		/* guards what follows; taken before the volume's locks */
	struct volume *vol;		/* borrowed; NULL: nothing loaded */
	uint32_t partition;
	struct tape_tally at;
	uint64_t file_start;
	uint64_t own_from;
	struct tape_object next;
	uint64_t ahead;			/* 0: not known */
	struct volume_reader *reader;	/* of @partition; NULL until something is read */
};

/* All with @lock held and a volume loaded. */
int drive_end(struct drive *d, struct tape_tally *out);
/* The head stands at @at, which is in @partition; looks up where its file begins. */
int drive_stand(struct drive *d, uint32_t partition, const struct tape_tally *at);
/* The same by object number, which is at most the end of data. */
int drive_stand_at(struct drive *d, uint32_t partition, uint64_t object);
/* Storing failed, objects at the end may be gone: stands at the end if it stood behind it.  Returns @error. */
int drive_stand_back(struct drive *d, int error);
int drive_next(struct drive *d, struct tape_object *out);	/* 0, or TAPE_E_EOD */
void drive_step(struct drive *d, const struct tape_object *o, unsigned n);	/* past @n times @o, which come next */
void drive_cut_here(struct drive *d);				/* nothing is ahead any more */

#endif
