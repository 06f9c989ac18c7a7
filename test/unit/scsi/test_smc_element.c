/* SPDX-License-Identifier: BSD-2-Clause */
/* Element addresses and READ ELEMENT STATUS, to the byte; SEND VOLUME TAG and what it finds. */
#include "unit/scsi/changer.h"

#define WITH_TAG 52u
#define SEND_TAG(type, start, action, len) 0xb6, type, BE16(start), 0, action, 0, 0, BE16(len)
#define REQUEST_TAG(type, start, n, alloc) 0xb5, type, BE16(start), BE16(n), 0, BE24(alloc), 0, 0

/* The descriptor of that address in the report that is in g->data; its page must be of that type. */
static const uint8_t *descriptor(struct rig *g, uint8_t type, uint16_t address)
{
	const uint8_t *p = g->data + 8, *end = g->data + g->t.data_in;

	while (p < end) {
		const uint8_t *page_end = p + 8 + (get_be32(p + 4) & 0xffffff);
		uint16_t len = get_be16(p + 2);
		uint8_t page_type = p[0];

		for (p += 8; p < page_end; p += len)
			if (page_type == type && get_be16(p) == address)
				return p;
		assert_ptr_equal(p, page_end);
	}
	fail_msg("no element %04x", address);
	return NULL;
}

static void put_pattern(struct rig *g, const char *pattern)
{
	memset(g->data, 0, 40);
	memset(g->data, ' ', 32);
	memcpy(g->data, pattern, strlen(pattern));
}

/* What the last search found: names, in order of addresses, with blanks between. */
static const char *found(struct rig *g, uint8_t type, uint16_t start, uint16_t n)
{
	static char names[512];
	const uint8_t *p = g->data + 8, *end;

	GOOD(g, 4096, REQUEST_TAG(0x10 | type, start, n, 4096));
	names[0] = '\0';
	for (end = g->data + g->t.data_in; p < end;) {
		const uint8_t *page_end = p + 8 + (get_be32(p + 4) & 0xffffff);
		uint16_t len = get_be16(p + 2);

		for (p += 8; p < page_end; p += len)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.8s", names[0] ? " " : "",
				 (const char *)p + 12);
	}
	return names;
}

static void all_elements_are_told_a_page_for_each_type(void **state)
{
	struct rig *g = rig_of(state);
	size_t all = 8 + 4 * 8 + (1 + 2 + 2 + 8) * WITH_TAG;
	const uint8_t *d;
	static const uint8_t types[] = { 1, 4, 3, 2 };
	static const uint8_t counts[] = { 1, 2, 2, 8 };
	size_t at = 8;

	GOOD(g, 65536, STATUS(0x10, 0, 0xffff, 0, 65536));
	assert_int_equal(g->t.data_in, all);
	assert_int_equal(get_be16(g->data), TRANSPORT);
	assert_int_equal(get_be16(g->data + 2), 13);
	assert_int_equal(get_be32(g->data + 4), all - 8);
	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *p = g->data + at;

		assert_int_equal(p[0], types[i]);
		assert_int_equal(p[1], 0x80);
		assert_int_equal(get_be16(p + 2), WITH_TAG);
		assert_int_equal(get_be32(p + 4), counts[i] * WITH_TAG);
		at += 8 + counts[i] * WITH_TAG;
	}
	d = descriptor(g, 1, TRANSPORT);
	assert_int_equal(d[2], 0x00);
	d = descriptor(g, 2, SLOT(0));
	assert_int_equal(d[2], 0x09);	/* ACCESS, FULL */
	assert_int_equal(d[9], 0x01);	/* a data medium, no source */
	assert_memory_equal(d + 12, "A00001L6                        \0\0\0\0", 36);
	assert_int_equal(get_be32(d + 48), 0);
	d = descriptor(g, 2, SLOT(7));
	assert_int_equal(d[2], 0x08);
	assert_int_equal(d[9], 0x00);
	assert_memory_equal(d + 12, (uint8_t[36]){ 0 }, 36);
	d = descriptor(g, 3, PORT(1));
	assert_int_equal(d[2], 0x38);	/* INENAB, EXENAB, ACCESS */
	d = descriptor(g, 4, BAY(1));
	assert_int_equal(d[2], 0x08);
}

static void a_report_is_cut_anywhere_and_says_how_long_it_is(void **state)
{
	struct rig *g = rig_of(state);
	CLEANUP(freep) uint8_t *all = NULL;
	size_t n;

	GOOD(g, 65536, STATUS(0x10, 0, 0xffff, 1, 65536));
	n = g->t.data_in;
	all = malloc(n);
	assert_non_null(all);
	memcpy(all, g->data, n);
	for (size_t cut = 0; cut <= n + 8; cut++) {
		size_t want = cut < n ? cut : n;

		/* By the allocation length, then by what the transport brings. */
		memset(g->data, 0xee, n + 16);
		GOOD(g, 65536, STATUS(0x10, 0, 0xffff, 1, cut));
		assert_int_equal(g->t.data_in, want);
		assert_memory_equal(g->data, all, want);
		assert_int_equal(g->data[want], 0xee);
		memset(g->data, 0xee, n + 16);
		GOOD(g, cut, STATUS(0x10, 0, 0xffff, 1, 65536));
		assert_int_equal(g->t.data_in, want);
		assert_memory_equal(g->data, all, want);
		assert_int_equal(g->data[want], 0xee);
	}
}

static void a_type_a_start_and_a_number_choose(void **state)
{
	struct rig *g = rig_of(state);

	/* Slots from the sixth on, two of them. */
	GOOD(g, 4096, STATUS(0x12, SLOT(5), 2, 0, 4096));
	assert_int_equal(get_be16(g->data), SLOT(5));
	assert_int_equal(get_be16(g->data + 2), 2);
	assert_int_equal(g->t.data_in, 8 + 8 + 2 * WITH_TAG);
	/* More than there are. */
	GOOD(g, 4096, STATUS(0x12, SLOT(6), 10, 0, 4096));
	assert_int_equal(get_be16(g->data + 2), 2);
	/* A number goes over types, in the order of addresses. */
	GOOD(g, 4096, STATUS(0x10, BAY(1), 4, 0, 4096));
	assert_int_equal(get_be16(g->data), BAY(1));
	assert_int_equal(get_be16(g->data + 2), 4);
	descriptor(g, 4, BAY(1));
	descriptor(g, 3, PORT(0));
	descriptor(g, 3, PORT(1));
	descriptor(g, 2, SLOT(0));
	/* The number counts also behind what there is room for. */
	GOOD(g, 8, STATUS(0x10, BAY(1), 4, 0, 8));
	assert_int_equal(get_be16(g->data), BAY(1));
	assert_int_equal(get_be16(g->data + 2), 4);
	assert_int_equal(get_be32(g->data + 4), 3 * 8 + 4 * WITH_TAG);
	/* None: that is no error. */
	GOOD(g, 4096, STATUS(0x12, SLOT(8), 1, 0, 4096));
	assert_int_equal(g->t.data_in, 8);
	assert_int_equal(get_be64(g->data), 0);
	GOOD(g, 4096, STATUS(0x13, 0, 0, 0, 4096));
	assert_int_equal(get_be64(g->data), 0);
}

static void without_tags_descriptors_are_short(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 4096, STATUS(0x02, SLOT(0), 1, 0, 4096));
	assert_int_equal(g->t.data_in, 8 + 8 + 16);
	assert_int_equal(g->data[9], 0);
	assert_int_equal(get_be16(g->data + 10), 16);
	assert_int_equal(g->data[16 + 2], 0x09);
}

static void drives_say_which_unit_they_are(void **state)
{
	struct rig *g = rig_of(state);
	struct catalog_unit unit = { .number = 1 };
	const uint8_t *d;

	/* Nothing is set: it is of the default model, and its serial number is made. */
	GOOD(g, 4096, STATUS(0x14, 0, 9, 1, 4096));
	assert_int_equal(get_be16(g->data + 10), WITH_TAG + 34);
	d = descriptor(g, 4, BAY(1));
	assert_int_equal(get_be32(d + 48), 0x02010022);
	assert_memory_equal(d + 52, "VTAPE   VIRTUAL TAPE    0102030401", 34);

	snprintf(unit.model, sizeof(unit.model), "%s", scsi_model_default(SCSI_DRIVE));
	snprintf(unit.vendor, sizeof(unit.vendor), "IBM");
	snprintf(unit.product, sizeof(unit.product), "ULT3580-TD6");
	snprintf(unit.serial, sizeof(unit.serial), "106800004217");
	assert_int_equal(catalog_unit_put(g->store->cat, &unit), 0);
	GOOD(g, 4096, STATUS(0x14, 0, 9, 1, 4096));
	assert_int_equal(get_be16(g->data + 10), WITH_TAG + 36);
	d = descriptor(g, 4, BAY(1));
	assert_int_equal(get_be32(d + 48), 0x02010024);
	assert_memory_equal(d + 52, "IBM     ULT3580-TD6     106800004217", 36);
	/* All of a page are as long as the longest; a shorter identifier is followed by zeros. */
	d = descriptor(g, 4, BAY(0));
	assert_int_equal(get_be32(d + 48), 0x02010022);
	assert_memory_equal(d + 52, "VTAPE   VIRTUAL TAPE    0102030400\0\0", 36);
	/* Only if they are asked, and slots never. */
	GOOD(g, 4096, STATUS(0x14, 0, 9, 0, 4096));
	assert_int_equal(get_be16(g->data + 10), WITH_TAG);
	GOOD(g, 4096, STATUS(0x12, 0, 9, 1, 4096));
	assert_int_equal(get_be16(g->data + 10), WITH_TAG);
}

static void an_identifier_is_the_one_of_the_unit_s_own_page(void **state)
{
	struct rig *g = rig_of(state);
	struct scsi_unit *changer = g->u;
	struct catalog_unit unit = { .number = 0 };
	uint8_t page[64];
	size_t n;

	snprintf(unit.model, sizeof(unit.model), "%s", scsi_model_default(SCSI_DRIVE));
	assert_int_equal(catalog_unit_put(g->store->cat, &unit), 0);
	/* A unit of its own memory: this one is the changer's. */
	{
		struct scsi_unit_config cfg = { .lib = g->store->lib, .kind = SCSI_DRIVE, .identity = unit,
						.store_id = { 1, 2, 3, 4, 5, 6, 7, 8 } };

		assert_int_equal(scsi_unit_new(&cfg, &g->u), 0);
	}
	GOOD(g, 4096, 0x12, 1, 0x83, BE16(4096), 0);
	n = 4 + g->data[4 + 3];
	assert_true(n <= sizeof(page));
	memcpy(page, g->data + 4, n);
	scsi_unit_free(g->u, false);
	g->u = changer;
	GOOD(g, 4096, STATUS(0x14, 0, 1, 1, 4096));
	assert_memory_equal(descriptor(g, 4, BAY(0)) + 48, page, n);
}

static void a_tape_remembers_its_slot_and_a_drive_in_use_cannot_be_reached(void **state)
{
	struct rig *g = rig_of(state);
	struct drive *d;
	const uint8_t *p;

	GOOD(g, 0, MOVE(SLOT(1), BAY(0)));
	GOOD(g, 4096, STATUS(0x14, 0, 9, 0, 4096));
	p = descriptor(g, 4, BAY(0));
	assert_int_equal(p[2], 0x09);
	assert_int_equal(p[9], 0x81);
	assert_int_equal(get_be16(p + 10), SLOT(1));
	assert_memory_equal(p + 12, "A00002L6  ", 10);
	assert_int_equal(library_drive_open(g->store->lib, 0, false, &d), 0);
	GOOD(g, 4096, STATUS(0x14, 0, 9, 0, 4096));
	assert_int_equal(descriptor(g, 4, BAY(0))[2], 0x01);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	library_drive_lock(g->store->lib, 0, true);
	GOOD(g, 4096, STATUS(0x14, 0, 9, 0, 4096));
	assert_int_equal(descriptor(g, 4, BAY(0))[2], 0x01);
	library_drive_lock(g->store->lib, 0, false);
}

static void a_port_says_who_filled_it(void **state)
{
	struct rig *g = rig_of(state);
	struct library_place at;
	uint64_t id;

	GOOD(g, 0, MOVE(SLOT(0), PORT(0)));
	GOOD(g, 4096, STATUS(0x13, 0, 9, 0, 4096));
	assert_int_equal(descriptor(g, 3, PORT(0))[2], 0x39);
	assert_int_equal(descriptor(g, 3, PORT(1))[2], 0x38);
	/* The robot put it there; an operator takes it and puts it in again, elsewhere. */
	struct library_element e;
	assert_int_equal(library_element(g->store->lib, port(0), &e), 0);
	id = e.volume;
	assert_int_equal(library_export(g->store->lib, 0), 0);
	assert_int_equal(library_where(g->store->lib, id, &at), 0);
	assert_int_equal(at.kind, LIBRARY_OUTSIDE);
	assert_int_equal(library_import(g->store->lib, id, 1), 0);
	rig_settle(g);
	GOOD(g, 4096, STATUS(0x13, 0, 9, 0, 4096));
	assert_int_equal(descriptor(g, 3, PORT(0))[2], 0x38);
	assert_int_equal(descriptor(g, 3, PORT(1))[2], 0x3b);	/* IMPEXP */
}

static void a_name_is_cut_to_what_a_tag_holds(void **state)
{
	struct rig *g = rig_of(state);

	rig_volume(g, "a-name-of-more-than-thirty-two-characters");
	GOOD(g, 4096, STATUS(0x12, 0, 99, 0, 4096));
	assert_memory_equal(descriptor(g, 2, SLOT(3)) + 12, "a-name-of-more-than-thirty-two-c\0\0\0\0", 36);
}

static void what_makes_no_sense_is_refused(void **state)
{
	struct rig *g = rig_of(state);

	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 4096, STATUS(0x15, 0, 1, 0, 4096));
	assert_int_equal(g->t.sense[15], 0xc8 | 3);
	assert_int_equal(get_be16(g->t.sense + 16), 1);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 4096, STATUS(0x10, 0, 1, 4, 4096));
	assert_int_equal(get_be16(g->t.sense + 16), 6);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 4096, 0xb8, 0, 0, 0, 0, 1, 0, 0, 0, 0xff, 1, 0);
	/* READ ELEMENT STATUS ATTACHED, MOVE MEDIUM ATTACHED: this is no drive with a changer on it. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 4096, 0xb4, 0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0, 0xa7, 0, 0, 0, 4, 0, 4, 1, 0, 0, 0, 0);
}

static void a_logical_unit_number_in_byte_1_as_scsi_2_had_it_does_no_harm(void **state)
{
	struct rig *g = rig_of(state);

	/* As Linux' ch asks for one element. */
	GOOD(g, 255, 0xb8, 0x32, BE16(SLOT(2)), 0, 1, 0, 0, 0, 255, 0, 0);
	assert_int_equal(get_be16(g->data + 16), SLOT(2));
	assert_int_equal(g->data[18], 0x09);
}

static void tags_are_searched_with_wildcards(void **state)
{
	struct rig *g = rig_of(state);

	CHECKED(g, ILLEGAL_REQUEST, ASC_SEQUENCE_ERROR, 4096, REQUEST_TAG(0x10, 0, 99, 4096));
	put_pattern(g, "A*");
	GOOD(g, 40, SEND_TAG(0, 0, 0x05, 40));
	assert_string_equal(found(g, 0, 0, 99), "A00001L6 A00002L6");
	assert_int_equal(g->data[4], 0x05);
	assert_string_equal(found(g, 0, 0, 1), "A00001L6");
	assert_string_equal(found(g, 0, SLOT(1), 99), "A00002L6");
	assert_string_equal(found(g, 4, 0, 99), "");
	put_pattern(g, "?0000?L6");
	GOOD(g, 40, SEND_TAG(0, 0, 0x00, 40));
	assert_string_equal(found(g, 0, 0, 99), "A00001L6 A00002L6 B00003L6");
	put_pattern(g, "*3*");
	GOOD(g, 40, SEND_TAG(2, 0, 0x01, 40));
	assert_string_equal(found(g, 0, 0, 99), "B00003L6");
	assert_string_equal(found(g, 2, 0, 99), "B00003L6");
	assert_string_equal(found(g, 3, 0, 99), "");
	put_pattern(g, "A00002L6");
	GOOD(g, 40, SEND_TAG(0, 0, 0x04, 40));
	assert_string_equal(found(g, 0, 0, 99), "A00002L6");
	put_pattern(g, "A0000");
	GOOD(g, 40, SEND_TAG(0, 0, 0x04, 40));
	assert_string_equal(found(g, 0, 0, 99), "");
	/* From the second slot on. */
	put_pattern(g, "*");
	GOOD(g, 40, SEND_TAG(0, SLOT(1), 0x04, 40));
	assert_string_equal(found(g, 0, 0, 99), "A00002L6 B00003L6");
	/* Alternate tags: there are none. Nor sequence numbers. */
	put_pattern(g, "*");
	GOOD(g, 40, SEND_TAG(0, 0, 0x02, 40));
	assert_string_equal(found(g, 0, 0, 99), "");
	put_pattern(g, "*");
	put_be16(g->data + 34, 1);
	GOOD(g, 40, SEND_TAG(0, 0, 0x01, 40));
	assert_string_equal(found(g, 0, 0, 99), "");
	put_pattern(g, "*");
	put_be16(g->data + 34, 1);
	GOOD(g, 40, SEND_TAG(0, 0, 0x05, 40));
	assert_string_equal(found(g, 0, 0, 99), "A00001L6 A00002L6 B00003L6");
}

static void names_are_the_library_s_and_nobody_asserts_one(void **state)
{
	struct rig *g = rig_of(state);

	put_pattern(g, "X00001L6");
	for (uint8_t action = 3; action < 0x20; action++) {
		if (action >= 4 && action <= 6)
			continue;
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 40, SEND_TAG(2, SLOT(0), action, 40));
		assert_int_equal(get_be16(g->t.sense + 16), 5);
	}
	assert_string_equal(name_at(g, slot(0)), "A00001L6");
	/* A list that is too short, by what it says or by what came. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 40, SEND_TAG(0, 0, 0x00, 39));
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 39, SEND_TAG(0, 0, 0x00, 40));
	CHECKED(g, ILLEGAL_REQUEST, ASC_SEQUENCE_ERROR, 4096, REQUEST_TAG(0x10, 0, 99, 4096));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 40, SEND_TAG(5, 0, 0x00, 40));
}

/* As mtx asks a large library: ranges of 20.  Reading what lies before a range would make it a hundred times slower. */
static void sixty_thousand_slots_are_read_by_ranges(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t began, took;
	unsigned count = 0;

	assert_int_equal(library_places_set(g->store->lib, LIBRARY_SLOTS_MAX, 2), 0);
	rig_settle(g);
	began = clock_mono_ns();
	for (uint32_t i = 0; i < LIBRARY_SLOTS_MAX; i += 20) {
		GOOD(g, 4096, STATUS(0x12, SLOT(i), 20, 0, 4096));
		assert_int_equal(get_be16(g->data), SLOT(i));
		count += get_be16(g->data + 2);
	}
	assert_int_equal(count, LIBRARY_SLOTS_MAX);
	/* In one, whose length does not fit 24 bits' half; and only its header. */
	GOOD(g, 4 << 20, STATUS(0x12, 0, 0xffff, 0, 4 << 20));
	assert_int_equal(g->t.data_in, 16 + LIBRARY_SLOTS_MAX * WITH_TAG);
	assert_int_equal(get_be16(g->data + 16 + (LIBRARY_SLOTS_MAX - 1) * WITH_TAG), SLOT(LIBRARY_SLOTS_MAX - 1));
	GOOD(g, 8, STATUS(0x12, 0, 0xffff, 0, 8));
	assert_int_equal(get_be32(g->data + 4), 8 + LIBRARY_SLOTS_MAX * WITH_TAG);
	took = clock_mono_ns() - began;
	if (took > 5000000000ull)
		fail_msg("%llu ms", (unsigned long long)(took / 1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_CHANGER(all_elements_are_told_a_page_for_each_type),
		ON_A_CHANGER(a_report_is_cut_anywhere_and_says_how_long_it_is),
		ON_A_CHANGER(a_type_a_start_and_a_number_choose),
		ON_A_CHANGER(without_tags_descriptors_are_short),
		ON_A_CHANGER(drives_say_which_unit_they_are),
		ON_A_CHANGER(an_identifier_is_the_one_of_the_unit_s_own_page),
		ON_A_CHANGER(a_tape_remembers_its_slot_and_a_drive_in_use_cannot_be_reached),
		ON_A_CHANGER(a_port_says_who_filled_it),
		ON_A_CHANGER(a_name_is_cut_to_what_a_tag_holds),
		ON_A_CHANGER(what_makes_no_sense_is_refused),
		ON_A_CHANGER(a_logical_unit_number_in_byte_1_as_scsi_2_had_it_does_no_harm),
		ON_A_CHANGER(tags_are_searched_with_wildcards),
		ON_A_CHANGER(names_are_the_library_s_and_nobody_asserts_one),
		ON_A_CHANGER(sixty_thousand_slots_are_read_by_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
