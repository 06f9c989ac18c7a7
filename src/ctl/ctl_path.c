/* SPDX-License-Identifier: BSD-2-Clause */
/* The address of a control socket: the path itself where it fits, its folder's descriptor where it does not. */
#include "ctl/ctl_path.h"

#include <vtape/util.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

int ctl_path_address(const char *path, struct sockaddr_un *out, int *dir)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	int fd, r;

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*dir = -1;
	if (strlen(path) < sizeof(out->sun_path)) {
		memcpy(out->sun_path, path, strlen(path) + 1);
		return 0;
	}
	if (!slash)
		return err_origin(-ENAMETOOLONG);
	r = io_path(folder, sizeof(folder), "%.*s/", (int)(slash - path), path);
	if (r)
		return r;
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = io_path(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", fd, slash + 1);
	if (r) {
		close(fd);
		return r;
	}
	*dir = fd;
	return 0;
}
