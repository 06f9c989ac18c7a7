/* SPDX-License-Identifier: BSD-2-Clause */
/* Scrub: reads everything, finds what is hurt or gone, no faster than it may, and goes on where it was. */
#include "injure.h"

#include "library/holding.h"

#define FAST (1ull << 40)

static struct library_scrub status(struct store *s)
{
	struct library_scrub st;

	assert_int_equal(library_scrub_status(s->lib, &st), 0);
	return st;
}

static struct library_scrub scrub_to_the_end(struct store *s)
{
	struct library_scrub st = status(s);

	for (int i = 0; i < 1000 && st.running; i++) {
		usleep(10000);
		st = status(s);
	}
	assert_false(st.running);
	return st;
}

/* Five packs: each store_restart() closes the open one. */
static uint64_t five_packs(struct store *s)
{
	uint64_t a = make(s, "A00001");

	for (unsigned i = 1; i <= 5; i++) {
		write_noise_at_end(s, a, i, 1);
		store_restart(s);
	}
	return a;
}

static void a_scrub_reads_everything_and_tells(void **state)
{
	struct store *s = *state;
	struct library_scrub st;

	five_packs(s);
	st = status(s);
	assert_int_equal(st.started_ns, 0);
	assert_int_equal(library_scrub_start(s->lib, FAST), 0);
	st = scrub_to_the_end(s);
	assert_int_equal(st.done_packs, 5);
	assert_int_equal(st.all_packs, 5);
	assert_int_equal(st.done_bytes, st.all_bytes);
	assert_true(st.chunks >= 5 * 20);
	assert_int_equal(st.damaged, 0);
	assert_true(st.finished_ns >= st.started_ns && st.started_ns);
	assert_int_equal(st.rate_bytes, FAST);
	assert_int_equal(events(s, EVENT_SCRUBBED, NULL), 1);
	assert_non_null(strstr(last_event(s, EVENT_SCRUBBED), "5 packs"));
	assert_non_null(strstr(last_event(s, EVENT_SCRUBBED), "0 chunks are damaged"));
	/* When it was is still known after a crash; and another one begins anew. */
	store_cut(s);
	assert_int_equal(status(s).finished_ns, st.finished_ns);
	assert_int_equal(library_scrub_start(s->lib, FAST), 0);
	assert_int_equal(scrub_to_the_end(s).done_packs, 5);
}

static void what_is_hurt_or_gone_is_found(void **state)
{
	struct store *s = *state;
	struct library_scrub st;
	uint64_t a = five_packs(s), second = first_pack(s, first_pack(s, 0) + 1), third = first_pack(s, second + 1);

	flip(s, second, 500000);
	lose(s, third);
	assert_int_equal(library_scrub_start(s->lib, FAST), 0);
	st = scrub_to_the_end(s);
	assert_int_equal(st.done_packs, 5);
	assert_true(st.damaged > 20);	/* one, and all of a pack */
	await_event(s, EVENT_CHUNK_DAMAGED);
	assert_non_null(strstr(last_event(s, EVENT_CHUNK_DAMAGED), "default/A00001 file 1 record "));
	assert_non_null(strstr(await_event(s, EVENT_PACK_LOST), "default/A00001 "));
	assert_int_equal(events(s, EVENT_SCRUBBED, NULL), 1);
	/* Found before anybody read it: written again, it heals. */
	write_noise_at_end(s, a, 2, 1);
	write_noise_at_end(s, a, 3, 1);
	assert_int_equal(read_all(s, a), 0);
}

static void it_reads_no_faster_than_it_may(void **state)
{
	struct store *s = *state;
	uint64_t begun, took;

	five_packs(s);
	begun = clock_mono_ns();
	assert_int_equal(library_scrub_start(s->lib, 5u << 20), 0);	/* 5 MiB, less the pause behind the last pack */
	scrub_to_the_end(s);
	took = clock_mono_ns() - begun;
	assert_true(took > 700000000ull);
}

static void a_scrub_that_is_stopped_goes_on_where_it_was(void **state)
{
	struct store *s = *state;
	struct library_scrub st;

	five_packs(s);
	assert_int_equal(library_scrub_start(s->lib, 1u << 20), 0);	/* a pack a second */
	assert_refused(library_scrub_start(s->lib, 0), -EBUSY, "running");
	while (!status(s).done_packs)
		usleep(10000);
	assert_int_equal(library_scrub_stop(s->lib), 0);
	st = status(s);
	assert_false(st.running);
	assert_true(st.done_packs >= 1 && st.done_packs < 5);
	assert_true(st.finished_ns < st.started_ns);
	assert_int_equal(library_scrub_stop(s->lib), 0);
	store_cut(s);
	/* By hand it was stopped, by hand it goes on. */
	scrub_begin_if_due(s->lib);
	assert_false(status(s).running);
	assert_int_equal(status(s).done_packs, st.done_packs);
	assert_int_equal(library_scrub_start(s->lib, FAST), 0);
	assert_int_equal(status(s).started_ns, st.started_ns);
	assert_int_equal(scrub_to_the_end(s).done_packs, 5);
	assert_int_equal(events(s, EVENT_SCRUBBED, NULL), 1);
}

static void a_restart_does_not_stop_it(void **state)
{
	struct store *s = *state;
	struct library_scrub st;

	five_packs(s);
	assert_int_equal(library_scrub_start(s->lib, 1u << 20), 0);
	while (!status(s).done_packs)
		usleep(10000);
	store_restart(s);
	st = status(s);
	assert_false(st.running);	/* the keeper looks a minute after a start */
	assert_true(st.done_packs >= 1 && st.done_packs < 5);
	scrub_begin_if_due(s->lib);
	assert_true(status(s).running);
	assert_int_equal(status(s).rate_bytes, 1u << 20);
	assert_int_equal(status(s).started_ns, st.started_ns);
}

static void one_begins_by_itself_when_the_last_is_old(void **state)
{
	const uint64_t day = 24ull * 3600 * 1000000000ull, t = 20000 * day;
	struct store *s = *state;
	struct catalog_store props;

	five_packs(s);
	clock_set(t);
	assert_int_equal(catalog_store_get(s->cat, &props), 0);
	props.scrub_every_s = 0;
	assert_int_equal(catalog_store_put(s->cat, &props), 0);
	scrub_begin_if_due(s->lib);
	assert_false(status(s).running);
	props.scrub_every_s = 30 * 86400;
	assert_int_equal(catalog_store_put(s->cat, &props), 0);
	/* Never: so now. */
	scrub_begin_if_due(s->lib);
	assert_int_equal(scrub_to_the_end(s).finished_ns, t);
	clock_set(t + 30 * day - 1);
	scrub_begin_if_due(s->lib);
	assert_int_equal(status(s).started_ns, t);
	clock_set(t + 30 * day);
	scrub_begin_if_due(s->lib);
	assert_int_equal(scrub_to_the_end(s).finished_ns, t + 30 * day);
	/* Stopped by hand, it is left alone for as long. */
	clock_set(t + 90 * day);
	assert_int_equal(library_scrub_start(s->lib, 1u << 20), 0);
	assert_int_equal(library_scrub_stop(s->lib), 0);
	scrub_begin_if_due(s->lib);
	assert_false(status(s).running);
	clock_set(t + 120 * day);
	scrub_begin_if_due(s->lib);
	scrub_to_the_end(s);
	assert_int_equal(status(s).finished_ns, t + 120 * day);
	clock_set(0);
}

static void an_empty_store_is_scrubbed_without_a_word(void **state)
{
	struct store *s = *state;

	assert_int_equal(library_scrub_start(s->lib, 0), 0);
	assert_true(scrub_to_the_end(s).finished_ns > 0);
	assert_int_equal(status(s).rate_bytes, 32u << 20);
	assert_int_equal(events(s, EVENT_SCRUBBED, NULL), 0);
}

static void a_row_that_cannot_be_read_is_a_scrub_from_the_beginning(void **state)
{
	struct store *s = *state;

	five_packs(s);
	assert_int_equal(catalog_work_put(s->cat, "scrub", "\x01\x01xyz", 5), 0);
	log_set_level(LOG_LEVEL_ERROR);
	store_restart(s);
	assert_int_equal(status(s).started_ns, 0);
	assert_int_equal(library_scrub_start(s->lib, FAST), 0);
	assert_int_equal(scrub_to_the_end(s).done_packs, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(a_scrub_reads_everything_and_tells),
		ON_A_STORE(what_is_hurt_or_gone_is_found),
		ON_A_STORE(it_reads_no_faster_than_it_may),
		ON_A_STORE(a_scrub_that_is_stopped_goes_on_where_it_was),
		ON_A_STORE(a_restart_does_not_stop_it),
		ON_A_STORE(one_begins_by_itself_when_the_last_is_old),
		ON_A_STORE(an_empty_store_is_scrubbed_without_a_word),
		ON_A_STORE(a_row_that_cannot_be_read_is_a_scrub_from_the_beginning),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
