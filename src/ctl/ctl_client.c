/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The asking side: connect, send one request, take what comes until the answer.  A connection can carry any number of
 * requests, one after the other; after a failure of the connection itself, or after @each stopped a call, it is of no
 * more use and the caller closes it (which stops the work on the other side).
 */
#include <vtape/ctl.h>

#include "ctl/ctl_path.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

int ctl_connect(const char *socket_path, int *sock)
{
	CLEANUP(fd_closep) int dir = -1;
	struct sockaddr_un sa;
	int fd, r;

	r = ctl_path_address(socket_path, &sa, &dir);
	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_origin(-errno);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0) {
		*sock = fd;
		return 0;
	}
	r = -errno;
	close(fd);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return r;	/* nobody is there: an answer, no failure */
	return err_explain(r, "%s: %s", socket_path, strerror(-r));
}

static int failure_of(const json_t *error)
{
	json_int_t number = json_integer_value(json_object_get(error, "errno"));
	const char *text = json_string_value(json_object_get(error, "text"));

	if (number < 1 || number > 4095)
		return err_explain(-EPROTO, "the daemon failed without saying why");
	return err_explain(-(int)number, "%s", text ? text : strerror((int)number));
}

/* 0: the call goes on; 1: it is over and *result says how. */
static int take_answer(json_t *msg, int (*each)(void *ctx, const char *key, json_t *value), void *ctx, json_t **ok,
		       int *result)
{
	static const char *const interim[] = { "progress", "row" };
	json_t *value;

	for (size_t i = 0; i < ARRAY_LEN(interim); i++) {
		value = json_object_get(msg, interim[i]);
		if (value) {
			*result = each ? each(ctx, interim[i], value) : 0;
			return *result != 0;
		}
	}
	value = json_object_get(msg, "ok");
	if (value) {
		*ok = json_incref(value);
		*result = 0;
		return 1;
	}
	value = json_object_get(msg, "error");
	*result = value ? failure_of(value) : err_explain(-EPROTO, "the daemon gave an answer that is none");
	return 1;
}

int ctl_call(int sock, const json_t *request, int fd, int (*each)(void *ctx, const char *key, json_t *value), void *ctx,
	     json_t **ok)
{
	int over = 0, result = 0, r;

	/* A server that turned us away has closed already, but what it said can still be read. */
	r = ctl_send(sock, request, fd);
	if (r && r != -EPIPE)
		return r;
	while (!over) {
		json_t *msg = NULL;
		CLEANUP(fd_closep) int unwanted = -1;

		r = ctl_recv(sock, &msg, &unwanted);
		if (r == -EPIPE)
			return err_explain(r, "the daemon closed the connection");
		if (r)
			return r;
		over = take_answer(msg, each, ctx, ok, &result);
		json_decref(msg);
	}
	return result;
}
