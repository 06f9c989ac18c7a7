/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a scrub stands, as the catalog's row 'W' "scrub" (vtape-format(5)), and back. */
#include <errno.h>

#include "library/holding.h"

/*
 * u8 version (1), u8 flags (1: goes on by itself after a start), u64 number of the pack that comes next, u64 rate,
 * u64 started, u64 finished, u64 stopped, u64 packs, u64 bytes, u64 chunks, u64 damaged chunks
 */
#define ROW_VERSION 1
enum { ROW_GOES_ON = 1 };

int scrub_row_pack(const struct scrub *s, struct buf *out)
{
	const uint64_t numbers[] = {
		s->next, s->now.rate_bytes, s->now.started_ns, s->now.finished_ns, s->stopped_ns,
		s->now.done_packs, s->now.done_bytes, s->now.chunks, s->now.damaged,
	};
	int r;

	r = buf_put_u8(out, ROW_VERSION);
	if (!r)
		r = buf_put_u8(out, s->goes_on ? ROW_GOES_ON : 0);
	for (size_t i = 0; !r && i < ARRAY_LEN(numbers); i++)
		r = buf_put_le64(out, numbers[i]);
	return r;
}

int scrub_row_unpack(const void *row, size_t len, struct scrub *s)
{
	struct cursor c = cursor_of(row, len);
	uint8_t version = cursor_u8(&c), flags = cursor_u8(&c);
	uint64_t next = cursor_le64(&c), stopped_ns;
	struct library_scrub now = { 0 };

	now.rate_bytes = cursor_le64(&c);
	now.started_ns = cursor_le64(&c);
	now.finished_ns = cursor_le64(&c);
	stopped_ns = cursor_le64(&c);
	now.done_packs = cursor_le64(&c);
	now.done_bytes = cursor_le64(&c);
	now.chunks = cursor_le64(&c);
	now.damaged = cursor_le64(&c);
	if (c.bad || cursor_left(&c) || version != ROW_VERSION || (flags & ~ROW_GOES_ON) ||
	    next > PACK_NUMBER_MAX + 1 || now.started_ns > INT64_MAX || now.finished_ns > INT64_MAX ||
	    stopped_ns > INT64_MAX)
		return err_explain(-EUCLEAN,
				   "where the scrub stands: its row is damaged or of a version that is not known");
	s->now = now;
	s->next = next;
	s->goes_on = flags & ROW_GOES_ON;
	s->stopped_ns = stopped_ns;
	return 0;
}
