/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sense: answers.  CHECK CONDITION with its sense data (SPC-4 4.5), and parameter data cut to what the initiator and
 * the transport have room for.
 *
 * The only place that knows how sense data looks and what an error of ours is to an initiator.  What a condition of the
 * tape means (a filemark, its end) is said by who meets it, as a struct sense.
 */
#include <errno.h>

#include "scsi/unit.h"

/* ---- the two formats -------------------------------------------------------------------------------------------- */

/* Sense-key specific, for ILLEGAL REQUEST: SKSV, C/D, BPV and bit pointer, field pointer. */
static void put_field(uint8_t *b, const struct sense *s)
{
	b[0] = (uint8_t)(0x80 | (s->in_cdb ? 0x40 : 0) | (s->bit >= 0 ? 0x08 | s->bit : 0));
	put_be16(b + 1, s->byte);
}

static uint8_t stream_bits(const struct sense *s)
{
	return (uint8_t)((s->filemark ? 0x80 : 0) | (s->eom ? 0x40 : 0) | (s->ili ? 0x20 : 0));
}

/* 18 bytes.  INFORMATION has 32 bits: what does not fit is left out, VALID tells so. */
static size_t put_fixed(uint8_t *b, const struct sense *s)
{
	bool fits = s->info >= INT32_MIN && s->info <= UINT32_MAX;

	b[0] = (uint8_t)((s->valid && fits ? 0x80 : 0) | (s->deferred ? 0x71 : 0x70));
	b[2] = (uint8_t)(stream_bits(s) | s->key);
	if (s->valid && fits)
		put_be32(b + 3, (uint32_t)s->info);
	b[7] = 10;
	put_be16(b + 12, s->code);
	if (s->field)
		put_field(b + 15, s);
	return 18;
}

/* 8 bytes and those descriptors that have something to say: information (00h), sense-key specific (02h), stream
 * commands (04h). */
static size_t put_descriptors(uint8_t *b, const struct sense *s)
{
	size_t n = 8;

	b[0] = s->deferred ? 0x73 : 0x72;
	b[1] = (uint8_t)s->key;
	put_be16(b + 2, s->code);
	if (s->valid) {
		b[n] = 0x00;
		b[n + 1] = 10;
		b[n + 2] = 0x80;
		put_be64(b + n + 4, (uint64_t)s->info);
		n += 12;
	}
	if (s->field) {
		b[n] = 0x02;
		b[n + 1] = 6;
		put_field(b + n + 4, s);
		n += 8;
	}
	if (stream_bits(s)) {
		b[n] = 0x04;
		b[n + 1] = 2;
		b[n + 3] = stream_bits(s);
		n += 4;
	}
	b[7] = (uint8_t)(n - 8);
	return n;
}

size_t sense_put(uint8_t out[SCSI_SENSE_MAX], const struct sense *s, bool descriptors)
{
	memset(out, 0, SCSI_SENSE_MAX);
	return descriptors ? put_descriptors(out, s) : put_fixed(out, s);
}

/* ---- CHECK CONDITION -------------------------------------------------------------------------------------------- */

void task_sense(struct scsi_task *t, const struct sense *s)
{
	t->status = SCSI_CHECK_CONDITION;
	t->sense_len = sense_put(t->sense, s, t->descriptors);
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

/*
 * ENOSPC is a commit that found the disk full: to the initiator the tape is at its end, and what it was told is written
 * is not; VALID is off, so it takes nothing of this command for done.
 */
static const struct { int error; struct sense sense; } failures[] = {
	{ -EROFS, { .key = DATA_PROTECT, .code = ASC_WRITE_PROTECTED } },
	{ -EPERM, { .key = DATA_PROTECT, .code = ASC_WORM_OVERWRITE } },
	{ -EBADMSG, { .key = MEDIUM_ERROR, .code = ASC_UNRECOVERED_READ } },
	{ -EUCLEAN, { .key = MEDIUM_ERROR, .code = ASC_UNRECOVERED_READ } },
	{ -ENOSPC, { .key = VOLUME_OVERFLOW, .code = ASC_END_OF_MEDIUM, .eom = true } },
	{ -EDQUOT, { .key = VOLUME_OVERFLOW, .code = ASC_END_OF_MEDIUM, .eom = true } },
	{ -ENOMEM, { .key = ILLEGAL_REQUEST, .code = ASC_NO_RESOURCES } },
	{ -EMFILE, { .key = ILLEGAL_REQUEST, .code = ASC_NO_RESOURCES } },
	{ -ENFILE, { .key = ILLEGAL_REQUEST, .code = ASC_NO_RESOURCES } },
};

/* READ(6), VERIFY(6), READ(16), VERIFY(16) and moves find what lies on the tape; the rest writes. */
static bool only_reads(uint8_t code)
{
	switch (code) {
	case 0x08: case 0x11: case 0x13: case 0x2b: case 0x88: case 0x8f: case 0x91: case 0x92:
		return true;
	default:
		return false;
	}
}

void task_failed(struct scsi_task *t, int r)
{
	/* Somebody else has it, as often as is asked: no news. */
	if (r == -EBUSY) {
		t->status = SCSI_BUSY;
		return;
	}
	log_warn("SCSI command %02x: %s", t->cdb[0], err_text(r));
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		if (failures[i].error == r) {
			task_sense(t, &failures[i].sense);
			return;
		}
	}
	if (r == -EIO)
		task_check(t, MEDIUM_ERROR, only_reads(t->cdb[0]) ? ASC_UNRECOVERED_READ : ASC_WRITE_ERROR);
	else
		task_check(t, HARDWARE_ERROR, ASC_TARGET_FAILURE);
}

/* ---- parameter data --------------------------------------------------------------------------------------------- */

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
