/* SPDX-License-Identifier: BSD-2-Clause */
/* Properties of the store as a whole: one row, and the words for them.  A store without the row has the defaults. */
#include "catalog/catalog_private.h"

#include <errno.h>

#define RATE_MIN (1u << 20)

const struct catalog_store store_defaults = {
	.scrub_every_s = 30u * 86400,
	.scrub_rate_bytes = 32u << 20,
	.gc_rate_bytes = 64u << 20,
	.gc_live_percent = 70,
};

int catalog_store_get(struct catalog *c, struct catalog_store *out)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_store();
	int r;

	r = row_get(c, &key, &row);
	if (r == CATALOG_E_NONE) {
		*out = store_defaults;
		return 0;
	}
	return r ? r : store_decode(row.data, row.len, out);
}

int catalog_store_put(struct catalog *c, const struct catalog_store *s)
{
	CLEANUP(buf_fini) struct buf row = BUF_INIT;
	struct row_key key = key_store();
	int r = store_encode(s, &row);

	return r ? r : row_write(c, &key, row.data, row.len);
}

/* ---- words ---- */

static int scrub_every_get(const struct catalog_store *s, struct buf *text)
{
	return words_get_duration(s->scrub_every_s, text);
}

static int scrub_every_set(struct catalog_store *s, const char *value)
{
	return parse_duration(value, &s->scrub_every_s) ? -EINVAL : 0;
}

static int scrub_rate_get(const struct catalog_store *s, struct buf *text)
{
	return words_get_size(s->scrub_rate_bytes, text);
}

static int scrub_rate_set(struct catalog_store *s, const char *value)
{
	uint64_t v;

	if (parse_size(value, &v) || v < RATE_MIN)
		return -EINVAL;
	s->scrub_rate_bytes = v;
	return 0;
}

static int gc_rate_get(const struct catalog_store *s, struct buf *text)
{
	return words_get_size(s->gc_rate_bytes, text);
}

static int gc_rate_set(struct catalog_store *s, const char *value)
{
	uint64_t v;

	if (parse_size(value, &v) || (v && v < RATE_MIN))
		return -EINVAL;
	s->gc_rate_bytes = v;
	return 0;
}

static int gc_live_get(const struct catalog_store *s, struct buf *text)
{
	return buf_printf(text, "%u", s->gc_live_percent);
}

static int gc_live_set(struct catalog_store *s, const char *value)
{
	char *end;
	unsigned long v = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || v > 100)
		return -EINVAL;
	s->gc_live_percent = (uint32_t)v;
	return 0;
}

static int gc_get(const struct catalog_store *s, struct buf *text)
{
	return words_get_bool(!s->gc_off, text);
}

static int gc_set(struct catalog_store *s, const char *value)
{
	bool on;

	if (words_set_bool(&on, value))
		return -EINVAL;
	s->gc_off = !on;
	return 0;
}

static const struct catalog_prop props[] = {
	{ "scrub-every", "a time as 12h or 30d; 0", "how old the last whole scrub may get; 0: none begins by itself" },
	{ "scrub-rate", "1M and more", "bytes that a scrub reads in a second" },
	{ "gc-rate", "0, or 1M and more", "bytes that are copied forward in a second; 0: as fast as it goes" },
	{ "gc-live", "0 to 100", "percent: packs with less than this in use are copied forward" },
	{ "gc", "on or off", "off: nothing is freed, as packs may hold what a lost database knew of" },
};

/* In the order of props[]. */
static const struct {
	int (*get)(const struct catalog_store *s, struct buf *text);
	int (*set)(struct catalog_store *s, const char *value);
} prop_verbs[] = {
	{ scrub_every_get, scrub_every_set },
	{ scrub_rate_get, scrub_rate_set },
	{ gc_rate_get, gc_rate_set },
	{ gc_live_get, gc_live_set },
	{ gc_get, gc_set },
};

_Static_assert(ARRAY_LEN(props) == ARRAY_LEN(prop_verbs), "each property has its verbs");

const struct catalog_prop *catalog_store_props(size_t *count)
{
	*count = ARRAY_LEN(props);
	return props;
}

int catalog_store_prop_get(const struct catalog_store *s, const char *prop, struct buf *text)
{
	size_t i;
	int r = words_find(props, ARRAY_LEN(props), "a store", prop, &i);

	return r ? r : prop_verbs[i].get(s, text);
}

int catalog_store_prop_set(struct catalog_store *s, const char *prop, const char *value)
{
	size_t i;
	int r = words_find(props, ARRAY_LEN(props), "a store", prop, &i);

	if (r)
		return r;
	return prop_verbs[i].set(s, value) ? words_bad_value(&props[i], value) : 0;
}
