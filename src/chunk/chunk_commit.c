/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_commit: making true what the sink was told.  Order, and what a power cut between two steps leaves:
 *
 * 1. Every pack that a place was given of, one's own or another writer's, is synced unless it is sealed.  A cut before:
 *    the packs end somewhere in the middle, nobody's map names what is lost.
 * 2. Rows for chunks in them go into the caller's batch, which the caller writes synced; and for each pack one that
 *    says how many of its slots were safe then (row 'O'), so that a pack that loses them is known to have had them.  A
 *    cut before: the packs have whole entries without rows; recovery finds them.
 *
 * Whoever was given places has pins on their packs: the collector leaves those alone, and a commit covers them.
 *
 * Packs that are sealed meanwhile are the sealer's: they are waited for.  Rows may be written twice, by two writers
 * that share an open pack; they are the same rows.  What each promises is a row of its own: whose batch is written
 * last may be the one that knew less.
 */
#include <errno.h>

#include "chunk/store.h"

void pins_enlist(struct chunk_store *cs, struct pins *p)
{
	LOCK_SCOPE(&cs->lock);
	p->next = cs->pins;
	cs->pins = p;
}

void pins_fini(struct chunk_store *cs, struct pins *p)
{
	LOCK_SCOPE(&cs->lock);
	struct pins **at = &cs->pins;

	while (*at && *at != p)
		at = &(*at)->next;
	if (*at)
		*at = p->next;
	pack_set_fini(&p->touched);
	pack_set_fini(&p->committing);
	pack_set_fini(&p->earlier);
	free(p->syncing);
}

int pins_add(struct pins *p, uint64_t number)
{
	int r;

	if (p->touched_last == number + 1)
		return 0;
	r = pack_set_add(&p->touched, number);
	if (!r)
		p->touched_last = number + 1;
	return r;
}

/* ---- the commit -------------------------------------------------------------------------------------------------- */

/* Lists the packs that are not safe yet, as they are now.  Lock held. */
static int list_unsafe(struct chunk_store *cs, struct pins *p)
{
	struct index *ix = &cs->index;
	size_t n = 0;

	for (struct table *t = ix->newest; t; t = t->older)
		n += t->state != TABLE_SEALED;
	free(p->syncing);
	p->syncing_count = 0;
	p->syncing = malloc((n + 1) * sizeof(*p->syncing));
	if (!p->syncing)
		return err_origin(-ENOMEM);
	for (struct table *t = ix->newest; t; t = t->older)
		if (t->state != TABLE_SEALED && pack_set_has(&p->committing, t->number))
			p->syncing[p->syncing_count++] = (struct synced_table){ t->number, t->count };
	return 0;
}

/* The table, held still; NULL once its pack is sealed and its rows are written.  Lock held. */
static struct table *unsafe_table(struct chunk_store *cs, uint64_t number)
{
	struct table *t;

	for (;;) {
		t = index_table(&cs->index, number);
		if (!t || t->state == TABLE_SEALED)
			return NULL;
		if (t->state != TABLE_SEALING)
			return t;
		pthread_cond_wait(&cs->settled, &cs->lock);
	}
}

/* A row that an earlier commit wrote goes.  One that comes while the pack is closed stays until the next start. */
static int promise(const struct table *t, uint32_t upto, struct kv_batch *b)
{
	uint8_t key[BAD_KEY_LEN];
	int r;

	if (upto <= t->indexed)
		return 0;
	open_key_pack(key, t->number, upto);
	r = kv_batch_put(b, KV_PACK, key, sizeof(key), NULL, 0);
	open_key_pack(key, t->number, t->indexed);
	return r || !t->indexed ? r : kv_batch_delete(b, KV_PACK, key, sizeof(key));
}

static int sync_table(struct chunk_store *cs, const struct synced_table *st, struct kv_batch *b)
{
	struct table *t;
	struct pack *p;
	int r = 0;

	LOCK_SCOPE(&cs->lock);
	t = unsafe_table(cs, st->number);
	if (t && t->synced < st->upto) {
		p = pack_hold(t->pack);
		pthread_mutex_unlock(&cs->lock);
		r = pack_sync(p);
		pack_release(p);
		pthread_mutex_lock(&cs->lock);
		t = unsafe_table(cs, st->number);
		if (t && r)
			t->shunned = true;	/* what it lost must not be shared with anybody */
		else if (t && t->synced < st->upto)
			t->synced = st->upto;
	}
	if (t && !r)
		r = promise(t, st->upto, b);
	return t && !r ? store_index_rows(t, st->upto, b) : r;
}

int pins_begin_commit(struct chunk_store *cs, struct pins *p, struct kv_batch *b)
{
	int r;

	pthread_mutex_lock(&cs->lock);
	r = pack_set_merge(&p->committing, &p->touched);
	if (!r) {
		pack_set_fini(&p->touched);
		p->touched_last = 0;
		p->keep = false;
		r = list_unsafe(cs, p);
	}
	pthread_mutex_unlock(&cs->lock);
	for (size_t i = 0; i < p->syncing_count && !r; i++)
		r = sync_table(cs, &p->syncing[i], b);
	return r;
}

/* Not written: the packs stay pinned and are in the next commit. */
void pins_end_commit(struct chunk_store *cs, struct pins *p, bool written)
{
	LOCK_SCOPE(&cs->lock);
	for (size_t i = 0; i < p->syncing_count && written; i++) {
		struct table *t = index_table(&cs->index, p->syncing[i].number);

		if (t && t->indexed < p->syncing[i].upto)
			t->indexed = p->syncing[i].upto;
	}
	p->syncing_count = 0;
	if (!written)
		return;
	if (!p->keep)
		pack_set_fini(&p->committing);
	pack_set_fini(&p->earlier);
	p->earlier = p->committing;
	p->committing = (struct pack_set){ 0 };
	p->keep = false;
}

int chunk_writer_begin_commit(struct chunk_writer *w, struct kv_batch *b)
{
	return pins_begin_commit(w->cs, &w->pins, b);
}

void chunk_writer_keep(struct chunk_writer *w)
{
	LOCK_SCOPE(&w->cs->lock);

	w->pins.keep = true;
}

void chunk_writer_end_commit(struct chunk_writer *w, bool written)
{
	pins_end_commit(w->cs, &w->pins, written);
}
