/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_check: a store that is as it should be has no fault, each fault is found, and what can be mended is. */
#include "chunk/store.h"
#include "unit/pack/raw.h"
#include "rig.h"

#define BYTES (1u << 20)
#define SPARE 5000u	/* a number of a pack that nobody has */
#define SECOND (1u + NUMBER_STEP)	/* of the second pack: made after a start */

static int serial(void **state) { return (*state = rig_new(0)) == NULL; }
static int threads(void **state) { return (*state = rig_new(3)) == NULL; }
static int gone(void **state) { return (*state = rig_free(*state)) != NULL; }

struct told { unsigned faults, repaired; char first[256]; };

static void found(void *ctx, const char *what, bool repaired)
{
	struct told *t = ctx;

	if (!t->faults++)
		snprintf(t->first, sizeof(t->first), "%s", what);
	t->repaired += repaired;
}

static struct chunk_checked check_store(struct rig *g, bool data, bool repair, struct told *t)
{
	struct chunk_check_config cfg = { .data = data, .repair = repair, .found = found, .ctx = t };
	struct chunk_checked out = { 0 };

	*t = (struct told){ 0 };
	OK(chunk_store_check(g->cs, &cfg, &out));
	assert_int_equal(out.faults, t->faults);
	assert_int_equal(out.repaired, t->repaired);
	return out;
}

static void assert_sound(struct rig *g)
{
	struct told t;

	check_store(g, true, false, &t);
	if (t.faults)
		print_error("%u faults, the first: %s\n", t.faults, t.first);
	assert_int_equal(t.faults, 0);
}

/* ---- rows by hand ------------------------------------------------------------------------------------------------ */

static void put(struct rig *g, enum kv_space s, const void *key, size_t klen, const void *value, size_t vlen)
{
	struct kv_batch *b;

	OK(kv_batch_new(&b));
	OK(value ? kv_batch_put(b, s, key, klen, value, vlen) : kv_batch_delete(b, s, key, klen));
	OK(kv_write(g->kv, b, true));
	kv_batch_free(b);
}

static void put_pack_row(struct rig *g, enum pack_key kind, uint64_t number, const void *value, size_t n)
{
	uint8_t key[PACK_KEY_LEN];

	pack_key_pack(key, kind, number);
	put(g, KV_PACK, key, sizeof(key), value, n);
}

static void put_single(struct rig *g, enum pack_key kind, const void *value, size_t n)
{
	uint8_t key = (uint8_t)kind;

	put(g, KV_PACK, &key, 1, value, n);
}

static struct pack_entry entry_of(struct rig *g, const struct map *m, size_t k)
{
	struct pack_entry e;
	struct pack *p;

	OK(pack_open(g->packs, m->places[k].ref.pack, &p));
	OK(pack_entry(p, m->places[k].ref.slot, &e));
	pack_release(p);
	return e;
}

/* ---- injuries: each to a store with two closed packs while it is open ------------------------------------- */

static void no_row(struct rig *g, const struct map *m) { put_pack_row(g, PACK_KEY_SEALED, 1, NULL, 0); }
static void short_row(struct rig *g, const struct map *m) { put_pack_row(g, PACK_KEY_SEALED, 1, "x", 1); }
static void no_totals(struct rig *g, const struct map *m) { put_single(g, PACK_KEY_TOTALS, NULL, 0); }
static void short_totals(struct rig *g, const struct map *m) { put_single(g, PACK_KEY_TOTALS, "xyz", 3); }
static void no_next(struct rig *g, const struct map *m) { put_single(g, PACK_KEY_NEXT, NULL, 0); }
static void open_row(struct rig *g, const struct map *m) { put_pack_row(g, PACK_KEY_OPEN, SECOND, "", 0); }
static void doomed_row(struct rig *g, const struct map *m) { put_pack_row(g, PACK_KEY_DOOMED, SECOND, "", 0); }
static void unknown_kind(struct rig *g, const struct map *m) { put(g, KV_PACK, "?what", 5, "", 0); }
static void long_key(struct rig *g, const struct map *m) { put(g, KV_INDEX, "short", 5, "value", 5); }

static void wrong_tally(struct rig *g, const struct map *m)
{
	uint8_t v[PACK_TALLY_LEN];

	pack_tally_pack(v, &(struct pack_tally){ 7, 70, 700 });
	put_pack_row(g, PACK_KEY_SEALED, SECOND, v, sizeof(v));
}

static void wrong_length(struct rig *g, const struct map *m)
{
	struct buf v = BUF_INIT;
	uint8_t key[PACK_KEY_LEN];

	pack_key_pack(key, PACK_KEY_SEALED, 1);
	OK(kv_get(g->kv, KV_PACK, key, sizeof(key), &v));
	assert_true(v.len > PACK_TALLY_LEN);
	v.data[PACK_TALLY_LEN + 4 * LEN_BYTES]++;
	put(g, KV_PACK, key, sizeof(key), v.data, v.len);
	buf_fini(&v);
}

static void wrong_totals(struct rig *g, const struct map *m)
{
	uint8_t v[TOTALS_LEN];

	totals_pack(v, &(struct chunk_totals){ 3, 4, 5, 6 });
	put_single(g, PACK_KEY_TOTALS, v, sizeof(v));
}

static void low_next(struct rig *g, const struct map *m)
{
	uint8_t v[8];

	put_le64(v, 2);
	put_single(g, PACK_KEY_NEXT, v, sizeof(v));
}

static void bad_row_of_nobody(struct rig *g, const struct map *m)
{
	uint8_t key[BAD_KEY_LEN];

	bad_key_pack(key, (struct pack_ref){ 77, 3 });
	put(g, KV_PACK, key, sizeof(key), "", 0);
}

static void no_index_row(struct rig *g, const struct map *m)
{
	struct pack_entry e = entry_of(g, m, 4);

	put(g, KV_INDEX, e.digest.b, INDEX_KEY_LEN, NULL, 0);
}

static void short_index_row(struct rig *g, const struct map *m)
{
	struct pack_entry e = entry_of(g, m, 4);

	put(g, KV_INDEX, e.digest.b, INDEX_KEY_LEN, "x", 1);
}

static void index_row_to_another(struct rig *g, const struct map *m)
{
	struct pack_entry e = entry_of(g, m, 4);

	rig_index(g, &e.digest, (struct pack_ref){ 1, m->places[4].ref.slot + 1 }, e.raw_len);
}

static void index_row_to_nowhere(struct rig *g, const struct map *m)
{
	struct pack_entry e = entry_of(g, m, 4);

	rig_index(g, &e.digest, (struct pack_ref){ SPARE, 0 }, e.raw_len);
}

static void index_row_beyond_the_last(struct rig *g, const struct map *m)
{
	struct pack_entry e = entry_of(g, m, 4);

	rig_index(g, &e.digest, (struct pack_ref){ SECOND, 1u << 20 }, e.raw_len);
}

static void index_row_of_another_length(struct rig *g, const struct map *m)
{
	struct pack_entry e = entry_of(g, m, 4);

	rig_index(g, &e.digest, m->places[4].ref, e.raw_len + 1);
}

static void index_row_with_another_mac(struct rig *g, const struct map *m)
{
	struct pack_entry e = entry_of(g, m, 4);

	e.digest.b[17] ^= 1;
	rig_index(g, &e.digest, m->places[4].ref, e.raw_len);
}

static void index_row_of_no_chunk(struct rig *g, const struct map *m)
{
	struct digest d = { .b = { 1, 2, 3 } };

	rig_index(g, &d, m->places[4].ref, 1000);
}

static void flip(struct rig *g, uint64_t number, long at, uint8_t bits)
{
	struct buf b = BUF_INIT;

	raw_get(g->packs, number, &b);
	b.data[at < 0 ? (long)b.len + at : at] ^= bits;
	raw_set(g->packs, number, b.data, b.len);
	buf_fini(&b);
}

static void header_bit(struct rig *g, const struct map *m) { flip(g, 1, 20, 1); }
static void header_bits(struct rig *g, const struct map *m) { flip(g, 1, 20, 0xff); }
static void entry_bit(struct rig *g, const struct map *m) { flip(g, 1, 64 + 20, 1); }
static void entry_bits(struct rig *g, const struct map *m) { flip(g, 1, 64 + 20, 0xff); }

static void entry_of_another(struct rig *g, const struct map *m)
{
	struct buf b = BUF_INIT;

	raw_get(g->packs, 1, &b);
	memcpy(b.data + 64, b.data + 64 + 64 + get_le32(b.data + 64 + 12), 64);
	raw_set(g->packs, 1, b.data, b.len);
	buf_fini(&b);
}

static void table_bit(struct rig *g, const struct map *m) { flip(g, 1, -70, 1); }
static void trailer_bit(struct rig *g, const struct map *m) { flip(g, 1, -30, 1); }
static void trailer_bits(struct rig *g, const struct map *m) { flip(g, 1, -30, 0x55); }
static void data_bit(struct rig *g, const struct map *m) { flip(g, 1, 64 + 64 + 100, 8); }
static void no_file(struct rig *g, const struct map *m) { OK(pack_unlink(g->packs, 1)); }

static void cut_short(struct rig *g, const struct map *m)
{
	struct buf b = BUF_INIT;

	raw_get(g->packs, 1, &b);
	raw_set(g->packs, 1, b.data, b.len / 2);
	buf_fini(&b);
}

static void swapped(struct rig *g, const struct map *m)
{
	struct buf one = BUF_INIT, two = BUF_INIT;

	raw_get(g->packs, 1, &one);
	raw_get(g->packs, SECOND, &two);
	raw_set(g->packs, 1, two.data, two.len);
	raw_set(g->packs, SECOND, one.data, one.len);
	buf_fini(&one);
	buf_fini(&two);
}

static void copied(struct rig *g, const struct map *m)
{
	struct buf one = BUF_INIT;

	raw_get(g->packs, 1, &one);
	raw_set(g->packs, SPARE, one.data, one.len);
	buf_fini(&one);
}

static void one_more_file(struct rig *g, const struct map *m)
{
	struct pack *from;

	OK(pack_open(g->packs, 1, &from));
	rig_remake(g, from, SPARE, 0, INJURY_NONE);
	pack_release(from);
}

static void one_more_unsealed(struct rig *g, const struct map *m)
{
	struct pack *from;

	OK(pack_open(g->packs, 1, &from));
	rig_remake(g, from, SPARE, 9, INJURY_CUT);
	pack_release(from);
}

enum { READABLE = 1, MENDABLE = 2, BY_DATA = 4 };
static const struct {
	const char *name;
	void (*injure)(struct rig *g, const struct map *m);
	unsigned what;
} injuries[] = {
	{ "no row of a pack", no_row, READABLE | MENDABLE },
	{ "a short row of a pack", short_row, READABLE | MENDABLE },
	{ "wrong sums of a pack", wrong_tally, READABLE | MENDABLE },
	{ "a wrong length of a chunk", wrong_length, READABLE | MENDABLE },
	{ "wrong totals", wrong_totals, READABLE | MENDABLE },
	{ "no totals", no_totals, READABLE | MENDABLE },
	{ "short totals", short_totals, READABLE | MENDABLE },
	{ "numbers to be given away again", low_next, READABLE | MENDABLE },
	{ "no numbers", no_next, READABLE | MENDABLE },
	{ "a damaged chunk of no pack", bad_row_of_nobody, READABLE | MENDABLE },
	{ "a closed pack that is open", open_row, READABLE | MENDABLE },
	{ "a pack about to be removed", doomed_row, READABLE | MENDABLE },
	{ "a row of no kind", unknown_kind, READABLE | MENDABLE },
	{ "an index row with another key", long_key, READABLE | MENDABLE },
	{ "a short index row", short_index_row, READABLE | MENDABLE },
	{ "an index row to another chunk", index_row_to_another, READABLE | MENDABLE },
	{ "an index row to no pack", index_row_to_nowhere, READABLE | MENDABLE },
	{ "an index row to no slot", index_row_beyond_the_last, READABLE | MENDABLE },
	{ "an index row with another length", index_row_of_another_length, READABLE | MENDABLE },
	{ "an index row with another MAC", index_row_with_another_mac, READABLE | MENDABLE },
	{ "an index row of no chunk", index_row_of_no_chunk, READABLE | MENDABLE },
	{ "a bit of a header", header_bit, READABLE | MENDABLE | BY_DATA },
	{ "a header", header_bits, READABLE | MENDABLE | BY_DATA },
	{ "a bit of an entry's header", entry_bit, READABLE | MENDABLE | BY_DATA },
	{ "an entry's header", entry_bits, READABLE | MENDABLE | BY_DATA },
	{ "an entry's header of another", entry_of_another, READABLE | MENDABLE | BY_DATA },
	{ "a bit of a table", table_bit, READABLE | MENDABLE },
	{ "a bit of a trailer", trailer_bit, READABLE | MENDABLE },
	{ "a trailer", trailer_bits, READABLE | MENDABLE },
	{ "a bit of stored bytes", data_bit, BY_DATA },
	{ "a missing file", no_file, 0 },
	{ "half a file", cut_short, 0 },
	{ "two files swapped", swapped, 0 },
	{ "a file under another name", copied, READABLE },
	{ "a pack that nobody knows", one_more_file, READABLE | MENDABLE },
	{ "an unsealed pack that nobody knows", one_more_unsealed, READABLE | MENDABLE },
};

static void injured(struct rig *g, size_t i, const uint8_t *data, struct map *m)
{
	unsigned what = injuries[i].what;
	struct chunk_checked sums;
	struct told t;

	injuries[i].injure(g, m);
	check_store(g, false, false, &t);
	if (!t.faults == !(what & BY_DATA))
		print_error("%s: %u faults without data\n", injuries[i].name, t.faults);
	assert_int_equal(t.faults == 0, !!(what & BY_DATA));
	check_store(g, true, false, &t);
	assert_true(t.faults > 0);
	assert_int_equal(t.repaired, 0);
	check_store(g, true, true, &t);
	assert_true(t.faults > 0);
	if (what & MENDABLE && t.repaired != t.faults)
		print_error("%s: %u of %u mended; %s\n", injuries[i].name, t.repaired, t.faults, t.first);
	if (what & MENDABLE)
		assert_int_equal(t.repaired, t.faults);
	sums = check_store(g, true, true, &t);
	if (t.faults && what & MENDABLE)
		print_error("%s: left is %s\n", injuries[i].name, t.first);
	assert_int_equal(t.faults == 0, !!(what & MENDABLE));
	if (what & MENDABLE)
		assert_true(sums.packs >= 2);
	if (what & READABLE) {
		rig_check(g, m, data, BYTES, 65536);
		rig_reopen(g);
		rig_check(g, m, data, BYTES, 65536);
	}
	/* What was mended stays so, and totals in memory are those on disk. */
	rig_reopen(g);
	if (what & MENDABLE)
		assert_sound(g);
}

static void every_fault_is_found_and_mended_if_that_loses_nothing(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(injuries); i++) {
		struct rig *g = rig_new(0);
		uint8_t *data = filled(BYTES, 1), *more = filled(BYTES, 2);
		struct map m = { NULL }, other = { NULL };

		rig_store(g, data, BYTES, CHUNK_LZ4, &m);
		rig_reopen(g);
		rig_store(g, more, BYTES, CHUNK_LZ4, &other);
		rig_reopen(g);
		assert_int_equal(m.places[4].ref.pack, 1);
		assert_int_equal(other.places[4].ref.pack, SECOND);
		assert_sound(g);
		injured(g, i, data, &m);
		map_fini(&m);
		map_fini(&other);
		free(data);
		free(more);
		rig_free(g);
	}
	(void)state;
}

static void a_store_in_use_has_no_fault(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1);
	struct map m = { NULL }, again = { NULL };
	struct chunk_checked sums;
	struct chunk_totals totals;
	struct chunk_writer *w;
	struct told t;

	assert_sound(g);
	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	assert_sound(g);	/* its pack waits for the next writer */
	w = rig_writer(g, CHUNK_LZ4, &again);
	data[3]++;
	OK(chunk_writer_append(w, data, BYTES));
	OK(chunk_writer_flush(w));
	assert_sound(g);
	OK(rig_commit(g, w));
	assert_sound(g);
	chunk_writer_free(w);
	rig_reopen(g);
	sums = check_store(g, true, false, &t);
	chunk_store_totals(g->cs, &totals);
	assert_int_equal(sums.packs, totals.packs);
	assert_int_equal(sums.chunks, totals.chunks);
	assert_int_equal(sums.bytes, totals.stored_bytes);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

/* As after a chunk was in two packs, and the one that its row led to was removed. */
static void a_chunk_without_a_row_is_counted_and_given_one(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1);
	struct map m = { NULL }, again = { NULL };
	struct told t;

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	rig_reopen(g);
	no_index_row(g, &m);
	assert_int_equal(check_store(g, false, false, &t).unindexed, 1);
	assert_int_equal(t.faults, 0);
	assert_int_equal(check_store(g, false, true, &t).unindexed, 1);
	assert_int_equal(t.faults, 0);
	assert_int_equal(check_store(g, true, false, &t).unindexed, 0);
	rig_reopen(g);
	rig_store(g, data, BYTES, CHUNK_LZ4, &again);
	assert_int_equal(again.stored, 0);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

/* A chunk that has only its key in common with another lies there without a row. */
static void a_namesake_is_no_fault(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(BYTES, 1);
	struct map m = { NULL };
	struct pack_entry e;
	struct pack *p;
	uint32_t slot;

	rig_store(g, data, BYTES, CHUNK_LZ4, &m);
	rig_reopen(g);
	e = entry_of(g, &m, 4);
	/* A pack in which a chunk has its key, and bytes that fit that. */
	e.digest.b[20] ^= 1;
	e.codec = CHUNK_PLAIN;
	e.stored_len = e.raw_len;
	OK(pack_create(g->packs, 40, &p));
	OK(pack_append(p, &e, data, &slot));
	OK(pack_seal(p));
	pack_release(p);
	(void)slot;
	{
		struct chunk_check_config cfg = { .repair = true };
		struct chunk_checked out;
		struct told t;

		OK(chunk_store_check(g->cs, &cfg, &out));	/* the pack gets its row; the chunk none */
		assert_int_equal(out.faults, 1);
		assert_int_equal(out.repaired, 1);
		check_store(g, false, false, &t);
		assert_int_equal(t.faults, 0);
	}
	map_fini(&m);
	free(data);
}

static int stop_at_two(void *ctx, uint64_t done, uint64_t all)
{
	uint64_t *last = ctx;

	assert_true(done <= all);
	*last = done;
	return done == 2 ? 42 : 0;
}

static void progress_can_stop_it(void **state)
{
	struct rig *g = *state;
	struct chunk_checked out;
	uint64_t last = 0;
	struct chunk_check_config cfg = { .progress = stop_at_two, .ctx = &last };

	for (uint64_t i = 0; i < 4; i++) {
		uint8_t *data = filled(BYTES, 10 + i);
		struct map m = { NULL };

		rig_store(g, data, BYTES, CHUNK_LZ4, &m);
		rig_reopen(g);
		map_fini(&m);
		free(data);
	}
	assert_int_equal(chunk_store_check(g->cs, &cfg, &out), 42);
	assert_int_equal(last, 2);
}

struct busy { struct rig *g; uint64_t seed; _Atomic bool *over; _Atomic unsigned sessions; };

static void *write_on(void *arg)
{
	struct busy *b = arg;

	while (!*b->over) {
		/* Half of it is another's data, too. */
		uint8_t *data = filled(BYTES, b->sessions % 2 ? b->seed * 1000 + b->sessions : b->sessions);
		struct map m = { NULL };

		rig_store(b->g, data, BYTES, CHUNK_LZ4, &m);
		rig_check(b->g, &m, data, BYTES, 100000);
		if (b->sessions++ % 4 == 3)
			OK(chunk_store_seal_idle(b->g->cs));
		map_fini(&m);
		free(data);
	}
	return NULL;
}

static void writers_beside_it_make_no_faults(void **state)
{
	struct rig *g = *state;
	_Atomic bool over = false;
	struct busy b[2] = { { g, 1, &over, 0 }, { g, 2, &over, 0 } };
	pthread_t t[2];
	struct told told;

	for (unsigned i = 0; i < 2; i++)
		OK(pthread_create(&t[i], NULL, write_on, &b[i]));
	for (unsigned i = 0; i < 12 || !b[0].sessions || !b[1].sessions; i++) {
		check_store(g, i % 4 == 3, i % 2, &told);
		if (told.faults)
			print_error("check %u: %u faults, the first: %s\n", i, told.faults, told.first);
		assert_int_equal(told.faults, 0);
	}
	over = true;
	for (unsigned i = 0; i < 2; i++)
		OK(pthread_join(t[i], NULL));
	rig_reopen(g);
	assert_sound(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_is_found_and_mended_if_that_loses_nothing),
		cmocka_unit_test_setup_teardown(a_store_in_use_has_no_fault, serial, gone),
		cmocka_unit_test_setup_teardown(a_chunk_without_a_row_is_counted_and_given_one, serial, gone),
		cmocka_unit_test_setup_teardown(a_namesake_is_no_fault, serial, gone),
		cmocka_unit_test_setup_teardown(progress_can_stop_it, serial, gone),
		cmocka_unit_test_setup_teardown(writers_beside_it_make_no_faults, threads, gone),
	};

	return cmocka_run_group_tests_name("chunk_check", tests, NULL, NULL);
}
