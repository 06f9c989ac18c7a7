/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The catalog as a whole, opened and closed, and where long walks over the store stand.  Guarantees: a catalog that was
 * opened has its schema and the pool "default".
 */
#include "catalog/catalog_private.h"

#include <errno.h>
#include <unistd.h>

/* ---- open and close ---- */

static int schema_check(struct catalog *c, bool *fresh)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_schema();
	uint32_t schema;
	int r;

	r = row_get(c, &key, &row);
	*fresh = r == CATALOG_E_NONE;
	if (r)
		return *fresh ? 0 : r;
	r = schema_decode(row.data, row.len, &schema);
	if (r)
		return r;
	if (schema != CATALOG_SCHEMA)
		return err_explain(-EPROTO, "catalog: schema %u; this program knows schema %u", schema, CATALOG_SCHEMA);
	return 0;
}

static int schema_write(struct catalog *c)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_schema();
	int r = schema_encode(CATALOG_SCHEMA, &row);

	return r ? r : row_write(c, &key, row.data, row.len);
}

static int default_pool_ensure(struct catalog *c)
{
	struct catalog_perm perm = { .mode = 0755, .uid = geteuid(), .gid = getegid() };
	struct catalog_pool pool;
	int r;

	perm.mtime_ns = perm.ctime_ns = clock_now_ns();
	r = catalog_pool_create(c, CATALOG_POOL_DEFAULT, &perm, &pool);
	return r == CATALOG_E_EXISTS ? 0 : r;
}

/* The schema comes last: without it, what a cut left behind is completed by the next open. */
static int fill(struct catalog *c)
{
	bool fresh;
	int r;

	r = schema_check(c, &fresh);
	if (!r)
		r = counter_load(c, &c->pool_ids, NUMBER_POOL, 1);
	if (!r)
		r = counter_load(c, &c->volume_ids, NUMBER_VOLUME, 256);
	if (!r)
		r = counter_load(c, &c->event_seqs, NUMBER_EVENT, 4096);
	if (!r)
		r = event_find_last(c, &c->event_last);
	if (!r)
		r = clock_begin(c);
	if (!r)
		r = default_pool_ensure(c);
	if (!r && fresh)
		r = schema_write(c);
	return r;
}

static struct catalog *catalog_free(struct catalog *c)
{
	pthread_mutex_destroy(&c->clock_lock);
	pthread_mutex_destroy(&c->event_lock);
	pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

int catalog_open(struct kv *kv, struct catalog **out)
{
	struct catalog *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_origin(-ENOMEM);
	c->kv = kv;
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->event_lock, NULL);
	pthread_mutex_init(&c->clock_lock, NULL);
	r = fill(c);
	if (r) {
		catalog_free(c);
		return r;
	}
	*out = c;
	return 0;
}

struct catalog *catalog_close(struct catalog *c)
{
	if (!c)
		return NULL;
	clock_end(c);
	counter_store(c, &c->volume_ids);
	counter_store(c, &c->event_seqs);
	return catalog_free(c);
}

/* ---- walks ---- */

int catalog_work_put(struct catalog *c, const char *name, const void *p, size_t n)
{
	struct row_key key = key_work(name);

	return row_write(c, &key, n ? p : NULL, n);
}

int catalog_work_get(struct catalog *c, const char *name, struct buf *out)
{
	struct row_key key = key_work(name);
	int r = row_get(c, &key, out);

	if (r == CATALOG_E_NONE) {
		out->len = 0;
		r = 0;
	}
	return r;
}
