/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Do the rows fit each other?  Beside the keeper, writers and readers: a volume's rows are gone over while nobody
 * else changes them, and what a list lacks is a fault only if the list is still there afterwards.
 *
 * Nothing here is worth keeping if it is wrong: all of it can be had again from the tapes.  So a volume with a fault is
 * forgotten and looked at again, a list that nobody names is deleted.  What is on the tapes is not read.
 */
#include "contents/format.h"
#include "contents/keep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct check {
	struct contents *c;
	bool repair;
	void (*found)(void *ctx, const char *what, bool repaired);
	void *ctx;
	struct contents_checked done;
	uint64_t volume;		/* that is gone over */
	uint64_t faults;		/* of it */
	struct { uint64_t next, last; } at[TAPE_PARTITIONS_MAX];	/* in its rows F */
	bool waiting;
};

static void tell(struct check *k, bool repaired, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void tell(struct check *k, bool repaired, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	k->faults++;
	k->done.faults++;
	k->done.repaired += repaired;
	if (k->found)
		k->found(k->ctx, text, repaired);
}

/* ---- the rows of a volume ---------------------------------------------------------------------------------------- */

static bool list_is_of(struct check *k, const struct contents_file *f)
{
	struct list_row l;

	return !list_row_get(k->c, f->content, &l) && l.volume == f->volume && l.stretch == f->stretch &&
	       l.last == f->last && l.members == f->members;
}

static void check_remembered(struct check *k, const struct contents_file *f)
{
	struct contents_file o;
	int r = file_row_remembered(k->c, f->volume, f->stretch, f->last, &o);

	if (r)
		tell(k, k->repair, "volume number %" PRIu64 ", file %" PRIu64 ": it is not remembered", f->volume,
		     f->file);
	else if (o.content != f->content)
		tell(k, k->repair, "volume number %" PRIu64 ", file %" PRIu64 ": it is remembered with another list",
		     f->volume, f->file);
}

static int check_file(void *ctx, const struct contents_file *f)
{
	struct check *k = ctx;
	uint32_t p = f->partition;

	k->done.files++;
	if (f->file != k->at[p].next || (k->at[p].next && f->first != k->at[p].last + 1))
		tell(k, k->repair, "volume number %" PRIu64 ": file %" PRIu64 " does not follow the one before it",
		     f->volume, f->file);
	k->at[p].next = f->file + 1;
	k->at[p].last = f->last;
	k->waiting = k->waiting || f->how == CONTENTS_WAITING;
	check_remembered(k, f);
	return 0;
}

static bool check_known(void *ctx, const struct contents_file *f)
{
	struct check *k = ctx;

	if (f->content && !list_is_of(k, f))
		tell(k, k->repair, "volume number %" PRIu64 ", file %" PRIu64 ": its list of members is not there",
		     f->volume, f->file);
	return true;
}

static void check_volume_row(struct check *k)
{
	struct volume_row v;
	int r = volume_row_get(k->c, k->volume, &v);

	if (r == CONTENTS_E_NONE && k->at[0].next)
		tell(k, k->repair, "volume number %" PRIu64 ": nothing tells how far its files are known", k->volume);
	else if (r < 0)
		tell(k, k->repair, "volume number %" PRIu64 ": %s", k->volume, err_text(r));
	else if (!r && v.generation && v.files != k->at[0].next)
		tell(k, k->repair, "volume number %" PRIu64 ": %" PRIu64 " files are known, not %" PRIu64, k->volume,
		     k->at[0].next, v.files);
	else if (!r && v.done && k->waiting)
		tell(k, k->repair, "volume number %" PRIu64 ": files wait that nobody will look at", k->volume);
}

/* As they lie: whoever walks them otherwise stops at one that is damaged. */
static int check_rows(struct check *k, char letter)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct ckey all = ckey_of_volume(letter, k->volume);
	struct contents_file f;
	const uint8_t *row;
	size_t len;
	int r = kv_iter_new(k->c->kv, KV_CONTENTS, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, all.b, all.len); kv_iter_in(it, all.b, all.len); kv_iter_next(it)) {
		row = kv_iter_value(it, &len);
		r = file_row_decode(k->volume, row, len, &f);
		if (r)
			tell(k, k->repair, "volume number %" PRIu64 ": %s", k->volume, err_text(r));
		else if (letter == 'O')
			check_known(k, &f);
		else if (f.partition < TAPE_PARTITIONS_MAX)
			check_file(k, &f);
	}
	return kv_iter_error(it);
}

static int check_volume(void *ctx)
{
	struct check *k = ctx;
	int r;

	k->faults = 0;
	k->waiting = false;
	memset(k->at, 0, sizeof(k->at));
	r = check_rows(k, 'F');
	if (!r)
		r = check_rows(k, 'O');
	if (!r)
		check_volume_row(k);
	return r;
}

static int check_volumes(struct check *k)
{
	int r = 0;

	for (uint64_t next = 0; !r && !(r = keeper_next_in_rows(k->c, next, &k->volume)); next = k->volume + 1) {
		r = keeper_hold(k->c, k->volume, check_volume, k);
		if (!r && k->faults && k->repair)
			r = keeper_forget(k->c, k->volume);
	}
	return r == CONTENTS_E_NONE ? 0 : r;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

/* Is it there, not being made and not being deleted? */
static bool list_stands(struct check *k, uint32_t content)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct ckey going = ckey_of_list('G', content), list = ckey_of_list('C', content);

	return contents_row_get(k->c, &going, &row) == CONTENTS_E_NONE && !contents_row_get(k->c, &list, &row);
}

struct members {
	struct check *k;
	uint32_t count, dir, block;	/* the last two: of the member before */
	const char *wrong;		/* NULL: nothing */
};

static bool has_name(struct members *s, const struct contents_member *m)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct ckey name = ckey_named(m->name, m->content, m->dir, m->number);

	return !contents_row_get(s->k->c, &name, &row) && row.len == (m->type == 'd') &&
	       (!row.len || *(const char *)row.data == 'd');
}

/* Its folder knows the block that it is in; mostly that was asked for the member before. */
static bool is_in_folder(struct members *s, const struct contents_member *m)
{
	uint32_t block = (m->number - 1) / CONTENTS_BLOCK;
	struct ckey key = ckey_dir(m->content, m->dir, block);

	if (s->count > 1 && s->dir == m->dir && s->block == block)
		return true;
	s->dir = m->dir;
	s->block = block;
	return kv_any(s->k->c->kv, KV_CONTENTS, key.b, key.len) != KV_E_NONE;
}

static int check_member(void *ctx, const struct contents_member *m)
{
	struct members *s = ctx;

	s->count++;
	if (!has_name(s, m))
		s->wrong = "members of it cannot be found by name";
	else if (!is_in_folder(s, m))
		s->wrong = "a folder does not have all that is in it";
	return 0;
}

static bool told_is_there(struct check *k, uint32_t content)
{
	struct ckey told = ckey_of_list('X', content);

	return kv_any(k->c->kv, KV_CONTENTS, told.b, told.len) != KV_E_NONE;
}

static int queue_list(struct check *k, uint32_t content)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct ckey going = ckey_of_list('G', content), list = ckey_of_list('C', content);
	struct list_row l = { 0 };
	int r = kv_batch_new(&b), had;

	if (r)
		return r;
	LOCK_SCOPE(&k->c->lock);
	had = list_row_get(k->c, content, &l);
	r = contents_row_put(b, &going, NULL);
	if (!r)
		r = contents_row_delete(b, &list);
	if (!r && had != CONTENTS_E_NONE)
		r = contents_count(k->c, b, -1, -(int64_t)l.members);
	return r ? r : contents_write(k->c, b);
}

/* Who names it?  Nobody: it goes.  Somebody: all of the volume is looked at again. */
static int list_is_wrong(struct check *k, uint32_t content, const struct list_row *l, const char *why)
{
	struct contents_file f;

	if (!list_stands(k, content))
		return 0;
	tell(k, k->repair, "list of members %" PRIu32 " of volume number %" PRIu64 ": %s", content, l->volume, why);
	if (!k->repair)
		return 0;
	if (!file_row_remembered(k->c, l->volume, l->stretch, l->last, &f) && f.content == content)
		return keeper_forget(k->c, l->volume);
	return queue_list(k, content);
}

static int check_list(struct check *k, uint32_t content, const struct list_row *l)
{
	struct members m = { .k = k };
	struct contents_file f;
	int r = contents_each(k->c, content, 1, check_member, &m);

	k->done.lists++;
	k->done.members += m.count;
	if (r == CONTENTS_E_NONE)
		return 0;	/* it went meanwhile */
	if (r && r != -EUCLEAN)
		return r;
	if (r || m.count != l->members)
		return list_is_wrong(k, content, l, r ? err_text(r) : "members of it are not there");
	if (m.wrong)
		return list_is_wrong(k, content, l, m.wrong);
	if (l->told && !told_is_there(k, content))
		return list_is_wrong(k, content, l, "what its archive said later of a folder is not there");
	if (file_row_remembered(k->c, l->volume, l->stretch, l->last, &f) || f.content != content)
		return list_is_wrong(k, content, l, "no tape file names it");
	return 0;
}

static int check_lists(struct check *k)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	const uint8_t *p;
	int r = kv_iter_new(k->c->kv, KV_CONTENTS, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, "C", 1); !r && kv_iter_in(it, "C", 1); kv_iter_next(it)) {
		struct list_row l = { 0 };
		size_t len;
		uint32_t content;

		p = kv_iter_key(it, &len);
		if (len != 5)
			continue;
		content = get_be32(p + 1);
		p = kv_iter_value(it, &len);
		r = list_row_decode(p, len, &l);
		r = r ? list_is_wrong(k, content, &l, "its row is damaged") : check_list(k, content, &l);
	}
	return r ? r : kv_iter_error(it);
}

/* ---- rows of lists that are not there ---------------------------------------------------------------------------- */

/* A list is there from its row G on; so one that has neither G nor C is nobody's. */
static bool list_is_known(struct check *k, uint32_t content)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct ckey list = ckey_of_list('C', content), going = ckey_of_list('G', content);

	/* In this order: G goes in the batch that brings C, or with the last row. */
	return !contents_row_get(k->c, &going, &row) || !contents_row_get(k->c, &list, &row);
}

/* The rows of one letter, list by list. */
static int check_orphans(struct check *k, char letter)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	struct ckey key = { .b = { (uint8_t)letter }, .len = 1 };
	uint32_t content;
	size_t len;
	int r = kv_iter_new(k->c->kv, KV_CONTENTS, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, key.b, key.len); !r && kv_iter_in(it, &letter, 1); kv_iter_seek(it, key.b, key.len)) {
		const uint8_t *p = kv_iter_key(it, &len);

		if (len < 5)
			break;
		content = get_be32(p + 1);
		/* The walk is of an earlier moment: the row must still be there. */
		key = ckey_of_list(letter, content);
		if (!list_is_known(k, content) && !kv_any(k->c->kv, KV_CONTENTS, key.b, key.len)) {
			tell(k, k->repair, "parts of a list of members %" PRIu32 " that is not there", content);
			r = k->repair ? queue_list(k, content) : 0;
		}
		if (content == UINT32_MAX)
			break;
		key = ckey_of_list(letter, content + 1);
	}
	return r ? r : kv_iter_error(it);
}

/* ---- rows of no kind --------------------------------------------------------------------------------------------- */

/* How long their keys are; of a name it depends. */
static size_t key_len(char letter)
{
	switch (letter) {
	case 'F': return 21;
	case 'O': return 25;
	case 'V': case 'B': case 'X': return 9;
	case 'C': case 'G': return 5;
	case 'T': return 13;
	case 'S': return 2;
	default: return 0;
	}
}

static bool is_key(const uint8_t *key, size_t len)
{
	const size_t behind = 1 + 4 + 4 + 4;	/* a name ends with NUL, and then has three numbers */

	if (len && key[0] == 'N')
		return len > 1 + behind && memchr(key + 1, 0, len - 1) == key + len - behind;
	return len && len == key_len((char)key[0]);
}

static int drop_row(struct check *k, const uint8_t *key, size_t len)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = kv_batch_new(&b);

	r = r ? r : kv_batch_delete(b, KV_CONTENTS, key, len);
	return r ? r : contents_write(k->c, b);
}

static int check_keys(struct check *k)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	int r = kv_iter_new(k->c->kv, KV_CONTENTS, &it);

	if (r)
		return r;
	for (kv_iter_seek(it, "", 0); !r && kv_iter_valid(it); kv_iter_next(it)) {
		size_t len;
		const uint8_t *key = kv_iter_key(it, &len);

		if (is_key(key, len))
			continue;
		tell(k, k->repair, "a row of %zu bytes of key, beginning with %02x, is of no kind", len,
		     len ? key[0] : 0);
		r = k->repair ? drop_row(k, key, len) : 0;
	}
	return r ? r : kv_iter_error(it);
}

/* ---- counters ---------------------------------------------------------------------------------------------------- */

static int count_lists(struct check *k, uint64_t *lists, uint64_t *members)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	int r = kv_iter_new(k->c->kv, KV_CONTENTS, &it);

	*lists = *members = 0;
	if (r)
		return r;
	for (kv_iter_seek(it, "C", 1); kv_iter_in(it, "C", 1); kv_iter_next(it)) {
		struct list_row l;
		size_t len;
		const uint8_t *row = kv_iter_value(it, &len);

		if (list_row_decode(row, len, &l))
			continue;
		++*lists;
		*members += l.members;
	}
	return kv_iter_error(it);
}

static int put_counts(struct check *k, uint64_t lists, uint64_t members)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = kv_batch_new(&b);

	r = r ? r : contents_counter_put(b, 'l', lists);
	r = r ? r : contents_counter_put(b, 'm', members);
	return r ? r : contents_write(k->c, b);
}

/* With the lock held no list comes or goes.  After the rest: what was mended there is counted as it is now. */
static int check_counts(struct check *k)
{
	uint64_t lists, members, l = 0, m = 0;
	int r, damaged;

	LOCK_SCOPE(&k->c->lock);
	r = count_lists(k, &lists, &members);
	damaged = contents_counts(k->c, &l, &m);
	if (r || (damaged && damaged != -EUCLEAN))
		return r ? r : damaged;
	if (!damaged && l == lists && m == members)
		return 0;
	tell(k, k->repair, "%" PRIu64 " lists with %" PRIu64 " members are there, and were not counted so", lists,
	     members);
	return k->repair ? put_counts(k, lists, members) : 0;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

int contents_check(struct contents *c, bool repair, void (*found)(void *ctx, const char *what, bool repaired),
		   void *ctx, struct contents_checked *out)
{
	struct check k = { .c = c, .repair = repair, .found = found, .ctx = ctx };
	int r = check_keys(&k);

	r = r ? r : check_volumes(&k);
	r = r ? r : check_lists(&k);
	for (const char *letter = "BTX"; !r && *letter; letter++)
		r = check_orphans(&k, *letter);
	r = r ? r : check_counts(&k);
	*out = k.done;
	return r;
}
