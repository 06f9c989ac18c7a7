/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_expire: the states of volumes, and their way back to scratch.
 *
 * One volume at a time, in steps: its date is looked at without any lock; if it is over and something is in the way,
 * that is told, and its state becomes expired; else nobody gets it (held_as_whole()), and under `change` it is
 * looked at once more, as it is now: date, locks, whatever else holds it.  Then its tape, cleared, and the catalog's
 * word of it are one batch: a cut finds the volume as it was or as a scratch one, never one that is scratch with data.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "library/holding.h"

#define WHY_MAX 128
#define NS 1000000000ull

/* ---- states ---------------------------------------------------------------------------------------------------- */

/* What was said of the content goes with it. */
void row_become(struct catalog_volume *row, enum catalog_state state)
{
	if (state == STATE_SCRATCH)
		row->assigned_ns = row->expires_ns = 0;
	else if (state == STATE_ASSIGNED && !row->assigned_ns)
		row->assigned_ns = clock_retention_ns();
	row->state = state;
}

void row_forget_date(struct catalog_volume *row)
{
	if (row->expires_ns != CATALOG_NEVER)
		row->expires_ns = 0;
}

static int state_by_hand(struct library *lib, struct catalog_volume *row, enum catalog_state state)
{
	struct volume_stat st;
	int r;

	if (row->state == STATE_INCOMING)
		return err_explain(-EBUSY, "volume %s is an image that is still being written", row->name);
	if (library_access(lib, row) != ACCESS_PRIMARY || row->site)
		return err_explain(-EROFS, "volume %s is a copy that another site writes: it tells the state",
				   row->name);
	r = library_stat(lib, row->id, &st);
	if (!r && state == STATE_SCRATCH && st.end.objects)
		r = err_explain(-EPERM, "volume %s has data: `vtape volume erase` makes it scratch", row->name);
	if (!r)
		row_become(row, state);
	return r;
}

int library_volume_state(struct library *lib, uint64_t volume, enum catalog_state state)
{
	char about[LIBRARY_ABOUT_MAX];
	struct catalog_volume was, row;
	int r;

	if (state != STATE_SCRATCH && state != STATE_ASSIGNED && state != STATE_ERROR)
		return err_explain(-EINVAL, "a volume does not become %s by hand: scratch, assigned or error",
				   catalog_state_name(state));
	pthread_mutex_lock(&lib->change);
	r = library_row(lib, volume, &was);
	row = was;
	if (!r)
		r = state_by_hand(lib, &row, state);
	if (!r && row.state != was.state)
		r = err_fold(catalog_volume_put(lib->cat, &row, NULL));
	pthread_mutex_unlock(&lib->change);
	if (!r && row.state != was.state)
		catalog_event(lib->cat, EVENT_VOLUME_CHANGED, library_about(lib, &row, about), "%s, was %s",
			      catalog_state_name(row.state), catalog_state_name(was.state));
	return r;
}

/* ---- dates ----------------------------------------------------------------------------------------------------- */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t date_of_pool(const struct catalog_volume *v, const struct catalog_pool *p, const struct volume_stat *st)
{
	uint64_t from = later(later(st->written_ns, st->begun_ns), v->assigned_ns), date;

	if (p->expire_s > UINT64_MAX / NS || __builtin_add_overflow(from, p->expire_s * NS, &date))
		return CATALOG_NEVER;
	return date;
}

/* A date of before the content began was for another one. */
static bool date_by_hand(const struct catalog_volume *v, const struct volume_stat *st)
{
	return v->expires_ns && v->expires_ns >= st->begun_ns;
}

uint64_t library_expires(const struct catalog_volume *v, const struct catalog_pool *p, const struct volume_stat *st,
			 uint64_t label_ns)
{
	if (date_by_hand(v, st))
		return v->expires_ns;
	if (!p->expire_label)
		label_ns = 0;
	if (!p->expire_s)
		return label_ns ? label_ns : CATALOG_NEVER;
	return later(date_of_pool(v, p, st), label_ns);
}

/* ---- one volume ------------------------------------------------------------------------------------------------ */

struct expiry {
	struct library *lib;
	const struct library_expire_config *cfg;
	struct library_expire_report *done;
};

/* A volume as it was found at one moment. */
struct found {
	struct catalog_volume row;
	struct catalog_pool pool;
	struct volume_stat st;
	uint64_t label_ns, expires_ns;
	bool due;
};

static bool may_expire(enum catalog_state s)
{
	return s == STATE_ASSIGNED || s == STATE_EXPIRED || s == STATE_ERROR || s == STATE_MIGRATED;
}

/* f->label_ns is told before. */
static int found_look(struct library *lib, uint64_t volume, struct found *f)
{
	int r = library_row(lib, volume, &f->row);

	if (!r)
		r = err_fold(catalog_pool_by_id(lib->cat, f->row.pool, &f->pool));
	if (!r)
		r = library_stat(lib, volume, &f->st);
	if (r)
		return r;
	f->expires_ns = library_expires(&f->row, &f->pool, &f->st, f->label_ns);
	f->due = may_expire(f->row.state) && f->expires_ns <= clock_retention_ns();
	return 0;
}

/* Only of what could be due without them: that may take a look at the tape. */
static int found_ask_labels(const struct expiry *x, struct found *f)
{
	bool could_be = f->due || !f->pool.expire_s;
	int r = 0;

	if (!f->pool.expire_label || !may_expire(f->row.state) || date_by_hand(&f->row, &f->st) || !could_be)
		return 0;
	f->label_ns = CATALOG_NEVER;
	if (x->cfg->label_expires)
		r = x->cfg->label_expires(x->cfg->ctx, f->row.id, &f->label_ns);
	f->expires_ns = library_expires(&f->row, &f->pool, &f->st, f->label_ns);
	f->due = !r && f->expires_ns <= clock_retention_ns();
	return r;
}

static bool in_use(struct library *lib, uint64_t volume, char why[WHY_MAX])
{
	struct held_by_whom whom = held_now(lib, volume);

	if (whom.by == HELD_BY_DRIVE || (whom.by != HELD_BY_NOBODY && whom.drive >= 0))
		snprintf(why, WHY_MAX, "loaded in drive nst%d", whom.drive);
	else if (whom.by != HELD_BY_NOBODY)
		snprintf(why, WHY_MAX, "being %s", whom.by == HELD_BY_WRITER ? "written" : "read");
	return whom.by != HELD_BY_NOBODY;
}

/* What is against its being scratch; a lock first, which nobody can do anything about. */
static bool is_kept(struct library *lib, const struct found *f, char why[WHY_MAX])
{
	const struct catalog_volume *v = &f->row;
	uint64_t locked = library_locked_until(lib, v);
	char when[32];

	if (locked)
		snprintf(why, WHY_MAX, "locked until %s", format_time(locked, when));
	else if (catalog_access_of(v, &f->pool) != ACCESS_PRIMARY || v->site || f->pool.site)
		snprintf(why, WHY_MAX, "another site's");
	else if (v->state == STATE_ERROR || v->state == STATE_MIGRATED)
		snprintf(why, WHY_MAX, "its state is %s", catalog_state_name(v->state));
	else if (v->protect)
		snprintf(why, WHY_MAX, "write protected");
	else if (v->worm && f->st.end.objects)
		snprintf(why, WHY_MAX, "WORM");
	else
		return false;
	return true;
}

/* Where it goes: its pool's scratch pool, if there is one of that name. */
static int scratch_pool(struct library *lib, const struct catalog_pool *from, struct catalog_pool *to)
{
	int r;

	*to = *from;
	if (!from->scratch[0])
		return 0;
	r = library_pool(lib, from->scratch, to);
	if (r == -ENOENT)
		return err_explain(r, "its scratch pool, %s, is not there", from->scratch);
	return r ? r : site_allows_in(lib, to, "moved into it");
}

static int scratch_stage(struct library *lib, struct kv_batch *b, const struct found *f, struct catalog_volume *row)
{
	struct catalog_pool to;
	int r = scratch_pool(lib, &f->pool, &to);

	if (!r && (f->st.end.objects || f->st.partitions > 1))
		r = volume_clear(lib->kv, b, row->id);
	if (r)
		return r;
	row->pool = to.id;
	row->image_eom = false;
	row_become(row, STATE_SCRATCH);
	return 0;
}

/* @f as it was a moment ago, in which it may have been locked, written, given another date. */
struct scratching { const struct found *f; struct catalog_volume row; char *why; };

/* Nobody has it.  1: it stays, .why; "" if it is not due any more. */
static int scratch_rows(struct library *lib, uint64_t volume, void *ctx)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct scratching *s = ctx;
	const struct found *f = s->f;
	struct found now = { .label_ns = f->label_ns };
	int r;

	LOCK_SCOPE(&lib->change);
	r = found_look(lib, volume, &now);
	if (r)
		return r;
	if (!now.due || now.st.generation != f->st.generation || now.st.end.objects != f->st.end.objects)
		return 1;
	if (is_kept(lib, &now, s->why))
		return 1;
	s->row = now.row;
	r = kv_batch_new(&b);
	if (!r)
		r = scratch_stage(lib, b, &now, &s->row);
	return r ? r : err_fold(catalog_volume_put(lib->cat, &s->row, b));
}

static int scratch_volume(struct library *lib, const struct found *f, struct catalog_volume *row, char why[WHY_MAX])
{
	struct scratching s = { .f = f, .why = why };
	int r = held_as_whole(lib, f->row.id, scratch_rows, &s);

	if (r == -EBUSY) {
		if (!in_use(lib, f->row.id, why))
			snprintf(why, WHY_MAX, "in use");
		return 1;
	}
	if (!r)
		*row = s.row;
	return r;
}

/* ---- what is told ---------------------------------------------------------------------------------------------- */

static int tell(const struct expiry *x, const struct found *f, enum library_expire what, const char *why)
{
	const struct library_expired e = { .volume = &f->row, .pool = f->pool.name, .expires_ns = f->expires_ns,
					   .bytes = f->st.end.bytes, .what = what, .why = why };

	x->done->scratched += what == EXPIRE_SCRATCHED;
	x->done->kept += what == EXPIRE_KEPT;
	x->done->failed += what == EXPIRE_FAILED;
	if (what == EXPIRE_SCRATCHED)
		x->done->bytes += e.bytes;
	return x->cfg->each ? x->cfg->each(x->cfg->ctx, &e) : 0;
}

static void event_expired(const struct expiry *x, const struct found *f)
{
	char about[LIBRARY_ABOUT_MAX], when[32];

	if (f->row.state == STATE_ASSIGNED)
		catalog_event(x->lib->cat, EVENT_VOLUME_EXPIRED, library_about(x->lib, &f->row, about), "since %s",
			      format_time(f->expires_ns, when));
}

static void event_scratched(const struct expiry *x, const struct found *f, const struct catalog_volume *row)
{
	char about[LIBRARY_ABOUT_MAX], was[LIBRARY_ABOUT_MAX], size[16];

	watch_writer_forget(x->lib, row->id);
	watch_tell(x->lib, row->id, WATCH_CHANGED);
	catalog_event(x->lib->cat, EVENT_VOLUME_SCRATCHED, library_about(x->lib, row, about),
		      "was %s, %s, generation %" PRIu64, library_about(x->lib, &f->row, was),
		      format_size(f->st.end.bytes, size), f->st.generation);
}

static void expire_mark(struct catalog_volume *row, void *ctx)
{
	if (row->state == STATE_ASSIGNED)
		row_become(row, STATE_EXPIRED);
}

/* Its date was moved ahead, or it was written on. */
static void expire_unmark(struct catalog_volume *row, void *ctx)
{
	if (row->state == STATE_EXPIRED)
		row_become(row, STATE_ASSIGNED);
}

/* What another site keeps has the state that is told there. */
static int keep(const struct expiry *x, const struct found *f, const char *why)
{
	bool ours = catalog_access_of(&f->row, &f->pool) == ACCESS_PRIMARY && !f->row.site;
	int r = 0;

	if (!x->cfg->dry_run && ours && f->row.state == STATE_ASSIGNED) {
		r = library_volume_change(x->lib, f->row.id, expire_mark, NULL);
		if (!r)
			event_expired(x, f);
	}
	return r ? r : tell(x, f, EXPIRE_KEPT, why);
}

static int expire_due(const struct expiry *x, const struct found *f)
{
	char why[WHY_MAX] = "";
	struct catalog_volume row;
	struct catalog_pool to;
	int r;

	if (is_kept(x->lib, f, why) || in_use(x->lib, f->row.id, why))
		return keep(x, f, why);
	r = scratch_pool(x->lib, &f->pool, &to);
	if (r) {
		snprintf(why, sizeof(why), "%s", err_text(r));
		return keep(x, f, why);
	}
	snprintf(why, sizeof(why), "to pool %s", to.name);
	if (x->cfg->dry_run)
		return tell(x, f, EXPIRE_SCRATCHED, why);
	why[0] = 0;
	r = scratch_volume(x->lib, f, &row, why);
	if (r > 0)
		return why[0] ? keep(x, f, why) : 0;
	if (r)
		return r;
	event_expired(x, f);
	event_scratched(x, f, &row);
	snprintf(why, sizeof(why), "to pool %s", to.name);
	return tell(x, f, EXPIRE_SCRATCHED, why);
}

/* A volume that was deleted in between is as it should be. */
static int expire_one(const struct expiry *x, uint64_t volume)
{
	struct found f = { .label_ns = 0 };
	int r;

	r = found_look(x->lib, volume, &f);
	if (!r)
		r = found_ask_labels(x, &f);
	if (r == -ENOENT)
		return 0;
	x->done->volumes++;
	if (!r && f.due)
		r = expire_due(x, &f);
	else if (!r && f.row.state == STATE_EXPIRED && !x->cfg->dry_run)
		r = library_volume_change(x->lib, volume, expire_unmark, NULL);
	if (r >= 0)
		return r;
	log_warn("volume number %" PRIu64 ": it does not expire: %s", volume, err_text(r));
	return tell(x, &f, EXPIRE_FAILED, err_text(r));
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

static int add_pool(void *ctx, const struct catalog_pool *p)
{
	return buf_append(ctx, &p->id, sizeof(p->id));
}

/* What is scratch needs no look: if it has been written nevertheless, it is not due yet. */
static int add_volume(void *ctx, const struct catalog_volume *v)
{
	return may_expire(v->state) ? buf_append(ctx, &v->id, sizeof(v->id)) : 0;
}

static int expire_pool(const struct expiry *x, uint32_t pool)
{
	CLEANUP(buf_fini) struct buf ids = BUF_INIT;
	uint64_t id;
	int r;

	r = err_fold(catalog_volume_each(x->lib->cat, pool, "", add_volume, &ids));
	for (size_t at = 0; !r && at < ids.len; at += sizeof(id)) {
		memcpy(&id, ids.data + at, sizeof(id));
		r = expire_one(x, id);
	}
	return r;
}

static void event_done(struct library *lib, const struct library_expire_report *done)
{
	char size[16];

	catalog_event(lib->cat, EVENT_EXPIRED, "",
		      "%" PRIu64 " volumes became scratch (%s), %" PRIu64 " expired ones kept, %" PRIu64 " failed",
		      done->scratched, format_size(done->bytes, size), done->kept, done->failed);
}

int library_expire(struct library *lib, const struct library_expire_config *cfg, struct library_expire_report *out)
{
	CLEANUP(buf_fini) struct buf pools = BUF_INIT;
	struct library_expire_report done = { 0 };
	const struct expiry x = { lib, cfg, &done };
	uint32_t pool;
	int r;

	r = cfg->pools ? buf_append(&pools, cfg->pools, cfg->pool_count * sizeof(pool))
		       : err_fold(catalog_pool_each(lib->cat, add_pool, &pools));
	for (size_t at = 0; !r && at < pools.len; at += sizeof(pool)) {
		memcpy(&pool, pools.data + at, sizeof(pool));
		r = expire_pool(&x, pool);
	}
	if (!cfg->dry_run)
		event_done(lib, &done);
	*out = done;
	return r;
}
