/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which drives load the next volume by themselves.  A pool is named by its number, so that it may be renamed; one that
 * is gone leaves a stacker that finds nothing.
 */
#include "catalog/catalog_private.h"

#include <errno.h>

int stacker_encode(const struct catalog_stacker *s, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_u8(out, (uint8_t)s->mode);
	buf_put_le32(out, s->pool);
	return 0;
}

/* Off has no row. */
int stacker_decode(const void *row, size_t len, struct catalog_stacker *out)
{
	struct cursor c = row_cursor(row, len);
	uint8_t mode = cursor_u8(&c);
	struct catalog_stacker s = { .mode = mode };
	int r;

	s.pool = cursor_le32(&c);
	r = row_end(&c, mode == STACKER_SCRATCH || mode == STACKER_ALL, "a stacker");
	if (!r)
		*out = s;
	return r;
}

struct row_key key_stacker(uint32_t drive)
{
	return key_of_u32('Y', drive);
}

int catalog_stacker_put(struct catalog *c, uint32_t drive, const struct catalog_stacker *s)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_stacker(drive);
	int r;

	if (s->mode == STACKER_OFF)
		return row_write(c, &key, NULL, 0);
	r = stacker_encode(s, &row);
	return r ? r : row_write(c, &key, row.data, row.len);
}

int catalog_stacker_get(struct catalog *c, uint32_t drive, struct catalog_stacker *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_stacker(drive);
	int r = row_get(c, &key, &row);

	if (r == CATALOG_E_NONE) {
		*out = (struct catalog_stacker){ .mode = STACKER_OFF };
		return 0;
	}
	return r ? r : stacker_decode(row.data, row.len, out);
}
