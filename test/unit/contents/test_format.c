/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows as bytes: what goes in comes out; keys lie in the order of what they are made of; damaged rows are refused. */
#include "rig.h"

static const struct contents_file some_file = {
	.volume = 7, .partition = 1, .file = 3, .first = 10, .last = 20, .closed = true, .stretch = 99,
	.offset = 1ull << 40, .bytes = 123456, .records = 9, .record_bytes = 10240, .written_ns = 5,
	.writer = { LIBRARY_DOOR_SCSI, 1000, "tar", -1 },
	.how = CONTENTS_BROKEN, .content = 17, .members = 64, .compressed = true, .format = "GNU tar format",
	.magic = "0123456789abcdef", .magic_len = 16,
	.label = { LABEL_IBM, "A00001", "OWNER OF TAPES", "FILE.NAME.IS.17CH", "SETSET", 1, 2, 3, 4, LABEL_NEVER, 'V', 32760,
		   80 },
};
static const struct volume_row some_volume = {
	.generation = 3, .objects = 100, .stretch = 7, .files = 6, .done = true, .off = true, .expires_ns = LABEL_NEVER,
	.vol1 = { .kind = LABEL_ANSI, .volume = "A00001" },
};

static void a_tape_file_comes_back_as_it_was(void **state)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT, again = BUF_INIT;
	struct contents_file f;

	assert_int_equal(file_row_encode(&some_file, &row), 0);
	assert_int_equal(file_row_decode(7, row.data, row.len, &f), 0);
	assert_int_equal(file_row_encode(&f, &again), 0);
	assert_int_equal(row.len, again.len);
	assert_memory_equal(row.data, again.data, row.len);
	assert_int_equal(f.volume, 7);
	assert_int_equal(f.last, 20);
	assert_int_equal(f.writer.drive, -1);
	assert_string_equal(f.writer.program, "tar");
	assert_string_equal(f.format, "GNU tar format");
	assert_memory_equal(f.magic, some_file.magic, 16);
	assert_string_equal(f.label.owner, "OWNER OF TAPES");
	assert_true(f.closed && f.compressed && f.label.expires_ns == LABEL_NEVER && f.label.record_bytes == 80);
}

static void a_volume_and_a_list_come_back_as_they_were(void **state)
{
	const struct list_row list = { 1, 2, 3, 4, 5, 6, true, true };
	CLEANUP(buf_fini) struct buf row = BUF_INIT, again = BUF_INIT;
	struct volume_row v;
	struct list_row l;

	assert_int_equal(volume_row_encode(&some_volume, &row), 0);
	assert_int_equal(volume_row_decode(row.data, row.len, &v), 0);
	assert_int_equal(volume_row_encode(&v, &again), 0);
	assert_memory_equal(row.data, again.data, row.len);
	assert_true(v.done && v.off && v.stretch == 7 && v.objects == 100 && v.files == 6);
	assert_int_equal(list_row_encode(&list, &row), 0);
	assert_int_equal(list_row_decode(row.data, row.len, &l), 0);
	assert_true(l.volume == 1 && l.stretch == 2 && l.last == 3 && l.file == 4);
	assert_true(l.partition == 5 && l.members == 6);
	assert_true(l.told && l.doubles);
}

/* Each byte less is refused, each bit that is another is refused or gives a row. */
static void assert_hardened(const struct buf *row, int (*decode)(const void *row, size_t len))
{
	uint8_t *copy = malloc(row->len + 1);

	for (size_t n = 0; n < row->len; n++) {
		uint8_t *short_one = malloc(n ? n : 1);

		memcpy(short_one, row->data, n);
		assert_int_equal(decode(short_one, n), -EUCLEAN);
		free(short_one);
	}
	memcpy(copy, row->data, row->len);
	copy[row->len] = 0;
	assert_int_equal(decode(copy, row->len + 1), -EUCLEAN);
	for (size_t bit = 0; bit < row->len * 8; bit++) {
		int r;

		memcpy(copy, row->data, row->len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r = decode(copy, row->len);
		assert_true(r == 0 || r == -EUCLEAN);
	}
	free(copy);
}

static int decode_file(const void *row, size_t len)
{
	struct contents_file f;

	return file_row_decode(7, row, len, &f);
}

static int decode_volume(const void *row, size_t len)
{
	struct volume_row v;

	return volume_row_decode(row, len, &v);
}

static int decode_block(const void *row, size_t len)
{
	struct contents_member m = { 0 };
	struct block_reader r;
	int result = block_read(&r, 1, 1, row, len);

	while (!result)
		result = block_next(&r, &m);
	contents_member_fini(&m);
	return result == CONTENTS_E_NONE ? 0 : result;
}

static void fill(struct buf *b, const char *words)
{
	b->len = 0;
	assert_int_equal(buf_append(b, words, strlen(words)), 0);
}

/* Members that have everything in turn; @i counts from 0. */
static void some_member(struct contents_member *m, unsigned i)
{
	m->number = i + 1;
	m->dir = i > 10 ? i / 3 : 0;
	m->type = "-dlhcbps"[i % 8];
	m->implied = i % 9 == 8;
	m->odd = i % 7 == 6;
	snprintf(m->name, sizeof(m->name), "name%u.%s", i / 2, i % 2 ? "c" : "h");
	m->mode = i % 3 ? 0644 : 07777;
	m->uid = i % 4 ? 1000 : UINT32_MAX;
	m->gid = 100;
	m->dev_major = i % 8 == 4 ? UINT32_MAX : 0;
	m->dev_minor = i % 8 == 4;
	m->size = i % 5 ? i * 1000 : UINT64_MAX;
	m->mtime_s = i % 6 ? 1700000000 - i : INT64_MIN;
	m->mtime_ns = i % 2 ? 999999999 : 0;
	m->from = i % 11 == 5 ? UINT64_MAX - 3 : i * 512;
	m->to = m->from + 512;
	m->data = i % 3 ? m->from + 512 : TARBALL_NO_PLACE;
	m->nth = i + i / 4;
	m->before = i % 13 == 7 && i % 5 ? (uint64_t)i << 40 : 0;
	m->missing = i % 13 == 3 ? m->size : 0;
	snprintf(m->user, sizeof(m->user), "%s", i % 4 ? "ann" : "");
	snprintf(m->group, sizeof(m->group), "users");
	fill(&m->link, i % 8 == 2 ? "target" : "");
	fill(&m->raw, m->odd ? "../name" : "");
}

static bool same_bytes(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

static void assert_same_member(const struct contents_member *a, const struct contents_member *b)
{
	assert_true(a->number == b->number && a->dir == b->dir && a->type == b->type && a->implied == b->implied);
	assert_true(a->odd == b->odd && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid);
	assert_true(a->size == b->size);
	assert_true(a->dev_major == b->dev_major && a->dev_minor == b->dev_minor && a->nth == b->nth);
	assert_true(a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns);
	assert_true(a->before == b->before && a->missing == b->missing);
	assert_true(a->from == b->from && a->to == b->to && a->data == b->data);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->user, b->user);
	assert_string_equal(a->group, b->group);
	assert_true(same_bytes(&a->link, &b->link) && same_bytes(&a->raw, &b->raw));
}

static void a_block_of_members_comes_back_as_it_was(void **state)
{
	struct contents_member want = { 0 }, got = { 0 };
	struct block_writer w = { .bytes = BUF_INIT };
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct block_reader r;

	block_begin(&w, 1);
	for (unsigned i = 0; i < CONTENTS_BLOCK; i++) {
		some_member(&want, i);
		assert_int_equal(block_add(&w, &want), 0);
	}
	assert_int_equal(block_row(&w, &row), 0);
	assert_int_equal(block_read(&r, 5, 1, row.data, row.len), 0);
	for (unsigned i = 0; i < CONTENTS_BLOCK; i++) {
		some_member(&want, i);
		assert_int_equal(block_next(&r, &got), 0);
		assert_int_equal(got.content, 5);
		assert_same_member(&want, &got);
	}
	assert_int_equal(block_next(&r, &got), CONTENTS_E_NONE);
	assert_hardened(&row, decode_block);
	contents_member_fini(&want);
	contents_member_fini(&got);
	buf_fini(&w.bytes);
}

static void damaged_rows_are_refused(void **state)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;

	assert_int_equal(file_row_encode(&some_file, &row), 0);
	assert_hardened(&row, decode_file);
	assert_int_equal(volume_row_encode(&some_volume, &row), 0);
	assert_hardened(&row, decode_volume);
}

static void what_was_told_later_comes_back_as_it_was(void **state)
{
	struct contents_member want = { 0 }, got = { .number = 2, .dir = 1, .name = "kept", .content = 9 };
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	uint32_t at;

	some_member(&want, 1);
	want.number = 2;
	want.dir = 1;
	want.content = 9;
	strcpy(want.name, "kept");
	assert_int_equal(told_encode(&want, 77, &row), 0);
	assert_int_equal(told_decode(row.data, row.len, &got, &at), 0);
	assert_int_equal(at, 77);
	assert_same_member(&want, &got);
	contents_member_fini(&want);
	contents_member_fini(&got);
}

static int order(const struct ckey *a, const struct ckey *b)
{
	int r = memcmp(a->b, b->b, a->len < b->len ? a->len : b->len);

	return r ? r : (a->len > b->len) - (a->len < b->len);
}

static void keys_lie_in_the_order_of_what_they_name(void **state)
{
	struct ckey a = ckey_named("foo", UINT32_MAX, 1, 1), b = ckey_named("foo\1", 1, 1, 1);
	struct ckey c = ckey_named("foobar", 0, 0, 1);
	struct ckey f = ckey_file(1, 0, 255), g = ckey_file(1, 0, 256), h = ckey_file(1, 1, 0);
	char long_name[1100];
	struct posting p;

	assert_true(order(&a, &b) < 0 && order(&b, &c) < 0 && order(&f, &g) < 0 && order(&g, &h) < 0);
	assert_true(posting_of(a.b, a.len, &p));
	assert_true(p.name_len == 3 && p.content == UINT32_MAX && p.dir == 1 && p.number == 1);
	for (size_t n = 970; n <= CONTENTS_NAME_MAX; n++) {
		memset(long_name, 'x', n);
		long_name[n] = 0;
		a = ckey_named(long_name, 1, 2, 3);
		assert_true(a.len <= KV_KEY_MAX && posting_of(a.b, a.len, &p) && p.number == 3);
		assert_true(p.name_len == (n < CONTENTS_KEY_NAME ? n : CONTENTS_KEY_NAME));
		long_name[n - 1] = 'y';
		b = ckey_named(long_name, 1, 2, 3);
		assert_int_not_equal(order(&a, &b), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tape_file_comes_back_as_it_was),
		cmocka_unit_test(a_volume_and_a_list_come_back_as_they_were),
		cmocka_unit_test(a_block_of_members_comes_back_as_it_was),
		cmocka_unit_test(what_was_told_later_comes_back_as_it_was),
		cmocka_unit_test(damaged_rows_are_refused),
		cmocka_unit_test(keys_lie_in_the_order_of_what_they_name),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
