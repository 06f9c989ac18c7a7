/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tape: the engine.  A volume is 1 to 4 partitions, each a row of objects: records of 1 byte to 16 MiB - 1, and
 * filemarks.  A drive is a loaded volume and where the head stands.  Every door (the mount's drives and files, SCSI)
 * goes through here.
 *
 * Below the objects lies the stream of a partition: the bytes of its records, one behind the other, no framing.  It is
 * what the store cuts into chunks.  Two small maps are kept per partition: runs of equal objects (object pages), and
 * where the stream lies (chunk pages).  No operation walks a tape: everything is O(log n) of the objects.
 *
 * Durable when: volume_commit(), drive_write_filemarks() (unless @immed), drive_flush() and drive_unload() return 0
 * only when everything before them is on disk.  After a crash a tape holds a prefix of what was written, at least to
 * the last of these.
 *
 * Generations: no record that was once durable is lost by writing over it, erasing or formatting.  The volume as it was
 * stays as an old generation, sharing maps with the new one up to where they part, until volume_drop_generations().
 * Only filemarks and what was never made durable are cut off without one.  A generation counts from its first commit
 * on: a tape that is cut several times before has one new generation.
 */
#ifndef VTAPE_TAPE_H
#define VTAPE_TAPE_H

#include <vtape/chunk.h>
#include <vtape/kv.h>
#include <vtape/util.h>

#define TAPE_RECORD_MAX ((1u << 24) - 1)
#define TAPE_PARTITIONS_MAX 4u

/* Conditions: normal life of a tape. */
enum tape_e {
	TAPE_E_FILEMARK = 1,	/* stepped past a filemark */
	TAPE_E_EOD,		/* end of data */
	TAPE_E_BOP,		/* beginning of the partition */
	TAPE_E_EARLY_WARNING,	/* done, and the end is near */
	TAPE_E_FULL,		/* not done: end of the medium, or of the disk below it */
	TAPE_E_LENGTH,		/* the record is longer than the buffer */
	TAPE_E_PROTECTED,	/* write protected, or WORM or locked and it would change what is written */
	TAPE_E_NO_MEDIUM,	/* nothing loaded */
};

/* What lies before an object of a partition: all of it grows along the tape. */
struct tape_tally {
	uint64_t objects;	/* records and filemarks */
	uint64_t marks;		/* filemarks: the file number */
	uint64_t bytes;		/* of records: the offset in the stream */
	uint64_t odd;		/* records of odd length (a .tap pads them) */
};
static inline uint64_t tape_tally_records(const struct tape_tally *t) { return t->objects - t->marks; }

struct tape_object {
	bool mark;
	uint32_t len;		/* bytes of the record, 0 for a mark */
	uint64_t run;		/* this object and how many after it are the same: >= 1 */
};

/* ---- shelf: the open volumes of a store -------------------------------------------------------------------------- */

/* Every volume is opened on a shelf, so that who works below all of them (the collector) meets those that are in use.
 * @kv, @cs borrowed. */
struct shelf;
int shelf_new(struct kv *kv, struct chunk_store *cs, struct shelf **out);
struct shelf *shelf_free(struct shelf *sh);		/* every volume is closed */

/* ---- volume: the medium ----------------------------------------------------------------------------------------- */

/* What the catalog says of the medium; copied by volume_open(). */
struct volume_attr {
	uint64_t id;			/* the catalog's number */
	char barcode[BARCODE_MAX + 1];	/* for messages */
	uint64_t capacity_bytes;	/* of records; 0: as much as the disk holds */
	bool worm;
	bool protect;			/* write protected */
	uint64_t locked_until_ns;	/* until then (clock_retention_ns()) as WORM is: only grows */
	struct chunk_writer_config store;	/* compression, verify */
};

/* What a volume's head says; of one generation, all partitions together. */
struct volume_stat {
	uint64_t generation;		/* from 1 */
	bool damaged;			/* volume_history(): its head cannot be read; all that follows is 0 */
	uint32_t partitions;
	struct tape_tally end;		/* at the end of data */
	uint64_t stretch;		/* another one when something at an end went away: with the same objects it is
					 * the same tape */
	uint64_t unique_bytes;		/* raw bytes of chunks that were new when this generation's data was written */
	uint64_t stored_bytes;		/* what they cost on disk */
	uint64_t begun_ns, ended_ns;	/* clock_retention_ns(); ended: 0 for the current generation */
	uint64_t written_ns;		/* wall clock */
};

struct volume;

/* A blank volume's rows, into @b.  */
int volume_create(struct kv_batch *b, uint64_t id);
/* Every generation of a volume goes; its space comes back by tape_gc().  Damaged heads go as well; what only they knew
 * of is for tape_check() to find. */
int volume_destroy(struct kv *kv, struct kv_batch *b, uint64_t id);
/* The current content of @from becomes a new generation of @to; @from is gone afterwards
 * (whole image arrived: rename). */
int volume_replace(struct kv *kv, struct kv_batch *b, uint64_t to, uint64_t from);
int volume_peek(struct kv *kv, uint64_t id, struct volume_stat *out);		/* without opening it; as committed */
/* The first volume from number @from on that has a head, damaged or not, in *volume; -ENOENT, without words: there is
 * none. */
int volume_next(struct kv *kv, uint64_t from, uint64_t *volume);
/* Newest first, damaged ones too; @each returns non-zero to stop. */
int volume_history(struct kv *kv, uint64_t id, int (*each)(void *ctx, const struct volume_stat *st), void *ctx);
/* Stretches of all generations, newest first, as committed: objects @from up to @to of that partition have that number
 * (volume_stretch()).  -EBADMSG, -EUCLEAN: a head is damaged, so nobody knows all of them. */
struct tape_stretch { uint64_t generation; uint32_t partition; uint64_t number, from, to; };
int volume_each_stretch(struct kv *kv, uint64_t id, int (*each)(void *ctx, const struct tape_stretch *s), void *ctx);
/* Generations other than the current one that ended at or before @ended_ns go. *dropped counts them.  One whose head is
 * damaged ended when the next that can be read began.  While one stays, all do: nobody can tell what they share. */
int volume_drop_generations(struct kv *kv, struct kv_batch *b, uint64_t id, uint64_t ended_ns, uint64_t *dropped);
/* The volumes that have data in @pack, in any generation: for the words about damage, so it may walk over all heads.
 * @each returns non-zero to stop. */
int volume_each_in_pack(struct kv *kv, uint64_t pack, int (*each)(void *ctx, uint64_t volume), void *ctx);
/* Generation @generation becomes the current content again, as a new generation; the present content stays as an old
 * one, also if its head is damaged.  Nothing is copied: written_ns and volume_stretch() are what they were, so what was
 * remembered of that content holds again.  The volume is closed; whether it may (protect, WORM, locked) is the caller's
 * to ask.  -ENOENT with words; -EINVAL: it is the current one. */
int volume_restore(struct kv *kv, struct kv_batch *b, uint64_t id, uint64_t generation);
/* Blank and of one partition, as a new generation; for the present content and for who asks as volume_restore(). */
int volume_clear(struct kv *kv, struct kv_batch *b, uint64_t id);

/* One struct volume per volume at a time (library/ sees to it).  -ENOENT, -EBADMSG, -EUCLEAN. */
int volume_open(struct shelf *sh, const struct volume_attr *attr, struct volume **out);
/* Commits; the error of that is returned in *error if not NULL.  Returns NULL. */
struct volume *volume_close(struct volume *v, int *error);
const struct volume_attr *volume_attr(const struct volume *v);
void volume_set_attr(struct volume *v, const struct volume_attr *attr);		/* id must stay */
void volume_stat(struct volume *v, struct volume_stat *out);

uint32_t volume_partitions(struct volume *v);
/* End of data as the writer sees it, uncommitted objects included. */
int volume_end(struct volume *v, uint32_t partition, struct tape_tally *out);
/*
 * Of all that looks something up: -EBADMSG with words, if it lies in a part of the map that is damaged in the database.
 * The rest of the tape is as it was.
 */
/* What lies before @object (0..end).  -ERANGE beyond the end. */
int volume_tally(struct volume *v, uint32_t partition, uint64_t object, struct tape_tally *out);
/* 0, or TAPE_E_EOD if @object is at or behind the end. */
int volume_object(struct volume *v, uint32_t partition, uint64_t object, struct tape_object *out);
/* The last object (0..end) for whose tally @before is true; @before must be true at 0 and, once false, stay false.
 * -EBADMSG: then *out is where the damaged part ends. */
int volume_find(struct volume *v, uint32_t partition, bool (*before)(const struct tape_tally *t, void *ctx), void *ctx,
		struct tape_tally *out);
/* The place right behind filemark number @marks (0: the beginning of the partition).  TAPE_E_EOD if there are fewer.
 * -EBADMSG: as volume_find(). */
int volume_find_file(struct volume *v, uint32_t partition, uint64_t marks, struct tape_tally *out);
/* Names the stretch of tape that @object belongs to: two moments give the same number only if the tape up to and with
 * @object was the same at both.  (Written over in between and restored is the same.) */
int volume_stretch(struct volume *v, uint32_t partition, uint64_t object, uint64_t *out);

/* Appends at the end of data.  0; TAPE_E_EARLY_WARNING (done): less than a tenth of the capacity is left, or less than
 * 64 MiB if that is smaller, or the disk is nearly full; TAPE_E_FULL; TAPE_E_PROTECTED; an earlier append's error,
 * reported now: then the end has moved back to the last whole object that was stored, and writing may go on there. */
int volume_append_record(struct volume *v, uint32_t partition, const void *data, size_t n);
int volume_append_filemarks(struct volume *v, uint32_t partition, uint64_t n);	/* at least one; one run of the map */
static inline int volume_append_filemark(struct volume *v, uint32_t partition)
{
	return volume_append_filemarks(v, partition, 1);
}
/* Everything from @object on is cut off; see "Generations" above.  TAPE_E_PROTECTED: write protected; or WORM or
 * locked, and it is more than filemarks written since the volume was opened (a mark that a close left and that is
 * taken back). -ERANGE beyond the end. */
int volume_truncate(struct volume *v, uint32_t partition, uint64_t object);
/* For volume_truncate() it is as if the volume was closed and opened now: the tape was unloaded, but stays where it
 * is. */
void volume_session_ends(struct volume *v);
/* Blank, with @partitions of equal capacity.  A new generation, unless it was blank.  TAPE_E_PROTECTED: as
 * volume_truncate(), unless it was blank; -EINVAL. */
int volume_format(struct volume *v, uint32_t partitions);
/* The same with capacities: partition p ends after @bytes[p] bytes of records, or (0) has its part of what the others
 * leave of the volume's capacity. */
int volume_format_sized(struct volume *v, uint32_t partitions, const uint64_t bytes[TAPE_PARTITIONS_MAX]);
/* Of a partition, as it is now that the volume has the capacity that it has.  0: as much as the disk holds. */
uint64_t volume_capacity(struct volume *v, uint32_t partition);
/* Everything appended is on disk when this returns 0. */
int volume_commit(struct volume *v);
/* By another thread than who appends, which goes on meanwhile: what is stored by now is on disk.  Has ended before the
 * volume is closed.  An error loses nothing: volume_commit() tries again and tells it. */
int volume_commit_beside(struct volume *v);
uint64_t volume_committed(struct volume *v, uint32_t partition);	/* objects of it that are on disk */

/* Random access to the stream; one per reader, forgets by itself when the volume is cut. */
struct volume_reader;
int volume_reader_new(struct volume *v, uint32_t partition, struct volume_reader **out);
struct volume_reader *volume_reader_free(struct volume_reader *r);
/* Exactly @n bytes from @offset of the stream; waits for bytes that are still being stored.  -ERANGE beyond the end;
 * -EBADMSG, with words, if some of them cannot be given back. */
int volume_reader_read(struct volume_reader *r, uint64_t offset, void *buf, size_t n);

/* ---- the maps of all volumes ------------------------------------------------------------------------------------- */

/*
 * Frees what destroyed volumes, dropped generations and crashes left.  Packs that no map names are removed; of those in
 * which less than @live_percent is in use, that part is copied forward in the order of the tapes, and they are removed.
 * Before the first is removed, maps that name damaged chunks come to name the whole ones that heal them.
 * Runs beside writers and readers: an open volume waits for one batch of rows, and now and then for a commit.  One at a
 * time; may end at any moment, and the next goes on where it was.  What costs least comes first; where the disk is full
 * that is done pack by pack, out of the reserve.
 *
 * A pack that a writer holds on to (what it wrote or shared is not committed) is left for the next time.
 *
 * Takes 3 MiB for a TiB of packs, and 40 MiB.  With nothing to do, half a second for 100,000 packs; it looks at 2,000
 * in a second, and removes one in two syncs of the disk (test/bench/bench_gc.c).
 */
struct tape_gc_report;
struct tape_gc_config {
	unsigned live_percent;		/* 0: only packs that are not used at all; 100: every byte */
	uint64_t rate_bytes;		/* copied in a second, at most; 0: as fast as it goes */
	bool dry_run;			/* changes nothing: what would be done */
	/* With it: as if volume_drop_generations() had been.  In the order of volumes; borrowed. */
	const struct tape_gc_ended { uint64_t volume, ended_ns; } *ended;
	size_t ended_count;
	unsigned merge_packs;		/* so many packs of less than an eighth of the full size are made one; 0: 16.
					 * Not with @live_percent 0. */
	/* Between any two steps; non-zero ends it, with 0 and what was done so far. */
	int (*progress)(void *ctx, const struct tape_gc_report *so_far);
	void *ctx;
};
struct tape_gc_report {
	uint64_t packs, candidates;	/* there were; unused, with less in use than @live_percent, or to be merged */
	uint64_t garbage_bytes;		/* in the candidates: not in use by anybody */
	uint64_t copy_bytes;		/* in the candidates: in use, to be copied */
	uint64_t freed_packs, freed_bytes, copied_bytes;	/* done */
};
int tape_gc(struct shelf *sh, const struct tape_gc_config *cfg, struct tape_gc_report *out);

/* Proves that heads, pages and use rows tell the same story, and that every chunk they name is in its pack with that
 * length.  @found: @volume 0 if none is concerned.  @repair: use rows; what would lose something is only told.
 * @free_garbage: with it, pages that belong to no head and no drop are queued for tape_gc(), unless there is a head
 * that cannot be read.  Runs beside writers and readers, not beside tape_gc(). */
struct tape_checked { uint64_t volumes, generations, maps, pages, faults, repaired; };
struct tape_check_config {
	bool repair, free_garbage;
	void (*found)(void *ctx, uint64_t volume, const char *what, bool repaired);
	int (*progress)(void *ctx, uint64_t done_volumes);	/* non-zero stops and is returned */
	void *ctx;
};
int tape_check(struct shelf *sh, const struct tape_check_config *cfg, struct tape_checked *out);

/* Where tapes are hurt by what chunk_store_each_bad() tells and is not healed: ranges of streams, in the order of
 * volumes, newest generation first; neighbouring ones in one tape file are one.  It walks the maps that use damaged
 * packs. */
struct tape_hurt {
	uint64_t volume, generation;
	bool current;			/* the current generation */
	uint32_t partition;
	uint64_t file;			/* the tape file that it is in, from 0 */
	uint64_t file_from, file_to;	/* where that begins and ends in the stream */
	uint64_t from, to;		/* bytes of the stream that cannot be read, within it */
	uint64_t first_object, last_object;	/* the records that they are in */
};
int tape_each_hurt(struct shelf *sh, int (*each)(void *ctx, const struct tape_hurt *h), void *ctx);
/* The same for one volume. */
int volume_each_hurt(struct shelf *sh, uint64_t id, int (*each)(void *ctx, const struct tape_hurt *h), void *ctx);

/* ---- drive: the head -------------------------------------------------------------------------------------------- */

struct tape_pos {
	uint32_t partition;
	uint64_t object;	/* that will be read or written next */
	uint64_t file;		/* filemarks before it */
	uint64_t block;		/* objects between it and the filemark before it */
};

struct drive;
int drive_new(struct drive **out);
struct drive *drive_free(struct drive *d);			/* unloads */
/* @vol is borrowed until drive_unload().  At the beginning of partition 0.  -EBUSY if one is loaded. */
int drive_load(struct drive *d, struct volume *vol);
int drive_unload(struct drive *d);				/* commits; 0 also if nothing was loaded */
struct volume *drive_volume(struct drive *d);			/* borrowed; NULL: nothing loaded */

int drive_position(struct drive *d, struct tape_pos *out);	/* TAPE_E_NO_MEDIUM */
bool drive_at_eod(struct drive *d);
/* Writing here would give TAPE_E_EARLY_WARNING or TAPE_E_FULL. */
bool drive_at_early_warning(struct drive *d);

/*
 * drive_read_record() - deliver the record at the position and step past it
 * @buf, @cap: borrowed; @cap in bytes, 1..TAPE_RECORD_MAX
 * @len:       bytes the stored record has; may exceed @cap, then @buf holds its first @cap bytes
 * Return: 0; TAPE_E_LENGTH (record longer than @cap; stepped past it), TAPE_E_FILEMARK (stepped past it), TAPE_E_EOD
 * (not moved), TAPE_E_NO_MEDIUM; -EBADMSG if its bytes cannot be given back (they fail their digest, their pack is
 * lost, the disk does not give them): stepped past that record, or past all that a damaged map cannot tell of; other
 * errors: not moved.
 */
int drive_read_record(struct drive *d, void *buf, size_t cap, size_t *len);
/* Cuts off what follows, appends, steps past it. 0; TAPE_E_EARLY_WARNING (written); TAPE_E_FULL, TAPE_E_PROTECTED,
 * TAPE_E_NO_MEDIUM (not written); -EINVAL for a length outside 1..TAPE_RECORD_MAX; a deferred error. */
int drive_write_record(struct drive *d, const void *buf, size_t len);
/* n marks, then everything is on disk unless @immed.  n == 0 writes no mark, only commits. */
int drive_write_filemarks(struct drive *d, unsigned n, bool immed);
/* Takes back the filemark right before the position, if it is the last object on the tape and this drive wrote it since
 * the volume was loaded.  -EINVAL if not. */
int drive_retract_filemark(struct drive *d);
int drive_flush(struct drive *d);

/* Spacing.  @n may be negative.  *done: how many were stepped over, same sign.  Records: stops behind a filemark in
 * that direction (TAPE_E_FILEMARK: past it), at TAPE_E_EOD, TAPE_E_BOP.  Filemarks: backwards ends before the mark. */
int drive_space_records(struct drive *d, int64_t n, int64_t *done);
int drive_space_filemarks(struct drive *d, int64_t n, int64_t *done);
int drive_space_eod(struct drive *d);
int drive_rewind(struct drive *d);				/* of the current partition; commits first */
/* TAPE_E_EOD: there are fewer objects; the position is the end of data. */
int drive_locate(struct drive *d, uint32_t partition, uint64_t object);
int drive_locate_file(struct drive *d, uint32_t partition, uint64_t file);
int drive_erase(struct drive *d);				/* end of data is here */
int drive_format(struct drive *d, uint32_t partitions);		/* only at the beginning of partition 0: else -EINVAL */
int drive_format_sized(struct drive *d, uint32_t partitions, const uint64_t bytes[TAPE_PARTITIONS_MAX]);

#endif
