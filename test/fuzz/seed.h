/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs that make a corpus share: seed_NAME FOLDER writes one file for each input. */
#ifndef FUZZ_SEED_H
#define FUZZ_SEED_H

#include <stdio.h>
#include <unistd.h>

#include <vtape/util.h>

static inline void must(int r)
{
	if (r == 0)
		return;
	fprintf(stderr, "%s\n", err_text(r));
	exit(1);
}

/* The folder is there. */
static inline void seed_into(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1])) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		exit(2);
	}
}

static inline void seed_bytes(const char *name, const void *p, size_t n)
{
	must(io_replace(name, p, n, 0644));
}

/* Behind a byte that says what it is. */
static inline void seed_row(const char *name, uint8_t letter, const void *p, size_t n)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;

	must(buf_put_u8(&b, letter));
	must(buf_append(&b, p, n));
	seed_bytes(name, b.data, b.len);
}

#endif
