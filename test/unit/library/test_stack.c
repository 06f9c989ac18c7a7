/* SPDX-License-Identifier: BSD-2-Clause */
/* The next volume: for whoever asks for a scratch one, and by itself in a drive that has a stacker. */
#include "store.h"

#define DAY_NS (24ull * 3600 * 1000000000ull)
#define T0 (20000ull * DAY_NS)

static int lib_new(void **state)
{
	int r;

	clock_set(T0);
	r = store_new(state);
	clock_retention_set(0);
	return r;
}

static int lib_free(void **state)
{
	int r = store_free(state);

	clock_set(0);
	return r;
}

static uint64_t make_in(struct store *s, const char *pool, const char *name)
{
	struct catalog_volume row;

	assert_int_equal(library_volume_create(s->lib, pool, name, NULL, false, &row), 0);
	return row.id;
}

static uint64_t load_scratch(struct store *s, unsigned n, const char *pool)
{
	uint64_t id = 0;
	int r = library_load_scratch(s->lib, n, pool, &id);

	if (r)
		fail_msg("%s", err_text(r));
	return id;
}

static uint64_t loaded(struct store *s, unsigned n)
{
	struct library_drive d;

	assert_int_equal(library_drive_info(s->lib, n, &d), 0);
	return d.loaded ? d.volume : 0;
}

static void stacker(struct store *s, enum catalog_stacker_mode mode, const char *pool)
{
	struct catalog_pool p;

	assert_int_equal(catalog_pool_get(s->cat, pool, &p), 0);
	assert_int_equal(catalog_stacker_put(s->cat, 0, &(struct catalog_stacker){ mode, p.id }), 0);
}

/* What a program does that writes until the tape ends, or not, and takes it offline. */
static int write_and_eject(struct store *s, const char *text)
{
	struct drive *d;
	int r;

	assert_int_equal(library_drive_open(s->lib, 0, true, &d), 0);
	if (text)
		assert_int_equal(drive_write_record(d, text, strlen(text)), 0);
	r = library_drive_eject(s->lib, 0);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	return r;
}

static int use_scratch_pool(struct catalog_pool *p, void *ctx)
{
	return catalog_pool_prop_set(p, "scratch", ctx);
}

static int be_worm(struct catalog_pool *p, void *ctx) { p->worm = true; return 0; }

/* ---- asked for ------------------------------------------------------------------------------------------------- */

static void the_one_that_has_been_scratch_longest_comes_first(void **state)
{
	struct store *s = *state;
	uint64_t b, a, c, got;

	c = make(s, "C");
	clock_set(T0 + 1);
	b = make(s, "B");
	a = make(s, "A");
	clock_set(T0 + 2);
	write_text(s, c, "data");
	assert_int_equal(library_volume_erase(s->lib, c), 0);
	assert_int_equal(load_scratch(s, 0, "default"), a);
	assert_int_equal(load_scratch(s, 1, "default"), b);
	assert_refused(library_load_scratch(s->lib, 1, "default", &got), -EBUSY, "nst1 has a volume in it");
	assert_int_equal(library_unload(s->lib, 1), 0);
	write_text(s, b, "data");
	assert_int_equal(load_scratch(s, 1, "default"), c);
	assert_int_equal(events(s, EVENT_LOADED, "nst1"), 2);
}

static void whatever_is_no_scratch_tape_of_ours_is_passed_over(void **state)
{
	struct store *s = *state;
	uint64_t written = make(s, "A1"), protected = make(s, "A2"), error = make(s, "A3"), assigned = make(s, "A4"),
		 busy = make(s, "A5"), good = make(s, "A6"), got;

	write_text(s, written, "data");
	assert_int_equal(library_volume_change(s->lib, protected, set_protect, ON), 0);
	assert_int_equal(library_volume_state(s->lib, error, STATE_ERROR), 0);
	assert_int_equal(library_volume_state(s->lib, assigned, STATE_ASSIGNED), 0);
	claim(s, busy, CLAIM_WRITE);
	assert_int_equal(load_scratch(s, 0, "default"), good);
	assert_refused(library_load_scratch(s->lib, 1, "default", &got), -ENOENT, "default has no scratch volume");
	assert_int_equal(events(s, EVENT_NO_SCRATCH, "nst1"), 1);
	release(s, busy, CLAIM_WRITE);
	assert_refused(library_load_scratch(s->lib, 1, "none-such", &got), -ENOENT, "none-such");
	assert_refused(library_load_scratch(s->lib, 9, "default", &got), -ENOENT, "nst9");
}

static void the_scratch_pool_gives_one_and_it_is_the_pools_then(void **state)
{
	struct catalog_pool work;
	struct store *s = *state;
	uint64_t own, locked, drawn, got;

	assert_int_equal(library_pool_create(s->lib, "work", NULL, &work), 0);
	assert_int_equal(library_pool_create(s->lib, "free", NULL, NULL), 0);
	assert_int_equal(library_pool_change(s->lib, "work", use_scratch_pool, (char []){ "free" }), 0);
	assert_int_equal(library_pool_change(s->lib, "work", be_worm, NULL), 0);
	locked = make_in(s, "free", "F1");
	drawn = make_in(s, "free", "F2");
	assert_int_equal(library_volume_lock(s->lib, locked, T0 + DAY_NS), 0);
	clock_set(T0 + 1);
	own = make_in(s, "work", "W1");
	assert_int_equal(load_scratch(s, 0, "work"), own);
	assert_int_equal(load_scratch(s, 1, "work"), drawn);
	assert_int_equal(row_of(s, drawn).pool, work.id);
	assert_true(row_of(s, drawn).worm);
	assert_int_equal(library_unload(s->lib, 0), 0);
	write_text(s, own, "data");
	assert_refused(library_load_scratch(s->lib, 0, "work", &got), -ENOENT, "nor has its scratch pool free");
	assert_int_equal(loaded(s, 0), 0);
}

static void a_drive_that_is_in_use_gets_none(void **state)
{
	struct store *s = *state;
	struct drive *d;
	uint64_t got;

	for (unsigned i = 0; i < 20; i++)
		make(s, (char[]){ 'A', (char)('a' + i), 0 });
	assert_int_equal(library_drive_open(s->lib, 0, false, &d), 0);
	/* It is not each volume that is in the way. */
	uint64_t begun = clock_mono_ns();
	assert_refused(library_load_scratch(s->lib, 0, "default", &got), -EBUSY, "in use by a program");
	assert_true(clock_mono_ns() - begun < 2000000000ull);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
}

/* ---- by itself ------------------------------------------------------------------------------------------------- */

static void without_a_stacker_the_drive_stays_empty(void **state)
{
	struct store *s = *state;
	uint64_t id = make(s, "A1");

	make(s, "A2");
	assert_int_equal(library_load(s->lib, 0, id), 0);
	assert_int_equal(write_and_eject(s, "data"), 0);
	assert_int_equal(loaded(s, 0), 0);
	library_stack(s->lib, 0);
	assert_int_equal(loaded(s, 0), 0);
}

static void the_next_scratch_one_comes_when_a_program_ejects(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A1"), b = make(s, "A2"), c = make(s, "A3");
	struct drive *d;

	stacker(s, STACKER_SCRATCH, "default");
	assert_int_equal(load_scratch(s, 0, "default"), a);
	assert_int_equal(write_and_eject(s, "one"), 0);
	assert_int_equal(loaded(s, 0), b);
	/* The one that just came out is not the next, blank as it is. */
	assert_int_equal(write_and_eject(s, NULL), 0);
	assert_int_equal(loaded(s, 0), c);
	assert_int_equal(write_and_eject(s, "three"), 0);
	assert_int_equal(loaded(s, 0), b);
	/* What is written goes to it at once: it is the same program's. */
	assert_int_equal(library_drive_open(s->lib, 0, true, &d), 0);
	assert_int_equal(library_drive_eject(s->lib, 0), 0);
	assert_int_equal(library_drive_reload(s->lib, 0), -EIO);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(events(s, EVENT_NO_SCRATCH, "nst0"), 2);
	assert_text(s, a, "one");
	assert_text(s, c, "three");
	/* By an operator's hand nothing comes by itself. */
	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_int_equal(loaded(s, 0), 0);
	library_stack(s->lib, 0);
	assert_int_equal(loaded(s, 0), b);
}

static void a_program_writes_on_without_opening_again(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A1"), b = make(s, "A2");
	struct drive *d;

	stacker(s, STACKER_SCRATCH, "default");
	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_int_equal(library_drive_open(s->lib, 0, true, &d), 0);
	assert_int_equal(drive_write_record(d, "one", 3), 0);
	assert_int_equal(library_drive_eject(s->lib, 0), 0);
	assert_int_equal(drive_write_record(d, "two", 3), 0);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_text(s, a, "one");
	assert_text(s, b, "two");
	assert_int_equal(row_of(s, b).state, STATE_ASSIGNED);
}

static void a_load_asks_the_stacker_too(void **state)
{
	struct store *s = *state;
	struct drive *d;
	uint64_t b;

	assert_int_equal(library_load(s->lib, 0, make(s, "A1")), 0);
	stacker(s, STACKER_SCRATCH, "default");
	assert_int_equal(write_and_eject(s, "one"), 0);
	assert_int_equal(loaded(s, 0), 0);
	b = make(s, "A2");
	assert_int_equal(library_drive_open(s->lib, 0, false, &d), 0);
	assert_int_equal(library_drive_reload(s->lib, 0), 0);
	assert_int_equal(library_drive_reload(s->lib, 0), 0);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(loaded(s, 0), b);
}

static void all_of_a_pool_come_in_the_order_of_names(void **state)
{
	struct store *s = *state;
	uint64_t c = make(s, "C"), a = make(s, "A"), b = make(s, "B"), bad = make(s, "BB"), other;

	assert_int_equal(library_pool_create(s->lib, "else", NULL, NULL), 0);
	other = make_in(s, "else", "AA");
	assert_int_equal(library_volume_state(s->lib, bad, STATE_ERROR), 0);
	stacker(s, STACKER_ALL, "default");
	write_text(s, a, "one");
	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_int_equal(write_and_eject(s, NULL), 0);
	assert_int_equal(loaded(s, 0), b);
	assert_int_equal(write_and_eject(s, NULL), 0);
	assert_int_equal(loaded(s, 0), c);
	assert_int_equal(write_and_eject(s, NULL), 0);
	assert_int_equal(loaded(s, 0), 0);
	assert_non_null(strstr(last_event(s, EVENT_NO_SCRATCH), "no volume behind C"));
	/* One of another pool was not part of the row: it begins with the first. */
	assert_int_equal(library_load(s->lib, 0, other), 0);
	assert_int_equal(write_and_eject(s, NULL), 0);
	assert_int_equal(loaded(s, 0), a);
	/* The next one, and no later one: who reads would miss what is on it. */
	assert_int_equal(library_load(s->lib, 1, b), 0);
	assert_int_equal(write_and_eject(s, NULL), 0);
	assert_int_equal(loaded(s, 0), 0);
}

static void a_stacker_whose_pool_is_gone_loads_nothing(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A1");

	assert_int_equal(library_pool_create(s->lib, "gone", NULL, NULL), 0);
	stacker(s, STACKER_SCRATCH, "gone");
	assert_int_equal(library_pool_destroy(s->lib, "gone", false), 0);
	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_int_equal(write_and_eject(s, "one"), 0);
	assert_int_equal(loaded(s, 0), 0);
}

#define ON_A_LIBRARY(test) cmocka_unit_test_setup_teardown(test, lib_new, lib_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_LIBRARY(the_one_that_has_been_scratch_longest_comes_first),
		ON_A_LIBRARY(whatever_is_no_scratch_tape_of_ours_is_passed_over),
		ON_A_LIBRARY(the_scratch_pool_gives_one_and_it_is_the_pools_then),
		ON_A_LIBRARY(a_drive_that_is_in_use_gets_none),
		ON_A_LIBRARY(without_a_stacker_the_drive_stays_empty),
		ON_A_LIBRARY(the_next_scratch_one_comes_when_a_program_ejects),
		ON_A_LIBRARY(a_program_writes_on_without_opening_again),
		ON_A_LIBRARY(a_load_asks_the_stacker_too),
		ON_A_LIBRARY(all_of_a_pool_come_in_the_order_of_names),
		ON_A_LIBRARY(a_stacker_whose_pool_is_gone_loads_nothing),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
