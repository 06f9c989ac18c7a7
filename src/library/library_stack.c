/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_stack: the next volume, for whoever asks for a scratch one, and by itself where a drive has a stacker.
 *
 * A scratch volume that comes from its pool's scratch pool is loaded first and moved to the pool then: two who ask at
 * the same time get two volumes, and one that cannot be moved goes out again.  Nothing is written to it in between, for
 * who asked has not been answered.
 */
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

/* ---- which ----------------------------------------------------------------------------------------------------- */

struct candidate { uint64_t id, since_ns; size_t at; };
struct choice {
	struct library *lib;
	struct buf found;	/* of struct candidate */
	uint64_t not_this;
	bool moves;		/* to another pool: not one that is locked */
};

static int add_scratch(void *ctx, const struct catalog_volume *v)
{
	struct choice *c = ctx;
	const struct candidate one = { .id = v->id, .at = c->found.len };

	if (v->state != STATE_SCRATCH || v->protect || library_access(c->lib, v) != ACCESS_PRIMARY || v->site ||
	    v->id == c->not_this)
		return 0;
	return buf_append(&c->found, &one, sizeof(one));
}

static int by_age(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->since_ns != y->since_ns)
		return x->since_ns < y->since_ns ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Blank, as the state says, and nobody has it?  Then since when. */
static bool is_free(const struct choice *c, struct candidate *one)
{
	struct catalog_volume row;
	struct volume_stat st;

	if (held_now(c->lib, one->id).by != HELD_BY_NOBODY || library_stat(c->lib, one->id, &st) || st.end.objects)
		return false;
	if (c->moves && (library_row(c->lib, one->id, &row) || library_locked_until(c->lib, &row)))
		return false;
	one->since_ns = st.begun_ns;
	return true;
}

/* Those that can be had, the one that has been scratch longest first. */
static int choose_scratch(struct choice *c, uint32_t pool)
{
	struct candidate *all;
	size_t n, kept = 0;
	int r;

	c->found.len = 0;
	r = err_fold(catalog_volume_each(c->lib->cat, pool, "", add_scratch, c));
	if (r || !c->found.len)
		return r;
	all = (struct candidate *)c->found.data;
	n = c->found.len / sizeof(*all);
	for (size_t i = 0; i < n; i++)
		if (is_free(c, &all[i]))
			all[kept++] = all[i];
	qsort(all, kept, sizeof(*all), by_age);
	c->found.len = kept * sizeof(*all);
	return 0;
}

/* ---- into the drive -------------------------------------------------------------------------------------------- */

static int load(struct library *lib, unsigned n, bool open, uint64_t volume)
{
	return open ? bay_load_open(lib, n, volume) : library_load(lib, n, volume);
}

static void make_worm(struct catalog_volume *row, void *ctx)
{
	row->worm = true;
}

/* As it would have been made there. */
static int draw(struct library *lib, uint64_t volume, const struct catalog_pool *to)
{
	struct catalog_volume row;
	int r = library_row(lib, volume, &row);

	if (!r)
		r = library_volume_move(lib, volume, to->name, row.name);
	if (!r && to->worm && !row.worm)
		r = library_volume_change(lib, volume, make_worm, NULL);
	return r;
}

static int load_and_draw(struct library *lib, unsigned n, bool open, uint64_t volume, const struct catalog_pool *to)
{
	int r = load(lib, n, open, volume);

	if (r || !to)
		return r;
	r = draw(lib, volume, to);
	if (!r)
		return 0;
	/* The words are those of why it cannot be used. */
	if (open ? bay_unload_open(lib, n) : library_unload(lib, n))
		log_error("drive nst%u: volume number %llu stays in it: %s", n, (unsigned long long)volume,
			  err_text(r));
	return r;
}

/* Is it the drive that cannot take any volume? */
static bool drive_is_taken(struct library *lib, unsigned n, bool open)
{
	struct library_drive d;

	return library_drive_info(lib, n, &d) || d.loaded || (!open && d.open);
}

/* The first that can be loaded.  CATALOG_E_NONE: none.  @to: where it goes if it is not there. */
static int load_one_of(struct choice *c, unsigned n, bool open, const struct catalog_pool *to, uint64_t *volume)
{
	const struct candidate *one = (const struct candidate *)c->found.data;
	int r;

	for (size_t i = 0; i < c->found.len / sizeof(*one); i++) {
		r = load_and_draw(c->lib, n, open, one[i].id, to);
		if (!r)
			*volume = one[i].id;
		/* Somebody was quicker. */
		if ((r != -EBUSY && r != -ENOENT) || drive_is_taken(c->lib, n, open))
			return r;
	}
	return CATALOG_E_NONE;
}

static int load_scratch_of(struct library *lib, unsigned n, bool open, const struct catalog_pool *pool,
			   uint64_t not_this, uint64_t *volume)
{
	struct choice c = { .lib = lib, .found = BUF_INIT, .not_this = not_this };
	struct catalog_pool other;
	int r;

	r = choose_scratch(&c, pool->id);
	if (!r)
		r = load_one_of(&c, n, open, NULL, volume);
	if (r == CATALOG_E_NONE && pool->scratch[0] && !catalog_pool_get(lib->cat, pool->scratch, &other) &&
	    other.id != pool->id) {
		c.moves = true;
		r = choose_scratch(&c, other.id);
		if (!r)
			r = load_one_of(&c, n, open, pool, volume);
	}
	buf_fini(&c.found);
	return r;
}

static int no_scratch(struct library *lib, unsigned n, const struct catalog_pool *pool)
{
	char drive[16];

	snprintf(drive, sizeof(drive), "nst%u", n);
	catalog_event(lib->cat, EVENT_NO_SCRATCH, drive, "pool %s has no scratch volume", pool->name);
	return err_explain(-ENOENT, "pool %s has no scratch volume%s%s", pool->name,
			   pool->scratch[0] ? ", nor has its scratch pool " : "", pool->scratch);
}

int library_load_scratch(struct library *lib, unsigned n, const char *name, uint64_t *volume)
{
	struct catalog_pool pool;
	struct library_drive d;
	int r;

	r = library_drive_info(lib, n, &d);
	if (!r)
		r = library_pool(lib, name, &pool);
	if (!r && d.loaded)
		r = err_explain(-EBUSY, "drive nst%u has a volume in it", n);
	if (!r)
		r = load_scratch_of(lib, n, false, &pool, 0, volume);
	return r == CATALOG_E_NONE ? no_scratch(lib, n, &pool) : r;
}

/* ---- by itself ------------------------------------------------------------------------------------------------- */

static int first_tape(void *ctx, const struct catalog_volume *v)
{
	struct catalog_volume *out = ctx;

	if (v->state == STATE_INCOMING || v->state == STATE_ERROR)
		return 0;
	*out = *v;
	return 1;
}

/* In the order of names, behind the last that was in it; one of another pool was not part of the row. */
static int load_behind(struct library *lib, unsigned n, bool open, const struct catalog_pool *pool, uint64_t last)
{
	struct catalog_volume row, next = { .id = 0 };
	const char *after = "";
	char drive[16];
	int r;

	if (last && !library_row(lib, last, &row) && row.pool == pool->id)
		after = row.name;
	r = catalog_volume_each(lib->cat, pool->id, after, first_tape, &next);
	if (r < 0)
		return r;
	if (r)
		return load(lib, n, open, next.id);
	snprintf(drive, sizeof(drive), "nst%u", n);
	catalog_event(lib->cat, EVENT_NO_SCRATCH, drive, "pool %s has no volume behind %s", pool->name, after);
	return err_explain(-ENOENT, "pool %s has no volume behind %s", pool->name, after);
}

int stack_next(struct library *lib, unsigned n, bool open)
{
	struct catalog_stacker s;
	struct catalog_pool pool;
	uint64_t volume;
	int r;

	r = catalog_stacker_get(lib->cat, n, &s);
	if (r)
		return err_fold(r);
	if (s.mode == STACKER_OFF)
		return CATALOG_E_NONE;
	r = catalog_pool_by_id(lib->cat, s.pool, &pool);
	if (r)
		return r < 0 ? r : err_explain(-ENOENT, "the pool of the stacker of drive nst%u is not there", n);
	if (s.mode == STACKER_ALL)
		return load_behind(lib, n, open, &pool, bay_last(lib, n));
	r = load_scratch_of(lib, n, open, &pool, bay_last(lib, n), &volume);
	return r == CATALOG_E_NONE ? no_scratch(lib, n, &pool) : r;
}

void library_stack(struct library *lib, unsigned n)
{
	int r = n < lib->drives ? stack_next(lib, n, false) : 0;

	if (r < 0)
		log_warn("drive nst%u: its stacker loads nothing: %s", n, err_text(r));
}
