/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that carry whole tapes: import and export.  The bytes go through the descriptor that came with the request.
 *
 * An import is made beside the volume, in one of state INCOMING, and takes its place at once when it is whole: a broken
 * image changes nothing.  library/ tells the event.  What a crash leaves of it is removed by the next import to the
 * same volume.
 */
#include "daemon/serve_call.h"

#include <vtape/image.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct transfer {
	struct ctl_reply *reply;
	uint64_t total_bytes;	/* 0: not known */
};

static int transfer_step(void *ctx, uint64_t done_bytes, uint64_t objects)
{
	struct transfer *t = ctx;

	return ctl_reply_progress(t->reply,
				  json_pack("{s:I, s:I, s:I}", "done_bytes", (json_int_t)done_bytes, "total_bytes",
					    (json_int_t)t->total_bytes, "objects", (json_int_t)objects));
}

/* What went through. */
static int answer_tape(struct call *c, const char *name, const struct volume_stat *st)
{
	return call_answer(c, json_pack("{s:s, s:I, s:I, s:I}", "volume", name,
					"size_bytes", (json_int_t)st->end.bytes,
					"records", (json_int_t)tape_tally_records(&st->end),
					"files", (json_int_t)st->end.marks));
}

static int call_format(const struct call *c, enum image_format *out)
{
	const char *word = call_string_or(c, "format", NULL);

	if (!word)
		return 1;
	if (image_format_parse(word, out) < 0)
		return err_explain(-EINVAL, "\"%s\" is not an image format (tap, aws)", word);
	return 0;
}

/* ---- import -------------------------------------------------------------------------------------------- */

/* Where the tape will be. */
struct target {
	const char *name;
	const char *pool;
	bool exists;
	struct catalog_volume v;	/* if it exists */
};

/* Everything that can be refused before a byte is read. */
static int target_check(struct call *c, struct target *t)
{
	struct catalog_pool pool;
	struct volume_stat st;
	int r;

	r = call_string(c, "volume", &t->name);
	if (r)
		return r;
	if (!parse_is_name(t->name))
		return err_explain(-EINVAL, "\"%s\" is not a name for a volume", t->name);
	t->pool = call_string_or(c, "pool", CATALOG_POOL_DEFAULT);
	r = call_pool(c, t->pool, &pool);
	if (r)
		return r;
	r = catalog_volume_get(c->s->cat, t->name, &t->v);
	if (r == CATALOG_E_NONE)
		return 0;
	if (r)
		return r;

	t->exists = true;
	if (call_has(c, "pool") && t->v.pool != pool.id)
		return err_explain(-EEXIST, "volume \"%s\" is in another pool than \"%s\"", t->name, t->pool);
	r = err_fold(library_may_overwrite(c->s->lib, t->v.id));
	if (!r)
		r = err_fold(library_stat(c->s->lib, t->v.id, &st));
	if (r || st.end.objects == 0)
		return r;
	if (!call_flag(c, "overwrite"))
		return err_explain(-EEXIST, "volume \"%s\" has data; --overwrite replaces it", t->name);
	return 0;
}

/* The volume that the image is read into: one for each name, so that a left over one is found again. */
static int incoming_make(struct call *c, const struct target *t, struct catalog_volume *out)
{
	struct catalog_perm perm = call_perm(0644);
	struct catalog_pool pool;
	char name[BARCODE_MAX + 1];
	const char *where = t->pool;
	int r;

	if (t->exists) {
		r = call_fold(catalog_pool_by_id(c->s->cat, t->v.pool, &pool), "pool", "?");
		if (r)
			return r;
		where = pool.name;
	}
	snprintf(name, sizeof(name), ".import.%016" PRIx64, sum64(t->name, strlen(t->name)));
	r = catalog_volume_get(c->s->cat, name, out);
	if (r == 0) {
		r = library_volume_delete(c->s->lib, out->id);
		if (r == -EBUSY)
			return err_explain(r, "volume \"%s\" is being imported already", t->name);
	} else if (r == CATALOG_E_NONE) {
		r = 0;
	}
	if (!r)
		r = library_volume_create(c->s->lib, where, name, &perm, true, out);
	return call_fold(r, "volume", name);
}

/* By its first bytes if they can be looked at without taking them away, and its name. */
static enum image_format guess_format(const struct call *c)
{
	uint8_t head[16];
	ssize_t n = pread(c->fd, head, sizeof(head), lseek(c->fd, 0, SEEK_CUR));

	return image_guess(head, n > 0 ? (size_t)n : 0, call_string_or(c, "file", NULL));
}

/* What arrives has no end of medium of its own: it is the disk's. */
static int import_met_the_end(struct call *c, uint64_t incoming)
{
	uint64_t avail = 0, total;
	char left[16];

	library_no_space(c->s->lib, incoming);
	if (chunk_store_space(library_chunks(c->s->lib), &avail, &total))
		avail = 0;
	return err_explain(-ENOSPC, "the store's disk is full: %s are left for writers, the image is longer",
			   format_size(avail, left));
}

static int import_into(struct call *c, uint64_t incoming)
{
	const struct library_writer who = {
		.door = LIBRARY_DOOR_COMMAND, .uid = geteuid(), .program = "vtape", .drive = -1,
	};
	struct transfer t = { .reply = c->reply };
	struct image_progress pr = { transfer_step, &t };
	enum image_format format;
	struct volume *vol;
	struct stat st;
	int r, released;

	r = call_format(c, &format);
	if (r < 0)
		return r;
	if (r > 0)
		format = guess_format(c);
	if (fstat(c->fd, &st) == 0 && S_ISREG(st.st_mode))
		t.total_bytes = (uint64_t)st.st_size;

	r = err_fold(library_claim(c->s->lib, incoming, CLAIM_WRITE, &vol));
	if (r)
		return r;
	library_writer_is(c->s->lib, incoming, &who);
	r = err_fold(image_import(c->fd, format, vol, &pr));
	released = err_fold(library_release(c->s->lib, incoming, CLAIM_WRITE));
	r = r ? r : released;
	return r == -ENOSPC ? import_met_the_end(c, incoming) : r;
}

int serve_import(struct call *c)
{
	struct target t = { 0 };
	struct catalog_volume in;
	struct volume_stat st;
	int r;

	if (c->fd < 0)
		return err_explain(-EINVAL, "import: no file came with the request");
	r = target_check(c, &t);
	if (!r)
		r = incoming_make(c, &t, &in);
	if (r)
		return r;

	r = import_into(c, in.id);
	if (!r)
		r = err_fold(library_stat(c->s->lib, in.id, &st));
	if (!r && t.exists)
		r = err_fold(library_volume_replace(c->s->lib, t.v.id, in.id));
	else if (!r)
		r = err_fold(library_volume_move(c->s->lib, in.id, t.pool, t.name));
	if (r) {
		char why[512];
		snprintf(why, sizeof(why), "%s", err_text(r));
		library_volume_delete(c->s->lib, in.id);
		return err_explain(r, "%s", why);
	}
	return answer_tape(c, t.name, &st);
}

/* ---- export -------------------------------------------------------------------------------------------- */

static int export_from(struct call *c, struct volume *vol, enum image_format format, struct volume_stat *st)
{
	struct transfer t = { .reply = c->reply };
	struct image_progress pr = { transfer_step, &t };

	volume_stat(vol, st);
	t.total_bytes = image_tap_size(&st->end, false);
	return err_fold(image_export(vol, format, c->fd, &pr));
}

int serve_export(struct call *c)
{
	enum image_format format;
	struct catalog_volume v;
	struct volume_stat st;
	struct volume *vol;
	const char *name;
	int r, released;

	if (c->fd < 0)
		return err_explain(-EINVAL, "export: no file came with the request");
	r = call_format(c, &format);
	if (r < 0)
		return r;
	if (r > 0)
		format = image_guess("", 0, call_string_or(c, "file", NULL));
	r = call_string(c, "volume", &name);
	if (!r)
		r = call_volume(c, name, &v);
	if (!r)
		r = err_fold(library_claim(c->s->lib, v.id, CLAIM_READ, &vol));
	if (r)
		return r;
	r = export_from(c, vol, format, &st);
	released = err_fold(library_release(c->s->lib, v.id, CLAIM_READ));
	r = r ? r : released;
	return r ? r : answer_tape(c, name, &st);
}
