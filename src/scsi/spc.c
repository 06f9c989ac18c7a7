/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spc: commands of every unit: is it there, what is pending, self tests, the buffer for echoes, the time.
 *
 * Self tests find nothing and are done at once.  There is no firmware to load: WRITE BUFFER's download modes are
 * refused, as a drive refuses an image that is not its own.
 */
#include "scsi/unit.h"

/* ---- is it there ------------------------------------------------------------------------------------------------ */

static void test_unit_ready(struct scsi_unit *u, struct scsi_task *t)
{
	if (u->cfg.kind == SCSI_DRIVE && !u->ssc.volume)
		task_check(t, NOT_READY, ASC_NO_MEDIUM);
}

/* A pending unit attention as parameter data, after which it is told; else NO SENSE.  Sense data of commands goes out
 * with their status, none is kept for here. */
static void request_sense(struct scsi_unit *u, struct scsi_task *t)
{
	struct sense s = { .key = NO_SENSE };
	uint8_t b[SCSI_SENSE_MAX];

	if (unit_attention_take(u, &s.code))
		s.key = UNIT_ATTENTION;
	task_put(t, b, sense_put(b, &s, t->cdb[1] & 0x01), t->cdb[4]);
}

/* LUN 0, which is us; none that is well known. */
static void report_luns(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t b[16] = { 0 };
	uint32_t n = t->cdb[2] == 0x01 ? 0 : 8;

	if (t->cdb[2] > 0x02) {
		task_bad_cdb(t, 2, -1);
		return;
	}
	put_be32(b, n);
	task_put(t, b, 8 + n, get_be32(t->cdb + 6));
}

/* ---- diagnostics ------------------------------------------------------------------------------------------------ */

static void send_diagnostic(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t code = t->cdb[1] >> 5;
	bool self_test = t->cdb[1] & 0x04;
	size_t n = get_be16(t->cdb + 3);

	/* 1, 2: in the background; 5, 6: in the foreground; 4: abort one, but none is ever running. */
	if (code == 3 || code == 4 || code == 7 || (code && self_test)) {
		task_bad_cdb(t, 1, 7);
		return;
	}
	if (!n)
		return;
	if (self_test || code) {
		task_bad_cdb(t, 3, -1);
		return;
	}
	/* Page 00h, what is supported, for the RECEIVE DIAGNOSTIC RESULTS that comes next. */
	if (!task_got(t, n))
		return;
	for (unsigned i = 0; i < n && i < 4; i++) {
		if (t->data[i]) {
			task_bad_parameter(t, i, -1);
			return;
		}
	}
	if (n != 4)
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
}

/* The list of pages, with itself the only one. */
static void receive_diagnostic(struct scsi_unit *u, struct scsi_task *t)
{
	static const uint8_t pages[5] = { 0x00, 0, 0, 1, 0x00 };

	if (t->cdb[2])
		task_bad_cdb(t, 2, -1);
	else
		task_put(t, pages, sizeof(pages), get_be16(t->cdb + 3));
}

/* ---- the buffer ------------------------------------------------------------------------------------------------- */

enum { BUFFER_COMBINED = 0x00, BUFFER_DATA = 0x02, BUFFER_DESCRIPTOR = 0x03, BUFFER_ECHO = 0x0a,
       BUFFER_ECHO_DESCRIPTOR = 0x0b };

static uint32_t get_be24(const uint8_t *b)
{
	return (uint32_t)b[0] << 16 | get_be16(b + 1);
}

static void read_combined(const struct scsi_unit *u, struct scsi_task *t, uint32_t alloc)
{
	uint8_t b[4 + sizeof(u->buffer)] = { 0 };

	put_be16(b + 2, sizeof(u->buffer));
	memcpy(b + 4, u->buffer, sizeof(u->buffer));
	task_put(t, b, sizeof(b), alloc);
}

static void read_data(const struct scsi_unit *u, struct scsi_task *t, uint32_t alloc)
{
	uint32_t offset = get_be24(t->cdb + 3);

	if (offset > sizeof(u->buffer))
		task_bad_cdb(t, 3, -1);
	else
		task_put(t, u->buffer + offset, sizeof(u->buffer) - offset, alloc);
}

static void read_echo(const struct scsi_unit *u, struct scsi_task *t, uint32_t alloc)
{
	if (!u->buffer_len)
		task_check(t, ILLEGAL_REQUEST, ASC_SEQUENCE_ERROR);
	else
		task_put(t, u->buffer, u->buffer_len, alloc);
}

static void read_buffer(struct scsi_unit *u, struct scsi_task *t)
{
	/* Any offset; so many bytes. */
	static const uint8_t capacity[4] = { 0, 0, sizeof(u->buffer) >> 8, sizeof(u->buffer) & 0xff };
	uint32_t alloc = get_be24(t->cdb + 6);

	if (t->cdb[2]) {
		task_bad_cdb(t, 2, -1);
		return;
	}
	switch (t->cdb[1] & 0x1f) {
	case BUFFER_COMBINED:
		read_combined(u, t, alloc);
		break;
	case BUFFER_DATA:
		read_data(u, t, alloc);
		break;
	case BUFFER_ECHO:
		read_echo(u, t, alloc);
		break;
	case BUFFER_DESCRIPTOR:
	case BUFFER_ECHO_DESCRIPTOR:
		task_put(t, capacity, sizeof(capacity), alloc);
		break;
	default:
		task_bad_cdb(t, 1, 4);
	}
}

static void write_buffer(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t mode = t->cdb[1] & 0x1f;
	uint32_t offset = get_be24(t->cdb + 3), n = get_be24(t->cdb + 6), header = mode == BUFFER_COMBINED ? 4 : 0;

	if (mode != BUFFER_COMBINED && mode != BUFFER_DATA && mode != BUFFER_ECHO)
		task_bad_cdb(t, 1, 4);
	else if (t->cdb[2])
		task_bad_cdb(t, 2, -1);
	else if (offset > (mode == BUFFER_DATA ? sizeof(u->buffer) : 0))
		task_bad_cdb(t, 3, -1);
	else if (n > sizeof(u->buffer) - offset + header)
		task_bad_cdb(t, 6, -1);
	else if (n && n < header)
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
	else if (n && task_got(t, n)) {
		memcpy(u->buffer + offset, t->data + header, n - header);
		if (mode == BUFFER_ECHO)
			u->buffer_len = n;
	}
}

/* ---- the time --------------------------------------------------------------------------------------------------- */

/* Where a timestamp came from, SPC-4 5.16: SET TIMESTAMP; a way outside the standard, which is this machine's clock. */
enum { ORIGIN_SET = 2, ORIGIN_CLOCK = 3 };

static uint64_t clock_ms(void)
{
	return clock_now_ns() / 1000000;
}

static void report_timestamp(struct scsi_unit *u, struct scsi_task *t)
{
	uint64_t ms = clock_ms() + (uint64_t)u->timestamp_offset_ms;
	uint8_t b[12] = { 0, 10, u->timestamp_origin ? u->timestamp_origin : ORIGIN_CLOCK };

	put_be16(b + 4, (uint16_t)(ms >> 32));
	put_be32(b + 6, (uint32_t)ms);
	task_put(t, b, sizeof(b), get_be32(t->cdb + 6));
}

static void set_timestamp(struct scsi_unit *u, struct scsi_task *t)
{
	uint32_t n = get_be32(t->cdb + 6);
	uint64_t ms;

	if (!n)
		return;
	if (n != 12) {
		task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return;
	}
	if (!task_got(t, n))
		return;
	ms = (uint64_t)get_be16(t->data + 4) << 32 | get_be32(t->data + 6);
	u->timestamp_offset_ms = (int64_t)(ms - clock_ms());
	u->timestamp_origin = ORIGIN_SET;
}

void spc_reset(struct scsi_unit *u, enum scsi_reset what)
{
	u->buffer_len = 0;
	memset(u->buffer, 0, sizeof(u->buffer));
	if (what == SCSI_POWER_ON || what == SCSI_BUS_RESET) {
		u->timestamp_offset_ms = 0;
		u->timestamp_origin = 0;
	}
}

#define BUFFER_USAGE(code) { code, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
static const struct op ops[] = {
	{ 0x00, -1, "TEST UNIT READY", { 0x00 }, 30, 0, test_unit_ready },
	{ 0x03, -1, "REQUEST SENSE", { 0x03, 0x01, 0, 0, 0xff }, 30, OP_ALWAYS, request_sense },
	{ 0x1c, -1, "RECEIVE DIAGNOSTIC RESULTS", { 0x1c, 0x01, 0xff, 0xff, 0xff }, 60, 0, receive_diagnostic },
	{ 0x1d, -1, "SEND DIAGNOSTIC", { 0x1d, 0xf7, 0, 0xff, 0xff }, 900, OP_OUT, send_diagnostic },
	{ 0x3b, -1, "WRITE BUFFER", BUFFER_USAGE(0x3b), 60, OP_OUT, write_buffer },
	{ 0x3c, -1, "READ BUFFER", BUFFER_USAGE(0x3c), 60, 0, read_buffer },
	{ 0xa0, -1, "REPORT LUNS", { 0xa0, 0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff }, 30, OP_ALWAYS | OP_KERNEL,
	  report_luns },
	{ 0xa3, 0x0f, "REPORT TIMESTAMP", { 0xa3, 0x1f, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff }, 30, 0, report_timestamp },
	{ 0xa4, 0x0f, "SET TIMESTAMP", { 0xa4, 0x1f, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff }, 30, OP_OUT, set_timestamp },
};
const struct op_group spc_group = OP_GROUP(ops);
