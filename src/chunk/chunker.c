/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunker: where to cut a stream, so that equal contents are cut equally wherever they stand.
 *
 * A Gear hash of 64 bits rolls over the bytes; each byte shifts the last 64 into the high bits, and a chunk ends where
 * the highest bits are all zero.  Normalised: up to the average four times as many bits decide as plain chance would
 * need, behind it a quarter, so that lengths gather around the average.  The first half of the average is skipped and
 * the hash starts anew in every chunk: a cut depends on the bytes of its own chunk alone.
 *
 * The table comes from the store's key, so that nobody can read off from lengths what is stored, or prepare data that
 * is cut badly.  A run of zeros gives one chunk of the greatest length, again and again.
 *
 * The cut points are part of the store's format: test_chunker.c holds some of them for all time.
 */
#include <assert.h>
#include <errno.h>

#include <vtape/chunk.h>
#include <vtape/util.h>

struct chunker {
	struct chunk_params params;
	uint64_t before, after;		/* a hash below this ends a chunk, before and after the average length */
	uint64_t gear[256];
};

struct chunk_params chunk_params_of(uint32_t avg)
{
	return (struct chunk_params){ .min = avg / 2, .avg = avg, .max = avg * 4 };
}

static bool params_valid(const struct chunk_params *p)
{
	return p->avg >= 8 << 10 && p->avg <= 256 << 10 && !(p->avg & (p->avg - 1)) && p->min == p->avg / 2 &&
	       p->max == p->avg * 4;
}

/* Number i of the table: the first eight MAC bytes, little-endian, of the text "vtape gear" and the byte i. */
static int gear_fill(uint64_t gear[256], const uint8_t key[32])
{
	uint8_t text[] = "vtape gear?";
	struct digester *d = NULL;
	struct digest sum;
	int r = digester_new(key, &d);

	for (unsigned i = 0; !r && i < 256; i++) {
		text[10] = (uint8_t)i;
		r = digest_of(d, text, 11, &sum);
		if (!r) {
			struct cursor c = cursor_of(sum.b + 16, 8);

			gear[i] = cursor_le64(&c);
		}
	}
	digester_free(d);
	return r;
}

int chunker_new(const struct chunk_params *p, const uint8_t key[32], struct chunker **out)
{
	struct chunker *c;
	unsigned bits;
	int r;

	if (!params_valid(p))
		return err_explain(-EINVAL, "no chunk parameters: %u/%u/%u bytes", p->min, p->avg, p->max);
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_origin(-ENOMEM);
	bits = (unsigned)__builtin_ctz(p->avg);
	c->params = *p;
	c->before = 1ull << (64 - (bits + 2));
	c->after = 1ull << (64 - (bits - 2));
	r = gear_fill(c->gear, key);
	if (r) {
		chunker_free(c);
		return r;
	}
	*out = c;
	return 0;
}

struct chunker *chunker_free(struct chunker *c)
{
	if (c)
		explicit_bzero(c, sizeof(*c));
	free(c);
	return NULL;
}

size_t chunker_next(const struct chunker *c, const uint8_t *p, size_t n, bool last)
{
	size_t end = n < c->params.max ? n : c->params.max;
	size_t middle = end < c->params.avg ? end : c->params.avg;
	size_t i = c->params.min;
	uint64_t hash = 0;

	/* One shift, one sum, one comparison a byte; unrolling by hand was measured and gains nothing. */
	for (; i < middle; i++) {
		hash = (hash << 1) + c->gear[p[i]];
		if (hash < c->before)
			return i + 1;
	}
	for (; i < end; i++) {
		hash = (hash << 1) + c->gear[p[i]];
		if (hash < c->after)
			return i + 1;
	}
	return end == c->params.max || last ? end : 0;
}
