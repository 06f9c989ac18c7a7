/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * catalog: what there is.  Pools and their properties, volumes and theirs, names given to tape files, what is loaded
 * where, events, the store's own numbers.  Rows of KV_CATALOG; every change is one batch, synced unless it is an event.
 * What is on a tape is tape/'s.
 */
#ifndef VTAPE_CATALOG_H
#define VTAPE_CATALOG_H

#include <vtape/kv.h>
#include <vtape/util.h>

#define CATALOG_POOL_DEFAULT "default"

/* Owner and times as stat(2) shows them; set by chmod, chown, utimensat. */
struct catalog_perm { uint32_t mode, uid, gid; uint64_t mtime_ns, ctime_ns; };

enum catalog_state { STATE_SCRATCH, STATE_ASSIGNED, STATE_EXPIRED, STATE_MIGRATED, STATE_ERROR,
		     STATE_INCOMING /* an image that is still being written; not a tape yet */ };
enum catalog_access { ACCESS_PRIMARY, ACCESS_SECONDARY, ACCESS_RESTRICTED };
const char *catalog_state_name(enum catalog_state s);		/* "scratch", ... */
const char *catalog_access_name(enum catalog_access a);
int catalog_access_parse(const char *word, enum catalog_access *out);	/* -EINVAL with words */

struct catalog_pool {
	uint32_t id;			/* never used again */
	char name[BARCODE_MAX + 1];
	struct catalog_perm perm;
	/* Properties, by the names of the table in catalog_pool.c: */
	uint8_t codec;			/* compression: none, lz4, zstd (chunk.h's numbers) */
	int32_t level;			/* 0: the codec's default */
	bool verify;			/* compare bytes before sharing */
	bool worm;			/* new volumes are WORM */
	uint64_t record_bytes;		/* of files/: 256 KiB */
	uint64_t capacity_bytes;	/* of new volumes; 0: unlimited */
	uint64_t keep_s;		/* how long an overwritten generation stays: 7 days */
	uint64_t locked_until_ns;	/* retention lock on every volume of it, on the retention clock; 0: none */
	bool contents;			/* what is on its tapes is looked at: contents.h */
	uint64_t expire_s;		/* a volume expires so long after it was last written; 0: never by this */
	bool expire_label;		/* and not before the dates in its labels */
	char scratch[BARCODE_MAX + 1];	/* the pool that its expired volumes go to as scratch; "": they stay in it */
	char barcode[BARCODE_MAX + 1];	/* of the next new volume: a barcode whose last digits count up; "": none */
	enum catalog_access access;	/* of this site towards it */
	uint32_t site;			/* whose it is, 0: ours */
	uint64_t volumes;		/* how many; kept by the catalog */
};

struct catalog_volume {
	uint64_t id;			/* never used again */
	uint32_t pool;
	char name[BARCODE_MAX + 1];	/* barcode and label: unique in the store */
	char serial[17];		/* of the cartridge, unique across sites: 16 hex digits */
	enum catalog_state state;
	enum catalog_access access;
	bool protect, worm;
	/* Its image came with an end of medium word behind it; holds while the generation is still that one. */
	bool image_eom;
	uint64_t image_eom_generation;
	uint64_t capacity_bytes;	/* 0: unlimited */
	uint64_t record_bytes;		/* 0: the pool's */
	uint32_t key_id;		/* 0: not encrypted */
	uint64_t created_ns;
	uint64_t locked_until_ns;	/* retention lock, on the retention clock; 0: none */
	uint64_t expires_ns;		/* said by hand, on the retention clock; 0: as the pool says; CATALOG_NEVER */
	uint64_t assigned_ns;		/* when it became assigned; 0: it is not, or nobody knows */
	uint32_t site;			/* that writes it; 0: ours */
	uint64_t site_generation, site_written_ns;	/* as that site last told of it; 0: nothing told */
	struct catalog_perm perm;
};
#define CATALOG_NEVER UINT64_MAX
/* How a volume may be used here: the stricter word of its own and its pool's. */
static inline enum catalog_access catalog_access_of(const struct catalog_volume *v, const struct catalog_pool *p)
{
	return v->access > p->access ? v->access : p->access;
}

/*
 * Sites.  Ours is number 0, its id is the store's; others are registered by hand, or come with what they send.  Labels
 * are unique over all sites: a volume of another site that is known here is a row of its own (access secondary or
 * restricted), or, if one with that label and another serial was here already, a clash.
 */
struct catalog_site {
	uint32_t number;		/* 0: ours */
	char name[BARCODE_MAX + 1];
	char id[33];			/* 32 hex digits; "": not known yet */
	char note[128];
	uint64_t added_ns, heard_ns;	/* heard: when it last told of its volumes; 0: never */
};
/* One label at two sites: theirs is told here and nothing more is done with it, until one of them is renamed. */
struct catalog_clash { uint32_t site; char name[BARCODE_MAX + 1], serial[17]; uint64_t found_ns; };

enum { CATALOG_E_NONE = 1, CATALOG_E_EXISTS, CATALOG_E_NOT_EMPTY };

struct catalog;
/* Creates what is missing (schema, pool "default"). @kv borrowed.  -EPROTO with words if the schema is another. */
int catalog_open(struct kv *kv, struct catalog **out);
struct catalog *catalog_close(struct catalog *c);

/* Pools.  Safe from any thread; out-structs are copies. */
/* _EXISTS; -EINVAL with words for a bad name. */
int catalog_pool_create(struct catalog *c, const char *name, const struct catalog_perm *perm, struct catalog_pool *out);
int catalog_pool_get(struct catalog *c, const char *name, struct catalog_pool *out);		/* _NONE */
int catalog_pool_by_id(struct catalog *c, uint32_t id, struct catalog_pool *out);		/* _NONE */
int catalog_pool_put(struct catalog *c, const struct catalog_pool *p);	/* by id; a new name must be free: _EXISTS */
int catalog_pool_destroy(struct catalog *c, uint32_t id);		/* _NOT_EMPTY */
/* In order of name; non-zero from @each stops and is returned.  One whose row is damaged is passed over, the check
 * tells of it. */
int catalog_pool_each(struct catalog *c, int (*each)(void *ctx, const struct catalog_pool *p), void *ctx);

/* The properties as words, for `vtape pool set/get`.  -ENOENT unknown, -EINVAL bad value, both with words. */
struct catalog_prop { const char *name, *values, *help; };
const struct catalog_prop *catalog_pool_props(size_t *count);
int catalog_pool_prop_get(const struct catalog_pool *p, const char *prop, struct buf *text);
int catalog_pool_prop_set(struct catalog_pool *p, const char *prop, const char *value);

/* Volumes. */
int catalog_volume_new_id(struct catalog *c, uint64_t *id);	/* a number nobody had */
/* Adds @v (id from catalog_volume_new_id(), serial is made here if empty). @with: rows of others that belong to it,
 * written in the same batch, may be NULL.  _EXISTS if the name is taken; _NONE if the pool is gone. */
int catalog_volume_add(struct catalog *c, struct catalog_volume *v, struct kv_batch *with);
int catalog_volume_get(struct catalog *c, const char *name, struct catalog_volume *out);	/* _NONE */
int catalog_volume_by_id(struct catalog *c, uint64_t id, struct catalog_volume *out);
/* By id; name and pool may change: _EXISTS. */
int catalog_volume_put(struct catalog *c, const struct catalog_volume *v, struct kv_batch *with);
int catalog_volume_remove(struct catalog *c, uint64_t id, struct kv_batch *with);
/* Volumes of a pool in order of name, from the first name > @after ("" for all).  Non-zero from @each stops.  Of one
 * whose row is damaged nothing is known but id, pool and name; STATE_ERROR, protected, locked. */
int catalog_volume_each(struct catalog *c, uint32_t pool, const char *after,
			int (*each)(void *ctx, const struct catalog_volume *v), void *ctx);

/* Names given to tape files (files/): valid while the tape file's closing mark is still the one it was. */
struct catalog_file {
	uint64_t file;			/* its number on the tape */
	uint64_t mark_object;		/* its closing mark */
	uint64_t stretch;		/* volume_stretch() of that mark */
	char name[256];
	struct catalog_perm perm;
};
int catalog_file_put(struct catalog *c, uint64_t volume, const struct catalog_file *f);
int catalog_file_get(struct catalog *c, uint64_t volume, uint64_t file, struct catalog_file *out);	/* _NONE */
/* The last on the tape of that name, among tape files below @before, so that the next candidate can be asked for when
 * one is no longer valid; _NONE. */
int catalog_file_find_before(struct catalog *c, uint64_t volume, const char *name, uint64_t before,
			     struct catalog_file *out);

/* Bytes that belong to a volume and are no tape yet: the unfinished end of an image that is being written. */
int catalog_tail_put(struct catalog *c, uint64_t volume, const void *p, size_t n);	/* n == 0 removes */
int catalog_tail_get(struct catalog *c, uint64_t volume, struct buf *out);		/* empty if none */

/* Which volume is in which drive; survives a restart. */
int catalog_drive_put(struct catalog *c, uint32_t drive, uint64_t volume);	/* 0: empty */
int catalog_drive_get(struct catalog *c, uint32_t drive, uint64_t *volume);

/* Does a drive load the next volume by itself when one was unloaded by a program?  The next scratch of a pool, or of a
 * pool the one that comes next in the order of names. */
enum catalog_stacker_mode { STACKER_OFF, STACKER_SCRATCH, STACKER_ALL };
struct catalog_stacker { enum catalog_stacker_mode mode; uint32_t pool; };
int catalog_stacker_put(struct catalog *c, uint32_t drive, const struct catalog_stacker *s);
int catalog_stacker_get(struct catalog *c, uint32_t drive, struct catalog_stacker *out);	/* never set: off */

/* Where a volume is when it is in no drive, see library.h; survives a restart.  A volume without a row has not been put
 * anywhere yet. */
enum catalog_place_kind { PLACE_OUTSIDE, PLACE_SLOT, PLACE_PORT };
struct catalog_place {
	enum catalog_place_kind kind;
	uint32_t number;		/* of the slot or port, from 0 */
	bool imported;			/* an operator put it into the port, not the robot */
};
#define CATALOG_SLOTS_MAX 60000u
#define CATALOG_PORTS_MAX 256u
/* Rows that change together: staged in @b, written by catalog_write() as one, or with a volume's own rows. */
int catalog_drive_stage(struct kv_batch *b, uint32_t drive, uint64_t volume);			/* 0: empty */
int catalog_place_stage(struct kv_batch *b, uint64_t volume, const struct catalog_place *p);
int catalog_write(struct catalog *c, struct kv_batch *b);
int catalog_place_put(struct catalog *c, uint64_t volume, const struct catalog_place *p);
int catalog_place_get(struct catalog *c, uint64_t volume, struct catalog_place *out);		/* _NONE */
int catalog_place_each(struct catalog *c, int (*each)(void *ctx, uint64_t volume, const struct catalog_place *p),
		       void *ctx);

/* Attributes of the cartridge's memory (MAM) that hosts write, SPC-4 7.4.  They go with the volume. */
#define CATALOG_MAM_MAX 4096u
enum catalog_mam_format { MAM_BINARY, MAM_ASCII, MAM_TEXT };
struct catalog_mam { uint32_t partition; uint16_t id; enum catalog_mam_format format; };
/* @n 0: it goes.  -EINVAL with words if it is longer than CATALOG_MAM_MAX; _NONE if the volume is gone. */
int catalog_mam_put(struct catalog *c, uint64_t volume, const struct catalog_mam *a, const void *p, size_t n);
int catalog_mam_get(struct catalog *c, uint64_t volume, uint32_t partition, uint16_t id,
		    enum catalog_mam_format *format, struct buf *out);				/* _NONE */
/* In order of id, from @from on; one that is damaged comes with @p NULL and @n 0. */
int catalog_mam_each(struct catalog *c, uint64_t volume, uint32_t partition, uint16_t from,
		     int (*each)(void *ctx, const struct catalog_mam *a, const void *p, size_t n), void *ctx);

/* SCSI units, as `vtape scsi` set them up: drives 0.. and one changer. */
#define CATALOG_UNIT_CHANGER UINT32_MAX
struct catalog_unit {
	uint32_t number;		/* of the drive, or CATALOG_UNIT_CHANGER */
	char model[24];			/* a row of scsi/'s tables */
	/* "" or 0: the model's, or made from the store's number. */
	char vendor[9], product[17], revision[5], serial[33];
	uint64_t naa;
};
int catalog_unit_put(struct catalog *c, const struct catalog_unit *u);	/* model "": goes */
int catalog_unit_get(struct catalog *c, uint32_t number, struct catalog_unit *out);		/* _NONE */
/* Set up whenever the daemon starts: `vtape scsi up` says yes, `down` no.  With how many slots and ports;
 * @no_loopback: backstores only, for an iSCSI target. */
struct catalog_scsi { bool up, no_loopback; uint32_t slots, ports; };
int catalog_scsi_put(struct catalog *c, const struct catalog_scsi *s);
int catalog_scsi_get(struct catalog *c, struct catalog_scsi *out);	/* never set: down, 0 and 0 */

/* Properties of the store as a whole, by the names of the table in catalog_store.c, for `vtape set/get`. */
struct catalog_store {
	uint64_t scrub_every_s;		/* scrub-every: age the last scrub may have; 30 days; 0: never by itself */
	uint64_t scrub_rate_bytes;	/* scrub-rate: in a second; 32 MiB */
	uint64_t gc_rate_bytes;		/* gc-rate: copied in a second; 64 MiB; 0: as fast as it goes */
	uint32_t gc_live_percent;	/* gc-live: packs with less than this in use are copied forward; 70 */
	bool gc_off;			/* gc: nothing is freed; set when a database was made anew and maps were lost */
};
int catalog_store_get(struct catalog *c, struct catalog_store *out);
int catalog_store_put(struct catalog *c, const struct catalog_store *s);
const struct catalog_prop *catalog_store_props(size_t *count);
int catalog_store_prop_get(const struct catalog_store *s, const char *prop, struct buf *text);
int catalog_store_prop_set(struct catalog_store *s, const char *prop, const char *value);

/*
 * The retention clock's row: its time, the machine's boot and CLOCK_BOOTTIME then.  catalog_open() sets util's
 * clock_retention_ns() from it: after the same boot the time since then is added, whatever the wall clock says.  After
 * another boot the time in between is unknown: the clock goes on from the row, and while the wall clock is ahead it
 * follows at 24 times its speed.  A new store begins at the wall clock.
 * catalog_clock_tick() does that following, and writes the row; to be called once a minute or so, and at the end.
 */
int catalog_clock_tick(struct catalog *c);

/* Where a walk that goes on over days stands (scrub).  @n == 0 removes; empty if none. */
int catalog_work_put(struct catalog *c, const char *name, const void *p, size_t n);
int catalog_work_get(struct catalog *c, const char *name, struct buf *out);

/* Rows that speak of each other do: names, numbers, pools' counts and members, files, drives; against @heads_has, which
 * says whether a volume has a head (0), has none (> 0).  @repair: whatever another row tells. */
struct catalog_check_config {
	bool repair;
	int (*has_head)(void *ctx, uint64_t volume);
	void (*found)(void *ctx, const char *what, bool repaired);
	void *ctx;
};
struct catalog_checked { uint64_t pools, volumes, files, events, faults, repaired; };
int catalog_check(struct catalog *c, const struct catalog_check_config *cfg, struct catalog_checked *out);

/* Sites.  A name is a site's alone, upper and lower case being one. */
#define CATALOG_SITES_MAX 1000u
#define CATALOG_SITE_LOCAL "local"	/* what ours is called until it gets a name */
/* .number UINT32_MAX: a new one; _EXISTS the name or id.  -EINVAL, -ENOSPC with words. */
int catalog_site_put(struct catalog *c, struct catalog_site *s);
int catalog_site_get(struct catalog *c, const char *name, struct catalog_site *out);		/* _NONE */
int catalog_site_by_number(struct catalog *c, uint32_t number, struct catalog_site *out);
/* With its clashes.  _NOT_EMPTY: volumes or pools of it are here (this looks at all of them); _NONE. */
int catalog_site_remove(struct catalog *c, uint32_t number);
int catalog_site_each(struct catalog *c, int (*each)(void *ctx, const struct catalog_site *s), void *ctx);
int catalog_clash_put(struct catalog *c, const struct catalog_clash *k);
int catalog_clash_remove(struct catalog *c, uint32_t site, const char *name);			/* _NONE */
/* The first of that label; _NONE. */
int catalog_clash_find(struct catalog *c, const char *name, struct catalog_clash *out);
int catalog_clash_each(struct catalog *c, int (*each)(void *ctx, const struct catalog_clash *k), void *ctx);

/* Events. */
enum event_severity { EVENT_INFO, EVENT_WARNING, EVENT_ERROR };
struct catalog_event {
	uint64_t seq;			/* from 1, never used again */
	uint64_t time_ns;
	uint16_t number;		/* what happened: vtape(7), "Events" */
	enum event_severity severity;
	char about[2 * BARCODE_MAX + 2];	/* "POOL/VOLUME", "nst0", "" */
	char text[256];
};
/* The numbers; each has a row in catalog_event.c (severity, name). */
enum event_number {
	EVENT_STORE_CREATED = 100, EVENT_MOUNTED = 101, EVENT_UNMOUNTED = 102, EVENT_RECOVERED = 103,
	EVENT_POOL_CREATED = 200, EVENT_POOL_CHANGED = 201, EVENT_POOL_DESTROYED = 202,
	EVENT_VOLUME_CREATED = 300, EVENT_VOLUME_CHANGED = 301, EVENT_VOLUME_ERASED = 302, EVENT_VOLUME_DELETED = 303,
	EVENT_VOLUME_MOVED = 304, EVENT_VOLUME_OVERWRITTEN = 305, EVENT_VOLUME_IMPORTED = 306,
	EVENT_VOLUME_REPLACED = 307, EVENT_VOLUME_RESTORED = 308, EVENT_LOCKED = 309, EVENT_LOCK_REFUSED = 310,
	EVENT_VOLUME_EXPIRED = 311, EVENT_VOLUME_SCRATCHED = 312, EVENT_LABELLED = 313,
	EVENT_LOADED = 400, EVENT_UNLOADED = 401, EVENT_SCSI_FAILED = 402, EVENT_NO_SCRATCH = 403,
	EVENT_WRITE_FAILED = 500, EVENT_CHUNK_DAMAGED = 502, EVENT_NO_SPACE = 503,
	EVENT_PACK_LOST = 504, EVENT_CLOCK = 505, EVENT_CHECK_FAILED = 506,
	EVENT_SPACE_FREED = 600, EVENT_SCRUBBED = 601, EVENT_CHECKED = 602, EVENT_REBUILT = 603,
	EVENT_EXPIRED = 604, EVENT_CONTENTS_LIMITED = 605, EVENT_HOOK_FAILED = 606,
	EVENT_SITE_ADDED = 700, EVENT_SITE_CHANGED = 701, EVENT_SITE_REMOVED = 702, EVENT_CLASH = 703,
	EVENT_REGISTERED = 704, EVENT_TAKEN_OVER = 705,
};
/* Stored without waiting for the disk (an event is no promise), logged too.  At most 100,000 are kept. */
void catalog_event(struct catalog *c, enum event_number n, const char *about, const char *fmt, ...) PRINTF_LIKE(4, 5);
const char *event_name(unsigned number);
const char *event_severity_name(enum event_severity s);
enum event_severity event_severity(unsigned number);
unsigned event_number_at(size_t i);			/* of row @i of the table; 0 behind the last */
int event_parse(const char *name, unsigned *number);	/* -EINVAL with words */
int event_severity_parse(const char *word, enum event_severity *out);	/* -EINVAL with words */
/* Names of events with commas between them; "": all. */
int event_list_check(const char *list);			/* -EINVAL with words */
bool event_list_has(const char *list, unsigned number);
/* In order from @since_seq; non-zero from @each stops. */
int catalog_event_each(struct catalog *c, uint64_t since_seq, int (*each)(void *ctx, const struct catalog_event *e),
		       void *ctx);
uint64_t catalog_event_last(struct catalog *c);
/* Who is told of each event once it is stored, or could not be (.seq 0); quick, and without a call to the catalog.
 * NULL: nobody any more (then it does not run, nor will it). */
void catalog_event_listen(struct catalog *c, void (*tell)(void *ctx, const struct catalog_event *e), void *ctx);

/* Hooks: programs that are run for events. */
#define CATALOG_HOOKS_MAX 64u
#define CATALOG_HOOK_TIMEOUT_MAX_S 86400u
struct catalog_hook {
	char name[BARCODE_MAX + 1];
	bool off;
	enum event_severity least;	/* events of at least this */
	char events[512];		/* names of events, with commas; "": all */
	char program[1024];		/* an absolute path, and what follows it, cut at spaces, are its arguments */
	uint32_t timeout_s;
};
/* New, or in the place of the one of that name.  -EINVAL with words; -ENOSPC: there are CATALOG_HOOKS_MAX. */
int catalog_hook_put(struct catalog *c, const struct catalog_hook *h);
int catalog_hook_get(struct catalog *c, const char *name, struct catalog_hook *out);		/* _NONE */
int catalog_hook_remove(struct catalog *c, const char *name);					/* _NONE */
/* In order of name; one whose row is damaged is passed over, the check tells of it. */
int catalog_hook_each(struct catalog *c, int (*each)(void *ctx, const struct catalog_hook *h), void *ctx);
/* Never hook-failed, which would be of itself. */
bool catalog_hook_wants(const struct catalog_hook *h, const struct catalog_event *e);

#endif
