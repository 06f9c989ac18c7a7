/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads for slow reads: nobody else waits for them, and they end. */
#include <semaphore.h>
#include <unistd.h>

#include "fs/slow.h"
#include "mount.h"

#define JOBS 64u
#define UNTIL(what) \
	for (unsigned ms_ = 0; !(what); ms_++) { \
		if (ms_ == 20000) \
			fail_msg("never: %s", #what); \
		usleep(1000); \
	}

/* A source that blocks until it is let go, or given up. */
struct blocking {
	struct slow_job job;
	struct reads *all;
	unsigned nth;
	atomic_bool killed;
	atomic_int result;		/* 1: not run yet */
};
struct reads {
	struct slow *slow;
	struct blocking b[JOBS];
	sem_t go;
	atomic_uint begun, done, given_up, at_once, most;
	atomic_uint of_file[JOBS];	/* that are being done */
	atomic_uint last[JOBS];		/* of a file, the job done last, and one */
	atomic_uint disorder;
};

static bool was_killed(struct slow_job *j)
{
	return atomic_load(&((struct blocking *)j)->killed);
}

static int block(struct blocking *b)
{
	while (sem_trywait(&b->all->go)) {
		if (slow_given_up(&b->job))
			return -EINTR;
		usleep(500);
	}
	return 0;
}

static void raise_to(atomic_uint *most, unsigned n)
{
	unsigned was = atomic_load(most);

	while (was < n && !atomic_compare_exchange_weak(most, &was, n))
		;
}

static void blocking_run(struct slow_job *j, int r)
{
	struct blocking *b = (struct blocking *)j;
	struct reads *all = b->all;
	size_t file = (size_t)((const char *)j->of - (const char *)all);

	if (!r) {
		atomic_fetch_add(&all->begun, 1);
		raise_to(&all->most, atomic_fetch_add(&all->at_once, 1) + 1);
		if (atomic_fetch_add(&all->of_file[file], 1) || atomic_exchange(&all->last[file], b->nth + 1) > b->nth)
			atomic_fetch_add(&all->disorder, 1);
		r = block(b);
		atomic_fetch_sub(&all->of_file[file], 1);
		atomic_fetch_sub(&all->at_once, 1);
	}
	if (r)
		atomic_fetch_add(&all->given_up, 1);
	atomic_store(&b->result, r);
	atomic_fetch_add(&all->done, 1);
}

/* All at once, of @files open files. */
static struct reads *reads_new(unsigned files)
{
	struct reads *all = calloc(1, sizeof(*all));

	assert_int_equal(slow_new(&all->slow), 0);
	assert_int_equal(sem_init(&all->go, 0, 0), 0);
	for (unsigned i = 0; i < JOBS; i++) {
		all->b[i] = (struct blocking){ .job = { .of = (char *)all + i % files, .given_up = was_killed,
							.run = blocking_run }, .all = all, .nth = i, .result = 1 };
		assert_int_equal(slow_put(all->slow, &all->b[i].job), 0);
	}
	return all;
}

static void reads_free(struct reads *all)
{
	all->slow = slow_free(all->slow);
	sem_destroy(&all->go);
	free(all);
}

static void let_go(struct reads *all, unsigned n)
{
	while (n--)
		sem_post(&all->go);
}

static void a_tape_is_read_beside_64_that_block(void **state)
{
	struct reads *all = reads_new(JOBS);
	struct mount *m = *state;
	char got[8] = "";

	UNTIL(all->begun == SLOW_THREADS);
	assert_int_equal(write_file(m, "tapes/default/A", 0, "bytes", 5, 5), 0);
	assert_int_equal(read_file(m, "tapes/default/A", got, 5), 5);
	assert_string_equal(got, "bytes");
	assert_int_equal(all->done, 0);
	assert_int_equal(all->begun, SLOW_THREADS);
	let_go(all, JOBS);
	UNTIL(all->done == JOBS);
	assert_int_equal(all->given_up, 0);
	assert_int_equal(all->most, SLOW_THREADS);
	reads_free(all);
}

static void of_one_file_one_read_at_a_time_is_done_in_order(void **state)
{
	struct reads *all = reads_new(3);

	UNTIL(all->begun == 3);
	usleep(5000);
	assert_int_equal(all->begun, 3);
	let_go(all, JOBS);
	UNTIL(all->done == JOBS);
	assert_int_equal(all->disorder, 0);
	assert_int_equal(all->most, 3);
	reads_free(all);
}

static void what_waits_and_was_killed_is_answered_while_all_threads_block(void **state)
{
	struct reads *all = reads_new(JOBS);
	uint64_t begin;

	UNTIL(all->begun == SLOW_THREADS);
	begin = clock_mono_ns();
	for (unsigned i = 20; i < 50; i++)
		atomic_store(&all->b[i].killed, true);
	UNTIL(all->done == 30);
	assert_true(clock_mono_ns() - begin < 1000000000ull);
	assert_int_equal(all->b[19].result, 1);
	assert_int_equal(all->b[20].result, -EINTR);
	assert_int_equal(all->b[49].result, -EINTR);
	assert_int_equal(all->b[50].result, 1);
	assert_int_equal(all->begun, SLOW_THREADS);
	/* And what is being done. */
	for (unsigned i = 0; i < JOBS; i++)
		atomic_store(&all->b[i].killed, true);
	UNTIL(all->done == JOBS);
	assert_int_equal(all->given_up, JOBS);
	reads_free(all);
}

static void the_end_answers_all(void **state)
{
	struct reads *all = reads_new(JOBS);
	unsigned broken_off = 0, not_begun = 0;

	UNTIL(all->begun == SLOW_THREADS);
	all->slow = slow_free(all->slow);
	for (unsigned i = 0; i < JOBS; i++) {
		broken_off += all->b[i].result == -EINTR;
		not_begun += all->b[i].result == -ENOTCONN;
	}
	assert_int_equal(broken_off, SLOW_THREADS);
	assert_int_equal(not_begun, JOBS - SLOW_THREADS);
	reads_free(all);
}

static void who_never_had_a_job_has_no_thread(void **state)
{
	struct slow *s;

	assert_int_equal(slow_new(&s), 0);
	assert_null(slow_free(s));
	assert_null(slow_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tape_is_read_beside_64_that_block, mount_new, mount_free),
		cmocka_unit_test(of_one_file_one_read_at_a_time_is_done_in_order),
		cmocka_unit_test(what_waits_and_was_killed_is_answered_while_all_threads_block),
		cmocka_unit_test(the_end_answers_all),
		cmocka_unit_test(who_never_had_a_job_has_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
