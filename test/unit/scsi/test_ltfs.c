/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What LTFS does: the sequences of commands that the reference implementation (its sg backend and libltfs above it)
 * sends to an IBM LTO-7 drive when it opens it, formats, mounts, writes, syncs, unmounts, checks and unformats.
 * Everything that it looks at in an answer is asserted here; what it would only write into its log is not.
 */
#include "unit/scsi/rig.h"

#define ANYWHERE UINT64_MAX		/* LOCATE to the end of data */
#define BLOCK 524288u
#define LABEL_MAX 4096u
#define BE16(n) (uint8_t)((n) >> 8), (uint8_t)(n)
#define BE24(n) (uint8_t)((n) >> 16), BE16(n)
#define BE32(n) (uint8_t)((n) >> 24), BE24(n)
#define BE64(n) BE32((uint64_t)(n) >> 32), BE32((uint64_t)(n) & 0xffffffff)

/* Sense as LTFS looks it up: key, code, qualifier. */
enum { GOOD_STATUS = 0, FILEMARK_MET = 0x000001, EARLY = 0x000002, EARLY_PROGRAMMED = 0x000007, NO_MORE_DATA = 0x080005,
       NOT_THERE = 0x023a00, NEW_MEDIUM = 0x062800, POWERED_ON = 0x062900, BAD_CDB = 0x052400 };

struct host {
	struct rig *g;
	uint32_t timeout[256];		/* from REPORT SUPPORTED OPERATION CODES; a command without one is never sent */
	bool table;
	uint32_t partition;		/* where LTFS believes that it is */
	uint64_t block, marks;
	bool early, early_programmed;
	uint8_t key[8];
	/* Of a partition that ends with an index: which one, and where. */
	struct { bool ends; uint64_t generation, block; } index[2];
};

/* ---- the backend ------------------------------------------------------------------------------------------------ */

static uint32_t issue(struct host *h, const uint8_t *cdb, size_t len, size_t n)
{
	enum scsi_status s;

	if (h->table)
		assert_in_range(h->timeout[cdb[0]], 1, 200000);
	s = rig_run(h->g, cdb, len, n);
	if (s == SCSI_GOOD)
		return GOOD_STATUS;
	assert_int_equal(s, SCSI_CHECK_CONDITION);
	assert_int_equal(h->g->t.sense[0] & 0x7f, 0x70);
	return (uint32_t)(h->g->t.sense[2] & 0x0f) << 16 | get_be16(h->g->t.sense + 12);
}
#define ISSUE(h, n, ...) \
	issue(h, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), n)
#define WORKS(h, n, ...) assert_int_equal(ISSUE(h, n, __VA_ARGS__), GOOD_STATUS)

static uint8_t *data(struct host *h) { return h->g->data; }

static void read_position(struct host *h)
{
	WORKS(h, 32, 0x34, 0x06, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(h->g->t.data_in, 32);
	h->early = data(h)[0] & 0x40;
	h->early_programmed = data(h)[0] & 0x01;
	h->partition = get_be32(data(h) + 4);
	h->block = get_be64(data(h) + 8);
	h->marks = get_be64(data(h) + 16);
}

/* It changes the partition only if it believes to be in the other one. */
static uint32_t locate(struct host *h, uint32_t partition, uint64_t block)
{
	uint8_t change = h->partition != partition ? 0x02 : 0;
	uint32_t r = ISSUE(h, 0, 0x92, change, 0, (uint8_t)partition, BE64(block), 0, 0, 0, 0);

	if (r == NO_MORE_DATA && block == ANYWHERE)
		r = GOOD_STATUS;
	read_position(h);
	return r;
}

static void seek(struct host *h, uint32_t partition, uint64_t block)
{
	assert_int_equal(locate(h, partition, block), GOOD_STATUS);
	assert_int_equal(h->partition, partition);
	if (block != ANYWHERE)
		assert_int_equal(h->block, block);
}

static void space_marks(struct host *h, int64_t n)
{
	WORKS(h, 0, 0x91, 0x01, 0, 0, BE64(n), 0, 0, 0, 0);
	read_position(h);
}

#define AT_FILEMARK (-1)
#define AT_END (-2)
/* Bytes of the record.  A short one is told by the residual alone with SILI; without it by sense, and the residual that
 * the kernel tells must be that of the sense. */
static int64_t read_block(struct host *h, uint32_t size, bool sili)
{
	uint32_t r = ISSUE(h, size, 0x08, sili ? 0x02 : 0, BE24(size), 0);
	int64_t residual = (int64_t)size - (int64_t)h->g->t.data_in;
	const uint8_t *sense = h->g->t.sense;

	if (r == NO_MORE_DATA)
		return AT_END;
	h->block++;
	if (r == FILEMARK_MET) {
		h->marks++;
		return AT_FILEMARK;
	}
	assert_int_equal(r, GOOD_STATUS);	/* ILI comes with no additional sense */
	if (h->g->t.status == SCSI_GOOD)
		return (int64_t)size - residual;
	assert_int_equal(sense[2], 0x20);
	assert_int_equal(sense[0], 0xf0);
	assert_int_equal((int32_t)get_be32(sense + 3), residual);
	return (int64_t)size - residual;
}

/* Early warning says so and has written. */
static uint32_t write_block(struct host *h, uint32_t size)
{
	uint32_t r = ISSUE(h, size, 0x0a, 0, BE24(size), 0);

	h->early = r == EARLY;
	h->early_programmed = r == EARLY || r == EARLY_PROGRAMMED;
	if (r == GOOD_STATUS || h->early_programmed)
		h->block++;
	return h->early_programmed ? GOOD_STATUS : r;
}

static void write_marks(struct host *h, unsigned n, bool immediate)
{
	uint64_t block = h->block;
	uint32_t r = ISSUE(h, 0, 0x10, immediate, BE24(n), 0);

	assert_true(r == GOOD_STATUS || r == EARLY || r == EARLY_PROGRAMMED);
	read_position(h);
	assert_int_equal(h->block, block + n);
	h->early = h->early || r == EARLY;
	h->early_programmed = h->early_programmed || r == EARLY || r == EARLY_PROGRAMMED;
}

/* MODE SENSE(10) into the buffer, with the header of 8 bytes and the block descriptor of 8 before the page. */
static uint8_t *mode_page(struct host *h, uint8_t page, uint8_t subpage, uint8_t size)
{
	memset(data(h), 0, 256);
	WORKS(h, size, 0x5a, 0, page, subpage, 0, 0, 0, 0, size, 0);
	assert_int_equal(get_be16(data(h) + 6), 8);
	if (page != 0x3f) {
		assert_int_equal(data(h)[16] & 0x3f, page);
		assert_int_equal(!!(data(h)[16] & 0x40), subpage != 0);
	}
	return data(h);
}

/* What MODE SENSE gave goes back with the first two bytes cleared, the rest of the header as it was. */
static void mode_select(struct host *h, uint8_t size)
{
	data(h)[0] = data(h)[1] = 0;
	WORKS(h, size, 0x55, 0x10, 0, 0, 0, 0, 0, 0, size, 0);
}

/* A parameter of a log page as LTFS finds it: in the first 1024 bytes, no more than @cap bytes of it. */
static uint32_t log_parameter(struct host *h, uint8_t page, uint16_t code, uint8_t *out, size_t cap)
{
	uint8_t *b = data(h);
	uint32_t len;

	WORKS(h, 0xffff, 0x4d, 0, 0x40 | page, 0, 0, 0, 0, 0xff, 0xff, 0);
	assert_int_equal(b[0] & 0x3f, page);
	len = get_be16(b + 2);
	assert_int_equal(h->g->t.data_in, len + 4);
	assert_in_range(len + 4, 4, 1024);
	for (uint32_t i = 4; i < len; i += b[i + 3] + 4u) {
		if (get_be16(b + i) != code)
			continue;
		assert_in_range(b[i + 3], 1, cap);
		memcpy(out, b + i + 4, b[i + 3]);
		return b[i + 3];
	}
	fail_msg("page %02x has no parameter %04x", page, code);
	return 0;
}

/* Of page 17h: 4 bytes of each partition's record. */
static uint32_t partition_value(struct host *h, uint16_t code, uint32_t partition, uint32_t partitions)
{
	uint8_t b[16];
	uint32_t n = log_parameter(h, 0x17, code, b, sizeof(b));

	assert_int_equal(n, 8 * partitions);
	for (uint32_t i = 0; i < partitions; i++) {
		assert_int_equal(b[8 * i], 7);
		assert_int_equal(get_be16(b + 8 * i + 2), i);
	}
	return get_be32(b + 8 * partition + 4);
}

static uint32_t read_attribute(struct host *h, uint32_t partition, uint16_t id, uint16_t size, uint8_t *out)
{
	uint32_t alloc = size + 9u, r;

	memset(data(h), 0, alloc);
	r = ISSUE(h, alloc, 0x8c, 0, 0, 0, 0, 0, 0, (uint8_t)partition, BE16(id), BE32(alloc), 0, 0);
	if (r)
		return r;
	assert_int_equal(get_be16(data(h) + 4), id);
	assert_int_equal(get_be16(data(h) + 7), size);
	assert_int_equal(h->g->t.data_in, alloc);
	memcpy(out, data(h) + 9, size);
	return GOOD_STATUS;
}

/* LTFS counts the length field in the length that it has there. */
static void write_attribute(struct host *h, uint32_t partition, uint16_t id, uint8_t format, const void *p, uint16_t n)
{
	uint32_t len = n + 9u;

	put_be32(data(h), len);
	put_be16(data(h) + 4, id);
	data(h)[6] = format;
	put_be16(data(h) + 7, n);
	memcpy(data(h) + 9, p, n);
	WORKS(h, len, 0x8d, 0x01, 0, 0, 0, 0, 0, (uint8_t)partition, 0, 0, BE32(len), 0, 0);
}

static uint32_t change_reference(struct host *h)
{
	uint8_t b[4];

	assert_int_equal(read_attribute(h, 0, 0x0009, 4, b), GOOD_STATUS);
	assert_int_not_equal(get_be32(b), 0);
	assert_int_not_equal(get_be32(b), UINT32_MAX);
	return get_be32(b);
}

/* ---- open ------------------------------------------------------------------------------------------------------- */

/* Up to three TESTs until the drive is ready or says that nothing is in it. */
static void clear_power_on(struct host *h)
{
	uint32_t r = 1;

	for (int i = 0; i < 3 && r && r != NOT_THERE; i++)
		r = ISSUE(h, 0, 0, 0, 0, 0, 0, 0);
	assert_true(r == GOOD_STATUS || r == NOT_THERE);
}

/* The only source of timeouts: descriptors of 20 bytes, in less than 4 KiB. */
static void learn_timeouts(struct host *h)
{
	uint32_t len;

	assert_int_equal(ISSUE(h, 4096, 0xa3, 0x0c, 0x80, 0, 0, 0, BE32(4096), 0, 0), GOOD_STATUS);
	len = get_be32(data(h));
	assert_in_range(len, 20, 4095 - 4);
	assert_int_equal(len % 20, 0);
	for (uint32_t at = 4; at < len + 4; at += 20)
		if (!h->timeout[data(h)[at]])
			h->timeout[data(h)[at]] = get_be32(data(h) + at + 16);
	h->table = true;
}

/* Who holds a reservation: nobody, or the one whose key is returned. */
static bool reservation_holder(struct host *h, uint8_t key[8])
{
	uint32_t len;

	memset(data(h), 0, 0xf8);
	WORKS(h, 0xf8, 0x5e, 0x03, 0, 0, 0, 0, BE24(0xf8), 0);
	len = get_be32(data(h) + 4);
	for (uint32_t at = 8; at < len + 8; at += 24 + get_be32(data(h) + at + 20)) {
		if (!(data(h)[at + 12] & 0x01))
			continue;
		memcpy(key, data(h) + at, 8);
		return true;
	}
	return false;
}

static void reserve_out(struct host *h, uint8_t action, uint8_t type, const uint8_t *key, const uint8_t *new_key)
{
	memset(data(h), 0, 24);
	if (key)
		memcpy(data(h), key, 8);
	if (new_key)
		memcpy(data(h) + 8, new_key, 8);
	WORKS(h, 24, 0x5f, action, type, 0, 0, 0, 0, 0, 24, 0);
}

static void reserve(struct host *h)
{
	reserve_out(h, 0x06, 0, NULL, h->key);
	reserve_out(h, 0x01, 0x03, h->key, NULL);
}

static void open_device(struct host *h)
{
	uint8_t key[8];

	WORKS(h, 0x60, 0x12, 0, 0, 0, 0x60, 0);
	assert_int_equal(data(h)[0], 0x01);
	assert_memory_equal(data(h) + 8, "IBM     ULT3580-TD7     ", 24);
	WORKS(h, 0xff, 0x12, 1, 0x80, 0, 0xff, 0);
	assert_int_equal(data(h)[1], 0x80);
	assert_in_range(data(h)[3], 1, 32);
	learn_timeouts(h);
	clear_power_on(h);
	memcpy(h->key, "\x10host001", 8);
	assert_false(reservation_holder(h, key));
	reserve(h);
	assert_true(reservation_holder(h, key));
	assert_memory_equal(key, h->key, 8);
	WORKS(h, 0, 0x1e, 0, 0, 0, 0, 0);
}

static void close_device(struct host *h)
{
	uint8_t key[8];

	reserve_out(h, 0x02, 0x03, h->key, NULL);
	assert_false(reservation_holder(h, key));
	reserve_out(h, 0x06, 0, NULL, NULL);
}

/* ---- load ------------------------------------------------------------------------------------------------------- */

static void load(struct host *h)
{
	uint32_t r = ISSUE(h, 0, 0x1b, 0, 0, 0, 0x01, 0);

	assert_true(r == GOOD_STATUS || r == NEW_MEDIUM);
	read_position(h);
	assert_int_equal(h->partition, 0);
	assert_int_equal(h->block, 0);
	mode_page(h, 0x3f, 0, 0xff);
	assert_int_equal(data(h)[2], 0x78);	/* an LTO-7 data cartridge */
	assert_int_equal(data(h)[8], 0x5c);
}

static void wait_until_ready(struct host *h)
{
	uint32_t r;

	do
		r = ISSUE(h, 0, 0, 0, 0, 0, 0, 0);
	while (r == NEW_MEDIUM || r == POWERED_ON);
	assert_int_equal(r, GOOD_STATUS);
}

static void no_block_protection(struct host *h)
{
	mode_page(h, 0x0a, 0xf0, 48);
	data(h)[20] = data(h)[21] = data(h)[22] = 0;
	mode_select(h, 48);
}

/* @partitions: of the tape as it is. */
static void load_tape(struct host *h, uint32_t partitions)
{
	wait_until_ready(h);
	load(h);
	wait_until_ready(h);
	WORKS(h, 0, 0x1e, 0, 0, 0, 0x01, 0);
	read_position(h);
	no_block_protection(h);
	for (uint32_t p = 0; p < partitions; p++)
		assert_true(partition_value(h, 0x0204, p, partitions) <= partition_value(h, 0x0202, p, partitions));
	mode_page(h, 0x10, 0, 32);
	assert_int_equal(data(h)[3] & 0x80, 0);		/* not protected */
	WORKS(h, 6, 0x05, 0, 0, 0, 0, 0);
	assert_true((get_be32(data(h)) & 0xffffff) >= BLOCK);
	mode_page(h, 0x10, 0x01, 48);
}

/* It leaves the tape in the drive, at the beginning. */
static void release_tape(struct host *h)
{
	WORKS(h, 0, 0x1e, 0, 0, 0, 0, 0);
	WORKS(h, 0, 0x01, 0, 0, 0, 0, 0);
	read_position(h);
	assert_int_equal(h->block, 0);
}

/* Unless it is mounted with -o eject; then somebody puts it into the drive again. */
static void eject_and_insert(struct host *h)
{
	WORKS(h, 0, 0x1b, 0, 0, 0, 0, 0);
	assert_int_equal(ISSUE(h, 0, 0, 0, 0, 0, 0, 0), NOT_THERE);
	WORKS(h, 0, 0x1b, 0, 0, 0, 0x01, 0);
	assert_int_equal(ISSUE(h, 0, 0, 0, 0, 0, 0, 0), NEW_MEDIUM);
}

/* Half of the index partition, in MiB, for the programmable early warning. */
static void set_early_warning(struct host *h)
{
	uint64_t mib = partition_value(h, 0x0202, 0, 2) * 1000000ull >> 20;
	uint16_t mb = mib / 2 < 0xffff ? (uint16_t)(mib / 2) : 0xffff;

	mode_page(h, 0x10, 0x01, 48);
	data(h)[16] &= 0x7f;
	put_be16(data(h) + 22, mb);
	mode_select(h, 48);
	mode_page(h, 0x10, 0x01, 48);
	assert_int_equal(get_be16(data(h) + 22), mb);
}

/* ---- mkltfs ----------------------------------------------------------------------------------------------------- */

/* Mode page 11h; then FORMAT MEDIUM. */
static void format(struct host *h, uint8_t more, uint16_t size0, uint16_t size1, uint8_t how)
{
	uint8_t size = 28;

	load(h);
	mode_page(h, 0x11, 0, 28);
	data(h)[19] = more;
	data(h)[20] = 0x20 | (data(h)[20] & 0x1f);
	data(h)[22] = more ? 9 : 8;
	put_be16(data(h) + 24, size0);
	put_be16(data(h) + 26, size1);
	assert_in_range(data(h)[17], 0x0a, 0x0e);	/* it has room for four bytes more than it asks for */
	memset(data(h) + 28, 0, 4);
	size = (uint8_t)(size + data(h)[17] - 0x0a);
	mode_select(h, size);
	WORKS(h, 0, 0x04, 0, how, 0, 0, 0);
	mode_page(h, 0x3f, 0, 0xff);
	assert_int_equal(data(h)[2], 0x78);
}

/* A block that can be recognized. */
static void fill(struct host *h, uint32_t size, uint8_t seed)
{
	for (uint32_t i = 0; i < size; i++)
		data(h)[i] = (uint8_t)(seed + i * 7 + (i >> 9));
}

static void assert_filled(struct host *h, uint32_t size, uint8_t seed)
{
	for (uint32_t i = 0; i < size; i++)
		assert_int_equal(data(h)[i], (uint8_t)(seed + i * 7 + (i >> 9)));
}

static void write_label(struct host *h, uint32_t partition)
{
	seek(h, partition, 0);
	memset(data(h), ' ', 80);
	memcpy(data(h), "VOL1A00001L", 10);
	memcpy(data(h) + 24, "LTFS", 4);
	assert_int_equal(write_block(h, 80), GOOD_STATUS);
	write_marks(h, 1, true);
	fill(h, 700, (uint8_t)partition);
	assert_int_equal(write_block(h, 700), GOOD_STATUS);
	write_marks(h, 1, true);
	assert_int_equal(h->block, 4);
}

/* Of both partitions as far as they end with an index, with the change reference as it is now. */
static void put_coherency(struct host *h)
{
	uint64_t reference = change_reference(h);

	for (uint32_t p = 0; p < 2; p++) {
		uint8_t b[0x46] = { 8 };

		if (!h->index[p].ends)
			continue;
		put_be64(b + 1, reference);
		put_be64(b + 9, h->index[p].generation);
		put_be64(b + 17, h->index[p].block);
		put_be16(b + 25, 43);
		memcpy(b + 27, "LTFS", 5);
		memcpy(b + 32, "30a91a08-daae-48d1-ae75-69804e61d2ea", 37);
		b[69] = 1;
		write_attribute(h, p, 0x080c, 0, b, sizeof(b));
	}
}

static uint32_t get_coherency(struct host *h, uint32_t partition, uint64_t *vcr, uint64_t *generation, uint64_t *block)
{
	uint8_t b[0x46];
	uint32_t r = read_attribute(h, partition, 0x080c, sizeof(b), b);

	if (r)
		return r;
	assert_int_equal(b[0], 8);
	assert_int_equal(get_be16(b + 25), 43);
	assert_string_equal((char *)b + 27, "LTFS");
	*vcr = get_be64(b + 1);
	*generation = get_be64(b + 9);
	*block = get_be64(b + 17);
	return GOOD_STATUS;
}

/* Two blocks of index of that generation between filemarks; then the coherency.  The place of the index. */
static uint64_t write_index(struct host *h, uint32_t partition, uint64_t at, uint8_t generation)
{
	uint64_t block;

	seek(h, partition, at);
	block = h->block;
	read_position(h);
	assert_int_equal(h->block, block);
	write_marks(h, 0, false);
	write_marks(h, 1, true);
	fill(h, BLOCK, generation);
	assert_int_equal(write_block(h, BLOCK), GOOD_STATUS);
	fill(h, 1234, generation);
	assert_int_equal(write_block(h, 1234), GOOD_STATUS);
	write_marks(h, 1, false);
	h->index[partition].ends = true;
	h->index[partition].generation = generation;
	h->index[partition].block = block + 1;
	put_coherency(h);
	return block + 1;
}

static const struct { uint16_t id, size; uint8_t format; const char *value; } attributes[] = {
	{ 0x0800, 8, 1, "OPEN" }, { 0x0801, 32, 1, "LTFS" }, { 0x0802, 8, 1, "2.4.8" },
	{ 0x0803, 160, 2, "a volume's name" },
	{ 0x0805, 1, 0, "\x81" }, { 0x0806, 32, 1, "A00001" }, { 0x080b, 16, 1, "2.4.0" }, { 0x1623, 1, 0, "" },
	{ 0x0808, 160, 2, "a pool" },
};

static void write_attributes(struct host *h)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		uint8_t b[160] = { 0 };

		memcpy(b, attributes[i].value, strlen(attributes[i].value));
		write_attribute(h, 0, attributes[i].id, attributes[i].format, b, attributes[i].size);
	}
}

static void mkltfs(struct host *h)
{
	struct volume_stat st;

	assert_int_equal(library_stat(h->g->store->lib, h->g->u->ssc.volume, &st), 0);
	open_device(h);
	load_tape(h, st.partitions);
	/* The whole capacity. */
	load(h);
	WORKS(h, 0, 0x0b, 0, 0, 0xff, 0xff, 0);
	ISSUE(h, 0, 0, 0, 0, 0, 0, 0);
	format(h, 1, 1, 0xffff, 1);
	/* Compression. */
	mode_page(h, 0x0f, 0, 32);
	data(h)[18] |= 0x80;
	mode_select(h, 32);
	write_label(h, 1);
	write_index(h, 1, 4, 1);
	write_label(h, 0);
	write_index(h, 0, 4, 1);
	write_attributes(h);
	release_tape(h);
	close_device(h);
}

/* ---- mount ------------------------------------------------------------------------------------------------------ */

static void read_label(struct host *h, uint32_t partition)
{
	seek(h, partition, 0);
	assert_int_equal(read_block(h, LABEL_MAX, true), 80);
	assert_memory_equal(data(h) + 24, "LTFS", 4);
	assert_int_equal(read_block(h, LABEL_MAX, true), AT_FILEMARK);
	assert_int_equal(read_block(h, LABEL_MAX, true), 700);
	assert_filled(h, 700, (uint8_t)partition);
	assert_int_equal(read_block(h, LABEL_MAX, true), AT_FILEMARK);
	read_position(h);
	assert_int_equal(h->block, 4);
	assert_int_equal(h->marks, 2);
}

/* The index at the position; LTFS reads until the filemark behind it. */
static void read_index(struct host *h, uint8_t generation)
{
	assert_int_equal(read_block(h, BLOCK, true), BLOCK);
	assert_filled(h, BLOCK, generation);
	assert_int_equal(read_block(h, BLOCK, true), 1234);
	assert_filled(h, 1234, generation);
	assert_int_equal(read_block(h, BLOCK, true), AT_FILEMARK);
}

static void mount(struct host *h)
{
	open_device(h);
	load_tape(h, 2);
	set_early_warning(h);
	read_label(h, 0);
	read_label(h, 1);
	/* That would be a partition without an end of data. */
	for (uint32_t p = 0; p < 2; p++)
		assert_int_not_equal(partition_value(h, 0x0203, p, 2), UINT32_MAX);
}

/* Both partitions say that they are coherent: the index can be read from where they say. */
static void mount_coherent(struct host *h, uint8_t generation, uint64_t *ip_block)
{
	mount(h);
	for (uint32_t p = 0; p < 2; p++) {
		uint64_t reference;

		assert_int_equal(get_coherency(h, p, &reference, &h->index[p].generation, &h->index[p].block),
				 GOOD_STATUS);
		assert_int_equal(reference, change_reference(h));
		assert_int_equal(h->index[p].generation, generation);
		h->index[p].ends = true;
	}
	*ip_block = h->index[0].block;
	seek(h, 0, *ip_block);
	read_index(h, generation);
}

/* Data at the end of the data partition: that has no index at its end any more. */
static void write_data(struct host *h, uint32_t size, uint8_t seed)
{
	if (h->index[1].ends)
		seek(h, 1, ANYWHERE);
	h->index[1].ends = false;
	fill(h, size, seed);
	assert_int_equal(write_block(h, size), GOOD_STATUS);
}

static void unmount(struct host *h)
{
	/* set_pews(false) */
	mode_page(h, 0x10, 0x01, 48);
	data(h)[16] &= 0x7f;
	put_be16(data(h) + 22, 0);
	mode_select(h, 48);
	release_tape(h);
	close_device(h);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void resize(struct catalog_volume *v, void *ctx) { v->capacity_bytes = *(uint64_t *)ctx; }

static int host_new(void **state)
{
	static struct host h;
	void *g;

	rig_new(&g);
	h = (struct host){ .g = g };
	rig_plug(h.g, SCSI_DRIVE, "ibm-lto7");
	assert_int_equal(library_load(h.g->store->lib, 0, rig_volume(h.g, "A00001L7")), 0);
	/* The kernel's drivers were there before; else LTFS's first command is told of the power, and it takes timeouts
	 * that it brings along. */
	rig_settle(h.g);
	*state = &h;
	return 0;
}

static int host_free(void **state)
{
	struct host *h = *state;
	void *g = h->g;

	return rig_free(&g);
}

/* Another process of LTFS, which knows nothing of the one before. */
static struct host *again(void **state)
{
	struct host *h = *state;

	*h = (struct host){ .g = h->g };
	return h;
}

/* What every one of its commands needs an entry for. */
static void every_command_that_it_sends_has_a_timeout(void **state)
{
	static const uint8_t sent[] = { 0x00, 0x01, 0x03, 0x04, 0x05, 0x08, 0x0a, 0x0b, 0x10, 0x12, 0x19, 0x1b, 0x1e,
					0x34, 0x3c, 0x4d, 0x55, 0x5a, 0x5e, 0x5f, 0x82, 0x8c, 0x8d, 0x91, 0x92, 0xa2,
					0xb5 };
	struct host *h = *state;

	learn_timeouts(h);
	for (size_t i = 0; i < sizeof(sent); i++)
		assert_in_range(h->timeout[sent[i]], 1, 200000);
}

static void mkltfs_makes_labels_and_indexes_in_two_partitions(void **state)
{
	struct host *h = *state;
	uint64_t block;

	mkltfs(h);
	h = again(state);
	mount_coherent(h, 1, &block);
	assert_int_equal(block, 5);
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		uint8_t b[160];

		assert_int_equal(read_attribute(h, 0, attributes[i].id, attributes[i].size, b), GOOD_STATUS);
		assert_memory_equal(b, attributes[i].value, strlen(attributes[i].value));
	}
	/* One that nobody wrote is an invalid field in the CDB: LTFS goes on with that alone. */
	assert_int_equal(read_attribute(h, 0, 0x0807, 80, (uint8_t[160]){ 0 }), BAD_CDB);
	unmount(h);
}

/* A file into the data partition, a sync, the index into the index partition when it unmounts. */
static void what_is_written_and_synced_is_there_at_the_next_mount(void **state)
{
	struct host *h = *state;
	uint64_t ip_block, dp_block, start;

	mkltfs(h);
	for (uint8_t generation = 2; generation < 5; generation++) {
		h = again(state);
		mount_coherent(h, (uint8_t)(generation - 1), &ip_block);
		seek(h, 1, ANYWHERE);
		start = h->block;
		for (int i = 0; i < 4; i++)
			write_data(h, i < 3 ? BLOCK : 99999, (uint8_t)(generation * 10 + i));
		dp_block = write_index(h, 1, ANYWHERE, generation);
		assert_int_equal(dp_block, start + 5);
		/* The index partition has one index, over the one before. */
		assert_int_equal(write_index(h, 0, ip_block - 1, generation), ip_block);
		/* What was just written is read back, in another order, without SILI too. */
		seek(h, 1, start + 3);
		assert_int_equal(read_block(h, BLOCK, false), 99999);
		assert_filled(h, 99999, (uint8_t)(generation * 10 + 3));
		seek(h, 1, start);
		assert_int_equal(read_block(h, BLOCK, false), BLOCK);
		assert_filled(h, BLOCK, (uint8_t)(generation * 10));
		unmount(h);
		if (generation & 1)
			eject_and_insert(h);
	}
}

/* The reference is another behind every change, so that what was coherent before no longer is. */
static void the_change_reference_tells_a_tape_that_was_changed(void **state)
{
	struct host *h = *state;
	uint64_t reference, generation, block;
	uint32_t before;

	mkltfs(h);
	h = again(state);
	mount_coherent(h, 1, &block);
	before = change_reference(h);
	unmount(h);
	eject_and_insert(h);
	/* Only read: nothing has changed. */
	h = again(state);
	mount_coherent(h, 1, &block);
	assert_int_equal(change_reference(h), before);
	write_data(h, BLOCK, 9);
	assert_true(change_reference(h) > before);
	/* LTFS dies here, and is started again. */
	reserve_out(h, 0x06, 0, NULL, NULL);
	h = again(state);
	mount(h);
	for (uint32_t p = 0; p < 2; p++) {
		assert_int_equal(get_coherency(h, p, &reference, &generation, &block), GOOD_STATUS);
		assert_int_equal(reference, before);
		assert_true(reference < change_reference(h));
	}
}

/* ltfsck: the end of data of each partition, the last index before it, back to the first one. */
static void ltfsck_finds_indexes_from_the_end(void **state)
{
	struct host *h = *state;
	uint64_t end;

	mkltfs(h);
	h = again(state);
	mount(h);
	for (uint8_t generation = 2; generation < 5; generation++) {
		seek(h, 1, ANYWHERE);
		write_data(h, 5000, generation);
		write_index(h, 1, ANYWHERE, generation);
	}
	/* A record behind the last index, and no more: what was lost in a crash. */
	write_data(h, 5000, 5);
	seek(h, 0, ANYWHERE);
	seek(h, 1, ANYWHERE);
	end = h->block;
	assert_int_equal(read_block(h, BLOCK, true), AT_END);
	space_marks(h, -1);
	assert_int_equal(h->block, end - 2);
	/* Not at the end of data: then there are blocks behind the last index. */
	space_marks(h, -1);
	space_marks(h, 1);
	assert_int_equal(h->block, end - 4);
	read_index(h, 4);
	/* To the index before: four marks back, one forward. */
	for (uint8_t generation = 3; generation > 0; generation--) {
		space_marks(h, -4);
		space_marks(h, 1);
		read_index(h, generation);
	}
	/* The first one. */
	seek(h, 1, 4);
	space_marks(h, 1);
	assert_int_equal(h->block, 5);
	read_index(h, 1);
	/* And forward, from index to index. */
	for (uint8_t generation = 2; generation < 5; generation++) {
		space_marks(h, 1);
		read_index(h, generation);
	}
	/* Before the beginning there is nothing. */
	seek(h, 1, 1);
	assert_int_equal(ISSUE(h, 0, 0x91, 0x01, 0, 0, BE64(-2ll), 0, 0, 0, 0), 0x000004);
	read_position(h);
	assert_int_equal(h->block, 0);
	assert_int_equal(ISSUE(h, 0, 0x91, 0x01, 0, 0, BE64(100ll), 0, 0, 0, 0), NO_MORE_DATA);
}

/* Blocks that nobody knows of are cut off, or kept by a mark behind them. */
static void the_end_of_data_is_mended_by_an_erase(void **state)
{
	struct host *h = *state;
	uint64_t end;

	mkltfs(h);
	h = again(state);
	mount(h);
	seek(h, 1, ANYWHERE);
	end = h->block;
	fill(h, 5000, 1);
	assert_int_equal(write_block(h, 5000), GOOD_STATUS);
	/* Unload, load, erase from there. */
	WORKS(h, 0, 0x1e, 0, 0, 0, 0, 0);
	eject_and_insert(h);
	wait_until_ready(h);
	read_position(h);
	seek(h, 1, end);
	WORKS(h, 0, 0x19, 0, 0, 0, 0, 0);
	seek(h, 1, ANYWHERE);
	assert_int_equal(h->block, end);
	/* The long one, which is asked for how far it is. */
	seek(h, 1, 0);
	WORKS(h, 0, 0x19, 0x03, 0, 0, 0, 0);
	WORKS(h, 252, 0x03, 0, 0, 0, 252, 0);
	assert_int_equal(data(h)[2] & 0x0f, 0);
	assert_int_equal(get_be16(data(h) + 12), 0);
	seek(h, 1, ANYWHERE);
	assert_int_equal(h->block, 0);
	read_label(h, 0);
}

static void unformat_makes_one_partition(void **state)
{
	for (uint8_t how = 1; how <= 2; how++) {
		struct host *h = again(state);

		mkltfs(h);
		h = again(state);
		open_device(h);
		load_tape(h, 2);
		format(h, 0, 0xffff, 0, how);
		load(h);
		assert_int_equal(ISSUE(h, 0, 0x92, 0x02, 0, 1, BE64(0ull), 0, 0, 0, 0), BAD_CDB);
		mode_page(h, 0x11, 0, 28);
		assert_int_equal(data(h)[19], 0);
		release_tape(h);
		close_device(h);
	}
}

/* Until the programmable early warning files go there, until the early warning indexes; both places take what comes. */
static void a_tape_that_gets_full_says_so_in_time(void **state)
{
	struct host *h = *state;
	uint64_t capacity = 200000000, early = 0, block;
	uint16_t blocks = 0;

	assert_int_equal(library_volume_change(h->g->store->lib, h->g->u->ssc.volume, resize, &capacity), 0);
	mkltfs(h);
	h = again(state);
	mount(h);
	assert_int_equal(partition_value(h, 0x0202, 0, 2), 100);
	assert_int_equal(partition_value(h, 0x0202, 1, 2), 100);
	seek(h, 1, ANYWHERE);
	fill(h, BLOCK, 1);
	while (!h->early_programmed) {
		put_be16(data(h), blocks++);
		assert_int_equal(write_block(h, BLOCK), GOOD_STATUS);
		assert_false(h->early);
		assert_in_range(blocks, 1, 200);
	}
	/* 100 MB, a tenth for early warning, half of the index partition (47 MiB) before that. */
	assert_in_range((blocks + 1ull) * BLOCK, 42500000, 44500000);
	read_position(h);
	assert_true(h->early_programmed);
	assert_false(h->early);
	/* Indexes go on. */
	block = write_index(h, 1, ANYWHERE, 2);
	while (!h->early) {
		assert_int_equal(write_block(h, BLOCK), GOOD_STATUS);
		early++;
		assert_in_range(early, 1, 200);
	}
	read_position(h);
	assert_true(h->early && h->early_programmed);
	assert_in_range((blocks + early + 2) * BLOCK, 89500000, 91500000);
	/* One more index fits. */
	write_index(h, 1, ANYWHERE, 3);
	assert_true(h->early);
	assert_true(partition_value(h, 0x0204, 1, 2) <= 10);
	seek(h, 1, block);
	assert_false(h->early);
	read_index(h, 2);
	/* The physical end is an error. */
	seek(h, 1, ANYWHERE);
	early = 0;
	fill(h, BLOCK, 1);
	while (write_block(h, BLOCK) == GOOD_STATUS)
		assert_in_range(++early, 1, 200);
	assert_int_equal(h->g->t.sense[2] & 0x4f, 0x4d);
	assert_int_equal(get_be16(h->g->t.sense + 12), 0x0002);
}

/* The index partition is small, so that the data partition has nearly all of the cartridge. */
static void the_data_partition_has_nearly_all(void **state)
{
	struct host *h = *state;
	uint64_t capacity = 6000000000000;

	assert_int_equal(library_volume_change(h->g->store->lib, h->g->u->ssc.volume, resize, &capacity), 0);
	mkltfs(h);
	h = again(state);
	mount(h);
	assert_int_equal(partition_value(h, 0x0202, 0, 2), 120000);
	assert_int_equal(partition_value(h, 0x0202, 1, 2), 5880000);
	/* Without a capacity too: then the data partition is as large as the disk. */
	capacity = 0;
	assert_int_equal(library_volume_change(h->g->store->lib, h->g->u->ssc.volume, resize, &capacity), 0);
	release_tape(h);
	close_device(h);
	mkltfs(h = again(state));
	h = again(state);
	mount(h);
	assert_int_equal(partition_value(h, 0x0202, 0, 2), 120000);
}

/* Write mode 1: only what ALLOW OVERWRITE lets it may be written over, as the index partition wants it. */
static void append_only_mode(void **state)
{
	struct host *h = *state;
	uint64_t block;

	mkltfs(h);
	h = again(state);
	mount_coherent(h, 1, &block);
	load(h);
	mode_page(h, 0x10, 0x01, 48);
	data(h)[16] &= 0x7f;
	data(h)[21] = (data(h)[21] & 0x0f) | 0x10;
	mode_select(h, 48);
	mode_page(h, 0x10, 0x01, 48);
	assert_int_equal(data(h)[21] >> 4, 1);
	/* The end of the data partition is free. */
	seek(h, 1, ANYWHERE);
	fill(h, BLOCK, 2);
	assert_int_equal(write_block(h, BLOCK), GOOD_STATUS);
	write_marks(h, 1, false);
	/* The index is not, but once if so said. */
	seek(h, 0, block - 1);
	assert_int_equal(write_block(h, BLOCK) >> 16, DATA_PROTECT);
	seek(h, 0, block - 1);
	WORKS(h, 0, 0x82, 0, 0x01, 0, BE64(block - 1), 0, 0, 0, 0);
	write_marks(h, 1, true);
	assert_int_equal(h->block, block);
	fill(h, 1234, 2);
	assert_int_equal(write_block(h, 1234), GOOD_STATUS);
	write_marks(h, 1, false);
}

/* LBP with CRC32C: four bytes more in each block, both ways. */
static void blocks_may_be_protected(void **state)
{
	struct host *h = *state;
	uint64_t at;
	uint8_t crc[4];

	mkltfs(h);
	h = again(state);
	mount(h);
	mode_page(h, 0x0a, 0xf0, 48);
	data(h)[20] = 0x02;
	data(h)[21] = 0x04;
	data(h)[22] = 0xc0;
	mode_select(h, 48);
	seek(h, 1, ANYWHERE);
	at = h->block;
	fill(h, 1000, 3);
	lbp_put(2, data(h), 1000, crc);
	memcpy(data(h) + 1000, crc, 4);
	assert_int_equal(write_block(h, 1004), GOOD_STATUS);
	write_marks(h, 1, false);
	seek(h, 1, at);
	memset(data(h), 0, 1004);
	assert_int_equal(read_block(h, BLOCK, true), 1004);
	assert_filled(h, 1000, 3);
	assert_memory_equal(data(h) + 1000, crc, 4);
	seek(h, 1, at);
	assert_int_equal(read_block(h, BLOCK, false), 1004);
	no_block_protection(h);
	seek(h, 1, at);
	assert_int_equal(read_block(h, BLOCK, true), 1000);
}

/* The process below is killed, comes again at once, and LTFS notices nothing: not in the middle of a sync either. */
static void kill_below(struct host *h)
{
	rig_kill(h->g, SCSI_DRIVE, "ibm-lto7");
	/* Reservations are the kernel's, which lives on; those of a unit without one do not. */
	reserve(h);
}

static void a_kill_in_the_middle_of_a_sync_is_not_noticed(void **state)
{
	struct host *h = *state;
	uint64_t ip_block, start;

	mkltfs(h);
	h = again(state);
	mount_coherent(h, 1, &ip_block);
	seek(h, 1, ANYWHERE);
	start = h->block;
	for (int i = 0; i < 3; i++) {
		write_data(h, 60000, (uint8_t)i);
		kill_below(h);
	}
	assert_int_equal(write_index(h, 1, ANYWHERE, 2), start + 4);
	kill_below(h);
	assert_int_equal(write_index(h, 0, ip_block - 1, 2), ip_block);
	kill_below(h);
	for (int i = 0; i < 3; i++) {
		seek(h, 1, start + (uint64_t)i);
		assert_int_equal(read_block(h, BLOCK, true), 60000);
		assert_filled(h, 60000, (uint8_t)i);
	}
	unmount(h);
	h = again(state);
	mount_coherent(h, 2, &ip_block);
}

/* Where LTFS asks what has not gone to the tape yet after an error. */
static void the_next_block_to_transfer(void **state)
{
	struct host *h = *state;

	mkltfs(h);
	h = again(state);
	mount(h);
	seek(h, 1, ANYWHERE);
	fill(h, BLOCK, 1);
	assert_int_equal(write_block(h, BLOCK), GOOD_STATUS);
	WORKS(h, 32, 0x34, 0x08, 0, 0, 0, 0, 0, BE16(32), 0);
	assert_int_equal(data(h)[1], 1);
	assert_int_equal(get_be64(data(h) + 16), h->block);
}

#define T(f) cmocka_unit_test_setup_teardown(f, host_new, host_free)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(every_command_that_it_sends_has_a_timeout),
		T(mkltfs_makes_labels_and_indexes_in_two_partitions),
		T(what_is_written_and_synced_is_there_at_the_next_mount),
		T(the_change_reference_tells_a_tape_that_was_changed),
		T(ltfsck_finds_indexes_from_the_end),
		T(the_end_of_data_is_mended_by_an_erase),
		T(unformat_makes_one_partition),
		T(a_tape_that_gets_full_says_so_in_time),
		T(the_data_partition_has_nearly_all),
		T(append_only_mode),
		T(blocks_may_be_protected),
		T(a_kill_in_the_middle_of_a_sync_is_not_noticed),
		T(the_next_block_to_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
