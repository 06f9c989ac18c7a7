/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_writer: who writes through the mount, for the catalog of what is on the tapes.  The program's name is looked up
 * once, when it opens something for writing; a program that hides it, or is in a world of its own, is not known.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "fs/state.h"

static void program_name(int pid, char *out, size_t cap)
{
	CLEANUP(fd_closep) int fd = -1;
	char path[64];
	size_t n = 0;

	out[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (pid <= 0 || fd < 0 || io_read_full(fd, out, cap - 1, &n))
		n = 0;
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static enum library_door door_of(const struct node *n)
{
	switch (n->kind) {
	case NODE_TAPE: return LIBRARY_DOOR_TAPES;
	case NODE_FILE: return LIBRARY_DOOR_FILES;
	case NODE_IMAGE: return LIBRARY_DOOR_IMAGES;
	case NODE_DRIVE: return LIBRARY_DOOR_DRIVE;
	default: return LIBRARY_DOOR_UNKNOWN;
	}
}

void file_said_by(struct file *f, uint32_t uid, int pid)
{
	struct library_drive drive = { .volume = 0 };
	uint64_t volume = f->node.volume;

	f->writer = (struct library_writer){ .door = door_of(&f->node), .uid = uid, .drive = -1 };
	if (!f->write || f->writer.door == LIBRARY_DOOR_UNKNOWN)
		return;
	program_name(pid, f->writer.program, sizeof(f->writer.program));
	if (f->node.kind == NODE_DRIVE) {
		f->writer.drive = (int32_t)f->node.drive;
		if (library_drive_info(f->fs->lib, f->node.drive, &drive))
			return;
		volume = drive.volume;
	}
	/* An image claims its volume with its first byte, see fs_image_write.c. */
	if (f->node.kind != NODE_IMAGE)
		library_writer_is(f->fs->lib, volume, &f->writer);
}
