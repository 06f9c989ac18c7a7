/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What SCSI costs: commands a second, and records through ring and unit against the same records given to the engine.
 *
 *	bench_scsi [FOLDER [MIB [PAIRS [LOG_MIB]]]]	FOLDER is made and left behind; "": a temporary one, removed
 *
 * No kernel: the ring is on the heap (unit/tcmu/kernel.h), the data lies in its data area, one command is in flight,
 * and the waking is not counted.  Each side has a store of its own on disk; records are 256 KiB, first new data, then
 * the same again, all duplicates, then read; then records of 512 bytes.  Engine and SCSI take turns in who comes first
 * of a pair, and what is told of a phase is the median of the pairs' ratios: a machine that has other work, too,
 * disturbs some pairs, and most of them not.  Beside the time on the wall: the processors' time of all threads, which
 * other programs disturb less.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "daemon/wire.h"
#include "unit/tcmu/kernel.h"

#define RECORD (256u << 10)
#define CMDR (1u << 20)
#define DATA (4u << 20)
#define MEMORY (SCSI_MEMORY_MIN + (96u << 20))	/* as the daemon has it */

#define SMALL 512u
#define SMALL_COUNT 40000u
#define PAIRS_MAX 99u

enum { NEW, AGAIN, READ, SMALL_WRITE, SMALL_READ, PHASES };
static const char *const phase_name[PHASES] = { "write, new data", "write, duplicates", "read", "write, 512 bytes",
						"read, 512 bytes" };

static size_t memory_len = MEMORY;
struct spent { uint64_t wall, cpu; };

struct side {
	struct wire w;
	uint64_t volume;
	/* The engine alone: */
	struct drive *drive;
	/* SCSI: */
	struct kernel k;
	void *memory, *steps;
	struct scsi_unit *unit;
	struct tcmu_ring *ring;
};

static void must(int r, const char *what)
{
	if (r) {
		fprintf(stderr, "bench_scsi: %s: %s\n", what, err_text(r));
		exit(1);
	}
}

static void *pages(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	must(p == MAP_FAILED ? -ENOMEM : 0, "memory");
	return p;
}

/* ---- a side ----------------------------------------------------------------------------------------------------- */

static void side_open(struct side *s, const char *folder, const char *name)
{
	struct catalog_volume v;
	char path[512];

	must(io_path(path, sizeof(path), "%s/%s", folder, name), "path");
	must(wire_init(path, CHUNK_AVG_DEFAULT, "lz4"), "store");
	s->w.lock_fd = -1;
	must(wire_open(&s->w, path, 1), "store");
	must(library_volume_create(s->w.library, CATALOG_POOL_DEFAULT, "V00001L6", NULL, false, &v), "volume");
	s->volume = v.id;
	must(library_load(s->w.library, 0, v.id), "load");
}

static void scsi_begin(struct side *s)
{
	struct scsi_unit_config cfg = { .lib = s->w.library, .kind = SCSI_DRIVE, .memory_len = memory_len };
	size_t len = KERNEL_CMDR_OFF + CMDR + DATA;

	snprintf(cfg.identity.model, sizeof(cfg.identity.model), "%s", scsi_model_default(SCSI_DRIVE));
	cfg.memory = s->memory = pages(memory_len);
	s->steps = pages(TCMU_RING_MEMORY);
	must(scsi_unit_new(&cfg, &s->unit), "unit");
	kernel_new(&s->k, pages(len), len, CMDR);
	must(tcmu_ring_new(s->k.map, len, &s->ring), "ring");
	tcmu_ring_memory(s->ring, s->steps, 1);
}

static void side_close(struct side *s)
{
	if (s->drive)
		must(library_drive_close(s->w.library, 0), "close");
	tcmu_ring_free(s->ring);
	scsi_unit_free(s->unit, false);
	wire_close(&s->w);
}

/* ---- commands --------------------------------------------------------------------------------------------------- */

static uint8_t command(struct side *s, const uint8_t cdb[6], uint32_t n, struct completion *c)
{
	const struct piece p = { 0, n };
	unsigned done;

	must(kernel_submit(&s->k, cdb, 6, &p, n ? 1 : 0) ? 0 : -EBUSY, "ring");
	must(tcmu_ring_serve(s->ring, s->unit, &done), "ring");
	must(kernel_complete(&s->k, c) ? 0 : -EIO, "completion");
	return c->status;
}

static void good(struct side *s, const uint8_t cdb[6], uint32_t n, const char *what)
{
	struct completion c;

	if (command(s, cdb, n, &c) == SCSI_GOOD)
		return;
	fprintf(stderr, "bench_scsi: %s: status %02x, sense %02x %02x%02x\n", what, c.status, c.sense[2], c.sense[12],
		c.sense[13]);
	exit(1);
}

static void settle(struct side *s)
{
	static const uint8_t tur[6] = { 0 };
	struct completion c;

	while (command(s, tur, 0, &c) != SCSI_GOOD)
		;
}

static void bench_commands(struct side *s)
{
	static const uint8_t tur[6] = { 0 };
	enum { COUNT = 200000 };
	uint64_t t = clock_mono_ns();

	for (unsigned i = 0; i < COUNT; i++)
		good(s, tur, 0, "TEST UNIT READY");
	printf("%-31s %10.0f /s\n", "TEST UNIT READY", COUNT * 1e9 / (double)(clock_mono_ns() - t));
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static struct spent now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (struct spent){ clock_mono_ns(), (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec };
}

static void add(struct spent *sum, struct spent begin)
{
	struct spent t = now();

	sum->wall += t.wall - begin.wall;
	sum->cpu += t.cpu - begin.cpu;
}

static struct spent since(struct spent begin)
{
	struct spent sum = { 0 };

	add(&sum, begin);
	return sum;
}

/* ---- records ---------------------------------------------------------------------------------------------------- */

static struct spent scsi_phase(struct side *s, int phase, const uint8_t *data, size_t mib)
{
	static const uint8_t rewind[6] = { 0x01 }, marks[6] = { 0x10, 0, 0, 0, 1 }, inquiry[6] = { 0x12, 0, 0, 0, 96 };
	const uint8_t io[6] = { phase == READ ? 0x08 : 0x0a, 0, RECORD >> 16, (RECORD >> 8) & 0xff, RECORD & 0xff };
	struct spent t, spent = { 0 };

	good(s, inquiry, 96, "INQUIRY");
	good(s, rewind, 0, "REWIND");
	for (size_t at = 0; at < mib << 20; at += RECORD) {
		/* What the kernel does, in and out, is not counted on either side. */
		if (phase != READ)
			memcpy(s->k.data, data + at, RECORD);
		t = now();
		good(s, io, RECORD, phase_name[phase]);
		add(&spent, t);
		if (phase == READ && memcmp(s->k.data, data + at, RECORD))
			must(-EBADMSG, "what is read");
	}
	t = now();
	if (phase != READ)
		good(s, marks, 0, "WRITE FILEMARKS");
	add(&spent, t);
	return spent;
}

static struct spent engine_phase(struct side *s, int phase, const uint8_t *data, size_t mib)
{
	static uint8_t *area;
	struct spent t, spent = { 0 };
	size_t len;

	area = area ? area : pages(DATA);
	if (!s->drive)
		must(library_drive_open(s->w.library, 0, true, &s->drive), "drive");
	must(drive_rewind(s->drive), "rewind");
	for (size_t at = 0; at < mib << 20; at += RECORD) {
		if (phase != READ)
			memcpy(area, data + at, RECORD);
		t = now();
		if (phase == READ)
			must(drive_read_record(s->drive, area, RECORD, &len), "read");
		else
			must(drive_write_record(s->drive, area, RECORD), "write");
		add(&spent, t);
		if (phase == READ && memcmp(area, data + at, RECORD))
			must(-EBADMSG, "what is read");
	}
	t = now();
	if (phase != READ)
		must(drive_write_filemarks(s->drive, 1, false), "filemark");
	add(&spent, t);
	return spent;
}

/* Few bytes, so the clock is not read for each. */
static struct spent scsi_small(struct side *s, bool reads, const uint8_t *data)
{
	static const uint8_t rewind[6] = { 0x01 }, marks[6] = { 0x10, 0, 0, 0, 1 };
	const uint8_t io[6] = { reads ? 0x08 : 0x0a, 0, 0, SMALL >> 8, SMALL & 0xff };
	struct spent begin;

	good(s, rewind, 0, "REWIND");
	begin = now();
	for (size_t i = 0; i < SMALL_COUNT; i++) {
		if (!reads)
			memcpy(s->k.data, data + i * SMALL, SMALL);
		good(s, io, SMALL, "512 bytes");
	}
	if (!reads)
		good(s, marks, 0, "WRITE FILEMARKS");
	return since(begin);
}

static struct spent engine_small(struct side *s, bool reads, const uint8_t *data)
{
	uint8_t area[SMALL];
	struct spent begin;
	size_t len;

	must(drive_rewind(s->drive), "rewind");
	begin = now();
	for (size_t i = 0; i < SMALL_COUNT; i++) {
		if (!reads)
			memcpy(area, data + i * SMALL, SMALL);
		must(reads ? drive_read_record(s->drive, area, SMALL, &len) : drive_write_record(s->drive, area, SMALL),
		     "512 bytes");
	}
	if (!reads)
		must(drive_write_filemarks(s->drive, 1, false), "filemark");
	return since(begin);
}

static struct spent run_phase(struct side *s, bool engine, int phase, const uint8_t *data, size_t mib)
{
	if (phase >= SMALL_WRITE)
		return engine ? engine_small(s, phase == SMALL_READ, data) : scsi_small(s, phase == SMALL_READ, data);
	return engine ? engine_phase(s, phase, data, mib) : scsi_phase(s, phase, data, mib);
}

/* ---- pairs ------------------------------------------------------------------------------------------------------ */

struct pairs { struct spent spent[2][PAIRS_MAX]; unsigned count; };	/* of SCSI, of the engine */
enum { WALL, CPU };

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_size);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double time_of(const struct pairs *p, int side, unsigned i, int clock)
{
	return (double)(clock == WALL ? p->spent[side][i].wall : p->spent[side][i].cpu);
}

static double median_time(const struct pairs *p, int side)
{
	double v[PAIRS_MAX];

	for (unsigned i = 0; i < p->count; i++)
		v[i] = time_of(p, side, i, WALL);
	return median(v, p->count);
}

static double median_more(const struct pairs *p, int clock)
{
	double v[PAIRS_MAX];

	for (unsigned i = 0; i < p->count; i++)
		v[i] = 100 * (time_of(p, 0, i, clock) / time_of(p, 1, i, clock) - 1);
	return median(v, p->count);
}

static void tell(int phase, const struct pairs *p, size_t mib)
{
	const bool small = phase >= SMALL_WRITE;
	const double amount = small ? SMALL_COUNT * 1e9 : (double)(mib << 20) * 1000;

	printf("%-20s %10.0f %10.0f %-5s %+8.1f %% %+8.1f %%\n", phase_name[phase], amount / median_time(p, 1),
	       amount / median_time(p, 0), small ? "/s" : "MB/s", median_more(p, WALL), median_more(p, CPU));
}

static void make_data(uint8_t *p, size_t n, uint64_t salt)
{
	static const char words[] = "volume  drive   record  filemarkobject  positionchunk   pack    ";
	uint64_t s = 88172645463325252u + salt;

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

static int each_gone(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	char own[] = "/var/tmp/vtape-bench.XXXXXX";
	const bool keep = argc > 1 && argv[1][0];
	const char *folder = keep ? argv[1] : mkdtemp(own);
	const size_t mib = argc > 2 ? strtoul(argv[2], NULL, 10) : 192;
	const unsigned pairs = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 7;
	static struct pairs result[PHASES];
	struct side scsi = { 0 }, engine = { 0 };
	uint8_t *data = malloc(mib << 20);

	must(pairs && pairs <= PAIRS_MAX && mib << 20 >= SMALL * SMALL_COUNT ? 0 : -EINVAL, "MIB, PAIRS");
	if (argc > 4)
		memory_len = SCSI_MEMORY_MIN + (strtoul(argv[4], NULL, 10) << 20);
	must(folder && data ? 0 : -ENOMEM, "memory");
	side_open(&scsi, folder, "scsi");
	side_open(&engine, folder, "engine");
	scsi_begin(&scsi);
	settle(&scsi);
	bench_commands(&scsi);
	for (unsigned i = 0; i < pairs; i++) {
		make_data(data, mib << 20, i);
		for (int phase = 0; phase < PHASES; phase++) {
			struct pairs *p = &result[phase];

			for (unsigned which = 0; which < 2; which++) {
				/* Who comes first has the colder memory. */
				unsigned side = which ^ (i & 1);

				p->spent[side][i] = run_phase(side ? &engine : &scsi, side, phase, data, mib);
			}
			p->count = i + 1;
		}
	}
	printf("%-20s %10s %10s %-5s %10s %10s\n", "", "engine", "SCSI", "", "time", "processor");
	for (int phase = 0; phase < PHASES; phase++)
		tell(phase, &result[phase], mib);
	side_close(&scsi);
	side_close(&engine);
	if (!keep)
		nftw(own, each_gone, 16, FTW_DEPTH | FTW_PHYS);
	free(data);
	return 0;
}
