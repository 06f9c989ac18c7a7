/* SPDX-License-Identifier: BSD-2-Clause */
/* tapefile: what fs_tapefile.c (names, sizes) and fs_tapefile_io.c (open files) have in common. */
#ifndef FS_TAPEFILE_H
#define FS_TAPEFILE_H

#include "fs/state.h"

struct tapefile_extent {
	uint64_t offset, size;	/* in the stream of the partition */
	bool closed;		/* a filemark ends it */
	uint64_t mark_object;	/* that mark */
};
/* -ENOENT: the tape has no such file. */
int tapefile_extent(struct volume *v, uint64_t file, struct tapefile_extent *out);
/* "0001" is file 0. */
bool tapefile_number(const char *name, uint64_t *file);
/* Stores @row for the file as it now lies on the tape; fills in its mark. */
int tapefile_put(struct fs *fs, struct volume *v, uint64_t volume, struct catalog_file *row);
void tapefile_change_perm(struct catalog_perm *p, unsigned what, const struct catalog_perm *to);
/* A file that is being written keeps its modes until it is closed.  False: it is not being written. */
bool tapefile_setattr_open(struct fs *fs, const struct node *n, unsigned what, const struct catalog_perm *perm);

#endif
