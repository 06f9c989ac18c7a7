/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second door: a drive in the mount, as a program sees it that knows st(4) and nothing else.
 *
 *   conform_mount VTAPE STORE MOUNT [ROW]
 *
 * The store is mounted; VTAPE, the command line, makes tapes and puts them into drive 0.  st(4) says some things only
 * indirectly: a filemark is a read of 0 bytes after which the file number has changed; early warning is the status
 * bit EOT, after which one write is refused whatever it is.
 */
#include "conform/conform.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mtio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct mounted {
	const char *vtape, *store;
	char device[4096];
	int fd;
	unsigned tapes;		/* made so far; the last one is loaded */
};

/* ---- the command line ------------------------------------------------------------------------------------------ */

static int run(const struct mounted *m, const char *a, const char *b, const char *c, const char *d)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(126);
		execl(m->vtape, m->vtape, "-s", m->store, a, b, c, d, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static char *tape_name(const struct mounted *m, char out[16])
{
	snprintf(out, 16, "C%05u", m->tapes);
	return out;
}

static int load(struct mounted *m)
{
	char name[16];
	int r = run(m, "drive", "load", "0", tape_name(m, name));

	if (!r)
		m->fd = open(m->device, O_RDWR);
	return r || m->fd < 0;
}

static int unload(struct mounted *m)
{
	int r;

	if (m->fd < 0)
		return 0;
	/* Also one that fails closes. */
	r = close(m->fd);
	m->fd = -1;
	return run(m, "drive", "unload", "0", NULL) || r;
}

static int mounted_blank(void *ctx, uint64_t capacity, bool worm)
{
	struct mounted *m = ctx;
	char name[16], size[48];
	int r = unload(m);

	m->tapes++;
	tape_name(m, name);
	r = r ? r : run(m, "volume", "create", name, NULL);
	snprintf(size, sizeof(size), "capacity=%llu", (unsigned long long)capacity);
	if (!r && capacity)
		r = run(m, "volume", "set", name, size);
	if (!r && worm)
		r = run(m, "volume", "set", name, "worm=on");
	return r ? r : load(m);
}

static enum condition mounted_reload(void *ctx)
{
	return unload(ctx) || load(ctx) ? COND_FAILED : COND_OK;
}

static enum condition mounted_protect(void *ctx)
{
	char name[16];

	return run(ctx, "volume", "set", tape_name(ctx, name), "protect=on") ? COND_FAILED : COND_OK;
}

static enum condition mounted_lock(void *ctx)
{
	char name[16];

	return run(ctx, "volume", "lock", tape_name(ctx, name), "--for=1h") ? COND_FAILED : COND_OK;
}

/* ---- the device ------------------------------------------------------------------------------------------------ */

static struct mtget status(const struct mounted *m)
{
	struct mtget g = { .mt_gstat = 0, .mt_fileno = -1, .mt_blkno = -1 };

	if (ioctl(m->fd, MTIOCGET, &g))
		perror("MTIOCGET");
	return g;
}

static enum condition refused(void)
{
	return errno == EACCES || errno == EPERM ? COND_PROT : errno == ENOSPC ? COND_FULL : COND_FAILED;
}

static enum condition mounted_write(void *ctx, const void *p, size_t n)
{
	struct mounted *m = ctx;
	ssize_t done;

	if (GMT_EOT(status(m).mt_gstat) && (write(m->fd, p, n) >= 0 || errno != ENOSPC))
		return COND_FAILED;
	done = write(m->fd, p, n);
	if (done < 0)
		return refused();
	if ((size_t)done != n)
		return COND_FAILED;
	return GMT_EOT(status(m).mt_gstat) ? COND_EARLY : COND_OK;
}

static enum condition operate(const struct mounted *m, int op, int64_t n)
{
	struct mtop o = { .mt_op = (short)op, .mt_count = (int)n };

	return ioctl(m->fd, MTIOCTOP, &o) ? refused() : COND_OK;
}

/* st keeps early warning at a mark to itself; it is known by the status before. */
static enum condition mounted_marks(void *ctx, unsigned n)
{
	bool early = GMT_EOT(status(ctx).mt_gstat);
	enum condition c = operate(ctx, MTWEOF, n);

	return c == COND_OK && early && n ? COND_EARLY : c;
}

static enum condition mounted_read(void *ctx, void *buf, size_t cap, size_t *len)
{
	struct mounted *m = ctx;
	struct mtget before = status(m), after;
	ssize_t n = read(m->fd, buf, cap);

	if (n < 0 && errno == ENOMEM)
		return COND_LONG;
	after = status(m);
	if (n < 0)
		return errno == EIO && GMT_EOD(after.mt_gstat) ? COND_EOD : COND_FAILED;
	*len = (size_t)n;
	if (n > 0)
		return COND_OK;
	return after.mt_fileno == before.mt_fileno + 1 ? COND_MARK : GMT_EOD(after.mt_gstat) ? COND_EOD : COND_FAILED;
}

/* Where it stands tells what it stopped at. */
static enum condition stopped(const struct mounted *m, bool forwards)
{
	long bits = status(m).mt_gstat;

	if (errno != EIO)
		return COND_FAILED;
	if (forwards)
		return GMT_EOD(bits) ? COND_EOD : GMT_EOF(bits) ? COND_MARK : COND_FAILED;
	return GMT_BOT(bits) ? COND_BOP : COND_MARK;
}

static enum condition mounted_move(void *ctx, enum conform_move what, int64_t n)
{
	static const struct { int forwards, backwards; } ops[] = {
		[MOVE_RECORDS] = { MTFSR, MTBSR }, [MOVE_MARKS] = { MTFSF, MTBSF }, [MOVE_REWIND] = { MTREW, MTREW },
		[MOVE_EOD] = { MTEOM, MTEOM }, [MOVE_LOCATE] = { MTSEEK, MTSEEK },
	};

	if (operate(ctx, n < 0 ? ops[what].backwards : ops[what].forwards, n < 0 ? -n : n) == COND_OK)
		return COND_OK;
	return stopped(ctx, n >= 0);
}

static enum condition mounted_erase(void *ctx)
{
	return operate(ctx, MTERASE, 0);
}

static int mounted_tell(void *ctx, struct conform_pos *out)
{
	struct mtget g = status(ctx);

	*out = (struct conform_pos){ g.mt_fileno, g.mt_blkno };
	return 0;
}

static const struct conform_door mounted = {
	.name = "mount", .record_max = (1u << 20) - 4096,
	.blank = mounted_blank, .write = mounted_write, .marks = mounted_marks, .read = mounted_read,
	.move = mounted_move, .erase = mounted_erase, .reload = mounted_reload,
	.protect = mounted_protect, .lock = mounted_lock, .tell = mounted_tell,
};

int main(int argc, char **argv)
{
	struct mounted m = { .fd = -1 };
	unsigned failed;

	if (argc < 4) {
		fprintf(stderr, "usage: conform_mount VTAPE STORE MOUNT [ROW]\n");
		return 2;
	}
	m.vtape = argv[1];
	m.store = argv[2];
	snprintf(m.device, sizeof(m.device), "%s/drives/nst0", argv[3]);
	failed = conform_run(&mounted, &m, argc > 4 ? argv[4] : NULL);
	return unload(&m) ? 2 : failed != 0;
}
