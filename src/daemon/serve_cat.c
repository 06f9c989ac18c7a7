/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cat: the bytes of a tape file, or of one member, through the descriptor that came with the request.  What lies before
 * a damaged place has been written when that is told.
 */
#include "daemon/serve_member.h"

#include <errno.h>

#define PIECE (256u << 10)
#define PIECE_LEAST 512u
#define LINKS_MAX 8u		/* hard links to hard links, in an archive that somebody made for it */

struct outlet {
	struct call *c;
	uint64_t done, total;
	uint8_t *piece;
};

static int put_out(struct outlet *o, size_t n)
{
	int r = io_write_full(o->c->fd, o->piece, n);

	o->done += r ? 0 : n;
	return r ? r : call_progress(o->c, json_pack("{s:I, s:I}", "done_bytes", (json_int_t)o->done, "total_bytes",
						     (json_int_t)o->total));
}

/* @can_retry: what cannot be read in one piece may be in smaller ones, up to where it is damaged. */
static int copy_out(struct outlet *o, int (*read)(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got),
		    void *ctx, bool can_retry)
{
	size_t n = PIECE, got = 1;
	int r = 0;

	while (!r && got) {
		r = read(ctx, o->done, o->piece, n, &got);
		if (r == -EBADMSG && can_retry && n > PIECE_LEAST) {
			n /= 8;
			got = 1;
			r = 0;
		} else if (!r && got) {
			r = put_out(o, got);
		}
	}
	return r;
}

static int cat_file(struct outlet *o, const struct place *p, uint64_t *read_bytes)
{
	struct contents_source *src;
	int r = contents_source_new(o->c->s->contents, &p->file, &src);

	if (r)
		return r;
	o->total = p->file.bytes;
	r = copy_out(o, contents_source(src)->read, contents_source(src)->ctx, true);
	*read_bytes = contents_source_read(src);
	contents_source_free(src);
	return r;
}

/* To the member that has the bytes. */
static int follow_links(struct call *c, struct place *p)
{
	struct contents_member *m = &p->member;
	CLEANUP(buf_fini) struct buf target = BUF_INIT;
	int r = 0;

	for (unsigned i = 0; !r && m->type == 'h' && !m->size && m->link.len; i++) {
		if (i == LINKS_MAX)
			return err_explain(-ELOOP, "\"%s\" is a link to a link, and so on", m->name);
		target.len = 0;
		r = buf_append(&target, m->link.data, m->link.len + 1);
		if (!r)
			r = contents_resolve(c->s->contents, p->file.content, (const char *)target.data, m);
		if (r == CONTENTS_E_NONE)
			return err_explain(-ENOENT, "the archive does not have \"%s\", which it is a hard link to",
					   (const char *)target.data);
	}
	return r;
}

static int read_member(void *ctx, uint64_t offset, void *buf, size_t n, size_t *got)
{
	return contents_reader_read(ctx, offset, buf, n, got);
}

static int cat_member(struct outlet *o, struct place *p, uint64_t *read_bytes)
{
	struct contents_reader *reader;
	int r = follow_links(o->c, p);

	if (r)
		return r;
	if (!p->member.number || p->member.type == 'd')
		return err_explain(-EISDIR, "\"%s\" is a folder", p->member.name);
	if (p->member.type != '-' && p->member.type != 'h')
		return err_explain(-EINVAL, "\"%s\" is no file: it has no bytes", p->member.name);
	if (p->member.before)
		return err_explain(-ENODATA,
				   "the first %llu bytes of \"%s\" are on the tape before; `vtape restore` joins "
				   "what is on several tapes",
				   (unsigned long long)p->member.before, p->member.name);
	r = contents_reader_new(o->c->s->contents, &p->file, &p->member, &reader);
	if (r)
		return r;
	o->total = p->member.size;
	r = copy_out(o, read_member, reader, p->member.data != TARBALL_NO_PLACE);
	*read_bytes = contents_reader_taken(reader);
	contents_reader_free(reader);
	return r;
}

int serve_cat(struct call *c)
{
	struct outlet o = { .c = c };
	uint64_t read_bytes = 0;
	struct place p;
	int r;

	if (c->fd < 0)
		return err_explain(-EINVAL, "cat: no file came with the request");
	r = place_find(c, c->req, &p);
	if (!r && !p.has_file)
		r = err_explain(-EINVAL, "cat: a tape file is needed: %s:1, for instance", p.volume.name);
	if (!r) {
		o.piece = malloc(PIECE);
		r = o.piece ? 0 : err_origin(-ENOMEM);
	}
	if (!r)
		r = p.has_path ? cat_member(&o, &p, &read_bytes) : cat_file(&o, &p, &read_bytes);
	if (r == -EBADMSG)
		r = err_explain(r, "%s:%llu is damaged behind byte %llu of what was asked for", p.volume.name,
				(unsigned long long)p.file.file + 1, (unsigned long long)o.done);
	free(o.piece);
	place_fini(&p);
	return r ? r : call_answer(c, json_pack("{s:I, s:I}", "bytes", (json_int_t)o.done, "read_bytes",
						(json_int_t)read_bytes));
}
