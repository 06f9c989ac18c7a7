/* SPDX-License-Identifier: BSD-2-Clause */
/* The request to prove everything.  A client that goes away stops it. */
#include "daemon/serve_call.h"

#include <errno.h>

static void check_found(void *ctx, const char *room, const char *about, const char *what, bool repaired)
{
	call_row(ctx, json_pack("{s:s, s:s, s:s, s:b}", "room", room, "about", about ? about : "", "what", what,
				"repaired", repaired));
}

static int check_progress(void *ctx, const char *room, uint64_t done, uint64_t all)
{
	return call_progress(ctx, json_pack("{s:s, s:I, s:I}", "room", room, "done", (json_int_t)done, "total",
					    (json_int_t)all));
}

static void contents_found(void *ctx, const char *what, bool repaired)
{
	check_found(ctx, "contents", NULL, what, repaired);
}

static json_t *checked_json(const struct library_checked *k)
{
	json_t *all = json_pack("{s:I, s:I}", "faults", (json_int_t)k->faults, "repaired", (json_int_t)k->repaired);

	json_object_set_new(all, "catalog",
			    json_pack("{s:I, s:I, s:I, s:I}", "pools", (json_int_t)k->catalog.pools, "volumes",
				      (json_int_t)k->catalog.volumes, "files", (json_int_t)k->catalog.files, "events",
				      (json_int_t)k->catalog.events));
	json_object_set_new(all, "tape",
			    json_pack("{s:I, s:I, s:I, s:I}", "volumes", (json_int_t)k->tape.volumes, "generations",
				      (json_int_t)k->tape.generations, "maps", (json_int_t)k->tape.maps, "pages",
				      (json_int_t)k->tape.pages));
	json_object_set_new(all, "chunk",
			    json_pack("{s:I, s:I, s:I, s:I}", "packs", (json_int_t)k->chunk.packs, "chunks",
				      (json_int_t)k->chunk.chunks, "bytes", (json_int_t)k->chunk.bytes, "unindexed",
				      (json_int_t)k->chunk.unindexed));
	return all;
}

int serve_check(struct call *c)
{
	const struct library_check_config cfg = { .data = call_flag(c, "data"), .repair = call_flag(c, "repair"),
						  .found = check_found, .progress = check_progress, .ctx = c };
	struct library_checked done = { 0 };
	struct contents_checked known = { 0 };
	struct damage d = { 0 };
	json_t *ok;
	int r = chunk_store_seal_idle(c->s->cs);	/* only closed packs are looked at */

	if (!r)
		r = err_fold(library_check(c->s->lib, &cfg, &done));
	if (!r)
		r = err_fold(contents_check(c->s->contents, cfg.repair, contents_found, c, &known));
	if (!r)
		r = damage_count(c, &d);
	if (r)
		return r;
	done.faults += known.faults;
	done.repaired += known.repaired;
	ok = checked_json(&done);
	json_object_set_new(ok, "contents",
			    json_pack("{s:I, s:I, s:I}", "files", (json_int_t)known.files, "lists",
				      (json_int_t)known.lists, "members", (json_int_t)known.members));
	json_object_set_new(ok, "damage", json_pack("{s:I, s:I}", "chunks", (json_int_t)d.chunks, "packs",
						    (json_int_t)d.packs));
	return call_answer(c, ok);
}
