/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of what the SCSI face keeps, as bytes (catalog_format.c has the keys' table and what holds for all rows):
 *
 *   place    u8 version, u8 kind (0 outside, 1 slot, 2 port), u8 flags (1 imported), u32 number
 *   mam      u8 version, u8 format (0 binary, 1 ASCII, 2 text), 1 to 4096 bytes
 *   unit     u8 version, string model, string vendor, string product, string revision, string serial, u64 naa
 *   scsi     u8 version, u8 flags (1 up, 2 no loopback), u32 slots, u32 ports
 */
#include "catalog/catalog_rows.h"

#include <errno.h>

enum { PLACE_IMPORTED = 1 };
enum { SCSI_UP = 1, SCSI_NO_LOOPBACK = 2 };

/* ---- keys ---- */

struct row_key key_places(void)
{
	return key_of('L');
}

struct row_key key_place(uint64_t volume)
{
	struct row_key k = key_places();

	key_u64(&k, volume);
	return k;
}

struct row_key key_mams(uint64_t volume)
{
	return key_of_u64('A', volume);
}

struct row_key key_mam(uint64_t volume, uint32_t partition, uint16_t id)
{
	struct row_key k = key_mams(volume);

	key_u32(&k, partition);
	put_be16(k.b + k.len, id);
	k.len += 2;
	return k;
}

struct row_key key_unit(uint32_t number)
{
	struct row_key k;

	if (number == CATALOG_UNIT_CHANGER)
		return key_of('J');
	k = key_of('I');
	key_u32(&k, number);
	return k;
}

struct row_key key_scsi(void)
{
	return key_of('B');
}

/* ---- rows ---- */

static bool place_is_good(const struct catalog_place *p)
{
	static const uint32_t many[] = { [PLACE_OUTSIDE] = 1, [PLACE_SLOT] = CATALOG_SLOTS_MAX,
					 [PLACE_PORT] = CATALOG_PORTS_MAX };

	return p->kind <= PLACE_PORT && p->number < many[p->kind] && (!p->imported || p->kind == PLACE_PORT);
}

int place_encode(const struct catalog_place *p, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	if (!place_is_good(p))
		return err_explain(-EINVAL, "catalog: there is no place %u of kind %d", p->number, (int)p->kind);
	buf_put_u8(out, (uint8_t)p->kind);
	buf_put_u8(out, p->imported ? PLACE_IMPORTED : 0);
	return buf_put_le32(out, p->number);
}

int place_decode(const void *row, size_t len, struct catalog_place *out)
{
	struct cursor c = row_cursor(row, len);
	uint8_t kind = cursor_u8(&c), flags = cursor_u8(&c);
	struct catalog_place p = { .kind = kind, .number = cursor_le32(&c), .imported = flags & PLACE_IMPORTED };
	int r = row_end(&c, place_is_good(&p) && !(flags & ~PLACE_IMPORTED), "a place");

	if (!r)
		*out = p;
	return r;
}

int mam_encode(enum catalog_mam_format format, const void *p, size_t n, struct buf *out)
{
	int r = row_begin(out);

	if (!r)
		r = buf_put_u8(out, (uint8_t)format);
	return r ? r : buf_append(out, p, n);
}

int mam_decode(const void *row, size_t len, enum catalog_mam_format *format, const uint8_t **p, size_t *n)
{
	struct cursor c = row_cursor(row, len);
	uint8_t f = cursor_u8(&c);
	size_t left = cursor_left(&c);
	const uint8_t *bytes = cursor_bytes(&c, left);
	int r = row_end(&c, f <= MAM_TEXT && left >= 1 && left <= CATALOG_MAM_MAX, "a cartridge's memory");

	if (r)
		return r;
	*format = f;
	*p = bytes;
	*n = left;
	return 0;
}

int unit_encode(const struct catalog_unit *u, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_string(out, u->model);
	buf_put_string(out, u->vendor);
	buf_put_string(out, u->product);
	buf_put_string(out, u->revision);
	buf_put_string(out, u->serial);
	return buf_put_le64(out, u->naa);
}

/* What goes out to initiators as it is: printable ASCII. */
static bool words_are_good(const char *s)
{
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

int unit_decode(uint32_t number, const void *row, size_t len, struct catalog_unit *out)
{
	struct cursor c = row_cursor(row, len);
	struct catalog_unit u = { .number = number };
	bool good;
	int r;

	cursor_string(&c, u.model, sizeof(u.model));
	cursor_string(&c, u.vendor, sizeof(u.vendor));
	cursor_string(&c, u.product, sizeof(u.product));
	cursor_string(&c, u.revision, sizeof(u.revision));
	cursor_string(&c, u.serial, sizeof(u.serial));
	u.naa = cursor_le64(&c);
	good = u.model[0] && words_are_good(u.model) && words_are_good(u.vendor) && words_are_good(u.product) &&
	       words_are_good(u.revision) && words_are_good(u.serial);
	r = row_end(&c, good, "a SCSI unit");
	if (!r)
		*out = u;
	return r;
}

int scsi_encode(const struct catalog_scsi *s, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	if (s->slots > CATALOG_SLOTS_MAX || s->ports > CATALOG_PORTS_MAX)
		return err_explain(-EINVAL, "catalog: %u slots and %u ports are too many", s->slots, s->ports);
	buf_put_u8(out, (uint8_t)((s->up ? SCSI_UP : 0) | (s->no_loopback ? SCSI_NO_LOOPBACK : 0)));
	buf_put_le32(out, s->slots);
	return buf_put_le32(out, s->ports);
}

int scsi_decode(const void *row, size_t len, struct catalog_scsi *out)
{
	struct cursor c = row_cursor(row, len);
	uint8_t flags = cursor_u8(&c);
	struct catalog_scsi s = { .up = flags & SCSI_UP, .no_loopback = flags & SCSI_NO_LOOPBACK };
	bool good;
	int r;

	s.slots = cursor_le32(&c);
	s.ports = cursor_le32(&c);
	good = !(flags & ~(SCSI_UP | SCSI_NO_LOOPBACK)) && s.slots <= CATALOG_SLOTS_MAX && s.ports <= CATALOG_PORTS_MAX;
	r = row_end(&c, good, "the number of slots");
	if (!r)
		*out = s;
	return r;
}
