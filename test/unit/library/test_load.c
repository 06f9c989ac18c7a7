/* SPDX-License-Identifier: BSD-2-Clause */
/* Which volume is in which drive, and which program has the drive. */
#include "library/holding.h"
#include "store.h"

static struct library_drive info(struct store *s, unsigned n)
{
	struct library_drive d;

	assert_int_equal(library_drive_info(s->lib, n, &d), 0);
	return d;
}

static struct drive *open_drive(struct store *s, unsigned n, bool write)
{
	struct drive *d = NULL;
	int r = library_drive_open(s->lib, n, write, &d);

	if (r)
		fail_msg("drive open: %s", err_text(r));
	return d;
}

static void a_drive_takes_one_tape_and_a_tape_one_drive(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), b = make(s, "A00002");

	assert_int_equal(library_drives(s->lib), 2);
	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_true(info(s, 0).loaded);
	assert_int_equal(info(s, 0).volume, a);
	assert_false(info(s, 1).loaded);
	assert_refused(library_load(s->lib, 0, b), -EBUSY, "drive nst0 has volume A00001 in it");
	assert_refused(library_load(s->lib, 1, a), -EBUSY, "volume A00001 is loaded in drive nst0");
	assert_refused(library_load(s->lib, 2, b), -ENOENT, "nst2");
	assert_refused(library_load(s->lib, 1, 4711), -ENOENT, "4711");
	assert_int_equal(library_load(s->lib, 1, b), 0);
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_false(info(s, 0).loaded);
	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_int_equal(events(s, EVENT_LOADED, "nst0"), 2);
	assert_int_equal(events(s, EVENT_UNLOADED, "nst0"), 1);
}

static void a_restart_finds_every_tape_where_it_was(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), b = make(s, "A00002");

	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_int_equal(library_load(s->lib, 1, b), 0);
	assert_int_equal(library_unload(s->lib, 0), 0);
	store_restart(s);
	assert_false(info(s, 0).loaded);
	assert_int_equal(info(s, 1).volume, b);
	store_cut(s);
	assert_false(info(s, 0).loaded);
	assert_int_equal(info(s, 1).volume, b);
}

static void a_tape_that_is_gone_leaves_its_drive_empty(void **state)
{
	struct store *s = *state;
	uint64_t held;

	assert_int_equal(catalog_drive_put(s->cat, 0, 4711), 0);
	log_set_level(LOG_LEVEL_ERROR);
	store_restart(s);
	assert_false(info(s, 0).loaded);
	assert_int_equal(catalog_drive_get(s->cat, 0, &held), 0);
	assert_int_equal(held, 0);
}

static void one_program_has_a_drive(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct drive *d;

	open_drive(s, 0, true);
	assert_true(info(s, 0).open);
	assert_refused(library_drive_open(s->lib, 0, false, &d), -EBUSY, "nst0 is in use");
	assert_refused(library_load(s->lib, 0, a), -EBUSY, "nst0 is in use");
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(library_load(s->lib, 0, a), 0);
	open_drive(s, 0, false);
	assert_refused(library_unload(s->lib, 0), -EBUSY, "nst0 is in use");
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_refused(library_drive_open(s->lib, 9, false, &d), -ENOENT, "nst9");
}

static void a_loaded_tape_is_read_but_not_written_elsewhere(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v;
	struct drive *d;

	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_refused(library_claim(s->lib, a, CLAIM_WRITE, &v), -EBUSY, "volume A00001 is loaded in drive nst0");
	assert_refused(library_volume_erase(s->lib, a), -EBUSY, "volume A00001 is loaded in drive nst0");
	assert_refused(library_volume_delete(s->lib, a), -EBUSY, "volume A00001 is loaded in drive nst0");
	claim(s, a, CLAIM_READ);
	assert_refused(library_drive_open(s->lib, 0, true, &d), -EBUSY, "volume A00001 is being read");
	open_drive(s, 0, false);
	release(s, a, CLAIM_READ);
	assert_int_equal(library_drive_close(s->lib, 0), 0);

	open_drive(s, 0, true);
	assert_refused(library_claim(s->lib, a, CLAIM_READ, &v), -EBUSY, "A00001 is being written in drive nst0");
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	claim(s, a, CLAIM_READ);
	release(s, a, CLAIM_READ);
}

static void a_tape_that_is_being_read_may_be_loaded_a_written_one_not(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");

	claim(s, a, CLAIM_WRITE);
	assert_refused(library_load(s->lib, 0, a), -EBUSY, "volume A00001 is being written");
	release(s, a, CLAIM_WRITE);
	claim(s, a, CLAIM_READ);
	assert_int_equal(library_load(s->lib, 0, a), 0);
	release(s, a, CLAIM_READ);
	assert_int_equal(info(s, 0).volume, a);
}

static void writing_in_a_drive_assigns_the_tape_and_is_durable(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct drive *d;

	assert_int_equal(library_load(s->lib, 0, a), 0);
	d = open_drive(s, 0, true);
	assert_int_equal(drive_write_record(d, "hello", 5), 0);
	assert_int_equal(info(s, 0).pos.object, 1);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(row_of(s, a).state, STATE_ASSIGNED);
	store_cut(s);
	assert_text(s, a, "hello");
}

static void a_protected_tape_is_opened_and_refuses_the_write(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct drive *d;

	assert_int_equal(library_volume_change(s->lib, a, set_protect, ON), 0);
	assert_int_equal(library_load(s->lib, 0, a), 0);
	d = open_drive(s, 0, true);
	assert_int_equal(drive_write_record(d, "hello", 5), TAPE_E_PROTECTED);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
}

static void its_program_ejects_and_loads_again(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v;
	struct drive *d;

	d = open_drive(s, 0, true);
	assert_refused(library_drive_reload(s->lib, 0), -EIO, "nst0");
	assert_int_equal(library_drive_eject(s->lib, 0), 0);
	assert_int_equal(library_drive_close(s->lib, 0), 0);

	assert_int_equal(library_load(s->lib, 0, a), 0);
	d = open_drive(s, 0, true);
	assert_int_equal(drive_write_record(d, "hello", 5), 0);
	assert_int_equal(library_drive_eject(s->lib, 0), 0);
	assert_null(drive_volume(d));
	assert_false(info(s, 0).loaded);
	/* Out of the drive it is anybody's, and what was written counts. */
	assert_int_equal(row_of(s, a).state, STATE_ASSIGNED);
	assert_int_equal(library_claim(s->lib, a, CLAIM_WRITE, &v), 0);
	assert_refused(library_drive_reload(s->lib, 0), -EBUSY, "being written");
	release(s, a, CLAIM_WRITE);
	assert_int_equal(library_drive_reload(s->lib, 0), 0);
	assert_int_equal(library_drive_reload(s->lib, 0), 0);
	assert_non_null(drive_volume(d));
	assert_refused(library_claim(s->lib, a, CLAIM_READ, &v), -EBUSY, "in drive nst0");
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_text(s, a, "hello");
	store_restart(s);
	assert_int_equal(info(s, 0).volume, a);
}

static void a_tape_that_is_out_is_in_the_drive_until_it_is_taken_or_opened(void **state)
{
	struct store *s = *state;
	struct drive *d;

	library_drive_out(s->lib, 0, true);
	assert_false(info(s, 0).out);
	assert_int_equal(library_load(s->lib, 0, make(s, "N00001")), 0);
	assert_false(info(s, 0).out);
	library_drive_out(s->lib, 0, true);
	assert_true(info(s, 0).out && info(s, 0).loaded);
	assert_int_equal(library_drive_open(s->lib, 0, false, &d), 0);
	assert_false(info(s, 0).out);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	library_drive_out(s->lib, 0, true);
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_int_equal(library_load(s->lib, 0, make(s, "N00002")), 0);
	assert_false(info(s, 0).out);
}

static int let_go(void *ctx)
{
	struct store *s = ctx;

	return info(s, 0).open ? library_drive_close(s->lib, 0) : 0;
}

static void who_lends_a_drive_is_asked_to_let_go(void **state)
{
	struct store *s = *state;
	struct drive *d;

	assert_int_equal(library_drive_ask(s->lib, 0), 0);
	assert_int_equal(library_load(s->lib, 0, make(s, "N00001")), 0);
	library_drive_lender(s->lib, 0, let_go, s);
	assert_int_equal(library_drive_open(s->lib, 0, true, &d), 0);
	assert_int_equal(library_drive_ask(s->lib, 0), 0);
	assert_false(info(s, 0).open);
	assert_int_equal(library_drive_open(s->lib, 0, true, &d), 0);
	library_drive_lender(s->lib, 0, NULL, NULL);
	assert_int_equal(library_drive_ask(s->lib, 0), 0);
	assert_true(info(s, 0).open);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
}

static void a_locked_drive_keeps_its_tape(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");

	assert_int_equal(library_load(s->lib, 0, a), 0);
	open_drive(s, 0, false);
	library_drive_lock(s->lib, 0, true);
	assert_true(info(s, 0).locked);
	assert_refused(library_drive_eject(s->lib, 0), -EIO, "locked");
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_refused(library_unload(s->lib, 0), -EBUSY, "locked");
	library_drive_lock(s->lib, 0, false);
	assert_int_equal(library_unload(s->lib, 0), 0);
}

static void an_image_that_is_arriving_is_not_loaded(void **state)
{
	struct store *s = *state;
	struct catalog_volume row;

	assert_int_equal(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, ".A1.tap.Xy~", NULL, true, &row), 0);
	assert_refused(library_load(s->lib, 0, row.id), -EBUSY, "still being written");
}

struct leaver { struct store *s; uint64_t left_ns; };

static void *close_soon(void *ctx)
{
	struct leaver *l = ctx;

	usleep(30000);
	library_drive_close(l->s->lib, 0);
	l->left_ns = clock_mono_ns();
	return NULL;
}

/* What @ask says while the program that has drive 0 leaves it.  On a busy machine it may leave too late; then it opens
 * it again. */
static int while_one_leaves(struct store *s, int (*ask)(struct store *s))
{
	struct leaver l = { .s = s };
	uint64_t begun;
	pthread_t t;
	int r;

	do {
		open_drive(s, 0, true);
		begun = clock_mono_ns();
		assert_int_equal(pthread_create(&t, NULL, close_soon, &l), 0);
		r = ask(s);
		pthread_join(t, NULL);
	} while (r == -EBUSY && l.left_ns - begun > LIBRARY_PATIENCE_NS);
	return r;
}

static int ask_to_open(struct store *s)
{
	struct drive *d;

	return library_drive_open(s->lib, 0, true, &d);
}

static int ask_to_unload(struct store *s)
{
	return library_unload(s->lib, 0);
}

static void a_program_that_is_just_leaving_is_waited_for(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");

	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_int_equal(while_one_leaves(s, ask_to_open), 0);
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(while_one_leaves(s, ask_to_unload), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(a_drive_takes_one_tape_and_a_tape_one_drive),
		ON_A_STORE(a_restart_finds_every_tape_where_it_was),
		ON_A_STORE(a_tape_that_is_gone_leaves_its_drive_empty),
		ON_A_STORE(one_program_has_a_drive),
		ON_A_STORE(a_loaded_tape_is_read_but_not_written_elsewhere),
		ON_A_STORE(a_tape_that_is_being_read_may_be_loaded_a_written_one_not),
		ON_A_STORE(writing_in_a_drive_assigns_the_tape_and_is_durable),
		ON_A_STORE(a_protected_tape_is_opened_and_refuses_the_write),
		ON_A_STORE(its_program_ejects_and_loads_again),
		ON_A_STORE(a_tape_that_is_out_is_in_the_drive_until_it_is_taken_or_opened),
		ON_A_STORE(who_lends_a_drive_is_asked_to_let_go),
		ON_A_STORE(a_locked_drive_keeps_its_tape),
		ON_A_STORE(an_image_that_is_arriving_is_not_loaded),
		ON_A_STORE(a_program_that_is_just_leaving_is_waited_for),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
