/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_get: the right bytes at any offset, what a read fetches, and what a damaged chunk does. */
#include "chunk/chunk_index_format.h"
#include "rig.h"

#define N (6u << 20)

static int serial(void **state) { return (*state = rig_new(0)) == NULL; }
static int threads(void **state) { return (*state = rig_new(3)) == NULL; }
static int gone(void **state) { return (*state = rig_free(*state)) != NULL; }

static void reads_of_any_size_give_the_bytes(void **state)
{
	static const size_t steps[] = { 512, 10240, 65536, 262144, 1000000, 3 << 20 };
	uint8_t *data = filled(N, 1);
	struct map m = { NULL };

	rig_store(*state, data, N, CHUNK_ZSTD, &m);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		rig_check(*state, &m, data, N, steps[i]);
	rig_reopen(*state);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		rig_check(*state, &m, data, N, steps[i]);
	map_fini(&m);
	free(data);
}

static void jumps_and_runs_mixed_give_the_bytes(void **state)
{
	uint8_t *data = filled(N, 2), *got = malloc(N);
	struct map m = { NULL };
	struct chunk_reader *r;
	uint64_t s = 1, at = 0;

	rig_store(*state, data, N, CHUNK_LZ4, &m);
	OK(chunk_reader_new((*(struct rig **)state)->cs, map_source, &m, &r));
	for (unsigned i = 0; i < 3000; i++) {
		size_t n = 1 + chance_below(&s, i % 50 ? 20000 : 2000000);

		if (i % 7 == 0 || at + n > N)
			at = chance_below(&s, N);
		if (at + n > N)
			n = N - at;
		OK(chunk_reader_read(r, at, got, n));
		assert_memory_equal(got, data + at, n);
		at += n;
		if (i % 11 == 0 && at > 30000)
			at -= 30000;
		if (i % 300 == 299)
			chunk_reader_forget(r);
	}
	chunk_reader_free(r);
	map_fini(&m);
	free(data);
	free(got);
}

/* A stream whose chunks lie all over the packs, in runs of one. */
static void a_scattered_stream_is_read(void **state)
{
	struct rig *g = *state;
	uint8_t *a = filled(N, 3), *mixed = malloc(N);
	struct map first = { NULL }, m = { NULL };
	struct chunk_writer *w;
	size_t at = 0;

	rig_store(g, a, N, CHUNK_ZSTD, &first);
	w = rig_writer(g, CHUNK_ZSTD, &m);
	for (size_t i = 0; i < 300; i++) {
		size_t k = i * 37 % first.count, from = 0;

		for (size_t j = 0; j < k; j++)
			from += first.places[j].len;
		memcpy(mixed + at, a + from, first.places[k].len);
		OK(chunk_writer_append(w, mixed + at, first.places[k].len));
		OK(chunk_writer_flush(w));
		at += first.places[k].len;
	}
	chunk_writer_free(w);
	assert_true(m.runs_count > 200);
	rig_check(g, &m, mixed, at, 262144);
	rig_check(g, &m, mixed, at, 1000);
	map_fini(&first);
	map_fini(&m);
	free(a);
	free(mixed);
}

static void an_extent_may_end_within_its_last_chunk(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 4);
	struct map m = { NULL };

	rig_store(g, data, N, CHUNK_LZ4, &m);
	/* As if the tape had been overwritten from here on. */
	m.runs[0].extent.len = m.bytes = 1234567;
	rig_check(g, &m, data, 1234567, 65536);
	rig_check(g, &m, data, 1234567, 1234567);
	map_fini(&m);
	free(data);
}

static void a_map_that_claims_too_much_is_an_error(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(100000, 5), got[64];
	struct map m = { NULL };
	struct chunk_reader *r;

	rig_store(g, data, 100000, CHUNK_LZ4, &m);
	OK(chunk_reader_new(g->cs, map_source, &m, &r));
	m.bytes += 1000;
	m.runs[0].extent.len += 1000;
	assert_int_equal(chunk_reader_read(r, 100000, got, 64), -EUCLEAN);
	m.runs[0].extent.slot = 9999;
	chunk_reader_forget(r);
	assert_int_equal(chunk_reader_read(r, 0, got, 64), -EUCLEAN);
	m.runs[0].extent.pack = 9999;
	chunk_reader_forget(r);
	assert_int_equal(chunk_reader_read(r, 0, got, 64), -EIO);
	chunk_reader_free(r);
	map_fini(&m);
	free(data);
}

static void a_stream_that_grows_is_read_to_its_new_end(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 6), *got = malloc(N);
	struct map m = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_LZ4, &m);
	struct chunk_reader *r;
	size_t at = 0;

	/* The pack is open and not synced all the time. */
	OK(chunk_reader_new(g->cs, map_source, &m, &r));
	for (size_t n = 1000; at + n < N; at += n, n += 7777) {
		OK(chunk_writer_append(w, data + at, n));
		OK(chunk_writer_flush(w));
		OK(chunk_reader_read(r, at, got, n));
		assert_memory_equal(got, data + at, n);
		assert_int_equal(chunk_reader_read(r, at + n, got, 1), CHUNK_E_END);
	}
	chunk_reader_free(r);
	chunk_writer_free(w);
	map_fini(&m);
	free(data);
	free(got);
}

static void forget_shows_what_the_stream_has_become(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 7), *other = filled(N, 8), *got = malloc(N);
	struct map m = { NULL }, n = { NULL }, kept;
	struct chunk_reader *r;

	rig_store(g, data, N, CHUNK_LZ4, &m);
	rig_store(g, other, N, CHUNK_LZ4, &n);
	OK(chunk_reader_new(g->cs, map_source, &m, &r));
	for (size_t at = 0; at < N / 2; at += 65536)
		OK(chunk_reader_read(r, at, got, 65536));
	kept = m;
	m = n;
	chunk_reader_forget(r);
	OK(chunk_reader_read(r, N / 2, got, N / 2));
	assert_memory_equal(got, other + N / 2, N / 2);
	m = kept;
	chunk_reader_free(r);
	map_fini(&m);
	map_fini(&n);
	free(data);
	free(other);
	free(got);
}

static void a_random_read_asks_the_map_once(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 9), got[4096];
	struct map m = { NULL };
	struct chunk_reader *r;

	rig_store(g, data, N, CHUNK_LZ4, &m);
	OK(chunk_reader_new(g->cs, map_source, &m, &r));
	OK(chunk_reader_read(r, N / 2, got, 4096));
	assert_int_equal(m.source_calls, 1);
	assert_memory_equal(got, data + N / 2, 4096);
	chunk_reader_free(r);
	map_fini(&m);
	free(data);
}

/* ---- damage ---------------------------------------------------------------------------------------------------- */

/* Stores @n bytes, with the chunk at place @k replaced in its pack by other bytes under the right digest. */
static size_t store_with_damage(struct rig *g, const uint8_t *data, size_t n, size_t k, struct map *m)
{
	struct map good = { NULL };
	struct pack *from, *to;
	size_t offset = 0;

	rig_store(g, data, n, CHUNK_PLAIN, &good);
	OK(pack_create(g->packs, 500, &to));
	OK(pack_open(g->packs, good.places[0].ref.pack, &from));
	for (size_t i = 0; i < good.count; i++) {
		struct chunk_place p = good.places[i];
		struct pack_entry e;
		uint8_t *bytes = malloc(p.len);
		uint32_t slot;

		assert_int_equal(p.ref.pack, good.places[0].ref.pack);
		OK(pack_entry(from, p.ref.slot, &e));
		OK(pack_pread(from, bytes, e.stored_len, e.offset));
		if (i == k)
			bytes[p.len / 2] ^= 4;
		OK(pack_append(to, &e, bytes, &slot));
		free(bytes);
		if (i < k)
			offset += p.len;
		p.ref = (struct pack_ref){ 500, slot };
		OK(map_add(m, &p));
	}
	OK(pack_seal(to));
	pack_release(from);
	pack_release(to);
	map_fini(&good);
	return offset;
}

static void seal_all(struct rig *g) { rig_reopen(g); }

static int nobody(void *ctx, uint64_t pack) { (void)ctx; (void)pack; return 0; }

/* The good chunks go, so that there is nothing to heal from. */
static void remove_others(struct rig *g)
{
	uint64_t number, bytes, freed;

	for (uint64_t from = 0; !chunk_store_next_pack(g->cs, from, &number, &bytes); from = number + 1)
		OK(chunk_gc_pack(g->cs, number, nobody, NULL, &freed));
}

static void only_reads_of_the_damaged_chunk_fail(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 10), *got = malloc(N);
	struct map m = { NULL }, warm = { NULL };
	struct chunk_reader *r;
	size_t bad, bad_end;

	/* The pack is closed before it is copied. */
	rig_store(g, data, N, CHUNK_PLAIN, &warm);
	seal_all(g);
	bad = store_with_damage(g, data, N, 50, &m);
	remove_others(g);
	bad_end = bad + m.places[50].len;
	OK(chunk_reader_new(g->cs, map_source, &m, &r));
	OK(chunk_reader_read(r, 0, got, bad));
	assert_memory_equal(got, data, bad);
	OK(chunk_reader_read(r, bad_end, got, N - bad_end));
	assert_memory_equal(got, data + bad_end, N - bad_end);
	memset(got, 0, 100);
	assert_int_equal(chunk_reader_read(r, bad, got, 100), -EBADMSG);
	assert_memory_equal(got, (uint8_t[100]){ 0 }, 100);
	assert_int_equal(chunk_reader_read(r, bad - 10, got, 11), -EBADMSG);
	assert_int_equal(chunk_reader_read(r, bad_end - 1, got, 10), -EBADMSG);
	OK(chunk_reader_read(r, bad_end, got, 10));
	OK(chunk_reader_read(r, bad - 10, got, 10));
	/* In a row, so that it is met by looking ahead. */
	for (size_t at = 0; at < N; at += 4096) {
		bool touches = at < bad_end && at + 4096 > bad;

		assert_int_equal(chunk_reader_read(r, at, got, 4096), touches ? -EBADMSG : 0);
	}
	assert_int_equal(g->damages, 1);
	assert_int_equal(g->damaged.pack, 500);
	assert_int_equal(g->damaged.slot, m.places[50].ref.slot);
	chunk_reader_free(r);
	map_fini(&m);
	map_fini(&warm);
	free(data);
	free(got);
}

/* Damage on the disk of a closed store: bytes of the pack file change under it. */
static void damage_heals_by_the_next_backup_and_stays_known(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(200000, 11), *got = malloc(200000);
	struct map m = { NULL }, again = { NULL }, third = { NULL };
	struct pack_entry e = { .raw_len = 8000, .stored_len = 8000 };
	struct digester *d;
	struct chunk_reader *r;
	struct kv_batch *b;
	struct pack *p;
	uint8_t *wrong = filled(8000, 12);
	const struct pack_tally tally = { .chunks = 1, .raw_bytes = 8000, .file_bytes = 8232 };
	uint8_t key[PACK_KEY_LEN], value[PACK_TALLY_LEN];
	uint32_t slot;

	/* A sealed pack with a chunk whose bytes are not what its digest says, and its rows. */
	OK(digester_new(g->cfg.key, &d));
	OK(digest_of(d, data, 8000, &e.digest));
	OK(pack_create(g->packs, 44, &p));
	OK(pack_append(p, &e, wrong, &slot));
	OK(pack_seal(p));
	pack_release(p);
	OK(kv_batch_new(&b));
	rig_index(g, &e.digest, (struct pack_ref){ 44, 0 }, 8000);
	pack_key_pack(key, PACK_KEY_SEALED, 44);
	pack_tally_pack(value, &tally);
	OK(kv_batch_put(b, KV_PACK, key, sizeof(key), value, sizeof(value)));
	OK(kv_write(g->kv, b, true));
	kv_batch_free(b);

	/* Nobody has read it yet: it is shared. */
	rig_store(g, data, 8000, CHUNK_PLAIN, &m);
	assert_int_equal(m.stored, 0);
	OK(chunk_reader_new(g->cs, map_source, &m, &r));
	assert_int_equal(chunk_reader_read(r, 0, got, 8000), -EBADMSG);
	assert_true(chunk_store_is_bad(g->cs, m.places[0].ref));
	chunk_reader_free(r);

	/* The next backup stores it anew, the one after shares the good one, also after a restart. */
	rig_store(g, data, 8000, CHUNK_PLAIN, &again);
	assert_true(again.stored > 0);
	rig_check(g, &again, data, 8000, 8000);
	rig_reopen(g);
	rig_store(g, data, 8000, CHUNK_PLAIN, &third);
	assert_int_equal(third.stored, 0);
	assert_int_equal(third.places[0].ref.pack, again.places[0].ref.pack);
	rig_check(g, &third, data, 8000, 8000);

	/* And the first one reads again.  It was told once in all. */
	rig_check(g, &m, data, 8000, 8000);
	assert_false(chunk_store_is_bad(g->cs, m.places[0].ref));
	assert_int_equal(g->damages, 1);
	digester_free(d);
	map_fini(&m);
	map_fini(&again);
	map_fini(&third);
	free(data);
	free(got);
	free(wrong);
}

#define BOTH(f) cmocka_unit_test_setup_teardown(f, serial, gone), cmocka_unit_test_setup_teardown(f, threads, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(reads_of_any_size_give_the_bytes),
		BOTH(jumps_and_runs_mixed_give_the_bytes),
		BOTH(a_scattered_stream_is_read),
		BOTH(an_extent_may_end_within_its_last_chunk),
		BOTH(a_map_that_claims_too_much_is_an_error),
		BOTH(a_stream_that_grows_is_read_to_its_new_end),
		BOTH(forget_shows_what_the_stream_has_become),
		BOTH(a_random_read_asks_the_map_once),
		BOTH(only_reads_of_the_damaged_chunk_fail),
		BOTH(damage_heals_by_the_next_backup_and_stays_known),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
