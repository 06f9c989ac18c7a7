/* SPDX-License-Identifier: BSD-2-Clause */
/* The twin's power cut, and what recovery makes of it. */
#include <errno.h>

#include "unit/pack/raw.h"

static struct packs *cut(struct packs *ps, uint64_t seed)
{
	struct packs *after = NULL;

	assert_int_equal(packs_mem_cut(ps, seed, &after), 0);
	return after;
}

static void cut_without_a_seed_leaves_what_was_synced(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 10);
	struct packs *after;
	struct buf b = BUF_INIT;

	after = cut(f->ps, 0);
	assert_false(pack_exists(after, 1));
	packs_close(after);

	assert_int_equal(pack_sync(p), 0);
	append_pieces(p, 10, 20);
	after = cut(f->ps, 0);
	raw_get(after, 1, &b);
	assert_int_equal(b.len, piece_offset(10));
	assert_int_equal(pack_recover(after, 1, NULL), 0);
	pack_release(p);
	p = opened(after, 1);
	assert_pieces(p, 10);
	pack_release(p);
	packs_close(after);
	buf_fini(&b);
}

static void same_seed_is_the_same_cut(void **state)
{
	struct fixture *f = *state;
	struct packs *one, *two;
	struct buf b = BUF_INIT;
	struct pack *p = new_pack(f->ps, 1, 10);

	assert_int_equal(pack_sync(p), 0);
	append_pieces(p, 10, 40);
	pack_release(p);
	one = cut(f->ps, 7);
	two = cut(f->ps, 7);
	raw_get(one, 1, &b);
	assert_raw(two, 1, &b);
	packs_close(one);
	packs_close(two);
	buf_fini(&b);
}

/* Those that were synced, and no other. */
static bool was_synced(void *ctx, uint32_t slot, const struct digest *d)
{
	const uint32_t *synced = ctx;
	uint8_t bytes[PIECE_MAX];

	for (uint32_t i = 0; i < *synced && slot == PACK_NO_SLOT; i++) {
		struct pack_entry e = piece(i, bytes);

		if (digest_equal(&e.digest, d))
			return true;
	}
	return slot < *synced;
}

/* The pack after a cut: at least @synced pieces, at most @n, each the right one. Returns how many. */
static uint32_t recovered(struct packs *after, uint32_t synced, uint32_t n)
{
	struct pack *p;
	uint32_t count;
	int r;

	r = pack_recover(after, 1, &(struct pack_recovery){ .promised = was_synced, .ctx = &synced });
	if (r == -ENOENT) {
		assert_int_equal(synced, 0);
		assert_false(pack_exists(after, 1));
		return 0;
	}
	assert_int_equal(r, 0);
	p = opened(after, 1);
	count = pack_count(p);
	assert_in_range(count, synced, n);
	assert_pieces(p, count);
	pack_release(p);
	assert_int_equal(checked(after, 1).count, 0);
	return count;
}

/* Some cuts lose all that was not synced, some keep all of it: the twin tries both. */
static void synced_chunks_survive_every_cut(void **state)
{
	struct fixture *f = *state;
	unsigned kept_none = 0, kept_some = 0;

	for (uint64_t seed = 1; seed <= 300; seed++) {
		uint32_t synced = (uint32_t)(seed % 4) * 5, n = synced + (uint32_t)(seed % 23);
		struct pack *p = new_pack(f->ps, 1, synced);
		struct packs *after;
		uint32_t count;

		if (synced)
			assert_int_equal(pack_sync(p), 0);
		append_pieces(p, synced, n);
		after = cut(f->ps, seed);
		count = recovered(after, synced, n);
		kept_none += n > synced && count == synced;
		kept_some += count > synced;
		packs_close(after);
		pack_release(p);
		assert_int_equal(pack_unlink(f->ps, 1), 0);
	}
	assert_true(kept_none > 20);
	assert_true(kept_some > 20);
}

/* The order in pack_seal(): 1. entries synced, 2. table written, 3. synced.  The cut between 2 and 3. */
static void cut_before_the_table_is_safe_loses_no_chunk(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 100);
	struct buf sealed = BUF_INIT;
	struct pack_file *file;
	uint64_t end = pack_bytes(p);
	unsigned unsealed = 0;

	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	raw_get(f->ps, 1, &sealed);
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct packs *after;

		assert_int_equal(pack_unlink(f->ps, 1), 0);
		assert_int_equal(f->ps->ops->create(f->ps, 1, sealed.data, end, &file), 0);
		assert_int_equal(file->ops->sync(file), 0);
		assert_int_equal(file->ops->write(file, end, sealed.data + end, sealed.len - end, NULL, 0), 0);
		after = cut(f->ps, seed);
		p = NULL;
		assert_int_equal(pack_open(after, 1, &p), 0);
		assert_pieces(p, 100);
		unsealed += !pack_whole(p);
		pack_release(p);
		assert_int_equal(recovered(after, 100, 100), 100);
		packs_close(after);
		file->ops->release(file);
	}
	assert_true(unsealed > 20);
	buf_fini(&sealed);
}

static void sealed_pack_survives_every_cut(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 50);
	struct buf b = BUF_INIT;

	assert_int_equal(pack_seal(p), 0);
	pack_release(p);
	raw_get(f->ps, 1, &b);
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct packs *after = cut(f->ps, seed);

		assert_raw(after, 1, &b);
		packs_close(after);
	}
	buf_fini(&b);
}

/* What was synced and then cut off does not come back. */
static void shortened_file_stays_short(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 10);
	struct pack_file *file;
	struct buf b = BUF_INIT;

	assert_int_equal(pack_sync(p), 0);
	pack_release(p);
	assert_int_equal(f->ps->ops->open(f->ps, 1, true, &file), 0);
	assert_int_equal(file->ops->truncate(file, piece_offset(4)), 0);
	file->ops->release(file);
	for (uint64_t seed = 0; seed < 5; seed++) {
		struct packs *after = cut(f->ps, seed);

		raw_get(after, 1, &b);
		assert_int_equal(b.len, piece_offset(4));
		packs_close(after);
	}
	buf_fini(&b);
}

static void faults_come_when_planned_and_once(void **state)
{
	struct fixture *f = *state;
	struct pack *p = new_pack(f->ps, 1, 0);
	uint32_t slot;

	packs_mem_plan_fault(f->ps, 3, ENOSPC);
	append_pieces(p, 0, 2);
	assert_int_equal(try_append(p, 2, &slot), -ENOSPC);
	append_pieces(p, 2, 10);
	packs_mem_plan_sync_fault(f->ps, 2, EIO);
	assert_int_equal(pack_sync(p), 0);
	assert_int_equal(pack_sync(p), -EIO);
	assert_pieces(p, 10);
	pack_release(p);
}

static void space_comes_back_with_the_last_reader(void **state)
{
	struct fixture *f = *state;
	struct pack *p;
	uint64_t avail, total;

	packs_mem_set_space(f->ps, 100000, 100000);
	p = new_pack(f->ps, 1, 10);
	assert_int_equal(packs_space(f->ps, &avail, &total), 0);
	assert_int_equal(avail, 100000 - pack_bytes(p));
	assert_int_equal(pack_unlink(f->ps, 1), 0);
	assert_int_equal(packs_space(f->ps, &avail, &total), 0);
	assert_int_equal(avail, 100000 - pack_bytes(p));
	pack_release(p);
	assert_int_equal(packs_space(f->ps, &avail, &total), 0);
	assert_int_equal(avail, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_mem(cut_without_a_seed_leaves_what_was_synced),
		test_mem(same_seed_is_the_same_cut),
		test_mem(synced_chunks_survive_every_cut),
		test_mem(cut_before_the_table_is_safe_loses_no_chunk),
		test_mem(sealed_pack_survives_every_cut),
		test_mem(shortened_file_stays_short),
		test_mem(faults_come_when_planned_and_once),
		test_mem(space_comes_back_with_the_last_reader),
	};

	return cmocka_run_group_tests_name("pack_mem", tests, NULL, NULL);
}
