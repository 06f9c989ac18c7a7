/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal read as a whole: to make a database anew from it, and to see whether that could be done.  Damage is
 * passed over, counted and told, since here something is better than nothing.
 */
#include "kv/kv_journal.h"

#include <errno.h>

/* ---- the row in the database ---- */

static const char row_key[] = "journal";

struct kv_op journal_row_op(const uint8_t row[JOURNAL_ROW_BYTES])
{
	return (struct kv_op){
		.change = KV_PUT, .space = KV_OWN,
		.key = (const uint8_t *)row_key, .klen = sizeof(row_key) - 1,
		.val = row, .vlen = JOURNAL_ROW_BYTES,
	};
}

int journal_row_read(struct kv *base, struct journal_row *out)
{
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	int r = base->ops->get(base, KV_OWN, row_key, sizeof(row_key) - 1, &value);

	return r ? r : journal_row_unpack(value.data, value.len, out);
}

/* ---- a walk ---- */

static int count_damage(void *ctx, uint64_t parts, const char *what)
{
	struct journal_walk *w = ctx;

	w->lost += parts;
	if (w->bad)
		w->bad(w->bad_ctx, what);
	return 0;
}

static int give_payload(void *ctx, const struct journal_frame *f, const uint8_t *p, uint64_t log, uint64_t end)
{
	struct journal_walk *w = ctx;

	return w->payload(w->ctx, f, p);
}

static int ignore_payload(void *ctx, const struct journal_frame *f, const uint8_t *p, uint64_t log, uint64_t end)
{
	return 0;
}

static int note_damage(void *ctx, uint64_t parts, const char *what)
{
	*(bool *)ctx = true;
	return 0;
}

/* There is more than one if something ended between the making of the newest and the removal of the one before. */
static int choose_checkpoint(const struct journal_walk *w, uint64_t *out)
{
	const struct journal_numbers *n = &w->list->checkpoints;
	bool damaged = true;
	struct journal_reading whole = { w->dir, ignore_payload, note_damage, &damaged };
	int r;

	*out = n->of[n->count - 1];
	for (size_t i = n->count; n->count > 1 && damaged && i-- > 0;) {
		damaged = false;
		r = journal_read_checkpoint(&whole, n->of[i]);
		if (r)
			return r;
		if (!damaged)
			*out = n->of[i];
	}
	return 0;
}

/* What the header of the log behind number @i says about it; without one, all of it counts. */
static int counts_until(const struct journal_walk *w, size_t i, uint64_t *until)
{
	const struct journal_numbers *logs = &w->list->logs;
	struct journal_header h;
	uint64_t size;
	int r = KV_E_NONE;

	if (i + 1 < logs->count)
		r = journal_read_header(w->dir, JOURNAL_LOG, logs->of[i + 1], &h, &size);
	*until = r ? UINT64_MAX : h.follows;
	return r < 0 ? r : 0;
}

static int walk_logs(struct journal_walk *w, const struct journal_reading *reading)
{
	const struct journal_numbers *logs = &w->list->logs;
	bool live = false, whole;
	uint64_t end;
	int r;

	for (size_t i = 0; i < logs->count && !live; i++) {
		struct journal_log_part part = { .log = logs->of[i], .bytes = UINT64_MAX };

		part.last = i + 1 == logs->count;
		if (!part.last && logs->of[i + 1] <= w->have + 1)
			continue;
		live = w->live_log && part.log == w->live_log;
		if (live)
			part.bytes = w->live_bytes;
		r = counts_until(w, i, &part.until);
		if (!r)
			r = journal_read_log(reading, &part, &w->have, &end, &whole);
		if (r)
			return r;
	}
	return 0;
}

int journal_walk(struct journal_walk *w)
{
	struct journal_reading reading = { w->dir, give_payload, count_damage, w };
	uint64_t checkpoint;
	int r;

	w->have = w->lost = 0;
	if (!w->list->logs.count && !w->list->checkpoints.count)
		return err_explain(-ENOENT, "%s: there is no journal", w->dir->path);
	if (w->list->checkpoints.count) {
		r = choose_checkpoint(w, &checkpoint);
		if (!r)
			r = journal_read_checkpoint(&reading, checkpoint);
		if (r)
			return r;
		w->have = checkpoint;
	}
	return walk_logs(w, &reading);
}

/* ---- into a new database ---- */

struct replay {
	struct journal_walk walk;
	struct kv *into;
	struct kv_batch *batch;
	struct kv_replayed *out;
};

/* How many rows the checkpoint says it has; some are in blocks that are lost. */
static int compare_rows(struct replay *rp, const struct journal_frame *f, const uint8_t *p)
{
	struct cursor c = cursor_of(p, f->len);
	struct buf text = BUF_INIT;
	uint64_t rows;
	int r = 0;

	cursor_le64(&c);
	rows = cursor_le64(&c) + cursor_le64(&c) + cursor_le64(&c);
	if (c.bad)
		return -EUCLEAN;
	if (rows > rp->out->rows && rp->walk.bad) {
		r = buf_printf(&text, "%s: %llu of the %llu rows of the checkpoint are lost", rp->walk.dir->path,
			       (unsigned long long)(rows - rp->out->rows), (unsigned long long)rows);
		if (!r)
			rp->walk.bad(rp->walk.bad_ctx, (const char *)text.data);
		buf_fini(&text);
	}
	return r;
}

static int replay_payload(void *ctx, const struct journal_frame *f, const uint8_t *p)
{
	struct replay *rp = ctx;
	int r;

	if (f->kind == JOURNAL_END)
		return compare_rows(rp, f, p);
	kv_batch_clear(rp->batch);
	r = journal_payload_unpack(p, f->len, false, rp->batch);
	if (r)
		return r;
	if (f->kind == JOURNAL_ROWS)
		rp->out->rows += kv_batch_count(rp->batch);
	else
		rp->out->batches++;
	return kv_batch_count(rp->batch) ? rp->into->ops->write(rp->into, rp->batch, NULL, false) : 0;
}

/* The row makes the next kv_journal_open() go on from here; that it says no place makes it wish for a checkpoint. */
static int replay(struct replay *rp)
{
	uint8_t bytes[JOURNAL_ROW_BYTES];
	struct kv_op row;
	int r;

	r = journal_walk(&rp->walk);
	if (r)
		return r;
	rp->out->lost = rp->walk.lost;
	journal_row_pack(&(struct journal_row){ .number = rp->walk.have }, bytes);
	row = journal_row_op(bytes);
	kv_batch_clear(rp->batch);
	return rp->into->ops->write(rp->into, rp->batch, &row, true);
}

int journal_replay_dir(struct jdir *d, struct kv *into, kv_bad_fn *bad, void *ctx, struct kv_replayed *out)
{
	CLEANUP(journal_list_fini) struct journal_list list;
	CLEANUP(kv_batch_freep) struct kv_batch *batch = NULL;
	struct kv_replayed done = { 0 };
	struct replay rp = { .into = into, .out = &done };
	int r;

	r = journal_list_read(d, &list);
	if (!r)
		r = kv_batch_new(&batch);
	if (r)
		return r;
	rp.batch = batch;
	rp.walk = (struct journal_walk){
		.dir = d, .payload = replay_payload, .ctx = &rp, .list = &list, .bad = bad, .bad_ctx = ctx,
	};
	r = replay(&rp);
	if (!r)
		*out = done;
	return r;
}

int kv_journal_replay(const char *dir, struct kv *into, void (*bad)(void *ctx, const char *what), void *ctx,
		      struct kv_replayed *out)
{
	CLEANUP(jdir_closep) struct jdir *d = NULL;
	int r = jdir_open(dir, false, &d);

	return r ? r : journal_replay_dir(d, into, bad, ctx, out);
}

/* ---- could it be replayed? ---- */

static int try_payload(void *ctx, const struct journal_frame *f, const uint8_t *p)
{
	struct kv_batch *b = ctx;

	kv_batch_clear(b);
	return f->kind == JOURNAL_END ? 0 : journal_payload_unpack(p, f->len, true, b);
}

/* No checkpoint meanwhile, and what is written meanwhile is not looked at. */
static int check_journal(struct journal *j, kv_bad_fn *bad, void *ctx)
{
	CLEANUP(journal_list_fini) struct journal_list list = { 0 };
	CLEANUP(kv_batch_freep) struct kv_batch *batch = NULL;
	struct journal_walk w = { .dir = j->dir, .payload = try_payload, .list = &list, .bad = bad, .bad_ctx = ctx };
	uint64_t have;
	int r;

	LOCK_SCOPE(&j->checkpointing);
	pthread_mutex_lock(&j->lock);
	r = journal_list_read(j->dir, &list);
	w.live_log = j->log ? j->log_number : 0;
	w.live_bytes = j->end;
	have = j->have;
	pthread_mutex_unlock(&j->lock);
	if (!r)
		r = kv_batch_new(&batch);
	w.ctx = batch;
	if (!r && (have || list.logs.count || list.checkpoints.count))
		r = journal_walk(&w);
	if (r && r != -ENOENT)
		return r;
	if (!r && !w.lost && w.have >= have)
		return 0;

	if (bad && (r || w.have < have))
		bad(ctx, "the journal lacks the last batches that the database has");
	LOCK_SCOPE(&j->lock);
	j->wished = true;
	pthread_cond_signal(&j->wake);
	return 0;
}

int journal_check(struct kv *kv, kv_bad_fn *bad, void *ctx)
{
	struct journal *j = journal_of(kv);
	int r = kv_check(j->base, bad, ctx);

	return r ? r : check_journal(j, bad, ctx);
}
