/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs_image_write: one writing session on an image, from its first write to the close (image_state.h says what becomes
 * of it).  Bytes are written front to back; a parser turns them into objects as they come, so nothing is kept twice
 * and a broken image is known by its first wrong byte.
 */
#include <errno.h>
#include <stdio.h>

#include "fs/fs_errno.h"
#include "fs/image_state.h"
#include "fs/tree.h"

#define COPY_BYTES (1u << 20)
/* A hole is at most a record of zeros and some filemarks: more is a mistake that would become millions of marks. */
#define HOLE_MAX (TAPE_RECORD_MAX + 65536u)

enum session_kind {
	SESSION_APPEND,		/* to the volume of the image itself: incoming, or a tape written at its end */
	SESSION_COPY,		/* to a hidden volume that takes its place */
};

struct image_session {
	enum session_kind kind;
	bool incoming;			/* the image is no tape yet */
	uint64_t target;		/* where objects go, claimed for writing */
	struct volume *vol;
	struct image_tap *tap;		/* reads target */
	struct image_parser *parser;
	uint64_t begin_object;		/* SESSION_APPEND: what was there before */
	uint64_t pos;			/* bytes of the image so far */
	bool has_source;		/* old bytes stand for what is not written */
	bool final_set;
	uint64_t final;			/* ftruncate(2) */
	bool eom;
	int error;			/* no tape can be made of this any more */
};

/* ---- objects --------------------------------------------------------------------------------------------------- */

static int on_record(void *ctx, const void *p, size_t n)
{
	return fs_errno(volume_append_record(((struct image_session *)ctx)->vol, 0, p, n));
}

static int on_mark(void *ctx)
{
	return fs_errno(volume_append_filemark(((struct image_session *)ctx)->vol, 0));
}

static int on_end(void *ctx)
{
	((struct image_session *)ctx)->eom = true;
	return 0;
}

static const struct image_events events = { on_record, on_mark, on_end };

static int feed(struct image_session *s, const void *p, size_t n)
{
	int r = s->error;

	if (!r)
		r = image_parser_feed(s->parser, p, n);
	if (r) {
		s->error = r == -EUCLEAN || r == -EPROTONOSUPPORT ? -EINVAL : fs_errno(r);
		return s->error;
	}
	s->pos += n;
	return 0;
}

/* Up to @end, from the old image. */
static int feed_source(struct image *img, uint64_t end, uint8_t *buf)
{
	struct image_session *s = img->session;
	size_t n, got = 0;
	int r = 0;

	while (!r && s->pos < end) {
		n = end - s->pos < COPY_BYTES ? (size_t)(end - s->pos) : COPY_BYTES;
		r = image_source_read(img, s->pos, buf, n, &got);
		if (!r)
			r = got ? feed(s, buf, got) : err_origin(-EUCLEAN);
	}
	return fs_errno(r);
}

/* Up to @end, zeros: cp leaves out those that a record of zeros has. */
static int feed_zeros(struct image_session *s, uint64_t end, uint8_t *buf)
{
	size_t n;
	int r = 0;

	if (end - s->pos > HOLE_MAX)
		return -EINVAL;
	memset(buf, 0, COPY_BYTES);
	while (!r && s->pos < end) {
		n = end - s->pos < COPY_BYTES ? (size_t)(end - s->pos) : COPY_BYTES;
		r = feed(s, buf, n);
	}
	return r;
}

/* What nobody wrote up to @end: the old bytes as far as they go, then a hole. */
static int feed_gap(struct image *img, uint64_t end)
{
	struct image_session *s = img->session;
	uint64_t old = s->has_source ? image_source_size(img) : 0;
	uint8_t *buf;
	int r;

	if (s->pos >= end)
		return 0;
	buf = malloc(COPY_BYTES);
	if (!buf)
		return err_origin(-ENOMEM);
	r = feed_source(img, old < end ? old : end, buf);
	if (!r && s->pos < end)
		r = feed_zeros(s, end, buf);
	free(buf);
	return r;
}

/* ---- begin ----------------------------------------------------------------------------------------------------- */

static void session_free(struct image_session *s)
{
	image_tap_free(s->tap);
	image_parser_free(s->parser);
	free(s);
}

static int session_new(enum session_kind kind, bool incoming, struct image_session **out)
{
	struct image_session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_origin(-ENOMEM);
	s->kind = kind;
	s->incoming = incoming;
	r = image_parser_new(IMAGE_TAP, &events, s, &s->parser);
	if (r)
		free(s);
	else
		*out = s;
	return r;
}

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
	int r = session_new(SESSION_APPEND, incoming, &s);

	if (!r)
		r = fs_errno(buf_append(&tail, img->tail.data, img->tail.len));
	if (r)
		return r;
	image_unclaim(img);
	r = session_claim(img, s, img->volume);
	if (r) {
		session_free(s);
		return r;
	}
	img->session = s;
	s->pos = tap_size;
	return tail.len ? feed(s, tail.data, tail.len) : 0;
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
		r = session_new(SESSION_COPY, v->state == STATE_INCOMING, &s);
	if (r)
		return r;
	r = make_hidden(img, v, &hidden);
	if (!r) {
		r = session_claim(img, s, hidden.id);
		if (r)
			library_volume_delete(img->fs->lib, hidden.id);
	}
	if (r) {
		session_free(s);
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

/* ---- write and read -------------------------------------------------------------------------------------------- */

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
	r = feed_gap(img, off);
	return r ? r : feed(img->session, buf, n);
}

uint64_t image_session_size(const struct image *img)
{
	const struct image_session *s = img->session;
	uint64_t old = s->has_source ? image_source_size(img) : 0;

	if (s->final_set)
		return s->final;
	return s->pos > old ? s->pos : old;
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

/* What has been written, then the old bytes behind it. */
int image_session_read(struct image *img, uint64_t off, void *buf, size_t n, size_t *got)
{
	struct image_session *s = img->session;
	struct tape_tally end;
	const uint8_t *tail;
	uint64_t in_tap;
	size_t len;
	int r;

	*got = 0;
	if (off >= s->pos)
		return s->has_source ? image_source_read(img, off, buf, n, got) : 0;
	if (n > s->pos - off)
		n = (size_t)(s->pos - off);
	r = fs_errno(volume_end(s->vol, 0, &end));
	if (r)
		return r;
	in_tap = image_tap_size(&end, false);
	if (off < in_tap)
		return fs_errno(image_tap_read(s->tap, off, buf, n, got));
	tail = image_parser_tail(s->parser, &len);
	off -= in_tap;
	if (off < len) {
		*got = len - off < n ? len - (size_t)off : n;
		memcpy(buf, tail + off, *got);
	} else if (s->eom) {
		*got = n < 4 ? n : 4;
		memset(buf, 0xff, *got);
	}
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
		r = feed_gap(img, image_session_size(img));
	if (r && !s->error)
		s->error = r;
	image_parser_tail(s->parser, &tail_len);
	incoming = s->incoming;
	r = s->kind == SESSION_APPEND ? end_append(img) : end_copy(img, tail_len, keep_mtime);
	session_free(s);
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
