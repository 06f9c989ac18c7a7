/* SPDX-License-Identifier: BSD-2-Clause */
/* rsoc: what is listed is dispatched, what is dispatched is listed; every form in which it can be asked. */
#include "unit/scsi/rig.h"

#define RSOC(g, n, options, code, action) \
	CMD(g, n, 0xa3, 0x0c, options, code, (action) >> 8, (action) & 0xff, (uint8_t)((n) >> 24), \
	    (uint8_t)((n) >> 16), (uint8_t)((n) >> 8), (uint8_t)(n), 0, 0)

static void plug(struct rig *g, enum scsi_kind kind)
{
	g->u = scsi_unit_free(g->u, false);
	rig_plug(g, kind, NULL);
	rig_settle(g);
}

/* LTFS divides the length by 20, takes what is at 0 for the code and at 16 for the timeout, has 4096 bytes for it all,
 * and does without a command that is not there. */
static void ltfs_finds_a_timeout_for_each_of_its_commands(void **state)
{
	static const uint8_t wants[] = {
		0x00, 0x01, 0x03, 0x04, 0x05, 0x08, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x15, 0x19, 0x1a, 0x1b, 0x1c,
		0x1d, 0x1e, 0x2b, 0x34, 0x3b, 0x3c, 0x44, 0x4c, 0x4d, 0x55, 0x5a, 0x5e, 0x5f, 0x82, 0x8c, 0x8d,
		0x91, 0x92, 0xa0, 0xa2, 0xa3, 0xa4, 0xb5
	};
	struct rig *g = rig_of(state);
	uint32_t len;

	plug(g, SCSI_DRIVE);
	assert_int_equal(RSOC(g, 4096, 0x80, 0, 0), SCSI_GOOD);
	len = get_be32(g->data);
	assert_true(len < 4096);
	assert_int_equal(g->t.data_in, 4 + len);
	assert_int_equal(len % 20, 0);
	for (size_t i = 0; i < sizeof(wants); i++) {
		uint32_t at = 4;

		while (at < 4 + len && g->data[at] != wants[i])
			at += 20;
		if (at >= 4 + len)
			fail_msg("%02x is not listed", wants[i]);
		assert_true(get_be32(g->data + at + 16) > 0);
	}
}

static void descriptors_are_8_bytes_or_20_with_timeouts(void **state)
{
	struct rig *g = rig_of(state);
	unsigned n;

	plug(g, SCSI_CHANGER);
	n = g->u->ops.first[256];
	assert_int_equal(RSOC(g, 65536, 0x00, 0, 0), SCSI_GOOD);
	assert_int_equal(get_be32(g->data), 8 * n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(g->data[4 + 8 * i + 5] & 0x02, 0);
	assert_int_equal(RSOC(g, 65536, 0x80, 0, 0), SCSI_GOOD);
	assert_int_equal(get_be32(g->data), 20 * n);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *d = g->data + 4 + 20 * i;

		assert_int_equal(d[5] & 0x02, 0x02);
		assert_int_equal(get_be16(d + 8), 10);
		assert_true(get_be32(d + 12) > 0 && get_be32(d + 12) <= get_be32(d + 16));
	}
	/* Cut, but the length is that of all. */
	assert_int_equal(RSOC(g, 10, 0x80, 0, 0), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 10);
	assert_int_equal(get_be32(g->data), 20 * n);
}

/* Every code with every service action: it is refused as unknown, or it is in the list; once. */
static void every_listed_op_is_dispatched_and_every_dispatched_op_is_listed(void **state)
{
	struct rig *g = rig_of(state);

	for (int k = 0; k < 2; k++) {
		static uint8_t listed[256][32];
		static bool actions[256];
		uint32_t len;

		plug(g, k ? SCSI_CHANGER : SCSI_DRIVE);
		memset(listed, 0, sizeof(listed));
		memset(actions, 0, sizeof(actions));
		assert_int_equal(RSOC(g, 65536, 0x00, 0, 0), SCSI_GOOD);
		len = get_be32(g->data);
		for (uint32_t at = 4; at < 4 + len; at += 8) {
			const uint8_t *d = g->data + at;

			actions[d[0]] = d[5] & 0x01;
			assert_int_equal(get_be16(d + 6), op_cdb_len(d[0]));
			assert_true(op_cdb_len(d[0]) > 0);
			assert_int_equal(listed[d[0]][d[3]], 0);
			listed[d[0]][d[3]]++;
		}
		for (unsigned code = 0; code < 256; code++) {
			for (unsigned a = 0; a < 32; a++) {
				/* A reserved bit is set, so nothing is executed: how it is refused tells. */
				uint8_t cdb[SCSI_CDB_MAX] = { (uint8_t)code, (uint8_t)a };
				unsigned n = op_cdb_len((uint8_t)code), there;

				cdb[n ? n - 1 : 5] |= 0x04;
				assert_int_equal(rig_run(g, cdb, n ? n : 6, 0), SCSI_CHECK_CONDITION);
				assert_int_equal(g->t.sense[2], ILLEGAL_REQUEST);
				/* The bit is pointed at, or one of byte 1 before it; else it is the action. */
				there = get_be16(g->t.sense + 12) == ASC_INVALID_CDB_FIELD &&
					(get_be16(g->t.sense + 16) == n - 1u || !actions[code]);
				assert_int_equal(there, actions[code] ? listed[code][a] : listed[code][0]);
			}
		}
	}
}

static void tables_are_in_order(void **state)
{
	struct rig *g = rig_of(state);

	for (int k = 0; k < 2; k++) {
		plug(g, k ? SCSI_CHANGER : SCSI_DRIVE);
		for (unsigned i = 0; i < g->u->ops.first[256]; i++) {
			const struct op *op = g->u->ops.op[i], *before = i ? g->u->ops.op[i - 1] : NULL;
			unsigned n = op_cdb_len(op->code);

			if (!op->run || !op->timeout_s || !*op->name || !n || op->usage[0] != op->code)
				fail_msg("%02x/%d is not whole", op->code, op->action);
			for (unsigned b = n; b < 16; b++)
				assert_int_equal(op->usage[b], 0);
			/* One code has service actions or it has none. */
			if (before && before->code == op->code)
				assert_true(before->action >= 0 && before->action < op->action);
		}
	}
}

static void one_command_is_asked_by_its_code(void **state)
{
	struct rig *g = rig_of(state);
	static const uint8_t request_sense[10] = { 0, 3, 0, 6, 0x03, 0x01, 0, 0, 0xff, 0 };

	plug(g, SCSI_DRIVE);
	assert_int_equal(RSOC(g, 512, 0x01, 0x03, 0), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 10);
	assert_memory_equal(g->data, request_sense, 10);
	assert_int_equal(RSOC(g, 512, 0x81, 0x03, 0), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 22);
	assert_int_equal(g->data[1], 0x83);
	assert_int_equal(get_be16(g->data + 10), 10);
	assert_true(get_be32(g->data + 18) > 0);
	/* One that is not there. */
	assert_int_equal(RSOC(g, 512, 0x81, 0xf7, 0), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 4);
	assert_memory_equal(g->data, "\0\1\0\0", 4);
	/* One that has service actions cannot be asked for like this. */
	assert_int_equal(RSOC(g, 512, 0x01, 0xa3, 0), SCSI_CHECK_CONDITION);
	assert_int_equal(get_be16(g->t.sense + 12), ASC_INVALID_CDB_FIELD);
}

static void one_command_is_asked_by_code_and_service_action(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, SCSI_DRIVE);
	assert_int_equal(RSOC(g, 512, 0x02, 0xa3, 0x0c), SCSI_GOOD);
	assert_int_equal(g->t.data_in, 16);
	assert_memory_equal(g->data, "\0\3\0\14\xa3\x0c\x87", 7);
	assert_int_equal(RSOC(g, 512, 0x02, 0xa3, 0x1e), SCSI_GOOD);
	assert_int_equal(g->data[1], 1);
	assert_int_equal(RSOC(g, 512, 0x02, 0xa3, 0x10c), SCSI_GOOD);
	assert_int_equal(g->data[1], 1);
	assert_int_equal(RSOC(g, 512, 0x02, 0xf7, 0), SCSI_GOOD);
	assert_int_equal(g->data[1], 1);
	/* One that has none cannot be asked for like this. */
	assert_int_equal(RSOC(g, 512, 0x02, 0x03, 0), SCSI_CHECK_CONDITION);
}

static void one_command_is_asked_by_either(void **state)
{
	static const struct { uint8_t code; unsigned action; uint8_t support; } rows[] = {
		{ 0x03, 0, 3 }, { 0x03, 1, 1 }, { 0xa3, 0x0c, 3 }, { 0xa3, 0x1e, 1 }, { 0xf7, 0, 1 }, { 0x5e, 0, 3 } };
	struct rig *g = rig_of(state);

	plug(g, SCSI_CHANGER);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(RSOC(g, 512, 0x03, rows[i].code, rows[i].action), SCSI_GOOD);
		assert_int_equal(g->data[1], rows[i].support);
	}
	for (unsigned options = 4; options < 8; options++)
		assert_int_equal(RSOC(g, 512, (uint8_t)options, 0, 0), SCSI_CHECK_CONDITION);
}

static void task_management_functions_are_told(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, SCSI_DRIVE);
	GOOD(g, 64, 0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0);
	assert_int_equal(g->t.data_in, 4);
	assert_memory_equal(g->data, "\x88\0\0\0", 4);
	GOOD(g, 64, 0xa3, 0x0d, 0x80, 0, 0, 0, 0, 0, 0, 64, 0, 0);
	assert_int_equal(g->t.data_in, 16);
	assert_int_equal(g->data[3], 12);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 64, 0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_new, rig_free)
int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(ltfs_finds_a_timeout_for_each_of_its_commands),
		RIG_TEST(descriptors_are_8_bytes_or_20_with_timeouts),
		RIG_TEST(every_listed_op_is_dispatched_and_every_dispatched_op_is_listed),
		RIG_TEST(tables_are_in_order),
		RIG_TEST(one_command_is_asked_by_its_code),
		RIG_TEST(one_command_is_asked_by_code_and_service_action),
		RIG_TEST(one_command_is_asked_by_either),
		RIG_TEST(task_management_functions_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
