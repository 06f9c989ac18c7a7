/* SPDX-License-Identifier: BSD-2-Clause */
/* What only a database on a disk can have: a folder, a lock, crashes, damage, and no space left. */
#include "kv_twins.h"

#include <dirent.h>
#include <errno.h>
#include <rocksdb/c.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

static int setup(void **state)
{
	struct scratch *s = calloc(1, sizeof(*s));

	scratch_make(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	umount(((struct scratch *)*state)->dir);	/* when a test has mounted one there and failed */
	scratch_remove(*state);
	free(*state);
	return 0;
}

static const char *db_of(void **state)
{
	return ((struct scratch *)*state)->db;
}

static struct kv *open_db(void **state, bool create)
{
	struct kv *kv;

	assert_int_equal(kv_open(db_of(state), create, TEST_CACHE_BYTES, &kv), 0);
	return kv;
}

static int try_open(void **state)
{
	struct kv *kv;
	int r = kv_open(db_of(state), false, TEST_CACHE_BYTES, &kv);

	if (!r)
		kv_close(kv);
	else
		assert_string_not_equal(err_text(r), strerror(-r));
	return r;
}

static void a_database_is_made_once_and_never_by_accident(void **state)
{
	struct kv *kv;

	assert_int_equal(try_open(state), -ENOENT);
	assert_int_equal(access(db_of(state), F_OK), -1);
	assert_int_equal(mkdir(db_of(state), 0700), 0);
	assert_int_equal(try_open(state), -ENOENT);
	kv_close(open_db(state, true));
	assert_int_equal(kv_open(db_of(state), true, TEST_CACHE_BYTES, &kv), -EEXIST);
	assert_int_equal(try_open(state), 0);
}

static const char *self;	/* this program; /proc/self/exe would be valgrind's */

/* Runs @role (see main) in another process on the same folder: a fork alone would not have RocksDB's threads. */
static int run_other(void **state, const char *role)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl(self, "test_kv_rocks", role, db_of(state), NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Exit code: 0 if the database is busy. */
static int other_opens(const char *db)
{
	struct kv *kv;

	return kv_open(db, false, TEST_CACHE_BYTES, &kv) == -EBUSY ? 0 : 1;
}

/* Dies without a word; the page cache keeps what it wrote, as after kill -9. */
static int other_writes(const char *db)
{
	struct kv *kv;

	if (kv_open(db, true, TEST_CACHE_BYTES, &kv))
		return 1;
	write_one(kv, KV_MAP, "a", "1", true);
	write_one(kv, KV_MAP, "b", "2", false);
	_exit(0);
}

static void a_second_opener_is_told_busy(void **state)
{
	struct kv *kv = open_db(state, true);

	assert_int_equal(try_open(state), -EBUSY);
	/* Another process meets the lock of the file, not the one inside RocksDB. */
	assert_int_equal(run_other(state, "opens"), 0);
	kv_close(kv);
	assert_int_equal(try_open(state), 0);
}

static void rows_survive_an_orderly_end(void **state)
{
	struct kv *kv = open_db(state, true);

	for (int s = 0; s < KV_SPACES; s++)
		write_one(kv, s, "key", "value", false);
	kv_close(kv);
	kv = open_db(state, false);
	for (int s = 0; s < KV_SPACES; s++)
		assert_row(kv, s, "key", "value");
	kv_close(kv);
}

/* As vtape made it before there was anything to say of contents. */
static void make_old_database(const char *dir)
{
	static const char *const names[] = { "default", "catalog", "index", "map", "pack" };
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_writeoptions_t *w = rocksdb_writeoptions_create();
	const rocksdb_options_t *options[] = { o, o, o, o, o };
	rocksdb_column_family_handle_t *family[ARRAY_LEN(names)];
	char *err = NULL;
	rocksdb_t *db;

	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_create_missing_column_families(o, 1);
	db = rocksdb_open_column_families(o, dir, ARRAY_LEN(names), names, options, family, &err);
	assert_null(err);
	rocksdb_put_cf(db, w, family[3], "key", 3, "value", 5, &err);
	assert_null(err);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		rocksdb_column_family_handle_destroy(family[i]);
	rocksdb_close(db);
	rocksdb_writeoptions_destroy(w);
	rocksdb_options_destroy(o);
}

static void a_database_from_before_contents_gets_their_space(void **state)
{
	struct kv *kv;

	make_old_database(db_of(state));
	kv = open_db(state, false);
	assert_row(kv, KV_MAP, "key", "value");
	write_one(kv, KV_CONTENTS, "new", "row", false);
	kv_close(kv);
	kv = open_db(state, false);
	assert_row(kv, KV_CONTENTS, "new", "row");
	kv_close(kv);
}

static void rows_survive_the_death_of_the_process(void **state)
{
	struct kv *kv;

	assert_int_equal(run_other(state, "writes"), 0);
	kv = open_db(state, false);
	assert_row(kv, KV_MAP, "a", "1");
	assert_row(kv, KV_MAP, "b", "2");
	kv_close(kv);
}

static uint64_t number_of(struct kv *kv, enum kv_space s)
{
	struct buf value = BUF_INIT;
	uint64_t n = 0;

	if (kv_get(kv, s, "n", 1, &value) == 0) {
		assert_int_equal(value.len, sizeof(n));
		memcpy(&n, value.data, sizeof(n));
	}
	buf_fini(&value);
	return n;
}

/* Counts on in two spaces at once, and says each number once it is durable. */
static int other_counts(const char *db)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	struct kv *kv;
	uint64_t n;

	if (kv_open(db, false, TEST_CACHE_BYTES, &kv) || kv_batch_new(&b))
		return 1;
	for (n = number_of(kv, KV_MAP) + 1;; n++) {
		kv_batch_clear(b);
		if (kv_batch_put(b, KV_INDEX, "n", 1, &n, sizeof(n)) ||
		    kv_batch_put(b, KV_MAP, "n", 1, &n, sizeof(n)) || kv_write(kv, b, n % 3 == 0))
			return 1;
		if (n % 3 == 0 && io_write_full(STDOUT_FILENO, &n, sizeof(n)))
			return 1;
	}
}

static void a_killed_writer_loses_nothing_that_it_was_told_is_durable(void **state)
{
	struct kv *kv = open_db(state, true);

	for (int round = 0; round < 5; round++) {
		uint64_t said = 0, n;
		int p[2], status;
		pid_t pid;

		kv_close(kv);
		assert_int_equal(pipe(p), 0);
		pid = fork();
		if (pid == 0) {
			dup2(p[1], STDOUT_FILENO);
			execl(self, "test_kv_rocks", "counts", db_of(state), NULL);
			_exit(127);
		}
		close(p[1]);
		/* Until it has said a few, then in the middle of whatever it does. */
		for (int i = 0; i < 20 + 7 * round; i++)
			assert_int_equal(read(p[0], &said, sizeof(said)), sizeof(said));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		while (read(p[0], &n, sizeof(n)) == sizeof(n))
			said = n;
		close(p[0]);

		kv = open_db(state, false);
		n = number_of(kv, KV_MAP);
		assert_int_equal(n, number_of(kv, KV_INDEX));
		assert_true(n >= said);
	}
	kv_close(kv);
}

/* A file of the database with this in its name. */
static void find_file(void **state, const char *like, char *path, size_t cap)
{
	DIR *d = opendir(db_of(state));
	struct dirent *e;

	assert_non_null(d);
	path[0] = '\0';
	while ((e = readdir(d)))
		if (strstr(e->d_name, like))
			snprintf(path, cap, "%s/%s", db_of(state), e->d_name);
	closedir(d);
	assert_true(path[0]);
}

static void damage(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t b[64];

	assert_true(fd >= 0);
	assert_true(pread(fd, b, sizeof(b), at) > 0);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] ^= 0x55;
	assert_int_equal(pwrite(fd, b, sizeof(b), at), sizeof(b));
	close(fd);
}

static void a_damaged_manifest_is_reported(void **state)
{
	char path[512];

	kv_close(open_db(state, true));
	find_file(state, "MANIFEST", path, sizeof(path));
	damage(path, 0);
	assert_int_equal(try_open(state), -EBADMSG);
}

static void a_lost_manifest_is_damage_not_absence(void **state)
{
	char path[512];
	struct kv *kv = open_db(state, true);

	write_one(kv, KV_MAP, "k", "v", true);
	kv_close(kv);
	find_file(state, "MANIFEST", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(try_open(state), -EUCLEAN);
}

static void a_lost_current_is_damage_not_absence(void **state)
{
	char path[512];
	struct kv *kv = open_db(state, true);

	write_one(kv, KV_MAP, "k", "v", true);
	kv_close(kv);
	find_file(state, "CURRENT", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(try_open(state), -EUCLEAN);
	assert_int_equal(kv_open(db_of(state), true, TEST_CACHE_BYTES, &kv), -EUCLEAN);
}

static void a_damaged_block_is_an_error_not_a_row(void **state)
{
	char path[512], val[3000];
	struct buf value = BUF_INIT;
	struct kv *kv = open_db(state, true);
	struct kv_iter *it;

	for (size_t i = 0; i < sizeof(val) - 1; i++)
		val[i] = (char)('a' + i * i % 23);
	val[sizeof(val) - 1] = '\0';
	write_one(kv, KV_INDEX, "key", val, true);
	kv_close(kv);
	find_file(state, ".sst", path, sizeof(path));
	damage(path, 1000);

	kv = open_db(state, false);
	assert_int_equal(kv_get(kv, KV_INDEX, "key", 3, &value), -EBADMSG);
	assert_int_equal(kv_any(kv, KV_INDEX, "key", 3), -EBADMSG);
	assert_int_equal(kv_iter_new(kv, KV_INDEX, &it), 0);
	kv_iter_seek(it, "key", 3);
	assert_false(kv_iter_valid(it));
	assert_int_equal(kv_iter_error(it), -EBADMSG);
	kv_iter_free(it);
	kv_close(kv);
	buf_fini(&value);
}

static void a_current_that_points_nowhere_is_damage(void **state)
{
	char path[512];
	struct kv *kv = open_db(state, true);
	struct buf text = BUF_INIT;

	kv_close(kv);
	find_file(state, "CURRENT", path, sizeof(path));
	assert_int_equal(io_read_file(path, 100, &text), 0);
	assert_int_equal(io_replace(path, "MANIFEST-999999\n", 16, 0600), 0);
	assert_int_equal(try_open(state), -EUCLEAN);
	assert_int_equal(io_replace(path, text.data, text.len, 0600), 0);
	assert_int_equal(try_open(state), 0);
	buf_fini(&text);
}

/* ---- a full disk ---- */

#define DISK_MIB 320

static void eat_space(const char *path, int mib_left)
{
	static uint8_t block[1 << 20];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	for (int i = 0; i < DISK_MIB - mib_left; i++)
		if (write(fd, block, sizeof(block)) < 0)
			break;
	close(fd);
}

static int write_big(struct kv *kv, uint32_t i)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	static uint8_t val[65536];
	uint32_t x = i;
	uint8_t key[8];

	for (size_t n = 0; n < sizeof(val); n++)
		val[n] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
	put_be64(key, i);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(kv_batch_put(b, KV_MAP, key, 8, val, sizeof(val)), 0);
	return kv_write(kv, b, true);
}

static uint32_t fill_disk(struct kv *kv, uint32_t first)
{
	uint32_t i = first;
	int r = 0;

	for (; !r && i < first + 16 * DISK_MIB; i++)
		r = write_big(kv, i);
	assert_int_equal(r, -ENOSPC);
	return i - 1;
}

static void assert_rows_upto(struct kv *kv, uint32_t n)
{
	struct buf value = BUF_INIT;
	uint8_t key[8];

	for (uint32_t i = 0; i < n; i++) {
		put_be64(key, i);
		assert_int_equal(kv_get(kv, KV_MAP, key, 8, &value), 0);
		assert_int_equal(value.len, 65536);
	}
	buf_fini(&value);
}

/* Only root may mount; elsewhere there is nothing to fill. */
static bool small_disk(void **state)
{
	struct scratch *s = *state;
	char size[32];

	snprintf(size, sizeof(size), "size=%dm", DISK_MIB);
	return mount("none", s->dir, "tmpfs", 0, size) == 0;
}

static void a_full_disk_stops_writes_until_there_is_space(void **state)
{
	struct scratch *s = *state;
	char ballast[128];
	struct kv_iter *it;
	struct kv *kv;
	uint32_t n;

	if (!small_disk(state))
		skip();
	snprintf(ballast, sizeof(ballast), "%s/ballast", s->dir);
	kv = open_db(state, true);
	for (int round = 0; round < 2; round++) {
		eat_space(ballast, 60);
		n = fill_disk(kv, 0);
		assert_true(n > 0);
		assert_int_equal(write_big(kv, n), -ENOSPC);
		assert_non_null(strstr(err_text(-ENOSPC), "No space left on device"));
		/* Reading goes on. */
		assert_rows_upto(kv, n);

		/* Not under the feet of an iterator. */
		assert_int_equal(kv_iter_new(kv, KV_MAP, &it), 0);
		assert_int_equal(unlink(ballast), 0);
		write_big(kv, n);
		kv_iter_seek(it, NULL, 0);
		assert_true(kv_iter_valid(it));
		kv_iter_free(it);

		/* The first try may be within the pause of the round before. */
		for (int i = 0; i < 80 && write_big(kv, n); i++)
			usleep(100000);
		assert_int_equal(write_big(kv, n), 0);
		assert_rows_upto(kv, n + 1);
	}
	kv_close(kv);
	kv = open_db(state, false);
	assert_rows_upto(kv, n + 1);
	kv_close(kv);
	assert_int_equal(umount(s->dir), 0);
}

/* What another process does: test_kv_rocks ROLE DATABASE. */
static const struct {
	const char *name;
	int (*run)(const char *db);
} roles[] = { { "opens", other_opens }, { "writes", other_writes }, { "counts", other_counts } };

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_database_is_made_once_and_never_by_accident, setup, teardown),
		cmocka_unit_test_setup_teardown(a_second_opener_is_told_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(rows_survive_an_orderly_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_database_from_before_contents_gets_their_space, setup, teardown),
		cmocka_unit_test_setup_teardown(rows_survive_the_death_of_the_process, setup, teardown),
		cmocka_unit_test_setup_teardown(a_killed_writer_loses_nothing_that_it_was_told_is_durable, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_damaged_manifest_is_reported, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_manifest_is_damage_not_absence, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_current_is_damage_not_absence, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_block_is_an_error_not_a_row, setup, teardown),
		cmocka_unit_test_setup_teardown(a_current_that_points_nowhere_is_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_stops_writes_until_there_is_space, setup, teardown),
	};

	self = argv[0];
	for (size_t i = 0; argc == 3 && i < ARRAY_LEN(roles); i++)
		if (!strcmp(argv[1], roles[i].name))
			return roles[i].run(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
