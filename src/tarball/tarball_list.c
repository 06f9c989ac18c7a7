/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The members of an archive.  Of one that is not compressed only the headers are read.  A member ends where the next
 * header begins, its extensions (pax, GNU long names) included; so each is told when that, or the end, was found.
 */
#include "tarball/tarball_reading.h"

#define VOLUME_WORDS 8192u	/* of a global pax header: longer ones are not those of tar -M */
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
	char words[VOLUME_WORDS + 1];	/* .member.path of a part may be in it */
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

static bool read_at(const struct listing *l, uint64_t offset, void *buf, size_t n)
{
	const struct tarball_source *src = l->r.w.src;
	size_t done = 0, some = 1;

	for (; done < n && some; done += some) {
		some = 0;
		if (src->read(src->ctx, offset + done, (uint8_t *)buf + done, n - done, &some))
			return false;
	}
	return done == n;
}

/* "27 GNU.volume.offset=16384\n", where 27 is the length of it all; ended by a NUL then. */
static bool next_record(char **at, const char *end, char **key, char **value)
{
	char *p = *at, *stop;
	uint64_t n = 0;

	for (; p < end && *p >= '0' && *p <= '9' && n < VOLUME_WORDS; p++)
		n = 10 * n + (uint64_t)(*p - '0');
	if (n < 4 || n > (uint64_t)(end - *at))
		return false;
	stop = *at + n;
	if (p + 1 >= stop || *p != ' ' || stop[-1] != '\n' || memchr(p, 0, (size_t)(stop - p)))
		return false;
	stop[-1] = '\0';
	*key = p + 1;
	*value = strchr(*key, '=');
	if (!*value)
		return false;
	*(*value)++ = '\0';
	*at = stop;
	return true;
}

static uint64_t decimal(const char *s)
{
	uint64_t n = 0;

	for (; *s >= '0' && *s <= '9' && n < UINT64_MAX / 10 - 1; s++)
		n = 10 * n + (uint64_t)(*s - '0');
	return *s ? 0 : n;
}

/* The same in a pax archive: a global header before it says so, and what the file is called. */
static void find_volume_words(struct listing *l)
{
	struct tarball_member *m = &l->member;
	char *at = l->words, *key, *value, *path = NULL;
	uint64_t before = 0, size = 0, n = 0;
	uint8_t h[512];

	if (reading_compressed(&l->r) || !strstr(m->path, "GNUFileParts/") || !read_at(l, m->from, h, sizeof(h)) ||
	    h[156] != 'g')
		return;
	for (unsigned i = 124; i < 135 && h[i] >= '0' && h[i] <= '7'; i++)
		n = 8 * n + (h[i] - '0');
	if (n > VOLUME_WORDS || !read_at(l, m->from + sizeof(h), l->words, (size_t)n))
		return;
	while (next_record(&at, l->words + n, &key, &value)) {
		if (!strcmp(key, "GNU.volume.filename"))
			path = value;
		else if (!strcmp(key, "GNU.volume.size"))
			size = decimal(value);
		else if (!strcmp(key, "GNU.volume.offset"))
			before = decimal(value);
	}
	if (!path || !*path || !before || size != m->size)
		return;
	m->path = path;
	m->before = before;
}

static void keep(struct listing *l, struct archive_entry *e)
{
	struct tarball_member *m = &l->member;

	describe_member(m, e);
	m->from = reading_header(&l->r);
	m->to = reading_here(&l->r);
	if (!l->told && m->type == '-')
		m->before = bytes_before(&l->r);
	if (!l->told && m->type == '-' && !m->before)
		find_volume_words(l);
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
