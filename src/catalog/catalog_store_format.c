/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the catalog keeps of the store as a whole, as bytes: its schema, the numbers given out, its properties, its
 * clock, walks over it, drives and events.
 */
#include "catalog/catalog_rows.h"

enum { STORE_GC_OFF = 1 };
enum { CLOCK_GAP = 1, CLOCK_TOLD = 2 };

/* ---- keys ---- */

struct row_key key_schema(void)
{
	return key_of('S');
}

struct row_key key_number(enum number n)
{
	struct row_key k = key_of('N');

	k.b[k.len++] = (uint8_t)n;
	return k;
}

struct row_key key_drive(uint32_t drive)
{
	return key_of_u32('D', drive);
}

struct row_key key_events(void)
{
	return key_of('E');
}

struct row_key key_event(uint64_t seq)
{
	struct row_key k = key_events();

	key_u64(&k, seq);
	return k;
}

struct row_key key_store(void)
{
	return key_of('X');
}

struct row_key key_clock(void)
{
	return key_of('R');
}

struct row_key key_work(const char *name)
{
	return key_of_text('W', name);
}

/* ---- rows ---- */

int event_encode(const struct catalog_event *e, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_le64(out, e->time_ns);
	buf_put_le16(out, e->number);
	buf_put_u8(out, (uint8_t)e->severity);
	buf_put_string(out, e->about);
	buf_put_string(out, e->text);
	return 0;
}

int event_decode(uint64_t seq, const void *row, size_t len, struct catalog_event *out)
{
	struct cursor c = row_cursor(row, len);
	struct catalog_event e = { .seq = seq };
	uint8_t severity;
	int r;

	e.time_ns = cursor_le64(&c);
	e.number = cursor_le16(&c);
	severity = cursor_u8(&c);
	e.severity = severity;
	cursor_string(&c, e.about, sizeof(e.about));
	cursor_string(&c, e.text, sizeof(e.text));
	r = row_end(&c, severity <= EVENT_ERROR, "an event");
	if (!r)
		*out = e;
	return r;
}

int schema_encode(uint32_t schema, struct buf *out)
{
	int r = row_begin(out);

	return r ? r : buf_put_le32(out, schema);
}

int schema_decode(const void *row, size_t len, uint32_t *schema)
{
	struct cursor c = row_cursor(row, len);
	uint32_t v = cursor_le32(&c);
	int r = row_end(&c, true, "the schema");

	if (!r)
		*schema = v;
	return r;
}

int number_encode(uint64_t n, struct buf *out)
{
	int r = row_begin(out);

	return r ? r : buf_put_le64(out, n);
}

int number_decode(const void *row, size_t len, uint64_t *n)
{
	struct cursor c = row_cursor(row, len);
	uint64_t v = cursor_le64(&c);
	int r = row_end(&c, v > 0 && v <= 2 * NUMBER_MAX, "a number");

	if (!r)
		*n = v;
	return r;
}

int store_encode(const struct catalog_store *s, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_le64(out, s->scrub_every_s);
	buf_put_le64(out, s->scrub_rate_bytes);
	buf_put_le64(out, s->gc_rate_bytes);
	buf_put_le32(out, s->gc_live_percent);
	return buf_put_u8(out, s->gc_off ? STORE_GC_OFF : 0);
}

int store_decode(const void *row, size_t len, struct catalog_store *out)
{
	struct cursor c = row_cursor(row, len);
	struct catalog_store s;
	uint8_t flags;
	int r;

	s.scrub_every_s = cursor_le64(&c);
	s.scrub_rate_bytes = cursor_le64(&c);
	s.gc_rate_bytes = cursor_le64(&c);
	s.gc_live_percent = cursor_le32(&c);
	flags = cursor_u8(&c);
	s.gc_off = flags & STORE_GC_OFF;
	r = row_end(&c, !(flags & ~STORE_GC_OFF) && s.scrub_rate_bytes > 0 && s.gc_live_percent <= 100,
		    "the store's properties");
	if (!r)
		*out = s;
	return r;
}

int clock_encode(const struct clock_row *k, struct buf *out)
{
	int r = row_begin(out);

	if (r)
		return r;
	buf_put_u8(out, (k->gap ? CLOCK_GAP : 0) | (k->told ? CLOCK_TOLD : 0));
	buf_put_le64(out, k->time_ns);
	buf_put_le64(out, k->boot_ns);
	return buf_append(out, k->boot, sizeof(k->boot));
}

int clock_decode(const void *row, size_t len, struct clock_row *out)
{
	struct cursor c = row_cursor(row, len);
	uint8_t flags = cursor_u8(&c);
	struct clock_row k = { .gap = flags & CLOCK_GAP, .told = flags & CLOCK_TOLD };
	const uint8_t *boot;
	int r;

	k.time_ns = cursor_le64(&c);
	k.boot_ns = cursor_le64(&c);
	boot = cursor_bytes(&c, sizeof(k.boot));
	if (boot)
		memcpy(k.boot, boot, sizeof(k.boot));
	r = row_end(&c, k.time_ns && !(flags & ~(CLOCK_GAP | CLOCK_TOLD)), "the retention clock");
	if (!r)
		*out = k;
	return r;
}
