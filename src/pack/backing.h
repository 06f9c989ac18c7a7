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
	_Atomic uint64_t told; /* 1 + the pack whose damage was logged last: it is opened again and again */
};

/* Numbers of packs or of their subfolders, in any order and without doubles. */
struct pack_numbers {
	uint64_t *of;
	size_t count, cap;
};
int pack_numbers_add(struct pack_numbers *n, uint64_t number);
#define PACK_FOLDER_BITS 12	/* the low bits of a number, which its subfolder does not tell */

enum pack_file_mode {
	PACK_FILE_READ, PACK_FILE_WRITE,
	PACK_FILE_DIRECT	/* to read by one thread, from the disk: the system's cache stays as it is */
};

struct packs_ops {
	struct packs *(*close)(struct packs *ps);
	int (*space)(struct packs *ps, uint64_t *avail, uint64_t *total);
	bool (*exists)(struct packs *ps, uint64_t number);
	int (*unlink)(struct packs *ps, uint64_t number); /* durable; 0 if it was not there */
	int (*folders)(struct packs *ps, struct pack_numbers *out);
	int (*list)(struct packs *ps, uint64_t folder, struct pack_numbers *out); /* the packs in it; none: 0 */

	/* A new file that begins with these bytes; -EEXIST. If it fails, there is none. */
	int (*create)(struct packs *ps, uint64_t number, const void *head, size_t n, struct pack_file **out);
	int (*open)(struct packs *ps, uint64_t number, enum pack_file_mode mode, struct pack_file **out); /* -ENOENT */
	struct pack_file *(*release)(struct pack_file *f);

	int (*size)(struct pack_file *f, uint64_t *out);
	int (*pread)(struct pack_file *f, void *buf, size_t n, uint64_t off); /* -EUCLEAN if the file ends first */
	/* Two spans, one behind the other. If it fails, a part may have been written. */
	int (*write)(struct pack_file *f, uint64_t off, const void *a, size_t an, const void *b, size_t bn);
	int (*truncate)(struct pack_file *f, uint64_t len);
	/* All bytes written before the call and the name of the file are safe. May run beside write. */
	int (*sync)(struct pack_file *f);
	/* A hint: begin to write these bytes out, so that the sync to come is short. < 0: some of them are lost. */
	int (*push)(struct pack_file *f, uint64_t off, uint64_t n);
};

#endif
