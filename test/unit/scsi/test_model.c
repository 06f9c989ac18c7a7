/* SPDX-License-Identifier: BSD-2-Clause */
/* model: the tables hold together, and say what clients look for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>

#include "scsi/unit.h"

static const struct drive_model *drive(const char *name)
{
	const struct drive_model *m = drive_model_find(name);

	assert_non_null(m);
	return m;
}

static void names_are_plain_and_each_is_there_once(void **state)
{
	size_t n;
	const struct scsi_model *m = scsi_models(&n);

	assert_true(n >= 14);
	for (size_t i = 0; i < n; i++) {
		assert_true(strlen(m[i].name) < sizeof(((struct catalog_unit *)0)->model));
		for (const char *c = m[i].name; *c; c++)
			assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '-');
		assert_true(strlen(m[i].vendor) <= 8 && strlen(m[i].product) <= 16 && *m[i].words);
		assert_true(scsi_model_known(m[i].kind, m[i].name));
		assert_false(scsi_model_known(m[i].kind == SCSI_DRIVE ? SCSI_CHANGER : SCSI_DRIVE, m[i].name));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(m[k].name, m[i].name);
	}
	assert_string_equal(scsi_model_default(SCSI_DRIVE), "vtape");
	assert_string_equal(scsi_model_default(SCSI_CHANGER), "vtape-library");
	assert_null(drive_model_find("lto"));
	assert_null(changer_model_find(""));
}

/* Generation, density, medium type, barcodes, 10^6 bytes, partitions; what the drive of that generation also uses. */
static const struct {
	unsigned generation;
	uint8_t density, type;
	const char *suffix, *worm;
	uint32_t mb;
	unsigned partitions, writes_down_to, reads_down_to;
} lto[] = {
	{ 5, 0x58, 0x58, "L5", "LV", 1500000, 2, 4, 3 }, { 6, 0x5a, 0x68, "L6", "LW", 2500000, 4, 5, 4 },
	{ 7, 0x5c, 0x78, "L7", "LX", 6000000, 4, 6, 5 }, { 8, 0x5e, 0x88, "L8", "LY", 12000000, 4, 7, 7 },
	{ 9, 0x60, 0x98, "L9", "LZ", 18000000, 4, 8, 8 },
};

static void lto_drives_write_their_own_tapes_and_the_generation_before(void **state)
{
	static const char *const makers[] = { "ibm", "hpe" };

	for (size_t i = 0; i < 2 * ARRAY_LEN(lto); i++) {
		unsigned g = lto[i / 2].generation, low = g;
		char name[16];
		const struct drive_model *m;

		snprintf(name, sizeof(name), "%s-lto%u", makers[i % 2], g);
		m = drive(name);
		assert_int_equal(m->generation, g);
		assert_int_equal(m->own->density, lto[i / 2].density);
		assert_int_equal(m->own->type, lto[i / 2].type);
		assert_int_equal(m->own->worm_type, lto[i / 2].type | 0x0c);
		assert_string_equal(m->own->suffix, lto[i / 2].suffix);
		assert_string_equal(m->own->worm_suffix, lto[i / 2].worm);
		assert_int_equal(m->own->capacity_mb, lto[i / 2].mb);
		assert_int_equal(m->own->partitions_max, lto[i / 2].partitions);
		assert_ptr_equal(m->writes[0], m->own);
		for (unsigned k = 0; k < 4 && m->writes[k]; k++)
			low = (unsigned)(m->writes[k]->suffix[1] - '0');
		assert_int_equal(low, lto[i / 2].writes_down_to);
		for (unsigned k = 0; k < 4 && m->reads[k]; k++)
			low = (unsigned)(m->reads[k]->suffix[1] - '0');
		assert_int_equal(low, lto[i / 2].reads_down_to);
	}
}

static void older_tapes_have_their_codes(void **state)
{
	const struct drive_model *m = drive("ibm-lto5");

	assert_int_equal(m->writes[1]->density, 0x46);
	assert_int_equal(m->writes[1]->type, 0x48);
	assert_string_equal(m->writes[1]->worm_suffix, "LU");
	assert_int_equal(m->reads[0]->density, 0x44);
	assert_int_equal(m->reads[0]->worm_type, 0x3c);
	assert_string_equal(m->reads[0]->worm_suffix, "LT");
}

/* Names of its table of drives; it compares revisions as four bytes with B170 (LTO-5) and HB81 (LTO-8). */
static void ltfs_knows_the_drives_and_takes_their_revisions(void **state)
{
	char product[17];

	for (unsigned g = 5; g <= 9; g++) {
		char name[16];

		snprintf(name, sizeof(name), "ibm-lto%u", g);
		snprintf(product, sizeof(product), "ULT3580-TD%u", g);
		assert_string_equal(drive(name)->base.vendor, "IBM");
		assert_string_equal(drive(name)->base.product, product);
		snprintf(name, sizeof(name), "hpe-lto%u", g);
		snprintf(product, sizeof(product), "Ultrium %u-SCSI", g);
		assert_string_equal(drive(name)->base.vendor, g < 8 ? "HP" : "HPE");
		assert_string_equal(drive(name)->base.product, product);
	}
	assert_true(get_be32(drive("ibm-lto5")->revision) >= get_be32("B170"));
	assert_true(get_be32(drive("ibm-lto8")->revision) >= get_be32("HB81"));
}

static void every_drive_is_whole(void **state)
{
	size_t n;
	const struct scsi_model *models = scsi_models(&n);

	for (size_t i = 0; i < n; i++) {
		const struct drive_model *m = drive_model_find(models[i].name);

		if (!m)
			continue;
		assert_int_equal(strlen(m->revision), 4);
		assert_true(m->record_max && m->record_max <= TAPE_RECORD_MAX);
		for (unsigned k = 0; k < 8; k++) {
			const struct medium *e = k < 4 ? m->writes[k] : m->reads[k - 4];

			assert_true(!e || (strlen(e->organization) <= 8 && strlen(e->density_name) <= 8 &&
					   strlen(e->words) <= 20 && e->partitions_max <= TAPE_PARTITIONS_MAX));
		}
	}
}

/* With as many slots, ports and drives as there may be, every element has an address and no two the same. */
static void elements_of_libraries_do_not_overlap(void **state)
{
	static const char *const names[] = { "vtape-library", "ibm-3584", "stk-l700" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct changer_model *m = changer_model_find(names[i]);
		uint32_t ends[4], firsts[4];

		assert_non_null(m);
		assert_int_equal(strlen(m->revision), 4);
		firsts[0] = m->first_transport, ends[0] = firsts[0] + 1;
		firsts[1] = m->first_slot, ends[1] = firsts[1] + LIBRARY_SLOTS_MAX;
		firsts[2] = m->first_port, ends[2] = firsts[2] + LIBRARY_PORTS_MAX;
		firsts[3] = m->first_drive, ends[3] = firsts[3] + LIBRARY_DRIVES_MAX;
		for (unsigned a = 0; a < 4; a++) {
			assert_true(ends[a] <= 0xffff);
			for (unsigned b = 0; b < a; b++)
				assert_true(ends[a] <= firsts[b] || ends[b] <= firsts[a]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_plain_and_each_is_there_once),
		cmocka_unit_test(lto_drives_write_their_own_tapes_and_the_generation_before),
		cmocka_unit_test(older_tapes_have_their_codes),
		cmocka_unit_test(ltfs_knows_the_drives_and_takes_their_revisions),
		cmocka_unit_test(every_drive_is_whole),
		cmocka_unit_test(elements_of_libraries_do_not_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
