/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and rows of KV_CONTENTS as bytes; the table of them is at the head of contents_format.c. */
#ifndef CONTENTS_FORMAT_H
#define CONTENTS_FORMAT_H

#include "contents/rows.h"

#define CONTENTS_BLOCK 64u		/* members of a row B */
#define CONTENTS_KEY_NAME 1000u		/* bytes of a name in a key; of a longer one only the first are whole, */
#define CONTENTS_KEY_WHOLE 984u		/* these, and a sum stands for the rest */

/* ---- keys ---- */

struct ckey {
	uint8_t b[1 + CONTENTS_KEY_NAME + 1 + 12];
	size_t len;
};
struct ckey ckey_files(uint64_t volume, uint32_t partition);		/* prefix of the next */
struct ckey ckey_file(uint64_t volume, uint32_t partition, uint64_t file);
struct ckey ckey_remembered(uint64_t volume, uint64_t stretch, uint64_t last);
struct ckey ckey_of_volume(char letter, uint64_t volume);	/* 'F', 'O': prefix; 'V': the row */
struct ckey ckey_of_list(char letter, uint32_t content);	/* 'B', 'T', 'X': prefix; 'C', 'G': the row */
struct ckey ckey_block(uint32_t content, uint32_t block);
struct ckey ckey_told(uint32_t content, uint32_t number);
struct ckey ckey_dirs(uint32_t content, uint32_t dir);			/* prefix of the next */
struct ckey ckey_dir(uint32_t content, uint32_t dir, uint32_t block);
struct ckey ckey_names(const char *beginning);				/* prefix: names that begin so */
struct ckey ckey_name(const char *name);				/* prefix: one name, NUL included */
struct ckey ckey_name_in(const char *name, uint32_t content, uint32_t dir);	/* prefix: in one folder */
struct ckey ckey_named(const char *name, uint32_t content, uint32_t dir, uint32_t number);
struct ckey ckey_counter(char which);

/* A key N taken apart; *name points into it and has @name_len bytes.  False: it is none. */
struct posting {
	const uint8_t *name;
	size_t name_len;
	uint32_t content, dir, number;
};
bool posting_of(const uint8_t *key, size_t len, struct posting *out);

/* ---- reaching them: contents.c ---- */

int contents_row_get(struct contents *c, const struct ckey *key, struct buf *out);	/* _NONE */
int contents_row_put(struct kv_batch *b, const struct ckey *key, const struct buf *row);	/* NULL: empty */
int contents_row_delete(struct kv_batch *b, const struct ckey *key);
int contents_write(struct contents *c, struct kv_batch *b);	/* and empties it */
int contents_counter_put(struct kv_batch *b, char which, uint64_t n);
/* There are so many lists and members more.  With the lock held, until @b is written. */
int contents_count(struct contents *c, struct kv_batch *b, int64_t lists, int64_t members);
int contents_new_number(struct contents *c, uint32_t *out);

/* Rows F and O of @f, into @b.  With the lock held, until @b is written and *tally was counted. */
struct list_tally { int64_t lists, members; };
int file_row_stage(struct contents *c, struct kv_batch *b, const struct contents_file *f, struct list_tally *tally);

/* Is it not ended yet?  With the lock held. */
bool contents_list_is_building(struct contents *c, uint32_t content);

/* contents_member() of a list whose row is known. */
int contents_member_of(struct contents *c, uint32_t content, const struct list_row *row, uint32_t number,
		       struct contents_member *out);

/* ---- rows; decoders give -EUCLEAN with words for anything that the encoders do not write ---- */

int file_row_encode(const struct contents_file *f, struct buf *out);
int file_row_decode(uint64_t volume, const void *row, size_t len, struct contents_file *out);
int volume_row_encode(const struct volume_row *v, struct buf *out);
int volume_row_decode(const void *row, size_t len, struct volume_row *out);
int list_row_encode(const struct list_row *l, struct buf *out);
int list_row_decode(const void *row, size_t len, struct list_row *out);
int counter_row_encode(uint64_t n, struct buf *out);
int counter_row_decode(const void *row, size_t len, uint64_t *out);

/* What a member shares with the one before it in its block is not told again. */
struct block_before {
	uint32_t dir, mode, uid, gid;
	uint64_t to, nth;
	int64_t mtime_s;
	char type;
	char name[CONTENTS_NAME_MAX + 1], user[64], group[64];
};
struct block_writer {
	struct buf bytes;		/* members, without what is in front */
	uint32_t first;			/* number of its first member */
	unsigned count;
	struct block_before before;
};
void block_begin(struct block_writer *w, uint32_t first);
/* @m: the next one. */
int block_add(struct block_writer *w, const struct contents_member *m);
int block_row(const struct block_writer *w, struct buf *out);
struct block_reader {
	struct cursor c;
	uint32_t content, number;	/* of the next member */
	unsigned left;
	struct block_before before;
};
/* @first: number of its first member. */
int block_read(struct block_reader *r, uint32_t content, uint32_t first, const void *row, size_t len);
/* @m zeroed, or used before.  CONTENTS_E_NONE: there are no more. */
int block_next(struct block_reader *r, struct contents_member *m);

/* A row X: what was told later of a folder that had a number, when there were @at members. */
int told_encode(const struct contents_member *m, uint32_t at, struct buf *out);
/* *at and what @m says but its content, number, dir and name. */
int told_decode(const void *row, size_t len, struct contents_member *m, uint32_t *at);

#endif
