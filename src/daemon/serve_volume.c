/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that look at volumes.  Rows are sent one at a time with nothing held: a slow client slows nobody else. */
#include "daemon/serve_call.h"

#include <errno.h>

/* What the catalog knows. */
static json_t *catalog_json(const struct catalog_volume *v, const struct catalog_pool *pool)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:i, s:I, s:I, s:I}",
			 "name", v->name, "pool", pool->name, "state", catalog_state_name(v->state),
			 "access", catalog_access_name(catalog_access_of(v, pool)), "serial", v->serial,
			 "protect", v->protect, "worm", v->worm, "capacity_bytes", (json_int_t)v->capacity_bytes,
			 "record_bytes", (json_int_t)v->record_bytes,
			 "mode", (int)v->perm.mode, "uid", (json_int_t)v->perm.uid, "gid", (json_int_t)v->perm.gid,
			 "created_ns", (json_int_t)v->created_ns);
}

/* What the tape knows; of one generation. */
static json_t *stat_json(const struct volume_stat *st)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "generation", (json_int_t)st->generation, "partitions", (json_int_t)st->partitions,
			 "size_bytes", (json_int_t)st->end.bytes, "records", (json_int_t)tape_tally_records(&st->end),
			 "files", (json_int_t)st->end.marks, "unique_bytes", (json_int_t)st->unique_bytes,
			 "stored_bytes", (json_int_t)st->stored_bytes, "begun_ns", (json_int_t)st->begun_ns,
			 "written_ns", (json_int_t)st->written_ns, "ended_ns", (json_int_t)st->ended_ns);
}

/* When it expires, and who says so.  What is scratch does not. */
static void put_expiry(struct call *c, json_t *row, const struct catalog_volume *v, const struct catalog_pool *pool,
		       const struct volume_stat *st)
{
	bool lives = library_state(v, st) != STATE_SCRATCH && v->state != STATE_INCOMING;
	uint64_t at = lives ? library_expires(v, pool, st, 0) : CATALOG_NEVER;
	bool by_hand = lives && v->expires_ns && at == v->expires_ns;

	json_object_set_new(row, "expires_ns", expires_json(at));
	json_object_set_new(row, "expires_by",
			    by_hand ? json_string("hand") : at != CATALOG_NEVER ? json_string("pool") : json_null());
	json_object_set_new(row, "assigned_ns", json_integer((json_int_t)v->assigned_ns));
}

/* Of the state asked for, as it is told. */
static bool is_wanted(const struct call *c, const json_t *row)
{
	const char *state = call_string_or(c, "state", NULL);

	return !state || !strcmp(state, json_string_value(json_object_get(row, "state")));
}

/* Whose it is, and what that site last told of it. */
static void set_site(const struct call *c, json_t *row, const struct catalog_volume *v, const struct catalog_pool *pool)
{
	struct catalog_site s;
	int r = catalog_site_by_number(c->s->cat, v->site ? v->site : pool->site, &s);

	json_object_set_new(row, "site", r ? json_null() : json_string(s.name));
	json_object_set_new(row, "site_generation", json_integer((json_int_t)v->site_generation));
	json_object_set_new(row, "site_written_ns", json_integer((json_int_t)v->site_written_ns));
}

static int volume_row(struct call *c, const struct catalog_volume *v, const struct loaded *drives)
{
	struct catalog_pool pool;
	struct volume_stat st;
	char drive[16];
	json_t *row;
	int r;

	r = catalog_pool_by_id(c->s->cat, v->pool, &pool);
	if (r == CATALOG_E_NONE)
		return 0;	/* went with its volumes in between */
	if (r)
		return r;
	row = catalog_json(v, &pool);
	if (!row)
		return err_origin(-ENOMEM);
	set_site(c, row, v, &pool);
	json_object_set_new(row, "locked_until_ns", json_integer((json_int_t)library_locked_until(c->s->lib, v)));

	/* One damaged volume does not hide the others. */
	r = library_stat(c->s->lib, v->id, &st);
	if (r == 0) {
		if (st.end.objects == 0)
			st.written_ns = 0;	/* a blank tape was made, not written */
		json_object_set_new(row, "state", json_string(catalog_state_name(library_state(v, &st))));
		put_expiry(c, row, v, &pool, &st);
		json_object_update_new(row, stat_json(&st));
	} else {
		json_object_set_new(row, "state", json_string("error"));
		json_object_set_new(row, "error", json_string(r < 0 ? err_text(r) : "unknown"));
	}
	if (!is_wanted(c, row)) {
		json_decref(row);
		return 0;
	}
	json_object_set_new(row, "loaded", loaded_in(drives, v->id, drive) ? json_string(drive) : json_null());
	return ctl_reply_row(c->reply, row);
}

/* Of a volume whose own row is damaged its pool's row still has the name. */
struct damaged { uint64_t id; uint32_t *pool; size_t pools; struct catalog_volume v; };

static int note_pool(void *ctx, const struct catalog_pool *p)
{
	struct damaged *d = ctx;
	uint32_t *more = reallocarray(d->pool, d->pools + 1, sizeof(*more));

	if (!more)
		return err_origin(-ENOMEM);
	d->pool = more;
	d->pool[d->pools++] = p->id;
	return 0;
}

static int is_damaged(void *ctx, const struct catalog_volume *v)
{
	struct damaged *d = ctx;

	if (v->id != d->id)
		return 0;
	d->v = *v;
	return 1;
}

static int damaged_row(struct call *c, uint64_t id)
{
	struct damaged d = { .id = id };
	struct catalog_pool pool;
	json_t *row = NULL;
	int r = catalog_pool_each(c->s->cat, note_pool, &d);

	for (size_t i = 0; !r && i < d.pools; i++)
		r = catalog_volume_each(c->s->cat, d.pool[i], "", is_damaged, &d);
	free(d.pool);
	if (r == 1 && !(r = catalog_pool_by_id(c->s->cat, d.v.pool, &pool)))
		row = json_pack("{s:s, s:s, s:s, s:s}", "name", d.v.name, "pool", pool.name, "state", "error", "error",
				"its row in the catalog is damaged");
	if (row && is_wanted(c, row))
		return ctl_reply_row(c->reply, row);
	json_decref(row);
	return r < 0 ? r : 0;
}

static int check_state_word(const struct call *c)
{
	const char *state = call_string_or(c, "state", NULL);

	for (enum catalog_state s = STATE_SCRATCH; state && s <= STATE_INCOMING; s++)
		if (!strcmp(state, catalog_state_name(s)))
			return 0;
	return state ? err_explain(-EINVAL, "\"%s\" is no state: scratch, assigned, expired, migrated, error, incoming",
				   state) : 0;
}

int serve_volume_list(struct call *c)
{
	struct selection sel = { 0 };
	struct loaded drives;
	int r;

	r = check_state_word(c);
	if (!r)
		r = selection_make(c, json_object_get(c->req, "names"), call_string_or(c, "pool", NULL), &sel);
	loaded_look(c, &drives);
	for (size_t i = 0; !r && i < sel.n; i++) {
		struct catalog_volume v;
		r = catalog_volume_by_id(c->s->cat, sel.id[i], &v);
		if (r == CATALOG_E_NONE)
			r = 0;	/* deleted in between */
		else if (r == -EUCLEAN)
			r = damaged_row(c, sel.id[i]);
		else if (r == 0)
			r = volume_row(c, &v, &drives);
	}
	selection_fini(&sel);
	return r;
}

static int history_row(void *ctx, const struct volume_stat *st)
{
	json_t *row = stat_json(st);

	if (st->damaged && row)
		json_object_set_new(row, "error", json_string("its head is damaged"));
	return row ? json_array_append_new(ctx, row) : -ENOMEM;
}

int serve_volume_history(struct call *c)
{
	json_t *rows = json_array(), *row;
	struct catalog_volume v;
	const char *name;
	size_t i;
	int r;

	r = call_string(c, "name", &name);
	if (!r)
		r = call_volume(c, name, &v);
	if (!r)
		r = volume_history(c->s->kv, v.id, history_row, rows);
	json_array_foreach(rows, i, row) {
		if (!r)
			r = ctl_reply_row(c->reply, json_incref(row));
	}
	json_decref(rows);
	return r;
}
