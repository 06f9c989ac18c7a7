/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of KV_MAP.  Numbers in keys are big-endian, so that the order of keys is the order of numbers.
 *
 *   key                                   value
 *   'H' volume(8) generation(8)           head: times, sizes, ends of data, stretches.  The newest one is current.
 *   'O' map(8) first object(8)            object page: runs of equal records, runs of filemarks
 *   'C' map(8) offset in the stream(8)    chunk page: runs of neighbouring chunks of a pack
 *   'U' pack(8) map(8)                    le64: how many bytes of this map's stream lie in this pack
 *   'L' pack(8)                           look: how much of this pack is in use, at least; goes when a use row shrinks
 *   'M' pack(8)                           move: this pack is being copied forward; empty
 *   'D' map(8) object(8)                  drop: from here on nobody needs the map; tape_gc() frees it
 *
 * A map is named by 64 random bits, drawn when it is begun: no crash, no second writer and no other site gives the same
 * one again.  Values except those of 'U' and 'M' end with the sum64 of what is before; they begin with a version byte.
 * Everything read here is checked before anybody sees it: what head_unpack() and page_unpack() return holds
 * together.
 */
#include "tape/volume_format.h"

#include <assert.h>
#include <errno.h>

enum { FORMAT_VERSION = 1, SUM_BYTES = 8 };

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static struct map_key key_of(uint8_t kind, const uint64_t *numbers, unsigned count)
{
	struct map_key k = { .b = { kind }, .len = 1 + 8 * (size_t)count };

	for (unsigned i = 0; i < count; i++)
		put_be64(k.b + 1 + 8 * i, numbers[i]);
	return k;
}

struct map_key key_all_heads(void)
{
	return key_of('H', NULL, 0);
}

struct map_key key_heads(uint64_t volume)
{
	return key_of('H', &volume, 1);
}

struct map_key key_head(uint64_t volume, uint64_t generation)
{
	return key_of('H', (uint64_t[]){ volume, generation }, 2);
}

struct map_key key_pages(enum page_kind kind, uint64_t map)
{
	return key_of((uint8_t)kind, &map, 1);
}

struct map_key key_page(enum page_kind kind, uint64_t map, uint64_t first)
{
	return key_of((uint8_t)kind, (uint64_t[]){ map, first }, 2);
}

struct map_key key_uses(uint64_t pack)
{
	return key_of('U', &pack, 1);
}

struct map_key key_use(uint64_t pack, uint64_t map)
{
	return key_of('U', (uint64_t[]){ pack, map }, 2);
}

struct map_key key_all_looks(void)
{
	return key_of('L', NULL, 0);
}

struct map_key key_look(uint64_t pack)
{
	return key_of('L', &pack, 1);
}

struct map_key key_all_moves(void)
{
	return key_of('M', NULL, 0);
}

struct map_key key_move(uint64_t pack)
{
	return key_of('M', &pack, 1);
}

struct map_key key_drops(void)
{
	return key_of('D', NULL, 0);
}

struct map_key key_drop(uint64_t map, uint64_t object)
{
	return key_of('D', (uint64_t[]){ map, object }, 2);
}

int key_tail_number(const uint8_t *key, size_t len, uint64_t *out)
{
	if (len < 9)
		return err_explain(-EUCLEAN, "a key of the maps has %zu bytes", len);
	*out = get_be64(key + len - 8);
	return 0;
}

/* ---- sealed values ---------------------------------------------------------------------------------------------- */

static int seal(struct buf *out, size_t from)
{
	return buf_put_le64(out, sum64(out->data + from, out->len - from));
}

/* The body of a sealed value, behind its version. */
static int unseal(const void *p, size_t n, const char *what, struct cursor *body)
{
	struct cursor sum;

	if (n < 1 + SUM_BYTES)
		return err_explain(-EUCLEAN, "%s has only %zu bytes", what, n);
	sum = cursor_of((const uint8_t *)p + n - SUM_BYTES, SUM_BYTES);
	if (cursor_le64(&sum) != sum64(p, n - SUM_BYTES))
		return err_explain(-EBADMSG, "%s fails its checksum", what);
	*body = cursor_of(p, n - SUM_BYTES);
	if (cursor_u8(body) != FORMAT_VERSION)
		return err_explain(-EPROTONOSUPPORT, "%s has a format that this version does not know", what);
	return 0;
}

static int tally_pack(const struct tape_tally *t, struct buf *out)
{
	int r = buf_put_varint(out, t->objects);

	r = r ? r : buf_put_varint(out, t->marks);
	r = r ? r : buf_put_varint(out, t->bytes);
	return r ? r : buf_put_varint(out, t->odd);
}

static bool more_than(uint64_t bytes, uint64_t count, uint64_t each)
{
	return bytes / each > count || (bytes / each == count && bytes % each);
}

static void tally_unpack(struct cursor *c, struct tape_tally *t)
{
	t->objects = cursor_varint(c);
	t->marks = cursor_varint(c);
	t->bytes = cursor_varint(c);
	t->odd = cursor_varint(c);
	if (t->marks > t->objects || t->odd > t->objects - t->marks || t->objects - t->marks > t->bytes ||
	    more_than(t->bytes, t->objects - t->marks, TAPE_RECORD_MAX))
		c->bad = true;
}

/* Can @b lie behind @a, or at the same place? */
static bool tally_follows(const struct tape_tally *a, const struct tape_tally *b)
{
	return a->objects <= b->objects && a->marks <= b->marks && a->bytes <= b->bytes && a->odd <= b->odd;
}

/* ---- heads ------------------------------------------------------------------------------------------------------ */

void head_fini(struct head *h)
{
	for (unsigned i = 0; i < TAPE_PARTITIONS_MAX; i++)
		free(h->part[i].stretch);
	memset(h, 0, sizeof(*h));
}

int head_partition_reserve(struct head_partition *p)
{
	uint32_t room = p->room ? 2 * p->room : 2;
	struct stretch *more;

	if (p->stretches < p->room)
		return 0;
	more = reallocarray(p->stretch, room, sizeof(*more));
	if (!more)
		return err_origin(-ENOMEM);
	p->stretch = more;
	p->room = room;
	return 0;
}

int head_partition_push(struct head_partition *p, const struct stretch *s)
{
	int r = head_partition_reserve(p);

	if (!r)
		p->stretch[p->stretches++] = *s;
	return r;
}

int head_copy(const struct head *from, struct head *out)
{
	CLEANUP(head_fini) struct head h = *from;
	int r = 0;

	for (unsigned i = 0; i < TAPE_PARTITIONS_MAX; i++) {
		h.part[i].stretch = NULL;
		h.part[i].stretches = h.part[i].room = 0;
	}
	for (unsigned i = 0; i < from->partitions; i++)
		for (uint32_t s = 0; !r && s < from->part[i].stretches; s++)
			r = head_partition_push(&h.part[i], &from->part[i].stretch[s]);
	if (r)
		return r;
	*out = h;
	memset(&h, 0, sizeof(h));
	return 0;
}

uint64_t head_new_number(void)
{
	uint64_t number;
	int r = random_bytes(&number, sizeof(number));

	assert(!r);	/* getrandom() has no way to fail once the machine is up */
	(void)r;
	return number;
}

int head_partition_new_map(struct head_partition *p)
{
	return head_partition_push(p, &(struct stretch){ head_new_number(), head_new_number(), p->end });
}

void head_stat(const struct head *h, struct volume_stat *out)
{
	*out = (struct volume_stat){
		.generation = h->generation, .partitions = h->partitions,
		.unique_bytes = h->unique_bytes, .stored_bytes = h->stored_bytes,
		.begun_ns = h->begun_ns, .written_ns = h->written_ns, .ended_ns = h->ended_ns,
	};
	for (unsigned i = 0; i < h->partitions; i++) {
		out->end.objects += h->part[i].end.objects;
		out->end.marks += h->part[i].end.marks;
		out->end.bytes += h->part[i].end.bytes;
		out->end.odd += h->part[i].end.odd;
		/* The numbers are random. */
		if (h->part[i].stretches)
			out->stretch += (i + 1) * h->part[i].stretch[h->part[i].stretches - 1].number;
	}
}

static int head_partition_pack(const struct head_partition *p, struct buf *out)
{
	int r = tally_pack(&p->end, out);

	r = r ? r : buf_put_varint(out, p->stretches);
	for (uint32_t i = 0; !r && i < p->stretches; i++) {
		r = buf_put_le64(out, p->stretch[i].map);
		r = r ? r : buf_put_le64(out, p->stretch[i].number);
		r = r ? r : tally_pack(&p->stretch[i].from, out);
	}
	return r;
}

static bool head_is_sized(const struct head *h)
{
	for (unsigned i = 0; i < h->partitions; i++)
		if (h->size[i])
			return true;
	return false;
}

int head_pack(const struct head *h, struct buf *out)
{
	const uint64_t fields[] = { h->begun_ns, h->written_ns, h->ended_ns, h->unique_bytes, h->stored_bytes };
	size_t from = out->len;
	int r = buf_put_u8(out, FORMAT_VERSION);

	for (unsigned i = 0; !r && i < ARRAY_LEN(fields); i++)
		r = buf_put_le64(out, fields[i]);
	r = r ? r : buf_put_u8(out, (uint8_t)h->partitions);
	for (unsigned i = 0; !r && i < h->partitions; i++)
		r = head_partition_pack(&h->part[i], out);
	for (unsigned i = 0; !r && head_is_sized(h) && i < h->partitions; i++)
		r = buf_put_le64(out, h->size[i]);
	return r ? r : seal(out, from);
}

static int head_partition_unpack(struct cursor *c, struct head_partition *p)
{
	struct tape_tally last = { 0 };
	uint64_t count;
	int r;

	tally_unpack(c, &p->end);
	count = cursor_varint(c);
	for (uint64_t i = 0; i < count && !c->bad; i++) {
		struct stretch s;

		s.map = cursor_le64(c);
		s.number = cursor_le64(c);
		tally_unpack(c, &s.from);
		if (!tally_follows(&last, &s.from) || (i == 0 && s.from.objects))
			c->bad = true;
		r = head_partition_push(p, &s);
		if (r)
			return r;
		last = s.from;
	}
	if (!tally_follows(&last, &p->end) || (p->end.objects && !count))
		c->bad = true;
	return 0;
}

int head_unpack(const void *p, size_t n, uint64_t generation, struct head *out)
{
	CLEANUP(head_fini) struct head h = { .generation = generation };
	struct cursor c;
	int r = unseal(p, n, "a volume's head", &c);

	if (r)
		return r;
	h.begun_ns = cursor_le64(&c);
	h.written_ns = cursor_le64(&c);
	h.ended_ns = cursor_le64(&c);
	h.unique_bytes = cursor_le64(&c);
	h.stored_bytes = cursor_le64(&c);
	h.partitions = cursor_u8(&c);
	if (h.partitions < 1 || h.partitions > TAPE_PARTITIONS_MAX)
		return err_explain(-EUCLEAN, "a volume's head speaks of %u partitions", h.partitions);
	for (unsigned i = 0; !r && i < h.partitions; i++)
		r = head_partition_unpack(&c, &h.part[i]);
	if (r)
		return r;
	/* Sizes are there if one of them counts. */
	if (!c.bad && cursor_left(&c)) {
		for (unsigned i = 0; i < h.partitions; i++)
			h.size[i] = cursor_le64(&c);
		c.bad = c.bad || !head_is_sized(&h);
	}
	if (c.bad || cursor_left(&c))
		return err_explain(-EUCLEAN, "a volume's head does not hold together");
	*out = h;
	memset(&h, 0, sizeof(h));
	return 0;
}

/* ---- pages ------------------------------------------------------------------------------------------------------ */

static int objects_pack(const struct page *p, struct buf *out)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < p->runs; i++) {
		r = buf_put_varint(out, p->object[i].len);
		r = r ? r : buf_put_varint(out, p->object[i].count);
	}
	return r;
}

/* Packs are told as the difference to the one before, folded so that small ones of both signs are short. */
static uint64_t fold(uint64_t delta)
{
	return (delta << 1) ^ (0 - (delta >> 63));
}

static uint64_t unfold(uint64_t v)
{
	return (v >> 1) ^ (0 - (v & 1));
}

static int chunks_pack(const struct page *p, struct buf *out)
{
	uint64_t pack = 0;
	int r = 0;

	for (uint32_t i = 0; !r && i < p->runs; i++) {
		r = buf_put_varint(out, fold(p->chunk[i].pack - pack));
		r = r ? r : buf_put_varint(out, p->chunk[i].slot);
		r = r ? r : buf_put_varint(out, p->chunk[i].slots);
		r = r ? r : buf_put_varint(out, p->chunk[i].bytes);
		pack = p->chunk[i].pack;
	}
	return r;
}

int page_pack(const struct page *p, struct buf *out)
{
	size_t from = out->len;
	int r = buf_put_u8(out, FORMAT_VERSION);

	r = r ? r : buf_put_le64(out, p->map);
	r = r ? r : (p->kind == PAGE_OBJECTS ? tally_pack(&p->from, out) : buf_put_varint(out, p->from.bytes));
	r = r ? r : buf_put_varint(out, p->runs);
	r = r ? r : (p->kind == PAGE_OBJECTS ? objects_pack(p, out) : chunks_pack(p, out));
	return r ? r : seal(out, from);
}

static int objects_unpack(struct cursor *c, struct page *p)
{
	uint64_t len = cursor_varint(c), count = cursor_varint(c), bytes, end;

	if (len > TAPE_RECORD_MAX || !count || __builtin_mul_overflow(len, count, &bytes) ||
	    __builtin_add_overflow(p->end.bytes, bytes, &end) || __builtin_add_overflow(p->end.objects, count, &end))
		c->bad = true;
	return c->bad ? 0 : page_add_object(p, (uint32_t)len, count);
}

static int chunks_unpack(struct cursor *c, struct page *p, uint64_t *pack)
{
	struct chunk_run run = { .pack = *pack + unfold(cursor_varint(c)) };
	uint64_t slot = cursor_varint(c), slots = cursor_varint(c), end;

	run.bytes = cursor_varint(c);
	if (run.pack > PACK_NUMBER_MAX || slot > UINT32_MAX || !slots || slots > UINT32_MAX - slot || !run.bytes ||
	    more_than(run.bytes, slots, PACK_CHUNK_MAX) || __builtin_add_overflow(p->end.bytes, run.bytes, &end))
		c->bad = true;
	if (c->bad)
		return 0;
	run.slot = (uint32_t)slot;
	run.slots = (uint32_t)slots;
	*pack = run.pack;
	return page_add_chunk(p, &run, false);
}

int page_unpack(const void *bytes, size_t n, enum page_kind kind, uint64_t map, uint64_t first, struct page **out)
{
	CLEANUP(page_freep) struct page *p = NULL;
	struct tape_tally from = { 0 };
	struct cursor c;
	uint64_t count, pack = 0;
	int r = unseal(bytes, n, "a page of a volume's map", &c);

	if (r)
		return r;
	if (cursor_le64(&c) != map)
		c.bad = true;
	if (kind == PAGE_OBJECTS)
		tally_unpack(&c, &from);
	else
		from.bytes = cursor_varint(&c);
	count = cursor_varint(&c);
	if (c.bad || tally_measure(&from, kind) != first || count > PAGE_RUNS_MAX)
		return err_explain(-EUCLEAN, "a page of a volume's map lies under the wrong key");
	p = page_new(kind, map, &from);
	if (!p)
		return err_origin(-ENOMEM);
	for (uint64_t i = 0; !r && !c.bad && i < count; i++)
		r = kind == PAGE_OBJECTS ? objects_unpack(&c, p) : chunks_unpack(&c, p, &pack);
	if (r)
		return r;
	if (c.bad || cursor_left(&c))
		return err_explain(-EUCLEAN, "a page of a volume's map does not hold together");
	p->stored = true;
	p->dirty = false;
	*out = STEAL(p);
	return 0;
}

/* ---- small rows ------------------------------------------------------------------------------------------------- */

int drop_pack(const struct drop *d, struct buf *out)
{
	size_t from = out->len;
	int r = buf_put_u8(out, FORMAT_VERSION);

	r = r ? r : buf_put_varint(out, d->from);
	r = r ? r : buf_put_varint(out, d->to);
	return r ? r : seal(out, from);
}

int drop_unpack(const uint8_t *key, size_t klen, const uint8_t *p, size_t n, uint64_t *map, struct drop *out)
{
	struct cursor k = cursor_of(key, klen), c;
	struct drop d;
	int r = unseal(p, n, "a row of maps to free", &c);

	if (r)
		return r;
	cursor_u8(&k);
	*map = cursor_be64(&k);
	d.object = cursor_be64(&k);
	d.from = cursor_varint(&c);
	d.to = cursor_varint(&c);
	if (k.bad || cursor_left(&k) || c.bad || cursor_left(&c) || d.to < d.from)
		return err_explain(-EUCLEAN, "a row of maps to free does not hold together");
	*out = d;
	return 0;
}

int use_pack(uint64_t bytes, struct buf *out)
{
	return buf_put_le64(out, bytes);
}

int use_unpack(const void *p, size_t n, uint64_t *bytes)
{
	struct cursor c = cursor_of(p, n);
	uint64_t v = cursor_le64(&c);

	if (c.bad || cursor_left(&c))
		return err_explain(-EUCLEAN, "a row of the use of packs has %zu bytes", n);
	*bytes = v;
	return 0;
}

int look_pack(const struct look *l, struct buf *out)
{
	size_t from = out->len;
	int r = buf_put_u8(out, FORMAT_VERSION);

	r = r ? r : buf_put_varint(out, l->live);
	r = r ? r : buf_put_varint(out, l->all);
	r = r ? r : buf_put_varint(out, l->used);
	return r ? r : seal(out, from);
}

int look_unpack(const void *p, size_t n, struct look *out)
{
	struct cursor c;
	struct look l;
	int r = unseal(p, n, "what was found in a pack", &c);

	if (r)
		return r;
	l.live = cursor_varint(&c);
	l.all = cursor_varint(&c);
	l.used = cursor_varint(&c);
	if (c.bad || cursor_left(&c) || l.live > l.all)
		return err_explain(-EUCLEAN, "what was found in a pack does not hold together");
	*out = l;
	return 0;
}
