/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_keep: what of a drive outlives a kill of the process, so that a new unit over the same memory goes on as if
 * nothing had happened: each record that an initiator was told is written is on the tape once, and so is the one in
 * flight.
 *
 * Appending, and what a kill behind each step leaves:
 *  1. the tape takes the objects (in its memory)	not there, or there if the tape commits by itself now and then
 *  2. the log takes them, not counting yet		as 1
 *  3. state, answer and log count at once		they are told, and the log has what the tape lacks
 *  If the log has no room, it turns: what it has is its older part, and goes when the tape has that on disk.  A thread
 *  commits meanwhile (ssc_behind.c).  If there is an older part still, 2 is: the tape is committed, the log will be
 *  empty with the next step.  A kill behind that leaves a tape with everything, and a log of which everything is on the
 *  tape.
 *
 * Writing where something lies ahead, erasing, formatting: what the log says would have another tape below it.
 *  1. the tape is committed				all that was told is on the tape
 *  2. a step: the log is empty, the state says where it will be cut
 *  3. the tape is cut, takes objects, is committed	the tape as it was, or as it is now: by the state it may
 *  4. state and answer count
 *
 * If the tape cannot store what was told (it says so later, and its end goes back), nothing that it has is in memory
 * only: the log is empty from then on.  A commit that fails and loses nothing leaves the log as it is.
 *
 * A new unit takes the drive if the old one had it, and compares what the state says of the tape with the tape.
 * Objects of the log that the tape has must be the same there; those that it lacks are appended, and committed.  If
 * the tape has more, that is of the command in flight: it is executed again, and objects that are there and equal are
 * stepped over (ssc_write.c).  If they do not agree, or there were keys (which are kept nowhere), or the state is of
 * another vtape: the unit is as switched on anew.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "scsi/unit.h"

#define KEEP_VERSION 1u
#define BEHIND_BYTES (8u << 20)	/* a log whose parts are shorter is on disk when a command waits for it */
/* What the state is.  The memory is this machine's, for a moment: no byte order. */
struct keep {
	uint32_t version, bytes;
	uint64_t volume, out;
	uint8_t holds, writes, cuts, keys;
	uint8_t modified, prevented, overwrite_allowed, pew_warned;
	uint8_t left_valid, timestamp_origin;
	uint32_t attentions;
	uint32_t overwrite_partition;
	uint64_t overwrite_object, alerts;
	int64_t timestamp_offset_ms;
	/* Of the tape, if it holds the drive: */
	uint64_t generation, end[TAPE_PARTITIONS_MAX], object;
	uint32_t partition, partitions;
	struct ssc_left left;
	struct ssc_mode mode;
	struct ssc_counters count;
};
static_assert(sizeof(struct keep) <= MEMORY_STATE_MAX, "a state fits into the memory");

/* ---- state ------------------------------------------------------------------------------------------------------ */

static void ends_of(struct volume *v, uint32_t partitions, uint64_t *end)
{
	struct tape_tally t;

	for (uint32_t p = 0; p < partitions; p++)
		end[p] = volume_end(v, p, &t) ? 0 : t.objects;
}

static void keep_tape(const struct ssc *s, struct keep *k)
{
	struct volume *v = s->drive ? drive_volume(s->drive) : NULL;
	struct volume_stat st;
	struct tape_pos pos;

	if (!v || drive_position(s->drive, &pos))
		return;
	volume_stat(v, &st);
	k->holds = 1;
	k->writes = s->writes;
	k->generation = st.generation;
	k->partitions = st.partitions;
	ends_of(v, st.partitions, k->end);
	k->partition = pos.partition;
	k->object = pos.object;
}

/* Has the end of data gone back?  Then what the log had is on disk, or lost and told. */
static bool end_went_back(const struct ssc *s, const struct keep *k)
{
	for (uint32_t p = 0; p < k->partitions; p++)
		if (k->end[p] < s->told_end[p])
			return true;
	return false;
}

static void step(struct scsi_unit *u, bool cuts, uint64_t sequence, const struct scsi_task *t)
{
	struct ssc *s = &u->ssc;
	struct keep k;

	memset(&k, 0, sizeof(k));
	k.version = KEEP_VERSION;
	k.bytes = sizeof(k);
	k.volume = s->volume;
	k.cuts = cuts;
	k.keys = s->crypt.has_key || s->crypt.encrypt || s->crypt.decrypt;
	k.modified = s->modified;
	k.prevented = s->prevented;
	k.out = s->out;
	k.overwrite_allowed = s->overwrite_allowed;
	k.pew_warned = s->pew_warned;
	k.left_valid = s->left.valid;
	k.timestamp_origin = u->timestamp_origin;
	k.attentions = u->attentions;
	k.overwrite_partition = s->overwrite_partition;
	k.overwrite_object = s->overwrite_object;
	k.alerts = s->alerts;
	k.timestamp_offset_ms = u->timestamp_offset_ms;
	keep_tape(s, &k);
	if (end_went_back(s, &k))
		memory_log_clear(u->memory);
	memcpy(s->told_end, k.end, sizeof(s->told_end));
	k.left = s->left;
	k.mode = s->mode;
	k.count = s->count;
	memory_step(u->memory, &k, sizeof(k), sequence, t);
}

void ssc_save(struct scsi_unit *u, uint64_t sequence, const struct scsi_task *t)
{
	u->ssc.cuts = false;
	u->ssc.ahead = 0;
	step(u, false, sequence, t);
}

void ssc_committed(struct scsi_unit *u)
{
	memory_log_clear(u->memory);
}

/* ---- while a command changes the tape --------------------------------------------------------------------------- */

static int commit(struct scsi_unit *u)
{
	int r = err_fold(drive_flush(u->ssc.drive));

	if (!r)
		ssc_committed(u);
	return r;
}

int ssc_keep_cut(struct scsi_unit *u)
{
	int r = commit(u);

	if (r)
		return r;
	step(u, true, 0, NULL);
	u->ssc.cuts = true;
	return 0;
}

/* All that the log's older part has is on disk. */
static bool older_is_on_disk(struct ssc *s)
{
	struct volume *v = drive_volume(s->drive);
	bool all = true;

	for (uint32_t p = 0; p < TAPE_PARTITIONS_MAX; p++)
		all = all && volume_committed(v, p) >= s->older_end[p];
	return all;
}

/* The older part is given up as soon as it can be, and what is in it goes to the disk meanwhile: once the pipeline
 * must have it in packs.  Of a short log it is not worth a thread. */
static void older_part(struct scsi_unit *u)
{
	size_t of, used = memory_log_used(u->memory, &of);

	if (!memory_log_turned(u->memory) || used < of / 4)
		return;
	if (older_is_on_disk(&u->ssc))
		memory_log_drop_older(u->memory);
	else if (of >= BEHIND_BYTES)
		ssc_behind_commit(&u->ssc);
}

static bool log_room(struct scsi_unit *u, size_t n)
{
	older_part(u);
	if (memory_log_room(u->memory, n))
		return true;
	if (!memory_log_turn(u->memory))
		return false;
	memcpy(u->ssc.older_end, u->ssc.told_end, sizeof(u->ssc.older_end));
	return memory_log_room(u->memory, n);
}

int ssc_keep_record(struct scsi_unit *u, const struct tape_pos *at, const void *p, size_t n)
{
	if (u->ssc.cuts)
		return 0;
	if (!log_room(u, n))
		return commit(u);
	memory_log_record(u->memory, at->partition, at->object, p, n);
	u->ssc.told_end[at->partition] = at->object + 1;
	return 0;
}

int ssc_keep_marks(struct scsi_unit *u, const struct tape_pos *at, uint32_t count)
{
	if (u->ssc.cuts || !count)
		return 0;
	if (!log_room(u, 0))
		return commit(u);
	memory_log_marks(u->memory, at->partition, at->object, count);
	u->ssc.told_end[at->partition] = at->object + count;
	return 0;
}

/* Buffered mode 0: an answer says that it is on the medium. */
int ssc_keep_end(struct scsi_unit *u)
{
	return u->ssc.cuts || !u->ssc.mode.buffered ? commit(u) : 0;
}

/* ---- a new unit ------------------------------------------------------------------------------------------------- */

struct replay {
	struct scsi_unit *u;
	uint64_t end[TAPE_PARTITIONS_MAX];	/* of the tape, as it grows */
	uint32_t partitions;
	uint64_t appended;
};
enum { DOES_NOT_FIT = 1 };

/* The record is on the tape already: is it the same? */
static int compare_record(struct scsi_unit *u, const struct memory_entry *e)
{
	struct buf *b = &u->ssc.bounce;
	size_t len = 0;
	int r;

	b->len = 0;
	r = buf_reserve(b, e->n);
	r = r ? r : drive_locate(u->ssc.drive, e->partition, e->object);
	r = r ? r : drive_read_record(u->ssc.drive, b->data, e->n, &len);
	if (r < 0)
		return r;
	return r || len != e->n || memcmp(b->data, e->p, len) ? DOES_NOT_FIT : 0;
}

int ssc_only_marks(struct scsi_unit *u, uint32_t partition, uint64_t object, uint64_t n)
{
	struct volume *v = drive_volume(u->ssc.drive);
	struct tape_tally from, to;
	int r = volume_tally(v, partition, object, &from);

	r = r ? r : volume_tally(v, partition, object + n, &to);
	return r ? r : to.marks - from.marks != n;
}

static int append(struct replay *x, const struct memory_entry *e, uint32_t marks)
{
	struct drive *d = x->u->ssc.drive;
	int r = drive_locate(d, e->partition, x->end[e->partition]);

	if (!r)
		r = marks ? drive_write_filemarks(d, marks, true) : drive_write_record(d, e->p, e->n);
	if (r == TAPE_E_EARLY_WARNING)
		r = 0;
	if (r > 0)
		r = err_explain(r == TAPE_E_FULL ? -ENOSPC : -EROFS, "the tape does not take it");
	if (!r)
		x->end[e->partition] += marks ? marks : 1;
	x->appended++;
	return r;
}

static int replay_entry(void *ctx, const struct memory_entry *e)
{
	struct replay *x = ctx;
	uint64_t there;
	int r = 0;

	if (e->partition >= x->partitions || e->object > x->end[e->partition] || (!e->marks && !e->n) ||
	    e->n > TAPE_RECORD_MAX)
		return DOES_NOT_FIT;
	there = x->end[e->partition] - e->object;
	if (!e->marks)
		return there ? compare_record(x->u, e) : append(x, e, 0);
	r = ssc_only_marks(x->u, e->partition, e->object, there < e->marks ? there : e->marks);
	if (r)
		return r < 0 ? r : DOES_NOT_FIT;
	return there >= e->marks ? 0 : append(x, e, e->marks - (uint32_t)there);
}

/* The tape is as it was when the state was saved, but for what may have been appended or cut by the command in
 * flight. */
static bool tape_fits(const struct keep *k, const struct replay *x, uint64_t generation)
{
	if (k->partition >= x->partitions)
		return false;
	if (generation == k->generation && x->partitions == k->partitions)
		return true;
	if (!k->cuts)
		return false;
	/* At the very beginning all of it goes, the partitions too. */
	if (!k->partition && !k->object)
		return true;
	for (uint32_t p = 0; p < x->partitions; p++)
		if (p != k->partition && x->end[p] != k->end[p])
			return false;
	return x->partitions == k->partitions && x->end[k->partition] >= k->object;
}

/* Behind the replay: nothing is missing, and what is too much is of the command in flight. */
static bool ends_fit(const struct keep *k, const struct replay *x, bool cut)
{
	for (uint32_t p = 0; !cut && p < x->partitions; p++)
		if (x->end[p] < k->end[p] || (x->end[p] > k->end[p] && p != k->partition))
			return false;
	return x->end[k->partition] >= k->object;
}

/* The drive is ours. */
static int restore_tape(struct scsi_unit *u, const struct keep *k)
{
	struct ssc *s = &u->ssc;
	struct volume *v = drive_volume(s->drive);
	struct replay x = { .u = u };
	struct volume_stat st;
	bool cut;
	int r;

	if (!v)
		return DOES_NOT_FIT;
	volume_stat(v, &st);
	x.partitions = st.partitions;
	ends_of(v, st.partitions, x.end);
	if (!tape_fits(k, &x, st.generation))
		return DOES_NOT_FIT;
	cut = k->cuts && (st.generation != k->generation || x.partitions != k->partitions ||
			  x.end[k->partition] != k->end[k->partition]);
	r = memory_log_each(u->memory, replay_entry, &x);
	if (!r && x.appended)
		r = err_fold(drive_flush(s->drive));
	if (r)
		return r;
	if (!ends_fit(k, &x, cut))
		return DOES_NOT_FIT;
	/* Of a cut one cannot tell by numbers: if what is there is what was to be written, it is as good as written. */
	if (k->cuts || x.end[k->partition] > k->end[k->partition])
		s->ahead = x.end[k->partition] - k->object;
	return err_fold(drive_locate(s->drive, k->partition, k->object));
}

static void take_over(struct scsi_unit *u, const struct keep *k)
{
	struct ssc *s = &u->ssc;

	u->attentions = k->attentions;
	u->timestamp_offset_ms = k->timestamp_offset_ms;
	u->timestamp_origin = k->timestamp_origin;
	s->modified = k->modified;
	s->prevented = k->prevented;
	s->overwrite_allowed = k->overwrite_allowed;
	s->overwrite_partition = k->overwrite_partition;
	s->overwrite_object = k->overwrite_object;
	s->pew_warned = k->pew_warned;
	s->alerts = k->alerts;
	s->left = k->left;
	s->left.valid = k->left_valid;
	s->mode = k->mode;
	s->count = k->count;
	if (s->prevented)
		library_drive_lock(u->cfg.lib, s->number, true);
}

/* 0: as it was; DOES_NOT_FIT. */
static int restore(struct scsi_unit *u)
{
	struct ssc *s = &u->ssc;
	struct keep k;
	size_t n = memory_state(u->memory, &k, sizeof(k));
	int r = 0;

	if (n != sizeof(k) || k.version != KEEP_VERSION || k.bytes != sizeof(k) || k.attentions >> ATTENTIONS)
		return DOES_NOT_FIT;
	/* The library has forgotten it if it was killed, too. */
	if (k.out && k.out == s->volume) {
		library_drive_out(u->cfg.lib, s->number, true);
		ssc_look(u);
	}
	/* Unloaded by the command in flight: what was loaded is committed, the rest is as it was. */
	if (k.volume && !s->volume && !k.keys) {
		take_over(u, &k);
		s->left.valid = s->modified = s->overwrite_allowed = false;
		return 0;
	}
	if (k.volume != s->volume)
		return DOES_NOT_FIT;
	if (k.holds) {
		r = ssc_open_drive(u, k.writes);
		r = r ? r : restore_tape(u, &k);
	}
	/* What was told is on the tape, even if nothing else can be as it was. */
	if (r || k.keys)
		return r ? r : DOES_NOT_FIT;
	take_over(u, &k);
	return 0;
}

/* A look at what was lost, for an operator. */
static int count_entry(void *ctx, const struct memory_entry *e)
{
	*(uint64_t *)ctx += e->marks ? e->marks : 1;
	return 0;
}

static void switched_on_anew(struct scsi_unit *u, int why)
{
	struct ssc *s = &u->ssc;
	uint64_t objects = 0;
	int r = 0;

	memory_log_each(u->memory, count_entry, &objects);
	if (why < 0 || objects)
		log_warn("drive nst%u begins anew; up to %" PRIu64 " objects that were not on disk may be missing: %s",
			 s->number, objects, why < 0 ? err_text(why) : "another tape, or keys that are gone");
	if (s->drive) {
		r = err_fold(drive_locate(s->drive, 0, 0));
		ssc_close_drive(u, &r);
	}
	if (r)
		log_warn("drive nst%u: %s", s->number, err_text(r));
	s->ahead = 0;
	s->left.valid = false;
	u->attentions = 0;
	unit_attention(u, ATTENTION_POWER_ON);
}

/* The slot that counts stays: who brings the command in flight again may find its answer there. */
bool ssc_keep_restore(struct scsi_unit *u)
{
	int why = restore(u);

	if (why)
		switched_on_anew(u, why);
	ssc_committed(u);
	return !why;
}
