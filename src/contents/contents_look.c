/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in a tape file: labels, an archive, or something else.  Looked at once, through contents_source.c: a tape
 * that is written over meanwhile ends it with -ESTALE, and nothing comes of it.
 *
 * What is read is foreign.  An archive that wants to be larger than any tape (a bomb) is left at a limit, with what was
 * found by then, and an event.
 */
#include "contents/keep.h"

#include <errno.h>
#include <stdio.h>

#define PACE_NS 4000000ull		/* so long somebody works before he looks up */
/* Left for writers beside the reserve: what was put into the database has tables to be written and merged yet. */
#define ROOM_BYTES (64ull << 20)
#define ROOM_PART 8u			/* no more than that part of a small disk */
#define LABELS_MAX 64u			/* records of a group of labels */
#define LABEL_RECORD_MAX 2048u		/* longer ones are none */
#define FIRST_BYTES 4096u		/* of a file that is no archive, for what it may be */

static const struct tarball_limits limits = {
	.members = 256u << 20, .unpacked_bytes = 8ull << 40, .unpacked_ratio = 2000,
};

/* ---- pace ------------------------------------------------------------------------------------------------------ */

int look_room(struct contents *c, bool begins)
{
	uint64_t avail, total, need;
	char left[16];
	int r = chunk_store_space(library_chunks(c->lib), &avail, &total);

	if (r)
		return r;
	need = total / ROOM_PART < ROOM_BYTES ? total / ROOM_PART : ROOM_BYTES;
	if (avail >= (begins ? need + need / 2 : need))
		return 0;
	return err_explain(-ENOSPC, "%s are left on the store's disk: what is on tapes is looked at when there is more",
			   format_size(avail, left));
}

int look_pace(struct look *l, struct contents_source *s)
{
	int r;

	if (clock_mono_ns() - l->since_ns < PACE_NS)
		return 0;
	if (s)
		contents_source_let_go(s);
	r = l->pace(l->ctx);
	if (!r)
		r = look_room(l->c, false);
	l->since_ns = clock_mono_ns();
	return r;
}

/* ---- one tape file ---------------------------------------------------------------------------------------------- */

struct looking {
	struct look *l;
	struct contents_file f;
	struct contents_source *src;
	struct contents_list *list;
	int stopped;		/* what ended the reading */
};

static int paced_read(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	struct looking *k = ctx;
	const struct tarball_source *src = contents_source(k->src);
	int r = look_pace(k->l, k->src);

	if (!r)
		r = src->read(src->ctx, offset, buf, n, got);
	if (r)
		k->stopped = r;
	return r;
}

/* A group of labels: records that all are some. *is: it is one. */
static int look_at_labels(struct looking *k, bool *is)
{
	struct contents_label label = { .kind = LABEL_NONE };
	uint8_t record[LABEL_RECORD_MAX];
	char name[5];
	size_t len = 0;
	int r = 0;

	*is = false;
	if (k->f.records > LABELS_MAX || k->f.record_bytes < 80 || k->f.record_bytes > LABEL_RECORD_MAX)
		return 0;
	for (uint64_t i = 0; !r && i < k->f.records; i++) {
		r = contents_source_record(k->src, i, record, sizeof(record), &len);
		if (!r && label_parse(record, len, name, &label)) {
			/* User labels (UHL1, UTL1...) and such come behind one that is known. */
			if (!*is)
				return 0;
		} else if (!r) {
			*is = true;
		}
	}
	if (*is)
		k->f.label = label;
	return r == CONTENTS_E_NONE ? 0 : r;
}

static int look_at_beginning(struct looking *k, uint8_t *first, size_t *len)
{
	const struct tarball_source *src = contents_source(k->src);
	int r = src->read(src->ctx, 0, first, *len, len);

	k->f.magic_len = (uint8_t)(*len < sizeof(k->f.magic) ? *len : sizeof(k->f.magic));
	memcpy(k->f.magic, first, k->f.magic_len);
	return r;
}

/* The label that stands before it, on a labelled tape. */
static int take_label(struct looking *k)
{
	struct contents_file before;
	int r;

	if (!k->f.file)
		return 0;
	r = truth_file_row(k->l->c, k->f.volume, k->f.partition, k->f.file - 1, &before);
	if (!r && before.how == CONTENTS_LABELS)
		k->f.label = before.label;
	return r < 0 ? r : 0;
}

static int member_seen(void *ctx, const struct tarball_member *m)
{
	struct looking *k = ctx;
	int r = contents_list_add(k->list, m);

	if (r)
		k->stopped = r;
	return r;
}

static void tell_limited(struct looking *k, const struct tarball_info *info)
{
	char about[2 * BARCODE_MAX + 2];
	struct catalog_volume v;
	struct catalog_pool p;

	if (!info->limited || catalog_volume_by_id(k->l->c->cat, k->f.volume, &v) ||
	    catalog_pool_by_id(k->l->c->cat, v.pool, &p))
		return;
	snprintf(about, sizeof(about), "%s/%s", p.name, v.name);
	catalog_event(k->l->c->cat, EVENT_CONTENTS_LIMITED, about,
		      "tape file %llu: an archive (%s%s%s) is larger than what is looked at; %llu members are known",
		      (unsigned long long)k->f.file, info->format, info->filter[0] ? ", " : "", info->filter,
		      (unsigned long long)k->f.members);
}

static void describe(struct contents_file *f, const struct tarball_info *info)
{
	f->how = info->broken || info->limited ? CONTENTS_BROKEN : CONTENTS_LISTED;
	f->compressed = info->compressed;
	snprintf(f->format, sizeof(f->format), "%.*s%s%.20s", info->filter[0] ? 40 : 63, info->format,
		 info->filter[0] ? ", " : "", info->filter);
}

/* CONTENTS_E_NONE: it is no archive. */
static int look_at_archive(struct looking *k)
{
	const struct tarball_source src = { paced_read, k, k->f.bytes };
	struct tarball_info info = { .format = "" };
	int r = contents_list_begin(k->l->c, &k->list);

	if (r)
		return r;
	r = tarball_each(&src, &limits, &info, member_seen, k);
	if (k->stopped)
		return k->stopped;
	if (r == TARBALL_E_NONE && !info.limited)
		return CONTENTS_E_NONE;
	if (r < 0) {
		log_warn("volume number %llu, file %llu: %s", (unsigned long long)k->f.volume,
			 (unsigned long long)k->f.file, err_text(r));
		info.broken = true;
	}
	describe(&k->f, &info);
	r = contents_list_end(k->list, &k->f);
	if (!r)
		tell_limited(k, &info);
	return r;
}

static int look_at_data(struct looking *k)
{
	uint8_t first[FIRST_BYTES];
	size_t len = sizeof(first);
	int r;

	r = look_at_beginning(k, first, &len);
	if (!r)
		r = take_label(k);
	if (!r)
		r = k->f.bytes ? look_at_archive(k) : CONTENTS_E_NONE;
	if (r != CONTENTS_E_NONE)
		return r;
	k->f.how = CONTENTS_NO_ARCHIVE;
	snprintf(k->f.format, sizeof(k->f.format), "%s", magic_words(first, len));
	return contents_file_put(k->l->c, &k->f);
}

static int look_at_file(struct looking *k)
{
	bool labels = false;
	int r = contents_source_new(k->l->c, &k->f, &k->src);

	if (r)
		return r;
	contents_source_lists(k->src);
	r = look_at_labels(k, &labels);
	if (!r && labels) {
		k->f.how = CONTENTS_LABELS;
		r = contents_file_put(k->l->c, &k->f);
	} else if (!r) {
		r = look_at_data(k);
	}
	contents_list_free(k->list);
	contents_source_free(k->src);
	return r;
}

/* ---- one step of a volume --------------------------------------------------------------------------------------- */

static int first_waiting(void *ctx, const struct contents_file *f)
{
	if (f->how != CONTENTS_WAITING)
		return 0;
	*(struct contents_file *)ctx = *f;
	return LOOK_MORE;
}

static int find_waiting(struct look *l, struct look_volume *v, struct contents_file *out)
{
	int r = 0;

	for (uint32_t p = 0; !r && p < TAPE_PARTITIONS_MAX; p++) {
		if (v->next[p] == UINT64_MAX)
			continue;
		r = file_row_each(l->c, v->id, p, v->next[p], first_waiting, out);
		v->next[p] = r == LOOK_MORE ? out->file : UINT64_MAX;
	}
	if (!r)
		v->files = v->bytes = 0;
	return r;
}

static void looked(struct look_volume *v, const struct contents_file *f)
{
	v->next[f->partition] = f->file + 1;
	v->files -= v->files ? 1 : 0;
	v->bytes -= f->bytes < v->bytes ? f->bytes : v->bytes;
	if (f->how == CONTENTS_LABELS && f->label.expires_ns > v->expires_ns)
		v->expires_ns = f->label.expires_ns;
	if (f->how == CONTENTS_LABELS && !f->file && !f->partition)
		v->vol1 = f->label;
}

/* Step 6 of contents_agree.c. */
static int all_looked(struct look *l, const struct look_volume *v)
{
	struct volume_row row;
	int r = truth_volume_row(l->c, v->id, &row);

	if (r || !row.generation || row.done)
		return r < 0 ? r : LOOK_DONE;
	row.done = true;
	row.off = v->off;
	row.expires_ns = v->expires_ns;
	row.vol1 = v->vol1;
	r = volume_row_put(l->c, v->id, &row);
	return r ? r : LOOK_DONE;
}

static int look_next(struct look *l, struct look_volume *v)
{
	struct looking k = { .l = l };
	int r = find_waiting(l, v, &k.f);

	if (!r)
		return all_looked(l, v);
	if (r < 0)
		return r;
	r = look_room(l->c, true);
	if (!r)
		r = look_at_file(&k);
	if (!r)
		looked(v, &k.f);
	/* Written over meanwhile: the rows are made to agree again. */
	return r == -ESTALE || r == 0 ? LOOK_MORE : err_fold(r);
}

int look_step(struct look *l, struct look_volume *v)
{
	struct catalog_volume row;
	int r = catalog_volume_by_id(l->c->cat, v->id, &row);

	if (r == CATALOG_E_NONE) {
		r = contents_forget(l->c, v->id);
		return r ? r : LOOK_DONE;
	}
	if (r)
		return err_fold(r);
	/* What is still arriving is no tape yet. */
	if (row.state == STATE_INCOMING)
		return LOOK_DONE;
	r = look_agree(l, &row, v);
	if (r == -ENOENT) {
		r = contents_forget(l->c, v->id);	/* a row of the catalog whose tape is gone */
		return r ? r : LOOK_DONE;
	}
	return r ? r : look_next(l, v);
}

/* ---- generations that are gone ---------------------------------------------------------------------------------- */

static int generation_seen(void *ctx, const struct volume_stat *st)
{
	*(uint64_t *)ctx = st->generation;	/* newest first */
	return 0;
}

uint64_t look_oldest(struct contents *c, uint64_t volume)
{
	uint64_t oldest = 0;

	return volume_history(c->kv, volume, generation_seen, &oldest) ? 0 : oldest;
}

struct stretches { struct tape_stretch *s; size_t count; };

static int stretch_add(void *ctx, const struct tape_stretch *s)
{
	struct stretches *all = ctx;
	struct tape_stretch *more;

	if ((all->count & (all->count - 1)) == 0) {
		more = reallocarray(all->s, all->count ? 2 * all->count : 1, sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		all->s = more;
	}
	all->s[all->count++] = *s;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct tape_stretch *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

/* Some generation has it: the one that goes furthest in that stretch is the last of its number. */
static bool stretch_kept(void *ctx, const struct contents_file *f)
{
	const struct stretches *all = ctx;
	size_t lo = 0, hi = all->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (all->s[mid].number <= f->stretch)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && all->s[lo - 1].number == f->stretch && f->last < all->s[lo - 1].to;
}

int look_dropped(struct contents *c, uint64_t volume)
{
	uint64_t oldest = look_oldest(c, volume);
	struct stretches all = { 0 };
	struct volume_row row;
	int r = volume_each_stretch(c->kv, volume, stretch_add, &all);

	/* While a head is damaged nobody knows what is kept, and all is. */
	if (!r) {
		if (all.count)
			qsort(all.s, all.count, sizeof(*all.s), by_number);
		r = file_row_forget(c, volume, stretch_kept, &all);
	}
	free(all.s);
	if (r)
		return r == -EBADMSG || r == -EUCLEAN || r == -ENOENT ? 0 : r;
	r = truth_volume_row(c, volume, &row);
	if (r)
		return r < 0 ? r : 0;
	row.oldest = oldest;
	return volume_row_put(c, volume, &row);
}
