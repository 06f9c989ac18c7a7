/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening a journal beside its database, and making the two one again.
 *
 * The database's row says which batch is its last and where that ends in the journal.  What the journal has behind that
 * place is written to the database: what the last crash left undone, however long the journal is.
 * If the database is ahead, it is right: a power cut kept what it had not been asked to keep.  The journal then lacks
 * something, so a checkpoint is wished for, and so it is when files are missing and when there was no journal at all.
 * If the journal is ahead but cannot be read, or does not begin where the database ends, nothing is opened: what was
 * acknowledged would be lost without a word.  kv_journal_replay() takes what there is.
 */
#include "kv/kv_journal.h"

#include <errno.h>

struct opening {
	struct journal *j;
	struct journal_list list;
	struct kv_batch *batch;
	struct journal_row row;		/* as the database had it */
	struct journal_header last;	/* of the newest log */
	bool last_good, last_whole;	/* has a header; ends with what counts */
	uint64_t last_end;
	uint64_t from;			/* of the log that is read: before, it is on disk */
	uint64_t have;
	uint64_t checkpoint;		/* the newest with a header; 0: none */
};

/* ---- how far is the database? ---- */

/* A database that never had a journal: what is in it counts as batch 1. */
static int number_of_old(struct kv *base, uint64_t *out)
{
	int r = KV_E_NONE;

	for (int s = 0; r == KV_E_NONE && s < KV_SPACES; s++)
		if (s != KV_CONTENTS)
			r = kv_any(base, s, NULL, 0);
	*out = r == 0;
	return r < 0 ? r : 0;
}

static int read_row(struct opening *o)
{
	int r = journal_row_read(o->j->base, &o->row);

	if (r == KV_E_NONE) {
		o->row = (struct journal_row){ 0 };
		r = number_of_old(o->j->base, &o->row.number);
	}
	o->have = o->row.number;
	return r;
}

/* ---- what the journal has behind that ---- */

/* What the process before has written may be in the system's cache only: it is synced, for what is read counts as
 * synced from now on.  And what could not be synced then is in the cache as if it was: what is read is what the disk
 * has. */
static int settle_newest(struct opening *o)
{
	const struct journal_numbers *logs = &o->list.logs;
	struct journal *j = o->j;
	char name[JOURNAL_NAME_MAX];
	int r;

	if (!logs->count)
		return 0;
	journal_name(JOURNAL_LOG, logs->of[logs->count - 1], name);
	r = j->dir->ops->open(j->dir, name, &j->log);
	r = r ? r : j->log->ops->sync(j->log);
	if (!r)
		j->log->ops->forget(j->log);
	return r;
}

static int write_batch(void *ctx, const struct journal_frame *f, const uint8_t *p, uint64_t log, uint64_t end)
{
	struct opening *o = ctx;
	struct kv *base = o->j->base;
	uint8_t bytes[JOURNAL_ROW_BYTES];
	struct kv_op row;
	int r;

	kv_batch_clear(o->batch);
	r = journal_payload_unpack(p, f->len, true, o->batch);
	if (r)
		return r;
	journal_row_pack(&(struct journal_row){ f->number, log, end, o->from }, bytes);
	row = journal_row_op(bytes);
	return base->ops->write(base, o->batch, &row, false);
}

static int refuse(void *ctx, uint64_t parts, const char *what)
{
	return err_explain(-EBADMSG, "%s, and the database does not have it", what);
}

/* A newest log whose making was cut off: no batch was ever in it, and its name is free again. */
static int drop_unmade(struct opening *o)
{
	struct journal_numbers *logs = &o->list.logs;
	char name[JOURNAL_NAME_MAX];
	struct journal_header h;
	uint64_t size;
	int r;

	while (logs->count) {
		r = journal_read_header(o->j->dir, JOURNAL_LOG, logs->of[logs->count - 1], &h, &size);
		if (r != KV_E_NONE || size > JOURNAL_HEADER_BYTES)
			return r < 0 ? r : 0;
		journal_name(JOURNAL_LOG, logs->of[--logs->count], name);
		r = o->j->dir->ops->remove(o->j->dir, name);
		if (r)
			return r;
	}
	return 0;
}

/* A log without a header: was anything in it that the database lacks? */
static int headless(struct opening *o, uint64_t log, uint64_t size)
{
	char name[JOURNAL_NAME_MAX];

	if (size <= JOURNAL_HEADER_BYTES)
		return 0;
	journal_name(JOURNAL_LOG, log, name);
	if (o->row.log == log && o->row.end >= size) {
		log_warn("%s/%s: its header is damaged; the database has what is in it", o->j->dir->path, name);
		return 0;
	}
	return err_explain(-EBADMSG, "%s/%s: its header is damaged, and the database may lack what is in it",
			   o->j->dir->path, name);
}

/* Neither what the database needs next nor what it ends with is there: @from is the first batch that is. */
static int not_the_same(const struct opening *o, uint64_t from)
{
	return err_explain(-EUCLEAN, "%s: the database ends with batch %llu, but what the journal still has begins "
			   "with batch %llu: an older copy of one of them, or a file is missing", o->j->dir->path,
			   (unsigned long long)o->have, (unsigned long long)from);
}

static int catch_up_log(struct opening *o, size_t i)
{
	const struct journal_numbers *logs = &o->list.logs;
	struct journal_reading reading = { o->j->dir, write_batch, refuse, o };
	struct journal_log_part part = { .log = logs->of[i], .bytes = UINT64_MAX, .until = UINT64_MAX };
	struct journal_header next;
	uint64_t size;
	int r;

	o->from = JOURNAL_HEADER_BYTES;
	part.last = i + 1 == logs->count;
	r = journal_read_header(o->j->dir, JOURNAL_LOG, part.log, &o->last, &size);
	o->last_good = r == 0;
	if (r)
		return r < 0 ? r : headless(o, part.log, size);
	if (o->last.follows > o->have)
		return not_the_same(o, o->last.follows + 1);
	if (!part.last) {
		r = journal_read_header(o->j->dir, JOURNAL_LOG, logs->of[i + 1], &next, &size);
		if (!r)
			part.until = next.follows;
		else if (r < 0)
			return r;
	}
	if (o->row.log == part.log)
		o->from = o->row.synced;
	part.from = o->from;
	return journal_read_log(&reading, &part, &o->have, &o->last_end, &o->last_whole);
}

static int catch_up(struct opening *o)
{
	const struct journal_numbers *logs = &o->list.logs;
	int r = 0;

	for (size_t i = 0; !r && i < logs->count; i++)
		if (i + 1 == logs->count || logs->of[i + 1] > o->row.number + 1)
			r = catch_up_log(o, i);
	return r;
}

/* ---- does the journal have all that the database has? ---- */

static int newest_checkpoint(struct opening *o)
{
	const struct journal_numbers *n = &o->list.checkpoints;
	struct journal_header h;
	uint64_t size;
	int r;

	for (size_t i = n->count; i-- > 0;) {
		r = journal_read_header(o->j->dir, JOURNAL_CHECKPOINT, n->of[i], &h, &size);
		if (r < 0)
			return r;
		if (r == 0) {
			o->checkpoint = h.number;
			o->j->checkpoint_bytes = size;
			break;
		}
		o->j->wished = true;
	}
	if (o->checkpoint > o->have)
		return not_the_same(o, o->checkpoint + 1);
	return 0;
}

/* The batches that the database began with are there, up to the one that its row tells of.  Of the newest log all was
 * read that may have been lost by a power cut; the logs before were synced before it was begun. */
static int row_in_journal(struct opening *o, bool *out)
{
	struct journal_header h;
	uint64_t size = 0;
	int r;

	*out = o->row.number <= o->checkpoint;
	if (*out || !o->row.log)
		return 0;
	*out = o->last_whole && o->row.end <= o->last_end;
	if (o->last_good && o->row.log == o->last.number)
		return 0;
	r = journal_read_header(o->j->dir, JOURNAL_LOG, o->row.log, &h, &size);
	*out = r == 0 && o->row.end <= size;
	return r < 0 && r != -ENOENT ? r : 0;
}

/* From the newest log back to the checkpoint each names the one before, and no number is left out between two: the
 * database may have kept a batch that it refused.  Only names and headers: kv_check() reads. */
static int logs_complete(struct opening *o, bool *out)
{
	struct journal_header h = o->last;
	uint64_t size;
	int r = 0;

	*out = o->list.logs.count ? o->last_good : o->have <= o->checkpoint;
	if (!*out || !o->list.logs.count)
		return 0;
	while (!r && h.follows > o->checkpoint) {
		uint64_t previous = h.previous;

		if (h.number > h.follows + 1)
			break;
		r = previous && previous < h.number
			    ? journal_read_header(o->j->dir, JOURNAL_LOG, previous, &h, &size)
			    : KV_E_NONE;
	}
	*out = r == 0 && h.number <= h.follows + 1;
	return r < 0 && r != -ENOENT ? r : 0;
}

static int sync_base(struct opening *o)
{
	kv_batch_clear(o->batch);
	return o->j->base->ops->write(o->j->base, o->batch, NULL, true);
}

/* Until the checkpoint is there only the database has it. */
static int judge(struct opening *o)
{
	bool row_there, complete;
	int r;

	r = newest_checkpoint(o);
	if (!r)
		r = row_in_journal(o, &row_there);
	if (!r)
		r = logs_complete(o, &complete);
	if (r || (row_there && complete))
		return r;
	log_info("%s: lacks what the database has; a checkpoint will be made", o->j->dir->path);
	o->j->wished = true;
	return sync_base(o);
}

/* ---- where the writing goes on ---- */

static uint64_t highest(const struct journal_numbers *n)
{
	return n->count ? n->of[n->count - 1] : 0;
}

/* Is batch @have the one right before @last_end? */
static bool ends_with_have(const struct opening *o)
{
	if (!o->last_whole)
		return false;
	if (o->last_end == JOURNAL_HEADER_BYTES)
		return o->last.follows == o->have;
	return o->have > o->row.number || (o->row.log == o->last.number && o->row.end == o->last_end);
}

/* What is behind the end does not count, and its length must not pass for what the database had there: a next open,
 * too, is to find that the journal lacks it. */
static int cut_newest(struct opening *o)
{
	struct jfile *log = o->j->log;
	int r = o->last_whole ? 0 : log->ops->cut(log, o->last_end);

	return r || o->last_whole ? r : log->ops->sync(log);
}

static int go_on(struct opening *o)
{
	uint64_t logs = highest(&o->list.logs), checkpoints = highest(&o->list.checkpoints);
	struct journal *j = o->j;
	int r;

	j->have = j->synced = o->have;
	j->next = o->have + 1;
	j->rotate = true;
	if (!o->last_good) {
		j->log = jfile_close(j->log);
	} else {
		r = cut_newest(o);
		if (r)
			return r;
		j->log_number = o->last.number;
		j->log_id = o->last.id;
		j->end = j->synced_end = o->last_end;
		j->rotate = !ends_with_have(o);
	}
	/* Number 1 of an empty log is still to be given; names are never given twice. */
	if (j->next < logs + (j->rotate ? 1 : 0))
		j->next = logs + (j->rotate ? 1 : 0);
	if (j->next <= checkpoints)
		j->next = checkpoints + 1;
	if (j->next > JOURNAL_NUMBER_MAX / 2)
		return err_explain(-EUCLEAN, "%s: a number beyond all that were ever given", j->dir->path);
	return 0;
}

static int count_bytes(struct opening *o)
{
	const struct journal_numbers *logs = &o->list.logs;
	struct journal_header h;
	uint64_t size;
	int r;

	for (size_t i = 0; i < logs->count; i++) {
		if (i + 1 < logs->count && logs->of[i + 1] <= o->checkpoint + 1)
			continue;
		r = journal_read_header(o->j->dir, JOURNAL_LOG, logs->of[i], &h, &size);
		if (r < 0 && r != -ENOENT)
			return r;
		o->j->bytes += r < 0 ? 0 : size;
	}
	return 0;
}

static int make_one(struct opening *o)
{
	int r;

	r = o->j->dir->ops->remove(o->j->dir, JOURNAL_TMP_NAME);
	if (!r)
		r = journal_list_read(o->j->dir, &o->list);
	if (!r)
		r = kv_batch_new(&o->batch);
	if (!r)
		r = read_row(o);
	if (!r)
		r = drop_unmade(o);
	if (!r)
		r = settle_newest(o);
	if (!r)
		r = catch_up(o);
	if (!r)
		r = judge(o);
	if (!r)
		r = go_on(o);
	return r ? r : count_bytes(o);
}

int journal_open(struct kv *base, struct jdir *dir, struct kv **out)
{
	struct opening o = { 0 };
	int r;

	r = journal_new(base, dir, &o.j);
	if (r)
		return r;
	r = make_one(&o);
	journal_list_fini(&o.list);
	kv_batch_free(o.batch);
	if (!r && dir->background)
		r = journal_checkpoint_start(o.j);
	if (r) {
		kv_close(&o.j->kv);
		return r;
	}
	*out = &o.j->kv;
	return 0;
}

int kv_journal_open(struct kv *base, const char *dir, struct kv **out)
{
	struct jdir *d;
	int r = jdir_open(dir, true, &d);

	if (r) {
		kv_close(base);
		return r;
	}
	return journal_open(base, d, out);
}

int kv_journal_mem_open(struct kv *base, struct kv **out)
{
	struct jdir *d;
	int r = jdir_mem_new(base, &d);

	if (r) {
		kv_close(base);
		return r;
	}
	return journal_open(base, d, out);
}
