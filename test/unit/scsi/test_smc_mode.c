/* SPDX-License-Identifier: BSD-2-Clause */
/* A changer's mode pages and log pages, to the byte. */
#include "unit/scsi/changer.h"

static const uint8_t addresses[] = { 0x1d, 18, 0x00, 0x01, 0, 1, 0x04, 0x00, 0, 8,
				     0x03, 0x00, 0, 2, 0x01, 0x00, 0, 2, 0, 0 };
static const uint8_t geometry[] = { 0x1e, 2, 0, 0 };
static const uint8_t capabilities[] = { 0x1f, 18, 0x0e, 0, 0, 0x0e, 0x0e, 0x0e, 0, 0, 0, 0,
					0, 0x0e, 0x0e, 0x0e, 0, 0, 0, 0 };
static const uint8_t vendors[] = { 0x20, 2, 1, 0 };

static void where_elements_are_is_page_1d(void **state)
{
	struct rig *g = rig_of(state);

	/* As mtx asks. */
	GOOD(g, 136, 0x1a, 0x08, 0x1d, 0, 136, 0);
	assert_int_equal(g->t.data_in, 4 + sizeof(addresses));
	assert_memory_equal(g->data, ((uint8_t[]){ 23, 0, 0, 0 }), 4);
	assert_memory_equal(g->data + 4, addresses, sizeof(addresses));
	/* As Linux' ch does, with its LUN. */
	GOOD(g, 255, 0x1a, 0x20, 0x1d, 0, 255, 0);
	assert_memory_equal(g->data + 4, addresses, sizeof(addresses));
	/* More of them is an attention, once. */
	assert_int_equal(library_places_set(g->store->lib, 70, 3), 0);
	CHECKED(g, UNIT_ATTENTION, ASC_MODE_CHANGED, 136, 0x1a, 0x08, 0x1d, 0, 136, 0);
	GOOD(g, 136, 0x1a, 0x08, 0x1d, 0, 136, 0);
	assert_int_equal(get_be16(g->data + 4 + 8), 70);
	assert_int_equal(get_be16(g->data + 4 + 12), 3);
}

static void each_page_and_all_of_them_in_both_headers(void **state)
{
	struct rig *g = rig_of(state);
	const size_t all = sizeof(addresses) + sizeof(geometry) + sizeof(capabilities) + sizeof(vendors);

	GOOD(g, 255, 0x1a, 0x08, 0x1e, 0, 255, 0);
	assert_memory_equal(g->data + 4, geometry, sizeof(geometry));
	GOOD(g, 255, 0x1a, 0x08, 0x1f, 0, 255, 0);
	assert_memory_equal(g->data + 4, capabilities, sizeof(capabilities));
	GOOD(g, 255, 0x1a, 0x08, 0x3f, 0, 255, 0);
	assert_int_equal(g->t.data_in, 4 + all);
	assert_int_equal(g->data[0], 3 + all);
	GOOD(g, 255, 0x5a, 0x08, 0x3f, 0xff, 0, 0, 0, 0, 255, 0);
	assert_int_equal(g->t.data_in, 8 + all);
	assert_int_equal(get_be16(g->data), 6 + all);
	assert_int_equal(get_be16(g->data + 6), 0);
	assert_memory_equal(g->data + 8, addresses, sizeof(addresses));
	assert_memory_equal(g->data + 8 + sizeof(addresses), geometry, sizeof(geometry));
	assert_memory_equal(g->data + 8 + all - sizeof(vendors), vendors, sizeof(vendors));
	/* Cut. */
	memset(g->data, 0xee, 32);
	GOOD(g, 255, 0x5a, 0x08, 0x3f, 0, 0, 0, 0, 0, 13, 0);
	assert_int_equal(g->t.data_in, 13);
	assert_int_equal(get_be16(g->data), 6 + all);
	assert_int_equal(g->data[13], 0xee);
}

static void what_can_be_changed_is_told(void **state)
{
	struct rig *g = rig_of(state);
	uint8_t nothing[20] = { 0x1d, 18 };

	GOOD(g, 255, 0x1a, 0x08, 0x40 | 0x1d, 0, 255, 0);
	assert_memory_equal(g->data + 4, nothing, 20);
	nothing[0] = 0x1f;
	GOOD(g, 255, 0x1a, 0x08, 0x40 | 0x1f, 0, 255, 0);
	assert_memory_equal(g->data + 4, nothing, 20);
	GOOD(g, 255, 0x1a, 0x08, 0x40 | 0x20, 0, 255, 0);
	assert_memory_equal(g->data + 4, vendors, 4);
	GOOD(g, 255, 0x1a, 0x08, 0x80 | 0x1d, 0, 255, 0);
	assert_memory_equal(g->data + 4, addresses, sizeof(addresses));
	CHECKED(g, ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED, 255, 0x1a, 0x08, 0xc0 | 0x1d, 0, 255, 0);
}

static void pages_that_are_not_there_are_refused(void **state)
{
	struct rig *g = rig_of(state);

	for (unsigned code = 0; code < 0x3f; code++) {
		if (code >= 0x1d && code <= 0x20)
			continue;
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 255, 0x1a, 0x08, code, 0, 255, 0);
		assert_int_equal(get_be16(g->t.sense + 16), 2);
	}
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 255, 0x1a, 0x08, 0x1d, 1, 255, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 3);
}

static uint8_t auto_unload(struct rig *g)
{
	GOOD(g, 255, 0x1a, 0x08, 0x20, 0, 255, 0);
	return g->data[6];
}

static void what_was_sensed_can_be_selected_again(void **state)
{
	struct rig *g = rig_of(state);
	size_t n;

	GOOD(g, 255, 0x5a, 0x08, 0x3f, 0, 0, 0, 0, 0, 255, 0);
	n = g->t.data_in;
	put_be16(g->data, 0);
	GOOD(g, n, 0x55, 0x10, 0, 0, 0, 0, 0, 0, n, 0);
	GOOD(g, 0, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 255, 0x1a, 0x08, 0x3f, 0, 255, 0);
	n = g->t.data_in;
	g->data[0] = 0;
	GOOD(g, n, 0x15, 0x10, 0, 0, n, 0);
}

static void only_the_vendor_s_page_can_be_changed(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(auto_unload(g), 1);
	memcpy(g->data, ((uint8_t[]){ 0, 0, 0, 0, 0x20, 2, 0, 0 }), 8);
	GOOD(g, 8, 0x15, 0x10, 0, 0, 8, 0);
	assert_int_equal(auto_unload(g), 0);
	/* It is what it was before once more after a reset. */
	scsi_reset(g->u, SCSI_LUN_RESET);
	rig_settle(g);
	assert_int_equal(auto_unload(g), 1);
	/* A list in which anything is wrong changes nothing. */
	memcpy(g->data, ((uint8_t[]){ 0, 0, 0, 0, 0x20, 2, 0, 0, 0x1e, 2, 1, 0 }), 12);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 12, 0x15, 0x10, 0, 0, 12, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 10);
	assert_int_equal(auto_unload(g), 1);
	memcpy(g->data, ((uint8_t[]){ 0, 0, 0, 0, 0x20, 2, 2, 0 }), 8);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 8, 0x15, 0x10, 0, 0, 8, 0);
}

static void lists_that_make_no_sense_are_refused(void **state)
{
	struct rig *g = rig_of(state);

	/* A page that is not there; one of another length; a block descriptor. */
	memcpy(g->data, ((uint8_t[]){ 0, 0, 0, 0, 0x0a, 2, 0, 0 }), 8);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 8, 0x15, 0x10, 0, 0, 8, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 4);
	memcpy(g->data, ((uint8_t[]){ 0, 0, 0, 0, 0x20, 1, 0, 0 }), 8);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 7, 0x15, 0x10, 0, 0, 7, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 5);
	memcpy(g->data, ((uint8_t[]){ 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0 }), 12);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 12, 0x15, 0x10, 0, 0, 12, 0);
	/* Cut: in the header, in a page's header, in a page; or less came than was announced. */
	memcpy(g->data, ((uint8_t[]){ 0, 0, 0, 0, 0x20, 2, 0, 0 }), 8);
	for (unsigned n = 1; n < 8; n++)
		if (n != 4)
			CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, n, 0x15, 0x10, 0, 0, n, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 7, 0x15, 0x10, 0, 0, 8, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 7, 0x55, 0x10, 0, 0, 0, 0, 0, 0, 7, 0);
	/* Saved pages there are none. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 8, 0x15, 0x11, 0, 0, 8, 0);
	assert_int_equal(auto_unload(g), 1);
}

static void log_pages_are_a_list_and_tape_alert(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 255, 0x4d, 0, 0x40, 0, 0, 0, 0, 0, 255, 0);
	assert_int_equal(g->t.data_in, 6);
	assert_memory_equal(g->data, ((uint8_t[]){ 0, 0, 0, 2, 0x00, 0x2e }), 6);
	GOOD(g, 255, 0x4d, 0, 0x40, 0xff, 0, 0, 0, 0, 255, 0);
	assert_memory_equal(g->data, ((uint8_t[]){ 0x40, 0xff, 0, 6, 0, 0, 0, 0xff, 0x2e, 0 }), 10);
	GOOD(g, 4096, 0x4d, 0, 0x40 | 0x2e, 0, 0, 0, 0, BE16(4096), 0);
	assert_int_equal(g->t.data_in, 4 + 64 * 5);
	assert_int_equal(get_be32(g->data), 0x2e000000 | 64 * 5);
	for (unsigned i = 0; i < 64; i++) {
		const uint8_t want[5] = { 0, (uint8_t)(i + 1), 0x03, 1, 0 };

		assert_memory_equal(g->data + 4 + 5 * i, want, 5);
	}
	GOOD(g, 4096, 0x4d, 0, 0x40 | 0x2e, 0, 0, 0, 63, BE16(4096), 0);
	assert_int_equal(g->t.data_in, 4 + 2 * 5);
	assert_int_equal(get_be16(g->data + 4), 63);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 255, 0x4d, 0, 0x40 | 0x2e, 0, 0, 0, 65, 0, 255, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 255, 0x4d, 0, 0x40 | 0x0c, 0, 0, 0, 0, 0, 255, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 2);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 255, 0x4d, 0, 0x40 | 0x2e, 1, 0, 0, 0, 0, 255, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_CHANGER(where_elements_are_is_page_1d),
		ON_A_CHANGER(each_page_and_all_of_them_in_both_headers),
		ON_A_CHANGER(what_can_be_changed_is_told),
		ON_A_CHANGER(pages_that_are_not_there_are_refused),
		ON_A_CHANGER(what_was_sensed_can_be_selected_again),
		ON_A_CHANGER(only_the_vendor_s_page_can_be_changed),
		ON_A_CHANGER(lists_that_make_no_sense_are_refused),
		ON_A_CHANGER(log_pages_are_a_list_and_tape_alert),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
