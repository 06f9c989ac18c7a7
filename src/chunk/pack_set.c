/* SPDX-License-Identifier: BSD-2-Clause */
/* pack_set: open addressing, at most half full, numbers spread by a multiplication. */
#include <errno.h>

#include "chunk/pack_set.h"

static uint64_t *cell_of(uint64_t *cells, size_t cap, uint64_t number)
{
	size_t i = (size_t)((number * 0x9e3779b97f4a7c15u) >> 32) & (cap - 1);

	while (cells[i] && cells[i] != number + 1)
		i = (i + 1) & (cap - 1);
	return &cells[i];
}

static int grow(struct pack_set *s)
{
	size_t cap = s->cap ? s->cap * 2 : 16;
	uint64_t *cells = calloc(cap, sizeof(*cells));

	if (!cells)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < s->cap; i++)
		if (s->cells[i])
			*cell_of(cells, cap, s->cells[i] - 1) = s->cells[i];
	free(s->cells);
	s->cells = cells;
	s->cap = cap;
	return 0;
}

int pack_set_add(struct pack_set *s, uint64_t number)
{
	uint64_t *cell;
	int r;

	if (pack_set_has(s, number))
		return 0;
	if (s->count * 2 >= s->cap) {
		r = grow(s);
		if (r)
			return r;
	}
	cell = cell_of(s->cells, s->cap, number);
	*cell = number + 1;
	s->count++;
	return 0;
}

bool pack_set_has(const struct pack_set *s, uint64_t number)
{
	return s->cap && *cell_of(s->cells, s->cap, number);
}

int pack_set_merge(struct pack_set *into, const struct pack_set *from)
{
	int r = 0;

	for (size_t i = 0; i < from->cap && !r; i++)
		if (from->cells[i])
			r = pack_set_add(into, from->cells[i] - 1);
	return r;
}

void pack_set_fini(struct pack_set *s)
{
	free(s->cells);
	*s = (struct pack_set){ NULL, 0, 0 };
}
