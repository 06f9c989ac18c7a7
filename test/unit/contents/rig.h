/* SPDX-License-Identifier: BSD-2-Clause */
/* Contents on the twin in memory, without tapes: every list is there unless a test says otherwise. */
#ifndef TEST_CONTENTS_RIG_H
#define TEST_CONTENTS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "contents/format.h"
#include "kv/kv_twin.h"

struct rig {
	struct kv *kv;
	struct catalog *cat;
	struct contents *c;
	uint64_t next_last;
};

static inline int rig_setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));

	assert_int_equal(kv_mem_new(&g->kv), 0);
	assert_int_equal(catalog_open(g->kv, &g->cat), 0);
	assert_int_equal(contents_open(g->kv, g->cat, NULL, &g->c), 0);
	*state = g;
	return 0;
}

static inline int rig_teardown(void **state)
{
	struct rig *g = *state;

	contents_close(g->c);
	catalog_close(g->cat);
	kv_close(g->kv);
	free(g);
	return 0;
}

#define ON_RIG(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

static inline struct contents *contents_of(void **state)
{
	return ((struct rig *)*state)->c;
}

/* What the machine leaves at a power cut that took the last writes. */
static inline void rig_cut(struct rig *g, uint64_t seed)
{
	struct kv *cut;

	assert_int_equal(kv_mem_cut_torn(g->kv, seed, &cut), 0);
	g->c = contents_close(g->c);
	g->cat = catalog_close(g->cat);
	kv_close(g->kv);
	g->kv = cut;
	assert_int_equal(catalog_open(g->kv, &g->cat), 0);
	assert_int_equal(contents_open(g->kv, g->cat, NULL, &g->c), 0);
}

static inline uint64_t count_rows(struct rig *g, char letter)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	uint64_t n = 0;

	assert_int_equal(kv_iter_new(g->kv, KV_CONTENTS, &it), 0);
	for (kv_iter_seek(it, &letter, 1); kv_iter_in(it, &letter, 1); kv_iter_next(it))
		n++;
	return n;
}

static inline struct tarball_member member_of(const char *path, char type)
{
	return (struct tarball_member){
		.path = path, .type = type, .mode = type == 'd' ? 0755 : 0644, .uid = 1000, .gid = 100, .user = "ann",
		.group = "users", .mtime_s = 1700000000, .size = type == '-' ? 7 : 0, .data = TARBALL_NO_PLACE,
	};
}

static inline struct contents_file file_at(uint64_t volume, uint64_t file)
{
	return (struct contents_file){
		.volume = volume, .file = file, .first = file * 10, .last = file * 10 + 9, .stretch = 1, .closed = true,
		.how = CONTENTS_LISTED, .written_ns = 1000 + file, .bytes = 1 << 20, .writer = { .drive = -1 },
	};
}

/* A list of these, each one with how many came before it as its place. */
static inline uint32_t make_list(struct contents *c, struct contents_file *f, const struct tarball_member *m, size_t n)
{
	struct contents_list *l;

	assert_int_equal(contents_list_begin(c, &l), 0);
	for (size_t i = 0; i < n; i++) {
		struct tarball_member t = m[i];

		t.from = i * 1024;
		t.to = t.from + 1024;
		assert_int_equal(contents_list_add(l, &t), 0);
	}
	assert_int_equal(contents_list_end(l, f), 0);
	contents_list_free(l);
	return f->content;
}

/* "a/b/" is a folder, the rest are files. */
static inline uint32_t make_list_of(struct contents *c, struct contents_file *f, const char *const *paths, size_t n)
{
	struct tarball_member *m = calloc(n + 1, sizeof(*m));
	uint32_t content;

	for (size_t i = 0; i < n; i++)
		m[i] = member_of(paths[i], paths[i][0] && paths[i][strlen(paths[i]) - 1] == '/' ? 'd' : '-');
	content = make_list(c, f, m, n);
	free(m);
	return content;
}

#endif
