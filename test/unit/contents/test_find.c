/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding, on the twin in memory; which tape has what now is the test's to say. */
#include "rig.h"

#include "contents/find.h"

/* ---- what a tape has now, without tapes ---- */

struct truth *__wrap_truth_free(struct truth *t);
int __wrap_truth_new(struct contents *c, struct truth **out);
int __wrap_truth_file_of(struct truth *t, uint32_t content, const struct contents_file **out);

struct truth {
	struct contents *c;
	struct contents_file f;
};
static uint64_t written_over;	/* this volume has nothing of what its rows say */

int __wrap_truth_new(struct contents *c, struct truth **out)
{
	*out = calloc(1, sizeof(**out));
	(*out)->c = c;
	return 0;
}

struct truth *__wrap_truth_free(struct truth *t)
{
	free(t);
	return NULL;
}

int __wrap_truth_file_of(struct truth *t, uint32_t content, const struct contents_file **out)
{
	struct list_row l;
	int r = list_row_get(t->c, content, &l);

	if (!r && l.volume == written_over)
		r = CONTENTS_E_NONE;
	if (!r)
		r = file_row_get(t->c, l.volume, l.partition, l.file, &t->f);
	if (!r)
		*out = &t->f;
	return r;
}

/* ---- */

struct found { char text[4096]; unsigned count, signs, stop_at; int result; };

static int add_hit(void *ctx, const struct contents_hit *hit)
{
	struct found *f = ctx;

	if (!hit) {
		f->signs++;
		return 0;
	}
	if (strlen(f->text) < 4000)
		snprintf(f->text + strlen(f->text), sizeof(f->text) - strlen(f->text), "%llu:%s ",
			 (unsigned long long)hit->file->volume, hit->path);
	return ++f->count == f->stop_at ? f->result : 0;
}

static void assert_found(void **state, const struct contents_query *q, const char *want)
{
	struct found f = { "" };

	assert_int_equal(contents_find(contents_of(state), q, add_hit, &f), 0);
	assert_string_equal(f.text, want);
}

static void assert_finds(void **state, const char *pattern, const char *want)
{
	assert_found(state, &(struct contents_query){ .pattern = pattern }, want);
}

static int setup(void **state)
{
	static const char *const one[] = { "etc/passwd", "etc/hosts", "home/ann/notes", "home/ann/Notes.old" };
	static const char *const two[] = { "etc/passwd", "var/log/", "var/log/messages", "home/bob/notes" };
	struct contents_file f = file_at(1, 0), g = file_at(2, 5);

	rig_setup(state);
	make_list_of(contents_of(state), &f, one, ARRAY_LEN(one));
	make_list_of(contents_of(state), &g, two, ARRAY_LEN(two));
	written_over = 0;
	return 0;
}

static void a_name_is_found_on_every_tape_that_has_it(void **state)
{
	assert_finds(state, "passwd", "1:etc/passwd 2:etc/passwd ");
	assert_finds(state, "hosts", "1:etc/hosts ");
	assert_finds(state, "host", "");
	assert_finds(state, "ann/notes", "1:home/ann/notes ");
	assert_finds(state, "/notes", "");
}

static void what_was_written_over_is_not_found(void **state)
{
	written_over = 1;
	assert_finds(state, "passwd", "2:etc/passwd ");
	assert_int_equal(contents_forget(contents_of(state), 2), 0);
	assert_finds(state, "passwd", "");
}

static void hits_come_in_the_order_of_names(void **state)
{
	assert_finds(state, "*[os]*", "1:home/ann/Notes.old 2:home/bob 1:home 2:home 1:etc/hosts 2:var/log "
				      "2:var/log/messages 1:home/ann/notes 2:home/bob/notes 1:etc/passwd 2:etc/passwd ");
	assert_finds(state, "n*", "1:home/ann/notes 2:home/bob/notes ");
	assert_found(state, &(struct contents_query){ .pattern = "NOTES*", .ignore_case = true },
		     "1:home/ann/Notes.old 1:home/ann/notes 2:home/bob/notes ");
	assert_found(state, &(struct contents_query){ .pattern = "^home/.*e", .match = MATCH_REGEX },
		     "1:home/ann/Notes.old 1:home/ann/notes 2:home/bob/notes ");
	assert_found(state, &(struct contents_query){ .pattern = "notes", .match = MATCH_EXACT },
		     "1:home/ann/notes 2:home/bob/notes ");
	assert_finds(state, "log/", "2:var/log ");
	assert_finds(state, "messages/", "");
}

static void only_what_is_asked_for_is_told(void **state)
{
	const uint64_t second[] = { 7, 2 };

	assert_found(state, &(struct contents_query){ .pattern = "passwd", .volumes = second, .volume_count = 2 },
		     "2:etc/passwd ");
	assert_found(state, &(struct contents_query){ .pattern = "passwd", .limit = 1 }, "1:etc/passwd ");
	assert_found(state, &(struct contents_query){ .types = "d", .limit = 3 }, "1:home/ann 2:home/bob 1:etc ");
	assert_found(state, &(struct contents_query){ .pattern = "p*", .types = "fl" }, "1:etc/passwd 2:etc/passwd ");
	assert_found(state, &(struct contents_query){ .pattern = "passwd", .size_min = 8 }, "");
	assert_found(state, &(struct contents_query){ .pattern = "hosts", .size_min = 7, .size_max = 7 }, "1:etc/hosts ");
	assert_found(state, &(struct contents_query){ .pattern = "hosts", .mtime_from = 1700000001 }, "");
	assert_found(state, &(struct contents_query){ .pattern = "hosts", .mtime_to = 1700000000 }, "1:etc/hosts ");
	assert_found(state, &(struct contents_query){ .pattern = "hosts", .owner = "ann" }, "1:etc/hosts ");
	assert_found(state, &(struct contents_query){ .pattern = "hosts", .owner = "1000" }, "1:etc/hosts ");
	assert_found(state, &(struct contents_query){ .pattern = "hosts", .owner = "bob" }, "");
}

static void of_one_path_the_newest_tape_file_counts(void **state)
{
	assert_found(state, &(struct contents_query){ .pattern = "passwd", .newest = true }, "2:etc/passwd ");
	assert_found(state, &(struct contents_query){ .pattern = "notes", .newest = true },
		     "1:home/ann/notes 2:home/bob/notes ");
	written_over = 2;
	assert_found(state, &(struct contents_query){ .pattern = "passwd", .newest = true }, "1:etc/passwd ");
}

/* More paths of one name than the table has room for. */
static void the_newest_of_very_many_paths_are_found(void **state)
{
	struct contents_query q = { .pattern = "same", .newest = true };
	struct found found = { "" };

	for (unsigned round = 0; round < 2; round++) {
		struct contents_file f = file_at(9 + round, round);
		struct contents_list *l;
		char path[64];

		f.written_ns = round ? 50 : 60;
		assert_int_equal(contents_list_begin(contents_of(state), &l), 0);
		for (unsigned i = round; i < 60000; i++) {
			struct tarball_member t = member_of(path, '-');

			snprintf(path, sizeof(path), "d%u/same", i);
			assert_int_equal(contents_list_add(l, &t), 0);
		}
		assert_int_equal(contents_list_end(l, &f), 0);
		contents_list_free(l);
	}
	assert_int_equal(contents_find(contents_of(state), &q, add_hit, &found), 0);
	assert_int_equal(found.count, 60000);
	assert_null(strstr(found.text, "10:"));
}

static void who_is_told_may_stop_it(void **state)
{
	struct contents_query q = { .pattern = "*" };
	struct found f = { .stop_at = 2, .result = 1 };

	assert_int_equal(contents_find(contents_of(state), &q, add_hit, &f), 1);
	assert_int_equal(f.count, 2);
	f = (struct found){ .stop_at = 1, .result = -EPIPE };
	q.newest = true;
	assert_int_equal(contents_find(contents_of(state), &q, add_hit, &f), -EPIPE);
	assert_int_equal(f.count, 1);
}

/* A name that is everywhere, in a folder that is not. */
static void a_common_name_is_found_through_its_folder(void **state)
{
	struct contents_file f = file_at(4, 0);
	struct contents_list *l;
	char path[64];

	assert_int_equal(contents_list_begin(contents_of(state), &l), 0);
	for (unsigned i = 0; i < 3000; i++) {
		struct tarball_member t = member_of(path, '-');

		snprintf(path, sizeof(path), i % 1000 ? "src/d%u/Makefile" : "one/d%u/Makefile", i);
		assert_int_equal(contents_list_add(l, &t), 0);
	}
	assert_int_equal(contents_list_end(l, &f), 0);
	contents_list_free(l);
	assert_finds(state, "d1000/Makefile", "4:one/d1000/Makefile ");
	assert_finds(state, "/src/d7/Makefile", "4:src/d7/Makefile ");
	assert_finds(state, "/one/d7/Makefile", "");
	assert_finds(state, "one/*/Makefile", "4:one/d0/Makefile 4:one/d1000/Makefile 4:one/d2000/Makefile ");
	assert_found(state, &(struct contents_query){ .pattern = "src/d7/Makefile", .newest = true },
		     "4:src/d7/Makefile ");
	assert_found(state, &(struct contents_query){ .pattern = "d7/Makefile", .match = MATCH_EXACT },
		     "4:src/d7/Makefile ");
	assert_finds(state, "/Makefile", "");
	assert_finds(state, "/one", "4:one ");
}

static void names_that_keys_have_no_room_for_are_found(void **state)
{
	struct contents_file f = file_at(3, 0);
	char name[1100], pattern[1200];
	const char *path = name;

	memset(name, 'n', sizeof(name));
	memcpy(name + 1019, "tail", 5);
	make_list_of(contents_of(state), &f, &path, 1);
	snprintf(pattern, sizeof(pattern), "3:%s ", name);
	assert_finds(state, name, pattern);
	assert_finds(state, "*tail", pattern);
	assert_found(state, &(struct contents_query){ .pattern = "tail$", .match = MATCH_REGEX }, pattern);
	name[1000] = 'x';
	assert_finds(state, name, "");
}

static void damaged_rows_are_passed_over(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct rig *g = *state;
	struct ckey key = ckey_block(1, 0);

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_CONTENTS, key.b, key.len, "\1\377\377", 3), 0);
	assert_int_equal(kv_batch_put(b, KV_CONTENTS, "N", 1, NULL, 0), 0);
	assert_int_equal(kv_batch_put(b, KV_CONTENTS, "Npasswd\0abc", 11, NULL, 0), 0);
	assert_int_equal(kv_batch_put(b, KV_CONTENTS, "Npasswd\0\0\0\0\11\0\0\0\0\0\0\0\1", 20, NULL, 0), 0);
	assert_int_equal(kv_write(g->kv, b, false), 0);
	assert_finds(state, "passwd", "2:etc/passwd ");
	assert_finds(state, "*w*", "2:etc/passwd ");
}

#define ON_FIND(test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_FIND(a_name_is_found_on_every_tape_that_has_it),
		ON_FIND(what_was_written_over_is_not_found),
		ON_FIND(hits_come_in_the_order_of_names),
		ON_FIND(only_what_is_asked_for_is_told),
		ON_FIND(of_one_path_the_newest_tape_file_counts),
		ON_FIND(the_newest_of_very_many_paths_are_found),
		ON_FIND(who_is_told_may_stop_it),
		ON_FIND(a_common_name_is_found_through_its_folder),
		ON_FIND(names_that_keys_have_no_room_for_are_found),
		ON_FIND(damaged_rows_are_passed_over),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
