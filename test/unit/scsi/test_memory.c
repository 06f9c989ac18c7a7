/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that outlives a kill.  A program takes step after step, each a state, an answer and a log that belong
 * together; killed at any instruction (it is run one by one), or at any time, it leaves one of the steps, whole.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/chance.h"
#include "scsi/memory.h"

#define AREA 16384u

/* ---- steps and what they leave ---------------------------------------------------------------------------------- */

/* Step @k clears the log, has it turn, drops what it had before that, or none of these; and appends so many records and marks: numbers alone say which. */
static bool clears(uint64_t k) { return k % 7 == 0; }
static bool turns(uint64_t k) { return k % 7 == 2; }
static bool drops(uint64_t k) { return k % 7 == 5; }
/* The step whose entries are the first in the log behind step @k. */
static uint64_t first_of(uint64_t k) { return k % 7 >= 5 ? k - k % 7 + 2 : k >= 7 ? k - k % 7 : k ? 1 : 0; }
static unsigned records(uint64_t k) { return (unsigned)(k * 5 % 3); }
static unsigned marks(uint64_t k) { return k % 4 == 1; }
static size_t size_of(uint64_t k, unsigned i) { return (k * 37 + i * 101) % 400; }
static uint8_t byte_of(uint64_t k, unsigned i, size_t at) { return (uint8_t)(k * 31 + i * 7 + at); }
static size_t state_of(uint64_t k, uint8_t *state)
{
	size_t n = 8 + k * 13 % 90;

	memset(state, (int)(k % 251), n);
	memcpy(state, &k, sizeof(k));
	return n;
}

static void answer_of(uint64_t k, struct scsi_task *t)
{
	*t = (struct scsi_task){ .data_len = 1 << 20, .data_in = k * 3 % 1000 };
	if (k % 3)
		return;
	t->status = SCSI_CHECK_CONDITION;
	t->sense_len = 18 + k % 5;
	memset(t->sense, (int)(k % 200), t->sense_len);
}

static void step(struct memory *m, uint64_t k)
{
	uint8_t bytes[512], state[MEMORY_STATE_MAX];
	struct scsi_task t;
	size_t n;

	if (clears(k))
		memory_log_clear(m);
	if (turns(k) && !memory_log_turn(m))
		abort();
	if (drops(k))
		memory_log_drop_older(m);
	for (unsigned i = 0; i < records(k); i++) {
		n = size_of(k, i);
		for (size_t at = 0; at < n; at++)
			bytes[at] = byte_of(k, i, at);
		memory_log_record(m, (uint32_t)(k % 2), k * 10 + i, bytes, n);
	}
	if (marks(k))
		memory_log_marks(m, 0, k * 10 + 9, (uint32_t)k);
	n = state_of(k, state);
	answer_of(k, &t);
	memory_step(m, state, n, k, &t);
}

/* Where the log should be: behind entry @i of step @k. */
struct expected { uint64_t k, last; unsigned i; };

static int expect_entry(void *ctx, const struct memory_entry *e)
{
	struct expected *x = ctx;

	while (x->i >= records(x->k) + marks(x->k)) {
		if (++x->k > x->last)
			return 1;
		x->i = 0;
	}
	if (x->i < records(x->k)) {
		if (e->marks || e->partition != x->k % 2 || e->object != x->k * 10 + x->i ||
		    e->n != size_of(x->k, x->i))
			return 2;
		for (size_t at = 0; at < e->n; at++) {
			if (e->p[at] != byte_of(x->k, x->i, at))
				return 3;
		}
	} else if (e->marks != x->k || e->object != x->k * 10 + 9 || e->n) {
		return 4;
	}
	x->i++;
	return 0;
}

/* The step that is in @p, all of it right; 0: fresh.  UINT64_MAX: something does not belong together. */
static uint64_t step_in(void *p)
{
	struct expected x = { 0 };
	struct scsi_task t = { .data_len = 1 << 20 }, want;
	uint8_t state[MEMORY_STATE_MAX], want_state[MEMORY_STATE_MAX];
	struct memory *m;
	uint64_t k = 0;
	size_t n;

	assert_int_equal(memory_open(p, AREA, &m), 0);
	n = memory_state(m, state, sizeof(state));
	if (!memory_fresh(m)) {
		memcpy(&k, state, sizeof(k));
		answer_of(k, &want);
		if (n != state_of(k, want_state) || memcmp(state, want_state, n) || !memory_answer(m, k, &t) ||
		    memory_answer(m, k + 1, &t) || (k && memory_answer(m, k - 1, &t)) || t.status != want.status ||
		    t.sense_len != want.sense_len || t.data_in != want.data_in ||
		    memcmp(t.sense, want.sense, sizeof(t.sense)))
			k = UINT64_MAX;
		x.k = k == UINT64_MAX ? 0 : first_of(k);
		x.last = k;
		if (k != UINT64_MAX && memory_log_each(m, expect_entry, &x))
			k = UINT64_MAX;
		/* And nothing is missing. */
		while (k != UINT64_MAX && (x.k < x.last || x.i < records(x.k) + marks(x.k))) {
			if (x.i < records(x.k) + marks(x.k))
				k = UINT64_MAX;
			x.k++;
			x.i = 0;
		}
	} else if (n || memory_answer(m, 1, &t)) {
		k = UINT64_MAX;
	}
	memory_close(m, true);
	return k;
}

static void *shared(void)
{
	void *p = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void steps_are_found_by_who_comes_next(void **state)
{
	void *p = shared();
	struct memory *m;

	for (uint64_t k = 1; k < 60; k++) {
		assert_int_equal(memory_open(p, AREA, &m), 0);
		assert_int_equal(memory_fresh(m), k == 1);
		step(m, k);
		memory_close(m, true);
		assert_int_equal(step_in(p), k);
	}
	munmap(p, AREA);
}

static void closed_for_good_it_is_fresh(void **state)
{
	void *p = shared();
	struct memory *m;

	assert_int_equal(memory_open(p, AREA, &m), 0);
	step(m, 1);
	memory_close(m, false);
	assert_int_equal(step_in(p), 0);
	munmap(p, AREA);
}

static void on_the_heap_it_answers_and_keeps_no_log(void **state)
{
	struct scsi_task t = { .data_len = 10 };
	struct expected x = { 0 };
	struct memory *m;

	assert_int_equal(memory_open(NULL, 0, &m), 0);
	assert_true(memory_fresh(m));
	assert_true(memory_log_room(m, SCSI_TRANSFER_MAX));
	step(m, 4);
	assert_true(memory_answer(m, 4, &t));
	assert_false(memory_log_turn(m));
	assert_int_equal(memory_log_each(m, expect_entry, &x), 0);
	memory_close(m, false);
}

static void nothing_is_no_number(void **state)
{
	struct scsi_task t = { .data_len = 10 };
	struct memory *m;

	assert_int_equal(memory_open(NULL, 0, &m), 0);
	memory_step(m, "x", 1, 0, &t);
	assert_false(memory_answer(m, 0, &t));
	memory_step(m, "x", 1, 7, NULL);
	assert_false(memory_answer(m, 7, &t));
	memory_close(m, false);
}

static void what_an_answer_had_for_a_larger_buffer_is_cut(void **state)
{
	struct scsi_task t = { .data_len = 100, .data_in = 100 };
	struct memory *m;

	assert_int_equal(memory_open(NULL, 0, &m), 0);
	memory_step(m, "x", 1, 5, &t);
	t = (struct scsi_task){ .data_len = 60 };
	assert_true(memory_answer(m, 5, &t));
	assert_int_equal(t.data_in, 60);
	memory_close(m, false);
}

static void room_ends_and_a_clear_makes_it(void **state)
{
	uint8_t *big = calloc(1, AREA);
	void *p = shared();
	struct memory *m;
	unsigned n = 0;

	assert_int_equal(memory_open(p, AREA, &m), 0);
	assert_false(memory_log_room(m, AREA));
	assert_false(memory_log_room(m, SIZE_MAX));
	for (; memory_log_room(m, 1000); n++)
		memory_log_record(m, 0, n, big, 1000);
	assert_true(n >= 3);
	memory_step(m, "x", 1, 1, NULL);
	/* Before the step that makes a clear true there is room already, again and again. */
	for (unsigned i = 0; i < 3; i++) {
		memory_log_clear(m);
		for (unsigned k = 0; k < n; k++) {
			assert_true(memory_log_room(m, 1000));
			memory_log_record(m, 0, k, big, 1000);
		}
		assert_false(memory_log_room(m, 1000));
	}
	memory_close(m, false);
	munmap(p, AREA);
	free(big);
}

static int count_bytes(void *ctx, const struct memory_entry *e)
{
	*(size_t *)ctx += e->n;
	return 0;
}

static size_t logged(const struct memory *m)
{
	size_t n = 0;

	assert_int_equal(memory_log_each(m, count_bytes, &n), 0);
	return n;
}

static void fill(struct memory *m)
{
	static const uint8_t bytes[1000];

	while (memory_log_room(m, sizeof(bytes)))
		memory_log_record(m, 0, 0, bytes, sizeof(bytes));
}

static void a_log_that_is_full_turns_once_until_its_older_part_is_dropped(void **state)
{
	void *p = shared();
	struct memory *m;
	size_t one, of;

	assert_int_equal(memory_open(p, AREA, &m), 0);
	fill(m);
	one = memory_log_used(m, &of);
	assert_true(one > of / 2 && one <= of && !memory_log_turned(m));
	assert_true(memory_log_turn(m) && memory_log_turned(m));
	assert_int_equal(memory_log_used(m, &of), 0);
	memory_step(m, "x", 1, 1, NULL);
	one = logged(m);
	fill(m);
	assert_false(memory_log_turn(m));
	memory_step(m, "x", 1, 2, NULL);
	assert_int_equal(logged(m), 2 * one);
	/* Dropped, and in the same step it turns: there is a third part, but no fourth. */
	memory_log_drop_older(m);
	assert_true(memory_log_turn(m));
	fill(m);
	memory_log_drop_older(m);
	assert_false(memory_log_turn(m));
	assert_int_equal(logged(m), 2 * one);
	memory_step(m, "x", 1, 3, NULL);
	assert_int_equal(logged(m), one);
	assert_true(memory_log_turn(m));
	memory_step(m, "x", 1, 4, NULL);
	memory_close(m, true);
	assert_int_equal(memory_open(p, AREA, &m), 0);
	assert_true(memory_log_turned(m));
	assert_int_equal(logged(m), one);
	memory_close(m, false);
	munmap(p, AREA);
}

static void too_small_an_area_is_refused(void **state)
{
	uint64_t few[64] = { 0 };
	struct memory *m;

	assert_int_equal(memory_open(few, sizeof(few), &m), -EINVAL);
}

/* Bytes are changed, one in each place, and many: what was in it is found as it was, or nothing is, and never past the
 * area's end (the sanitizer looks). */
static void foreign_content_is_taken_for_fresh(void **state)
{
	uint8_t *good = shared(), *p = malloc(AREA);
	unsigned fresh = 0;
	uint64_t seed = 1;
	struct memory *m;
	uint64_t k;

	assert_int_equal(memory_open(good, AREA, &m), 0);
	for (k = 1; k < 21; k++)
		step(m, k);
	memory_close(m, true);
	for (unsigned at = 0; at < AREA / 2; at++) {
		memcpy(p, good, AREA);
		p[at] ^= (uint8_t)(1u << at % 8);
		assert_int_equal(memory_open(p, AREA, &m), 0);
		fresh += memory_fresh(m);
		memory_close(m, true);
	}
	assert_true(fresh > 200);
	for (unsigned i = 0; i < 2000; i++) {
		/* All of it is noise but the head, which would hide the rest. */
		memcpy(p, good, AREA);
		chance_bytes(&seed, p + 48, AREA - 48);
		assert_int_equal(step_in(p), 0);
	}
	memset(p, 0xff, AREA);
	assert_int_equal(step_in(p), 0);
	munmap(good, AREA);
	free(p);
}

static void of_another_boot_it_is_fresh(void **state)
{
	void *p = shared();
	struct memory *m;

	assert_int_equal(memory_open(p, AREA, &m), 0);
	step(m, 1);
	memory_close(m, true);
	clock_boot_set((const uint8_t[16]){ 1, 2, 3 }, 5);
	assert_int_equal(step_in(p), 0);
	clock_boot_set(NULL, 0);
	munmap(p, AREA);
}

static void of_another_size_it_is_fresh(void **state)
{
	void *p = shared();
	struct memory *m;

	assert_int_equal(memory_open(p, AREA, &m), 0);
	step(m, 1);
	memory_close(m, true);
	assert_int_equal(memory_open(p, AREA - 64, &m), 0);
	assert_true(memory_fresh(m));
	memory_close(m, true);
	munmap(p, AREA);
}

static void run_steps(void *p, uint64_t from, uint64_t to)
{
	struct memory *m;

	if (memory_open(p, AREA, &m))
		_exit(2);
	for (uint64_t k = from; k <= to; k++)
		step(m, k);
	_exit(0);
}

/* One instruction after another; behind each that has changed the area, a copy of it is opened. */
static void killed_at_any_instruction_it_has_one_of_two_steps(void **state)
{
	enum { STEPS = 12 };
	uint8_t *p, *before, *copy;
	uint64_t at = 0, found, changes = 0;
	int status;
	pid_t pid;

	if (getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "vgpreload"))
		skip();	/* it would be valgrind's own instructions */
	p = shared();
	before = calloc(1, AREA);
	copy = malloc(AREA);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(77);
		raise(SIGSTOP);
		run_steps(p, 1, STEPS);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	while (WIFSTOPPED(status)) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!memcmp(before, p, AREA))
			continue;
		changes++;
		memcpy(before, p, AREA);
		memcpy(copy, p, AREA);
		found = step_in(copy);
		assert_true(found == at || found == at + 1);
		at = found;
	}
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	assert_int_equal(at, STEPS);
	assert_true(changes > STEPS * 10);
	munmap(p, AREA);
	free(before);
	free(copy);
}

static void killed_at_any_time_it_goes_on(void **state)
{
	void *p = shared();
	uint64_t seed = 42, k = 0, now;

	for (unsigned i = 0; i < 150 || (k <= 100 && i < 4000); i++) {
		struct timespec a_while = { .tv_nsec = (long)chance_below(&seed, 1000000) };
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			run_steps(p, k + 1, UINT64_MAX);
		nanosleep(&a_while, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		now = step_in(p);
		assert_true(now != UINT64_MAX && now >= k);
		k = now;
	}
	assert_true(k > 100);
	munmap(p, AREA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_found_by_who_comes_next),
		cmocka_unit_test(closed_for_good_it_is_fresh),
		cmocka_unit_test(on_the_heap_it_answers_and_keeps_no_log),
		cmocka_unit_test(nothing_is_no_number),
		cmocka_unit_test(what_an_answer_had_for_a_larger_buffer_is_cut),
		cmocka_unit_test(room_ends_and_a_clear_makes_it),
		cmocka_unit_test(a_log_that_is_full_turns_once_until_its_older_part_is_dropped),
		cmocka_unit_test(too_small_an_area_is_refused),
		cmocka_unit_test(foreign_content_is_taken_for_fresh),
		cmocka_unit_test(of_another_boot_it_is_fresh),
		cmocka_unit_test(of_another_size_it_is_fresh),
		cmocka_unit_test(killed_at_any_instruction_it_has_one_of_two_steps),
		cmocka_unit_test(killed_at_any_time_it_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
