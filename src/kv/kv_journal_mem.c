/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal's folder in memory: fails when the database under it is planned to, and knows what a disk would have
 * kept.  A file is what it is and what it was when it was last synced; so is the folder.  A torn cut keeps any of the
 * sectors that were written since, and any length in between.  What a sync that failed should have written no later
 * sync does, and it is there until the cache forgets it.  Out of memory is the end of the test.
 */
#include "kv/kv_journal.h"

#include <errno.h>
#include <stdio.h>

#define SECTOR_BYTES 512u
#define ENTRIES_MAX 64u

struct content {
	unsigned refs;
	struct buf now, durable;
	struct buf stale;	/* a flag a byte: in the cache only, and nobody will write it */
};

struct entries {
	size_t count;
	struct entry {
		char name[JOURNAL_NAME_MAX];
		struct content *content;
	} of[ENTRIES_MAX];
};

struct mem_dir {
	struct jdir dir;
	struct kv *base;	/* borrowed: its steps are ours */
	pthread_mutex_t lock;	/* guards what follows, contents too */
	struct entries now, durable;
};

struct mem_file {
	struct jfile file;
	struct mem_dir *dir;
	struct content *content;
};

static struct mem_dir *mem_dir_of(struct jdir *d)
{
	return (struct mem_dir *)d;
}

static struct mem_file *mem_file_of(struct jfile *f)
{
	return (struct mem_file *)f;
}

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void set_len(struct buf *b, uint64_t len)
{
	if (len > b->len) {
		if (buf_reserve(b, len - b->len))
			abort();
		memset(b->data + b->len, 0, len - b->len);
	}
	b->len = len;
}

static void copy(struct buf *to, const struct buf *from)
{
	to->len = 0;
	if (buf_append(to, from->data, from->len))
		abort();
}

static struct content *content_get(struct content *c)
{
	c->refs++;
	return c;
}

static void content_put(struct content *c)
{
	if (--c->refs)
		return;
	buf_fini(&c->now);
	buf_fini(&c->durable);
	buf_fini(&c->stale);
	free(c);
}

static struct entry *find(struct entries *e, const char *name)
{
	for (size_t i = 0; i < e->count; i++)
		if (!strcmp(e->of[i].name, name))
			return &e->of[i];
	return NULL;
}

static struct entry *add(struct entries *e, const char *name, struct content *c)
{
	struct entry *new = &e->of[e->count++];

	if (e->count > ENTRIES_MAX)
		abort();
	snprintf(new->name, sizeof(new->name), "%s", name);
	new->content = content_get(c);
	return new;
}

static void drop(struct entries *e, struct entry *gone)
{
	content_put(gone->content);
	*gone = e->of[--e->count];
}

static void entries_fini(struct entries *e)
{
	while (e->count)
		drop(e, e->of);
}

static void entries_copy(struct entries *to, const struct entries *from)
{
	entries_fini(to);
	for (size_t i = 0; i < from->count; i++)
		add(to, from->of[i].name, from->of[i].content);
}

/* ---- files ---- */

static int mem_pread(struct jfile *f, void *buf, size_t len, uint64_t off)
{
	struct mem_file *m = mem_file_of(f);

	LOCK_SCOPE(&m->dir->lock);
	if (off > m->content->now.len || len > m->content->now.len - off)
		return err_origin(-EUCLEAN);
	if (len)
		memcpy(buf, m->content->now.data + off, len);
	return 0;
}

static int mem_pwrite(struct jfile *f, const void *buf, size_t len, uint64_t off)
{
	struct mem_file *m = mem_file_of(f);
	int r = kv_mem_step(m->dir->base);
	struct buf *now = &m->content->now;

	LOCK_SCOPE(&m->dir->lock);
	if (r)
		len /= 2;	/* as short writes do */
	if (off + len > now->len)
		set_len(now, off + len);
	if (len)
		memcpy(now->data + off, buf, len);
	for (size_t i = off; i < off + len && i < m->content->stale.len; i++)
		m->content->stale.data[i] = 0;
	return r;
}

static int mem_cut(struct jfile *f, uint64_t len)
{
	struct mem_file *m = mem_file_of(f);
	int r = kv_mem_step(m->dir->base);

	LOCK_SCOPE(&m->dir->lock);
	if (!r)
		set_len(&m->content->now, len);
	if (!r && m->content->stale.len > len)
		m->content->stale.len = len;
	return r;
}

static uint8_t on_disk(const struct content *c, size_t i)
{
	return i < c->durable.len ? c->durable.data[i] : 0;
}

static void make_stale(struct content *c)
{
	set_len(&c->stale, c->now.len);
	for (size_t i = 0; i < c->now.len; i++)
		c->stale.data[i] |= i >= c->durable.len || c->now.data[i] != c->durable.data[i];
}

static void make_durable(struct content *c)
{
	struct buf next = BUF_INIT;

	copy(&next, &c->now);
	for (size_t i = 0; i < c->stale.len && i < next.len; i++)
		if (c->stale.data[i])
			next.data[i] = on_disk(c, i);
	buf_fini(&c->durable);
	c->durable = next;
}

static int mem_sync(struct jfile *f)
{
	struct mem_file *m = mem_file_of(f);
	int r = kv_mem_step(m->dir->base);

	LOCK_SCOPE(&m->dir->lock);
	if (r)
		make_stale(m->content);
	else
		make_durable(m->content);
	return r;
}

static void mem_forget(struct jfile *f)
{
	struct mem_file *m = mem_file_of(f);
	struct content *c = m->content;

	LOCK_SCOPE(&m->dir->lock);
	for (size_t i = 0; i < c->stale.len && i < c->now.len; i++)
		if (c->stale.data[i])
			c->now.data[i] = on_disk(c, i);
	c->stale.len = 0;
}

static void mem_nothing(struct jfile *f)
{
}

static int mem_size(struct jfile *f, uint64_t *out)
{
	struct mem_file *m = mem_file_of(f);

	LOCK_SCOPE(&m->dir->lock);
	*out = m->content->now.len;
	return 0;
}

static void mem_file_close(struct jfile *f)
{
	struct mem_file *m = mem_file_of(f);

	pthread_mutex_lock(&m->dir->lock);
	content_put(m->content);
	pthread_mutex_unlock(&m->dir->lock);
	free(m);
}

static const struct jfile_ops mem_file_ops = {
	.pread = mem_pread,
	.pwrite = mem_pwrite,
	.cut = mem_cut,
	.sync = mem_sync,
	.begin_sync = mem_nothing,
	.forget = mem_forget,
	.size = mem_size,
	.close = mem_file_close,
};

/* ---- the folder ---- */

static struct jfile *file_new(struct mem_dir *m, struct content *c)
{
	struct mem_file *f = must(calloc(1, sizeof(*f)));

	f->file.ops = &mem_file_ops;
	f->dir = m;
	f->content = content_get(c);
	return &f->file;
}

static int mem_list(struct jdir *d, int (*each)(void *ctx, const char *name), void *ctx)
{
	struct mem_dir *m = mem_dir_of(d);
	int r = 0;

	LOCK_SCOPE(&m->lock);
	for (size_t i = 0; !r && i < m->now.count; i++)
		r = each(ctx, m->now.of[i].name);
	return r;
}

static int mem_create(struct jdir *d, const char *name, struct jfile **out)
{
	struct mem_dir *m = mem_dir_of(d);
	int r = kv_mem_step(m->base);
	struct content *c;

	if (r)
		return r;
	LOCK_SCOPE(&m->lock);
	if (find(&m->now, name))
		return err_explain(-EEXIST, "%s is there", name);
	c = must(calloc(1, sizeof(*c)));
	add(&m->now, name, c);
	*out = file_new(m, c);
	return 0;
}

static int mem_open(struct jdir *d, const char *name, struct jfile **out)
{
	struct mem_dir *m = mem_dir_of(d);
	struct entry *e;

	LOCK_SCOPE(&m->lock);
	e = find(&m->now, name);
	if (!e)
		return err_explain(-ENOENT, "no %s", name);
	*out = file_new(m, e->content);
	return 0;
}

static int mem_rename(struct jdir *d, const char *from, const char *to)
{
	struct mem_dir *m = mem_dir_of(d);
	int r = kv_mem_step(m->base);
	struct entry *e;

	if (r)
		return r;
	LOCK_SCOPE(&m->lock);
	e = find(&m->now, to);
	if (e)
		drop(&m->now, e);
	e = find(&m->now, from);
	snprintf(e->name, sizeof(e->name), "%s", to);
	return 0;
}

static int mem_remove(struct jdir *d, const char *name)
{
	struct mem_dir *m = mem_dir_of(d);
	struct entry *e;

	LOCK_SCOPE(&m->lock);
	e = find(&m->now, name);
	if (e)
		drop(&m->now, e);
	return 0;
}

static int mem_dir_sync(struct jdir *d)
{
	struct mem_dir *m = mem_dir_of(d);
	int r = kv_mem_step(m->base);

	LOCK_SCOPE(&m->lock);
	if (!r)
		entries_copy(&m->durable, &m->now);
	return r;
}

static uint64_t mem_disk_bytes(struct jdir *d)
{
	return 0;
}

static int mem_room(struct jdir *d, uint64_t bytes)
{
	return 0;
}

static void mem_close(struct jdir *d)
{
	struct mem_dir *m = mem_dir_of(d);

	entries_fini(&m->now);
	entries_fini(&m->durable);
	pthread_mutex_destroy(&m->lock);
	free(d->path);
	free(m);
}

/* ---- a power cut ---- */

static uint64_t draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* What is on disk of one file. */
static void tear(const struct content *c, uint64_t *seed, struct buf *out)
{
	size_t len = c->durable.len;

	copy(out, &c->durable);
	if (!*seed)
		return;
	if (c->now.len > len)
		len += draw(seed) % (c->now.len - len + 1);
	else if (draw(seed) % 2)
		len = c->now.len;
	set_len(out, len);
	for (size_t at = 0; at < len && at < c->now.len; at += SECTOR_BYTES) {
		size_t n = len < c->now.len ? len - at : c->now.len - at;

		if (draw(seed) % 2)
			memcpy(out->data + at, c->now.data + at, n < SECTOR_BYTES ? n : SECTOR_BYTES);
	}
}

static int mem_dir_cut(struct jdir *d, struct kv *base, uint64_t seed, struct jdir **out)
{
	struct mem_dir *m = mem_dir_of(d), *cut;
	const struct entries *left;
	int r;

	r = jdir_mem_new(base, out);
	if (r)
		return r;
	LOCK_SCOPE(&m->lock);
	cut = mem_dir_of(*out);
	left = seed && draw(&seed) % 2 ? &m->now : &m->durable;
	for (size_t i = 0; i < left->count; i++) {
		struct content *c = must(calloc(1, sizeof(*c)));

		tear(left->of[i].content, &seed, &c->now);
		copy(&c->durable, &c->now);
		add(&cut->now, left->of[i].name, c);
	}
	entries_copy(&cut->durable, &cut->now);
	return 0;
}

static const struct jdir_ops mem_dir_ops = {
	.list = mem_list,
	.create = mem_create,
	.open = mem_open,
	.rename = mem_rename,
	.remove = mem_remove,
	.sync = mem_dir_sync,
	.disk_bytes = mem_disk_bytes,
	.room = mem_room,
	.cut = mem_dir_cut,
	.close = mem_close,
};

int jdir_mem_new(struct kv *base, struct jdir **out)
{
	struct mem_dir *m = must(calloc(1, sizeof(*m)));

	m->dir.ops = &mem_dir_ops;
	m->dir.path = must(strdup("journal"));
	m->base = base;
	pthread_mutex_init(&m->lock, NULL);
	*out = &m->dir;
	return 0;
}
