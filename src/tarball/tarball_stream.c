/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One member's bytes, read forward: for those that do not lie in the archive as they are.  Holes are zeros.  A member
 * that ends before the size its header says is damaged; what is there of it has been given then.
 */
#include "tarball/tarball_reading.h"

#include <errno.h>

struct tarball_stream {
	struct tarball_source src;
	struct reading r;
	struct archive_entry *entry;
	uint64_t size;			/* found out when it ends, if unknown */
	bool sparse;
	uint64_t at;			/* the next to give */
	const uint8_t *block;		/* libarchive's, until it is asked again */
	uint64_t block_at;
	size_t block_len;
	bool ended;			/* there is no other block */
	int error;
};

static void stream_freep(struct tarball_stream **s)
{
	tarball_stream_free(*s);
}

static int find(struct tarball_stream *s, uint64_t skip)
{
	int r;

	while (true) {
		r = reading_next(&s->r, &s->entry);
		if (r == TARBALL_E_NONE && s->r.broken)
			return reading_error(&s->r);
		if (r)
			return r;
		if (!s->entry)
			continue;	/* a damaged header: no member */
		if (!skip)
			return 0;
		if (!reading_skip(&s->r))
			return reading_error(&s->r);
		skip--;
	}
}

int tarball_stream_new(const struct tarball_source *src, uint64_t from, uint64_t skip, struct tarball_stream **out)
{
	CLEANUP(stream_freep) struct tarball_stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_origin(-ENOMEM);
	s->src = *src;
	r = reading_init(&s->r, &s->src, from, NULL);
	r = r ? r : find(s, skip);
	if (r)
		return r;
	s->size = member_size(s->entry);
	s->sparse = archive_entry_sparse_count(s->entry) > 0;
	*out = STEAL(s);
	return 0;
}

struct tarball_stream *tarball_stream_free(struct tarball_stream *s)
{
	if (s)
		reading_fini(&s->r);
	free(s);
	return NULL;
}

/* Non-zero as reading_error().  A block that goes back, or beyond the size, is of a map of holes that cannot be. */
static int next_block(struct tarball_stream *s)
{
	const void *p = NULL;
	la_int64_t offset = 0;
	size_t n = 0;
	int got;

	s->block_len = 0;
	got = archive_read_data_block(s->r.a, &p, &n, &offset);
	if (got == ARCHIVE_EOF) {
		s->ended = true;
		return s->at < s->size && !s->sparse && s->size != MEMBER_SIZE_UNKNOWN ? reading_error(&s->r) : 0;
	}
	if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
		return reading_error(&s->r);
	if (n && ((uint64_t)offset < s->at || n > s->size || (uint64_t)offset > s->size - n))
		return err_explain(-EBADMSG, "the archive is damaged: its map of holes leads out of the member");
	s->block = p;
	s->block_at = (uint64_t)offset;
	s->block_len = n;
	return 0;
}

/* Up to @n bytes on, of one kind; into @buf unless that is NULL.  0 at the end. */
static uint64_t step(struct tarball_stream *s, uint8_t *buf, uint64_t n)
{
	bool data = s->block_len && s->at >= s->block_at;
	uint64_t to = s->block_len ? data ? s->block_at + s->block_len : s->block_at :
		      s->ended && s->size != MEMBER_SIZE_UNKNOWN ? s->size : s->at;

	if (n > to - s->at)
		n = to - s->at;
	if (buf && data)
		memcpy(buf, s->block + (s->at - s->block_at), n);
	else if (buf && n)
		memset(buf, 0, n);
	s->at += n;
	if (data && s->at == to)
		s->block_len = 0;
	return n;
}

static int go_on(struct tarball_stream *s, uint8_t *buf, uint64_t n, uint64_t *got)
{
	*got = 0;
	while (*got < n && !s->error) {
		uint64_t some = step(s, buf ? buf + *got : NULL, n - *got);
		*got += some;
		if (!some && s->ended)
			break;
		if (!some)
			s->error = next_block(s);
	}
	return *got ? 0 : s->error;
}

int tarball_stream_read(struct tarball_stream *s, void *buf, size_t n, size_t *got)
{
	uint64_t some;
	int r = go_on(s, buf, n, &some);

	*got = (size_t)some;
	return r;
}

int tarball_stream_skip(struct tarball_stream *s, uint64_t n, uint64_t *got)
{
	return go_on(s, NULL, n, got);
}
