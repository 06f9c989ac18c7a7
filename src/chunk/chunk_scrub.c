/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_scrub: reading a pack as it is on the disk, to find damage before somebody needs what is damaged.
 *
 * The pack is opened anew and read past the system's cache: what is read comes from the disk, in runs of two mebibytes,
 * and what tapes have in the cache stays there.  What fails is dealt with as by a reader; what
 * is damaged but healed by another chunk hurts nobody and is not counted.
 * Memory: four mebibytes with that of the direct reads.  The pace is the caller's: one pack a call.
 */
#include <errno.h>

#include "chunk/check.h"

#define WINDOW_BYTES (2u << 20)

/* A stretch of the file in memory. */
struct window {
	struct pack *p;
	uint8_t *bytes; /* WINDOW_BYTES */
	uint64_t at;
	size_t n;
};

/* The stored bytes of @e.  A stretch that cannot be read is read chunk by chunk, so that one bad sector costs one. */
static int window_find(struct window *w, const struct pack_entry *e, const uint8_t **out)
{
	uint64_t left = pack_bytes(w->p) - e->offset;
	int r = 0;

	if (e->offset < w->at || e->offset + e->stored_len > w->at + w->n) {
		w->at = e->offset;
		w->n = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
		r = pack_pread(w->p, w->bytes, w->n, w->at);
		if (r) {
			w->n = e->stored_len;
			r = pack_pread(w->p, w->bytes, w->n, w->at);
		}
		if (r)
			w->n = 0;
	}
	*out = w->bytes + (e->offset - w->at);
	return r;
}

static int prove_slot(struct chunk_store *cs, struct window *w, uint32_t slot, void *raw)
{
	struct pack_ref ref = { pack_number(w->p), slot };
	const uint8_t *stored;
	struct pack_entry e;
	int r = pack_entry(w->p, slot, &e);

	if (r)
		return r;
	r = window_find(w, &e, &stored);
	if (!r)
		return store_check(cs, ref, &e, stored, raw);
	store_damaged(cs, ref, &e.digest);
	return r;
}

int store_prove(struct chunk_store *cs, struct pack *p, void (*bad)(void *ctx, uint32_t slot, int why), void *ctx,
		struct chunk_scrubbed *out)
{
	CLEANUP(freep) uint8_t *bytes = malloc(WINDOW_BYTES + PACK_CHUNK_MAX);
	struct window w = { .p = p, .bytes = bytes };
	int r = bytes ? 0 : err_origin(-ENOMEM);

	out->bytes += pack_bytes(p);
	for (uint32_t slot = 0; slot < pack_count(p) && r != -ENOMEM; slot++) {
		r = prove_slot(cs, &w, slot, bytes + WINDOW_BYTES);
		out->chunks++;
		if (!r || r == -ENOMEM || !chunk_store_is_bad(cs, (struct pack_ref){ pack_number(p), slot }))
			continue;
		out->damaged++;
		if (bad)
			bad(ctx, slot, r);
	}
	return r == -ENOMEM ? r : 0;
}

int store_tally_of(struct pack *p, struct buf *lens, struct pack_tally *out)
{
	struct pack_tally t = { .chunks = pack_count(p), .file_bytes = pack_bytes(p) };
	int r = 0;

	lens->len = 0;
	for (uint32_t slot = 0; slot < t.chunks && !r; slot++) {
		struct pack_entry e;
		uint8_t len[LEN_BYTES] = { 0 };

		if (pack_entry(p, slot, &e) == 0) {
			t.raw_bytes += e.raw_len;
			put_le16(len, (uint16_t)e.raw_len);
			len[2] = (uint8_t)(e.raw_len >> 16);
		}
		r = buf_append(lens, len, sizeof(len));
	}
	t.lens = lens->data;
	if (!r)
		*out = t;
	return r;
}

/* Readers may hold the pack as it was. */
static void drop_held(struct chunk_store *cs, uint64_t number)
{
	LOCK_SCOPE(&cs->lock);

	store_drop_pack(cs, number);
}

void store_notice(struct chunk_store *cs, struct pack *p)
{
	bool lost;

	if (!pack_whole(p)) {
		drop_held(cs, pack_number(p));
		store_lost(cs, pack_number(p), p);
		return;
	}
	pthread_mutex_lock(&cs->lock);
	lost = index_is_bad(&cs->index, (struct pack_ref){ pack_number(p), CHUNK_EVERY_SLOT });
	pthread_mutex_unlock(&cs->lock);
	if (lost)
		store_returned(cs, pack_number(p));
}

/* One that is healed is read from elsewhere, and goes with its pack. */
struct unhealed { struct chunk_store *cs; uint64_t pack; uint32_t count; };

static void count_unhealed(void *ctx, uint32_t slot, int why)
{
	struct unhealed *u = ctx;

	u->count += chunk_store_is_bad(u->cs, (struct pack_ref){ u->pack, slot });
}

/* Of the chunks from @slot on, which the file does not tell of: how many hurt? */
static uint32_t count_lost(struct chunk_store *cs, uint64_t pack, uint32_t slot, uint32_t chunks)
{
	uint32_t n = 0;

	for (; slot < chunks; slot++)
		n += chunk_store_is_bad(cs, (struct pack_ref){ pack, slot });
	return n;
}

int chunk_scrub_pack(struct chunk_store *cs, uint64_t pack, struct chunk_scrubbed *out)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	struct unhealed unhealed = { .cs = cs, .pack = pack };
	struct chunk_scrubbed done = { 0 };
	struct pack_tally tally;
	int r = store_tally(cs->kv, pack, &tally);

	if (r)
		return r == LOOKUP_NONE ? CHUNK_E_END : r;
	r = pack_open_direct(cs->packs, pack, &p);
	if (store_is_loss(r)) {
		/* The collector takes the row away before the file. */
		r = store_tally(cs->kv, pack, &tally);
		if (r)
			return r == LOOKUP_NONE ? CHUNK_E_END : r;
		drop_held(cs, pack);
		store_lost(cs, pack, NULL);
		*out = (struct chunk_scrubbed){ .damaged = count_lost(cs, pack, 0, tally.chunks) };
		return 0;
	}
	if (r)
		return r;
	store_notice(cs, p);
	r = store_prove(cs, p, count_unhealed, &unhealed, &done);
	if (r)
		return r;
	done.damaged = unhealed.count;
	done.damaged += count_lost(cs, pack, done.chunks, tally.chunks);
	*out = done;
	return 0;
}
