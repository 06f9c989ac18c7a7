/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_state: an image that somebody has open (fs_image.c) and a writing session on it (fs_image_write.c).
 *
 * An image that is being written is never a tape before it is whole.  What arrives goes to an incoming volume:
 *
 *   first write       goes to                            at close, if whole             if not
 *   new name          the incoming volume of that name   NAME.tap: becomes tape NAME    stays as it is, EINVAL
 *   partial, at end   the same incoming volume           as above                       as above
 *   tape, at its end  the tape itself, same generation   committed                      whole objects stay, EINVAL
 *   anything else     a hidden copy: bytes before and    takes the place of what was    goes; the tape stays, EINVAL
 *                     between the writes, and behind     there (a new generation)
 *                     the last one, come from the old
 *
 * "Whole" means that the last byte ends an object.  A session begins with a write and ends with a close(2); if more
 * is written through the same descriptor after that, it is another session on what is there then.
 */
#ifndef FS_IMAGE_STATE_H
#define FS_IMAGE_STATE_H

#include <vtape/image.h>

#include "fs/state.h"

#define IMAGE_SUFFIX ".tap"
/* Names of hidden copies begin so; no volume and no other image may. */
#define IMAGE_HIDDEN '~'

struct image_session;

/*
 * One per volume, shared by all that have its image open.
 * While @lock is not held: vol and tap are NULL, or vol is claimed for reading and tap reads it.
 */
struct image {
	struct image *next;		/* fs->images; with refs guarded by fs->lock */
	unsigned refs;
	struct fs *fs;
	uint64_t volume;
	pthread_mutex_t lock;		/* guards what follows */
	struct volume *vol;
	struct image_tap *tap;
	uint64_t tap_size;
	struct buf tail;		/* incoming: bytes behind the last whole object */
	struct image_session *session;
	const struct file *writer;	/* the open file whose session it is; others get EBUSY */
};

/* Lets go of an image for a moment, so that a volume can be changed as a whole; whoever has it open comes back by
 * himself. */
void image_recall(struct fs *fs, uint64_t volume);

/* With img->lock: */
int image_claim(struct image *img);			/* for reading; nothing if it is */
void image_unclaim(struct image *img);
uint64_t image_source_size(const struct image *img);	/* claimed */
int image_source_read(struct image *img, uint64_t off, void *buf, size_t n, size_t *got);

/* "A0001" of "A0001.tap"; false if that is no image of a volume. */
bool image_volume_name(const char *name, char out[BARCODE_MAX + 1]);	/* fs_image_name.c */

/* ---- fs_image_write.c, fs_image_feed.c; all with img->lock ---- */

/* @truncated: the file was opened with O_TRUNC and nothing has been written since: the old bytes do not count. */
int image_session_write(struct image *img, uint64_t off, const void *buf, size_t n, bool truncated);
int image_session_truncate(struct image *img, uint64_t size, bool truncated);
int image_session_read(struct image *img, uint64_t off, void *buf, size_t n, size_t *got);
uint64_t image_session_size(const struct image *img);
int image_session_sync(struct image *img);
/* @keep_mtime: the user set the time after the last write. */
int image_session_end(struct image *img, bool keep_mtime);
/* An incoming volume that is whole and has a volume's name becomes that volume.  -EINVAL: it is not whole and has
 * such a name. */
int image_arrive(struct image *img);

#endif
