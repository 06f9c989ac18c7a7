/* SPDX-License-Identifier: BSD-2-Clause */
/* mam: READ and WRITE ATTRIBUTE as bytes and as LTFS and sg_read_attr use them; what a cartridge remembers; cuts. */
#include "scsi/mam_values.h"
#include "unit/scsi/rig.h"

#define READ_AT(action, partition, first, alloc) \
	0x8c, action, 0, 0, 0, 0, 0, partition, (uint8_t)((first) >> 8), (uint8_t)(first), 0, \
	(uint8_t)((alloc) >> 16), (uint8_t)((alloc) >> 8), (uint8_t)(alloc), 0, 0
#define WRITE_AT(partition, n) \
	0x8d, 0x01, 0, 0, 0, 0, 0, partition, 0, 0, 0, (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n), 0, 0
#define WRITE_6(n) 0x0a, 0, (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n), 0
#define MARKS(n) 0x10, 0, 0, 0, n, 0
#define REWIND 0x01, 0, 0, 0, 0, 0
#define TO_EOD 0x11, 3, 0, 0, 0, 0
#define FORMAT(how) 0x04, 0, how, 0, 0, 0
#define UNLOAD 0x1b, 0, 0, 0, 0, 0
#define LOAD 0x1b, 0, 0, 0, 1, 0

static int loaded(void **state)
{
	rig_loaded(state, "ibm-lto7");
	return 0;
}

static void assert_field(struct rig *g, bool in_cdb, unsigned byte, int bit)
{
	const uint8_t *b = g->t.sense + 15;

	assert_int_equal(b[0] >> 6 & 1, in_cdb);
	assert_int_equal(b[0] & 0x08 ? b[0] & 7 : -1, bit);
	assert_int_equal(get_be16(b + 1), byte);
}

/* The attribute by itself, as sg_read_attribute() of LTFS has it: at @out, without its header.  False: it is
 * not there. */
static bool read_one(struct rig *g, uint8_t partition, uint16_t id, uint8_t *out, size_t *len)
{
	memset(g->data, 0xee, 0x10000);
	if (CMD(g, 0x10000, READ_AT(0, partition, id, 0xffff)) != SCSI_GOOD) {
		assert_int_equal(get_be16(g->t.sense + 12), ASC_INVALID_CDB_FIELD);
		assert_field(g, true, 8, -1);
		return false;
	}
	assert_int_equal(get_be32(g->data) + 4, g->t.data_in);
	assert_int_equal(get_be16(g->data + 4), id);
	*len = get_be16(g->data + 7);
	memcpy(out, g->data + 9, *len);
	return true;
}

static uint64_t number(struct rig *g, uint8_t partition, uint16_t id)
{
	uint8_t b[1024];
	uint64_t n = 0;
	size_t len;

	assert_true(read_one(g, partition, id, b, &len));
	assert_true(g->data[6] == 0x80);		/* read only, binary */
	assert_true(len <= 8);
	for (size_t i = 0; i < len; i++)
		n = n << 8 | b[i];
	return n;
}

/* An attribute into a list of @at bytes in g->data; where the list ends now. */
static size_t item(struct rig *g, size_t at, uint16_t id, uint8_t format, uint16_t len, uint8_t fill)
{
	put_be16(g->data + at, id);
	g->data[at + 2] = format;
	put_be16(g->data + at + 3, len);
	memset(g->data + at + 5, fill, len);
	return at + 5 + len;
}

/* One by itself, with a length as LTFS writes it there. */
static enum scsi_status write_one(struct rig *g, uint8_t partition, uint16_t id, uint8_t format, uint16_t len,
				  uint8_t fill)
{
	size_t n = item(g, 4, id, format, len, fill);

	put_be32(g->data, (uint32_t)n);
	return CMD(g, n, WRITE_AT(partition, n));
}

static void write_bytes(struct rig *g, unsigned records, unsigned len)
{
	while (records--)
		GOOD(g, len, WRITE_6(len));
}

static void two_partitions(struct rig *g)
{
	GOOD(g, 64, 0x5a, 0, 0x11, 0, 0, 0, 0, 0, 64, 0);
	g->data[0] = g->data[1] = 0;
	g->data[19] = 1;
	g->data[20] |= 0x40;
	GOOD(g, g->t.data_in, 0x55, 0x10, 0, 0, 0, 0, 0, 0, (uint8_t)g->t.data_in, 0);
	GOOD(g, 0, FORMAT(1));
}

static uint32_t reference(struct rig *g) { return (uint32_t)number(g, 0, 0x0009); }

/* Ours is given back and taken again; or the operator's hand did it. */
static void load_again(struct rig *g)
{
	GOOD(g, 0, UNLOAD);
	GOOD(g, 0, LOAD);
	rig_settle(g);
}

/* ---- lists ------------------------------------------------------------------------------------------------------ */

/* As sg_read_attr walks: ids ascend, headers and lengths fit, what is left is nothing. */
static unsigned walk_values(struct rig *g)
{
	size_t at = 4, n = get_be32(g->data) + 4;
	unsigned count = 0;
	int last = -1;

	assert_int_equal(g->t.data_in, n);
	for (; at < n; at += 5u + get_be16(g->data + at + 3)) {
		const struct mam_attribute *a = mam_attribute(get_be16(g->data + at));

		assert_non_null(a);
		assert_true(a->id > last);
		last = a->id;
		assert_int_equal(g->data[at + 2], a->format | (a->host ? 0 : 0x80));
		count++;
	}
	assert_int_equal(at, n);
	return count;
}

static void all_values_and_lists_tell_the_same(void **state)
{
	struct rig *g = rig_of(state);
	unsigned values, there;

	assert_int_equal(write_one(g, 0, 0x0801, MAM_ASCII, 32, 'x'), SCSI_GOOD);
	GOOD(g, 8192, READ_AT(0, 0, 0, 8192));
	values = walk_values(g);
	GOOD(g, 8192, READ_AT(1, 0, 0, 8192));
	there = get_be32(g->data) / 2;
	assert_int_equal(values, there);
	assert_int_equal(get_be16(g->data + 4), 0x0000);
	assert_int_equal(get_be16(g->data + 4 + 2 * (there - 1)), 0x0801);
	GOOD(g, 8192, READ_AT(1, 0, 0x0800, 8192));
	assert_int_equal(get_be32(g->data), 2);
	GOOD(g, 8192, READ_AT(5, 0, 0, 8192));
	assert_int_equal(get_be32(g->data) / 2, 44);
	assert_int_equal(get_be16(g->data + 4 + 2 * 43), 0x1623);
	GOOD(g, 8192, READ_AT(0, 0, 0x0400, 8192));
	assert_int_equal(get_be16(g->data + 4), 0x0400);
	walk_values(g);
}

static void logical_volumes_and_partitions(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 64, READ_AT(2, 0, 0, 64));
	assert_int_equal(g->t.data_in, 4);
	assert_memory_equal(g->data, "\0\2\0\1", 4);
	GOOD(g, 64, READ_AT(3, 0, 0, 64));
	assert_memory_equal(g->data, "\0\2\0\1", 4);
	two_partitions(g);
	GOOD(g, 64, READ_AT(3, 0, 0, 64));
	assert_memory_equal(g->data, "\0\2\0\2", 4);
	GOOD(g, 64, READ_AT(3, 0, 0, 3));
	assert_int_equal(g->t.data_in, 3);
}

static void every_allocation_length_cuts(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t whole[4096];
	size_t n;

	GOOD(g, 8192, READ_AT(0, 0, 0, 8192));
	n = g->t.data_in;
	memcpy(whole, g->data, n);
	for (size_t alloc = 0; alloc <= n + 2; alloc++) {
		memset(g->data, 0xee, n + 4);
		GOOD(g, 8192, READ_AT(0, 0, 0, alloc));
		assert_int_equal(g->t.data_in, alloc < n ? alloc : n);
		assert_memory_equal(g->data, whole, g->t.data_in);
		assert_int_equal(g->data[g->t.data_in], 0xee);
		GOOD(g, alloc, READ_AT(0, 0, 0, 8192));
		assert_int_equal(g->t.data_in, alloc < n ? alloc : n);
	}
	GOOD(g, 64, 0x8c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0);
	assert_int_equal(g->t.data_in, 64);
}

static void what_is_not_there_is_refused_with_its_field(void **state)
{
	struct rig *g = rig_of(state);

	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, READ_AT(4, 0, 0, 64));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, READ_AT(0, 1, 0, 64));
	assert_field(g, true, 7, -1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, READ_AT(1, 1, 0, 64));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0x8c, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0);
	assert_field(g, true, 5, -1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0x8c, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, READ_AT(0, 0, 0x0c00, 64));
	assert_field(g, true, 8, -1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, READ_AT(0, 0, 0x0800, 64));
	assert_field(g, true, 8, -1);
	GOOD(g, 64, 0x8c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0);	/* CACHE */
	GOOD(g, 0, UNLOAD);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 64, READ_AT(0, 0, 0, 64));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 64, WRITE_AT(0, 64));
}

/* ---- what is worked out ----------------------------------------------------------------------------------------- */

static void set_capacity(struct catalog_volume *row, void *ctx) { row->capacity_bytes = *(uint64_t *)ctx; }

static void of_the_cartridge_and_of_the_device(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t capacity = 1000ull << 20, volume = g->u->ssc.volume;
	struct catalog_volume row = row_of(g->store, volume);
	uint8_t b[1024];
	size_t len;

	assert_int_equal(library_volume_change(g->store->lib, volume, set_capacity, &capacity), 0);
	write_bytes(g, 4, 1 << 20);
	assert_int_equal(number(g, 0, 0x0000), 996);
	assert_int_equal(number(g, 0, 0x0001), 1000);
	assert_int_equal(number(g, 0, 0x0003), 1);
	assert_int_equal(number(g, 0, 0x0004), MAM_BYTES);
	assert_int_equal(number(g, 0, 0x0006), 0x5c);
	assert_int_equal(number(g, 0, 0x0007), 0);
	assert_int_equal(number(g, 0, 0x0220), 4);
	assert_int_equal(number(g, 0, 0x0222), 4);
	assert_int_equal(number(g, 0, 0x0402), 960);
	assert_int_equal(number(g, 0, 0x0403), 127);
	assert_int_equal(number(g, 0, 0x0405), 0x5c);
	assert_int_equal(number(g, 0, 0x0407), MAM_BYTES);
	assert_int_equal(number(g, 0, 0x0408), 0);
	assert_int_equal(number(g, 0, 0x0409), 0);
	assert_true(read_one(g, 0, 0x0005, b, &len));
	assert_memory_equal(b, "LTO-CVE ", 8);
	assert_true(read_one(g, 0, 0x0008, b, &len));
	assert_memory_equal(b, "A00001L7                        ", 32);
	assert_true(read_one(g, 0, 0x0400, b, &len));
	assert_memory_equal(b, "VTAPE   ", 8);
	assert_true(read_one(g, 0, 0x0401, b, &len));
	assert_memory_equal(b, row.serial, strlen(row.serial));
	assert_true(read_one(g, 0, 0x0406, b, &len));
	assert_int_equal(len, 8);
	assert_true(b[0] == '2' && b[7] >= '0' && b[7] <= '9');
	assert_int_equal(library_volume_change(g->store->lib, volume, set_worm, ON), 0);
	assert_int_equal(number(g, 0, 0x0408), 0x80);
}

static void loads_add_up(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t b[1024], first[MAM_DEVICE_BYTES];
	size_t len;

	assert_true(read_one(g, 0, 0x020a, first, &len));
	assert_int_equal(len, 40);
	assert_memory_equal(first, "IBM     ", 8);
	assert_memory_equal(first + 8, g->u->id.serial, strlen(g->u->id.serial));
	assert_true(read_one(g, 0, 0x020b, b, &len));
	assert_int_equal(b[0], 0);
	write_bytes(g, 3, 1 << 20);
	GOOD(g, 0, REWIND);
	GOOD(g, 1 << 20, 0x08, 0, 0x10, 0, 0, 0);
	ssc_alert(g->u, 2);
	load_again(g);
	assert_int_equal(number(g, 0, 0x0003), 2);
	assert_int_equal(number(g, 0, 0x0220), 3);
	assert_int_equal(number(g, 0, 0x0221), 1);
	assert_int_equal(number(g, 0, 0x0222), 0);
	assert_int_equal(number(g, 0, 0x0223), 0);
	assert_int_equal(number(g, 0, 0x0002), 1ull << 62);	/* flag 2 */
	assert_true(read_one(g, 0, 0x020b, b, &len));
	assert_memory_equal(b, first, 40);
	GOOD(g, 0, TO_EOD);
	write_bytes(g, 2, 1 << 20);
	GOOD(g, 0, MARKS(0));
	assert_true(read_one(g, 0, 0x0340, b, &len));
	assert_int_equal(len, 90);
	assert_int_equal(get_be32(b + 2), 2);			/* now, before, all: written */
	assert_int_equal(get_be32(b + 24 + 2), 3);
	assert_int_equal(get_be32(b + 48 + 2), 5);
	assert_int_equal(get_be32(b + 60 + 2), 1);		/* all: read */
	assert_int_equal(get_be32(b + 72 + 2), 2);		/* loads */
	/* Told alerts are alerts of this load all the same. */
	ssc_alert(g->u, 64);
	GOOD(g, 1024, 0x4d, 0, 0x6e, 0, 0, 0, 0, 4, 0, 0);
	load_again(g);
	assert_int_equal(number(g, 0, 0x0002), 1);
	assert_int_equal(number(g, 0, 0x0220), 5);
}

static void counts_outlive_a_kill(void **state)
{
	struct rig *g = rig_of(state);

	write_bytes(g, 3, 100000);
	GOOD(g, 0, MARKS(0));
	rig_kill(g, SCSI_DRIVE, "ibm-lto7");
	assert_int_equal(number(g, 0, 0x0003), 1);
	write_bytes(g, 9, 100000);
	load_again(g);
	assert_int_equal(number(g, 0, 0x0003), 2);
	assert_int_equal(number(g, 0, 0x0220), 1200000 >> 20);
}

static void a_history_that_makes_no_sense_is_none(void **state)
{
	struct rig *g = rig_of(state);
	struct catalog_mam a = { .partition = 0, .id = 0x0c00, .format = MAM_BINARY };

	for (size_t n = 1; n < 400; n += 41) {
		memset(g->data, (int)n, n);
		assert_int_equal(catalog_mam_put(g->store->cat, g->u->ssc.volume, &a, g->data, n), 0);
		a.id = 0x0009;
		assert_int_equal(catalog_mam_put(g->store->cat, g->u->ssc.volume, &a, g->data, n), 0);
		a.id = 0x0c00;
		assert_int_equal(number(g, 0, 0x0003), 0);
		GOOD(g, 8192, READ_AT(0, 0, 0, 8192));
	}
	load_again(g);
	assert_int_equal(number(g, 0, 0x0003), 1);
}

/* ---- rows that are damaged --------------------------------------------------------------------------------------- */

/* The row of a cartridge's memory, as the catalog has it (key A, volume, partition, identifier), is not one any more. */
static void damage_row(struct rig *g, uint32_t partition, uint16_t id)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	uint8_t key[15] = { 'A' };

	put_be64(key + 1, g->u->ssc.volume);
	put_be32(key + 9, partition);
	put_be16(key + 13, id);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_CATALOG, key, sizeof(key), "x", 1), 0);
	assert_int_equal(kv_write(g->store->kv, b, true), 0);
}

static void what_is_damaged_is_not_there_and_the_rest_is(void **state)
{
	static const uint8_t list[] = { 0, 0, 0, 26, 0x08, 0x00, 1, 0, 8, 'v', 'e', 'n', 'd', 'o', 'r', ' ', ' ',
					0x08, 0x02, 1, 0, 8, '1', '.', '0', ' ', ' ', ' ', ' ', ' ' };
	struct rig *g = rig_of(state);
	uint8_t b[1024];
	size_t len, whole;
	bool seen = false;

	memcpy(g->data, list, sizeof(list));
	GOOD(g, sizeof(list), WRITE_AT(0, sizeof(list)));
	GOOD(g, 0x10000, READ_AT(0, 0, 0, 0xffff));
	whole = g->t.data_in;
	damage_row(g, 0, 0x0800);
	GOOD(g, 0x10000, READ_AT(0, 0, 0, 0xffff));
	assert_int_equal(g->t.data_in, whole - 13);
	assert_true(read_one(g, 0, 0x0802, b, &len));
	assert_memory_equal(b, "1.0     ", 8);
	assert_true(read_one(g, 0, 0x0401, b, &len));
	assert_false(read_one(g, 0, 0x0800, b, &len));
	GOOD(g, 0x10000, READ_AT(1, 0, 0, 0xffff));
	for (size_t i = 4; i < g->t.data_in; i += 2) {
		assert_int_not_equal(get_be16(g->data + i), 0x0800);
		seen |= get_be16(g->data + i) == 0x0802;
	}
	assert_true(seen);
	/* What is written again is whole again. */
	memcpy(g->data, list, sizeof(list));
	GOOD(g, sizeof(list), WRITE_AT(0, sizeof(list)));
	assert_true(read_one(g, 0, 0x0800, b, &len));
	assert_memory_equal(b, "vendor  ", 8);
}

/* Also what it knows of its own life: the drive takes, reads, writes and formats such a tape. */
static void a_damaged_history_begins_anew(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, TO_EOD);
	GOOD(g, 100, WRITE_6(100));
	GOOD(g, 0, REWIND);
	damage_row(g, 0, 0x0009);
	damage_row(g, 0, 0x0c00);
	damage_row(g, 0, 0x080c);
	assert_int_not_equal(number(g, 0, 0x0009), 0);
	GOOD(g, 0, UNLOAD);
	GOOD(g, 0, LOAD);
	rig_settle(g);
	assert_int_equal(number(g, 0, 0x0003), 1);
	GOOD(g, 0, TO_EOD);
	GOOD(g, 100, WRITE_6(100));
	GOOD(g, 0, REWIND);
	damage_row(g, UINT32_MAX, 0x0001);
	GOOD(g, 0, 0x0b, 0, 0, 0x80, 0, 0);
	GOOD(g, 0, FORMAT(0));
	GOOD(g, 0x10000, READ_AT(0, 0, 0, 0xffff));
}

/* ---- WRITE ATTRIBUTE -------------------------------------------------------------------------------------------- */

static void ltfs_writes_and_reads_its_attributes(void **state)
{
	static const struct { uint16_t id; uint8_t format; uint16_t len; } all[] = {
		{ 0x0800, 1, 8 }, { 0x0801, 1, 32 }, { 0x0802, 1, 8 }, { 0x0803, 2, 160 }, { 0x0805, 0, 1 },
		{ 0x0806, 1, 32 }, { 0x0808, 2, 160 }, { 0x080b, 1, 16 }, { 0x1623, 0, 1 }, { 0x080c, 0, 70 },
	};
	struct rig *g = rig_of(state);
	uint8_t b[1024];
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_false(read_one(g, 0, all[i].id, b, &len));
		assert_int_equal(write_one(g, 0, all[i].id, all[i].format, all[i].len, (uint8_t)('a' + i)), SCSI_GOOD);
		assert_true(read_one(g, 0, all[i].id, b, &len));
		assert_int_equal(len, all[i].len);
		assert_int_equal(b[0], 'a' + i);
		assert_int_equal(g->data[6], all[i].format);
		/* LTFS asks for no more than it has room for. */
		GOOD(g, 9u + all[i].len, READ_AT(0, 0, all[i].id, 9u + all[i].len));
		assert_int_equal(g->t.data_in, 9u + all[i].len);
	}
	/* They go with the tape. */
	load_again(g);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_true(read_one(g, 0, all[i].id, b, &len));
		assert_int_equal(b[all[i].len - 1], 'a' + i);
	}
	/* tape_read_attr(): all that there is, in one. */
	GOOD(g, 0xffff, READ_AT(0, 0, 0, 0xffff));
	walk_values(g);
}

static void each_partition_has_its_own(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t b[1024];
	size_t len;

	two_partitions(g);
	assert_int_equal(write_one(g, 0, 0x080c, 0, 70, 1), SCSI_GOOD);
	assert_int_equal(write_one(g, 1, 0x080c, 0, 70, 2), SCSI_GOOD);
	assert_true(read_one(g, 0, 0x080c, b, &len));
	assert_int_equal(b[0], 1);
	assert_true(read_one(g, 1, 0x080c, b, &len));
	assert_int_equal(b[0], 2);
	assert_int_equal(write_one(g, 2, 0x080c, 0, 70, 2), SCSI_CHECK_CONDITION);
	assert_int_equal(get_be16(g->t.sense + 12), ASC_INVALID_CDB_FIELD);
	assert_field(g, true, 7, -1);
	/* Another partition is not the one that this was said of. */
	assert_int_equal(write_one(g, 0, 0x0801, 1, 32, 'x'), SCSI_GOOD);
	assert_int_equal(write_one(g, 1, 0x0809, 1, 16, 'x'), SCSI_GOOD);
	GOOD(g, 0, FORMAT(1));
	assert_false(read_one(g, 0, 0x080c, b, &len));
	assert_false(read_one(g, 1, 0x080c, b, &len));
	assert_false(read_one(g, 1, 0x0809, b, &len));
	assert_true(read_one(g, 0, 0x0801, b, &len));
	assert_int_equal(number(g, 0, 0x0007), 2);
}

static void a_length_of_0_takes_it_away(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t b[1024];
	size_t len;

	assert_int_equal(write_one(g, 0, 0x0801, 1, 32, 'x'), SCSI_GOOD);
	assert_int_equal(number(g, 0, 0x0004), MAM_BYTES - 37);
	assert_int_equal(write_one(g, 0, 0x0801, 1, 0, 0), SCSI_GOOD);
	assert_false(read_one(g, 0, 0x0801, b, &len));
	assert_int_equal(number(g, 0, 0x0004), MAM_BYTES);
	assert_int_equal(write_one(g, 0, 0x0801, 1, 0, 0), SCSI_GOOD);
	GOOD(g, 0, WRITE_AT(0, 0));
	GOOD(g, 4, WRITE_AT(0, 4));
}

static void what_may_not_be_written_is_refused(void **state)
{
	static const struct { uint16_t id; uint8_t format; uint16_t len; unsigned byte; int bit; } bad[] = {
		{ 0x0000, 0, 8, 4, -1 }, { 0x0009, 0, 4, 4, -1 }, { 0x0401, 1, 32, 4, -1 }, { 0x0c00, 0, 8, 4, -1 },
		{ 0x0fff, 0, 1, 4, -1 }, { 0x0801, 0x81, 32, 6, 7 }, { 0x0801, 0, 32, 6, -1 }, { 0x0801, 2, 32, 6, -1 },
		{ 0x0801, 0x05, 32, 6, -1 }, { 0x0801, 1, 31, 7, -1 }, { 0x0801, 1, 33, 7, -1 },
		{ 0x080c, 0, 22, 7, -1 }, { 0x080c, 0, 1024, 7, -1 }, { 0x1623, 0, 2, 7, -1 },
	};
	struct rig *g = rig_of(state);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(write_one(g, 0, bad[i].id, bad[i].format, bad[i].len, 1), SCSI_CHECK_CONDITION);
		assert_int_equal(get_be16(g->t.sense + 12), ASC_INVALID_PARAMETER);
		assert_field(g, false, bad[i].byte, bad[i].bit);
	}
	assert_int_equal(number(g, 0, 0x0004), MAM_BYTES);
}

static void a_list_is_written_as_a_whole_or_not(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t b[1024];
	size_t len, n;

	n = item(g, 4, 0x0800, 1, 8, 'v');
	n = item(g, n, 0x0802, 1, 8, 'v');
	n = item(g, n, 0x0003, 0, 8, 'v');
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, n, WRITE_AT(0, n));
	assert_field(g, false, 4 + 2 * 13, -1);
	assert_false(read_one(g, 0, 0x0800, b, &len));
	/* They must ascend: none is there twice. */
	n = item(g, 4, 0x0802, 1, 8, 'v');
	n = item(g, n, 0x0800, 1, 8, 'v');
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, n, WRITE_AT(0, n));
	n = item(g, 4, 0x0802, 1, 8, 'v');
	n = item(g, n, 0x0802, 1, 8, 'w');
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, n, WRITE_AT(0, n));
	/* Wherever it ends. */
	for (size_t cut = 1; cut <= 30; cut++) {
		item(g, item(g, 4, 0x0800, 1, 8, 'v'), 0x0802, 1, 8, 'w');
		if (cut == 4 || cut == 17 || cut == 30) {
			GOOD(g, cut, WRITE_AT(0, cut));
			assert_int_equal(read_one(g, 0, 0x0802, b, &len), cut == 30);
		} else {
			CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, cut, WRITE_AT(0, cut));
		}
	}
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 29, WRITE_AT(0, 30));
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 30, 0x8d, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
		0xff, 0xff, 0, 0);
}

static void the_memory_is_full_at_its_end(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t before, volume = g->u->ssc.volume;
	struct catalog_mam a = { .partition = 3, .id = 0x080c, .format = MAM_BINARY };
	uint8_t *big = calloc(1, CATALOG_MAM_MAX);

	/* What an older or a newer vtape has left there counts. */
	for (uint32_t p = 0; p < 4; p++) {
		a.partition = p;
		assert_int_equal(catalog_mam_put(g->store->cat, volume, &a, big, p < 3 ? CATALOG_MAM_MAX : 4040), 0);
	}
	free(big);
	before = number(g, 0, 0x0004);
	assert_int_equal(before, MAM_BYTES - 3 * (5 + 4096) - 5 - 4040);
	assert_int_equal(write_one(g, 0, 0x0800, 1, 8, 'x'), SCSI_GOOD);
	assert_int_equal(write_one(g, 0, 0x0801, 1, 32, 'x'), SCSI_CHECK_CONDITION);
	assert_int_equal(get_be16(g->t.sense + 12), 0x5506);
	assert_int_equal(write_one(g, 0, 0x0800, 1, 8, 'y'), SCSI_GOOD);
	assert_int_equal(write_one(g, 0, 0x080c, 0, 70, 'y'), SCSI_GOOD);
	assert_int_equal(write_one(g, 0, 0x0801, 1, 32, 'x'), SCSI_GOOD);
}

static void a_protected_cartridges_memory_is_too(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, set_protect, ON), 0);
	assert_int_equal(write_one(g, 0, 0x0801, 1, 32, 'x'), SCSI_CHECK_CONDITION);
	assert_int_equal(g->t.sense[2] & 0xf, DATA_PROTECT);
	assert_int_equal(get_be16(g->t.sense + 12), ASC_WRITE_PROTECTED);
}

/* ---- the volume change reference -------------------------------------------------------------------------------- */

static void it_is_0_until_something_is_written(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(reference(g), 0);
	load_again(g);
	assert_int_equal(reference(g), 0);
	write_bytes(g, 1, 1000);
	assert_int_equal(reference(g), 1);
}

static void it_grows_once_with_what_is_written_in_a_load(void **state)
{
	struct rig *g = rig_of(state);
	uint32_t was;

	write_bytes(g, 5, 1000);
	GOOD(g, 0, MARKS(1));
	write_bytes(g, 5, 1000);
	was = reference(g);
	assert_int_equal(was, 1);
	assert_int_equal(reference(g), was);
	load_again(g);
	assert_int_equal(reference(g), was);
	GOOD(g, 0, TO_EOD);
	write_bytes(g, 3, 1000);
	GOOD(g, 0, MARKS(1));
	GOOD(g, 0, UNLOAD);
	GOOD(g, 0, LOAD);
	rig_settle(g);
	assert_int_equal(reference(g), was + 1);
}

static void it_grows_again_once_it_was_read(void **state)
{
	struct rig *g = rig_of(state);
	uint32_t was;

	write_bytes(g, 1, 1000);
	was = reference(g);
	write_bytes(g, 3, 1000);
	assert_int_equal(reference(g), was + 1);
	write_bytes(g, 1, 1000);
	assert_int_equal(reference(g), was + 2);
	/* Also between a rewind and the next record. */
	GOOD(g, 0, REWIND);
	assert_int_equal(reference(g), was + 2);
	GOOD(g, 1000, 0x08, 0, 0, 0x03, 0xe8, 0);
	assert_int_equal(reference(g), was + 2);
}

static void it_grows_with_what_is_overwritten_erased_or_formatted(void **state)
{
	struct rig *g = rig_of(state);
	uint32_t was;

	write_bytes(g, 5, 1000);
	was = reference(g);
	write_bytes(g, 1, 1000);
	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, 2, 0, 0, 0);
	write_bytes(g, 1, 1000);			/* over, in the same load */
	assert_int_equal(reference(g), was + 2);
	GOOD(g, 0, REWIND);
	GOOD(g, 0, 0x19, 1, 0, 0, 0, 0);
	assert_int_equal(reference(g), was + 3);
	write_bytes(g, 1, 1000);
	GOOD(g, 0, REWIND);
	GOOD(g, 0, FORMAT(0));
	assert_in_range(reference(g), was + 5, was + 6);
	was = reference(g);
	GOOD(g, 0, FORMAT(0));
	assert_int_equal(reference(g), was + 1);
}

static void it_is_one_for_all_partitions(void **state)
{
	struct rig *g = rig_of(state);

	two_partitions(g);
	GOOD(g, 0, 0x2b, 0x02, 0, 0, 0, 0, 0, 0, 1, 0);
	write_bytes(g, 1, 1000);
	assert_int_equal(number(g, 0, 0x0009), number(g, 1, 0x0009));
	assert_true(number(g, 0, 0x0009) > 0);
}

static void it_grows_when_another_door_changed_the_tape(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t volume = g->u->ssc.volume;
	struct drive *d;
	uint32_t was;

	write_bytes(g, 1, 1000);
	GOOD(g, 0, UNLOAD);
	write_text(g->store, volume, "through the mount");
	assert_int_equal(library_load(g->store->lib, 0, volume), 0);
	rig_settle(g);
	was = reference(g);
	assert_int_equal(was, 2);
	load_again(g);
	assert_int_equal(reference(g), was);
	/* And in the same load, while we have not taken it. */
	assert_int_equal(library_drive_open(g->store->lib, 0, true, &d), 0);
	assert_int_equal(drive_space_eod(d), 0);
	assert_int_equal(drive_write_record(d, "more", 4), 0);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	assert_int_equal(reference(g), was + 1);
	assert_int_equal(reference(g), was + 1);
	/* A blank one that was written there, too. */
	GOOD(g, 0, UNLOAD);
	volume = rig_volume(g, "A00002L7");
	write_text(g->store, volume, "x");
	assert_int_equal(library_load(g->store->lib, 0, volume), 0);
	rig_settle(g);
	assert_int_equal(reference(g), 1);
}

static void it_never_comes_again(void **state)
{
	struct rig *g = rig_of(state);
	struct catalog_mam a = { .partition = 0, .id = 0x0009, .format = MAM_BINARY };
	uint8_t row[12] = { 0xfd, 0xff, 0xff, 0xff };

	write_bytes(g, 1, 1000);
	reference(g);
	assert_int_equal(catalog_mam_put(g->store->cat, g->u->ssc.volume, &a, row, 12), 0);
	write_bytes(g, 1, 1000);
	assert_int_equal(reference(g), 0xfffffffe);
	write_bytes(g, 1, 1000);
	assert_int_equal(reference(g), 1);	/* neither 0 nor all ones */
}

/* What a host was told holds only while the tape is that one.  The steps are those of mam.h. */
static void a_cut_behind_each_step_tells_what_was_changed(void **state)
{
	static struct rig_cut cut;
	struct rig *g = rig_of(state);

	for (unsigned step = 1; step <= 4; step++) {
		char name[] = "B0";
		uint32_t told;
		uint64_t objects;

		if (g->u->ssc.volume)
			GOOD(g, 0, UNLOAD);
		name[1] = (char)('0' + step);
		assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, name)), 0);
		rig_settle(g);
		write_bytes(g, 2, 1000);
		GOOD(g, 0, MARKS(1));
		told = reference(g);
		objects = stat_of(g->store, g->u->ssc.volume).end.objects;
		switch (step) {
		case 1:
			assert_int_equal(mam_modify(g->u), 0);
			break;
		case 2:
			write_bytes(g, 1, 1000);
			break;
		case 3:
			write_bytes(g, 1, 1000);
			GOOD(g, 0, MARKS(0));
			break;
		case 4:
			write_bytes(g, 1, 1000);
			GOOD(g, 0, REWIND);
			mam_settled(g->u);
			break;
		}
		/* The machine stops: the memory goes too. */
		rig_cut(g, &cut);
		memset(cut.memory, 0, sizeof(cut.memory));
		rig_revive(g, &cut, SCSI_DRIVE, "ibm-lto7");
		rig_settle(g);
		if (stat_of(g->store, g->u->ssc.volume).end.objects != objects)
			assert_true(reference(g) > told);
		else
			assert_true(reference(g) >= told);
		load_again(g);
		told = reference(g);
		load_again(g);
		assert_int_equal(reference(g), told);
	}
}

/* ---- hostile ---------------------------------------------------------------------------------------------------- */

/* Often enough what is well formed. */
static void shape(uint8_t cdb[16], uint8_t *data)
{
	cdb[1] &= 0x07;
	cdb[2] = cdb[3] = cdb[4] = cdb[5] = cdb[6] = cdb[7] = cdb[14] = cdb[15] = 0;
	if (cdb[0] == 0x8d) {
		cdb[1] = cdb[8] = cdb[9] = cdb[10] = cdb[11] = cdb[12] = 0;
		data[4] = 0x08;
		data[5] &= 0x0f;
		data[6] &= 0x03;
		data[7] = 0;
	}
}

static void whatever_comes_is_answered(void **state)
{
	static const uint8_t codes[] = { 0x8c, 0x8d };

	rig_whatever_comes(*state, codes, sizeof(codes), shape);
}

#define LOADED(test) cmocka_unit_test_setup_teardown(test, loaded, rig_free)
int main(void)
{
	const struct CMUnitTest tests[] = {
		LOADED(all_values_and_lists_tell_the_same), LOADED(logical_volumes_and_partitions),
		LOADED(every_allocation_length_cuts), LOADED(what_is_not_there_is_refused_with_its_field),
		LOADED(of_the_cartridge_and_of_the_device), LOADED(loads_add_up), LOADED(counts_outlive_a_kill),
		LOADED(a_history_that_makes_no_sense_is_none), LOADED(ltfs_writes_and_reads_its_attributes),
		LOADED(each_partition_has_its_own), LOADED(a_length_of_0_takes_it_away),
		LOADED(what_is_damaged_is_not_there_and_the_rest_is), LOADED(a_damaged_history_begins_anew),
		LOADED(what_may_not_be_written_is_refused), LOADED(a_list_is_written_as_a_whole_or_not),
		LOADED(the_memory_is_full_at_its_end), LOADED(a_protected_cartridges_memory_is_too),
		LOADED(it_is_0_until_something_is_written), LOADED(it_grows_once_with_what_is_written_in_a_load),
		LOADED(it_grows_again_once_it_was_read), LOADED(it_grows_with_what_is_overwritten_erased_or_formatted),
		LOADED(it_is_one_for_all_partitions), LOADED(it_grows_when_another_door_changed_the_tape),
		LOADED(it_never_comes_again), LOADED(a_cut_behind_each_step_tells_what_was_changed),
		LOADED(whatever_comes_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
