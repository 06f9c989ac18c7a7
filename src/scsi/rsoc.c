/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rsoc: what a unit can do: REPORT SUPPORTED OPERATION CODES and REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS, SPC-4 6.35
 * and 6.36.
 *
 * It is made from the very tables by which commands are dispatched, so it can neither leave one out nor invent one.
 * LTFS takes its timeouts from here, all of them: each command has one that is not 0, and descriptors are 20 bytes.
 */
#include "scsi/unit.h"

#define DESCRIPTOR 8u
#define TIMEOUTS 12u

enum { REPORT_ALL = 0, REPORT_CODE = 1, REPORT_ACTION = 2, REPORT_EITHER = 3 };
enum { NOT_SUPPORTED = 1, AS_IN_STANDARD = 3 };

/* Nominal: what is usual; recommended: after which something is wrong. */
static void put_timeouts(uint8_t *b, const struct op *op)
{
	put_be16(b, TIMEOUTS - 2);
	put_be32(b + 4, op->timeout_s / 10u + 1);
	put_be32(b + 8, op->timeout_s);
}

static void report_all(struct scsi_unit *u, struct scsi_task *t, bool timeouts)
{
	unsigned n = u->ops.first[256], size = DESCRIPTOR + (timeouts ? TIMEOUTS : 0);
	size_t len = 4 + (size_t)n * size;
	uint8_t *b = calloc(1, len);

	if (!b) {
		task_check(t, ILLEGAL_REQUEST, ASC_NO_RESOURCES);
		return;
	}
	put_be32(b, (uint32_t)(n * size));
	for (unsigned i = 0; i < n; i++) {
		const struct op *op = u->ops.op[i];
		uint8_t *d = b + 4 + (size_t)i * size;

		d[0] = op->code;
		put_be16(d + 2, op->action < 0 ? 0 : (uint16_t)op->action);
		d[5] = (uint8_t)((timeouts ? 0x02 : 0) | (op->action < 0 ? 0 : 0x01));
		put_be16(d + 6, (uint16_t)op_cdb_len(op->code));
		if (timeouts)
			put_timeouts(d + DESCRIPTOR, op);
	}
	task_put(t, b, len, get_be32(t->cdb + 6));
	free(b);
}

static void report_one(struct scsi_task *t, const struct op *op, bool timeouts)
{
	uint8_t b[4 + SCSI_CDB_MAX + TIMEOUTS] = { 0, NOT_SUPPORTED };
	size_t len = 4;

	if (op) {
		unsigned n = op_cdb_len(op->code);

		b[1] = (uint8_t)((timeouts ? 0x80 : 0) | AS_IN_STANDARD);
		put_be16(b + 2, (uint16_t)n);
		memcpy(b + 4, op->usage, n);
		/* The service action stands there itself, not which bits it has. */
		if (op->action >= 0)
			b[5] = (uint8_t)((b[5] & 0xe0) | op->action);
		len += n;
		if (timeouts) {
			put_timeouts(b + len, op);
			len += TIMEOUTS;
		}
	}
	task_put(t, b, len, get_be32(t->cdb + 6));
}

static void report_operation_codes(struct scsi_unit *u, struct scsi_task *t)
{
	bool timeouts = t->cdb[2] & 0x80, known, has_actions;
	unsigned how = t->cdb[2] & 0x07;
	uint16_t action = get_be16(t->cdb + 4);
	/* An action that no byte 1 can hold is none of any command's. */
	const struct op *op = op_find(&u->ops, t->cdb[3], action > 0x1f ? 0xff : (uint8_t)action, &known);

	has_actions = known && u->ops.op[u->ops.first[t->cdb[3]]]->action >= 0;
	if (how == REPORT_ALL)
		report_all(u, t, timeouts);
	else if (how > REPORT_EITHER || (how == REPORT_CODE && has_actions) ||
		 (how == REPORT_ACTION && known && !has_actions))
		task_bad_cdb(t, 2, 2);
	else
		report_one(t, how == REPORT_EITHER && !has_actions && action ? NULL : op, timeouts);
}

/* What the kernel's target core does for us and tells us of: ABORT TASK, LOGICAL UNIT RESET. */
static void report_task_management(struct scsi_unit *u, struct scsi_task *t)
{
	bool extended = t->cdb[2] & 0x80;
	uint8_t b[16] = { 0x88, 0, 0, extended ? 12 : 0 };

	if (get_be32(t->cdb + 6) < 4)
		task_bad_cdb(t, 6, -1);
	else
		task_put(t, b, extended ? 16 : 4, get_be32(t->cdb + 6));
}

static const struct op ops[] = {
	{ 0xa3, 0x0c, "REPORT SUPPORTED OPERATION CODES",
	  { 0xa3, 0x1f, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 30, 0, report_operation_codes },
	{ 0xa3, 0x0d, "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
	  { 0xa3, 0x1f, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff }, 30, 0, report_task_management },
};
const struct op_group rsoc_group = OP_GROUP(ops);
