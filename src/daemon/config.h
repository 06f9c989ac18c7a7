/* SPDX-License-Identifier: BSD-2-Clause */
/* What vtaped was asked to do: from its own options (vtaped(8)) or from mount(8)'s (mount.vtape(8)). */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <vtape/util.h>

enum config_act { ACT_MOUNT, ACT_INIT, ACT_SERVE, ACT_REBUILD, ACT_HELP, ACT_VERSION };

struct config {
	enum config_act act;
	const char *store, *mountpoint;	/* borrowed from argv */
	const char *compression;	/* init; NULL: the default */
	uint32_t chunk_avg;
	unsigned drives;
	int serve_fd;
	bool foreground, debug, allow_other, noarchives;
	char fuse_options[1024];	/* what is not ours, for FUSE */
};

/* -EINVAL with words: a usage error. */
int config_parse(int argc, char **argv, struct config *out);
/* The comma separated options of mount(8): ours are taken, those of fstab alone dropped, the rest goes to FUSE. */
int config_mount_options(struct config *c, const char *options);
extern const char config_help[];

#endif
