/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A journal in memory under random batches, with faults and power cuts at every step.  The model is a table of rows and
 * the writes since it was right.  After a cut the database must be the table and a prefix of the writes: all that were
 * synced, and of those that failed any.
 */
#include "kv_twins.h"

#include "kv/kv_journal.h"
#include "lib/chance.h"

#include <errno.h>

#define SPACES ((unsigned)KV_CONTENTS)	/* that the journal has */
#define KEYS 4			/* first and second byte of a key, each */
#define OPS_MAX 5
#define WRITES_MAX 64
#define STATES_MAX 64

struct state {
	uint32_t val[SPACES][KEYS][KEYS];	/* 0: no row */
};

struct op {
	enum kv_change change;
	enum kv_space space;
	uint8_t key[2];
	uint32_t val;
};

struct write {
	struct op ops[OPS_MAX];
	unsigned count;
	bool failed;
};

struct model {
	struct state base;
	struct write writes[WRITES_MAX];
	unsigned count, synced;		/* the first @synced writes are durable */
};

struct states {
	struct state of[STATES_MAX];
	unsigned count;
};

static void apply(struct state *s, const struct write *w)
{
	for (unsigned i = 0; i < w->count; i++) {
		const struct op *op = &w->ops[i];

		if (op->change == KV_DELETE_PREFIX)
			memset(s->val[op->space][op->key[0]], 0, sizeof(s->val[0][0]));
		else
			s->val[op->space][op->key[0]][op->key[1]] = op->change == KV_PUT ? op->val : 0;
	}
}

static void add_state(struct states *all, const struct state *s)
{
	for (unsigned i = 0; i < all->count; i++)
		if (!memcmp(&all->of[i], s, sizeof(*s)))
			return;
	assert_true(all->count < STATES_MAX);
	all->of[all->count++] = *s;
}

/* Each possible state moves on; a write that failed may have happened or not. */
static void move_on(struct states *all, const struct write *w)
{
	unsigned n = all->count;

	for (unsigned i = 0; i < n; i++) {
		struct state next = all->of[i];

		apply(&next, w);
		if (w->failed)
			add_state(all, &next);
		else
			all->of[i] = next;
	}
}

static bool is_one_of(const struct states *all, const struct state *s)
{
	for (unsigned i = 0; i < all->count; i++)
		if (!memcmp(&all->of[i], s, sizeof(*s)))
			return true;
	return false;
}

/* Is @s a prefix of at least @least writes? */
static bool fits(const struct model *m, unsigned least, const struct state *s)
{
	struct states all = { .count = 1 };

	all.of[0] = m->base;
	for (unsigned i = 0; i < m->count; i++) {
		if (i >= least && is_one_of(&all, s))
			return true;
		move_on(&all, &m->writes[i]);
	}
	return is_one_of(&all, s);
}

static void read_state(struct kv *kv, struct state *s)
{
	struct buf value = BUF_INIT;

	for (unsigned space = 0; space < SPACES; space++)
		for (uint8_t a = 0; a < KEYS; a++)
			for (uint8_t b = 0; b < KEYS; b++) {
				uint8_t key[2] = { a, b };
				int r = kv_get(kv, space, key, sizeof(key), &value);

				assert_true(r == 0 || r == KV_E_NONE);
				s->val[space][a][b] = r ? 0 : get_le32(value.data);
			}
	buf_fini(&value);
}

/* ---- what is tried ---- */

struct run {
	struct kv *kv;
	struct model model;
	uint64_t chance;
	uint32_t val;
	bool checkpoints;
};

static void random_write(struct run *run, struct write *w, struct kv_batch *b)
{
	w->count = chance_below(&run->chance, OPS_MAX + 1);
	for (unsigned i = 0; i < w->count; i++) {
		struct op *op = &w->ops[i];
		uint8_t val[700] = { 0 };	/* more than a sector */

		*op = (struct op){
			.change = chance_below(&run->chance, 8), .space = chance_below(&run->chance, SPACES), .val = ++run->val,
			.key = { (uint8_t)chance_below(&run->chance, KEYS), (uint8_t)chance_below(&run->chance, KEYS) },
		};
		if (op->change > KV_DELETE_PREFIX)
			op->change = KV_PUT;
		put_le32(val, op->val);
		assert_int_equal(kv_batch_add(b, &(struct kv_op){
			.change = op->change, .space = op->space, .key = op->key,
			.klen = op->change == KV_DELETE_PREFIX ? 1 : 2, .val = val,
			.vlen = op->change == KV_PUT ? 4 + chance_below(&run->chance, sizeof(val) - 4) : 0,
		}), 0);
	}
}

/* False: the journal takes no more. */
static bool step(struct run *run)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct model *m = &run->model;
	struct write *w = &m->writes[m->count];
	bool sync = chance_below(&run->chance, 2);
	int r;

	if (run->checkpoints && chance_below(&run->chance, 8) == 0)
		(void)kv_checkpoint(run->kv);
	assert_int_equal(kv_batch_new(&b), 0);
	*w = (struct write){ 0 };
	random_write(run, w, b);
	r = kv_write(run->kv, b, sync);
	w->failed = r != 0;
	m->count++;
	if (!r && sync)
		m->synced = m->count;
	return !r || !strstr(err_text(r), "takes no more");
}

static void assert_live(struct run *run)
{
	struct state s;

	read_state(run->kv, &s);
	assert_true(fits(&run->model, run->model.count, &s));
}

/* The journal alone gives all but the index. */
static void assert_replay(struct kv *kv)
{
	struct kv_replayed done;
	struct state a, b;
	struct kv *into;

	assert_int_equal(kv_mem_new(&into), 0);
	read_state(kv, &a);
	memset(a.val[KV_INDEX], 0, sizeof(a.val[0]));
	if (journal_replay_dir(journal_of(kv)->dir, into, NULL, NULL, &done) == 0)
		assert_int_equal(done.lost, 0);
	read_state(into, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	kv_close(into);
}

/* A cut leaves what it may, and a journal that a database can be made from. */
static void assert_cut(struct run *run, uint64_t seed, struct kv **out)
{
	struct state s;
	struct kv *cut;

	assert_int_equal(kv_mem_cut_torn(run->kv, seed, &cut), 0);
	read_state(cut, &s);
	assert_true(fits(&run->model, run->model.synced, &s));
	if (journal_of(cut)->wished)
		assert_int_equal(kv_checkpoint(cut), 0);
	assert_replay(cut);
	if (out)
		*out = cut;
	else
		kv_close(cut);
}

/* The machine starts again: what is there now is what there is. */
static void restart(struct run *run, uint64_t seed)
{
	struct kv *cut;

	assert_cut(run, seed, &cut);
	kv_close(run->kv);
	run->kv = cut;
	read_state(cut, &run->model.base);
	run->model.count = run->model.synced = 0;
}

static void run_open(struct run *run, uint32_t seed)
{
	struct kv *base;

	*run = (struct run){ .chance = seed, .checkpoints = seed % 2 };
	assert_int_equal(kv_mem_new(&base), 0);
	assert_int_equal(kv_journal_mem_open(base, &run->kv), 0);
}

static void a_cut_after_any_write_leaves_a_prefix(void **state)
{
	static struct run run;

	for (uint32_t seed = 1; seed <= 40; seed++) {
		run_open(&run, seed);
		for (unsigned i = 0; i < 300; i++) {
			assert_true(step(&run));
			assert_live(&run);
			assert_cut(&run, 0, NULL);
			assert_cut(&run, chance_next(&run.chance) | 1, NULL);
			if (chance_below(&run.chance, 12) == 0 || run.model.count == WRITES_MAX)
				restart(&run, chance_below(&run.chance, 2) ? chance_next(&run.chance) : 0);
		}
		kv_close(run.kv);
	}
}

/* Returns false when the scenario ended before the fault. */
static bool scenario(uint32_t seed, uint64_t after, uint64_t count, unsigned *failures)
{
	static struct run run;
	bool goes_on = true, hit = false;

	run_open(&run, seed);
	kv_mem_plan_faults(run.kv, after, count, after % 2 ? -EIO : -ENOSPC);
	for (unsigned i = 0; goes_on && i < 24; i++) {
		/* Everything fails until the end: each failed write doubles what may be. */
		goes_on = step(&run) && !(hit && count > 3);
		if (run.model.writes[run.model.count - 1].failed) {
			hit = true;
			++*failures;
		}
		assert_live(&run);
	}
	hit = kv_mem_step(journal_of(run.kv)->base) || hit;
	kv_mem_plan_faults(run.kv, 0, 0, -EIO);
	for (uint64_t torn = 0; torn < 12; torn++)
		assert_cut(&run, torn * 2654435761u, NULL);

	/* And after it everything works again. */
	restart(&run, after);
	for (unsigned i = 0; i < 12; i++)
		assert_true(step(&run));
	assert_live(&run);
	assert_cut(&run, 0, NULL);
	assert_cut(&run, after + 1, NULL);
	kv_close(run.kv);
	return hit;
}

/* One step fails; three in a row; or all from then on, which is the cut at that step. */
static void a_fault_at_any_step_leaves_a_prefix(void **state)
{
	static const uint64_t counts[] = { 1, 2, 3, UINT64_MAX };
	unsigned failures = 0, runs = 0;

	for (size_t c = 0; c < ARRAY_LEN(counts); c++)
		for (uint32_t seed = 1; seed <= 6; seed++)
			for (uint64_t n = 1, quiet = 0; quiet < 4; n++, runs++) {
				unsigned before = failures;

				/* What a checkpoint meets fails no write. */
				scenario(seed, n, counts[c], &failures);
				quiet = failures == before ? quiet + 1 : 0;
			}
	print_message("%u runs, %u writes failed\n", runs, failures);
	assert_true(failures > 300);
}

/* The process is killed and comes again, the machine goes on: what was written is in the cache. */
static void kill_and_open(struct run *run)
{
	struct journal *j = journal_of(run->kv);
	struct kv *base = j->base;
	struct jdir *dir = j->dir;

	j->poison = j->poison ? j->poison : -EIO;	/* nothing is synced any more */
	j->base = NULL;
	j->dir = NULL;
	kv_close(run->kv);
	assert_int_equal(journal_open(base, dir, &run->kv), 0);
	read_state(run->kv, &run->model.base);
	run->model.count = run->model.synced = 0;
}

/* A sync fails, and what was to undo it, too; what is acknowledged by the next process outlives the power. */
static void a_sync_that_failed_is_not_believed_by_the_next_process(void **state)
{
	static const uint64_t counts[] = { 1, 2, 3 };
	static struct run run;
	unsigned failures = 0;

	for (size_t c = 0; c < ARRAY_LEN(counts); c++)
		for (uint64_t n = 1; n < 60; n++) {
			bool goes_on = true;

			run_open(&run, (uint32_t)n);
			kv_mem_plan_faults(run.kv, n, counts[c], -EIO);
			for (unsigned i = 0; goes_on && i < 16; i++)
				goes_on = step(&run);
			kv_mem_plan_faults(run.kv, 0, 0, -EIO);
			failures += !goes_on;
			kill_and_open(&run);
			for (unsigned i = 0; i < 6; i++) {
				assert_true(step(&run));
				assert_cut(&run, 0, NULL);
			}
			kv_close(run.kv);
		}
	assert_true(failures > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cut_after_any_write_leaves_a_prefix),
		cmocka_unit_test(a_fault_at_any_step_leaves_a_prefix),
		cmocka_unit_test(a_sync_that_failed_is_not_believed_by_the_next_process),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
