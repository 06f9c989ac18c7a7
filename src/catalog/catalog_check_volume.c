/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of pools and volumes, of the names that lead to them, and of the names of tape files.  A name is mended by
 * the row that has it; one that leads to nothing goes.  Of two rows that claim a name neither gives way.
 */
#include "catalog/catalog_check.h"

#include <errno.h>
#include <inttypes.h>

/* ---- what a name leads to ---- */

struct named { char name[BARCODE_MAX + 1]; uint32_t pool; };

static int pool_named(struct check *k, uint64_t id, struct named *out)
{
	struct catalog_pool p;
	int r = catalog_pool_by_id(k->c, (uint32_t)id, &p);

	if (!r)
		memcpy(out->name, p.name, sizeof(out->name));
	return r;
}

static int volume_named(struct check *k, uint64_t id, struct named *out)
{
	struct catalog_volume v;
	int r = catalog_volume_by_id(k->c, id, &v);

	if (!r)
		memcpy(out->name, v.name, sizeof(out->name));
	if (!r)
		out->pool = v.pool;
	return r;
}

/* The two kinds of things that have names, and how their numbers stand in the rows of names. */
static const struct thing {
	const char *word;
	size_t id_len;
	int (*named)(struct check *k, uint64_t id, struct named *out);	/* CATALOG_E_NONE, -EUCLEAN */
} a_pool = { "pool", 4, pool_named }, a_volume = { "volume", 8, volume_named };

/* @key shall lead to number @id, which is called @name; may it be made to? */
static int check_leads(struct check *k, const struct thing *t, const struct row_key *key, uint64_t id, const char *name,
		       const char *what)
{
	struct named other;
	uint64_t whom;
	uint8_t row[8];
	int r;

	r = check_names_whom(k, key, t->id_len, &whom);
	if (r || whom == id)
		return r;
	r = whom ? t->named(k, whom, &other) : CATALOG_E_NONE;
	if (r < 0 && r != -EUCLEAN)
		return r;
	if (t->id_len == 4)
		put_be32(row, (uint32_t)id);
	else
		put_be64(row, id);
	check_tell(k, (r == CATALOG_E_NONE || (!r && strcmp(other.name, name))) && check_mended(k, key, row, t->id_len),
		   "%s %s, number %" PRIu64 ": %s leads elsewhere", t->word, name, id, what);
	return 0;
}

/* A row that leads to something by its name, which begins at @skip.  @pool: where that is, 0: anywhere. */
static int check_lead(struct check *k, const struct thing *t, const struct at *at, size_t skip, uint32_t pool,
		      const char *what)
{
	size_t len = at->key.len > skip ? at->key.len - skip : 0;
	const char *name = (const char *)at->key.b + skip;
	struct named n;
	uint64_t whom;
	int r;

	r = check_is_there(k, &at->key);
	if (r <= 0)
		return r;
	r = check_names_whom(k, &at->key, t->id_len, &whom);
	if (!r)
		r = whom ? t->named(k, whom, &n) : CATALOG_E_NONE;
	if (r == CATALOG_E_NONE ||
	    (!r && (strlen(n.name) != len || memcmp(n.name, name, len) || (pool && n.pool != pool))))
		check_tell(k, check_removed(k, &at->key), "%s %.*s leads to no %s", what, (int)len, name, t->word);
	return r < 0 && r != -EUCLEAN ? r : 0;
}

int check_pool_name(struct check *k, const struct at *at)
{
	return check_lead(k, &a_pool, at, 1, 0, "the name");
}

int check_volume_name(struct check *k, const struct at *at)
{
	return check_lead(k, &a_volume, at, 1, 0, "the name");
}

int check_member(struct check *k, const struct at *at)
{
	return check_lead(k, &a_volume, at, 5, at->key.len >= 5 ? get_be32(at->key.b + 1) : 0, "in a pool the name");
}

/* ---- pools and volumes ---- */

/* Their own row, read with @r: it says that it is number @id.  1: it is there and good; 0: it is not, which is told. */
static int check_own_row(struct check *k, const struct thing *t, const struct at *at, int r, uint64_t id,
			 uint64_t *count, uint64_t *highest)
{
	if (r == CATALOG_E_NONE)
		return 0;
	++*count;
	if (at->number > *highest)
		*highest = at->number;
	if (r == -EUCLEAN || (!r && id != at->number)) {
		check_tell(k, false, "the row of %s number %" PRIu64 " is damaged", t->word, at->number);
		return 0;
	}
	return r ? r : 1;
}

int check_pool(struct check *k, const struct at *at)
{
	struct catalog_pool p = { .id = 0 };
	struct row_key name;
	int r = catalog_pool_by_id(k->c, (uint32_t)at->number, &p);

	r = check_own_row(k, &a_pool, at, r, p.id, &k->done->pools, &k->pool_max);
	if (r <= 0)
		return r;
	name = key_pool_name(p.name);
	r = check_leads(k, &a_pool, &name, p.id, p.name, "its name");
	return r ? r : check_owner(k, "pool", p.name, p.site);
}

int check_volume(struct check *k, const struct at *at)
{
	struct catalog_volume v = { .id = 0 };
	struct row_key name, member;
	struct catalog_pool p;
	int r = catalog_volume_by_id(k->c, at->number, &v);

	r = check_own_row(k, &a_volume, at, r, v.id, &k->done->volumes, &k->volume_max);
	if (r <= 0)
		return r;
	name = key_volume_name(v.name);
	member = key_member(v.pool, v.name);
	r = check_leads(k, &a_volume, &name, v.id, v.name, "its name");
	if (!r)
		r = check_leads(k, &a_volume, &member, v.id, v.name, "its place in the pool");
	if (!r)
		r = check_owner(k, "volume", v.name, v.site);
	if (!r)
		r = catalog_pool_by_id(k->c, v.pool, &p);
	if (r == CATALOG_E_NONE) {
		check_tell(k, false, "volume %s: its pool, number %u, is not there", v.name, v.pool);
		r = 0;
	}
	if (r == -EUCLEAN)	/* the pool's own fault */
		r = 0;
	if (!r && k->cfg->has_head)
		r = k->cfg->has_head(k->cfg->ctx, v.id);
	if (r > 0)
		check_tell(k, false, "volume %s has no tape", v.name);
	return r < 0 ? r : 0;
}

/* ---- names of tape files ---- */

int check_file(struct check *k, const struct at *at)
{
	struct catalog_file f;
	struct row_key name;
	uint64_t file;
	int r;

	if (at->key.len != 17) {
		check_tell(k, false, "the key of a tape file's name is damaged");
		return 0;
	}
	file = get_be64(at->key.b + 9);
	r = catalog_file_get(k->c, at->number, file, &f);
	if (r == CATALOG_E_NONE)
		return 0;
	k->done->files++;
	if (r == -EUCLEAN) {
		check_tell(k, false, "volume number %" PRIu64 ": the name of tape file %" PRIu64 " is damaged",
			   at->number, file);
		return 0;
	}
	if (!r)
		r = check_volume_is_there(k, at->number);
	if (r < 0)
		return r;
	if (r == 0) {
		check_tell(k, check_removed(k, &at->key),
			   "the name of a tape file of volume number %" PRIu64 ", which is gone", at->number);
		return 0;
	}
	name = key_file_name(at->number, f.name, file);
	r = check_is_there(k, &name);
	if (r == 0)
		check_tell(k, check_mended(k, &name, "", 0),
			   "volume number %" PRIu64 ": tape file %s is not found by its name", at->number, f.name);
	return r < 0 ? r : 0;
}

int check_file_name(struct check *k, const struct at *at)
{
	struct catalog_file f;
	size_t len = at->key.len;
	int r;

	r = check_is_there(k, &at->key);
	if (r <= 0)
		return r;
	if (len < 18 || at->key.b[len - 9] != 0) {
		check_tell(k, check_removed(k, &at->key), "the key of a tape file's name is damaged");
		return 0;
	}
	r = catalog_file_get(k->c, at->number, get_be64(at->key.b + len - 8), &f);
	if (r == CATALOG_E_NONE || (!r && strcmp(f.name, (const char *)at->key.b + 9)))
		check_tell(k, check_removed(k, &at->key),
			   "volume number %" PRIu64 ": the name %s leads to no tape file", at->number,
			   (const char *)at->key.b + 9);
	return r < 0 && r != -EUCLEAN ? r : 0;
}
