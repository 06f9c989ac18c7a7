/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node: what an inode number of the mounted tree stands for.  The number is computed from the ids of the catalog, so
 * the mount keeps no table, a number means the same after a restart, and forgetting costs nothing.
 *
 *   bits 63..60  kind
 *   NODE_DOOR    bits 3..0 door
 *   NODE_POOL    bits 35..32 door, 31..0 pool
 *   NODE_TAPE, NODE_VOLUME, NODE_IMAGE   bits 59..28 volume
 *   NODE_FILE, NODE_ARCHIVE   bits 59..28 volume, 27..0 tape file
 *   NODE_DRIVE   bit 16 rewinds, 15..0 drive
 *   NODE_FOLDER, NODE_MEMBER   bits 59..32 list of members (contents.h), 31..0 member
 * The root is number 1, as FUSE wants it.
 */
#ifndef FS_NODE_H
#define FS_NODE_H

#include <vtape/util.h>

enum node_kind {
	NODE_ROOT,
	NODE_DOOR,	/* tapes/, files/, images/, drives/ */
	NODE_POOL,	/* below a door */
	NODE_TAPE,	/* tapes/POOL/VOLUME */
	NODE_VOLUME,	/* files/POOL/VOLUME/ */
	NODE_FILE,	/* files/POOL/VOLUME/0001 */
	NODE_IMAGE,	/* images/POOL/VOLUME.tap, or an image that is still arriving */
	NODE_DRIVE,	/* drives/nst0 */
	NODE_ARCHIVE,	/* files/POOL/VOLUME/0001.d/ */
	NODE_FOLDER,	/* in it: a folder; anything else */
	NODE_MEMBER,
	NODE_KINDS
};
enum door { DOOR_TAPES, DOOR_FILES, DOOR_IMAGES, DOOR_DRIVES, DOORS };

struct node {
	enum node_kind kind;
	enum door door;		/* NODE_DOOR, NODE_POOL */
	uint32_t pool;		/* NODE_POOL */
	uint64_t volume;	/* NODE_TAPE .. NODE_IMAGE, NODE_ARCHIVE */
	uint64_t file;		/* NODE_FILE, NODE_ARCHIVE: filemarks before it */
	unsigned drive;		/* NODE_DRIVE */
	bool rewinds;
	uint32_t content, member;	/* NODE_FOLDER, NODE_MEMBER */
};

#define NODE_VOLUME_MAX ((1ull << 32) - 1)
#define NODE_FILE_MAX ((1ull << 28) - 1)
#define NODE_CONTENT_MAX ((1u << 28) - 1)

/* 0 if its ids do not fit into a number: the caller does not show such a thing. */
uint64_t node_ino(const struct node *n);
/* -ESTALE if @ino is no number that node_ino() gives. */
int node_of(uint64_t ino, struct node *out);
bool node_is_dir(const struct node *n);
/* 0001.d or anything in it: nothing of that can be changed. */
bool node_is_archived(const struct node *n);
const char *door_name(enum door d);

#endif
