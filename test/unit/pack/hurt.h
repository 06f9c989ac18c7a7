/* SPDX-License-Identifier: BSD-2-Clause */
/* A backing that hurts: the twin's operations, with one that fails or is watched put in between. */
#ifndef HURT_H
#define HURT_H

#include "unit/pack/raw.h"

static const struct packs_ops *well; /* the operations as they were */
static struct packs_ops hurt;	     /* a copy, for the test to change */
static unsigned hurt_at, hurt_calls; /* call number hurt_at (from 1) fails */

static inline int hurt_open(struct packs *ps, uint64_t number, enum pack_file_mode mode,
			    struct pack_file **out)
{
	int r = well->open(ps, number, mode, out);

	if (!r)
		(*out)->ops = &hurt;
	return r;
}

static inline int hurt_create(struct packs *ps, uint64_t number, const void *head, size_t n, struct pack_file **out)
{
	int r = well->create(ps, number, head, n, out);

	if (!r)
		(*out)->ops = &hurt;
	return r;
}

/* From now on every file opened or created goes through @hurt; undone by heal(). */
static inline void begin_hurt(struct packs *ps)
{
	well = ps->ops;
	hurt = *well;
	hurt.open = hurt_open;
	hurt.create = hurt_create;
	hurt_at = hurt_calls = 0;
	ps->ops = &hurt;
}

static inline void heal(struct packs *ps)
{
	ps->ops = well;
}

#endif
