/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists that nobody names any more are deleted, some rows at a time, in the background.  The rows N are found
 * through the members, so a batch takes away members together with their rows N; what has no name goes with the
 * last.
 *
 * What is there after a power cut behind each step:
 * 1. rows B and their rows N, from the first on, in batches	the rest of them, and G
 * 2. T, X and G, in one batch					nothing
 */
#include "contents/format.h"

#include <errno.h>

#define BATCH_ROWS 4096u

struct sweep {
	struct contents *c;
	struct kv_batch *batch;
	struct contents_member m;
	uint64_t rows;			/* deleted */
};

static void sweep_fini(struct sweep *s)
{
	kv_batch_free(s->batch);
	contents_member_fini(&s->m);
}

static int write_batch(struct sweep *s)
{
	s->rows += kv_batch_count(s->batch);
	return contents_write(s->c, s->batch);
}

/* Of a damaged block some rows N stay: they name a list that is not there, and nothing comes of them. */
static int sweep_block(struct sweep *s, uint32_t content, struct kv_iter *it)
{
	struct block_reader block;
	const uint8_t *key, *row;
	size_t klen, len;
	int r;

	key = kv_iter_key(it, &klen);
	row = kv_iter_value(it, &len);
	r = klen == 9 ? block_read(&block, content, get_be32(key + 5) * CONTENTS_BLOCK + 1, row, len) : -EUCLEAN;
	while (!r) {
		struct ckey name;

		r = block_next(&block, &s->m);
		if (r)
			break;
		name = ckey_named(s->m.name, content, s->m.dir, s->m.number);
		r = contents_row_delete(s->batch, &name);
	}
	if (r != CONTENTS_E_NONE && r != -EUCLEAN)
		return r;
	return kv_batch_delete(s->batch, KV_CONTENTS, key, klen);
}

/* *more: not all of them. */
static int sweep_blocks(struct sweep *s, uint32_t content, uint64_t rows, bool *more)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct ckey all = ckey_of_list('B', content);
	int r;

	r = kv_iter_new(s->c->kv, KV_CONTENTS, &it);
	if (r)
		return r;
	for (kv_iter_seek(it, all.b, all.len); kv_iter_in(it, all.b, all.len); kv_iter_next(it)) {
		if (s->rows >= rows) {
			*more = true;
			return 0;
		}
		r = sweep_block(s, content, it);
		if (!r && kv_batch_count(s->batch) >= BATCH_ROWS)
			r = write_batch(s);
		if (r)
			return r;
	}
	return kv_iter_error(it);
}

static int sweep_rest(struct sweep *s, uint32_t content)
{
	struct ckey queued = ckey_of_list('G', content), key;
	int r = 0;

	for (const char *letter = "TX"; !r && *letter; letter++) {
		key = ckey_of_list(*letter, content);
		r = kv_batch_delete_rows(s->batch, s->c->kv, KV_CONTENTS, key.b, key.len);
	}
	return r ? r : contents_row_delete(s->batch, &queued);
}

/* The first list behind @after that is queued and not still being made; CONTENTS_E_NONE. */
static int next_queued(struct contents *c, uint32_t *content)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct ckey from = ckey_of_list('G', *content + 1);
	const uint8_t *key;
	size_t len;
	int r;

	LOCK_SCOPE(&c->lock);
	r = kv_iter_new(c->kv, KV_CONTENTS, &it);
	if (r)
		return r;
	for (kv_iter_seek(it, from.b, from.len); kv_iter_in(it, "G", 1); kv_iter_next(it)) {
		key = kv_iter_key(it, &len);
		if (len != 5 || contents_list_is_building(c, get_be32(key + 1)))
			continue;
		*content = get_be32(key + 1);
		return 0;
	}
	r = kv_iter_error(it);
	return r ? r : CONTENTS_E_NONE;
}

int contents_sweep(struct contents *c, uint64_t rows, bool *more)
{
	CLEANUP(sweep_fini) struct sweep s = { .c = c };
	uint32_t content = 0;
	int r;

	*more = false;
	r = kv_batch_new(&s.batch);
	while (!r && !*more) {
		r = next_queued(c, &content);
		if (!r)
			r = sweep_blocks(&s, content, rows, more);
		if (!r && !*more)
			r = sweep_rest(&s, content);
		if (!r)
			r = write_batch(&s);
	}
	return r == CONTENTS_E_NONE ? 0 : r;
}
