/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holding: one volume that somebody has, and the inside of struct library.
 *
 * Locks, in the order in which they may be taken:
 *   gc      one collection at a time
 *   change  reading, editing and writing back a row of the catalog; also dropping and replacing rows of volumes
 *   lock    the holdings, the drives, the collector's wishes, what was refused
 *
 * Apart from these, never held while one of them is taken: the keeper's lock (its damage), the scrub's `turn` (starting
 * and stopping it) and under that the scrub's lock (where it stands).
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
	uint64_t generation;	/* when the writer came */
	/* Held from reading the catalog's word to handing it on, so that an older one (without a lock) never comes last;
	 * taken before the catalog's and the volume's locks, while `lock` is not held. */
	pthread_mutex_t refresh;
};

struct slot {
	struct drive *drive;
	struct holding *held;	/* loaded */
	uint64_t last;		/* what was loaded last, for MTLOAD; 0: nothing yet */
	bool busy;		/* being loaded or unloaded: wait */
	bool open, write, locked;
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
	pthread_mutex_t lock;
	pthread_cond_t turned;	/* something became free, or the collector has a wish */
	struct holding *held[LIBRARY_BUCKETS];
	unsigned drives;
	struct slot slot[LIBRARY_DRIVES_MAX];
	struct refusal refused[LIBRARY_REFUSALS];

	pthread_t collector;
	bool collecting, stop, wish;
	bool low;		/* space is */

	struct keeper keeper;
	struct scrub scrub;
};

/* ---- library.c ---- */

/* As pthread_cond_wait() on `turned`; false once @deadline_ns (monotonic, 0: never) has passed. */
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

/* ---- library_lock.c ---- */

/* Once a minute for each @who: has nobody been told of it for so long? */
bool library_worth_telling(struct library *lib, uint64_t who);
/* 0; -EPERM, with words and an event, if a lock is against its being @done ("deleted"). */
int lock_allows(struct library *lib, const struct catalog_volume *row, const char *done);
int lock_allows_pool(struct library *lib, const struct catalog_pool *pool, const char *done);

/* ---- library_claim.c ---- */

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
/* With `lock`, given up meanwhile: waits with patience until @how may be had for @drive (-1: for no drive). */
struct held_by_whom held_await(struct library *lib, struct holding *h, enum claim how, int drive);
void held_mark(struct holding *h, enum claim how);
void held_unmark(struct holding *h, enum claim how);
int held_busy(struct library *lib, uint64_t id, struct held_by_whom whom);

/* Without `lock`. */
int held_begin_write(struct library *lib, struct holding *h);		/* the writer's mark is set */
int held_end_write(struct library *lib, struct holding *h);		/* commits; the writer's mark still is set */
int held_refresh(struct library *lib, uint64_t id);			/* hands the catalog's word on, if it is open */
/* Closed, nobody has it, and nobody gets it until held_free_again().  -EBUSY with words.  Two: the lower id first. */
int held_take_whole(struct library *lib, uint64_t id, struct holding **out);
void held_free_again(struct library *lib, struct holding *h);

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

/* ---- library_damage.c ---- */

/* An event for each pack among @refs, which are sorted here. @more were not kept. */
void damage_tell(struct library *lib, struct pack_ref *refs, unsigned n, uint64_t more);

/* ---- library_scrub.c ---- */

void scrub_init(struct library *lib);
void scrub_begin_if_due(struct library *lib);
void scrub_end(struct library *lib);

#endif
