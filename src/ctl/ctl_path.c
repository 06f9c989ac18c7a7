/* SPDX-License-Identifier: BSD-2-Clause */
/* The address of a control socket: the path itself where it fits, its folder's descriptor where it does not. */
#include "ctl/ctl_path.h"

#include <vtape/util.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int ctl_path_address(const char *path, struct sockaddr_un *out, int *dir)
{
	CLEANUP(fd_closep) int fd = -1;
	CLEANUP(freep) char *folder = NULL;
	const char *slash = strrchr(path, '/');
	int r;

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*dir = -1;
	if (strlen(path) < sizeof(out->sun_path)) {
		memcpy(out->sun_path, path, strlen(path) + 1);
		return 0;
	}
	if (!slash)
		return err_origin(-ENAMETOOLONG);
	folder = strndup(path, (size_t)(slash - path) + 1);
	if (!folder)
		return err_origin(-ENOMEM);
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = io_path(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s", fd, slash + 1);
	if (r)
		return r;
	*dir = fd;
	fd = -1;
	return 0;
}
