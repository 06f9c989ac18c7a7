/* SPDX-License-Identifier: BSD-2-Clause */
/* pack_set: a set of pack numbers.  Eight bytes and half a load a pack: a terabyte of duplicates touches 30,000. */
#ifndef CHUNK_PACK_SET_H
#define CHUNK_PACK_SET_H

#include <vtape/util.h>

struct pack_set {
	uint64_t *cells;	/* number + 1; 0 is empty */
	size_t cap, count;	/* cap: 0 or a power of two */
};
int pack_set_add(struct pack_set *s, uint64_t number);	/* -ENOMEM */
bool pack_set_has(const struct pack_set *s, uint64_t number);
int pack_set_merge(struct pack_set *into, const struct pack_set *from);
void pack_set_fini(struct pack_set *s);			/* empty, usable again */

#endif
