/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows that are not as we write them: cut short, too long, with values that nothing has. */
#include "catalog_fixture.h"

union any {
	struct catalog_pool pool;
	struct catalog_volume volume;
	struct catalog_file file;
	struct catalog_event event;
	struct catalog_store store;
	struct clock_row clock;
	struct catalog_place place;
	struct catalog_unit unit;
	struct catalog_scsi scsi;
	struct catalog_stacker stacker;
};

static int decode_pool(const void *row, size_t len, union any *out)
{
	return pool_decode(row, len, &out->pool);
}

static int decode_volume(const void *row, size_t len, union any *out)
{
	return volume_decode(row, len, &out->volume);
}

static int decode_file(const void *row, size_t len, union any *out)
{
	return file_decode(row, len, &out->file);
}

static int decode_event(const void *row, size_t len, union any *out)
{
	return event_decode(5, row, len, &out->event);
}

static int decode_store(const void *row, size_t len, union any *out)
{
	return store_decode(row, len, &out->store);
}

static int decode_clock(const void *row, size_t len, union any *out)
{
	return clock_decode(row, len, &out->clock);
}

static int decode_place(const void *row, size_t len, union any *out)
{
	return place_decode(row, len, &out->place);
}

static int decode_unit(const void *row, size_t len, union any *out)
{
	return unit_decode(5, row, len, &out->unit);
}

static int decode_scsi(const void *row, size_t len, union any *out)
{
	return scsi_decode(row, len, &out->scsi);
}

static int decode_stacker(const void *row, size_t len, union any *out)
{
	return stacker_decode(row, len, &out->stacker);
}

static int encode_any(size_t kind, const union any *v, struct buf *out)
{
	switch (kind) {
	case 0: return pool_encode(&v->pool, out);
	case 1: return volume_encode(&v->volume, out);
	case 2: return file_encode(&v->file, out);
	case 3: return event_encode(&v->event, out);
	case 4: return store_encode(&v->store, out);
	case 5: return clock_encode(&v->clock, out);
	case 6: return place_encode(&v->place, out);
	case 7: return unit_encode(&v->unit, out);
	case 8: return scsi_encode(&v->scsi, out);
	default: return stacker_encode(&v->stacker, out);
	}
}

static struct kind {
	int (*decode)(const void *row, size_t len, union any *out);
	uint8_t version;
	struct buf row;
} kinds[10];

static int setup(void **state)
{
	struct catalog_pool p = { .id = 3, .name = "pool", .perm = some_perm, .codec = 2, .level = 3, .worm = true,
				  .locked_until_ns = 77, .contents = true, .expire_s = 86400, .scratch = "free",
				  .barcode = "A00001L8", .access = ACCESS_RESTRICTED, .site = 3 };
	struct catalog_volume v = { .id = 9, .pool = 3, .name = "A1", .serial = "0123456789ABCDEF", .perm = some_perm,
				    .locked_until_ns = 88, .expires_ns = 99, .assigned_ns = 55, .site = 2,
				    .site_generation = 7, .site_written_ns = 66 };
	struct catalog_file f = { .file = 1, .mark_object = 2, .stretch = 3, .name = "etc.tar", .perm = some_perm };
	struct catalog_event e = { .seq = 5, .time_ns = 1, .number = 400, .about = "a", .text = "b" };

	const union any values[] = {
		{ .pool = p }, { .volume = v }, { .file = f }, { .event = e },
		{ .store = { 1, 2, 3, 70 } }, { .clock = { .time_ns = 5, .boot_ns = 6, .boot = "boot", .gap = true } },
		{ .place = { PLACE_PORT, 7, true } },
		{ .unit = { .model = "lto9", .vendor = "IBM", .product = "ULT3580-TD9", .revision = "R1", .naa = 5 } },
		{ .scsi = { .up = true, .no_loopback = true, .slots = 300, .ports = 3 } },
		{ .stacker = { STACKER_ALL, 7 } },
	};

	kinds[0] = (struct kind){ decode_pool, 3, BUF_INIT };
	kinds[1] = (struct kind){ decode_volume, 3, BUF_INIT };
	kinds[2] = (struct kind){ decode_file, 1, BUF_INIT };
	kinds[3] = (struct kind){ decode_event, 1, BUF_INIT };
	kinds[4] = (struct kind){ decode_store, 1, BUF_INIT };
	kinds[5] = (struct kind){ decode_clock, 1, BUF_INIT };
	kinds[6] = (struct kind){ decode_place, 1, BUF_INIT };
	kinds[7] = (struct kind){ decode_unit, 1, BUF_INIT };
	kinds[8] = (struct kind){ decode_scsi, 1, BUF_INIT };
	kinds[9] = (struct kind){ decode_stacker, 1, BUF_INIT };
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		assert_int_equal(encode_any(i, &values[i], &kinds[i].row), 0);
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		buf_fini(&kinds[i].row);
	return 0;
}

static void a_row_must_have_its_length(void **state)
{
	union any out, untouched;

	memset(&untouched, 0x5a, sizeof(untouched));
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct buf *row = &kinds[k].row;

		assert_int_equal(kinds[k].decode(row->data, row->len, &out), 0);
		for (size_t len = 0; len < row->len; len++) {
			/* Exactly so many bytes, for the tools that watch memory. */
			uint8_t *copy = malloc(len ? len : 1);

			memcpy(copy, row->data, len);
			out = untouched;
			assert_int_equal(kinds[k].decode(copy, len, &out), -EUCLEAN);
			assert_memory_equal(&out, &untouched, sizeof(out));
			free(copy);
		}
		assert_int_equal(buf_put_u8(row, 0), 0);
		assert_int_equal(kinds[k].decode(row->data, row->len, &out), -EUCLEAN);
		row->len--;
	}
}

static void another_version_is_refused(void **state)
{
	union any out;

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		assert_int_equal(kinds[k].row.data[0], kinds[k].version);
		for (int version = 0; version < 256; version++) {
			kinds[k].row.data[0] = (uint8_t)version;
			assert_int_equal(kinds[k].decode(kinds[k].row.data, kinds[k].row.len, &out),
					 version == kinds[k].version ? 0 : -EUCLEAN);
		}
	}
}

/* Whatever a byte becomes, what is accepted is encoded to the same bytes again. */
static void what_is_accepted_is_what_we_would_write(void **state)
{
	CLEANUP(buf_fini) struct buf again = BUF_INIT;
	union any out;

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (size_t i = 0; i < kinds[k].row.len; i++)
			for (unsigned v = 0; v < 256; v++) {
				struct buf *row = &kinds[k].row;
				uint8_t was = row->data[i];

				row->data[i] = (uint8_t)v;
				if (kinds[k].decode(row->data, row->len, &out) == 0) {
					encode_any(k, &out, &again);
					assert_int_equal(again.len, row->len);
					assert_memory_equal(again.data, row->data, again.len);
				}
				row->data[i] = was;
			}
}

static void values_that_nothing_has_are_refused(void **state)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_pool p = { .name = "pool", .codec = 3 };
	struct catalog_volume v = { .name = "A1", .state = STATE_INCOMING + 1 };
	struct catalog_file f = { .name = "a/b" };
	struct catalog_event e = { .severity = EVENT_ERROR + 1 };
	union any out;

	pool_encode(&p, &row);
	assert_int_equal(pool_decode(row.data, row.len, &out.pool), -EUCLEAN);
	p.codec = 0;
	strcpy(p.name, "..");
	pool_encode(&p, &row);
	assert_int_equal(pool_decode(row.data, row.len, &out.pool), -EUCLEAN);
	strcpy(p.name, "pool");
	strcpy(p.scratch, "a/b");
	pool_encode(&p, &row);
	assert_int_equal(pool_decode(row.data, row.len, &out.pool), -EUCLEAN);
	p.scratch[0] = 0;
	strcpy(p.barcode, "-1");
	pool_encode(&p, &row);
	assert_int_equal(pool_decode(row.data, row.len, &out.pool), -EUCLEAN);
	p.barcode[0] = 0;
	p.access = ACCESS_RESTRICTED + 1;
	pool_encode(&p, &row);
	assert_int_equal(pool_decode(row.data, row.len, &out.pool), -EUCLEAN);
	volume_encode(&v, &row);
	assert_int_equal(volume_decode(row.data, row.len, &out.volume), -EUCLEAN);
	v.state = STATE_INCOMING;
	v.access = ACCESS_RESTRICTED + 1;
	volume_encode(&v, &row);
	assert_int_equal(volume_decode(row.data, row.len, &out.volume), -EUCLEAN);
	file_encode(&f, &row);
	assert_int_equal(file_decode(row.data, row.len, &out.file), -EUCLEAN);
	event_encode(&e, &row);
	assert_int_equal(event_decode(1, row.data, row.len, &out.event), -EUCLEAN);
}

/* Bytes as the first release wrote them, without a lock. */
static void rows_of_version_1_have_no_lock(void **state)
{
	static const uint8_t pool[] = "\x01\x03\0\0\0\x05vault\xed\x01\0\0\x01\0\0\0\x02\0\0\0"
				      "\x11\0\0\0\0\0\0\0\x22\0\0\0\0\0\0\0\x02\x03\0\0\0\x02"
				      "\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\x3a\x09\0\0\0\0\0\x01\0\0\0\0\0\0\0";
	static const uint8_t volume[] = "\x01\x09\0\0\0\0\0\0\0\x03\0\0\0\x02""A1\x10""0123456789ABCDEF\x01\0\x03"
					"\x04\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
					"\x33\0\0\0\0\0\0\0\xa4\x01\0\0\x01\0\0\0\x02\0\0\0"
					"\x11\0\0\0\0\0\0\0\x22\0\0\0\0\0\0\0";
	struct catalog_volume v;
	struct catalog_pool p;

	assert_int_equal(pool_decode(pool, sizeof(pool) - 1, &p), 0);
	assert_string_equal(p.name, "vault");
	assert_int_equal(p.perm.mode, 0755);
	assert_true(p.worm);
	assert_int_equal(p.keep_s, 7 * 86400);
	assert_int_equal(p.volumes, 1);
	assert_int_equal(p.locked_until_ns, 0);
	assert_true(p.contents && !p.expire_s && !p.expire_label && !p.scratch[0] && !p.barcode[0]);
	assert_int_equal(volume_decode(volume, sizeof(volume) - 1, &v), 0);
	assert_string_equal(v.serial, "0123456789ABCDEF");
	assert_int_equal(v.state, STATE_ASSIGNED);
	assert_true(v.protect && v.worm);
	assert_int_equal(v.capacity_bytes, 1 << 20);
	assert_int_equal(v.created_ns, 0x33);
	assert_int_equal(v.perm.ctime_ns, 0x22);
	assert_int_equal(v.locked_until_ns, 0);
	/* A lock in them is no row of that version. */
	assert_int_equal(pool_decode(pool, sizeof(pool), &p), -EUCLEAN);
}

/* As they were before there was a life of volumes: with a lock at their end. */
static void rows_of_version_2_live_as_before(void **state)
{
	static const uint8_t pool[] = "\x02\x03\0\0\0\x05vault\xed\x01\0\0\x01\0\0\0\x02\0\0\0"
				      "\x11\0\0\0\0\0\0\0\x22\0\0\0\0\0\0\0\x02\x03\0\0\0\x02"
				      "\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\x80\x3a\x09\0\0\0\0\0\x01\0\0\0\0\0\0\0"
				      "\x44\0\0\0\0\0\0\0";
	static const uint8_t volume[] = "\x02\x09\0\0\0\0\0\0\0\x03\0\0\0\x02""A1\x10""0123456789ABCDEF\x01\0\x03"
					"\x04\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
					"\x33\0\0\0\0\0\0\0\xa4\x01\0\0\x01\0\0\0\x02\0\0\0"
					"\x11\0\0\0\0\0\0\0\x22\0\0\0\0\0\0\0\x55\0\0\0\0\0\0\0";
	struct catalog_volume v;
	struct catalog_pool p;

	assert_int_equal(pool_decode(pool, sizeof(pool) - 1, &p), 0);
	assert_int_equal(p.locked_until_ns, 0x44);
	assert_true(p.contents);
	assert_true(!p.expire_s && !p.expire_label && !p.scratch[0] && !p.barcode[0]);
	assert_true(p.access == ACCESS_PRIMARY && !p.site);
	assert_int_equal(volume_decode(volume, sizeof(volume) - 1, &v), 0);
	assert_int_equal(v.locked_until_ns, 0x55);
	assert_true(!v.expires_ns && !v.assigned_ns && !v.site && !v.site_generation && !v.site_written_ns);
	assert_int_equal(pool_decode(pool, sizeof(pool), &p), -EUCLEAN);
	assert_int_equal(volume_decode(volume, sizeof(volume), &v), -EUCLEAN);
}

/* Keys of one kind lie in the order of what they stand for, and apart from those of other kinds. */
static void keys_are_in_order(void **state)
{
	const struct row_key in_order[] = {
		key_mam(1, 0, 256),  key_mam(1, 1, 0),	      key_mam(256, 0, 0),     key_scsi(),
		key_drive(0),	     key_drive(1),	      key_drive(256),	      key_event(255),
		key_event(256),	     key_event(UINT64_MAX),   key_file(1, UINT64_MAX), key_file(2, 0),
		key_file_name(1, "a", 256), key_file_name(1, "aa", 1), key_file_name(2, "a", 1), key_unit(0),
		key_unit(256),	     key_unit(CATALOG_UNIT_CHANGER), key_place(255), key_place(256), key_member(1, "B"),
		key_member(2, ""),   key_member(2, "A"),      key_member(256, ""),    key_number(NUMBER_EVENT),
		key_pool(255),	     key_pool(256),	      key_pool_name("a"),     key_clock(),
		key_schema(),	     key_tail(1),	      key_volume_name("A"),   key_volume(255),
		key_volume(256),     key_work("scrub"),	      key_store(),
		key_stacker(0),	     key_stacker(256),
	};

	for (size_t i = 0; i + 1 < ARRAY_LEN(in_order); i++) {
		const struct row_key *a = &in_order[i], *b = &in_order[i + 1];
		size_t n = a->len < b->len ? a->len : b->len;
		int r = memcmp(a->b, b->b, n);

		assert_true(r < 0 || (r == 0 && a->len < b->len));
	}
}

static void a_damaged_row_is_told_not_skipped(void **state)
{
	struct row_key key = key_volume_name("A1"), vol = key_volume(1);
	struct catalog_volume v;
	struct catalog_pool p;

	assert_int_equal(fixture_setup(state), 0);
	raw_put(state, &key, "1234567", 7);
	assert_int_equal(catalog_volume_get(cat_of(state), "A1", &v), -EUCLEAN);
	raw_put(state, &vol, "x", 1);
	assert_int_equal(catalog_volume_by_id(cat_of(state), 1, &v), -EUCLEAN);
	key = key_pool_name("default");
	raw_put(state, &key, "", 0);
	assert_int_equal(catalog_pool_get(cat_of(state), "default", &p), -EUCLEAN);
	assert_non_null(strstr(err_text(-EUCLEAN), "default"));
	fixture_teardown(state);
}

#define ON_ROWS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_ROWS(a_row_must_have_its_length),
		ON_ROWS(another_version_is_refused),
		ON_ROWS(what_is_accepted_is_what_we_would_write),
		cmocka_unit_test(values_that_nothing_has_are_refused),
		cmocka_unit_test(rows_of_version_1_have_no_lock),
		cmocka_unit_test(rows_of_version_2_live_as_before),
		cmocka_unit_test(keys_are_in_order),
		cmocka_unit_test(a_damaged_row_is_told_not_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
