/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The catalog as bytes.  A key begins with a letter that says what the row is; numbers in keys are big-endian, so that
 * rows lie in the order of their numbers.  A row begins with its version (1, if nothing else is said); numbers in rows
 * are little-endian; a string is a LEB128 length and that many bytes without a NUL.
 *
 *   key                              row                          what
 *   'S'                              u8 version, u32 schema       the schema of all that follows
 *   'N' letter                       u8 version, u64              numbers below this are taken: 'p' pools, 'v' volumes,
 *                                                                 'e' events
 *   'P' u32 pool                     pool                         a pool
 *   'Q' name                         u32 pool (big-endian)        its name
 *   'V' u64 volume                   volume                       a volume
 *   'U' name                         u64 volume (big-endian)      its name, unique in the store
 *   'M' u32 pool, name               u64 volume (big-endian)      the volumes of a pool, by name
 *   'F' u64 volume, u64 file         file                         the name given to a tape file
 *   'G' u64 volume, name, 0, u64 file  (empty)                    the same by name
 *   'T' u64 volume                   bytes                        the unfinished end of an image
 *   'D' u32 drive                    u64 volume (big-endian)      what is loaded in a drive
 *   'E' u64 seq                      event                        an event
 *   'X'                              store                        properties of the store as a whole
 *   'R'                              clock                        the retention clock
 *   'W' name                         bytes                        where a long walk over the store stands
 *   'L' u64 volume                   place                        catalog_scsi_format.c has this one and those below:
 *   'A' u64 volume, u32 partition, u16 id    mam                  an attribute of the cartridge's memory
 *   'I' u32 drive                    unit                         a drive as a SCSI unit
 *   'J'                              unit                         the changer as a SCSI unit
 *   'B'                              scsi                         are they set up, how many slots and ports
 *   'K' u32 site                     site                         catalog_site_format.c has this one and those below:
 *   'C' name, 0, u32 site            clash                        a label that another site has too
 *   'H' name                         hook                         a program that is run for events
 *   'Y' u32 drive                    stacker                      what a drive loads by itself
 *
 *   perm     u32 mode, u32 uid, u32 gid, u64 mtime_ns, u64 ctime_ns
 *   pool     u8 version, u32 id, string name, perm, u8 codec, i32 level, u8 flags (1 verify, 2 worm),
 *            u64 record_bytes, u64 capacity_bytes, u64 keep_s, u64 volumes, from version 2 on u64 locked_until_ns,
 *            from version 3 on u8 flags (1 contents, 2 expire_label), u64 expire_s, string scratch, string barcode,
 *            u8 access, u32 site
 *   volume   u8 version, u64 id, u32 pool, string name, string serial, u8 state, u8 access,
 *            u8 flags (1 protect, 2 worm, 4 image_eom), u64 image_eom_generation, u64 capacity_bytes,
 *            u64 record_bytes, u32 key_id, u64 created_ns, perm, from version 2 on u64 locked_until_ns,
 *            from version 3 on u64 expires_ns, u64 assigned_ns, u32 site, u64 site_generation, u64 site_written_ns
 *   file     u8 version, u64 file, u64 mark_object, u64 stretch, string name, perm
 *   event    u8 version, u64 time_ns, u16 number, u8 severity, string about, string text
 *   store    u8 version, u64 scrub_every_s, u64 scrub_rate_bytes, u64 gc_rate_bytes, u32 gc_live_percent,
 *            u8 flags (1 gc_off)
 *   stacker  u8 version, u8 mode (1 the next scratch, 2 the next of all), u32 pool
 *   clock    u8 version, u8 flags (1 gap, 2 told), u64 time_ns, u64 boot_ns, 16 bytes boot
 *
 * A decoder takes the whole row or refuses it, so what it gives out need not be checked again.
 *
 * Here is what keys and rows are made of.  Pools, volumes and tape files are catalog_volume_format.c's, the store as a
 * whole, drives and events catalog_store_format.c's.
 */
#include "catalog/catalog_rows.h"

#include <errno.h>

#define ROW_VERSION 1

/* ---- keys ---- */

void key_u32(struct row_key *k, uint32_t v)
{
	put_be32(k->b + k->len, v);
	k->len += 4;
}

void key_u64(struct row_key *k, uint64_t v)
{
	put_be64(k->b + k->len, v);
	k->len += 8;
}

/* No name is longer than a file's; what a caller asks for may be, and is then the key of nothing. */
void key_text(struct row_key *k, const char *s)
{
	size_t n = strnlen(s, 256);

	memcpy(k->b + k->len, s, n);
	k->len += n;
}

struct row_key key_of(char letter)
{
	return (struct row_key){ .b = { (uint8_t)letter }, .len = 1 };
}

struct row_key key_of_u32(char letter, uint32_t v)
{
	struct row_key k = key_of(letter);

	key_u32(&k, v);
	return k;
}

struct row_key key_of_u64(char letter, uint64_t v)
{
	struct row_key k = key_of(letter);

	key_u64(&k, v);
	return k;
}

struct row_key key_of_text(char letter, const char *s)
{
	struct row_key k = key_of(letter);

	key_text(&k, s);
	return k;
}

/* ---- rows ---- */

int row_begin_at(struct buf *out, uint8_t version)
{
	int r;

	out->len = 0;
	r = buf_reserve(out, ROW_MAX);
	return r ? r : buf_put_u8(out, version);
}

int row_begin(struct buf *out)
{
	return row_begin_at(out, ROW_VERSION);
}

struct cursor row_cursor_upto(const void *row, size_t len, uint8_t newest, uint8_t *version)
{
	struct cursor c = cursor_of(row, len);

	*version = cursor_u8(&c);
	if (*version < ROW_VERSION || *version > newest)
		c.bad = true;
	return c;
}

struct cursor row_cursor(const void *row, size_t len)
{
	uint8_t version;

	return row_cursor_upto(row, len, ROW_VERSION, &version);
}

int row_end(const struct cursor *c, bool good, const char *what)
{
	if (c->bad || !good || cursor_left(c))
		return err_explain(-EUCLEAN, "catalog: a row of %s is damaged or of a version that is not known", what);
	return 0;
}
