/* SPDX-License-Identifier: BSD-2-Clause */
/* Which volume is in which slot, port or drive: each rule by itself.  test_place_model.c has them all at once. */
#include "places.h"

#include "library/holding.h"

static uint64_t a, b, c, x, y, incoming;

/* Three tapes, A1 B1 C1, in slots 0 to 2 of 4; a port. */
static int filled_new(void **state)
{
	store_new(state);
	struct store *s = *state;

	a = make(s, "A1");
	c = make(s, "C1");
	b = make(s, "B1");
	assert_int_equal(library_places_set(s->lib, 4, 1), 0);
	return 0;
}

#define FILLED(test) cmocka_unit_test_setup_teardown(test, filled_new, store_free)

static void a_store_without_slots_has_every_tape_outside(void **state)
{
	struct store *s = *state;
	struct library_element e;
	uint32_t slots = 7, ports = 7;
	uint64_t id = make(s, "A1");

	library_places(s->lib, &slots, &ports);
	assert_int_equal(slots, 0);
	assert_int_equal(ports, 0);
	assert_in(s, id, OUTSIDE);
	assert_refused(library_element(s->lib, SLOT(0), &e), -EINVAL, "no slot 0");
	assert_int_equal(library_load(s->lib, 0, id), 0);
	assert_in(s, id, DRIVE(0));
	assert_false(element(s, DRIVE(0)).has_source);
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_in(s, id, OUTSIDE);
	assert_refused(library_where(s->lib, 4711, &e.source), -ENOENT, "4711");
}

static void tapes_get_slots_in_the_order_of_their_names(void **state)
{
	struct store *s = *state;

	assert_in(s, a, SLOT(0));
	assert_in(s, b, SLOT(1));
	assert_in(s, c, SLOT(2));
	assert_string_equal(element(s, SLOT(1)).name, "B1");
	assert_empty(s, SLOT(3));
	/* A new one at once; those for whom there is none left wait. */
	uint64_t d = make(s, "D1"), e = make(s, "E1");

	assert_in(s, d, SLOT(3));
	assert_in(s, e, OUTSIDE);
	store_restart(s);
	assert_in(s, b, SLOT(1));
	assert_in(s, d, SLOT(3));
	assert_in(s, e, OUTSIDE);
	assert_int_equal(library_volume_delete(s->lib, b), 0);
	assert_empty(s, SLOT(1));
	store_restart(s);
	assert_in(s, e, SLOT(1));
	/* And when there are more. */
	uint64_t f = make(s, "F1");

	assert_in(s, f, OUTSIDE);
	assert_int_equal(library_places_set(s->lib, 100, 1), 0);
	assert_in(s, f, SLOT(4));
	store_cut(s);
	assert_in(s, f, SLOT(4));
}

static void pools_come_in_the_order_of_their_names(void **state)
{
	struct store *s = *state;
	struct catalog_volume v;

	assert_int_equal(library_pool_create(s->lib, "archive", NULL, NULL), 0);
	uint64_t late = make(s, "A1");

	assert_int_equal(library_volume_create(s->lib, "archive", "Z1", NULL, false, &v), 0);
	assert_int_equal(library_places_set(s->lib, 2, 0), 0);
	assert_in(s, v.id, SLOT(0));
	assert_in(s, late, SLOT(1));
}

static void an_image_gets_its_slot_when_it_is_a_tape(void **state)
{
	struct store *s = *state;
	struct catalog_volume in, over;

	assert_int_equal(library_volume_create(s->lib, "default", ".x~", NULL, true, &in), 0);
	assert_in(s, in.id, OUTSIDE);
	store_restart(s);
	assert_in(s, in.id, OUTSIDE);
	assert_int_equal(library_places_set(s->lib, 5, 1), 0);
	assert_in(s, in.id, OUTSIDE);
	assert_refused(library_import(s->lib, in.id, 0), -EBUSY, "still being written");
	assert_int_equal(library_volume_move(s->lib, in.id, "default", "D1"), 0);
	assert_in(s, in.id, SLOT(3));
	/* What replaces a tape takes that tape's place. */
	assert_int_equal(library_volume_create(s->lib, "default", ".y~", NULL, true, &over), 0);
	assert_int_equal(library_volume_replace(s->lib, a, over.id), 0);
	assert_in(s, a, SLOT(0));
	assert_empty(s, SLOT(4));
	assert_int_equal(library_volume_replace(s->lib, a, b), 0);
	assert_empty(s, SLOT(1));
	store_restart(s);
	assert_in(s, a, SLOT(0));
	assert_empty(s, SLOT(1));
}

static void a_robot_moves_tapes_between_slots_ports_and_drives(void **state)
{
	struct store *s = *state;

	assert_int_equal(library_move(s->lib, SLOT(0), SLOT(3)), 0);
	assert_in(s, a, SLOT(3));
	assert_int_equal(library_move(s->lib, SLOT(3), DRIVE(1)), 0);
	assert_in(s, a, DRIVE(1));
	assert_empty(s, SLOT(3));
	assert_true(element(s, DRIVE(1)).has_source);
	assert_int_equal(element(s, DRIVE(1)).source.kind, LIBRARY_SLOT);
	assert_int_equal(element(s, DRIVE(1)).source.number, 3);
	assert_int_equal(events(s, EVENT_LOADED, "nst1"), 1);
	assert_int_equal(library_move(s->lib, DRIVE(1), DRIVE(0)), 0);
	assert_in(s, a, DRIVE(0));
	assert_int_equal(element(s, DRIVE(0)).source.number, 3);
	assert_int_equal(events(s, EVENT_UNLOADED, "nst1"), 1);
	assert_int_equal(events(s, EVENT_LOADED, "nst0"), 1);
	assert_int_equal(library_move(s->lib, DRIVE(0), PORT(0)), 0);
	assert_in(s, a, PORT(0));
	assert_false(element(s, PORT(0)).imported);
	assert_int_equal(events(s, EVENT_UNLOADED, "nst0"), 1);
	store_cut(s);
	assert_in(s, a, PORT(0));
	assert_in(s, b, SLOT(1));
}

static void what_cannot_be_moved_stays(void **state)
{
	struct store *s = *state;
	struct drive *d;

	assert_refused(library_move(s->lib, SLOT(3), SLOT(0)), -ENOENT, "slot 3 is empty");
	assert_refused(library_move(s->lib, SLOT(0), SLOT(1)), -EEXIST, "slot 1 has a volume");
	assert_refused(library_move(s->lib, SLOT(0), SLOT(0)), -EEXIST, "slot 0 has a volume");
	assert_refused(library_move(s->lib, SLOT(0), SLOT(4)), -EINVAL, "no slot 4");
	assert_refused(library_move(s->lib, PORT(1), SLOT(3)), -EINVAL, "no port 1");
	assert_refused(library_move(s->lib, SLOT(0), DRIVE(2)), -EINVAL, "no drive nst2");
	assert_refused(library_move(s->lib, SLOT(0), OUTSIDE), -EINVAL, "outside");
	assert_refused(library_move(s->lib, DRIVE(0), SLOT(3)), -ENOENT, "drive nst0 is empty");
	assert_int_equal(library_load(s->lib, 0, a), 0);
	assert_refused(library_move(s->lib, SLOT(1), DRIVE(0)), -EEXIST, "drive nst0 has");
	assert_int_equal(library_drive_open(s->lib, 0, false, &d), 0);
	assert_refused(library_move(s->lib, DRIVE(0), SLOT(0)), -EBUSY, "nst0 is in use");
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	library_drive_lock(s->lib, 0, true);
	assert_refused(library_move(s->lib, DRIVE(0), SLOT(0)), -EBUSY, "nst0 is locked");
	library_drive_lock(s->lib, 0, false);
	assert_int_equal(library_drive_open(s->lib, 1, false, &d), 0);
	assert_refused(library_move(s->lib, SLOT(1), DRIVE(1)), -EBUSY, "nst1 is in use");
	assert_int_equal(library_drive_close(s->lib, 1), 0);
	claim(s, b, CLAIM_WRITE);
	assert_refused(library_move(s->lib, SLOT(1), DRIVE(1)), -EBUSY, "B1 is being written");
	release(s, b, CLAIM_WRITE);
	/* The slot that was kept free for a move that failed is free again. */
	assert_int_equal(library_drive_open(s->lib, 0, false, &d), 0);
	assert_refused(library_move(s->lib, DRIVE(0), SLOT(3)), -EBUSY, "nst0 is in use");
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	assert_int_equal(library_move(s->lib, SLOT(1), SLOT(3)), 0);
	assert_in(s, a, DRIVE(0));
	assert_in(s, b, SLOT(3));
	assert_in(s, c, SLOT(2));
}

static void an_unload_by_hand_takes_the_tape_back(void **state)
{
	struct store *s = *state;
	struct drive *d;

	assert_int_equal(library_load(s->lib, 0, b), 0);
	assert_int_equal(element(s, DRIVE(0)).source.number, 1);
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_in(s, b, SLOT(1));
	/* Its program's eject too, and a load again takes it from there. */
	assert_int_equal(library_load(s->lib, 0, b), 0);
	store_restart(s);
	assert_int_equal(element(s, DRIVE(0)).source.number, 1);
	assert_int_equal(library_drive_open(s->lib, 0, false, &d), 0);
	assert_int_equal(library_drive_eject(s->lib, 0), 0);
	assert_in(s, b, SLOT(1));
	assert_int_equal(library_drive_reload(s->lib, 0), 0);
	assert_in(s, b, DRIVE(0));
	assert_empty(s, SLOT(1));
	assert_int_equal(library_drive_close(s->lib, 0), 0);
	/* Its slot is another's now: the first free one. */
	assert_int_equal(library_move(s->lib, SLOT(0), SLOT(1)), 0);
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_in(s, b, SLOT(0));
	/* None is free: outside, and that is where a start finds it. */
	assert_int_equal(library_load(s->lib, 0, b), 0);
	assert_in(s, make(s, "D1"), SLOT(0));
	assert_in(s, make(s, "E1"), SLOT(3));
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_in(s, b, OUTSIDE);
	assert_int_equal(library_move(s->lib, SLOT(3), PORT(0)), 0);
	store_restart(s);
	assert_in(s, b, OUTSIDE);
	assert_int_equal(events(s, EVENT_LOADED, "nst0"), 4);
	assert_int_equal(events(s, EVENT_UNLOADED, "nst0"), 4);
}

static void an_exchange_is_one_move(void **state)
{
	struct store *s = *state;

	/* Slots alone, then a drive's tape for another, then two drives. */
	assert_int_equal(library_exchange(s->lib, SLOT(0), SLOT(1), SLOT(0)), 0);
	assert_in(s, a, SLOT(1));
	assert_in(s, b, SLOT(0));
	assert_int_equal(library_move(s->lib, SLOT(0), DRIVE(0)), 0);
	assert_int_equal(library_exchange(s->lib, SLOT(1), DRIVE(0), SLOT(3)), 0);
	assert_in(s, a, DRIVE(0));
	assert_in(s, b, SLOT(3));
	assert_int_equal(library_exchange(s->lib, SLOT(3), DRIVE(0), SLOT(3)), 0);
	assert_in(s, b, DRIVE(0));
	assert_in(s, a, SLOT(3));
	assert_int_equal(element(s, DRIVE(0)).source.number, 3);
	assert_int_equal(library_move(s->lib, SLOT(2), DRIVE(1)), 0);
	assert_int_equal(library_exchange(s->lib, DRIVE(0), DRIVE(1), DRIVE(0)), 0);
	assert_in(s, b, DRIVE(1));
	assert_in(s, c, DRIVE(0));
	assert_int_equal(library_exchange(s->lib, DRIVE(0), DRIVE(1), PORT(0)), 0);
	assert_in(s, c, DRIVE(1));
	assert_in(s, b, PORT(0));
	assert_int_equal(element(s, DRIVE(1)).source.number, 2);

	assert_refused(library_exchange(s->lib, SLOT(3), SLOT(0), SLOT(1)), -ENOENT, "slot 0 is empty");
	assert_refused(library_exchange(s->lib, SLOT(0), SLOT(3), SLOT(1)), -ENOENT, "slot 0 is empty");
	assert_refused(library_exchange(s->lib, SLOT(3), DRIVE(1), PORT(0)), -EEXIST, "port 0 has");
	assert_refused(library_exchange(s->lib, SLOT(3), DRIVE(1), DRIVE(1)), -EEXIST, "nst1 has");
	assert_refused(library_exchange(s->lib, SLOT(3), SLOT(3), SLOT(0)), -EINVAL, "itself");
	store_cut(s);
	assert_in(s, c, DRIVE(1));
	assert_in(s, b, PORT(0));
	assert_in(s, a, SLOT(3));
	assert_int_equal(element(s, DRIVE(1)).source.number, 2);
}

static void an_exchange_that_fails_in_the_middle_is_undone(void **state)
{
	struct store *s = *state;
	struct library_drive d;

	assert_int_equal(library_load(s->lib, 0, a), 0);
	library_drive_out(s->lib, 0, true);
	claim(s, b, CLAIM_WRITE);
	assert_refused(library_exchange(s->lib, SLOT(1), DRIVE(0), SLOT(3)), -EBUSY, "B1 is being written");
	release(s, b, CLAIM_WRITE);
	assert_in(s, a, DRIVE(0));
	assert_in(s, b, SLOT(1));
	assert_empty(s, SLOT(3));
	assert_int_equal(library_drive_info(s->lib, 0, &d), 0);
	assert_true(d.loaded && d.out);
	assert_int_equal(d.volume, a);
	assert_int_equal(events(s, EVENT_UNLOADED, "nst0"), 0);
	/* And its drives and places are anybody's again. */
	assert_int_equal(library_exchange(s->lib, SLOT(1), DRIVE(0), SLOT(3)), 0);
	assert_in(s, b, DRIVE(0));
	assert_in(s, a, SLOT(3));
}

static void an_operator_puts_tapes_into_ports_and_takes_them_out(void **state)
{
	struct store *s = *state;
	uint64_t all, ports, all2, ports2;

	assert_refused(library_import(s->lib, a, 0), -ENOENT, "A1 is not outside: it is in slot 0");
	assert_refused(library_export(s->lib, 0), -ENOENT, "port 0 is empty");
	assert_refused(library_export(s->lib, 1), -EINVAL, "no port 1");
	assert_refused(library_import(s->lib, a, 1), -EINVAL, "no port 1");
	library_place_changes(s->lib, &all, &ports);
	assert_int_equal(library_move(s->lib, SLOT(0), PORT(0)), 0);
	library_place_changes(s->lib, &all2, &ports2);
	assert_true(all2 > all);
	assert_int_equal(ports2, ports);
	assert_int_equal(library_export(s->lib, 0), 0);
	assert_in(s, a, OUTSIDE);
	assert_empty(s, PORT(0));
	/* Outside stays outside, free slots or not. */
	store_restart(s);
	assert_in(s, a, OUTSIDE);
	assert_int_equal(library_import(s->lib, a, 0), 0);
	assert_in(s, a, PORT(0));
	assert_true(element(s, PORT(0)).imported);
	library_place_changes(s->lib, &all, &ports);
	assert_int_equal(ports, 1);	/* counted from the start */
	store_cut(s);
	assert_true(element(s, PORT(0)).imported);
	assert_int_equal(library_move(s->lib, PORT(0), SLOT(0)), 0);
	assert_int_equal(library_move(s->lib, SLOT(0), PORT(0)), 0);
	assert_false(element(s, PORT(0)).imported);
	assert_refused(library_import(s->lib, b, 0), -EEXIST, "port 0 has");
}

static void ports_that_are_locked_are_locked_for_the_operator(void **state)
{
	struct store *s = *state;

	assert_int_equal(library_move(s->lib, SLOT(0), PORT(0)), 0);
	library_ports_lock(s->lib, true);
	assert_refused(library_export(s->lib, 0), -EBUSY, "the ports are locked by a host");
	assert_in(s, a, PORT(0));
	/* The robot is on the inner side. */
	assert_int_equal(library_move(s->lib, PORT(0), SLOT(0)), 0);
	assert_int_equal(library_move(s->lib, SLOT(0), PORT(0)), 0);
	library_ports_lock(s->lib, false);
	assert_int_equal(library_export(s->lib, 0), 0);
	library_ports_lock(s->lib, true);
	assert_refused(library_import(s->lib, a, 0), -EBUSY, "the ports are locked by a host");
	assert_in(s, a, OUTSIDE);
	library_ports_lock(s->lib, false);
	assert_int_equal(library_import(s->lib, a, 0), 0);
}

static void a_place_that_has_a_tape_does_not_go(void **state)
{
	struct store *s = *state;
	uint32_t slots, ports;

	assert_refused(library_places_set(s->lib, 2, 1), -EBUSY, "slot 2 cannot go: volume C1 is in it");
	assert_int_equal(library_move(s->lib, SLOT(2), PORT(0)), 0);
	assert_refused(library_places_set(s->lib, 2, 0), -EBUSY, "port 0 cannot go: volume C1");
	assert_refused(library_places_set(s->lib, LIBRARY_SLOTS_MAX + 1, 1), -EINVAL, "at most 60000");
	assert_refused(library_places_set(s->lib, 4, LIBRARY_PORTS_MAX + 1), -EINVAL, "256");
	assert_int_equal(library_places_set(s->lib, 2, 1), 0);
	store_cut(s);
	library_places(s->lib, &slots, &ports);
	assert_int_equal(slots, 2);
	assert_int_equal(ports, 1);
	assert_in(s, c, PORT(0));
	/* A loaded tape's slot may go: it gets another. */
	assert_int_equal(library_load(s->lib, 0, b), 0);
	assert_int_equal(library_places_set(s->lib, 1, 1), 0);
	assert_false(element(s, DRIVE(0)).has_source);
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_in(s, b, OUTSIDE);
}

static void how_many_there_are_leaves_up_alone(void **state)
{
	struct store *s = *state;
	struct catalog_scsi scsi = { .up = true, .slots = 4, .ports = 1 };

	assert_int_equal(catalog_scsi_put(s->cat, &scsi), 0);
	assert_int_equal(library_places_set(s->lib, 8, 2), 0);
	assert_int_equal(catalog_scsi_get(s->cat, &scsi), 0);
	assert_true(scsi.up);
	assert_int_equal(scsi.slots, 8);
}

static void sixty_thousand_slots_are_soon_set_up_and_asked(void **state)
{
	struct store *s = *state;
	uint64_t began, id = 0;
	char name[16];

	for (unsigned n = 0; n < 3000; n++) {
		snprintf(name, sizeof(name), "T%05u", n);
		id = make(s, name);
	}
	began = clock_mono_ns();
	assert_int_equal(library_places_set(s->lib, LIBRARY_SLOTS_MAX, LIBRARY_PORTS_MAX), 0);
	assert_in(s, id, SLOT(3002));
	assert_int_equal(library_move(s->lib, SLOT(3002), SLOT(LIBRARY_SLOTS_MAX - 1)), 0);
	for (unsigned n = 0; n < LIBRARY_SLOTS_MAX; n++)
		element(s, SLOT(n));
	assert_true(clock_mono_ns() - began < 5000000000ull);
	store_restart(s);
	assert_in(s, id, SLOT(LIBRARY_SLOTS_MAX - 1));
}

/* ---- what a start mends ---------------------------------------------------------------------------------------- */

static void raw_place(struct store *s, uint64_t id, enum catalog_place_kind kind, uint32_t number)
{
	struct catalog_place p = { kind, number, false };

	assert_int_equal(catalog_place_put(s->cat, id, &p), 0);
}

static void a_start_mends_what_contradicts_itself(void **state)
{
	struct store *s = *state;

	raw_place(s, c, PLACE_SLOT, 0);		/* where A1 is; A1 has the lower number */
	raw_place(s, b, PLACE_SLOT, 17);	/* there is none */
	store_restart(s);
	assert_in(s, a, SLOT(0));
	assert_true(where(s, b).kind == LIBRARY_SLOT && where(s, c).kind == LIBRARY_SLOT);
	assert_int_not_equal(where(s, b).number, where(s, c).number);
	raw_place(s, 4711, PLACE_SLOT, 3);	/* of nobody */
	store_cut(s);
	assert_empty(s, SLOT(3));

	/* One tape in two drives, one that is gone, one in a drive that is no more. */
	assert_int_equal(catalog_drive_put(s->cat, 0, a), 0);
	assert_int_equal(catalog_drive_put(s->cat, 1, a), 0);
	assert_int_equal(catalog_drive_put(s->cat, 63, b), 0);
	struct library_place of_b = where(s, b);

	store_restart(s);
	assert_in(s, a, DRIVE(0));
	assert_in(s, b, of_b);
	assert_empty(s, DRIVE(1));
	assert_int_equal(library_unload(s->lib, 0), 0);
	assert_in(s, a, SLOT(0));
	assert_int_equal(catalog_drive_put(s->cat, 0, 4711), 0);
	store_restart(s);
	assert_empty(s, DRIVE(0));
	store_restart(s);
	assert_in(s, a, SLOT(0));
	assert_in(s, b, of_b);
}

static void a_number_of_slots_that_is_lost_costs_no_place(void **state)
{
	CLEANUP(kv_batch_freep) struct kv_batch *batch = NULL;
	struct store *s = *state;
	struct catalog_check_config cfg = { .repair = true };
	struct catalog_checked done;

	assert_int_equal(library_move(s->lib, SLOT(2), SLOT(3)), 0);
	assert_int_equal(kv_batch_new(&batch), 0);
	assert_int_equal(kv_batch_put(batch, KV_CATALOG, "B", 1, "x", 1), 0);
	assert_int_equal(kv_write(s->kv, batch, true), 0);
	store_restart(s);
	assert_in(s, a, OUTSIDE);
	assert_int_equal(catalog_check(s->cat, &cfg, &done), 0);
	assert_int_equal(done.repaired, 1);
	store_restart(s);
	assert_in(s, a, SLOT(0));
	assert_in(s, b, SLOT(1));
	assert_in(s, c, SLOT(3));
}

/* ---- a kill at any write --------------------------------------------------------------------------------------- */

static int op_load(struct store *s) { return library_load(s->lib, 0, b); }
static int op_unload(struct store *s) { return library_unload(s->lib, 1); }
static int op_move(struct store *s) { return library_move(s->lib, SLOT(1), SLOT(3)); }
static int op_move_in(struct store *s) { return library_move(s->lib, SLOT(1), DRIVE(0)); }
static int op_move_out(struct store *s) { return library_move(s->lib, DRIVE(1), SLOT(3)); }
static int op_across(struct store *s) { return library_move(s->lib, DRIVE(1), DRIVE(0)); }
static int op_exchange(struct store *s) { return library_exchange(s->lib, SLOT(1), DRIVE(1), SLOT(3)); }
static int op_swap(struct store *s) { return library_exchange(s->lib, SLOT(1), DRIVE(1), SLOT(1)); }
static int op_delete(struct store *s) { return library_volume_delete(s->lib, b); }
static int op_create(struct store *s)
{
	return library_volume_create(s->lib, CATALOG_POOL_DEFAULT, "D1", NULL, false, NULL);
}

static int op_import(struct store *s) { return library_import(s->lib, x, 0); }
static int op_export(struct store *s) { return library_export(s->lib, 1); }
static int op_arrive(struct store *s) { return library_volume_move(s->lib, incoming, "default", "I1"); }
static int op_replace(struct store *s) { return library_volume_replace(s->lib, a, b); }
static int op_resize(struct store *s) { return library_places_set(s->lib, 3, 2); }

/* All places as one text: whom each has, and where its tape came from. */
static void picture(struct store *s, char *out, size_t cap)
{
	struct library_element e;
	uint32_t slots, ports;
	size_t n = 0;

	library_places(s->lib, &slots, &ports);
	for (unsigned i = 0; i < slots + ports + 2; i++) {
		struct library_place at = i < slots ? SLOT(i) : i < slots + ports ? PORT(i - slots) :
				  DRIVE(i - slots - ports);

		e = element(s, at);
		n += (size_t)snprintf(out + n, cap - n, "%s", e.imported ? "imported " : "");
		n += (size_t)snprintf(out + n, cap - n, "%u/%u=%s", at.kind, at.number, e.name);
		if (e.has_source)
			n += (size_t)snprintf(out + n, cap - n, "<%u/%u", e.source.kind, e.source.number);
		n += (size_t)snprintf(out + n, cap - n, " ");
		if (e.volume)
			assert_in(s, e.volume, at);
	}
}

/* - B1 A1 - in the slots, C1 in a drive, Y1 in a port, X1 outside, an image on its way. */
static void prepare(void **state)
{
	struct catalog_volume row;
	struct store *s;

	filled_new(state);
	s = *state;
	assert_int_equal(library_places_set(s->lib, 4, 2), 0);
	assert_int_equal(library_load(s->lib, 1, c), 0);
	x = make(s, "X1");
	assert_int_equal(library_move(s->lib, where(s, x), PORT(0)), 0);
	assert_int_equal(library_export(s->lib, 0), 0);
	y = make(s, "Y1");
	assert_int_equal(library_move(s->lib, where(s, y), PORT(1)), 0);
	assert_int_equal(library_move(s->lib, SLOT(0), SLOT(2)), 0);
	assert_int_equal(library_volume_create(s->lib, CATALOG_POOL_DEFAULT, ".I~", NULL, true, &row), 0);
	incoming = row.id;
}

static void a_kill_at_any_write_finds_what_was_before_or_after(void **state)
{
	int (*const ops[])(struct store *s) = { op_load, op_unload, op_move, op_move_in, op_move_out, op_across,
						op_exchange, op_swap, op_delete, op_create, op_import, op_export,
						op_arrive, op_replace, op_resize };
	char before[256], after[256], now[256];
	struct store *s;
	bool whole;

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		prepare(state);
		s = *state;
		picture(s, before, sizeof(before));
		assert_int_equal(ops[i](s), 0);
		picture(s, after, sizeof(after));
		store_free(state);
		assert_string_not_equal(before, after);
		whole = false;
		for (uint64_t at = 1; !whole && at < 20; at++) {
			prepare(state);
			s = *state;
			kv_mem_plan_fault(s->kv, at, -EIO);
			whole = !ops[i](s);
			kv_mem_plan_fault(s->kv, 0, -EIO);
			/* A tape that was unloaded is out all the same; a replaced one lacks only the times. */
			if (!whole && ops[i] != op_unload && ops[i] != op_replace) {
				picture(s, now, sizeof(now));
				assert_string_equal(now, before);
			}
			store_cut(s);
			picture(s, now, sizeof(now));
			if (strcmp(now, before) && strcmp(now, after))
				fail_msg("op %zu, write %lu: %s is neither %s nor %s", i, (unsigned long)at, now,
					 before, after);
			if (whole)
				assert_string_equal(now, after);
			store_free(state);
		}
		assert_true(whole);
	}
}

/* ---- several at once ------------------------------------------------------------------------------------------- */

static void *person(void *ctx)
{
	struct store *s = ctx;
	char name[16];
	uint64_t id;

	for (unsigned n = 0; n < 100; n++) {
		snprintf(name, sizeof(name), "P%u", n);
		id = make(s, name);
		library_load(s->lib, n % 2, n % 3 ? id : a);
		library_unload(s->lib, n % 2);
		if (n % 2)
			library_volume_delete(s->lib, id);
	}
	return NULL;
}

static void *robot(void *ctx)
{
	struct store *s = ctx;

	for (uint32_t n = 0; n < 300; n++) {
		library_move(s->lib, SLOT(n % 7), DRIVE(n % 2));
		library_exchange(s->lib, SLOT(n % 5), DRIVE(n % 2), SLOT(n % 5));
		library_move(s->lib, DRIVE(n % 2), SLOT(n % 11));
		library_move(s->lib, SLOT(n % 3), PORT(0));
		library_export(s->lib, 0);
		library_import(s->lib, a, 0);
		library_move(s->lib, PORT(0), SLOT(n % 13));
	}
	return NULL;
}

/* Every place once, every tape once, and a restart finds the same. */
static void a_person_and_two_robots_leave_everything_in_one_place(void **state)
{
	struct store *s = *state;
	struct library_element e, again[200];
	pthread_t t[3];

	assert_int_equal(library_places_set(s->lib, 200, 1), 0);
	assert_int_equal(pthread_create(&t[0], NULL, robot, s), 0);
	assert_int_equal(pthread_create(&t[1], NULL, robot, s), 0);
	assert_int_equal(pthread_create(&t[2], NULL, person, s), 0);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	for (uint32_t n = 0; n < 200; n++) {
		e = again[n] = element(s, SLOT(n));
		if (e.volume)
			assert_in(s, e.volume, SLOT(n));
	}
	store_cut(s);
	for (uint32_t n = 0; n < 200; n++)
		assert_int_equal(element(s, SLOT(n)).volume, again[n].volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(a_store_without_slots_has_every_tape_outside),
		FILLED(tapes_get_slots_in_the_order_of_their_names),
		ON_A_STORE(pools_come_in_the_order_of_their_names),
		FILLED(an_image_gets_its_slot_when_it_is_a_tape),
		FILLED(a_robot_moves_tapes_between_slots_ports_and_drives),
		FILLED(what_cannot_be_moved_stays),
		FILLED(an_unload_by_hand_takes_the_tape_back),
		FILLED(an_exchange_is_one_move),
		FILLED(an_exchange_that_fails_in_the_middle_is_undone),
		FILLED(an_operator_puts_tapes_into_ports_and_takes_them_out),
		FILLED(ports_that_are_locked_are_locked_for_the_operator),
		FILLED(a_place_that_has_a_tape_does_not_go),
		FILLED(how_many_there_are_leaves_up_alone),
		FILLED(sixty_thousand_slots_are_soon_set_up_and_asked),
		FILLED(a_start_mends_what_contradicts_itself),
		FILLED(a_number_of_slots_that_is_lost_costs_no_place),
		cmocka_unit_test(a_kill_at_any_write_finds_what_was_before_or_after),
		FILLED(a_person_and_two_robots_leave_everything_in_one_place),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
