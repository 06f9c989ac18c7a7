/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of an archive as another archive: a pax stream, with everything that was said of each (also what
 * tarball_member has no word for: extended attributes, ACLs, holes), under the names that the caller gives them.
 *
 * A member's header is written before its bytes are read.  Where these cannot be, zeros stand for what is missing, so
 * that the members behind it are whole; the caller is told where the zeros begin.
 */
#include "tarball/tarball_reading.h"

#include <errno.h>

#define NEAR_MEMBERS 64u		/* passed over rather than begun anew */
#define NEAR_BYTES (1u << 20)

struct tarball_writer {
	struct archive *a;
	int (*write)(void *ctx, const void *p, size_t n);
	void *ctx;
	int error;			/* of @write */
};

struct tarball_copier {
	struct tarball_source src;
	struct tarball_writer *to;
	struct reading r;
	bool open;
	uint64_t nth;			/* members of the archive before the next that @r gives */
};

static const uint8_t zeros[64u << 10];

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static la_ssize_t write_cb(struct archive *a, void *ctx, const void *p, size_t n)
{
	struct tarball_writer *w = ctx;

	w->error = w->error ? w->error : w->write(w->ctx, p, n);
	if (!w->error)
		return (la_ssize_t)n;
	archive_set_error(a, EPIPE, "nobody takes it");
	return -1;
}

static int writer_error(const struct tarball_writer *w)
{
	const char *why = archive_error_string(w->a);

	if (w->error)
		return w->error;
	return err_explain(-EIO, "the archive cannot be made: %s", why ? why : "no reason is known");
}

int tarball_writer_new(int (*write)(void *ctx, const void *p, size_t n), void *ctx, struct tarball_writer **out)
{
	struct tarball_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_origin(-ENOMEM);
	w->write = write;
	w->ctx = ctx;
	w->a = archive_write_new();
	/* Names are bytes, whatever the locale. */
	if (!w->a || archive_write_set_format_pax(w->a) != ARCHIVE_OK ||
	    archive_write_set_format_option(w->a, "pax", "hdrcharset", "BINARY") != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(w->a, sizeof(zeros)) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(w->a, 1) != ARCHIVE_OK ||
	    archive_write_open(w->a, w, NULL, write_cb, NULL) != ARCHIVE_OK) {
		tarball_writer_free(w);
		return err_origin(-ENOMEM);
	}
	*out = w;
	return 0;
}

int tarball_writer_end(struct tarball_writer *w)
{
	return archive_write_close(w->a) == ARCHIVE_OK ? 0 : writer_error(w);
}

struct tarball_writer *tarball_writer_free(struct tarball_writer *w)
{
	if (!w)
		return NULL;
	/* What was not ended has no end. */
	w->error = w->error ? w->error : -EPIPE;
	archive_write_free(w->a);
	free(w);
	return NULL;
}

int tarball_writer_link(struct tarball_writer *w, const char *path, const char *target)
{
	struct archive_entry *e = archive_entry_new();
	int got;

	if (!e)
		return err_origin(-ENOMEM);
	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0600);
	archive_entry_set_size(e, 0);
	archive_entry_set_hardlink(e, target);
	got = archive_write_header(w->a, e);
	archive_entry_free(e);
	return got == ARCHIVE_OK || got == ARCHIVE_WARN ? 0 : writer_error(w);
}

static int write_bytes(struct tarball_writer *w, const void *p, size_t n)
{
	return archive_write_data(w->a, p, n) == (la_ssize_t)n ? 0 : writer_error(w);
}

static int write_zeros(struct tarball_writer *w, uint64_t n)
{
	int r = 0;

	while (n && !r) {
		size_t some = n < sizeof(zeros) ? (size_t)n : sizeof(zeros);
		r = write_bytes(w, zeros, some);
		n -= some;
	}
	return r;
}

/* ---- finding the member ----------------------------------------------------------------------------------------- */

static void shut(struct tarball_copier *c)
{
	if (c->open)
		reading_fini(&c->r);
	c->open = false;
}

static int begin_at(struct tarball_copier *c, uint64_t from, uint64_t nth)
{
	int r;

	shut(c);
	r = reading_init(&c->r, &c->src, from, NULL);
	c->open = true;
	c->nth = nth;
	return r;
}

/* Is it nearer from where the reading stands than from anywhere else? */
static bool on_the_way(const struct tarball_copier *c, const struct tarball_pick *p)
{
	if (!c->open || p->nth < c->nth)
		return false;
	if (!p->from)
		return true;
	return p->nth - c->nth <= NEAR_MEMBERS && p->from >= reading_here(&c->r) &&
	       p->from - reading_here(&c->r) <= NEAR_BYTES;
}

static int pass_to(struct tarball_copier *c, uint64_t nth, struct archive_entry **out)
{
	int r;

	while (true) {
		r = reading_next(&c->r, out);
		if (r == TARBALL_E_NONE)
			return c->r.broken ? reading_error(&c->r) :
				err_explain(-EBADMSG, "the archive has no such member where it was");
		if (r)
			return r;
		if (!*out)
			continue;	/* a damaged header: no member */
		if (c->nth++ == nth)
			return 0;
		if (!reading_skip(&c->r))
			return reading_error(&c->r);
	}
}

/* Reading stands behind its header. */
static int find(struct tarball_copier *c, const struct tarball_pick *p, struct archive_entry **out)
{
	int r = 0;

	if (!on_the_way(c, p)) {
		r = begin_at(c, p->from, p->from ? p->nth : 0);
		/* One that has to be read from its beginning after all. */
		if (r == TARBALL_E_NONE && p->from)
			r = begin_at(c, 0, 0);
	}
	if (r == TARBALL_E_NONE)
		r = err_explain(-EBADMSG, "the archive cannot be read any more");
	if (!r)
		r = pass_to(c, p->nth, out);
	if (r)
		shut(c);
	return r;
}

/* ---- one member ------------------------------------------------------------------------------------------------- */

/* One that does not say how long it is has to be read to its end to know; then it is found once more. */
static int measure(struct tarball_copier *c, const struct tarball_pick *p, struct archive_entry **e, uint64_t *size)
{
	la_int64_t offset = 0;
	const void *block;
	size_t n = 0;
	int got, r;

	if (archive_entry_filetype(*e) != AE_IFREG || archive_entry_size_is_set(*e)) {
		*size = archive_entry_filetype(*e) == AE_IFREG ? (uint64_t)archive_entry_size(*e) : 0;
		return 0;
	}
	*size = 0;
	while ((got = archive_read_data_block(c->r.a, &block, &n, &offset)) == ARCHIVE_OK || got == ARCHIVE_WARN)
		*size = (uint64_t)offset + n;
	shut(c);
	r = find(c, p, e);
	return r;
}

static const char *word(const char *utf8, const char *raw)
{
	return utf8 ? utf8 : raw;
}

/* The same words as bytes, and the name that it is to have.  An entry with a size is written as a file with bytes, also
 * where the archive has it as one more name of another file. */
static struct archive_entry *renamed(struct archive_entry *e, const char *path, uint64_t size)
{
	struct archive_entry *n = archive_entry_clone(e);

	if (!n)
		return NULL;
	archive_entry_set_pathname(n, path);
	archive_entry_set_uname(n, word(archive_entry_uname_utf8(e), archive_entry_uname(e)));
	archive_entry_set_gname(n, word(archive_entry_gname_utf8(e), archive_entry_gname(e)));
	archive_entry_set_hardlink(n, NULL);
	if (archive_entry_filetype(e) == AE_IFLNK)
		archive_entry_set_symlink(n, word(archive_entry_symlink_utf8(e), archive_entry_symlink(e)));
	archive_entry_set_size(n, (la_int64_t)size);
	return n;
}

/* Holes are zeros here; the writer knows of them from the header.  *at: how far it came. */
static int copy_bytes(struct tarball_copier *c, uint64_t size, bool sparse, uint64_t *at)
{
	const void *p;
	la_int64_t offset;
	size_t n;
	int got, r = 0;

	while (!r) {
		p = NULL;
		n = 0;
		offset = 0;
		got = archive_read_data_block(c->r.a, &p, &n, &offset);
		if (got == ARCHIVE_EOF)
			return *at < size && !sparse ? reading_error(&c->r) : 0;
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
			return reading_error(&c->r);
		if (n && ((uint64_t)offset < *at || n > size || (uint64_t)offset > size - n))
			return err_explain(-EBADMSG, "its map of holes leads back or out of the member");
		if (!n)
			continue;
		r = write_zeros(c->to, (uint64_t)offset - *at);
		if (!r)
			r = write_bytes(c->to, p, n);
		*at = (uint64_t)offset + n;
	}
	return r;
}

static bool is_damage(const struct tarball_copier *c, int r)
{
	return r == -EBADMSG && !c->to->error;
}

/* > 0: it is of a kind that tar has no word for. */
static int write_header(struct tarball_writer *to, struct archive_entry *e, const char *path, uint64_t size)
{
	struct archive_entry *n = renamed(e, path, size);
	int got;

	if (!n)
		return err_origin(-ENOMEM);
	got = archive_write_header(to->a, n);
	archive_entry_free(n);
	if (got == ARCHIVE_FAILED) {
		err_explain(-ENOTSUP, "%s", archive_error_string(to->a));
		return TARBALL_E_NONE;
	}
	return got == ARCHIVE_OK || got == ARCHIVE_WARN ? 0 : writer_error(to);
}

int tarball_copy(struct tarball_copier *c, const struct tarball_pick *p, struct tarball_copied *out)
{
	struct archive_entry *e = NULL;
	uint64_t size = 0;
	bool sparse;
	int r;

	*out = (struct tarball_copied){ .whole = true };
	r = find(c, p, &e);
	if (!r)
		r = measure(c, p, &e, &size);
	if (r) {
		out->whole = false;
		return r == -EBADMSG ? TARBALL_E_NONE : r;
	}
	sparse = archive_entry_sparse_count(e) > 0;
	r = write_header(c->to, e, p->path, size);
	if (r)
		return r;
	out->size = size;
	r = size ? copy_bytes(c, size, sparse, &out->bytes) : 0;
	if (is_damage(c, r)) {
		out->whole = false;
		shut(c);
		r = 0;
	}
	if (!r)
		r = write_zeros(c->to, size - out->bytes);
	if (out->whole)
		out->bytes = size;
	return r;
}

/* ---- one member of several parts -------------------------------------------------------------------------------- */

/* @n bytes without holes.  *at: how far it came. */
static int copy_part(struct tarball_copier *c, uint64_t n, uint64_t *at)
{
	const void *p;
	la_int64_t offset;
	uint64_t done = 0;
	size_t some;
	int got, r = 0;

	while (!r && done < n) {
		p = NULL;
		some = 0;
		offset = 0;
		got = archive_read_data_block(c->r.a, &p, &some, &offset);
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
			return reading_error(&c->r);
		if (some && (uint64_t)offset != done)
			return err_explain(-EBADMSG, "a part of it has holes");
		some = some < n - done ? some : (size_t)(n - done);
		r = some ? write_bytes(c->to, p, some) : 0;
		done += r ? 0 : some;
		*at += r ? 0 : some;
	}
	return r;
}

/* What it has and what is behind it are the rest of the file. */
static bool is_rest(struct archive_entry *e, uint64_t rest)
{
	return member_type(e) == '-' && archive_entry_sparse_count(e) == 0 && member_size(e) == rest;
}

static int join_part(struct tarball_writer *to, const char *path, uint64_t size, const struct tarball_part *p,
		     struct tarball_copied *out)
{
	struct tarball_copier c = { .src = p->src, .to = to };
	struct tarball_pick at = { .from = p->from, .nth = p->nth };
	struct archive_entry *e = NULL;
	int r = find(&c, &at, &e);

	if (!r && (!is_rest(e, size - out->bytes) || p->bytes > size - out->bytes))
		r = err_explain(-EBADMSG, "a part of it is not what it was");
	if (!r && !out->size) {
		r = write_header(to, e, path, size);
		out->size = r ? 0 : size;
	}
	if (!r)
		r = copy_part(&c, p->bytes, &out->bytes);
	shut(&c);
	return r;
}

int tarball_join(struct tarball_writer *to, const char *path, uint64_t size,
		 int (*next)(void *ctx, struct tarball_part *out), void *ctx, struct tarball_copied *out)
{
	struct tarball_part p;
	int r;

	*out = (struct tarball_copied){ .whole = true };
	while ((r = next(ctx, &p)) == 0) {
		r = join_part(to, path, size, &p, out);
		if (r)
			break;
	}
	if (r > 0 && out->size && out->bytes < size)
		r = err_explain(-EBADMSG, "its last %llu bytes are not there",
				(unsigned long long)(size - out->bytes));
	if (r == -EBADMSG && !to->error) {
		out->whole = false;
		r = out->size ? 0 : TARBALL_E_NONE;
	}
	if (!out->size)
		return r;
	return r < 0 ? r : write_zeros(to, size - out->bytes);
}

int tarball_copier_new(const struct tarball_source *src, struct tarball_writer *to, struct tarball_copier **out)
{
	struct tarball_copier *c = calloc(1, sizeof(*c));

	if (!c)
		return err_origin(-ENOMEM);
	c->src = *src;
	c->to = to;
	*out = c;
	return 0;
}

struct tarball_copier *tarball_copier_free(struct tarball_copier *c)
{
	if (c)
		shut(c);
	free(c);
	return NULL;
}
