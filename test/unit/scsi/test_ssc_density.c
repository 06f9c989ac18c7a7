/* SPDX-License-Identifier: BSD-2-Clause */
/* ssc_density: REPORT DENSITY SUPPORT as bytes, and which cartridge a barcode names. */
#include "unit/scsi/rig.h"

#define REPORT(how, alloc) 0x44, how, 0, 0, 0, 0, 0, (uint8_t)((alloc) >> 8), (uint8_t)(alloc), 0
enum { OF_DRIVE = 0, OF_MEDIUM = 1, TYPES = 2 };

static void plug(struct rig *g, const char *model, const char *volume)
{
	rig_plug(g, SCSI_DRIVE, model);
	if (volume)
		assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, volume)), 0);
	rig_settle(g);
}

static void a_drive_lists_what_it_reads_and_writes_in_the_order_of_codes(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, "ibm-lto7", NULL);
	GOOD(g, 1024, REPORT(OF_DRIVE, 1024));
	assert_int_equal(g->t.data_in, 4 + 3 * 52);
	assert_int_equal(get_be16(g->data), 2 + 3 * 52);
	assert_int_equal(get_be16(g->data + 2), 0);
	for (int i = 0; i < 3; i++) {
		static const uint8_t code[] = { 0x58, 0x5a, 0x5c }, may[] = { 0x00, 0x80, 0xa0 };
		static const uint32_t mb[] = { 1500000, 2500000, 6000000 };
		const uint8_t *b = g->data + 4 + i * 52;

		assert_int_equal(b[0], code[i]);
		assert_int_equal(b[1], code[i]);
		assert_int_equal(b[2], may[i]);	/* LTO-5 is only read; the drive's own is the default */
		assert_int_equal(get_be16(b + 3), 0);
		assert_int_equal(get_be16(b + 8), 127);
		assert_int_equal(get_be32(b + 12), mb[i]);
		assert_memory_equal(b + 16, "LTO-CVE ", 8);
	}
	assert_memory_equal(g->data + 4 + 2 * 52 + 24, "U-732   Ultrium 7/32T       ", 28);
	assert_int_equal(g->data[4 + 2 * 52 + 5], 0);
	assert_int_equal(get_be16(g->data + 4 + 2 * 52 + 6), 19107);
	assert_int_equal(get_be16(g->data + 4 + 2 * 52 + 10), 3584);
}

static void the_loaded_medium_alone(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, "ibm-lto7", "A00001L6");
	GOOD(g, 1024, REPORT(OF_MEDIUM, 1024));
	assert_int_equal(g->t.data_in, 4 + 52);
	assert_int_equal(get_be16(g->data), 2 + 52);
	assert_int_equal(g->data[4], 0x5a);
	assert_int_equal(g->data[6], 0x80);
	assert_int_equal(get_be32(g->data + 16), 2500000);
}

static void resize(struct catalog_volume *v, void *ctx)
{
	v->capacity_bytes = *(uint64_t *)ctx;
}

static void a_volume_with_a_capacity_of_its_own_says_so(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t bytes = 123000000;

	plug(g, "ibm-lto7", "A00001L7");
	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, resize, &bytes), 0);
	GOOD(g, 1024, REPORT(OF_MEDIUM, 1024));
	assert_int_equal(get_be32(g->data + 16), 123);
	bytes = UINT64_MAX / 2;
	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, resize, &bytes), 0);
	GOOD(g, 1024, REPORT(OF_MEDIUM, 1024));
	assert_int_equal(get_be32(g->data + 16), UINT32_MAX);
}

static void medium_types_with_and_without_worm(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, "ibm-lto7", NULL);
	GOOD(g, 1024, REPORT(TYPES, 1024));
	assert_int_equal(g->t.data_in, 4 + 6 * 56);
	assert_int_equal(get_be16(g->data), 2 + 6 * 56);
	for (int i = 0; i < 6; i++) {
		static const uint8_t type[] = { 0x58, 0x5c, 0x68, 0x6c, 0x78, 0x7c };
		const uint8_t *b = g->data + 4 + i * 56;

		assert_int_equal(b[0], type[i]);
		assert_int_equal(get_be16(b + 2), 52);
		assert_int_equal(b[4], 1);
		assert_int_equal(b[5], 0x58 + i / 2 * 2);
		assert_int_equal(get_be16(b + 14), 127);
		assert_memory_equal(b + 20, "LTO-CVE ", 8);
	}
	assert_memory_equal(g->data + 4 + 5 * 56 + 28, "U-732   Ultrium 7/32T WORM  ", 28);
	GOOD(g, 100, REPORT(TYPES, 100));
	assert_int_equal(g->t.data_in, 100);
}

static void make_worm(struct catalog_volume *v, void *ctx)
{
	v->worm = true;
}

static void the_type_of_the_loaded_medium(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, "ibm-lto7", "A00001L7");
	GOOD(g, 1024, REPORT(OF_MEDIUM | TYPES, 1024));
	assert_int_equal(g->t.data_in, 4 + 56);
	assert_int_equal(g->data[4], 0x78);
	assert_int_equal(library_volume_change(g->store->lib, g->u->ssc.volume, make_worm, NULL), 0);
	GOOD(g, 1024, REPORT(OF_MEDIUM | TYPES, 1024));
	assert_int_equal(g->data[4], 0x7c);
}

static void without_a_medium_there_is_no_report_of_it(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, "ibm-lto7", NULL);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 1024, REPORT(OF_MEDIUM, 1024));
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 1024, REPORT(OF_MEDIUM | TYPES, 1024));
	GOOD(g, 0, REPORT(OF_DRIVE, 0));
	assert_int_equal(g->t.data_in, 0);
	GOOD(g, 2, REPORT(OF_DRIVE, 4));
	assert_int_equal(g->t.data_in, 2);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, REPORT(4, 4));
}

static void every_model_reports_what_fits_the_form(void **state)
{
	struct rig *g = rig_of(state);
	size_t n;
	const struct scsi_model *m = scsi_models(&n);

	for (size_t i = 0; i < n; i++) {
		if (m[i].kind != SCSI_DRIVE)
			continue;
		plug(g, m[i].name, NULL);
		for (uint8_t how = OF_DRIVE; how <= TYPES; how += TYPES) {
			size_t each = how ? 56 : 52;

			GOOD(g, 4096, REPORT(how, 4096));
			assert_int_equal((g->t.data_in - 4) % each, 0);
			assert_int_equal(get_be16(g->data) + 2, g->t.data_in);
			for (size_t at = 4; at + 2 * each < g->t.data_in; at += each)
				assert_true(g->data[at + (how ? 5 : 0)] <= g->data[at + each + (how ? 5 : 0)]);
		}
		g->u = scsi_unit_free(g->u, false);
	}
}

static void the_end_of_a_barcode_tells_the_medium(void **state)
{
	static const struct { const char *model, *barcode; bool worm; uint8_t density; } rows[] = {
		{ "ibm-lto7", "A00001L7", false, 0x5c },
		{ "ibm-lto7", "A00001L6", false, 0x5a },
		{ "ibm-lto7", "A00001L5", false, 0x58 },
		{ "ibm-lto7", "A00001L4", false, 0x5c },	/* of no kind that it knows: its own */
		{ "ibm-lto7", "A00001", false, 0x5c },
		{ "ibm-lto7", "L6", false, 0x5c },		/* that is a name and no end of one */
		{ "ibm-lto7", "A00001LW", true, 0x5a },
		{ "ibm-lto7", "A00001LW", false, 0x5c },
		{ "ibm-lto7", "A00001L6", true, 0x5a },
		{ "ibm-lto5", "A00001L3", false, 0x44 },
		{ "vtape", "A00001L7", false, 0x80 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(ssc_medium_of(drive_model_find(rows[i].model), rows[i].barcode, rows[i].worm)->density,
				 rows[i].density);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_new, rig_free)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_drive_lists_what_it_reads_and_writes_in_the_order_of_codes),
		T(the_loaded_medium_alone),
		T(a_volume_with_a_capacity_of_its_own_says_so),
		T(medium_types_with_and_without_worm),
		T(the_type_of_the_loaded_medium),
		T(without_a_medium_there_is_no_report_of_it),
		T(every_model_reports_what_fits_the_form),
		cmocka_unit_test(the_end_of_a_barcode_tells_the_medium),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
