/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page whose chunks are copied (tape_move.c): taken apart chunk by chunk where its runs lie in packs of the round,
 * and put together anew.  One page may become several.  Chunks that are damaged and nowhere else, and those of which
 * nobody knows how long they are, stay where they are.
 */
#include "tape/tape_move.h"

#include <errno.h>
#include <inttypes.h>

void rewrite_fini(struct rewrite *rw)
{
	page_free(rw->before);
	buf_fini(&rw->row);
	for (size_t i = 0; i < rw->count; i++)
		page_free(rw->after[i]);
	free(rw->after);
	*rw = (struct rewrite){ 0 };
}

static int rewrite_push(struct rewrite *rw, const struct tape_tally *from)
{
	if (rw->count == rw->room) {
		size_t room = rw->room ? 2 * rw->room : 2;
		struct page **more = reallocarray(rw->after, room, sizeof(struct page *));

		if (!more)
			return err_origin(-ENOMEM);
		rw->after = more;
		rw->room = room;
	}
	rw->after[rw->count] = page_new(PAGE_CHUNKS, rw->map->map, from);
	if (!rw->after[rw->count])
		return err_origin(-ENOMEM);
	rw->count++;
	return 0;
}

/* A page that is full is followed by another: look-ups find the last one that begins at or before a byte. */
static int rewrite_add(struct rewrite *rw, const struct chunk_run *run, bool join)
{
	struct page *last = rw->after[rw->count - 1];
	int r = page_full(last) ? rewrite_push(rw, &last->end) : 0;

	return r ? r : page_add_chunk(rw->after[rw->count - 1], run, join);
}

/* An -EIO may as well come from where it was to be copied to. */
static bool is_damaged(struct move *m, struct pack_ref from, int r)
{
	return r == -EBADMSG || r == -ENOENT || r == -EUCLEAN || (r == -EIO && chunk_store_is_bad(m->g->cs, from));
}

static int by_ref(const void *a, const void *b)
{
	const struct pack_ref *x = a, *y = b;

	if (x->pack != y->pack)
		return (x->pack > y->pack) - (x->pack < y->pack);
	return (x->slot > y->slot) - (x->slot < y->slot);
}

static bool has_ref(const struct buf *refs, struct pack_ref ref)
{
	return refs->len && bsearch(&ref, refs->data, refs->len / sizeof(ref), sizeof(ref), by_ref);
}

/* Is it one of those that the round is about? */
static bool is_wanted(const struct round *r, struct pack_ref ref)
{
	return !r->only || has_ref(r->only, ref) || has_ref(r->only, (struct pack_ref){ ref.pack, CHUNK_EVERY_SLOT });
}

/* Where a chunk is from now on; if it is damaged, where it is.  To name a whole one needs no space; what can still be
 * read of a lost pack stays if there is none. */
static int move_chunk(struct move *m, struct pack_ref from, struct pack_ref *to)
{
	uint32_t copied = 0;
	int r = 0;

	*to = from;
	if (is_wanted(m->r, from))
		r = chunk_copier_move(m->copier, from, to, &copied);
	if (is_damaged(m, from, r) || (r == -ENOSPC && m->r->only)) {
		*to = from;
		return 0;
	}
	m->bytes += copied;
	m->g->report.copied_bytes += r ? 0 : copied;
	return r;
}

/* Chunk by chunk; if nobody knows how long one is, the rest stays.  *@whole: what was added last ends with its last
 * chunk, so a neighbour may join it. */
static int move_run(struct move *m, struct rewrite *rw, const struct round_pack *rp, struct chunk_run run, bool *whole)
{
	int r = 0;

	while (!r && run.bytes && run.slots) {
		const struct pack_ref from = { run.pack, run.slot };
		struct chunk_run one = { .slots = 1 };
		struct pack_ref to;
		uint32_t len = round_len(m->g, rp, run.slot);

		if (!len)
			break;
		r = move_chunk(m, from, &to);
		if (r)
			return r;
		one.pack = to.pack;
		one.slot = to.slot;
		one.bytes = run.bytes < len ? run.bytes : len;
		r = rewrite_add(rw, &one, *whole);
		*whole = one.bytes == len;
		run.bytes -= one.bytes;
		run.slot++;
		run.slots--;
	}
	if (r || !run.bytes)
		return r;
	*whole = false;
	return run.slots ? rewrite_add(rw, &run, false) :
			   err_explain(-EUCLEAN, "map %016" PRIx64 " has more bytes than chunks of pack %012" PRIx64,
				       rw->map->map, rp->pack);
}

int rewrite_page(struct move *m, struct rewrite *rw)
{
	bool whole = false;
	int r = rewrite_push(rw, &rw->before->from);

	for (uint32_t i = 0; !r && i < rw->before->runs; i++) {
		const struct chunk_run *run = &rw->before->chunk[i];
		const struct round_pack *rp = round_find(m->r, run->pack);

		if (rp) {
			r = move_run(m, rw, rp, *run, &whole);
		} else {
			r = rewrite_add(rw, run, false);
			whole = false;
		}
	}
	return r;
}

bool page_hits(const struct round *r, const struct page *p)
{
	for (uint32_t i = 0; i < p->runs; i++)
		if (round_find(r, p->chunk[i].pack))
			return true;
	return false;
}

bool page_names(const struct page *p, const struct page *other)
{
	if (p->runs != other->runs)
		return false;
	for (uint32_t i = 0; i < p->runs; i++)
		if (p->chunk[i].pack != other->chunk[i].pack || p->chunk[i].slot != other->chunk[i].slot)
			return false;
	return true;
}
