/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of contents/ that look at tapes share: contents_truth.c, _source.c, _look.c, _keep.c. */
#ifndef CONTENTS_KEEP_H
#define CONTENTS_KEEP_H

#include "contents/rows.h"

/* ---- contents_truth.c ---- */

/* A damaged row counts as none: it can be had again. */
int truth_volume_row(struct contents *c, uint64_t volume, struct volume_row *out);
int truth_file_row(struct contents *c, uint64_t volume, uint32_t partition, uint64_t file, struct contents_file *out);
int truth_remembered(struct contents *c, const struct contents_file *at, struct contents_file *out);
/* Do the rows tell of exactly what is on the tape? */
bool truth_agrees(const struct volume_row *v, const struct volume_stat *st);

/* While it is looked at (library_look()).  Tape file @file as it lies there: .how WAITING, no writer.
 * CONTENTS_E_NONE: there is none; -EBADMSG: its place is in a damaged part of the map, try *next. */
int tape_file_at(struct volume *v, uint64_t volume, uint32_t partition, uint64_t file, struct contents_file *out,
		 uint64_t *next);
/* Of the rows F of a partition, how many from the first on are still true. */
int tape_rows_hold(struct contents *c, struct volume *v, uint64_t volume, uint32_t partition, uint64_t *count);
/* Is what @f tells of on the tape, up to its last object? */
bool tape_has(struct volume *v, const struct contents_file *f);

/* Is the pool's property contents on? */
bool contents_wanted(struct contents *c, const struct catalog_volume *row);

/* ---- contents_source.c ---- */

/* For who reads an archive's headers, in a row and beside others: what is damaged reads as letters; the tape stays
 * looked at between two reads until contents_source_let_go(), which is due soon. */
void contents_source_lists(struct contents_source *s);
void contents_source_let_go(struct contents_source *s);
/* @stop is asked before every read, which is -EINTR if it says so; NULL: nobody is. */
void contents_source_stop(struct contents_source *s, bool (*stop)(void *ctx), void *ctx);
/* Record @n of the tape file, its first bytes up to @cap.  CONTENTS_E_NONE: there is none. */
int contents_source_record(struct contents_source *s, uint64_t n, void *buf, size_t cap, size_t *len);

/* ---- contents_agree.c, contents_look.c: what the keeper does with one volume ---- */

/* Who looks.  @pace is called every few milliseconds of work, with nothing held: non-zero ends the looking. */
struct look {
	struct contents *c;
	int (*pace)(void *ctx);
	void *ctx;
	uint64_t since_ns;		/* monotonic, when it was paced last */
};
int look_pace(struct look *l, struct contents_source *s);	/* @s, which may be NULL, lets go of the tape first */

/* What is known of a volume between two steps. */
struct look_volume {
	uint64_t id;
	bool wrote;			/* somebody has written since the rows were made to agree */
	bool seen;			/* the rows agreed once since the start, or it was made since */
	bool writing;			/* somebody still does */
	bool behind;			/* something on it is not committed yet: to be looked at again */
	bool known;			/* what follows is */
	bool off;			/* some rows are OFF */
	uint64_t next[TAPE_PARTITIONS_MAX];	/* no row before it is WAITING */
	uint64_t files, bytes;		/* WAITING */
	uint64_t expires_ns;		/* row V's, with the next */
	struct contents_label vol1;
};
/* What can be had again takes nothing of what commits need on a disk that is nearly full: -ENOSPC, with words.
 * @begins: there is a little more, so that what is begun can be ended. */
int look_room(struct contents *c, bool begins);
/* The rows F agree with what is committed on the tape, as far as files are closed; then row V says so. */
int look_agree(struct look *l, const struct catalog_volume *row, struct look_volume *v);
/* One step: the rows agree, and then one tape file is looked at. */
enum { LOOK_DONE, LOOK_MORE };
int look_step(struct look *l, struct look_volume *v);
/* The oldest generation that is kept; 0: nobody can tell. */
uint64_t look_oldest(struct contents *c, uint64_t volume);
/* What is remembered of generations that are gone is forgotten. */
int look_dropped(struct contents *c, uint64_t volume);

/* ---- contents_keep.c ---- */

/* The first volume from number @from on that rows V, F or O tell of; CONTENTS_E_NONE. */
int keeper_next_in_rows(struct contents *c, uint64_t from, uint64_t *volume);
/* @look while nobody else changes rows of @volume. */
int keeper_hold(struct contents *c, uint64_t volume, int (*look)(void *ctx), void *ctx);
/* As if nothing were known of it: by the thread, soon; without one now, and it is looked at after the next start. */
int keeper_forget(struct contents *c, uint64_t volume);

#endif
