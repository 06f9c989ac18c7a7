/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_check: do packs, their rows, the index and the totals tell the same story?
 *
 *  1. Every pack that is a file or has a row: is it both, is it whole, do the row's sums fit, does every slot have an
 *     index row (chunk_check_index.c)?  With @data also: is every chunk what its digest says, and every entry's header
 *     what the table says?
 *  2. Every index row: does it lead to a slot with that digest?
 *  3. Every row of KV_PACK: of a known kind, of a pack that is there; are the totals those of the packs, the numbers in
 *     use below the one that is next (chunk_check_rows.c)?
 *
 * Writers go on meanwhile, so whatever looks wrong is looked at once more before it is told.  In which order others
 * write is relied on: a pack that is being written has a table in memory, one that was closed gets its rows before it
 * leaves there; the collector takes rows away before the file.
 *
 * Memory: 32 open packs of 45 KiB, and 24 MiB of index rows in step 2, whatever the size of the store.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "chunk/check.h"

#define HEX(n) ((unsigned long long)(n))

void chunk_check_fault(struct check *c, bool repaired, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	c->sums.faults++;
	c->sums.repaired += repaired;
	if (c->cfg->found)
		c->cfg->found(c->cfg->ctx, what, repaired);
}

int chunk_check_write(struct check *c, bool sync)
{
	int r = kv_batch_count(c->b) ? kv_write(c->cs->kv, c->b, sync) : 0;

	kv_batch_clear(c->b);
	return r;
}

int chunk_check_progress(struct check *c)
{
	if (c->all < c->done)
		c->all = c->done;
	return c->cfg->progress ? c->cfg->progress(c->cfg->ctx, c->done, c->all) : 0;
}

bool chunk_check_is_open(struct chunk_store *cs, uint64_t number)
{
	LOCK_SCOPE(&cs->numbers_lock); /* a new file gets its table under it */
	LOCK_SCOPE(&cs->lock);
	const struct table *t = index_table(&cs->index, number);

	return t && t->state != TABLE_SEALED;
}

int chunk_check_has(struct kv *kv, enum pack_key kind, uint64_t number)
{
	uint8_t key[PACK_KEY_LEN];
	int r;

	pack_key_pack(key, kind, number);
	r = kv_any(kv, KV_PACK, key, sizeof(key));
	return r == KV_E_NONE ? LOOKUP_NONE : r;
}

int chunk_check_pack(struct check *c, uint64_t number, bool fresh, struct pack **out)
{
	struct pack **held = &c->open[number % CHECK_PACKS], *p;
	int r;

	if (*held && !fresh && pack_number(*held) == number) {
		*out = *held;
		return 0;
	}
	r = pack_open(c->cs->packs, number, &p);
	if (r)
		return r;
	pack_release(*held);
	*out = *held = p;
	return 0;
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

static void change(struct chunk_totals *sums, const struct pack_tally *old, const struct pack_tally *t)
{
	if (old)
		totals_change(sums, SUMS_LESS, old);
	totals_change(sums, SUMS_MORE, t);
}

/* The row of a pack, and the totals by what they gain; @old: what they had of it, or NULL. */
static int put_tally(struct check *c, uint64_t number, const struct pack_tally *old, const struct pack_tally *t)
{
	struct chunk_store *cs = c->cs;
	struct chunk_totals sums;
	int r = store_sealed_rows(number, t, c->b);

	pthread_mutex_lock(&cs->sums_lock);
	sums = cs->sums;
	change(&sums, old, t);
	r = r ? r : totals_put(&sums, c->b);
	r = r ? r : chunk_check_write(c, true);
	if (!r)
		cs->sums = sums;
	pthread_mutex_unlock(&cs->sums_lock);
	if (r)
		return r;
	LOCK_SCOPE(&cs->lock);
	change(&cs->sealed, old, t);
	return 0;
}

/* Are the lengths that the row has those of the chunks?  LOOKUP_NONE if not. */
static int check_lens(struct check *c, uint64_t number, const struct pack_tally *is)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	uint8_t key[PACK_KEY_LEN];
	int r;

	pack_key_pack(key, PACK_KEY_SEALED, number);
	r = kv_get(c->cs->kv, KV_PACK, key, sizeof(key), &row);
	if (r || row.len == PACK_TALLY_LEN)
		return r < 0 ? r : 0;
	return row.len == PACK_TALLY_LEN + (size_t)is->chunks * LEN_BYTES &&
			       !memcmp(row.data + PACK_TALLY_LEN, is->lens, (size_t)is->chunks * LEN_BYTES) ?
		       0 :
		       LOOKUP_NONE;
}

static int check_sums(struct check *c, struct pack *p, const struct pack_tally *row)
{
	CLEANUP(buf_fini) struct buf lens = BUF_INIT;
	struct pack_tally is;
	int r = store_tally_of(p, &lens, &is);

	if (!r && is.chunks == row->chunks && is.raw_bytes == row->raw_bytes && is.file_bytes == row->file_bytes)
		r = check_lens(c, pack_number(p), &is);
	else
		r = r ? r : LOOKUP_NONE;
	if (r != LOOKUP_NONE)
		return r;
	r = c->cfg->repair ? put_tally(c, pack_number(p), row, &is) : 0;
	chunk_check_fault(c, c->cfg->repair && !r,
			  "pack %012llx has %u chunks in %llu bytes; its row says %u in %llu, or other lengths",
			  HEX(pack_number(p)), is.chunks, (unsigned long long)is.file_bytes, row->chunks,
			  (unsigned long long)row->file_bytes);
	return r;
}

/* ---- one pack ---------------------------------------------------------------------------------------------------- */

struct one_pack {
	struct check *c;
	uint64_t number;
	uint8_t *raw;		/* PACK_CHUNK_MAX; only for what mends headers */
};

static void bad_chunk(void *ctx, uint32_t slot, int why)
{
	struct one_pack *one = ctx;

	/* One that is healed is read from elsewhere, and goes with its pack. */
	if (chunk_store_is_bad(one->c->cs, (struct pack_ref){ one->number, slot }))
		chunk_check_fault(one->c, false, "chunk %u of pack %012llx is damaged: %s", slot, HEX(one->number),
				  strerror(-why));
}

/* All chunks that the row tells of were safe once. */
static bool was_sealed(void *ctx, uint32_t slot, const struct digest *d)
{
	return true;
}

static void note_bad(void *ctx, uint32_t slot, const struct digest *d)
{
	struct one_pack *one = ctx;

	store_damaged(one->c->cs, (struct pack_ref){ one->number, slot }, d);
}

static void bad_structure(void *ctx, uint32_t slot, const char *what)
{
	struct one_pack *one = ctx;

	if (slot == PACK_NO_SLOT)
		chunk_check_fault(one->c, false, "pack %012llx: %s", HEX(one->number), what);
	else
		chunk_check_fault(one->c, false, "chunk %u of pack %012llx: %s", slot, HEX(one->number), what);
}

static void count_fault(void *ctx, uint32_t slot, const char *what)
{
	++*(unsigned *)ctx;
}

static bool fits_digest(void *ctx, uint32_t slot, const struct pack_entry *e, const void *stored)
{
	struct one_pack *one = ctx;
	struct pack_ref ref = { one->number, slot };

	return store_check(one->c->cs, ref, e, stored, one->raw) == 0;
}

static int mend_headers(struct check *c, uint64_t number)
{
	CLEANUP(freep) uint8_t *raw = malloc(PACK_CHUNK_MAX);
	struct one_pack one = { .c = c, .number = number, .raw = raw };

	if (!raw)
		return err_origin(-ENOMEM);
	return pack_recover(c->cs->packs, number, &(struct pack_recovery){ .promised = was_sealed, .bad = note_bad,
									   .ctx = &one, .whole = fits_digest });
}

/* Headers, that of the pack and those of the entries. */
static int check_headers(struct check *c, uint64_t number)
{
	struct packs *packs = c->cs->packs;
	struct one_pack one = { .c = c, .number = number };
	unsigned before = 0, after = 0;
	int r = pack_check(packs, number, false, count_fault, &before);

	if (r || !before)
		return r;
	after = before;
	if (c->cfg->repair && !mend_headers(c, number)) {
		after = 0;
		r = pack_check(packs, number, false, count_fault, &after);
	}
	for (; before > after; before--)
		chunk_check_fault(c, true, "pack %012llx: a header is damaged", HEX(number));
	return r ? r : pack_check(packs, number, false, bad_structure, &one);
}

static int check_data(struct check *c, uint64_t number)
{
	CLEANUP(pack_releasep) struct pack *disk = NULL;
	struct one_pack one = { .c = c, .number = number };
	struct chunk_scrubbed read = { 0 };
	int r = pack_open_direct(c->cs->packs, number, &disk);

	r = r ? r : store_prove(c->cs, disk, bad_chunk, &one, &read);
	if (!r && pack_whole(disk))
		r = check_headers(c, number);
	return store_is_loss(r) ? 0 : r;
}

/* Table and trailer are written anew from the entries, if those are all there. */
static bool mend_table(struct check *c, uint64_t number, const struct pack_tally *row)
{
	struct one_pack one = { .c = c, .number = number };
	CLEANUP(pack_releasep) struct pack *p = NULL;

	if (pack_open(c->cs->packs, number, &p) || pack_count(p) != row->chunks)
		return false;
	for (uint32_t i = 0; i < row->chunks; i++) {
		struct pack_entry e;

		if (pack_entry(p, i, &e))
			return false;
	}
	if (pack_recover(c->cs->packs, number, &(struct pack_recovery){ was_sealed, note_bad, &one }))
		return false;
	pthread_mutex_lock(&c->cs->lock);
	store_drop_pack(c->cs, number);
	pthread_mutex_unlock(&c->cs->lock);
	return true;
}

static const char *loss_words(int r)
{
	return r == -ENOENT	    ? "is missing" :
	       r == -EUCLEAN	    ? "is no pack, or another one" :
	       r == -EPROTONOSUPPORT ? "was written by another version" :
				       "cannot be read";
}

/* What fails here is no more lost than it was. */
static void rescue(struct check *c, struct pack *p)
{
	unsigned count;
	int r = chunk_rescue(c->cs, p, &count);

	if (r)
		log_error("pack %012llx: what its table has lost could not be stored again: %s", HEX(pack_number(p)),
			  err_text(r));
	else if (count)
		chunk_check_fault(c, true, "pack %012llx: %u chunks of which its table does not tell",
				  HEX(pack_number(p)), count);
}

/* It has a row and is not open.  *out: to go on with, held by the check; NULL if there is nothing. */
static int check_file(struct check *c, uint64_t number, const struct pack_tally *row, struct pack **out)
{
	struct pack_tally again;
	bool mended;
	int r = chunk_check_pack(c, number, true, out);

	if (store_is_loss(r) || r == -EPROTONOSUPPORT) {
		*out = NULL;
		if (store_tally(c->cs->kv, number, &again))
			return 0;
		if (store_is_loss(r))
			store_lost(c->cs, number, NULL);
		chunk_check_fault(c, false, "pack %012llx %s", HEX(number), loss_words(r));
		return 0;
	}
	if (r)
		return r;
	store_notice(c->cs, *out);
	if (pack_whole(*out))
		return 0;
	mended = c->cfg->repair && mend_table(c, number, row);
	chunk_check_fault(c, mended, "pack %012llx: its table of contents or trailer is damaged", HEX(number));
	if (c->cfg->repair && !mended)
		rescue(c, *out);
	r = mended ? chunk_check_pack(c, number, true, out) : 0;
	if (mended && !r)
		store_notice(c->cs, *out);
	return r;
}

static int check_closed(struct check *c, uint64_t number, const struct pack_tally *row)
{
	struct pack *p;
	int r = check_file(c, number, row, &p);

	if (r || !p)
		return r;
	c->sums.packs++;
	c->sums.chunks += pack_count(p);
	c->sums.bytes += pack_bytes(p);
	pack_hold(p); /* looking where rows lead may displace it */
	r = pack_whole(p) ? check_sums(c, p, row) : 0;
	r = r ? r : chunk_check_slots(c, p);
	r = r ? r : chunk_check_write(c, false);
	if (!r && c->cfg->data)
		r = check_data(c, number);
	pack_release(p);
	return r;
}

/* ---- a file without a row -------------------------------------------------------------------------------------- */

/* What a start makes of a pack that a crash left open.  LOOKUP_NONE: it was empty and is gone. */
static int adopt(struct check *c, uint64_t number, struct pack_tally *tally)
{
	CLEANUP(buf_fini) struct buf lens = BUF_INIT;
	struct one_pack one = { .c = c, .number = number };
	struct pack *p;
	uint32_t least;
	int r = store_promised(c->cs->kv, number, &least);

	if (r >= 0)
		r = pack_recover(c->cs->packs, number, &(struct pack_recovery){ NULL, note_bad, &one, least });
	if (r)
		return r == -ENOENT ? LOOKUP_NONE : r;
	r = chunk_check_pack(c, number, true, &p);
	r = r ? r : store_tally_of(p, &lens, tally);
	r = r ? r : put_tally(c, number, NULL, tally);
	tally->lens = NULL;
	return r;
}

/* Is there a file that nobody knows?  LOOKUP_NONE if not.  The order is the collector's, or the sealer's, backwards. */
static int is_stray(struct check *c, uint64_t number, struct pack_tally *row)
{
	int r;

	if (chunk_check_is_open(c->cs, number))
		return LOOKUP_NONE;
	r = store_tally(c->cs->kv, number, row);
	if (r != LOOKUP_NONE && r != -EUCLEAN)
		return r ? r : LOOKUP_NONE;
	r = chunk_check_has(c->cs->kv, PACK_KEY_DOOMED, number);
	if (r != LOOKUP_NONE)
		return r ? r : LOOKUP_NONE;
	return pack_exists(c->cs->packs, number) ? 0 : LOOKUP_NONE;
}

/* 0: it has a row now, *row.  LOOKUP_NONE: there is nothing to look at. */
static int check_stray(struct check *c, uint64_t number, struct pack_tally *row)
{
	int r = is_stray(c, number, row);

	if (r)
		return r;
	r = c->cfg->repair ? adopt(c, number, row) : LOOKUP_NONE;
	chunk_check_fault(c, c->cfg->repair && r >= 0, "pack %012llx has no row%s%s", HEX(number),
		    r < 0 ? ", and cannot be given one: " : "", r < 0 ? err_text(r) : "");
	return store_is_loss(r) ? LOOKUP_NONE : r;
}

static int check_number(struct check *c, uint64_t number)
{
	struct pack_tally row;
	int r = store_tally(c->cs->kv, number, &row);

	if (r == LOOKUP_NONE || r == -EUCLEAN)
		r = check_stray(c, number, &row);
	if (r == LOOKUP_NONE)
		return 0;
	r = r ? r : check_closed(c, number, &row);
	c->done++;
	return r ? r : chunk_check_progress(c);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

#define NO_MORE UINT64_MAX

static int next_file(struct check *c, struct pack_walk *w, uint64_t *number)
{
	int r;

	while ((r = pack_walk_next(w, number)) < 0 && store_is_loss(r))
		chunk_check_fault(c, false, "a folder of packs cannot be read: %s", err_text(r));
	if (r == PACK_E_NONE)
		*number = NO_MORE;
	return r < 0 ? r : 0;
}

/* The first row 'P' at or behind @from, whatever it says. */
static int next_row(struct check *c, uint64_t from, uint64_t *number)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	static const uint8_t prefix = PACK_KEY_SEALED;
	uint8_t key[PACK_KEY_LEN];
	int r = kv_iter_new(c->cs->kv, KV_PACK, &it);

	*number = NO_MORE;
	if (r)
		return r;
	pack_key_pack(key, PACK_KEY_SEALED, from);
	for (kv_iter_seek(it, key, sizeof(key)); kv_iter_in(it, &prefix, 1); kv_iter_next(it)) {
		size_t n;
		const uint8_t *k = kv_iter_key(it, &n);

		if (pack_key_unpack(k, n, PACK_KEY_SEALED, number) == 0)
			return 0;
	}
	return kv_iter_error(it);
}

/* Files and rows side by side, in the order of numbers. */
static int check_packs(struct check *c)
{
	CLEANUP(pack_walk_freep) struct pack_walk *w = NULL;
	uint64_t file = NO_MORE, row = NO_MORE;
	int r = pack_walk_new(c->cs->packs, 0, &w);

	r = r ? r : next_file(c, w, &file);
	r = r ? r : next_row(c, 0, &row);
	while (!r && (file != NO_MORE || row != NO_MORE)) {
		uint64_t number = file < row ? file : row;

		r = check_number(c, number);
		if (!r && file == number)
			r = next_file(c, w, &file);
		if (!r && row == number)
			r = next_row(c, number + 1, &row);
	}
	return r;
}

int chunk_store_check(struct chunk_store *cs, const struct chunk_check_config *cfg, struct chunk_checked *out)
{
	struct check c = { .cs = cs, .cfg = cfg };
	struct chunk_totals totals;
	int r = kv_batch_new(&c.b);

	if (r)
		return r;
	chunk_store_totals(cs, &totals);
	c.all = totals.packs;
	r = check_packs(&c);
	r = r ? r : chunk_check_index(&c);
	r = r ? r : chunk_check_rows(&c);
	for (size_t i = 0; i < CHECK_PACKS; i++)
		pack_release(c.open[i]);
	kv_batch_free(c.b);
	if (!r)
		*out = c.sums;
	return r;
}
