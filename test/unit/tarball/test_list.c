/* SPDX-License-Identifier: BSD-2-Clause */
/* tarball_each: the members of archives, whole and damaged, and how little of an archive is read for them. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#include <vtape/tarball.h>

#define MEMBERS 40u
#define MEMBER_BYTES 100000u
#define ARCHIVE_BYTES (8u << 20)

struct bytes {
	uint8_t *p;
	size_t n;
	uint64_t read;		/* how many were asked for and given */
	int error;
};

static int read_bytes(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	struct bytes *b = ctx;

	if (b->error)
		return b->error;
	*got = offset >= b->n ? 0 : b->n - offset < n ? b->n - offset : n;
	memcpy(buf, b->p + offset, *got);
	b->read += *got;
	return 0;
}

static void make(struct bytes *b, int format, int filter, const char *prefix)
{
	struct archive *a = archive_write_new();
	uint8_t *data = malloc(MEMBER_BYTES);
	uint64_t x = 88172645463325252u;
	char path[300];

	b->p = malloc(ARCHIVE_BYTES);
	b->read = 0;
	b->error = 0;
	assert_int_equal(archive_write_set_format(a, format), ARCHIVE_OK);
	assert_int_equal(archive_write_add_filter(a, filter), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(a, b->p, ARCHIVE_BYTES, &b->n), ARCHIVE_OK);
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct archive_entry *e = archive_entry_new();

		for (size_t k = 0; k < MEMBER_BYTES; k++)
			data[k] = (uint8_t)((x = x * 6364136223846793005u + 1) >> 56);
		snprintf(path, sizeof(path), "%smember-%02u", prefix, i);
		archive_entry_set_pathname(e, path);
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_perm(e, 0644);
		archive_entry_set_size(e, MEMBER_BYTES);
		assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
		assert_int_equal(archive_write_data(a, data, MEMBER_BYTES), MEMBER_BYTES);
		archive_entry_free(e);
	}
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	free(data);
}

struct seen {
	unsigned count;
	char name[2 * MEMBERS][300];
	uint64_t from[2 * MEMBERS], to[2 * MEMBERS];
	unsigned stop_at;
};

static int see(void *ctx, const struct tarball_member *m)
{
	struct seen *s = ctx;

	assert_true(s->count < 2 * MEMBERS);
	snprintf(s->name[s->count], sizeof(s->name[0]), "%s", m->path);
	s->from[s->count] = m->from;
	s->to[s->count] = m->to;
	assert_int_equal(m->type, '-');
	return ++s->count == s->stop_at ? 7 : 0;
}

static int list(struct bytes *b, struct tarball_info *info, struct seen *s)
{
	const struct tarball_source src = { read_bytes, b, b->n };

	memset(s, 0, sizeof(*s));
	return tarball_each(&src, NULL, info, see, s);
}

static bool has(const struct seen *s, const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (!strcmp(s->name[i], name))
			return true;
	return false;
}

static struct seen seen;

static void members_of_a_tar_follow_each_other_to_its_end(void **state)
{
	static const int formats[] = { ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE,
				       ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FORMAT_CPIO_POSIX };

	for (unsigned f = 0; f < ARRAY_LEN(formats); f++) {
		struct tarball_info info;
		struct bytes b;

		make(&b, formats[f], ARCHIVE_FILTER_NONE, "a/");
		assert_int_equal(list(&b, &info, &seen), 0);
		assert_int_equal(seen.count, MEMBERS);
		assert_false(info.compressed || info.broken);
		assert_true(info.format[0]);
		for (unsigned i = 0; i < MEMBERS; i++) {
			assert_int_equal(seen.from[i], i ? seen.to[i - 1] : 0);
			assert_true(seen.to[i] - seen.from[i] >= MEMBER_BYTES);
		}
		/* What ends the archive is nobody's. */
		assert_int_equal(seen.to[MEMBERS - 1] - seen.from[MEMBERS - 1], seen.to[1] - seen.from[1]);
		assert_true(seen.to[MEMBERS - 1] < b.n);
		free(b.p);
	}
}

static void long_names_belong_to_the_member_they_name(void **state)
{
	char prefix[220];
	struct bytes b;

	memset(prefix, 'x', sizeof(prefix) - 2);
	prefix[sizeof(prefix) - 2] = '/';
	prefix[sizeof(prefix) - 1] = '\0';
	make(&b, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FILTER_NONE, prefix);
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_int_equal(seen.count, MEMBERS);
	assert_int_equal(seen.from[0], 0);
	for (unsigned i = 1; i < MEMBERS; i++)
		assert_int_equal(seen.from[i], seen.to[i - 1]);
	free(b.p);
}

static void only_the_headers_are_read(void **state)
{
	struct bytes b;

	/* With members longer than the window most of the archive is passed over. */
	make(&b, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, "");
	assert_int_equal(list(&b, NULL, &seen), 0);
	assert_true(b.read < b.n * 3 / 4);
	free(b.p);
}

static void a_compressed_archive_is_said_to_be_one(void **state)
{
	struct tarball_info info;
	struct bytes b;

	make(&b, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP, "");
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_int_equal(seen.count, MEMBERS);
	assert_true(info.compressed);
	for (unsigned i = 1; i < MEMBERS; i++)
		assert_true(seen.from[i] >= seen.from[i - 1]);
	free(b.p);
}

static void a_damaged_header_costs_its_own_member_alone(void **state)
{
	struct tarball_info info;
	struct bytes b;
	uint64_t at;

	make(&b, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, "");
	assert_int_equal(list(&b, &info, &seen), 0);
	at = seen.from[10];
	memset(b.p + at, 0xff, 512);
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_true(info.broken);
	assert_int_equal(seen.count, MEMBERS - 1);
	assert_true(has(&seen, "member-09") && has(&seen, "member-11") && !has(&seen, "member-10"));
	free(b.p);
}

static void damaged_data_hide_no_member(void **state)
{
	struct tarball_info info;
	struct bytes b;

	make(&b, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, "");
	memset(b.p + 4096, 0xff, 60000);
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_int_equal(seen.count, MEMBERS);
	assert_false(info.broken);
	free(b.p);
}

static void what_is_no_archive_is_none(void **state)
{
	struct bytes b = { .p = calloc(1, 100000), .n = 100000 };

	assert_int_equal(list(&b, NULL, &seen), TARBALL_E_NONE);
	for (size_t i = 0; i < b.n; i++)
		b.p[i] = (uint8_t)(i * 2654435761u >> 13);
	assert_int_equal(list(&b, NULL, &seen), TARBALL_E_NONE);
	b.n = 0;
	assert_int_equal(list(&b, NULL, &seen), TARBALL_E_NONE);
	assert_int_equal(seen.count, 0);
	free(b.p);
}

static void errors_and_wishes_to_stop_are_passed_on(void **state)
{
	struct tarball_source src = { read_bytes, NULL, 0 };
	struct bytes b;

	make(&b, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, "");
	src.ctx = &b;
	src.size = b.n;
	memset(&seen, 0, sizeof(seen));
	seen.stop_at = 3;
	assert_int_equal(tarball_each(&src, NULL, NULL, see, &seen), 7);
	assert_int_equal(seen.count, 3);
	b.error = -EIO;
	assert_int_equal(list(&b, NULL, &seen), -EIO);
	free(b.p);
}

static void an_archive_cut_short_gives_what_is_there(void **state)
{
	struct tarball_info info;
	struct bytes b;

	make(&b, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, "");
	b.n = 20 * 101376 + 700;
	assert_int_equal(list(&b, &info, &seen), 0);
	assert_true(seen.count >= 20);
	free(b.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_of_a_tar_follow_each_other_to_its_end),
		cmocka_unit_test(long_names_belong_to_the_member_they_name),
		cmocka_unit_test(only_the_headers_are_read),
		cmocka_unit_test(a_compressed_archive_is_said_to_be_one),
		cmocka_unit_test(a_damaged_header_costs_its_own_member_alone),
		cmocka_unit_test(damaged_data_hide_no_member),
		cmocka_unit_test(what_is_no_archive_is_none),
		cmocka_unit_test(errors_and_wishes_to_stop_are_passed_on),
		cmocka_unit_test(an_archive_cut_short_gives_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
