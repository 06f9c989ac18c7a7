/* SPDX-License-Identifier: BSD-2-Clause */
/* st_state: the inside of struct st, for fs_st.c (data) and fs_st_op.c (MTIOC*). */
#ifndef FS_ST_STATE_H
#define FS_ST_STATE_H

#include "fs/st.h"

/* What the last motion or transfer came upon; the order matters ("at or behind the end of data"). */
enum st_eof {
	ST_NOEOF,
	ST_FM,		/* right behind a filemark */
	ST_EOM_OK,	/* early warning: the next write is refused once */
	ST_EOM_ERROR,	/* the drive could not tell what was written */
	ST_EOM_WARNED,	/* refused once: the next write goes to the tape */
	ST_EOD,		/* end of data, and the program knows */
};

enum st_rw { ST_IDLE, ST_READING, ST_WRITING };

/*
 * While @lock is not held: 1. marks != 0: the last objects on the tape are filemarks that st_flush() wrote for a
 * close that may not be the last. 2. rest_len != 0 only in fixed block mode: the part of the last block read that the
 * program has not asked for yet.
 */
struct st {
	pthread_mutex_t lock;		/* guards what follows; taken before the drive's own */
	struct drive *d;		/* borrowed while open */
	struct st_host host;
	unsigned flags;
	bool offline;			/* after MTOFFL of a tape of its own */

	/* Until the last close. */
	enum st_rw rw;
	unsigned marks;
	bool unsynced;			/* something was written since everything was last on disk */
	uint8_t *rest;
	size_t rest_at, rest_len;

	/* As long as the same tape stays where st_close() left it. */
	uint64_t volume;
	struct tape_pos left;
	enum st_eof eof;
	uint32_t partition;		/* for the next operation */
	uint64_t visited[TAPE_PARTITIONS_MAX];

	/* Modes: for good. */
	uint32_t block;			/* 0: variable */
	unsigned buffering;
	unsigned options;		/* MT_ST_* booleans */
};

bool st_ready(const struct st *st);
bool st_protected(const struct st *st);
/* Begins a program's operation: takes back what st_flush() wrote too early. */
int st_begin(struct st *st);
void st_drop_rest(struct st *st);
int st_switch_partition(struct st *st);
void st_new_session(struct st *st);

#endif
