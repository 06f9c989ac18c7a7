/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is a database of RocksDB whole?  Reads every block of every table from the disk, caches forgotten before, and lets
 * RocksDB compare its sums.  It finds what is damaged and says which space and file; mending is for those who know
 * where the rows come from.  Damaged filters it does not find: they only cost time.
 */
#include "kv/kv_rocks.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

/* What lies in caches was right when it was read; a check is about the disk. */
static void forget_caches(struct rocks *rk)
{
	size_t bytes = rocksdb_cache_get_capacity(rk->options.cache);
	struct dirent *e;
	DIR *d;

	rocksdb_cache_set_capacity(rk->options.cache, 0);
	rocksdb_cache_set_capacity(rk->options.cache, bytes);
	d = opendir(rk->dir);
	while (d && (e = readdir(d))) {
		CLEANUP(fd_closep) int fd = -1;

		fd = strstr(e->d_name, ".sst") ? openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC) : -1;
		if (fd >= 0)
			posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	if (d)
		closedir(d);
}

static int compare(const void *a, size_t alen, const void *b, size_t blen)
{
	size_t n = alen < blen ? alen : blen;
	int r = n ? memcmp(a, b, n) : 0;

	return r ? r : (alen > blen) - (alen < blen);
}

/* Where a walk goes on behind a damaged block: the least first key beyond @last of any table of the space. */
static bool next_table(struct rocks *rk, int f, const struct key_bytes *last, struct key_bytes *next)
{
	const rocksdb_livefiles_t *files = rocksdb_livefiles(rk->db);
	int n = rocksdb_livefiles_count(files);
	bool found = false;

	for (int i = 0; i < n; i++) {
		size_t len;
		const char *key = rocksdb_livefiles_smallestkey(files, i, &len);

		if (strcmp(rocksdb_livefiles_column_family_name(files, i), rocks_family_names[f]) ||
		    len > sizeof(next->b) || compare(key, len, last->b, last->len) <= 0 ||
		    (found && compare(key, len, next->b, next->len) >= 0))
			continue;
		memcpy(next->b, key, len);
		next->len = len;
		found = true;
	}
	rocksdb_livefiles_destroy(files);
	return found;
}

struct telling {
	kv_bad_fn *bad;
	void *ctx;
	char last[512];
};

/* The words name the block; one that is met again, from another side, is told once. */
static void tell(struct telling *t, const char *what)
{
	if (!strncmp(t->last, what, sizeof(t->last) - 1))
		return;
	snprintf(t->last, sizeof(t->last), "%s", what);
	if (t->bad)
		t->bad(t->ctx, what);
}

/* Walks from @at to the end or to a fault; true: told about one, and @at is the last key that was read. */
static bool walk_finds_fault(struct rocks *rk, const rocksdb_readoptions_t *o, int f, struct key_bytes *at,
			     struct telling *t)
{
	rocksdb_iterator_t *it = rocksdb_create_iterator_cf(rk->db, o, rk->family[f]);
	char *err = NULL;
	int r;

	for (rocksdb_iter_seek(it, (const char *)at->b, at->len); rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
		const char *key = rocksdb_iter_key(it, &at->len);

		if (at->len > sizeof(at->b))
			at->len = sizeof(at->b);
		memcpy(at->b, key, at->len);
	}
	rocksdb_iter_get_error(it, &err);
	rocksdb_iter_destroy(it);
	if (!err)
		return false;
	r = rocks_failed(rk, rocks_family_names[f], err);
	tell(t, err_text(r));
	return true;
}

/* A damaged block hides what is behind it up to the next table: one fault of a table is found at a time. */
int rocks_check(struct kv *kv, kv_bad_fn *bad, void *ctx)
{
	struct rocks *rk = (struct rocks *)kv;
	struct telling t = { bad, ctx, "" };
	struct key_bytes at, next;
	rocksdb_readoptions_t *o;
	int r;

	r = rocks_use_begin(rk);
	if (r)
		return r;
	/* Like an iterator: keeps the database open, and does not make others wait who want to open it again. */
	rk->iters++;
	rocks_use_end(rk);
	forget_caches(rk);
	o = rocksdb_readoptions_create();
	rocksdb_readoptions_set_verify_checksums(o, 1);
	rocksdb_readoptions_set_fill_cache(o, 0);
	rocksdb_readoptions_set_readahead_size(o, 256 << 10);
	for (int f = 0; f < ROCKS_FAMILIES; f++) {
		at.len = 0;
		while (walk_finds_fault(rk, o, f, &at, &t) && next_table(rk, f, &at, &next))
			at = next;
	}
	rocksdb_readoptions_destroy(o);
	rk->iters--;
	return 0;
}
