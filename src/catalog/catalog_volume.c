/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Volumes: the row of each, its name in the store, its place in a pool, and how many a pool has.  All rows that a
 * change touches go in one batch, with those of others that belong to it.  What is on the tape is tape/'s.
 */
#include "catalog/catalog_private.h"

#include <errno.h>
#include <stdio.h>

/* ---- reading ---- */

int catalog_volume_by_id(struct catalog *c, uint64_t id, struct catalog_volume *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_volume(id);
	int r;

	r = row_get(c, &key, &row);
	return r ? r : volume_decode(row.data, row.len, out);
}

static int id_of_row(const uint8_t *row, size_t len, uint64_t *id)
{
	if (len != 8)
		return err_explain(-EUCLEAN, "catalog: a name row of a volume is damaged");
	*id = get_be64(row);
	return 0;
}

static int id_of_name(struct catalog *c, const char *name, uint64_t *id)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_volume_name(name);
	int r;

	r = row_get(c, &key, &row);
	return r ? r : id_of_row(row.data, row.len, id);
}

/* Between the two rows another thread may rename the volume: then it has not got this name any more. */
int catalog_volume_get(struct catalog *c, const char *name, struct catalog_volume *out)
{
	struct catalog_volume v;
	uint64_t id;
	int r;

	r = id_of_name(c, name, &id);
	if (!r)
		r = catalog_volume_by_id(c, id, &v);
	if (r)
		return r;
	if (strcmp(v.name, name))
		return CATALOG_E_NONE;
	*out = v;
	return 0;
}

/* All that is known of a volume whose row is damaged; @member: its row among those of its pool. */
static struct catalog_volume damaged_volume(uint32_t pool, uint64_t id, const uint8_t *member, size_t len)
{
	struct catalog_volume v = { .id = id, .pool = pool, .state = STATE_ERROR, .access = ACCESS_RESTRICTED,
				    .protect = true, .locked_until_ns = CATALOG_NEVER };
	size_t before = key_member(pool, "").len;

	snprintf(v.name, sizeof(v.name), "%.*s", (int)(len - before), (const char *)member + before);
	return v;
}

int catalog_volume_each(struct catalog *c, uint32_t pool, const char *after,
			int (*each)(void *ctx, const struct catalog_volume *v), void *ctx)
{
	struct row_key prefix = key_member(pool, ""), from = key_member(pool, after);
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK_FROM(&prefix, &from);
	struct catalog_volume v;
	uint64_t id;
	int r;

	/* The first key behind that of @after. */
	if (after[0])
		from.b[from.len++] = 0;
	while (row_walk_next(c, &w)) {
		if (id_of_row(w.row, w.row_len, &id)) /* the check tells of it */
			continue;
		r = catalog_volume_by_id(c, id, &v);
		if (r == CATALOG_E_NONE) /* removed since the walk began */
			continue;
		if (r == -EUCLEAN) {
			v = damaged_volume(pool, id, w.key, w.key_len);
			r = 0;
		}
		if (!r)
			r = each(ctx, &v);
		if (r)
			return r;
	}
	return w.error;
}

/* ---- changing: c->lock is held ---- */

static int stage_rows(struct kv_batch *b, const struct catalog_volume *v)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_volume(v->id), name = key_volume_name(v->name), member = key_member(v->pool, v->name);
	uint8_t id[8];
	int r;

	put_be64(id, v->id);
	r = volume_encode(v, &row);
	if (!r)
		r = row_put(b, &key, &row);
	if (!r)
		r = kv_batch_put(b, KV_CATALOG, name.b, name.len, id, sizeof(id));
	return r ? r : kv_batch_put(b, KV_CATALOG, member.b, member.len, id, sizeof(id));
}

static int stage_names_away(struct kv_batch *b, const struct catalog_volume *v)
{
	struct row_key name = key_volume_name(v->name), member = key_member(v->pool, v->name);
	int r;

	r = row_delete(b, &name);
	return r ? r : row_delete(b, &member);
}

/* CATALOG_E_NONE if the pool is gone. */
static int stage_count(struct catalog *c, struct kv_batch *b, uint32_t pool, int by)
{
	struct catalog_pool p;
	int r;

	r = catalog_pool_by_id(c, pool, &p);
	if (r)
		return r;
	p.volumes += (uint64_t)(int64_t)by;
	return pool_stage(b, &p);
}

static int name_check(const struct catalog_volume *v)
{
	if (volume_name_is_good(v->name, v->state))
		return 0;
	return err_explain(-EINVAL, "\"%s\" is no name for a volume (1 to %d of A-Z a-z 0-9 . _ - +)", v->name,
			   BARCODE_MAX);
}

/* Labels are unique over sites: one that another site has under another serial is not free either. */
static int name_is_free(struct catalog *c, const char *name)
{
	struct catalog_clash clash;
	uint64_t id;
	int r;

	r = id_of_name(c, name, &id);
	if (r == CATALOG_E_NONE)
		r = catalog_clash_find(c, name, &clash);
	if (r == CATALOG_E_NONE)
		return 0;
	return r ? r : CATALOG_E_EXISTS;
}

/* A batch that begins with what others want to be written with it. */
static int batch_with(const struct kv_batch *with, struct kv_batch **out)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r;

	r = kv_batch_new(&b);
	if (!r && with)
		r = kv_batch_append(b, with);
	if (!r)
		*out = STEAL(b);
	return r;
}

/* ---- the verbs ---- */

int catalog_volume_new_id(struct catalog *c, uint64_t *id)
{
	LOCK_SCOPE(&c->lock);
	return counter_take(c, &c->volume_ids, id);
}

static int serial_make(char serial[17])
{
	uint8_t b[8];
	int r = random_bytes(b, sizeof(b));

	if (!r)
		snprintf(serial, 17, "%016llX", (unsigned long long)get_be64(b));
	return r;
}

int catalog_volume_add(struct catalog *c, struct catalog_volume *v, struct kv_batch *with)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct catalog_volume full = *v;
	int r;

	r = name_check(v);
	if (!r && !full.serial[0])
		r = serial_make(full.serial);
	if (!full.created_ns)
		full.created_ns = clock_now_ns();
	if (r)
		return r;

	LOCK_SCOPE(&c->lock);
	r = name_is_free(c, full.name);
	if (!r)
		r = batch_with(with, &b);
	if (!r)
		r = stage_count(c, b, full.pool, +1);
	if (!r)
		r = stage_rows(b, &full);
	if (!r)
		r = kv_write(c->kv, b, true);
	if (!r)
		*v = full;
	return r;
}

int catalog_volume_put(struct catalog *c, const struct catalog_volume *v, struct kv_batch *with)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct catalog_volume was, now = *v;
	int r;

	LOCK_SCOPE(&c->lock);
	r = name_check(v);
	if (!r)
		r = catalog_volume_by_id(c, v->id, &was);
	if (!r)
		now.locked_until_ns = clock_later_lock(was.locked_until_ns, v->locked_until_ns);
	if (!r && strcmp(was.name, v->name))
		r = name_is_free(c, v->name);
	if (!r)
		r = batch_with(with, &b);
	if (!r)
		r = stage_names_away(b, &was);
	if (!r && was.pool != v->pool) {
		r = stage_count(c, b, v->pool, +1);
		if (!r)
			r = stage_count(c, b, was.pool, -1);
	}
	if (!r)
		r = stage_rows(b, &now);
	return r ? r : kv_write(c->kv, b, true);
}

int catalog_volume_remove(struct catalog *c, uint64_t id, struct kv_batch *with)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct row_key key = key_volume(id), tail = key_tail(id), files = key_files(id);
	struct row_key file_names = key_file_names(id, NULL), place = key_place(id), memory = key_mams(id);
	struct catalog_volume was;
	int r;

	LOCK_SCOPE(&c->lock);
	r = catalog_volume_by_id(c, id, &was);
	if (!r)
		r = batch_with(with, &b);
	if (!r)
		r = stage_count(c, b, was.pool, -1);
	if (!r)
		r = stage_names_away(b, &was);
	if (!r)
		r = row_delete(b, &key);
	if (!r)
		r = row_delete(b, &tail);
	if (!r)
		r = row_delete(b, &place);
	if (!r)
		r = kv_batch_delete_rows(b, c->kv, KV_CATALOG, memory.b, memory.len);
	if (!r)
		r = kv_batch_delete_rows(b, c->kv, KV_CATALOG, files.b, files.len);
	if (!r)
		r = kv_batch_delete_rows(b, c->kv, KV_CATALOG, file_names.b, file_names.len);
	return r ? r : kv_write(c->kv, b, true);
}

/* ---- words ---- */

const char *catalog_state_name(enum catalog_state s)
{
	static const char *const names[] = {
		[STATE_SCRATCH] = "scratch", [STATE_ASSIGNED] = "assigned", [STATE_EXPIRED] = "expired",
		[STATE_MIGRATED] = "migrated", [STATE_ERROR] = "error", [STATE_INCOMING] = "incoming",
	};

	return names[s];
}
