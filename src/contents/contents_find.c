/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding: through the index of names.  Of each different name that may fit it is asked once whether it does; those
 * that do not are passed over, however many members have them.  Of a list it is asked once whether a tape has it
 * now and whether the query wants that tape; only of members of such lists rows are read.  A row that is damaged is
 * passed over: what it told of can be had again from the tape.
 */
#include "contents/find.h"

#include <errno.h>

#define VERDICTS 32768u
#define STEPS_BEFORE_SEEK 8u		/* rows that are stepped over before a seek is the shorter way */
#define ROWS_BEFORE_FOLDERS 64u	/* of a name, before its folders are looked for instead */
#define STEPS_BETWEEN_LOOKS 256u	/* at the clock */
#define PARTS_MAX (1u << 20)	/* of the paths of one name, to find the newest of each */
#define SIGN_OF_LIFE_NS 200000000u

struct verdict { uint32_t content; bool yes; };

struct search {
	struct contents *c;
	const struct contents_query *q;
	int (*each)(void *ctx, const struct contents_hit *hit);
	void *ctx;
	struct pattern *pattern;
	struct truth *truth;
	struct paths *paths;
	struct newest *newest;		/* NULL: all are wanted */
	bool full;			/* it has no room */
	bool in_root;			/* only what is in no folder */
	bool by_folders;		/* the name is looked for in folders of the right name */
	struct kv_iter *it;
	struct verdict *verdicts;	/* by number of the list, the last one that came */
	uint32_t content;		/* the last list that was read from, and its row; 0: none yet */
	struct list_row list;
	char name[CONTENTS_NAME_MAX + 1];	/* the name that it is at, as keys have it */
	struct ckey key;		/* its rows begin so */
	struct contents_member m;
	struct buf path;
	uint64_t hits;
	unsigned steps;
	uint64_t sign_ns;
};

static void search_fini(struct search *s)
{
	s->pattern = pattern_free(s->pattern);
	s->truth = truth_free(s->truth);
	s->newest = newest_free(s->newest);
	s->paths = paths_free(s->paths);
	s->it = kv_iter_free(s->it);
	free(s->verdicts);
	contents_member_fini(&s->m);
	buf_fini(&s->path);
}

static int sign_of_life(struct search *s)
{
	uint64_t now;

	if (++s->steps % STEPS_BETWEEN_LOOKS)
		return 0;
	now = clock_mono_ns();
	if (now - s->sign_ns < SIGN_OF_LIFE_NS)
		return 0;
	s->sign_ns = now;
	return s->each(s->ctx, NULL);
}

/* ---- which lists ---- */

static bool volume_is_wanted(const struct search *s, uint64_t volume)
{
	for (size_t i = 0; i < s->q->volume_count; i++)
		if (s->q->volumes[i] == volume)
			return true;
	return false;
}

static int judge(struct search *s, uint32_t content, bool *yes)
{
	const struct contents_file *f;
	struct catalog_volume v;
	struct list_row list;
	int r;

	*yes = false;
	r = list_row_get(s->c, content, &list);
	if (!r && s->q->volumes && !volume_is_wanted(s, list.volume))
		return 0;
	if (!r && s->q->pool) {
		r = catalog_volume_by_id(s->c->cat, list.volume, &v);
		if (!r && v.pool != s->q->pool)
			return 0;
	}
	if (!r)
		r = truth_file_of(s->truth, content, &f);
	*yes = !r;
	return r > 0 || r == -EUCLEAN ? 0 : r;
}

static int list_is_wanted(struct search *s, uint32_t content, bool *yes)
{
	struct verdict *v = &s->verdicts[content % VERDICTS];
	int r = 0;

	if (v->content != content) {
		r = judge(s, content, yes);
		if (!r)
			*v = (struct verdict){ content, *yes };
	}
	*yes = v->yes;
	return r;
}

/* ---- which members ---- */

static bool owner_fits(const char *owner, const struct contents_member *m)
{
	char *end;
	unsigned long uid = strtoul(owner, &end, 10);

	return !strcmp(owner, m->user) || (*owner >= '0' && *owner <= '9' && !*end && uid == m->uid);
}

static bool type_fits(const char *types, char type)
{
	return strchr(types, type == '-' ? 'f' : type);
}

static bool member_fits(const struct search *s, const struct contents_member *m)
{
	const struct contents_query *q = s->q;

	return m->size >= q->size_min && (!q->size_max || m->size <= q->size_max) &&
	       (!q->mtime_from || m->mtime_s >= q->mtime_from) && (!q->mtime_to || m->mtime_s <= q->mtime_to) &&
	       (!q->owner || owner_fits(q->owner, m)) && (!q->types || type_fits(q->types, m->type)) &&
	       (!pattern_folders_only(s->pattern) || m->type == 'd');
}

/* Into s->m and s->path. CONTENTS_E_NONE: it is not wanted, or cannot be told. */
static int read_wanted(struct search *s, uint32_t content, uint32_t number)
{
	int r = 0;

	if (s->content != content) {
		s->content = 0;
		r = list_row_get(s->c, content, &s->list);
		if (!r)
			s->content = content;
	}
	if (!r)
		r = contents_member_of(s->c, content, &s->list, number, &s->m);
	if (!r && !member_fits(s, &s->m))
		r = CONTENTS_E_NONE;
	if (!r)
		r = pattern_fits_name(s->pattern, s->m.name, true);
	if (!r)
		r = paths_of(s->paths, &s->m, &s->path);
	if (!r)
		r = pattern_fits_path(s->pattern, (const char *)s->path.data);
	return r == -EUCLEAN ? CONTENTS_E_NONE : r;
}

/* s->m and s->path are one. */
static int give(struct search *s)
{
	struct contents_hit hit = { .member = &s->m, .path = (const char *)s->path.data };
	int r = truth_file_of(s->truth, s->m.content, &hit.file);

	if (r)
		return r > 0 ? 0 : r;
	s->hits++;
	return s->each(s->ctx, &hit);
}

static int note_newest(struct search *s)
{
	const struct contents_file *f;
	int r = truth_file_of(s->truth, s->m.content, &f);

	if (r)
		return r > 0 ? 0 : r;
	r = newest_add(s->newest, &s->m, (const char *)s->path.data, f->written_ns);
	s->full = r == CONTENTS_E_NONE;
	return r < 0 ? r : 0;
}

static bool is_enough(const struct search *s)
{
	return s->q->limit && s->hits >= s->q->limit;
}

/* ---- the index ---- */

static bool at_posting(const struct search *s, struct posting *p)
{
	size_t len;
	const uint8_t *key = kv_iter_key(s->it, &len);

	return posting_of(key, len, p);
}

static int look_at_posting(struct search *s)
{
	struct posting p;
	bool yes = false;
	int r = sign_of_life(s);

	if (!r && at_posting(s, &p) && !(s->in_root && p.dir))
		r = list_is_wanted(s, p.content, &yes);
	if (r || !yes)
		return r;
	r = read_wanted(s, p.content, p.number);
	if (r)
		return r == CONTENTS_E_NONE ? 0 : r;
	return s->newest ? note_newest(s) : give(s);
}

/* All rows that begin with @key, from the first on. */
static int look_at_rows(struct search *s, const struct ckey *key)
{
	int r = 0;

	for (; !r && !s->full && !is_enough(s) && kv_iter_in(s->it, key->b, key->len); kv_iter_next(s->it))
		r = look_at_posting(s);
	return r ? r : kv_iter_error(s->it);
}

/* All rows of the name that are in a folder of the name that the pattern says. */
static int look_into_folders(struct search *s)
{
	CLEANUP(kv_iter_freep) struct kv_iter *up = NULL;
	struct ckey folders = ckey_name(pattern_parent(s->pattern)), key;
	struct posting p;
	size_t len;
	int r;

	r = kv_iter_new(s->c->kv, KV_CONTENTS, &up);
	if (r)
		return r;
	kv_iter_seek(up, folders.b, folders.len);
	for (; !r && !s->full && !is_enough(s) && kv_iter_in(up, folders.b, folders.len); kv_iter_next(up)) {
		const uint8_t *at = kv_iter_key(up, &len);

		r = sign_of_life(s);
		if (r || !posting_of(at, len, &p))
			continue;
		key = ckey_name_in(s->name, p.content, p.number);
		kv_iter_seek(s->it, key.b, key.len);
		r = look_at_rows(s, &key);
	}
	if (!r)
		r = kv_iter_error(up);
	kv_iter_seek(s->it, s->key.b, s->key.len);
	return r;
}

static bool has_rows(struct search *s, const struct ckey *key, unsigned count)
{
	kv_iter_seek(s->it, key->b, key->len);
	while (count > 0 && kv_iter_in(s->it, key->b, key->len)) {
		kv_iter_next(s->it);
		count--;
	}
	return !count;
}

/* Are fewer things named as the folder is than as the member? */
static bool folders_are_fewer(struct search *s)
{
	const char *parent = pattern_parent(s->pattern);
	bool fewer = false, more = true;
	struct ckey key;

	if (!pattern_exact(s->pattern) || !parent || !*parent)
		return false;
	key = ckey_name(parent);
	for (unsigned count = ROWS_BEFORE_FOLDERS; more && !fewer && count < UINT32_MAX / 8; count *= 8) {
		more = has_rows(s, &s->key, count);
		fewer = more && !has_rows(s, &key, count);
	}
	kv_iter_seek(s->it, s->key.b, s->key.len);
	return fewer;
}

/* The search is at the first row of the name. */
static int look_at_name(struct search *s)
{
	s->full = false;
	return s->by_folders ? look_into_folders(s) : look_at_rows(s, &s->key);
}

static int give_newest(struct search *s)
{
	size_t count;
	const struct newest_entry *all = newest_all(s->newest, &count);
	int r = 0;

	for (size_t i = 0; !r && i < count && !is_enough(s); i++) {
		r = read_wanted(s, all[i].content, all[i].number);
		if (!r)
			r = give(s);
		else if (r == CONTENTS_E_NONE)
			r = 0;
	}
	return r;
}

/* The paths of one part; of one that is too large, of the two that it consists of. */
static int look_at_newest(struct search *s, uint64_t parts, uint64_t part)
{
	int r;

	newest_begin(s->newest, parts, part);
	if (parts > 1)
		kv_iter_seek(s->it, s->key.b, s->key.len);
	r = look_at_name(s);
	if (r || !s->full)
		return r ? r : give_newest(s);
	if (parts == PARTS_MAX)
		return err_explain(-EOVERFLOW, "%s: too many paths to tell which is the newest of each", s->name);
	r = look_at_newest(s, parts * 2, part);
	return r ? r : look_at_newest(s, parts * 2, part + parts);
}

/* Behind all rows of the name. */
static void skip_name(struct search *s)
{
	struct ckey behind = s->key;

	for (unsigned i = 0; i < STEPS_BEFORE_SEEK && kv_iter_in(s->it, s->key.b, s->key.len); i++)
		kv_iter_next(s->it);
	if (!kv_iter_in(s->it, s->key.b, s->key.len))
		return;
	behind.b[behind.len - 1] = 1;	/* instead of the NUL */
	kv_iter_seek(s->it, behind.b, behind.len);
}

/* Which name the iterator is at. False: none that can be. */
static bool take_name(struct search *s)
{
	struct posting p;

	if (!at_posting(s, &p) || p.name_len > CONTENTS_KEY_NAME)
		return false;
	s->key.len = p.name_len + 2;	/* the letter before it, the NUL behind it */
	memcpy(s->key.b, p.name - 1, s->key.len);
	memcpy(s->name, p.name, p.name_len + 1);
	return true;
}

static int look_at_one(struct search *s)
{
	int r;

	s->by_folders = folders_are_fewer(s);
	r = s->newest ? look_at_newest(s, 1, 0) : look_at_name(s);
	if (!r)
		skip_name(s);
	return r;
}

/* The name that s->it is at, and on to the next. */
static int look_at_next(struct search *s)
{
	int r = sign_of_life(s);

	if (r)
		return r;
	if (!take_name(s)) {
		kv_iter_next(s->it);
		return 0;
	}
	r = pattern_fits_name(s->pattern, s->name, strlen(s->name) < CONTENTS_KEY_NAME);
	if (r != CONTENTS_E_NONE)
		return r ? r : look_at_one(s);
	skip_name(s);
	return 0;
}

static int look_at_all(struct search *s, const struct ckey *all)
{
	int r = 0;

	kv_iter_seek(s->it, all->b, all->len);
	while (!r && !is_enough(s) && kv_iter_in(s->it, all->b, all->len))
		r = look_at_next(s);
	return r ? r : kv_iter_error(s->it);
}

/* ---- the whole ---- */

static int search_init(struct search *s)
{
	int r;

	s->sign_ns = clock_mono_ns();
	r = pattern_new(s->q, &s->pattern);
	if (!r)
		s->in_root = pattern_parent(s->pattern) && !*pattern_parent(s->pattern);
	if (!r)
		r = truth_new(s->c, &s->truth);
	if (!r)
		r = paths_new(s->c, &s->paths);
	if (!r && s->q->newest)
		r = newest_new(s->c, s->paths, &s->newest);
	if (!r)
		r = kv_iter_new(s->c->kv, KV_CONTENTS, &s->it);
	if (r)
		return r;
	s->verdicts = calloc(VERDICTS, sizeof(*s->verdicts));
	return s->verdicts ? 0 : err_origin(-ENOMEM);
}

int contents_find(struct contents *c, const struct contents_query *q,
		  int (*each)(void *ctx, const struct contents_hit *hit), void *ctx)
{
	CLEANUP(search_fini) struct search s = { .c = c, .q = q, .each = each, .ctx = ctx };
	struct ckey all;
	int r;

	r = search_init(&s);
	if (r)
		return r;
	all = pattern_exact(s.pattern) ? ckey_name(pattern_exact(s.pattern)) : ckey_names(pattern_prefix(s.pattern));
	return look_at_all(&s, &all);
}
