/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A layer over other packs that fails as planned: for tests that let every step of something fail, one after the other.
 * It is above files or memory alike; what a power cut leaves is still asked of the packs below it.
 */
#include <errno.h>

#include "pack/backing.h"

struct faulty {
	struct packs base;
	struct packs *under;
	pthread_mutex_t lock; /* guards what follows */
	struct packs_fault plan;
	uint64_t steps; /* of the kinds that are planned */
	bool met;
	struct stale *stale;
};

/* Bytes that are in the system's cache and not on the disk. */
struct stale {
	struct stale *next;
	uint64_t number, at, n;
	uint8_t bytes[];
};

struct faulty_file {
	struct pack_file base;
	struct faulty *faulty;
	struct pack_file *under;
	uint64_t number;
	bool direct;
	uint64_t synced; /* bytes that the last sync made safe */
};

static const struct packs_ops faulty_ops;

static struct faulty *faulty_of(struct packs *ps)
{
	return (struct faulty *)ps;
}

static struct packs *under(struct packs *ps)
{
	return faulty_of(ps)->under;
}

static struct faulty_file *file_of(struct pack_file *f)
{
	return (struct faulty_file *)f;
}

static struct pack_file *under_file(struct pack_file *f)
{
	return file_of(f)->under;
}

int packs_faulty_new(struct packs *below, struct packs **out)
{
	struct faulty *f = calloc(1, sizeof(*f));

	if (!f)
		return err_origin(-ENOMEM);
	f->base.ops = &faulty_ops;
	f->under = below;
	pthread_mutex_init(&f->lock, NULL);
	*out = &f->base;
	return 0;
}

void packs_faulty_plan(struct packs *ps, const struct packs_fault *plan)
{
	struct faulty *f = faulty_of(ps);

	LOCK_SCOPE(&f->lock);
	f->plan = plan ? *plan : (struct packs_fault){ 0 };
	f->steps = 0;
	f->met = false;
}

bool packs_faulty_met(struct packs *ps)
{
	struct faulty *f = faulty_of(ps);

	LOCK_SCOPE(&f->lock);
	return f->met;
}

/* Is it this step that fails?  If so, *plan says how. */
static bool fails(struct faulty *f, enum packs_step kind, struct packs_fault *plan)
{
	LOCK_SCOPE(&f->lock);

	if (!(f->plan.kinds & kind))
		return false;
	f->steps++;
	if (f->steps != f->plan.step && !(f->plan.lasting && f->steps > f->plan.step))
		return false;
	f->met = true;
	*plan = f->plan;
	return true;
}

static int refused(const struct packs_fault *plan, const char *what)
{
	return err_explain(-abs(plan->error), "%s: a fault that was planned", what);
}

/* ---- the folder ------------------------------------------------------------------------------------------------ */

static struct packs *faulty_close(struct packs *ps)
{
	while (faulty_of(ps)->stale) {
		struct stale *s = faulty_of(ps)->stale;

		faulty_of(ps)->stale = s->next;
		free(s);
	}
	pthread_mutex_destroy(&faulty_of(ps)->lock);
	free(faulty_of(ps));
	return NULL;
}

static int faulty_space(struct packs *ps, uint64_t *avail, uint64_t *total)
{
	return packs_space(under(ps), avail, total);
}

static bool faulty_exists(struct packs *ps, uint64_t number)
{
	return pack_exists(under(ps), number);
}

static int faulty_unlink(struct packs *ps, uint64_t number)
{
	struct packs_fault plan;

	if (fails(faulty_of(ps), PACKS_UNLINK, &plan))
		return refused(&plan, "unlink");
	return under(ps)->ops->unlink(under(ps), number);
}

static int faulty_folders(struct packs *ps, struct pack_numbers *out)
{
	return under(ps)->ops->folders(under(ps), out);
}

static int faulty_list(struct packs *ps, uint64_t folder, struct pack_numbers *out)
{
	struct packs_fault plan;

	if (fails(faulty_of(ps), PACKS_LIST, &plan))
		return refused(&plan, "list");
	return under(ps)->ops->list(under(ps), folder, out);
}

/* Takes @below. */
static int file_new(struct packs *ps, uint64_t number, struct pack_file *below, struct pack_file **out)
{
	struct faulty_file *f = calloc(1, sizeof(*f));

	if (!f) {
		below->ops->release(below);
		return err_origin(-ENOMEM);
	}
	f->base.ops = &faulty_ops;
	f->faulty = faulty_of(ps);
	f->number = number;
	f->under = below;
	*out = &f->base;
	return 0;
}

static int faulty_create(struct packs *ps, uint64_t number, const void *head, size_t n, struct pack_file **out)
{
	struct packs_fault plan;
	struct pack_file *below;
	int r;

	if (fails(faulty_of(ps), PACKS_CREATE, &plan))
		return refused(&plan, "create");
	r = under(ps)->ops->create(under(ps), number, head, n, &below);
	return r ? r : file_new(ps, number, below, out);
}

static int faulty_open(struct packs *ps, uint64_t number, enum pack_file_mode mode, struct pack_file **out)
{
	struct packs_fault plan;
	struct pack_file *below;
	int r;

	if (fails(faulty_of(ps), PACKS_OPEN, &plan))
		return refused(&plan, "open");
	r = under(ps)->ops->open(under(ps), number, mode, &below);
	if (r)
		return r;
	r = file_new(ps, number, below, out);
	if (!r)
		file_of(*out)->direct = mode == PACK_FILE_DIRECT;
	if (!r && below->ops->size(below, &file_of(*out)->synced) != 0)
		file_of(*out)->synced = UINT64_MAX; /* then nothing of it can be lost */
	return r;
}

/* ---- one file -------------------------------------------------------------------------------------------------- */

static struct pack_file *faulty_release(struct pack_file *f)
{
	under_file(f)->ops->release(under_file(f));
	free(file_of(f));
	return NULL;
}

static int faulty_size(struct pack_file *f, uint64_t *out)
{
	return under_file(f)->ops->size(under_file(f), out);
}

/* ---- what only the cache has ---- */

/* The part of @s that lies in the @n bytes from @off on: *at of them, and how long it is. */
static uint64_t overlap(const struct stale *s, uint64_t off, uint64_t n, uint64_t *at)
{
	uint64_t from = s->at > off ? s->at : off, to = s->at + s->n < off + n ? s->at + s->n : off + n;

	*at = from;
	return to > from ? to - from : 0;
}

/* Into what was read; or, without @buf, what was written anew or cut off is forgotten with all behind it. */
static void overlay(const struct faulty_file *f, uint8_t *buf, uint64_t n, uint64_t off)
{
	uint64_t at, len;

	LOCK_SCOPE(&f->faulty->lock);
	for (struct stale *s = f->faulty->stale; s; s = s->next) {
		len = s->number == f->number ? overlap(s, off, n, &at) : 0;
		if (len && buf)
			memcpy(buf + (at - off), s->bytes + (at - s->at), len);
		else if (len)
			s->n = at - s->at;
	}
}

static int make_stale(struct faulty_file *f)
{
	struct faulty *fa = f->faulty;
	struct stale *s;
	uint64_t size;
	int r = f->under->ops->size(f->under, &size);

	if (r || size <= f->synced)
		return r;
	s = malloc(sizeof(*s) + size - f->synced);
	if (!s)
		return err_origin(-ENOMEM);
	*s = (struct stale){ .number = f->number, .at = f->synced, .n = size - f->synced };
	r = f->under->ops->pread(f->under, s->bytes, s->n, s->at);
	LOCK_SCOPE(&fa->lock);
	s->next = fa->stale;
	fa->stale = s;
	return r;
}

static int faulty_pread(struct pack_file *f, void *buf, size_t n, uint64_t off)
{
	bool hurt;
	struct packs_fault plan;
	int r;

	hurt = fails(file_of(f)->faulty, PACKS_READ, &plan);
	if (hurt && plan.how != PACKS_FLIPPED)
		return refused(&plan, "read");
	r = under_file(f)->ops->pread(under_file(f), buf, n, off);
	if (!r && !file_of(f)->direct)
		overlay(file_of(f), buf, n, off);
	if (!r && hurt && n)
		((uint8_t *)buf)[n / 2] ^= 4;
	return r;
}

static int faulty_write(struct pack_file *f, uint64_t off, const void *a, size_t an, const void *b, size_t bn)
{
	struct packs_fault plan;

	overlay(file_of(f), NULL, an + bn, off);
	if (!fails(file_of(f)->faulty, PACKS_WRITE, &plan))
		return under_file(f)->ops->write(under_file(f), off, a, an, b, bn);
	if (plan.how == PACKS_PARTLY)
		(void)under_file(f)->ops->write(under_file(f), off, a, an, b, bn / 2);
	return refused(&plan, "write");
}

static int faulty_truncate(struct pack_file *f, uint64_t len)
{
	struct packs_fault plan;

	if (fails(file_of(f)->faulty, PACKS_TRUNCATE, &plan))
		return refused(&plan, "truncate");
	overlay(file_of(f), NULL, PACK_BYTES_MAX, len);
	return under_file(f)->ops->truncate(under_file(f), len);
}

/* As a system that drops the pages it could not write: the bytes are zeros from now on. */
static void lose_unsynced(struct faulty_file *f)
{
	uint64_t size;
	uint8_t *zeros;

	if (f->under->ops->size(f->under, &size) != 0 || size <= f->synced)
		return;
	zeros = calloc(1, size - f->synced);
	if (zeros)
		(void)f->under->ops->write(f->under, f->synced, zeros, size - f->synced, NULL, 0);
	free(zeros);
}

static int faulty_sync(struct pack_file *f)
{
	struct packs_fault plan;
	uint64_t size;
	int r;

	if (fails(file_of(f)->faulty, PACKS_SYNC, &plan)) {
		if (plan.how == PACKS_STALE && make_stale(file_of(f)))
			log_error("a planned fault is not what it should be");
		if (plan.how == PACKS_PARTLY || plan.how == PACKS_STALE)
			lose_unsynced(file_of(f));
		return refused(&plan, "sync");
	}
	r = under_file(f)->ops->size(under_file(f), &size);
	if (!r)
		r = under_file(f)->ops->sync(under_file(f));
	if (!r)
		file_of(f)->synced = size;
	return r;
}

static int faulty_push(struct pack_file *f, uint64_t off, uint64_t n)
{
	return under_file(f)->ops->push(under_file(f), off, n);
}

static const struct packs_ops faulty_ops = {
	.close = faulty_close,
	.space = faulty_space,
	.exists = faulty_exists,
	.unlink = faulty_unlink,
	.folders = faulty_folders,
	.list = faulty_list,
	.create = faulty_create,
	.open = faulty_open,
	.release = faulty_release,
	.size = faulty_size,
	.pread = faulty_pread,
	.write = faulty_write,
	.truncate = faulty_truncate,
	.sync = faulty_sync,
	.push = faulty_push,
};
