/* SPDX-License-Identifier: BSD-2-Clause */
/* ssc_mode: MODE SENSE and MODE SELECT as bytes, and as st, LTFS and tapeinfo use them. */
#include "scsi/mode.h"
#include "unit/scsi/rig.h"

#define SENSE_6(page, alloc) 0x1a, 0, page, 0, alloc, 0
#define SENSE_10(page, subpage, alloc) \
	0x5a, 0, page, subpage, 0, 0, 0, (uint8_t)((alloc) >> 8), (uint8_t)(alloc), 0
#define SELECT_6(n) 0x15, 0x10, 0, 0, n, 0
#define SELECT_10(n) 0x55, 0x10, 0, 0, 0, 0, 0, (uint8_t)((n) >> 8), (uint8_t)(n), 0
#define FORMAT(how) 0x04, 0, how, 0, 0, 0

static void load(struct rig *g, const char *model, const char *name)
{
	rig_plug(g, SCSI_DRIVE, model);
	assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, name)), 0);
	rig_settle(g);
}

static int ibm(void **state)
{
	rig_new(state);
	load(rig_of(state), "ibm-lto7", "A00001L7");
	return 0;
}

static int hpe(void **state)
{
	rig_new(state);
	load(rig_of(state), "hpe-lto6", "A00001L6");
	return 0;
}

static int empty(void **state)
{
	rig_new(state);
	rig_plug(rig_of(state), SCSI_DRIVE, "ibm-lto7");
	rig_settle(rig_of(state));
	return 0;
}

/* The last command's field pointer: in the CDB or not, byte, bit (-1: none). */
static void assert_field(struct rig *g, bool in_cdb, unsigned byte, int bit)
{
	const uint8_t *b = g->t.sense + 15;

	assert_true(b[0] & 0x80);
	assert_int_equal(b[0] >> 6 & 1, in_cdb);
	assert_int_equal(b[0] & 0x08 ? b[0] & 7 : -1, bit);
	assert_int_equal(get_be16(b + 1), byte);
}

/* The page, 10 bytes with block descriptor, is at 16 of g->data. */
static const uint8_t *sense(struct rig *g, uint8_t page, uint8_t subpage)
{
	memset(g->data, 0xee, 1024);
	GOOD(g, 1024, SENSE_10(page, subpage, 1024));
	assert_int_equal(g->t.data_in, get_be16(g->data) + 2);
	assert_int_equal(get_be16(g->data + 6), 8);
	return g->data + 16;
}

/* As LTFS sends it back. */
static size_t ready_to_send(struct rig *g)
{
	g->data[0] = g->data[1] = 0;
	return g->t.data_in;
}

static const struct ssc_mode *mode(struct rig *g) { return &g->u->ssc.mode; }

/* ---- header and block descriptor -------------------------------------------------------------------------------- */

static void st_opens_a_tape(void **state)
{
	struct rig *g = rig_of(state);
	static const uint8_t want[12] = { 11, 0x78, 0x10, 8, 0x5c, 0, 0, 0, 0, 0, 0, 0 };

	GOOD(g, 12, SENSE_6(0, 12));
	assert_int_equal(g->t.data_in, 12);
	assert_memory_equal(g->data, want, 12);
}

static void st_sets_block_size_and_buffering(void **state)
{
	struct rig *g = rig_of(state);
	static const uint8_t set[12] = { 0, 0, 0x10, 8, 0x5c, 0, 0, 0, 0, 0, 0x28, 0x00 };

	memcpy(g->data, set, 12);
	GOOD(g, 12, SELECT_6(12));
	assert_int_equal(mode(g)->block_len, 10240);
	GOOD(g, 12, SENSE_6(0, 12));
	assert_memory_equal(g->data + 9, set + 9, 3);
	memset(g->data, 0, 12);
	g->data[3] = 8;
	GOOD(g, 12, SELECT_6(12));
	assert_int_equal(mode(g)->block_len, 0);
	assert_int_equal(mode(g)->buffered, 0);
	GOOD(g, 12, SENSE_6(0, 12));
	assert_int_equal(g->data[2], 0);
}

static void a_protected_tape_says_so(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, set_protect, ON), 0);
	GOOD(g, 12, SENSE_6(0, 12));
	assert_int_equal(g->data[2], 0x90);
	/* What it says is accepted back. */
	GOOD(g, 12, SELECT_6(12));
	assert_int_equal(mode(g)->buffered, 1);
}

static void an_older_generation_that_is_only_read_is_protected(void **state)
{
	struct rig *g = rig_of(state);

	load(g, "ibm-lto7", "A00001L5");
	GOOD(g, 12, SENSE_6(0, 12));
	assert_int_equal(g->data[1], 0x58);
	assert_int_equal(g->data[2], 0x90);
	assert_int_equal(g->data[4], 0x58);
}

static void hpe_tells_only_whether_it_is_worm(void **state)
{
	struct rig *g = rig_of(state);

	sense(g, 0x3f, 0);
	assert_int_equal(g->data[2], 0x00);
	assert_int_equal(g->data[8], 0x5a);
	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, set_worm, ON), 0);
	sense(g, 0x3f, 0);
	assert_int_equal(g->data[2], 0x01);
	assert_int_equal(sense(g, 0x1d, 0)[2], 1);
}

static void ibm_has_medium_types(void **state)
{
	struct rig *g = rig_of(state);

	sense(g, 0x3f, 0);
	assert_int_equal(g->data[2], 0x78);
	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, set_worm, ON), 0);
	sense(g, 0x3f, 0);
	assert_int_equal(g->data[2], 0x7c);
}

static void without_a_medium_there_is_no_type_and_the_drives_density(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 12, SENSE_6(0, 12));
	assert_int_equal(g->data[1], 0);
	assert_int_equal(g->data[2], 0x10);
	assert_int_equal(g->data[4], 0x5c);
	g->data[4] = 0x5a;
	GOOD(g, 12, SELECT_6(12));
	GOOD(g, 12, SENSE_6(0, 12));
	assert_int_equal(g->data[4], 0x5a);
	g->data[4] = 0x7f;		/* as it is */
	GOOD(g, 12, SELECT_6(12));
	GOOD(g, 12, SENSE_6(0, 12));
	assert_int_equal(g->data[4], 0x5a);
	assert_int_equal(sense(g, 0x11, 0)[3], 0);
}

static void dbd_leaves_the_block_descriptor_out(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 255, 0x1a, 0x08, 0x0f, 0, 255, 0);
	assert_int_equal(g->t.data_in, 4 + 16);
	assert_int_equal(g->data[0], 19);
	assert_int_equal(g->data[3], 0);
	assert_int_equal(g->data[4], 0x0f);
	GOOD(g, 255, 0x5a, 0x08, 0x0f, 0, 0, 0, 0, 0, 255, 0);
	assert_int_equal(g->t.data_in, 8 + 16);
	assert_int_equal(get_be16(g->data + 6), 0);
	assert_int_equal(g->data[8], 0x0f);
}

static void what_is_not_there_is_refused_with_its_field(void **state)
{
	struct rig *g = rig_of(state);

	/* LLBAA */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 255, 0x5a, 0x10, 0x3f, 0, 0, 0, 0, 0, 255, 0);
	assert_field(g, true, 1, 4);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 255, SENSE_10(0x23, 0, 255));
	assert_field(g, true, 2, 5);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 255, SENSE_10(0x0a, 0x01, 255));
	assert_field(g, true, 3, -1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 255, SENSE_10(0x3f, 0x01, 255));
	assert_field(g, true, 3, -1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED, 255, SENSE_10(0xc0 | 0x3f, 0, 255));
	/* SP */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 12, 0x15, 0x11, 0, 0, 12, 0);
	assert_field(g, true, 1, 0);
}

static void every_allocation_length_cuts(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t whole[512];
	size_t n;

	sense(g, 0x3f, 0xff);
	n = g->t.data_in;
	memcpy(whole, g->data, n);
	for (size_t alloc = 0; alloc <= n + 2; alloc++) {
		memset(g->data, 0xee, n + 4);
		GOOD(g, 1024, SENSE_10(0x3f, 0xff, alloc));
		assert_int_equal(g->t.data_in, alloc < n ? alloc : n);
		assert_memory_equal(g->data, whole, g->t.data_in);
		assert_int_equal(g->data[g->t.data_in], 0xee);
		/* And so does the transport. */
		GOOD(g, alloc, SENSE_10(0x3f, 0xff, 1024));
		assert_int_equal(g->t.data_in, alloc < n ? alloc : n);
	}
	GOOD(g, 0, SENSE_6(0x3f, 0));
	assert_int_equal(g->t.data_in, 0);
}

/* ---- pages ------------------------------------------------------------------------------------------------------ */

struct seen { uint8_t code, subpage; size_t len; };

/* The pages of the last MODE SENSE(10), as sg_modes walks over them. */
static size_t walk(struct rig *g, struct seen *out)
{
	size_t at = 8 + get_be16(g->data + 6), end = get_be16(g->data) + 2u, n = 0;

	while (at < end) {
		const uint8_t *p = g->data + at;
		bool sub = p[0] & 0x40;

		out[n] = (struct seen){ p[0] & 0x3f, sub ? p[1] : 0, sub ? get_be16(p + 2) + 4u : p[1] + 2u };
		at += out[n++].len;
	}
	assert_int_equal(at, end);
	return n;
}

static void all_pages_without_and_with_subpages(void **state)
{
	static const struct seen want[] = {
		{ 0x01, 0, 12 }, { 0x02, 0, 16 }, { 0x0a, 0, 12 }, { 0x0a, 0xf0, 32 }, { 0x0f, 0, 16 }, { 0x10, 0, 16 },
		{ 0x10, 1, 32 }, { 0x11, 0, 16 }, { 0x18, 0, 8 }, { 0x19, 0, 8 }, { 0x1c, 0, 12 }, { 0x1d, 0, 32 },
		{ 0x24, 0, 8 },
	};
	struct rig *g = rig_of(state);
	struct seen seen[32];
	size_t n, plain = 0;

	sense(g, 0x3f, 0xff);
	n = walk(g, seen);
	assert_int_equal(n, ARRAY_LEN(want));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(seen[i].code, want[i].code);
		assert_int_equal(seen[i].subpage, want[i].subpage);
		assert_int_equal(seen[i].len, want[i].len);
		plain += !want[i].subpage;
	}
	sense(g, 0x3f, 0);
	assert_int_equal(walk(g, seen), plain);
	sense(g, 0x0a, 0xff);
	assert_int_equal(walk(g, seen), 2);
	/* In six bytes too: the length fits. */
	GOOD(g, 255, SENSE_6(0x3f, 255));
	assert_int_equal(g->data[0] + 1u, g->t.data_in);
	GOOD(g, 255, 0x1a, 0, 0x3f, 0xff, 255, 0);
	assert_int_equal(g->data[0] + 1u, g->t.data_in);
}

static void what_was_sensed_is_accepted_back(void **state)
{
	struct rig *g = rig_of(state);
	struct ssc_mode before;
	struct seen seen[32];
	size_t n;

	sense(g, 0x3f, 0xff);
	n = walk(g, seen);
	before = *mode(g);
	before.density = 0x5c;		/* it was said */
	GOOD(g, g->t.data_in, SELECT_10(g->t.data_in));
	assert_memory_equal(mode(g), &before, sizeof(before));
	for (size_t i = 0; i < n; i++) {
		sense(g, seen[i].code, seen[i].subpage);
		GOOD(g, ready_to_send(g), SELECT_10(g->t.data_in));
		GOOD(g, 255, 0x1a, 0, seen[i].code, seen[i].subpage, 255, 0);
		GOOD(g, g->t.data_in, SELECT_6((uint8_t)g->t.data_in));
		assert_memory_equal(mode(g), &before, sizeof(before));
	}
}

static void changeable_default_and_current_values(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(sense(g, 0x0f, 0)[2], 0xc0);
	g->data[18] &= 0x7f;
	GOOD(g, ready_to_send(g), SELECT_10(g->t.data_in));
	assert_int_equal(mode(g)->compression, 0);
	assert_int_equal(sense(g, 0x0f, 0)[2], 0x40);
	assert_int_equal(sense(g, 0x80 | 0x0f, 0)[2], 0xc0);
	assert_int_equal(sense(g, 0x40 | 0x0f, 0)[2], 0x80);
	assert_int_equal(g->data[16], 0x0f);
	assert_int_equal(g->data[17], 14);
	/* Page 10h has the same; the one that differs counts. */
	assert_int_equal(sense(g, 0x10, 0)[14], 0);
	g->data[16 + 14] = 1;
	GOOD(g, ready_to_send(g), SELECT_10(g->t.data_in));
	assert_int_equal(mode(g)->compression, 1);
	sense(g, 0x3f, 0xff);
	for (size_t at = 16;; at++) {
		if (g->data[at] == 0x0f && g->data[at + 1] == 14) {
			g->data[at + 2] &= 0x7f;
			break;
		}
	}
	GOOD(g, ready_to_send(g), SELECT_10(g->t.data_in));
	assert_int_equal(mode(g)->compression, 0);
}

static void st_switches_compression(void **state)
{
	struct rig *g = rig_of(state);

	/* read_mode_page(), DCC and DCE, write_mode_page() */
	for (unsigned on = 0; on < 2; on++) {
		unsigned pgo;

		GOOD(g, 255, SENSE_6(0x0f, 255));
		pgo = 4u + g->data[3];
		assert_true(g->data[pgo + 2] & 0x40);
		g->data[pgo + 2] = (uint8_t)((g->data[pgo + 2] & 0x7f) | on << 7);
		g->data[0] = g->data[1] = 0;
		g->data[2] &= 0x7f;
		g->data[pgo] &= 0x3f;
		GOOD(g, pgo + 2u + g->data[pgo + 1], SELECT_6((uint8_t)(pgo + 2 + g->data[pgo + 1])));
		assert_int_equal(mode(g)->compression, on);
	}
	/* With an algorithm that it was told of: 0 is none. */
	GOOD(g, 255, SENSE_6(0x0f, 255));
	g->data[12 + 7] = 0;
	GOOD(g, 28, SELECT_6(28));
	assert_int_equal(mode(g)->compression, 0);
}

static void ltfs_sets_block_protection(void **state)
{
	struct rig *g = rig_of(state);
	const uint8_t *p = sense(g, 0x0a, 0xf0);

	assert_int_equal(g->t.data_in, 48);
	assert_int_equal(p[0], 0x4a);
	assert_int_equal(p[1], 0xf0);
	assert_int_equal(get_be16(p + 2), 28);
	for (unsigned method = 1; method <= 2; method++) {
		sense(g, 0x0a, 0xf0);
		g->data[20] = (uint8_t)method;
		g->data[21] = 4;
		g->data[22] = 0xc0;
		GOOD(g, ready_to_send(g), SELECT_10(48));
		assert_int_equal(mode(g)->lbp_method, method);
		assert_true(mode(g)->lbp_write && mode(g)->lbp_read);
		assert_int_equal(sense(g, 0x0a, 0xf0)[6], 0xc0);
	}
	g->data[20] = g->data[21] = g->data[22] = 0;
	GOOD(g, ready_to_send(g), SELECT_10(48));
	assert_int_equal(mode(g)->lbp_method, 0);
}

static void block_protection_that_makes_no_sense_is_refused(void **state)
{
	static const struct { uint8_t method, len, bits; unsigned byte; int bit; } bad[] = {
		{ 3, 4, 0xc0, 20, -1 }, { 1, 0, 0xc0, 21, 5 }, { 1, 8, 0, 21, 5 }, { 0, 4, 0, 21, 5 },
		{ 0, 0, 0x80, 22, 7 }, { 0, 0, 0x40, 22, 6 }, { 2, 4, 0x20, 22, 5 }, { 2, 0x44, 0xc0, 21, 6 },
	};
	struct rig *g = rig_of(state);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		sense(g, 0x0a, 0xf0);
		g->data[20] = bad[i].method;
		g->data[21] = bad[i].len;
		g->data[22] = bad[i].bits;
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, ready_to_send(g), SELECT_10(48));
		assert_field(g, false, bad[i].byte, bad[i].bit);
		assert_int_equal(mode(g)->lbp_method, 0);
	}
}

static void ltfs_sets_the_programmable_early_warning(void **state)
{
	struct rig *g = rig_of(state);
	const uint8_t *p = sense(g, 0x10, 0x01);

	assert_int_equal(g->t.data_in, 48);
	assert_int_equal(p[0], 0x50);
	assert_int_equal(p[1], 1);
	g->data[16] &= 0x7f;
	put_be16(g->data + 22, 0x1234);
	GOOD(g, ready_to_send(g), SELECT_10(48));
	assert_int_equal(mode(g)->pews_mb, 0x1234);
	assert_int_equal(get_be16(sense(g, 0x10, 0x01) + 6), 0x1234);
}

static void write_mode_may_be_append_only(void **state)
{
	struct rig *g = rig_of(state);

	sense(g, 0x10, 0x01);
	g->data[16 + 5] = 0x10;
	GOOD(g, ready_to_send(g), SELECT_10(48));
	assert_int_equal(mode(g)->append_only, 1);
	sense(g, 0x10, 0x01);
	g->data[16 + 5] = 0x20;
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, ready_to_send(g), SELECT_10(48));
	assert_field(g, false, 21, 7);
	sense(g, 0x10, 0x01);
	g->data[16 + 5] |= 0x01;		/* short erase mode */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, ready_to_send(g), SELECT_10(48));
	assert_field(g, false, 21, 0);
}

static void tapeinfo_reads_its_pages(void **state)
{
	struct rig *g = rig_of(state);
	const uint8_t *p;

	GOOD(g, 255, SENSE_6(0x10, 255));
	p = g->data + 4 + g->data[3];
	assert_int_equal(p[1], 14);
	assert_int_equal(p[3], 0);			/* active partition */
	assert_int_equal(p[11] << 16 | p[12] << 8 | p[13], 0);
	GOOD(g, 255, SENSE_6(0x11, 255));
	p = g->data + 4 + g->data[3];
	assert_int_equal(p[2], 3);
	assert_int_equal(p[3], 0);
	/* A size for each that there may be: it reads so many. */
	assert_int_equal(p[1], 6 + 2 * 4);
}

/* ---- partitions ------------------------------------------------------------------------------------------------- */

static uint32_t partitions(struct rig *g)
{
	struct volume_stat st = stat_of(g->store, g->u->ssc.volume);

	return st.partitions;
}

/* As its tape_format() does it: MODE SENSE of 28 bytes, and as many back as the page has. */
static void ltfs_makes_two_partitions(void **state)
{
	struct rig *g = rig_of(state);
	size_t n = 28;

	memset(g->data, 0, 32);
	GOOD(g, 28, SENSE_10(0x11, 0, 28));
	g->data[0] = g->data[1] = 0;
	g->data[19] = 1;
	g->data[20] = (uint8_t)(0x20 | (g->data[20] & 0x1f));
	g->data[22] = 9;
	put_be16(g->data + 24, 1);
	put_be16(g->data + 26, 0xffff);
	if (g->data[17] > 0x0a)
		n += g->data[17] - 0x0au;
	GOOD(g, n, SELECT_10(n));
	assert_int_equal(mode(g)->partitions_wanted, 1);
	GOOD(g, 0, FORMAT(1));
	assert_int_equal(partitions(g), 2);
	/* Now the page says what there is. */
	assert_int_equal(sense(g, 0x11, 0)[3], 1);
	assert_int_equal(g->data[16 + 4] & 0x04, 0x04);
	/* And one again. */
	g->data[19] = 0;
	g->data[20] = (uint8_t)(0x20 | (g->data[20] & 0x1f));
	g->data[22] = 8;
	put_be16(g->data + 24, 0xffff);
	put_be16(g->data + 26, 0);
	GOOD(g, ready_to_send(g), SELECT_10(g->t.data_in));
	GOOD(g, 0, FORMAT(1));
	assert_int_equal(partitions(g), 1);
}

/* partition_tape() of st, Linux 6.1. */
static void st_mkpart(struct rig *g, int size)
{
	unsigned pgo, psdo, units = 0, psum = 0x10, target = size > 0;
	uint8_t *bp = g->data;

	GOOD(g, 255, SENSE_6(0x11, 255));
	pgo = 4u + bp[3];
	assert_true(bp[pgo + 4] & 0x04);		/* POFM */
	if (size < 0)
		size = -size;
	if ((bp[pgo + 4] & 0x18) == 0x18 && size >= 1000 && size % 1000 == 0) {
		size /= 1000;
		psum = 0x18;
		units = 9;
	}
	psdo = pgo + 8;
	if (target && (2 > bp[pgo + 2] || bp[pgo + 2] != 1)) {
		bp[psdo] = bp[psdo + 1] = 0xff;
		psdo += 2;
	}
	memset(bp + psdo, 0, bp[pgo + 3] * 2u);
	put_be16(bp + psdo, (uint16_t)size);
	if (!target)
		put_be16(bp + psdo + 2, 0xffff);
	bp[pgo + 3] = 1;
	bp[pgo + 6] = bp[pgo + 7] = 0;
	if (size != 1 || units) {
		bp[pgo + 4] = (uint8_t)(0x20 | psum | (bp[pgo + 4] & 0x07));
		bp[pgo + 6] = (uint8_t)units;
	} else {
		bp[pgo + 4] = (uint8_t)(0x80 | (bp[pgo + 4] & 0x1f));
	}
	bp[pgo + 1] = 6 + 2 * 2;
	bp[0] = bp[1] = 0;
	bp[2] &= 0x7f;
	bp[pgo] &= 0x3f;
	GOOD(g, pgo + 2u + bp[pgo + 1], SELECT_6((uint8_t)(pgo + 2 + bp[pgo + 1])));
	GOOD(g, 0, FORMAT(1));
}

static void st_makes_partitions(void **state)
{
	static const int sizes[] = { 500, -500, 1, 2000, -1000 };
	struct rig *g = rig_of(state);

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		st_mkpart(g, sizes[i]);
		assert_int_equal(partitions(g), 2);
		GOOD(g, 255, SENSE_6(0x11, 255));	/* nbr_partitions() */
		assert_int_equal(g->data[12 + 3] + 1, 2);
		GOOD(g, 0, FORMAT(0));			/* mkpartition 0 */
		assert_int_equal(partitions(g), 1);
		assert_int_equal(sense(g, 0x11, 0)[3], 0);
	}
}

static void partitions_are_kept_by_a_format_that_nobody_set(void **state)
{
	struct rig *g = rig_of(state);

	st_mkpart(g, 500);
	GOOD(g, 0, FORMAT(1));
	assert_int_equal(partitions(g), 2);
}

static void partitions_that_cannot_be_are_refused(void **state)
{
	static const struct { uint8_t at, value; unsigned byte; int bit; } bad[] = {
		{ 3, 4, 19, -1 },		/* more than there may be */
		{ 4, 0xe0, 20, 7 }, { 4, 0x60, 20, 6 },		/* more than one way */
		{ 2, 1, 18, 1 }, { 4, 0x22, 20, 1 }, { 6, 0x19, 22, 4 }, { 7, 1, 23, 0 },
	};
	struct rig *g = rig_of(state);
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		sense(g, 0x11, 0);
		n = ready_to_send(g);
		g->data[20] |= 0x20;
		g->data[16 + bad[i].at] = bad[i].at == 4 ? bad[i].value | 0x1c : bad[i].value;
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, n, SELECT_10(n));
		assert_field(g, false, bad[i].byte, bad[i].bit);
	}
	/* Two that take the rest. */
	sense(g, 0x11, 0);
	n = ready_to_send(g);
	g->data[19] = 1;
	g->data[20] |= 0x20;
	put_be16(g->data + 24, 0xffff);
	put_be16(g->data + 26, 0xffff);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, n, SELECT_10(n));
	assert_field(g, false, 26, -1);
	/* Three, and sizes for two. */
	g->data[19] = 2;
	g->data[17] = 0x0a;
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 28, SELECT_10(28));
	assert_field(g, false, 17, -1);
	assert_int_equal(mode(g)->partition_flags, 0);
}

static void lto_5_has_two_partitions_and_what_came_later_four(void **state)
{
	struct rig *g = rig_of(state);
	const uint8_t *p;

	p = sense(g, 0x11, 0);
	assert_int_equal(p[2], 3);
	assert_int_equal(p[1], 0x0e);
	assert_int_equal(g->t.data_in, 32);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
	assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, "A00001L5")), 0);
	rig_settle(g);
	p = sense(g, 0x11, 0);
	assert_int_equal(p[2], 1);
	assert_int_equal(p[1], 0x0a);
	assert_int_equal(g->t.data_in, 28);
}

/* ---- lists that are wrong --------------------------------------------------------------------------------------- */

static void a_list_is_taken_as_a_whole_or_not(void **state)
{
	struct rig *g = rig_of(state);
	struct ssc_mode before = *mode(g);
	size_t n;

	for (size_t cut = 1; cut < 28 + 48; cut++) {
		uint8_t list[28 + 48];

		sense(g, 0x10, 0x01);
		memcpy(list + 16 + 12, g->data + 16, 32);
		sense(g, 0x0a, 0);
		memcpy(list, g->data, 28);
		list[0] = list[1] = 0;
		list[16 + 2] = 0x04;			/* D_SENSE */
		list[28 + 6] = 1;			/* PEWS */
		list[11 + 4] = 0;
		put_be16(list + 14, 512);		/* block length */
		memcpy(g->data, list, 60);
		n = cut < 60 ? cut : 60;
		if (n == 16 || n == 28 || n == 60) {
			GOOD(g, n, SELECT_10(n));
			assert_int_equal(mode(g)->block_len, 512);
			g->u->ssc.mode = before;
			continue;
		}
		CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, n, SELECT_10(n));
		assert_memory_equal(mode(g), &before, sizeof(before));
	}
	/* Less came than the CDB says. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 59, SELECT_10(60));
	assert_memory_equal(mode(g), &before, sizeof(before));
	/* The last page is wrong: the first is not taken. */
	g->data[28 + 5] = 0xf0;
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 60, SELECT_10(60));
	assert_field(g, false, 33, 7);
	assert_memory_equal(mode(g), &before, sizeof(before));
	GOOD(g, 0, SELECT_10(0));
	GOOD(g, 0, SELECT_6(0));
}

static void wrong_headers_are_refused(void **state)
{
	static const struct { unsigned at; uint8_t value; int bit; } bad[] = {
		{ 3, 0x30, 6 }, { 3, 0x70, 6 }, { 3, 0x11, 3 }, { 4, 0x01, 0 }, { 6, 1, -1 }, { 7, 16, -1 },
		{ 7, 4, -1 }, { 8, 0x44, -1 }, { 9, 1, -1 }, { 11, 1, -1 }, { 12, 1, -1 },
	};
	struct rig *g = rig_of(state);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		memset(g->data, 0, 32);
		g->data[7] = 8;
		g->data[bad[i].at] = bad[i].value;
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 16, SELECT_10(16));
		assert_field(g, false, bad[i].at == 7 ? 6 : bad[i].at, bad[i].bit);
	}
}

static void a_block_length_is_not_more_than_a_record(void **state)
{
	struct rig *g = rig_of(state);

	memset(g->data, 0, 16);
	g->data[7] = 8;
	put_be32(g->data + 12, 8 << 20);
	GOOD(g, 16, SELECT_10(16));
	assert_int_equal(mode(g)->block_len, 8 << 20);
	put_be32(g->data + 12, (8 << 20) + 1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 16, SELECT_10(16));
	assert_field(g, false, 13, -1);
	assert_int_equal(mode(g)->block_len, 8 << 20);
}

static void pages_that_are_not_there_or_of_another_length_are_refused(void **state)
{
	static const struct { uint8_t page[8]; uint8_t n; unsigned byte; int bit; } bad[] = {
		{ { 0x00, 6 }, 8, 8, 5 }, { { 0x23, 6 }, 8, 8, 5 }, { { 0x3f, 6 }, 8, 8, 5 },
		{ { 0x4a, 0x01, 0, 4 }, 8, 9, -1 }, { { 0x4a, 0x00, 0, 4 }, 8, 8, 5 },
		{ { 0x50, 0x01, 0, 4 }, 8, 10, -1 }, { { 0x0f, 6 }, 8, 9, -1 }, { { 0x11, 1 }, 3, 9, -1 }, { { 0x0a, 0 }, 2, 9, -1 },
	};
	struct rig *g = rig_of(state);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		memset(g->data, 0, 8);
		memcpy(g->data + 8, bad[i].page, 8);
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 8u + bad[i].n, SELECT_10(8u + bad[i].n));
		assert_field(g, false, bad[i].byte, bad[i].bit);
	}
}

/* Every bit of every page: what is changeable is taken or refused with a pointer to the page, the rest refused at
 * that bit. */
static void what_is_not_changeable_stays(void **state)
{
	struct rig *g = rig_of(state);
	struct seen seen[32];
	uint8_t may[64], now[64];
	size_t pages;

	sense(g, 0x3f, 0xff);
	pages = walk(g, seen);
	for (size_t i = 0; i < pages; i++) {
		unsigned first = seen[i].subpage ? 4 : 2;

		memcpy(may, sense(g, 0x40 | seen[i].code, seen[i].subpage), seen[i].len);
		memcpy(now, sense(g, seen[i].code, seen[i].subpage) - 16, 16 + seen[i].len);
		for (unsigned bit = 8 * first; bit < 8 * seen[i].len; bit++) {
			struct ssc_mode before = *mode(g);

			memcpy(g->data, now, 16 + seen[i].len);
			g->data[16 + bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (may[bit / 8] & 1 << bit % 8) {
				CMD(g, 16 + seen[i].len, SELECT_10(16 + seen[i].len));
			} else {
				CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 16 + seen[i].len,
					SELECT_10(16 + seen[i].len));
				assert_field(g, false, 16 + bit / 8, bit % 8);
				assert_memory_equal(mode(g), &before, sizeof(before));
			}
			g->u->ssc.mode = before;
		}
	}
}

/* ---- alerts ----------------------------------------------------------------------------------------------------- */

static void exceptions(struct rig *g, uint8_t bits, int32_t flag)
{
	sense(g, 0x1c, 0);
	g->data[18] = bits;
	put_be32(g->data + 24, (uint32_t)flag);
	ready_to_send(g);
}

static void an_alert_can_be_tested(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(sense(g, 0x1c, 0)[2], 0x08);
	exceptions(g, 0x04, 20);
	GOOD(g, 28, SELECT_10(28));
	assert_int_equal(g->u->ssc.alerts, 1ull << 19);
	assert_int_equal(sense(g, 0x1c, 0)[2], 0);
	exceptions(g, 0x04, -20);
	GOOD(g, 28, SELECT_10(28));
	assert_int_equal(g->u->ssc.alerts, 0);
	exceptions(g, 0x04, 32767);
	GOOD(g, 28, SELECT_10(28));
	assert_int_equal(g->u->ssc.alerts, UINT64_MAX);
	for (size_t i = 0; i < 3; i++) {
		static const int32_t flags[] = { 0, 65, -65 };

		exceptions(g, 0x04, flags[i]);
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 28, SELECT_10(28));
		assert_field(g, false, 24, -1);
	}
	exceptions(g, 0x0c, 1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 28, SELECT_10(28));
	assert_field(g, false, 18, 2);
	exceptions(g, 0x00, 1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 28, SELECT_10(28));
}

static void sense_data_may_be_descriptors(void **state)
{
	struct rig *g = rig_of(state);

	sense(g, 0x0a, 0);
	g->data[18] = 0x04;
	GOOD(g, ready_to_send(g), SELECT_10(28));
	assert_int_equal(CMD(g, 255, SENSE_10(0x23, 0, 255)), SCSI_CHECK_CONDITION);
	assert_int_equal(g->t.sense[0], 0x72);
}

static void a_reset_makes_defaults(void **state)
{
	struct rig *g = rig_of(state);
	struct ssc_mode defaults;

	sense(g, 0x10, 0x01);
	put_be16(g->data + 22, 7);
	GOOD(g, ready_to_send(g), SELECT_10(48));
	scsi_reset(g->u, SCSI_LUN_RESET);
	rig_settle(g);
	ssc_mode_defaults(&defaults);
	assert_memory_equal(mode(g), &defaults, sizeof(defaults));
}

/* ---- hostile ---------------------------------------------------------------------------------------------------- */

/* Often enough what is well formed. */
static void shape(uint8_t cdb[16], uint8_t *data)
{
	cdb[1] &= 0x18;
	if (!(cdb[13] & 1))
		return;
	memset(cdb + (cdb[0] < 0x20 ? 5 : 9), 0, 4);
	memset(cdb + 3, 0, cdb[0] < 0x20 ? 1 : 4);
	cdb[7] = 0;
	put_be32(data, 0);
	put_be32(data + 4, cdb[12] & 1 ? 8 : 0);
	data[8 + cdb[12] % 16] = cdb[11] & 0x7f;
}

static void whatever_comes_is_answered(void **state)
{
	static const uint8_t codes[] = { 0x15, 0x1a, 0x55, 0x5a };

	rig_whatever_comes(*state, codes, sizeof(codes), shape);
}

#define ON_IBM(test) cmocka_unit_test_setup_teardown(test, ibm, rig_free)
int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_IBM(st_opens_a_tape), ON_IBM(st_sets_block_size_and_buffering), ON_IBM(a_protected_tape_says_so),
		cmocka_unit_test_setup_teardown(an_older_generation_that_is_only_read_is_protected, rig_new, rig_free),
		cmocka_unit_test_setup_teardown(hpe_tells_only_whether_it_is_worm, hpe, rig_free),
		ON_IBM(ibm_has_medium_types),
		cmocka_unit_test_setup_teardown(without_a_medium_there_is_no_type_and_the_drives_density, empty,
						rig_free),
		ON_IBM(dbd_leaves_the_block_descriptor_out), ON_IBM(what_is_not_there_is_refused_with_its_field),
		ON_IBM(every_allocation_length_cuts), ON_IBM(all_pages_without_and_with_subpages),
		ON_IBM(what_was_sensed_is_accepted_back), ON_IBM(changeable_default_and_current_values),
		ON_IBM(st_switches_compression), ON_IBM(ltfs_sets_block_protection),
		ON_IBM(block_protection_that_makes_no_sense_is_refused),
		ON_IBM(ltfs_sets_the_programmable_early_warning),
		ON_IBM(write_mode_may_be_append_only), ON_IBM(tapeinfo_reads_its_pages),
		ON_IBM(ltfs_makes_two_partitions),
		ON_IBM(st_makes_partitions), ON_IBM(partitions_are_kept_by_a_format_that_nobody_set),
		ON_IBM(partitions_that_cannot_be_are_refused),
		cmocka_unit_test_setup_teardown(lto_5_has_two_partitions_and_what_came_later_four, hpe, rig_free),
		ON_IBM(a_list_is_taken_as_a_whole_or_not), ON_IBM(wrong_headers_are_refused),
		ON_IBM(a_block_length_is_not_more_than_a_record),
		ON_IBM(pages_that_are_not_there_or_of_another_length_are_refused), ON_IBM(what_is_not_changeable_stays),
		ON_IBM(an_alert_can_be_tested), ON_IBM(sense_data_may_be_descriptors), ON_IBM(a_reset_makes_defaults),
		ON_IBM(whatever_comes_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
