/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tape_seek: how long LOCATE takes on a tape full of records that are all of different lengths, through an emulated
 * drive.
 *
 *   tape_seek fill DRIVE RECORDS          records of 1 to 2000 bytes, a filemark after about every 1000
 *   tape_seek seek DRIVE RECORDS TRIES    MTSEEK to random blocks, each followed by the read of one record;
 *                                         prints microseconds: "seek MEDIAN P99 MAX read MEDIAN P99 MAX"
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mtio.h>
#include <time.h>
#include <unistd.h>

#define RECORD_MAX 2000u

static int fail(const char *what)
{
	fprintf(stderr, "tape_seek: %s: %s\n", what, strerror(errno));
	return 1;
}

static int op(int fd, short what, int count)
{
	struct mtop m = { .mt_op = what, .mt_count = count };

	return ioctl(fd, MTIOCTOP, &m);
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int fill(int fd, long records)
{
	char buf[RECORD_MAX];
	unsigned seed = 1;

	memset(buf, 'x', sizeof(buf));
	if (op(fd, MTREW, 1))
		return fail("rewind");
	for (long i = 0; i < records; i++) {
		size_t n = 1 + (size_t)rand_r(&seed) % RECORD_MAX;

		memcpy(buf, &i, n < sizeof(i) ? n : sizeof(i));
		if (write(fd, buf, n) != (ssize_t)n)
			return fail("write");
		if (rand_r(&seed) % 1000 == 0 && op(fd, MTWEOF, 1))
			return fail("filemark");
	}
	return op(fd, MTWEOF, 1) ? fail("filemark") : 0;
}

static int by_size(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static void tell(const char *what, double *us, long n)
{
	qsort(us, (size_t)n, sizeof(*us), by_size);
	printf("%s %.0f %.0f %.0f ", what, us[n / 2], us[n * 99 / 100], us[n - 1]);
}

static int seek(int fd, long records, long tries)
{
	double *seeks = calloc((size_t)tries, sizeof(*seeks)), *reads = calloc((size_t)tries, sizeof(*reads)), from, to;
	char buf[RECORD_MAX];
	unsigned seed = 2;

	if (!seeks || !reads)
		return fail("memory");
	for (long i = 0; i < tries; i++) {
		from = now_us();
		if (op(fd, MTSEEK, (int)((long)rand_r(&seed) % records)))
			return fail("seek");
		to = now_us();
		seeks[i] = to - from;
		if (read(fd, buf, sizeof(buf)) < 0)
			return fail("read");
		reads[i] = now_us() - to;
	}
	tell("seek", seeks, tries);
	tell("read", reads, tries);
	printf("\n");
	free(seeks);
	free(reads);
	return 0;
}

int main(int argc, char **argv)
{
	int fd;

	if (argc < 4 || (strcmp(argv[1], "fill") && argc < 5)) {
		fprintf(stderr, "usage: tape_seek fill DRIVE RECORDS | seek DRIVE RECORDS TRIES\n");
		return 2;
	}
	fd = open(argv[2], strcmp(argv[1], "fill") ? O_RDONLY : O_RDWR);
	if (fd < 0)
		return fail(argv[2]);
	if (!strcmp(argv[1], "fill"))
		return fill(fd, atol(argv[3])) || (close(fd) ? fail("close") : 0);
	return seek(fd, atol(argv[3]), atol(argv[4]));
}
