/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A journal of foreign bytes: replayed into a database, and opened beside one that is empty.  The first byte says which
 * sums to make right before, since a fuzzer does not find them by itself, and what the rest is.
 *
 *	1 header   2 frames   4 the id of the header in all frames   8 a checkpoint, else a log   16 cut in two logs
 */
#include <errno.h>

#include "fuzz/fuzz.h"
#include "kv/kv_journal.h"

static void make_sums_right(uint8_t *p, size_t n, unsigned which)
{
	size_t at = JOURNAL_HEADER_BYTES;

	if (n < JOURNAL_HEADER_BYTES)
		return;
	if (which & 1)
		put_le64(p + 56, sum64(p, 56));
	while (which & 6 && n - at >= JOURNAL_FRAME_BYTES) {
		uint8_t *f = p + at;
		size_t len = get_le32(f + 4);

		if (len > n - at - JOURNAL_FRAME_BYTES)
			len = n - at - JOURNAL_FRAME_BYTES;
		if (which & 4)
			memcpy(f + 16, p + 40, 8);
		if (which & 2) {
			put_le32(f + 4, (uint32_t)len);
			put_le64(f + 32, sum64(f + JOURNAL_FRAME_BYTES, len));
		}
		put_le64(f + 40, sum64(f, 40));
		at += JOURNAL_FRAME_BYTES + len;
	}
}

/* Under the name that its header says, so that more than the header is looked at. */
static void add_file(struct jdir *d, enum journal_kind kind, uint8_t *p, size_t n, unsigned which)
{
	char name[JOURNAL_NAME_MAX];
	struct jfile *f;

	make_sums_right(p, n, which);
	journal_name(kind, n >= JOURNAL_HEADER_BYTES ? get_le64(p + 16) : 1, name);
	if (d->ops->create(d, name, &f))
		return;
	fuzz_require(f->ops->pwrite(f, p, n, 0) == 0);
	f->ops->close(f);
}

static struct jdir *make_dir(struct kv *base, uint8_t *p, size_t n, unsigned which)
{
	enum journal_kind kind = which & 8 ? JOURNAL_CHECKPOINT : JOURNAL_LOG;
	size_t first = which & 16 ? n / 2 : n;
	struct jdir *d;

	fuzz_require(jdir_mem_new(base, &d) == 0);
	add_file(d, kind, p, first, which);
	if (first < n)
		add_file(d, JOURNAL_LOG, p + first, n - first, which);
	return d;
}

static void count(void *ctx, const char *what)
{
	++*(unsigned *)ctx;
}

static void write_row(struct kv *kv)
{
	struct kv_batch *b;

	fuzz_require(kv_batch_new(&b) == 0);
	fuzz_require(kv_batch_put(b, KV_CATALOG, "row", 3, "1", 1) == 0);
	fuzz_require(kv_write(kv, b, true) == 0);
	kv_batch_free(b);
	fuzz_require(kv_any(kv, KV_CATALOG, "row", 3) == 0);
}

static void try_replay(uint8_t *p, size_t n, unsigned which)
{
	struct kv_replayed done = { 0 };
	unsigned faults = 0;
	struct jdir *d;
	struct kv *kv;
	int r;

	fuzz_require(kv_mem_new(&kv) == 0);
	d = make_dir(kv, p, n, which);
	r = journal_replay_dir(d, kv, count, &faults, &done);
	fuzz_require(r == 0 || r == -EUCLEAN || r == -ENOENT);
	fuzz_require(done.lost == 0 || faults > 0);
	fuzz_require(done.rows <= n && done.batches <= n);
	/* No row of the index came in. */
	fuzz_require(kv_any(kv, KV_INDEX, NULL, 0) == KV_E_NONE);
	jdir_close(d);
	kv_close(kv);
}

/* What opens can be written to, and has a checkpoint that loses nothing. */
static void try_open(uint8_t *p, size_t n, unsigned which)
{
	struct kv_replayed done = { 0 };
	struct kv *base, *kv, *again;
	int r;

	fuzz_require(kv_mem_new(&base) == 0);
	r = journal_open(base, make_dir(base, p, n, which), &kv);
	fuzz_require(r == 0 || r == -EUCLEAN || r == -EBADMSG);
	if (r)
		return;
	write_row(kv);
	fuzz_require(kv_checkpoint(kv) == 0);
	fuzz_require(kv_mem_new(&again) == 0);
	fuzz_require(journal_replay_dir(journal_of(kv)->dir, again, NULL, NULL, &done) == 0);
	fuzz_require(done.lost == 0);
	fuzz_require(kv_any(again, KV_CATALOG, "row", 3) == 0);
	kv_close(again);
	kv_close(kv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 1)
		return 0;
	log_set_level(LOG_LEVEL_ERROR);
	copy = malloc(size);
	fuzz_require(copy);
	memcpy(copy, data + 1, size - 1);
	try_replay(copy, size - 1, data[0]);
	try_open(copy, size - 1, data[0]);
	free(copy);
	return 0;
}
