/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The members of an archive.  libarchive reads through a window of our own: it may skip and seek, so that of an archive
 * that is not compressed only the headers are read.  A member ends where the next one begins; so each is told when the
 * next header, or the end, was found.
 *
 * Archives are foreign bytes.  Nothing is extracted here, paths are handed on as they are, and what libarchive cannot
 * read ends the list (info.broken), never the program.
 */
#include <vtape/tarball.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <sys/stat.h>

#define WINDOW_BYTES (64u << 10)	/* a header needs little of it, and what is skipped is not read */
#define BAD_HEADERS_MAX 100000u		/* of 512 bytes in a row: then it is no archive any more */

struct window {
	const struct tarball_source *src;
	uint64_t at;
	int error;		/* of the source */
	uint8_t bytes[WINDOW_BYTES];
};

static la_ssize_t window_read(struct archive *a, void *ctx, const void **out)
{
	struct window *w = ctx;
	size_t got = 0;
	int r = w->src->read(w->src->ctx, w->at, w->bytes, sizeof(w->bytes), &got);

	if (r) {
		w->error = r < 0 ? r : err_fold(r);
		archive_set_error(a, EIO, "the tape cannot be read");
		return -1;
	}
	*out = w->bytes;
	w->at += got;
	return (la_ssize_t)got;
}

static la_int64_t window_skip(struct archive *a, void *ctx, la_int64_t request)
{
	struct window *w = ctx;
	uint64_t left = w->src->size > w->at ? w->src->size - w->at : 0;
	uint64_t n = request < 0 ? 0 : (uint64_t)request;

	n = n < left ? n : left;
	w->at += n;
	return (la_int64_t)n;
}

static la_int64_t window_seek(struct archive *a, void *ctx, la_int64_t offset, int whence)
{
	struct window *w = ctx;
	int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)w->at : (int64_t)w->src->size;
	int64_t to = base + offset;

	if (to < 0)
		to = 0;
	w->at = (uint64_t)to > w->src->size ? w->src->size : (uint64_t)to;
	return (la_int64_t)w->at;
}

/* One reading of an archive. */
struct listing {
	struct archive *a;
	struct window *w;
	int (*each)(void *ctx, const struct tarball_member *m);
	void *ctx;
	bool compressed;
	bool has;			/* the next are of a member that was not told yet */
	struct tarball_member member;
	char *path;
};

static void listing_fini(struct listing *l)
{
	archive_read_free(l->a);
	free(l->w);
	free(l->path);
}

static int listing_init(struct listing *l, const struct tarball_source *src)
{
	l->w = calloc(1, sizeof(*l->w));
	l->a = archive_read_new();
	if (!l->w || !l->a)
		return err_origin(-ENOMEM);
	l->w->src = src;
	archive_read_support_filter_all(l->a);
	archive_read_support_format_all(l->a);
	/* Behind a damaged part there may be what looks like an end. */
	archive_read_set_option(l->a, "tar", "read_concatenated_archives", "1");
	archive_read_set_read_callback(l->a, window_read);
	archive_read_set_skip_callback(l->a, window_skip);
	archive_read_set_seek_callback(l->a, window_seek);
	archive_read_set_callback_data(l->a, l->w);
	return 0;
}

/* Bytes of the archive as it lies on the tape that were needed to come to where libarchive stands. */
static uint64_t position(const struct listing *l)
{
	la_int64_t n = l->compressed ? archive_filter_bytes(l->a, -1) : archive_read_header_position(l->a);

	return n < 0 ? 0 : (uint64_t)n;
}

static char type_of(struct archive_entry *e)
{
	switch (archive_entry_hardlink(e) ? 0 : archive_entry_filetype(e)) {
	case 0: return 'h';
	case AE_IFDIR: return 'd';
	case AE_IFLNK: return 'l';
	case AE_IFCHR: return 'c';
	case AE_IFBLK: return 'b';
	case AE_IFIFO: return 'p';
	case AE_IFSOCK: return 's';
	default: return '-';
	}
}

static int tell(struct listing *l, uint64_t to)
{
	if (!l->has)
		return 0;
	l->has = false;
	l->member.to = to > l->member.from ? to : l->member.from;
	return l->each(l->ctx, &l->member);
}

static int keep(struct listing *l, struct archive_entry *e, uint64_t from)
{
	const char *path = archive_entry_pathname_utf8(e);

	path = path ? path : archive_entry_pathname(e);
	free(l->path);
	l->path = strdup(path ? path : "");
	if (!l->path)
		return err_origin(-ENOMEM);
	l->member = (struct tarball_member){ .path = l->path, .type = type_of(e), .from = from };
	if (archive_entry_size_is_set(e) && archive_entry_size(e) > 0)
		l->member.size = (uint64_t)archive_entry_size(e);
	l->has = true;
	return 0;
}

/* What libarchive takes anything for that is not an archive. */
static bool is_archive(struct archive *a)
{
	switch (archive_format(a) & ARCHIVE_FORMAT_BASE_MASK) {
	case 0:
	case ARCHIVE_FORMAT_RAW:
	case ARCHIVE_FORMAT_EMPTY:
	case ARCHIVE_FORMAT_MTREE:
		return false;
	default:
		return true;
	}
}

static void describe(const struct listing *l, struct tarball_info *info)
{
	const char *format = archive_format_name(l->a);

	info->compressed = l->compressed;
	snprintf(info->format, sizeof(info->format), "%s", format ? format : "");
}

static int read_members(struct listing *l, struct tarball_info *info)
{
	struct archive_entry *e;
	unsigned bad = 0;
	bool some = false;
	int r, got;

	while ((got = archive_read_next_header(l->a, &e)) != ARCHIVE_EOF) {
		if (got == ARCHIVE_FATAL || (got == ARCHIVE_RETRY && ++bad > BAD_HEADERS_MAX)) {
			info->broken = true;
			break;
		}
		if (got == ARCHIVE_RETRY) {
			info->broken = true;
			continue;
		}
		if (!is_archive(l->a))
			return TARBALL_E_NONE;
		l->compressed = archive_filter_code(l->a, 0) != ARCHIVE_FILTER_NONE;
		bad = 0;
		if (!some)
			describe(l, info);	/* who has seen enough ends it before the end */
		some = true;
		r = tell(l, position(l));
		r = r ? r : keep(l, e, position(l));
		if (r)
			return r;
	}
	if (l->w->error)
		return l->w->error;
	if (some)
		describe(l, info);
	r = tell(l, l->compressed ? position(l) : l->w->src->size);
	return r ? r : some ? 0 : TARBALL_E_NONE;
}

int tarball_each(const struct tarball_source *src, const struct tarball_limits *limits, struct tarball_info *info,
		 int (*each)(void *ctx, const struct tarball_member *m), void *ctx)
{
	CLEANUP(listing_fini) struct listing l = { .each = each, .ctx = ctx };
	struct tarball_info told = { .format = "" };
	int r = listing_init(&l, src);

	if (r)
		return r;
	r = archive_read_open1(l.a) == ARCHIVE_OK ? read_members(&l, &told) :
	    l.w->error				      ? l.w->error :
							TARBALL_E_NONE;
	if (info)
		*info = told;
	return r;
}
