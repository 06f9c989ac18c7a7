/* SPDX-License-Identifier: BSD-2-Clause */
/* request: FUSE requests, for the session. */
#ifndef FS_REQUEST_H
#define FS_REQUEST_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

extern const struct fuse_lowlevel_ops fs_requests;

#endif
