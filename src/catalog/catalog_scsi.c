/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the SCSI face keeps: where each volume is, what hosts wrote into cartridges' memories, what the units are
 * called.  The catalog keeps what it is told; that a slot has one volume is library/'s to see to.
 */
#include "catalog/catalog_private.h"

#include <errno.h>

/* ---- drives and places ---- */

int catalog_drive_stage(struct kv_batch *b, uint32_t drive, uint64_t volume)
{
	struct row_key key = key_drive(drive);
	uint8_t row[8];

	put_be64(row, volume);
	return volume ? kv_batch_put(b, KV_CATALOG, key.b, key.len, row, sizeof(row)) : row_delete(b, &key);
}

int catalog_place_stage(struct kv_batch *b, uint64_t volume, const struct catalog_place *p)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_place(volume);
	int r = place_encode(p, &row);

	return r ? r : row_put(b, &key, &row);
}

int catalog_write(struct catalog *c, struct kv_batch *b)
{
	LOCK_SCOPE(&c->lock);
	return kv_write(c->kv, b, true);
}

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

int catalog_place_put(struct catalog *c, uint64_t volume, const struct catalog_place *p)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = kv_batch_new(&b);

	if (!r)
		r = catalog_place_stage(b, volume, p);
	return r ? r : catalog_write(c, b);
}

int catalog_place_get(struct catalog *c, uint64_t volume, struct catalog_place *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_place(volume);
	int r = row_get(c, &key, &row);

	return r ? r : place_decode(row.data, row.len, out);
}

/* What is damaged is passed over: that volume has not been put anywhere. */
int catalog_place_each(struct catalog *c, int (*each)(void *ctx, uint64_t volume, const struct catalog_place *p),
		       void *ctx)
{
	struct row_key prefix = key_places();
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK(&prefix);
	struct catalog_place p;
	int r = 0;

	while (!r && row_walk_next(c, &w))
		if (w.key_len == 9 && !place_decode(w.row, w.row_len, &p))
			r = each(ctx, get_be64(w.key + 1), &p);
	return r ? r : w.error;
}

/* ---- the cartridge's memory ---- */

static int mam_stage(struct kv_batch *b, const struct row_key *key, const struct catalog_mam *a, const void *p,
		     size_t n)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	int r;

	if (!n)
		return row_delete(b, key);
	r = mam_encode(a->format, p, n, &row);
	return r ? r : row_put(b, key, &row);
}

int catalog_mam_put(struct catalog *c, uint64_t volume, const struct catalog_mam *a, const void *p, size_t n)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct row_key key = key_mam(volume, a->partition, a->id), owner = key_volume(volume);
	int r;

	if (n > CATALOG_MAM_MAX)
		return err_explain(-EINVAL, "attribute %04x: %zu bytes are too many", a->id, n);
	r = kv_batch_new(&b);
	if (!r)
		r = mam_stage(b, &key, a, p, n);
	if (r)
		return r;

	LOCK_SCOPE(&c->lock);
	r = kv_any(c->kv, KV_CATALOG, owner.b, owner.len);
	if (r)
		return r == KV_E_NONE ? CATALOG_E_NONE : r;
	return kv_write(c->kv, b, true);
}

int catalog_mam_get(struct catalog *c, uint64_t volume, uint32_t partition, uint16_t id,
		    enum catalog_mam_format *format, struct buf *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_mam(volume, partition, id);
	enum catalog_mam_format f;
	const uint8_t *p;
	size_t n;
	int r;

	r = row_get(c, &key, &row);
	if (!r)
		r = mam_decode(row.data, row.len, &f, &p, &n);
	if (r)
		return r;
	out->len = 0;
	r = buf_append(out, p, n);
	if (!r)
		*format = f;
	return r;
}

int catalog_mam_each(struct catalog *c, uint64_t volume, uint32_t partition, uint16_t from,
		     int (*each)(void *ctx, const struct catalog_mam *a, const void *p, size_t n), void *ctx)
{
	struct row_key first = key_mam(volume, partition, from), prefix = first;
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK_FROM(&prefix, &first);
	struct catalog_mam a = { .partition = partition };
	const uint8_t *p;
	size_t n;
	int r = 0;

	prefix.len -= 2;	/* without the id */
	while (!r && row_walk_next(c, &w)) {
		if (w.key_len != first.len)
			continue;	/* the check tells of it */
		a.id = get_be16(w.key + w.key_len - 2);
		if (mam_decode(w.row, w.row_len, &a.format, &p, &n)) {
			a.format = MAM_BINARY;
			p = NULL;
			n = 0;
		}
		r = each(ctx, &a, p, n);
	}
	return r ? r : w.error;
}

/* ---- units ---- */

int catalog_unit_put(struct catalog *c, const struct catalog_unit *u)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_unit(u->number);
	struct catalog_unit again;
	int r;

	LOCK_SCOPE(&c->lock);
	if (!u->model[0])
		return row_write(c, &key, NULL, 0);
	r = unit_encode(u, &row);
	if (!r && unit_decode(u->number, row.data, row.len, &again))
		r = err_explain(-EINVAL, "a SCSI unit is called by printable ASCII only");
	return r ? r : row_write(c, &key, row.data, row.len);
}

int catalog_unit_get(struct catalog *c, uint32_t number, struct catalog_unit *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_unit(number);
	int r = row_get(c, &key, &row);

	return r ? r : unit_decode(number, row.data, row.len, out);
}

int catalog_scsi_put(struct catalog *c, const struct catalog_scsi *s)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_scsi();
	int r;

	LOCK_SCOPE(&c->lock);
	r = scsi_encode(s, &row);
	return r ? r : row_write(c, &key, row.data, row.len);
}

int catalog_scsi_get(struct catalog *c, struct catalog_scsi *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_scsi();
	int r = row_get(c, &key, &row);

	if (r == CATALOG_E_NONE) {
		*out = (struct catalog_scsi){ .up = false };
		return 0;
	}
	return r ? r : scsi_decode(row.data, row.len, out);
}
