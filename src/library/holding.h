/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holding: one volume that somebody has, and the inside of struct library.
 *
 * Locks, in the order in which they may be taken:
 *   arm     one robot's move at a time
 *   gc      one collection at a time
 *   change  reading, editing and writing back a row of the catalog; also dropping and replacing rows of volumes
 *   place   where each volume is: the tables of places and their rows; the catalog is written while it is held
 *   lock    the holdings, the drives, the collector's wishes, what was refused
 *
 * Apart from these, never held while one of them is taken: the keeper's lock (its damage), the watch's (its watcher and
 * the writers), the scrub's `turn` (starting and stopping it) and under that the scrub's lock (where it stands).
 *
 * Neither a volume nor a drive is called, and nothing is read from or written to the disk, while `lock` is held: a
 * holding or a drive that is on its way is marked busy, and those who want it wait for `turned`.
 */
#ifndef LIBRARY_HOLDING_H
#define LIBRARY_HOLDING_H

#include <vtape/library.h>

#define LIBRARY_BUCKETS 256u

/*
 * close(2) of a file in the mount returns before the release that gives the claim back has arrived (FUSE: RELEASE is
 * asynchronous), so the next open may find the claim of one that is already gone.  Who finds a claim in his way waits
 * this long for it before it is -EBUSY.
 */
#define LIBRARY_PATIENCE_NS 250000000ull

/*
 * While `lock` is not held:
 * 1. vol != NULL if it is used (readers, pins, writer, drive), unless busy.
 * 2. writer excludes readers.
 * 3. refs counts everybody who has a pointer to it, those who wait for it too; it is freed at 0.
 */
struct holding {
	struct holding *next;
	uint64_t id;
	struct volume *vol;	/* NULL: not open */
	unsigned refs;
	unsigned readers;
	unsigned pins;		/* who only looks for a moment: in the way of a change as a whole alone */
	bool writer;
	bool busy;		/* being opened, closed or changed as a whole: wait */
	int drive;		/* where it is loaded, -1: nowhere */
	uint64_t generation, written_ns;	/* when the writer came */
	/* Held from reading the catalog's word to handing it on, so that an older one (without a lock) never comes
	 * last; taken before the catalog's and the volume's locks, while `lock` is not held. */
	pthread_mutex_t refresh;
};

/* A drive and what is around it. */
struct bay {
	struct drive *drive;
	struct holding *held;	/* loaded */
	uint64_t last;		/* what was loaded last, for MTLOAD; 0: nothing yet */
	bool busy;		/* being loaded or unloaded: wait */
	bool open, write, locked;
	bool out;		/* library_drive_out() */
	int (*let_go)(void *ctx);	/* with `lending`; NULL: there is no lender */
	void *lender;
	struct library_writer writer;	/* who has it open, as he said; .door LIBRARY_DOOR_UNKNOWN: he did not */
};

/*
 * Where each volume is: tables of what the catalog's rows say.  A volume is in the drive whose row D names it; else in
 * the slot or port that its row L names; else outside.  The row L of a loaded volume stays, and is the place that it
 * came from: so a drive knows that place over a restart too, and going back there changes one row alone.
 *
 * What changes rows, each in one synced batch, so that a kill finds what was before it or what is behind it:
 *  1. load      the drive has the volume, then D appears
 *  2. unload    the drive has let go and what was written is committed; then D goes, with L if it does not go back
 *  3. a robot   the drives have let go of what leaves them and taken what comes; then all D and L of the move change
 *  4. create, delete, an image that becomes a tape: L with the volume's own rows
 *  5. import, export, and those that have no place yet: L
 * If the batch of 1 or 3 cannot be written the drives go back to what they had; the tape of 2 is out all the same, and
 * the next start finds it in the drive.
 *
 * What a start mends, by what it finds: a drive's volume that is gone or cannot be loaded, or a drive that is no more,
 * gives its tape back as an unload does; of two in one slot (after 2 without its batch, or damage) the volume with the
 * higher number goes to the first free one.
 *
 * While `place` is not held:
 * 1. A volume is in one drive, slot or port at most; slot[] and port[] may say PLACE_COMING: kept free for a move.
 * 2. A bit of free[] is set if that slot is empty; none below first_free is.
 */
#define PLACE_COMING UINT64_MAX
struct places {
	pthread_mutex_t arm, lock;
	uint32_t slots, ports;
	uint64_t *slot, *free;
	uint32_t first_free;
	struct { uint64_t volume; bool imported; } port[LIBRARY_PORTS_MAX];
	struct { uint64_t volume; struct library_place source; } drive[LIBRARY_DRIVES_MAX];
	uint64_t changes, port_changes;
	bool locked;			/* the ports, on the operator's side */
};

/* Who was refused something, by a lock or by a full disk, and when that was told. */
#define LIBRARY_REFUSALS 64u
struct refusal { uint64_t who, told_ns; };

/* library_keep.c */
#define KEEPER_HURTS 256u
struct keeper {
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t wake;
	bool stop;
	struct pack_ref hurt[KEEPER_HURTS];	/* reported, not yet told */
	unsigned hurts;
	uint64_t hurts_more;		/* that found no room */
	bool low;			/* space is */
	uint64_t low_told_ns;		/* monotonic */
};

/* library_watch.c */
#define LIBRARY_WRITERS 1024u
struct watch_writer { uint64_t volume; struct library_writer who; };
struct watch {
	pthread_mutex_t lock;		/* guards what follows; held while the watcher is told */
	void (*tell)(void *ctx, uint64_t volume, enum library_watch what);	/* NULL: there is none */
	void *ctx;
	struct watch_writer writers[LIBRARY_WRITERS];	/* each in the slot of its volume's number */
};

/* library_scrub.c */
struct scrub {
	pthread_mutex_t turn;		/* one starts or stops it at a time; guards thread, thread_made */
	pthread_t thread;
	bool thread_made;		/* to be joined */
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t wake;
	bool stop;
	bool goes_on;			/* by itself after a restart: begun, and neither finished nor stopped by hand */
	struct library_scrub now;
	uint64_t next;			/* the pack that comes next; 0: from the beginning */
	uint64_t stopped_ns;
};

/* library_scrub_row.c.  Of @s only now, next, goes_on and stopped_ns; -EUCLEAN leaves it as it is. */
int scrub_row_pack(const struct scrub *s, struct buf *out);
int scrub_row_unpack(const void *row, size_t len, struct scrub *s);

struct library {
	struct catalog *cat;
	struct kv *kv;
	struct chunk_store *cs;
	struct shelf *shelf;	/* ours */

	pthread_mutex_t gc, change;
	pthread_mutex_t lending;	/* guards who lends which drive, also while one is asked; before `lock` */
	pthread_mutex_t lock;
	pthread_cond_t turned;	/* something became free */
	struct holding *held[LIBRARY_BUCKETS];
	unsigned drives;
	struct bay bay[LIBRARY_DRIVES_MAX];
	struct refusal refused[LIBRARY_REFUSALS];

	pthread_t collector;
	pthread_cond_t wished;	/* it has something to do: its own, for things become free at every read of a member */
	bool collecting, stop, wish;
	bool low;		/* space is */

	struct places places;
	struct keeper keeper;
	struct watch watch;
	struct scrub scrub;
};

/* ---- library.c ---- */

/* As pthread_cond_wait() with `lock`; false once @deadline_ns (monotonic, 0: never) has passed. */
bool library_wait_for(struct library *lib, pthread_cond_t *cond, uint64_t deadline_ns);
/* On `turned`. */
bool library_wait(struct library *lib, uint64_t deadline_ns);
/* The row, -ENOENT with words if there is none. */
int library_row(struct library *lib, uint64_t id, struct catalog_volume *out);
int library_attr(struct library *lib, const struct catalog_volume *row, struct volume_attr *out);
/* "POOL/VOLUME" for events. */
#define LIBRARY_ABOUT_MAX (2 * BARCODE_MAX + 2)
char *library_about(struct library *lib, const struct catalog_volume *row, char out[LIBRARY_ABOUT_MAX]);

/* ---- library_pool.c ---- */

int library_pool(struct library *lib, const char *name, struct catalog_pool *out);	/* -ENOENT with words */
/* What was asked for, or root's with @mode; times that are 0 become now. */
struct catalog_perm library_perm(const struct catalog_perm *perm, uint32_t mode);

/* ---- library_change.c ---- */

/* May what is on it be @done ("erased", "replaced")?  -EROFS: protected, somebody else's; -EPERM: it has data, and is
 * locked or WORM. */
int library_content_may_go(struct library *lib, const struct catalog_volume *row, const char *done);
/* The same for the volume as such ("deleted"): a lock holds for a blank one too. */
int library_volume_may_go(struct library *lib, const struct catalog_volume *row, const char *done);

/* ---- library_expire.c ---- */

/* The state of a row that is about to be written, and what goes or comes with it. */
void row_become(struct catalog_volume *row, enum catalog_state state);
/* There is another content: the date said by hand was for the one before; that it never expires is said of the
 * volume. */
void row_forget_date(struct catalog_volume *row);

/* ---- library_stack.c ---- */

/* The next volume into empty drive @n, which is the caller's if @open; CATALOG_E_NONE: there is no stacker. */
int stack_next(struct library *lib, unsigned n, bool open);

/* ---- library_keep.c ---- */

/* For volume @name?  -ENOSPC with words: any number of them would take what is kept back for commits and deleting. */
int library_has_room(struct library *lib, const char *name);

/* ---- library_lock.c ---- */

/* Once a minute for each @who: has nobody been told of it for so long? */
bool library_worth_telling(struct library *lib, uint64_t who);
/* 0; -EPERM, with words and an event, if a lock is against its being @done ("deleted"). */
int lock_allows(struct library *lib, const struct catalog_volume *row, const char *done);
int lock_allows_pool(struct library *lib, const struct catalog_pool *pool, const char *done);

/* ---- library_site.c ---- */

/* 0; -EROFS with words if another site writes it: it cannot be @done ("erased"). */
int site_allows(struct library *lib, const struct catalog_volume *row, const char *done);
int site_allows_in(struct library *lib, const struct catalog_pool *pool, const char *done);	/* "made in it" */
/* May it be deleted?  Of another site's, only what is a mere registration. */
int site_allows_delete(struct library *lib, const struct catalog_volume *row);
int site_name_taken(struct library *lib, const char *name);	/* -EEXIST: by whom */
/* A pool's access or site is about to change, -EINVAL: not so; its access has, and all who have a volume hear of it. */
int site_pool_becomes(const struct catalog_pool *was, struct catalog_pool *pool);
int site_pool_became(struct library *lib, const struct catalog_pool *was, const struct catalog_pool *pool);

/* ---- library_holding.c ---- */

/* With `lock` held. */
struct holding *held_get(struct library *lib, uint64_t id);		/* one more reference; NULL: no memory */
struct holding *held_find(struct library *lib, uint64_t id);		/* borrowed; NULL: nobody has it */
void held_put(struct library *lib, struct holding *h);			/* one less */
void held_free(struct holding *h);					/* that nobody finds any more */
/* Opens it if it is not; gives up `lock` meanwhile.  The caller has marked his use before. */
int held_open(struct library *lib, struct holding *h);
/* After a use ended: closes it if it was the last one; gives up `lock` meanwhile.  Returns the error of the commit. */
int held_close_if_unused(struct library *lib, struct holding *h);

/* Who is in the way of a claim.  Without `lock`: -EBUSY and the words for it. */
enum held_by { HELD_BY_NOBODY, HELD_BY_DRIVE, HELD_BY_WRITER, HELD_BY_READER };
struct held_by_whom { enum held_by by; int drive; };
/* Without `lock`: who would be in the way of a change as a whole. */
struct held_by_whom held_now(struct library *lib, uint64_t id);
/* With `lock`, given up meanwhile: waits with patience until @how may be had for @drive (-1: for no drive). */
struct held_by_whom held_await(struct library *lib, struct holding *h, enum claim how, int drive);
void held_mark(struct holding *h, enum claim how);
void held_unmark(struct holding *h, enum claim how);
int held_busy(struct library *lib, uint64_t id, struct held_by_whom whom);

/* Without `lock`: @change is called while the volume is closed, nobody has it and nobody gets it.  What it returns;
 * -EBUSY with words.  Two: the lower id outside. */
typedef int (*held_change)(struct library *lib, uint64_t id, void *ctx);
int held_as_whole(struct library *lib, uint64_t id, held_change change, void *ctx);

/* ---- library_claim.c: without `lock` ---- */

int held_begin_write(struct library *lib, struct holding *h);		/* the writer's mark is set */
int held_end_write(struct library *lib, struct holding *h);		/* commits; the writer's mark still is set */
int held_refresh(struct library *lib, uint64_t id);			/* hands the catalog's word on, if it is open */
int held_refresh_all(struct library *lib);				/* the same for all that are open */

/* ---- library_load.c: of a drive that the caller has marked busy ---- */

unsigned bay_number(const struct library *lib, const struct bay *s);
/* Takes `lock` once the drive is not on its way, and no program has it, for which it waits with patience; and if the
 * tape @leaves it, the drive is not locked.  -EBUSY with words, without the lock. */
int bay_lock_idle(struct library *lib, struct bay *s, bool leaves);
/* Without `lock`.  The tape into the drive, and out, which it is even if that fails; its place is the caller's. */
int bay_insert(struct library *lib, struct bay *s, uint64_t volume);
int bay_remove(struct library *lib, struct bay *s);
void bay_tell(struct library *lib, struct bay *s, uint64_t volume, enum event_number what);
void bay_done(struct library *lib, struct bay *s);	/* it is not busy any more */
/* The same two with their places, for the program that has drive @n open; the drive is empty, or not. */
int bay_load_open(struct library *lib, unsigned n, uint64_t volume);
int bay_unload_open(struct library *lib, unsigned n);
uint64_t bay_last(struct library *lib, unsigned n);	/* what was in it last; 0: nothing yet */

/* ---- library_place.c ---- */

int place_enter(struct library *lib, unsigned n, uint64_t volume, bool *news);	/* it is in the drive; was it before? */
int place_leave(struct library *lib, unsigned n, uint64_t volume);		/* back to where it came from */
/* The catalog's verbs of the same names, with the volume's place. */
int place_volume_add(struct library *lib, struct catalog_volume *row, struct kv_batch *with);
int place_volume_put(struct library *lib, const struct catalog_volume *was, const struct catalog_volume *row);
int place_volume_remove(struct library *lib, uint64_t volume, struct kv_batch *with);

/* With `place`. */
int place_of(struct library *lib, uint64_t volume, struct library_place *out);
struct library_place place_first_free(struct library *lib);		/* outside: there is none */
int place_stage(struct kv_batch *b, uint64_t volume, struct library_place at);	/* its row L */
bool place_exists(const struct library *lib, struct library_place at);
uint64_t place_at(const struct library *lib, struct library_place at);	/* 0: empty; PLACE_COMING */
void place_set(struct library *lib, struct library_place at, uint64_t volume);
const char *place_name(struct library_place at, char out[32]);		/* "slot 3", for words */

/* ---- library_place_fill.c ---- */

void places_init(struct library *lib);
void places_fini(struct library *lib);
int places_load(struct library *lib);		/* from the rows; mends */
int places_fill(struct library *lib);		/* a slot for everything that has never been put anywhere */

/* ---- library_gc.c ---- */

int collector_start(struct library *lib);
void collector_stop(struct library *lib);
void collector_wake(struct library *lib);	/* something was dropped: collect soon */
void collector_low(struct library *lib, bool low);	/* space is low, or no longer */

/* ---- library_keep.c ---- */

void keeper_init(struct keeper *k);
int keeper_start(struct library *lib);
void keeper_stop(struct library *lib);		/* tells what was not told yet */
void keeper_fini(struct keeper *k);
/* For chunk_store_on_damage(). */
void keeper_damaged(void *ctx, struct pack_ref ref, const struct digest *d);
/* What its thread does: tells if space is low; returns when to look again, in ns from now. */
uint64_t keeper_look_at_space(struct library *lib);

/* ---- library_watch.c: without any lock ---- */

void watch_tell(struct library *lib, uint64_t volume, enum library_watch what);
/* The program that has drive @s open writes @volume from now on. */
void watch_writer_next(struct library *lib, const struct bay *s, uint64_t volume);
void watch_writer_moves(struct library *lib, uint64_t to, uint64_t from);	/* what @from's wrote is on @to now */
void watch_writer_forget(struct library *lib, uint64_t volume);		/* what is on it now is not from a writer */

/* ---- library_damage.c ---- */

/* An event for each pack among @refs, which are sorted here. @more were not kept. */
void damage_tell(struct library *lib, struct pack_ref *refs, unsigned n, uint64_t more);

/* ---- library_scrub.c ---- */

void scrub_init(struct library *lib);
void scrub_begin_if_due(struct library *lib);
void scrub_end(struct library *lib);

#endif
