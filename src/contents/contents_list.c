/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list of members is made: paths become folders and names, 64 members a row, rows go out in batches as they come.
 * Memory is bounded whatever the archive says: one block, one batch, the folders that were met last.
 *
 * What is there after a power cut, or when the list is given up, behind each step:
 * 1. batches of B, T, N, X, the first with G	a part of the list, and G: contents_sweep() deletes both
 * 2. the rest of B, T, N, X with C, F, O, the counters, and G goes: one batch	the list
 * Most lists are short enough for step 2 alone: rows that come and go would be in the way of who walks over them.
 */
#include "contents/list.h"

#include <errno.h>

#define BATCH_ROWS 4096u
#define BATCH_BYTES (1u << 20)
#define WORDS_MAX 65536u	/* of a link's target, of a path that is kept as it was */
#define PREFIX_MAX 4096u

struct contents_list {
	struct contents *c;
	struct contents_list *next;	/* with the lock of @c: c->building */
	uint32_t content;
	uint64_t nth;			/* members that the archive told of */
	struct list_row row;		/* .members, .told, .doubles */
	struct kv_batch *batch;
	size_t batch_bytes;
	uint32_t written;		/* rows N of members up to this one are in the database */
	struct block_writer block;
	struct buf bytes;		/* of a row */
	uint32_t dirs[CONTENTS_BLOCK];	/* that the block has children of */
	unsigned dir_count;
	struct folders *folders;
	struct contents_member m;	/* that is being added */
	struct path_parts parts;
	char prefix[PREFIX_MAX];	/* what the last path had before its last part */
	size_t prefix_len;		/* 0: none */
	uint32_t prefix_dir;
	bool queued;			/* row G is there */
	bool ended;
};

bool contents_list_is_building(struct contents *c, uint32_t content)
{
	for (const struct contents_list *l = c->building; l; l = l->next)
		if (l->content == content)
			return true;
	return false;
}

/* ---- rows ---- */

static int put_row(struct contents_list *l, const struct ckey *key, const void *row, size_t len)
{
	l->batch_bytes += key->len + len + 32;
	return kv_batch_put(l->batch, KV_CONTENTS, key->b, key->len, row, len);
}

static int put_block(struct contents_list *l)
{
	struct ckey key = ckey_block(l->content, (l->block.first - 1) / CONTENTS_BLOCK);
	int r = block_row(&l->block, &l->bytes);

	return r ? r : put_row(l, &key, l->bytes.data, l->bytes.len);
}

/* A block that is not full goes too: who deletes what is left of a list finds rows N by their members. */
static int flush(struct contents_list *l)
{
	struct ckey queued = ckey_of_list('G', l->content);
	int r = l->block.count ? put_block(l) : 0;

	if (!r && !l->queued)
		r = put_row(l, &queued, NULL, 0);
	if (!r)
		r = contents_write(l->c, l->batch);
	if (r)
		return r;
	l->queued = true;
	l->batch_bytes = 0;
	l->written = l->row.members;
	return 0;
}

/* Rows B and T of the block that is full, or the last. */
static int end_block(struct contents_list *l)
{
	uint32_t block = (l->block.first - 1) / CONTENTS_BLOCK;
	int r;

	if (!l->block.count)
		return 0;
	r = put_block(l);
	for (unsigned i = 0; !r && i < l->dir_count; i++) {
		struct ckey key = ckey_dir(l->content, l->dirs[i], block);
		r = put_row(l, &key, NULL, 0);
	}
	l->dir_count = 0;
	block_begin(&l->block, l->row.members + 1);
	if (!r && (l->batch_bytes > BATCH_BYTES || kv_batch_count(l->batch) > BATCH_ROWS))
		r = flush(l);
	return r;
}

static void note_dir(struct contents_list *l, uint32_t dir)
{
	for (unsigned i = l->dir_count; i-- > 0;)
		if (l->dirs[i] == dir)
			return;
	l->dirs[l->dir_count++] = dir;
}

/* l->m, but for its number, is the next one. */
static int add_member(struct contents_list *l)
{
	struct contents_member *m = &l->m;
	struct ckey key;
	int r;

	if (l->row.members >= UINT32_MAX - 2 * CONTENTS_BLOCK)
		return err_explain(-EOVERFLOW, "an archive with more than %u members", l->row.members);
	m->number = l->row.members + 1;
	r = block_add(&l->block, m);
	if (r)
		return r;
	l->row.members++;
	note_dir(l, m->dir);
	key = ckey_named(m->name, l->content, m->dir, m->number);
	r = put_row(l, &key, "d", m->type == 'd');
	if (!r && l->block.count == CONTENTS_BLOCK)
		r = end_block(l);
	return r;
}

/* What is in the rows that may be on their way is looked up after them. */
static int look_up(struct contents_list *l, const struct contents_member *m, bool folder, uint32_t *out)
{
	int r = l->written < l->row.members ? flush(l) : 0;

	return r ? r : contents_named(l->c, l->content, m->dir, m->name, folder, out);
}

/* ---- folders ---- */

static int remember_folder(struct contents_list *l, uint32_t number)
{
	while (!folders_make_room(l->folders, l->m.name, l->written)) {
		int r = flush(l);

		if (r)
			return r;
	}
	return folders_add(l->folders, l->m.dir, l->m.name, number);
}

/* The folder l->m.name in l->m.dir; 0: there is none yet. */
static int find_folder(struct contents_list *l, uint32_t *out)
{
	int r = 0;

	*out = folders_find(l->folders, l->m.dir, l->m.name);
	if (*out || !folders_noted(l->folders, l->m.dir, l->m.name))
		return 0;
	r = look_up(l, &l->m, true, out);
	return !r && *out ? remember_folder(l, *out) : r;
}

static int add_folder(struct contents_list *l)
{
	uint32_t number = 0;
	int r = 0;

	if (folders_note(l->folders, l->m.dir, l->m.name) && !l->row.doubles)
		r = look_up(l, &l->m, false, &number);	/* of another type */
	if (r)
		return r;
	l->row.doubles = l->row.doubles || number;
	r = add_member(l);
	return r ? r : remember_folder(l, l->m.number);
}

static void set_words(char *to, size_t cap, const char *words)
{
	size_t n = words ? strnlen(words, cap - 1) : 0;

	if (n)
		memcpy(to, words, n);
	to[n] = 0;
}

static int set_long(struct buf *to, const char *words)
{
	size_t n = words ? strnlen(words, WORDS_MAX) : 0;
	int r;

	to->len = 0;
	r = buf_reserve(to, n + 1);
	if (r)
		return r;
	if (n)
		memcpy(to->data, words, n);
	to->data[n] = 0;
	to->len = n;
	return 0;
}

/* It looks as if made by who made what is in it. */
static void imply_folder(struct contents_list *l, const struct tarball_member *t)
{
	struct contents_member *m = &l->m;

	m->type = 'd';
	m->implied = true;
	m->odd = false;
	m->mode = 0755;
	m->dev_major = m->dev_minor = 0;
	m->size = m->before = m->missing = 0;
	m->from = m->to = t->from;
	m->data = TARBALL_NO_PLACE;
	m->link.len = m->raw.len = 0;
}

static void set_name(struct contents_list *l, const struct path_part *part)
{
	memcpy(l->m.name, part->p, part->len);
	l->m.name[part->len] = 0;
}

static int walk_folders(struct contents_list *l, const struct tarball_member *t)
{
	uint32_t number;
	int r;

	l->m.dir = 0;
	for (unsigned i = 0; i + 1 < l->parts.count; i++) {
		set_name(l, &l->parts.part[i]);
		r = find_folder(l, &number);
		if (!r && !number) {
			imply_folder(l, t);
			r = add_folder(l);
			number = l->m.number;
		}
		if (r)
			return r;
		l->m.dir = number;
	}
	return 0;
}

/* Members of one folder come one after the other: then nothing is looked for. */
static int enter_folder(struct contents_list *l, const struct tarball_member *t)
{
	size_t len = l->parts.count > 1 ? (size_t)(l->parts.part[l->parts.count - 1].p - t->path) : 0;
	int r;

	if (len && len == l->prefix_len && !memcmp(t->path, l->prefix, len)) {
		l->m.dir = l->prefix_dir;
		return 0;
	}
	r = walk_folders(l, t);
	if (r)
		return r;
	l->prefix_len = 0;
	if (len && len <= PREFIX_MAX) {
		memcpy(l->prefix, t->path, len);
		l->prefix_len = len;
		l->prefix_dir = l->m.dir;
	}
	return 0;
}

/* ---- members ---- */

/* What the folders on the way take over too. */
static void take_owner(struct contents_member *m, const struct tarball_member *t, uint64_t nth)
{
	m->uid = t->uid;
	m->gid = t->gid;
	set_words(m->user, sizeof(m->user), t->user);
	set_words(m->group, sizeof(m->group), t->group);
	m->mtime_s = t->mtime_s;
	m->mtime_ns = t->mtime_ns < 1000000000u ? t->mtime_ns : 0;
	m->nth = nth;
}

static int take_attributes(struct contents_member *m, const struct tarball_member *t, bool odd)
{
	int r;

	m->type = t->type && strchr("-dlhcbps", t->type) ? t->type : '-';
	m->implied = false;
	m->odd = odd;
	m->mode = t->mode & 07777;
	m->size = t->size;
	m->from = t->from;
	m->to = t->to;
	m->data = t->data;
	/* Numbers that cannot be are of no part. */
	m->before = t->before <= UINT64_MAX - t->size ? t->before : 0;
	m->missing = t->missing <= t->size ? t->missing : 0;
	m->dev_major = t->dev_major;
	m->dev_minor = t->dev_minor;
	r = set_long(&m->link, t->link);
	return r ? r : set_long(&m->raw, odd ? t->path : NULL);
}

static int tell_folder(struct contents_list *l, uint32_t number)
{
	struct ckey key = ckey_told(l->content, number);
	int r = told_encode(&l->m, l->row.members, &l->bytes);

	if (!r)
		r = put_row(l, &key, l->bytes.data, l->bytes.len);
	l->row.told = true;
	return !r && l->batch_bytes > BATCH_BYTES ? flush(l) : r;
}

static int add_or_tell_folder(struct contents_list *l)
{
	uint32_t number;
	int r = find_folder(l, &number);

	if (r)
		return r;
	return number ? tell_folder(l, number) : add_folder(l);
}

/* Once there is one, no other needs to be found. */
static int add_other(struct contents_list *l)
{
	uint32_t number = 0;
	int r = 0;

	if (folders_note(l->folders, l->m.dir, l->m.name) && !l->row.doubles)
		r = look_up(l, &l->m, false, &number);
	if (r)
		return r;
	l->row.doubles = l->row.doubles || number;
	return add_member(l);
}

int contents_list_add(struct contents_list *l, const struct tarball_member *t)
{
	static const struct path_part nameless = { "_", 1 };
	bool root, odd;
	int r;

	path_split(t->path, &l->parts);
	root = !l->parts.count;
	odd = l->parts.odd || (root && t->type != 'd');
	take_owner(&l->m, t, l->nth++);
	r = enter_folder(l, t);
	if (!r)
		r = take_attributes(&l->m, t, odd && t->path[0]);
	if (r)
		return r;
	if (root && l->m.type == 'd')
		return tell_folder(l, 0);
	set_name(l, root ? &nameless : &l->parts.part[l->parts.count - 1]);
	return l->m.type == 'd' ? add_or_tell_folder(l) : add_other(l);
}

/* ---- begin, end ---- */

static void list_freep(struct contents_list **l)
{
	*l = contents_list_free(*l);
}

static int take_number(struct contents_list *l)
{
	int r = contents_new_number(l->c, &l->content);

	if (r)
		return r;
	LOCK_SCOPE(&l->c->lock);
	l->next = l->c->building;
	l->c->building = l;
	return 0;
}

int contents_list_begin(struct contents *c, struct contents_list **out)
{
	CLEANUP(list_freep) struct contents_list *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_origin(-ENOMEM);
	l->c = c;
	block_begin(&l->block, 1);
	r = kv_batch_new(&l->batch);
	if (!r)
		r = folders_new(&l->folders);
	if (!r)
		r = take_number(l);
	if (!r)
		*out = STEAL(l);
	return r;
}

static void list_unlink(struct contents_list *l)
{
	for (struct contents_list **p = &l->c->building; *p; p = &(*p)->next)
		if (*p == l) {
			*p = l->next;
			return;
		}
}

/* Step 2, with the lock held. */
static int write_end(struct contents_list *l, const struct contents_file *f)
{
	struct ckey row = ckey_of_list('C', l->content), queued = ckey_of_list('G', l->content);
	struct list_tally tally = { .lists = 1, .members = l->row.members };
	int r;

	r = list_row_encode(&l->row, &l->bytes);
	if (!r)
		r = put_row(l, &row, l->bytes.data, l->bytes.len);
	if (!r && l->queued)
		r = contents_row_delete(l->batch, &queued);
	if (!r)
		r = file_row_stage(l->c, l->batch, f, &tally);
	if (!r)
		r = contents_count(l->c, l->batch, tally.lists, tally.members);
	return r ? r : contents_write(l->c, l->batch);
}

int contents_list_end(struct contents_list *l, struct contents_file *file)
{
	struct contents_file f = *file;
	int r;

	r = end_block(l);
	if (r)
		return r;
	f.content = l->content;
	f.members = l->row.members;
	l->row.volume = f.volume;
	l->row.stretch = f.stretch;
	l->row.last = f.last;
	l->row.file = f.file;
	l->row.partition = f.partition;

	LOCK_SCOPE(&l->c->lock);
	r = write_end(l, &f);
	if (r) {
		kv_batch_clear(l->batch);
		return r;
	}
	l->ended = true;
	list_unlink(l);
	*file = f;
	return 0;
}

struct contents_list *contents_list_free(struct contents_list *l)
{
	if (!l)
		return NULL;
	if (!l->ended) {
		LOCK_SCOPE(&l->c->lock);
		list_unlink(l);
	}
	contents_member_fini(&l->m);
	buf_fini(&l->bytes);
	buf_fini(&l->block.bytes);
	kv_batch_free(l->batch);
	folders_free(l->folders);
	free(l);
	return NULL;
}
