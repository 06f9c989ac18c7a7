/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is true of the rows.  A row F or O names its tape file by its last object and the stretch that this belongs
 * to; while the tape has that object in that stretch, everything up to it is what it was (volume_stretch()), so of
 * the rows of a partition those that hold are the first ones, and how many is found by bisection.
 *
 * Most volumes are asked about without being looked at: whatever is cut off begins another stretch, so a tape that
 * ends in the stretch and at the object that the row V tells of is the one that it tells of.
 */
#include "contents/keep.h"

#include <errno.h>
#include <stdio.h>

/* ---- rows ------------------------------------------------------------------------------------------------------ */

static int row_or_none(int r)
{
	return r == -EUCLEAN ? CONTENTS_E_NONE : r;
}

int truth_volume_row(struct contents *c, uint64_t volume, struct volume_row *out)
{
	return row_or_none(volume_row_get(c, volume, out));
}

int truth_file_row(struct contents *c, uint64_t volume, uint32_t partition, uint64_t file, struct contents_file *out)
{
	return row_or_none(file_row_get(c, volume, partition, file, out));
}

/* What was known of one place holds for the tape file at @at, which is the same. */
static void file_take_over(struct contents_file *at, const struct contents_file *known)
{
	struct contents_file f = *known;

	f.partition = at->partition;
	f.file = at->file;
	f.first = at->first;
	f.last = at->last;
	f.closed = at->closed;
	f.offset = at->offset;
	f.bytes = at->bytes;
	f.records = at->records;
	f.record_bytes = at->record_bytes;
	*at = f;
}

int truth_remembered(struct contents *c, const struct contents_file *at, struct contents_file *out)
{
	struct contents_file known;
	int r = row_or_none(file_row_remembered(c, at->volume, at->stretch, at->last, &known));

	if (r)
		return r;
	*out = *at;
	file_take_over(out, &known);
	return 0;
}

bool truth_agrees(const struct volume_row *v, const struct volume_stat *st)
{
	return v->generation == st->generation && v->objects == st->end.objects && v->stretch == st->stretch;
}

bool contents_wanted(struct contents *c, const struct catalog_volume *row)
{
	struct catalog_pool pool;

	return catalog_pool_by_id(c->cat, row->pool, &pool) || pool.contents;
}

/* ---- the tape, while it is looked at ---------------------------------------------------------------------------- */

static int file_end(struct volume *v, uint32_t partition, uint64_t file, struct tape_tally *out, bool *closed)
{
	int r = volume_find_file(v, partition, file + 1, out);

	*closed = r != TAPE_E_EOD;
	return *closed ? r : volume_end(v, partition, out);
}

static int file_find(struct volume *v, uint32_t partition, uint64_t file, struct tape_tally *a, struct tape_tally *b,
		     bool *closed, uint64_t *next)
{
	int r = volume_find_file(v, partition, file, a);

	if (!r)
		r = file_end(v, partition, file, b, closed);
	if (r == -EBADMSG)
		*next = b->marks > file ? b->marks : a->marks > file ? a->marks : file + 1;
	if (r == TAPE_E_EOD || (!r && a->objects == b->objects))
		return CONTENTS_E_NONE;
	return err_fold(r);
}

int tape_file_at(struct volume *v, uint64_t volume, uint32_t partition, uint64_t file, struct contents_file *out,
		 uint64_t *next)
{
	struct tape_tally a = { 0 }, b = { 0 };
	struct tape_object first = { 0 };
	uint64_t stretch = 0;
	bool closed = false;
	int r;

	*next = file + 1;
	r = file_find(v, partition, file, &a, &b, &closed, next);
	if (!r)
		r = err_fold(volume_object(v, partition, a.objects, &first));
	if (!r)
		r = volume_stretch(v, partition, b.objects - 1, &stretch);
	if (r)
		return r;
	*out = (struct contents_file){
		.volume = volume, .partition = partition, .file = file, .first = a.objects, .last = b.objects - 1,
		.closed = closed, .stretch = stretch, .offset = a.bytes, .bytes = b.bytes - a.bytes,
		.records = tape_tally_records(&b) - tape_tally_records(&a), .record_bytes = first.len,
		.writer = { .uid = UINT32_MAX, .drive = -1 },
	};
	return 0;
}

bool tape_has(struct volume *v, const struct contents_file *f)
{
	struct tape_tally end;
	uint64_t stretch;

	return f->partition < volume_partitions(v) && !volume_end(v, f->partition, &end) && f->last < end.objects &&
	       !volume_stretch(v, f->partition, f->last, &stretch) && stretch == f->stretch;
}

/* One that is not closed is another one as soon as something follows. */
static bool row_holds(struct volume *v, const struct contents_file *f)
{
	struct tape_tally end;

	return tape_has(v, f) && (f->closed || (!volume_end(v, f->partition, &end) && end.objects == f->last + 1));
}

static int row_holds_at(struct contents *c, struct volume *v, uint64_t volume, uint32_t partition, uint64_t file,
			bool *holds)
{
	struct contents_file f;
	int r = truth_file_row(c, volume, partition, file, &f);

	*holds = !r && f.file == file && f.partition == partition && row_holds(v, &f);
	return r < 0 ? r : 0;
}

int tape_rows_hold(struct contents *c, struct volume *v, uint64_t volume, uint32_t partition, uint64_t *count)
{
	uint64_t good = 0, bad = 1, mid;	/* rows 0 .. good - 1 hold, row bad - 1 does not */
	bool holds = true;
	int r = 0;

	while (!r && holds) {
		r = row_holds_at(c, v, volume, partition, bad - 1, &holds);
		if (!r && holds) {
			good = bad;
			bad *= 2;
		}
	}
	while (!r && bad - good > 1) {
		mid = good + (bad - good) / 2;
		r = row_holds_at(c, v, volume, partition, mid - 1, &holds);
		if (holds)
			good = mid;
		else
			bad = mid;
	}
	*count = good;
	return r;
}

/* ---- one question ---------------------------------------------------------------------------------------------- */

/* How many rows of each partition hold. */
struct held { uint64_t volume; uint64_t rows[TAPE_PARTITIONS_MAX]; };

struct truth {
	struct contents *c;
	struct held *held;		/* by volume's number, open addressing; .volume 0: free */
	size_t slots, used;
	struct contents_file file;	/* that was told last */
};

int truth_new(struct contents *c, struct truth **out)
{
	struct truth *t = calloc(1, sizeof(*t));

	if (!t)
		return err_origin(-ENOMEM);
	t->c = c;
	t->slots = 64;
	t->held = calloc(t->slots, sizeof(*t->held));
	if (!t->held) {
		free(t);
		return err_origin(-ENOMEM);
	}
	*out = t;
	return 0;
}

struct truth *truth_free(struct truth *t)
{
	if (t)
		free(t->held);
	free(t);
	return NULL;
}

static struct held *held_slot(struct held *held, size_t slots, uint64_t volume)
{
	size_t i = (size_t)(volume * 0x9e3779b97f4a7c15ull >> 20) % slots;

	while (held[i].volume && held[i].volume != volume)
		i = (i + 1) % slots;
	return &held[i];
}

static int truth_grow(struct truth *t)
{
	size_t slots = 2 * t->slots;
	struct held *held = calloc(slots, sizeof(*held));

	if (!held)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < t->slots; i++)
		if (t->held[i].volume)
			*held_slot(held, slots, t->held[i].volume) = t->held[i];
	free(t->held);
	t->held = held;
	t->slots = slots;
	return 0;
}

static int look_at_rows(struct contents *c, struct held *h)
{
	struct volume *v;
	int r = library_look(c->lib, h->volume, &v), ended;

	if (r)
		return r;
	for (uint32_t p = 0; !r && p < volume_partitions(v); p++)
		r = tape_rows_hold(c, v, h->volume, p, &h->rows[p]);
	ended = library_look_end(c->lib, h->volume);
	return r ? r : ended;
}

/* Of a tape that is gone, or cannot be opened, nothing is told; that is no reason to tell nothing of others. */
static int held_look(struct contents *c, struct held *h)
{
	struct volume_stat st;
	struct volume_row row;
	int r = truth_volume_row(c, h->volume, &row);

	/* Without that row nothing is told: it is being made anew, or forgotten. */
	if (r)
		return r < 0 ? r : 0;
	r = library_stat(c->lib, h->volume, &st);
	if (!r && truth_agrees(&row, &st))
		memset(h->rows, 0xff, sizeof(h->rows));
	else if (!r)
		r = look_at_rows(c, h);
	return r == -ENOENT || r == -EBADMSG || r == -EUCLEAN ? 0 : r;
}

static int truth_look(struct truth *t, uint64_t volume, const struct held **out)
{
	struct held *h = held_slot(t->held, t->slots, volume), now = { .volume = volume };
	int r;

	if (!h->volume) {
		r = held_look(t->c, &now);
		if (!r && 2 * ++t->used > t->slots)
			r = truth_grow(t);
		if (r)
			return r;
		h = held_slot(t->held, t->slots, volume);
		*h = now;
	}
	*out = h;
	return 0;
}

/* Does the tape have @f now?  0 or CONTENTS_E_NONE. */
static int truth_holds(struct truth *t, const struct contents_file *f)
{
	const struct held *h;
	int r = f->partition < TAPE_PARTITIONS_MAX ? truth_look(t, f->volume, &h) : CONTENTS_E_NONE;

	return r ? r : f->file < h->rows[f->partition] ? 0 : CONTENTS_E_NONE;
}

int truth_file_of(struct truth *t, uint32_t content, const struct contents_file **out)
{
	struct list_row l;
	int r;

	if (!content || t->file.content != content) {
		r = row_or_none(list_row_get(t->c, content, &l));
		if (!r)
			r = truth_file_row(t->c, l.volume, l.partition, l.file, &t->file);
		if (!r && t->file.content != content)
			r = CONTENTS_E_NONE;
		if (r) {
			t->file.content = 0;
			return r;
		}
	}
	r = truth_holds(t, &t->file);
	if (!r)
		*out = &t->file;
	return r;
}

int contents_file_of(struct contents *c, uint32_t content, struct contents_file *out)
{
	const struct contents_file *f;
	struct truth *t = NULL;
	int r = truth_new(c, &t);

	if (!r)
		r = truth_file_of(t, content, &f);
	if (!r)
		*out = *f;
	truth_free(t);
	return r;
}

/* ---- the files of a tape ---------------------------------------------------------------------------------------- */

#define FILES_AT_ONCE 32u	/* seen with one look at the tape */

struct sight {
	struct contents *c;
	uint64_t volume;
	bool off;			/* nobody will look at what is waiting */
	uint32_t partition;
	uint64_t next;			/* file */
	struct contents_file file[FILES_AT_ONCE];
	unsigned files;
};

/* What rows know of it, if that is about what lies there. */
static int file_known(struct sight *s, struct contents_file *at)
{
	struct contents_file row;
	int r = truth_file_row(s->c, at->volume, at->partition, at->file, &row);

	if (!r && (row.last != at->last || row.stretch != at->stretch))
		r = CONTENTS_E_NONE;
	if (r == CONTENTS_E_NONE)
		r = truth_remembered(s->c, at, &row);
	if (!r)
		file_take_over(at, &row);
	if (s->off && at->how == CONTENTS_WAITING)
		at->how = CONTENTS_OFF;
	return r < 0 ? r : 0;
}

static int see_files(struct sight *s, struct volume *v, unsigned max)
{
	int r = 0;

	s->files = 0;
	while ((!r || r == -EBADMSG) && s->files < max && s->partition < volume_partitions(v)) {
		r = tape_file_at(v, s->volume, s->partition, s->next, &s->file[s->files], &s->next);
		if (!r)
			r = file_known(s, &s->file[s->files++]);
	}
	return r == CONTENTS_E_NONE || r == -EBADMSG ? 0 : r;
}

static int sight_look(struct sight *s, unsigned max)
{
	struct volume *v;
	int r = library_look(s->c->lib, s->volume, &v), ended;

	if (r)
		return r;
	r = see_files(s, v, max);
	ended = library_look_end(s->c->lib, s->volume);
	return r ? r : ended;
}

static int sight_new(struct contents *c, uint64_t volume, uint32_t partition, uint64_t from, struct sight **out)
{
	struct catalog_volume row;
	struct sight *s;
	int r = catalog_volume_by_id(c->cat, volume, &row);

	if (r == CATALOG_E_NONE)
		return err_explain(-ENOENT, "volume number %llu is not there any more", (unsigned long long)volume);
	if (r)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_origin(-ENOMEM);
	*s = (struct sight){ .c = c, .volume = volume, .off = !contents_wanted(c, &row), .partition = partition,
			     .next = from };
	*out = s;
	return 0;
}

int contents_files(struct contents *c, uint64_t volume, uint64_t from,
		   int (*each)(void *ctx, const struct contents_file *f), void *ctx)
{
	return contents_files_of(c, volume, 0, from, each, ctx);
}

int contents_files_of(struct contents *c, uint64_t volume, uint32_t partition, uint64_t from,
		      int (*each)(void *ctx, const struct contents_file *f), void *ctx)
{
	CLEANUP(freep) struct sight *s = NULL;
	int r = sight_new(c, volume, partition, from, &s);

	if (r)
		return r;
	do {
		r = sight_look(s, FILES_AT_ONCE);
		for (unsigned i = 0; !r && i < s->files; i++)
			r = each(ctx, &s->file[i]);
	} while (!r && s->files);
	return r;
}

int contents_file(struct contents *c, uint64_t volume, uint64_t file, struct contents_file *out)
{
	CLEANUP(freep) struct sight *s = NULL;
	int r = sight_new(c, volume, 0, file, &s);

	if (!r)
		r = sight_look(s, 1);
	if (!r && (!s->files || s->file[0].file != file))
		r = CONTENTS_E_NONE;
	if (!r)
		*out = s->file[0];
	return r;
}

/* ---- what rows know of a volume --------------------------------------------------------------------------------- */

int contents_expires(struct contents *c, uint64_t volume, uint64_t *expires_ns)
{
	struct volume_stat st;
	struct volume_row row;
	int r = library_stat(c->lib, volume, &st);

	*expires_ns = 0;
	if (r || !st.end.objects)
		return r;
	r = truth_volume_row(c, volume, &row);
	if (!r && !(truth_agrees(&row, &st) && row.done))
		r = CONTENTS_E_NONE;
	if (!r)
		*expires_ns = row.expires_ns;
	return r;
}

int contents_volume_label(struct contents *c, uint64_t volume, struct contents_label *out)
{
	struct contents_file first;
	int r = contents_file(c, volume, 0, &first);

	*out = (struct contents_label){ .kind = LABEL_NONE };
	if (!r && first.how == CONTENTS_LABELS && first.label.volume[0])
		*out = first.label;
	return r < 0 ? r : 0;
}
