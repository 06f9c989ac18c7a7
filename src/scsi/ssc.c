/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc: a drive.  Who has the tape, what is loaded, what is left.
 *
 * The drive is the library's, and whoever opens it there has it: a program through the mount, or this unit.  The unit
 * takes it with the first command that needs the tape, for writing if nobody reads that volume elsewhere, and gives it
 * back when the tape is unloaded or has been rewound, or a robot comes for it.  In between others may have had it: then
 * the head is put where the unit left it, unless what is on the tape has changed, which is a unit attention as if the
 * medium had been changed.
 *
 * What may be written is in ssc_may.c, what outlives a kill of the process in ssc_keep.c.  The pages of mode
 * parameters, the cartridge's memory, and all commands are in files of their own.
 */
#include <errno.h>
#include <string.h>

#include "scsi/mam.h"

void ssc_alert(struct scsi_unit *u, unsigned flag)
{
	u->ssc.alerts |= 1ull << (flag - 1);
}

/* ---- what is loaded --------------------------------------------------------------------------------------------- */

/* One that is out is not there. */
static uint64_t volume_in_drive(struct scsi_unit *u)
{
	struct library_drive info;
	int r = library_drive_info(u->cfg.lib, u->ssc.number, &info);

	u->ssc.out = !r && info.out ? info.volume : 0;
	return r || !info.loaded || info.out ? 0 : info.volume;
}

static const struct medium *medium_of(struct scsi_unit *u, uint64_t volume)
{
	struct catalog_volume row;

	if (!volume || catalog_volume_by_id(library_catalog(u->cfg.lib), volume, &row))
		return NULL;
	return ssc_medium_of(u->drive_model, row.name, row.worm);
}

/* Whatever was known of the volume before is void. */
static void volume_is(struct scsi_unit *u, uint64_t volume)
{
	struct ssc *s = &u->ssc;
	struct ssc_counters *c = &s->count;

	if (s->volume && s->crypt.clear_on_unload)
		crypt_clear(&s->crypt);
	s->volume = volume;
	s->medium = medium_of(u, volume);
	s->modified = s->overwrite_allowed = s->pew_warned = s->plain = s->memory_damage_told = false;
	s->left.valid = false;
	s->ahead = 0;
	c->written_records = c->written_bytes = c->read_records = c->read_bytes = 0;
	c->write_errors = c->read_errors = 0;
	if (volume) {
		c->loads++;
		s->alerts = 0;
		mam_loaded(u);
	}
}

void ssc_look(struct scsi_unit *u)
{
	uint64_t volume = volume_in_drive(u);

	if (volume == u->ssc.volume)
		return;
	/* One that was ours was unloaded by ourselves, which commits. */
	ssc_committed(u);
	volume_is(u, volume);
	if (volume)
		unit_attention(u, ATTENTION_MEDIUM_CHANGED);
}

/* ---- who has it ------------------------------------------------------------------------------------------------- */

static void say_who_writes(struct scsi_unit *u)
{
	const struct library_writer w = { .door = LIBRARY_DOOR_SCSI, .uid = UINT32_MAX,
					  .drive = (int32_t)u->ssc.number };

	library_writer_is(u->cfg.lib, u->ssc.volume, &w);
}

int ssc_open_drive(struct scsi_unit *u, bool write)
{
	struct ssc *s = &u->ssc;
	int r = library_drive_open(u->cfg.lib, s->number, write, &s->drive);

	if (r) {
		s->drive = NULL;
		return r;
	}
	s->writes = write;
	if (write)
		say_who_writes(u);
	return 0;
}

void ssc_close_drive(struct scsi_unit *u, int *error)
{
	int r;

	ssc_behind_wait(&u->ssc);
	r = library_drive_close(u->cfg.lib, u->ssc.number);
	u->ssc.drive = NULL;
	if (!*error)
		*error = r;
}

static int look_at_tape(struct volume *v, struct ssc_left *out)
{
	struct volume_stat st;

	volume_stat(v, &st);
	out->generation = st.generation;
	out->objects = st.end.objects;
	out->written_ns = st.written_ns;
	return 0;
}

static bool tape_has_changed(const struct ssc *s)
{
	struct ssc_left now;

	look_at_tape(drive_volume(s->drive), &now);
	return s->left.valid && (now.generation != s->left.generation || now.objects != s->left.objects ||
				 now.written_ns != s->left.written_ns);
}

/* The drive is ours; the head goes where we left it, or to the beginning of a tape that is new to us. */
static bool stand(struct scsi_unit *u, struct scsi_task *t)
{
	struct ssc *s = &u->ssc;
	bool changed = tape_has_changed(s);
	int r;

	if (changed || !s->left.valid)
		s->left = (struct ssc_left){ 0 };
	r = err_fold(drive_locate(s->drive, s->left.partition, s->left.object));
	s->left.valid = false;
	if (changed)
		task_check(t, UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
	else if (r)
		task_failed(t, r);
	return !changed && !r;
}

bool ssc_take(struct scsi_unit *u, struct scsi_task *t)
{
	struct ssc *s = &u->ssc;
	int r, ignored = 0;

	if (s->drive)
		return true;
	if (!s->volume) {
		task_check(t, NOT_READY, ASC_NO_MEDIUM);
		return false;
	}
	/* The catalog did not tell what it is. */
	if (!s->medium) {
		task_check(t, MEDIUM_ERROR, ASC_INCOMPATIBLE_MEDIUM);
		return false;
	}
	r = ssc_open_drive(u, true);
	if (r == -EBUSY)
		r = ssc_open_drive(u, false);
	if (r) {
		task_failed(t, r);
		return false;
	}
	if (volume_in_drive(u) == s->volume)
		return stand(u, t);
	/* It was changed while we asked for it. */
	ssc_close_drive(u, &ignored);
	t->status = SCSI_BUSY;
	return false;
}

/* What we made of the volume's attributes is taken back. */
static void compress_as_pool(struct scsi_unit *u, struct volume *v)
{
	struct volume_attr attr = *volume_attr(v);
	struct catalog *cat = library_catalog(u->cfg.lib);
	struct catalog_volume row;
	struct catalog_pool pool;

	u->ssc.plain = false;
	if (catalog_volume_by_id(cat, attr.id, &row) || catalog_pool_by_id(cat, row.pool, &pool))
		return;
	attr.store.codec = pool.codec;
	volume_set_attr(v, &attr);
}

int ssc_give_back(struct scsi_unit *u)
{
	struct ssc *s = &u->ssc;
	struct tape_pos pos = { 0 };
	struct volume *v;
	int r = 0;

	if (!s->drive)
		return 0;
	v = drive_volume(s->drive);
	if (v) {
		r = err_fold(drive_flush(s->drive));
		if (s->plain)
			compress_as_pool(u, v);
		if (!r)
			mam_settled(u);
		s->left.valid = !drive_position(s->drive, &pos) && !look_at_tape(v, &s->left);
		s->left.partition = pos.partition;
		s->left.object = pos.object;
	}
	ssc_close_drive(u, &r);
	s->overwrite_allowed = false;
	ssc_committed(u);
	return r;
}

/* It was taken for reading, because somebody else read that volume then. */
bool ssc_take_for_writing(struct scsi_unit *u, struct scsi_task *t)
{
	int r;

	if (u->ssc.writes)
		return true;
	r = ssc_give_back(u);
	r = r ? r : ssc_open_drive(u, true);
	if (!r)
		return stand(u, t);
	task_failed(t, r);
	return false;
}

/* Data compression enable (mode page 0Fh): off is off, on is what the pool says. */
void ssc_choose_compression(struct scsi_unit *u)
{
	struct volume *v = drive_volume(u->ssc.drive);
	struct volume_attr attr;

	if (u->ssc.mode.compression) {
		if (u->ssc.plain)
			compress_as_pool(u, v);
		return;
	}
	u->ssc.plain = true;
	if (volume_attr(v)->store.codec == CHUNK_PLAIN)
		return;
	attr = *volume_attr(v);
	attr.store.codec = CHUNK_PLAIN;
	volume_set_attr(v, &attr);
}

/* ---- how much --------------------------------------------------------------------------------------------------- */

static int capacity_of(struct scsi_unit *u, struct volume *v, uint32_t partition, uint64_t *all, uint64_t *left)
{
	uint64_t capacity = volume_capacity(v, partition), avail, total;
	struct tape_tally end;
	int r = volume_end(v, partition, &end);

	if (r)
		return err_fold(r);
	if (capacity) {
		*all = capacity;
		*left = *all > end.bytes ? *all - end.bytes : 0;
		return 0;
	}
	/* As much as the disk holds. */
	r = chunk_store_space(library_chunks(u->cfg.lib), &avail, &total);
	if (!r) {
		*all = end.bytes + avail;
		*left = avail;
	}
	return r;
}

int ssc_capacity(struct scsi_unit *u, uint32_t partition, uint64_t *all, uint64_t *left)
{
	struct ssc *s = &u->ssc;
	struct volume *v;
	int r, end;

	if (s->drive)
		return capacity_of(u, drive_volume(s->drive), partition, all, left);
	r = library_look(u->cfg.lib, s->volume, &v);
	if (r)
		return r;
	r = capacity_of(u, v, partition, all, left);
	end = library_look_end(u->cfg.lib, s->volume);
	return r ? r : end;
}

/* ---- made, reset, gone ------------------------------------------------------------------------------------------ */

/* A robot fetches the tape (library_drive_ask()), from another unit's thread. */
static int let_go(void *ctx)
{
	struct scsi_unit *u = ctx;
	LOCK_SCOPE(&u->lock);
	int r = ssc_give_back(u);

	ssc_save(u, 0, NULL);
	return r;
}

int ssc_new(struct scsi_unit *u)
{
	struct ssc *s = &u->ssc;

	s->number = u->cfg.drive;
	ssc_mode_defaults(&s->mode);
	s->volume = volume_in_drive(u);
	s->medium = medium_of(u, s->volume);
	if (memory_fresh(u->memory) || !ssc_keep_restore(u))
		volume_is(u, s->volume);
	library_drive_lender(u->cfg.lib, s->number, let_go, u);
	return 0;
}

/* Mode parameters, what is prevented or allowed: of those who were there before.  A unit that lost power has its tape
 * at the beginning; after any other reset the head stays, and so does what was written. */
void ssc_reset(struct scsi_unit *u, enum scsi_reset what)
{
	struct ssc *s = &u->ssc;
	int r = 0;

	s->overwrite_allowed = false;
	if (s->prevented)
		library_drive_lock(u->cfg.lib, s->number, false);
	s->prevented = false;
	if (what != SCSI_NEXUS_LOST) {
		ssc_mode_defaults(&s->mode);
		crypt_clear(&s->crypt);
	}
	if (what == SCSI_POWER_ON) {
		r = ssc_give_back(u);
		s->left.valid = false;
	}
	if (r)
		log_warn("drive nst%u, reset: %s", s->number, err_text(r));
	ssc_save(u, 0, NULL);
}

void ssc_free(struct scsi_unit *u, bool keep)
{
	struct ssc *s = &u->ssc;
	int r = 0;

	library_drive_lender(u->cfg.lib, s->number, NULL, NULL);
	if (s->drive && drive_volume(s->drive) && s->plain)
		compress_as_pool(u, drive_volume(s->drive));
	if (!keep)
		mam_settled(u);
	if (s->drive)
		ssc_close_drive(u, &r);
	if (r)
		log_error("drive nst%u: %s", s->number, err_text(r));
	if (s->prevented && !keep)
		library_drive_lock(u->cfg.lib, s->number, false);
	ssc_behind_stop(s);
	crypt_clear(&s->crypt);
	buf_fini(&s->bounce);
	buf_fini(&s->clear);
}
