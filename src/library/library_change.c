/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_change: volumes as wholes.  What changes the medium (erase, delete, replace) needs a volume that
 * nobody has, that is not protected, and that is no locked or WORM tape with something on it; what changes only the
 * catalog's word (rename, properties) is done at any time and handed on to the open volume.
 */
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

/* ---- what may be done to the medium ---------------------------------------------------------------------------- */

static int switch_allows(struct library *lib, const struct catalog_volume *row, const char *done)
{
	if (row->protect)
		return err_explain(-EROFS, "volume %s is write protected: it cannot be %s", row->name, done);
	return site_allows(lib, row, done);
}

int library_content_may_go(struct library *lib, const struct catalog_volume *row, const char *done)
{
	struct volume_stat st;
	int r = switch_allows(lib, row, done);

	if (r || (!row->worm && !library_locked_until(lib, row)))
		return r;
	r = library_stat(lib, row->id, &st);
	if (r || !st.end.objects)
		return r;
	r = lock_allows(lib, row, done);
	if (!r && row->worm)
		r = err_explain(-EPERM, "volume %s is WORM and has data: it cannot be %s", row->name, done);
	return r;
}

int library_volume_may_go(struct library *lib, const struct catalog_volume *row, const char *done)
{
	int r = switch_allows(lib, row, done);

	if (!r)
		r = lock_allows(lib, row, done);
	return r ? r : library_content_may_go(lib, row, done);
}

int library_may_overwrite(struct library *lib, uint64_t volume)
{
	struct catalog_volume row;
	int r = library_row(lib, volume, &row);

	return r ? r : library_content_may_go(lib, &row, "replaced");
}

/* ---- volumes --------------------------------------------------------------------------------------------------- */

static int volume_check_name(const char *name, bool incoming)
{
	size_t len = strlen(name);

	if (incoming ? len >= 1 && len <= BARCODE_MAX && !strchr(name, '/') : parse_is_name(name))
		return 0;
	return err_explain(-EINVAL, "\"%s\" is no name for a volume: 1 to %d of A-Z a-z 0-9 . _ - +", name,
			   BARCODE_MAX);
}

int library_volume_create(struct library *lib, const char *pool, const char *name, const struct catalog_perm *perm,
			  bool incoming, struct catalog_volume *out)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct catalog_volume row = { .state = incoming ? STATE_INCOMING : STATE_SCRATCH };
	char about[LIBRARY_ABOUT_MAX];
	struct catalog_pool p;
	int r;

	r = volume_check_name(name, incoming);
	if (!r)
		r = library_pool(lib, pool, &p);
	if (!r)
		r = site_allows_in(lib, &p, "made in it");
	if (!r)
		r = library_has_room(lib, name);
	if (!r)
		r = err_fold(catalog_volume_new_id(lib->cat, &row.id));
	if (!r)
		r = kv_batch_new(&b);
	if (!r)
		r = volume_create(b, row.id);
	if (r)
		return r;
	row.pool = p.id;
	snprintf(row.name, sizeof(row.name), "%s", name);
	row.perm = library_perm(perm, 0644);
	row.created_ns = clock_now_ns();
	/* What is still arriving may be written over: it is no tape yet. */
	row.worm = p.worm && !incoming;
	row.capacity_bytes = incoming ? 0 : p.capacity_bytes;
	r = place_volume_add(lib, &row, b);
	if (r == CATALOG_E_EXISTS)
		return site_name_taken(lib, name);
	if (r == CATALOG_E_NONE)
		return err_explain(-ENOENT, "there is no pool %s", pool);
	if (r)
		return err_fold(r);
	if (!incoming)
		catalog_event(lib->cat, EVENT_VOLUME_CREATED, library_about(lib, &row, about), "serial %s", row.serial);
	if (out)
		*out = row;
	return 0;
}

/* Nobody has it. */
static int volume_delete_rows(struct library *lib, uint64_t volume, void *ctx)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct catalog_volume *row = ctx;
	int r;

	LOCK_SCOPE(&lib->change);
	r = library_row(lib, volume, row);
	if (!r)
		r = site_allows_delete(lib, row);
	if (!r)
		r = kv_batch_new(&b);
	if (r)
		return r;
	r = volume_destroy(lib->kv, b, volume);
	/* It may be a row of the catalog whose tape is gone already. */
	if (!r || r == -ENOENT)
		r = place_volume_remove(lib, volume, b);
	return err_fold(r);
}

int library_volume_delete(struct library *lib, uint64_t volume)
{
	char about[LIBRARY_ABOUT_MAX];
	struct catalog_volume row;
	int r = held_as_whole(lib, volume, volume_delete_rows, &row);

	if (r)
		return r;
	watch_tell(lib, volume, WATCH_DELETED);
	collector_wake(lib);
	if (row.state != STATE_INCOMING)
		catalog_event(lib->cat, EVENT_VOLUME_DELETED, library_about(lib, &row, about), "serial %s", row.serial);
	return 0;
}

static void make_scratch(struct catalog_volume *row, void *ctx)
{
	row_become(row, STATE_SCRATCH);
	row->image_eom = false;
}

static int volume_blank(struct volume *v)
{
	struct volume_stat st;
	int r;

	volume_stat(v, &st);
	if (!st.end.objects && st.partitions == 1)
		return 0;
	r = volume_format(v, 1);
	/* We asked before: it was protected or locked since then. */
	if (r == TAPE_E_PROTECTED)
		return err_explain(-EPERM, "volume %s was locked: it is not erased", volume_attr(v)->barcode);
	return err_fold(r ? r : volume_commit(v));
}

int library_volume_erase(struct library *lib, uint64_t volume)
{
	char about[LIBRARY_ABOUT_MAX];
	struct catalog_volume row;
	struct volume *v;
	int r, released;

	r = library_row(lib, volume, &row);
	if (!r)
		r = library_content_may_go(lib, &row, "erased");
	if (!r)
		r = library_claim(lib, volume, CLAIM_WRITE, &v);
	if (r)
		return r;
	r = volume_blank(v);
	if (!r)
		r = library_volume_change(lib, volume, make_scratch, NULL);
	released = library_release(lib, volume, CLAIM_WRITE);
	watch_tell(lib, volume, WATCH_CHANGED);
	if (r || released)
		return r ? r : released;
	catalog_event(lib->cat, EVENT_VOLUME_ERASED, library_about(lib, &row, about), "serial %s", row.serial);
	return 0;
}

/* An arriving image has no end of medium of its own; the tape that it becomes may have one. */
static int volume_fits(const char *name, const struct volume_stat *st, uint64_t capacity_bytes)
{
	char has[16], may[16];

	if (!capacity_bytes || st->end.bytes <= capacity_bytes)
		return 0;
	return err_explain(-ENOSPC, "volume %s: %s of data do not fit on a tape of %s", name,
			   format_size(st->end.bytes, has), format_size(capacity_bytes, may));
}

/* What was an arriving image is a tape of its pool from now on. */
static int volume_arrive(struct library *lib, struct catalog_volume *row)
{
	struct catalog_pool pool;
	struct volume_stat st;
	int r;

	r = catalog_pool_by_id(lib->cat, row->pool, &pool);
	if (!r)
		r = library_stat(lib, row->id, &st);
	if (!r)
		r = volume_fits(row->name, &st, pool.capacity_bytes);
	if (r)
		return err_fold(r);
	row_become(row, st.end.objects ? STATE_ASSIGNED : STATE_SCRATCH);
	row->worm = pool.worm;
	row->capacity_bytes = pool.capacity_bytes;
	return 0;
}

static int volume_move_row(struct library *lib, uint64_t volume, const struct catalog_pool *pool, const char *name,
			   struct catalog_volume *was, struct catalog_volume *row)
{
	int r;

	LOCK_SCOPE(&lib->change);
	r = library_row(lib, volume, was);
	if (r)
		return r;
	r = volume_check_name(name, was->state == STATE_INCOMING);
	if (r)
		return r;
	r = site_allows(lib, was, "renamed or moved");
	if (!r && was->pool != pool->id)
		r = lock_allows(lib, was, "moved to another pool");
	if (!r && was->pool != pool->id)
		r = site_allows_in(lib, pool, "moved into it");
	if (r)
		return r;
	*row = *was;
	row->pool = pool->id;
	snprintf(row->name, sizeof(row->name), "%s", name);
	if (row->state == STATE_INCOMING && parse_is_name(name))
		r = volume_arrive(lib, row);
	if (!r)
		r = place_volume_put(lib, was, row);
	return r == CATALOG_E_EXISTS ? site_name_taken(lib, name) : err_fold(r);
}

int library_volume_move(struct library *lib, uint64_t volume, const char *pool, const char *name)
{
	char from[LIBRARY_ABOUT_MAX], to[LIBRARY_ABOUT_MAX];
	struct catalog_volume was, row;
	struct catalog_pool p;
	int r;

	r = library_pool(lib, pool, &p);
	if (!r)
		r = volume_move_row(lib, volume, &p, name, &was, &row);
	if (!r)
		r = held_refresh(lib, volume);
	if (r)
		return r;
	if (row.pool != was.pool || row.state != was.state)
		watch_tell(lib, volume, WATCH_CHANGED);
	library_about(lib, &row, to);
	if (was.state != STATE_INCOMING)
		catalog_event(lib->cat, EVENT_VOLUME_MOVED, to, "was %s", library_about(lib, &was, from));
	else if (row.state != STATE_INCOMING)
		catalog_event(lib->cat, EVENT_VOLUME_IMPORTED, to, "from an image");
	return 0;
}

/* What the catalog says of @to once @from's tape is in it: its own name and properties, times and modes of @from. */
static int volume_take_over(struct library *lib, struct catalog_volume *to, const struct catalog_volume *from,
			    bool image_eom)
{
	struct volume_stat st;
	int r;

	r = volume_peek(lib->kv, to->id, &st);
	if (r)
		return r;
	to->image_eom = image_eom;
	to->image_eom_generation = st.generation;
	if (to->state != STATE_INCOMING)
		row_become(to, st.end.objects ? STATE_ASSIGNED : STATE_SCRATCH);
	row_forget_date(to);
	to->perm = from->perm;
	/* The times of @from were set when it had been written: they hold. */
	if (to->perm.ctime_ns < st.written_ns)
		to->perm.ctime_ns = st.written_ns;
	return catalog_volume_put(lib->cat, to, NULL);
}

struct replacement { struct catalog_volume to, from; };

/*
 * Nobody has either.  One batch takes @from's tape to @to and @from out of the catalog; a crash before the catalog's
 * word of @to follows leaves the new content under the old times.
 */
static int volume_replace_rows(struct library *lib, struct catalog_volume *to_row, struct catalog_volume *from_row)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	uint64_t mtime_ns, to = to_row->id, from = from_row->id;
	struct volume_stat st = { 0 };
	int r;

	LOCK_SCOPE(&lib->change);
	r = library_row(lib, to, to_row);
	if (!r)
		r = library_content_may_go(lib, to_row, "replaced");
	if (!r)
		r = library_row(lib, from, from_row);
	if (!r)
		r = library_volume_may_go(lib, from_row, "moved");
	if (!r)
		r = volume_peek(lib->kv, from, &st);
	if (!r)
		r = volume_fits(to_row->name, &st, to_row->capacity_bytes);
	if (!r)
		r = kv_batch_new(&b);
	if (!r)
		r = volume_replace(lib->kv, b, to, from);
	if (!r)
		r = place_volume_remove(lib, from, b);
	if (r)
		return err_fold(r);
	mtime_ns = library_mtime_ns(from_row, &st);
	from_row->perm.mtime_ns = mtime_ns;
	return err_fold(volume_take_over(lib, to_row, from_row,
					 from_row->image_eom && from_row->image_eom_generation == st.generation));
}

static int with_both(struct library *lib, uint64_t higher, void *ctx)
{
	struct replacement *p = ctx;

	return volume_replace_rows(lib, &p->to, &p->from);
}

static int with_the_lower(struct library *lib, uint64_t lower, void *ctx)
{
	const struct replacement *p = ctx;

	return held_as_whole(lib, p->to.id == lower ? p->from.id : p->to.id, with_both, ctx);
}

int library_volume_replace(struct library *lib, uint64_t to, uint64_t from)
{
	struct replacement p = { .to.id = to, .from.id = from };
	char about[LIBRARY_ABOUT_MAX];
	int r;

	if (to == from)
		return 0;
	r = held_as_whole(lib, to < from ? to : from, with_the_lower, &p);
	if (r)
		return r;
	watch_writer_moves(lib, to, from);
	watch_tell(lib, from, WATCH_DELETED);
	watch_tell(lib, to, WATCH_CHANGED);
	watch_tell(lib, to, WATCH_WRITTEN);
	collector_wake(lib);
	if (p.to.state != STATE_INCOMING)
		catalog_event(lib->cat, EVENT_VOLUME_REPLACED, library_about(lib, &p.to, about),
			      "by what arrived as %s; the content before stays as a generation", p.from.name);
	return 0;
}

/* ---- properties ------------------------------------------------------------------------------------------------ */

static bool perm_equal(const struct catalog_perm *a, const struct catalog_perm *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

/* Is it something that whoever looks after the tapes wants to read about? */
static bool change_is_told(const struct catalog_volume *a, const struct catalog_volume *b)
{
	return a->protect != b->protect || a->worm != b->worm || a->capacity_bytes != b->capacity_bytes ||
	       a->record_bytes != b->record_bytes || a->access != b->access;
}

/*
 * With `change`.  The mtime shown is the tape's own if that was written after the last change of perm; so it is taken
 * over before a change of perm moves that moment.
 */
static int volume_edit(struct library *lib, uint64_t volume, void (*change)(struct catalog_volume *v, void *ctx),
		       void *ctx, struct catalog_volume *was, struct catalog_volume *row)
{
	struct volume_stat st;
	int r;

	r = library_row(lib, volume, was);
	if (!r)
		r = library_stat(lib, volume, &st);
	if (r)
		return err_fold(r);
	*row = *was;
	row->perm.mtime_ns = library_mtime_ns(was, &st);
	change(row, ctx);
	if (was->worm && !row->worm)
		return err_explain(-EPERM, "volume %s is WORM: it stays so", was->name);
	row->id = was->id;
	row->pool = was->pool;
	memcpy(row->name, was->name, sizeof(row->name));
	memcpy(row->serial, was->serial, sizeof(row->serial));
	row->locked_until_ns = was->locked_until_ns;	/* library_volume_lock()'s */
	if (was->state == STATE_INCOMING && row->state != STATE_INCOMING)
		r = volume_arrive(lib, row);
	if (!perm_equal(&was->perm, &row->perm) && row->perm.ctime_ns == was->perm.ctime_ns)
		row->perm.ctime_ns = clock_now_ns();
	return r ? r : err_fold(place_volume_put(lib, was, row));
}

int library_volume_change(struct library *lib, uint64_t volume, void (*change)(struct catalog_volume *v, void *ctx),
			  void *ctx)
{
	struct catalog_volume was = { 0 }, row = { 0 };
	char about[LIBRARY_ABOUT_MAX];
	int r;

	pthread_mutex_lock(&lib->change);
	r = volume_edit(lib, volume, change, ctx, &was, &row);
	pthread_mutex_unlock(&lib->change);
	if (!r)
		r = held_refresh(lib, volume);
	if (r)
		return r;
	if (was.state == STATE_INCOMING && row.state != STATE_INCOMING)
		watch_tell(lib, volume, WATCH_CHANGED);
	library_about(lib, &row, about);
	if (was.state == STATE_INCOMING && row.state != STATE_INCOMING)
		catalog_event(lib->cat, EVENT_VOLUME_IMPORTED, about, "from an image");
	else if (change_is_told(&was, &row))
		catalog_event(lib->cat, EVENT_VOLUME_CHANGED, about, "%s%sprotected, capacity %llu, record %llu",
			      row.worm ? "WORM, " : "", row.protect ? "" : "not ",
			      (unsigned long long)row.capacity_bytes, (unsigned long long)row.record_bytes);
	return 0;
}
