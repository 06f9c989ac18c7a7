/* SPDX-License-Identifier: BSD-2-Clause */
/* volume_in_pack: which tapes are hurt if a pack is. */
#include "unit/tape/tape_store.h"

#define OTHER 8u
#define PACKS 300u

struct users { unsigned count; uint64_t volume[8]; };

static int add(void *ctx, uint64_t volume)
{
	struct users *u = ctx;

	u->volume[u->count++] = volume;
	return u->count == ARRAY_LEN(u->volume);
}

static struct users users_of(struct store *s, uint64_t pack)
{
	struct users u = { 0 };

	assert_int_equal(volume_each_in_pack(s->kv, pack, add, &u), 0);
	return u;
}

static void on_volume(struct store *s, uint64_t id)
{
	assert_int_equal(unload(s), 0);
	s->attr.id = id;
	load(s);
}

static void write_one(struct store *s, unsigned seed)
{
	put(s, seed, 50000);
	mark(s);
}

/* How many packs have these users and no others. */
static unsigned packs_of(struct store *s, uint64_t a, uint64_t b)
{
	unsigned n = 0;

	for (uint64_t pack = 1; pack < PACKS; pack++) {
		struct users u = users_of(s, pack);

		n += u.count == (b ? 2u : 1u) && u.volume[0] == a && (!b || u.volume[1] == b);
	}
	return n;
}

static void a_shared_pack_has_both_tapes_and_another_only_its_own(void **state)
{
	struct store *s = *state;

	write_one(s, 1);
	create(s, OTHER);
	restart(s);
	on_volume(s, OTHER);
	write_one(s, 1);
	write_one(s, 2);
	restart(s);
	assert_int_equal(packs_of(s, VOLUME, OTHER), 1);
	assert_int_equal(packs_of(s, OTHER, 0), 1);
	assert_int_equal(packs_of(s, VOLUME, 0), 0);
	assert_int_equal(users_of(s, PACKS).count, 0);
	on_volume(s, VOLUME);
}

static void a_tape_that_was_written_over_is_told_for_its_old_generation(void **state)
{
	struct store *s = *state;

	write_one(s, 1);
	restart(s);
	rewind_tape(s);
	write_one(s, 2);
	restart(s);
	assert_int_equal(packs_of(s, VOLUME, 0), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_shared_pack_has_both_tapes_and_another_only_its_own),
		with_store(a_tape_that_was_written_over_is_told_for_its_old_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
