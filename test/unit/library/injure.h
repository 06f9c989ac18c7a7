/* SPDX-License-Identifier: BSD-2-Clause */
/* injure: a store whose packs are hurt while it is closed. */
#ifndef TEST_LIBRARY_INJURE_H
#define TEST_LIBRARY_INJURE_H

#include "store.h"

#include "unit/pack/raw.h"

static inline uint64_t first_pack(struct store *s, uint64_t from)
{
	uint64_t number, bytes;

	assert_int_equal(chunk_store_next_pack(s->cs, from, &number, &bytes), 0);
	return number;
}

/* One bit of @pack, at @offset. */
static inline void flip(struct store *s, uint64_t pack, uint64_t offset)
{
	struct buf bytes = BUF_INIT;

	store_down(s);
	raw_get(s->packs, pack, &bytes);
	assert_true(offset < bytes.len);
	bytes.data[offset] ^= 1;
	raw_set(s->packs, pack, bytes.data, bytes.len);
	buf_fini(&bytes);
	store_up(s);
}

static inline void lose(struct store *s, uint64_t pack)
{
	store_down(s);
	assert_int_equal(pack_unlink(s->packs, pack), 0);
	store_up(s);
}

/* Every byte of the tape; how many records could not be read. */
static inline unsigned read_all(struct store *s, uint64_t id)
{
	struct volume *v = claim(s, id, CLAIM_READ);
	static uint8_t record[1 << 18];
	struct drive *d;
	unsigned bad = 0;
	size_t len;
	int r;

	assert_int_equal(drive_new(&d), 0);
	assert_int_equal(drive_load(d, v), 0);
	while ((r = drive_read_record(d, record, sizeof(record), &len)) != TAPE_E_EOD) {
		assert_true(r == 0 || r == TAPE_E_FILEMARK || r == -EBADMSG || r == -EIO);
		bad += r < 0;
		if (bad > 10000)
			fail_msg("the tape does not end: %s", err_text(r));
	}
	drive_free(d);
	release(s, id, CLAIM_READ);
	return bad;
}

#endif
