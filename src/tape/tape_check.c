/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A check of everything that heads, maps and use rows say, trusting no cache.
 *
 * Volume by volume: its heads, then each map that they need.  Then the maps that only drop rows speak of, then pages
 * that nobody speaks of, then all use rows.  In memory are the heads of one volume, the packs of one map, and 24 bytes
 * for every map of the store.
 */
#include "tape/shelf.h"
#include "tape/tape_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- telling ---------------------------------------------------------------------------------------------------- */

void tape_check_fault(struct check *k, const struct map_span *m, bool repaired, const char *fmt, ...)
{
	char words[400];
	int n = 0;
	va_list ap;

	if (m && m->generation)
		n = snprintf(words, sizeof(words), "generation %" PRIu64 ", partition %u: ", m->generation,
			     m->partition);
	else if (m && m->map)
		n = snprintf(words, sizeof(words), "map %016" PRIx64 ": ", m->map);
	va_start(ap, fmt);
	vsnprintf(words + n, sizeof(words) - (size_t)n, fmt, ap);
	va_end(ap);
	k->sum.faults++;
	k->sum.repaired += repaired;
	if (k->cfg->found)
		k->cfg->found(k->cfg->ctx, m ? m->volume : 0, words, repaired);
}

static void head_fault(struct check *k, uint64_t volume, uint64_t generation, const char *words)
{
	tape_check_fault(k, &(struct map_span){ .volume = volume }, false, "generation %" PRIu64 ": %s", generation,
			 words);
}

/* ---- what heads need -------------------------------------------------------------------------------------------- */

/* A stretch of a head. */
struct need {
	uint64_t map, generation;
	uint32_t partition, index;
	struct tape_tally from, to;
	bool open;		/* the last one of the current generation: what is appended goes to its map */
};
struct needs {
	struct need *need;
	size_t count, room;
	bool unsure;		/* there are heads that cannot be read */
};

static void needs_fini(struct needs *ns)
{
	free(ns->need);
	*ns = (struct needs){ 0 };
}

static int needs_push(struct needs *ns, const struct need *n)
{
	if (ns->count == ns->room) {
		size_t room = ns->room ? 2 * ns->room : 16;
		struct need *more = reallocarray(ns->need, room, sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		ns->need = more;
		ns->room = room;
	}
	ns->need[ns->count++] = *n;
	return 0;
}

static int needs_add_head(struct needs *ns, const struct head *h, bool current)
{
	int r = 0;

	for (uint32_t p = 0; p < h->partitions; p++) {
		const struct head_partition *part = &h->part[p];

		for (uint32_t i = 0; !r && i < part->stretches; i++)
			r = needs_push(ns, &(struct need){
				.map = part->stretch[i].map, .generation = h->generation, .partition = p, .index = i,
				.from = part->stretch[i].from, .to = *stretch_end(part, i),
				.open = current && i + 1 == part->stretches,
			});
	}
	return r;
}

/* In the order of maps; of one map newest generations first, in the order of the tape. */
static int by_map(const void *a, const void *b)
{
	const struct need *x = a, *y = b;

	if (x->map != y->map)
		return x->map < y->map ? -1 : 1;
	if (x->generation != y->generation)
		return x->generation > y->generation ? -1 : 1;
	if (x->partition != y->partition)
		return x->partition < y->partition ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static void needs_sort(struct needs *ns)
{
	if (ns->count)
		qsort(ns->need, ns->count, sizeof(*ns->need), by_map);
}

/* How many of the needs from @i on are of one map. */
static size_t needs_of_map(const struct needs *ns, size_t i)
{
	size_t n = 1;

	while (i + n < ns->count && ns->need[i + n].map == ns->need[i].map)
		n++;
	return n;
}

static void span_of_needs(const struct needs *ns, size_t at, size_t count, uint64_t volume, struct map_span *out)
{
	const struct need *n = &ns->need[at];

	*out = (struct map_span){
		.map = n->map, .volume = volume, .generation = n->generation, .partition = n->partition,
		.from = n->from, .to = n->to, .unsure = ns->unsure, .open = n->open,
	};
	for (size_t i = 1; i < count; i++) {
		out->open = out->open || n[i].open;
		if (n[i].to.objects > out->to.objects || n[i].to.bytes > out->to.bytes) {
			out->to = n[i].to;
			out->generation = n[i].generation;
		}
	}
}

/* ---- what waits to be freed ------------------------------------------------------------------------------------- */

/* @bad (may be NULL): a row that cannot be read; NULL: it is passed over. */
static int span_add_drops(struct kv_iter *it, struct map_span *m, void (*bad)(void *ctx, int r), void *ctx)
{
	struct map_key first = key_drop(m->map, 0);

	for (kv_iter_seek(it, first.b, first.len); kv_iter_in(it, first.b, 9); kv_iter_next(it)) {
		size_t klen, vlen;
		const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
		struct drop d;
		uint64_t map;
		int r = drop_unpack(k, klen, v, vlen, &map, &d);

		if (r && bad) {
			bad(ctx, r);
		} else if (!r && !m->dropped) {
			m->drop = d;
			m->dropped = true;
		} else if (!r && d.to > m->drop.to) {
			m->drop.to = d.to;
		}
	}
	if (!m->volume && m->dropped)
		m->from = m->to = (struct tape_tally){ .objects = m->drop.object, .bytes = m->drop.from };
	m->orphan = !m->volume && !m->dropped;
	return kv_iter_error(it);
}

static int load_heads(struct kv_iter *it, uint64_t volume, struct needs *out)
{
	struct map_key heads = key_heads(volume);
	int r = 0;

	for (kv_iter_seek(it, heads.b, heads.len); !r && kv_iter_in(it, heads.b, heads.len); kv_iter_next(it)) {
		CLEANUP(head_fini) struct head h = { 0 };
		size_t klen, vlen;
		const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
		uint64_t generation;

		if (!key_tail_number(k, klen, &generation) && !head_unpack(v, vlen, generation, &h))
			r = needs_add_head(out, &h, false);
		else
			out->unsure = true;
	}
	return r ? r : kv_iter_error(it);
}

int map_span_load(struct kv_iter *it, uint64_t volume, uint64_t map, struct map_span *out)
{
	CLEANUP(needs_fini) struct needs ns = { 0 };
	struct map_span m = { .map = map };
	int r = volume ? load_heads(it, volume, &ns) : 0;

	needs_sort(&ns);
	for (size_t i = 0, n; !r && i < ns.count; i += n) {
		n = needs_of_map(&ns, i);
		if (ns.need[i].map == map)
			span_of_needs(&ns, i, n, volume, &m);
	}
	r = r ? r : span_add_drops(it, &m, NULL, NULL);
	if (!r)
		*out = m;
	return r;
}

/* ---- a map ------------------------------------------------------------------------------------------------------ */

struct drop_fault { struct check *k; const struct map_span *m; };

static void bad_drop(void *ctx, int r)
{
	const struct drop_fault *f = ctx;

	tape_check_fault(f->k, f->m, false, "%s", err_text(r));
}

static void check_drop(struct check *k, const struct map_span *m)
{
	if (!m->dropped || !m->volume)
		return;
	if (m->drop.object < m->to.objects || m->drop.from < m->to.bytes)
		tape_check_fault(k, m, false,
				 "from object %" PRIu64
				 " on its map waits to be freed, though it is needed up to %" PRIu64,
				 m->drop.object, m->to.objects);
}

static int by_objects(const void *a, const void *b)
{
	const struct tape_tally *x = a, *y = b;

	return (x->objects > y->objects) - (x->objects < y->objects);
}

/* Where stretches begin and end. */
static int points_of(const struct need *n, size_t count, struct tape_tally **out)
{
	struct tape_tally *p = reallocarray(NULL, 2 * count, sizeof(*p));

	if (!p)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < count; i++) {
		p[2 * i] = n[i].from;
		p[2 * i + 1] = n[i].to;
	}
	qsort(p, 2 * count, sizeof(*p), by_objects);
	*out = p;
	return 0;
}

static int check_map(struct check *k, struct map_span *m, const struct tape_tally *point, size_t points)
{
	struct drop_fault f = { k, m };
	int r = span_add_drops(k->it, m, bad_drop, &f);

	k->sum.maps++;
	if (r)
		return r;
	check_drop(k, m);
	if (m->orphan)
		tape_check_fault(k, m, check_map_free_rest(k, m),
				 "no volume has it, and nothing says that it may be freed");
	r = check_map_objects(k, m, point, points);
	r = r ? r : check_map_chunks(k, m);
	return r ? r : check_map_uses(k, m);
}

/* A map is needed from its beginning, in one piece, by one partition; and what is written on by nobody else. */
static void check_sharing(struct check *k, const struct map_span *m, const struct need *n, size_t count)
{
	bool begins = true, whole = true, apart = false, open = false;

	for (size_t i = 0; i < count; i++) {
		bool first = !i || n[i].generation != n[i - 1].generation || n[i].partition != n[i - 1].partition;

		begins = begins && (!first || n[i].from.objects == n[0].from.objects);
		whole = whole && (first || n[i].index == n[i - 1].index + 1);
		apart = apart || n[i].generation != n[0].generation || n[i].partition != n[0].partition;
		whole = whole && n[i].partition == n[0].partition;
		open = open || n[i].open;
	}
	if (!begins)
		tape_check_fault(k, m, false, "its map begins elsewhere in another generation");
	if (!whole)
		tape_check_fault(k, m, false, "its map is in more than one place of the tape");
	if (open && apart)
		tape_check_fault(k, m, false, "it writes in a map that another generation needs");
}

static int check_needs(struct check *k, uint64_t volume, struct needs *ns)
{
	int r = 0;

	needs_sort(ns);
	for (size_t i = 0, n; !r && i < ns->count; i += n) {
		CLEANUP(freep) struct tape_tally *point = NULL;
		struct map_span m;

		n = needs_of_map(ns, i);
		span_of_needs(ns, i, n, volume, &m);
		check_sharing(k, &m, &ns->need[i], n);
		r = points_of(&ns->need[i], n, &point);
		r = r ? r : check_map(k, &m, point, 2 * n);
	}
	return r;
}

/* ---- a volume --------------------------------------------------------------------------------------------------- */

/* Newest first, so that the first one is current. */
static int check_head(struct check *k, uint64_t volume, bool current, struct needs *ns)
{
	CLEANUP(head_fini) struct head h = { 0 };
	size_t klen, vlen;
	const uint8_t *key = kv_iter_key(k->it, &klen), *v = kv_iter_value(k->it, &vlen);
	uint64_t generation;
	int r = key_tail_number(key, klen, &generation);

	r = r ? r : head_unpack(v, vlen, generation, &h);
	k->sum.generations++;
	if (r == -ENOMEM)
		return r;
	if (r) {
		head_fault(k, volume, generation, err_text(r));
		ns->unsure = true;
		return 0;
	}
	if (current && h.ended_ns)
		head_fault(k, volume, generation, "it is the newest one, and ended");
	if (!current && !h.ended_ns)
		head_fault(k, volume, generation, "it is an older one, and did not end");
	return needs_add_head(ns, &h, current);
}

static int check_volume(struct check *k, uint64_t volume)
{
	CLEANUP(needs_fini) struct needs ns = { 0 };
	struct map_key last = key_head(volume, UINT64_MAX), heads = key_heads(volume);
	bool current = true;
	int r = 0;

	kv_iter_seek_back(k->it, last.b, last.len);
	for (; !r && kv_iter_in(k->it, heads.b, heads.len); kv_iter_prev(k->it)) {
		r = check_head(k, volume, current, &ns);
		current = false;
	}
	r = r ? r : kv_iter_error(k->it);
	r = r ? r : check_needs(k, volume, &ns);
	k->sum.volumes++;
	return r || !k->cfg->progress ? r : k->cfg->progress(k->cfg->ctx, k->sum.volumes);
}

/* Nobody looks at such a row, and what it was for is not known. */
static void no_kind(struct check *k, const uint8_t *key, size_t len)
{
	tape_check_fault(k, NULL, false, "a row of %zu bytes of key, beginning with %02x, is of no kind", len, key[0]);
}

/* The number behind the first byte of the key, of the first row of @kind from @from on. */
static int next_number(struct check *k, uint8_t kind, uint64_t from, uint64_t *number)
{
	uint8_t key[9] = { kind };
	const uint8_t *at;
	size_t len;

	put_be64(key + 1, from);
	for (kv_iter_seek(k->it, key, sizeof(key)); kv_iter_in(k->it, &kind, 1); kv_iter_next(k->it)) {
		at = kv_iter_key(k->it, &len);
		if (len >= sizeof(key)) {
			*number = get_be64(at + 1);
			return 0;
		}
		no_kind(k, at, len);
	}
	return kv_iter_error(k->it) ? kv_iter_error(k->it) : KV_E_NONE;
}

static int each_number(struct check *k, uint8_t kind, int (*each)(struct check *k, uint64_t number))
{
	uint64_t number = 0;
	int r;

	do {
		r = next_number(k, kind, number, &number);
		if (r)
			return r == KV_E_NONE ? 0 : r;
		r = each(k, number);
	} while (!r && number++ != UINT64_MAX);
	return r;
}

/* ---- maps of no volume ------------------------------------------------------------------------------------------ */

static int check_lone_map(struct check *k, uint64_t map)
{
	struct map_span m = { .map = map };

	return check_seen(k, map) ? 0 : check_map(k, &m, NULL, 0);
}

/* Those of one kind of row are met in order, so what is found now is sorted in afterwards. */
static int check_lone_maps(struct check *k, uint8_t kind)
{
	int r = each_number(k, kind, check_lone_map);

	check_sort_seen(k);
	return r;
}

static void check_owners(struct check *k)
{
	check_sort_seen(k);
	for (size_t i = 1; i < k->seen_count; i++)
		if (k->seen[i].map == k->seen[i - 1].map)
			tape_check_fault(k, &(struct map_span){ .map = k->seen[i].map, .volume = k->seen[i].volume },
					 false, "it is also volume %" PRIu64 "'s", k->seen[i - 1].volume);
}

/* ---- rows of no kind --------------------------------------------------------------------------------------------- */

/* One of each first byte that there is is looked at; those of kinds that are walked are looked at there. */
static int check_kinds(struct check *k)
{
	static const char known[] = { 'C', 'D', 'H', 'L', 'M', 'O', 'U' };
	const uint8_t *key;
	size_t len;

	for (unsigned first = 0; first <= UINT8_MAX; first++) {
		uint8_t b = (uint8_t)first;

		kv_iter_seek(k->it, &b, 1);
		if (!kv_iter_valid(k->it))
			break;
		key = kv_iter_key(k->it, &len);
		first = key[0];
		if (!memchr(known, key[0], sizeof(known)))
			no_kind(k, key, len);
	}
	for (kv_iter_seek(k->it, "M", 1); kv_iter_in(k->it, "M", 1); kv_iter_next(k->it)) {
		key = kv_iter_key(k->it, &len);
		if (len != 9)
			no_kind(k, key, len);
	}
	return kv_iter_error(k->it);
}

/* ---- the public face -------------------------------------------------------------------------------------------- */

/* Only if nothing can be lost by it. */
static int look_whether_to_free(struct check *k)
{
	struct map_key heads = key_all_heads();
	struct kv_iter *it = k->it;

	k->may_free = k->cfg->repair && k->cfg->free_garbage;
	kv_iter_seek(it, heads.b, heads.len);
	for (; k->may_free && kv_iter_in(it, heads.b, heads.len); kv_iter_next(it)) {
		CLEANUP(head_fini) struct head h = { 0 };
		size_t klen, vlen;
		const uint8_t *key = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
		uint64_t generation;

		k->may_free = !key_tail_number(key, klen, &generation) && !head_unpack(v, vlen, generation, &h);
	}
	return kv_iter_error(it);
}

static void check_fini(struct check *k)
{
	kv_iter_free(k->it);
	free(k->seen);
}

int tape_check(struct shelf *sh, const struct tape_check_config *cfg, struct tape_checked *out)
{
	CLEANUP(check_fini) struct check k = { .sh = sh, .cfg = cfg };
	LOCK_SCOPE(&sh->gc);
	int r = kv_iter_new(sh->kv, KV_MAP, &k.it);

	r = r ? r : look_whether_to_free(&k);
	r = r ? r : each_number(&k, 'H', check_volume);
	if (r)
		return r;
	check_owners(&k);
	r = check_lone_maps(&k, 'D');
	r = r ? r : check_lone_maps(&k, PAGE_OBJECTS);
	r = r ? r : check_lone_maps(&k, PAGE_CHUNKS);
	r = r ? r : check_use_rows(&k);
	r = r ? r : check_kinds(&k);
	if (!r)
		*out = k.sum;
	return r;
}
