/* SPDX-License-Identifier: BSD-2-Clause */
/* What a list that is being made needs: paths taken apart, and the folders that it met. */
#ifndef CONTENTS_LIST_H
#define CONTENTS_LIST_H

#include "contents/format.h"

/* ---- contents_parts.c ---- */

/* Folders on the way to a member; of a path with more the ones between are left out. */
#define CONTENTS_DEPTH_MAX 2048u

struct path_parts {
	unsigned count;
	bool odd;		/* what is left is another path than the archive's */
	struct path_part { const char *p; size_t len; } part[CONTENTS_DEPTH_MAX];
};
/* Empty parts, "." and ".." are left out, as is what is too long or too deep.  Points into @path. */
void path_split(const char *path, struct path_parts *out);

/* ---- contents_folders.c: folder and name -> number, as many as memory is given for ---- */

struct folders;
int folders_new(struct folders **out);
struct folders *folders_free(struct folders *f);
/* 0: not here. */
uint32_t folders_find(struct folders *f, uint32_t dir, const char *name);
/* Room for one more, by letting those go that were not asked for for longest.  False: the next of these has a number
 * above @least, which may not go yet. */
bool folders_make_room(struct folders *f, const char *name, uint32_t least);
int folders_add(struct folders *f, uint32_t dir, const char *name, uint32_t number);	/* there is room */
/* Notes that @name is in @dir.  True: it may have been noted before; false: it was not. */
bool folders_note(struct folders *f, uint32_t dir, const char *name);
bool folders_noted(const struct folders *f, uint32_t dir, const char *name);

/* ---- contents_tree.c ---- */

/* The last member of that name in that folder, as rows N tell; 0: none.  @folder: only folders. */
int contents_named(struct contents *c, uint32_t content, uint32_t dir, const char *name, bool folder, uint32_t *out);

#endif
