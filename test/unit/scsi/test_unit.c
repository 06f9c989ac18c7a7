/* SPDX-License-Identifier: BSD-2-Clause */
/* unit: what ends a command before it is run, and in which order; resets; the answer to the last command. */
#include <assert.h>

#include "unit/scsi/rig.h"

#define SEQUENCE_MAX 4096u

static void plug(struct rig *g, enum scsi_kind kind)
{
	g->u = scsi_unit_free(g->u, false);
	rig_plug(g, kind, NULL);
	rig_settle(g);
}

static void pointed_at(const struct rig *g, unsigned byte, unsigned bit)
{
	assert_int_equal(g->t.sense[15], 0xc8 | bit);
	assert_int_equal(get_be16(g->t.sense + 16), byte);
}

static void a_new_unit_tells_once_that_it_was_switched_on(void **state)
{
	struct rig *g = rig_of(state);

	for (int k = 0; k < 2; k++) {
		g->u = scsi_unit_free(g->u, false);
		rig_plug(g, k ? SCSI_CHANGER : SCSI_DRIVE, NULL);
		CHECKED(g, UNIT_ATTENTION, ASC_POWER_ON, 0, 0, 0, 0, 0, 0, 0);
		assert_int_equal(g->t.sense_len, 18);
		CMD(g, 0, 0, 0, 0, 0, 0, 0);
		assert_true(g->t.status == SCSI_GOOD || (g->t.sense[2] & 0x0f) != UNIT_ATTENTION);
	}
}

static void one_that_goes_on_with_its_memory_was_not_switched_on(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, SCSI_CHANGER);
	scsi_unit_free(g->u, true);
	rig_plug(g, SCSI_CHANGER, NULL);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	g->u = scsi_unit_free(g->u, false);
	rig_plug(g, SCSI_CHANGER, NULL);
	CHECKED(g, UNIT_ATTENTION, ASC_POWER_ON, 0, 0, 0, 0, 0, 0, 0);
}

static void an_unknown_code_is_refused_and_leaves_attentions_pending(void **state)
{
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_CHANGER, NULL);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0, 0xf7, 0, 0, 0, 0, 0);
	CHECKED(g, UNIT_ATTENTION, ASC_POWER_ON, 0, 0, 0, 0, 0, 0, 0);
	/* A drive's command is none of a changer's. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0, 0x0a, 0, 0, 0, 0, 0);
}

static void an_attention_comes_before_a_cdb_is_looked_at(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, SCSI_CHANGER);
	unit_attention(g->u, ATTENTION_MODE_CHANGED);
	CHECKED(g, UNIT_ATTENTION, ASC_MODE_CHANGED, 0, 0, 0, 0x10, 0, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0, 0, 0x10, 0, 0, 0);
	pointed_at(g, 2, 4);
	unit_attention(g->u, ATTENTION_MODE_CHANGED);
	CHECKED(g, UNIT_ATTENTION, ASC_MODE_CHANGED, 0, 0xa3, 0x1e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0xa3, 0x1e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	pointed_at(g, 1, 4);
}

static void attentions_are_told_one_by_one(void **state)
{
	static const uint16_t codes[] = { 0x2900, 0x2902, 0x2903, 0x2907, 0x2800, 0x2801, 0x2a01, 0x2a02, 0x2a11 };
	struct rig *g = rig_of(state);

	static_assert(ARRAY_LEN(codes) == ATTENTIONS, "all of them");
	plug(g, SCSI_CHANGER);
	for (unsigned a = ATTENTIONS; a-- > 0;)
		unit_attention(g->u, (enum attention)a);
	for (unsigned a = 0; a < ATTENTIONS; a++)
		CHECKED(g, UNIT_ATTENTION, codes[a], 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
}

static void inquiry_and_report_luns_leave_attentions_pending(void **state)
{
	struct rig *g = rig_of(state);

	rig_plug(g, SCSI_DRIVE, NULL);
	GOOD(g, 96, 0x12, 0, 0, 0, 96, 0);
	GOOD(g, 16, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0);
	CHECKED(g, UNIT_ATTENTION, ASC_POWER_ON, 0, 0, 0, 0, 0, 0, 0);
}

static void request_sense_tells_attentions_as_data(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, SCSI_CHANGER);
	unit_attention(g->u, ATTENTION_LUN_RESET);
	unit_attention(g->u, ATTENTION_LOG_CHANGED);
	GOOD(g, 252, 0x03, 0, 0, 0, 252, 0);
	assert_int_equal(g->t.data_in, 18);
	assert_int_equal(g->data[0], 0x70);
	assert_int_equal(g->data[2], UNIT_ATTENTION);
	assert_int_equal(get_be16(g->data + 12), ASC_LUN_RESET);
	/* The next one in descriptor format; then nothing. */
	GOOD(g, 252, 0x03, 1, 0, 0, 252, 0);
	assert_int_equal(g->t.data_in, 8);
	assert_int_equal(g->data[0], 0x72);
	assert_int_equal(get_be16(g->data + 2), ASC_LOG_CHANGED);
	GOOD(g, 252, 0x03, 0, 0, 0, 252, 0);
	assert_int_equal(g->data[2], NO_SENSE);
	assert_int_equal(get_be16(g->data + 12), 0);
}

static void sense_data_has_descriptors_when_the_mode_page_says_so(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, SCSI_DRIVE);
	g->u->ssc.mode.sense_descriptors = 1;
	assert_int_equal(CMD(g, 0, 0, 0, 1, 0, 0, 0), SCSI_CHECK_CONDITION);
	assert_int_equal(g->t.sense_len, 16);
	assert_int_equal(g->t.sense[0], 0x72);
	assert_int_equal(g->t.sense[1], ILLEGAL_REQUEST);
	assert_int_equal(get_be16(g->t.sense + 2), ASC_INVALID_CDB_FIELD);
	/* REQUEST SENSE is asked which of them it is to be. */
	GOOD(g, 252, 0x03, 0, 0, 0, 252, 0);
	assert_int_equal(g->data[0], 0x70);
}

/* Of every command of both kinds of unit; in CONTROL that is NACA, LINK and what is reserved. */
static void a_bit_where_none_may_be_is_refused_and_pointed_at(void **state)
{
	struct rig *g = rig_of(state);
	unsigned refused = 0;

	for (int k = 0; k < 2; k++) {
		plug(g, k ? SCSI_CHANGER : SCSI_DRIVE);
		for (unsigned i = 0; i < g->u->ops.first[256]; i++) {
			const struct op *op = g->u->ops.op[i];
			unsigned n = op_cdb_len(op->code);

			for (unsigned b = 8; b < n * 8; b++) {
				uint8_t cdb[SCSI_CDB_MAX] = { op->code, op->action < 0 ? 0 : (uint8_t)op->action };
				uint8_t may = b / 8 == n - 1 ? 0xc0 & op->usage[n - 1] : op->usage[b / 8];

				if (may & 1u << b % 8 || (op->action >= 0 && b < 13))
					continue;
				cdb[b / 8] |= (uint8_t)(1u << b % 8);
				assert_int_equal(rig_run(g, cdb, n, 0), SCSI_CHECK_CONDITION);
				assert_int_equal(g->t.sense[2], ILLEGAL_REQUEST);
				assert_int_equal(get_be16(g->t.sense + 12), ASC_INVALID_CDB_FIELD);
				pointed_at(g, b / 8, b % 8);
				refused++;
			}
		}
	}
	assert_true(refused > 1000);
}

/* What Linux's st and ch, LTFS, mtx, tapeinfo, sg3_utils and stenc send, with the bits that they set: 0xff where a
 * number or a length is. */
static void no_bit_that_clients_set_is_refused(void **state)
{
	static const struct { const char *who; enum scsi_kind kind; uint8_t cdb[SCSI_CDB_MAX]; } sent[] = {
		{ "st: read block limits", SCSI_DRIVE, { 0x05 } },
		{ "st: mode sense", SCSI_DRIVE, { 0x1a, 0, 0, 0, 12 } },
		{ "st: mode page", SCSI_DRIVE, { 0x1a, 0x08, 0x0f, 0, 0xff } },
		{ "st: mode select", SCSI_DRIVE, { 0x15, 0x10, 0, 0, 0xff } },
		{ "st: mode select without PF", SCSI_DRIVE, { 0x15, 0, 0, 0, 12 } },
		{ "st: read, fixed", SCSI_DRIVE, { 0x08, 0x01, 0xff, 0xff, 0xff } },
		{ "st: read, SILI", SCSI_DRIVE, { 0x08, 0x02, 0xff, 0xff, 0xff } },
		{ "st: write, fixed", SCSI_DRIVE, { 0x0a, 0x01, 0xff, 0xff, 0xff } },
		{ "st: weof, immediate", SCSI_DRIVE, { 0x10, 0x01, 0xff, 0xff, 0xff } },
		{ "st: rewind, immediate", SCSI_DRIVE, { 0x01, 0x01 } },
		{ "st: space to end", SCSI_DRIVE, { 0x11, 0x03 } },
		{ "st: space files", SCSI_DRIVE, { 0x11, 0x01, 0xff, 0xff, 0xff } },
		{ "st: load, retension", SCSI_DRIVE, { 0x1b, 0x01, 0, 0, 0x03 } },
		{ "st: unload", SCSI_DRIVE, { 0x1b, 0x01, 0, 0, 0 } },
		{ "st: lock", SCSI_DRIVE, { 0x1e, 0, 0, 0, 0x01 } },
		{ "st: locate", SCSI_DRIVE, { 0x2b, 0x02, 0, 0xff, 0xff, 0xff, 0xff, 0, 0x03 } },
		{ "st: locate, device's", SCSI_DRIVE, { 0x2b, 0x04, 0, 0xff, 0xff, 0xff, 0xff } },
		{ "st: read position", SCSI_DRIVE, { 0x34 } },
		{ "st: read position, vendor's", SCSI_DRIVE, { 0x34, 0x01 } },
		{ "st: erase", SCSI_DRIVE, { 0x19, 0x03 } },
		{ "st: format", SCSI_DRIVE, { 0x04, 0, 0x01 } },
		{ "ltfs: reset capacity", SCSI_DRIVE, { 0x0b, 0, 0, 0xff, 0xff } },
		{ "ltfs: format", SCSI_DRIVE, { 0x04, 0, 0x02 } },
		{ "ltfs: locate", SCSI_DRIVE, { 0x92, 0x02, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		{ "ltfs: space", SCSI_DRIVE, { 0x91, 0x03, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		{ "ltfs: long position", SCSI_DRIVE, { 0x34, 0x06 } },
		{ "ltfs: extended position", SCSI_DRIVE, { 0x34, 0x08, 0, 0, 0, 0, 0, 0, 0x20 } },
		{ "ltfs: log sense", SCSI_DRIVE, { 0x4d, 0, 0x57, 0, 0, 0, 0, 0xff, 0xff } },
		{ "ltfs: mode sense", SCSI_DRIVE, { 0x5a, 0, 0xff, 0xff, 0, 0, 0, 0xff, 0xff } },
		{ "ltfs: mode select", SCSI_DRIVE, { 0x55, 0x10, 0, 0, 0, 0, 0, 0xff, 0xff } },
		{ "ltfs: read attribute", SCSI_DRIVE,
		  { 0x8c, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		{ "ltfs: write attribute", SCSI_DRIVE, { 0x8d, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff } },
		{ "ltfs: allow overwrite", SCSI_DRIVE,
		  { 0x82, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		{ "ltfs: keys", SCSI_DRIVE, { 0xa2, 0x20, 0, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff } },
		{ "stenc: keys", SCSI_DRIVE, { 0xb5, 0x20, 0, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff } },
		{ "sg_read_attr: list", SCSI_DRIVE, { 0x8c, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff } },
		{ "densities of the medium", SCSI_DRIVE, { 0x44, 0x01, 0, 0, 0, 0, 0, 0xff, 0xff } },
		{ "ltfs: supported commands", SCSI_DRIVE, { 0xa3, 0x0c, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff } },
		{ "ltfs: reserve", SCSI_DRIVE, { 0x5f, 0x01, 0x03, 0, 0, 0, 0, 0, 24 } },
		{ "ltfs: full status", SCSI_DRIVE, { 0x5e, 0x03, 0, 0, 0, 0, 0, 0xff, 0xff } },
		{ "sg_logs: parameter", SCSI_DRIVE, { 0x4d, 0, 0x40, 0xff, 0, 0xff, 0xff, 0xff, 0xff } },
		{ "sg_timestamp", SCSI_DRIVE, { 0xa4, 0x0f, 0, 0, 0, 0, 0, 0, 0, 12 } },
		{ "sg_rbuf: descriptor", SCSI_DRIVE, { 0x3c, 0x03, 0, 0, 0, 0, 0, 0, 4 } },
		{ "ch: inventory", SCSI_CHANGER, { 0x07 } },
		{ "ch: inventory of a range", SCSI_CHANGER, { 0xe7, 0x01, 0xff, 0xff, 0, 0, 0xff, 0xff } },
		{ "ch: mode page", SCSI_CHANGER, { 0x1a, 0, 0x1d, 0, 0xff } },
		{ "ch: elements", SCSI_CHANGER, { 0xb8, 0x14, 0xff, 0xff, 0, 1, 0, 0, 0, 0xff } },
		{ "ch: move", SCSI_CHANGER, { 0xa5, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		{ "ch: exchange", SCSI_CHANGER, { 0xa6, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		{ "ch: position", SCSI_CHANGER, { 0x2b, 0, 0xff, 0xff, 0xff, 0xff } },
		{ "mtx: elements with serial numbers", SCSI_CHANGER,
		  { 0xb8, 0x14, 0xff, 0xff, 0xff, 0xff, 0x01, 0xff, 0xff, 0xff } },
		{ "mtx: mode page", SCSI_CHANGER, { 0x1a, 0x08, 0x1d, 0, 0xff } },
		{ "mtx: lock", SCSI_CHANGER, { 0x1e, 0, 0, 0, 0x01 } },
	};
	struct rig *g = rig_of(state);

	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		const uint8_t *cdb = sent[i].cdb;
		const struct op *op;
		bool known;

		if (!g->u || g->u->cfg.kind != sent[i].kind)
			plug(g, sent[i].kind);
		op = op_find(&g->u->ops, cdb[0], cdb[1] & 0x1f, &known);
		if (!op)
			fail_msg("%s: %02x is not there", sent[i].who, cdb[0]);
		for (unsigned b = 1; b < op_cdb_len(cdb[0]); b++)
			if (cdb[b] & ~(op->usage[b] | (b == 1 && op->action >= 0 ? 0x1f : 0)))
				fail_msg("%s: byte %u, %02x of %02x", sent[i].who, b, cdb[b], op->usage[b]);
	}
}

static void a_drive_with_nothing_in_it_is_not_ready(void **state)
{
	struct rig *g = rig_of(state);
	uint64_t tape = rig_volume(g, "A00001");

	plug(g, SCSI_DRIVE);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, 0, 0, 0, 0, 0, 0);
	/* A bad CDB is told first. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0, 0, 0, 0x80, 0, 0);
	assert_int_equal(library_load(g->store->lib, 0, tape), 0);
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	plug(g, SCSI_CHANGER);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
}

static void a_command_that_was_executed_is_answered_again_and_not_executed(void **state)
{
	struct rig *g = rig_of(state);
	struct scsi_unit_info before, after;

	plug(g, SCSI_CHANGER);
	unit_attention(g->u, ATTENTION_MODE_CHANGED);
	unit_attention(g->u, ATTENTION_LOG_CHANGED);
	g->t = (struct scsi_task){ .data = g->data };
	scsi_execute(g->u, SEQUENCE_MAX, &g->t);
	assert_int_equal(get_be16(g->t.sense + 12), ASC_MODE_CHANGED);
	scsi_unit_info(g->u, &before);
	/* The same one once more, and once more from one that comes after a kill. */
	for (int again = 0; again < 2; again++) {
		g->t = (struct scsi_task){ .data = g->data };
		scsi_execute(g->u, SEQUENCE_MAX, &g->t);
		assert_int_equal(g->t.status, SCSI_CHECK_CONDITION);
		assert_int_equal(g->t.sense_len, 18);
		assert_int_equal(get_be16(g->t.sense + 12), ASC_MODE_CHANGED);
		scsi_unit_info(g->u, &after);
		assert_int_equal(after.commands, again ? 0 : before.commands);
		if (!again)
			rig_kill(g, SCSI_CHANGER, NULL);
	}
}

static void a_command_without_a_number_is_executed_each_time(void **state)
{
	struct rig *g = rig_of(state);

	plug(g, SCSI_CHANGER);
	unit_attention(g->u, ATTENTION_MODE_CHANGED);
	g->t = (struct scsi_task){ .data = g->data };
	scsi_execute(g->u, 0, &g->t);
	assert_int_equal(g->t.status, SCSI_CHECK_CONDITION);
	scsi_execute(g->u, 0, &g->t);
	assert_int_equal(g->t.status, SCSI_GOOD);
}

static void bytes_and_commands_are_counted(void **state)
{
	struct rig *g = rig_of(state);
	struct scsi_unit_info a, b;

	plug(g, SCSI_CHANGER);
	scsi_unit_info(g->u, &a);
	GOOD(g, 96, 0x12, 0, 0, 0, 36, 0);
	GOOD(g, 100, 0x3b, 0x02, 0, 0, 0, 0, 0, 0, 100, 0);
	/* Refused: nothing was taken. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 100, 0x3b, 0x05, 0, 0, 0, 0, 0, 0, 100, 0);
	scsi_unit_info(g->u, &b);
	assert_int_equal(b.commands - a.commands, 3);
	assert_int_equal(b.bytes_in - a.bytes_in, 36);
	assert_int_equal(b.bytes_out - a.bytes_out, 100);
	assert_string_equal(b.model, "vtape-library");
	assert_false(b.holds);
}

static void a_reset_tells_of_itself_and_for_what_went_with_it(void **state)
{
	struct rig *g = rig_of(state);
	struct scsi_unit *u;

	plug(g, SCSI_CHANGER);
	u = g->u;
	/* A medium that was changed is still to be told; that parameters changed is not, they all have. */
	unit_attention(u, ATTENTION_MEDIUM_CHANGED);
	unit_attention(u, ATTENTION_MODE_CHANGED);
	scsi_reset(u, SCSI_NEXUS_LOST);
	scsi_reset(u, SCSI_LUN_RESET);
	CHECKED(g, UNIT_ATTENTION, ASC_LUN_RESET, 0, 0, 0, 0, 0, 0, 0);
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	scsi_reset(u, SCSI_LUN_RESET);
	scsi_reset(u, SCSI_BUS_RESET);
	CHECKED(g, UNIT_ATTENTION, ASC_BUS_RESET, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	scsi_reset(u, SCSI_NEXUS_LOST);
	CHECKED(g, UNIT_ATTENTION, ASC_NEXUS_LOST, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	unit_attention(u, ATTENTION_MEDIUM_CHANGED);
	scsi_reset(u, SCSI_POWER_ON);
	CHECKED(g, UNIT_ATTENTION, ASC_POWER_ON, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
}

/* All the rest of a reset is done. */
static void a_reset_that_the_transport_tells_of_is_not_told_twice(void **state)
{
	struct rig *g = rig_of(state);

	g->tells_resets = true;
	plug(g, SCSI_DRIVE);
	assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, "A00001")), 0);
	rig_settle(g);
	GOOD(g, 0, 0x1e, 0, 0, 0, 1, 0);
	GOOD(g, 0, 0x16, 0, 0, 0, 0, 0);
	g->u->ssc.mode.block_len = 512;
	unit_attention(g->u, ATTENTION_MODE_CHANGED);
	scsi_reset(g->u, SCSI_LUN_RESET);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(g->u->ssc.mode.block_len, 0);
	assert_false(g->u->reservation.simple);
	/* What is pending beside it stays so. */
	unit_attention(g->u, ATTENTION_MEDIUM_CHANGED);
	scsi_reset(g->u, SCSI_BUS_RESET);
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
}

static void an_identity_is_the_models_where_nothing_else_is_said(void **state)
{
	struct scsi_unit_config cfg = { .kind = SCSI_DRIVE, .drive = 3, .store_id = { 0xab, 0xcd, 1, 2, 3, 4, 5, 6 } };
	struct scsi_unit_info a, b;

	strcpy(cfg.identity.model, "ibm-lto7");
	assert_int_equal(scsi_identity(&cfg, &a), 0);
	assert_string_equal(a.vendor, "IBM");
	assert_string_equal(a.product, "ULT3580-TD7");
	assert_string_equal(a.serial, "ABCD010203");
	assert_int_equal(a.naa >> 60, 3);
	cfg.drive = 4;
	assert_int_equal(scsi_identity(&cfg, &b), 0);
	assert_string_not_equal(a.serial, b.serial);
	assert_true(a.naa != b.naa);
	strcpy(cfg.identity.vendor, "QUANTUM");
	strcpy(cfg.identity.product, "ULTRIUM-HH7");
	strcpy(cfg.identity.revision, "J4D0");
	strcpy(cfg.identity.serial, "HU1234");
	cfg.identity.naa = 0x50014380deadbeef;
	assert_int_equal(scsi_identity(&cfg, &b), 0);
	assert_string_equal(b.model, "ibm-lto7");
	assert_string_equal(b.vendor, "QUANTUM");
	assert_string_equal(b.product, "ULTRIUM-HH7");
	assert_string_equal(b.revision, "J4D0");
	assert_string_equal(b.serial, "HU1234");
	assert_int_equal(b.naa, 0x50014380deadbeef);
}

static void a_model_that_there_is_not_is_refused_in_words(void **state)
{
	struct scsi_unit_config cfg = { .lib = rig_of(state)->store->lib, .kind = SCSI_DRIVE };
	struct scsi_unit *u;

	strcpy(cfg.identity.model, "ibm-3584");
	assert_int_equal(scsi_unit_new(&cfg, &u), -EINVAL);
	assert_non_null(strstr(err_text(-EINVAL), "ibm-3584"));
	cfg.kind = SCSI_CHANGER;
	strcpy(cfg.identity.model, "ibm-lto5");
	assert_int_equal(scsi_unit_new(&cfg, &u), -EINVAL);
	assert_non_null(strstr(err_text(-EINVAL), "ibm-lto5"));
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_new, rig_free)
int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_new_unit_tells_once_that_it_was_switched_on),
		RIG_TEST(one_that_goes_on_with_its_memory_was_not_switched_on),
		RIG_TEST(an_unknown_code_is_refused_and_leaves_attentions_pending),
		RIG_TEST(an_attention_comes_before_a_cdb_is_looked_at),
		RIG_TEST(attentions_are_told_one_by_one),
		RIG_TEST(inquiry_and_report_luns_leave_attentions_pending),
		RIG_TEST(request_sense_tells_attentions_as_data),
		RIG_TEST(sense_data_has_descriptors_when_the_mode_page_says_so),
		RIG_TEST(a_bit_where_none_may_be_is_refused_and_pointed_at),
		RIG_TEST(no_bit_that_clients_set_is_refused),
		RIG_TEST(a_drive_with_nothing_in_it_is_not_ready),
		RIG_TEST(a_command_that_was_executed_is_answered_again_and_not_executed),
		RIG_TEST(a_command_without_a_number_is_executed_each_time),
		RIG_TEST(bytes_and_commands_are_counted),
		RIG_TEST(a_reset_tells_of_itself_and_for_what_went_with_it),
		RIG_TEST(a_reset_that_the_transport_tells_of_is_not_told_twice),
		RIG_TEST(an_identity_is_the_models_where_nothing_else_is_said),
		RIG_TEST(a_model_that_there_is_not_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
