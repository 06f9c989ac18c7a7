/* SPDX-License-Identifier: BSD-2-Clause */
/* tapes: a store in memory with contents on it, and tapes with archives that libarchive makes. */
#ifndef TEST_CONTENTS_TAPES_H
#define TEST_CONTENTS_TAPES_H

#include "unit/library/store.h"

#include <archive.h>
#include <archive_entry.h>
#include <vtape/contents.h>

struct tapes {
	struct store s;
	struct contents *c;
	bool keeps;			/* contents_start() */
};

static inline void tapes_up(struct tapes *t)
{
	assert_int_equal(contents_open(t->s.kv, t->s.cat, t->s.lib, &t->c), 0);
	if (t->keeps)
		assert_int_equal(contents_start(t->c), 0);
}

static inline void tapes_down(struct tapes *t)
{
	contents_stop(t->c);
	t->c = contents_close(t->c);
}

static inline int tapes_begin(void **state, bool keeps)
{
	static struct tapes t;

	t = (struct tapes){ .keeps = keeps };
	assert_int_equal(kv_mem_new(&t.s.kv), 0);
	assert_int_equal(packs_mem_new(&t.s.packs), 0);
	store_up(&t.s);
	tapes_up(&t);
	*state = &t;
	return 0;
}

static inline int tapes_new(void **state) { return tapes_begin(state, false); }
static inline int tapes_kept(void **state) { return tapes_begin(state, true); }

static inline int tapes_free(void **state)
{
	struct tapes *t = *state;
	void *s = &t->s;

	tapes_down(t);
	return store_free(&s);
}

#define ON_TAPES(test) cmocka_unit_test_setup_teardown(test, tapes_new, tapes_free)
#define ON_KEPT_TAPES(test) cmocka_unit_test_setup_teardown(test, tapes_kept, tapes_free)

static inline void tapes_restart(struct tapes *t)
{
	tapes_down(t);
	store_restart(&t->s);
	tapes_up(t);
}

/* The power fails; what was never synced is gone. */
static inline void tapes_cut(struct tapes *t)
{
	tapes_down(t);
	store_cut(&t->s);
	tapes_up(t);
}

static inline void settle(struct tapes *t)
{
	int r = contents_settle(t->c, 0, false, NULL, NULL);

	if (r)
		fail_msg("settle: %s", err_text(r));
}

/* ---- archives ---- */

struct archived { uint8_t *p; size_t n; };

static inline void fill_member(uint8_t *p, size_t size, const char *name, unsigned member)
{
	chance_fill(p, size, member * 7919u + (unsigned char)name[0]);
}

/* Members "@name/0" and so on, each of @size bytes of its own. */
static inline struct archived make_archive(const char *format, const char *filter, const char *name, unsigned members,
					   size_t size)
{
	size_t cap = (members + 20) * (size + 4096) + (64u << 10);
	struct archived out = { malloc(cap), 0 };
	struct archive *a = archive_write_new();
	char path[300];
	uint8_t *data = malloc(size + 1);

	assert_int_equal(archive_write_set_format_by_name(a, format), ARCHIVE_OK);
	if (filter)
		assert_int_equal(archive_write_add_filter_by_name(a, filter), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(a, out.p, cap, &out.n), ARCHIVE_OK);
	for (unsigned i = 0; i < members; i++) {
		struct archive_entry *e = archive_entry_new();

		snprintf(path, sizeof(path), "%s/%u", name, i);
		archive_entry_set_pathname(e, path);
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_perm(e, 0640);
		archive_entry_set_size(e, (int64_t)size);
		archive_entry_set_mtime(e, 1700000000 + (time_t)i, 0);
		fill_member(data, size, name, i);
		assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
		assert_int_equal(archive_write_data(a, data, size), (la_ssize_t)size);
		archive_entry_free(e);
	}
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	free(data);
	return out;
}

static inline void put_records(struct volume *v, const void *p, size_t n, size_t record)
{
	for (size_t at = 0; at < n; at += record)
		assert_int_equal(volume_append_record(v, 0, (const uint8_t *)p + at, n - at < record ? n - at : record),
				 0);
}

/* Behind what is there: a tar of so many members, and a mark. */
static inline void append_tar(struct tapes *t, uint64_t id, const char *name, unsigned members)
{
	struct archived a = make_archive("gnutar", NULL, name, members, 700);
	struct volume *v = claim(&t->s, id, CLAIM_WRITE);

	put_records(v, a.p, a.n, 10240);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	release(&t->s, id, CLAIM_WRITE);
	free(a.p);
}

static inline void append_bytes(struct tapes *t, uint64_t id, const void *p, size_t n, size_t record)
{
	struct volume *v = claim(&t->s, id, CLAIM_WRITE);

	put_records(v, p, n, record);
	assert_int_equal(volume_append_filemark(v, 0), 0);
	release(&t->s, id, CLAIM_WRITE);
}

/* The tape ends before tape file @file. */
static inline void cut_before(struct tapes *t, uint64_t id, uint64_t file)
{
	struct volume *v = claim(&t->s, id, CLAIM_WRITE);
	struct tape_tally at;

	assert_int_equal(volume_find_file(v, 0, file, &at), 0);
	assert_int_equal(volume_truncate(v, 0, at.objects), 0);
	release(&t->s, id, CLAIM_WRITE);
}

/* ---- what is known ---- */

struct tape_files { struct contents_file f[64]; unsigned n; };

static inline int files_add(void *ctx, const struct contents_file *f)
{
	struct tape_files *all = ctx;

	assert_true(all->n < ARRAY_LEN(all->f));
	all->f[all->n++] = *f;
	return 0;
}

static inline struct tape_files files_of(struct tapes *t, uint64_t id)
{
	struct tape_files all = { .n = 0 };
	int r = contents_files(t->c, id, 0, files_add, &all);

	if (r)
		fail_msg("contents_files: %s", err_text(r));
	return all;
}

struct hits { unsigned n; char path[8][256]; uint64_t volume, file; };

static inline int hits_add(void *ctx, const struct contents_hit *hit)
{
	struct hits *h = ctx;

	if (!hit)
		return 0;
	if (h->n < ARRAY_LEN(h->path))
		snprintf(h->path[h->n], sizeof(h->path[0]), "%s", hit->path);
	h->volume = hit->file->volume;
	h->file = hit->file->file;
	h->n++;
	return 0;
}

static inline struct hits find(struct tapes *t, const char *pattern)
{
	const struct contents_query q = { .pattern = pattern, .match = MATCH_GLOB };
	struct hits h = { .n = 0 };
	int r = contents_find(t->c, &q, hits_add, &h);

	if (r)
		fail_msg("contents_find: %s", err_text(r));
	return h;
}

#endif
