/* SPDX-License-Identifier: BSD-2-Clause */
/* What random tests of tape/ share; prop.h tells of it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/chance.h"
#include "prop/prop.h"
#include "tape/volume_format.h"

#define VIEW 90u	/* no volume of a test */

uint64_t prop_step;
const char *prop_doing = "start";
struct kv *kv;
struct packs *packs;
struct chunk_store *cs;
struct shelf *shelf;

static struct workers *workers;
static uint64_t seed, state;

uint64_t prop_begin(int argc, char **argv, uint64_t steps)
{
	log_set_level(LOG_LEVEL_ERROR);
	seed = state = chance_seed(argc > 1 ? argv[1] : NULL);
	return argc > 2 ? strtoull(argv[2], NULL, 0) : steps;
}

uint64_t rnd(void)
{
	return chance_next(&state);
}

uint64_t below(uint64_t n)
{
	return chance_below(&state, n);
}

void prop_check(bool ok, const char *what, const char *file, int line)
{
	if (ok)
		return;
	printf("seed %" PRIu64 " step %" PRIu64 " (%s) %s line %d: %s; last words: %s\n", seed, prop_step, prop_doing,
	       file, line, what, err_text(-EIO));
	fflush(stdout);
	abort();
}

void prop_run_one(const struct prop_op *ops, size_t count)
{
	uint64_t all = 0, pick;

	for (size_t i = 0; i < count; i++)
		all += ops[i].weight;
	pick = below(all);
	while (pick >= ops->weight)
		pick -= ops++->weight;
	prop_doing = ops->name;
	ops->run();
}

/* ---- a store ----------------------------------------------------------------------------------------------------- */

void store_new(void)
{
	CHECK(kv_mem_new(&kv) == 0 && packs_mem_new(&packs) == 0);
	store_up();
}

void store_free(void)
{
	store_down();
	packs = packs_close(packs);
	kv = kv_close(kv);
}

/* Nothing is injured here, and what a power cut tore nobody was promised: a damaged chunk is a false one. */
static int found_bad(void *ctx, struct pack_ref ref, bool healed)
{
	printf("chunk %" PRIu32 " of pack %" PRIx64 " is called damaged%s\n", ref.slot, ref.pack,
	       healed ? ", healed" : "");
	return 1;
}

static void told_damage(void *ctx, struct pack_ref ref, const struct digest *d)
{
	CHECK(found_bad(ctx, ref, false) == 0);
}

void store_up(void)
{
	const struct chunk_store_config cfg = { .params = chunk_params_of(8 << 10), .key = { 1 } };

	CHECK(workers_serial_new(&workers) == 0);
	CHECK(chunk_store_open(kv, packs, workers, &cfg, &cs) == 0);
	CHECK(chunk_store_each_bad(cs, found_bad, NULL) == 0);
	chunk_store_on_damage(cs, told_damage, NULL);
	CHECK(shelf_new(kv, cs, &shelf) == 0);
}

void store_down(void)
{
	shelf = shelf_free(shelf);
	cs = chunk_store_close(cs);
	workers = workers_free(workers);
}

void store_cut(void (*let_go)(void))
{
	struct packs *packs_left;
	struct kv *kv_left;

	CHECK(kv_mem_cut(kv, &kv_left) == 0);
	CHECK(packs_mem_cut(packs, below(2) ? rnd() | 1 : 0, &packs_left) == 0);
	let_go();
	store_down();
	kv_close(kv);
	packs_close(packs);
	kv = kv_left;
	packs = packs_left;
	store_up();
}

void store_no_faults(void)
{
	kv_mem_plan_fault(kv, 0, -EIO);
	packs_mem_plan_fault(packs, 0, -EIO);
	packs_mem_plan_sync_fault(packs, 0, -EIO);
}

struct kv_batch *batch_new(void)
{
	struct kv_batch *b;

	CHECK(kv_batch_new(&b) == 0);
	return b;
}

void batch_write(struct kv_batch *b)
{
	CHECK(kv_write(kv, b, true) == 0);
	kv_batch_free(b);
}

static void found_fault(void *ctx, uint64_t volume, const char *what, bool repaired)
{
	printf("volume %" PRIu64 ": %s%s\n", volume, what, repaired ? " (repaired)" : "");
}

void check_rows(struct tape_checked *done)
{
	const struct tape_check_config cfg = { .found = found_fault };

	CHECK(tape_check(shelf, &cfg, done) == 0);
	CHECK(done->faults == 0);
}

/* ---- volumes ----------------------------------------------------------------------------------------------------- */

const uint8_t *obj_bytes(struct obj o)
{
	static uint8_t bytes[OBJ_MAX];

	CHECK(o.len <= OBJ_MAX);
	chance_fill(bytes, o.len, o.seed);
	return bytes;
}

void new_volume(uint64_t id)
{
	struct kv_batch *b = batch_new();

	CHECK(volume_create(b, id) == 0);
	batch_write(b);
}

struct volume *open_volume(uint64_t id)
{
	struct volume_attr attr = { .id = id, .store = { .codec = CHUNK_LZ4 } };
	struct volume *v;

	snprintf(attr.barcode, sizeof(attr.barcode), "P%05" PRIu64, id);
	CHECK(volume_open(shelf, &attr, &v) == 0);
	return v;
}

uint64_t generation_of(struct volume *v)
{
	struct volume_stat st;

	volume_stat(v, &st);
	return st.generation;
}

uint64_t objects_of(struct volume *v, uint32_t p)
{
	struct tape_tally end;

	CHECK(volume_end(v, p, &end) == 0);
	return end.objects;
}

void check_record(struct volume_reader *r, uint64_t at, struct obj o)
{
	static uint8_t got[OBJ_MAX];

	CHECK(volume_reader_read(r, at, got, o.len) == 0);
	CHECK(!memcmp(obj_bytes(o), got, o.len));
}

void check_objects(struct volume *v, uint32_t p, const struct obj *o, uint64_t n)
{
	struct volume_reader *r;
	struct tape_tally end;
	struct tape_object is;
	uint64_t at = 0;

	CHECK(volume_end(v, p, &end) == 0 && end.objects == n);
	CHECK(volume_reader_new(v, p, &r) == 0);
	for (uint64_t i = 0; i < n; at += o[i++].len) {
		CHECK(volume_object(v, p, i, &is) == 0);
		CHECK(is.mark == (o[i].len == 0) && is.len == o[i].len && is.run >= 1);
		check_record(r, at, o[i]);
	}
	CHECK(at == end.bytes);
	volume_reader_free(r);
}

struct volume *view_open(uint64_t id, uint64_t generation)
{
	struct map_key from = key_head(id, generation), to = key_head(VIEW, generation);
	struct kv_batch *b = batch_new();
	struct buf head = BUF_INIT;

	CHECK(kv_get(kv, KV_MAP, from.b, from.len, &head) == 0);
	CHECK(kv_batch_put(b, KV_MAP, to.b, to.len, head.data, head.len) == 0);
	CHECK(kv_write(kv, b, false) == 0);	/* makes nothing durable that was not */
	kv_batch_free(b);
	buf_fini(&head);
	return open_volume(VIEW);
}

void view_close(struct volume *v, uint64_t generation)
{
	struct map_key head = key_head(VIEW, generation);
	struct kv_batch *b = batch_new();

	volume_close(v, NULL);
	CHECK(kv_batch_delete(b, KV_MAP, head.b, head.len) == 0);
	CHECK(kv_write(kv, b, false) == 0);
	kv_batch_free(b);
}
