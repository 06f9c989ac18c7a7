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
	struct node *of[KV_ALL_SPACES];
};

/* What a disk may have besides the durable writes: bounded, since tests with a journal never sync the database. */
#define RECENT_MAX 16

struct kv_mem {
	struct kv kv;
	pthread_mutex_t lock;	/* guards what follows */
	struct roots now;
	struct roots durable;	/* what the last synced write left */
	struct roots recent[RECENT_MAX];	/* what later ones left, failed ones too; a ring */
	uint64_t recent_count;
	uint64_t fail_after;	/* steps until one fails; 0: none will */
	uint64_t fail_count;	/* how many then do */
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

	for (int s = 0; s < KV_ALL_SPACES; s++)
		out.of[s] = node_get(r->of[s]);
	return out;
}

static void roots_put(struct roots *r)
{
	for (int s = 0; s < KV_ALL_SPACES; s++)
		node_put(r->of[s]);
}

static void recent_drop(struct kv_mem *m)
{
	for (size_t i = 0; i < RECENT_MAX; i++) {
		roots_put(&m->recent[i]);
		m->recent[i] = (struct roots){ 0 };
	}
	m->recent_count = 0;
}

/* Takes @r. */
static void recent_add(struct kv_mem *m, struct roots r)
{
	struct roots *at = &m->recent[m->recent_count++ % RECENT_MAX];

	roots_put(at);
	*at = r;
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
	recent_drop(m);
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

/* With the lock held. */
static int step(struct kv_mem *m)
{
	if (!m->fail_after || --m->fail_after)
		return 0;
	if (--m->fail_count)
		m->fail_after = 1;
	return err_explain(m->error, "planned fault: %s", strerror(-m->error));
}

int kv_mem_step(struct kv *kv)
{
	struct kv_mem *m = mem_of(kv);

	LOCK_SCOPE(&m->lock);
	return step(m);
}

static void apply(struct roots *to, const struct kv_op *op)
{
	change(&to->of[op->space], op, op->change == KV_PUT ? row_new(op) : NULL);
}

static int mem_write(struct kv *kv, const struct kv_batch *b, const struct kv_op *also, bool sync)
{
	struct kv_mem *m = mem_of(kv);
	struct roots after;
	struct kv_op op;
	size_t at = 0;
	int r;

	LOCK_SCOPE(&m->lock);
	after = roots_get(&m->now);
	while (kv_batch_next(b, &at, &op))
		apply(&after, &op);
	if (also)
		apply(&after, also);
	r = step(m);
	recent_add(m, roots_get(&after));
	if (r) {
		roots_put(&after);
		return r;
	}
	roots_put(&m->now);
	m->now = after;
	if (sync) {
		roots_put(&m->durable);
		m->durable = roots_get(&m->now);
		recent_drop(m);
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

static int mem_check(struct kv *kv, kv_bad_fn *bad, void *ctx)
{
	return 0;
}

static void mem_plan_fault(struct kv *kv, uint64_t after, uint64_t count, int error)
{
	struct kv_mem *m = mem_of(kv);

	LOCK_SCOPE(&m->lock);
	m->fail_after = after;
	m->fail_count = count;
	m->error = error;
}

static int mem_cut(struct kv *kv, uint64_t seed, struct kv **out)
{
	struct kv_mem *m = mem_of(kv);
	const struct roots *left;
	uint64_t n;
	int r;

	r = kv_mem_new(out);
	if (r)
		return r;
	LOCK_SCOPE(&m->lock);
	left = &m->durable;
	n = m->recent_count < RECENT_MAX ? m->recent_count : RECENT_MAX;
	if (seed && seed % (n + 1))
		left = &m->recent[seed % (n + 1) - 1];
	mem_of(*out)->now = roots_get(left);
	mem_of(*out)->durable = roots_get(left);
	return 0;
}

static const struct kv_ops mem_ops = {
	.close = mem_close,
	.get = mem_get,
	.any = mem_any,
	.write = mem_write,
	.iter_new = mem_iter_new,
	.usage = mem_usage,
	.check = mem_check,
	.plan_fault = mem_plan_fault,
	.cut = mem_cut,
};

int kv_mem_new(struct kv **out)
{
	struct kv_mem *m = must(calloc(1, sizeof(*m)));

	m->kv.ops = &mem_ops;
	pthread_mutex_init(&m->lock, NULL);
	*out = &m->kv;
	return 0;
}
