/* SPDX-License-Identifier: BSD-2-Clause */
/* The first door: the engine itself, over a store in memory. */
#include "conform/conform.h"

#include <vtape/tape.h>

struct engine {
	struct kv *kv;
	struct packs *packs;
	struct workers *workers;
	struct chunk_store *cs;
	struct shelf *shelf;
	struct volume_attr attr;
	struct volume *vol;
	struct drive *drive;
};

/* Conditions of the engine are conditions of the table. */
static enum condition condition_of(int r)
{
	static const enum condition of[] = {
		[0] = COND_OK, [TAPE_E_FILEMARK] = COND_MARK, [TAPE_E_EOD] = COND_EOD, [TAPE_E_BOP] = COND_BOP,
		[TAPE_E_EARLY_WARNING] = COND_EARLY, [TAPE_E_FULL] = COND_FULL, [TAPE_E_LENGTH] = COND_LONG,
		[TAPE_E_PROTECTED] = COND_PROT, [TAPE_E_NO_MEDIUM] = COND_FAILED,
	};

	return r < 0 ? COND_FAILED : of[r];
}

static int unload(struct engine *e)
{
	int r = drive_unload(e->drive), closed;

	e->vol = volume_close(e->vol, &closed);
	return r ? r : closed;
}

static int load(struct engine *e)
{
	int r = volume_open(e->shelf, &e->attr, &e->vol);

	return r ? r : drive_load(e->drive, e->vol);
}

static int engine_blank(void *ctx, uint64_t capacity, bool worm)
{
	struct engine *e = ctx;
	CLEANUP(kv_batch_freep) struct kv_batch *b = NULL;
	int r = unload(e);

	e->attr.id++;
	e->attr.capacity_bytes = capacity;
	e->attr.worm = worm;
	e->attr.protect = false;
	e->attr.locked_until_ns = 0;
	r = r ? r : kv_batch_new(&b);
	r = r ? r : volume_create(b, e->attr.id);
	r = r ? r : kv_write(e->kv, b, true);
	return r ? r : load(e);
}

static enum condition engine_write(void *ctx, const void *p, size_t n)
{
	return condition_of(drive_write_record(((struct engine *)ctx)->drive, p, n));
}

static enum condition engine_marks(void *ctx, unsigned n)
{
	return condition_of(drive_write_filemarks(((struct engine *)ctx)->drive, n, false));
}

static enum condition engine_read(void *ctx, void *buf, size_t cap, size_t *len)
{
	return condition_of(drive_read_record(((struct engine *)ctx)->drive, buf, cap, len));
}

static enum condition engine_move(void *ctx, enum conform_move what, int64_t n)
{
	struct drive *d = ((struct engine *)ctx)->drive;
	int64_t done;

	switch (what) {
	case MOVE_RECORDS:
		return condition_of(drive_space_records(d, n, &done));
	case MOVE_MARKS:
		return condition_of(drive_space_filemarks(d, n, &done));
	case MOVE_REWIND:
		return condition_of(drive_rewind(d));
	case MOVE_EOD:
		return condition_of(drive_space_eod(d));
	case MOVE_LOCATE:
		return condition_of(drive_locate(d, 0, (uint64_t)n));
	}
	return COND_FAILED;
}

static enum condition engine_erase(void *ctx)
{
	return condition_of(drive_erase(((struct engine *)ctx)->drive));
}

static enum condition engine_reload(void *ctx)
{
	int r = unload(ctx);

	return condition_of(r ? r : load(ctx));
}

static enum condition engine_protect(void *ctx)
{
	struct engine *e = ctx;

	e->attr.protect = true;
	volume_set_attr(e->vol, &e->attr);
	return COND_OK;
}

static enum condition engine_lock(void *ctx)
{
	struct engine *e = ctx;

	e->attr.locked_until_ns = clock_retention_ns() + 3600 * 1000000000ull;
	volume_set_attr(e->vol, &e->attr);
	return COND_OK;
}

static int engine_tell(void *ctx, struct conform_pos *out)
{
	struct tape_pos pos;
	int r = drive_position(((struct engine *)ctx)->drive, &pos);

	*out = (struct conform_pos){ (int64_t)pos.file, (int64_t)pos.block };
	return r;
}

static const struct conform_door engine = {
	.name = "engine", .record_max = TAPE_RECORD_MAX,
	.blank = engine_blank, .write = engine_write, .marks = engine_marks, .read = engine_read, .move = engine_move,
	.erase = engine_erase, .reload = engine_reload, .protect = engine_protect,
	.lock = engine_lock, .tell = engine_tell,
};

int main(int argc, char **argv)
{
	const struct chunk_store_config cfg = { .params = chunk_params_of(8 << 10) };
	struct engine e = { .attr = { .barcode = "conform", .store = { .codec = CHUNK_LZ4 } } };
	unsigned failed;

	if (kv_mem_new(&e.kv) || packs_mem_new(&e.packs) || workers_serial_new(&e.workers) ||
	    chunk_store_open(e.kv, e.packs, e.workers, &cfg, &e.cs) || shelf_new(e.kv, e.cs, &e.shelf) ||
	    drive_new(&e.drive))
		return 2;
	failed = conform_run(&engine, &e, argc > 1 ? argv[1] : NULL);
	unload(&e);
	drive_free(e.drive);
	shelf_free(e.shelf);
	chunk_store_close(e.cs);
	workers_free(e.workers);
	packs_close(e.packs);
	kv_close(e.kv);
	return failed != 0;
}
