/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A database with a journal: the writing.  Reads go straight to the database.
 * A write appends to the log and then changes the database, under one lock, so both have one order; then, outside the
 * lock, it waits for the log to be synced.  One of those who wait syncs for all of them.
 * A batch of contents goes past all of that to the database, and waits for nothing.
 *
 * What a failure leaves (steps as in kv.h):
 * 1. the append: the log is cut back; what cannot be cut off is written over by the next append, and until then it is
 *    no whole frame.
 * 2. the database: it may have kept the batch all the same and show it after a restart.  So its number is burnt, the
 *    next batch goes to a new log, whose header says that the one before ends with the batch before it, and a
 *    checkpoint is wished for, which has the batch if the database has.
 * 3. the sync: what the log has beyond the last sync is unknown from then on, and no later sync would tell.  It is cut
 *    off, so that the next open finds the journal behind the database and makes a checkpoint.
 */
#include "kv/kv_journal.h"

#include <assert.h>
#include <errno.h>

struct journal *journal_of(struct kv *kv)
{
	return (struct journal *)kv;
}

/* ---- syncing ---- */

static int poisoned(const struct journal *j)
{
	return err_explain(j->poison, "%s: takes no more since a sync failed: %s", j->dir->path, strerror(-j->poison));
}

/* The caller is the one who syncs, and holds sync_lock, which is let go meanwhile.  @log stays: only journal_rotate()
 * changes it, and that waits for us. */
static void sync_for_all(struct journal *j)
{
	uint64_t have = j->have, end = j->end;
	struct jfile *log = j->log;
	int r;

	j->syncing = true;
	pthread_mutex_unlock(&j->sync_lock);
	r = log->ops->sync(log);
	pthread_mutex_lock(&j->sync_lock);
	j->syncing = false;
	if (r) {
		j->poison = r;
		log->ops->cut(log, j->synced_end);
	} else {
		j->synced = have;
		j->synced_end = end;
	}
	pthread_cond_broadcast(&j->sync_done);
}

/* All batches up to @number are on disk when this returns. */
static int journal_sync(struct journal *j, uint64_t number)
{
	LOCK_SCOPE(&j->sync_lock);
	while (j->synced < number && !j->poison)
		if (j->syncing)
			pthread_cond_wait(&j->sync_done, &j->sync_lock);
		else
			sync_for_all(j);
	return j->synced < number ? poisoned(j) : 0;
}

/* ---- a new log ---- */

static int log_create(struct journal *j, const struct journal_header *h, struct jfile **out)
{
	CLEANUP(jfile_closep) struct jfile *f = NULL;
	uint8_t bytes[JOURNAL_HEADER_BYTES];
	char name[JOURNAL_NAME_MAX];
	int r;

	journal_name(JOURNAL_LOG, h->number, name);
	r = j->dir->ops->create(j->dir, name, &f);
	if (r)
		return r;
	journal_header_pack(h, bytes);
	r = f->ops->pwrite(f, bytes, sizeof(bytes), 0);
	if (!r)
		r = f->ops->sync(f);
	if (!r)
		r = j->dir->ops->sync(j->dir);
	if (r) {
		j->dir->ops->remove(j->dir, name);
		return r;
	}
	*out = STEAL(f);
	return 0;
}

/*
 * 1. the old log synced          what it has counts
 * 2. the new log's header synced
 * 3. the folder synced           a later log is there: the old one counts up to .follows
 */
int journal_rotate(struct journal *j)
{
	struct journal_header h = {
		.kind = JOURNAL_LOG, .number = j->next, .follows = j->have, .previous = j->log_number,
	};
	struct jfile *log;
	int r;

	r = journal_sync(j, j->have);
	if (!r)
		r = random_bytes(&h.id, sizeof(h.id));
	if (!r)
		r = log_create(j, &h, &log);
	if (r == -EEXIST)
		j->next++;	/* a file of that name, which is none of ours: the next try gets by it */
	if (r)
		return r;

	LOCK_SCOPE(&j->sync_lock);
	jfile_close(j->log);
	j->log = log;
	j->log_number = h.number;
	j->log_id = h.id;
	j->end = j->synced_end = JOURNAL_HEADER_BYTES;
	j->rotate = false;
	return 0;
}

/* ---- a write ---- */

/* Room for the frame's head is in front. */
static int encode(const struct kv_batch *b, struct buf *out)
{
	uint8_t head[JOURNAL_FRAME_BYTES] = { 0 };
	struct kv_op op;
	size_t at = 0;
	int r;

	r = buf_append(out, head, sizeof(head));
	while (!r && kv_batch_next(b, &at, &op))
		r = journal_op_pack(out, &op);
	if (!r && out->len - sizeof(head) > JOURNAL_PAYLOAD_MAX)
		r = err_explain(-EINVAL, "a batch of %zu bytes is too long", out->len);
	return r;
}

static struct journal_frame frame_of(const struct buf *bytes)
{
	uint32_t len = (uint32_t)(bytes->len - JOURNAL_FRAME_BYTES);

	return (struct journal_frame){ .kind = JOURNAL_BATCH,
				       .len = len,
				       .sum = sum64(bytes->data + JOURNAL_FRAME_BYTES, len) };
}

static int may_append(struct journal *j, uint64_t *synced, uint64_t *synced_end)
{
	int r = 0;

	if (!j->log || j->rotate)
		r = journal_rotate(j);
	if (r)
		return r;
	LOCK_SCOPE(&j->sync_lock);
	*synced = j->synced;
	*synced_end = j->synced_end;
	return j->poison ? poisoned(j) : 0;
}

/* Steps 1 and 2. */
static int append_and_write(struct journal *j, const struct kv_batch *b, struct journal_frame *f, struct buf *bytes)
{
	uint8_t row[JOURNAL_ROW_BYTES];
	struct journal_row place;
	struct kv_op also;
	int r;

	r = may_append(j, &f->synced, &place.synced);
	if (r)
		return r;
	f->number = j->next;
	f->id = j->log_id;
	journal_frame_pack(f, bytes->data);
	r = j->log->ops->pwrite(j->log, bytes->data, bytes->len, j->end);
	if (r) {
		j->log->ops->cut(j->log, j->end);
		return r;
	}

	place.number = f->number;
	place.log = j->log_number;
	place.end = j->end + bytes->len;
	journal_row_pack(&place, row);
	also = journal_row_op(row);
	r = j->base->ops->write(j->base, b, &also, false);
	j->next++;
	if (r) {
		j->rotate = true;
		j->wished = true;
		j->log->ops->cut(j->log, j->end);
		return r;
	}
	j->bytes += bytes->len;

	LOCK_SCOPE(&j->sync_lock);
	j->have = f->number;
	j->end += bytes->len;
	return 0;
}

/* Rows that the journal does not have.  -EINVAL if others are among them. */
static int is_beside(const struct kv_batch *b, bool *out)
{
	size_t at = 0, contents = 0;
	struct kv_op op;

	while (kv_batch_next(b, &at, &op))
		contents += op.space == KV_CONTENTS;
	*out = contents;
	if (contents && contents < kv_batch_count(b))
		return err_explain(-EINVAL, "a batch has rows of contents and others, which cannot be one");
	return 0;
}

static int journal_write(struct kv *kv, const struct kv_batch *b, const struct kv_op *also, bool sync)
{
	CLEANUP(buf_fini) struct buf bytes = BUF_INIT;
	struct journal *j = journal_of(kv);
	struct journal_frame f = { 0 };
	bool beside;
	int r;

	assert(!also);
	r = is_beside(b, &beside);
	if (r)
		return r;
	if (beside)
		return j->base->ops->write(j->base, b, NULL, false);
	if (kv_batch_count(b)) {
		r = encode(b, &bytes);
		if (r)
			return r;
		f = frame_of(&bytes);
	}
	pthread_mutex_lock(&j->lock);
	f.number = j->have;
	if (bytes.len)
		r = append_and_write(j, b, &f, &bytes);
	if (journal_checkpoint_due(j))
		pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
	return !r && sync ? journal_sync(j, f.number) : r;
}

/* ---- the rest is the database's ---- */

static int journal_get(struct kv *kv, enum kv_space s, const void *key, size_t klen, struct buf *value)
{
	return kv_get(journal_of(kv)->base, s, key, klen, value);
}

static int journal_any(struct kv *kv, enum kv_space s, const void *prefix, size_t plen)
{
	return kv_any(journal_of(kv)->base, s, prefix, plen);
}

static int journal_iter_new(struct kv *kv, enum kv_space s, struct kv_iter **out)
{
	return kv_iter_new(journal_of(kv)->base, s, out);
}

static int journal_usage(struct kv *kv, struct kv_usage *out)
{
	struct journal *j = journal_of(kv);
	int r = kv_usage(j->base, out);

	if (!r)
		out->disk_bytes += j->dir->ops->disk_bytes(j->dir);
	return r;
}

static int checkpoint_now(struct kv *kv)
{
	struct journal *j = journal_of(kv);
	int r;

	j->hurry = true;
	r = journal_checkpoint(j);
	j->hurry = false;
	return r;
}

static void plan_fault(struct kv *kv, uint64_t after, uint64_t count, int error)
{
	kv_mem_plan_faults(journal_of(kv)->base, after, count, error);
}

static int cut(struct kv *kv, uint64_t seed, struct kv **out)
{
	struct journal *j = journal_of(kv);
	struct jdir *dir;
	struct kv *base;
	int r;

	LOCK_SCOPE(&j->lock);
	r = kv_mem_cut_torn(j->base, seed, &base);
	if (r)
		return r;
	r = j->dir->ops->cut(j->dir, base, seed, &dir);
	if (r) {
		kv_close(base);
		return r;
	}
	return journal_open(base, dir, out);
}

/* What nobody asked to be synced is, so that the next start need not find the journal behind the database. */
static void journal_close(struct kv *kv)
{
	struct journal *j = journal_of(kv);

	journal_checkpoint_stop(j);
	if (j->log && !j->poison && journal_sync(j, j->have))
		log_warn("%s: cannot be synced: %s", j->dir->path, strerror(-j->poison));
	jfile_close(j->log);
	kv_close(j->base);
	jdir_close(j->dir);
	pthread_cond_destroy(&j->wake);
	pthread_cond_destroy(&j->sync_done);
	pthread_mutex_destroy(&j->checkpointing);
	pthread_mutex_destroy(&j->sync_lock);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

static const struct kv_ops journal_ops = {
	.close = journal_close,
	.get = journal_get,
	.any = journal_any,
	.write = journal_write,
	.iter_new = journal_iter_new,
	.usage = journal_usage,
	.check = journal_check,
	.checkpoint = checkpoint_now,
	.plan_fault = plan_fault,
	.cut = cut,
};

int journal_new(struct kv *base, struct jdir *dir, struct journal **out)
{
	struct journal *j = calloc(1, sizeof(*j));
	pthread_condattr_t attr;

	if (!j) {
		kv_close(base);
		jdir_close(dir);
		return err_origin(-ENOMEM);
	}
	j->kv.ops = &journal_ops;
	j->base = base;
	j->dir = dir;
	pthread_mutex_init(&j->lock, NULL);
	pthread_mutex_init(&j->sync_lock, NULL);
	pthread_mutex_init(&j->checkpointing, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&j->wake, &attr);
	pthread_cond_init(&j->sync_done, &attr);
	pthread_condattr_destroy(&attr);
	*out = j;
	return 0;
}
