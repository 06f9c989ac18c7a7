/* SPDX-License-Identifier: BSD-2-Clause */
/* What the control socket's requests do: vtape(1)'s verbs, on the rooms of one open store. */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include <vtape/catalog.h>
#include <vtape/contents.h>
#include <vtape/ctl.h>
#include <vtape/library.h>

struct hooks;
struct scsi_service;

/* All borrowed; nothing in it changes while requests are served. */
struct serve {
	struct library *lib;
	struct catalog *cat;
	struct kv *kv;
	struct chunk_store *cs;
	struct contents *contents;
	const char *store_path;
	const char *mountpoint;	/* NULL: not mounted, serving one command */
	struct scsi_service *scsi;	/* NULL: not mounted */
	struct hooks *hooks;	/* NULL: they could not be started */
	const uint8_t *uuid;	/* the store's, 16 bytes */
	int drives;
	uint64_t started_ns;	/* wall clock; 0: not told */
};

/* A ctl_handler; @ctx is a struct serve.  Any number of threads at once. */
int serve_request(void *ctx, const char *verb, const json_t *req, int fd, struct ctl_reply *reply, json_t **ok);

#endif
