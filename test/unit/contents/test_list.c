/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of members: what a path becomes, what is implied, told later, double; what is left when one is given up or
 * cut off; and random archives against a simple model.
 */
#include "rig.h"

#include "contents/list.h"

#define LIST(c, f, ...) make_list_of(c, f, (const char *const[]){ __VA_ARGS__ }, \
				     ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })))

struct words { char text[8192]; };

static int add_path(void *ctx, const struct contents_member *m)
{
	struct words *w = ctx;

	snprintf(w->text + strlen(w->text), sizeof(w->text) - strlen(w->text), "%s%s%s%s ", m->name,
		 m->type == 'd' ? "/" : "", m->implied ? "?" : "", m->odd ? "!" : "");
	return 0;
}

static void assert_all(struct contents *c, uint32_t content, const char *want)
{
	struct words w = { "" };

	assert_int_equal(contents_each(c, content, 0, add_path, &w), 0);
	assert_string_equal(w.text, want);
}

static void assert_children(struct contents *c, uint32_t content, const char *path, const char *want)
{
	struct contents_member m = { 0 };
	struct words w = { "" };

	if (*path)
		assert_int_equal(contents_resolve(c, content, path, &m), 0);
	assert_int_equal(contents_children(c, content, *path ? m.number : 0, 0, add_path, &w), 0);
	assert_string_equal(w.text, want);
	contents_member_fini(&m);
}

static void folders_on_the_way_are_implied(void **state)
{
	struct contents_file f = file_at(1, 0);
	struct contents_member m = { 0 };
	uint32_t content = LIST(contents_of(state), &f, "a/b/one", "a/b/two", "a/three");

	assert_all(contents_of(state), content, "a/? b/? one two three ");
	assert_children(contents_of(state), content, "", "a/? ");
	assert_children(contents_of(state), content, "a", "b/? three ");
	assert_children(contents_of(state), content, "a/b", "one two ");
	assert_int_equal(f.members, 5);
	assert_int_equal(contents_resolve(contents_of(state), content, "a/three", &m), 0);
	assert_int_equal(m.nth, 2);
	assert_int_equal(m.number, 5);
	assert_int_equal(m.from, 2048);
	contents_member_fini(&m);
}

struct stopping { unsigned n, at; int with; };
static int stop_at(void *ctx, const struct contents_member *m)
{
	struct stopping *s = ctx;

	assert_true(s->n < s->at);
	return ++s->n == s->at ? s->with : 0;
}

/* Over many blocks of members. */
static void who_has_enough_is_given_no_more(void **state)
{
	struct contents *c = contents_of(state);
	struct tarball_member t[300];
	struct contents_file f = file_at(1, 0);
	char name[ARRAY_LEN(t)][8];
	uint32_t content;

	for (unsigned i = 0; i < ARRAY_LEN(t); i++) {
		snprintf(name[i], sizeof(name[i]), "%u", i);
		t[i] = member_of(name[i], '-');
	}
	content = make_list(c, &f, t, ARRAY_LEN(t));
	for (int with = 1; with < 4; with++) {
		struct stopping s = { 0, 5, with }, all = { 0, 70, with };

		assert_int_equal(contents_children(c, content, 0, 0, stop_at, &s), with);
		assert_int_equal(s.n, 5);
		assert_int_equal(contents_each(c, content, 0, stop_at, &all), with);
		assert_int_equal(all.n, 70);
	}
}

static void a_folder_told_after_its_children_keeps_its_number(void **state)
{
	struct tarball_member t[] = { member_of("a/one", '-'), member_of("a/", 'd'), member_of("a/two", '-') };
	struct contents_file f = file_at(1, 0);
	struct contents_member m = { 0 };
	uint32_t content;

	t[1].mode = 02770;
	t[1].mtime_s = 5;
	content = make_list(contents_of(state), &f, t, 3);
	assert_all(contents_of(state), content, "a/ one two ");
	assert_children(contents_of(state), content, "a", "one two ");
	assert_int_equal(contents_lookup(contents_of(state), content, 0, "a", &m), 0);
	assert_int_equal(m.number, 1);
	assert_int_equal(m.mode, 02770);
	assert_int_equal(m.mtime_s, 5);
	assert_int_equal(m.nth, 1);
	assert_int_equal(m.from, 1024);
	assert_string_equal(m.name, "a");
	contents_member_fini(&m);
}

static void what_the_archive_says_of_its_root_is_member_0(void **state)
{
	struct contents_file f = file_at(1, 0), g = file_at(1, 1);
	struct contents_member m = { 0 };
	uint32_t content = LIST(contents_of(state), &f, "./", "./a"), without = LIST(contents_of(state), &g, "a");

	assert_all(contents_of(state), content, "a ");
	assert_int_equal(contents_member(contents_of(state), content, 0, &m), 0);
	assert_int_equal(m.mode, 0755);
	assert_int_equal(m.number, 0);
	assert_int_equal(contents_member(contents_of(state), without, 0, &m), CONTENTS_E_NONE);
	assert_int_equal(contents_resolve(contents_of(state), content, ".", &m), CONTENTS_E_NONE);
	contents_member_fini(&m);
}

static void no_path_leads_up_or_elsewhere(void **state)
{
	struct contents_file f = file_at(1, 0);
	struct contents_member m = { 0 };
	uint32_t content = LIST(contents_of(state), &f, "../../etc/passwd", "/etc/shadow", "a/../../b", "./c//d/./e",
				"..", "");

	assert_all(contents_of(state), content, "etc/? passwd! shadow! a/? b! c/? d/? e _! _ ");
	assert_int_equal(contents_resolve(contents_of(state), content, "/etc//./passwd", &m), 0);
	assert_string_equal((char *)m.raw.data, "../../etc/passwd");
	assert_int_equal(contents_resolve(contents_of(state), content, "a/../b", &m), CONTENTS_E_NONE);
	assert_int_equal(contents_resolve(contents_of(state), content, "etc/passwd/x", &m), CONTENTS_E_NONE);
	contents_member_fini(&m);
}

static void of_two_of_one_path_the_later_counts(void **state)
{
	struct contents_file f = file_at(1, 0);
	struct contents_member m = { 0 };
	struct list_row row;
	uint32_t content = LIST(contents_of(state), &f, "a", "b", "d/x", "a", "d/x");

	assert_int_equal(list_row_get(contents_of(state), content, &row), 0);
	assert_true(row.doubles);
	assert_children(contents_of(state), content, "", "b d/? a ");
	assert_int_equal(contents_lookup(contents_of(state), content, 0, "a", &m), 0);
	assert_int_equal(m.nth, 3);
	assert_children(contents_of(state), content, "d", "x ");
	contents_member_fini(&m);
}

static void a_folder_that_became_a_file_and_a_folder_again_is_one(void **state)
{
	struct contents_file f = file_at(1, 0), g = file_at(1, 1);
	struct contents_member m = { 0 };
	uint32_t content = LIST(contents_of(state), &f, "a/x", "a", "b");

	assert_int_equal(contents_resolve(contents_of(state), content, "a", &m), 0);
	assert_int_equal(m.type, '-');
	assert_int_equal(contents_resolve(contents_of(state), content, "a/x", &m), CONTENTS_E_NONE);
	assert_children(contents_of(state), content, "", "a b ");

	content = LIST(contents_of(state), &g, "a/x", "a", "b", "a/");
	assert_int_equal(contents_resolve(contents_of(state), content, "a/x", &m), 0);
	assert_children(contents_of(state), content, "", "a/ b ");
	contents_member_fini(&m);
}

static void a_name_that_is_too_long_is_cut(void **state)
{
	char name[3000], path[3010];
	struct contents_file f = file_at(1, 0);
	struct contents_member m = { 0 };
	struct buf p = BUF_INIT;
	uint32_t content;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	snprintf(path, sizeof(path), "%s/f", name);
	content = LIST(contents_of(state), &f, path);
	name[CONTENTS_NAME_MAX] = 0;
	assert_int_equal(contents_lookup(contents_of(state), content, 0, name, &m), 0);
	assert_int_equal(m.type, 'd');
	assert_int_equal(contents_lookup(contents_of(state), content, m.number, "f", &m), 0);
	assert_true(m.odd);
	assert_string_equal((char *)m.raw.data, path);
	assert_int_equal(contents_path(contents_of(state), &m, &p), 0);
	assert_int_equal(p.len, CONTENTS_NAME_MAX + 2);
	/* One that differs where a key has no room for it is another. */
	name[1010] = 'x';
	assert_int_equal(contents_lookup(contents_of(state), content, 0, name, &m), CONTENTS_E_NONE);
	contents_member_fini(&m);
	buf_fini(&p);
}

static void a_path_that_is_too_deep_loses_its_middle(void **state)
{
	struct contents_file f = file_at(1, 0);
	struct contents_member m = { 0 };
	struct buf path = BUF_INIT, p = BUF_INIT;
	uint32_t content;

	for (unsigned i = 0; i < 500000; i++)
		buf_append(&path, "a/", 2);
	buf_printf(&path, "end");
	content = LIST(contents_of(state), &f, (const char *)path.data);
	assert_int_equal(f.members, CONTENTS_DEPTH_MAX);
	assert_int_equal(contents_member(contents_of(state), content, CONTENTS_DEPTH_MAX, &m), 0);
	assert_true(m.odd);
	assert_string_equal(m.name, "end");
	assert_int_equal(m.raw.len, 65536);
	assert_int_equal(contents_path(contents_of(state), &m, &p), 0);
	assert_int_equal(p.len, 2 * CONTENTS_DEPTH_MAX + 1);
	contents_member_fini(&m);
	buf_fini(&path);
	buf_fini(&p);
}

static void a_member_is_found_by_its_place(void **state)
{
	struct contents_file f = file_at(1, 0);
	struct contents_member m = { 0 };
	struct tarball_member t[300];
	char name[300][16];
	uint32_t content;

	for (unsigned i = 0; i < 300; i++) {
		snprintf(name[i], sizeof(name[i]), "d%u/f%u", i / 3, i);
		t[i] = member_of(name[i], '-');
	}
	content = make_list(contents_of(state), &f, t, 300);
	for (unsigned i = 0; i < 300; i++) {
		char last[16];

		snprintf(last, sizeof(last), "f%u", i);
		assert_int_equal(contents_at(contents_of(state), content, i * 1024, &m), 0);
		assert_string_equal(m.name, last);
		assert_int_equal(contents_at(contents_of(state), content, i * 1024 + 1023, &m), 0);
		assert_string_equal(m.name, last);
	}
	contents_member_fini(&m);
}

static void an_empty_archive_has_a_list(void **state)
{
	struct contents_file f = file_at(1, 0);
	struct contents_member m = { 0 };
	uint32_t content = make_list(contents_of(state), &f, NULL, 0);

	assert_all(contents_of(state), content, "");
	assert_children(contents_of(state), content, "", "");
	assert_int_equal(contents_at(contents_of(state), content, 0, &m), CONTENTS_E_NONE);
	assert_int_equal(contents_member(contents_of(state), content, 1, &m), CONTENTS_E_NONE);
}

/* ---- given up, deleted, cut off ---- */

static void sweep_all(struct contents *c, uint64_t rows)
{
	bool more = true;

	for (unsigned i = 0; more; i++) {
		assert_int_equal(contents_sweep(c, rows, &more), 0);
		assert_true(i < 1000);
	}
}

static void assert_no_list(struct rig *g)
{
	for (const char *letter = "CBTNXG"; *letter; letter++)
		assert_int_equal(count_rows(g, *letter), 0);
}

static void add_many(struct contents_list *l, unsigned n)
{
	char path[64];

	for (unsigned i = 0; i < n; i++) {
		struct tarball_member t = member_of(path, i % 50 == 49 ? 'd' : '-');

		snprintf(path, sizeof(path), "d%u/e%u/f%u", i % 7, i % 11, i % 50 == 49 ? i / 100 : i);
		assert_int_equal(contents_list_add(l, &t), 0);
	}
}

static void a_list_that_is_given_up_goes(void **state)
{
	struct rig *g = *state;
	struct contents_list *l;

	assert_int_equal(contents_list_begin(g->c, &l), 0);
	add_many(l, 10000);
	sweep_all(g->c, 1000);
	assert_true(count_rows(g, 'N') > 4000);	/* not one that is being made */
	contents_list_free(l);
	sweep_all(g->c, 1000);
	assert_no_list(g);
}

static void counts_are_kept(void **state)
{
	struct rig *g = *state;
	struct contents_file f = file_at(1, 0), other = file_at(2, 0);
	uint64_t lists, members;

	LIST(g->c, &f, "a", "b/c");
	LIST(g->c, &other, "x");
	assert_int_equal(contents_counts(g->c, &lists, &members), 0);
	assert_int_equal(lists, 2);
	assert_int_equal(members, 4);
	assert_int_equal(contents_forget(g->c, 1), 0);
	assert_int_equal(contents_counts(g->c, &lists, &members), 0);
	assert_int_equal(lists, 1);
	assert_int_equal(members, 1);
	sweep_all(g->c, 1);
	assert_int_equal(count_rows(g, 'C'), 1);
	assert_int_equal(count_rows(g, 'N'), 1);
	assert_int_equal(contents_forget(g->c, 2), 0);
	sweep_all(g->c, 1);
	assert_no_list(g);
	assert_int_equal(count_rows(g, 'F') + count_rows(g, 'O'), 0);
}

static void a_list_made_again_takes_the_place_of_the_first(void **state)
{
	struct rig *g = *state;
	struct contents_file f = file_at(1, 0), again = file_at(1, 0), got;
	uint32_t first = LIST(g->c, &f, "a", "b"), second = LIST(g->c, &again, "a", "b");

	assert_true(second > first);
	assert_int_equal(file_row_get(g->c, 1, 0, 0, &got), 0);
	assert_int_equal(got.content, second);
	assert_int_equal(got.members, 2);
	sweep_all(g->c, 1000);
	assert_int_equal(count_rows(g, 'C'), 1);
	assert_int_equal(count_rows(g, 'N'), 2);
}

static void what_a_tape_file_was_stays_remembered(void **state)
{
	struct rig *g = *state;
	struct contents_file f = file_at(1, 0), over = file_at(1, 0), got;
	uint32_t first = LIST(g->c, &f, "a");

	over.stretch = 2;
	LIST(g->c, &over, "b");
	assert_int_equal(file_row_get(g->c, 1, 0, 0, &got), 0);
	assert_int_equal(got.stretch, 2);
	assert_int_equal(file_row_remembered(g->c, 1, 1, f.last, &got), 0);
	assert_int_equal(got.content, first);
	assert_int_equal(file_row_cut(g->c, 1, 0, 0), 0);
	assert_int_equal(count_rows(g, 'F'), 0);
	assert_int_equal(count_rows(g, 'C'), 2);
}

static bool keep_second_stretch(void *ctx, const struct contents_file *f)
{
	return f->stretch == 2;
}

static void what_no_generation_has_is_forgotten(void **state)
{
	struct rig *g = *state;

	for (uint64_t i = 0; i < 1100; i++) {
		struct contents_file f = file_at(1, i);

		f.stretch = 1 + i % 2;
		LIST(g->c, &f, "a");
	}
	assert_int_equal(file_row_forget(g->c, 1, keep_second_stretch, NULL), 0);
	assert_int_equal(count_rows(g, 'O'), 550);
	assert_int_equal(count_rows(g, 'C'), 550);
	assert_int_equal(count_rows(g, 'G'), 550);
	sweep_all(g->c, 100);
	assert_int_equal(count_rows(g, 'N'), 550);
}

/* Every list has a row O or G, every row of it a list: whichever writes the cut takes back. */
static void assert_nothing_is_lost(struct rig *g)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct contents_file f;
	struct buf row = BUF_INIT;
	const uint8_t *key;
	size_t len;

	assert_int_equal(kv_iter_new(g->kv, KV_CONTENTS, &it), 0);
	for (kv_iter_seek(it, "B", 1); kv_iter_in(it, "B", 1); kv_iter_next(it)) {
		struct ckey c, q;
		struct list_row l;
		int r;

		key = kv_iter_key(it, &len);
		c = ckey_of_list('C', get_be32(key + 1));
		q = ckey_of_list('G', get_be32(key + 1));
		r = contents_row_get(g->c, &c, &row);
		assert_int_not_equal(r, contents_row_get(g->c, &q, &row));
		if (r)
			continue;
		assert_int_equal(list_row_get(g->c, get_be32(key + 1), &l), 0);
		assert_int_equal(file_row_remembered(g->c, l.volume, l.stretch, l.last, &f), 0);
		assert_int_equal(f.content, get_be32(key + 1));
	}
	buf_fini(&row);
}

static void a_cut_at_any_write_leaves_lists_whole_or_queued(void **state)
{
	struct rig *g = *state;

	for (uint64_t seed = 1; seed < 16; seed++) {
		struct contents_file f = file_at(1, seed % 3);
		struct contents_list *l;
		uint64_t lists, members;
		bool more;

		assert_int_equal(contents_list_begin(g->c, &l), 0);
		add_many(l, 5000);
		if (seed % 4)
			assert_int_equal(contents_list_end(l, &f), 0);
		contents_list_free(l);
		if (seed % 5 == 0)
			assert_int_equal(contents_sweep(g->c, 1000, &more), 0);
		rig_cut(g, seed * 104729);
		assert_nothing_is_lost(g);
		assert_int_equal(contents_counts(g->c, &lists, &members), 0);
		assert_int_equal(lists, count_rows(g, 'C'));
	}
	assert_int_equal(contents_forget(g->c, 1), 0);
	sweep_all(g->c, 100000);
	assert_no_list(g);
}

static void a_write_that_fails_ends_the_list_and_harms_no_other(void **state)
{
	struct rig *g = *state;
	unsigned failed = 0;

	for (uint64_t n = 1; n < 9; n++) {
		struct contents_file f = file_at(1, n);
		struct tarball_member t = member_of("d/x", '-');
		struct contents_list *l = NULL;
		int r;

		kv_mem_plan_fault(g->kv, n, -ENOSPC);
		r = contents_list_begin(g->c, &l);
		for (unsigned i = 0; !r && i < 7000; i++)
			r = contents_list_add(l, &t);
		if (!r)
			r = contents_list_end(l, &f);
		assert_true(!r || r == -ENOSPC);
		failed += r != 0;
		contents_list_free(l);
		kv_mem_plan_fault(g->kv, 0, -EIO);
		sweep_all(g->c, 1000);
		assert_int_equal(count_rows(g, 'C'), n - failed);
		assert_int_equal(count_rows(g, 'O'), n - failed);
	}
	assert_true(failed > 2);
}

static void numbers_are_never_given_twice(void **state)
{
	struct rig *g = *state;
	uint32_t last = 0;

	for (unsigned i = 0; i < 200; i++) {
		struct contents_file f = file_at(1, 0);
		uint32_t content = LIST(g->c, &f, "a");

		assert_true(content > last);
		last = content;
		if (i % 30 == 0) {
			g->c = contents_close(g->c);
			assert_int_equal(contents_open(g->kv, g->cat, NULL, &g->c), 0);
		}
	}
}

/* ---- against a model ---- */

#define NODES 4000u

/* What unpacking leaves: of each path the last one told of. */
struct model_node {
	unsigned dir;			/* index + 1 */
	char name[1100];
	char type;
	bool implied;
	uint32_t mode;
	unsigned told;			/* when */
};
struct model {
	struct model_node of[NODES];
	unsigned count;
};

static uint32_t roll(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static unsigned model_find(const struct model *m, unsigned dir, const char *name, bool folder)
{
	unsigned best = 0;

	for (unsigned i = 0; i < m->count; i++)
		if (m->of[i].dir == dir && (!folder || m->of[i].type == 'd') && !strcmp(m->of[i].name, name) &&
		    (!best || m->of[i].told > m->of[best - 1].told))
			best = i + 1;
	return best;
}

static unsigned model_new(struct model *m, unsigned dir, const char *name, char type, bool implied, uint32_t mode,
			  unsigned now)
{
	struct model_node *n = &m->of[m->count++];

	assert_true(m->count < NODES);
	*n = (struct model_node){ .dir = dir, .type = type, .implied = implied, .mode = mode, .told = now };
	snprintf(n->name, sizeof(n->name), "%s", name);
	return m->count;
}

/* @parts as they are to come out. */
static void model_add(struct model *m, char parts[][1100], unsigned count, char type, uint32_t mode, unsigned now)
{
	unsigned dir = 0, at;

	for (unsigned i = 0; i + 1 < count; i++) {
		at = model_find(m, dir, parts[i], true);
		dir = at ? at : model_new(m, dir, parts[i], 'd', true, 0755, now);
	}
	at = type == 'd' ? model_find(m, dir, parts[count - 1], true) : 0;
	if (at) {
		m->of[at - 1].implied = false;
		m->of[at - 1].mode = mode;
		m->of[at - 1].told = now;
	} else {
		model_new(m, dir, parts[count - 1], type, false, mode, now);
	}
}

/* A path as a strange archiver writes it. */
static unsigned random_path(uint32_t *seed, char parts[][1100], struct buf *path)
{
	static const char *const noise[] = { "/", "/./", "//", "/.//./" };
	unsigned count = 1 + roll(seed) % 5;

	path->len = 0;
	if (roll(seed) % 10 == 0)
		buf_printf(path, "%s", roll(seed) % 2 ? "/" : "./");
	for (unsigned i = 0; i < count; i++) {
		unsigned long_name = roll(seed) % 40 == 0 ? 990 + roll(seed) % 60 : 0;

		snprintf(parts[i], sizeof(parts[i]), "%c%u", 'a' + (char)(roll(seed) % 3), roll(seed) % 4);
		if (long_name) {
			memset(parts[i], 'L', long_name);
			parts[i][long_name] = 0;
		}
		if (roll(seed) % 12 == 0)
			buf_printf(path, "../");
		buf_printf(path, "%s%s", parts[i],
			   i + 1 < count ? noise[roll(seed) % 12 ? 0 : 1 + roll(seed) % 3] : "");
		if (long_name > CONTENTS_NAME_MAX)
			parts[i][CONTENTS_NAME_MAX] = 0;
	}
	return count;
}

static void assert_same(struct contents *c, uint32_t content, const struct model *m, unsigned dir, uint32_t number);

struct comparing {
	struct contents *c;
	const struct model *m;
	unsigned dir, seen;
	uint32_t last;
};

static int compare_child(void *ctx, const struct contents_member *got)
{
	struct comparing *k = ctx;
	unsigned at = model_find(k->m, k->dir, got->name, false);
	struct contents_member looked = { 0 };
	const struct model_node *want;

	assert_true(at > 0);
	want = &k->m->of[at - 1];
	assert_int_equal(got->type, want->type);
	assert_int_equal(got->mode, want->mode);
	assert_int_equal(got->implied, want->implied);
	assert_true(got->number > k->last);
	k->last = got->number;
	assert_int_equal(contents_lookup(k->c, got->content, got->dir, got->name, &looked), 0);
	assert_int_equal(looked.number, got->number);
	contents_member_fini(&looked);
	k->seen++;
	if (got->type == 'd')
		assert_same(k->c, got->content, k->m, at, got->number);
	return 0;
}

static void assert_same(struct contents *c, uint32_t content, const struct model *m, unsigned dir, uint32_t number)
{
	struct comparing k = { .c = c, .m = m, .dir = dir };
	unsigned want = 0;

	for (unsigned i = 0; i < m->count; i++)
		want += m->of[i].dir == dir && model_find(m, dir, m->of[i].name, false) == i + 1;
	assert_int_equal(contents_children(c, content, number, 0, compare_child, &k), 0);
	assert_int_equal(k.seen, want);
}

static int check_path(void *ctx, const struct contents_member *m)
{
	struct contents_member back = { 0 };
	struct buf path = BUF_INIT;
	int r;

	assert_int_equal(contents_path(ctx, m, &path), 0);
	r = contents_resolve(ctx, m->content, (const char *)path.data, &back);
	assert_true(r == 0 || r == CONTENTS_E_NONE);	/* one before it may have become a file */
	if (!r)
		assert_string_equal(back.name, m->name);
	contents_member_fini(&back);
	buf_fini(&path);
	return 0;
}

static void random_archives_are_what_unpacking_them_leaves(void **state)
{
	static struct model m;
	static char parts[8][1100];
	struct rig *g = *state;
	struct buf path = BUF_INIT;

	for (uint32_t run = 1; run <= 30; run++) {
		struct contents_file f = file_at(1, run);
		uint32_t seed = run * 7919;
		unsigned n = roll(&seed) % 700;
		struct contents_list *l;

		m.count = 0;
		assert_int_equal(contents_list_begin(g->c, &l), 0);
		for (unsigned i = 0; i < n; i++) {
			char type = roll(&seed) % 4 ? '-' : 'd';
			struct tarball_member t = member_of(NULL, type);
			unsigned count = random_path(&seed, parts, &path);

			t.mode = roll(&seed) % 07777;
			t.path = (const char *)path.data;
			t.from = i * 512;
			t.to = t.from + 512;
			model_add(&m, parts, count, type, t.mode, i);
			assert_int_equal(contents_list_add(l, &t), 0);
		}
		assert_int_equal(contents_list_end(l, &f), 0);
		contents_list_free(l);
		assert_int_equal(f.members, m.count);
		assert_same(g->c, f.content, &m, 0, 0);
		assert_int_equal(contents_each(g->c, f.content, 0, check_path, g->c), 0);
	}
	buf_fini(&path);
}

/* Their names are more than is kept in memory, and they are met again when they are not there any more. */
static void folders_that_memory_has_no_room_for_keep_their_numbers(void **state)
{
	struct rig *g = *state;
	struct contents_file f = file_at(1, 0);
	struct contents_list *l;
	struct list_row row;
	char path[1100];

	assert_int_equal(contents_list_begin(g->c, &l), 0);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 10000; i++) {
			struct tarball_member t = member_of(path, '-');

			snprintf(path, sizeof(path), "%0900u/file%u", i, round);
			assert_int_equal(contents_list_add(l, &t), 0);
		}
	assert_int_equal(contents_list_end(l, &f), 0);
	contents_list_free(l);
	assert_int_equal(f.members, 3 * 10000);
	assert_int_equal(list_row_get(g->c, f.content, &row), 0);
	assert_false(row.doubles);
	snprintf(path, sizeof(path), "%0900u", 1234);
	assert_children(g->c, f.content, path, "file0 file1 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_RIG(folders_on_the_way_are_implied),
		ON_RIG(who_has_enough_is_given_no_more),
		ON_RIG(a_folder_told_after_its_children_keeps_its_number),
		ON_RIG(what_the_archive_says_of_its_root_is_member_0),
		ON_RIG(no_path_leads_up_or_elsewhere),
		ON_RIG(of_two_of_one_path_the_later_counts),
		ON_RIG(a_folder_that_became_a_file_and_a_folder_again_is_one),
		ON_RIG(a_name_that_is_too_long_is_cut),
		ON_RIG(a_path_that_is_too_deep_loses_its_middle),
		ON_RIG(a_member_is_found_by_its_place),
		ON_RIG(an_empty_archive_has_a_list),
		ON_RIG(a_list_that_is_given_up_goes),
		ON_RIG(counts_are_kept),
		ON_RIG(a_list_made_again_takes_the_place_of_the_first),
		ON_RIG(what_a_tape_file_was_stays_remembered),
		ON_RIG(what_no_generation_has_is_forgotten),
		ON_RIG(a_cut_at_any_write_leaves_lists_whole_or_queued),
		ON_RIG(a_write_that_fails_ends_the_list_and_harms_no_other),
		ON_RIG(numbers_are_never_given_twice),
		ON_RIG(random_archives_are_what_unpacking_them_leaves),
		ON_RIG(folders_that_memory_has_no_room_for_keep_their_numbers),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
