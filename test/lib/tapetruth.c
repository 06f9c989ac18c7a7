/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tapetruth: reads a tape of which the truth is known, past everything that cannot be read.
 *
 *   tapetruth TAPE IMAGE      IMAGE: the tape as a .tap file, from when it was whole
 *
 * Prints "objects lost lost-bytes": how many there are, how many of them gave an error, and the bytes of those.
 * Exit status 0: all read; 3: some gave an error; 1: something read that was never written, or something else was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mtio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_MAX (1u << 20)

static int wrong(const char *tape, uint64_t i, const char *what)
{
	fprintf(stderr, "tapetruth: %s: object %llu: %s\n", tape, (unsigned long long)i, what);
	return 1;
}

/* After an error: stand before object @next, wherever the error left the head. */
static int go_on(int fd, uint64_t next)
{
	struct mtop seek = { .mt_op = MTSEEK, .mt_count = (int)next };
	struct mtpos pos;

	if (!ioctl(fd, MTIOCPOS, &pos) && (uint64_t)pos.mt_blkno == next)
		return 0;
	return ioctl(fd, MTIOCTOP, &seek);
}

static int compare(const char *tape, int fd, const uint8_t *image, size_t size)
{
	uint64_t objects = 0, lost = 0, lost_bytes = 0;
	static uint8_t got[RECORD_MAX + 1];

	for (size_t at = 0; at + 4 <= size; objects++) {
		uint32_t len;
		ssize_t n;

		memcpy(&len, image + at, 4);
		if (len == UINT32_MAX)
			break;
		n = read(fd, got, sizeof(got));
		if (n < 0 && errno != EIO)
			return wrong(tape, objects, strerror(errno));
		if (n < 0) {
			lost++;
			lost_bytes += len;
			if (go_on(fd, objects + 1))
				return wrong(tape, objects, "cannot be read past");
		} else if ((size_t)n != len) {
			return wrong(tape, objects, n ? "another length" : "a mark or the end that was never written");
		} else if (memcmp(got, image + at + 4, len)) {
			return wrong(tape, objects, "other bytes than were written");
		}
		at += len ? 8 + len + len % 2 : 4;
	}
	printf("%llu %llu %llu\n", (unsigned long long)objects, (unsigned long long)lost,
	       (unsigned long long)lost_bytes);
	return lost ? 3 : 0;
}

int main(int argc, char **argv)
{
	const uint8_t *image;
	struct stat st;
	int fd, truth;

	if (argc != 3)
		return fprintf(stderr, "usage: tapetruth TAPE IMAGE\n"), 2;
	truth = open(argv[2], O_RDONLY);
	if (truth < 0 || fstat(truth, &st))
		return wrong(argv[2], 0, strerror(errno));
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, truth, 0);
	if (image == MAP_FAILED)
		return wrong(argv[2], 0, strerror(errno));
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 && errno == EIO)
		return printf("1 1 %lld\n", (long long)st.st_size) < 0 ? 1 : 3;	/* all of it, told as one */
	if (fd < 0)
		return wrong(argv[1], 0, strerror(errno));
	return compare(argv[1], fd, image, (size_t)st.st_size);
}
