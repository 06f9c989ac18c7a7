/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_store: opening and closing, packs that are written, their numbers, space and totals.
 *
 * The life of a pack, and what a cut between two steps leaves:
 *  1. Its number is one of 64 that a synced row 'N' has reserved.  Nothing is left.
 *  2. It is made and appended to.  Left is an unsealed pack with a number that is probed: chunk_recover.c finishes it.
 *  3. When it is full the sealer seals it.  Left is a sealed pack without rows: recovery writes them.
 *  4. The sealer writes its index rows and row 'P', not synced: the next synced batch of anybody makes them last, and a
 *     number leaves the probed range only by such a batch.
 * A pack that is not full when its writer goes waits for the next one, so that short sessions do not make small packs.
 */
#include <assert.h>
#include <errno.h>

#include "chunk/store.h"

#define SEALING_MAX 4u				/* packs that wait for the sealer; then writers wait */
#define SPACE_LOOK_NS (200ull * 1000000)
#define SPACE_LOOK_BYTES (16ull << 20)

/* ---- rows -------------------------------------------------------------------------------------------------------- */

int store_index_rows(const struct table *t, uint32_t upto, struct kv_batch *b)
{
	const struct segment *s = t->first;
	uint8_t value[INDEX_VALUE_LEN];
	int r = 0;

	for (uint32_t i = 0; i < upto && !r; i++) {
		const struct slot *slot = &s->slots[i % SEGMENT_SLOTS];

		if (i % SEGMENT_SLOTS == SEGMENT_SLOTS - 1)
			s = s->next;
		if (i < t->indexed || slot->alone || slot->bad)
			continue;
		index_value_pack(value, (struct pack_ref){ t->number, i }, slot->raw_len, &slot->digest);
		r = kv_batch_put(b, KV_INDEX, slot->digest.b, INDEX_KEY_LEN, value, sizeof(value));
	}
	return r;
}

int store_sealed_rows(uint64_t number, const struct pack_tally *tally, struct kv_batch *b)
{
	CLEANUP(buf_fini) struct buf value = BUF_INIT;
	uint8_t key[PACK_KEY_LEN], sums[PACK_TALLY_LEN];
	int r;

	pack_tally_pack(sums, tally);
	r = buf_append(&value, sums, sizeof(sums));
	if (!r && tally->lens)
		r = buf_append(&value, tally->lens, (size_t)tally->chunks * LEN_BYTES);
	pack_key_pack(key, PACK_KEY_SEALED, number);
	r = r ? r : kv_batch_put(b, KV_PACK, key, sizeof(key), value.data, value.len);
	pack_key_pack(key, PACK_KEY_OPEN, number);
	return r ? r : kv_batch_delete(b, KV_PACK, key, sizeof(key));
}

int store_lens(const struct table *t, struct buf *out)
{
	const struct segment *s = t->first;
	int r = 0;

	for (uint32_t i = 0; i < t->count && !r; i++) {
		uint32_t n = s->slots[i % SEGMENT_SLOTS].raw_len;

		uint8_t len[LEN_BYTES] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16) };

		r = buf_append(out, len, sizeof(len));
		if (i % SEGMENT_SLOTS == SEGMENT_SLOTS - 1)
			s = s->next;
	}
	return r;
}

/* ---- sealing ----------------------------------------------------------------------------------------------------- */

void totals_change(struct chunk_totals *sums, enum sums_change change, const struct pack_tally *t)
{
	bool more = change == SUMS_MORE;

	sums->packs += more ? 1 : -1ull;
	sums->chunks += more ? t->chunks : 0ull - t->chunks;
	sums->unique_bytes += more ? t->raw_bytes : 0 - t->raw_bytes;
	sums->stored_bytes += more ? t->file_bytes : 0 - t->file_bytes;
}

int totals_put(const struct chunk_totals *sums, struct kv_batch *b)
{
	static const uint8_t key = PACK_KEY_TOTALS;
	uint8_t value[TOTALS_LEN];

	totals_pack(value, sums);
	return kv_batch_put(b, KV_PACK, &key, 1, value, sizeof(value));
}

int store_write_sums(struct chunk_store *cs, struct kv_batch *b, enum sums_change change, const struct pack_tally *t,
		     bool sync)
{
	LOCK_SCOPE(&cs->sums_lock);
	struct chunk_totals sums = cs->sums;
	int r;

	totals_change(&sums, change, t);
	r = totals_put(&sums, b);
	if (!r)
		r = kv_write(cs->kv, b, sync);
	if (!r)
		cs->sums = sums;
	return r;
}

struct seal_job {
	struct job job;
	struct chunk_store *cs;
	struct table *t;
	struct pack_tally tally;
	int result;
	bool lost;		/* what was appended last never came to the disk */
};

static int seal_and_index(struct chunk_store *cs, struct table *t, struct pack_tally *tally)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	CLEANUP(buf_fini) struct buf lens = BUF_INIT;
	uint8_t key[BAD_KEY_LEN];
	uint32_t promised;
	int r = pack_seal(t->pack);

	if (!r)
		r = kv_batch_new(&b);
	if (r)
		return r;
	pthread_mutex_lock(&cs->lock);
	t->synced = t->count;
	promised = t->indexed;
	r = store_index_rows(t, t->count, b);
	r = r ? r : store_lens(t, &lens);
	*tally = (struct pack_tally){ t->count, t->raw_bytes, pack_bytes(t->pack), lens.data };
	pthread_mutex_unlock(&cs->lock);
	if (!r)
		r = store_sealed_rows(t->number, tally, b);
	if (!r && promised) {
		open_key_pack(key, t->number, promised);
		r = kv_batch_delete(b, KV_PACK, key, sizeof(key));
	}
	tally->lens = NULL;
	return r ? r : store_write_sums(cs, b, SUMS_MORE, tally, false);
}

static void seal_run(struct job *j)
{
	struct seal_job *s = (struct seal_job *)j;

	s->result = seal_and_index(s->cs, s->t, &s->tally);
	s->lost = s->result && pack_sync(s->t->pack);
}

static void seal_done(struct job *j)
{
	struct seal_job *s = (struct seal_job *)j;
	struct chunk_store *cs = s->cs;
	struct table *t = s->t;

	pthread_mutex_lock(&cs->lock);
	if (s->result) {
		log_warn("pack %012llx cannot be closed yet: %s", (unsigned long long)t->number, strerror(-s->result));
		t->state = TABLE_FULL;
		t->shunned |= s->lost;
	} else {
		t->indexed = t->count;
		totals_change(&cs->sealed, SUMS_MORE, &s->tally);
		index_sealed(&cs->index, t);
	}
	pthread_cond_broadcast(&cs->settled);
	pthread_mutex_unlock(&cs->lock);
	free(s);
}

static void remove_empty(struct chunk_store *cs, struct table *t)
{
	pthread_mutex_lock(&cs->lock);
	index_remove_table(&cs->index, t);
	pthread_mutex_unlock(&cs->lock);
	pack_unlink(cs->packs, t->number);
	table_free(t);
}

void store_seal_table(struct chunk_store *cs, struct table *t)
{
	struct seal_job *s;

	if (!t->count) {
		remove_empty(cs, t);
		return;
	}
	s = calloc(1, sizeof(*s));
	pthread_mutex_lock(&cs->lock);
	t->owned = false;
	t->state = s ? TABLE_SEALING : TABLE_FULL;
	pthread_mutex_unlock(&cs->lock);
	if (!s)
		return;
	*s = (struct seal_job){ .job = { seal_run, seal_done }, .cs = cs, .t = t };
	lane_submit(cs->seal_lane, &s->job);
}

/* One of those whose sealing failed: the disk may have room again. */
static void seal_again(struct chunk_store *cs)
{
	struct table *t;

	pthread_mutex_lock(&cs->lock);
	for (t = cs->index.newest; t && (t->state != TABLE_FULL || t->shunned); t = t->older)
		;
	if (t)
		t->state = TABLE_SEALING;
	pthread_mutex_unlock(&cs->lock);
	if (t)
		store_seal_table(cs, t);
}

/* ---- numbers and open packs -------------------------------------------------------------------------------------- */

/* Numbers lock held.  Packs that are open now leave the range that is probed, so they get rows. */
static int reserve_numbers(struct chunk_store *cs)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	uint8_t key[PACK_KEY_LEN], value[8];
	int r = kv_batch_new(&b);

	if (r)
		return r;
	put_le64(value, cs->reserved + NUMBER_STEP);
	key[0] = PACK_KEY_NEXT;
	r = kv_batch_put(b, KV_PACK, key, 1, value, sizeof(value));
	pthread_mutex_lock(&cs->lock);
	for (struct table *t = cs->index.newest; t && !r; t = t->older)
		if (t->state != TABLE_SEALED) {
			pack_key_pack(key, PACK_KEY_OPEN, t->number);
			r = kv_batch_put(b, KV_PACK, key, sizeof(key), NULL, 0);
		}
	pthread_mutex_unlock(&cs->lock);
	if (!r)
		r = kv_write(cs->kv, b, true);
	if (!r)
		cs->reserved += NUMBER_STEP;
	return r;
}

static struct table *take_waiting(struct chunk_store *cs)
{
	LOCK_SCOPE(&cs->lock);
	struct table *t = cs->index.newest;

	while (t && (t->state != TABLE_OPEN || t->owned || t->shunned))
		t = t->older;
	if (t)
		t->owned = true;
	return t;
}

static int make_pack(struct chunk_store *cs, struct pack **out)
{
	int r;

	do {
		if (cs->next_number == cs->reserved) {
			r = reserve_numbers(cs);
			if (r)
				return r;
		}
		/* A file that recovery could not make sense of keeps its number. */
		r = pack_create(cs->packs, cs->next_number++, out);
	} while (r == -EEXIST);
	return r;
}

int store_take_table(struct chunk_store *cs, struct table **out)
{
	struct table *t = take_waiting(cs);
	struct pack *p;
	int r;

	if (t) {
		*out = t;
		return 0;
	}
	seal_again(cs);
	LOCK_SCOPE(&cs->numbers_lock);
	r = make_pack(cs, &p);
	if (r)
		return r;
	t = table_new(pack_number(p), TABLE_OPEN);
	if (!t) {
		pack_release(p);
		return err_origin(-ENOMEM);
	}
	t->pack = p;
	t->owned = true;
	pthread_mutex_lock(&cs->lock);
	index_add_table(&cs->index, t);
	pthread_mutex_unlock(&cs->lock);
	*out = t;
	return 0;
}

void store_give_table(struct chunk_store *cs, struct table *t)
{
	LOCK_SCOPE(&cs->lock);
	t->owned = false;
}

int chunk_store_seal_idle(struct chunk_store *cs)
{
	struct table *t;

	seal_again(cs);
	while ((t = take_waiting(cs)))
		store_seal_table(cs, t);
	lane_wait_empty(cs->seal_lane);
	return 0;
}

/* ---- space and totals -------------------------------------------------------------------------------------------- */

/* Who may use the reserve leaves a quarter of it: what is copied needs rows. */
static bool space_fits(const struct chunk_store *cs, uint64_t n, bool reserve)
{
	uint64_t kept = reserve ? cs->cfg.reserve_bytes / 4 : cs->cfg.reserve_bytes;

	return cs->space_avail >= kept + cs->space_taken + n;
}

/* The file system is asked now and then, and always before the answer is no. */
int store_has_room(struct chunk_store *cs, uint64_t n, bool reserve)
{
	uint64_t now = clock_mono_ns(), avail, total;
	int r;

	LOCK_SCOPE(&cs->lock);
	if (now - cs->space_checked_ns > SPACE_LOOK_NS || cs->space_taken > SPACE_LOOK_BYTES ||
	    !space_fits(cs, n, reserve)) {
		r = packs_space(cs->packs, &avail, &total);
		if (r)
			return r;
		cs->space_avail = avail;
		cs->space_checked_ns = now;
		cs->space_taken = 0;
	}
	if (!space_fits(cs, n, reserve))
		return err_explain(-ENOSPC, reserve ? "the store's disk is full, and so is the reserve" :
						      "the store's disk is full but for the reserve");
	cs->space_taken += n;
	return 0;
}

int chunk_store_space(struct chunk_store *cs, uint64_t *avail, uint64_t *total)
{
	uint64_t a, t;
	int r = packs_space(cs->packs, &a, &t);

	if (r)
		return r;
	*avail = a > cs->cfg.reserve_bytes ? a - cs->cfg.reserve_bytes : 0;
	*total = t;
	return 0;
}

void chunk_store_totals(struct chunk_store *cs, struct chunk_totals *out)
{
	LOCK_SCOPE(&cs->lock);
	*out = cs->sealed;
	for (struct table *t = cs->index.newest; t; t = t->older)
		if (t->state != TABLE_SEALED) {
			out->packs++;
			out->chunks += t->count;
			out->unique_bytes += t->raw_bytes;
			out->stored_bytes += pack_bytes(t->pack);
		}
}

int chunk_packs_iter(struct chunk_store *cs, struct kv_iter **out)
{
	return kv_iter_new(cs->kv, KV_PACK, out);
}

int chunk_packs_at(struct kv_iter *it, uint64_t from, uint64_t *number, uint64_t *bytes)
{
	static const uint8_t prefix = PACK_KEY_SEALED;
	uint8_t key[PACK_KEY_LEN];
	struct pack_tally tally;
	const uint8_t *p;
	size_t n;
	int r;

	pack_key_pack(key, PACK_KEY_SEALED, from);
	kv_iter_seek_on(it, key, sizeof(key));
	if (!kv_iter_in(it, &prefix, 1))
		return kv_iter_error(it) ? kv_iter_error(it) : CHUNK_E_END;
	p = kv_iter_value(it, &n);
	r = pack_tally_unpack(p, n, &tally);
	if (r)
		return r;
	p = kv_iter_key(it, &n);
	r = pack_key_unpack(p, n, PACK_KEY_SEALED, number);
	if (!r)
		*bytes = tally.file_bytes;
	return r;
}

int chunk_store_next_pack(struct chunk_store *cs, uint64_t from, uint64_t *number, uint64_t *bytes)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	int r = chunk_packs_iter(cs, &it);

	return r ? r : chunk_packs_at(it, from, number, bytes);
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

static int store_wire(struct chunk_store *cs)
{
	int r = digester_new(cs->cfg.key, &cs->digester);

	if (!r)
		r = chunker_new(&cs->cfg.params, cs->cfg.key, &cs->chunker);
	if (!r)
		r = codecs_new(&cs->codecs);
	if (!r)
		r = index_init(&cs->index);
	if (!r)
		r = workers_threads(cs->workers) ? workers_new(1, &cs->sealer) : workers_serial_new(&cs->sealer);
	if (!r)
		r = lane_new(cs->sealer, SEALING_MAX, &cs->seal_lane);
	return r;
}

static void store_unwire(struct chunk_store *cs)
{
	lane_free(cs->seal_lane);
	workers_free(cs->sealer);
	for (size_t i = 0; i < HELD_PACKS; i++)
		pack_release(cs->held[i].pack);
	index_fini(&cs->index);
	codecs_free(cs->codecs);
	chunker_free(cs->chunker);
	digester_free(cs->digester);
	pthread_cond_destroy(&cs->settled);
	pthread_mutex_destroy(&cs->lock);
	pthread_mutex_destroy(&cs->losing);
	pthread_mutex_destroy(&cs->numbers_lock);
	pthread_mutex_destroy(&cs->sums_lock);
	free(cs->condemned);
	explicit_bzero(cs->cfg.key, sizeof(cs->cfg.key));
	free(cs);
}

int chunk_store_open(struct kv *kv, struct packs *packs, struct workers *workers,
		     const struct chunk_store_config *cfg, struct chunk_store **out)
{
	struct chunk_store *cs = calloc(1, sizeof(*cs));
	int r;

	if (!cs)
		return err_origin(-ENOMEM);
	cs->kv = kv;
	cs->packs = packs;
	cs->workers = workers;
	cs->cfg = *cfg;
	pthread_mutex_init(&cs->losing, NULL);
	pthread_mutex_init(&cs->numbers_lock, NULL);
	pthread_mutex_init(&cs->sums_lock, NULL);
	pthread_mutex_init(&cs->lock, NULL);
	pthread_cond_init(&cs->settled, NULL);
	r = store_wire(cs);
	if (!r)
		r = store_recover(cs);
	if (r) {
		store_unwire(cs);
		return r;
	}
	*out = cs;
	return 0;
}

static struct table *waiting_or_full(struct chunk_store *cs, struct table *after)
{
	struct table *t;

	LOCK_SCOPE(&cs->lock);
	for (t = after ? after->older : cs->index.newest; t; t = t->older)
		if (t->state == TABLE_OPEN || t->state == TABLE_FULL)
			break;
	return t;
}

struct chunk_store *chunk_store_close(struct chunk_store *cs)
{
	struct table *t, *next;

	if (!cs)
		return NULL;
	assert(!cs->pins);
	lane_wait_empty(cs->seal_lane);
	for (t = waiting_or_full(cs, NULL); t; t = next) {
		next = waiting_or_full(cs, t);
		store_seal_table(cs, t);
	}
	lane_wait_empty(cs->seal_lane);
	if (waiting_or_full(cs, NULL))
		log_warn("a pack could not be closed; the next start finishes it");
	store_unwire(cs);
	return NULL;
}
