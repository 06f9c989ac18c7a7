/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tapecrowd: programs that write tapes, write over them, append, erase, bring back and delete, each with tapes of its
 * own, while space is given back; they keep a ledger of what they began and of what they were told is safe.  And a
 * check, after a crash, that every tape holds what its ledger says.  The crash tests stand on it.
 *
 *   tapecrowd work MNT LEDGERS SEED SECONDS [WORKERS]   the last worker uses a drive; stops by itself, or with the daemon
 *   tapecrowd check MNT LEDGERS                         prints "N tapes, N records, N lost"
 *
 * $VTAPE is the program vtape, $VTAPE_STORE the store.  A ledger must outlive the crash that is tested: each line is one
 * write(2).  A tape that is written has the objects 0, 1, 2... of a sequence (tapeseq.h):
 *
 *   pool P              which pool it is in
 *   write S FROM TO     sequence S is being written, from object FROM; FROM 0: over whatever there was
 *   safe N              the first N objects are on disk: fsync, a filemark or close(2) said so
 *   end N               closed, nothing is left to be written
 *   restore S N         the generation before is being brought back, which holds so many objects of sequence S
 *   erase, delete, create     asked for; and these, and a restore, were done: erased, deleted, created, restored
 *   found none | found S N    what a check found
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/mtio.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tapeseq.h"

#define TAPES_OF_ONE 3u		/* tapes of each worker */
#define NAME_LEN 64
#define SEED_NONE 0		/* of a blank tape; real ones begin at 1 */
#define POOL_KEEPS_NOTHING "brief"

extern char **environ;
static const char *mnt, *ledgers;

/* ---- what a tape may hold --------------------------------------------------------------------------------------- */

/* The first n objects of a sequence, at_least <= n <= at_most; or that there is no such tape. */
struct state { bool none; uint64_t seed, at_least, at_most; };

/* Until what was begun is safe, the tape may be as it was before. */
struct tape {
	char name[NAME_LEN], pool[NAME_LEN];
	struct state now, before;
	bool two;			/* @before counts */
	struct state older, replaced;	/* what the generation before holds, and will once @now is safe; @none: nothing */
	int ledger;
};

static const struct state no_tape = { .none = true }, blank = { .seed = SEED_NONE };

static void begin(struct tape *t, struct state s)
{
	if (!t->two)
		t->before = t->now;
	t->two = true;
	t->now = s;
	/* A blank tape leaves no generation behind, and a pool may keep none. */
	t->replaced = t->older;
	if (t->before.at_least && strcmp(t->pool, POOL_KEEPS_NOTHING) != 0)
		t->replaced = t->before;
}

static void done(struct tape *t)
{
	if (t->two)
		t->older = t->now.none ? no_tape : t->replaced;
	t->two = false;
}

static void found(struct tape *t, struct state s)
{
	if (t->two && (s.none ? t->now.none : s.seed == t->now.seed))
		done(t);
	t->two = false;
	t->now = s;
}

/* One line of the ledger, as it happened. */
static bool follow(struct tape *t, const char *line)
{
	uint64_t seed, from, to, n;

	if (sscanf(line, "pool %63s", t->pool) == 1)
		t->now = t->older = no_tape;
	else if (sscanf(line, "write %" SCNu64 " %" SCNu64 " %" SCNu64, &seed, &from, &to) == 3 && from == 0)
		begin(t, (struct state){ .seed = seed, .at_most = to });
	else if (sscanf(line, "write %" SCNu64 " %" SCNu64 " %" SCNu64, &seed, &from, &to) == 3)
		t->now.at_most = to;
	else if (sscanf(line, "safe %" SCNu64, &n) == 1)
		t->now.at_least = n, done(t);
	else if (sscanf(line, "end %" SCNu64, &n) == 1)
		t->now.at_least = t->now.at_most = n, done(t);
	else if (sscanf(line, "found %" SCNu64 " %" SCNu64, &seed, &n) == 2)
		found(t, (struct state){ .seed = seed, .at_least = n, .at_most = n });
	else if (!strcmp(line, "found none"))
		found(t, no_tape);
	else if (sscanf(line, "restore %" SCNu64 " %" SCNu64, &seed, &n) == 2)
		begin(t, (struct state){ .seed = seed, .at_least = n, .at_most = n });
	else if (!strcmp(line, "erase") || !strcmp(line, "create"))
		begin(t, blank);
	else if (!strcmp(line, "delete"))
		begin(t, no_tape);
	else if (!strcmp(line, "erased") || !strcmp(line, "created") || !strcmp(line, "deleted") ||
		 !strcmp(line, "restored"))
		done(t);
	else
		return false;
	return true;
}

static void say(struct tape *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct tape *t, const char *fmt, ...)
{
	char line[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	follow(t, line);
	line[n++] = '\n';
	if (write(t->ledger, line, n) != n) {
		perror("tapecrowd: the ledger");
		exit(1);
	}
}

/* Opens the ledger of @name, or begins one in @pool, and learns from it. */
static bool open_tape(struct tape *t, const char *name, const char *pool)
{
	char path[512], line[128];
	FILE *f;

	*t = (struct tape){ .now = no_tape };
	snprintf(t->name, sizeof(t->name), "%s", name);
	snprintf(path, sizeof(path), "%s/%s", ledgers, name);
	t->ledger = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	f = fopen(path, "re");
	if (t->ledger < 0 || !f) {
		perror(path);
		return false;
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!follow(t, line)) {
			fprintf(stderr, "tapecrowd: %s: no such line: %s\n", path, line);
			exit(2);
		}
	}
	fclose(f);
	if (!*t->pool)
		say(t, "pool %s", pool);
	return true;
}

static void path_of(const struct tape *t, char *path, size_t n)
{
	snprintf(path, n, "%s/tapes/%s/%s", mnt, t->pool, t->name);
}

/* ---- the workers ------------------------------------------------------------------------------------------------ */

struct worker {
	unsigned number;
	int drive;			/* its drive, -1: the tape tree */
	uint64_t chance;
	struct tape tapes[TAPES_OF_ONE];
};

static uint64_t draw(struct worker *w, uint64_t below)
{
	return chance_below(&w->chance, below);
}

/* Does the daemon live?  A dead mount fails, and once that is taken away there is another file system. */
static bool alive(void)
{
	struct statfs s;

	return !statfs(mnt, &s) && s.f_type == FUSE_SUPER_MAGIC;
}

/* Something failed: because the daemon is gone, which ends the work, or because of a fault. */
static int failed(const struct tape *t, const char *what)
{
	int error = errno;

	if (!alive())
		exit(0);
	fprintf(stderr, "tapecrowd: %s: %s: %s\n", t->name, what, strerror(error));
	return -1;
}

/* vtape ARGS...; its errors are shown, nothing else. */
static int vtape(const struct tape *t, const char *const *args)
{
	posix_spawn_file_actions_t quiet;
	char *argv[10] = { getenv("VTAPE") };
	int status;
	pid_t pid;

	for (int i = 0; args[i]; i++)
		argv[i + 1] = (char *)args[i];
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	errno = posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&quiet);
	if (errno || waitpid(pid, &status, 0) < 0)
		return failed(t, "running vtape");
	errno = 0;
	return status ? failed(t, args[0]) : 0;
}
#define VTAPE(t, ...) vtape(t, (const char *const[]){ __VA_ARGS__, NULL })

static int make(struct worker *w, struct tape *t)
{
	say(t, "create");
	if (VTAPE(t, "volume", "create", t->name, "-p", t->pool) < 0)
		return -1;
	say(t, "created");
	return 0;
}

/* Opens the tape at object @from, which is its beginning or its end. */
static int open_at(struct worker *w, const struct tape *t, uint64_t from, bool again)
{
	struct mtop where = { .mt_op = from ? MTEOM : MTREW, .mt_count = 1 };
	char path[512];
	int fd;

	if (w->drive < 0) {
		path_of(t, path, sizeof(path));
		fd = open(path, O_RDWR | O_CLOEXEC | (from ? O_APPEND : O_CREAT), 0644);
	} else {
		snprintf(path, sizeof(path), "%s/drives/nst%d", mnt, w->drive);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	/* A drive stays where it was when it is closed. */
	if (fd >= 0 && w->drive >= 0 && !again && ioctl(fd, MTIOCTOP, &where) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Objects @from to @to of sequence @seed; the last is a mark, and what leaves it is the close. */
static int write_objects(struct worker *w, struct tape *t, uint64_t seed, uint64_t from, uint64_t to)
{
	static uint8_t buf[RECORD_MAX];
	struct mtop mark = { .mt_count = 1 };
	bool written = false;		/* a record since it was opened: then a close leaves a mark */
	int fd = open_at(w, t, from, false);
	uint64_t i;
	size_t n;

	if (fd < 0)
		return failed(t, "open");
	for (i = from; i < to; i++) {
		n = object_len(seed, i);
		if (n) {
			object_fill(seed, i, buf, n);
			if (write(fd, buf, n) != (ssize_t)n)
				return failed(t, "write");
			written = true;
			if (draw(w, 16) == 0) {
				if (fsync(fd) < 0)
					return failed(t, "fsync");
				say(t, "safe %" PRIu64, i + 1);
			}
		} else if (written && (i + 1 == to || draw(w, 4) == 0)) {
			if (close(fd) < 0)
				return failed(t, "close");
			say(t, i + 1 == to ? "end %" PRIu64 : "safe %" PRIu64, i + 1);
			if (i + 1 == to)
				return 0;
			fd = open_at(w, t, i + 1, true);
			if (fd < 0)
				return failed(t, "open again");
			written = false;
		} else {
			mark.mt_op = draw(w, 4) ? MTWEOF : MTWEOFI;
			if (ioctl(fd, MTIOCTOP, &mark) < 0)
				return failed(t, "filemark");
			if (mark.mt_op == MTWEOF)
				say(t, "safe %" PRIu64, i + 1);
		}
	}
	if (close(fd) < 0)
		return failed(t, "close");
	say(t, "end %" PRIu64, i);
	return 0;
}

static int write_some(struct worker *w, struct tape *t, bool append)
{
	uint64_t from = append ? t->now.at_least : 0, to = from + 1 + draw(w, 40);
	uint64_t seed = append ? t->now.seed : 1 + draw(w, UINT32_MAX);
	char drive[8];
	int r;

	while (object_len(seed, to - 1))
		to++;
	if (w->drive >= 0 && t->now.none && make(w, t) < 0)
		return -1;
	snprintf(drive, sizeof(drive), "%d", w->drive);
	if (w->drive >= 0 && VTAPE(t, "drive", "load", drive, t->name) < 0)
		return -1;
	say(t, "write %" PRIu64 " %" PRIu64 " %" PRIu64, seed, from, to);
	r = write_objects(w, t, seed, from, to);
	if (!r && w->drive >= 0)
		r = VTAPE(t, "drive", "unload", drive);
	return r;
}

static int erase_it(struct worker *w, struct tape *t)
{
	say(t, "erase");
	if (VTAPE(t, "volume", "erase", "-y", t->name) < 0)
		return -1;
	say(t, "erased");
	return 0;
}

static int delete_it(struct worker *w, struct tape *t)
{
	char path[512];

	path_of(t, path, sizeof(path));
	say(t, "delete");
	if (draw(w, 2) ? VTAPE(t, "volume", "delete", "-y", t->name) : unlink(path))
		return failed(t, "delete");
	say(t, "deleted");
	return 0;
}

/* Of the generations of a tape, the one that was current before; 0 if there is none. */
static unsigned generation_before(const struct tape *t)
{
	unsigned long long number, bytes, ended, best = 0;
	char command[512], line[256];
	FILE *f;

	snprintf(command, sizeof(command), "%s volume history -H %s", getenv("VTAPE"), t->name);
	f = popen(command, "re");
	while (f && fgets(line, sizeof(line), f))
		/* A blank one, which a restore over an erased tape leaves, is none here: see begin(). */
		if (sscanf(line, "%llu %llu %*s %*s %*s %*s %*s %llu", &number, &bytes, &ended) == 3 && ended &&
		    bytes && number > best)
			best = number;
	if (f)
		pclose(f);
	return best;
}

static int restore_it(struct worker *w, struct tape *t)
{
	unsigned number = generation_before(t);
	char generation[16];

	errno = ENOENT;
	if (!number)
		return failed(t, "no generation before");
	snprintf(generation, sizeof(generation), "%u", number);
	say(t, "restore %" PRIu64 " %" PRIu64, t->older.seed, t->older.at_least);
	if (VTAPE(t, "volume", "restore-generation", t->name, generation) < 0)
		return -1;
	say(t, "restored");
	return 0;
}

static int work_once(struct worker *w)
{
	struct tape *t = &w->tapes[draw(w, TAPES_OF_ONE)];
	unsigned what = draw(w, 11);

	if (t->now.none || what < 6)
		return write_some(w, t, false);
	if (what < 8)
		return write_some(w, t, t->now.at_least > 0);
	if (what < 9)
		return t->older.none ? erase_it(w, t) : restore_it(w, t);
	return what < 10 ? erase_it(w, t) : delete_it(w, t);
}

static int work_until(struct worker *w, time_t end)
{
	char name[NAME_LEN];

	for (unsigned i = 0; i < TAPES_OF_ONE; i++) {
		snprintf(name, sizeof(name), "W%uT%u", w->number, i);
		/* One in three is kept by nobody once it is written over. */
		if (!open_tape(&w->tapes[i], name, i == 0 ? POOL_KEEPS_NOTHING : "default"))
			return -1;
	}
	while (alive() && time(NULL) < end)
		if (work_once(w) < 0)
			return -1;
	return 0;
}

/* Space is given back while all that goes on: what is free as it is, and what has to be copied for it. */
static int collect_until(time_t end)
{
	static const struct tape all = { .name = "all" };

	for (unsigned i = 0; alive() && time(NULL) < end; i++) {
		if (VTAPE(&all, "gc", "--live", i % 2 ? "0" : "90") < 0)
			return -1;
		usleep(300000);
	}
	return 0;
}

static int work(uint64_t seed, unsigned seconds, unsigned workers)
{
	time_t end = time(NULL) + seconds;
	int status, bad = 0;

	for (unsigned i = 0; i <= workers; i++) {
		struct worker w = {
			.number = i, .drive = i + 1 == workers ? 0 : -1, .chance = chance_mix(seed * 31 + i + 1),
		};

		switch (fork()) {
		case -1:
			perror("tapecrowd: fork");
			return 1;
		case 0:
			_exit((i < workers ? work_until(&w, end) : collect_until(end)) < 0);
		}
	}
	while (wait(&status) > 0)
		bad |= status != 0;
	return bad;
}

/* ---- the check -------------------------------------------------------------------------------------------------- */

struct totals { atomic_ullong tapes, records, lost; };

enum object { OBJECT_RECORD, OBJECT_MARK, OBJECT_END, OBJECT_ERROR };

/* What comes next; @i objects were read. */
static enum object next_object(int fd, uint64_t i, uint8_t *buf, size_t *len)
{
	ssize_t n = read(fd, buf, RECORD_MAX + 1);
	struct mtpos pos;

	if (n > 0) {
		*len = n;
		return OBJECT_RECORD;
	}
	*len = 0;
	if (n < 0 || ioctl(fd, MTIOCPOS, &pos) < 0)
		return OBJECT_ERROR;
	return (uint64_t)pos.mt_blkno > i ? OBJECT_MARK : OBJECT_END;	/* a mark was stepped over */
}

/* Reads the tape and compares; how many objects it has, or false and @why not. */
static bool compare(int fd, const struct state *s, uint64_t *objects, char *why, size_t why_len)
{
	static uint8_t got[RECORD_MAX + 1], want[RECORD_MAX];
	unsigned long long i;
	enum object o;
	size_t n;

	for (i = 0; (o = next_object(fd, i, got, &n)) != OBJECT_END; i++) {
		if (o == OBJECT_ERROR)
			return snprintf(why, why_len, "object %llu: %s", i, strerror(errno)), false;
		if (i >= s->at_most)
			return snprintf(why, why_len, "object %llu was not written", i), false;
		if (n != object_len(s->seed, i))
			return snprintf(why, why_len, "object %llu has %zu bytes, not %zu", i, n,
					object_len(s->seed, i)), false;
		object_fill(s->seed, i, want, n);
		if (memcmp(got, want, n))
			return snprintf(why, why_len, "object %llu has other bytes", i), false;
	}
	*objects = i;
	if (i < s->at_least)
		return snprintf(why, why_len, "%llu objects, not %" PRIu64, i, s->at_least), false;
	return true;
}

static bool holds(const struct tape *t, const struct state *s, uint64_t *objects, char *why, size_t why_len)
{
	char path[512];
	bool ok = false;
	int fd;

	path_of(t, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->none && fd < 0 && errno == ENOENT)
		return true;
	if (fd < 0)
		snprintf(why, why_len, "open: %s", strerror(errno));
	else if (s->none)
		snprintf(why, why_len, "it is there");
	else
		ok = compare(fd, s, objects, why, why_len);
	if (fd >= 0)
		close(fd);
	return ok;
}

static void describe(const struct state *s, const char *why)
{
	if (s->none)
		fprintf(stderr, "  it is not the tape that was deleted: %s\n", why);
	else
		fprintf(stderr, "  it is not sequence %" PRIu64 ", %" PRIu64 " to %" PRIu64 " objects: %s\n", s->seed,
			s->at_least, s->at_most, why);
}

static void check_one(const char *name, struct totals *totals)
{
	char why[128], why_before[128];
	struct state held;
	uint64_t objects = 0;
	struct tape t;

	if (!open_tape(&t, name, ""))
		exit(2);
	held = t.now;
	if (!holds(&t, &t.now, &objects, why, sizeof(why))) {
		held = t.before;
		if (!t.two || !holds(&t, &t.before, &objects, why_before, sizeof(why_before))) {
			fprintf(stderr, "tapecrowd: LOST: %s in pool %s:\n", t.name, t.pool);
			describe(&t.now, why);
			if (t.two)
				describe(&t.before, why_before);
			totals->lost++;
			return;
		}
	}
	if (held.none)
		say(&t, "found none");
	else
		say(&t, "found %" PRIu64 " %" PRIu64, held.seed, objects);
	close(t.ledger);
	totals->tapes++;
	totals->records += objects;
}

/* Two at a time: every second ledger each. */
static int check(void)
{
	struct totals *totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct dirent **names;
	int n = scandir(ledgers, &names, NULL, alphasort), status, bad = 0;

	if (n < 0 || totals == MAP_FAILED) {
		perror(ledgers);
		return 2;
	}
	for (int part = 0; part < 2; part++) {
		if (fork())
			continue;
		for (int i = part; i < n; i += 2)
			if (*names[i]->d_name != '.')
				check_one(names[i]->d_name, totals);
		_exit(0);
	}
	while (wait(&status) > 0)
		bad |= status != 0;
	printf("%llu tapes, %llu records, %llu lost\n", totals->tapes, totals->records, totals->lost);
	return bad ? 2 : totals->lost != 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4) {
		mnt = argv[2];
		ledgers = argv[3];
	}
	if (argc >= 6 && !strcmp(argv[1], "work"))
		return work(strtoull(argv[4], NULL, 10), atoi(argv[5]), argc > 6 ? atoi(argv[6]) : 4);
	if (argc == 4 && !strcmp(argv[1], "check"))
		return check();
	fprintf(stderr, "usage: tapecrowd work MNT LEDGERS SEED SECONDS [WORKERS] | check MNT LEDGERS\n");
	return 2;
}
