/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the corpus of fuzz_pack: seed_pack test/data/fuzz/pack */
#include "pack/backing.h"
#include "seed.h"

#define ALL_SUMS 31

/* Pack 1 with chunks of these lengths. */
static void build(struct packs *ps, const uint32_t *lens, uint32_t n, bool seal)
{
	CLEANUP(pack_releasep) struct pack *p = NULL;
	uint8_t bytes[1024];
	uint32_t slot;

	must(pack_unlink(ps, 1));
	must(pack_create(ps, 1, &p));
	for (uint32_t i = 0; i < n; i++) {
		struct pack_entry e = { .raw_len = 2 * lens[i], .stored_len = lens[i], .codec = (uint8_t)(i % 3) };

		memset(e.digest.b, (int)i + 1, sizeof(e.digest.b));
		memset(bytes, 'a' + (int)i, sizeof(bytes));
		must(pack_append(p, &e, bytes, &slot));
	}
	if (seal)
		must(pack_seal(p));
}

/* The pack less its last @cut bytes, behind the byte that says which sums the driver makes right. */
static void save(struct packs *ps, const char *name, uint8_t sums, uint64_t cut)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT;
	struct pack_file *f;
	uint64_t size;

	must(ps->ops->open(ps, 1, false, &f));
	must(f->ops->size(f, &size));
	must(buf_reserve(&b, size));
	must(f->ops->pread(f, b.data, size - cut, 0));
	seed_row(name, sums, b.data, size - cut);
	f->ops->release(f);
}

int main(int argc, char **argv)
{
	static const uint32_t lens[] = { 1, 100, 17, 300, 2 };
	struct packs *ps;

	seed_into(argc, argv);
	clock_set(1000000000); /* the same bytes every time */
	must(packs_mem_new(&ps));
	build(ps, lens, 0, true);
	save(ps, "sealed-empty", 0, 0);
	build(ps, lens, 1, true);
	save(ps, "sealed-1", 0, 0);
	save(ps, "sealed-1-sums", ALL_SUMS, 0);
	build(ps, lens, ARRAY_LEN(lens), true);
	save(ps, "sealed-5", 0, 0);
	save(ps, "sealed-5-sums", ALL_SUMS, 0);
	save(ps, "sealed-5-no-trailer", 0, 64);
	build(ps, lens, ARRAY_LEN(lens), false);
	save(ps, "open-5", 0, 0);
	save(ps, "open-5-sums", ALL_SUMS, 0);
	save(ps, "open-5-torn", 0, 30);
	packs_close(ps);
	return 0;
}
