/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_run: a program of the administrator's, told of one event.  It gets the event on standard input, whole before it
 * starts, and in its environment; a process group of its own; the default signals; no descriptor of ours but one end of
 * a pipe.  It is waited for as long as its hook allows.  Then its whole group gets SIGTERM, later SIGKILL, so nothing
 * that it started outlives its time limit unless it took pains to.
 *
 * What it writes is read to the end, so that it never stands still on a full pipe, and only the beginning is kept.
 */
#include "daemon/hook_run.h"

#include "daemon/event_json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 20
#define ARGS_MAX 64u

extern char **environ;

/* ---- what it is called with ---- */

/* The words of a program and its arguments; they are cut in @copy. */
static int split_words(const char *program, char *copy, size_t cap, char *argv[ARGS_MAX + 1])
{
	char *rest = copy, *word;
	unsigned n = 0;

	snprintf(copy, cap, "%s", program);
	while ((word = strsep(&rest, " "))) {
		if (!*word)
			continue;
		if (n == ARGS_MAX)
			return err_explain(-EINVAL, "a hook's program has at most %u words", ARGS_MAX);
		argv[n++] = word;
	}
	argv[n] = NULL;
	return n ? 0 : err_explain(-EINVAL, "a hook needs a program");
}

int hook_check_program(const struct catalog_hook *h)
{
	char copy[sizeof(h->program)], *argv[ARGS_MAX + 1];
	struct stat st;
	int r = split_words(h->program, copy, sizeof(copy), argv);

	if (r)
		return r;
	if (argv[0][0] != '/')
		return err_explain(-EINVAL, "\"%s\": a hook's program is an absolute path", argv[0]);
	if (stat(argv[0], &st) < 0)
		return err_explain(-errno, "%s: %s", argv[0], strerror(errno));
	if (!S_ISREG(st.st_mode) || access(argv[0], X_OK) < 0)
		return err_explain(-EACCES, "%s is no program that can be run", argv[0]);
	if (st.st_mode & S_IWOTH)
		return err_explain(-EPERM, "%s can be written by everybody: it is not run", argv[0]);
	return 0;
}

/* "NAME=value" strings behind each other, then pointers to them and to what we have ourselves. */
struct environment { struct buf text, list; };

static void environment_fini(struct environment *env)
{
	buf_fini(&env->text);
	buf_fini(&env->list);
}

static int environment_put(struct environment *env, const char *name, const char *value)
{
	int r = buf_printf(&env->text, "%s=%s", name, value);

	return r ? r : buf_put_u8(&env->text, 0);
}

static int environment_make(struct environment *env, const struct catalog_event *e, const char *store)
{
	char number[16];
	int r;

	snprintf(number, sizeof(number), "%u", e->number);
	r = environment_put(env, "VTAPE_STORE", store);
	if (!r)
		r = environment_put(env, "VTAPE_EVENT_NUMBER", number);
	if (!r)
		r = environment_put(env, "VTAPE_EVENT_NAME", e->number ? event_name(e->number) : "test");
	if (!r)
		r = environment_put(env, "VTAPE_EVENT_SEVERITY", event_severity_name(e->severity));
	if (!r)
		r = environment_put(env, "VTAPE_EVENT_ABOUT", e->about);
	if (!r)
		r = environment_put(env, "VTAPE_EVENT_TEXT", e->text);
	for (char *p = (char *)env->text.data; !r && p < (char *)env->text.data + env->text.len; p += strlen(p) + 1)
		r = buf_append(&env->list, &p, sizeof(p));
	for (char **p = environ; !r && *p; p++)
		if (strncmp(*p, "VTAPE_", 6) != 0)
			r = buf_append(&env->list, p, sizeof(*p));
	return r ? r : buf_append(&env->list, &(char *){ NULL }, sizeof(char *));
}

/* A pipe with the event in it and nobody at its other end: an event is shorter than the smallest pipe. */
static int event_pipe(const struct catalog_event *e, int *fd)
{
	json_t *o = event_json(e);
	char *line = o ? json_dumps(o, JSON_COMPACT) : NULL;
	int ends[2], r = line ? 0 : err_origin(-ENOMEM);

	json_decref(o);
	if (!r && pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		r = err_origin(-errno);
	if (!r) {
		r = io_write_full(ends[1], line, strlen(line));
		if (!r)
			r = io_write_full(ends[1], "\n", 1);
		close(ends[1]);
		if (r)
			close(ends[0]);
		else
			*fd = ends[0];
	}
	free(line);
	/* Only our end was not to wait; a program does not expect that of its standard input. */
	if (!r && fcntl(*fd, F_SETFL, 0) < 0)
		r = err_origin(-errno);
	return r;
}

/* ---- starting ---- */

static int spawn_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setpgroup(attr, 0);
	return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int spawn_files(posix_spawn_file_actions_t *files, int in, int out)
{
	int r = posix_spawn_file_actions_adddup2(files, in, STDIN_FILENO);

	if (!r)
		r = posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);
	if (!r)
		r = posix_spawn_file_actions_adddup2(files, out, STDERR_FILENO);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
	return r ? r : posix_spawn_file_actions_addchdir_np(files, "/");
}

static int spawn(const struct catalog_hook *h, char **env, int in, int out, pid_t *pid)
{
	char copy[sizeof(h->program)], *argv[ARGS_MAX + 1];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int r = split_words(h->program, copy, sizeof(copy), argv);

	if (r)
		return r;
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	r = spawn_files(&files, in, out);
	if (!r)
		r = spawn_attributes(&attr);
	if (!r)
		r = posix_spawn(pid, argv[0], &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return r ? err_explain(-r, "cannot run %s: %s", argv[0], strerror(r)) : 0;
}

/* ---- while it runs ---- */

struct running {
	pid_t pid;
	int out;			/* what it writes; -1: it has closed that */
	uint64_t term_ns, kill_ns;	/* monotonic: when it is to be ended, by force */
	bool termed, killed;
	struct hook_result *result;
};

/* All that is there. */
static void take_output(struct running *run)
{
	struct hook_result *res = run->result;
	char piece[4096];
	ssize_t n;

	while (run->out >= 0) {
		n = read(run->out, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			fd_closep(&run->out);
			return;
		}
		size_t keep = HOOK_OUTPUT_MAX - res->len < (size_t)n ? HOOK_OUTPUT_MAX - res->len : (size_t)n;
		memcpy(res->output + res->len, piece, keep);
		res->len += keep;
		if ((size_t)n < sizeof(piece))	/* a program that floods us is still looked at */
			return;
	}
}

/* Without taking its number away: until it is waited for, its group can be nobody else's. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == pid;
}

static void press(struct running *run, const atomic_bool *stop)
{
	uint64_t now = clock_mono_ns();

	if (stop && atomic_load(stop) && !run->result->stopped && !run->killed) {
		run->result->stopped = true;
		run->term_ns = now;
		if (!run->termed || run->kill_ns > now + HOOK_STOP_NS)
			run->kill_ns = now + HOOK_STOP_NS;
	}
	if (!run->termed && now >= run->term_ns) {
		kill(-run->pid, SIGTERM);
		run->termed = true;
		run->result->late = !run->result->stopped;
	}
	if (run->termed && !run->killed && now >= run->kill_ns) {
		kill(-run->pid, SIGKILL);
		run->killed = true;
	}
}

static void await_end(struct running *run, const atomic_bool *stop)
{
	struct pollfd p = { .events = POLLIN };

	while (!has_ended(run->pid)) {
		press(run, stop);
		p.fd = run->out;	/* < 0: only the time is waited for */
		if (poll(&p, 1, TICK_MS) > 0)
			take_output(run);
	}
	/* Those whom it left behind are its own matter, unless its time was over. */
	if (run->termed)
		kill(-run->pid, SIGKILL);
	take_output(run);
}

static int status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_with(const struct catalog_hook *h, char **env, int in, const atomic_bool *stop, struct hook_result *res)
{
	struct running run = { .out = -1, .result = res };
	uint64_t begun = clock_mono_ns();
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_origin(-errno);
	r = spawn(h, env, in, ends[1], &run.pid);
	close(ends[1]);
	run.out = ends[0];
	if (!r) {
		fcntl(run.out, F_SETFL, O_NONBLOCK);
		run.term_ns = begun + h->timeout_s * UINT64_C(1000000000);
		run.kill_ns = run.term_ns + HOOK_TERM_NS;
		await_end(&run, stop);
		res->status = status_of(run.pid);
		res->took_ns = clock_mono_ns() - begun;
	}
	fd_closep(&run.out);
	return r;
}

int hook_run(const struct catalog_hook *h, const struct catalog_event *e, const char *store, const atomic_bool *stop,
	     struct hook_result *out)
{
	CLEANUP(environment_fini) struct environment env = { BUF_INIT, BUF_INIT };
	CLEANUP(fd_closep) int in = -1;
	int r = hook_check_program(h);

	memset(out, 0, sizeof(*out));
	if (!r)
		r = environment_make(&env, e, store);
	if (!r)
		r = event_pipe(e, &in);
	return r ? r : run_with(h, (char **)(void *)env.list.data, in, stop, out);
}

char *hook_words(const struct catalog_hook *h, const struct hook_result *r, char out[96])
{
	if (r->late)
		snprintf(out, 96, "it took longer than %u s and was ended", h->timeout_s);
	else if (r->stopped)
		snprintf(out, 96, "it was ended, as the daemon ends or the hook is gone");
	else if (r->status > 128)
		snprintf(out, 96, "ended by signal %d", r->status - 128);
	else
		snprintf(out, 96, "exit status %d", r->status);
	return out;
}
