/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening an archive and going from member to member, for what lists and for what reads.  Archives are foreign bytes:
 *
 * 1. Only readers of libarchive that are part of it are asked; none starts a program.
 * 2. Formats that keep a table of all members in memory because the archive says so (7zip, rar, cab, xar, lha) are left
 *    out; so is mtree, which takes any text.  zip and iso9660 do too, but read it from the tape byte by byte: see 4.
 * 3. One compression, not one in another: two of them make a gigabyte of some hundred bytes at one step.
 * 4. What is read between two members is bounded (HEADER_BYTES_MAX), what is unpacked too, by the caller's limits.
 *
 * Words come as the archive has them in the locale C, which the daemon runs in; in one of UTF-8 libarchive would
 * compose the characters of pax headers anew.
 *
 * Nothing is extracted here, paths are handed on as they are, and what libarchive cannot read ends the reading, never
 * the program.
 */
#include "tarball/tarball_reading.h"

#include <errno.h>
#include <sys/stat.h>

#define BAD_HEADERS_MAX 100000u		/* of 512 bytes in a row: then it is no archive any more */
#define RATIO_FREE (64u << 20)		/* unpacked before the ratio counts: see tarball.h */

/* ---- the window ------------------------------------------------------------------------------------------------ */

static uint64_t window_size(const struct window *w)
{
	return w->src->size > w->base ? w->src->size - w->base : 0;
}

static int window_init(struct window *w, const struct tarball_source *src, uint64_t base)
{
	*w = (struct window){ .src = src, .base = base, .ahead = WINDOW_AHEAD, .ahead_max = WINDOW_BYTES };
	w->bytes = malloc(WINDOW_BYTES);
	return w->bytes ? 0 : err_origin(-ENOMEM);
}

static void window_move(struct window *w, uint64_t to)
{
	if (to == w->at)
		return;
	w->at = to;
	w->ahead = WINDOW_AHEAD;
}

/* What cannot be read as a whole is asked for in ever smaller parts, so all that lies before a damaged place is had. */
static int window_fill(struct window *w, size_t have, size_t n, size_t *got)
{
	int r;

	do {
		r = w->src->read(w->src->ctx, w->base + w->at + have, w->bytes + have, n, got);
		n /= 2;
	} while ((r == -EBADMSG || r == -EIO) && n);
	return r;
}

/* The bytes from .at on; 0 at the end, < 0 if the source cannot be read. */
static la_ssize_t window_read(struct window *w, const void **out)
{
	size_t got = 0, some = 1;
	int r = 0;

	*out = w->bytes;
	if (w->held && w->at == w->from) {	/* back to where it was, after a look at what it is */
		w->at += w->held;
		return (la_ssize_t)w->held;
	}
	w->from = w->at;
	w->held = 0;
	for (; !r && some && got < w->ahead; got += some) {
		some = 0;
		r = window_fill(w, got, w->ahead - got, &some);
	}
	if (r && !got) {
		w->error = r < 0 ? r : err_fold(r);
		return -1;
	}
	w->ahead = 2 * w->ahead < w->ahead_max ? 2 * w->ahead : w->ahead_max;
	w->held = got;
	w->at += got;
	w->read += got;
	return (la_ssize_t)got;
}

/* For what unpacks: of zstd no more than belongs to it. */
static la_ssize_t packed_read(struct archive *a, void *ctx, const void **out)
{
	struct reading *r = ctx;
	la_ssize_t n = window_read(&r->w, out);
	size_t some;

	if (n < 0)
		archive_set_error(a, EIO, "the tape cannot be read");
	if (n <= 0)
		return n;
	some = zstd_walk_take(&r->zstd, *out, (size_t)n);
	r->w.at -= (size_t)n - some;
	r->w.held = some;
	return (la_ssize_t)some;
}

/* ---- from the window, unpacked or not, to what knows members --------------------------------------------------- */

/* Is all that was handed out behind the last member zero?  Then that is the end of a tar archive, and what follows are
 * more zeros, or not its own. */
static bool at_end(const struct reading *r)
{
	la_int64_t header = archive_read_header_position(r->a);

	return r->in_headers && header >= 0 && r->end >= (uint64_t)header + 512 &&
	       r->zeros >= r->end - (uint64_t)header;
}

static bool unpacked_too_much(const struct reading *r, uint64_t unpacked)
{
	const struct tarball_limits *l = &r->limits;

	if (l->unpacked_bytes && unpacked > l->unpacked_bytes)
		return true;
	return l->unpacked_ratio && unpacked > RATIO_FREE && (unpacked - RATIO_FREE) / l->unpacked_ratio > r->w.read;
}

static int format_of(const struct reading *r)
{
	return archive_format(r->a) & ARCHIVE_FORMAT_BASE_MASK;
}

static bool headers_too_long(const struct reading *r)
{
	bool table = format_of(r) == ARCHIVE_FORMAT_ZIP || format_of(r) == ARCHIVE_FORMAT_ISO9660;

	return r->in_header > (table ? TABLE_BYTES_MAX : HEADER_BYTES_MAX);
}

static void feed_note(struct reading *r, const uint8_t *p, size_t n)
{
	size_t k = n;

	while (k && !p[k - 1])
		k--;
	r->zeros = k ? n - k : r->zeros + n;
	r->end += n;
	if (r->in_headers)
		r->in_header += n;
}

static la_ssize_t unpack(struct reading *r, const void **out)
{
	la_int64_t offset;
	size_t n = 0;
	int got;

	do
		got = archive_read_data_block(r->filter, out, &n, &offset);
	while (got == ARCHIVE_WARN || got == ARCHIVE_RETRY || (got == ARCHIVE_OK && !n));
	if (got == ARCHIVE_EOF)
		return 0;
	return got == ARCHIVE_OK ? (la_ssize_t)n : -1;
}

static la_ssize_t feed_read(struct archive *a, void *ctx, const void **out)
{
	struct reading *r = ctx;
	la_ssize_t n;

	if (headers_too_long(r) && at_end(r))
		return 0;
	n = r->filter ? unpack(r, out) : window_read(&r->w, out);
	if (n < 0 && !r->w.error && at_end(r))
		return 0;
	if (n < 0) {
		const char *why = r->w.error ? "the tape cannot be read" : archive_error_string(r->filter);
		archive_set_error(a, EIO, "%s", why ? why : "it cannot be unpacked");
		return -1;
	}
	feed_note(r, *out, (size_t)n);
	if ((headers_too_long(r) && !at_end(r)) || (r->filter && unpacked_too_much(r, r->end))) {
		r->limited = true;
		archive_set_error(a, EFBIG, "it unpacks to too much");
		return -1;
	}
	return n;
}

static void feed_move(struct reading *r, uint64_t to)
{
	window_move(&r->w, to);
	r->end = to;
	r->zeros = 0;
}

/* What is close by is read: that costs the tape no more, and the next read can be a longer one. */
static la_int64_t feed_skip(struct archive *a, void *ctx, la_int64_t request)
{
	struct reading *r = ctx;
	uint64_t left = window_size(&r->w) > r->w.at ? window_size(&r->w) - r->w.at : 0;
	uint64_t n = request < 0 ? 0 : (uint64_t)request;

	if (r->linear && n < WINDOW_AHEAD)
		return 0;
	n = n < left ? n : left;
	feed_move(r, r->w.at + n);
	return (la_int64_t)n;
}

static la_int64_t feed_seek(struct archive *a, void *ctx, la_int64_t offset, int whence)
{
	struct reading *r = ctx;
	int64_t size = (int64_t)window_size(&r->w), to;
	int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)r->w.at : size;

	if (__builtin_add_overflow(base, offset, &to) || to > size)
		to = size;
	feed_move(r, to < 0 ? 0 : (uint64_t)to);
	return (la_int64_t)r->w.at;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* A library that libarchive was built without would have it start a program instead. */
static void support_filters(struct archive *a)
{
	if (archive_zlib_version())
		archive_read_support_filter_gzip(a);
	if (archive_bzlib_version())
		archive_read_support_filter_bzip2(a);
	if (archive_liblzma_version()) {
		archive_read_support_filter_xz(a);
		archive_read_support_filter_lzma(a);
		archive_read_support_filter_lzip(a);
	}
	if (archive_libzstd_version())
		archive_read_support_filter_zstd(a);
	if (archive_liblz4_version())
		archive_read_support_filter_lz4(a);
	archive_read_support_filter_compress(a);
}

/* Is it compressed, and with one thing only?  If so .filter gives what is inside, else the window is at its start. */
static int open_filter(struct reading *r)
{
	struct archive_entry *e;
	int got;

	r->filter = archive_read_new();
	if (!r->filter)
		return err_origin(-ENOMEM);
	support_filters(r->filter);
	archive_read_support_format_raw(r->filter);
	archive_read_set_read_callback(r->filter, packed_read);
	archive_read_set_callback_data(r->filter, r);
	got = archive_read_open1(r->filter);
	got = got == ARCHIVE_OK ? archive_read_next_header(r->filter, &e) : got;
	if (r->w.error)
		return r->w.error;
	if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
		return TARBALL_E_NONE;
	if (archive_filter_code(r->filter, 0) != ARCHIVE_FILTER_NONE) {
		if (archive_filter_count(r->filter) == 2)
			return 0;
		r->broken = r->limited = true;
		return TARBALL_E_NONE;
	}
	archive_read_free(r->filter);
	r->filter = NULL;
	window_move(&r->w, 0);
	return 0;
}

/* In this order: the first that is sure of it spares the others a look, for zip at the end of the tape file. */
static int open_members(struct reading *r)
{
	struct archive *a = r->a = archive_read_new();

	if (!a)
		return err_origin(-ENOMEM);
	archive_read_support_format_tar(a);
	archive_read_support_format_cpio(a);
	if (!r->w.base)
		archive_read_support_format_ar(a);
	if (!r->w.base && !r->filter) {
		archive_read_support_format_iso9660(a);
		archive_read_support_format_zip(a);
	}
	/* Behind a damaged part there may be what looks like an end; and tar -A leaves the ends of what it joins. */
	archive_read_set_option(a, "tar", "read_concatenated_archives", "1");
	archive_read_set_read_callback(a, feed_read);
	if (!r->filter) {
		archive_read_set_skip_callback(a, feed_skip);
		archive_read_set_seek_callback(a, feed_seek);
	}
	archive_read_set_callback_data(a, r);
	r->in_headers = true;
	if (archive_read_open1(a) != ARCHIVE_OK)
		return r->w.error ? r->w.error : TARBALL_E_NONE;
	for (unsigned i = 0; i < ARRAY_LEN(r->entry); i++) {
		r->entry[i] = archive_entry_new2(a);
		if (!r->entry[i])
			return err_origin(-ENOMEM);
	}
	return 0;
}

int reading_init(struct reading *r, const struct tarball_source *src, uint64_t from,
		 const struct tarball_limits *limits)
{
	int got;

	*r = (struct reading){ .limits = limits ? *limits : (struct tarball_limits){ 0 } };
	got = window_init(&r->w, src, from);
	if (!got && !from)
		got = open_filter(r);
	return got ? got : open_members(r);
}

void reading_fini(struct reading *r)
{
	for (unsigned i = 0; i < ARRAY_LEN(r->entry); i++)
		archive_entry_free(r->entry[i]);
	archive_read_free(r->a);
	archive_read_free(r->filter);
	free(r->w.bytes);
}

/* ---- from member to member ------------------------------------------------------------------------------------- */

bool reading_compressed(const struct reading *r)
{
	return r->filter || !r->linear;
}

const char *reading_filter(const struct reading *r)
{
	const char *name = r->filter ? archive_filter_name(r->filter, 0) : NULL;

	return name ? name : "";
}

static uint64_t taken(const struct reading *r)
{
	return r->filter ? (uint64_t)archive_filter_bytes(r->filter, -1) : r->w.at;
}

uint64_t reading_header(const struct reading *r)
{
	la_int64_t n = archive_read_header_position(r->a);

	return reading_compressed(r) ? taken(r) : r->w.base + (n < 0 ? 0 : (uint64_t)n);
}

uint64_t reading_here(const struct reading *r)
{
	la_int64_t n = archive_filter_bytes(r->a, 0);

	return reading_compressed(r) ? taken(r) : r->w.base + (n < 0 ? 0 : (uint64_t)n);
}

bool reading_block(const struct reading *r, uint8_t out[512])
{
	uint64_t here = reading_here(r), at = 0, some = 1;

	if (reading_compressed(r) || here < 512)
		return false;
	for (; at < 512 && some; at += some) {
		size_t got = 0;
		if (r->w.src->read(r->w.src->ctx, here - 512 + at, out + at, (size_t)(512 - at), &got))
			return false;
		some = got;
	}
	return at == 512;
}

int reading_error(const struct reading *r)
{
	const char *why = archive_error_string(r->a);

	if (r->w.error)
		return r->w.error;
	return err_explain(-EBADMSG, "the archive is damaged: %s", why ? why : "it ends too early");
}

/* What libarchive takes anything for that is not an archive; and which of the others can be begun at any member (ar has
 * a beginning of its own, but says where bytes lie all the same). */
static bool known(struct reading *r)
{
	switch (format_of(r)) {
	case ARCHIVE_FORMAT_TAR:
	case ARCHIVE_FORMAT_CPIO:
	case ARCHIVE_FORMAT_AR:
		r->linear = true;
		return true;
	case ARCHIVE_FORMAT_ZIP:
	case ARCHIVE_FORMAT_ISO9660:
		return true;
	default:
		return false;
	}
}

/* Its directories are read as its members are asked for, and all stay in memory. */
static void header_begin(struct reading *r)
{
	if (format_of(r) != ARCHIVE_FORMAT_ISO9660)
		r->in_header = 0;
	r->in_headers = true;
	r->w.ahead_max = r->filter ? WINDOW_BYTES : WINDOW_LISTING;
}

int reading_next(struct reading *r, struct archive_entry **out)
{
	struct archive_entry *e = r->entry[r->turn ^= 1];
	int got;

	header_begin(r);
	got = archive_read_next_header2(r->a, e);
	r->in_headers = false;
	if (r->w.error)
		return r->w.error;
	if (got == ARCHIVE_EOF)
		return TARBALL_E_NONE;
	if (got == ARCHIVE_FATAL || (got == ARCHIVE_RETRY && ++r->bad > BAD_HEADERS_MAX)) {
		r->broken = true;
		return TARBALL_E_NONE;
	}
	if (got == ARCHIVE_RETRY) {
		r->broken = true;
		*out = NULL;
		return 0;
	}
	r->bad = 0;
	*out = e;
	return known(r) ? 0 : TARBALL_E_NONE;
}

char member_type(struct archive_entry *e)
{
	/* Of one with several names cpio still tells where it leads to. */
	if (archive_entry_filetype(e) == AE_IFLNK)
		return 'l';
	if (archive_entry_hardlink_utf8(e) || archive_entry_hardlink(e))
		return 'h';
	switch (archive_entry_filetype(e)) {
	case AE_IFDIR: return 'd';
	case AE_IFCHR: return 'c';
	case AE_IFBLK: return 'b';
	case AE_IFIFO: return 'p';
	case AE_IFSOCK: return 's';
	default: return '-';
	}
}

uint64_t member_size(struct archive_entry *e)
{
	char type = member_type(e);
	la_int64_t n;

	if (type != '-' && type != 'h')
		return 0;
	if (!archive_entry_size_is_set(e))
		return MEMBER_SIZE_UNKNOWN;
	n = archive_entry_size(e);
	return n < 0 ? 0 : (uint64_t)n;
}

/* How long it is, is not said before it: libarchive would unpack all of it at one go to find its end. */
static bool pull(struct reading *r)
{
	la_int64_t offset;
	const void *p;
	size_t n;
	int got;

	while ((got = archive_read_data_block(r->a, &p, &n, &offset)) == ARCHIVE_OK || got == ARCHIVE_WARN) {
		r->pulled += n;
		if (unpacked_too_much(r, r->pulled)) {
			r->limited = true;
			return false;
		}
	}
	return got == ARCHIVE_EOF;
}

bool reading_skip(struct reading *r)
{
	bool whole;

	if (r->linear || archive_entry_size_is_set(r->entry[r->turn]))
		whole = archive_read_data_skip(r->a) == ARCHIVE_OK;
	else
		whole = pull(r);
	if (!whole)
		r->broken = true;
	return whole;
}
