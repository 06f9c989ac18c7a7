/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of a volume are made to agree with its tape.  Those that still hold stay, the others are cut off, and for
 * what is behind them there are new ones: what is remembered of that place (another generation had it), or WAITING.
 * Only what is committed gets a row, and the last file of a tape only once it is closed or its writer is gone.
 *
 * Rows are never synced; a power cut takes back the last ones, in order.  What it leaves behind each step:
 *  1. row V says generation 0: nothing is whole	rows F as before, each asked of the tape before it is told
 *  2. rows F that do not hold are cut off		fewer rows F
 *  3. new rows F and O, in the order of the tape	more rows F, without a gap
 *  4. row V: generation and end that they tell of	all of it
 *  5. each file that is looked at: its list, then rows C, F and O in one batch (contents_list.c)
 *  6. row V: done
 * So row V is there before the first row F and behind the last; a crash anywhere before 4 makes the next start do it
 * again from 1, before 6 look for rows that are WAITING.  Row V names a generation only if the database's head has
 * it: one that was never committed would have its number used again after a crash.
 *
 * Each step sees the tape at another moment.  Whatever is cut off begins another stretch, so before rows are written
 * it is asked whether the tape still ends in the one that it ended in at 1; if not, all is done again.
 */
#include "contents/keep.h"

#include <errno.h>

#define FILES_AT_ONCE 32u	/* seen with one look at the tape */
#define TRIES 8u		/* then it is being changed too fast, and looked at later */

enum { AGREE_AGAIN = 1 };

struct agree {
	struct look *l;
	struct look_volume *v;
	struct volume_row row;
	bool had;			/* the row, before */
	bool wanted;
	bool cut;			/* some rows went */
	bool whole;			/* nothing is behind what rows tell */
	uint64_t rows[TAPE_PARTITIONS_MAX];
	uint64_t objects[TAPE_PARTITIONS_MAX];	/* that rows tell of */
	struct volume_stat tape;	/* at step 1; .generation 0: not committed */
	struct contents_file file[FILES_AT_ONCE];
	unsigned files;
};

/* ---- what stays ------------------------------------------------------------------------------------------------ */

/* Was nothing cut off since step 1? */
static bool is_same_tape(const struct agree *a, struct volume *v)
{
	struct volume_stat st;

	volume_stat(v, &st);
	return st.stretch == a->tape.stretch && st.partitions == a->tape.partitions;
}

static int count_rows(struct agree *a, uint32_t *partitions)
{
	struct contents *c = a->l->c;
	struct volume *v;
	int r = library_look(c->lib, a->v->id, &v), ended;

	if (r)
		return r;
	*partitions = volume_partitions(v);
	for (uint32_t p = 0; !r && p < *partitions; p++)
		r = tape_rows_hold(c, v, a->v->id, p, &a->rows[p]);
	if (!r && !is_same_tape(a, v))
		r = AGREE_AGAIN;
	ended = library_look_end(c->lib, a->v->id);
	return r ? r : ended;
}

/* How far the rows that stay tell of the tape, and whether others go. */
static int keep_rows(struct agree *a, uint32_t p)
{
	struct contents *c = a->l->c;
	struct contents_file f;
	int r = 0;

	a->objects[p] = 0;
	if (a->rows[p]) {
		r = truth_file_row(c, a->v->id, p, a->rows[p] - 1, &f);
		if (r)
			return r == CONTENTS_E_NONE ? AGREE_AGAIN : r;
		a->objects[p] = f.last + 1;
	}
	r = file_row_get(c, a->v->id, p, a->rows[p], &f);
	if (r == CONTENTS_E_NONE)
		return 0;
	a->cut = true;
	return r < 0 && r != -EUCLEAN ? r : file_row_cut(c, a->v->id, p, a->rows[p]);
}

/* ---- what is new ----------------------------------------------------------------------------------------------- */

/* Is it there for good, as far as tapes go? */
static bool file_is_ripe(const struct agree *a, struct volume *v, const struct contents_file *f)
{
	struct tape_tally end;

	if (f->last >= volume_committed(v, f->partition))
		return false;
	return f->closed || (!a->v->writing && !volume_end(v, f->partition, &end) && end.objects == f->last + 1);
}

static int see_new(struct agree *a, struct volume *v, uint32_t p)
{
	uint64_t next = a->rows[p], object = a->objects[p];
	struct tape_tally end;
	int r = 0;

	for (a->files = 0; a->files < FILES_AT_ONCE; a->files++) {
		struct contents_file *f = &a->file[a->files];

		r = tape_file_at(v, a->v->id, p, next, f, &next);
		if (r || !file_is_ripe(a, v, f))
			break;
		object = f->last + 1;
	}
	if (r == -EBADMSG)
		a->whole = false;	/* nobody can tell where it begins: what is behind waits until it is mended */
	else if (r && r != CONTENTS_E_NONE)
		return r;
	else if (a->files < FILES_AT_ONCE)
		a->whole = a->whole && !volume_end(v, p, &end) && end.objects == object;
	return 0;
}

static int look_new(struct agree *a, uint32_t p)
{
	struct volume *v;
	int r = library_look(a->l->c->lib, a->v->id, &v), ended;

	if (r)
		return r;
	r = see_new(a, v, p);
	if (!r && !is_same_tape(a, v))
		r = AGREE_AGAIN;
	ended = library_look_end(a->l->c->lib, a->v->id);
	return r ? r : ended;
}

/* The tape's own time is not forgotten with this catalog; what is appended later moves it on. */
static uint64_t written_ns(const struct agree *a)
{
	uint64_t now = clock_now_ns();

	return a->tape.written_ns && a->tape.written_ns < now ? a->tape.written_ns : now;
}

/* A row for what lies there: what is remembered of it, or it is waiting. */
static int put_new(struct agree *a, struct contents_file *f)
{
	struct contents_file known;
	int r = truth_remembered(a->l->c, f, &known);

	if (r < 0)
		return r;
	if (!r) {
		*f = known;
	} else {
		f->written_ns = written_ns(a);
		if (a->v->wrote && a->v->seen)
			library_writer(a->l->c->lib, a->v->id, &f->writer);
	}
	if (f->how == CONTENTS_WAITING && !a->wanted)
		f->how = CONTENTS_OFF;
	else if (f->how == CONTENTS_OFF && a->wanted)
		f->how = CONTENTS_WAITING;
	return file_row_put(a->l->c, f);
}

static void count_new(struct look_volume *v, const struct contents_file *f)
{
	if (f->how == CONTENTS_WAITING) {
		v->files++;
		v->bytes += f->bytes;
		if (f->file < v->next[f->partition])
			v->next[f->partition] = f->file;
	}
	v->off = v->off || f->how == CONTENTS_OFF;
	if (f->how == CONTENTS_LABELS && f->label.expires_ns > v->expires_ns)
		v->expires_ns = f->label.expires_ns;
	if (f->how == CONTENTS_LABELS && !f->file && !f->partition)
		v->vol1 = f->label;
}

static int add_rows(struct agree *a, uint32_t p)
{
	int r;

	do {
		r = look_new(a, p);
		for (unsigned i = 0; !r && i < a->files; i++) {
			struct contents_file *f = &a->file[i];

			r = put_new(a, f);
			if (r)
				break;
			count_new(a->v, f);
			a->rows[p] = f->file + 1;
			a->objects[p] = f->last + 1;
		}
		if (!r)
			r = look_pace(a->l, NULL);
	} while (!r && a->files == FILES_AT_ONCE);
	return r;
}

/* ---- what rows know already ------------------------------------------------------------------------------------- */

struct recount { struct agree *a; struct contents_file *turn; size_t turns; };

/* The rows are walked, not changed meanwhile: those that are no longer off are put when it is over. */
static int recount_row(void *ctx, const struct contents_file *f)
{
	struct recount *rc = ctx;
	struct contents_file *more;

	if (f->how != CONTENTS_OFF || !rc->a->wanted) {
		count_new(rc->a->v, f);
		return 0;
	}
	if (rc->turns == FILES_AT_ONCE)
		return AGREE_AGAIN;
	if (!rc->turn) {
		more = calloc(FILES_AT_ONCE, sizeof(*more));
		if (!more)
			return err_origin(-ENOMEM);
		rc->turn = more;
	}
	rc->turn[rc->turns] = *f;
	rc->turn[rc->turns++].how = CONTENTS_WAITING;
	return 0;
}

static int recount_partition(struct agree *a, uint32_t p)
{
	struct recount rc = { .a = a };
	uint64_t from = 0;
	int r, put = 0;

	do {
		rc.turns = 0;
		r = file_row_each(a->l->c, a->v->id, p, from, recount_row, &rc);
		for (size_t i = 0; !put && i < rc.turns; i++) {
			put = file_row_put(a->l->c, &rc.turn[i]);
			count_new(a->v, &rc.turn[i]);
			from = rc.turn[i].file + 1;
		}
	} while (!put && r == AGREE_AGAIN);
	free(rc.turn);
	return put ? put : r == AGREE_AGAIN ? 0 : r;
}

static void know_nothing(struct look_volume *v)
{
	v->known = v->off = false;
	v->files = v->bytes = v->expires_ns = 0;
	v->vol1 = (struct contents_label){ .kind = LABEL_NONE };
	for (uint32_t p = 0; p < TAPE_PARTITIONS_MAX; p++)
		v->next[p] = UINT64_MAX;
}

/* Of rows that all were looked at row V has the sum. */
static int know_rows(struct agree *a)
{
	struct look_volume *v = a->v;
	int r = 0;

	if (v->known && !a->cut && !(v->off && a->wanted))
		return 0;
	know_nothing(v);
	if (a->had && a->row.done && !a->cut && !(a->row.off && a->wanted)) {
		v->expires_ns = a->row.expires_ns;
		v->vol1 = a->row.vol1;
		v->off = a->row.off;
	} else {
		for (uint32_t p = 0; !r && p < TAPE_PARTITIONS_MAX; p++)
			r = recount_partition(a, p);
	}
	v->known = !r;
	return r;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static int row_put(struct agree *a, uint64_t generation)
{
	const struct look_volume *v = a->v;
	struct volume_row row = {
		.generation = generation, .stretch = a->tape.stretch, .files = a->rows[0],
		.oldest = a->row.oldest, .off = v->off,
		.done = generation && !v->files, .expires_ns = v->expires_ns, .vol1 = v->vol1,
	};

	for (uint32_t p = 0; generation && p < TAPE_PARTITIONS_MAX; p++)
		row.objects += a->objects[p];
	return volume_row_put(a->l->c, a->v->id, &row);
}

/* The tape as it is.  Row V may name a generation that is committed, else 0. */
static int look_at_tape(struct agree *a, struct volume_stat *out)
{
	struct volume_stat seen, peeked;
	int r = library_stat(a->l->c->lib, a->v->id, &seen);

	if (!r)
		r = volume_peek(a->l->c->kv, a->v->id, &peeked);
	if (r)
		return r;
	if (seen.generation != peeked.generation)
		seen.generation = 0;
	*out = seen;
	return 0;
}

/* Steps 2 and 3. */
static int agree_rows(struct agree *a)
{
	uint32_t partitions = 0;
	int r = count_rows(a, &partitions);

	for (uint32_t p = 0; !r && p < TAPE_PARTITIONS_MAX; p++)
		r = keep_rows(a, p);
	if (!r)
		r = know_rows(a);
	for (uint32_t p = 0; !r && p < partitions; p++)
		r = add_rows(a, p);
	return r;
}

static int agree_once(struct agree *a)
{
	struct volume_stat after = { 0 };
	int r = look_at_tape(a, &a->tape);

	memset(a->rows, 0, sizeof(a->rows));
	a->whole = true;
	a->cut = false;
	if (!r)
		r = row_put(a, 0);
	if (!r)
		r = agree_rows(a);
	if (!r)
		r = look_at_tape(a, &after);
	if (!r && after.stretch != a->tape.stretch)
		r = AGREE_AGAIN;
	a->v->behind = r || !after.generation || !a->whole;
	return r ? r : row_put(a, after.generation);
}

/* Nothing happened to it since row V was written, and what that says of it is known. */
static int agrees_already(struct agree *a, bool *yes)
{
	struct volume_stat st;
	int r = library_stat(a->l->c->lib, a->v->id, &st);

	*yes = !r && a->had && truth_agrees(&a->row, &st) && !(a->row.off && a->wanted);
	if (*yes && !a->v->known)
		r = know_rows(a);
	return r;
}

int look_agree(struct look *l, const struct catalog_volume *row, struct look_volume *v)
{
	CLEANUP(freep) struct agree *a = calloc(1, sizeof(*a));
	bool already = false;
	int r;

	if (!a)
		return err_origin(-ENOMEM);
	a->l = l;
	a->v = v;
	a->wanted = contents_wanted(l->c, row);
	r = truth_volume_row(l->c, v->id, &a->row);
	if (r < 0)
		return r;
	a->had = !r;
	if (!a->had)
		a->row.oldest = look_oldest(l->c, v->id);
	r = agrees_already(a, &already);
	v->behind = false;
	if (r || already)
		return r;
	for (unsigned i = 0; i < TRIES; i++) {
		r = agree_once(a);
		if (r != AGREE_AGAIN)
			break;
		a->row.done = false;
		v->known = false;
	}
	if (r)
		return r == AGREE_AGAIN ? 0 : r;
	v->wrote = v->wrote && v->behind;
	return 0;
}
