/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_check, the rows of KV_PACK as one look at them shows them: of which kinds they are, whether the packs that they
 * speak of are there, and whether totals and numbers follow from them.
 *
 * No fault are what a stop between two steps leaves and the next start takes away: rows 'O' and 'D' of packs that are
 * gone, rows 'L' of a pack that is not lost.
 */
#include <errno.h>

#include "chunk/check.h"

#define HEX(n) ((unsigned long long)(n))

struct rows_check {
	struct check *c;
	struct chunk_totals sums, says;	/* of the rows 'P'; the row 'T' */
	bool has_totals;
	uint64_t highest;		/* number that is spoken of */
};

static int drop(struct check *c, const uint8_t *key, size_t n)
{
	return c->cfg->repair ? kv_batch_delete(c->b, KV_PACK, key, n) : 0;
}

/* Is the pack a file, or being written? */
static bool is_there(struct check *c, uint64_t number)
{
	return pack_exists(c->cs->packs, number) || chunk_check_is_open(c->cs, number);
}

/* A damaged chunk of a pack that nobody knows. */
static int check_bad(struct rows_check *rc, const uint8_t *key, size_t n)
{
	struct check *c = rc->c;
	struct pack_ref ref;
	int r = bad_key_unpack(key, n, &ref);

	r = r ? r : chunk_check_has(c->cs->kv, PACK_KEY_SEALED, ref.pack);
	if (r != LOOKUP_NONE || is_there(c, ref.pack))
		return r == LOOKUP_NONE ? 0 : r;
	/* Removed since the walk began? */
	if (kv_any(c->cs->kv, KV_PACK, key, n))
		return 0;
	r = drop(c, key, n);
	chunk_check_fault(c, c->cfg->repair && !r, "pack %012llx is said to be damaged, and there is none",
			  HEX(ref.pack));
	return r;
}

static int check_doomed(struct rows_check *rc, const uint8_t *key, size_t n)
{
	struct check *c = rc->c;
	uint64_t number;
	int r = pack_key_unpack(key, n, PACK_KEY_DOOMED, &number);

	r = r ? r : chunk_check_has(c->cs->kv, PACK_KEY_SEALED, number);
	if (r)
		return r == LOOKUP_NONE ? 0 : r;
	r = drop(c, key, n);
	chunk_check_fault(c, c->cfg->repair && !r, "pack %012llx is in use and about to be removed", HEX(number));
	return r;
}

static int check_open_row(struct rows_check *rc, const uint8_t *key, size_t n)
{
	struct check *c = rc->c;
	uint64_t number;
	uint32_t slots;
	int r = open_key_unpack(key, n, &number, &slots);

	r = r ? r : chunk_check_has(c->cs->kv, PACK_KEY_SEALED, number);
	if (r)
		return r == LOOKUP_NONE ? 0 : r;
	/* A commit may write its promise while the pack is closed. */
	if (slots)
		return drop(c, key, n);
	/* It was closed after the walk began? */
	if (kv_any(c->cs->kv, KV_PACK, key, n))
		return 0;
	r = drop(c, key, n);
	chunk_check_fault(c, c->cfg->repair && !r, "pack %012llx is closed and said to be open", HEX(number));
	return r;
}

static int add_sealed(struct rows_check *rc, const uint8_t *key, size_t n, const uint8_t *value, size_t len)
{
	struct pack_tally t;
	uint64_t number;
	int r = pack_key_unpack(key, n, PACK_KEY_SEALED, &number);

	r = r ? r : pack_tally_unpack(value, len, &t);
	if (r)
		return r;
	totals_change(&rc->sums, SUMS_MORE, &t);
	if (number > rc->highest)
		rc->highest = number;
	return 0;
}

static int read_totals(struct rows_check *rc, const uint8_t *value, size_t n)
{
	int r = totals_unpack(value, n, &rc->says);

	rc->has_totals = !r;
	return r;
}

static int check_lost(const uint8_t *key, size_t n, const uint8_t *value, size_t len)
{
	struct pack_ref ref;
	struct lost_chunk l;
	int r = lost_key_unpack(key, n, &ref);

	return r ? r : lost_chunk_unpack(value, len, &l);
}

static int check_one(struct rows_check *rc, const uint8_t *key, size_t n, const uint8_t *value, size_t len)
{
	switch (n ? key[0] : 0) {
	case PACK_KEY_SEALED:
		return add_sealed(rc, key, n, value, len);
	case PACK_KEY_OPEN:
		return check_open_row(rc, key, n);
	case PACK_KEY_DOOMED:
		return check_doomed(rc, key, n);
	case PACK_KEY_BAD:
		return check_bad(rc, key, n);
	case PACK_KEY_LOST:
		return check_lost(key, n, value, len);
	case PACK_KEY_NEXT:
		return n == 1 ? 0 : -EUCLEAN; /* looked at below */
	case PACK_KEY_TOTALS:
		return n == 1 ? read_totals(rc, value, len) : -EUCLEAN;
	default:
		return -EUCLEAN;
	}
}

/* Totals and numbers are mended below; a row 'P' whose file is there has been written anew before. */
static int malformed(struct check *c, const uint8_t *key, size_t n)
{
	bool single = n == 1 && (key[0] == PACK_KEY_NEXT || key[0] == PACK_KEY_TOTALS);
	int r = single ? 0 : drop(c, key, n);

	if (!single)
		chunk_check_fault(c, c->cfg->repair && !r, "the index of packs has a malformed row (%c, %zu bytes)",
			    n && key[0] > 32 && key[0] < 127 ? key[0] : '?', n);
	return r;
}

static int look_at_all(struct rows_check *rc)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	int r = kv_iter_new(rc->c->cs->kv, KV_PACK, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, "", 0); !r && kv_iter_valid(it); kv_iter_next(it)) {
		size_t n, len;
		const uint8_t *key = kv_iter_key(it, &n), *value = kv_iter_value(it, &len);

		r = check_one(rc, key, n, value, len);
		if (r == -EUCLEAN)
			r = malformed(rc->c, key, n);
	}
	return r ? r : kv_iter_error(it);
}

/* ---- totals ------------------------------------------------------------------------------------------------------ */

static bool same_totals(const struct chunk_totals *a, const struct chunk_totals *b)
{
	return a->packs == b->packs && a->chunks == b->chunks && a->unique_bytes == b->unique_bytes &&
	       a->stored_bytes == b->stored_bytes;
}

/* The rows 'P' as they are now: nobody changes them while the lock of the sums is held. */
static int sum_up(struct check *c, struct chunk_totals *out)
{
	struct rows_check rc = { .c = c };
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	static const uint8_t prefix = PACK_KEY_SEALED;
	int r = kv_iter_new(c->cs->kv, KV_PACK, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, &prefix, 1); kv_iter_in(it, &prefix, 1); kv_iter_next(it)) {
		size_t n, len;
		const uint8_t *key = kv_iter_key(it, &n), *value = kv_iter_value(it, &len);

		(void)add_sealed(&rc, key, n, value, len);
	}
	*out = rc.sums;
	return kv_iter_error(it);
}

static int mend_totals(struct check *c)
{
	struct chunk_store *cs = c->cs;
	struct chunk_totals now, was;
	int r;

	pthread_mutex_lock(&cs->sums_lock);
	was = cs->sums;
	r = sum_up(c, &now);
	r = r ? r : totals_put(&now, c->b);
	r = r ? r : chunk_check_write(c, true);
	if (!r)
		cs->sums = now;
	pthread_mutex_unlock(&cs->sums_lock);
	if (r)
		return r;
	/* Of packs that are sealed and not summed up yet, @sealed knows more. */
	LOCK_SCOPE(&cs->lock);
	cs->sealed.packs += now.packs - was.packs;
	cs->sealed.chunks += now.chunks - was.chunks;
	cs->sealed.unique_bytes += now.unique_bytes - was.unique_bytes;
	cs->sealed.stored_bytes += now.stored_bytes - was.stored_bytes;
	return 0;
}

static int check_totals(struct rows_check *rc)
{
	struct check *c = rc->c;
	bool repair = c->cfg->repair;
	int r;

	if (same_totals(&rc->sums, &rc->says) && (rc->has_totals || !rc->sums.packs))
		return 0;
	r = repair ? mend_totals(c) : 0;
	chunk_check_fault(c, repair && !r, "the totals say %llu packs with %llu chunks; there are %llu with %llu",
		    HEX(rc->says.packs), HEX(rc->says.chunks), HEX(rc->sums.packs), HEX(rc->sums.chunks));
	return r;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static int highest_file(struct check *c, uint64_t *highest)
{
	CLEANUP(pack_walk_freep) struct pack_walk *w = NULL;
	uint64_t number;
	int r = pack_walk_new(c->cs->packs, *highest, &w);

	while (!r) {
		r = pack_walk_next(w, &number);
		if (!r)
			*highest = number;
		else if (r < 0 && store_is_loss(r))
			r = 0; /* told before */
	}
	return r < 0 ? r : 0;
}

/* Beyond every number that is known, and beyond what memory goes on to give away. */
static int mend_next(struct check *c, uint64_t highest)
{
	struct chunk_store *cs = c->cs;
	uint8_t key = PACK_KEY_NEXT, value[8];
	uint64_t next;
	int r;

	LOCK_SCOPE(&cs->numbers_lock);
	next = cs->reserved > highest + 1 ? cs->reserved : highest + 1 + NUMBER_STEP;
	put_le64(value, next);
	r = kv_batch_put(c->b, KV_PACK, &key, 1, value, sizeof(value));
	r = r ? r : chunk_check_write(c, true);
	if (!r && next > cs->reserved)
		cs->next_number = cs->reserved = next;
	return r;
}

/* The row as it is now; 0 if there is none that can be read. */
static int next_now(struct check *c, uint64_t *next)
{
	static const uint8_t key = PACK_KEY_NEXT;
	struct buf value = BUF_INIT;
	int r = kv_get(c->cs->kv, KV_PACK, &key, 1, &value);

	*next = !r && value.len == 8 && get_le64(value.data) <= PACK_NUMBER_MAX ? get_le64(value.data) : 0;
	buf_fini(&value);
	return r < 0 ? r : 0;
}

static int check_next(struct rows_check *rc)
{
	struct check *c = rc->c;
	uint64_t next;
	int r = highest_file(c, &rc->highest);

	r = r ? r : next_now(c, &next);
	if (r || rc->highest < next || !rc->highest)
		return r;
	r = c->cfg->repair ? mend_next(c, rc->highest) : 0;
	chunk_check_fault(c, c->cfg->repair && !r, "pack %012llx is there, and its number may be given away again",
		    HEX(rc->highest));
	return r;
}

int chunk_check_rows(struct check *c)
{
	struct rows_check rc = { .c = c };
	int r = look_at_all(&rc);

	r = r ? r : chunk_check_write(c, true);
	r = r ? r : check_totals(&rc);
	return r ? r : check_next(&rc);
}
