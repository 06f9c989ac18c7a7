/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of members, and where their bytes lie: for every kind of archive that is not compressed. */
#include "unit/tarball/archives.h"

#include <locale.h>

#define ROOM (8u << 20)

static struct seen seen;

/* ---- places ------------------------------------------------------------------------------------------------------ */

static const uint64_t sizes[] = { 0, 1, 2, 3, 4, 5, 511, 512, 513, 1000, 8191, 8192, 8193,
				  40000, 65536, 100000, 7, 0, 300000, 11 };

struct kind {
	const char *format;
	const char *long_name;	/* of one more member; NULL: the format has no room for one */
	bool folders;
};

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50
static const struct kind kinds[] = {
	{ "v7tar", NULL, true },
	{ "ustar", X50 X50 "/" X50, true },
	{ "pax", X200 "/" X200, true },
	{ "gnutar", X200 "/" X200, true },
	{ "odc", X200 "/" X200, true },
	{ "newc", X200 "/" X200, true },
	{ "bin", X200, true },
	{ "arsvr4", NULL, false },
	{ "arbsd", X50, false },
};

static void make_kind(struct bytes *b, const struct kind *k)
{
	struct archive *a = make_begin(b, ROOM, k->format, ARCHIVE_FILTER_NONE);
	struct archive_entry *e;
	char path[32];

	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		snprintf(path, sizeof(path), "m%u", i);
		make_add(a, make_entry(path, AE_IFREG, sizes[i]), i);
	}
	if (k->folders) {
		make_add(a, make_entry("folder", AE_IFDIR, 0), 0);
		e = make_entry("folder/link", AE_IFLNK, 0);
		archive_entry_set_symlink(e, "../m1");
		make_add(a, e, 0);
	}
	if (k->long_name)
		make_add(a, make_entry(k->long_name, AE_IFREG, 777), 77);
	make_add(a, make_entry("last", AE_IFREG, 1025), 99);
	make_end(a);
}

static void check_place(const struct bytes *b, const char *path, uint64_t size, unsigned seed)
{
	const struct tarball_member *m = seen_find(&seen, path);

	assert_non_null(m);
	assert_int_equal(m->type, '-');
	assert_int_equal(m->size, size);
	assert_int_not_equal(m->data, TARBALL_NO_PLACE);
	assert_true(m->data > m->from && m->data + size <= m->to && m->to <= b->n);
	assert_true(data_is(b->p + m->data, size, seed, 0));
}

static void bytes_of_members_lie_where_it_says(void **state)
{
	char path[32];

	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		struct tarball_info info;
		struct bytes b;

		make_kind(&b, &kinds[k]);
		assert_int_equal(list(&b, &info, &seen), 0);
		assert_false(info.compressed || info.broken || info.limited);
		for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
			snprintf(path, sizeof(path), "m%u", i);
			check_place(&b, path, sizes[i], i);
		}
		if (kinds[k].long_name)
			check_place(&b, kinds[k].long_name, 777, 77);
		check_place(&b, "last", 1025, 99);
		for (unsigned i = 1; i < seen.count; i++)
			assert_int_equal(seen.m[i].from, seen.m[i - 1].to);
		bytes_fini(&b);
	}
}

/* Of the same archives: from there one can begin. */
static void a_member_can_be_begun_where_it_begins(void **state)
{
	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		struct bytes b;

		if (!kinds[k].folders)
			continue;	/* ar: has a beginning of its own */
		make_kind(&b, &kinds[k]);
		assert_int_equal(list(&b, NULL, &seen), 0);
		for (unsigned i = 0; i < seen.count; i++) {
			const struct tarball_source src = source_of(&b);
			struct tarball_stream *s;
			size_t got, want = (size_t)seen.m[i].size;
			uint8_t *p = malloc(want + 1);

			assert_int_equal(tarball_stream_new(&src, seen.m[i].from, 0, &s), 0);
			assert_int_equal(tarball_stream_read(s, p, want + 1, &got), 0);
			assert_int_equal(got, want);
			if (want)
				assert_memory_equal(p, b.p + seen.m[i].data, want);
			tarball_stream_free(s);
			free(p);
		}
		bytes_fini(&b);
	}
}

static void the_last_member_ends_before_what_ends_the_archive(void **state)
{
	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		const struct tarball_member *last;
		struct bytes b;

		make_kind(&b, &kinds[k]);
		assert_int_equal(list(&b, NULL, &seen), 0);
		last = &seen.m[seen.count - 1];
		assert_string_equal(last->path, "last");
		assert_true(last->to - last->data - last->size < 512);
		if (k < 4)	/* tar */
			assert_true(last->to + 1024 <= b.n && !b.p[last->to] &&
				    !memcmp(b.p + last->to, b.p + last->to + 1, 1023));
		bytes_fini(&b);
	}
}

/* ---- links ------------------------------------------------------------------------------------------------------- */

static void a_hard_link_of_tar_has_no_bytes_and_names_its_file(void **state)
{
	static const char *formats[] = { "ustar", "pax",
				       "gnutar" };

	for (unsigned f = 0; f < ARRAY_LEN(formats); f++) {
		struct bytes b;
		struct archive *a = make_begin(&b, ROOM, formats[f], ARCHIVE_FILTER_NONE);
		struct archive_entry *e = make_entry("second", AE_IFREG, 5000);
		const struct tarball_member *m;

		make_add(a, make_entry("first", AE_IFREG, 5000), 1);
		archive_entry_set_hardlink(e, "first");
		make_add(a, e, 0);
		make_add(a, make_entry("third", AE_IFREG, 600), 3);
		make_end(a);
		assert_int_equal(list(&b, NULL, &seen), 0);
		m = seen_find(&seen, "second");
		assert_int_equal(m->type, 'h');
		assert_int_equal(m->size, 0);
		assert_string_equal(m->link, "first");
		check_place(&b, "first", 5000, 1);
		check_place(&b, "third", 600, 3);
		bytes_fini(&b);
	}
}

static void a_hard_link_of_cpio_may_bring_the_bytes(void **state)
{
	struct bytes b;
	struct archive *a = make_begin(&b, ROOM, "newc", ARCHIVE_FILTER_NONE);
	const struct tarball_member *m;

	for (unsigned i = 0; i < 2; i++) {
		struct archive_entry *e = make_entry(i ? "second" : "first", AE_IFREG, i ? 5001 : 0);

		archive_entry_set_ino(e, 4711);
		archive_entry_set_nlink(e, 2);
		make_add(a, e, 2);
	}
	make_end(a);
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_int_equal(seen_find(&seen, "first")->size, 0);
	m = seen_find(&seen, "second");
	assert_int_equal(m->type, 'h');
	assert_string_equal(m->link, "first");
	assert_int_equal(m->size, 5001);
	assert_true(data_is(b.p + m->data, 5001, 2, 0));
	bytes_fini(&b);
}

static void a_hard_link_of_pax_may_have_bytes_of_its_own(void **state)
{
	struct bytes b = bytes_new(ROOM);
	const struct tarball_member *m;
	uint8_t *h;

	tar_header(&b, 'x', "pax", 21);
	tar_text(&b, "21 comment=something\n", 21);
	h = tar_header(&b, '1', "second", 700);
	memcpy(h + 157, "first", 5);
	memcpy(h + 257, "ustar\0" "00", 8);
	tar_sum(h);
	tar_data(&b, 700, 5);
	tar_zeros(&b, 1024);
	assert_int_equal(list(&b, NULL, &seen), 0);
	m = seen_find(&seen, "second");
	assert_int_equal(m->type, 'h');
	assert_int_equal(m->size, 700);
	assert_int_equal(m->from, 0);
	assert_true(data_is(b.p + m->data, 700, 5, 0));
	bytes_fini(&b);
}

/* ---- what does not lie there as it is ---------------------------------------------------------------------------- */

static void a_sparse_file_has_no_place_and_is_read_with_its_holes(void **state)
{
	static const struct { la_int64_t at, len; } parts[] = { { 65536, 1000 }, { 200000, 70000 } };
	struct tarball_source src;
	struct tarball_stream *s;
	struct bytes b;
	struct archive *a = make_begin(&b, ROOM, "pax", ARCHIVE_FILTER_NONE);
	struct archive_entry *e = make_entry("sparse", AE_IFREG, 1000000);
	uint8_t *p = calloc(1, 1000001);
	size_t got;

	make_add(a, make_entry("before", AE_IFREG, 600), 1);
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++)
		archive_entry_sparse_add_entry(e, parts[i].at, parts[i].len);
	make_add(a, e, 2);
	make_add(a, make_entry("after", AE_IFREG, 600), 3);
	make_end(a);
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.m[1].size, 1000000);
	assert_int_equal(seen.m[1].data, TARBALL_NO_PLACE);
	assert_true(seen.m[1].to - seen.m[1].from < 100000);
	check_place(&b, "after", 600, 3);

	src = source_of(&b);
	assert_int_equal(tarball_stream_new(&src, seen.m[1].from, 0, &s), 0);
	assert_int_equal(tarball_stream_read(s, p, 1000001, &got), 0);
	assert_int_equal(got, 1000000);
	for (size_t at = 0; at < got; at++) {
		bool in = (at >= 65536 && at < 66536) || (at >= 200000 && at < 270000);
		assert_int_equal(p[at], in ? data_byte(2, at) : 0);
	}
	tarball_stream_free(s);
	free(p);
	bytes_fini(&b);
}

/* Only a hole: nothing of it is in the archive, and a header says otherwise. */
static void a_file_that_is_one_hole_has_no_place(void **state)
{
	static const char map[] = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n33 GNU.sparse.realsize=123456789\n";
	const struct tarball_member *m;
	struct tarball_source src;
	struct tarball_stream *s;
	struct bytes b = bytes_new(ROOM);
	uint64_t got;
	uint8_t one;
	size_t n;

	tar_header(&b, 'x', "pax", sizeof(map) - 1);
	tar_text(&b, map, sizeof(map) - 1);
	memcpy(tar_header(&b, '0', "hole", 512) + 257, "ustar\0" "00", 8);
	tar_sum(b.p + b.n - 512);
	tar_text(&b, "1\n123456789\n0\n", 14);
	tar_header(&b, '0', "after", 600);
	tar_data(&b, 600, 3);
	tar_zeros(&b, 1024);
	assert_int_equal(list(&b, NULL, &seen), 0);
	m = seen_find(&seen, "hole");
	assert_int_equal(m->size, 123456789);
	assert_int_equal(m->data, TARBALL_NO_PLACE);
	check_place(&b, "after", 600, 3);
	src = source_of(&b);
	assert_int_equal(tarball_stream_new(&src, m->from, 0, &s), 0);
	assert_int_equal(tarball_stream_skip(s, 123456788, &got), 0);
	assert_int_equal(got, 123456788);
	assert_int_equal(tarball_stream_read(s, &one, 1, &n), 0);
	assert_true(n == 1 && !one);
	assert_int_equal(tarball_stream_read(s, &one, 1, &n), 0);
	assert_int_equal(n, 0);
	tarball_stream_free(s);
	bytes_fini(&b);
}

static void volume_headers_of_gnu_tar_are_no_members_and_the_rest_of_one_is(void **state)
{
	struct bytes b = bytes_new(ROOM);
	uint8_t *h;

	tar_header(&b, 'V', "Friday Volume 2", 0);
	h = tar_header(&b, 'M', "big", 3000);
	memcpy(h + 369, "00000620040", 11);
	memset(h + 257, 0, 8);	/* GNU tar leaves it out here */
	tar_sum(h);
	tar_data(&b, 3000, 1);
	tar_header(&b, '0', "after", 600);
	tar_data(&b, 600, 3);
	tar_zeros(&b, 1024);
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.m[0].from, 0);
	assert_int_equal(seen.m[0].before, 0620040);
	assert_int_equal(seen.m[1].before, 0);
	check_place(&b, "big", 3000, 1);
	check_place(&b, "after", 600, 3);
	bytes_fini(&b);
}

/* A pax archive says so in its global header, as .size and .path of a member of another name. */
static void make_pax_volume(struct bytes *b, const char *words, size_t n, const char *path, size_t size)
{
	*b = bytes_new(ROOM);
	tar_header(b, 'g', "/tmp/GlobalHead.2", n);
	tar_text(b, words, n);
	tar_header(b, '0', path, size);
	tar_data(b, size, 1);
	tar_zeros(b, 1024);
}

static void a_pax_volume_tells_of_the_file_that_it_goes_on_with(void **state)
{
	static const char good[] = "33 GNU.volume.label=lab Volume 2\n34 GNU.volume.filename=src/random\n"
				   "24 GNU.volume.size=3000\n27 GNU.volume.offset=16384\n";
	const size_t n = sizeof(good) - 1;
	char words[sizeof(good)];
	struct bytes b;

	make_pax_volume(&b, good, n, "src/GNUFileParts/random.2", 3000);
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.m[0].before, 16384);
	assert_int_equal(seen.m[0].from, 0);
	check_place(&b, "src/random", 3000, 1);
	bytes_fini(&b);
	/* Of another size, or not called so: not about this member. */
	make_pax_volume(&b, good, n, "src/GNUFileParts/random.2", 3001);
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_int_equal(seen.m[0].before, 0);
	bytes_fini(&b);
	make_pax_volume(&b, good, n, "src/other", 3000);
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_string_equal(seen.m[0].path, "src/other");
	bytes_fini(&b);
	/* Bytes that are wrong. */
	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < 3; k++) {
			memcpy(words, good, n);
			words[i] = "\0009="[k];
			make_pax_volume(&b, words, n, "src/GNUFileParts/random.2", 3000);
			list(&b, NULL, &seen);
			assert_true(seen.count <= 1);
			bytes_fini(&b);
		}
}

/* As the first volume of tar -M ends. */
static void a_member_that_goes_on_elsewhere_has_no_place_and_breaks_off(void **state)
{
	struct tarball_source src;
	struct tarball_stream *s;
	struct tarball_info info;
	struct bytes b = bytes_new(ROOM);
	uint8_t p[4096];
	size_t got;

	tar_header(&b, '0', "whole", 600);
	tar_data(&b, 600, 1);
	tar_header(&b, '0', "part", 100000);
	tar_data(&b, 3072, 2);
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_true(info.broken && !info.limited);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.m[1].size, 100000);
	assert_int_equal(seen.m[1].data, TARBALL_NO_PLACE);
	assert_int_equal(seen.m[1].missing, 100000 - 3072);
	assert_int_equal(seen.m[0].missing, 0);
	assert_int_equal(seen.m[1].to, b.n);
	src = source_of(&b);
	assert_int_equal(tarball_stream_new(&src, seen.m[1].from, 0, &s), 0);
	assert_int_equal(tarball_stream_read(s, p, sizeof(p), &got), 0);
	assert_int_equal(got, 3072);
	assert_true(data_is(p, got, 2, 0));
	assert_int_equal(tarball_stream_read(s, p, sizeof(p), &got), -EBADMSG);
	assert_int_equal(tarball_stream_read(s, p, sizeof(p), &got), -EBADMSG);
	tarball_stream_free(s);
	bytes_fini(&b);
}

static void archives_one_behind_the_other_are_one(void **state)
{
	struct tarball_info info;
	struct bytes b = bytes_new(ROOM);

	for (unsigned i = 0; i < 3; i++) {
		char name[2] = { (char)('a' + i) };
		tar_header(&b, '0', name, 600);
		tar_data(&b, 600, i);
		tar_zeros(&b, 10240);
	}
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_false(info.broken);
	assert_int_equal(seen.count, 3);
	check_place(&b, "a", 600, 0);
	check_place(&b, "b", 600, 1);
	check_place(&b, "c", 600, 2);
	assert_int_equal(seen.m[2].to, b.n - 10240);
	bytes_fini(&b);
}

/* ---- what is said of them ---------------------------------------------------------------------------------------- */

static void owners_times_and_devices_are_told(void **state)
{
	struct bytes b;
	struct archive *a = make_begin(&b, ROOM, "pax", ARCHIVE_FILTER_NONE);
	struct archive_entry *e = make_entry("file", AE_IFREG, 10);
	const struct tarball_member *m;

	archive_entry_set_uid(e, 1000);
	archive_entry_set_gid(e, 3000000);
	archive_entry_set_uname(e, "anna");
	archive_entry_set_gname(e, "staff");
	archive_entry_set_perm(e, 04751);
	archive_entry_set_mtime(e, -86400, 500000000);
	make_add(a, e, 1);
	e = make_entry("dev", AE_IFCHR, 0);
	archive_entry_set_rdevmajor(e, 9);
	archive_entry_set_rdevminor(e, 130);
	make_add(a, e, 0);
	e = make_entry("link", AE_IFLNK, 0);
	archive_entry_set_symlink(e, "somewhere/else");
	make_add(a, e, 0);
	make_add(a, make_entry("fifo", AE_IFIFO, 0), 0);
	make_add(a, make_entry("folder", AE_IFDIR, 0), 0);
	make_end(a);
	assert_int_equal(list(&b, NULL, &seen), 0);
	m = seen_find(&seen, "file");
	assert_int_equal(m->mode, 04751);
	assert_int_equal(m->uid, 1000);
	assert_int_equal(m->gid, 3000000);
	assert_string_equal(m->user, "anna");
	assert_string_equal(m->group, "staff");
	assert_true(m->mtime_s == -86400 && m->mtime_ns == 500000000);
	assert_null(m->link);
	m = seen_find(&seen, "dev");
	assert_true(m->type == 'c' && m->dev_major == 9 && m->dev_minor == 130 && m->data == TARBALL_NO_PLACE);
	assert_null(m->user);
	m = seen_find(&seen, "link");
	assert_int_equal(m->type, 'l');
	assert_string_equal(m->link, "somewhere/else");
	assert_int_equal(m->size, 0);
	assert_int_equal(seen_find(&seen, "fifo")->type, 'p');
	assert_int_equal(seen_find(&seen, "folder/")->type, 'd');
	bytes_fini(&b);
}

/* In the locale that the daemon runs in. */
static void names_keep_their_bytes(void **state)
{
	/* One character and two that look the same; what is no UTF-8; the end of a line; ways out; a tape. */
	static const char *names[] = { "f\xc3\xbcr", "fu\xcc\x88r", "f\xfcr", "a\nb", "../../etc/passwd", "/etc/passwd",
				       "\xf0\x9f\x93\xbc" };
	static const char *formats[] = { "gnutar", "pax", "newc" };

	for (unsigned f = 0; f < ARRAY_LEN(formats); f++) {
		struct bytes b;
		struct archive *a;

		setlocale(LC_ALL, "C.UTF-8");
		a = make_begin(&b, ROOM, formats[f], ARCHIVE_FILTER_NONE);
		for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
			struct archive_entry *e = make_entry(names[i], AE_IFREG, 0);

			assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
			archive_entry_free(e);
		}
		make_end(a);
		setlocale(LC_ALL, "C");
		assert_int_equal(list(&b, NULL, &seen), 0);
		assert_int_equal(seen.count, ARRAY_LEN(names));
		for (unsigned i = 0; i < ARRAY_LEN(names); i++)
			assert_string_equal(seen.m[i].path, names[i]);
		bytes_fini(&b);
	}
}

/* pax says that its words are UTF-8; who wrote this did not know. */
static void a_pax_name_that_is_no_utf8_keeps_its_bytes(void **state)
{
	struct bytes b = bytes_new(ROOM);

	tar_header(&b, 'x', "pax", 29);
	tar_text(&b, "12 path=f\xfcr\n17 linkpath=t\xfcr\xff\n", 29);
	memcpy(tar_header(&b, '2', "short", 0) + 257, "ustar\0" "00", 8);
	b.p[b.n - 512 + 157] = 't';
	tar_sum(b.p + b.n - 512);
	tar_zeros(&b, 1024);
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.m[0].path, "f\xfcr");
	assert_string_equal(seen.m[0].link, "t\xfcr\xff");
	bytes_fini(&b);
}

static int free_seen(void **state)
{
	seen_fini(&seen);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_of_members_lie_where_it_says),
		cmocka_unit_test(a_member_can_be_begun_where_it_begins),
		cmocka_unit_test(the_last_member_ends_before_what_ends_the_archive),
		cmocka_unit_test(a_hard_link_of_tar_has_no_bytes_and_names_its_file),
		cmocka_unit_test(a_hard_link_of_cpio_may_bring_the_bytes),
		cmocka_unit_test(a_hard_link_of_pax_may_have_bytes_of_its_own),
		cmocka_unit_test(a_sparse_file_has_no_place_and_is_read_with_its_holes),
		cmocka_unit_test(a_file_that_is_one_hole_has_no_place),
		cmocka_unit_test(a_pax_volume_tells_of_the_file_that_it_goes_on_with),
		cmocka_unit_test(volume_headers_of_gnu_tar_are_no_members_and_the_rest_of_one_is),
		cmocka_unit_test(a_member_that_goes_on_elsewhere_has_no_place_and_breaks_off),
		cmocka_unit_test(archives_one_behind_the_other_are_one),
		cmocka_unit_test(owners_times_and_devices_are_told),
		cmocka_unit_test(names_keep_their_bytes),
		cmocka_unit_test(a_pax_name_that_is_no_utf8_keeps_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, free_seen);
}
