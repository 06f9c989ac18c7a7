/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of KV_CONTENTS as bytes, but those of members (contents_block.c).  A key begins with a letter that says what
 * the row is; numbers in keys are big-endian.  A row begins with its version, 1; numbers in rows are little-endian; a
 * string is a LEB128 length and that many bytes without a NUL.
 *
 *   'F' u64 volume, u32 partition, u64 file      file       a tape file
 *   'O' u64 volume, u64 stretch, u64 last        file       the same, remembered for other generations
 *   'V' u64 volume                               volume     how far the rows F agree with the tape
 *   'C' u32 content                              list       a list of members
 *   'B' u32 content, u32 block                   members    64 of them
 *   'T' u32 content, u32 dir, u32 block          (empty)    this block has children of that folder
 *   'N' name, 0, u32 content, u32 dir, u32 number   kind    a member of that name: "d" of a folder, else empty
 *   'X' u32 content, u32 number                  told       what was told later of a folder
 *   'G' u32 content                              (empty)    a list to be deleted
 *   'S' letter                                   counter    'c' numbers of lists below it are taken;
 *                                                           how many there are: 'l' lists, 'm' members
 *
 *   file     u8 version, u8 flags (1 closed, 2 compressed), u32 partition, u64 file, u64 first, u64 last, u64 stretch,
 *            u64 offset, u64 bytes, u64 records, u32 record_bytes, u64 written_ns, u8 door, u32 uid, i32 drive,
 *            string program, u8 how, u32 content, u64 members, string format, u8 and so many bytes magic, label
 *   label    u8 kind; if it is not 0: string volume, string owner, string file_id, string set_id, u32 section,
 *            u32 sequence, u32 generation, u64 created_ns, u64 expires_ns, u8 format, u32 block_bytes, u32 record_bytes
 *   volume   u8 version, u8 flags (1 done, 2 off), u64 generation, u64 objects, u64 stretch, u64 files,
 *            u64 oldest, u64 expires_ns, label
 *   list     u8 version, u8 flags (1 doubles, 2 told), u64 volume, u64 stretch, u64 last, u64 file, u32 partition,
 *            u32 members
 *   counter  u8 version, u64
 *
 * A name of more than 1000 bytes stands in keys as its first 984 and its sum64 as 16 hexadecimal digits.
 *
 * A decoder takes the whole row or refuses it, so what it gives out need not be checked again.
 */
#include "contents/format.h"

#include <errno.h>

#define ROW_VERSION 1

enum { FILE_CLOSED = 1, FILE_COMPRESSED = 2 };
enum { VOLUME_DONE = 1, VOLUME_OFF = 2 };
enum { LIST_DOUBLES = 1, LIST_TOLD = 2 };

/* ---- keys ---- */

static struct ckey key_begin(char letter)
{
	struct ckey k;

	k.b[0] = (uint8_t)letter;
	k.len = 1;
	return k;
}

static void key_add_u32(struct ckey *k, uint32_t v)
{
	put_be32(k->b + k->len, v);
	k->len += 4;
}

static void key_add_u64(struct ckey *k, uint64_t v)
{
	put_be64(k->b + k->len, v);
	k->len += 8;
}

struct ckey ckey_of_volume(char letter, uint64_t volume)
{
	struct ckey k = key_begin(letter);

	key_add_u64(&k, volume);
	return k;
}

struct ckey ckey_files(uint64_t volume, uint32_t partition)
{
	struct ckey k = ckey_of_volume('F', volume);

	key_add_u32(&k, partition);
	return k;
}

struct ckey ckey_file(uint64_t volume, uint32_t partition, uint64_t file)
{
	struct ckey k = ckey_files(volume, partition);

	key_add_u64(&k, file);
	return k;
}

struct ckey ckey_remembered(uint64_t volume, uint64_t stretch, uint64_t last)
{
	struct ckey k = ckey_of_volume('O', volume);

	key_add_u64(&k, stretch);
	key_add_u64(&k, last);
	return k;
}

struct ckey ckey_of_list(char letter, uint32_t content)
{
	struct ckey k = key_begin(letter);

	key_add_u32(&k, content);
	return k;
}

struct ckey ckey_block(uint32_t content, uint32_t block)
{
	struct ckey k = ckey_of_list('B', content);

	key_add_u32(&k, block);
	return k;
}

struct ckey ckey_told(uint32_t content, uint32_t number)
{
	struct ckey k = ckey_of_list('X', content);

	key_add_u32(&k, number);
	return k;
}

struct ckey ckey_dirs(uint32_t content, uint32_t dir)
{
	struct ckey k = ckey_of_list('T', content);

	key_add_u32(&k, dir);
	return k;
}

struct ckey ckey_dir(uint32_t content, uint32_t dir, uint32_t block)
{
	struct ckey k = ckey_dirs(content, dir);

	key_add_u32(&k, block);
	return k;
}

struct ckey ckey_names(const char *beginning)
{
	struct ckey k = key_begin('N');
	size_t n = strnlen(beginning, CONTENTS_KEY_WHOLE);

	memcpy(k.b + k.len, beginning, n);
	k.len += n;
	return k;
}

struct ckey ckey_name(const char *name)
{
	struct ckey k = ckey_names(name);
	size_t n = strlen(name);
	uint64_t sum;

	if (n > CONTENTS_KEY_NAME) {
		sum = sum64(name, n);
		for (int i = 60; i >= 0; i -= 4)
			k.b[k.len++] = (uint8_t)"0123456789abcdef"[sum >> i & 15];
	} else if (n > CONTENTS_KEY_WHOLE) {
		memcpy(k.b + k.len, name + CONTENTS_KEY_WHOLE, n - CONTENTS_KEY_WHOLE);
		k.len += n - CONTENTS_KEY_WHOLE;
	}
	k.b[k.len++] = 0;
	return k;
}

struct ckey ckey_name_in(const char *name, uint32_t content, uint32_t dir)
{
	struct ckey k = ckey_name(name);

	key_add_u32(&k, content);
	key_add_u32(&k, dir);
	return k;
}

struct ckey ckey_named(const char *name, uint32_t content, uint32_t dir, uint32_t number)
{
	struct ckey k = ckey_name_in(name, content, dir);

	key_add_u32(&k, number);
	return k;
}

struct ckey ckey_counter(char which)
{
	struct ckey k = key_begin('S');

	k.b[k.len++] = (uint8_t)which;
	return k;
}

bool posting_of(const uint8_t *key, size_t len, struct posting *out)
{
	if (len < 1 + 1 + 1 + 12 || len > sizeof(((struct ckey *)NULL)->b) || key[0] != 'N' || key[len - 13])
		return false;
	*out = (struct posting){
		.name = key + 1, .name_len = len - 14,
		.content = get_be32(key + len - 12), .dir = get_be32(key + len - 8), .number = get_be32(key + len - 4),
	};
	return !memchr(out->name, 0, out->name_len);
}

/* ---- what rows have in common ---- */

static int row_new(struct buf *out, uint8_t flags)
{
	int r;

	out->len = 0;
	r = buf_reserve(out, 512);	/* room for all but a file's words: a put behind it seldom has to grow it */
	if (!r)
		r = buf_put_u8(out, ROW_VERSION);
	return r ? r : buf_put_u8(out, flags);
}

static struct cursor row_open(const void *row, size_t len, uint8_t *flags)
{
	struct cursor c = cursor_of(row, len);

	if (cursor_u8(&c) != ROW_VERSION)
		c.bad = true;
	*flags = cursor_u8(&c);
	return c;
}

static int row_done(const struct cursor *c, bool good, const char *what)
{
	if (c->bad || !good || cursor_left(c))
		return err_explain(-EUCLEAN, "contents: a row of %s is damaged or of an unknown version", what);
	return 0;
}

static int label_put(struct buf *out, const struct contents_label *l)
{
	int r = buf_put_u8(out, (uint8_t)l->kind);

	if (r || l->kind == LABEL_NONE)
		return r;
	r = buf_put_string(out, l->volume);
	if (!r)
		r = buf_put_string(out, l->owner);
	if (!r)
		r = buf_put_string(out, l->file_id);
	if (!r)
		r = buf_put_string(out, l->set_id);
	if (!r)
		r = buf_reserve(out, 64);
	if (r)
		return r;
	buf_put_le32(out, l->section);
	buf_put_le32(out, l->sequence);
	buf_put_le32(out, l->generation);
	buf_put_le64(out, l->created_ns);
	buf_put_le64(out, l->expires_ns);
	buf_put_u8(out, (uint8_t)l->format);
	buf_put_le32(out, l->block_bytes);
	return buf_put_le32(out, l->record_bytes);
}

static void cursor_label(struct cursor *c, struct contents_label *l)
{
	uint8_t kind = cursor_u8(c);

	*l = (struct contents_label){ .kind = kind };
	if (kind > LABEL_IBM)
		c->bad = true;
	if (kind == LABEL_NONE || c->bad)
		return;
	cursor_string(c, l->volume, sizeof(l->volume));
	cursor_string(c, l->owner, sizeof(l->owner));
	cursor_string(c, l->file_id, sizeof(l->file_id));
	cursor_string(c, l->set_id, sizeof(l->set_id));
	l->section = cursor_le32(c);
	l->sequence = cursor_le32(c);
	l->generation = cursor_le32(c);
	l->created_ns = cursor_le64(c);
	l->expires_ns = cursor_le64(c);
	l->format = (char)cursor_u8(c);
	l->block_bytes = cursor_le32(c);
	l->record_bytes = cursor_le32(c);
	if (l->format && !strchr("FDVSU", l->format))
		c->bad = true;
}

/* ---- tape files ---- */

int file_row_encode(const struct contents_file *f, struct buf *out)
{
	int r = row_new(out, (f->closed ? FILE_CLOSED : 0) | (f->compressed ? FILE_COMPRESSED : 0));

	if (r)
		return r;
	buf_put_le32(out, f->partition);
	buf_put_le64(out, f->file);
	buf_put_le64(out, f->first);
	buf_put_le64(out, f->last);
	buf_put_le64(out, f->stretch);
	buf_put_le64(out, f->offset);
	buf_put_le64(out, f->bytes);
	buf_put_le64(out, f->records);
	buf_put_le32(out, f->record_bytes);
	buf_put_le64(out, f->written_ns);
	buf_put_u8(out, (uint8_t)f->writer.door);
	buf_put_le32(out, f->writer.uid);
	buf_put_le32(out, (uint32_t)f->writer.drive);
	buf_put_string(out, f->writer.program);
	buf_put_u8(out, (uint8_t)f->how);
	buf_put_le32(out, f->content);
	buf_put_le64(out, f->members);
	buf_put_string(out, f->format);
	buf_put_u8(out, f->magic_len);
	buf_append(out, f->magic, f->magic_len);
	return label_put(out, &f->label);
}

static void cursor_writer(struct cursor *c, struct library_writer *w)
{
	uint8_t door = cursor_u8(c);

	w->door = door;
	w->uid = cursor_le32(c);
	w->drive = (int32_t)cursor_le32(c);
	cursor_string(c, w->program, sizeof(w->program));
	if (door > LIBRARY_DOOR_COMMAND)
		c->bad = true;
}

static void cursor_magic(struct cursor *c, struct contents_file *f)
{
	const uint8_t *p;

	f->magic_len = cursor_u8(c);
	p = cursor_bytes(c, f->magic_len);
	if (f->magic_len > sizeof(f->magic))
		c->bad = true;
	else if (p)
		memcpy(f->magic, p, f->magic_len);
}

int file_row_decode(uint64_t volume, const void *row, size_t len, struct contents_file *out)
{
	uint8_t flags, how;
	struct cursor c = row_open(row, len, &flags);
	struct contents_file f = { .volume = volume };
	bool good;
	int r;

	f.closed = flags & FILE_CLOSED;
	f.compressed = flags & FILE_COMPRESSED;
	f.partition = cursor_le32(&c);
	f.file = cursor_le64(&c);
	f.first = cursor_le64(&c);
	f.last = cursor_le64(&c);
	f.stretch = cursor_le64(&c);
	f.offset = cursor_le64(&c);
	f.bytes = cursor_le64(&c);
	f.records = cursor_le64(&c);
	f.record_bytes = cursor_le32(&c);
	f.written_ns = cursor_le64(&c);
	cursor_writer(&c, &f.writer);
	how = cursor_u8(&c);
	f.how = how;
	f.content = cursor_le32(&c);
	f.members = cursor_le64(&c);
	cursor_string(&c, f.format, sizeof(f.format));
	cursor_magic(&c, &f);
	cursor_label(&c, &f.label);
	good = !(flags & ~(FILE_CLOSED | FILE_COMPRESSED)) && how <= CONTENTS_OFF && f.first <= f.last;
	r = row_done(&c, good, "a tape file");
	if (!r)
		*out = f;
	return r;
}

/* ---- the others ---- */

int volume_row_encode(const struct volume_row *v, struct buf *out)
{
	int r = row_new(out, (v->done ? VOLUME_DONE : 0) | (v->off ? VOLUME_OFF : 0));

	if (r)
		return r;
	buf_put_le64(out, v->generation);
	buf_put_le64(out, v->objects);
	buf_put_le64(out, v->stretch);
	buf_put_le64(out, v->files);
	buf_put_le64(out, v->oldest);
	buf_put_le64(out, v->expires_ns);
	return label_put(out, &v->vol1);
}

int volume_row_decode(const void *row, size_t len, struct volume_row *out)
{
	uint8_t flags;
	struct cursor c = row_open(row, len, &flags);
	struct volume_row v = { .done = flags & VOLUME_DONE, .off = flags & VOLUME_OFF };
	int r;

	v.generation = cursor_le64(&c);
	v.objects = cursor_le64(&c);
	v.stretch = cursor_le64(&c);
	v.files = cursor_le64(&c);
	v.oldest = cursor_le64(&c);
	v.expires_ns = cursor_le64(&c);
	cursor_label(&c, &v.vol1);
	r = row_done(&c, !(flags & ~(VOLUME_DONE | VOLUME_OFF)), "a volume");
	if (!r)
		*out = v;
	return r;
}

int list_row_encode(const struct list_row *l, struct buf *out)
{
	int r = row_new(out, (l->doubles ? LIST_DOUBLES : 0) | (l->told ? LIST_TOLD : 0));

	if (r)
		return r;
	buf_put_le64(out, l->volume);
	buf_put_le64(out, l->stretch);
	buf_put_le64(out, l->last);
	buf_put_le64(out, l->file);
	buf_put_le32(out, l->partition);
	return buf_put_le32(out, l->members);
}

int list_row_decode(const void *row, size_t len, struct list_row *out)
{
	uint8_t flags;
	struct cursor c = row_open(row, len, &flags);
	struct list_row l = { .doubles = flags & LIST_DOUBLES, .told = flags & LIST_TOLD };
	int r;

	l.volume = cursor_le64(&c);
	l.stretch = cursor_le64(&c);
	l.last = cursor_le64(&c);
	l.file = cursor_le64(&c);
	l.partition = cursor_le32(&c);
	l.members = cursor_le32(&c);
	r = row_done(&c, !(flags & ~(LIST_DOUBLES | LIST_TOLD)), "a list of members");
	if (!r)
		*out = l;
	return r;
}

int counter_row_encode(uint64_t n, struct buf *out)
{
	int r = row_new(out, 0);

	return r ? r : buf_put_le64(out, n);
}

int counter_row_decode(const void *row, size_t len, uint64_t *out)
{
	uint8_t flags;
	struct cursor c = row_open(row, len, &flags);
	uint64_t n = cursor_le64(&c);
	int r = row_done(&c, !flags, "a counter");

	if (!r)
		*out = n;
	return r;
}
