/* SPDX-License-Identifier: BSD-2-Clause */
/* What the keeper tells: space that runs out, tapes that are hurt; and a store in which one tape cannot be opened. */
#include "injure.h"

#include "library/holding.h"

/* ---- space ----------------------------------------------------------------------------------------------------- */

static int on_a_small_disk(void **state)
{
	struct store *s;
	int r = store_new(state);

	s = *state;
	store_down(s);
	s->reserve_bytes = 8u << 20;
	packs_mem_set_space(s->packs, 300u << 20, 1u << 30);
	store_up(s);
	return r;
}

static void low_space_is_told_before_a_writer_meets_its_end(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), avail, total;
	struct volume *v;
	static uint8_t noise[1 << 18];
	uint64_t seed = 5;
	int r = 0;

	assert_int_equal(events(s, EVENT_NO_SPACE, NULL), 0);
	library_no_space(s->lib, a);	/* a tape that ends before the disk does is no news */
	assert_int_equal(events(s, EVENT_NO_SPACE, NULL), 0);
	packs_mem_set_space(s->packs, 100u << 20, 1u << 30);
	keeper_look_at_space(s->lib);
	assert_int_equal(events(s, EVENT_NO_SPACE, NULL), 1);
	assert_non_null(strstr(last_event(s, EVENT_NO_SPACE), "space is low: 92.0 MiB"));
	/* Early warning, then the end; and then the tape is closed properly all the same. */
	packs_mem_set_space(s->packs, 60u << 20, 1u << 30);
	v = claim(s, a, CLAIM_WRITE);
	for (int phase = 0; r != TAPE_E_FULL; ) {
		chance_bytes(&seed, noise, sizeof(noise));
		r = volume_append_record(v, 0, noise, sizeof(noise));
		assert_true(r == 0 || r == TAPE_E_EARLY_WARNING || r == TAPE_E_FULL);
		assert_true(r != 0 || phase == 0);
		phase = r != 0;
	}
	r = volume_append_filemark(v, 0);
	assert_true(r == 0 || r == TAPE_E_EARLY_WARNING);
	release(s, a, CLAIM_WRITE);
	assert_int_equal(chunk_store_space(s->cs, &avail, &total), 0);
	assert_true(avail < 20u << 20);
	keeper_look_at_space(s->lib);
	assert_int_equal(events(s, EVENT_NO_SPACE, NULL), 1);
	/* The door whose writer it was says so, once. */
	library_no_space(s->lib, a);
	library_no_space(s->lib, a);
	assert_int_equal(events(s, EVENT_NO_SPACE, "default/A00001"), 1);
	store_cut(s);
	assert_int_equal(stat_of(s, a).end.marks, 1);
	assert_true(stat_of(s, a).end.bytes > 20u << 20);
	assert_int_equal(read_all(s, a), 0);
}

/* Each takes but a few rows, and a million of them all that is kept back. */
static void a_full_disk_takes_no_more_volumes_and_gives_them_back(void **state)
{
	struct store *s = *state;
	struct library_registration reg = { .pool = CATALOG_POOL_DEFAULT, .name = "C00001", .access = ACCESS_SECONDARY };
	struct catalog_site site = { .number = UINT32_MAX, .name = "munich" };
	uint64_t a = make(s, "A00001");

	assert_int_equal(catalog_site_put(s->cat, &site), 0);
	reg.site = site.number;
	packs_mem_set_space(s->packs, 8u << 20, 1u << 30);
	assert_refused(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, "B00001", NULL, false, NULL), -ENOSPC, "B00001");
	assert_refused(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, ".in~", NULL, true, NULL), -ENOSPC, "full");
	assert_refused(library_volume_register(s->lib, &reg, NULL), -ENOSPC, "C00001");
	assert_int_equal(library_volume_move(s->lib, a, CATALOG_POOL_DEFAULT, "NAME"), 0);
	assert_int_equal(library_volume_delete(s->lib, a), 0);
	packs_mem_set_space(s->packs, 9u << 20, 1u << 30);
	make(s, "B00001");
	assert_int_equal(library_volume_register(s->lib, &reg, NULL), 0);
}

static void space_at_the_edge_is_told_once(void **state)
{
	struct store *s = *state;

	for (int i = 0; i < 5; i++) {
		packs_mem_set_space(s->packs, 103u << 20, 1u << 30);
		keeper_look_at_space(s->lib);
		packs_mem_set_space(s->packs, 106u << 20, 1u << 30);
		keeper_look_at_space(s->lib);
	}
	assert_int_equal(events(s, EVENT_NO_SPACE, NULL), 1);
	packs_mem_set_space(s->packs, 300u << 20, 1u << 30);
	keeper_look_at_space(s->lib);
	packs_mem_set_space(s->packs, 90u << 20, 1u << 30);
	keeper_look_at_space(s->lib);
	assert_int_equal(events(s, EVENT_NO_SPACE, NULL), 2);
}

/* The nearer the end, the sooner it is looked at again: 2 GiB a second fill the rest in no less time. */
static void the_space_is_looked_at_in_time(void **state)
{
	struct store *s = *state;

	packs_mem_set_space(s->packs, 1ull << 40, 1ull << 40);
	assert_int_equal(keeper_look_at_space(s->lib), 10000000000ull);
	packs_mem_set_space(s->packs, (1ull << 40) / 20 + (8ull << 20) + (4ull << 30), 1ull << 40);
	assert_true(keeper_look_at_space(s->lib) <= 2000000000ull);
	assert_int_equal(events(s, EVENT_NO_SPACE, NULL), 0);
}

static void low_space_is_collected_for(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001");

	write_noise_at_end(s, a, 1, 4);
	store_restart(s);
	packs_mem_set_space(s->packs, 100u << 20, 1u << 30);
	assert_int_equal(library_volume_delete(s->lib, a), 0);
	keeper_look_at_space(s->lib);
	assert_non_null(strstr(await_event(s, EVENT_SPACE_FREED), "space is low"));
}

/* ---- damage ---------------------------------------------------------------------------------------------------- */

static void a_damaged_chunk_is_told_with_the_records_that_are_hurt(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), pack;
	unsigned bad;

	write_noise_at_end(s, a, 1, 1);
	write_noise_at_end(s, a, 2, 1);
	store_restart(s);
	pack = first_pack(s, 0);
	flip(s, pack, 1200000);
	bad = read_all(s, a);
	assert_true(bad >= 1 && bad <= 2);
	/* Records 0 to 3 and a mark are the first file; the byte is in the second. */
	assert_non_null(strstr(await_event(s, EVENT_CHUNK_DAMAGED), "default/A00001 file 1 record "));
	assert_non_null(strstr(last_event(s, EVENT_CHUNK_DAMAGED), "1 chunk of pack"));
	assert_int_equal(events(s, EVENT_CHUNK_DAMAGED, NULL), 1);
}

static int count_hurt(void *ctx, const struct tape_hurt *h)
{
	*(uint64_t *)ctx += h->last_object - h->first_object + 1;
	return 0;
}

static void a_lost_pack_is_told_and_heals_when_it_comes_again(void **state)
{
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), b = make(s, "B00001"), hurt = 0;

	write_noise_at_end(s, a, 1, 4);
	store_restart(s);
	write_noise_at_end(s, b, 2, 4);	/* another pack: not all are gone */
	store_restart(s);
	lose(s, first_pack(s, 0));
	assert_int_equal(read_all(s, a), 16);
	assert_int_equal(read_all(s, b), 0);
	assert_non_null(strstr(await_event(s, EVENT_PACK_LOST), "hurt: default/A00001 file 0 record 0-15"));
	assert_int_equal(events(s, EVENT_PACK_LOST, NULL), 1);
	assert_int_equal(library_each_hurt(s->lib, a, count_hurt, &hurt), 0);
	assert_int_equal(hurt, 16);
	assert_int_equal(library_each_hurt(s->lib, b, count_hurt, &hurt), 0);
	assert_int_equal(hurt, 16);
	/* The same data on another tape heals this one. */
	write_noise_at_end(s, b, 1, 4);
	assert_int_equal(read_all(s, a), 0);
	hurt = 0;
	assert_int_equal(library_each_hurt(s->lib, 0, count_hurt, &hurt), 0);
	assert_int_equal(hurt, 0);
}

/* More tapes than an event has room for. */
static void many_hurt_tapes_are_told_in_bounded_words(void **state)
{
	struct store *s = *state;
	char name[16];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "A%05u", i);
		write_noise_at_end(s, make(s, name), 1, 1);
	}
	store_restart(s);
	flip(s, first_pack(s, 0), 1000);
	assert_true(read_all(s, 1) >= 1);
	assert_non_null(strstr(await_event(s, EVENT_CHUNK_DAMAGED), "A00000 file 0 record 0"));
	assert_non_null(strstr(last_event(s, EVENT_CHUNK_DAMAGED), " and more"));
}

/* What comes in a crowd is told pack by pack, and what finds no room is counted. */
static void a_crowd_of_damage_is_told_together(void **state)
{
	struct store *s = *state;

	for (unsigned i = 0; i < KEEPER_HURTS + 7; i++)
		keeper_damaged(s->lib, (struct pack_ref){ 1 + i % 3, i }, NULL);
	await_event(s, EVENT_CHUNK_DAMAGED);
	usleep(200000);
	assert_true(events(s, EVENT_CHUNK_DAMAGED, NULL) <= 4 * 2);	/* the keeper may take them in two turns */
	assert_non_null(strstr(last_event(s, EVENT_CHUNK_DAMAGED), "fail"));
}

/* ---- a tape that cannot be opened ------------------------------------------------------------------------------ */

/* The current head of @id: nonsense. */
static void damage_head(struct store *s, uint64_t id)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	uint8_t key[17] = { 'H' };

	put_be64(key + 1, id);
	put_be64(key + 9, stat_of(s, id).generation);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, key, sizeof(key), "nonsense", 8), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
}

static int keep_nothing(struct catalog_pool *p, void *ctx) { p->keep_s = 0; return 0; }

static void a_tape_that_cannot_be_opened_stops_nothing_else(void **state)
{
	const struct tape_gc_config gc = { 0 };
	struct store *s = *state;
	uint64_t a = make(s, "A00001"), b = make(s, "B00001");
	struct library_gc_report done;
	struct library_drive drive;
	struct volume_stat st;
	struct volume *v;

	write_text(s, a, "one");
	write_text(s, a, "two");
	write_text(s, b, "old");
	write_text(s, b, "new");
	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_int_equal(library_load(s->lib, 1, b), 0);
	store_down(s);
	store_up(s);
	assert_int_equal(library_unload(s->lib, 0), 0);
	damage_head(s, a);
	assert_int_equal(catalog_drive_put(s->cat, 0, a), 0);
	log_set_level(LOG_LEVEL_ERROR - 1);
	store_restart(s);
	/* It is not in its drive, the other one is. */
	assert_int_equal(library_drive_info(s->lib, 0, &drive), 0);
	assert_false(drive.loaded);
	assert_int_equal(library_drive_info(s->lib, 1, &drive), 0);
	assert_true(drive.loaded);
	assert_int_equal(library_unload(s->lib, 1), 0);
	assert_true(library_stat(s->lib, a, &st) < 0);
	assert_true(library_claim(s->lib, a, CLAIM_READ, &v) < 0);
	assert_text(s, b, "new");
	/* Collecting passes over it, whose generations all stay. */
	assert_int_equal(library_pool_change(s->lib, CATALOG_POOL_DEFAULT, keep_nothing, NULL), 0);
	assert_int_equal(library_gc(s->lib, &gc, &done), 0);
	assert_int_equal(done.dropped_generations, 1);
	/* An older generation brings it back. */
	assert_int_equal(library_volume_restore(s->lib, a, 1), 0);
	assert_text(s, a, "one");
	log_set_level(LOG_LEVEL_ERROR);
}

#define ON_A_SMALL_DISK(test) cmocka_unit_test_setup_teardown(test, on_a_small_disk, store_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_SMALL_DISK(low_space_is_told_before_a_writer_meets_its_end),
		ON_A_SMALL_DISK(a_full_disk_takes_no_more_volumes_and_gives_them_back),
		ON_A_SMALL_DISK(space_at_the_edge_is_told_once),
		ON_A_SMALL_DISK(the_space_is_looked_at_in_time),
		ON_A_SMALL_DISK(low_space_is_collected_for),
		ON_A_STORE(a_damaged_chunk_is_told_with_the_records_that_are_hurt),
		ON_A_STORE(a_lost_pack_is_told_and_heals_when_it_comes_again),
		ON_A_STORE(many_hurt_tapes_are_told_in_bounded_words),
		ON_A_STORE(a_crowd_of_damage_is_told_together),
		ON_A_STORE(a_tape_that_cannot_be_opened_stops_nothing_else),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
