/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests about the store as a whole: how it is, what it holds. */
#include "daemon/serve_call.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/scsi.h"

int serve_version(struct call *c)
{
	return call_answer(c, json_pack("{s:s}", "version", VTAPE_VERSION));
}

/* ---- status -------------------------------------------------------------------------------------------- */

static int count_volumes(void *ctx, const struct catalog_pool *p)
{
	uint64_t *n = ctx;

	n[0]++;
	n[1] += p->volumes;
	return 0;
}

static json_t *drives_json(struct call *c)
{
	json_t *all = json_array();
	unsigned drives = library_drives(c->s->lib);

	for (unsigned n = 0; n < drives; n++) {
		struct catalog_volume v;
		struct library_drive d;
		if (library_drive_info(c->s->lib, n, &d))
			continue;
		const char *name = d.loaded && catalog_volume_by_id(c->s->cat, d.volume, &v) == 0 ? v.name : NULL;
		json_array_append_new(all, json_pack("{s:i, s:s?, s:b, s:b, s:b}", "drive", (int)n, "volume", name,
						     "open", d.open, "locked", d.locked, "out", d.out));
	}
	return all;
}

static json_t *pair_json(const char *a, uint64_t av, const char *b, uint64_t bv)
{
	return json_pack("{s:I, s:I}", a, (json_int_t)av, b, (json_int_t)bv);
}

/* The kernel's units of it. */
static json_t *scsi_json(struct call *c)
{
	unsigned up = 0, failed = 0;

	if (c->s->scsi)
		scsi_service_count(c->s->scsi, &up, &failed);
	return json_pack("{s:i, s:i}", "up", (int)up, "failed", (int)failed);
}

/* What is known of how sound it is, and what time it is for locks. */
static int add_care(struct call *c, json_t *st)
{
	struct catalog_store props;
	struct library_scrub scrub;
	struct damage d = { 0 };
	int r = err_fold(library_scrub_status(c->s->lib, &scrub));

	if (!r)
		r = damage_count(c, &d);
	if (!r)
		r = err_fold(catalog_store_get(c->s->cat, &props));
	if (r)
		return r;
	json_object_set_new(st, "scsi", scsi_json(c));
	json_object_set_new(st, "gc", json_boolean(!props.gc_off));
	json_object_set_new(st, "scrub", scrub_json(&scrub));
	json_object_set_new(st, "damage", pair_json("chunks", d.chunks, "packs", d.packs));
	json_object_set_new(st, "clock", pair_json("wall_ns", clock_now_ns(), "locks_ns", clock_retention_ns()));
	return 0;
}

int serve_status(struct call *c)
{
	const struct serve *s = c->s;
	uint64_t count[2] = { 0 }, avail = 0, total = 0, now = clock_now_ns();
	uint64_t uptime = s->started_ns && now > s->started_ns ? now - s->started_ns : 0;
	struct chunk_totals t;
	struct kv_usage use = { 0 };
	json_t *st;
	int r;

	r = catalog_pool_each(s->cat, count_volumes, count);
	if (!r)
		r = chunk_store_space(s->cs, &avail, &total);
	if (!r)
		r = kv_usage(s->kv, &use);
	if (r)
		return r;
	chunk_store_totals(s->cs, &t);
	st = json_pack("{s:s, s:i, s:s, s:s?, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
		       "version", VTAPE_VERSION, "pid", (int)getpid(), "store", s->store_path,
		       "mountpoint", s->mountpoint, "started_ns", (json_int_t)s->started_ns,
		       "uptime_ns", (json_int_t)uptime, "drives", drives_json(c),
		       "space", pair_json("available_bytes", avail, "total_bytes", total),
		       "pools", (json_int_t)count[0], "volumes", (json_int_t)count[1],
		       "packs", (json_int_t)t.packs, "chunks", (json_int_t)t.chunks,
		       "unique_bytes", (json_int_t)t.unique_bytes, "stored_bytes", (json_int_t)t.stored_bytes,
		       "database", pair_json("memory_bytes", use.memory_bytes, "disk_bytes", use.disk_bytes));
	r = st ? add_care(c, st) : err_origin(-ENOMEM);
	if (!r)
		return call_answer(c, st);
	json_decref(st);
	return r;
}

/* ---- stats --------------------------------------------------------------------------------------------- */

/* What is summed over volumes. */
struct sums {
	uint64_t volumes, records, files;
	uint64_t logical_bytes;			/* of the tapes as they read now */
	uint64_t history_bytes;			/* of older generations */
	uint64_t unique_bytes, stored_bytes;	/* of what was new to the store when it was written */
};

static int add_generation(void *ctx, const struct volume_stat *st)
{
	struct sums *sum = ctx;

	if (st->ended_ns)
		sum->history_bytes += st->end.bytes;
	return 0;
}

static int add_volume(struct call *c, uint64_t id, struct sums *sum)
{
	struct volume_stat st;
	int r;

	r = library_stat(c->s->lib, id, &st);
	if (r == -ENOENT)
		return 0;	/* deleted while we were counting */
	if (r)
		return err_fold(r);
	sum->volumes++;
	sum->records += tape_tally_records(&st.end);
	sum->files += st.end.marks;
	sum->logical_bytes += st.end.bytes;
	sum->unique_bytes += st.unique_bytes;
	sum->stored_bytes += st.stored_bytes;
	return volume_history(c->s->kv, id, add_generation, sum);
}

static int sum_volumes(struct call *c, const json_t *names, const char *pool, struct sums *sum)
{
	struct selection sel = { 0 };
	int r;

	r = selection_make(c, names, pool, &sel);
	for (size_t i = 0; !r && i < sel.n; i++)
		r = add_volume(c, sel.id[i], sum);
	selection_fini(&sel);
	return r;
}

/* 1 if there is nothing to compare; null if all of @a is shared with others. */
static json_t *ratio_json(uint64_t a, uint64_t b)
{
	if (b == 0)
		return a == 0 ? json_real(1.0) : json_null();
	return json_real((double)a / (double)b);
}

/* @what: "store", or "pool" or "volume" with its @name.  @read: what @unique is to be compared with. */
static int answer_stats(struct call *c, const char *what, const char *name, const struct sums *sum, uint64_t read,
			uint64_t unique, uint64_t stored)
{
	return call_answer(c, json_pack("{s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
					"of", what, "name", name, "volumes", (json_int_t)sum->volumes,
					"records", (json_int_t)sum->records, "files", (json_int_t)sum->files,
					"logical_bytes", (json_int_t)sum->logical_bytes,
					"history_bytes", (json_int_t)sum->history_bytes,
					"unique_bytes", (json_int_t)unique, "stored_bytes", (json_int_t)stored,
					"dedup", ratio_json(read, unique), "compression", ratio_json(unique, stored)));
}

int serve_stats(struct call *c)
{
	const char *name = call_string_or(c, "name", NULL);
	struct sums sum = { 0 };
	struct catalog_pool pool;
	struct chunk_totals t;
	json_t *names;
	int r;

	if (!name) {
		r = sum_volumes(c, NULL, NULL, &sum);
		if (r)
			return r;
		chunk_store_totals(c->s->cs, &t);
		return answer_stats(c, "store", NULL, &sum, sum.logical_bytes + sum.history_bytes, t.unique_bytes,
				    t.stored_bytes);
	}
	r = catalog_pool_get(c->s->cat, name, &pool);
	if (r == 0) {
		r = sum_volumes(c, NULL, name, &sum);
		return r ? r
			 : answer_stats(c, "pool", name, &sum, sum.logical_bytes, sum.unique_bytes, sum.stored_bytes);
	}
	if (r < 0)
		return r;
	names = json_pack("[s]", name);
	r = sum_volumes(c, names, NULL, &sum);
	json_decref(names);
	if (r == -ENOENT)
		return err_explain(r, "there is neither a pool nor a volume \"%s\"", name);
	return r ? r : answer_stats(c, "volume", name, &sum, sum.logical_bytes, sum.unique_bytes, sum.stored_bytes);
}
