/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_read: READ and VERIFY, with all that a record can be other than asked for: of another length, a filemark, the
 * end of data, damaged, sealed.
 *
 * A record goes from the engine into the initiator's buffer.  Only one that is sealed takes a way round, through our
 * own.  A record that cannot be given for want of its key is still ahead afterwards, so that the read can be repeated
 * with it; one that is damaged has been passed, so that the next one can be read.
 */
#include <errno.h>

#include "scsi/ssc_io.h"

enum { ALERT_READ_FAILED = 5 };		/* TapeAlert: read failure */

enum { READ_REFUSED = 100 };		/* beside enum tape_e: got.code says why */
struct got {
	size_t len;			/* of the record, on the wire */
	size_t put;			/* so many bytes of it were */
	uint16_t code;
};

/* ---- a record --------------------------------------------------------------------------------------------------- */

static bool is_key_error(int code)
{
	return code == ASC_SECURITY || code == ASC_UNABLE_TO_DECRYPT || code == ASC_UNENCRYPTED ||
	       code == ASC_WRONG_KEY;
}

static int step_back(struct drive *d)
{
	int64_t done;

	return err_fold(drive_space_records(d, -1, &done));
}

/* As it is stored, in @s->bounce; the head is behind it, and its first @have bytes are at @at. */
static int fetch_stored(struct ssc *s, const uint8_t *at, size_t have, size_t len)
{
	int r;

	s->bounce.len = 0;
	r = buf_reserve(&s->bounce, len);
	if (r)
		return r;
	if (have == len) {
		memcpy(s->bounce.data, at, len);
		return 0;
	}
	r = step_back(s->drive);
	return r ? r : drive_read_record(s->drive, s->bounce.data, len, &have);
}

static int read_stored(struct ssc *s, uint8_t *to, size_t room, size_t len, struct got *g)
{
	const uint8_t *p;
	size_t n;
	int r = fetch_stored(s, to, len < room ? len : room, len);

	r = r ? r : crypt_open(&s->crypt, s->bounce.data, len, &s->clear, &p, &n);
	if (r > 0) {
		g->code = (uint16_t)r;
		r = is_key_error(r) ? step_back(s->drive) : 0;
		return r ? r : READ_REFUSED;
	}
	if (r)
		return r;
	g->len = n;
	g->put = n < room ? n : room;
	if (g->put)
		memcpy(to, p, g->put);
	return 0;
}

static void put_checksum(const struct ssc_mode *m, uint8_t *to, size_t room, struct got *g)
{
	uint8_t crc[LBP_BYTES];
	size_t n = room - g->put < LBP_BYTES ? room - g->put : LBP_BYTES;

	if (g->put == g->len) {
		lbp_put(m->lbp_method, to, g->len, crc);
		memcpy(to + g->put, crc, n);
		g->put += n;
	}
	g->len += LBP_BYTES;
}

/* The next record into @room bytes at @to, as it goes over the wire.  0; TAPE_E_FILEMARK, TAPE_E_EOD,
 * READ_REFUSED; < 0. */
static int read_record(struct scsi_unit *u, uint8_t *to, size_t room, struct got *g)
{
	struct ssc *s = &u->ssc;
	size_t cap = room < TAPE_RECORD_MAX ? room : TAPE_RECORD_MAX, have, len = 0;
	int r = drive_read_record(s->drive, to, cap, &len);

	if (r && r != TAPE_E_LENGTH)
		return r;
	have = len < cap ? len : cap;
	if (s->crypt.decrypt == DECRYPT_ON || crypt_has_header(to, have) || (have < len && have < CRYPT_LOOK_BYTES)) {
		r = read_stored(s, to, cap, len, g);
		if (r)
			return r;
	} else {
		s->crypt.last_sealed = false;
		*g = (struct got){ .len = len, .put = have };
	}
	s->count.read_records++;
	s->count.read_bytes += g->len;
	s->count.all_read_bytes += g->len;
	if (s->mode.lbp_read && s->mode.lbp_method)
		put_checksum(&s->mode, to, room, g);
	return 0;
}

/* ---- what else there is than a record --------------------------------------------------------------------------- */

/* @left: of what was asked for; < 0: nothing was counted. */
static void read_ended(struct scsi_unit *u, struct scsi_task *t, int r, const struct got *g, int64_t left)
{
	struct sense s = { .valid = left >= 0, .info = left >= 0 ? left : 0 };

	if (r < 0 && r != -EBADMSG) {
		u->ssc.count.read_errors++;
		task_failed(t, r);
		return;
	}
	if (r == TAPE_E_FILEMARK) {
		s.code = ASC_FILEMARK;
		s.filemark = true;
	} else if (r == TAPE_E_EOD) {
		s.key = BLANK_CHECK;
		s.code = ASC_END_OF_DATA;
		s.eom = drive_at_early_warning(u->ssc.drive);
	} else if (r == READ_REFUSED && g->code != ASC_UNRECOVERED_READ) {
		s.key = DATA_PROTECT;
		s.code = g->code;
	} else {
		s.key = MEDIUM_ERROR;
		s.code = ASC_UNRECOVERED_READ;
		u->ssc.count.read_errors++;
		ssc_alert(u, ALERT_READ_FAILED);
	}
	task_sense(t, &s);
}

static void wrong_length(struct scsi_task *t, int64_t info)
{
	task_sense(t, &(struct sense){ .ili = true, .valid = true, .info = info });
}

/* ---- READ ------------------------------------------------------------------------------------------------------- */

/* SILI: a short record is as good as any, and so is a long one if no block length has been set (SSC-4, READ(6)). */
static void read_variable(struct scsi_unit *u, struct scsi_task *t, const struct transfer *x)
{
	bool sili = t->cdb[1] & 0x02;
	struct got g = { 0 };
	int r = read_record(u, t->data, x->wire, &g);

	if (r) {
		read_ended(u, t, r, &g, transfer_left(x, 0));
		return;
	}
	t->data_in = g.put;
	if (g.len == x->wire || (sili && (g.len < x->wire || !u->ssc.mode.block_len)))
		return;
	wrong_length(t, (int64_t)x->wire - (int64_t)g.len);
}

static void read_fixed(struct scsi_unit *u, struct scsi_task *t, const struct transfer *x)
{
	for (uint32_t i = 0; i < x->count; i++) {
		struct got g = { 0 };
		int r = read_record(u, t->data + i * x->wire, x->wire, &g);

		if (r)
			read_ended(u, t, r, &g, transfer_left(x, i));
		else if (g.len != x->wire)
			wrong_length(t, transfer_left(x, i));
		if (t->status != SCSI_GOOD)
			return;
		t->data_in += x->wire;
	}
}

static void read_tape(struct scsi_unit *u, struct scsi_task *t, const struct transfer *x)
{
	if (x->fixed)
		read_fixed(u, t, x);
	else
		read_variable(u, t, x);
}

/* False: answered, or there is nothing to do. */
static bool read_begins(struct scsi_unit *u, struct scsi_task *t, uint32_t length, struct transfer *x)
{
	if ((t->cdb[1] & 0x03) == 0x03) {
		task_bad_cdb(t, 1, 1);
		return false;
	}
	return transfer_of(u, t, length, x) && length && transfer_fits(t, x);
}

void ssc_read_6(struct scsi_unit *u, struct scsi_task *t)
{
	struct transfer x;

	if (read_begins(u, t, get_be32(t->cdb + 1) & 0xffffff, &x))
		read_tape(u, t, &x);
}

void ssc_read_16(struct scsi_unit *u, struct scsi_task *t)
{
	struct transfer x;

	if (read_begins(u, t, get_be32(t->cdb + 11) & 0xffffff, &x) && transfer_go(u, t, transfer_left(&x, 0)))
		read_tape(u, t, &x);
}

/* ---- VERIFY ----------------------------------------------------------------------------------------------------- */

enum { VERIFY_FIXED = 0x01, VERIFY_BYTCMP = 0x02, VERIFY_VBF = 0x08, VERIFY_VTE = 0x20 };
struct verify {
	unsigned how;
	struct transfer x;
	uint32_t marks;			/* with VBF: seen */
	struct buf record;
};

/* Into a buffer of its own length. */
static int verify_read(struct scsi_unit *u, struct verify *v, struct got *g)
{
	struct tape_object o = { .len = 0 };
	struct tape_pos at;
	int r = drive_position(u->ssc.drive, &at);

	r = r ? r : volume_object(drive_volume(u->ssc.drive), at.partition, at.object, &o);
	/* What the map cannot tell, the read steps past. */
	if (r && r != -EBADMSG)
		return r;
	r = buf_reserve(&v->record, o.len + LBP_BYTES);
	return r ? r : read_record(u, v->record.data, o.len + LBP_BYTES, g);
}

/* VTE and VBF: to the end of data, over so many filemarks; lengths count with FIXED only. */
static void verify_far(struct scsi_unit *u, struct scsi_task *t, struct verify *v)
{
	bool to_end = v->how & VERIFY_VTE;
	struct got g = { 0 };
	int r = 0;

	while (!r) {
		r = verify_read(u, v, &g);
		if (!r && v->how & VERIFY_FIXED && g.len != v->x.wire) {
			task_sense(t, &(struct sense){ .ili = true, .valid = !to_end,
						       .info = to_end ? 0 : v->x.length - v->marks });
			return;
		}
		if (r == TAPE_E_FILEMARK && (to_end || ++v->marks < v->x.length))
			r = 0;
	}
	if (r == TAPE_E_FILEMARK || (to_end && r == TAPE_E_EOD))
		return;
	read_ended(u, t, r, &g, to_end ? -1 : (int64_t)v->x.length - v->marks);
}

static void verify_near(struct scsi_unit *u, struct scsi_task *t, struct verify *v)
{
	const struct transfer *x = &v->x;

	for (uint32_t i = 0; i < x->count && t->status == SCSI_GOOD; i++) {
		const uint8_t *want = t->data + i * x->wire;
		struct got g = { 0 };
		int r = verify_read(u, v, &g);

		if (r)
			read_ended(u, t, r, &g, transfer_left(x, i));
		else if (g.len != x->wire)
			wrong_length(t, x->fixed ? transfer_left(x, i) : (int64_t)x->wire - (int64_t)g.len);
		else if (v->how & VERIFY_BYTCMP && memcmp(want, v->record.data, g.len))
			task_sense(t, &(struct sense){ .key = MISCOMPARE, .code = ASC_MISCOMPARE, .valid = true,
						       .info = transfer_left(x, i) });
	}
}

/* False: answered, or there is nothing to do.  IMMED changes nothing but when an error is told: at once. */
static bool verify_begins(struct scsi_unit *u, struct scsi_task *t, uint32_t length, struct verify *v)
{
	bool far = t->cdb[1] & (VERIFY_VTE | VERIFY_VBF);

	*v = (struct verify){ .how = t->cdb[1] };
	if ((v->how & VERIFY_VTE && v->how & VERIFY_VBF) || (far && v->how & VERIFY_BYTCMP)) {
		task_bad_cdb(t, 1, v->how & VERIFY_BYTCMP ? 1 : 3);
		return false;
	}
	if (!transfer_of(u, t, length, &v->x) || (!length && !(v->how & VERIFY_VTE)))
		return false;
	return !(v->how & VERIFY_BYTCMP) || transfer_fits(t, &v->x);
}

static void verify(struct scsi_unit *u, struct scsi_task *t, struct verify *v)
{
	if (v->how & (VERIFY_VTE | VERIFY_VBF))
		verify_far(u, t, v);
	else
		verify_near(u, t, v);
	buf_fini(&v->record);
}

void ssc_verify_6(struct scsi_unit *u, struct scsi_task *t)
{
	struct verify v;

	if (verify_begins(u, t, get_be32(t->cdb + 1) & 0xffffff, &v))
		verify(u, t, &v);
}

void ssc_verify_16(struct scsi_unit *u, struct scsi_task *t)
{
	struct verify v;

	if (verify_begins(u, t, get_be32(t->cdb + 11) & 0xffffff, &v) && transfer_go(u, t, transfer_left(&v.x, 0)))
		verify(u, t, &v);
}
