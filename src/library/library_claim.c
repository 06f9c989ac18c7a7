/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_claim: what may be done with one volume at the same time, for those who name it: claims to read or to write
 * it, a look at it that is in nobody's way, and what a writer sets going when he comes and when he leaves.  Who has it
 * is library_holding.c's table.
 */
#include <assert.h>
#include <errno.h>

#include "library/holding.h"

#define WALL_BEHIND_NS (3600ull * 1000000000ull)	/* catalog_clock.c tells it from here on */

/* What the catalog itself has against it. */
static int claim_allowed(struct library *lib, uint64_t id, enum claim how)
{
	struct catalog_volume row;
	int r = library_row(lib, id, &row);

	if (r || how == CLAIM_READ)
		return r;
	if (row.protect)
		return err_explain(-EROFS, "volume %s is write protected", row.name);
	return site_allows(lib, &row, "written");
}

static int held_claim(struct library *lib, uint64_t volume, enum claim how, struct holding **out)
{
	struct held_by_whom whom;
	struct holding *h;
	int r;

	pthread_mutex_lock(&lib->lock);
	h = held_get(lib, volume);
	if (!h) {
		pthread_mutex_unlock(&lib->lock);
		return err_origin(-ENOMEM);
	}
	whom = held_await(lib, h, how, -1);
	if (whom.by != HELD_BY_NOBODY) {
		held_put(lib, h);
		pthread_mutex_unlock(&lib->lock);
		return held_busy(lib, volume, whom);
	}
	held_mark(h, how);
	r = held_open(lib, h);
	if (r) {
		held_unmark(h, how);
		pthread_cond_broadcast(&lib->turned);
		held_put(lib, h);
	}
	pthread_mutex_unlock(&lib->lock);
	if (!r)
		*out = h;
	return r;
}

int library_claim(struct library *lib, uint64_t volume, enum claim how, struct volume **vol)
{
	struct holding *h = NULL;
	int r;

	r = claim_allowed(lib, volume, how);
	if (!r)
		r = held_claim(lib, volume, how, &h);
	if (r)
		return r;
	assert(h);
	/* The pool's properties may have changed since it was opened. */
	if (how == CLAIM_WRITE)
		r = held_begin_write(lib, h);
	if (r) {
		library_release(lib, volume, how);
		return r;
	}
	*vol = h->vol;
	return 0;
}

int library_release(struct library *lib, uint64_t volume, enum claim how)
{
	struct holding *h;
	int r = 0, closed;

	pthread_mutex_lock(&lib->lock);
	h = held_find(lib, volume);
	assert(h && h->vol);
	pthread_mutex_unlock(&lib->lock);
	if (how == CLAIM_WRITE)
		r = held_end_write(lib, h);

	pthread_mutex_lock(&lib->lock);
	held_unmark(h, how);
	closed = held_close_if_unused(lib, h);
	held_put(lib, h);
	pthread_mutex_unlock(&lib->lock);
	return r ? r : closed;
}

/* ---- looking on ------------------------------------------------------------------------------------------------ */

/*
 * Pins it if it is open; NULL: it is not, and what is committed is all there is.  Waits for one that is being closed,
 * which takes no lock; for one that is being opened or changed as a whole only @patient callers wait, who have no
 * lock themselves.
 */
static struct holding *held_pin(struct library *lib, uint64_t id, bool patient)
{
	struct holding *h;

	LOCK_SCOPE(&lib->lock);
	h = held_find(lib, id);
	if (!h)
		return NULL;
	h->refs++;
	while (h->busy && (h->vol || patient))
		library_wait(lib, 0);
	if (!h->vol) {
		held_put(lib, h);
		return NULL;
	}
	h->pins++;
	return h;
}

static int held_unpin(struct library *lib, struct holding *h)
{
	int r;

	LOCK_SCOPE(&lib->lock);
	h->pins--;
	r = held_close_if_unused(lib, h);
	held_put(lib, h);
	return r;
}

int library_stat(struct library *lib, uint64_t volume, struct volume_stat *out)
{
	struct holding *h = held_pin(lib, volume, false);

	if (!h)
		return volume_peek(lib->kv, volume, out);
	volume_stat(h->vol, out);
	return held_unpin(lib, h);
}

int library_look(struct library *lib, uint64_t volume, struct volume **vol)
{
	struct holding *h;
	int r;

	LOCK_SCOPE(&lib->lock);
	h = held_get(lib, volume);
	if (!h)
		return err_origin(-ENOMEM);
	while (h->busy)
		library_wait(lib, 0);
	h->pins++;
	r = held_open(lib, h);
	if (r) {
		h->pins--;
		pthread_cond_broadcast(&lib->turned);
		held_put(lib, h);
		return r;
	}
	*vol = h->vol;
	return 0;
}

int library_look_end(struct library *lib, uint64_t volume)
{
	struct holding *h;

	pthread_mutex_lock(&lib->lock);
	h = held_find(lib, volume);
	assert(h && h->pins);
	pthread_mutex_unlock(&lib->lock);
	return held_unpin(lib, h);
}

int held_refresh(struct library *lib, uint64_t id)
{
	struct holding *h = held_pin(lib, id, true);
	struct catalog_volume row;
	struct volume_attr attr;
	int r, closed;

	if (!h)
		return 0;
	pthread_mutex_lock(&h->refresh);
	r = library_row(lib, id, &row);
	if (!r)
		r = library_attr(lib, &row, &attr);
	if (!r)
		volume_set_attr(h->vol, &attr);
	pthread_mutex_unlock(&h->refresh);
	closed = held_unpin(lib, h);
	return r ? r : closed;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

int held_begin_write(struct library *lib, struct holding *h)
{
	struct volume_stat st;

	watch_tell(lib, h->id, WATCH_WRITING);
	volume_stat(h->vol, &st);
	h->generation = st.generation;
	h->written_ns = st.written_ns;
	return held_refresh(lib, h->id);
}

static void assign(struct catalog_volume *row, void *ctx)
{
	if (row->state == STATE_SCRATCH || row->state == STATE_EXPIRED)
		row_become(row, STATE_ASSIGNED);
}

static void forget_date(struct catalog_volume *row, void *ctx)
{
	row_forget_date(row);
	assign(row, ctx);
}

/* The time that the tape itself has is the wall clock's: if that is behind, a pool's time would be over too early. */
static bool wall_clock_was_behind(const struct volume_stat *st)
{
	return st->end.objects && clock_retention_ns() > WALL_BEHIND_NS &&
	       st->written_ns < clock_retention_ns() - WALL_BEHIND_NS;
}

static void count_from_now(struct catalog_volume *row, void *ctx)
{
	if (row->state != STATE_SCRATCH)
		row->assigned_ns = clock_retention_ns();
}

static bool held_keeps(struct library *lib, const struct catalog_volume *row)
{
	struct catalog_pool pool;

	return !catalog_pool_by_id(lib->cat, row->pool, &pool) && pool.keep_s;
}

/* What became of it: the first write assigns it, one on an expired tape again, and a new generation is told. */
static int held_settle(struct library *lib, struct holding *h, const struct catalog_volume *row)
{
	char about[LIBRARY_ABOUT_MAX];
	struct volume_stat st;
	bool written;
	int r = 0;

	volume_stat(h->vol, &st);
	written = st.written_ns != h->written_ns || st.generation != h->generation;
	h->written_ns = st.written_ns;
	if (st.generation > h->generation && row->expires_ns && row->expires_ns != CATALOG_NEVER)
		r = library_volume_change(lib, h->id, forget_date, NULL);
	else if (st.end.objects && (row->state == STATE_SCRATCH || (row->state == STATE_EXPIRED && written)))
		r = library_volume_change(lib, h->id, assign, NULL);
	if (!r && written && wall_clock_was_behind(&st))
		r = library_volume_change(lib, h->id, count_from_now, NULL);
	if (st.generation > h->generation)
		catalog_event(lib->cat, EVENT_VOLUME_OVERWRITTEN, library_about(lib, row, about),
			      "generation %llu begins; what was overwritten is generation %llu%s",
			      (unsigned long long)st.generation, (unsigned long long)st.generation - 1,
			      held_keeps(lib, row) ? " and is kept" : ", which the pool does not keep");
	h->generation = st.generation;
	return r;
}

int held_end_write(struct library *lib, struct holding *h)
{
	char about[LIBRARY_ABOUT_MAX];
	struct catalog_volume row;
	int committed, r;

	committed = err_fold(volume_commit(h->vol));
	watch_tell(lib, h->id, WATCH_WRITTEN);
	r = library_row(lib, h->id, &row);
	if (r)
		return committed ? committed : r;
	if (committed)
		catalog_event(lib->cat, committed == -ENOSPC ? EVENT_NO_SPACE : EVENT_WRITE_FAILED,
			      library_about(lib, &row, about), "%s", err_text(committed));
	r = held_settle(lib, h, &row);
	return committed ? committed : r;
}
