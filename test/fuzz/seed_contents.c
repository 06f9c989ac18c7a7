/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the corpus of fuzz_contents: rows as a small list leaves them, paths and patterns.  seed_contents FOLDER */
#include "contents/format.h"
#include "seed.h"

static void add(struct contents_list *l, const char *path, char type, const char *link)
{
	const struct tarball_member t = {
		.path = path, .type = type, .size = 100, .from = 512, .to = 1024, .data = type == '-' ? 1024 : TARBALL_NO_PLACE,
		.mode = 0640, .uid = 1000, .gid = 100, .user = "ann", .group = "users", .link = link, .mtime_s = 1700000000,
		.mtime_ns = 5, .dev_major = type == 'c' ? 4 : 0,
	};

	must(contents_list_add(l, &t));
}

static void make_list(struct contents *c)
{
	struct contents_file f = {
		.volume = 0x6161616161616161, .last = 3, .closed = true, .stretch = 1, .how = CONTENTS_LISTED, .format = "GNU tar",
		.magic = "ab", .magic_len = 2, .writer = { LIBRARY_DOOR_DRIVE, 0, "tar", 0 },
		.label = { .kind = LABEL_ANSI, .volume = "A00001", .file_id = "HOME", .format = 'D' },
	};
	struct contents_list *l;

	must(contents_list_begin(c, &l));
	add(l, "./", 'd', NULL);
	add(l, "a/b/a", '-', NULL);
	add(l, "../a/b", 'd', NULL);
	add(l, "a/l", 'l', "b/a");
	add(l, "a/tty", 'c', NULL);
	add(l, "a/b/a", 'h', "a/l");
	must(contents_list_end(l, &f));
	contents_list_free(l);
}

/* Each kind of row by itself, and all of them. */
static void save_rows(struct kv *kv)
{
	CLEANUP(kv_iter_freep) struct kv_iter *it = NULL;
	CLEANUP(buf_fini) struct buf all = BUF_INIT;

	must(kv_iter_new(kv, KV_CONTENTS, &it));
	for (kv_iter_seek(it, NULL, 0); kv_iter_valid(it); kv_iter_next(it)) {
		size_t klen, vlen;
		const uint8_t *key = kv_iter_key(it, &klen), *val = kv_iter_value(it, &vlen);
		char name[16];

		snprintf(name, sizeof(name), "row-%c", key[0]);
		if (key[0] == 'N')
			seed_row(name, 'N', key, klen);
		else
			seed_row(name, key[0], val, vlen);
		if (klen > 255 || vlen > 255)
			continue;
		must(buf_put_u8(&all, (uint8_t)klen));
		must(buf_append(&all, key, klen));
		must(buf_put_u8(&all, (uint8_t)vlen));
		must(buf_append(&all, val, vlen));
	}
	seed_row("all", 'a', all.data, all.len);
}

int main(int argc, char **argv)
{
	const struct volume_row v = { .generation = 2, .objects = 9, .stretch = 3, .files = 1, .done = true, .expires_ns = 1,
				      .vol1 = { .kind = LABEL_IBM, .volume = "A00001", .owner = "ANN" } };
	static const char pattern[] = "a*[!b]/**/c?\0a/x/y/cd", regex[] = "^a(b|c){2,3}$\0abc";
	struct contents *c;
	struct kv *kv;

	seed_into(argc, argv);
	must(kv_mem_new(&kv));
	must(contents_open(kv, NULL, NULL, &c));
	make_list(c);
	must(volume_row_put(c, 0x6161616161616161, &v));
	save_rows(kv);
	seed_row("path", 'p', "/a/./../b//c/", 13);
	seed_row("pattern", 'q', pattern, sizeof(pattern) - 1);
	seed_row("regex", 'q', regex, sizeof(regex) - 1);
	contents_close(c);
	kv_close(kv);
	return 0;
}
