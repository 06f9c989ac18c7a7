/* SPDX-License-Identifier: BSD-2-Clause */
/* Archives in memory for the tests of tarball: made by libarchive or header by header, read and counted. */
#ifndef TEST_ARCHIVES_H
#define TEST_ARCHIVES_H

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

struct bytes {
	uint8_t *p;
	size_t n;
	uint64_t read;		/* how many were asked for and given */
	unsigned reads;
	int error;
};

static inline int read_bytes(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	struct bytes *b = ctx;

	if (b->error)
		return b->error;
	*got = offset >= b->n ? 0 : b->n - offset < n ? b->n - offset : n;
	if (*got)
		memcpy(buf, b->p + offset, *got);
	b->read += *got;
	b->reads++;
	return 0;
}

static inline struct tarball_source source_of(struct bytes *b)
{
	return (struct tarball_source){ read_bytes, b, b->n };
}

static inline void bytes_fini(struct bytes *b)
{
	free(b->p);
}

/* What byte @at of the member that @seed stands for is. */
static inline uint8_t data_byte(unsigned seed, uint64_t at)
{
	uint64_t x = (at + 1) * 0x9e3779b97f4a7c15u + seed * 0x2545f4914f6cdd1du;

	return (uint8_t)((x ^ x >> 29) >> 8);
}

static inline void data_fill(uint8_t *p, size_t n, unsigned seed, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		p[i] = data_byte(seed, at + i);
}

static inline bool data_is(const uint8_t *p, size_t n, unsigned seed, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != data_byte(seed, at + i))
			return false;
	return true;
}

/* ---- made by libarchive ------------------------------------------------------------------------------------------ */

static inline struct archive *make_begin(struct bytes *b, size_t room, const char *format, int filter)
{
	struct archive *a = archive_write_new();

	*b = (struct bytes){ .p = malloc(room) };
	assert_non_null(b->p);
	assert_int_equal(archive_write_set_format_by_name(a, format), ARCHIVE_OK);
	assert_int_equal(archive_write_add_filter(a, filter), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(a, b->p, room, &b->n), ARCHIVE_OK);
	return a;
}

static inline struct archive_entry *make_entry(const char *path, unsigned type, uint64_t size)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, 0640);
	archive_entry_set_size(e, (la_int64_t)size);
	archive_entry_set_mtime(e, 1700000000, 0);
	archive_entry_set_nlink(e, 1);
	return e;
}

/* Takes @e; its data are those of @seed. */
static inline void make_add(struct archive *a, struct archive_entry *e, unsigned seed)
{
	size_t n = (size_t)archive_entry_size(e);
	uint8_t *data = malloc(n + 1);

	data_fill(data, n, seed, 0);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	if (n && !archive_entry_hardlink(e))
		assert_int_equal(archive_write_data(a, data, n), n);
	free(data);
	archive_entry_free(e);
}

static inline void make_end(struct archive *a)
{
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
}

/* ---- made header by header --------------------------------------------------------------------------------------- */

static inline void tar_sum(uint8_t h[512])
{
	unsigned sum = 0;

	memset(h + 148, ' ', 8);
	for (unsigned i = 0; i < 512; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
}

/* A header of GNU tar's at the end of @b, with room for @size bytes behind it; @size of 2^33 and more in base 256. */
static inline uint8_t *tar_header(struct bytes *b, char type, const char *name, uint64_t size)
{
	uint8_t *h = b->p + b->n;

	memset(h, 0, 512);
	memcpy(h, name, strlen(name));
	memcpy(h + 100, "0000644\0" "0000000\0" "0000000\0", 24);
	if (size < 1ull << 33) {
		snprintf((char *)h + 124, 12, "%011llo", (unsigned long long)size);
	} else {
		h[124] = 0x80;
		put_be64(h + 128, size);
	}
	memcpy(h + 136, "00000000000", 11);
	h[156] = (uint8_t)type;
	memcpy(h + 257, "ustar  ", 8);
	tar_sum(h);
	b->n += 512;
	return h;
}

/* @size bytes of @seed, filled up to whole blocks. */
static inline void tar_data(struct bytes *b, size_t size, unsigned seed)
{
	size_t whole = (size + 511) / 512 * 512;

	memset(b->p + b->n, 0, whole);
	data_fill(b->p + b->n, size, seed, 0);
	b->n += whole;
}

static inline void tar_text(struct bytes *b, const char *text, size_t n)
{
	size_t whole = (n + 511) / 512 * 512;

	memset(b->p + b->n, 0, whole);
	memcpy(b->p + b->n, text, n);
	b->n += whole;
}

static inline void tar_zeros(struct bytes *b, size_t n)
{
	memset(b->p + b->n, 0, n);
	b->n += n;
}

static inline struct bytes bytes_new(size_t room)
{
	return (struct bytes){ .p = calloc(1, room) };
}

/* ---- what was told ----------------------------------------------------------------------------------------------- */

#define SEEN_MAX 300u
struct seen {
	unsigned count;
	struct tarball_member m[SEEN_MAX];	/* words are copies */
	unsigned stop_at;
};

static inline char *seen_word(const char *s)
{
	return s ? strdup(s) : NULL;
}

static inline int see(void *ctx, const struct tarball_member *m)
{
	struct seen *s = ctx;
	struct tarball_member *to = &s->m[s->count];

	assert_true(s->count < SEEN_MAX);
	*to = *m;
	to->path = seen_word(m->path);
	to->user = seen_word(m->user);
	to->group = seen_word(m->group);
	to->link = seen_word(m->link);
	assert_true(m->to >= m->from);
	return ++s->count == s->stop_at ? 7 : 0;
}

static inline void seen_fini(struct seen *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		free((char *)s->m[i].path);
		free((char *)s->m[i].user);
		free((char *)s->m[i].group);
		free((char *)s->m[i].link);
	}
	s->count = 0;
}

static inline int list_limited(struct bytes *b, const struct tarball_limits *limits, struct tarball_info *info,
			       struct seen *s)
{
	const struct tarball_source src = source_of(b);

	seen_fini(s);
	return tarball_each(&src, limits, info, see, s);
}

static inline int list(struct bytes *b, struct tarball_info *info, struct seen *s)
{
	return list_limited(b, NULL, info, s);
}

static inline const struct tarball_member *seen_find(const struct seen *s, const char *path)
{
	for (unsigned i = 0; i < s->count; i++)
		if (!strcmp(s->m[i].path, path))
			return &s->m[i];
	return NULL;
}

/* ---- an archive of files, each of a size and bytes of its own --------------------------------------------------- */

#define ARCHIVE_FILES 12u

static inline uint64_t size_of(unsigned i)
{
	return i * 20011u;
}

static inline void make_members(struct bytes *b, const char *format, int filter)
{
	struct archive *a = make_begin(b, 8u << 20, format, filter);
	char path[16];

	for (unsigned i = 0; i < ARCHIVE_FILES; i++) {
		snprintf(path, sizeof(path), "m%02u", i);
		make_add(a, make_entry(path, AE_IFREG, size_of(i)), i);
	}
	make_end(a);
}

#endif
