/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of 64-bit sums, for "was that one here before?" about more things than one wants to keep: open addressing. */
#include <vtape/util.h>

#include <errno.h>

static size_t slot_of(const struct sumset *s, uint64_t sum)
{
	size_t at = sum & (s->slots - 1);

	while (s->slot[at] && s->slot[at] != sum)
		at = (at + 1) & (s->slots - 1);
	return at;
}

static int sumset_grow(struct sumset *s)
{
	struct sumset more = { .slots = s->slots ? 2 * s->slots : 1024, .used = s->used };

	more.slot = calloc(more.slots, sizeof(*more.slot));
	if (!more.slot)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i])
			more.slot[slot_of(&more, s->slot[i])] = s->slot[i];
	free(s->slot);
	*s = more;
	return 0;
}

int sumset_add(struct sumset *s, uint64_t sum, bool *was)
{
	size_t at;
	int r = s->used * 4 >= s->slots * 3 ? sumset_grow(s) : 0;

	if (r)
		return r;
	sum = sum ? sum : 1;
	at = slot_of(s, sum);
	*was = s->slot[at] != 0;
	s->used += !*was;
	s->slot[at] = sum;
	return 0;
}

bool sumset_has(const struct sumset *s, uint64_t sum)
{
	return s->slots && s->slot[slot_of(s, sum ? sum : 1)];
}

void sumset_fini(struct sumset *s)
{
	free(s->slot);
	*s = (struct sumset){ 0 };
}
