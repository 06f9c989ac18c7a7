/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of tapes after all that can happen to them, with a thread that looks and without. */
#include "unit/contents/tapes.h"

static void a_tar_is_listed(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct tape_files all;

	append_tar(t, id, "etc", 5);
	settle(t);
	all = files_of(t, id);
	assert_int_equal(all.n, 1);
	assert_int_equal(all.f[0].how, CONTENTS_LISTED);
	assert_int_equal(all.f[0].members, 6);	/* the folder is implied */
	assert_string_equal(all.f[0].format, "GNU tar format");
	assert_true(all.f[0].closed);
	assert_int_equal(all.f[0].magic_len, 16);
	assert_memory_equal(all.f[0].magic, "etc/0", 5);
	assert_int_equal(find(t, "etc/3").n, 1);
	assert_int_equal(find(t, "nothing").n, 0);
}

static void what_is_no_archive_says_what_it_is(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct tape_files all;

	append_bytes(t, id, "just some words\n", 16, 16);
	append_bytes(t, id, "", 0, 1);
	settle(t);
	all = files_of(t, id);
	assert_int_equal(all.n, 2);
	assert_int_equal(all.f[0].how, CONTENTS_NO_ARCHIVE);
	assert_string_equal(all.f[0].format, "text");
	assert_memory_equal(all.f[0].magic, "just some words\n", 16);
	assert_int_equal(all.f[1].how, CONTENTS_NO_ARCHIVE);
	assert_int_equal(all.f[1].bytes, 0);
}

static void before_anybody_looked_files_are_waiting(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct tape_files all;

	append_tar(t, id, "etc", 5);
	all = files_of(t, id);
	assert_int_equal(all.n, 1);
	assert_int_equal(all.f[0].how, CONTENTS_WAITING);
	assert_int_equal(find(t, "etc/3").n, 0);
}

/* What can be had again takes nothing of what commits need. */
static void a_disk_that_is_nearly_full_is_left_alone(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct contents_status st;

	append_tar(t, id, "etc", 5);
	packs_mem_set_space(t->s.packs, 90u << 20, 10ull << 30);	/* and there is no reserve here */
	assert_refused(contents_settle(t->c, id, false, NULL, NULL), -ENOSPC, "90.0 MiB are left");
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_WAITING);
	settle(t);
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_WAITING);
	assert_int_equal(contents_pending(t->c, &st), 0);
	packs_mem_set_space(t->s.packs, 97u << 20, 10ull << 30);
	settle(t);
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_LISTED);
	/* Of a small disk it is a smaller part. */
	append_tar(t, id, "var", 5);
	packs_mem_set_space(t->s.packs, 18u << 20, 100u << 20);
	assert_refused(contents_settle(t->c, id, false, NULL, NULL), -ENOSPC, "18.0 MiB are left");
	packs_mem_set_space(t->s.packs, 19u << 20, 100u << 20);
	assert_int_equal(contents_settle(t->c, id, false, NULL, NULL), 0);
	assert_int_equal(find(t, "var/3").n, 1);
}

/* Who waits for room counts as to be looked at, and is, by itself. */
static void what_waits_for_room_is_pending(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct contents_status st;

	settle(t);
	packs_mem_set_space(t->s.packs, 50u << 20, 10ull << 30);
	append_tar(t, id, "etc", 5);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(contents_pending(t->c, &st), 0);
		assert_int_equal(st.volumes, 1);
		usleep(2000);
	}
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_WAITING);
	packs_mem_set_space(t->s.packs, UINT64_MAX, UINT64_MAX);
	settle(t);
	assert_int_equal(find(t, "etc/3").n, 1);
}

static void written_over_is_told_at_once(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct tape_files all;
	struct contents_file f;

	for (unsigned i = 0; i < 3; i++)
		append_tar(t, id, i == 0 ? "one" : i == 1 ? "two" : "three", 4);
	settle(t);
	assert_int_equal(find(t, "two/1").n, 1);
	f = files_of(t, id).f[1];

	cut_before(t, id, 1);
	assert_int_equal(find(t, "one/1").n, 1);
	assert_int_equal(find(t, "two/1").n, 0);
	assert_int_equal(find(t, "three/1").n, 0);
	assert_int_equal(contents_file_of(t->c, f.content, &f), CONTENTS_E_NONE);

	append_tar(t, id, "four", 4);
	all = files_of(t, id);
	assert_int_equal(all.n, 2);
	assert_int_equal(all.f[0].how, CONTENTS_LISTED);
	assert_int_equal(all.f[1].how, CONTENTS_WAITING);
	settle(t);
	assert_int_equal(find(t, "two/1").n, 0);
	assert_int_equal(find(t, "four/1").n, 1);
}

static void a_restored_generation_is_known_without_reading_it(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001"), generation;
	uint32_t content;

	append_tar(t, id, "one", 4);
	append_tar(t, id, "two", 4);
	settle(t);
	generation = stat_of(&t->s, id).generation;
	content = files_of(t, id).f[1].content;
	assert_int_equal(library_volume_erase(t->s.lib, id), 0);
	settle(t);
	assert_int_equal(files_of(t, id).n, 0);
	assert_int_equal(find(t, "two/1").n, 0);

	assert_int_equal(library_volume_restore(t->s.lib, id, generation), 0);
	assert_int_equal(files_of(t, id).f[1].content, content);
	settle(t);
	assert_int_equal(files_of(t, id).f[1].content, content);
	assert_int_equal(find(t, "two/1").n, 1);
}

static void drop_generations(struct tapes *t)
{
	const struct tape_gc_config cfg = { 0 };
	struct library_gc_report done;
	struct catalog_pool pool;

	assert_int_equal(catalog_pool_get(t->s.cat, CATALOG_POOL_DEFAULT, &pool), 0);
	pool.keep_s = 0;
	assert_int_equal(catalog_pool_put(t->s.cat, &pool), 0);
	assert_int_equal(library_gc(t->s.lib, &cfg, &done), 0);
	assert_int_equal(done.dropped_generations, 1);
}

/* Two files, of which the second is written over: three lists. */
static uint64_t two_generations(struct tapes *t)
{
	uint64_t id = make(&t->s, "A00001");
	struct contents_status st;

	append_tar(t, id, "one", 4);
	append_tar(t, id, "two", 4);
	settle(t);
	cut_before(t, id, 1);
	append_tar(t, id, "three", 4);
	settle(t);
	assert_int_equal(contents_pending(t->c, &st), 0);
	assert_int_equal(st.lists, 3);
	return id;
}

static void assert_second_forgotten(struct tapes *t)
{
	struct contents_status st;

	settle(t);
	assert_int_equal(contents_pending(t->c, &st), 0);
	assert_int_equal(st.lists, 2);
	assert_int_equal(find(t, "one/1").n, 1);
	assert_int_equal(find(t, "three/1").n, 1);
}

static void dropped_generations_are_forgotten(void **state)
{
	struct tapes *t = *state;

	two_generations(t);
	drop_generations(t);
	assert_second_forgotten(t);
}

static void generations_dropped_while_nobody_watched_are_forgotten(void **state)
{
	struct tapes *t = *state;

	two_generations(t);
	tapes_down(t);
	drop_generations(t);
	tapes_up(t);
	assert_second_forgotten(t);
}

static void what_is_not_committed_is_not_looked_at(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct archived a = make_archive("gnutar", NULL, "one", 4, 700);
	struct volume *v = claim(&t->s, id, CLAIM_WRITE);

	put_records(v, a.p, a.n, 10240);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	settle(t);
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_WAITING);
	assert_int_equal(volume_commit(v), 0);
	settle(t);
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_LISTED);
	/* Nor what overwrites it, as long as a power cut brings back what was there. */
	assert_int_equal(volume_truncate(v, 0, 0), 0);
	put_records(v, a.p, a.n / 2, 10240);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	settle(t);
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_WAITING);
	release(&t->s, id, CLAIM_WRITE);
	settle(t);
	assert_int_not_equal(files_of(t, id).f[0].how, CONTENTS_WAITING);
	free(a.p);
}

static void found_fault(void *ctx, const char *what, bool repaired)
{
	fail_msg("stopped at write %u: %s", *(unsigned *)ctx, what);
}

/* The tape gets a mark less, the rows are stopped at write @n of following that, then it has that mark again: as many
 * objects as row V told of before.  False: it took fewer writes. */
static bool stopped_at(struct tapes *t, const char *name, unsigned n)
{
	uint64_t id = make(&t->s, name);
	struct contents_checked checked;
	struct tape_tally end;
	struct volume *v;
	char path[32];
	int r;

	append_tar(t, id, name, 4);
	snprintf(path, sizeof(path), "%s b", name);
	append_tar(t, id, path, 4);
	settle(t);
	v = claim(&t->s, id, CLAIM_WRITE);
	assert_int_equal(volume_end(v, 0, &end), 0);
	assert_int_equal(volume_truncate(v, 0, end.objects - 1), 0);
	release(&t->s, id, CLAIM_WRITE);
	kv_mem_plan_fault(t->s.kv, n, -EIO);
	r = contents_settle(t->c, id, false, NULL, NULL);
	kv_mem_plan_fault(t->s.kv, 0, -EIO);
	v = claim(&t->s, id, CLAIM_WRITE);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	release(&t->s, id, CLAIM_WRITE);
	tapes_restart(t);
	settle(t);
	assert_int_equal(files_of(t, id).n, 2);
	assert_int_equal(files_of(t, id).f[1].how, CONTENTS_LISTED);
	snprintf(path, sizeof(path), "%s b/3", name);
	assert_int_equal(find(t, path).n, 1);
	assert_int_equal(contents_check(t->c, false, found_fault, &n, &checked), 0);
	return r != 0;
}

static void stopped_at_any_write_nothing_is_lost(void **state)
{
	struct tapes *t = *state;
	char name[16];
	unsigned n = 0;

	do
		snprintf(name, sizeof(name), "B%05u", ++n);
	while (stopped_at(t, name, n));
	assert_true(n > 4);
}

static void a_deleted_volume_leaves_nothing(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct contents_status st;

	append_tar(t, id, "one", 4);
	settle(t);
	assert_int_equal(library_volume_delete(t->s.lib, id), 0);
	assert_int_equal(find(t, "one/1").n, 0);
	settle(t);
	assert_int_equal(contents_pending(t->c, &st), 0);
	assert_int_equal(st.lists, 0);
	assert_int_equal(st.members, 0);
	assert_int_equal(kv_any(t->s.kv, KV_CONTENTS, "N", 1), KV_E_NONE);
	assert_int_equal(kv_any(t->s.kv, KV_CONTENTS, "V", 1), KV_E_NONE);
}

static void appending_looks_at_the_new_file_alone(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	uint32_t content;

	append_tar(t, id, "one", 4);
	settle(t);
	content = files_of(t, id).f[0].content;
	append_tar(t, id, "two", 4);
	settle(t);
	assert_int_equal(files_of(t, id).f[0].content, content);
	assert_int_equal(files_of(t, id).f[1].how, CONTENTS_LISTED);
}

static void a_file_without_a_mark_is_listed_and_listed_again(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct archived a = make_archive("gnutar", NULL, "one", 40, 700);
	struct volume *v = claim(&t->s, id, CLAIM_WRITE);

	put_records(v, a.p, 10240 * (a.n / 20480), 10240);
	release(&t->s, id, CLAIM_WRITE);
	settle(t);
	assert_int_equal(files_of(t, id).n, 1);
	assert_false(files_of(t, id).f[0].closed);
	assert_int_equal(find(t, "one/3").n, 1);
	assert_int_equal(find(t, "one/39").n, 0);

	v = claim(&t->s, id, CLAIM_WRITE);
	put_records(v, a.p + 10240 * (a.n / 20480), a.n - 10240 * (a.n / 20480), 10240);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	release(&t->s, id, CLAIM_WRITE);
	settle(t);
	assert_int_equal(files_of(t, id).n, 1);
	assert_true(files_of(t, id).f[0].closed);
	assert_int_equal(find(t, "one/39").n, 1);
	free(a.p);
}

/* The mark is taken back and something is written behind it: within one generation. */
static void a_mark_that_is_taken_back_unmakes_its_file(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001"), generation;
	struct volume *v;
	struct tape_tally end;

	append_tar(t, id, "one", 4);
	settle(t);
	generation = stat_of(&t->s, id).generation;
	v = claim(&t->s, id, CLAIM_WRITE);
	assert_int_equal(volume_end(v, 0, &end), 0);
	assert_int_equal(volume_truncate(v, 0, end.objects - 1), 0);
	assert_int_equal(volume_append_record(v, 0, "more", 4), 0);
	release(&t->s, id, CLAIM_WRITE);
	assert_int_equal(stat_of(&t->s, id).generation, generation);
	assert_int_equal(stat_of(&t->s, id).end.objects, end.objects);
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_WAITING);
	assert_int_equal(find(t, "one/1").n, 0);
	settle(t);
	assert_int_equal(find(t, "one/1").n, 1);
	assert_false(files_of(t, id).f[0].closed);
}

static void a_power_cut_is_made_good(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");

	append_tar(t, id, "one", 4);
	settle(t);
	append_tar(t, id, "two", 4);
	tapes_cut(t);
	assert_int_equal(files_of(t, id).n, 2);
	settle(t);
	assert_int_equal(find(t, "one/1").n, 1);
	assert_int_equal(find(t, "two/1").n, 1);
}

static void a_pool_can_be_left_out_and_taken_in_again(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct catalog_pool pool;

	assert_int_equal(catalog_pool_get(t->s.cat, CATALOG_POOL_DEFAULT, &pool), 0);
	pool.contents = false;
	assert_int_equal(catalog_pool_put(t->s.cat, &pool), 0);
	append_tar(t, id, "one", 4);
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_OFF);
	settle(t);
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_OFF);
	assert_int_equal(find(t, "one/1").n, 0);
	pool.contents = true;
	assert_int_equal(catalog_pool_put(t->s.cat, &pool), 0);
	assert_int_equal(contents_settle(t->c, id, false, NULL, NULL), 0);
	assert_int_equal(find(t, "one/1").n, 1);
}

static void put_label(struct volume *v, const char *text)
{
	char label[81];

	snprintf(label, sizeof(label), "%-80s", text);
	assert_int_equal(volume_append_record(v, 0, label, 80), 0);
}

static void labels_say_whose_the_file_behind_them_is(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001"), expires = 1;
	struct archived a = make_archive("gnutar", NULL, "one", 4, 700);
	struct contents_label vol1;
	struct tape_files all;
	struct volume *v;

	assert_int_equal(contents_expires(t->c, id, &expires), 0);
	assert_int_equal(expires, 0);
	v = claim(&t->s, id, CLAIM_WRITE);
	put_label(v, "VOL1A00001");
	put_label(v, "HDR1MY.BACKUP        A0000100010001000100 26001 99365 000000");
	put_label(v, "HDR2F1024010240");
	assert_int_equal(volume_append_filemark(v, 0), 0);
	put_records(v, a.p, a.n, 10240);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	put_label(v, "EOF1MY.BACKUP        A0000100010001000100 26001 99365 000001");
	put_label(v, "EOF2F1024010240");
	assert_int_equal(volume_append_filemarks(v, 0, 2), 0);
	release(&t->s, id, CLAIM_WRITE);
	assert_int_equal(contents_expires(t->c, id, &expires), CONTENTS_E_NONE);
	settle(t);
	all = files_of(t, id);
	assert_int_equal(all.n, 4);
	assert_int_equal(all.f[0].how, CONTENTS_LABELS);
	assert_string_equal(all.f[0].label.volume, "A00001");
	assert_int_equal(all.f[1].how, CONTENTS_LISTED);
	assert_string_equal(all.f[1].label.file_id, "MY.BACKUP");
	assert_int_equal(all.f[2].how, CONTENTS_LABELS);
	assert_int_equal(all.f[3].how, CONTENTS_NO_ARCHIVE);
	assert_int_equal(contents_expires(t->c, id, &expires), 0);
	assert_true(expires == LABEL_NEVER);
	assert_int_equal(contents_volume_label(t->c, id, &vol1), 0);
	assert_string_equal(vol1.volume, "A00001");
	/* Rows alone know it after a restart. */
	tapes_restart(t);
	assert_int_equal(contents_expires(t->c, id, &expires), 0);
	assert_true(expires == LABEL_NEVER);
	cut_before(t, id, 0);
	assert_int_equal(contents_expires(t->c, id, &expires), 0);
	assert_int_equal(expires, 0);
	free(a.p);
}

/* Two files with labels, the second is for longer.  True if the @n-th write of looking at them failed. */
static bool expires_early(struct tapes *t, const char *name, unsigned n)
{
	uint64_t id = make(&t->s, name), expires = 0;
	struct volume *v = claim(&t->s, id, CLAIM_WRITE);
	int r;

	put_label(v, "VOL1A00001");
	put_label(v, "HDR1FIRST            A0000100010001000100 26001 26002 000000");
	assert_int_equal(volume_append_filemarks(v, 0, 2), 0);
	put_label(v, "HDR1SECOND           A0000100010002000100 26001 99365 000000");
	assert_int_equal(volume_append_filemarks(v, 0, 2), 0);
	release(&t->s, id, CLAIM_WRITE);
	kv_mem_plan_fault(t->s.kv, n, -EIO);
	r = contents_settle(t->c, id, false, NULL, NULL);
	kv_mem_plan_fault(t->s.kv, 0, -EIO);
	if (!contents_expires(t->c, id, &expires))
		assert_true(expires == LABEL_NEVER);
	return r != 0;
}

static void until_all_labels_are_read_no_date_is_told(void **state)
{
	char name[16];
	unsigned n = 0;

	do
		snprintf(name, sizeof(name), "A%05u", n++);
	while (expires_early(*state, name, n));
	assert_in_range(n, 4, 100);
}

/* ---- with the thread ---- */

static void await(struct tapes *t, bool (*is)(struct tapes *t, uint64_t id), uint64_t id)
{
	for (unsigned i = 0; i < 500 && !is(t, id); i++)
		usleep(20000);
	assert_true(is(t, id));
}

static bool two_are_listed(struct tapes *t, uint64_t id)
{
	struct tape_files all = files_of(t, id);

	return all.n >= 2 && all.f[0].how == CONTENTS_LISTED && all.f[1].how == CONTENTS_LISTED;
}

static void the_thread_looks_by_itself(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	const struct library_writer w = { .door = LIBRARY_DOOR_TAPES, .uid = 1000, .program = "tar", .drive = -1 };
	struct volume *v;
	struct tape_files all;

	settle(t);
	v = claim(&t->s, id, CLAIM_WRITE);
	library_writer_is(t->s.lib, id, &w);
	assert_int_equal(volume_append_record(v, 0, "words\n", 6), 0);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	release(&t->s, id, CLAIM_WRITE);
	cut_before(t, id, 0);
	append_tar(t, id, "one", 4);
	append_tar(t, id, "two", 4);
	await(t, two_are_listed, id);
	all = files_of(t, id);
	assert_int_equal(all.f[0].writer.door, LIBRARY_DOOR_TAPES);
	assert_int_equal(all.f[0].writer.uid, 1000);
	assert_string_equal(all.f[0].writer.program, "tar");
}

/* While its writer still has the tape. */
static void files_are_looked_at_behind_the_writer(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct archived a = make_archive("gnutar", NULL, "one", 4, 700);
	struct volume *v = claim(&t->s, id, CLAIM_WRITE);

	for (unsigned i = 0; i < 2; i++) {
		put_records(v, a.p, a.n, 10240);
		assert_int_equal(volume_append_filemark(v, 0), 0);
	}
	assert_int_equal(volume_commit(v), 0);
	put_records(v, a.p, a.n, 10240);
	assert_int_equal(volume_commit(v), 0);
	await(t, two_are_listed, id);
	settle(t);
	assert_int_equal(files_of(t, id).n, 3);
	assert_int_equal(files_of(t, id).f[2].how, CONTENTS_WAITING);	/* not closed */
	release(&t->s, id, CLAIM_WRITE);
	settle(t);
	assert_int_equal(files_of(t, id).f[2].how, CONTENTS_LISTED);
	free(a.p);
}

static void a_start_finds_what_was_written_meanwhile(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");

	settle(t);
	tapes_down(t);
	append_tar(t, id, "one", 4);
	append_tar(t, id, "two", 4);
	tapes_up(t);
	await(t, two_are_listed, id);
	assert_int_equal(files_of(t, id).f[0].writer.door, LIBRARY_DOOR_UNKNOWN);
}

static void a_start_finds_what_was_deleted_meanwhile(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct contents_status st;

	append_tar(t, id, "one", 4);
	settle(t);
	tapes_down(t);
	assert_int_equal(library_volume_delete(t->s.lib, id), 0);
	tapes_up(t);
	settle(t);
	assert_int_equal(contents_pending(t->c, &st), 0);
	assert_int_equal(st.lists, 0);
	assert_int_equal(st.volumes, 0);
}

static void what_is_looked_at_late_was_written_when_the_tape_was(void **state)
{
	struct tapes *t = *state;
	uint64_t first, second;

	clock_set(1000);
	first = make(&t->s, "A00001");
	append_tar(t, first, "one", 2);
	clock_set(2000);
	second = make(&t->s, "A00002");
	append_tar(t, second, "one", 2);
	clock_set(9000);
	assert_int_equal(contents_settle(t->c, second, false, NULL, NULL), 0);
	settle(t);
	clock_set(0);
	assert_int_equal(files_of(t, first).f[0].written_ns, 1000);
	assert_int_equal(files_of(t, second).f[0].written_ns, 2000);
}

static void forgetting_looks_at_everything_again(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	uint32_t content;

	append_tar(t, id, "one", 4);
	settle(t);
	content = files_of(t, id).f[0].content;
	assert_int_equal(contents_settle(t->c, 0, true, NULL, NULL), 0);
	assert_int_equal(files_of(t, id).f[0].how, CONTENTS_LISTED);
	assert_true(files_of(t, id).f[0].content > content);
	content = files_of(t, id).f[0].content;
	assert_int_equal(contents_settle(t->c, id, true, NULL, NULL), 0);
	assert_true(files_of(t, id).f[0].content > content);
	assert_int_equal(find(t, "one/1").n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_TAPES(a_tar_is_listed),
		ON_TAPES(what_is_no_archive_says_what_it_is),
		ON_TAPES(before_anybody_looked_files_are_waiting),
		ON_TAPES(a_disk_that_is_nearly_full_is_left_alone),
		ON_KEPT_TAPES(what_waits_for_room_is_pending),
		ON_TAPES(written_over_is_told_at_once),
		ON_TAPES(a_restored_generation_is_known_without_reading_it),
		ON_TAPES(dropped_generations_are_forgotten),
		ON_TAPES(generations_dropped_while_nobody_watched_are_forgotten),
		ON_TAPES(what_is_not_committed_is_not_looked_at),
		ON_TAPES(stopped_at_any_write_nothing_is_lost),
		ON_TAPES(a_deleted_volume_leaves_nothing),
		ON_TAPES(appending_looks_at_the_new_file_alone),
		ON_TAPES(a_file_without_a_mark_is_listed_and_listed_again),
		ON_TAPES(a_mark_that_is_taken_back_unmakes_its_file),
		ON_TAPES(what_is_looked_at_late_was_written_when_the_tape_was),
		ON_TAPES(a_power_cut_is_made_good),
		ON_TAPES(a_pool_can_be_left_out_and_taken_in_again),
		ON_TAPES(labels_say_whose_the_file_behind_them_is),
		ON_TAPES(until_all_labels_are_read_no_date_is_told),
		ON_KEPT_TAPES(a_tar_is_listed),
		ON_KEPT_TAPES(a_restored_generation_is_known_without_reading_it),
		ON_KEPT_TAPES(dropped_generations_are_forgotten),
		ON_KEPT_TAPES(a_deleted_volume_leaves_nothing),
		ON_KEPT_TAPES(labels_say_whose_the_file_behind_them_is),
		ON_KEPT_TAPES(the_thread_looks_by_itself),
		ON_KEPT_TAPES(files_are_looked_at_behind_the_writer),
		ON_KEPT_TAPES(a_start_finds_what_was_written_meanwhile),
		ON_KEPT_TAPES(a_start_finds_what_was_deleted_meanwhile),
		ON_KEPT_TAPES(forgetting_looks_at_everything_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
