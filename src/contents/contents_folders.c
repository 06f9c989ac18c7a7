/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folders of a list that is being made: which number has the folder of that name in that folder.  As many as
 * there is memory for; the one that was not asked for for longest goes first, and is looked up in the rows when it
 * comes again.  Beside it a sieve (a Bloom filter) of every name in its folder, so that what is new needs no
 * look-up at all.
 */
#include "contents/list.h"

#include <assert.h>
#include <errno.h>

#define FOLDERS_MAX 65536u
#define NAMES_BYTES (8u << 20)
#define SIEVE_SMALL_BITS (1u << 16)	/* of the first names: most lists are short, and it is soon cleared */
#define SIEVE_SMALL_NAMES 2048u
#define SIEVE_BITS (1u << 25)

struct folder {
	uint32_t dir, number;
	uint32_t chain;			/* next of the same bucket, as all indices + 1; 0: none */
	uint32_t older, newer;
	uint64_t hash;
	char *name;
};

struct folders {
	struct folder *of;		/* FOLDERS_MAX */
	uint32_t *bucket;		/* FOLDERS_MAX */
	uint64_t *small, *sieve;	/* SIEVE_SMALL_BITS, then SIEVE_BITS; NULL: not needed yet */
	uint32_t noted;			/* in @small */
	uint32_t used;			/* of @of ever used */
	uint32_t free;			/* chain of those that went */
	uint32_t oldest, newest, count;
	size_t names_bytes;
};

static uint64_t hash_of(uint32_t dir, const char *name)
{
	uint64_t h = sum64(name, strlen(name)) ^ dir * 0x9e3779b97f4a7c15u;

	h ^= h >> 29;
	return h * 0xbf58476d1ce4e5b9u;
}

int folders_new(struct folders **out)
{
	struct folders *f = calloc(1, sizeof(*f));

	if (!f)
		return err_origin(-ENOMEM);
	f->of = malloc(FOLDERS_MAX * sizeof(*f->of));
	f->bucket = calloc(FOLDERS_MAX, sizeof(*f->bucket));
	f->small = calloc(SIEVE_SMALL_BITS / 64, sizeof(*f->small));
	if (!f->of || !f->bucket || !f->small) {
		folders_free(f);
		return err_origin(-ENOMEM);
	}
	*out = f;
	return 0;
}

struct folders *folders_free(struct folders *f)
{
	if (f) {
		for (uint32_t i = 0; f->of && i < f->used; i++)
			free(f->of[i].name);
		free(f->of);
		free(f->bucket);
		free(f->small);
		free(f->sieve);
		free(f);
	}
	return NULL;
}

/* ---- from the one that was asked for last to the one that was not for longest ---- */

static struct folder *at(struct folders *f, uint32_t i)
{
	return &f->of[i - 1];
}

static void unlink_age(struct folders *f, uint32_t i)
{
	struct folder *e = at(f, i);

	if (e->older)
		at(f, e->older)->newer = e->newer;
	else
		f->oldest = e->newer;
	if (e->newer)
		at(f, e->newer)->older = e->older;
	else
		f->newest = e->older;
}

static void link_newest(struct folders *f, uint32_t i)
{
	struct folder *e = at(f, i);

	e->newer = 0;
	e->older = f->newest;
	if (f->newest)
		at(f, f->newest)->newer = i;
	else
		f->oldest = i;
	f->newest = i;
}

/* ---- the table ---- */

static uint32_t *bucket_of(struct folders *f, uint64_t hash)
{
	return &f->bucket[(hash >> 32) % FOLDERS_MAX];
}

uint32_t folders_find(struct folders *f, uint32_t dir, const char *name)
{
	uint64_t hash = hash_of(dir, name);

	for (uint32_t i = *bucket_of(f, hash); i; i = at(f, i)->chain) {
		const struct folder *e = at(f, i);

		if (e->hash != hash || e->dir != dir || strcmp(e->name, name))
			continue;
		unlink_age(f, i);
		link_newest(f, i);
		return e->number;
	}
	return 0;
}

static void drop_oldest(struct folders *f)
{
	uint32_t i = f->oldest, *link;
	struct folder *e = at(f, i);

	for (link = bucket_of(f, e->hash); *link != i; link = &at(f, *link)->chain)
		;
	*link = e->chain;
	unlink_age(f, i);
	f->names_bytes -= strlen(e->name) + 1;
	f->count--;
	free(e->name);
	e->name = NULL;
	e->chain = f->free;
	f->free = i;
}

bool folders_make_room(struct folders *f, const char *name, uint32_t least)
{
	while (f->count && (f->count == FOLDERS_MAX || f->names_bytes + strlen(name) + 1 > NAMES_BYTES)) {
		if (at(f, f->oldest)->number > least)
			return false;
		drop_oldest(f);
	}
	return true;
}

int folders_add(struct folders *f, uint32_t dir, const char *name, uint32_t number)
{
	uint64_t hash = hash_of(dir, name);
	uint32_t *bucket = bucket_of(f, hash), i;
	char *copy;

	assert(f->count < FOLDERS_MAX);
	copy = strdup(name);
	if (!copy)
		return err_origin(-ENOMEM);
	i = f->free;
	if (i)
		f->free = at(f, i)->chain;
	else
		i = ++f->used;
	*at(f, i) = (struct folder){ .dir = dir, .number = number, .chain = *bucket, .hash = hash, .name = copy };
	*bucket = i;
	link_newest(f, i);
	f->names_bytes += strlen(name) + 1;
	f->count++;
	return 0;
}

/* ---- the sieve ---- */

/* Notes it, or only looks. True: it was there. */
static bool sieve_bits(uint64_t *sieve, uint32_t bits, uint64_t hash, bool note)
{
	uint32_t a = (uint32_t)hash % bits, b = (uint32_t)(hash >> 32) % bits;
	bool had = sieve[a / 64] >> a % 64 & sieve[b / 64] >> b % 64 & 1;

	if (note) {
		sieve[a / 64] |= 1ull << a % 64;
		sieve[b / 64] |= 1ull << b % 64;
	}
	return had;
}

static bool sieve_has(const struct folders *f, uint64_t hash)
{
	return sieve_bits(f->small, SIEVE_SMALL_BITS, hash, false) ||
	       (f->sieve && sieve_bits(f->sieve, SIEVE_BITS, hash, false));
}

bool folders_noted(const struct folders *f, uint32_t dir, const char *name)
{
	return sieve_has(f, hash_of(dir, name));
}

/* Without memory for the large one the small one fills up, and more is looked up. */
bool folders_note(struct folders *f, uint32_t dir, const char *name)
{
	uint64_t hash = hash_of(dir, name);
	bool had = sieve_has(f, hash);

	if (f->noted >= SIEVE_SMALL_NAMES && !f->sieve)
		f->sieve = calloc(SIEVE_BITS / 64, sizeof(*f->sieve));
	if (f->sieve)
		sieve_bits(f->sieve, SIEVE_BITS, hash, true);
	else
		sieve_bits(f->small, SIEVE_SMALL_BITS, hash, true);
	f->noted += !had;
	return had;
}
