/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tapeseq: writes a tape whose every object follows from a seed, and checks one.  The kill tests stand on it: what a
 * tape holds after a crash must be a prefix of the sequence, and at least as long as the last durable point that
 * was logged.
 *
 *   tapeseq write TAPE SEED LOG [OBJECTS]   writes until killed, failed or OBJECTS; after each filemark that returned
 *                                           success the number of objects so far is appended to LOG
 *   tapeseq check TAPE SEED ATLEAST         reads it all; prints how many objects there are
 *
 * A close leaves a filemark of its own: after the last object of the prefix one more mark is allowed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mtio.h>
#include <unistd.h>

#include "tapeseq.h"

static int fail(const char *what, uint64_t i)
{
	fprintf(stderr, "tapeseq: %s at object %llu: %s\n", what, (unsigned long long)i, strerror(errno));
	return 1;
}

static int write_tape(const char *tape, uint64_t seed, const char *log_path, uint64_t objects)
{
	static uint8_t buf[RECORD_MAX];
	struct mtop weof = { .mt_op = MTWEOF, .mt_count = 1 };
	int fd = open(tape, O_RDWR | O_CREAT, 0644), log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	size_t n;

	if (fd < 0 || log < 0)
		return fail("open", 0);
	for (uint64_t i = 0; i < objects; i++) {
		n = object_len(seed, i);
		if (n) {
			object_fill(seed, i, buf, n);
			if (write(fd, buf, n) != (ssize_t)n)
				return fail("write", i);
			continue;
		}
		if (ioctl(fd, MTIOCTOP, &weof) < 0)
			return fail("filemark", i);
		if (dprintf(log, "%llu\n", (unsigned long long)(i + 1)) < 0)
			return fail("log", i);
	}
	return close(fd) < 0 ? fail("close", objects) : 0;
}

static int check_tape(const char *tape, uint64_t seed, uint64_t at_least)
{
	static uint8_t got[RECORD_MAX + 1], want[RECORD_MAX];
	int fd = open(tape, O_RDONLY);
	uint64_t i;
	size_t want_len;
	ssize_t n;
	bool marked = true, was_marked;

	if (fd < 0)
		return fail("open", 0);
	for (i = 0;; i++) {
		n = read(fd, got, sizeof(got));
		if (n < 0)
			return fail("read", i);
		was_marked = marked;
		marked = n == 0;
		if (marked && was_marked)
			break;			/* end of data: nothing follows a mark */
		want_len = object_len(seed, i);
		if (marked && want_len) {
			if (read(fd, got, sizeof(got)) != 0)
				return fprintf(stderr, "tapeseq: a filemark at object %llu that was not written\n",
					       (unsigned long long)i), 1;
			break;			/* the mark that close left, at the end */
		}
		if ((size_t)n != want_len)
			return fprintf(stderr, "tapeseq: object %llu has %zd bytes, %zu were written\n",
				       (unsigned long long)i, n, want_len), 1;
		object_fill(seed, i, want, want_len);
		if (memcmp(got, want, want_len) != 0)
			return fprintf(stderr, "tapeseq: object %llu has other bytes than were written\n",
				       (unsigned long long)i), 1;
	}
	if (i < at_least)
		return fprintf(stderr, "tapeseq: %llu objects are left, %llu were durable\n", (unsigned long long)i,
			       (unsigned long long)at_least), 1;
	printf("%llu\n", (unsigned long long)i);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && !strcmp(argv[1], "write"))
		return write_tape(argv[2], strtoull(argv[3], NULL, 10), argv[4],
				  argc > 5 ? strtoull(argv[5], NULL, 10) : UINT64_MAX);
	if (argc == 5 && !strcmp(argv[1], "check"))
		return check_tape(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	fprintf(stderr, "usage: tapeseq write TAPE SEED LOG [OBJECTS] | check TAPE SEED ATLEAST\n");
	return 2;
}
