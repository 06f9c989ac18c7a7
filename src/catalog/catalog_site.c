/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sites, and labels that two of them have.  There are few sites, so names and ids are found by looking at all.  Which
 * volumes and pools are a site's is said by their own rows; what a site may do to them is the library's.
 */
#include "catalog/catalog_private.h"

#include <errno.h>
#include <strings.h>

/* ---- reading ---- */

static struct catalog_site ours_unnamed(void)
{
	return (struct catalog_site){ .number = 0, .name = CATALOG_SITE_LOCAL };
}

int catalog_site_by_number(struct catalog *c, uint32_t number, struct catalog_site *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_site(number);
	int r = row_get(c, &key, &row);

	if (r == CATALOG_E_NONE && !number) {
		*out = ours_unnamed();
		return 0;
	}
	return r ? r : site_decode(number, row.data, row.len, out);
}

int catalog_site_each(struct catalog *c, int (*each)(void *ctx, const struct catalog_site *s), void *ctx)
{
	struct row_key prefix = key_sites(), others = key_site(1);
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK_FROM(&prefix, &others);
	struct catalog_site s;
	int r;

	r = catalog_site_by_number(c, 0, &s);
	if (!r)
		r = each(ctx, &s);
	while (!r && row_walk_next(c, &w)) {
		if (w.key_len != others.len)
			return err_explain(-EUCLEAN, "catalog: the key of a site is damaged");
		r = site_decode(get_be32(w.key + 1), w.row, w.row_len, &s);
		if (!r)
			r = each(ctx, &s);
	}
	return r ? r : w.error;
}

struct search { const char *name; struct catalog_site found; };

static int is_named(void *ctx, const struct catalog_site *s)
{
	struct search *search = ctx;

	if (strcasecmp(s->name, search->name))
		return 0;
	search->found = *s;
	return 1;
}

int catalog_site_get(struct catalog *c, const char *name, struct catalog_site *out)
{
	struct search search = { .name = name };
	int r = catalog_site_each(c, is_named, &search);

	if (r == 1)
		*out = search.found;
	return r == 1 ? 0 : r ? r : CATALOG_E_NONE;
}

/* ---- changing ---- */

struct place { const struct catalog_site *site; uint32_t next, count; };

/* CATALOG_E_EXISTS: another one has its name or its id. */
static int stands_beside(void *ctx, const struct catalog_site *s)
{
	struct place *p = ctx;

	p->count++;
	if (s->number >= p->next)
		p->next = s->number + 1;
	if (s->number == p->site->number)
		return 0;
	if (!strcasecmp(s->name, p->site->name) || (s->id[0] && !strcasecmp(s->id, p->site->id)))
		return CATALOG_E_EXISTS;
	return 0;
}

static int site_check(const struct catalog_site *s)
{
	if (!parse_is_name(s->name))
		return err_explain(-EINVAL, "\"%s\" is no name for a site (1 to %d of A-Z a-z 0-9 . _ - +)", s->name,
				   BARCODE_MAX);
	if (!site_id_is_good(s->id))
		return err_explain(-EINVAL, "\"%s\" is no site's id: 32 hexadecimal digits", s->id);
	return 0;
}

int catalog_site_put(struct catalog *c, struct catalog_site *s)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_site now = *s, was;
	struct place place = { .site = s };
	struct row_key key;
	int r = site_check(s);

	if (r)
		return r;
	LOCK_SCOPE(&c->lock);
	r = catalog_site_each(c, stands_beside, &place);
	if (!r && s->number != UINT32_MAX)
		r = catalog_site_by_number(c, s->number, &was);
	else if (!r && place.count >= CATALOG_SITES_MAX)
		r = err_explain(-ENOSPC, "there are %u sites already, and no more can be", place.count);
	if (r)
		return r;
	if (s->number == UINT32_MAX)
		now.number = place.next;
	key = key_site(now.number);
	r = site_encode(&now, &row);
	if (!r)
		r = row_write(c, &key, row.data, row.len);
	if (!r)
		*s = now;
	return r;
}

struct use { uint32_t site; struct kv_batch *b; };

static int pool_is_of(void *ctx, const struct catalog_pool *p)
{
	return p->site == ((struct use *)ctx)->site ? CATALOG_E_NOT_EMPTY : 0;
}

/* Every row of a volume: a site is removed once in its life, and nothing is kept up to date for that. */
static int volumes_are_of(struct catalog *c, uint32_t site)
{
	struct row_key prefix = key_of('V');
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK(&prefix);
	struct catalog_volume v;
	int r = 0;

	while (!r && row_walk_next(c, &w)) {
		r = volume_decode(w.row, w.row_len, &v);
		if (!r && v.site == site)
			r = CATALOG_E_NOT_EMPTY;
	}
	return r ? r : w.error;
}

static int stage_clash_away(void *ctx, const struct catalog_clash *k)
{
	struct use *use = ctx;
	struct row_key key = key_clash(k->name, k->site);

	return k->site == use->site ? row_delete(use->b, &key) : 0;
}

int catalog_site_remove(struct catalog *c, uint32_t number)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct row_key key = key_site(number);
	struct use use = { .site = number };
	struct catalog_site s;
	int r;

	if (!number)
		return err_explain(-EINVAL, "this site itself cannot be removed");
	LOCK_SCOPE(&c->lock);
	r = catalog_site_by_number(c, number, &s);
	if (!r)
		r = catalog_pool_each(c, pool_is_of, &use);
	if (!r)
		r = volumes_are_of(c, number);
	if (!r)
		r = kv_batch_new(&b);
	use.b = b;
	if (!r)
		r = catalog_clash_each(c, stage_clash_away, &use);
	if (!r)
		r = row_delete(b, &key);
	return r ? r : kv_write(c->kv, b, true);
}

/* ---- clashes ---- */

int catalog_clash_put(struct catalog *c, const struct catalog_clash *k)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_clash(k->name, k->site);
	int r;

	if (!parse_is_name(k->name) || !serial_is_good(k->serial))
		return err_explain(-EINVAL, "\"%s\", serial \"%s\", is no cartridge", k->name, k->serial);
	LOCK_SCOPE(&c->lock);
	r = clash_encode(k, &row);
	return r ? r : row_write(c, &key, row.data, row.len);
}

int catalog_clash_remove(struct catalog *c, uint32_t site, const char *name)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_clash(name, site);
	int r;

	LOCK_SCOPE(&c->lock);
	r = row_get(c, &key, &row);
	return r ? r : row_write(c, &key, NULL, 0);
}

static int clashes_in(struct catalog *c, const struct row_key *prefix,
		      int (*each)(void *ctx, const struct catalog_clash *k), void *ctx)
{
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK(prefix);
	struct catalog_clash k;
	int r = 0;

	while (!r && row_walk_next(c, &w)) {
		r = key_clash_parse(w.key, w.key_len, &k);
		if (!r)
			r = clash_decode(w.row, w.row_len, &k);
		if (!r)
			r = each(ctx, &k);
	}
	return r ? r : w.error;
}

int catalog_clash_each(struct catalog *c, int (*each)(void *ctx, const struct catalog_clash *k), void *ctx)
{
	struct row_key prefix = key_clashes(NULL);

	return clashes_in(c, &prefix, each, ctx);
}

static int take_clash(void *ctx, const struct catalog_clash *k)
{
	*(struct catalog_clash *)ctx = *k;
	return 1;
}

int catalog_clash_find(struct catalog *c, const char *name, struct catalog_clash *out)
{
	struct row_key prefix = key_clashes(name);
	int r = clashes_in(c, &prefix, take_clash, out);

	return r == 1 ? 0 : r ? r : CATALOG_E_NONE;
}
