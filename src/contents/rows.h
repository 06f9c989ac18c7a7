/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of contents/ share: the rows of KV_CONTENTS, and what is true of them.
 *
 *   key                                  value
 *   'F' volume partition file            a tape file
 *   'O' volume stretch last              the same, as it is remembered for other generations
 *   'V' volume                           struct volume_row
 *   'C' content                          struct list_row
 *   'B' content block                    64 members, in the order of the archive
 *   'T' content dir block                empty: this block has children of that folder
 *   'N' name NUL content dir number      a member of that name: "d" of a folder, else empty
 *   'X' content number                   a folder whose attributes were told again later; number 0: the root's
 *   'G' content                          empty: a list to be deleted, or one that was not ended
 *   'S' letter                           counters
 *
 * Volume, stretch, last and file are 8 bytes, partition, content, number, dir and block 4, all big-endian.
 *
 * Every list (C, B, T, N, X) is named by exactly one row O, or has a row G.  Nothing is ever synced, so a power cut
 * takes back the last batches: each leaves it that way.
 */
#ifndef CONTENTS_ROWS_H
#define CONTENTS_ROWS_H

#include <vtape/contents.h>

struct keeper;

struct contents {
	struct kv *kv;		/* borrowed, as the next two */
	struct catalog *cat;
	struct library *lib;
	pthread_mutex_t lock;	/* numbers; reading, editing and writing back a row */
	uint64_t next_content, content_limit;
	struct contents_list *building;	/* lists that are not ended, so that none of them is swept */
	struct keeper *keeper;	/* contents_keep.c's; NULL: not started */
};

/* ---- contents_row.c ---- */

/* How far the rows F of a volume were made to agree with the tape. */
struct volume_row {
	uint64_t generation;
	uint64_t objects, stretch;	/* of the tape, that they tell of: as volume_peek() has them */
	uint64_t files;		/* rows F of partition 0 */
	uint64_t oldest;	/* generation, when rows O were last compared with what is kept */
	bool done;		/* none of them is WAITING */
	bool off;		/* some of them are OFF */
	uint64_t expires_ns;	/* the latest in labels; 0: none; LABEL_NEVER */
	struct contents_label vol1;
};
int volume_row_get(struct contents *c, uint64_t volume, struct volume_row *out);	/* _NONE */
int volume_row_put(struct contents *c, uint64_t volume, const struct volume_row *v);

/* As rows say it, true or not. */
int file_row_get(struct contents *c, uint64_t volume, uint32_t partition, uint64_t file, struct contents_file *out);
int file_row_each(struct contents *c, uint64_t volume, uint32_t partition, uint64_t from,
		  int (*each)(void *ctx, const struct contents_file *f), void *ctx);
/* Rows F and O of @f, in one batch. */
int file_row_put(struct contents *c, const struct contents_file *f);
/* The rows F from @from on go; their rows O stay. */
int file_row_cut(struct contents *c, uint64_t volume, uint32_t partition, uint64_t from);
int file_row_remembered(struct contents *c, uint64_t volume, uint64_t stretch, uint64_t last,
			struct contents_file *out);
/* What is remembered of @volume and @keep says no to goes, with its list. */
int file_row_forget(struct contents *c, uint64_t volume, bool (*keep)(void *ctx, const struct contents_file *f),
		    void *ctx);

struct list_row {
	uint64_t volume, stretch, last, file;
	uint32_t partition, members;
	bool told;			/* there are rows X */
	bool doubles;			/* two members have one path */
};
int list_row_get(struct contents *c, uint32_t content, struct list_row *out);	/* _NONE */

/* Everything about a volume; lists are queued. */
int contents_forget(struct contents *c, uint64_t volume);
/* Deletes about @rows rows of lists that are queued; *more: some are left. */
int contents_sweep(struct contents *c, uint64_t rows, bool *more);
/* How many lists and members there are: kept by counters. */
int contents_counts(struct contents *c, uint64_t *lists, uint64_t *members);

/* ---- contents_truth.c ---- */

/* What was found to be so for one question: each volume is looked at once, when it first comes up. */
struct truth;
int truth_new(struct contents *c, struct truth **out);
struct truth *truth_free(struct truth *t);
/* The tape file that has this list now; borrowed until the next call.  CONTENTS_E_NONE: no tape has it. */
int truth_file_of(struct truth *t, uint32_t content, const struct contents_file **out);

/* ---- contents_label.c, contents_magic.c ---- */

/* One label, of 80 bytes (the record may be longer), into what it adds to @out.  CONTENTS_E_NONE: it is none.
 * "VOL1", "HDR2", "EOF1", ... into @name. */
int label_parse(const void *record, size_t n, char name[5], struct contents_label *out);
/* The 80 bytes of VOL1, HDR1, HDR2 ("EOF1", ... for those at the end). -EINVAL with words: a name that does not fit. */
int label_format(const char *name, const struct contents_label *l, uint64_t blocks, uint8_t out[80]);
/* What a tape file that is no archive begins with, in words ("Bacula volume", "gzip", "Amanda label"); "" if
 * unknown. */
const char *magic_words(const void *p, size_t n);

#endif
