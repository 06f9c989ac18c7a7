/* SPDX-License-Identifier: BSD-2-Clause */
/* A changer: moves and exchanges, what is refused with which sense, attentions; each move once, whatever is killed. */
#include "unit/scsi/changer.h"

/* ---- where the process can be killed ---------------------------------------------------------------------------- */

/* The memory as it was before and behind the library's part of a move: steps 1 and 2 of struct smc_begun. */
static struct rig *watched;
static uint8_t behind_1[sizeof(((struct rig *)0)->memory)], behind_2[sizeof(behind_1)];
static unsigned moves;

int __real_library_move(struct library *lib, struct library_place from, struct library_place to);
int __wrap_library_move(struct library *lib, struct library_place from, struct library_place to);
int __wrap_library_move(struct library *lib, struct library_place from, struct library_place to)
{
	int r;

	if (watched)
		memcpy(behind_1, watched->memory, sizeof(behind_1));
	r = __real_library_move(lib, from, to);
	if (watched)
		memcpy(behind_2, watched->memory, sizeof(behind_2));
	moves++;
	return r;
}

int __real_library_exchange(struct library *lib, struct library_place a, struct library_place b,
			    struct library_place c);
int __wrap_library_exchange(struct library *lib, struct library_place a, struct library_place b,
			    struct library_place c);
int __wrap_library_exchange(struct library *lib, struct library_place a, struct library_place b,
			    struct library_place c)
{
	int r;

	if (watched)
		memcpy(behind_1, watched->memory, sizeof(behind_1));
	r = __real_library_exchange(lib, a, b, c);
	if (watched)
		memcpy(behind_2, watched->memory, sizeof(behind_2));
	moves++;
	return r;
}

static int watched_new(void **state)
{
	int r = changer_new(state);

	watched = *state;
	moves = 0;
	return r;
}

static int watched_free(void **state)
{
	watched = NULL;
	return rig_free(state);
}

#define ON_A_WATCHED_CHANGER(test) cmocka_unit_test_setup_teardown(test, watched_new, watched_free)

/* The process that comes after one that was killed when the memory was like that. */
static void killed_with(struct rig *g, const uint8_t *memory)
{
	scsi_unit_free(g->u, true);
	if (memory)
		memcpy(g->memory, memory, sizeof(g->memory));
	store_restart(g->store);
	rig_plug(g, SCSI_CHANGER, NULL);
	moves = 0;
}

/* With a number of its own choice, as the ring repeats a command. */
static enum scsi_status numbered(struct rig *g, uint64_t sequence, const uint8_t *cdb)
{
	g->t = (struct scsi_task){ .data = g->data };
	memcpy(g->t.cdb, cdb, 12);
	scsi_execute(g->u, sequence, &g->t);
	return g->t.status;
}

static const uint8_t load[] = { MOVE(SLOT(0), BAY(0)) };
static const uint8_t swap[] = { EXCHANGE(SLOT(1), BAY(0), SLOT(0)) };

static void a_move_that_was_cut_off_before_it_was_done_is_done_by_its_repeat(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(numbered(g, 1000000, load), SCSI_GOOD);
	assert_int_equal(__real_library_move(g->store->lib, bay(0), slot(0)), 0);
	killed_with(g, behind_1);
	assert_int_equal(numbered(g, 1000000, load), SCSI_GOOD);
	assert_int_equal(moves, 1);
	assert_string_equal(name_at(g, bay(0)), "A00001L6");
}

static void a_move_that_was_cut_off_behind_it_is_good_when_repeated(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(numbered(g, 1000000, load), SCSI_GOOD);
	killed_with(g, behind_2);
	assert_int_equal(numbered(g, 1000000, load), SCSI_GOOD);
	assert_int_equal(moves, 0);
	assert_string_equal(name_at(g, bay(0)), "A00001L6");
	/* Once: then it is a move out of an empty slot. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_SOURCE_EMPTY, 0, MOVE(SLOT(0), BAY(0)));
}

/* What it did to the port is not taken for a hand's doing. */
static void a_move_to_a_port_that_was_cut_off_behind_it_is_good_when_repeated(void **state)
{
	static const uint8_t out[] = { MOVE(SLOT(0), PORT(0)) };
	struct rig *g = rig_of(state);

	assert_int_equal(numbered(g, 1000000, out), SCSI_GOOD);
	killed_with(g, behind_2);
	assert_int_equal(numbered(g, 1000000, out), SCSI_GOOD);
	assert_int_equal(moves, 0);
	assert_string_equal(name_at(g, port(0)), "A00001L6");
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
}

static void a_move_that_was_answered_is_answered_again(void **state)
{
	struct rig *g = rig_of(state);

	assert_int_equal(numbered(g, 1000000, load), SCSI_GOOD);
	killed_with(g, NULL);
	assert_int_equal(numbered(g, 1000000, load), SCSI_GOOD);
	assert_int_equal(moves, 0);
	assert_int_equal(numbered(g, 1000001, load), SCSI_CHECK_CONDITION);
	assert_int_equal(get_be16(g->t.sense + 12), ASC_SOURCE_EMPTY);
}

static void an_exchange_is_done_once_wherever_it_was_cut_off(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, MOVE(SLOT(0), BAY(0)));
	assert_int_equal(numbered(g, 1000000, swap), SCSI_GOOD);
	assert_string_equal(name_at(g, bay(0)), "A00002L6");
	killed_with(g, behind_2);
	assert_int_equal(numbered(g, 1000000, swap), SCSI_GOOD);
	assert_int_equal(moves, 0);
	assert_string_equal(name_at(g, bay(0)), "A00002L6");
	assert_string_equal(name_at(g, slot(0)), "A00001L6");
	assert_string_equal(name_at(g, slot(1)), "");
	/* Behind step 1: as before it. */
	assert_int_equal(__real_library_exchange(g->store->lib, slot(0), bay(0), slot(1)), 0);
	assert_string_equal(name_at(g, bay(0)), "A00001L6");
	killed_with(g, behind_1);
	assert_int_equal(numbered(g, 1000000, swap), SCSI_GOOD);
	assert_int_equal(moves, 1);
	assert_string_equal(name_at(g, bay(0)), "A00002L6");
	assert_string_equal(name_at(g, slot(0)), "A00001L6");
}

static void an_exchange_of_two_that_go_where_the_other_was_is_done_once(void **state)
{
	static const uint8_t both[] = { EXCHANGE(SLOT(0), SLOT(1), SLOT(0)) };
	struct rig *g = rig_of(state);

	assert_int_equal(numbered(g, 1000000, both), SCSI_GOOD);
	assert_string_equal(name_at(g, slot(0)), "A00002L6");
	killed_with(g, behind_2);
	assert_int_equal(numbered(g, 1000000, both), SCSI_GOOD);
	assert_int_equal(moves, 0);
	assert_string_equal(name_at(g, slot(0)), "A00002L6");
	assert_string_equal(name_at(g, slot(1)), "A00001L6");
}

static void what_was_begun_is_of_no_other_command(void **state)
{
	static const uint8_t other[] = { MOVE(SLOT(0), BAY(1)) };
	struct rig *g = rig_of(state);

	assert_int_equal(numbered(g, 1000000, load), SCSI_GOOD);
	killed_with(g, behind_2);
	assert_int_equal(numbered(g, 1000001, other), SCSI_CHECK_CONDITION);
	assert_int_equal(get_be16(g->t.sense + 12), ASC_SOURCE_EMPTY);
	/* And that was all: the memory of it is gone. */
	assert_int_equal(numbered(g, 1000002, load), SCSI_CHECK_CONDITION);
	assert_int_equal(get_be16(g->t.sense + 12), ASC_SOURCE_EMPTY);
}

static void what_an_initiator_set_outlives_a_kill(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, 0x1e, 0, 0, 0, 1, 0);
	memcpy(g->data, ((uint8_t[]){ 0, 0, 0, 0, 0x20, 2, 0, 0 }), 8);
	GOOD(g, 8, 0x15, 0x10, 0, 0, 8, 0);
	killed_with(g, NULL);
	/* No attention: nothing has happened. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, 0x1b, 0, 0, 0, 0, 0);
	GOOD(g, 255, 0x1a, 0x08, 0x20, 0, 255, 0);
	assert_int_equal(g->data[6], 0);
	/* But a pending one is still pending. */
	scsi_reset(g->u, SCSI_LUN_RESET);
	killed_with(g, NULL);
	CHECKED(g, UNIT_ATTENTION, ASC_LUN_RESET, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x1b, 0, 0, 0, 0, 0);
}

/* ---- moves ------------------------------------------------------------------------------------------------------ */

static void a_tape_goes_from_everywhere_to_everywhere(void **state)
{
	static const uint16_t way[] = { SLOT(0), BAY(0), BAY(1), PORT(1), PORT(0), SLOT(7), PORT(0), BAY(0), SLOT(0),
					SLOT(5) };
	struct rig *g = rig_of(state);

	for (size_t i = 1; i < ARRAY_LEN(way); i++)
		GOOD(g, 0, MOVE(way[i - 1], way[i]));
	assert_string_equal(name_at(g, slot(5)), "A00001L6");
	assert_string_equal(name_at(g, slot(0)), "");
	/* Transport element 0 is the default one. */
	GOOD(g, 0, 0xa5, 0, 0, 0, BE16(SLOT(5)), BE16(SLOT(0)), 0, 0, 0, 0);
	/* Where it is already. */
	GOOD(g, 0, MOVE(SLOT(0), SLOT(0)));
	/* As Linux' ch, with its LUN; and mtx with eepos. */
	GOOD(g, 0, 0xa5, 0x20, BE16(TRANSPORT), BE16(SLOT(0)), BE16(PORT(0)), 0, 0, 0, 0xc0);
	assert_string_equal(name_at(g, port(0)), "A00001L6");
}

static void an_empty_source_and_a_full_destination_are_told_apart(void **state)
{
	struct rig *g = rig_of(state);

	CHECKED(g, ILLEGAL_REQUEST, ASC_SOURCE_EMPTY, 0, MOVE(SLOT(4), BAY(0)));
	assert_int_equal(get_be16(g->t.sense + 16), 4);
	CHECKED(g, ILLEGAL_REQUEST, ASC_SOURCE_EMPTY, 0, MOVE(SLOT(4), SLOT(4)));
	CHECKED(g, ILLEGAL_REQUEST, ASC_SOURCE_EMPTY, 0, MOVE(SLOT(4), SLOT(0)));
	CHECKED(g, ILLEGAL_REQUEST, ASC_DESTINATION_FULL, 0, MOVE(SLOT(1), SLOT(0)));
	assert_int_equal(get_be16(g->t.sense + 16), 6);
	GOOD(g, 0, MOVE(SLOT(0), BAY(0)));
	CHECKED(g, ILLEGAL_REQUEST, ASC_DESTINATION_FULL, 0, MOVE(SLOT(1), BAY(0)));
	assert_string_equal(name_at(g, slot(1)), "A00002L6");
	assert_string_equal(name_at(g, bay(0)), "A00001L6");
}

static void addresses_of_nothing_are_refused(void **state)
{
	static const uint16_t none[] = { 0, SLOT(8), PORT(2), BAY(2), TRANSPORT, 0x0002, 0x00ff, 0xffff };
	struct rig *g = rig_of(state);

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, MOVE(none[i], SLOT(7)));
		assert_int_equal(get_be16(g->t.sense + 16), 4);
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, MOVE(SLOT(0), none[i]));
		assert_int_equal(get_be16(g->t.sense + 16), 6);
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, EXCHANGE(none[i], SLOT(0), SLOT(7)));
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, EXCHANGE(SLOT(0), none[i], SLOT(7)));
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, EXCHANGE(SLOT(0), SLOT(1), none[i]));
		CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, 0x2b, 0, BE16(TRANSPORT), BE16(none[i]), 0, 0, 0, 0);
	}
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, 0xa5, 0, BE16(SLOT(0)), BE16(SLOT(0)), BE16(SLOT(7)), 0, 0, 0, 0);
	assert_int_equal(get_be16(g->t.sense + 16), 2);
	/* Nothing is turned over. */
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0xa5, 0, 0, 0, BE16(SLOT(0)), BE16(SLOT(7)), 0, 0, 1, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0xa6, 0, 0, 0, BE16(SLOT(0)), BE16(SLOT(1)),
		BE16(SLOT(7)), 2, 0);
	assert_string_equal(name_at(g, slot(0)), "A00001L6");
	assert_string_equal(name_at(g, slot(1)), "A00002L6");
}

static void an_exchange_moves_two(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, MOVE(SLOT(0), BAY(0)));
	/* The one in the drive goes to a third place. */
	GOOD(g, 0, EXCHANGE(SLOT(1), BAY(0), SLOT(6)));
	assert_string_equal(name_at(g, bay(0)), "A00002L6");
	assert_string_equal(name_at(g, slot(6)), "A00001L6");
	assert_string_equal(name_at(g, slot(1)), "");
	/* To where the other came from. */
	GOOD(g, 0, EXCHANGE(SLOT(6), BAY(0), SLOT(6)));
	assert_string_equal(name_at(g, bay(0)), "A00001L6");
	assert_string_equal(name_at(g, slot(6)), "A00002L6");
	/* Between drives. */
	GOOD(g, 0, MOVE(SLOT(6), BAY(1)));
	GOOD(g, 0, EXCHANGE(BAY(0), BAY(1), BAY(0)));
	assert_string_equal(name_at(g, bay(0)), "A00002L6");
	assert_string_equal(name_at(g, bay(1)), "A00001L6");
	CHECKED(g, ILLEGAL_REQUEST, ASC_SOURCE_EMPTY, 0, EXCHANGE(SLOT(0), BAY(0), SLOT(6)));
	assert_int_equal(get_be16(g->t.sense + 16), 4);
	CHECKED(g, ILLEGAL_REQUEST, ASC_SOURCE_EMPTY, 0, EXCHANGE(BAY(0), SLOT(0), SLOT(6)));
	assert_int_equal(get_be16(g->t.sense + 16), 6);
	CHECKED(g, ILLEGAL_REQUEST, ASC_DESTINATION_FULL, 0, EXCHANGE(BAY(0), BAY(1), SLOT(2)));
	assert_int_equal(get_be16(g->t.sense + 16), 8);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, EXCHANGE(BAY(0), BAY(0), SLOT(6)));
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, EXCHANGE(BAY(0), BAY(1), BAY(1)));
}

static void a_drive_that_a_program_has_keeps_its_tape(void **state)
{
	struct rig *g = rig_of(state);
	struct drive *d;

	GOOD(g, 0, MOVE(SLOT(0), BAY(0)));
	assert_int_equal(library_drive_open(g->store->lib, 0, true, &d), 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, MOVE(BAY(0), SLOT(0)));
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, EXCHANGE(SLOT(1), BAY(0), SLOT(0)));
	assert_string_equal(name_at(g, bay(0)), "A00001L6");
	assert_string_equal(name_at(g, slot(1)), "A00002L6");
	library_drive_lock(g->store->lib, 0, true);
	assert_int_equal(library_drive_close(g->store->lib, 0), 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, MOVE(BAY(0), SLOT(0)));
	library_drive_lock(g->store->lib, 0, false);
	GOOD(g, 0, MOVE(BAY(0), SLOT(0)));
}

/* ---- a drive's unit beside it ----------------------------------------------------------------------------------- */

struct pair { struct scsi_unit *changer, *drive; };

/* Drive 0 with the first volume in it, as a host has it behind three records; the changer's turn. */
static struct pair with_a_drive(struct rig *g)
{
	struct scsi_unit_config cfg = { .lib = g->store->lib, .kind = SCSI_DRIVE };
	struct catalog_unit robot = { .number = CATALOG_UNIT_CHANGER };
	struct pair p = { .changer = g->u };

	snprintf(robot.model, sizeof(robot.model), "%s", scsi_model_default(SCSI_CHANGER));
	assert_int_equal(catalog_unit_put(g->store->cat, &robot), 0);
	snprintf(cfg.identity.model, sizeof(cfg.identity.model), "%s", scsi_model_default(SCSI_DRIVE));
	assert_int_equal(scsi_unit_new(&cfg, &p.drive), 0);
	g->u = p.drive;
	rig_settle(g);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, 0, 0, 0, 0, 0, 0);
	g->u = p.changer;
	GOOD(g, 0, MOVE(SLOT(0), BAY(0)));
	g->u = p.drive;
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, 0, 0, 0, 0, 0, 0);
	for (int i = 0; i < 3; i++)
		GOOD(g, 1000, 0x0a, 0, BE24(1000), 0);
	g->u = p.changer;
	return p;
}

static void no_more_drive(struct rig *g, struct pair p)
{
	scsi_unit_free(p.drive, false);
	g->u = p.changer;
}

static uint64_t objects_of(struct rig *g, const char *name)
{
	struct catalog_volume row;

	assert_int_equal(catalog_volume_get(g->store->cat, name, &row), 0);
	return stat_of(g->store, row.id).end.objects;
}

static void a_drive_lets_go_of_its_tape_when_the_robot_comes(void **state)
{
	struct rig *g = rig_of(state);
	struct pair p = with_a_drive(g);

	GOOD(g, 0, MOVE(BAY(0), SLOT(4)));
	assert_string_equal(name_at(g, slot(4)), "A00001L6");
	assert_int_equal(objects_of(g, "A00001L6"), 3);
	g->u = p.drive;
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, 0, 0, 0, 0, 0, 0);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 1000, 0x0a, 0, BE24(1000), 0);
	/* It does not come back for a LOAD: the robot has it. */
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, 0x1b, 0, 0, 0, 1, 0);
	assert_string_equal(name_at(g, slot(4)), "A00001L6");
	/* And another one comes: at its beginning. */
	g->u = p.changer;
	GOOD(g, 0, MOVE(SLOT(1), BAY(0)));
	g->u = p.drive;
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 20, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(get_be32(g->data + 4), 0);
	no_more_drive(g, p);
}

static void an_exchange_changes_the_tape_of_a_drive_that_is_in_use(void **state)
{
	struct rig *g = rig_of(state);
	struct pair p = with_a_drive(g);

	GOOD(g, 0, EXCHANGE(SLOT(1), BAY(0), SLOT(0)));
	assert_string_equal(name_at(g, bay(0)), "A00002L6");
	assert_int_equal(objects_of(g, "A00001L6"), 3);
	g->u = p.drive;
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, 0, 0, 0, 0, 0, 0);
	no_more_drive(g, p);
}

static void a_tape_that_is_held_stays_and_nothing_of_it_is_lost(void **state)
{
	struct rig *g = rig_of(state);
	struct pair p = with_a_drive(g);

	g->u = p.drive;
	GOOD(g, 0, 0x1e, 0, 0, 0, 1, 0);
	g->u = p.changer;
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, MOVE(BAY(0), SLOT(0)));
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, EXCHANGE(SLOT(1), BAY(0), SLOT(0)));
	/* The host notices nothing: it goes on where it was. */
	g->u = p.drive;
	GOOD(g, 1000, 0x0a, 0, BE24(1000), 0);
	GOOD(g, 20, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(get_be32(g->data + 4), 4);
	GOOD(g, 0, 0x1e, 0, 0, 0, 0, 0);
	g->u = p.changer;
	GOOD(g, 0, MOVE(BAY(0), SLOT(0)));
	assert_int_equal(objects_of(g, "A00001L6"), 4);
	no_more_drive(g, p);
}

static void without_auto_unload_a_tape_is_unloaded_first(void **state)
{
	struct rig *g = rig_of(state);
	struct pair p = with_a_drive(g);

	memcpy(g->data, ((uint8_t[]){ 0, 0, 0, 0, 0x20, 2, 0, 0 }), 8);
	GOOD(g, 8, 0x15, 0x10, 0, 0, 8, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED_BY_DRIVE, 0, MOVE(BAY(0), SLOT(0)));
	g->u = p.drive;
	GOOD(g, 0, 0x01, 0, 0, 0, 0, 0);
	g->u = p.changer;
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED_BY_DRIVE, 0, MOVE(BAY(0), SLOT(0)));
	g->u = p.drive;
	GOOD(g, 0, 0x1b, 0, 0, 0, 0, 0);
	CHECKED(g, NOT_READY, ASC_NO_MEDIUM, 0, 0, 0, 0, 0, 0, 0);
	/* Once in and out again; then it waits there for the robot, in sight. */
	GOOD(g, 0, 0x1b, 0, 0, 0, 1, 0);
	CHECKED(g, UNIT_ATTENTION, ASC_MEDIUM_CHANGED, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x1b, 0, 0, 0, 0, 0);
	g->u = p.changer;
	assert_string_equal(name_at(g, bay(0)), "A00001L6");
	GOOD(g, 4096, STATUS(0x14, BAY(0), 1, 0, 4096));
	assert_int_equal(g->data[16 + 2], 0x09);
	GOOD(g, 0, MOVE(BAY(0), SLOT(0)));
	assert_int_equal(objects_of(g, "A00001L6"), 3);
	no_more_drive(g, p);
}

/* A host that writes as long as there is a tape, and rewinds now and then; how many commands ended how. */
struct host { struct scsi_unit *drive; bool end; unsigned good, other; };

static void *write_and_write(void *ctx)
{
	static const uint8_t cdbs[4][6] = { { 0x0a, 0, BE24(1000) }, { 0x0a, 0, BE24(1000) }, { 0x10, 0, 0, 0, 1 }, { 0x01 } };
	struct host *h = ctx;
	uint8_t data[1000] = { 1 };

	for (unsigned i = 0; !__atomic_load_n(&h->end, __ATOMIC_RELAXED); i++) {
		struct scsi_task t = { .data = data, .data_len = sizeof(data) };

		memcpy(t.cdb, cdbs[i % 4], 6);
		scsi_execute(h->drive, i + 1, &t);
		__atomic_add_fetch(t.status == SCSI_GOOD ? &h->good : &h->other, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Nobody waits for the other for ever; what is refused is refused for a reason. */
static void a_robot_and_a_host_at_one_drive_at_once(void **state)
{
	struct rig *g = rig_of(state);
	struct pair p = with_a_drive(g);
	struct host h = { .drive = p.drive };
	unsigned moved = 0;
	pthread_t host;

	assert_int_equal(pthread_create(&host, NULL, write_and_write, &h), 0);
	while (moved < 100 || __atomic_load_n(&h.good, __ATOMIC_RELAXED) < 20 ||
	       __atomic_load_n(&h.other, __ATOMIC_RELAXED) < 20) {
		bool in = name_at(g, bay(0))[0];
		enum scsi_status r = in ? CMD(g, 0, MOVE(BAY(0), SLOT(0))) : CMD(g, 0, MOVE(SLOT(0), BAY(0)));

		if (r == SCSI_GOOD) {
			moved++;
			continue;
		}
		assert_int_equal(r, SCSI_CHECK_CONDITION);
		assert_int_equal(get_be16(g->t.sense + 12), ASC_REMOVAL_PREVENTED);
	}
	__atomic_store_n(&h.end, true, __ATOMIC_RELAXED);
	pthread_join(host, NULL);
	no_more_drive(g, p);
}

static void a_move_is_on_disk_when_it_is_answered(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, MOVE(SLOT(0), BAY(1)));
	GOOD(g, 0, MOVE(SLOT(1), PORT(1)));
	rig_kill(g, SCSI_CHANGER, NULL);
	assert_string_equal(name_at(g, bay(1)), "A00001L6");
	assert_string_equal(name_at(g, port(1)), "A00002L6");
	assert_string_equal(name_at(g, slot(0)), "");
	assert_string_equal(name_at(g, slot(1)), "");
}

/* ---- ports, attentions, the rest -------------------------------------------------------------------------------- */

static void an_operator_s_hand_in_a_port_is_an_attention(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, MOVE(SLOT(0), PORT(0)));
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(library_export(g->store->lib, 0), 0);
	GOOD(g, 96, 0x12, 0, 0, 0, 96, 0);
	CHECKED(g, UNIT_ATTENTION, ASC_PORT_ACCESSED, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	/* What a person does with a drive is not: the drive tells it. */
	assert_int_equal(library_load(g->store->lib, 0, 2), 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	assert_string_equal(name_at(g, bay(0)), "A00002L6");
}

static void what_a_hand_did_before_a_kill_or_behind_it_is_told(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, MOVE(SLOT(0), PORT(0)));
	rig_kill(g, SCSI_CHANGER, NULL);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(library_export(g->store->lib, 0), 0);
	rig_kill(g, SCSI_CHANGER, NULL);
	CHECKED(g, UNIT_ATTENTION, ASC_PORT_ACCESSED, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	rig_kill(g, SCSI_CHANGER, NULL);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
	/* While nobody served it. */
	g->u = scsi_unit_free(g->u, true);
	assert_int_equal(library_import(g->store->lib, 1, 1), 0);
	rig_plug(g, SCSI_CHANGER, NULL);
	CHECKED(g, UNIT_ATTENTION, ASC_PORT_ACCESSED, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, MOVE(PORT(1), PORT(0)));
	rig_kill(g, SCSI_CHANGER, NULL);
	GOOD(g, 0, MOVE(PORT(0), SLOT(0)));
}

static void one_that_had_no_command_before_a_kill_was_switched_on_all_the_same(void **state)
{
	struct rig *g = rig_of(state);

	g->u = scsi_unit_free(g->u, false);
	rig_plug(g, SCSI_CHANGER, NULL);
	rig_kill(g, SCSI_CHANGER, NULL);
	CHECKED(g, UNIT_ATTENTION, ASC_POWER_ON, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0, 0, 0, 0, 0, 0);
}

static void ports_are_held_shut_on_demand(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, 0x1b, 0, BE16(PORT(0)), 0, 0);
	GOOD(g, 0, 0x1e, 0, 0, 0, 1, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, 0x1b, 0, BE16(PORT(0)), 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED, 0, 0x1b, 0, 0, 0, 2, 0);
	GOOD(g, 0, 0x1b, 0, BE16(PORT(0)), 1, 0);
	/* The robot may still put something there. */
	GOOD(g, 0, MOVE(SLOT(0), PORT(0)));
	/* An operator may not take it, and not after a kill either. */
	assert_int_equal(library_export(g->store->lib, 0), -EBUSY);
	rig_kill(g, SCSI_CHANGER, NULL);
	assert_int_equal(library_export(g->store->lib, 0), -EBUSY);
	GOOD(g, 0, 0x1e, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x1b, 0, 0, 0, 2, 0);
	assert_int_equal(library_export(g->store->lib, 0), 0);
	rig_settle(g);
	GOOD(g, 0, 0x1e, 0, 0, 0, 1, 0);
	assert_int_equal(library_import(g->store->lib, 1, 0), -EBUSY);
	scsi_reset(g->u, SCSI_LUN_RESET);
	assert_int_equal(library_import(g->store->lib, 1, 0), 0);
	rig_settle(g);
	/* A library whose changer is switched off has nobody who could let go. */
	GOOD(g, 0, 0x1e, 0, 0, 0, 1, 0);
	g->u = scsi_unit_free(g->u, false);
	assert_int_equal(library_export(g->store->lib, 0), 0);
	rig_plug(g, SCSI_CHANGER, NULL);
	rig_settle(g);
	GOOD(g, 0, 0x1b, 0, BE16(PORT(0)), 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, 0x1b, 0, BE16(SLOT(0)), 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, 0x1b, 0, BE16(PORT(2)), 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0x1b, 0, BE16(PORT(0)), 4, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0x1e, 0, 0, 0, 4, 0);
}

static void what_needs_no_motion_is_good(void **state)
{
	struct rig *g = rig_of(state);

	GOOD(g, 0, 0x07, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x07, 0x20, 0, 0, 0, 0);
	GOOD(g, 0, 0x37, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	GOOD(g, 0, 0x37, 1, BE16(SLOT(3)), 0, 0, 0, 2, 0, 0);
	GOOD(g, 0, 0xe7, 1, BE16(BAY(0)), 0, 0, 0, 1, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_ELEMENT, 0, 0x37, 1, BE16(SLOT(8)), 0, 0, 0, 2, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0xe7, 4, BE16(BAY(0)), 0, 0, 0, 1, 0, 0);
	GOOD(g, 0, 0x2b, 0, BE16(TRANSPORT), BE16(SLOT(7)), 0, 0, 0, 0);
	GOOD(g, 0, 0x2b, 0, 0, 0, BE16(BAY(1)), 0, 0, 0, 0);
	CHECKED(g, ILLEGAL_REQUEST, ASC_INVALID_CDB_FIELD, 0, 0x2b, 0, 0, 0, BE16(BAY(1)), 0, 0, 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_WATCHED_CHANGER(a_move_that_was_cut_off_before_it_was_done_is_done_by_its_repeat),
		ON_A_WATCHED_CHANGER(a_move_that_was_cut_off_behind_it_is_good_when_repeated),
		ON_A_WATCHED_CHANGER(a_move_to_a_port_that_was_cut_off_behind_it_is_good_when_repeated),
		ON_A_WATCHED_CHANGER(a_move_that_was_answered_is_answered_again),
		ON_A_WATCHED_CHANGER(an_exchange_is_done_once_wherever_it_was_cut_off),
		ON_A_WATCHED_CHANGER(an_exchange_of_two_that_go_where_the_other_was_is_done_once),
		ON_A_WATCHED_CHANGER(what_was_begun_is_of_no_other_command),
		ON_A_WATCHED_CHANGER(what_an_initiator_set_outlives_a_kill),
		ON_A_CHANGER(a_tape_goes_from_everywhere_to_everywhere),
		ON_A_CHANGER(an_empty_source_and_a_full_destination_are_told_apart),
		ON_A_CHANGER(addresses_of_nothing_are_refused),
		ON_A_CHANGER(an_exchange_moves_two),
		ON_A_CHANGER(a_drive_that_a_program_has_keeps_its_tape),
		ON_A_CHANGER(a_drive_lets_go_of_its_tape_when_the_robot_comes),
		ON_A_CHANGER(an_exchange_changes_the_tape_of_a_drive_that_is_in_use),
		ON_A_CHANGER(a_tape_that_is_held_stays_and_nothing_of_it_is_lost),
		ON_A_CHANGER(without_auto_unload_a_tape_is_unloaded_first),
		ON_A_CHANGER(a_robot_and_a_host_at_one_drive_at_once),
		ON_A_CHANGER(a_move_is_on_disk_when_it_is_answered),
		ON_A_CHANGER(an_operator_s_hand_in_a_port_is_an_attention),
		ON_A_CHANGER(what_a_hand_did_before_a_kill_or_behind_it_is_told),
		ON_A_CHANGER(one_that_had_no_command_before_a_kill_was_switched_on_all_the_same),
		ON_A_CHANGER(ports_are_held_shut_on_demand),
		ON_A_CHANGER(what_needs_no_motion_is_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
