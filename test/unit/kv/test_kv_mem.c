/* SPDX-License-Identifier: BSD-2-Clause */
/* What only the twin in memory can do: fail as planned, and be cut off. */
#include "kv_twins.h"

#include <errno.h>

static int write_row(struct kv *kv, const char *key, bool sync)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;

	assert_int_equal(kv_batch_new(&b), 0);
	put(b, KV_MAP, key, "v");
	put(b, KV_INDEX, key, "v");
	return kv_write(kv, b, sync);
}

static void the_planned_write_fails_and_leaves_nothing(void **state)
{
	struct kv *kv;

	assert_int_equal(kv_mem_new(&kv), 0);
	kv_mem_plan_fault(kv, 2, -ENOSPC);
	assert_int_equal(write_row(kv, "first", false), 0);
	assert_int_equal(write_row(kv, "second", true), -ENOSPC);
	assert_string_equal(err_text(-ENOSPC), "planned fault: No space left on device");
	assert_int_equal(write_row(kv, "third", false), 0);
	assert_row(kv, KV_MAP, "first", "v");
	assert_row(kv, KV_MAP, "second", NULL);
	assert_row(kv, KV_INDEX, "second", NULL);
	assert_row(kv, KV_MAP, "third", "v");
	kv_close(kv);
}

static void a_plan_of_none_takes_the_fault_back(void **state)
{
	struct kv *kv;

	assert_int_equal(kv_mem_new(&kv), 0);
	kv_mem_plan_fault(kv, 1, -EIO);
	kv_mem_plan_fault(kv, 0, -EIO);
	assert_int_equal(write_row(kv, "a", false), 0);
	kv_close(kv);
}

static void a_cut_loses_what_was_not_synced(void **state)
{
	struct kv *kv, *cut;

	assert_int_equal(kv_mem_new(&kv), 0);
	assert_int_equal(write_row(kv, "before", false), 0);
	assert_int_equal(write_row(kv, "synced", true), 0);
	assert_int_equal(write_row(kv, "after", false), 0);
	assert_int_equal(kv_mem_cut(kv, &cut), 0);
	assert_row(kv, KV_MAP, "after", "v");
	kv_close(kv);

	assert_row(cut, KV_MAP, "before", "v");
	assert_row(cut, KV_INDEX, "synced", "v");
	assert_row(cut, KV_MAP, "after", NULL);
	kv_close(cut);
}

static void a_cut_undoes_deletions_that_were_not_synced(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct kv *kv, *cut;

	assert_int_equal(kv_mem_new(&kv), 0);
	assert_int_equal(write_row(kv, "a", true), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_delete_prefix(b, KV_MAP, NULL, 0), 0);
	assert_int_equal(kv_write(kv, b, false), 0);
	assert_int_equal(kv_mem_cut(kv, &cut), 0);
	assert_row(kv, KV_MAP, "a", NULL);
	assert_row(cut, KV_MAP, "a", "v");

	/* An empty synced batch makes what came before it durable. */
	kv_batch_clear(b);
	assert_int_equal(kv_write(kv, b, true), 0);
	cut = kv_close(cut);
	assert_int_equal(kv_mem_cut(kv, &cut), 0);
	assert_row(cut, KV_MAP, "a", NULL);
	kv_close(cut);
	kv_close(kv);
}

static void many_rows_stay_quick(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct kv *kv;
	uint64_t begun = clock_mono_ns();
	uint8_t key[8];

	assert_int_equal(kv_mem_new(&kv), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	for (uint64_t i = 0; i < 20000; i++) {
		put_be64(key, i); /* sorted: the worst for a tree without balance */
		kv_batch_clear(b);
		assert_int_equal(kv_batch_put(b, KV_INDEX, key, 8, "v", 1), 0);
		assert_int_equal(kv_write(kv, b, i % 16 == 0), 0);
	}
	assert_true(clock_mono_ns() - begun < 20000000000u);
	kv_close(kv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_planned_write_fails_and_leaves_nothing),
		cmocka_unit_test(a_plan_of_none_takes_the_fault_back),
		cmocka_unit_test(a_cut_loses_what_was_not_synced),
		cmocka_unit_test(a_cut_undoes_deletions_that_were_not_synced),
		cmocka_unit_test(many_rows_stay_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
