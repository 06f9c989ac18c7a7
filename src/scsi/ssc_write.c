/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_write: WRITE and WRITE FILEMARKS.
 *
 * A command of several records has all of them written although the first of them meets early warning: that it is
 * near is told at the end (SSC-4, WRITE(6)).  If the tape could not store what an earlier command was told is
 * written, that is a deferred error of the command that finds it, and this one has written nothing.
 *
 * The order of steps that a kill may come between is in ssc_keep.c.
 */
#include <errno.h>

#include "scsi/ssc_io.h"

enum { ALERT_WRITE_FAILED = 6 };	/* TapeAlert: write failure */

/* What a command has done so far. */
struct writing {
	struct tape_pos begin;
	bool early;
};

static bool writing_begins(struct scsi_unit *u, struct scsi_task *t, struct writing *w)
{
	int r = drive_position(u->ssc.drive, &w->begin);

	w->early = false;
	if (r)
		task_failed(t, err_fold(r));
	return !r;
}

/* ---- how it ended ----------------------------------------------------------------------------------------------- */

/* @s says what is not written. */
static void write_error(struct scsi_unit *u, struct scsi_task *t, int r, struct sense *s)
{
	log_error("drive nst%u: %s", u->ssc.number, err_text(r));
	u->ssc.count.write_errors++;
	ssc_alert(u, ALERT_WRITE_FAILED);
	s->key = MEDIUM_ERROR;
	s->code = ASC_WRITE_ERROR;
	if (r == -ENOSPC || r == -EDQUOT) {
		s->key = VOLUME_OVERFLOW;
		s->code = ASC_END_OF_MEDIUM;
		s->eom = true;
		library_no_space(u->cfg.lib, u->ssc.volume);
	}
	task_sense(t, s);
}

void ssc_writes_lost(struct scsi_unit *u, struct scsi_task *t, int r)
{
	struct sense s = { .deferred = true };

	write_error(u, t, r, &s);
}

/* The head has been put where what is stored ends: before our beginning, if what was told earlier is gone. */
static void write_failed(struct scsi_unit *u, struct scsi_task *t, int r, const struct writing *w, int64_t left)
{
	struct sense s = { .valid = true, .info = left };
	struct tape_pos now = w->begin;

	if (!drive_position(u->ssc.drive, &now) && now.partition == w->begin.partition &&
	    now.object < w->begin.object) {
		s.deferred = true;
		s.valid = false;
	}
	write_error(u, t, r, &s);
}

/* Told once when the head comes behind it. */
static void programmable_warning(struct scsi_unit *u, struct scsi_task *t, const struct tape_pos *at)
{
	bool beyond, before = u->ssc.pew_warned;
	int r = ssc_beyond_programmable(u, at, &beyond);

	if (r) {
		task_failed(t, err_fold(r));
		return;
	}
	u->ssc.pew_warned = beyond;
	if (beyond && !before)
		task_sense(t, &(struct sense){ .code = ASC_EARLY_WARNING, .eom = true, .valid = true });
}

/* @left: not written.  What is written is safe from a kill now, and the answer says how near the end is. */
static void writing_ended(struct scsi_unit *u, struct scsi_task *t, int r, const struct writing *w, int64_t left)
{
	struct tape_pos at;
	int kept = r < 0 ? r : ssc_keep_end(u);

	kept = kept ? kept : err_fold(drive_position(u->ssc.drive, &at));
	if (kept) {
		write_failed(u, t, kept, w, left);
	} else if (r == TAPE_E_FULL) {
		library_no_space(u->cfg.lib, u->ssc.volume);
		task_sense(t, &(struct sense){ .key = VOLUME_OVERFLOW, .code = ASC_END_OF_MEDIUM, .eom = true,
					       .valid = true, .info = left });
	} else if (r == TAPE_E_PROTECTED) {
		ssc_refused(u, t);
	} else if (w->early) {
		task_sense(t, &(struct sense){ .code = ASC_END_OF_MEDIUM, .eom = true, .valid = true });
	} else {
		programmable_warning(u, t, &at);
	}
}

/* ---- WRITE ------------------------------------------------------------------------------------------------------ */

static size_t checksum_bytes(const struct ssc_mode *m)
{
	return m->lbp_write && m->lbp_method ? LBP_BYTES : 0;
}

/* A record as it will be stored. */
static int stored_form(struct ssc *s, const uint8_t **p, size_t *n)
{
	int r;

	if (!crypt_touches(&s->crypt, *p, *n))
		return 0;
	r = crypt_seal(&s->crypt, *p, *n, &s->bounce);
	*p = s->bounce.data;
	*n = s->bounce.len;
	return r;
}

/* Record @i of the command without its checksum, which fits; false: 4/1001 has been answered. */
static bool record_of(struct scsi_unit *u, struct scsi_task *t, const struct transfer *x, uint32_t i, const uint8_t **p,
		      size_t *n)
{
	const struct ssc_mode *m = &u->ssc.mode;

	*p = t->data + i * x->wire;
	*n = x->wire - checksum_bytes(m);
	if (*n == x->wire || lbp_fits(m->lbp_method, *p, *n, *p + *n))
		return true;
	task_sense(t, &(struct sense){ .key = HARDWARE_ERROR, .code = ASC_LBP_ERROR, .valid = true,
				       .info = transfer_left(x, i) });
	return false;
}

/* A killed command may have written them: those at the head are the same as its first ones?  Then it has. */
static bool is_there(struct ssc *s, const uint8_t *p, size_t n)
{
	size_t len = 0;
	int r;

	s->clear.len = 0;
	r = buf_reserve(&s->clear, n);
	r = r ? r : drive_read_record(s->drive, s->clear.data, n, &len);
	return !r && len == n && !memcmp(s->clear.data, p, n);
}

static uint32_t records_there(struct scsi_unit *u, struct scsi_task *t, const struct transfer *x,
			      const struct writing *w)
{
	struct ssc *s = &u->ssc;
	uint32_t i;

	if (s->ahead > x->count)
		return 0;
	for (i = 0; i < s->ahead; i++) {
		const uint8_t *p = t->data + i * x->wire;
		size_t n = x->wire - checksum_bytes(&s->mode);

		if (stored_form(s, &p, &n) || !is_there(s, p, n))
			break;
	}
	if (i == s->ahead)
		return i;
	drive_locate(s->drive, w->begin.partition, w->begin.object);
	return 0;
}

static int write_record(struct scsi_unit *u, const uint8_t *p, size_t n, struct writing *w)
{
	struct ssc *s = &u->ssc;
	struct tape_pos at = { 0 };
	size_t clear = n;
	int r = drive_position(s->drive, &at);

	r = r ? r : stored_form(s, &p, &n);
	r = r ? r : drive_write_record(s->drive, p, n);
	if (r && r != TAPE_E_EARLY_WARNING)
		return r;
	w->early |= r == TAPE_E_EARLY_WARNING;
	s->count.written_records++;
	s->count.written_bytes += clear;
	s->count.all_written_bytes += clear;
	return ssc_keep_record(u, &at, p, n);
}

static void write_tape(struct scsi_unit *u, struct scsi_task *t, const struct transfer *x)
{
	struct writing w;
	uint32_t i;
	int r = 0;

	if (!writing_begins(u, t, &w))
		return;
	i = u->ssc.ahead ? records_there(u, t, x, &w) : 0;
	w.early = i && drive_at_early_warning(u->ssc.drive);
	if (i < x->count && !ssc_may_write(u, t))
		return;
	for (; !r && i < x->count; i += !r) {
		const uint8_t *p;
		size_t n;

		if (!record_of(u, t, x, i, &p, &n))
			break;
		r = write_record(u, p, n, &w);
	}
	if (r == ASC_SECURITY) {
		task_check(t, DATA_PROTECT, ASC_SECURITY);
		r = 0;
	}
	if (t->status == SCSI_GOOD)
		writing_ended(u, t, r, &w, transfer_left(x, i));
	else
		ssc_keep_end(u);
}

/* False: answered, or there is nothing to do. */
static bool write_begins(struct scsi_unit *u, struct scsi_task *t, uint32_t length, unsigned at, struct transfer *x)
{
	size_t checksum = checksum_bytes(&u->ssc.mode);

	if (!transfer_of(u, t, length, x) || !length)
		return false;
	if (x->wire > transfer_record_max(u) + checksum || x->wire <= checksum) {
		task_bad_cdb(t, x->fixed ? 1 : at, x->fixed ? 0 : 7);
		return false;
	}
	return transfer_fits(t, x);
}

void ssc_write_6(struct scsi_unit *u, struct scsi_task *t)
{
	struct transfer x;

	if (write_begins(u, t, get_be32(t->cdb + 1) & 0xffffff, 2, &x))
		write_tape(u, t, &x);
}

void ssc_write_16(struct scsi_unit *u, struct scsi_task *t)
{
	struct transfer x;

	if (write_begins(u, t, get_be32(t->cdb + 11) & 0xffffff, 12, &x) && transfer_go(u, t, transfer_left(&x, 0)))
		write_tape(u, t, &x);
}

/* ---- WRITE FILEMARKS -------------------------------------------------------------------------------------------- */

/* As records_there(). */
static uint32_t marks_there(struct scsi_unit *u, uint32_t count, const struct writing *w)
{
	struct ssc *s = &u->ssc;

	if (s->ahead > count || ssc_only_marks(u, w->begin.partition, w->begin.object, s->ahead))
		return 0;
	return drive_locate(s->drive, w->begin.partition, w->begin.object + s->ahead) ? 0 : (uint32_t)s->ahead;
}

/* Without IMMED they are on disk, with all before them, when it is answered. */
static int write_marks(struct scsi_unit *u, uint32_t count, bool immed, struct writing *w, uint32_t *written)
{
	struct ssc *s = &u->ssc;
	struct tape_pos from, to;
	int kept, r = drive_position(s->drive, &from);

	if (r)
		return r;
	r = drive_write_filemarks(s->drive, count, immed);
	w->early |= r == TAPE_E_EARLY_WARNING;
	if (r < 0 || drive_position(s->drive, &to))
		return r;
	*written = (uint32_t)(to.object - from.object);
	s->count.marks_written += *written;
	if (!immed && (!r || r == TAPE_E_EARLY_WARNING)) {
		ssc_committed(u);
		return 0;
	}
	kept = ssc_keep_marks(u, &from, *written);
	return kept ? kept : r == TAPE_E_EARLY_WARNING ? 0 : r;
}

static void write_filemarks(struct scsi_unit *u, struct scsi_task *t, uint32_t count)
{
	bool immed = t->cdb[1] & 0x01;
	uint32_t there = 0, written = 0;
	struct writing w;
	int r;

	if ((!count && immed) || !writing_begins(u, t, &w))
		return;
	if (u->ssc.ahead)
		there = marks_there(u, count, &w);
	w.early = there && drive_at_early_warning(u->ssc.drive);
	if (there < count && !ssc_may_write(u, t))
		return;
	r = write_marks(u, count - there, immed, &w, &written);
	writing_ended(u, t, r, &w, count - there - written);
}

void ssc_write_filemarks_6(struct scsi_unit *u, struct scsi_task *t)
{
	write_filemarks(u, t, get_be32(t->cdb + 1) & 0xffffff);
}

void ssc_write_filemarks_16(struct scsi_unit *u, struct scsi_task *t)
{
	uint32_t count = get_be32(t->cdb + 11) & 0xffffff;

	if (transfer_go(u, t, count))
		write_filemarks(u, t, count);
}
