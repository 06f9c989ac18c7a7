/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of archives: asked for and printed (members.c), unpacked (restore_extract.c). */
#ifndef CLI_MEMBERS_H
#define CLI_MEMBERS_H

#include "cli/cli.h"

/* "VOLUME[:FILE[:PATH]]" as a request names it; NULL: a volume that is not UTF-8. */
json_t *place_words(const char *typed);
/* Pattern and options as a request has them.  -EINVAL with words. */
int query_words(const struct args *a, const char *pattern, json_t **out);
/* A word that need not be UTF-8, as member @key or (hex) @raw_key. */
int put_word(json_t *o, const char *key, const char *raw_key, const char *word);

enum members_form { MEMBERS_TABLE, MEMBERS_LONG, MEMBERS_SHORT, MEMBERS_TABS, MEMBERS_JSON_LINES, MEMBERS_JSON_ARRAY };
struct members {
	enum members_form form;
	bool terminal;
	uint64_t rows;
};
/* @form: without --json and -H. A table gives JSON lines, else it is an array. */
void members_begin(struct members *m, const struct args *a, enum members_form form);
int members_row(void *members, const char *key, json_t *row);	/* an @each of store_call() */
void members_end(const struct members *m, bool failed);
void print_bytes(const json_t *row, const char *key, const char *raw_key, bool terminal);
/* Is the answer not the whole truth yet?  On standard error. */
void pending_tell(const json_t *ok);

/* A tar archive from @fd into the current folder. */
struct extract {
	int fd;
	bool overwrite, keep_newer, names;	/* names: each on standard output, once it is there */
	uint64_t restored, refused, kept, failed, bytes;
	int error;				/* what ended it before its end; 0: nothing */
	char why[512];
};
void extract_run(struct extract *x);

#endif
