/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of contents, and what else comes from archives and users: paths and patterns.  The first byte of the input says
 * which (the table at the end), the rest is the bytes.
 *
 * A row that is taken packs and unpacks to the same; one that is refused is refused with -EUCLEAN.  A path that was
 * taken apart leads nowhere but down.  And a whole space of foreign rows, keys and all, is walked, asked and swept
 * without harm.
 */
#include <errno.h>

#include "contents/find.h"
#include "contents/glob.h"
#include "contents/list.h"
#include "fuzz/rows.h"

/* ---- every list is on a tape ---- */

struct truth *__wrap_truth_free(struct truth *t);
int __wrap_truth_new(struct contents *c, struct truth **out);
int __wrap_truth_file_of(struct truth *t, uint32_t content, const struct contents_file **out);

int __wrap_truth_new(struct contents *c, struct truth **out)
{
	*out = NULL;
	return 0;
}

struct truth *__wrap_truth_free(struct truth *t)
{
	return NULL;
}

int __wrap_truth_file_of(struct truth *t, uint32_t content, const struct contents_file **out)
{
	static const struct contents_file file = { .volume = 1 };

	*out = &file;
	return 0;
}

/* ---- rows ---- */

static bool taken(int r)
{
	fuzz_require(r == 0 || r == -EUCLEAN);
	return r == 0;
}

static void same(const struct buf *a, const struct buf *b)
{
	fuzz_require(a->len == b->len && !memcmp(a->data, b->data, a->len));
}

static void try_file(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT, twice = BUF_INIT;
	struct contents_file f;

	if (!taken(file_row_decode(7, p, n, &f)))
		return;
	fuzz_require(!file_row_encode(&f, &row) && !file_row_decode(7, row.data, row.len, &f));
	fuzz_require(!file_row_encode(&f, &twice));
	same(&row, &twice);
}

static void try_volume(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT, twice = BUF_INIT;
	struct volume_row v;

	if (!taken(volume_row_decode(p, n, &v)))
		return;
	fuzz_require(!volume_row_encode(&v, &row) && !volume_row_decode(row.data, row.len, &v));
	fuzz_require(!volume_row_encode(&v, &twice));
	same(&row, &twice);
}

static void try_list(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct list_row l;

	if (!taken(list_row_decode(p, n, &l)))
		return;
	fuzz_require(!list_row_encode(&l, &row) && row.len == n && !memcmp(row.data, p, n));
}

static void try_counter(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	uint64_t v;

	if (!taken(counter_row_decode(p, n, &v)))
		return;
	fuzz_require(!counter_row_encode(v, &row) && row.len == n && !memcmp(row.data, p, n));
}

/* ---- members ---- */

static void require_member(const struct contents_member *m)
{
	fuzz_require(m->dir < m->number && m->name[0] && strlen(m->name) <= CONTENTS_NAME_MAX && !strchr(m->name, '/'));
	fuzz_require(strcmp(m->name, ".") && strcmp(m->name, "..") && m->mode <= 07777 && m->mtime_ns < 1000000000u);
	fuzz_require(strchr("-dlhcbps", m->type) && (!m->odd || m->raw.len));
	fuzz_require(m->missing <= m->size && m->before <= UINT64_MAX - m->size);
}

/* False: the row is not whole. */
static bool pack_again(const uint8_t *p, size_t n, struct block_writer *w)
{
	CLEANUP(contents_member_fini) struct contents_member m = { 0 };
	struct block_reader r;
	int result;

	block_begin(w, 65);
	if (!taken(block_read(&r, 1, 65, p, n)))
		return false;
	while ((result = block_next(&r, &m)) == 0) {
		require_member(&m);
		fuzz_require(m.number == 65 + w->count && !block_add(w, &m));
	}
	return result == CONTENTS_E_NONE || taken(result);
}

static void try_block(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT, twice = BUF_INIT;
	struct block_writer w = { .bytes = BUF_INIT }, again = { .bytes = BUF_INIT };

	if (pack_again(p, n, &w)) {
		fuzz_require(!block_row(&w, &row) && pack_again(row.data, row.len, &again));
		fuzz_require(!block_row(&again, &twice));
		same(&row, &twice);
	}
	buf_fini(&w.bytes);
	buf_fini(&again.bytes);
}

static void try_told(const uint8_t *p, size_t n)
{
	CLEANUP(contents_member_fini) struct contents_member m = { .number = 3, .dir = 1, .name = "kept" };
	CLEANUP(buf_fini) struct buf row = BUF_INIT, twice = BUF_INIT;
	uint32_t at;

	if (!taken(told_decode(p, n, &m, &at)))
		return;
	require_member(&m);
	fuzz_require(m.number == 3 && m.dir == 1 && !strcmp(m.name, "kept") && m.type == 'd');
	fuzz_require(!told_encode(&m, at, &row) && !told_decode(row.data, row.len, &m, &at));
	fuzz_require(!told_encode(&m, at, &twice));
	same(&row, &twice);
}

static void try_posting(const uint8_t *p, size_t n)
{
	struct posting at;

	if (posting_of(p, n, &at))
		fuzz_require(at.name == p + 1 && at.name_len <= CONTENTS_KEY_NAME && !memchr(at.name, 0, at.name_len));
}

/* ---- words ---- */

static void try_path(const uint8_t *p, size_t n)
{
	CLEANUP(freep) char *path = strndup((const char *)p, n);
	static struct path_parts parts;

	path_split(path, &parts);
	fuzz_require(parts.count <= CONTENTS_DEPTH_MAX);
	for (unsigned i = 0; i < parts.count; i++) {
		const struct path_part *q = &parts.part[i];

		fuzz_require(q->len && q->len <= CONTENTS_NAME_MAX && !memchr(q->p, '/', q->len));
		fuzz_require(!(q->len == 1 && q->p[0] == '.') && !(q->len == 2 && q->p[0] == '.' && q->p[1] == '.'));
	}
}

/* A pattern, NUL, what it is tried on. */
static void try_pattern(const uint8_t *p, size_t n)
{
	CLEANUP(freep) char *text = strndup((const char *)p, n);
	size_t len = strlen(text) + 1;
	CLEANUP(freep) char *path = len < n ? strndup((const char *)p + len, n - len) : strdup("a/b");
	struct pattern *pattern;

	for (int i = 0; i < 6; i++) {
		struct contents_query q = { .pattern = text, .match = i % 3, .ignore_case = i > 2 };
		int r = pattern_new(&q, &pattern);

		fuzz_require(r == 0 || r == -EINVAL);
		if (r)
			continue;
		(void)pattern_fits_name(pattern, path, true);
		(void)pattern_fits_path(pattern, path);
		pattern_free(pattern);
	}
}

/* ---- all of it ---- */

static int ask_member(void *ctx, const struct contents_member *m)
{
	CLEANUP(contents_member_fini) struct contents_member other = { 0 };
	CLEANUP(buf_fini) struct buf path = BUF_INIT;
	struct contents *c = ctx;

	require_member(m);
	if (!contents_path(c, m, &path))
		(void)contents_resolve(c, m->content, (const char *)path.data, &other);
	(void)contents_lookup(c, m->content, m->dir, m->name, &other);
	(void)contents_at(c, m->content, m->from, &other);
	return 0;
}

static int ignore_hit(void *ctx, const struct contents_hit *hit)
{
	return 0;
}

static void ask_all(struct contents *c)
{
	const struct contents_query queries[] = {
		{ .pattern = "*a*" }, { .pattern = "a", .newest = true }, { .pattern = "*/b" }, { .pattern = "a/b" },
	};
	uint64_t lists, members;
	bool more = true;

	for (uint32_t content = 0; content < 4; content++) {
		(void)contents_each(c, content, 0, ask_member, c);
		for (uint32_t dir = 0; dir < 4; dir++)
			(void)contents_children(c, content, dir, 0, ask_member, c);
	}
	for (size_t i = 0; i < ARRAY_LEN(queries); i++)
		fuzz_require(!contents_find(c, &queries[i], ignore_hit, NULL));
	(void)contents_counts(c, &lists, &members);
	(void)contents_forget(c, 0x6161616161616161);
	for (unsigned i = 0; more && i < 100; i++)
		fuzz_require(!contents_sweep(c, 10, &more));
}

/* Rows: u8 and so many bytes of key, u8 and so many bytes of value. */
static void try_all(const uint8_t *p, size_t n)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct cursor k = cursor_of(p, n);
	struct contents *c;
	struct kv *kv;

	fuzz_require(!kv_mem_new(&kv) && !kv_batch_new(&b));
	while (cursor_left(&k)) {
		size_t klen = cursor_u8(&k);
		const uint8_t *key = cursor_bytes(&k, klen);
		size_t vlen = cursor_u8(&k);
		const uint8_t *val = cursor_bytes(&k, vlen);

		if (k.bad)
			break;
		fuzz_require(!kv_batch_put(b, KV_CONTENTS, key, klen, val, vlen));
	}
	fuzz_require(!kv_write(kv, b, false));
	if (taken(contents_open(kv, NULL, NULL, &c))) {
		ask_all(c);
		contents_close(c);
	}
	kv_close(kv);
}

static const struct fuzz_row parsers[] = {
	{ 'F', try_file },   { 'V', try_volume }, { 'C', try_list }, { 'S', try_counter }, { 'B', try_block },
	{ 'X', try_told },   { 'N', try_posting }, { 'p', try_path }, { 'q', try_pattern }, { 'a', try_all },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_one_row(parsers, ARRAY_LEN(parsers), data, size);
}
