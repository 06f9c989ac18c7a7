/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RocksDB behind kv.h: one column family for each space, the write-ahead log always on.
 * Guarantees: a batch is one RocksDB write, so all or nothing; a synced write is in a log file that was fsynced
 * together with the ones before it.  A write that fails with -ENOSPC or -EIO may be found whole after a restart, or not
 * at all: the log may have reached the disk before the error.
 * After a full disk RocksDB refuses every write.  It looks by itself every five seconds whether there is space again,
 * but gives up when its first try fails; so a write that is refused though there is space reopens the database.
 * Damage is reported, never repaired: the index can be rebuilt from the packs, and RocksDB's own repair guesses.
 */
#include "kv/kv_rocks.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* Reopening writes the log's content to tables, so there must be room for all of it before we dare to close. */
#define REOPEN_FREE_BYTES (128u << 20)
#define REOPEN_PAUSE_NS 5000000000u

struct rocks_iter {
	struct kv_iter it;
	struct rocks *rocks;
	rocksdb_iterator_t *rit;
};

static struct rocks *rocks_of(struct kv *kv)
{
	return (struct rocks *)kv;
}

/* ---- what went wrong ---- */

/* RocksDB's C functions tell their results in words only. */
static const struct {
	const char *words;
	int error;
} error_words[] = {
	{ "No space left on device", -ENOSPC },
	{ "Disk quota exceeded", -EDQUOT },
	{ "While lock file", -EBUSY },
	{ "lock hold by current process", -EBUSY },
	{ "Corruption", -EBADMSG },
	{ "Column famil", -EUCLEAN },	/* "... not found", "... not opened": made by something else */
	{ "Read-only file system", -EROFS },
	{ "Permission denied", -EACCES },
	{ "Too many open files", -EMFILE },
	{ "No such file or directory", -EUCLEAN },
	{ "IO error", -EIO },
	{ "Invalid argument", -EINVAL },
};

int rocks_failed(const struct rocks *rk, const char *doing, char *err)
{
	int r = -EIO;

	for (size_t i = 0; i < ARRAY_LEN(error_words); i++)
		if (strstr(err, error_words[i].words)) {
			r = error_words[i].error;
			break;
		}
	r = err_explain(r, "%s: database: %s: %s", rk->dir, doing, err);
	rocksdb_free(err);
	return r;
}

/* ---- opening and closing ---- */

static int open_db(struct rocks *rk)
{
	const rocksdb_options_t *family_options[ROCKS_FAMILIES];
	char *err = NULL;

	for (int f = 0; f < ROCKS_FAMILIES; f++)
		family_options[f] = rk->options.family[f];
	rk->db = rocksdb_open_column_families(rk->options.db, rk->dir, ROCKS_FAMILIES, rocks_family_names,
					      family_options, rk->family, &err);
	return err ? rocks_failed(rk, "cannot open", err) : 0;
}

static void close_db(struct rocks *rk)
{
	if (!rk->db)
		return;
	for (int f = 0; f < ROCKS_FAMILIES; f++)
		rocksdb_column_family_handle_destroy(rk->family[f]);
	rocksdb_close(rk->db);
	rk->db = NULL;
}

/* An orderly end leaves nothing in the log, so that the next start has nothing to replay.  If it cannot, no harm. */
static void flush_memtables(struct rocks *rk)
{
	rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
	char *err = NULL;

	rocksdb_flushoptions_set_wait(o, 1);
	for (int f = 0; rk->db && f < ROCKS_FAMILIES && !err; f++)
		rocksdb_flush_cf(rk->db, o, rk->family[f], &err);
	if (err)
		log_warn("%s: database: left in its log: %s", rk->dir, err);
	rocksdb_free(err);
	rocksdb_flushoptions_destroy(o);
}

static void rocks_free(struct rocks *rk)
{
	close_db(rk);
	rocksdb_writeoptions_destroy(rk->write_sync);
	rocksdb_writeoptions_destroy(rk->write);
	rocksdb_readoptions_destroy(rk->read);
	rocks_options_fini(&rk->options);
	pthread_rwlock_destroy(&rk->lock);
	free(rk->dir);
	free(rk);
}

static void rocks_freep(struct rocks **rk)
{
	if (*rk)
		rocks_free(*rk);
}

static int rocks_new(const char *dir, size_t cache_bytes, struct rocks **out)
{
	struct rocks *rk = calloc(1, sizeof(*rk));

	if (!rk)
		return err_origin(-ENOMEM);
	rk->dir = strdup(dir);
	if (!rk->dir) {
		free(rk);
		return err_origin(-ENOMEM);
	}
	pthread_rwlock_init(&rk->lock, NULL);
	rocks_options_init(&rk->options, cache_bytes);
	rk->read = rocksdb_readoptions_create();
	rk->write = rocksdb_writeoptions_create();
	rk->write_sync = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(rk->write_sync, 1);
	*out = rk;
	return 0;
}

/* What lies in @dir: 0 a database, -ENOENT none, -EUCLEAN what is left of one.  A creation that was cut off before its
 * end has neither tables nor logs, and counts as none. */
static int look(const char *dir)
{
	struct dirent *e;
	int r = -ENOENT;
	DIR *d;

	d = opendir(dir);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.');

		if (!strcmp(e->d_name, "CURRENT")) {
			r = 0;
			break;
		}
		if (dot && (!strcmp(dot, ".sst") || !strcmp(dot, ".log")))
			r = -EUCLEAN;
	}
	closedir(d);
	return r;
}

static void rocks_close(struct kv *kv)
{
	struct rocks *rk = rocks_of(kv);

	assert(rk->iters == 0);
	flush_memtables(rk);
	rocks_free(rk);
}

/* ---- after a full disk ---- */

/* Is it worth a try?  Not under an iterator, not without room, not all the time. */
static bool may_reopen(struct rocks *rk)
{
	uint64_t now = clock_mono_ns();
	struct statvfs st;

	if (rk->iters || (rk->reopened_ns && now - rk->reopened_ns < REOPEN_PAUSE_NS) || statvfs(rk->dir, &st) ||
	    (uint64_t)st.f_bavail * st.f_frsize < REOPEN_FREE_BYTES)
		return false;
	rk->reopened_ns = now;
	return true;
}

/* What was acknowledged is in the log and comes back with it; the write that failed may come back or not. */
static bool reopen(struct rocks *rk)
{
	bool done = false;

	pthread_rwlock_wrlock(&rk->lock);
	if (may_reopen(rk)) {
		close_db(rk);
		done = !open_db(rk);
		log_warn("%s: database: %s after the disk was full", rk->dir,
			 done ? "opened again" : "cannot be opened again");
	}
	pthread_rwlock_unlock(&rk->lock);
	return done;
}

int rocks_use_begin(struct rocks *rk)
{
	for (int tries = 0; tries < 2; tries++) {
		pthread_rwlock_rdlock(&rk->lock);
		if (rk->db)
			return 0;
		pthread_rwlock_unlock(&rk->lock);
		reopen(rk);
	}
	return err_explain(-EIO, "%s: database: closed since the disk was full, cannot be opened again", rk->dir);
}

void rocks_use_end(struct rocks *rk)
{
	pthread_rwlock_unlock(&rk->lock);
}

/* ---- reading ---- */

static int rocks_get(struct kv *kv, enum kv_space s, const void *key, size_t klen, struct buf *value)
{
	struct rocks *rk = rocks_of(kv);
	rocksdb_pinnableslice_t *slice;
	const char *bytes;
	char *err = NULL;
	size_t len;
	int r;

	r = rocks_use_begin(rk);
	if (r)
		return r;
	slice = rocksdb_get_pinned_cf(rk->db, rk->read, rk->family[s], key, klen, &err);
	if (err) {
		r = rocks_failed(rk, "cannot read", err);
	} else if (!slice) {
		r = KV_E_NONE;
	} else {
		bytes = rocksdb_pinnableslice_value(slice, &len);
		value->len = 0;
		r = buf_append(value, bytes, len);
		rocksdb_pinnableslice_destroy(slice);
	}
	rocks_use_end(rk);
	return r;
}

/* The smallest key behind every key that starts with @prefix. */
static void prefix_end(const void *prefix, size_t plen, struct key_bytes *end)
{
	if (plen)
		memcpy(end->b, prefix, plen);
	for (end->len = plen; end->len > 0; end->len--)
		if (++end->b[end->len - 1] != 0)
			return;
	/* No prefix, or one of 0xff only: nothing but the longest key bounds it. */
	memset(end->b, 0xff, sizeof(end->b));
	end->len = sizeof(end->b);
}

/* The upper bound keeps the walk from wading through rows that were deleted behind the prefix. */
static int rocks_any(struct kv *kv, enum kv_space s, const void *prefix, size_t plen)
{
	struct rocks *rk = rocks_of(kv);
	struct key_bytes end;
	rocksdb_readoptions_t *o;
	rocksdb_iterator_t *rit;
	char *err = NULL;
	int r;

	if (plen > KV_KEY_MAX)
		return KV_E_NONE;
	r = rocks_use_begin(rk);
	if (r)
		return r;
	prefix_end(prefix, plen, &end);
	o = rocksdb_readoptions_create();
	rocksdb_readoptions_set_iterate_upper_bound(o, (const char *)end.b, end.len);
	rit = rocksdb_create_iterator_cf(rk->db, o, rk->family[s]);
	rocksdb_iter_seek(rit, prefix, plen);
	r = rocksdb_iter_valid(rit) ? 0 : KV_E_NONE;
	rocksdb_iter_get_error(rit, &err);
	rocksdb_iter_destroy(rit);
	rocksdb_readoptions_destroy(o);
	if (err)
		r = rocks_failed(rk, "cannot read", err);
	rocks_use_end(rk);
	return r;
}

/* ---- writing ---- */

static void add_op(struct rocks *rk, rocksdb_writebatch_t *wb, const struct kv_op *op)
{
	const char *key = (const char *)op->key;
	struct key_bytes end;

	switch (op->change) {
	case KV_PUT:
		rocksdb_writebatch_put_cf(wb, rk->family[op->space], key, op->klen, (const char *)op->val, op->vlen);
		break;
	case KV_DELETE:
		rocksdb_writebatch_delete_cf(wb, rk->family[op->space], key, op->klen);
		break;
	case KV_DELETE_PREFIX:
		prefix_end(op->key, op->klen, &end);
		rocksdb_writebatch_delete_range_cf(wb, rk->family[op->space], key, op->klen, (const char *)end.b,
						   end.len);
		break;
	}
}

static rocksdb_writebatch_t *writebatch_of(struct rocks *rk, const struct kv_batch *b, const struct kv_op *also)
{
	rocksdb_writebatch_t *wb = rocksdb_writebatch_create();
	struct kv_op op;
	size_t at = 0;

	while (kv_batch_next(b, &at, &op))
		add_op(rk, wb, &op);
	if (also)
		add_op(rk, wb, also);
	return wb;
}

static int write_once(struct rocks *rk, const struct kv_batch *b, const struct kv_op *also, bool sync)
{
	rocksdb_writebatch_t *wb;
	char *err = NULL;
	int r;

	r = rocks_use_begin(rk);
	if (r)
		return r;
	/* RocksDB does not sync for a batch without rows. */
	if (kv_batch_count(b) || also) {
		wb = writebatch_of(rk, b, also);
		rocksdb_write(rk->db, sync ? rk->write_sync : rk->write, wb, &err);
		rocksdb_writebatch_destroy(wb);
	} else if (sync) {
		rocksdb_flush_wal(rk->db, 1, &err);
	}
	if (err)
		r = rocks_failed(rk, "cannot write", err);
	rocks_use_end(rk);
	return r;
}

static int rocks_write(struct kv *kv, const struct kv_batch *b, const struct kv_op *also, bool sync)
{
	struct rocks *rk = rocks_of(kv);
	int r;

	r = write_once(rk, b, also, sync);
	if ((r == -ENOSPC || r == -EDQUOT) && reopen(rk))
		r = write_once(rk, b, also, sync);
	return r;
}

/* ---- iterators ---- */

static struct rocks_iter *rocks_iter_of(struct kv_iter *it)
{
	return (struct rocks_iter *)it;
}

static rocksdb_iterator_t *rit_of(struct kv_iter *it)
{
	return rocks_iter_of(it)->rit;
}

static void rocks_iter_free(struct kv_iter *it)
{
	struct rocks_iter *ri = rocks_iter_of(it);

	rocksdb_iter_destroy(ri->rit);
	ri->rocks->iters--;
	free(ri);
}

static void rocks_iter_seek(struct kv_iter *it, const void *key, size_t klen)
{
	rocksdb_iter_seek(rit_of(it), key, klen);
}

static void rocks_iter_seek_back(struct kv_iter *it, const void *key, size_t klen)
{
	rocksdb_iter_seek_for_prev(rit_of(it), key, klen);
}

static void rocks_iter_next(struct kv_iter *it)
{
	rocksdb_iter_next(rit_of(it));
}

static void rocks_iter_prev(struct kv_iter *it)
{
	rocksdb_iter_prev(rit_of(it));
}

static bool rocks_iter_valid(struct kv_iter *it)
{
	return rocksdb_iter_valid(rit_of(it));
}

static const uint8_t *rocks_iter_key(struct kv_iter *it, size_t *len)
{
	return (const uint8_t *)rocksdb_iter_key(rit_of(it), len);
}

static const uint8_t *rocks_iter_value(struct kv_iter *it, size_t *len)
{
	return (const uint8_t *)rocksdb_iter_value(rit_of(it), len);
}

static int rocks_iter_error(struct kv_iter *it)
{
	char *err = NULL;

	rocksdb_iter_get_error(rit_of(it), &err);
	return err ? rocks_failed(rocks_iter_of(it)->rocks, "cannot read", err) : 0;
}

static const struct kv_iter_ops rocks_iter_ops = {
	.free = rocks_iter_free,
	.seek = rocks_iter_seek,
	.seek_back = rocks_iter_seek_back,
	.next = rocks_iter_next,
	.prev = rocks_iter_prev,
	.valid = rocks_iter_valid,
	.key = rocks_iter_key,
	.value = rocks_iter_value,
	.error = rocks_iter_error,
};

static int rocks_iter_new(struct kv *kv, enum kv_space s, struct kv_iter **out)
{
	struct rocks *rk = rocks_of(kv);
	struct rocks_iter *ri;
	int r;

	r = rocks_use_begin(rk);
	if (r)
		return r;
	ri = calloc(1, sizeof(*ri));
	if (ri) {
		ri->it.ops = &rocks_iter_ops;
		ri->rocks = rk;
		ri->rit = rocksdb_create_iterator_cf(rk->db, rk->read, rk->family[s]);
		rk->iters++;
		*out = &ri->it;
	}
	rocks_use_end(rk);
	return ri ? 0 : err_origin(-ENOMEM);
}

/* ---- what it costs ---- */

static uint64_t family_number(struct rocks *rk, int f, const char *property)
{
	uint64_t n = 0;

	return rocksdb_property_int_cf(rk->db, rk->family[f], property, &n) ? 0 : n;
}

static uint64_t folder_bytes(const char *dir)
{
	uint64_t sum = 0;
	struct dirent *e;
	struct stat st;
	DIR *d;

	d = opendir(dir);
	if (!d)
		return 0;
	while ((e = readdir(d)))
		if (!fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	closedir(d);
	return sum;
}

static int rocks_usage(struct kv *kv, struct kv_usage *out)
{
	struct rocks *rk = rocks_of(kv);
	int r;

	r = rocks_use_begin(rk);
	if (r)
		return r;
	*out = (struct kv_usage){ .disk_bytes = folder_bytes(rk->dir) };
	out->memory_bytes = rocksdb_cache_get_usage(rk->options.cache);
	for (int f = 0; f < ROCKS_FAMILIES; f++)
		out->memory_bytes += family_number(rk, f, "rocksdb.cur-size-all-mem-tables") +
				     family_number(rk, f, "rocksdb.estimate-table-readers-mem");
	rocks_use_end(rk);
	return 0;
}

static const struct kv_ops rocks_ops = {
	.close = rocks_close,
	.get = rocks_get,
	.any = rocks_any,
	.write = rocks_write,
	.iter_new = rocks_iter_new,
	.usage = rocks_usage,
	.check = rocks_check,
};

/* ---- the door ---- */

int kv_open(const char *dir, bool create, size_t cache_bytes, struct kv **out)
{
	CLEANUP(rocks_freep) struct rocks *rk = NULL;
	int r;

	r = look(dir);
	if (create && r == 0)
		return err_explain(-EEXIST, "%s: there is a database already", dir);
	if (r == -EUCLEAN)
		return err_explain(r, "%s: database: CURRENT is missing, but its tables are there", dir);
	if (r && !(create && r == -ENOENT))
		return err_explain(r, "%s: no database: %s", dir, strerror(-r));

	r = rocks_new(dir, cache_bytes, &rk);
	if (r)
		return r;
	rocksdb_options_set_create_if_missing(rk->options.db, create);
	/* An older store has none for contents. */
	rocksdb_options_set_create_missing_column_families(rk->options.db, 1);
	r = open_db(rk);
	if (r)
		return r;
	/* From here on a database that is gone is damage, never a reason to make an empty one. */
	rocksdb_options_set_create_if_missing(rk->options.db, 0);
	rocksdb_options_set_create_missing_column_families(rk->options.db, 0);
	rk->kv.ops = &rocks_ops;
	*out = &STEAL(rk)->kv;
	return 0;
}
