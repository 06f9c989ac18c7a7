/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The members of an archive.  Of one that is not compressed only the headers are read.  A member ends where the next
 * header begins, its extensions (pax, GNU long names) included; so each is told when that, or the end, was found.
 */
#include "tarball/tarball_reading.h"

#define PADDING_MAX 512u	/* behind a member's bytes: tar; cpio and ar have less */

struct listing {
	struct reading r;
	int (*each)(void *ctx, const struct tarball_member *m);
	void *ctx;
	uint64_t told;
	bool some;
	bool has;			/* the next are of a member that was not told yet */
	bool as_is;			/* its bytes may lie at .data; known when its end is */
	struct tarball_member member;
};

static void listing_fini(struct listing *l)
{
	reading_fini(&l->r);
}

/* In UTF-8, or the bytes that are there if these are not to be had in it. */
static const char *word(const char *utf8, const char *raw)
{
	const char *s = utf8 ? utf8 : raw;

	return s && *s ? s : NULL;
}

static uint32_t id_of(la_int64_t id)
{
	return id < 0 || id > UINT32_MAX ? UINT32_MAX : (uint32_t)id;
}

static void describe_member(struct tarball_member *m, struct archive_entry *e)
{
	const char *path = word(archive_entry_pathname_utf8(e), archive_entry_pathname(e));
	uint64_t size = member_size(e);
	char type = member_type(e);

	*m = (struct tarball_member){
		.path = path ? path : "",
		.type = type,
		.size = size == MEMBER_SIZE_UNKNOWN ? 0 : size,
		.data = TARBALL_NO_PLACE,
		.mode = archive_entry_perm(e),
		.uid = id_of(archive_entry_uid(e)),
		.gid = id_of(archive_entry_gid(e)),
		.user = word(archive_entry_uname_utf8(e), archive_entry_uname(e)),
		.group = word(archive_entry_gname_utf8(e), archive_entry_gname(e)),
		.mtime_s = archive_entry_mtime(e),
		.mtime_ns = (uint32_t)archive_entry_mtime_nsec(e),
	};
	if (type == 'h')
		m->link = word(archive_entry_hardlink_utf8(e), archive_entry_hardlink(e));
	if (type == 'l')
		m->link = word(archive_entry_symlink_utf8(e), archive_entry_symlink(e));
	if (type == 'c' || type == 'b') {
		m->dev_major = (uint32_t)archive_entry_rdevmajor(e);
		m->dev_minor = (uint32_t)archive_entry_rdevminor(e);
	}
}

/* A volume of GNU tar -M other than the first begins with the rest of a file: its header says how much was before. */
static uint64_t bytes_before(const struct reading *r)
{
	uint8_t h[512];
	uint64_t n = 0;

	if ((archive_format(r->a) & ARCHIVE_FORMAT_BASE_MASK) != ARCHIVE_FORMAT_TAR || !reading_block(r, h) ||
	    h[156] != 'M')
		return 0;
	if (h[369] == 0x80)
		return get_be64(h + 373);
	for (unsigned i = 369; i < 381 && h[i] >= '0' && h[i] <= '7'; i++)
		n = 8 * n + (h[i] - '0');
	return n;
}

static void keep(struct listing *l, struct archive_entry *e)
{
	struct tarball_member *m = &l->member;

	describe_member(m, e);
	m->from = reading_header(&l->r);
	m->to = reading_here(&l->r);
	if (!l->told && m->type == '-')
		m->before = bytes_before(&l->r);
	l->as_is = !reading_compressed(&l->r) && (m->type == '-' || m->type == 'h') &&
		   archive_entry_sparse_count(e) == 0;
	l->has = true;
}

/* All its bytes, as they are, would go on behind the end of the archive, which has @n of them. */
static uint64_t cut_off(const struct listing *l, uint64_t n)
{
	const struct tarball_member *m = &l->member;

	return l->as_is && m->type == '-' && l->r.broken && n < m->size && m->to == l->r.w.src->size ? m->size - n : 0;
}

/* Ends at @to, which is only known now.  If its bytes lie as they are they are all between where its headers left off
 * (.to until now) and there; a map of holes, or an end that is missing, makes it another length. */
static int tell(struct listing *l, uint64_t to)
{
	struct tarball_member *m = &l->member;
	uint64_t data = m->to;

	if (!l->has)
		return 0;
	l->has = false;
	m->to = to > m->to ? to : m->to;
	if (l->as_is && m->to - data >= m->size && m->to - data - m->size < PADDING_MAX)
		m->data = data;
	m->missing = cut_off(l, m->to - data);
	l->told++;
	return l->each(l->ctx, m);
}

static bool enough(struct listing *l)
{
	if (!l->r.limits.members || l->told < l->r.limits.members)
		return false;
	l->r.broken = l->r.limited = true;
	return true;
}

/* Where the last member ends if it is not whole: with all there is. */
static uint64_t last_byte(const struct listing *l)
{
	return reading_compressed(&l->r) ? reading_here(&l->r) : l->r.w.src->size;
}

static int read_members(struct listing *l)
{
	struct archive_entry *e;
	int got, r;

	while ((got = reading_next(&l->r, &e)) == 0) {
		r = tell(l, reading_header(&l->r));
		if (r || enough(l))
			return r;
		if (!e)
			continue;
		l->some = true;
		keep(l, e);
		if (!reading_skip(&l->r))
			return l->r.w.error ? l->r.w.error : tell(l, last_byte(l));
	}
	if (got != TARBALL_E_NONE)
		return got;
	r = tell(l, reading_header(&l->r));
	return r ? r : l->some ? 0 : TARBALL_E_NONE;
}

static void describe(const struct listing *l, struct tarball_info *info)
{
	const char *format = l->r.a ? archive_format_name(l->r.a) : NULL;

	info->compressed = reading_compressed(&l->r);
	info->broken = l->r.broken;
	info->limited = l->r.limited;
	snprintf(info->filter, sizeof(info->filter), "%s", reading_filter(&l->r));
	snprintf(info->format, sizeof(info->format), "%s", format ? format : "");
}

int tarball_each(const struct tarball_source *src, const struct tarball_limits *limits, struct tarball_info *info,
		 int (*each)(void *ctx, const struct tarball_member *m), void *ctx)
{
	CLEANUP(listing_fini) struct listing l = { .each = each, .ctx = ctx };
	int r = reading_init(&l.r, src, 0, limits);

	if (!r)
		r = read_members(&l);
	if (info)
		describe(&l, info);
	return r;
}
