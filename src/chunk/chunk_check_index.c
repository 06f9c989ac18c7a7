/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_check, the index in both directions.
 *
 * A row with the key of a slot of a closed pack leads to a chunk with the same key: this one, another with the same
 * digest, or one that has the same key only, for then this chunk was stored without a row.  A chunk without a row is
 * counted, but that is no fault: a chunk can be in two packs when two writers stored it at once, or a crash ended the
 * copying of a pack; and the pack to which the row leads may be the first to go.
 * Every row leads to a slot with its key.  Rows of what is lost with a pack are kept by chunk_damage.c and are no
 * fault.
 *
 * Rows are read in the order of keys, which is random in packs; so a part of them at a time is sorted by pack.  For a
 * TiB in chunks of 32 KiB that is 64 parts, each of which opens every pack once.
 */
#include <errno.h>

#include "chunk/check.h"

#define HEX(n) ((unsigned long long)(n))
#define ROWS_AT_ONCE (512u << 10) /* 48 bytes each */

/* ---- from slots to rows ------------------------------------------------------------------------------------------ */

/* 0, out->raw_len 0 if it is malformed; LOOKUP_NONE. */
static int row_of(struct kv *kv, const uint8_t *key, struct index_value *out)
{
	struct buf value = BUF_INIT;
	int r = kv_get(kv, KV_INDEX, key, INDEX_KEY_LEN, &value);

	if (!r && index_value_unpack(value.data, value.len, out))
		out->raw_len = 0;
	buf_fini(&value);
	return r == KV_E_NONE ? LOOKUP_NONE : r;
}

static bool row_fits(const struct index_value *row, const struct pack_entry *e)
{
	return row->raw_len == e->raw_len && !memcmp(row->mac, e->digest.b + INDEX_KEY_LEN, INDEX_MAC_LEN);
}

static bool key_fits(const struct pack_entry *e, const uint8_t *key)
{
	return !memcmp(e->digest.b, key, INDEX_KEY_LEN);
}

/* The entry that a row leads to.  0; LOOKUP_NONE if there is none. */
static int follow(struct check *c, const struct index_value *row, bool fresh, struct pack_entry *out)
{
	struct pack *p;
	int r = chunk_check_pack(c, row->ref.pack, fresh, &p);

	r = r ? r : pack_entry(p, row->ref.slot, out);
	return store_is_loss(r) ? LOOKUP_NONE : r;
}

static int is_bad(struct check *c, struct pack_ref ref)
{
	uint8_t key[BAD_KEY_LEN];
	int r;

	bad_key_pack(key, ref);
	r = kv_any(c->cs->kv, KV_PACK, key, sizeof(key));
	return r == KV_E_NONE ? LOOKUP_NONE : r;
}

/* If the pack is lost, what its rows say is written down before one of them is overwritten. */
static void notice_loss(struct check *c, uint64_t number)
{
	struct pack *p;

	if (!store_pack(c->cs, number, &p))
		pack_release(p);
}

/* Is the row right that the index has, seen from the chunk @e at @ref?  0; LOOKUP_NONE: *why not, NULL if none. */
static int judge_row(struct check *c, struct pack_ref ref, const struct pack_entry *e, const char **why)
{
	struct index_value row;
	struct pack_entry there;
	int r = row_of(c->cs->kv, e->digest.b, &row);

	*why = NULL;
	if (r)
		return r;
	*why = "has a malformed row";
	if (!row.raw_len)
		return LOOKUP_NONE;
	*why = "has a row with another length or digest";
	if (row.ref.pack == ref.pack && row.ref.slot == ref.slot)
		return row_fits(&row, e) ? 0 : LOOKUP_NONE;
	*why = "has a row that leads to no such chunk";
	r = follow(c, &row, false, &there);
	if (r || !key_fits(&there, e->digest.b)) {
		notice_loss(c, row.ref.pack);
		r = follow(c, &row, true, &there);
	}
	if (r || !key_fits(&there, e->digest.b) || !row_fits(&row, &there))
		return r ? r : LOOKUP_NONE;
	*why = "has a row that leads to a damaged one";
	r = is_bad(c, row.ref);
	return r == LOOKUP_NONE ? 0 : r < 0 ? r : LOOKUP_NONE;
}

static int put_row(struct check *c, struct pack_ref ref, const struct pack_entry *e)
{
	uint8_t value[INDEX_VALUE_LEN];

	index_value_pack(value, ref, e->raw_len, &e->digest);
	return kv_batch_put(c->b, KV_INDEX, e->digest.b, INDEX_KEY_LEN, value, sizeof(value));
}

static int check_slot(struct check *c, struct pack_ref ref, const struct pack_entry *e)
{
	const char *why;
	int r = judge_row(c, ref, e, &why);

	if (r != LOOKUP_NONE)
		return r;
	/* A damaged one needs none.  And the row may have come, or changed, since. */
	r = is_bad(c, ref);
	if (r != LOOKUP_NONE)
		return r;
	r = judge_row(c, ref, e, &why);
	if (r != LOOKUP_NONE)
		return r;
	r = c->cfg->repair ? put_row(c, ref, e) : 0;
	if (why)
		chunk_check_fault(c, c->cfg->repair && !r, "chunk %u of pack %012llx %s", ref.slot,
				  HEX(ref.pack), why);
	else
		c->sums.unindexed++;
	return r;
}

int chunk_check_slots(struct check *c, struct pack *p)
{
	struct pack_entry e;
	int r = 0;

	for (uint32_t slot = 0; slot < pack_count(p) && !r; slot++)
		if (pack_entry(p, slot, &e) == 0)
			r = check_slot(c, (struct pack_ref){ pack_number(p), slot }, &e);
	return r;
}

/* ---- from rows to slots ------------------------------------------------------------------------------------------ */

struct index_row {
	uint8_t key[INDEX_KEY_LEN];
	struct index_value value;
};

static int by_place(const void *a, const void *b)
{
	const struct pack_ref *x = &((const struct index_row *)a)->value.ref;
	const struct pack_ref *y = &((const struct index_row *)b)->value.ref;

	if (x->pack != y->pack)
		return x->pack < y->pack ? -1 : 1;
	return (x->slot > y->slot) - (x->slot < y->slot);
}

/* Does the row lead to its chunk?  0; LOOKUP_NONE. */
static int judge_place(struct check *c, const struct index_row *row, bool fresh)
{
	struct pack_entry e;
	int r = follow(c, &row->value, fresh, &e);

	return r ? r : key_fits(&e, row->key) && row_fits(&row->value, &e) ? 0 : LOOKUP_NONE;
}

/* Was the chunk lost with its pack, or with a part of its table?  Then its row is what is left of it. */
static int is_lost(struct check *c, const struct index_row *row)
{
	int r = is_bad(c, (struct pack_ref){ row->value.ref.pack, CHUNK_EVERY_SLOT });

	return r == LOOKUP_NONE ? is_bad(c, row->value.ref) : r;
}

/* Whoever stored the chunk anew a moment ago has it in memory: then that is its row. */
static int mend_row(struct check *c, const struct index_row *row)
{
	uint8_t part[LOST_PART_LEN], value[INDEX_VALUE_LEN];
	const struct slot *s;

	memcpy(part, row->key, INDEX_KEY_LEN);
	memcpy(part + INDEX_KEY_LEN, row->value.mac, INDEX_MAC_LEN);
	LOCK_SCOPE(&c->cs->lock);
	s = index_find_readable(&c->cs->index, part, sizeof(part));
	if (!s)
		return kv_batch_delete(c->b, KV_INDEX, row->key, INDEX_KEY_LEN);
	index_value_pack(value, (struct pack_ref){ s->table->number, s->number }, s->raw_len, &s->digest);
	return kv_batch_put(c->b, KV_INDEX, row->key, INDEX_KEY_LEN, value, sizeof(value));
}

static int check_row(struct check *c, struct index_row *row)
{
	int r = judge_place(c, row, false);

	if (r != LOOKUP_NONE)
		return r;
	r = row_of(c->cs->kv, row->key, &row->value);
	r = r == LOOKUP_NONE ? 0 : r ? r : row->value.raw_len ? judge_place(c, row, true) : LOOKUP_NONE;
	if (r != LOOKUP_NONE)
		return r;
	r = is_lost(c, row);
	if (r != LOOKUP_NONE)
		return r;
	r = c->cfg->repair ? mend_row(c, row) : 0;
	chunk_check_fault(c, c->cfg->repair && !r, "the index says that chunk %u of pack %012llx is one that it is not",
		    row->value.ref.slot, HEX(row->value.ref.pack));
	return r;
}

static int malformed(struct check *c, const uint8_t *key, size_t n)
{
	int r = c->cfg->repair ? kv_batch_delete(c->b, KV_INDEX, key, n) : 0;

	chunk_check_fault(c, c->cfg->repair && !r, "the index has a malformed row");
	return r;
}

/* The next rows of the walk, sorted by place. */
static int read_rows(struct check *c, struct kv_iter *it, struct index_row *rows, size_t *count)
{
	size_t n = 0;
	int r = 0;

	for (; n < ROWS_AT_ONCE && !r && kv_iter_valid(it); kv_iter_next(it)) {
		size_t klen, vlen;
		const uint8_t *key = kv_iter_key(it, &klen), *value = kv_iter_value(it, &vlen);

		if (klen != INDEX_KEY_LEN || index_value_unpack(value, vlen, &rows[n].value))
			r = malformed(c, key, klen);
		else
			memcpy(rows[n++].key, key, INDEX_KEY_LEN);
	}
	qsort(rows, n, sizeof(*rows), by_place);
	*count = n;
	return r ? r : kv_iter_error(it);
}

int chunk_check_index(struct check *c)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	CLEANUP(freep) struct index_row *rows = malloc(ROWS_AT_ONCE * sizeof(*rows));
	size_t n = ROWS_AT_ONCE;
	int r = rows ? kv_iter_new(c->cs->kv, KV_INDEX, &it) : err_origin(-ENOMEM);

	if (r)
		return r;
	kv_iter_seek(it, "", 0);
	while (n == ROWS_AT_ONCE && !r) {
		r = read_rows(c, it, rows, &n);
		for (size_t i = 0; i < n && !r; i++)
			r = check_row(c, &rows[i]);
		r = r ? r : chunk_check_write(c, false);
		r = r ? r : chunk_check_progress(c);
	}
	return r;
}
