/* SPDX-License-Identifier: BSD-2-Clause */
/* tape_hurt: which records and tape files a damaged chunk is in. */
#include "unit/tape/tape_store.h"

#define OTHER 8u
#define RECORD 50000u

struct hurts { unsigned count, stop_at; struct tape_hurt h[16]; };

static int add(void *ctx, const struct tape_hurt *h)
{
	struct hurts *u = ctx;

	assert_true(u->count < ARRAY_LEN(u->h));
	u->h[u->count++] = *h;
	return u->count == u->stop_at;
}

static struct hurts hurts(struct store *s)
{
	struct hurts u = { 0 };

	assert_int_equal(tape_each_hurt(s->shelf, add, &u), 0);
	return u;
}

static struct hurts hurts_of(struct store *s, uint64_t id)
{
	struct hurts u = { 0 };

	assert_int_equal(volume_each_hurt(s->shelf, id, add, &u), 0);
	return u;
}

/* Files of @records records each; in each file a pack of its own. */
static void files(struct store *s, unsigned n, unsigned records)
{
	for (unsigned f = 0; f < n; f++) {
		for (unsigned i = 0; i < records; i++)
			put(s, 100 * f + i, RECORD);
		mark(s);
		restart(s);
		assert_int_equal(drive_space_eod(s->drive), 0);
	}
}

/* Whoever reads it notices. */
static void notice(struct store *s, uint64_t object)
{
	locate(s, object);
	assert_int_equal(read_any(s), -EBADMSG);
}

static void a_damaged_chunk_is_told_with_its_record_and_file(void **state)
{
	struct store *s = *state;
	const uint64_t at = 4 * RECORD + 20000;		/* file 1, record 1: object 5 */
	struct hurts u;

	files(s, 3, 3);
	assert_int_equal(hurts(s).count, 0);
	injure(s, chunk_at(s, 0, at));
	assert_int_equal(hurts(s).count, 0);		/* nobody knows yet */
	notice(s, 5);
	u = hurts(s);
	assert_int_equal(u.count, 1);
	assert_int_equal(u.h[0].volume, VOLUME);
	assert_int_equal(u.h[0].generation, 1);
	assert_true(u.h[0].current);
	assert_int_equal(u.h[0].partition, 0);
	assert_int_equal(u.h[0].file, 1);
	assert_int_equal(u.h[0].file_from, 3 * RECORD);
	assert_int_equal(u.h[0].file_to, 6 * RECORD);
	assert_true(u.h[0].from <= at && at < u.h[0].to);
	assert_true(u.h[0].to - u.h[0].from <= 32 << 10);
	assert_in_range(u.h[0].first_object, 4, 5);
	assert_in_range(u.h[0].last_object, 5, 6);
	/* What it tells is what cannot be read, and nothing else. */
	rewind_tape(s);
	for (uint64_t i = 0; i < 12; i++) {
		bool told = i >= u.h[0].first_object && i <= u.h[0].last_object;

		if (i % 4 == 3)
			assert_mark(s);
		else if (told)
			assert_int_equal(read_any(s), -EBADMSG);
		else
			assert_record(s, 100 * (i / 4) + i % 4, RECORD);
	}
}

static void a_lost_pack_is_a_range_in_each_file(void **state)
{
	struct store *s = *state;
	struct hurts u;
	uint64_t pack;

	for (unsigned f = 0; f < 2; f++) {	/* one pack for both */
		for (unsigned i = 0; i < 3; i++)
			put(s, 100 * f + i, RECORD);
		mark(s);
	}
	restart(s);
	assert_int_equal(drive_space_eod(s->drive), 0);
	put(s, 300, RECORD);
	mark(s);
	pack = chunk_at(s, 0, 0).pack;
	lose(s, pack);
	notice(s, 0);
	u = hurts(s);
	assert_int_equal(u.count, 2);
	for (unsigned f = 0; f < 2; f++) {
		assert_int_equal(u.h[f].file, f);
		assert_int_equal(u.h[f].file_from, 3 * f * RECORD);
		assert_int_equal(u.h[f].from, 3 * f * RECORD);
		assert_int_equal(u.h[f].to, 3 * (f + 1) * RECORD);
		assert_int_equal(u.h[f].file_to, u.h[f].to);
		assert_int_equal(u.h[f].first_object, 4 * f);
		assert_int_equal(u.h[f].last_object, 4 * f + 2);
	}
	/* Whoever is told may stop it. */
	u = (struct hurts){ .stop_at = 1 };
	assert_int_equal(tape_each_hurt(s->shelf, add, &u), 1);
	assert_int_equal(u.count, 1);
}

static void a_file_without_a_mark_ends_at_the_end_of_data(void **state)
{
	struct store *s = *state;
	struct hurts u;

	put(s, 1, RECORD);
	mark(s);
	put(s, 2, RECORD);
	assert_int_equal(drive_flush(s->drive), 0);
	injure(s, chunk_at(s, 0, 2 * RECORD - 1));
	notice(s, 2);
	u = hurts(s);
	assert_int_equal(u.count, 1);
	assert_int_equal(u.h[0].file, 1);
	assert_int_equal(u.h[0].file_from, RECORD);
	assert_int_equal(u.h[0].file_to, 2 * RECORD);
	assert_int_equal(u.h[0].to, 2 * RECORD);
	assert_int_equal(u.h[0].last_object, 2);
}

/* Newest first, each as far as it has the damaged part. */
static void every_generation_and_volume_that_has_it_is_told(void **state)
{
	struct store *s = *state;
	struct hurts u;

	files(s, 2, 2);		/* objects 0 1 | 3 4 | */
	locate(s, 4);
	put(s, 900, RECORD);	/* generation 2: shares objects 0 to 3 */
	mark(s);
	assert_int_equal(generation(s), 2);
	create(s, OTHER);
	assert_int_equal(unload(s), 0);
	s->attr.id = OTHER;
	load(s);
	put(s, 0, RECORD);	/* a copy of the first record */
	mark(s);
	assert_int_equal(unload(s), 0);
	s->attr.id = VOLUME;
	load(s);

	injure(s, chunk_at(s, 0, 100));
	notice(s, 0);
	u = hurts(s);
	assert_int_equal(u.count, 3);
	assert_true(u.h[0].volume == VOLUME && u.h[0].generation == 2 && u.h[0].current);
	assert_true(u.h[1].volume == VOLUME && u.h[1].generation == 1 && !u.h[1].current);
	assert_true(u.h[2].volume == OTHER && u.h[2].generation == 1 && u.h[2].current);
	assert_int_equal(u.h[1].to, u.h[0].to);
	u = hurts_of(s, OTHER);
	assert_int_equal(u.count, 1);
	assert_int_equal(u.h[0].volume, OTHER);
	assert_int_equal(volume_each_hurt(s->shelf, 99, add, &u), -ENOENT);
}

static void only_the_old_generation_has_it(void **state)
{
	struct store *s = *state;
	struct pack_ref ref;
	struct hurts u;

	put(s, 1, RECORD);
	mark(s);
	ref = chunk_at(s, 0, 100);
	rewind_tape(s);
	put(s, 2, RECORD);
	mark(s);
	injure(s, ref);
	load_generation(s, 1);
	notice(s, 0);
	/* The view is a head like any other. */
	u = hurts_of(s, VOLUME);
	assert_int_equal(u.count, 1);
	assert_int_equal(u.h[0].generation, 1);
	assert_false(u.h[0].current);
	assert_int_equal(hurts(s).count, 2);
}

static void what_a_later_backup_healed_is_not_told(void **state)
{
	struct store *s = *state;

	files(s, 1, 3);
	injure(s, chunk_at(s, 0, 0));
	notice(s, 0);
	assert_int_equal(hurts(s).count, 1);
	create(s, OTHER);
	assert_int_equal(unload(s), 0);
	s->attr.id = OTHER;
	load(s);
	files(s, 1, 3);
	assert_int_equal(hurts(s).count, 0);
	assert_int_equal(hurts_of(s, VOLUME).count, 0);
}

/* A pack that was lost before it was sealed, and one of its chunks nobody knows: the others of the run may be anywhere behind it. */
static void behind_a_chunk_of_unknown_length_all_is_one_range(void **state)
{
	struct store *s = *state;
	struct pack_ref ref;
	struct kv_batch *b;
	struct hurts u;
	uint8_t key[13] = { 'L' }, sealed[9] = { 'P' };

	files(s, 2, 3);
	ref = chunk_at(s, 0, 2 * RECORD);
	lose(s, ref.pack);
	notice(s, 0);
	put_be64(key + 1, ref.pack);
	put_be32(key + 9, ref.slot);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_any(s->kv, KV_PACK, key, sizeof(key)), 0);
	assert_int_equal(kv_batch_delete(b, KV_PACK, key, sizeof(key)), 0);
	put_be64(sealed + 1, ref.pack);
	assert_int_equal(kv_any(s->kv, KV_PACK, sealed, sizeof(sealed)), 0);
	assert_int_equal(kv_batch_delete(b, KV_PACK, sealed, sizeof(sealed)), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
	kv_batch_free(b);
	u = hurts_of(s, VOLUME);
	assert_int_equal(u.count, 1);
	assert_int_equal(u.h[0].from, 0);
	assert_int_equal(u.h[0].to, 3 * RECORD);
	assert_int_equal(u.h[0].first_object, 0);
	assert_int_equal(u.h[0].last_object, 2);
}

static void partitions_are_told_apart(void **state)
{
	struct store *s = *state;
	struct hurts u;

	assert_int_equal(drive_format(s->drive, 2), 0);
	put(s, 1, RECORD);
	assert_int_equal(drive_locate(s->drive, 1, 0), 0);
	put(s, 2, 1000);
	mark(s);
	put(s, 3, RECORD);
	mark(s);
	injure(s, chunk_at(s, 1, 30000));
	assert_int_equal(drive_locate(s->drive, 1, 2), 0);
	assert_int_equal(read_any(s), -EBADMSG);
	u = hurts(s);
	assert_int_equal(u.count, 1);
	assert_int_equal(u.h[0].partition, 1);
	assert_int_equal(u.h[0].file, 1);
	assert_int_equal(u.h[0].first_object, 2);
}

/* A page of the map is damaged as well: the rest is told, then the failure. */
static void a_damaged_map_does_not_hide_the_other_tapes(void **state)
{
	struct store *s = *state;
	struct map_key page;
	struct pack_ref ref;
	struct hurts u = { 0 };

	files(s, 1, 2);
	ref = chunk_at(s, 0, 0);
	page = key_page(PAGE_CHUNKS, s->vol->head.part[0].stretch[0].map, 0);
	create(s, OTHER);
	assert_int_equal(unload(s), 0);
	s->attr.id = OTHER;
	load(s);
	files(s, 1, 2);
	injure(s, ref);
	notice(s, 0);
	assert_int_equal(hurts(s).count, 2);
	flip_row(s, &page);
	assert_int_equal(tape_each_hurt(s->shelf, add, &u), -EBADMSG);
	assert_int_equal(u.count, 1);
	assert_int_equal(u.h[0].volume, OTHER);
}

/* One page of many is damaged: what the pages before and behind it have is told. */
static void a_damaged_page_hides_only_itself(void **state)
{
	struct store *s = *state;
	struct hurts u = { 0 };
	struct map_key page;
	struct kv_iter *it;
	struct pack_ref ref;

	put(s, 0, 3000);
	mark(s);
	ref = chunk_at(s, 0, 0);
	rewind_tape(s);
	for (uint64_t i = 0; i < 1200; i++) {	/* one chunk each, in an order that makes a run of each */
		put(s, i % 600 ? 1000 + i * 7 % 600 : 0, 3000);
		mark_immed(s);
	}
	assert_int_equal(drive_flush(s->drive), 0);
	rewind_tape(s);
	for (uint64_t i = 0; i < 1200; i++) {
		put(s, i % 599 ? 1000 + i * 211 % 600 : 0, 3000);	/* the first, the 599th, the 1198th */
		mark_immed(s);
	}
	assert_int_equal(drive_flush(s->drive), 0);
	injure(s, ref);
	notice(s, 0);
	assert_int_equal(volume_each_hurt(s->shelf, VOLUME, add, &u), 0);
	assert_int_equal(u.count, 6);
	assert_int_equal(u.h[1].first_object, 2 * 599);
	/* The page that has the one in the middle. */
	page = key_page(PAGE_CHUNKS, s->vol->head.part[0].stretch[0].map, 599 * 3000);
	assert_int_equal(kv_iter_new(s->kv, KV_MAP, &it), 0);
	kv_iter_seek_back(it, page.b, page.len);
	memcpy(page.b, kv_iter_key(it, &page.len), page.len);
	kv_iter_free(it);
	assert_int_equal(unload(s), 0);
	flip_row(s, &page);
	load(s);
	u = (struct hurts){ 0 };
	assert_int_equal(volume_each_hurt(s->shelf, VOLUME, add, &u), -EBADMSG);
	assert_int_equal(u.count, 5);
	assert_int_equal(u.h[0].first_object, 0);
	assert_int_equal(u.h[1].first_object, 2 * 1198);
}

/* ---- which tapes use a pack ------------------------------------------------------------------------------------- */

#define PACKS 300u

struct users { unsigned count; uint64_t volume[8]; };

static int add_user(void *ctx, uint64_t volume)
{
	struct users *u = ctx;

	u->volume[u->count++] = volume;
	return u->count == ARRAY_LEN(u->volume);
}

static struct users users_of(struct store *s, uint64_t pack)
{
	struct users u = { 0 };

	assert_int_equal(volume_each_in_pack(s->kv, pack, add_user, &u), 0);
	return u;
}

static void on_volume(struct store *s, uint64_t id)
{
	assert_int_equal(unload(s), 0);
	s->attr.id = id;
	load(s);
}

static void write_one(struct store *s, unsigned seed)
{
	put(s, seed, 50000);
	mark(s);
}

/* How many packs have these users and no others. */
static unsigned packs_of(struct store *s, uint64_t a, uint64_t b)
{
	unsigned n = 0;

	for (uint64_t pack = 1; pack < PACKS; pack++) {
		struct users u = users_of(s, pack);

		n += u.count == (b ? 2u : 1u) && u.volume[0] == a && (!b || u.volume[1] == b);
	}
	return n;
}

static void a_shared_pack_has_both_tapes_and_another_only_its_own(void **state)
{
	struct store *s = *state;

	write_one(s, 1);
	create(s, OTHER);
	restart(s);
	on_volume(s, OTHER);
	write_one(s, 1);
	write_one(s, 2);
	restart(s);
	assert_int_equal(packs_of(s, VOLUME, OTHER), 1);
	assert_int_equal(packs_of(s, OTHER, 0), 1);
	assert_int_equal(packs_of(s, VOLUME, 0), 0);
	assert_int_equal(users_of(s, PACKS).count, 0);
	on_volume(s, VOLUME);
}

static void a_tape_that_was_written_over_is_told_for_its_old_generation(void **state)
{
	struct store *s = *state;

	write_one(s, 1);
	restart(s);
	rewind_tape(s);
	write_one(s, 2);
	restart(s);
	assert_int_equal(packs_of(s, VOLUME, 0), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_damaged_chunk_is_told_with_its_record_and_file),
		with_store(a_lost_pack_is_a_range_in_each_file),
		with_store(a_file_without_a_mark_ends_at_the_end_of_data),
		with_store(every_generation_and_volume_that_has_it_is_told),
		with_store(only_the_old_generation_has_it),
		with_store(what_a_later_backup_healed_is_not_told),
		with_store(behind_a_chunk_of_unknown_length_all_is_one_range),
		with_store(partitions_are_told_apart),
		with_store(a_damaged_map_does_not_hide_the_other_tapes),
		with_store(a_damaged_page_hides_only_itself),
		with_store(a_shared_pack_has_both_tapes_and_another_only_its_own),
		with_store(a_tape_that_was_written_over_is_told_for_its_old_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
