/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the catalog's check share. */
#ifndef VTAPE_CATALOG_CHECK_H
#define VTAPE_CATALOG_CHECK_H

#include "catalog/catalog_private.h"

struct check {
	struct catalog *c;
	const struct catalog_check_config *cfg;
	struct catalog_checked *done;
	uint64_t pool_max, volume_max;
};

/* One key of the walk.  The number behind the letter, if the key has one there. */
struct at {
	struct row_key key;
	uint64_t number;
};

void check_tell(struct check *k, bool repaired, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* With c->lock.  @row NULL: it goes.  False: it was not asked for, or could not be written. */
bool check_mended(struct check *k, const struct row_key *key, const void *row, size_t len);
bool check_removed(struct check *k, const struct row_key *key);
/* 1: there is such a row; 0: there is none. */
int check_is_there(struct check *k, const struct row_key *key);
/* 1: there is such a volume, also if its row is damaged. */
int check_volume_is_there(struct check *k, uint64_t volume);
/* The number (big-endian, @len bytes) that the row of @key is; 0: none. */
int check_names_whom(struct check *k, const struct row_key *key, size_t len, uint64_t *whom);

/* catalog_check_volume.c: each row by itself, with c->lock. */
int check_pool(struct check *k, const struct at *at);
int check_pool_name(struct check *k, const struct at *at);
int check_volume(struct check *k, const struct at *at);
int check_volume_name(struct check *k, const struct at *at);
int check_member(struct check *k, const struct at *at);
int check_file(struct check *k, const struct at *at);
int check_file_name(struct check *k, const struct at *at);

/* catalog_check_scsi.c: each row by itself, with c->lock; and behind them, all places together. */
int check_place(struct check *k, const struct at *at);
int check_mam(struct check *k, const struct at *at);
int check_unit(struct check *k, const struct at *at);
int check_places(struct check *k);

/* catalog_check_site.c */
int check_site(struct check *k, const struct at *at);
int check_clash(struct check *k, const struct at *at);
int check_hook(struct check *k, const struct at *at);
/* Is the site of a volume or a pool known? */
int check_owner(struct check *k, const char *what, const char *name, uint32_t site);

#endif
