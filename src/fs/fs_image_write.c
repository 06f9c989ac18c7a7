/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_image_write: one writing session on an image, from its first write to the close: where what is written goes, and
 * what becomes of it (the table in image_state.h).  How bytes become objects is fs_image_feed.c's.
 */
#include <errno.h>
#include <stdio.h>

#include "fs/fs_errno.h"
#include "fs/image_session.h"
#include "fs/tree.h"

/* ---- begin ----------------------------------------------------------------------------------------------------- */

static int session_claim(struct image *img, struct image_session *s, uint64_t target)
{
	struct tape_tally end;
	int r;

	s->target = target;
	r = library_claim(img->fs->lib, target, CLAIM_WRITE, &s->vol);
	if (r)
		return fs_errno(r);
	if (img->writer)
		library_writer_is(img->fs->lib, target, &img->writer->writer);
	r = volume_end(s->vol, 0, &end);
	s->begin_object = end.objects;
	if (!r)
		r = image_tap_new(s->vol, false, &s->tap);
	if (r)
		library_release(img->fs->lib, target, CLAIM_WRITE);
	return fs_errno(r);
}

/* Goes on at the end of what is there: its unfinished end is what the parser begins with. */
static int begin_append(struct image *img, bool incoming)
{
	CLEANUP(buf_fini) struct buf tail = BUF_INIT;
	struct image_session *s = NULL;
	uint64_t tap_size = img->tap_size;
	int r = image_session_new(SESSION_APPEND, incoming, &s);

	if (!r)
		r = fs_errno(buf_append(&tail, img->tail.data, img->tail.len));
	if (r)
		return r;
	image_unclaim(img);
	r = session_claim(img, s, img->volume);
	if (r) {
		image_session_free(s);
		return r;
	}
	img->session = s;
	s->pos = tap_size;
	return tail.len ? image_feed(s, tail.data, tail.len) : 0;
}

static void hidden_name(const struct image *img, char out[BARCODE_MAX + 1])
{
	snprintf(out, BARCODE_MAX + 1, "%c%llx", IMAGE_HIDDEN, (unsigned long long)img->volume);
}

/* One that a crash left behind is in the way only here. */
static int make_hidden(struct image *img, const struct catalog_volume *v, struct catalog_volume *out)
{
	char name[BARCODE_MAX + 1];
	struct catalog_volume old;
	struct catalog_pool p;
	int r = tree_pool(img->fs, v->pool, &p);

	hidden_name(img, name);
	if (!r && !catalog_volume_get(img->fs->cat, name, &old))
		r = fs_errno(library_volume_delete(img->fs->lib, old.id));
	if (!r)
		r = fs_errno(library_volume_create(img->fs->lib, p.name, name, &v->perm, true, out));
	return r;
}

/* A tape that cannot be replaced says so at the first byte, not after the last. */
static int begin_copy(struct image *img, const struct catalog_volume *v, bool truncated)
{
	struct image_session *s = NULL;
	struct catalog_volume hidden;
	int r = fs_errno(library_may_overwrite(img->fs->lib, v->id));

	if (!r)
		r = image_session_new(SESSION_COPY, v->state == STATE_INCOMING, &s);
	if (r)
		return r;
	r = make_hidden(img, v, &hidden);
	if (!r) {
		r = session_claim(img, s, hidden.id);
		if (r)
			library_volume_delete(img->fs->lib, hidden.id);
	}
	if (r) {
		image_session_free(s);
		return r;
	}
	s->has_source = !truncated;
	img->session = s;
	return 0;
}

static bool ends_with_eom(const struct image *img)
{
	struct tape_tally end;

	return !volume_end(img->vol, 0, &end) && img->tap_size != image_tap_size(&end, false);
}

/* The first write is to @off. */
static int session_begin(struct image *img, uint64_t off, bool truncated)
{
	struct catalog_volume v;
	bool at_end;
	int r;

	r = image_claim(img);
	if (!r)
		r = tree_volume(img->fs, img->volume, &v);
	if (r)
		return r;
	at_end = off == image_source_size(img) && !ends_with_eom(img) && !(truncated && off);
	return at_end ? begin_append(img, v.state == STATE_INCOMING) : begin_copy(img, &v, truncated);
}

/* ---- write ----------------------------------------------------------------------------------------------------- */

int image_session_write(struct image *img, uint64_t off, const void *buf, size_t n, bool truncated)
{
	int r;

	if (!img->session) {
		r = session_begin(img, off, truncated);
		if (r)
			return r;
	}
	if (off < img->session->pos) {
		/* Front to back: what is on the tape is not changed.  A tape is not replaced by half of a change. */
		if (img->session->kind == SESSION_COPY)
			img->session->error = -EINVAL;
		return -EINVAL;
	}
	r = image_feed_gap(img, off);
	return r ? r : image_feed(img->session, buf, n);
}

int image_session_truncate(struct image *img, uint64_t size, bool truncated)
{
	int r;

	if (!img->session) {
		r = image_claim(img);
		/* Cutting to nothing before the first write is what O_TRUNC does; and the size it has is no
		 * change. */
		if (r || size == (truncated ? 0 : image_source_size(img)))
			return r;
		/* Bytes before @size come from the old image when the session ends. */
		r = session_begin(img, size < image_source_size(img) ? 0 : image_source_size(img), truncated);
		if (r)
			return r;
	}
	if (size < img->session->pos || size > image_session_size(img) + HOLE_MAX)
		return -EINVAL;
	img->session->final = size;
	img->session->final_set = true;
	return 0;
}

int image_session_sync(struct image *img)
{
	return img->session ? fs_errno(volume_commit(img->session->vol)) : 0;
}

/* ---- end ------------------------------------------------------------------------------------------------------- */

struct eom_change { bool eom; uint64_t generation; };

static void set_eom(struct catalog_volume *v, void *ctx)
{
	const struct eom_change *e = ctx;

	v->image_eom = e->eom;
	v->image_eom_generation = e->generation;
}

/* Commits what arrived: objects, the unfinished end, the end of medium word. */
static int session_commit(struct image *img)
{
	struct image_session *s = img->session;
	struct fs *fs = img->fs;
	struct volume_stat st;
	struct eom_change eom;
	const uint8_t *tail;
	size_t tail_len;
	int r = volume_commit(s->vol);

	if (r)
		return fs_errno(r);
	volume_stat(s->vol, &st);
	eom = (struct eom_change){ s->eom, st.generation };
	r = fs_errno(library_volume_change(fs->lib, s->target, set_eom, &eom));
	if (r || (s->kind == SESSION_APPEND && !s->incoming))
		return r;
	/* Bytes that are wrong are not kept to be gone on with. */
	tail = image_parser_tail(s->parser, &tail_len);
	return fs_errno_catalog(catalog_tail_put(fs->cat, s->target, tail, s->error ? 0 : tail_len));
}

static int session_release(struct image *img)
{
	struct image_session *s = img->session;

	s->tap = image_tap_free(s->tap);
	return fs_errno(library_release(img->fs->lib, s->target, CLAIM_WRITE));
}

static void keep_perm(struct catalog_volume *v, void *ctx)
{
	const struct catalog_perm *p = ctx;

	v->perm.mode = p->mode;
	v->perm.uid = p->uid;
	v->perm.gid = p->gid;
	if (p->mtime_ns)
		v->perm.mtime_ns = p->mtime_ns;
}

/* The copy takes the place of the image; modes and owner stay those of the image, its time only if the user set
 * it. */
static int install_copy(struct image *img, bool keep_mtime)
{
	struct image_session *s = img->session;
	CLEANUP(buf_fini) struct buf tail = BUF_INIT;
	struct fs *fs = img->fs;
	struct catalog_volume v;
	int r;

	r = fs_errno(catalog_tail_get(fs->cat, s->target, &tail));
	if (!r)
		r = tree_volume(fs, img->volume, &v);
	if (r)
		return r;
	if (!keep_mtime)
		v.perm.mtime_ns = 0;
	image_unclaim(img);
	r = fs_errno(library_volume_replace(fs->lib, img->volume, s->target));
	if (!r && s->incoming)
		r = fs_errno_catalog(catalog_tail_put(fs->cat, img->volume, tail.data, tail.len));
	return r ? r : fs_errno(library_volume_change(fs->lib, img->volume, keep_perm, &v.perm));
}

static int end_append(struct image *img)
{
	struct image_session *s = img->session;
	int r = s->error, released;

	/* Wrong bytes: nothing of this session was meant for a tape. A partial image keeps what came before them. */
	if (r == -EINVAL && !s->incoming)
		err_fold(volume_truncate(s->vol, 0, s->begin_object));
	if (!r || s->incoming)
		r = session_commit(img);
	released = session_release(img);
	r = r ? r : released;
	return r ? r : s->error;
}

static int end_copy(struct image *img, size_t tail_len, bool keep_mtime)
{
	struct image_session *s = img->session;
	int r = s->error, released;

	if (!r)
		r = session_commit(img);
	released = session_release(img);
	r = r ? r : released;
	if (!r && tail_len && !s->incoming)
		r = err_explain(-EINVAL, "the image ends within a record: the tape stays as it was");
	if (!r)
		r = install_copy(img, keep_mtime);
	if (r && library_volume_delete(img->fs->lib, s->target))
		log_warn("an unfinished copy of an image stays behind: %s", err_text(r));
	return r;
}

int image_session_end(struct image *img, bool keep_mtime)
{
	struct image_session *s = img->session;
	bool incoming;
	size_t tail_len;
	int r = 0;

	if (!s)
		return 0;
	if (!s->error)
		r = image_feed_gap(img, image_session_size(img));
	if (r && !s->error)
		s->error = r;
	image_parser_tail(s->parser, &tail_len);
	incoming = s->incoming;
	r = s->kind == SESSION_APPEND ? end_append(img) : end_copy(img, tail_len, keep_mtime);
	image_session_free(s);
	img->session = NULL;
	image_unclaim(img);
	if (r)
		return r;
	if (incoming)
		return image_arrive(img);
	return tail_len ? err_explain(-EINVAL, "the image ends within a record: its whole records are on the tape") : 0;
}

int image_arrive(struct image *img)
{
	CLEANUP(buf_fini) struct buf tail = BUF_INIT;
	char name[BARCODE_MAX + 1];
	struct catalog_volume v;
	struct catalog_pool p;
	int r = tree_volume(img->fs, img->volume, &v);

	if (r || v.state != STATE_INCOMING || !image_volume_name(v.name, name))
		return r;
	r = fs_errno(catalog_tail_get(img->fs->cat, img->volume, &tail));
	if (!r && tail.len)
		r = err_explain(-EINVAL, "image %s ends within a record: it is kept as far as it goes", v.name);
	if (!r)
		r = tree_pool(img->fs, v.pool, &p);
	if (r)
		return r;
	image_unclaim(img);
	return fs_errno(library_volume_move(img->fs->lib, img->volume, p.name, name));
}
