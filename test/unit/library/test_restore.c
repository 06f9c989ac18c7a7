/* SPDX-License-Identifier: BSD-2-Clause */
/* An older generation comes back: its records, its names, its time; and what was there becomes a generation. */
#include "store.h"

static int count_generation(void *ctx, const struct volume_stat *st) { (*(unsigned *)ctx)++; return 0; }

static unsigned generations(struct store *s, uint64_t id)
{
	unsigned n = 0;

	assert_int_equal(volume_history(s->kv, id, count_generation, &n), 0);
	return n;
}

static void what_was_written_over_comes_back_and_nothing_is_lost(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");

	write_text(s, a, "one");
	write_text(s, a, "two");
	assert_int_equal(library_volume_restore(s->lib, a, 1), 0);
	assert_text(s, a, "one");
	assert_int_equal(generations(s, a), 3);
	assert_int_equal(events(s, EVENT_VOLUME_RESTORED, "default/A00001"), 1);
	store_cut(s);
	assert_text(s, a, "one");
	assert_int_equal(library_volume_restore(s->lib, a, 2), 0);
	assert_text(s, a, "two");
}

static void an_erased_tape_is_assigned_again_and_a_blank_one_is_scratch(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");

	write_text(s, a, "one");
	assert_int_equal(library_volume_erase(s->lib, a), 0);
	assert_int_equal(row_of(s, a).state, STATE_SCRATCH);
	assert_int_equal(library_volume_restore(s->lib, a, 1), 0);
	assert_int_equal(row_of(s, a).state, STATE_ASSIGNED);
	assert_text(s, a, "one");
	assert_int_equal(library_volume_restore(s->lib, a, 2), 0);
	assert_int_equal(row_of(s, a).state, STATE_SCRATCH);
	assert_text(s, a, "");
}

/* The name was given to the first tape file; its stretch says whether it is that one. */
static void names_hold_again_for_what_they_were_given_to(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), now;
	struct catalog_file f = { .file = 0, .mark_object = 1, .name = "etc.tar" }, got;
	struct volume *v;

	write_text(s, a, "one");
	v = claim(s, a, CLAIM_READ);
	assert_int_equal(volume_stretch(v, 0, 1, &f.stretch), 0);
	release(s, a, CLAIM_READ);
	assert_int_equal(catalog_file_put(s->cat, a, &f), 0);
	write_text(s, a, "two");
	v = claim(s, a, CLAIM_READ);
	assert_int_equal(volume_stretch(v, 0, 1, &now), 0);
	release(s, a, CLAIM_READ);
	assert_int_not_equal(now, f.stretch);
	assert_int_equal(library_volume_restore(s->lib, a, 1), 0);
	assert_int_equal(catalog_file_get(s->cat, a, 0, &got), 0);
	v = claim(s, a, CLAIM_READ);
	assert_int_equal(volume_stretch(v, 0, got.mark_object, &now), 0);
	release(s, a, CLAIM_READ);
	assert_int_equal(now, got.stretch);
}

static void set_eom(struct catalog_volume *row, void *ctx)
{
	row->image_eom = true;
	row->image_eom_generation = *(uint64_t *)ctx;
}

static void the_end_of_medium_word_comes_back_with_its_generation(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), first;

	write_text(s, a, "one");
	first = stat_of(s, a).generation;
	assert_int_equal(library_volume_change(s->lib, a, set_eom, &first), 0);
	write_text(s, a, "two");
	assert_int_equal(library_volume_restore(s->lib, a, first), 0);
	assert_true(row_of(s, a).image_eom);
	assert_int_equal(row_of(s, a).image_eom_generation, stat_of(s, a).generation);
}

static void what_is_in_use_or_not_there_is_refused(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct catalog_volume in;

	write_text(s, a, "one");
	write_text(s, a, "two");
	assert_refused(library_volume_restore(s->lib, a, 7), -ENOENT, "7");
	assert_refused(library_volume_restore(s->lib, a, 2), -EINVAL, "2");
	assert_refused(library_volume_restore(s->lib, 4711, 1), -ENOENT, "4711");
	claim(s, a, CLAIM_READ);
	assert_refused(library_volume_restore(s->lib, a, 1), -EBUSY, "A00001 is being read");
	release(s, a, CLAIM_READ);
	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_refused(library_volume_restore(s->lib, a, 1), -EBUSY, "A00001 is loaded");
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_int_equal(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, ".in~", NULL, true, &in), 0);
	assert_refused(library_volume_restore(s->lib, in.id, 1), -EBUSY, ".in~");
	assert_text(s, a, "two");
	assert_int_equal(events(s, EVENT_VOLUME_RESTORED, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(what_was_written_over_comes_back_and_nothing_is_lost),
		ON_A_STORE(an_erased_tape_is_assigned_again_and_a_blank_one_is_scratch),
		ON_A_STORE(names_hold_again_for_what_they_were_given_to),
		ON_A_STORE(the_end_of_medium_word_comes_back_with_its_generation),
		ON_A_STORE(what_is_in_use_or_not_there_is_refused),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
