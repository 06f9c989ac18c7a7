/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes the corpus of fuzz_journal: seed_journal test/data/fuzz/journal */
#include "kv/kv_journal.h"
#include "seed.h"

#define SUMS 7
#define IS_CHECKPOINT 8
#define TWO_LOGS 16

static void write_rows(struct kv *kv, int n)
{
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	char key[16], val[32];

	must(kv_batch_new(&b));
	for (int i = 0; i < n; i++) {
		kv_batch_clear(b);
		snprintf(key, sizeof(key), "k%d", i);
		snprintf(val, sizeof(val), "value %d", i);
		must(kv_batch_put(b, i % KV_CONTENTS, key, 2, val, (size_t)i));
		must(kv_batch_delete(b, KV_MAP, key, 1));
		if (i == 3)
			must(kv_batch_delete_prefix(b, KV_CATALOG, "k", 1));
		must(kv_write(kv, b, true));
	}
}

static void take(struct kv *kv, enum journal_kind kind, uint64_t number, struct buf *out)
{
	struct jdir *d = journal_of(kv)->dir;
	char name[JOURNAL_NAME_MAX];
	struct jfile *f;
	uint64_t size;

	journal_name(kind, number, name);
	must(d->ops->open(d, name, &f));
	must(f->ops->size(f, &size));
	must(buf_reserve(out, size));
	must(f->ops->pread(f, out->data + out->len, size, 0));
	out->len += size;
	jfile_close(f);
}

/* @b less its last @cut bytes, behind the byte that says what it is. */
static void save(const char *name, const struct buf *b, uint8_t which, size_t cut)
{
	seed_row(name, which, b->data, b->len - cut);
}

int main(int argc, char **argv)
{
	struct buf log = BUF_INIT, checkpoint = BUF_INIT, logs = BUF_INIT;
	struct kv *base, *kv;

	seed_into(argc, argv);
	must(kv_mem_new(&base));
	must(kv_journal_mem_open(base, &kv));
	write_rows(kv, 6);
	take(kv, JOURNAL_LOG, 1, &log);
	must(buf_append(&logs, log.data, log.len));
	must(kv_checkpoint(kv));
	take(kv, JOURNAL_CHECKPOINT, 6, &checkpoint);
	/* The driver cuts in the middle: a second log, of the same length. */
	write_rows(kv, 6);
	take(kv, JOURNAL_LOG, 7, &logs);
	kv_close(kv);
	save("log", &log, 0, 0);
	save("log-sums", &log, SUMS, 0);
	save("log-torn", &log, 0, 9);
	save("log-empty", &log, SUMS, log.len - JOURNAL_HEADER_BYTES);
	save("logs", &logs, TWO_LOGS, 0);
	save("logs-sums", &logs, TWO_LOGS | SUMS, 0);
	save("checkpoint", &checkpoint, IS_CHECKPOINT, 0);
	save("checkpoint-sums", &checkpoint, IS_CHECKPOINT | SUMS, 0);
	save("checkpoint-no-end", &checkpoint, IS_CHECKPOINT, JOURNAL_END_BYTES + 1);
	buf_fini(&log);
	buf_fini(&checkpoint);
	buf_fini(&logs);
	return 0;
}
