/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checkpoints: all rows but those of the index, in one file, so that the logs before it can go.
 *
 * What is there after a power cut behind each step:
 * 1. a new log is begun, the database as of then is held by iterators	   the old checkpoint, all logs
 * 2. the rows are written to a temporary file, synced, read back	   the same
 * 3. it gets its name, the folder is synced				   both checkpoints, all logs
 * 4. the database is synced: it lacks nothing that the old logs have	   the same
 * 5. the old checkpoints and logs are removed				   the new one, the new logs
 *
 * It goes gently unless somebody waits for it: at a bounded rate, with nothing left for one long sync at the end, and
 * writers wait for step 1 only; and on a disk that is nearly full not at all, it comes when there is room again.
 * Memory: one block, or one row if that is longer.
 */
#include "kv/kv_journal.h"

#include <errno.h>
#include <time.h>

#define LOG_BYTES_MIN (64u << 20)	/* of logs, before they are worth a checkpoint */
#define BYTES_PER_SECOND (64u << 20)
#define SYNC_BYTES (4u << 20)
#define RETRY_MIN_S 30u
#define RETRY_MAX_S 3600u

static const enum kv_space spaces[] = { KV_CATALOG, KV_MAP, KV_PACK };

struct checkpoint {
	struct journal *j;
	struct journal_header header;
	struct kv_iter *rows_of[ARRAY_LEN(spaces)];
	uint64_t log_bytes;		/* that it makes superfluous */
	struct jfile *f;
	uint64_t end, begun_sync;
	uint64_t started_ns, moved;	/* for the rate: bytes written and read since then */
	struct buf block;		/* a frame's head, its payload */
	uint64_t blocks, rows[ARRAY_LEN(spaces)];
};

/* ---- the rate ---- */

static int pause_for_rate(struct checkpoint *c, uint64_t bytes)
{
	uint64_t due, now;

	c->moved += bytes;
	due = c->started_ns + c->moved * 1000 / (BYTES_PER_SECOND / 1000000);
	while (!c->j->stop && !c->j->hurry && (now = clock_mono_ns()) < due) {
		uint64_t ns = due - now < 50000000 ? due - now : 50000000;

		nanosleep(&(struct timespec){ 0, (long)ns }, NULL);
	}
	return c->j->stop ? -ECANCELED : 0;
}

/* ---- writing ---- */

static int has_room(struct checkpoint *c, uint64_t bytes)
{
	return c->j->hurry ? 0 : c->j->dir->ops->room(c->j->dir, bytes);
}

static int block_begin(struct checkpoint *c)
{
	uint8_t head[JOURNAL_FRAME_BYTES] = { 0 };

	c->block.len = 0;
	return buf_append(&c->block, head, sizeof(head));
}

static int block_end(struct checkpoint *c, enum journal_frame_kind kind)
{
	uint32_t len = (uint32_t)(c->block.len - JOURNAL_FRAME_BYTES);
	struct journal_frame f = {
		.kind = kind, .len = len, .number = ++c->blocks, .id = c->header.id,
		.sum = sum64(c->block.data + JOURNAL_FRAME_BYTES, len),
	};
	int r;

	journal_frame_pack(&f, c->block.data);
	r = c->f->ops->pwrite(c->f, c->block.data, c->block.len, c->end);
	if (r)
		return r;
	c->end += c->block.len;
	if (c->end - c->begun_sync >= SYNC_BYTES) {
		c->f->ops->begin_sync(c->f);
		c->begun_sync = c->end;
		r = has_room(c, SYNC_BYTES);	/* until it is asked again */
	}
	return r ? r : pause_for_rate(c, c->block.len);
}

static int write_row(struct checkpoint *c, size_t s)
{
	struct kv_op op = { .change = KV_PUT, .space = spaces[s] };
	int r;

	op.key = kv_iter_key(c->rows_of[s], &op.klen);
	op.val = kv_iter_value(c->rows_of[s], &op.vlen);
	c->rows[s]++;
	r = journal_op_pack(&c->block, &op);
	if (r || c->block.len < JOURNAL_BLOCK_BYTES)
		return r;
	r = block_end(c, JOURNAL_ROWS);
	return r ? r : block_begin(c);
}

static int write_space(struct checkpoint *c, size_t s)
{
	struct kv_iter *it = c->rows_of[s];
	int r = 0;

	for (kv_iter_seek(it, NULL, 0); !r && kv_iter_valid(it); kv_iter_next(it))
		r = write_row(c, s);
	return r ? r : kv_iter_error(it);
}

static int write_end(struct checkpoint *c)
{
	int r = block_begin(c);

	if (!r)
		r = buf_put_le64(&c->block, c->blocks);
	for (size_t s = 0; !r && s < ARRAY_LEN(spaces); s++)
		r = buf_put_le64(&c->block, c->rows[s]);
	return r ? r : block_end(c, JOURNAL_END);
}

static int write_rows(struct checkpoint *c)
{
	uint8_t head[JOURNAL_HEADER_BYTES];
	int r;

	journal_header_pack(&c->header, head);
	r = c->f->ops->pwrite(c->f, head, sizeof(head), 0);
	c->end = sizeof(head);
	if (!r)
		r = block_begin(c);
	for (size_t s = 0; !r && s < ARRAY_LEN(spaces); s++)
		r = write_space(c, s);
	if (!r && c->block.len > JOURNAL_FRAME_BYTES)
		r = block_end(c, JOURNAL_ROWS);
	return r ? r : write_end(c);
}

/* ---- reading it back ---- */

struct readback {
	struct checkpoint *c;
	struct kv_batch *batch;
	uint64_t rows;
};

static int count_rows(void *ctx, const struct journal_frame *f, const uint8_t *p, uint64_t log, uint64_t end)
{
	struct readback *b = ctx;
	int r = 0;

	kv_batch_clear(b->batch);
	if (f->kind == JOURNAL_ROWS)
		r = journal_payload_unpack(p, f->len, true, b->batch);
	b->rows += kv_batch_count(b->batch);
	return r ? r : pause_for_rate(b->c, f->len);
}

static int refuse(void *ctx, uint64_t parts, const char *what)
{
	return err_explain(-EIO, "%s, though it was just written", what);
}

static int read_back(struct checkpoint *c)
{
	CLEANUP(kv_batch_freep) struct kv_batch *batch = NULL;
	struct readback b = { .c = c };
	struct journal_reading reading = { c->j->dir, count_rows, refuse, &b, JOURNAL_TMP_NAME };
	uint64_t rows = 0;
	int r;

	r = kv_batch_new(&batch);
	if (r)
		return r;
	b.batch = batch;
	c->f->ops->forget(c->f);
	r = journal_read_checkpoint(&reading, c->header.number);
	for (size_t s = 0; s < ARRAY_LEN(spaces); s++)
		rows += c->rows[s];
	if (!r && b.rows != rows)
		r = refuse(NULL, 0, "a checkpoint lacks rows");
	return r;
}

/* ---- step by step ---- */

static int begin(struct checkpoint *c)
{
	struct journal *j = c->j;
	int r = 0;

	LOCK_SCOPE(&j->lock);
	if (!j->log || j->rotate || j->end > JOURNAL_HEADER_BYTES)
		r = journal_rotate(j);
	for (size_t s = 0; !r && s < ARRAY_LEN(spaces); s++)
		r = kv_iter_new(j->base, spaces[s], &c->rows_of[s]);
	c->log_bytes = j->bytes;
	c->header = (struct journal_header){ .kind = JOURNAL_CHECKPOINT, .number = j->have };
	return r ? r : random_bytes(&c->header.id, sizeof(c->header.id));
}

static int make_file(struct checkpoint *c)
{
	struct jdir *d = c->j->dir;
	char name[JOURNAL_NAME_MAX];
	int r;

	r = d->ops->remove(d, JOURNAL_TMP_NAME);
	if (!r)
		r = has_room(c, c->j->checkpoint_bytes);
	if (!r)
		r = d->ops->create(d, JOURNAL_TMP_NAME, &c->f);
	if (!r)
		r = write_rows(c);
	if (!r)
		r = c->f->ops->sync(c->f);
	if (!r)
		r = read_back(c);
	journal_name(JOURNAL_CHECKPOINT, c->header.number, name);
	if (!r)
		r = d->ops->rename(d, JOURNAL_TMP_NAME, name);
	return r ? r : d->ops->sync(d);
}

static int sync_base(struct checkpoint *c)
{
	CLEANUP(kv_batch_freep) struct kv_batch *nothing = NULL;
	int r = kv_batch_new(&nothing);

	return r ? r : c->j->base->ops->write(c->j->base, nothing, NULL, true);
}

/* What cannot be removed is tried again with the next checkpoint. */
static void remove_all(struct jdir *d, enum journal_kind kind, const struct journal_numbers *n, uint64_t below)
{
	char name[JOURNAL_NAME_MAX];

	for (size_t i = 0; i < n->count && n->of[i] < below; i++) {
		journal_name(kind, n->of[i], name);
		if (d->ops->remove(d, name))
			log_warn("%s/%s: cannot be removed", d->path, name);
	}
}

static int end(struct checkpoint *c)
{
	CLEANUP(journal_list_fini) struct journal_list list;
	struct journal *j = c->j;
	int r;

	r = journal_list_read(j->dir, &list);
	if (r)
		return r;
	/* Logs begun meanwhile, after a failed write, have higher numbers. */
	remove_all(j->dir, JOURNAL_LOG, &list.logs, c->header.number + 1);
	remove_all(j->dir, JOURNAL_CHECKPOINT, &list.checkpoints, c->header.number);
	log_info("%s: checkpoint of batch %llu, %llu bytes", j->dir->path, (unsigned long long)c->header.number,
		 (unsigned long long)c->end);

	LOCK_SCOPE(&j->lock);
	j->bytes -= c->log_bytes;
	j->checkpoint_bytes = c->end;
	j->wished = false;
	return 0;
}

static int make_checkpoint(struct checkpoint *c)
{
	int r;

	r = begin(c);
	if (!r)
		r = make_file(c);
	if (!r)
		r = sync_base(c);
	return r ? r : end(c);
}

int journal_checkpoint(struct journal *j)
{
	struct checkpoint c = { .j = j, .started_ns = clock_mono_ns() };
	int r;

	LOCK_SCOPE(&j->checkpointing);
	r = make_checkpoint(&c);
	for (size_t s = 0; s < ARRAY_LEN(spaces); s++)
		kv_iter_free(c.rows_of[s]);
	jfile_close(c.f);
	buf_fini(&c.block);
	if (r)
		j->dir->ops->remove(j->dir, JOURNAL_TMP_NAME);
	return r;
}

/* ---- in the background ---- */

/* A row is written to a checkpoint as often as the log grows by the length of all rows. */
bool journal_checkpoint_due(const struct journal *j)
{
	return j->wished || j->bytes > (j->checkpoint_bytes > LOG_BYTES_MIN ? j->checkpoint_bytes : LOG_BYTES_MIN);
}

/* With the lock held. */
static void sleep_for(struct journal *j, unsigned seconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	while (!j->stop && !pthread_cond_timedwait(&j->wake, &j->lock, &until))
		;
}

static void *background(void *arg)
{
	struct journal *j = arg;
	unsigned retry = RETRY_MIN_S;
	int r;

	LOCK_SCOPE(&j->lock);
	while (!j->stop) {
		if (!journal_checkpoint_due(j)) {
			pthread_cond_wait(&j->wake, &j->lock);
			continue;
		}
		pthread_mutex_unlock(&j->lock);
		r = journal_checkpoint(j);
		pthread_mutex_lock(&j->lock);
		if (!r) {
			retry = RETRY_MIN_S;
		} else if (!j->stop) {
			log_warn("%s: no checkpoint, the next try in %u s: %s", j->dir->path, retry, err_text(r));
			sleep_for(j, retry);
			retry = retry * 2 < RETRY_MAX_S ? retry * 2 : RETRY_MAX_S;
		}
	}
	return NULL;
}

int journal_checkpoint_start(struct journal *j)
{
	int r = pthread_create(&j->thread, NULL, background, j);

	if (r)
		return err_explain(-r, "%s: cannot start a thread: %s", j->dir->path, strerror(r));
	j->has_thread = true;
	return 0;
}

void journal_checkpoint_stop(struct journal *j)
{
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
	if (j->has_thread)
		pthread_join(j->thread, NULL);
}
