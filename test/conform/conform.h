/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a tape behaves, as one table, and the doors that it is driven through: the engine itself, a drive in the mount,
 * SCSI, the kernel's st.
 *
 * A row is a name and a script of words, run from left to right on a blank tape (table.c).  The words:
 *
 *   w100       write a record of 100 bytes; records are numbered from 1 in the order in which the script writes them
 *   m2         write 2 filemarks
 *   r300       read with a buffer of 300 bytes
 *   fsr3 bsr3 fsf3 bsf3   forwards or backwards over 3 records, over 3 filemarks
 *   rew eod loc7          to the beginning, to the end of data, to object 7
 *   erase      the end of data is here
 *   reload     out of the drive and in again
 *   protect    write protected from now on
 *   lock       locked for some time to come
 *   w10*5      five times the same word
 *
 * What is expected stands behind a word:
 *   (nothing)  it succeeds
 *   =mark =eod =bop =early =full =prot    that condition
 *   :2         a read gives record number 2, whole and intact
 *   :2=long    a read tells that record 2 is longer than the buffer
 *   @1,0       the position: file 1, block 0 in it.  A door that does not know a number says -1, which fits any.
 *
 * Doors differ in one thing: a program that moves back after it wrote finds a filemark that the Unix driver wrote for
 * it. So every script writes its own filemark before it moves back, but for bsr.
 */
#ifndef TEST_CONFORM_H
#define TEST_CONFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum condition { COND_OK, COND_MARK, COND_EOD, COND_BOP, COND_EARLY, COND_FULL, COND_PROT, COND_LONG, COND_FAILED };

enum conform_move { MOVE_RECORDS, MOVE_MARKS, MOVE_REWIND, MOVE_EOD, MOVE_LOCATE };

struct conform_pos { int64_t file, block; };

/* A door to a drive.  All get the door's own @ctx. */
struct conform_door {
	const char *name;
	size_t record_max;	/* the longest record that goes through; rows with longer ones are skipped */
	/* A blank tape in the drive, at its beginning.  @capacity 0: unlimited.  >0: it cannot be had through this door,
	 * skip the row.  <0: it failed, and so does the row. */
	int (*blank)(void *ctx, uint64_t capacity, bool worm);
	enum condition (*write)(void *ctx, const void *p, size_t n);
	enum condition (*marks)(void *ctx, unsigned n);
	enum condition (*read)(void *ctx, void *buf, size_t cap, size_t *len);
	enum condition (*move)(void *ctx, enum conform_move what, int64_t n);
	enum condition (*erase)(void *ctx);
	enum condition (*reload)(void *ctx);
	enum condition (*protect)(void *ctx);	/* NULL: rows that need it are skipped */
	enum condition (*lock)(void *ctx);	/* the same */
	int (*tell)(void *ctx, struct conform_pos *out);
};

struct conform_row {
	const char *name;
	const char *script;
	uint64_t capacity;
	bool worm;
};
extern const struct conform_row conform_table[];
extern const size_t conform_rows;

/* Every row, or the one named @only.  Prints each with what came of it, and how many failed and how many were skipped.
 * Returns how many failed. */
unsigned conform_run(const struct conform_door *door, void *ctx, const char *only);

#endif
