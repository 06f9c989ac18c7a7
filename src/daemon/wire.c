/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wiring: from a folder to a library with drives.  Every pointer between rooms is set here, so this file is also the
 * map of who borrows what from whom: each room borrows the ones that are built before it.
 */
#include "daemon/wire.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

/* Memory for the database's blocks and filters. 30 MiB of filters serve a TiB of chunks; the rest is for maps. */
#define KV_CACHE_BYTES (64u << 20)

/* Space that writers leave alone so that a full disk can still commit, close tapes and collect garbage: RocksDB needs
 * room for a write-ahead log, a flush and a small compaction.  5 % of a small disk, 256 MiB of a large one. */
static uint64_t reserve_of(uint64_t total_bytes)
{
	uint64_t r = total_bytes / 20;

	return r > (256u << 20) ? 256u << 20 : r;
}

/* The database is lost or damaged: what is to be done about it. */
static int advise(const struct wire *w, int r)
{
	char why[512];

	if (r != -ENOENT && r != -EBADMSG && r != -EUCLEAN)
		return r;
	snprintf(why, sizeof(why), "%s", err_text(r));
	return err_explain(-EBADMSG,
			   "%s; `vtape -s %s rebuild-index` makes the database anew from the journal and the packs",
			   why, w->path);
}

static int build_database(struct wire *w, bool create)
{
	char dir[PATH_MAX];
	int r = io_path(dir, sizeof(dir), "%s/db", w->path);

	if (!r)
		r = kv_open(dir, create, KV_CACHE_BYTES, &w->kv);
	if (!r)
		r = io_path(dir, sizeof(dir), "%s/journal", w->path);
	return r ? r : kv_journal_open(STEAL(w->kv), dir, &w->kv);
}

static int build_packs(struct wire *w, uint64_t *reserve_bytes)
{
	char dir[PATH_MAX];
	uint64_t avail, total;
	int r = io_path(dir, sizeof(dir), "%s/packs", w->path);

	if (!r)
		r = packs_open(dir, &w->packs);
	if (!r)
		r = packs_space(w->packs, &avail, &total);
	if (!r)
		*reserve_bytes = reserve_of(total);
	return r ? r : workers_new(0, &w->workers);
}

int wire_build_rooms(struct wire *w)
{
	struct chunk_store_config cfg = { .params = chunk_params_of(w->head.chunk_avg) };
	int r = build_packs(w, &cfg.reserve_bytes);

	if (r)
		return r;
	memcpy(cfg.key, w->head.key, sizeof(cfg.key));
	r = chunk_store_open(w->kv, w->packs, w->workers, &cfg, &w->chunks);
	if (!r)
		r = catalog_open(w->kv, &w->catalog);
	return r == -ENOENT ? r : advise(w, r);
}

static void tell_recovered(struct wire *w)
{
	if (w->told[0])
		catalog_event(w->catalog, EVENT_RECOVERED, "", "%s", w->told);
	if (chunk_store_finished(w->chunks))
		catalog_event(w->catalog, EVENT_RECOVERED, "", "%u packs that a crash left open were finished",
			      chunk_store_finished(w->chunks));
}

int wire_build(struct wire *w, bool create, unsigned drives)
{
	int r = advise(w, build_database(w, create));

	if (!r)
		r = wire_build_rooms(w);
	if (!r) {
		tell_recovered(w);
		r = library_open(w->catalog, w->kv, w->chunks, drives, &w->library);
	}
	if (!r)
		r = advise(w, contents_open(w->kv, w->catalog, w->library, &w->contents));
	if (r < 0)
		wire_close(w);
	return r;
}

int wire_enter(struct wire *w, const char *store)
{
	w->lock_fd = -1;
	if (!realpath(store, w->path))
		return err_explain(-errno, "%s: %s", store, strerror(errno));
	return store_enter(w->path, &w->head, &w->lock_fd, w->told);
}

int wire_open(struct wire *w, const char *store, unsigned drives)
{
	int r = wire_enter(w, store);

	return r ? r : wire_build(w, false, drives);
}

int wire_init(const char *store, uint32_t chunk_avg, const char *compression)
{
	struct wire w = { .lock_fd = -1 };
	CLEANUP(fd_closep) int lock_fd = -1;	/* until the store is whole */
	struct catalog_pool pool;
	enum chunk_codec codec;
	int r = compression ? chunk_codec_parse(compression, &codec) : 0;

	if (r < 0)
		return err_explain(r, "unknown compression '%s' (none, lz4, zstd)", compression);
	r = store_begin(store, chunk_avg, &w.head, &lock_fd);
	if (!r && !realpath(store, w.path))
		r = err_explain(-errno, "%s: %s", store, strerror(errno));
	if (!r)
		r = wire_build(&w, true, 1);
	if (r < 0)
		return r;
	r = err_fold(catalog_pool_get(w.catalog, CATALOG_POOL_DEFAULT, &pool));
	if (!r && compression) {
		pool.codec = codec;
		r = err_fold(catalog_pool_put(w.catalog, &pool));
	}
	if (!r)
		catalog_event(w.catalog, EVENT_STORE_CREATED, "", "store created at %s", w.path);
	wire_close(&w);
	return r ? r : store_finish(w.path, &w.head);
}

void wire_close(struct wire *w)
{
	contents_stop(w->contents);
	w->contents = contents_close(w->contents);
	w->library = library_close(w->library);
	w->catalog = catalog_close(w->catalog);
	w->chunks = chunk_store_close(w->chunks);
	w->workers = workers_free(w->workers);
	w->packs = packs_close(w->packs);
	w->kv = kv_close(w->kv);
	fd_closep(&w->lock_fd);
}
