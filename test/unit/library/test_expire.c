/* SPDX-License-Identifier: BSD-2-Clause */
/* States and expiry: what is due, what is against it, what becomes of it, and what is told. */
#include "store.h"

#define DAY_NS (24ull * 3600 * 1000000000ull)
#define T0 (20000ull * DAY_NS)

static int lib_new(void **state)
{
	int r = store_new(state);

	clock_set(T0);
	clock_retention_set(0);
	return r;
}

static int lib_free(void **state)
{
	int r = store_free(state);

	clock_set(0);
	return r;
}

static void day(unsigned n)
{
	clock_set(T0 + n * DAY_NS);
}

static int set_words(struct catalog_pool *p, void *ctx)
{
	const char *const *word = ctx;
	int r = 0;

	for (; !r && *word; word += 2)
		r = catalog_pool_prop_set(p, word[0], word[1]);
	return r;
}

#define pool_set(s, pool, ...) \
	assert_int_equal(library_pool_change((s)->lib, pool, set_words, (void *)(const char *[]){ __VA_ARGS__, NULL }), 0)

/* What was told of each, in the order of names: "A1 scratched to pool default; " */
struct told { char text[1024]; struct library_expire_report done; uint64_t label_ns; int label_error; unsigned asked; };

static int hear(void *ctx, const struct library_expired *e)
{
	static const char *const names[] = { "scratched", "kept", "failed" };
	struct told *t = ctx;
	size_t n = strlen(t->text);

	snprintf(t->text + n, sizeof(t->text) - n, "%s %s %s; ", e->volume->name, names[e->what], e->why);
	return 0;
}

static int labels(void *ctx, uint64_t volume, uint64_t *expires_ns)
{
	struct told *t = ctx;

	t->asked++;
	*expires_ns = t->label_ns;
	return t->label_error;
}

static struct told expire_with(struct store *s, bool dry_run, uint64_t label_ns, int label_error)
{
	struct told t = { .label_ns = label_ns, .label_error = label_error };
	const struct library_expire_config cfg = { .dry_run = dry_run, .label_expires = labels, .each = hear, .ctx = &t };

	assert_int_equal(library_expire(s->lib, &cfg, &t.done), 0);
	return t;
}

static struct told expire(struct store *s)
{
	return expire_with(s, false, 0, 0);
}

static void set_expires(struct catalog_volume *row, void *ctx) { row->expires_ns = *(uint64_t *)ctx; }
static void set_copy(struct catalog_volume *row, void *ctx) { row->access = ACCESS_SECONDARY; }

static void expires_at(struct store *s, uint64_t id, uint64_t ns)
{
	assert_int_equal(library_volume_change(s->lib, id, set_expires, &ns), 0);
}

/* ---- dates ----------------------------------------------------------------------------------------------------- */

static void the_date_is_said_by_hand_or_counted_from_the_last_write(void **state)
{
	struct catalog_pool p = { .expire_s = 10 };
	struct catalog_volume v = { .assigned_ns = 5 };
	struct volume_stat st = { .written_ns = 7, .begun_ns = 6 };
	const uint64_t s = 1000000000;

	assert_true(library_expires(&v, &p, &st, 0) == 7 + 10 * s);
	st.begun_ns = 8;
	assert_true(library_expires(&v, &p, &st, 0) == 8 + 10 * s);
	v.assigned_ns = 9;
	assert_true(library_expires(&v, &p, &st, 0) == 9 + 10 * s);
	/* A label counts where it is asked for: not before it. */
	assert_true(library_expires(&v, &p, &st, 99 * s) == 9 + 10 * s);
	p.expire_label = true;
	assert_true(library_expires(&v, &p, &st, 99 * s) == 99 * s);
	assert_true(library_expires(&v, &p, &st, 1) == 9 + 10 * s);
	assert_true(library_expires(&v, &p, &st, CATALOG_NEVER) == CATALOG_NEVER);
	p.expire_s = 0;
	assert_true(library_expires(&v, &p, &st, 99 * s) == 99 * s);
	assert_true(library_expires(&v, &p, &st, 0) == CATALOG_NEVER);
	p.expire_label = false;
	assert_true(library_expires(&v, &p, &st, 99 * s) == CATALOG_NEVER);
	/* By hand, but not one of before the content began. */
	v.expires_ns = 20;
	assert_true(library_expires(&v, &p, &st, 99 * s) == 20);
	st.begun_ns = 21;
	assert_true(library_expires(&v, &p, &st, 0) == CATALOG_NEVER);
	v.expires_ns = CATALOG_NEVER;
	p.expire_s = 1;
	assert_true(library_expires(&v, &p, &st, 0) == CATALOG_NEVER);
	/* So long that it cannot be told. */
	v.expires_ns = 0;
	p.expire_s = UINT64_MAX;
	assert_true(library_expires(&v, &p, &st, 0) == CATALOG_NEVER);
	p.expire_s = UINT64_MAX / s;
	st.written_ns = T0;
	assert_true(library_expires(&v, &p, &st, 0) == CATALOG_NEVER);
}

static void what_has_no_date_never_expires(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1");
	struct told t;

	write_text(s, id, "data");
	day(100000);
	t = expire(s);
	assert_string_equal(t.text, "");
	assert_int_equal(t.done.volumes, 1);
	assert_text(s, id, "data");
	assert_int_equal(t.asked, 0);
}

/* ---- what becomes of it ---------------------------------------------------------------------------------------- */

static void an_expired_volume_becomes_blank_and_scratch(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1");
	struct catalog_volume v;
	struct told t;

	pool_set(s, "default", "expire", "30d");
	write_text(s, id, "data");
	v = row_of(s, id);
	assert_int_equal(v.state, STATE_ASSIGNED);
	assert_true(v.assigned_ns == T0);
	day(29);
	assert_int_equal(expire(s).done.scratched, 0);
	assert_text(s, id, "data");
	day(30);
	t = expire_with(s, true, 0, 0);
	assert_string_equal(t.text, "A1 scratched to pool default; ");
	assert_text(s, id, "data");
	assert_int_equal(events(s, EVENT_VOLUME_EXPIRED, NULL), 0);
	t = expire(s);
	assert_string_equal(t.text, "A1 scratched to pool default; ");
	assert_true(t.done.volumes == 1 && t.done.scratched == 1 && t.done.bytes == 4 && !t.done.kept && !t.done.failed);
	v = row_of(s, id);
	assert_int_equal(v.state, STATE_SCRATCH);
	assert_true(!v.assigned_ns && !v.expires_ns);
	assert_int_equal(stat_of(s, id).end.objects, 0);
	assert_int_equal(events(s, EVENT_VOLUME_EXPIRED, "default/A1"), 1);
	assert_int_equal(events(s, EVENT_VOLUME_SCRATCHED, "default/A1"), 1);
	assert_int_equal(events(s, EVENT_EXPIRED, ""), 2);
	assert_non_null(strstr(last_event(s, EVENT_EXPIRED), "1 volumes became scratch"));
	assert_int_equal(expire(s).done.scratched, 0);
	/* What was on it is a generation, and comes back with a date of its own. */
	assert_int_equal(library_volume_restore(s->lib, id, 1), 0);
	assert_text(s, id, "data");
	assert_int_equal(row_of(s, id).state, STATE_ASSIGNED);
	assert_int_equal(expire(s).done.scratched, 0);
	day(60);
	assert_int_equal(expire(s).done.scratched, 1);
}

static void it_goes_to_the_scratch_pool(void **state)
{
	struct catalog_pool to;
	struct store *s = *state;
	uint64_t id = make(s, "A1"), other = make(s, "A2");

	assert_int_equal(library_pool_create(s->lib, "free", NULL, &to), 0);
	assert_refused(library_pool_change(s->lib, "default", set_words, (const char *[]){ "scratch", "none-such", NULL }),
		       -ENOENT, "none-such");
	pool_set(s, "default", "expire", "1d", "scratch", "free");
	write_text(s, id, "data");
	write_text(s, other, "data");
	day(1);
	assert_int_equal(library_pool_rename(s->lib, "free", "empties"), 0);
	assert_string_equal(expire(s).text, "A1 scratched to pool empties; A2 scratched to pool empties; ");
	assert_int_equal(row_of(s, id).pool, to.id);
	assert_int_equal(row_of(s, id).state, STATE_SCRATCH);
	assert_int_equal(events(s, EVENT_VOLUME_SCRATCHED, "empties/A1"), 1);
	/* One that is gone keeps them where they are. */
	assert_int_equal(library_volume_move(s->lib, id, "default", "A1"), 0);
	assert_int_equal(library_volume_move(s->lib, other, "default", "A2"), 0);
	write_text(s, id, "data");
	assert_int_equal(library_pool_destroy(s->lib, "empties", false), 0);
	day(2);
	assert_string_equal(expire(s).text, "A1 kept its scratch pool, empties, is not there; ");
	assert_text(s, id, "data");
}

static void a_blank_one_that_was_assigned_by_hand_expires(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1");

	pool_set(s, "default", "expire", "1d");
	assert_int_equal(library_volume_state(s->lib, id, STATE_ASSIGNED), 0);
	assert_int_equal(expire(s).done.scratched, 0);
	day(1);
	assert_int_equal(expire(s).done.scratched, 1);
	assert_int_equal(row_of(s, id).state, STATE_SCRATCH);
	assert_int_equal(stat_of(s, id).generation, 1);
}

/* ---- what is against it ---------------------------------------------------------------------------------------- */

static void be_locked(struct store *s, uint64_t id)
{
	assert_int_equal(library_volume_lock(s->lib, id, T0 + 50 * DAY_NS), 0);
}
static void be_in_a_locked_pool(struct store *s, uint64_t id)
{
	assert_int_equal(library_pool_lock(s->lib, "default", T0 + 50 * DAY_NS), 0);
}
static void be_protected(struct store *s, uint64_t id)
{
	assert_int_equal(library_volume_change(s->lib, id, set_protect, ON), 0);
}
static void be_worm(struct store *s, uint64_t id)
{
	assert_int_equal(library_volume_change(s->lib, id, set_worm, ON), 0);
}
static void be_loaded(struct store *s, uint64_t id) { assert_int_equal(library_load(s->lib, 1, id), 0); }
static void be_read(struct store *s, uint64_t id) { claim(s, id, CLAIM_READ); }
static void be_a_copy(struct store *s, uint64_t id)
{
	assert_int_equal(library_volume_change(s->lib, id, set_copy, NULL), 0);
}
static void be_in_error(struct store *s, uint64_t id)
{
	assert_int_equal(library_volume_state(s->lib, id, STATE_ERROR), 0);
}
static int pool_of_others(struct catalog_pool *p, void *ctx)
{
	p->access = ACCESS_RESTRICTED;
	p->site = 1;
	return 0;
}
static void be_in_a_pool_of_others(struct store *s, uint64_t id)
{
	assert_int_equal(library_pool_change(s->lib, "default", pool_of_others, NULL), 0);
}

static const struct {
	void (*be)(struct store *s, uint64_t id);
	const char *why;
	enum catalog_state state;
} against[] = {
	{ be_locked, "A1 kept locked until ", STATE_EXPIRED },
	{ be_in_a_locked_pool, "A1 kept locked until ", STATE_EXPIRED },
	{ be_protected, "A1 kept write protected; ", STATE_EXPIRED },
	{ be_worm, "A1 kept WORM; ", STATE_EXPIRED },
	{ be_loaded, "A1 kept loaded in drive nst1; ", STATE_EXPIRED },
	{ be_read, "A1 kept being read; ", STATE_EXPIRED },
	{ be_a_copy, "A1 kept another site's; ", STATE_ASSIGNED },
	{ be_in_a_pool_of_others, "A1 kept another site's; ", STATE_ASSIGNED },
	{ be_in_error, "A1 kept its state is error; ", STATE_ERROR },
};

static void whatever_is_against_it_keeps_it(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(against); i++) {
		struct store *s;
		struct told t;
		uint64_t id;

		assert_int_equal(lib_new((void **)&s), 0);
		id = make(s, "A1");
		pool_set(s, "default", "expire", "30d");
		write_text(s, id, "data");
		against[i].be(s, id);
		day(40);
		for (int dry_run = 1; dry_run >= 0; dry_run--) {
			t = expire_with(s, dry_run, 0, 0);
			if (strncmp(t.text, against[i].why, strlen(against[i].why)))
				fail_msg("row %zu: \"%s\"", i, t.text);
			assert_true(t.done.kept == 1 && !t.done.scratched && !t.done.failed);
		}
		assert_text(s, id, "data");
		assert_int_equal(row_of(s, id).state, against[i].state);
		/* Told once, however often it is asked. */
		expire(s);
		assert_int_equal(events(s, EVENT_VOLUME_EXPIRED, NULL), against[i].state == STATE_EXPIRED);
		assert_int_equal(stat_of(s, id).generation, 1);
		if (against[i].be == be_read)
			release(s, id, CLAIM_READ);
		lib_free((void **)&s);
	}
}

static void it_goes_when_the_lock_is_over(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1");

	pool_set(s, "default", "expire", "30d");
	write_text(s, id, "data");
	be_locked(s, id);
	day(49);
	assert_int_equal(expire(s).done.kept, 1);
	day(50);
	assert_int_equal(expire(s).done.scratched, 1);
}

/* It is not the wall clock that locks and dates are measured with. */
static void a_wall_clock_set_forward_expires_nothing(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1");

	pool_set(s, "default", "expire", "30d");
	clock_retention_set(T0);
	write_text(s, id, "data");
	day(4000);
	assert_int_equal(expire(s).done.scratched, 0);
	clock_retention_set(T0 + 31 * DAY_NS);
	day(0);
	assert_int_equal(expire(s).done.scratched, 1);
	clock_retention_set(0);
}

/* ---- and back -------------------------------------------------------------------------------------------------- */

static void append(struct store *s, uint64_t id)
{
	struct volume *v = claim(s, id, CLAIM_WRITE);

	assert_int_equal(volume_append_record(v, 0, "more", 4), 0);
	release(s, id, CLAIM_WRITE);
}

static void an_expired_one_that_is_written_is_assigned_again(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1");

	pool_set(s, "default", "expire", "30d");
	write_text(s, id, "data");
	be_locked(s, id);
	day(40);
	expire(s);
	assert_int_equal(row_of(s, id).state, STATE_EXPIRED);
	/* Who only opens it for writing has not written. */
	claim(s, id, CLAIM_WRITE);
	release(s, id, CLAIM_WRITE);
	assert_int_equal(row_of(s, id).state, STATE_EXPIRED);
	append(s, id);
	assert_int_equal(row_of(s, id).state, STATE_ASSIGNED);
	day(60);
	assert_int_equal(expire(s).done.scratched, 0);
	day(70);
	assert_int_equal(expire(s).done.scratched, 1);
}

static void a_date_that_is_moved_ahead_makes_it_assigned_again(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1");

	write_text(s, id, "data");
	be_locked(s, id);
	expires_at(s, id, T0 + DAY_NS);
	day(2);
	assert_int_equal(expire(s).done.kept, 1);
	assert_int_equal(row_of(s, id).state, STATE_EXPIRED);
	expires_at(s, id, T0 + 3 * DAY_NS);
	expire_with(s, true, 0, 0);
	assert_int_equal(row_of(s, id).state, STATE_EXPIRED);
	assert_int_equal(expire(s).done.kept, 0);
	assert_int_equal(row_of(s, id).state, STATE_ASSIGNED);
}

/* A date by hand was for what was on it. */
static void what_is_written_over_forgets_the_date_said_by_hand(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1"), never = make(s, "A2");

	write_text(s, id, "old");
	write_text(s, never, "old");
	expires_at(s, id, T0 + DAY_NS);
	expires_at(s, never, CATALOG_NEVER);
	append(s, id);
	assert_true(row_of(s, id).expires_ns == T0 + DAY_NS);
	write_text(s, id, "new");
	write_text(s, never, "new");
	assert_true(row_of(s, id).expires_ns == 0);
	assert_true(row_of(s, never).expires_ns == CATALOG_NEVER);
	day(2);
	assert_int_equal(expire(s).done.scratched, 0);
	assert_text(s, id, "new");
	expires_at(s, id, T0 + 3 * DAY_NS);
	assert_int_equal(library_volume_erase(s->lib, id), 0);
	assert_true(row_of(s, id).expires_ns == 0);
}

/* So is one on what was replaced, or restored over. */
static void what_comes_in_its_place_forgets_the_date_too(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1"), never = make(s, "A2"), from = make(s, "A3");

	write_text(s, id, "old");
	write_text(s, never, "old");
	write_text(s, from, "new");
	expires_at(s, id, T0 + 2 * DAY_NS);
	expires_at(s, never, CATALOG_NEVER);
	day(1);
	assert_int_equal(library_volume_replace(s->lib, id, from), 0);
	assert_true(row_of(s, id).expires_ns == 0);
	from = make(s, "A3");
	write_text(s, from, "new");
	assert_int_equal(library_volume_replace(s->lib, never, from), 0);
	assert_true(row_of(s, never).expires_ns == CATALOG_NEVER);
	expires_at(s, id, T0 + 2 * DAY_NS);
	assert_int_equal(library_volume_restore(s->lib, id, stat_of(s, id).generation - 1), 0);
	assert_true(row_of(s, id).expires_ns == 0);
	day(3);
	assert_int_equal(expire(s).done.scratched, 0);
	assert_text(s, id, "old");
}

/* A clock of the year 1970 makes no tape old. */
static void what_is_written_while_the_wall_clock_is_behind_lasts_as_long(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1");

	pool_set(s, "default", "expire", "30d");
	clock_retention_set(T0);
	write_text(s, id, "data");
	clock_retention_set(T0 + 20 * DAY_NS);
	clock_set(1);
	append(s, id);
	clock_retention_set(T0 + 49 * DAY_NS);
	assert_int_equal(expire(s).done.scratched, 0);
	clock_retention_set(T0 + 51 * DAY_NS);
	assert_int_equal(expire(s).done.scratched, 1);
	clock_retention_set(0);
}

static int is_restricted(struct catalog_pool *p, void *ctx)
{
	p->access = ACCESS_RESTRICTED;
	p->site = *(uint32_t *)ctx;
	return 0;
}

/* It would be given away with it. */
static void a_scratch_pool_of_another_site_takes_none_of_ours(void **state)
{
	struct catalog_site site = { .number = UINT32_MAX, .name = "munich" };
	struct store *s = *state;
	uint64_t id = make(s, "A1");

	assert_int_equal(catalog_site_put(s->cat, &site), 0);
	assert_int_equal(library_pool_create(s->lib, "theirs", NULL, NULL), 0);
	pool_set(s, "default", "scratch", "theirs");
	assert_int_equal(library_pool_change(s->lib, "theirs", is_restricted, &site.number), 0);
	write_text(s, id, "data");
	expires_at(s, id, T0);
	assert_string_equal(expire(s).text, "A1 kept pool theirs is restricted, site munich writes it: nothing is moved into it; ");
	assert_text(s, id, "data");
}

/* ---- labels ---------------------------------------------------------------------------------------------------- */

static void a_label_is_asked_only_where_it_counts(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1");
	struct told t;

	write_text(s, id, "data");
	pool_set(s, "default", "expire-label", "on");
	assert_int_equal(expire_with(s, false, 0, 0).done.scratched, 0);
	assert_int_equal(expire_with(s, true, T0, 0).done.scratched, 1);
	pool_set(s, "default", "expire", "10d");
	t = expire_with(s, false, T0, 0);
	assert_true(!t.done.scratched && !t.asked);
	day(10);
	t = expire_with(s, true, T0 + 11 * DAY_NS, 0);
	assert_true(!t.done.scratched && t.asked == 1);
	t = expire_with(s, true, CATALOG_NEVER, 0);
	assert_true(!t.done.scratched && t.asked == 1);
	/* What cannot be told is no reason to let it go. */
	t = expire_with(s, false, 0, err_explain(-EIO, "cannot be read"));
	assert_string_equal(t.text, "A1 failed cannot be read; ");
	assert_text(s, id, "data");
	t = expire_with(s, false, T0 + 10 * DAY_NS, 0);
	assert_true(t.done.scratched == 1 && t.asked == 1);
}

static void without_anybody_who_reads_labels_nothing_expires_where_they_count(void **state)
{
	const struct library_expire_config cfg = { .dry_run = false };
	struct library_expire_report done;
	struct store *s = *state;
	uint64_t id = make(s, "A1");

	write_text(s, id, "data");
	pool_set(s, "default", "expire-label", "on", "expire", "1d");
	day(10);
	assert_int_equal(library_expire(s->lib, &cfg, &done), 0);
	assert_true(!done.scratched && !done.failed);
	expires_at(s, id, T0 + 10 * DAY_NS);
	assert_int_equal(library_expire(s->lib, &cfg, &done), 0);
	assert_int_equal(done.scratched, 1);
}

/* ---- by hand --------------------------------------------------------------------------------------------------- */

static void states_are_set_by_hand_where_they_can_be(void **state)
{
	struct catalog_volume in;
	struct store *s = *state;
	uint64_t id = make(s, "A1");

	assert_refused(library_volume_state(s->lib, id, STATE_EXPIRED), -EINVAL, "expired");
	assert_refused(library_volume_state(s->lib, id, STATE_INCOMING), -EINVAL, "incoming");
	write_text(s, id, "data");
	assert_refused(library_volume_state(s->lib, id, STATE_SCRATCH), -EPERM, "erase");
	assert_int_equal(library_volume_state(s->lib, id, STATE_ERROR), 0);
	assert_non_null(strstr(last_event(s, EVENT_VOLUME_CHANGED), "error, was assigned"));
	/* What is written on it does not make it better. */
	write_text(s, id, "more");
	assert_int_equal(row_of(s, id).state, STATE_ERROR);
	assert_int_equal(library_volume_state(s->lib, id, STATE_ASSIGNED), 0);
	assert_int_equal(library_volume_erase(s->lib, id), 0);
	assert_int_equal(library_volume_state(s->lib, id, STATE_ERROR), 0);
	assert_int_equal(library_volume_state(s->lib, id, STATE_SCRATCH), 0);
	be_a_copy(s, id);
	assert_refused(library_volume_state(s->lib, id, STATE_ERROR), -EROFS, "another site");
	assert_int_equal(library_volume_create(s->lib, "default", ".in", NULL, true, &in), 0);
	assert_refused(library_volume_state(s->lib, in.id, STATE_ERROR), -EBUSY, "being written");
}

/* ---- cuts ------------------------------------------------------------------------------------------------------ */

/* Its tape and the catalog's word are one write: before it all is as it was, behind it all is done. */
static void a_cut_finds_it_whole_or_scratch(void **state)
{
	for (unsigned at = 1; at <= 4; at++) {
		const struct library_expire_config cfg = { .dry_run = false };
		struct library_expire_report done;
		struct store *s;
		uint64_t id;

		assert_int_equal(lib_new((void **)&s), 0);
		id = make(s, "A1");
		assert_int_equal(library_pool_create(s->lib, "free", NULL, NULL), 0);
		pool_set(s, "default", "expire", "1d", "scratch", "free");
		write_text(s, id, "data");
		day(2);
		kv_mem_plan_fault(s->kv, at, -EIO);
		library_expire(s->lib, &cfg, &done);
		store_cut(s);
		if (row_of(s, id).state == STATE_SCRATCH) {
			assert_int_equal(stat_of(s, id).end.objects, 0);
		} else {
			assert_text(s, id, "data");
			assert_int_equal(library_expire(s->lib, &cfg, &done), 0);
			assert_int_equal(done.scratched, 1);
			assert_int_equal(row_of(s, id).state, STATE_SCRATCH);
		}
		lib_free((void **)&s);
	}
}

/* ---- at the same time ------------------------------------------------------------------------------------------ */

#define ROUNDS 200u

static void *expire_again_and_again(void *ctx)
{
	const struct library_expire_config cfg = { .dry_run = false };
	struct library_expire_report done;
	struct store *s = ctx;

	for (unsigned i = 0; i < ROUNDS; i++)
		if (library_expire(s->lib, &cfg, &done) || done.failed)
			return s;
	return NULL;
}

/* One lets go what has expired, another one writes, loads, and moves dates: what he was promised stays. */
static void what_is_given_another_date_in_time_stays(void **state)
{
	struct store *s = *state;
	uint64_t never = CATALOG_NEVER, past = T0, id = make(s, "A1");
	pthread_t thread;
	void *failed;

	day(1);
	assert_int_equal(pthread_create(&thread, NULL, expire_again_and_again, s), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		char text[16];

		snprintf(text, sizeof(text), "round %u", i);
		expires_at(s, id, never);
		write_text(s, id, text);
		assert_text(s, id, text);
		if (i % 3 == 0) {
			assert_int_equal(library_load(s->lib, 0, id), 0);
			expires_at(s, id, past);
			assert_text(s, id, text);
			assert_int_equal(library_unload(s->lib, 0), 0);
		}
		expires_at(s, id, past);
	}
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	expires_at(s, id, clock_retention_ns());
	expire(s);
	assert_int_equal(row_of(s, id).state, STATE_SCRATCH);
	assert_int_equal(stat_of(s, id).end.objects, 0);
}

#define ON_A_LIBRARY(test) cmocka_unit_test_setup_teardown(test, lib_new, lib_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_date_is_said_by_hand_or_counted_from_the_last_write),
		ON_A_LIBRARY(what_has_no_date_never_expires),
		ON_A_LIBRARY(an_expired_volume_becomes_blank_and_scratch),
		ON_A_LIBRARY(it_goes_to_the_scratch_pool),
		ON_A_LIBRARY(a_blank_one_that_was_assigned_by_hand_expires),
		cmocka_unit_test(whatever_is_against_it_keeps_it),
		ON_A_LIBRARY(it_goes_when_the_lock_is_over),
		ON_A_LIBRARY(a_wall_clock_set_forward_expires_nothing),
		ON_A_LIBRARY(an_expired_one_that_is_written_is_assigned_again),
		ON_A_LIBRARY(a_date_that_is_moved_ahead_makes_it_assigned_again),
		ON_A_LIBRARY(what_is_written_over_forgets_the_date_said_by_hand),
		ON_A_LIBRARY(what_comes_in_its_place_forgets_the_date_too),
		ON_A_LIBRARY(what_is_written_while_the_wall_clock_is_behind_lasts_as_long),
		ON_A_LIBRARY(a_scratch_pool_of_another_site_takes_none_of_ours),
		ON_A_LIBRARY(a_label_is_asked_only_where_it_counts),
		ON_A_LIBRARY(without_anybody_who_reads_labels_nothing_expires_where_they_count),
		ON_A_LIBRARY(states_are_set_by_hand_where_they_can_be),
		cmocka_unit_test(a_cut_finds_it_whole_or_scratch),
		ON_A_LIBRARY(what_is_given_another_date_in_time_stays),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
