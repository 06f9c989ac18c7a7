/* SPDX-License-Identifier: BSD-2-Clause */
/* tape_check: every injury of a row is found and named; what loses nothing is repaired; writers do not disturb it. */
#include "unit/tape/tape_store.h"

#define OTHER 8u

struct findings { unsigned count; char words[8][300]; uint64_t volume[8]; bool repaired[8]; };

static void found(void *ctx, uint64_t volume, const char *what, bool repaired)
{
	struct findings *f = ctx;

	if (f->count < ARRAY_LEN(f->words)) {
		snprintf(f->words[f->count], sizeof(f->words[0]), "%s", what);
		f->volume[f->count] = volume;
		f->repaired[f->count] = repaired;
	}
	f->count++;
}

static struct tape_checked check_for(struct store *s, bool repair, bool free_garbage, struct findings *f)
{
	const struct tape_check_config cfg = {
		.repair = repair, .free_garbage = free_garbage, .found = found, .ctx = f,
	};
	struct tape_checked done;

	*f = (struct findings){ 0 };
	assert_int_equal(tape_check(s->shelf, &cfg, &done), 0);
	assert_int_equal(done.faults, f->count);
	return done;
}

static struct tape_checked check_with(struct store *s, bool repair, struct findings *f)
{
	return check_for(s, repair, false, f);
}

#define assert_clean(s) assert_clean_at(s, __LINE__)
static void assert_clean_at(struct store *s, int line)
{
	struct findings f;

	check_with(s, false, &f);
	if (f.count)
		fail_msg("line %d: %u faults: %s", line, f.count, f.words[0]);
}

/* One fault, of the volume, with these words. */
#define assert_fault(s, words) assert_fault_at(s, VOLUME, words, __LINE__)
static void assert_fault_at(struct store *s, uint64_t volume, const char *words, int line)
{
	struct findings f;

	check_with(s, false, &f);
	if (f.count != 1 || !strstr(f.words[0], words) || f.volume[0] != volume)
		fail_msg("line %d: %u faults, volume %u: %s / %s", line, f.count, (unsigned)f.volume[0], f.words[0],
			 f.words[1]);
}

/* @count faults are found and repaired, and then there is none. */
static void assert_repaired(struct store *s, unsigned count)
{
	struct findings f;
	struct tape_checked done = check_with(s, true, &f);

	assert_int_equal(done.faults, count);
	assert_int_equal(done.repaired, count);
	for (unsigned i = 0; i < count; i++)
		assert_true(f.repaired[i]);
	assert_clean(s);
}

/* Three generations that share: the second the first one's up to 1000, the third the second's up to 1500.  Each map has
 * several pages. */
static void tape(struct store *s)
{
	for (uint64_t g = 0; g < 3; g++) {
		locate(s, g ? 500 + 500 * g : 0);
		for (uint64_t i = 0; i < 1000 + (g ? 0 : 1000); i++)
			put(s, 10000 * g + i, 100 + i % 700);
		mark(s);
	}
	assert_int_equal(generation(s), 3);
	restart(s);
	assert_clean(s);
}

static uint64_t map_of(struct store *s, uint32_t stretch)
{
	return s->vol->head.part[0].stretch[stretch].map;
}

/* The keys of the rows of one map. */
static unsigned keys(struct store *s, enum page_kind kind, uint64_t map, struct map_key *out, unsigned max)
{
	struct map_key pages = key_pages(kind, map);
	struct kv_iter *it;
	unsigned n = 0;

	assert_int_equal(kv_iter_new(s->kv, KV_MAP, &it), 0);
	for (kv_iter_seek(it, pages.b, pages.len); n < max && kv_iter_in(it, pages.b, pages.len); kv_iter_next(it)) {
		const uint8_t *k = kv_iter_key(it, &out[n].len);

		memcpy(out[n].b, k, out[n].len);
		n++;
	}
	kv_iter_free(it);
	return n;
}

static struct page *page_get(struct store *s, const struct map_key *k, enum page_kind kind, uint64_t map)
{
	struct buf value = BUF_INIT;
	uint64_t first;
	struct page *p;

	assert_int_equal(kv_get(s->kv, KV_MAP, k->b, k->len, &value), 0);
	assert_int_equal(key_tail_number(k->b, k->len, &first), 0);
	assert_int_equal(page_unpack(value.data, value.len, kind, map, first, &p), 0);
	buf_fini(&value);
	return p;
}

static void page_put(struct store *s, const struct map_key *k, struct page *p)
{
	struct buf value = BUF_INIT;

	assert_int_equal(page_pack(p, &value), 0);
	put_row(s, k, value.data, value.len);
	buf_fini(&value);
	page_free(p);
}

/* A copy of the row under @k, to be put back. */
static struct buf row_get(struct store *s, const struct map_key *k)
{
	struct buf value = BUF_INIT;

	assert_int_equal(kv_get(s->kv, KV_MAP, k->b, k->len, &value), 0);
	return value;
}

static void row_back(struct store *s, const struct map_key *k, struct buf *row)
{
	put_row(s, k, row->data, row->len);
	buf_fini(row);
	assert_clean(s);
}

/* ---- nothing to find -------------------------------------------------------------------------------------------- */

static void it_counts_what_it_proves(void **state)
{
	struct store *s = *state;
	struct findings f;
	struct tape_checked done = check_with(s, false, &f);

	assert_true(done.volumes == 1 && done.generations == 1 && !done.maps && !done.pages);
	tape(s);
	create(s, OTHER);
	done = check_with(s, false, &f);
	assert_int_equal(done.volumes, 2);
	assert_int_equal(done.generations, 4);
	assert_int_equal(done.maps, 3);
	assert_int_equal(done.pages, rows(s, 'O') + rows(s, 'C'));
	assert_int_equal(done.faults + done.repaired, 0);
}

static int stop(void *ctx, uint64_t done)
{
	*(uint64_t *)ctx = done;
	return done == 1;
}

static void it_may_be_stopped(void **state)
{
	struct store *s = *state;
	uint64_t at = 0;
	const struct tape_check_config cfg = { .progress = stop, .ctx = &at };
	struct tape_checked done;

	create(s, OTHER);
	assert_int_equal(tape_check(s->shelf, &cfg, &done), 1);
	assert_int_equal(at, 1);
}

/* What waits to be freed, and what is half freed, is no fault. */
static void drops_are_no_fault(void **state)
{
	struct store *s = *state;
	const struct tape_gc_config cfg = { 0 };
	struct tape_gc_report freed;
	struct kv_batch *b;
	uint64_t dropped;

	tape(s);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_drop_generations(s->kv, b, VOLUME, UINT64_MAX, &dropped), 0);
	assert_int_equal(dropped, 2);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	assert_true(rows(s, 'D') > 0);
	assert_clean(s);
	for (uint64_t n = 1; n < 60; n++) {
		kv_mem_plan_fault(s->kv, n, -EIO);
		tape_gc(s->shelf, &cfg, &freed);
		kv_mem_plan_fault(s->kv, 0, -EIO);
		assert_clean(s);
	}
	assert_int_equal(rows(s, 'D'), 0);
}

/* A destroyed volume's maps are spoken of by drop rows only. */
static void a_destroyed_volume_is_no_fault(void **state)
{
	struct store *s = *state;
	struct kv_batch *b;

	tape(s);
	assert_int_equal(unload(s), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_destroy(s->kv, b, VOLUME), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	assert_clean(s);
	create(s, VOLUME);
	load(s);
}

/* A commit may cover less than its last page has, and then the power fails. */
static void what_a_power_cut_leaves_is_no_fault(void **state)
{
	struct store *s = *state;

	for (unsigned n = 1; n < 40; n++) {
		packs_mem_plan_fault(s->packs, n, -EIO);
		for (unsigned i = 0; i < 300 && !try_put(s, 1000 * n + i, 3000); i++)
			;
		packs_mem_plan_fault(s->packs, 0, -EIO);
		assert_clean(s);
		power_cut(s);
		assert_clean(s);
		assert_int_equal(drive_space_eod(s->drive), 0);
	}
}

/* ---- heads ------------------------------------------------------------------------------------------------------ */

static void a_damaged_head_is_found(void **state)
{
	struct store *s = *state;
	struct map_key k = key_head(VOLUME, 1), newest = key_head(VOLUME, 3);
	uint64_t before;
	struct findings f;
	struct buf row;

	tape(s);
	before = used(s);
	row = row_get(s, &k);
	flip_row(s, &k);
	assert_fault(s, "generation 1: a volume's head fails its checksum");
	row_back(s, &k, &row);
	/* Its own map is then nobody's; nothing is taken from it. */
	row = row_get(s, &newest);
	flip_row(s, &newest);
	check_with(s, true, &f);
	assert_int_equal(f.count, 2);
	assert_non_null(strstr(f.words[0], "generation 3: a volume's head fails its checksum"));
	assert_int_equal(f.volume[0], VOLUME);
	assert_non_null(strstr(f.words[1], "no volume has it"));
	assert_false(f.repaired[0] || f.repaired[1]);
	assert_int_equal(used(s), before);
	row_back(s, &newest, &row);
}

/* Faults are found, and one of them has these words. */
static void assert_among(struct store *s, const char *words)
{
	struct findings f;
	unsigned i = 0;

	check_with(s, false, &f);
	while (i < f.count && i < ARRAY_LEN(f.words) && !strstr(f.words[i], words))
		i++;
	if (i == f.count)
		fail_msg("%u faults, first: %s; none says: %s", f.count, f.words[0], words);
}

/* @change makes a wrong head of generation @g. */
static void with_head(struct store *s, uint64_t g, void (*change)(struct head *h), const char *words)
{
	struct map_key k = key_head(VOLUME, g);
	struct buf row = row_get(s, &k), wrong = BUF_INIT;
	struct head h = { 0 };

	assert_int_equal(head_unpack(row.data, row.len, g, &h), 0);
	change(&h);
	assert_int_equal(head_pack(&h, &wrong), 0);
	put_row(s, &k, wrong.data, wrong.len);
	head_fini(&h);
	buf_fini(&wrong);
	assert_among(s, words);
	row_back(s, &k, &row);
}

static void ended(struct head *h) { h->ended_ns = 1; }
static void not_ended(struct head *h) { h->ended_ns = 0; }
static void more_marks(struct head *h) { h->part[0].stretch[2].from.marks++; h->part[0].end.marks++; }
static void fewer_bytes(struct head *h) { h->part[0].end.bytes--; }
static void later(struct head *h) { h->part[0].end.objects += 5; h->part[0].end.bytes += 500; }
static void other_map(struct head *h) { h->part[0].stretch[0].map++; }
static void not_alone(struct head *h) { h->part[0].stretches--; }
static void in_two_places(struct head *h) { h->part[0].stretch[2].map = h->part[0].stretch[0].map; }

static void a_wrong_head_is_found(void **state)
{
	struct store *s = *state;

	tape(s);
	with_head(s, 3, ended, "it is the newest one, and ended");
	with_head(s, 2, not_ended, "it is an older one, and did not end");
	with_head(s, 3, more_marks, "by the map");
	with_head(s, 3, fewer_bytes, "by the map");
	with_head(s, 3, later, "are in no page");
	with_head(s, 3, other_map, "are in no page");
	with_head(s, 3, not_alone, "it writes in a map that another generation needs");
	with_head(s, 3, in_two_places, "its map is in more than one place of the tape");
}

static void a_map_of_two_volumes_is_found(void **state)
{
	struct store *s = *state;
	struct map_key from = key_head(VOLUME, 1), to = key_head(OTHER, 1);
	struct findings f;
	struct buf row;

	put(s, 1, 100);
	mark(s);
	row = row_get(s, &from);
	put_row(s, &to, row.data, row.len);
	buf_fini(&row);
	check_with(s, false, &f);
	assert_int_equal(f.count, 1);
	assert_non_null(strstr(f.words[0], "it is also volume"));
	put_row(s, &to, NULL, 0);
}

/* ---- pages ------------------------------------------------------------------------------------------------------ */

static void a_damaged_or_missing_page_is_found(void **state)
{
	static const enum page_kind kinds[] = { PAGE_OBJECTS, PAGE_CHUNKS };
	struct store *s = *state;
	struct map_key k[64];

	tape(s);
	for (unsigned kind = 0; kind < 2; kind++)
		for (uint32_t stretch = 0; stretch < 3; stretch++) {
			unsigned n = keys(s, kinds[kind], map_of(s, stretch), k, ARRAY_LEN(k));

			assert_true(n > 0);
			for (unsigned i = 0; i < n; i++) {
				struct buf row = row_get(s, &k[i]);

				flip_row(s, &k[i]);
				assert_fault(s, "fails its checksum");
				put_row(s, &k[i], NULL, 0);
				if (kinds[kind] == PAGE_OBJECTS)
					assert_fault(s, "are in no page");
				row_back(s, &k[i], &row);
			}
		}
}

/* A chunk page that is gone takes its use with it: the row says more than the pages, and is not believed less. */
static void use_is_not_taken_back_for_a_page_that_is_damaged(void **state)
{
	struct store *s = *state;
	struct map_key k[64];
	struct findings f;
	uint64_t before;
	struct buf row;

	tape(s);
	assert_true(keys(s, PAGE_CHUNKS, map_of(s, 0), k, ARRAY_LEN(k)) > 0);
	row = row_get(s, &k[0]);
	flip_row(s, &k[0]);
	before = used(s);
	check_with(s, true, &f);
	assert_int_equal(f.count, 1);
	assert_false(f.repaired[0]);
	assert_int_equal(used(s), before);
	row_back(s, &k[0], &row);
}

static void pages_that_do_not_chain_are_found(void **state)
{
	struct store *s = *state;
	struct map_key k[64];
	struct page *p;
	struct buf row;

	tape(s);
	assert_true(keys(s, PAGE_OBJECTS, map_of(s, 0), k, ARRAY_LEN(k)) > 2);
	row = row_get(s, &k[1]);
	p = page_get(s, &k[1], PAGE_OBJECTS, map_of(s, 0));
	p->runs--;
	page_put(s, &k[1], p);
	assert_fault(s, "are in no page");
	p = page_get(s, &k[1], PAGE_OBJECTS, map_of(s, 0));
	assert_int_equal(page_add_object(p, 7, 9), 0);
	page_put(s, &k[1], p);
	assert_fault(s, "are in two pages");
	put_row(s, &k[1], row.data, row.len);
	p = page_get(s, &k[1], PAGE_OBJECTS, map_of(s, 0));
	p->object[0].len++;
	page_put(s, &k[1], p);
	assert_among(s, "counts otherwise than the one before it");
	row_back(s, &k[1], &row);
}

static void pages_that_nobody_needs_are_told_and_kept(void **state)
{
	struct store *s = *state;
	const struct tape_tally from = { .objects = 50000, .bytes = 9000000 };
	struct map_key beyond, lone = key_page(PAGE_OBJECTS, 77, 0);
	struct page *p;
	struct findings f;

	tape(s);
	beyond = key_page(PAGE_OBJECTS, map_of(s, 0), from.objects);
	p = page_new(PAGE_OBJECTS, map_of(s, 0), &from);
	assert_int_equal(page_add_object(p, 7, 9), 0);
	page_put(s, &beyond, p);
	assert_fault(s, "is nobody's");
	put_row(s, &beyond, NULL, 0);
	p = page_new(PAGE_OBJECTS, 77, &(struct tape_tally){ 0 });
	assert_int_equal(page_add_object(p, 7, 9), 0);
	page_put(s, &lone, p);
	assert_fault_at(s, 0, "no volume has it", __LINE__);
	check_with(s, true, &f);
	assert_false(f.repaired[0]);
	put_row(s, &lone, NULL, 0);
	assert_clean(s);
}

static void collect(struct store *s)
{
	const struct tape_gc_config cfg = { .live_percent = 0 };
	struct tape_gc_report done;

	assert_int_equal(tape_gc(s->shelf, &cfg, &done), 0);
}

static uint64_t drop_generations(struct store *s)
{
	uint64_t dropped = 0;
	struct kv_batch *b;

	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_drop_generations(s->kv, b, VOLUME, UINT64_MAX, &dropped), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	return dropped;
}

/* The first generation alone knew what is behind record 1000 of its map; the third is the current one. */
static void what_a_damaged_generation_left_is_freed_and_nothing_else(void **state)
{
	struct store *s = *state;
	struct map_key k = key_head(VOLUME, 1);
	struct findings f;
	uint64_t before;

	tape(s);
	before = used(s);
	assert_int_equal(unload(s), 0);
	flip_row(s, &k);
	assert_int_equal(drop_generations(s), 2);
	collect(s);
	check_for(s, true, false, &f);
	assert_true(f.count > 0 && !f.repaired[0]);
	assert_non_null(strstr(f.words[0], "is nobody's"));
	check_for(s, true, true, &f);
	for (unsigned i = 0; i < f.count; i++)
		assert_true(f.repaired[i]);
	assert_clean(s);
	collect(s);
	assert_clean(s);
	assert_int_equal(rows(s, 'D'), 0);
	load(s);
	assert_true(used(s) < before);
	for (uint64_t i = 0; i < 1000; i++)
		assert_record(s, i, 100 + i % 700);
	assert_int_equal(used(s), s->vol->head.part[0].end.bytes);
}

/* The last page of a map may have more than is told of: what is freed is exactly what was counted. */
static void a_map_without_a_head_is_freed_when_all_heads_can_be_read(void **state)
{
	struct store *s = *state;
	struct map_key k[3] = { key_head(VOLUME, 1), key_head(VOLUME, 2), key_head(VOLUME, 3) }, other;
	struct findings f;
	struct kv_batch *b;

	tape(s);
	assert_int_equal(unload(s), 0);
	for (unsigned i = 0; i < 3; i++)
		flip_row(s, &k[i]);
	create(s, OTHER);
	other = key_head(OTHER, 1);
	flip_row(s, &other);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(volume_destroy(s->kv, b, VOLUME), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	/* A head that cannot be read may need it. */
	check_for(s, true, true, &f);
	assert_int_equal(f.count, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_false(f.repaired[i]);
	put_row(s, &other, NULL, 0);
	check_for(s, true, true, &f);
	assert_int_equal(f.count, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(f.repaired[i]);
	assert_clean(s);
	collect(s);
	assert_clean(s);
	assert_int_equal(used(s), 0);
	assert_int_equal(rows(s, 'C') + rows(s, 'O') + rows(s, 'D') + rows(s, 'U'), 0);
	create(s, VOLUME);
	load(s);
}

/* ---- packs ------------------------------------------------------------------------------------------------------ */

static void runs_that_are_not_in_their_packs_are_found(void **state)
{
	struct store *s = *state;
	struct map_key k[64];
	uint64_t map;
	struct page *p;
	struct buf row;
	struct findings f;

	tape(s);
	map = map_of(s, 0);
	assert_true(keys(s, PAGE_CHUNKS, map, k, ARRAY_LEN(k)) > 0);
	row = row_get(s, &k[0]);
	p = page_get(s, &k[0], PAGE_CHUNKS, map);
	p->chunk[0].slot += 100000;
	page_put(s, &k[0], p);
	assert_fault(s, "has");
	put_row(s, &k[0], row.data, row.len);
	p = page_get(s, &k[0], PAGE_CHUNKS, map);
	p->chunk[0].slots = (p->chunk[0].slots + 1) / 2;
	page_put(s, &k[0], p);
	assert_fault(s, "bytes, not");
	put_row(s, &k[0], row.data, row.len);
	p = page_get(s, &k[0], PAGE_CHUNKS, map);
	p->chunk[0].pack += 1000;
	page_put(s, &k[0], p);
	check_with(s, false, &f);		/* and the use of both packs is wrong */
	assert_int_equal(f.count, 3);
	row_back(s, &k[0], &row);
}

static void a_lost_pack_is_found_until_it_is_healed(void **state)
{
	struct store *s = *state;

	put(s, 1, 50000);
	mark(s);
	restart(s);
	lose(s, chunk_at(s, 0, 0).pack);
	assert_fault(s, "pack");
	create(s, OTHER);
	assert_int_equal(unload(s), 0);
	s->attr.id = OTHER;
	load(s);
	put(s, 1, 50000);
	mark(s);
	assert_clean(s);
}

/* ---- use rows --------------------------------------------------------------------------------------------------- */

static struct map_key first_use(struct store *s)
{
	struct map_key k = { .len = 0 };
	struct kv_iter *it;
	const uint8_t *key;

	assert_int_equal(kv_iter_new(s->kv, KV_MAP, &it), 0);
	kv_iter_seek(it, "U", 1);
	key = kv_iter_key(it, &k.len);
	memcpy(k.b, key, k.len);
	kv_iter_free(it);
	return k;
}

static void use_rows_are_made_true(void **state)
{
	static const uint8_t garbage[3] = "abc";
	struct store *s = *state;
	struct map_key k, extra, unknown;
	struct buf more = BUF_INIT;
	uint64_t before;

	tape(s);
	before = used(s);
	k = first_use(s);
	put_row(s, &k, NULL, 0);
	assert_fault(s, "its row says that it uses 0 bytes");
	assert_repaired(s, 1);
	assert_int_equal(used(s), before);

	assert_int_equal(use_pack(12345678, &more), 0);
	put_row(s, &k, more.data, more.len);
	assert_fault(s, "its row says that it uses 12345678 bytes");
	assert_repaired(s, 1);
	assert_int_equal(used(s), before);

	put_row(s, &k, garbage, sizeof(garbage));
	assert_repaired(s, 1);
	assert_int_equal(used(s), before);

	extra = key_use(9999, map_of(s, 1));
	put_row(s, &extra, more.data, more.len);
	assert_fault(s, "and it does not");
	assert_repaired(s, 1);
	assert_int_equal(used(s), before);

	unknown = key_use(5, 0x1234);
	put_row(s, &unknown, more.data, more.len);
	assert_fault_at(s, 0, "and it does not", __LINE__);
	assert_repaired(s, 1);
	assert_int_equal(used(s), before);
	buf_fini(&more);
}

/* The collector looks at a pack anew when what is said of its use was wrong. */
static void a_repair_makes_the_collector_look_again(void **state)
{
	struct store *s = *state;
	struct look l = { 1, 2, 3 };
	struct buf look = BUF_INIT;
	struct map_key k, of;
	uint64_t pack;

	tape(s);
	k = first_use(s);
	pack = get_be64(k.b + 1);
	of = key_look(pack);
	assert_int_equal(look_pack(&l, &look), 0);
	put_row(s, &of, look.data, look.len);
	put_row(s, &k, NULL, 0);
	assert_repaired(s, 1);
	assert_int_equal(kv_get(s->kv, KV_MAP, of.b, of.len, &look), KV_E_NONE);
	/* One that cannot be read goes. */
	put_row(s, &of, "xyz", 3);
	assert_fault_at(s, 0, "what was found in a pack", __LINE__);
	assert_repaired(s, 1);
	buf_fini(&look);
}

/* ---- drops ------------------------------------------------------------------------------------------------------ */

static void a_drop_of_what_is_needed_is_found(void **state)
{
	struct store *s = *state;
	const struct drop d = { .object = 10, .from = 1045, .to = 9999 };
	struct map_key k;
	struct buf row = BUF_INIT;

	tape(s);
	k = key_drop(map_of(s, 1), 10);
	assert_int_equal(drop_pack(&d, &row), 0);
	put_row(s, &k, row.data, row.len);
	assert_fault(s, "waits to be freed, though it is needed");
	flip_row(s, &k);
	assert_fault(s, "a row of maps to free");
	put_row(s, &k, NULL, 0);
	buf_fini(&row);
	assert_clean(s);
}

/* ---- beside writers --------------------------------------------------------------------------------------------- */

struct writer { struct store *s; pthread_t thread; _Atomic bool stop; };

static void rows_of_no_kind_are_found(void **state)
{
	static const char *const keys[] = { "z", "\x01\x02", "Mshort", "M9 bytes and more", "H\x01", "O\x80" };
	struct store *s = *state;

	tape(s);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		struct map_key k = { .len = strlen(keys[i]) };
		CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;

		memcpy(k.b, keys[i], k.len);
		put_row(s, &k, "x", 1);
		assert_fault_at(s, 0, "is of no kind", __LINE__);
		assert_int_equal(kv_batch_new(&b), 0);
		assert_int_equal(kv_batch_delete(b, KV_MAP, k.b, k.len), 0);
		assert_int_equal(kv_write(s->kv, b, true), 0);
	}
	assert_clean(s);
}

static void *write_on(void *ctx)
{
	struct writer *w = ctx;

	for (uint64_t i = 0; !w->stop; i++) {
		if (i % 50 == 49)
			mark(w->s);
		else if (i % 400 == 0)
			rewind_tape(w->s);
		put(w->s, i, 4000 + i % 13);
	}
	return NULL;
}

static void it_runs_beside_a_writer_and_repairs_what_is_wrong(void **state)
{
	struct store *s = *state;
	struct writer w = { .s = s };
	struct buf more = BUF_INIT;
	struct map_key unknown = key_use(5, 0x1234);
	struct findings f;

	assert_int_equal(use_pack(1, &more), 0);
	assert_int_equal(pthread_create(&w.thread, NULL, write_on, &w), 0);
	for (unsigned i = 0; i < 100; i++) {
		struct tape_checked done;

		put_row(s, &unknown, more.data, more.len);
		done = check_with(s, true, &f);
		if (done.faults != 1 || done.repaired != 1)
			fail_msg("round %u: %s / %s", i, f.words[0], f.words[1]);
	}
	w.stop = true;
	pthread_join(w.thread, NULL);
	mark(s);
	assert_clean(s);
	buf_fini(&more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(it_counts_what_it_proves),
		with_store(it_may_be_stopped),
		with_store(drops_are_no_fault),
		with_store(a_destroyed_volume_is_no_fault),
		with_store(what_a_power_cut_leaves_is_no_fault),
		with_store(a_damaged_head_is_found),
		with_store(a_wrong_head_is_found),
		with_store(a_map_of_two_volumes_is_found),
		with_store(a_damaged_or_missing_page_is_found),
		with_store(what_a_damaged_generation_left_is_freed_and_nothing_else),
		with_store(a_map_without_a_head_is_freed_when_all_heads_can_be_read),
		with_store(use_is_not_taken_back_for_a_page_that_is_damaged),
		with_store(pages_that_do_not_chain_are_found),
		with_store(pages_that_nobody_needs_are_told_and_kept),
		with_store(runs_that_are_not_in_their_packs_are_found),
		with_store(a_lost_pack_is_found_until_it_is_healed),
		with_store(use_rows_are_made_true),
		with_store(a_repair_makes_the_collector_look_again),
		with_store(a_drop_of_what_is_needed_is_found),
		with_store(rows_of_no_kind_are_found),
		cmocka_unit_test_setup_teardown(it_runs_beside_a_writer_and_repairs_what_is_wrong, store_new_threads,
						store_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
