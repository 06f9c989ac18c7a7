/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The twin in memory: the definition of what kv.h promises, and a database that fails when a test wants it to.
 * Each space is a treap whose nodes never change: a write makes new nodes along its path and shares the rest.  So an
 * iterator is a reference to a root, and what a power cut would leave is the roots as of the last synced write.
 * It is for tests: out of memory is the end of the test.
 */
#include "kv/kv_twin.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

struct row {
	atomic_uint refs;
	size_t klen, vlen;
	uint8_t bytes[];	/* key, value */
};

struct node {
	atomic_uint refs;
	uint32_t priority;	/* no child's is greater: from the key, so the shape depends on the keys alone */
	struct row *row;
	struct node *left, *right;
};

struct roots {
	struct node *of[KV_SPACES];
};

struct kv_mem {
	struct kv kv;
	pthread_mutex_t lock;	/* guards what follows */
	struct roots now;
	struct roots durable;	/* what the last synced write left */
	uint64_t fail_after;	/* writes until one fails; 0: none will */
	int error;
};

struct mem_iter {
	struct kv_iter it;
	struct node *root;
	const struct row *row;	/* where it stands; NULL: not valid */
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* ---- nodes: "get" takes a reference, "put" gives it back ---- */

static struct row *row_new(const struct kv_op *op)
{
	struct row *row = must(malloc(sizeof(*row) + op->klen + op->vlen));

	row->refs = 1;
	row->klen = op->klen;
	row->vlen = op->vlen;
	if (op->klen)
		memcpy(row->bytes, op->key, op->klen);
	if (op->vlen)
		memcpy(row->bytes + op->klen, op->val, op->vlen);
	return row;
}

static struct row *row_get(struct row *row)
{
	row->refs++;
	return row;
}

static void row_put(struct row *row)
{
	if (--row->refs == 0)
		free(row);
}

static struct node *node_get(struct node *n)
{
	if (n)
		n->refs++;
	return n;
}

/* Recursion is as deep as the tree: a few dozen. */
static void node_put(struct node *n)
{
	if (!n || --n->refs)
		return;
	node_put(n->left);
	node_put(n->right);
	row_put(n->row);
	free(n);
}

static uint32_t priority_of(const struct row *row)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < row->klen; i++)
		h = (h ^ row->bytes[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return (uint32_t)(h >> 32);
}

/* Takes all three. */
static struct node *node_new(struct row *row, struct node *left, struct node *right)
{
	struct node *n = must(malloc(sizeof(*n)));

	n->refs = 1;
	n->priority = priority_of(row);
	n->row = row;
	n->left = left;
	n->right = right;
	return n;
}

/* ---- the tree is changed by cutting it in two and joining what is to stay ---- */

enum cut_place { BEFORE_KEY, AFTER_KEY, AFTER_PREFIX };

struct cut {
	enum cut_place place;
	const uint8_t *key;
	size_t klen;
};

static int compare(const uint8_t *a, size_t alen, const uint8_t *b, size_t blen)
{
	size_t n = alen < blen ? alen : blen;
	int r = n ? memcmp(a, b, n) : 0;

	return r ? r : (alen > blen) - (alen < blen);
}

static bool left_of(const struct row *row, const struct cut *cut)
{
	size_t klen = row->klen;

	if (cut->place == AFTER_PREFIX && klen > cut->klen)
		klen = cut->klen;
	return compare(row->bytes, klen, cut->key, cut->klen) < (cut->place == BEFORE_KEY ? 0 : 1);
}

/* @n is borrowed, both parts are the caller's. */
static void split(struct node *n, const struct cut *cut, struct node **left, struct node **right)
{
	struct node *part;

	if (!n) {
		*left = *right = NULL;
	} else if (left_of(n->row, cut)) {
		split(n->right, cut, &part, right);
		*left = node_new(row_get(n->row), node_get(n->left), part);
	} else {
		split(n->left, cut, left, &part);
		*right = node_new(row_get(n->row), part, node_get(n->right));
	}
}

/* Takes both; every key of @a is before every key of @b. */
static struct node *join(struct node *a, struct node *b)
{
	struct node *n;

	if (!a || !b)
		return a ? a : b;
	if (a->priority >= b->priority) {
		n = node_new(row_get(a->row), node_get(a->left), join(node_get(a->right), b));
		node_put(a);
	} else {
		n = node_new(row_get(b->row), join(a, node_get(b->left)), node_get(b->right));
		node_put(b);
	}
	return n;
}

/* Replaces the rows that @op is about by @row (taken; NULL: by nothing). */
static void change(struct node **root, const struct kv_op *op, struct row *row)
{
	struct cut from = { BEFORE_KEY, op->key, op->klen };
	struct cut to = { op->change == KV_DELETE_PREFIX ? AFTER_PREFIX : AFTER_KEY, op->key, op->klen };
	struct node *left, *rest, *gone, *right;

	split(*root, &from, &left, &rest);
	split(rest, &to, &gone, &right);
	node_put(rest);
	node_put(gone);
	node_put(*root);
	*root = join(join(left, row ? node_new(row, NULL, NULL) : NULL), right);
}


/* The first row right of @cut, or NULL. */
static const struct row *first_after(const struct node *n, const struct cut *cut)
{
	const struct row *best = NULL;

	while (n)
		if (left_of(n->row, cut)) {
			n = n->right;
		} else {
			best = n->row;
			n = n->left;
		}
	return best;
}

/* The last row left of @cut, or NULL. */
static const struct row *last_before(const struct node *n, const struct cut *cut)
{
	const struct row *best = NULL;

	while (n)
		if (left_of(n->row, cut)) {
			best = n->row;
			n = n->right;
		} else {
			n = n->left;
		}
	return best;
}

static struct roots roots_get(const struct roots *r)
{
	struct roots out;

	for (int s = 0; s < KV_SPACES; s++)
		out.of[s] = node_get(r->of[s]);
	return out;
}

static void roots_put(struct roots *r)
{
	for (int s = 0; s < KV_SPACES; s++)
		node_put(r->of[s]);
}

/* ---- iterators ---- */

static struct mem_iter *mem_iter_of(struct kv_iter *it)
{
	return (struct mem_iter *)it;
}

static void mem_iter_free(struct kv_iter *it)
{
	node_put(mem_iter_of(it)->root);
	free(it);
}

static void mem_iter_seek(struct kv_iter *it, const void *key, size_t klen)
{
	struct mem_iter *m = mem_iter_of(it);

	m->row = first_after(m->root, &(struct cut){ BEFORE_KEY, key, klen });
}

static void mem_iter_seek_back(struct kv_iter *it, const void *key, size_t klen)
{
	struct mem_iter *m = mem_iter_of(it);

	m->row = last_before(m->root, &(struct cut){ AFTER_KEY, key, klen });
}

static void mem_iter_next(struct kv_iter *it)
{
	struct mem_iter *m = mem_iter_of(it);

	assert(m->row);
	m->row = first_after(m->root, &(struct cut){ AFTER_KEY, m->row->bytes, m->row->klen });
}

static void mem_iter_prev(struct kv_iter *it)
{
	struct mem_iter *m = mem_iter_of(it);

	assert(m->row);
	m->row = last_before(m->root, &(struct cut){ BEFORE_KEY, m->row->bytes, m->row->klen });
}

static bool mem_iter_valid(struct kv_iter *it)
{
	return mem_iter_of(it)->row;
}

static const uint8_t *mem_iter_key(struct kv_iter *it, size_t *len)
{
	const struct row *row = mem_iter_of(it)->row;

	assert(row);
	*len = row->klen;
	return row->bytes;
}

static const uint8_t *mem_iter_value(struct kv_iter *it, size_t *len)
{
	const struct row *row = mem_iter_of(it)->row;

	assert(row);
	*len = row->vlen;
	return row->bytes + row->klen;
}

static int mem_iter_error(struct kv_iter *it)
{
	return 0;
}

static const struct kv_iter_ops mem_iter_ops = {
	.free = mem_iter_free,
	.seek = mem_iter_seek,
	.seek_back = mem_iter_seek_back,
	.next = mem_iter_next,
	.prev = mem_iter_prev,
	.valid = mem_iter_valid,
	.key = mem_iter_key,
	.value = mem_iter_value,
	.error = mem_iter_error,
};

/* ---- the database ---- */

static struct kv_mem *mem_of(struct kv *kv)
{
	return (struct kv_mem *)kv;
}

static struct node *root_get(struct kv_mem *m, enum kv_space s)
{
	LOCK_SCOPE(&m->lock);
	return node_get(m->now.of[s]);
}

static void mem_close(struct kv *kv)
{
	struct kv_mem *m = mem_of(kv);

	roots_put(&m->now);
	roots_put(&m->durable);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static int mem_get(struct kv *kv, enum kv_space s, const void *key, size_t klen, struct buf *value)
{
	struct node *root = root_get(mem_of(kv), s);
	const struct row *row = first_after(root, &(struct cut){ BEFORE_KEY, key, klen });
	int r = KV_E_NONE;

	if (row && !compare(row->bytes, row->klen, key, klen)) {
		value->len = 0;
		r = buf_append(value, row->bytes + row->klen, row->vlen);
	}
	node_put(root);
	return r;
}

static int mem_any(struct kv *kv, enum kv_space s, const void *prefix, size_t plen)
{
	struct node *root = root_get(mem_of(kv), s);
	const struct row *row = first_after(root, &(struct cut){ BEFORE_KEY, prefix, plen });
	int r = row && !left_of(row, &(struct cut){ BEFORE_KEY, prefix, plen }) &&
				left_of(row, &(struct cut){ AFTER_PREFIX, prefix, plen })
			? 0
			: KV_E_NONE;

	node_put(root);
	return r;
}

static int mem_write(struct kv *kv, const struct kv_batch *b, bool sync)
{
	struct kv_mem *m = mem_of(kv);
	struct kv_op op;
	size_t at = 0;

	LOCK_SCOPE(&m->lock);
	if (m->fail_after && --m->fail_after == 0)
		return err_explain(m->error, "planned fault: %s", strerror(-m->error));
	while (kv_batch_next(b, &at, &op))
		change(&m->now.of[op.space], &op, op.change == KV_PUT ? row_new(&op) : NULL);
	if (sync) {
		roots_put(&m->durable);
		m->durable = roots_get(&m->now);
	}
	return 0;
}

static int mem_iter_new(struct kv *kv, enum kv_space s, struct kv_iter **out)
{
	struct mem_iter *m = must(calloc(1, sizeof(*m)));

	m->it.ops = &mem_iter_ops;
	m->root = root_get(mem_of(kv), s);
	*out = &m->it;
	return 0;
}

static uint64_t tree_bytes(const struct node *n)
{
	return n ? sizeof(*n) + sizeof(*n->row) + n->row->klen + n->row->vlen + tree_bytes(n->left) +
			   tree_bytes(n->right)
		 : 0;
}

static int mem_usage(struct kv *kv, struct kv_usage *out)
{
	struct kv_mem *m = mem_of(kv);

	LOCK_SCOPE(&m->lock);
	*out = (struct kv_usage){ 0 };
	for (int s = 0; s < KV_SPACES; s++)
		out->memory_bytes += tree_bytes(m->now.of[s]);
	return 0;
}

static const struct kv_ops mem_ops = {
	.close = mem_close,
	.get = mem_get,
	.any = mem_any,
	.write = mem_write,
	.iter_new = mem_iter_new,
	.usage = mem_usage,
};

int kv_mem_new(struct kv **out)
{
	struct kv_mem *m = must(calloc(1, sizeof(*m)));

	m->kv.ops = &mem_ops;
	pthread_mutex_init(&m->lock, NULL);
	*out = &m->kv;
	return 0;
}

void kv_mem_plan_fault(struct kv *kv, uint64_t fail_after, int error)
{
	struct kv_mem *m = mem_of(kv);

	assert(kv->ops == &mem_ops && error < 0);
	LOCK_SCOPE(&m->lock);
	m->fail_after = fail_after;
	m->error = error;
}

int kv_mem_cut(struct kv *kv, struct kv **out)
{
	struct kv_mem *m = mem_of(kv);
	struct kv *cut;
	int r;

	assert(kv->ops == &mem_ops);
	r = kv_mem_new(&cut);
	if (r)
		return r;
	LOCK_SCOPE(&m->lock);
	mem_of(cut)->now = roots_get(&m->durable);
	mem_of(cut)->durable = roots_get(&m->durable);
	*out = cut;
	return 0;
}
