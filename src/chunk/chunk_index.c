/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_index: the tables of contents in memory, and one hash over all their slots.
 *
 * The hash takes its bits from the MAC half of the digest, which nobody without the store's key can steer.  Tables of
 * packs that are not safe and indexed stay; of the others the least used is dropped when there are more than
 * INDEX_SLOTS_MAX slots, so memory is bounded by 15 MB and what is being written.
 */
#include <assert.h>
#include <errno.h>

#include "chunk/index.h"

int index_init(struct index *ix)
{
	*ix = (struct index){ .buckets = calloc(INDEX_BUCKETS, sizeof(void *)) };
	return ix->buckets ? 0 : err_origin(-ENOMEM);
}

void index_fini(struct index *ix)
{
	while (ix->newest) {
		struct table *t = ix->newest;

		ix->newest = t->older;
		table_free(t);
	}
	free(ix->buckets);
	free(ix->bad);
	*ix = (struct index){ .buckets = NULL };
}

/* ---- one table --------------------------------------------------------------------------------------------------- */

struct table *table_new(uint64_t number, enum table_state state)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t) {
		t->number = number;
		t->state = state;
	}
	return t;
}

struct table *table_free(struct table *t)
{
	if (!t)
		return NULL;
	while (t->first) {
		struct segment *s = t->first;

		t->first = s->next;
		free(s);
	}
	pack_release(t->pack);
	free(t);
	return NULL;
}

int table_reserve(struct table *t)
{
	struct segment *s;

	if (t->count < t->room)
		return 0;
	s = malloc(sizeof(*s));
	if (!s)
		return err_origin(-ENOMEM);
	s->next = NULL;
	if (t->last)
		t->last->next = s;
	else
		t->first = s;
	t->last = s;
	t->room += SEGMENT_SLOTS;
	return 0;
}

void table_add(struct table *t, const struct pack_entry *e, bool alone)
{
	t->last->slots[t->count % SEGMENT_SLOTS] = (struct slot){
		.digest = e->digest, .raw_len = e->raw_len, .number = t->count, .alone = alone, .table = t
	};
	t->raw_bytes += e->raw_len;
	t->count++;
}

void table_add_lost(struct table *t)
{
	table_add(t, &(struct pack_entry){ .raw_len = 0 }, true);
	t->last->slots[(t->count - 1) % SEGMENT_SLOTS].bad = true;
}

/* ---- the hash ---------------------------------------------------------------------------------------------------- */

static struct slot **bucket_of(const struct index *ix, const uint8_t *digest)
{
	return &ix->buckets[get_le32(digest + 16) % INDEX_BUCKETS];
}

static void slot_link(struct index *ix, struct slot *s)
{
	struct slot **bucket = bucket_of(ix, s->digest.b);

	s->bad = s->bad || index_is_bad(ix, (struct pack_ref){ s->table->number, s->number });
	s->next = *bucket;
	*bucket = s;
}

static void slot_unlink(struct index *ix, struct slot *s)
{
	struct slot **at = bucket_of(ix, s->digest.b);

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}

struct slot *index_find(struct index *ix, const struct digest *d)
{
	for (struct slot *s = *bucket_of(ix, d->b); s; s = s->next)
		if (digest_equal(&s->digest, d) && !s->bad && !s->table->shunned) {
			s->table->used = ++ix->tick;
			return s;
		}
	return NULL;
}

struct slot *index_find_readable(struct index *ix, const uint8_t *digest, size_t n)
{
	for (struct slot *s = *bucket_of(ix, digest); s; s = s->next)
		if (!memcmp(s->digest.b, digest, n) && !s->bad)
			return s;
	return NULL;
}

/* ---- all tables -------------------------------------------------------------------------------------------------- */

static struct table **number_bucket(struct index *ix, uint64_t number)
{
	return &ix->tables[number % INDEX_TABLE_BUCKETS];
}

struct table *index_table(const struct index *ix, uint64_t number)
{
	struct table *t = ix->tables[number % INDEX_TABLE_BUCKETS];

	while (t && t->number != number)
		t = t->by_number;
	return t;
}

void index_remove_table(struct index *ix, struct table *t)
{
	struct table **at = number_bucket(ix, t->number);
	uint32_t left = t->count;

	for (struct segment *s = t->first; s; s = s->next)
		for (uint32_t i = 0; i < SEGMENT_SLOTS && left; i++, left--)
			slot_unlink(ix, &s->slots[i]);
	while (*at != t)
		at = &(*at)->by_number;
	*at = t->by_number;
	if (t->newer)
		t->newer->older = t->older;
	else
		ix->newest = t->older;
	if (t->older)
		t->older->newer = t->newer;
	if (t->state == TABLE_SEALED)
		ix->cached -= t->count;
}

/* Linear: a few hundred tables, looked through once for a table read from disk.  The newest hit is never the least. */
static struct table *least_used(const struct index *ix)
{
	struct table *least = NULL;

	for (struct table *t = ix->newest; t; t = t->older)
		if (t->state == TABLE_SEALED && t->used != ix->tick && (!least || t->used < least->used))
			least = t;
	return least;
}

static void drop_least_used(struct index *ix)
{
	while (ix->cached > INDEX_SLOTS_MAX) {
		struct table *t = least_used(ix);

		if (!t)
			return;
		index_remove_table(ix, t);
		table_free(t);
	}
}

void index_add_table(struct index *ix, struct table *t)
{
	struct table **bucket = number_bucket(ix, t->number);
	uint32_t left = t->count;

	t->by_number = *bucket;
	*bucket = t;
	t->newer = NULL;
	t->older = ix->newest;
	if (t->older)
		t->older->newer = t;
	ix->newest = t;
	t->used = ++ix->tick;
	for (struct segment *s = t->first; s; s = s->next)
		for (uint32_t i = 0; i < SEGMENT_SLOTS && left; i++, left--)
			slot_link(ix, &s->slots[i]);
	if (t->state == TABLE_SEALED) {
		ix->cached += t->count;
		drop_least_used(ix);
	}
}

void index_append(struct index *ix, struct table *t, const struct pack_entry *e, bool alone)
{
	table_add(t, e, alone);
	slot_link(ix, &t->last->slots[(t->count - 1) % SEGMENT_SLOTS]);
}

void index_sealed(struct index *ix, struct table *t)
{
	t->state = TABLE_SEALED;
	t->pack = pack_release(t->pack);
	ix->cached += t->count;
	t->used = ++ix->tick;
	drop_least_used(ix);
}

/* ---- damaged chunks ---------------------------------------------------------------------------------------------- */

/* The place in ix->bad where @ref stands or belongs. */
static size_t bad_position(const struct index *ix, struct pack_ref ref)
{
	size_t low = 0, high = ix->bad_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct pack_ref *b = &ix->bad[mid];

		if (b->pack < ref.pack || (b->pack == ref.pack && b->slot < ref.slot))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool index_is_bad(const struct index *ix, struct pack_ref ref)
{
	size_t i = bad_position(ix, ref);

	return i < ix->bad_count && ix->bad[i].pack == ref.pack && ix->bad[i].slot == ref.slot;
}

static void mark_cached(struct index *ix, struct pack_ref ref)
{
	struct table *t = index_table(ix, ref.pack);
	struct segment *s = t && ref.slot < t->count ? t->first : NULL;

	for (uint32_t i = ref.slot / SEGMENT_SLOTS; s && i; i--)
		s = s->next;
	if (s)
		s->slots[ref.slot % SEGMENT_SLOTS].bad = true;
}

int index_mark_bad(struct index *ix, struct pack_ref ref, bool *news)
{
	size_t i = bad_position(ix, ref);

	*news = !index_is_bad(ix, ref);
	if (!*news)
		return 0;
	mark_cached(ix, ref);
	if (ix->bad_count == ix->bad_cap) {
		size_t cap = ix->bad_cap ? ix->bad_cap * 2 : 16;
		struct pack_ref *bad = realloc(ix->bad, cap * sizeof(*bad));

		if (!bad)
			return err_origin(-ENOMEM);
		ix->bad = bad;
		ix->bad_cap = cap;
	}
	memmove(ix->bad + i + 1, ix->bad + i, (ix->bad_count - i) * sizeof(*ix->bad));
	ix->bad[i] = ref;
	ix->bad_count++;
	return 0;
}

void index_unmark_bad(struct index *ix, struct pack_ref ref)
{
	size_t i = bad_position(ix, ref);

	if (!index_is_bad(ix, ref))
		return;
	memmove(ix->bad + i, ix->bad + i + 1, (ix->bad_count - i - 1) * sizeof(*ix->bad));
	ix->bad_count--;
}

bool index_next_bad(const struct index *ix, const struct pack_ref *after, struct pack_ref *out)
{
	size_t i = after ? bad_position(ix, *after) : 0;

	if (after && index_is_bad(ix, *after))
		i++;
	if (i == ix->bad_count)
		return false;
	*out = ix->bad[i];
	return true;
}

void index_forget_bad(struct index *ix, uint64_t pack)
{
	size_t from = bad_position(ix, (struct pack_ref){ pack, 0 });
	size_t to = from;

	while (to < ix->bad_count && ix->bad[to].pack == pack)
		to++;
	if (to == from)
		return;
	memmove(ix->bad + from, ix->bad + to, (ix->bad_count - to) * sizeof(*ix->bad));
	ix->bad_count -= to - from;
}
