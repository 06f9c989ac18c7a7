/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which store is meant, and a connection to somebody who serves it: the daemon if one runs, otherwise a vtaped of our
 * own that opens the store for this one command and ends with the connection.  Our own lives in a session of its own:
 * an interrupt from the terminal ends us, and it, finding nobody at the other end, closes the store properly.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a store that another process has open without serving it is waited for: another vtape, or a daemon that is
 * just starting or ending. */
#define BUSY_WAIT_NS 10000000000ull
#define BUSY_POLL_US 50000u

/* ---- which --------------------------------------------------------------------------------------------- */

/* One that has lost its head and not the copy of it is one too. */
bool store_is(const char *path)
{
	static const char *const heads[] = { "vtape.store", "vtape.store.copy" };
	char head[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (io_path(head, sizeof(head), "%s/%s", path, heads[i]) == 0 && access(head, F_OK) == 0)
			return true;
	return false;
}

/* The nearest folder from @path upwards that is a store. */
static bool store_around(const char *path, char out[PATH_MAX])
{
	if (io_path(out, PATH_MAX, "%s", path))
		return false;
	for (;;) {
		char *slash = strrchr(out, '/');
		if (store_is(out))
			return true;
		if (!slash || slash == out)
			return false;
		*slash = '\0';
	}
}

struct search {
	const char *cwd;		/* "" if there is none */
	char around[PATH_MAX];		/* the store whose mount has cwd in it */
	size_t depth;
	char only[PATH_MAX];		/* a store that is mounted */
	unsigned stores;
};

static int look_at_mount(void *ctx, const struct mount *m)
{
	struct search *s = ctx;
	size_t depth = strlen(m->mountpoint);

	if (depth > s->depth && path_is_below(s->cwd, m->mountpoint)) {
		s->depth = depth;
		memcpy(s->around, m->store, sizeof(s->around));
	}
	if (strcmp(s->only, m->store) != 0) {
		s->stores++;
		memcpy(s->only, m->store, sizeof(s->only));
	}
	return 0;
}

int store_find(const struct args *a, char path[PATH_MAX])
{
	const char *told = a->value[OPT_STORE] ? a->value[OPT_STORE] : getenv("VTAPE_STORE");
	char cwd[PATH_MAX] = "";
	struct search s = { .cwd = cwd };

	if (told && *told) {
		if (!realpath(told, path))
			return err_explain(-errno, "store %s: %s", told, strerror(errno));
		if (!store_is(path))
			return err_explain(-ENOENT, "%s is not a store; `vtape init %s` makes one", told, told);
		return 0;
	}
	if (!getcwd(cwd, sizeof(cwd)))
		cwd[0] = '\0';
	mounts_each(look_at_mount, &s);
	if (s.depth)
		return io_path(path, PATH_MAX, "%s", s.around);
	if (store_around(cwd, path))
		return 0;
	if (s.stores == 1)
		return io_path(path, PATH_MAX, "%s", s.only);
	return err_explain(-ENOENT, "which store? %s; say -s STORE, set VTAPE_STORE, or go into a store or its mount",
			   s.stores ? "More than one is mounted" : "None is mounted");
}

/* ---- who serves it ------------------------------------------------------------------------------------- */

/* A vtaped that serves the other end of @sock; @how: "--serve-fd" or "--rebuild-fd". */
static int start_server(const char *path, const char *how, int *sock, pid_t *child)
{
	char program[PATH_MAX], number[16];
	int pair[2], r;
	pid_t pid;

	r = vtaped_find(program);
	if (r)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_origin(-errno);
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		r = err_explain(-errno, "cannot start %s: %s", program, strerror(errno));
		close(pair[0]);
		close(pair[1]);
		return r;
	}
	if (pid == 0) {
		setsid();
		fcntl(pair[1], F_SETFD, 0);
		snprintf(number, sizeof(number), "%d", pair[1]);
		execl(program, program, "--store", path, how, number, (char *)NULL);
		fprintf(stderr, "vtape: cannot run %s: %s\n", program, strerror(errno));
		_exit(127);
	}
	close(pair[1]);
	*sock = pair[0];
	*child = pid;
	return 0;
}

static void end_server(struct store *s)
{
	fd_closep(&s->sock);
	while (s->child && waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
		;
	s->child = 0;
}

/* A server of our own, once it has said that it could open the store. */
static int serve_ourselves(struct store *s, const char *how)
{
	json_t *hello, *answer = NULL;
	int r;

	r = start_server(s->path, how, &s->sock, &s->child);
	if (r)
		return r;
	hello = json_pack("{s:s}", "verb", "version");
	r = ctl_call(s->sock, hello, -1, NULL, NULL, &answer);
	json_decref(hello);
	json_decref(answer);
	if (r)
		end_server(s);
	return r;
}

static int store_connect(struct store *s)
{
	uint64_t give_up = clock_mono_ns() + BUSY_WAIT_NS;
	char sock[PATH_MAX];
	int r;

	r = io_path(sock, sizeof(sock), "%s/ctl.sock", s->path);
	if (r)
		return r;
	for (;;) {
		r = ctl_connect(sock, &s->sock);
		if (r != -ENOENT && r != -ECONNREFUSED)
			return r;
		r = serve_ourselves(s, "--serve-fd");
		if (r != -EBUSY || clock_mono_ns() >= give_up)
			return r;
		usleep(BUSY_POLL_US);
	}
}

int store_open(const struct args *a, struct store *out)
{
	int r;

	*out = (struct store)STORE_CLOSED;
	r = store_find(a, out->path);
	return r ? r : store_connect(out);
}

int store_open_shut(const struct args *a, struct store *out)
{
	int r;

	*out = (struct store)STORE_CLOSED;
	r = store_find(a, out->path);
	return r ? r : serve_ourselves(out, "--rebuild-fd");
}

void store_close(struct store *s)
{
	end_server(s);
}

int store_call(struct store *s, json_t *request, int fd, int (*each)(void *ctx, const char *key, json_t *value),
	       void *ctx, json_t **ok)
{
	json_t *answer = NULL;
	int r;

	if (!request)
		return err_explain(-EINVAL, "the command line is not UTF-8");
	r = ctl_call(s->sock, request, fd, each, ctx, &answer);
	json_decref(request);
	if (r == 0 && ok)
		*ok = answer;
	else
		json_decref(answer);
	return r;
}

int store_ask(const struct args *a, json_t *request, int (*each)(void *ctx, const char *key, json_t *value), void *ctx,
	      json_t **ok)
{
	struct store s;
	int r;

	r = store_open(a, &s);
	if (r)
		json_decref(request);
	else
		r = store_call(&s, request, -1, each, ctx, ok);
	store_close(&s);
	return r;
}
