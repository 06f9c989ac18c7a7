/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which members of archives lie where a tape cannot be read.  The catalog of contents was made while the tape was
 * whole, so it knows also those whose headers are damaged now, and of a compressed archive all that follow.  What it
 * does not know (it is still waiting, or the pool has it off, or the archive was broken before) is looked at by its
 * headers: then the bytes that cannot be read are letters, and a header among them has no name.
 */
#include "daemon/damage_names.h"

#include <vtape/tarball.h>

#include <errno.h>

/* Names of the members in one range, in bytes: a message holds a mebibyte. */
#define NAMES_BYTES_MAX (256u << 10)

/* An archive may unpack to far more than it is worth to name its members. */
static const struct tarball_limits limits = { .unpacked_bytes = 8ull << 40, .unpacked_ratio = 2000 };

enum { ENOUGH = TARBALL_E_NONE + 1 };	/* no more is hurt: the rest of the archive need not be looked at */

void hurt_fini(struct hurt *h)
{
	json_decref(h->members);
	json_decref(h->behind);
}

/* A path that is not UTF-8 is shown with what is not ASCII as '?'. */
static json_t *path_json(const char *path)
{
	json_t *j = json_string(path);
	CLEANUP(freep) char *copy = j ? NULL : strdup(path);

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p > 0x7e)
			*p = '?';
	return j ? j : copy ? json_string(copy) : NULL;
}

static bool hurt_is_full(const struct hurt *h)
{
	return h->names_bytes >= NAMES_BYTES_MAX;
}

static void hurt_take(struct hurt *h, const char *path)
{
	h->names_bytes += strlen(path) + 8;
	if (hurt_is_full(h)) {
		h->more++;
		return;
	}
	if (!h->members)
		h->members = json_array();
	json_array_append_new(h->members, path_json(path));
}

static void hurt_is_behind(struct hurt *h, const char *path)
{
	json_decref(h->behind);
	h->behind = path_json(path);
}

/* ---- by the catalog ---------------------------------------------------------------------------------------------- */

/* One range, and the list of the archive's members. */
struct known {
	struct contents *c;
	const struct contents_file *f;
	struct hurt *h;
	uint64_t from, to;	/* bytes of the archive */
	bool rest;		/* and all that is behind */
	struct buf path;
	int failed;
};

static int take_first(void *ctx, const struct contents_file *f)
{
	*(struct contents_file *)ctx = *f;
	return 1;
}

/* The tape file's row, true at this moment. */
static bool file_is_known(struct call *c, const struct tape_hurt *h, struct contents_file *out)
{
	int r = h->current ? contents_files_of(c->s->contents, h->volume, h->partition, h->file, take_first, out) : 0;

	return r == 1 && out->file == h->file && out->offset == h->file_from &&
	       out->bytes >= h->file_to - h->file_from &&
	       (out->how == CONTENTS_LISTED || out->how == CONTENTS_NO_ARCHIVE || out->how == CONTENTS_LABELS);
}

static const char *known_path(struct known *k, const struct contents_member *m)
{
	if (m->odd && m->raw.len)
		return (const char *)m->raw.data;
	k->path.len = 0;
	k->failed = contents_path(k->c, m, &k->path);
	return k->failed ? NULL : (const char *)k->path.data;
}

/* How many members there are from @m on. */
static uint64_t count_from(struct known *k, const struct contents_member *m)
{
	CLEANUP(contents_member_fini) struct contents_member last = { 0 };

	k->failed = contents_member(k->c, k->f->content, (uint32_t)k->f->members, &last);
	return !k->failed && last.nth >= m->nth ? last.nth - m->nth + 1 : 1;
}

static int known_member(void *ctx, const struct contents_member *m)
{
	struct known *k = ctx;
	const char *path;

	if (m->implied)
		return 0;
	if (!k->rest && m->from >= k->to)
		return ENOUGH;
	if (k->rest && hurt_is_full(k->h)) {
		k->h->more += count_from(k, m);
		return ENOUGH;
	}
	path = known_path(k, m);
	if (!path)
		return ENOUGH;
	if (m->to > k->from)
		hurt_take(k->h, path);
	else
		hurt_is_behind(k->h, path);
	return 0;
}

/* From the last member that begins before the range, or the one before that: if it ends before it is the one behind
 * which the range is. */
static int name_known(struct call *c, const struct contents_file *f, struct hurt *h, bool rest)
{
	CLEANUP(contents_member_fini) struct contents_member m = { 0 };
	struct known k = { .c = c->s->contents, .f = f, .h = h, .from = h->at.from - h->at.file_from,
			   .to = h->at.to - h->at.file_from, .rest = rest, .path = BUF_INIT };
	int r = contents_at(k.c, f->content, k.from, &m);

	if (r >= 0)
		r = contents_each(k.c, f->content, r ? 1 : m.number > 1 ? m.number - 1 : 1, known_member, &k);
	buf_fini(&k.path);
	return r < 0 ? r : k.failed ? k.failed : 0;
}

/* False: the catalog cannot tell, and nothing was taken. */
static bool names_by_catalog(struct call *c, struct hurt_file *f)
{
	struct contents_file row;
	int r = 0;

	if (!file_is_known(c, &f->h->at, &row))
		return false;
	if (!row.content)
		return true;
	/* Of zip and iso9660 too: they are read on only where no header is hurt, which nobody knows beforehand. */
	f->rest_lost = row.compressed;
	for (size_t i = 0; !r && i < f->n; i++)
		r = name_known(c, &row, &f->h[i], f->rest_lost && !i);
	if (r) {
		log_warn("the list of the archive in tape file %llu of volume number %llu: %s",
			 (unsigned long long)f->h->at.file, (unsigned long long)f->h->at.volume, err_text(r));
		for (size_t i = 0; i < f->n; i++) {
			hurt_fini(&f->h[i]);
			f->h[i] = (struct hurt){ .at = f->h[i].at };
		}
		return false;
	}
	f->archive = true;
	f->compressed = row.compressed;
	snprintf(f->format, sizeof(f->format), "%s", row.format);
	return true;
}

/* ---- by the headers of the archive ------------------------------------------------------------------------------- */

struct looking {
	const struct hurt_file *f;
	struct volume_reader *reader;
	struct hurt *next;	/* those before it end before the member that is being told */
};

/* How many bytes from @at on, at most @n, are all to be read or all hurt; *hurt says which. */
static size_t stretch_at(const struct hurt_file *f, uint64_t at, size_t n, bool *hurt)
{
	const struct hurt *h = f->h;
	uint64_t end;

	while (h < f->h + f->n && h->at.to <= at)
		h++;
	*hurt = h < f->h + f->n && h->at.from <= at;
	if (h == f->h + f->n)
		return n;
	end = *hurt ? h->at.to : h->at.from;
	return end - at < n ? (size_t)(end - at) : n;
}

/* What cannot be read becomes letters: zeros would be the end of a tar archive. */
static int source_read(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	const struct looking *l = ctx;
	const struct tape_hurt *h = &l->f->h->at;
	uint64_t at = h->file_from + offset;
	uint8_t *p = buf, *end;
	bool hurt;
	int r = 0;

	*got = 0;
	if (at >= h->file_to)
		return 0;
	*got = n < h->file_to - at ? n : (size_t)(h->file_to - at);
	for (end = p + *got; p < end && r == 0;) {
		size_t some = stretch_at(l->f, at, (size_t)(end - p), &hurt);
		if (!hurt)
			r = volume_reader_read(l->reader, at, p, some);
		if (hurt || r == -EBADMSG || r == -EIO) {
			memset(p, 'x', some);
			r = 0;
		}
		p += some;
		at += some;
	}
	return r;
}

static int member_seen(void *ctx, const struct tarball_member *m)
{
	struct looking *l = ctx;
	const struct hurt *end = l->f->h + l->f->n;
	uint64_t base = l->f->h->at.file_from;

	while (l->next < end && l->next->at.to - base <= m->from)
		l->next++;
	if (l->next == end)
		return ENOUGH;
	for (struct hurt *h = l->next; h < end && h->at.from - base < m->to; h++)
		hurt_take(h, m->path);
	if (l->next->at.from - base >= m->to)
		hurt_is_behind(l->next, m->path);
	return 0;
}

static void names_by_headers(struct call *c, struct hurt_file *f)
{
	const struct tape_hurt *h = &f->h->at;
	struct looking l = { .f = f, .next = f->h };
	const struct tarball_source src = { source_read, &l, h->file_to - h->file_from };
	struct tarball_info info = { .format = "" };
	struct volume *v;
	int kind = TARBALL_E_NONE;

	if (!h->current || library_look(c->s->lib, h->volume, &v))
		return;
	if (volume_reader_new(v, h->partition, &l.reader) == 0) {
		kind = tarball_each(&src, &limits, &info, member_seen, &l);
		if (kind < 0)
			log_warn("the archive in tape file %llu of volume number %llu: %s", (unsigned long long)h->file,
				 (unsigned long long)h->volume, err_text(kind));
		volume_reader_free(l.reader);
	}
	library_look_end(c->s->lib, h->volume);
	f->archive = kind != TARBALL_E_NONE;
	f->compressed = info.compressed;
	f->rest_lost = info.compressed;
	f->broken = info.broken;
	snprintf(f->format, sizeof(f->format), "%s", info.format);
}

void damage_names(struct call *c, struct hurt_file *f)
{
	if (!names_by_catalog(c, f))
		names_by_headers(c, f);
}
