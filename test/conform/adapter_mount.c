/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The doors of a program that knows st(4) and nothing else: a drive in the mount, and a SCSI drive behind the kernel's
 * own st.
 *
 *   conform_mount VTAPE STORE MOUNT [ROW]
 *   conform_mount VTAPE STORE /dev/nst0 [ROW]
 *
 * The store is mounted; VTAPE, the command line, makes tapes and puts them into drive 0, whose unit the device is.
 * st(4) says some things only indirectly: a filemark is a read of 0 bytes after which the file number has changed;
 * early warning is the status bit EOT, after which one write is refused whatever it is.
 *
 * The kernel's st (drivers/scsi/st.c, 6.1) has ways of its own, which the mount does without:
 *   - It writes behind where the buffer is not aligned for direct transfers, and tells what came of a write at the
 *     next one: st_write(), do_async_writes.  That is switched off.
 *   - A drive's refusal is EIO whatever the reason: st_chk_result().  The reason is in the kernel's log.
 *   - After a write that was refused it still wants to write a filemark, and fails to rewind as that is refused too:
 *     st_write() is ST_WRITING before the command is sent, st_ioctl() writes the mark before MTREW.  Any other
 *     operation makes it forget; forwards over no records is one.
 *   - At the end of data, a read that follows no filemark is EIO without the bit EOD: read_tape().  The same holds for
 *     MTSEEK: set_location().  Asked to go on over a record it sets the bit: st_int_ioctl(), BLANK_CHECK.
 *   - The end of data behind early warning, which a drive tells as BLANK CHECK with EOM, it counts as another file,
 *     and reads as 0 bytes: read_tape() means to mask EOM there and masks other bits (0xcf).  The bit EOD is set all
 *     the same, and goes before the number.
 *   - MTERASE makes its file and block 0, MTWEOF of no marks its block, wherever the tape is: st_int_ioctl().  The tape
 *     has to be where it was by MTIOCPOS; sought to there, st says -1 for what it does not know.
 *   - The drive is somebody's until the tape is at its beginning; so it is rewound before it is taken out.
 */
#include "conform/conform.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mtio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct mounted {
	const char *vtape, *store;
	char device[4096];
	bool st;		/* the kernel's */
	int log;		/* its words, if so */
	int fd;
	unsigned tapes;		/* made so far; the last one is loaded */
};

/* ---- the command line ------------------------------------------------------------------------------------------ */

/* VTAPE -s STORE WORDS..., which end with NULL.  -1: it failed, and has said why. */
static int run(const struct mounted *m, const char *const words[])
{
	const char *argv[12] = { m->vtape, "-s", m->store };
	int status;
	pid_t pid;

	for (size_t i = 0; words[i]; i++)
		argv[3 + i] = words[i];
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(126);
		execv(m->vtape, (char *const *)argv);
		_exit(127);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status ? -1 : 0;
}
#define RUN(m, ...) run(m, (const char *const[]){ __VA_ARGS__, NULL })

static char *tape_name(const struct mounted *m, char out[16])
{
	snprintf(out, 16, "C%05u", m->tapes);
	return out;
}

/* ---- the device ------------------------------------------------------------------------------------------------ */

static struct mtget status(const struct mounted *m)
{
	struct mtget g = { .mt_gstat = 0, .mt_fileno = -1, .mt_blkno = -1 };

	if (ioctl(m->fd, MTIOCGET, &g))
		perror("MTIOCGET");
	return g;
}

/* 0 or an errno. */
static int operate(const struct mounted *m, int op, int64_t n)
{
	struct mtop o = { .mt_op = (short)op, .mt_count = (int)n };

	return ioctl(m->fd, MTIOCTOP, &o) ? errno : 0;
}

static long object(const struct mounted *m)
{
	struct mtpos pos;

	return ioctl(m->fd, MTIOCPOS, &pos) ? -1 : pos.mt_blkno;
}

/* An operation that does not move, after which st's numbers are made up. */
static int operate_here(const struct mounted *m, int op, int64_t n)
{
	long before = m->st ? object(m) : 0;
	int error = operate(m, op, n);

	if (error || !m->st)
		return error;
	if (before < 0 || object(m) != before)
		return EINVAL;
	return operate(m, MTSEEK, before);
}

/* What the log says from now on is about what comes now. */
static void listen_to_log(const struct mounted *m)
{
	if (m->st)
		lseek(m->log, 0, SEEK_END);
}

static bool log_says(const struct mounted *m, const char *words)
{
	char line[2048];
	bool said = false;
	ssize_t n;

	/* A line at a time; those that were overwritten are EPIPE. */
	while ((n = read(m->log, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = 0;
		said = said || strstr(line, words);
	}
	return said;
}

static enum condition refused(const struct mounted *m, int error)
{
	if (m->st && error == EIO)
		return log_says(m, "Sense Key : Data Protect") ? COND_PROT : COND_FAILED;
	return error == EACCES || error == EPERM ? COND_PROT : error == ENOSPC ? COND_FULL : COND_FAILED;
}

/* ---- tapes ----------------------------------------------------------------------------------------------------- */

static int load(struct mounted *m)
{
	char name[16];

	if (RUN(m, "drive", "load", "0", tape_name(m, name)))
		return -1;
	m->fd = open(m->device, O_RDWR);
	if (m->fd < 0) {
		perror(m->device);
		return -1;
	}
	if (!m->st)
		return 0;
	return operate(m, MTSETDRVBUFFER, MT_ST_CLEARBOOLEANS | MT_ST_ASYNC_WRITES) ? -1 : 0;
}

static int unload(struct mounted *m)
{
	int r;

	if (m->fd < 0)
		return 0;
	r = m->st ? operate(m, MTREW, 1) : 0;
	/* Also one that fails closes. */
	r = close(m->fd) || r;
	m->fd = -1;
	return RUN(m, "drive", "unload", "0") || r ? -1 : 0;
}

/* All at once: in a slow machine a call of VTAPE is what takes the time. */
static int make_tapes(const struct mounted *m)
{
	char names[48];

	snprintf(names, sizeof(names), "C00001+%zu", conform_rows);
	return RUN(m, "volume", "create", names);
}

static int mounted_blank(void *ctx, uint64_t capacity, bool worm)
{
	struct mounted *m = ctx;
	char name[16], size[48];
	int r = m->tapes ? unload(m) : make_tapes(m);

	m->tapes++;
	tape_name(m, name);
	snprintf(size, sizeof(size), "capacity=%llu", (unsigned long long)capacity);
	if (capacity || worm)
		r = r ? r : RUN(m, "volume", "set", name, worm ? "worm=on" : "worm=off", capacity ? size : NULL);
	return r ? r : load(m);
}

/* As a program does it with st: out and in without anybody else. */
static enum condition mounted_reload(void *ctx)
{
	struct mounted *m = ctx;

	if (m->st)
		return operate(m, MTOFFL, 1) || operate(m, MTLOAD, 1) ? COND_FAILED : COND_OK;
	return unload(m) || load(m) ? COND_FAILED : COND_OK;
}

static enum condition mounted_protect(void *ctx)
{
	char name[16];

	return RUN(ctx, "volume", "set", tape_name(ctx, name), "protect=on") ? COND_FAILED : COND_OK;
}

static enum condition mounted_lock(void *ctx)
{
	char name[16];

	return RUN(ctx, "volume", "lock", tape_name(ctx, name), "--for=1h") ? COND_FAILED : COND_OK;
}

/* ---- what the words do ----------------------------------------------------------------------------------------- */

static enum condition mounted_write(void *ctx, const void *p, size_t n)
{
	struct mounted *m = ctx;
	enum condition c;
	ssize_t done;

	if (GMT_EOT(status(m).mt_gstat) && (write(m->fd, p, n) >= 0 || errno != ENOSPC))
		return COND_FAILED;
	listen_to_log(m);
	done = write(m->fd, p, n);
	if (done < 0) {
		c = refused(m, errno);
		if (m->st && c == COND_PROT && operate(m, MTFSR, 0))
			return COND_FAILED;
		return c;
	}
	if ((size_t)done != n)
		return COND_FAILED;
	return GMT_EOT(status(m).mt_gstat) ? COND_EARLY : COND_OK;
}

/* st keeps early warning at a mark to itself; it is known by the status before. */
static enum condition mounted_marks(void *ctx, unsigned n)
{
	bool early = GMT_EOT(status(ctx).mt_gstat);
	int error;

	listen_to_log(ctx);
	error = n ? operate(ctx, MTWEOF, n) : operate_here(ctx, MTWEOF, 0);
	if (error)
		return refused(ctx, error);
	return early && n ? COND_EARLY : COND_OK;
}

static enum condition mounted_erase(void *ctx)
{
	int error;

	listen_to_log(ctx);
	error = operate_here(ctx, MTERASE, 0);
	return error ? refused(ctx, error) : COND_OK;
}

/* Something was EIO: because of the end of data? */
static bool at_end_of_data(const struct mounted *m)
{
	if (GMT_EOD(status(m).mt_gstat))
		return true;
	return m->st && operate(m, MTFSR, 1) == EIO && GMT_EOD(status(m).mt_gstat);
}

static enum condition mounted_read(void *ctx, void *buf, size_t cap, size_t *len)
{
	struct mounted *m = ctx;
	struct mtget before = status(m), after;
	ssize_t n = read(m->fd, buf, cap);

	if (n < 0)
		return errno == ENOMEM ? COND_LONG : errno == EIO && at_end_of_data(m) ? COND_EOD : COND_FAILED;
	*len = (size_t)n;
	if (n > 0)
		return COND_OK;
	after = status(m);
	if (GMT_EOD(after.mt_gstat))
		return COND_EOD;
	/* Behind MTSEEK, st has no number to count up. */
	if (before.mt_fileno < 0)
		return GMT_EOF(after.mt_gstat) ? COND_MARK : COND_FAILED;
	return after.mt_fileno == before.mt_fileno + 1 ? COND_MARK : COND_FAILED;
}

/* Where it stands tells what it stopped at. */
static enum condition stopped(const struct mounted *m, bool forwards)
{
	long bits = status(m).mt_gstat;

	if (!forwards)
		return GMT_BOT(bits) ? COND_BOP : COND_MARK;
	if (!GMT_EOD(bits) && GMT_EOF(bits))
		return COND_MARK;
	return at_end_of_data(m) ? COND_EOD : COND_FAILED;
}

static enum condition mounted_move(void *ctx, enum conform_move what, int64_t n)
{
	static const struct { int forwards, backwards; } ops[] = {
		[MOVE_RECORDS] = { MTFSR, MTBSR }, [MOVE_MARKS] = { MTFSF, MTBSF }, [MOVE_REWIND] = { MTREW, MTREW },
		[MOVE_EOD] = { MTEOM, MTEOM }, [MOVE_LOCATE] = { MTSEEK, MTSEEK },
	};
	int error = operate(ctx, n < 0 ? ops[what].backwards : ops[what].forwards, n < 0 ? -n : n);

	if (error)
		return error == EIO ? stopped(ctx, n >= 0) : COND_FAILED;
	return COND_OK;
}

static int mounted_tell(void *ctx, struct conform_pos *out)
{
	struct mtget g = status(ctx);

	*out = (struct conform_pos){ g.mt_fileno, g.mt_blkno };
	return 0;
}

/* ---- which door ------------------------------------------------------------------------------------------------ */

static const struct conform_door mounted = {
	.name = "mount", .record_max = (1u << 20) - 4096,
	.blank = mounted_blank, .write = mounted_write, .marks = mounted_marks, .read = mounted_read,
	.move = mounted_move, .erase = mounted_erase, .reload = mounted_reload,
	.protect = mounted_protect, .lock = mounted_lock, .tell = mounted_tell,
};

static int choose(struct mounted *m, const char *path, struct conform_door *door)
{
	struct stat st;

	*door = mounted;
	m->st = !stat(path, &st) && S_ISCHR(st.st_mode);
	snprintf(m->device, sizeof(m->device), m->st ? "%s" : "%s/drives/nst0", path);
	if (!m->st)
		return 0;
	door->name = "st";
	door->record_max = 1u << 20;
	m->log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (m->log < 0)
		perror("/dev/kmsg");
	return m->log < 0;
}

int main(int argc, char **argv)
{
	struct mounted m = { .fd = -1 };
	struct conform_door door;
	unsigned failed;

	if (argc < 4) {
		fprintf(stderr, "usage: conform_mount VTAPE STORE MOUNT|DEVICE [ROW]\n");
		return 2;
	}
	m.vtape = argv[1];
	m.store = argv[2];
	if (choose(&m, argv[3], &door))
		return 2;
	failed = conform_run(&door, &m, argc > 4 ? argv[4] : NULL);
	return unload(&m) ? 2 : failed != 0;
}
