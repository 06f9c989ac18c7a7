/* SPDX-License-Identifier: BSD-2-Clause */
/* Readers share, a writer is alone; and what becomes of a tape that was written. */
#include "library/holding.h"
#include "store.h"

static void readers_share_one_open_volume(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *one = claim(s, a, CLAIM_READ), *two = claim(s, a, CLAIM_READ);

	assert_ptr_equal(one, two);
	release(s, a, CLAIM_READ);
	assert_int_equal(volume_partitions(one), 1);
	release(s, a, CLAIM_READ);
}

static void a_writer_is_alone(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v;

	claim(s, a, CLAIM_WRITE);
	assert_refused(library_claim(s->lib, a, CLAIM_WRITE, &v), -EBUSY, "volume A00001 is being written");
	assert_refused(library_claim(s->lib, a, CLAIM_READ, &v), -EBUSY, "volume A00001 is being written");
	release(s, a, CLAIM_WRITE);
	claim(s, a, CLAIM_READ);
	assert_refused(library_claim(s->lib, a, CLAIM_WRITE, &v), -EBUSY, "volume A00001 is being read");
	release(s, a, CLAIM_READ);
	claim(s, a, CLAIM_WRITE);
	release(s, a, CLAIM_WRITE);
}

static void tapes_are_in_nobody_elses_way(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), b = make(s, "A00002");

	assert_ptr_not_equal(claim(s, a, CLAIM_WRITE), claim(s, b, CLAIM_WRITE));
	release(s, a, CLAIM_WRITE);
	release(s, b, CLAIM_WRITE);
}

static void a_protected_tape_is_only_read(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v;

	assert_int_equal(library_volume_change(s->lib, a, set_protect, ON), 0);
	assert_refused(library_claim(s->lib, a, CLAIM_WRITE, &v), -EROFS, "A00001 is write protected");
	claim(s, a, CLAIM_READ);
	release(s, a, CLAIM_READ);
	assert_int_equal(library_volume_change(s->lib, a, set_protect, OFF), 0);
	claim(s, a, CLAIM_WRITE);
	release(s, a, CLAIM_WRITE);
}

static void set_secondary(struct catalog_volume *row, void *ctx)
{
	row->access = ACCESS_SECONDARY;
}

static void a_copy_of_another_site_is_only_read(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v = claim(s, a, CLAIM_WRITE);

	assert_int_equal(volume_append_record(v, 0, "x", 1), 0);
	release(s, a, CLAIM_WRITE);
	assert_int_equal(library_volume_change(s->lib, a, set_secondary, NULL), 0);
	assert_refused(library_claim(s->lib, a, CLAIM_WRITE, &v), -EROFS, "another site");
	assert_refused(library_volume_delete(s->lib, a), -EROFS, "another site");
	v = claim(s, a, CLAIM_READ);
	assert_int_equal(volume_append_record(v, 0, "x", 1), TAPE_E_PROTECTED);
	release(s, a, CLAIM_READ);
}

static void protection_reaches_a_tape_that_is_open(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v = claim(s, a, CLAIM_WRITE);

	assert_int_equal(volume_append_record(v, 0, "x", 1), 0);
	assert_int_equal(library_volume_change(s->lib, a, set_protect, ON), 0);
	assert_int_equal(volume_append_record(v, 0, "y", 1), TAPE_E_PROTECTED);
	release(s, a, CLAIM_WRITE);
	assert_text(s, a, "x");
}

static void a_volume_that_is_not_there_is_told(void **state)
{
	struct store *s = *state;
	struct volume_stat st;
	struct volume *v;

	assert_refused(library_claim(s->lib, 4711, CLAIM_READ, &v), -ENOENT, "4711");
	assert_int_equal(library_stat(s->lib, 4711, &st), -ENOENT);
}

static void the_first_write_assigns_a_scratch_tape(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");

	claim(s, a, CLAIM_WRITE);
	release(s, a, CLAIM_WRITE);
	assert_int_equal(row_of(s, a).state, STATE_SCRATCH);
	write_text(s, a, "hello");
	assert_int_equal(row_of(s, a).state, STATE_ASSIGNED);
	store_restart(s);
	assert_int_equal(row_of(s, a).state, STATE_ASSIGNED);
	assert_text(s, a, "hello");
}

static void release_makes_it_durable(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");

	write_text(s, a, "hello");
	store_cut(s);
	assert_text(s, a, "hello");
}

static void stat_sees_what_is_not_committed(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v = claim(s, a, CLAIM_WRITE);
	struct volume_stat st;

	assert_int_equal(volume_append_record(v, 0, "hello", 5), 0);
	assert_int_equal(stat_of(s, a).end.bytes, 5);
	assert_int_equal(volume_peek(s->kv, a, &st), 0);
	assert_int_equal(st.end.bytes, 0);
	release(s, a, CLAIM_WRITE);
	assert_int_equal(volume_peek(s->kv, a, &st), 0);
	assert_int_equal(st.end.bytes, 5);
	assert_int_equal(stat_of(s, a).end.bytes, 5);
}

static void a_look_is_in_nobodys_way(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v = claim(s, a, CLAIM_WRITE), *look;

	assert_int_equal(volume_append_record(v, 0, "hello", 5), 0);
	assert_int_equal(library_look(s->lib, a, &look), 0);
	assert_ptr_equal(look, v);
	assert_int_equal(library_look_end(s->lib, a), 0);
	release(s, a, CLAIM_WRITE);
	assert_int_equal(library_look(s->lib, a, &look), 0);
	assert_int_equal(library_look_end(s->lib, a), 0);
}

static void overwriting_is_an_event(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");

	write_text(s, a, "one");
	assert_int_equal(events(s, EVENT_VOLUME_OVERWRITTEN, NULL), 0);
	write_text(s, a, "two");
	assert_int_equal(events(s, EVENT_VOLUME_OVERWRITTEN, "default/A00001"), 1);
	assert_text(s, a, "two");
}

static void a_commit_that_fails_is_told_by_release(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");
	struct volume *v = claim(s, a, CLAIM_WRITE);

	assert_int_equal(volume_append_record(v, 0, "hello", 5), 0);
	kv_mem_plan_fault(s->kv, 1, -EIO);
	assert_int_equal(library_release(s->lib, a, CLAIM_WRITE), -EIO);
	assert_int_equal(events(s, EVENT_WRITE_FAILED, "default/A00001"), 1);
	/* It is nobody's now. */
	claim(s, a, CLAIM_READ);
	release(s, a, CLAIM_READ);
}

/* ---- several at once ------------------------------------------------------------------------------------------- */

struct other { struct store *s; uint64_t id, released_ns; };

static void *release_soon(void *ctx)
{
	struct other *o = ctx;

	usleep(30000);
	library_release(o->s->lib, o->id, CLAIM_WRITE);
	o->released_ns = clock_mono_ns();
	return NULL;
}

/* On a busy machine it may end too late; then it was no claim that is just ending, and another is made. */
static void a_claim_that_is_just_ending_is_waited_for(void **state)
{
	struct store *s = *state;
	struct other o = { s, make(s, "A00001"), 0 };
	struct volume *v;
	uint64_t begun;
	pthread_t t;
	int r;

	do {
		claim(s, o.id, CLAIM_WRITE);
		begun = clock_mono_ns();
		assert_int_equal(pthread_create(&t, NULL, release_soon, &o), 0);
		r = library_claim(s->lib, o.id, CLAIM_READ, &v);
		pthread_join(t, NULL);
	} while (r == -EBUSY && o.released_ns - begun > LIBRARY_PATIENCE_NS);
	assert_int_equal(r, 0);
	release(s, o.id, CLAIM_READ);
}

#define CROWD 6
#define ROUNDS 60
struct crowd { struct store *s; uint64_t id[3]; unsigned seed; int wrong; unsigned writers[3]; };

/* Claims, looks, changes and moves at random; a writer sees that he is alone. */
static void *one_of_the_crowd(void *ctx)
{
	struct crowd *c = ctx;
	uint64_t chance = __atomic_add_fetch(&c->seed, 1, __ATOMIC_SEQ_CST);
	struct volume_stat st;
	struct volume *v;
	char name[16];

	for (int i = 0; i < ROUNDS; i++) {
		unsigned k = (unsigned)chance_below(&chance, 3), what = (unsigned)chance_below(&chance, 8);
		uint64_t id = c->id[k];
		int r = 0;

		switch (what) {
		case 0: case 1:
			r = library_claim(c->s->lib, id, CLAIM_WRITE, &v);
			if (r)
				break;
			if (__atomic_add_fetch(&c->writers[k], 1, __ATOMIC_SEQ_CST) != 1)
				c->wrong++;
			if (i % 5 == 0)
				volume_truncate(v, 0, 0);
			volume_append_record(v, 0, "hello", 5);
			__atomic_sub_fetch(&c->writers[k], 1, __ATOMIC_SEQ_CST);
			r = library_release(c->s->lib, id, CLAIM_WRITE);
			break;
		case 2:
			r = library_stat(c->s->lib, id, &st);
			break;
		case 3:
			snprintf(name, sizeof(name), "N%u-%u", k, (unsigned)chance_below(&chance, 100));
			r = library_volume_move(c->s->lib, id, CATALOG_POOL_DEFAULT, name);
			if (r == -EEXIST)
				r = 0;
			break;
		case 4:
			r = library_volume_erase(c->s->lib, id);
			break;
		case 5:
			r = library_load(c->s->lib, k % 2, id);
			if (!r && !library_drive_open(c->s->lib, k % 2, false, &(struct drive *){ NULL }))
				r = library_drive_close(c->s->lib, k % 2);
			library_unload(c->s->lib, k % 2);
			break;
		default:
			r = library_claim(c->s->lib, id, CLAIM_READ, &v);
			if (r)
				break;
			if (__atomic_load_n(&c->writers[k], __ATOMIC_SEQ_CST))
				c->wrong++;
			r = library_release(c->s->lib, id, CLAIM_READ);
		}
		if (r && r != -EBUSY) {
			print_error("what %u: %s\n", what, err_text(r));
			c->wrong++;
		}
	}
	return NULL;
}

static void a_crowd_keeps_the_rules(void **state)
{
	struct store *s = *state;
	struct crowd c = { s, { make(s, "A00001"), make(s, "A00002"), make(s, "A00003") }, 1, 0, { 0 } };
	pthread_t t[CROWD];

	for (int i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&t[i], NULL, one_of_the_crowd, &c), 0);
	for (int i = 0; i < CROWD; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(c.wrong, 0);
	store_restart(s);
	for (int i = 0; i < 3; i++) {
		library_unload(s->lib, (unsigned)i % 2);
		claim(s, c.id[i], CLAIM_READ);
		release(s, c.id[i], CLAIM_READ);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(readers_share_one_open_volume),
		ON_A_STORE(a_writer_is_alone),
		ON_A_STORE(tapes_are_in_nobody_elses_way),
		ON_A_STORE(a_protected_tape_is_only_read),
		ON_A_STORE(a_copy_of_another_site_is_only_read),
		ON_A_STORE(protection_reaches_a_tape_that_is_open),
		ON_A_STORE(a_volume_that_is_not_there_is_told),
		ON_A_STORE(the_first_write_assigns_a_scratch_tape),
		ON_A_STORE(release_makes_it_durable),
		ON_A_STORE(stat_sees_what_is_not_committed),
		ON_A_STORE(a_look_is_in_nobodys_way),
		ON_A_STORE(overwriting_is_an_event),
		ON_A_STORE(a_commit_that_fails_is_told_by_release),
		ON_A_STORE(a_claim_that_is_just_ending_is_waited_for),
		ON_A_STORE(a_crowd_keeps_the_rules),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
