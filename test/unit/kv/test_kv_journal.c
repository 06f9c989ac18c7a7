/* SPDX-License-Identifier: BSD-2-Clause */
/* A journal beside RocksDB, on a disk: crashes, files that are missing, a database made anew, and many writers. */
#include "kv_twins.h"

#include "kv/kv_journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
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
	umount(s->scratch.dir);		/* when a test has mounted one there and failed */
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

static bool is_wished(struct store *s)
{
	struct journal *j = journal_of(s->kv);

	LOCK_SCOPE(&j->lock);
	return j->wished;
}

static void wait_until_complete(struct store *s)
{
	for (int i = 0; i < 1000 && is_wished(s); i++)
		usleep(10000);
	assert_false(is_wished(s));
}

/* cp -a, rm -r or mv of what lies in the scratch folder; %s stands for that. */
static void shell(struct store *s, const char *fmt)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), fmt, s->scratch.dir, s->scratch.dir, s->scratch.dir);
	assert_int_equal(system(cmd), 0);
}

#define SPACES ((unsigned)KV_CONTENTS)	/* that the journal has */

static void write_rows(struct kv *kv, unsigned from, unsigned to)
{
	char key[16], val[16];

	for (unsigned i = from; i < to; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		snprintf(val, sizeof(val), "v%u", i);
		write_one(kv, i % SPACES, key, val, i % 3 == 0);
	}
}

static void assert_rows(struct kv *kv, unsigned from, unsigned to, bool index)
{
	char key[16], val[16];

	for (unsigned i = from; i < to; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		snprintf(val, sizeof(val), "v%u", i);
		assert_row(kv, i % SPACES, key, i % SPACES == KV_INDEX && !index ? NULL : val);
	}
}

static unsigned count_files(struct store *s, const char *suffix)
{
	DIR *d = opendir(s->journal);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += strstr(e->d_name, suffix) != NULL;
	closedir(d);
	return n;
}

/* ---- ends of all kinds ---- */

static void rows_are_there_after_an_orderly_end(void **state)
{
	struct store *s = *state;

	write_rows(open_store(s, true), 0, 20);
	close_store(s);
	open_store(s, false);
	assert_rows(s->kv, 0, 20, true);
	/* Nothing is to be done, and the log goes on. */
	assert_false(is_wished(s));
	write_rows(s->kv, 20, 21);
	assert_int_equal(count_files(s, ".log"), 1);
}

static const char *self;	/* this program: a fork alone would not have RocksDB's threads */

static int other_writes(struct store *s, unsigned round)
{
	if (try_open(s, false))
		return 1;
	write_rows(s->kv, round * 10, round * 10 + 10);
	if (round == 2 && kv_checkpoint(s->kv))
		return 1;
	_exit(0);
}

static void run_other(struct store *s, unsigned round)
{
	char number[16];
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%u", round);
	pid = fork();
	if (pid == 0) {
		execl(self, "test_kv_journal", s->scratch.dir, number, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Without a word, as after kill -9: the page cache keeps what was written. */
static void rows_are_there_after_the_death_of_the_process(void **state)
{
	struct store *s = *state;

	open_store(s, true);
	close_store(s);
	for (unsigned round = 0; round < 4; round++)
		run_other(s, round);
	open_store(s, false);
	assert_rows(s->kv, 0, 40, true);
	assert_false(is_wished(s));
	assert_int_equal(count_files(s, ".checkpoint"), 1);
}

/* A power cut that took what RocksDB had not synced: the database as it was a while ago. */
static void what_the_database_lost_comes_from_the_journal(void **state)
{
	struct store *s = *state;

	write_rows(open_store(s, true), 0, 10);
	close_store(s);
	shell(s, "cp -a %s/db %s/before");
	write_rows(open_store(s, false), 10, 30);
	close_store(s);
	shell(s, "rm -r %s/db && mv %s/before %s/db");
	open_store(s, false);
	assert_rows(s->kv, 0, 30, true);
	assert_false(is_wished(s));
	write_rows(s->kv, 30, 40);
	close_store(s);
	open_store(s, false);
	assert_rows(s->kv, 0, 40, true);
}

/* ---- what the journal leaves out ---- */

static uint64_t journal_bytes(struct store *s)
{
	return journal_of(s->kv)->dir->ops->disk_bytes(journal_of(s->kv)->dir);
}

static void contents_go_past_the_journal(void **state)
{
	struct store *s = *state;
	struct kv_replayed done;
	struct kv *base;
	char key[16];
	uint64_t before;

	write_rows(open_store(s, true), 0, 10);
	before = journal_bytes(s);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		write_one(s->kv, KV_CONTENTS, key, "on a tape", i % 2);
	}
	assert_int_equal(journal_bytes(s), before);
	close_store(s);
	open_store(s, false);
	assert_row(s->kv, KV_CONTENTS, "k99", "on a tape");
	assert_rows(s->kv, 0, 10, true);

	assert_int_equal(kv_checkpoint(s->kv), 0);
	assert_int_equal(kv_mem_new(&base), 0);
	assert_int_equal(kv_journal_replay(s->journal, base, NULL, NULL, &done), 0);
	assert_rows(base, 0, 10, false);
	assert_int_equal(kv_any(base, KV_CONTENTS, NULL, 0), KV_E_NONE);
	kv_close(base);
}

static void contents_and_others_are_no_one_batch(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct store *s = *state;

	open_store(s, true);
	assert_int_equal(kv_batch_new(&b), 0);
	put(b, KV_CONTENTS, "a", "1");
	put(b, KV_CATALOG, "b", "2");
	assert_int_equal(kv_write(s->kv, b, true), -EINVAL);
	assert_row(s->kv, KV_CONTENTS, "a", NULL);
	assert_row(s->kv, KV_CATALOG, "b", NULL);
}

/* A cut takes back the last of them, each whole. */
static void a_cut_leaves_a_prefix_of_contents(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct kv *base, *kv, *cut;
	char key[16];
	bool all_seen = false, less_seen = false;

	assert_int_equal(kv_mem_new(&base), 0);
	assert_int_equal(kv_journal_mem_open(base, &kv), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	write_one(kv, KV_CATALOG, "first", "1", true);
	for (unsigned i = 0; i < 6; i++) {
		kv_batch_clear(b);
		snprintf(key, sizeof(key), "a%u", i);
		put(b, KV_CONTENTS, key, "x");
		snprintf(key, sizeof(key), "b%u", i);
		put(b, KV_CONTENTS, key, "x");
		assert_int_equal(kv_write(kv, b, false), 0);
	}
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct buf value = BUF_INIT;
		bool gone = false;

		assert_int_equal(kv_mem_cut_torn(kv, seed * 7919, &cut), 0);
		assert_row(cut, KV_CATALOG, "first", "1");
		for (unsigned i = 0; i < 6; i++) {
			bool has;

			snprintf(key, sizeof(key), "a%u", i);
			has = !kv_get(cut, KV_CONTENTS, key, 2, &value);
			snprintf(key, sizeof(key), "b%u", i);
			assert_int_equal(has, !kv_get(cut, KV_CONTENTS, key, 2, &value));
			assert_false(has && gone);
			gone = gone || !has;
		}
		all_seen = all_seen || !gone;
		less_seen = less_seen || gone;
		buf_fini(&value);
		kv_close(cut);
	}
	assert_true(all_seen && less_seen);
	kv_close(kv);
}

/* ---- what is missing ---- */

static void assert_replayed(struct store *s, unsigned rows)
{
	struct kv_replayed done;
	struct kv *base;

	close_store(s);
	shell(s, "rm -r %s/db");
	assert_int_equal(kv_open(s->scratch.db, true, TEST_CACHE_BYTES, &base), 0);
	assert_int_equal(kv_journal_replay(s->journal, base, NULL, NULL, &done), 0);
	assert_int_equal(done.lost, 0);
	assert_rows(base, 0, rows, false);
	/* It goes on from there; that the index has nothing is for others. */
	assert_int_equal(kv_journal_open(base, s->journal, &s->kv), 0);
	assert_rows(s->kv, 0, rows, false);
	wait_until_complete(s);
}

static void a_lost_database_is_made_anew(void **state)
{
	struct store *s = *state;

	write_rows(open_store(s, true), 0, 50);
	assert_replayed(s, 50);
	write_rows(s->kv, 50, 60);
	assert_int_equal(kv_checkpoint(s->kv), 0);
	write_rows(s->kv, 60, 70);
	close_store(s);
	open_store(s, false);
	write_rows(s->kv, 70, 80);
	assert_replayed(s, 80);
}

/* Made by a vtape that knew no journal. */
static void an_old_database_gets_a_checkpoint_at_once(void **state)
{
	struct store *s = *state;
	struct kv *base;

	assert_int_equal(kv_open(s->scratch.db, true, TEST_CACHE_BYTES, &base), 0);
	write_rows(base, 0, 30);
	kv_close(base);
	open_store(s, false);
	assert_rows(s->kv, 0, 30, true);
	wait_until_complete(s);
	write_rows(s->kv, 30, 33);
	assert_replayed(s, 33);
}

/* Until then what it had is missed, not forgotten. */
static void without_that_checkpoint_something_is_lost(void **state)
{
	struct kv_replayed done;
	struct store *s = *state;
	struct kv *base;

	assert_int_equal(kv_open(s->scratch.db, true, TEST_CACHE_BYTES, &base), 0);
	write_rows(base, 0, 30);
	kv_close(base);
	write_rows(open_store(s, false), 30, 33);
	close_store(s);
	shell(s, "rm -rf %s/journal/*.checkpoint && ls %s/journal | grep -q log");
	assert_int_equal(kv_mem_new(&base), 0);
	assert_int_equal(kv_journal_replay(s->journal, base, NULL, NULL, &done), 0);
	assert_true(done.lost > 0);
	kv_close(base);
}

static void a_lost_journal_is_made_anew(void **state)
{
	struct store *s = *state;

	write_rows(open_store(s, true), 0, 10);
	close_store(s);
	shell(s, "rm -r %s/journal");
	open_store(s, false);
	assert_rows(s->kv, 0, 10, true);
	wait_until_complete(s);
	write_rows(s->kv, 10, 20);
	assert_replayed(s, 20);
}

static void a_lost_log_is_missed(void **state)
{
	struct store *s = *state;

	write_rows(open_store(s, true), 0, 10);
	assert_int_equal(kv_checkpoint(s->kv), 0);
	write_rows(s->kv, 10, 20);
	close_store(s);
	shell(s, "rm %s/journal/*.log");
	open_store(s, false);
	wait_until_complete(s);
	assert_replayed(s, 20);
}

static void a_lost_checkpoint_is_missed(void **state)
{
	struct store *s = *state;

	write_rows(open_store(s, true), 0, 10);
	assert_int_equal(kv_checkpoint(s->kv), 0);
	write_rows(s->kv, 10, 20);
	close_store(s);
	shell(s, "rm %s/journal/*.checkpoint");
	open_store(s, false);
	wait_until_complete(s);
	assert_replayed(s, 20);
}

static void a_database_from_before_the_journal_is_refused(void **state)
{
	struct store *s = *state;

	write_rows(open_store(s, true), 0, 10);
	close_store(s);
	shell(s, "cp -a %s/db %s/before");
	write_rows(open_store(s, false), 10, 20);
	assert_int_equal(kv_checkpoint(s->kv), 0);
	close_store(s);
	shell(s, "rm -r %s/db && mv %s/before %s/db");
	assert_int_equal(try_open(s, false), -EUCLEAN);
	assert_non_null(strstr(err_text(-EUCLEAN), "an older copy"));
}

static void there_is_no_journal_in_an_empty_folder(void **state)
{
	struct kv_replayed done;
	struct store *s = *state;
	struct kv *kv;

	assert_int_equal(kv_mem_new(&kv), 0);
	assert_int_equal(kv_journal_replay(s->journal, kv, NULL, NULL, &done), -ENOENT);
	assert_int_equal(mkdir(s->journal, 0700), 0);
	assert_int_equal(kv_journal_replay(s->journal, kv, NULL, NULL, &done), -ENOENT);
	kv_close(kv);
}

/* ---- checks ---- */

struct told {
	unsigned count;
	char what[256];
};

static void tell(void *ctx, const char *what)
{
	struct told *t = ctx;

	t->count++;
	snprintf(t->what, sizeof(t->what), "%s", what);
}

static void damage_file(struct store *s, const char *dir, const char *suffix, off_t at)
{
	char path[512] = "";
	DIR *d = opendir(dir);
	struct dirent *e;
	uint8_t byte;
	int fd;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (strstr(e->d_name, suffix))
			snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
	closedir(d);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void a_whole_store_is_found_whole(void **state)
{
	struct store *s = *state;
	struct told t = { 0 };

	open_store(s, true);
	assert_int_equal(kv_check(s->kv, tell, &t), 0);
	write_rows(s->kv, 0, 100);
	assert_int_equal(kv_check(s->kv, tell, &t), 0);
	assert_int_equal(kv_checkpoint(s->kv), 0);
	write_rows(s->kv, 100, 200);
	assert_int_equal(kv_check(s->kv, tell, &t), 0);
	close_store(s);
	open_store(s, false);
	assert_int_equal(kv_check(s->kv, tell, &t), 0);
	assert_int_equal(t.count, 0);
}

static void a_damaged_table_is_told(void **state)
{
	struct store *s = *state;
	struct told t = { 0 };

	write_rows(open_store(s, true), 0, 100);
	close_store(s);
	damage_file(s, s->scratch.db, ".sst", 10);
	open_store(s, false);
	assert_int_equal(kv_check(s->kv, tell, &t), 0);
	assert_int_equal(t.count, 1);
	assert_non_null(strstr(t.what, ".sst"));
}

/* Read once before, so that it lies in the cache. */
static void a_cached_table_is_read_from_the_disk(void **state)
{
	struct store *s = *state;
	struct told t = { 0 };

	write_rows(open_store(s, true), 0, 100);
	close_store(s);
	open_store(s, false);
	assert_rows(s->kv, 0, 100, true);
	damage_file(s, s->scratch.db, ".sst", 10);
	assert_int_equal(kv_check(s->kv, tell, &t), 0);
	assert_int_equal(t.count, 1);
}

static void a_damaged_journal_is_told_and_written_anew(void **state)
{
	struct store *s = *state;
	struct told t = { 0 };

	write_rows(open_store(s, true), 0, 100);
	damage_file(s, s->journal, ".log", 1000);
	assert_int_equal(kv_check(s->kv, tell, &t), 0);
	assert_int_equal(t.count, 1);
	assert_non_null(strstr(t.what, "batches"));
	wait_until_complete(s);
	damage_file(s, s->journal, ".checkpoint", 200);
	assert_int_equal(kv_check(s->kv, tell, &t), 0);
	assert_int_equal(t.count, 2);
	assert_non_null(strstr(t.what, "blocks of rows"));
	wait_until_complete(s);
	assert_int_equal(kv_check(s->kv, tell, &t), 0);
	assert_int_equal(t.count, 2);
	assert_replayed(s, 100);
}

/* ---- checkpoints ---- */

static void the_journal_stays_short(void **state)
{
	CLEANUP(freep) char *val = malloc(1 << 20);
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct store *s = *state;
	struct kv_usage use;

	open_store(s, true);
	assert_int_equal(kv_batch_new(&b), 0);
	for (unsigned i = 0; i < 150; i++) {
		kv_batch_clear(b);
		memset(val, (int)i, 1 << 20);
		assert_int_equal(kv_batch_put(b, KV_MAP, "same", 4, val, 1 << 20), 0);
		assert_int_equal(kv_write(s->kv, b, false), 0);
	}
	/* Of two the older goes as soon as the newer is safe. */
	for (int i = 0; i < 6000 && count_files(s, ".checkpoint") != 1; i++)
		usleep(10000);
	assert_int_equal(count_files(s, ".checkpoint"), 1);
	assert_int_equal(kv_checkpoint(s->kv), 0);
	assert_int_equal(count_files(s, ".log"), 1);
	assert_int_equal(count_files(s, ".checkpoint"), 1);
	assert_int_equal(kv_usage(s->kv, &use), 0);
	assert_true(use.disk_bytes > 1 << 20);
}

/* ---- a full disk: the journal's alone, the database is in memory ---- */

static int write_big(struct kv *kv, unsigned i)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	static uint8_t val[50000];
	char key[16];

	snprintf(key, sizeof(key), "big%u", i);
	memset(val, (int)i, sizeof(val));
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, key, strlen(key), val, sizeof(val)), 0);
	return kv_write(kv, b, true);
}

static unsigned big_rows(struct kv *kv)
{
	struct buf value = BUF_INIT;
	char key[16];
	unsigned n;

	for (n = 0;; n++) {
		snprintf(key, sizeof(key), "big%u", n);
		if (kv_get(kv, KV_MAP, key, strlen(key), &value))
			break;
	}
	buf_fini(&value);
	return n;
}

static void a_full_disk_stops_writes_until_there_is_space(void **state)
{
	struct store *s = *state;
	struct kv_replayed done;
	struct kv *base;
	unsigned n = 0;
	int r;

	if (mount("none", s->scratch.dir, "tmpfs", 0, "size=4m"))
		skip();
	shell(s, "head -c 1000000 /dev/zero >%s/ballast");
	assert_int_equal(kv_mem_new(&base), 0);
	assert_int_equal(kv_journal_open(base, s->journal, &s->kv), 0);
	for (r = 0; !r; n += !r)
		r = write_big(s->kv, n);
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(err_text(r), "No space left on device"));
	assert_int_equal(write_big(s->kv, n), -ENOSPC);
	/* Nor is there room for a checkpoint; nothing is left of it, and nothing is lost. */
	assert_int_equal(kv_checkpoint(s->kv), -ENOSPC);
	assert_int_equal(count_files(s, ".checkpoint"), 0);
	assert_int_equal(count_files(s, "checkpoint.new"), 0);
	assert_int_equal(big_rows(s->kv), n);

	shell(s, "rm %s/ballast");
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(write_big(s->kv, n++), 0);
	close_store(s);
	assert_int_equal(kv_mem_new(&base), 0);
	assert_int_equal(kv_journal_replay(s->journal, base, NULL, NULL, &done), 0);
	assert_int_equal(done.lost, 0);
	assert_int_equal(big_rows(base), n);
	kv_close(base);
	assert_int_equal(umount(s->scratch.dir), 0);
}

/* A checkpoint would be as large as what is there. */
static void a_checkpoint_that_can_wait_leaves_room_for_commits(void **state)
{
	struct store *s = *state;
	struct journal *j;
	struct kv *base;
	unsigned n = 0;

	if (mount("none", s->scratch.dir, "tmpfs", 0, "size=32m"))
		skip();
	assert_int_equal(kv_mem_new(&base), 0);
	assert_int_equal(kv_journal_open(base, s->journal, &s->kv), 0);
	j = journal_of(s->kv);
	while (n < 300)
		assert_int_equal(write_big(s->kv, n++), 0);
	assert_int_equal(j->dir->ops->room(j->dir, 16 << 20), 0);
	assert_int_equal(j->dir->ops->room(j->dir, 17 << 20), -ENOSPC);
	shell(s, "head -c 8000000 /dev/zero >%s/ballast");
	/* Half-way through, it sees that there will not be enough; somebody who waits for it gets what there is. */
	assert_int_equal(journal_checkpoint(j), -ENOSPC);
	assert_non_null(strstr(err_text(-ENOSPC), "too little for a checkpoint"));
	assert_int_equal(count_files(s, "checkpoint.new"), 0);
	assert_int_equal(kv_checkpoint(s->kv), -ENOSPC);
	assert_non_null(strstr(err_text(-ENOSPC), "No space left on device"));
	shell(s, "rm %s/ballast");
	assert_int_equal(kv_checkpoint(s->kv), 0);
	/* Now it is known how large it will be. */
	shell(s, "head -c 16000000 /dev/zero >%s/ballast");
	assert_int_equal(journal_checkpoint(j), -ENOSPC);
	assert_int_equal(write_big(s->kv, n), 0);
	close_store(s);
	assert_int_equal(umount(s->scratch.dir), 0);
}

struct writer {
	struct kv *kv;
	unsigned first;
	pthread_t thread;
};

static void *write_many(void *arg)
{
	struct writer *w = arg;

	write_rows(w->kv, w->first, w->first + 300);
	return NULL;
}

static void many_write_while_checkpoints_and_checks_are_made(void **state)
{
	struct store *s = *state;
	struct writer w[4];
	struct told t = { 0 };

	open_store(s, true);
	for (unsigned i = 0; i < 4; i++) {
		w[i] = (struct writer){ s->kv, i * 300, 0 };
		assert_int_equal(pthread_create(&w[i].thread, NULL, write_many, &w[i]), 0);
	}
	for (int i = 0; i < 5; i++) {
		assert_int_equal(kv_checkpoint(s->kv), 0);
		assert_int_equal(kv_check(s->kv, tell, &t), 0);
	}
	for (unsigned i = 0; i < 4; i++)
		pthread_join(w[i].thread, NULL);
	assert_int_equal(t.count, 0);
	assert_rows(s->kv, 0, 1200, true);
	assert_replayed(s, 1200);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_are_there_after_an_orderly_end, setup, teardown),
		cmocka_unit_test_setup_teardown(rows_are_there_after_the_death_of_the_process, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_database_lost_comes_from_the_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(contents_go_past_the_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(contents_and_others_are_no_one_batch, setup, teardown),
		cmocka_unit_test(a_cut_leaves_a_prefix_of_contents),
		cmocka_unit_test_setup_teardown(a_lost_database_is_made_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(an_old_database_gets_a_checkpoint_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(without_that_checkpoint_something_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_journal_is_made_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_log_is_missed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_checkpoint_is_missed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_database_from_before_the_journal_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(there_is_no_journal_in_an_empty_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(a_whole_store_is_found_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_table_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cached_table_is_read_from_the_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_journal_is_told_and_written_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(the_journal_stays_short, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_stops_writes_until_there_is_space, setup, teardown),
		cmocka_unit_test_setup_teardown(a_checkpoint_that_can_wait_leaves_room_for_commits, setup, teardown),
		cmocka_unit_test_setup_teardown(many_write_while_checkpoints_and_checks_are_made, setup, teardown),
	};
	struct store other = { .kv = NULL };

	log_set_level(LOG_LEVEL_ERROR);
	self = argv[0];
	if (argc == 3) {
		snprintf(other.scratch.db, sizeof(other.scratch.db), "%s/db", argv[1]);
		snprintf(other.journal, sizeof(other.journal), "%s/journal", argv[1]);
		return other_writes(&other, (unsigned)atoi(argv[2]));
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
