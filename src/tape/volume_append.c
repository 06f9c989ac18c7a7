/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects are appended at the end of data: may we, hand the bytes to the chunk writer, count the object.
 *
 * What was answered with success is on the tape for every reader at once, on disk after the next commit.  If storing it
 * fails in between, volume_roll_back() takes it back and the next append, filemark or commit tells so.
 */
#include "tape/volume.h"

#include <errno.h>

/* A prefix is committed by itself when so much was stored, or so many pages were filled, since the last commit: it
 * bounds the memory for pages, and what a crash takes of a long backup. */
#define COMMIT_BYTES (256ull << 20)
#define COMMIT_PAGES 256u
/* Free space is asked for again after so many bytes. */
#define SPACE_EVERY (1ull << 20)
/* What a chunk writer may have taken and not stored yet, and then some: with less, a write could fail after its
 * answer. */
#define SPACE_FULL (16ull << 20)
#define SPACE_LOW (32ull << 20)

/* ---- may we ----------------------------------------------------------------------------------------------------- */

/* Early warning comes when less than a tenth is left, or less than 64 MiB if that is smaller: room for what a program
 * still has in its buffers and for its trailer.  (Our choice; drives differ.) */
static int tape_room(uint64_t capacity, uint64_t used, uint64_t n)
{
	uint64_t early = capacity / 10 < (64u << 20) ? capacity / 10 : 64u << 20;

	if (n && (n > capacity || used > capacity - n))
		return TAPE_E_FULL;
	return used + n > capacity - early ? TAPE_E_EARLY_WARNING : 0;
}

static int disk_room(struct volume *v, uint64_t n)
{
	uint64_t total;
	int r;

	v->space_spent += n;
	if (v->space_spent > SPACE_EVERY || v->space < SPACE_LOW) {
		r = chunk_store_space(v->cs, &v->space, &total);
		if (r)
			return r;
		v->space_spent = 0;
	}
	if (v->space < SPACE_FULL + n)
		return TAPE_E_FULL;
	return v->space < SPACE_LOW ? TAPE_E_EARLY_WARNING : 0;
}

/* With `lock`. */
static uint64_t capacity_of(const struct volume *v, uint32_t p)
{
	uint64_t all = v->attr.capacity_bytes, left = all;
	uint32_t rests = 0;

	if (v->head.size[p])
		return all && v->head.size[p] > all ? all : v->head.size[p];
	for (uint32_t i = 0; i < v->head.partitions; i++) {
		left -= v->head.size[i] < left ? v->head.size[i] : left;
		rests += !v->head.size[i];
	}
	/* Nothing left is no room, and not a tape without an end. */
	return all && left < rests ? 1 : left / rests;
}

uint64_t volume_capacity(struct volume *v, uint32_t p)
{
	LOCK_SCOPE(&v->lock);

	return p < v->head.partitions ? capacity_of(v, p) : 0;
}

int volume_room(struct volume *v, uint32_t p, const struct tape_tally *at, uint64_t n)
{
	LOCK_SCOPE(&v->lock);
	int tape = 0, disk;

	if (v->attr.protect)
		return TAPE_E_PROTECTED;
	if (capacity_of(v, p))
		tape = tape_room(capacity_of(v, p), at->bytes, n);
	/* A filemark takes a few bytes of a row: the store's reserve has them. */
	disk = tape == TAPE_E_FULL || !n ? 0 : disk_room(v, n);
	return disk ? disk : tape;
}

/* ---- append ----------------------------------------------------------------------------------------------------- */

static int start_tails(struct volume *v, uint32_t p)
{
	struct partition *part = &v->partition[p];
	struct lookup x = volume_lookup(v, p);
	struct page *page;
	int r = 0;

	if (!part->chunks.count) {
		r = lookup_take_tail(&x, PAGE_CHUNKS, &page);
		r = r ? r : tail_start(&part->chunks, page);
	}
	r = r ? r : lookup_take_tail(&x, PAGE_OBJECTS, &page);
	return r ? r : tail_start(&part->objects, page);
}

/* If a page that the end of data is in is damaged, what comes goes on in another map: the end itself is in the head. */
int volume_prepare(struct volume *v, uint32_t p)
{
	struct partition *part = &v->partition[p];
	struct head_partition *h = &v->head.part[p];
	int r = h->stretches ? 0 : head_partition_new_map(h);

	if (!r && !part->objects.count)
		r = start_tails(v, p);
	if (r == -EBADMSG || r == -EUCLEAN) {
		log_warn("%s: partition %u goes on in a new map: %s", v->attr.barcode, p, err_text(r));
		tail_fini(&part->chunks);
		r = head_partition_new_map(h);
		r = r ? r : start_tails(v, p);
	}
	return r ? r : head_partition_reserve(h);
}

/* The sink of chunks: any thread, in stream order. */
static int volume_sink(void *ctx, const struct chunk_place *place)
{
	struct volume *v = ctx;
	LOCK_SCOPE(&v->lock);
	struct partition *part = &v->partition[v->writing_in];
	const struct chunk_run run = {
		.pack = place->ref.pack, .slot = place->ref.slot, .slots = 1, .bytes = place->len,
	};
	int r = tail_add_chunk(&part->chunks, &run);

	if (r)
		return r;
	part->stored += place->len;
	v->sunk += place->len;
	if (place->stored) {
		v->head.unique_bytes += place->len;
		v->head.stored_bytes += place->stored;
	}
	return 0;
}

static int prepare(struct volume *v, uint32_t p)
{
	LOCK_SCOPE(&v->lock);

	v->writing_in = p;
	return volume_prepare(v, p);
}

/* A writer that feeds partition @p, and the pages for what it will tell. */
static int begin_append(struct volume *v, uint32_t p)
{
	int r = 0;

	if (v->writer && v->config_changed) {
		r = volume_commit_all(v);
		if (r)
			return r;
		volume_alone(v);
		v->writer = chunk_writer_free(v->writer);
	} else if (v->writing_in != p) {
		volume_alone(v);
		r = v->writer ? volume_flush(v) : 0;
	}
	r = r ? r : prepare(v, p);
	if (r || v->writer)
		return r;
	v->config_changed = false;
	return chunk_writer_new(v->cs, &v->attr.store, volume_sink, v, &v->writer);
}

/* @len 0: filemarks. */
static int append_objects(struct volume *v, uint32_t p, uint32_t len, uint64_t count)
{
	LOCK_SCOPE(&v->lock);
	struct tape_tally *end = &v->head.part[p].end;
	int r = tail_add_objects(&v->partition[p].objects, len, count);

	if (r)
		return r;
	end->objects += count;
	end->marks += len ? 0 : count;
	end->bytes += len * count;
	end->odd += (len & 1) * count;
	v->head.written_ns = clock_now_ns();
	v->dirty = true;
	return 0;
}

static void commit_is_due(struct volume *v, uint32_t p, bool *bytes, bool *pages)
{
	LOCK_SCOPE(&v->lock);

	*bytes = v->sunk - v->sunk_committed >= COMMIT_BYTES;
	*pages = v->partition[p].objects.count + v->partition[p].chunks.count >= COMMIT_PAGES;
}

/* After many bytes, what is stored is committed and the pipeline goes on.  Many pages of short records may be fewer
 * bytes than the pipeline holds, so it is drained. */
static int commit_now_and_then(struct volume *v, uint32_t p)
{
	bool bytes, pages;

	commit_is_due(v, p, &bytes, &pages);
	if (bytes || pages) {
		volume_alone(v);
		commit_is_due(v, p, &bytes, &pages);
	}
	if (pages)
		return volume_commit_all(v);
	return bytes ? volume_commit_stored(v) : 0;
}

static int may_append(struct volume *v, uint32_t p, size_t n)
{
	struct tape_tally end;
	int r = volume_end(v, p, &end);

	return r ? r : volume_room(v, p, &end, n);
}

/* The reserve would be touched: the writer took nothing and is well.  Once it is drained, all that was acknowledged is
 * stored, so this is the end of the tape and no error. */
static int writer_append(struct volume *v, const void *data, size_t n)
{
	int r = chunk_writer_append(v->writer, data, n);

	return r == -ENOSPC && chunk_writer_flush(v->writer) == 0 ? TAPE_E_FULL : r;
}

int volume_append_record(struct volume *v, uint32_t p, const void *data, size_t n)
{
	LOCK_SCOPE(&v->writing);
	int room, r;

	if (n < 1 || n > TAPE_RECORD_MAX)
		return err_explain(-EINVAL, "a record has 1 to %u bytes, not %zu", TAPE_RECORD_MAX, n);
	room = may_append(v, p, n);
	if (room && room != TAPE_E_EARLY_WARNING)
		return room;

	r = begin_append(v, p);
	r = r ? r : writer_append(v, data, n);
	r = r ? r : append_objects(v, p, (uint32_t)n, 1);
	r = r ? r : commit_now_and_then(v, p);
	if (r < 0)
		r = volume_roll_back(v, r);
	return r ? r : room;
}

/* The chunker is flushed, so that a tape file is cut into the same chunks wherever on a tape it lies. */
int volume_append_filemarks(struct volume *v, uint32_t p, uint64_t n)
{
	LOCK_SCOPE(&v->writing);
	int room, r;

	room = may_append(v, p, 0);
	if (room && room != TAPE_E_EARLY_WARNING)
		return room;
	r = volume_flush(v);
	r = r ? r : begin_append(v, p);
	r = r ? r : append_objects(v, p, 0, n);
	return r ? r : room;
}

int volume_commit(struct volume *v)
{
	LOCK_SCOPE(&v->writing);

	return volume_commit_all(v);
}
