/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_copy: moving what is in use out of packs that hold little of it.
 *
 * From its first moment to its last a copier's packs are condemned: nobody shares a chunk of them any more.  So when
 * the collector has gone through all maps, no new map can name them, but for those of writers that shared before; these
 * have pins on the pack, and chunk_gc_pack() asks for both.
 *
 * Order, and what a cut between two steps leaves:
 *  1. A chunk is read and checked against its digest, then its stored bytes are appended to the copier's own pack as a
 *     writer's are.  Other writers share the new place from then on.  Left is an entry that nobody names.
 *  2. chunk_copier_begin_commit() syncs those packs and puts the index rows of the new places into the batch.  Left are
 *     whole entries without rows, which the next open indexes.
 *  3. The caller's batch with the maps is written, synced.  Before: the maps name the old places.  After: the new ones.
 *     Either are there.
 *  4. chunk_gc_pack() removes the old pack: its own order.
 * Nothing of a copier is on disk, so one that did not end leaves nothing to clean up: only chunks that the next walk
 * finds unused.
 */
#include <assert.h>
#include <errno.h>

#include "chunk/store.h"

#define MOVE_TRIES 8u		/* others of one damaged chunk that turn out to be damaged too */

/* Where a chunk went: number in @targets + 1, 0 if it was not moved. */
struct moved { uint32_t target, slot; };

/* One of the packs to be emptied. */
struct emptied {
	uint64_t number;
	struct moved *moved;		/* by slot, as far as they were asked for */
	uint32_t room;
};

struct chunk_copier {
	struct chunk_copier *next;	/* guarded by the store's lock, as the numbers in @packs */
	struct chunk_store *cs;
	struct emptied *packs;		/* in order */
	size_t count;
	uint64_t *targets;		/* packs that chunks went to, in runs: neighbours differ */
	uint32_t target_count, target_room;
	struct table *table;
	struct pins pins;
	uint8_t *raw, *stored;		/* PACK_CHUNK_MAX each */
};

/* ---- which packs ------------------------------------------------------------------------------------------------- */

static struct emptied *find_pack(const struct chunk_copier *c, uint64_t number)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->packs[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->count && c->packs[low].number == number ? &c->packs[low] : NULL;
}

bool copiers_have(const struct chunk_store *cs, uint64_t pack)
{
	for (const struct chunk_copier *c = cs->copiers; c; c = c->next)
		if (find_pack(c, pack))
			return true;
	return false;
}

/* Their tables in memory are told.  Lock held. */
static void tell_tables(struct chunk_copier *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct table *t = index_table(&c->cs->index, c->packs[i].number);

		if (t && t->state == TABLE_SEALED)
			t->shunned = store_is_condemned(c->cs, t->number);
	}
}

static void copier_enlist(struct chunk_copier *c)
{
	LOCK_SCOPE(&c->cs->lock);

	c->next = c->cs->copiers;
	c->cs->copiers = c;
	tell_tables(c);
}

static void copier_leave(struct chunk_copier *c)
{
	LOCK_SCOPE(&c->cs->lock);
	struct chunk_copier **at = &c->cs->copiers;

	while (*at && *at != c)
		at = &(*at)->next;
	if (*at)
		*at = c->next;
	tell_tables(c);
}

/* ---- what went where --------------------------------------------------------------------------------------------- */

static bool recall(const struct chunk_copier *c, const struct emptied *from, uint32_t slot, struct pack_ref *to)
{
	const struct moved *m = slot < from->room ? &from->moved[slot] : NULL;

	if (!m || !m->target)
		return false;
	*to = (struct pack_ref){ c->targets[m->target - 1], m->slot };
	return true;
}

static int target_of(struct chunk_copier *c, uint64_t number, uint32_t *out)
{
	if (!c->target_count || c->targets[c->target_count - 1] != number) {
		if (c->target_count == c->target_room) {
			uint32_t room = c->target_room ? 2 * c->target_room : 64;
			uint64_t *more = reallocarray(c->targets, room, sizeof(*more));

			if (!more)
				return err_origin(-ENOMEM);
			c->targets = more;
			c->target_room = room;
		}
		c->targets[c->target_count++] = number;
	}
	*out = c->target_count;
	return 0;
}

/* Before anything is copied, so that what was copied can always be remembered.  @slot is one that the pack has. */
static int make_room(struct emptied *from, uint32_t slot)
{
	uint32_t room = from->room ? from->room : 256;
	struct moved *more;

	if (slot < from->room)
		return 0;
	while (room <= slot)
		room *= 2;
	more = reallocarray(from->moved, room, sizeof(*more));
	if (!more)
		return err_origin(-ENOMEM);
	memset(more + from->room, 0, (room - from->room) * sizeof(*more));
	from->moved = more;
	from->room = room;
	return 0;
}

static int remember(struct chunk_copier *c, struct emptied *from, uint32_t slot, struct pack_ref to)
{
	int r = target_of(c, to.pack, &from->moved[slot].target);

	if (!r)
		from->moved[slot].slot = to.slot;
	return r;
}

/* ---- one chunk --------------------------------------------------------------------------------------------------- */

/* The place of a chunk that may be shared, pinned.  @raw: compared with it, unless NULL. */
static int find_other(struct chunk_copier *c, const struct digest *d, const uint8_t *raw, size_t n, struct pack_ref *to,
		      bool *alone)
{
	for (;;) {
		struct slot *s;
		int r = 0;

		pthread_mutex_lock(&c->cs->lock);
		s = index_find(&c->cs->index, d);
		if (s) {
			*to = (struct pack_ref){ s->table->number, s->number };
			r = pins_add(&c->pins, to->pack);
		}
		pthread_mutex_unlock(&c->cs->lock);
		if (r)
			return r;
		if (s)
			return raw ? store_compare(c->cs, *to, raw, n) : 0;
		r = store_lookup(c->cs, d, to, alone);
		if (r)
			return r;
	}
}

/* The entry at @from, its stored bytes and what they expand to.  *known: the entry is right, be the bytes damaged. */
static int read_chunk(struct chunk_copier *c, struct pack_ref from, struct pack_entry *e, bool *known)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	int r = store_pack(c->cs, from.pack, &p);

	*known = false;
	if (!r)
		r = pack_entry(p, from.slot, e);
	if (r)
		return r;
	*known = true;
	return store_fetch(c->cs, p, from.slot, e, c->raw, c->stored);
}

static int copy(struct chunk_copier *c, const struct pack_entry *e, bool alone, struct pack_ref *to, uint32_t *copied)
{
	uint32_t n = e->stored_len + PACK_ENTRY_GAP;
	int r = store_has_room(c->cs, n, true);

	if (!r)
		r = store_append(c->cs, &c->table, &c->pins, e, c->stored, alone, to);
	if (!r)
		*copied = n;
	return r;
}

static int digest_of_lost(struct chunk_copier *c, struct pack_ref from, struct digest *d)
{
	struct lost_chunk l;
	int r = store_lost_chunk(c->cs, from, &l);

	return r ? r : store_lost_digest(c->cs, &l, d);
}

static int move(struct chunk_copier *c, struct pack_ref from, unsigned tries, struct pack_ref *to, uint32_t *copied);

/* Another chunk in place of a damaged one: one that may be shared, or one in our own packs, which is moved instead. */
static int move_other(struct chunk_copier *c, const struct digest *d, unsigned tries, struct pack_ref *to,
		      uint32_t *copied)
{
	bool alone;
	int r = find_other(c, d, NULL, 0, to, &alone);

	if (r != LOOKUP_NONE)
		return r;
	r = store_whole(c->cs, d, to);
	if (!r)
		r = tries && find_pack(c, to->pack) ? move(c, *to, tries - 1, to, copied) : LOOKUP_NONE;
	return r;
}

/* A whole chunk is copied, unless it is elsewhere already; for a damaged one another has to be there. */
static int move_chunk(struct chunk_copier *c, struct pack_ref from, unsigned tries, struct pack_ref *to,
		      uint32_t *copied)
{
	struct pack_entry e;
	bool known, alone = false;
	int damaged = read_chunk(c, from, &e, &known), r;

	if (damaged == -ENOMEM)
		return damaged;
	if (damaged) {
		r = known ? 0 : digest_of_lost(c, from, &e.digest);
		r = r ? r : move_other(c, &e.digest, tries, to, copied);
		return r == LOOKUP_NONE ? damaged : r;
	}
	r = find_other(c, &e.digest, c->raw, e.raw_len, to, &alone);
	return r == LOOKUP_NONE ? copy(c, &e, alone, to, copied) : r;
}

/* As move_chunk(), unless it was moved before. */
static int move(struct chunk_copier *c, struct pack_ref from, unsigned tries, struct pack_ref *to, uint32_t *copied)
{
	struct emptied *pack = find_pack(c, from.pack);
	uint32_t n = 0;
	int r;

	if (!pack)
		return err_origin(-EINVAL);
	if (recall(c, pack, from.slot, to)) {
		LOCK_SCOPE(&c->cs->lock);

		*copied = 0;
		return pins_add(&c->pins, to->pack);
	}
	r = move_chunk(c, from, tries, to, &n);
	if (!r)
		r = make_room(pack, from.slot);
	if (!r)
		r = remember(c, pack, from.slot, *to);
	if (!r)
		*copied = n;
	return r;
}

int chunk_copier_move(struct chunk_copier *c, struct pack_ref from, struct pack_ref *to, uint32_t *copied)
{
	return move(c, from, MOVE_TRIES, to, copied);
}

int chunk_copier_begin_commit(struct chunk_copier *c, struct kv_batch *b)
{
	return pins_begin_commit(c->cs, &c->pins, b);
}

void chunk_copier_end_commit(struct chunk_copier *c, bool written)
{
	pins_end_commit(c->cs, &c->pins, written);
}

/* ---- the copier -------------------------------------------------------------------------------------------------- */

int chunk_copier_new(struct chunk_store *cs, const uint64_t *packs, size_t count, struct chunk_copier **out)
{
	struct chunk_copier *c = calloc(1, sizeof(*c));

	if (!c)
		return err_origin(-ENOMEM);
	c->cs = cs;
	c->packs = calloc(count + 1, sizeof(*c->packs));
	c->raw = malloc(PACK_CHUNK_MAX);
	c->stored = malloc(PACK_CHUNK_MAX);
	if (!c->packs || !c->raw || !c->stored) {
		chunk_copier_free(c);
		return err_origin(-ENOMEM);
	}
	for (; c->count < count; c->count++) {
		assert(!c->count || packs[c->count - 1] < packs[c->count]);
		c->packs[c->count].number = packs[c->count];
	}
	pins_enlist(cs, &c->pins);
	copier_enlist(c);
	*out = c;
	return 0;
}

struct chunk_copier *chunk_copier_free(struct chunk_copier *c)
{
	if (!c)
		return NULL;
	copier_leave(c);
	pins_fini(c->cs, &c->pins);
	if (c->table)
		store_give_table(c->cs, c->table);
	for (size_t i = 0; c->packs && i < c->count; i++)
		free(c->packs[i].moved);
	free(c->packs);
	free(c->targets);
	free(c->raw);
	free(c->stored);
	free(c);
	return NULL;
}

/* ---- how much of a pack is worth it ------------------------------------------------------------------------------ */

int chunk_pack_live(struct chunk_store *cs, uint64_t pack, const uint8_t *live, size_t n, uint64_t *live_bytes,
		    uint64_t *all_bytes)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	uint64_t in_use = 0, all = 0;
	struct pack_entry e;
	int r = store_pack(cs, pack, &p);

	for (uint32_t i = 0; !r && i < pack_count(p); i++) {
		if (pack_entry(p, i, &e))
			continue;
		all += e.stored_len + PACK_ENTRY_GAP;
		if (i / 8 < n && live[i / 8] >> i % 8 & 1)
			in_use += e.stored_len + PACK_ENTRY_GAP;
	}
	if (r)
		return r;
	*live_bytes = in_use;
	*all_bytes = all;
	return 0;
}
