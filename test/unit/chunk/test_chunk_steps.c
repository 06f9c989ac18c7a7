/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One life of a store, in which step number n fails: for every kind of step and every n until nothing fails any more.
 * Two writers that share, a commit each, a stop, the same data again, a deletion, a collection, the deleted data once more, a pack copied
 * forward.  After each of these lives, with a power cut at its end and without: the store opens, everything that was
 * committed is there byte for byte, and nothing is wrong that the collector would not take.
 */
#include "chunk/store.h"
#include "rig.h"

#define BYTES (64u << 10)
#define KEPT 6u

/* A stream that somebody wants to keep: bytes that follow from @seed, the first half those of @half_of. */
struct kept { uint64_t seed, half_of; struct map m; bool committed, deleted; };

struct life {
	struct rig g;			/* its packs are the layer that fails */
	struct packs *mem;		/* below that */
	struct kept kept[KEPT];
};

/* ---- the store and its maps -------------------------------------------------------------------------------------- */

static bool with_journal; /* beside the database */
static unsigned lived;

static void life_begin(struct life *l)
{
	struct kv *base;

	lived++;
	*l = (struct life){ .kept = { { 1, 1 }, { 2, 1 }, { 3, 3 }, { 1, 1 }, { 4, 2 }, { 2, 1 } } };
	l->g.cfg.params = chunk_params_of(8 << 10);
	memcpy(l->g.cfg.key, "the secret of a store in a test.", 32);
	OK(kv_mem_new(&base));
	if (with_journal)
		OK(kv_journal_mem_open(base, &l->g.kv));
	else
		l->g.kv = base;
	OK(packs_mem_new(&l->mem));
	OK(packs_faulty_new(l->mem, &l->g.packs));
	OK(workers_serial_new(&l->g.workers));
}

static void life_end(struct life *l)
{
	chunk_store_close(l->g.cs);
	packs_close(l->g.packs);
	packs_close(l->mem);
	workers_free(l->g.workers);
	kv_close(l->g.kv);
	for (unsigned i = 0; i < KEPT; i++)
		map_fini(&l->kept[i].m);
}

static void data_of(const struct kept *k, uint8_t *out)
{
	fill(out, BYTES, k->seed);
	fill(out, BYTES / 2, k->half_of);
}

static int any_map_names(void *ctx, uint64_t pack)
{
	struct life *l = ctx;

	for (unsigned i = 0; i < KEPT; i++)
		if (l->kept[i].committed && !l->kept[i].deleted && map_names(&l->kept[i].m, pack))
			return 1;
	return 0;
}

/* ---- the life: what fails is given up, as a drive would -------------------------------------------------------- */

static bool life_open(struct life *l)
{
	if (!l->g.cs && chunk_store_open(l->g.kv, l->g.packs, l->g.workers, &l->g.cfg, &l->g.cs))
		l->g.cs = NULL;
	return l->g.cs != NULL;
}

static void life_close(struct life *l)
{
	l->g.cs = chunk_store_close(l->g.cs);
}

static struct chunk_writer *begin(struct life *l, unsigned i)
{
	struct chunk_writer_config cfg = { .codec = i % 2 ? CHUNK_PLAIN : CHUNK_LZ4 };
	struct chunk_writer *w;

	return chunk_writer_new(l->g.cs, &cfg, map_add, &l->kept[i].m, &w) ? NULL : w;
}

static bool write_part(struct chunk_writer *w, const struct kept *k, size_t from, size_t n)
{
	uint8_t data[BYTES];

	data_of(k, data);
	return w && chunk_writer_append(w, data + from, n) == 0;
}

static void commit(struct life *l, struct chunk_writer *w, unsigned i, bool whole)
{
	if (whole && !chunk_writer_flush(w))
		l->kept[i].committed = rig_commit(&l->g, w) == 0;
	chunk_writer_free(w);
}

static void write_two(struct life *l, unsigned a, unsigned b)
{
	struct chunk_writer *wa = begin(l, a), *wb = begin(l, b);
	bool oka = true, okb = true;

	for (size_t at = 0; at < BYTES; at += BYTES / 4) {
		oka = oka && write_part(wa, &l->kept[a], at, BYTES / 4);
		okb = okb && write_part(wb, &l->kept[b], at, BYTES / 4);
	}
	commit(l, wa, a, oka);
	commit(l, wb, b, okb);
}

static void write_one(struct life *l, unsigned i)
{
	struct chunk_writer *w = begin(l, i);

	commit(l, w, i, write_part(w, &l->kept[i], 0, BYTES));
}

/* An error is allowed while something fails; other bytes never are. */
static int read_back(struct rig *g, struct kept *k)
{
	struct chunk_reader *r;
	uint8_t want[BYTES], got[BYTES];
	int e = chunk_reader_new(g->cs, map_source, &k->m, &r);

	if (e)
		return e;
	data_of(k, want);
	assert_int_equal(k->m.bytes, BYTES);
	for (size_t at = 0; at < BYTES && !e; at += BYTES / 8) {
		e = chunk_reader_read(r, at, got, BYTES / 8);
		if (!e)
			assert_memory_equal(got, want + at, BYTES / 8);
	}
	chunk_reader_free(r);
	return e;
}

static void collect(struct life *l)
{
	uint64_t number = 0, bytes, freed;

	while (chunk_store_next_pack(l->g.cs, number, &number, &bytes) == 0)
		(void)chunk_gc_pack(l->g.cs, number++, any_map_names, l, &freed);
}

/* ---- a copier, for the packs of one stream ---- */

static unsigned packs_of(const struct map *m, uint64_t out[8])
{
	unsigned n = 0;

	for (size_t i = 0; i < m->count; i++) {
		uint64_t pack = m->places[i].ref.pack;
		unsigned at = 0;

		while (at < n && out[at] < pack)
			at++;
		if (at < n && out[at] == pack)
			continue;
		assert_true(n < 8);
		memmove(out + at + 1, out + at, (n++ - at) * sizeof(*out));
		out[at] = pack;
	}
	return n;
}

static int move_all(struct chunk_copier *c, const struct map *from, struct map *to)
{
	int r = 0;

	for (size_t i = 0; i < from->count && !r; i++) {
		struct chunk_place p = from->places[i];

		r = chunk_copier_move(c, from->places[i].ref, &p.ref, &p.stored);
		r = r ? r : map_add(to, &p);
	}
	return r;
}

static void copy_forward(struct life *l, unsigned i)
{
	struct map to = { NULL };
	struct chunk_copier *c;
	struct kv_batch *b;
	uint64_t packs[8];
	int r;

	if (!l->kept[i].committed || chunk_copier_new(l->g.cs, packs, packs_of(&l->kept[i].m, packs), &c))
		return;
	OK(kv_batch_new(&b));
	r = move_all(c, &l->kept[i].m, &to);
	r = r ? r : chunk_copier_begin_commit(c, b);
	r = r ? r : kv_write(l->g.kv, b, true);
	chunk_copier_end_commit(c, !r);
	chunk_copier_free(c);
	kv_batch_free(b);
	if (!r) {
		struct map old = l->kept[i].m;

		l->kept[i].m = to;
		to = old;
	}
	map_fini(&to);
}

static void live(struct life *l)
{
	if (!life_open(l))
		return;
	write_two(l, 0, 1);
	for (unsigned i = 0; i < 2; i++)
		if (l->kept[i].committed)
			(void)read_back(&l->g, &l->kept[i]);
	(void)chunk_store_seal_idle(l->g.cs);
	write_one(l, 2);
	life_close(l);
	if (!life_open(l))
		return;
	for (unsigned i = 0; i < 3; i++)
		if (l->kept[i].committed)
			(void)read_back(&l->g, &l->kept[i]);
	/* Shares what recovery found, also what was never told to be safe. */
	write_one(l, 5);
	l->kept[0].deleted = l->kept[2].deleted = true;
	collect(l);
	write_one(l, 3);
	(void)chunk_store_seal_idle(l->g.cs);
	write_one(l, 4);
	copy_forward(l, 1);
	(void)chunk_store_seal_idle(l->g.cs);
	collect(l);
}

/* ---- what must be true then ------------------------------------------------------------------------------------ */

struct told { unsigned faults; char first[256]; };

static void found(void *ctx, const char *what, bool repaired)
{
	struct told *t = ctx;

	(void)repaired;
	if (!t->faults++)
		snprintf(t->first, sizeof(t->first), "%s", what);
}

static const char *now; /* what is being tried, for whoever has to find out */
static uint64_t now_step;

static void fail_told(const char *what, const char *more)
{
	print_error("%s at step %llu: %s %s\n", now, (unsigned long long)now_step, what, more);
	fail();
}

/* @g: over the packs without faults. */
static void assert_true_to_word(struct rig *g, struct life *l, const char *when)
{
	struct told t = { 0 };
	struct chunk_check_config cfg = { .data = true, .found = found, .ctx = &t };
	struct chunk_checked out;
	int r = chunk_store_open(g->kv, g->packs, g->workers, &g->cfg, &g->cs);

	if (r)
		fail_told(when, err_text(r));
	for (unsigned i = 0; i < KEPT; i++) {
		r = l->kept[i].committed && !l->kept[i].deleted ? read_back(g, &l->kept[i]) : 0;
		if (r)
			fail_told(when, err_text(r));
	}
	OK(chunk_store_check(g->cs, &cfg, &out));
	if (t.faults)
		fail_told(when, t.first);
	g->cs = chunk_store_close(g->cs);
}

static void after_a_cut(struct life *l, uint64_t seed)
{
	struct rig g = l->g;

	OK(kv_mem_cut(l->g.kv, &g.kv));
	OK(packs_mem_cut(l->mem, seed, &g.packs));
	assert_true_to_word(&g, l, seed ? "after a cut that left a part" : "after a cut");
	packs_close(g.packs);
	kv_close(g.kv);
}

static void without_a_cut(struct life *l)
{
	struct rig g = l->g;

	life_close(l);
	packs_faulty_plan(l->g.packs, NULL);
	kv_mem_plan_fault(l->g.kv, 0, -EIO);
	g.packs = l->mem;
	assert_true_to_word(&g, l, "after a stop");
}

static unsigned committed(const struct life *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < KEPT; i++)
		n += l->kept[i].committed;
	return n;
}

/* One life with the fault; was it met? */
static bool one_life(const struct packs_fault *fault)
{
	struct life l;
	bool met;

	life_begin(&l);
	packs_faulty_plan(l.g.packs, fault);
	live(&l);
	met = packs_faulty_met(l.g.packs);
	if (!met)
		assert_int_equal(committed(&l), KEPT);
	after_a_cut(&l, 0);
	after_a_cut(&l, now_step);
	without_a_cut(&l);
	life_end(&l);
	return met;
}

static void lives(const char *name, struct packs_fault fault, unsigned at_least)
{
	now = name;
	for (fault.step = now_step = 1; one_life(&fault); now_step = ++fault.step)
		;
	if (fault.step <= at_least)
		fail_told("too few steps", "");
}

static void a_write_fails(void **state)
{
	(void)state;
	lives("a write", (struct packs_fault){ .kinds = PACKS_WRITE, .error = EIO }, 20);
	lives("a part of a write", (struct packs_fault){ .kinds = PACKS_WRITE, .how = PACKS_PARTLY, .error = EIO }, 20);
	lives("a full disk, once",
	      (struct packs_fault){ .kinds = PACKS_WRITE, .how = PACKS_PARTLY, .error = ENOSPC }, 20);
}

static void a_disk_is_full_from_some_step_on(void **state)
{
	(void)state;
	lives("a full disk", (struct packs_fault){ .kinds = PACKS_WRITE | PACKS_CREATE, .how = PACKS_PARTLY,
						   .error = ENOSPC, .lasting = true }, 20);
}

static void a_disk_takes_nothing_more_from_some_step_on(void **state)
{
	(void)state;
	lives("a dead disk", (struct packs_fault){ .kinds = PACKS_WRITE | PACKS_CREATE | PACKS_SYNC | PACKS_TRUNCATE |
							    PACKS_UNLINK,
						   .error = EIO, .lasting = true }, 20);
	lives("a dead disk, not cut", (struct packs_fault){ .kinds = PACKS_WRITE | PACKS_TRUNCATE, .how = PACKS_PARTLY,
							    .error = EIO, .lasting = true }, 20);
}

static void a_pack_cannot_be_made_cut_or_removed(void **state)
{
	(void)state;
	lives("a create", (struct packs_fault){ .kinds = PACKS_CREATE, .error = ENOSPC }, 2);
	lives("an unlink", (struct packs_fault){ .kinds = PACKS_UNLINK, .error = EIO }, 1);
	lives("every unlink", (struct packs_fault){ .kinds = PACKS_UNLINK, .error = EIO, .lasting = true }, 1);
}

static void a_sync_fails(void **state)
{
	(void)state;
	lives("a sync", (struct packs_fault){ .kinds = PACKS_SYNC, .error = EIO }, 5);
	lives("a sync that loses", (struct packs_fault){ .kinds = PACKS_SYNC, .how = PACKS_PARTLY, .error = EIO }, 5);
	lives("a sync that loses behind the cache",
	      (struct packs_fault){ .kinds = PACKS_SYNC, .how = PACKS_STALE, .error = EIO }, 5);
}

static void a_read_fails_or_lies(void **state)
{
	(void)state;
	lives("an open", (struct packs_fault){ .kinds = PACKS_OPEN, .error = EIO }, 2);
	lives("a read", (struct packs_fault){ .kinds = PACKS_READ, .error = EIO }, 10);
	lives("a wrong bit", (struct packs_fault){ .kinds = PACKS_READ, .how = PACKS_FLIPPED }, 10);
	lives("wrong bits", (struct packs_fault){ .kinds = PACKS_READ, .how = PACKS_FLIPPED, .lasting = true }, 10);
	lives("a disk that cannot be read",
	      (struct packs_fault){ .kinds = PACKS_READ, .error = EIO, .lasting = true }, 10);
}

/* ---- the same for the database --------------------------------------------------------------------------------- */

#define MANY 100000u

/* How many writes a life makes: a fault far away, and how far it still is afterwards.  With a journal each is two, the
 * journal's and the database's, and a sync. */
static unsigned writes_of_a_life(void)
{
	struct life l;
	struct kv_batch *b;
	unsigned left = 0;

	life_begin(&l);
	kv_mem_plan_fault(l.g.kv, MANY, -EIO);
	live(&l);
	life_close(&l);
	OK(kv_batch_new(&b));
	OK(kv_batch_put(b, KV_CATALOG, "x", 1, "", 0));
	do
		left++;
	while (!kv_write(l.g.kv, b, false));
	kv_batch_free(b);
	life_end(&l);
	return with_journal ? MANY + 1 - 2 * left : MANY - left;
}

static void database_life(const char *name, int error)
{
	struct life l;

	now = name;
	life_begin(&l);
	kv_mem_plan_fault(l.g.kv, now_step, error);
	live(&l);
	after_a_cut(&l, 0);
	after_a_cut(&l, now_step);
	/* A journal that failed takes nothing more until it is opened again, as after a cut. */
	if (!with_journal)
		without_a_cut(&l);
	life_end(&l);
}

static void a_write_to_the_database_fails(void **state)
{
	unsigned writes = writes_of_a_life();

	(void)state;
	assert_in_range(writes, 10, 1000);
	for (now_step = 1; now_step <= writes; now_step++) {
		database_life("a write to the database", -EIO);
		database_life("a full database", -ENOSPC);
	}
}

static void a_write_to_a_database_with_a_journal_fails(void **state)
{
	with_journal = true;
	a_write_to_the_database_fails(state);
	with_journal = false;
}

int main(void)
{
	int failed;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_fails),
		cmocka_unit_test(a_disk_is_full_from_some_step_on),
		cmocka_unit_test(a_disk_takes_nothing_more_from_some_step_on),
		cmocka_unit_test(a_pack_cannot_be_made_cut_or_removed),
		cmocka_unit_test(a_sync_fails),
		cmocka_unit_test(a_read_fails_or_lies),
		cmocka_unit_test(a_write_to_the_database_fails),
		cmocka_unit_test(a_write_to_a_database_with_a_journal_fails),
	};

	log_set_level(getenv("VTAPE_TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR - 1);
	failed = cmocka_run_group_tests_name("chunk_steps", tests, NULL, NULL);
	print_message("%u lives\n", lived);
	return failed;
}
