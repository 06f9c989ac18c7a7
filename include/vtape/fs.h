/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs: the mounted tree (vtape(7), "The tree").  Translates file operations into calls on library/ and tape/, and plays
 * the part of the kernel's st driver in front of the emulated drives (st(4)).
 */
#ifndef VTAPE_FS_H
#define VTAPE_FS_H

#include <vtape/contents.h>
#include <vtape/library.h>
#include <vtape/util.h>

struct fs;
struct fs_config {
	const char *mountpoint;
	const char *options;	/* further FUSE -o options, comma separated; may be NULL or "" */
	const char *source;	/* shown as the device: the store's folder */
	struct contents *contents;	/* borrowed; NULL: archives are not shown as folders */
	bool noarchives;	/* they are, but not in listings */
	bool allow_other;
	bool debug;
};
/* Mounts.  @lib borrowed.  -ENOENT, -ENOTDIR, -EBUSY, -EPERM with words. */
int fs_mount(struct library *lib, const struct fs_config *cfg, struct fs **out);
int fs_loop(struct fs *fs);		/* serves until it is unmounted or fs_stop() */
void fs_stop(struct fs *fs);		/* from any thread or a signal handler */
/* Unmounts if still mounted, releases every open tape.  Returns NULL. */
struct fs *fs_unmount(struct fs *fs);

#endif
