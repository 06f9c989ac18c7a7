/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of volumes, tape files and lists: got, put, forgotten.  It guarantees that every list is named by exactly
 * one row O or waits to be deleted, whatever is cut off when: who takes a list's row O away queues the list in the
 * same batch. Whether what rows say is true is contents_truth.c's to find out.
 */
#include "contents/format.h"

#include <assert.h>
#include <errno.h>

#define ROWS_AT_ONCE 1000u	/* in one batch, of what goes */

/* ---- volumes ---- */

int volume_row_get(struct contents *c, uint64_t volume, struct volume_row *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct ckey key = ckey_of_volume('V', volume);
	int r = contents_row_get(c, &key, &row);

	return r ? r : volume_row_decode(row.data, row.len, out);
}

int volume_row_put(struct contents *c, uint64_t volume, const struct volume_row *v)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct ckey key = ckey_of_volume('V', volume);
	int r;

	r = kv_batch_new(&b);
	if (!r)
		r = volume_row_encode(v, &row);
	if (!r)
		r = contents_row_put(b, &key, &row);
	return r ? r : contents_write(c, b);
}

/* ---- lists ---- */

int list_row_get(struct contents *c, uint32_t content, struct list_row *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct ckey key = ckey_of_list('C', content);
	int r = contents_row_get(c, &key, &row);

	return r ? r : list_row_decode(row.data, row.len, out);
}

/* The list is not to be seen any more, and deleted later.  A damaged row C goes too. */
static int queue_list(struct contents *c, struct kv_batch *b, uint32_t content, struct list_tally *gone)
{
	struct ckey row = ckey_of_list('C', content), queued = ckey_of_list('G', content);
	struct list_row l = { 0 };
	int r;

	if (!content)
		return 0;
	r = list_row_get(c, content, &l);
	if (r == CONTENTS_E_NONE)
		return 0;	/* queued before */
	if (r && r != -EUCLEAN)
		return r;
	gone->lists--;
	gone->members -= l.members;
	r = contents_row_put(b, &queued, NULL);
	return r ? r : contents_row_delete(b, &row);
}

/* ---- tape files ---- */

static int get_file(struct contents *c, uint64_t volume, const struct ckey *key, struct contents_file *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	int r = contents_row_get(c, key, &row);

	return r ? r : file_row_decode(volume, row.data, row.len, out);
}

int file_row_get(struct contents *c, uint64_t volume, uint32_t partition, uint64_t file, struct contents_file *out)
{
	struct ckey key = ckey_file(volume, partition, file);

	return get_file(c, volume, &key, out);
}

int file_row_remembered(struct contents *c, uint64_t volume, uint64_t stretch, uint64_t last, struct contents_file *out)
{
	struct ckey key = ckey_remembered(volume, stretch, last);

	return get_file(c, volume, &key, out);
}

int file_row_each(struct contents *c, uint64_t volume, uint32_t partition, uint64_t from,
		  int (*each)(void *ctx, const struct contents_file *f), void *ctx)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct ckey all = ckey_files(volume, partition), key = ckey_file(volume, partition, from);
	struct contents_file f;
	const uint8_t *row;
	size_t len;
	int r;

	r = kv_iter_new(c->kv, KV_CONTENTS, &it);
	if (r)
		return r;
	for (kv_iter_seek(it, key.b, key.len); kv_iter_in(it, all.b, all.len); kv_iter_next(it)) {
		row = kv_iter_value(it, &len);
		r = file_row_decode(volume, row, len, &f);
		if (!r)
			r = each(ctx, &f);
		if (r)
			return r;
	}
	return kv_iter_error(it);
}

int file_row_stage(struct contents *c, struct kv_batch *b, const struct contents_file *f, struct list_tally *tally)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct ckey now = ckey_file(f->volume, f->partition, f->file);
	struct ckey remembered = ckey_remembered(f->volume, f->stretch, f->last);
	struct contents_file old;
	int r;

	r = file_row_remembered(c, f->volume, f->stretch, f->last, &old);
	if (!r && old.content != f->content)
		r = queue_list(c, b, old.content, tally);
	if (r && r != CONTENTS_E_NONE && r != -EUCLEAN)
		return r;
	r = file_row_encode(f, &row);
	if (!r)
		r = contents_row_put(b, &now, &row);
	return r ? r : contents_row_put(b, &remembered, &row);
}

int file_row_put(struct contents *c, const struct contents_file *f)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct list_tally tally = { 0 };
	int r;

	r = kv_batch_new(&b);
	if (r)
		return r;
	LOCK_SCOPE(&c->lock);
	r = file_row_stage(c, b, f, &tally);
	if (!r)
		r = contents_count(c, b, tally.lists, tally.members);
	return r ? r : contents_write(c, b);
}

int contents_file_put(struct contents *c, const struct contents_file *f)
{
	return file_row_put(c, f);
}

/* ---- what goes, some rows at a time ---- */

/* Rows whose keys begin with @all, from @from on. */
struct going {
	struct contents *c;
	const struct ckey *all;
	struct ckey from;
	uint64_t volume;
	bool (*keep)(void *ctx, const struct contents_file *f);	/* NULL: all go */
	void *ctx;
	bool with_lists;
};

/* One that is damaged tells nothing of a list: who checks finds the list without a row O. */
static int go_row(struct going *g, struct kv_iter *it, struct kv_batch *b, struct list_tally *tally)
{
	struct contents_file f;
	const uint8_t *key, *row;
	size_t klen, len;
	bool read;
	int r = 0;

	key = kv_iter_key(it, &klen);
	row = kv_iter_value(it, &len);
	read = !file_row_decode(g->volume, row, len, &f);
	if (read && g->keep && g->keep(g->ctx, &f))
		return 0;
	if (read && g->with_lists)
		r = queue_list(g->c, b, f.content, tally);
	return r ? r : kv_batch_delete(b, KV_CONTENTS, key, klen);
}

/* One batch; KV_E_NONE: that was all. */
static int go_some(struct going *g)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct list_tally tally = { 0 };
	unsigned rows = 0;
	bool more;
	int r;

	r = kv_batch_new(&b);
	LOCK_SCOPE(&g->c->lock);
	if (!r)
		r = kv_iter_new(g->c->kv, KV_CONTENTS, &it);
	if (r)
		return r;
	kv_iter_seek(it, g->from.b, g->from.len);
	for (; !r && rows < ROWS_AT_ONCE && kv_iter_in(it, g->all->b, g->all->len); kv_iter_next(it), rows++)
		r = go_row(g, it, b, &tally);
	more = kv_iter_in(it, g->all->b, g->all->len);
	if (more) {
		const uint8_t *key = kv_iter_key(it, &g->from.len);

		if (g->from.len > sizeof(g->from.b))
			g->from.len = sizeof(g->from.b);
		memcpy(g->from.b, key, g->from.len);
	}
	if (!r)
		r = kv_iter_error(it);
	if (!r)
		r = contents_count(g->c, b, tally.lists, tally.members);
	if (!r)
		r = contents_write(g->c, b);
	return r ? r : more ? 0 : KV_E_NONE;
}

static int go(struct going *g)
{
	int r;

	do
		r = go_some(g);
	while (!r);
	return r < 0 ? r : 0;
}

int file_row_cut(struct contents *c, uint64_t volume, uint32_t partition, uint64_t from)
{
	struct ckey all = ckey_files(volume, partition);
	struct going g = { .c = c, .all = &all, .from = ckey_file(volume, partition, from), .volume = volume };

	return go(&g);
}

int file_row_forget(struct contents *c, uint64_t volume, bool (*keep)(void *ctx, const struct contents_file *f),
		    void *ctx)
{
	struct ckey all = ckey_of_volume('O', volume);
	struct going g = {
		.c = c, .all = &all, .from = all, .volume = volume, .keep = keep, .ctx = ctx, .with_lists = true,
	};

	return go(&g);
}

/* The row V first: while it is there, the others are believed to be whole. */
int contents_forget(struct contents *c, uint64_t volume)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct ckey row = ckey_of_volume('V', volume), files = ckey_of_volume('F', volume);
	struct going g = { .c = c, .all = &files, .from = files, .volume = volume };
	int r;

	r = kv_batch_new(&b);
	if (!r)
		r = contents_row_delete(b, &row);
	if (!r)
		r = contents_write(c, b);
	if (!r)
		r = go(&g);
	return r ? r : file_row_forget(c, volume, NULL, NULL);
}
