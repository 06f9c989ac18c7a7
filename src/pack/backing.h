/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pack/backing.h: what packs lie in.  Two of them: a folder of files (pack_files.c) and its twin in memory
 * (pack_mem.c).  They know names, bytes and what is durable when; they know nothing of headers and tables.
 */
#ifndef PACK_BACKING_H
#define PACK_BACKING_H

#include <vtape/pack.h>

struct pack_file {
	const struct packs_ops *ops;
};

struct packs {
	const struct packs_ops *ops;
};

struct packs_ops {
	struct packs *(*close)(struct packs *ps);
	int (*space)(struct packs *ps, uint64_t *avail, uint64_t *total);
	bool (*exists)(struct packs *ps, uint64_t number);
	int (*unlink)(struct packs *ps, uint64_t number); /* durable; 0 if it was not there */

	/* A new file that begins with these bytes; -EEXIST. If it fails, there is none. */
	int (*create)(struct packs *ps, uint64_t number, const void *head, size_t n, struct pack_file **out);
	int (*open)(struct packs *ps, uint64_t number, bool writable, struct pack_file **out); /* -ENOENT */
	struct pack_file *(*release)(struct pack_file *f);

	int (*size)(struct pack_file *f, uint64_t *out);
	int (*pread)(struct pack_file *f, void *buf, size_t n, uint64_t off); /* -EUCLEAN if the file ends first */
	/* Two spans, one behind the other. If it fails, a part may have been written. */
	int (*write)(struct pack_file *f, uint64_t off, const void *a, size_t an, const void *b, size_t bn);
	int (*truncate)(struct pack_file *f, uint64_t len);
	/* All bytes written before the call and the name of the file are safe. May run beside write. */
	int (*sync)(struct pack_file *f);
	/* A hint: begin to write these bytes out, so that the sync to come is short. */
	void (*push)(struct pack_file *f, uint64_t off, uint64_t n);
};

#endif
