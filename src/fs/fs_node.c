/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_node: inode numbers.  Numbers come back from the kernel, and after a restart or through NFS from anywhere, so
 * decoding trusts nothing: whatever node_ino() would not give for the answer is -ESTALE.
 */
#include <errno.h>

#include "fs/node.h"

#define ROOT_INO 1u
#define KIND_SHIFT 60
#define VOLUME_SHIFT 28
#define CONTENT_SHIFT 32
#define REWINDS (1u << 16)

static const char *const door_names[DOORS] = {
	[DOOR_TAPES] = "tapes", [DOOR_FILES] = "files", [DOOR_IMAGES] = "images", [DOOR_DRIVES] = "drives",
};

const char *door_name(enum door d)
{
	return door_names[d];
}

bool node_is_dir(const struct node *n)
{
	return n->kind <= NODE_POOL || n->kind == NODE_VOLUME || n->kind == NODE_ARCHIVE || n->kind == NODE_FOLDER;
}

bool node_is_archived(const struct node *n)
{
	return n->kind >= NODE_ARCHIVE;
}

/* What is below the kind's bits; false if it does not fit there. */
static bool node_low(const struct node *n, uint64_t *low)
{
	switch (n->kind) {
	case NODE_DOOR:
		*low = n->door;
		return n->door < DOORS;
	case NODE_POOL:
		*low = (uint64_t)n->door << 32 | n->pool;
		return n->door < DOORS;
	case NODE_TAPE:
	case NODE_VOLUME:
	case NODE_IMAGE:
		*low = n->volume << VOLUME_SHIFT;
		return n->volume <= NODE_VOLUME_MAX;
	case NODE_FILE:
	case NODE_ARCHIVE:
		*low = n->volume << VOLUME_SHIFT | n->file;
		return n->volume <= NODE_VOLUME_MAX && n->file <= NODE_FILE_MAX;
	case NODE_DRIVE:
		*low = n->drive | (n->rewinds ? REWINDS : 0);
		return n->drive < REWINDS;
	case NODE_FOLDER:
	case NODE_MEMBER:
		*low = (uint64_t)n->content << CONTENT_SHIFT | n->member;
		return n->content && n->content <= NODE_CONTENT_MAX && n->member;
	default:
		return false;
	}
}

uint64_t node_ino(const struct node *n)
{
	uint64_t low = 0;

	if (n->kind == NODE_ROOT)
		return ROOT_INO;
	return node_low(n, &low) ? (uint64_t)n->kind << KIND_SHIFT | low : 0;
}

int node_of(uint64_t ino, struct node *out)
{
	uint64_t low = ino & ((1ull << KIND_SHIFT) - 1);
	struct node n = { .kind = (enum node_kind)(ino >> KIND_SHIFT) };

	switch (n.kind) {
	case NODE_DOOR:
		n.door = (enum door)low;
		break;
	case NODE_POOL:
		n.door = (enum door)(low >> 32);
		n.pool = (uint32_t)low;
		break;
	case NODE_TAPE:
	case NODE_VOLUME:
	case NODE_IMAGE:
		n.volume = low >> VOLUME_SHIFT;
		break;
	case NODE_FILE:
	case NODE_ARCHIVE:
		n.volume = low >> VOLUME_SHIFT;
		n.file = low & NODE_FILE_MAX;
		break;
	case NODE_DRIVE:
		n.drive = low & (REWINDS - 1);
		n.rewinds = low & REWINDS;
		break;
	case NODE_FOLDER:
	case NODE_MEMBER:
		n.content = (uint32_t)(low >> CONTENT_SHIFT);
		n.member = (uint32_t)low;
		break;
	default:
		break;
	}
	if (node_ino(&n) != ino)
		return -ESTALE;
	*out = n;
	return 0;
}
