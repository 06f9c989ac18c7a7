/* SPDX-License-Identifier: BSD-2-Clause */
/* Retention locks: every act at every door, on tapes of every kind, and what the act may not do. */
#include "store.h"

#include "catalog/catalog_rows.h"

#define MINUTE_NS (60ull * 1000000000ull)
#define DAY_NS (24ull * 60 * MINUTE_NS)
#define T0 (20000ull * DAY_NS)

/* ---- one tape, of a kind ------------------------------------------------------------------------------------- */

/* "hello" is on it, "old" was before; it is in the pool vault; NEW is another one, for what takes two. */
struct rig {
	struct store *s;
	uint64_t tape, other;
};

static int lib_new(void **state)
{
	int r = store_new(state);

	clock_retention_set(T0);
	return r;
}

static int lib_free(void **state)
{
	int r = store_free(state);

	clock_retention_set(0);
	return r;
}

static uint64_t make_in(struct store *s, const char *pool, const char *name)
{
	struct catalog_volume row;

	assert_int_equal(library_volume_create(s->lib, pool, name, NULL, false, &row), 0);
	return row.id;
}

static struct rig rig_new(struct store *s)
{
	struct rig g = { .s = s };

	assert_int_equal(library_pool_create(s->lib, "vault", NULL, NULL), 0);
	assert_int_equal(library_pool_create(s->lib, "else", NULL, NULL), 0);
	g.tape = make_in(s, "vault", "TAPE");
	g.other = make_in(s, "else", "OTHER");
	write_text(s, g.tape, "old");
	write_text(s, g.tape, "hello");
	write_text(s, g.other, "other");
	return g;
}

static void be_free(struct rig *g) { (void)g; }

static void be_locked(struct rig *g)
{
	assert_int_equal(library_volume_lock(g->s->lib, g->tape, T0 + DAY_NS), 0);
}

static void be_in_a_locked_pool(struct rig *g)
{
	assert_int_equal(library_pool_lock(g->s->lib, "vault", T0 + DAY_NS), 0);
}

static void be_worm(struct rig *g)
{
	assert_int_equal(library_volume_change(g->s->lib, g->tape, set_worm, ON), 0);
}

static void be_protected(struct rig *g)
{
	assert_int_equal(library_volume_change(g->s->lib, g->tape, set_protect, ON), 0);
}

static uint32_t site_of(struct rig *g, const char *name)
{
	struct catalog_site site = { .number = UINT32_MAX };
	int r = catalog_site_get(g->s->cat, name, &site);

	if (r == CATALOG_E_NONE) {
		snprintf(site.name, sizeof(site.name), "%s", name);
		r = catalog_site_put(g->s->cat, &site);
	}
	assert_int_equal(r, 0);
	return site.number;
}

static void be_of_another_site(struct rig *g)
{
	assert_int_equal(library_volume_access(g->s->lib, g->tape, ACCESS_SECONDARY, site_of(g, "munich")), 0);
}

/* ---- the acts ---------------------------------------------------------------------------------------------------- */

static int act_erase(struct rig *g) { return library_volume_erase(g->s->lib, g->tape); }
static int act_delete(struct rig *g) { return library_volume_delete(g->s->lib, g->tape); }
static int act_replace_over(struct rig *g) { return library_volume_replace(g->s->lib, g->tape, g->other); }
static int act_replace_away(struct rig *g) { return library_volume_replace(g->s->lib, g->other, g->tape); }
static int act_move(struct rig *g) { return library_volume_move(g->s->lib, g->tape, "else", "TAPE"); }
static int act_rename(struct rig *g) { return library_volume_move(g->s->lib, g->tape, "vault", "NAME"); }
static int act_restore(struct rig *g) { return library_volume_restore(g->s->lib, g->tape, 1); }
static int act_ask(struct rig *g) { return library_may_overwrite(g->s->lib, g->tape); }
static int act_pool_destroy(struct rig *g) { return library_pool_destroy(g->s->lib, "vault", true); }
static int act_pool_rename(struct rig *g) { return library_pool_rename(g->s->lib, "vault", "safe"); }
static int act_protect_off(struct rig *g) { return library_volume_change(g->s->lib, g->tape, set_protect, OFF); }
static int act_worm_off(struct rig *g) { return library_volume_change(g->s->lib, g->tape, set_worm, OFF); }

static void unlock_row(struct catalog_volume *row, void *ctx) { row->locked_until_ns = 0; }
static int act_unlock_by_change(struct rig *g) { return library_volume_change(g->s->lib, g->tape, unlock_row, NULL); }

static int unlock_pool(struct catalog_pool *p, void *ctx)
{
	p->locked_until_ns = 0;
	p->keep_s = 0;
	p->worm = false;
	p->id = 99;
	strcpy(p->name, "other");
	return 0;
}
static int act_pool_set(struct rig *g) { return library_pool_change(g->s->lib, "vault", unlock_pool, NULL); }

/* Through an open file in tapes/: a claim. */
static int act_truncate(struct rig *g)
{
	struct volume *v;
	int r = library_claim(g->s->lib, g->tape, CLAIM_WRITE, &v);

	if (r)
		return r;
	r = volume_truncate(v, 0, 0);
	release(g->s, g->tape, CLAIM_WRITE);
	return r;
}

static int act_append(struct rig *g)
{
	struct volume *v;
	int r = library_claim(g->s->lib, g->tape, CLAIM_WRITE, &v);

	if (r)
		return r;
	r = volume_append_record(v, 0, "more", 4);
	release(g->s, g->tape, CLAIM_WRITE);
	return r;
}

/* In a drive. */
static int in_a_drive(struct rig *g, int (*act)(struct drive *d))
{
	struct drive *d;
	int r = library_load(g->s->lib, 0, g->tape);

	if (r)
		return r;
	assert_int_equal(library_drive_open(g->s->lib, 0, true, &d), 0);
	r = act(d);
	assert_int_equal(library_drive_close(g->s->lib, 0), 0);
	assert_int_equal(library_unload(g->s->lib, 0), 0);
	return r;
}

static int write_here(struct drive *d) { return drive_write_record(d, "evil", 4); }
static int mark_here(struct drive *d) { return drive_write_filemarks(d, 1, false); }
static int format_two(struct drive *d) { return drive_format(d, 2); }
static int write_behind(struct drive *d)
{
	int r = drive_space_eod(d);

	return r && r != TAPE_E_EOD ? r : drive_write_record(d, "more", 4);
}
static int act_drive_write(struct rig *g) { return in_a_drive(g, write_here); }
static int act_drive_mark(struct rig *g) { return in_a_drive(g, mark_here); }
static int act_drive_erase(struct rig *g) { return in_a_drive(g, drive_erase); }
static int act_drive_format(struct rig *g) { return in_a_drive(g, format_two); }
static int act_drive_append(struct rig *g) { return in_a_drive(g, write_behind); }

static int retract_mark(struct drive *d)
{
	int r = drive_space_eod(d);

	return r && r != TAPE_E_EOD ? r : drive_retract_filemark(d);
}
static int act_drive_retract(struct rig *g) { return in_a_drive(g, retract_mark); }

/* The mark behind the record is of an earlier time. */
static int act_cut_the_mark(struct rig *g)
{
	struct volume *v;
	int r = library_claim(g->s->lib, g->tape, CLAIM_WRITE, &v);

	if (r)
		return r;
	r = volume_truncate(v, 0, 1);
	release(g->s, g->tape, CLAIM_WRITE);
	return r;
}

static int format_sized(struct drive *d)
{
	return drive_format_sized(d, 2, (const uint64_t[TAPE_PARTITIONS_MAX]){ 1 << 20, 0 });
}
static int act_drive_format_sized(struct rig *g) { return in_a_drive(g, format_sized); }

/* ---- its life ---- */

static void expire_now(struct catalog_volume *row, void *ctx) { row->expires_ns = clock_retention_ns(); }

static int why_kept(void *ctx, const struct library_expired *e)
{
	snprintf(ctx, 256, "%s", e->why);
	return 0;
}

/* The words of what is kept are those of an error here. */
static int act_expire(struct rig *g)
{
	char why[256] = "nothing";
	const struct library_expire_config cfg = { .each = why_kept, .ctx = why };
	struct library_expire_report done;

	assert_int_equal(library_volume_change(g->s->lib, g->tape, expire_now, NULL), 0);
	assert_int_equal(library_expire(g->s->lib, &cfg, &done), 0);
	return done.scratched ? 0 : err_explain(-ECANCELED, "TAPE is kept: %s", why);
}

static int keep_nothing(struct catalog_pool *p, void *ctx) { p->keep_s = 0; return 0; }

static int collect(struct rig *g)
{
	const struct tape_gc_config gc = { 0 };
	struct library_gc_report done;

	return library_gc(g->s->lib, &gc, &done);
}

static int act_collect(struct rig *g)
{
	int r = library_pool_change(g->s->lib, "vault", keep_nothing, NULL);

	return r ? r : collect(g);
}

static int scratch_is_else(struct catalog_pool *p, void *ctx) { strcpy(p->scratch, "else"); return 0; }
static int act_expire_away(struct rig *g)
{
	int r = library_pool_change(g->s->lib, "else", keep_nothing, NULL);

	r = r ? r : library_pool_change(g->s->lib, "vault", scratch_is_else, NULL);
	r = r ? r : act_expire(g);
	collect(g);
	return r;
}

static int act_move_and_collect(struct rig *g)
{
	int r = library_pool_change(g->s->lib, "else", keep_nothing, NULL);

	r = r ? r : act_move(g);
	return r ? r : collect(g);
}

static int act_scratch(struct rig *g) { return library_volume_state(g->s->lib, g->tape, STATE_SCRATCH); }
static int act_error(struct rig *g) { return library_volume_state(g->s->lib, g->tape, STATE_ERROR); }
static int act_load_scratch(struct rig *g)
{
	uint64_t volume;

	return library_load_scratch(g->s->lib, 0, "vault", &volume);
}

/* ---- names, places, properties ---- */

static int act_rename_over(struct rig *g) { return library_volume_move(g->s->lib, g->tape, "vault", "OTHER"); }
static int act_rename_to_an_image(struct rig *g) { return library_volume_move(g->s->lib, g->tape, "vault", "TAPE.tap~"); }
static int act_be_named_so(struct rig *g) { return library_volume_move(g->s->lib, g->other, "vault", "TAPE"); }
static int act_pool_rename_over(struct rig *g) { return library_pool_rename(g->s->lib, "else", "vault"); }

static int act_create_again(struct rig *g)
{
	return library_volume_create(g->s->lib, "else", "TAPE", NULL, false, NULL);
}

static int act_replace_an_image(struct rig *g)
{
	struct catalog_volume in;
	int r = library_volume_create(g->s->lib, "else", ".in~", NULL, true, &in);

	return r ? r : library_volume_replace(g->s->lib, in.id, g->tape);
}

static int act_export(struct rig *g)
{
	const struct library_place port = { LIBRARY_PORT, 0 };
	struct library_place at;
	int r;

	assert_int_equal(library_places_set(g->s->lib, 4, 1), 0);
	assert_int_equal(library_where(g->s->lib, g->tape, &at), 0);
	r = library_move(g->s->lib, at, port);
	return r ? r : library_export(g->s->lib, 0);
}

static void set_small(struct catalog_volume *row, void *ctx) { row->capacity_bytes = 1 << 20; }
static int act_capacity(struct rig *g) { return library_volume_change(g->s->lib, g->tape, set_small, NULL); }

static int act_check(struct rig *g)
{
	const struct library_check_config cfg = { .data = true, .repair = true };
	struct library_checked done;

	return library_check(g->s->lib, &cfg, &done);
}

/* ---- locks ---- */

static int act_lock_shorter(struct rig *g) { return library_volume_lock(g->s->lib, g->tape, T0 + 60 * MINUTE_NS); }
static int act_pool_lock_shorter(struct rig *g) { return library_pool_lock(g->s->lib, "vault", T0 + 60 * MINUTE_NS); }

/* Whoever has read the rows before they were locked, and writes them back. */
static int act_old_rows(struct rig *g)
{
	struct catalog_volume row = row_of(g->s, g->tape);
	struct catalog_pool pool;
	int r = catalog_pool_get(g->s->cat, "vault", &pool);

	row.locked_until_ns = pool.locked_until_ns = 0;
	r = r ? r : catalog_volume_put(g->s->cat, &row, NULL);
	return r ? r : catalog_pool_put(g->s->cat, &pool);
}

/* ---- sites ---- */

static int give_away(struct rig *g)
{
	return library_volume_access(g->s->lib, g->tape, ACCESS_SECONDARY, site_of(g, "munich"));
}

static int act_give_away_and_delete(struct rig *g)
{
	int r = give_away(g);

	return r ? r : library_volume_delete(g->s->lib, g->tape);
}

static int act_give_away_and_collect(struct rig *g)
{
	int r = give_away(g);

	return r ? r : act_collect(g);
}

static int act_take_over(struct rig *g) { return library_volume_access(g->s->lib, g->tape, ACCESS_PRIMARY, 0); }

static int enroll(struct rig *g, const char *site, const char *serial)
{
	struct library_registration reg = { .pool = "else", .name = "TAPE", .site = site_of(g, site),
					    .access = ACCESS_SECONDARY, .generation = 99 };

	snprintf(reg.serial, sizeof(reg.serial), "%s", serial);
	return library_volume_register(g->s->lib, &reg, NULL);
}

static int act_register(struct rig *g) { return enroll(g, "berlin", row_of(g->s, g->tape).serial); }
static int act_register_another(struct rig *g) { return enroll(g, "berlin", "00112233445566AA"); }

static int give_pool_away(struct catalog_pool *p, void *ctx)
{
	p->access = ACCESS_SECONDARY;
	p->site = *(uint32_t *)ctx;
	return 0;
}

static int act_pool_given_away_and_destroyed(struct rig *g)
{
	uint32_t site = site_of(g, "munich");
	int r = library_pool_change(g->s->lib, "vault", give_pool_away, &site);

	return r ? r : act_pool_destroy(g);
}

#define PROT TAPE_E_PROTECTED
#define KEPT -ECANCELED
/* Expected: free, locked, in a locked pool, WORM, protected, another site's. */
static const struct act {
	const char *name;
	int (*act)(struct rig *g);
	int want[6];
	bool told;		/* a lock that refuses it is an event, without help from the door */
} acts[] = {
	{ "erase", act_erase, { 0, -EPERM, -EPERM, -EPERM, -EROFS, -EROFS }, true },
	{ "delete", act_delete, { 0, -EPERM, -EPERM, -EPERM, -EROFS, -EROFS }, true },
	{ "replace it", act_replace_over, { 0, -EPERM, -EPERM, -EPERM, -EROFS, -EROFS }, true },
	{ "replace another by it", act_replace_away, { 0, -EPERM, -EPERM, -EPERM, -EROFS, -EROFS }, true },
	{ "move to another pool", act_move, { 0, -EPERM, -EPERM, 0, 0, -EROFS }, true },
	{ "rename", act_rename, { 0, 0, 0, 0, 0, -EROFS }, false },
	{ "restore a generation", act_restore, { 0, -EPERM, -EPERM, -EPERM, -EROFS, -EROFS }, true },
	{ "ask before a transfer", act_ask, { 0, -EPERM, -EPERM, -EPERM, -EROFS, -EROFS }, true },
	{ "destroy the pool", act_pool_destroy, { 0, -EPERM, -EPERM, -EPERM, -EROFS, -EROFS }, true },
	{ "rename the pool", act_pool_rename, { 0, 0, 0, 0, 0, 0 }, false },
	{ "pool set keep=0 worm=off", act_pool_set, { 0, 0, 0, 0, 0, 0 }, false },
	{ "protect off", act_protect_off, { 0, 0, 0, 0, 0, 0 }, false },
	{ "worm off", act_worm_off, { 0, 0, 0, -EPERM, 0, 0 }, false },
	{ "unlock by a change", act_unlock_by_change, { 0, 0, 0, 0, 0, 0 }, false },
	{ "truncate", act_truncate, { 0, PROT, PROT, PROT, -EROFS, -EROFS }, false },
	{ "append", act_append, { 0, 0, 0, 0, -EROFS, -EROFS }, false },
	{ "drive: write at the beginning", act_drive_write, { 0, PROT, PROT, PROT, PROT, PROT }, false },
	{ "drive: a mark at the beginning", act_drive_mark, { 0, PROT, PROT, PROT, PROT, PROT }, false },
	{ "drive: erase", act_drive_erase, { 0, PROT, PROT, PROT, PROT, PROT }, false },
	{ "drive: format", act_drive_format, { 0, PROT, PROT, PROT, PROT, PROT }, false },
	{ "drive: append", act_drive_append, { 0, 0, 0, 0, PROT, PROT }, false },
	{ "cut an older mark", act_cut_the_mark, { 0, PROT, PROT, PROT, -EROFS, -EROFS }, false },
	{ "drive: take an older mark back", act_drive_retract,
	  { -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL }, false },
	{ "drive: format with sizes", act_drive_format_sized, { 0, PROT, PROT, PROT, PROT, PROT }, false },
	{ "expire", act_expire, { 0, KEPT, KEPT, KEPT, KEPT, KEPT }, false },
	{ "expire into a scratch pool that keeps nothing", act_expire_away, { 0, KEPT, KEPT, KEPT, KEPT, KEPT }, false },
	{ "pool set keep=0, collect", act_collect, { 0, 0, 0, 0, 0, 0 }, false },
	{ "move to a pool that keeps nothing, collect", act_move_and_collect,
	  { 0, -EPERM, -EPERM, 0, 0, -EROFS }, true },
	{ "state=scratch", act_scratch, { -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, -EROFS }, false },
	{ "state=error", act_error, { 0, 0, 0, 0, 0, -EROFS }, false },
	{ "load it as a scratch one", act_load_scratch,
	  { -ENOENT, -ENOENT, -ENOENT, -ENOENT, -ENOENT, -ENOENT }, false },
	{ "rename over another", act_rename_over, { -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EROFS }, false },
	{ "rename to what arrives", act_rename_to_an_image,
	  { -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL }, false },
	{ "rename another over it", act_be_named_so,
	  { -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST }, false },
	{ "rename a pool over its pool", act_pool_rename_over,
	  { -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST }, false },
	{ "create it once more", act_create_again, { -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST }, false },
	{ "replace an arriving image by it", act_replace_an_image,
	  { 0, -EPERM, -EPERM, -EPERM, -EROFS, -EROFS }, true },
	{ "out through a port", act_export, { 0, 0, 0, 0, 0, 0 }, false },
	{ "a smaller capacity", act_capacity, { 0, 0, 0, 0, 0, 0 }, false },
	{ "check --repair", act_check, { 0, 0, 0, 0, 0, 0 }, false },
	{ "a shorter lock", act_lock_shorter, { 0, -EPERM, 0, 0, 0, 0 }, true },
	{ "a shorter lock of the pool", act_pool_lock_shorter, { 0, 0, -EPERM, 0, 0, 0 }, true },
	{ "old rows of the catalog", act_old_rows, { 0, 0, 0, 0, 0, 0 }, false },
	{ "give it away, delete it", act_give_away_and_delete,
	  { -EROFS, -EROFS, -EROFS, -EROFS, -EROFS, -EROFS }, false },
	{ "give it away, keep=0, collect", act_give_away_and_collect, { 0, 0, 0, 0, 0, 0 }, false },
	{ "take it over", act_take_over, { 0, 0, 0, 0, 0, 0 }, false },
	{ "register it for another site", act_register,
	  { -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST }, false },
	{ "register another of that name", act_register_another,
	  { -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST, -EEXIST }, false },
	{ "give the pool away, destroy it", act_pool_given_away_and_destroyed,
	  { -EROFS, -EROFS, -EPERM, -EROFS, -EROFS, -EROFS }, false },
};

static const struct { const char *name; void (*be)(struct rig *g); bool locked; } kinds[6] = {
	{ "free", be_free, false },
	{ "locked", be_locked, true },
	{ "in a locked pool", be_in_a_locked_pool, true },
	{ "WORM", be_worm, false },
	{ "protected", be_protected, false },
	{ "another site's", be_of_another_site, false },
};

static int count_generation(void *ctx, const struct volume_stat *st) { (*(unsigned *)ctx)++; return 0; }

static unsigned generations(struct store *s, uint64_t id)
{
	unsigned n = 0;

	assert_int_equal(volume_history(s->kv, id, count_generation, &n), 0);
	return n;
}

/* It begins with "hello"; what is behind was appended. */
static void assert_begins_with_hello(struct store *s, uint64_t id)
{
	struct volume *v = claim(s, id, CLAIM_READ);
	struct volume_reader *r;
	char got[5];

	assert_int_equal(volume_reader_new(v, 0, &r), 0);
	assert_int_equal(volume_reader_read(r, 0, got, 5), 0);
	assert_memory_equal(got, "hello", 5);
	volume_reader_free(r);
	release(s, id, CLAIM_READ);
}

static void try_one(struct store *s, const struct act *a, size_t kind)
{
	const struct tape_gc_config gc = { 0 };
	struct library_gc_report done;
	struct rig g = rig_new(s);
	uint64_t locked;
	struct catalog_volume row;
	int r;

	kinds[kind].be(&g);
	row = row_of(s, g.tape);
	locked = library_locked_until(s->lib, &row);
	assert_int_equal(locked, kinds[kind].locked ? T0 + DAY_NS : 0);
	r = a->act(&g);
	if (r != a->want[kind])
		fail_msg("%s, %s: %d (%s), not %d", a->name, kinds[kind].name, r, r < 0 ? err_text(r) : "", a->want[kind]);
	/* An operator's act is refused with a name; a program's with a number. */
	if (r < 0 && r != -EINVAL && !strstr(err_text(r), "TAPE") && !strstr(err_text(r), "vault") &&
	    !strstr(err_text(r), "OTHER"))
		fail_msg("%s, %s: nobody knows of what \"%s\" is said", a->name, kinds[kind].name, err_text(r));
	if (kinds[kind].locked && r && a->told)
		assert_int_equal(events(s, EVENT_LOCK_REFUSED, NULL), 1);
	if (!kinds[kind].locked) {
		assert_int_equal(events(s, EVENT_LOCK_REFUSED, NULL), 0);
		if (!r)
			return;
	}
	/* Whatever it was: the tape is there, has what it had, its old generation too, and is locked as before. */
	assert_int_equal(library_gc(s->lib, &gc, &done), 0);
	store_cut(s);
	clock_retention_set(T0);
	assert_begins_with_hello(s, g.tape);
	assert_true(generations(s, g.tape) >= 2);
	row = row_of(s, g.tape);
	assert_int_equal(library_locked_until(s->lib, &row), locked);
	if (kinds[kind].locked)
		assert_text(s, g.other, "other");
}

static void every_act_on_every_kind_of_tape(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR - 1);	/* of clashes, of scratch volumes that are not there */
	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
			void *s;

			lib_new(&s);
			try_one(s, &acts[i], kind);
			lib_free(&s);
		}
	log_set_level(LOG_LEVEL_ERROR);
}

static void put_row(struct store *s, const struct row_key *key, const void *row, size_t len)
{
	struct kv_batch *b;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_CATALOG, key->b, key->len, row, len), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
}

/* Nobody knows whether such a pool is locked; so it is, until somebody has mended it. */
static void a_pool_whose_row_is_damaged_is_locked(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR - 1);
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		CLEANUP(buf_fini) struct buf row = BUF_INIT;
		struct catalog_volume tape;
		struct row_key key;
		struct rig g;
		void *s;

		if (acts[i].act == act_check)	/* mends it */
			continue;
		lib_new(&s);
		g = rig_new(s);
		be_in_a_locked_pool(&g);
		tape = row_of(s, g.tape);
		key = key_pool(tape.pool);
		assert_int_equal(kv_get(g.s->kv, KV_CATALOG, key.b, key.len, &row), 0);
		put_row(s, &key, "garbage", 7);
		store_cut(s);
		clock_retention_set(T0);
		assert_int_equal(library_locked_until(g.s->lib, &tape), UINT64_MAX);
		acts[i].act(&g);
		put_row(s, &key, row.data, row.len);
		store_cut(s);
		clock_retention_set(T0);
		assert_begins_with_hello(s, g.tape);
		if (generations(s, g.tape) < 2)
			fail_msg("%s: the old generation is gone", acts[i].name);
		lib_free(&s);
	}
	log_set_level(LOG_LEVEL_ERROR);
}

/* ---- how long ---------------------------------------------------------------------------------------------------- */

static void a_lock_only_gets_longer(void **state)
{
	struct store *s = *state;
	struct rig g = rig_new(s);
	struct catalog_volume row;

	assert_int_equal(library_volume_lock(s->lib, g.tape, T0 + 2 * DAY_NS), 0);
	assert_refused(library_volume_lock(s->lib, g.tape, T0 + DAY_NS), -EPERM, "only gets longer");
	assert_refused(library_volume_lock(s->lib, g.tape, 0), -EPERM, "TAPE");
	assert_int_equal(library_volume_lock(s->lib, g.tape, T0 + 2 * DAY_NS), 0);
	assert_int_equal(library_volume_lock(s->lib, g.tape, T0 + 3 * DAY_NS), 0);
	assert_refused(library_volume_lock(s->lib, g.other, T0 - 1), -EINVAL, "OTHER");
	assert_refused(library_volume_lock(s->lib, 4711, T0 + DAY_NS), -ENOENT, "4711");
	row = row_of(s, g.tape);
	assert_int_equal(library_locked_until(s->lib, &row), T0 + 3 * DAY_NS);

	assert_int_equal(library_pool_lock(s->lib, "vault", T0 + 4 * DAY_NS), 0);
	assert_refused(library_pool_lock(s->lib, "vault", T0 + DAY_NS), -EPERM, "vault");
	assert_refused(library_pool_lock(s->lib, "else", T0), -EINVAL, "else");
	assert_refused(library_pool_lock(s->lib, "none", T0 + DAY_NS), -ENOENT, "none");
	assert_int_equal(library_locked_until(s->lib, &row), T0 + 4 * DAY_NS);
	assert_int_equal(events(s, EVENT_LOCKED, "vault/TAPE"), 2);
	assert_int_equal(events(s, EVENT_LOCKED, "vault"), 1);
	assert_int_equal(events(s, EVENT_LOCK_REFUSED, "vault/TAPE"), 1);
	assert_int_equal(events(s, EVENT_LOCK_REFUSED, "vault"), 1);
}

static void a_lock_ends_on_the_retention_clock_and_on_no_other(void **state)
{
	struct store *s = *state;
	struct rig g = rig_new(s);
	struct catalog_volume row;

	assert_int_equal(library_volume_lock(s->lib, g.tape, T0 + DAY_NS), 0);
	clock_set(T0 + 4000 * DAY_NS);
	assert_int_equal(library_volume_erase(s->lib, g.tape), -EPERM);
	assert_int_equal(act_truncate(&g), TAPE_E_PROTECTED);
	clock_set(1);
	assert_int_equal(library_volume_delete(s->lib, g.tape), -EPERM);
	clock_set(0);
	clock_retention_set(T0 + DAY_NS);
	row = row_of(s, g.tape);
	assert_int_equal(library_locked_until(s->lib, &row), 0);
	/* A new one may be shorter than one that is over; and nothing is against it now. */
	assert_int_equal(library_volume_lock(s->lib, g.tape, T0 + DAY_NS + MINUTE_NS), 0);
	clock_retention_set(T0 + 2 * DAY_NS);
	assert_int_equal(act_truncate(&g), 0);
	assert_int_equal(library_volume_delete(s->lib, g.tape), 0);
}

static void a_lock_reaches_a_tape_that_is_being_written(void **state)
{
	struct store *s = *state;
	struct rig g = rig_new(s);
	struct volume *v = claim(s, g.tape, CLAIM_WRITE), *w = claim(s, g.other, CLAIM_WRITE);

	assert_int_equal(library_volume_lock(s->lib, g.tape, T0 + DAY_NS), 0);
	assert_int_equal(library_pool_lock(s->lib, "else", T0 + DAY_NS), 0);
	assert_int_equal(volume_truncate(v, 0, 0), TAPE_E_PROTECTED);
	assert_int_equal(volume_truncate(w, 0, 0), TAPE_E_PROTECTED);
	assert_int_equal(volume_append_record(v, 0, "more", 4), 0);
	release(s, g.tape, CLAIM_WRITE);
	release(s, g.other, CLAIM_WRITE);
	assert_text(s, g.tape, "hellomore");
	assert_text(s, g.other, "other");
	assert_refused(library_refused(s->lib, g.tape, "written over"), -EPERM, "TAPE is locked");
	assert_int_equal(events(s, EVENT_LOCK_REFUSED, "vault/TAPE"), 1);
}

static void a_refusal_is_told_once_a_minute(void **state)
{
	struct store *s = *state;
	struct rig g = rig_new(s);

	be_locked(&g);
	for (int i = 0; i < 5; i++)
		assert_int_equal(library_volume_delete(s->lib, g.tape), -EPERM);
	assert_int_equal(events(s, EVENT_LOCK_REFUSED, "vault/TAPE"), 1);
	assert_int_equal(library_pool_lock(s->lib, "else", T0 + DAY_NS), 0);
	assert_int_equal(library_volume_delete(s->lib, g.other), -EPERM);
	assert_int_equal(events(s, EVENT_LOCK_REFUSED, "else/OTHER"), 1);
}

/* ---- what is in a locked pool ------------------------------------------------------------------------------------ */

static void what_is_blank_is_kept_as_a_volume(void **state)
{
	struct store *s = *state;
	uint64_t blank;

	assert_int_equal(library_pool_create(s->lib, "vault", NULL, NULL), 0);
	blank = make_in(s, "vault", "BLANK");
	assert_int_equal(library_pool_lock(s->lib, "vault", T0 + DAY_NS), 0);
	assert_refused(library_volume_delete(s->lib, blank), -EPERM, "BLANK is locked");
	assert_int_equal(library_volume_erase(s->lib, blank), 0);
	write_text(s, blank, "first");
	assert_refused(library_volume_erase(s->lib, blank), -EPERM, "BLANK is locked");
	assert_text(s, blank, "first");
	assert_refused(library_pool_destroy(s->lib, "vault", false), -EPERM, "vault is locked");
}

static void an_empty_locked_pool_is_not_destroyed(void **state)
{
	struct store *s = *state;

	assert_int_equal(library_pool_create(s->lib, "vault", NULL, NULL), 0);
	assert_int_equal(library_pool_lock(s->lib, "vault", T0 + DAY_NS), 0);
	assert_refused(library_pool_destroy(s->lib, "vault", false), -EPERM, "vault is locked");
	assert_refused(library_pool_destroy(s->lib, "vault", true), -EPERM, "vault is locked");
	clock_retention_set(T0 + DAY_NS);
	assert_int_equal(library_pool_destroy(s->lib, "vault", false), 0);
}

/* An image that is arriving is no tape yet: it may be thrown away, gone on with, and become one. */
static void what_arrives_in_a_locked_pool_is_locked_once_it_is_a_tape(void **state)
{
	struct store *s = *state;
	struct rig g = rig_new(s);
	struct catalog_volume in;

	be_in_a_locked_pool(&g);
	assert_int_equal(library_volume_create(s->lib, "vault", ".in~", NULL, true, &in), 0);
	assert_int_equal(library_volume_delete(s->lib, in.id), 0);
	assert_int_equal(library_volume_create(s->lib, "vault", ".in~", NULL, true, &in), 0);
	assert_refused(library_volume_lock(s->lib, in.id, T0 + DAY_NS), -EBUSY, ".in~");
	write_text(s, in.id, "one");
	write_text(s, in.id, "two");
	assert_refused(library_volume_replace(s->lib, g.tape, in.id), -EPERM, "TAPE is locked");
	assert_int_equal(library_volume_move(s->lib, in.id, "vault", "IN"), 0);
	assert_refused(library_volume_erase(s->lib, in.id), -EPERM, "IN is locked");
	/* Moved in from another pool, too. */
	assert_int_equal(library_volume_move(s->lib, g.other, "vault", "OTHER"), 0);
	assert_refused(library_volume_move(s->lib, g.other, "else", "OTHER"), -EPERM, "OTHER is locked");
	assert_refused(library_volume_delete(s->lib, g.other), -EPERM, "OTHER is locked");
}

/* ---- old generations --------------------------------------------------------------------------------------------- */

static void old_generations_of_a_locked_tape_stay_whatever_the_pool_keeps(void **state)
{
	const struct tape_gc_config gc = { 0 };
	struct library_gc_report done;
	struct store *s = *state;
	struct rig g = rig_new(s);

	write_text(s, g.other, "another");
	be_locked(&g);
	assert_int_equal(library_pool_change(s->lib, "vault", keep_nothing, NULL), 0);
	assert_int_equal(library_pool_change(s->lib, "else", keep_nothing, NULL), 0);
	assert_int_equal(library_gc(s->lib, &gc, &done), 0);
	assert_int_equal(generations(s, g.tape), 2);
	assert_int_equal(generations(s, g.other), 1);
	clock_retention_set(T0 + DAY_NS);
	assert_int_equal(library_gc(s->lib, &gc, &done), 0);
	assert_int_equal(done.dropped_generations, 1);
	assert_int_equal(generations(s, g.tape), 1);
}

/* Somebody is to look at it, and may want what was on it before. */
static void old_generations_of_a_tape_in_error_stay_too(void **state)
{
	const struct tape_gc_config gc = { 0 };
	struct library_gc_report done;
	struct store *s = *state;
	struct rig g = rig_new(s);

	assert_int_equal(library_pool_change(s->lib, "vault", keep_nothing, NULL), 0);
	assert_int_equal(library_volume_state(s->lib, g.tape, STATE_ERROR), 0);
	assert_int_equal(library_gc(s->lib, &gc, &done), 0);
	assert_int_equal(generations(s, g.tape), 2);
	assert_int_equal(library_volume_state(s->lib, g.tape, STATE_ASSIGNED), 0);
	assert_int_equal(library_gc(s->lib, &gc, &done), 0);
	assert_int_equal(generations(s, g.tape), 1);
}

static void a_dry_run_drops_nothing(void **state)
{
	const struct tape_gc_config gc = { .dry_run = true };
	struct library_gc_report done;
	struct store *s = *state;
	struct rig g = rig_new(s);

	assert_int_equal(library_pool_change(s->lib, "vault", keep_nothing, NULL), 0);
	assert_int_equal(library_gc(s->lib, &gc, &done), 0);
	assert_int_equal(done.dropped_generations, 1);
	assert_int_equal(generations(s, g.tape), 2);
	assert_int_equal(events(s, EVENT_SPACE_FREED, NULL), 0);
}

/* While a tape's generations go, the next one is moved to where they are kept. */
static struct { struct store *s; uint64_t next; uint32_t pool; } meanwhile;
static void move_the_next(void *ctx, uint64_t volume, enum library_watch what)
{
	struct catalog_volume row;

	if (what != WATCH_DROPPED || !meanwhile.next)
		return;
	assert_true(volume != meanwhile.next);
	row = row_of(meanwhile.s, meanwhile.next);
	row.pool = meanwhile.pool;
	meanwhile.next = 0;
	assert_int_equal(catalog_volume_put(meanwhile.s->cat, &row, NULL), 0);
}

static void generations_are_kept_by_the_pool_that_the_tape_is_in_now(void **state)
{
	const struct tape_gc_config gc = { 0 };
	struct library_gc_report done;
	struct catalog_pool to;
	struct store *s = *state;
	struct rig g = rig_new(s);
	uint64_t next = make_in(s, "vault", "THEN");

	write_text(s, next, "one");
	write_text(s, next, "two");
	assert_int_equal(library_pool_change(s->lib, "vault", keep_nothing, NULL), 0);
	assert_int_equal(catalog_pool_get(s->cat, "else", &to), 0);
	meanwhile.s = s;
	meanwhile.next = next;
	meanwhile.pool = to.id;
	library_watch(s->lib, move_the_next, NULL);
	assert_int_equal(library_gc(s->lib, &gc, &done), 0);
	library_watch(s->lib, NULL, NULL);
	assert_int_equal(generations(s, g.tape), 1);
	assert_int_equal(generations(s, next), 2);
}

#define ON_A_LIBRARY(test) cmocka_unit_test_setup_teardown(test, lib_new, lib_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_act_on_every_kind_of_tape),
		cmocka_unit_test(a_pool_whose_row_is_damaged_is_locked),
		ON_A_LIBRARY(a_lock_only_gets_longer),
		ON_A_LIBRARY(a_lock_ends_on_the_retention_clock_and_on_no_other),
		ON_A_LIBRARY(a_lock_reaches_a_tape_that_is_being_written),
		ON_A_LIBRARY(a_refusal_is_told_once_a_minute),
		ON_A_LIBRARY(what_is_blank_is_kept_as_a_volume),
		ON_A_LIBRARY(an_empty_locked_pool_is_not_destroyed),
		ON_A_LIBRARY(what_arrives_in_a_locked_pool_is_locked_once_it_is_a_tape),
		ON_A_LIBRARY(old_generations_of_a_locked_tape_stay_whatever_the_pool_keeps),
		ON_A_LIBRARY(old_generations_of_a_tape_in_error_stay_too),
		ON_A_LIBRARY(a_dry_run_drops_nothing),
		ON_A_LIBRARY(generations_are_kept_by_the_pool_that_the_tape_is_in_now),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
