/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring, with a kernel in memory (kernel.h) on the other side and a unit of the test's own behind it, which counts
 * what it executes and whose data tells how often.  It is killed at every instruction, and at any time.
 */
#include <errno.h>
#include <sched.h>
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
#include "unit/tcmu/kernel.h"

/* ---- a unit ----------------------------------------------------------------------------------------------------- */

/* What it has done; a command that is executed twice leaves another state than one. */
struct done { uint64_t writes, written, reads, others, resets; };
struct scsi_unit {
	struct memory *memory;
	struct done done;
	uint64_t sequence;		/* of the last command, executed or not */
	size_t data_len;
	bool in_place;
};
#define UNIT_MEMORY 8192u
static uint64_t seed_of(uint64_t k) { return k * 0x9e3779b97f4a7c15ull + 12345; }
static uint8_t byte_of(uint64_t k, size_t at) { return (uint8_t)(seed_of(k) >> at % 7 * 8 ^ at); }
static uint64_t written_of(uint64_t before, const uint8_t *p, size_t n) { return before * 31 + sum64(p, n) + n; }

static void unit_init(struct scsi_unit *u, void *memory)
{
	*u = (struct scsi_unit){ 0 };
	if (memory_open(memory, UNIT_MEMORY, &u->memory))
		abort();
	memory_state(u->memory, &u->done, sizeof(u->done));
}

/* 0A: takes all the data.  08: gives cdb[2] bytes, by number; cdb[1]: with sense.  5A: GOOD with nothing. */
void scsi_execute(struct scsi_unit *u, uint64_t sequence, struct scsi_task *t)
{
	u->sequence = sequence;
	u->data_len = t->data_len;
	if (memory_answer(u->memory, sequence, t))
		return;
	switch (t->cdb[0]) {
	case 0x0a:
		u->done.written = written_of(u->done.written, t->data, t->data_len);
		u->done.writes++;
		break;
	case 0x08:
		u->done.reads++;
		for (; t->data_in < t->cdb[2] && t->data_in < t->data_len; t->data_in++)
			t->data[t->data_in] = byte_of(u->done.reads, t->data_in);
		if (t->cdb[1]) {
			t->status = SCSI_CHECK_CONDITION;
			t->sense_len = 64;
			memset(t->sense, 0xff, t->sense_len);
		}
		break;
	default:
		u->done.others++;
		break;
	}
	memory_step(u->memory, &u->done, sizeof(u->done), sequence, t);
}

void scsi_reset(struct scsi_unit *u, enum scsi_reset what)
{
	u->done.resets |= 1u << what;
}

/* ---- both sides ------------------------------------------------------------------------------------------------- */

#define CMDR 2048u
#define DATA 4096u
#define MAP (KERNEL_CMDR_OFF + CMDR + DATA)
struct world {
	struct kernel k;
	struct scsi_unit u;
	struct tcmu_ring *ring;
	uint8_t *map, *steps, *memory;
	uint8_t *all;
	pid_t pid;			/* a daemon of another process; 0: none */
};
#define STEPS_AT 8192u
#define MEMORY_AT (STEPS_AT + TCMU_RING_MEMORY)
#define ALL (MEMORY_AT + UNIT_MEMORY)

static int world_new(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->all = mmap(NULL, ALL, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(w->all != MAP_FAILED);
	w->map = w->all;
	w->steps = w->all + STEPS_AT;
	w->memory = w->all + MEMORY_AT;
	kernel_new(&w->k, w->map, MAP, CMDR);
	*state = w;
	return 0;
}

static int world_free(void **state)
{
	struct world *w = *state;

	if (w->pid) {
		kill(w->pid, SIGKILL);
		waitpid(w->pid, NULL, 0);
	}
	if (w->ring) {
		tcmu_ring_free(w->ring);
		memory_close(w->u.memory, true);
	}
	munmap(w->all, ALL);
	free(w);
	return 0;
}

/* A daemon takes over what is there. */
static void starts(struct world *w)
{
	unit_init(&w->u, w->memory);
	if (tcmu_ring_new(w->map, MAP, &w->ring))
		abort();
	tcmu_ring_memory(w->ring, w->steps, 7);
}

static void ends(struct world *w)
{
	w->ring = tcmu_ring_free(w->ring);
	w->u.memory = memory_close(w->u.memory, true);
}

static struct world *started(void **state)
{
	struct world *w = *state;

	starts(w);
	return w;
}

static unsigned serve(struct world *w)
{
	unsigned done;

	assert_int_equal(tcmu_ring_serve(w->ring, &w->u, &done), 0);
	return done;
}

static struct completion completed(struct world *w)
{
	struct completion c;

	assert_true(kernel_complete(&w->k, &c));
	return c;
}

static const uint8_t tur[6] = { 0 }, write6[6] = { 0x0a }, read6[6] = { 0x08, 0, 200 },
		     read_sense6[6] = { 0x08, 1, 100 };

/* ---- what it does ----------------------------------------------------------------------------------------------- */

static void nothing_there_is_nothing_done(void **state)
{
	assert_int_equal(serve(started(state)), 0);
}

static void a_command_is_answered(void **state)
{
	struct world *w = started(state);
	uint16_t id = kernel_submit(&w->k, tur, 6, NULL, 0);
	struct completion c;

	assert_int_equal(serve(w), 1);
	c = completed(w);
	assert_int_equal(c.id, id);
	assert_int_equal(c.status, SCSI_GOOD);
	assert_int_equal(c.uflags, 0);
	assert_int_equal(w->u.done.others, 1);
}

static void data_out_in_one_piece_is_taken_in_place(void **state)
{
	struct world *w = started(state);
	struct piece p[3] = { { 64, 100 }, { 164, 1000 }, { 1164, 3 } };

	for (unsigned i = 0; i < DATA; i++)
		w->k.data[i] = (uint8_t)(i * 7);
	kernel_submit(&w->k, write6, 6, p, 3);
	serve(w);
	assert_int_equal(w->u.data_len, 1103);
	assert_int_equal(w->u.done.written, written_of(0, w->k.data + 64, 1103));
	assert_int_equal(w->steps[4096], 0);	/* not over the bounce */
}

static void data_out_in_pieces_is_gathered(void **state)
{
	struct world *w = started(state);
	struct piece p[4] = { { 3000, 100 }, { 164, 1000 }, { 10, 0 }, { 1200, 3 } };
	uint8_t want[1103];

	for (unsigned i = 0; i < DATA; i++)
		w->k.data[i] = (uint8_t)(i * 7);
	memcpy(want, w->k.data + 3000, 100);
	memcpy(want + 100, w->k.data + 164, 1000);
	memcpy(want + 1100, w->k.data + 1200, 3);
	kernel_submit(&w->k, write6, 6, p, 4);
	serve(w);
	assert_int_equal(w->u.done.written, written_of(0, want, sizeof(want)));
}

static void data_in_comes_with_its_length(void **state)
{
	struct world *w = started(state);
	struct piece p = { 8, 1000 };
	struct completion c;

	memset(w->k.data, 0xee, DATA);
	kernel_submit(&w->k, read6, 6, &p, 1);
	serve(w);
	c = completed(w);
	assert_int_equal(c.uflags, TCMU_UFLAG_READ_LEN);
	assert_int_equal(c.read_len, 200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(w->k.data[8 + i], byte_of(1, i));
	assert_int_equal(w->k.data[7], 0xee);
	assert_int_equal(w->k.data[208], 0xee);
}

static void data_in_is_scattered(void **state)
{
	struct world *w = started(state);
	struct piece p[3] = { { 500, 50 }, { 100, 100 }, { 1000, 500 } };

	memset(w->k.data, 0xee, DATA);
	kernel_submit(&w->k, read6, 6, p, 3);
	serve(w);
	assert_int_equal(completed(w).read_len, 200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(w->k.data[i < 50 ? 500 + i : i < 150 ? 50 + i : 850 + i], byte_of(1, i));
	assert_int_equal(w->steps[4096 + 200], 0);	/* what was there was not fetched before */
	assert_int_equal(w->k.data[1050], 0xee);
	assert_int_equal(w->k.data[550], 0xee);
}

static void data_comes_with_sense(void **state)
{
	struct world *w = started(state);
	struct piece p = { 8, 1000 };
	struct completion c;

	kernel_submit(&w->k, read_sense6, 6, &p, 1);
	serve(w);
	c = completed(w);
	assert_int_equal(c.status, SCSI_CHECK_CONDITION);
	assert_int_equal(c.uflags, TCMU_UFLAG_READ_LEN);
	assert_int_equal(c.read_len, 100);
	assert_int_equal(c.sense[63], 0xff);
	assert_int_equal(c.sense[64], 0);
}

/* The kernel would hand over what the buffer had before. */
static void a_buffer_that_nothing_was_put_into_is_blank(void **state)
{
	struct world *w = started(state);
	struct piece p[2] = { { 8, 1000 }, { 2000, 4 } };
	const uint8_t cdb[10] = { 0x5a };

	memset(w->k.data, 0xee, DATA);
	kernel_submit(&w->k, cdb, 10, p, 2);
	serve(w);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(w->k.data[8 + i], 0);
	assert_int_equal(w->k.data[2003], 0);
	assert_int_equal(w->k.data[2004], 0xee);
}

static void entries_follow_each_other_around_the_end(void **state)
{
	struct world *w = started(state);
	unsigned n = 0, pads = 0;

	for (unsigned i = 0; i < 200; i++) {
		unsigned some = 1 + i % 3;
		uint32_t head = kernel_mailbox(&w->k)->cmd_head;

		for (unsigned j = 0; j < some; j++)
			assert_true(kernel_submit(&w->k, tur, 6, NULL, 0));
		pads += kernel_mailbox(&w->k)->cmd_head < head && kernel_mailbox(&w->k)->cmd_head % 120 == 0;
		assert_true(serve(w) >= some);
		for (unsigned j = 0; j < some; j++)
			completed(w);
		n += some;
	}
	assert_true(pads > 5);
	assert_int_equal(w->u.done.others, n);
}

static void an_operation_it_does_not_know_is_marked(void **state)
{
	struct world *w = started(state);
	struct tcmu_cmd_entry *e = kernel_entry(&w->k, 0);

	e->hdr.len_op = 40 | 5;
	kernel_head_moves(&w->k, 40);
	kernel_submit(&w->k, tur, 6, NULL, 0);
	assert_int_equal(serve(w), 2);
	assert_int_equal(e->hdr.uflags, TCMU_UFLAG_UNKNOWN_OP);
	assert_int_equal(w->u.done.others, 1);
}

static void resets_are_handed_on_and_aborts_are_not(void **state)
{
	struct world *w = started(state);

	kernel_submit_tmr(&w->k, TCMU_TMR_ABORT_TASK);
	kernel_submit_tmr(&w->k, TCMU_TMR_CLEAR_TASK_SET);
	kernel_submit_tmr(&w->k, TCMU_TMR_LUN_RESET_PRO);
	assert_int_equal(serve(w), 3);
	assert_int_equal(w->u.done.resets, 0);
	kernel_submit_tmr(&w->k, TCMU_TMR_LUN_RESET);
	serve(w);
	assert_int_equal(w->u.done.resets, 1u << SCSI_LUN_RESET);
	kernel_submit_tmr(&w->k, TCMU_TMR_TARGET_WARM_RESET);
	serve(w);
	assert_int_equal(w->u.done.resets, 1u << SCSI_LUN_RESET | 1u << SCSI_BUS_RESET);
}

static void neighbours_have_different_numbers(void **state)
{
	struct world *w = started(state);
	uint64_t before = 0;

	for (unsigned i = 0; i < 100; i++) {
		kernel_submit(&w->k, tur, 6, NULL, 0);
		serve(w);
		completed(w);
		assert_true(w->u.sequence && w->u.sequence != before);
		before = w->u.sequence;
		if (i % 3)
			continue;
		ends(w);
		starts(w);
	}
	assert_int_equal(w->u.done.others, 100);
}

/* The ring was emptied by the kernel (action/reset_ring), or is another one, and begins at 0 again. */
static void a_ring_that_begins_anew_has_new_commands(void **state)
{
	struct world *w = started(state);

	for (unsigned i = 1; i <= 20; i++) {
		kernel_submit(&w->k, tur, 6, NULL, 0);
		serve(w);
		assert_int_equal(w->u.done.others, i);
		ends(w);
		memset(w->map, 0, MAP);
		kernel_new(&w->k, w->map, MAP, CMDR);
		starts(w);
		if (i % 2)
			tcmu_ring_memory(w->ring, w->steps, 7 + i);
	}
}

/* ---- foreign bytes ---------------------------------------------------------------------------------------------- */

static void refused(struct world *w)
{
	unsigned done;

	assert_int_equal(tcmu_ring_serve(w->ring, &w->u, &done), -EUCLEAN);
	assert_int_equal(done, 0);
	assert_int_equal(w->u.done.others + w->u.done.writes, 0);
}

static void a_mailbox_that_fits_nothing_is_refused(void **state)
{
	struct world *w = *state;
	struct tcmu_mailbox *mb = kernel_mailbox(&w->k), good = *mb;
	struct tcmu_ring *r;

	assert_int_equal(tcmu_ring_new(w->map, 64, &r), -EUCLEAN);
#define WRONG(field, value) \
	do { \
		mb->field = value; \
		assert_int_equal(tcmu_ring_new(w->map, MAP, &r), -EUCLEAN); \
		*mb = good; \
	} while (0)
	WRONG(version, 1);
	WRONG(version, 3);
	WRONG(flags, TCMU_MAILBOX_FLAG_CAP_OOOC);
	WRONG(cmdr_off, 64);
	WRONG(cmdr_off, 129);
	WRONG(cmdr_off, MAP);
	WRONG(cmdr_off, 0xfffffff8);
	WRONG(cmdr_size, 0);
	WRONG(cmdr_size, MAP);
	WRONG(cmdr_size, 0xfffffff8);
	WRONG(cmdr_size, CMDR + 4);
	assert_int_equal(tcmu_ring_new(w->map, MAP, &r), 0);
	tcmu_ring_free(r);
}

static void a_head_outside_is_refused(void **state)
{
	struct world *w = started(state);

	kernel_mailbox(&w->k)->cmd_head = CMDR;
	refused(w);
	kernel_mailbox(&w->k)->cmd_head = 4;
	refused(w);
	kernel_mailbox(&w->k)->cmd_head = 0;
	kernel_mailbox(&w->k)->cmd_tail = CMDR + 8;
	refused(w);
}

static void an_entry_that_reaches_too_far_is_refused(void **state)
{
	struct world *w = started(state);
	struct tcmu_cmd_entry *e = kernel_entry(&w->k, 0);
	static const uint32_t lens[] = { 0, 8, 104, 128, CMDR, 0xfffffff8 };

	for (unsigned i = 0; i < ARRAY_LEN(lens); i++) {
		memset(w->map, 0, MAP);
		kernel_new(&w->k, w->map, MAP, CMDR);
		kernel_submit(&w->k, tur, 6, NULL, 0);
		e->hdr.len_op = lens[i] | TCMU_OP_CMD;
		refused(w);
		e->hdr.len_op = 128 | TCMU_OP_PAD;
		refused(w);
		e->hdr.len_op = 0 | TCMU_OP_PAD;
		refused(w);
		e->hdr.len_op = 16 | TCMU_OP_TMR;
		refused(w);
	}
}

static void data_and_command_outside_are_refused(void **state)
{
	struct world *w = started(state);
	struct tcmu_cmd_entry *e = kernel_entry(&w->k, 0);
	struct iovec *iov = (struct iovec *)(void *)((uint8_t *)e + offsetof(struct tcmu_cmd_entry, req.iov));
	const struct piece p = { 8, 1000 };

#define OUTSIDE(lvalue, value) \
	do { \
		memset(w->map, 0, MAP); \
		kernel_new(&w->k, w->map, MAP, CMDR); \
		kernel_submit(&w->k, write6, 6, &p, 1); \
		lvalue = value; \
		refused(w); \
	} while (0)
	OUTSIDE(iov->iov_base, NULL);
	OUTSIDE(iov->iov_base, (void *)(uintptr_t)(KERNEL_CMDR_OFF + CMDR - 1));
	OUTSIDE(iov->iov_base, (void *)(uintptr_t)(MAP - 999));
	OUTSIDE(iov->iov_base, (void *)(uintptr_t)(MAP + 1));
	OUTSIDE(iov->iov_base, (void *)UINTPTR_MAX);
	OUTSIDE(iov->iov_len, MAP);
	OUTSIDE(iov->iov_len, SIZE_MAX);
	OUTSIDE(e->req.iov_cnt, 6);
	OUTSIDE(e->req.iov_cnt, UINT32_MAX);
	OUTSIDE(e->req.cdb_off, 0);
	OUTSIDE(e->req.cdb_off, KERNEL_CMDR_OFF + 120);
	OUTSIDE(e->req.cdb_off, MAP);
	OUTSIDE(e->req.cdb_off, UINT64_MAX);
	OUTSIDE(w->map[KERNEL_CMDR_OFF + 112], 0x88);	/* 16 bytes where 8 are */
}

static void what_follows_a_wrong_entry_is_not_done(void **state)
{
	struct world *w = started(state);
	unsigned done;

	kernel_submit(&w->k, tur, 6, NULL, 0);
	kernel_submit(&w->k, tur, 6, NULL, 0);
	kernel_submit(&w->k, tur, 6, NULL, 0);
	kernel_entry(&w->k, 120)->req.cdb_off = 0;
	assert_int_equal(tcmu_ring_serve(w->ring, &w->u, &done), -EUCLEAN);
	assert_int_equal(done, 1);
	assert_int_equal(w->u.done.others, 1);
	assert_int_equal(kernel_tail(&w->k), 120);
}

static void noise_is_survived(void **state)
{
	struct world *w = started(state);
	unsigned done, fine = 0;
	uint64_t seed = 3;

	for (unsigned i = 0; i < 20000; i++) {
		const struct piece p[2] = { { 8, 200 }, { 1000, 50 } };

		memset(w->map, 0, MAP);
		kernel_new(&w->k, w->map, MAP, CMDR);
		for (unsigned j = 0; j < 4; j++)
			kernel_submit(&w->k, j % 2 ? read6 : write6, 6, p, 1 + j / 2);
		for (unsigned j = 0; j < 3; j++)
			w->map[KERNEL_CMDR_OFF + chance_below(&seed, 500)] = (uint8_t)chance_next(&seed);
		if (i % 4 == 0)
			chance_bytes(&seed, w->steps, 4096);
		if (i % 8 == 0)
			memset(w->steps, 7, 8);
		tcmu_ring_memory(w->ring, w->steps, 7);
		fine += !tcmu_ring_serve(w->ring, &w->u, &done);
	}
	assert_true(fine > 100 && fine < 19900);
}

/* ---- killed ----------------------------------------------------------------------------------------------------- */

/* Command @i of a series, its data and what must come of it. */
enum { SERIES = 9 };
static unsigned pieces_of(unsigned i, struct piece p[3])
{
	p[0] = (struct piece){ 2048 + i * 8, 60 + i };
	p[1] = (struct piece){ i * 16, 40 };
	p[2] = (struct piece){ 1024 + i, 300 };
	return i % 3 + 1;
}

static uint16_t submit(struct kernel *k, unsigned i, uint64_t salt)
{
	struct piece p[3];
	unsigned n = pieces_of(i, p);

	for (unsigned j = 0; j < DATA; j++)
		k->data[j] = byte_of(salt, j);
	if (i % 5 == 4)
		kernel_submit_tmr(k, TCMU_TMR_ABORT_TASK);
	if (i % 4 == 1)
		return kernel_submit(k, write6, 6, p, n);
	if (i % 4 == 3)
		return kernel_submit(k, tur, 6, NULL, 0);
	return kernel_submit(k, i % 4 ? read_sense6 : read6, 6, p, n);
}

static void expect(struct done *d, unsigned i, uint64_t salt)
{
	uint8_t bytes[512];
	struct piece p[3];
	unsigned n = pieces_of(i, p), len = 0;

	if (i % 4 == 3) {
		d->others++;
	} else if (i % 4 == 1) {
		for (unsigned j = 0; j < n; len += p[j++].len)
			for (unsigned at = 0; at < p[j].len; at++)
				bytes[len + at] = byte_of(salt, p[j].at + at);
		d->written = written_of(d->written, bytes, len);
		d->writes++;
	} else {
		d->reads++;
	}
}

/* What the kernel was given for command @i is right. */
static bool right(const struct kernel *k, const struct completion *c, const struct done *d, unsigned i)
{
	struct piece p[3];
	unsigned n = pieces_of(i, p), at = 0, want = 0;

	if (i % 4 % 2 == 0) {
		for (unsigned j = 0; j < n; j++)
			want += p[j].len;
		if (want > (i % 4 ? 100u : 200u))
			want = i % 4 ? 100 : 200;
		for (unsigned j = 0; j < n; j++)
			for (unsigned b = 0; b < p[j].len && at < want; b++, at++)
				if (k->data[p[j].at + b] != byte_of(d->reads, at))
					return false;
	}
	if (c->status != (i % 4 == 2 ? SCSI_CHECK_CONDITION : SCSI_GOOD) || c->read_len != want ||
	    c->uflags != (want ? TCMU_UFLAG_READ_LEN : 0))
		return false;
	for (unsigned j = 0; j < sizeof(c->sense); j++)
		if (c->sense[j] != (i % 4 == 2 && j < 64 ? 0xff : 0))
			return false;
	return true;
}

/* A daemon that serves until @writes commands are done, or for ever. */
static void serve_until(struct world *w, uint64_t n)
{
	unsigned done;

	starts(w);
	while (w->u.done.writes + w->u.done.reads + w->u.done.others < n) {
		if (tcmu_ring_serve(w->ring, &w->u, &done))
			_exit(1);
		if (!done)
			sched_yield();
	}
	/* An answer may still be on its way to the entry. */
	if (tcmu_ring_serve(w->ring, &w->u, &done))
		_exit(1);
	_exit(0);
}

/* Another daemon takes over a copy of what a killed one has left, and completes command @i. */
static void taken_over(struct world *copy, const struct world *w, unsigned i, const struct done *want)
{
	struct completion c;
	unsigned done;

	memcpy(copy->map, w->map, MAP);
	memcpy(copy->steps, w->steps, 4096 + 512);
	memcpy(copy->memory, w->memory, UNIT_MEMORY);
	copy->k = w->k;
	copy->k.map = copy->map;
	copy->k.data = copy->map + KERNEL_CMDR_OFF + CMDR;
	starts(copy);
	assert_int_equal(tcmu_ring_serve(copy->ring, &copy->u, &done), 0);
	assert_memory_equal(&copy->u.done, want, sizeof(*want));
	assert_true(kernel_complete(&copy->k, &c));
	assert_true(right(&copy->k, &c, want, i));
	assert_int_equal(kernel_tail(&copy->k), kernel_mailbox(&copy->k)->cmd_head);
	ends(copy);
}

static void step_through(struct world *w, struct world *copy, unsigned i, const struct done *want)
{
	uint8_t *before = calloc(1, MAP + 4096 + 512 + UNIT_MEMORY);
	int status;
	pid_t pid = fork();

	assert_non_null(before);
	assert_true(pid >= 0);
	w->pid = pid;
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(77);
		raise(SIGSTOP);
		serve_until(w, want->writes + want->reads + want->others);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	while (WIFSTOPPED(status)) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!memcmp(before, w->map, MAP) && !memcmp(before + MAP, w->steps, 4096 + 512) &&
		    !memcmp(before + MAP + 4096 + 512, w->memory, UNIT_MEMORY))
			continue;
		memcpy(before, w->map, MAP);
		memcpy(before + MAP, w->steps, 4096 + 512);
		memcpy(before + MAP + 4096 + 512, w->memory, UNIT_MEMORY);
		taken_over(copy, w, i, want);
	}
	w->pid = 0;
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	free(before);
}

static bool under_valgrind(void)
{
	return getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "vgpreload");
}

static void killed_at_any_instruction_each_command_is_executed_once(void **state)
{
	struct world *w = *state, *copy;
	struct done want = { 0 };
	struct completion c;
	void *other;
	/* A sanitizer's instructions are many: the later commands of the series go without then. */
	const uint64_t until = clock_mono_ns() + 10000000000u;

	if (under_valgrind())
		skip();	/* it would be valgrind's own instructions */
	assert_int_equal(world_new(&other), 0);
	copy = other;
	for (unsigned i = 0; i < SERIES && clock_mono_ns() < until; i++) {
		expect(&want, i, 100 + i);
		assert_true(submit(&w->k, i, 100 + i));
		step_through(w, copy, i, &want);
		assert_true(kernel_complete(&w->k, &c));
		assert_true(right(&w->k, &c, &want, i));
	}
	world_free(&other);
}

static void killed_at_any_time_each_command_is_executed_once(void **state)
{
	struct world *w = *state;
	struct done want = { 0 };
	struct completion c;
	unsigned i = 0, kills = 0;
	uint64_t seed = 5;
	bool waits = false;

	if (under_valgrind())
		skip();	/* a daemon takes too long to begin */
	while (kills < 200 || (i < 500 && kills < 4000)) {
		/* Longer and longer, where a daemon takes long to begin. */
		const uint64_t until = clock_mono_ns() + chance_below(&seed, 1500000) * (1 + kills / 200);
		pid_t pid = fork();

		assert_true(pid >= 0);
		w->pid = pid;
		if (!pid)
			serve_until(w, UINT64_MAX);
		while (clock_mono_ns() < until) {
			if (!waits) {
				expect(&want, i % SERIES, i);
				assert_true(submit(&w->k, i % SERIES, i));
				waits = true;
			}
			if (!kernel_complete(&w->k, &c)) {
				sched_yield();
				continue;
			}
			assert_true(right(&w->k, &c, &want, i % SERIES));
			waits = false;
			i++;
		}
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		w->pid = 0;
		kills++;
	}
	starts(w);
	if (waits) {
		serve(w);
		completed(w);
	}
	assert_memory_equal(&w->u.done, &want, sizeof(want));
	assert_true(i >= 500);
}

#define RING_TEST(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(nothing_there_is_nothing_done),
		RING_TEST(a_command_is_answered),
		RING_TEST(data_out_in_one_piece_is_taken_in_place),
		RING_TEST(data_out_in_pieces_is_gathered),
		RING_TEST(data_in_comes_with_its_length),
		RING_TEST(data_in_is_scattered),
		RING_TEST(data_comes_with_sense),
		RING_TEST(a_buffer_that_nothing_was_put_into_is_blank),
		RING_TEST(entries_follow_each_other_around_the_end),
		RING_TEST(an_operation_it_does_not_know_is_marked),
		RING_TEST(resets_are_handed_on_and_aborts_are_not),
		RING_TEST(neighbours_have_different_numbers),
		RING_TEST(a_ring_that_begins_anew_has_new_commands),
		RING_TEST(a_mailbox_that_fits_nothing_is_refused),
		RING_TEST(a_head_outside_is_refused),
		RING_TEST(an_entry_that_reaches_too_far_is_refused),
		RING_TEST(data_and_command_outside_are_refused),
		RING_TEST(what_follows_a_wrong_entry_is_not_done),
		RING_TEST(noise_is_survived),
		RING_TEST(killed_at_any_instruction_each_command_is_executed_once),
		RING_TEST(killed_at_any_time_each_command_is_executed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
