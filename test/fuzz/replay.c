/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A main for a fuzzing driver where there is no fuzzer: gives it every file of the folders named, each whole, cut at up
 * to 256 lengths and with up to 256 single bits flipped.  The same inputs every time; each in an allocation of its own
 * length, so that a read past the end is seen.  To replay too little is a failure too.
 */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include <vtape/util.h>

#include "fuzz/fuzz.h"

#define INPUT_MAX (1u << 20)
#define VARIANTS 256u

static unsigned long inputs;

static void give(const uint8_t *data, size_t n)
{
	CLEANUP(freep) uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	if (n)
		memcpy(copy, data, n);
	LLVMFuzzerTestOneInput(copy, n);
	inputs++;
}

/* Evenly spread over the length, the last bytes included: that is where trailers are. */
static void give_variants(uint8_t *data, size_t n)
{
	size_t count = n < VARIANTS ? n : VARIANTS;

	give(data, n);
	for (size_t i = 0; i < count; i++)
		give(data, n * i / count);
	for (size_t i = 0; i < count; i++) {
		size_t at = n - 1 - n * i / count;
		uint8_t bit = (uint8_t)(1u << (i * 5 + at) % 8);

		data[at] ^= bit;
		give(data, n);
		data[at] ^= bit;
	}
}

static int replay(const char *path);

static int not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int replay_folder(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, not_hidden, alphasort), r = n < 0 ? -errno : 0;
	char file[4096];

	for (int i = 0; i < n; i++) {
		if (!r)
			r = io_path(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (!r)
			r = replay(file);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return r;
}

static int replay(const char *path)
{
	struct buf b = BUF_INIT;
	struct stat st;
	int r;

	if (stat(path, &st) != 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return replay_folder(path);
	r = io_read_file(path, INPUT_MAX, &b);
	if (!r)
		give_variants(b.data, b.len);
	buf_fini(&b);
	return r;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int r = replay(argv[i]);

		if (r) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
			return 1;
		}
	}
	printf("%lu inputs\n", inputs);
	return inputs ? 0 : 1;
}
