/* SPDX-License-Identifier: BSD-2-Clause */
/* A journal beside RocksDB, on a disk: crashes, damage, files that are missing, and a database made anew. */
#include "kv_twins.h"

#include "kv/kv_journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

struct store {
	struct scratch scratch;
	char journal[80];
	struct kv *kv;
};

static int setup(void **state)
{
	struct store *s = calloc(1, sizeof(*s));

	scratch_make(&s->scratch);
	snprintf(s->journal, sizeof(s->journal), "%s/journal", s->scratch.dir);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct store *s = *state;

	kv_close(s->kv);
	scratch_remove(&s->scratch);
	free(s);
	return 0;
}

static int try_open(struct store *s, bool create)
{
	struct kv *base;
	int r = kv_open(s->scratch.db, create, TEST_CACHE_BYTES, &base);

	return r ? r : kv_journal_open(base, s->journal, &s->kv);
}

static struct kv *open_store(struct store *s, bool create)
{
	assert_int_equal(try_open(s, create), 0);
	return s->kv;
}

static void close_store(struct store *s)
{
	s->kv = kv_close(s->kv);
}

__attribute__((unused)) static void wait_until_complete(struct store *s)
{
	for (int i = 0; i < 500 && journal_of(s->kv)->wished; i++)
		usleep(10000);
	assert_false(journal_of(s->kv)->wished);
}

static void rows_are_there_after_an_orderly_end(void **state)
{
	struct store *s = *state;
	struct kv *kv = open_store(s, true);

	for (int i = 0; i < KV_SPACES; i++)
		write_one(kv, i, "key", "value", i % 2);
	close_store(s);
	kv = open_store(s, false);
	for (int i = 0; i < KV_SPACES; i++)
		assert_row(kv, i, "key", "value");
	assert_false(journal_of(kv)->wished);
	assert_false(journal_of(kv)->rotate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_are_there_after_an_orderly_end, setup, teardown),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
