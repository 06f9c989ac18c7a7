/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The catalog at the scale of years: how fast tapes are looked at, and what a question about them costs.
 *
 *	bench_contents [FOLDER [VOLUMES [FILES [MEMBERS]]]]	FOLDER is made and left behind; "": a temporary one, removed
 *
 * Makes a store with so many volumes, so many tape files on them and so many members in these (10,000 volumes, a million
 * and ten million by default: a quarter of an hour, 3 GB; the suite's benchmark is a hundredth of it): real tar archives of
 * empty files on real tapes, which the keeper then looks at as it does behind any writer.  There are 200,000 different
 * names, and one that is there once.  Then the store is opened anew, and asked.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/wire.h"

#define HEADER 512u
#define RECORD (256u << 10)
#define NAMES 200000u
#define ONLY "the-only-one.txt"
#define ASKED 20u

struct bench {
	struct wire w;
	uint64_t volumes, files, members;	/* to be made */
	uint64_t *id;
	uint64_t made;				/* members so far */
	uint8_t *record;
	size_t len;
};

static void must(int r, const char *what)
{
	if (r) {
		fprintf(stderr, "bench_contents: %s: %s\n", what, r < 0 ? err_text(r) : "unexpected");
		exit(1);
	}
}

static double seconds_since(uint64_t ns) { return (double)(clock_mono_ns() - ns) / 1e9; }

static uint64_t resident_mib(void)
{
	char line[256];
	unsigned long kib = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib >> 10;
}

static void row(const char *what, double value, const char *unit)
{
	printf("%-58s %12.2f %s\n", what, value, unit);
	fflush(stdout);
}

/* ---- tapes ------------------------------------------------------------------------------------------------------ */

/* The header of an empty file, as POSIX 1003.1 (ustar) has it. */
static void tar_header(uint8_t *h, const char *path, unsigned mtime)
{
	unsigned sum = 8 * ' ';

	memset(h, 0, HEADER);
	snprintf((char *)h, 100, "%s", path);
	snprintf((char *)h + 100, 8, "%07o", 0644);
	snprintf((char *)h + 108, 8, "%07o", 1000);
	snprintf((char *)h + 116, 8, "%07o", 1000);
	snprintf((char *)h + 124, 12, "%011o", 0);
	snprintf((char *)h + 136, 12, "%011o", mtime);
	h[156] = '0';
	snprintf((char *)h + 257, 6, "ustar");
	memcpy(h + 263, "00", 2);
	snprintf((char *)h + 265, 32, "operator");
	snprintf((char *)h + 297, 32, "backup");
	for (unsigned i = 0; i < HEADER; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
}

static void record_out(struct bench *b, struct volume *v)
{
	int r = b->len ? volume_append_record(v, 0, b->record, b->len) : 0;

	must(r, "record");
	b->len = 0;
}

static uint8_t *block_of(struct bench *b, struct volume *v)
{
	if (b->len == RECORD)
		record_out(b, v);
	b->len += HEADER;
	return b->record + b->len - HEADER;
}

/* Members follow each other as a walk through folders gives them; each tape begins elsewhere among the names. */
static void archive(struct bench *b, struct volume *v, uint64_t members)
{
	char path[100];

	for (uint64_t i = 0; i < members; i++, b->made++) {
		unsigned n = (unsigned)(b->made % NAMES);

		if (b->made == b->members / 2)
			snprintf(path, sizeof(path), "srv/home/%s", ONLY);
		else
			snprintf(path, sizeof(path), "srv/home/user%03u/project%02u/file%06u.dat", n / 500, n / 50 % 10, n);
		tar_header(block_of(b, v), path, 1700000000u + n);
	}
	memset(block_of(b, v), 0, HEADER);
	memset(block_of(b, v), 0, HEADER);
	record_out(b, v);
	must(volume_append_filemark(v, 0), "filemark");
}

static void make(struct bench *b)
{
	uint64_t from = clock_mono_ns(), files = 0;
	struct catalog_volume v;
	struct volume *vol;
	char name[16];

	for (uint64_t i = 0; i < b->volumes; i++) {
		snprintf(name, sizeof(name), "A%05uL8", (unsigned)i);
		must(library_volume_create(b->w.library, CATALOG_POOL_DEFAULT, name, NULL, false, &v), "volume");
		b->id[i] = v.id;
	}
	row("volumes made, a second", (double)b->volumes / seconds_since(from), "");
	from = clock_mono_ns();
	for (uint64_t i = 0; i < b->volumes; i++) {
		must(library_claim(b->w.library, b->id[i], CLAIM_WRITE, &vol), "claim");
		for (uint64_t end = b->files * (i + 1) / b->volumes; files < end; files++)
			archive(b, vol, b->members * (files + 1) / b->files - b->members * files / b->files);
		must(library_release(b->w.library, b->id[i], CLAIM_WRITE), "release");
	}
	row("tape files written, a second", (double)files / seconds_since(from), "");
}

static int no_stop(void *ctx, const struct contents_status *s) { return 0; }

static void look_at(struct bench *b)
{
	uint64_t from = clock_mono_ns();
	struct contents_status s;
	struct kv_usage before, after;

	must(kv_usage(b->w.kv, &before), "usage");
	must(contents_start(b->w.contents), "keeper");
	must(contents_settle(b->w.contents, 0, false, no_stop, NULL), "settle");
	must(contents_pending(b->w.contents, &s), "status");
	must(kv_usage(b->w.kv, &after), "usage");
	row("members looked at, a second", (double)s.members / seconds_since(from), "");
	row("bytes a member in the database", (double)(after.disk_bytes - before.disk_bytes) / (double)b->members, "");
	row("memory while looking", (double)resident_mib(), "MiB");
	contents_stop(b->w.contents);
	if (s.files || s.volumes)
		must(-EIO, "tapes that nobody looked at");
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

struct asked { uint64_t from, hits, stop_at; double first_ms; };

static int hit(void *ctx, const struct contents_hit *h)
{
	struct asked *a = ctx;

	if (!h)
		return 0;
	if (!a->hits++)
		a->first_ms = seconds_since(a->from) * 1e3;
	return a->hits == a->stop_at;
}

/* Milliseconds; the slowest of those asked so far is kept in *worst. */
static struct asked ask(struct bench *b, const struct contents_query *q, double *worst)
{
	struct asked a = { .from = clock_mono_ns() };
	double ms;

	must(contents_find(b->w.contents, q, hit, &a), "find");
	ms = seconds_since(a.from) * 1e3;
	*worst = ms > *worst ? ms : *worst;
	return a;
}

static void find(struct bench *b)
{
	double worst = 0, sum = 0, first = 0;
	uint64_t hits = 0, from;
	struct asked a;
	char name[32];

	a = ask(b, &(struct contents_query){ .pattern = ONLY }, &worst);
	if (a.hits != 1)
		must(-EIO, "the only one is not there once");
	row("find a name that is there once, first time", worst, "ms");
	worst = 0;
	for (unsigned i = 0; i < ASKED; i++) {
		snprintf(name, sizeof(name), "file%06u.dat", (unsigned)((i * 7919ull + 17) % NAMES));
		from = clock_mono_ns();
		a = ask(b, &(struct contents_query){ .pattern = name }, &worst);
		sum += seconds_since(from) * 1e3;
		first = a.first_ms > first ? a.first_ms : first;
		hits += a.hits;
	}
	row("find a name, all of its places: mean", sum / ASKED, "ms");
	row("  slowest", worst, "ms");
	row("  slowest first hit", first, "ms");
	row("  places", (double)hits / ASKED, "");
	worst = 0;
	ask(b, &(struct contents_query){ .pattern = "file000017.dat", .newest = true }, &worst);
	row("find the newest of a name", worst, "ms");
	worst = 0;
	ask(b, &(struct contents_query){ .pattern = "file00001*", .limit = 100 }, &worst);
	row("find by the beginning of a name, 100 hits", worst, "ms");
	worst = 0;
	a = ask(b, &(struct contents_query){ .pattern = "*only*" }, &worst);
	row("find by a part of a name, all names tried", worst, "ms");
	worst = 0;
	ask(b, &(struct contents_query){ .pattern = "project07/file0037*.dat", .volumes = b->id, .volume_count = 1 }, &worst);
	row("find by the end of a path on one volume", worst, "ms");
	row("memory after finding", (double)resident_mib(), "MiB");
}

static int count_volume(void *ctx, const struct catalog_volume *v) { (*(uint64_t *)ctx)++; return 0; }
static int count_file(void *ctx, const struct contents_file *f) { (*(uint64_t *)ctx)++; return 0; }

static void list(struct bench *b)
{
	uint64_t from = clock_mono_ns(), n = 0;
	struct catalog_pool pool;
	struct library_expire_report report;
	struct library_expire_config cfg = { .dry_run = true };

	must(catalog_pool_get(b->w.catalog, CATALOG_POOL_DEFAULT, &pool), "pool");
	must(catalog_volume_each(b->w.catalog, pool.id, "", count_volume, &n), "list");
	row("list all volumes", seconds_since(from) * 1e3, "ms");
	from = clock_mono_ns();
	n = 0;
	must(contents_files(b->w.contents, b->id[b->volumes / 2], 0, count_file, &n), "files");
	row("list the tape files of a volume", seconds_since(from) * 1e3, "ms");
	pool.expire_s = 1;
	must(catalog_pool_put(b->w.catalog, &pool), "pool");
	sleep(2);
	from = clock_mono_ns();
	must(library_expire(b->w.library, &cfg, &report), "expire");
	if (report.scratched != b->volumes)
		must(-EIO, "not all have expired");
	row("expire all volumes, dry run", seconds_since(from) * 1e3, "ms");
	pool.expire_s = 0;
	must(catalog_pool_put(b->w.catalog, &pool), "pool");
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) { return remove(path); }

int main(int argc, char **argv)
{
	char temporary[] = "/var/tmp/bench_contents.XXXXXX", path[4096];
	const char *folder = argc > 1 && *argv[1] ? argv[1] : mkdtemp(temporary);
	struct bench b = {
		.w.lock_fd = -1,
		.volumes = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000,
		.files = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000000,
		.members = argc > 4 ? strtoull(argv[4], NULL, 10) : 10000000,
		.record = malloc(RECORD),
	};
	uint64_t from;

	if (!folder || !b.volumes || b.files < b.volumes || b.members < b.files) {
		fprintf(stderr, "usage: bench_contents [FOLDER [VOLUMES [FILES [MEMBERS]]]]\n");
		return 2;
	}
	b.id = calloc(b.volumes, sizeof(*b.id));
	must(b.id && b.record ? 0 : -ENOMEM, "memory");
	must(io_path(path, sizeof(path), "%s/store", folder), "path");
	must(wire_init(path, CHUNK_AVG_DEFAULT, "lz4"), "store");
	must(wire_open(&b.w, path, 1), "store");
	printf("%llu volumes, %llu tape files, %llu members\n", (unsigned long long)b.volumes, (unsigned long long)b.files,
	       (unsigned long long)b.members);
	make(&b);
	look_at(&b);
	wire_close(&b.w);
	b.w = (struct wire){ .lock_fd = -1 };
	from = clock_mono_ns();
	must(wire_open(&b.w, path, 1), "store");
	row("open the store", seconds_since(from) * 1e3, "ms");
	find(&b);
	list(&b);
	wire_close(&b.w);
	free(b.id);
	free(b.record);
	if (folder == temporary)
		nftw(folder, remove_one, 64, FTW_DEPTH | FTW_PHYS);
	return 0;
}
