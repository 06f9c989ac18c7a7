/* SPDX-License-Identifier: BSD-2-Clause */
/* Tape files as archives are read from, and members out of them: the right bytes, no more of the tape than needed. */
#include "unit/contents/tapes.h"

#include <vtape/tarball.h>

static struct contents_member member_of(struct tapes *t, uint32_t content, const char *path)
{
	struct contents_member m = { .number = 0 };
	int r = contents_resolve(t->c, content, path, &m);

	if (r)
		fail_msg("%s: %d", path, r);
	return m;
}

static void put_archive(struct tapes *t, uint64_t id, const char *format, const char *filter, const char *name,
			unsigned members, size_t size)
{
	struct archived a = make_archive(format, filter, name, members, size);
	struct volume *v = claim(&t->s, id, CLAIM_WRITE);

	put_records(v, a.p, a.n, 10240);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	release(&t->s, id, CLAIM_WRITE);
	free(a.p);
}

static void assert_reads(struct contents_reader *r, const char *name, unsigned member, uint64_t from, size_t n,
			 size_t size)
{
	uint8_t *p = malloc(n), *whole = malloc(size);
	size_t got = 1, all = 0;

	while (all < n && got) {
		assert_int_equal(contents_reader_read(r, from + all, p + all, n - all, &got), 0);
		all += got;
	}
	assert_int_equal(all, from >= size ? 0 : size - from < n ? size - from : n);
	fill_member(whole, size, name, member);
	if (all)
		assert_memory_equal(p, whole + from, all);
	free(whole);
	free(p);
}

static void check_members(struct tapes *t, const char *format, const char *filter)
{
	uint64_t id = make(&t->s, "A00001");
	struct contents_reader *r;
	struct contents_member m;
	struct contents_file f;

	append_bytes(t, id, "something else", 14, 14);
	put_archive(t, id, format, filter, "one", 20, 5000);
	settle(t);
	assert_int_equal(contents_file(t->c, id, 1, &f), 0);
	if (f.how != CONTENTS_LISTED)
		fail_msg("%s %s: %s", format, filter, contents_how_name(f.how));
	assert_int_equal(f.compressed, filter != NULL || !strcmp(format, "zip"));
	for (unsigned i = 0; i < 20; i += 7) {
		char path[16];

		snprintf(path, sizeof(path), "one/%u", i);
		m = member_of(t, f.content, path);
		assert_int_equal(contents_reader_new(t->c, &f, &m, &r), 0);
		assert_reads(r, "one", i, 0, 6000, 5000);
		assert_reads(r, "one", i, 4990, 100, 5000);
		assert_reads(r, "one", i, 17, 300, 5000);	/* backwards */
		assert_reads(r, "one", i, 2000, 300, 5000);
		assert_reads(r, "one", i, 5000, 10, 5000);
		contents_reader_free(r);
		contents_member_fini(&m);
	}
	assert_int_equal(library_volume_delete(t->s.lib, id), 0);
}

static void members_are_read_from_anywhere(void **state)
{
	static const struct { const char *format, *filter; } kinds[] = {
		{ "gnutar", NULL }, { "pax", NULL }, { "ustar", NULL }, { "newc", NULL }, { "odc", NULL },
		{ "gnutar", "gzip" },
		{ "pax", "zstd" }, { "newc", "xz" }, { "ustar", "bzip2" }, { "zip", NULL },
	};

	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		check_members(*state, kinds[i].format, kinds[i].filter);
}

/* No more than its chunks: of this tape of 32 MiB. */
static void one_member_takes_little_of_the_tape(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct contents_source *src;
	struct contents_member m;
	struct contents_file f;
	static uint8_t want[1u << 20];
	uint8_t block[512];
	size_t got;

	put_archive(t, id, "gnutar", NULL, "one", 32, sizeof(want));
	settle(t);
	assert_int_equal(contents_file(t->c, id, 0, &f), 0);
	m = member_of(t, f.content, "one/20");
	assert_true(m.data != TARBALL_NO_PLACE);
	assert_int_equal(contents_source_new(t->c, &f, &src), 0);
	assert_int_equal(contents_source(src)->read(contents_source(src)->ctx, m.data + 1000, block, sizeof(block), &got),
			 0);
	assert_int_equal(got, sizeof(block));
	fill_member(want, sizeof(want), "one", 20);
	assert_memory_equal(block, want + 1000, sizeof(block));
	assert_int_equal(contents_source_read(src), 512);
	assert_int_equal(contents_source(src)->read(contents_source(src)->ctx, f.bytes, block, sizeof(block), &got), 0);
	assert_int_equal(got, 0);
	contents_source_free(src);
	contents_member_fini(&m);
}

/* Wherever it is read, in whatever order: what is asked for and not a byte of the tape more. */
static void random_reads_take_what_they_read(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001"), asked = 0;
	static uint8_t want[1u << 20];
	struct contents_reader *r;
	struct contents_member m;
	struct contents_file f;
	uint64_t chance = 12345;
	uint8_t p[4096];
	size_t got;

	put_archive(t, id, "gnutar", NULL, "one", 4, sizeof(want));
	fill_member(want, sizeof(want), "one", 3);
	settle(t);
	assert_int_equal(contents_file(t->c, id, 0, &f), 0);
	m = member_of(t, f.content, "one/3");
	assert_int_equal(contents_reader_new(t->c, &f, &m, &r), 0);
	assert_true(contents_reader_there(r));
	for (unsigned i = 0; i < 200; i++) {
		uint64_t at = chance_below(&chance, sizeof(want) - sizeof(p));

		assert_int_equal(contents_reader_read(r, at, p, sizeof(p), &got), 0);
		assert_int_equal(got, sizeof(p));
		assert_memory_equal(p, want + at, sizeof(p));
		asked += got;
	}
	assert_int_equal(contents_reader_taken(r), asked);
	assert_reads(r, "one", 3, 10000, 500, sizeof(want));
	contents_reader_free(r);
	contents_member_fini(&m);
}

static void what_is_written_over_is_stale(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct contents_reader *r;
	struct contents_member m;
	struct contents_file f;
	uint8_t p[1000];
	size_t got;

	put_archive(t, id, "gnutar", NULL, "one", 8, 300000);
	settle(t);
	assert_int_equal(contents_file(t->c, id, 0, &f), 0);
	m = member_of(t, f.content, "one/2");
	assert_int_equal(contents_reader_new(t->c, &f, &m, &r), 0);
	assert_int_equal(contents_reader_read(r, 0, p, sizeof(p), &got), 0);
	assert_int_equal(contents_reader_read(r, 1000, p, sizeof(p), &got), 0);
	cut_before(t, id, 0);
	/* Though it was read ahead. */
	assert_int_equal(contents_reader_read(r, 2000, p, sizeof(p), &got), -ESTALE);
	assert_int_equal(contents_reader_read(r, 200000, p, sizeof(p), &got), -ESTALE);
	put_archive(t, id, "gnutar", NULL, "two", 8, 300000);
	assert_int_equal(contents_reader_read(r, 200000, p, sizeof(p), &got), -ESTALE);
	assert_int_equal(library_volume_delete(t->s.lib, id), 0);
	assert_int_equal(contents_reader_read(r, 0, p, sizeof(p), &got), -ESTALE);
	contents_reader_free(r);
	contents_member_fini(&m);
}

static bool stop_at_last(void *ctx)
{
	unsigned *left = ctx;

	return !(*left)--;
}

static void a_read_ends_when_it_is_told_to(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001"), taken;
	struct contents_reader *r;
	struct contents_member m;
	struct contents_file f;
	unsigned left = 2;
	uint8_t p[1000];
	size_t got;

	put_archive(t, id, "gnutar", "gzip", "one", 8, 300000);
	settle(t);
	assert_int_equal(contents_file(t->c, id, 0, &f), 0);
	m = member_of(t, f.content, "one/7");
	assert_int_equal(contents_reader_new(t->c, &f, &m, &r), 0);
	assert_false(contents_reader_there(r));
	contents_reader_stop(r, stop_at_last, &left);
	assert_int_equal(contents_reader_read(r, 200000, p, sizeof(p), &got), -EINTR);
	taken = contents_reader_taken(r);
	assert_true(taken < f.bytes / 2);
	left = 1000000;
	assert_reads(r, "one", 7, 200000, 1000, 300000);
	assert_true(contents_reader_taken(r) > taken + f.bytes / 2);
	contents_reader_stop(r, NULL, NULL);
	assert_reads(r, "one", 7, 0, 300000, 300000);
	contents_reader_free(r);
	contents_member_fini(&m);
}

/* Beside a writer at the same tape. */
static void a_reader_is_in_nobodys_way(void **state)
{
	struct tapes *t = *state;
	uint64_t id = make(&t->s, "A00001");
	struct contents_reader *r;
	struct contents_member m;
	struct contents_file f;
	struct volume *v;

	put_archive(t, id, "gnutar", NULL, "one", 8, 3000);
	settle(t);
	assert_int_equal(contents_file(t->c, id, 0, &f), 0);
	m = member_of(t, f.content, "one/2");
	assert_int_equal(contents_reader_new(t->c, &f, &m, &r), 0);
	v = claim(&t->s, id, CLAIM_WRITE);
	assert_int_equal(volume_append_record(v, 0, "more", 4), 0);
	assert_reads(r, "one", 2, 0, 3000, 3000);
	release(&t->s, id, CLAIM_WRITE);
	assert_reads(r, "one", 2, 0, 3000, 3000);
	contents_reader_free(r);
	contents_member_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_TAPES(members_are_read_from_anywhere),
		ON_TAPES(one_member_takes_little_of_the_tape),
		ON_TAPES(random_reads_take_what_they_read),
		ON_TAPES(what_is_written_over_is_stale),
		ON_TAPES(a_read_ends_when_it_is_told_to),
		ON_TAPES(a_reader_is_in_nobodys_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
