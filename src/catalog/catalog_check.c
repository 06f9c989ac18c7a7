/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Do the rows tell one story?  A walk over all keys; each row is judged by itself, with the rows that it speaks of as
 * they are at that moment and under the lock of those who change them, so the walk runs beside everything else and
 * finds nothing that is only on its way.
 *
 * Mended is what another row tells: names, members, counts, numbers, what speaks of things that are gone.  The row of a
 * pool or of a volume itself is never touched: nothing else has what is in it.
 */
#include "catalog/catalog_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void check_tell(struct check *k, bool repaired, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	k->done->faults++;
	k->done->repaired += repaired;
	if (k->cfg->found)
		k->cfg->found(k->cfg->ctx, what, repaired);
}

/* ---- mending: one row at a time, c->lock is held ---- */

bool check_mended(struct check *k, const struct row_key *key, const void *row, size_t len)
{
	int r;

	if (!k->cfg->repair)
		return false;
	r = row_write(k->c, key, row, len);
	if (r)
		log_error("catalog: a row cannot be mended: %s", err_text(r));
	return !r;
}

bool check_removed(struct check *k, const struct row_key *key)
{
	return check_mended(k, key, NULL, 0);
}

int check_names_whom(struct check *k, const struct row_key *key, size_t len, uint64_t *whom)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	int r = row_get(k->c, key, &row);

	*whom = 0;
	if (!r && row.len == len)
		*whom = len == 4 ? get_be32(row.data) : get_be64(row.data);
	return r < 0 ? r : 0;
}

int check_is_there(struct check *k, const struct row_key *key)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	int r = row_get(k->c, key, &row);

	return r < 0 ? r : r == 0;
}

int check_volume_is_there(struct check *k, uint64_t volume)
{
	struct row_key key = key_volume(volume);

	return check_is_there(k, &key);
}

/* ---- row by row: what is not another file's ---- */

static int check_tail(struct check *k, const struct at *at)
{
	int r = check_volume_is_there(k, at->number);

	if (r == 0)
		check_tell(k, check_removed(k, &at->key),
			   "the end of an image of volume number %" PRIu64 ", which is gone", at->number);
	return r < 0 ? r : 0;
}

static int check_drive(struct check *k, const struct at *at)
{
	uint64_t whom;
	int r;

	r = check_is_there(k, &at->key);
	if (r <= 0)
		return r;
	r = check_names_whom(k, &at->key, 8, &whom);
	if (!r)
		r = whom ? check_volume_is_there(k, whom) : 0;
	if (r == 0)
		check_tell(k, check_removed(k, &at->key), "drive nst%" PRIu64 " has a volume that is not there",
			   at->number);
	return r < 0 ? r : 0;
}

static int check_event(struct check *k, const struct at *at)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_event e;
	int r = row_get(k->c, &at->key, &row);

	if (r)
		return r < 0 ? r : 0;
	k->done->events++;
	r = event_decode(at->number, row.data, row.len, &e);
	if (r == -EUCLEAN)
		check_tell(k, check_removed(k, &at->key), "event %" PRIu64 " is damaged", at->number);
	return r == -EUCLEAN ? 0 : r;
}

/* Numbers and counts are judged at the end, when what they count is known and mended. */
static int check_nothing(struct check *k, const struct at *at)
{
	(void)k;
	(void)at;
	return 0;
}

/* They begin anew, but for collecting: it may have been off, for packs may hold what a lost database knew of. */
static int check_properties(struct check *k, const struct at *at)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct catalog_store s;
	int r = catalog_store_get(k->c, &s);

	if (r != -EUCLEAN)
		return r;
	s = store_defaults;
	s.gc_off = true;
	r = store_encode(&s, &row);
	if (!r)
		check_tell(k, check_mended(k, &at->key, row.data, row.len), "the properties of the store are damaged; "
			   "mended, no space is freed until `vtape set gc=on`");
	return r;
}

static int check_clock(struct check *k, const struct at *at)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct clock_row clock;
	int r = row_get(k->c, &at->key, &row);

	if (!r)
		r = clock_decode(row.data, row.len, &clock);
	if (r == -EUCLEAN)
		check_tell(k, k->cfg->repair && !catalog_clock_tick(k->c), "the row of the retention clock is damaged");
	return r == -EUCLEAN || r > 0 ? 0 : r;
}

static int check_stacker(struct check *k, const struct at *at)
{
	struct catalog_stacker s;
	int r = catalog_stacker_get(k->c, (uint32_t)at->number, &s);

	if (r == -EUCLEAN)
		check_tell(k, check_removed(k, &at->key), "the stacker of drive nst%" PRIu64 " is damaged", at->number);
	return r == -EUCLEAN ? 0 : r;
}

static const struct kind {
	char letter;
	uint8_t number;		/* bytes of the number behind it */
	bool whole;		/* the key ends there */
	int (*check)(struct check *k, const struct at *at);
} kinds[] = {
	{ 'A', 8, false, check_mam },		{ 'B', 0, true, check_nothing },
	{ 'C', 0, false, check_clash },
	{ 'D', 4, true, check_drive },		{ 'E', 8, true, check_event },
	{ 'F', 8, false, check_file },		{ 'G', 8, false, check_file_name },
	{ 'H', 0, false, check_hook },
	{ 'I', 4, true, check_unit },		{ 'J', 0, true, check_unit },
	{ 'K', 4, true, check_site },		{ 'L', 8, true, check_place },
	{ 'M', 4, false, check_member },	{ 'N', 0, false, check_nothing },
	{ 'P', 4, true, check_pool },		{ 'Q', 0, false, check_pool_name },
	{ 'R', 0, true, check_clock },		{ 'S', 0, true, check_nothing },
	{ 'T', 8, true, check_tail },		{ 'U', 0, false, check_volume_name },
	{ 'V', 8, true, check_volume },		{ 'W', 0, false, check_nothing },
	{ 'X', 0, true, check_properties },	{ 'Y', 4, true, check_stacker },
};

/* Names have no NUL in them: the key ends with one, or a NUL does it, and a number of known length is behind. */
static bool name_ends(char letter, const uint8_t *name, size_t len)
{
	size_t behind = letter == 'C' ? 1 + 4 : letter == 'G' ? 1 + 8 : 0;
	const uint8_t *nul = memchr(name, 0, len);

	if (!strchr("CGHMNQUW", letter))
		return true;
	return behind ? len > behind && nul == name + len - behind : !nul;
}

/* What the row of a key is, and its number; NULL: nothing that there can be. */
static const struct kind *kind_of(const uint8_t *key, size_t len, struct at *at)
{
	const struct kind *kind = NULL;

	for (size_t i = 0; i < ARRAY_LEN(kinds) && len; i++)
		if (kinds[i].letter == (char)key[0])
			kind = &kinds[i];
	if (!kind || len > sizeof(at->key.b) || len < kind->number + 1u || (kind->whole && len != kind->number + 1u) ||
	    !name_ends(kind->letter, key + 1 + kind->number, len - 1 - kind->number))
		return NULL;
	memcpy(at->key.b, key, len);
	at->key.len = len;
	if (kind->number)
		at->number = kind->number == 4 ? get_be32(key + 1) : get_be64(key + 1);
	return at->number <= (kind->number == 4 ? NUMBER_MAX_32 : NUMBER_MAX) ? kind : NULL;
}

static int check_key(struct check *k, const uint8_t *key, size_t len)
{
	struct at at = { .number = 0 };
	const struct kind *kind = kind_of(key, len, &at);

	if (!kind) {
		check_tell(k, false, "a row of %zu bytes of key, beginning with %02x, is of no kind", len,
			   len ? key[0] : 0);
		return 0;
	}
	LOCK_SCOPE(&k->c->lock);
	return kind->check(k, &at);
}

/* What was given out is below what the row says, or it might be given out again.  The lock of @n is held. */
static int check_number(struct check *k, struct counter *n, uint64_t highest, const char *what)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_number(n->which);
	uint64_t below = 1;
	int r;

	r = row_get(k->c, &key, &row);
	if (!r)
		r = number_decode(row.data, row.len, &below);
	if (r == -EUCLEAN || (r >= 0 && below <= highest && highest)) {
		if (n->next <= highest)
			n->next = highest + 1;
		if (n->limit < n->next)
			n->limit = n->next;
		r = number_encode(n->limit, &row);
		check_tell(k, !r && check_mended(k, &key, row.data, row.len), "numbers of %s could be given out again",
			   what);
	}
	return r < 0 ? r : 0;
}

static int count_members(struct check *k, uint32_t pool, uint64_t *out)
{
	struct row_key prefix = key_member(pool, "");
	CLEANUP(row_walk_end) struct row_walk w = ROW_WALK(&prefix);

	for (*out = 0; row_walk_next(k->c, &w);)
		++*out;
	return w.error;
}

static int mend_count(struct check *k, struct catalog_pool *p, uint64_t members)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_pool(p->id);
	uint64_t was = p->volumes;
	int r;

	p->volumes = members;
	r = pool_encode(p, &row);
	if (!r)
		check_tell(k, check_mended(k, &key, row.data, row.len),
			   "pool %s says it has %" PRIu64 " volumes; it has %" PRIu64, p->name, was, members);
	return r;
}

static int check_count(void *ctx, const struct catalog_pool *p)
{
	struct check *k = ctx;
	struct catalog_pool now;
	uint64_t members;
	int r;

	LOCK_SCOPE(&k->c->lock);
	r = catalog_pool_by_id(k->c, p->id, &now);
	if (!r)
		r = count_members(k, p->id, &members);
	if (r || members == now.volumes)
		return r < 0 ? r : 0;
	return mend_count(k, &now, members);
}

/* A damaged row ends the walk over pools; it was told already. */
static int check_counts(struct check *k)
{
	int r = catalog_pool_each(k->c, check_count, k);

	return r == -EUCLEAN ? 0 : r;
}

static int check_numbers(struct check *k)
{
	int r;

	{
		LOCK_SCOPE(&k->c->lock);
		r = check_number(k, &k->c->pool_ids, k->pool_max, "pools");
		if (!r)
			r = check_number(k, &k->c->volume_ids, k->volume_max, "volumes");
	}
	LOCK_SCOPE(&k->c->event_lock);
	return r ? r : check_number(k, &k->c->event_seqs, k->c->event_last, "events");
}

int catalog_check(struct catalog *c, const struct catalog_check_config *cfg, struct catalog_checked *out)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct check k = { .c = c, .cfg = cfg, .done = out };
	const uint8_t *key;
	size_t len;
	int r;

	*out = (struct catalog_checked){ 0 };
	r = kv_iter_new(c->kv, KV_CATALOG, &it);
	if (r)
		return r;
	for (kv_iter_seek(it, "", 0); !r && kv_iter_valid(it); kv_iter_next(it)) {
		key = kv_iter_key(it, &len);
		r = check_key(&k, key, len);
	}
	if (!r)
		r = kv_iter_error(it);
	if (!r)
		r = check_places(&k);
	if (!r)
		r = check_counts(&k);
	return r ? r : check_numbers(&k);
}
