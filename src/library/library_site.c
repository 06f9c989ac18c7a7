/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library_site: volumes and pools of other sites.  What this site does not write it only reads: one place says how a
 * volume may be used (the stricter word of the volume and its pool), and everybody asks here.  Other sites' volumes are
 * registered by label, so that no label is given twice; one that two sites have is recorded as a clash and told.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "library/holding.h"

/* ---- how a volume may be used ---------------------------------------------------------------------------------- */

/* A pool that cannot be read is nobody's to write in. */
enum catalog_access library_access(struct library *lib, const struct catalog_volume *v)
{
	struct catalog_pool pool;

	return catalog_pool_by_id(lib->cat, v->pool, &pool) ? ACCESS_RESTRICTED : catalog_access_of(v, &pool);
}

/* "site berlin", for words. */
static const char *site_words(struct library *lib, uint32_t number, char out[BARCODE_MAX + 16])
{
	struct catalog_site s;

	if (!number || catalog_site_by_number(lib->cat, number, &s))
		snprintf(out, BARCODE_MAX + 16, "another site");
	else
		snprintf(out, BARCODE_MAX + 16, "site %s", s.name);
	return out;
}

static uint32_t site_of(struct library *lib, const struct catalog_volume *v)
{
	struct catalog_pool pool;

	return v->site || catalog_pool_by_id(lib->cat, v->pool, &pool) ? v->site : pool.site;
}

int site_allows(struct library *lib, const struct catalog_volume *row, const char *done)
{
	char site[BARCODE_MAX + 16];

	if (library_access(lib, row) == ACCESS_PRIMARY)
		return 0;
	return err_explain(-EROFS, "volume %s is a copy that %s writes: it cannot be %s", row->name,
			   site_words(lib, site_of(lib, row), site), done);
}

int site_allows_in(struct library *lib, const struct catalog_pool *pool, const char *done)
{
	char site[BARCODE_MAX + 16];

	if (pool->access == ACCESS_PRIMARY)
		return 0;
	return err_explain(-EROFS, "pool %s is %s, %s writes it: nothing is %s", pool->name,
			   catalog_access_name(pool->access), site_words(lib, pool->site, site), done);
}

/* A registration without a tape's content is only a word about it, and may be taken back. */
int site_allows_delete(struct library *lib, const struct catalog_volume *row)
{
	struct volume_stat st;
	int r;

	if (library_access(lib, row) == ACCESS_PRIMARY)
		return library_volume_may_go(lib, row, "deleted");
	r = library_stat(lib, row->id, &st);
	if (r && r != -ENOENT)
		return r;
	if (!row->site || (!r && (st.end.objects || st.generation > 1)))
		return site_allows(lib, row, "deleted");
	return lock_allows(lib, row, "deleted");
}

/* ---- labels ---------------------------------------------------------------------------------------------------- */

int site_name_taken(struct library *lib, const char *name)
{
	char site[BARCODE_MAX + 16];
	struct catalog_clash clash;
	struct catalog_volume v;

	if (!catalog_volume_get(lib->cat, name, &v) && v.site)
		return err_explain(-EEXIST, "the label %s is taken: it is a volume of %s", name,
				   site_words(lib, v.site, site));
	if (catalog_volume_get(lib->cat, name, &v) && !catalog_clash_find(lib->cat, name, &clash))
		return err_explain(-EEXIST, "the label %s is taken: %s has it on the cartridge with serial %s", name,
				   site_words(lib, clash.site, site), clash.serial);
	return err_explain(-EEXIST, "there is a volume %s already", name);
}

int library_label_free(struct library *lib, const char *name)
{
	struct catalog_clash clash;
	struct catalog_volume v;
	int r = catalog_volume_get(lib->cat, name, &v);

	if (r == CATALOG_E_NONE)
		r = catalog_clash_find(lib->cat, name, &clash);
	if (r == CATALOG_E_NONE)
		return 0;
	return r ? r : site_name_taken(lib, name);
}

static int clash_found(struct library *lib, const struct library_registration *reg, const struct catalog_volume *ours)
{
	struct catalog_clash clash = { .site = reg->site, .found_ns = clock_now_ns() };
	char site[BARCODE_MAX + 16], about[LIBRARY_ABOUT_MAX];
	int r;

	snprintf(clash.name, sizeof(clash.name), "%s", reg->name);
	snprintf(clash.serial, sizeof(clash.serial), "%s", reg->serial);
	r = catalog_clash_put(lib->cat, &clash);
	if (r)
		return r;
	site_words(lib, reg->site, site);
	catalog_event(lib->cat, EVENT_CLASH, library_about(lib, ours, about),
		      "serial %s here, serial %s at %s: one of the two is to be renamed", ours->serial, reg->serial,
		      site);
	return err_explain(
		-EEXIST,
		"the label %s is here already, with serial %s; %s has it with serial %s. It is recorded as a clash "
		"until one of the two is renamed",
		reg->name, ours->serial, site, reg->serial);
}

/* ---- registering ----------------------------------------------------------------------------------------------- */

static int registration_check(struct library *lib, const struct library_registration *reg, struct catalog_pool *pool)
{
	struct catalog_site s;
	int r;

	if (!parse_is_name(reg->name))
		return err_explain(-EINVAL, "\"%s\" is no name for a volume: 1 to %d of A-Z a-z 0-9 . _ - +", reg->name,
				   BARCODE_MAX);
	if (reg->serial[0] && (strlen(reg->serial) != 16 || strspn(reg->serial, "0123456789ABCDEF") != 16))
		return err_explain(-EINVAL, "\"%s\" is no serial of a cartridge: 16 hexadecimal digits", reg->serial);
	if (!reg->site)
		return err_explain(-EINVAL, "volumes of this site are made, not registered");
	if (reg->access == ACCESS_PRIMARY)
		return err_explain(-EINVAL, "a volume of another site is secondary or restricted here");
	r = err_fold(catalog_site_by_number(lib->cat, reg->site, &s));
	if (!r)
		r = library_pool(lib, reg->pool, pool);
	if (!r && pool->site && pool->site != reg->site)
		r = err_explain(-EINVAL, "pool %s is another site's", pool->name);
	return r;
}

/* Its site tells of it once more. */
static int register_again(struct library *lib, const struct library_registration *reg, struct catalog_volume *v)
{
	if (reg->serial[0] && strcmp(v->serial, reg->serial) != 0)
		return clash_found(lib, reg, v);
	v->access = reg->access;
	if (reg->generation)
		v->site_generation = reg->generation;
	if (reg->written_ns)
		v->site_written_ns = reg->written_ns;
	return err_fold(catalog_volume_put(lib->cat, v, NULL));
}

static int register_beside(struct library *lib, const struct library_registration *reg, const struct catalog_volume *v)
{
	char site[BARCODE_MAX + 16];

	if (!reg->serial[0])
		return err_explain(-EEXIST,
				   "the label %s is here already, with serial %s: the serial of the other cartridge "
				   "is needed to tell whether they are one",
				   v->name, v->serial);
	if (strcmp(v->serial, reg->serial) != 0)
		return clash_found(lib, reg, v);
	if (!v->site)
		return err_explain(-EEXIST, "volume %s, serial %s, is this site's own", v->name, v->serial);
	return err_explain(-EEXIST, "volume %s, serial %s, is known as a volume of %s", v->name, v->serial,
			   site_words(lib, v->site, site));
}

/* A label that this site had in a clash with ours, which has another name now, is free for it. */
static int clash_settles(struct library *lib, const struct library_registration *reg)
{
	int r = catalog_clash_remove(lib->cat, reg->site, reg->name);

	return r == CATALOG_E_NONE ? 0 : r;
}

/* It is outside until somebody puts it into a slot: there is nothing on it here. */
static int register_new(struct library *lib, const struct library_registration *reg, const struct catalog_pool *pool,
			struct catalog_volume *row)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r;

	*row = (struct catalog_volume){
		.pool = pool->id, .state = STATE_ASSIGNED, .access = reg->access, .site = reg->site,
		.site_generation = reg->generation, .site_written_ns = reg->written_ns,
		.capacity_bytes = pool->capacity_bytes, .perm = library_perm(NULL, 0644),
	};
	snprintf(row->name, sizeof(row->name), "%s", reg->name);
	snprintf(row->serial, sizeof(row->serial), "%s", reg->serial);
	r = library_has_room(lib, reg->name);
	if (!r)
		r = clash_settles(lib, reg);
	if (!r)
		r = catalog_volume_new_id(lib->cat, &row->id);
	if (!r)
		r = kv_batch_new(&b);
	if (!r)
		r = volume_create(b, row->id);
	if (!r)
		r = place_stage(b, row->id, (struct library_place){ LIBRARY_OUTSIDE, 0 });
	if (!r)
		r = catalog_volume_add(lib->cat, row, b);
	return r == CATALOG_E_EXISTS ? site_name_taken(lib, reg->name) : err_fold(r);
}

int library_volume_register(struct library *lib, const struct library_registration *reg, struct catalog_volume *out)
{
	char about[LIBRARY_ABOUT_MAX], site[BARCODE_MAX + 16];
	struct catalog_pool pool;
	struct catalog_volume v;
	int r = registration_check(lib, reg, &pool);

	if (r)
		return r;
	pthread_mutex_lock(&lib->change);
	r = catalog_volume_get(lib->cat, reg->name, &v);
	if (r == CATALOG_E_NONE)
		r = register_new(lib, reg, &pool, &v);
	else if (!r && v.site == reg->site)
		r = register_again(lib, reg, &v);
	else if (!r)
		r = register_beside(lib, reg, &v);
	pthread_mutex_unlock(&lib->change);
	if (r)
		return err_fold(r);
	catalog_event(lib->cat, EVENT_REGISTERED, library_about(lib, &v, about),
		      "a volume of %s, serial %s, %s, generation %llu", site_words(lib, v.site, site), v.serial,
		      catalog_access_name(v.access), (unsigned long long)v.site_generation);
	if (out)
		*out = v;
	return held_refresh(lib, v.id);
}

/* ---- handing over and taking over ------------------------------------------------------------------------------ */

static int becomes(struct library *lib, struct catalog_volume *row, enum catalog_access access, uint32_t site)
{
	struct catalog_pool pool;
	int r = err_fold(catalog_pool_by_id(lib->cat, row->pool, &pool));

	if (r)
		return r;
	if (row->state == STATE_INCOMING)
		return err_explain(-EBUSY, "volume %s is an image that is still being written", row->name);
	if (access == ACCESS_PRIMARY && site)
		return err_explain(-EINVAL, "what this site writes is no other site's");
	if (access == ACCESS_PRIMARY && pool.access != ACCESS_PRIMARY)
		return err_explain(-EINVAL,
				   "volume %s is in pool %s, which is %s: that pool is to be taken over, or the volume "
				   "would stay read-only",
				   row->name, pool.name, catalog_access_name(pool.access));
	if (access != ACCESS_PRIMARY && !site && !site_of(lib, row))
		return err_explain(-EINVAL, "whose is volume %s then? site=NAME is needed with access=%s", row->name,
				   catalog_access_name(access));
	row->access = access;
	if (access == ACCESS_PRIMARY)
		row->site = 0;
	else if (site)
		row->site = site;
	return 0;
}

static void tell_access(struct library *lib, const struct catalog_volume *was, const struct catalog_volume *row)
{
	char about[LIBRARY_ABOUT_MAX], site[BARCODE_MAX + 16], when[32];

	library_about(lib, row, about);
	if (row->access == ACCESS_PRIMARY && was->access != ACCESS_PRIMARY)
		catalog_event(lib->cat, EVENT_TAKEN_OVER, about,
			      "from %s, whose generation was %llu, written %s: that site must not write it any more",
			      site_words(lib, was->site, site), (unsigned long long)was->site_generation,
			      format_time(was->site_written_ns, when));
	else if (row->access != was->access || row->site != was->site)
		catalog_event(lib->cat, EVENT_VOLUME_CHANGED, about, "%s, a volume of %s",
			      catalog_access_name(row->access), site_words(lib, row->site, site));
}

struct giving { enum catalog_access access; uint32_t site; struct catalog_volume was, row; };

static int access_row(struct library *lib, uint64_t volume, void *ctx)
{
	struct giving *g = ctx;
	int r;

	LOCK_SCOPE(&lib->change);
	r = library_row(lib, volume, &g->was);
	if (r)
		return r;
	g->row = g->was;
	r = becomes(lib, &g->row, g->access, g->site);
	return r ? r : err_fold(catalog_volume_put(lib->cat, &g->row, NULL));
}

int library_volume_access(struct library *lib, uint64_t volume, enum catalog_access access, uint32_t site)
{
	struct giving g = { .access = access, .site = site };
	int r;

	/* Nobody is writing it while it is given away. */
	if (access != ACCESS_PRIMARY)
		r = held_as_whole(lib, volume, access_row, &g);
	else
		r = access_row(lib, volume, &g);
	if (!r)
		r = held_refresh(lib, volume);
	if (!r)
		tell_access(lib, &g.was, &g.row);
	return r;
}

int site_pool_becomes(const struct catalog_pool *was, struct catalog_pool *pool)
{
	if (pool->access == ACCESS_PRIMARY && pool->site && pool->site != was->site)
		return err_explain(-EINVAL,
				   "what this site writes is no other site's: site=NAME goes with access=secondary");
	if (pool->access == ACCESS_PRIMARY)
		pool->site = 0;
	else if (!pool->site)
		return err_explain(-EINVAL, "whose is pool %s then? site=NAME is needed with access=%s", pool->name,
				   catalog_access_name(pool->access));
	return 0;
}

/* Who is writing on one of its tapes meets a write protected tape from now on. */
int site_pool_became(struct library *lib, const struct catalog_pool *was, const struct catalog_pool *pool)
{
	char site[BARCODE_MAX + 16];

	if (pool->access == ACCESS_PRIMARY)
		catalog_event(lib->cat, EVENT_TAKEN_OVER, pool->name,
			      "every volume of it, from %s: that site must not write them any more",
			      site_words(lib, was->site, site));
	return held_refresh_all(lib);
}
