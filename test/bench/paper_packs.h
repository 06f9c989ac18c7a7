/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packs 1 to @count that take no disk: one is made up, in memory, when it is opened.  Its table of contents is whole
 * and of the real size, its chunks have 16 stored bytes of nothing each.  So what a collector does with packs of which
 * it reads no data costs it what it costs with real ones, but for the disk's time to read a table or to remove a file.
 */
#ifndef BENCH_PAPER_PACKS_H
#define BENCH_PAPER_PACKS_H

#include "pack/backing.h"

#define PAPER_SLOTS 2048u		/* of 32 KiB in 16 KiB: a pack of 32 MiB */
#define PAPER_STORED 16u
#define PAPER_KEPT 64u			/* so many that were opened last are in memory */

struct paper {
	struct packs base;
	struct packs_ops ops;
	struct packs *made;
	uint64_t count;
	uint8_t *removed;		/* a bit for each */
	uint64_t kept[PAPER_KEPT], opened;
};

static inline uint64_t paper_noise(uint64_t a, uint64_t b)
{
	uint64_t x = (a + 1) * 0x9e3779b97f4a7c15u + b * 0xd1342543de82ef95u;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ x >> 29;
}

/* 16 to 48 KiB. */
static inline uint32_t paper_len(uint64_t pack, uint32_t slot)
{
	return (16u << 10) + (uint32_t)(paper_noise(pack, slot) % (32u << 10));
}

static inline bool paper_exists(struct packs *ps, uint64_t number)
{
	struct paper *p = (struct paper *)ps;

	return number && number <= p->count && !(p->removed[number / 8] >> number % 8 & 1);
}

static inline int paper_unlink(struct packs *ps, uint64_t number)
{
	struct paper *p = (struct paper *)ps;

	p->removed[number / 8] |= (uint8_t)(1u << number % 8);
	return pack_unlink(p->made, number);
}

static inline int paper_make(struct paper *p, uint64_t number)
{
	static const uint8_t stored[PAPER_STORED];
	CLEANUP(pack_releasep) struct pack *pack = NULL;
	uint64_t *kept = &p->kept[p->opened++ % PAPER_KEPT];
	int r = *kept ? pack_unlink(p->made, *kept) : 0;

	*kept = number;
	r = r ? r : pack_create(p->made, number, &pack);
	for (uint32_t i = 0, slot; !r && i < PAPER_SLOTS; i++) {
		struct pack_entry e = { .raw_len = paper_len(number, i), .stored_len = PAPER_STORED };

		for (unsigned k = 0; k < 4; k++)
			put_le64(e.digest.b + 8 * k, paper_noise(number * PAPER_SLOTS + i, k));
		r = pack_append(pack, &e, stored, &slot);
	}
	return r ? r : pack_seal(pack);
}

static inline int paper_open(struct packs *ps, uint64_t number, enum pack_file_mode mode, struct pack_file **out)
{
	struct paper *p = (struct paper *)ps;
	int r = paper_exists(ps, number) ? 0 : -ENOENT;

	if (!r && !pack_exists(p->made, number))
		r = paper_make(p, number);
	return r ? r : p->made->ops->open(p->made, number, mode, out);
}

static inline int paper_space(struct packs *ps, uint64_t *avail, uint64_t *total)
{
	*avail = 1ull << 40;
	*total = 1ull << 50;
	return 0;
}

static inline int paper_list(struct packs *ps, uint64_t folder, struct pack_numbers *out) { return 0; }
static inline int paper_folders(struct packs *ps, struct pack_numbers *out) { return 0; }

/* Nothing is ever written to one: what is copied needs real packs. */
static inline int paper_create(struct packs *ps, uint64_t number, const void *head, size_t n, struct pack_file **out)
{
	return -EROFS;
}

static inline struct packs *paper_close(struct packs *ps)
{
	struct paper *p = (struct paper *)ps;

	packs_close(p->made);
	free(p->removed);
	free(p);
	return NULL;
}

static inline int paper_new(uint64_t count, struct packs **out)
{
	struct paper *p = calloc(1, sizeof(*p));
	int r = p ? packs_mem_new(&p->made) : -ENOMEM;

	if (r) {
		free(p);
		return r;
	}
	p->ops = (struct packs_ops){
		.close = paper_close, .space = paper_space, .exists = paper_exists, .unlink = paper_unlink,
		.folders = paper_folders, .list = paper_list, .create = paper_create, .open = paper_open,
	};
	p->base.ops = &p->ops;
	p->count = count;
	p->removed = calloc(count / 8 + 1, 1);
	*out = &p->base;
	return p->removed ? 0 : -ENOMEM;
}

#endif
