/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * st: the part of the kernel's st driver, in front of a struct drive.  What st(4) promises to a program that reads,
 * writes and gives MTIOC* to /dev/nst0 is kept here: block modes, what a read says at a filemark and at the end of
 * data, what a write says at the end of the tape, the mark that close leaves, the status bits.  No FUSE and no
 * library in it.
 *
 * Differences from the kernel's driver, all our choice:  - the file and block numbers of MTIOCGET are always known,
 * also where st says -1 (after MTBSF, MTSEEK, MTEOM), so
 *    GMT_EOF and GMT_BOT are right there too;
 *  - the mark left by close is written by st_flush(), which may come early (a descriptor that was dup'ed); it is
 * taken
 *    back when the same open file goes on.
 */
#ifndef FS_ST_H
#define FS_ST_H

#include <linux/mtio.h>
#include <vtape/tape.h>

/* What passes through FUSE in one piece whatever the alignment of the program's buffer (256 pages a request). */
#define ST_RECORD_MAX ((1u << 20) - 4096u)
/* LTO-8: the newest that mt-st 1.7 has a name for. */
#define ST_DENSITY 0x5e

struct st;

/* Who can take the tape out and put it in.  All NULL: a tape of its own, which is out of reach after MTOFFL until
 * MTLOAD. */
struct st_host {
	void *ctx;
	int (*eject)(void *ctx);
	int (*load)(void *ctx);
	void (*lock)(void *ctx, bool locked);
};

enum st_flags {
	ST_OPEN_WRITE = 1,	/* without it writing, marks and erasing give EACCES */
	ST_OPEN_REWIND = 2,	/* rewinds at the last close */
	ST_OPEN_NONBLOCK = 4,	/* no tape, or a protected one, is no error yet */
	ST_OPEN_APPEND = 8,	/* begins at the end of data */
	ST_OPEN_GENTLE = 16,	/* the end of data reads as 0 bytes once, also if no mark stands before it (tapes/) */
};

/* The modes that outlast a close live in it: block size, buffering, options. */
int st_new(struct st **out);
struct st *st_free(struct st *st);	/* closed before */

/* @d borrowed until st_close(), @host copied, may be NULL.  -ENOMEDIUM, -EROFS as st(4) says. */
int st_open(struct st *st, struct drive *d, const struct st_host *host, unsigned flags);
/* The last close: what st_flush() does, if it has not, and rewinding. */
int st_close(struct st *st);
/* A close(2): after a write one filemark (two with MT_ST_TWO_FM, standing between them), and everything is on
 * disk. */
int st_flush(struct st *st);
int st_sync(struct st *st);		/* fsync(2): everything written is on disk, no mark */

/* Return: 0 with *got bytes (0 at a filemark), -errno. */
int st_read(struct st *st, void *buf, size_t n, size_t *got);
/* Return: 0 with *done bytes, less than @n only in fixed block mode at the end of the tape; -errno. */
int st_write(struct st *st, const void *buf, size_t n, size_t *done);
/* MTIOCTOP.  @root: MTSETDRVBUFFER is allowed. */
int st_op(struct st *st, int op, int count, bool root);
int st_get(struct st *st, struct mtget *out);	/* MTIOCGET */
int st_pos(struct st *st, struct mtpos *out);	/* MTIOCPOS */

#endif
