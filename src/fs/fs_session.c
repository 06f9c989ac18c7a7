/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_session: mounting, serving, stopping.  fs_stop() may come from a signal handler, so it only posts a semaphore; a
 * thread that waits for it ends FUSE's loop, whose main thread sleeps until a signal interrupts it.
 */
#include "fs/request.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/fs_errno.h"
#include "fs/tree.h"

#define THREADS_MAX 64		/* an open that waits for a RELEASE has a thread; there must be others */
#define THREADS_IDLE 8
#define KICK SIGURG		/* ignored unless somebody asks for it */

struct fs_serving {
	sem_t stop;
	pthread_t loop;
	atomic_bool done;
};

/* ---- mounting -------------------------------------------------------------------------------------------------- */

static void log_from_fuse(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char line[512];

	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_line(level <= FUSE_LOG_ERR ? LOG_LEVEL_ERROR : level <= FUSE_LOG_NOTICE ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG,
		 "fuse: %s", line);
}

static int check_mountpoint(const char *path)
{
	struct stat s;

	if (stat(path, &s))
		return err_explain(-errno, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(s.st_mode))
		return err_explain(-ENOTDIR, "%s is no folder", path);
	return 0;
}

/* A comma in the store's path would begin another option. */
static int put_escaped(struct buf *b, const char *s)
{
	int r = 0;

	for (; *s && !r; s++)
		r = buf_printf(b, "%s%c", *s == ',' || *s == '\\' ? "\\" : "", *s);
	return r;
}

static int make_options(const struct fs_config *cfg, struct buf *b)
{
	int r = buf_printf(b, "default_permissions,subtype=vtape,fsname=");

	if (!r)
		r = put_escaped(b, cfg->source ? cfg->source : "vtape");
	if (!r && cfg->allow_other)
		r = buf_printf(b, ",allow_other");
	if (!r && cfg->options && *cfg->options)
		r = buf_printf(b, ",%s", cfg->options);
	/* Last, so that they hold: archives of anybody's making show modes and devices of anybody's choosing. */
	return r ? r : buf_printf(b, ",nosuid,nodev");
}

static int session_new(struct fs *fs, const struct fs_config *cfg)
{
	CLEANUP(buf_fini) struct buf options = BUF_INIT;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int r = make_options(cfg, &options);

	if (r)
		return r;
	if (fuse_opt_add_arg(&args, "vtape") || fuse_opt_add_arg(&args, "-o") ||
	    fuse_opt_add_arg(&args, (const char *)options.data) || (cfg->debug && fuse_opt_add_arg(&args, "-d")))
		r = err_origin(-ENOMEM);
	if (!r) {
		fs->se = fuse_session_new(&args, &fs_requests, sizeof(fs_requests), fs);
		if (!fs->se)
			r = err_explain(-EINVAL, "FUSE does not accept the options '%s'", (const char *)options.data);
	}
	fuse_opt_free_args(&args);
	return r;
}

static int session_mount(struct fs *fs)
{
	errno = 0;
	if (!fuse_session_mount(fs->se, fs->mountpoint))
		return 0;
	return err_explain(errno ? -errno : -EPERM, "cannot mount on %s%s%s", fs->mountpoint, errno ? ": " : "",
			   errno ? strerror(errno) : "");
}

static int make_drives(struct fs *fs)
{
	int r = 0;

	for (unsigned i = 0; i < library_drives(fs->lib) && !r; i++)
		r = st_new(&fs->st[i]);
	return r;
}

static void free_drives(struct fs *fs)
{
	for (unsigned i = 0; i < LIBRARY_DRIVES_MAX; i++)
		fs->st[i] = st_free(fs->st[i]);
}

static void fs_free(struct fs *fs)
{
	if (fs->se)
		fuse_session_destroy(fs->se);
	slow_free(fs->slow);
	free_drives(fs);
	pthread_mutex_destroy(&fs->lock);
	pthread_cond_destroy(&fs->released);
	if (fs->serving)
		sem_destroy(&fs->serving->stop);
	free(fs->serving);
	free(fs->mountpoint);
	free(fs);
}

static struct fs *fs_new(struct library *lib, const struct fs_config *cfg)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	pthread_condattr_t attr;

	if (!fs)
		return NULL;
	fs->lib = lib;
	fs->cat = library_catalog(lib);
	fs->contents = cfg->contents;
	fs->archives_hidden = cfg->noarchives;
	fs->uid = getuid();
	fs->gid = getgid();
	fs->mounted_ns = clock_now_ns();
	pthread_mutex_init(&fs->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&fs->released, &attr);
	pthread_condattr_destroy(&attr);
	fs->mountpoint = strdup(cfg->mountpoint);
	fs->serving = calloc(1, sizeof(*fs->serving));
	if (!fs->mountpoint || !fs->serving || sem_init(&fs->serving->stop, 0, 0)) {
		free(fs->serving);
		fs->serving = NULL;
		fs_free(fs);
		return NULL;
	}
	return fs;
}

int fs_mount(struct library *lib, const struct fs_config *cfg, struct fs **out)
{
	struct fs *fs;
	int r = check_mountpoint(cfg->mountpoint);

	if (r)
		return r;
	fs = fs_new(lib, cfg);
	if (!fs)
		return err_origin(-ENOMEM);
	fuse_set_log_func(log_from_fuse);
	r = make_drives(fs);
	if (!r)
		r = slow_new(&fs->slow);
	if (!r)
		r = session_new(fs, cfg);
	if (!r)
		r = session_mount(fs);
	if (r) {
		fs_free(fs);
		return r;
	}
	image_sweep(fs);
	catalog_event(fs->cat, EVENT_MOUNTED, "", "mounted on %s", fs->mountpoint);
	*out = fs;
	return 0;
}

struct fs *fs_unmount(struct fs *fs)
{
	if (!fs)
		return NULL;
	/* What these threads do, they do with open files. */
	fs->slow = slow_free(fs->slow);
	/* The tapes first: whoever sees the mount gone may take the disk away. */
	file_release_all(fs);
	fuse_session_unmount(fs->se);
	catalog_event(fs->cat, EVENT_UNMOUNTED, "", "unmounted from %s", fs->mountpoint);
	fs_free(fs);
	return NULL;
}

/* ---- serving --------------------------------------------------------------------------------------------------- */

static void kicked(int sig)
{
}

/* The loop's thread may just be on its way to sleep when the first kick comes, so it is kicked until it is out. */
static void *stopper(void *arg)
{
	struct fs *fs = arg;

	while (sem_wait(&fs->serving->stop) && errno == EINTR)
		;
	fuse_session_exit(fs->se);
	while (!atomic_load(&fs->serving->done)) {
		pthread_kill(fs->serving->loop, KICK);
		usleep(5000);
	}
	return NULL;
}

static int serve(struct fs *fs)
{
	struct fuse_loop_config *cfg = fuse_loop_cfg_create();
	int r;

	if (!cfg)
		return err_origin(-ENOMEM);
	fuse_loop_cfg_set_max_threads(cfg, THREADS_MAX);
	fuse_loop_cfg_set_idle_threads(cfg, THREADS_IDLE);
	r = fuse_session_loop_mt(fs->se, cfg);
	fuse_loop_cfg_destroy(cfg);
	return r < 0 ? err_explain(r, "serving %s: %s", fs->mountpoint, strerror(-r)) : 0;
}

int fs_loop(struct fs *fs)
{
	struct sigaction kick = { .sa_handler = kicked }, before;
	pthread_t thread;
	int r;

	fs->serving->loop = pthread_self();
	atomic_store(&fs->serving->done, false);
	sigaction(KICK, &kick, &before);
	r = -pthread_create(&thread, NULL, stopper, fs);
	if (r)
		return err_origin(r);
	r = serve(fs);
	atomic_store(&fs->serving->done, true);
	sem_post(&fs->serving->stop);
	pthread_join(thread, NULL);
	sigaction(KICK, &before, NULL);
	return r;
}

void fs_stop(struct fs *fs)
{
	sem_post(&fs->serving->stop);
}
