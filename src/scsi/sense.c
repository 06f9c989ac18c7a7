/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sense: answers.  CHECK CONDITION with its sense data (SPC-4 4.5), and parameter data cut to what the initiator and the
 * transport have room for.
 */
#include <errno.h>

#include "scsi/unit.h"

void task_sense(struct scsi_task *t, const struct sense *s)
{
	uint8_t *b = t->sense;
	memset(b, 0, SCSI_SENSE_MAX);
	t->status = SCSI_CHECK_CONDITION;
	b[0] = (uint8_t)((s->valid ? 0x80 : 0) | (s->deferred ? 0x71 : 0x70));
	b[2] = (uint8_t)((s->filemark ? 0x80 : 0) | (s->eom ? 0x40 : 0) | (s->ili ? 0x20 : 0) | s->key);
	put_be32(b + 3, (uint32_t)s->info);
	b[7] = 10;
	put_be16(b + 12, s->code);
	if (s->field) {
		b[15] = (uint8_t)(0x80 | (s->in_cdb ? 0x40 : 0) | (s->bit >= 0 ? 0x08 | s->bit : 0));
		put_be16(b + 16, s->byte);
	}
	t->sense_len = 18;
}

void task_check(struct scsi_task *t, enum sense_key key, uint16_t code)
{
	task_sense(t, &(struct sense){ .key = key, .code = code });
}

void task_bad_cdb(struct scsi_task *t, unsigned byte, int bit)
{
	task_sense(t, &(struct sense){ .key = ILLEGAL_REQUEST, .code = ASC_INVALID_CDB_FIELD, .field = true,
				       .in_cdb = true, .byte = (uint16_t)byte, .bit = (int8_t)bit });
}

void task_bad_parameter(struct scsi_task *t, unsigned byte, int bit)
{
	task_sense(t, &(struct sense){ .key = ILLEGAL_REQUEST, .code = ASC_INVALID_PARAMETER, .field = true,
				       .byte = (uint16_t)byte, .bit = (int8_t)bit });
}

void task_failed(struct scsi_task *t, int r)
{
	log_warn("SCSI command %02x: %s", t->cdb[0], err_text(r));
	if (r == -EBUSY)
		t->status = SCSI_BUSY;
	else if (r == -EROFS || r == -EPERM)
		task_check(t, DATA_PROTECT, ASC_WRITE_PROTECTED);
	else if (r == -EBADMSG)
		task_check(t, MEDIUM_ERROR, ASC_UNRECOVERED_READ);
	else if (r == -ENOMEM)
		task_check(t, ILLEGAL_REQUEST, ASC_NO_RESOURCES);
	else
		task_check(t, HARDWARE_ERROR, ASC_TARGET_FAILURE);
}

void task_put(struct scsi_task *t, const void *p, size_t n, size_t alloc)
{
	if (n > alloc)
		n = alloc;
	if (n > t->data_len)
		n = t->data_len;
	if (n)
		memcpy(t->data, p, n);
	t->data_in = n;
}

bool task_got(struct scsi_task *t, size_t want)
{
	if (t->data_len >= want)
		return true;
	task_check(t, ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
	return false;
}
