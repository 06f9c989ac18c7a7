/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools, and their properties as words: one table says what a property is called, what it may be and how it is read and
 * shown.  What a shown value says is what setting it again means, exactly.
 */
#include "catalog/catalog_private.h"

#include <errno.h>
#include <stdio.h>

#define RECORD_BYTES_DEFAULT (256u << 10)
#define RECORD_BYTES_MAX ((1u << 24) - 1)	/* tape.h: TAPE_RECORD_MAX */
#define CAPACITY_BYTES_MIN (1u << 20)
#define KEEP_S_DEFAULT (7u * 86400)
#define LEVEL_MAX 19

static const char *const codec_words[] = { "none", "lz4", "zstd" };	/* chunk.h's numbers */
#define CODEC_DEFAULT 2

/* ---- rows ---- */

int pool_stage(struct kv_batch *b, const struct catalog_pool *p)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_pool(p->id), name = key_pool_name(p->name);
	uint8_t id[4];
	int r;

	put_be32(id, p->id);
	r = pool_encode(p, &row);
	if (!r)
		r = row_put(b, &key, &row);
	return r ? r : kv_batch_put(b, KV_CATALOG, name.b, name.len, id, sizeof(id));
}

int catalog_pool_by_id(struct catalog *c, uint32_t id, struct catalog_pool *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_pool(id);
	int r;

	r = row_get(c, &key, &row);
	return r ? r : pool_decode(row.data, row.len, out);
}

/* Between the two rows another thread may rename the pool: then it has not got this name any more. */
int catalog_pool_get(struct catalog *c, const char *name, struct catalog_pool *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_pool_name(name);
	struct catalog_pool p;
	int r;

	r = row_get(c, &key, &row);
	if (r)
		return r;
	if (row.len != 4)
		return err_explain(-EUCLEAN, "catalog: the name row of pool %s is damaged", name);
	r = catalog_pool_by_id(c, get_be32(row.data), &p);
	if (r)
		return r;
	if (strcmp(p.name, name))
		return CATALOG_E_NONE;
	*out = p;
	return 0;
}

static int name_is_free(struct catalog *c, const char *name)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_pool_name(name);
	int r;

	if (!parse_is_name(name))
		return err_explain(-EINVAL, "\"%s\" is no name for a pool (1 to %d of A-Z a-z 0-9 . _ - +)", name,
				   BARCODE_MAX);
	r = row_get(c, &key, &row);
	if (r == CATALOG_E_NONE)
		return 0;
	return r ? r : CATALOG_E_EXISTS;
}

int catalog_pool_create(struct catalog *c, const char *name, const struct catalog_perm *perm, struct catalog_pool *out)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct catalog_pool p = {
		.perm = *perm,
		.codec = CODEC_DEFAULT,
		.record_bytes = RECORD_BYTES_DEFAULT,
		.keep_s = KEEP_S_DEFAULT,
		.contents = true,
	};
	uint64_t id;
	int r;

	LOCK_SCOPE(&c->lock);
	r = name_is_free(c, name);
	if (!r)
		r = counter_take(c, &c->pool_ids, &id);
	if (!r)
		r = kv_batch_new(&b);
	if (r)
		return r;
	p.id = (uint32_t)id;
	memcpy(p.name, name, strlen(name) + 1);
	r = pool_stage(b, &p);
	if (!r)
		r = kv_write(c->kv, b, true);
	if (!r)
		*out = p;
	return r;
}

int catalog_pool_put(struct catalog *c, const struct catalog_pool *p)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct catalog_pool was, now = *p;
	int r;

	LOCK_SCOPE(&c->lock);
	r = catalog_pool_by_id(c, p->id, &was);
	if (!r)
		r = kv_batch_new(&b);
	if (!r && strcmp(was.name, now.name)) {
		struct row_key old = key_pool_name(was.name);

		r = name_is_free(c, now.name);
		if (!r)
			r = row_delete(b, &old);
	}
	if (r)
		return r;
	now.volumes = was.volumes;
	now.locked_until_ns = clock_later_lock(was.locked_until_ns, now.locked_until_ns);
	r = pool_stage(b, &now);
	return r ? r : kv_write(c->kv, b, true);
}

int catalog_pool_destroy(struct catalog *c, uint32_t id)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct row_key members = key_member(id, ""), key = key_pool(id), name;
	struct catalog_pool p;
	int r;

	LOCK_SCOPE(&c->lock);
	r = catalog_pool_by_id(c, id, &p);
	if (r)
		return r;
	r = kv_any(c->kv, KV_CATALOG, members.b, members.len);
	if (r != KV_E_NONE)
		return r ? r : CATALOG_E_NOT_EMPTY;
	name = key_pool_name(p.name);
	r = kv_batch_new(&b);
	if (!r)
		r = row_delete(b, &key);
	if (!r)
		r = row_delete(b, &name);
	return r ? r : kv_write(c->kv, b, true);
}

int catalog_pool_each(struct catalog *c, int (*each)(void *ctx, const struct catalog_pool *p), void *ctx)
{
	struct row_key prefix = key_pool_name("");
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK(&prefix);
	struct catalog_pool p;
	int r;

	while (row_walk_next(c, &w)) {
		r = w.row_len == 4 ? catalog_pool_by_id(c, get_be32(w.row), &p) : -EUCLEAN;
		if (r == CATALOG_E_NONE || r == -EUCLEAN) /* destroyed since the walk began; or damaged */
			continue;
		if (!r)
			r = each(ctx, &p);
		if (r)
			return r;
	}
	return w.error;
}

/* ---- properties ---- */

static int codec_get(const struct catalog_pool *p, struct buf *text)
{
	return buf_printf(text, "%s", codec_words[p->codec]);
}

static int codec_set(struct catalog_pool *p, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(codec_words); i++)
		if (!strcmp(codec_words[i], value)) {
			p->codec = (uint8_t)i;
			return 0;
		}
	return -EINVAL;
}

static int level_get(const struct catalog_pool *p, struct buf *text)
{
	return buf_printf(text, "%d", p->level);
}

static int level_set(struct catalog_pool *p, const char *value)
{
	char *end;
	long v = strtol(value, &end, 10);

	if (end == value || *end || value[0] < '0' || value[0] > '9' || v > LEVEL_MAX)
		return -EINVAL;
	p->level = (int32_t)v;
	return 0;
}

static int verify_get(const struct catalog_pool *p, struct buf *text)
{
	return words_get_bool(p->verify, text);
}

static int verify_set(struct catalog_pool *p, const char *value)
{
	return words_set_bool(&p->verify, value);
}

static int worm_get(const struct catalog_pool *p, struct buf *text)
{
	return words_get_bool(p->worm, text);
}

static int worm_set(struct catalog_pool *p, const char *value)
{
	return words_set_bool(&p->worm, value);
}

static int record_get(const struct catalog_pool *p, struct buf *text)
{
	return words_get_size(p->record_bytes, text);
}

static int record_set(struct catalog_pool *p, const char *value)
{
	uint64_t v;

	if (parse_size(value, &v) || v < 1 || v > RECORD_BYTES_MAX)
		return -EINVAL;
	p->record_bytes = v;
	return 0;
}

static int capacity_get(const struct catalog_pool *p, struct buf *text)
{
	return p->capacity_bytes ? words_get_size(p->capacity_bytes, text) : buf_printf(text, "none");
}

static int capacity_set(struct catalog_pool *p, const char *value)
{
	uint64_t v = 0;

	if (strcmp(value, "none") && (parse_size(value, &v) || (v && v < CAPACITY_BYTES_MIN)))
		return -EINVAL;
	p->capacity_bytes = v;
	return 0;
}

static int keep_get(const struct catalog_pool *p, struct buf *text)
{
	return words_get_duration(p->keep_s, text);
}

static int keep_set(struct catalog_pool *p, const char *value)
{
	return parse_duration(value, &p->keep_s) ? -EINVAL : 0;
}

static int contents_get(const struct catalog_pool *p, struct buf *text)
{
	return words_get_bool(p->contents, text);
}

static int contents_set(struct catalog_pool *p, const char *value)
{
	return words_set_bool(&p->contents, value);
}

static int expire_get(const struct catalog_pool *p, struct buf *text)
{
	return p->expire_s ? words_get_duration(p->expire_s, text) : buf_printf(text, "none");
}

/* "0" could be meant as never and as at once: it is neither. */
static int expire_set(struct catalog_pool *p, const char *value)
{
	uint64_t v = 0;

	if (strcmp(value, "none") && (parse_duration(value, &v) || !v))
		return -EINVAL;
	p->expire_s = v;
	return 0;
}

static int expire_label_get(const struct catalog_pool *p, struct buf *text)
{
	return words_get_bool(p->expire_label, text);
}

static int expire_label_set(struct catalog_pool *p, const char *value)
{
	return words_set_bool(&p->expire_label, value);
}

static int name_get(const char *name, struct buf *text)
{
	return buf_printf(text, "%s", name[0] ? name : "none");
}

static int name_set(char out[BARCODE_MAX + 1], const char *value)
{
	if (!parse_is_name(value))
		return -EINVAL;
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

static int scratch_get(const struct catalog_pool *p, struct buf *text)
{
	return name_get(p->scratch, text);
}

static int scratch_set(struct catalog_pool *p, const char *value)
{
	if (strcmp(value, "none"))
		return name_set(p->scratch, value);
	p->scratch[0] = 0;
	return 0;
}

static int barcode_get(const struct catalog_pool *p, struct buf *text)
{
	return name_get(p->barcode, text);
}

/* It has digits to count up, beside those of the media type. */
static int barcode_set(struct catalog_pool *p, const char *value)
{
	char counted[BARCODE_MAX + 4];
	struct name_range range;

	if (!strcmp(value, "none")) {
		p->barcode[0] = 0;
		return 0;
	}
	if (strlen(value) > BARCODE_MAX)
		return -EINVAL;
	snprintf(counted, sizeof(counted), "%s+1", value);
	if (parse_range(counted, &range) || !range.digits)
		return -EINVAL;
	return name_set(p->barcode, value);
}

static int access_get(const struct catalog_pool *p, struct buf *text)
{
	return buf_printf(text, "%s", catalog_access_name(p->access));
}

static int access_set(struct catalog_pool *p, const char *value)
{
	return catalog_access_parse(value, &p->access);
}

/* As a number: who shows or asks for a name looks it up. */
static int site_get(const struct catalog_pool *p, struct buf *text)
{
	return buf_printf(text, "%u", p->site);
}

static int site_set(struct catalog_pool *p, const char *value)
{
	char *end;
	unsigned long v = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || v > NUMBER_MAX_32)
		return -EINVAL;
	p->site = (uint32_t)v;
	return 0;
}

static const struct catalog_prop props[] = {
	{ "compression", "none, lz4 or zstd", "how chunks are compressed" },
	{ "level", "0 to 19", "compression level; 0: the default of the method" },
	{ "verify", "on or off", "compare bytes, not only digests, before a chunk is shared" },
	{ "worm", "on or off", "new volumes can be written once only" },
	{ "record_size", "1 to 16777215 bytes", "length of the records that files/ makes" },
	{ "capacity", "none, or 1M and more", "capacity of new volumes" },
	{ "keep", "a time as 12h or 7d; 0", "how long an overwritten generation stays" },
	{ "contents", "on or off", "what is on its tapes is looked at, for find, ls and restore" },
	{ "expire", "none, or a time as 30d", "volumes expire so long after they were last written" },
	{ "expire-label", "on or off", "and not before the dates in their labels" },
	{ "scratch", "none, or a pool", "where its expired volumes go" },
	{ "barcode", "none, or a name with digits", "of the next new volume; it counts up" },
	{ "access", "primary, secondary, restricted", "what is not primary is written by another site, and read here" },
	{ "site", "a site", "whose it is, if it is not primary" },
};

/* In the order of props[]. */
static const struct {
	int (*get)(const struct catalog_pool *p, struct buf *text);
	int (*set)(struct catalog_pool *p, const char *value);
} prop_verbs[] = {
	{ codec_get, codec_set },   { level_get, level_set },	{ verify_get, verify_set },
	{ worm_get, worm_set },	    { record_get, record_set }, { capacity_get, capacity_set },
	{ keep_get, keep_set },	    { contents_get, contents_set }, { expire_get, expire_set },
	{ expire_label_get, expire_label_set }, { scratch_get, scratch_set }, { barcode_get, barcode_set },
	{ access_get, access_set }, { site_get, site_set },
};

_Static_assert(ARRAY_LEN(props) == ARRAY_LEN(prop_verbs), "each property has its verbs");

const struct catalog_prop *catalog_pool_props(size_t *count)
{
	*count = ARRAY_LEN(props);
	return props;
}

int catalog_pool_prop_get(const struct catalog_pool *p, const char *prop, struct buf *text)
{
	size_t i;
	int r = words_find(props, ARRAY_LEN(props), "a pool", prop, &i);

	return r ? r : prop_verbs[i].get(p, text);
}

int catalog_pool_prop_set(struct catalog_pool *p, const char *prop, const char *value)
{
	size_t i;
	int r = words_find(props, ARRAY_LEN(props), "a pool", prop, &i);

	if (r)
		return r;
	return prop_verbs[i].set(p, value) ? words_bad_value(&props[i], value) : 0;
}
