/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a collection costs in a large store: time, memory, and what it reads of the database.
 *
 *	bench_gc [FOLDER [TIB...]]	FOLDER is made and left behind; "": a temporary one, removed.  TIB: 1 4 16
 *
 * For each size it makes the rows of a store with so much in its packs, and runs tape_gc() over them.  The database is
 * real, and so are heads, chunk pages, rows of use and rows of packs; the packs are made up (paper_packs.h): what the
 * disk takes to read a table of contents or to remove a file is not in the times, nor are rows of the index, which are
 * looked up in vain.  "memory" is how far the process grew beyond what it had; "database", how far the database's cache
 * and tables did, which are bounded.
 *
 * A TiB is 32,768 packs of 2,048 chunks and 100 tapes, two generations each of 50 volumes.  Every tape has a hundredth
 * of the packs as its own; but for every tenth, it also has what the four before it have, in pieces of 64 chunks.
 *
 * At last packs that are really there, two thirds of them garbage, are copied.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/paper_packs.h"
#include "chunk/chunk_index_format.h"
#include "tape/volume_format.h"

#define TAPES_A_TIB 100u
#define SHARED_WITH 4u
#define PIECE 64u
#define RECORD (256u << 10)
#define REAL_MIB 768u
#define CACHE (64u << 20)

struct bench {
	char folder[4096];
	struct kv *kv;
	struct packs *packs;
	struct workers *workers;
	struct chunk_store *cs;
	struct shelf *shelf;
	uint64_t count, tapes;		/* packs, and tapes that use them */
	uint32_t *users;		/* by tape: how many have its packs */
};

static void must(int r, const char *what)
{
	if (r) {
		fprintf(stderr, "bench_gc: %s: %s\n", what, r < 0 ? err_text(r) : "unexpected");
		exit(1);
	}
}

static uint64_t number_in(const char *file, const char *line_begins)
{
	unsigned long long value = 0;
	char line[256];
	FILE *f = fopen(file, "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, line_begins, strlen(line_begins)))
			sscanf(line + strlen(line_begins), " %llu", &value);
	if (f)
		fclose(f);
	return value;
}

static void write_out(struct bench *b, struct kv_batch *batch)
{
	must(kv_write(b->kv, batch, false), "write rows");
	kv_batch_clear(batch);
}

static void put_row(struct kv_batch *batch, const struct map_key *key, struct buf *value)
{
	must(kv_batch_put(batch, KV_MAP, key->b, key->len, value->data, value->len), "row");
	value->len = 0;
}

/* ---- rows: packs ------------------------------------------------------------------------------------------------- */

static uint64_t first_pack(const struct bench *b, uint64_t tape) { return 1 + b->count * tape / b->tapes; }
static bool shares(uint64_t tape) { return tape % 10 != 8; }

static uint64_t raw_bytes(uint64_t pack, uint32_t slot, uint32_t slots)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < slots; i++)
		sum += paper_len(pack, slot + i);
	return sum;
}

static uint64_t put_pack(struct bench *b, struct kv_batch *batch, uint64_t pack)
{
	struct pack_tally t = { .chunks = PAPER_SLOTS, .raw_bytes = raw_bytes(pack, 0, PAPER_SLOTS),
				.file_bytes = PACK_BYTES_MAX };
	uint8_t key[PACK_KEY_LEN], row[PACK_TALLY_LEN + LEN_BYTES * PAPER_SLOTS], *at = row + PACK_TALLY_LEN;

	pack_key_pack(key, PACK_KEY_SEALED, pack);
	pack_tally_pack(row, &t);
	for (uint32_t i = 0; i < PAPER_SLOTS; i++, at += LEN_BYTES) {
		uint32_t len = paper_len(pack, i);

		put_le16(at, (uint16_t)len);
		at[2] = (uint8_t)(len >> 16);
	}
	must(kv_batch_put(batch, KV_PACK, key, sizeof(key), row, sizeof(row)), "row of a pack");
	return t.raw_bytes;
}

/* A store that was collected before knows of each pack that all of it is in use. */
static void put_found(struct bench *b, struct kv_batch *batch, uint64_t tape, uint64_t pack, uint64_t raw)
{
	const struct look look = { .live = PACK_BYTES_MAX, .all = PACK_BYTES_MAX, .used = raw * b->users[tape] };
	struct map_key key = key_look(pack);
	CLEANUP(buf_fini) struct buf value = BUF_INIT;

	must(look_pack(&look, &value), "look");
	put_row(batch, &key, &value);
}

static void put_packs(struct bench *b)
{
	CLEANUP(kv_batch_freep) struct kv_batch *batch = NULL;
	struct chunk_totals sums = { .packs = b->count, .chunks = b->count * PAPER_SLOTS,
				     .stored_bytes = b->count * PACK_BYTES_MAX };
	uint8_t next[8], totals[TOTALS_LEN];

	must(kv_batch_new(&batch), "batch");
	for (uint64_t tape = 0; tape < b->tapes; tape++) {
		for (uint64_t pack = first_pack(b, tape); pack < first_pack(b, tape + 1); pack++) {
			uint64_t raw = put_pack(b, batch, pack);

			sums.unique_bytes += raw;
			put_found(b, batch, tape, pack, raw);
		}
		write_out(b, batch);
	}
	put_le64(next, b->count + 1);
	must(kv_batch_put(batch, KV_PACK, (char[]){ PACK_KEY_NEXT }, 1, next, sizeof(next)), "row");
	totals_pack(totals, &sums);
	must(kv_batch_put(batch, KV_PACK, (char[]){ PACK_KEY_TOTALS }, 1, totals, sizeof(totals)), "row");
	write_out(b, batch);
}

/* ---- rows: tapes ------------------------------------------------------------------------------------------------- */

struct writing {
	struct bench *b;
	struct kv_batch *batch;
	struct page *page;
	uint64_t map;
	struct buf value;
};

static void put_page(struct writing *w)
{
	struct map_key key = key_page(PAGE_CHUNKS, w->map, w->page->from.bytes);

	must(page_pack(w->page, &w->value), "page");
	put_row(w->batch, &key, &w->value);
}

static void put_run(struct writing *w, uint64_t pack, uint32_t slot, uint32_t slots)
{
	const struct chunk_run run = { .pack = pack, .slot = slot, .slots = slots,
				       .bytes = raw_bytes(pack, slot, slots) };

	if (page_full(w->page)) {
		struct page *next = page_new(PAGE_CHUNKS, w->map, &w->page->end);

		put_page(w);
		page_free(w->page);
		w->page = next;
	}
	must(page_add_chunk(w->page, &run, false), "run");
}

static void put_use(struct writing *w, uint64_t pack, uint64_t bytes)
{
	struct map_key key = key_use(pack, w->map);

	must(use_pack(bytes, &w->value), "use");
	put_row(w->batch, &key, &w->value);
}

/* All packs of a tape; in pieces, of another that has them already. */
static void put_runs(struct writing *w, uint64_t of, bool pieces)
{
	uint32_t slots = pieces ? PIECE : PAPER_SLOTS, count = PAPER_SLOTS / slots;

	for (uint64_t pack = first_pack(w->b, of); pack < first_pack(w->b, of + 1); pack++) {
		uint64_t before = w->page->end.bytes;

		for (uint32_t i = 0; i < count; i++)
			put_run(w, pack, i * 13 % count * slots, slots);
		put_use(w, pack, w->page->end.bytes - before);
	}
	w->b->users[of]++;
}

static void put_head(struct writing *w, uint64_t tape)
{
	struct head h = { .generation = 1 + tape % 2, .begun_ns = 1, .written_ns = 2, .ended_ns = tape % 2 ? 0 : 3,
			  .partitions = 1 };
	struct head_partition *p = &h.part[0];
	struct map_key key = key_head(1 + tape / 2, h.generation);

	must(head_partition_push(p, &(struct stretch){ w->map, head_new_number(), { 0 } }), "head");
	p->end.bytes = w->page->end.bytes;
	p->end.objects = (p->end.bytes + RECORD - 1) / RECORD;
	p->end.odd = 0;
	must(head_pack(&h, &w->value), "head");
	put_row(w->batch, &key, &w->value);
	head_fini(&h);
}

static void put_tape(struct bench *b, uint64_t tape)
{
	const struct tape_tally beginning = { 0 };
	struct writing w = { .b = b, .map = head_new_number(), .value = BUF_INIT };

	w.page = page_new(PAGE_CHUNKS, w.map, &beginning);
	must(kv_batch_new(&w.batch), "batch");
	put_runs(&w, tape, false);
	for (uint64_t other = tape, n = 0; shares(tape) && other-- > 0 && n < SHARED_WITH;) {
		if (shares(other)) {
			put_runs(&w, other, true);
			n++;
		}
	}
	put_page(&w);
	put_head(&w, tape);
	write_out(b, w.batch);
	page_free(w.page);
	kv_batch_free(w.batch);
	buf_fini(&w.value);
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

static void store_open(struct bench *b)
{
	const struct chunk_store_config cfg = { .params = chunk_params_of(CHUNK_AVG_DEFAULT), .key = { 1 } };

	must(workers_new(0, &b->workers), "workers");
	must(chunk_store_open(b->kv, b->packs, b->workers, &cfg, &b->cs), "chunks");
	must(shelf_new(b->kv, b->cs, &b->shelf), "shelf");
}

static void store_close(struct bench *b)
{
	b->shelf = shelf_free(b->shelf);
	b->cs = chunk_store_close(b->cs);
	b->workers = workers_free(b->workers);
}

static void all_closed(struct bench *b)
{
	store_close(b);
	b->packs = packs_close(b->packs);
	b->kv = kv_close(b->kv);
	free(b->users);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void peak_begins_anew(void)
{
	FILE *f = fopen("/proc/self/clear_refs", "we");

	if (f) {
		fputs("5", f);
		fclose(f);
	}
}

static void round_of(struct bench *b, const char *what, unsigned percent, bool dry_run)
{
	const struct tape_gc_config cfg = { .live_percent = percent, .dry_run = dry_run };
	struct kv_usage before, after;
	struct tape_gc_report done;
	uint64_t rss, from, read;
	double s, cpu;

	peak_begins_anew();
	must(kv_usage(b->kv, &before), "usage");
	rss = number_in("/proc/self/status", "VmRSS:");
	read = number_in("/proc/self/io", "rchar:");
	cpu = cpu_seconds();
	from = clock_mono_ns();
	must(tape_gc(b->shelf, &cfg, &done), "collection");
	s = (double)(clock_mono_ns() - from) / 1e9;
	cpu = cpu_seconds() - cpu;
	must(kv_usage(b->kv, &after), "usage");
	printf("%-36s %8.2f %8.2f %7lld %8lld %8llu %8llu %8llu %8llu\n", what, s, cpu,
	       ((long long)number_in("/proc/self/status", "VmHWM:") - (long long)rss) >> 10,
	       ((long long)after.memory_bytes - (long long)before.memory_bytes) >> 20,
	       (unsigned long long)(number_in("/proc/self/io", "rchar:") - read) >> 20, (unsigned long long)done.packs,
	       (unsigned long long)done.freed_packs, (unsigned long long)done.copied_bytes >> 20);
	fflush(stdout);
}

/* The older generations of so many out of a hundred tapes; @mine: those that share nothing, or those that do. */
static void drop(struct bench *b, bool mine)
{
	for (uint64_t tape = 0; tape < b->tapes; tape++) {
		CLEANUP(kv_batch_freep) struct kv_batch *batch = NULL;
		uint64_t dropped;

		if (tape % 10 != (mine ? 8 : 2))
			continue;
		must(kv_batch_new(&batch), "batch");
		must(volume_drop_generations(b->kv, batch, 1 + tape / 2, UINT64_MAX, &dropped), "drop");
		write_out(b, batch);
	}
}

static void forget_all_looks(struct bench *b)
{
	CLEANUP(kv_batch_freep) struct kv_batch *batch = NULL;
	struct map_key looks = key_all_looks();

	must(kv_batch_new(&batch), "batch");
	must(kv_batch_delete_prefix(batch, KV_MAP, looks.b, looks.len), "looks");
	write_out(b, batch);
}

/* The cache and the tables of the database have what they have in a daemon that runs. */
static void warm_up(struct bench *b)
{
	const struct tape_gc_config cfg = { .live_percent = 50 };
	struct tape_gc_report done;

	must(tape_gc(b->shelf, &cfg, &done), "collection");
}

static void of_size(const char *folder, double tib)
{
	struct bench b = { .count = (uint64_t)(tib * (1ull << 40) / PACK_BYTES_MAX) };
	uint64_t from = clock_mono_ns();

	b.tapes = (uint64_t)(tib * TAPES_A_TIB) < 20 ? 20 : (uint64_t)(tib * TAPES_A_TIB);
	b.users = calloc(b.tapes, sizeof(*b.users));
	must(b.users ? 0 : -ENOMEM, "memory");
	must(io_path(b.folder, sizeof(b.folder), "%s/rows-%g", folder, tib), "path");
	must(kv_open(b.folder, true, CACHE, &b.kv), "database");
	must(paper_new(b.count, &b.packs), "packs");
	for (uint64_t tape = 0; tape < b.tapes; tape++)
		put_tape(&b, tape);
	put_packs(&b);
	b.kv = kv_close(b.kv);
	must(kv_open(b.folder, false, CACHE, &b.kv), "database");
	printf("\n%g TiB: %llu packs, %llu tapes; made in %.0f s\n", tib, (unsigned long long)b.count,
	       (unsigned long long)b.tapes, (double)(clock_mono_ns() - from) / 1e9);
	store_open(&b);
	warm_up(&b);
	round_of(&b, "nothing to do", 50, false);
	drop(&b, false);
	round_of(&b, "a tenth goes that others share", 50, false);
	forget_all_looks(&b);
	round_of(&b, "first look at all", 50, false);
	drop(&b, true);
	round_of(&b, "a tenth goes, dry run", 50, true);
	round_of(&b, "a tenth goes, a sync for each pack", 50, false);
	all_closed(&b);
}

/* ---- packs that are there ---------------------------------------------------------------------------------------- */

/* Every @nth of the records of that number that follow from it. */
static void write_tape(struct bench *b, uint64_t id, uint64_t records, unsigned nth)
{
	struct volume_attr attr = { .id = id, .store = { .codec = CHUNK_PLAIN } };
	CLEANUP(kv_batch_freep) struct kv_batch *batch = NULL;
	uint64_t *record = malloc(RECORD);
	struct volume *v;

	must(record ? kv_batch_new(&batch) : -ENOMEM, "batch");
	must(volume_create(batch, id), "volume");
	write_out(b, batch);
	must(volume_open(b->shelf, &attr, &v), "volume");
	for (uint64_t i = 0; i < records; i += nth) {
		for (uint64_t k = 0; k < RECORD / sizeof(*record); k++)
			record[k] = paper_noise(i, k);
		must(volume_append_record(v, 0, record, RECORD), "record");
	}
	volume_close(v, NULL);
	free(record);
}

static void of_real_packs(const char *folder, double tib)
{
	const uint64_t mib = tib < 1 ? REAL_MIB / 4 : REAL_MIB, records = (mib << 20) / RECORD;
	struct bench b = { .count = 0 };
	CLEANUP(kv_batch_freep) struct kv_batch *batch = NULL;
	char packs[4096];

	must(io_path(b.folder, sizeof(b.folder), "%s/real", folder), "path");
	must(io_path(packs, sizeof(packs), "%s/packs", folder), "path");
	must(mkdir(packs, 0700) ? -errno : 0, "folder");
	must(kv_open(b.folder, true, CACHE, &b.kv), "database");
	must(packs_open(packs, &b.packs), "packs");
	store_open(&b);
	write_tape(&b, 1, records, 1);
	write_tape(&b, 2, records, 3);
	store_close(&b);
	store_open(&b);
	must(kv_batch_new(&batch), "batch");
	must(volume_destroy(b.kv, batch, 1), "destroy");
	write_out(&b, batch);
	printf("\n%llu MiB in packs that are there, a third of each in use\n", (unsigned long long)mib);
	round_of(&b, "that is copied", 50, false);
	round_of(&b, "nothing to do", 50, false);
	must(volume_destroy(b.kv, batch, 2), "destroy");
	write_out(&b, batch);
	round_of(&b, "all goes", 50, false);
	all_closed(&b);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) { return remove(path); }

int main(int argc, char **argv)
{
	char temporary[] = "/var/tmp/bench_gc.XXXXXX", one[] = "1", four[] = "4", sixteen[] = "16";
	char *full[] = { one, four, sixteen };
	const bool given = argc > 1 && *argv[1];
	const char *folder = given ? argv[1] : mkdtemp(temporary);
	char **sizes = argc > 2 ? argv + 2 : full;
	int count = argc > 2 ? argc - 2 : (int)ARRAY_LEN(full);

	for (int i = 0; folder && i < count; i++)
		if (!(strtod(sizes[i], NULL) > 0))
			folder = NULL;
	if (!folder) {
		fprintf(stderr, "usage: bench_gc [FOLDER [TIB...]]\n");
		return 2;
	}
	must(given && mkdir(folder, 0700) ? -errno : 0, folder);
	log_set_level(LOG_LEVEL_ERROR);
	printf("%-36s %8s %8s %7s %8s %8s %8s %8s %8s\n", "", "time", "CPU", "memory", "database", "read", "packs",
	       "removed", "copied");
	printf("%-36s %8s %8s %7s %8s %8s %8s %8s %8s\n", "", "s", "s", "MiB", "MiB", "MiB", "", "", "MiB");
	for (int i = 0; i < count; i++)
		of_size(folder, strtod(sizes[i], NULL));
	of_real_packs(folder, strtod(sizes[count - 1], NULL));
	if (folder == temporary)
		nftw(folder, remove_one, 64, FTW_DEPTH | FTW_PHYS);
	return 0;
}
