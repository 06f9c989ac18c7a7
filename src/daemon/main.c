/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vtaped: owns one store for as long as it runs.  Four ways to run: make a store, serve a mount (in the background,
 * once everything stands), serve one connection of a command line that found no daemon, or make a lost database anew.
 *
 * The foreground process of a mount exits 0 only when the tree is mounted and the control socket answers, so a script
 * may go on at once; if anything fails before, it exits non-zero and has said why on standard error.
 */
#include "daemon/config.h"
#include "daemon/hooks.h"
#include "daemon/rebuild.h"
#include "daemon/scsi.h"
#include "daemon/serve.h"
#include "daemon/wire.h"

#include <vtape/ctl.h>
#include <vtape/fs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };	/* further ones are ctl_exit_status()'s */

static int say(int r)
{
	if (r < 0)
		fprintf(stderr, "vtaped: %s\n", err_text(r));
	return r;
}

/* ---- into the background ---- */

/* In the parent: waits until the child says that it is ready (one byte) or has ended, and exits.  In the child: returns
 * the descriptor to say it on. */
static int go_to_background(void)
{
	int ready[2], status = 0;
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return err_explain(-errno, "cannot start in the background: %s", strerror(errno));
	if (pid == 0) {
		close(ready[0]);
		setsid();
		return ready[1];
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		_exit(EXIT_SUCCESS);
	waitpid(pid, &status, 0);
	_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED);
}

static void say_ready(int fd)
{
	int null;

	if (fd < 0)
		return;
	/* From here on nobody looks at our standard error: the system's log does. */
	log_to_syslog("vtaped");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; null >= 0 && i <= 2; i++)
		dup2(null, i);
	fd_closep(&null);
	if (write(fd, "", 1) != 1)
		log_warn("nobody waited for this daemon to be ready");
	close(fd);
	if (chdir("/") < 0)
		log_warn("cannot leave the working folder: %s", strerror(errno));
}

/* ---- signals: one thread takes them all, the rest never see any ---- */

struct stopper {
	struct fs *fs;
	sigset_t signals;
};

static void *stopper_run(void *ctx)
{
	struct stopper *s = ctx;
	int sig;

	for (;;) {
		sigwait(&s->signals, &sig);
		if (sig == SIGUSR1)	/* the loop has ended by itself */
			return NULL;
		log_info("ending on signal %d", sig);
		fs_stop(s->fs);
	}
}

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ---- the ways to run ---- */

/* @mountpoint is absolute: the daemon leaves the folder in which it was named. */
static int serve_mount(const struct config *c, struct wire *w, struct hooks *hooks, const char *mountpoint,
		       int ready_fd, const sigset_t *signals)
{
	struct stopper stop = { NULL, *signals };
	struct ctl_server *ctl = NULL;
	struct serve serve = { .lib = w->library, .cat = w->catalog, .kv = w->kv, .cs = w->chunks,
			       .contents = w->contents,
			       .store_path = w->path, .mountpoint = mountpoint, .drives = (int)c->drives,
			       .hooks = hooks, .uuid = w->head.uuid, .started_ns = clock_now_ns() };
	struct fs_config fc = { .mountpoint = mountpoint, .options = c->fuse_options, .source = w->path,
				.contents = w->contents, .noarchives = c->noarchives,
				.allow_other = c->allow_other, .debug = c->debug && c->foreground };
	char sock[PATH_MAX];
	pthread_t stopper;
	int r;

	r = io_path(sock, sizeof(sock), "%s/ctl.sock", w->path);
	if (!r)
		r = fs_mount(w->library, &fc, &stop.fs);
	if (!r)
		r = scsi_service_new(w->library, w->head.uuid, &serve.scsi);
	if (!r)
		r = ctl_server_new(sock, serve_request, &serve, &ctl);
	if (!r)
		r = -pthread_create(&stopper, NULL, stopper_run, &stop);
	if (r) {
		say(r);
		ctl_server_free(ctl);
		scsi_service_free(serve.scsi);
		fs_unmount(stop.fs);
		return r;
	}

	scsi_service_start(serve.scsi);
	say_ready(ready_fd);
	r = fs_loop(stop.fs);

	pthread_kill(stopper, SIGUSR1);
	pthread_join(stopper, NULL);
	ctl_server_free(ctl);
	scsi_service_free(serve.scsi);
	fs_unmount(stop.fs);
	return r;
}

/* A store is of use without its hooks. */
static struct hooks *start_hooks(struct wire *w)
{
	struct hooks *hooks = NULL;
	int r = hooks_new(w->catalog, w->path, &hooks);

	if (r < 0)
		log_error("hooks are not run: %s", err_text(r));
	return hooks;
}

static int run_mount(const struct config *c)
{
	struct hooks *hooks;
	struct wire w = { .lock_fd = -1 };
	char mountpoint[PATH_MAX];
	sigset_t signals;
	int ready_fd = -1, r;

	if (!realpath(c->mountpoint, mountpoint))
		return say(err_explain(-errno, "mount point %s: %s", c->mountpoint, strerror(errno)));
	/* Before any thread is made: threads do not survive a fork. */
	if (!c->foreground && (ready_fd = go_to_background()) < 0)
		return say(ready_fd);
	/* Threads inherit what is blocked, and the store has threads of its own. */
	block_signals(&signals);
	r = say(wire_open(&w, c->store, c->drives));
	if (r < 0)
		return r;
	hooks = start_hooks(&w);
	/* Without it tapes are tapes as ever: only what is on new ones is not known. */
	r = contents_start(w.contents);
	if (r < 0)
		log_error("what is written is not looked at: %s", err_text(r));
	r = serve_mount(c, &w, hooks, mountpoint, ready_fd, &signals);
	hooks_free(hooks, HOOKS_PATIENCE_NS);
	wire_close(&w);
	return r;
}

struct refusal { int r; char text[512]; };

static int refuse(void *ctx, const char *verb, const json_t *request, int fd, struct ctl_reply *reply, json_t **ok)
{
	const struct refusal *why = ctx;

	return err_explain(why->r, "%s", why->text);
}

/* The command line asks in the words of its user; it gets the reason as the answer to whatever it asks. */
static int serve_refusal(const struct config *c, int r)
{
	struct refusal why = { .r = r };

	snprintf(why.text, sizeof(why.text), "%s", err_text(r));
	ctl_serve_one(c->serve_fd, refuse, &why);
	return r;
}

static int run_serve(const struct config *c)
{
	struct wire w = { .lock_fd = -1 };
	struct serve serve;
	int r;

	signal(SIGPIPE, SIG_IGN);
	r = wire_open(&w, c->store, c->drives);
	if (r < 0)
		return serve_refusal(c, r);
	serve = (struct serve){ .lib = w.library, .cat = w.catalog, .kv = w.kv, .cs = w.chunks,
				.contents = w.contents, .store_path = w.path,
				.mountpoint = NULL, .drives = (int)c->drives, .hooks = start_hooks(&w),
				.uuid = w.head.uuid };
	r = ctl_serve_one(c->serve_fd, serve_request, &serve);
	hooks_free(serve.hooks, HOOKS_PATIENCE_NS);
	wire_close(&w);
	return r;
}

static int run_rebuild(const struct config *c)
{
	struct wire w = { .lock_fd = -1 };
	int r;

	signal(SIGPIPE, SIG_IGN);
	r = wire_enter(&w, c->store);
	if (r < 0)
		return serve_refusal(c, r);
	r = ctl_serve_one(c->serve_fd, rebuild_request, &w);
	wire_close(&w);
	return r;
}

int main(int argc, char **argv)
{
	struct config c;
	int r = config_parse(argc, argv, &c);

	if (say(r) < 0)
		return EXIT_USAGE;
	if (c.debug)
		log_set_level(LOG_LEVEL_DEBUG);
	switch (c.act) {
	case ACT_HELP:
		fputs(config_help, stdout);
		return EXIT_SUCCESS;
	case ACT_VERSION:
		puts("vtaped " VTAPE_VERSION);
		return EXIT_SUCCESS;
	case ACT_INIT:
		r = say(wire_init(c.store, c.chunk_avg, c.compression));
		break;
	case ACT_SERVE:
		r = run_serve(&c);
		break;
	case ACT_REBUILD:
		r = run_rebuild(&c);
		break;
	case ACT_MOUNT:
		r = run_mount(&c);
		break;
	}
	return ctl_exit_status(r);
}
