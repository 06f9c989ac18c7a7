/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_put: the writer.  The thread that appends copies bytes into jobs of about a mebibyte and does no more, since it
 * has a front end to serve.  A job goes through two lanes.  Cutting: in stream order, what is behind the last cut goes
 * over to the next job.  Putting: run() takes digests, looks them up and compresses what is new, beside other jobs;
 * done(), in stream order, shares or stores each chunk and tells the sink.  Jobs are few and each lane has room for all
 * of them, so the one lane never waits for the other.
 *
 * Between run() and done() a chunk may appear (stored by a job before) or vanish (its pack condemned), so done() looks
 * again, and in one critical section with that puts the pack among those that the collector must leave alone.
 * Two writers may both store a chunk that they meet at the same moment; that costs space and nothing else.
 */
#include <assert.h>
#include <errno.h>

#include "chunk/store.h"

#define JOB_BYTES (1u << 20)
#define JOBS_SPARE 4u		/* jobs beyond one a worker: filled, cut, being finished, and one between */
#define JOBS_MAX 16u
#define ROOM_STEP (1u << 20)

static int writer_error(struct chunk_writer *w)
{
	return __atomic_load_n(&w->error, __ATOMIC_RELAXED);
}

static void writer_fail(struct chunk_writer *w, int r)
{
	int none = 0;

	__atomic_compare_exchange_n(&w->error, &none, r, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* ---- look up ----------------------------------------------------------------------------------------------------- */

static int look(struct chunk_writer *w, const struct put_job *j, struct piece *p)
{
	struct pack_ref ref;
	int r = store_lookup(w->cs, &p->digest, &ref, &p->alone);

	if (!r && w->cfg.verify)
		r = store_compare(w->cs, ref, j->raw + p->offset, p->len);
	p->seen = !r;
	if (!r)
		p->ref = ref;
	return r;
}

/* What memory knows, for all pieces under one lock. */
static void look_in_memory(struct chunk_writer *w, struct put_job *j)
{
	LOCK_SCOPE(&w->cs->lock);

	for (size_t i = 0; i < j->count; i++) {
		struct slot *s = index_find(&w->cs->index, &j->pieces[i].digest);

		j->pieces[i].seen = s != NULL;
		if (s)
			j->pieces[i].ref = (struct pack_ref){ s->table->number, s->number };
	}
}

static int pack_piece(struct chunk_writer *w, struct put_job *j, struct piece *p)
{
	size_t len;
	int r;

	r = codec_compress(w->cs->codecs, w->cfg.codec, w->cfg.level, j->raw + p->offset, p->len,
			   j->packed + j->packed_fill, &p->codec, &len);
	if (r)
		return r;
	p->packed = true;
	p->packed_at = (uint32_t)j->packed_fill;
	p->packed_len = (uint32_t)len;
	if (p->codec != CHUNK_PLAIN)
		j->packed_fill += len;
	return 0;
}

static int put_pieces(struct chunk_writer *w, struct put_job *j)
{
	int r = 0;

	for (size_t i = 0; i < j->count && !r; i++)
		r = digest_of(w->cs->digester, j->raw + j->pieces[i].offset, j->pieces[i].len, &j->pieces[i].digest);
	if (!r && !w->cfg.verify)
		look_in_memory(w, j);
	for (size_t i = 0; i < j->count && !r; i++) {
		struct piece *p = &j->pieces[i];

		/* A row of equal chunks is stored once: done() finds the first when it comes to the others. */
		if (p->seen || (i > 0 && digest_equal(&p->digest, &p[-1].digest)))
			continue;
		r = look(w, j, p);
		if (r == LOOKUP_NONE)
			r = pack_piece(w, j, p);
	}
	return r;
}

static void put_run(struct job *job)
{
	struct put_job *j = (struct put_job *)job;
	int r;

	if (writer_error(j->w))
		return;
	r = put_pieces(j->w, j);
	if (r)
		writer_fail(j->w, err_fold(r));
}

/* ---- share or store ---------------------------------------------------------------------------------------------- */

static int share(struct chunk_writer *w, struct put_job *j, struct piece *p, struct chunk_place *out)
{
	for (;;) {
		struct slot *s;
		int r;

		pthread_mutex_lock(&w->cs->lock);
		s = index_find(&w->cs->index, &p->digest);
		if (s && (!w->cfg.verify ||
			  (p->seen && s->table->number == p->ref.pack && s->number == p->ref.slot))) {
			r = pins_add(&w->pins, s->table->number);
			*out = (struct chunk_place){ { s->table->number, s->number }, p->len, 0 };
			pthread_mutex_unlock(&w->cs->lock);
			return r;
		}
		pthread_mutex_unlock(&w->cs->lock);
		/* Not there, or dropped from memory since run(), or there since then and not compared yet. */
		if (!s && !p->seen)
			return LOOKUP_NONE;
		r = look(w, j, p);
		if (r)
			return r;
	}
}

static int append_to_pack(struct chunk_store *cs, struct table **table, struct pins *pins, const struct pack_entry *e,
			  const void *stored, uint32_t *slot)
{
	int r;

	for (;;) {
		r = *table ? 0 : store_take_table(cs, table);
		if (r)
			return r;
		pthread_mutex_lock(&cs->lock);
		r = table_reserve(*table);
		if (!r)
			r = pins_add(pins, (*table)->number);
		pthread_mutex_unlock(&cs->lock);
		if (r)
			return r;
		r = pack_append((*table)->pack, e, stored, slot);
		if (!r)
			return 0;
		/* Full, or not to be written any more: the sealer makes what can be made of it. */
		store_seal_table(cs, STEAL(*table));
		if (r < 0)
			return r;
	}
}

int store_append(struct chunk_store *cs, struct table **table, struct pins *pins, const struct pack_entry *e,
		 const void *stored, bool alone, struct pack_ref *out)
{
	uint32_t slot;
	int r = append_to_pack(cs, table, pins, e, stored, &slot);

	if (r)
		return r;
	LOCK_SCOPE(&cs->lock);
	assert(slot == (*table)->count);
	index_append(&cs->index, *table, e, alone);
	*out = (struct pack_ref){ (*table)->number, slot };
	return 0;
}

static int store(struct chunk_writer *w, struct put_job *j, struct piece *p, struct chunk_place *out)
{
	struct pack_entry e = { .digest = p->digest, .raw_len = p->len };
	struct pack_ref ref;
	int r = p->packed ? 0 : pack_piece(w, j, p);

	if (r)
		return r;
	e.codec = (uint8_t)p->codec;
	e.stored_len = p->packed_len;
	r = store_append(w->cs, &w->table, &w->pins, &e,
			 p->codec == CHUNK_PLAIN ? j->raw + p->offset : j->packed + p->packed_at, p->alone, &ref);
	if (!r)
		*out = (struct chunk_place){ ref, p->len, p->packed_len + PACK_ENTRY_GAP };
	return r;
}

static int finish_piece(struct chunk_writer *w, struct put_job *j, struct piece *p)
{
	struct chunk_place place;
	int r = share(w, j, p, &place);

	if (r == LOOKUP_NONE)
		r = store(w, j, p, &place);
	if (!r)
		r = w->sink(w->ctx, &place);
	return err_fold(r);
}

static void put_done(struct job *job)
{
	struct put_job *j = (struct put_job *)job;
	struct chunk_writer *w = j->w;
	int r = writer_error(w);

	for (size_t i = 0; i < j->count && !r; i++)
		r = finish_piece(w, j, &j->pieces[i]);
	if (r)
		writer_fail(w, r);
	LOCK_SCOPE(&w->lock);
	j->next_idle = w->idle;
	w->idle = j;
	pthread_cond_signal(&w->idle_came);
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

static struct put_job *job_free(struct put_job *j)
{
	if (j) {
		free(j->raw);
		free(j->packed);
		free(j->pieces);
		free(j);
	}
	return NULL;
}

static struct put_job *job_new(struct chunk_writer *w)
{
	struct put_job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->w = w;
	j->raw = malloc(w->raw_bytes);
	j->packed = malloc(w->raw_bytes);
	j->pieces = malloc(w->pieces_cap * sizeof(*j->pieces));
	return j->raw && j->packed && j->pieces ? j : job_free(j);
}

/* An idle job, a new one while there are few, or the next that becomes idle. */
static int job_take(struct chunk_writer *w, struct put_job **out)
{
	struct put_job *j = NULL;

	LOCK_SCOPE(&w->lock);
	if (!w->idle && w->jobs < w->jobs_max) {
		j = job_new(w);
		w->jobs += j != NULL;
	}
	if (!j && !w->jobs)
		return err_origin(-ENOMEM);
	while (!j && !w->idle)
		pthread_cond_wait(&w->idle_came, &w->lock);
	if (!j) {
		j = w->idle;
		w->idle = j->next_idle;
	}
	j->begin = j->fill = w->ahead;
	j->packed_fill = j->count = 0;
	j->last = false;
	*out = j;
	return 0;
}

static void cut_run(struct job *job)
{
	(void)job;
}

/* Puts the tail of the job before in front, cuts, and keeps what is behind the last cut for the next. */
static void cut_done(struct job *job)
{
	struct put_job *j = (struct put_job *)job;
	struct chunk_writer *w = j->w;
	size_t pos = j->begin - w->tail_len, len;

	memcpy(j->raw + pos, w->tail, w->tail_len);
	while (pos < j->fill) {
		len = chunker_next(w->cs->chunker, j->raw + pos, j->fill - pos, j->last);
		if (!len)
			break;
		assert(j->count < w->pieces_cap);
		j->pieces[j->count++] = (struct piece){ .offset = (uint32_t)pos, .len = (uint32_t)len };
		pos += len;
	}
	w->tail_len = j->fill - pos;
	memcpy(w->tail, j->raw + pos, w->tail_len);
	j->job.run = put_run;
	j->job.done = put_done;
	lane_submit(w->putting, &j->job);
}

static void submit(struct chunk_writer *w, bool last)
{
	struct put_job *j = STEAL(w->filling);

	j->last = last;
	j->job.run = cut_run;
	j->job.done = cut_done;
	lane_submit(w->cutting, &j->job);
}

/* ---- the writer -------------------------------------------------------------------------------------------------- */

int chunk_writer_append(struct chunk_writer *w, const void *p, size_t n)
{
	const uint8_t *from = p;
	int r = writer_error(w);

	if (!r && n > w->room) {
		r = store_has_room(w->cs, n + ROOM_STEP, w->cfg.use_reserve);
		if (!r)
			w->room = n + ROOM_STEP;
	}
	if (r)
		return r;
	w->room -= n;
	while (n > 0) {
		struct put_job *j;
		size_t part;

		r = w->filling ? 0 : job_take(w, &w->filling);
		if (r) {
			writer_fail(w, r);
			return r;
		}
		j = w->filling;
		part = w->raw_bytes - j->fill < n ? w->raw_bytes - j->fill : n;
		memcpy(j->raw + j->fill, from, part);
		j->fill += part;
		from += part;
		n -= part;
		if (j->fill == w->raw_bytes)
			submit(w, false);
	}
	return 0;
}

int chunk_writer_flush(struct chunk_writer *w)
{
	int r = writer_error(w);

	/* The last cut may be owed for bytes that went before: an empty job brings it. */
	if (!r && !w->filling)
		r = job_take(w, &w->filling);
	if (!r)
		submit(w, true);
	lane_wait_empty(w->cutting);
	lane_wait_empty(w->putting);
	return r ? r : writer_error(w);
}

int chunk_writer_new(struct chunk_store *cs, const struct chunk_writer_config *cfg, chunk_sink sink, void *ctx,
		     struct chunk_writer **out)
{
	unsigned threads = workers_threads(cs->workers);
	struct chunk_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_origin(-ENOMEM);
	w->cs = cs;
	w->cfg = *cfg;
	w->sink = sink;
	w->ctx = ctx;
	w->ahead = cs->cfg.params.max;
	w->raw_bytes = w->ahead + JOB_BYTES;
	w->pieces_cap = w->raw_bytes / cs->cfg.params.min + 1;
	w->jobs_max = !threads ? 1 : threads + JOBS_SPARE < JOBS_MAX ? threads + JOBS_SPARE : JOBS_MAX;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->idle_came, NULL);
	w->tail = malloc(w->ahead);
	r = w->tail ? lane_new(cs->workers, w->jobs_max, &w->cutting) : err_origin(-ENOMEM);
	if (!r)
		r = lane_new(cs->workers, w->jobs_max, &w->putting);
	if (r) {
		chunk_writer_free(w);
		return r;
	}
	pins_enlist(cs, &w->pins);
	*out = w;
	return 0;
}

struct chunk_writer *chunk_writer_free(struct chunk_writer *w)
{
	if (!w)
		return NULL;
	lane_free(w->cutting);
	lane_free(w->putting);
	pins_fini(w->cs, &w->pins);
	if (w->table)
		store_give_table(w->cs, w->table);
	job_free(w->filling);
	while (w->idle) {
		struct put_job *j = w->idle;

		w->idle = j->next_idle;
		job_free(j);
	}
	free(w->tail);
	pthread_cond_destroy(&w->idle_came);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return NULL;
}
