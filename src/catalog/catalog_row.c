/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows in the database: read, written and walked over; and the numbers by which pools, volumes and events have them.
 * Guarantees: a number is given out once, whatever is cut off when.  The rows' bytes are catalog_format.c's.
 */
#include "catalog/catalog_private.h"

#include <errno.h>

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

int counter_load(struct catalog *c, struct counter *n, enum number which, uint64_t block)
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
		return err_explain(-EUCLEAN,
				   "catalog: the numbers of rows '%c' are at their end; one of them is damaged",
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
void counter_store(struct catalog *c, const struct counter *n)
{
	if (n->next != n->limit && counter_write(c, n->which, n->next, false))
		log_warn("catalog: reserved numbers are left unused");
}
