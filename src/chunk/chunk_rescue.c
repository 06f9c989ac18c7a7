/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_rescue: chunks that are whole in the file of a pack, and that its table does not tell of any more, are stored
 * again, as a backup that brings them would: then all that name them by the lost slots are healed (chunk_heal.c).  By a
 * writer of its own, so with its order of steps; a cut leaves the chunk lost, and the next check finds it again.
 */
#include <errno.h>

#include "chunk/check.h"

struct rescue {
	struct chunk_store *cs;
	struct chunk_writer *w;		/* NULL: nothing was stored yet */
	uint8_t *room;			/* for a chunk, and behind it what is stored of it */
	unsigned count;
};

static void rescue_fini(struct rescue *x)
{
	chunk_writer_free(x->w);
	free(x->room);
}

static int in_no_map(void *ctx, const struct chunk_place *place)
{
	return 0;
}

/* 0, LOOKUP_NONE: it is not what it says, or is whole elsewhere; < 0. */
static int read_stray(struct rescue *x, struct pack *p, const struct pack_entry *e)
{
	uint8_t *stored = x->room + PACK_CHUNK_MAX;
	struct pack_ref whole;
	int r = pack_pread(p, stored, e->stored_len, e->offset);

	if (r || codec_expand(x->cs->codecs, e->codec, stored, e->stored_len, x->room, e->raw_len) ||
	    !digest_fits(&e->digest, x->room, e->raw_len))
		return LOOKUP_NONE;
	r = store_whole(x->cs, &e->digest, &whole);
	return r == LOOKUP_NONE ? 0 : r ? r : LOOKUP_NONE;
}

/* Its bytes are a chunk again, for they were cut where their content or their end says so. */
static int store_stray(struct rescue *x, const struct pack_entry *e)
{
	static const struct chunk_writer_config cfg = { .codec = CHUNK_ZSTD };
	int r = x->w ? 0 : chunk_writer_new(x->cs, &cfg, in_no_map, NULL, &x->w);

	r = r ? r : chunk_writer_append(x->w, x->room, e->raw_len);
	r = r ? r : chunk_writer_flush(x->w);
	x->count += !r;
	return r;
}

static int commit(struct rescue *x)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = kv_batch_new(&b);

	if (r || !x->w)
		return r;
	r = chunk_writer_begin_commit(x->w, b);
	if (r)
		return r;
	r = kv_write(x->cs->kv, b, true);
	chunk_writer_end_commit(x->w, !r);
	return r;
}

int chunk_rescue(struct chunk_store *cs, struct pack *p, unsigned *count)
{
	CLEANUP(rescue_fini) struct rescue x = { .cs = cs, .room = malloc(2 * PACK_CHUNK_MAX) };
	struct pack_entry e;
	uint64_t from = 0;
	int r = x.room ? 0 : err_origin(-ENOMEM);

	while (!r && !(r = pack_stray(p, &from, &e))) {
		r = read_stray(&x, p, &e);
		r = r == LOOKUP_NONE ? 0 : r ? r : store_stray(&x, &e);
	}
	r = r == PACK_E_NONE ? commit(&x) : r;
	*count = r ? 0 : x.count;
	return r;
}
