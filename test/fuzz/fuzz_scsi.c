/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of an initiator that means no good, at a drive and a changer over a library in memory.
 *
 * The first byte of the input is the drive's model, the second the changer's, the third how things are at the start
 * (START_*).  Then come steps.  A step's first byte says what it is; EVENT_* and what does not look like one are:
 *
 *   0xe0-0xff   something that happens around the units, see happen(); no more bytes
 *   else        a command: bit 0: @len counts 64 bytes each, bit 1: for the changer, bit 2: sent twice by the same
 *               name; then u16 @len (of the data or the room for it), u8 @given, the CDB (as long as its group has
 *               it), @given bytes of data, which are repeated up to @len
 *
 * Of every answer: it is one of those that there are, sense data comes with CHECK CONDITION and only then, is whole,
 * and has a key; no more data than there is room for.  The same command by the same name has the same answer.  Data lies
 * in an allocation of its own length, so that the sanitizers see a byte too many.
 */
#include <errno.h>

#include "fuzz/fuzz.h"
#include "scsi/unit.h"

#define COMMANDS_MAX 256	/* in one input, so that none is slow */
#define WRITTEN_MAX (24u << 20)	/* bytes of data in one input */
#define MEMORY_BYTES (96u << 10)
#define VOLUMES 5

enum start { START_LOADED = 1, START_WRITTEN = 2, START_SMALL = 4, START_WORM = 8, START_PROTECTED = 16,
	     START_FORGETS = 32, START_SHORT_TRANSFER = 64, START_MIXED_MEDIA = 128 };

struct rig {
	struct kv *kv;
	struct packs *packs;
	struct workers *workers;
	struct chunk_store *cs;
	struct catalog *cat;
	struct library *lib;
	uint8_t start;
	const struct scsi_model *model[2];	/* the drive's, the changer's */
	struct scsi_unit *unit[2];
	void *memory[2];
	uint64_t volume[VOLUMES], sequence;
	size_t written;
	unsigned commands;
};

/* ---- no threads: the library's own look after time and space, and cost more than all the rest of a short input ---- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	*thread = pthread_self();
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	return 0;
}

/* Nobody else will let go of the drive meanwhile. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
	return ETIMEDOUT;
}

/* ---- a library -------------------------------------------------------------------------------------------------- */

static void store_up(struct rig *g)
{
	const struct chunk_store_config cfg = { chunk_params_of(CHUNK_AVG_DEFAULT), { 1, 2, 3 }, 0 };

	fuzz_require(workers_serial_new(&g->workers) == 0);
	fuzz_require(chunk_store_open(g->kv, g->packs, g->workers, &cfg, &g->cs) == 0);
	fuzz_require(catalog_open(g->kv, &g->cat) == 0);
	fuzz_require(library_open(g->cat, g->kv, g->cs, 1, &g->lib) == 0);
}

static void store_down(struct rig *g)
{
	g->lib = library_close(g->lib);
	g->cat = catalog_close(g->cat);
	g->cs = chunk_store_close(g->cs);
	g->workers = workers_free(g->workers);
}

static void volume_as_asked(struct catalog_volume *row, void *ctx)
{
	const struct rig *g = ctx;

	row->worm = g->start & START_WORM;
	row->protect = g->start & START_PROTECTED;
	row->capacity_bytes = g->start & START_SMALL ? 200000 : 0;
}

/* Records of some lengths between marks. */
static void write_some(struct rig *g, uint64_t id)
{
	static const uint8_t bytes[20000] = "what is on the tape already";
	struct volume *v;

	fuzz_require(library_claim(g->lib, id, CLAIM_WRITE, &v) == 0);
	for (size_t n = 1; n < sizeof(bytes); n *= 9)
		fuzz_require(volume_append_record(v, 0, bytes, n) == 0);
	fuzz_require(volume_append_filemark(v, 0) == 0);
	for (int i = 0; i < 5; i++)
		fuzz_require(volume_append_record(v, 0, bytes, 512) == 0);
	fuzz_require(volume_append_filemark(v, 0) == 0 && volume_append_filemark(v, 0) == 0);
	fuzz_require(library_release(g->lib, id, CLAIM_WRITE) == 0);
}

static void library_fill(struct rig *g)
{
	static const char *const suffix[] = { "L5", "L6", "L7", "LX", "L9" };
	struct catalog_volume row;
	char name[16];

	fuzz_require(library_places_set(g->lib, 8, 2) == 0);
	for (unsigned i = 0; i < VOLUMES; i++) {
		snprintf(name, sizeof(name), "TAPE%02u%s", i, g->start & START_MIXED_MEDIA ? suffix[i] : "");
		fuzz_require(library_volume_create(g->lib, CATALOG_POOL_DEFAULT, name, NULL, false, &row) == 0);
		g->volume[i] = row.id;
	}
	if (g->start & START_WRITTEN)
		write_some(g, g->volume[0]);
	fuzz_require(library_volume_change(g->lib, g->volume[0], volume_as_asked, g) == 0);
	if (g->start & START_LOADED)
		fuzz_require(library_load(g->lib, 0, g->volume[0]) == 0);
}

/* ---- units ------------------------------------------------------------------------------------------------------ */

static void plug(struct rig *g, unsigned i)
{
	struct scsi_unit_config cfg = { .lib = g->lib, .kind = g->model[i]->kind, .store_id = "fuzzing",
					.transfer_max = g->start & START_SHORT_TRANSFER ? 65536 : 0 };

	cfg.identity.number = i ? CATALOG_UNIT_CHANGER : 0;
	snprintf(cfg.identity.model, sizeof(cfg.identity.model), "%s", g->model[i]->name);
	if (!(g->start & START_FORGETS)) {
		cfg.memory = g->memory[i];
		cfg.memory_len = MEMORY_BYTES;
	}
	fuzz_require(scsi_unit_new(&cfg, &g->unit[i]) == 0);
}

/* The @at-th of a kind, as many times around as it takes. */
static const struct scsi_model *model_of(enum scsi_kind kind, uint8_t at)
{
	size_t count, of_kind = 0;
	const struct scsi_model *m = scsi_models(&count);

	for (size_t i = 0; i < count; i++)
		of_kind += m[i].kind == kind;
	at %= of_kind;
	for (size_t i = 0;; i++)
		if (m[i].kind == kind && !at--)
			return &m[i];
}

static void rig_new(struct rig *g, const uint8_t first[3])
{
	*g = (struct rig){ .start = first[2] };
	g->model[0] = model_of(SCSI_DRIVE, first[0]);
	g->model[1] = model_of(SCSI_CHANGER, first[1]);
	fuzz_require(kv_mem_new(&g->kv) == 0 && packs_mem_new(&g->packs) == 0);
	store_up(g);
	library_fill(g);
	for (unsigned i = 0; i < 2; i++) {
		g->memory[i] = calloc(1, MEMORY_BYTES);
		fuzz_require(g->memory[i]);
		plug(g, i);
	}
}

static void rig_free(struct rig *g)
{
	for (unsigned i = 0; i < 2; i++) {
		scsi_unit_free(g->unit[i], false);
		free(g->memory[i]);
	}
	store_down(g);
	packs_close(g->packs);
	kv_close(g->kv);
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

/* The process is killed and comes again; with the memory, or without it. */
static void killed(struct rig *g, bool power)
{
	struct packs *packs;
	struct kv *kv;

	fuzz_require(kv_mem_cut(g->kv, &kv) == 0 && packs_mem_cut(g->packs, 1, &packs) == 0);
	for (unsigned i = 0; i < 2; i++)
		scsi_unit_free(g->unit[i], true);
	store_down(g);
	packs_close(g->packs);
	kv_close(g->kv);
	g->kv = kv;
	g->packs = packs;
	store_up(g);
	for (unsigned i = 0; i < 2; i++) {
		if (power)
			memset(g->memory[i], 0, MEMORY_BYTES);
		plug(g, i);
	}
}

/* A program takes the drive through the mount, if it can, and writes. */
static void program(struct rig *g)
{
	struct drive *d;

	if (library_drive_open(g->lib, 0, true, &d))
		return;
	if (drive_volume(d) && drive_write_record(d, "by hand", 7) == 0)
		drive_write_filemarks(d, 1, false);
	library_drive_close(g->lib, 0);
}

static void happen(struct rig *g, uint8_t what)
{
	switch (what) {
	case 0xe0: case 0xe1: case 0xe2: case 0xe3:
		scsi_reset(g->unit[0], (enum scsi_reset)(what & 3));
		break;
	case 0xe4: case 0xe5: case 0xe6: case 0xe7:
		scsi_reset(g->unit[1], (enum scsi_reset)(what & 3));
		break;
	case 0xe8: case 0xe9:
		if (++g->commands < COMMANDS_MAX)
			killed(g, what & 1);
		break;
	case 0xea:
		program(g);
		break;
	case 0xeb:
		library_unload(g->lib, 0);
		break;
	case 0xec: case 0xed: case 0xee: case 0xef:
		library_load(g->lib, 0, g->volume[what & 3]);
		break;
	case 0xf0: case 0xf1:
		library_export(g->lib, what & 1);
		break;
	case 0xf2: case 0xf3:
		library_import(g->lib, g->volume[3 + (what & 1)], what & 1);
		break;
	case 0xf4:
		library_places_set(g->lib, 6, 1);
		break;
	}
}

static void check_sense(const struct scsi_task *t)
{
	bool descriptors = (t->sense[0] & 0x7f) == 0x72 || (t->sense[0] & 0x7f) == 0x73;
	uint8_t key = t->sense[descriptors ? 1 : 2] & 0x0f;

	fuzz_require((t->sense[0] & 0x7f) >= 0x70 && (t->sense[0] & 0x7f) <= 0x73);
	fuzz_require(t->sense_len == 8u + t->sense[7]);
	fuzz_require(descriptors || t->sense_len >= 18);
	fuzz_require(key <= MISCOMPARE);
	fuzz_require(key != NO_SENSE || t->sense[2] & 0xe0 || descriptors);
}

static void check_answer(const struct scsi_task *t)
{
	fuzz_require(t->status == SCSI_GOOD || t->status == SCSI_CHECK_CONDITION || t->status == SCSI_BUSY ||
		     t->status == SCSI_RESERVATION_CONFLICT || t->status == SCSI_TASK_ABORTED);
	fuzz_require(t->sense_len <= SCSI_SENSE_MAX);
	fuzz_require((t->sense_len != 0) == (t->status == SCSI_CHECK_CONDITION));
	fuzz_require(t->data_in <= t->data_len);
	if (t->sense_len)
		check_sense(t);
}

static void execute(struct rig *g, unsigned unit, bool twice, struct scsi_task *t)
{
	struct scsi_task again;

	scsi_execute(g->unit[unit], ++g->sequence, t);
	check_answer(t);
	if (!twice || g->start & START_FORGETS)
		return;
	again = *t;
	memset(again.sense, 0, sizeof(again.sense));
	scsi_execute(g->unit[unit], g->sequence, &again);
	fuzz_require(again.status == t->status && again.data_in == t->data_in && again.sense_len == t->sense_len);
	fuzz_require(!memcmp(again.sense, t->sense, t->sense_len));
}

static void repeat(uint8_t *out, size_t n, const uint8_t *p, size_t given)
{
	size_t have = given < n ? given : n;

	if (!have)
		return;
	memcpy(out, p, have);
	for (size_t more; have < n; have += more) {
		more = have < n - have ? have : n - have;
		memcpy(out + have, out, more);
	}
}

/* Marks are written one by one, as an initiator wants them: up to 16 million, which takes a while. */
static void fewer_marks(struct scsi_task *t)
{
	uint8_t *count = t->cdb[0] == 0x10 ? t->cdb + 2 : t->cdb[0] == 0x80 ? t->cdb + 12 : NULL;

	if (count)
		put_be16(count, get_be16(count) & 0x0003);
}

static void command(struct rig *g, uint8_t how, struct cursor *c)
{
	size_t len = (size_t)cursor_le16(c) << (how & 1 ? 6 : 0);
	size_t given = cursor_u8(c);
	struct scsi_task t = { .cdb = { cursor_u8(c) }, .data_len = len };
	unsigned cdb_len = op_cdb_len(t.cdb[0]);
	const uint8_t *p;

	for (unsigned i = 1; i < (cdb_len ? cdb_len : 6); i++)
		t.cdb[i] = cursor_u8(c);
	fewer_marks(&t);
	if (given > cursor_left(c))
		given = cursor_left(c);
	p = cursor_bytes(c, given);
	g->written += len;
	if (c->bad || ++g->commands > COMMANDS_MAX || g->written > WRITTEN_MAX)
		return;
	t.data = malloc(len ? len : 1);
	fuzz_require(t.data);
	memset(t.data, 0, len);
	repeat(t.data, len, p, given);
	execute(g, how >> 1 & 1, how & 4, &t);
	free(t.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c;
	struct rig g;

	if (size < 4)
		return 0;
	rig_new(&g, data);
	c = cursor_of(data + 3, size - 3);
	while (cursor_left(&c) && !c.bad) {
		uint8_t how = cursor_u8(&c);

		if (how >= 0xe0)
			happen(&g, how);
		else
			command(&g, how, &c);
	}
	rig_free(&g);
	return 0;
}
