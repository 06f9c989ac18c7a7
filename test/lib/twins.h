/* SPDX-License-Identifier: BSD-2-Clause */
/* twins: database and packs in memory, which stand in for a disk: what a power cut leaves of them. */
#ifndef TEST_TWINS_H
#define TEST_TWINS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <vtape/kv.h>
#include <vtape/pack.h>

struct twins { struct kv *kv; struct packs *packs; };

/* As the disk is if the power fails now; @torn: what was not synced is there in parts that follow from it, 0: not. */
static inline struct twins twins_cut(struct kv *kv, struct packs *packs, uint64_t torn)
{
	struct twins left;

	assert_int_equal(kv_mem_cut(kv, &left.kv), 0);
	assert_int_equal(packs_mem_cut(packs, torn, &left.packs), 0);
	return left;
}

/* The power comes back: @left is what there is.  Nobody has the others open any more. */
static inline void twins_replace(struct kv **kv, struct packs **packs, struct twins left)
{
	packs_close(*packs);
	kv_close(*kv);
	*kv = left.kv;
	*packs = left.packs;
}

#endif
