/* SPDX-License-Identifier: BSD-2-Clause */
/* A lost or damaged database, made anew: `vtape rebuild-index`. */
#ifndef DAEMON_REBUILD_H
#define DAEMON_REBUILD_H

#include "daemon/wire.h"

#include <vtape/ctl.h>

/* A ctl_handler that knows the requests "version" and "rebuild"; @ctx is a struct wire that was entered. */
int rebuild_request(void *ctx, const char *verb, const json_t *req, int fd, struct ctl_reply *reply, json_t **ok);

#endif
