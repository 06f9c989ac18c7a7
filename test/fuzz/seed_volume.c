/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the corpus of fuzz_volume: one file for each kind of row.  seed_volume FOLDER */
#include "seed.h"
#include "tape/volume_format.h"

int main(int argc, char **argv)
{
	struct page *o = page_new(PAGE_OBJECTS, 0x6d6170, &(struct tape_tally){ 0 });
	struct page *c = page_new(PAGE_CHUNKS, 0x6d6170, &(struct tape_tally){ 0 });
	const struct drop d = { 5, 1000, 1 << 20 };
	const struct look l = { .live = 1000, .all = 1 << 20, .used = 4000 };
	struct head h = { .generation = 1, .begun_ns = 1, .partitions = 2 };
	struct buf b = BUF_INIT;

	seed_into(argc, argv);
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
	must(head_pack(&h, &b));
	seed_row("head", 'h' | 0x80, b.data, b.len);
	b.len = 0;
	must(page_pack(o, &b));
	seed_row("objects", 'O' | 0x80, b.data, b.len);
	b.len = 0;
	must(page_pack(c, &b));
	seed_row("chunks", 'C' | 0x80, b.data, b.len);
	b.len = 0;
	must(drop_pack(&d, &b));
	seed_row("drop", 'D' | 0x80, b.data, b.len);
	b.len = 0;
	must(look_pack(&l, &b));
	seed_row("look", 'L' | 0x80, b.data, b.len);
	b.len = 0;
	must(use_pack(123456789, &b));
	seed_row("use", 'U' | 0x80, b.data, b.len);
	buf_fini(&b);
	head_fini(&h);
	page_free(o);
	page_free(c);
	return 0;
}
