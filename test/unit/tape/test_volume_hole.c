/* SPDX-License-Identifier: BSD-2-Clause */
/* volume_hole: pages of a map that are damaged or gone cost what is in them, and nothing else of the tape. */
#include "unit/tape/tape_store.h"

#define FILES 12u
#define RECORDS 400u		/* in each: several pages together */
#define OBJECTS (FILES * (RECORDS + 1))

static size_t len_of(uint64_t i)
{
	return 50 + i * 37 % 211;
}

/* Record i of file f. */
static uint64_t seed_of(uint64_t object)
{
	return object;
}

static bool is_mark(uint64_t object)
{
	return object % (RECORDS + 1) == RECORDS;
}

static void tape(struct store *s)
{
	for (uint64_t i = 0; i < OBJECTS; i++)
		if (is_mark(i))
			mark_immed(s);
		else
			put(s, seed_of(i), len_of(i));
	assert_int_equal(drive_flush(s->drive), 0);
	restart(s);
}

struct rows { unsigned count; struct map_key key[128]; uint64_t first[128]; struct buf value[128]; };

static void rows_get(struct store *s, enum page_kind kind, struct rows *out)
{
	struct map_key pages = key_pages(kind, s->vol->head.part[0].stretch[0].map);
	struct kv_iter *it;

	*out = (struct rows){ 0 };
	assert_int_equal(kv_iter_new(s->kv, KV_MAP, &it), 0);
	for (kv_iter_seek(it, pages.b, pages.len); kv_iter_in(it, pages.b, pages.len); kv_iter_next(it)) {
		unsigned n = out->count++;
		const uint8_t *k = kv_iter_key(it, &out->key[n].len), *v;
		size_t len;

		assert_true(n < ARRAY_LEN(out->key));
		memcpy(out->key[n].b, k, out->key[n].len);
		assert_int_equal(key_tail_number(k, out->key[n].len, &out->first[n]), 0);
		v = kv_iter_value(it, &len);
		assert_int_equal(buf_append(&out->value[n], v, len), 0);
	}
	kv_iter_free(it);
	assert_true(out->count >= 4);
}

static void rows_free(struct rows *r)
{
	for (unsigned i = 0; i < r->count; i++)
		buf_fini(&r->value[i]);
}

enum how { FLIPPED, GONE };

/* Pages @from to @to of @r, until rows_back(). */
static void injure_rows(struct store *s, struct rows *r, unsigned from, unsigned to, enum how how)
{
	assert_int_equal(unload(s), 0);
	for (unsigned i = from; i < to; i++)
		if (how == GONE)
			put_row(s, &r->key[i], NULL, 0);
		else
			flip_row(s, &r->key[i]);
	load(s);
}

static void rows_back(struct store *s, struct rows *r)
{
	assert_int_equal(unload(s), 0);
	for (unsigned i = 0; i < r->count; i++)
		put_row(s, &r->key[i], r->value[i].data, r->value[i].len);
	load(s);
}

/* From one end to the other: objects from @from to @to are passed over at once, with one error. */
static void read_around(struct store *s, uint64_t from, uint64_t to)
{
	struct tape_pos pos;

	rewind_tape(s);
	for (uint64_t i = 0; i < OBJECTS; i++) {
		if (i == from) {
			assert_int_equal(read_any(s), -EBADMSG);
			assert_non_null(strstr(err_text(-EBADMSG), "damaged"));
			assert_int_equal(position(s), to);
			i = to - 1;
			continue;
		}
		if (is_mark(i))
			assert_mark(s);
		else
			assert_record(s, seed_of(i), len_of(i));
		assert_int_equal(drive_position(s->drive, &pos), 0);
		assert_int_equal(pos.object, i + 1);
		assert_int_equal(pos.file, (i + 1) / (RECORDS + 1));
	}
	assert_eod(s);
}

static void locate_around(struct store *s, uint64_t from, uint64_t to)
{
	int64_t done;

	for (uint64_t i = 0; i < OBJECTS; i += 61) {
		rewind_tape(s);
		if (i > from && i < to) {
			assert_int_equal(drive_locate(s->drive, 0, i), -EBADMSG);
			assert_int_equal(position(s), 0);
			continue;
		}
		locate(s, i);
		if (i == from)
			continue;
		if (is_mark(i))
			assert_mark(s);
		else
			assert_record(s, seed_of(i), len_of(i));
	}
	for (uint64_t f = 0; f <= FILES; f++) {
		uint64_t behind = f * (RECORDS + 1);	/* the mark is the object before */

		rewind_tape(s);
		if (f && behind > from && behind <= to) {
			assert_int_equal(drive_locate_file(s->drive, 0, f), -EBADMSG);
			assert_int_equal(drive_space_filemarks(s->drive, (int64_t)f, &done), -EBADMSG);
			assert_int_equal(position(s), 0);
			continue;
		}
		assert_int_equal(drive_locate_file(s->drive, 0, f), 0);
		assert_int_equal(position(s), behind);
		rewind_tape(s);
		assert_int_equal(drive_space_filemarks(s->drive, (int64_t)f, &done), 0);
		assert_int_equal(position(s), behind);
	}
}

static void the_rest_of_the_tape_is_read_and_found(void **state)
{
	struct store *s = *state;
	struct rows r;

	tape(s);
	rows_get(s, PAGE_OBJECTS, &r);
	for (unsigned i = 0; i < r.count; i++)
		for (unsigned n = 1; n <= 2 && i + n <= r.count; n++) {
			uint64_t to = i + n < r.count ? r.first[i + n] : OBJECTS;

			injure_rows(s, &r, i, i + n, (i + n) % 2 ? FLIPPED : GONE);
			read_around(s, r.first[i], to);
			locate_around(s, r.first[i], to);
			rows_back(s, &r);
		}
	injure_rows(s, &r, 0, r.count, FLIPPED);
	read_around(s, 0, OBJECTS);
	rows_back(s, &r);
	read_around(s, UINT64_MAX, 0);
	rows_free(&r);
}

/* A page of chunks costs the records that it has bytes of, one by one; what is read ahead does not suffer. */
static void a_page_of_chunks_costs_its_records(void **state)
{
	struct store *s = *state;
	struct rows r;

	/* Copies of what is there already, in another order: many runs. */
	for (uint64_t i = 0; i < 1500; i++) {
		put(s, i, 3000);
		mark_immed(s);
	}
	rewind_tape(s);
	for (uint64_t i = 0; i < 1500; i++) {
		put(s, i * 701 % 1500, 3000);
		mark_immed(s);
	}
	assert_int_equal(drive_flush(s->drive), 0);
	assert_int_equal(generation(s), 2);
	restart(s);
	rows_get(s, PAGE_CHUNKS, &r);
	for (unsigned n = 0; n < r.count; n++) {
		uint64_t to = n + 1 < r.count ? r.first[n + 1] : 1500 * 3000;

		injure_rows(s, &r, n, n + 1, n % 2 ? FLIPPED : GONE);
		for (uint64_t i = 0; i < 1500; i++) {
			if ((i + 1) * 3000 > r.first[n] && i * 3000 < to)
				assert_int_equal(read_any(s), -EBADMSG);
			else
				assert_record(s, i * 701 % 1500, 3000);
			assert_mark(s);
		}
		assert_eod(s);
		rows_back(s, &r);
	}
	rows_free(&r);
}

/* Behind a damaged last page a tape goes on; and it can be written over. */
static void a_tape_with_a_damaged_end_is_appended_to(void **state)
{
	static const enum page_kind kinds[] = { PAGE_OBJECTS, PAGE_CHUNKS };
	struct store *s = *state;

	for (unsigned k = 0; k < 2; k++) {
		struct map_key last;
		struct kv_iter *it;
		uint64_t g;

		rewind_tape(s);
		tape(s);
		g = generation(s);
		last = key_page(kinds[k], s->vol->head.part[0].stretch[0].map, UINT64_MAX);
		assert_int_equal(kv_iter_new(s->kv, KV_MAP, &it), 0);
		kv_iter_seek_back(it, last.b, last.len);
		memcpy(last.b, kv_iter_key(it, &last.len), last.len);
		kv_iter_free(it);
		assert_int_equal(unload(s), 0);
		flip_row(s, &last);
		load(s);
		assert_int_equal(drive_space_eod(s->drive), 0);
		put(s, 77, 100);
		mark(s);
		assert_int_equal(generation(s), g);
		restart(s);
		locate(s, OBJECTS);
		assert_record(s, 77, 100);
		assert_mark(s);
		assert_eod(s);
		rewind_tape(s);
		if (kinds[k] == PAGE_OBJECTS)	/* there is one page of chunks */
			assert_record(s, seed_of(0), len_of(0));
		else
			assert_int_equal(read_any(s), -EBADMSG);
		rewind_tape(s);
		put(s, 78, 100);
		mark(s);
		assert_int_equal(generation(s), g + 1);
		reload(s);
		assert_record(s, 78, 100);
		assert_mark(s);
		assert_eod(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(the_rest_of_the_tape_is_read_and_found),
		with_store(a_page_of_chunks_costs_its_records),
		with_store(a_tape_with_a_damaged_end_is_appended_to),
		cmocka_unit_test_setup_teardown(a_page_of_chunks_costs_its_records, store_new_threads, store_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
