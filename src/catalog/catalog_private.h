/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of catalog/ share. */
#ifndef VTAPE_CATALOG_PRIVATE_H
#define VTAPE_CATALOG_PRIVATE_H

#include "catalog/catalog_rows.h"

/* Numbers below .limit are reserved on disk, so handing one out costs a write only now and then. */
struct counter {
	enum number which;
	uint64_t block;		/* how many are reserved at a time */
	uint64_t next, limit;	/* next == limit: reserve more */
};

/*
 * Reads need no lock: each takes rows as they are.  The locks are for read-modify-write, in the order @lock,
 * @clock_lock, @event_lock.  While @lock is not held:
 * 1. A volume's row, its name row and its member row say the same at every moment (one batch).
 * 2. The .volumes of a pool's row is the number of its member rows.
 */
struct catalog {
	struct kv *kv;			/* borrowed */
	pthread_mutex_t lock;		/* changes of all rows but events; pool_ids, volume_ids */
	struct counter pool_ids, volume_ids;
	pthread_mutex_t event_lock;	/* event_seqs, event_last, tell, and the order of event rows */
	struct counter event_seqs;
	uint64_t event_last;
	void (*tell)(void *ctx, const struct catalog_event *e);	/* NULL: nobody listens */
	void *tell_ctx;
	pthread_mutex_t clock_lock;	/* clock */
	struct clock_row clock;		/* as at the last tick, or at the start */
};

/* ---- catalog_row.c ---- */

int row_get(struct catalog *c, const struct row_key *key, struct buf *out);	/* CATALOG_E_NONE */
int row_put(struct kv_batch *b, const struct row_key *key, const struct buf *row);
int row_delete(struct kv_batch *b, const struct row_key *key);
/* That row alone, and synced.  NULL: it goes. */
int row_write(struct catalog *c, const struct row_key *key, const void *row, size_t len);

/*
 * A walk over the rows whose keys begin with a prefix, in their order, as they were when it began:
 *
 *	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK(&prefix);
 *	while (row_walk_next(c, &w))	... w.key, w.row
 *	return w.error;
 */
struct row_walk {
	const struct row_key *prefix, *from;	/* borrowed; from: where it begins */
	struct kv_iter *it;
	int error;
	const uint8_t *key, *row;		/* until the next step */
	size_t key_len, row_len;
};
#define ROW_WALK(prefix_) { .prefix = (prefix_), .from = (prefix_) }
#define ROW_WALK_FROM(prefix_, from_) { .prefix = (prefix_), .from = (from_) }
bool row_walk_next(struct catalog *c, struct row_walk *w);	/* false: the end, or .error */
void row_walk_end(struct row_walk *w);

/* @n as it is on disk, to be given out in blocks of @block. */
int counter_load(struct catalog *c, struct counter *n, enum number which, uint64_t block);
/* A number nobody had; the lock that guards @n is held. */
int counter_take(struct catalog *c, struct counter *n, uint64_t *out);
void counter_store(struct catalog *c, const struct counter *n);		/* at an orderly end */

/* catalog_pool.c: the pool's row with other contents, as part of @b; c->lock is held. */
int pool_stage(struct kv_batch *b, const struct catalog_pool *p);

/* catalog_clock.c: a lock that lasts does not get shorter, whatever a caller's copy of the row says. */
uint64_t clock_later_lock(uint64_t was_ns, uint64_t now_ns);
int clock_begin(struct catalog *c);
void clock_end(struct catalog *c);

/* catalog_words.c: values of properties as words.  What is shown means the same when it is set again. */
int words_get_bool(bool on, struct buf *text);
int words_set_bool(bool *out, const char *value);
int words_get_size(uint64_t bytes, struct buf *text);
int words_get_duration(uint64_t s, struct buf *text);
/* -ENOENT with words: @owner ("a pool") has no such property. */
int words_find(const struct catalog_prop *props, size_t count, const char *owner, const char *name, size_t *at);
int words_bad_value(const struct catalog_prop *prop, const char *value);

/* catalog_event.c */
int event_find_last(struct catalog *c, uint64_t *seq);

#endif
