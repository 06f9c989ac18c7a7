/* SPDX-License-Identifier: BSD-2-Clause */
/* A journal cut short, flipped, unreadable or mixed up, byte by byte, in memory: what opening and replaying give. */
#include "kv_twins.h"

#include "kv/kv_journal.h"

#include <errno.h>

#define FILES_MAX 8
#define BATCHES 12

/* The files of a folder, to be changed and put into another one. */
struct files {
	unsigned count;
	struct {
		char name[JOURNAL_NAME_MAX];
		struct buf bytes;
	} of[FILES_MAX];
};

static struct jfile *open_file(struct jdir *d, const char *name)
{
	struct jfile *f;

	assert_int_equal(d->ops->open(d, name, &f), 0);
	return f;
}

static int take_name(void *ctx, const char *name)
{
	struct files *to = ctx;

	strcpy(to->of[to->count++].name, name);
	return 0;
}

static void take_files(struct kv *kv, struct files *out)
{
	struct jdir *d = journal_of(kv)->dir;

	*out = (struct files){ 0 };
	assert_int_equal(d->ops->list(d, take_name, out), 0);
	for (unsigned i = 0; i < out->count; i++) {
		struct jfile *f = open_file(d, out->of[i].name);
		struct buf *b = &out->of[i].bytes;
		uint64_t size;

		assert_int_equal(f->ops->size(f, &size), 0);
		assert_int_equal(buf_reserve(b, size), 0);
		assert_int_equal(f->ops->pread(f, b->data, size, 0), 0);
		b->len = size;
		jfile_close(f);
	}
}

static void files_fini(struct files *f)
{
	for (unsigned i = 0; i < f->count; i++)
		buf_fini(&f->of[i].bytes);
}

static unsigned find(const struct files *f, const char *suffix)
{
	for (unsigned i = 0; i < f->count; i++)
		if (strstr(f->of[i].name, suffix))
			return i;
	fail_msg("no %s", suffix);
	return 0;
}

static struct jdir *dir_of(const struct files *files, struct kv *base)
{
	struct jdir *d;
	struct jfile *f;

	assert_int_equal(jdir_mem_new(base, &d), 0);
	for (unsigned i = 0; i < files->count; i++) {
		assert_int_equal(d->ops->create(d, files->of[i].name, &f), 0);
		assert_int_equal(f->ops->pwrite(f, files->of[i].bytes.data, files->of[i].bytes.len, 0), 0);
		assert_int_equal(f->ops->sync(f), 0);
		jfile_close(f);
	}
	return d;
}

/* All rows, the journal's own too. */
static struct kv *copy_of(struct kv *from)
{
	struct kv_batch *b;
	struct kv_iter *it;
	struct kv *to;

	assert_int_equal(kv_mem_new(&to), 0);
	assert_int_equal(kv_batch_new(&b), 0);
	for (int s = 0; s < KV_ALL_SPACES; s++) {
		assert_int_equal(kv_iter_new(from, s, &it), 0);
		for (kv_iter_seek(it, NULL, 0); kv_iter_valid(it); kv_iter_next(it)) {
			struct kv_op op = { .change = KV_PUT, .space = s };

			op.key = kv_iter_key(it, &op.klen);
			op.val = kv_iter_value(it, &op.vlen);
			assert_int_equal(kv_batch_add(b, &op), 0);
		}
		kv_iter_free(it);
	}
	assert_int_equal(kv_write(to, b, true), 0);
	kv_batch_free(b);
	return to;
}

/* ---- batch i puts one row: key i ---- */

static void write_batch(struct kv *kv, unsigned i)
{
	char key[8], val[40];

	snprintf(key, sizeof(key), "%u", i);
	snprintf(val, sizeof(val), "the value of %u", i);
	write_one(kv, KV_MAP, key, val, true);
}

static bool has_batch(struct kv *kv, unsigned i)
{
	struct buf value = BUF_INIT;
	char key[8];
	int r;

	snprintf(key, sizeof(key), "%u", i);
	r = kv_get(kv, KV_MAP, key, strlen(key), &value);
	buf_fini(&value);
	return r == 0;
}

/* The rows of batches 1 to @n, and no others. */
static void assert_prefix(struct kv *kv, unsigned n)
{
	for (unsigned i = 1; i <= BATCHES + 2; i++)
		assert_int_equal(has_batch(kv, i), i <= n);
}

static struct kv *make_journal(void)
{
	struct kv *base, *kv;

	assert_int_equal(kv_mem_new(&base), 0);
	assert_int_equal(kv_journal_mem_open(base, &kv), 0);
	for (unsigned i = 1; i <= BATCHES; i++)
		write_batch(kv, i);
	return kv;
}

/* How many batches of the log are whole if it is @len bytes long? */
static unsigned whole_batches(const struct buf *log, size_t len)
{
	size_t end = JOURNAL_HEADER_BYTES;

	for (unsigned n = 0;; n++) {
		if (end + JOURNAL_FRAME_BYTES <= log->len)
			end += JOURNAL_FRAME_BYTES + get_le32(log->data + end + 4);
		else
			return n;
		if (end > len)
			return n;
	}
}

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

static struct kv *replay(const struct files *f, struct told *t, struct kv_replayed *done)
{
	struct kv *into;
	struct jdir *d;

	*t = (struct told){ 0 };
	assert_int_equal(kv_mem_new(&into), 0);
	d = dir_of(f, into);
	assert_int_equal(journal_replay_dir(d, into, tell, t, done), 0);
	jdir_close(d);
	return into;
}

/* Beside an empty database: what opening gives, or its refusal. */
static int open_empty(const struct files *f, struct kv **out)
{
	struct kv *base;

	assert_int_equal(kv_mem_new(&base), 0);
	return journal_open(base, dir_of(f, base), out);
}

/* Beside a database that has everything. */
static struct kv *open_ahead(const struct files *f, struct kv *full)
{
	struct kv *base = copy_of(journal_of(full)->base), *kv;

	assert_int_equal(journal_open(base, dir_of(f, base), &kv), 0);
	return kv;
}

/* ---- a log ---- */

static void a_log_cut_at_any_byte_gives_what_is_whole(void **state)
{
	struct kv *full = make_journal(), *kv;
	struct kv_replayed done;
	struct files files;
	struct buf *log;
	struct told t;

	take_files(full, &files);
	log = &files.of[find(&files, ".log")].bytes;
	for (size_t all = log->len, len = all; len > 0; len--) {
		unsigned whole;

		log->len = all;
		whole = whole_batches(log, len);
		log->len = len;
		assert_int_equal(open_empty(&files, &kv), 0);
		assert_prefix(kv, whole);
		write_batch(kv, BATCHES + 1);
		assert_true(has_batch(kv, BATCHES + 1));
		kv_close(kv);

		kv = replay(&files, &t, &done);
		assert_prefix(kv, whole);
		assert_int_equal(done.lost, 0);
		assert_int_equal(done.batches, whole);
		kv_close(kv);
	}
	files_fini(&files);
	kv_close(full);
}

static void a_log_cut_beside_a_database_that_is_ahead_is_completed(void **state)
{
	struct kv *full = make_journal(), *kv;
	struct kv_replayed done;
	struct files files, after;
	struct buf *log;
	struct told t;

	take_files(full, &files);
	log = &files.of[find(&files, ".log")].bytes;
	for (size_t all = log->len, len = all; len-- > 0;) {
		log->len = len;
		kv = open_ahead(&files, full);
		assert_prefix(kv, BATCHES);
		assert_true(journal_of(kv)->wished);
		write_batch(kv, BATCHES + 1);
		/* Until the checkpoint is there the journal says that it lacks something. */
		take_files(kv, &after);
		kv_close(replay(&after, &t, &done));
		assert_true(done.lost > 0 && t.count > 0);
		files_fini(&after);

		assert_int_equal(kv_checkpoint(kv), 0);
		take_files(kv, &after);
		kv_close(kv);
		kv = replay(&after, &t, &done);
		assert_prefix(kv, BATCHES + 1);
		assert_int_equal(done.lost, 0);
		files_fini(&after);
		kv_close(kv);
	}
	files_fini(&files);
	kv_close(full);
}

/* Opening beside a database that lacks it all must not lose a batch without a word; replaying loses that one only. */
static void a_flipped_bit_of_a_log_is_refused_or_told(void **state)
{
	struct kv *full = make_journal(), *kv;
	struct kv_replayed done;
	struct files files;
	struct buf *log;
	struct told t;
	int r;

	take_files(full, &files);
	log = &files.of[find(&files, ".log")].bytes;
	for (size_t at = 0; at < log->len; at++) {
		unsigned hurt = at < JOURNAL_HEADER_BYTES ? 0 : whole_batches(log, at) + 1;

		log->data[at] ^= (uint8_t)(1u << at % 8);
		r = open_empty(&files, &kv);
		/* The last batch may as well be torn: nothing behind it says that it had been on disk. */
		assert_int_equal(r, hurt == BATCHES ? 0 : -EBADMSG);
		if (!r) {
			assert_prefix(kv, BATCHES - 1);
			kv_close(kv);
		}
		kv = replay(&files, &t, &done);
		for (unsigned i = 1; i <= BATCHES; i++)
			assert_int_equal(has_batch(kv, i), i != hurt);
		assert_int_equal(done.lost, hurt == BATCHES ? 0 : 1);
		assert_int_equal(t.count, done.lost);
		kv_close(kv);

		/* The database has it: it is right. */
		kv = open_ahead(&files, full);
		assert_prefix(kv, BATCHES);
		t.count = 0;
		assert_int_equal(kv_check(kv, tell, &t), 0);
		assert_true(t.count > 0 && journal_of(kv)->wished);
		assert_int_equal(kv_checkpoint(kv), 0);
		t.count = 0;
		assert_int_equal(kv_check(kv, tell, &t), 0);
		assert_int_equal(t.count, 0);
		kv_close(kv);
		log->data[at] ^= (uint8_t)(1u << at % 8);
	}
	files_fini(&files);
	kv_close(full);
}

/* ---- checkpoints ---- */

#define ROWS 120
#define ROW_BYTES 10000u

static void put_row(struct kv_batch *b, unsigned i)
{
	static uint8_t val[ROW_BYTES];
	char key[8];

	memset(val, (int)i, sizeof(val));
	snprintf(key, sizeof(key), "r%03u", i);
	assert_int_equal(kv_batch_put(b, i % 2 ? KV_MAP : KV_CATALOG, key, 4, val, sizeof(val)), 0);
}

static struct kv *make_checkpoint(void)
{
	struct kv *kv = make_journal();
	struct kv_batch *b;

	assert_int_equal(kv_batch_new(&b), 0);
	for (unsigned i = 0; i < ROWS; i++)
		put_row(b, i);
	assert_int_equal(kv_write(kv, b, true), 0);
	kv_batch_free(b);
	assert_int_equal(kv_checkpoint(kv), 0);
	return kv;
}

/* How many frames are there, and which is byte @at in?  From 1. */
static unsigned frame_at(const struct buf *file, size_t at, unsigned *count)
{
	unsigned found = 0, n = 0;

	for (size_t end = JOURNAL_HEADER_BYTES; end < file->len; n++) {
		size_t next = end + JOURNAL_FRAME_BYTES + get_le32(file->data + end + 4);

		if (at >= end && at < next)
			found = n + 1;
		end = next;
	}
	*count = n;
	return found;
}

/* Rows are lost exactly if their block is hurt: count those that are there and right. */
static unsigned good_rows(struct kv *kv)
{
	static uint8_t want[ROW_BYTES];
	struct buf value = BUF_INIT;
	unsigned n = 0;
	char key[8];

	for (unsigned i = 0; i < ROWS; i++) {
		int r;

		snprintf(key, sizeof(key), "r%03u", i);
		r = kv_get(kv, i % 2 ? KV_MAP : KV_CATALOG, key, 4, &value);
		if (r == 0) {
			memset(want, (int)i, sizeof(want));
			assert_int_equal(value.len, ROW_BYTES);
			assert_memory_equal(value.data, want, ROW_BYTES);
			n++;
		} else {
			assert_int_equal(r, KV_E_NONE);
		}
	}
	buf_fini(&value);
	for (unsigned i = 1; i <= BATCHES; i++)
		n += has_batch(kv, i);
	return n;
}

static unsigned rows_in_frame(const struct buf *file, unsigned frame)
{
	struct kv_batch *b;
	size_t at = JOURNAL_HEADER_BYTES;
	unsigned n;

	for (unsigned i = 1; i < frame; i++)
		at += JOURNAL_FRAME_BYTES + get_le32(file->data + at + 4);
	assert_int_equal(kv_batch_new(&b), 0);
	assert_int_equal(journal_payload_unpack(file->data + at + JOURNAL_FRAME_BYTES, get_le32(file->data + at + 4),
						true, b), 0);
	n = (unsigned)kv_batch_count(b);
	kv_batch_free(b);
	return n;
}

/* Where to hurt it next: at each byte of the heads and of the end, and at some of what is between. */
static size_t next_place(const struct buf *file, size_t at)
{
	const size_t far = at + 9973;

	if (at < JOURNAL_HEADER_BYTES)
		return at + 1;
	for (size_t head = JOURNAL_HEADER_BYTES; head < file->len;
	     head += JOURNAL_FRAME_BYTES + get_le32(file->data + head + 4)) {
		if (at < head)
			return far < head ? far : head;
		if (at < head + JOURNAL_FRAME_BYTES)
			return at + 1;
	}
	return at + 1;
}

static void a_damaged_block_costs_its_rows_only(void **state)
{
	struct kv *full = make_checkpoint(), *kv;
	struct kv_replayed done;
	struct files files;
	unsigned frames, rows;
	struct buf *file;
	struct told t;

	take_files(full, &files);
	file = &files.of[find(&files, ".checkpoint")].bytes;
	frame_at(file, 0, &frames);
	assert_true(frames >= 5);
	for (size_t at = 0; at < file->len; at = next_place(file, at)) {
		unsigned frame = frame_at(file, at, &frames);

		/* The last frame is the end. */
		rows = frame && frame < frames ? rows_in_frame(file, frame) : 0;
		file->data[at] ^= (uint8_t)(1u << at % 8);
		kv = replay(&files, &t, &done);
		assert_int_equal(good_rows(kv), ROWS + BATCHES - rows);
		assert_int_equal(done.rows, ROWS + BATCHES - rows);
		assert_int_equal(done.lost, 1);
		assert_true(t.count > 0);
		if (rows)
			assert_non_null(strstr(t.what, "rows of the checkpoint are lost"));
		kv_close(kv);
		file->data[at] ^= (uint8_t)(1u << at % 8);
	}
	files_fini(&files);
	kv_close(full);
}

static void a_checkpoint_cut_anywhere_gives_what_is_whole(void **state)
{
	struct kv *full = make_checkpoint(), *kv;
	struct kv_replayed done;
	struct files files;
	struct buf *file;
	struct told t;

	take_files(full, &files);
	file = &files.of[find(&files, ".checkpoint")].bytes;
	for (size_t len = file->len; len > 0; len = len > 4000 ? len - 3989 : len / 2) {
		bool whole = file->len == len;

		file->len = len;
		kv = replay(&files, &t, &done);
		assert_int_equal(good_rows(kv), done.rows);
		assert_int_equal(done.lost > 0, !whole);
		kv_close(kv);
	}
	files_fini(&files);
	kv_close(full);
}

/* Something ended between the making of a checkpoint and the removal of what it replaces. */
static void the_older_checkpoint_helps_if_the_newest_is_damaged(void **state)
{
	struct kv *full = make_checkpoint(), *base, *kv;
	struct files before, after;
	struct kv_replayed done;
	struct told t;

	take_files(full, &before);
	kv_close(full);
	base = replay(&before, &t, &done);
	assert_int_equal(journal_open(base, dir_of(&before, base), &kv), 0);
	write_batch(kv, BATCHES + 1);
	files_fini(&before);
	take_files(kv, &before);
	assert_int_equal(kv_checkpoint(kv), 0);
	take_files(kv, &after);
	kv_close(kv);

	/* All files of both times; the newest checkpoint is hurt. */
	for (unsigned i = 0; i < after.count; i++) {
		if (strstr(after.of[i].name, ".checkpoint"))
			after.of[i].bytes.data[300] ^= 1;
		before.of[before.count] = after.of[i];
		after.of[i].bytes = (struct buf)BUF_INIT;
		before.count++;
	}
	kv = replay(&before, &t, &done);
	assert_int_equal(done.lost, 0);
	assert_int_equal(good_rows(kv), ROWS + BATCHES);
	assert_true(has_batch(kv, BATCHES + 1));
	kv_close(kv);
	files_fini(&before);
	files_fini(&after);
}

/* ---- mixed up ---- */

static void a_log_under_the_name_of_another_is_not_taken(void **state)
{
	struct kv *full = make_journal(), *other, *kv;
	struct files files, others;
	struct kv_replayed done;
	struct told t;

	take_files(full, &files);
	other = make_checkpoint();
	take_files(other, &others);
	buf_fini(&files.of[0].bytes);
	files.of[0].bytes = others.of[find(&others, ".log")].bytes;
	others.of[find(&others, ".log")].bytes = (struct buf)BUF_INIT;
	kv = open_ahead(&files, full);
	assert_prefix(kv, BATCHES);
	assert_true(journal_of(kv)->wished);
	write_batch(kv, BATCHES + 1);
	assert_int_equal(kv_checkpoint(kv), 0);
	files_fini(&files);
	take_files(kv, &files);
	kv_close(kv);
	kv = replay(&files, &t, &done);
	assert_prefix(kv, BATCHES + 1);
	assert_int_equal(done.lost, 0);
	kv_close(kv);
	kv_close(full);
	kv_close(other);
	files_fini(&files);
	files_fini(&others);
}

static void other_names_are_left_alone(void **state)
{
	struct kv *full = make_journal(), *kv;
	struct files files;

	take_files(full, &files);
	strcpy(files.of[1].name, "1.log");
	strcpy(files.of[2].name, "0000000000000001.log~");
	strcpy(files.of[3].name, JOURNAL_TMP_NAME);
	files.count = 4;
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(buf_append(&files.of[i].bytes, "?", 1), 0);
	assert_int_equal(open_empty(&files, &kv), 0);
	assert_prefix(kv, BATCHES);
	files_fini(&files);
	take_files(kv, &files);
	/* What was being made is made again. */
	assert_int_equal(files.count, 3);
	files_fini(&files);
	kv_close(kv);
	kv_close(full);
}

/* ---- sectors that cannot be read ---- */

struct bad_dir {
	struct jdir dir;
	struct jdir *inner;
	uint64_t from, to;
};

struct bad_file {
	struct jfile file;
	struct jfile *inner;
	const struct bad_dir *dir;
};

static int bad_pread(struct jfile *f, void *buf, size_t len, uint64_t off)
{
	struct bad_file *b = (struct bad_file *)f;

	if (off < b->dir->to && off + len > b->dir->from)
		return err_explain(-EIO, "a bad sector");
	return b->inner->ops->pread(b->inner, buf, len, off);
}

static int bad_size(struct jfile *f, uint64_t *out)
{
	struct bad_file *b = (struct bad_file *)f;

	return b->inner->ops->size(b->inner, out);
}

static void bad_close(struct jfile *f)
{
	jfile_close(((struct bad_file *)f)->inner);
	free(f);
}

static const struct jfile_ops bad_file_ops = { .pread = bad_pread, .size = bad_size, .close = bad_close };

static int bad_list(struct jdir *d, int (*each)(void *ctx, const char *name), void *ctx)
{
	struct bad_dir *b = (struct bad_dir *)d;

	return b->inner->ops->list(b->inner, each, ctx);
}

static int bad_open(struct jdir *d, const char *name, struct jfile **out)
{
	struct bad_dir *b = (struct bad_dir *)d;
	struct bad_file *f;
	struct jfile *inner;
	int r = b->inner->ops->open(b->inner, name, &inner);

	if (r || !strstr(name, ".checkpoint")) {
		*out = inner;
		return r;
	}
	f = calloc(1, sizeof(*f));
	*f = (struct bad_file){ { &bad_file_ops }, inner, b };
	*out = &f->file;
	return 0;
}

static const struct jdir_ops bad_dir_ops = { .list = bad_list, .open = bad_open };

static void a_sector_that_cannot_be_read_is_damage(void **state)
{
	struct kv *full = make_checkpoint(), *into;
	struct kv_replayed done;
	struct files files;
	struct bad_dir bad = { .dir = { .ops = &bad_dir_ops, .path = (char *)"journal" } };
	unsigned frames, rows;
	struct told t = { 0 };
	struct buf *file;

	take_files(full, &files);
	file = &files.of[find(&files, ".checkpoint")].bytes;
	rows = rows_in_frame(file, frame_at(file, 400000, &frames));
	assert_int_equal(frame_at(file, 408192, &frames), frame_at(file, 400000, &frames));
	assert_int_equal(kv_mem_new(&into), 0);
	bad.inner = dir_of(&files, into);
	bad.from = 400384 / 4096 * 4096;
	bad.to = bad.from + 4096;
	assert_int_equal(journal_replay_dir(&bad.dir, into, tell, &t, &done), 0);
	assert_int_equal(done.lost, 1);
	assert_int_equal(good_rows(into), ROWS + BATCHES - rows);
	jdir_close(bad.inner);
	kv_close(into);
	kv_close(full);
	files_fini(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_cut_at_any_byte_gives_what_is_whole),
		cmocka_unit_test(a_log_cut_beside_a_database_that_is_ahead_is_completed),
		cmocka_unit_test(a_flipped_bit_of_a_log_is_refused_or_told),
		cmocka_unit_test(a_damaged_block_costs_its_rows_only),
		cmocka_unit_test(a_checkpoint_cut_anywhere_gives_what_is_whole),
		cmocka_unit_test(the_older_checkpoint_helps_if_the_newest_is_damaged),
		cmocka_unit_test(a_log_under_the_name_of_another_is_not_taken),
		cmocka_unit_test(other_names_are_left_alone),
		cmocka_unit_test(a_sector_that_cannot_be_read_is_damage),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
