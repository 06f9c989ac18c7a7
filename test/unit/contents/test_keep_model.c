/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever happens to tapes, what is told of them is true: random writes, appends, overwrites, erasures, marks taken
 * back, generations restored and dropped, volumes deleted, restarts and power cuts, with the keeper running beside,
 * against a model of what is on each tape.  At any moment nothing is told that is not there; once settled nothing is
 * missing.
 *
 * test_keep_model [SEED]: another one each time, printed.
 */
#include "lib/chance.h"
#include "unit/contents/tapes.h"

#define VOLUMES 4u
#define FILES_MAX 12u
#define GENERATIONS_MAX 200u
#define NAMES_MAX 4000u

struct model_file { unsigned name; bool tar, closed; };
struct model_tape { struct model_file f[FILES_MAX]; unsigned n; };
struct model_volume {
	uint64_t id;
	struct model_tape now;
	struct { uint64_t generation; struct model_tape tape; } was[GENERATIONS_MAX];
	unsigned generations;
};

struct model {
	struct tapes *t;
	struct model_volume v[VOLUMES];
	unsigned names;
	uint64_t chance;
};

static uint64_t seed;

static unsigned pick(struct model *m, unsigned n)
{
	return (unsigned)chance_below(&m->chance, n);
}

static struct model_volume *any(struct model *m)
{
	return &m->v[pick(m, VOLUMES)];
}

static void remember(struct model *m, struct model_volume *v)
{
	uint64_t generation = stat_of(&m->t->s, v->id).generation;

	for (unsigned i = 0; i < v->generations; i++)
		if (v->was[i].generation == generation) {
			v->was[i].tape = v->now;
			return;
		}
	assert_true(v->generations < GENERATIONS_MAX);
	v->was[v->generations].generation = generation;
	v->was[v->generations++].tape = v->now;
}

static void renew(struct model *m, struct model_volume *v)
{
	static unsigned made;
	char name[16];

	snprintf(name, sizeof(name), "A%05u", ++made % 100000);
	v->id = make(&m->t->s, name);
	v->now.n = v->generations = 0;
}

/* ---- what happens ---- */

static void write_file(struct model *m, struct volume *v, struct model_tape *tape, bool tar, bool closed)
{
	char name[16];
	struct archived a;

	if (tape->n == FILES_MAX || m->names == NAMES_MAX)
		return;
	if (tape->n && !tape->f[tape->n - 1].closed) {
		assert_int_equal(volume_append_filemark(v, 0), 0);
		tape->f[tape->n - 1].closed = true;
	}
	snprintf(name, sizeof(name), "n%u", m->names);
	if (tar) {
		a = make_archive("gnutar", pick(m, 4) ? NULL : "gzip", name, 1 + pick(m, 70), 100);
		put_records(v, a.p, a.n, 10240);
		free(a.p);
	} else {
		put_records(v, "words, words\n", 13, 1 + pick(m, 13));
	}
	if (closed)
		assert_int_equal(volume_append_filemark(v, 0), 0);
	tape->f[tape->n++] = (struct model_file){ m->names++, tar, closed };
}

/* Cut somewhere, or not, and some files behind that. */
static void do_write(struct model *m)
{
	struct model_volume *v = any(m);
	struct volume *vol = claim(&m->t->s, v->id, CLAIM_WRITE);
	struct tape_tally at;

	if (v->now.n && !pick(m, 3)) {
		unsigned before = pick(m, v->now.n);

		assert_int_equal(volume_find_file(vol, 0, before, &at), 0);
		assert_int_equal(volume_truncate(vol, 0, at.objects), 0);
		v->now.n = before;
	}
	for (unsigned i = pick(m, 4); i > 0; i--) {
		write_file(m, vol, &v->now, pick(m, 4), pick(m, 5));
		if (!pick(m, 3))
			assert_int_equal(volume_commit(vol), 0);
	}
	release(&m->t->s, v->id, CLAIM_WRITE);
	remember(m, v);
}

static void do_take_back(struct model *m)
{
	struct model_volume *v = any(m);
	struct volume *vol;
	struct tape_tally end;

	if (!v->now.n || !v->now.f[v->now.n - 1].closed)
		return;
	vol = claim(&m->t->s, v->id, CLAIM_WRITE);
	assert_int_equal(volume_end(vol, 0, &end), 0);
	assert_int_equal(volume_truncate(vol, 0, end.objects - 1), 0);
	v->now.f[v->now.n - 1].closed = false;
	if (pick(m, 2) && v->now.f[v->now.n - 1].tar)
		assert_int_equal(volume_append_record(vol, 0, "more", 4), 0);
	if (pick(m, 2)) {
		assert_int_equal(volume_append_filemark(vol, 0), 0);
		v->now.f[v->now.n - 1].closed = true;
	}
	release(&m->t->s, v->id, CLAIM_WRITE);
	remember(m, v);
}

static void do_erase(struct model *m)
{
	struct model_volume *v = any(m);

	assert_int_equal(library_volume_erase(m->t->s.lib, v->id), 0);
	v->now.n = 0;
	remember(m, v);
}

static void do_restore(struct model *m)
{
	struct model_volume *v = any(m);
	unsigned which;
	int r;

	if (v->generations < 2)
		return;
	which = pick(m, v->generations);
	if (v->was[which].generation == stat_of(&m->t->s, v->id).generation)
		return;
	r = library_volume_restore(m->t->s.lib, v->id, v->was[which].generation);
	if (r == -ENOENT)
		return;		/* dropped */
	assert_int_equal(r, 0);
	v->now = v->was[which].tape;
	remember(m, v);
}

static void do_delete(struct model *m)
{
	struct model_volume *v = any(m);

	assert_int_equal(library_volume_delete(m->t->s.lib, v->id), 0);
	renew(m, v);
}

static void do_drop(struct model *m)
{
	const struct tape_gc_config cfg = { 0 };
	struct library_gc_report done;

	assert_int_equal(library_gc(m->t->s.lib, &cfg, &done), 0);
}

/* ---- what is told ---- */

static void lost(struct model *m, const struct model_volume *v, unsigned file, const char *why)
{
	fail_msg("seed %llu: volume %u, file %u: %s", (unsigned long long)seed, (unsigned)(v - m->v), file, why);
}

/* What is not waiting is what is there. */
static void check_files(struct model *m, const struct model_volume *v, bool settled)
{
	struct tape_files all = files_of(m->t, v->id);

	if (all.n != v->now.n)
		lost(m, v, all.n, "so many files are told");
	for (unsigned i = 0; i < all.n; i++) {
		const struct contents_file *f = &all.f[i];
		struct contents_member member = { .number = 0 };
		char name[16];

		if (f->closed != v->now.f[i].closed)
			lost(m, v, i, "closed or not");
		if (f->how == CONTENTS_WAITING) {
			if (settled)
				lost(m, v, i, "it still waits");
			continue;
		}
		if ((f->how == CONTENTS_LISTED || f->how == CONTENTS_BROKEN) != v->now.f[i].tar)
			lost(m, v, i, contents_how_name(f->how));
		snprintf(name, sizeof(name), "n%u", v->now.f[i].name);
		if (v->now.f[i].tar && contents_resolve(m->t->c, f->content, name, &member))
			lost(m, v, i, "it is another archive");
		contents_member_fini(&member);
	}
}

static const struct model_volume *has(const struct model *m, unsigned name, unsigned *file)
{
	for (const struct model_volume *v = m->v; v < m->v + VOLUMES; v++)
		for (*file = 0; *file < v->now.n; ++*file)
			if (v->now.f[*file].name == name && v->now.f[*file].tar)
				return v;
	return NULL;
}

static void check_name(struct model *m, unsigned name, bool settled)
{
	const struct model_volume *v;
	struct hits h;
	char path[32];
	unsigned file;

	snprintf(path, sizeof(path), "n%u/0", name);
	h = find(m->t, path);
	v = has(m, name, &file);
	if (h.n > 1 || (h.n && (!v || h.volume != v->id || h.file != file)))
		fail_msg("seed %llu: %s is told %u times, and not there", (unsigned long long)seed, path, h.n);
	if (settled && v && !h.n)
		fail_msg("seed %llu: %s is not told", (unsigned long long)seed, path);
}

static void check_all(struct model *m, bool settled)
{
	for (unsigned i = 0; i < VOLUMES; i++)
		check_files(m, &m->v[i], settled);
	for (unsigned i = 0; m->names && i < (settled ? m->names : 5); i++)
		check_name(m, settled ? i : pick(m, m->names), settled);
}

static void found(void *ctx, const char *what, bool repaired)
{
	fail_msg("seed %llu: %s", (unsigned long long)seed, what);
}

static void check_settled(struct model *m)
{
	struct contents_checked out;
	struct contents_status st;
	unsigned i;

	settle(m->t);
	check_all(m, true);
	assert_int_equal(contents_check(m->t->c, false, found, m, &out), 0);
	assert_int_equal(contents_pending(m->t->c, &st), 0);
	assert_int_equal(st.lists, out.lists);
	assert_int_equal(st.members, out.members);
	for (i = 0; i < m->names && i < 3; i++)
		check_name(m, i, true);
}

static void step(struct model *m)
{
	switch (pick(m, 24)) {
	case 0: do_erase(m); break;
	case 1: case 2: do_restore(m); break;
	case 3: do_delete(m); break;
	case 4: case 5: do_take_back(m); break;
	case 6: do_drop(m); break;
	case 7: tapes_restart(m->t); break;
	case 8: tapes_cut(m->t); break;
	case 9: check_settled(m); break;
	case 10: usleep(20000); break;
	default: do_write(m); break;
	}
	check_all(m, false);
}

/* Half of the generations are dropped as soon as somebody collects. */
static void set_keep(struct tapes *t, uint64_t keep_s)
{
	struct catalog_pool pool;

	assert_int_equal(catalog_pool_get(t->s.cat, CATALOG_POOL_DEFAULT, &pool), 0);
	pool.keep_s = keep_s;
	assert_int_equal(catalog_pool_put(t->s.cat, &pool), 0);
}

static void model_run(struct tapes *t, unsigned steps)
{
	static struct model m;

	memset(&m, 0, sizeof(m));
	m.t = t;
	m.chance = seed;
	for (unsigned i = 0; i < VOLUMES; i++)
		renew(&m, &m.v[i]);
	for (unsigned i = 0; i < steps; i++) {
		set_keep(t, pick(&m, 2) ? 0 : 86400);
		step(&m);
	}
	check_settled(&m);
	tapes_restart(t);
	check_settled(&m);
}

static void what_is_told_is_true(void **state)
{
	model_run(*state, 150);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { ON_TAPES(what_is_told_is_true), ON_KEPT_TAPES(what_is_told_is_true) };

	seed = chance_seed(argc > 1 ? argv[1] : NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
