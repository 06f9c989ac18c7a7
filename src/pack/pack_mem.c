/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packs in memory: the twin of pack_files.c for tests.  It can be told to run out of space, to fail a write half-way or
 * a sync, and it knows what a power cut leaves: synced bytes always; of the others nothing, or a part in which whole
 * sectors may be missing; and of a name that was never synced perhaps not even the file.
 *
 * Bytes below the last sync count as safe even if they are written again, and a cut to a shorter length is safe at
 * once: recovery is the only one to do either, and syncs behind it.
 */
#include <errno.h>

#include "pack/backing.h"

#define SECTOR 512
#define SPACE_UNLESS_SET (1ull << 40)

struct node {
	struct node *next; /* in the folder; no order */
	uint64_t number;
	unsigned refs; /* the folder's and one for each open file */
	struct buf bytes;
	size_t synced;
	bool name_safe;
};

struct memory {
	struct packs base;
	pthread_mutex_t lock; /* guards everything here and in the nodes */
	struct node *nodes;
	uint64_t avail, total;
	uint64_t fail_append, fail_sync; /* counted down; the one that reaches 0 fails */
	int append_error, sync_error;
};

struct mem_file {
	struct pack_file base;
	struct memory *mem;
	struct node *node;
};

static const struct packs_ops mem_ops;

static struct memory *memory_of(struct packs *ps)
{
	return (struct memory *)ps;
}

static struct mem_file *file_of(struct pack_file *f)
{
	return (struct mem_file *)f;
}

static struct memory *memory_new(void)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->base.ops = &mem_ops;
	m->avail = m->total = SPACE_UNLESS_SET;
	pthread_mutex_init(&m->lock, NULL);
	return m;
}

int packs_mem_new(struct packs **out)
{
	struct memory *m = memory_new();

	if (!m)
		return err_origin(-ENOMEM);
	*out = &m->base;
	return 0;
}

void packs_mem_plan_fault(struct packs *ps, uint64_t fail_append, int error)
{
	struct memory *m = memory_of(ps);

	LOCK_SCOPE(&m->lock);
	m->fail_append = fail_append;
	m->append_error = -abs(error);
}

void packs_mem_plan_sync_fault(struct packs *ps, uint64_t fail_sync, int error)
{
	struct memory *m = memory_of(ps);

	LOCK_SCOPE(&m->lock);
	m->fail_sync = fail_sync;
	m->sync_error = -abs(error);
}

void packs_mem_set_space(struct packs *ps, uint64_t avail, uint64_t total)
{
	struct memory *m = memory_of(ps);

	LOCK_SCOPE(&m->lock);
	m->avail = avail;
	m->total = total;
}

static int mem_space(struct packs *ps, uint64_t *avail, uint64_t *total)
{
	struct memory *m = memory_of(ps);

	LOCK_SCOPE(&m->lock);
	*avail = m->avail;
	*total = m->total;
	return 0;
}

static void node_put(struct memory *m, struct node *n)
{
	if (--n->refs > 0)
		return;
	m->avail += n->bytes.len;
	buf_fini(&n->bytes);
	free(n);
}

static struct packs *mem_close(struct packs *ps)
{
	struct memory *m = memory_of(ps);

	while (m->nodes) {
		struct node *n = m->nodes;

		m->nodes = n->next;
		node_put(m, n);
	}
	pthread_mutex_destroy(&m->lock);
	free(m);
	return NULL;
}

/* The link that leads to the node, or the last one. */
static struct node **find(struct memory *m, uint64_t number)
{
	struct node **n = &m->nodes;

	while (*n && (*n)->number != number)
		n = &(*n)->next;
	return n;
}

static bool mem_exists(struct packs *ps, uint64_t number)
{
	struct memory *m = memory_of(ps);

	LOCK_SCOPE(&m->lock);
	return *find(m, number) != NULL;
}

static int mem_unlink(struct packs *ps, uint64_t number)
{
	struct memory *m = memory_of(ps);
	struct node **link, *n;

	LOCK_SCOPE(&m->lock);
	link = find(m, number);
	n = *link;
	if (n) {
		*link = n->next;
		node_put(m, n);
	}
	return 0;
}

static int mem_folders(struct packs *ps, struct pack_numbers *out)
{
	struct memory *m = memory_of(ps);
	int r = 0;

	LOCK_SCOPE(&m->lock);
	for (const struct node *n = m->nodes; n && !r; n = n->next) {
		uint64_t folder = n->number >> PACK_FOLDER_BITS;
		size_t i = 0;

		while (i < out->count && out->of[i] != folder)
			i++;
		if (i == out->count)
			r = pack_numbers_add(out, folder);
	}
	return r;
}

static int mem_list(struct packs *ps, uint64_t folder, struct pack_numbers *out)
{
	struct memory *m = memory_of(ps);
	int r = 0;

	LOCK_SCOPE(&m->lock);
	for (const struct node *n = m->nodes; n && !r; n = n->next)
		if (n->number >> PACK_FOLDER_BITS == folder)
			r = pack_numbers_add(out, n->number);
	return r;
}

/* As much as there is space for; -ENOSPC if that is not all. */
static int node_write(struct memory *m, struct node *n, uint64_t off, const void *p, size_t len)
{
	size_t fits = len, grow;
	int r;

	if (off > n->bytes.len)
		return err_explain(-ENOTRECOVERABLE, "pack %012llx: a write would leave a hole",
				   (unsigned long long)n->number);
	if (off + len > n->bytes.len && off + len - n->bytes.len > m->avail)
		fits = (size_t)(n->bytes.len + m->avail - off);
	grow = off + fits > n->bytes.len ? (size_t)(off + fits - n->bytes.len) : 0;
	r = buf_reserve(&n->bytes, grow);
	if (r)
		return r;
	if (fits)
		memcpy(n->bytes.data + off, p, fits);
	n->bytes.len += grow;
	m->avail -= grow;
	return fits == len ? 0 : err_origin(-ENOSPC);
}

static struct node *node_new(struct memory *m, uint64_t number)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->number = number;
	n->refs = 1;
	n->next = m->nodes;
	m->nodes = n;
	return n;
}

static int mem_file_new(struct memory *m, struct node *n, struct pack_file **out)
{
	struct mem_file *f = calloc(1, sizeof(*f));

	if (!f)
		return err_origin(-ENOMEM);
	f->base.ops = &mem_ops;
	f->mem = m;
	f->node = n;
	n->refs++;
	*out = &f->base;
	return 0;
}

static int mem_create(struct packs *ps, uint64_t number, const void *head, size_t n, struct pack_file **out)
{
	struct memory *m = memory_of(ps);
	struct node *node;
	int r;

	LOCK_SCOPE(&m->lock);
	if (*find(m, number))
		return err_explain(-EEXIST, "create pack %012llx: it is there", (unsigned long long)number);
	node = node_new(m, number);
	if (!node)
		return err_origin(-ENOMEM);
	r = node_write(m, node, 0, head, n);
	if (!r)
		r = mem_file_new(m, node, out);
	if (r) {
		m->nodes = node->next;
		node_put(m, node);
	}
	return r;
}

static int mem_open(struct packs *ps, uint64_t number, enum pack_file_mode mode, struct pack_file **out)
{
	struct memory *m = memory_of(ps);
	struct node *n;

	LOCK_SCOPE(&m->lock);
	n = *find(m, number);
	if (!n)
		return err_explain(-ENOENT, "open pack %012llx: there is none", (unsigned long long)number);
	return mem_file_new(m, n, out);
}

static struct pack_file *mem_release(struct pack_file *pf)
{
	struct mem_file *f = file_of(pf);
	struct memory *m = f->mem;

	LOCK_SCOPE(&m->lock);
	node_put(m, f->node);
	free(f);
	return NULL;
}

static int mem_size(struct pack_file *pf, uint64_t *out)
{
	struct mem_file *f = file_of(pf);

	LOCK_SCOPE(&f->mem->lock);
	*out = f->node->bytes.len;
	return 0;
}

static int mem_pread(struct pack_file *pf, void *buf, size_t n, uint64_t off)
{
	struct mem_file *f = file_of(pf);
	const struct buf *b = &f->node->bytes;

	LOCK_SCOPE(&f->mem->lock);
	if (off > b->len || n > b->len - off)
		return err_origin(-EUCLEAN);
	if (n)
		memcpy(buf, b->data + off, n);
	return 0;
}

static int mem_write(struct pack_file *pf, uint64_t off, const void *a, size_t an, const void *b, size_t bn)
{
	struct mem_file *f = file_of(pf);
	struct memory *m = f->mem;
	int r;

	LOCK_SCOPE(&m->lock);
	if (m->fail_append && --m->fail_append == 0) {
		(void)node_write(m, f->node, off, a, an);
		(void)node_write(m, f->node, off + an, b, bn / 2);
		return err_origin(m->append_error);
	}
	r = node_write(m, f->node, off, a, an);
	return r ? r : node_write(m, f->node, off + an, b, bn);
}

static int mem_truncate(struct pack_file *pf, uint64_t len)
{
	struct mem_file *f = file_of(pf);
	struct node *n = f->node;

	LOCK_SCOPE(&f->mem->lock);
	if (len >= n->bytes.len)
		return 0;
	f->mem->avail += n->bytes.len - len;
	n->bytes.len = (size_t)len;
	if (n->synced > len)
		n->synced = (size_t)len;
	return 0;
}

static int mem_sync(struct pack_file *pf)
{
	struct mem_file *f = file_of(pf);
	struct memory *m = f->mem;

	LOCK_SCOPE(&m->lock);
	if (m->fail_sync && --m->fail_sync == 0)
		return err_origin(m->sync_error);
	f->node->synced = f->node->bytes.len;
	f->node->name_safe = true;
	return 0;
}

static int mem_push(struct pack_file *pf, uint64_t off, uint64_t n)
{
	return 0;
}

/* ---- the power cut ---------------------------------------------------------------------------------------- */

/* splitmix64: the same seed, the same cut. */
static uint64_t next_random(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Of the bytes behind @synced a random length stays, and a quarter of the sectors in it never reached the disk. */
static int copy_cut(struct memory *m, const struct node *from, uint64_t *seed)
{
	size_t kept = from->synced;
	struct node *n;
	int r;

	if (*seed)
		kept += next_random(seed) % (from->bytes.len - from->synced + 1);
	else if (!from->name_safe)
		return 0;
	if (!from->name_safe && next_random(seed) % 2)
		return 0;
	n = node_new(m, from->number);
	if (!n)
		return err_origin(-ENOMEM);
	r = node_write(m, n, 0, from->bytes.data, kept);
	if (r)
		return r;
	for (size_t at = from->synced; at < kept; at = (at / SECTOR + 1) * SECTOR) {
		size_t end = (at / SECTOR + 1) * SECTOR < kept ? (at / SECTOR + 1) * SECTOR : kept;

		if (next_random(seed) % 4 == 0)
			memset(n->bytes.data + at, 0, end - at);
	}
	n->synced = n->bytes.len;
	n->name_safe = true;
	return 0;
}

int packs_mem_cut(struct packs *ps, uint64_t seed, struct packs **out)
{
	struct memory *old = memory_of(ps), *m = memory_new();

	if (!m)
		return err_origin(-ENOMEM);
	LOCK_SCOPE(&old->lock);
	for (const struct node *n = old->nodes; n; n = n->next) {
		int r = copy_cut(m, n, &seed);

		if (r) {
			mem_close(&m->base);
			return r;
		}
	}
	*out = &m->base;
	return 0;
}

static const struct packs_ops mem_ops = {
	.close = mem_close,
	.space = mem_space,
	.exists = mem_exists,
	.unlink = mem_unlink,
	.folders = mem_folders,
	.list = mem_list,
	.create = mem_create,
	.open = mem_open,
	.release = mem_release,
	.size = mem_size,
	.pread = mem_pread,
	.write = mem_write,
	.truncate = mem_truncate,
	.sync = mem_sync,
	.push = mem_push,
};
