/* SPDX-License-Identifier: BSD-2-Clause */
/* tarball_copy: members as another archive, whole or damaged, of archives that are compressed or not. */
#include "unit/tarball/archives.h"

struct rows { struct tarball_member m[ARCHIVE_FILES + 4]; char path[ARCHIVE_FILES + 4][32]; unsigned n; };

static int take_row(void *ctx, const struct tarball_member *m)
{
	struct rows *r = ctx;

	if (r->n < ARCHIVE_FILES + 4) {
		r->m[r->n] = *m;
		snprintf(r->path[r->n++], sizeof(r->path[0]), "%s", m->path);
	}
	return 0;
}

static int take_bytes(void *ctx, const void *p, size_t n)
{
	struct bytes *b = ctx;

	if (b->error)
		return b->error;
	b->p = realloc(b->p, b->n + n);
	assert_non_null(b->p);
	memcpy(b->p + b->n, p, n);
	b->n += n;
	return 0;
}

/* The copy has member @i, whose bytes are good up to @good and zero from there on. */
static void check_next(struct archive *a, const char *path, unsigned i, uint64_t good)
{
	struct archive_entry *e;
	uint8_t *p = malloc(size_of(i) + 1);

	assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(e), path);
	assert_int_equal(archive_entry_size(e), size_of(i));
	assert_int_equal(archive_read_data(a, p, size_of(i) + 1), size_of(i));
	assert_true(data_is(p, good, i, 0));
	for (uint64_t k = good; k < size_of(i); k++)
		assert_int_equal(p[k], 0);
	free(p);
}

static struct archive *open_copy(const struct bytes *b)
{
	struct archive *a = archive_read_new();

	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_memory(a, b->p, b->n), ARCHIVE_OK);
	return a;
}

static void copy_some(struct bytes *from, struct bytes *to, const unsigned *which, unsigned n)
{
	struct tarball_source src = source_of(from);
	struct tarball_info info;
	struct tarball_copier *c;
	struct tarball_writer *w;
	struct tarball_copied copied;
	struct rows rows = { .n = 0 };

	assert_int_equal(tarball_each(&src, NULL, &info, take_row, &rows), 0);
	assert_int_equal(tarball_writer_new(take_bytes, to, &w), 0);
	assert_int_equal(tarball_copier_new(&src, w, &c), 0);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = 0;
		while (at < rows.n && (rows.path[at][0] != 'm' || strtoul(rows.path[at] + 1, NULL, 10) != which[i]))
			at++;
		assert_true(at < rows.n);
		struct tarball_pick p = { info.compressed ? 0 : rows.m[at].from, at, rows.path[at] };
		assert_int_equal(tarball_copy(c, &p, &copied), 0);
		assert_true(copied.whole);
		assert_int_equal(copied.size, size_of(which[i]));
		assert_int_equal(copied.bytes, copied.size);
	}
	tarball_copier_free(c);
	assert_int_equal(tarball_writer_end(w), 0);
	tarball_writer_free(w);
}

static void chosen_members_are_copied_from_every_kind_of_archive(void **state)
{
	static const struct { const char *format; int filter; } kinds[] = {
		{ "pax", ARCHIVE_FILTER_NONE },	 { "gnutar", ARCHIVE_FILTER_GZIP }, { "gnutar", ARCHIVE_FILTER_ZSTD },
		{ "newc", ARCHIVE_FILTER_NONE }, { "arsvr4", ARCHIVE_FILTER_NONE }, { "zip", ARCHIVE_FILTER_NONE },
	};
	static const unsigned which[] = { 1, 2, 7, 11, 3 };	/* the last one is behind */

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct bytes from, to = { 0 };
		struct archive_entry *e;
		struct archive *a;
		char path[16];

		make_members(&from, kinds[k].format, kinds[k].filter);
		copy_some(&from, &to, which, ARRAY_LEN(which));
		a = open_copy(&to);
		for (size_t i = 0; i < ARRAY_LEN(which); i++) {
			snprintf(path, sizeof(path), "m%02u", which[i]);
			check_next(a, path, which[i], size_of(which[i]));
		}
		assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_EOF);
		archive_read_free(a);
		bytes_fini(&from);
		bytes_fini(&to);
	}
}

static void one_member_costs_its_own_bytes(void **state)
{
	static const unsigned which[] = { 9 };
	struct bytes from, to = { 0 };
	uint64_t before;

	make_members(&from, "gnutar", ARCHIVE_FILTER_NONE);
	copy_some(&from, &to, NULL, 0);
	before = from.read;
	from.read = 0;
	copy_some(&from, &to, which, 1);
	assert_true(from.read - before < size_of(9) + (200u << 10));
	bytes_fini(&from);
	bytes_fini(&to);
}

/* A source that is damaged at one place. */
struct hurt { struct bytes *b; uint64_t from, to; };

static int read_hurt(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	const struct hurt *h = ctx;

	if (offset < h->to && offset + n > h->from) {
		if (offset >= h->from)
			return -EBADMSG;
		n = h->from - offset;
	}
	return read_bytes(h->b, offset, buf, n, got);
}

static void zeros_stand_for_what_is_damaged_and_what_follows_is_whole(void **state)
{
	struct bytes from, to = { 0 };
	struct rows rows = { .n = 0 };
	struct tarball_copied copied;
	struct tarball_copier *c;
	struct tarball_writer *w;
	struct tarball_source src;
	struct archive *a;
	struct hurt hurt;
	uint64_t good = 0;

	make_members(&from, "gnutar", ARCHIVE_FILTER_NONE);
	src = source_of(&from);
	assert_int_equal(tarball_each(&src, NULL, NULL, take_row, &rows), 0);
	hurt = (struct hurt){ &from, rows.m[8].data + 100000, rows.m[8].data + 100512 };
	src = (struct tarball_source){ read_hurt, &hurt, from.n };
	assert_int_equal(tarball_writer_new(take_bytes, &to, &w), 0);
	assert_int_equal(tarball_copier_new(&src, w, &c), 0);
	for (unsigned i = 7; i < 10; i++) {
		struct tarball_pick p = { rows.m[i].from, i, rows.path[i] };
		assert_int_equal(tarball_copy(c, &p, &copied), 0);
		assert_int_equal(copied.whole, i != 8);
		if (i == 8) {
			assert_true(copied.bytes <= 100000 && copied.size == size_of(8));
			good = copied.bytes;
		}
	}
	/* A header that cannot be read: nothing is written. */
	hurt.from = rows.m[3].from;
	hurt.to = rows.m[3].from + 512;
	assert_int_equal(tarball_copy(c, &(struct tarball_pick){ rows.m[3].from, 3, "m03" }, &copied), TARBALL_E_NONE);
	tarball_copier_free(c);
	assert_int_equal(tarball_writer_link(w, "other", "m07"), 0);
	assert_int_equal(tarball_writer_end(w), 0);
	tarball_writer_free(w);
	a = open_copy(&to);
	check_next(a, "m07", 7, size_of(7));
	check_next(a, "m08", 8, good);
	check_next(a, "m09", 9, size_of(9));
	archive_read_free(a);
	bytes_fini(&from);
	bytes_fini(&to);
}

/* ---- files in parts ---- */

/* A file of 100000 bytes that ends on the third tape. */
static const uint64_t begins[] = { 0, 30208, 60416, 100000 };
struct tapes { struct bytes b[3]; struct tarball_part part[3]; unsigned n, at; };

static void make_tapes(struct tapes *t)
{
	uint8_t *data = malloc(begins[3]), *h;

	data_fill(data, begins[3], 5, 0);
	*t = (struct tapes){ .n = 3 };
	for (unsigned i = 0; i < 3; i++) {
		struct bytes *b = &t->b[i];
		*b = bytes_new(200000);
		if (!i) {
			tar_header(b, '0', "before", 600);
			tar_data(b, 600, 1);
		}
		t->part[i] = (struct tarball_part){ source_of(b), b->n, !i, begins[i + 1] - begins[i] };
		h = tar_header(b, i ? 'M' : '0', "big", begins[3] - begins[i]);
		if (i)
			memset(h + 100, 0, 24);	/* GNU tar says no more of it */
		snprintf((char *)h + 369, 13, "%011llo", (unsigned long long)begins[i]);
		if (!i)
			memset(h + 369, 0, 13);
		tar_sum(h);
		tar_text(b, (char *)data + begins[i], begins[i + 1] - begins[i]);
	}
	tar_header(&t->b[2], '0', "after", 600);
	tar_data(&t->b[2], 600, 3);
	tar_zeros(&t->b[2], 1024);
	for (unsigned i = 0; i < 3; i++)
		t->part[i].src.size = t->b[i].n;
	free(data);
}

static int next_tape(void *ctx, struct tarball_part *out)
{
	struct tapes *t = ctx;

	if (t->at == t->n)
		return 1;
	*out = t->part[t->at++];
	return 0;
}

static int join(struct tapes *t, struct bytes *to, struct tarball_copied *copied)
{
	struct tarball_writer *w;
	int r;

	*to = (struct bytes){ 0 };
	t->at = 0;
	assert_int_equal(tarball_writer_new(take_bytes, to, &w), 0);
	r = tarball_join(w, "joined", begins[3], next_tape, t, copied);
	assert_int_equal(tarball_writer_end(w), 0);
	tarball_writer_free(w);
	return r;
}

static void check_joined(const struct bytes *to, uint64_t good)
{
	struct archive *a = open_copy(to);
	uint8_t *p = malloc(begins[3]);
	struct archive_entry *e;

	assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(e), "joined");
	assert_int_equal(archive_entry_perm(e), 0644);
	assert_int_equal(archive_entry_size(e), begins[3]);
	assert_int_equal(archive_read_data(a, p, begins[3]), begins[3]);
	assert_true(data_is(p, good, 5, 0));
	for (uint64_t i = good; i < begins[3]; i++)
		assert_int_equal(p[i], 0);
	assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_EOF);
	archive_read_free(a);
	free(p);
}

static void fini_tapes(struct tapes *t)
{
	for (unsigned i = 0; i < 3; i++)
		bytes_fini(&t->b[i]);
}

static void parts_of_several_archives_become_one_member(void **state)
{
	struct tarball_copied copied;
	struct tapes t;
	struct bytes to;

	make_tapes(&t);
	assert_int_equal(join(&t, &to, &copied), 0);
	assert_true(copied.whole && copied.size == begins[3] && copied.bytes == begins[3]);
	check_joined(&to, begins[3]);
	bytes_fini(&to);
	fini_tapes(&t);
}

static void what_is_missing_behind_the_first_part_is_zeros_and_told(void **state)
{
	struct tarball_copied copied;
	struct tapes t;
	struct bytes to;

	make_tapes(&t);
	t.n = 2;
	assert_int_equal(join(&t, &to, &copied), 0);
	assert_true(!copied.whole && copied.size == begins[3] && copied.bytes == begins[2]);
	check_joined(&to, begins[2]);
	bytes_fini(&to);
	/* The second part is another one now. */
	t.n = 3;
	t.part[1] = t.part[2];
	assert_int_equal(join(&t, &to, &copied), 0);
	assert_true(!copied.whole && copied.bytes == begins[1]);
	check_joined(&to, begins[1]);
	bytes_fini(&to);
	/* The first is not of that size: nothing is written. */
	t.part[0] = t.part[2];
	assert_int_equal(join(&t, &to, &copied), TARBALL_E_NONE);
	assert_true(!copied.whole && !copied.size);
	bytes_fini(&to);
	fini_tapes(&t);
}

static void a_part_that_is_shorter_than_was_thought_ends_what_is_good(void **state)
{
	struct tarball_copied copied;
	struct tapes t;
	struct bytes to;

	make_tapes(&t);
	t.part[1].src.size = t.b[1].n -= 512;
	assert_int_equal(join(&t, &to, &copied), 0);
	assert_true(!copied.whole && copied.bytes <= begins[2] - 512 && copied.bytes >= begins[1]);
	check_joined(&to, copied.bytes);
	bytes_fini(&to);
	fini_tapes(&t);
}

static void who_takes_it_can_end_it(void **state)
{
	struct bytes from, to = { .error = -EPIPE };
	struct rows rows = { .n = 0 };
	struct tarball_copied copied;
	struct tarball_copier *c;
	struct tarball_writer *w;
	struct tarball_source src;

	make_members(&from, "gnutar", ARCHIVE_FILTER_NONE);
	src = source_of(&from);
	assert_int_equal(tarball_each(&src, NULL, NULL, take_row, &rows), 0);
	assert_int_equal(tarball_writer_new(take_bytes, &to, &w), 0);
	assert_int_equal(tarball_copier_new(&src, w, &c), 0);
	assert_int_equal(tarball_copy(c, &(struct tarball_pick){ rows.m[9].from, 9, "m09" }, &copied), -EPIPE);
	tarball_copier_free(c);
	tarball_writer_free(w);
	bytes_fini(&from);
	bytes_fini(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chosen_members_are_copied_from_every_kind_of_archive),
		cmocka_unit_test(one_member_costs_its_own_bytes),
		cmocka_unit_test(zeros_stand_for_what_is_damaged_and_what_follows_is_whole),
		cmocka_unit_test(parts_of_several_archives_become_one_member),
		cmocka_unit_test(what_is_missing_behind_the_first_part_is_zeros_and_told),
		cmocka_unit_test(a_part_that_is_shorter_than_was_thought_ends_what_is_good),
		cmocka_unit_test(who_takes_it_can_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
