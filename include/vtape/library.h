/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library: who has which volume.  It opens volumes (one struct volume each, however many use it), keeps one writer or
 * many readers on each, owns the drives and what is loaded in them, and carries out what changes volumes as wholes:
 * create, erase, delete, move, replace.  Both doors, the mount and the command line, come through here, so a rule
 * holds for both.
 *
 * Failures that a person can do something about are -errno with words (err_text()): -EBUSY says who has it, -ENOENT,
 * -EEXIST, -EROFS (protected), -EPERM (WORM or lock), -ENOTEMPTY, -EINVAL.
 */
#ifndef VTAPE_LIBRARY_H
#define VTAPE_LIBRARY_H

#include <vtape/catalog.h>
#include <vtape/tape.h>
#include <vtape/util.h>

#define LIBRARY_DRIVES_MAX 64u

struct library;
/* All borrowed.  Puts the volumes back into the drives that had them. */
int library_open(struct catalog *cat, struct kv *kv, struct chunk_store *cs, unsigned drives, struct library **out);
struct library *library_close(struct library *lib);	/* commits and closes every volume */
struct catalog *library_catalog(struct library *lib);	/* borrowed */
struct chunk_store *library_chunks(struct library *lib);	/* borrowed */

/* ---- claims: readers share, a writer is alone ------------------------------------------------------------------- */

enum claim { CLAIM_READ, CLAIM_WRITE };
/* -EBUSY: being written; or @how is CLAIM_WRITE and it is being read, or it is loaded in a drive.  -EROFS for
 * CLAIM_WRITE on a protected volume or a copy that another site writes.  *vol is borrowed until library_release(). */
int library_claim(struct library *lib, uint64_t volume, enum claim how, struct volume **vol);
/* Commits if it was CLAIM_WRITE; returns the error of that. */
int library_release(struct library *lib, uint64_t volume, enum claim how);
/* As volume_peek(), but sees what an open volume has not committed yet. */
int library_stat(struct library *lib, uint64_t volume, struct volume_stat *out);
/* For a short look at the tape itself (where its files begin), in nobody's way: also while it is being written, also
 * loaded.  *vol is borrowed until library_look_end(), which is due before anything else is asked of the library. */
int library_look(struct library *lib, uint64_t volume, struct volume **vol);
int library_look_end(struct library *lib, uint64_t volume);

/* Through which door a volume is written, and by whom: for whoever wants to know what is on it. */
enum library_door {
	LIBRARY_DOOR_UNKNOWN, LIBRARY_DOOR_TAPES, LIBRARY_DOOR_FILES, LIBRARY_DOOR_IMAGES, LIBRARY_DOOR_DRIVE,
	LIBRARY_DOOR_SCSI, LIBRARY_DOOR_COMMAND
};
/* "tapes", "files", "images", "drive", "scsi", "command", "unknown" */
const char *library_door_name(enum library_door d);
struct library_writer {
	enum library_door door;
	uint32_t uid;			/* of the program; UINT32_MAX: not known */
	char program[16];		/* its name (comm); "": not known */
	int32_t drive;			/* -1: none */
};
/* Said by a door once it has a write claim, or a drive open for writing (@volume 0 if that is empty), for what is
 * written from then on: in a drive also for what is loaded later, until it is closed. */
void library_writer_is(struct library *lib, uint64_t volume, const struct library_writer *w);
/* The last one since the start; .door LIBRARY_DOOR_UNKNOWN if nobody wrote. */
void library_writer(struct library *lib, uint64_t volume, struct library_writer *out);
/* Who wants to know what happens to contents.  Called without a lock that the library's calls take, from any thread; it
 * must be quick, and may not call the library.  One watcher; NULL: none any more, and it does not run. */
enum library_watch {
	WATCH_WRITING,		/* a writer has begun */
	WATCH_WRITTEN,		/* he is gone, all is committed */
	WATCH_CHANGED,		/* erased, replaced, restored, moved to another pool; of LIBRARY_EVERY_VOLUME: a
				 * pool has another property contents */
	WATCH_DROPPED,		/* old generations are gone */
	WATCH_DELETED,
};
#define LIBRARY_EVERY_VOLUME 0u
void library_watch(struct library *lib, void (*tell)(void *ctx, uint64_t volume, enum library_watch what), void *ctx);

/* ---- drives ----------------------------------------------------------------------------------------------------- */

struct library_drive {
	unsigned number;		/* nst<number> and st<number> */
	bool loaded, open, locked;	/* open: a program has it; locked: MTLOCK */
	bool out;			/* library_drive_out() */
	uint64_t volume;		/* if loaded */
	struct tape_pos pos;		/* if loaded */
};
unsigned library_drives(const struct library *lib);
int library_drive_info(struct library *lib, unsigned n, struct library_drive *out);
/* -EBUSY: the drive has a tape or is open, or the volume is in another drive, being written or still incoming; -ENOENT.
 * A volume that is only read elsewhere can be loaded. */
int library_load(struct library *lib, unsigned n, uint64_t volume);
int library_unload(struct library *lib, unsigned n);	/* -EBUSY: open by a program, or locked; else 0 if empty */
/* One program at a time: -EBUSY.  *drive is borrowed until library_drive_close(). A write claim on the loaded volume is
 * taken when @write (-EBUSY, and -EROFS is left to the first write, as st does), a read claim otherwise. */
int library_drive_open(struct library *lib, unsigned n, bool write, struct drive **drive);
int library_drive_close(struct library *lib, unsigned n);
/* From the program that has it open: MTOFFL (-EIO if locked), MTLOAD (loads again what was last in it; -EIO if nothing
 * was), MTLOCK, MTUNLOCK. */
int library_drive_eject(struct library *lib, unsigned n);
int library_drive_reload(struct library *lib, unsigned n);
void library_drive_lock(struct library *lib, unsigned n, bool locked);
/* A loaded tape whose user let go of it for a robot to fetch: it is still in the drive, and loaded again for the next
 * who opens it.  Only a word: nothing is moved. */
void library_drive_out(struct library *lib, unsigned n, bool out);
/* One that has a drive open for long may be asked to let go of it between two uses.  @let_go (NULL: no one any more;
 * then it does not run, nor will it) is called without a lock that the library's calls take, closes the drive if it has
 * it open, and returns the error of that. */
void library_drive_lender(struct library *lib, unsigned n, int (*let_go)(void *ctx), void *ctx);
int library_drive_ask(struct library *lib, unsigned n);		/* 0 also if nobody could be asked */

/* ---- places ----------------------------------------------------------------------------------------------------- */

/*
 * The library as a robot sees it: slots, import/export ports and drives, each kind numbered from 0.  A volume is in one
 * place, or outside.  A volume that has never been put anywhere gets the first free slot in the order of pools' and
 * volumes' names, at a start and soon after it is made; if none is free it is outside.  Incoming volumes have no place.
 * A drive knows the slot that its tape came from (also one that a person loaded by name, if it was in a slot), and an
 * unload by a person or at eject puts it back there, or into the first free slot, or outside.
 *
 * How many slots and ports there are is the catalog's (catalog_scsi).
 */
#define LIBRARY_SLOTS_MAX 60000u
#define LIBRARY_PORTS_MAX 256u
enum library_place_kind { LIBRARY_OUTSIDE, LIBRARY_SLOT, LIBRARY_PORT, LIBRARY_DRIVE };
struct library_place { enum library_place_kind kind; uint32_t number; };
struct library_element {
	uint64_t volume;		/* 0: empty */
	bool has_source, imported;	/* imported: an operator put it into this port */
	struct library_place source;	/* the slot that it came from */
	char name[BARCODE_MAX + 1];	/* of the volume */
};
/* -EBUSY with words if one that is to go is full. */
int library_places_set(struct library *lib, uint32_t slots, uint32_t ports);
void library_places(struct library *lib, uint32_t *slots, uint32_t *ports);
/* -EINVAL: no such place. */
int library_element(struct library *lib, struct library_place at, struct library_element *out);
int library_where(struct library *lib, uint64_t volume, struct library_place *out);
/* A robot's move.  LIBRARY_OUTSIDE is no place for it.  -EINVAL no such place; -ENOENT @from is empty; -EEXIST @to is
 * full; -EBUSY the drive is in use by a program, or locked (then nothing has moved); errors of library_load(). */
int library_move(struct library *lib, struct library_place from, struct library_place to);
/* What is in @a goes to @b, what was in @b goes to @c (@c may be @a).  Nothing has moved if it fails. */
int library_exchange(struct library *lib, struct library_place a, struct library_place b, struct library_place c);
/* An operator's hand: from outside into port @port (-ENOENT: it is not outside), and out of a port; -EBUSY while the
 * ports are locked. */
int library_import(struct library *lib, uint64_t volume, uint32_t port);
int library_export(struct library *lib, uint32_t port);
void library_ports_lock(struct library *lib, bool locked);
/* Grows with every change of what is where, a drive's too; ports: with those of ports by hand. */
void library_place_changes(struct library *lib, uint64_t *all, uint64_t *ports);
/* Of what is in which port, and whether by hand: differs if that does, also from one process to the next. */
uint64_t library_ports_print(struct library *lib);

/* ---- volumes and pools as wholes -------------------------------------------------------------------------------- */

int library_pool_create(struct library *lib, const char *name, const struct catalog_perm *perm,
			struct catalog_pool *out);
int library_pool_destroy(struct library *lib, const char *name, bool with_volumes);
int library_pool_rename(struct library *lib, const char *from, const char *to);
/* Changes its properties and modes. @change edits the struct; name, number and lock stay as they are; < 0 from it ends
 * it. */
int library_pool_change(struct library *lib, const char *name, int (*change)(struct catalog_pool *p, void *ctx),
			void *ctx);
/* @perm NULL: root's, 0644.  A name of its own for each; *out may be NULL.  With @incoming any name up to BARCODE_MAX
 * bytes without '/' is allowed, the volume is STATE_INCOMING.  -ENOSPC: only what is kept back is left of the disk. */
int library_volume_create(struct library *lib, const char *pool, const char *name, const struct catalog_perm *perm,
			  bool incoming, struct catalog_volume *out);
int library_volume_delete(struct library *lib, uint64_t volume);	/* -EBUSY loaded or in use; -EROFS; -EPERM */
int library_volume_erase(struct library *lib, uint64_t volume);		/* blank; the old content is a generation */
/* Rename within the store, to another pool or another name or both; the name must be free; open or not. An incoming
 * volume that gets a volume's name (parse_is_name()) is a tape of that pool from then on. */
int library_volume_move(struct library *lib, uint64_t volume, const char *pool, const char *name);
/* @from (incoming or whole) becomes the content of @to, as rename(2) over a file does; @from is gone.  If @to was
 * incoming it stays so.  -ENOSPC if @to ends before that (as for an incoming volume that becomes a tape of
 * its pool). */
int library_volume_replace(struct library *lib, uint64_t to, uint64_t from);
/* Changes what the catalog says of it (protect, capacity, perm...), open or not. @change edits the struct; it finds in
 * perm.mtime_ns what library_mtime_ns() shows.  perm.ctime_ns becomes now if perm changed and @change did
 * not set it. */
int library_volume_change(struct library *lib, uint64_t volume, void (*change)(struct catalog_volume *v, void *ctx),
			  void *ctx);

/* The catalog's state, ahead of it by a moment: a tape with something on it is assigned as soon as that is written. */
static inline enum catalog_state library_state(const struct catalog_volume *v, const struct volume_stat *st)
{
	return v->state == STATE_SCRATCH && st->end.objects ? STATE_ASSIGNED : v->state;
}
/* When it was last written, for stat(2): what the user set it to, until the tape is written later. */
static inline uint64_t library_mtime_ns(const struct catalog_volume *v, const struct volume_stat *st)
{
	return st->written_ns > v->perm.ctime_ns ? st->written_ns : v->perm.mtime_ns;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

/*
 * States.  A volume is scratch while it is blank and nobody's; assigned once something is on it, or by hand; expired
 * when its date is over and what is on it has not gone yet; then library_expire() makes it blank and scratch.  What is
 * written on an expired one makes it assigned again, so does a date that was moved ahead.  Error is said by hand: it
 * neither expires nor is it given to who asks for a scratch.
 *
 * Its date is on the retention clock: the one said by hand; else, where the pool has a time, that long after it was
 * last written (or became assigned, or its content began, whichever is latest; a wall clock that was behind makes
 * nothing older); and with expire-label, not before the latest date in its labels, which alone is a date too.  A date
 * said by hand is for what was on it then: a new generation forgets it, but CATALOG_NEVER.
 */
/* @label_ns: the latest date in its labels, 0: none.  CATALOG_NEVER: it does not expire. */
uint64_t library_expires(const struct catalog_volume *v, const struct catalog_pool *p, const struct volume_stat *st,
			 uint64_t label_ns);

enum library_expire { EXPIRE_SCRATCHED, EXPIRE_KEPT /* its date is over, but */, EXPIRE_FAILED };
struct library_expired {
	const struct catalog_volume *volume;	/* as it was found */
	const char *pool;
	uint64_t expires_ns, bytes;
	enum library_expire what;
	const char *why;		/* kept, failed: "locked until ...", "loaded in ..."; else where it goes */
};
struct library_expire_config {
	const uint32_t *pools;		/* numbers; NULL: all */
	size_t pool_count;
	bool dry_run;
	/* For pools with expire-label, asked of volumes that would expire without it; NULL: they do not expire then. */
	int (*label_expires)(void *ctx, uint64_t volume, uint64_t *expires_ns);
	/* Each volume whose date is over; non-zero stops and is returned.  May be NULL. */
	int (*each)(void *ctx, const struct library_expired *e);
	void *ctx;
};
struct library_expire_report { uint64_t volumes, scratched, kept, failed, bytes; };
/*
 * What has expired becomes blank and scratch, in its pool's scratch pool if there is one; the content stays as a
 * generation for the keep of the pool that it is in then.  Not where a lock holds, the volume's or the pool's; not of
 * other sites; not what is loaded or open, protected, WORM with data, in error, migrated.  Each volume is one batch.
 * One that fails is told and stops nothing.
 */
int library_expire(struct library *lib, const struct library_expire_config *cfg, struct library_expire_report *out);

/* By hand: scratch (it must be blank), assigned, error.  -EINVAL, -EPERM, -EBUSY, -EROFS with words. */
int library_volume_state(struct library *lib, uint64_t volume, enum catalog_state state);

/* Loads the blank scratch volume of @pool that has been so longest; if it has none, one of its scratch pool, which is
 * @pool's from then on.  -ENOENT with words and an event: none is there. */
int library_load_scratch(struct library *lib, unsigned n, const char *pool, uint64_t *volume);
/* A drive's stacker (catalog_stacker): once the program that has drive @n open, or a SCSI initiator, has unloaded it,
 * the next volume is loaded.  library_drive_eject() and _reload() of an empty drive do so; for others: after
 * library_unload().  Nothing happens without a stacker.  The error of not being able to is logged, and told as an event
 * if there is no volume. */
void library_stack(struct library *lib, unsigned n);

/* ---- sites ------------------------------------------------------------------------------------------------------ */

/* What another site writes is for reading, through every door: -EROFS with words. */
enum catalog_access library_access(struct library *lib, const struct catalog_volume *v); /* catalog_access_of() */
/* A volume of another site, which tells of it, or an operator for it. */
struct library_registration {
	const char *pool, *name;
	char serial[17];			/* "": not known; then one is made */
	uint32_t site;
	enum catalog_access access;		/* secondary or restricted */
	uint64_t generation, written_ns;	/* 0: not told */
};
/* One that was registered for that site before is told again.  -EEXIST with words: the label is another volume's; if
 * that has another serial, it is recorded as a clash, with an event.  *out may be NULL. */
int library_volume_register(struct library *lib, const struct library_registration *reg, struct catalog_volume *out);
/* May a volume get this name?  -EEXIST: who has it, here or at another site. */
int library_label_free(struct library *lib, const char *name);
/* Gives a volume away (to @site; 0: the one it has) or, with ACCESS_PRIMARY, takes it over: an event.  -EBUSY: it is in
 * use; -EINVAL: nobody knows whose it would be, or its pool stays another site's. */
int library_volume_access(struct library *lib, uint64_t volume, enum catalog_access access, uint32_t site);

/* ---- retention -------------------------------------------------------------------------------------------------- */

/*
 * A lock lasts until a moment on the retention clock and only ever gets longer.  While it lasts, what is on the volume
 * is not written over, erased, replaced or restored over, the volume not deleted or moved to another pool, its old
 * generations not dropped, whoever asks and through whichever door: -EPERM with words.  It can be read, loaded,
 * appended to, renamed.  A locked pool has all its volumes locked, and is not destroyed.
 */
int library_volume_lock(struct library *lib, uint64_t volume, uint64_t until_ns); /* -EPERM: it would get shorter */
int library_pool_lock(struct library *lib, const char *pool, uint64_t until_ns);
/* The later one of the volume's and its pool's; 0: neither, or over. */
uint64_t library_locked_until(struct library *lib, const struct catalog_volume *v);
/* May what is on it be replaced or erased?  0, -EROFS, -EPERM; asked again by who does it, this is for whoever wants to
 * know before a long transfer. */
int library_may_overwrite(struct library *lib, uint64_t volume);
/* For a door at which the tape itself refused (TAPE_E_PROTECTED): was it for a lock?  Then the event is told, -EPERM
 * with words; else 0.  @done: "written over". */
int library_refused(struct library *lib, uint64_t volume, const char *done);
/* For a door at which a writer got ENOSPC: if it was the disk's end and not the tape's, the event is told. */
void library_no_space(struct library *lib, uint64_t volume);
/* volume_restore(), for a volume that nobody uses. -EBUSY, -EROFS, -EPERM, -ENOENT. */
int library_volume_restore(struct library *lib, uint64_t volume, uint64_t generation);

/* ---- space ------------------------------------------------------------------------------------------------------ */

/* Drops generations past their pool's keep time (on the retention clock), then tape_gc() with @cfg.  Also run by
 * itself: soon after a start, a delete or a replace, once an hour, and when space is low.  A dry run tells what both
 * would do. */
struct library_gc_report { uint64_t dropped_generations; struct tape_gc_report tape; };
int library_gc(struct library *lib, const struct tape_gc_config *cfg, struct library_gc_report *out);

/* ---- looking after it ------------------------------------------------------------------------------------------- */

/* One scrub at a time, in a thread of its own at the lowest priority; where it stands survives a restart.  Begins by
 * itself when the last whole one is older than scrub-every. */
struct library_scrub {
	bool running;
	uint64_t rate_bytes;
	uint64_t started_ns, finished_ns;	/* this or the last one; 0: never */
	uint64_t done_packs, all_packs, done_bytes, all_bytes;
	uint64_t chunks, damaged;		/* seen by this or the last one */
};
/* @rate_bytes 0: the store's.  It goes on where one was stopped. */
int library_scrub_start(struct library *lib, uint64_t rate_bytes);
int library_scrub_stop(struct library *lib);
int library_scrub_status(struct library *lib, struct library_scrub *out);

/* The whole structure: catalog, maps, packs, index, the database and its journal.  @repair also gives a tape that the
 * catalog has lost a name there (LOST-<number>, protected, in error, in pool "default"), and queues to be freed what no
 * tape has, if every tape's head is there and can be read and the property gc is on. */
struct library_check_config {
	bool data, repair;
	void (*found)(void *ctx, const char *room, const char *about, const char *what, bool repaired);
	int (*progress)(void *ctx, const char *room, uint64_t done, uint64_t all);	/* non-zero stops */
	void *ctx;
};
struct library_checked {
	struct catalog_checked catalog;
	struct tape_checked tape;
	struct chunk_checked chunk;
	uint64_t faults, repaired;
};
int library_check(struct library *lib, const struct library_check_config *cfg, struct library_checked *out);

/* What is hurt, as tape_each_hurt() has it, of one volume or (0) of all. */
int library_each_hurt(struct library *lib, uint64_t volume, int (*each)(void *ctx, const struct tape_hurt *h),
		      void *ctx);

#endif
