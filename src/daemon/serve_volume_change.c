/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that change volumes.  Whether a change is allowed is library/'s to say.  A request that names several
 * volumes stops at the first that cannot be changed; those before it have been.
 */
#include "daemon/serve_call.h"

#include <errno.h>
#include <stdio.h>

/* Runs @change on each chosen volume. */
static int for_each_named(struct call *c, int (*change)(struct call *c, uint64_t id, const void *arg), const void *arg)
{
	struct selection sel = { 0 };
	const json_t *names;
	int r;

	r = call_strings(c, "names", &names);
	if (!r)
		r = selection_make(c, names, NULL, &sel);
	for (size_t i = 0; !r && i < sel.n; i++) {
		r = err_fold(change(c, sel.id[i], arg));
		if (!r)
			r = ctl_reply_progress(c->reply, json_pack("{s:I, s:I}", "done", (json_int_t)i + 1, "total",
								   (json_int_t)sel.n));
	}
	selection_fini(&sel);
	return r;
}

/* ---- changing wholes ----------------------------------------------------------------------------------- */

static int erase_one(struct call *c, uint64_t id, const void *arg)
{
	return library_volume_erase(c->s->lib, id);
}

int serve_volume_erase(struct call *c)
{
	return for_each_named(c, erase_one, NULL);
}

static int delete_one(struct call *c, uint64_t id, const void *arg)
{
	return library_volume_delete(c->s->lib, id);
}

int serve_volume_delete(struct call *c)
{
	return for_each_named(c, delete_one, NULL);
}

static int move_one(struct call *c, uint64_t id, const void *pool)
{
	struct catalog_volume v;
	struct catalog_pool p;
	int r;

	r = call_fold(catalog_volume_by_id(c->s->cat, id, &v), "volume", "?");
	if (!r)
		r = call_pool(c, pool, &p);
	if (r || v.pool == p.id)
		return r;
	return library_volume_move(c->s->lib, id, pool, v.name);
}

int serve_volume_move(struct call *c)
{
	const char *pool;
	int r = call_string(c, "pool", &pool);

	return r ? r : for_each_named(c, move_one, pool);
}

int serve_volume_rename(struct call *c)
{
	struct catalog_volume v;
	struct catalog_pool pool;
	const char *name, *to;
	int r;

	r = call_string(c, "name", &name);
	if (!r)
		r = call_string(c, "to", &to);
	if (!r)
		r = call_volume(c, name, &v);
	if (!r)
		r = call_fold(catalog_pool_by_id(c->s->cat, v.pool, &pool), "pool", "?");
	return r ? r : call_fold(library_volume_move(c->s->lib, v.id, pool.name, to), "volume", to);
}

/* ---- properties ---------------------------------------------------------------------------------------- */

struct volume_changes {
	bool protect_set, worm_set, capacity_set, record_set, expires_set, state_set;
	bool protect, worm;
	uint64_t capacity_bytes, record_bytes, expires_ns;
	enum catalog_state state;
	bool access_set;
	enum catalog_access access;
	const char *site;	/* borrowed from the request; NULL: not told */
};

static void set_protect(struct volume_changes *ch, const struct catalog_pool *as)
{
	ch->protect_set = true;
	ch->protect = as->worm;
}

static void set_worm(struct volume_changes *ch, const struct catalog_pool *as)
{
	ch->worm_set = true;
	ch->worm = as->worm;
}

static void set_capacity(struct volume_changes *ch, const struct catalog_pool *as)
{
	ch->capacity_set = true;
	ch->capacity_bytes = as->capacity_bytes;
}

static void set_record_size(struct volume_changes *ch, const struct catalog_pool *as)
{
	ch->record_set = true;
	ch->record_bytes = as->record_bytes;
}

static const struct {
	const char *name;
	const char *as;		/* the pool's property whose words it takes */
	void (*set)(struct volume_changes *ch, const struct catalog_pool *as);
} volume_props[] = {
	{ "protect", "worm", set_protect },
	{ "capacity", "capacity", set_capacity },
	{ "record_size", "record_size", set_record_size },
	{ "worm", "worm", set_worm },
};

/* "@NS", "+30d", "never", "pool".  A date that is over is now: it expires at once. */
static int expires_parse(const char *value, struct volume_changes *ch)
{
	uint64_t now = clock_retention_ns(), seconds;
	unsigned long long ns;
	char *end;
	int r;

	ch->expires_set = true;
	ch->expires_ns = !strcmp(value, "never") ? CATALOG_NEVER : 0;
	if (ch->expires_ns || !strcmp(value, "pool"))
		return 0;
	if (value[0] == '+') {
		r = parse_duration(value + 1, &seconds);
		if (!r && seconds > (INT64_MAX - now) / 1000000000u)
			r = err_explain(-ERANGE, "\"%s\" is too long a time; never: it does not expire", value + 1);
		if (!r)
			ch->expires_ns = now + seconds * 1000000000u;
		return r;
	}
	errno = 0;
	ns = value[0] == '@' ? strtoull(value + 1, &end, 10) : 0;
	if (!ns || *end || errno || ns > INT64_MAX)
		return err_explain(-EINVAL,
				   "\"%s\" is not when a volume expires: @ and nanoseconds since 1970, + and a "
				   "time as 30d, never, pool",
				   value);
	ch->expires_ns = ns > now ? ns : now;
	return 0;
}

static int state_parse(const char *value, struct volume_changes *ch)
{
	static const enum catalog_state by_hand[] = { STATE_SCRATCH, STATE_ASSIGNED, STATE_ERROR };

	for (size_t i = 0; i < ARRAY_LEN(by_hand); i++) {
		if (strcmp(catalog_state_name(by_hand[i]), value) != 0)
			continue;
		ch->state_set = true;
		ch->state = by_hand[i];
		return 0;
	}
	return err_explain(-EINVAL, "\"%s\" is no state that is set by hand: scratch, assigned, error", value);
}

static int change_parse(void *ctx, const char *prop, const char *value)
{
	struct catalog_pool as = { .id = 0 };
	struct volume_changes *ch = ctx;
	int r = 0;

	if (!strcmp(prop, "expires"))
		return expires_parse(value, ch);
	if (!strcmp(prop, "state"))
		return state_parse(value, ch);
	if (!strcmp(prop, "access")) {
		ch->access_set = true;
		return catalog_access_parse(value, &ch->access);
	}
	if (!strcmp(prop, "site")) {
		ch->site = value;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(volume_props); i++) {
		if (strcmp(volume_props[i].name, prop) != 0)
			continue;
		/* "inherit" is a volume's own word: no record size but the pool's. */
		if (volume_props[i].set != set_record_size || strcmp(value, "inherit") != 0)
			r = call_pool_word(volume_props[i].as, value, &as);
		if (!r)
			volume_props[i].set(ch, &as);
		return r;
	}
	return err_explain(-ENOENT, "a volume has no property \"%s\"; it has protect, capacity, record_size, worm, "
			   "expires, state, access and site", prop);
}

static void changes_apply(struct catalog_volume *v, void *ctx)
{
	const struct volume_changes *ch = ctx;

	if (ch->protect_set)
		v->protect = ch->protect;
	if (ch->worm_set)
		v->worm = ch->worm;
	if (ch->capacity_set)
		v->capacity_bytes = ch->capacity_bytes;
	if (ch->record_set)
		v->record_bytes = ch->record_bytes;
	if (ch->expires_set)
		v->expires_ns = ch->expires_ns;
}

/* Whose it is.  What another site writes is not taken by a slip. */
static int set_access(struct call *c, const struct catalog_volume *v, const struct volume_changes *ch)
{
	enum catalog_access access = ch->access_set ? ch->access : v->access;
	struct catalog_site s = { .number = 0 };
	int r = ch->site ? call_fold(catalog_site_get(c->s->cat, ch->site, &s), "site", ch->site) : 0;

	if (!r && v->access != ACCESS_PRIMARY && access == ACCESS_PRIMARY && !call_flag(c, "takeover"))
		r = err_explain(-EPERM, "volume %s is another site's; to take it over, say so (--yes)", v->name);
	return r ? r : library_volume_access(c->s->lib, v->id, access, s.number);
}

static bool changes_tape(const struct volume_changes *ch)
{
	return ch->worm_set || ch->capacity_set || ch->record_set || ch->expires_set;
}

static int set_one(struct call *c, uint64_t id, const void *arg)
{
	struct volume_changes ch = *(const struct volume_changes *)arg;
	struct catalog_volume v;
	struct volume_stat st;
	int r;

	r = call_fold(catalog_volume_by_id(c->s->cat, id, &v), "volume", "?");
	if (!r && (ch.access_set || ch.site))
		r = set_access(c, &v, &ch);
	if (!r)
		r = call_fold(catalog_volume_by_id(c->s->cat, id, &v), "volume", "?");
	if (!r && changes_tape(&ch) && library_access(c->s->lib, &v) != ACCESS_PRIMARY)
		r = err_explain(-EROFS,
				"volume \"%s\" is a copy that another site writes: only protect can be set here",
				v.name);
	if (!r && ch.worm_set && ch.worm != v.worm) {
		r = err_fold(library_stat(c->s->lib, id, &st));
		if (!r && st.end.objects)
			r = err_explain(-EPERM,
					"volume \"%s\" is not blank: whether it is write once can no longer be changed",
					v.name);
	}
	if (!r && ch.state_set)
		r = library_volume_state(c->s->lib, id, ch.state);
	return r ? r : library_volume_change(c->s->lib, id, changes_apply, &ch);
}

int serve_volume_set(struct call *c)
{
	struct volume_changes ch = { 0 };
	const json_t *set;
	int r;

	r = call_strings(c, "set", &set);
	if (!r)
		r = call_assignments(set, change_parse, &ch);
	return r ? r : for_each_named(c, set_one, &ch);
}
