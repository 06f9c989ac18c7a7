/* SPDX-License-Identifier: BSD-2-Clause */
/* The address of a socket below a folder of any length. */
#ifndef CTL_PATH_H
#define CTL_PATH_H

#include <sys/socket.h>
#include <sys/un.h>

/*
 * sun_path holds 107 bytes and a store may lie deeper.  A longer path is reached through its folder's descriptor
 * (/proc/self/fd/N/NAME).  *dir is that descriptor or -1; it must stay open while @out is in use; close it after.
 * Return: 0, -ENOENT and other errors of open(2), -ENAMETOOLONG.
 */
int ctl_path_address(const char *path, struct sockaddr_un *out, int *dir);

#endif
