/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Use rows against the pages: for each map and pack the bytes that the pages have there, no row too many and none
 * missing.  A row that is missing would let the collector remove a pack that is needed; so rows that tell too little
 * are made true even if a page of the map cannot be read, rows that tell too much only if all is known of it.
 *
 * Repairs look again: at the rows as they are now, while nobody writes to the map.
 */
#include "tape/shelf.h"
#include "tape/tape_check.h"
#include "tape/volume.h"

#include <errno.h>
#include <inttypes.h>

/* ---- what there should be, and what there is -------------------------------------------------------------------- */

/* *blind: there may be more: a head or a page could not be read, or it is not known who has a page. */
static int collect_uses(struct kv_iter *it, const struct map_span *m, struct uses *out, bool *blind)
{
	struct map_key pages = key_pages(PAGE_CHUNKS, m->map);
	uint64_t limit = map_span_bytes(m);
	int r = 0;

	*blind = m->unsure;
	for (kv_iter_seek(it, pages.b, pages.len); !r && kv_iter_in(it, pages.b, pages.len); kv_iter_next(it)) {
		CLEANUP(page_freep) struct page *p = NULL;
		size_t klen, vlen;
		const uint8_t *k = kv_iter_key(it, &klen), *v = kv_iter_value(it, &vlen);
		uint64_t first;

		r = key_tail_number(k, klen, &first);
		r = r ? r : page_unpack(v, vlen, PAGE_CHUNKS, m->map, first, &p);
		*blind = *blind || r || m->orphan || p->from.bytes >= limit;
		if (r != -ENOMEM)
			r = r ? 0 : uses_add_page(out, p, 0, limit);
	}
	uses_merge(out);
	return r ? r : kv_iter_error(it);
}

/* *there: it has a row, which says *bytes; 0 if it says nothing that can be read. */
static int use_row(struct kv_iter *it, uint64_t pack, uint64_t map, bool *there, uint64_t *bytes)
{
	struct map_key key = key_use(pack, map);
	const uint8_t *v;
	size_t n;

	kv_iter_seek(it, key.b, key.len);
	*there = kv_iter_in(it, key.b, key.len);
	*bytes = 0;
	if (!*there)
		return kv_iter_error(it);
	v = kv_iter_value(it, &n);
	if (use_unpack(v, n, bytes))
		*bytes = 0;
	return 0;
}

static bool is_wrong(uint64_t is, uint64_t should, bool blind)
{
	return blind ? is < should : is != should;
}

static int uses_by_pack(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	return (x->pack > y->pack) - (x->pack < y->pack);
}

static const struct use *uses_find(const struct uses *u, uint64_t pack)
{
	const struct use key = { .pack = pack };

	return u->count ? bsearch(&key, u->use, u->count, sizeof(key), uses_by_pack) : NULL;
}

/* ---- repair ----------------------------------------------------------------------------------------------------- */

/* The row of one pack, and what the collector remembers of that pack. */
static int mend_row(struct kv_batch *b, uint64_t pack, uint64_t map, uint64_t should)
{
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	struct map_key key = key_use(pack, map), look = key_look(pack);
	int r = should ? use_pack(should, &value) : 0;

	if (!r && should)
		r = kv_batch_put(b, KV_MAP, key.b, key.len, value.data, value.len);
	else if (!r)
		r = kv_batch_delete(b, KV_MAP, key.b, key.len);
	return r ? r : kv_batch_delete(b, KV_MAP, look.b, look.len);
}

/* @whole: every row of the map, not only that of @pack */
struct mend { uint64_t volume, map, pack; bool whole; };

/* Nobody writes to the map. */
static int mend(struct kv *kv, const struct mend *w)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(uses_fini) struct uses uses = { 0 };
	struct map_span m;
	uint64_t bytes;
	bool blind, there;
	int r = kv_iter_new(kv, KV_MAP, &it);

	r = r ? r : kv_batch_new(&b);
	r = r ? r : map_span_load(it, w->volume, w->map, &m);
	r = r ? r : collect_uses(it, &m, &uses, &blind);
	for (size_t i = 0; !r && w->whole && i < uses.count; i++) {
		r = use_row(it, uses.use[i].pack, w->map, &there, &bytes);
		if (!r && is_wrong(bytes, uses.use[i].bytes, blind))
			r = mend_row(b, uses.use[i].pack, w->map, uses.use[i].bytes);
	}
	if (!r && !w->whole && !blind && !uses_find(&uses, w->pack))
		r = mend_row(b, w->pack, w->map, 0);
	return r || !kv_batch_count(b) ? r : kv_write(kv, b, true);
}

/* An open volume that may be writing in the map waits. */
static bool mend_quietly(struct check *k, const struct mend *w)
{
	struct volume *v = shelf_hold(k->sh, w->map);
	int r;

	if (v) {
		pthread_mutex_lock(&v->writing);
		volume_alone(v);
	}
	r = mend(k->sh->kv, w);
	if (v)
		pthread_mutex_unlock(&v->writing);
	shelf_release(k->sh, v);
	if (r)
		log_warn("the use of packs by map %016" PRIx64 " could not be repaired: %s", w->map, err_text(r));
	return r == 0;
}

/* ---- what nobody needs ------------------------------------------------------------------------------------------- */

/* Where the last page of the map ends; @from if there is none behind it. */
static int end_of_pages(struct kv_iter *it, uint64_t map, uint64_t from, uint64_t *end)
{
	CLEANUP(page_freep) struct page *p = NULL;
	struct map_key last = key_page(PAGE_CHUNKS, map, UINT64_MAX), pages = key_pages(PAGE_CHUNKS, map);
	const uint8_t *k, *v;
	size_t klen, vlen;
	uint64_t first;
	int r;

	*end = from;
	kv_iter_seek_back(it, last.b, last.len);
	if (!kv_iter_in(it, pages.b, pages.len))
		return kv_iter_error(it);
	k = kv_iter_key(it, &klen);
	v = kv_iter_value(it, &vlen);
	r = key_tail_number(k, klen, &first);
	r = r ? r : page_unpack(v, vlen, PAGE_CHUNKS, map, first, &p);
	if (!r && p->end.bytes > from)
		*end = p->end.bytes;
	return r;
}

/*
 * A drop row, and in the same batch the use rows that tell all that it takes from them: a crash may have left more in
 * the last page than they speak of, and what is taken off a row that does not have it would be missing there for those
 * who still need the map.
 */
static int queue_rest(struct kv *kv, struct kv_iter *it, struct map_span *m)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(uses_fini) struct uses uses = { 0 };
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	struct map_key key;
	uint64_t bytes;
	bool blind = false, there;
	int r = kv_batch_new(&b);

	m->drop = (struct drop){ .object = m->to.objects, .from = m->to.bytes };
	r = r ? r : end_of_pages(it, m->map, m->drop.from, &m->drop.to);
	m->dropped = true;
	m->orphan = false;
	/* All of every page, its last byte too. */
	r = r ? r : collect_uses(it, m, &uses, &blind);
	if (!r && blind)
		r = err_explain(-EUCLEAN, "not all of its pages can be read");
	for (size_t i = 0; !r && i < uses.count; i++) {
		r = use_row(it, uses.use[i].pack, m->map, &there, &bytes);
		if (!r && bytes != uses.use[i].bytes)
			r = mend_row(b, uses.use[i].pack, m->map, uses.use[i].bytes);
	}
	key = key_drop(m->map, m->drop.object);
	r = r ? r : drop_pack(&m->drop, &value);
	r = r ? r : kv_batch_put(b, KV_MAP, key.b, key.len, value.data, value.len);
	return r ? r : kv_write(kv, b, true);
}

/* As the rows are now, while no volume that has the map is opened. */
static int free_rest(struct kv *kv, const struct map_span *m)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct map_span now;
	int r = kv_iter_new(kv, KV_MAP, &it);

	r = r ? r : map_span_load(it, m->volume, m->map, &now);
	if (r)
		return r;
	if (now.volume != m->volume || now.to.objects != m->to.objects || now.dropped || now.unsure || now.open)
		return err_explain(-EBUSY, "it changes");
	return queue_rest(kv, it, &now);
}

bool check_map_free_rest(struct check *k, const struct map_span *m)
{
	struct volume *v;
	int r = -EBUSY;

	if (!k->may_free || m->dropped || m->unsure || m->open)
		return false;
	if (k->queued == m->map)	/* pages of the other kind are told, too */
		return true;
	v = shelf_hold(k->sh, m->map);
	if (!v)
		r = free_rest(k->sh->kv, m);
	shelf_release(k->sh, v);
	if (r)
		log_warn("what nobody needs of map %016" PRIx64 " was not queued to be freed: %s", m->map, err_text(r));
	else
		k->queued = m->map;
	return !r;
}

/* ---- one map ---------------------------------------------------------------------------------------------------- */

static int push_seen(struct check *k, const struct map_span *m, uint32_t rows)
{
	if (k->seen_count == k->seen_room) {
		size_t room = k->seen_room ? 2 * k->seen_room : 64;
		struct seen_map *more = reallocarray(k->seen, room, sizeof(*more));

		if (!more)
			return err_origin(-ENOMEM);
		k->seen = more;
		k->seen_room = room;
	}
	k->seen[k->seen_count++] = (struct seen_map){ m->map, m->volume, rows, 0 };
	return 0;
}

int check_map_uses(struct check *k, const struct map_span *m)
{
	CLEANUP(uses_fini) struct uses uses = { 0 };
	uint32_t rows = 0;
	bool blind, there, mended = false, tried = false;
	uint64_t bytes;
	int r = collect_uses(k->it, m, &uses, &blind);

	for (size_t i = 0; !r && i < uses.count; i++) {
		const struct use *u = &uses.use[i];

		r = use_row(k->it, u->pack, m->map, &there, &bytes);
		rows += there;
		if (r || !is_wrong(bytes, u->bytes, blind))
			continue;
		if (k->cfg->repair && !tried)
			mended = mend_quietly(k, &(struct mend){ m->volume, m->map, 0, true });
		tried = true;
		tape_check_fault(k, m, mended,
				 "its row says that it uses %" PRIu64 " bytes of pack %012" PRIx64 ", its map %" PRIu64,
				 bytes, u->pack, u->bytes);
	}
	return r ? r : push_seen(k, m, rows);
}

/* ---- all rows --------------------------------------------------------------------------------------------------- */

static int by_map(const void *a, const void *b)
{
	const struct seen_map *x = a, *y = b;

	return (x->map > y->map) - (x->map < y->map);
}

void check_sort_seen(struct check *k)
{
	if (k->seen_count)
		qsort(k->seen, k->seen_count, sizeof(*k->seen), by_map);
	k->seen_sorted = k->seen_count;
}

struct seen_map *check_seen(struct check *k, uint64_t map)
{
	const struct seen_map key = { .map = map };

	return k->seen_sorted ? bsearch(&key, k->seen, k->seen_sorted, sizeof(key), by_map) : NULL;
}

static int row_numbers(struct kv_iter *it, uint64_t *pack, uint64_t *map)
{
	size_t len;
	const uint8_t *key = kv_iter_key(it, &len);

	if (len != key_use(0, 0).len)
		return err_explain(-EUCLEAN, "a key of the use of packs has %zu bytes", len);
	*pack = get_be64(key + 1);
	*map = get_be64(key + 9);
	return 0;
}

/* A row that no page asks for. */
static void useless_row(struct check *k, uint64_t volume, uint64_t map, uint64_t pack)
{
	const struct map_span m = { .map = map, .volume = volume };
	bool mended = k->cfg->repair && mend_quietly(k, &(struct mend){ volume, map, pack, false });

	tape_check_fault(k, &m, mended, "a row says that its map uses pack %012" PRIx64 ", and it does not", pack);
}

static int each_row(struct check *k, int (*each)(struct check *k, uint64_t pack, uint64_t map))
{
	const uint8_t uses = 'U';
	int r = 0;

	for (kv_iter_seek(k->it, &uses, 1); !r && kv_iter_in(k->it, &uses, 1); kv_iter_next(k->it)) {
		uint64_t pack, map;

		r = row_numbers(k->it, &pack, &map);
		if (r)
			tape_check_fault(k, NULL, false, "%s", err_text(r));
		r = r ? 0 : each(k, pack, map);
	}
	return r ? r : kv_iter_error(k->it);
}

static int count_row(struct check *k, uint64_t pack, uint64_t map)
{
	struct seen_map *s = check_seen(k, map);

	if (s)
		s->found++;
	else
		useless_row(k, 0, map, pack);
	return 0;
}

/* Of a map that has too many.  The iterator is where it was when this returns. */
static int doubt_row(struct check *k, uint64_t pack, uint64_t map)
{
	CLEANUP(uses_fini) struct uses uses = { 0 };
	const struct seen_map *s = check_seen(k, map);
	struct map_key key = key_use(pack, map);
	struct map_span m;
	bool blind;
	int r;

	if (!s || s->found <= s->rows)
		return 0;
	r = map_span_load(k->it, s->volume, map, &m);
	r = r ? r : collect_uses(k->it, &m, &uses, &blind);
	if (!r && !blind && !uses_find(&uses, pack))
		useless_row(k, s->volume, map, pack);
	kv_iter_seek(k->it, key.b, key.len);
	return r;
}

/* What the collector remembers of packs it can find out again. */
static int check_looks(struct check *k)
{
	struct map_key looks = key_all_looks();
	int r = 0;

	for (kv_iter_seek(k->it, looks.b, looks.len); !r && kv_iter_in(k->it, looks.b, looks.len);
	     kv_iter_next(k->it)) {
		CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
		size_t klen, vlen;
		const uint8_t *key = kv_iter_key(k->it, &klen), *v = kv_iter_value(k->it, &vlen);
		struct look l;
		int bad = look_unpack(v, vlen, &l);

		if (bad && k->cfg->repair) {
			r = kv_batch_new(&b);
			r = r ? r : kv_batch_delete(b, KV_MAP, key, klen);
			r = r ? r : kv_write(k->sh->kv, b, true);
		}
		if (bad)
			tape_check_fault(k, NULL, k->cfg->repair && !r, "%s", err_text(bad));
	}
	return r ? r : kv_iter_error(k->it);
}

int check_use_rows(struct check *k)
{
	bool doubt = false;
	int r = check_looks(k);

	r = r ? r : each_row(k, count_row);

	for (size_t i = 0; i < k->seen_count; i++)
		doubt = doubt || k->seen[i].found > k->seen[i].rows;
	return r || !doubt ? r : each_row(k, doubt_row);
}
