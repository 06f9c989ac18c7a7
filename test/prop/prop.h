/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the random tests of tape/ share: chance from a seed, a word when something is not so, operations chosen by
 * weight, and one store in memory with its volumes, whose power can fail.  prop_NAME [SEED [STEPS]]
 */
#ifndef TEST_PROP_H
#define TEST_PROP_H

#include <vtape/tape.h>

/* ---- chance and failure ------------------------------------------------------------------------------------------ */

extern uint64_t prop_step;		/* counts steps; a test may count more of them */
extern const char *prop_doing;		/* for whoever reads of a failure */

/* Takes the seed and the number of steps from the command line; without them, the clock and @steps. */
uint64_t prop_begin(int argc, char **argv, uint64_t steps);

uint64_t rnd(void);
uint64_t below(uint64_t n);		/* 0..@n-1 */

/* True or the end, told with seed and step. */
#define CHECK(c) prop_check((c), #c, __FILE__, __LINE__)
void prop_check(bool ok, const char *what, const char *file, int line);

struct prop_op { unsigned weight; const char *name; void (*run)(void); };
void prop_run_one(const struct prop_op *ops, size_t count);

/* ---- a store ----------------------------------------------------------------------------------------------------- */

extern struct kv *kv;
extern struct packs *packs;
extern struct chunk_store *cs;
extern struct shelf *shelf;

void store_new(void);
void store_free(void);
/* Up: nothing is known to be damaged, and nothing may be found to be from then on. */
void store_up(void);
void store_down(void);
/* The power fails now; then @let_go lets go of all that is open, and it is switched on again. */
void store_cut(void (*let_go)(void));
void store_no_faults(void);

/* A batch for the database, written and freed, synced. */
struct kv_batch *batch_new(void);
void batch_write(struct kv_batch *b);

void check_rows(struct tape_checked *done);	/* heads, pages, use rows and packs tell one story */

/* ---- volumes ----------------------------------------------------------------------------------------------------- */

struct obj { uint32_t len; uint64_t seed; };	/* len 0: filemark; the seed makes the bytes */
#define OBJ_MAX (3u << 20)
const uint8_t *obj_bytes(struct obj o);		/* until the next call */

void new_volume(uint64_t id);
struct volume *open_volume(uint64_t id);
uint64_t generation_of(struct volume *v);
uint64_t objects_of(struct volume *v, uint32_t p);

/* The next record of @r, or the one at @at, is that. */
void check_record(struct volume_reader *r, uint64_t at, struct obj o);
/* The objects of a partition, all of them. */
void check_objects(struct volume *v, uint32_t p, const struct obj *o, uint64_t n);

/* An old generation, looked at through a copy of its head under another name. */
struct volume *view_open(uint64_t id, uint64_t generation);
void view_close(struct volume *v, uint64_t generation);

#endif
