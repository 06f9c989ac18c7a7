/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the corpus of fuzz_volume: one file for each kind of row.  seed_volume FOLDER */
#include <stdio.h>

#include "tape/volume_format.h"

static void save(const char *dir, const char *name, char kind, const struct buf *b)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f || fputc(kind | 0x80, f) == EOF || fwrite(b->data, 1, b->len, f) != b->len || fclose(f))
		abort();
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : ".";
	struct page *o = page_new(PAGE_OBJECTS, 0x6d6170, &(struct tape_tally){ 0 });
	struct page *c = page_new(PAGE_CHUNKS, 0x6d6170, &(struct tape_tally){ 0 });
	const struct drop d = { 5, 1000, 1 << 20 };
	const struct look l = { .live = 1000, .all = 1 << 20, .used = 4000 };
	struct head h = { .generation = 1, .begun_ns = 1, .partitions = 2 };
	struct buf b = BUF_INIT;

	for (uint32_t i = 0; i < 20; i++) {
		const struct chunk_run run = { .pack = i % 3, .slot = i, .slots = 1 + i, .bytes = 1000 * (i + 1) };

		if (page_add_object(o, i % 4 ? i * 1000 : 0, 1 + i) || page_add_chunk(c, &run, true))
			abort();
	}
	for (unsigned p = 0; p < 2; p++)
		for (unsigned s = 0; s < 3; s++) {
			h.part[p].end = (struct tape_tally){ 10 * s, s, 1000 * s, s };
			if (head_partition_new_map(&h.part[p]))
				abort();
		}
	if (head_pack(&h, &b))
		abort();
	save(dir, "head", 'h', &b);
	b.len = 0;
	if (page_pack(o, &b))
		abort();
	save(dir, "objects", 'O', &b);
	b.len = 0;
	if (page_pack(c, &b))
		abort();
	save(dir, "chunks", 'C', &b);
	b.len = 0;
	if (drop_pack(&d, &b))
		abort();
	save(dir, "drop", 'D', &b);
	b.len = 0;
	if (look_pack(&l, &b))
		abort();
	save(dir, "look", 'L', &b);
	b.len = 0;
	if (use_pack(123456789, &b))
		abort();
	save(dir, "use", 'U', &b);
	buf_fini(&b);
	head_fini(&h);
	page_free(o);
	page_free(c);
	return 0;
}
