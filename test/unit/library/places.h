/* SPDX-License-Identifier: BSD-2-Clause */
/* Places in few words, for tests of the library's. */
#ifndef TEST_LIBRARY_PLACES_H
#define TEST_LIBRARY_PLACES_H

#include "store.h"

#define SLOT(n) ((struct library_place){ LIBRARY_SLOT, n })
#define PORT(n) ((struct library_place){ LIBRARY_PORT, n })
#define DRIVE(n) ((struct library_place){ LIBRARY_DRIVE, n })
#define OUTSIDE ((struct library_place){ LIBRARY_OUTSIDE, 0 })

static inline struct library_element element(struct store *s, struct library_place at)
{
	struct library_element e;

	assert_int_equal(library_element(s->lib, at, &e), 0);
	return e;
}

static inline struct library_place where(struct store *s, uint64_t volume)
{
	struct library_place at;

	assert_int_equal(library_where(s->lib, volume, &at), 0);
	return at;
}

/* Both ways: the volume says where it is, and the place what it has. */
#define assert_in(s, volume, at) assert_in_at(s, volume, at, __LINE__)
static inline void assert_in_at(struct store *s, uint64_t volume, struct library_place at, int line)
{
	struct library_place is = where(s, volume);

	if (is.kind != at.kind || (is.kind != LIBRARY_OUTSIDE && is.number != at.number))
		fail_msg("line %d: volume %lu is in %d/%u, not in %d/%u", line, (unsigned long)volume, is.kind,
			 is.number, at.kind, at.number);
	if (at.kind != LIBRARY_OUTSIDE && element(s, at).volume != volume)
		fail_msg("line %d: place %d/%u has volume %lu, not %lu", line, at.kind, at.number,
			 (unsigned long)element(s, at).volume, (unsigned long)volume);
}

static inline void assert_empty(struct store *s, struct library_place at)
{
	assert_int_equal(element(s, at).volume, 0);
}

#endif
