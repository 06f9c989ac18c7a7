/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_may: may the tape be changed here and now?  Write protection and secondary copies, a cartridge that the drive
 * only reads, WORM, retention locks, append-only mode; and what has to be done before it is changed.  What the tape
 * itself knows better (which filemarks at a WORM tape's end were written since it was loaded) it is left to refuse.
 */
#include "scsi/mam.h"

/* TapeAlert flags, SSC-4 annex (as T10 has them for tape drives). */
enum { ALERT_WRITE_PROTECT = 9, ALERT_WORM_OVERWRITE = 60 };
#define OP_FORMAT 0x04
#define OP_SET_CAPACITY 0x0b
#define ASC_CANNOT_WRITE 0x3005		/* cannot write medium, incompatible format */

static bool only_grows(const struct volume_attr *a)
{
	return a->worm || clock_retention_ns() < a->locked_until_ns;
}

/* Are there records at or behind @at? */
static int records_ahead(struct volume *v, const struct tape_pos *at, bool *out)
{
	struct tape_tally here, end;
	int r = volume_tally(v, at->partition, at->object, &here);

	r = r ? r : volume_end(v, at->partition, &end);
	if (!r)
		*out = tape_tally_records(&end) > tape_tally_records(&here);
	return r;
}

/*
 * WORM, as facts of the makers' drives have it: 30/0C where records would be written over, 50/01 where an append
 * would have to be elsewhere.  To an initiator a retention lock is the switch on the cartridge.
 */
void ssc_refused(struct scsi_unit *u, struct scsi_task *t)
{
	struct volume *v = drive_volume(u->ssc.drive);
	const struct volume_attr *a = volume_attr(v);
	struct tape_pos at;
	bool records = true;
	int r = drive_position(u->ssc.drive, &at);

	r = r ? r : records_ahead(v, &at, &records);
	if (r < 0)
		log_debug("%s: what is ahead cannot be told: %s", a->barcode, err_text(r));
	if (!a->protect && a->worm) {
		ssc_alert(u, ALERT_WORM_OVERWRITE);
		task_check(t, DATA_PROTECT, records ? ASC_WORM_OVERWRITE : ASC_APPEND_POSITION);
		return;
	}
	if (!a->protect)
		library_refused(u->cfg.lib, a->id, "written over");
	ssc_alert(u, ALERT_WRITE_PROTECT);
	task_check(t, DATA_PROTECT, ASC_WRITE_PROTECTED);
}

/* SET CAPACITY makes the tape blank, too. */
static bool formats(const struct scsi_task *t)
{
	return t->cdb[0] == OP_FORMAT || t->cdb[0] == OP_SET_CAPACITY;
}

/* ALLOW OVERWRITE holds for one command.  FORMAT MEDIUM has a word of its own there, the object number UINT64_MAX. */
static bool overwrite_allowed(struct ssc *s, const struct scsi_task *t, const struct tape_pos *at)
{
	bool format = s->overwrite_object == UINT64_MAX;
	bool here = s->overwrite_partition == at->partition && s->overwrite_object == at->object;
	bool allowed = s->overwrite_allowed && (t->cdb[0] == OP_FORMAT ? format : here);

	s->overwrite_allowed = false;
	return allowed;
}

/* What would be lost: all of it, also that of other partitions, if the tape is made anew; else what lies ahead. */
static int look_ahead(struct scsi_unit *u, const struct scsi_task *t, const struct tape_pos *at, bool *any,
		      bool *records)
{
	struct volume *v = drive_volume(u->ssc.drive);
	struct volume_stat st;

	if (formats(t)) {
		volume_stat(v, &st);
		*any = *records = st.end.objects;
		return 0;
	}
	*any = !drive_at_eod(u->ssc.drive);
	return *any && only_grows(volume_attr(v)) ? records_ahead(v, at, records) : 0;
}

/* Is anything lost, and may it be?  False: answered. */
static bool may_cut(struct scsi_unit *u, struct scsi_task *t, const struct tape_pos *at)
{
	struct ssc *s = &u->ssc;
	bool any, records = false;
	int r = look_ahead(u, t, at, &any, &records);

	if (r) {
		task_failed(t, err_fold(r));
		return false;
	}
	if (!any)
		return true;
	/* Whether filemarks alone may go is the tape's to say. */
	if (records && only_grows(volume_attr(drive_volume(s->drive)))) {
		ssc_refused(u, t);
		return false;
	}
	if (s->mode.append_only && !overwrite_allowed(s, t, at)) {
		ssc_alert(u, ALERT_WRITE_PROTECT);
		task_check(t, DATA_PROTECT, ASC_WORM_OVERWRITE);
		return false;
	}
	return true;
}

static bool writes_medium(const struct scsi_unit *u)
{
	for (size_t i = 0; i < ARRAY_LEN(u->drive_model->writes) && u->drive_model->writes[i]; i++)
		if (u->drive_model->writes[i] == u->ssc.medium)
			return true;
	return false;
}

static bool protected(struct scsi_unit *u, struct scsi_task *t)
{
	if (!writes_medium(u)) {
		task_check(t, DATA_PROTECT, ASC_CANNOT_WRITE);
		return true;
	}
	if (!volume_attr(drive_volume(u->ssc.drive))->protect)
		return false;
	ssc_refused(u, t);
	return true;
}

bool ssc_may_write(struct scsi_unit *u, struct scsi_task *t)
{
	struct ssc *s = &u->ssc;
	struct tape_pos at;
	bool at_end;
	int r;

	if (!ssc_take_for_writing(u, t) || protected(u, t))
		return false;
	r = drive_position(s->drive, &at);
	at_end = !r && drive_at_eod(s->drive);
	if (!r && !may_cut(u, t, &at))
		return false;
	ssc_choose_compression(u);
	if (!r)
		r = formats(t) ? mam_format(u) : mam_modify(u);
	if (!r && (!at_end || t->cdb[0] == OP_FORMAT))
		r = ssc_keep_cut(u);
	if (r)
		task_failed(t, err_fold(r));
	return !r;
}
