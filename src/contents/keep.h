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

/* While it is looked at (library_look()).  Tape file @file as it lies there: .how WAITING, no writer.  CONTENTS_E_NONE: there
 * is none; -EBADMSG: its place is in a damaged part of the map, try *next. */
int tape_file_at(struct volume *v, uint64_t volume, uint32_t partition, uint64_t file, struct contents_file *out,
		 uint64_t *next);
/* Of the rows F of a partition, how many from the first on are still true. */
int tape_rows_hold(struct contents *c, struct volume *v, uint64_t volume, uint32_t partition, uint64_t *count);
/* Is what @f tells of on the tape, up to its last object? */
bool tape_has(struct volume *v, const struct contents_file *f);
/* What was known of one place holds for the tape file at @at, which is the same. */
void file_take_over(struct contents_file *at, const struct contents_file *known);

/* Is the pool's property contents on? */
bool contents_wanted(struct contents *c, const struct catalog_volume *row);

/* ---- contents_source.c ---- */

/* For who reads an archive's headers, in a row and beside others: what is damaged reads as letters; the tape stays looked at
 * between two reads until contents_source_let_go(), which is due soon. */
void contents_source_lists(struct contents_source *s);
void contents_source_let_go(struct contents_source *s);
/* Record @n of the tape file, its first bytes up to @cap.  CONTENTS_E_NONE: there is none. */
int contents_source_record(struct contents_source *s, uint64_t n, void *buf, size_t cap, size_t *len);

#endif
