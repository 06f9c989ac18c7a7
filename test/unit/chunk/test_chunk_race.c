/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk_lookup, while the collector works: a table of contents that is being read when its pack is condemned or removed
 * is shared with nobody.  The linker puts __wrap_pack_open() before the real one, so what happens at that moment
 * happens each time.
 */
#include "rig.h"

#define N (300u << 10)

int __real_pack_open(struct packs *ps, uint64_t number, struct pack **out);
int __wrap_pack_open(struct packs *ps, uint64_t number, struct pack **out);

static struct rig *rig;
static void (*meanwhile)(uint64_t number);	/* once, when a pack has just been opened */
static struct chunk_copier *copier;

int __wrap_pack_open(struct packs *ps, uint64_t number, struct pack **out)
{
	int r = __real_pack_open(ps, number, out);
	void (*then)(uint64_t number) = meanwhile;

	meanwhile = NULL;
	if (then && !r)
		then(number);
	return r;
}

static int serial(void **state)
{
	*state = rig = rig_new(0);
	return 0;
}

static int gone(void **state)
{
	meanwhile = NULL;
	*state = rig = rig_free(rig);
	return 0;
}

static int nobody(void *ctx, uint64_t pack)
{
	return 0;
}

static void remove_it(uint64_t number)
{
	uint64_t freed;

	OK(chunk_gc_pack(rig->cs, number, nobody, NULL, &freed));
}

static void condemn_it(uint64_t number)
{
	OK(chunk_copier_new(rig->cs, &number, 1, &copier));
}

/* The same bytes come again while @event happens to the pack that has them: none of its chunks is shared. */
static void store_again_while(void (*event)(uint64_t number))
{
	uint8_t *data = filled(N, 1);
	struct map first = { NULL }, again = { NULL };
	uint64_t pack;

	rig_store(rig, data, N, CHUNK_LZ4, &first);
	rig_reopen(rig);
	pack = first.places[0].ref.pack;
	meanwhile = event;
	rig_store(rig, data, N, CHUNK_LZ4, &again);
	assert_null(meanwhile);
	assert_false(map_names(&again, pack));
	assert_true(again.stored > 0);
	rig_check(rig, &again, data, N, 65536);
	copier = chunk_copier_free(copier);
	rig_reopen(rig);
	rig_check(rig, &again, data, N, 65536);
	map_fini(&first);
	map_fini(&again);
	free(data);
}

static void a_pack_removed_while_its_table_is_read_is_shared_with_nobody(void **state)
{
	store_again_while(remove_it);
}

static void a_pack_condemned_while_its_table_is_read_is_shared_with_nobody(void **state)
{
	store_again_while(condemn_it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pack_removed_while_its_table_is_read_is_shared_with_nobody, serial, gone),
		cmocka_unit_test_setup_teardown(a_pack_condemned_while_its_table_is_read_is_shared_with_nobody, serial, gone),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
