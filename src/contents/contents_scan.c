/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper's pass over all volumes, one after the other: with each start, when a pool's property changes, and when
 * all is to be forgotten.  First the tapes, each compared with its row V; then rows, for those of volumes that are
 * gone.
 */
#include <errno.h>

#include "contents/format.h"
#include "contents/keeper.h"

#define SCAN_AT_ONCE 64u	/* volumes that need nothing */

/* Without the lock. */
static int scan_judge(struct contents *c, uint64_t volume, bool *due, bool *dropped)
{
	struct catalog_volume row;
	struct volume_row v = { .generation = 0 };
	struct volume_stat st;
	int r = truth_volume_row(c, volume, &v);

	if (r < 0)
		return r;
	*due = r || library_stat(c->lib, volume, &st) || !truth_agrees(&v, &st) || !v.done ||
	       (v.off && !catalog_volume_by_id(c->cat, volume, &row) && contents_wanted(c, &row));
	*dropped = !r && v.oldest != look_oldest(c, volume);
	*due = *due || *dropped;
	return 0;
}

static int next_tape(struct contents *c, uint64_t from, uint64_t *volume)
{
	int r = volume_next(c->kv, from, volume);

	return r == -ENOENT ? CONTENTS_E_NONE : r;
}

/* The next volume that rows with this letter tell of. */
static int next_of(struct kv_iter *it, char letter, uint64_t from, uint64_t *volume)
{
	struct ckey key = ckey_of_volume(letter, from);
	const uint8_t *p;
	size_t len;

	kv_iter_seek(it, key.b, key.len);
	if (!kv_iter_in(it, &letter, 1))
		return kv_iter_error(it);
	p = kv_iter_key(it, &len);
	if (len >= 9 && get_be64(p + 1) < *volume)
		*volume = get_be64(p + 1);
	return 0;
}

int keeper_next_in_rows(struct contents *c, uint64_t from, uint64_t *volume)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	uint64_t next = UINT64_MAX;
	int r = kv_iter_new(c->kv, KV_CONTENTS, &it);

	for (const char *letter = "VFO"; !r && *letter; letter++)
		r = next_of(it, *letter, from, &next);
	if (!r && next == UINT64_MAX)
		return CONTENTS_E_NONE;
	*volume = next;
	return r;
}

/* Is there no tape of that number? */
static bool is_gone(struct contents *c, uint64_t volume)
{
	struct volume_stat st;

	return volume_peek(c->kv, volume, &st) == -ENOENT;
}

struct found { uint64_t volume; bool due, dropped, deleted; };

/* Without the lock; CONTENTS_E_NONE: there is no further one. */
static int scan_look(struct contents *c, enum scan scan, uint64_t from, struct found *out)
{
	struct found f = { 0 };
	int r = scan == SCAN_TAPES ? next_tape(c, from, &f.volume) : keeper_next_in_rows(c, from, &f.volume);

	if (!r && scan == SCAN_TAPES)
		r = scan_judge(c, f.volume, &f.due, &f.dropped);
	else if (!r)
		f.due = f.deleted = is_gone(c, f.volume);
	*out = f;
	return r;
}

static void scan_turn(struct keeper *k)
{
	if (k->scan == SCAN_TAPES) {
		k->scan = SCAN_ROWS;
		k->scan_next = 0;
		return;
	}
	k->scan = SCAN_NOTHING;
	k->scanned = true;
	k->scan_forget = false;
	pthread_cond_broadcast(&k->turned);
}

static void scan_found(struct keeper *k, const struct found *f)
{
	bool forget = k->scan_forget && k->scan == SCAN_TAPES;
	struct work *w = f->due || forget ? work_get(k, f->volume) : NULL;

	if (!w)
		return;
	w->dropped |= f->dropped;
	w->deleted |= f->deleted;
	w->forget |= forget;
	work_queue(k, w);
}

/* With the lock, given up meanwhile; up to the next one that wants something. */
void keeper_scan(struct keeper *k)
{
	for (unsigned i = 0; i < SCAN_AT_ONCE && k->scan && !work_next(k); i++) {
		uint64_t from = k->scan_next;
		enum scan scan = k->scan;
		struct found f;
		int r;

		pthread_mutex_unlock(&k->lock);
		r = scan_look(k->c, scan, from, &f);
		pthread_mutex_lock(&k->lock);
		if (k->scan != scan || k->scan_next != from)
			continue;	/* it was begun again meanwhile */
		k->scan_next = f.volume + 1;
		if (r < 0)
			log_warn("contents: volumes from number %llu on are not looked at: %s",
				 (unsigned long long)from, err_text(r));
		if (r)
			scan_turn(k);
		else
			scan_found(k, &f);
	}
}
