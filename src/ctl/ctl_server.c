/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answering side.  One thread listens, one per connection reads a request, runs the handler, answers, and so on
 * until the other side closes.  A client that goes away makes the next row or progress fail with -EPIPE, which is how a
 * handler learns that nobody waits for it any more.
 *
 * While server.lock is not held:
 * 1. every connection in server.conns has a thread, and its socket is open;
 * 2. server.count is how many are in the list, at most CONNECTIONS_MAX;
 * 3. once server.ending is set, no connection is added.
 *
 * The socket's mode is set before it has a name (Linux takes the mode of the unbound socket), so there is no moment at
 * which others could connect.
 */
#include <vtape/ctl.h>

#include "ctl/ctl_path.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64u
#define PROGRESS_EVERY_NS 100000000ull

struct ctl_reply {
	int sock;
	bool broken;		/* the client went away */
	uint64_t progress_ns;	/* when progress was last sent */
};

struct conn {
	struct conn *next;
	struct ctl_server *server;
	int sock;
};

struct ctl_server {
	ctl_handler handler;
	void *ctx;
	int listener, wake;	/* wake: an eventfd that ends the listening thread */
	pthread_t thread;
	char *path;
	pthread_mutex_t lock;	/* guards what follows */
	pthread_cond_t gone;	/* a connection left the list */
	struct conn *conns;
	unsigned count;
	bool ending;
};

/* ---- one connection ------------------------------------------------------------------------------------ */

/* {key: value}; takes @value. */
static int reply_send(struct ctl_reply *rep, const char *key, json_t *value)
{
	json_t *msg = json_pack("{s:o}", key, value ? value : json_object());
	int r;

	if (!msg)
		return err_origin(-ENOMEM);
	r = rep->broken ? -EPIPE : ctl_send(rep->sock, msg, -1);
	json_decref(msg);
	if (r == -EPIPE)
		rep->broken = true;
	return r;
}

int ctl_reply_row(struct ctl_reply *r, json_t *row)
{
	return reply_send(r, "row", row);
}

int ctl_reply_progress(struct ctl_reply *r, json_t *progress)
{
	uint64_t now = clock_mono_ns();
	struct pollfd p = { .fd = r->sock, .events = POLLRDHUP };

	/* Also when nothing is sent: is anybody still there? */
	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLRDHUP)))
		r->broken = true;
	if (!r->broken && r->progress_ns && now - r->progress_ns < PROGRESS_EVERY_NS) {
		json_decref(progress);
		return 0;
	}
	r->progress_ns = now;
	return reply_send(r, "progress", progress);
}

static int reply_error(struct ctl_reply *rep, int r)
{
	json_t *error = json_pack("{s:i, s:s}", "errno", -r, "text", err_text(r));

	/* Words that are not UTF-8, a strange file name for instance: the number has to do. */
	if (!error)
		error = json_pack("{s:i, s:s}", "errno", -r, "text", strerror(-r));
	return reply_send(rep, "error", error);
}

/* < 0: the connection is of no more use. */
static int serve_request_on(int sock, ctl_handler h, void *ctx)
{
	struct ctl_reply rep = { .sock = sock };
	CLEANUP(fd_closep) int fd = -1;
	json_t *req = NULL, *ok = NULL;
	int r;

	err_clear();
	r = ctl_recv(sock, &req, &fd);
	if (r == -EBADMSG)
		reply_error(&rep, r);	/* and close: where the next message begins is anybody's guess */
	if (r)
		return r;

	const char *verb = json_string_value(json_object_get(req, "verb"));
	if (verb)
		r = err_fold(h(ctx, verb, req, fd, &rep, &ok));
	else
		r = err_explain(-EINVAL, "a request without a verb");
	json_decref(req);
	if (r) {
		json_decref(ok);
		return reply_error(&rep, r);
	}
	return reply_send(&rep, "ok", ok);
}

int ctl_serve_one(int sock, ctl_handler h, void *ctx)
{
	int r;

	do
		r = serve_request_on(sock, h, ctx);
	while (r == 0);
	return r == -EPIPE ? 0 : r;
}

/* ---- many of them -------------------------------------------------------------------------------------- */

static void conn_remove(struct conn *c)
{
	struct ctl_server *s = c->server;
	LOCK_SCOPE(&s->lock);

	for (struct conn **at = &s->conns; *at; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	close(c->sock);
	free(c);
	s->count--;
	pthread_cond_broadcast(&s->gone);
}

static void *conn_main(void *arg)
{
	struct conn *c = arg;

	ctl_serve_one(c->sock, c->server->handler, c->server->ctx);
	conn_remove(c);
	return NULL;
}

static void turn_away(int sock)
{
	struct ctl_reply rep = { .sock = sock };

	reply_error(&rep, err_explain(-EBUSY, "the daemon serves %u connections already", CONNECTIONS_MAX));
	close(sock);
}

/* Takes @sock. */
static void conn_add(struct ctl_server *s, int sock)
{
	struct conn *c = calloc(1, sizeof(*c));
	pthread_attr_t attr;
	pthread_t t;
	LOCK_SCOPE(&s->lock);

	if (!c || s->ending || s->count >= CONNECTIONS_MAX) {
		free(c);
		turn_away(sock);
		return;
	}
	*c = (struct conn){ .next = s->conns, .server = s, .sock = sock };
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&t, &attr, conn_main, c)) {
		free(c);
		turn_away(sock);
	} else {
		s->conns = c;
		s->count++;
	}
	pthread_attr_destroy(&attr);
}

static void *listen_main(void *arg)
{
	struct ctl_server *s = arg;
	struct pollfd p[2] = { { .fd = s->listener, .events = POLLIN }, { .fd = s->wake, .events = POLLIN } };

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents)
			break;
		if (!(p[0].revents & POLLIN))
			continue;
		int sock = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
		if (sock >= 0)
			conn_add(s, sock);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			poll(&p[1], 1, 100);	/* out of something: do not spin until it is back */
	}
	return NULL;
}

/* A socket with a name and nobody behind it is left over from a crash. */
static int remove_stale(const char *path)
{
	CLEANUP(fd_closep) int sock = -1;
	int r = ctl_connect(path, &sock);

	if (r == 0)
		return err_explain(-EADDRINUSE, "%s: another daemon answers there", path);
	if (r == -ENOENT)
		return 0;
	if (r != -ECONNREFUSED)
		return r;
	return unlink(path) == 0 || errno == ENOENT ? 0 : err_explain(-errno, "%s: %s", path, strerror(errno));
}

static int listener_open(const char *path, int *out)
{
	CLEANUP(fd_closep) int dir = -1;
	struct sockaddr_un sa;
	int fd, r;

	r = remove_stale(path);
	if (r)
		return r;
	r = ctl_path_address(path, &sa, &dir);
	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_origin(-errno);
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 64) < 0) {
		r = err_explain(-errno, "%s: %s", path, strerror(errno));
		close(fd);
		return r;
	}
	*out = fd;
	return 0;
}

static struct ctl_server *server_dispose(struct ctl_server *s)
{
	fd_closep(&s->listener);
	fd_closep(&s->wake);
	pthread_cond_destroy(&s->gone);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
	return NULL;
}

int ctl_server_new(const char *socket_path, ctl_handler h, void *ctx, struct ctl_server **out)
{
	struct ctl_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_origin(-ENOMEM);
	*s = (struct ctl_server){ .handler = h, .ctx = ctx, .listener = -1, .wake = -1 };
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->gone, NULL);
	s->path = strdup(socket_path);
	s->wake = eventfd(0, EFD_CLOEXEC);
	if (!s->path || s->wake < 0) {
		server_dispose(s);
		return err_origin(-ENOMEM);
	}
	r = listener_open(socket_path, &s->listener);
	if (r) {
		server_dispose(s);
		return r;
	}
	r = pthread_create(&s->thread, NULL, listen_main, s);
	if (r) {
		unlink(socket_path);
		server_dispose(s);
		return err_origin(-r);
	}
	*out = s;
	return 0;
}

struct ctl_server *ctl_server_free(struct ctl_server *s)
{
	if (!s)
		return NULL;
	unlink(s->path);
	eventfd_write(s->wake, 1);
	pthread_join(s->thread, NULL);

	/* Shut down, a connection's thread reads the end and its sends fail; a handler at work is waited for. */
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	for (struct conn *c = s->conns; c; c = c->next)
		shutdown(c->sock, SHUT_RDWR);
	while (s->count)
		pthread_cond_wait(&s->gone, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return server_dispose(s);
}
