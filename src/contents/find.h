/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files that find: patterns, paths of what was found, the newest of each path. */
#ifndef CONTENTS_FIND_H
#define CONTENTS_FIND_H

#include "contents/format.h"

/* ---- contents_pattern.c ---- */

struct pattern;
/* -EINVAL with words. */
int pattern_new(const struct contents_query *q, struct pattern **out);
struct pattern *pattern_free(struct pattern *p);
const char *pattern_exact(const struct pattern *p);	/* the only name that it may be; NULL: more than one */
const char *pattern_prefix(const struct pattern *p);	/* all names begin so */
/* CONTENTS_E_NONE: it does not fit; -EINVAL with words: a regular expression that takes too long on it.
 * @whole: it is all of the name, not what a key has of a long one; then a match may only seem to be one. */
int pattern_fits_name(const struct pattern *p, const char *name, bool whole);
int pattern_fits_path(const struct pattern *p, const char *path);	/* of one whose name fits */
/* The folder that it is in has this name, "" for the root; NULL: it may have more than one. */
const char *pattern_parent(const struct pattern *p);
bool pattern_folders_only(const struct pattern *p);			/* it ends with '/' */

/* ---- contents_regex.c ---- */

struct regex;
int regex_new(const char *text, bool ignore_case, struct regex **out);	/* -EINVAL with words */
struct regex *regex_free(struct regex *re);
/* CONTENTS_E_NONE: it does not; -EINVAL with words: that takes too long.  One thread at a time. */
int regex_fits(const struct regex *re, const char *s);

/* ---- contents_find_path.c ---- */

/* Paths with the folders that came last kept. */
struct paths;
int paths_new(struct contents *c, struct paths **out);
struct paths *paths_free(struct paths *p);
int paths_of(struct paths *p, const struct contents_member *m, struct buf *out);	/* as contents_path() */

/* ---- contents_find_newest.c ---- */

/* Of members of one name that on the newest tape file of each path. */
struct newest_entry { uint64_t hash, written_ns; uint32_t content, number; };
struct newest;
int newest_new(struct contents *c, struct paths *paths, struct newest **out);	/* both borrowed */
struct newest *newest_free(struct newest *n);
/* Empties it, for paths that belong to part @part of so many parts, a power of two, of all. */
void newest_begin(struct newest *n, uint64_t parts, uint64_t part);
/* CONTENTS_E_NONE: there is no room; begin again with twice the parts. */
int newest_add(struct newest *n, const struct contents_member *m, const char *path, uint64_t written_ns);
/* In the order of lists and numbers. */
const struct newest_entry *newest_all(struct newest *n, size_t *count);

#endif
