/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device: a backstore of the kernel, served.
 *
 * A thread for each: what is in the ring, then the kernel is woken, then it waits for an event or the word to stop.
 * The uio device can be opened once; that is the lock against a second daemon.  The file that outlives a kill has the
 * ring's memory first and the unit's behind it, and all its pages from the start: a file system that is full must say
 * so here, not by a signal in the middle of a command.
 *
 * What it leaves to others: what is done (ring.c, scsi/), and that there is such a device (configfs.c).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <vtape/tcmu.h>

#define UIO "/sys/class/uio"
#define LOOK_AGAIN_MS 20u

struct tcmu_device {
	char name[64];			/* "user_<hba>/<name>", for words */
	char uio[32];			/* "uio0" */
	int fd, stop;			/* -1: not open */
	void *map, *memory;		/* NULL: not mapped */
	size_t map_len, memory_len;
	char *memory_path;
	uint64_t identity;
	struct tcmu_ring *ring;
	struct scsi_unit *unit;
	pthread_t thread;
	bool runs;			/* @thread has to be joined */
	int state;			/* atomic; tcmu_device_state() */
};

/* ---- found ------------------------------------------------------------------------------------------------------ */

static bool is_named(const char *uio, const char *want)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	char path[320];
	size_t n = strlen(want);

	if (io_path(path, sizeof(path), UIO "/%s/name", uio) || io_read_file(path, 4096, &b) || b.len <= n)
		return false;
	return !memcmp(b.data, want, n) && (b.data[n] == '/' || b.data[n] == '\n');
}

/* The uio device whose name is @want or goes on behind it with the backstore's configuration. */
static bool find(const char *want, char out[32])
{
	DIR *dir = opendir(UIO);
	bool found = false;
	struct dirent *e;

	while (dir && !found && (e = readdir(dir)))
		found = e->d_name[0] != '.' && strlen(e->d_name) < 32 && is_named(e->d_name, want);
	if (found)
		snprintf(out, 32, "%.31s", e->d_name);
	if (dir)
		closedir(dir);
	return found;
}

/* EBUSY: one that ends, or was killed, has it for a moment still. */
static int open_named(struct tcmu_device *d, const struct tcmu_device_config *cfg, unsigned wait_ms)
{
	const struct timespec a_while = { .tv_nsec = LOOK_AGAIN_MS * 1000000 };
	char want[320], path[64];
	int r, why = ENOENT;
	bool found = false;

	r = io_path(want, sizeof(want), "tcm-user/%u/%s", cfg->hba, cfg->name);
	if (r)
		return r;
	for (unsigned waited = 0; ; waited += LOOK_AGAIN_MS) {
		found = find(want, d->uio);
		if (found) {
			snprintf(path, sizeof(path), "/dev/%s", d->uio);
			d->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (d->fd >= 0)
				return 0;
			why = errno;
		}
		if (waited >= wait_ms || (found && why != EBUSY && why != ENOENT))
			break;
		nanosleep(&a_while, NULL);
	}
	if (!found)
		return err_explain(-ENODEV, "the kernel has no backstore %s", d->name);
	if (why == EBUSY)
		return err_explain(-ENODEV, "the backstore %s (/dev/%s) is served by another program", d->name, d->uio);
	return err_explain(-ENODEV, "/dev/%s of the backstore %s cannot be opened: %s", d->uio, d->name, strerror(why));
}

/* ---- mapped ----------------------------------------------------------------------------------------------------- */

static int map_ring(struct tcmu_device *d)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	char path[128];
	uint8_t boot[16] = { 0 };
	struct stat st;
	struct { uint8_t boot[16]; uint64_t inode; } identity;
	int r;

	snprintf(path, sizeof(path), UIO "/%s/maps/map0/size", d->uio);
	r = io_read_file(path, 64, &b);
	if (r || buf_put_u8(&b, 0))
		return err_explain(-ENODEV, "the kernel does not tell how large the ring of %s is", d->name);
	d->map_len = strtoull((char *)b.data, NULL, 0);
	d->map = mmap(NULL, d->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);
	if (d->map == MAP_FAILED) {
		r = -errno;
		d->map = NULL;
		return err_explain(r, "the ring of %s, %zu bytes, cannot be mapped: %s", d->name, d->map_len,
				   strerror(-r));
	}
	/* A uio device made anew has another inode in sysfs, until the machine starts anew. */
	snprintf(path, sizeof(path), UIO "/%s/", d->uio);
	clock_boot_id(boot);
	memset(&identity, 0, sizeof(identity));
	memcpy(identity.boot, boot, sizeof(boot));
	identity.inode = stat(path, &st) ? 0 : st.st_ino;
	d->identity = sum64(&identity, sizeof(identity)) | 1;
	return 0;
}

static int map_memory(struct tcmu_device *d, const struct tcmu_device_config *cfg)
{
	CLEANUP(fd_closep) int fd = open(cfg->memory_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return err_explain(-errno, "%s, for what outlives a kill, cannot be opened: %s", cfg->memory_path,
				   strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return err_explain(-EPERM, "%s is not a file of this user", cfg->memory_path);
	d->memory_len = TCMU_RING_MEMORY + cfg->memory_len;
	if (fchmod(fd, 0600) || ((uint64_t)st.st_size != d->memory_len && ftruncate(fd, (off_t)d->memory_len)))
		return err_explain(-errno, "%s: %s", cfg->memory_path, strerror(errno));
	r = posix_fallocate(fd, 0, (off_t)d->memory_len);
	if (r)
		return err_explain(-r, "%s, for what outlives a kill, needs %zu MiB: %s", cfg->memory_path,
				   d->memory_len >> 20, strerror(r));
	/* A page touched first in the middle of a WRITE would cost more than all else that is done for its record. */
	d->memory = mmap(NULL, d->memory_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (d->memory == MAP_FAILED) {
		r = -errno;
		d->memory = NULL;
		return err_explain(r, "%s cannot be mapped: %s", cfg->memory_path, strerror(-r));
	}
	return 0;
}

/* ---- served ----------------------------------------------------------------------------------------------------- */

static int wake_kernel(struct tcmu_device *d)
{
	const int32_t one = 1;

	return write(d->fd, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

/* Until there is something, or nothing any more.  True: stop. */
static bool wait_for_kernel(struct tcmu_device *d, int *r)
{
	struct pollfd p[2] = { { .fd = d->fd, .events = POLLIN }, { .fd = d->stop, .events = POLLIN } };
	uint32_t events;

	if (poll(p, 2, -1) < 0) {
		*r = errno == EINTR ? 0 : -errno;
		return false;
	}
	*r = p[0].revents && read(d->fd, &events, sizeof(events)) < 0 && errno != EAGAIN ? -errno : 0;
	return p[1].revents;
}

static void *serve(void *ctx)
{
	struct tcmu_device *d = ctx;
	unsigned done;
	int r, w;
	bool stop = false;

	/* Answers that one before us has put there and did not live to tell of. */
	r = wake_kernel(d);
	while (!r && !stop) {
		r = tcmu_ring_serve(d->ring, d->unit, &done);
		w = done ? wake_kernel(d) : 0;
		r = r ? r : w;
		if (!r)
			stop = wait_for_kernel(d, &r);
	}
	if (r == -EIO)
		log_warn("the backstore %s was removed: nothing is served there any more", d->name);
	else if (r)
		log_error("the backstore %s is not served any more: %s", d->name, err_text(r));
	__atomic_store_n(&d->state, r, __ATOMIC_RELEASE);
	return NULL;
}

/* Signals are for the threads that asked for them. */
static int run(struct tcmu_device *d)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&d->thread, NULL, serve, d);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	d->runs = !r;
	return r ? err_origin(-r) : 0;
}

/* ---- began and ended -------------------------------------------------------------------------------------------- */

int tcmu_device_start(const struct tcmu_device_config *cfg, unsigned wait_ms,
		      int (*make)(void *ctx, void *memory, size_t len, struct scsi_unit **out), void *ctx,
		      struct tcmu_device **out)
{
	struct tcmu_device *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return err_origin(-ENOMEM);
	d->fd = -1;
	snprintf(d->name, sizeof(d->name), "user_%u/%.48s", cfg->hba, cfg->name);
	d->stop = eventfd(0, EFD_CLOEXEC);
	d->memory_path = strdup(cfg->memory_path);
	r = d->stop < 0 ? err_origin(-errno) : d->memory_path ? 0 : err_origin(-ENOMEM);
	r = r ? r : open_named(d, cfg, wait_ms);
	r = r ? r : map_ring(d);
	r = r ? r : tcmu_ring_new(d->map, d->map_len, &d->ring);
	r = r ? r : map_memory(d, cfg);
	if (!r) {
		tcmu_ring_memory(d->ring, d->memory, d->identity);
		r = make(ctx, (uint8_t *)d->memory + TCMU_RING_MEMORY, cfg->memory_len, &d->unit);
	}
	r = r ? r : run(d);
	if (r) {
		tcmu_device_stop(d, true);
		return r;
	}
	*out = d;
	return 0;
}

struct scsi_unit *tcmu_device_unit(struct tcmu_device *d)
{
	return d->unit;
}

int tcmu_device_state(struct tcmu_device *d)
{
	return __atomic_load_n(&d->state, __ATOMIC_ACQUIRE);
}

struct tcmu_device *tcmu_device_stop(struct tcmu_device *d, bool keep)
{
	const uint64_t one = 1;

	if (!d)
		return NULL;
	if (d->runs) {
		while (write(d->stop, &one, sizeof(one)) < 0 && errno == EINTR)
			;
		pthread_join(d->thread, NULL);
	}
	tcmu_ring_free(d->ring);
	scsi_unit_free(d->unit, keep);
	if (d->map)
		munmap(d->map, d->map_len);
	if (d->memory)
		munmap(d->memory, d->memory_len);
	if (!keep)
		unlink(d->memory_path);
	fd_closep(&d->fd);
	fd_closep(&d->stop);
	free(d->memory_path);
	free(d);
	return NULL;
}
