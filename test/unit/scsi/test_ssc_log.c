/* SPDX-License-Identifier: BSD-2-Clause */
/* ssc_log: LOG SENSE and LOG SELECT as bytes, and as LTFS, tapeinfo and sg_logs read them. */
#include "scsi/mam.h"
#include "unit/scsi/rig.h"

#define SENSE_AT(page, subpage, from, alloc) \
	0x4d, 0, 0x40 | (page), subpage, 0, (uint8_t)((from) >> 8), (uint8_t)(from), \
	(uint8_t)((alloc) >> 8), (uint8_t)(alloc), 0
#define SENSE(page) SENSE_AT(page, 0, 0, 0x2000)
#define SELECT(bits, page, n) 0x4c, bits, page, 0, 0, 0, 0, (uint8_t)((n) >> 8), (uint8_t)(n), 0
#define WRITE_6(n) 0x0a, 0, (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n), 0
#define READ_6(n) 0x08, 0, (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n), 0
#define MARKS(n) 0x10, 0, 0, 0, n, 0
#define REWIND 0x01, 0, 0, 0, 0, 0
#define FORMAT(how) 0x04, 0, how, 0, 0, 0
#define MB 1000000ull

static const uint8_t pages[] = { 0x02, 0x03, 0x0c, 0x11, 0x12, 0x14, 0x17, 0x1b, 0x2e, 0x30, 0x31, 0x32, 0x37 };

static void set_capacity(struct catalog_volume *row, void *ctx) { row->capacity_bytes = *(uint64_t *)ctx; }

static void load(struct rig *g, const char *model, const char *name, uint64_t capacity)
{
	uint64_t volume;

	rig_plug(g, SCSI_DRIVE, model);
	volume = rig_volume(g, name);
	assert_int_equal(library_volume_change(g->store->lib, volume, set_capacity, &capacity), 0);
	assert_int_equal(library_load(g->store->lib, 0, volume), 0);
	rig_settle(g);
}

static int ibm(void **state)
{
	rig_new(state);
	load(rig_of(state), "ibm-lto7", "A00001L7", 1000 * MB);
	return 0;
}

static int empty(void **state)
{
	rig_new(state);
	rig_plug(rig_of(state), SCSI_DRIVE, "ibm-lto7");
	rig_settle(rig_of(state));
	return 0;
}

static void sense(struct rig *g, uint8_t page)
{
	memset(g->data, 0xee, 0x2000);
	GOOD(g, 0x2000, SENSE(page));
	assert_int_equal(g->data[0] & 0x3f, page);
	assert_int_equal(g->t.data_in, get_be16(g->data + 2) + 4u);
}

/* The parameter of the last page, as sg_logs walks; NULL: it has none. */
static const uint8_t *parameter(struct rig *g, uint16_t code, size_t *len)
{
	size_t at = 4, end = get_be16(g->data + 2) + 4u;
	const uint8_t *found = NULL;

	for (; at < end; at += 4 + g->data[at + 3]) {
		if (get_be16(g->data + at) != code)
			continue;
		*len = g->data[at + 3];
		found = g->data + at + 4;
	}
	assert_int_equal(at, end);
	return found;
}

static uint64_t number_of(const uint8_t *p, size_t len)
{
	uint64_t n = 0;

	while (len--)
		n = n << 8 | *p++;
	return n;
}

static uint64_t number(struct rig *g, uint16_t code)
{
	size_t len;
	const uint8_t *p = parameter(g, code, &len);

	assert_non_null(p);
	assert_true(len == 1 || len == 2 || len == 4 || len == 8);
	return number_of(p, len);
}

/* _parse_logPage() of LTFS: it stops four bytes early. */
static bool ltfs_parse(struct rig *g, uint16_t code, uint32_t *size, uint8_t *buf, size_t room)
{
	const uint16_t page_len = get_be16(g->data + 2);

	assert_true(page_len + 4u <= 1024);
	for (uint32_t i = 4; i < page_len; i += g->data[i + 3] + 4u) {
		if (get_be16(g->data + i) != code)
			continue;
		*size = g->data[i + 3];
		if (*size > room)
			return false;
		memcpy(buf, g->data + i + 4, *size);
		return true;
	}
	return false;
}

static void assert_field(struct rig *g, bool in_cdb, unsigned byte)
{
	assert_int_equal(g->t.sense[15] >> 6 & 1, in_cdb);
	assert_int_equal(get_be16(g->t.sense + 16), byte);
}

static void write_bytes(struct rig *g, unsigned records, unsigned len)
{
	uint64_t noise = 1;

	for (unsigned i = 0; i < records; i++) {
		chance_bytes(&noise, g->data, len);
		GOOD(g, len, WRITE_6(len));
	}
}

/* ---- which there are -------------------------------------------------------------------------------------------- */

static void supported_pages_and_subpages(void **state)
{
	struct rig *g = rig_of(state);

	sense(g, 0x00);
	assert_int_equal(get_be16(g->data + 2), 1 + sizeof(pages));
	assert_int_equal(g->data[4], 0);
	assert_memory_equal(g->data + 5, pages, sizeof(pages));
	GOOD(g, 256, SENSE_AT(0x00, 0xff, 0, 256));
	assert_int_equal(g->data[0], 0x40);
	assert_int_equal(g->data[1], 0xff);
	assert_int_equal(get_be16(g->data + 2), 4 + 2 * sizeof(pages));
	assert_memory_equal(g->data + 4, "\0\0\0\xff", 4);
	for (size_t i = 0; i < sizeof(pages); i++) {
		assert_int_equal(g->data[8 + 2 * i], pages[i]);
		assert_int_equal(g->data[9 + 2 * i], 0);
	}
}

static void every_page_is_whole_with_and_without_a_tape(void **state)
{
	struct rig *g = rig_of(state);
	size_t len;

	for (unsigned loaded = 0; loaded < 2; loaded++) {
		for (size_t i = 0; i < sizeof(pages); i++) {
			sense(g, pages[i]);
			parameter(g, 0, &len);
			assert_true(g->t.data_in <= 1024);
		}
		if (!loaded) {
			assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, "A00001L7")), 0);
			rig_settle(g);
		}
	}
}

static void what_is_not_there_is_refused_with_its_field(void **state)
{
	struct rig *g = rig_of(state);

	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, SENSE(0x0d));
	assert_field(g, true, 2);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, SENSE_AT(0x17, 0xff, 0, 64));
	assert_field(g, true, 3);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, SENSE_AT(0x37, 0x64, 0, 64));
	assert_field(g, true, 3);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, SENSE_AT(0x00, 0x01, 0, 64));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, SENSE_AT(0x00, 0, 1, 64));
	assert_field(g, true, 5);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0x4d, 0x01, 0x6e, 0, 0, 0, 0, 0, 64, 0);	/* SP */
	assert_field(g, true, 1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0x4d, 0x02, 0x6e, 0, 0, 0, 0, 0, 64, 0);	/* PPC */
	assert_field(g, true, 1);
}

static void a_pointer_leaves_out_what_is_before(void **state)
{
	struct rig *g = rig_of(state);
	size_t len;

	GOOD(g, 1024, SENSE_AT(0x17, 0, 0x0202, 1024));
	assert_int_equal(get_be16(g->data + 4), 0x0202);
	assert_null(parameter(g, 0x0201, &len));
	assert_non_null(parameter(g, 0x0300, &len));
	GOOD(g, 1024, SENSE_AT(0x17, 0, 0x0301 - 1, 1024));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 1024, SENSE_AT(0x17, 0, 0x0301, 1024));
	assert_field(g, true, 5);
}

static void every_allocation_length_cuts(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t whole[1024];
	size_t n;

	sense(g, 0x17);
	n = g->t.data_in;
	memcpy(whole, g->data, n);
	for (size_t alloc = 0; alloc <= n + 2; alloc++) {
		memset(g->data, 0xee, n + 4);
		GOOD(g, 1024, SENSE_AT(0x17, 0, 0, alloc));
		assert_int_equal(g->t.data_in, alloc < n ? alloc : n);
		assert_memory_equal(g->data, whole, g->t.data_in);
		assert_int_equal(g->data[g->t.data_in], 0xee);
		GOOD(g, alloc, SENSE(0x17));
		assert_int_equal(g->t.data_in, alloc < n ? alloc : n);
	}
}

/* ---- counters --------------------------------------------------------------------------------------------------- */

static void counters_count_and_are_reset(void **state)
{
	struct rig *g = rig_of(state);

	write_bytes(g, 3, 100000);
	GOOD(g, 0, MARKS(1));
	GOOD(g, 0, REWIND);
	GOOD(g, 100000, READ_6(100000));
	g->u->ssc.count.write_errors = 2;
	sense(g, 0x02);
	assert_int_equal(number(g, 0x0005), 300000);
	assert_int_equal(number(g, 0x0006), 2);
	assert_int_equal(number(g, 0x0003), 0);
	sense(g, 0x03);
	assert_int_equal(number(g, 0x0005), 100000);
	sense(g, 0x0c);
	assert_int_equal(number(g, 0x0000), 300000);
	assert_int_equal(number(g, 0x0003), 100000);
	/* Default cumulative values; thresholds there are none. */
	GOOD(g, 1024, 0x4d, 0, 0xc2, 0, 0, 0, 0, 4, 0, 0);
	assert_int_equal(number(g, 0x0005), 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 1024, 0x4d, 0, 0x02, 0, 0, 0, 0, 4, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 1024, 0x4d, 0, 0x82, 0, 0, 0, 0, 4, 0, 0);

	GOOD(g, 0, SELECT(0x02, 0x42, 0));
	sense(g, 0x02);
	assert_int_equal(number(g, 0x0005), 0);
	assert_int_equal(number(g, 0x0006), 0);
	sense(g, 0x03);
	assert_int_equal(number(g, 0x0005), 100000);
	/* The cartridge does not forget. */
	sense(g, 0x17);
	assert_int_equal(number(g, 0x0004), 2);
	GOOD(g, 0, SELECT(0, 0xc0, 0));		/* all, default cumulative */
	sense(g, 0x03);
	assert_int_equal(number(g, 0x0005), 0);
	assert_int_equal(g->u->attentions, 0);
}

static void log_select_sets_nothing(void **state)
{
	struct rig *g = rig_of(state);
	static const uint8_t list[] = { 0x02, 0, 0, 8, 0, 6, 0x40, 4, 0, 0, 0, 0 };

	memcpy(g->data, list, sizeof(list));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 12, SELECT(0, 0x40, 12));
	assert_field(g, false, 4);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 11, SELECT(0, 0x40, 12));
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 11, SELECT(0, 0x40, 11));
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 3, SELECT(0, 0x40, 3));
	g->data[0] = 0x3a;
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 12, SELECT(0, 0x40, 12));
	assert_field(g, false, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 12, SELECT(0x02, 0x40, 12));	/* PCR with a list */
	assert_field(g, true, 1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 12, SELECT(0x01, 0x40, 12));	/* SP */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, SELECT(0x02, 0x7a, 0));
	assert_field(g, true, 2);
	GOOD(g, 0, SELECT(0, 0x40, 0));
	GOOD(g, 0, SELECT(0x02, 0x57, 0));	/* nothing of it can be reset */
}

/* ---- TapeAlert -------------------------------------------------------------------------------------------------- */

static void alerts_are_told_once(void **state)
{
	struct rig *g = rig_of(state);

	ssc_alert(g->u, 3);
	ssc_alert(g->u, 64);
	sense(g, 0x12);
	assert_memory_equal(g->data + 8, "\x20\0\0\0\0\0\0\x01", 8);
	sense(g, 0x11);
	assert_int_equal(g->data[8 + 3] & 1, 1);
	sense(g, 0x2e);
	assert_int_equal(g->t.data_in, 4 + 64 * 5);
	for (unsigned flag = 1; flag <= 64; flag++)
		assert_int_equal(number(g, (uint16_t)flag), flag == 3 || flag == 64);
	sense(g, 0x2e);
	for (unsigned flag = 1; flag <= 64; flag++)
		assert_int_equal(number(g, (uint16_t)flag), 0);
	sense(g, 0x11);
	assert_int_equal(g->data[8 + 3] & 1, 0);
}

static void an_alert_that_was_cut_off_is_still_to_be_told(void **state)
{
	struct rig *g = rig_of(state);

	ssc_alert(g->u, 1);
	ssc_alert(g->u, 3);
	ssc_alert(g->u, 5);
	GOOD(g, 1024, SENSE_AT(0x2e, 0, 0, 4 + 3 * 5 - 1));
	assert_int_equal(g->u->ssc.alerts, 1 << 2 | 1 << 4);
	GOOD(g, 4 + 5, SENSE_AT(0x2e, 0, 5, 1024));
	assert_int_equal(get_be16(g->data + 4), 5);
	assert_int_equal(g->data[8], 1);
	assert_int_equal(g->u->ssc.alerts, 1 << 2);
	GOOD(g, 0, SELECT(0x02, 0x6e, 0));
	assert_int_equal(g->u->ssc.alerts, 0);
}

static void alerts_stay_if_that_was_asked_for(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 64, 0x5a, 0, 0x10, 1, 0, 0, 0, 0, 64, 0);
	g->data[0] = g->data[1] = 0;
	g->data[20] |= 0x08;		/* TAPLSD */
	GOOD(g, 48, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 48, 0);
	ssc_alert(g->u, 7);
	sense(g, 0x2e);
	sense(g, 0x2e);
	assert_int_equal(number(g, 7), 1);
}

static void tapeinfo_reads_alerts_and_capacity(void **state)
{
	struct rig *g = rig_of(state);

	ssc_alert(g->u, 20);
	GOOD(g, 2048, 0x4d, 0, 0x2e, 0, 0, 0, 0, 8, 0, 0);
	assert_int_equal(g->data[0] & 0x3f, 0x2e);
	for (unsigned at = 4, n = get_be16(g->data + 2); at < 4 + n; at += 4u + g->data[at + 3])
		assert_int_equal(g->data[at + 4], get_be16(g->data + at) == 20);
	write_bytes(g, 8, 1 << 18);
	GOOD(g, 2048, 0x4d, 0, 0x31, 0, 0, 0, 0, 8, 0, 0);
	assert_int_equal(get_be16(g->data + 2), 32);
	assert_int_equal(get_be32(g->data + 8), (1000 * MB - (2 << 20)) >> 20);
	assert_int_equal(get_be32(g->data + 16), 0);
	assert_int_equal(get_be32(g->data + 24), 1000 * MB >> 20);
	assert_int_equal(get_be32(g->data + 32), 0);
}

/* ---- status and statistics -------------------------------------------------------------------------------------- */

static void very_high_frequency_data(void **state)
{
	struct rig *g = rig_of(state);

	sense(g, 0x11);
	assert_memory_equal(g->data + 4, "\0\0\x43\x04", 4);
	assert_int_equal(g->data[8], 0x31);		/* MACC, CMPR, DINIT */
	assert_int_equal(g->data[9], 0x17);		/* present, seated, threaded, mounted */
	GOOD(g, 0, 0x1e, 0, 0, 0, 1, 0);
	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, set_protect, ON), 0);
	sense(g, 0x11);
	assert_int_equal(g->data[8], 0xb9);		/* PAMR, WRTP */
	GOOD(g, 0, 0x1e, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x1b, 0, 0, 0, 0, 0);
	sense(g, 0x11);
	assert_int_equal(g->data[8], 0x11);
	assert_int_equal(g->data[9], 0x20);
	assert_int_equal(number(g, 1), 100);
}

static void the_drives_statistics(void **state)
{
	struct rig *g = rig_of(state);
	size_t len;

	g->u->ssc.count.read_errors = 5;
	sense(g, 0x14);
	assert_int_equal(number(g, 0x0000), 1);
	assert_int_equal(number(g, 0x000d), 1);
	assert_int_equal(number(g, 0x000f), 5);
	assert_memory_equal(parameter(g, 0x0041, &len), g->u->id.serial, strlen(g->u->id.serial));
	assert_int_equal(len, 32);
}

static void sequential_access_says_where_the_head_is(void **state)
{
	struct rig *g = rig_of(state);

	write_bytes(g, 8, 1000000);
	sense(g, 0x0c);
	assert_int_equal(number(g, 0x0004), 8);
	assert_int_equal(number(g, 0x0005), (1000 * MB - (64 << 20)) / MB);
	assert_int_equal(number(g, 0x0006), (64 << 20) / MB);
	assert_int_equal(number(g, 0x0007), 8);
	GOOD(g, 0, 0x2b, 0, 0, 0, 0, 0, 3, 0, 0, 0);
	sense(g, 0x0c);
	assert_int_equal(number(g, 0x0004), 8);
	assert_int_equal(number(g, 0x0007), 3);
	GOOD(g, 0, 0x1b, 0, 0, 0, 0, 0);
	sense(g, 0x0c);
	assert_int_equal(number(g, 0x0007), UINT32_MAX);
}

static void compression_in_megabytes_and_bytes(void **state)
{
	struct rig *g = rig_of(state);

	write_bytes(g, 3, 1500000);
	for (unsigned i = 0; i < 2; i++) {
		sense(g, i ? 0x32 : 0x1b);
		assert_int_equal(number(g, 0x0000), 100);
		assert_int_equal(number(g, 0x0001), 100);
		assert_int_equal(number(g, 0x0006), 4);
		assert_int_equal(number(g, 0x0007), 500000);
		assert_int_equal(number(g, 0x0008), 4);
		assert_int_equal(number(g, 0x0002), 0);
	}
}

/* ---- volume statistics ------------------------------------------------------------------------------------------ */

static void two_partitions(struct rig *g)
{
	memset(g->data, 0, 32);
	GOOD(g, 64, 0x5a, 0, 0x11, 0, 0, 0, 0, 0, 64, 0);
	g->data[0] = g->data[1] = 0;
	g->data[19] = 1;
	g->data[20] |= 0x40;		/* SDP: of equal size */
	GOOD(g, g->t.data_in, 0x55, 0x10, 0, 0, 0, 0, 0, 0, (uint8_t)g->t.data_in, 0);
	GOOD(g, 0, FORMAT(1));
}

static uint32_t ltfs_partition(const uint8_t *buf, unsigned n)
{
	return get_be32(buf + n * 8 + 4);
}

/* sg_remaining_capacity() and sg_get_eod_status(). */
static void ltfs_reads_capacities_and_ends(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t buf[32];
	uint32_t size;

	two_partitions(g);
	GOOD(g, 0, 0x2b, 0x02, 0, 0, 0, 0, 0, 0, 1, 0);	/* partition 1 */
	write_bytes(g, 20, 1000000);
	sense(g, 0x17);
	assert_true(ltfs_parse(g, 0x0202, &size, buf, sizeof(buf)));
	assert_int_equal(size, 16);
	assert_int_equal(buf[0] + 1, 8);
	assert_int_equal(ltfs_partition(buf, 0), 500);
	assert_int_equal(ltfs_partition(buf, 1), 500);
	assert_true(ltfs_parse(g, 0x0204, &size, buf, sizeof(buf)));
	assert_int_equal(ltfs_partition(buf, 0), 450);
	assert_int_equal(ltfs_partition(buf, 1), 430);
	/* Ends of data: not ffffffff, in exactly 16 bytes. */
	assert_true(ltfs_parse(g, 0x0203, &size, buf, 16));
	assert_int_equal(size, 16);
	assert_int_equal(buf[0], 7);
	assert_int_equal(get_be16(buf + 2), 0);
	assert_int_equal(get_be16(buf + 10), 1);
	assert_int_equal(ltfs_partition(buf, 0), 0);
	assert_int_equal(ltfs_partition(buf, 1), 20);
	/* Page 31h, of an LTO-5 drive: MiB. */
	sense(g, 0x31);
	for (uint16_t i = 1; i <= 4; i++) {
		assert_true(ltfs_parse(g, i, &size, buf, sizeof(buf)));
		assert_int_equal(size, 4);
	}
	assert_int_equal(number(g, 3), 500 * MB >> 20);
	assert_int_equal(number(g, 2), (500 * MB - 20000000) >> 20);
	sense(g, 0x37);
	assert_true(ltfs_parse(g, 0x0001, &size, buf, sizeof(buf)));
	assert_int_equal(size, 1);
}

/* sg_get_cartridge_health() */
static void ltfs_reads_the_cartridges_health(void **state)
{
	static const uint16_t codes[] = { 1, 2, 3, 4, 7, 8, 9, 0xc, 0xd, 0x10, 0x11, 0x101, 0x102 };
	struct rig *g = rig_of(state);
	uint8_t buf[16];
	uint32_t size;

	sense(g, 0x17);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		assert_true(ltfs_parse(g, codes[i], &size, buf, sizeof(buf)));
		assert_true(size == 1 || size == 2 || size == 4 || size == 8);
	}
	sense(g, 0x2e);
	for (uint16_t flag = 1; flag <= 64; flag++) {
		assert_true(ltfs_parse(g, flag, &size, buf, sizeof(buf)));
		assert_int_equal(size, 1);
	}
}

static void what_a_cartridge_lived_through(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t volume = g->u->ssc.volume;
	const uint8_t *p;
	size_t len;

	write_bytes(g, 5, 1000000);
	GOOD(g, 0, REWIND);
	GOOD(g, 1000000, READ_6(1000000));
	GOOD(g, 0, 0x1b, 0, 0, 0, 0, 0);
	sense(g, 0x17);
	assert_int_equal(number(g, 0x0000), 0);
	assert_int_equal(g->t.data_in, 4 + 5);
	assert_int_equal(library_load(g->store->lib, 0, volume), 0);
	rig_settle(g);
	sense(g, 0x17);
	assert_int_equal(number(g, 0x0000), 1);
	assert_int_equal(number(g, 0x0001), 2);
	assert_int_equal(number(g, 0x000e), 5);
	assert_int_equal(number(g, 0x000f), 1);
	assert_int_equal(number(g, 0x0010), 5);
	assert_int_equal(number(g, 0x0011), 1);
	assert_int_equal(number(g, 0x0016), 1000);
	assert_int_equal(number(g, 0x0017), 5);
	assert_memory_equal(parameter(g, 0x0042, &len), "A00001L7                        ", 32);
	assert_memory_equal(parameter(g, 0x0045, &len), "Ultrium-7", 9);
	p = parameter(g, 0x0300, &len);
	assert_int_equal(len, 2 * 44);
	assert_int_equal(p[0], 43);
	assert_memory_equal(p + 4, "IBM     ", 8);
	assert_int_equal(get_be16(p + 44 + 2), 1);
	p = parameter(g, 0x0200, &len);
	assert_int_equal(len, 10);
	assert_memory_equal(p, "\x09\0\0\0\xff\xff\xff\xff\xff\xfe", 10);
	sense(g, 0x30);
	assert_int_equal(number(g, 1), 2);
	/* Four partitions and four drives still fit. */
	write_bytes(g, 1, 1000);
	GOOD(g, 0, REWIND);
	two_partitions(g);
	assert_int_equal(library_volume_change(g->store->lib, volume, set_worm, ON), 0);
	sense(g, 0x17);
	assert_int_equal(number(g, 0x0081), 1);
	assert_int_equal(number(g, 0x0080), 0);
}

static void four_partitions_and_four_loads_fit_into_a_kilobyte(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t volume = g->u->ssc.volume;
	size_t len;

	GOOD(g, 64, 0x5a, 0, 0x11, 0, 0, 0, 0, 0, 64, 0);
	g->data[0] = g->data[1] = 0;
	g->data[19] = 3;
	g->data[20] |= 0x40;		/* SDP */
	GOOD(g, g->t.data_in, 0x55, 0x10, 0, 0, 0, 0, 0, 0, (uint8_t)g->t.data_in, 0);
	GOOD(g, 0, FORMAT(1));
	for (unsigned i = 0; i < 5; i++) {
		GOOD(g, 0, 0x1b, 0, 0, 0, 0, 0);
		assert_int_equal(library_load(g->store->lib, 0, volume), 0);
		rig_settle(g);
	}
	sense(g, 0x17);
	assert_true(g->t.data_in <= 1024);
	parameter(g, 0x0202, &len);
	assert_int_equal(len, 32);
	parameter(g, 0x0300, &len);
	assert_int_equal(len, 4 * 44);
	sense(g, 0x31);
	assert_int_equal(g->t.data_in, 4 + 64);
	assert_int_equal(number(g, 7), 250 * MB >> 20);
}

/* ---- hostile ---------------------------------------------------------------------------------------------------- */

/* Often enough what is well formed. */
static void shape(uint8_t cdb[16], uint8_t *data)
{
	cdb[1] &= 0x02;
	cdb[4] = cdb[9] = 0;
	if (cdb[13] & 1)
		cdb[3] = cdb[5] = 0;
}

static void whatever_comes_is_answered(void **state)
{
	static const uint8_t codes[] = { 0x4c, 0x4d };

	rig_whatever_comes(*state, codes, sizeof(codes), shape);
}

#define ON_IBM(test) cmocka_unit_test_setup_teardown(test, ibm, rig_free)
int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_IBM(supported_pages_and_subpages),
		cmocka_unit_test_setup_teardown(every_page_is_whole_with_and_without_a_tape, empty, rig_free),
		ON_IBM(what_is_not_there_is_refused_with_its_field), ON_IBM(a_pointer_leaves_out_what_is_before),
		ON_IBM(every_allocation_length_cuts), ON_IBM(counters_count_and_are_reset),
		ON_IBM(log_select_sets_nothing),
		ON_IBM(alerts_are_told_once), ON_IBM(an_alert_that_was_cut_off_is_still_to_be_told),
		ON_IBM(alerts_stay_if_that_was_asked_for), ON_IBM(tapeinfo_reads_alerts_and_capacity),
		ON_IBM(very_high_frequency_data), ON_IBM(the_drives_statistics),
		ON_IBM(sequential_access_says_where_the_head_is), ON_IBM(compression_in_megabytes_and_bytes),
		ON_IBM(ltfs_reads_capacities_and_ends), ON_IBM(ltfs_reads_the_cartridges_health),
		ON_IBM(what_a_cartridge_lived_through), ON_IBM(four_partitions_and_four_loads_fit_into_a_kilobyte),
		ON_IBM(whatever_comes_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
