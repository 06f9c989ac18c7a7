/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is on the tapes, as a whole: opened, closed, and the numbers of lists.  A number is given out once, however
 * often the store is opened; where the counter is damaged or lost it goes on behind the highest that is in use.
 * Counts of lists and members are kept beside them.
 */
#include "contents/format.h"

#include <errno.h>

#define NUMBERS_AT_ONCE 64u	/* reserved by one row */

const char *contents_how_name(enum contents_how h)
{
	static const char *const names[] = { "waiting", "archive", "broken", "data", "labels", "off" };

	return (unsigned)h < ARRAY_LEN(names) ? names[h] : "unknown";
}

/* ---- rows in general ---- */

int contents_row_get(struct contents *c, const struct ckey *key, struct buf *out)
{
	int r = kv_get(c->kv, KV_CONTENTS, key->b, key->len, out);

	return r == KV_E_NONE ? CONTENTS_E_NONE : r;
}

int contents_row_put(struct kv_batch *b, const struct ckey *key, const struct buf *row)
{
	return kv_batch_put(b, KV_CONTENTS, key->b, key->len, row ? row->data : NULL, row ? row->len : 0);
}

int contents_row_delete(struct kv_batch *b, const struct ckey *key)
{
	return kv_batch_delete(b, KV_CONTENTS, key->b, key->len);
}

int contents_write(struct contents *c, struct kv_batch *b)
{
	int r = kv_batch_count(b) ? kv_write(c->kv, b, false) : 0;

	if (!r)
		kv_batch_clear(b);
	return r;
}

/* ---- counters ---- */

/* 0 if there is none. */
static int contents_counter_get(struct contents *c, char which, uint64_t *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct ckey key = ckey_counter(which);
	int r;

	*out = 0;
	r = contents_row_get(c, &key, &row);
	if (r)
		return r == CONTENTS_E_NONE ? 0 : r;
	return counter_row_decode(row.data, row.len, out);
}

int contents_counter_put(struct kv_batch *b, char which, uint64_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct ckey key = ckey_counter(which);
	int r = counter_row_encode(n, &row);

	return r ? r : contents_row_put(b, &key, &row);
}

/* With the lock held, and until @b is written.  What was damaged counts from 0 on. */
int contents_count(struct contents *c, struct kv_batch *b, int64_t lists, int64_t members)
{
	const struct { char which; int64_t by; } counts[] = { { 'l', lists }, { 'm', members } };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(counts); i++) {
		int64_t by = counts[i].by;
		uint64_t n;

		r = contents_counter_get(c, counts[i].which, &n);
		if (r == -EUCLEAN)
			r = (n = 0);
		if (by < 0 && n < (uint64_t)-by)
			n = (uint64_t)-by;
		if (!r && by)
			r = contents_counter_put(b, counts[i].which, n + (uint64_t)by);
	}
	return r;
}

int contents_counts(struct contents *c, uint64_t *lists, uint64_t *members)
{
	int r = contents_counter_get(c, 'l', lists);

	return r ? r : contents_counter_get(c, 'm', members);
}

/* ---- numbers of lists ---- */

int contents_new_number(struct contents *c, uint32_t *out)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	uint64_t limit;
	int r;

	LOCK_SCOPE(&c->lock);
	if (c->next_content == c->content_limit) {
		limit = c->next_content + NUMBERS_AT_ONCE;
		if (limit > UINT32_MAX)
			return err_explain(-EOVERFLOW, "contents: the numbers of lists are at their end");
		r = kv_batch_new(&b);
		if (!r)
			r = contents_counter_put(b, 'c', limit);
		if (!r)
			r = contents_write(c, b);
		if (r)
			return r;
		c->content_limit = limit;
	}
	*out = (uint32_t)c->next_content++;
	return 0;
}

/* The highest number that a row with this letter has. */
static int highest(struct kv_iter *it, char letter, uint64_t *out)
{
	struct ckey key = ckey_of_list(letter, UINT32_MAX);
	const uint8_t *p;
	size_t len;

	memset(key.b + key.len, 0xff, 8);
	key.len += 8;
	kv_iter_seek_back(it, key.b, key.len);
	if (!kv_iter_in(it, &letter, 1))
		return kv_iter_error(it);
	p = kv_iter_key(it, &len);
	if (len >= 5 && get_be32(p + 1) > *out)
		*out = get_be32(p + 1);
	return 0;
}

static int load_numbers(struct contents *c)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	uint64_t taken = 0, limit;
	int r;

	r = contents_counter_get(c, 'c', &limit);
	if (r == -EUCLEAN)
		r = (limit = 0);
	if (!r)
		r = kv_iter_new(c->kv, KV_CONTENTS, &it);
	for (const char *letter = "CBG"; !r && *letter; letter++)
		r = highest(it, *letter, &taken);
	c->next_content = c->content_limit = limit > taken ? limit : taken + 1;
	return r;
}

/* ---- the whole ---- */

int contents_open(struct kv *kv, struct catalog *cat, struct library *lib, struct contents **out)
{
	struct contents *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_origin(-ENOMEM);
	c->kv = kv;
	c->cat = cat;
	c->lib = lib;
	pthread_mutex_init(&c->lock, NULL);
	r = load_numbers(c);
	if (r) {
		contents_close(c);
		return r;
	}
	*out = c;
	return 0;
}

struct contents *contents_close(struct contents *c)
{
	if (c) {
		pthread_mutex_destroy(&c->lock);
		free(c);
	}
	return NULL;
}
