/* SPDX-License-Identifier: BSD-2-Clause */
/* chunk_put: what is shared, what is stored, in which order the sink hears of it, and what stops a writer. */
#include "rig.h"

#define N (3u << 20)

static int serial(void **state) { return (*state = rig_new(0)) == NULL; }
static int threads(void **state) { return (*state = rig_new(3)) == NULL; }
static int gone(void **state) { return (*state = rig_free(*state)) != NULL; }

static void what_is_written_is_read(void **state)
{
	for (enum chunk_codec c = CHUNK_PLAIN; c <= CHUNK_ZSTD; c++) {
		uint8_t *data = filled(N, c);
		struct map m = { NULL };

		rig_store(*state, data, N, c, &m);
		assert_true(c == CHUNK_PLAIN ? m.stored > N : m.stored < N * 9 / 10);
		rig_check(*state, &m, data, N, 100000);
		map_fini(&m);
		free(data);
	}
}

static void the_second_time_everything_is_shared(void **state)
{
	uint8_t *data = filled(N, 1);
	struct map a = { NULL }, b = { NULL };

	rig_store(*state, data, N, CHUNK_LZ4, &a);
	rig_store(*state, data, N, CHUNK_ZSTD, &b);
	assert_int_equal(b.stored, 0);
	assert_int_equal(b.count, a.count);
	assert_memory_equal(a.places[7].ref.pack == b.places[7].ref.pack ? "=" : "", "=", 1);
	rig_check(*state, &b, data, N, 1 << 20);
	map_fini(&a);
	map_fini(&b);
	free(data);
}

/* By KV_INDEX and the table of the pack, not by what happens to be in memory. */
static void after_a_restart_everything_is_shared(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 2);
	struct map a = { NULL }, b = { NULL };

	rig_store(g, data, N, CHUNK_ZSTD, &a);
	rig_reopen(g);
	rig_store(g, data, N, CHUNK_ZSTD, &b);
	assert_int_equal(b.stored, 0);
	rig_check(g, &b, data, N, 77777);
	map_fini(&a);
	map_fini(&b);
	free(data);
}

static void a_run_of_zeros_is_stored_once(void **state)
{
	uint8_t *zeros = calloc(1, 16 << 20);
	struct map m = { NULL };

	rig_store(*state, zeros, 16 << 20, CHUNK_PLAIN, &m);
	assert_true(m.stored > 0);
	assert_int_equal(m.stored, 32768 + PACK_ENTRY_GAP);
	assert_int_equal(m.count, (16 << 20) / 32768);
	rig_check(*state, &m, zeros, 16 << 20, 1 << 20);
	map_fini(&m);
	free(zeros);
}

/* However the bytes come in, the places are the same: the serial twin's are the definition. */
static void places_do_not_depend_on_the_size_of_appends_or_on_threads(void **state)
{
	static const size_t steps[] = { 1000, 65536, 262144, 5000000 };
	uint8_t *data = filled(5000000, 3);
	struct map want = { NULL };
	struct rig *g = rig_new(0);

	rig_store(g, data, 5000000, CHUNK_LZ4, &want);
	rig_free(g);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct map m = { NULL };
		struct chunk_writer *w;

		g = rig_new(i % 2 ? 4 : 0);
		w = rig_writer(g, CHUNK_LZ4, &m);
		for (size_t at = 0; at < 5000000; at += steps[i])
			OK(chunk_writer_append(w, data + at, 5000000 - at < steps[i] ? 5000000 - at : steps[i]));
		OK(chunk_writer_flush(w));
		assert_int_equal(m.count, want.count);
		for (size_t k = 0; k < m.count; k++) {
			assert_int_equal(m.places[k].ref.slot, want.places[k].ref.slot);
			assert_int_equal(m.places[k].len, want.places[k].len);
			assert_int_equal(m.places[k].stored, want.places[k].stored);
		}
		chunk_writer_free(w);
		map_fini(&m);
		rig_free(g);
	}
	map_fini(&want);
	free(data);
}

static void flush_tells_the_sink_of_every_byte(void **state)
{
	uint8_t *data = filled(300000, 4);
	struct map m = { NULL };
	struct chunk_writer *w = rig_writer(*state, CHUNK_ZSTD, &m);
	size_t at = 0;

	OK(chunk_writer_flush(w));
	assert_int_equal(m.bytes, 0);
	for (size_t n = 1; at + n < 300000; at += n, n = n * 3 + 1) {
		OK(chunk_writer_append(w, data + at, n));
		OK(chunk_writer_flush(w));
		assert_int_equal(m.bytes, at + n);
	}
	OK(chunk_writer_flush(w));
	assert_int_equal(m.bytes, at);
	rig_check(*state, &m, data, at, 4096);
	chunk_writer_free(w);
	map_fini(&m);
	free(data);
}

static void two_writers_share_what_is_not_committed(void **state)
{
	uint8_t *data = filled(N, 5);
	struct map a = { NULL }, b = { NULL };
	struct chunk_writer *wa = rig_writer(*state, CHUNK_ZSTD, &a), *wb = rig_writer(*state, CHUNK_ZSTD, &b);

	OK(chunk_writer_append(wa, data, N));
	OK(chunk_writer_flush(wa));
	OK(chunk_writer_append(wb, data, N));
	OK(chunk_writer_flush(wb));
	assert_int_equal(b.stored, 0);
	rig_check(*state, &b, data, N, 1 << 20);
	chunk_writer_free(wa);
	chunk_writer_free(wb);
	map_fini(&a);
	map_fini(&b);
	free(data);
}

static void short_sessions_do_not_make_a_pack_each(void **state)
{
	struct rig *g = *state;
	struct chunk_totals t;

	for (unsigned i = 0; i < 50; i++) {
		uint8_t *data = filled(20000, 100 + i);
		struct map m = { NULL };

		rig_store(g, data, 20000, CHUNK_PLAIN, &m);
		assert_int_equal(m.places[0].ref.pack, 1);
		map_fini(&m);
		free(data);
	}
	chunk_store_totals(g->cs, &t);
	assert_int_equal(t.packs, 1);
	assert_int_equal(t.unique_bytes, 50 * 20000);
}

static void a_full_pack_is_sealed_and_the_next_begun(void **state)
{
	struct rig *g = *state;
	size_t n = 80u << 20;
	uint8_t *data = malloc(n);
	struct map m = { NULL };
	struct chunk_totals before, after;
	uint64_t number, bytes;

	OK(random_bytes(data, n));
	rig_store(g, data, n, CHUNK_LZ4, &m);
	assert_int_equal(m.places[m.count - 1].ref.pack, 3);
	chunk_store_totals(g->cs, &before);
	assert_int_equal(before.packs, 3);
	assert_int_equal(before.chunks, m.count);
	assert_int_equal(before.unique_bytes, n);
	rig_reopen(g);
	chunk_store_totals(g->cs, &after);
	assert_int_equal(after.packs, 3);
	assert_int_equal(after.chunks, m.count);
	assert_int_equal(after.unique_bytes, n);
	assert_true(after.stored_bytes > n);
	assert_int_equal(index_rows(g), m.count);
	number = 0;
	for (unsigned i = 1; i <= 3; i++) {
		OK(chunk_store_next_pack(g->cs, number, &number, &bytes));
		assert_int_equal(number, i);
		assert_true(bytes > 1 << 20 && bytes <= PACK_BYTES_MAX);
		number++;
	}
	assert_int_equal(chunk_store_next_pack(g->cs, number, &number, &bytes), CHUNK_E_END);
	rig_check(g, &m, data, n, 1 << 20);
	map_fini(&m);
	free(data);
}

/* Two chunks are one only when all 32 bytes agree: a row that names a chunk with the same first half is no hit. */
static void the_same_checksum_with_another_mac_is_stored_without_a_row(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(8000, 6);
	struct map m = { NULL }, again = { NULL };
	struct pack_entry e = { .raw_len = 8000, .stored_len = 8000 };
	struct digester *d;
	struct pack *p;
	struct buf kept = BUF_INIT;
	struct index_value row;
	uint32_t slot;

	/* Somebody's forgery lies in pack 40. */
	OK(digester_new(g->cfg.key, &d));
	OK(digest_of(d, data, 8000, &e.digest));
	e.digest.b[31] ^= 1;
	OK(pack_create(g->packs, 40, &p));
	OK(pack_append(p, &e, data, &slot));
	OK(pack_seal(p));
	pack_release(p);
	rig_index(g, &e.digest, (struct pack_ref){ 40, 0 }, 8000);

	rig_store(g, data, 8000, CHUNK_PLAIN, &m);
	assert_int_equal(m.places[0].ref.pack, 1);
	assert_true(m.stored > 0);
	/* While it is in memory it is shared; the row still names the other. */
	rig_store(g, data, 8000, CHUNK_PLAIN, &again);
	assert_int_equal(again.stored, 0);
	assert_int_equal(index_rows(g), 1);
	rig_reopen(g);
	assert_int_equal(index_rows(g), 1);
	OK(kv_get(g->kv, KV_INDEX, e.digest.b, 16, &kept));
	OK(index_value_unpack(kept.data, kept.len, &row));
	assert_int_equal(row.ref.pack, 40);
	buf_fini(&kept);
	digester_free(d);
	map_fini(&m);
	map_fini(&again);
	free(data);
}

static void a_row_that_nothing_confirms_is_no_hit(void **state)
{
	static const struct { uint8_t row[INDEX_VALUE_LEN]; size_t len; } rows[] = {
		{ { 77, [11] = 1 }, 18 },		/* no such pack */
		{ { 1, [6] = 99, [11] = 1 }, 18 },	/* no such slot */
		{ { 1, [11] = 1 }, 18 },		/* another chunk */
		{ { 1 }, 3 },				/* no row at all */
	};
	struct rig *g = *state;
	uint8_t *first = filled(5000, 7), *data = filled(5000, 8);
	struct map m0 = { NULL };
	struct digester *d;
	struct digest sum;

	rig_store(g, first, 5000, CHUNK_PLAIN, &m0);
	rig_reopen(g);
	OK(digester_new(g->cfg.key, &d));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct map m = { NULL };
		struct kv_batch *b;

		data[0] = (uint8_t)i;
		OK(digest_of(d, data, 5000, &sum));
		OK(kv_batch_new(&b));
		OK(kv_batch_put(b, KV_INDEX, sum.b, 16, rows[i].row, rows[i].len));
		OK(kv_write(g->kv, b, true));
		kv_batch_free(b);
		rig_store(g, data, 5000, CHUNK_PLAIN, &m);
		assert_true(m.stored > 0);
		rig_check(g, &m, data, 5000, 5000);
		/* And the row is right from now on. */
		rig_reopen(g);
		map_fini(&m);
		rig_store(g, data, 5000, CHUNK_PLAIN, &m);
		assert_int_equal(m.stored, 0);
		map_fini(&m);
	}
	digester_free(d);
	map_fini(&m0);
	free(first);
	free(data);
}

static struct chunk_writer *verifier(struct rig *g, struct map *m)
{
	struct chunk_writer_config cfg = { .codec = CHUNK_ZSTD, .verify = true };
	struct chunk_writer *w;

	OK(chunk_writer_new(g->cs, &cfg, map_add, m, &w));
	return w;
}

static void verify_shares_what_is_the_same(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 9);
	struct map a = { NULL };
	struct chunk_writer *w = verifier(g, &a);

	/* Twice in one stream as well: the second half meets chunks that are not committed. */
	OK(chunk_writer_append(w, data, N));
	OK(chunk_writer_flush(w));
	OK(chunk_writer_append(w, data, N));
	OK(chunk_writer_flush(w));
	assert_int_equal(a.bytes, 2 * N);
	assert_true(a.stored < N);
	assert_int_equal(a.places[3].ref.slot, a.places[a.count / 2 + 3].ref.slot);
	chunk_writer_free(w);
	map_fini(&a);
	free(data);
}

/* A pack that holds other bytes under the right digest. */
static void verify_does_not_share_other_bytes(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(8000, 10), *other = filled(8000, 11);
	struct map m = { NULL };
	struct pack_entry e = { .raw_len = 8000, .stored_len = 8000 };
	struct digester *d;
	struct pack *p;
	uint32_t slot;
	struct chunk_writer *w;

	OK(digester_new(g->cfg.key, &d));
	OK(digest_of(d, data, 8000, &e.digest));
	OK(pack_create(g->packs, 40, &p));
	OK(pack_append(p, &e, other, &slot));
	OK(pack_seal(p));
	pack_release(p);
	rig_index(g, &e.digest, (struct pack_ref){ 40, 0 }, 8000);

	w = verifier(g, &m);
	OK(chunk_writer_append(w, data, 8000));
	OK(chunk_writer_flush(w));
	assert_true(m.stored > 0);
	assert_int_equal(m.places[0].ref.pack, 1);
	assert_int_equal(g->damages, 1);
	rig_check(g, &m, data, 8000, 8000);
	chunk_writer_free(w);
	digester_free(d);
	map_fini(&m);
	free(data);
	free(other);
}

static void the_first_error_stays_and_the_sink_is_left_alone(void **state)
{
	struct rig *g = *state;
	uint8_t *data = filled(N, 12);
	struct map m = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_LZ4, &m);
	size_t before;

	packs_mem_plan_fault(g->packs, 20, -EIO);
	chunk_writer_append(w, data, N);
	assert_int_equal(chunk_writer_flush(w), -EIO);
	assert_int_equal(m.count, 19);
	before = m.count;
	assert_int_equal(chunk_writer_append(w, data, N), -EIO);
	assert_int_equal(chunk_writer_flush(w), -EIO);
	assert_int_equal(m.count, before);
	/* What the sink was told before is good and can be committed. */
	OK(rig_commit(g, w));
	rig_check(g, &m, data, m.bytes, 4096);
	chunk_writer_free(w);
	map_fini(&m);

	/* The next writer knows nothing of it. */
	rig_store(g, data, N, CHUNK_LZ4, &m);
	rig_check(g, &m, data, N, 1 << 20);
	map_fini(&m);
	free(data);
}

static void a_sink_that_refuses_fails_the_writer(void **state)
{
	uint8_t *data = filled(N, 13);
	struct map m = { .refuse = -ENOMEM };
	struct chunk_writer *w = rig_writer(*state, CHUNK_LZ4, &m);

	chunk_writer_append(w, data, N);
	assert_int_equal(chunk_writer_flush(w), -ENOMEM);
	m.refuse = 0;
	assert_int_equal(chunk_writer_append(w, data, 1), -ENOMEM);
	assert_int_equal(m.count, 0);
	chunk_writer_free(w);
	map_fini(&m);
	free(data);
}

static void the_reserve_is_not_touched_and_space_comes_back(void **state)
{
	struct rig *g = *state;
	uint8_t *data = malloc(64 << 20);
	struct map m = { NULL };
	struct chunk_writer *w;
	uint64_t avail, total, taken = 0;
	int r = 0;

	OK(random_bytes(data, 64 << 20));
	g->cfg.reserve_bytes = 32 << 20;
	rig_reopen(g);
	packs_mem_set_space(g->packs, 64 << 20, 100 << 20);
	OK(chunk_store_space(g->cs, &avail, &total));
	assert_int_equal(avail, 32 << 20);
	assert_int_equal(total, 100 << 20);
	w = rig_writer(g, CHUNK_PLAIN, &m);
	while (!r && taken < 64 << 20) {
		r = chunk_writer_append(w, data + taken, 65536);
		taken += r ? 0 : 65536;
	}
	assert_int_equal(r, -ENOSPC);
	/* What is under way when the disk is asked may go into the reserve. */
	assert_in_range(taken, 14 << 20, 40 << 20);
	assert_int_equal(chunk_writer_append(w, data + taken, 65536), -ENOSPC);
	/* What was taken is whole. */
	OK(chunk_writer_flush(w));
	OK(rig_commit(g, w));
	assert_int_equal(m.bytes, taken);
	rig_check(g, &m, data, taken, 1 << 20);
	/* The same writer goes on once there is room. */
	packs_mem_set_space(g->packs, 200 << 20, 300 << 20);
	OK(chunk_writer_append(w, data + taken, 65536));
	OK(chunk_writer_flush(w));
	assert_int_equal(m.bytes, taken + 65536);
	packs_mem_set_space(g->packs, 10 << 20, 300 << 20);
	OK(chunk_store_space(g->cs, &avail, &total));
	assert_int_equal(avail, 0);
	chunk_writer_free(w);
	map_fini(&m);
	free(data);
}

static void a_disk_that_is_full_fails_the_writer_but_not_the_store(void **state)
{
	struct rig *g = *state;
	uint8_t *data = malloc(8 << 20);
	struct map m = { NULL };
	struct chunk_writer *w = rig_writer(g, CHUNK_PLAIN, &m);

	OK(random_bytes(data, 8 << 20));
	packs_mem_set_space(g->packs, 4 << 20, 100 << 20);
	chunk_writer_append(w, data, 2 << 20);
	packs_mem_set_space(g->packs, 1 << 20, 100 << 20);
	chunk_writer_append(w, data + (2 << 20), 1 << 20);
	assert_int_equal(chunk_writer_flush(w), -ENOSPC);
	rig_check(g, &m, data, m.bytes, 1 << 20);
	chunk_writer_free(w);
	map_fini(&m);
	packs_mem_set_space(g->packs, 400 << 20, 400 << 20);
	rig_store(g, data, 8 << 20, CHUNK_PLAIN, &m);
	rig_check(g, &m, data, 8 << 20, 1 << 20);
	rig_reopen(g);
	rig_check(g, &m, data, 8 << 20, 1 << 20);
	map_fini(&m);
	free(data);
}

#define BOTH(f) cmocka_unit_test_setup_teardown(f, serial, gone), cmocka_unit_test_setup_teardown(f, threads, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(what_is_written_is_read),
		BOTH(the_second_time_everything_is_shared),
		BOTH(after_a_restart_everything_is_shared),
		BOTH(a_run_of_zeros_is_stored_once),
		BOTH(flush_tells_the_sink_of_every_byte),
		BOTH(two_writers_share_what_is_not_committed),
		BOTH(short_sessions_do_not_make_a_pack_each),
		BOTH(a_full_pack_is_sealed_and_the_next_begun),
		BOTH(the_same_checksum_with_another_mac_is_stored_without_a_row),
		BOTH(a_row_that_nothing_confirms_is_no_hit),
		BOTH(verify_shares_what_is_the_same),
		BOTH(verify_does_not_share_other_bytes),
		BOTH(the_first_error_stays_and_the_sink_is_left_alone),
		BOTH(a_sink_that_refuses_fails_the_writer),
		BOTH(the_reserve_is_not_touched_and_space_comes_back),
		BOTH(a_disk_that_is_full_fails_the_writer_but_not_the_store),
		cmocka_unit_test(places_do_not_depend_on_the_size_of_appends_or_on_threads),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
