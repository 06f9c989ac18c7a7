/* SPDX-License-Identifier: BSD-2-Clause */
/* spc: commands of every unit, sent to a changer where it makes no difference. */
#include "unit/scsi/rig.h"

static struct rig *plugged(void **state)
{
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_CHANGER, NULL);
	rig_settle(g);
	return g;
}

static void request_sense_is_cut_to_its_allocation(void **state)
{
	struct rig *g = plugged(state);

	memset(g->data, 0xee, 32);
	GOOD(g, 32, 0x03, 0, 0, 0, 8, 0);
	assert_int_equal(g->t.data_in, 8);
	assert_int_equal(g->data[8], 0xee);
	GOOD(g, 32, 0x03, 0, 0, 0, 0, 0);
	assert_int_equal(g->t.data_in, 0);
}

static void report_luns_has_the_one_that_is_asked(void **state)
{
	static const uint8_t one[16] = { 0, 0, 0, 8 };
	struct rig *g = plugged(state);

	for (unsigned report = 0; report < 3; report++) {
		memset(g->data, 0xee, 32);
		GOOD(g, 32, 0xa0, 0, (uint8_t)report, 0, 0, 0, 0, 0, 0, 32, 0, 0);
		assert_int_equal(g->t.data_in, report == 1 ? 8 : 16);
		assert_memory_equal(g->data, report == 1 ? (const uint8_t[16]){ 0 } : one, g->t.data_in);
	}
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 32, 0xa0, 0, 3, 0, 0, 0, 0, 0, 0, 32, 0, 0);
}

static void self_tests_pass(void **state)
{
	static const uint8_t good[] = { 0x04, 0x20, 0x40, 0xa0, 0xc0, 0x14, 0x07 }, bad[] = { 0x60, 0x80, 0xe0, 0x24 };
	struct rig *g = plugged(state);

	for (size_t i = 0; i < sizeof(good); i++)
		GOOD(g, 0, 0x1d, good[i], 0, 0, 0, 0);
	for (size_t i = 0; i < sizeof(bad); i++)
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0x1d, bad[i], 0, 0, 0, 0);
}

static void diagnostic_pages_are_the_list_of_them(void **state)
{
	struct rig *g = plugged(state);

	memset(g->data, 0, 8);
	GOOD(g, 4, 0x1d, 0x10, 0, 0, 4, 0);
	GOOD(g, 64, 0x1c, 0x01, 0x00, 0, 64, 0);
	assert_int_equal(g->t.data_in, 5);
	assert_memory_equal(g->data, "\0\0\0\1\0", 5);
	GOOD(g, 64, 0x1c, 0, 0, 0, 3, 0);
	assert_int_equal(g->t.data_in, 3);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0x1c, 0x01, 0x80, 0, 64, 0);
	/* Another page (of LTFS, for a dump); a list of another length; one that did not come whole; one for a self test. */
	g->data[0] = 0x80;
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 8, 0x1d, 0x10, 0, 0, 8, 0);
	memset(g->data, 0, 8);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 8, 0x1d, 0x10, 0, 0, 8, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 3, 0x1d, 0x10, 0, 0, 4, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 4, 0x1d, 0x14, 0, 0, 4, 0);
}

static void fill(struct rig *g, size_t n)
{
	for (size_t i = 0; i < n; i++)
		g->data[i] = (uint8_t)(i * 7 + 1);
}

static void what_is_written_to_the_buffer_is_read_from_it(void **state)
{
	struct rig *g = plugged(state);
	uint8_t want[256];

	fill(g, 256);
	memcpy(want, g->data, 256);
	GOOD(g, 256, 0x3b, 0x02, 0, 0, 0, 0, 0, 0x01, 0x00, 0);
	memset(g->data, 0, 256);
	GOOD(g, 256, 0x3c, 0x02, 0, 0, 0, 0, 0, 0x01, 0x00, 0);
	assert_int_equal(g->t.data_in, 256);
	assert_memory_equal(g->data, want, 256);
	/* From an offset on; a part of it anew. */
	GOOD(g, 256, 0x3c, 0x02, 0, 0, 0, 250, 0, 0x01, 0x00, 0);
	assert_int_equal(g->t.data_in, 6);
	assert_memory_equal(g->data, want + 250, 6);
	memcpy(g->data, "XY", 2);
	GOOD(g, 2, 0x3b, 0x02, 0, 0, 0, 100, 0, 0, 2, 0);
	GOOD(g, 8, 0x3c, 0x02, 0, 0, 0, 99, 0, 0, 4, 0);
	assert_int_equal(g->data[0], want[99]);
	assert_memory_equal(g->data + 1, "XY", 2);
	assert_int_equal(g->data[3], want[102]);
}

static void an_echo_is_as_long_as_what_was_said(void **state)
{
	struct rig *g = plugged(state);

	CHECKED(g, ILLEGAL_REQUEST, ASC_SEQUENCE_ERROR, 16, 0x3c, 0x0a, 0, 0, 0, 0, 0, 0, 16, 0);
	memcpy(g->data, "hello", 5);
	GOOD(g, 5, 0x3b, 0x0a, 0, 0, 0, 0, 0, 0, 5, 0);
	memset(g->data, 0, 16);
	GOOD(g, 16, 0x3c, 0x0a, 0, 0, 0, 0, 0, 0, 16, 0);
	assert_int_equal(g->t.data_in, 5);
	assert_memory_equal(g->data, "hello", 5);
	GOOD(g, 16, 0x3c, 0x0b, 0, 0, 0, 0, 0, 0, 16, 0);
	assert_int_equal(g->t.data_in, 4);
	assert_int_equal(get_be16(g->data + 2), 256);
	/* A reset forgets it. */
	scsi_reset(g->u, SCSI_LUN_RESET);
	rig_settle(g);
	CHECKED(g, ILLEGAL_REQUEST, ASC_SEQUENCE_ERROR, 16, 0x3c, 0x0a, 0, 0, 0, 0, 0, 0, 16, 0);
}

static void header_and_data_go_together(void **state)
{
	struct rig *g = plugged(state);

	memcpy(g->data, "\0\0\0\0data", 8);
	GOOD(g, 8, 0x3b, 0x00, 0, 0, 0, 0, 0, 0, 8, 0);
	GOOD(g, 300, 0x3c, 0x00, 0, 0, 0, 0, 0, 0x01, 0x2c, 0);
	assert_int_equal(g->t.data_in, 260);
	assert_memory_equal(g->data, "\0\0\1\0data", 8);
	GOOD(g, 300, 0x3c, 0x03, 0, 0, 0, 0, 0, 0, 4, 0);
	assert_memory_equal(g->data, "\0\0\1\0", 4);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 3, 0x3b, 0x00, 0, 0, 0, 0, 0, 0, 3, 0);
	GOOD(g, 260, 0x3b, 0x00, 0, 0, 0, 0, 0, 0x01, 0x04, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 261, 0x3b, 0x00, 0, 0, 0, 0, 0, 0x01, 0x05, 0);
}

static void beyond_the_buffer_nothing_is_touched(void **state)
{
	struct rig *g = plugged(state);

	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 4, 0x3b, 0x02, 0, 0, 0x01, 0x01, 0, 0, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 4, 0x3b, 0x02, 0, 0, 0, 255, 0, 0, 2, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 512, 0x3b, 0x0a, 0, 0, 0, 0, 0, 0x01, 0x01, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 4, 0x3b, 0x0a, 0, 0, 0, 1, 0, 0, 1, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 4, 0x3c, 0x02, 0, 0, 0x01, 0x01, 0, 0, 1, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 4, 0x3c, 0x02, 1, 0, 0, 0, 0, 0, 1, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 4, 0x3b, 0x02, 1, 0, 0, 0, 0, 0, 1, 0);
	/* More than the transport brought. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 9, 0x3b, 0x02, 0, 0, 0, 0, 0, 0, 10, 0);
	GOOD(g, 4, 0x3b, 0x02, 0, 0, 0x01, 0x00, 0, 0, 0, 0);
	GOOD(g, 4, 0x3c, 0x02, 0, 0, 0x01, 0x00, 0, 0, 4, 0);
	assert_int_equal(g->t.data_in, 0);
}

static void firmware_is_not_taken(void **state)
{
	static const uint8_t modes[] = { 0x04, 0x05, 0x06, 0x07, 0x0d, 0x0e, 0x0f, 0x01, 0x03 };
	struct rig *g = plugged(state);

	for (size_t i = 0; i < sizeof(modes); i++)
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 16, 0x3b, modes[i], 0, 0, 0, 0, 0, 0, 16, 0);
	/* What LTFS asks for when it wants a dump of the drive. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 16, 0x3c, 0x01, 0, 0, 0, 0, 0, 0, 16, 0);
}

static uint64_t timestamp(struct rig *g, unsigned origin)
{
	GOOD(g, 64, 0xa3, 0x0f, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0);
	assert_int_equal(g->t.data_in, 12);
	assert_int_equal(get_be16(g->data), 10);
	assert_int_equal(g->data[2], origin);
	return (uint64_t)get_be16(g->data + 4) << 32 | get_be32(g->data + 6);
}

static void a_timestamp_is_the_clock_s_until_it_is_set(void **state)
{
	struct rig *g = plugged(state);
	const uint64_t now = 1700000000123, set = 0x123456789abc;

	clock_set(now * 1000000);
	assert_int_equal(timestamp(g, 3), now);
	memset(g->data, 0, 12);
	put_be16(g->data + 4, (uint16_t)(set >> 32));
	put_be32(g->data + 6, (uint32_t)set);
	GOOD(g, 12, 0xa4, 0x0f, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0);
	assert_int_equal(timestamp(g, 2), set);
	clock_set((now + 5000) * 1000000);
	assert_int_equal(timestamp(g, 2), set + 5000);
	/* A reset of the logical unit leaves it, one of the bus does not. */
	scsi_reset(g->u, SCSI_LUN_RESET);
	rig_settle(g);
	assert_int_equal(timestamp(g, 2), set + 5000);
	scsi_reset(g->u, SCSI_BUS_RESET);
	rig_settle(g);
	assert_int_equal(timestamp(g, 3), now + 5000);
	clock_set(0);
}

static void a_timestamp_that_makes_no_sense_is_refused(void **state)
{
	struct rig *g = plugged(state);

	memset(g->data, 0, 16);
	GOOD(g, 0, 0xa4, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	timestamp(g, 3);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 11, 0xa4, 0x0f, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 11, 0xa4, 0x0f, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0);
	timestamp(g, 3);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_new, rig_free)
int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(request_sense_is_cut_to_its_allocation),
		RIG_TEST(report_luns_has_the_one_that_is_asked),
		RIG_TEST(self_tests_pass),
		RIG_TEST(diagnostic_pages_are_the_list_of_them),
		RIG_TEST(what_is_written_to_the_buffer_is_read_from_it),
		RIG_TEST(an_echo_is_as_long_as_what_was_said),
		RIG_TEST(header_and_data_go_together),
		RIG_TEST(beyond_the_buffer_nothing_is_touched),
		RIG_TEST(firmware_is_not_taken),
		RIG_TEST(a_timestamp_is_the_clock_s_until_it_is_set),
		RIG_TEST(a_timestamp_that_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
