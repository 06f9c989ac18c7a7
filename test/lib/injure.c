/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * injure: does to one file of a store, that nobody has open, what disks, people and programs do to files.
 *
 *   injure STORE SEED [KIND [PART]]   prints "KIND PATH DETAILS"; the same seed does the same to the same store
 *
 * KIND: flip (a bit), scribble (random bytes), zero, cut (short), remove, swap (with another file), grow.
 * PART: a folder or file of the store; half of all injuries are done to packs/ otherwise.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chance.h"

#define FILES_MAX 4096u

static char *file[FILES_MAX];
static size_t files;
static uint64_t state;

static uint64_t below(uint64_t n)
{
	return chance_below(&state, n);
}

static int die(const char *what, const char *path)
{
	fprintf(stderr, "injure: %s %s: %s\n", what, path, strerror(errno));
	return 2;
}

/* The lock and the socket last no longer than a daemon. */
static int found(const char *path, const struct stat *st, int type, struct FTW *f)
{
	if (type != FTW_F || !S_ISREG(st->st_mode) || !strcmp(path + f->base, "lock") || files == FILES_MAX)
		return 0;
	file[files] = strdup(path);
	return file[files++] ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One of those below @part, or NULL. */
static const char *pick(const char *store, const char *part)
{
	const char *some[FILES_MAX];
	size_t n = 0, len = strlen(store);

	for (size_t i = 0; i < files; i++)
		if (!part || !strncmp(file[i] + len + 1, part, strlen(part)))
			some[n++] = file[i];
	return n ? some[below(n)] : NULL;
}

static int overwrite(const char *path, const char *kind, uint64_t size)
{
	uint64_t at = below(size), n = !strcmp(kind, "flip") ? 1 : 1 + below(below(2) ? 64 : 65536);
	static uint8_t bytes[65537];
	int fd = open(path, O_RDWR);

	n = n > size - at ? size - at : n;
	if (fd < 0 || pread(fd, bytes, n, (off_t)at) != (ssize_t)n)
		return die("read", path);
	if (!strcmp(kind, "flip"))
		bytes[0] ^= (uint8_t)(1u << below(8));
	for (uint64_t i = 0; strcmp(kind, "flip") && i < n; i++)
		bytes[i] = !strcmp(kind, "zero") ? 0 : (uint8_t)chance_next(&state);
	if (pwrite(fd, bytes, n, (off_t)at) != (ssize_t)n || close(fd))
		return die("write", path);
	printf("%s %s %llu bytes at %llu\n", kind, path, (unsigned long long)n, (unsigned long long)at);
	return 0;
}

static int swap(const char *store, const char *path)
{
	const char *other = pick(store, NULL);
	char between[4200];

	snprintf(between, sizeof(between), "%s.between", path);
	if (!strcmp(other, path) && files > 1)
		other = file[0] == path ? file[1] : file[0];
	if (rename(path, between) || rename(other, path) || rename(between, other))
		return die("swap", path);
	printf("swap %s with %s\n", path, other);
	return 0;
}

static int injure(const char *store, const char *kind, const char *path)
{
	struct stat st;
	uint64_t n;

	if (stat(path, &st))
		return die("stat", path);
	if (!strcmp(kind, "remove")) {
		printf("remove %s %lld bytes\n", path, (long long)st.st_size);
		return unlink(path) ? die("remove", path) : 0;
	}
	if (!strcmp(kind, "swap"))
		return swap(store, path);
	if (!strcmp(kind, "grow") || !st.st_size) {
		n = 1 + below(100000);
		printf("grow %s by %llu\n", path, (unsigned long long)n);
		return truncate(path, st.st_size + (off_t)n) ? die("grow", path) : 0;
	}
	if (!strcmp(kind, "cut")) {
		n = below((uint64_t)st.st_size);
		printf("cut %s from %lld to %llu\n", path, (long long)st.st_size, (unsigned long long)n);
		return truncate(path, (off_t)n) ? die("cut", path) : 0;
	}
	return overwrite(path, kind, (uint64_t)st.st_size);
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "flip", "flip", "scribble", "zero", "cut", "remove", "swap", "grow" };
	const char *kind, *path;

	if (argc < 3)
		return fprintf(stderr, "usage: injure STORE SEED [KIND [PART]]\n"), 2;
	state = strtoull(argv[2], NULL, 10) * 1000003;
	if (nftw(argv[1], found, 32, FTW_PHYS) || !files)
		return die("walk", argv[1]);
	qsort(file, files, sizeof(file[0]), by_name);
	kind = argc > 3 ? argv[3] : kinds[below(sizeof(kinds) / sizeof(kinds[0]))];
	path = pick(argv[1], argc > 4 ? argv[4] : below(2) ? "packs/" : NULL);
	if (!path)
		return fprintf(stderr, "injure: there is no such file\n"), 2;
	return injure(argv[1], kind, path);
}
