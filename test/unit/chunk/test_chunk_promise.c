/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_recover: a pack that was not sealed when all ended, and that is removed, cut short or damaged before the next
 * start.  What is whole is read, what is not is told, exactly, and heals; the start after that finds the same.
 */
#include "chunk/check.h"
#include "kill.h"

#define PART (150u << 10)
#define PARTS 3u
#define BYTES (PART * PARTS)

/* A tape of three commits, all in one pack, the store killed behind them. */
struct tape {
	struct rig *g;
	uint8_t *data;
	struct map m;
	uint64_t pack;
	struct pack_entry e[128];
	struct buf file;
};

static void tape_write(struct tape *t, uint64_t seed)
{
	struct rig *g = rig_new(0);
	struct chunk_writer *w;

	*t = (struct tape){ .g = g, .data = filled(BYTES, seed) };
	w = rig_writer(g, CHUNK_LZ4, &t->m);
	for (unsigned i = 0; i < PARTS; i++) {
		OK(chunk_writer_append(w, t->data + i * PART, PART));
		OK(chunk_writer_flush(w));
		OK(rig_commit(g, w));
	}
	chunk_writer_free(w);
	rig_kill(g);
	assert_true(t->m.count > 20 && t->m.count < ARRAY_LEN(t->e));
	t->pack = t->m.places[0].ref.pack;
	for (size_t i = 0; i < t->m.count; i++) {
		assert_int_equal(t->m.places[i].ref.pack, t->pack);
		assert_int_equal(t->m.places[i].ref.slot, i);
		t->e[i] = entry_of(g, t->m.places[i].ref);
	}
	raw_get(g->packs, t->pack, &t->file);
}

static void tape_fini(struct tape *t)
{
	rig_free(t->g);
	map_fini(&t->m);
	buf_fini(&t->file);
	free(t->data);
}

static size_t count_unread(struct tape *t, const bool *whole)
{
	struct chunk_reader *r;
	uint8_t *got = malloc(PACK_CHUNK_MAX);
	uint64_t at = 0;
	size_t unread = 0;

	OK(chunk_reader_new(t->g->cs, map_source, &t->m, &r));
	for (size_t i = 0; i < t->m.count; at += t->m.places[i++].len) {
		int e = chunk_reader_read(r, at, got, t->m.places[i].len);

		if (!e)
			assert_memory_equal(got, t->data + at, t->m.places[i].len);
		assert_int_equal(e == 0, !chunk_store_is_bad(t->g->cs, t->m.places[i].ref));
		if (whole)
			assert_int_equal(e == 0, whole[i]);
		unread += e != 0;
	}
	chunk_reader_free(r);
	free(got);
	return unread;
}

struct told { uint64_t pack; unsigned hurt, healed, others; };

static int tell(void *ctx, struct pack_ref ref, bool healed)
{
	struct told *t = ctx;

	if (ref.pack != t->pack)
		t->others++;
	else if (healed)
		t->healed++;
	else
		t->hurt++;
	return 0;
}

static struct told what_is_told(struct tape *t)
{
	struct told told = { .pack = t->pack };

	OK(chunk_store_each_bad(t->g->cs, tell, &told));
	assert_int_equal(told.others, 0);
	return told;
}

static void only_of_this_pack(void *ctx, const char *what, bool repaired)
{
	struct tape *t = ctx;
	char name[16];

	(void)repaired;
	snprintf(name, sizeof(name), "%012llx", (unsigned long long)t->pack);
	if (!strstr(what, name))
		fail_msg("%s", what);
}

static void assert_faults_are_explained(struct tape *t)
{
	struct chunk_check_config cfg = { .data = true, .found = only_of_this_pack, .ctx = t };
	struct chunk_checked sums;

	OK(chunk_store_check(t->g->cs, &cfg, &sums));
}

/* @whole: what must be readable, slot by slot; NULL: whatever it is. */
static void goes_well(struct tape *t, const bool *whole)
{
	struct rig *g = t->g;
	struct map again = { NULL };
	size_t unread;

	rig_open(g);
	/* Told before anybody read. */
	unread = what_is_told(t).hurt;
	assert_int_equal(g->damages > 0, unread > 0);
	assert_int_equal(count_unread(t, whole) > 0, unread > 0);
	assert_faults_are_explained(t);
	unread = count_unread(t, whole);
	rig_reopen(g);
	assert_int_equal(what_is_told(t).hurt > 0, unread > 0);
	assert_int_equal(count_unread(t, whole), unread);
	for (unsigned i = 0; i < PARTS; i++)
		rig_store(g, t->data + i * PART, PART, CHUNK_LZ4, &again);
	assert_int_equal(again.stored > 0, unread > 0);
	rig_check(g, &again, t->data, BYTES, 65536);
	rig_check(g, &t->m, t->data, BYTES, 65536);
	assert_int_equal(what_is_told(t).hurt, 0);
	rig_reopen(g);
	assert_int_equal(count_unread(t, NULL), 0);
	assert_int_equal(what_is_told(t).hurt, 0);
	assert_faults_are_explained(t);
	map_fini(&again);
}

static void removed_pack_is_told_and_heals(void **state)
{
	bool whole[128] = { false };
	struct tape t;

	tape_write(&t, 1);
	OK(pack_unlink(t.g->packs, t.pack));
	goes_well(&t, whole);
	tape_fini(&t);
}

static void pack_cut_short_keeps_what_is_whole(void **state)
{
	struct tape t;
	size_t n = 1;

	for (size_t cut = 0; cut < n; cut++)
		for (unsigned within = 0; within < 3; within++) {
			static const int off[] = { -64, 0, 1 };
			bool whole[128] = { false };

			tape_write(&t, 1);
			n = t.m.count;
			for (size_t i = 0; i < cut; i++)
				whole[i] = true;
			raw_set(t.g->packs, t.pack, t.file.data, t.e[cut].offset + off[within]);
			goes_well(&t, whole);
			tape_fini(&t);
		}
}

static void pack_without_a_byte_is_lost(void **state)
{
	bool whole[128] = { false };
	struct tape t;

	tape_write(&t, 1);
	raw_set(t.g->packs, t.pack, t.file.data, 0);
	goes_well(&t, whole);
	tape_fini(&t);
}

enum cost { COSTS_NOTHING, COSTS_ITSELF, COSTS_WHAT_FOLLOWS };

static void hurt_in_one_slot(uint64_t seed, size_t slot, int at, size_t n, enum cost cost)
{
	bool whole[128];
	struct tape t;

	tape_write(&t, seed);
	slot = slot < t.m.count ? slot : t.m.count - 1;
	for (size_t i = 0; i < t.m.count; i++)
		whole[i] = cost == COSTS_NOTHING || i < slot || (cost == COSTS_ITSELF && i != slot);
	injure(t.g, t.pack, (uint64_t)((int64_t)t.e[slot].offset + at), n);
	goes_well(&t, whole);
	tape_fini(&t);
}

static void damaged_stored_bytes_cost_one_chunk(void **state)
{
	hurt_in_one_slot(1, 0, 3, 2, COSTS_ITSELF);
	hurt_in_one_slot(2, 7, 3, 2, COSTS_ITSELF);
	hurt_in_one_slot(3, 128, 3, 2, COSTS_ITSELF);
}

static void damaged_header_of_an_entry_costs_what_cannot_be_counted(void **state)
{
	hurt_in_one_slot(1, 0, -64, 40, COSTS_WHAT_FOLLOWS);
	hurt_in_one_slot(2, 7, -64, 40, COSTS_WHAT_FOLLOWS);
	hurt_in_one_slot(3, 7, -40, 3, COSTS_WHAT_FOLLOWS);
	hurt_in_one_slot(4, 128, -64, 40, COSTS_WHAT_FOLLOWS);
	/* One bit costs nothing. */
	hurt_in_one_slot(5, 7, -64, 0, COSTS_NOTHING);
}

/* They are whole in the file: the check stores them again, and only the one whose header it was is lost. */
static void what_cannot_be_counted_is_stored_again_by_a_repair(void **state)
{
	static const size_t slots[] = { 1, 7, 11 };

	for (unsigned k = 0; k < ARRAY_LEN(slots); k++) {
		struct chunk_check_config cfg = { .repair = true, .found = only_of_this_pack };
		struct chunk_checked sums;
		struct tape t;

		tape_write(&t, 20 + k);
		injure(t.g, t.pack, t.e[slots[k]].offset - 64, 40);
		rig_open(t.g);
		cfg.ctx = &t;
		assert_int_equal(count_unread(&t, NULL), t.m.count - slots[k]);
		OK(chunk_store_check(t.g->cs, &cfg, &sums));
		assert_int_equal(count_unread(&t, NULL), 1);
		assert_true(chunk_store_is_bad(t.g->cs, t.m.places[slots[k]].ref));
		rig_cut(t.g, k);
		assert_int_equal(count_unread(&t, NULL), 1);
		/* Once is enough. */
		OK(chunk_store_check(t.g->cs, &cfg, &sums));
		assert_int_equal(sums.repaired, 0);
		tape_fini(&t);
	}
}

static void damaged_header_of_the_pack_costs_nothing(void **state)
{
	bool whole[128];
	struct tape t;

	memset(whole, 1, sizeof(whole));
	tape_write(&t, 1);
	injure(t.g, t.pack, 0, 30);
	goes_well(&t, whole);
	tape_fini(&t);
}

static void zeroed_part_costs_what_is_in_it_and_cannot_be_counted(void **state)
{
	struct tape t;

	for (unsigned k = 0; k < 12; k++) {
		uint64_t from, n;
		bool whole[128];

		tape_write(&t, 1 + k);
		from = k * t.file.len / 12 + 700;
		n = 3000 + 5000 * (k % 4);
		if (from + n > t.file.len)
			n = t.file.len - from;
		for (size_t i = 0, gap = 0; i < t.m.count; i++) {
			uint64_t head = t.e[i].offset - PACK_ENTRY_BYTES;

			gap |= head < from + n && from < t.e[i].offset;
			whole[i] = !gap && (t.e[i].offset + t.e[i].stored_len <= from || head >= from + n);
		}
		memset(t.file.data + from, 0, n);
		raw_set(t.g->packs, t.pack, t.file.data, t.file.len);
		goes_well(&t, whole);
		tape_fini(&t);
	}
}

/* What was not named by a commit was promised to nobody. */
static void loss_behind_the_last_commit_is_none(void **state)
{
	struct rig *g = rig_new(0);
	uint8_t *data = filled(BYTES, 1);
	struct map m = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_LZ4, &m);
	struct told told;
	struct buf b = BUF_INIT;
	size_t named;
	struct pack_entry e;

	OK(chunk_writer_append(w, data, PART));
	OK(chunk_writer_flush(w));
	OK(rig_commit(g, w));
	named = m.count;
	OK(chunk_writer_append(w, data + PART, PART));
	OK(chunk_writer_flush(w));
	chunk_writer_free(w);
	rig_kill(g);
	e = entry_of(g, m.places[named + 2].ref);
	raw_get(g->packs, m.places[0].ref.pack, &b);
	raw_set(g->packs, m.places[0].ref.pack, b.data, e.offset + 5);
	rig_open(g);
	told = what_is_told(&(struct tape){ .g = g, .pack = m.places[0].ref.pack });
	assert_int_equal(told.hurt + told.healed, 0);
	assert_int_equal(chunk_store_finished(g->cs), 1);
	buf_fini(&b);
	map_fini(&m);
	free(data);
	rig_free(g);
}

/* Two writers share chunks of one open pack; whose commit is written last may be the one that knew less. */
static void promise_does_not_shrink(void **state)
{
	struct rig *g = rig_new(0);
	uint8_t *data = filled(BYTES, 1);
	struct map m = { NULL }, shared = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_LZ4, &m), *other;
	struct kv_batch *less, *more;
	uint32_t slots;

	OK(kv_batch_new(&less));
	OK(kv_batch_new(&more));
	OK(chunk_writer_append(w, data, PART));
	OK(chunk_writer_flush(w));
	other = rig_writer(g, CHUNK_LZ4, &shared);
	OK(chunk_writer_append(other, data, PART));
	OK(chunk_writer_flush(other));
	assert_int_equal(shared.stored, 0);
	OK(chunk_writer_begin_commit(other, less));
	OK(chunk_writer_append(w, data + PART, PART));
	OK(chunk_writer_flush(w));
	OK(chunk_writer_begin_commit(w, more));
	OK(kv_write(g->kv, more, true));
	OK(kv_write(g->kv, less, true));
	chunk_writer_end_commit(w, true);
	chunk_writer_end_commit(other, true);
	OK(store_promised(g->kv, m.places[0].ref.pack, &slots));
	assert_int_equal(slots, m.count);
	/* Nothing new, nothing written. */
	kv_batch_clear(more);
	OK(chunk_writer_begin_commit(w, more));
	assert_int_equal(kv_batch_count(more), 0);
	chunk_writer_end_commit(w, true);
	chunk_writer_free(other);
	chunk_writer_free(w);
	rig_reopen(g);
	rig_reopen(g);
	assert_int_equal(store_promised(g->kv, m.places[0].ref.pack, &slots), LOOKUP_NONE);
	kv_batch_free(less);
	kv_batch_free(more);
	map_fini(&m);
	map_fini(&shared);
	free(data);
	rig_free(g);
}

/* Without a row that tells of the pack a map does. */
static void pack_that_only_a_map_tells_of_is_lost_when_it_is_read(void **state)
{
	struct tape t;
	struct kv_batch *b;
	uint8_t key[PACK_KEY_LEN];

	tape_write(&t, 1);
	pack_key_pack(key, PACK_KEY_OPEN, t.pack);
	OK(kv_batch_new(&b));
	OK(kv_batch_delete_prefix(b, KV_PACK, key, sizeof(key)));
	OK(kv_write(t.g->kv, b, true));
	kv_batch_free(b);
	OK(pack_unlink(t.g->packs, t.pack));
	rig_open(t.g);
	assert_int_equal(what_is_told(&t).hurt, 0);
	assert_int_equal(count_unread(&t, NULL), t.m.count);
	assert_int_equal(what_is_told(&t).hurt, 1);
	t.g->cs = chunk_store_close(t.g->cs);
	goes_well(&t, NULL);
	tape_fini(&t);
}

/* The index is gone, so nothing heals; but what was there is known, and told. */
static void rebuilding_the_index_keeps_the_promise(void **state)
{
	for (unsigned cut = 0; cut < 2; cut++) {
		struct chunk_check_config cfg = { 0 };
		struct chunk_rebuilt done;
		struct tape t;

		tape_write(&t, 1);
		OK(pack_unlink(t.g->packs, t.pack));
		if (cut)
			raw_set(t.g->packs, t.pack, t.file.data, t.e[5].offset);
		OK(chunk_store_rebuild(t.g->kv, t.g->packs, &cfg, &done));
		rig_open(t.g);
		assert_int_equal(count_unread(&t, NULL), cut ? t.m.count - 5 : t.m.count);
		assert_int_equal(what_is_told(&t).hurt, 1);
		assert_faults_are_explained(&t);
		rig_reopen(t.g);
		assert_int_equal(what_is_told(&t).hurt, 1);
		tape_fini(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removed_pack_is_told_and_heals),
		cmocka_unit_test(pack_cut_short_keeps_what_is_whole),
		cmocka_unit_test(pack_without_a_byte_is_lost),
		cmocka_unit_test(damaged_stored_bytes_cost_one_chunk),
		cmocka_unit_test(damaged_header_of_an_entry_costs_what_cannot_be_counted),
		cmocka_unit_test(what_cannot_be_counted_is_stored_again_by_a_repair),
		cmocka_unit_test(damaged_header_of_the_pack_costs_nothing),
		cmocka_unit_test(zeroed_part_costs_what_is_in_it_and_cannot_be_counted),
		cmocka_unit_test(loss_behind_the_last_commit_is_none),
		cmocka_unit_test(promise_does_not_shrink),
		cmocka_unit_test(pack_that_only_a_map_tells_of_is_lost_when_it_is_read),
		cmocka_unit_test(rebuilding_the_index_keeps_the_promise),
	};

	return cmocka_run_group_tests_name("chunk_promise", tests, NULL, NULL);
}
