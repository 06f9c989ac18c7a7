/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A drive whose process is killed: between any two of its steps, during any command.  The linker puts the functions
 * below before the real ones (--wrap); where a test wants it, one of them takes what a kill at that moment would
 * leave, the command runs to its end and does not count, and a new unit goes on from there.  The transport brings the
 * command again, as the kernel's ring does.
 */
#include "unit/scsi/rig.h"

/* ---- kills ------------------------------------------------------------------------------------------------------ */

static struct rig *rig;			/* of the running test */
static struct rig_cut cut;
static unsigned steps, kill_at;		/* steps seen; the one at which it is killed: 0 never */
static bool killed;

static void at_step(void)
{
	steps++;
	if (!kill_at || steps != kill_at)
		return;
	kill_at = 0;
	rig_cut(rig, &cut);
	killed = true;
}

#define WRAPPED(type, name, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		type r; \
		at_step(); \
		r = __real_##name args; \
		at_step(); \
		return r; \
	}
#define WRAPPED_VOID(name, params, args) \
	void __real_##name params; \
	void __wrap_##name params; \
	void __wrap_##name params \
	{ \
		at_step(); \
		__real_##name args; \
		at_step(); \
	}

WRAPPED(int, drive_write_record, (struct drive *d, const void *p, size_t n), (d, p, n))
WRAPPED(int, drive_write_filemarks, (struct drive *d, unsigned n, bool immed), (d, n, immed))
WRAPPED(int, drive_flush, (struct drive *d), (d))
WRAPPED(int, drive_erase, (struct drive *d), (d))
WRAPPED(int, drive_format, (struct drive *d, uint32_t n), (d, n))
WRAPPED(int, kv_write, (struct kv *kv, struct kv_batch *b, bool sync), (kv, b, sync))
WRAPPED_VOID(memory_log_record, (struct memory *m, uint32_t p, uint64_t o, const void *x, size_t n), (m, p, o, x, n))
WRAPPED_VOID(memory_log_marks, (struct memory *m, uint32_t p, uint64_t o, uint32_t n), (m, p, o, n))
WRAPPED_VOID(memory_step, (struct memory *m, const void *s, size_t n, uint64_t q, const struct scsi_task *t),
	     (m, s, n, q, t))

/* ---- commands --------------------------------------------------------------------------------------------------- */

#define DATA_MAX (1u << 20)
struct command { uint8_t cdb[16]; size_t n; unsigned seed; };
static uint64_t sequence = 1u << 20;

static uint8_t byte_of(unsigned seed, size_t i)
{
	return (uint8_t)(seed * 31 + i * 7 + (i >> 8) * 13);
}

/* What the initiator sends, from the ring: it is there again each time; and what it was given is still there. */
static enum scsi_status execute(const struct command *c)
{
	for (size_t i = 0; c->seed && i < c->n; i++)
		rig->data[i] = byte_of(c->seed, i);
	rig->t = (struct scsi_task){ .data = rig->data, .data_len = c->n };
	memcpy(rig->t.cdb, c->cdb, sizeof(c->cdb));
	scsi_execute(rig->u, sequence, &rig->t);
	return rig->t.status;
}

/* Killed @at so many steps after it began, if it has so many; then it comes again.  True: it was killed. */
static bool execute_killed(const struct command *c, unsigned at)
{
	sequence++;
	if (!c->seed)
		memset(rig->data, 0, c->n);
	steps = 0;
	killed = false;
	kill_at = at;
	execute(c);
	kill_at = 0;
	if (!killed)
		return false;
	rig_revive(rig, &cut, SCSI_DRIVE, NULL);
	execute(c);
	return true;
}

static int start(void **state)
{
	rig_new(state);
	rig = *state;
	kill_at = 0;
	assert_int_equal(library_load(rig->store->lib, 0, rig_volume(rig, "A00001")), 0);
	rig_plug(rig, SCSI_DRIVE, NULL);
	rig_settle(rig);
	rig->u->ssc.mode.block_len = 100;
	rig_settle(rig);
	return 0;
}

/* Positions are asked of the engine: asking changes nothing. */
static struct tape_pos at(void)
{
	struct tape_pos pos = { 0 };

	if (rig->u->ssc.drive)
		assert_int_equal(drive_position(rig->u->ssc.drive, &pos), 0);
	else if (rig->u->ssc.left.valid)
		pos.object = rig->u->ssc.left.object;
	return pos;
}

#define N24(n) (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n)
#define COMMAND(bytes, filled_with, ...) \
	(&(struct command){ .cdb = { __VA_ARGS__ }, .n = bytes, .seed = filled_with })
#define WRITE(n, seed) COMMAND(n, seed, 0x0a, 0, N24(n))
#define WRITE_FIXED(count, seed) COMMAND((count) * 100, seed, 0x0a, 1, N24(count))
#define READ(n) COMMAND(n, 0, 0x08, 0, N24(n))
#define MARKS(n, immed) COMMAND(0, 0, 0x10, immed, N24(n))
#define LOCATE(n) COMMAND(0, 0, 0x2b, 0, 0, 0, N24(n))
#define END_OF_DATA COMMAND(0, 0, 0x11, 3)
#define REWIND COMMAND(0, 0, 0x01)
#define ERASE COMMAND(0, 0, 0x19)

static void done(const struct command *c)
{
	sequence++;
	if (execute(c))
		fail_msg("%02x: status %02x, sense %02x %04x", c->cdb[0], rig->t.status, rig->t.sense[2],
			 get_be16(rig->t.sense + 12));
}

static void told(const struct command *c, unsigned flags_and_key, uint16_t code)
{
	sequence++;
	execute(c);
	if (rig->t.status != SCSI_CHECK_CONDITION || rig->t.sense[2] != flags_and_key ||
	    get_be16(rig->t.sense + 12) != code)
		fail_msg("%02x: status %02x, sense %02x %04x", c->cdb[0], rig->t.status, rig->t.sense[2],
			 get_be16(rig->t.sense + 12));
}

static void holds(unsigned seed, size_t n)
{
	assert_int_equal(rig->t.data_in, n);
	for (size_t i = 0; i < n; i++)
		if (rig->data[i] != byte_of(seed, i))
			fail_msg("byte %zu of %zu is not of record %u", i, n, seed);
}

static void kill_now(void)
{
	rig_kill(rig, SCSI_DRIVE, NULL);
}

/* ---- one thing at a time ---------------------------------------------------------------------------------------- */

static void records_that_were_told_are_there(void **state)
{
	done(WRITE(1000, 1));
	done(WRITE(70, 2));
	done(MARKS(2, 1));
	done(WRITE_FIXED(3, 3));
	kill_now();
	assert_int_equal(at().object, 7);
	done(WRITE(10, 4));
	kill_now();
	kill_now();
	done(REWIND);
	done(READ(1000));
	holds(1, 1000);
	done(READ(70));
	holds(2, 70);
	told(READ(10), 0x80, 0x0001);
	told(READ(10), 0x80, 0x0001);
	done(READ(100));
	holds(3, 100);
	done(READ(100));
	done(READ(100));
	done(READ(10));
	holds(4, 10);
	told(READ(10), BLANK_CHECK, 0x0005);
}

static void an_answer_is_given_again(void **state)
{
	struct command *c = WRITE(100, 1);

	done(c);
	kill_now();
	assert_int_equal(execute(c), SCSI_GOOD);
	assert_int_equal(at().object, 1);
	told(READ(10), BLANK_CHECK, 0x0005);
	kill_now();
	assert_int_equal(execute(READ(10)), SCSI_CHECK_CONDITION);
	assert_int_equal(get_be16(rig->t.sense + 12), 0x0005);
}

static void an_answer_is_given_again_behind_a_reset(void **state)
{
	struct command *c = WRITE(100, 1);

	done(c);
	scsi_reset(rig->u, SCSI_LUN_RESET);
	kill_now();
	assert_int_equal(execute(c), SCSI_GOOD);
	assert_int_equal(at().object, 1);
	told(REWIND, UNIT_ATTENTION, 0x2903);
}

static void what_was_set_stays(void **state)
{
	struct ssc *s = &rig->u->ssc;

	done(WRITE(100, 1));
	s->mode.pews_mb = 77;
	s->alerts = 5;
	done(COMMAND(0, 0, 0x1e, 0, 0, 0, 1));
	unit_attention(rig->u, ATTENTION_MODE_CHANGED);
	told(REWIND, UNIT_ATTENTION, 0x2a01);
	unit_attention(rig->u, ATTENTION_LOG_CHANGED);
	done(COMMAND(96, 0, 0x12, 0, 0, 0, 96));
	kill_now();
	s = &rig->u->ssc;
	assert_int_equal(s->mode.block_len, 100);
	assert_int_equal(s->mode.pews_mb, 77);
	assert_int_equal(s->alerts, 5);
	assert_int_equal(s->count.written_records, 1);
	assert_true(s->prevented);
	told(REWIND, UNIT_ATTENTION, 0x2a02);
	assert_int_not_equal(library_unload(rig->store->lib, 0), 0);
	done(COMMAND(0, 0, 0x1e));
}

static void a_log_that_is_full_is_written_out(void **state)
{
	for (unsigned i = 1; i <= 20; i++)
		done(WRITE(100000, i));
	done(WRITE(900000, 21));
	done(WRITE(7, 22));
	kill_now();
	assert_int_equal(at().object, 22);
	done(REWIND);
	for (unsigned i = 1; i <= 20; i++) {
		done(READ(100000));
		holds(i, 100000);
	}
	done(READ(900000));
	holds(21, 900000);
	done(READ(7));
	holds(22, 7);
	told(READ(7), BLANK_CHECK, 0x0005);
}

/* What is on disk needs no place in it: the tape need not be waited for. */
static void a_log_gives_up_what_is_on_disk(void **state)
{
	unsigned flushes = 0;

	for (unsigned i = 1; i <= 40; i++) {
		steps = 0;
		done(WRITE(90000, i));
		flushes += i > 1 && steps != 6;		/* the first writes to the cartridge's memory, too */
		if (i % 3 == 0)
			assert_int_equal(volume_commit(drive_volume(rig->u->ssc.drive)), 0);
		if (i % 5 == 0)
			kill_now();
	}
	assert_int_equal(flushes, 0);
	assert_int_equal(at().object, 40);
	done(REWIND);
	for (unsigned i = 1; i <= 40; i++) {
		done(READ(90000));
		holds(i, 90000);
	}
	told(READ(7), BLANK_CHECK, 0x0005);
}

static void it_goes_on_in_the_middle(void **state)
{
	done(WRITE(100, 1));
	done(WRITE(100, 2));
	done(WRITE(100, 3));
	done(LOCATE(1));
	kill_now();
	done(READ(100));
	holds(2, 100);
	kill_now();
	done(READ(100));
	holds(3, 100);
	done(REWIND);
	kill_now();
	done(READ(100));
	holds(1, 100);
}

/* Keys are kept nowhere, so what was on is off; but what was told is written stays written. */
static void with_keys_it_begins_anew(void **state)
{
	struct crypt *c = &rig->u->ssc.crypt;

	done(WRITE(100, 1));
	c->encrypt = ENCRYPT_ON;
	c->has_key = true;
	done(WRITE(100, 2));
	kill_now();
	c = &rig->u->ssc.crypt;
	told(READ(100), UNIT_ATTENTION, 0x2900);
	done(READ(100));
	holds(1, 100);
	told(READ(100), DATA_PROTECT, 0x7401);
	c->decrypt = DECRYPT_MIXED;
	c->has_key = true;
	done(READ(100));
	holds(2, 100);
	told(READ(100), BLANK_CHECK, 0x0005);
}

static void another_tape_is_not_what_it_was(void **state)
{
	uint64_t other = rig_volume(rig, "A00002");

	done(WRITE(100, 1));
	done(REWIND);
	done(WRITE(100, 2));
	rig_cut(rig, &cut);
	rig->u = scsi_unit_free(rig->u, true);
	assert_int_equal(library_unload(rig->store->lib, 0), 0);
	assert_int_equal(library_load(rig->store->lib, 0, other), 0);
	memcpy(rig->memory, cut.memory, sizeof(cut.memory));
	kv_close(cut.disk.kv);
	packs_close(cut.disk.packs);
	rig_plug(rig, SCSI_DRIVE, NULL);
	told(READ(100), UNIT_ATTENTION, 0x2900);
	told(READ(100), BLANK_CHECK, 0x0005);
	assert_int_equal(at().object, 0);
}

static void a_tape_that_was_cut_is_not_what_it_was(void **state)
{
	struct volume *v;

	done(WRITE(100, 1));
	done(WRITE(100, 2));
	rig->u = scsi_unit_free(rig->u, true);
	assert_int_equal(library_unload(rig->store->lib, 0), 0);
	v = claim(rig->store, 1, CLAIM_WRITE);
	assert_int_equal(volume_truncate(v, 0, 1), 0);
	assert_int_equal(volume_append_record(v, 0, "other", 5), 0);
	release(rig->store, 1, CLAIM_WRITE);
	assert_int_equal(library_load(rig->store->lib, 0, 1), 0);
	rig_plug(rig, SCSI_DRIVE, NULL);
	told(READ(100), UNIT_ATTENTION, 0x2900);
	done(READ(100));
	holds(1, 100);
	done(READ(5));
	assert_memory_equal(rig->data, "other", 5);
}

/* The unit is gone, its memory not; what was not committed is lost if @loses.  Whoever has the tape meanwhile cuts it
 * at @at_object, unless that is its end, and writes @text there; then comes a new unit, which must not go on. */
static void another_writes(bool loses, uint64_t at_object, const char *text)
{
	struct volume *v;
	struct tape_tally end;

	if (loses)
		rig_cut(rig, &cut);
	rig->u = scsi_unit_free(rig->u, true);
	if (loses) {
		store_down(rig->store);
		twins_replace(&rig->store->kv, &rig->store->packs, cut.disk);
		store_up(rig->store);
	}
	assert_int_equal(library_unload(rig->store->lib, 0), 0);
	v = claim(rig->store, 1, CLAIM_WRITE);
	assert_int_equal(volume_end(v, 0, &end), 0);
	assert_in_range(end.objects, at_object, 100);
	if (end.objects > at_object)
		assert_int_equal(volume_truncate(v, 0, at_object), 0);
	assert_int_equal(volume_append_record(v, 0, text, strlen(text)), 0);
	release(rig->store, 1, CLAIM_WRITE);
	assert_int_equal(library_load(rig->store->lib, 0, 1), 0);
	rig_plug(rig, SCSI_DRIVE, NULL);
	told(READ(100), UNIT_ATTENTION, 0x2900);
}

/* In the same generation, as many objects: the log tells that it is another one. */
static void a_record_in_the_place_of_one_that_was_told_is_another(void **state)
{
	done(WRITE(100, 1));
	done(MARKS(0, 0));
	done(WRITE(100, 2));
	another_writes(true, 1, "other");
	done(READ(100));
	holds(1, 100);
	done(READ(5));
	assert_memory_equal(rig->data, "other", 5);
	told(READ(10), BLANK_CHECK, 0x0005);
}

/* The log is empty, and the end is where it was: the generation tells that it is another one. */
static void a_tape_as_long_as_it_was_may_be_another(void **state)
{
	done(WRITE(100, 1));
	done(WRITE(100, 2));
	done(MARKS(0, 0));
	another_writes(false, 1, "other");
	done(READ(100));
	holds(1, 100);
	done(READ(5));
	assert_memory_equal(rig->data, "other", 5);
}

static void an_unloaded_drive_stays_as_it_was_set(void **state)
{
	done(WRITE(100, 1));
	rig->u = scsi_unit_free(rig->u, true);
	assert_int_equal(library_unload(rig->store->lib, 0), 0);
	rig_plug(rig, SCSI_DRIVE, NULL);
	assert_int_equal(rig->u->ssc.mode.block_len, 100);
	told(READ(100), NOT_READY, 0x3a00);
}

static void no_memory_is_a_drive_switched_on_anew(void **state)
{
	done(WRITE(100, 1));
	done(MARKS(1, 0));
	done(WRITE(100, 2));
	memset(rig->memory, 0x5a, sizeof(rig->memory));
	kill_now();
	told(READ(100), UNIT_ATTENTION, 0x2900);
	assert_int_equal(rig->u->ssc.mode.block_len, 0);
	done(READ(100));
	holds(1, 100);
	told(READ(10), 0x80, 0x0001);
	told(READ(100), BLANK_CHECK, 0x0005);
}

/* What may only grow cannot be written twice: the command in flight must find what it has written. */
static void a_worm_tape_has_each_record_once(void **state)
{
	struct command *c = WRITE_FIXED(5, 3);
	unsigned n, k;

	assert_int_equal(library_volume_change(rig->store->lib, 1, set_worm, ON), 0);
	done(WRITE(50, 1));
	for (n = 1, k = 0; k < 40; k++) {
		bool again = execute_killed(c, k + 1);

		if (rig->t.status)
			fail_msg("killed at step %u: sense %02x %04x", k + 1, rig->t.sense[2],
				 get_be16(rig->t.sense + 12));
		n += 5;
		assert_int_equal(at().object, n);
		again |= execute_killed(MARKS(1, k & 1), k + 1);
		assert_int_equal(rig->t.status, SCSI_GOOD);
		assert_int_equal(at().object, ++n);
		if (!again)
			break;
	}
	assert_in_range(k, 8, 39);
	/* Longer than the log: on disk before it is answered. */
	for (k = 0; execute_killed(WRITE(600000, 7), k + 1); k++) {
		assert_int_equal(rig->t.status, SCSI_GOOD);
		assert_int_equal(at().object, ++n);
	}
	assert_in_range(k, 6, 39);
	told(READ(10), BLANK_CHECK, 0x0005);
	assert_int_equal(at().object, n + 1);
}

/* What was lost and told does not come back, and what was not lost does. */
static void a_loss_that_was_told_is_final(void **state)
{
	unsigned i, lost;

	for (i = 1; i <= 3; i++)
		done(WRITE(200000, i));
	done(MARKS(1, 0));
	packs_mem_plan_fault(rig->store->packs, 3, -EIO);
	for (i = 5; i < 100; i++) {
		sequence++;
		if (execute(WRITE(60000, i)))
			break;
	}
	assert_int_equal(rig->t.sense[0], 0x71);
	assert_int_equal(rig->t.sense[2], MEDIUM_ERROR);
	assert_int_equal(get_be16(rig->t.sense + 12), 0x0c00);
	lost = (unsigned)at().object;
	assert_in_range(lost, 4, i - 2);
	kill_now();
	assert_int_equal(at().object, lost);
	told(READ(70), BLANK_CHECK, 0x0005);
	done(WRITE(70, 200));
	kill_now();
	done(REWIND);
	for (i = 1; i <= 3; i++)
		done(READ(200000));
	told(READ(10), 0x80, 0x0001);
	for (i = 5; i < lost + 1; i++) {
		done(READ(60000));
		holds(i, 60000);
	}
	done(READ(70));
	holds(200, 70);
	told(READ(70), BLANK_CHECK, 0x0005);
}

/* The power fails: the memory goes, too. */
static void lose_power(void)
{
	rig_cut(rig, &cut);
	memset(cut.memory, 0, sizeof(cut.memory));
	rig_revive(rig, &cut, SCSI_DRIVE, NULL);
	rig_settle(rig);
}

static void without_buffering_an_answer_says_that_it_is_on_disk(void **state)
{
	static const struct command unbuffered = { .cdb = { 0x15, 0x10, 0, 0, 4 }, .n = 4 };

	memset(rig->data, 0, 4);
	done(&unbuffered);
	done(WRITE(1000, 1));
	lose_power();
	done(READ(1000));
	holds(1, 1000);
	memset(rig->data, 0, 4);
	done(&unbuffered);
	rig->u->ssc.mode.block_len = 100;
	done(WRITE_FIXED(3, 2));
	done(MARKS(2, 1));
	lose_power();
	done(END_OF_DATA);
	assert_int_equal(at().object, 6);
}

/* The kernel tells a failed sync once. */
static void behind_a_sync_that_failed_nothing_is_told_in_vain(void **state)
{
	unsigned object;

	done(WRITE(1000, 1));
	done(MARKS(0, 0));
	done(WRITE(60000, 2));
	packs_mem_plan_sync_fault(rig->store->packs, 1, -EIO);
	told(MARKS(0, 0), MEDIUM_ERROR, 0x0c00);
	told(MARKS(0, 0), MEDIUM_ERROR, 0x0c00);
	told(MARKS(1, 0), MEDIUM_ERROR, 0x0c00);
	/* Whatever it does now: once it is told that all is on disk, all is. */
	for (unsigned i = 0; i < 5; i++) {
		sequence++;
		execute(WRITE(60000, 3));
		sequence++;
		if (!execute(MARKS(1, 0)))
			break;
	}
	assert_int_equal(rig->t.status, SCSI_GOOD);
	object = (unsigned)at().object;
	lose_power();
	done(END_OF_DATA);
	assert_int_equal(at().object, object);
	done(REWIND);
	done(READ(1000));
	holds(1, 1000);
	for (unsigned i = 1; i < object; i++) {
		sequence++;
		execute(READ(60000));
		assert_true(rig->t.status == SCSI_GOOD || get_be16(rig->t.sense + 12) == 0x0001);
		if (rig->t.status == SCSI_GOOD)
			holds(3, 60000);
	}
}

/* Nothing that was told is lost; but where the tape stands when that was written is not where the killed one stood. */
static void what_was_told_before_a_commit_that_fails_is_there(void **state)
{
	done(WRITE(1000, 1));
	done(MARKS(0, 0));
	done(WRITE(1000, 2));
	kv_mem_plan_fault(rig->store->kv, 1, -EIO);
	told(MARKS(1, 0), MEDIUM_ERROR, 0x0c00);
	assert_int_equal(rig->t.sense[0], 0xf0);
	kill_now();
	told(REWIND, UNIT_ATTENTION, 0x2900);
	done(READ(1000));
	holds(1, 1000);
	done(READ(1000));
	holds(2, 1000);
	told(READ(10), BLANK_CHECK, 0x0005);
}

static void go(unsigned partition, unsigned object)
{
	sequence++;
	execute(COMMAND(0, 0, 0x2b, 2, 0, 0, N24(object), 0, (uint8_t)partition));
}

static void partitions_are_told_apart(void **state)
{
	struct tape_pos pos;
	bool again = true;

	for (unsigned k = 1; again; k++) {
		rig->u->ssc.mode.partitions_wanted = 1;
		rig->u->ssc.mode.partition_flags = 0x20;
		rig_settle(rig);
		again = execute_killed(COMMAND(0, 0, 0x04, 0, 1), k);
		assert_int_equal(rig->t.status, SCSI_GOOD);
	}
	for (unsigned k = 0; k < 40; k++) {
		go(k & 1, 0xffffff);
		assert_int_equal(get_be16(rig->t.sense + 12), 0x0005);
		execute_killed(WRITE(100 + k, k + 1), k / 2);
		assert_int_equal(rig->t.status, SCSI_GOOD);
		assert_int_equal(drive_position(rig->u->ssc.drive, &pos), 0);
		assert_int_equal(pos.partition, k & 1);
		assert_int_equal(pos.object, k / 2 + 1);
	}
	kill_now();
	for (unsigned p = 0; p < 2; p++) {
		go(p, 0);
		for (unsigned k = p; k < 40; k += 2) {
			done(READ(100 + k));
			holds(k + 1, 100 + k);
		}
		told(READ(10), BLANK_CHECK, 0x0005);
	}
}

/* ---- all at once, against a model ------------------------------------------------------------------------------- */

#define OBJECTS_MAX 4096
struct model {
	struct { unsigned seed; size_t n, from; bool mark; } o[OBJECTS_MAX];	/* @from: in the bytes of the command */
	unsigned end, pos;
	unsigned seed;
	uint64_t chance;
};

static unsigned pick(struct model *m, unsigned n)
{
	return (unsigned)chance_below(&m->chance, n);
}

static void put(struct model *m, bool mark, size_t n, size_t from)
{
	m->o[m->pos].mark = mark;
	m->o[m->pos].n = n;
	m->o[m->pos].from = from;
	m->o[m->pos].seed = m->seed;
	m->end = ++m->pos;
}

static size_t length(struct model *m)
{
	static const size_t lengths[] = { 1, 100, 4096, 65536, 250000, 700000 };
	unsigned k = pick(m, 40);

	return 1 + pick(m, (unsigned)lengths[k < 20 ? 1 : k < 30 ? 2 : k < 36 ? 3 : k < 39 ? 4 : 5]);
}

/* A command and what it does; what is to be expected of it: status and code. */
static struct command invent(struct model *m, uint16_t *code)
{
	unsigned what = pick(m, 100);
	size_t n;

	*code = 0;
	if (m->end > OBJECTS_MAX - 100)
		what = 97;
	if (what < 40) {
		n = length(m);
		m->seed++;
		put(m, false, n, 0);
		return *WRITE(n, m->seed);
	}
	if (what < 52) {
		n = 1 + pick(m, 8);
		m->seed++;
		for (size_t i = 0; i < n; i++)
			put(m, false, 100, i * 100);
		return *WRITE_FIXED(n, m->seed);
	}
	if (what < 62) {
		bool immed = pick(m, 2);

		n = pick(m, 4);
		for (size_t i = 0; i < n; i++)
			put(m, true, 0, 0);
		return *MARKS(n, immed);
	}
	if (what < 82) {
		if (m->pos == m->end)
			*code = 0x0005;
		else if (m->o[m->pos++].mark)
			*code = 0x0001;
		return *COMMAND(DATA_MAX, 0, 0x08, 2, N24(DATA_MAX));
	}
	if (what < 88) {
		m->pos = pick(m, m->end + 1);
		return *LOCATE(m->pos);
	}
	if (what < 94) {
		m->pos = m->end;
		return *END_OF_DATA;
	}
	if (what < 97) {
		m->pos = 0;
		return *REWIND;
	}
	m->end = m->pos;
	return *ERASE;
}

static void compare(struct model *m, const struct command *c, uint16_t code, unsigned seed, unsigned i, bool again)
{
	uint16_t is = rig->t.status == SCSI_GOOD ? 0 : rig->t.status == SCSI_CHECK_CONDITION ?
		      get_be16(rig->t.sense + 12) : 0xffff;

	if (is != code)
		fail_msg("seed %u, command %u (%02x%s): code %04x, not %04x", seed, i, c->cdb[0],
			 again ? ", killed" : "", is, code);
	if (at().object != m->pos)
		fail_msg("seed %u, command %u (%02x%s): at %u, not %u", seed, i, c->cdb[0], again ? ", killed" : "",
			 (unsigned)at().object, m->pos);
	if (c->cdb[0] != 0x08 || code)
		return;
	if (rig->t.data_in != m->o[m->pos - 1].n)
		fail_msg("seed %u, command %u: %zu bytes, not %zu", seed, i, rig->t.data_in, m->o[m->pos - 1].n);
	for (size_t k = 0; k < rig->t.data_in; k++)
		if (rig->data[k] != byte_of(m->o[m->pos - 1].seed, m->o[m->pos - 1].from + k))
			fail_msg("seed %u, command %u: byte %zu", seed, i, k);
}

/* The whole tape. */
static void compare_all(struct model *m, unsigned seed)
{
	struct command read = *COMMAND(DATA_MAX, 0, 0x08, 2, N24(DATA_MAX));

	done(REWIND);
	for (m->pos = 0; m->pos < m->end;) {
		sequence++;
		execute(&read);
		m->pos++;
		compare(m, &read, m->o[m->pos - 1].mark ? 0x0001 : 0, seed, 9999, false);
	}
	told(&read, BLANK_CHECK, 0x0005);
}

static void run_seed(unsigned seed, unsigned commands)
{
	static struct model m;

	memset(&m, 0, sizeof(m));
	m.chance = seed;
	for (unsigned i = 0; i < commands; i++) {
		uint16_t code;
		struct command c = invent(&m, &code);
		bool again = execute_killed(&c, pick(&m, 3) ? 0 : 1 + pick(&m, 24));

		compare(&m, &c, code, seed, i, again);
		if (!pick(&m, 8)) {
			/* Killed behind its last step, before anybody saw the answer. */
			kill_now();
			execute(&c);
			compare(&m, &c, code, seed, i, true);
		}
	}
	kill_now();
	compare_all(&m, seed);
}

static void every_record_is_there_once_whenever_it_is_killed(void **state)
{
	const char *seeds = getenv("SEEDS"), *first = getenv("SEED");
	unsigned from = first ? (unsigned)atoi(first) : 1, n = seeds ? (unsigned)atoi(seeds) : 12;

	for (unsigned seed = from; seed < from + n; seed++) {
		if (seed > from) {
			rig_free(state);
			start(state);
		}
		run_seed(seed, 120);
	}
}

#define KILLED(test) cmocka_unit_test_setup_teardown(test, start, rig_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KILLED(records_that_were_told_are_there),
		KILLED(an_answer_is_given_again),
		KILLED(an_answer_is_given_again_behind_a_reset),
		KILLED(what_was_set_stays),
		KILLED(a_log_that_is_full_is_written_out),
		KILLED(a_log_gives_up_what_is_on_disk),
		KILLED(it_goes_on_in_the_middle),
		KILLED(with_keys_it_begins_anew),
		KILLED(another_tape_is_not_what_it_was),
		KILLED(a_tape_that_was_cut_is_not_what_it_was),
		KILLED(a_record_in_the_place_of_one_that_was_told_is_another),
		KILLED(a_tape_as_long_as_it_was_may_be_another),
		KILLED(an_unloaded_drive_stays_as_it_was_set),
		KILLED(no_memory_is_a_drive_switched_on_anew),
		KILLED(a_worm_tape_has_each_record_once),
		KILLED(a_loss_that_was_told_is_final),
		KILLED(without_buffering_an_answer_says_that_it_is_on_disk),
		KILLED(behind_a_sync_that_failed_nothing_is_told_in_vain),
		KILLED(what_was_told_before_a_commit_that_fails_is_there),
		KILLED(partitions_are_told_apart),
		KILLED(every_record_is_there_once_whenever_it_is_killed),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
