/* SPDX-License-Identifier: BSD-2-Clause */
/* image_session: what a writing session is, for the two files that have it: fs_image_write.c and fs_image_feed.c. */
#ifndef FS_IMAGE_SESSION_H
#define FS_IMAGE_SESSION_H

#include "fs/image_state.h"

/* A hole is at most a record of zeros and some filemarks: more is a mistake that would become millions of marks. */
#define HOLE_MAX (TAPE_RECORD_MAX + 65536u)

enum session_kind {
	SESSION_APPEND,		/* to the volume of the image itself: incoming, or a tape written at its end */
	SESSION_COPY,		/* to a hidden volume that takes its place */
};

struct image_session {
	enum session_kind kind;
	bool incoming;			/* the image is no tape yet */
	uint64_t target;		/* where objects go, claimed for writing */
	struct volume *vol;
	struct image_tap *tap;		/* reads target */
	struct image_parser *parser;
	uint64_t begin_object;		/* SESSION_APPEND: what was there before */
	uint64_t pos;			/* bytes of the image so far */
	bool has_source;		/* old bytes stand for what is not written */
	bool final_set;
	uint64_t final;			/* ftruncate(2) */
	bool eom;
	int error;			/* no tape can be made of this any more */
};

int image_session_new(enum session_kind kind, bool incoming, struct image_session **out);
void image_session_free(struct image_session *s);
/* The next bytes.  -EINVAL: they make no tape, and nothing is taken after them. */
int image_feed(struct image_session *s, const void *p, size_t n);
/* What nobody wrote up to @end: the old bytes as far as they go, then a hole. */
int image_feed_gap(struct image *img, uint64_t end);

#endif
