/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random access to the stream of a partition: the chunk reader does the work, this tells it where everything lies, and
 * sees to it that bytes are stored before they are asked for and that nothing read ahead outlives a cut.
 */
#include "tape/volume.h"

#include <errno.h>
#include <inttypes.h>

struct volume_reader {
	struct volume *v;		/* borrowed */
	uint32_t partition;
	uint64_t cuts;			/* the partition's, when last looked */
	struct chunk_reader *chunks;
};

/* Always fresh: who changes pages in rows has the volume forget those in memory, before the packs that they named are
 * removed (volume_moved.c). */
static int reader_source(void *ctx, uint64_t offset, bool fresh, struct chunk_extent *out, uint64_t *start)
{
	struct volume_reader *r = ctx;
	LOCK_SCOPE(&r->v->lock);
	struct lookup x = volume_lookup(r->v, r->partition);
	uint64_t stored = r->v->partition[r->partition].stored;

	(void)fresh;
	if (!x.head->stretches || offset >= stored)
		return CHUNK_E_END;
	return lookup_extent(&x, offset, stored, out, start);
}

int volume_reader_new(struct volume *v, uint32_t partition, struct volume_reader **out)
{
	struct volume_reader *r = calloc(1, sizeof(*r));
	struct tape_tally end;
	int err;

	if (!r)
		return err_origin(-ENOMEM);
	r->v = v;
	r->partition = partition;
	err = volume_end(v, partition, &end);
	err = err ? err : chunk_reader_new(v->cs, reader_source, r, &r->chunks);
	if (err) {
		free(r);
		return err;
	}
	*out = r;
	return 0;
}

struct volume_reader *volume_reader_free(struct volume_reader *r)
{
	if (r)
		chunk_reader_free(r->chunks);
	free(r);
	return NULL;
}

/* Are these bytes on the tape; are they stored; was the tape cut since the last time? */
static int reader_look(struct volume_reader *r, uint64_t offset, size_t n, bool *stored, bool *cut)
{
	LOCK_SCOPE(&r->v->lock);
	const struct partition *part = &r->v->partition[r->partition];
	struct lookup x;
	int err = volume_look(r->v, r->partition, &x);
	uint64_t end;

	if (err)
		return err;
	end = x.head->end.bytes;
	if (offset > end || n > end - offset)
		return err_explain(-ERANGE, "%s: %zu bytes at %" PRIu64 " are behind the end of data at %" PRIu64,
				   r->v->attr.barcode, n, offset, end);
	*stored = offset + n <= part->stored;
	*cut = *cut || part->cuts != r->cuts;
	r->cuts = part->cuts;
	return 0;
}

static int reader_wait(struct volume_reader *r)
{
	LOCK_SCOPE(&r->v->writing);

	return err_fold(volume_flush(r->v));
}

static bool begins_before(const struct tape_tally *t, void *offset)
{
	return t->bytes <= *(uint64_t *)offset;
}

/* Bytes that are on the tape and cannot be had: one error, whatever it is that is gone or damaged. */
static int unreadable(int err)
{
	return err == -EIO || err == -EUCLEAN || err == -ENOENT ? err_explain(-EBADMSG, "%s", err_text(err)) : err;
}

/* Told once, here, with the place as an operator knows it. */
static int reader_failed(struct volume_reader *r, uint64_t offset, int err)
{
	struct tape_tally at;

	if (volume_find(r->v, r->partition, begins_before, &offset, &at))
		return err;
	err_explain(err, "%s: partition %u, file %" PRIu64 ", object %" PRIu64 ": %s", r->v->attr.barcode, r->partition,
		    at.marks, at.objects, err_text(err));
	log_error("%s", err_text(err));
	return err;
}

int volume_reader_read(struct volume_reader *r, uint64_t offset, void *buf, size_t n)
{
	bool stored, cut = false;
	int err = reader_look(r, offset, n, &stored, &cut);

	if (err)
		return err;
	if (!stored) {
		err = reader_wait(r);
		err = err ? err : reader_look(r, offset, n, &stored, &cut);
		if (err)
			return err;
	}
	if (cut)
		chunk_reader_forget(r->chunks);
	err = chunk_reader_read(r->chunks, offset, buf, n);
	if (err == CHUNK_E_END)
		err = err_explain(-EUCLEAN, "%s: the map of the stream ends before byte %" PRIu64, r->v->attr.barcode,
				  offset + n);
	return err < 0 ? reader_failed(r, offset, unreadable(err)) : err;
}
