/* SPDX-License-Identifier: BSD-2-Clause */
/* Check: a whole store has no faults; one in each room is found, by the name of the room; what can be is mended. */
#include "injure.h"

struct findings {
	unsigned count[4], repaired, stop_at;
	char words[4096];
};

static const char *const rooms[] = { "database", "catalog", "tapes", "packs" };

static unsigned room_of(const char *room)
{
	for (unsigned i = 0; i < ARRAY_LEN(rooms); i++)
		if (!strcmp(rooms[i], room))
			return i;
	fail_msg("room %s", room);
	return 0;
}

static void found(void *ctx, const char *room, const char *about, const char *what, bool repaired)
{
	struct findings *f = ctx;
	size_t used = strlen(f->words);

	f->count[room_of(room)]++;
	f->repaired += repaired;
	snprintf(f->words + used, sizeof(f->words) - used, "%s %s %s\n", room, about, what);
}

static int progress(void *ctx, const char *room, uint64_t done, uint64_t all)
{
	struct findings *f = ctx;

	room_of(room);
	return f->stop_at && !--f->stop_at ? -EPIPE : 0;
}

static struct library_checked check(struct store *s, bool data, bool repair, struct findings *f)
{
	const struct library_check_config cfg = { data, repair, found, progress, f };
	struct library_checked done;
	int r;

	*f = (struct findings){ .repaired = 0 };
	r = library_check(s->lib, &cfg, &done);
	if (r)
		fail_msg("check: %d %s", r, err_text(r));
	assert_int_equal(done.faults, f->count[0] + f->count[1] + f->count[2] + f->count[3]);
	assert_int_equal(done.repaired, f->repaired);
	return done;
}

static uint64_t fill(struct store *s)
{
	uint64_t a = make(s, "A00001"), b = make(s, "B00001");

	write_noise_at_end(s, a, 1, 2);
	store_restart(s);
	write_noise_at_end(s, a, 2, 2);
	write_noise_at_end(s, b, 1, 2);
	write_text(s, b, "over");
	store_restart(s);
	return a;
}

static void a_whole_store_has_no_faults(void **state)
{
	struct store *s = *state;
	struct library_checked done;
	struct findings f;
	struct volume *v;

	fill(s);
	done = check(s, true, false, &f);
	if (done.faults)
		fail_msg("%s", f.words);
	assert_int_equal(done.catalog.volumes, 2);
	assert_int_equal(done.tape.volumes, 2);
	assert_int_equal(done.tape.generations, 3);
	assert_true(done.chunk.packs >= 2 && done.chunk.chunks > 50 && done.chunk.bytes > 4u << 20);
	assert_int_equal(events(s, EVENT_CHECKED, NULL), 1);
	/* While a tape is being written, and loaded. */
	v = claim(s, 1, CLAIM_WRITE);
	assert_int_equal(volume_append_record(v, 0, "more", 4), 0);
	done = check(s, true, true, &f);
	if (done.faults)
		fail_msg("%s", f.words);
	assert_int_equal(volume_append_record(v, 0, "more", 4), 0);
	release(s, 1, CLAIM_WRITE);
	assert_int_equal(events(s, EVENT_CHECKED, NULL), 2);
	assert_int_equal(events(s, EVENT_CHECK_FAILED, NULL), 0);
}

static void put_row(struct store *s, enum kv_space space, const void *key, size_t klen, const void *row, size_t len)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;

	assert_int_equal(kv_batch_new(&b), 0);
	if (row)
		assert_int_equal(kv_batch_put(b, space, key, klen, row, len), 0);
	else
		assert_int_equal(kv_batch_delete(b, space, key, klen), 0);
	assert_int_equal(kv_write(s->kv, b, true), 0);
}

static void a_fault_of_the_catalog_is_found_and_mended(void **state)
{
	struct store *s = *state;
	struct findings f;

	fill(s);
	put_row(s, KV_CATALOG, "UA00001", 7, NULL, 0);
	assert_true(check(s, false, false, &f).faults >= 1);
	assert_int_equal(f.count[1], 1);
	assert_int_equal(f.repaired, 0);
	assert_non_null(strstr(f.words, "A00001"));
	assert_int_equal(events(s, EVENT_CHECK_FAILED, NULL), 1);
	assert_int_equal(check(s, false, true, &f).repaired, 1);
	assert_int_equal(events(s, EVENT_CHECKED, NULL), 1);
	assert_int_equal(check(s, false, false, &f).faults, 0);
}

static void a_volume_whose_tape_is_gone_is_found(void **state)
{
	struct store *s = *state;
	struct findings f;
	uint8_t key[17] = { 'H' };

	fill(s);
	put_be64(key + 1, 1);
	put_be64(key + 9, 1);
	put_row(s, KV_MAP, key, sizeof(key), NULL, 0);
	assert_true(check(s, false, false, &f).faults >= 1);
	assert_true(f.count[1] >= 1);
	assert_non_null(strstr(f.words, "volume A00001 has no tape"));
}

/* A copy of the row would come back with what it speaks of, so it is not taken away; but whoever wants to, may. */
static void a_volume_whose_tape_is_gone_can_be_deleted(void **state)
{
	struct store *s = *state;
	struct findings f;
	uint8_t key[17] = { 'H' };
	uint64_t a = fill(s);

	put_be64(key + 1, a);
	put_be64(key + 9, 1);
	put_row(s, KV_MAP, key, sizeof(key), NULL, 0);
	check(s, false, true, &f);
	assert_int_equal(row_of(s, a).id, a);
	/* Its pages may be all that is left of it. */
	assert_non_null(strstr(f.words, "no volume has it"));
	assert_int_equal(f.repaired, 0);
	assert_int_equal(library_volume_delete(s->lib, a), 0);
	check(s, false, true, &f);
	assert_true(f.repaired > 0);
	assert_int_equal(check(s, false, false, &f).faults, 0);
}

static void a_volume_whose_head_is_damaged_can_be_deleted(void **state)
{
	struct store *s = *state;
	struct findings f;
	uint8_t key[17] = { 'H' };
	uint64_t a = fill(s);

	put_be64(key + 1, a);
	put_be64(key + 9, 1);
	put_row(s, KV_MAP, key, sizeof(key), "nonsense", 8);
	assert_int_equal(library_volume_delete(s->lib, a), 0);
	check(s, false, true, &f);
	assert_true(f.repaired > 0);
	assert_int_equal(check(s, false, false, &f).faults, 0);
}

static void a_tape_that_the_catalog_has_lost_is_found_and_gets_a_name(void **state)
{
	struct store *s = *state;
	struct catalog_volume row;
	struct findings f;
	uint8_t key[9] = { 'V' }, member[5 + 6] = { 'M' };
	uint64_t a = fill(s);
	char name[32];

	row = row_of(s, a);
	put_be64(key + 1, a);
	put_row(s, KV_CATALOG, key, sizeof(key), NULL, 0);
	put_row(s, KV_CATALOG, "UA00001", 7, NULL, 0);
	put_be32(member + 1, row.pool);
	memcpy(member + 5, "A00001", 6);
	put_row(s, KV_CATALOG, member, sizeof(member), NULL, 0);
	snprintf(name, sizeof(name), "LOST-%u", (unsigned)a);
	make(s, name);		/* somebody has that name */
	check(s, false, false, &f);
	assert_non_null(strstr(f.words, "is no volume's"));
	assert_int_equal(f.repaired, 0);
	assert_true(check(s, false, true, &f).repaired >= 1);
	row = row_of(s, a);
	snprintf(name, sizeof(name), "LOST-%u-2", (unsigned)a);
	assert_string_equal(row.name, name);
	assert_true(row.protect);
	assert_int_equal(row.state, STATE_ERROR);	/* its old generations stay, whatever that pool keeps */
	assert_int_equal(read_all(s, a), 0);
	assert_int_equal(check(s, true, false, &f).faults, 0);
	assert_int_equal(library_may_overwrite(s->lib, a), -EROFS);
}

static void a_damaged_head_is_found_once_by_the_tapes(void **state)
{
	struct store *s = *state;
	struct findings f;
	uint8_t key[17] = { 'H' };

	fill(s);
	put_be64(key + 1, 1);
	put_be64(key + 9, 1);
	put_row(s, KV_MAP, key, sizeof(key), "nonsense", 8);
	check(s, false, false, &f);
	assert_int_equal(f.count[1], 0);
	assert_true(f.count[2] >= 1);
	assert_non_null(strstr(f.words, "tapes default/A00001"));
}

static void a_damaged_byte_is_found_with_the_data(void **state)
{
	struct store *s = *state;
	struct findings f;

	fill(s);
	flip(s, first_pack(s, 0), 300000);
	assert_true(check(s, true, true, &f).faults >= 1);
	assert_true(f.count[3] >= 1);
	assert_non_null(strstr(await_event(s, EVENT_CHUNK_DAMAGED), "default/A00001"));
	assert_int_equal(events(s, EVENT_CHECK_FAILED, NULL), 1);
}

static void a_lost_pack_is_found(void **state)
{
	struct store *s = *state;
	struct findings f;

	fill(s);
	lose(s, first_pack(s, 0));
	assert_true(check(s, false, true, &f).faults >= 1);
	assert_true(f.count[3] >= 1);
}

static void who_asks_for_progress_can_stop_it(void **state)
{
	struct store *s = *state;
	struct findings f = { .stop_at = 3 };
	const struct library_check_config cfg = { false, false, found, progress, &f };
	struct library_checked done;

	fill(s);
	assert_int_equal(library_check(s->lib, &cfg, &done), -EPIPE);
	assert_int_equal(events(s, EVENT_CHECKED, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(a_whole_store_has_no_faults),
		ON_A_STORE(a_fault_of_the_catalog_is_found_and_mended),
		ON_A_STORE(a_volume_whose_tape_is_gone_is_found),
		ON_A_STORE(a_damaged_head_is_found_once_by_the_tapes),
		ON_A_STORE(a_volume_whose_tape_is_gone_can_be_deleted),
		ON_A_STORE(a_volume_whose_head_is_damaged_can_be_deleted),
		ON_A_STORE(a_tape_that_the_catalog_has_lost_is_found_and_gets_a_name),
		ON_A_STORE(a_damaged_byte_is_found_with_the_data),
		ON_A_STORE(a_lost_pack_is_found),
		ON_A_STORE(who_asks_for_progress_can_stop_it),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
