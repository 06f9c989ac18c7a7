/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making the database anew.  Everything but the index is in the journal, the index is in the packs.
 *
 * What a kill or a power cut leaves behind each step:
 *  1. STORE/db.new is made, filled from the journal and from packs,      the store as it was; the next one begins anew
 *     checked, mended, synced, closed
 *  2. STORE/db is renamed to STORE/db.old-TIME                           no database: the store does not open, and
 *                                                                        says that it is to be rebuilt; as after 1
 *  3. STORE/db.new is renamed to STORE/db, the folder synced             the store opens
 *  4. if the journal had lost something, or did not help, it is renamed  with the database and the old journal it may
 *     to STORE/journal.old-TIME                                          not open: then it is rebuilt once more
 *  5. the store is opened, a checkpoint written, all of it checked       the store opens
 * Before 4 nothing that was there is changed but packs that a crash left open, which step 1 finishes as a start would;
 * nothing is removed but a db.new and such a pack in which there is nothing.
 *
 * Where the journal has holes or is gone, what can be read of the old database is asked: whichever of the two is whole
 * is taken, or else the journal, or else what there is.
 */
#include "daemon/rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CACHE_BYTES (64u << 20)
#define COPY_ROWS 1000u		/* of the old database, in one batch */

enum source { FROM_NOTHING, FROM_JOURNAL, FROM_DATABASE };
static const char *const source_names[] = { "nothing", "journal", "database" };

struct rebuild {
	struct wire *w;
	struct ctl_reply *reply;
	char db[PATH_MAX], fresh[PATH_MAX], journal[PATH_MAX];
	char old_db[PATH_MAX], old_journal[PATH_MAX];	/* "" as long as nothing has that name */
	struct kv *kv;
	enum source source;
	bool has_journal;
	struct kv_replayed replayed;
	struct chunk_rebuilt packs;
	struct library_checked checked;
	const char *step;
	uint64_t lost;		/* parts of the journal or the old database */
};

/* ---- telling ---------------------------------------------------------------------------------------------------- */

static int step(struct rebuild *re, const char *what, uint64_t done, uint64_t total)
{
	re->step = what;
	return ctl_reply_progress(re->reply, json_pack("{s:s, s:I, s:I}", "step", what, "done", (json_int_t)done,
						       "total", (json_int_t)total));
}

static void tell(struct rebuild *re, const char *what)
{
	json_t *row = json_pack("{s:s}", "what", what);

	log_info("rebuild-index: %s", what);
	if (row)
		ctl_reply_row(re->reply, row);
}

static void bad_journal(void *ctx, const char *what)
{
	tell(ctx, what);
}

static void found(void *ctx, const char *what, bool repaired)
{
	char line[512];

	snprintf(line, sizeof(line), "%.500s%s", what, repaired ? " (mended)" : "");
	tell(ctx, line);
}

static int pack_progress(void *ctx, uint64_t done, uint64_t all)
{
	return step(ctx, "reading packs", done, all);
}

/* ---- folders ---------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path) < 0 ? -errno : 0;
}

static int remove_tree(const char *path)
{
	int r = nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);

	if (r == -1)
		r = -errno;
	return !r || r == -ENOENT ? 0 : err_explain(r, "cannot remove %s: %s", path, strerror(-r));
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Renames @path to "@path.old-TIME" if it is there. */
static int put_aside(struct rebuild *re, const char *path, char out[PATH_MAX])
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;
	int r = 0;

	if (!is_there(path))
		return 0;
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	r = io_path(out, PATH_MAX, "%s.old-%s", path, stamp);
	/* Twice in a second. */
	for (int i = 2; !r && is_there(out); i++)
		r = io_path(out, PATH_MAX, "%s.old-%s-%d", path, stamp, i);
	if (!r && rename(path, out) < 0)
		r = err_explain(-errno, "cannot rename %s to %s: %s", path, out, strerror(errno));
	return r ? r : io_fsync_dir(re->w->path);
}

/* ---- rows from what there is ------------------------------------------------------------------------------------ */

static int fresh_database(struct rebuild *re)
{
	int r;

	re->kv = kv_close(re->kv);
	r = remove_tree(re->fresh);
	if (!r && mkdir(re->fresh, 0700) < 0)
		r = err_explain(-errno, "cannot make %s: %s", re->fresh, strerror(errno));
	return r ? r : kv_open(re->fresh, true, CACHE_BYTES, &re->kv);
}

static int from_journal(struct rebuild *re)
{
	int r = fresh_database(re);

	if (!r)
		r = step(re, "reading the journal", 0, 0);
	if (!r)
		r = kv_journal_replay(re->journal, re->kv, bad_journal, re, &re->replayed);
	re->lost = r ? 1 : re->replayed.lost;
	return r;
}

static int copy_space(struct rebuild *re, struct kv *from, enum kv_space s)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	const uint8_t *k, *v;
	size_t klen, vlen;
	int r = kv_batch_new(&b);

	r = r ? r : kv_iter_new(from, s, &it);
	if (r)
		return r;
	for (kv_iter_seek(it, "", 0); !r && kv_iter_valid(it); kv_iter_next(it)) {
		k = kv_iter_key(it, &klen);
		v = kv_iter_value(it, &vlen);
		r = kv_batch_put(b, s, k, klen, v, vlen);
		re->replayed.rows++;
		if (!r && kv_batch_count(b) >= COPY_ROWS) {
			r = kv_write(re->kv, b, false);
			kv_batch_clear(b);
		}
	}
	if (!r)
		r = kv_write(re->kv, b, false);
	if (!r && kv_iter_error(it)) {
		re->lost++;
		tell(re, "a part of the old database cannot be read");
	}
	return r;
}

/* < 0 only if the new one cannot be written. */
static int from_database(struct rebuild *re)
{
	static const enum kv_space spaces[] = { KV_CATALOG, KV_MAP, KV_PACK };
	struct kv *from = NULL;
	int r = fresh_database(re);

	re->replayed = (struct kv_replayed){ 0 };
	re->lost = 0;
	if (!r)
		r = step(re, "reading the old database", 0, 0);
	if (r)
		return r;
	if (!is_there(re->db) || kv_open(re->db, false, CACHE_BYTES, &from)) {
		re->lost = 1;
		return 0;
	}
	for (size_t i = 0; !r && i < ARRAY_LEN(spaces); i++)
		r = copy_space(re, from, spaces[i]);
	kv_close(from);
	return r;
}

static int rows(struct rebuild *re)
{
	int r = 0;

	re->has_journal = is_there(re->journal);
	if (re->has_journal) {
		r = from_journal(re);
		re->source = FROM_JOURNAL;
		if (r == -EPIPE || (!r && !re->lost))
			return r;
	}
	tell(re, re->has_journal ? "the journal is damaged" : "there is no journal");
	r = from_database(re);
	if (r)
		return r;
	if (!re->lost || !re->has_journal) {
		re->source = re->replayed.rows ? FROM_DATABASE : FROM_NOTHING;
		tell(re, re->source == FROM_DATABASE ? "what the tapes hold was taken from the old database"
						     : "only the index was made: all tapes and their names are gone");
		return 0;
	}
	tell(re, "the old database is damaged too: what can be read of the journal was taken");
	r = from_journal(re);
	/* Not one checkpoint or log of it: what is left is the index. */
	return r == -EPIPE ? r : 0;
}

/* ---- the rest --------------------------------------------------------------------------------------------------- */

static int index_of_packs(struct rebuild *re)
{
	const struct chunk_check_config cfg = { .repair = true, .found = found, .progress = pack_progress, .ctx = re };
	struct packs *packs = NULL;
	char dir[PATH_MAX];
	int r = io_path(dir, sizeof(dir), "%s/packs", re->w->path);

	if (!r)
		r = packs_open(dir, &packs);
	if (!r)
		r = chunk_store_rebuild(re->kv, packs, &cfg, &re->packs);
	packs_close(packs);
	return r;
}

static void tape_found(void *ctx, uint64_t volume, const char *what, bool repaired)
{
	char line[512];

	snprintf(line, sizeof(line), "volume number %llu: %s", (unsigned long long)volume, what);
	found(ctx, volume ? line : what, repaired);
}

static int tape_progress(void *ctx, uint64_t done)
{
	return step(ctx, "checking tapes", done, 0);
}

static int has_head(void *ctx, uint64_t volume)
{
	const struct rebuild *re = ctx;
	struct volume_stat st;
	int r = volume_peek(re->kv, volume, &st);

	return r == -ENOENT ? 1 : 0;	/* one that is damaged is one */
}

/* Packs that no map names any more may be all that is left of a tape: until somebody says so, nothing is freed. */
static int keep_packs(struct rebuild *re, struct catalog *cat)
{
	struct catalog_store props;
	int r;

	if (!re->lost && re->source != FROM_NOTHING)
		return 0;
	r = err_fold(catalog_store_get(cat, &props));
	if (r)
		return r;
	props.gc_off = true;
	tell(re, "no space is freed until `vtape set gc=on`: the packs may hold what was lost");
	return err_fold(catalog_store_put(cat, &props));
}

/* Collecting trusts the rows that say which packs are in use: they are put right before anybody can collect. */
static int check_rows(struct rebuild *re)
{
	const struct tape_check_config tape = { .repair = true, .found = tape_found, .progress = tape_progress,
						.ctx = re };
	const struct catalog_check_config catalog = { .repair = true, .has_head = has_head, .found = found, .ctx = re };
	struct wire part = { .lock_fd = -1, .head = re->w->head, .kv = re->kv };
	struct catalog_checked catalog_done;
	struct tape_checked tape_done;
	struct shelf *shelf = NULL;
	int r;

	memcpy(part.path, re->w->path, sizeof(part.path));
	r = wire_build_rooms(&part);
	if (!r)
		r = shelf_new(part.kv, part.chunks, &shelf);
	if (!r)
		r = err_fold(tape_check(shelf, &tape, &tape_done));
	if (!r)
		r = err_fold(catalog_check(part.catalog, &catalog, &catalog_done));
	shelf_free(shelf);
	if (!r)
		r = keep_packs(re, part.catalog);
	part.kv = NULL;		/* ours */
	wire_close(&part);
	return r;
}

/* Step 1 ends: all of it is on disk. */
static int finish(struct rebuild *re)
{
	CLEANUP(kv_batch_freep) struct kv_batch *none = NULL;
	int r = kv_batch_new(&none);

	if (!r)
		r = kv_write(re->kv, none, true);
	re->kv = kv_close(re->kv);
	return r ? r : io_fsync_dir(re->fresh);
}

/* Steps 2 to 4. */
static int swap(struct rebuild *re)
{
	int r = put_aside(re, re->db, re->old_db);

	if (!r && rename(re->fresh, re->db) < 0)
		r = err_explain(-errno, "cannot rename %s to %s: %s", re->fresh, re->db, strerror(errno));
	if (!r)
		r = io_fsync_dir(re->w->path);
	if (!r && re->has_journal && (re->lost || re->source != FROM_JOURNAL))
		r = put_aside(re, re->journal, re->old_journal);
	return r;
}

static void check_found(void *ctx, const char *room, const char *about, const char *what, bool repaired)
{
	char line[512];

	snprintf(line, sizeof(line), "%s: %s%s%s", room, about ? about : "", about && *about ? ": " : "", what);
	found(ctx, line, repaired);
}

static int check_progress(void *ctx, const char *room, uint64_t done, uint64_t all)
{
	return step(ctx, "checking", done, all);
}

/* Step 5. */
static int prove(struct rebuild *re)
{
	const struct library_check_config cfg = { .repair = true, .found = check_found, .progress = check_progress,
						  .ctx = re };
	/* With every drive that there can be: of one that is not there what it has would go into a slot. */
	int r = wire_build(re->w, false, LIBRARY_DRIVES_MAX);

	if (r)
		return r;
	catalog_event(re->w->catalog, EVENT_REBUILT, "",
		      "the database was made anew: %llu rows from %s, %llu chunks from %llu packs%s",
		      (unsigned long long)re->replayed.rows, source_names[re->source],
		      (unsigned long long)re->packs.chunks, (unsigned long long)re->packs.packs,
		      re->lost ? "; something was lost" : "");
	r = step(re, "writing a checkpoint", 0, 0);
	if (!r)
		r = kv_checkpoint(re->w->kv);
	if (!r)
		r = err_fold(library_check(re->w->library, &cfg, &re->checked));
	return r;
}

static int rebuild_run(struct rebuild *re)
{
	int r = rows(re);

	if (!r)
		r = index_of_packs(re);
	if (!r)
		r = check_rows(re);
	if (!r)
		r = finish(re);
	re->kv = kv_close(re->kv);
	if (!r)
		r = swap(re);
	return r ? r : prove(re);
}

/* ---- the request ------------------------------------------------------------------------------------------------ */

static const char *name_or_null(const char *s)
{
	return *s ? s : NULL;
}

static json_t *answer(const struct rebuild *re)
{
	uint64_t left = re->checked.faults - re->checked.repaired + re->lost + re->packs.unreadable;

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:s?}", "source",
			 source_names[re->source], "rows", (json_int_t)re->replayed.rows, "batches",
			 (json_int_t)re->replayed.batches, "lost", (json_int_t)re->lost, "packs",
			 (json_int_t)re->packs.packs, "chunks", (json_int_t)re->packs.chunks, "unreadable",
			 (json_int_t)re->packs.unreadable, "volumes", (json_int_t)re->checked.tape.volumes,
			 "generations", (json_int_t)re->checked.tape.generations, "left",
			 (json_int_t)left + (re->source == FROM_NOTHING), "old_database", name_or_null(re->old_db),
			 "old_journal", name_or_null(re->old_journal));
}

static int serve_rebuild(struct wire *w, struct ctl_reply *reply, json_t **ok)
{
	struct rebuild re = { .w = w, .reply = reply };
	int r = io_path(re.db, sizeof(re.db), "%s/db", w->path);

	if (!r)
		r = io_path(re.fresh, sizeof(re.fresh), "%s/db.new", w->path);
	if (!r)
		r = io_path(re.journal, sizeof(re.journal), "%s/journal", w->path);
	if (!r)
		r = rebuild_run(&re);
	if (!r && !(*ok = answer(&re)))
		r = err_origin(-ENOMEM);
	return r;
}

int rebuild_request(void *ctx, const char *verb, const json_t *req, int fd, struct ctl_reply *reply, json_t **ok)
{
	struct wire *w = ctx;

	if (!strcmp(verb, "version")) {
		*ok = json_pack("{s:s}", "version", VTAPE_VERSION);
		return 0;
	}
	if (!strcmp(verb, "rebuild") && !w->library)
		return serve_rebuild(w, reply, ok);
	return err_explain(-EBUSY, "the store is being rebuilt");
}
