/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The catalog as a whole: its schema, the numbers that it gives out, what is loaded in which drive, where walks stand.
 * Guarantees: a catalog that was opened has its schema and the pool "default"; a number is given out once, whatever is
 * cut off when.  The rows' bytes are catalog_format.c's.
 */
#include "catalog/catalog_private.h"

#include <errno.h>
#include <unistd.h>

int row_get(struct catalog *c, const struct row_key *key, struct buf *out)
{
	int r = kv_get(c->kv, KV_CATALOG, key->b, key->len, out);

	return r == KV_E_NONE ? CATALOG_E_NONE : r;
}

int row_put(struct kv_batch *b, const struct row_key *key, const struct buf *row)
{
	return kv_batch_put(b, KV_CATALOG, key->b, key->len, row->data, row->len);
}

int row_delete(struct kv_batch *b, const struct row_key *key)
{
	return kv_batch_delete(b, KV_CATALOG, key->b, key->len);
}

int row_write(struct catalog *c, const struct row_key *key, const void *row, size_t len)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = kv_batch_new(&b);

	if (!r)
		r = row ? kv_batch_put(b, KV_CATALOG, key->b, key->len, row, len) : row_delete(b, key);
	return r ? r : kv_write(c->kv, b, true);
}

bool row_walk_next(struct catalog *c, struct row_walk *w)
{
	if (w->it) {
		kv_iter_next(w->it);
	} else {
		w->error = kv_iter_new(c->kv, KV_CATALOG, &w->it);
		if (w->error)
			return false;
		kv_iter_seek(w->it, w->from->b, w->from->len);
	}
	if (!kv_iter_in(w->it, w->prefix->b, w->prefix->len)) {
		w->error = kv_iter_error(w->it);
		return false;
	}
	w->key = kv_iter_key(w->it, &w->key_len);
	w->row = kv_iter_value(w->it, &w->row_len);
	return true;
}

void row_walk_end(struct row_walk *w)
{
	kv_iter_free(w->it);
}

/* ---- numbers ---- */

static int counter_write(struct catalog *c, enum number which, uint64_t limit, bool sync)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_number(which);
	int r;

	r = kv_batch_new(&b);
	if (!r)
		r = number_encode(limit, &row);
	if (!r)
		r = row_put(b, &key, &row);
	return r ? r : kv_write(c->kv, b, sync);
}

static int counter_load(struct catalog *c, struct counter *n, enum number which, uint64_t block)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_number(which);
	int r;

	*n = (struct counter){ .which = which, .block = block, .next = 1, .limit = 1 };
	r = row_get(c, &key, &row);
	if (r)
		return r == CATALOG_E_NONE ? 0 : r;
	r = number_decode(row.data, row.len, &n->next);
	n->limit = n->next;
	return r;
}

int counter_take(struct catalog *c, struct counter *n, uint64_t *out)
{
	if (n->next > (n->which == NUMBER_POOL ? NUMBER_MAX_32 : NUMBER_MAX))
		return err_explain(-EUCLEAN, "catalog: the numbers of rows '%c' are at their end; one of them is damaged",
				   n->which);
	if (n->next == n->limit) {
		int r = counter_write(c, n->which, n->next + n->block, true);

		if (r)
			return r;
		n->limit = n->next + n->block;
	}
	*out = n->next++;
	return 0;
}

/* What was reserved and not used is given back at an orderly end; else the numbers have a gap. */
static void counter_store(struct catalog *c, const struct counter *n)
{
	if (n->next != n->limit && counter_write(c, n->which, n->next, false))
		log_warn("catalog: reserved numbers are left unused");
}

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

/* ---- drives ---- */

int catalog_drive_put(struct catalog *c, uint32_t drive, uint64_t volume)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = kv_batch_new(&b);

	if (!r)
		r = catalog_drive_stage(b, drive, volume);
	return r ? r : catalog_write(c, b);
}

int catalog_drive_get(struct catalog *c, uint32_t drive, uint64_t *volume)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_drive(drive);
	int r;

	r = row_get(c, &key, &row);
	if (r == CATALOG_E_NONE) {
		*volume = 0;
		return 0;
	}
	if (!r && row.len != 8)
		r = err_explain(-EUCLEAN, "catalog: the row of drive %u is damaged", drive);
	if (!r)
		*volume = get_be64(row.data);
	return r;
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
