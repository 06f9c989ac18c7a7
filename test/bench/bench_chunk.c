/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Speeds of chunk/ on this machine: its parts alone, then whole streams through a store on disk.
 *
 *	bench_chunk [FOLDER [MIB]]	FOLDER is made and left behind; default: a temporary one, removed
 *
 * Data is half text-like and half random, so that lz4 and zstd have something to do; a second stream of the same data
 * is all duplicates.  Records are 256 KiB.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chunk/codec.h"

#define RECORD (256u << 10)

static const uint8_t secret[32] = "the benchmark's key is no secret";

struct map {
	struct run { struct chunk_extent extent; uint64_t start; } *runs;
	size_t count, cap, chunks;
	uint64_t bytes, stored;
};

static void must(int r, const char *what)
{
	if (r) {
		fprintf(stderr, "bench_chunk: %s: %s\n", what, err_text(r));
		exit(1);
	}
}

static void *must_alloc(size_t n)
{
	void *p = malloc(n);

	must(p ? 0 : -12, "memory");
	return p;
}

static int add(void *ctx, const struct chunk_place *p)
{
	struct map *m = ctx;
	struct run *last = m->count ? &m->runs[m->count - 1] : NULL;

	if (last && last->extent.pack == p->ref.pack && last->extent.slot + last->extent.slots == p->ref.slot) {
		last->extent.slots++;
		last->extent.len += p->len;
	} else {
		if (m->count == m->cap) {
			m->cap = m->cap ? m->cap * 2 : 1024;
			m->runs = realloc(m->runs, m->cap * sizeof(*m->runs));
		}
		m->runs[m->count++] = (struct run){ { p->ref.pack, p->ref.slot, 1, p->len }, m->bytes };
	}
	m->bytes += p->len;
	m->stored += p->stored;
	m->chunks++;
	return 0;
}

static int source(void *ctx, uint64_t offset, bool fresh, struct chunk_extent *out, uint64_t *start)
{
	struct map *m = ctx;
	size_t low = 0, high = m->count;

	(void)fresh;
	if (offset >= m->bytes)
		return CHUNK_E_END;
	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (m->runs[mid].start <= offset)
			low = mid;
		else
			high = mid;
	}
	*out = m->runs[low].extent;
	*start = m->runs[low].start;
	return 0;
}

static void make_data(uint8_t *p, size_t n)
{
	static const char words[] = "volume  drive   record  filemarkobject  positionchunk   pack    ";
	uint64_t s = 88172645463325252u;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		s ^= s << 13;
		s ^= s >> 7;
		s ^= s << 17;
		if (i & 2048)
			memcpy(p + i, &s, 8);
		else
			memcpy(p + i, words + (s >> 61) * 8, 8);
	}
}

static void say(const char *what, uint64_t bytes, uint64_t ns)
{
	printf("%-34s %8.0f MB/s\n", what, (double)bytes * 1000 / (double)ns);
	fflush(stdout);
}

static void bench_parts(const uint8_t *data, size_t n)
{
	struct chunk_params params = chunk_params_of(CHUNK_AVG_DEFAULT);
	struct chunker *c;
	struct digester *d;
	struct codecs *cs;
	struct digest sum;
	uint64_t t;
	uint8_t *out = must_alloc(PACK_CHUNK_MAX);
	size_t count = 0;

	n = n < 128u << 20 ? n : 128u << 20;
	must(chunker_new(&params, secret, &c), "chunker");
	must(digester_new(secret, &d), "digester");
	must(codecs_new(&cs), "codecs");
	t = clock_mono_ns();
	for (size_t at = 0; at < n; count++)
		at += chunker_next(c, data + at, n - at, true);
	say("chunker", n, clock_mono_ns() - t);
	printf("%-34s %8zu\n", "mean length", n / count);
	for (size_t len = 64 << 10; len; len = len == 64 << 10 ? 40 << 10 : 0) {
		char what[64];

		t = clock_mono_ns();
		for (size_t at = 0; at + len <= n; at += len)
			must(digest_of(d, data + at, len, &sum), "digest");
		snprintf(what, sizeof(what), "digest, %zu KiB", len >> 10);
		say(what, n / len * len, clock_mono_ns() - t);
	}
	for (enum chunk_codec k = CHUNK_LZ4; k <= CHUNK_ZSTD; k++) {
		enum chunk_codec used;
		size_t got;
		char what[64];

		t = clock_mono_ns();
		for (size_t at = 0; at + 40960 <= n; at += 40960)
			must(codec_compress(cs, k, 0, data + at, 40960, out, &used, &got), "compress");
		snprintf(what, sizeof(what), "compress, %s", chunk_codec_name(k));
		say(what, n / 40960 * 40960, clock_mono_ns() - t);
	}
	free(out);
	codecs_free(cs);
	digester_free(d);
	chunker_free(c);
}

static void bench_write(struct kv *kv, struct chunk_store *store, const uint8_t *data, size_t n, enum chunk_codec codec,
			const char *what, struct map *m)
{
	struct chunk_writer_config cfg = { .codec = codec };
	struct chunk_writer *w;
	struct kv_batch *b;
	uint64_t t = clock_mono_ns(), end, synced;

	must(chunk_writer_new(store, &cfg, add, m, &w), "writer");
	for (size_t at = 0; at < n; at += RECORD)
		must(chunk_writer_append(w, data + at, RECORD), "append");
	must(chunk_writer_flush(w), "flush");
	end = clock_mono_ns();
	must(kv_batch_new(&b), "batch");
	must(chunk_writer_begin_commit(w, b), "commit");
	must(kv_write(kv, b, true), "write of the batch");
	chunk_writer_end_commit(w, true);
	synced = clock_mono_ns();
	kv_batch_free(b);
	chunk_writer_free(w);
	say(what, n, end - t);
	printf("%-34s %8.0f MB/s, ratio %.2f, %zu chunks in %zu runs\n", "  with the commit",
	       (double)n * 1000 / (double)(synced - t), m->stored ? (double)n / (double)m->stored : 0.0, m->chunks,
	       m->count);
}

static void bench_read(struct chunk_store *store, struct map *m, const uint8_t *data, const char *what)
{
	struct chunk_reader *r;
	uint8_t *buf = must_alloc(RECORD);
	uint64_t t = clock_mono_ns();
	bool same = true;

	must(chunk_reader_new(store, source, m, &r), "reader");
	for (uint64_t at = 0; at < m->bytes; at += RECORD) {
		must(chunk_reader_read(r, at, buf, RECORD), "read");
		if (at % (64 << 20) == 0)
			same = same && !memcmp(buf, data + at, RECORD);
	}
	say(what, m->bytes, clock_mono_ns() - t);
	must(same ? 0 : -5, "other bytes came back");
	t = clock_mono_ns();
	for (unsigned i = 0; i < 5000; i++)
		must(chunk_reader_read(r, (uint64_t)i * 2654435761u % (m->bytes - 4096), buf, 4096), "random read");
	printf("%-34s %8.0f /s\n", "  4 KiB at random", 5000 * 1e9 / (double)(clock_mono_ns() - t));
	chunk_reader_free(r);
	free(buf);
}

int main(int argc, char **argv)
{
	size_t n = (argc > 2 ? strtoul(argv[2], NULL, 10) : 1024) << 20;
	char folder[] = "/tmp/bench_chunk.XXXXXX", path[4096];
	const char *dir = argc > 1 ? argv[1] : mkdtemp(folder);
	struct chunk_store_config cfg = { .params = chunk_params_of(CHUNK_AVG_DEFAULT) };
	uint8_t *data = must_alloc(n);

	memcpy(cfg.key, secret, 32);
	make_data(data, n);
	bench_parts(data, n);
	for (enum chunk_codec c = CHUNK_PLAIN; c <= CHUNK_ZSTD; c++) {
		struct map first = { NULL }, again = { NULL }, later = { NULL };
		struct workers *workers;
		struct chunk_store *store;
		struct packs *packs;
		struct kv *kv;

		snprintf(path, sizeof(path), "%s/%s", dir, chunk_codec_name(c));
		mkdir(dir, 0777);
		must(mkdir(path, 0777) ? -17 : 0, path);
		must(packs_open(path, &packs), "packs");
		snprintf(path, sizeof(path), "%s/%s-kv", dir, chunk_codec_name(c));
		must(kv_open(path, true, 32 << 20, &kv), "kv");
		must(workers_new(0, &workers), "workers");
		must(chunk_store_open(kv, packs, workers, &cfg, &store), "store");
		printf("--- %s\n", chunk_codec_name(c));
		bench_write(kv, store, data, n, c, "new data", &first);
		bench_write(kv, store, data, n, c, "all duplicates", &again);
		chunk_store_close(store);
		must(chunk_store_open(kv, packs, workers, &cfg, &store), "store");
		bench_write(kv, store, data, n, c, "all duplicates, after a restart", &later);
		bench_read(store, &first, data, "read back");
		chunk_store_close(store);
		workers_free(workers);
		kv_close(kv);
		packs_close(packs);
		free(first.runs);
		free(again.runs);
		free(later.runs);
	}
	free(data);
	if (argc < 2) {
		snprintf(path, sizeof(path), "rm -rf '%s'", dir);
		return system(path) != 0;
	}
	return 0;
}
