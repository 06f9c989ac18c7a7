/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys and rows of sites, clashes and hooks; catalog_format.c has the table of all kinds and says what holds for them.
 *
 *   key                              row     what
 *   'K' u32 site                     site    a site; 0 is ours, and without a row it is called "local"
 *   'C' name, 0, u32 site            clash   a label of ours that this site has on another cartridge
 *   'H' name                         hook    a program that is run for events
 *
 *   site     u8 version, string name, string id, string note, u64 added_ns, u64 heard_ns
 *   clash    u8 version, string serial, u64 found_ns
 *   hook     u8 version, u8 flags (1 off), u8 least, u32 timeout_s, string events, string program
 */
#include "catalog/catalog_rows.h"

#include <errno.h>

#define HOOK_ROW_MAX 2048	/* bytes of an encoded hook */

enum { HOOK_OFF = 1 };

/* ---- keys ---- */

struct row_key key_sites(void)
{
	return key_of('K');
}

struct row_key key_site(uint32_t number)
{
	struct row_key k = key_sites();

	key_u32(&k, number);
	return k;
}

struct row_key key_clashes(const char *name)
{
	struct row_key k = key_of('C');

	if (name) {
		key_text(&k, name);
		k.b[k.len++] = 0;
	}
	return k;
}

struct row_key key_clash(const char *name, uint32_t site)
{
	struct row_key k = key_clashes(name);

	key_u32(&k, site);
	return k;
}

struct row_key key_hook(const char *name)
{
	return key_of_text('H', name);
}

int key_clash_parse(const uint8_t *key, size_t len, struct catalog_clash *out)
{
	struct catalog_clash k = { 0 };
	size_t n = len > 6 ? len - 6 : 0;	/* of the name: a letter before, a NUL and the number behind it */

	if (!n || n > BARCODE_MAX || key[1 + n])
		return err_explain(-EUCLEAN, "catalog: the key of a clash is damaged");
	memcpy(k.name, key + 1, n);
	k.site = get_be32(key + 1 + n + 1);
	if (!parse_is_name(k.name) || k.site > NUMBER_MAX_32)
		return err_explain(-EUCLEAN, "catalog: the key of a clash is damaged");
	*out = k;
	return 0;
}

/* ---- rows ---- */

static bool hex_digits(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789abcdefABCDEF") == n;
}

bool site_id_is_good(const char *id)
{
	return !id[0] || hex_digits(id, 32);
}

bool serial_is_good(const char *serial)
{
	return hex_digits(serial, 16);
}

int site_encode(const struct catalog_site *s, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_string(out, s->name);
	buf_put_string(out, s->id);
	buf_put_string(out, s->note);
	buf_put_le64(out, s->added_ns);
	return buf_put_le64(out, s->heard_ns);
}

int site_decode(uint32_t number, const void *row, size_t len, struct catalog_site *out)
{
	struct cursor c = row_cursor(row, len);
	struct catalog_site s = { .number = number };
	int r;

	cursor_string(&c, s.name, sizeof(s.name));
	cursor_string(&c, s.id, sizeof(s.id));
	cursor_string(&c, s.note, sizeof(s.note));
	s.added_ns = cursor_le64(&c);
	s.heard_ns = cursor_le64(&c);
	r = row_end(&c, parse_is_name(s.name) && site_id_is_good(s.id), "a site");
	if (!r)
		*out = s;
	return r;
}

int clash_encode(const struct catalog_clash *k, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_string(out, k->serial);
	return buf_put_le64(out, k->found_ns);
}

/* The rest of it is in its key. */
int clash_decode(const void *row, size_t len, struct catalog_clash *k)
{
	struct cursor c = row_cursor(row, len);
	char serial[sizeof(k->serial)] = "";
	uint64_t found_ns;
	int r;

	cursor_string(&c, serial, sizeof(serial));
	found_ns = cursor_le64(&c);
	r = row_end(&c, serial_is_good(serial), "a clash");
	if (!r) {
		memcpy(k->serial, serial, sizeof(serial));
		k->found_ns = found_ns;
	}
	return r;
}

int hook_encode(const struct catalog_hook *h, struct buf *out)
{
	int r = row_begin(out);

	if (!r)
		r = buf_reserve(out, HOOK_ROW_MAX);
	if (r)
		return r;
	buf_put_u8(out, h->off ? HOOK_OFF : 0);
	buf_put_u8(out, (uint8_t)h->least);
	buf_put_le32(out, h->timeout_s);
	buf_put_string(out, h->events);
	return buf_put_string(out, h->program);
}

int hook_decode(const char *name, const void *row, size_t len, struct catalog_hook *out)
{
	struct cursor c = row_cursor(row, len);
	struct catalog_hook h = { .off = false };
	uint8_t flags = cursor_u8(&c), least = cursor_u8(&c);
	bool good = parse_is_name(name);
	int r;

	h.off = flags & HOOK_OFF;
	h.least = least;
	h.timeout_s = cursor_le32(&c);
	cursor_string(&c, h.events, sizeof(h.events));
	cursor_string(&c, h.program, sizeof(h.program));
	good = good && !(flags & ~HOOK_OFF) && least <= EVENT_ERROR && h.program[0] == '/' &&
	       h.timeout_s >= 1 && h.timeout_s <= CATALOG_HOOK_TIMEOUT_MAX_S;
	r = row_end(&c, good, "a hook");
	if (r)
		return r;
	memcpy(h.name, name, strlen(name) + 1);
	*out = h;
	return 0;
}
