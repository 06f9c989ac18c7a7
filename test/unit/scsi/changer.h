/* SPDX-License-Identifier: BSD-2-Clause */
/* changer: a rig with a library of 8 slots, 2 ports and 2 drives, and three volumes in the first slots. */
#ifndef TEST_SCSI_CHANGER_H
#define TEST_SCSI_CHANGER_H

#include "unit/scsi/rig.h"

#define TRANSPORT 0x0001
#define SLOT(n) (0x0400 + (n))
#define PORT(n) (0x0300 + (n))
#define BAY(n) (0x0100 + (n))
#define BE16(x) (uint8_t)((x) >> 8), (uint8_t)(x)
#define BE24(x) (uint8_t)((x) >> 16), (uint8_t)((x) >> 8), (uint8_t)(x)

static inline struct library_place slot(uint32_t n) { return (struct library_place){ LIBRARY_SLOT, n }; }
static inline struct library_place port(uint32_t n) { return (struct library_place){ LIBRARY_PORT, n }; }
static inline struct library_place bay(uint32_t n) { return (struct library_place){ LIBRARY_DRIVE, n }; }

static inline int changer_new(void **state)
{
	struct rig *g;

	if (rig_new(state))
		return -1;
	g = *state;
	assert_int_equal(library_places_set(g->store->lib, 8, 2), 0);
	rig_volume(g, "A00001L6");
	rig_volume(g, "A00002L6");
	rig_volume(g, "B00003L6");
	rig_plug(g, SCSI_CHANGER, NULL);
	rig_settle(g);
	return 0;
}

/* The name of what is there; "" if it is empty. */
static inline const char *name_at(struct rig *g, struct library_place at)
{
	static struct library_element e;

	assert_int_equal(library_element(g->store->lib, at, &e), 0);
	return e.volume ? e.name : "";
}

#define ON_A_CHANGER(test) cmocka_unit_test_setup_teardown(test, changer_new, rig_free)

#define MOVE(from, to) 0xa5, 0, BE16(TRANSPORT), BE16(from), BE16(to), 0, 0, 0, 0
#define EXCHANGE(a, b, c) 0xa6, 0, BE16(TRANSPORT), BE16(a), BE16(b), BE16(c), 0, 0
#define STATUS(type, start, n, flags, alloc) 0xb8, type, BE16(start), BE16(n), flags, BE24(alloc), 0, 0

#endif
