/* SPDX-License-Identifier: BSD-2-Clause */
/* rig: a unit over a library in memory, and commands as bytes. */
#ifndef TEST_SCSI_RIG_H
#define TEST_SCSI_RIG_H

#include "scsi/unit.h"
#include "unit/library/store.h"

#define RIG_DATA (SCSI_TRANSFER_MAX + 16)
struct rig {
	struct store *store;
	struct scsi_unit *u;
	struct scsi_task t;		/* the last command */
	bool tells_resets;		/* the next unit's transport does */
	uint8_t *data;			/* RIG_DATA bytes, the initiator's buffer */
	uint8_t memory[1 << 20];	/* outlives the unit */
};

static inline void rig_plug(struct rig *g, enum scsi_kind kind, const char *model)
{
	struct scsi_unit_config cfg = { .lib = g->store->lib, .kind = kind, .store_id = { 1, 2, 3, 4, 5, 6, 7, 8 },
					.memory = g->memory, .memory_len = sizeof(g->memory),
					.tells_resets = g->tells_resets };

	cfg.identity.number = kind == SCSI_DRIVE ? 0 : CATALOG_UNIT_CHANGER;
	snprintf(cfg.identity.model, sizeof(cfg.identity.model), "%s", model ? model : scsi_model_default(kind));
	assert_int_equal(scsi_unit_new(&cfg, &g->u), 0);
}

static inline struct rig *rig_of(void **state) { return *state; }

static inline int rig_new(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	void *store;

	assert_non_null(g);
	assert_int_equal(store_new(&store), 0);
	g->store = store;
	g->data = calloc(1, RIG_DATA);
	assert_non_null(g->data);
	*state = g;
	return 0;
}

static inline int rig_free(void **state)
{
	struct rig *g = *state;
	void *store = g->store;

	g->u = scsi_unit_free(g->u, false);
	store_free(&store);
	free(g->data);
	free(g);
	return 0;
}

/* What a kill at this moment leaves: what was committed, and the memory. */
struct rig_cut {
	struct twins disk;
	uint8_t memory[1 << 20];
};

static inline void rig_cut(struct rig *g, struct rig_cut *c)
{
	c->disk = twins_cut(g->store->kv, g->store->packs, 1);
	memcpy(c->memory, g->memory, sizeof(c->memory));
}

/* What was done since does not count; a new unit over what was left. */
static inline void rig_revive(struct rig *g, struct rig_cut *c, enum scsi_kind kind, const char *model)
{
	g->u = scsi_unit_free(g->u, true);
	store_down(g->store);
	twins_replace(&g->store->kv, &g->store->packs, c->disk);
	store_up(g->store);
	memcpy(g->memory, c->memory, sizeof(c->memory));
	rig_plug(g, kind, model);
}

/* The process is killed: what was not committed is lost, the memory is not; and comes again. */
static inline void rig_kill(struct rig *g, enum scsi_kind kind, const char *model)
{
	static struct rig_cut c;

	rig_cut(g, &c);
	rig_revive(g, &c, kind, model);
}

/* A volume of pool "default", in no drive. */
static inline uint64_t rig_volume(struct rig *g, const char *name)
{
	struct catalog_volume v;

	assert_int_equal(library_volume_create(g->store->lib, CATALOG_POOL_DEFAULT, name, NULL, false, &v), 0);
	return v.id;
}

/* One command with @n bytes of data or of room in g->data; its status. */
static inline enum scsi_status rig_run(struct rig *g, const uint8_t *cdb, size_t cdb_len, size_t n)
{
	static uint64_t sequence;

	g->t = (struct scsi_task){ .data = g->data, .data_len = n };
	memcpy(g->t.cdb, cdb, cdb_len);
	scsi_execute(g->u, ++sequence, &g->t);
	return g->t.status;
}
#define CMD(g, n, ...) \
	rig_run(g, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), n)
#define GOOD(g, n, ...) assert_int_equal(CMD(g, n, __VA_ARGS__), SCSI_GOOD)
/* CHECK CONDITION with that key and code. */
#define CHECKED(g, want_key, want_code, n, ...) \
	do { \
		assert_int_equal(CMD(g, n, __VA_ARGS__), SCSI_CHECK_CONDITION); \
		assert_int_equal((g)->t.sense[2] & 0x0f, want_key); \
		assert_int_equal(get_be16((g)->t.sense + 12), want_code); \
	} while (0)

/* Commands until nothing is pending. */
static inline void rig_settle(struct rig *g)
{
	while (CMD(g, 0, 0, 0, 0, 0, 0, 0) == SCSI_CHECK_CONDITION && (g->t.sense[2] & 0x0f) == UNIT_ATTENTION)
		;
}

/* A drive like @model with the blank volume A00001L7 in it, and nothing pending. */
static inline struct rig *rig_loaded(void **state, const char *model)
{
	struct rig *g;

	rig_new(state);
	g = rig_of(state);
	rig_plug(g, SCSI_DRIVE, model);
	assert_int_equal(library_load(g->store->lib, 0, rig_volume(g, "A00001L7")), 0);
	rig_settle(g);
	return g;
}

/* Any CDB of one of @codes with any list, but for what @shape makes likely: an answer within bounds.  What is behind
 * the room stays as it is. */
static inline void rig_whatever_comes(struct rig *g, const uint8_t *codes, size_t count,
				      void (*shape)(uint8_t cdb[16], uint8_t *data))
{
	uint64_t noise = 4711;

	for (unsigned i = 0; i < 20000; i++) {
		uint8_t cdb[16];
		size_t room;

		chance_bytes(&noise, cdb, sizeof(cdb));
		chance_bytes(&noise, g->data, 512);
		room = cdb[15] & 1 ? cdb[14] : 256u + cdb[14];
		cdb[0] = codes[cdb[0] % count];
		shape(cdb, g->data);
		memset(g->data + room, 0xee, 16);
		rig_run(g, cdb, op_cdb_len(cdb[0]), room);
		assert_true(g->t.data_in <= room);
		for (unsigned k = 0; k < 16; k++)
			assert_int_equal(g->data[room + k], 0xee);
		assert_true(g->t.status == SCSI_GOOD || g->t.status == SCSI_CHECK_CONDITION);
	}
	rig_settle(g);
}

#endif
