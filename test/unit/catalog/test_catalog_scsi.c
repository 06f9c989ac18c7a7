/* SPDX-License-Identifier: BSD-2-Clause */
/* Places, cartridges' memories, units: kept as told, gone with the volume, refused where nothing can be so. */
#include "catalog_fixture.h"

/* ---- places ---------------------------------------------------------------------------------------------------- */

static void a_place_is_kept_as_it_was_told(void **state)
{
	const struct catalog_place told[] = {
		{ PLACE_SLOT, 0, false }, { PLACE_SLOT, CATALOG_SLOTS_MAX - 1, false }, { PLACE_PORT, 7, true },
		{ PLACE_PORT, CATALOG_PORTS_MAX - 1, false }, { PLACE_OUTSIDE, 0, false },
	};
	struct catalog_place got;

	assert_int_equal(catalog_place_get(cat_of(state), 5, &got), CATALOG_E_NONE);
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		assert_int_equal(catalog_place_put(cat_of(state), 5, &told[i]), 0);
		restart(state, true);
		assert_int_equal(catalog_place_get(cat_of(state), 5, &got), 0);
		assert_int_equal(got.kind, told[i].kind);
		assert_int_equal(got.number, told[i].number);
		assert_int_equal(got.imported, told[i].imported);
	}
}

static void there_is_no_place_beyond_the_last(void **state)
{
	const struct catalog_place none[] = {
		{ PLACE_SLOT, CATALOG_SLOTS_MAX, false }, { PLACE_PORT, CATALOG_PORTS_MAX, false },
		{ PLACE_OUTSIDE, 1, false }, { PLACE_SLOT, 1, true }, { PLACE_OUTSIDE, 0, true },
		{ PLACE_PORT + 1, 0, false },
	};
	struct catalog_place got;

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(catalog_place_put(cat_of(state), 5, &none[i]), -EINVAL);
	assert_int_equal(catalog_place_get(cat_of(state), 5, &got), CATALOG_E_NONE);
}

struct seen { unsigned count; uint64_t volume[8]; uint32_t number[8]; };

static int see_place(void *ctx, uint64_t volume, const struct catalog_place *p)
{
	struct seen *s = ctx;

	s->volume[s->count] = volume;
	s->number[s->count++] = p->number;
	return volume == 300 ? 77 : 0;
}

static void places_are_walked_in_the_order_of_volumes(void **state)
{
	struct catalog_place p = { .kind = PLACE_SLOT };
	struct row_key hurt = key_place(3);
	const uint64_t volumes[] = { 256, 2, 300, 301 };
	struct seen s = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(volumes); i++) {
		p.number = (uint32_t)i;
		assert_int_equal(catalog_place_put(cat_of(state), volumes[i], &p), 0);
	}
	raw_put(state, &hurt, "x", 1);
	assert_int_equal(catalog_place_get(cat_of(state), 3, &p), -EUCLEAN);
	assert_int_equal(catalog_place_each(cat_of(state), see_place, &s), 77);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.volume[0], 2);
	assert_int_equal(s.volume[1], 256);
	assert_int_equal(s.number[1], 0);
	assert_int_equal(s.volume[2], 300);
}

static void a_place_and_a_drive_change_as_one(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	const struct catalog_place p = { PLACE_SLOT, 3, false };
	struct catalog_place got;
	uint64_t volume;

	assert_int_equal(catalog_drive_put(cat_of(state), 1, 5), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(catalog_drive_stage(b, 1, 0), 0);
	assert_int_equal(catalog_drive_stage(b, 0, 6), 0);
	assert_int_equal(catalog_place_stage(b, 5, &p), 0);
	kv_mem_plan_fault(kv_of(state), 1, -EIO);
	assert_int_equal(catalog_write(cat_of(state), b), -EIO);
	assert_int_equal(catalog_drive_get(cat_of(state), 1, &volume), 0);
	assert_int_equal(volume, 5);
	assert_int_equal(catalog_place_get(cat_of(state), 5, &got), CATALOG_E_NONE);
	assert_int_equal(catalog_write(cat_of(state), b), 0);
	restart(state, true);
	assert_int_equal(catalog_drive_get(cat_of(state), 1, &volume), 0);
	assert_int_equal(volume, 0);
	assert_int_equal(catalog_drive_get(cat_of(state), 0, &volume), 0);
	assert_int_equal(volume, 6);
	assert_int_equal(catalog_place_get(cat_of(state), 5, &got), 0);
	assert_int_equal(got.number, 3);
}

/* ---- memories -------------------------------------------------------------------------------------------------- */

static int see_mam(void *ctx, const struct catalog_mam *a, const void *p, size_t n)
{
	struct buf *text = ctx;

	return buf_printf(text, "%u/%04x%c%.*s ", a->partition, a->id, "bat"[a->format], (int)n, (const char *)p);
}

static void put_mam(void **state, uint64_t volume, uint32_t partition, uint16_t id, const char *text)
{
	const struct catalog_mam a = { partition, id, MAM_ASCII };

	assert_int_equal(catalog_mam_put(cat_of(state), volume, &a, text, strlen(text)), 0);
}

static void attributes_are_kept_by_partition_and_id(void **state)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	uint64_t v = add_volume(state, default_pool(state), "A1"), w = add_volume(state, default_pool(state), "B1");
	const struct catalog_mam binary = { 0, 0x080c, MAM_BINARY };
	enum catalog_mam_format format = MAM_TEXT;

	put_mam(state, v, 0, 0x0801, "app");
	put_mam(state, v, 0, 0x0800, "vendor");
	put_mam(state, v, 1, 0x0800, "other");
	put_mam(state, w, 0, 0x0802, "another tape");
	assert_int_equal(catalog_mam_put(cat_of(state), v, &binary, "bin", 3), 0);
	put_mam(state, v, 0, 0x0801, "version 2");
	restart(state, true);

	assert_int_equal(catalog_mam_get(cat_of(state), v, 0, 0x0801, &format, &text), 0);
	assert_int_equal(format, MAM_ASCII);
	assert_int_equal(text.len, 9);
	assert_memory_equal(text.data, "version 2", 9);
	assert_int_equal(catalog_mam_get(cat_of(state), v, 1, 0x0801, &format, &text), CATALOG_E_NONE);
	text.len = 0;
	assert_int_equal(catalog_mam_each(cat_of(state), v, 0, 0, see_mam, &text), 0);
	buf_put_u8(&text, 0);
	assert_string_equal((char *)text.data, "0/0800avendor 0/0801aversion 2 0/080cbbin ");
	text.len = 0;
	assert_int_equal(catalog_mam_each(cat_of(state), v, 0, 0x0801, see_mam, &text), 0);
	buf_put_u8(&text, 0);
	assert_string_equal((char *)text.data, "0/0801aversion 2 0/080cbbin ");
}

static void an_attribute_goes_when_it_is_empty(void **state)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	uint64_t v = add_volume(state, default_pool(state), "A1");
	enum catalog_mam_format format;

	put_mam(state, v, 0, 0x0801, "app");
	put_mam(state, v, 0, 0x0801, "");
	put_mam(state, v, 0, 0x0802, "");
	assert_int_equal(catalog_mam_get(cat_of(state), v, 0, 0x0801, &format, &text), CATALOG_E_NONE);
	assert_int_equal(raw_count(state, 'A'), 0);
}

static void an_attribute_has_its_limits(void **state)
{
	static const char big[CATALOG_MAM_MAX + 1];
	CLEANUP(buf_fini) struct buf text = BUF_INIT;
	const struct catalog_mam a = { 3, 0xffff, MAM_TEXT };
	uint64_t v = add_volume(state, default_pool(state), "A1");
	struct row_key key = key_mam(v, 0, 1);
	enum catalog_mam_format format;

	assert_int_equal(catalog_mam_put(cat_of(state), v, &a, big, CATALOG_MAM_MAX), 0);
	assert_int_equal(catalog_mam_put(cat_of(state), v, &a, big, sizeof(big)), -EINVAL);
	assert_int_equal(catalog_mam_put(cat_of(state), 4711, &a, "x", 1), CATALOG_E_NONE);
	assert_int_equal(catalog_mam_get(cat_of(state), v, 3, 0xffff, &format, &text), 0);
	assert_int_equal(text.len, CATALOG_MAM_MAX);
	raw_put(state, &key, "\x01\x03" "abc", 5);
	assert_int_equal(catalog_mam_get(cat_of(state), v, 0, 1, &format, &text), -EUCLEAN);
	raw_put(state, &key, "\x01\x01", 2);
	assert_int_equal(catalog_mam_get(cat_of(state), v, 0, 1, &format, &text), -EUCLEAN);
	/* The others are told; of this one, that it is there. */
	put_mam(state, v, 0, 0x0801, "app");
	text.len = 0;
	assert_int_equal(catalog_mam_each(cat_of(state), v, 0, 0, see_mam, &text), 0);
	assert_int_equal(buf_put_u8(&text, 0), 0);
	assert_string_equal((char *)text.data, "0/0001b 0/0801aapp ");
}

static void a_removed_volume_takes_its_place_and_its_memory_along(void **state)
{
	const struct catalog_place p = { PLACE_SLOT, 3, false };
	uint64_t v = add_volume(state, default_pool(state), "A1"), w = add_volume(state, default_pool(state), "B1");

	assert_int_equal(catalog_place_put(cat_of(state), v, &p), 0);
	assert_int_equal(catalog_place_put(cat_of(state), w, &p), 0);
	put_mam(state, v, 0, 0x0801, "app");
	put_mam(state, v, 1, 0x0801, "app");
	put_mam(state, w, 0, 0x0801, "app");
	assert_int_equal(catalog_volume_remove(cat_of(state), v, NULL), 0);
	restart(state, true);
	assert_int_equal(raw_count(state, 'A'), 1);
	assert_int_equal(raw_count(state, 'L'), 1);
}

/* ---- units ----------------------------------------------------------------------------------------------------- */

static void units_are_called_as_they_were_told(void **state)
{
	const struct catalog_unit changer = { CATALOG_UNIT_CHANGER, "vtape-library", "", "", "", "", 0 };
	const struct catalog_unit drive = { 63, "ibm-lto9", "IBM     ", "ULT3580-TD9     ", "R1G0",
					    "12345678901234567890123456789012", 0x5123456789abcdef };
	struct catalog_unit u = { .number = 63 };

	assert_int_equal(catalog_unit_get(cat_of(state), 63, &u), CATALOG_E_NONE);
	assert_int_equal(catalog_unit_put(cat_of(state), &changer), 0);
	assert_int_equal(catalog_unit_put(cat_of(state), &drive), 0);
	restart(state, true);
	assert_int_equal(catalog_unit_get(cat_of(state), 63, &u), 0);
	assert_int_equal(u.number, 63);
	assert_string_equal(u.model, drive.model);
	assert_string_equal(u.vendor, drive.vendor);
	assert_string_equal(u.product, drive.product);
	assert_string_equal(u.revision, drive.revision);
	assert_string_equal(u.serial, drive.serial);
	assert_true(u.naa == drive.naa);
	assert_int_equal(catalog_unit_get(cat_of(state), CATALOG_UNIT_CHANGER, &u), 0);
	assert_string_equal(u.model, "vtape-library");
	assert_int_equal(catalog_unit_put(cat_of(state), &(struct catalog_unit){ .number = 63 }), 0);
	assert_int_equal(catalog_unit_get(cat_of(state), 63, &u), CATALOG_E_NONE);
	u = (struct catalog_unit){ .model = "ok", .serial = "\xc3\xa4" };
	assert_int_equal(catalog_unit_put(cat_of(state), &u), -EINVAL);
}

static void a_stacker_is_kept_until_it_is_off(void **state)
{
	struct row_key key = key_stacker(3);
	struct catalog_stacker s;

	assert_int_equal(catalog_stacker_get(cat_of(state), 3, &s), 0);
	assert_int_equal(s.mode, STACKER_OFF);
	assert_int_equal(catalog_stacker_put(cat_of(state), 3, &(struct catalog_stacker){ STACKER_ALL, 7 }), 0);
	restart(state, true);
	assert_int_equal(catalog_stacker_get(cat_of(state), 3, &s), 0);
	assert_true(s.mode == STACKER_ALL && s.pool == 7);
	assert_int_equal(catalog_stacker_get(cat_of(state), 2, &s), 0);
	assert_int_equal(s.mode, STACKER_OFF);
	assert_int_equal(catalog_stacker_put(cat_of(state), 3, &(struct catalog_stacker){ STACKER_OFF, 0 }), 0);
	assert_int_equal(raw_count(state, 'Y'), 0);
	raw_put(state, &key, "\x01\x03\0\0\0\0", 6);
	assert_int_equal(catalog_stacker_get(cat_of(state), 3, &s), -EUCLEAN);
}

static void slots_and_ports_have_their_limits(void **state)
{
	struct catalog_scsi s = { .up = true, .slots = 9 };
	struct row_key key = key_scsi();

	assert_int_equal(catalog_scsi_get(cat_of(state), &s), 0);
	assert_true(!s.up && !s.no_loopback && s.slots == 0 && s.ports == 0);
	s = (struct catalog_scsi){ .up = true, .slots = CATALOG_SLOTS_MAX, .ports = CATALOG_PORTS_MAX };
	assert_int_equal(catalog_scsi_put(cat_of(state), &s), 0);
	s.slots++;
	assert_int_equal(catalog_scsi_put(cat_of(state), &s), -EINVAL);
	s = (struct catalog_scsi){ .no_loopback = true, .ports = CATALOG_PORTS_MAX + 1 };
	assert_int_equal(catalog_scsi_put(cat_of(state), &s), -EINVAL);
	restart(state, true);
	assert_int_equal(catalog_scsi_get(cat_of(state), &s), 0);
	assert_true(s.up && !s.no_loopback && s.slots == CATALOG_SLOTS_MAX && s.ports == CATALOG_PORTS_MAX);
	s.up = false;
	s.no_loopback = true;
	assert_int_equal(catalog_scsi_put(cat_of(state), &s), 0);
	assert_int_equal(catalog_scsi_get(cat_of(state), &s), 0);
	assert_true(!s.up && s.no_loopback);
	raw_put(state, &key, "x", 1);
	assert_int_equal(catalog_scsi_get(cat_of(state), &s), -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_CATALOG(a_place_is_kept_as_it_was_told),
		ON_CATALOG(there_is_no_place_beyond_the_last),
		ON_CATALOG(places_are_walked_in_the_order_of_volumes),
		ON_CATALOG(a_place_and_a_drive_change_as_one),
		ON_CATALOG(attributes_are_kept_by_partition_and_id),
		ON_CATALOG(an_attribute_goes_when_it_is_empty),
		ON_CATALOG(an_attribute_has_its_limits),
		ON_CATALOG(a_removed_volume_takes_its_place_and_its_memory_along),
		ON_CATALOG(units_are_called_as_they_were_told),
		ON_CATALOG(a_stacker_is_kept_until_it_is_off),
		ON_CATALOG(slots_and_ports_have_their_limits),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
