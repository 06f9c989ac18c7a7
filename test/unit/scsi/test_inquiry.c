/* SPDX-License-Identifier: BSD-2-Clause */
/* inquiry: standard data and every vital product data page, byte by byte where clients look. */
#include "unit/scsi/rig.h"

#define INQUIRE(g, page, n) GOOD(g, n, 0x12, 1, page, (uint8_t)((n) >> 8), (uint8_t)(n), 0)

static void standard_data_of_a_drive(void **state)
{
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_DRIVE, "ibm-lto7");
	GOOD(g, 255, 0x12, 0, 0, 0, 255, 0);
	assert_int_equal(g->t.data_in, 96);
	assert_memory_equal(g->data, "\x01\x80\x06\x02\x5b\x01\x00\x02", 8);
	assert_memory_equal(g->data + 8, "IBM     ULT3580-TD7     ", 24);
	assert_memory_equal(g->data + 32, g->u->drive_model->revision, 4);
	assert_memory_equal(g->data + 58, "\x00\xa0\x04\x60\x05\x20\x00\x00", 8);
	assert_int_equal(g->data[40], 0);
}

static void standard_data_of_a_changer(void **state)
{
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_CHANGER, "stk-l700");
	GOOD(g, 255, 0x12, 0, 0, 0, 255, 0);
	assert_memory_equal(g->data, "\x08\x80\x06\x02\x5b\x00\x00\x02", 8);
	assert_memory_equal(g->data + 8, "STK     L700            0315", 28);
	assert_memory_equal(g->data + 38, "01020304FF  ", 12);
	assert_int_equal(g->data[55] & 1, 1);
	assert_memory_equal(g->data + 58, "\x00\xa0\x04\x60\x04\x80", 6);
}

static void a_drive_of_hp_tells_that_it_takes_worm_cartridges(void **state)
{
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_DRIVE, "hpe-lto6");
	GOOD(g, 96, 0x12, 0, 0, 0, 96, 0);
	assert_memory_equal(g->data + 8, "HP      Ultrium 6-SCSI  ", 24);
	assert_int_equal(g->data[40], 1);
}

static void data_is_cut_to_the_allocation_length(void **state)
{
	static const unsigned lens[] = { 0, 1, 5, 36, 95, 96, 255 };
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_DRIVE, NULL);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		memset(g->data, 0xee, 256);
		GOOD(g, 255, 0x12, 0, 0, 0, (uint8_t)lens[i], 0);
		assert_int_equal(g->t.data_in, lens[i] < 96 ? lens[i] : 96);
		assert_int_equal(g->data[g->t.data_in], 0xee);
		/* What is said to follow is not cut. */
		if (lens[i] >= 5)
			assert_int_equal(g->data[4], 91);
	}
	/* Two bytes long, and the transport has less room than was allocated. */
	GOOD(g, 40, 0x12, 0, 0, 0x01, 0x00, 0);
	assert_int_equal(g->t.data_in, 40);
	GOOD(g, 7, 0x12, 1, 0x80, 0xff, 0xff, 0);
	assert_int_equal(g->t.data_in, 7);
}

static void pages_that_are_not_there_are_refused(void **state)
{
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_CHANGER, NULL);
	/* A page without EVPD; CMDDT; no such page; a drive's page. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 96, 0x12, 0, 0x80, 0, 96, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 2);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 96, 0x12, 2, 0, 0, 96, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 96, 0x12, 1, 0xc0, 0, 96, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 96, 0x12, 1, 0xb0, 0, 96, 0);
	assert_int_equal(g->t.data_in, 0);
}

static void every_page_that_is_listed_is_there_and_no_other(void **state)
{
	struct rig *g = rig_of(state);

	for (int k = 0; k < 2; k++) {
		uint8_t list[256];
		size_t n, found = 0;

		g->u = scsi_unit_free(g->u, false);
		rig_plug(g, k ? SCSI_CHANGER : SCSI_DRIVE, NULL);
		INQUIRE(g, 0x00, 256);
		n = get_be16(g->data + 2);
		assert_int_equal(g->t.data_in, 4 + n);
		assert_int_equal(n, k ? 4 : 9);
		memcpy(list, g->data + 4, n);
		for (unsigned page = 0; page < 256; page++) {
			bool listed = memchr(list, (int)page, n);

			CMD(g, 4096, 0x12, 1, (uint8_t)page, 0x10, 0, 0);
			assert_int_equal(g->t.status, listed ? SCSI_GOOD : SCSI_CHECK_CONDITION);
			found += listed;
			if (!listed)
				continue;
			assert_int_equal(g->data[0], k ? 8 : 1);
			assert_int_equal(g->data[1], page);
			assert_int_equal(get_be16(g->data + 2) + 4, g->t.data_in);
		}
		assert_int_equal(found, n);
	}
}

/* LTFS and mtx take a drive for the same by page 80h. */
static void serial_number_and_identification(void **state)
{
	struct rig *g = rig_of(state);
	struct scsi_unit_info info;
	size_t n;

	rig_plug(g, SCSI_DRIVE, "ibm-lto6");
	scsi_unit_info(g->u, &info);
	n = strlen(info.serial);
	INQUIRE(g, 0x80, 255);
	assert_int_equal(g->t.data_in, 4 + n);
	assert_memory_equal(g->data + 4, info.serial, n);
	INQUIRE(g, 0xb1, 255);
	assert_memory_equal(g->data + 4, info.serial, n);
	INQUIRE(g, 0x83, 255);
	assert_int_equal(get_be16(g->data + 2), 28 + n + 12);
	assert_memory_equal(g->data + 4, "\x02\x01\x00", 3);
	assert_int_equal(g->data[7], 24 + n);
	assert_memory_equal(g->data + 8, "IBM     ULT3580-TD6     ", 24);
	assert_memory_equal(g->data + 32, info.serial, n);
	assert_memory_equal(g->data + 32 + n, "\x01\x03\x00\x08", 4);
	assert_int_equal(get_be64(g->data + 36 + n), info.naa);
}

/* The longest that an identity can be. */
static void the_longest_serial_number_fits(void **state)
{
	struct rig *g = rig_of(state);
	struct scsi_unit_config cfg = { .lib = g->store->lib, .kind = SCSI_DRIVE };

	strcpy(cfg.identity.model, "vtape");
	memset(cfg.identity.serial, 'S', 32);
	assert_int_equal(scsi_unit_new(&cfg, &g->u), 0);
	INQUIRE(g, 0x83, 255);
	assert_int_equal(g->t.data_in, 4 + 28 + 32 + 12);
	assert_int_equal(g->data[7], 56);
	INQUIRE(g, 0x80, 255);
	assert_int_equal(g->t.data_in, 36);
}

static void extended_data_tells_that_blocks_can_be_protected(void **state)
{
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_DRIVE, NULL);
	INQUIRE(g, 0x86, 255);
	assert_int_equal(g->t.data_in, 64);
	assert_int_equal(g->data[4], 0x08);
	assert_int_equal(g->data[5], 0x07);
	assert_int_equal(g->data[13], 32);
	g->u = scsi_unit_free(g->u, false);
	rig_plug(g, SCSI_CHANGER, NULL);
	INQUIRE(g, 0x86, 255);
	assert_int_equal(g->data[4], 0);
}

static void protection_methods_are_those_of_the_generation(void **state)
{
	static const struct { const char *model; unsigned methods; } rows[] = {
		{ "vtape", 3 }, { "ibm-lto5", 2 }, { "ibm-lto6", 2 }, { "ibm-lto7", 3 }, { "hpe-lto9", 3 } };
	struct rig *g = rig_of(state);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		g->u = scsi_unit_free(g->u, false);
		rig_plug(g, SCSI_DRIVE, rows[i].model);
		INQUIRE(g, 0xb5, 255);
		assert_int_equal(g->t.data_in, 8 + 8 * rows[i].methods);
		assert_memory_equal(g->data + 8, "\7\0\0\0\0\0\0\0\7\1\4\xc0\0\0\0\0\7\2\4\xc0\0\0\0\0",
				    8 * rows[i].methods);
	}
}

static void the_worm_bit_is_that_of_the_loaded_volume(void **state)
{
	struct rig *g = rig_of(state);
	struct catalog_volume v;
	uint64_t plain = rig_volume(g, "A00001"), worm = rig_volume(g, "A00002");

	assert_int_equal(catalog_volume_by_id(g->store->cat, worm, &v), 0);
	v.worm = true;
	assert_int_equal(catalog_volume_put(g->store->cat, &v, NULL), 0);
	rig_plug(g, SCSI_DRIVE, NULL);
	INQUIRE(g, 0xb0, 255);
	assert_int_equal(get_be16(g->data + 2), 2);
	assert_int_equal(g->data[4], 1);
	assert_int_equal(library_load(g->store->lib, 0, plain), 0);
	INQUIRE(g, 0xb0, 255);
	assert_int_equal(g->data[4], 0);
	assert_int_equal(library_unload(g->store->lib, 0), 0);
	assert_int_equal(library_load(g->store->lib, 0, worm), 0);
	INQUIRE(g, 0xb0, 255);
	assert_int_equal(g->data[4], 1);
}

static void a_drive_knows_the_serial_number_of_its_library(void **state)
{
	struct rig *g = rig_of(state);
	struct catalog_unit changer = { .number = CATALOG_UNIT_CHANGER, .model = "ibm-3584", .serial = "LIB4711" };

	rig_plug(g, SCSI_DRIVE, NULL);
	INQUIRE(g, 0xb3, 255);
	assert_int_equal(get_be16(g->data + 2), 10);
	assert_memory_equal(g->data + 4, "01020304FF", 10);
	assert_int_equal(catalog_unit_put(g->store->cat, &changer), 0);
	INQUIRE(g, 0xb3, 255);
	assert_int_equal(get_be16(g->data + 2), 7);
	assert_memory_equal(g->data + 4, "LIB4711", 7);
	INQUIRE(g, 0xb2, 255);
	assert_memory_equal(g->data, "\x01\xb2\x00\x08\xff\xff\xff\xff\xff\xff\xff\xff", 12);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_new, rig_free)
int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(standard_data_of_a_drive),
		RIG_TEST(standard_data_of_a_changer),
		RIG_TEST(a_drive_of_hp_tells_that_it_takes_worm_cartridges),
		RIG_TEST(data_is_cut_to_the_allocation_length),
		RIG_TEST(pages_that_are_not_there_are_refused),
		RIG_TEST(every_page_that_is_listed_is_there_and_no_other),
		RIG_TEST(serial_number_and_identification),
		RIG_TEST(the_longest_serial_number_fits),
		RIG_TEST(extended_data_tells_that_blocks_can_be_protected),
		RIG_TEST(protection_methods_are_those_of_the_generation),
		RIG_TEST(the_worm_bit_is_that_of_the_loaded_volume),
		RIG_TEST(a_drive_knows_the_serial_number_of_its_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
