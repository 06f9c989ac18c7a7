/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ssc_medium: the cartridge as a whole.  Into the drive and out of it, held there, erased, formatted, its capacity and
 * its serial number.
 *
 * What is erased or formatted is gone for initiators; the engine keeps it as an old generation.  All of it takes a
 * moment, so IMMED changes nothing here either.
 */
#include <errno.h>

#include "scsi/mam.h"
#include "scsi/mode.h"

/* ---- into the drive and out of it ------------------------------------------------------------------------------- */

enum { LOAD = 0x01, EOT = 0x04, HOLD = 0x08 };

/* To the beginning of partition 0; from there somebody else may have the drive. */
static void to_beginning(struct scsi_unit *u, struct scsi_task *t)
{
	int r;

	if (!ssc_take(u, t))
		return;
	r = drive_flush(u->ssc.drive);
	r = r ? r : drive_locate(u->ssc.drive, 0, 0);
	r = r ? err_fold(r) : ssc_give_back(u);
	if (r)
		task_failed(t, r);
}

/* Is there one that fetches the tape from the drive?  Then that is where it waits, as robots and those who command them
 * expect; else nobody would ever take it out. */
static bool has_robot(struct scsi_unit *u)
{
	uint32_t slots, ports;

	library_places(u->cfg.lib, &slots, &ports);
	return slots || ports;
}

/* What was last in the drive goes in again; that it did is a unit attention with the next command (ssc_look()).  What a
 * robot has fetched is not there any more. */
static void load(struct scsi_unit *u, struct scsi_task *t)
{
	struct drive *d;
	int r, closed;

	if (u->ssc.volume) {
		to_beginning(u, t);
		return;
	}
	if (u->ssc.out) {
		library_drive_out(u->cfg.lib, u->ssc.number, false);
		return;
	}
	if (has_robot(u)) {
		task_check(t, NOT_READY, ASC_NO_MEDIUM);
		return;
	}
	r = library_drive_open(u->cfg.lib, u->ssc.number, false, &d);
	if (!r) {
		r = library_drive_reload(u->cfg.lib, u->ssc.number);
		closed = library_drive_close(u->cfg.lib, u->ssc.number);
		r = r ? r : closed;
	}
	/* -EIO: there was none; -ENOENT: it was deleted meanwhile. */
	if (r == -EIO || r == -ENOENT)
		task_check(t, NOT_READY, ASC_NO_MEDIUM);
	else if (r)
		task_failed(t, r);
}

/* A drive that is empty already is as it is wanted. */
static void unload(struct scsi_unit *u, struct scsi_task *t)
{
	struct library_drive info;
	int r;

	if (!u->ssc.volume)
		return;
	r = library_drive_info(u->cfg.lib, u->ssc.number, &info);
	if (!r && (u->ssc.prevented || info.locked)) {
		task_check(t, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
		return;
	}
	r = r ? r : ssc_give_back(u);
	r = r ? r : library_drive_info(u->cfg.lib, u->ssc.number, &info);
	if (!r && info.open)	/* by somebody else */
		r = -EBUSY;
	else if (!r && has_robot(u))
		library_drive_out(u->cfg.lib, u->ssc.number, true);
	else if (!r)
		r = library_unload(u->cfg.lib, u->ssc.number);
	if (r)
		task_failed(t, r);
	/* So that a tape that is back before the next command is news: the next one of a stacker is. */
	ssc_look(u);
	if (!r && !has_robot(u))
		library_stack(u->cfg.lib, u->ssc.number);
}

/*
 * RETEN: there is nothing to tighten.  EOT is for tapes that are wound forward to come out; with LOAD it makes no
 * sense.  HOLD without LOAD leaves the cartridge in the drive, out of reach until a LOAD: so does UNLOAD where there is
 * a robot.  HOLD with LOAD would be a cartridge that is in but not ready, which is nothing here.
 */
static void load_unload(struct scsi_unit *u, struct scsi_task *t)
{
	uint8_t how = t->cdb[4];

	if (how & LOAD && how & EOT)
		task_bad_cdb(t, 4, 2);
	else if (how & LOAD && how & HOLD)
		task_bad_cdb(t, 4, 3);
	else if (how & LOAD)
		load(u, t);
	else
		unload(u, t);
}

/* Also for those who come through the mount. */
static void prevent_allow(struct scsi_unit *u, struct scsi_task *t)
{
	unsigned prevent = t->cdb[4] & 0x03;

	/* The values for a changer's door (2, 3) have gone with SPC-3. */
	if (prevent > 1) {
		task_bad_cdb(t, 4, 1);
		return;
	}
	u->ssc.prevented = prevent;
	library_drive_lock(u->cfg.lib, u->ssc.number, prevent);
}

/* ---- erased, formatted ------------------------------------------------------------------------------------------ */

/* The outcome @r of changing the tape, which the engine has committed. */
static void changed(struct scsi_unit *u, struct scsi_task *t, int r)
{
	if (r == TAPE_E_PROTECTED)
		ssc_refused(u, t);
	else if (r)
		task_failed(t, err_fold(r));
	else
		ssc_committed(u);
}

/* LONG: what lies behind is not to be read any more; no command reads behind the end of data, so it is the same. */
static void erase(struct scsi_unit *u, struct scsi_task *t)
{
	if (ssc_may_write(u, t))
		changed(u, t, drive_erase(u->ssc.drive));
}

static bool at_beginning(struct scsi_unit *u, struct scsi_task *t)
{
	struct tape_pos pos;
	int r = drive_position(u->ssc.drive, &pos);

	if (r)
		task_failed(t, err_fold(r));
	else if (pos.partition || pos.object)
		task_check(t, ILLEGAL_REQUEST, ASC_POSITION_PAST_BOM);
	return t->status == SCSI_GOOD;
}

/* Bytes of a size in the page's units (PSUM): bytes, kB, MB, or 10^n. */
static uint64_t in_bytes(const struct ssc_mode *m, uint16_t size)
{
	static const uint8_t exponent[] = { 0, 3, 6 };
	unsigned psum = m->partition_flags >> 3 & 0x03, n = psum < 3 ? exponent[psum] : m->partition_units & 0x0f;
	uint64_t bytes = size;

	while (n--)
		if (__builtin_mul_overflow(bytes, 10, &bytes))
			return UINT64_MAX;
	return bytes;
}

enum { IDP = 0x20 };	/* the initiator says how large partitions are */

/*
 * Sizes of partitions as the page asks for them; 0: what the others leave.  None is smaller than a fiftieth of the
 * tape, about what the smallest of an LTO cartridge is: LTFS, which asks for one of a gigabyte for its indexes, counts
 * on that.  If they do not fit, or the drive is to choose, all are of equal size (all 0).
 */
static void sizes_wanted(struct scsi_unit *u, uint32_t partitions, uint64_t bytes[TAPE_PARTITIONS_MAX])
{
	const struct ssc_mode *m = &u->ssc.mode;
	uint64_t capacity = volume_attr(drive_volume(u->ssc.drive))->capacity_bytes;
	uint64_t whole = capacity ? capacity : u->ssc.medium->capacity_mb * 1000000ull;
	uint64_t least = whole / 50, left = whole - least;
	uint32_t largest = 0;

	memset(bytes, 0, TAPE_PARTITIONS_MAX * sizeof(*bytes));
	if (!(m->partition_flags & IDP) || partitions < 2)
		return;
	for (uint32_t p = 1; p < partitions; p++)
		if (m->partition_size[p] > m->partition_size[largest])
			largest = p;
	for (uint32_t p = 0; p < partitions; p++) {
		if (p == largest)	/* the rest, also if it is not asked for: nothing is left over */
			continue;
		bytes[p] = in_bytes(m, m->partition_size[p]);
		bytes[p] = bytes[p] < least ? least : bytes[p];
		if (bytes[p] > left) {
			memset(bytes, 0, TAPE_PARTITIONS_MAX * sizeof(*bytes));
			return;
		}
		left -= bytes[p];
	}
}

/* A blank tape that gets other partitions is another tape, too: what outlives a kill has to know. */
static void format(struct scsi_unit *u, struct scsi_task *t, uint32_t partitions)
{
	uint64_t bytes[TAPE_PARTITIONS_MAX];
	int r = u->ssc.cuts ? 0 : ssc_keep_cut(u);

	sizes_wanted(u, partitions, bytes);
	changed(u, t, r ? r : drive_format_sized(u->ssc.drive, partitions, bytes));
	if (t->status == SCSI_GOOD)
		ssc_partitions_done(u);
}

/* Format 0: one partition.  1: as mode page 11h wants it.  2: both, one behind the other. */
static void format_medium(struct scsi_unit *u, struct scsi_task *t)
{
	unsigned how = t->cdb[2] & 0x0f;
	uint32_t partitions = how ? ssc_partitions_wanted(u) + 1u : 1;

	if (how > 2 || partitions > u->ssc.medium->partitions_max || partitions > TAPE_PARTITIONS_MAX)
		task_bad_cdb(t, 2, 3);
	else if (at_beginning(u, t) && ssc_may_write(u, t))
		format(u, t, partitions);
}

/* ---- capacity --------------------------------------------------------------------------------------------------- */

/*
 * SET CAPACITY makes a proportion of the tape usable, and stays until the next one.  It becomes the volume's own
 * capacity, so that it counts for every door.  To know what the whole was, a row of the cartridge's memory that no
 * initiator sees has both: u64 the whole (0: unlimited), u64 what it was made, little-endian.  If the volume's capacity
 * is not what it was made, an operator has set another since, and that is the whole.
 *
 * A kill between the steps, 1. the tape is blank, 2. the row, 3. the capacity, leaves a blank tape of the old capacity.
 */
static const struct catalog_mam whole_row = { .partition = UINT32_MAX, .id = 0x0001, .format = MAM_BINARY };

static int whole_of(struct scsi_unit *u, const struct catalog_volume *row, uint64_t *whole)
{
	enum catalog_mam_format format;
	struct buf b = BUF_INIT;
	int r = mam_row(u, whole_row.partition, whole_row.id, &format, &b);

	*whole = row->capacity_bytes;
	if (!r && b.len == 16 && get_le64(b.data + 8) == row->capacity_bytes)
		*whole = get_le64(b.data);
	buf_fini(&b);
	return r == CATALOG_E_NONE ? 0 : r;
}

static int whole_put(struct catalog *c, uint64_t volume, uint64_t whole, uint64_t made)
{
	uint8_t b[16];

	put_le64(b, whole);
	put_le64(b + 8, made);
	return err_fold(catalog_mam_put(c, volume, &whole_row, b, whole == made ? 0 : sizeof(b)));
}

/* @proportion / 65535 of the whole; an unlimited one counts as what a cartridge of its kind has.  Less than a twentieth
 * is none that could be used: rounded up, as SSC lets us. */
static uint64_t part_of(const struct scsi_unit *u, uint64_t whole, uint16_t proportion)
{
	uint64_t all = whole ? whole : u->ssc.medium->capacity_mb * 1000000ull;
	uint64_t part = all / 65535 * proportion + all % 65535 * proportion / 65535;

	if (proportion == 65535)
		return whole;
	return part < all / 20 ? all / 20 : part;
}

static void set_capacity_bytes(struct catalog_volume *v, void *ctx)
{
	v->capacity_bytes = *(uint64_t *)ctx;
}

static void set_capacity(struct scsi_unit *u, struct scsi_task *t)
{
	struct catalog *c = library_catalog(u->cfg.lib);
	uint64_t volume = u->ssc.volume, whole, made;
	struct catalog_volume row;
	int r;

	if (!at_beginning(u, t) || !ssc_may_write(u, t))
		return;
	r = catalog_volume_by_id(c, volume, &row);
	r = r ? r : whole_of(u, &row, &whole);
	if (r) {
		task_failed(t, err_fold(r));
		return;
	}
	made = part_of(u, whole, get_be16(t->cdb + 3));
	format(u, t, 1);
	if (t->status != SCSI_GOOD)
		return;
	r = whole_put(c, volume, whole, made);
	if (!r && made != row.capacity_bytes)
		r = library_volume_change(u->cfg.lib, volume, set_capacity_bytes, &made);
	if (r)
		task_failed(t, r);
}

/* ---- its serial number ------------------------------------------------------------------------------------------ */

/* Zeros fill it up to a multiple of four. */
static void read_media_serial_number(struct scsi_unit *u, struct scsi_task *t)
{
	struct catalog_volume row;
	uint8_t b[4 + sizeof(row.serial) + 3] = { 0 };
	int r = err_fold(catalog_volume_by_id(library_catalog(u->cfg.lib), u->ssc.volume, &row));
	size_t n;

	if (r) {
		task_failed(t, r);
		return;
	}
	n = strnlen(row.serial, sizeof(row.serial));
	memcpy(b + 4, row.serial, n);
	n = (n + 3) / 4 * 4;
	put_be32(b, (uint32_t)n);
	task_put(t, b, 4 + n, get_be32(t->cdb + 6));
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static const struct op ops[] = {
	{ 0x04, -1, "FORMAT MEDIUM", { 0x04, 0x03, 0x0f }, 3600, OP_MEDIUM | OP_TAPE, format_medium },
	{ 0x0b, -1, "SET CAPACITY", { 0x0b, 0x01, 0, 0xff, 0xff }, 1800, OP_MEDIUM | OP_TAPE, set_capacity },
	{ 0x19, -1, "ERASE(6)", { 0x19, 0x03 }, 14400, OP_MEDIUM | OP_TAPE, erase },
	{ 0x1b, -1, "LOAD UNLOAD", { 0x1b, 0x01, 0, 0, 0x0f }, 900, 0, load_unload },
	{ 0x1e, -1, "PREVENT ALLOW MEDIUM REMOVAL", { 0x1e, 0, 0, 0, 0x03 }, 60, 0, prevent_allow },
	{ 0xab, 0x01, "READ MEDIA SERIAL NUMBER", { 0xab, 0x1f, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff }, 60, OP_MEDIUM,
	  read_media_serial_number },
};

const struct op_group ssc_medium_group = OP_GROUP(ops);
