/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows that do not fit each other are found, and what they told is found again on the tapes. */
#include "unit/contents/tapes.h"

#include "contents/format.h"

static char words[1024];

static void found(void *ctx, const char *what, bool repaired)
{
	snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s\n", what, repaired ? " (repaired)" : "");
}

static uint64_t faults(struct tapes *t, bool repair)
{
	struct contents_checked out;
	int r;

	words[0] = '\0';
	r = contents_check(t->c, repair, found, NULL, &out);
	if (r)
		fail_msg("contents_check: %s", err_text(r));
	return out.faults;
}

static void remove_row(struct tapes *t, struct ckey key)
{
	struct kv_batch *b;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_delete(b, KV_CONTENTS, key.b, key.len), 0);
	assert_int_equal(kv_write(t->s.kv, b, false), 0);
	kv_batch_free(b);
}

static void put_row(struct tapes *t, struct ckey key, const char *row)
{
	struct kv_batch *b;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_CONTENTS, key.b, key.len, row, strlen(row)), 0);
	assert_int_equal(kv_write(t->s.kv, b, false), 0);
	kv_batch_free(b);
}

/* One tape of three archives, all known. */
static uint64_t three(struct tapes *t)
{
	uint64_t id = make(&t->s, "A00001");

	append_tar(t, id, "one", 4);
	append_tar(t, id, "two", 100);
	append_tar(t, id, "three", 4);
	settle(t);
	assert_int_equal(faults(t, false), 0);
	return id;
}

static void assert_mended(struct tapes *t, uint64_t id, const char *what)
{
	assert_true(faults(t, false) > 0);
	if (!strstr(words, what))
		fail_msg("not \"%s\" but: %s", what, words);
	assert_true(faults(t, true) > 0);
	settle(t);
	if (faults(t, false))
		fail_msg("after the repair: %s", words);
	assert_int_equal(files_of(t, id).n, 3);
	assert_int_equal(find(t, "one/1").n, 1);
	assert_int_equal(find(t, "two/99").n, 1);
	assert_int_equal(find(t, "three/1").n, 1);
}

static void a_missing_file_is_found(void **state)
{
	struct tapes *t = *state;
	uint64_t id = three(t);

	remove_row(t, ckey_file(id, 0, 1));
	assert_mended(t, id, "does not follow");
}

static void a_file_that_is_not_remembered_is_found(void **state)
{
	struct tapes *t = *state;
	uint64_t id = three(t);
	struct contents_file f = files_of(t, id).f[1];

	remove_row(t, ckey_remembered(id, f.stretch, f.last));
	assert_mended(t, id, "is not remembered");
}

static void a_list_that_is_not_there_is_found(void **state)
{
	struct tapes *t = *state;
	uint64_t id = three(t);

	remove_row(t, ckey_of_list('C', files_of(t, id).f[1].content));
	assert_mended(t, id, "its list of members is not there");
}

static void members_that_are_not_there_are_found(void **state)
{
	struct tapes *t = *state;
	uint64_t id = three(t);

	remove_row(t, ckey_block(files_of(t, id).f[1].content, 1));
	assert_mended(t, id, "lacks row 1 of its members");
}

static void a_name_that_is_not_indexed_is_found(void **state)
{
	struct tapes *t = *state;
	uint64_t id = three(t);
	struct contents_member m = { .number = 0 };
	uint32_t content = files_of(t, id).f[1].content;

	assert_int_equal(contents_resolve(t->c, content, "two/99", &m), 0);
	remove_row(t, ckey_named("99", content, m.dir, m.number));
	assert_mended(t, id, "cannot be found by name");
	contents_member_fini(&m);
}

static void damaged_rows_are_found(void **state)
{
	struct tapes *t = *state;
	uint64_t id = three(t);
	struct contents_file f = files_of(t, id).f[1];

	put_row(t, ckey_file(id, 0, 2), "nonsense");
	assert_mended(t, id, "volume number");
	put_row(t, ckey_of_volume('V', id), "nonsense");
	assert_mended(t, id, "volume number");
	put_row(t, ckey_remembered(id, f.stretch, f.last), "nonsense");
	assert_mended(t, id, "volume number");
	put_row(t, ckey_of_list('C', files_of(t, id).f[1].content), "nonsense");
	assert_mended(t, id, "its list of members is not there");
	put_row(t, ckey_block(files_of(t, id).f[1].content, 0), "nonsense");
	assert_mended(t, id, "list of members");
}

static void parts_of_no_list_are_found(void **state)
{
	struct tapes *t = *state;
	uint64_t id = three(t);

	put_row(t, ckey_block(77777, 0), "nonsense");
	assert_mended(t, id, "parts of a list of members 77777");
}

static void what_is_not_in_its_folder_is_found(void **state)
{
	struct tapes *t = *state;
	uint64_t id = three(t);
	struct contents_member m = { .number = 0 };
	uint32_t content = files_of(t, id).f[1].content;

	assert_int_equal(contents_resolve(t->c, content, "two/99", &m), 0);
	remove_row(t, ckey_dir(content, m.dir, 1));
	assert_mended(t, id, "does not have all that is in it");
	content = files_of(t, id).f[1].content;
	assert_int_equal(contents_resolve(t->c, content, "two/99", &m), 0);
	put_row(t, ckey_named("99", content, m.dir, m.number), "d");
	assert_mended(t, id, "cannot be found by name");
	contents_member_fini(&m);
}

static void rows_of_no_kind_are_found(void **state)
{
	struct tapes *t = *state;
	uint64_t id = three(t);
	struct ckey list = ckey_of_list('C', files_of(t, id).f[1].content), unknown = { .b = "z1", .len = 2 };
	struct ckey name = ckey_named("99", files_of(t, id).f[1].content, 1, 99), volume = ckey_of_volume('V', id);

	put_row(t, unknown, "");
	assert_mended(t, id, "is of no kind");
	list.len = 4;
	put_row(t, list, "x");
	assert_mended(t, id, "is of no kind");
	volume.b[volume.len++] = 0;
	put_row(t, volume, "x");
	assert_mended(t, id, "is of no kind");
	name.b[name.len++] = 7;
	put_row(t, name, "");
	assert_mended(t, id, "is of no kind");
}

static void wrong_counts_are_found(void **state)
{
	struct tapes *t = *state;
	uint64_t id = three(t), lists, members;

	put_row(t, ckey_counter('m'), "nonsense");
	assert_mended(t, id, "were not counted so");
	remove_row(t, ckey_counter('l'));
	assert_mended(t, id, "were not counted so");
	assert_int_equal(contents_counts(t->c, &lists, &members), 0);
	assert_int_equal(lists, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_TAPES(a_missing_file_is_found),
		ON_TAPES(a_file_that_is_not_remembered_is_found),
		ON_TAPES(a_list_that_is_not_there_is_found),
		ON_TAPES(members_that_are_not_there_are_found),
		ON_TAPES(a_name_that_is_not_indexed_is_found),
		ON_TAPES(damaged_rows_are_found),
		ON_TAPES(parts_of_no_list_are_found),
		ON_TAPES(what_is_not_in_its_folder_is_found),
		ON_TAPES(rows_of_no_kind_are_found),
		ON_TAPES(wrong_counts_are_found),
		ON_KEPT_TAPES(a_missing_file_is_found),
		ON_KEPT_TAPES(members_that_are_not_there_are_found),
		ON_KEPT_TAPES(damaged_rows_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
