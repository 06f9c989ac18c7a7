/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was written goes away: written over, erased, formatted.
 *
 * The rule: no record that a commit made durable is ever lost by a cut.  If one would be, the volume as it is becomes
 * an old generation, whole, and the new one shares its maps up to the cut and goes on in maps of its own.  Only what
 * was never committed, and filemarks, are cut off in place: there is nothing in them that anybody would want back.
 * A generation exists from its first commit on, so a tape that is cut and cut again before that has one new generation.
 */
#include "tape/volume.h"

#include <assert.h>
#include <errno.h>

/* Stretches of one map beyond this many are merged, see cut_number(). */
#define NUMBERS_MAX 256u

/* ---- may we ----------------------------------------------------------------------------------------------------- */

static bool only_marks(const struct volume *v, uint32_t p, const struct tape_tally *at)
{
	return tape_tally_records(&v->head.part[p].end) == tape_tally_records(at);
}

/* Asked at the moment of the act: a lock begins and ends while a volume is open. */
static bool only_grows(const struct volume *v)
{
	return v->attr.worm || clock_retention_ns() < v->attr.locked_until_ns;
}

/*
 * What is written on a tape that only grows stays, but for filemarks at its end that were written since it was opened:
 * a program whose close left a mark, and that goes on, takes that mark back or writes a record over it.  Marks of an
 * earlier time stay, also before a record is appended.  (Our choice; some drives let the last marks on a WORM cartridge
 * be written over whoever wrote them.)
 */
static int may_cut(const struct volume *v, uint32_t p, const struct tape_tally *at)
{
	if (v->attr.protect)
		return TAPE_E_PROTECTED;
	if (!only_grows(v) || at->objects == v->head.part[p].end.objects)
		return 0;
	return at->objects >= v->partition[p].own_from && only_marks(v, p, at) ? 0 : TAPE_E_PROTECTED;
}

void volume_session_ends(struct volume *v)
{
	LOCK_SCOPE(&v->lock);

	for (uint32_t p = 0; p < v->head.partitions; p++)
		v->partition[p].own_from = v->head.part[p].end.objects;
}

static int tally_at(struct volume *v, uint32_t p, uint64_t object, struct tape_tally *out)
{
	struct lookup x;
	int r = volume_look(v, p, &x);

	if (!r && object > x.head->end.objects)
		r = err_origin(-ERANGE);
	return r ? r : lookup_tally(&x, object, out);
}

int volume_may_cut(struct volume *v, uint32_t p, uint64_t object)
{
	LOCK_SCOPE(&v->lock);
	struct tape_tally at;
	int r = tally_at(v, p, object, &at);

	return r ? r : may_cut(v, p, &at);
}

/* ---- numbers and counters --------------------------------------------------------------------------------------- */

/*
 * What is appended from now on is another stretch, though in the same map.  Stretches of one map exist only so that old
 * numbers stay true: when there are very many of them they become one with a new number.  Who remembers an old one then
 * takes the tape for changed, which is safe.
 */
static void cut_number(struct head_partition *h)
{
	struct stretch *last = &h->stretch[h->stretches - 1];
	const struct stretch next = { .map = last->map, .number = head_new_number(), .from = h->end };
	uint32_t first = h->stretches - 1;
	int r;

	while (first > 0 && h->stretch[first - 1].map == next.map)
		first--;
	if (last->from.objects == h->end.objects) {
		last->number = next.number;
	} else if (h->stretches - first < NUMBERS_MAX) {
		r = head_partition_push(h, &next);
		assert(!r);	/* volume_prepare() made room */
		(void)r;
	} else {
		h->stretch[first].number = next.number;
		h->stretches = first + 1;
	}
}

/* What a generation says that it cost follows what is left of it, in proportion. */
static void scale_costs(struct head *h, uint64_t bytes_before)
{
	struct volume_stat st;
	double left;

	if (!bytes_before)
		return;
	head_stat(h, &st);
	left = (double)st.end.bytes / (double)bytes_before;
	h->unique_bytes = (uint64_t)((double)h->unique_bytes * left);
	h->stored_bytes = (uint64_t)((double)h->stored_bytes * left);
}

static uint64_t bytes_of(const struct head *h)
{
	struct volume_stat st;

	head_stat(h, &st);
	return st.end.bytes;
}

/* ---- in place --------------------------------------------------------------------------------------------------- */

static bool tail_reaches(const struct tail *t, const struct tape_tally *at)
{
	enum page_kind kind = t->page[0]->kind;

	return tally_measure(&t->page[0]->from, kind) <= tally_measure(at, kind);
}

static bool stays_in_tail(const struct volume *v, uint32_t p, const struct tape_tally *at)
{
	const struct partition *part = &v->partition[p];

	return tail_reaches(&part->objects, at) && tail_reaches(&part->chunks, at) &&
	       (at->objects >= part->committed.objects || only_marks(v, p, at));
}

void volume_cut_tail(struct volume *v, uint32_t p, const struct tape_tally *at)
{
	struct partition *part = &v->partition[p];
	struct head_partition *h = &v->head.part[p];
	uint64_t before = bytes_of(&v->head);

	while (h->stretches > 1 && h->stretch[h->stretches - 1].from.objects > at->objects)
		h->stretches--;
	h->end = *at;
	cut_number(h);
	scale_costs(&v->head, before);
	tail_clip(&part->objects, at);
	tail_clip(&part->chunks, at);
	part->stored = at->bytes;
	if (part->committed.objects > at->objects)
		part->committed = *at;
	if (part->own_from > at->objects)
		part->own_from = at->objects;
	part->cuts++;
	v->head.written_ns = clock_now_ns();
	v->dirty = true;
}

/* ---- into a new generation -------------------------------------------------------------------------------------- */

/* Nothing of what is open in memory fits the new head any more. */
static void restart_partition(struct volume *v, uint32_t p, const struct tape_tally *end)
{
	struct partition *part = &v->partition[p];

	tail_fini(&part->objects);
	tail_fini(&part->chunks);
	part->committed = *end;
	part->stored = end->bytes;
	if (part->own_from > end->objects)
		part->own_from = end->objects;
	part->cuts++;
}

/* @next, which it takes, is the head from now on: of a new generation if @begins. */
static void adopt_head(struct volume *v, struct head *next, bool begins)
{
	uint64_t now = clock_retention_ns();

	scale_costs(next, bytes_of(&v->head));
	next->written_ns = clock_now_ns();
	if (begins) {
		v->before = v->head;
		v->before.ended_ns = now;
		next->generation++;
		next->begun_ns = now;
		v->fresh = true;
	} else {
		head_fini(&v->head);
	}
	v->head = *next;
	memset(next, 0, sizeof(*next));
	v->dirty = true;
}

static int fork_at(struct volume *v, uint32_t p, const struct tape_tally *at)
{
	LOCK_SCOPE(&v->lock);
	CLEANUP(head_fini) struct head next = { 0 };
	bool begins = !v->fresh;	/* then every partition forks: old and new never write in the same map */
	int r = head_copy(&v->head, &next);

	for (uint32_t i = 0; !r && i < next.partitions; i++)
		if (i == p || begins)
			r = head_partition_fork(&next.part[i], i == p ? at : &v->head.part[i].end);
	if (r)
		return r;
	for (uint32_t i = 0; i < next.partitions; i++)
		if (i == p || begins)
			restart_partition(v, i, &next.part[i].end);
	adopt_head(v, &next, begins);
	return 0;
}

enum { CUT_FORKS = 1 };

/* 0: cut, or there was nothing to cut.  CUT_FORKS: it takes a new generation, from @at on. */
static int cut_in_place(struct volume *v, uint32_t p, uint64_t object, struct tape_tally *at)
{
	LOCK_SCOPE(&v->lock);
	int r = tally_at(v, p, object, at);

	if (r || at->objects == v->head.part[p].end.objects)
		return r;
	r = volume_prepare(v, p);
	if (r)
		return r;
	if (!stays_in_tail(v, p, at))
		return CUT_FORKS;
	volume_cut_tail(v, p, at);
	return 0;
}

int volume_truncate(struct volume *v, uint32_t p, uint64_t object)
{
	LOCK_SCOPE(&v->writing);
	struct tape_tally at;
	int r = volume_end(v, p, &at);

	if (r || object == at.objects)
		return r;
	volume_alone(v);
	r = volume_flush(v);
	r = r ? r : volume_may_cut(v, p, object);
	if (r)
		return r;
	r = cut_in_place(v, p, object, &at);
	if (r != CUT_FORKS)
		return r;
	/* The old generation keeps all that was appended to it, also what is not committed yet. */
	r = v->fresh ? 0 : volume_commit_all(v);
	return r ? r : fork_at(v, p, &at);
}

/* ---- format ----------------------------------------------------------------------------------------------------- */

static int may_format(const struct volume *v, uint32_t partitions, bool blank)
{
	if (partitions < 1 || partitions > TAPE_PARTITIONS_MAX)
		return err_explain(-EINVAL, "a tape has 1 to %u partitions, not %u", TAPE_PARTITIONS_MAX, partitions);
	return v->attr.protect || (only_grows(v) && !blank) ? TAPE_E_PROTECTED : 0;
}

int volume_format(struct volume *v, uint32_t partitions)
{
	return volume_format_sized(v, partitions, (const uint64_t[TAPE_PARTITIONS_MAX]){ 0 });
}

int volume_format_sized(struct volume *v, uint32_t partitions, const uint64_t bytes[TAPE_PARTITIONS_MAX])
{
	LOCK_SCOPE(&v->writing);
	struct head next = { .partitions = partitions };
	struct volume_stat st;
	int r;

	volume_alone(v);
	volume_stat(v, &st);
	r = may_format(v, partitions, !st.end.objects);
	r = r ? r : volume_flush(v);
	r = r || v->fresh ? r : volume_commit_all(v);
	if (r)
		return r;

	LOCK_SCOPE(&v->lock);
	next.generation = v->head.generation;
	next.begun_ns = v->head.begun_ns;
	memcpy(next.size, bytes, partitions * sizeof(*bytes));
	for (uint32_t p = 0; p < TAPE_PARTITIONS_MAX; p++)
		restart_partition(v, p, &next.part[p].end);
	adopt_head(v, &next, !v->fresh && st.end.objects);
	return 0;
}
