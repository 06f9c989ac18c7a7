/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One member's bytes.  Where they lie on the tape as they are, they are read there, wherever is asked for.  Else the
 * archive is read forward from where it must be: what is skipped is unpacked on the way, and who goes back begins
 * again.  Whatever the archive says of sizes, a read never goes beyond the tape file.
 */
#include "contents/keep.h"

#include <errno.h>

struct contents_reader {
	struct contents_source *src;
	uint64_t data, size;		/* data: TARBALL_NO_PLACE: it is a stream */
	uint64_t from, skip;		/* where the stream begins */
	struct tarball_stream *stream;
	uint64_t at;			/* of the stream */
};

/* A member that can be begun at by itself is the first one there; all others are counted from the beginning. */
static void where_it_begins(struct contents_reader *r, const struct contents_file *f, const struct contents_member *m)
{
	bool alone = !f->compressed && m->from < f->bytes;

	r->from = alone ? m->from : 0;
	r->skip = alone ? 0 : m->nth;
}

static bool lies_there(const struct contents_file *f, const struct contents_member *m)
{
	return m->data != TARBALL_NO_PLACE && m->data <= f->bytes && m->size <= f->bytes - m->data;
}

int contents_reader_new(struct contents *c, const struct contents_file *f, const struct contents_member *m,
			struct contents_reader **out)
{
	struct contents_reader *r = calloc(1, sizeof(*r));
	int err = r ? contents_source_new(c, f, &r->src) : err_origin(-ENOMEM);

	if (err) {
		free(r);
		return err;
	}
	r->data = lies_there(f, m) ? m->data : TARBALL_NO_PLACE;
	r->size = m->size;
	where_it_begins(r, f, m);
	if (!f->compressed)
		contents_source_until(r->src, m->to);
	*out = r;
	return 0;
}

struct contents_reader *contents_reader_free(struct contents_reader *r)
{
	if (!r)
		return NULL;
	tarball_stream_free(r->stream);
	contents_source_free(r->src);
	free(r);
	return NULL;
}

uint64_t contents_reader_taken(const struct contents_reader *r)
{
	return contents_source_read(r->src);
}

bool contents_reader_there(const struct contents_reader *r)
{
	return r->data != TARBALL_NO_PLACE || !r->size;
}

void contents_reader_stop(struct contents_reader *r, bool (*stop)(void *ctx), void *ctx)
{
	contents_source_stop(r->src, stop, ctx);
}

static int begin_again(struct contents_reader *r)
{
	int err;

	r->stream = tarball_stream_free(r->stream);
	r->at = 0;
	err = tarball_stream_new(contents_source(r->src), r->from, r->skip, &r->stream);
	if (err == TARBALL_E_NONE)
		err = err_explain(-EBADMSG, "the archive has no such member where it was");
	return err_fold(err);
}

/* To @offset; *end: the member ends before. */
static int go_to(struct contents_reader *r, uint64_t offset, bool *end)
{
	uint64_t got = 1;
	int err = r->stream && offset >= r->at ? 0 : begin_again(r);

	while (!err && r->at < offset && got) {
		err = err_fold(tarball_stream_skip(r->stream, offset - r->at, &got));
		r->at += err ? 0 : got;
	}
	*end = r->at < offset;
	return err;
}

static int read_stream(struct contents_reader *r, uint64_t offset, void *buf, size_t n, size_t *got)
{
	bool end;
	int err = go_to(r, offset, &end);

	if (!err && !end)
		err = err_fold(tarball_stream_read(r->stream, buf, n, got));
	r->at += err ? 0 : *got;
	/* Where it stands now nobody knows. */
	if (err)
		r->stream = tarball_stream_free(r->stream);
	return err;
}

static int read_there(struct contents_reader *r, uint64_t offset, void *buf, size_t n, size_t *got)
{
	const struct tarball_source *src = contents_source(r->src);
	uint64_t left = offset < r->size ? r->size - offset : 0;

	return left ? src->read(src->ctx, r->data + offset, buf, n < left ? n : (size_t)left, got) : 0;
}

int contents_reader_read(struct contents_reader *r, uint64_t offset, void *buf, size_t n, size_t *got)
{
	*got = 0;
	if (r->data != TARBALL_NO_PLACE)
		return read_there(r, offset, buf, n, got);
	return r->size ? read_stream(r, offset, buf, n, got) : 0;
}
