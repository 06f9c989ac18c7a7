/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From damaged chunks back to the tapes: which bytes, which records, which tape files.  Use rows lead from a pack to
 * the maps that use it, heads from a volume to its maps; nothing leads from a map to its volume, so all heads are
 * looked at, but only the maps that use a damaged pack are walked.  That is for the rare bad day.
 *
 * It tells what is committed, beside writers and the collector.  A map that cannot be read does not hide the others:
 * the first such failure is returned when everything else was told.
 */
#include "tape/shelf.h"
#include "tape/volume_heads.h"
#include "tape/volume_index.h"

#include <errno.h>

/* ---- sets of numbers -------------------------------------------------------------------------------------------- */

struct numbers {
	uint64_t *number;
	size_t count, room;
};

static int numbers_add(struct numbers *s, uint64_t number)
{
	if (s->count && s->number[s->count - 1] == number)
		return 0;
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 16;
		uint64_t *more = reallocarray(s->number, room, sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		s->number = more;
		s->room = room;
	}
	s->number[s->count++] = number;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void numbers_sort(struct numbers *s)
{
	size_t kept = 0;

	if (!s->count)
		return;
	qsort(s->number, s->count, sizeof(*s->number), compare);
	for (size_t i = 1; i < s->count; i++)
		if (s->number[i] != s->number[kept])
			s->number[++kept] = s->number[i];
	s->count = kept + 1;
}

static bool numbers_have(const struct numbers *s, uint64_t number)
{
	return s->count && bsearch(&number, s->number, s->count, sizeof(*s->number), compare);
}

/* ---- what is damaged, and who uses it --------------------------------------------------------------------------- */

struct search {
	struct kv *kv;
	struct chunk_store *cs;
	struct numbers packs, maps;	/* with damage that is not healed; that use such packs */
	int (*each)(void *ctx, const struct tape_hurt *h);
	void *ctx;
	int failed;			/* the first map that could not be read */
};

static void search_fini(struct search *q)
{
	free(q->packs.number);
	free(q->maps.number);
}

static int add_pack(void *ctx, struct pack_ref ref, bool healed)
{
	struct search *q = ctx;

	return healed ? 0 : numbers_add(&q->packs, ref.pack);
}

static int add_maps(struct search *q, uint64_t pack)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key uses = key_uses(pack);
	int r = kv_iter_new(q->kv, KV_MAP, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, uses.b, uses.len); !r && kv_iter_in(it, uses.b, uses.len); kv_iter_next(it)) {
		uint64_t map;
		size_t len;
		const uint8_t *key = kv_iter_key(it, &len);

		r = key_tail_number(key, len, &map);
		r = r ? r : numbers_add(&q->maps, map);
	}
	return r ? r : kv_iter_error(it);
}

static int search_begin(struct search *q)
{
	int r = chunk_store_each_bad(q->cs, add_pack, q);

	numbers_sort(&q->packs);
	for (size_t i = 0; !r && i < q->packs.count; i++)
		r = add_maps(q, q->packs.number[i]);
	numbers_sort(&q->maps);
	return r;
}

/* ---- one partition of one generation ---------------------------------------------------------------------------- */

/* Ranges come in the order of the stream; the last one is held back, since the next may go on where it ends. */
struct strip {
	struct search *q;
	struct tape_hurt h;	/* of the partition; .from and .to are the last range, empty if there is none */
	struct lookup x;
};

static bool begins_before(const struct tape_tally *t, void *offset)
{
	return t->bytes <= *(uint64_t *)offset;
}

static bool fewer_marks(const struct tape_tally *t, void *marks)
{
	return t->marks < *(uint64_t *)marks;
}

/* The record that holds a byte of the stream. */
static int record_at(const struct strip *s, uint64_t offset, struct tape_tally *out)
{
	return lookup_find(&s->x, begins_before, &offset, out);
}

/* From where to where in the stream tape file @file goes. */
static int file_bounds(const struct strip *s, uint64_t file, uint64_t *from, uint64_t *to)
{
	struct tape_tally before = { 0 }, behind;
	uint64_t next = file + 1;
	int r = file ? lookup_find(&s->x, fewer_marks, &file, &before) : 0;

	r = r ? r : lookup_find(&s->x, fewer_marks, &next, &behind);
	if (r)
		return r;
	*from = before.bytes;
	*to = behind.bytes;
	return 0;
}

/* The part of [from, to) that is in one tape file; *told is where it ends. */
static int tell_in_file(const struct strip *s, uint64_t from, uint64_t to, uint64_t *told)
{
	struct tape_hurt h = s->h;
	struct tape_tally first, last;
	int r = record_at(s, from, &first);

	r = r ? r : file_bounds(s, first.marks, &h.file_from, &h.file_to);
	if (r)
		return r;
	h.file = first.marks;
	h.from = from;
	h.to = to < h.file_to ? to : h.file_to;
	r = record_at(s, h.to - 1, &last);
	if (r)
		return r;
	h.first_object = first.objects;
	h.last_object = last.objects;
	*told = h.to;
	return s->q->each(s->q->ctx, &h);
}

static int tell_range(const struct strip *s)
{
	uint64_t at = s->h.from;
	int r = 0;

	while (!r && at < s->h.to)
		r = tell_in_file(s, at, s->h.to, &at);
	return r;
}

/* One that overlaps the last one or goes on where it ends is one with it. */
static int add_range(struct strip *s, uint64_t from, uint64_t to)
{
	struct tape_hurt *h = &s->h;
	int r;

	if (h->from < h->to && from <= h->to && h->from <= to) {
		h->from = from < h->from ? from : h->from;
		h->to = to > h->to ? to : h->to;
		return 0;
	}
	r = tell_range(s);
	h->from = from;
	h->to = to;
	return r;
}

static bool any_bad(const struct strip *s, struct pack_ref ref, uint32_t slots)
{
	for (; slots; slots--, ref.slot++)
		if (chunk_store_is_bad(s->q->cs, ref))
			return true;
	return false;
}

/* Behind a chunk of unknown length nobody knows where in the run the others are: all of it, if any is damaged. */
static int add_run(struct strip *s, const struct chunk_extent *run, uint64_t at)
{
	uint64_t offset = 0;
	uint32_t len;
	int r = 0;

	if (!numbers_have(&s->q->packs, run->pack))
		return 0;
	for (uint32_t i = 0; !r && i < run->slots && offset < run->len; i++, offset += len) {
		const struct pack_ref ref = { run->pack, run->slot + i };
		uint64_t end;

		if (chunk_slot_len(s->q->cs, ref, &len))
			return any_bad(s, ref, run->slots - i) ? add_range(s, at + offset, at + run->len) : 0;
		end = offset + len < run->len ? offset + len : run->len;
		if (chunk_store_is_bad(s->q->cs, ref))
			r = add_range(s, at + offset, at + end);
	}
	return r;
}

/* A map that cannot be read, though its head is still there: told by tape_check(), passed over here. */
static int passed_over(struct search *q, const struct tape_hurt *h, int r)
{
	struct map_key key = key_head(h->volume, h->generation);

	if (r != -EBADMSG && r != -EUCLEAN)
		return r;
	if (!q->failed && kv_any(q->kv, KV_MAP, key.b, key.len) == 0)
		q->failed = r;
	return 0;
}

/* Where the next page begins, behind one that cannot be read. */
static int next_page(const struct strip *s, uint64_t map, uint64_t *at)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_key next = key_page(PAGE_CHUNKS, map, *at + 1), pages = key_pages(PAGE_CHUNKS, map);
	const uint8_t *key;
	size_t len;
	int r = kv_iter_new(s->q->kv, KV_MAP, &it);

	if (r)
		return r;
	kv_iter_seek(it, next.b, next.len);
	*at = UINT64_MAX;
	if (!kv_iter_in(it, pages.b, pages.len))
		return kv_iter_error(it);
	key = kv_iter_key(it, &len);
	return key_tail_number(key, len, at);
}

static int add_stretch(struct strip *s, uint32_t i)
{
	const struct head_partition *part = s->x.head;
	uint64_t at = part->stretch[i].from.bytes, end = stretch_end(part, i)->bytes;
	int r = 0;

	while (!r && at < end) {
		struct chunk_extent run;
		uint64_t start;
		int missing = lookup_extent(&s->x, at, part->end.bytes, &run, &start);

		if (missing) {
			r = passed_over(s->q, &s->h, missing);
			r = r ? r : next_page(s, part->stretch[i].map, &at);
			continue;
		}
		r = add_run(s, &run, start);
		at = start + run.len;
	}
	return r;
}

static int add_partition(struct strip *s)
{
	const struct head_partition *part = s->x.head;
	int r = 0;

	for (uint32_t i = 0; !r && i < part->stretches; i++)
		if (numbers_have(&s->q->maps, part->stretch[i].map))
			r = passed_over(s->q, &s->h, add_stretch(s, i));
	return r ? r : passed_over(s->q, &s->h, tell_range(s));
}

/* ---- heads ------------------------------------------------------------------------------------------------------ */

static int add_head(struct search *q, uint64_t volume, const struct head *h, bool current)
{
	CLEANUP(page_cache_fini) struct page_cache cache = { 0 };
	const struct tail none = { 0 };
	int r = 0;

	for (uint32_t p = 0; !r && p < h->partitions; p++) {
		struct strip s = {
			.q = q,
			.h = { .volume = volume, .generation = h->generation, .current = current, .partition = p },
			.x = { q->kv, &cache, &h->part[p], &none, &none },
		};

		r = add_partition(&s);
	}
	return r;
}

static int add_volume(struct search *q, uint64_t volume)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	int r = heads_read_all(q->kv, volume, &hs);

	for (size_t i = 0; !r && i < hs.count; i++)
		r = add_head(q, volume, &hs.row[i].head, !i);
	return r;
}

int tape_each_hurt(struct shelf *sh, int (*each)(void *ctx, const struct tape_hurt *h), void *ctx)
{
	CLEANUP(search_fini) struct search q = { .kv = sh->kv, .cs = sh->cs, .each = each, .ctx = ctx };
	uint64_t volume = 0;
	int r = search_begin(&q);

	if (r || !q.maps.count)
		return r;
	do {
		r = heads_next_volume(q.kv, volume, &volume);
		if (r)
			return r == KV_E_NONE ? q.failed : r;
		r = add_volume(&q, volume);
		if (r && r != -ENOENT)		/* that one was destroyed meanwhile */
			return r;
	} while (volume++ != UINT64_MAX);
	return q.failed;
}

int volume_each_hurt(struct shelf *sh, uint64_t id, int (*each)(void *ctx, const struct tape_hurt *h), void *ctx)
{
	CLEANUP(search_fini) struct search q = { .kv = sh->kv, .cs = sh->cs, .each = each, .ctx = ctx };
	int r = search_begin(&q);

	r = r ? r : add_volume(&q, id);
	return r ? r : q.failed;
}

/* ---- a pack ----------------------------------------------------------------------------------------------------- */

static bool head_has(const struct head *h, const struct numbers *maps)
{
	for (uint32_t p = 0; p < h->partitions; p++)
		for (uint32_t i = 0; i < h->part[p].stretches; i++)
			if (numbers_have(maps, h->part[p].stretch[i].map))
				return true;
	return false;
}

static int volume_has(const struct search *q, uint64_t volume, bool *has)
{
	CLEANUP(heads_fini) struct heads hs = { 0 };
	int r = heads_read_all(q->kv, volume, &hs);

	*has = false;
	for (size_t i = 0; !r && i < hs.count && !*has; i++)
		*has = head_has(&hs.row[i].head, &q->maps);
	return r == -ENOENT ? 0 : r;
}

int volume_each_in_pack(struct kv *kv, uint64_t pack, int (*each)(void *ctx, uint64_t volume), void *ctx)
{
	CLEANUP(search_fini) struct search q = { .kv = kv };
	uint64_t volume = 0;
	int r = add_maps(&q, pack);

	if (r || !q.maps.count)
		return r;
	do {
		bool has;

		r = heads_next_volume(kv, volume, &volume);
		if (r)
			return r == KV_E_NONE ? 0 : r;
		r = volume_has(&q, volume, &has);
		r = r || !has ? r : each(ctx, volume);
	} while (!r && volume++ != UINT64_MAX);
	return r;
}
