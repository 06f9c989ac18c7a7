/* SPDX-License-Identifier: BSD-2-Clause */
/* reserve: reservations of one initiator that is alone, in the order in which LTFS makes them too. */
#include "unit/scsi/rig.h"

enum { REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT, REGISTER_AND_IGNORE };
#define KEY 0x1000000a0b0c0d0eull
#define OTHER 0x2222222222222222ull

static struct rig *plugged(void **state)
{
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_DRIVE, "ibm-lto7");
	rig_settle(g);
	return g;
}

static enum scsi_status out(struct rig *g, unsigned action, uint8_t type, uint64_t key, uint64_t service)
{
	memset(g->data, 0, 24);
	put_be64(g->data, key);
	put_be64(g->data + 8, service);
	return CMD(g, 24, 0x5f, (uint8_t)action, type, 0, 0, 0, 0, 0, 24, 0);
}

static uint32_t in(struct rig *g, uint8_t action)
{
	memset(g->data, 0xee, 256);
	GOOD(g, 256, 0x5e, action, 0, 0, 0, 0, 0, 0x01, 0x00, 0);
	return get_be32(g->data + 4);
}

static void ltfs_reserves_its_drive_and_finds_its_key(void **state)
{
	struct rig *g = plugged(state);

	/* Nobody: what it finds when it comes. */
	assert_int_equal(in(g, 3), 0);
	assert_int_equal(out(g, REGISTER_AND_IGNORE, 0, 0, KEY), SCSI_GOOD);
	assert_int_equal(out(g, RESERVE, 3, KEY, 0), SCSI_GOOD);
	/* Full status: one, it holds the reservation; the initiator's name is at 32 of the descriptor. */
	assert_int_equal(in(g, 3), 48);
	assert_int_equal(g->t.data_in, 56);
	assert_int_equal(get_be32(g->data), 1);
	assert_int_equal(get_be64(g->data + 8), KEY);
	assert_int_equal(g->data[20], 0x03);
	assert_int_equal(g->data[21], 3);
	assert_int_equal(get_be32(g->data + 28), 24);
	assert_int_equal(g->data[32], 0x06);
	/* Comes again with the key that it has, and takes what it holds. */
	assert_int_equal(out(g, REGISTER_AND_IGNORE, 0, 0, KEY), SCSI_GOOD);
	assert_int_equal(out(g, PREEMPT_AND_ABORT, 3, KEY, KEY), SCSI_GOOD);
	assert_int_equal(out(g, RESERVE, 3, KEY, 0), SCSI_GOOD);
	assert_int_equal(out(g, RELEASE, 3, KEY, 0), SCSI_GOOD);
	assert_int_equal(out(g, REGISTER_AND_IGNORE, 0, 0, 0), SCSI_GOOD);
	assert_int_equal(in(g, 3), 0);
}

static void keys_and_reservation_are_read(void **state)
{
	struct rig *g = plugged(state);

	assert_int_equal(in(g, 0), 0);
	assert_int_equal(g->t.data_in, 8);
	assert_int_equal(out(g, REGISTER, 0, 0, KEY), SCSI_GOOD);
	assert_int_equal(in(g, 0), 8);
	assert_int_equal(get_be64(g->data + 8), KEY);
	assert_int_equal(in(g, 1), 0);
	assert_int_equal(out(g, RESERVE, 1, KEY, 0), SCSI_GOOD);
	assert_int_equal(in(g, 1), 16);
	assert_int_equal(g->t.data_in, 24);
	assert_int_equal(get_be64(g->data + 8), KEY);
	assert_int_equal(g->data[21], 1);
	/* A reservation of all registrants is nobody's. */
	assert_int_equal(out(g, RELEASE, 1, KEY, 0), SCSI_GOOD);
	assert_int_equal(out(g, RESERVE, 8, KEY, 0), SCSI_GOOD);
	assert_int_equal(in(g, 1), 16);
	assert_int_equal(get_be64(g->data + 8), 0);
	assert_int_equal(g->data[21], 8);
}

static void capabilities_name_the_types(void **state)
{
	struct rig *g = plugged(state);

	in(g, 2);
	assert_int_equal(g->t.data_in, 8);
	assert_memory_equal(g->data, "\x00\x08\x04\x80\xea\x01\x00\x00", 8);
	for (unsigned type = 0; type < 256; type++) {
		bool there = type == 1 || type == 3 || (type >= 5 && type <= 8);

		assert_int_equal(out(g, REGISTER_AND_IGNORE, 0, 0, KEY), SCSI_GOOD);
		assert_int_equal(out(g, RESERVE, (uint8_t)type, KEY, 0), there ? SCSI_GOOD : SCSI_CHECK_CONDITION);
		assert_int_equal(out(g, CLEAR, 0, KEY, 0), SCSI_GOOD);
	}
}

static void a_key_that_is_not_registered_conflicts(void **state)
{
	struct rig *g = plugged(state);

	for (unsigned action = RESERVE; action <= PREEMPT_AND_ABORT; action++)
		assert_int_equal(out(g, action, 3, KEY, KEY), SCSI_RESERVATION_CONFLICT);
	assert_int_equal(g->t.sense_len, 0);
	assert_int_equal(out(g, REGISTER, 0, OTHER, KEY), SCSI_RESERVATION_CONFLICT);
	assert_int_equal(out(g, REGISTER, 0, 0, KEY), SCSI_GOOD);
	for (unsigned action = RESERVE; action <= PREEMPT_AND_ABORT; action++)
		assert_int_equal(out(g, action, 3, OTHER, KEY), SCSI_RESERVATION_CONFLICT);
	assert_int_equal(out(g, REGISTER, 0, OTHER, 0), SCSI_RESERVATION_CONFLICT);
	assert_int_equal(out(g, PREEMPT, 3, KEY, OTHER), SCSI_RESERVATION_CONFLICT);
	/* Another type than the one that is held. */
	assert_int_equal(out(g, RESERVE, 3, KEY, 0), SCSI_GOOD);
	assert_int_equal(out(g, RESERVE, 1, KEY, 0), SCSI_RESERVATION_CONFLICT);
	assert_int_equal(out(g, RELEASE, 1, KEY, 0), SCSI_CHECK_CONDITION);
	assert_int_equal(get_be16(g->t.sense + 12), 0x2604);
}

static void registrations_count_generations(void **state)
{
	struct rig *g = plugged(state);

	assert_int_equal(out(g, REGISTER, 0, 0, 0), SCSI_GOOD);
	in(g, 0);
	assert_int_equal(get_be32(g->data), 0);
	assert_int_equal(out(g, REGISTER, 0, 0, KEY), SCSI_GOOD);
	assert_int_equal(out(g, REGISTER, 0, KEY, OTHER), SCSI_GOOD);
	assert_int_equal(out(g, RESERVE, 3, OTHER, 0), SCSI_GOOD);
	in(g, 0);
	assert_int_equal(get_be32(g->data), 2);
	assert_int_equal(get_be64(g->data + 8), OTHER);
	assert_int_equal(out(g, PREEMPT, 5, OTHER, OTHER), SCSI_GOOD);
	in(g, 1);
	assert_int_equal(get_be32(g->data), 3);
	assert_int_equal(g->data[21], 5);
	/* Unregistered, it holds nothing. */
	assert_int_equal(out(g, REGISTER, 0, OTHER, 0), SCSI_GOOD);
	assert_int_equal(in(g, 1), 0);
	assert_int_equal(get_be32(g->data), 4);
}

static void preempting_nobody_is_refused(void **state)
{
	struct rig *g = plugged(state);

	assert_int_equal(out(g, REGISTER, 0, 0, KEY), SCSI_GOOD);
	assert_int_equal(out(g, PREEMPT, 3, KEY, 0), SCSI_CHECK_CONDITION);
	assert_int_equal(get_be16(g->t.sense + 12), ASC_INVALID_PARAMETER);
	assert_int_equal(out(g, RESERVE, 7, KEY, 0), SCSI_GOOD);
	assert_int_equal(out(g, PREEMPT, 3, KEY, 0), SCSI_GOOD);
	in(g, 1);
	assert_int_equal(g->data[21], 3);
	/* Without a reservation it is the registration that goes. */
	assert_int_equal(out(g, RELEASE, 3, KEY, 0), SCSI_GOOD);
	assert_int_equal(out(g, PREEMPT, 3, KEY, KEY), SCSI_GOOD);
	assert_int_equal(in(g, 0), 0);
}

static void lists_are_24_bytes_of_what_is_supported(void **state)
{
	struct rig *g = plugged(state);

	memset(g->data, 0, 64);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 64, 0x5f, REGISTER, 0, 0, 0, 0, 0, 0, 23, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 64, 0x5f, REGISTER, 0, 0, 0, 0, 0, 0, 25, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 20, 0x5f, REGISTER, 0, 0, 0, 0, 0, 0, 24, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH, 64, 0x5f, REGISTER, 0, 0, 0, 0x01, 0, 0, 24, 0);
	g->data[20] = 0x08;
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 64, 0x5f, REGISTER, 0, 0, 0, 0, 0, 0, 24, 0);
	g->data[20] = 0x01;
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_PARAMETER, 64, 0x5f, REGISTER, 0, 0, 0, 0, 0, 0, 24, 0);
	/* REGISTER AND MOVE: there is nowhere. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0x5f, 7, 0, 0, 0, 0, 0, 0, 24, 0);
}

static void the_old_reservations_are_not_beside_the_persistent_ones(void **state)
{
	struct rig *g = plugged(state);

	GOOD(g, 0, 0x16, 0, 0, 0, 0, 0);
	assert_int_equal(out(g, REGISTER, 0, 0, KEY), SCSI_RESERVATION_CONFLICT);
	GOOD(g, 0, 0x17, 0, 0, 0, 0, 0);
	assert_int_equal(out(g, REGISTER, 0, 0, KEY), SCSI_GOOD);
	assert_int_equal(CMD(g, 0, 0x16, 0, 0, 0, 0, 0), SCSI_RESERVATION_CONFLICT);
	assert_int_equal(CMD(g, 0, 0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0), SCSI_RESERVATION_CONFLICT);
	GOOD(g, 0, 0x57, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void a_persistent_reservation_outlives_resets_but_no_power_cycle(void **state)
{
	struct rig *g = plugged(state);

	GOOD(g, 0, 0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	scsi_reset(g->u, SCSI_LUN_RESET);
	rig_settle(g);
	assert_int_equal(out(g, REGISTER, 0, 0, KEY), SCSI_GOOD);
	assert_int_equal(out(g, RESERVE, 3, KEY, 0), SCSI_GOOD);
	scsi_reset(g->u, SCSI_BUS_RESET);
	rig_settle(g);
	assert_int_equal(in(g, 1), 16);
	scsi_reset(g->u, SCSI_POWER_ON);
	rig_settle(g);
	assert_int_equal(in(g, 0), 0);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_new, rig_free)
int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(ltfs_reserves_its_drive_and_finds_its_key),
		RIG_TEST(keys_and_reservation_are_read),
		RIG_TEST(capabilities_name_the_types),
		RIG_TEST(a_key_that_is_not_registered_conflicts),
		RIG_TEST(registrations_count_generations),
		RIG_TEST(preempting_nobody_is_refused),
		RIG_TEST(lists_are_24_bytes_of_what_is_supported),
		RIG_TEST(the_old_reservations_are_not_beside_the_persistent_ones),
		RIG_TEST(a_persistent_reservation_outlives_resets_but_no_power_cycle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
