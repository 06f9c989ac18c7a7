/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl: the control socket.  One message is a le32 length and that many bytes of JSON, one object; a request may carry
 * one file descriptor.  Request: {"verb": "...", ...arguments}.  Answers: any number of {"progress": {...}} and
 * {"row": {...}}, then one of {"ok": {...}} or {"error": {"errno": N, "text": "..."}}.  The verbs are vtape(1)'s,
 * listed in vtaped(8).
 */
#ifndef VTAPE_CTL_H
#define VTAPE_CTL_H

#include <jansson.h>
#include <vtape/util.h>

#define CTL_MESSAGE_MAX (1u << 20)

/* ctl_format.c: one message.  The decoder takes foreign bytes; what it gives is the caller's. */
int ctl_encode(const json_t *msg, struct buf *out);
int ctl_decode(const void *p, size_t n, json_t **out);			/* @p: the JSON alone; -EBADMSG with words */
int ctl_send(int sock, const json_t *msg, int fd);			/* fd -1: none */
/* -EPIPE: the other side closed.  *msg is the caller's, and *fd too; -1 if none came. */
int ctl_recv(int sock, json_t **msg, int *fd);

/* ctl_bytes.c: a name that need not be UTF-8 as member @key; then its bytes in hex are member @raw_key.  Its end is a
 * NUL, behind len in @out.  -EINVAL with words: hex that is none. */
int ctl_put_bytes(json_t *o, const char *key, const char *raw_key, const char *s);
int ctl_get_bytes(const json_t *o, const char *key, const char *raw_key, struct buf *out);

/* ctl_status.c: the exit status of both programs for a result (vtape(1), "EXIT STATUS"): a script can tell
 * what went wrong. */
int ctl_exit_status(int r);

/* ctl_client.c */
int ctl_connect(const char *socket_path, int *sock);			/* -ENOENT, -ECONNREFUSED: no daemon there */
/* @each is called for every progress and row (key and value); may be NULL. *ok is returned (takes the reference).
 * Return: 0, the -errno that the other side gave, with its words in err_text(), or of the connection. */
int ctl_call(int sock, const json_t *request, int fd, int (*each)(void *ctx, const char *key, json_t *value), void *ctx,
	     json_t **ok);

/* ctl_server.c: one thread listens, one per connection serves; at most 64 connections. */
struct ctl_reply;	/* where a handler answers */
/* Both take what they are given.  -EPIPE if the client went away: stop working.  Progress is sent at most ten times a
 * second, the rest is dropped. */
int ctl_reply_row(struct ctl_reply *r, json_t *row);
int ctl_reply_progress(struct ctl_reply *r, json_t *progress);
/* < 0: answered as an error with err_text(); 0: *ok (may stay NULL for {}) is taken and answered.  @fd: borrowed,
 * -1 if none. */
typedef int (*ctl_handler)(void *ctx, const char *verb, const json_t *request, int fd, struct ctl_reply *reply,
			   json_t **ok);

struct ctl_server;
/* Replaces a stale socket; mode 0600. */
int ctl_server_new(const char *socket_path, ctl_handler h, void *ctx, struct ctl_server **out);
struct ctl_server *ctl_server_free(struct ctl_server *s);		/* ends connections, waits for handlers */
int ctl_serve_one(int sock, ctl_handler h, void *ctx);			/* this connection, until it closes */

#endif
